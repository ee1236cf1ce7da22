package display

import "fmt"

// Requests of linux/fb.h.
const (
	fbioGetVScreenInfo = 0x4600
	fbioGetFScreenInfo = 0x4602
)

// bitfield is struct fb_bitfield.
type bitfield struct{ Offset, Length, MSBRight uint32 }

// varScreenInfo is struct fb_var_screeninfo, 160 bytes on every architecture.
type varScreenInfo struct {
	XRes, YRes               uint32
	XResVirtual, YResVirtual uint32
	XOffset, YOffset         uint32
	BitsPerPixel             uint32
	Grayscale                uint32
	Red, Green, Blue, Transp bitfield
	NonStd                   uint32
	Activate                 uint32
	Height, Width            uint32 // millimetres
	AccelFlags               uint32
	PixClock                 uint32
	Margins                  [4]uint32
	HSyncLen, VSyncLen       uint32
	Sync, VMode              uint32
	Rotate                   uint32
	ColorSpace               uint32
	Reserved                 [4]uint32
}

// fixScreenInfo is struct fb_fix_screeninfo; its two addresses are longs: 80 bytes on 64-bit, 68 on 32-bit architectures.
type fixScreenInfo struct {
	ID           [16]byte
	SmemStart    uintptr
	SmemLen      uint32
	Type         uint32
	TypeAux      uint32
	Visual       uint32
	XPanStep     uint16
	YPanStep     uint16
	YWrapStep    uint16
	LineLength   uint32
	MmioStart    uintptr
	MmioLen      uint32
	Accel        uint32
	Capabilities uint16
	Reserved     [2]uint16
}

// Values of fb_fix_screeninfo.
const (
	typePackedPixels = 0
	visualTrueColor  = 2
	visualDirect     = 4
)

// fromDriver takes over what the driver says, refusing what would draw nonsense.
func fromDriver(v *varScreenInfo, x *fixScreenInfo) (layout, error) {
	const most = 1 << 30
	for name, n := range map[string]uint32{
		"width": v.XRes, "height": v.YRes, "x offset": v.XOffset, "y offset": v.YOffset, "line": x.LineLength, "memory": x.SmemLen,
	} {
		if n > most {
			return layout{}, fmt.Errorf("%w: %s %d", ErrFormat, name, n)
		}
	}
	if x.Type != typePackedPixels || x.Visual != visualTrueColor && x.Visual != visualDirect || v.Grayscale != 0 || v.NonStd != 0 {
		return layout{}, fmt.Errorf("%w: type %d, visual %d, greyscale %d, nonstd %d", ErrFormat, x.Type, x.Visual, v.Grayscale, v.NonStd)
	}
	l := layout{
		width: int(v.XRes), height: int(v.YRes), x: int(v.XOffset), y: int(v.YOffset), bpp: int(v.BitsPerPixel),
		stride: int(x.LineLength), size: int(x.SmemLen),
		r: field(v.Red), g: field(v.Green), b: field(v.Blue), alpha: field(v.Transp),
	}
	if l.stride == 0 {
		l.stride = int(v.XResVirtual) * l.bpp / 8
	}
	return l, nil
}

func field(b bitfield) channel { return channel{min(b.Offset, 64), min(b.Length, 64)} }
