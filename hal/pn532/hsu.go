package pn532

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"posd/hal"
)

// HSUSpeed is the speed of the serial line after the chip's reset, bit/s (UM0701-02 6.2.4).
const HSUSpeed = 115200

// wakeUp wakes a chip that sleeps: the first bytes are lost on it (AN10609, "HSU wake up"; libnfc sends the same).
var wakeUp = []byte{0x55, 0x55, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

// NewHSU returns the chip on the serial line that open opens, at HSUSpeed, 8 data bits, no parity, one stop bit. o may be nil.
func NewHSU(open hal.Opener, o *Opts) *Dev { return newDev(&hsu{opener: open}, o) }

type hsu struct {
	opener hal.Opener
	port   hal.Port
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
	return true, h.send(wakeUp)
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
