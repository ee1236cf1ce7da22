package ccid

import (
	"context"
	"errors"
	"fmt"
	"time"

	"posd/vault"
)

// A PIN has 4 to 12 digits (ISO 9564-1); the cardholder has entryTime for it unless the request says otherwise.
const (
	entryTime = 60 * time.Second
	maxEntry  = 255 * time.Second // one byte of seconds
	// grace is what the reader may take beyond the time of the entry to say so, and the card to compare the PIN.
	grace = 5 * time.Second
)

// Bytes 0 and 1 of this package's Escape, and the lengths that go with it.
const (
	extension   = 0xF0
	extEncipher = 0x01
	extHead     = 13 // before the modulus
	minModulus  = 64
	maxModulus  = 248
)

// pin tells whether the message is the extension's PIN entry.
func (m message) pin() bool {
	return m.typ == pcEscape && len(m.data) > 1 && m.data[0] == extension && m.data[1] == extEncipher
}

// securePlain are bTimeOut to abPINApdu of PC_to_RDR_Secure (CCID 6.1.11) for EMV's VERIFY with a plaintext PIN (Book 3, 6.5.12): the
// reader fills in the PIN block of format 2, which is control nibble 2, length nibble, digits, filler F.
func securePlain(seconds byte, prologue [3]byte) []byte {
	return append([]byte{
		0x00,       // bPINOperation: verification
		seconds,    // bTimeOut
		0x89,       // bmFormatString: the digits begin 1 byte behind Lc, left justified, BCD
		0x47,       // bmPINBlockString: a length of 4 bits, digits in 7 bytes
		0x04,       // bmPINLengthFormat: the length 4 bits behind Lc
		0x0C, 0x04, // wPINMaxExtraDigit: at most 12, at least 4
		0x02,       // bEntryValidationCondition: Enter
		0x01,       // bNumberMessage: one, since a GemPCPinPad refuses to go without
		0x09, 0x04, // wLangId 0409: of the message; the reader shows its own
		0x00, // bMsgIndex: "enter PIN"
		prologue[0], prologue[1], prologue[2],
	}, verifyPlain...)
}

// verifyPlain is VERIFY with the PIN block's frame.
var verifyPlain = []byte{0x00, 0x20, 0x00, 0x80, 0x08, 0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}

// encipher is the data of the extension's Escape; the package documentation describes it.
func encipher(seconds byte, c *vault.CardPINCipher) ([]byte, error) {
	n := c.Modulus
	var exponent byte
	switch string(c.Exponent) {
	case "\x03":
		exponent = 0x03
	case "\x01\x00\x01":
		exponent = 0x10
	}
	switch {
	case len(n) < minModulus || len(n) > maxModulus:
		return nil, fmt.Errorf("%w: card's PIN key of %d bytes, want %d to %d", vault.ErrPad, len(n), minModulus, maxModulus)
	case n[0] < 0x80 || n[len(n)-1]&1 == 0:
		return nil, fmt.Errorf("%w: the card's PIN key is no RSA modulus of its length", vault.ErrPad)
	case exponent == 0:
		return nil, fmt.Errorf("%w: the exponent of the card's PIN key is neither 3 nor 2^16+1", vault.ErrPad)
	case len(c.Challenge) != 8:
		return nil, fmt.Errorf("%w: challenge of %d bytes, want 8", vault.ErrPad, len(c.Challenge))
	}
	data := append(make([]byte, 0, extHead+len(n)), extension, extEncipher, seconds, vault.MinPIN<<4|vault.MaxPIN, exponent)
	return append(append(data, c.Challenge...), n...), nil
}

// VerifyPIN is vault.CardPINPad's: the cardholder types a PIN on the reader, which hands it to the card that the last PowerOn powered.
//
// A PIN that was cancelled, bypassed or not typed in time leaves the card as it was. When ctx ends the entry is aborted (Abort 72,
// CCID 6.1.13), which may take Opts.Answer. After every other error the card must be powered anew.
func (r *Reader) VerifyPIN(ctx context.Context, q vault.CardPIN) (sw uint16, err error) {
	done, err := r.take(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	c := r.card
	if c == nil || c.powered != r.powered {
		return 0, fmt.Errorf("%w: it has no power", ErrCardRemoved)
	}
	if r.o.PIN == PINNone || q.Cipher != nil && (r.o.PIN != PINEnciphered || r.o.Level != ShortAPDU) {
		return 0, fmt.Errorf("%w: PIN entry of a %s at %s level is %q", vault.ErrPad, r.o.Profile, r.o.Level, r.o.PIN)
	}
	if q.Timeout <= 0 {
		q.Timeout = entryTime
	}
	wait := min((q.Timeout+time.Second-1)/time.Second*time.Second, maxEntry)
	sw, err = c.verifyPIN(ctx, q, wait)
	switch {
	case err == nil, errors.Is(err, vault.ErrPINCancelled), errors.Is(err, vault.ErrPINTimeout), errors.Is(err, vault.ErrPINBypassed):
		return sw, err
	case errors.Is(err, ErrReader):
		err = fmt.Errorf("%w: %w", vault.ErrPad, err)
	}
	r.giveUp(ctx, err)
	return 0, err
}

func (c *Card) verifyPIN(ctx context.Context, q vault.CardPIN, wait time.Duration) (uint16, error) {
	r := c.r
	seconds := byte(wait / time.Second)
	var out []byte
	var err error
	switch {
	case q.Cipher != nil:
		var data []byte
		if data, err = encipher(seconds, q.Cipher); err != nil {
			return 0, err
		}
		out, err = r.enter(ctx, message{typ: pcEscape, data: data}, wait, q.Progress)
	case c.t1 != nil:
		out, err = c.t1.exchange(ctx, r, verifyPlain, func(block []byte) ([]byte, error) {
			raw, err := r.enter(ctx, message{typ: pcSecure, data: securePlain(seconds, [3]byte(block))}, wait, q.Progress)
			if err == nil && len(raw) == 2 { // too short for a block: these are words of the reader itself
				if _, err = entryStatus(raw); err == nil {
					err = fmt.Errorf("%w: PIN entry: status %X", ErrReader, raw)
				}
			}
			return raw, err
		})
	default:
		out, err = r.enter(ctx, message{typ: pcSecure, data: securePlain(seconds, [3]byte{})}, wait, q.Progress)
	}
	if err != nil {
		return 0, err
	}
	return entryStatus(out)
}

// entryStatus reads SW1 SW2. Those of 64xx that PC/SC part 10 (2.5.3) gives to a keypad are the keypad's: EMV knows none of a card's.
func entryStatus(b []byte) (uint16, error) {
	if len(b) != 2 || b[0]&0xF0 != 0x60 && b[0]&0xF0 != 0x90 || b[0] <= 0x61 || b[0] == 0x6C {
		return 0, fmt.Errorf("%w: answer of %d bytes to VERIFY", ErrProtocol, len(b))
	}
	sw := uint16(b[0])<<8 | uint16(b[1])
	switch sw {
	case 0x6400:
		return 0, vault.ErrPINTimeout
	case 0x6401:
		return 0, vault.ErrPINCancelled
	case 0x6403:
		return 0, vault.ErrPINBypassed
	}
	return sw, nil
}

// enter sends a command that has the cardholder type a PIN and waits for what comes of it.
func (r *Reader) enter(ctx context.Context, m message, wait time.Duration, progress func(int)) ([]byte, error) {
	p := patience{answer: wait + grace, limit: wait + 2*grace}
	p.extend = func(e message) {
		if progress != nil && len(e.data) == 1 && int(e.data[0]) <= vault.MaxPIN {
			progress(int(e.data[0]))
		}
	}
	a, err := r.commandWait(ctx, m, p)
	var s *SlotError
	switch {
	case err == nil:
		return a.data, nil
	case errors.As(err, &s) && s.Code == codeCancelled:
		return nil, fmt.Errorf("%w (%w)", vault.ErrPINCancelled, err)
	case errors.As(err, &s) && s.Code == codeTimeout:
		return nil, fmt.Errorf("%w (%w)", vault.ErrPINTimeout, err)
	case errors.As(err, &s) && s.Code == codeNoPIN && m.pin():
		return nil, fmt.Errorf("%w (%w)", vault.ErrPINBypassed, err)
	case s == nil && r.port != nil: // the reader did not end the entry
		r.abort(ctx)
		if errors.Is(err, errLost) {
			err = fmt.Errorf("%w: PIN entry: %w", ErrReader, err)
		}
	}
	return nil, err
}

// abort takes back a command that waits for the cardholder, when its own context is no good any more. A reader that does not know
// Abort is busy until the time of the entry is over.
func (r *Reader) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.o.Answer)
	defer cancel()
	r.seq++
	m := message{typ: pcAbort, slot: r.o.Slot, seq: r.seq}
	_, _ = r.once(ctx, m, patience{answer: r.o.Answer}, time.Now().Add(r.o.Answer)) // the caller has a better error
}
