// Package apdu puts command and response APDUs of a payment card into words for the trace, with account numbers, track data, names and
// PINs masked before they leave it. It keeps what it needs to take apart the values of data object lists.
package apdu

import (
	"fmt"
	"strings"

	"posd/emv/tlv"
	"posd/sim"
)

// ins names the instructions of an EMV card (Book 3, 6.3.2), of its issuer scripts, and those of contactless kernel 2.
var ins = map[byte]string{
	0xA4: "SELECT", 0xB2: "READ RECORD", 0xA8: "GET PROCESSING OPTIONS", 0xAE: "GENERATE AC", 0x88: "INTERNAL AUTHENTICATE",
	0x82: "EXTERNAL AUTHENTICATE", 0x84: "GET CHALLENGE", 0xCA: "GET DATA", 0x20: "VERIFY", 0xC0: "GET RESPONSE",
	0x1E: "APPLICATION BLOCK", 0x18: "APPLICATION UNBLOCK", 0x16: "CARD BLOCK", 0x24: "PIN CHANGE/UNBLOCK", 0xDA: "PUT DATA",
	0xDC: "UPDATE RECORD", 0xEA: "EXCHANGE RELAY RESISTANCE DATA", 0xD0: "RECOVER AC", 0x2A: "COMPUTE CRYPTOGRAPHIC CHECKSUM",
}

// statuses names the status words that an EMV terminal meets (Book 3, 6.3.5).
var statuses = map[uint16]string{
	0x9000: "ok", 0x6283: "invalidated", 0x6300: "failed", 0x6700: "wrong length", 0x6882: "no secure messaging", 0x6982: "not allowed yet",
	0x6983: "blocked", 0x6984: "data invalidated", 0x6985: "conditions not satisfied", 0x6A81: "function not supported",
	0x6A82: "not found", 0x6A83: "no such record", 0x6A86: "wrong P1 P2", 0x6A88: "no such data", 0x6D00: "no such command",
	0x6E00: "no such class",
}

func name(apdu []byte) string {
	if len(apdu) < 4 {
		return "short command"
	}
	n, ok := ins[apdu[1]]
	if !ok {
		return fmt.Sprintf("command %02X %02X", apdu[0], apdu[1])
	}
	switch apdu[1] {
	case 0xA4:
		if d := commandData(apdu); len(d) > 0 {
			n += " " + text(d)
		}
	case 0xB2:
		n += fmt.Sprintf(" SFI %d record %d", apdu[3]>>3, apdu[2])
	case 0xAE:
		n += " (" + [4]string{"AAC", "TC", "ARQC", "?"}[apdu[2]>>6] + " asked)"
		if apdu[2]&0x10 != 0 {
			n += " with CDA"
		}
	case 0xCA:
		n += fmt.Sprintf(" %02X%02X", apdu[2], apdu[3])
	}
	return n
}

func commandData(apdu []byte) []byte {
	if len(apdu) <= 5 || len(apdu) < 5+int(apdu[4]) {
		return nil
	}
	return apdu[5 : 5+int(apdu[4])]
}

// text shows a DF name: as letters when it is made of them, else in hex.
func text(b []byte) string {
	for _, c := range b {
		if c < 0x20 || c > 0x7E {
			return fmt.Sprintf("%X", b)
		}
	}
	return string(b)
}

// Session is what is known of a card since its reset: the data object lists that it has shown, for taking apart what the terminal sends
// back. It is used by one goroutine at a time.
type Session struct {
	of  map[tlv.Tag]tlv.DOL
	acs int // GENERATE AC commands since the last GET PROCESSING OPTIONS
}

// Reset forgets everything: the card was reset, or is another one.
func (l *Session) Reset() { *l = Session{of: map[tlv.Tag]tlv.DOL{}} }

// learn keeps the lists in a response.
func (l *Session) learn(body []byte) {
	// What cannot be read teaches nothing; the trace says so by itself.
	_ = tlv.Walk(body, func(_ []tlv.Tag, o tlv.Object) (bool, error) {
		switch o.Tag {
		case 0x9F38, 0x8C, 0x8D, 0x9F49:
			if d, err := tlv.ParseDOL(o.Value); err == nil && l.of != nil {
				l.of[o.Tag] = d
			}
		}
		return true, nil
	})
}

// fields takes values apart as a list says; it returns false when they do not fit.
func (l *Session) fields(list tlv.Tag, values []byte) ([]sim.Field, bool) {
	d, ok := l.of[list]
	if !ok || d.Len() != len(values) {
		return nil, false
	}
	var out []sim.Field
	for _, e := range d {
		out = append(out, field(e.Tag, values[:e.Len]))
		values = values[e.Len:]
	}
	return out, true
}

// Command returns a line for a command, and its data.
func (l *Session) Command(apdu []byte) (summary string, detail []sim.Field) {
	if d := commandData(apdu); len(d) > 0 {
		detail = l.command(apdu[1], d)
	}
	return name(apdu), detail
}

// command shows the data of a command. Only the data of commands that cannot hold a secret are shown: a PIN, and anything that a
// script writes, is not.
func (l *Session) command(ins byte, d []byte) []sim.Field {
	list := tlv.Tag(0)
	switch ins {
	case 0xA4: // the name is in the summary
		return nil
	case 0xA8:
		l.acs = 0
		if o, err := tlv.One(d); err == nil {
			if len(o.Value) == 0 {
				return nil
			}
			if f, ok := l.fields(0x9F38, o.Value); ok {
				return f
			}
		}
	case 0xAE:
		list = 0x8C
		if l.acs++; l.acs > 1 {
			list = 0x8D
		}
	case 0x88:
		list = 0x9F49
	case 0x82:
		return []sim.Field{field(0x91, d)}
	case 0x20:
		return []sim.Field{{Name: "data", Value: "PIN block, masked"}}
	}
	if f, ok := l.fields(list, d); ok {
		return f
	}
	return []sim.Field{{Name: "data", Value: fmt.Sprintf("%d bytes", len(d))}}
}

// Response returns a line for the response to a command, and its data. A response of less than two bytes is "no response".
func (l *Session) Response(apdu, out []byte) (summary string, detail []sim.Field) {
	if len(out) < 2 {
		return "no response", nil
	}
	l.learn(out[:len(out)-2])
	sw := uint16(out[len(out)-2])<<8 | uint16(out[len(out)-1])
	summary = fmt.Sprintf("%04X", sw)
	switch what, ok := statuses[sw]; {
	case ok:
		summary += " " + what
	case sw&0xFFF0 == 0x63C0:
		summary += fmt.Sprintf(" wrong, %d tries left", sw&15)
	}
	body := out[:len(out)-2]
	if len(body) > 0 {
		detail = decode(apdu, body)
		if len(apdu) > 1 && apdu[1] == 0xAE {
			if cid, ok := find(detail, "9F27"); ok {
				summary += " " + cid
			}
		}
	}
	return summary, detail
}

func find(detail []sim.Field, tag string) (string, bool) {
	for _, f := range detail {
		if strings.HasPrefix(f.Name, tag) {
			return f.Value, true
		}
	}
	return "", false
}

// decode shows the data of a response. Format 1 (tag 80) is taken apart as Book 3, 6.5.5.4 and 6.5.8.4 say.
func decode(apdu, body []byte) []sim.Field {
	if body[0] == 0x80 && len(body) > 2 && int(body[1]) == len(body)-2 && len(apdu) > 1 {
		v := body[2:]
		switch {
		case apdu[1] == 0xA8 && len(v) >= 2:
			return []sim.Field{field(0x82, v[:2]), field(0x94, v[2:])}
		case apdu[1] == 0xAE && len(v) >= 11:
			return []sim.Field{field(0x9F27, v[:1]), field(0x9F36, v[1:3]), field(0x9F26, v[3:11]), field(0x9F10, v[11:])}
		case apdu[1] == 0x88:
			return []sim.Field{field(0x9F4B, v)}
		}
	}
	var fields []sim.Field
	err := tlv.Walk(body, func(_ []tlv.Tag, o tlv.Object) (bool, error) {
		if !o.Tag.Constructed() {
			fields = append(fields, field(o.Tag, o.Value))
		}
		return true, nil
	})
	if err != nil { // not TLV: a challenge, or rubbish; what it holds cannot be told, so it is not shown
		return []sim.Field{{Name: "data", Value: fmt.Sprintf("%d bytes", len(body))}}
	}
	return fields
}

func title(tag tlv.Tag) string {
	if n := tlv.Name(tag); n != "" {
		return fmt.Sprintf("%X %s", uint32(tag), n)
	}
	return fmt.Sprintf("%X", uint32(tag))
}

// maxShown is the longest value shown in full. Longer ones are certificates and signed data: out of them anyone can compute the
// account number.
const maxShown = 40

func field(tag tlv.Tag, v []byte) sim.Field {
	f := sim.Field{Name: title(tag)}
	switch tag {
	case 0x5A, 0x57, 0x9F6B:
		f.Value = mask(fmt.Sprintf("%X", v))
	case 0x9F1F, 0x9F20, 0x56:
		f.Value = fmt.Sprintf("%d bytes, masked", len(v))
	case 0x90, 0x92, 0x93, 0x9F46, 0x9F48, 0x9F4B, 0x9F2D, 0x9F2F:
		f.Value = fmt.Sprintf("%d bytes", len(v))
	case 0x50, 0x84, 0x4F, 0x5F20, 0x5F2D, 0x9F12, 0x8A:
		f.Value = text(v)
	case 0x9F27:
		f.Value = fmt.Sprintf("%X", v)
		if len(v) == 1 {
			f.Value = [4]string{"AAC", "TC", "ARQC", "?"}[v[0]>>6] + " (" + f.Value + ")"
		}
	default:
		f.Value = fmt.Sprintf("%X", v)
		if len(v) > maxShown {
			f.Value = fmt.Sprintf("%d bytes", len(v))
		}
	}
	return f
}

// mask keeps the first six and last four digits of an account number that starts digits, and nothing of what follows it.
func mask(digits string) string {
	pan, rest, track := strings.Cut(digits, "D")
	pan = strings.TrimRight(pan, "F")
	if len(pan) < 13 {
		return fmt.Sprintf("%d digits, masked", len(digits))
	}
	s := pan[:6] + strings.Repeat("*", len(pan)-10) + pan[len(pan)-4:]
	if track {
		s += "D" + strings.Repeat("*", len(rest))
	}
	return s
}
