package pn532_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"posd/hal"
	driver "posd/hal/pn532"
	"posd/hal/serial/porttest"
	"posd/sim/pn532"
)

func dehex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// chip is a card that answers as a test says; nil answers with 9000 behind what it got.
type chip struct {
	mu     sync.Mutex
	say    func(apdu []byte) []byte
	heard  [][]byte
	resets int
}

func (c *chip) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resets++
}

func (c *chip) Transceive(apdu []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, bytes.Clone(apdu))
	if c.say != nil {
		return c.say(apdu)
	}
	return append(bytes.Clone(apdu), 0x90, 0x00)
}

func (c *chip) got() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard
}

// rig is the driver on a simulated chip.
type rig struct {
	*pn532.Chip
	dev *driver.Dev
	// cut ends the line, or has the bus fail; mend brings it back.
	cut, mend func()
}

// lineCut is what a bus that was cut returns.
type lineCut struct{}

func (lineCut) Error() string { return "cut" }

// on runs a test on each of the three transports, in time of its own.
func on(t *testing.T, o *driver.Opts, f func(t *testing.T, r rig)) {
	t.Helper()
	for _, c := range []struct {
		name  string
		build func(t *testing.T, sim *pn532.Chip) (rig, func())
	}{
		{"HSU", func(_ *testing.T, sim *pn532.Chip) (rig, func()) {
			var (
				wg   sync.WaitGroup
				ends []*porttest.End
				out  bool
			)
			dev := driver.NewHSU(func() (hal.Port, error) {
				if out {
					return nil, hal.ErrUnplugged
				}
				wg.Wait() // the driver has closed the line before it opens it again
				p, e := porttest.Pipe(4096)
				ends = append(ends, e)
				wg.Go(func() { _ = sim.Serve(context.Background(), e) })
				return p, nil
			}, o)
			cut := func() {
				out = true
				for _, e := range ends {
					_ = e.Close() // the second time it is closed already
				}
			}
			return rig{sim, dev, cut, func() { out = false }}, func() {
				cut()
				wg.Wait()
			}
		}},
		{"SPI", func(t *testing.T, sim *pn532.Chip) (rig, func()) {
			p := sim.SPI()
			return rig{sim, driver.NewSPI(p, o), func() { p.Fail(lineCut{}) }, func() { p.Fail(nil) }}, func() { _ = p.Close() }
		}},
		{"I2C", func(t *testing.T, sim *pn532.Chip) (rig, func()) {
			p := sim.I2C()
			return rig{sim, driver.NewI2C(p, o), func() { p.Fail(lineCut{}) }, func() { p.Fail(nil) }}, func() { _ = p.Close() }
		}},
		{"SPI with IRQ", func(t *testing.T, sim *pn532.Chip) (rig, func()) {
			p := sim.SPI()
			with := driver.Opts{}
			if o != nil {
				with = *o
			}
			with.IRQ = p.Ready
			return rig{sim, driver.NewSPI(p, &with), func() { p.Fail(lineCut{}) }, func() { p.Fail(nil) }}, func() { _ = p.Close() }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, end := c.build(t, pn532.New(pn532.Options{}))
				defer end()
				defer func() { _ = r.dev.Close() }() // some tests close it themselves
				f(t, r)
			})
		})
	}
}

var ppse = append(append([]byte{0x00, 0xA4, 0x04, 0x00, 14}, "2PAY.SYS.DDF01"...), 0x00)

// sale taps a card, talks to it and sees that it hears each command once.
func (r rig) sale(t *testing.T, target pn532.Target) {
	t.Helper()
	c := &chip{}
	target.Card = c
	id := r.Tap(target)
	defer r.Take(id)
	k, err := r.dev.Activate(t.Context())
	if err != nil {
		t.Errorf("activate: %v", err)
		return
	}
	for _, apdu := range [][]byte{ppse, {0x00, 0xB2, 0x01, 0x0C, 0x00}} {
		out, err := k.Transceive(t.Context(), apdu)
		if err != nil || !bytes.Equal(out, append(bytes.Clone(apdu), 0x90, 0x00)) {
			t.Errorf("% X: % X, %v", apdu, out, err)
		}
	}
	if n := len(c.got()); n != 2 {
		t.Errorf("the card heard %d commands of 2", n)
	}
	if err := r.dev.Off(t.Context(), 0); err != nil || r.Field() {
		t.Errorf("off: %v, field %v", err, r.Field())
	}
}
