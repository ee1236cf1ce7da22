package ccid

import (
	"context"
	"errors"
	"time"
)

// Remote is a Card that is another program, which takes its own time. The reader asks the host for more time while it works, as a chip
// that needs long has it asked (CCID 6.2.6, bmCommandStatus 2; T=1: S(WTX), T=0: procedure byte 60).
type Remote interface {
	Card
	// Exchange is Transceive that gives up, with nil, when ctx ends.
	Exchange(ctx context.Context, apdu []byte) []byte
	// PowerOff is called when the card's power ends: by command, with the reader's own, or when it is taken out.
	PowerOff()
}

// patience is how long the reader waits for a Remote before each time extension: well below what a host waits for an answer.
const patience = time.Second

// errTaken is a Remote that was taken out while it worked.
var errTaken = errors.New("ccid: the card was taken out")

// transceive has a card carry out a command. An error ends Serve.
func transceive(ctx context.Context, c Card, apdu []byte, extend func() error) ([]byte, error) {
	remote, ok := c.(Remote)
	if !ok {
		return c.Transceive(apdu), nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan []byte, 1)
	go func() { done <- remote.Exchange(ctx, apdu) }()
	t := time.NewTicker(patience)
	defer t.Stop()
	for {
		select {
		case out := <-done:
			return out, context.Cause(ctx)
		case <-t.C:
			if err := extend(); err != nil {
				cancel()
				<-done
				return nil, err
			}
		}
	}
}

// unpower tells a card that its power has ended.
func unpower(s slot) {
	if c, ok := s.card.(Remote); ok && s.powered {
		c.PowerOff()
	}
}
