package printer

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func line(s string) Doc { return Doc{Paper58, []Line{{Kind: Text, Left: []Run{{Text: s}}}}} }

func TestEncodings(t *testing.T) {
	for _, c := range []struct {
		enc  Encoding
		in   string
		want string // after ESC @
	}{
		{GB18030, "金额", "\x1c&\xbd\xf0\xb6\xee\x1c.\n"},
		{GB18030, "a金b", "a\x1c&\xbd\xf0b\x1c.\n"},
		{GB18030, "¥", "\x1c&\xa3\xa4\x1c.\n"}, // U+FFE5, never 81 30 84 36, which many a ROM prints as "0 6"
		{GB18030, "㐀", "\x1c&\x81\x39\xee\x39\x1c.\n"},
		{GB18030, "鿿", "\x1c&\xa1\xf5\x1c.\n"}, // U+9FFF: a four-byte code that no ROM of 2000 has
		{GB18030, "a\x1bb\x00c", "a b c\n"},
		{GBK, "㐀", "\x1c&\xa1\xf5\x1c.\n"},
		{GBK, "镕", "\x1c&\xe9\x46\x1c.\n"},
		{GB2312, "镕金", "\x1c&\xa1\xf5\xbd\xf0\x1c.\n"},
		{UTF8, "金¥", "\xe9\x87\x91\xef\xbf\xa5\n"},
		{ASCII, "金a", "??a\n"},
	} {
		got, err := line(c.in).ESCPOS(Profile{Encoding: c.enc})
		if want := "\x1b@" + c.want; err != nil || string(got) != want {
			t.Errorf("%s %q: %q, %v, want %q", c.enc, c.in, got, err, want)
		}
	}
	if _, err := line("x").ESCPOS(Profile{Encoding: "latin1"}); !errors.Is(err, ErrEncoding) {
		t.Errorf("an unknown encoding: %v", err)
	}
}

func TestStyles(t *testing.T) {
	d := Doc{Paper58, []Line{
		{Kind: Row, Left: []Run{{Text: "金额"}}, Right: []Run{{"RMB 1.00", Large, true}}},
		{Kind: Text, Align: Center, Left: []Run{{"x", Tall, false}}},
		{Kind: Feed, N: 2},
		{Kind: Cut},
	}}
	got, err := d.ESCPOS(Profile{Encoding: GB18030, Cutter: true, Feed: 4})
	want := "\x1b@" +
		"\x1c&\xbd\xf0\xb6\xee\x1c." + strings.Repeat(" ", 32-4-16) +
		"\x1bE\x01\x1d!\x11\x1c!\x0cRMB 1.00\x1bE\x00\x1d!\x00\x1c!\x00\n\x1bJ\x08" +
		"\x1ba\x01\x1d!\x01\x1c!\x08x\x1d!\x00\x1c!\x00\n\x1bJ\x08" +
		"\x1bd\x02\x1bd\x04\x1dV\x01"
	if err != nil || string(got) != want {
		t.Errorf("got  %q, %v\nwant %q", got, err, want)
	}
}

func TestQRNative(t *testing.T) {
	d := Doc{Paper58, []Line{{Kind: QR, Data: "A1", N: 6}}}
	got, err := d.ESCPOS(Profile{Encoding: GB18030, NativeQR: true})
	want := "\x1b@\x1bJ\x18\x1ba\x01" +
		"\x1d(k\x04\x001A2\x00" + "\x1d(k\x03\x001C\x06" + "\x1d(k\x03\x001E1" + "\x1d(k\x05\x001P0A1" + "\x1d(k\x03\x001Q0" +
		"\x1ba\x00\x1bJ\x18"
	if err != nil || string(got) != want {
		t.Errorf("got  %q, %v\nwant %q", got, err, want)
	}
}

func TestQRRaster(t *testing.T) {
	d := Doc{Paper58, []Line{{Kind: QR, Data: strings.Repeat("Wx_0", 16), N: 5}}}
	got, err := d.ESCPOS(Profile{Encoding: GB18030})
	if err != nil {
		t.Fatal(err)
	}
	rest, rows := got[2:], 0
	for len(rest) > 0 {
		if !bytes.HasPrefix(rest, []byte("\x1dv0\x00")) || rest[5] != 0 || rest[7] != 0 || rest[6] > stripRows {
			t.Fatalf("strip % X", rest[:8])
		}
		n := int(rest[4]) * int(rest[6])
		rows += int(rest[6])
		if bytes.IndexByte(rest[8:8+n], 0x10) >= 0 {
			t.Error("the picture contains DLE, which printers act on inside of data")
		}
		rest = rest[8+n:]
	}
	if rows != (41+8)*5 && rows != (37+8)*5 {
		t.Errorf("%d rows", rows)
	}
}

func TestQRRefuses(t *testing.T) {
	for _, l := range []Line{
		{Data: strings.Repeat("x", 3000), N: 3},
		{Data: strings.Repeat("x", 400), N: 8},
		{Data: "a\x1bb", N: 4},
		{Data: "金", N: 4},
		{Data: "x", N: 0},
		{Data: "x", N: 99},
	} {
		l.Kind = QR
		for _, native := range []bool{true, false} {
			if _, err := (Doc{Paper58, []Line{l}}).ESCPOS(Profile{Encoding: GBK, NativeQR: native}); err == nil {
				t.Errorf("a code of %d bytes in modules of %d dots was accepted", len(l.Data), l.N)
			}
		}
	}
	if _, err := (Doc{Paper58, []Line{{}}}).ESCPOS(Generic); err == nil {
		t.Error("a line of no kind was accepted")
	}
}

func TestSlipsOfAnyLength(t *testing.T) {
	for _, n := range []int{0, 1, 500} {
		d := Doc{Paper: Paper58}
		for range n {
			d.Lines = append(d.Lines, Line{Kind: Text, Left: []Run{{Text: "line"}}})
		}
		got, err := d.ESCPOS(Generic)
		if err != nil || bytes.Count(got, []byte("line\n")) != n {
			t.Errorf("%d lines: %d bytes, %v", n, len(got), err)
		}
	}
}
