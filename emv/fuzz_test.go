package emv

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// tape is a card whose answers are given bytes: each answer behind its length, two bytes. When the tape is over the card is mute.
type tape struct {
	b    []byte
	left int
}

var errMute = errors.New("tape is over")

func (c *tape) Transceive(context.Context, []byte) ([]byte, error) {
	if c.left--; c.left < 0 || len(c.b) < 2 {
		return nil, errMute
	}
	n := int(c.b[0])<<8 | int(c.b[1])
	c.b = c.b[2:]
	n = min(n, len(c.b))
	r := c.b[:n]
	c.b = c.b[n:]
	return r, nil
}

// recorder puts what a card answers on a tape.
type recorder struct {
	card Card
	tape []byte
}

func (r *recorder) Transceive(ctx context.Context, capdu []byte) ([]byte, error) {
	a, err := r.card.Transceive(ctx, capdu)
	r.tape = append(append(r.tape, byte(len(a)>>8), byte(len(a))), a...)
	return a, err
}

// FuzzKernel runs whole transactions against a card that answers what it likes: the kernel must end, without a panic, and what it
// calls approved must have been approved by the card with a TC that it was asked for.
func FuzzKernel(f *testing.F) {
	hostICC := append(unhex("9108 1122334455667788"), issuerScript(0x72, "00000001", "8424000004 01020304")...)
	for _, change := range []func(*chip){
		func(*chip) {},
		func(c *chip) { c.aip = aipForDDA },
		func(c *chip) { c.aip = aipForSDA; c.format2 = true },
		func(c *chip) { c.aip, c.ca = "1C00", "" },
		func(c *chip) {
			c.set[tagLCOL], c.set[tagUCOL] = []byte{1}, []byte{2}
			c.getData[tagATC], c.getData[tagLastOnlineATC] = unhex("0005"), unhex("0001")
		},
		func(c *chip) { c.second = acAAC; c.extAuth = 0x6300 },
		func(c *chip) { c.prop += "9F38099F02069F37049F1A02" },
	} {
		c := newChip()
		change(c)
		c.scriptSW[0x24] = 0x9000
		r := &recorder{card: c}
		s, err := New(testConfig()).Start(f.Context(), r, testRequest(), &person{})
		if err != nil {
			f.Fatal(err)
		}
		if s.Outcome() == Online {
			if _, err := s.Complete(f.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: hostICC}); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(r.tape, hostICC, byte(7))
	}
	f.Add([]byte{0, 2, 0x6A, 0x81}, []byte{0x72}, byte(0))
	f.Add(bytes.Repeat([]byte{0, 2, 0x90, 0x00}, 100), []byte(nil), byte(1))
	f.Fuzz(func(t *testing.T, answers, icc []byte, how byte) {
		card := &tape{answers, 2000}
		p := &person{pin: PINOutcome(how >> 4 % 4), choice: func(c []Candidate) (int, error) { return int(how) % len(c), nil }}
		s, err := New(testConfig()).Start(t.Context(), card, testRequest(), p)
		if card.left < 0 {
			t.Fatal("more than 2000 commands")
		}
		endOfFuzz(t, s, err, HostAnswer{Reached: how&1 != 0, ARC: "00", Approved: how&2 != 0, Referral: how&4 != 0, ICC: icc})
	})
}

// endOfFuzz carries a fuzzed transaction to its end and looks at what came of it.
func endOfFuzz(t *testing.T, s *Session, err error, answer HostAnswer) {
	t.Helper()
	if err != nil {
		var e *Error
		if s != nil || !errors.As(err, &e) || e.Step == "" {
			t.Fatalf("%v, %v", s, err)
		}
		return
	}
	out := s.Outcome()
	full := s.req.Flow == FullFlow
	if (out == CardRead) == full {
		t.Fatalf("outcome %d of flow %d", out, s.req.Flow)
	}
	asked := out == Online
	if asked {
		if s.k.offlineOnly() {
			t.Fatal("an offline-only terminal is to go online")
		}
		out, err = s.Complete(t.Context(), answer)
		if err != nil && out != Declined || out == Online {
			t.Fatalf("outcome %d with %v", out, err)
		}
		if out == Approved && answer.Reached && !answer.Approved {
			t.Fatal("approved against the host")
		}
	}
	if _, err := s.Complete(t.Context(), answer); !errors.Is(err, ErrNotOnline) {
		t.Fatalf("completed twice: %v", err)
	}
	r := s.Result()
	switch {
	case out != s.Outcome():
		t.Fatalf("outcome %d, then %d", out, s.Outcome())
	case out == Approved && (r.CID&acMask != acTC || r.PAN == ""):
		t.Fatalf("approved with CID %02X, TVR %X", r.CID, r.TVR)
	case len(r.ScriptResults)%5 != 0:
		t.Fatalf("script results of %d bytes", len(r.ScriptResults))
	case r.ApprovalLost != (asked && answer.Reached && answer.Approved && out != Approved):
		t.Fatalf("approval lost: %v with outcome %d", r.ApprovalLost, out)
	case r.Advice && out != Declined, out == CardRead && (r.CID&acMask != acAAC || r.ApprovalLost || r.UnableOnline):
		t.Fatalf("outcome %d, %+v", out, r.CID)
	}
}

// FuzzFlows runs every flow, transaction type and kind of terminal against a card that answers what it likes.
func FuzzFlows(f *testing.F) {
	for _, flow := range []Flow{FullFlow, ReadFlow, ReadAbortFlow} {
		for _, first := range []byte{0xFF, acAAC, acARQC, 0x09} {
			c, r := newChip(), testRequest()
			c.ca, c.aip, c.first = "", "1C00", first
			r.Flow = flow
			rec := &recorder{card: c}
			s, err := New(testConfig()).Start(f.Context(), rec, r, &person{})
			if err == nil && s.Outcome() == Online {
				if _, err := s.Complete(f.Context(), HostAnswer{Reached: true, ARC: "01", Approved: true, Referral: true}); err != nil {
					f.Fatal(err)
				}
			}
			for _, how := range []byte{0x00, 0x17, 0x63, 0xFF} {
				f.Add(rec.tape, byte(flow), byte(0x00), how)
				f.Add(rec.tape, byte(flow), byte(0x20), how)
			}
		}
	}
	f.Fuzz(func(t *testing.T, answers []byte, flow, typ, how byte) {
		cfg, r := testConfig(), testRequest()
		cfg.Terminal.Type = terminalTypes[int(how>>4)%len(terminalTypes)]
		cfg.Terminal.Risk, cfg.Terminal.OnlineOnlyDefault = RiskPolicy(how%3), how&8 != 0
		cfg.Applications[0].FloorLimit = int64(how) * 200
		cfg.Applications[0].NoPINBypass = how&4 != 0
		r.Flow, r.Type = Flow(flow%3), typ&0x11
		k := New(cfg, WithExceptionFile(func(Exception) bool { return how&2 != 0 }))
		s, err := k.Start(t.Context(), &tape{answers, 2000}, r, &person{pin: PINOutcome(how % 4)})
		endOfFuzz(t, s, err, HostAnswer{Reached: how&1 != 0, ARC: "00", Approved: how&2 != 0, Referral: how&4 != 0})
	})
}

// FuzzHostICC gives the kernel arbitrary data for field 55 of the answer.
func FuzzHostICC(f *testing.F) {
	for _, b := range [][]byte{nil, unhex("9108 1122334455667788"), issuerScript(0x71, "00000001", "84240000"), unhex("7202 8600"), unhex("9F36"), unhex("71 05 9F18 02 0102")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, icc []byte) {
		n := 0
		s := ready(t, cardFunc(func([]byte) []byte { n++; return unhex("9000") }))
		h, _ := parseHostICC(icc, defaultScriptLimit)
		if err := s.runScripts(t.Context(), append(h.before, h.after...), tvrScriptBefore); err != nil {
			t.Fatal(err)
		}
		if n > len(icc) || len(s.scriptResults) != 5*(len(h.before)+len(h.after)) {
			t.Fatalf("%d commands, %d bytes of results", n, len(s.scriptResults))
		}
	})
}

// FuzzRecords gives the kernel arbitrary records.
func FuzzRecords(f *testing.F) {
	c := newChip()
	c.build()
	for _, r := range c.records {
		f.Add(obj(tagRecord, r), byte(1), true)
	}
	f.Add(unhex("7080"), byte(11), true)
	f.Fuzz(func(t *testing.T, r []byte, sfi byte, signed bool) {
		s := ready(t, script(t))
		if err := s.takeRecord(sfi, r, signed); err != nil && !errors.Is(err, ErrBadCard) {
			t.Fatal(err)
		}
		if err := s.checkRecords(); err != nil && !errors.Is(err, ErrBadCard) {
			t.Fatal(err)
		}
	})
}
