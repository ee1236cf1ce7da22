package txn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/emv"
	"posd/internal/money"
	"posd/journal"
	"posd/keypad"
	"posd/netlink/acquirer"
)

// pliant is a host that answers as a test wants.
type pliant struct {
	*host
	connect func() error
	sale    func(acquirer.Sale) (acquirer.Reply, error)
	advise  func(acquirer.Advice) (acquirer.Reply, error)
	seen    []string
}

func (p *pliant) Connect(ctx context.Context) error {
	if p.connect != nil {
		if err := p.connect(); err != nil {
			return err
		}
	}
	return p.host.Connect(ctx)
}

func (p *pliant) Sale(ctx context.Context, s acquirer.Sale) (acquirer.Reply, error) {
	p.seen = append(p.seen, fmt.Sprintf("sale %d", s.Amount.Minor))
	if p.sale != nil {
		return p.sale(s)
	}
	return p.host.Sale(ctx, s)
}

func (p *pliant) Reverse(ctx context.Context, r acquirer.Reversal) (acquirer.Reply, error) {
	p.seen = append(p.seen, fmt.Sprintf("reversal %d", r.Amount.Minor))
	return p.host.Reverse(ctx, r)
}

func (p *pliant) Advise(ctx context.Context, a acquirer.Advice) (acquirer.Reply, error) {
	p.seen = append(p.seen, fmt.Sprintf("%s %d", a.Kind, a.Amount.Minor))
	if p.advise != nil {
		return p.advise(a)
	}
	return p.host.Advise(ctx, a)
}

// quietDay is a terminal in a world without faults, signed on.
func quietDay(t *testing.T, day func(*world)) (*world, *Terminal, *pliant) {
	t.Helper()
	w := newWorld(nil)
	w.quiet = true
	if day != nil {
		day(w)
	}
	term := w.terminal()
	p := &pliant{host: w.host}
	term.Acquirer = p
	if err := term.SignOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w, term, p
}

var (
	errMute   = &acquirer.Failure{Sent: true, Reason: acquirer.ReasonNoReply, Err: errors.New("no answer")}
	errNotOut = &acquirer.Failure{Err: errors.New("connection refused")}
)

func (w *world) screen(name string) (keypad.Screen, bool) {
	i := slices.IndexFunc(w.screens, func(s keypad.Screen) bool { return s.Name == name })
	if i < 0 {
		return keypad.Screen{}, false
	}
	return w.screens[i], true
}

func get(t *testing.T, w *world, no uint64) journal.Record {
	t.Helper()
	r, err := w.j.Get(no)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A notice that nobody answers keeps no sale from being made, is given up after the profile's tries, and the operator is told once.
func TestNoticeGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, term, p := quietDay(t, func(w *world) { w.scripts = true })
		p.advise = func(acquirer.Advice) (acquirer.Reply, error) { return acquirer.Reply{}, errMute }
		ctx := t.Context()
		if err := term.SaleByCard(ctx, money.Yuan(500)); err != nil {
			t.Fatal(err)
		}
		w.scripts = false
		if err := term.Settle(ctx, 0); !errors.Is(err, ErrOwed) {
			t.Errorf("Settle: %v", err)
		}
		if r := get(t, w, 1); r.Advices[0].Tries != 0 {
			t.Errorf("a patient try was counted: %+v", r.Advices)
		}
		for i := range 5 {
			if err := term.SaleByCard(ctx, money.Yuan(700)); err != nil {
				t.Fatalf("sale %d: %v", i+2, err)
			}
			if a := get(t, w, 1).Advices[0]; a.Tries != i+1 || (a.State == journal.AdviceGivenUp) != (i == 4) {
				t.Fatalf("after sale %d: %+v", i+2, a)
			}
		}
		for _, want := range []bool{true, false} {
			w.screens = nil
			if err := term.TellOwed(ctx); err != nil {
				t.Fatal(err)
			}
			if s, told := w.screen("advice-failed"); told != want || told && s.Code != "U04" {
				t.Errorf("told %v, want %v: %+v", told, want, s)
			}
		}
		if r := get(t, w, 1); r.Card.Sealed != nil || r.State != journal.Approved || len(journal.Debts(r)) != 0 {
			t.Errorf("%+v %v", r, journal.Debts(r))
		}
	})
}

// What an answer does to an advice: done, refused and told with the code, owed still; and one that cannot be built is given up at once.
func TestAdviceAnswered(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply acquirer.Reply
		err   error
		state journal.AdviceState
		code  string // on the display
		tries int
	}{
		{"done", acquirer.Reply{Code: "94", Action: acquirer.Approve}, nil, journal.AdviceDone, "", 0},
		{"refused", acquirer.Reply{Code: "97", Action: acquirer.Decline}, nil, journal.AdviceRefused, "U04-97", 1},
		{"later", acquirer.Reply{Code: "96", Action: acquirer.Retry}, nil, journal.AdviceOwed, "", 1},
		{"not sent", acquirer.Reply{}, errNotOut, journal.AdviceOwed, "", 0},
		{"unanswered", acquirer.Reply{}, errMute, journal.AdviceOwed, "", 0},
		{"cannot be built", acquirer.Reply{}, &acquirer.Failure{Err: &acquirer.RequestError{Field: "STAN", Why: "is odd"}}, journal.AdviceGivenUp, "U04", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, term, p := quietDay(t, func(w *world) { w.scripts = true })
				p.advise = func(acquirer.Advice) (acquirer.Reply, error) { return c.reply, c.err }
				if err := term.SaleByCard(t.Context(), money.Yuan(500)); err != nil {
					t.Fatal(err)
				}
				err := term.Settle(t.Context(), 0)
				if (c.err != nil && c.state == journal.AdviceOwed) != errors.Is(err, ErrOwed) {
					t.Errorf("Settle: %v", err)
				}
				a := get(t, w, 1).Advices[0]
				if a.State != c.state || a.Tries != c.tries || a.Told != (c.code != "") {
					t.Errorf("%+v", a)
				}
				if s, ok := w.screen("advice-failed"); ok != (c.code != "") || s.Code != c.code {
					t.Errorf("%v %+v", ok, s)
				}
			})
		})
	}
}

// Reversals go before advices, whatever their age; advices oldest first; and before a sale none is begun once the cardholder has waited.
func TestOrderOfDebts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, term, p := quietDay(t, func(w *world) { w.scripts = true })
		ctx := t.Context()
		for _, a := range []int64{500, 700} {
			mute := true // from the idle screen nothing is sent in between
			p.advise = func(acquirer.Advice) (acquirer.Reply, error) {
				if mute {
					return acquirer.Reply{Code: "96", Action: acquirer.Retry}, nil
				}
				return acquirer.Reply{}, nil
			}
			if err := term.SaleByCard(ctx, money.Yuan(a)); err != nil {
				t.Fatal(err)
			}
		}
		lost := true
		p.sale = func(s acquirer.Sale) (acquirer.Reply, error) { return acquirer.Reply{}, errMute }
		term.Acquirer = &hold{p, &lost}
		_ = term.SaleByCard(ctx, money.Yuan(12345)) // outcome unknown, and the reversal cannot be sent
		if r := get(t, w, 3); r.State != journal.Undoing {
			t.Fatalf("%+v", r)
		}
		lost, p.seen, p.advise, p.sale = false, nil, nil, nil
		if err := term.Settle(ctx, 0); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.seen, ", "); got != "reversal 12345, script 500, script 700" {
			t.Error(got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w, term, p := quietDay(t, func(w *world) { w.scripts = true })
		ctx := t.Context()
		p.advise = func(acquirer.Advice) (acquirer.Reply, error) {
			return acquirer.Reply{Code: "96", Action: acquirer.Retry}, nil
		}
		for range 3 {
			if err := term.SaleByCard(ctx, money.Yuan(500)); err != nil {
				t.Fatal(err)
			}
		}
		w.scripts, p.seen = false, nil
		p.advise = func(acquirer.Advice) (acquirer.Reply, error) {
			time.Sleep(6 * time.Second)
			return acquirer.Reply{Code: "00", Action: acquirer.Approve}, nil
		}
		if err := term.SaleByCard(ctx, money.Yuan(700)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.seen, ", "); got != "script 500, script 500, sale 700" {
			t.Errorf("before a sale: %s", got)
		}
	})
}

// hold keeps reversals from being sent.
type hold struct {
	*pliant
	on *bool
}

func (h *hold) Reverse(ctx context.Context, r acquirer.Reversal) (acquirer.Reply, error) {
	if *h.on {
		return acquirer.Reply{}, errNotOut
	}
	return h.pliant.Reverse(ctx, r)
}

// advised is a kernel whose sessions are declined and want the issuer to hear of it (Book 3, 6.5.5: CID bit 4).
type advised struct{ Kernel }

type advisedSession struct{ Session }

func (a advised) Start(ctx context.Context, c emv.Card, r emv.Request, ch emv.Cardholder) (Session, error) {
	s, err := a.Kernel.Start(ctx, c, r, ch)
	return advisedSession{s}, err
}

func (advisedSession) Outcome() emv.Outcome { return emv.Declined }
func (s advisedSession) Result() emv.Result {
	r := s.Session.Result()
	r.Advice = true
	return r
}

// The card's wish that the issuer hears of a decline is kept, and owed where the acquirer has a message for it.
func TestAdviceOfADecline(t *testing.T) {
	for _, has := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w, term, p := quietDay(t, nil)
			term.Kernel = advised{term.Kernel}
			if has {
				term.Config.Advices[acquirer.AdviceDecline] = acquirer.AdviceCodes{}
			}
			var problem *Problem
			if err := term.SaleByCard(t.Context(), money.Yuan(500)); !errors.As(err, &problem) || problem.Code != "R09" {
				t.Fatalf("%v", err)
			}
			r := get(t, w, 1)
			if r.State != journal.Declined || !r.Card.AdviceWanted || !r.Card.Offline || !r.Told || r.OwedAdvice() != has || (r.Card.Sealed != nil) != has {
				t.Errorf("%v: %+v %+v", has, r, r.Card)
			}
			if m, _ := w.j.Meta(); m.Totals != (journal.Totals{}) {
				t.Errorf("%+v", m.Totals)
			}
			p.advise = func(acquirer.Advice) (acquirer.Reply, error) {
				return acquirer.Reply{Code: "00", Action: acquirer.Approve}, nil
			}
			if err := term.Settle(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			if sent := slices.Contains(p.seen, "decline 500"); sent != has {
				t.Errorf("%v: %v", has, p.seen)
			}
		})
	}
}

// An issuer that wants to be called is a decline with words that say whom to call, unless the profile, the terminal and the cashier say more.
func TestReferral(t *testing.T) {
	for _, c := range []struct {
		name string
		day  func(*world, *Terminal)
		want journal.State
	}{
		{"profile declines", func(_ *world, t *Terminal) { t.Config.Referral.Ask = false }, journal.Declined},
		{"unattended", func(_ *world, t *Terminal) { t.Config.TerminalType = 0x24 }, journal.Declined},
		{"no message for it", func(_ *world, t *Terminal) { delete(t.Config.Advices, acquirer.AdviceVoice) }, journal.Declined},
		{"code typed", func(*world, *Terminal) {}, journal.Approved},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, term, _ := quietDay(t, func(w *world) { w.refers = true })
				c.day(w, term)
				if err := term.SaleByCard(t.Context(), money.Yuan(500)); err != nil {
					t.Fatal(err)
				}
				r := get(t, w, 1)
				if r.State != c.want {
					t.Fatalf("%+v", r)
				}
				s, shown := w.screen("declined")
				if shown != (c.want == journal.Declined) || shown && !slices.ContainsFunc(s.Body, func(t keypad.Text) bool { return t.Msg == keypad.CallIssuerBody }) {
					t.Errorf("%v %+v", shown, s)
				}
				if c.want == journal.Approved && w.paper[0].r.Type != "offline-sale" {
					t.Errorf("paper says %q", w.paper[0].r.Type)
				}
			})
		})
	}
}
