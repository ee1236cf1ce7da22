package emv

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"posd/emv/tlv"
)

// RiskPolicy says when a terminal performs terminal risk management.
type RiskPolicy uint8

// Policies.
const (
	// RiskAlways: whatever the card's AIP says (EMV 4.4 Book 3, 10.6).
	RiskAlways RiskPolicy = iota
	// RiskByAIP: when the AIP asks for it (EMV 4.3 Book 3, 10.6).
	RiskByAIP
	// RiskNever is for online-only terminals whose acquirer does it, and for terminals that the cardholder controls (Book 4, 6.4).
	RiskNever
)

// Exception is what a card is looked up by in the terminal's exception file (Book 4, 6.3.5).
type Exception struct {
	AID    []byte // of the terminal's application: there may be a file for each
	PAN    string // digits
	PSN    string // two digits, "" when the card has none
	Expiry string // YYMM
}

// WithExceptionFile gives the kernel the terminal's exception file: a function that tells whether a card is in it. It is asked once in
// each full transaction.
func WithExceptionFile(f func(Exception) bool) Option { return func(k *Kernel) { k.exception = f } }

// manageRisk is terminal risk management (Book 3, 10.6; Book 4, 6.3.5). The exception file is searched whether it is performed or not.
func (s *Session) manageRisk(ctx context.Context) error {
	if s.k.exception != nil && s.k.exception(Exception{s.app.AID, s.pan, s.psn, s.yymm()}) {
		tvrException.set(s.tvr[:])
	}
	switch s.k.cfg.Terminal.Risk {
	case RiskNever:
		return nil
	case RiskByAIP:
		if !aipRisk.in(s.aip[:]) {
			return nil
		}
	}
	// 10.6.1: the amount, together with what this card has pending in the terminal, against the floor limit. The book wants at least
	// the most recent entry of the log to be added; all of them are.
	amount := s.req.Amount.Minor
	total := amount
	if s.k.pending != nil {
		if p := s.k.pending(s.pan); p > 0 {
			total += min(p, math.MaxInt64-amount)
		}
	}
	if total >= s.app.FloorLimit {
		tvrFloorLimit.set(s.tvr[:])
	} else if !s.k.offlineOnly() { // 10.6: an offline-only terminal has no use for the selection
		selected, err := s.randomlySelected(amount)
		if err != nil {
			return err
		}
		if selected {
			tvrRandom.set(s.tvr[:])
		}
	}
	if err := s.checkVelocity(ctx); err != nil {
		return err
	}
	tsiRisk.set(s.tsi[:])
	return nil
}

// randomlySelected is random transaction selection (10.6.2): below the threshold with the target percentage, between threshold and
// floor limit with a percentage that grows to the maximum. Caller has checked that the amount is under the floor limit.
func (s *Session) randomlySelected(amount int64) (bool, error) {
	// Four bytes make the bias of the remainder less than one in forty millions.
	var b [4]byte
	if _, err := io.ReadFull(s.req.Rand, b[:]); err != nil {
		return false, &Error{Step: StepRisk, Reason: "no random number", Err: err}
	}
	n := int64(binary.BigEndian.Uint32(b[:])%99) + 1
	a := s.app
	target := int64(a.TargetPercent)
	if amount < a.Threshold {
		return n <= target, nil
	}
	// n <= target + (max-target) * (amount-threshold)/(floor-threshold), without rounding. All factors fit: the floor limit has
	// four bytes.
	grow := int64(a.MaxTargetPercent-a.TargetPercent) * (amount - a.Threshold)
	return (n-target)*(a.FloorLimit-a.Threshold) <= grow, nil
}

// checkVelocity compares the transactions since the last one that went online with the card's limits (10.6.3).
func (s *Session) checkVelocity(ctx context.Context) error {
	lower, ok1 := s.icc.Get(tagLCOL)
	upper, ok2 := s.icc.Get(tagUCOL)
	if !ok1 || !ok2 {
		return nil
	}
	atc, err := s.getData(ctx, tagATC)
	if err != nil {
		return err
	}
	last, err := s.getData(ctx, tagLastOnlineATC)
	if err != nil {
		return err
	}
	switch {
	case atc < 0 || last < 0:
		tvrDataMissing.set(s.tvr[:]) // 7.5, table 35
		fallthrough
	case atc <= last:
		tvrLowerLimit.set(s.tvr[:])
		tvrUpperLimit.set(s.tvr[:])
	case atc-last > int(lower[0]):
		tvrLowerLimit.set(s.tvr[:])
		if atc-last > int(upper[0]) { // looked at only when the lower one is exceeded
			tvrUpperLimit.set(s.tvr[:])
		}
	}
	if last == 0 {
		tvrNewCard.set(s.tvr[:])
	}
	return nil
}

// getData reads a counter of two bytes with GET DATA (Book 3, 6.5.7); -1 when the card does not give it.
func (s *Session) getData(ctx context.Context, t tlv.Tag) (int, error) {
	r, sw, err := s.exchange(ctx, StepRisk, s.command(0x80, 0xCA, byte(t>>8), byte(t), nil, true))
	if err != nil {
		return 0, err
	}
	if sw != swOK {
		return -1, nil
	}
	o, err := tlv.One(r)
	if err != nil || o.Tag != t || len(o.Value) != 2 {
		return -1, nil
	}
	s.icc.Set(t, o.Value)
	return int(o.Value[0])<<8 | int(o.Value[1]), nil
}

// yymm is the card's expiry as messages and files have it.
func (s *Session) yymm() string { return fmt.Sprintf("%04d", int(s.expiry)/100%10000) }
