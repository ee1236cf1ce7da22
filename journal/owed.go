package journal

import "sort"

// Duty is something that the terminal still has to do about a transaction.
type Duty string

// Duties, in the order in which they are due for one record.
const (
	Reverse Duty = "reverse" // card: send the reversal until it is answered
	Query   Duty = "query"   // wallet: ask the gateway how the order ended
	Cancel  Duty = "cancel"  // wallet: cancel the order until the gateway confirms that no money is held
	Receipt Duty = "receipt" // print the copies that are not on paper yet
	Tell    Duty = "tell"    // show the operator how it ended
)

// Debt is one duty of one record.
type Debt struct {
	No   uint64
	Duty Duty
}

// Debts returns what is owed on one record. It depends on the record alone.
func Debts(r Record) []Debt {
	owe := func(d Duty) []Debt { return []Debt{{r.No, d}} }
	switch r.State {
	case Sent:
		// A record in this state outside its own flow was interrupted between the request and a durable outcome.
		if r.Kind == WalletSale {
			return owe(Query)
		}
		return owe(Reverse)
	case Undoing:
		if r.Kind == WalletSale {
			return owe(Cancel)
		}
		return owe(Reverse)
	case Approved:
		if !r.Printed.Merchant || !r.Printed.Customer {
			return owe(Receipt)
		}
	case Declined, Undone, GivenUp:
		if !r.Told {
			return owe(Tell)
		}
	}
	return nil
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

// OwesHost tells whether the duty is towards a host or gateway: these stand before any new financial request.
func (d Duty) OwesHost() bool { return d == Reverse || d == Query || d == Cancel }
