package escpos

import (
	"image"
	"strings"

	"github.com/hajimehoshi/bitmapfont/v3"
	xfont "golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
)

// A face of bitmapfont has cells of 12 by 16 (half-width 6 by 16); the glyphs stand in the twelve rows from the third on.
const (
	cellTop  = 2
	cellRows = 12
)

type glyphKey struct {
	r           rune
	wide, small bool
	bold        bool
}

// font draws characters as a printer's ROM has them: 24 by 24 dots for a hanzi, 12 by 24 for half-width font A, 9 by 17 for B.
type font struct{ cache map[glyphKey]bitmap }

// glyph returns a copy that may be changed.
func (f *font) glyph(r rune, wide, small, bold bool) bitmap {
	k := glyphKey{r, wide, small, bold}
	b, ok := f.cache[k]
	if !ok {
		b = draw(r, wide, small)
		if bold { // the head heats each dot and the one to its right
			fat := newBitmap(b.w, b.h)
			fat.draw(b, 0, 0)
			fat.draw(b, 1, 0)
			b = fat
		}
		if f.cache == nil || len(f.cache) > 4096 {
			f.cache = map[glyphKey]bitmap{}
		}
		f.cache[k] = b
	}
	return bitmap{b.w, b.h, append([]bool(nil), b.on...)}
}

func draw(r rune, wide, small bool) bitmap {
	base, ok := cell(r, wide)
	if !ok {
		base, _ = cell('□', wide)
	}
	if small {
		b := newBitmap(9, 17)
		b.draw(base, 1, 2)
		return b
	}
	if wide {
		return base.scale(2, 2) // rounding makes small boxes in a hanzi hard to read
	}
	return base.smooth()
}

// cell is the character as the face has it, 6 or 12 by 12 dots; false when the face does not have it.
func cell(r rune, wide bool) (bitmap, bool) {
	var face xfont.Face = bitmapfont.FaceSC
	w := 6
	if wide {
		face, w = bitmapfont.FaceSCEA, 12
	}
	b := newBitmap(w, cellRows)
	if r == ' ' || r == 0x3000 {
		return b, true
	}
	if i := strings.IndexRune(boxes, r); i >= 0 && !wide { // the face has some of these only
		b.box(boxArms[i/len("─")])
		return b, true
	}
	dr, mask, mp, _, ok := face.Glyph(fixed.P(0, 0), r)
	if !ok {
		return b, false
	}
	dr = dr.Sub(image.Pt(0, dr.Min.Y))
	ink := false
	for y := range cellRows {
		for x := range min(w, dr.Dx()) {
			if _, _, _, a := mask.At(mp.X+x, mp.Y+y+cellTop).RGBA(); a > 0x7fff {
				b.set(x, y)
				ink = true
			}
		}
	}
	return b, ink
}

// boxes are the characters that frames are made of, boxArms which of up 1, down 2, left 4 and right 8 each has.
const boxes = "─│┌┐└┘├┤┬┴┼╭╮╰╯"

var boxArms = [...]byte{12, 3, 10, 6, 9, 5, 11, 7, 14, 13, 15, 10, 6, 9, 5}

func (b bitmap) box(arms byte) {
	x, y := b.w/2, b.h/2
	for i, r := range [...][4]int{{x, 0, x + 1, y + 1}, {x, y, x + 1, b.h}, {0, y, x + 1, y + 1}, {x, y, b.w, y + 1}} {
		if arms&(1<<i) != 0 {
			b.fill(r[0], r[1], r[2], r[3])
		}
	}
}

// smooth doubles a picture and rounds the corners of slanted strokes (the rule known as Scale2x): a dot takes the colour of two
// neighbours that meet at its corner when they agree and the opposite ones do not.
func (b bitmap) smooth() bitmap {
	out := newBitmap(2*b.w, 2*b.h)
	for y := range b.h {
		for x := range b.w {
			up, down, left, right, p := b.at(x, y-1), b.at(x, y+1), b.at(x-1, y), b.at(x+1, y), b.at(x, y)
			corners := [4]bool{p, p, p, p}
			if up != down && left != right {
				if left == up {
					corners[0] = left
				}
				if up == right {
					corners[1] = right
				}
				if left == down {
					corners[2] = left
				}
				if down == right {
					corners[3] = right
				}
			}
			for i, on := range corners {
				if on {
					out.set(2*x+i%2, 2*y+i/2)
				}
			}
		}
	}
	return out
}
