package pn532

import (
	"context"
	"errors"
	"fmt"
)

const (
	// maxPart is how much of a command or response one InDataExchange holds: the frame less TFI, code and target or status.
	maxPart = maxData - 3
	// maxAPDU is the longest command and response: those with extended length.
	maxAPDU = 65544
	more    = 0x40 // in the target's number and in the status: another part follows
)

// Card is the card that an Activate found, until the field is switched off, another Activate, or an error of Transceive.
type Card struct {
	d      *Dev
	active uint64
	number byte
	typeB  bool
	ping   []byte
}

// Type is 'A' or 'B'.
func (c *Card) Type() byte {
	if c.typeB {
		return 'B'
	}
	return 'A'
}

// Transceive sends a command APDU and returns the response APDU, SW1 SW2 last. Blocks, chaining and waiting time extensions are the chip's. The
// card must not be talked to any more after an error: Activate starts anew. When ctx ends the chip drops the exchange.
func (c *Card) Transceive(ctx context.Context, capdu []byte) ([]byte, error) {
	if len(capdu) < 4 || len(capdu) > maxAPDU {
		return nil, fmt.Errorf("pn532: command APDU of %d bytes", len(capdu))
	}
	d := c.d
	if err := d.take(ctx); err != nil {
		return nil, err
	}
	defer d.give()
	switch {
	case d.closed:
		return nil, ErrClosed
	case c.active != d.active:
		return nil, fmt.Errorf("%w: the field was reset since", ErrGone)
	}
	out, err := c.exchange(ctx, capdu)
	if err != nil {
		d.active++ // what the card makes of the next command cannot be known
		return nil, err
	}
	return out, nil
}

func (c *Card) exchange(ctx context.Context, capdu []byte) (out []byte, err error) {
	for len(capdu) > maxPart {
		if _, a, err := c.part(ctx, c.number|more, capdu[:maxPart]); err != nil {
			return nil, err
		} else if len(a) > 0 {
			return nil, fmt.Errorf("%w: a response to half a command", ErrProtocol)
		}
		capdu = capdu[maxPart:]
	}
	status, a, err := c.part(ctx, c.number, capdu)
	for {
		switch {
		case err != nil:
			return nil, err
		case len(out)+len(a) > maxAPDU, len(a) == 0:
			return nil, fmt.Errorf("%w: a response of %d bytes and %d more", ErrProtocol, len(out), len(a))
		}
		out = append(out, a...)
		if status&more == 0 {
			break
		}
		status, a, err = c.part(ctx, c.number, nil)
	}
	if len(out) < 2 {
		return nil, fmt.Errorf("%w: a response of %d byte", ErrProtocol, len(out))
	}
	return out, nil
}

// part is one InDataExchange (UM0701-02 7.3.8). The data are valid until the next command.
func (c *Card) part(ctx context.Context, number byte, data []byte) (status byte, a []byte, err error) {
	d := c.d
	d.cmd = append(append(d.cmd[:0], cmdExchange, number), data...)
	a, err = d.run(ctx, patience{ack: max(d.o.ACK, ackUnrepeatable), answer: d.o.Exchange, once: true, most: maxFrame})
	switch {
	case errors.Is(err, errMute) && d.ready(ctx) == nil: // the chip is well: it was the card that never came to an end
		return 0, nil, fmt.Errorf("%w: within %v", ErrTimeout, d.o.Exchange)
	case err != nil:
		return 0, nil, err
	case len(a) < 1:
		return 0, nil, d.nonsense(cmdExchange, a)
	case a[0]&0x3F != 0:
		return 0, nil, &StatusError{cmdExchange, a[0] & 0x3F}
	case a[0]&0x80 != 0: // a NAD, which was not offered
		return 0, nil, fmt.Errorf("%w: a node address in the response", ErrProtocol)
	}
	return a[0], a[1:], nil
}

// present asks the card whether it is there. Any block in answer says so; the block number does not change by it.
func (c *Card) present(ctx context.Context) (bool, error) {
	d := c.d
	d.cmd = append(append(d.cmd[:0], cmdThru), c.ping...)
	a, err := d.run(ctx, patience{ack: d.o.ACK, answer: d.o.Answer, most: maxFrame})
	switch {
	case err != nil:
		return false, err
	case len(a) < 1:
		return false, d.nonsense(cmdThru, a)
	}
	return a[0]&0x3F == 0 && len(a) > 1, nil
}
