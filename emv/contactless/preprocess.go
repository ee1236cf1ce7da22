package contactless

// Bits of the Terminal Transaction Qualifiers 9F66 that the Entry Point reads and sets (Book A, table 5-4).
const (
	ttqOfflineOnly      = 0x08 // byte 1, bit 4
	ttqOnlineCryptogram = 0x80 // byte 2, bit 8
	ttqCVMRequired      = 0x40 // byte 2, bit 7
)

// reader is a combination as one transaction sees it.
type reader struct {
	*Combination
	limits Limits
	ind    Indicators
}

// forType returns the combinations that may be used for a transaction type (Book B, 3.1), in the order of the configuration.
func forType(combinations []Combination, typ byte) []reader {
	out := make([]reader, 0, len(combinations))
	for i := range combinations {
		if l, ok := combinations[i].Limits[typ]; ok {
			out = append(out, reader{Combination: &combinations[i], limits: l})
		}
	}
	return out
}

// prepare is the pre-processing of one combination for an amount in minor units (Book B, 3.1.1); unit is one unit of its currency.
// A limit that is absent is not tested.
func (r *reader) prepare(amount, unit int64) {
	r.reset() // 3.1.1.1 and 3.1.1.2
	l, i := &r.limits, &r.ind
	// 3.1.1.3
	i.StatusCheck = l.StatusCheck && amount == unit
	// 3.1.1.4; v2.12 lets the flag for offline pass the whole step by. (Its exact place is from one source: a certification must settle it.)
	if amount == 0 && !l.ZeroOffline {
		if l.ZeroAllowed != nil && !*l.ZeroAllowed {
			i.NotAllowed = true
		} else {
			i.ZeroAmount = true
		}
	}
	// 3.1.1.5: at the limit is too much.
	if l.Transaction != nil && amount >= *l.Transaction {
		i.NotAllowed = true
	}
	// 3.1.1.6 and 3.1.1.7: at the floor limit is not above it. The terminal's stands in where the reader has none.
	switch {
	case l.Floor != nil:
		i.FloorExceeded = amount > *l.Floor
	case l.TermFloor != nil:
		i.FloorExceeded = amount > *l.TermFloor
	}
	// 3.1.1.8
	i.CVMExceeded = l.CVM != nil && amount >= *l.CVM
	if !i.HasTTQ {
		return
	}
	// 3.1.1.9 and 3.1.1.10
	if i.FloorExceeded || i.StatusCheck {
		i.TTQ[1] |= ttqOnlineCryptogram
	}
	// 3.1.1.11
	if i.ZeroAmount {
		if i.TTQ[0]&ttqOfflineOnly != 0 {
			i.NotAllowed = true
		} else {
			i.TTQ[1] |= ttqOnlineCryptogram
		}
	}
	// 3.1.1.12
	if i.CVMExceeded {
		i.TTQ[1] |= ttqCVMRequired
	}
}

// reset makes the indicators what they are without pre-processing (Book B, 3.2.1.1, a first Start B). That the two bits of the TTQ are
// cleared here too is v2.12 by two sources; v2.5 copied the TTQ as configured.
func (r *reader) reset() {
	r.ind = Indicators{}
	if r.TTQ != nil {
		r.ind.TTQ, r.ind.HasTTQ = *r.TTQ, true
		r.ind.TTQ[1] &^= ttqOnlineCryptogram | ttqCVMRequired
	}
}

// oneUnit is a single unit of a currency, in minor units: 100 for two decimals, 1 for none.
func oneUnit(exponent int) int64 {
	u := int64(1)
	for range exponent {
		u *= 10
	}
	return u
}
