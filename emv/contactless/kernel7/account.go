package kernel7

import (
	"strings"

	"posd/emv/tlv"
)

// account reads what names the card, so far as it has come: number, sequence number, expiry date. Two numbers that differ end the
// transaction: which account would pay is anybody's guess.
func (r *run) account() (why string, args []any) {
	pan := ""
	if v, ok := r.icc.Get(tagPAN); ok {
		var err error
		if pan, err = tlv.Compressed(v); err != nil || len(v) > 10 || len(pan) < 8 || len(pan) > 19 {
			return "%s is not an account number", []any{tagPAN}
		}
	}
	if v, ok := r.icc.Get(tagTrack2); ok {
		t2, ok := track2PAN(v)
		if !ok {
			return "%s is not track 2 data", []any{tagTrack2}
		}
		if pan != "" && pan != t2 {
			return "%s and %s name different accounts", []any{tagPAN, tagTrack2}
		}
		pan = t2
	}
	r.pan = pan
	if v, ok := r.icc.Get(tagPSN); ok {
		psn, err := tlv.Digits(v)
		if err != nil || len(v) != 1 {
			return "%s is not two digits", []any{tagPSN}
		}
		r.psn = psn
	}
	if v, ok := r.icc.Get(tagExpiry); ok {
		n, err := tlv.Number(v)
		y, m, d := int(n/10000), int(n/100%100), int(n%100)
		if err != nil || len(v) != 3 || m < 1 || m > 12 || d < 1 || d > 31 {
			return "%s is not a date", []any{tagExpiry}
		}
		if y < 50 { // Book 4, 6.7.3
			y += 100
		}
		r.expiry = (1900+y)*10000 + m*100 + d
	}
	return "", nil
}

// panField is the account number as the field 5A has it, for the certificates.
func (r *run) panField() []byte {
	if v, ok := r.icc.Get(tagPAN); ok {
		return v
	}
	digits := r.pan
	if len(digits)%2 == 1 {
		digits += "?" // nibble F
	}
	out := make([]byte, len(digits)/2)
	for i := range out {
		out[i] = digits[2*i]<<4 | digits[2*i+1]&0x0F
	}
	return out
}

// track2PAN is the account number of tag 57: digits, one separator D, digits, at most one nibble F behind them.
func track2PAN(b []byte) (string, bool) {
	if len(b) > 19 {
		return "", false
	}
	out := make([]byte, 0, 2*len(b))
	for i := range 2 * len(b) {
		n := b[i/2] >> 4
		if i%2 == 1 {
			n = b[i/2] & 0x0F
		}
		switch {
		case n <= 9:
			out = append(out, '0'+n)
		case n == 0xD:
			out = append(out, 'D')
		case n == 0xF && i == 2*len(b)-1:
		default:
			return "", false
		}
	}
	pan, rest, ok := strings.Cut(string(out), "D")
	if !ok || strings.Contains(rest, "D") || len(pan) < 8 || len(pan) > 19 {
		return "", false
	}
	return pan, true
}
