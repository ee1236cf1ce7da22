package display

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"os"
	"path/filepath"
	"testing"
	"unsafe"
)

func file(t *testing.T, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fb")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, o Opts, size int) (*Dev, func() []byte) {
	t.Helper()
	o.Path = file(t, size)
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Halt() }) // again, after tests that halt it
	return d, func() []byte {
		b, err := os.ReadFile(o.Path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// TestPixels: what stands in memory for colours whose bits can be told apart, in both formats.
func TestPixels(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 4, 1))
	for i, c := range []color.RGBA{{0xff, 0, 0, 0xff}, {0, 0xff, 0, 0xff}, {0, 0, 0xff, 0xff}, {0x84, 0x82, 0x10, 0xff}} {
		img.SetRGBA(i, 0, c)
	}
	for bpp, want := range map[int][]byte{
		16: {0x00, 0xf8, 0xe0, 0x07, 0x1f, 0x00, 0x02, 0x84},
		32: {0, 0, 0xff, 0, 0, 0xff, 0, 0, 0xff, 0, 0, 0, 0x10, 0x82, 0x84, 0},
	} {
		for _, size := range []image.Point{{480, 320}, {320, 240}} {
			d, mem := open(t, Opts{Width: size.X, Height: size.Y, BPP: bpp}, size.X*size.Y*bpp/8)
			if err := d.Draw(image.Rect(3, 5, 7, 6), img, image.Point{}); err != nil {
				t.Fatal(err)
			}
			got := mem()
			at := (5*size.X + 3) * bpp / 8
			if !bytes.Equal(got[at:at+len(want)], want) {
				t.Errorf("%d bpp: % x, want % x", bpp, got[at:at+len(want)], want)
			}
			clear(got[at : at+len(want)])
			if bytes.ContainsFunc(got, func(r rune) bool { return r != 0 }) {
				t.Errorf("%d bpp: pixels outside of the rectangle were drawn", bpp)
			}
		}
	}
}

// TestOffsets: the driver's visible part may begin anywhere in memory, its lines may be longer, its channels swapped.
func TestOffsets(t *testing.T) {
	v := varScreenInfo{
		XRes: 4, YRes: 3, XResVirtual: 8, YResVirtual: 6, XOffset: 2, YOffset: 3, BitsPerPixel: 32,
		Red: bitfield{0, 8, 0}, Green: bitfield{8, 8, 0}, Blue: bitfield{16, 8, 0}, Transp: bitfield{24, 8, 0},
	}
	x := fixScreenInfo{Visual: visualTrueColor, LineLength: 40, SmemLen: 240}
	l, err := fromDriver(&v, &x)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.check(); err != nil {
		t.Fatal(err)
	}
	d := newDev("test", l)
	d.mem = make([]byte, 240)
	img := image.NewUniform(color.RGBA{1, 2, 3, 0xff})
	if err := d.Draw(image.Rect(-5, -5, 100, 100), img, image.Point{}); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 240; i += 4 {
		var want uint32
		if y, px := i/40, i%40/4; y >= 3 && px >= 2 && px < 6 {
			want = 0xff030201
		}
		if got := binary.LittleEndian.Uint32(d.mem[i:]); got != want {
			t.Fatalf("byte %d: %08x, want %08x", i, got, want)
		}
	}
	v.XOffset = 7 // 7+4 pixels of 4 bytes do not fit the line of 40
	if l, err = fromDriver(&v, &x); err == nil {
		err = l.check()
	}
	if !errors.Is(err, ErrFormat) {
		t.Errorf("visible part beyond the line: %v", err)
	}
}

// TestClip: Draw cuts as image/draw does.
func TestClip(t *testing.T) {
	src := image.NewRGBA(image.Rect(2, 3, 12, 13))
	for i := range src.Pix {
		src.Pix[i] = byte(i*7) | 1
	}
	for _, c := range []struct {
		dst image.Rectangle
		sp  image.Point
	}{
		{image.Rect(0, 0, 10, 10), image.Pt(2, 3)},
		{image.Rect(-4, -2, 20, 20), image.Pt(2, 3)},
		{image.Rect(160, 110, 300, 300), image.Pt(4, 5)},
		{image.Rect(5, 5, 8, 8), image.Pt(0, 0)},
		{image.Rect(5, 5, 8, 8), image.Pt(11, 12)},
		{image.Rect(5, 5, 8, 8), image.Pt(90, 90)},
		{image.Rect(200, 200, 210, 210), image.Pt(2, 3)},
		{image.Rectangle{}, image.Pt(2, 3)},
	} {
		for name, img := range map[string]image.Image{"RGBA": src, "other": struct{ image.Image }{src}} {
			d, mem := open(t, Opts{Width: 170, Height: 120, BPP: 32}, 170*120*4)
			if err := d.Draw(c.dst, img, c.sp); err != nil {
				t.Fatal(err)
			}
			want := image.NewRGBA(image.Rect(0, 0, 170, 120))
			draw.Draw(want, c.dst, src, c.sp, draw.Src)
			got := mem()
			for i := 0; i < len(got); i += 4 {
				if got[i] != want.Pix[i+2] || got[i+1] != want.Pix[i+1] || got[i+2] != want.Pix[i] {
					t.Fatalf("%s %v from %v: pixel %d is % x, want % x", name, c.dst, c.sp, i/4, got[i:i+3], want.Pix[i:i+3])
				}
			}
		}
	}
}

func TestStrideAndHalt(t *testing.T) {
	d, mem := open(t, Opts{Width: 160, Height: 120, BPP: 16, Stride: 400}, 400*120)
	if err := d.Draw(d.Bounds(), image.NewUniform(color.White), image.Point{}); err != nil {
		t.Fatal(err)
	}
	b := mem()
	if b[319] != 0xff || b[320] != 0 || b[400] != 0xff {
		t.Errorf("line of 320 bytes in a stride of 400: % x", b[316:404])
	}
	if d.String() == "" || d.Bounds() != image.Rect(0, 0, 160, 120) || d.ColorModel() != color.RGBAModel {
		t.Error(d, d.Bounds())
	}
	for range 2 {
		if err := d.Halt(); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Count(mem(), []byte{0}) != 400*120 {
		t.Error("not black after Halt")
	}
	if err := d.Draw(d.Bounds(), image.White, image.Point{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Draw after Halt: %v", err)
	}
}

func TestErrors(t *testing.T) {
	small := file(t, 100)
	for _, c := range []struct {
		name string
		o    Opts
	}{
		{"no file", Opts{Path: "/no/such/fb"}},
		{"directory", Opts{Path: t.TempDir(), Width: 10, Height: 10, BPP: 16}},
		{"no geometry", Opts{Path: small}},
		{"file too small", Opts{Path: small, Width: 10, Height: 10, BPP: 16}},
		{"24 bits", Opts{Path: small, Width: 5, Height: 5, BPP: 24}},
		{"stride too short", Opts{Path: small, Width: 10, Height: 2, BPP: 16, Stride: 10}},
		{"negative stride", Opts{Path: small, Width: 10, Height: 2, BPP: 16, Stride: -20}},
		{"huge", Opts{Path: small, Width: 1 << 30, Height: 1 << 30, BPP: 32}},
		{"a device that is no framebuffer", Opts{Path: "/dev/null", Width: 1, Height: 1, BPP: 16}},
	} {
		if d, err := New(c.o); err == nil {
			t.Errorf("%s: opened %v", c.name, d)
		}
	}
	for name, change := range map[string]func(*varScreenInfo, *fixScreenInfo){
		"8 bits":        func(v *varScreenInfo, _ *fixScreenInfo) { v.BitsPerPixel = 8 },
		"palette":       func(_ *varScreenInfo, x *fixScreenInfo) { x.Visual = 3 },
		"grey":          func(v *varScreenInfo, _ *fixScreenInfo) { v.Grayscale = 1 },
		"planes":        func(_ *varScreenInfo, x *fixScreenInfo) { x.Type = 1 },
		"no red":        func(v *varScreenInfo, _ *fixScreenInfo) { v.Red.Length = 0 },
		"blue outside":  func(v *varScreenInfo, _ *fixScreenInfo) { v.Blue.Offset = 4_000_000_000 },
		"little memory": func(_ *varScreenInfo, x *fixScreenInfo) { x.SmemLen = 63 },
		"huge":          func(v *varScreenInfo, _ *fixScreenInfo) { v.XRes, v.YRes = 0xffffffff, 0xffffffff },
		"far offset":    func(v *varScreenInfo, _ *fixScreenInfo) { v.YOffset = 1 << 29 },
		"nothing":       func(v *varScreenInfo, x *fixScreenInfo) { *v, *x = varScreenInfo{}, fixScreenInfo{} },
	} {
		v := varScreenInfo{XRes: 8, YRes: 4, BitsPerPixel: 16, Red: bitfield{11, 5, 0}, Green: bitfield{5, 6, 0}, Blue: bitfield{0, 5, 0}}
		x := fixScreenInfo{Visual: visualTrueColor, LineLength: 16, SmemLen: 64}
		if l, err := fromDriver(&v, &x); err != nil || l.check() != nil {
			t.Fatal("the base case is wrong: ", err)
		}
		change(&v, &x)
		l, err := fromDriver(&v, &x)
		if err == nil {
			err = l.check()
		}
		if !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStructSizes: the kernel writes that many bytes into them.
func TestStructSizes(t *testing.T) {
	fix := uintptr(80)
	if unsafe.Sizeof(uintptr(0)) == 4 {
		fix = 68
	}
	if n := unsafe.Sizeof(varScreenInfo{}); n != 160 {
		t.Errorf("fb_var_screeninfo: %d bytes", n)
	}
	if n := unsafe.Sizeof(fixScreenInfo{}); n != fix {
		t.Errorf("fb_fix_screeninfo: %d bytes, want %d", n, fix)
	}
}

func BenchmarkDrawRGB565(b *testing.B) {
	path := filepath.Join(b.TempDir(), "fb")
	if err := os.WriteFile(path, make([]byte, 480*320*2), 0o600); err != nil {
		b.Fatal(err)
	}
	d, err := New(Opts{Path: path, Width: 480, Height: 320, BPP: 16})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Halt()
	img := image.NewRGBA(d.Bounds())
	for b.Loop() {
		if err := d.Draw(d.Bounds(), img, image.Point{}); err != nil {
			b.Fatal(err)
		}
	}
}
