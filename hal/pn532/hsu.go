package pn532

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"posd/hal"
)

// HSUSpeed is the speed of the serial line after the chip's reset, bit/s (UM0701-02 6.2.4).
const HSUSpeed = 115200

// wakeUp wakes a chip that sleeps: the first bytes are lost on it (AN10609, "HSU wake up"; libnfc sends the same).
var wakeUp = []byte{0x55, 0x55, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

// speeds are the codes of SetSerialBaudRate (UM0701-02 7.2.8), for those that serial lines of terminals have.
var speeds = map[int]byte{115200: 0x04, 230400: 0x05, 460800: 0x06, 921600: 0x07}

// NewHSU returns the chip on the serial line that open opens: 8 data bits, no parity, one stop bit, at HSUSpeed. o may be nil. With
// another Opts.Baud chip and line are switched over to it.
func NewHSU(open hal.Opener, o *Opts) *Dev {
	h := &hsu{opener: open, speed: HSUSpeed}
	d := newDev(h, o)
	h.fast = d.o.Baud
	return d
}

type hsu struct {
	opener hal.Opener
	port   hal.Port
	speed  int // at which the chip is thought to be
	fast   int // at which it is wanted
}

func (h *hsu) String() string {
	if h.port == nil {
		return "HSU"
	}
	return h.port.String()
}

func (h *hsu) open() (bool, error) {
	if h.port != nil {
		return false, nil
	}
	p, err := h.opener()
	if err != nil {
		return false, err
	}
	h.port = p
	if h.speed != HSUSpeed {
		if err := p.SetBaud(h.speed); err != nil {
			return true, h.gone(err)
		}
	}
	return true, h.send(wakeUp)
}

// other has the next open try the other speed at which the chip may be: it was reset, or it was not when the line was opened anew. It returns
// false when there is none.
func (h *hsu) other() bool {
	if h.fast == HSUSpeed {
		return false
	}
	if h.speed == HSUSpeed {
		h.speed = h.fast
	} else {
		h.speed = HSUSpeed
	}
	return true
}

// switching is how long the chip needs to change its speed.
const switching = time.Millisecond

// speedUp switches chip and line over to the speed that is wanted.
func (h *hsu) speedUp(ctx context.Context, d *Dev) error {
	code, ok := speeds[h.fast]
	if !ok {
		return fmt.Errorf("%w: it has no speed of %d bit/s", ErrReader, h.fast)
	}
	if h.speed == h.fast {
		return nil
	}
	if err := d.plain(ctx, cmdBaud, code); err != nil {
		return err
	}
	// The chip switches over when its answer is acknowledged.
	err := h.send(ackFrame)
	if err == nil {
		err = h.port.Drain(ctx)
	}
	if err == nil {
		err = h.port.SetBaud(h.fast)
	}
	if err != nil {
		return d.lost(err)
	}
	h.speed = h.fast
	return nap(ctx, switching)
}

// writing is how long a line may take to swallow a frame; it has a buffer that holds several.
const writing = time.Second

func (h *hsu) send(frame []byte) error {
	if err := h.port.SetWriteDeadline(time.Now().Add(writing)); err != nil {
		return h.gone(err)
	}
	_, err := h.port.Write(frame)
	return h.gone(err)
}

// look is how often a wait looks whether its context has ended.
const look = 50 * time.Millisecond

func (h *hsu) receive(ctx context.Context, dec *decoder, _ int, until time.Time) error {
	for {
		now := time.Now()
		next := until
		if ctx.Done() != nil {
			if err := ctx.Err(); err != nil {
				return err
			}
			if l := now.Add(look); l.Before(next) {
				next = l
			}
		}
		if err := h.port.SetReadDeadline(next); err != nil {
			return h.gone(err)
		}
		n, err := h.port.Read(dec.room())
		dec.wrote(n)
		switch {
		case n > 0:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			if !time.Now().Before(until) {
				return errLate
			}
		case err != nil:
			return h.gone(err)
		}
	}
}

// gone tells a line that ended from one that is slow.
func (h *hsu) gone(err error) error {
	if errors.Is(err, io.EOF) && !errors.Is(err, hal.ErrUnplugged) {
		return hal.ErrUnplugged
	}
	return err
}

func (h *hsu) flush() error { return h.gone(h.port.Flush()) }

func (h *hsu) close() error {
	if h.port == nil {
		return nil
	}
	err := h.port.Close()
	h.port = nil
	return err
}
