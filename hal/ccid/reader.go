package ccid

import (
	"context"
	"errors"
	"fmt"
	"time"

	"posd/hal"
)

// Opts configures a Reader. Zero values mean those of DefaultOpts.
type Opts struct {
	Profile Profile
	Level   Level         // of exchange; zero is the profile's
	PIN     PINEntry      // what the keypad may be used for; zero is all that the profile can
	Slot    byte          // 0 is the user's card
	Voltage byte          // bPowerSelect: 1 is 5 V, 2 is 3 V, 3 is 1.8 V
	Answer  time.Duration // from a command, or a time extension, to the answer
	Limit   time.Duration // for one command with all its time extensions and resends
	Poll    time.Duration // between two looks at the slot in WaitInserted and WaitRemoved
	Retries int           // how often a command is sent again; negative means never
}

// DefaultOpts are the values of a Reader made without Opts.
//
// An answer to reset may take 20,160 etu (2 s at 4 MHz and F=372, Book 1, 8.2), a T=0 answer a waiting time of 0.9 s and a T=1 block
// 1.4 s before the reader itself gives up; so the line is called dead after 3 s.
var DefaultOpts = Opts{
	Profile: GemCorePOSPro,
	Voltage: 1,
	Answer:  3 * time.Second,
	Limit:   30 * time.Second,
	Poll:    250 * time.Millisecond,
	Retries: 2,
}

// Reader is one slot of a card reader. Its methods may be called from several goroutines; they take turns. The line is opened at the
// first call, and again at the first call after it was lost.
type Reader struct {
	open hal.Opener
	o    Opts
	turn chan struct{} // holds one token: who has it may use all that follows

	port    hal.Port
	dec     decoder
	seq     byte
	dirty   bool   // the line may hold the answer to a command that was given up
	powered uint64 // counts power changes: a Card of another count is gone
	card    *Card  // the last one that PowerOn returned
	closed  bool
}

// New returns a Reader on the line that open opens. o may be nil.
func New(open hal.Opener, o *Opts) *Reader {
	r := &Reader{open: open, o: DefaultOpts, turn: make(chan struct{}, 1)}
	if o != nil {
		r.o.Slot = o.Slot
		set(&r.o.Profile, o.Profile)
		r.o.Level, r.o.PIN = o.Level, o.PIN
		set(&r.o.Voltage, o.Voltage)
		set(&r.o.Answer, o.Answer)
		set(&r.o.Limit, o.Limit)
		set(&r.o.Poll, o.Poll)
		set(&r.o.Retries, o.Retries)
		r.o.Retries = max(r.o.Retries, 0)
	}
	m := r.o.Profile.model()
	set(&m.level, r.o.Level)
	set(&m.pin, r.o.PIN)
	r.o.Level, r.o.PIN = m.level, m.pin
	r.turn <- struct{}{}
	return r
}

func set[T comparable](dst *T, v T) {
	var zero T
	if v != zero {
		*dst = v
	}
}

func (r *Reader) String() string { return fmt.Sprintf("%s slot %d", r.o.Profile, r.o.Slot) }

// take waits for the caller's turn. The returned function ends it.
func (r *Reader) take(ctx context.Context) (func(), error) {
	select {
	case <-r.turn:
		return func() { r.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ready opens the line when it is not open.
func (r *Reader) ready(ctx context.Context) error {
	switch {
	case r.closed:
		return ErrClosed
	case r.port != nil:
		return nil
	case r.o.Slot >= r.o.Profile.model().slots:
		return fmt.Errorf("%w: %s has no slot %d", ErrReader, r.o.Profile, r.o.Slot)
	}
	p, err := r.open()
	if err != nil {
		return fmt.Errorf("ccid: open: %w", err)
	}
	r.port, r.dec, r.dirty = p, decoder{}, true
	var tell [][]byte
	if r.o.Profile.model().echo {
		// Card movements are to be told between echo and answer only, not at any time. A reader that does not know this is no worse
		// for it, and one that does not answer will not answer the command that follows either.
		tell = append(tell, []byte{0x01, 0x01, 0x01})
	}
	if r.o.Level == ShortAPDU && r.o.Profile.model().level == TPDU {
		tell = append(tell, []byte{0x1F, 0x02}) // as libccid switches a GemPC Twin over
	}
	for _, data := range tell {
		r.seq++
		m := message{typ: pcEscape, slot: r.o.Slot, seq: r.seq, data: data}
		p := patience{answer: r.o.Answer}
		if _, err := r.once(ctx, m, p, time.Now().Add(r.o.Answer)); err != nil && r.port == nil {
			return err
		}
	}
	return ctx.Err()
}

// Firmware asks the reader for its name and version.
func (r *Reader) Firmware(ctx context.Context) (string, error) {
	done, err := r.take(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	a, err := r.command(ctx, message{typ: pcEscape, data: []byte{0x02}})
	if err != nil {
		return "", err
	}
	name := make([]byte, 0, len(a.data))
	for _, c := range a.data {
		if c >= 0x20 && c < 0x7F {
			name = append(name, c)
		}
	}
	return string(name), nil
}

// Present tells whether there is a card in the slot.
func (r *Reader) Present(ctx context.Context) (bool, error) {
	done, err := r.take(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	return r.present(ctx)
}

func (r *Reader) present(ctx context.Context) (bool, error) {
	a, err := r.command(ctx, message{typ: pcStatus})
	if errors.Is(err, ErrCardRemoved) || errors.Is(err, ErrMute) { // readers differ: some fail the command for an empty slot
		r.powered++
		return !errors.Is(err, ErrCardRemoved), nil
	}
	if err != nil {
		return false, err
	}
	if a.b[0]&3 != iccActive {
		r.powered++
	}
	return a.b[0]&3 != iccAbsent, nil
}

// WaitInserted returns when there is a card in the slot. The context bounds the wait.
func (r *Reader) WaitInserted(ctx context.Context) error { return r.wait(ctx, true) }

// WaitRemoved returns when the slot is empty. The context bounds the wait.
func (r *Reader) WaitRemoved(ctx context.Context) error { return r.wait(ctx, false) }

func (r *Reader) wait(ctx context.Context, in bool) error {
	t := time.NewTicker(r.o.Poll)
	defer t.Stop()
	for {
		there, err := r.Present(ctx)
		if err != nil || there == in {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// PowerOff takes the power from the card. An empty slot is no error.
func (r *Reader) PowerOff(ctx context.Context) error {
	done, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	return r.powerOff(ctx)
}

func (r *Reader) powerOff(ctx context.Context) error {
	r.powered++
	_, err := r.command(ctx, message{typ: pcPowerOff})
	if errors.Is(err, ErrCardRemoved) {
		return nil
	}
	return err
}

// Close lets go of the line. Every later call returns ErrClosed.
func (r *Reader) Close() error {
	<-r.turn
	defer func() { r.turn <- struct{}{} }()
	r.closed = true
	r.powered++
	if r.port == nil {
		return nil
	}
	err := r.port.Close()
	r.port = nil
	return err
}

// PowerOn gives the card in the slot a cold reset, and a warm one when the answer to the first is not acceptable (EMV Book 1, 8.4).
// A card that does not answer at all is not tried again: it is to be taken out. When PowerOn fails the card is without power.
func (r *Reader) PowerOn(ctx context.Context) (*Card, error) {
	done, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()

	if err := r.powerOff(ctx); err != nil {
		return nil, err
	}
	c, err := r.reset(ctx)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, ErrCardRemoved) && r.port != nil {
			_ = r.powerOff(ctx) // err says more
		}
		return nil, err
	}
	return c, nil
}

func (r *Reader) reset(ctx context.Context) (*Card, error) {
	raw, atr, err := r.activate(ctx, false)
	if errors.Is(err, ErrBadATR) {
		raw, atr, err = r.activate(ctx, true)
	}
	if err != nil {
		return nil, err
	}
	protocol, data := atr.parameters()
	if _, err := r.command(ctx, message{typ: pcSetParams, b: [3]byte{protocol}, data: data}); err != nil {
		return nil, err
	}
	r.powered++
	c := &Card{r: r, powered: r.powered, raw: raw, atr: atr}
	if atr.T == 1 && r.o.Level == TPDU {
		c.t1 = newT1(atr)
		if err := c.t1.announce(ctx, r); err != nil {
			return nil, err
		}
	}
	r.card = c
	return c, nil
}

// activate sends PowerOn, which is a cold reset of a card without power and a warm reset of one with (CCID 6.1.1).
func (r *Reader) activate(ctx context.Context, warm bool) ([]byte, *ATR, error) {
	a, err := r.command(ctx, message{typ: pcPowerOn, b: [3]byte{r.o.Voltage}})
	if s := (*SlotError)(nil); errors.As(err, &s) {
		switch s.Code {
		case 0xF8, 0xF7, 0xFD, 0xF6: // the reader itself did not like the answer to reset
			return nil, nil, fmt.Errorf("%w: %w", ErrBadATR, s)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	atr, err := ParseATR(a.data, warm)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrBadATR, err)
	}
	return a.data, atr, nil
}

// Card is the card that a PowerOn powered, until it is powered off, taken out, or powered again.
type Card struct {
	r       *Reader
	powered uint64
	raw     []byte
	atr     *ATR
	t1      *t1
}

// ATR returns the answer to reset.
func (c *Card) ATR() []byte { return append([]byte(nil), c.raw...) }

// Protocol returns 0 for T=0 and 1 for T=1.
func (c *Card) Protocol() int { return c.atr.T }

// Transceive sends a command APDU (short form, at most 261 bytes) and returns the response APDU, SW1 SW2 last. The card must not be
// talked to any more after an error; PowerOn starts anew.
func (c *Card) Transceive(ctx context.Context, capdu []byte) ([]byte, error) {
	cmd, err := parseCommand(capdu)
	if err != nil {
		return nil, err
	}
	done, err := c.r.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if c.powered != c.r.powered {
		return nil, fmt.Errorf("%w: it was powered off since", ErrCardRemoved)
	}
	var rapdu []byte
	switch {
	case c.r.o.Level == ShortAPDU:
		rapdu, err = c.r.apdu(ctx, capdu)
	case c.t1 != nil:
		rapdu, err = c.t1.transceive(ctx, c.r, capdu)
	default:
		rapdu, err = t0(ctx, c.r, cmd)
	}
	if err != nil {
		c.r.giveUp(ctx, err)
		return nil, err
	}
	return rapdu, nil
}

// giveUp ends the session with a card that failed with err: what it makes of the next command cannot be known. A card that is there
// and broke the rules, or fell silent, loses its power at once (Book 1, 9.2.5); where the reader or the line is the trouble the next
// PowerOn or PowerOff has to do it.
func (r *Reader) giveUp(ctx context.Context, err error) {
	r.powered++
	if r.port == nil || ctx.Err() != nil || errors.Is(err, errLost) || !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrMute) {
		return
	}
	_ = r.powerOff(ctx) // err says more
}

// apdu hands an APDU to a reader that does T=0 and T=1 itself (short APDU level, CCID 6.1.4).
func (r *Reader) apdu(ctx context.Context, capdu []byte) ([]byte, error) {
	out, err := r.xfr(ctx, capdu)
	if err != nil {
		return nil, err
	}
	if len(out) < 2 || len(out) > maxResponse+2 {
		return nil, fmt.Errorf("%w: response of %d bytes", ErrProtocol, len(out))
	}
	return out, nil
}

// xfr sends one TPDU or block and returns what the card said.
func (r *Reader) xfr(ctx context.Context, data []byte) ([]byte, error) {
	return r.xfrWait(ctx, data, 0)
}

// xfrWait is xfr with a multiplier for the block waiting time of T=1 (bBWI, CCID 6.1.4).
func (r *Reader) xfrWait(ctx context.Context, data []byte, bwi byte) ([]byte, error) {
	a, err := r.command(ctx, message{typ: pcXfrBlock, b: [3]byte{bwi}, data: data})
	if err != nil {
		return nil, err
	}
	return a.data, nil
}
