package track

// Use is the use and security data of track 3 as ISO/IEC 4909 lays it out. A field that the card does not have is "". UnionPay's members fill
// it in ways of their own, and no flow depends on it: it is for a technician who looks at a card.
//
// Field lengths from memory of ISO 4909:1987, table 1 [mem]: to be held against the standard before anything is decided on them.
type Use struct {
	Country          string // 3 digits, ISO 3166
	Currency         string // 3 digits, ISO 4217
	Exponent         string // 1
	AmountPerCycle   string // 4
	AmountRemaining  string // 4
	CycleBegin       string // 4
	CycleLength      string // 2
	RetryCount       string // 1
	PINControl       string // 6
	Interchange      string // 1
	Account          string // type of account and service restriction of the PAN, 2
	FirstSubsidiary  string // of the first subsidiary account, 2
	SecondSubsidiary string // of the second, 2
	Expiry           string // YYMM
	Sequence         string // 1
}

// ParseUse takes the fixed part of Three.Use apart. The error is an *Error with offsets from the beginning of the use and security data.
func ParseUse(use string) (Use, error) {
	s := &scan{track: 3, s: use}
	var u Use
	for _, f := range []struct {
		name string
		to   *string
		n    int
	}{
		{"country", &u.Country, 3},
		{"currency", &u.Currency, 3},
		{"currency exponent", &u.Exponent, 1},
		{"amount per cycle", &u.AmountPerCycle, 4},
		{"amount remaining", &u.AmountRemaining, 4},
		{"cycle begin", &u.CycleBegin, 4},
		{"cycle length", &u.CycleLength, 2},
		{"retry count", &u.RetryCount, 1},
		{"PIN control", &u.PINControl, 6},
		{"interchange control", &u.Interchange, 1},
		{"type of account", &u.Account, 2},
		{"first subsidiary type", &u.FirstSubsidiary, 2},
		{"second subsidiary type", &u.SecondSubsidiary, 2},
	} {
		*f.to = s.fixed("=", f.name, f.n)
	}
	u.Expiry = s.expiry("=")
	u.Sequence = s.fixed("=", "sequence number", 1)
	if err := s.done(); err != nil {
		return Use{}, err
	}
	return u, nil
}
