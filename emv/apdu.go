package emv

import (
	"context"
	"fmt"
)

// Status bytes SW1 SW2 that decide something (Book 3, 6.3.5; Book 1, 11.3.5).
const (
	swOK            = 0x9000
	swInvalidated   = 0x6283 // the selected file is blocked
	swConditions    = 0x6985 // conditions of use not satisfied
	swNotSupported  = 0x6A81 // function not supported: the card is blocked, or has no SELECT
	swNotFound      = 0x6A82
	swNoSuchRecord  = 0x6A83
	maxResponse     = 256 + 2
	maxCommandData  = 255
	commandOverhead = 4 + 1 + 1
)

// command appends the command to the session's buffer: header, Lc and data when there is data, Le when le is true. The buffer is
// used again for the next command.
func (s *Session) command(cla, ins, p1, p2 byte, data []byte, le bool) []byte {
	c := append(s.cmd[:0], cla, ins, p1, p2)
	if len(data) > 0 {
		c = append(c, byte(len(data)))
		c = append(c, data...)
	}
	if le {
		c = append(c, 0x00)
	}
	return c
}

// exchange sends a command and splits the answer into data and status. The data are a copy: they stay valid whatever the
// transport does with its buffers.
func (s *Session) exchange(ctx context.Context, step string, capdu []byte) (data []byte, sw uint16, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, &Error{Step: step, Err: err}
	}
	r, err := s.card.Transceive(ctx, capdu)
	if err != nil {
		return nil, 0, &Error{Step: step, Err: fmt.Errorf("%w: %w", ErrCardLost, err)}
	}
	if len(r) < 2 || len(r) > maxResponse {
		return nil, 0, badCard(step, "answer of %d bytes", len(r))
	}
	n := len(r) - 2
	sw = uint16(r[n])<<8 | uint16(r[n+1])
	if n > 0 {
		data = append(make([]byte, 0, n), r[:n]...)
	}
	return data, sw, nil
}

// selectFile sends SELECT by name (Book 1, 11.3); next asks for the next occurrence of a partial name.
func (s *Session) selectFile(ctx context.Context, name []byte, next bool) ([]byte, uint16, error) {
	var p2 byte
	if next {
		p2 = 0x02
	}
	return s.exchange(ctx, StepSelection, s.command(0x00, 0xA4, 0x04, p2, name, true))
}

// readRecord sends READ RECORD (Book 1, 11.2).
func (s *Session) readRecord(ctx context.Context, step string, sfi, record byte) ([]byte, uint16, error) {
	return s.exchange(ctx, step, s.command(0x00, 0xB2, record, sfi<<3|0x04, nil, true))
}
