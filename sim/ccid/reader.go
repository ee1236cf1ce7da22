package ccid

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"posd/sim"
	"posd/sim/apdu"
)

// Profile is a kind of reader.
type Profile string

// Profiles, named as libccid names them.
const (
	GemCorePOSPro Profile = "GemCorePOSPro" // no echo, five slots
	GemPCTwin     Profile = "GemPCTwin"     // echo and card movement bytes, one slot
	GemPCPinPad   Profile = "GemPCPinPad"   // a GemPCTwin with a keypad
	PosdPINPad    Profile = "PosdPINPad"    // no echo, one slot, a keypad, APDU level, and posd's extension (package posd/hal/ccid)
)

func (p Profile) echo() bool { return p == GemPCTwin || p == GemPCPinPad }

// Level is who does T=0 and T=1.
type Level uint8

// Levels of exchange.
const (
	LevelTPDU Level = iota // the host
	LevelAPDU              // the reader
)

// Card is a chip card at the level of APDUs. The reader calls it from one goroutine at a time.
type Card interface {
	// ATR is what the card answers to a reset; empty when it is mute.
	ATR() []byte
	// Reset is called at every cold and warm reset, before ATR.
	Reset()
	// Transceive carries out a command APDU (short form) and returns data and SW1 SW2.
	Transceive(apdu []byte) []byte
}

// Pace is how slow the reader and the card are.
type Pace struct {
	Byte  time.Duration // time of one byte on the line
	APDU  time.Duration // what a card takes to carry out a command
	Reset time.Duration // from PowerOn to the end of the answer to reset
}

// RealPace is 115200 bit/s with 11 bits a byte, and a T=0 card at 9600 bit/s.
var RealPace = Pace{Byte: 95500 * time.Nanosecond, APDU: 40 * time.Millisecond, Reset: 60 * time.Millisecond}

// Options of a Reader.
type Options struct {
	Profile  Profile // "" is GemCorePOSPro
	Slots    int     // 0 is the profile's number
	Firmware string  // answer to the firmware command; "" is a made-up one
	Pace     *Pace   // nil is RealPace
	Trace    sim.Tracer
}

// Reader is the simulated reader. Insert, Remove and the fault switches may be called from any goroutine at any time; Serve runs the
// line.
type Reader struct {
	o    Options
	pace Pace
	wake chan struct{} // something for Serve to do

	mu     sync.Mutex
	slots  []slot
	notify []byte // card movements not yet told to the host
	entry  *entry // the reader waits for a PIN
	now    Level
	faults map[string]bool
	tear   int  // exchanges until the card is torn out; 0 never
	after  bool // torn after the card has carried out the command
	used   int  // exchanges so far

	// Used by Serve only.
	last []byte // last answer, for a NAK
	tell bool   // the host wants to hear of card movements
	seen []apdu.Session
}

type slot struct {
	card    Card
	inserts uint64 // tells one card from the next
	powered bool
	t0      t0State
	t1      *t1State
}

// New makes a reader with empty slots.
func New(o Options) *Reader {
	if o.Profile == "" {
		o.Profile = GemCorePOSPro
	}
	if o.Slots <= 0 {
		o.Slots = 5
		if o.Profile != GemCorePOSPro {
			o.Slots = 1
		}
	}
	if o.Firmware == "" {
		o.Firmware = string(o.Profile) + "-V1.00"
	}
	r := &Reader{o: o, pace: RealPace, slots: make([]slot, o.Slots), seen: make([]apdu.Session, o.Slots), faults: map[string]bool{}, wake: make(chan struct{}, 1)}
	if o.Pace != nil {
		r.pace = *o.Pace
	}
	return r
}

// Insert puts a card into a slot, in place of one that is there.
func (r *Reader) Insert(n int, c Card) {
	if n < 0 || n >= len(r.slots) || c == nil {
		return
	}
	r.mu.Lock()
	was := r.slots[n]
	r.slots[n] = slot{card: c, inserts: r.slots[n].inserts + 1}
	if n == 0 {
		r.notify = []byte{0x50, 0x03}
	}
	r.mu.Unlock()
	unpower(was)
	r.rouse()
	r.o.Trace.Emit("reader", "", fmt.Sprintf("card inserted into slot %d", n))
}

// Remove takes the card out of a slot. It returns false when there was none.
func (r *Reader) Remove(n int) bool {
	if n < 0 || n >= len(r.slots) {
		return false
	}
	r.mu.Lock()
	was := r.slots[n]
	there := was.card != nil
	r.slots[n] = slot{inserts: r.slots[n].inserts}
	if n == 0 && there {
		r.notify = []byte{0x50, 0x02}
	}
	r.mu.Unlock()
	r.rouse()
	unpower(was)
	if there {
		r.o.Trace.Emit("reader", "", fmt.Sprintf("card removed from slot %d", n))
	}
	return there
}

// Inserted tells whether there is a card in the slot.
func (r *Reader) Inserted(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return n >= 0 && n < len(r.slots) && r.slots[n].card != nil
}

// Powered tells whether the card in the slot has power.
func (r *Reader) Powered(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return n >= 0 && n < len(r.slots) && r.slots[n].powered
}

// Exchanges counts the commands that cards were given to carry out.
func (r *Reader) Exchanges() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}

// gap is how long the reader waits for the rest of a frame.
const gap = 300 * time.Millisecond

// Serve is the reader on a line, until ctx ends or the line is gone; then it returns the reason. Cards stay in their slots but lose
// power: the reader was switched off. A line that has SetReadDeadline lets Serve end at once when ctx does.
func (r *Reader) Serve(ctx context.Context, line io.ReadWriter) error {
	r.allOff()
	defer r.allOff()
	r.mu.Lock()
	r.entry, r.now = nil, LevelTPDU
	if r.o.Profile == PosdPINPad {
		r.now = LevelAPDU
	}
	r.mu.Unlock()
	defer func() { // the cable brings the power as well: nobody can type any more
		r.mu.Lock()
		r.entry = nil
		r.mu.Unlock()
	}()
	r.last, r.tell = nil, false

	ctx, in, stop := sim.Listen(ctx, line)
	defer stop()

	var pending []byte
	for {
		var stale, due <-chan time.Time
		var timers []*time.Timer
		after := func(d time.Duration) <-chan time.Time {
			t := time.NewTimer(d)
			timers = append(timers, t)
			return t.C
		}
		if len(pending) > 0 {
			stale = after(gap)
		}
		if at, ok := r.due(); ok {
			due = after(time.Until(at))
		}
		select {
		case b := <-in:
			pending = append(pending, b...)
		case <-stale:
			pending = nil
		case <-due:
		case <-r.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for _, t := range timers {
			t.Stop()
		}
		if err := r.tend(ctx, line); err != nil {
			return err
		}
		for len(pending) > 0 {
			c, n, err := parse(pending)
			pending = pending[n:]
			if c == nil && err == nil {
				break
			}
			if err := r.serveOne(ctx, line, c, err); err != nil {
				return err
			}
		}
	}
}

// allOff is the reader without power.
func (r *Reader) allOff() {
	r.mu.Lock()
	was := slices.Clone(r.slots)
	for i := range r.slots {
		r.slots[i].powered, r.slots[i].t1 = false, nil
	}
	r.mu.Unlock()
	for _, s := range was {
		unpower(s)
	}
}

// serveOne deals with one frame, or with what was none.
func (r *Reader) serveOne(ctx context.Context, line io.Writer, c *command, bad error) error {
	if r.fault(FaultDead) {
		return nil
	}
	if bad != nil {
		out := nakFrame
		if bad == (nakReceived{}) {
			out = r.last
		}
		return r.write(ctx, line, out)
	}
	if r.once(FaultNAK) {
		return r.write(ctx, line, nakFrame)
	}
	if r.o.Profile.echo() {
		// libccid's buffer has no room for the echo of the words that it loads into a GemPCPinPad: it takes the first answer for it.
		first := c.raw
		if c.typ == 0x6B && len(c.data) > 1 && c.data[0] == 0xB2 {
			first = answer{typ: 0x83, slot: c.slot, seq: c.seq, b: [3]byte{r.icc(0)}}.frame()
		}
		if err := r.write(ctx, line, first); err != nil {
			return err
		}
		r.mu.Lock()
		moved := r.notify
		r.notify = nil
		r.mu.Unlock()
		if !r.tell {
			moved = nil
		}
		if err := r.write(ctx, line, moved); err != nil {
			return err
		}
	}
	a := answer{slot: c.slot, seq: c.seq, typ: answerType(c.typ)}
	switch {
	case r.Entering() && c.slot == 0 && c.typ != 0x72:
		a.b = [3]byte{failed | r.icc(0), errBusy}
		return r.reply(ctx, line, a)
	case c.typ == 0x69, c.typ == 0x6B && len(c.data) > 1 && c.data[0] == extension && c.data[1] == extEncipher:
		if a, open := r.open(a, c); !open {
			return r.reply(ctx, line, a)
		}
		return nil
	}
	a, err := r.do(ctx, c, r.extender(ctx, line, c))
	if err != nil {
		return err
	}
	return r.reply(ctx, line, a)
}

// extender returns what sends a time extension for a command.
func (r *Reader) extender(ctx context.Context, line io.Writer, c *command) func(t1 bool) error {
	return func(t1 bool) error {
		if !t1 && r.level() == LevelTPDU { // T=0: one byte of 80 or more
			return r.write(ctx, line, []byte{0x82})
		}
		a := answer{typ: answerType(c.typ), slot: c.slot, seq: c.seq, b: [3]byte{0x80, 1}}
		return r.write(ctx, line, a.frame())
	}
}

// reply sends the answer to a command.
func (r *Reader) reply(ctx context.Context, line io.Writer, a answer) error {
	f := a.frame()
	if r.fault(FaultBadLRC) || r.once(FaultLRCOnce) {
		f[len(f)-1] ^= 0x5A
	}
	if r.fault(FaultGarbage) {
		f = slices.Concat([]byte{0x00, 0x55, 0x03, 0x77, 0x03}, f, []byte{0x41, 0x03})
	}
	r.last = f
	return r.write(ctx, line, f)
}

func (r *Reader) level() Level {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// write sends b as fast as the line is.
func (r *Reader) write(ctx context.Context, line io.Writer, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := pause(ctx, r.pace.Byte*time.Duration(len(b))); err != nil {
		return err
	}
	_, err := line.Write(b)
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
