package pinpad_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"posd/hal"
	driver "posd/hal/pinpad"
	"posd/hal/serial"
	"posd/internal/money"
	"posd/internal/pty"
	"posd/sim"
	"posd/sim/pinpad"
	"posd/vault"
)

// The same over a real terminal line of the system, with the driver of real lines.
func TestOverPTY(t *testing.T) {
	master, path, keep, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	waiting := make(chan struct{}, 8)
	pad := pinpad.New(pinpad.Options{Progress: true, Pace: &pinpad.Pace{}, Trace: func(e sim.Event) {
		if strings.HasPrefix(e.Summary, "waiting") {
			waiting <- struct{}{}
		}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error, 1)
	serve := func() { served <- pad.Serve(ctx, master) }
	go serve()

	dev := driver.New(serial.Opener(serial.Config{Path: path, Baud: 9600}), &driver.Opts{Progress: true})
	defer dev.Close()
	stars := 0
	enter := func(keys string) (vault.PINBlock, error) {
		ch := make(chan result, 1)
		go func() {
			pb, err := dev.EnterPIN(t.Context(), unhex(t, encSK), vault.PINEntry{
				PAN: pan, Amount: money.Yuan(1), Timeout: 20 * time.Second, Progress: func(n int) { stars = n },
			})
			ch <- result{pb, err}
		}()
		select {
		case <-waiting:
			for _, k := range keys {
				pad.Press(k)
			}
		case r := <-ch:
			return r.pb, r.err
		}
		r := <-ch
		return r.pb, r.err
	}
	pb, err := enter("123\b1234\r")
	if err != nil || [8]byte(unhex(t, block)) != pb.Block || stars != 4 {
		t.Errorf("PIN entry: %v, %d stars", err, stars)
	}
	data := make([]byte, 2000)
	mac, err := dev.MAC(t.Context(), unhex(t, "8FE10196464FD3591A4D672DCA6CB335"), data)
	want, _ := vault.MAC3(unhex(t, "5E4C3D2A1A08F8E60123456789ABCDEF"), data, vault.Padding1)
	if err != nil || mac != want {
		t.Errorf("MAC %X, want %X (%v)", mac, want, err)
	}
	if _, err := enter("12\x1b"); !errors.Is(err, vault.ErrPINCancelled) {
		t.Errorf("cancelled: %v", err)
	}

	// Serve ends with its context and may be called again on the same line.
	cancel()
	if err := <-served; !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	go serve()
	if pb, err := enter("1234\r"); err != nil || [8]byte(unhex(t, block)) != pb.Block {
		t.Errorf("after the pad was switched off and on: %v", err)
	}

	// The plug is pulled while a PIN is being entered.
	ch := make(chan error, 1)
	go func() {
		_, err := enter("12")
		ch <- err
	}()
	for !pad.Entering() {
		time.Sleep(time.Millisecond)
	}
	_ = keep.Close()
	_ = master.Close()
	if err := <-ch; !errors.Is(err, hal.ErrUnplugged) || !errors.Is(err, vault.ErrPad) {
		t.Errorf("unplugged: %v", err)
	}
	if err := <-served; err == nil {
		t.Error("Serve goes on without a line")
	}
}
