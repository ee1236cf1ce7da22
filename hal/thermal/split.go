package thermal

import "fmt"

// SplitError says where in the data a command stands whose end the driver cannot tell, so that it could not be sent in parts.
type SplitError struct {
	Offset int
	Why    string
}

func (e *SplitError) Error() string {
	return fmt.Sprintf("thermal: data at offset %d: %s", e.Offset, e.Why)
}

// chunk is a part of the data that ends at a command or a line.
type chunk struct {
	data []byte
	rows int // of paper it moves, about
}

// Rows of a line of text and of one of double height, with the gap.
const (
	lineRows = 30
	tallRows = 56
)

// split divides ESC/POS data into chunks of about size bytes. A question must not land inside a command: the printer would take
// it for data of a picture.
func split(data []byte, size int) ([]chunk, error) {
	var out []chunk
	start, rows, height := 0, 0, lineRows
	for i := 0; i < len(data); {
		n, moved, err := command(data, i)
		if err != nil {
			return nil, err
		}
		switch {
		case data[i] == '\n':
			moved = height
		case data[i] == 0x1d && n == 3 && data[i+1] == '!':
			if height = lineRows; data[i+2]&0x0f != 0 {
				height = tallRows
			}
		}
		rows += moved
		whole := n > 1 || data[i] == '\n' // not between the characters of a line: one may have several bytes
		i += n
		if i-start >= size && whole || i == len(data) {
			out = append(out, chunk{data[start:i], rows})
			start, rows = i, 0
		}
	}
	return out, nil
}

// command is the length of what stands at offset i, a command or one byte of text, and the rows of paper it moves.
func command(data []byte, i int) (n, rows int, err error) {
	b := data[i:]
	bad := func(why string) (int, int, error) { return 0, 0, &SplitError{i, why} }
	need := func(n int) (int, int, error) {
		if n > len(b) {
			return bad(fmt.Sprintf("command of %d bytes, %d are there", n, len(b)))
		}
		return n, rows, nil
	}
	switch b[0] {
	case 0x10, 0x1b, 0x1c, 0x1d:
		if len(b) < 2 {
			return bad("command cut short")
		}
	default:
		return 1, 0, nil
	}
	arg := func(j int) int {
		if j < len(b) {
			return int(b[j])
		}
		return 0
	}
	const maxData = 1 << 20
	switch op := string(b[:2]); op {
	case "\x1b@", "\x1b2", "\x1c&", "\x1c.", "\x1bi", "\x1bm":
		return need(2)
	case "\x1bd":
		rows = arg(2) * lineRows
		return need(3)
	case "\x1bJ":
		rows = arg(2)
		return need(3)
	case "\x1b!", "\x1b ", "\x1b-", "\x1b3", "\x1bE", "\x1bG", "\x1bM", "\x1bR", "\x1ba", "\x1bt", "\x1b{",
		"\x1c!", "\x1c-", "\x1cW", "\x1d!", "\x1dB", "\x1dH", "\x1df", "\x1dh", "\x1dw":
		return need(3)
	case "\x1b$", "\x1b\\", "\x1cS", "\x1dL", "\x1dW":
		return need(4)
	case "\x1bp":
		return need(5)
	case "\x1b*":
		per := 1
		if arg(2) >= 32 {
			per = 3
		}
		return need(5 + (arg(3)|arg(4)<<8)*per)
	case "\x1dV":
		if arg(2) >= 65 {
			return need(4)
		}
		return need(3)
	case "\x1dk":
		if arg(2) >= 65 {
			rows = 162
			return need(4 + arg(3))
		}
	case "\x1d(":
		if arg(2) == 'k' && arg(6) == 81 { // a QR code is printed: its size is not known here
			rows = 200
		}
		return need(5 + (arg(3) | arg(4)<<8))
	case "\x1dv":
		stride, height := int64(arg(4)|arg(5)<<8), int64(arg(6)|arg(7)<<8)
		if stride*height > maxData {
			return bad("picture too large")
		}
		rows = int(height)
		return need(8 + int(stride*height))
	}
	return bad(fmt.Sprintf("command % X is not one of ours", b[:2]))
}
