package vpcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Chip is a card at the level of APDUs, as sim/card and sim/ccid have it.
type Chip interface {
	ATR() []byte
	Reset()
	Transceive(apdu []byte) []byte
}

// Dial connects to a vpcd at HOST:PORT, or HOST for the default port.
func Dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", Address(addr))
	if err != nil {
		return nil, fmt.Errorf("vpcd: no reader there: %w", err)
	}
	return conn, nil
}

// Serve is a card in a reader at the other end of conn, until ctx ends or the reader hangs up; both are no error. It closes conn.
func Serve(ctx context.Context, conn net.Conn, card Chip) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close()
	for {
		_ = conn.SetReadDeadline(time.Time{}) // fails on a closed connection only, as does the read
		b, err := readMessage(conn, maxCommand, func() { _ = conn.SetReadDeadline(time.Now().Add(2 * time.Second)) })
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		var out []byte
		switch {
		case len(b) > 1:
			out = card.Transceive(b)
		case b[0] == powerOff, b[0] == powerOn, b[0] == reset:
			card.Reset()
			continue
		case b[0] == askATR:
			out = card.ATR()
		default:
			return &Error{"control", 2, fmt.Sprintf("%d is none", b[0])}
		}
		if len(out) == 0 || len(out) > maxCommand {
			return nil // a card that says nothing cannot say so otherwise
		}
		if _, err := conn.Write(message(out)); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("vpcd: %w", err)
		}
	}
}
