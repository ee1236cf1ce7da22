package pn532

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// wire is the line between a chip and the end of a bus: bytes from the host, frames to it, of which the chip keeps the last ones until
// the host comes for them.
type wire struct {
	in   chan []byte
	quit context.CancelFunc
	done chan struct{}
	ctx  context.Context

	mu     sync.Mutex
	frames [][]byte
	failed error // what every transfer returns
}

func newWire(serve func(context.Context, io.ReadWriter) error) *wire {
	ctx, quit := context.WithCancel(context.Background())
	w := &wire{in: make(chan []byte, 16), quit: quit, done: make(chan struct{}), ctx: ctx}
	go func() {
		defer close(w.done)
		_ = serve(ctx, w) // it ends when the bus is closed
	}()
	return w
}

func (w *wire) Read(b []byte) (int, error) {
	select {
	case p := <-w.in:
		return copy(b, p), nil // a transfer is no longer than the buffer of sim.Listen
	case <-w.ctx.Done():
		return 0, io.EOF
	}
}

func (w *wire) Write(f []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames = append(w.frames, bytes.Clone(f))
	return len(f), nil
}

// push is a frame from the host. What the host has not come for is lost.
func (w *wire) push(f []byte) {
	w.mu.Lock()
	w.frames = nil
	w.mu.Unlock()
	select {
	case w.in <- append([]byte{0x55}, f...): // traffic on the bus wakes the chip
	case <-w.ctx.Done():
	}
}

func (w *wire) ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.frames) > 0
}

func (w *wire) pop() (f []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.frames) > 0 {
		f, w.frames = w.frames[0], w.frames[1:]
	}
	return f
}

func (w *wire) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// Fail has every transfer fail with err from now on, or work again when it is nil.
func (w *wire) Fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = err
}

// Ready is the chip's P70_IRQ: true while it has something to say.
func (w *wire) Ready() bool { return w.ready() }

// Close takes the power from the chip.
func (w *wire) Close() error {
	w.quit()
	<-w.done
	return nil
}

// SPI is the chip as a device on an SPI port, which it also is.
type SPI struct{ *wire }

var (
	_ spi.PortCloser = SPI{}
	_ spi.Conn       = SPI{}
)

// SPI puts the chip on an SPI port and gives it power.
func (c *Chip) SPI() SPI { return SPI{newWire(c.Serve)} }

func (SPI) String() string { return "simulated SPI" }

// LimitSpeed is of no effect.
func (SPI) LimitSpeed(physic.Frequency) error { return nil }

// Connect sees that the host wants what the chip does: mode 0, eight bits, at most 5 MHz.
func (s SPI) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	if f > 5*physic.MegaHertz || mode != spi.Mode0 || bits != 8 {
		return nil, fmt.Errorf("pn532: %s, %s, %d bits", f, mode, bits)
	}
	return s, nil
}

// Duplex is full: the first byte selects what the rest is.
func (SPI) Duplex() conn.Duplex { return conn.Full }

// TxPackets is not how this chip is talked to.
func (SPI) TxPackets([]spi.Packet) error { return errors.New("pn532: packets are not supported") }

// Tx is one transfer, least significant bit first.
func (s SPI) Tx(w, r []byte) error {
	if err := s.err(); err != nil {
		return err
	}
	if len(w) == 0 || r != nil && len(r) != len(w) {
		return fmt.Errorf("pn532: transfer of %d and %d bytes", len(w), len(r))
	}
	clear(r)
	switch bits.Reverse8(w[0]) {
	case 0x01:
		f := make([]byte, len(w)-1)
		for i, b := range w[1:] {
			f[i] = bits.Reverse8(b)
		}
		s.push(f)
	case 0x02:
		if len(r) > 1 && s.ready() {
			r[1] = bits.Reverse8(0x01)
		}
	case 0x03:
		if len(r) > 1 {
			copy(r[1:], s.pop())
		}
		for i, b := range r {
			r[i] = bits.Reverse8(b)
		}
	}
	return nil
}

// I2C is the chip on an I2C bus.
type I2C struct{ *wire }

var _ i2c.BusCloser = I2C{}

// I2C puts the chip on an I2C bus and gives it power.
func (c *Chip) I2C() I2C { return I2C{newWire(c.Serve)} }

func (I2C) String() string { return "simulated I2C" }

// SetSpeed is of no effect.
func (I2C) SetSpeed(physic.Frequency) error { return nil }

// Tx is one transfer. A read begins with the state of the chip; behind the frame the bus is high.
func (b I2C) Tx(addr uint16, w, r []byte) error {
	if err := b.err(); err != nil {
		return err
	}
	if addr != 0x24 {
		return fmt.Errorf("pn532: nobody at address %#x", addr)
	}
	if len(w) > 0 {
		b.push(w)
	}
	if len(r) == 0 {
		return nil
	}
	for i := range r {
		r[i] = 0xFF
	}
	r[0] = 0x00
	if b.ready() {
		r[0] = 0x01
		if len(r) > 1 {
			copy(r[1:], b.pop())
		}
	}
	return nil
}
