package world

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rsc.io/qr"

	"posd/hal/input"
)

func TestParsePanel(t *testing.T) {
	for s, want := range map[string]Panel{
		"480x320": {480, 320, false}, "320x240:rgb565": {320, 240, true}, "320x240:xrgb8888": {320, 240, false},
	} {
		if p, err := ParsePanel(s); err != nil || p != want {
			t.Errorf("%s: %v, %v", s, p, err)
		}
	}
	for _, s := range []string{"", "480", "480x", "x320", "0x0", "99999x320", "480x320:rgb888", "480x-320", "480x320x2"} {
		if p, err := ParsePanel(s); err == nil {
			t.Errorf("%q is taken as %v", s, p)
		}
	}
}

func TestFramebufferToPNG(t *testing.T) {
	for _, c := range []struct {
		panel Panel
		pix   []byte // of the second pixel of the second line
		r, g  uint32
		b     uint32
	}{
		{Panel{160, 120, false}, []byte{0x10, 0x20, 0x30, 0x00}, 0x30, 0x20, 0x10},
		{Panel{160, 120, true}, []byte{0x1f, 0xf8}, 0xff, 0x00, 0xff}, // red and blue full
		{Panel{160, 120, true}, []byte{0xe0, 0x07}, 0x00, 0xff, 0x00}, // green full
	} {
		path := filepath.Join(t.TempDir(), "fb")
		fb, err := newFramebuffer(path, c.panel)
		if err != nil {
			t.Fatal(err)
		}
		if fb.look() {
			t.Error("a fresh framebuffer has changed")
		}
		_, before, _ := fb.png()
		f, err := os.OpenFile(path, os.O_RDWR, 0) // as another process would
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(c.pix, int64(c.panel.Stride()+len(c.pix))); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		if !fb.look() || fb.look() {
			t.Error("one change is not seen once")
		}
		b, after, err := fb.png()
		if err != nil || after != before+1 {
			t.Errorf("version %d after %d: %v", after, before, err)
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if s := img.Bounds().Size(); s.X != c.panel.Width || s.Y != c.panel.Height {
			t.Errorf("size %v", s)
		}
		if r, g, b, a := img.At(1, 1).RGBA(); r>>8 != c.r || g>>8 != c.g || b>>8 != c.b || a>>8 != 255 {
			t.Errorf("%v: pixel %02x %02x %02x %02x", c.panel, r>>8, g>>8, b>>8, a>>8)
		}
		if r, g, b, _ := img.At(0, 0).RGBA(); r|g|b != 0 {
			t.Errorf("the first pixel is not black")
		}
		fb.black()
		if !fb.look() {
			t.Error("power off does not show")
		}
		if err := fb.close(); err != nil {
			t.Error(err)
		}
		if fb.look() {
			t.Error("a closed framebuffer has changed")
		}
	}
}

func TestDisplayQRIsReadFromPixels(t *testing.T) {
	p := Panel{320, 240, true}
	fb, err := newFramebuffer(filepath.Join(t.TempDir(), "fb"), p)
	if err != nil {
		t.Fatal(err)
	}
	defer fb.close()
	w := &World{fb: fb}
	if _, err := w.DisplayQR(); err == nil {
		t.Error("a QR code is read from a black display")
	}
	const text = "https://qr.alipay.invalid/bax0123456789"
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	for i := range fb.mem {
		fb.mem[i] = 0xff
	}
	const dot = 4
	for y := range code.Size * dot {
		for x := range code.Size * dot {
			if code.Black(x/dot, y/dot) {
				o := (y+40)*p.Stride() + (x+60)*2
				fb.mem[o], fb.mem[o+1] = 0, 0
			}
		}
	}
	if got, err := w.DisplayQR(); err != nil || got != text {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestKeys(t *testing.T) {
	seen := map[uint16]bool{}
	for _, k := range Keys {
		if code, ok := input.Code(k.Linux); !ok || code != k.Code {
			t.Errorf("%s: %s is %d for the driver, %d here", k.Name, k.Linux, code, k.Code)
		}
		if r, ok := input.Rune(k.Name); !ok || r != k.Rune {
			t.Errorf("%s: %q for the driver, %q here", k.Name, r, k.Rune)
		}
		if seen[k.Code] {
			t.Errorf("%s: code %d twice", k.Name, k.Code)
		}
		seen[k.Code] = true
	}
	for alias, name := range keyAliases {
		if k, err := FindKey(strings.ToUpper(alias)); err != nil || k.Name != name {
			t.Errorf("%s: %v, %v", alias, k.Name, err)
		}
	}
	var bad *NameError
	if _, err := FindKey("coffee"); !errors.As(err, &bad) || len(bad.Choose) != len(Keys) {
		t.Errorf("unknown key: %v", err)
	}
}

func TestKeyPipeCarriesEvents(t *testing.T) {
	for _, size := range []int{input.Size32, input.Size64} {
		path := filepath.Join(t.TempDir(), "keypad")
		k, err := newKeyPipe(path, size)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.press(99); err != nil { // nobody reads: it must not be there later
			t.Fatal(err)
		}
		k.drain()
		start := time.Now()
		for _, code := range []uint16{28, 28} {
			if err := k.press(code); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d < keyAgain {
			t.Errorf("the same key twice within %v", d)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 8*size+1)
		n, err := f.Read(buf)
		if err != nil || n != 8*size {
			t.Fatalf("%d bytes, %v", n, err)
		}
		var got string
		for o := 0; o < n; o += size {
			e := buf[o+size-8:]
			got += fmt.Sprintf("%d/%d/%d ", e[0], e[2], e[4])
		}
		if want := strings.Repeat("1/28/1 0/0/0 1/28/0 0/0/0 ", 2); got != want {
			t.Errorf("events %s; want %s", got, want)
		}
		_ = f.Close()
		if err := k.close(); err != nil {
			t.Error(err)
		}
	}
	if s := eventSize("/nonexistent"); s != input.Size64 {
		t.Errorf("unknown program: %d", s)
	}
}

func TestReadLines(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine)
	var got []string
	readLines(strings.NewReader("one\r\n\n"+long+"\ntwo\nend"), func(b []byte) { got = append(got, string(b)) })
	if len(got) != 4 || got[0] != "one" || len(got[1]) != maxLine || got[2] != "two" || got[3] != "end" {
		t.Errorf("%d lines", len(got))
		for _, l := range got {
			t.Errorf("%.20q (%d)", l, len(l))
		}
	}
}

func TestLogEvent(t *testing.T) {
	e := logEvent([]byte(`{"level":"info","time":"x","stan":12,"screen":"idle","message":"screen"}`))
	if e.Summary != "screen idle" || screenOf(e) != "idle" || fieldOf(e, "stan") != "12" || fieldOf(e, "time") != "" {
		t.Errorf("%+v", e)
	}
	for _, s := range []string{"panic: boom", `{"half":`, "[1,2]", "\xff\xfe"} {
		if e := logEvent([]byte(s)); e.Source != "posd" || e.Summary == "" {
			t.Errorf("%q: %+v", s, e)
		}
	}
}
