package pn532

import (
	"context"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// I2CAddress is the chip's address, seven bits (UM0701-02 6.2.6).
const I2CAddress = 0x24

// NewI2C returns the chip on an I2C bus. o may be nil.
func NewI2C(bus i2c.Bus, o *Opts) *Dev {
	b := &i2cBus{bus: bus, poll: poll{step: time.Millisecond}}
	d := newDev(b, o)
	b.irq = d.o.IRQ
	return d
}

type i2cBus struct {
	poll
	bus  i2c.Bus
	woke bool
	r    [1 + maxFrame]byte
}

func (b *i2cBus) String() string { return b.bus.String() }

func (b *i2cBus) open() (bool, error) {
	if b.woke {
		return false, nil
	}
	_, _ = b.status() // its own address wakes the chip, which may not acknowledge it this time
	time.Sleep(waking)
	b.woke = true
	return true, nil
}

// tries is how often a transfer is tried: a chip that is busy does not acknowledge its address.
const tries = 3

func (b *i2cBus) tx(w, r []byte) (err error) {
	for range tries {
		if err = b.bus.Tx(I2CAddress, w, r); err == nil {
			return nil
		}
		time.Sleep(b.step)
	}
	return err
}

// status reads one byte: each transfer begins with the state of the chip, and a frame follows when it is ready.
func (b *i2cBus) status() (bool, error) {
	err := b.tx(nil, b.r[:1])
	return b.r[0]&1 != 0 && b.r[0] != 0xFF, err
}

func (b *i2cBus) send(frame []byte) error { return b.tx(frame, nil) }

// receive reads as much as the longest frame has that can come, as Linux' own driver of these chips does: a frame is to be read in one
// transfer, and its length stands in it.
func (b *i2cBus) receive(ctx context.Context, dec *decoder, most int, until time.Time) error {
	if err := b.wait(ctx, until, b.status); err != nil {
		return err
	}
	if err := b.bus.Tx(I2CAddress, nil, b.r[:1+most]); err != nil {
		return err
	}
	dec.only(b.r[1 : 1+most])
	return nil
}

func (b *i2cBus) flush() error { return nil }

func (b *i2cBus) close() error {
	b.woke = false
	return nil
}
