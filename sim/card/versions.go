package card

import (
	"bytes"
	"slices"

	"posd/emv/tlv"
)

// version is a cryptogram version: how a card and its issuer make cryptograms. It is known by the issuer application data (9F10).
type version struct {
	name string // of the profile field cvn
	code byte   // in 9F10
	visa bool   // 9F10 begins with length 06 and has no algorithm at its end (VIS 1.5); else PBOC's layout

	session func(card key16, atc uint16) key16
	whole   bool // the cryptogram covers all of 9F10, else the card verification results in it only
	short   bool // the cryptogram covers 9F02, 9F37, 9F36 and byte 5 of 9F10 only
	zeros   bool // the MAC pads with zeros (ISO 9797-1, method 1), else with 80 00 ... (method 2)
	csu     bool // issuer authentication is method 2 with a card status update (Book 2, 8.2.2), else method 1 with the ARC (8.2.1)
}

var versions = []version{
	{name: "", code: 0x12, session: commonSession, whole: true},
	{name: "01", code: 0x01, session: pbocSession},
	{name: "10", code: 0x0A, visa: true, session: noSession, zeros: true},
	{name: "17", code: 0x11, visa: true, session: noSession, short: true, zeros: true},
	{name: "18", code: 0x12, visa: true, session: commonSession, whole: true, csu: true},
}

func versionNamed(name string) *version {
	for i := range versions {
		if versions[i].name == name {
			return &versions[i]
		}
	}
	return nil
}

// versionOf finds the version by the issuer application data; nil when it is none of these.
func versionOf(iad []byte) *version {
	for i := range versions {
		v := &versions[i]
		if want := v.length(); len(iad) == 1+want && int(iad[0]) == want && iad[2] == v.code {
			return v
		}
	}
	return nil
}

func (v *version) length() int {
	if v.visa {
		return 6
	}
	return 7
}

// iad is 9F10: length, key index, version, card verification results (03 and three bytes), and in PBOC's layout the algorithm.
func (v *version) iad(results [3]byte) []byte {
	out := []byte{byte(v.length()), 0x01, v.code, 0x03, results[0], results[1], results[2]}
	if !v.visa {
		out = append(out, 0x01)
	}
	return out
}

// shortTags are the data of cryptogram version 17 (Visa Contactless Payment Specification 2.1, as openemv and proxmark3 have it).
var shortTags = []sizedTag{{0x9F02, 6}, {0x9F37, 4}, {0x9F36, 2}}

func (v *version) tags() []sizedTag {
	if v.short {
		return shortTags
	}
	return macTags
}

// commonSession is the common session key derivation of EMV, Book 2, A1.3.1.
func commonSession(card key16, atc uint16) key16 { return session(card, atcDiversification(atc)) }

// noSession uses the card's key as it is: Visa's cryptogram version 10.
func noSession(card key16, _ uint16) key16 { return card }

// pbocSession is that of PBOC 3.0: the counter, and its complement, at the end of eight bytes.
func pbocSession(card key16, atc uint16) (k key16) {
	l := card.encrypt([8]byte{6: byte(atc >> 8), 7: byte(atc)})
	r := card.encrypt([8]byte{6: ^byte(atc >> 8), 7: ^byte(atc)})
	copy(k[:8], l[:])
	copy(k[8:], r[:])
	return k.odd()
}

// cryptogram is 9F26: the MAC of Book 2, A1.2.1, over the values of macTags and 9F10 or a part of it.
func (v *version) cryptogram(k key16, get func(tag uint32) []byte) [8]byte {
	var b []byte
	for _, t := range v.tags() {
		x := get(t.tag)
		b = append(b, make([]byte, max(0, t.size-len(x)))...)
		b = append(b, x[:min(len(x), t.size)]...)
	}
	iad := get(0x9F10)
	switch {
	case v.short:
		iad = iad[min(4, len(iad)):min(5, len(iad))]
	case !v.whole:
		iad = iad[min(3, len(iad)):min(7, len(iad))]
	}
	b = append(b, iad...)
	if v.zeros {
		return macBlocks(k, pad0(b))
	}
	return mac(k, b)
}

// answer is issuer authentication data (91) that tell the decision arc.
func (v *version) answer(k key16, ac [8]byte, arc string) []byte {
	if v.csu {
		return v.update(k, ac, statusUpdate(arc))
	}
	a := arpc(k, ac, arc)
	return append(a[:], arc...)
}

// update is method 2: four bytes of MAC over cryptogram and card status update, and that.
func (v *version) update(k key16, ac [8]byte, csu [4]byte) []byte {
	m := mac(k, slices.Concat(ac[:], csu[:]))
	return append(m[:4:4], csu[:]...)
}

// csuApproves is bit 8 of byte 2 of the card status update: the issuer approves the online transaction (Book 3, annex C10).
const csuApproves = 0x80

func statusUpdate(arc string) (csu [4]byte) {
	if arc == "00" {
		csu[1] = csuApproves
	}
	return csu
}

// authenticate checks issuer authentication data: ARPC and ARC, or ARPC and card status update.
func (t *transaction) authenticate(data []byte) bool {
	t.auth = authFailed
	k := t.version.session(t.ac, t.atc)
	if t.version.csu {
		if len(data) < 8 || len(data) > 16 {
			return false
		}
		m := mac(k, slices.Concat(t.arqc[:], data[4:]))
		if !bytes.Equal(m[:4], data[:4]) {
			return false
		}
		t.auth, t.refused = authDone, data[5]&csuApproves == 0
		return true
	}
	if len(data) != 10 {
		return false
	}
	want := arpc(k, t.arqc, string(data[8:]))
	if !bytes.Equal(want[:], data[:8]) {
		return false
	}
	t.auth = authDone
	return true
}

// object is a data object in the records of an application.
func (p *personal) object(tag tlv.Tag) ([]byte, bool) {
	for _, r := range p.records[2] {
		if v, ok := tlv.Find(r, 0x70, tag); ok {
			return v, true
		}
	}
	return nil, false
}
