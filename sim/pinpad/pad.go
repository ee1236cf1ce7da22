package pinpad

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"posd/sim"
)

// Dialect is a family of pads.
type Dialect uint8

// Dialects.
const (
	VF Dialect = iota
	UIC
)

// Published test keys, in hexadecimal. TestTMK is the one that a pad has unless Options say otherwise.
const (
	TestTMK         = "0123456789ABCDEFFEDCBA9876543210" // KCV 08D7B4
	UnionPayTestTMK = "CA5D92598DCA48CE8A4C76361A9269E9" // of the published field 62 example
	testSingleDES   = "0123456789ABCDEF"                 // of the load example; needs Options.SingleDES
)

// Pace is how slow the pad is.
type Pace struct {
	Byte   time.Duration // time of one byte on the line
	Answer time.Duration // from the ACK to the answer frame
}

// RealPace is 9600 bit/s with 10 bits a byte.
var RealPace = Pace{Byte: 1042 * time.Microsecond, Answer: 20 * time.Millisecond}

// RateLimit is a bucket of tokens: a PIN entry takes one.
type RateLimit struct {
	Every time.Duration // a token is added
	Max   int
	Start int // at power-up
}

// VFRateLimit is that of VeriFone pads.
var VFRateLimit = RateLimit{Every: 30 * time.Second, Max: 30, Start: 2}

// Options of a Pad.
type Options struct {
	Dialect  Dialect
	Progress bool   // send 2A for each PIN digit and 08 when the entry is emptied
	TMK      string // hexadecimal; "" is TestTMK, "none" is an empty pad
	Slot     byte   // of the TMK; 0 is '0'. A UIC pad has it in slot B too, for MACs.
	// AnyKey admits keys that are not published test keys.
	AnyKey bool
	// SingleDES admits 8-byte master keys and PIN keys. 8-byte MAC keys are always admitted.
	SingleDES bool
	RateLimit *RateLimit // nil is no limit
	Serial    string     // answer to 06; "" is a made-up one
	Chinese   bool       // language of the pad's own prompts on its display
	Pace      *Pace      // nil is RealPace
	Trace     sim.Tracer
}

// Keys of the pad's keypad beside '0' to '9'.
const (
	KeyEnter  = '\r'
	KeyClear  = '\b'
	KeyCancel = 0x1b
	KeyF1     = 'a'
	KeyF2     = 'b'
	KeyF3     = 'c'
)

// Pad is the simulated pad. Press, Display and the other methods may be called from any goroutine at any time; Serve runs the line.
type Pad struct {
	o    Options
	pace Pace
	wake chan struct{} // something for Serve to do

	mu        sync.Mutex
	faults    map[string]bool
	slots     map[byte]slotKey
	active    byte // slot that 08 selected
	injecting bool
	tampered  bool
	tokens    int
	tokenAt   time.Time
	display   display
	rx        receiver
	out       []chunk
	pending   *pending
	entry     *entry
	mac       *macSession
	events    []event
}

type event struct {
	dir, summary string
	detail       []sim.Field
}

// chunk is something to send, after a pause.
type chunk struct {
	pause time.Duration
	b     []byte
}

// New makes a pad as it comes from the factory, with its keys.
func New(o Options) *Pad {
	if o.Slot == 0 {
		o.Slot = '0'
	}
	if o.Serial == "" {
		o.Serial = "0012601150010042"
		if o.Dialect == UIC {
			o.Serial = "260115000042"
		}
	}
	p := &Pad{o: o, pace: RealPace, wake: make(chan struct{}, 1), faults: map[string]bool{}, slots: map[byte]slotKey{}}
	if o.Pace != nil {
		p.pace = *o.Pace
	}
	if o.RateLimit != nil {
		p.tokens, p.tokenAt = o.RateLimit.Start, time.Now()
	}
	p.locked(func() {
		p.factory()
		p.idle()
	})
	return p
}

// locked runs f with the lock and sends its trace events without.
func (p *Pad) locked(f func()) {
	p.mu.Lock()
	f()
	evs := p.events
	p.events = nil
	p.mu.Unlock()
	for _, e := range evs {
		p.o.Trace.Emit("pinpad", e.dir, e.summary, e.detail...)
	}
}

// poke is locked for callers other than Serve, which then looks what there is to do.
func (p *Pad) poke(f func()) {
	p.locked(f)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *Pad) trace(dir, summary string, detail ...sim.Field) {
	p.events = append(p.events, event{dir, summary, detail})
}

// factory loads what Options say. The one TMK of a UnionPay terminal unwraps PIN and MAC keys, so a UIC pad gets it in two slots:
// the only exception to one key, one slot.
func (p *Pad) factory() {
	clear(p.slots)
	p.active = p.o.Slot
	text := p.o.TMK
	switch text {
	case "none":
		return
	case "":
		text = TestTMK
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != 16 && len(key) != 24 || !p.mayHold(key) {
		p.trace("", "the master key of the options is refused: no published test key, or not 16 or 24 bytes; the pad is empty")
		return
	}
	p.slots[p.o.Slot] = slotKey{key: key, usage: "K0"}
	if p.o.Dialect == UIC {
		p.slots['B'] = slotKey{key: key, usage: "K0"}
	}
}

// Serve is the pad on a line, until ctx ends or the line is gone; then it returns the reason. It starts as after power-up: idle,
// keys kept. A line that has SetReadDeadline lets Serve end at once when ctx does.
func (p *Pad) Serve(ctx context.Context, line io.ReadWriter) error {
	p.locked(func() {
		p.entry, p.pending, p.mac, p.out = nil, nil, nil, nil
		p.rx = receiver{}
		p.active = p.o.Slot
		p.idle()
	})
	defer p.locked(func() { // the cable brings the power as well: nobody can type any more
		p.entry, p.pending, p.mac, p.out = nil, nil, nil, nil
		p.idle()
	})
	ctx, in, stop := sim.Listen(ctx, line)
	defer stop()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var out []chunk
		var next time.Time
		p.locked(func() {
			p.tick(time.Now())
			out, p.out = p.out, nil
			next = p.deadline()
		})
		for _, c := range out {
			if err := p.write(ctx, line, c); err != nil {
				return err
			}
		}
		if len(out) > 0 {
			continue // what was sent may have taken time
		}
		wait := time.Hour
		if !next.IsZero() {
			wait = max(time.Until(next), 0)
		}
		timer.Reset(wait)
		select {
		case b := <-in:
			p.locked(func() { p.receive(b) })
		case <-p.wake:
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (p *Pad) write(ctx context.Context, line io.Writer, c chunk) error {
	pause := c.pause + time.Duration(len(c.b))*p.pace.Byte
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	_, err := line.Write(c.b)
	return err
}

// deadline is when tick has something to do; zero is never.
func (p *Pad) deadline() (t time.Time) {
	if p.pending != nil {
		t = p.pending.resend
	}
	if p.entry != nil && (t.IsZero() || p.entry.until.Before(t)) {
		t = p.entry.until
	}
	return t
}

func (p *Pad) tick(now time.Time) {
	if p.pending != nil && !now.Before(p.pending.resend) {
		p.repeat()
	}
	if p.entry != nil && !now.Before(p.entry.until) {
		p.timeUp()
	}
}

// Faults that can be switched on.
const (
	FaultDead      = "dead"      // no power: nothing is heard or sent
	FaultGarbage   = "garbage"   // noise on the line before everything that the pad sends
	FaultLRC       = "lrc"       // every frame from the pad has a wrong LRC
	FaultNoACK     = "no-ack"    // requests are carried out but not ACKed
	FaultEOT       = "eot"       // every request is answered by EOT
	FaultMute      = "mute"      // requests are ACKed and never answered
	FaultSlow      = "slow"      // answers take 1.5 s longer
	FaultThrottled = "throttled" // no PIN entry is allowed any more
	FaultNoKey     = "no-key"    // all key slots are empty; off: the factory keys are back
	FaultTampered  = "tampered"  // opened: the keys are wiped, only 06 and 11 work; off: repaired, with the factory keys
)

// Faults lists the fault switches.
func (p *Pad) Faults() []string {
	return []string{
		FaultDead, FaultGarbage, FaultLRC, FaultNoACK, FaultEOT, FaultMute, FaultSlow, FaultThrottled, FaultNoKey, FaultTampered,
	}
}

// SetFault switches a fault.
func (p *Pad) SetFault(name string, on bool) error {
	if !slices.Contains(p.Faults(), name) {
		return fmt.Errorf("pinpad: no fault %q (there are %s)", name, strings.Join(p.Faults(), ", "))
	}
	p.poke(func() {
		p.faults[name] = on
		switch {
		case name == FaultDead && on: // power is gone: what was under way is, too
			p.entry, p.pending, p.mac, p.out = nil, nil, nil, nil
		case name == FaultTampered, name == FaultNoKey:
			p.tampered = p.faults[FaultTampered]
			p.factory()
			if p.tampered || p.faults[FaultNoKey] {
				clear(p.slots)
			}
			p.entry, p.mac = nil, nil
		}
		if p.entry == nil && p.pending == nil {
			p.idle()
		}
		p.trace("", "fault "+name+map[bool]string{true: " on", false: " off"}[on])
	})
	return nil
}

// Display is what the pad shows, one string a line.
func (p *Pad) Display() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults[FaultDead] {
		return nil
	}
	return p.lines()
}

// Entering tells whether the pad waits for keys (PIN, key or string): its keypad is the cardholder's now.
func (p *Pad) Entering() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.entry != nil
}
