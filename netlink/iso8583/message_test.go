package iso8583

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(strings.ReplaceAll(s, " ", ""), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func build(t testing.TB, mti string, fields map[int]string) *Message {
	t.Helper()
	m := NewMessage(UnionPay)
	if err := m.SetMTI(mti); err != nil {
		t.Fatal(err)
	}
	for n, v := range fields {
		if err := m.SetText(n, v); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func values(m *Message) map[int]string {
	out := map[int]string{}
	for _, n := range m.Present(nil) {
		out[n] = m.Text(n)
	}
	return out
}

// Wire forms as the QCUP 009 tables give them, one rule a row.
func TestFieldWireForms(t *testing.T) {
	for _, c := range []struct {
		rule  string
		field int
		value string
		wire  string
	}{
		{"n fixed odd: left-justified, zero nibble on the right", 22, "071", "0710"},
		{"F23 is right-justified", 23, "001", "0001"},
		{"n fixed even", 11, "000123", "000123"},
		{"n fixed 12", 4, "000000001234", "000000001234"},
		{"LLVAR counts digits in n", 2, "6222021234567890", "16 6222021234567890"},
		{"LLVAR n odd", 2, "6222021234567890123", "19 62220212345678901230"},
		{"F35 of 37 digits takes 19 bytes, separator is nibble D", 35, "6222021234567890123D301210100000000000", ""},
		{"z odd", 35, "6222021234567890D30121010000000000000", "37 6222021234567890D301210100000000000000"},
		{"LLLVAR n of a real sale's F60", 60, "22000024000600", "0014 22000024000600"},
		{"F60 of 11 digits takes 6 bytes", 60, "00000001003", "0011 000000010030"},
		{"an fixed", 37, "000012345678", "303030303132333435363738"},
		{"an variable counts bytes", 44, "01020000   ", "11 3031303230303030202020"},
		{"ans variable", 63, "01 ", "0003 303120"},
		{"GBK text", 63, "CUP\xd6\xd0", "0005 435550d6d0"},
		{"b fixed", 52, "\x00\x01\x02\x03\xfc\xfd\xfe\xff", "00010203fcfdfeff"},
		{"b variable", 55, "\x95\x05\x00\x00\x00\x80\x00", "0007 95050000008000"},
		{"empty variable", 44, "", "00"},
	} {
		m := NewMessage(UnionPay)
		if err := m.SetMTI("0200"); err != nil {
			t.Fatal(err)
		}
		err := m.SetText(c.field, c.value)
		if c.wire == "" { // 38 characters: one more than n37
			if err == nil {
				t.Errorf("%s: a value of %d characters was accepted", c.rule, len(c.value))
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		got, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		var bitmap [8]byte
		bitmap[(c.field-1)/8] = 0x80 >> ((c.field - 1) % 8)
		want := append(append([]byte{0x02, 0x00}, bitmap[:]...), unhex(t, c.wire)...)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", c.rule, got, want)
		}
		back := NewMessage(UnionPay)
		if err := back.Parse(got); err != nil {
			t.Errorf("%s: %v", c.rule, err)
		} else if back.Text(c.field) != c.value {
			t.Errorf("%s: read back %q, want %q", c.rule, back.Text(c.field), c.value)
		}
	}
}

// saleFields are a chip sale with PIN.
var saleFields = map[int]string{
	2: "6222021234567890123", 3: "000000", 4: "000000012345", 11: "000042", 14: "3012", 22: "051", 23: "001", 25: "00", 26: "12",
	35: "6222021234567890123D30122010000000000", 41: "12345678", 42: "898110153110001", 49: "156", 52: "\x01\x23\x45\x67\x89\xab\xcd\xef",
	53: "2600000000000000", 55: "\x9f\x26\x08AAAAAAAA\x9f\x27\x01\x80\x95\x05\x00\x00\x00\x80\x00", 60: "22000001000500", 64: "0123ABCD",
}

const saleWire = "0200 702406C020C09A11" +
	"19 62220212345678901230 000000 000000012345 000042 3012 0510 0001 00 12" +
	"37 6222021234567890123D301220100000000000" +
	"3132333435363738 383938313130313533313130303031 313536 0123456789ABCDEF 2600000000000000" +
	"0022 9F26084141414141414141 9F270180 95050000008000" +
	"0014 22000001000500 3031323341424344"

func TestWholeSale(t *testing.T) {
	m := build(t, "0200", saleFields)
	got, err := m.Append([]byte("keep"))
	if err != nil {
		t.Fatal(err)
	}
	want := append([]byte("keep"), unhex(t, saleWire)...)
	if !bytes.Equal(got, want) {
		t.Fatalf("got  %x\nwant %x", got, want)
	}
	var back Message
	back.spec = UnionPay
	if err := back.Parse(got[4:]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(saleFields, values(&back)); diff != "" || back.MTI() != "0200" || !back.IsMTI("0200") {
		t.Fatalf("read back %q: %s", back.MTI(), diff)
	}
}

func TestParseRefuses(t *testing.T) {
	one := func(field int, content string) string {
		return fmt.Sprintf("0200 %016X %s", uint64(1)<<(64-field), content)
	}
	for _, c := range []struct {
		what, wire    string
		field, offset int
	}{
		{"nothing", "", 0, 0},
		{"half an MTI", "02", 0, 1},
		{"MTI with a letter", "0A00 0000000000000000", 0, 0},
		{"MTI with a letter at the end", "020F 0000000000000000", 0, 1},
		{"no bitmap", "0200", 1, 2},
		{"half a bitmap", "0200 70240680", 1, 6},
		{"second bitmap", "0200 8000000000000000 0000000000000000", 1, 2},
		{"second bitmap, and a loop of them", "0200 8000000000000000 8000000000000000 8000000000000000", 1, 2},
		{"field that the table does not have", one(5, "000000000000"), 5, 10},
		{"bit without data", one(11, ""), 11, 10},
		{"bit with half its data", one(11, "0001"), 11, 12},
		{"LLVAR 99 with 3 left, beyond the maximum", one(2, "99 622202"), 2, 10},
		{"LLVAR within the maximum with 3 left", one(2, "19 622202"), 2, 14},
		{"LLVAR without length", one(2, ""), 2, 10},
		{"LLVAR length with a letter", one(2, "1A 62220212345678901234"), 2, 10},
		{"LLLVAR with half a length", one(60, "00"), 60, 11},
		{"LLLVAR with letters", one(60, "00F1 22"), 60, 11},
		{"LLLVAR with letters in ASCII", one(60, "4142 22"), 60, 11},
		{"LLLVAR with a letter first", one(60, "F001 22"), 60, 10},
		{"LLLVAR 9999", one(60, "9999 22"), 60, 11},
		{"LLLVAR one above the maximum", one(60, "0018 220000010005000000"), 60, 11},
		{"n with a letter", one(11, "00A001"), 11, 11},
		{"n with a separator", one(11, "00D001"), 11, 11},
		{"n odd with a pad of F", one(22, "051F"), 22, 11},
		{"n odd padded on the wrong side", one(22, "0051"), 22, 11},
		{"F23 padded on the wrong side", one(23, "1010"), 23, 10},
		{"F23 with a letter", one(23, "0A01"), 23, 10},
		{"F23 with a letter at the end", one(23, "000B"), 23, 11},
		{"n variable odd with a letter in its last byte", one(2, "03 123A"), 2, 12},
		{"n variable odd, letter before the pad", one(2, "03 12A0"), 2, 12},
		{"z with E", one(35, "04 12E4"), 35, 12},
		{"z with F as a digit", one(35, "04 12F4"), 35, 12},
		{"z odd with a pad of 5", one(35, "03 1235"), 35, 12},
		{"an with punctuation", one(39, "3021"), 39, 11},
		{"an with a zero byte", one(38, "303132330000"), 38, 14},
		{"ans with a control character", one(41, "3132331B35363738"), 41, 13},
		{"ans with DEL", one(41, "3132337F35363738"), 41, 13},
		{"field 55 shorter than its length", one(55, "0255 9F26"), 55, 14},
		{"field 55 above its maximum", one(55, "0256"+strings.Repeat("00", 256)), 55, 11},
		{"bytes after the last field", one(11, "000001 00"), 11, 13},
		{"bytes after an empty message", "0800 0000000000000000 00", 1, 10},
	} {
		m := build(t, "0200", saleFields)
		err := m.Parse(unhex(t, c.wire))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error %v", c.what, err)
			continue
		}
		if e.Field != c.field || e.Offset != c.offset {
			t.Errorf("%s: field %d at %d, want field %d at %d (%v)", c.what, e.Field, e.Offset, c.field, c.offset, e)
		}
		if m.MTI() != "" || len(m.Present(nil)) != 0 || m.Get(2) != nil {
			t.Errorf("%s: the broken message left something to use", c.what)
		}
	}
}

// Every message cut short at any byte is refused, and so is every message with one byte more.
func TestEveryCut(t *testing.T) {
	whole, err := build(t, "0200", saleFields).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	m := NewMessage(UnionPay)
	for n := range len(whole) {
		var e *Error
		if err := m.Parse(whole[:n]); !errors.As(err, &e) || e.Offset > n {
			t.Errorf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
	if err := m.Parse(append(bytes.Clone(whole), 0)); err == nil {
		t.Error("one byte more was accepted")
	}
}

func TestTrackPadFOfHosts(t *testing.T) {
	m := NewMessage(UnionPay)
	if err := m.Parse(unhex(t, "0210 0000000020000000 05 12D45F")); err != nil || m.Text(35) != "12D45" {
		t.Fatalf("%q, %v", m.Text(35), err)
	}
}

func TestSetRefuses(t *testing.T) {
	m := NewMessage(UnionPay)
	for _, c := range []struct {
		field int
		value string
	}{
		{0, "1"},
		{1, "1"},
		{-1, "1"},
		{65, "1"},
		{5, "1"}, // not in the table
		{11, "12345"},
		{11, "1234567"},
		{11, "12345A"},
		{11, "12345D"},
		{11, ""},
		{2, "12345678901234567890"},
		{35, "1234=5678"},
		{35, "1234d5678"},
		{39, "0"},
		{39, "0\x00"},
		{41, "1234567\n"},
		{52, "1234567"},
	} {
		var e *Error
		if err := m.SetText(c.field, c.value); !errors.As(err, &e) || e.Field != c.field {
			t.Errorf("field %d %q: %v", c.field, c.value, err)
		}
	}
	if got := m.Present(nil); len(got) != 0 {
		t.Errorf("refused values are present: %v", got)
	}
	for _, mti := range []string{"", "020", "02000", "02A0", "0 00"} {
		if err := m.SetMTI(mti); err == nil {
			t.Errorf("MTI %q accepted", mti)
		}
	}
	if _, err := m.Append(nil); err == nil {
		t.Error("a message without MTI was written")
	}
	if err := m.SetNumber(11, 1000000); err == nil {
		t.Error("1000000 fits into n6")
	}
	if err := m.SetNumber(2, 1); err == nil {
		t.Error("a number in a variable field")
	}
	if err := m.SetNumber(5, 1); err == nil {
		t.Error("a number in a field that does not exist")
	}
	if err := m.SetNumber(4, 999999999999); err != nil || m.Text(4) != "999999999999" {
		t.Errorf("%q, %v", m.Text(4), err)
	}
	if err := m.SetNumber(11, 7); err != nil || m.Text(11) != "000007" {
		t.Errorf("%q, %v", m.Text(11), err)
	}
}

func TestReplaceUnsetReset(t *testing.T) {
	m := build(t, "0200", map[int]string{11: "000001", 44: "A", 63: "01 "})
	if err := m.SetText(44, "LONGER"); err != nil {
		t.Fatal(err)
	}
	if err := m.SetText(11, "000002"); err != nil {
		t.Fatal(err)
	}
	m.Unset(63)
	m.Unset(63)
	if diff := cmp.Diff(map[int]string{11: "000002", 44: "LONGER"}, values(m)); diff != "" {
		t.Fatal(diff)
	}
	store := m.store
	m.Reset()
	if m.MTI() != "" || m.IsMTI("") || m.Has(11) || m.Get(11) != nil || len(m.Present(nil)) != 0 {
		t.Error("something is left after Reset")
	}
	if !bytes.Equal(store, make([]byte, len(store))) {
		t.Errorf("Reset left values in memory: %q", store)
	}
}

// A store that grows must not leave the old values behind.
func TestGrowWipes(t *testing.T) {
	m := NewMessage(UnionPay)
	if err := m.SetText(52, "PINBLOCK"); err != nil {
		t.Fatal(err)
	}
	old := m.store
	if err := m.Set(59, bytes.Repeat([]byte{'x'}, 999)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(old[:cap(old)]), "PIN") || m.Text(52) != "PINBLOCK" {
		t.Errorf("old store %q, value %q", old, m.Text(52))
	}
}

func TestSpecRefuses(t *testing.T) {
	for n, f := range map[int]Field{
		1:  {Class: N, Max: 6},
		65: {Class: N, Max: 6},
		0:  {Class: N, Max: 6},
		7:  {Max: 6},
		8:  {Class: B + 1, Max: 6},
		9:  {Class: N, Form: LL, Max: 100},
		10: {Class: N, Form: LLL, Max: 1000},
		12: {Class: N, Max: 0},
		13: {Class: AN, Max: 3, Right: true},
		14: {Class: N, Form: LL, Max: 3, Right: true},
		15: {Class: N, Form: LLL + 1, Max: 3},
	} {
		if _, err := UnionPay.With(map[int]Field{n: f}); err == nil {
			t.Errorf("field %d %v accepted", n, f)
		}
	}
	s, err := UnionPay.With(map[int]Field{47: {Name: "x", Class: ANS, Form: LLL, Max: 255}})
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := s.Field(47); !ok || f.String() != "ans...255" {
		t.Errorf("%v %v", f, ok)
	}
	if _, ok := UnionPay.Field(47); ok {
		t.Error("With changed the table it started from")
	}
}

// Attributes of the table as the specification writes them.
func TestTable(t *testing.T) {
	for n, want := range map[int]string{
		2: "n..19", 3: "n6", 4: "n12", 11: "n6", 22: "n3", 35: "z..37", 36: "z...104", 37: "an12", 44: "an..25", 48: "n...322", 52: "b8",
		54: "an...20", 55: "b...255", 59: "b...999", 60: "n...17", 61: "n...29", 62: "b...512", 63: "ans...163", 64: "b8",
	} {
		if f, ok := UnionPay.Field(n); !ok || f.String() != want || f.Name == "" || f.Zh == "" {
			t.Errorf("field %d is %v (%v), want %s", n, f, ok, want)
		}
	}
}

func TestAnyMessageSurvives(t *testing.T) {
	m, back := NewMessage(UnionPay), NewMessage(UnionPay)
	rapid.Check(t, func(t *rapid.T) {
		m.Reset()
		want := map[int]string{}
		if err := m.SetMTI(rapid.StringMatching(`[0-9]{4}`).Draw(t, "mti")); err != nil {
			t.Fatal(err)
		}
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(2, 64), 0, 20, rapid.ID).Draw(t, "fields") {
			f, ok := UnionPay.Field(n)
			if !ok {
				continue
			}
			length := f.Max
			if f.Form != Fixed {
				length = rapid.IntRange(0, f.Max).Draw(t, "length")
			}
			b := make([]byte, length)
			for i := range b {
				for {
					b[i] = rapid.Byte().Draw(t, "char")
					if f.Class.packed() {
						b[i] = charZ[b[i]&15]
					}
					if f.Class.allows(b[i]) {
						break
					}
					b[i] = '0'
					break
				}
			}
			if err := m.Set(n, b); err != nil {
				t.Fatal(err)
			}
			want[n] = string(b)
		}
		wire, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Parse(wire); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, values(back)); diff != "" || back.MTI() != m.MTI() {
			t.Fatal(diff)
		}
	})
}

func TestNoAllocation(t *testing.T) {
	m := build(t, "0200", saleFields)
	buf, err := m.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	wire := bytes.Clone(buf)
	if n := testing.AllocsPerRun(100, func() {
		if err := m.Parse(wire); err != nil {
			t.Fatal(err)
		}
		if err := m.SetNumber(11, 43); err != nil {
			t.Fatal(err)
		}
		if buf, err = m.Append(buf[:0]); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations to parse, change and write a message", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		saleWire, "0800 0020000000C00016 000001 3132333435363738 383938313130313533313130303031 0011 000000010030 0003 303120",
		"0210 0000000020000000 05 12D45F", "0200 8000000000000000", "0200 FFFFFFFFFFFFFFFF", "0200 0000000000000200 0255 9F26",
	} {
		f.Add(unhex(f, s))
	}
	whole, err := build(f, "0200", saleFields).Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	m, again := NewMessage(UnionPay), NewMessage(UnionPay)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := m.Parse(b); err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(b) || e.Field < 0 || e.Field > Fields || e.Why == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		if bits.OnesCount64(m.have) != len(m.Present(nil)) || len(m.store) > 2*len(b) {
			t.Fatal("the store is larger than the message explains")
		}
		wire, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		// What was written is the same message; the pad F of track data is the only form that is read and not written.
		if !bytes.Equal(wire, b) && !m.Has(35) && !m.Has(36) {
			t.Fatalf("%x was written as %x", b, wire)
		}
		if err := again.Parse(wire); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(values(m), values(again)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	m := build(b, "0200", saleFields)
	buf, _ := m.Append(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		buf, _ = m.Append(buf[:0])
	}
}

func BenchmarkParse(b *testing.B) {
	wire, err := build(b, "0200", saleFields).Append(nil)
	if err != nil {
		b.Fatal(err)
	}
	m := NewMessage(UnionPay)
	b.ReportAllocs()
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		if err := m.Parse(wire); err != nil {
			b.Fatal(err)
		}
	}
}
