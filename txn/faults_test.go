package txn

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"posd/internal/money"
	"posd/journal"
	"posd/qrpay"
)

var maxFaults = flag.Int("faults", 2, "faults per run in the enumeration")

// aStory is a merchant's day that the enumerator disturbs: the sale under test, then an undisturbed sale of the other amount.
type aStory struct {
	name string
	sell func(context.Context, *Terminal, *world) error
	day  func(*world) // what is special about it
}

var stories = []aStory{
	{"card", byCard, nil},
	{"card-scripts", byCard, func(w *world) { w.scripts = true }},
	{"card-offline", byCard, func(w *world) { w.kind, w.first = 0x22, "tc" }},
	{"card-unable", byCard, func(w *world) { w.kind = 0x22 }},
	{"card-swiped", byCard, func(w *world) { w.swipes = true }},
	{"card-swiped-alone", byCard, func(w *world) { w.swipes, w.kind = true, 0x22 }}, // card and terminal might do without the host, a stripe never
	{"card-referral", byCard, func(w *world) { w.refers = true }},
	{"wallet-scan", func(ctx context.Context, t *Terminal, _ *world) error {
		return t.SaleByWallet(ctx, money.Yuan(12345), WalletWay{Method: qrpay.ScanBuyer, Huabei: true})
	}, nil},
	{"wallet-show", func(ctx context.Context, t *Terminal, _ *world) error {
		return t.SaleByWallet(ctx, money.Yuan(12345), WalletWay{Method: qrpay.ShowCode})
	}, nil},
}

func byCard(ctx context.Context, t *Terminal, _ *world) error {
	return t.SaleByCard(ctx, money.Yuan(12345))
}

// world makes the world of a story.
func (s aStory) world(path []int) *world {
	w := newWorld(path)
	if s.day != nil {
		s.day(w)
	}
	return w
}

func (s aStory) isCard() bool { return strings.HasPrefix(s.name, "card") }

// powered runs f until it ends or the power is cut.
func powered(f func()) (cut bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(powerCut); !ok {
				panic(r)
			}
			cut = true
		}
	}()
	f()
	return false
}

// play runs a story with the choices of path: the sale under test, the next sale at once, settling until nothing is owed, and a last sale
// that must work. The terminal restarts after each power cut. Then every invariant is checked.
func play(s aStory, path []int) *world {
	w := s.world(path)
	ctx := context.Background()
	var t *Terminal
	// step runs one thing that the terminal does; a power cut in it is followed by switching it on again.
	step := func(f func()) {
		for powered(f) {
			w.cuts++
			f = func() {
				t = w.terminal()
				_ = t.Settle(ctx, 0)
			}
		}
		for powered(w.reopen) {
			w.cuts++
			t = w.terminal()
		}
	}
	step(func() { panic(powerCut{}) }) // switched on for the first time
	step(func() { w.during(func() { _ = s.sell(ctx, t, w) }) })
	w.stripeDead = false
	step(func() { w.during(func() { _ = s.sellNext(ctx, t, money.Yuan(500)) }) })
	for i := 0; ; i++ {
		owed, _ := w.j.Owed()
		if len(owed) == 0 {
			break
		}
		if i == 12 { // invariant 20: with hosts that answer, the list empties
			w.violated("still owed after %d settlements: %+v", i, owed)
			break
		}
		step(func() { _ = t.Settle(ctx, 0) })
	}
	w.quiet, w.stripeDead = true, false
	w.reopen()
	before, _ := w.j.Meta()
	err := s.sellNext(ctx, t, money.Yuan(700))
	if after, _ := w.j.Meta(); err != nil || after.Totals == before.Totals {
		w.violated("the last sale did not work: %v", err)
	}
	if err := t.Settle(ctx, 0); err != nil {
		w.violated("the last settlement: %v", err)
	}
	w.finally()
	return w
}

func (s aStory) sellNext(ctx context.Context, t *Terminal, a money.Amount) error {
	if s.isCard() {
		return t.SaleByCard(ctx, a)
	}
	return t.SaleByWallet(ctx, a, WalletWay{Method: qrpay.ScanBuyer})
}

// enumerate plays every run of a story with at most n choices that are not "as it should be".
func enumerate(s aStory, n int, check func(path []int, w *world)) (runs int) {
	var walk func(path []int, left int)
	walk = func(path []int, left int) {
		w := play(s, path)
		runs++
		check(path, w)
		if left == 0 {
			return
		}
		for i := len(path); i < len(w.made); i++ {
			for opt := 1; opt < w.made[i]; opt++ {
				next := make([]int, i+1)
				copy(next, path)
				next[i] = opt
				walk(next, left-1)
			}
		}
	}
	walk(nil, n)
	return runs
}

// TestEveryFault enumerates every single fault, every power-cut point, and every pair of them, for both sales.
func TestEveryFault(t *testing.T) {
	n := *maxFaults
	if testing.Short() {
		n = 1
	}
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failed := 0
				runs := enumerate(s, n, func(path []int, w *world) {
					if len(w.broken) > 0 {
						if failed++; failed <= 3 {
							t.Errorf("choices %v\n  story: %s\n  broken: %s", path, strings.Join(w.story, "; "), strings.Join(w.broken, "\n          "))
						}
					}
				})
				t.Logf("%d runs with up to %d faults, %d broke an invariant", runs, n, failed)
				if least := 60; runs < least || (n > 1 && runs < 30*least) {
					t.Errorf("only %d runs: the enumeration is not reaching the flow", runs)
				}
			})
		})
	}
}

// Without a fault each story sells twice, with the number of durable commits that the budget allows.
func TestUndisturbed(t *testing.T) {
	for _, s := range stories {
		synctest.Test(t, func(t *testing.T) {
			w := s.world(nil)
			term := w.terminal()
			ctx := context.Background()
			if err := term.SignOn(ctx); err != nil {
				t.Fatal(err)
			}
			before := w.j.Commits()
			if err := s.sell(ctx, term, w); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			commits, budget := w.j.Commits()-before, int64(5)
			if !s.isCard() {
				budget = 6
			}
			t.Logf("%s: %d durable commits, %d with sign-on", s.name, commits, w.j.Commits())
			if commits > budget {
				t.Errorf("%s: %d durable commits, the budget is %d", s.name, commits, budget)
			}
			m, _ := w.j.Meta()
			if m.Totals.CardMinor+m.Totals.WalletMinor != 12345 || len(w.paper) != 2 {
				t.Errorf("%s: totals %+v, %d slips", s.name, m.Totals, len(w.paper))
			}
			if w.paper[0].r.Duplicate || w.paper[1].r.Duplicate {
				t.Errorf("%s: a first print says DUPLICATE", s.name)
			}
			if err := term.Settle(ctx, 0); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
			w.finally()
			for _, b := range w.broken {
				t.Errorf("%s: %s", s.name, b)
			}
		})
	}
}

// A cancel key before anything was sent leaves no trace at the host: invariant 24.
func TestCancelBeforeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enumerate(stories[0], 1, func(path []int, w *world) {
			if len(path) == 0 || !strings.HasPrefix(w.names[len(path)-1], "cancel key") {
				return
			}
			if n := len(w.host.log); n > 2 { // the two other sales
				t.Errorf("after a cancel key the host saw %v", w.host.log)
			}
		})
	})
}

func TestAmountsOutsideTheLimit(t *testing.T) {
	for _, a := range []money.Amount{money.Yuan(0), money.Yuan(-1), money.Yuan(5000001), {Minor: 100, Currency: money.USD}} {
		w := newWorld(nil)
		term := w.terminal()
		var p *Problem
		if err := term.SaleByCard(context.Background(), a); !errors.As(err, &p) || p.Code != "A01" {
			t.Errorf("card %v: %v", a, err)
		}
		if err := term.SaleByWallet(context.Background(), a, WalletWay{Method: qrpay.ScanBuyer}); !errors.As(err, &p) || p.Code != "A01" {
			t.Errorf("wallet %v: %v", a, err)
		}
		if _, err := w.j.Last(nil); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("%v left a record", a)
		}
	}
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(m.Run())
}

func ExampleProblem() {
	fmt.Println(bad("L01", "host.down", "host.down.body", errors.New("dial tcp: connection refused")))
	// Output: L01: dial tcp: connection refused
}

func TestPlanOnTheSlip(t *testing.T) {
	plan := qrpay.Plan{Periods: 6}
	for _, c := range []struct {
		name string
		w    journal.Wallet
		want bool
	}{
		{"gateway says nothing", journal.Wallet{}, true},
		{"gateway says the same", journal.Wallet{Periods: 6}, true},
		{"gateway says another", journal.Wallet{Periods: 3}, false},
		{"paid by Huabei", journal.Wallet{Funds: []journal.Fund{{Channel: "PCREDIT"}}}, true},
		{"paid from the balance", journal.Wallet{Funds: []journal.Fund{{Channel: "ALIPAYACCOUNT"}}}, false},
	} {
		if got := usedPlan(&c.w, plan); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
