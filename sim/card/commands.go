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
	pse := string(cmd.data) == pseName
	switch {
	case pse && c.profile.NoPSE:
		return swNoFile
	case pse && c.profile.PSEBlocked:
		return append(directoryFCI(cmd.data), swInvalidated...)
	case pse, c.profile.isDDF(cmd.data):
		c.cur, c.dir = nil, slices.Clone(cmd.data)
		return ok(directoryFCI(cmd.data))
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
		if sw := a.status("select"); sw != nil {
			return sw
		}
		c.dir = nil
		c.cur = &transaction{application: a, blocked: a.blocked}
		if a.blocked {
			return append(slices.Clone(a.fci), swInvalidated...)
		}
		return ok(slices.Clone(a.fci))
	}
	return swNoFile
}

// statusNames are the commands to which a profile can have a fixed answer.
var statusNames = []string{
	"select", "gpo", "read", "challenge", "verify", "getdata", "internal", "generate", "external", "second",
	"relay", "recover", "putdata", "checksum", // in the field only
}

// status is the fixed answer of the profile to a command, nil when there is none.
func (a *application) status(name string) []byte {
	if sw, there := a.a.Status[name]; there {
		return unhex(sw)
	}
	return nil
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
	case c.dir != nil && sfi == dirFile:
		file = c.profile.directory(c.dir)
	case c.dir != nil || c.cur == nil:
		return swNoFile
	case c.cur.status("read") != nil:
		return c.cur.status("read")
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
	if sw := t.status("gpo"); sw != nil {
		return sw
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
	if sw := t.status("getdata"); sw != nil {
		return sw
	}
	tag := tlv.Tag(cmd.p1)<<8 | tlv.Tag(cmd.p2)
	switch tag {
	case 0x9F14, 0x9F23:
		if v, found := t.object(tag); found {
			return ok(put(nil, tag, v...))
		}
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
	if sw := t.status("internal"); sw != nil {
		return sw
	}
	t.dynamic = true
	number := c.random(8)
	head := slices.Concat([]byte{0x05, 0x01, byte(1 + len(number)), byte(len(number))}, number)
	sdad := signedData(t.keys.icc, head, cmd.data)
	if t.a.Fault == faultSignature {
		sdad[len(sdad)-1] ^= 0x01
	}
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
	case t.status("external") != nil:
		return t.status("external")
	case !t.authenticate(cmd.data):
		return swAuthFailed
	}
	return swOK
}
