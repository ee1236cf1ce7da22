package card

import (
	"encoding/hex"
	"math"
	"slices"

	"posd/emv/tlv"
)

// Bits of 9F66, the terminal transaction qualifiers, byte by byte; kernels 3 and 7 agree in these (Book A, table 5-4).
const (
	ttqEMVMode   = 0x20 // byte 1
	ttqOffline   = 0x08 // byte 1: the reader cannot go online
	ttqOnlinePIN = 0x04 // byte 1
	ttqSignature = 0x02 // byte 1
	ttqOnline    = 0x80 // byte 2: a cryptogram for the issuer is required
	ttqCVM       = 0x40 // byte 2: the cardholder is to be verified
	ttqUpdate    = 0x80 // byte 3: issuer update processing
	ttqOnDevice  = 0x40 // byte 3: verification on the device; kernel 3
)

// Bits of 9F6C, the card transaction qualifiers.
const (
	ctqOnlinePIN = 0x80 // byte 1
	ctqSignature = 0x40 // byte 1
	ctqOnDevice  = 0x80 // byte 2
	ctqUpdate    = 0x40 // byte 2: issuer update processing; kernel 3
)

// lateRecord is a record that is made for a transaction: the signature that did not fit into the answer, and 9F69.
type lateRecord struct {
	t       *transaction
	number  byte
	content []byte
}

// keptARQC is what a card keeps for the issuer's answer, which comes with another tap.
type keptARQC struct{ ac [8]byte }

// debit is a payment from the purse that counts when the last record has been read.
type debit struct {
	t      *transaction
	amount int64
}

// swSeePhone asks for the cardholder: conditions of use are not satisfied until then (C-3 and C-7, status of GET PROCESSING OPTIONS).
var swSeePhone = []byte{0x69, 0x86}

// getProcessingOptions begins the transaction; with kernels 3 and 7 it is all of it.
func (g *Tag) getProcessingOptions(cmd command) []byte {
	t := g.c.cur
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
	tap := t.a.Tap
	if tap.Fault == tapMute {
		return nil
	}
	t.options = slices.Clone(o.Value)
	t.keep(t.pdol, t.options)
	g.relay, g.late, g.debit = relay{}, nil, nil
	delete(g.kept, t.application)
	if tap.Kernel != 2 {
		return g.quick(t)
	}
	t.stage = initiated
	t.atc++
	return g.cut(t, ok(put(nil, 0x77, append(t.object1(0x82, t.aip[:]), t.object1(0x94, t.afl)...)...)))
}

// cut shortens an answer where that is the fault.
func (g *Tag) cut(t *transaction, out []byte) []byte {
	if t.a.Tap.Fault == tapFormat {
		return ok(slices.Clone(out[:len(out)-4]))
	}
	return out
}

// object1 is an object of an answer as the profile wants it: as it is, another value, or left out.
func (t *transaction) object1(tag tlv.Tag, v []byte) []byte {
	f := file{a: &t.a}
	f.put(tag, v...)
	return f.out
}

// quick is the answer of kernels 3 and 7: cardholder verification, the card's decision, cryptogram and signature at once.
func (g *Tag) quick(t *transaction) []byte {
	tap := t.a.Tap
	ttq := append(slices.Clone(t.value(0x9F66)), 0, 0, 0, 0)[:4]
	if t.pdol.Has(0x9F66) && ttq[0]&ttqEMVMode == 0 {
		return swConditions
	}
	ctq, ok1, sw := g.qualifiers(t, ttq)
	if sw != nil {
		return sw
	}
	t.stage = finished
	t.atc++

	// The card's decision: what it may do alone, it may do where the reader does not want the issuer.
	want := byte(tc)
	if ttq[1]&ttqOnline != 0 || ctq[0]&ctqOnlinePIN != 0 {
		want = arqc
	}
	kind := byte(aac)
	if ok1 || tap.FirstAnswer == "tc" {
		if kind = t.decide(want); want == tc && kind == arqc && g.pays(t) {
			kind = tc
			g.debit = &debit{t, t.amount()}
		}
	}
	if kind == arqc && ttq[0]&ttqOffline != 0 {
		kind = aac
	}
	t.first, t.dynamic = kind, kind == tc && t.a.ODA != "none"
	iad := t.issuerData(kind, false)
	ac := t.version.cryptogram(t.version.session(t.ac, t.atc), func(tag uint32) []byte {
		if tag == 0x9F10 {
			return iad
		}
		return t.value(tag)
	})
	t.arqc = ac
	if tap.Fault == tapAC {
		ac[7] ^= 0x01
	}
	if kind == arqc && tap.Update && ttq[2]&ttqUpdate != 0 {
		g.kept[t.application] = &keptARQC{ac: ac}
	}
	g.log(t, kind, "GPO")
	return g.cut(t, g.quickAnswer(t, kind, ctq, iad, ac))
}

// quickAnswer puts the answer together: format 2, or format 1 where the profile has that mistake.
func (g *Tag) quickAnswer(t *transaction, kind byte, ctq [2]byte, iad []byte, ac [8]byte) []byte {
	tap := t.a.Tap
	if tap.Format == 1 {
		return ok(put(nil, 0x80, append(t.aip[:2:2], t.afl...)...))
	}
	var b []byte
	add := func(tag tlv.Tag, v ...byte) { b = append(b, t.object1(tag, v)...) }
	add(0x82, t.aip[:]...)
	if kind == tc || kind == arqc && tap.Records {
		add(0x94, t.afl...)
	}
	add(0x57, track2(&t.a)...)
	if tap.Fault == tapDuplicate {
		add(0x57, track2(&t.a)...)
	}
	if other := otherPAN(t.a.PAN); tap.Fault == tapOtherPAN && kind != tc {
		add(0x5A, bcd(other, (len(other)+1)/2, 0xF)...)
	}
	add(0x5F34, bcd(t.a.PSN, 1, 0)...)
	add(0x9F10, iad...)
	add(0x9F26, ac[:]...)
	if !tap.NoCID {
		add(0x9F27, kind)
	}
	add(0x9F36, byte(t.atc>>8), byte(t.atc))
	add(0x9F6C, ctq[:]...)
	if tap.Spending > 0 {
		v, _ := tlv.AppendNumber(nil, tap.Spending, 6)
		add(0x9F5D, v...)
	}
	if tap.Product != "" {
		add(0x9F63, unhex(tap.Product)...)
	}
	if g.conf.CDCVM != "" && tap.Kernel == 3 {
		add(0x9F6E, 0x23, 0x8C, 0x00, 0x00) // form factor: a mobile phone
	}
	if kind == tc && t.a.ODA != "none" {
		related, signature := g.fast(t, ctq)
		var s []byte
		s = append(s, t.object1(0x9F4B, signature)...)
		if related != nil {
			s = append(s, t.object1(0x9F69, related)...)
		}
		if t.signsLate() {
			g.late = &lateRecord{t: t, number: byte(len(t.records[fileKeys]) + 1), content: record(s)}
		} else {
			b = append(b, s...)
		}
	}
	return ok(put(nil, 0x77, b...))
}

// fast is fDDA: 9F69 and the signature 9F4B, which covers 9F37, 9F02, 5F2A and 9F69 (version 01), or 9F37 alone (version 00).
func (g *Tag) fast(t *transaction, ctq [2]byte) (related, signature []byte) {
	tap := t.a.Tap
	version := tap.Version
	if version == "" {
		version = "01"
	}
	number := []byte{2, byte(t.atc >> 8), byte(t.atc)}
	head := slices.Concat([]byte{0x05, 0x01, byte(len(number))}, number)
	if version != "-" {
		qualifiers := ctq
		if tap.Fault == tapCopy {
			qualifiers[0] ^= ctqSignature
		}
		related = slices.Concat(unhex(version), g.c.random(4), qualifiers[:])
		if tap.Kernel == 7 {
			related = append(related, 0x00) // PBOC 3.0 has eight bytes or more
		}
	}
	over := slices.Concat(t.value(0x9F37), t.value(0x9F02), t.value(0x5F2A), related)
	if version == "00" {
		over = t.value(0x9F37)
	}
	signature = signedData(t.keys.icc, head, over)
	if t.a.Fault == faultSignature {
		signature[len(signature)-1] ^= 0x01
	}
	return related, signature
}

// qualifiers is 9F6C: what the card wants done about the cardholder. good is false when nothing can be done that it wants done; sw ends the
// transaction.
func (g *Tag) qualifiers(t *transaction, ttq []byte) (ctq [2]byte, good bool, sw []byte) {
	tap := t.a.Tap
	copy(ctq[:], append(unhex(tap.CTQ), 0, 0))
	if tap.Update && tap.Kernel == 3 {
		ctq[1] |= ctqUpdate
	}
	phone := g.conf.CDCVM != ""
	if phone && g.shown {
		ctq[1] |= ctqOnDevice
	}
	methods := tap.Methods
	if methods == nil {
		methods = []string{"online-pin", "signature"}
		if phone {
			methods = []string{"cdcvm"}
		}
	}
	if ttq[1]&ttqCVM == 0 && (tap.CVMLimit == 0 || t.amount() <= tap.CVMLimit) {
		return ctq, true, nil
	}
	for _, m := range methods {
		switch {
		case m == "online-pin" && ttq[0]&ttqOnlinePIN != 0 && ttq[0]&ttqOffline == 0:
			ctq[0] |= ctqOnlinePIN
			return ctq, true, nil
		case m == "signature" && ttq[0]&ttqSignature != 0:
			ctq[0] |= ctqSignature
			return ctq, true, nil
		case m == "cdcvm" && (tap.Kernel != 3 || ttq[2]&ttqOnDevice != 0):
			if g.shown {
				return ctq, true, nil
			}
			g.asked = true
			return ctq, false, swSeePhone
		case m == "none":
			return ctq, true, nil
		}
	}
	return ctq, false, nil
}

// pays tells whether the purse has the money and the reader takes it (9F7A).
func (g *Tag) pays(t *transaction) bool {
	left := g.purse[t.application]
	support := t.value(0x9F7A)
	return t.a.Tap.Purse > 0 && !t.blocked && len(support) == 1 && support[0] == 1 && t.amount() >= 0 && t.amount() <= left &&
		hex.EncodeToString(t.value(0x5F2A)) == t.a.Currency
}

// readRecord is READ RECORD (Book 3, 6.5.11), with the record that is made for this transaction.
func (g *Tag) readRecord(cmd command) []byte {
	t := g.c.cur
	sfi := cmd.p2 >> 3
	switch {
	case cmd.p2&7 != 4 || sfi == 0 || sfi > 30:
		return swP1P2
	case t == nil:
		return swNoFile
	case t.status("read") != nil:
		return t.status("read")
	case g.late != nil && g.late.t == t && sfi == fileKeys && cmd.p1 == g.late.number:
		return ok(slices.Clone(g.late.content))
	}
	if d := g.debit; d != nil && d.t == t && len(t.afl) >= 4 {
		if last := t.afl[len(t.afl)-4:]; sfi == last[0]>>3 && cmd.p1 == last[2] {
			g.purse[t.application] -= d.amount // whether the answer gets there or not
			g.debit = nil
		}
	}
	file := t.records[sfi]
	if sfi == logFile {
		file = t.history
	}
	switch {
	case file == nil:
		return swNoFile
	case cmd.p1 == 0 || int(cmd.p1) > len(file):
		return swNoRecord
	}
	return ok(slices.Clone(file[cmd.p1-1]))
}

// log writes the card's own record of what it has decided.
func (g *Tag) log(t *transaction, kind byte, asked string) {
	g.c.log = append(g.c.log, Cryptogram{
		AID: slices.Clone(t.aid), ATC: t.atc, Kind: kinds[kind>>6], Asked: asked, Amount: t.amount(), Currency: hex.EncodeToString(t.value(0x5F2A)),
	})
}
