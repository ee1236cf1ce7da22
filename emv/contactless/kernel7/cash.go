package kernel7

import (
	"context"

	"posd/emv/tlv"
)

// Cash is electronic cash, the purse of PBOC cards (JR/T 0025.13), which UnionPay has given up for debit and credit cards. The zero Cash is
// off: 9F7A says that the terminal does not support it and no balance is asked for. A card that pays from its purse nevertheless, because
// it may approve offline, is taken: its money is gone.
type Cash struct {
	On    bool
	Limit int64 // 9F7B, electronic cash terminal transaction limit, minor units: at or above it the purse is not used
}

// wanted tells whether this transaction may be paid from the purse: purchases below the limit (JR/T 0025.13, 6.3).
func (c Cash) wanted(r *run) bool {
	return c.On && r.sale() && r.a.Transaction.Other == 0 && r.a.Transaction.Amount.Minor < c.Limit && !ttqOnlineRequired.in(r.ttq[:])
}

// announce puts 9F7A, and 9F7B where there is a limit, into the terminal's objects.
func (c Cash) announce(r *run) {
	support := []byte{0}
	if c.wanted(r) {
		support[0] = 1
	}
	r.term.store.Set(tagCashSupport, support)
	if b, ok := tlv.AppendNumber(nil, c.Limit, 6); ok && c.On {
		r.term.store.Set(tagCashLimit, b)
	}
}

// cashBefore asks for the balance before a payment from the purse: without it nobody can tell later whether a card that was torn from the
// field has paid.
func cashBefore(ctx context.Context, r *run) (state, error) {
	if !r.k.cfg.Cash.wanted(r) {
		return options, nil
	}
	v, ok, err := r.getData(ctx, tagCashBalance)
	if err != nil {
		return r.lost(err)
	}
	if ok && len(v) == 6 {
		r.icc.Set(tagCashBalance, v)
	}
	return options, nil
}

// cashAfter checks what a payment from the purse has to have and learns the new balance, if the card stays for it.
func cashAfter(ctx context.Context, r *run) (state, error) {
	v, ok := r.icc.Get(tagCashCode)
	if !ok || !r.k.cfg.Cash.On {
		return restrict, nil
	}
	if len(v) != 6 {
		return r.badCard("%s has %d bytes", tagCashCode, len(v))
	}
	if r.icc.Has(tagOfflineAmount) {
		return restrict, nil
	}
	v, ok, err := r.getData(ctx, tagCashBalance)
	switch {
	case err != nil && err != errLost:
		return nil, err
	case ok && len(v) == 6:
		r.icc.Set(tagCashBalance, v)
	default:
		r.icc.Delete(tagCashBalance) // what is known is the balance before
	}
	return restrict, nil
}

// balance is what is left in the purse: 9F5D of the card's answer, else the balance asked for.
func (r *run) balance() (int64, bool) {
	for _, t := range [...]tlv.Tag{tagOfflineAmount, tagCashBalance} {
		if v, ok := r.icc.Get(t); ok && len(v) == 6 {
			n, err := tlv.Number(v)
			return n, err == nil
		}
	}
	return 0, false
}
