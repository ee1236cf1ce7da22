package keypad

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"github.com/hajimehoshi/bitmapfont/v3"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// Weight of type.
type weight uint8

const (
	medium weight = iota
	bold
)

// Chinese glyphs come from a 12-pixel bitmap font, enlarged; letters and digits, whose outlines are small, from the Go fonts. Both
// are set on one baseline in the same nominal size, the height of a hanzi cell.
const (
	cell     = 12 // the bitmap font's hanzi are 12x12, its ink within rows 2 to 13 of 16
	cellBase = 12 // row of its baseline
	cellRows = 16
	// latinScale is the size of the outline font beside hanzi of size 1: its capitals are 0.72 high, a hanzi looks 0.9 high.
	latinScale = 0.98
)

// glyph is a drawn character: its coverage, where it sits relative to the pen on the baseline, and how far the pen goes.
type glyph struct {
	mask    *image.Alpha
	at      image.Point
	advance fixed.Int26_6
}

type glyphKey struct {
	r    rune
	size int
	w    weight
}

type faceKey struct {
	size int
	w    weight
}

// typeface draws characters and remembers them: a screen of a terminal has few different ones.
type typeface struct {
	latin  [2]*sfnt.Font
	faces  map[faceKey]font.Face
	glyphs map[glyphKey]glyph
	buf    sfnt.Buffer
}

// maxGlyphs bounds the cache; names of merchants and goods come from outside.
const maxGlyphs = 600

func newTypeface() *typeface {
	t := &typeface{faces: map[faceKey]font.Face{}, glyphs: map[glyphKey]glyph{}}
	for w, ttf := range [2][]byte{gomedium.TTF, gobold.TTF} {
		f, err := opentype.Parse(ttf)
		if err != nil {
			panic("keypad: the built-in font is damaged: " + err.Error()) // it is part of the program
		}
		t.latin[w] = f
	}
	return t
}

func (t *typeface) glyph(r rune, size int, w weight) glyph {
	k := glyphKey{r, size, w}
	g, ok := t.glyphs[k]
	if ok {
		return g
	}
	if len(t.glyphs) >= maxGlyphs {
		clear(t.glyphs)
	}
	if i, err := t.latin[w].GlyphIndex(&t.buf, r); err == nil && i != 0 && r < 0x2e80 {
		g = t.outline(r, size, w)
	} else {
		g = enlarge(r, size, w)
	}
	t.glyphs[k] = g
	return g
}

func (t *typeface) outline(r rune, size int, w weight) glyph {
	if r == '0' {
		if g, ok := t.zero(size, w); ok {
			return g
		}
	}
	fk := faceKey{size, w}
	f, ok := t.faces[fk]
	if !ok {
		// The error is for impossible options only; 72 dpi makes a point a pixel.
		f, _ = opentype.NewFace(t.latin[w], &opentype.FaceOptions{Size: latinScale * float64(size), DPI: 72, Hinting: font.HintingVertical})
		t.faces[fk] = f
	}
	dr, m, mp, adv, ok := f.Glyph(fixed.Point26_6{}, r)
	if !ok {
		return glyph{advance: fixed.I(size / 2)}
	}
	mask := image.NewAlpha(image.Rectangle{Max: dr.Size()})
	draw.Draw(mask, mask.Rect, m, mp, draw.Src) // the face uses its own mask again
	return glyph{mask, dr.Min, adv}
}

// zero draws the digit without the stroke through it, which looks like an 8 from a metre away: the outer contour as it is, and as
// the counter the same contour, mirrored (so that it cuts), in the bounds of the two halves that the stroke leaves.
func (t *typeface) zero(size int, w weight) (glyph, bool) {
	f := t.latin[w]
	ppem := fixed.Int26_6(latinScale * float64(size) * 64)
	i, err := f.GlyphIndex(&t.buf, '0')
	if err != nil {
		return glyph{}, false
	}
	segs, err := f.LoadGlyph(&t.buf, i, ppem, nil)
	if err != nil {
		return glyph{}, false
	}
	var contours []sfnt.Segments
	for _, s := range segs {
		if s.Op == sfnt.SegmentOpMoveTo {
			contours = append(contours, nil)
		}
		if n := len(contours); n > 0 {
			contours[n-1] = append(contours[n-1], s)
		}
	}
	var outer sfnt.Segments
	var out, in fixed.Rectangle26_6
	for _, c := range contours {
		b := c.Bounds()
		if b.Max.Y-b.Min.Y > out.Max.Y-out.Min.Y {
			outer, out = c, b
		}
	}
	for _, c := range contours {
		if b := c.Bounds(); b != out {
			in = in.Union(b)
		}
	}
	adv, err := f.GlyphAdvance(&t.buf, i, ppem, font.HintingNone)
	if err != nil || len(contours) < 2 || in.Empty() {
		return glyph{}, false
	}
	bounds := image.Rect(out.Min.X.Floor(), out.Min.Y.Floor(), out.Max.X.Ceil(), out.Max.Y.Ceil())
	var ras vector.Rasterizer
	ras.Reset(bounds.Dx(), bounds.Dy())
	path := func(to func(p fixed.Point26_6) (x, y float32)) {
		for _, s := range outer {
			x, y := to(s.Args[0])
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				ras.MoveTo(x, y)
			case sfnt.SegmentOpLineTo:
				ras.LineTo(x, y)
			case sfnt.SegmentOpQuadTo:
				x1, y1 := to(s.Args[1])
				ras.QuadTo(x, y, x1, y1)
			case sfnt.SegmentOpCubeTo:
				x1, y1 := to(s.Args[1])
				x2, y2 := to(s.Args[2])
				ras.CubeTo(x, y, x1, y1, x2, y2)
			}
		}
		ras.ClosePath()
	}
	px := func(v fixed.Int26_6) float32 { return float32(v) / 64 }
	path(func(p fixed.Point26_6) (x, y float32) {
		return px(p.X) - float32(bounds.Min.X), px(p.Y) - float32(bounds.Min.Y)
	})
	kx := float32(in.Max.X-in.Min.X) / float32(out.Max.X-out.Min.X)
	ky := float32(in.Max.Y-in.Min.Y) / float32(out.Max.Y-out.Min.Y)
	path(func(p fixed.Point26_6) (x, y float32) {
		return px(in.Max.X) - px(p.X-out.Min.X)*kx - float32(bounds.Min.X), px(in.Min.Y) + px(p.Y-out.Min.Y)*ky - float32(bounds.Min.Y)
	})
	mask := image.NewAlpha(image.Rectangle{Max: bounds.Size()})
	ras.Draw(mask, mask.Rect, image.Opaque, image.Point{})
	return glyph{mask, bounds.Min, adv}, true
}

// enlarge draws a glyph of the bitmap font at any size. The 1-bit cell is smoothed with a small kernel, interpolated, and cut at a
// level: strokes keep their width, corners and diagonals become round instead of stairs.
func enlarge(r rune, size int, w weight) glyph {
	dr, m, mp, adv, ok := bitmapfont.FaceSC.Glyph(fixed.Point26_6{}, r)
	if !ok {
		dr, m, mp, adv, ok = bitmapfont.FaceSC.Glyph(fixed.Point26_6{}, '□')
		if !ok {
			return glyph{advance: fixed.I(size)}
		}
	}
	// A margin of two cells around, so that the kernel needs no bounds.
	const b = 2
	cols := dr.Dx()
	var src [cellRows + 2*b][cell + 2*b]float64
	for y := range min(dr.Dy(), cellRows) {
		for x := range min(cols, cell) {
			if _, _, _, a := m.At(mp.X+x, mp.Y+y).RGBA(); a != 0 {
				src[y+b][x+b] = 1
			}
		}
	}
	s := float64(size) / cell
	if size == cell && w == medium { // the font's own size: as it was drawn
		mask := image.NewAlpha(image.Rect(0, 0, cols, cellRows))
		for y := range cellRows {
			for x := range cols {
				mask.SetAlpha(x, y, color.Alpha{uint8(255 * src[y+b][x+b])})
			}
		}
		return glyph{mask, image.Pt(0, -cellBase), adv}
	}
	level := 0.40
	if w == bold {
		level = 0.32
	}
	wd, ht := int(math.Ceil(float64(cols)*s)), int(math.Ceil(cellRows*s))
	mask := image.NewAlpha(image.Rect(0, 0, wd, ht))
	for y := range ht {
		v := (float64(y)+0.5)/s - 0.5
		for x := range wd {
			u := (float64(x)+0.5)/s - 0.5
			d := sample(&src, u+b, v+b)
			if a := (d-level)*s*1.5 + 0.5; a > 0 {
				mask.Pix[y*mask.Stride+x] = uint8(255*min(a, 1) + 0.5)
			}
		}
	}
	base := int(math.Round(cellBase * s))
	return glyph{mask, image.Pt(0, -base), fixed.Int26_6(math.Round(float64(adv) * s))}
}

// sample weighs the nine cells around a point with a quadratic B-spline, which is round enough for diagonals and narrow enough to
// keep apart strokes with one empty row between them.
func sample(src *[cellRows + 4][cell + 4]float64, u, v float64) float64 {
	iu, iv := math.Round(u), math.Round(v)
	wu, wv := spline(u-iu), spline(v-iv)
	var sum float64
	for j := range 3 {
		y := int(iv) + j - 1
		if y < 0 || y >= len(src) {
			continue
		}
		for i := range 3 {
			x := int(iu) + i - 1
			if x < 0 || x >= len(src[0]) {
				continue
			}
			sum += wv[j] * wu[i] * src[y][x]
		}
	}
	return sum
}

// spline is the weights of the quadratic B-spline for the cells left, at and right of a point at distance d of the middle one.
func spline(d float64) [3]float64 {
	return [3]float64{0.5 * (0.5 - d) * (0.5 - d), 0.75 - d*d, 0.5 * (0.5 + d) * (0.5 + d)}
}

// width is how far a line of type reaches, in pixels.
func (t *typeface) width(s string, size int, w weight) int {
	var x fixed.Int26_6
	for _, r := range s {
		x += t.glyph(r, size, w).advance
	}
	return x.Ceil()
}

// reach is how many characters of a line fit a width.
func (t *typeface) reach(rs []rune, size int, w weight, width int) int {
	var x fixed.Int26_6
	for i, r := range rs {
		if x += t.glyph(r, size, w).advance; x.Ceil() > width {
			return i
		}
	}
	return len(rs)
}

// line draws s with the baseline's left end at p and returns the x where it ends.
func (t *typeface) line(dst draw.Image, p image.Point, s string, size int, w weight, c color.Color) int {
	x := fixed.I(p.X)
	ink := image.NewUniform(c)
	for _, r := range s {
		g := t.glyph(r, size, w)
		if g.mask != nil {
			at := image.Pt(x.Round(), p.Y).Add(g.at)
			draw.DrawMask(dst, g.mask.Rect.Add(at), ink, image.Point{}, g.mask, image.Point{}, draw.Over)
		}
		x += g.advance
	}
	return x.Ceil()
}
