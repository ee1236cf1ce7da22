package world

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Panel is the geometry of the display.
type Panel struct {
	Width, Height int
	RGB565        bool // 16 bits a pixel, little endian, red in the top five bits; otherwise 32 bits: blue, green, red, unused
}

// ParsePanel reads "480x320" or "320x240", with ":rgb565" behind it for 16 bits a pixel.
func ParsePanel(s string) (Panel, error) {
	size, format, has := strings.Cut(s, ":")
	fail := func() (Panel, error) {
		return Panel{}, fmt.Errorf("display %.40q: want WIDTHxHEIGHT such as 480x320 or 320x240, with :rgb565 or :xrgb8888 behind it", s)
	}
	ws, hs, ok := strings.Cut(size, "x")
	if !ok {
		return fail()
	}
	w, err1 := strconv.Atoi(ws)
	h, err2 := strconv.Atoi(hs)
	if err1 != nil || err2 != nil || w < 128 || h < 64 || w > 1024 || h > 768 {
		return fail()
	}
	if has && format != "rgb565" && format != "xrgb8888" {
		return fail()
	}
	return Panel{w, h, format == "rgb565"}, nil
}

// String is the form that ParsePanel reads.
func (p Panel) String() string {
	return fmt.Sprintf("%dx%d:%s", p.Width, p.Height, p.Format())
}

// Format is the name of the pixel format.
func (p Panel) Format() string {
	if p.RGB565 {
		return "rgb565"
	}
	return "xrgb8888"
}

// Stride is the length of a line in bytes.
func (p Panel) Stride() int { return p.Width * p.bytes() }

func (p Panel) bytes() int {
	if p.RGB565 {
		return 2
	}
	return 4
}

// Image decodes the pixels of a framebuffer. Missing bytes are black.
func (p Panel) Image(pix []byte) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		var c color.NRGBA
		c.A = 255
		if o := i * p.bytes(); o+p.bytes() <= len(pix) {
			if p.RGB565 {
				v := binary.LittleEndian.Uint16(pix[o:])
				r, g, b := uint8(v>>11), uint8(v>>5)&63, uint8(v)&31
				c.R, c.G, c.B = r<<3|r>>2, g<<2|g>>4, b<<3|b>>2
			} else {
				c.B, c.G, c.R = pix[o], pix[o+1], pix[o+2]
			}
		}
		o := i * 4
		img.Pix[o], img.Pix[o+1], img.Pix[o+2], img.Pix[o+3] = c.R, c.G, c.B, c.A
	}
	return img
}

// framebuffer is the file that posd maps and draws into. The world maps it too and looks for changes: a mapping makes no noise.
type framebuffer struct {
	panel Panel
	mem   []byte

	mu      sync.Mutex
	last    []byte // what was there at the last look
	version uint64
	drawn   uint64 // version that encoded is of
	encoded []byte
}

func newFramebuffer(path string, p Panel) (*framebuffer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := p.Stride() * p.Height
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return &framebuffer{panel: p, mem: mem, last: make([]byte, size), version: 1}, nil
}

// look takes what is on the display now, and tells whether it differs from the last look.
func (f *framebuffer) look() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mem == nil || bytes.Equal(f.mem, f.last) {
		return false
	}
	copy(f.last, f.mem)
	f.version++
	return true
}

// black is the display without power.
func (f *framebuffer) black() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.mem)
}

// png is the picture at the last look and its version.
func (f *framebuffer) png() ([]byte, uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.drawn != f.version {
		var b bytes.Buffer
		enc := png.Encoder{CompressionLevel: png.BestSpeed}
		if err := enc.Encode(&b, f.panel.Image(f.last)); err != nil {
			return nil, 0, err
		}
		f.encoded, f.drawn = b.Bytes(), f.version
	}
	return f.encoded, f.version, nil
}

func (f *framebuffer) image() *image.NRGBA {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.panel.Image(f.last)
}

func (f *framebuffer) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mem == nil {
		return nil
	}
	mem := f.mem
	f.mem = nil
	return unix.Munmap(mem)
}
