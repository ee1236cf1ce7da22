package oracle

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"

	"posd/netlink/iso8583"
)

// nibbles packs track data, whose separator the oracle's own BCD refuses.
type nibbles struct{}

func (nibbles) Encode(src []byte) ([]byte, error) {
	text := src
	if len(text)%2 != 0 {
		text = append(bytes.Clone(text), '0')
	}
	out := make([]byte, len(text)/2)
	_, err := hex.Decode(out, text)
	return out, err
}

func (nibbles) Decode(src []byte, n int) ([]byte, int, error) {
	read := (n + 1) / 2
	if len(src) < read {
		return nil, 0, fmt.Errorf("%d bytes wanted, %d left", read, len(src))
	}
	out := bytes.ToUpper(hex.AppendEncode(nil, src[:read]))
	return out[:n], read, nil
}

// left is the oracle's left-justified BCD, kept from decoding whatever follows the field as well (v0.23.2 does, and then refuses
// the message for it).
type left struct{}

func (left) Encode(src []byte) ([]byte, error) { return encoding.LBCD.Encode(src) }

func (left) Decode(src []byte, n int) ([]byte, int, error) {
	return encoding.LBCD.Decode(src[:min(len(src), (n+1)/2)], n)
}

// oracleSpec says in the oracle's terms what our table says.
func oracleSpec() *moov.MessageSpec {
	fields := map[int]field.Field{
		0: field.NewString(&field.Spec{Length: 4, Enc: encoding.BCD, Pref: prefix.BCD.Fixed}),
		1: field.NewBitmap(&field.Spec{Enc: encoding.Binary, Pref: prefix.Binary.Fixed}),
	}
	for n := 2; n <= iso8583.Fields; n++ {
		f, ok := iso8583.UnionPay.Field(n)
		if !ok {
			continue
		}
		s := &field.Spec{Length: f.Max, Description: f.Name}
		s.Pref = [...]prefix.Prefixer{iso8583.Fixed: prefix.BCD.Fixed, iso8583.LL: prefix.BCD.LL, iso8583.LLL: prefix.BCD.LLL}[f.Form]
		switch f.Class {
		case iso8583.N:
			s.Enc = left{}
			if f.Right || f.Form == iso8583.Fixed && f.Max%2 == 0 {
				s.Enc = encoding.BCD
			}
			fields[n] = field.NewString(s)
		case iso8583.Z:
			s.Enc = nibbles{}
			fields[n] = field.NewString(s)
		case iso8583.AN:
			s.Enc = encoding.ASCII
			fields[n] = field.NewString(s)
		case iso8583.ANS:
			s.Enc = encoding.Binary // its ASCII refuses the GBK texts of hosts
			fields[n] = field.NewString(s)
		case iso8583.B:
			s.Enc = encoding.Binary
			fields[n] = field.NewBinary(s)
		}
	}
	return &moov.MessageSpec{Name: "UnionPay", Fields: fields}
}

var spec = oracleSpec()

// text is an MTI and its fields.
type text struct {
	mti    string
	fields map[int]string
}

func (m text) ours(t testing.TB) []byte {
	t.Helper()
	msg := iso8583.NewMessage(iso8583.UnionPay)
	if err := msg.SetMTI(m.mti); err != nil {
		t.Fatal(err)
	}
	for n, v := range m.fields {
		if err := msg.SetText(n, v); err != nil {
			t.Fatal(err)
		}
	}
	b, err := msg.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (m text) theirs() ([]byte, error) {
	msg := moov.NewMessage(spec)
	msg.MTI(m.mti)
	for n, v := range m.fields {
		if f, _ := iso8583.UnionPay.Field(n); f.Class == iso8583.B {
			if err := msg.BinaryField(n, []byte(v)); err != nil {
				return nil, err
			}
		} else if err := msg.Field(n, v); err != nil {
			return nil, err
		}
	}
	return msg.Pack()
}

// random draws a message that our table allows.
func random(r *rand.Rand) text {
	const digits, letters = "0123456789", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ abcxyz"
	pick := func(from string, n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte(from[r.IntN(len(from))])
		}
		return b.String()
	}
	m := text{pick(digits, 4), map[int]string{}}
	for n := 2; n <= iso8583.Fields; n++ {
		f, ok := iso8583.UnionPay.Field(n)
		if !ok || r.IntN(2) == 0 {
			continue
		}
		length := f.Max
		if f.Form != iso8583.Fixed {
			length = 1 + r.IntN(f.Max)
		}
		switch f.Class {
		case iso8583.N:
			m.fields[n] = pick(digits, length)
		case iso8583.Z:
			m.fields[n] = pick(digits+"D", length)
		case iso8583.AN:
			m.fields[n] = pick(letters, length)
		case iso8583.ANS:
			m.fields[n] = pick(letters+"-/.\xd6\xd0\xb9\xfa", length)
		case iso8583.B:
			b := make([]byte, length)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			m.fields[n] = string(b)
		}
	}
	return m
}

// Both codecs write the same bytes for the same message, and read the same values out of them.
func TestSameMessages(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		m := random(r)
		ours := m.ours(t)
		theirs, err := m.theirs()
		if err != nil {
			t.Fatalf("message %d: the oracle cannot pack it: %v", i, err)
		}
		if !bytes.Equal(ours, theirs) {
			t.Fatalf("message %d:\nours   %x\ntheirs %x", i, ours, theirs)
		}
		sameValues(t, ours)
	}
}

// sameValues parses b with both and compares; false when we refuse it.
func sameValues(t testing.TB, b []byte) bool {
	t.Helper()
	msg := iso8583.NewMessage(iso8583.UnionPay)
	if err := msg.Parse(b); err != nil {
		return false
	}
	oracle := moov.NewMessage(spec)
	if err := oracle.Unpack(b); err != nil {
		t.Fatalf("we read %x, the oracle does not: %v", b, err)
	}
	if mti, err := oracle.GetMTI(); err != nil || mti != msg.MTI() {
		t.Fatalf("MTI %q and %q, %v", msg.MTI(), mti, err)
	}
	seen := 0
	for n := range oracle.GetFields() {
		if n < 2 {
			continue
		}
		seen++
		v, err := oracle.GetBytes(n)
		if err != nil || !bytes.Equal(v, msg.Get(n)) {
			t.Fatalf("field %d of %x: ours %q, theirs %q, %v", n, b, msg.Get(n), v, err)
		}
	}
	if have := len(msg.Present(nil)); have != seen {
		t.Fatalf("%x: we have %d fields, the oracle %d", b, have, seen)
	}
	return true
}

// Messages with a byte changed: whatever we still read, the oracle reads the same. (It also reads much that we refuse: bytes after the
// last field, pads that are not zero, a second bitmap, control characters in text.)
func TestDamagedMessages(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	read := 0
	for range 4000 {
		b := random(r).ours(t)
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		if sameValues(t, b) {
			read++
		}
	}
	if read < 100 {
		t.Errorf("only %d damaged messages could be read: the test compares nothing", read)
	}
}

// sale is a chip sale with PIN, as a terminal sends it a thousand times a day.
var sale = text{"0200", map[int]string{
	2: "6222021234567890128", 3: "000000", 4: "000000012345", 11: "000042", 14: "3012", 22: "051", 23: "001", 25: "00", 26: "12",
	35: "6222021234567890128D30122010000000000", 41: "12345678", 42: "898110153110001", 49: "156", 52: "\x01\x23\x45\x67\x89\xab\xcd\xef",
	53: "2600000000000000", 55: strings.Repeat("\x9f\x26\x08AAAAAAAA", 12), 60: "22000001000500", 64: "0123ABCD",
}}

func BenchmarkPackOurs(b *testing.B) {
	msg := iso8583.NewMessage(iso8583.UnionPay)
	var buf []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		msg.Reset()
		if err = msg.SetMTI(sale.mti); err != nil {
			b.Fatal(err)
		}
		for n, v := range sale.fields {
			if err := msg.SetText(n, v); err != nil {
				b.Fatal(err)
			}
		}
		if buf, err = msg.Append(buf[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPackMoov(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sale.theirs(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseOurs(b *testing.B) {
	wire := sale.ours(b)
	msg := iso8583.NewMessage(iso8583.UnionPay)
	b.ReportAllocs()
	for b.Loop() {
		if err := msg.Parse(wire); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseMoov(b *testing.B) {
	wire := sale.ours(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := moov.NewMessage(spec).Unpack(wire); err != nil {
			b.Fatal(err)
		}
	}
}
