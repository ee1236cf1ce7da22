package world

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"posd/emv/tlv"
	"posd/hal"
	"posd/hal/ccid"
	"posd/hal/serial"
	simccid "posd/sim/ccid"
	"posd/vault"
)

// TestPINForTheCard: digits that are typed while the reader asks for a PIN go to the reader's keypad, whatever reader it is, and
// nowhere else.
func TestPINForTheCard(t *testing.T) {
	for _, profile := range []simccid.Profile{"", simccid.GemPCPinPad} {
		w := newWorld(t, Options{Reader: profile, Fast: true})
		do(t, w, "power on")
		do(t, w, "wait screen=idle")
		do(t, w, "insert visa-debit")
		board, err := hal.LoadBoard(filepath.Join(w.Dir(), "board.toml"))
		if err != nil {
			t.Fatal(err)
		}
		b := board.Reader
		drv := ccid.New(serial.Opener(serial.Config{Path: b.Port, Baud: b.Baud, TwoStop: true}), &ccid.Opts{
			Profile: ccid.Profile(b.Profile), Level: ccid.Level(b.Level), PIN: ccid.PINEntry(b.PINEntry),
		})
		k, err := drv.PowerOn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		send := func(apdu []byte) []byte {
			out, err := k.Transceive(t.Context(), apdu)
			if err != nil || len(out) < 2 || out[len(out)-2] != 0x90 {
				t.Fatalf("% X: % X, %v", apdu[:4], out, err)
			}
			return out[:len(out)-2]
		}
		fci := send([]byte{0x00, 0xA4, 0x04, 0x00, 0x07, 0xA0, 0x00, 0x00, 0x00, 0x03, 0x10, 0x10, 0x00})
		n := 0
		if err := tlv.Walk(fci, func(_ []tlv.Tag, o tlv.Object) (bool, error) {
			if o.Tag == 0x9F38 {
				d, err := tlv.ParseDOL(o.Value)
				n = d.Len()
				return true, err
			}
			return true, nil
		}); err != nil {
			t.Fatal(err)
		}
		send(slices.Concat([]byte{0x80, 0xA8, 0x00, 0x00, byte(n + 2), 0x83, byte(n)}, make([]byte, n+1)))

		var sw uint16
		done := make(chan error, 1)
		go func() {
			var err error
			sw, err = drv.VerifyPIN(t.Context(), vault.CardPIN{Timeout: 5 * time.Second})
			done <- err
		}()
		do(t, w, "wait reader=waiting")
		if !w.State().EnteringPIN {
			t.Error("the state does not say that a PIN is being entered")
		}
		from := uint64(len(w.Trace(1, 0, "")))
		refuse(t, w, "press f4", "has no key f4")
		do(t, w, "type 99")
		do(t, w, "press clear")
		do(t, w, "type 1234")
		do(t, w, "press ok")
		if err := <-done; err != nil || sw != 0x9000 {
			t.Errorf("%s: %04X, %v", b.Profile, sw, err)
		}
		if w.State().EnteringPIN {
			t.Error("still entering")
		}
		for _, e := range w.Trace(from, 0, "") {
			if e.Source == "keypad" || e.Source == "posd" && strings.Contains(e.Summary, "key") {
				t.Errorf("a key of the PIN went elsewhere: %+v", e)
			}
		}
		if err := drv.Close(); err != nil {
			t.Error(err)
		}
	}
}
