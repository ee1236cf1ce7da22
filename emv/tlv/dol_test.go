package tlv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseDOL(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"CDOL1 of a Visa card", "9F02069F03069F1A0295055F2A029A039C019F3704", "9F02/6 9F03/6 9F1A/2 95/5 5F2A/2 9A/3 9C/1 9F37/4"},
		{"length zero is allowed", "9F0200", "9F02/0"},
		{"length 255", "DF8117FF", "DF8117/255"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := ParseDOL(unhex(t, c.in))
			var got []string
			for _, e := range d {
				got = append(got, e.Tag.String()+"/"+strconv.Itoa(e.Len))
			}
			if err != nil || strings.Join(got, " ") != c.want {
				t.Errorf("%v, %v; want %s", got, err, c.want)
			}
		})
	}
	for _, c := range []struct {
		name, in string
		offset   int
	}{
		{"tag without length", "9F02069A", 3},
		{"tag cut off", "9F02069F", 3},
		{"padding is no tag", "9F020600", 3},
		{"endless tag", "1FFFFFFFFFFF01", 0},
		{"longer than a record", strings.Repeat("9A03", 127), 252},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseDOL(unhex(t, c.in))
			var e *Error
			if !errors.As(err, &e) || e.Offset != c.offset {
				t.Errorf("error %v, want one at offset %d", err, c.offset)
			}
		})
	}
}

// The rules of Book 3, 5.4, each by its own words.
func TestBuildDOL(t *testing.T) {
	var s Store
	s.Set(0x9F02, unhex(t, "000000012345"))   // n
	s.Set(0x5A, unhex(t, "4761739001010119")) // cn
	s.Set(0x9F1E, []byte("12345678"))         // an
	s.Set(0x9F4E, []byte("SHOP"))             // ans
	s.Set(0x95, unhex(t, "8000048000"))       // b
	s.Set(0x9F37, unhex(t, "01020304"))       // b
	s.Set(0x9F10, nil)                        // present and empty
	s.Set(0xDF7F, unhex(t, "AABB"))           // unknown to the table
	s.Set(0xBF0C, unhex(t, "9F4D020B05"))     // constructed
	s.Set(0x8C, unhex(t, "9F0206"))           // var
	for _, c := range []struct{ name, dol, want string }{
		{"as long as the data", "9F0206 95055F2A02", "000000012345 8000048000 0000"},
		{"n too short in the list loses its left", "9F0204", "00012345"},
		{"n too long in the list gets zeros on the left", "9F0208", "0000000000012345"},
		{"cn too short in the list loses its right", "5A04", "47617390"},
		{"cn too long in the list gets F on the right", "5A0A", "4761739001010119FFFF"},
		{"an too short in the list loses its right", "9F1E04", "31323334"},
		{"an too long in the list gets zeros on the right", "9F1E0A", "31323334353637380000"},
		{"ans too long in the list gets zeros on the right", "9F4E06", "53484F500000"},
		{"b too short in the list loses its right", "9502", "8000"},
		{"b too long in the list gets zeros on the right", "9F3706", "010203040000"},
		{"var too long in the list gets zeros on the right", "8C05", "9F02060000"},
		{"an object that is not known gives zeros", "9F6604", "00000000"},
		{"a constructed object gives zeros", "BF0C05", "0000000000"},
		{"an empty object gives zeros", "9F1003", "000000"},
		{"a private object counts as binary", "DF7F03", "AABB00"},
		{"length zero gives nothing", "9F02009A00", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := ParseDOL(unhex(t, c.dol))
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.Append(nil, 255, s.Get)
			if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
				t.Errorf("%X, %v; want %s", got, err, c.want)
			}
		})
	}
	greedy, err := ParseDOL(bytes.Repeat([]byte{0x9A, 0xFF}, 126))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := greedy.Append(nil, 255, s.Get); !errors.Is(err, ErrSyntax) || len(b) != 0 {
		t.Errorf("a list that asks for %d bytes: %d bytes, %v", greedy.Len(), len(b), err)
	}
}

func FuzzDOL(f *testing.F) {
	for _, s := range []string{"", "9F02069F03069F1A0295055F2A029A039C019F3704", "9F", "1FFFFFFFFF01", "9AFF9AFF", "5A0A9F020C"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	var s Store
	s.Set(0x9F02, []byte{0, 0, 0, 0, 0, 1})
	s.Set(0x5A, []byte{0x47, 0x61})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDOL(b)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Offset > len(b) {
				t.Fatal(err)
			}
			return
		}
		var again []byte
		for _, e := range d {
			again = append(e.Tag.Append(again), byte(e.Len))
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%X was read as %X", b, again)
		}
		if out, err := d.Append(nil, 255, s.Get); (err == nil) != (d.Len() <= 255) || err == nil && len(out) != d.Len() {
			t.Fatalf("%d bytes for %d, %v", len(out), d.Len(), err)
		}
	})
}

func TestNumbers(t *testing.T) {
	if s, err := Digits(unhex(t, "012399")); s != "012399" || err != nil {
		t.Error(s, err)
	}
	for _, bad := range []string{"0A", "A0", "12F4"} {
		if s, err := Digits(unhex(t, bad)); err == nil {
			t.Errorf("Digits(%s) = %s", bad, s)
		}
		if n, err := Number(unhex(t, bad)); err == nil {
			t.Errorf("Number(%s) = %d", bad, n)
		}
	}
	for _, c := range []struct{ in, want string }{
		{"4761739001010119", "4761739001010119"},
		{"476173900101011F", "476173900101011"},
		{"6222021234567890123F", "6222021234567890123"},
		{"FFFF", ""},
		{"", ""},
	} {
		if s, err := Compressed(unhex(t, c.in)); s != c.want || err != nil {
			t.Errorf("Compressed(%s) = %s, %v", c.in, s, err)
		}
	}
	for _, bad := range []string{"4F61", "47A1", "12FF34", "F1"} {
		if s, err := Compressed(unhex(t, bad)); err == nil {
			t.Errorf("Compressed(%s) = %s", bad, s)
		}
	}
	if n, err := Number(unhex(t, "999999999999999999")); n != 999999999999999999 || err != nil {
		t.Error(n, err)
	}
	if _, err := Number(make([]byte, 10)); err == nil {
		t.Error("twenty digits were read as one number")
	}
	if b, ok := AppendNumber([]byte{0xAA}, 100, 1); ok || !bytes.Equal(b, []byte{0xAA}) {
		t.Errorf("100 in two digits: %X", b)
	}
	if _, ok := AppendNumber(nil, -1, 6); ok {
		t.Error("a negative number was written")
	}
}

func TestNumberUndoesAppendNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64Range(0, 999_999_999_999).Draw(t, "v")
		b, ok := AppendNumber(nil, v, 6)
		got, err := Number(b)
		if !ok || err != nil || got != v || len(b) != 6 {
			t.Fatalf("%d -> %X -> %d, %v", v, b, got, err)
		}
	})
}

func TestStore(t *testing.T) {
	var s Store
	if s.Has(0x5A) {
		t.Error("an empty store has something")
	}
	s.Set(0x5A, []byte{1})
	if s.Add(0x5A, []byte{2}) {
		t.Error("Add replaced an object")
	}
	s.Set(0x9A, nil)
	if v, ok := s.Get(0x9A); !ok || len(v) != 0 {
		t.Error("an empty object is not present")
	}
	s.Set(0x5A, []byte{3})
	if v, _ := s.Get(0x5A); !bytes.Equal(v, []byte{3}) {
		t.Errorf("5A = %X", v)
	}
	s.Delete(0x5A)
	s.Delete(0x57)
	if s.Has(0x5A) || !s.Has(0x9A) || s.Len() != 1 {
		t.Error("Delete took the wrong object")
	}
	s.Reset()
	if s.Len() != 0 || s.Has(0x9A) {
		t.Error("Reset left something")
	}
}
