package pn532_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"posd/hal"
	driver "posd/hal/pn532"
	"posd/hal/serial"
	"posd/internal/pty"
	"posd/sim/card"
	"posd/sim/pn532"
)

// TestPTY runs posd's own driver over posd's own serial port on a pseudo terminal; then the chip is unplugged in the middle of a sale and
// plugged in again.
func TestPTY(t *testing.T) {
	chip, err := card.Load("unionpay-debit")
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "nfc")
	sim := pn532.New(pn532.Options{Pace: &pn532.Pace{}})
	sim.Tap(pn532.Target{Card: chip})
	plug := func() (unplug func()) {
		t.Helper()
		master, path, keep, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(link) // not there the first time
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = sim.Serve(context.Background(), master) // it ends with the line
		}()
		return func() {
			_ = keep.Close()
			_ = master.Close()
			<-done
		}
	}
	unplug := plug()
	dev := driver.NewHSU(serial.Opener(serial.Config{Path: link, Baud: driver.HSUSpeed}), nil)
	for range 3 {
		k, err := dev.Activate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out, err := k.Transceive(t.Context(), dehex(t, "00A4040008A00000033301010100"))
		if err != nil || !bytes.HasSuffix(out, []byte{0x90, 0x00}) {
			t.Errorf("SELECT: % X, %v", out, err)
		}
		unplug()
		if _, err := k.Transceive(t.Context(), dehex(t, "00B2010C00")); !errors.Is(err, hal.ErrUnplugged) {
			t.Errorf("unplugged: %v", err)
		}
		unplug = plug()
	}
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
	unplug()
}
