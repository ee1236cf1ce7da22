package tlv

import "fmt"

// Digits reads format n: two digits a byte, most significant first. A nibble A to F is an *Error with its byte offset.
func Digits(b []byte) (string, error) {
	out := make([]byte, 0, 2*len(b))
	for i, c := range b {
		if c>>4 > 9 || c&0xF > 9 {
			return "", &Error{Offset: i, Reason: "not a decimal digit"}
		}
		out = append(out, '0'+c>>4, '0'+c&0xF)
	}
	return string(out), nil
}

// Compressed reads format cn: digits left-justified, the rest filled with F (Book 3, 4.3).
func Compressed(b []byte) (string, error) {
	out := make([]byte, 0, 2*len(b))
	ended := false
	for i := range 2 * len(b) {
		d := b[i/2] >> 4
		if i%2 == 1 {
			d = b[i/2] & 0xF
		}
		switch {
		case d == 0xF:
			ended = true
		case ended:
			return "", &Error{Offset: i / 2, Reason: "digit behind the padding"}
		case d > 9:
			return "", &Error{Offset: i / 2, Reason: "not a decimal digit"}
		default:
			out = append(out, '0'+d)
		}
	}
	return string(out), nil
}

// Number reads format n as an integer, up to 18 digits.
func Number(b []byte) (int64, error) {
	if len(b) > 9 {
		return 0, &Error{Reason: fmt.Sprintf("number of %d bytes", len(b))}
	}
	var v int64
	for i, c := range b {
		if c>>4 > 9 || c&0xF > 9 {
			return 0, &Error{Offset: i, Reason: "not a decimal digit"}
		}
		v = v*100 + int64(c>>4)*10 + int64(c&0xF)
	}
	return v, nil
}

// AppendNumber writes v as n bytes of format n behind dst. It reports false, with dst unchanged, when v is negative or has more
// than 2n digits.
func AppendNumber(dst []byte, v int64, n int) ([]byte, bool) {
	if v < 0 {
		return dst, false
	}
	start := len(dst)
	dst = appendFill(dst, 0, n)
	for i := len(dst) - 1; i >= start; i-- {
		dst[i] = byte(v%10) | byte(v/10%10)<<4
		v /= 100
	}
	if v != 0 {
		return dst[:start], false
	}
	return dst, true
}
