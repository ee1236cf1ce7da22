package kernel7

import (
	"context"
	"slices"
	"time"

	"posd/emv/tlv"
)

// A card that approves offline debits its purse when it gives out the last record. If it leaves the field in that exchange, nobody knows
// whether it has paid: 闪卡, in UnionPay's terminals. The same card is asked for again within RetapTime; it answers the question by the
// balance, and nothing is charged twice. What is known of the procedure: the two times (FF803A, FF803C), that the card is known again by
// the records read after a new SELECT, and that the balance is compared. Everything else here is posd's choice, always the one that rather
// refuses:
//
//   - debited: the records are read again, the signature of the first tap is verified over them, and the payment of the first tap stands;
//   - not debited: the payment is run anew;
//   - cannot be told: the sale ends without approval, and that card pays nothing here until TornLifetime is over.
//
// A card that leaves in any other exchange has not paid: it is asked for again and the payment is run anew.

const maxTorn = 8 // cards remembered

// torn is a card of which is not known whether it has paid.
type torn struct {
	at      time.Time // of the monotonic clock
	adf     string
	counter uint32 // the sale: 9F41, amount, currency
	amount  int64
	cur     uint16
	pan     string // "" when the card had not said
	run     *run   // what the first tap has brought
}

// tear remembers a run whose last record did not arrive.
func (k *Kernel) tear(r *run) {
	r.explain("the card left in the last record")
	tx := &r.a.Transaction
	k.torn = slices.DeleteFunc(k.torn, func(t torn) bool { return t.same(r) })
	if len(k.torn) == maxTorn {
		k.torn = k.torn[1:]
	}
	k.torn = append(k.torn, torn{r.a.Now(), string(r.a.ADF), tx.Counter, tx.Amount.Minor, uint16(tx.Amount.Currency), r.pan, r})
}

// forget drops what is older than TornLifetime.
func (k *Kernel) forget(now time.Time) {
	k.torn = slices.DeleteFunc(k.torn, func(t torn) bool { return now.Sub(t.at) > k.cfg.tornLifetime() })
}

// Torn is how many cards are remembered of which is not known whether they have paid.
func (k *Kernel) Torn() int { return len(k.torn) }

// RetapTime is how long a TRY AGAIN of this kernel waits for the same card before the sale is given up.
func (k *Kernel) RetapTime() time.Duration { return k.cfg.retapTime() }

// same tells whether a torn card belongs to the sale of this activation.
func (t *torn) same(r *run) bool {
	tx := &r.a.Transaction
	return t.counter == tx.Counter && t.amount == tx.Amount.Minor && t.cur == uint16(tx.Amount.Currency)
}

// tornHere is the card torn in this sale, nil when there is none.
func (k *Kernel) tornHere(r *run) *torn {
	for i := range k.torn {
		if k.torn[i].same(r) {
			return &k.torn[i]
		}
	}
	return nil
}

// owes tells whether the card of this run was torn in another sale that is not yet cleared up.
func (k *Kernel) owes(r *run) bool {
	for i := range k.torn {
		if t := &k.torn[i]; t.pan != "" && t.pan == r.pan && !t.same(r) {
			r.explain("this card left another sale before it was known whether it had paid")
			return true
		}
	}
	return false
}

func (k *Kernel) settle(t *torn) {
	k.torn = slices.DeleteFunc(k.torn, func(o torn) bool { return o.run == t.run })
}

// recall is the second tap of a sale whose card was torn from the field.
func recall(t *torn) state {
	torn := *t // the list may move
	return func(ctx context.Context, r *run) (state, error) {
		late := r.since(torn.at) > r.k.cfg.retapTime()
		if string(r.a.ADF) != torn.adf {
			return r.notThatCard(late)
		}
		list, why := files(torn.run.get(tagAFL))
		if why != "" {
			return r.badCard("%s", why)
		}
		// The records are static: reading them debits nothing, there was no GET PROCESSING OPTIONS.
		var again run
		for _, p := range list {
			data, sw, err := r.exchange(ctx, r.command(0x00, 0xB2, p.number, p.sfi<<3|0x04, nil))
			if err != nil {
				return r.lost(err)
			}
			if sw != swOK {
				return r.badCard("the torn card, or another one: READ RECORD: status %04X", sw)
			}
			if why, args := again.takeRecord(p, data); why != "" {
				return r.badCard(why, args...)
			}
		}
		if why, args := again.account(); why != "" {
			return r.badCard(why, args...)
		}
		if torn.pan == "" || again.pan != torn.pan {
			return r.notThatCard(late)
		}
		now, ok, err := r.getData(ctx, tagCashBalance)
		if err != nil {
			return r.lost(err)
		}
		before := torn.run.get(tagCashBalance)
		b, errB := tlv.Number(before)
		n, errN := tlv.Number(now)
		switch {
		case !ok || len(before) != 6 || len(now) != 6 || errB != nil || errN != nil:
			return r.badCard("the balance before or after is not known: the torn card may have paid")
		case n == b:
			r.explain("the torn card has not paid")
			r.k.settle(&torn)
			return cashBefore, nil
		case n == b-torn.amount:
			r.explain("the torn card has paid")
			return r.resume(&torn, &again, now), nil
		}
		return r.badCard("the balance has changed by another amount: the torn card may have paid")
	}
}

// notThatCard: another card must not pay for a sale that the first may have paid. It is asked for until the time is over, then the sale ends.
func (r *run) notThatCard(late bool) (state, error) {
	r.explain("not the card that left")
	if late {
		return r.over()
	}
	return r.again()
}

// resume goes on where the first tap was torn: with its cryptogram and its signature, and with the records read now. The purse has paid,
// so nothing leads online from here.
func (r *run) resume(t *torn, again *run, balance []byte) state {
	first := t.run
	r.icc = again.icc
	for _, tag := range [...]tlv.Tag{
		tagDFName, tagLabel, tagPreferredName, tagCodeTable, tagLanguage, tagAIP, tagAFL, tagATC, tagAC, tagCID, tagIAD, tagCTQ, tagCardAuth,
		tagSDAD, tagTrack2, tagPSN, tagProduct, 0x5F20,
	} {
		if v, ok := first.icc.Get(tag); ok {
			r.icc.Set(tag, v)
		}
	}
	r.icc.Set(tagOfflineAmount, balance)
	r.term, r.ttq = first.term, first.ttq
	r.term.store.Set(tagCVMResults, r.term.cvm[:])
	r.term.store.Set(tagTTQ, r.ttq[:])
	r.signed, r.broken, r.whole = again.signed, again.broken, true
	r.ac, r.ctq, r.hasCTQ = first.ac, first.ctq, first.hasCTQ
	r.pan, r.psn, r.expiry = again.pan, again.psn, again.expiry
	r.k.settle(t) // whatever comes now is the payment's outcome
	r.readOK()
	return restrict
}
