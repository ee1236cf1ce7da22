package kernel2

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"
)

// track is track data around its discretionary data, a digit or character a byte.
type track struct{ head, dd []byte }

// parseTrack2 reads 9F6B: PAN, D, expiry 4, service code 3, discretionary data, padding F.
func parseTrack2(v []byte) (track, bool) {
	s := bytes.TrimRight(fmt.Appendf(nil, "%X", v), "F")
	sep := bytes.IndexByte(s, 'D')
	if sep < 1 || sep > 19 || len(s) < sep+8 {
		return track{}, false
	}
	for i, c := range s {
		if i != sep && c > '9' {
			return track{}, false
		}
	}
	return track{s[: sep+8 : sep+8], s[sep+8:]}, true
}

// parseTrack1 reads 56: B, PAN, ^, name, ^, expiry 4, service code 3, discretionary data (ISO/IEC 7813).
func parseTrack1(v []byte) (track, bool) {
	if len(v) == 0 || v[0] != 'B' {
		return track{}, false
	}
	a := bytes.IndexByte(v, '^')
	if a < 0 {
		return track{}, false
	}
	b := bytes.IndexByte(v[a+1:], '^')
	end := a + 1 + b + 1 + 7
	if b < 0 || len(v) < end {
		return track{}, false
	}
	for _, c := range v {
		if c < 0x20 || c > 0x5F {
			return track{}, false
		}
	}
	return track{v[:end:end], v[end:]}, true
}

// fillTracks is S13.18 to S13.22 and S14.26 to S14.30: checksum, unpredictable number and ATC go into the discretionary data, where the card's
// bitmaps say, and the last digit tells how many digits the number has. It reports false when a bitmap is wrong.
func (t *tap) fillTracks(digit int) bool {
	db := t.db
	atc := fmt.Sprintf("%05d", db.number(tagATC))
	t2, ok := parseTrack2(db[tagTrack2])
	if !ok || !t2.fill(db.number(tagPCVC3T2), db.number(tagCVC3T2), db.number(tagPUNATCT2), t.un8, t.nUN, atc, int(db.byteOf(tagNATCT2)), digit) {
		return false
	}
	if db.notEmpty(tagTrack1) {
		t1, ok := parseTrack1(db[tagTrack1])
		if !ok || !t1.fill(db.number(tagPCVC3T1), db.number(tagCVC3T1), db.number(tagPUNATCT1), t.un8, t.nUN, atc, int(db.byteOf(tagNATCT1)), digit) {
			return false
		}
		db[tagTrack1] = append(t1.head, t1.dd...)
	}
	db[tagTrack2] = packDigits(string(append(t2.head, t2.dd...)), 'F')
	return true
}

// fill writes into a copy of the discretionary data. Bit 1 of a bitmap is the last digit. The checksum, as a decimal number, goes to the places of
// its bitmap; of the other bitmap's places the ATC takes the most significant ones and the unpredictable number the rest.
func (k *track) fill(pcvc3, cvc3, punatc int64, un string, nUN int, atc string, nATC, digit int) bool {
	dd := bytes.Clone(k.dd)
	q := bits.OnesCount64(uint64(pcvc3))
	if !place(dd, uint64(pcvc3), fmt.Sprintf("%0*d", max(q, 5), cvc3), q) || !place(dd, uint64(punatc), un, nUN) {
		return false
	}
	high := uint64(punatc)
	for range nUN {
		high &= high - 1 // the places of the unpredictable number
	}
	if bits.OnesCount64(high) != nATC {
		return false
	}
	if nATC > len(atc) {
		atc = strings.Repeat("0", nATC-len(atc)) + atc
	}
	if !place(dd, high, atc, nATC) || len(dd) == 0 {
		return false
	}
	dd[len(dd)-1] = byte('0' + digit)
	k.dd = dd
	return true
}

// place writes the last n digits of s to the n least significant places of a bitmap, the last digit to the least significant one.
func place(dd []byte, bitmap uint64, s string, n int) bool {
	for i := range n {
		if bitmap == 0 || i >= len(s) {
			return false
		}
		at := len(dd) - 1 - bits.TrailingZeros64(bitmap)
		if at < 0 {
			return false
		}
		dd[at] = s[len(s)-1-i]
		bitmap &= bitmap - 1
	}
	return true
}
