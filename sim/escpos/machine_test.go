package escpos

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"posd/sim"
)

// bench is an interpreter without a line: bytes in, paper and events out.
type bench struct {
	*Printer
	events []sim.Event
}

func newBench(o Options) *bench {
	b := &bench{}
	o.Trace = func(e sim.Event) { b.events = append(b.events, e) }
	b.Printer = New(o)
	return b
}

func (b *bench) print(data ...string) *bench {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range data {
		for i := range len(s) {
			b.m.feed(s[i])
		}
	}
	return b
}

// odd are the events about commands that are not known or not drawn.
func (b *bench) odd() []string {
	var out []string
	for _, e := range b.events {
		if len(e.Detail) > 0 {
			out = append(out, fmt.Sprint(e.Summary, e.Detail))
		}
	}
	return out
}

func TestText(t *testing.T) {
	const gs = "\x1d"
	for _, c := range []struct{ name, data, want string }{
		{"plain", "hello\nworld\n", "hello\nworld\n"},
		{"GB 18030, two bytes", "\xbd\xf0\xb6\xee RMB\n", "金额 RMB\n"},
		{"GB 18030, four bytes", "\x81\x39\xee\x39\n", "㐀\n"}, // U+3400, CJK extension A
		{"Chinese mode", "\x1c&\xbd\xf0\x1c.\xbd\n", "金╜\n"},
		{"code page 858", "\x1c.\x1bt\x13\xd5\n", "€\n"},
		{"half a hanzi", "\xbd\nx\n", "□\nx\n"},
		{"half a hanzi, then ASCII", "\xbd!\n", "□!\n"},
		{"centred", "\x1ba\x01ab\n", strings.Repeat(" ", 15) + "ab\n"},
		{"right", "\x1ba\x02ab\n", strings.Repeat(" ", 30) + "ab\n"},
		{"alignment in mid-line does nothing", "a\x1ba\x02b\n", "ab\n"},
		{"absolute position", "a\x1b$\x78\x00b\n", "a         b\n"},
		{"relative position", "a\x1b\\\x0c\x00b\n", "a b\n"},
		{"tab", "a\tb\n", "a       b\n"},
		{"tab stops", "\x1bD\x04\x0a\x00a\tb\tc\n", "a   b     c\n"},
		{"tab stops without end", "\x1bD\x04\x02xy\tz\n", "\x00"},
		{"wrap", strings.Repeat("x", 40) + "\n", strings.Repeat("x", 32) + "\n" + strings.Repeat("x", 8) + "\n"},
		{"double size wraps at half", gs + "!\x11" + strings.Repeat("x", 17) + "\n", strings.Repeat("x", 16) + "\nx\n"},
		{"left margin", gs + "L\x18\x00ab\n", "  ab\n"},
		{"print area", gs + "W\x18\x00abc\n", "ab\nc\n"},
		{"feed prints the line", "ab\x1bd\x02c\n", "ab\nc\n"},
		{"ESC @ drops the line", "ab\x1b@c\n", "c\n"},
		{"NUL is nothing", "a\x00\x00b\n", "ab\n"},
	} {
		if c.want == "\x00" {
			continue
		}
		b := newBench(Options{}).print(c.data)
		if got := b.Text(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestEncodings(t *testing.T) {
	yen := "\x81\x30\x84\x36\n" // U+00A5, as libraries send it
	if got := newBench(Options{}).print(yen).Text(); got != "¥\n" {
		t.Errorf("GB 18030: %q", got)
	}
	b := newBench(Options{})
	if err := b.SetFault(GBKROM, true); err != nil {
		t.Fatal(err)
	}
	if got := b.print(yen).Text(); got != "□0□6\n" { // the complaint that every library's tracker has
		t.Errorf("GBK: %q", got)
	}
	if got := newBench(Options{Encoding: "utf-8"}).print("金额 ¥1\xff\n").Text(); got != "金额 ¥1□\n" {
		t.Errorf("UTF-8: %q", got)
	}
}

// Each command of the table must take exactly its own bytes: text right behind it prints as it stands.
func TestEveryCommandEndsWhereItShould(t *testing.T) {
	for prefix, c := range commands {
		for _, fill := range []byte{0, 1, 2, 'A'} {
			if fill == 'A' && (c.name == "GS 8 L" || c.name == "GS v 0") || fill > 0 && (c.name == "ESC D" || c.name == "GS 8 L") {
				continue // megabytes; tab stops without an end
			}
			data := prefix[:]
			for i := 0; ; i++ {
				n := c.size(data)
				if n > 0 && n <= len(data) {
					data = data[:n]
					break
				}
				if i > 1<<19 {
					t.Fatalf("%s never ends", c.name)
				}
				data = append(data, fill)
			}
			b := newBench(Options{}).print(string(data), "\x1b@", "ok\n")
			if got := b.Text(); !strings.HasSuffix(got, "ok\n") || strings.HasSuffix(got, "Aok\n") {
				t.Errorf("%s filled with %02X: %q", c.name, fill, got)
			}
			for _, e := range b.odd() {
				if strings.HasPrefix(e, "unknown command") && !strings.Contains(e, fmt.Sprintf("% X", prefix[:])) {
					t.Errorf("%s filled with %02X: %s", c.name, fill, e)
				}
			}
		}
	}
}

func TestUnknownIsNotSwallowed(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{"\x1bZ", "unknown command"},
		{"\x1d\x99", "unknown command"},
		{"\x01", "unknown control byte"},
		{"\x1bL", "not drawn: ESC L"},
		{"\x1d(A\x02\x00\x00\x02", "not drawn: GS ( 'A'"},
		{"\x1d(k\x03\x00\x31\x51\x30", "printed before it was stored"},
		{"\x1dv0\x00\xff\xff\xff\xff", "too long: GS v 0"},
	} {
		b := newBench(Options{}).print(c.data)
		if odd := b.odd(); len(odd) != 1 || !strings.Contains(odd[0], c.want) {
			t.Errorf("% X: events %q", c.data, odd)
		}
	}
}

// ink counts the dots of a piece in a rectangle.
func ink(r Receipt, x0, y0, x1, y1 int) int {
	n := 0
	for y := y0; y < min(y1, r.Height()); y++ {
		for x := x0; x < x1; x++ {
			if r.bits[y*r.dots/8+x/8]&(0x80>>(x%8)) != 0 {
				n++
			}
		}
	}
	return n
}

func piece(t *testing.T, b *bench) Receipt {
	t.Helper()
	all := b.Tear()
	if len(all) != 1 {
		t.Fatalf("%d pieces", len(all))
	}
	return all[0]
}

func TestPictures(t *testing.T) {
	block := strings.Repeat("\xff", 3*24) // 24 by 24 dots
	for _, c := range []struct {
		name, data string
		w, h       int
	}{
		{"GS v 0", "\x1dv0\x00\x03\x00\x18\x00" + block, 24, 24},
		{"GS v 0 in double size", "\x1dv0\x03\x03\x00\x18\x00" + block, 48, 48},
		{"ESC * 33", "\x1b*\x21\x18\x00" + block + "\n", 24, 24},
		{"ESC * 0", "\x1b*\x00\x18\x00" + block[:24] + "\n", 48, 24},
		{"GS ( L", "\x1d(L\x52\x000p0\x01\x011\x18\x00\x18\x00" + block + "\x1d(L\x02\x0002", 24, 24},
		{"GS 8 L", "\x1d8L\x52\x00\x00\x000p0\x01\x011\x18\x00\x18\x00" + block + "\x1d(L\x02\x0002", 24, 24},
		{"FS !", "\x1c!\x0c\xa1\xf6\n", 48, 48}, // a filled square
		{"GS !", "\x1d!\x11\xa1\xf6\n", 48, 48},
		{"GS B", "\x1dB\x01  \n", 24, 24},
	} {
		b := newBench(Options{}).print(c.data)
		r := piece(t, b)
		left, all := ink(r, 0, cutterRows, c.w, cutterRows+c.h), ink(r, 0, 0, r.dots, r.Height())
		if left != all || all < c.w*c.h/2 || len(b.odd()) > 0 {
			t.Errorf("%s: %d dots in %d by %d, %d elsewhere; events %q", c.name, left, c.w, c.h, all-left, b.odd())
		}
	}
}

// The cutter stands 12 mm beyond the head: a slip that does not feed first is cut through its last lines.
func TestCutterStandsBehindTheHead(t *testing.T) {
	b := newBench(Options{}).print("first\nlast\n\x1dV\x01")
	if _, r := b.Paper(); len(r) != 0 && strings.Contains(r[0].Text, "last") {
		t.Errorf("cut without feed: %q", r[0].Text)
	}
	b = newBench(Options{}).print("first\nlast\n\x1bd\x04\x1dV\x01next\n\x1dV\x42\x00")
	_, r := b.Paper()
	if len(r) != 2 || r[0].Text != "first\nlast\n" || r[1].Text != "next\n" || !r[0].Cut || !r[1].Cut || r[1].No != 2 {
		t.Errorf("pieces %+v", r)
	}
	b = newBench(Options{NoCutter: true}).print("first\nlast\n\x1bd\x04\x1dV\x01next\n")
	if _, r := b.Paper(); len(r) != 1 || r[0].Cut || !slices.ContainsFunc(b.odd(), func(s string) bool { return strings.Contains(s, "no cutter") }) {
		t.Errorf("a printer without cutter: %+v", r)
	}
}

func TestBarcodes(t *testing.T) {
	for _, data := range []string{
		"\x1dkI\x0a{BABC12345", "\x1dk\x041234\x00", "\x1dkC\x0d6901234567892", "\x1dk\x026901234567892\x00",
	} {
		b := newBench(Options{Width: 80}).print("\x1dw\x02\x1dh\x40\x1dH\x02", data)
		r := piece(t, b)
		if len(b.odd()) > 0 || !strings.HasPrefix(r.Text, "[bar code ") || ink(r, 0, 0, r.dots, r.Height()) < 64*30 {
			t.Errorf("%q: %q, events %q", data, r.Text, b.odd())
		}
	}
}

func TestStatusBytes(t *testing.T) {
	p := New(Options{})
	for _, c := range []struct {
		fault    string
		eot      [4]byte
		gsr      byte
		asb0     byte
		asbPaper byte
	}{
		{"", [4]byte{0x12, 0x12, 0x12, 0x12}, 0, 0x10, 0},
		{PaperLow, [4]byte{0x12, 0x12, 0x12, 0x1e}, 0x03, 0x10, 0x03},
		{PaperOut, [4]byte{0x1a, 0x32, 0x12, 0x7e}, 0x0f, 0x18, 0x0f},
		{CoverOpen, [4]byte{0x1a, 0x16, 0x12, 0x12}, 0, 0x38, 0},
		{Overheat, [4]byte{0x1a, 0x52, 0x52, 0x12}, 0, 0x18, 0},
	} {
		p.faults = map[string]bool{c.fault: true}
		for n := range c.eot {
			if got := p.realTimeStatus(byte(n + 1)); got != c.eot[n] {
				t.Errorf("%s: DLE EOT %d is %02X, want %02X", c.fault, n+1, got, c.eot[n])
			}
		}
		if a := p.asb(); p.paperStatus() != c.gsr || a[0] != c.asb0 || a[2] != c.asbPaper {
			t.Errorf("%s: GS r %02X, ASB % X", c.fault, p.paperStatus(), a)
		}
	}
	if err := p.SetFault("no such fault", true); err == nil {
		t.Error("an unknown fault is accepted")
	}
}

// ASCII and the 3755 hanzi of GB 2312 level 1 must be in the font. Of level 2 it lacks 313, which print as boxes; a real ROM has
// them. More must not go missing.
func TestFontIsComplete(t *testing.T) {
	for r := rune('!'); r < 0x7f; r++ {
		if _, ok := cell(r, false); !ok {
			t.Errorf("no %q", r)
		}
	}
	levels, missing := [2]int{}, [2]int{}
	for row := byte(0xb0); row <= 0xf7; row++ {
		for col := byte(0xa1); col <= 0xfe; col++ {
			if row == 0xd7 && col > 0xf9 {
				continue
			}
			s, err := simplifiedchinese.GBK.NewDecoder().Bytes([]byte{row, col})
			if err != nil {
				t.Fatal(err)
			}
			level := 0
			if row >= 0xd8 {
				level = 1
			}
			levels[level]++
			if _, ok := cell([]rune(string(s))[0], true); !ok {
				missing[level]++
			}
		}
	}
	if levels != [2]int{3755, 3008} || missing[0] > 0 || missing[1] > 313 {
		t.Errorf("of %v hanzi %v are missing", levels, missing)
	}
}

func FuzzInterpreter(f *testing.F) {
	f.Add([]byte("\x1b@\x1ba\x01\x1c&\xbd\xf0\xb6\xee\x1c.\n\x1d!\x11RMB\n\x1dV\x42\x00"))
	f.Add([]byte("\x1d(k\x04\x00\x31\x41\x32\x00\x1d(k\x05\x00\x31\x50\x30ab\x1d(k\x03\x00\x31\x51\x30"))
	f.Add([]byte("\x1dv0\x03\x02\x00\x02\x00\xff\xff\xff\xff\x1b*\x21\x01\x00\xff\xff\xff"))
	f.Add([]byte("\x1d(L\x0b\x000q0\x02\x021\x08\x00\x01\x00\xff\x1d(L\x02\x0002\x1dkI\x05{B123\x1b{\x01\x1b-\x02x\n"))
	f.Add([]byte("\x1b \xff\x1d!\x77\x1dL\xff\xff\x1dW\x01\x00\x1b$\xff\xffx\x1cS\xff\xff\xbd\xf0\x1bd\xff\x1bJ\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := newBench(Options{Width: 80})
		b.print(string(data))
		b.print("\n")
		if rows := b.m.paper.rows(); rows > maxRows+255*defaultSpacing {
			t.Fatalf("%d rows of paper", rows)
		}
		for _, e := range b.events {
			if strings.ContainsFunc(e.Summary, func(r rune) bool { return r < ' ' }) {
				t.Fatalf("control bytes in the trace: %q", e.Summary)
			}
		}
		for _, r := range b.Tear() {
			if r.Height() == 0 {
				t.Fatal("an empty piece")
			}
		}
	})
}
