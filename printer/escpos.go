package printer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"rsc.io/qr"
)

// Encoding is how a printer wants characters beyond ASCII.
type Encoding string

// Encodings. GB18030 sends the two-byte codes and, of the four-byte ones, only the hanzi of CJK extension A, which is what a ROM
// made to GB 18030-2000 holds. ASCII is for a printer with no Chinese ROM.
const (
	GB18030 Encoding = "gb18030"
	GBK     Encoding = "gbk"
	GB2312  Encoding = "gb2312"
	UTF8    Encoding = "utf-8"
	ASCII   Encoding = "ascii"
)

// Profile is what one model of printer can do; it comes from the board file.
type Profile struct {
	Encoding Encoding
	NativeQR bool // knows GS ( k; otherwise the code is sent as dots (GS v 0)
	Cutter   bool // knows GS V
	Feed     int  // lines from the head to the cutter or the tear bar
}

// Generic is the common Chinese ESC/POS printer.
var Generic = Profile{Encoding: GB18030, NativeQR: true, Cutter: true, Feed: 4}

// ErrEncoding is wrapped by the error about a Profile that names no encoding of ours.
var ErrEncoding = errors.New("printer: unknown encoding")

// Commands, as Epson's ESC/POS reference and the clones' manuals name them.
const (
	escInit    = "\x1b@"     // ESC @: initialise
	escAlign   = "\x1ba"     // ESC a n
	escBold    = "\x1bE"     // ESC E n
	escFeed    = "\x1bd"     // ESC d n: print and feed n lines
	escDots    = "\x1bJ"     // ESC J n: print and feed n dots
	gsSize     = "\x1d!"     // GS ! n: (width-1)<<4 | height-1
	fsSize     = "\x1c!"     // FS ! n: hanzi; bit 2 double width, bit 3 double height
	fsHanzi    = "\x1c&"     // FS &: Chinese mode on
	fsNoHanzi  = "\x1c."     // FS .: Chinese mode off
	gsCut      = "\x1dV\x01" // GS V 1: partial cut
	gsQR       = "\x1d(k"    // GS ( k pL pH cn fn ...
	gsRaster   = "\x1dv0"    // GS v 0 m xL xH yL yH
	stripRows  = 24          // rows of one raster command: clones lose data on higher ones
	maxFeed    = 20
	lineGap    = 8  // dots
	qrLevelM   = 49 // GS ( k function 169
	qrModelTwo = 50 // GS ( k function 165
)

// ESCPOS writes the slip for a printer of the profile. Every line starts from a known style: a printer that lost a byte is right
// again on the next line.
func (d Doc) ESCPOS(p Profile) ([]byte, error) {
	enc, err := encoderOf(p.Encoding)
	if err != nil {
		return nil, err
	}
	w := writer{enc: enc, profile: p, paper: d.Paper}
	w.str(escInit)
	for i, l := range d.Lines {
		if err := w.line(l); err != nil {
			return nil, fmt.Errorf("printer: line %d: %w", i+1, err)
		}
	}
	return w.out, nil
}

type writer struct {
	enc     func(rune) ([]byte, bool)
	profile Profile
	paper   Paper
	out     []byte

	align Align
	size  Size
	bold  bool
	hanzi bool
}

func (w *writer) str(s string)                { w.out = append(w.out, s...) }
func (w *writer) cmd(op string, args ...byte) { w.out = append(append(w.out, op...), args...) }

func (w *writer) line(l Line) error {
	switch l.Kind {
	case Text:
		w.setAlign(l.Align)
		w.runs(l.Left)
		w.end(l.Left)
	case Row:
		w.setAlign(Left)
		w.runs(l.Left)
		w.runs([]Run{{Text: strings.Repeat(" ", max(w.paper.Columns-columns(l.Left)-columns(l.Right), 0))}})
		w.runs(l.Right)
		w.end(l.Left, l.Right)
	case Rule:
		w.setAlign(Left)
		w.runs([]Run{{Text: strings.Repeat("-", w.paper.Columns)}})
		w.end()
	case QR:
		return w.qr(l)
	case Feed:
		if l.N > 0 {
			w.cmd(escFeed, byte(min(l.N, maxFeed)))
		}
	case Cut:
		if n := min(w.profile.Feed, maxFeed); n > 0 {
			w.cmd(escFeed, byte(n))
		}
		if w.profile.Cutter {
			w.str(gsCut)
		}
	default:
		return fmt.Errorf("kind %d is unknown", l.Kind)
	}
	return nil
}

// end prints the line and goes back to the plain style. A line of high characters moves the paper by their height only, so it
// gets the millimetre that divides plain lines.
func (w *writer) end(runs ...[]Run) {
	w.style(Normal, false)
	w.str("\n")
	for _, r := range slices.Concat(runs...) {
		if r.Size != Normal {
			w.cmd(escDots, lineGap)
			return
		}
	}
}

func (w *writer) setAlign(a Align) {
	if w.align != a {
		w.align = a
		w.cmd(escAlign, byte(a))
	}
}

func (w *writer) style(s Size, bold bool) {
	if w.bold != bold {
		w.bold = bold
		w.cmd(escBold, map[bool]byte{true: 1}[bold])
	}
	if w.size != s {
		w.size = s
		// Some printers take GS ! for hanzi too, some only FS !: they get both, with the same meaning.
		n := map[Size]struct{ gs, fs byte }{Tall: {0x01, 0x08}, Large: {0x11, 0x0c}}[s]
		w.cmd(gsSize, n.gs)
		w.cmd(fsSize, n.fs)
	}
}

func (w *writer) runs(runs []Run) {
	for _, r := range runs {
		if r.Text == "" {
			continue
		}
		w.style(r.Size, r.Bold)
		for _, c := range r.Text {
			w.rune(c)
		}
		w.setHanzi(false)
	}
}

func (w *writer) setHanzi(on bool) {
	if w.hanzi == on || w.profile.Encoding == ASCII || w.profile.Encoding == UTF8 {
		return
	}
	w.hanzi = on
	if on {
		w.str(fsHanzi)
	} else {
		w.str(fsNoHanzi)
	}
}

// rune writes one character. A Doc that Layout made has no control characters; one made by hand may, so they end here again.
func (w *writer) rune(r rune) {
	if r = printable(r); r == 0 {
		return
	}
	if r < 0x80 {
		w.out = append(w.out, byte(r))
		return
	}
	b, ok := w.enc(r)
	if !ok {
		b, ok = w.enc(missing)
	}
	if !ok {
		b = []byte("??") // two columns, as laid out
	}
	if b[0] >= 0x80 {
		w.setHanzi(true)
	}
	w.out = append(w.out, b...)
}

// encoderOf returns a function that encodes one character beyond ASCII, or says that it cannot.
func encoderOf(e Encoding) (func(rune) ([]byte, bool), error) {
	by := func(enc encoding.Encoding, ok func(rune, []byte) bool) (func(rune) ([]byte, bool), error) {
		e := enc.NewEncoder()
		return func(r rune) ([]byte, bool) {
			b, err := e.Bytes([]byte(string(r)))
			if err != nil || !ok(r, b) {
				return nil, false
			}
			return b, true
		}, nil
	}
	two := func(_ rune, b []byte) bool { return len(b) == 2 }
	switch e {
	case GB18030:
		return by(simplifiedchinese.GB18030, func(r rune, b []byte) bool {
			return len(b) == 2 || len(b) == 4 && r >= 0x3400 && r <= 0x4db5
		})
	case GBK:
		return by(simplifiedchinese.GBK, two)
	case GB2312: // GBK where HZ, which is GB 2312 in seven bits, has the character too
		hz := simplifiedchinese.HZGB2312.NewEncoder()
		return by(simplifiedchinese.GBK, func(r rune, b []byte) bool {
			hz.Reset()
			_, err := hz.Bytes([]byte(string(r)))
			return err == nil && two(r, b)
		})
	case UTF8:
		return func(r rune) ([]byte, bool) { return []byte(string(r)), true }, nil
	case ASCII:
		return func(rune) ([]byte, bool) { return nil, false }, nil
	}
	return nil, fmt.Errorf("%w %.20q", ErrEncoding, string(e))
}

// qr prints a code by the printer's own commands, or as dots.
func (w *writer) qr(l Line) error {
	if len(l.Data) > 512 {
		return fmt.Errorf("a QR code of %d bytes is more than a slip can hold", len(l.Data))
	}
	for i := 0; i < len(l.Data); i++ {
		if l.Data[i] < ' ' || l.Data[i] > '~' {
			return fmt.Errorf("byte %d of a QR code is not printable ASCII", i)
		}
	}
	c, err := qr.Encode(l.Data, qr.M)
	if err != nil {
		return fmt.Errorf("QR code: %w", err)
	}
	if l.N < 2 || l.N > 16 || (c.Size+2*quiet)*l.N > w.paper.Dots {
		return fmt.Errorf("a QR code of %d modules of %d dots does not fit %d dots", c.Size, l.N, w.paper.Dots)
	}
	if !w.profile.NativeQR {
		w.raster(c, l.N)
		return nil
	}
	w.cmd(escDots, byte(quiet*l.N)) // the printer draws no quiet zone
	w.setAlign(Center)
	w.gsk(65, qrModelTwo, 0)
	w.gsk(67, byte(l.N))
	w.gsk(69, qrLevelM)
	w.gsk(80, append([]byte{48}, l.Data...)...)
	w.gsk(81, 48)
	w.setAlign(Left)
	w.cmd(escDots, byte(quiet*l.N))
	return nil
}

// gsk writes GS ( k for the QR code (cn 49).
func (w *writer) gsk(fn byte, args ...byte) {
	n := len(args) + 2
	w.cmd(gsQR, byte(n), byte(n>>8), 49, fn)
	w.out = append(w.out, args...)
}

// raster sends the code as strips of at most stripRows rows. The margin is part of the dots: some clones ignore ESC a here.
// A module has at least two dots, so a byte of the picture is never 10 (DLE), which printers act on even inside of data.
func (w *writer) raster(c *qr.Code, n int) {
	w.setAlign(Left)
	left := (w.paper.Dots - (c.Size+2*quiet)*n) / 2
	rows, bytes := (c.Size+2*quiet)*n, (left+(c.Size+quiet)*n+7)/8
	for top := 0; top < rows; top += stripRows {
		h := min(stripRows, rows-top)
		w.cmd(gsRaster, 0, byte(bytes), byte(bytes>>8), byte(h), 0)
		for y := top; y < top+h; y++ {
			row := make([]byte, bytes)
			for x := 0; x < c.Size*n; x++ {
				if c.Black(x/n, y/n-quiet) && y >= quiet*n {
					at := left + quiet*n + x
					row[at/8] |= 0x80 >> (at % 8)
				}
			}
			w.out = append(w.out, row...)
		}
	}
}
