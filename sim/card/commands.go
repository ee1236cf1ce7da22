package card

import (
	"bytes"
	"io"
	"math"
	"slices"

	"posd/emv/tlv"
)

// selectFile is SELECT by name, Book 1, 11.3. A partial name selects, one after the other, the applications that begin with it.
func (c *Card) selectFile(cmd command) []byte {
	if cmd.p1 != 0x04 || cmd.p2 != 0x00 && cmd.p2 != 0x02 {
		return swP1P2
	}
	if string(cmd.data) == pseName {
		if c.profile.NoPSE {
			return swNoFile
		}
		c.cur, c.pse = nil, true
		return ok(pseFCI())
	}
	if len(cmd.data) < 5 || len(cmd.data) > 16 {
		return swNoFile
	}
	start := 0
	if cmd.p2 == 0x02 {
		if c.cur == nil {
			return swConditions
		}
		start = slices.Index(c.apps, c.cur.application) + 1
	}
	for _, a := range c.apps[start:] {
		if !bytes.HasPrefix(a.aid, cmd.data) {
			continue
		}
		c.pse = false
		c.cur = &transaction{application: a, blocked: a.blocked}
		if a.blocked {
			return append(slices.Clone(a.fci), swInvalidated...)
		}
		return ok(slices.Clone(a.fci))
	}
	return swNoFile
}

// Transaction log (Book 3, annex D): a cyclic file, newest first, each record the values of logFormat.
const (
	logFile = 0x0B
	logSize = 10
)

var logFormat = unhex("9A039F21039F02069F03069F1A025F2A029C019F3602")

// readRecord is READ RECORD, Book 3, 6.5.11.
func (c *Card) readRecord(cmd command) []byte {
	sfi := cmd.p2 >> 3
	if cmd.p2&7 != 4 || sfi == 0 || sfi > 30 {
		return swP1P2
	}
	var file [][]byte
	switch {
	case c.pse && sfi == 1:
		file = directory(c.profile.Applications)
	case c.pse || c.cur == nil:
		return swNoFile
	case sfi == logFile:
		file = c.cur.history
	default:
		if file = c.cur.records[sfi]; file == nil {
			return swNoFile
		}
	}
	if cmd.p1 == 0 || int(cmd.p1) > len(file) {
		return swNoRecord
	}
	return ok(slices.Clone(file[cmd.p1-1]))
}

// getProcessingOptions is GET PROCESSING OPTIONS, Book 3, 6.5.8. It counts the transaction.
func (c *Card) getProcessingOptions(cmd command) []byte {
	t := c.cur
	switch {
	case t == nil || t.stage != selected || t.atc == math.MaxUint16:
		return swConditions
	case cmd.p1 != 0 || cmd.p2 != 0:
		return swP1P2
	}
	o, err := tlv.One(cmd.data)
	if err != nil || o.Tag != 0x83 || len(o.Value) != t.pdol.Len() {
		return swLength
	}
	t.options = slices.Clone(o.Value)
	t.keep(t.pdol, t.options)
	t.stage = initiated
	t.atc++
	if t.a.Format == 1 {
		return ok(put(nil, 0x80, append(t.aip[:2:2], t.afl...)...))
	}
	return ok(put(nil, 0x77, append(put(nil, 0x82, t.aip[:]...), put(nil, 0x94, t.afl...)...)...))
}

// keep remembers the values that a list asked for.
func (t *transaction) keep(list tlv.DOL, values []byte) {
	for _, e := range list {
		t.data.Set(e.Tag, slices.Clone(values[:e.Len]))
		values = values[e.Len:]
	}
}

// value is a data object that the terminal sent, or one of the card's that a cryptogram covers.
func (t *transaction) value(tag uint32) []byte {
	switch tag {
	case 0x82:
		return t.aip[:]
	case 0x9F36:
		return []byte{byte(t.atc >> 8), byte(t.atc)}
	}
	v, _ := t.data.Get(tlv.Tag(tag))
	return v
}

// getData is GET DATA, Book 3, 6.5.7.
func (c *Card) getData(cmd command) []byte {
	t := c.cur
	if t == nil {
		return swConditions
	}
	tag := tlv.Tag(cmd.p1)<<8 | tlv.Tag(cmd.p2)
	switch tag {
	case 0x9F36:
		return ok(put(nil, tag, byte(t.atc>>8), byte(t.atc)))
	case 0x9F13:
		return ok(put(nil, tag, byte(t.online>>8), byte(t.online)))
	case 0x9F17:
		return ok(put(nil, tag, byte(t.tries)))
	case 0x9F4F:
		return ok(put(nil, tag, logFormat...))
	}
	return swNoData
}

// random draws n bytes. A broken source gives zeros, which a terminal can live with.
func (c *Card) random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(c.rand, b); err != nil {
		clear(b)
	}
	return b
}

// getChallenge is GET CHALLENGE, Book 3, 6.5.6.
func (c *Card) getChallenge(cmd command) []byte {
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0:
		return swP1P2
	case c.cur == nil:
		return swConditions
	}
	return ok(c.random(8))
}

// verify is VERIFY with a plaintext PIN, Book 3, 6.5.12.
func (c *Card) verify(cmd command) []byte {
	t := c.cur
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0x80:
		return swP1P2
	case t == nil || t.stage != initiated:
		return swConditions
	case t.tries == 0:
		return swPINBlocked
	case len(cmd.data) != 8:
		return swLength
	}
	b := cmd.data
	n := int(b[0] & 0x0F)
	if b[0]>>4 != 2 || n < 4 || n > 12 {
		return swBadData
	}
	want := bcd(c.profile.PIN, 7, 0xF)
	if n == len(c.profile.PIN) && bytes.Equal(b[1:], want) {
		t.tries, t.pinDone, t.pinFailed = t.a.PINTries, true, false
		return swOK
	}
	t.tries--
	t.pinDone, t.pinFailed = true, true
	return []byte{0x63, 0xC0 | byte(t.tries)}
}

// internalAuthenticate is INTERNAL AUTHENTICATE, Book 3, 6.5.9: dynamic data authentication.
func (c *Card) internalAuthenticate(cmd command) []byte {
	t := c.cur
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0:
		return swP1P2
	case t == nil || t.stage != initiated || t.aip[0]&aipDDA == 0:
		return swConditions
	case len(cmd.data) != 4: // the DDOL asks for the unpredictable number
		return swLength
	}
	t.dynamic = true
	number := c.random(8)
	head := slices.Concat([]byte{0x05, 0x01, byte(1 + len(number)), byte(len(number))}, number)
	sdad := signedData(cardKey, head, cmd.data)
	if t.a.Format == 1 {
		return ok(put(nil, 0x80, sdad...))
	}
	return ok(put(nil, 0x77, put(nil, 0x9F4B, sdad...)...))
}

// externalAuthenticate is EXTERNAL AUTHENTICATE, Book 3, 6.5.4: the issuer's answer to the ARQC, once.
func (c *Card) externalAuthenticate(cmd command) []byte {
	t := c.cur
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0:
		return swP1P2
	case t == nil || t.stage != asked || t.auth != authNone || t.a.IssuerAuth != "external":
		return swConditions
	case len(cmd.data) < 8 || len(cmd.data) > 16:
		return swLength
	case !t.authenticate(cmd.data):
		return swAuthFailed
	}
	return swOK
}

// authenticate checks issuer authentication data: ARPC and ARC.
func (t *transaction) authenticate(data []byte) bool {
	t.auth = authFailed
	if len(data) != 10 {
		return false
	}
	want := arpc(session(t.ac, atcDiversification(t.atc)), t.arqc, string(data[8:]))
	if !bytes.Equal(want[:], data[:8]) {
		return false
	}
	t.auth = authDone
	return true
}
