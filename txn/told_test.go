package txn

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"

	"posd/internal/money"
	"posd/journal"
	"posd/keypad"
	"posd/netlink/acquirer"
	"posd/qrpay"
)

// bookSale is a sale that ends otherwise than approved.
type bookSale struct {
	name   string
	screen string // on which the operator sees it
	state  journal.State
	again  string // the screen that tells it after the next start
	mood   keypad.Mood
	amount bool // the screen says which sale
	day    func(*world, *Terminal, *pliant)
	wallet bool
}

func answering(code string) func(*world, *Terminal, *pliant) {
	return func(_ *world, _ *Terminal, p *pliant) {
		p.sale = func(acquirer.Sale) (acquirer.Reply, error) {
			return acquirer.Reply{Code: code, Action: acquirer.Decline}, nil
		}
	}
}

func failing(err error) func(*world, *Terminal, *pliant) {
	return func(_ *world, _ *Terminal, p *pliant) {
		p.sale = func(acquirer.Sale) (acquirer.Reply, error) { return acquirer.Reply{}, err }
	}
}

func paying(res qrpay.Result, err error) func(*world, *Terminal, *pliant) {
	return func(w *world, t *Terminal, _ *pliant) {
		t.Wallets["alipay"] = purse{w.gateway, func(o qrpay.Order) (qrpay.Result, error) {
			r := res
			r.Number = o.Number
			return r, err
		}}
	}
}

var endings = []bookSale{
	{"declined by the host", "declined", journal.Declined, "declined", keypad.Bad, true, answering("51"), false},
	{"wrong PIN", "wrong-pin", journal.Declined, "declined", keypad.Bad, true, answering("55"), false},
	{"not sent", "problem", journal.Declined, "declined", keypad.Bad, false, failing(errNotOut), false},
	{"reversed", "undone", journal.Undone, "undone", keypad.Bad, true, failing(errMute), false},
	{"given up", "given-up", journal.GivenUp, "given-up", keypad.Doubt, true, func(w *world, t *Terminal, p *pliant) {
		failing(errMute)(w, t, p)
		t.Config.ReversalTries = 1
		t.Acquirer = tapped{p, func(acquirer.Reversal) (acquirer.Reply, error) { return acquirer.Reply{}, errMute }}
	}, false},
	{"approved on the telephone, refused by the card", "declined", journal.Declined, "declined", keypad.Bad, true, func(w *world, t *Terminal, _ *pliant) {
		w.refers, t.Config.Referral.Ask = true, true
		t.Kernel = fickle{Kernel: t.Kernel, complete: refusing}
	}, false},
	{"declined by the gateway", "declined", journal.Declined, "declined", keypad.Bad, true, paying(qrpay.Result{Status: qrpay.Refused, SubCode: "NO"}, nil), true},
	{"order not sent", "problem", journal.Declined, "declined", keypad.Bad, false, paying(qrpay.Result{}, fmt.Errorf("dial: %w", qrpay.ErrNotSent)), true},
	{"order cancelled", "undone", journal.Undone, "undone", keypad.Bad, true, paying(qrpay.Result{}, errors.New("no answer")), true},
}

func (b bookSale) sell(ctx context.Context, t *Terminal) error {
	if b.wallet {
		return t.SaleByWallet(ctx, money.Yuan(12345), WalletWay{Method: qrpay.ScanBuyer})
	}
	return t.SaleByCard(ctx, money.Yuan(12345))
}

// An outcome is noted as told when it has been on the display, not before; one whose screen was cut off is told after the next start.
func TestToldWhenShown(t *testing.T) {
	for _, b := range endings {
		for _, end := range []string{"shown", "switched off", "power cut"} {
			t.Run(b.name+", "+end, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, term, p := quietDay(t, nil)
					b.day(w, term, p)
					console := watch(w, term)
					console.answer = keypad.ErrCancelled
					ctx, off := context.WithCancel(t.Context())
					defer off()
					shown := 0
					console.during = func(s keypad.Screen) {
						if s.Name != b.screen {
							return
						}
						r := get(t, w, 1)
						if shown++; r.Told || r.State != b.state || s.Mood != b.mood || b.amount && *s.Amount != r.Amount {
							t.Errorf("%q, told %v, under %+v", r.State, r.Told, s)
						}
						switch end {
						case "switched off":
							off()
						case "power cut":
							panic(powerCut{})
						}
					}
					cut := powered(func() { _ = b.sell(ctx, term) })
					if shown != 1 || cut != (end == "power cut") {
						t.Fatalf("shown %d times, cut %v: %+v", shown, cut, w.screens)
					}
					if r := get(t, w, 1); r.Told != (end == "shown") || journal.Owes(r, journal.Tell) == r.Told {
						t.Fatalf("told %v", r.Told)
					}
					// Switched on again.
					term = w.terminal()
					term.Acquirer = p
					watch(w, term)
					if err := term.Settle(t.Context(), 0); err != nil {
						t.Fatal(err)
					}
					s, told := w.screen(b.again)
					if told != (end != "shown") {
						t.Fatalf("told again: %v", told)
					}
					if told && (s.Mood != b.mood || *s.Amount != money.Yuan(12345) || len(s.Rows) != 1) {
						t.Errorf("%+v", s)
					}
					if !get(t, w, 1).Told {
						t.Error("not noted")
					}
					w.screens = nil
					if err := term.TellOwed(t.Context()); err != nil || len(w.screens) != 0 {
						t.Errorf("told twice: %+v, %v", w.screens, err)
					}
				})
			})
		}
	}
}

// What cannot be stored is shown as unknown, with what the help desk needs to find it, and counts as owed from then on.
func TestOutcomeNotStored(t *testing.T) {
	approving := func(*world, *Terminal, *pliant) {}
	for _, b := range append(slices.Clone(endings),
		bookSale{name: "approved by the host", day: approving},
		bookSale{name: "refused by the card", day: func(_ *world, t *Terminal, _ *pliant) {
			t.Kernel = fickle{Kernel: t.Kernel, complete: refusing}
		}},
		bookSale{name: "approved on the telephone", day: func(w *world, t *Terminal, _ *pliant) { w.refers, t.Config.Referral.Ask = true, true }},
		bookSale{name: "approved without the host", day: func(w *world, t *Terminal, p *pliant) {
			w.kind, t.Config.TerminalType = 0x22, 0x22
			failing(errNotOut)(w, t, p)
		}},
		bookSale{name: "paid", day: approving, wallet: true},
	) {
		// At the first move of the record and, where it has two, at the second: the reversal was answered, the cancel was confirmed.
		for _, at := range []journal.State{journal.Sent, journal.Undoing} {
			t.Run(b.name+", when "+string(at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, term, p := quietDay(t, nil)
					b.day(w, term, p)
					console := watch(w, term)
					console.answer = keypad.ErrCancelled
					failed := false
					w.j.Fail = func(old journal.Record) journal.Failure {
						if old.State != at {
							return journal.Works
						}
						failed, w.screens = true, nil
						return journal.Fails
					}
					err := b.sell(t.Context(), term)
					if !failed {
						if at == journal.Sent {
							t.Error("nothing was to be stored")
						}
						return
					}
					if code := problemCode(t, err); code != "J01" {
						t.Error(code)
					}
					r := get(t, w, 1)
					if r.State != at {
						t.Fatalf("%+v", r)
					}
					ref := keypad.Row{Label: keypad.T(keypad.TraceNo), Value: keypad.Raw("000002")}
					if b.wallet {
						ref = keypad.Row{Label: keypad.T(keypad.OrderNo), Value: keypad.Raw("…" + r.Wallet.Order[len(r.Wallet.Order)-16:])}
					}
					if i := slices.IndexFunc(w.screens, func(s keypad.Screen) bool {
						return s.Mood != keypad.Doubt && s.Mood != keypad.Busy && s.Name != "take-card"
					}); i >= 0 {
						t.Errorf("screen %+v", w.screens[i])
					}
					i := slices.IndexFunc(w.screens, func(s keypad.Screen) bool { return s.Name == "unknown" && s.Code == "J01" })
					if i < 0 {
						t.Fatalf("%+v", w.screens)
					}
					if s := w.screens[i]; s.Mood != keypad.Doubt || s.Amount == nil || *s.Amount != r.Amount || len(s.Rows) != 1 || !reflect.DeepEqual(s.Rows[0], ref) {
						t.Errorf("%+v, want %+v", s, ref)
					}
					if console.status.Owed != 1 {
						t.Errorf("the status bar says that %d are owed", console.status.Owed)
					}
					if len(w.paper) != 0 {
						t.Error("something is on paper")
					}
				})
			})
		}
	}
}

// An approval that is read but not known to be durable is not printed, by itself or by hand; it is when the storage works again.
func TestNothingPrintedInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, term, _ := quietDay(t, nil)
		w.j.Fail = func(old journal.Record) journal.Failure {
			if old.State == journal.Sent {
				return journal.Doubts
			}
			return journal.Works
		}
		_ = term.SaleByCard(t.Context(), money.Yuan(12345))
		w.j.Reopen()
		w.j.Fail = func(journal.Record) journal.Failure { return journal.Fails }
		_ = w.j.Probe()
		if r := get(t, w, 1); r.State != journal.Approved || w.j.Durable(1).State != journal.Sent {
			t.Fatalf("%+v", r)
		}
		if err := term.Settle(t.Context(), 0); !errors.Is(err, journal.ErrStorage) {
			t.Error(err)
		}
		if code := problemCode(t, term.ReprintLast(t.Context())); code != "J01" || len(w.paper) != 0 {
			t.Errorf("%s, %d slips", code, len(w.paper))
		}
		w.j.Fail = nil
		w.reopen()
		if err := term.Settle(t.Context(), 0); err != nil || len(w.paper) != 2 {
			t.Errorf("%v, %d slips", err, len(w.paper))
		}
		w.j.Fail = func(journal.Record) journal.Failure { return journal.Fails }
		_ = w.j.Probe()
		if err := term.ReprintLast(t.Context()); err != nil || len(w.paper) != 4 {
			t.Errorf("one that is printed: %v, %d slips", err, len(w.paper))
		}
	})
}

// A copy that is on paper and cannot be noted: the sale stays approved, the operator is told about the storage and not that anything was
// refused, and both copies come once more, as duplicates, when the storage works again.
func TestCopyNotNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, term, _ := quietDay(t, nil)
		w.j.Fail = func(old journal.Record) journal.Failure {
			if old.State == journal.Approved {
				return journal.Fails
			}
			return journal.Works
		}
		if code := problemCode(t, term.SaleByCard(t.Context(), money.Yuan(12345))); code != "J01" {
			t.Error(code)
		}
		if s, ok := w.screen("problem"); !ok || s.Mood != keypad.Notice || len(w.paper) != 1 {
			t.Errorf("%+v, %d slips", s, len(w.paper))
		}
		if slices.ContainsFunc(w.screens, func(s keypad.Screen) bool { return s.Mood == keypad.Bad || s.Mood == keypad.Doubt }) {
			t.Errorf("%+v", w.screens)
		}
		w.j.Fail = nil
		w.reopen()
		if err := term.Settle(t.Context(), 0); err != nil || len(w.paper) != 3 || !w.paper[1].r.Duplicate || !w.paper[2].r.Duplicate {
			t.Errorf("%v: %+v", err, w.paper)
		}
	})
}
