package emv

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"posd/internal/money"
)

// Book 3, 10.4.2 (table 36): which bits of the usage control a transaction type needs, at an ATM, at a till, at home and abroad.
func TestUsageControlByTransactionType(t *testing.T) {
	const (
		domesticCash, foreignCash         = 0x8000, 0x4000
		domesticGoods, foreignGoods       = 0x2000, 0x1000
		domesticService, foreignService   = 0x0800, 0x0400
		atm, notATM                       = 0x0200, 0x0100
		domesticCashback, foreignCashback = 0x0080, 0x0040
		all                               = 0xFFC0
	)
	type row struct {
		name       string
		typ        byte
		other      int64
		home, away []int // sets of bits: each set alone, without the others, must be enough to allow the transaction with the place
		needed     int   // bits without which it must be refused at home
		neededAway int
	}
	for _, r := range []row{
		{"Book 3, 10.4.2: goods and services", TypeGoods, 0, []int{domesticGoods, domesticService}, []int{foreignGoods, foreignService}, domesticGoods | domesticService, foreignGoods | foreignService},
		{"Book 3, 10.4.2: pre-authorisation", TypePreauth, 0, []int{domesticGoods, domesticService}, []int{foreignGoods, foreignService}, domesticGoods | domesticService, foreignGoods | foreignService},
		{"Book 3, 10.4.2: cash", TypeCash, 0, []int{domesticCash}, []int{foreignCash}, domesticCash, foreignCash},
		{"Book 3, 10.4.2: purchase with cashback", TypeCashback, 500, []int{domesticGoods | domesticCashback, domesticService | domesticCashback}, []int{foreignGoods | foreignCashback}, domesticCashback, foreignCashback},
		{"Book 3, 10.4.2: cashback in a purchase", TypeGoods, 500, []int{domesticGoods | domesticCashback}, []int{foreignService | foreignCashback}, domesticCashback, foreignCashback},
		{"Book 3, 10.4.2: refund", TypeRefund, 0, []int{0}, []int{0}, 0, 0},
		{"Book 3, 10.4.2: balance inquiry", TypeBalance, 0, []int{0}, []int{0}, 0, 0},
	} {
		t.Run(r.name, func(t *testing.T) {
			refused := func(auc int, abroad bool, terminal byte) bool {
				t.Helper()
				s := ready(t, script(t))
				k := *s.k
				k.cfg.Terminal.Type, k.cfg.Terminal.Additional[0] = terminal, 0xE0
				s.k = &k
				s.req.Type, s.req.Other = r.typ, r.other
				s.icc.Set(tagAUC, []byte{byte(auc >> 8), byte(auc)})
				s.icc.Set(tagIssuerCountry, unhex("0156"))
				if abroad {
					s.icc.Set(tagIssuerCountry, unhex("0840"))
				}
				s.restrict()
				return tvrServiceNotOK.in(s.tvr[:])
			}
			for _, terminal := range []byte{0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x34, 0x35, 0x36} {
				place, other := notATM, atm
				if terminal >= 0x14 && terminal <= 0x16 {
					place, other = atm, notATM
				}
				if refused(all, false, terminal) || refused(all, true, terminal) {
					t.Errorf("terminal %02X: refused although everything is allowed", terminal)
				}
				if !refused(all&^place, false, terminal) {
					t.Errorf("terminal %02X: allowed although the card is not for this place", terminal)
				}
				if refused(all&^other, false, terminal) {
					t.Errorf("terminal %02X: refused for the place it is not", terminal)
				}
				for i, away := range [][]int{r.home, r.away} {
					for _, enough := range away {
						if refused(enough|place, i == 1, terminal) {
							t.Errorf("terminal %02X, abroad %v: refused with %04X", terminal, i == 1, enough|place)
						}
					}
				}
				if r.needed != 0 && (!refused(all&^r.needed, false, terminal) || !refused(all&^r.neededAway, true, terminal)) {
					t.Errorf("terminal %02X: allowed without what it needs", terminal)
				}
				if refused(all&^r.neededAway, false, terminal) || refused(all&^r.needed, true, terminal) {
					t.Errorf("terminal %02X: home and abroad are mixed up", terminal)
				}
			}
		})
	}
}

func TestATerminalOfABankWithoutCashIsNoATM(t *testing.T) {
	s := ready(t, script(t))
	s.k.cfg.Terminal.Type, s.k.cfg.Terminal.Additional[0] = 0x14, 0x60
	s.icc.Set(tagAUC, unhex("FD00")) // everything but ATMs
	if s.restrict(); tvrServiceNotOK.in(s.tvr[:]) {
		t.Error("Book 4, A1: type 14 without cash is not an ATM")
	}
}

func TestRequestsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*Request)
		terminal byte
		why      string
	}{
		{"an unknown flow", func(r *Request) { r.Flow = 3 }, 0x22, "flow"},
		{"Book 4, 6.5.1: cashback with cash", func(r *Request) { r.Type, r.Other = TypeCash, 1 }, 0x22, "cashback"},
		{"Book 4, 6.5.1: cashback with a refund", func(r *Request) { r.Type, r.Other = TypeRefund, 1 }, 0x22, "cashback"},
		{"Book 4, 6.5.1: cashback with a pre-authorisation", func(r *Request) { r.Type, r.Other = TypePreauth, 1 }, 0x22, "cashback"},
		{"Book 4, 6.5.1: purchase with cashback without cashback", func(r *Request) { r.Type = TypeCashback }, 0x22, "cashback"},
		{"Book 4, 6.5.1: more cashback than the amount", func(r *Request) { r.Type, r.Other = TypeCashback, 12346 }, 0x22, "other amount"},
		{"Book 4, 6.5.5: sequence counter 0", func(r *Request) { r.Counter = 0 }, 0x22, "counter"},
		{"Book 4, 6.5.5: sequence counter of nine digits", func(r *Request) { r.Counter = 100000000 }, 0x22, "counter"},
		{"Book 4, 6.5.3: forced online, unattended", func(r *Request) { r.ForceOnline = true }, 0x25, "force"},
		{"Book 4, 6.5.3: forced online, offline only", func(r *Request) { r.ForceOnline = true }, 0x23, "force"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, r := testConfig(), testRequest()
			cfg.Terminal.Type = c.terminal
			c.change(&r)
			ch := newChip()
			if _, err := New(cfg).Start(t.Context(), ch, r, &person{}); !errors.Is(err, ErrRequest) || !strings.Contains(err.Error(), c.why) || len(ch.log) != 0 {
				t.Errorf("%v after %v", err, ch.log)
			}
		})
	}
}

// Book 4, 6.5.3: the attendant sends a transaction online that would have been approved offline.
func TestForcedOnline(t *testing.T) {
	for _, c := range []struct {
		name    string
		force   bool
		online  [5]byte
		denial  [5]byte
		p1      byte
		outcome Outcome
	}{
		{"not forced", false, [5]byte{0, 0, 0, 8}, [5]byte{}, acTC, Approved},
		{"Book 4, 6.5.3: forced, the action code names it", true, [5]byte{0, 0, 0, 8}, [5]byte{}, acARQC, Online},
		{"Book 4, 6.5.3: forced, no action code names it", true, [5]byte{}, [5]byte{}, acARQC, Online},
		{"Book 3, 10.7: forced and denied", true, [5]byte{}, [5]byte{0, 0, 0, 8}, acAAC, Declined},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, cfg, r := newChip(), testConfig(), testRequest()
			offline(ch, &cfg)
			ch.ca, ch.aip = "", "1800"
			cfg.Applications[0].TACOnline, cfg.Applications[0].TACDenial = c.online, c.denial
			ch.set[tagIACOnline] = make([]byte, 5)
			r.ForceOnline = c.force
			s, err := New(cfg).Start(t.Context(), ch, r, &person{})
			if err != nil {
				t.Fatal(err)
			}
			if ch.gac[0].p1 != c.p1 || s.Outcome() != c.outcome || tvrForcedOnline.in(s.tvr[:]) != c.force {
				t.Errorf("P1 %02X, outcome %d, TVR %X", ch.gac[0].p1, s.Outcome(), s.tvr)
			}
		})
	}
}

func TestFlows(t *testing.T) {
	commands := func(ch *chip) string {
		var ins []string
		for _, l := range ch.log {
			ins = append(ins, l[2:4])
		}
		return strings.Join(slices.Compact(ins), " ")
	}
	for _, c := range []struct {
		name     string
		typ      byte
		flow     Flow
		change   func(*chip)
		outcome  Outcome
		commands string // instructions, repetitions left out
		cid      bool
		pins     int
	}{
		{"purchase, all of it", TypeGoods, FullFlow, nil, Online, "a4 a8 b2 ae", true, 1},
		{"pre-authorisation, all of it", TypePreauth, FullFlow, nil, Online, "a4 a8 b2 ae", true, 1},
		{"balance inquiry, all of it", TypeBalance, FullFlow, nil, Online, "a4 a8 b2 ae", true, 1},
		{"refund, read only", TypeRefund, ReadFlow, nil, CardRead, "a4 a8 b2", false, 0},
		{"refund, read and abort", TypeRefund, ReadAbortFlow, nil, CardRead, "a4 a8 b2 ae", true, 0},
		{"no dynamic authentication in a short flow", TypeRefund, ReadAbortFlow, func(c *chip) { c.aip = aipForDDA }, CardRead, "a4 a8 b2 ae", true, 0},
		{"dynamic authentication in a full one", TypeRefund, FullFlow, func(c *chip) { c.aip = aipForDDA }, Online, "a4 a8 b2 88 ae", true, 1},
		{"no GET DATA in a short flow", TypeRefund, ReadAbortFlow, func(c *chip) { c.set[tagLCOL], c.set[tagUCOL] = []byte{1}, []byte{2} }, CardRead, "a4 a8 b2 ae", true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, r, p := newChip(), testRequest(), &person{}
			ch.set[tagCVMList] = unhex("0000000000000000 0200")
			if c.change != nil {
				c.change(ch)
			}
			r.Type, r.Flow = c.typ, c.flow
			if c.typ == TypeBalance {
				r.Amount = money.Yuan(0)
			}
			s, err := New(testConfig()).Start(t.Context(), ch, r, p)
			if err != nil {
				t.Fatal(err)
			}
			res := s.Result()
			if s.Outcome() != c.outcome || commands(ch) != c.commands || len(p.asked) != c.pins {
				t.Errorf("outcome %d, commands %s, %d PINs", s.Outcome(), commands(ch), len(p.asked))
			}
			if res.PAN != testPAN || res.Track2 == "" || res.Expiry != "3012" || (len(res.Cryptogram) == 8) != c.cid {
				t.Errorf("cryptogram of %d bytes", len(res.Cryptogram))
			}
			if typ, _ := s.Get(tagType); typ[0] != c.typ {
				t.Errorf("9C = %X", typ)
			}
			if c.flow != FullFlow {
				if ch.gac != nil && ch.gac[0].p1 != acAAC {
					t.Errorf("P1 %02X", ch.gac[0].p1)
				}
				if !tvrODANotPerformed.in(res.TVR[:]) || res.CVMResults != [3]byte{0x3F} || tsiODA.in(res.TSI[:]) || tsiRisk.in(res.TSI[:]) || res.Advice || res.ApprovalLost {
					t.Errorf("%+v", res)
				}
				if _, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true}); !errors.Is(err, ErrNotOnline) {
					t.Errorf("completed: %v", err)
				}
			}
		})
	}
}

func TestShortFlowsWithBadCards(t *testing.T) {
	for _, c := range []struct {
		name   string
		flow   Flow
		change func(*chip)
		err    error
	}{
		{"no PAN", ReadFlow, func(c *chip) { c.drop[tagPAN] = true }, ErrBadCard},
		{"an ARQC to a request for an AAC", ReadAbortFlow, func(c *chip) { c.first = acARQC }, ErrBadCard},
		{"a TC to a request for an AAC", ReadAbortFlow, func(c *chip) { c.first = acTC }, ErrBadCard},
		{"removed at GENERATE AC", ReadAbortFlow, func(c *chip) { c.fail["AE"] = errors.New("gone") }, ErrCardLost},
		{"removed at READ RECORD", ReadFlow, func(c *chip) { c.fail["B2"] = errors.New("gone") }, ErrCardLost},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, r := newChip(), testRequest()
			c.change(ch)
			r.Type, r.Flow = TypeRefund, c.flow
			if s, err := New(testConfig()).Start(t.Context(), ch, r, &person{}); s != nil || !errors.Is(err, c.err) {
				t.Errorf("%v", err)
			}
		})
	}
}

// Restrictions are looked at in a short flow, since the AAC carries the TVR.
func TestShortFlowChecksRestrictions(t *testing.T) {
	ch, r := newChip(), testRequest()
	ch.set[tagExpiry] = unhex("200101")
	r.Type, r.Flow = TypeRefund, ReadAbortFlow
	s, err := New(testConfig()).Start(t.Context(), ch, r, &person{})
	if err != nil || !tvrExpired.in(s.tvr[:]) || !bytesHave(ch.gac[0].data, s.tvr[:]) {
		t.Errorf("TVR %X, %v", s.tvr, err)
	}
}

func bytesHave(b, part []byte) bool { return strings.Contains(string(b), string(part)) }

// An application that is not for a transaction type is not there for it.
func TestTransactionTypesOfAnApplication(t *testing.T) {
	for _, c := range []struct {
		name  string
		types []byte
		typ   byte
		ok    bool
	}{
		{"none named: all", nil, TypeCash, true},
		{"named", []byte{TypeGoods, TypeCash}, TypeCash, true},
		{"not named", []byte{TypeGoods, TypeRefund}, TypeCash, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, r := testConfig(), testRequest()
			cfg.Applications[0].Types, r.Type = c.types, c.typ
			other := cfg.Applications[0]
			other.AID, other.Types = unhex("A0000000031010"), nil
			cfg.Applications = append(cfg.Applications, other)
			k := New(cfg)
			_, err := k.Start(t.Context(), newChip(), r, &person{})
			if c.ok != (err == nil) || !c.ok && !errors.Is(err, ErrNotAccepted) {
				t.Errorf("%v", err)
			}
			if len(k.cfg.Applications) != 2 {
				t.Error("the kernel has forgotten an application")
			}
		})
	}
}

// What the terminal is to an application: in the data objects, in the CVM and in the action analysis.
func TestTerminalOfAnApplication(t *testing.T) {
	cfg := testConfig()
	cfg.Applications[0].TerminalType = 0x25
	cfg.Applications[0].Capabilities = [3]byte(unhex("204000"))
	cfg.Applications[0].Additional = [5]byte(unhex("E000F01001"))
	ch, p := newChip(), &person{}
	ch.prop += "9F3809 9F3303 9F4005 9F3501"
	ch.set[tagCVMList] = unhex("0000000000000000 5E03 0203")
	k := New(cfg)
	s, err := k.Start(t.Context(), ch, testRequest(), p)
	if err != nil {
		t.Fatal(err)
	}
	if got := hexString(ch.pdolData); got != "204000E000F0100125" {
		t.Errorf("PDOL data %s", got)
	}
	if len(p.asked) != 1 || s.Result().Signature {
		t.Errorf("signature is not among the capabilities: %+v", s.Result().CVMResults)
	}
	if s.k.attended() || k.cfg.Terminal.Type != 0x22 {
		t.Error("the terminal itself has changed")
	}
	// The next application of the same card finds the terminal as it is.
	plain := cfg.Applications[0]
	plain.TerminalType, plain.Capabilities, plain.Additional = 0, [3]byte{}, [5]byte{}
	s.reset(&plain)
	if v, _ := s.Get(tagTerminalType); v[0] != 0x22 || s.k.cfg.Terminal.Type != 0x22 {
		t.Errorf("9F35 = %X", v)
	}
	if v, _ := s.Get(tagCapabilities); hexString(v) != "E068C8" {
		t.Errorf("9F33 = %X", v)
	}
}

func TestNoOnlinePINForAnApplication(t *testing.T) {
	cfg, ch, p := testConfig(), newChip(), &person{}
	cfg.Applications[0].NoOnlinePIN = true
	ch.set[tagCVMList] = unhex("0000000000000000 4203 1F00")
	s, err := New(cfg).Start(t.Context(), ch, testRequest(), p)
	if err != nil || len(p.asked) != 0 {
		t.Fatalf("%d PINs, %v", len(p.asked), err)
	}
	if v, _ := s.Get(tagCapabilities); hexString(v) != "E028C8" {
		t.Errorf("9F33 = %X", v)
	}
}

// Book 4, 6.3.4.3: an empty PIN is a way past it on an attended terminal only, and only where the payment system wants it.
func TestPINBypass(t *testing.T) {
	for _, c := range []struct {
		name     string
		terminal byte
		no       bool
		asked    int
		err      error
	}{
		{"Book 4, 6.3.4.3: attended", 0x22, false, 1, nil},
		{"Book 4, 6.3.4.3: attended, not for this application", 0x22, true, maxEmptyPINs, ErrCancelled},
		{"Book 4, 6.3.4.3: unattended", 0x25, false, maxEmptyPINs, ErrCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, ch, p := testConfig(), newChip(), &person{pin: PINBypassed}
			cfg.Terminal.Type = c.terminal
			cfg.Applications[0].NoPINBypass = c.no
			ch.set[tagCVMList] = unhex("0000000000000000 4200 1F00")
			s, err := New(cfg).Start(t.Context(), ch, testRequest(), p)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || len(p.asked) != c.asked {
				t.Fatalf("asked %d times, %v", len(p.asked), err)
			}
			if err == nil && !tvrPINNotEntered.in(s.tvr[:]) {
				t.Errorf("TVR %X", s.tvr)
			}
		})
	}
}

// The same for a PIN that the card compares.
func TestOfflinePINBypass(t *testing.T) {
	for _, no := range []bool{false, true} {
		h := &emptyPIN{}
		cfg := testConfig()
		cfg.Applications[0].NoPINBypass = no
		s, err := New(cfg).newSession(script(t), testRequest(), h)
		if err != nil {
			t.Fatal(err)
		}
		s.reset(&s.k.cfg.Applications[0])
		s.limitPINs()
		a, err := s.holder.OfflinePIN(t.Context(), OfflinePINRequest{})
		if no && (!errors.Is(err, ErrCancelled) || h.asked != maxEmptyPINs) || !no && (err != nil || a.Outcome != PINBypassed || h.asked != 1) {
			t.Errorf("no bypass %v: %v, %v after %d", no, a, err, h.asked)
		}
	}
}

type emptyPIN struct {
	person
	asked int
}

func (h *emptyPIN) OfflinePIN(context.Context, OfflinePINRequest) (OfflinePINAnswer, error) {
	h.asked++
	return OfflinePINAnswer{Outcome: PINBypassed}, nil
}

// Book 1, 12.4: a terminal on which nobody can choose takes no application that wants confirmation.
func TestTerminalWithoutSelection(t *testing.T) {
	ch, cfg := newChip(), testConfig()
	cfg.Terminal.NoSelection = true
	if _, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{}); err != nil {
		t.Errorf("nothing to confirm: %v", err)
	}
	ch.prop = strings.Replace(ch.prop, "870101", "870181", 1)
	p := &person{}
	if _, err := New(cfg).Start(t.Context(), ch, testRequest(), p); !errors.Is(err, ErrNotAccepted) || len(p.offered) != 0 {
		t.Errorf("confirmation that nobody can give: %v", err)
	}
}
