package journal

import (
	"slices"
	"sort"
)

// Duty is something that the terminal still has to do about a transaction.
type Duty string

// Duties, in the order in which they are due for one record.
const (
	Reverse Duty = "reverse" // card: send the reversal until it is answered
	Query   Duty = "query"   // wallet: ask the gateway how the order ended
	Cancel  Duty = "cancel"  // wallet: cancel the order until the gateway confirms that no money is held
	Advise  Duty = "advise"  // card: send the advices that are not answered yet
	Receipt Duty = "receipt" // print the copies that are not on paper yet
	Tell    Duty = "tell"    // show the operator how it ended
)

// Debt is one duty of one record.
type Debt struct {
	No   uint64
	Duty Duty
}

// Debts returns what is owed on one record, first what is due first. It depends on the record alone.
func Debts(r Record) []Debt {
	var out []Debt
	owe := func(d Duty) { out = append(out, Debt{r.No, d}) }
	undo := Reverse
	if r.Kind == WalletSale {
		undo = Cancel
	}
	tell := r.failedAdvice()
	switch r.State {
	case Sent:
		// A record in this state outside its own flow was interrupted between the request and a durable outcome.
		if r.Kind == WalletSale {
			undo = Query
		}
		owe(undo)
	case Undoing:
		owe(undo)
	case Declined, Undone, GivenUp:
		tell = tell || !r.Told
	}
	if r.OwedAdvice() {
		owe(Advise)
	}
	if r.State == Approved && (!r.Printed.Merchant || !r.Printed.Customer) {
		owe(Receipt)
	}
	if tell {
		owe(Tell)
	}
	return out
}

// Owes tells whether one record owes a duty.
func Owes(r Record, d Duty) bool {
	return slices.Contains(Debts(r), Debt{r.No, d})
}

// Owed returns what is owed on all the records, oldest record first.
func Owed(records []Record) []Debt {
	sorted := append([]Record(nil), records...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].No < sorted[j].No })
	var out []Debt
	for _, r := range sorted {
		out = append(out, Debts(r)...)
	}
	return out
}

// OwesHost tells whether the duty is about money that a host or gateway may hold: these stand before any new financial request. An advice
// does not: its outcome is known, and a host that does not take it must not keep the merchant from selling.
func (d Duty) OwesHost() bool { return d == Reverse || d == Query || d == Cancel }
