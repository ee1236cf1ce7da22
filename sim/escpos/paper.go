package escpos

import (
	"context"
	"slices"
	"strings"
)

const (
	maxRows    = 16000 // two metres in one piece
	maxHanging = 40000 // five metres in all: older pieces fall off
	cutterRows = 96    // from the head to the cutter
)

// bitmap is a picture of dots.
type bitmap struct {
	w, h int
	on   []bool
}

func newBitmap(w, h int) bitmap { return bitmap{w, h, make([]bool, w*h)} }

func (b bitmap) at(x, y int) bool {
	return x >= 0 && y >= 0 && x < b.w && y < b.h && b.on[y*b.w+x]
}

func (b bitmap) set(x, y int) { b.on[y*b.w+x] = true }

func (b bitmap) fill(x0, y0, x1, y1 int) {
	for y := max(y0, 0); y < y1; y++ {
		for x := x0; x < x1; x++ {
			b.set(x, y)
		}
	}
}

func (b bitmap) invert() {
	for i := range b.on {
		b.on[i] = !b.on[i]
	}
}

// scale repeats dots.
func (b bitmap) scale(sx, sy int) bitmap {
	if sx == 1 && sy == 1 {
		return b
	}
	out := newBitmap(b.w*sx, b.h*sy)
	for y := range out.h {
		for x := range out.w {
			out.on[y*out.w+x] = b.on[y/sy*b.w+x/sx]
		}
	}
	return out
}

func (b bitmap) crop(w int) bitmap {
	if w >= b.w {
		return b
	}
	out := newBitmap(w, b.h)
	out.draw(b, 0, 0)
	return out
}

func (b bitmap) rotate() bitmap {
	out := bitmap{b.w, b.h, slices.Clone(b.on)}
	slices.Reverse(out.on)
	return out
}

// draw adds the dots of src at x, y.
func (b bitmap) draw(src bitmap, x, y int) {
	for sy := max(-y, 0); sy < min(src.h, b.h-y); sy++ {
		row := src.on[sy*src.w : (sy+1)*src.w]
		for sx := max(-x, 0); sx < min(src.w, b.w-x); sx++ {
			if row[sx] {
				b.set(x+sx, y+sy)
			}
		}
	}
}

// paper is the roll: the pieces that were cut, and the one under the head. A row is dots/8 bytes.
type paper struct {
	dots int
	bits []byte
	text []textLine
	no   int
	done []Receipt
}

func (p *paper) rows() int { return len(p.bits) / (p.dots / 8) }

func (p *paper) feed(rows int) {
	if rows > 0 {
		p.bits = append(p.bits, make([]byte, rows*p.dots/8)...)
	}
}

// draw heats a picture at the end of the paper, which moves on by its height.
func (p *paper) draw(b bitmap, left int) {
	y0 := p.rows()
	p.feed(b.h)
	for y := range b.h {
		row := p.bits[(y0+y)*p.dots/8:]
		for x := range min(b.w, p.dots-left) {
			if b.on[y*b.w+x] {
				row[(left+x)/8] |= 0x80 >> ((left + x) % 8)
			}
		}
	}
}

// say notes the text of the line that ends at the present row.
func (p *paper) say(s string) { p.text = append(p.text, textLine{p.rows(), s}) }

// cut divides the paper at the cutter: what stands between cutter and head stays for the next piece, be it blank or not.
func (p *paper) cut() { p.divide(max(p.rows()-cutterRows, 0)) }

// divide makes a piece of the first rows.
func (p *paper) divide(rows int) {
	if rows == 0 {
		return
	}
	all := *p
	p.bits = p.bits[:rows*p.dots/8]
	p.text = slices.DeleteFunc(slices.Clone(all.text), func(l textLine) bool { return l.row > rows })
	p.done = append(p.done, p.piece(true))
	hanging := 0
	for _, r := range p.done {
		hanging += r.Height()
	}
	for hanging > maxHanging {
		hanging -= p.done[0].Height()
		p.done = slices.Delete(p.done, 0, 1)
	}
	p.no++
	p.bits = slices.Clone(all.bits[rows*p.dots/8:])
	p.text = nil
	for _, l := range all.text {
		if l.row > rows {
			p.text = append(p.text, textLine{l.row - rows, l.s})
		}
	}
}

func (p *paper) piece(cut bool) Receipt {
	var b strings.Builder
	for _, l := range p.text {
		b.WriteString(l.s + "\n")
	}
	return Receipt{No: p.no + 1, Text: strings.Trim(b.String(), "\n") + "\n", Cut: cut, dots: p.dots, bits: p.bits}
}

// pieces are all that hangs out of the printer.
func (p *paper) pieces() []Receipt {
	all := slices.Clone(p.done)
	if p.rows() > cutterRows {
		r := p.piece(false)
		r.bits = slices.Clone(r.bits)
		all = append(all, r)
	}
	return all
}

// textLine is a printed line and the row below it.
type textLine struct {
	row int
	s   string
}

// Receipt is a piece of paper with what is printed on it.
type Receipt struct {
	No   int    // counts the pieces of this printer from 1
	Text string // lines, columns kept; a QR code is [QR ...]
	Cut  bool   // the cutter has cut it; the last piece may still grow
	dots int
	bits []byte
}

// Height is the length of the piece in dots.
func (r Receipt) Height() int { return len(r.bits) / (r.dots / 8) }

// Paper is what hangs out of the printer, oldest first, and a number that changes whenever the paper or a fault does.
func (p *Printer) Paper() (version int, receipts []Receipt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version, p.m.paper.pieces()
}

// Wait waits until the version is another than the one given, or ctx ends, and returns it.
func (p *Printer) Wait(ctx context.Context, version int) int {
	for {
		p.mu.Lock()
		now, changed := p.version, p.changed
		p.mu.Unlock()
		if now != version {
			return now
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return now
		}
	}
}

// Text is everything that hangs out of the printer, as text; pieces are divided by a line.
func (p *Printer) Text() string {
	_, receipts := p.Paper()
	var all []string
	for _, r := range receipts {
		all = append(all, r.Text)
	}
	return strings.Join(all, strings.Repeat("=", 16)+"\n")
}

// Tear takes the paper: everything that is printed goes, and is returned.
func (p *Printer) Tear() []Receipt {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m.paper.rows() > cutterRows {
		p.m.paper.divide(p.m.paper.rows())
		p.m.paper.feed(cutterRows)
	}
	all := p.m.paper.done
	p.m.paper.done = nil
	p.trace("", "paper torn off")
	p.touch()
	return all
}
