package escpos

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
)

// Paper at each side of the printable dots.
const margin = 32

// Colours of thermal paper: warm white, a shade for its edges, and a black that is none.
var (
	paperColour = color.NRGBA{0xfb, 0xfa, 0xf4, 0xff}
	edgeColour  = color.NRGBA{0xe4, 0xe1, 0xd6, 0xff}
	noPaper     = color.NRGBA{}
	inkColour   = [4]color.NRGBA{{0x26, 0x25, 0x2b, 0xff}, {0x2d, 0x2c, 0x32, 0xff}, {0x35, 0x34, 0x3a, 0xff}, {0x2a, 0x29, 0x2f, 0xff}}
)

// Image is the piece as it looks: one pixel a dot, a margin at each side, transparent beyond the teeth of a cut edge.
func (r Receipt) Image() image.Image {
	h := r.Height()
	img := image.NewPaletted(image.Rect(0, 0, r.dots+2*margin, h+2*tooth), palette())
	r.draw(img, 0)
	return img
}

// PNG is Image as a PNG file.
func (r Receipt) PNG() ([]byte, error) { return encode(r.Image()) }

const tooth = 6 // height of the teeth at an edge

const (
	iClear = iota
	iPaper
	iEdge
	iInk // and the three that follow
)

func palette() color.Palette {
	return color.Palette{noPaper, paperColour, edgeColour, inkColour[0], inkColour[1], inkColour[2], inkColour[3]}
}

func (r Receipt) draw(img *image.Paletted, top int) {
	h, w := r.Height(), r.dots+2*margin
	for y := range h + 2*tooth {
		line := img.Pix[(top+y)*img.Stride : (top+y)*img.Stride+w]
		for x := range line {
			c := byte(iPaper)
			switch t := abs(x%(2*tooth) - tooth); { // the zigzag of the tear bar
			case y < t, y >= h+2*tooth-t && r.Cut:
				c = iClear
			case x < 2 || x >= w-2:
				c = iEdge
			}
			line[x] = c
		}
	}
	stride := r.dots / 8
	for y := range h {
		for x := range r.dots {
			if r.bits[y*stride+x/8]&(0x80>>(x%8)) != 0 {
				// Each heating element is a little different, and the paper is not quite even.
				shade := (x*7 + x/16 + (y/3)*5) % 4
				img.Pix[(top+tooth+y)*img.Stride+margin+x] = byte(iInk + shade)
			}
		}
	}
}

// Image is the paper so far: every piece that hangs out of the printer, oldest at the top.
func (p *Printer) Image() image.Image {
	_, receipts := p.Paper()
	dots, h := p.m.dots, 0
	for _, r := range receipts {
		h += r.Height() + 2*tooth
	}
	img := image.NewPaletted(image.Rect(0, 0, dots+2*margin, max(h, 1)), palette())
	top := 0
	for _, r := range receipts {
		r.draw(img, top)
		top += r.Height() + 2*tooth
	}
	return img
}

// PNG is Image as a PNG file.
func (p *Printer) PNG() ([]byte, error) { return encode(p.Image()) }

func encode(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}
