package keypad

import (
	"image"
	"image/color"
	"math"
)

// titleIcons are the pictograms of prompts whose screen names none.
var titleIcons = map[Msg]Icon{
	CardInsert: IconCard, CardAgain: IconCard, CardReading: IconCard,
	CardRemove: IconCardOut, CardLost: IconCardOut,
	ScanTitle: IconScan, ScanBad: IconScan,
	BuyerWait: IconPhone,
	PINTitle:  IconPIN, PINAgain: IconPIN, PINLast: IconPIN,
	PaperOut: IconPaper, PaperTear: IconPaper, PaperSign: IconPaper,
}

func (s *Screen) icon() Icon {
	if s.Icon != IconNone {
		return s.Icon
	}
	return titleIcons[s.Title.Msg]
}

// icon draws a pictogram into a square box: fg for what is drawn, bg for what is cut out of it.
func (c *canvas) icon(i Icon, b image.Rectangle, fg, bg color.Color) {
	n := float64(b.Dx())
	ox, oy := float64(b.Min.X), float64(b.Min.Y)
	at := func(x, y float64) pt { return pt{ox + x*n, oy + y*n} }
	rect := func(x0, y0, x1, y1 float64) image.Rectangle {
		p, q := at(x0, y0), at(x1, y1)
		return image.Rect(int(math.Round(p.x)), int(math.Round(p.y)), int(math.Round(q.x)), int(math.Round(q.y)))
	}
	w := n * 0.065
	switch i {
	case IconCard, IconCardOut:
		// A slot at the bottom, a card above it with its chip, and an arrow into or out of the slot.
		c.box(rect(0.20, 0.04, 0.80, 0.74), n*0.07, fg)
		c.box(rect(0.42, 0.46, 0.58, 0.64), n*0.03, bg)
		c.box(rect(0.02, 0.80, 0.98, 0.93), n*0.06, fg)
		c.box(rect(0.12, 0.845, 0.88, 0.885), n*0.02, bg)
		y0, y1 := 0.14, 0.36
		if i == IconCardOut {
			y0, y1 = y1, y0
		}
		d := math.Copysign(0.10, y1-y0)
		c.stroke(bg, w, at(0.5, y0), at(0.5, y1))
		c.stroke(bg, w, at(0.4, y1-d), at(0.5, y1), at(0.6, y1-d))
	case IconScan:
		for _, k := range [][3]pt{
			{{0.06, 0.30}, {0.06, 0.08}, {0.28, 0.08}},
			{{0.72, 0.08}, {0.94, 0.08}, {0.94, 0.30}},
			{{0.94, 0.70}, {0.94, 0.92}, {0.72, 0.92}},
			{{0.28, 0.92}, {0.06, 0.92}, {0.06, 0.70}},
		} {
			c.stroke(fg, w*1.2, at(k[0].x, k[0].y), at(k[1].x, k[1].y), at(k[2].x, k[2].y))
		}
		for j, x := range []float64{0.24, 0.34, 0.41, 0.52, 0.60, 0.70} {
			wd := []float64{0.06, 0.03, 0.07, 0.04, 0.06, 0.07}[j]
			c.fill(rect(x, 0.24, x+wd, 0.76), fg)
		}
		c.stroke(red, w*0.8, at(0.14, 0.5), at(0.86, 0.5))
	case IconPhone:
		c.box(rect(0.24, 0.02, 0.76, 0.98), n*0.09, fg)
		c.box(rect(0.30, 0.12, 0.70, 0.80), n*0.02, bg)
		c.shape(bg, circle(ox+0.5*n, oy+0.89*n, n*0.045))
		c.stroke(fg, w*1.1, at(0.39, 0.47), at(0.47, 0.56), at(0.62, 0.36))
	case IconPIN:
		c.outlineBox(rect(0.12, 0.02, 0.88, 0.98), n*0.09, bg, fg, int(w))
		c.box(rect(0.24, 0.14, 0.76, 0.32), n*0.03, fg)
		for r := range 3 {
			for k := range 3 {
				c.shape(fg, circle(ox+(0.30+0.20*float64(k))*n, oy+(0.46+0.17*float64(r))*n, n*0.055))
			}
		}
	case IconPaper:
		x, y := at(0.22, 0), at(0.22, 0.66)
		teeth := []pt{{x.x, oy + 0.10*n}}
		for k := range 7 { // a torn edge
			teeth = append(teeth, at(0.22+0.08*float64(k), []float64{0.10, 0.04}[k%2]))
		}
		teeth = append(teeth, at(0.78, 0.10), at(0.78, 0.66), y)
		c.shape(fg, teeth)
		for _, l := range []float64{0.24, 0.36, 0.48} {
			c.stroke(bg, w*0.7, at(0.34, l), at(0.66, l))
		}
		c.box(rect(0.04, 0.60, 0.96, 0.94), n*0.08, fg)
		c.box(rect(0.14, 0.66, 0.86, 0.72), n*0.03, bg)
		c.shape(bg, circle(ox+0.84*n, oy+0.84*n, n*0.035))
	case IconNone:
	}
}

// tick in a disc: approved.
func (c *canvas) signGood(x, y, r float64, disc, mark color.Color) {
	c.shape(disc, circle(x, y, r))
	c.stroke(mark, r*0.24, pt{x - 0.46*r, y + 0.02*r}, pt{x - 0.12*r, y + 0.38*r}, pt{x + 0.50*r, y - 0.34*r})
}

// cross in an octagon, the shape of a stop sign: declined.
func (c *canvas) signBad(x, y, r float64, plate, mark color.Color) {
	c.shape(plate, polygon(x, y, r*1.06, 8, math.Pi/8))
	d := 0.38 * r
	c.stroke(mark, r*0.24, pt{x - d, y - d}, pt{x + d, y + d})
	c.stroke(mark, r*0.24, pt{x - d, y + d}, pt{x + d, y - d})
}

// question mark in a triangle, the shape of a danger sign: unknown.
func (c *canvas) signDoubt(x, y, r float64, plate, mark color.Color) {
	h := 1.12 * r
	top, l, rr := pt{x, y - 0.92*h}, pt{x - 1.04*h, y + 0.80*h}, pt{x + 1.04*h, y + 0.80*h}
	c.shape(plate, []pt{top, rr, l})
	c.stroke(plate, 0.22*r, top, rr, l, top)
	size := int(1.45 * r)
	wd := c.face.width("?", size, bold)
	c.face.line(c.img, image.Pt(int(x)-wd/2, int(y+0.74*r)), "?", size, bold, mark)
}

// exclamation mark in a square: something to do.
func (c *canvas) signNotice(x, y, r float64, plate, mark color.Color) {
	c.box(image.Rect(int(x-r), int(y-r), int(x+r), int(y+r)), r*0.3, plate)
	c.stroke(mark, r*0.26, pt{x, y - 0.55*r}, pt{x, y + 0.12*r})
	c.shape(mark, circle(x, y+0.55*r, r*0.16))
}

// three discs, one larger than the other: under way.
func (c *canvas) signBusy(x, y, r float64, fg color.Color) {
	for i, s := range []float64{0.16, 0.21, 0.26} {
		c.shape(fg, circle(x+(float64(i)-1)*0.78*r, y, r*s))
	}
}

// bars of reception; struck out when the link is down, hollow when nothing is known yet.
func (c *canvas) signLink(b image.Rectangle, l Link) {
	n := float64(b.Dy())
	on, off := color.Color(white), color.Color(color.RGBA{0x5b, 0x74, 0x8c, 0xff})
	for i := range 4 {
		col := on
		if l == LinkDown || l == LinkUnknown || l == LinkBusy && i > 1 {
			col = off
		}
		x := float64(b.Min.X) + float64(i)*n*0.28
		h := n * (0.35 + 0.2*float64(i))
		c.fill(image.Rect(int(x), int(float64(b.Max.Y)-h), int(x+n*0.18), b.Max.Y), col)
	}
	if l == LinkDown {
		w := n * 0.15
		x0, y0, x1, y1 := float64(b.Min.X)+0.05*n, float64(b.Min.Y)+0.1*n, float64(b.Min.X)+0.55*n, float64(b.Min.Y)+0.6*n
		c.stroke(color.RGBA{0xff, 0x6b, 0x6b, 0xff}, w, pt{x0, y0}, pt{x1, y1})
		c.stroke(color.RGBA{0xff, 0x6b, 0x6b, 0xff}, w, pt{x0, y1}, pt{x1, y0})
	}
}
