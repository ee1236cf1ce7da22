package card

import (
	"bytes"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"posd/emv/tlv"
)

// Application interchange profile, Book 3, table 37.
const (
	aipXDA        = 0x80 // EMV 4.4
	aipSDA        = 0x40
	aipDDA        = 0x20
	aipCVM        = 0x10
	aipRisk       = 0x08
	aipIssuerAuth = 0x04
	aipCDA        = 0x01
)

// personal is what the personalisation of a card put into an application.
type personal struct {
	aid          []byte
	fci          []byte // 6F
	aip          [2]byte
	afl          []byte
	records      map[byte][][]byte // by SFI; each with its template 70
	pdol         tlv.DOL
	cdol1        tlv.DOL
	cdol2        tlv.DOL
	keys         *chain
	ec           *ecChain // with XDA
	ac, smi, smc key16    // the card's master keys: cryptograms, script MACs, script secrets
}

// put appends a data object.
func put(dst []byte, t tlv.Tag, v ...byte) []byte { return tlv.Append(dst, t, v) }

func record(objects ...[]byte) []byte { return put(nil, 0x70, slices.Concat(objects...)...) }

// file collects the objects of one record.
type file struct {
	a   *Application
	out []byte
}

// put adds an object as the profile wants it: left out, replaced or as it is.
func (f *file) put(tag tlv.Tag, v ...byte) {
	name := tagHex(tag)
	for _, o := range f.a.Omit {
		if strings.EqualFold(o, name) {
			return
		}
	}
	for t, h := range f.a.Objects {
		if strings.EqualFold(t, name) {
			v = unhex(h)
		}
	}
	f.out = put(f.out, tag, v...)
}

func tagHex(t tlv.Tag) string {
	b := put(nil, t)
	return hex.EncodeToString(b[:len(b)-1])
}

// personalise builds an application. The records of a checked application are never too long.
func personalise(a Application, holder string) *personal {
	p := &personal{aid: unhex(a.AID), records: map[byte][][]byte{}}
	p.keys, p.ec = chainOf(p.aid, a.Keys), ecChainOf(p.aid, a.Keys)
	p.aip = aipOf(&a)

	p.pdol, _ = tlv.ParseDOL(unhex(a.PDOL)) // Application.complete has read them
	p.cdol1, _ = tlv.ParseDOL(unhex(a.CDOL1))
	p.cdol2, _ = tlv.ParseDOL(unhex(a.CDOL2))
	iin := a.PAN[:6]
	p.ac = cardKeyOf(masterKey(iin, "AC"), a.PAN, a.PSN)
	p.smi = cardKeyOf(masterKey(iin, "MAC"), a.PAN, a.PSN)
	p.smc = cardKeyOf(masterKey(iin, "ENC"), a.PAN, a.PSN)
	p.fci = fci(a, p.aid)

	track2 := a.PAN + "D" + a.Expiry + a.Service + "0000000000000"[:13]
	track2 = track2[:min(len(track2), 37)]
	one := file{a: &a}
	one.put(0x57, bcd(track2, (len(track2)+1)/2, 0xF)...)
	one.put(0x5F20, []byte(holder)...)
	one.put(0x9F1F, []byte("0000000000")...)
	p.records[1] = [][]byte{one.out}

	pan := bcd(a.PAN, (len(a.PAN)+1)/2, 0xF)
	core, lists := file{a: &a}, file{a: &a}
	core.put(0x5A, pan...)
	core.put(0x5F34, bcd(a.PSN, 1, 0)...)
	core.put(0x5F25, append(bcd(a.Effective, 2, 0), 0x01)...)
	core.put(0x5F24, append(bcd(a.Expiry, 2, 0), lastDay(a.Expiry))...)
	core.put(0x5F28, bcd(a.Country, 2, 0)...)
	core.put(0x9F07, unhex(a.AUC)...)
	core.put(0x9F0D, unhex(a.IACDefault)...)
	core.put(0x9F0E, unhex(a.IACDenial)...)
	core.put(0x9F0F, unhex(a.IACOnline)...)
	if a.CVM != "" {
		core.put(0x8E, unhex(a.CVM)...)
	}
	if a.Version != "" {
		core.put(0x9F08, unhex(a.Version)...)
	}
	if a.ODA != "none" && a.ODA != "xda" {
		core.put(0x9F4A, 0x82)
	}
	lists.put(0x8C, unhex(a.CDOL1)...)
	lists.put(0x8D, unhex(a.CDOL2)...)
	lists.put(0x9F42, bcd(a.Currency, 2, 0)...)
	lists.put(0x9F44, 0x02)
	// What the profile names beside, in the order of the tags.
	for _, name := range slices.Sorted(maps.Keys(a.Objects)) {
		tag := tagOf(name)
		if _, ok := tlv.Find(slices.Concat(one.out, core.out, lists.out), tag); !ok {
			lists.put(tag, unhex(a.Objects[name])...)
		}
	}
	if a.Fault == faultRepeat {
		lists.out = put(lists.out, 0x5A, pan...)
	}
	p.records[2] = [][]byte{core.out, lists.out}
	p.afl = []byte{1 << 3, 1, 1, 0, 2 << 3, 1, 2, 2}
	if a.ODA == "none" {
		p.finish(&a)
		return p
	}
	// AFL: the contents of both records of file 2; 9F4A: the AIP behind them.
	signed := slices.Concat(dress(core.out, a.Fault), dress(lists.out, a.Fault))
	if a.ODA == "xda" {
		p.records[3] = p.ec.records(&a, p.ec.static(&a, signed, p.aip))
	} else {
		static := append(signed, p.aip[:]...)
		if a.Fault == faultStatic {
			static = append(static, 0x00)
		}
		p.records[3] = p.keys.records(&a, static)
	}
	p.afl = append(p.afl, 3<<3, 1, byte(len(p.records[3])), 0)
	p.finish(&a)
	return p
}

// tagOf reads a tag that Application.complete has checked.
func tagOf(name string) (t tlv.Tag) {
	for _, b := range unhex(name) {
		t = t<<8 | tlv.Tag(b)
	}
	return t
}

func aipOf(a *Application) (aip [2]byte) {
	if a.AIP != "" {
		return [2]byte(unhex(a.AIP))
	}
	aip[0] = aipRisk
	if a.CVM != "" {
		aip[0] |= aipCVM
	}
	switch a.ODA {
	case "sda":
		aip[0] |= aipSDA
	case "dda":
		aip[0] |= aipDDA
	case "cda":
		aip[0] |= aipDDA | aipCDA
	case "xda":
		aip[0] |= aipXDA
	}
	if a.IssuerAuth == "external" {
		aip[0] |= aipIssuerAuth
	}
	return aip
}

// records are the contents of the records with keys and certificates.
func (c *chain) records(a *Application, static []byte) [][]byte {
	pan := a.PAN
	var all []*file
	next := func() *file { all = append(all, &file{a: a}); return all[len(all)-1] }
	cert, rest := c.issuerCertificate(pan, a.Fault)
	f := next()
	index := c.index
	if a.Fault == faultUnknownCA {
		index = 0xEE
	}
	f.put(0x8F, index)
	f.put(0x9F32, c.issuer.exponent()...)
	if rest != nil {
		f.put(0x92, rest...)
	}
	next().put(0x90, cert...)
	if a.ODA == "sda" {
		if a.Fault != faultNoCert {
			next().put(0x93, c.staticSignature(static)...)
		}
	} else {
		cert, rest = c.cardCertificate(pan, static, a.Fault)
		if a.Fault != faultNoCert {
			next().put(0x9F46, cert...)
		}
		f = next()
		f.put(0x9F47, c.icc.exponent()...)
		if rest != nil {
			f.put(0x9F48, rest...)
		}
		f.put(0x9F49, 0x9F, 0x37, 0x04)
	}
	if a.PINKey {
		cert, rest = c.pinCertificate(pan)
		next().put(0x9F2D, cert...)
		f = next()
		f.put(0x9F2E, c.pin.exponent()...)
		if rest != nil {
			f.put(0x9F2F, rest...)
		}
	}
	var out [][]byte
	for _, f := range all {
		out = append(out, f.out)
	}
	return out
}

// finish gives the records their templates, and the application what is odd about it.
func (p *personal) finish(a *Application) {
	for sfi, file := range p.records {
		for i, r := range file {
			file[i] = record(dress(r, a.Fault))
			switch {
			case sfi != 2 || i != 1:
			case a.Fault == faultTLV:
				file[i][1]++ // the template is longer than the record
			case a.Fault == faultTemplate:
				file[i] = r
			}
		}
	}
	if a.Fault == faultProprietary {
		// Files above SFI 10 belong to the payment system or the issuer: they need no template (Book 3, 5.3.2.2).
		p.records[12] = [][]byte{[]byte("not TLV at all")}
		p.afl = append(p.afl, 12<<3, 1, 1, 0)
	}
	if a.AFL != "" {
		p.afl = unhex(a.AFL)
	}
}

// dress writes the objects of a record in an unusual way that is allowed, or adds objects that no terminal knows.
func dress(objects []byte, fault string) []byte {
	if fault != faultPadding && fault != faultLong && fault != faultProprietary {
		return objects
	}
	var out []byte
	d := tlv.NewDecoder(objects)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		tag := unhex(tagHex(o.Tag))
		switch fault {
		case faultPadding: // Book 3, annex B1: 00 before, between and behind objects
			out = append(slices.Concat(out, []byte{0x00}, objects[o.Offset:o.End]), 0x00)
		case faultLong: // ISO/IEC 8825 allows it in BER
			out = slices.Concat(out, tag, []byte{0x81, byte(len(o.Value))}, o.Value)
		default:
			out = append(out, objects[o.Offset:o.End]...)
		}
	}
	if fault == faultProprietary && bytes.HasPrefix(objects, []byte{0x8C}) { // once: no object may be there twice
		out = put(out, 0x9F7E, 0x01, 0x02)
		out = put(out, 0xC3, 0x0A)
		out = put(out, 0xDF6E, 0xDF, 0x6E)
	}
	return out
}

// lastDay is the last day of a month YYMM in BCD; 28 in every February, which ends no card a day early that counts.
func lastDay(yymm string) byte {
	switch yymm[2:] {
	case "02":
		return 0x28
	case "04", "06", "09", "11":
		return 0x30
	}
	return 0x31
}
