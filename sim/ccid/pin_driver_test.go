package ccid_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"posd/emv/tlv"
	driver "posd/hal/ccid"
	"posd/hal/serial"
	"posd/sim"
	"posd/sim/card"
	"posd/sim/ccid"
	"posd/vault"
)

// bench is a simulated reader with a keypad on a pseudo terminal, and posd's own driver on its other side.
type bench struct {
	*testing.T
	r     *ccid.Reader
	drv   *driver.Reader
	asked chan struct{} // the reader waits for a PIN
}

func newBench(t *testing.T, profile ccid.Profile) *bench {
	t.Helper()
	b := &bench{T: t, asked: make(chan struct{}, 10)}
	p := openPTY(t)
	b.r = ccid.New(ccid.Options{Profile: profile, Pace: &ccid.Pace{}, Trace: func(e sim.Event) {
		if strings.HasPrefix(e.Summary, "waiting for the cardholder") {
			b.asked <- struct{}{}
		}
	}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.r.Serve(context.Background(), p.master)
	}()
	t.Cleanup(func() { p.close(); <-done })
	line := serial.Opener(serial.Config{Path: p.path, Baud: 115200, TwoStop: true})
	b.drv = driver.New(line, &driver.Opts{Profile: driver.Profile(profile)})
	t.Cleanup(func() {
		if err := b.drv.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// start powers a card and brings it to the point where it takes a PIN: selected, processing options got.
func (b *bench) start(name string) *driver.Card {
	b.Helper()
	chip, err := card.Load(name)
	if err != nil {
		b.Fatal(err)
	}
	b.r.Insert(0, chip)
	k, err := b.drv.PowerOn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	aid := dehex(b, chip.Profile().Applications[0].AID)
	fci := b.apdu(k, slices.Concat([]byte{0x00, 0xA4, 0x04, 0x00, byte(len(aid))}, aid, []byte{0}))
	n := pdolLength(b, fci)
	b.apdu(k, slices.Concat([]byte{0x80, 0xA8, 0x00, 0x00, byte(n + 2), 0x83, byte(n)}, make([]byte, n+1)))
	return k
}

// pdolLength is the number of bytes that the list in a response to SELECT asks for.
func pdolLength(t testing.TB, fci []byte) (n int) {
	t.Helper()
	err := tlv.Walk(fci, func(_ []tlv.Tag, o tlv.Object) (bool, error) {
		if o.Tag != 0x9F38 {
			return true, nil
		}
		d, err := tlv.ParseDOL(o.Value)
		n = d.Len()
		return true, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (b *bench) apdu(k *driver.Card, capdu []byte) []byte {
	b.Helper()
	out, err := k.Transceive(b.Context(), capdu)
	if err != nil || !bytes.HasSuffix(out, []byte{0x90, 0x00}) {
		b.Fatalf("% X: % X, %v", capdu[:4], out, err)
	}
	return out[:len(out)-2]
}

// verify asks for a PIN and types keys when the reader waits for it.
func (b *bench) verify(q vault.CardPIN, keys string) (uint16, error) {
	b.Helper()
	stop := make(chan struct{})
	var typing sync.WaitGroup
	typing.Go(func() {
		select {
		case <-b.asked:
			for _, k := range keys {
				b.r.Press(k)
			}
		case <-stop:
		}
	})
	defer typing.Wait()
	defer close(stop)
	return b.drv.VerifyPIN(b.Context(), q)
}

// TestPIN has a cardholder type a PIN on the reader, for a card that compares it, over posd's own driver and a pseudo terminal.
func TestPIN(t *testing.T) {
	for _, profile := range []ccid.Profile{ccid.GemPCPinPad, ccid.PosdPINPad} {
		for _, name := range []string{"unionpay-debit", "visa-debit"} {
			t.Run(string(profile)+"/"+name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, profile)
				k := b.start(name)
				pin := map[string]string{"unionpay-debit": "123456", "visa-debit": "1234"}[name]
				for _, c := range []struct {
					keys string
					sw   uint16
					err  error
				}{
					{"0000\r", 0x63C2, nil},
					{"12\x1b", 0, vault.ErrPINCancelled},
					{"\r", 0, vault.ErrPINBypassed},
					{"99\b" + pin + "\r", 0x9000, nil},
				} {
					sw, err := b.verify(vault.CardPIN{Timeout: 5 * time.Second}, c.keys)
					if sw != c.sw || !errors.Is(err, c.err) {
						t.Errorf("%d keys: %04X, %v; want %04X, %v", len(c.keys), sw, err, c.sw, c.err)
					}
				}
				b.apdu(k, []byte{0x80, 0xCA, 0x9F, 0x17, 0x00}) // the card goes on
			})
		}
	}
}
