package card

import (
	"slices"

	"posd/emv/tlv"
)

// Application interchange profile, Book 3, table 37.
const (
	aipSDA        = 0x40
	aipDDA        = 0x20
	aipCVM        = 0x10
	aipRisk       = 0x08
	aipIssuerAuth = 0x04
	aipCDA        = 0x01
)

// personal is what the personalisation of a card put into an application.
type personal struct {
	aid     []byte
	fci     []byte // 6F
	aip     [2]byte
	afl     []byte
	records map[byte][][]byte // by SFI; each with its template 70
	pdol    tlv.DOL
	cdol1   tlv.DOL
	cdol2   tlv.DOL
	ac, smi key16 // the card's master keys
}

// put appends a data object.
func put(dst []byte, t tlv.Tag, v ...byte) []byte { return tlv.Append(dst, t, v) }

func record(objects ...[]byte) []byte { return put(nil, 0x70, slices.Concat(objects...)...) }

// personalise builds an application. The records of a checked application are never too long.
func personalise(a Application, holder string) *personal {
	p := &personal{aid: unhex(a.AID), records: map[byte][][]byte{}}
	s := schemeOf(p.aid)

	p.aip[0] = aipCVM | aipRisk
	switch a.ODA {
	case "sda":
		p.aip[0] |= aipSDA
	case "dda":
		p.aip[0] |= aipDDA
	case "cda":
		p.aip[0] |= aipDDA | aipCDA
	}
	if a.IssuerAuth == "external" {
		p.aip[0] |= aipIssuerAuth
	}

	p.pdol, _ = tlv.ParseDOL(unhex(a.PDOL)) // Application.complete has read them
	p.cdol1, _ = tlv.ParseDOL(unhex(a.CDOL1))
	p.cdol2, _ = tlv.ParseDOL(unhex(a.CDOL2))
	iin := a.PAN[:6]
	p.ac = cardKeyOf(masterKey(iin, "AC"), a.PAN, a.PSN)
	p.smi = cardKeyOf(masterKey(iin, "MAC"), a.PAN, a.PSN)
	p.fci = fci(a, p.aid)

	track2 := a.PAN + "D" + a.Expiry + a.Service + "0000000000000"[:13]
	track2 = track2[:min(len(track2), 37)]
	p.records[1] = [][]byte{record(
		put(nil, 0x57, bcd(track2, (len(track2)+1)/2, 0xF)...),
		put(nil, 0x5F20, []byte(holder)...),
		put(nil, 0x9F1F, []byte("0000000000")...),
	)}

	pan := a.PAN
	core := slices.Concat(
		put(nil, 0x5A, bcd(pan, (len(pan)+1)/2, 0xF)...),
		put(nil, 0x5F34, bcd(a.PSN, 1, 0)...),
		put(nil, 0x5F25, append(bcd(a.Effective, 2, 0), 0x01)...),
		put(nil, 0x5F24, append(bcd(a.Expiry, 2, 0), lastDay(a.Expiry))...),
		put(nil, 0x5F28, bcd(a.Country, 2, 0)...),
		put(nil, 0x9F07, unhex(a.AUC)...),
		put(nil, 0x9F0D, unhex(a.IACDefault)...),
		put(nil, 0x9F0E, unhex(a.IACDenial)...),
		put(nil, 0x9F0F, unhex(a.IACOnline)...),
		put(nil, 0x8E, unhex(a.CVM)...),
	)
	if a.Version != "" {
		core = put(core, 0x9F08, unhex(a.Version)...)
	}
	if a.ODA != "none" {
		core = put(core, 0x9F4A, 0x82)
	}
	lists := slices.Concat(
		put(nil, 0x8C, unhex(a.CDOL1)...),
		put(nil, 0x8D, unhex(a.CDOL2)...),
		put(nil, 0x9F42, bcd(a.Currency, 2, 0)...),
		put(nil, 0x9F44, 0x02),
	)
	p.records[2] = [][]byte{put(nil, 0x70, core...), put(nil, 0x70, lists...)}
	p.afl = []byte{1 << 3, 1, 1, 0, 2 << 3, 1, 2, 2}

	if a.ODA == "none" {
		return p
	}
	static := slices.Concat(core, lists, p.aip[:]) // AFL: both records of file 2; 9F4A: the AIP behind them
	cert, rest := s.issuerCertificate(pan)
	keys := [][]byte{
		record(put(nil, 0x8F, caIndex), put(nil, 0x9F32, s.issuer.exponent()...), put(nil, 0x92, rest...)),
		record(put(nil, 0x90, cert...)),
	}
	if a.ODA == "sda" {
		keys = append(keys, record(put(nil, 0x93, s.staticSignature(static)...)))
	} else {
		cert, rest := s.cardCertificate(pan, static)
		keys = append(keys,
			record(put(nil, 0x9F46, cert...)),
			record(put(nil, 0x9F47, cardKey.exponent()...), put(nil, 0x9F48, rest...), put(nil, 0x9F49, 0x9F, 0x37, 0x04)))
	}
	p.records[3] = keys
	p.afl = append(p.afl, 3<<3, 1, byte(len(keys)), 0)
	return p
}

// fci is the answer to SELECT, Book 1, table 45.
func fci(a Application, aid []byte) []byte {
	prop := put(nil, 0x50, []byte(a.Label)...)
	prop = put(prop, 0x87, priority(a))
	if a.PDOL != "" {
		prop = put(prop, 0x9F38, unhex(a.PDOL)...)
	}
	prop = put(prop, 0x5F2D, []byte("zhen")...)
	if a.Preferred != "" {
		prop = put(prop, 0x9F11, 0x01)
		prop = put(prop, 0x9F12, []byte(a.Preferred)...)
	}
	prop = put(prop, 0xBF0C, put(nil, 0x9F4D, logFile, logSize)...)
	return put(nil, 0x6F, slices.Concat(put(nil, 0x84, aid...), put(nil, 0xA5, prop...))...)
}

func priority(a Application) byte {
	p := byte(a.Priority)
	if a.Confirm {
		p |= 0x80
	}
	return p
}

// The payment system environment, Book 1, 12.2.
const pseName = "1PAY.SYS.DDF01"

func pseFCI() []byte {
	prop := slices.Concat(put(nil, 0x88, 0x01), put(nil, 0x5F2D, []byte("zhen")...), put(nil, 0x9F11, 0x01))
	return put(nil, 0x6F, slices.Concat(put(nil, 0x84, []byte(pseName)...), put(nil, 0xA5, prop...))...)
}

// directory is the file of directory entries, one record for each application.
func directory(apps []Application) [][]byte {
	var out [][]byte
	for _, a := range apps {
		e := slices.Concat(put(nil, 0x4F, unhex(a.AID)...), put(nil, 0x50, []byte(a.Label)...), put(nil, 0x87, priority(a)))
		if a.Preferred != "" {
			e = put(e, 0x9F12, []byte(a.Preferred)...)
		}
		out = append(out, record(put(nil, 0x61, e...)))
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
