package journal

import (
	"fmt"
	"slices"
)

// Advice is a message about a card transaction that a host is owed behind its outcome: the results of issuer scripts, the upload of a sale
// that was approved without the host. It changes nothing about the outcome, and is sent until it is answered.
type Advice struct {
	Kind string `json:"kind"` // as the acquirer's profile names it
	// Own tells that the message has a trace number of its own, which the journal gives in the same durable step in which the advice
	// is first stored, so that every repeat is the same message. Else it has the record's.
	Own   bool        `json:"own,omitempty"`
	STAN  uint32      `json:"stan,omitempty"`
	ICC   []byte      `json:"icc,omitempty"` // field 55; public data objects only
	State AdviceState `json:"state"`
	Tries int         `json:"tries,omitempty"` // attempts without an answer that ends it
	Code  string      `json:"code,omitempty"`  // field 39 of the answer that ended it
	Told  bool        `json:"told,omitempty"`  // refused or given up, and the operator has seen it
}

// AdviceState is where an advice stands.
type AdviceState string

// States of an advice. It begins as owed and makes one move.
const (
	AdviceOwed    AdviceState = "owed"
	AdviceDone    AdviceState = "done"
	AdviceRefused AdviceState = "refused"  // the host answered that it does not take it
	AdviceGivenUp AdviceState = "given-up" // the host never answered within the profile's limit
)

// OwedAdvice tells whether an advice of the record is still to be sent.
func (r Record) OwedAdvice() bool {
	return slices.ContainsFunc(r.Advices, func(a Advice) bool { return a.State == AdviceOwed })
}

// failedAdvice tells whether there is one that was refused or given up, which nobody was told of.
func (r Record) failedAdvice() bool {
	return slices.ContainsFunc(r.Advices, func(a Advice) bool {
		return (a.State == AdviceRefused || a.State == AdviceGivenUp) && !a.Told
	})
}

// numberAdvices gives new advices their trace numbers. Pure but for m.
func numberAdvices(m *Meta, r *Record) {
	for i := range r.Advices {
		a := &r.Advices[i]
		if a.Own && a.STAN == 0 {
			a.STAN = m.TakeSTAN()
		}
	}
}

// checkAdvices holds a record's advices against those from before: none is lost, renamed or renumbered, and one that has ended stays so.
func checkAdvices(old, r Record) error {
	bad := func(why string) error { return fmt.Errorf("%w: advices of record %d: %s", ErrRecord, old.No, why) }
	if len(r.Advices) > 0 && r.Card == nil {
		return bad("only a card transaction has them")
	}
	if len(r.Advices) < len(old.Advices) {
		return bad("one is lost")
	}
	for i, a := range r.Advices {
		switch a.State {
		case AdviceOwed, AdviceDone, AdviceRefused, AdviceGivenUp:
		default:
			return bad("unknown state")
		}
		if i >= len(old.Advices) {
			if a.State != AdviceOwed || a.Kind == "" || a.STAN != 0 {
				return bad("a new one must be owed, have a kind, and no number yet")
			}
			continue
		}
		b := old.Advices[i]
		if a.Kind != b.Kind || a.Own != b.Own || a.STAN != b.STAN || string(a.ICC) != string(b.ICC) {
			return bad("one was changed")
		}
		if b.State != AdviceOwed && a.State != b.State {
			return bad("one that has ended was moved")
		}
	}
	return nil
}
