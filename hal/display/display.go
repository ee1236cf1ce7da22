// Package display draws on a Linux framebuffer (Documentation/fb/framebuffer.rst, linux/fb.h) by memory mapping, as a
// display.Drawer of periph.
//
// Pixels of 16 bits (RGB565) and of 32 bits are known, with the colours wherever the driver says. A plain file in place of the
// device is mapped just so, with the geometry from the board file; a simulator looks at it. Page flipping, hardware acceleration,
// rotation and palettes are not used; for a panel that is mounted sideways set the kernel's rotation.
package display

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/display"
)

// Opts of a Dev. The geometry is needed only where the path is a plain file.
type Opts struct {
	Path          string
	Width, Height int // pixels
	BPP           int // bits a pixel: 16 or 32
	Stride        int // bytes a line; Width*BPP/8 when zero
}

// ErrFormat is wrapped when the framebuffer has a pixel format that is not known, or its numbers contradict each other.
var ErrFormat = errors.New("display: pixel format not supported")

// channel is where a colour stands within a pixel: fb_bitfield of linux/fb.h.
type channel struct{ offset, length uint32 }

// layout is the format of the framebuffer.
type layout struct {
	width, height  int // visible pixels
	x, y           int // of the visible part within the virtual screen
	stride, size   int // bytes a line, bytes to map
	bpp            int
	r, g, b, alpha channel
}

// Dev is an open framebuffer.
type Dev struct {
	path string
	l    layout

	mu    sync.Mutex
	mem   []byte         // the mapping; nil after Halt
	line  []byte         // one converted line
	table [3][256]uint32 // bits of a pixel by channel and value, alpha with red
}

var _ display.Drawer = (*Dev)(nil)

// New opens and maps the framebuffer. It does not clear it: what the boot loader drew stays until the first Draw.
func New(o Opts) (*Dev, error) {
	f, err := os.OpenFile(o.Path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("display: %w", err)
	}
	defer f.Close() // the mapping stays
	l, err := query(f)
	if errors.Is(err, syscall.ENOTTY) {
		st, serr := f.Stat()
		if serr != nil {
			return nil, fmt.Errorf("display: %w", serr)
		}
		if st.Mode()&fs.ModeType != 0 {
			return nil, fmt.Errorf("display: %s is neither a framebuffer nor a plain file", o.Path)
		}
		l, err = o.layout(st.Size())
	}
	if err == nil {
		err = l.check()
	}
	if err != nil {
		return nil, fmt.Errorf("display: %s: %w", o.Path, err)
	}
	d := newDev(o.Path, l)
	err = control(f, func(fd int) error {
		var err error
		d.mem, err = unix.Mmap(fd, 0, l.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("display: %s: map: %w", o.Path, err)
	}
	return d, nil
}

func newDev(path string, l layout) *Dev {
	d := &Dev{path: path, l: l, line: make([]byte, l.width*l.bpp/8)}
	for i, c := range []channel{l.r, l.g, l.b} {
		for v := range d.table[i] {
			d.table[i][v] = uint32(v) >> (8 - c.length) << c.offset
		}
	}
	for v := range d.table[0] {
		d.table[0][v] |= (1<<l.alpha.length - 1) << l.alpha.offset
	}
	return d
}

// layout is the format of a plain file of so many bytes.
func (o Opts) layout(size int64) (layout, error) {
	if o.Width <= 0 || o.Height <= 0 || o.BPP <= 0 {
		return layout{}, errors.New("a plain file needs width, height and bpp")
	}
	if max(o.Width, o.Height) > 1<<13 || o.BPP > 32 || o.Stride < 0 || o.Stride > 1<<16 {
		return layout{}, fmt.Errorf("%w: %dx%d at %d bits, %d bytes a line", ErrFormat, o.Width, o.Height, o.BPP, o.Stride)
	}
	l := layout{width: o.Width, height: o.Height, bpp: o.BPP, stride: o.Stride}
	if l.stride == 0 {
		l.stride = o.Width * o.BPP / 8
	}
	l.size = l.stride * l.height
	if int64(l.size) > size {
		return layout{}, fmt.Errorf("the file has %d bytes, %dx%d at %d bits needs %d", size, o.Width, o.Height, o.BPP, l.size)
	}
	switch o.BPP {
	case 16:
		l.r, l.g, l.b = channel{11, 5}, channel{5, 6}, channel{0, 5}
	case 32:
		l.r, l.g, l.b = channel{16, 8}, channel{8, 8}, channel{0, 8}
	}
	return l, nil
}

// check sees to it that drawing stays within the mapping, whatever the driver said.
func (l *layout) check() error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrFormat}, a...)...)
	}
	// Small enough that no product below exceeds an int of 32 bits.
	const most, mostStride = 1 << 13, 1 << 16
	switch {
	case l.bpp != 16 && l.bpp != 32:
		return bad("%d bits a pixel", l.bpp)
	case l.width <= 0 || l.height <= 0 || l.width > most || l.height > most:
		return bad("%dx%d pixels", l.width, l.height)
	case l.x < 0 || l.y < 0 || l.x > most || l.y > most:
		return bad("offset %d,%d", l.x, l.y)
	case l.stride < (l.x+l.width)*l.bpp/8 || l.stride > mostStride:
		return bad("%d bytes a line for %d pixels", l.stride, l.x+l.width)
	case l.size < l.stride*(l.y+l.height):
		return bad("%d bytes of memory for %d lines of %d", l.size, l.y+l.height, l.stride)
	}
	for name, c := range map[string]channel{"red": l.r, "green": l.g, "blue": l.b} {
		if c.length == 0 || c.length > 8 || int(c.offset+c.length) > l.bpp {
			return bad("%s has %d bits at %d", name, c.length, c.offset)
		}
	}
	if l.alpha.length > 8 || int(l.alpha.offset+l.alpha.length) > l.bpp {
		return bad("alpha has %d bits at %d", l.alpha.length, l.alpha.offset)
	}
	return nil
}

// ColorModel is RGBA: the conversion to the panel's bits happens in Draw.
func (d *Dev) ColorModel() color.Model { return color.RGBAModel }

// Bounds is the visible part, from the origin.
func (d *Dev) Bounds() image.Rectangle { return image.Rect(0, 0, d.l.width, d.l.height) }

// String names the device and its format.
func (d *Dev) String() string {
	return fmt.Sprintf("display(%s %dx%d %d bpp)", d.path, d.l.width, d.l.height, d.l.bpp)
}

// Halt makes the display black and ends its use.
func (d *Dev) Halt() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mem == nil {
		return nil
	}
	for y := range d.l.height {
		clear(d.row(y, 0, d.l.width))
	}
	mem := d.mem
	d.mem = nil
	if err := unix.Munmap(mem); err != nil {
		return fmt.Errorf("display: %s: %w", d.path, err)
	}
	return nil
}

// row is the memory of the pixels x0 up to x1 of a visible line.
func (d *Dev) row(y, x0, x1 int) []byte {
	at := (d.l.y + y) * d.l.stride
	n := d.l.bpp / 8
	return d.mem[at+(d.l.x+x0)*n : at+(d.l.x+x1)*n]
}

// Draw copies src, from sp on, to dst. What lies outside of the display or of src is left alone. *image.RGBA is fast.
func (d *Dev) Draw(dst image.Rectangle, src image.Image, sp image.Point) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mem == nil {
		return fmt.Errorf("display: %s: %w", d.path, os.ErrClosed)
	}
	// As image/draw clips: what is cut off at the left and top moves sp.
	shift := sp.Sub(dst.Min)
	r := dst.Intersect(d.Bounds()).Intersect(src.Bounds().Sub(shift))
	if r.Empty() {
		return nil
	}
	sp = r.Min.Add(shift)
	rgba, ok := src.(*image.RGBA)
	if !ok {
		rgba = image.NewRGBA(image.Rectangle{Min: sp, Max: sp.Add(r.Size())})
		draw.Draw(rgba, rgba.Rect, src, sp, draw.Src)
	}
	for y := range r.Dy() {
		from := rgba.PixOffset(sp.X, sp.Y+y)
		d.convert(d.row(r.Min.Y+y, r.Min.X, r.Max.X), rgba.Pix[from:from+4*r.Dx()])
	}
	return nil
}

// convert writes a line of RGBA pixels in the panel's format. It is made in ordinary memory and copied in one go: video memory is
// often uncached, and a half-written pixel would flicker.
func (d *Dev) convert(dst, pix []byte) {
	line := d.line[:0]
	red, green, blue := &d.table[0], &d.table[1], &d.table[2]
	if d.l.bpp == 16 {
		for ; len(pix) >= 4; pix = pix[4:] {
			line = binary.LittleEndian.AppendUint16(line, uint16(red[pix[0]]|green[pix[1]]|blue[pix[2]]))
		}
	} else {
		for ; len(pix) >= 4; pix = pix[4:] {
			line = binary.LittleEndian.AppendUint32(line, red[pix[0]]|green[pix[1]]|blue[pix[2]])
		}
	}
	copy(dst, line)
}

func control(f *os.File, do func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := c.Control(func(fd uintptr) { inner = do(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// query asks the driver.
func query(f *os.File) (layout, error) {
	var v varScreenInfo
	var x fixScreenInfo
	err := control(f, func(fd int) error {
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), fbioGetVScreenInfo, uintptr(unsafe.Pointer(&v))); e != 0 {
			return e
		}
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), fbioGetFScreenInfo, uintptr(unsafe.Pointer(&x))); e != 0 {
			return e
		}
		return nil
	})
	if err != nil {
		return layout{}, err
	}
	return fromDriver(&v, &x)
}
