package qrpay

import (
	"time"

	"posd/internal/money"
)

// Do is what to do next about an order.
type Do uint8

// Things to do.
const (
	Query  Do = iota + 1 // wait, then ask the gateway how the order stands, and give the answer to After
	Cancel               // wait, then cancel the order and give the answer to After; durable as "undoing" before it is sent
	Done                 // it is known how the order ended: Action.Status
	Owed                 // the gateway cannot be brought to confirm; the cancel stays owed and is tried again later (Resume)
)

// Action is the next step. Wait stands before Query and Cancel; it may be cut short at any time.
type Action struct {
	Do     Do
	Wait   time.Duration
	Status Status // with Done: Paid, Refused (no money moved) or Closed (no money is held)
}

// Pursuit follows one order from its first answer to its end. It is a value without a clock: the caller tells the time.
//
//	p := contract.Pursue(order)
//	r, err := gateway.Pay(ctx, order)      // err is for the log; NotSent(err) ends the order without a pursuit
//	for a := p.After(r, elapsed()); ; a = p.After(r, elapsed()) {
//		// wait a.Wait; then gateway.Query or gateway.Cancel, or the end
//	}
type Pursuit struct {
	number  string
	amount  money.Amount
	method  Method
	pace    time.Duration // between two queries, and between two cancels
	total   time.Duration // from the first request to the cancel
	tries   int           // cancels before it is left owed
	asks    int           // queries before the cancel, whatever the clock says
	stage   stage
	started bool // the answer to the first request has been seen
	stopped bool // no more waiting for the buyer
	asked   int
	cancels int
	end     Action
}

type stage uint8

const (
	asking     stage = iota // nothing is known yet, or the buyer is being waited for
	cancelling              // a cancel is under way; the order will never be a sale any more
	confirming              // the cancel was answered; a query must confirm it
	ended
	owed
)

// stages lists the allowed moves. There is no way from cancelling back to asking: once a cancel may have left, a payment that
// shows up is money to give back.
var stages = map[stage][]stage{
	asking:     {asking, cancelling, ended},
	cancelling: {cancelling, confirming, owed},
	confirming: {cancelling, ended, owed},
	ended:      {ended},
	owed:       {owed},
}

// Pursue starts following an order whose first request is about to be sent.
func (c Contract) Pursue(o Order) *Pursuit {
	p := &Pursuit{number: o.Number, amount: o.Amount, method: o.Method, pace: c.QueryPace, total: c.TotalWait, tries: c.CancelTries}
	if o.Method == ShowCode {
		p.total = c.ShowWait
	}
	p.pace = max(p.pace, time.Second)
	p.asks = int(p.total/p.pace) + 2
	return p
}

// Resume takes up an order after a restart. Nobody stands at the counter any more, so there is no waiting for the buyer: the order
// is queried once and cancelled unless it is paid; or, when a cancel was already owed, cancelled. The Action says which comes first.
func (c Contract) Resume(number string, amount money.Amount, cancelling bool) (*Pursuit, Action) {
	p := c.Pursue(Order{Number: number, Amount: amount, Method: ScanBuyer})
	p.started, p.stopped = true, true
	if cancelling {
		return p, p.cancel(0)
	}
	return p, Action{Do: Query}
}

// Stop ends the waiting for the buyer: the cashier gave up. Do the Query that is due at once; unless it says Paid, a Cancel follows.
func (p *Pursuit) Stop() { p.stopped = true }

// Cancelling tells whether a cancel has been asked for: the order will not become a sale.
func (p *Pursuit) Cancelling() bool { return p.cancels > 0 }

// After takes the answer to the last request (of Pay or Precreate at first, then of what the last Action asked for) and the time
// since the first request, and says what to do. An answer that does not fit the order counts as Unknown.
func (p *Pursuit) After(r Result, elapsed time.Duration) Action {
	r, _ = r.For(p.number, p.amount)
	first := !p.started
	p.started = true
	switch p.stage {
	case asking:
		return p.afterAsking(r, elapsed, first)
	case cancelling:
		if (r.Status == Closed || r.Status == NotFound) && !r.Retry {
			p.move(confirming)
			return Action{Do: Query}
		}
		return p.cancel(p.pace)
	case confirming:
		// NotFound: a cancel of an order that never reached the gateway is answered like any other.
		if r.Status == Closed || r.Status == NotFound {
			return p.finish(Closed)
		}
		return p.cancel(p.pace)
	}
	return p.end
}

func (p *Pursuit) afterAsking(r Result, elapsed time.Duration, first bool) Action {
	switch {
	case r.Status == Paid, r.Status == Closed:
		return p.finish(r.Status)
	case r.Status == Refused && first: // a query cannot refuse
		return p.finish(Refused)
	case first && p.method == ShowCode && r.QR == "":
		return p.cancel(0) // no code to show: nobody can pay this order, so do not wait for it
	}
	p.asked++
	last := p.stopped || elapsed >= p.total || p.asked > p.asks
	if last && !first {
		return p.cancel(0)
	}
	if last {
		return Action{Do: Query} // whatever happens, one query stands before a cancel
	}
	return Action{Do: Query, Wait: min(p.pace, p.total-elapsed)}
}

func (p *Pursuit) cancel(wait time.Duration) Action {
	if p.cancels >= max(p.tries, 1) {
		p.move(owed)
		p.end = Action{Do: Owed}
		return p.end
	}
	p.cancels++
	p.move(cancelling)
	return Action{Do: Cancel, Wait: wait}
}

func (p *Pursuit) finish(s Status) Action {
	p.move(ended)
	p.end = Action{Do: Done, Status: s}
	return p.end
}

// move keeps to the table; a move outside it would be a mistake in this file and leaves the order owed, the safe side.
func (p *Pursuit) move(to stage) {
	for _, s := range stages[p.stage] {
		if s == to {
			p.stage = to
			return
		}
	}
	p.stage, p.end = owed, Action{Do: Owed}
}
