package ccid_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/sim"
	"posd/sim/ccid"
)

// TestTrace looks for secrets in the trace, and for names.
func TestTrace(t *testing.T) {
	var all strings.Builder
	r := ccid.New(ccid.Options{Pace: &ccid.Pace{}, Trace: func(e sim.Event) {
		all.WriteString(e.Source + " " + e.Dir + " " + e.Summary + "\n")
		for _, f := range e.Detail {
			all.WriteString("  " + f.Name + ": " + f.Value + "\n")
		}
	}})
	h := connect(t, r)
	const pan = "6217004815162342019"
	var say []byte
	r.Insert(0, &chip{atr: t0ATR, say: func([]byte) []byte { return say }})
	h.do(0x62, 0)
	ask := func(answer string, tpdu string) {
		t.Helper()
		say = dehex(t, answer)
		h.do(0x6F, 0, dehex(t, tpdu)...)
	}
	ask("7030 570F"+pan+"D3012201123 5A0A"+pan+"F 9F1F0430313233 5F2009 5A48414E472053414E 9000", "00B2010C00")
	ask("701D 570F"+pan+"D3012201123 5A0A"+pan+"F 9000", "00B2010C1D")
	ask(strings.Repeat(pan+"F", 3)+"9000", "0084000020")
	ask("9000", "0020008008241234FFFFFFFFFF")
	ask("9000", "04DC010C0A"+pan+"F")
	ask("63C2", "0020008008245555FFFFFFFFFF")
	ask("700A 8C08 9F02065A0A9F3704 9000", "00B2020C0C")
	ask("80128000010102030405060708 07010103A00001 9000", "80AE800014 000000012345 "+pan+"F 01020304")
	ask("6A82", "00A4040007A0000000031010")
	text := all.String()
	for _, secret := range []string{pan, pan[6:15], "3012201123", "1234FFFF", "5555FFFF", "30313233"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the trace", secret)
		}
	}
	for _, want := range []string{
		"reader > READ RECORD SFI 1 record 1", "57 Track 2 Equivalent Data: 621700*********2019D", "5A Application Primary Account Number (PAN): 621700*********2019",
		"reader > VERIFY", "PIN block, masked", "63C2 wrong, 2 tries left", "reader > GENERATE AC (ARQC asked)", "9F02 Amount, Authorised (Numeric): 000000012345",
		"reader > SELECT A0000000031010", "reader < 6A82 not found", "cold reset: ATR 3B 60 00 00", "card inserted into slot 0",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the trace", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// FuzzServe gives a reader with a card any bytes: it must go on answering.
func FuzzServe(f *testing.F) {
	entries, err := transcripts.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		text, err := transcripts.ReadFile("testdata/" + e.Name())
		if err != nil {
			f.Fatal(err)
		}
		var b []byte
		for _, l := range strings.Split(string(text), "\n")[:80] {
			if hex, ok := strings.CutPrefix(l, "> "); ok {
				b = append(b, dehex(f, hex)...)
			}
		}
		f.Add(b)
	}
	f.Add(dehex(f, "03066F010000000000000000FF95 03150303154103"))
	f.Add(dehex(f, "030662000000000001000000 66 0306691C000000000200000000 1E8947040C0402010904000000000020008008 20FFFFFFFFFFFFFF 00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, profile := range []ccid.Profile{ccid.GemCorePOSPro, ccid.GemPCPinPad, ccid.PosdPINPad} {
			synctest.Test(t, func(t *testing.T) {
				r := ccid.New(ccid.Options{Profile: profile, Pace: &ccid.Pace{}, Trace: func(sim.Event) {}})
				h := connect(t, r)
				r.Insert(0, &chip{atr: t0ATR, say: func(apdu []byte) []byte { return append(slices.Clone(apdu), 0x90, 0x00) }})
				r.Insert(1, &chip{atr: []byte{0x3B, 0x80, 0x01, 0x81}, say: func(apdu []byte) []byte { return append(slices.Clone(apdu), 0x90, 0x00) }})
				go h.write(b)
				got := make([]byte, 4096)
				for { // a PIN entry ends by its time-out, after 255 s at most
					if err := h.line.SetReadDeadline(time.Now().Add(5 * time.Minute)); err != nil {
						t.Fatal(err)
					}
					if _, err := h.line.Read(got); err != nil {
						break
					}
				}
				if err := h.line.SetReadDeadline(time.Time{}); err != nil {
					t.Fatal(err)
				}
				f := h.frame(0x65, 0, [3]byte{})
				h.write(f)
				if profile == ccid.GemPCPinPad {
					h.read(len(f))
				}
				if a := h.answer(); a[7] > 1 {
					t.Errorf("status %02X", a[7])
				}
			})
		}
	})
}
