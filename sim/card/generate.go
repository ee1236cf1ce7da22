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

var kinds = [4]string{"AAC", "TC", "ARQC"}

// generateAC is GENERATE AC, Book 3, 6.5.5: the first asks the card, the second tells it what the issuer said.
func (c *Card) generateAC(cmd command) []byte {
	t := c.cur
	if t == nil || t.stage != initiated && t.stage != asked {
		return swConditions
	}
	if cmd.p2 != 0 || cmd.p1&0x27 != 0 || cmd.p1&0xC0 == 0xC0 || cmd.p1&0x18 == 0x18 {
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

	if name := map[bool]string{false: "generate", true: "second"}[asked2]; t.status(name) != nil {
		return t.status(name)
	}
	var kind byte
	if asked2 {
		kind = t.second(cmd.p1 & 0xC0)
	} else {
		t.list1 = slices.Clone(cmd.data)
		kind = t.decide(cmd.p1 & 0xC0)
	}
	xda := cmd.p1&0x08 != 0 && t.aip[0]&aipXDA != 0 // signs everything, an AAC too
	cda := cmd.p1&0x10 != 0 && t.aip[0]&aipCDA != 0 && kind != aac
	if cda || xda {
		t.dynamic = true
	}
	iad := t.issuerData(kind, asked2)
	ac := t.version.cryptogram(t.version.session(t.ac, t.atc), func(tag uint32) []byte {
		if tag == 0x9F10 {
			return iad
		}
		return t.value(tag)
	})
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
	c.remember(t, kind, cmd.p1, asked2)

	info := kind | t.reason(kind)
	cid := put(nil, 0x9F27, info)
	atc := put(nil, 0x9F36, byte(t.atc>>8), byte(t.atc))
	switch {
	case xda:
		objects := slices.Concat(cid, atc, put(nil, 0x9F26, ac[:]...), put(nil, 0x9F10, iad...))
		return ok(put(nil, 0x77, put(objects, 0x9F4B, t.extended(asked2, cmd.data, objects)...)...))
	case cda:
		data2 := []byte(nil)
		if asked2 {
			data2 = cmd.data
		}
		sdad := c.combined(t, info, ac, data2, slices.Concat(cid, atc, put(nil, 0x9F10, iad...)))
		if t.a.Fault == faultSignature || t.a.Fault == faultSecond && asked2 {
			sdad[len(sdad)-1] ^= 0x01
		}
		return ok(put(nil, 0x77, slices.Concat(cid, atc, put(nil, 0x9F4B, sdad...), put(nil, 0x9F10, iad...))...))
	case t.a.Format == 1:
		return ok(put(nil, 0x80, slices.Concat([]byte{info, byte(t.atc >> 8), byte(t.atc)}, ac[:], iad)...))
	}
	return ok(put(nil, 0x77, slices.Concat(cid, atc, put(nil, 0x9F26, ac[:]...), put(nil, 0x9F10, iad...))...))
}

// combined is the signature of CDA, Book 2, 6.6.1. objects are the objects of the answer but the signature itself.
func (c *Card) combined(t *transaction, info byte, ac [8]byte, data2, objects []byte) []byte {
	hash := sha1.Sum(slices.Concat(t.options, t.list1, data2, objects))
	number := c.random(8)
	dynamic := slices.Concat([]byte{byte(len(number))}, number, []byte{info}, ac[:], hash[:])
	return signedData(t.keys.icc, slices.Concat([]byte{0x05, 0x01, byte(len(dynamic))}, dynamic), t.value(0x9F37))
}

// reason is what stands beside the type in the cryptogram information data: the wish for an advice, and why (Book 3, table 15).
func (t *transaction) reason(kind byte) byte {
	if kind != aac || !t.a.Advice {
		return 0
	}
	switch {
	case t.tries == 0:
		return 0x08 | 0x02
	case t.auth == authFailed:
		return 0x08 | 0x03
	}
	return 0x08
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
	case t.a.FirstAnswer == "tc" && !t.blocked:
		return tc
	case asked == aac, t.blocked, t.a.FirstAnswer == "aac":
		return aac
	case asked == arqc, t.a.FirstAnswer == "arqc":
		return arqc
	}
	amount := t.amount()
	mine := hex.EncodeToString(t.value(0x5F2A)) == t.a.Currency
	switch {
	case t.a.OfflineLimit == 0, amount < 0, amount > t.a.OfflineLimit, !mine:
		return arqc
	case t.a.OfflineCount > 0 && t.offline >= t.a.OfflineCount:
		return arqc
	case t.a.OfflineTotal > 0 && t.total+amount > t.a.OfflineTotal:
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
		if data := t.value(0x91); len(data) >= 8 && !allZero(data) {
			t.authenticate(data)
		}
	}
	if reached {
		t.failed = t.auth == authFailed
	}
	switch {
	case asked != tc, t.blocked, t.a.RefuseSecond, t.auth == authFailed, t.refused:
		return aac
	case !reached && t.a.OfflineUpper > 0 && t.offline >= t.a.OfflineUpper:
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

// issuerData is 9F10. Its card verification results have the layout of VIS and of PBOC 3.0.
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
	return t.version.iad(v)
}

// remember writes the card's own record, and after a TC the transaction log that a terminal can read.
func (c *Card) remember(t *transaction, kind, p1 byte, second bool) {
	asked := kinds[p1>>6]
	switch p1 & 0x18 {
	case 0x10:
		asked += "+CDA"
	case 0x08:
		asked += "+XDA"
	}
	c.log = append(c.log, Cryptogram{
		AID: slices.Clone(t.aid), ATC: t.atc, Kind: kinds[kind>>6], Asked: asked, Second: second,
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
