package iso8583

import (
	"math/bits"
	"strconv"
)

// Message is one message: an MTI and values by field number. Values are in readable form whatever their wire form: ASCII digits for
// n, digits and 'D' for z, bytes as they are otherwise.
//
// A Message is made once and used again: Reset, Set and Append, or Parse and Get. It is for one goroutine.
type Message struct {
	spec  *Spec
	mti   [4]byte // zeros when there is none
	have  uint64  // bit 64-n is field n, as in the bitmap read as a big-endian number
	at    [Fields + 1]span
	store []byte // the values, one after the other
}

// span is where a value lies in the store.
type span struct{ from, to int32 }

// NewMessage returns an empty message over a table.
func NewMessage(spec *Spec) *Message {
	return &Message{spec: spec, store: make([]byte, 0, 512)}
}

// Reset empties the message and overwrites what it held: values are often secret.
func (m *Message) Reset() {
	clear(m.store)
	m.store = m.store[:0]
	m.mti = [4]byte{}
	m.have = 0
}

// Spec returns the table of the message.
func (m *Message) Spec() *Spec { return m.spec }

// MTI returns the message type indicator, four digits, or "" when none is set.
func (m *Message) MTI() string {
	if m.mti[0] == 0 {
		return ""
	}
	return string(m.mti[:])
}

// IsMTI compares without making a string.
func (m *Message) IsMTI(mti string) bool { return m.mti[0] != 0 && string(m.mti[:]) == mti }

// SetMTI sets the message type indicator: four digits.
func (m *Message) SetMTI(mti string) error {
	if len(mti) != 4 {
		return &Error{0, 0, "the MTI has four digits"}
	}
	for i := range len(mti) {
		if !digit(mti[i]) {
			return &Error{0, i, "the MTI has four digits"}
		}
	}
	copy(m.mti[:], mti)
	return nil
}

func bit(n int) uint64 { return 1 << (Fields - n) }

// Has tells whether field n is present.
func (m *Message) Has(n int) bool { return n >= 2 && n <= Fields && m.have&bit(n) != 0 }

// Get returns the value of field n, nil when it is absent. It is valid until the next Set, Unset, Parse or Reset.
func (m *Message) Get(n int) []byte {
	if !m.Has(n) {
		return nil
	}
	s := m.at[n]
	return m.store[s.from:s.to:s.to]
}

// Text returns a copy of field n, "" when it is absent.
func (m *Message) Text(n int) string { return string(m.Get(n)) }

// Present returns the numbers of the fields that are present, in order, appended to dst.
func (m *Message) Present(dst []int) []int {
	for rest := m.have; rest != 0; {
		n := bits.LeadingZeros64(rest) + 1
		rest &^= bit(n)
		dst = append(dst, n)
	}
	return dst
}

// Unset removes field n.
func (m *Message) Unset(n int) {
	if m.Has(n) {
		clear(m.Get(n))
		m.have &^= bit(n)
	}
}

// Set gives field n a value in readable form. The length of a fixed field must be exact. The value is copied.
func (m *Message) Set(n int, value []byte) error { return set(m, n, value) }

// SetText is Set with a string.
func (m *Message) SetText(n int, value string) error { return set(m, n, value) }

// SetNumber gives a fixed n field a number, with zeros before it.
func (m *Message) SetNumber(n int, value uint64) error {
	f, ok := m.spec.Field(n)
	if !ok {
		return &Error{n, 0, "is not in the table"}
	}
	if f.Class != N || f.Form != Fixed || f.Max > 20 {
		return &Error{n, 0, "is not a fixed number of at most 20 digits"}
	}
	var raw [40]byte
	for i := range 20 {
		raw[i] = '0'
	}
	all := strconv.AppendUint(raw[:20], value, 10)
	if len(all)-20 > f.Max {
		return &Error{n, 0, "the number has too many digits"}
	}
	return set(m, n, all[len(all)-f.Max:])
}

func set[T string | []byte](m *Message, n int, value T) error {
	if n < 2 || n > Fields || m.spec.fields[n].Class == 0 {
		return &Error{n, 0, "is not in the table"}
	}
	f := &m.spec.fields[n]
	if len(value) > f.Max {
		return &Error{n, f.Max, "is longer than the table allows"}
	}
	if f.Form == Fixed && len(value) != f.Max {
		return &Error{n, len(value), "is shorter than the table's fixed length"}
	}
	for i := range len(value) {
		if !f.Class.allows(value[i]) {
			return &Error{n, i, "has a character that its class does not allow"}
		}
	}
	if old := m.at[n]; m.have&bit(n) != 0 && int(old.to-old.from) == len(value) {
		copy(m.store[old.from:old.to], value)
		return nil
	}
	m.Unset(n)
	m.grow(len(value))
	from := len(m.store)
	m.store = append(m.store, value...)
	m.at[n] = span{int32(from), int32(len(m.store))}
	m.have |= bit(n)
	return nil
}

// grow makes room for n more bytes. The old store is overwritten when it is left behind: append alone would leave its secrets in memory.
func (m *Message) grow(n int) {
	if len(m.store)+n <= cap(m.store) {
		return
	}
	bigger := make([]byte, len(m.store), 2*cap(m.store)+n)
	copy(bigger, m.store)
	clear(m.store)
	m.store = bigger
}

// Append writes the message, MTI first, to the end of dst and returns the longer slice. It fails only when there is no MTI.
func (m *Message) Append(dst []byte) ([]byte, error) {
	if m.mti[0] == 0 {
		return dst, &Error{0, 0, "the message has no MTI"}
	}
	dst = appendBCD(dst, m.mti[:])
	for shift := 56; shift >= 0; shift -= 8 {
		dst = append(dst, byte(m.have>>shift))
	}
	for rest := m.have; rest != 0; {
		n := bits.LeadingZeros64(rest) + 1
		rest &^= bit(n)
		f, s := &m.spec.fields[n], m.at[n]
		value := m.store[s.from:s.to]
		switch f.Form {
		case LLL:
			dst = append(dst, byte(len(value)/100), toBCD(len(value)%100))
		case LL:
			dst = append(dst, toBCD(len(value)))
		}
		switch {
		case !f.Class.packed():
			dst = append(dst, value...)
		case f.Right && len(value)%2 != 0:
			dst = append(dst, nibble(value[0]))
			dst = appendBCD(dst, value[1:])
		default:
			dst = appendBCD(dst, value)
		}
	}
	return dst, nil
}

// Parse reads one whole message. After an error the message is empty: nothing of a broken message can be used by mistake.
func (m *Message) Parse(b []byte) error {
	m.Reset()
	if err := m.parse(b); err != nil {
		m.Reset()
		return err
	}
	return nil
}

func (m *Message) parse(b []byte) error {
	if len(b) < 2 {
		return &Error{0, len(b), "the message ends inside the MTI"}
	}
	for i, c := range b[:2] {
		if c>>4 > 9 || c&15 > 9 {
			return &Error{0, i, "the MTI has a digit above 9"}
		}
		m.mti[2*i], m.mti[2*i+1] = '0'+c>>4, '0'+c&15
	}
	if len(b) < 10 {
		return &Error{1, len(b), "the message ends inside the bitmap"}
	}
	var have uint64
	for _, c := range b[2:10] {
		have = have<<8 | uint64(c)
	}
	if have&bit(1) != 0 {
		return &Error{1, 2, "bit 1 announces a second bitmap, which this family does not have"}
	}
	m.grow(2 * len(b)) // digits take twice their room: the store never grows by more than that
	at, n := 10, 1
	for rest := have; rest != 0; {
		n = bits.LeadingZeros64(rest) + 1
		rest &^= bit(n)
		var err error
		if at, err = m.parseField(b, at, n); err != nil {
			return err
		}
	}
	if at != len(b) {
		return &Error{n, at, "bytes follow the last field"}
	}
	m.have = have
	return nil
}

// parseField reads field n at offset at and returns the offset behind it.
func (m *Message) parseField(b []byte, at, n int) (int, error) {
	f := &m.spec.fields[n]
	if f.Class == 0 {
		return 0, &Error{n, at, "is not in the table"}
	}
	length := f.Max
	if f.Form != Fixed {
		var err error
		if length, at, err = readLength(b, at, n, f); err != nil {
			return 0, err
		}
	}
	size := f.size(length)
	if size > len(b)-at {
		return 0, &Error{n, len(b), "the message ends inside the field"}
	}
	wire, from := b[at:at+size], len(m.store)
	if !f.Class.packed() {
		if f.Class != B {
			for i, c := range wire {
				if !f.Class.allows(c) {
					return 0, &Error{n, at + i, "has a character that its class does not allow"}
				}
			}
		}
		m.store = append(m.store, wire...)
	} else if bad, why := m.unpack(wire, length, f); why != "" {
		return 0, &Error{n, at + bad, why}
	}
	m.at[n] = span{int32(from), int32(len(m.store))}
	return at + size, nil
}

// readLength reads a length in BCD and returns it with the offset behind it.
func readLength(b []byte, at, n int, f *Field) (length, behind int, err error) {
	for range int(f.Form) { // LL takes one byte, LLL two
		if at >= len(b) {
			return 0, 0, &Error{n, at, "the message ends inside the length"}
		}
		c := b[at]
		if c>>4 > 9 || c&15 > 9 {
			return 0, 0, &Error{n, at, "the length has a digit above 9"}
		}
		length = length*100 + int(c>>4)*10 + int(c&15)
		at++
	}
	if length > f.Max {
		return 0, 0, &Error{n, at - 1, "the length is above the table's maximum"}
	}
	return length, at, nil
}

// charN and charZ are the characters of wire digits; zero is a digit that the class does not have.
var (
	charN = [16]byte{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9'}
	charZ = [16]byte{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 0xD: 'D'}
)

// unpack appends length characters of packed digits to the store. On failure it returns the byte and the reason.
func (m *Message) unpack(wire []byte, length int, f *Field) (bad int, why string) {
	const wrongDigit, wrongPad = "has a digit that its class does not allow", "the pad is not zero"
	chars := &charN
	if f.Class == Z {
		chars = &charZ
	}
	pairs, odd := wire, length%2 != 0
	if odd && f.Right {
		if wire[0]>>4 != 0 {
			return 0, wrongPad
		}
		if wire[0] > 9 {
			return 0, wrongDigit
		}
		m.store = append(m.store, '0'+wire[0])
		pairs, bad = wire[1:], 1
	} else if odd {
		pairs = wire[:len(wire)-1]
	}
	for i, c := range pairs {
		hi, lo := chars[c>>4], chars[c&15]
		if hi == 0 || lo == 0 {
			return bad + i, wrongDigit
		}
		m.store = append(m.store, hi, lo)
	}
	if odd && !f.Right {
		last := len(wire) - 1
		hi, pad := chars[wire[last]>>4], wire[last]&15
		if hi == 0 {
			return last, wrongDigit
		}
		// Hosts pad track data with F as well as with 0.
		if pad != 0 && (f.Class != Z || pad != 0xF) {
			return last, wrongPad
		}
		m.store = append(m.store, hi)
	}
	return 0, ""
}
