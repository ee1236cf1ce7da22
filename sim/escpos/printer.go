// Package escpos is the receipt printer of the virtual terminal: a thermal printer of 58 or 80 mm that speaks ESC/POS on a byte
// line, as Chinese clones and Epson's reference describe it.
//
// It interprets what comes (commands.go lists every command and its length), heats dots on a roll of paper, and lets the world
// read the paper as text or as a picture. It is paced like a real head, loses bytes when its receive buffer runs over, stops when
// the paper ends or the cover opens, and answers DLE EOT in real time and GS r in order.
//
// It does not do page mode, user-defined characters, NV graphics or macros: such a command is skipped with the right length and
// recorded as a trace event, as is a command that it does not know. Nothing is swallowed silently.
package escpos

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"posd/sim"
)

// Speed of a common receipt printer's paper, in millimetres per second, and the dots in a millimetre.
const (
	DefaultSpeed = 80
	dotsPerMM    = 8
)

// Options describe the printer. The zero value is a 58 mm printer with a cutter and no pacing.
type Options struct {
	Width    int        // millimetres of paper: 58 or 80; 0 is 58
	Encoding string     // of its Chinese ROM: "gb18030" (also when empty), "gbk" or "utf-8"
	NoCutter bool       // tear bar only: GS V feeds and does not cut
	Buffer   int        // bytes of receive buffer; 0 is 4096
	Speed    int        // paper speed in mm/s, DefaultSpeed for a real one; 0 does not pace
	Baud     int        // line speed at which bytes arrive, in bit/s; 0 is at once
	Trace    sim.Tracer // may be nil
}

// The fault switches.
const (
	PaperOut      = "paper-out"          // stops until switched off
	PaperOutMid   = "paper-out-mid"      // the paper ends some lines from now (see EndPaperAfter), until switched off
	PaperLow      = "paper-low"          // the near-end sensor
	CoverOpen     = "cover-open"         // stops until switched off
	Overheat      = "overheat"           // the head is too hot: stops until switched off
	Dead          = "dead"               // takes bytes, does nothing, answers nothing
	Stuck         = "stuck"              // does not even take bytes: the terminal's write blocks
	GarbageStatus = "garbage-status"     // answers with wrong bytes
	Unsolicited   = "unsolicited-status" // sends status nobody asked for after each line
	NoGSr         = "no-gs-r"            // a clone that does not answer GS r
	NoEOT         = "no-dle-eot"         // a clone that does not answer DLE EOT
	NoNativeQR    = "no-native-qr"       // a clone that prints the parameters of GS ( k as text
	GBKROM        = "gbk-rom"            // no four-byte codes of GB 18030: they print as two wrong characters
	Overrun       = "overrun"            // a receive buffer of 64 bytes: what does not fit is lost
)

// midLines is after how many lines PaperOutMid strikes.
const midLines = 8

var allFaults = []string{
	PaperOut, PaperOutMid, PaperLow, CoverOpen, Overheat, Dead, Stuck, GarbageStatus, Unsolicited, NoGSr, NoEOT, NoNativeQR, GBKROM, Overrun,
}

// Printer is the device. Its methods may be called from any goroutine.
type Printer struct {
	opt Options

	mu      sync.Mutex
	rx      []byte // receive buffer
	lost    int    // bytes lost in the overrun under way
	m       machine
	faults  map[string]bool
	left    int // lines until the paper ends, -1 is a full roll
	rowsDue int // rows of paper moved and not yet paid for in time
	noise   uint32
	version int
	changed chan struct{} // closed at each new version
	wake    chan struct{} // tells the head that there may be work
	replies chan []byte   // to the line, nil when Serve does not run
	dle     []byte        // the last bytes received, for DLE EOT
}

// New makes a printer with a new roll of paper.
func New(o Options) *Printer {
	if o.Buffer <= 0 {
		o.Buffer = 4096
	}
	p := &Printer{opt: o, faults: map[string]bool{}, left: -1, changed: make(chan struct{}), wake: make(chan struct{}, 1), noise: 1}
	dots := 384
	if o.Width == 80 {
		dots = 576
	}
	p.m = machine{p: p, dots: dots}
	p.m.paper.dots = dots
	p.m.paper.feed(cutterRows)
	p.m.reset()
	return p
}

// Faults lists the fault switches.
func (p *Printer) Faults() []string { return slices.Clone(allFaults) }

// SetFault turns a fault on or off.
func (p *Printer) SetFault(name string, on bool) error {
	if !slices.Contains(allFaults, name) {
		return fmt.Errorf("escpos: no fault %q", name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if name == PaperOutMid {
		p.left = -1
		if on {
			p.left = midLines
		}
	}
	p.faults[name] = on
	if !on && (name == PaperOut || name == PaperOutMid) { // a new roll
		p.faults[PaperOut], p.faults[PaperOutMid], p.left = false, false, -1
	}
	p.trace("", fmt.Sprintf("fault %s: %v", name, on))
	p.statusChanged()
	p.poke()
	return nil
}

// EndPaperAfter lets the paper end after n more lines; a negative n is a full roll.
func (p *Printer) EndPaperAfter(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = n
	p.faults[PaperOutMid] = n >= 0
	p.statusChanged()
	p.poke()
}

// Serve is the printer on a line until ctx ends (nil) or the line is gone (its error). It starts with power on: an empty receive
// buffer and default styles; the paper keeps what is on it.
func (p *Printer) Serve(ctx context.Context, line io.ReadWriter) error {
	outer := ctx
	ctx, stop := context.WithCancel(outer)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()

	p.mu.Lock()
	p.rx, p.lost, p.dle = nil, 0, nil
	p.m.reset()
	replies := make(chan []byte, 256)
	p.replies = replies
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.replies = nil
		p.mu.Unlock()
	}()

	type deadliner interface{ SetDeadline(time.Time) error }
	d, canStop := line.(deadliner)
	if canStop = canStop && d.SetDeadline(time.Time{}) == nil; canStop {
		defer context.AfterFunc(ctx, func() { _ = d.SetDeadline(time.Unix(1, 0)) })()
	}

	wg.Go(func() { p.head(ctx) })
	gone := make(chan error, 2)
	read := func() { gone <- p.receive(ctx, line) }
	write := func() {
		for {
			select {
			case b := <-replies:
				if _, err := line.Write(b); err != nil {
					gone <- err
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
	if canStop {
		wg.Go(read)
		wg.Go(write)
	} else { // they end when the owner closes the line
		go read()
		go write()
	}
	select {
	case err := <-gone:
		if outer.Err() != nil {
			return nil
		}
		return err
	case <-ctx.Done():
		return nil
	}
}

// receive takes bytes from the line at its speed into the buffer, and acts on real-time commands as they pass.
func (p *Printer) receive(ctx context.Context, line io.Reader) error {
	buf := make([]byte, 256)
	for {
		for p.fault(Stuck) {
			if !sleep(ctx, 20*time.Millisecond) {
				return ctx.Err()
			}
		}
		n, err := line.Read(buf)
		if n > 0 {
			if p.opt.Baud > 0 && !sleep(ctx, time.Duration(n)*10*time.Second/time.Duration(p.opt.Baud)) {
				return ctx.Err()
			}
			p.arrive(buf[:n])
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (p *Printer) arrive(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults[Dead] {
		return
	}
	size := p.opt.Buffer
	if p.faults[Overrun] {
		size = 64
	}
	for _, c := range b {
		p.realTime(c)
		if len(p.rx) < size {
			p.rx = append(p.rx, c)
			p.endOverrun()
			continue
		}
		p.lost++
	}
	p.poke()
}

// endOverrun records bytes that were lost, once the buffer takes bytes again.
func (p *Printer) endOverrun() {
	if p.lost > 0 {
		p.trace(">", fmt.Sprintf("buffer overrun: %d bytes lost", p.lost))
		p.lost = 0
	}
}

func (p *Printer) fault(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults[name]
}

// head takes bytes from the buffer, obeys them and moves the paper, until ctx ends.
func (p *Printer) head(ctx context.Context) {
	for {
		p.mu.Lock()
		worked := false
		for len(p.rx) > 0 && p.rowsDue == 0 && !p.stopped() {
			n := min(len(p.rx), 64)
			p.m.feed(p.rx[0])
			p.rx = p.rx[1:]
			worked = true
			for i := 1; i < n && p.rowsDue == 0 && !p.stopped(); i++ {
				p.m.feed(p.rx[0])
				p.rx = p.rx[1:]
			}
			if len(p.rx) == 0 {
				p.rx = nil
			}
		}
		rows := p.rowsDue
		p.rowsDue = 0
		if len(p.rx) == 0 {
			p.endOverrun()
		}
		p.mu.Unlock()
		switch {
		case rows > 0 && p.opt.Speed > 0:
			if !sleep(ctx, time.Duration(rows)*time.Second/time.Duration(p.opt.Speed*dotsPerMM)) {
				return
			}
		case worked:
		default:
			select {
			case <-p.wake:
			case <-ctx.Done():
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// stopped tells whether the head must wait for a person.
func (p *Printer) stopped() bool {
	return p.noPaper() || p.faults[CoverOpen] || p.faults[Overheat] || p.faults[Dead]
}

func (p *Printer) noPaper() bool { return p.faults[PaperOut] || p.left == 0 }

// moved notes that the paper moved on by a number of rows, and one line if line is set.
func (p *Printer) moved(rows int, line bool) {
	if p.opt.Speed > 0 {
		p.rowsDue += rows
	}
	if line && p.left > 0 {
		if p.left--; p.left == 0 {
			p.trace("", "the paper ended")
			p.statusChanged()
		}
	}
	p.touch()
}

func (p *Printer) touch() {
	p.version++
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Printer) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *Printer) trace(dir, summary string, detail ...sim.Field) {
	p.opt.Trace.Emit("printer", dir, summary, detail...)
}

// sleep waits for d and tells whether ctx still runs.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
