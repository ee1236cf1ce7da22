package ccid

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// Protocol control bytes of T=1, Book 1, 9.2.4.
const (
	pcbR      = 0x80 // R(0); bit 5 is N(R), the low bits say why
	pcbS      = 0xC0
	sResponse = 0x20
	sResynch  = 0xC0
	sIFS      = 0xC1
	sAbort    = 0xC2
	sWTX      = 0xC3
	iMore     = 0x20
	iNS       = 0x40

	ifsd      = 254 // size of the terminal's receive buffer, Book 1, 9.2.3
	t1Tries   = 3   // a block is sent at most so often (9.2.5)
	maxWTX    = 255 // waiting time extensions in one exchange
	maxBlocks = 1024
)

// t1 is the terminal's side of the block protocol (Book 1, 9.2). When a block cannot be had in three tries the card session ends: the
// terminal does not resynchronise then, because that would throw away the state of an exchange that the card may have carried out: it
// does so at the start only, where there is nothing to lose.
type t1 struct {
	ns, nr byte // numbers of the next block to send and to receive
	ifsc   int
}

func newT1(a *ATR) *t1 { return &t1{ifsc: int(a.IFSC)} }

// block is a received block whose prologue, length and LRC are right.
type block struct {
	pcb byte
	inf []byte
}

// blockError says why what came is not a block.
type blockError struct{ why string }

func (e *blockError) Error() string { return "ccid: T=1 block: " + e.why }

func appendBlock(pcb byte, inf []byte) []byte {
	b := append([]byte{0, pcb, byte(len(inf))}, inf...)
	return append(b, xor(b))
}

func parseBlock(b []byte) (block, error) {
	switch {
	case len(b) < 4:
		return block{}, &blockError{"too short"}
	case int(b[2]) != len(b)-4:
		return block{}, &blockError{"LEN does not fit"}
	case xor(b) != 0:
		return block{}, &blockError{"wrong LRC"}
	case b[0] != 0:
		return block{}, &blockError{"NAD is not 00"}
	case b[2] == 0xFF:
		return block{}, &blockError{"LEN is FF"}
	}
	return block{b[1], b[3 : len(b)-1]}, nil
}

// announce tells the card the size of the terminal's buffer: S(IFS request), Book 1, 9.2.4.3. A card that answers it with something
// else three times is resynchronised once and told again; a card that says nothing is not.
func (t *t1) announce(ctx context.Context, r *Reader) error {
	err := t.request(ctx, r, sIFS, []byte{ifsd})
	if be := (*blockError)(nil); !errors.As(err, &be) {
		return err
	}
	if t.request(ctx, r, sResynch, nil) != nil {
		return err
	}
	return t.request(ctx, r, sIFS, []byte{ifsd})
}

// request sends a supervisory block until its response comes, three times at most (9.2.5).
func (t *t1) request(ctx context.Context, r *Reader, pcb byte, inf []byte) error {
	var cause error
	for range t1Tries {
		raw, err := r.xfr(ctx, appendBlock(pcb, inf))
		if err != nil && !recoverable(err) {
			return err
		}
		if err == nil {
			var b block
			if b, err = parseBlock(raw); err == nil && b.pcb == pcb|sResponse && bytes.Equal(b.inf, inf) {
				return nil
			}
			if err == nil {
				err = &blockError{fmt.Sprintf("%02X is not the response to %02X", b.pcb, pcb)}
			}
		}
		cause = err
	}
	if errors.Is(cause, ErrMute) {
		return cause
	}
	return fmt.Errorf("%w: T=1: %w", ErrProtocol, cause)
}

// recoverable tells whether the block can be asked for again: the card did not answer, or the answer was lost on the line.
func recoverable(err error) bool { return errors.Is(err, errLost) || errors.Is(err, ErrMute) }

// transceive exchanges one APDU.
func (t *t1) transceive(ctx context.Context, r *Reader, capdu []byte) ([]byte, error) {
	return t.exchange(ctx, r, capdu, nil)
}

// exchange is transceive for an APDU that fits into one block and whose data only the reader knows: first sends the block after it
// has filled them in. Such a block cannot be sent twice. first may be nil.
func (t *t1) exchange(ctx context.Context, r *Reader, capdu []byte, first func(block []byte) ([]byte, error)) ([]byte, error) {
	var in []byte
	rest := capdu
	nextI := func() []byte {
		n := min(t.ifsc, len(rest))
		pcb := t.ns * iNS
		if n < len(rest) {
			pcb |= iMore
		}
		b := appendBlock(pcb, rest[:n])
		rest = rest[n:]
		t.ns ^= 1
		return b
	}
	send := nextI()
	last := send // the I- or R-block that the card must have got before anything goes on
	var bwi byte
	failures, extensions := 0, 0
	failed := func(cause error) error { // decides whether there is another try
		if failures++; failures >= t1Tries {
			if errors.Is(cause, ErrMute) {
				return cause
			}
			return fmt.Errorf("%w: T=1: %d tries: %w", ErrProtocol, failures, cause)
		}
		if send[1]&0xC0 == pcbR { // an R-block that has no good answer is sent again as it was
			return nil
		}
		reason := byte(2)
		if be := (*blockError)(nil); errors.As(cause, &be) && be.why == "wrong LRC" {
			reason = 1
		}
		send = appendBlock(pcbR|t.nr<<4|reason, nil)
		return nil
	}
	for blocks := range maxBlocks {
		var raw []byte
		var err error
		if first != nil && blocks == 0 {
			if raw, err = first(send); err != nil && !errors.Is(err, ErrMute) {
				t.ns ^= 1 // for all that is known the card has not had it
				return nil, err
			}
		} else {
			raw, err = r.xfrWait(ctx, send, bwi)
		}
		bwi = 0
		var b block
		if err == nil {
			b, err = parseBlock(raw)
		} else if !recoverable(err) {
			return nil, err
		}
		if err == nil {
			err = t.valid(b, len(rest) > 0, last)
		}
		if err != nil {
			if err := failed(err); err != nil {
				return nil, err
			}
			continue
		}
		switch {
		case b.pcb&0x80 == 0: // I
			failures = 0
			t.nr ^= 1
			if in = append(in, b.inf...); len(in) > maxResponse+2 {
				return nil, fmt.Errorf("%w: T=1: response of more than %d bytes", ErrProtocol, maxResponse+2)
			}
			if b.pcb&iMore == 0 {
				if len(in) < 2 {
					return nil, fmt.Errorf("%w: T=1: response of %d bytes", ErrProtocol, len(in))
				}
				return in, nil
			}
			send = appendBlock(pcbR|t.nr<<4, nil)
			last = send
		case b.pcb&0xC0 == pcbR:
			if last[1]&0x80 == 0 && b.pcb>>4&1 == t.ns { // our chained block arrived
				failures = 0
				send = nextI()
				last = send
				continue
			}
			if failures++; failures >= t1Tries {
				return nil, fmt.Errorf("%w: T=1: card refused a block %d times", ErrProtocol, failures)
			}
			if send = last; first != nil && last[1]&0x80 == 0 {
				return nil, fmt.Errorf("%w: T=1: card refused the block with the PIN", ErrProtocol)
			}
		case b.pcb == sWTX:
			if extensions++; extensions > maxWTX {
				return nil, fmt.Errorf("%w: T=1: more than %d waiting time extensions", ErrProtocol, maxWTX)
			}
			bwi = b.inf[0]
			send = appendBlock(sWTX|sResponse, b.inf)
		case b.pcb == sIFS:
			t.ifsc = int(b.inf[0])
			send = appendBlock(sIFS|sResponse, b.inf)
		default: // S(ABORT request): Book 1, 9.2.4.3, ends the card session
			return nil, fmt.Errorf("%w: T=1: card sent supervisory block %02X", ErrProtocol, b.pcb)
		}
	}
	return nil, fmt.Errorf("%w: T=1: no end after %d blocks", ErrProtocol, maxBlocks)
}

// valid checks that a block may come now. more tells that our chain is not at its end; last is our block that it answers.
func (t *t1) valid(b block, more bool, last []byte) error {
	switch {
	case b.pcb&0x80 == 0:
		if b.pcb&0x1F != 0 {
			return &blockError{"PCB of an I-block"}
		}
		if b.pcb&iNS != t.nr*iNS {
			return &blockError{"N(S)"}
		}
		if more {
			return &blockError{"I-block inside our chain"}
		}
	case b.pcb&0xC0 == pcbR:
		if b.pcb&0x20 != 0 || b.pcb&0x0F > 2 || len(b.inf) != 0 {
			return &blockError{"PCB of an R-block"}
		}
		if last[1]&0x80 == 0 && b.pcb>>4&1 == t.ns && !more {
			return &blockError{"acknowledgement of a block that is not chained"}
		}
	case b.pcb == sWTX:
		if len(b.inf) != 1 || b.inf[0] == 0 {
			return &blockError{"INF of S(WTX)"}
		}
	case b.pcb == sIFS:
		if len(b.inf) != 1 || b.inf[0] < 0x10 || b.inf[0] == 0xFF {
			return &blockError{"INF of S(IFS)"}
		}
	case b.pcb == sAbort:
	default:
		return &blockError{"PCB"}
	}
	return nil
}
