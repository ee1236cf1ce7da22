package pn532_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal"
	driver "posd/hal/pn532"
	"posd/hal/serial/porttest"
	"posd/sim/pn532"
)

// uart is a line on which bytes arrive only while both ends have the same speed.
type uart struct {
	*porttest.End
	port *porttest.Port
	chip *pn532.Chip
}

func (u uart) Read(b []byte) (int, error) {
	n, err := u.End.Read(b)
	if u.port.Baud() != u.chip.Speed() {
		clear(b[:n])
	}
	return n, err
}

func (u uart) Write(b []byte) (int, error) {
	if u.port.Baud() != u.chip.Speed() {
		return u.End.Write(make([]byte, len(b)))
	}
	return u.End.Write(b)
}

// TestSpeed: chip and line are switched to the board's speed; where the chip was reset, or was not, the driver finds it.
func TestSpeed(t *testing.T) {
	for _, baud := range []int{115200, 230400, 460800, 921600} {
		synctest.Test(t, func(t *testing.T) {
			chip := pn532.New(pn532.Options{})
			var wg sync.WaitGroup
			var end *porttest.End
			dev := driver.NewHSU(func() (hal.Port, error) {
				wg.Wait() // the driver has closed the line before it opens it again
				p, e := porttest.Pipe(4096)
				if err := p.SetBaud(driver.HSUSpeed); err != nil {
					t.Error(err)
				}
				end = e
				wg.Go(func() { _ = chip.Serve(context.Background(), uart{e, p, chip}) })
				return p, nil
			}, &driver.Opts{Baud: baud})
			for range 2 { // the second time the chip has lost its power
				if _, err := dev.Firmware(t.Context()); err != nil {
					t.Fatalf("%d: %v", baud, err)
				}
				if chip.Speed() != baud {
					t.Errorf("the chip is at %d bit/s, not at %d", chip.Speed(), baud)
				}
				r := rig{chip, dev, nil, nil}
				r.sale(t, cardA)
				_ = end.Close()
				wg.Wait()
				if _, err := dev.Firmware(t.Context()); !errors.Is(err, hal.ErrUnplugged) {
					t.Errorf("unplugged: %v", err)
				}
			}
			_ = dev.Close() // the line is gone
		})
	}
}

// TestSpeedKept: the chip kept its speed while the terminal was started anew.
func TestSpeedKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := pn532.New(pn532.Options{})
		port, end := porttest.Pipe(4096)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = chip.Serve(context.Background(), uart{end, port, chip})
		}()
		for range 2 {
			open := true
			dev := driver.NewHSU(func() (hal.Port, error) {
				if open {
					open = false
					if err := port.SetBaud(driver.HSUSpeed); err != nil {
						t.Error(err)
					}
				}
				return keptOpen{port}, nil
			}, &driver.Opts{Baud: 460800})
			start := time.Now()
			if _, err := dev.Firmware(t.Context()); err != nil || chip.Speed() != 460800 {
				t.Fatalf("%v, %d bit/s", err, chip.Speed())
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v", took)
			}
			if err := dev.Close(); err != nil {
				t.Error(err)
			}
		}
		_ = end.Close()
		<-done
	})
}

// keptOpen is a port whose other end does not notice that it was closed.
type keptOpen struct{ *porttest.Port }

func (keptOpen) Close() error { return nil }
