package iso8583

func digit(c byte) bool { return c-'0' <= 9 }

// allows tells whether a character may stand in a value of the class.
func (c Class) allows(ch byte) bool {
	switch c {
	case N:
		return digit(ch)
	case Z:
		return digit(ch) || ch == 'D'
	case AN:
		return digit(ch) || ch == ' ' || ch|0x20 >= 'a' && ch|0x20 <= 'z'
	case ANS:
		return ch >= 0x20 && ch != 0x7F && ch != 0xFF
	}
	return true
}

// nibble is the wire form of a digit or of the separator 'D'.
func nibble(ch byte) byte {
	if ch == 'D' {
		return 0xD
	}
	return ch & 15
}

// appendBCD packs characters two in a byte, left-justified, with a zero nibble behind an odd number of them.
func appendBCD(dst, chars []byte) []byte {
	for len(chars) >= 2 {
		dst = append(dst, nibble(chars[0])<<4|nibble(chars[1]))
		chars = chars[2:]
	}
	if len(chars) == 1 {
		dst = append(dst, nibble(chars[0])<<4)
	}
	return dst
}

// toBCD is a number of 0..99 in one byte.
func toBCD(n int) byte { return byte(n/10<<4 | n%10) }
