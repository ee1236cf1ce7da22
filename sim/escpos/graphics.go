package escpos

import (
	"fmt"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"rsc.io/qr"
)

// doBitImage is ESC *: columns of 8 or 24 dots, set into the line like a character. The 8-dot modes and the single densities
// have coarser dots.
func (m *machine) doBitImage(b []byte) {
	mode, cols := b[2], le(b[3:])
	height, sx, sy := 8, 1, 1
	switch mode {
	case 0:
		sx, sy = 2, 3
	case 1:
		sy = 3
	case 32:
		height, sx = 24, 2
	case 33:
		height = 24
	default:
		m.note("not drawn: ESC * of this mode", b)
		return
	}
	data, per := b[5:], height/8
	bits := newBitmap(min(cols, m.dots), height)
	for x := range bits.w {
		for y := range height {
			if data[x*per+y/8]&(0x80>>(y%8)) != 0 {
				bits.set(x, y)
			}
		}
	}
	bits = bits.scale(sx, sy)
	if bits.w > m.areaDots() {
		bits = bits.crop(m.areaDots())
	}
	if bits.w > 0 {
		m.place(item{bits: bits}, 0, 0)
	}
}

// rowsOf reads a picture sent row by row, cut to the width of the paper.
func (m *machine) rowsOf(data []byte, stride, height int) bitmap {
	bits := newBitmap(min(stride*8, m.dots), height)
	for y := range height {
		for x := range bits.w {
			if data[y*stride+x/8]&(0x80>>(x%8)) != 0 {
				bits.set(x, y)
			}
		}
	}
	return bits
}

// doRaster is GS v 0.
func (m *machine) doRaster(b []byte) {
	stride, height := le(b[4:]), le(b[6:])
	if b[2] != '0' {
		m.note("unknown command", b)
		return
	}
	if stride == 0 {
		return
	}
	mode := int(b[3] & 3)
	m.print(m.rowsOf(b[8:], stride, height).scale(1+mode&1, 1+mode>>1), "", false)
}

// doGroup is GS ( x: only k and L are drawn.
func (m *machine) doGroup(b []byte) {
	switch b[2] {
	case 'k':
		m.symbol(b[5:], b)
	case 'L':
		m.graphics(b[5:], b)
	default:
		skipped(m, b)
	}
}

// graphics are the functions 112, 113 (store) and 50 (print) of GS ( L and GS 8 L.
func (m *machine) graphics(d, whole []byte) {
	if len(d) < 2 {
		m.note("too short: "+m.name(whole), whole)
		return
	}
	switch fn := d[1]; {
	case fn == 2 || fn == 50:
		m.print(m.stored, "", true)
		m.stored = bitmap{}
	case (fn == 112 || fn == 113) && len(d) >= 10:
		w, h := le(d[6:]), le(d[8:])
		stride, need := (w+7)/8, int64(h)*int64((w+7)/8)
		if fn == 113 {
			stride = (h + 7) / 8
			need = int64(w) * int64(stride)
		}
		if int64(len(d)-10) < need {
			m.note("shorter than its picture: "+m.name(whole), whole)
			return
		}
		if fn == 112 {
			m.stored = m.rowsOf(d[10:], stride, h)
			m.stored = m.stored.crop(w)
		} else {
			m.stored = newBitmap(min(w, m.dots), h)
			for x := range m.stored.w {
				for y := range h {
					if d[10+x*stride+y/8]&(0x80>>(y%8)) != 0 {
						m.stored.set(x, y)
					}
				}
			}
		}
		m.stored = m.stored.scale(max(min(int(d[3]), 2), 1), max(min(int(d[4]), 2), 1))
	default:
		skipped(m, whole)
	}
}

// symbol is GS ( k for the QR code (cn 49).
func (m *machine) symbol(d, whole []byte) {
	if len(d) < 2 || d[0] != 49 {
		skipped(m, whole)
		return
	}
	switch fn := d[1]; {
	case fn == 65 && len(d) == 4: // model: rsc.io/qr draws model 2
		if d[2] != 50 {
			skipped(m, whole)
		}
	case fn == 67 && len(d) == 3:
		m.st.qrDots = min(max(int(d[2]), 1), 16)
	case fn == 69 && len(d) == 3 && d[2] >= 48 && d[2] <= 51:
		m.st.qrLevel = d[2]
	case fn == 80 && len(d) >= 3:
		m.qrData = append([]byte(nil), d[3:]...)
	case fn == 81:
		m.printQR()
	default:
		skipped(m, whole)
	}
}

func (m *machine) printQR() {
	if len(m.qrData) == 0 {
		m.note("QR code printed before it was stored", nil)
		return
	}
	c, err := qr.Encode(string(m.qrData), [...]qr.Level{qr.L, qr.M, qr.Q, qr.H}[m.st.qrLevel-48])
	if err != nil {
		m.note("QR code beyond its capacity", m.qrData)
		return
	}
	bits := newBitmap(c.Size, c.Size)
	for y := range c.Size {
		for x := range c.Size {
			if c.Black(x, y) {
				bits.set(x, y)
			}
		}
	}
	m.print(bits.scale(m.st.qrDots, m.st.qrDots), fmt.Sprintf("[QR %s]", visible(m.qrData)), true)
}

// visible is data of a code as printable text.
func visible(b []byte) string {
	s := make([]rune, 0, len(b))
	for _, r := range string(b) {
		if r < ' ' || r == 0x7f {
			r = '·'
		}
		s = append(s, r)
	}
	return string(s)
}

// The bar codes of GS k, by m of its second form; the first form counts from 0.
var barcodes = map[byte]struct {
	format gozxing.BarcodeFormat
	writer func() gozxing.Writer
}{
	65: {gozxing.BarcodeFormat_UPC_A, oned.NewUPCAWriter},
	66: {gozxing.BarcodeFormat_UPC_E, oned.NewUPCEWriter},
	67: {gozxing.BarcodeFormat_EAN_13, oned.NewEAN13Writer},
	68: {gozxing.BarcodeFormat_EAN_8, oned.NewEAN8Writer},
	69: {gozxing.BarcodeFormat_CODE_39, oned.NewCode39Writer},
	70: {gozxing.BarcodeFormat_ITF, oned.NewITFWriter},
	71: {gozxing.BarcodeFormat_CODABAR, oned.NewCodaBarWriter},
	72: {gozxing.BarcodeFormat_CODE_93, oned.NewCode93Writer},
	73: {gozxing.BarcodeFormat_CODE_128, oned.NewCode128Writer},
}

func (m *machine) doBarcode(b []byte) {
	kind, data := b[2], b[3:]
	if kind >= 65 {
		data = b[4:]
	} else {
		kind += 65
		data = data[:len(data)-1]
	}
	code, ok := barcodes[kind]
	text := string(data)
	if kind == 73 && len(text) > 2 && text[0] == '{' { // the code set, chosen again by the encoder
		text = text[2:]
	}
	if !ok || text == "" {
		m.note("not drawn: GS k of this type", b)
		return
	}
	matrix, err := code.writer().Encode(text, code.format, 1, 1, nil)
	if err != nil {
		m.note("bar code with data that it cannot hold", b)
		return
	}
	bits := newBitmap(matrix.GetWidth(), 1)
	for x := range bits.w {
		if matrix.Get(x, 0) {
			bits.set(x, 0)
		}
	}
	if bits.w*m.st.barWidth > m.areaDots() {
		m.note("not drawn: a bar code wider than the paper", b)
		return
	}
	bits = bits.scale(m.st.barWidth, m.st.barHeight)
	shown := visible([]byte(text))
	if m.st.hri == 1 || m.st.hri == 3 {
		m.caption(shown, bits.w)
	}
	m.print(bits, "[bar code "+shown+"]", true)
	if m.st.hri == 2 || m.st.hri == 3 {
		m.caption(shown, bits.w)
	}
}

// caption prints the characters of a bar code in the middle of its width.
func (m *machine) caption(s string, width int) {
	if m.st.align == 0 {
		m.x = max(width-len(s)*12, 0) / 2
	}
	for _, r := range s {
		m.put(r, false)
	}
	m.flush(defaultSpacing)
}
