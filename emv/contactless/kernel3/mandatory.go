package kernel3

import (
	"strings"

	"posd/emv/tlv"
)

// complete tells whether the card's data are all there and agree (Book C-3, 5.4.2). The terminal's own are: prepare has set them.
func (t *tap) complete() bool {
	for _, tag := range []tlv.Tag{tagAIP, tagDFName, tagIAD, tagAC, tagATC, tagTrack2, tagPDOL} { // 5.4.2.1
		if t.of(tag) == nil {
			return false
		}
	}
	if !t.completeForODA() {
		return false
	}
	account, ok := accountOf(t.of(tagTrack2))
	if !ok {
		return false
	}
	if pan := t.of(tagPAN); pan != nil { // A.2: 5A and 57 name one account
		digits, err := tlv.Compressed(pan)
		if err != nil || digits != account {
			return false
		}
	}
	return true
}

// odaOnline tells whether data authentication is done for online transactions as well: the reader has it (TTQ byte 1 bit 1), and so has
// the card.
func (t *tap) odaOnline() bool {
	aip := t.of(tagAIP)
	return t.ttq[0]&ttqODAOnline != 0 && len(aip) == 2 && aip[0]&(aipDDA|aipSDAOnline) != 0
}

// completeForODA is 5.4.2.1 for readers with data authentication for online transactions: its data are mandatory then, and a key for
// them.
func (t *tap) completeForODA() bool {
	if !t.odaOnline() {
		return true
	}
	want := []tlv.Tag{tagCAIndex, tagIssuerCert, tagIssuerExp, tagPAN}
	if t.of(tagAIP)[0]&aipDDA != 0 {
		want = append(want, tagSDAD, tagICCCert, tagICCExp, tagCARD)
	} else {
		want = append(want, tagSSAD)
	}
	for _, tag := range want {
		if t.of(tag) == nil {
			return false
		}
	}
	index := t.of(tagCAIndex)[0]
	for i := range t.a.CAKeys {
		if k := &t.a.CAKeys[i]; k.Index == index && strings.HasPrefix(string(t.a.ADF), string(k.RID[:])) {
			return true
		}
	}
	return false
}

// accountOf is the account number of track 2 equivalent data 57: digits, the separator D, digits, at most one F at the end.
func accountOf(b []byte) (string, bool) {
	var out [38]byte
	account, separators, n := 0, 0, 0
	for i := range 2 * len(b) {
		d := b[i/2] >> 4
		if i%2 == 1 {
			d = b[i/2] & 0x0F
		}
		switch {
		case d <= 9 && n < len(out):
			out[n] = '0' + d
			n++
		case d == 0xD && separators == 0:
			separators++
			account = n
		case d == 0xF && i == 2*len(b)-1:
		default:
			return "", false
		}
	}
	if separators != 1 || account < 8 || account > 19 {
		return "", false
	}
	return string(out[:account]), true
}
