// Package tlv reads and writes the data objects of EMV: BER-TLV as restricted by EMV 4.3 Book 3, Annex B, data object lists (Book 3,
// 5.4) and the number formats n and cn (Book 3, 4.3).
//
// Everything here reads bytes that a card or a host has chosen. Decoding is bounded by the length of its input, descends at most
// MaxDepth levels and does not recurse; values are slices of the input, never copies. Indefinite lengths (80) and tags of more than
// four bytes are refused. Zeros between objects are skipped and lengths need not be minimal (Book 3, Annexes B1 and B2); FF between
// objects is skipped too, as ISO/IEC 7816-4 once had it, so no tag begins with it. The package knows names and formats of data
// objects but not their meaning.
package tlv

// Tag is a BER-TLV tag as the number its bytes spell, first byte most significant: 0x9F02, 0x5A, 0xDF8117.
type Tag uint32

// Constructed tells whether the value of the object is itself a list of objects (Book 3, B1, bit 6 of the first byte).
func (t Tag) Constructed() bool {
	for t > 0xFF {
		t >>= 8
	}
	return t&0x20 != 0
}

// Len is the number of bytes of the tag, 1 to 4.
func (t Tag) Len() int {
	switch {
	case t <= 0xFF:
		return 1
	case t <= 0xFFFF:
		return 2
	case t <= 0xFFFFFF:
		return 3
	}
	return 4
}

// Valid tells whether the number spells exactly one tag: 0x5A00 does not, since 5A is complete.
func (t Tag) Valid() bool {
	var b [4]byte
	got, n, why := readTag(t.Append(b[:0]))
	return why == "" && got == t && n == t.Len()
}

// Append writes the tag behind dst.
func (t Tag) Append(dst []byte) []byte {
	for i := t.Len() - 1; i >= 0; i-- {
		dst = append(dst, byte(t>>(8*i)))
	}
	return dst
}

// String is the tag in hex: "9F02".
func (t Tag) String() string {
	const digits = "0123456789ABCDEF"
	var b [8]byte
	n := 2 * t.Len()
	for i := range n {
		b[i] = digits[t>>(4*(n-1-i))&0xF]
	}
	return string(b[:n])
}

// readTag reads the tag at the start of b and returns how many bytes it has, or why it is none.
func readTag(b []byte) (t Tag, n int, why string) {
	if len(b) == 0 {
		return 0, 0, "no tag"
	}
	if b[0] == 0x00 || b[0] == 0xFF {
		return 0, 0, "padding where a tag must be"
	}
	t = Tag(b[0])
	if b[0]&0x1F != 0x1F {
		return t, 1, ""
	}
	for i := 1; i < len(b); i++ {
		if i == 4 {
			return 0, 0, "tag longer than four bytes"
		}
		t = t<<8 | Tag(b[i])
		if b[i]&0x80 == 0 {
			return t, i + 1, ""
		}
	}
	return 0, 0, "tag cut off"
}
