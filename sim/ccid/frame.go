package ccid

import (
	"encoding/binary"
	"fmt"
)

const (
	syncByte = 0x03
	ackByte  = 0x06
	nakByte  = 0x15

	headerLen = 10
	maxData   = 261 // dwMaxCCIDMessageLength 271
)

var nakFrame = []byte{syncByte, nakByte, syncByte ^ nakByte}

// command is a message from the host. raw is its frame, for the echo.
type command struct {
	typ, slot, seq byte
	b              [3]byte
	data           []byte
	raw            []byte
}

// answer is a message to the host. b is bStatus, bError and the last header byte.
type answer struct {
	typ, slot, seq byte
	b              [3]byte
	data           []byte
}

func (a answer) frame() []byte {
	f := []byte{syncByte, ackByte, a.typ}
	f = binary.LittleEndian.AppendUint32(f, uint32(len(a.data)))
	f = append(f, a.slot, a.seq, a.b[0], a.b[1], a.b[2])
	f = append(f, a.data...)
	return append(f, xor(f))
}

func xor(b []byte) (x byte) {
	for _, c := range b {
		x ^= c
	}
	return x
}

// frameError is bytes from the host that are no frame; the reader answers NAK.
type frameError struct {
	field  string
	offset int
}

func (e *frameError) Error() string {
	return fmt.Sprintf("frame: bad %s at offset %d", e.field, e.offset)
}

// nakReceived is the host's wish to hear the last answer again.
type nakReceived struct{}

func (nakReceived) Error() string { return "NAK" }

// parse looks for a command at the start of b, after bytes that cannot start one. n bytes are used up. With neither a command nor an
// error, more bytes are needed.
func parse(b []byte) (c *command, n int, err error) {
	for n < len(b) && b[n] != syncByte {
		n++
	}
	b = b[n:]
	if len(b) < 3 {
		return nil, n, nil
	}
	switch b[1] {
	case ackByte:
	case nakByte:
		if b[2] != syncByte^nakByte {
			return nil, n + 1, &frameError{"LRC", 2}
		}
		return nil, n + 3, nakReceived{}
	default:
		return nil, n + 1, &frameError{"ACK", 1}
	}
	if len(b) < 7 {
		return nil, n, nil
	}
	size := binary.LittleEndian.Uint32(b[3:7])
	if size > maxData {
		return nil, n + 1, &frameError{"dwLength", 3}
	}
	end := 2 + headerLen + int(size)
	if len(b) <= end {
		return nil, n, nil
	}
	if xor(b[:end+1]) != 0 {
		return nil, n + end + 1, &frameError{"LRC", end}
	}
	raw := append([]byte(nil), b[:end+1]...)
	return &command{typ: raw[2], slot: raw[7], seq: raw[8], b: [3]byte(raw[9:12]), data: raw[12:end], raw: raw}, n + end + 1, nil
}
