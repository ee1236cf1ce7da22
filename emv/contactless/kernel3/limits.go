package kernel3

import (
	"bytes"

	"posd/emv/contactless"
)

// LimitSet are the limits for the cards whose Application Program Identifier 9F5A begins with ProgramID (Book C-3, 5.1.2, dynamic reader
// limits). They stand in for those of the combination.
type LimitSet struct {
	ProgramID []byte // 1 to 16 bytes
	Limits    contactless.Limits
}

// limitSet is the set for a card: the one with its whole identifier, else the one with the longest beginning of it. nil for none.
func (c *Config) limitSet(id []byte) *LimitSet {
	var best *LimitSet
	for i := range c.Limits {
		s := &c.Limits[i]
		if len(s.ProgramID) > 0 && bytes.HasPrefix(id, s.ProgramID) && (best == nil || len(s.ProgramID) > len(best.ProgramID)) {
			best = s
		}
	}
	return best
}

// dynamicLimits tests the amount against the limits of the card's program and makes the TTQ anew. The tests are those of Book B, 3.1.1; an amount
// that is not allowed for this card makes the Entry Point try the next application.
func (t *tap) dynamicLimits() *contactless.Outcome {
	id := t.of(tagProgramID)
	if id == nil {
		return nil
	}
	set := t.cfg.limitSet(id)
	if set == nil {
		return nil
	}
	l, amount := &set.Limits, t.a.Transaction.Amount.Minor
	t.ttq[1] &^= ttqOnlineCryptogram | ttqCVMRequired
	unit := int64(1)
	for range t.a.Transaction.Amount.Currency.Exponent() {
		unit *= 10
	}
	floor := l.Floor
	if floor == nil {
		floor = l.TermFloor
	}
	allowed := l.Transaction == nil || amount < *l.Transaction
	if floor != nil && amount > *floor || l.StatusCheck && amount == unit {
		t.ttq[1] |= ttqOnlineCryptogram
	}
	if l.CVM != nil && amount >= *l.CVM {
		t.ttq[1] |= ttqCVMRequired
	}
	if amount == 0 && !l.ZeroOffline {
		if t.ttq[0]&ttqOfflineOnly != 0 || l.ZeroAllowed != nil && !*l.ZeroAllowed {
			allowed = false
		}
		t.ttq[1] |= ttqOnlineCryptogram
	}
	if !allowed {
		o := t.selectNext()
		return &o
	}
	return nil
}
