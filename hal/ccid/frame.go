package ccid

import (
	"encoding/binary"
	"fmt"
)

// Framing bytes of the GemPC Twin family.
const (
	syn     = 0x03
	ack     = 0x06
	nak     = 0x15
	nakLRC  = syn ^ nak
	notify  = 0x50 // then 02 card out or 03 card in
	cardOut = 0x02
	cardIn  = 0x03
)

// Message types, CCID section 6.
const (
	pcPowerOn   = 0x62
	pcPowerOff  = 0x63
	pcStatus    = 0x65
	pcXfrBlock  = 0x6F
	pcSetParams = 0x61
	pcEscape    = 0x6B
	pcSecure    = 0x69
	pcAbort     = 0x72

	rdrDataBlock  = 0x80
	rdrSlotStatus = 0x81
	rdrParameters = 0x82
	rdrEscape     = 0x83
)

const (
	headerLen = 10
	maxData   = 261                         // dwMaxCCIDMessageLength of these readers is 271
	maxFrame  = 2 + headerLen + maxData + 1 // SYNC ACK ... LRC
	maxBuffer = 4 * maxFrame
)

// message is a CCID message. b holds bytes 7 to 9 of the header: in a command its parameters, in an answer bStatus, bError and one
// byte that depends on the type.
type message struct {
	typ  byte
	slot byte
	seq  byte
	b    [3]byte
	data []byte
}

// appendFrame appends the message as it goes on the line. The data must not be longer than maxData.
func (m message) appendFrame(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, syn, ack, m.typ)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(m.data)))
	dst = append(dst, m.slot, m.seq, m.b[0], m.b[1], m.b[2])
	dst = append(dst, m.data...)
	return append(dst, xor(dst[at:]))
}

func xor(b []byte) (x byte) {
	for _, c := range b {
		x ^= c
	}
	return x
}

type itemKind uint8

const (
	itemMessage itemKind = iota + 1
	itemNAK
	itemNotify // in is valid
	itemTime   // T=0 time request: one byte of 80 or more
	itemBad    // a frame with a wrong LRC
)

type item struct {
	kind itemKind
	in   bool
	msg  message
	err  error // itemBad: a *FrameError
}

// FrameError says what is wrong with bytes from the reader.
type FrameError struct {
	Field  string // name of the field
	Offset int    // in the frame, SYNC being 0
	Got    byte
	Want   byte
}

func (e *FrameError) Error() string {
	return fmt.Sprintf("ccid: frame: %s at offset %d is %02X, want %02X", e.Field, e.Offset, e.Got, e.Want)
}

// decoder cuts the byte stream of a reader into items. Bytes that cannot start one are skipped; a header with an impossible type or
// length is not taken for a header. It holds at most maxBuffer bytes.
type decoder struct {
	buf     []byte
	garbage bool // bytes were skipped
}

// push appends what was read.
func (d *decoder) push(b []byte) {
	if len(d.buf)+len(b) > maxBuffer { // a flood of bytes that never becomes a frame
		d.buf = d.buf[:0]
		b = b[max(0, len(b)-maxBuffer):]
	}
	d.buf = append(d.buf, b...)
}

func (d *decoder) drop(n int) { d.buf = d.buf[:copy(d.buf, d.buf[n:])] }

// next returns the next item, or false when more bytes are needed.
func (d *decoder) next() (item, bool) {
	for len(d.buf) > 0 {
		switch c := d.buf[0]; {
		case c == syn:
			it, n, more := parseSync(d.buf)
			if more {
				return item{}, false
			}
			d.drop(max(n, 1))
			if it.kind != 0 {
				return it, true
			}
			d.garbage = true
		case c == notify:
			if len(d.buf) < 2 {
				return item{}, false
			}
			second := d.buf[1]
			if second == cardOut || second == cardIn {
				d.drop(2)
				return item{kind: itemNotify, in: second == cardIn}, true
			}
			d.drop(1)
			d.garbage = true
		case c >= 0x80:
			d.drop(1)
			return item{kind: itemTime}, true
		default:
			d.drop(1)
			d.garbage = true
		}
	}
	return item{}, false
}

// skip gives up the frame that the buffer seems to begin with, so that next can look for one behind it. It returns false when there
// is nothing to give up.
func (d *decoder) skip() bool {
	if len(d.buf) == 0 {
		return false
	}
	d.drop(1)
	d.garbage = true
	return true
}

// parseSync reads what follows a SYNC byte. n bytes are to be dropped; more asks for further bytes. A bad LRC drops SYNC alone, so
// that a good frame behind a false start is found.
func parseSync(b []byte) (it item, n int, more bool) {
	if len(b) < 2 {
		return item{}, 0, true
	}
	switch b[1] {
	case nak:
		if len(b) < 3 {
			return item{}, 0, true
		}
		if b[2] != nakLRC {
			return item{}, 1, false
		}
		return item{kind: itemNAK}, 3, false
	case ack:
	default:
		return item{}, 1, false
	}
	if len(b) > 2 && !knownType(b[2]) {
		return item{}, 1, false
	}
	if len(b) < 7 {
		return item{}, 0, true
	}
	size := binary.LittleEndian.Uint32(b[3:7])
	if size > maxData {
		return item{}, 1, false
	}
	end := 2 + headerLen + int(size)
	if len(b) <= end {
		return item{}, 0, true
	}
	if lrc := xor(b[:end]); lrc != b[end] {
		return item{kind: itemBad, err: &FrameError{Field: "LRC", Offset: end, Got: b[end], Want: lrc}}, 1, false
	}
	return item{kind: itemMessage, msg: message{
		typ: b[2], slot: b[7], seq: b[8], b: [3]byte(b[9:12]),
		data: append([]byte(nil), b[12:end]...),
	}}, end + 1, false
}

// knownType tells whether a message of this type can come from a reader: an answer, or the echo of a command.
func knownType(t byte) bool {
	switch t {
	case rdrDataBlock, rdrSlotStatus, rdrParameters, rdrEscape:
		return true
	}
	return isEcho(t)
}

func isEcho(t byte) bool {
	switch t {
	case pcPowerOn, pcPowerOff, pcStatus, pcXfrBlock, pcSetParams, pcEscape, pcSecure, pcAbort:
		return true
	}
	return false
}
