package tlv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// flat renders all objects of b with their depth, and the error.
func flat(b []byte) (string, error) {
	var out []string
	err := Walk(b, func(path []Tag, o Object) (bool, error) {
		s := strings.Repeat(">", len(path)) + o.Tag.String()
		if !o.Tag.Constructed() {
			s += "=" + strings.ToUpper(hex.EncodeToString(o.Value))
		}
		out = append(out, s)
		return true, nil
	})
	return strings.Join(out, " "), err
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty input", "", ""},
		{"one byte tag", "5A0147", "5A=47"},
		{"two byte tag", "9F0206000000001234", "9F02=000000001234"},
		{"three byte tag", "DF811701FF", "DF8117=FF"},
		{"four byte tag", "DF81820101AA", "DF818201=AA"},
		{"length zero", "9F1000", "9F10="},
		{"length on two bytes though one would do", "5A810147", "5A=47"},
		{"length on three bytes though one would do", "5A82000147", "5A=47"},
		{"length on five bytes though one would do", "5A840000000147", "5A=47"},
		{"padding before, between and behind", "0000 5A0147 FFFF00 9A03260131 00", "5A=47 9A=260131"},
		{"only padding", "0000FF00FF", ""},
		{"padding within a template", "70 07 00 5A0147 FFFF 00", "70 >5A=47"},
		{"FCI of a PSE", "6F20840E315041592E5359532E4444463031A50E8801015F2D046E6C656E9F110101", "6F >84=315041592E5359532E4444463031 >A5 >>88=01 >>5F2D=6E6C656E >>9F11=01"},
		{"empty template", "7000", "70"},
		{"siblings behind a template", "7003 5A0147 9A0126", "70 >5A=47 9A=26"},
		{"the same tag twice is for the reader to judge", "5A01475A0148", "5A=47 5A=48"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := flat(unhex(t, c.in))
			if err != nil || got != c.want {
				t.Errorf("%s = %q, %v; want %q", c.in, got, err, c.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name, in, reason string
		offset           int
		path             []Tag
	}{
		{"tag cut off", "5A01479F", "tag cut off", 3, nil},
		{"endless tag", "1F" + strings.Repeat("FF", 40), "longer than four", 0, nil},
		{"no length", "5A", "no length", 0, []Tag{0x5A}},
		{"indefinite length", "70800000", "indefinite", 0, []Tag{0x70}},
		{"length of five bytes", "5A8500000000010A", "length of 5 bytes", 0, []Tag{0x5A}},
		{"length cut off", "5A8201", "length cut off", 0, []Tag{0x5A}},
		{"length beyond the input", "5A0547", "length 5, but 1", 0, []Tag{0x5A}},
		{"length of 4 GiB", "5A84FFFFFFFF47", "length 4294967295", 0, []Tag{0x5A}},
		{"inner length beyond its template", "7004 5A0347AA 99", "length 3, but 2", 2, []Tag{0x70, 0x5A}},
		{"offsets count from the outermost byte", "9A0126 6F08 A506 88010A 9F1182", "length cut off", 10, []Tag{0x6F, 0xA5, 0x9F11}},
		{"nested too deeply", nested(20), "nested too deeply", 16, slices.Repeat([]Tag{0x70}, MaxDepth)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := flat(unhex(t, c.in))
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, ErrSyntax) {
				t.Fatalf("error %v, want *Error", err)
			}
			if !strings.Contains(e.Reason, c.reason) || e.Offset != c.offset || !slices.Equal(e.Path, c.path) {
				t.Errorf("%q at %d in %v; want %q at %d in %v", e.Reason, e.Offset, e.Path, c.reason, c.offset, c.path)
			}
			if s := err.Error(); !strings.Contains(s, "offset") {
				t.Errorf("text %q names no offset", s)
			}
		})
	}
}

// nested returns n templates 70 within one another, in hex.
func nested(n int) string {
	var b []byte
	for range n {
		b = Append(nil, 0x70, b)
	}
	return hex.EncodeToString(b)
}

func TestAThousandLevelsEndInAnError(t *testing.T) {
	b := []byte{0x5A, 0x00}
	for range 1000 {
		b = Append(nil, 0x77, b)
	}
	if _, err := flat(b); !errors.Is(err, ErrSyntax) {
		t.Errorf("error %v", err)
	}
	if _, ok := Find(b, slices.Repeat([]Tag{0x77}, 1000)...); ok {
		t.Error("found below MaxDepth")
	}
}

func TestWalkCanStayOutside(t *testing.T) {
	n := 0
	err := Walk(unhex(t, "70035A0547 9A0126"), func(_ []Tag, o Object) (bool, error) { n++; return false, nil })
	if err != nil || n != 2 {
		t.Errorf("%d objects, %v; the broken inside of 70 must not be read", n, err)
	}
	stop := errors.New("stop")
	if err := Walk(unhex(t, "5A0147 9A0126"), func(_ []Tag, o Object) (bool, error) { return true, stop }); err != stop {
		t.Errorf("error %v", err)
	}
}

func TestFind(t *testing.T) {
	fci := unhex(t, "6F20840E315041592E5359532E4444463031A50E8801015F2D046E6C656E9F110101")
	if v, ok := Find(fci, 0x6F, 0xA5, 0x9F11); !ok || !bytes.Equal(v, []byte{1}) {
		t.Errorf("9F11 = %X, %v", v, ok)
	}
	for _, path := range [][]Tag{{}, {0x84}, {0x6F, 0x88}, {0x6F, 0xA5, 0x9F38}} {
		if v, ok := Find(fci, path...); ok {
			t.Errorf("Find(%v) = %X", path, v)
		}
	}
}

func TestOne(t *testing.T) {
	for _, c := range []struct {
		in string
		ok bool
	}{
		{"70035A0147", true},
		{"00 70035A0147 FF00", true},
		{"", false},
		{"FFFF", false},
		{"5A0147 5A0147", false},
		{"5A0147 9F", false},
		{"5A0247", false},
	} {
		o, err := One(unhex(t, c.in))
		if (err == nil) != c.ok {
			t.Errorf("One(%s) = %v, %v", c.in, o.Tag, err)
		}
		if err != nil && !errors.Is(err, ErrSyntax) {
			t.Errorf("One(%s): %v is not ErrSyntax", c.in, err)
		}
	}
}

func TestAppendUsesTheShortestLength(t *testing.T) {
	for _, c := range []struct {
		n    int
		head string
	}{{0, "5A00"}, {1, "5A01"}, {127, "5A7F"}, {128, "5A8180"}, {255, "5A81FF"}, {256, "5A820100"}, {65535, "5A82FFFF"}} {
		b := Append(nil, 0x5A, make([]byte, c.n))
		if want := unhex(t, c.head); !bytes.HasPrefix(b, want) || len(b) != len(want)+c.n {
			t.Errorf("%d bytes: %X", c.n, b[:min(len(b), 6)])
		}
		if o, err := One(b); err != nil || len(o.Value) != c.n {
			t.Errorf("%d bytes do not come back: %v", c.n, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a length of 65536 was written")
		}
	}()
	Append(nil, 0x5A, make([]byte, 65536))
}

func TestTag(t *testing.T) {
	for _, c := range []struct {
		tag         Tag
		text        string
		valid, cons bool
	}{
		{0x5A, "5A", true, false},
		{0x70, "70", true, true},
		{0x9F02, "9F02", true, false},
		{0xBF0C, "BF0C", true, true},
		{0xDF8117, "DF8117", true, false},
		{0xFF8106, "FF8106", false, true}, // FF is padding (Book 3, B1, note)
		{0x00, "00", false, false},
		{0xFF, "FF", false, true},
		{0x9F, "9F", false, false},
		{0x5A00, "5A00", false, false},
		{0x9F8101FF, "9F8101FF", false, false},
	} {
		if c.tag.String() != c.text || c.tag.Valid() != c.valid || c.tag.Constructed() != c.cons {
			t.Errorf("%X: %s valid %v constructed %v", uint32(c.tag), c.tag, c.tag.Valid(), c.tag.Constructed())
		}
	}
}

func TestTableOfObjects(t *testing.T) {
	for i, o := range objects {
		if !o.tag.Valid() {
			t.Errorf("%s is not a tag", o.tag)
		}
		if i > 0 && objects[i-1].tag >= o.tag {
			t.Errorf("%s stands behind %s", o.tag, objects[i-1].tag)
		}
		if Name(o.tag) != o.name || FormatOf(o.tag) != o.format || o.name == "" {
			t.Errorf("%s is not found", o.tag)
		}
	}
	if Name(0x9F02) != "Amount, Authorised (Numeric)" || Name(0xDF7F) != "" || FormatOf(0xDF7F) != FormatB || Name(0xFFFFFFFF) != "" {
		t.Error("names are wrong")
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"", "5A0147", "6F20840E315041592E5359532E4444463031A50E8801015F2D046E6C656E9F110101", "1FFFFFFFFF", "7080", "5A84FFFFFFFF",
		"00FF5A0147FF", "70035A0547", nested(12), "7781820000", "9F8182830400",
	} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		var again []byte
		err := Walk(b, func(path []Tag, o Object) (bool, error) {
			if total++; total > len(b)*MaxDepth {
				t.Fatal("more objects than bytes")
			}
			if !o.Tag.Valid() {
				t.Fatalf("%s is not a tag", o.Tag)
			}
			if !bytes.Equal(b[o.End-len(o.Value):o.End], o.Value) {
				t.Fatalf("%s: value is not at its offset", o.Tag)
			}
			if o.Offset < 0 || o.End > len(b) || !bytes.HasPrefix(b[o.Offset:], o.Tag.Append(nil)) {
				t.Fatalf("%s: no tag at offset %d", o.Tag, o.Offset)
			}
			if len(path) == 0 && len(o.Value) <= 0xFFFF {
				again = Append(again, o.Tag, o.Value)
			}
			return true, nil
		})
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > len(b)) {
			t.Fatalf("error %v", err)
		}
		if err == nil {
			one, err1 := flat(b)
			two, err2 := flat(again)
			if err1 != nil || err2 != nil || one != two {
				t.Fatalf("decode, encode, decode: %q, %v and %q, %v", one, err1, two, err2)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	in := unhex(b, "70465A0847617390010101195F3401015F24032212318C159F02069F03069F1A0295055F2A029A039C019F37048D198A029F02069F03069F1A0295055F2A029A039C019F37049108")
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := Walk(in, func([]Tag, Object) (bool, error) { n++; return true, nil }); err != nil || n != 6 {
			b.Fatal(n, err)
		}
	}
}
