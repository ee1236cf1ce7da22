package qrpay

import (
	"errors"
	"slices"
	"testing"
	"time"

	"posd/internal/money"
)

var (
	sum  = money.Yuan(12345)
	paid = Result{Status: Paid, Number: "A1", Amount: sum}
	wait = Result{Status: Waiting, Number: "A1"}
	shut = Result{Status: Closed, Number: "A1"}
	gone = Result{Status: NotFound}
	dark = Result{}
	none = Result{Status: Refused}
)

func TestResultFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		r     Result
		want  Status
		field string
	}{
		{"paid", paid, Paid, ""},
		{"other order", Result{Status: Paid, Number: "A2", Amount: sum}, Unknown, "order"},
		{"no order named", Result{Status: Paid, Amount: sum}, Unknown, "order"},
		{"a fen less", Result{Status: Paid, Number: "A1", Amount: money.Yuan(12344)}, Unknown, "amount"},
		{"no amount", Result{Status: Paid, Number: "A1"}, Unknown, "currency"},
		{"other currency", Result{Status: Paid, Number: "A1", Amount: money.Amount{Minor: 12345, Currency: money.USD}}, Unknown, "currency"},
		{"refused without number", none, Refused, ""},
		{"not found", gone, NotFound, ""},
		{"waiting for another", Result{Status: Waiting, Number: "A2"}, Unknown, "order"},
		{"closed with another amount", Result{Status: Closed, Number: "A1", Amount: money.Yuan(1)}, Unknown, "amount"},
		{"unknown stays", Result{Number: "A2"}, Unknown, ""},
	} {
		got, err := c.r.For("A1", sum)
		var bad *MismatchError
		if got.Status != c.want || errors.As(err, &bad) != (c.field != "") || (bad != nil && bad.Field != c.field) {
			t.Errorf("%s: %d, %v; want %d, %q", c.name, got.Status, err, c.want, c.field)
		}
	}
	if got, _ := (Result{Status: Paid, Number: "A1", Amount: money.Yuan(-5)}).For("A1", money.Yuan(-5)); got.Status != Unknown {
		t.Error("a negative amount is paid")
	}
}

func order(m Method) Order { return Order{Number: "A1", Amount: sum, Method: m} }

func rules() Contract {
	return Contract{QueryPace: 3 * time.Second, TotalWait: 10 * time.Second, ShowWait: 20 * time.Second, CancelTries: 3}
}

// step is an answer, when it comes, and what must follow.
type step struct {
	r    Result
	at   time.Duration
	want Action
}

func TestPursuit(t *testing.T) {
	const s = time.Second
	q := func(w time.Duration) Action { return Action{Do: Query, Wait: w} }
	x := func(w time.Duration) Action { return Action{Do: Cancel, Wait: w} }
	done := func(st Status) Action { return Action{Do: Done, Status: st} }
	mine := func(r Result) Result { r.QR = "https://qr.example/1"; return r }
	again := Result{Retry: true}
	for _, c := range []struct {
		name   string
		method Method
		steps  []step
	}{
		{"paid at once", ScanBuyer, []step{{paid, s, done(Paid)}}},
		{"refused", ScanBuyer, []step{{none, s, done(Refused)}}},
		{"buyer confirms", ScanBuyer, []step{{wait, 0, q(3 * s)}, {wait, 3 * s, q(3 * s)}, {paid, 6 * s, done(Paid)}}},
		{"the last query is at the deadline, the cancel right after it, the confirmation after that", ScanBuyer, []step{
			{wait, 0, q(3 * s)}, {wait, 8 * s, q(2 * s)}, {wait, 10 * s, x(0)}, {shut, 10 * s, q(0)}, {shut, 10 * s, done(Closed)},
		}},
		{"paid at the last query", ScanBuyer, []step{{wait, 0, q(3 * s)}, {paid, 10 * s, done(Paid)}}},
		{"no answer, then paid", ScanBuyer, []step{{dark, 5 * s, q(3 * s)}, {dark, 8 * s, q(2 * s)}, {paid, 10 * s, done(Paid)}}},
		{"an answer after the deadline still gets its query", ScanBuyer, []step{{dark, 30 * s, q(0)}, {paid, 31 * s, done(Paid)}}},
		{"the request never arrived", ScanBuyer, []step{{dark, 5 * s, q(3 * s)}, {gone, 10 * s, x(0)}, {shut, 11 * s, q(0)}, {gone, 11 * s, done(Closed)}}},
		{"closed by the gateway", ScanBuyer, []step{{wait, 0, q(3 * s)}, {shut, 3 * s, done(Closed)}}},
		{"a query does not refuse", ScanBuyer, []step{{wait, 0, q(3 * s)}, {none, 3 * s, q(3 * s)}}},
		{"another order's payment is nothing", ScanBuyer, []step{{Result{Status: Paid, Number: "B", Amount: sum}, 0, q(3 * s)}}},
		{"paid while the cancel ran: given back, not sold", ScanBuyer, []step{
			{wait, 0, q(3 * s)}, {wait, 10 * s, x(0)}, {shut, 10 * s, q(0)}, {paid, 11 * s, x(3 * s)}, {shut, 14 * s, q(0)}, {shut, 14 * s, done(Closed)},
		}},
		{"a cancel answered with paid is not an answer", ScanBuyer, []step{{wait, 0, q(3 * s)}, {wait, 10 * s, x(0)}, {paid, 10 * s, x(3 * s)}}},
		{"the gateway asks to repeat the cancel", ScanBuyer, []step{
			{wait, 0, q(3 * s)},
			{wait, 10 * s, x(0)},
			{again, 11 * s, x(3 * s)},
			{Result{Status: Closed, Number: "A1", Retry: true}, 12 * s, x(3 * s)},
			{shut, 15 * s, q(0)},
			{gone, 15 * s, done(Closed)},
		}},
		{"the gateway never confirms", ScanBuyer, []step{
			{wait, 0, q(3 * s)}, {wait, 10 * s, x(0)}, {dark, 20 * s, x(3 * s)}, {dark, 30 * s, x(3 * s)}, {dark, 40 * s, Action{Do: Owed}}, {paid, 50 * s, Action{Do: Owed}},
		}},
		{"cancels answered, queries not", ScanBuyer, []step{
			{wait, 0, q(3 * s)},
			{wait, 10 * s, x(0)},
			{shut, 20 * s, q(0)},
			{dark, 30 * s, x(3 * s)},
			{shut, 30 * s, q(0)},
			{wait, 40 * s, x(3 * s)},
			{shut, 40 * s, q(0)},
			{dark, 40 * s, Action{Do: Owed}},
		}},
		{"shown code: unknown to the gateway until scanned", ShowCode, []step{{mine(wait), 0, q(3 * s)}, {gone, 3 * s, q(3 * s)}, {wait, 19 * s, q(s)}, {paid, 20 * s, done(Paid)}}},
		{"shown code that never came is not waited for", ShowCode, []step{{dark, s, x(0)}, {shut, s, q(0)}, {gone, s, done(Closed)}}},
		{"shown code refused", ShowCode, []step{{none, s, done(Refused)}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := rules().Pursue(order(c.method))
			for i, st := range c.steps {
				if got := p.After(st.r, st.at); got != st.want {
					t.Fatalf("step %d: %+v, want %+v", i, got, st.want)
				}
			}
		})
	}
}

func TestPursuitStop(t *testing.T) {
	p := rules().Pursue(order(ScanBuyer))
	p.After(wait, 0)
	p.Stop()
	if a := p.After(wait, time.Second); a.Do != Cancel || a.Wait != 0 || !p.Cancelling() {
		t.Errorf("stopped and not paid: %+v", a)
	}
	p = rules().Pursue(order(ScanBuyer))
	p.After(wait, 0)
	p.Stop()
	if a := p.After(paid, time.Second); a != (Action{Do: Done, Status: Paid}) || p.Cancelling() {
		t.Errorf("paid before the cashier gave up: %+v", a)
	}
	p = rules().Pursue(order(ScanBuyer))
	p.Stop()
	if a := p.After(dark, 0); a != (Action{Do: Query}) {
		t.Errorf("stopped before the first answer: %+v", a)
	}
}

func TestPursuitResume(t *testing.T) {
	p, a := rules().Resume("A1", sum, false)
	if a != (Action{Do: Query}) {
		t.Fatalf("%+v", a)
	}
	if a = p.After(paid, 0); a != (Action{Do: Done, Status: Paid}) {
		t.Errorf("paid before the power cut: %+v", a)
	}
	p, _ = rules().Resume("A1", sum, false)
	for i, c := range []struct {
		r    Result
		want Do
	}{{wait, Cancel}, {shut, Query}, {gone, Done}} {
		if a = p.After(c.r, 0); a.Do != c.want {
			t.Fatalf("step %d: %+v", i, a)
		}
	}
	p, _ = rules().Resume("A1", sum, false)
	if a = p.After(gone, 0); a.Do != Cancel {
		t.Errorf("an order that the gateway does not know may still be on its way, and is cancelled: %+v", a)
	}
	p, a = rules().Resume("A1", sum, true)
	if a != (Action{Do: Cancel}) || !p.Cancelling() {
		t.Fatalf("a cancel that was owed comes first: %+v", a)
	}
	if a = p.After(shut, 0); a.Do != Query {
		t.Fatalf("%+v", a)
	}
	if a = p.After(paid, 0); a.Do != Cancel {
		t.Errorf("paid after a cancel was owed must not become a sale: %+v", a)
	}
}

// Every sequence of answers up to a length, with a clock that stands still: the pursuit ends, stays within its table of moves,
// never sells after a cancel, and never ends without Paid, a refusal, or a closed order that a query confirmed.
func TestPursuitAlwaysEnds(t *testing.T) {
	answers := []Result{
		paid, wait, shut, gone, dark, none,
		{Status: Closed, Number: "A1", Retry: true},
		{Status: Paid, Number: "A1", Amount: money.Yuan(1)},
	}
	c := Contract{QueryPace: time.Second, TotalWait: time.Second / 2, ShowWait: time.Second / 2, CancelTries: 2}
	runs := 0
	var walk func(path []Result, m Method)
	walk = func(path []Result, m Method) {
		p := c.Pursue(order(m))
		last, cancelled := Action{}, false
		for i, r := range path {
			before := p.stage
			a := p.After(r, 0)
			if !slices.Contains(stages[before], p.stage) {
				t.Fatalf("%v: move %d -> %d", path, before, p.stage)
			}
			sound, _ := r.For("A1", sum)
			switch a.Do {
			case Done:
				if a.Status == Paid && (cancelled || sound.Status != Paid) {
					t.Fatalf("sold on %v", path)
				}
				if a.Status == Refused && i > 0 {
					t.Fatalf("refused on %v", path)
				}
				if a.Status == Closed && cancelled && (last.Do != Query || (sound.Status != Closed && sound.Status != NotFound)) {
					t.Fatalf("cancel believed without a query: %v", path)
				}
			case Cancel:
				cancelled = true
				if i == 0 && m == ScanBuyer {
					t.Fatalf("cancelled without a query: %v", path)
				}
			}
			if a.Do == Done || a.Do == Owed {
				runs++
				return
			}
			last = a
		}
		if len(path) > 12 {
			t.Fatalf("no end after %v", path)
		}
		for _, r := range answers {
			walk(append(path[:len(path):len(path)], r), m)
		}
	}
	walk(nil, ScanBuyer)
	walk(nil, ShowCode)
	if runs < 1000 {
		t.Errorf("only %d runs", runs)
	}
	t.Logf("%d runs", runs)
}
