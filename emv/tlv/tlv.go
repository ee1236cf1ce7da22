package tlv

import (
	"errors"
	"fmt"
	"math"
)

// MaxDepth is how many levels of constructed objects Walk and Find enter. The deepest structure of the contact books has three
// (6F / A5 / BF0C).
const MaxDepth = 8

// ErrSyntax is wrapped by every error of this package about the bytes it was given.
var ErrSyntax = errors.New("tlv: malformed")

// Error says what is wrong in a run of bytes, and where. It never quotes a value.
type Error struct {
	Path   []Tag // the constructed objects around the place, outermost first, then the object itself when its tag was read
	Offset int   // of the object's first byte, from the start of the outermost input
	Reason string
}

func (e *Error) Error() string {
	path := ""
	for _, t := range e.Path {
		path += "/" + t.String()
	}
	if path != "" {
		path = " in " + path[1:]
	}
	return fmt.Sprintf("%v: %s at offset %d%s", ErrSyntax, e.Reason, e.Offset, path)
}

func (e *Error) Unwrap() error { return ErrSyntax }

// Object is one decoded data object. Value is a slice of the input.
type Object struct {
	Tag    Tag
	Value  []byte
	Offset int // of the tag's first byte in the input
	End    int // behind the last byte of the value
}

// Decoder walks the objects of one level.
type Decoder struct {
	b   []byte
	pos int
	err *Error
}

// NewDecoder returns a Decoder of the objects in b. It does not descend into constructed ones.
func NewDecoder(b []byte) Decoder { return Decoder{b: b} }

// Next returns the next object and true, or false at the end or at an error.
func (d *Decoder) Next() (Object, bool) {
	if d.err != nil {
		return Object{}, false
	}
	for d.pos < len(d.b) && (d.b[d.pos] == 0x00 || d.b[d.pos] == 0xFF) {
		d.pos++
	}
	if d.pos == len(d.b) {
		return Object{}, false
	}
	o := Object{Offset: d.pos}
	t, n, why := readTag(d.b[d.pos:])
	if why != "" {
		d.err = &Error{Offset: d.pos, Reason: why}
		return Object{}, false
	}
	o.Tag = t
	v := d.pos + n
	length, m, why := readLength(d.b[v:])
	if why != "" {
		d.err = &Error{Path: []Tag{t}, Offset: d.pos, Reason: why}
		return Object{}, false
	}
	v += m
	if length > uint64(len(d.b)-v) {
		d.err = &Error{Path: []Tag{t}, Offset: d.pos, Reason: fmt.Sprintf("length %d, but %d bytes left", length, len(d.b)-v)}
		return Object{}, false
	}
	o.End = v + int(length)
	o.Value = d.b[v:o.End:o.End]
	d.pos = o.End
	return o, true
}

// Err is nil or an *Error once Next has returned false.
func (d *Decoder) Err() error {
	if d.err == nil {
		return nil
	}
	return d.err
}

// readLength reads a definite length (Book 3, B2). EMV uses up to three bytes; four are read so that an absurd length is reported
// as such.
func readLength(b []byte) (length uint64, n int, why string) {
	if len(b) == 0 {
		return 0, 0, "no length"
	}
	if b[0] < 0x80 {
		return uint64(b[0]), 1, ""
	}
	n = int(b[0] & 0x7F)
	switch {
	case n == 0:
		return 0, 0, "indefinite length"
	case n > 4:
		return 0, 0, fmt.Sprintf("length of %d bytes", n)
	case len(b) < 1+n:
		return 0, 0, "length cut off"
	}
	for _, c := range b[1 : 1+n] {
		length = length<<8 | uint64(c)
	}
	return length, 1 + n, ""
}

// Walk calls fn for every object in b, depth first, a constructed object before its contents. path holds the tags around the
// object; it is only valid during the call. fn returns whether to enter a constructed object; an error from fn ends the walk and
// is returned as it is. Offsets in errors and objects count from the start of b.
func Walk(b []byte, fn func(path []Tag, o Object) (enter bool, err error)) error {
	type level struct {
		d    Decoder
		base int
	}
	var stack [MaxDepth + 1]level
	var path [MaxDepth]Tag
	stack[0] = level{d: NewDecoder(b)}
	depth := 0
	for {
		l := &stack[depth]
		o, ok := l.d.Next()
		if !ok {
			if e := l.d.err; e != nil {
				return &Error{Path: append(append([]Tag(nil), path[:depth]...), e.Path...), Offset: l.base + e.Offset, Reason: e.Reason}
			}
			if depth == 0 {
				return nil
			}
			depth--
			continue
		}
		inner := l.base + o.End - len(o.Value)
		o.Offset += l.base
		o.End += l.base
		enter, err := fn(path[:depth], o)
		if err != nil {
			return err
		}
		if !enter || !o.Tag.Constructed() {
			continue
		}
		if depth == MaxDepth {
			return &Error{Path: append([]Tag(nil), path[:depth]...), Offset: o.Offset, Reason: "nested too deeply"}
		}
		path[depth] = o.Tag
		depth++
		stack[depth] = level{d: NewDecoder(o.Value), base: inner}
	}
}

// Find returns the value of the first object that lies at path in b: Find(fci, 0x6F, 0xA5, 0x9F38). It returns false when there is
// none, or when the bytes before it are malformed.
func Find(b []byte, path ...Tag) ([]byte, bool) {
	if len(path) == 0 || len(path) > MaxDepth {
		return nil, false
	}
	for i, t := range path {
		d := NewDecoder(b)
		for {
			o, ok := d.Next()
			if !ok {
				return nil, false
			}
			if o.Tag == t {
				if i == len(path)-1 {
					return o.Value, true
				}
				b = o.Value
				break
			}
		}
	}
	return nil, false
}

// One decodes b as exactly one object with nothing behind it but padding.
func One(b []byte) (Object, error) {
	d := NewDecoder(b)
	o, ok := d.Next()
	if !ok {
		if d.err != nil {
			return Object{}, d.err
		}
		return Object{}, &Error{Offset: len(b), Reason: "no object"}
	}
	if more, ok := d.Next(); ok {
		return Object{}, &Error{Path: []Tag{more.Tag}, Offset: more.Offset, Reason: "object behind the only one expected"}
	}
	return o, d.Err()
}

// Append writes an object behind dst, with the shortest length field. A value of more than 65535 bytes cannot be part of EMV: it
// panics, since values come from the terminal's own code.
func Append(dst []byte, t Tag, value []byte) []byte {
	dst = AppendLength(t.Append(dst), len(value))
	return append(dst, value...)
}

// AppendLength writes a length field behind dst, 0 to 65535.
func AppendLength(dst []byte, n int) []byte {
	switch {
	case n < 0 || n > math.MaxUint16:
		panic("tlv: length out of range")
	case n < 0x80:
		return append(dst, byte(n))
	case n <= 0xFF:
		return append(dst, 0x81, byte(n))
	}
	return append(dst, 0x82, byte(n>>8), byte(n))
}
