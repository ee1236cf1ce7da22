// Package iso8583 packs and parses ISO 8583:1987 messages of the 64-field form that the terminals of the UnionPay family speak:
// MTI in two BCD bytes, one bitmap of eight bytes, fields in BCD, ASCII or binary as a table says.
//
// A Spec is the table; a Message holds one message and is used again and again without allocating. Append writes a message to the end of a
// slice, Parse reads one and takes every byte into account: a bit without an entry in the table, bit 1 (a secondary
// bitmap, which this family does not have), a digit above 9, a pad that is not zero, a length beyond the table's maximum and bytes
// after the last field are errors of type *Error, which names the field and the offset.
//
// Sources: ISO 8583:1987 for classes and bitmap; the QCUP 009 style of UnionPay direct connect for the padding of odd numbers
// (left-justified, zero nibble on the right; field 23 on the left) and for lengths that count digits in n and z fields and bytes
// elsewhere.
//
// It will not frame, route, authenticate or interpret: framing is package netlink, TPDU, header and MAC are package acquirer.
// Errors never quote the content of a field.
package iso8583

import "fmt"

// Class is the kind of content of a field (ISO 8583:1987, 4.1).
type Class uint8

// Classes. The zero Class marks a field that the table does not have.
const (
	N   Class = iota + 1 // decimal digits, two in a byte
	Z                    // track data: digits and the separator 'D', two in a byte
	AN                   // letters, digits and blanks, ASCII
	ANS                  // printable ASCII, and bytes above 7F (GBK text of hosts)
	B                    // any bytes
)

func (c Class) String() string {
	switch c {
	case N:
		return "n"
	case Z:
		return "z"
	case AN:
		return "an"
	case ANS:
		return "ans"
	case B:
		return "b"
	}
	return "none"
}

// packed tells whether two characters share a byte on the wire.
func (c Class) packed() bool { return c == N || c == Z }

// Form is how the length of a field is told.
type Form uint8

// Forms.
const (
	Fixed Form = iota // always Max digits or bytes
	LL                // one BCD byte of length
	LLL               // two BCD bytes of length
)

// Field is one row of the table.
type Field struct {
	Name  string // English name
	Zh    string // Chinese name, as the merchant's papers call it
	Class Class
	Form  Form
	Max   int  // digits for N and Z, bytes otherwise; the exact length of a Fixed field
	Right bool // an odd number of digits is padded on the left (field 23); only for Fixed
}

// String is the attribute as specifications write it: "n6", "z..37", "ans...999", "b8".
func (f Field) String() string {
	dots := [...]string{Fixed: "", LL: "..", LLL: "..."}
	return fmt.Sprintf("%v%s%d", f.Class, dots[f.Form], f.Max)
}

// size is the number of wire bytes of n digits or bytes of content.
func (f *Field) size(n int) int {
	if f.Class.packed() {
		return (n + 1) / 2
	}
	return n
}

// Fields is the size of a table: bits 1 to 64.
const Fields = 64

// Spec is a table of fields. It does not change once made and may be shared.
type Spec struct {
	fields [Fields + 1]Field // by field number; 0 and 1 stay empty
}

// NewSpec makes a table. It refuses field numbers outside 2..64, lengths that the form cannot tell, and other nonsense.
func NewSpec(fields map[int]Field) (*Spec, error) {
	return new(Spec).With(fields)
}

// With returns a copy of the table with the given rows added or replaced: an acquirer's dialect.
func (s *Spec) With(fields map[int]Field) (*Spec, error) {
	out := *s
	for n, f := range fields {
		if err := check(n, f); err != nil {
			return nil, err
		}
		out.fields[n] = f
	}
	return &out, nil
}

func check(n int, f Field) error {
	limit := [...]int{Fixed: 999, LL: 99, LLL: 999}
	switch {
	case n < 2 || n > Fields:
		return fmt.Errorf("iso8583: field %d is outside 2..%d", n, Fields)
	case f.Class < N || f.Class > B:
		return fmt.Errorf("iso8583: field %d has no class", n)
	case f.Form > LLL:
		return fmt.Errorf("iso8583: field %d has no form", n)
	case f.Max < 1 || f.Max > limit[f.Form]:
		return fmt.Errorf("iso8583: field %d: maximum %d is outside 1..%d", n, f.Max, limit[f.Form])
	case f.Right && (f.Form != Fixed || !f.Class.packed()):
		return fmt.Errorf("iso8583: field %d: only a fixed number can be right-justified", n)
	}
	return nil
}

// Field returns the row of field n; false when the table does not have it.
func (s *Spec) Field(n int) (Field, bool) {
	if n < 2 || n > Fields || s.fields[n].Class == 0 {
		return Field{}, false
	}
	return s.fields[n], true
}

// Error is a message that cannot be read or built.
type Error struct {
	Field  int    // 0 is the MTI, 1 the bitmap; the last field read for bytes after the message
	Offset int    // bytes from the start of the MTI; for a value given to Set, from the start of the value
	Why    string // never holds content of the message
}

func (e *Error) Error() string {
	return fmt.Sprintf("iso8583: field %d at byte %d: %s", e.Field, e.Offset, e.Why)
}
