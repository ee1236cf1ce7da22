package txn

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/emv"
	"posd/emv/tlv"
	"posd/internal/money"
	"posd/journal"
	"posd/keypad"
	"posd/netlink/acquirer"
	"posd/qrpay"
	"posd/vault"
)

// Tests that hold single decisions of the money path: each of them fails when one line is taken out.

// witness is an operator who looks closely.
type witness struct {
	*console
	status keypad.Status
	during func(keypad.Screen) // while a screen is held or a question is open
	answer error               // to every question
	menus  []keypad.Menu
	press  context.CancelCauseFunc // ends the innermost wait that the cancel key can end
}

func watch(w *world, t *Terminal) *witness {
	c := &witness{console: &console{w: w}}
	t.Console = c
	return c
}

func (c *witness) look(s keypad.Screen) {
	if c.during != nil {
		c.during(s)
	}
}

func (c *witness) Hold(ctx context.Context, s keypad.Screen, d time.Duration) {
	c.console.Hold(ctx, s, d)
	c.look(s)
}

func (c *witness) Confirm(ctx context.Context, s keypad.Screen) error {
	if err := c.console.Confirm(ctx, s); err != nil {
		return err
	}
	c.look(s)
	return c.answer
}

func (c *witness) Choose(_ context.Context, m keypad.Menu) (int, error) {
	c.menus = append(c.menus, m)
	return 0, nil
}

func (c *witness) SetStatus(s keypad.Status) { c.status = s }

func (c *witness) Cancellable(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	c.press = cancel
	return ctx, func() { c.press = nil; cancel(context.Canceled) }
}

// fickle is a kernel whose cards end as a test wants.
type fickle struct {
	Kernel
	before   func(emv.Cardholder)
	complete func(emv.HostAnswer) (emv.Outcome, error)
}

type fickleSession struct {
	Session
	complete func(emv.HostAnswer) (emv.Outcome, error)
}

func (k fickle) Start(ctx context.Context, c emv.Card, r emv.Request, ch emv.Cardholder) (Session, error) {
	if k.before != nil {
		k.before(ch)
	}
	s, err := k.Kernel.Start(ctx, c, r, ch)
	if err != nil || k.complete == nil {
		return s, err
	}
	return fickleSession{s, k.complete}, nil
}

func (s fickleSession) Complete(_ context.Context, a emv.HostAnswer) (emv.Outcome, error) {
	return s.complete(a)
}

func refusing(emv.HostAnswer) (emv.Outcome, error) { return emv.Declined, nil }

// purse is a gateway that answers an order as a test wants.
type purse struct {
	*gateway
	pay func(qrpay.Order) (qrpay.Result, error)
}

func (p purse) Pay(ctx context.Context, o qrpay.Order) (qrpay.Result, error) {
	return p.pay(o)
}

func (p *pliant) SignOn(ctx context.Context, stan uint32) (acquirer.SignOnReply, error) {
	p.seen = append(p.seen, "sign-on")
	return p.host.SignOn(ctx, stan)
}

func problemCode(t *testing.T, err error) string {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) {
		t.Fatalf("no problem but %v", err)
	}
	return p.Code
}

// Invariant 2: a reversal is not overtaken by a sale because an older record owes only a receipt.
func TestReversalBehindAReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, term, p := quietDay(t, nil)
		ctx := t.Context()
		p.sale = func(acquirer.Sale) (acquirer.Reply, error) {
			return acquirer.Reply{Code: "00", Action: acquirer.Approve}, nil
		}
		paper := term.Printer
		term.Printer = nil
		if err := term.SaleByCard(ctx, money.Yuan(500)); !errors.Is(err, errNoPrinter) || !journal.Owes(get(t, w, 1), journal.Receipt) {
			t.Fatalf("%v", err)
		}
		p.sale = func(acquirer.Sale) (acquirer.Reply, error) { return acquirer.Reply{}, errMute }
		lost := true
		term.Acquirer = &hold{p, &lost}
		_ = term.SaleByCard(ctx, money.Yuan(12345))
		if r := get(t, w, 2); r.State != journal.Undoing {
			t.Fatalf("%+v", r)
		}
		if code := problemCode(t, term.SaleByCard(ctx, money.Yuan(700))); code != "U03" {
			t.Errorf("a sale while the reversal cannot be sent: %s", code)
		}
		lost, p.seen, p.sale, term.Printer = false, nil, nil, paper
		if err := term.SaleByCard(ctx, money.Yuan(700)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.seen, ", "); got != "reversal 12345, sale 700" {
			t.Error(got)
		}
	})
}

// tapped looks at reversals, and answers them as a test wants.
type tapped struct {
	*pliant
	reverse func(acquirer.Reversal) (acquirer.Reply, error)
}

func (h tapped) Reverse(_ context.Context, r acquirer.Reversal) (acquirer.Reply, error) {
	return h.reverse(r)
}

// A reversal of which nothing left is not one of the tries after which the terminal gives up; and while that is the PIN pad's fault the
// operator is sent to the PIN pad, not to the network.
func TestReversalNotSentIsNoTry(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		code string // of the next sale
		sent bool
	}{
		{"pad unplugged", &acquirer.Failure{Err: fmt.Errorf("MAC: %w", vault.ErrPad)}, "P01", false},
		{"line refused", errNotOut, "U03", false},
		{"unanswered", errMute, "U03", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, term, p := quietDay(t, nil)
				p.sale = func(acquirer.Sale) (acquirer.Reply, error) { return acquirer.Reply{}, errMute }
				term.Acquirer = tapped{p, func(acquirer.Reversal) (acquirer.Reply, error) { return acquirer.Reply{}, c.err }}
				term.Config.ReversalTries = 6
				_ = term.SaleByCard(t.Context(), money.Yuan(12345))
				for range 4 {
					if code := problemCode(t, term.SaleByCard(t.Context(), money.Yuan(500))); code != c.code {
						t.Errorf("the next sale: %s, want %s", code, c.code)
					}
				}
				tries := 0
				if c.sent {
					tries = 5
				}
				if r := get(t, w, 1); r.State != journal.Undoing || r.Card.Tries != tries {
					t.Errorf("%q after %d tries, want %d", r.State, r.Card.Tries, tries)
				}
				s := w.screens[len(w.screens)-1]
				if padScreen := s.Title.Msg == keypad.PINPadGone && s.Body[0].Msg == keypad.DeviceCheck; padScreen != (c.code == "P01") {
					t.Errorf("%+v", s)
				}
				// The last unanswered try is the end of it, a try that never left never is.
				_ = term.SaleByCard(t.Context(), money.Yuan(500))
				if r := get(t, w, 1); (r.State == journal.GivenUp) != c.sent {
					t.Errorf("%q at last", r.State)
				}
			})
		})
	}
}

// A reversal that cannot be built is given up at once and told: it would keep every other sale waiting for ever.
func TestReversalThatCannotBeBuilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, term, p := quietDay(t, nil)
		p.sale = func(acquirer.Sale) (acquirer.Reply, error) { return acquirer.Reply{}, errMute }
		term.Acquirer = tapped{p, func(acquirer.Reversal) (acquirer.Reply, error) {
			return acquirer.Reply{}, &acquirer.Failure{Err: &acquirer.RequestError{Field: "ICC", Why: "is odd"}}
		}}
		if err := term.SaleByCard(t.Context(), money.Yuan(12345)); err != nil {
			t.Fatal(err)
		}
		if r := get(t, w, 1); r.State != journal.GivenUp || !r.Told || r.Card.Tries != 0 {
			t.Errorf("%+v", r)
		}
		if s, ok := w.screen("given-up"); !ok || s.Mood != keypad.Doubt || s.Code != "U02" || *s.Amount != money.Yuan(12345) || !reflect.DeepEqual(s.Rows[0].Value, keypad.Raw("000002")) {
			t.Errorf("%v %+v", ok, s)
		}
		p.sale = nil
		if err := term.SaleByCard(t.Context(), money.Yuan(500)); err != nil || get(t, w, 2).State != journal.Approved {
			t.Errorf("the next sale: %v", err)
		}
	})
}

// Invariants 3 and 8: the host approved, the card did not; the reversal has what the host's answer said (fields 37 and 38).
func TestReversalRepeatsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, term, p := quietDay(t, nil)
		term.Kernel = fickle{Kernel: term.Kernel, complete: refusing}
		var got []acquirer.Reversal
		term.Acquirer = tapped{p, func(r acquirer.Reversal) (acquirer.Reply, error) {
			got = append(got, r)
			return p.host.Reverse(t.Context(), r)
		}}
		if err := term.SaleByCard(t.Context(), money.Yuan(12345)); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0].Auth != "654321" || got[0].RRN != "123456789012" || got[0].Reason != acquirer.ReasonOther || got[0].STAN != 2 || got[0].Amount != money.Yuan(12345) {
			t.Errorf("%+v", got)
		}
		r := get(t, w, 1)
		if r.State != journal.Undone || r.Card.Code != "00" || r.Card.HostTime != "1123120001" {
			t.Errorf("%+v %+v", r, r.Card)
		}
		if _, ok := w.screen("approved"); ok || len(w.paper) != 0 {
			t.Errorf("shown as approved, %d slips", len(w.paper))
		}
	})
}

// After an answer whose MAC was wrong the keys may differ: a sign-on comes before anything else, the reversal included.
func TestFreshKeysAfterAWrongMAC(t *testing.T) {
	badMAC := &acquirer.Failure{Sent: true, Reason: acquirer.ReasonBadMAC, Err: errors.New("MAC")}
	signOn := &acquirer.Failure{Sent: true, Reason: acquirer.ReasonNoReply, SignOn: true, Err: errors.New("answer asks for keys")}
	for _, c := range []struct {
		name    string
		sale    error
		reverse error // to the first reversal
		want    string
	}{
		{"in the answer to a sale", badMAC, nil, "sale 12345, sign-on, reversal 12345, sale 500"},
		{"keys wanted in the answer to a sale", signOn, nil, "sale 12345, sign-on, reversal 12345, sale 500"},
		{"no answer", errMute, nil, "sale 12345, reversal 12345, sale 500"},
		{"in the answer to a reversal", errMute, badMAC, "sale 12345, reversal 12345, sign-on, reversal 12345, sale 500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, term, p := quietDay(t, nil)
				p.seen = nil
				p.sale = func(acquirer.Sale) (acquirer.Reply, error) { p.sale = nil; return acquirer.Reply{}, c.sale }
				first := true
				term.Acquirer = tapped{p, func(r acquirer.Reversal) (acquirer.Reply, error) {
					if fail := c.reverse; first && fail != nil {
						first = false
						p.seen = append(p.seen, "reversal 12345")
						return acquirer.Reply{}, fail
					}
					return p.Reverse(t.Context(), r)
				}}
				_ = term.SaleByCard(t.Context(), money.Yuan(12345))
				if err := term.SaleByCard(t.Context(), money.Yuan(500)); err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(p.seen, ", "); got != c.want {
					t.Errorf("%s\nwant %s", got, c.want)
				}
			})
		})
	}
}

// Before another PIN is asked for, what is due is done as before the first: here the host asked for a sign-on with its answer.
func TestFreshKeysBeforeAnotherPIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, term, p := quietDay(t, nil)
		p.seen = nil
		p.sale = func(acquirer.Sale) (acquirer.Reply, error) {
			p.sale = nil
			return acquirer.Reply{Code: "55", Action: acquirer.Decline, Requested: '3'}, nil
		}
		if err := term.SaleByCard(t.Context(), money.Yuan(12345)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.seen, ", "); got != "sale 12345, sign-on, sale 12345" {
			t.Error(got)
		}
		if a, b := get(t, w, 1), get(t, w, 2); a.State != journal.Declined || !a.Told || b.State != journal.Approved || a.STAN == b.STAN {
			t.Errorf("%+v\n%+v", a, b)
		}
	})
	// And when the host has gone away meanwhile, nobody types a PIN in vain.
	synctest.Test(t, func(t *testing.T) {
		w, term, p := quietDay(t, nil)
		pins := 0
		term.Kernel = fickle{Kernel: term.Kernel, before: func(emv.Cardholder) { pins++ }}
		p.sale = func(acquirer.Sale) (acquirer.Reply, error) {
			p.connect = func() error { return errNotOut }
			return acquirer.Reply{Code: "55", Action: acquirer.Decline}, nil
		}
		if code := problemCode(t, term.SaleByCard(t.Context(), money.Yuan(12345))); code != "L01" || pins != 1 {
			t.Errorf("%s after %d PINs", code, pins)
		}
		if _, err := w.j.Get(2); !errors.Is(err, journal.ErrNotFound) {
			t.Error("a second record")
		}
	})
}

// Invariant 15: two order numbers differ although terminal, record and second are the same, as after a journal was restored.
func TestOrderNumbersDiffer(t *testing.T) {
	term := newWorld(nil).terminal()
	a, err1 := term.orderNumber(7)
	b, err2 := term.orderNumber(7)
	if err1 != nil || err2 != nil || a == b || len(a) != len(b) || len(a) > 64 || a[:len(a)-8] != b[:len(b)-8] {
		t.Errorf("%s %s %v %v", a, b, err1, err2)
	}
	if want := "1000000120261123120000" + "00000007"; a[:len(a)-8] != want {
		t.Errorf("%s, want %s and 8 random digits", a, want)
	}
	term.Rand = strings.NewReader("")
	if n, err := term.orderNumber(7); err == nil {
		t.Errorf("%s without randomness", n)
	}
}

// The slip does not promise instalments that the buyer did not use; a duplicate neither.
func TestSlipOfAnotherPlan(t *testing.T) {
	term := newWorld(nil).terminal()
	for _, c := range []struct {
		funds []journal.Fund
		used  int
		want  bool
	}{
		{[]journal.Fund{{Channel: "PCREDIT", Minor: 12345}}, 0, true},
		{[]journal.Fund{{Channel: "ALIPAYACCOUNT", Minor: 12345}}, 0, false},
		{nil, 3, false},
		{nil, 6, true},
	} {
		r := journal.Record{
			Kind: journal.WalletSale, State: journal.Approved, Amount: money.Yuan(12345),
			Wallet: &journal.Wallet{Name: "alipay", Order: "1", Plan: []byte(`{"periods":6,"each":2100}`), Funds: c.funds, Periods: c.used},
		}
		for _, duplicate := range []bool{false, true} {
			got := term.receipt(r, 0, duplicate)
			if (got.Wallet.Plan != nil) != c.want || c.want && got.Wallet.Plan.Periods != 6 {
				t.Errorf("%+v: %+v", c, got.Wallet.Plan)
			}
		}
	}
}

// An issuer's scripts may come with its no: what became of them is owed in the durable step that books the no, so that no power cut can
// come between the two.
func TestDeclineWithScriptsIsOneStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, term, p := quietDay(t, nil)
		p.sale = func(acquirer.Sale) (acquirer.Reply, error) {
			return acquirer.Reply{Code: "51", Action: acquirer.Decline, ICC: []byte{0x72, 0}}, nil
		}
		var steps []string
		w.j.Cut = func(durable bool) {
			if durable {
				r := get(t, w, 1)
				steps = append(steps, fmt.Sprintf("%s %d %v", r.State, len(r.Advices), r.Told))
			}
		}
		if err := term.SaleByCard(t.Context(), money.Yuan(12345)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(steps, ", "); got != "sent 0 false, declined 1 false, declined 1 true" {
			t.Errorf("durable steps: %s", got)
		}
		r := get(t, w, 1)
		a := r.Advices[0]
		if want := tlv.Append(nil, 0xDF31, []byte{0x20, 0, 0, 0, 1}); a.Kind != string(acquirer.AdviceScript) || a.STAN != r.STAN+1 || string(a.ICC) != string(want) || r.Card.Sealed == nil {
			t.Errorf("%+v", a)
		}
	})
}
