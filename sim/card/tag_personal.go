package card

import (
	"fmt"
	"maps"
	"slices"

	"posd/emv/tlv"
)

// Files of a card in the field: 1 holds what is not signed, and the magnetic stripe of kernel 2; 2 what is; 3 keys and certificates.
const (
	fileStripe = 1
	fileData   = 2
	fileKeys   = 3
	filePurse  = 4 // the issuer's authorisation code of electronic cash, alone in the last record
)

// Bits of the application interchange profile of kernel 2.
const (
	aipEMVMode  = 0x80 // byte 2: EMV mode is supported
	aipRelay    = 0x01 // byte 2: relay resistance
	aipOnDevice = 0x02 // byte 1: cardholder verification on the device
)

// personaliseTap builds an application for the field; a is what Application.inField gives.
func personaliseTap(a Application, profile Profile) *personal {
	t := a.Tap
	p := &personal{aid: unhex(a.AID), records: map[byte][][]byte{}}
	p.keys = chainOf(p.aid, a.Keys)
	p.aip = tapAIP(&a, profile.Contactless)
	p.pdol, _ = tlv.ParseDOL(unhex(a.PDOL)) // Application.complete has read them
	p.cdol1, _ = tlv.ParseDOL(unhex(a.CDOL1))
	iin := a.PAN[:6]
	p.ac = cardKeyOf(masterKey(iin, "AC"), a.PAN, a.PSN)
	p.smi = cardKeyOf(masterKey(iin, "MAC"), a.PAN, a.PSN)
	p.smc = cardKeyOf(masterKey(iin, "ENC"), a.PAN, a.PSN)
	p.fci = tapFCI(a, p.aid)

	pan := a.PAN
	if t.Fault == tapOtherPAN {
		pan = otherPAN(pan)
	}
	core, lists := file{a: &a}, file{a: &a}
	if t.Kernel == 2 {
		core.put(0x57, track2(&a)...)
		if t.Fault == tapDuplicate {
			lists.put(0x57, track2(&a)...)
		}
	}
	core.put(0x5A, bcd(pan, (len(pan)+1)/2, 0xF)...)
	if t.Kernel == 2 {
		core.put(0x5F34, bcd(a.PSN, 1, 0)...) // with the others it is in the answer to GET PROCESSING OPTIONS
	}
	core.put(0x5F25, append(bcd(a.Effective, 2, 0), 0x01)...)
	core.put(0x5F24, append(bcd(a.Expiry, 2, 0), lastDay(a.Expiry))...)
	core.put(0x5F28, bcd(a.Country, 2, 0)...)
	core.put(0x9F07, unhex(a.AUC)...)
	core.put(0x5F20, []byte(profile.Holder)...)
	if a.ODA != "none" {
		core.put(0x9F4A, 0x82)
	}
	if t.Kernel == 2 {
		core.put(0x9F0D, unhex(a.IACDefault)...)
		core.put(0x9F0E, unhex(a.IACDenial)...)
		core.put(0x9F0F, unhex(a.IACOnline)...)
		if a.CVM != "" {
			core.put(0x8E, unhex(a.CVM)...)
		}
		if a.Version != "" {
			core.put(0x9F08, unhex(a.Version)...)
		}
		lists.put(0x8C, unhex(a.CDOL1)...)
		if t.DRDOL != "" {
			lists.put(0x9F51, unhex(t.DRDOL)...)
		}
	}
	lists.put(0x9F42, bcd(a.Currency, 2, 0)...)
	lists.put(0x9F44, 0x02)
	for _, name := range slices.Sorted(maps.Keys(a.Objects)) {
		tag := tagOf(name)
		if _, ok := tlv.Find(slices.Concat(core.out, lists.out), tag); !ok && !slices.Contains(answerTags, tag) {
			lists.put(tag, unhex(a.Objects[name])...)
		}
	}
	if a.Fault == faultRepeat {
		lists.out = put(lists.out, 0x5A, bcd(pan, (len(pan)+1)/2, 0xF)...)
	}
	p.records[fileData] = [][]byte{core.out, lists.out}
	p.afl = []byte{fileData << 3, 1, 2, 2}
	if t.Kernel == 2 && t.Stripe != "" {
		p.records[fileStripe] = [][]byte{stripe(&a, profile.Holder)}
		if t.Stripe == "only" {
			p.afl = nil
		}
		p.afl = append([]byte{fileStripe << 3, 1, 1, 0}, p.afl...)
	}
	if a.ODA != "none" && t.Stripe != "only" {
		static := append(slices.Concat(dress(core.out, a.Fault), dress(lists.out, a.Fault)), p.aip[:]...)
		if a.Fault == faultStatic {
			static = append(static, 0x00)
		}
		p.records[fileKeys] = p.keys.records(&a, static)
		n := byte(len(p.records[fileKeys]))
		if t.Kernel != 2 && p.signsLate() {
			n++ // the record that is made for the transaction
		}
		p.afl = append(p.afl, fileKeys<<3, 1, n, 0)
	}
	if t.Purse > 0 {
		p.records[filePurse] = [][]byte{put(nil, 0x9F74, []byte("ECC001")...)}
		p.afl = append(p.afl, filePurse<<3, 1, 1, 0)
	}
	p.finish(&a)
	if t.Fault == tapBig {
		p.records[fileData][0] = append([]byte{0x70, 0x82, 0x7F, 0xFF}, p.records[fileData][0][2:]...)
	}
	return p
}

// answerTags are objects of answers: a profile's value for one of them does not go into the records.
var answerTags = []tlv.Tag{
	0x57, 0x82, 0x94, 0x9F26, 0x9F27, 0x9F10, 0x9F36, 0x9F4B, 0x9F6C, 0x9F69, 0x9F63, 0x9F5D, 0x9F6E, 0x9F6B, 0x9F65, 0x9F66, 0x9F67, 0x9F62,
	0x9F64, 0x56, 0xDF4B, 0x9F60, 0x9F61,
}

// signsLate tells whether the signature of fDDA is too long for the answer to GET PROCESSING OPTIONS: it comes in the last record, with 9F69.
func (p *personal) signsLate() bool { return p.keys != nil && p.keys.icc.size > 128 }

func tapAIP(a *Application, c *Contactless) (aip [2]byte) {
	if a.AIP != "" {
		return [2]byte(unhex(a.AIP))
	}
	switch a.ODA {
	case "sda":
		aip[0] |= aipSDA
	case "dda", "cda":
		aip[0] |= aipDDA
	}
	t := a.Tap
	if t.Kernel != 2 {
		return aip
	}
	if a.ODA == "cda" {
		aip[0] |= aipCDA
	}
	if a.CVM != "" {
		aip[0] |= aipCVM
	}
	if c.CDCVM != "" {
		aip[0] |= aipOnDevice
	}
	if t.Stripe != "only" {
		aip[1] |= aipEMVMode
	}
	if t.Relay != nil {
		aip[1] |= aipRelay
	}
	return aip
}

// track2 is tag 57.
func track2(a *Application) []byte {
	s := a.PAN + "D" + a.Expiry + a.Service + "0000000000000"
	s = s[:min(len(s), 37)]
	return bcd(s, (len(s)+1)/2, 0xF)
}

// otherPAN is another account number with a right check digit.
func otherPAN(pan string) string {
	b := []byte(pan)
	n := len(b)
	b[n-2] = '0' + (pan[n-2]-'0'+1)%10
	for b[n-1] = '0'; !luhn(string(b)); b[n-1]++ {
	}
	return string(b)
}

// Layout of the discretionary data of the simulated stripe: from the right, how many digits of the unpredictable number there are (1), the
// number (3), the counter (4), CVC3 (3).
const (
	stripeUN  = 3
	stripeATC = 4
	stripeCVC = 3
)

// stripe is the record of mag-stripe mode (Book C-2, 4.9 of the states "mag read record").
func stripe(a *Application, holder string) []byte {
	f := file{a: a}
	track1 := fmt.Sprintf("B%s^%s^%s%s0000000000000", a.PAN, holder, a.Expiry, a.Service)
	f.put(0x9F6C, 0x00, 0x01)
	f.put(0x9F62, 0, 0, 0, 0, 0x07, 0x00)
	f.put(0x9F63, 0, 0, 0, 0, 0x00, 0xFE)
	f.put(0x56, []byte(track1)...)
	f.put(0x9F64, stripeATC)
	f.put(0x9F65, 0x07, 0x00)
	f.put(0x9F66, 0x00, 0xFE)
	f.put(0x9F6B, track2(a)...)
	f.put(0x9F67, stripeATC)
	f.put(0x9F68, unhex("00000000000000005E031F00")...)
	return f.out
}
