package ccid

import (
	"context"
	"fmt"
)

// APDUError is a command APDU that is not one of the four short cases (Book 1, 9.4.1). It is the caller's mistake.
type APDUError struct {
	Field  string // "header", "Lc" or "length"
	Offset int
}

func (e *APDUError) Error() string {
	return fmt.Sprintf("ccid: command APDU: bad %s at offset %d", e.Field, e.Offset)
}

// command is a command APDU in parts.
type command struct {
	header [4]byte
	data   []byte
	le     int // 1 to 256; 0 when there is no Le
}

func parseCommand(b []byte) (command, error) {
	if len(b) < 4 {
		return command{}, &APDUError{"header", len(b)}
	}
	c := command{header: [4]byte(b)}
	rest := b[4:]
	if len(rest) == 0 { // case 1
		return c, nil
	}
	if len(rest) == 1 { // case 2
		c.le = expected(rest[0])
		return c, nil
	}
	lc := int(rest[0])
	switch {
	case lc == 0:
		return command{}, &APDUError{"Lc", 4}
	case len(rest) == 1+lc: // case 3
	case len(rest) == 2+lc: // case 4
		c.le = expected(rest[1+lc])
	default:
		return command{}, &APDUError{"length", len(b)}
	}
	c.data = rest[1 : 1+lc]
	return c, nil
}

func expected(le byte) int {
	if le == 0 {
		return 256
	}
	return int(le)
}

const (
	maxRounds   = 8   // of GET RESPONSE and repeated commands for one APDU
	maxResponse = 256 // bytes of data in a short response APDU
)

// t0 sends a command APDU to a T=0 card and does what is the terminal transport layer's part (Book 1, 9.3.1.1 and annex A):
// 6Cxx repeats the command with the right length, 61xx and, for a command with data that expects data, a warning are followed by GET
// RESPONSE. What the card finally says is returned; after a warning its own status comes behind the data.
func t0(ctx context.Context, r *Reader, c command) ([]byte, error) {
	tpdu := append(c.header[:4:4], byte(len(c.data)))
	if len(c.data) == 0 {
		tpdu[4] = byte(c.le) // 256 is written 00
	}
	tpdu = append(tpdu, c.data...)

	var out, warning []byte
	getting, corrected := false, false // GET RESPONSE was sent; its or the command's length was corrected by 6Cxx
	get := func(le byte) { tpdu, getting, corrected = []byte{0x00, 0xC0, 0x00, 0x00, le}, true, false }
	for range maxRounds {
		answer, err := r.xfr(ctx, tpdu)
		if err != nil {
			return nil, err
		}
		if len(answer) < 2 || len(answer) > maxResponse+2 {
			return nil, fmt.Errorf("%w: T=0: answer of %d bytes", ErrProtocol, len(answer))
		}
		body, sw := answer[:len(answer)-2], answer[len(answer)-2:]
		out = append(out, body...)
		switch {
		case sw[0] < 0x61 || sw[0]&0xF0 != 0x60 && sw[0]&0xF0 != 0x90:
			return nil, fmt.Errorf("%w: T=0: SW1 %02X", ErrProtocol, sw[0])
		case len(body) > 0 && len(tpdu) > 5:
			return nil, fmt.Errorf("%w: T=0: data in both directions", ErrProtocol)
		case len(out) > maxResponse:
			return nil, fmt.Errorf("%w: T=0: more than %d bytes of data", ErrProtocol, maxResponse)
		case sw[0] == 0x6C:
			if corrected || len(body) > 0 || len(tpdu) != 5 {
				return nil, fmt.Errorf("%w: T=0: 6C%02X where it cannot be", ErrProtocol, sw[1])
			}
			corrected = true
			tpdu[4] = sw[1]
		case sw[0] == 0x61:
			get(sw[1])
		case isWarning(sw) && len(c.data) > 0 && c.le > 0 && !getting:
			warning = []byte{sw[0], sw[1]}
			get(0)
		case warning != nil: // also when GET RESPONSE failed: there was nothing behind the warning
			return append(out, warning...), nil
		default:
			return append(out, sw...), nil
		}
	}
	return nil, fmt.Errorf("%w: T=0: no end after %d exchanges", ErrProtocol, maxRounds)
}

// isWarning tells whether a status means "done, with a remark" (Book 1, 9.3.1.1.4): 62xx, 63xx, 9xxx but 9000.
func isWarning(sw []byte) bool {
	return sw[0] == 0x62 || sw[0] == 0x63 || sw[0]&0xF0 == 0x90 && (sw[0] != 0x90 || sw[1] != 0)
}
