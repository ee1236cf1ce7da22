package pinpad

// Control bytes.
const (
	stx = 0x02
	etx = 0x03
	eot = 0x04
	ack = 0x06
	so  = 0x0e
	si  = 0x0f
	nak = 0x15
	sub = 0x1a
	fs  = 0x1c
	rs  = 0x1e
)

// The documented extension of Opts.Progress: single bytes from the pad between a PIN request and its answer.
const (
	progressDigit = '*'
	progressClear = 0x08
)

// maxBody bounds id and data of a frame. The longest documented packet is a Z66 of 270 characters.
const maxBody = 300

// appendFrame wraps id and data: SI .. SO for admin packets, STX .. ETX for the others, then the LRC: XOR of everything after the
// first byte, terminator included.
func appendFrame(dst []byte, admin bool, body []byte) []byte {
	start, end := byte(stx), byte(etx)
	if admin {
		start, end = si, so
	}
	lrc := end
	for _, b := range body {
		lrc ^= b
	}
	return append(append(append(dst, start), body...), end, lrc)
}

type kind uint8

const (
	evACK   kind = iota + 1
	evNAK        //
	evEOT        //
	evFrame      // a whole frame with a right LRC
	evBad        // a frame that is damaged: to be answered by NAK
	evDigit      // extension: a digit was accepted
	evClear      // extension: the entry was emptied
)

type event struct {
	kind  kind
	admin bool
	body  []byte // valid until the next push
}

// parser finds frames and link bytes in what arrives, one byte at a time. The LRC is taken by its position: it may have any value.
type parser struct {
	progress bool

	state uint8 // hunting, inside a frame, at its LRC
	admin bool
	bad   bool
	lrc   byte
	n     int
	buf   [maxBody]byte
}

const (
	hunting = iota
	inside
	atLRC
)

func (p *parser) partial() bool { return p.state != hunting }

func (p *parser) reset() { p.state = hunting }

// push takes the next byte; ok tells that ev holds something.
func (p *parser) push(b byte) (ev event, ok bool) {
	switch p.state {
	case atLRC:
		p.state = hunting
		if p.bad || b != p.lrc {
			return event{kind: evBad}, true
		}
		return event{kind: evFrame, admin: p.admin, body: p.buf[:p.n]}, true
	case inside:
		end := byte(etx)
		if p.admin {
			end = so
		}
		switch {
		case b == stx || b == si: // data never holds them: what came before was noise or was cut off
			p.start(b)
		case b == end:
			p.lrc ^= b
			p.state = atLRC
		case p.n == maxBody:
			p.state = hunting
			return event{kind: evBad}, true
		default:
			if b >= 0x80 || b < ' ' && (b < sub || b > 0x1f || b == 0x1b) {
				p.bad = true
			}
			p.buf[p.n] = b
			p.n++
			p.lrc ^= b
		}
		return event{}, false
	}
	switch {
	case b == stx || b == si:
		p.start(b)
	case b == ack:
		return event{kind: evACK}, true
	case b == nak:
		return event{kind: evNAK}, true
	case b == eot:
		return event{kind: evEOT}, true
	case p.progress && b == progressDigit:
		return event{kind: evDigit}, true
	case p.progress && b == progressClear:
		return event{kind: evClear}, true
	}
	return event{}, false
}

func (p *parser) start(b byte) {
	p.state, p.admin, p.bad, p.n, p.lrc = inside, b == si, false, 0, 0
}
