package tlv

import "fmt"

// MaxDOL is the longest data object list that is read: what fits into one record or FCI (Book 3, Annex A: up to 252 bytes).
const MaxDOL = 252

// Entry is one tag and length of a data object list.
type Entry struct {
	Tag Tag
	Len int // 0 to 255
}

// DOL is a parsed data object list: PDOL 9F38, CDOL1 8C, CDOL2 8D, TDOL 97 or DDOL 9F49.
type DOL []Entry

// ParseDOL reads a data object list: tags and one-byte lengths, no values (Book 3, 5.4). Padding is not allowed here.
func ParseDOL(b []byte) (DOL, error) {
	if len(b) > MaxDOL {
		return nil, &Error{Offset: MaxDOL, Reason: fmt.Sprintf("data object list of %d bytes", len(b))}
	}
	dol := make(DOL, 0, len(b)/2)
	for pos := 0; pos < len(b); {
		t, n, why := readTag(b[pos:])
		if why != "" {
			return nil, &Error{Offset: pos, Reason: why}
		}
		if pos+n == len(b) {
			return nil, &Error{Path: []Tag{t}, Offset: pos, Reason: "no length"}
		}
		dol = append(dol, Entry{t, int(b[pos+n])})
		pos += n + 1
	}
	return dol, nil
}

// Has tells whether the list asks for t.
func (d DOL) Has(t Tag) bool {
	for _, e := range d {
		if e.Tag == t {
			return true
		}
	}
	return false
}

// Len is the number of bytes that Append will write.
func (d DOL) Len() int {
	n := 0
	for _, e := range d {
		n += e.Len
	}
	return n
}

// Append writes the concatenated values behind dst, each cut or filled to the length the list asks for (Book 3, 5.4):
//
//   - no such object, or a constructed one: zeros;
//   - too long: format n loses bytes on the left, every other format on the right;
//   - too short: format n is filled with zeros on the left, cn with F on the right, every other format with zeros on the right.
//
// max bounds what is written: a card that asks for more than a command can carry has broken the specification.
func (d DOL) Append(dst []byte, max int, get func(Tag) ([]byte, bool)) ([]byte, error) {
	if n := d.Len(); n > max {
		return dst, &Error{Reason: fmt.Sprintf("data object list asks for %d bytes, at most %d can be given", n, max)}
	}
	for _, e := range d {
		var v []byte
		if !e.Tag.Constructed() {
			v, _ = get(e.Tag)
		}
		f := FormatOf(e.Tag)
		switch fill := e.Len - len(v); {
		case len(v) == 0:
			dst = appendFill(dst, 0x00, e.Len)
		case fill == 0:
			dst = append(dst, v...)
		case fill < 0 && f == FormatN:
			dst = append(dst, v[-fill:]...)
		case fill < 0:
			dst = append(dst, v[:e.Len]...)
		case f == FormatN:
			dst = append(appendFill(dst, 0x00, fill), v...)
		case f == FormatCN:
			dst = appendFill(append(dst, v...), 0xFF, fill)
		default:
			dst = appendFill(append(dst, v...), 0x00, fill)
		}
	}
	return dst, nil
}

func appendFill(dst []byte, c byte, n int) []byte {
	for range n {
		dst = append(dst, c)
	}
	return dst
}
