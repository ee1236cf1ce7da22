package card

import (
	"bytes"
	"crypto/sha1"
	"slices"
	"strings"

	"posd/emv/tlv"
)

// relay is relay resistance in this transaction (C-2, EXCHANGE RELAY RESISTANCE DATA).
type relay struct {
	done            bool
	reader, card    [4]byte
	min, max, guess uint16
}

// tornAC is what a card keeps of a GENERATE AC whose answer may have been lost.
type tornAC struct {
	data   []byte // values of DRDOL
	answer []byte
}

// POS cardholder interaction information, DF4B (C-2): byte 2.
const (
	posPINDone   = 0x10 // verification on the device was successful
	posPINNeeded = 0x01 // the cardholder is to show himself to the phone
)

// exchangeRelay is EXCHANGE RELAY RESISTANCE DATA: the card's entropy, and the times that it needs.
func (g *Tag) exchangeRelay(cmd command) []byte {
	t := g.c.cur
	switch {
	case t == nil || t.stage != initiated || t.a.Tap.Relay == nil:
		return swConditions
	case cmd.p1 != 0 || cmd.p2 != 0:
		return swP1P2
	case len(cmd.data) != 4:
		return swLength
	}
	if sw := t.status("relay"); sw != nil {
		return sw
	}
	times := t.a.Tap.Relay
	g.relay = relay{
		done: true, reader: [4]byte(cmd.data), card: [4]byte(g.c.random(4)),
		min: uint16(times[0]), max: uint16(times[1]), guess: uint16(times[2]),
	}
	return ok(put(nil, 0x80, g.relay.answer()...))
}

func (r *relay) answer() []byte {
	return append(r.card[:4:4], byte(r.min>>8), byte(r.min), byte(r.max>>8), byte(r.max), byte(r.guess>>8), byte(r.guess))
}

// signed is the block of the dynamic data: both entropies and the times.
func (r *relay) signed(fault string) []byte {
	if !r.done {
		return nil
	}
	out := append(r.reader[:4:4], r.answer()...)
	switch fault {
	case tapRelay:
		out[9] ^= 0x01
	case tapEntropy:
		out[0] ^= 0x01
	}
	return out
}

// generateAC is the GENERATE AC of kernel 2: there is one only.
func (g *Tag) generateAC(cmd command) []byte {
	t := g.c.cur
	if t == nil || t.stage != initiated || t.a.Tap.Kernel != 2 || t.a.Tap.Stripe == "only" {
		return swConditions
	}
	if cmd.p2 != 0 || cmd.p1&0x2F != 0 || cmd.p1&0xC0 == 0xC0 {
		return swP1P2
	}
	if len(cmd.data) != t.cdol1.Len() {
		return swLength
	}
	t.keep(t.cdol1, cmd.data)
	t.list1 = slices.Clone(cmd.data)
	if sw := t.status("generate"); sw != nil {
		return sw
	}
	tap := t.a.Tap
	interaction, wait := g.interaction(t)
	kind := byte(aac)
	if !wait {
		kind = t.decide(cmd.p1 & 0xC0)
	}
	t.stage, t.first = finished, kind
	cda := cmd.p1&0x10 != 0 && t.aip[0]&aipCDA != 0 && kind != aac && !tap.NoCDA
	t.dynamic = cda
	iad := t.issuerData(kind, false)
	ac := t.version.cryptogram(t.version.session(t.ac, t.atc), func(tag uint32) []byte {
		if tag == 0x9F10 {
			return iad
		}
		return t.value(tag)
	})
	if tap.Fault == tapAC {
		ac[7] ^= 0x01
	}
	asked := kinds[cmd.p1>>6]
	if cmd.p1&0x10 != 0 {
		asked += "+CDA"
	}
	g.log(t, kind, asked)

	head := slices.Concat(t.object1(0x9F27, []byte{kind}), t.object1(0x9F36, []byte{byte(t.atc >> 8), byte(t.atc)}))
	tail := t.object1(0x9F10, iad)
	if interaction != nil {
		tail = append(tail, t.object1(0xDF4B, interaction)...)
	}
	var out []byte
	switch {
	case cda:
		sdad := g.combined(t, kind, ac, slices.Concat(head, tail))
		if t.a.Fault == faultSignature {
			sdad[len(sdad)-1] ^= 0x01
		}
		out = ok(put(nil, 0x77, slices.Concat(head, t.object1(0x9F4B, sdad), tail)...))
	case tap.Format == 1:
		out = ok(put(nil, 0x80, slices.Concat([]byte{kind, byte(t.atc >> 8), byte(t.atc)}, ac[:], iad)...))
	default:
		out = ok(put(nil, 0x77, slices.Concat(head, t.object1(0x9F26, ac[:]), tail)...))
	}
	delete(g.torn, t.application)
	if tap.DRDOL != "" {
		g.torn[t.application] = &tornAC{data: t.recovery(), answer: slices.Clone(out)}
	}
	return out
}

// combined is the signature of CDA (Book 2, 6.6.1), with relay resistance behind it (C-2).
func (g *Tag) combined(t *transaction, info byte, ac [8]byte, objects []byte) []byte {
	hash := sha1.Sum(slices.Concat(t.options, t.list1, objects))
	number := g.c.random(8)
	dynamic := slices.Concat([]byte{byte(len(number))}, number, []byte{info}, ac[:], hash[:], g.relay.signed(t.a.Tap.Fault))
	return signedData(t.keys.icc, slices.Concat([]byte{0x05, 0x01, byte(len(dynamic))}, dynamic), t.value(0x9F37))
}

// interaction is DF4B of a phone, nil for a card. wait is true when the phone does nothing before the cardholder has shown himself: the
// reader counts on it (9F34 begins with plaintext PIN by the card, which stands for the device).
func (g *Tag) interaction(t *transaction) (df4b []byte, wait bool) {
	if g.conf.CDCVM == "" {
		return nil, false
	}
	results := t.value(0x9F34)
	needs := len(results) == 3 && results[0]&0x3F == 0x01 || t.a.Tap.CVMLimit > 0 && t.amount() > t.a.Tap.CVMLimit
	switch {
	case g.shown:
		return []byte{0x00, posPINDone, 0x00}, false
	case needs:
		g.asked = true
		return []byte{0x00, posPINNeeded, 0x00}, true
	}
	return []byte{0x00, 0x00, 0x00}, false
}

// recovery is what DRDOL asks for, of this transaction.
func (t *transaction) recovery() []byte {
	list, err := tlv.ParseDOL(unhex(t.a.Tap.DRDOL))
	if err != nil {
		return nil // checked with the profile
	}
	out, err := list.Append(nil, 250, func(tag tlv.Tag) ([]byte, bool) {
		v := t.value(uint32(tag))
		return v, v != nil
	})
	if err != nil {
		return nil
	}
	return out
}

// recoverAC is RECOVER AC: the answer of the torn transaction once more, for the reader that names it rightly.
func (g *Tag) recoverAC(cmd command) []byte {
	t := g.c.cur
	switch {
	case t == nil || t.stage != initiated || t.a.Tap.DRDOL == "":
		return swConditions
	case cmd.p1 != 0 || cmd.p2 != 0:
		return swP1P2
	}
	if sw := t.status("recover"); sw != nil {
		return sw
	}
	torn := g.torn[t.application]
	if torn == nil || !bytes.Equal(cmd.data, torn.data) {
		return swConditions
	}
	t.stage = finished
	return slices.Clone(torn.answer)
}

// getData is GET DATA: the balance (9F50), unprotected storage (9F70 to 9F79), and what there is by contact too.
func (g *Tag) getData(cmd command) []byte {
	t := g.c.cur
	if t == nil {
		return swConditions
	}
	tag := tlv.Tag(cmd.p1)<<8 | tlv.Tag(cmd.p2)
	if sw := t.status("getdata"); sw != nil {
		return sw
	}
	switch {
	case tag == 0x9F50 && t.a.Tap.Balance != nil:
		v, _ := tlv.AppendNumber(nil, *t.a.Tap.Balance, 6)
		return ok(put(nil, tag, v...))
	case tag == 0x9F79 && t.a.Tap.Purse > 0:
		v, _ := tlv.AppendNumber(nil, g.purse[t.application], 6)
		return ok(put(nil, tag, v...))
	case t.a.Tap.object(tag) != nil:
		return ok(put(nil, tag, t.a.Tap.object(tag)...))
	case storage(tag) && g.store[tag] != nil:
		return ok(put(nil, tag, g.store[tag]...))
	}
	return g.c.getData(cmd)
}

// object is what the profile has for GET DATA, nil when there is nothing.
func (t *Tap) object(tag tlv.Tag) []byte {
	for name, v := range t.Data {
		if strings.EqualFold(name, tagHex(tag)) {
			return unhex(v)
		}
	}
	return nil
}

// storage tells the objects that any reader may write (C-2, standalone data storage).
func storage(tag tlv.Tag) bool { return tag >= 0x9F70 && tag <= 0x9F79 }

// putData is PUT DATA without a MAC.
func (g *Tag) putData(cmd command) []byte {
	t := g.c.cur
	tag := tlv.Tag(cmd.p1)<<8 | tlv.Tag(cmd.p2)
	switch {
	case t == nil || t.a.Tap.Kernel != 2:
		return swConditions
	case t.status("putdata") != nil:
		return t.status("putdata")
	case !storage(tag):
		return swNoData
	case len(cmd.data) == 0 || len(cmd.data) > 192:
		return swLength
	}
	g.store[tag] = slices.Clone(cmd.data)
	return swOK
}
