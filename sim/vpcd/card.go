package vpcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Card is a card at the other end of a connection. It is a card for sim/ccid's reader; its methods may be called from any goroutine.
type Card struct {
	conn net.Conn
	o    Options

	turn    sync.Mutex // one command at a time
	answers chan []byte
	gone    chan struct{}

	mu      sync.Mutex // guards what follows, and writing
	powered bool
	waiting bool // a command is being answered
	stale   int  // answers under way that nobody waits for any more
	why     error
}

func newCard(conn net.Conn, o Options) *Card {
	return &Card{conn: conn, o: o, answers: make(chan []byte, 1), gone: make(chan struct{})}
}

// errUnasked is a card that talks when nobody asked.
var errUnasked = errors.New("it speaks unasked")

// listen takes the card's answers until the connection ends; it returns why.
func (c *Card) listen() error {
	for {
		_ = c.conn.SetReadDeadline(time.Time{}) // fails on a closed connection only, as does the read
		b, err := readMessage(c.conn, maxResponse, func() { _ = c.conn.SetReadDeadline(time.Now().Add(c.o.Rest)) })
		if err != nil {
			c.drop(err)
			return c.reason()
		}
		c.mu.Lock()
		switch {
		case c.stale > 0:
			c.stale--
		case c.waiting:
			c.waiting = false
			c.answers <- b
		default:
			err = errUnasked
		}
		c.mu.Unlock()
		if err != nil {
			c.drop(err)
			return c.reason()
		}
	}
}

// drop ends the connection; the first reason stays.
func (c *Card) drop(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return
	}
	c.why = why
	close(c.gone)
	_ = c.conn.Close() // nothing is left to lose
}

func (c *Card) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// send writes a message. mu is held.
func (c *Card) send(b []byte) error {
	if c.why != nil {
		return c.why
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.o.Rest)); err != nil {
		return err
	}
	_, err := c.conn.Write(message(b))
	return err
}

// exchange sends a message and waits for the answer. It returns nil when there is none: the card is gone, is dropped for its silence,
// or ctx has ended.
func (c *Card) exchange(ctx context.Context, b []byte, limit time.Duration) []byte {
	c.turn.Lock()
	defer c.turn.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	c.mu.Lock()
	c.waiting = true
	err := c.send(b)
	c.mu.Unlock()
	if err != nil {
		c.drop(err)
		return nil
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case a := <-c.answers:
		return a
	case <-c.gone:
	case <-t.C:
		c.drop(fmt.Errorf("no answer within %v", limit))
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.waiting {
			c.waiting = false
			c.stale++ // the answer still comes
		} else {
			<-c.answers // it came just now
		}
	}
	return nil
}

// control sends a message that has no answer.
func (c *Card) control(code byte, powered bool) {
	c.mu.Lock()
	err := c.send([]byte{code})
	c.powered = powered
	c.mu.Unlock()
	if err != nil {
		c.drop(err)
	}
}

// Reset is a cold reset when the card has no power, else a warm one.
func (c *Card) Reset() {
	c.mu.Lock()
	on := c.powered
	c.mu.Unlock()
	code := byte(powerOn)
	if on {
		code = reset
	}
	c.control(code, true)
}

// PowerOff takes the power from the card. It does nothing when it has none.
func (c *Card) PowerOff() {
	c.mu.Lock()
	on := c.powered
	c.mu.Unlock()
	if on {
		c.control(powerOff, false)
	}
}

// ATR asks the card for its answer to reset. It is empty when the card is gone or says something that cannot be one.
func (c *Card) ATR() []byte {
	b := c.exchange(context.Background(), []byte{askATR}, c.o.Reset)
	if len(b) > maxATR {
		c.drop(&Error{"length", 0, fmt.Sprintf("an ATR of %d bytes", len(b))})
		return nil
	}
	return b
}

// Transceive is Exchange without an end of its own.
func (c *Card) Transceive(apdu []byte) []byte { return c.Exchange(context.Background(), apdu) }

// Exchange has the card carry out a command APDU. It returns data and SW1 SW2, and nil when the card did not answer in time, has gone,
// or ctx has ended.
func (c *Card) Exchange(ctx context.Context, apdu []byte) []byte {
	if len(apdu) < minCommand {
		return []byte{0x67, 0x00} // a single byte would be a control
	}
	b := c.exchange(ctx, apdu, c.o.Answer)
	if len(b) == 1 {
		c.drop(&Error{"length", 0, "a response APDU of 1 byte"})
		return nil
	}
	return b
}

// String names the card by its address.
func (c *Card) String() string { return c.conn.RemoteAddr().String() }

// leaves tells the end of a connection as people say it.
func leaves(err error) string {
	if errors.Is(err, io.EOF) {
		return "it hung up"
	}
	return err.Error()
}
