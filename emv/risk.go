package emv

import (
	"context"
	"encoding/binary"
	"io"
	"math"

	"posd/emv/tlv"
)

// manageRisk is terminal risk management (Book 3, 10.6). The exception file is a matter of the acquirer: there is none here. An
// online-only terminal has nothing to weigh.
func (s *Session) manageRisk(ctx context.Context) error {
	if !aipRisk.in(s.aip[:]) {
		return nil
	}
	// 10.6.1: the amount, together with what this card has pending in the terminal, against the floor limit.
	amount := s.req.Amount.Minor
	total := amount
	if s.k.pending != nil {
		if p := s.k.pending(s.pan); p > 0 {
			total += min(p, math.MaxInt64-amount)
		}
	}
	if total >= s.app.FloorLimit {
		tvrFloorLimit.set(s.tvr[:])
	} else if !s.k.offlineOnly() {
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
	if atc < 0 || last < 0 || atc <= last {
		tvrLowerLimit.set(s.tvr[:])
		tvrUpperLimit.set(s.tvr[:])
	} else {
		if atc-last > int(lower[0]) {
			tvrLowerLimit.set(s.tvr[:])
		}
		if atc-last > int(upper[0]) {
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
