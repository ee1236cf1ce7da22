package pn532

import (
	"context"
	"math/bits"
	"time"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// First bytes of a transfer on SPI (UM0701-02 6.2.5).
const (
	spiStatus = 0x02
	spiWrite  = 0x01
	spiRead   = 0x03
)

// SPISpeed is the highest clock of the chip (PN532 data sheet).
const SPISpeed = 5 * physic.MegaHertz

// NewSPI returns the chip on an SPI port. The chip sends its least significant bit first; the bits are turned around here, because few
// controllers can. The clock is SPISpeed or what the port was limited to. o may be nil.
func NewSPI(p spi.Port, o *Opts) *Dev {
	b := &spiBus{port: p, poll: poll{step: time.Millisecond}}
	d := newDev(b, o)
	b.irq = d.o.IRQ
	return d
}

type spiBus struct {
	poll
	port spi.Port
	conn spi.Conn // connected once: a port allows no more
	woke bool
	w, r [1 + maxFrame]byte
}

func (s *spiBus) String() string { return s.port.String() }

func (s *spiBus) open() (bool, error) {
	if s.woke {
		return false, nil
	}
	if s.conn == nil {
		c, err := s.port.Connect(SPISpeed, spi.Mode0, 8)
		if err != nil {
			return false, err
		}
		s.conn = c
	}
	if _, err := s.status(); err != nil { // the select line wakes the chip
		return false, err
	}
	time.Sleep(waking)
	s.woke = true
	return true, nil
}

// waking is how long the chip's oscillator needs.
const waking = 2 * time.Millisecond

// tx exchanges the first n bytes of w and r.
func (s *spiBus) tx(n int) error {
	for i, b := range s.w[:n] {
		s.w[i] = bits.Reverse8(b)
	}
	if err := s.conn.Tx(s.w[:n], s.r[:n]); err != nil {
		return err
	}
	for i, b := range s.r[:n] {
		s.r[i] = bits.Reverse8(b)
	}
	return nil
}

func (s *spiBus) status() (bool, error) {
	s.w[0], s.w[1] = spiStatus, 0
	err := s.tx(2)
	return s.r[1]&1 != 0 && s.r[1] != 0xFF, err // FF: nobody drives the line
}

func (s *spiBus) send(frame []byte) error {
	s.w[0] = spiWrite
	return s.tx(1 + copy(s.w[1:], frame))
}

// receive reads as much as the longest frame has that can come: the length is known when the first bytes are, and then it is too late to
// stop, because not every controller can keep the chip selected between two transfers.
func (s *spiBus) receive(ctx context.Context, dec *decoder, most int, until time.Time) error {
	if err := s.wait(ctx, until, s.status); err != nil {
		return err
	}
	clear(s.w[:])
	s.w[0] = spiRead
	if err := s.tx(1 + most); err != nil {
		return err
	}
	dec.only(s.r[1 : 1+most])
	return nil
}

func (s *spiBus) flush() error { return nil }

func (s *spiBus) close() error {
	s.woke = false
	return nil
}

// poll waits for a chip that is to be asked whether it has something to say.
type poll struct {
	irq  func() bool
	step time.Duration
}

func (p *poll) wait(ctx context.Context, until time.Time, status func() (bool, error)) error {
	for {
		if p.irq == nil || p.irq() {
			ok, err := status()
			if err != nil || ok {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		now := time.Now()
		if !now.Before(until) {
			return errLate
		}
		time.Sleep(min(p.step, until.Sub(now)))
	}
}
