package ccid_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"posd/hal"
	driver "posd/hal/ccid"
	"posd/hal/serial"
	"posd/sim/card"
	"posd/sim/ccid"
)

// TestDriver runs posd's own driver over posd's own serial port on a pseudo terminal: a sale's worth of reset and commands, then the
// reader is unplugged and another one plugged in.
func TestDriver(t *testing.T) {
	for _, c := range []struct {
		profile ccid.Profile
		card    string
	}{
		{ccid.GemCorePOSPro, "unionpay-debit"}, {ccid.GemPCTwin, "unionpay-debit"}, {ccid.GemCorePOSPro, "visa-debit"}, {ccid.GemPCTwin, "visa-debit"},
	} {
		t.Run(string(c.profile)+"/"+c.card, func(t *testing.T) {
			t.Parallel()
			chip, err := card.Load(c.card)
			if err != nil {
				t.Fatal(err)
			}
			link := filepath.Join(t.TempDir(), "reader")
			plug := func() (*ccid.Reader, func()) {
				t.Helper()
				p := openPTY(t)
				_ = os.Remove(link) // not there the first time
				if err := os.Symlink(p.path, link); err != nil {
					t.Fatal(err)
				}
				r := ccid.New(ccid.Options{Profile: c.profile, Pace: &ccid.Pace{}})
				r.Insert(0, chip)
				done := make(chan struct{})
				go func() {
					defer close(done)
					_ = r.Serve(context.Background(), p.master)
				}()
				return r, func() { p.close(); <-done }
			}
			_, unplug := plug()
			drv := driver.New(serial.Opener(serial.Config{Path: link, Baud: 115200, TwoStop: true}), &driver.Opts{Profile: driver.Profile(c.profile)})
			defer func() {
				if err := drv.Close(); err != nil {
					t.Error(err)
				}
			}()
			talk := func() (*driver.Card, error) {
				if err := drv.WaitInserted(t.Context()); err != nil {
					return nil, err
				}
				k, err := drv.PowerOn(t.Context())
				if err != nil {
					return nil, err
				}
				out, err := k.Transceive(t.Context(), append([]byte{0x00, 0xA4, 0x04, 0x00, 14}, "1PAY.SYS.DDF01\x00"...))
				if err == nil && !bytes.HasSuffix(out, []byte{0x90, 0x00}) {
					t.Errorf("SELECT: % X", out)
				}
				return k, err
			}
			k, err := talk()
			if err != nil {
				t.Fatal(err)
			}
			unplug()
			if _, err := k.Transceive(t.Context(), []byte{0x00, 0xB2, 0x01, 0x0C, 0x00}); !errors.Is(err, hal.ErrUnplugged) {
				t.Errorf("unplugged: %v", err)
			}
			_, unplug = plug()
			defer unplug()
			if _, err := talk(); err != nil {
				t.Errorf("plugged in again: %v", err)
			}
		})
	}
}
