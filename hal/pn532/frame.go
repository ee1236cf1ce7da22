package pn532

import "fmt"

// Frames, UM0701-02 section 6.2.1: preamble 00, start code 00 FF, length and its checksum, TFI and data, checksum, postamble 00.
const (
	tfiHost = 0xD4
	tfiChip = 0xD5
	tfiFail = 0x7F // error frame: the chip did not understand the command

	maxData  = 265                     // TFI, code and parameters
	maxFrame = 3 + 5 + maxData + 1 + 1 // of an extended frame with preamble and postamble
)

var (
	ackFrame  = []byte{0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00}
	nackFrame = []byte{0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00}
)

// appendFrame appends the frame of a command, its code first. More than 254 bytes make an extended frame.
func appendFrame(dst, cmd []byte) []byte {
	n := len(cmd) + 1
	dst = append(dst, 0x00, 0x00, 0xFF)
	if n <= 0xFF {
		dst = append(dst, byte(n), -byte(n))
	} else {
		m, l := byte(n>>8), byte(n)
		dst = append(dst, 0xFF, 0xFF, m, l, -(m + l))
	}
	sum := byte(tfiHost)
	dst = append(dst, tfiHost)
	for _, b := range cmd {
		sum += b
		dst = append(dst, b)
	}
	return append(dst, -sum, 0x00)
}

// kind is what was found on the line.
type kind uint8

const (
	nothing kind = iota // more bytes are needed
	ack
	nack
	refused // error frame
	answer
	bad // something that began as a frame
)

// item is a frame. data begins with the answer's code and is valid until the decoder gets more bytes.
type item struct {
	kind kind
	data []byte
	err  *FrameError // of a bad one
}

// FrameError is a frame that cannot be used.
type FrameError struct {
	Field  string // "LCS", "DCS", "LEN" or "TFI"
	Offset int    // from the start code's first byte
}

func (e *FrameError) Error() string {
	return fmt.Sprintf("pn532: bad %s at offset %d", e.Field, e.Offset)
}

// parse looks for a frame in b, after bytes that cannot start one: preambles of any length, wake-up bytes, noise. n bytes are used up.
// With kind nothing and begun, a start code stands at b[n:].
func parse(b []byte) (it item, n int, begun bool) {
	for n+1 < len(b) && (b[n] != 0x00 || b[n+1] != 0xFF) {
		n++
	}
	if n+1 >= len(b) {
		if n < len(b) && b[n] != 0x00 {
			n++
		}
		return item{}, n, false
	}
	f := b[n:]
	if len(f) < 4 {
		return item{}, n, true
	}
	size, head := int(f[2]), 4
	switch {
	case f[2] == 0x00 && f[3] == 0xFF:
		return item{kind: ack}, n + 4, false
	case f[2] == 0xFF && f[3] == 0x00:
		return item{kind: nack}, n + 4, false
	case f[2] == 0xFF && f[3] == 0xFF:
		if len(f) < 7 {
			return item{}, n, true
		}
		if f[4]+f[5]+f[6] != 0 {
			return broken("LCS", 6), n + 2, false
		}
		size, head = int(f[4])<<8|int(f[5]), 7
	case f[2]+f[3] != 0:
		return broken("LCS", 3), n + 2, false
	}
	if size < 1 || size > maxData {
		return broken("LEN", head-2), n + 2, false
	}
	if len(f) < head+size+1 {
		return item{}, n, true
	}
	var sum byte
	for _, c := range f[head : head+size+1] {
		sum += c
	}
	end := n + head + size + 1
	switch {
	case sum != 0:
		return broken("DCS", head+size), n + 2, false
	case f[head] == tfiFail && size == 1:
		return item{kind: refused}, end, false
	case f[head] != tfiChip:
		return broken("TFI", head), n + 2, false
	case size < 2:
		return broken("LEN", head-2), n + 2, false
	}
	return item{kind: answer, data: f[head+1 : head+size]}, end, false
}

func broken(field string, offset int) item {
	return item{kind: bad, err: &FrameError{field, offset}}
}

// decoder finds frames in what a line delivers. It keeps no more than a frame and what may come behind it.
type decoder struct {
	buf   [2 * maxFrame]byte
	r, w  int
	begun bool // the rest begins with a start code
}

func (d *decoder) reset() { d.r, d.w, d.begun = 0, 0, false }

// room is where the line's next bytes go, at least maxFrame of them; wrote says how many came.
func (d *decoder) room() []byte {
	if d.r > 0 {
		d.w = copy(d.buf[:], d.buf[d.r:d.w])
		d.r = 0
	}
	if len(d.buf)-d.w < maxFrame { // the decoder had all that it can make a frame of
		d.w = copy(d.buf[:], d.buf[d.w-maxFrame:d.w])
	}
	return d.buf[d.w:]
}

func (d *decoder) wrote(n int) { d.w += n }

func (d *decoder) next() item {
	it, n, begun := parse(d.buf[d.r:d.w])
	d.r += n
	d.begun = begun
	return it
}

// skip gives up a frame whose rest does not come, so that one behind it may be found. It returns false when there is none.
func (d *decoder) skip() bool {
	if !d.begun {
		return false
	}
	d.r += min(2, d.w-d.r)
	d.begun = false
	return true
}

// badFrame is found to have a wrong LCS, and nothing behind it.
var badFrame = []byte{0x00, 0xFF, 0x01, 0x00}

// only takes a transfer that has one frame, and behind it whatever was on the bus, which may look like the beginning of another. A
// transfer without a frame that can be used becomes one that cannot.
func (d *decoder) only(b []byte) {
	d.reset()
	for at := 0; at < len(b); {
		it, n, _ := parse(b[at:])
		if it.kind == nothing {
			break
		}
		if at += n; it.kind != bad {
			d.wrote(copy(d.room(), b[:at]))
			return
		}
	}
	d.wrote(copy(d.room(), badFrame))
}
