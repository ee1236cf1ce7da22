package netlink

import (
	"encoding/binary"
	"fmt"
	"io"
)

// lengthSize is the size of the length before each message: two bytes, big-endian, not counting themselves.
const lengthSize = 2

// LargestFrame is the largest message that a length of two bytes can announce.
const LargestFrame = 0xFFFF

// AppendFrame appends the length and the message to dst. A message that is empty or longer than limit bytes is refused.
func AppendFrame(dst, message []byte, limit int) ([]byte, error) {
	if len(message) == 0 || len(message) > min(limit, LargestFrame) {
		return dst, &FrameError{Length: len(message), Limit: limit, Offset: 0}
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(message)))
	return append(dst, message...), nil
}

// ReadFrame reads one message into buf and returns the part of buf that holds it; nothing is allocated, so the length that a stranger
// announces costs nothing. A length of 0 or beyond len(buf) is a *FrameError. io.EOF means that the line ended between two
// messages, io.ErrUnexpectedEOF that it ended inside one.
func ReadFrame(r io.Reader, buf []byte) ([]byte, error) {
	var head [lengthSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n == 0 || n > len(buf) {
		return nil, &FrameError{Length: n, Limit: len(buf), Offset: 0}
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return buf[:n], nil
}

// FrameError is a length that cannot be: nothing behind it can be trusted, the line must be closed.
type FrameError struct {
	Length int // announced, bytes
	Limit  int // largest allowed, bytes
	Offset int // of the length, bytes from the start of the frame
}

func (e *FrameError) Error() string {
	return fmt.Sprintf("netlink: frame length %d at byte %d is outside 1..%d", e.Length, e.Offset, e.Limit)
}
