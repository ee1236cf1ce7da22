package card_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/emv"
	"posd/emv/tlv"
	"posd/internal/money"
	"posd/sim"
	"posd/sim/card"
)

// request55 are the data that a terminal sends to the issuer.
var request55 = []tlv.Tag{
	0x9F26, 0x9F27, 0x9F10, 0x9F37, 0x9F36, 0x95, 0x9A, 0x9C, 0x9F02, 0x5F2A, 0x82, 0x9F1A, 0x9F03, 0x9F33, 0x9F34, 0x9F35,
}

// parameters are those that posd ships, with the keys of the simulated cards and a floor limit.
func parameters(t *testing.T, floor int64) emv.Config {
	t.Helper()
	cfg, err := emv.LoadParametersFile("../../etc/emv.toml")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Terminal.Type = 0x22 // the profiles tell what becomes of a card where offline approval is possible
	for _, k := range card.CAKeys() {
		key, err := emv.NewCAKey([5]byte(k.RID), k.Index, k.Modulus, k.Exponent, k.Hash)
		if err != nil {
			t.Fatal(err)
		}
		cfg.CAKeys = append(cfg.CAKeys, key)
	}
	for i := range cfg.Applications {
		cfg.Applications[i].FloorLimit = floor
	}
	return cfg
}

// holder chooses the first application and always remembers a PIN.
type holder struct{ pins int }

func (*holder) Choose(context.Context, []emv.Candidate) (int, error) { return 0, nil }

func (h *holder) OfflinePIN(context.Context, emv.OfflinePINRequest) (emv.OfflinePINAnswer, error) {
	return emv.OfflinePINAnswer{Outcome: emv.PINPadFailed}, nil
}

func (h *holder) OnlinePIN(context.Context, emv.PINRequest) (emv.PINOutcome, error) {
	h.pins++
	return emv.PINEntered, nil
}

// TestProfiles runs the kernel against every profile, over the driver, the line and the reader, and wants the end that the profile
// promises.
func TestProfiles(t *testing.T) {
	for _, name := range card.Profiles() {
		t.Run(name, func(t *testing.T) {
			floor := int64(0)
			if name == "offline-approve" {
				floor = 20000
			}
			cfg := parameters(t, floor)
			synctest.Test(t, func(t *testing.T) { sell(t, name, cfg) })
		})
	}
}

func sell(t *testing.T, name string, cfg emv.Config) {
	var trace strings.Builder
	dev, drv := slot(t, "GemCorePOSPro", func(e sim.Event) {
		trace.WriteString(e.Dir + " " + e.Summary + "\n")
		for _, f := range e.Detail {
			trace.WriteString("    " + f.Name + " = " + f.Value + "\n")
		}
	})
	c, err := card.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	want := c.Profile().Expect
	dev.Insert(0, c)
	chip, err := drv.PowerOn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	who := &holder{}
	now := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	s, err := emv.New(cfg).Start(t.Context(), chip, emv.Request{
		Amount: money.Yuan(12800), Time: now, Counter: 1, Rand: strings.NewReader(strings.Repeat("unpredictable", 40)),
	}, who)
	defer func() {
		if t.Failed() {
			t.Log(trace.String())
		}
		for _, a := range c.Profile().Applications {
			if strings.Contains(trace.String(), a.PAN) || strings.Contains(trace.String(), a.PAN[6:len(a.PAN)-4]) {
				t.Error("an account number is in the trace")
			}
		}
	}()
	if want.Start == "blocked" {
		if !errors.Is(err, emv.ErrAppBlocked) {
			t.Fatalf("blocked application: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]emv.Outcome{"online": emv.Online, "approved": emv.Approved, "declined": emv.Declined}
	if got := s.Outcome(); got != outcomes[want.Start] {
		t.Fatalf("first outcome %d, want %s; TVR %X", got, want.Start, s.Result().TVR)
	}
	if got := s.Result().TVR[0] &^ 0x02; got != 0 { // "SDA selected" is no failure
		t.Errorf("offline data authentication: TVR %X", s.Result().TVR)
	}
	final := s.Outcome()
	if want.Start == "online" {
		res := s.Result()
		icc := s.ICC(request55)
		auth, err := card.Issuer{}.Authorise(res.PAN, res.PSN, icc, want.Code)
		if err != nil {
			t.Fatal(err)
		}
		final, err = s.Complete(t.Context(), emv.HostAnswer{
			Reached: true, ARC: want.Code, Approved: want.Code == "00", ICC: tlv.Append(nil, 0x91, auth),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if final != outcomes[want.Final] {
		t.Errorf("final outcome %d, want %s", final, want.Final)
	}
	res := s.Result()
	if res.IssuerAuthFail {
		t.Error("the card did not accept the issuer's cryptogram")
	}
	switch want.CVM {
	case "online-pin":
		if who.pins != 1 || !res.OnlinePIN {
			t.Errorf("PIN asked for %d times, %v", who.pins, res.OnlinePIN)
		}
	case "signature":
		if !res.Signature || who.pins != 0 {
			t.Errorf("no signature wanted; CVM results %X", res.CVMResults)
		}
	case "none":
		if res.Signature || who.pins != 0 {
			t.Errorf("PIN or signature wanted; CVM results %X", res.CVMResults)
		}
	}
	log := c.Cryptograms()
	last := log[len(log)-1]
	if wantKind := map[string]string{"approved": "TC", "declined": "AAC"}[want.Final]; last.Kind != wantKind || last.Amount != 12800 {
		t.Errorf("the card's last word: %+v, want %s", last, wantKind)
	}
	// The TC is worth what the issuer can check.
	if err := (card.Issuer{}).Verify(res.PAN, res.PSN, s.ICC(request55)); err != nil {
		t.Errorf("last cryptogram: %v", err)
	}
	if !bytes.Equal(res.AID, dehex(t, c.Profile().Applications[0].AID)) || res.PAN != c.PAN() || res.Expiry != c.Expiry() {
		t.Errorf("result: AID %X", res.AID)
	}
}
