// Package porttest holds what every hal.Port must do, as a test, and an in-memory Port for the tests of drivers.
//
// Pipe needs no kernel and works under testing/synctest; the contract is run on it and on the real serial port over a pseudo
// terminal, so a driver that was tested on the one works on the other.
package porttest

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"posd/hal"
)

// Peer is the device's end of a line.
type Peer interface {
	io.ReadWriter
	SetReadDeadline(t time.Time) error
	// Close pulls the plug: the port's side sees hal.ErrUnplugged.
	Close() error
}

// Pipe returns a Port and the device's end of it. Each direction holds up to size bytes; a Write beyond waits for the other end to
// read, as on a line whose peer is stalled.
func Pipe(size int) (*Port, *End) {
	l := &link{changed: make(chan struct{})}
	toDevice, toPort := &queue{size: size}, &queue{size: size}
	return &Port{l: l, in: toPort, out: toDevice, baud: 9600}, &End{l: l, in: toDevice, out: toPort}
}

// link is shared by both ends. changed is closed and replaced whenever anything changes that a waiter may wait for.
type link struct {
	mu       sync.Mutex
	changed  chan struct{}
	pulled   bool // the device's end is closed
	portDone bool // the port's end is closed
}

type queue struct {
	b    []byte
	size int
}

func (l *link) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// deadline is a time limit that may be moved while somebody waits.
type deadline struct{ t time.Time }

// wait sleeps until something changes or the deadline passes. The caller holds l.mu, and holds it again afterwards.
func (l *link) wait(d *deadline) error {
	if !d.t.IsZero() && !time.Now().Before(d.t) {
		return os.ErrDeadlineExceeded
	}
	ch := l.changed
	var timer <-chan time.Time
	if !d.t.IsZero() {
		t := time.NewTimer(time.Until(d.t))
		defer t.Stop()
		timer = t.C
	}
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-ch:
	case <-timer:
	}
	return nil
}

func (l *link) read(b []byte, q *queue, d *deadline, state func() error) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.portDone {
			if err := state(); err != nil {
				return 0, err
			}
		}
		if !d.t.IsZero() && !time.Now().Before(d.t) {
			return 0, os.ErrDeadlineExceeded
		}
		if len(q.b) > 0 || len(b) == 0 {
			n := copy(b, q.b)
			q.b = q.b[n:]
			l.wake()
			return n, nil
		}
		if err := state(); err != nil {
			return 0, err
		}
		if err := l.wait(d); err != nil {
			return 0, err
		}
	}
}

func (l *link) write(b []byte, q *queue, d *deadline, state func() error) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if err := state(); err != nil {
			return n, err
		}
		if !d.t.IsZero() && !time.Now().Before(d.t) {
			return n, os.ErrDeadlineExceeded
		}
		if m := min(len(b), q.size-len(q.b)); m > 0 {
			q.b = append(q.b, b[:m]...)
			b, n = b[m:], n+m
			l.wake()
		}
		if len(b) == 0 {
			return n, nil
		}
		if err := l.wait(d); err != nil {
			return n, err
		}
	}
}

// Port is the terminal's end of a Pipe.
type Port struct {
	l             *link
	in, out       *queue
	rd, wd        deadline
	baud, flushes int
}

var _ hal.Port = (*Port)(nil)

func (p *Port) state() error {
	switch {
	case p.l.portDone:
		return os.ErrClosed
	case p.l.pulled:
		return hal.ErrUnplugged
	}
	return nil
}

func (p *Port) Read(b []byte) (int, error)  { return p.l.read(b, p.in, &p.rd, p.state) }
func (p *Port) Write(b []byte) (int, error) { return p.l.write(b, p.out, &p.wd, p.state) }

// SetReadDeadline and SetWriteDeadline move the limits, of calls that already wait too.
func (p *Port) SetReadDeadline(t time.Time) error { return p.set(&p.rd, t) }

// SetWriteDeadline is SetReadDeadline for writes.
func (p *Port) SetWriteDeadline(t time.Time) error { return p.set(&p.wd, t) }

func (p *Port) set(d *deadline, t time.Time) error {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	if p.l.portDone {
		return os.ErrClosed
	}
	d.t = t
	p.l.wake()
	return nil
}

// Close ends the port: its own calls return os.ErrClosed, the peer's io.EOF.
func (p *Port) Close() error {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	if p.l.portDone {
		return os.ErrClosed
	}
	p.l.portDone = true
	p.l.wake()
	return nil
}

// Flush drops what is queued in both directions.
func (p *Port) Flush() error {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	if err := p.state(); err != nil {
		return err
	}
	p.in.b, p.out.b = nil, nil
	p.flushes++
	p.l.wake()
	return nil
}

// Drain waits until the peer has read everything.
func (p *Port) Drain(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		p.l.mu.Lock()
		defer p.l.mu.Unlock()
		p.l.wake()
	})
	defer stop()
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	for {
		if err := p.state(); err != nil {
			return err
		}
		if len(p.out.b) == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := p.l.wait(&deadline{}); err != nil {
			return err
		}
	}
}

// SetBaud keeps the speed; bytes pass whatever it is.
func (p *Port) SetBaud(baud int) error {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	if err := p.state(); err != nil {
		return err
	}
	if baud <= 0 {
		return fmt.Errorf("porttest: %d bit/s", baud)
	}
	p.baud = baud
	return nil
}

// Baud is the speed last set.
func (p *Port) Baud() int {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	return p.baud
}

func (p *Port) String() string { return "porttest:pipe" }

// End is the device's end of a Pipe.
type End struct {
	l       *link
	in, out *queue
	rd      deadline
}

var _ Peer = (*End)(nil)

func (e *End) state() error {
	switch {
	case e.l.pulled:
		return os.ErrClosed
	case e.l.portDone:
		return io.EOF
	}
	return nil
}

func (e *End) Read(b []byte) (int, error)  { return e.l.read(b, e.in, &e.rd, e.stateRead) }
func (e *End) Write(b []byte) (int, error) { return e.l.write(b, e.out, &deadline{}, e.state) }

// stateRead lets the device read what was sent before the port was closed.
func (e *End) stateRead() error {
	if e.l.portDone && !e.l.pulled && len(e.in.b) > 0 {
		return nil
	}
	return e.state()
}

// SetReadDeadline moves the limit of reads.
func (e *End) SetReadDeadline(t time.Time) error {
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	e.rd.t = t
	e.l.wake()
	return nil
}

// Close pulls the plug.
func (e *End) Close() error {
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	if e.l.pulled {
		return os.ErrClosed
	}
	e.l.pulled = true
	e.l.wake()
	return nil
}
