package world

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"posd/sim/acquirer"
	"posd/sim/alipay"
	"posd/sim/card"
	"posd/sim/ccid"
	"posd/sim/escpos"
	"posd/sim/msr"
	"posd/sim/pinpad"
	"posd/sim/scanner"
)

// hardware is every device and host around posd.
type hardware struct {
	w       *World
	lines   []*line
	reader  *ccid.Reader
	pad     *pinpad.Pad
	scanner *scanner.Scanner
	stripe  *msr.Reader
	printer *escpos.Printer
	host    *acquirer.Host
	gateway *alipay.Gateway

	hostAddr   string
	gatewayURL string
	tmk        []byte
}

// The terminal as the acquirer knows it.
const (
	terminalID = "00000001"
	merchantID = "898110053110001"
)

func newHardware(w *World) (*hardware, error) {
	tmk, err := masterKey(w.path("pinpad.key"))
	if err != nil {
		return nil, err
	}
	h := &hardware{w: w, tmk: tmk}
	trace := w.tracer()

	ro := ccid.Options{Profile: w.opt.Reader, Trace: trace}
	po := escpos.Options{Trace: trace, Speed: escpos.DefaultSpeed, Baud: 115200}
	if w.opt.Fast {
		ro.Pace = &ccid.Pace{}
		po.Speed, po.Baud = 0, 0
	}
	h.reader = ccid.New(ro)
	h.printer = escpos.New(po)
	pp := pinpad.Options{
		TMK: hex.EncodeToString(tmk), AnyKey: true, // a key made for this run is no published one, and no production key either
		Progress: true, Chinese: w.opt.Lang == "zh", Trace: trace,
	}
	so := scanner.Options{Trace: trace}
	mo := msr.Options{Trace: trace}
	if w.opt.Fast {
		pp.Pace = &pinpad.Pace{}
		so.Baud = 1 << 20
		mo.Baud = 1 << 20
	}
	h.pad = pinpad.New(pp)
	h.scanner = scanner.New(so)
	h.stripe = msr.New(mo)
	for _, d := range []struct {
		name string
		dev  device
	}{{"reader", h.reader}, {"pinpad", h.pad}, {"scanner", h.scanner}, {"stripe", h.stripe}, {"printer", h.printer}} {
		h.lines = append(h.lines, &line{name: d.name, dev: d.dev, link: w.path(d.name), trace: trace})
	}

	var accounts []acquirer.Account
	for _, a := range card.Accounts() {
		accounts = append(accounts, acquirer.Account{
			PAN: a.PAN, PSN: a.PSN, Expiry: a.Expiry, PIN: a.PIN, Balance: a.Balance, Code: a.Code, Before: a.Before, After: a.After,
		})
	}
	accounts = append(accounts, stripeAccounts()...)
	bank := card.NewBank()
	h.host = acquirer.New(acquirer.Options{
		TMK: tmk, TID: terminalID, MID: merchantID, Accounts: accounts, Issuer: bank, Scripts: bank.Script, Trace: trace,
		LateBy: w.lateBy(),
	})
	if h.hostAddr, err = h.host.Start(); err != nil {
		return h, fmt.Errorf("the acquirer: %w", err)
	}
	h.gateway = alipay.New(alipay.Options{Trace: trace, Keys: w.opt.walletKeys})
	if h.gatewayURL, err = h.gateway.Start(); err != nil {
		return h, fmt.Errorf("the wallet gateway: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	old := w.stop
	w.stop = func() {
		stop()
		if old != nil {
			old()
		}
	}
	w.work.Go(func() {
		for v := 0; ctx.Err() == nil; {
			v = h.printer.Wait(ctx, v)
			w.changed.ring()
		}
	})
	return h, nil
}

// lateBy is how late a late answer is: after posd has given up.
func (w *World) lateBy() time.Duration {
	host := 60
	if n := w.opt.Timeouts["host"]; n > 0 {
		host = n
	}
	return time.Duration(host+3) * time.Second
}

// masterKey is the key that the PIN pad and the acquirer share, as if injected in a secure room. It stays with the run directory, so
// that the keys of an earlier run keep their worth.
func masterKey(path string) ([]byte, error) {
	if b, err := os.ReadFile(path); err == nil {
		k, err := hex.DecodeString(strings.TrimSpace(string(b)))
		if err != nil || len(k) != 16 {
			return nil, fmt.Errorf("%s does not hold a key of 16 bytes in hex", path)
		}
		return k, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	k := make([]byte, 16)
	rand.Read(k)
	return k, os.WriteFile(path, []byte(hex.EncodeToString(k)+"\n"), 0o600)
}

func (h *hardware) close() error {
	var errs []error
	for _, l := range h.lines {
		errs = append(errs, l.set(false, false))
	}
	if h.host != nil {
		errs = append(errs, h.host.Close())
	}
	if h.gateway != nil {
		errs = append(errs, h.gateway.Close())
	}
	return errors.Join(errs...)
}

// entering tells whether the PIN pad or the reader asks for a PIN.
func (h *hardware) entering() bool { return h.pad.Entering() || h.reader.Entering() }

// pending tells what the phones show that wait for their owner.
func (h *hardware) pending() map[string]string {
	out := map[string]string{}
	for _, p := range h.gateway.Phones() {
		if p.Asked != "" {
			out[p.Name] = yuan(p.AskedMinor)
		}
	}
	return out
}

// padKey presses a key of the secure keypad: the PIN pad's, or the reader's while that asks for a PIN. Nothing says which: its digits
// are a PIN.
func (h *hardware) padKey(k Key) error {
	r := k.Rune
	if r >= 'M' && r <= 'd' && (r > 'c' || r < 'a') {
		return fmt.Errorf("the PIN pad has no key %s", k.Name)
	}
	if !h.reader.Press(r) {
		h.pad.Press(r)
	}
	return nil
}

func (h *hardware) scanning() bool { return h.scanner.Lit() }

func (h *hardware) confirm(phone string, yes bool) error {
	if err := h.knownPhone(phone); err != nil {
		return err
	}
	err := h.gateway.Refuse
	if yes {
		err = h.gateway.Confirm
	}
	if e := err(phone); errors.Is(e, alipay.ErrNothing) {
		return errors.New("no payment waits for this phone")
	} else if e != nil {
		return e
	}
	h.w.changed.ring()
	return nil
}

func (h *hardware) knownPhone(name string) error {
	var names []string
	for _, p := range h.gateway.Phones() {
		names = append(names, p.Name)
	}
	if !slices.Contains(names, name) {
		return unknown("phone", name, names)
	}
	return nil
}
