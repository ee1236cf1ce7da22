package txn_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing/synctest"
	"time"
)

// What can happen to the line at a byte. The options of the two byte kinds of points, see world.at.
const (
	lineReset  = 1 // both ends learn that the line is gone
	lineSilent = 2 // nothing comes through any more, and nobody is told
	linePower  = 3 // the terminal has no power; the host sees the line end
	lineLate   = 5 // to the gateway only: nothing is acknowledged for a while, and the system goes on retransmitting what it was given
	lineTaken  = 6 // to the gateway only: what is sent is in the network when the power goes, and arrives after the next query
	lineDelay  = 4 // terminal to host, first byte of a message only: the whole message arrives when the terminal has long given up
)

// lateDelivery is longer than the terminal waits for an answer.
const lateDelivery = 75 * time.Second

// wire is a line in memory between the terminal and the acquirer. Every byte that the terminal writes or reads is a point at which
// something may happen; both happen in the goroutine of the flow, so that a run can be repeated exactly. With coarse set (TLS) only the
// first, second, middle and last byte of what is written or read at once are points.
type wire struct {
	w      *world
	coarse bool

	mu       sync.Mutex
	change   *sync.Cond
	up, down []byte // on the way to the host, to the terminal
	mute     bool   // nothing comes through any more
	reset    bool   // the terminal's next read finds the line reset
	closed   bool   // by the terminal, or reset, or power gone: the host reads what is on the way and then the end
	hostGone bool   // closed by the host
	deadline time.Time
	timer    *time.Timer
}

func newWire(w *world) *wire {
	l := &wire{w: w}
	l.change = sync.NewCond(&l.mu)
	return l
}

// terminalEnd is the line as the terminal has it.
type terminalEnd struct{ *wire }

// hostEnd is the line as the host has it.
type hostEnd struct{ *wire }

var _, _ net.Conn = terminalEnd{}, hostEnd{}

// points calls f for each place of n bytes at which something may happen.
func (l *wire) points(n int, end bool, f func(i int) (stop bool)) {
	for i := range n + 1 {
		if l.coarse && i != 0 && i != 1 && i != n/2 && i != n-1 && i != n || i == n && !end {
			continue
		}
		if f(i) {
			return
		}
	}
}

func (c terminalEnd) Write(b []byte) (n int, err error) {
	l := c.wire
	if l.w.dead.Load() {
		return 0, net.ErrClosed // what runs in a deferred function after the power is gone
	}
	if !l.coarse {
		l.w.leaves(b)
	}
	l.mu.Lock()
	if l.closed || l.hostGone {
		l.mu.Unlock()
		return 0, syscall.EPIPE
	}
	mute := l.mute
	l.mu.Unlock()
	if mute {
		return len(b), nil
	}
	n = len(b)
	l.points(len(b), true, func(i int) bool {
		opts := linePower
		if i == 0 && !l.coarse {
			opts = lineDelay
		}
		o := l.w.at(toHost, "byte to the host", opts)
		if o == 0 {
			return false
		}
		l.mu.Lock()
		switch o {
		case lineReset:
			n, err = i, syscall.ECONNRESET
			l.up, l.closed, l.reset = append(l.up, b[:i]...), true, true
		case lineSilent:
			l.up, l.mute = append(l.up, b[:i]...), true
		case linePower:
			l.up, l.closed = append(l.up, b[:i]...), true
		case lineDelay:
			l.mute = true
			late := append([]byte(nil), b...)
			time.AfterFunc(lateDelivery, func() {
				l.mu.Lock()
				l.up = append(l.up, late...)
				l.change.Broadcast()
				l.mu.Unlock()
			})
		}
		l.change.Broadcast()
		l.mu.Unlock()
		synctest.Wait() // the host does what it can with what has come
		if o == linePower {
			l.w.cut()
		}
		b = nil
		return true
	})
	if b != nil {
		l.mu.Lock()
		l.up = append(l.up, b...)
		l.change.Broadcast()
		l.mu.Unlock()
	}
	return n, err
}

func (c terminalEnd) Read(b []byte) (int, error) {
	l := c.wire
	for {
		n, err := l.arrived(len(b))
		if err != nil {
			return 0, err
		}
		option := 0
		l.points(n, false, func(i int) bool {
			if option = l.w.at(fromHost, "byte from the host", linePower); option != 0 {
				n = i
			}
			return option != 0
		})
		l.mu.Lock()
		copy(b, l.down[:n])
		l.down = l.down[n:]
		switch option {
		case lineReset:
			l.reset, l.closed = true, true
		case lineSilent:
			l.mute = true
		case linePower:
			l.closed = true
		}
		l.change.Broadcast()
		l.mu.Unlock()
		if option == linePower {
			synctest.Wait()
			l.w.cut()
		}
		if n > 0 {
			return n, nil
		}
	}
}

// arrived waits until the terminal can read something and returns how much.
func (l *wire) arrived(most int) (int, error) {
	if l.coarse {
		synctest.Wait() // a flight of TLS messages is seen as a whole
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.reset:
			return 0, syscall.ECONNRESET
		case l.closed:
			return 0, net.ErrClosed
		case !l.deadline.IsZero() && !time.Now().Before(l.deadline):
			return 0, os.ErrDeadlineExceeded
		case l.mute:
		case len(l.down) > 0:
			return min(most, len(l.down)), nil
		case l.hostGone:
			return 0, io.EOF
		}
		l.change.Wait()
	}
}

func (c terminalEnd) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mute { // else the host never hears of it
		c.closed = true
	}
	c.reset = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.change.Broadcast()
	return nil
}

func (c terminalEnd) SetReadDeadline(t time.Time) error {
	l := c.wire
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.deadline = t
	if d := time.Until(t); !t.IsZero() && d > 0 {
		l.timer = time.AfterFunc(d, func() {
			l.mu.Lock()
			l.change.Broadcast()
			l.mu.Unlock()
		})
	}
	l.change.Broadcast()
	return nil
}

func (c terminalEnd) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c terminalEnd) SetWriteDeadline(time.Time) error { return nil } // a write never waits

func (c hostEnd) Read(b []byte) (int, error) {
	l := c.wire
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.hostGone:
			return 0, net.ErrClosed
		case len(l.up) > 0:
			n := copy(b, l.up)
			l.up = l.up[n:]
			return n, nil
		case l.closed:
			return 0, io.EOF
		}
		l.change.Wait()
	}
}

func (c hostEnd) Write(b []byte) (int, error) {
	l := c.wire
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.hostGone {
		return 0, errors.New("broken pipe")
	}
	l.down = append(l.down, b...)
	l.change.Broadcast()
	return len(b), nil
}

func (c hostEnd) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hostGone = true
	c.change.Broadcast()
	return nil
}

func (c hostEnd) SetDeadline(time.Time) error      { return nil }
func (c hostEnd) SetReadDeadline(time.Time) error  { return nil }
func (c hostEnd) SetWriteDeadline(time.Time) error { return nil }

func (l *wire) LocalAddr() net.Addr  { return &net.UnixAddr{Name: "wire", Net: "memory"} }
func (l *wire) RemoteAddr() net.Addr { return l.LocalAddr() }

// What can happen to the line to the wallet at a TLS record.
type walletCut struct {
	conn   int  // which connection of the run
	up     bool // terminal to gateway
	record int  // which TLS record in that direction
	place  int  // before its first byte, after it, in the middle, before its last
	what   int  // lineReset, lineSilent, linePower; lineLate, lineTaken for up
}

// retransmission is how long it takes until a line that was dead for a while has caught up: longer than the terminal waits, shorter than the gateway waits for a request.
const retransmission = 25 * time.Second

// hit tells whether the cut stands before the byte at offset at of a record of size bytes, header included; at < 5 knows no size yet.
func (k *walletCut) hit(record, at, size int) bool {
	if record != k.record {
		return false
	}
	switch k.place {
	case 0:
		return at == 0
	case 1:
		return at == 1
	case 2:
		return at >= 5 && at == max(5, size/2)
	}
	return at >= 5 && at == size-1
}

// records follows the TLS records in one direction of a connection.
type records struct {
	count int
	head  []byte
	at    int
	size  int
}

func (r *records) next(b byte) {
	if r.at < 5 {
		r.head = append(r.head[:r.at], b)
	}
	r.at++
	if r.at == 5 {
		r.size = 5 + int(r.head[3])<<8 + int(r.head[4])
	}
	if r.at >= 5 && r.at == r.size {
		r.count, r.at, r.size = r.count+1, 0, 0
	}
}

// walletLine is the terminal's end of a connection to the gateway, with a cut in it. net/http uses it from goroutines of its own, so
// a power cut is only noted here: it takes effect where the flow gets its answer (mortal).
type walletLine struct {
	net.Conn
	w        *world
	cut      *walletCut // nil: only count
	mu       sync.Mutex
	up, down records
	state    int    // lineReset ... once it has happened
	held     []byte // with lineLate: given to the system, not yet delivered
	linger   int    // SO_LINGER plus one: 1 throws held away at Close
	silence  chan struct{}
	once     sync.Once
}

// pass counts the bytes that get through before the cut.
func (l *walletLine) pass(r *records, up bool, b []byte) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, c := range b {
		if l.state != 0 {
			return i
		}
		if l.cut != nil && l.cut.up == up && l.cut.hit(r.count, r.at, r.size) {
			l.state = l.cut.what
			l.w.walletHit.Store(true)
			if l.state == linePower {
				l.w.dead.Store(true)
			}
			return i
		}
		r.next(c)
	}
	return len(b)
}

func (l *walletLine) happened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *walletLine) Write(b []byte) (int, error) {
	switch l.happened() {
	case 0:
	case lineSilent:
		return len(b), nil
	case lineLate, lineTaken:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = append(l.held, b...)
		return len(b), nil
	default:
		return 0, syscall.EPIPE
	}
	n := l.pass(&l.up, true, b)
	if n > 0 {
		if m, err := l.Conn.Write(b[:n]); err != nil {
			return m, err
		}
	}
	switch l.happened() {
	case 0:
	case lineSilent:
		return len(b), nil
	case lineLate:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = append(l.held, b[n:]...)
		time.AfterFunc(retransmission, l.catchUp)
		return len(b), nil
	case lineTaken:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = append(l.held, b[n:]...)
		time.AfterFunc(time.Second, func() { l.w.dead.Store(true) }) // the rest of the message is written in this moment
		return len(b), nil
	default:
		l.Conn.Close()
		return n, syscall.ECONNRESET
	}
	return len(b), nil
}

func (l *walletLine) Read(b []byte) (int, error) {
	switch l.happened() {
	case lineSilent, lineLate, lineTaken:
		<-l.silence
		return 0, net.ErrClosed
	case lineReset, linePower:
		return 0, syscall.ECONNRESET
	}
	n, err := l.Conn.Read(b)
	n = l.pass(&l.down, false, b[:n])
	switch l.happened() {
	case lineReset, linePower:
		l.Conn.Close()
	}
	if n > 0 || err != nil {
		return n, err
	}
	return l.Read(b)
}

// catchUp delivers what was held. The gateway's answer finds nobody.
func (l *walletLine) catchUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == lineLate || l.state == lineTaken {
		_, _ = l.Conn.Write(l.held)
		l.state = lineSilent
	}
}

// SetLinger is that of a TCP connection.
func (l *walletLine) SetLinger(sec int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.linger = sec + 1
	return nil
}

func (l *walletLine) Close() error {
	l.once.Do(func() { close(l.silence) })
	l.mu.Lock()
	state := l.state
	if state == lineLate && l.linger == 1 {
		l.state = lineSilent
	}
	l.mu.Unlock()
	if state == lineSilent || state == lineLate || state == lineTaken {
		return nil // the gateway never hears of it
	}
	return l.Conn.Close()
}
