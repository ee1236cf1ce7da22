package keypad

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"strings"
	"unicode"

	"golang.org/x/image/vector"
)

// Colours: calm ground, dark ink, and one colour for each mood. Good is the darkest large surface, Doubt the lightest coloured
// one, Bad white within a frame, so that they differ on a grey photocopy as well.
var (
	ground = color.RGBA{0xf3, 0xf5, 0xf7, 0xff}
	white  = color.RGBA{0xff, 0xff, 0xff, 0xff}
	ink    = color.RGBA{0x12, 0x1c, 0x26, 0xff}
	dim    = color.RGBA{0x55, 0x64, 0x72, 0xff}
	rule   = color.RGBA{0xd3, 0xda, 0xe1, 0xff}
	navy   = color.RGBA{0x14, 0x2f, 0x4a, 0xff}
	blue   = color.RGBA{0x1b, 0x66, 0xa8, 0xff}
	pale   = color.RGBA{0xe2, 0xec, 0xf5, 0xff}
	green  = color.RGBA{0x0f, 0x6b, 0x42, 0xff}
	mint   = color.RGBA{0xcf, 0xea, 0xdc, 0xff}
	red    = color.RGBA{0xc4, 0x1e, 0x2a, 0xff}
	amber  = color.RGBA{0xff, 0xb8, 0x1c, 0xff}
	keyGo  = color.RGBA{0x1e, 0x8a, 0x55, 0xff} // the Enter key
	keyFix = color.RGBA{0xf2, 0xc1, 0x2e, 0xff} // the Clear key
	keyOff = color.RGBA{0xcc, 0x2f, 0x36, 0xff} // the Cancel key
	keyAny = color.RGBA{0x5d, 0x6b, 0x79, 0xff} // all others
)

// sizes of type and spaces for one display size, in pixels.
type sizes struct {
	status, hint   int // heights of the bars
	pad, gap       int
	small, body    int
	title, heading int // heading is a result's title
	amount         int // at most; it shrinks until it fits
	frame          int
}

var (
	sizes480 = sizes{status: 30, hint: 42, pad: 18, gap: 8, small: 18, body: 23, title: 27, heading: 40, amount: 88, frame: 10}
	sizes320 = sizes{status: 22, hint: 31, pad: 12, gap: 5, small: 14, body: 17, title: 20, heading: 29, amount: 62, frame: 7}
)

// canvas is the picture of the display and the means to draw on it.
type canvas struct {
	img  *image.RGBA
	face *typeface
	sizes
	ras vector.Rasterizer

	// What a test wants to know of the last render: pieces of text that did not fit, the largest type of text and of an amount.
	cut, textSize, amountSize int
}

func newCanvas(size image.Point) *canvas {
	c := &canvas{img: image.NewRGBA(image.Rectangle{Max: size}), face: newTypeface(), sizes: sizes320}
	if size.X >= 480 && size.Y >= 300 {
		c.sizes = sizes480
	}
	return c
}

func (c *canvas) fill(r image.Rectangle, col color.Color) {
	draw.Draw(c.img, r, image.NewUniform(col), image.Point{}, draw.Src)
}

// pt is a point of an outline, in pixels.
type pt struct{ x, y float64 }

// shape fills closed outlines with anti-aliased edges. Only their bounds are rasterised: a screen has dozens of small ones.
func (c *canvas) shape(col color.Color, outlines ...[]pt) {
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, o := range outlines {
		for _, p := range o {
			x0, y0, x1, y1 = min(x0, p.x), min(y0, p.y), max(x1, p.x), max(y1, p.y)
		}
	}
	// The rasteriser clips what is outside of its own bounds, but not its bounds to the picture.
	b := image.Rect(int(math.Floor(x0)), int(math.Floor(y0)), int(math.Ceil(x1)), int(math.Ceil(y1))).Intersect(c.img.Rect)
	if b.Empty() {
		return
	}
	c.ras.Reset(b.Dx(), b.Dy())
	ox, oy := float64(b.Min.X), float64(b.Min.Y)
	for _, o := range outlines {
		for i, p := range o {
			if i == 0 {
				c.ras.MoveTo(float32(p.x-ox), float32(p.y-oy))
			} else {
				c.ras.LineTo(float32(p.x-ox), float32(p.y-oy))
			}
		}
		c.ras.ClosePath()
	}
	c.ras.Draw(c.img, b, image.NewUniform(col), image.Point{})
}

// circle is the outline of a circle.
func circle(x, y, r float64) []pt {
	const n = 48
	o := make([]pt, n)
	for i := range o {
		s, k := math.Sincos(2 * math.Pi * float64(i) / n)
		o[i] = pt{x + r*k, y + r*s}
	}
	return o
}

// polygon is a regular one with a corner at angle a from the right.
func polygon(x, y, r float64, n int, a float64) []pt {
	o := make([]pt, n)
	for i := range o {
		s, k := math.Sincos(a + 2*math.Pi*float64(i)/float64(n))
		o[i] = pt{x + r*k, y + r*s}
	}
	return o
}

// rounded is the outline of a rectangle with corners of radius r.
func rounded(b image.Rectangle, r float64) []pt {
	x0, y0, x1, y1 := float64(b.Min.X), float64(b.Min.Y), float64(b.Max.X), float64(b.Max.Y)
	r = min(r, (x1-x0)/2, (y1-y0)/2)
	var o []pt
	for i, k := range []pt{{x1 - r, y1 - r}, {x0 + r, y1 - r}, {x0 + r, y0 + r}, {x1 - r, y0 + r}} {
		for j := range 9 {
			s, co := math.Sincos(math.Pi/2*float64(i) + math.Pi/16*float64(j))
			o = append(o, pt{k.x + r*co, k.y + r*s})
		}
	}
	return o
}

// stroke draws connected lines with round ends and corners.
func (c *canvas) stroke(col color.Color, width float64, line ...pt) {
	h := width / 2
	for i, p := range line {
		c.shape(col, circle(p.x, p.y, h))
		if i == 0 {
			continue
		}
		q := line[i-1]
		dx, dy := p.x-q.x, p.y-q.y
		l := math.Hypot(dx, dy)
		if l == 0 {
			continue
		}
		nx, ny := -dy/l*h, dx/l*h
		c.shape(col, []pt{{q.x + nx, q.y + ny}, {p.x + nx, p.y + ny}, {p.x - nx, p.y - ny}, {q.x - nx, q.y - ny}})
	}
}

// box is a rounded rectangle. Only the strips with the corners are rasterised: most of a large one is plain.
func (c *canvas) box(r image.Rectangle, radius float64, col color.Color) {
	k := int(math.Ceil(radius))
	if r.Dy() <= 2*k || r.Dx() <= 2*k {
		c.shape(col, rounded(r, radius))
		return
	}
	c.fill(image.Rect(r.Min.X, r.Min.Y+k, r.Max.X, r.Max.Y-k), col)
	for _, y := range []int{r.Min.Y, r.Max.Y - k} {
		c.fill(image.Rect(r.Min.X+k, y, r.Max.X-k, y+k), col)
	}
	for q := range 4 {
		x, y := r.Min.X+k, r.Min.Y+k
		if q == 0 || q == 3 {
			x = r.Max.X - k
		}
		if q < 2 {
			y = r.Max.Y - k
		}
		corner := []pt{{float64(x), float64(y)}}
		for j := range 9 {
			s, co := math.Sincos(math.Pi/2*float64(q) + math.Pi/16*float64(j))
			corner = append(corner, pt{float64(x) + float64(k)*co, float64(y) + float64(k)*s})
		}
		c.shape(col, corner)
	}
}

// outlineBox is a rounded rectangle with a border.
func (c *canvas) outlineBox(r image.Rectangle, radius float64, fill, border color.Color, w int) {
	c.box(r, radius, border)
	c.box(r.Inset(w), max(radius-float64(w), 0), fill)
}

// align of text within a width.
type align uint8

const (
	left align = iota
	centre
	right
)

// text draws one line within the rectangle, vertically in its middle, shrunk down to two thirds and then cut off with an
// ellipsis where it is too long.
func (c *canvas) text(r image.Rectangle, s string, size int, w weight, a align, col color.Color) {
	s = clean(s)
	s, size = c.fit(s, size, max(size*2/3, cell), w, r.Dx())
	c.textSize = max(c.textSize, size)
	x := r.Min.X
	switch wd := c.face.width(s, size, w); a {
	case centre:
		x += (r.Dx() - wd) / 2
	case right:
		x = r.Max.X - wd
	case left:
	}
	c.face.line(c.img, image.Pt(x, c.baseline(r, size)), s, size, w, col)
}

// baseline puts type of a size in the vertical middle of r. Hanzi reach a little below the baseline and capitals do not: the
// middle between both serves either.
func (c *canvas) baseline(r image.Rectangle, size int) int {
	return (r.Min.Y+r.Max.Y)/2 + int(math.Round(0.365*float64(size)))
}

// fit returns the largest size from size down to least at which s is not wider than width; at least, s is cut off.
func (c *canvas) fit(s string, size, least int, w weight, width int) (string, int) {
	for ; size > least; size-- {
		if c.face.width(s, size, w) <= width {
			return s, size
		}
	}
	if c.face.width(s, size, w) <= width {
		return s, size
	}
	c.cut++
	r := []rune(s)
	for len(r) > 0 && c.face.width(string(r)+"…", size, w) > width {
		r = r[:len(r)-1]
	}
	return string(r) + "…", size
}

// clean replaces what cannot be drawn on a line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// wrap breaks s into lines of at most width pixels: between words, and between any two hanzi except before closing punctuation.
func (c *canvas) wrap(s string, size int, w weight, width int) []string {
	var lines []string
	for _, para := range strings.Split(s, "\n") {
		rs := []rune(clean(para))
		for len(rs) > 0 {
			n := c.face.reach(rs, size, w, width)
			if n < len(rs) {
				n = breakAt(rs, max(n, 1))
			}
			lines = append(lines, strings.TrimSpace(string(rs[:n])))
			rs = rs[n:]
			for len(rs) > 0 && rs[0] == ' ' {
				rs = rs[1:]
			}
		}
	}
	return lines
}

// breakAt is the last place up to n where the line may break; n itself where there is none.
func breakAt(rs []rune, n int) int {
	for i := n; i > 0; i-- {
		switch prev, next := rs[i-1], rs[i]; {
		case strings.ContainsRune("，。、；：！？）》”…·,.;:!?)", next):
		case next == ' ' || prev == ' ':
			return i
		case (prev >= 0x2e80 || next >= 0x2e80) && !strings.ContainsRune("（《“(", prev):
			return i
		}
	}
	return n
}

// paragraph draws wrapped text from the top of r and returns how high it was. It shrinks by up to a quarter to stay inside.
func (c *canvas) paragraph(r image.Rectangle, s string, size int, w weight, a align, col color.Color) int {
	if s == "" {
		return 0
	}
	least := max(size*3/4, cell)
	lines := c.wrap(s, size, w, r.Dx())
	for size > least && len(lines)*lead(size) > r.Dy() {
		size--
		lines = c.wrap(s, size, w, r.Dx())
	}
	// Lines of like length instead of a full one and a last word: the narrowest width that needs no more lines.
	if n := len(lines); n == 2 || n == 3 {
		low, high := r.Dx()/n, r.Dx()
		for low < high {
			if mid := (low + high) / 2; len(c.wrap(s, size, w, mid)) <= n {
				high = mid
			} else {
				low = mid + 1
			}
		}
		lines = c.wrap(s, size, w, high)
	}
	h := lead(size)
	y := r.Min.Y
	for i, l := range lines {
		if y+h > r.Max.Y+h/4 { // better cut between lines than draw over the hints
			c.cut += len(lines) - i
			break
		}
		c.text(image.Rect(r.Min.X, y, r.Max.X, y+h), l, size, w, a, col)
		y += h
	}
	return y - r.Min.Y
}

// lead is the height of a line of a paragraph.
func lead(size int) int { return size + size*3/10 }
