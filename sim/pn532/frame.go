package pn532

const (
	maxData = 265 // TFI, code and parameters
	maxPart = 262 // data of one InDataExchange
)

var (
	ackFrame   = []byte{0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00}
	nackFrame  = []byte{0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00}
	errorFrame = []byte{0x00, 0x00, 0xFF, 0x01, 0xFF, 0x7F, 0x81, 0x00}
)

// frame builds the frame of an answer, its code first.
func frame(data []byte) []byte {
	f := []byte{0x00, 0x00, 0xFF}
	if n := len(data) + 1; n <= 0xFF {
		f = append(f, byte(n), byte(0x100-n))
	} else {
		f = append(f, 0xFF, 0xFF, byte(n>>8), byte(n), byte(0x100-(n>>8+n)&0xFF))
	}
	sum := 0xD5
	for _, b := range data {
		sum += int(b)
	}
	f = append(append(f, 0xD5), data...)
	return append(f, byte(0x100-sum&0xFF), 0x00)
}

// kind is what the host sent.
type kind uint8

const (
	partial kind = iota // more bytes are needed
	ack
	nack
	command
	rubbish // a frame with a wrong checksum, length or TFI: the chip says nothing
)

// parse looks for a frame in b, after bytes that cannot start one; n bytes are used up. cmd begins with the command's code.
func parse(b []byte) (k kind, cmd []byte, n int) {
	for ; len(b)-n >= 2; n++ {
		if b[n] == 0x00 && b[n+1] == 0xFF {
			break
		}
	}
	f := b[n:]
	if len(f) < 2 && (len(f) == 0 || f[0] != 0x00) {
		return partial, nil, len(b)
	}
	if len(f) < 4 {
		return partial, nil, n
	}
	size, head := int(f[2]), 4
	switch [2]byte{f[2], f[3]} {
	case [2]byte{0x00, 0xFF}:
		return ack, nil, n + 4
	case [2]byte{0xFF, 0x00}:
		return nack, nil, n + 4
	case [2]byte{0xFF, 0xFF}:
		if len(f) < 7 {
			return partial, nil, n
		}
		size, head = int(f[4])<<8|int(f[5]), 7
		if f[4]+f[5]+f[6] != 0 {
			return rubbish, nil, n + 2
		}
	default:
		if f[2]+f[3] != 0 {
			return rubbish, nil, n + 2
		}
	}
	if size < 2 || size > maxData {
		return rubbish, nil, n + 2
	}
	if len(f) <= head+size {
		return partial, nil, n
	}
	sum := byte(0)
	for _, c := range f[head : head+size+1] {
		sum += c
	}
	if sum != 0 || f[head] != 0xD4 {
		return rubbish, nil, n + 2
	}
	return command, f[head+1 : head+size : head+size], n + head + size + 1
}
