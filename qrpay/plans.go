package qrpay

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

const million = 1_000_000

// Errors of Plans.
var (
	// ErrPayer is returned for a payer of the fee that the contract does not offer.
	ErrPayer = errors.New("qrpay: the contract does not let this side bear the fee")
	// ErrPlanAmount is returned for an amount that no plan can be computed for.
	ErrPlanAmount = errors.New("qrpay: amount cannot be paid in instalments")
)

// Plans works out what the contract offers for an amount in minor units, one plan for each number of periods, shortest first. An
// amount below the contract's minimum or above its maximum gets no plan, which is not an error.
//
// The rounding is that of the published Huabei rules, all in fen: the whole fee is amount times rate, half to even; principal and
// fee of an instalment are the floor of an even share; what remains of either goes into the first instalment.
func Plans(amount int64, c Contract, payer Payer) ([]Plan, error) {
	if !c.Offers(payer) {
		return nil, ErrPayer
	}
	if amount <= 0 {
		return nil, fmt.Errorf("%w: %d", ErrPlanAmount, amount)
	}
	if amount < c.MinInstalment || (c.MaxAmount > 0 && amount > c.MaxAmount) {
		return nil, nil
	}
	plans := make([]Plan, 0, len(c.Periods))
	for _, p := range c.Periods {
		if int64(p.Number) > amount {
			continue // an instalment without a principal is not an instalment
		}
		rate := p.BuyerPPM
		if payer == PayerSeller {
			rate = p.SellerPPM
		}
		plan, err := newPlan(amount, p.Number, rate, payer)
		if err != nil {
			return nil, err
		}
		plans = append(plans, plan)
	}
	return plans, nil
}

func newPlan(amount int64, periods int, rate int64, payer Payer) (Plan, error) {
	fee, err := halfEven(amount, rate)
	if err != nil {
		return Plan{}, err
	}
	if amount > math.MaxInt64-fee {
		return Plan{}, fmt.Errorf("%w: amount and fee overflow", ErrPlanAmount)
	}
	n := int64(periods)
	p := Plan{
		Periods: periods, Payer: payer, RatePPM: rate, Amount: amount, Fee: fee,
		First: amount/n + amount%n, Each: amount / n,
		BuyerTotal: amount, SellerNet: amount - fee,
	}
	if payer == PayerBuyer {
		p.EachFee = fee / n
		p.FirstFee = fee/n + fee%n
		p.First += p.FirstFee
		p.Each += p.EachFee
		p.BuyerTotal = amount + fee
		p.SellerNet = amount
	}
	return p, nil
}

// halfEven is amount*ppm/1e6 rounded half to even, through 128 bits. 0 <= amount, 0 <= ppm <= 1e6, so the quotient fits.
func halfEven(amount, ppm int64) (int64, error) {
	if amount < 0 || ppm < 0 || ppm > million {
		return 0, fmt.Errorf("%w: %d at %d ppm", ErrPlanAmount, amount, ppm)
	}
	hi, lo := bits.Mul64(uint64(amount), uint64(ppm))
	q, rem := bits.Div64(hi, lo, million)
	if rem > million/2 || (rem == million/2 && q%2 == 1) {
		q++
	}
	return int64(q), nil
}
