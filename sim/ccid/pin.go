package ccid

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"
)

// Keys of the reader's keypad beside '0' to '9': those of the simulated PIN pad.
const (
	KeyEnter  = '\r'
	KeyClear  = '\b'
	KeyCancel = 0x1b
)

const (
	defaultEntry = 60 * time.Second // where the command names no time
	extendEvery  = 5 * time.Second  // a time extension while somebody types
)

// entry is the reader waiting for a PIN. Its fields belong to Reader.mu, but for those that never change.
type entry struct {
	c      command
	n      int
	s      slot
	min    int
	max    int
	until  time.Time
	verify func(digits []byte) []byte // the VERIFY command with the PIN in it, or a whole T=1 block
	typed  []byte
	told   int       // number of digits that the host was told
	extend time.Time // next time extension
	end    byte      // bError; done when entered is
	ended  bool
}

// done is the end of an entry with a PIN: no bError.
const done = 0

// Bytes of the extension of posd (package posd/hal/ccid describes it).
const (
	extension   = 0xF0
	extEncipher = 0x01
	extHead     = 13
)

// fieldError is a field of a command that the reader cannot use: bError is its offset in the message (CCID table 6.2-2).
type fieldError byte

func (e fieldError) Error() string { return fmt.Sprintf("bad value at offset %d", byte(e)) }

// format says where a PIN goes in a command APDU: bmFormatString, bmPINBlockString, bmPINLengthFormat (CCID 6.1.11, PC/SC part 10, 2.5).
type format struct{ pin, block, length byte }

// fill returns the APDU with the digits in it, or tells which field is to blame.
func (f format) fill(apdu, digits []byte) ([]byte, error) {
	const atAPDU, atFormat, atBlock, atLength = 25, 12, 13, 14
	if len(apdu) < 5 || len(apdu) != 5+int(apdu[4]) {
		return nil, fieldError(atAPDU)
	}
	out := slices.Clone(apdu)
	data := out[5:]
	unit := func(bytes bool, n byte) int { // in half bytes; -1 for less than a half
		switch {
		case bytes:
			return 2 * int(n)
		case n%4 != 0:
			return -1
		}
		return int(n) / 4
	}
	put := func(at int, v byte) {
		if at%2 == 0 {
			data[at/2] = data[at/2]&0x0F | v<<4
			return
		}
		data[at/2] = data[at/2]&0xF0 | v&0x0F
	}
	at, size, width := unit(f.pin&0x80 != 0, f.pin>>3&15), 2*int(f.block&15), 1
	switch {
	case at < 0 || f.pin&3 == 3:
		return nil, fieldError(atFormat)
	case f.pin&3 != 1: // binary or ASCII: a byte a digit
		width = 2
	}
	if n := len(digits) * width; n > size || at+size > 2*len(data) {
		return nil, fieldError(atBlock)
	}
	if lw := int(f.block>>4) / 4; lw > 0 {
		l := unit(f.length&0x10 != 0, f.length&15)
		if f.block>>4&3 != 0 || lw > 2 || l < 0 || l+lw > 2*len(data) {
			return nil, fieldError(atLength)
		}
		if lw == 2 {
			put(l, 0)
		}
		put(l+lw-1, byte(len(digits)))
	}
	if f.pin&4 != 0 { // right justified
		at += size - len(digits)*width
	}
	for i, d := range digits {
		if width == 2 {
			put(at+2*i, map[bool]byte{true: 3, false: 0}[f.pin&3 == 2])
			put(at+2*i+1, d-'0')
			continue
		}
		put(at+i, d-'0')
	}
	return out, nil
}

// secure opens the PIN entry that PC_to_RDR_Secure asks for.
func (r *Reader) secure(c *command, s slot) (*entry, error) {
	const head = 15 // up to bTeoPrologue
	d := c.data
	switch {
	case len(d) < head+5:
		return nil, fieldError(errLength)
	case d[0] != 0: // verification is all there is
		return nil, fieldError(10)
	case d[6] > d[5] || d[5] > 16: // wPINMaxExtraDigit: maximum, minimum
		return nil, fieldError(15)
	case d[7] != 0x02: // like a GemPCPinPad: Enter ends the entry, nothing else does
		return nil, fieldError(17)
	case d[8] != 0x01: // and a message is to be shown
		return nil, fieldError(18)
	}
	f, apdu := format{d[2], d[3], d[4]}, slices.Clone(d[head:])
	if _, err := f.fill(apdu, make([]byte, d[5])); err != nil {
		return nil, err
	}
	e := &entry{min: int(d[6]), max: int(d[5]), until: entryEnd(d[1])}
	prologue := [3]byte(d[12:15])
	e.verify = func(digits []byte) []byte {
		out, err := f.fill(apdu, digits)
		if err != nil {
			return nil // cannot be: checked with the longest PIN
		}
		if r.level() == LevelTPDU && s.t1 != nil {
			b := append(prologue[:], out...)
			return append(b, xor(b))
		}
		return out
	}
	return e, nil
}

func entryEnd(seconds byte) time.Time {
	if seconds == 0 {
		return time.Now().Add(defaultEntry)
	}
	return time.Now().Add(time.Duration(seconds) * time.Second)
}

// encipher opens the PIN entry that the extension asks for.
func encipher(c *command) (*entry, error) {
	const header = 10 // of the CCID message, for offsets
	d := c.data
	e := &entry{}
	switch n := len(d) - extHead; {
	case n < 64 || n > 248:
		return nil, fieldError(errLength)
	case d[13] < 0x80 || d[len(d)-1]&1 == 0:
		return nil, fieldError(header + 13)
	}
	if e.min, e.max = int(d[3]>>4), int(d[3]&15); e.min < 4 || e.min > e.max || e.max > 12 {
		return nil, fieldError(header + 3)
	}
	exponent := map[byte]int64{0x03: 3, 0x10: 1<<16 + 1}[d[4]]
	if exponent == 0 {
		return nil, fieldError(header + 4)
	}
	e.until = entryEnd(d[2])
	challenge, modulus := [8]byte(d[5:13]), slices.Clone(d[13:])
	e.verify = func(digits []byte) []byte { // Book 2, 7.2
		block := make([]byte, len(modulus))
		rand.Read(block)
		block[0] = 0x7F
		pin, err := format{0x89, 0x47, 0x04}.fill([]byte{0, 0, 0, 0, 8, 0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, digits)
		if err != nil {
			return nil
		}
		copy(block[1:], pin[5:])
		copy(block[9:], challenge[:])
		x := new(big.Int).Exp(new(big.Int).SetBytes(block), big.NewInt(exponent), new(big.Int).SetBytes(modulus))
		clear(block)
		clear(pin)
		return append([]byte{0x00, 0x20, 0x00, 0x88, byte(len(modulus))}, x.FillBytes(make([]byte, len(modulus)))...)
	}
	return e, nil
}

// open has the reader wait for a PIN, or returns the answer that refuses to.
func (r *Reader) open(a answer, c *command) (answer, bool) {
	refuse := func(code byte) (answer, bool) {
		a.b = [3]byte{failed | r.icc(int(c.slot)), code}
		return a, false
	}
	pad := r.o.Profile == GemPCPinPad || r.o.Profile == PosdPINPad
	if !pad || c.typ == 0x6B && r.o.Profile != PosdPINPad || c.slot != 0 {
		return refuse(errNotSupported)
	}
	r.mu.Lock()
	s := r.slots[0]
	r.mu.Unlock()
	switch {
	case s.card == nil || !s.powered:
		return refuse(errMute)
	case r.fault(FaultKeypad):
		return refuse(errHardware)
	}
	var e *entry
	var err error
	if c.typ == 0x6B {
		e, err = encipher(c)
	} else {
		e, err = r.secure(c, s)
	}
	if f := fieldError(0); errors.As(err, &f) {
		return refuse(byte(f))
	}
	e.c, e.s, e.extend = *c, s, time.Now().Add(extendEvery)
	r.mu.Lock()
	r.entry = e
	r.mu.Unlock()
	r.o.Trace.Emit("reader", "", "waiting for the cardholder's PIN")
	return a, true
}

// Entering tells whether the reader waits for a PIN: its keypad is the cardholder's now.
func (r *Reader) Entering() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entry != nil && !r.entry.ended
}

// Press is a key of the reader's keypad: '0' to '9' or one of the Key constants. It tells whether the reader took it; while no PIN is
// being entered it takes none.
func (r *Reader) Press(key rune) (taken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry
	if e == nil || e.ended || r.faults[FaultDead] {
		return false
	}
	switch {
	case key >= '0' && key <= '9':
		if len(e.typed) < e.max { // else it beeps
			e.typed = append(e.typed, byte(key))
		}
	case key == KeyClear:
		clear(e.typed)
		e.typed = e.typed[:0]
	case key == KeyCancel:
		e.finish(errCancelled)
	case key == KeyEnter && len(e.typed) == 0:
		e.finish(errNoPIN)
	case key == KeyEnter && len(e.typed) < e.min: // it beeps
	case key == KeyEnter:
		e.finish(done)
	default:
		return false
	}
	r.rouse()
	return true
}

func (e *entry) finish(code byte) { e.ended, e.end = true, code }

// rouse has Serve look what there is to do.
func (r *Reader) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// due is when tend has something to do by itself; false when there is no PIN entry.
func (r *Reader) due() (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry
	switch {
	case e == nil:
		return time.Time{}, false
	case e.extend.Before(e.until):
		return e.extend, true
	}
	return e.until, true
}

// tend looks after a PIN entry: it tells the host the number of digits, or that it takes time, and answers when the entry has come to
// its end.
func (r *Reader) tend(ctx context.Context, line io.Writer) error {
	now := time.Now()
	r.mu.Lock()
	e := r.entry
	if e == nil {
		r.mu.Unlock()
		return nil
	}
	gone := r.slots[e.n].inserts != e.s.inserts || r.slots[e.n].card == nil
	if !e.ended && !now.Before(e.until) {
		e.finish(errTimeout)
	}
	count := len(e.typed)
	tell := r.o.Profile == PosdPINPad && count != e.told && !e.ended
	e.told = count
	alive := !e.ended && !now.Before(e.extend)
	if alive {
		e.extend = now.Add(extendEvery)
	}
	if e.ended || gone {
		r.entry = nil
	}
	ended := e.ended || gone
	r.mu.Unlock()

	a := answer{typ: answerType(e.c.typ), slot: e.c.slot, seq: e.c.seq}
	switch {
	case !ended && tell:
		a.b, a.data = [3]byte{0x80, 1}, []byte{byte(count)}
		return r.write(ctx, line, a.frame())
	case !ended && alive && r.level() == LevelTPDU && e.s.t1 == nil:
		return r.write(ctx, line, []byte{0x82})
	case !ended && alive:
		a.b = [3]byte{0x80, 1}
		return r.write(ctx, line, a.frame())
	case !ended:
		return nil
	}
	defer clear(e.typed[:cap(e.typed)])
	switch {
	case gone:
		r.o.Trace.Emit("reader", "", "PIN entry ended: no card")
		a.b = [3]byte{failed | r.icc(e.n), errMute}
	case e.end == errNoPIN && e.c.typ == 0x69:
		r.o.Trace.Emit("reader", "", "PIN entry ended: Enter without a digit")
		a.data = []byte{0x64, 0x03} // PC/SC part 10: too short
	case e.end != done:
		r.o.Trace.Emit("reader", "", "PIN entry ended: "+map[byte]string{
			errCancelled: "cancelled by the cardholder", errTimeout: "time is up", errNoPIN: "Enter without a digit",
		}[e.end])
		a.b = [3]byte{failed | iccActive, e.end}
	default:
		r.o.Trace.Emit("reader", "", "PIN entered")
		extend := r.extender(ctx, line, &e.c)
		var err error
		if a, err = r.exchange(ctx, a, e.n, e.s, e.verify(e.typed), e.c.typ == 0x6B, extend); err != nil {
			return err
		}
	}
	return r.reply(ctx, line, a)
}

// abort is PC_to_RDR_Abort: the entry is over, and only the abort is answered.
func (r *Reader) abort(a answer) answer {
	a.b[0] = r.icc(int(a.slot))
	if r.fault(FaultNoAbort) {
		a.b = [3]byte{failed | a.b[0], errNotSupported}
		return a
	}
	r.mu.Lock()
	e := r.entry
	r.entry = nil
	r.mu.Unlock()
	if e != nil {
		clear(e.typed[:cap(e.typed)])
		r.o.Trace.Emit("reader", "", "PIN entry ended: aborted by the terminal")
	}
	return a
}
