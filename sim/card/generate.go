package card

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"

	"posd/emv/tlv"
)

// Cryptogram types, bits 8 and 7 of P1 of GENERATE AC and of the CID.
const (
	aac  = 0x00
	tc   = 0x40
	arqc = 0x80
)

// generateAC is GENERATE AC, Book 3, 6.5.5: the first asks the card, the second tells it what the issuer said.
func (c *Card) generateAC(cmd command) []byte {
	t := c.cur
	if t == nil || t.stage != initiated && t.stage != asked {
		return swConditions
	}
	if cmd.p2 != 0 || cmd.p1&0x2F != 0 || cmd.p1&0xC0 == 0xC0 {
		return swP1P2
	}
	asked2 := t.stage == asked
	list := t.cdol1
	if asked2 {
		list = t.cdol2
	}
	if len(cmd.data) != list.Len() {
		return swLength
	}
	t.keep(list, cmd.data)

	var kind byte
	if asked2 {
		kind = t.second(cmd.p1 & 0xC0)
	} else {
		t.list1 = slices.Clone(cmd.data)
		kind = t.decide(cmd.p1 & 0xC0)
	}
	cda := cmd.p1&0x10 != 0 && t.aip[0]&aipCDA != 0 && kind != aac
	if cda {
		t.dynamic = true
	}
	iad := t.issuerData(kind, asked2)
	key := session(t.ac, atcDiversification(t.atc))
	ac := mac(key, cryptogramData(func(tag uint32) []byte {
		if tag == 0x9F10 {
			return iad
		}
		return t.value(tag)
	}))
	if kind == arqc {
		t.stage, t.arqc, t.pending = asked, ac, true
	} else {
		t.stage, t.pending = finished, false
	}
	if !asked2 {
		t.first = kind
		if kind != arqc {
			t.arqc = ac
		}
	}
	c.remember(t, kind, asked2)

	cid := put(nil, 0x9F27, kind)
	atc := put(nil, 0x9F36, byte(t.atc>>8), byte(t.atc))
	switch {
	case cda:
		data2 := []byte(nil)
		if asked2 {
			data2 = cmd.data
		}
		sdad := c.combined(t, kind, ac, data2, slices.Concat(cid, atc, put(nil, 0x9F10, iad...)))
		return ok(put(nil, 0x77, slices.Concat(cid, atc, put(nil, 0x9F4B, sdad...), put(nil, 0x9F10, iad...))...))
	case t.a.Format == 1:
		return ok(put(nil, 0x80, slices.Concat([]byte{kind, byte(t.atc >> 8), byte(t.atc)}, ac[:], iad)...))
	}
	return ok(put(nil, 0x77, slices.Concat(cid, atc, put(nil, 0x9F26, ac[:]...), put(nil, 0x9F10, iad...))...))
}

// combined is the signature of CDA, Book 2, 6.6.1. objects are the objects of the answer but the signature itself.
func (c *Card) combined(t *transaction, kind byte, ac [8]byte, data2, objects []byte) []byte {
	hash := sha1.Sum(slices.Concat(t.options, t.list1, data2, objects))
	number := c.random(8)
	dynamic := slices.Concat([]byte{byte(len(number))}, number, []byte{kind}, ac[:], hash[:])
	return signedData(cardKey, slices.Concat([]byte{0x05, 0x01, byte(len(dynamic))}, dynamic), t.value(0x9F37))
}

// amount is 9F02; -1 when it is no number.
func (t *transaction) amount() int64 {
	v, err := tlv.Number(t.value(0x9F02))
	if err != nil {
		return -1
	}
	return v
}

// decide is the card's own risk management at the first GENERATE AC.
func (t *transaction) decide(asked byte) byte {
	switch {
	case asked == aac, t.blocked:
		return aac
	case asked == arqc:
		return arqc
	}
	amount := t.amount()
	mine := hex.EncodeToString(t.value(0x5F2A)) == t.a.Currency
	switch {
	case t.a.OfflineLimit == 0, amount < 0, amount > t.a.OfflineLimit, !mine:
		return arqc
	case t.a.OfflineCount > 0 && t.offline >= t.a.OfflineCount:
		return arqc
	case t.failed, t.pending:
		return arqc
	}
	t.offline++
	t.total += amount
	return tc
}

// second is the card's decision when the issuer has spoken, or could not be reached (ARC Y3 or Z3).
func (t *transaction) second(asked byte) byte {
	arc := string(t.value(0x8A))
	reached := arc != "Y3" && arc != "Z3"
	if t.a.IssuerAuth == "cdol2" && reached {
		if data := t.value(0x91); len(data) == 10 && !allZero(data) {
			t.authenticate(data)
		}
	}
	if reached {
		t.failed = t.auth == authFailed
	}
	switch {
	case asked != tc, t.blocked, t.a.RefuseSecond, t.auth == authFailed:
		return aac
	case !reached:
		t.offline++
		t.total += max(t.amount(), 0)
		return tc
	case t.a.IssuerAuth != "none" && t.auth != authDone: // who says that it was the issuer who approved?
		t.failed = true
		return aac
	}
	t.online, t.offline, t.total = t.atc, 0, 0
	return tc
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// issuerData is 9F10 in the layout of PBOC 3.0: length, key index, cryptogram version, card verification results (03 and three
// bytes), algorithm.
func (t *transaction) issuerData(kind byte, second bool) []byte {
	var v [3]byte
	first := t.first
	if !second {
		first = kind
		v[0] |= 0x80 // no second cryptogram asked for
	} else {
		v[0] |= kind & 0x40
	}
	v[0] |= first >> 2
	if t.auth == authFailed {
		v[0] |= 0x08
	}
	if t.pinDone {
		v[0] |= 0x04
	}
	if t.pinFailed {
		v[0] |= 0x02
	}
	if arc := string(t.value(0x8A)); second && (arc == "Y3" || arc == "Z3") {
		v[0] |= 0x01
	}
	if t.pending && !second {
		v[1] |= 0x80
	}
	if t.tries == 0 {
		v[1] |= 0x40
	}
	if t.a.OfflineCount > 0 && t.offline > t.a.OfflineCount {
		v[1] |= 0x20
	}
	if t.online == 0 {
		v[1] |= 0x10
	}
	if t.failed {
		v[1] |= 0x08
	}
	v[2] |= byte(min(t.scripts, 15)) << 4
	if t.scriptBad {
		v[2] |= 0x08
	}
	if t.dynamic {
		v[2] |= 0x02
	}
	return []byte{0x07, 0x01, 0x12, 0x03, v[0], v[1], v[2], 0x01}
}

// remember writes the card's own record, and after a TC the transaction log that a terminal can read.
func (c *Card) remember(t *transaction, kind byte, second bool) {
	c.log = append(c.log, Cryptogram{
		AID: slices.Clone(t.aid), ATC: t.atc, Kind: [4]string{"AAC", "TC", "ARQC"}[kind>>6], Second: second,
		Amount: t.amount(), Currency: hex.EncodeToString(t.value(0x5F2A)),
	})
	if kind != tc {
		return
	}
	list, err := tlv.ParseDOL(logFormat)
	if err != nil {
		return // a constant; read by a test
	}
	line, err := list.Append(nil, 255, func(tag tlv.Tag) ([]byte, bool) {
		v := t.value(uint32(tag))
		return v, v != nil
	})
	if err != nil {
		return
	}
	t.history = slices.Insert(t.history, 0, line)
	t.history = t.history[:min(len(t.history), logSize)]
}
