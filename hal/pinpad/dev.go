package pinpad

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"posd/hal"
	"posd/vault"
)

// Opts are the properties of a pad that cannot be asked for. nil is a VF pad with its keys in slot 0.
type Opts struct {
	Dialect Dialect
	Slot    byte   // of the master key for PIN keys, '0' to '9'; 0 is '0'
	MACSlot byte   // of the master key for MAC keys, '0' to '9' or 'B' to 'E'; 0 is Slot for VF, 'B' for UIC
	Packet  Packet // PIN request
	// Progress: the pad sends 2A for each digit and 08 when the entry is emptied, as single bytes between a PIN request and its
	// answer. This is an extension that many pads have; without it PINEntry.Progress is not called.
	Progress bool
	MinPIN   int  // digits; 0 is 4
	MaxPIN   int  // digits; 0 is 12
	NoBypass bool // Enter without digits is not accepted (Z62 and Z63)
	// Prompt is the text shown by Z2 before Z60 and Z63; nil is the amount and "ENTER PIN". Printable ASCII, at most 64 characters.
	Prompt func(r vault.PINEntry) string
	// PromptID is the entry of a UIC pad's fixed table that Z2 shows before Z60; "" is "001".
	PromptID string
	// TablePrompts are the two prompts and the "processing" text of Z62: entries of the pad's fixed table, letter by letter. All
	// empty is "ENTER PIN", "THEN PRESS ENTER", "PROCESSING".
	TablePrompts [3]string
	// LongLoad lets LoadMasterKey send 16-byte keys to VF pads, whose documented 02 takes 8-byte keys only.
	LongLoad bool
}

// defaultTimeout is for a PINEntry without one.
const defaultTimeout = 60 * time.Second

// Dev is a PIN pad. Its methods may be called from any goroutine; one exchange runs at a time. All but PIN entries repeat what was
// lost on the line. The line is opened at the first call, and again after it was unplugged.
type Dev struct {
	o    Opts
	open hal.Opener
	busy chan struct{} // one token: who has it owns the line

	mu     sync.Mutex // guards port and closed
	port   hal.Port
	closed bool

	unsure bool // the pad may be busy with something older, or the line hold leftovers; owned by who is busy
}

var _ vault.Pad = (*Dev)(nil)

// New makes a driver; it does not open the line.
func New(open hal.Opener, o *Opts) *Dev {
	d := &Dev{open: open, busy: make(chan struct{}, 1)}
	if o != nil {
		d.o = *o
	}
	p := &d.o
	if p.Slot == 0 {
		p.Slot = '0'
	}
	if p.MACSlot == 0 {
		p.MACSlot = p.Slot
		if p.Dialect == UIC {
			p.MACSlot = 'B'
		}
	}
	if p.MinPIN < vault.MinPIN {
		p.MinPIN = vault.MinPIN
	}
	if p.MaxPIN < p.MinPIN || p.MaxPIN > vault.MaxPIN {
		p.MaxPIN = vault.MaxPIN
	}
	if p.Packet == Auto {
		p.Packet = Z63
		if p.Dialect == UIC {
			p.Packet = Z62
		}
	}
	if p.PromptID == "" {
		p.PromptID = "001"
	}
	if p.TablePrompts == [3]string{} {
		p.TablePrompts = [3]string{"ENTER PIN", "THEN PRESS ENTER", "PROCESSING"}
	}
	if p.Prompt == nil {
		p.Prompt = func(r vault.PINEntry) string {
			if r.Amount.Minor == 0 {
				return "ENTER PIN"
			}
			return r.Amount.Currency.String() + " " + r.Amount.Major() + " ENTER PIN"
		}
	}
	return d
}

// String names the line once it is open.
func (d *Dev) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.port == nil {
		return "pinpad"
	}
	return "pinpad(" + d.port.String() + ")"
}

// Close closes the line; a call in progress ends with an error, and so does every later one.
func (d *Dev) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.port == nil {
		return nil
	}
	p := d.port
	d.port = nil
	return p.Close()
}

func (d *Dev) line() (hal.Port, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, os.ErrClosed
	}
	if d.port == nil {
		p, err := d.open()
		if err != nil {
			return nil, err
		}
		d.port = p
		d.unsure = true // it may still ask for a PIN, for a program that was killed or before the cable was pulled
	}
	return d.port, nil
}

func (d *Dev) drop(p hal.Port) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.port == p {
		d.port = nil
		_ = p.Close()
	}
}

// run gives f the line. A pad that was unplugged since the last call and is back is opened again.
func (d *Dev) run(ctx context.Context, f func(l *link) error) error {
	select {
	case d.busy <- struct{}{}:
		defer func() { <-d.busy }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for again := false; ; again = true {
		if err := ctx.Err(); err != nil {
			return err
		}
		acked, err := d.once(f)
		if errors.Is(err, hal.ErrUnplugged) && !acked && !again {
			continue
		}
		return outward(err)
	}
}

func (d *Dev) once(f func(l *link) error) (acked bool, err error) {
	port, err := d.line()
	if err != nil {
		return false, err
	}
	l := &link{port: port}
	defer l.wipe()
	l.ps.progress = d.o.Progress
	if d.unsure {
		l.abort()
	}
	l.acked = false
	if err = l.skip(); err == nil {
		err = f(l)
	}
	switch {
	case errors.Is(err, hal.ErrUnplugged), errors.Is(err, os.ErrClosed):
		d.drop(port)
	case errors.Is(err, ErrNoAnswer) && !l.acked:
		l.unsure = true // nobody is there: 72 would only take time
	case errors.Is(err, ErrNoAnswer), errors.Is(err, ErrLine), errors.Is(err, ErrProtocol), errors.Is(err, ErrUncertain),
		errors.Is(err, ErrEndedByPad), // a byte may have been turned into EOT: make sure that nobody is asked for a PIN
		errors.Is(err, vault.ErrPINTimeout), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		l.abort()
	}
	d.unsure = l.unsure
	return l.acked, err
}

// Ping asks for nothing but an ACK (packet 11).
func (d *Dev) Ping(ctx context.Context) error {
	return d.run(ctx, func(l *link) error {
		_, err := l.exchange(ctx, true, []byte("11"), "")
		return err
	})
}

// Serial is the pad's serial number (packet 06): 16 characters for VF, up to 12 for UIC.
func (d *Dev) Serial(ctx context.Context) (s string, err error) {
	err = d.run(ctx, func(l *link) error {
		a, err := l.exchange(ctx, true, []byte("06"), "06")
		if err != nil {
			return err
		}
		if len(a) > 2+16 {
			return &AnswerError{"06", "length", len(a)}
		}
		s = string(a[2:])
		return l.ended(ctx)
	})
	return s, err
}

// Loaded tells whether there is a key in a slot (packet 04).
func (d *Dev) Loaded(ctx context.Context, slot byte) (there bool, err error) {
	err = d.run(ctx, func(l *link) error { there, err = l.loaded(ctx, slot); return err })
	return there, err
}

func checkSlot(slot byte) error {
	if slot < '0' || slot > '9' && slot < 'A' || slot > 'G' {
		return fmt.Errorf("%w: slot %q", ErrRequest, slot)
	}
	return nil
}

func (l *link) loaded(ctx context.Context, slot byte) (bool, error) {
	if err := checkSlot(slot); err != nil {
		return false, err
	}
	a, err := l.exchange(ctx, true, []byte{'0', '4', slot}, "04")
	if err != nil {
		return false, err
	}
	if len(a) != 3 || a[2] != '0' && a[2] != 'F' {
		return false, &AnswerError{"04", "status", 2}
	}
	return a[2] == 'F', l.ended(ctx)
}

// Select makes the master key of a slot the one for PIN entries (packet 08). The pad accepts an empty slot.
func (d *Dev) Select(ctx context.Context, slot byte) error {
	return d.run(ctx, func(l *link) error { return d.selectSlot(ctx, l, slot) })
}

func (d *Dev) selectSlot(ctx context.Context, l *link, slot byte) error {
	if slot < '0' || slot > '9' {
		return fmt.Errorf("%w: slot %q is not for PIN keys", ErrRequest, slot)
	}
	id := ""
	if d.o.Dialect == UIC {
		id = "08"
	}
	a, err := l.exchange(ctx, true, []byte{'0', '8', slot}, id)
	if err != nil {
		return err
	}
	if err := l.ended(ctx); err != nil || id == "" {
		return err
	}
	if len(a) != 3 {
		return &AnswerError{"08", "status", 2}
	}
	if a[2] != '0' {
		return codeError("08", a[2], map[byte]string{'1': "no such slot"})
	}
	return nil
}

// LoadMasterKey loads a clear master key (packet 02), for injection in a secure place. VF pads take 8 bytes (16 with
// Opts.LongLoad), UIC pads 16 or 24. The pad stores the key only after its echo was found right.
func (d *Dev) LoadMasterKey(ctx context.Context, slot byte, key []byte) error {
	if err := checkSlot(slot); err != nil {
		return outward(err)
	}
	switch n := len(key); {
	case d.o.Dialect == VF && (n == 8 || n == 16 && d.o.LongLoad), d.o.Dialect == UIC && (n == 16 || n == 24):
	default:
		return outward(fmt.Errorf("%w: a master key of %d bytes", ErrRequest, n))
	}
	body := appendHex(append(make([]byte, 0, 3+48), '0', '2', slot), key)
	defer clear(body)
	return d.run(ctx, func(l *link) error {
		if err := l.send(ctx, true, body, false); err != nil {
			return err
		}
		a, err := l.answer(ctx, time.Now().Add(answerWait), true, "02", nil)
		if errors.Is(err, errTimeout) {
			return ErrNoAnswer
		}
		if err != nil {
			return err
		}
		defer clear(a)
		if len(a) == 4 && a[2] == '?' {
			if err := l.write(ack); err != nil {
				return err
			}
			if err := l.ended(ctx); err != nil {
				return err
			}
			return codeError("02", a[3], codes02)
		}
		if !bytes.Equal(a, body) {
			if err := l.write(eot); err != nil {
				return err
			}
			return ErrEcho
		}
		if err := l.write(ack); err != nil {
			return err
		}
		return l.ended(ctx)
	})
}

// Show puts text on the pad's display (packet Z2, with the display cleared before).
func (d *Dev) Show(ctx context.Context, text string) error {
	return d.run(ctx, func(l *link) error { return l.show(ctx, text) })
}

func (l *link) show(ctx context.Context, text string) error {
	text = printable(text)
	if text == "" {
		return fmt.Errorf("%w: nothing to show", ErrRequest)
	}
	_, err := l.exchange(ctx, false, append([]byte{'Z', '2', sub}, text...), "")
	return err
}

// showTrusted shows a PIN prompt of a UIC pad's own table.
func (l *link) showTrusted(ctx context.Context, id string) error {
	a, err := l.exchange(ctx, false, append(append([]byte{'Z', '2', rs}, id...), sub), "Z2")
	if err != nil {
		return err
	}
	if len(a) != 3 {
		return &AnswerError{"Z2", "status", 2}
	}
	if a[2] != '0' {
		return codeError("Z2", a[2], map[byte]string{'1': "the pad has no such prompt"})
	}
	return nil
}

// Idle brings the pad back to its idle display (packet Z1).
func (d *Dev) Idle(ctx context.Context) error {
	return d.run(ctx, func(l *link) error {
		_, err := l.exchange(ctx, false, []byte("Z1"), "")
		return err
	})
}

// MAC is vault.Pad's: Z66 with the MAC key's cryptogram, in as many packets as needed (at most 11,200 bytes of data). data is
// filled with zero bytes to whole blocks here, since pads differ in how they do it.
func (d *Dev) MAC(ctx context.Context, mak, data []byte) (mac [8]byte, err error) {
	if err := checkSessionKey(mak); err != nil {
		return mac, outward(err)
	}
	padded := make([]byte, max((len(data)+7)/8*8, 8))
	copy(padded, data)
	defer clear(padded)
	if len(padded) > macChunk*macPackets {
		return mac, outward(fmt.Errorf("%w: %d bytes are too long for a MAC", ErrRequest, len(data)))
	}
	err = d.run(ctx, func(l *link) error {
		for try := 1; ; try++ {
			mac, err = l.mac(ctx, d.o.MACSlot, mak, padded)
			var code *CodeError
			lost := errors.Is(err, ErrNoAnswer) || errors.As(err, &code) && code.Code == '2' // an ACK was lost inside the sequence
			if !lost || try == 2 || !l.acked {
				return err
			}
			l.abort()
		}
	})
	return mac, err
}

func (l *link) mac(ctx context.Context, slot byte, mak, data []byte) (mac [8]byte, err error) {
	for seq := 0; ; seq++ {
		part, flag := data, byte(macLastBinary)
		if len(data) > macChunk {
			part, flag = data[:macChunk], macMoreBinary
		}
		data = data[len(part):]
		a, err := l.exchange(ctx, false, macRequest(flag, seq, slot, mak, bytes.ToUpper(hex.AppendEncode(nil, part))), "Z67")
		if err != nil {
			return mac, err
		}
		mac, more, err := parseMAC(a)
		if err != nil {
			return mac, err
		}
		if more != (flag == macMoreBinary) {
			return [8]byte{}, &AnswerError{"Z67", "code", 3}
		}
		if !more {
			return mac, nil
		}
	}
}
