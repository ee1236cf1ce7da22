package kernel7

import (
	"context"

	"posd/emv/contactless"
	"posd/emv/tlv"
	"posd/internal/money"
)

// end is the last thing a state does.
func (r *run) end(o contactless.Outcome) (state, error) {
	r.out = o
	return nil, nil
}

func (r *run) ui(m contactless.Message, s contactless.UIStatus) *contactless.UIRequest {
	return &contactless.UIRequest{Message: m, Status: s, Languages: r.languages}
}

// over ends the application: message 1C, insert, swipe or try another card.
func (r *run) over() (state, error) {
	return r.end(contactless.Outcome{Status: contactless.EndApplication, UIOutcome: r.ui(contactless.MsgOtherCard, contactless.ProcessingError)})
}

// badCard is over for a card that breaks the specification.
func (r *run) badCard(why string, args ...any) (state, error) {
	r.explain(why, args...)
	return r.over()
}

// otherInterface sends the card to the contacts, or to the stripe where there are none.
func (r *run) otherInterface() (state, error) {
	o := contactless.Outcome{Status: contactless.TryAnotherInterface, UIOutcome: r.ui(contactless.MsgInsertOrSwipe, contactless.ProcessingError)}
	if ttqContact.in(r.ttq[:]) {
		o.UIOutcome.Message, o.Alternate = contactless.MsgInsert, contactless.Contact
	}
	return r.end(o)
}

// again asks for the same card once more: nothing has been approved.
func (r *run) again() (state, error) {
	return r.end(contactless.Outcome{
		Status: contactless.TryAgain, Start: contactless.StartB, UIRestart: r.ui(contactless.MsgPresentAgain, contactless.ReadyToRead),
	})
}

// seePhone is 6986: the owner unlocks his phone and taps again (kernel 3).
func (r *run) seePhone() (state, error) {
	return r.end(contactless.Outcome{
		Status: contactless.TryAgain, Start: contactless.StartB, UIOutcome: r.ui(contactless.MsgSeePhone, contactless.ProcessingError),
		UIRestart: r.ui(contactless.MsgPresentAgain, contactless.ReadyToRead),
	})
}

// lost is what follows when an exchange had no answer: before the last record the card has not paid anything (JR/T, 6.5.2).
func (r *run) lost(err error) (state, error) {
	if err != errLost {
		return nil, err
	}
	r.explain("the card left")
	return r.again()
}

// readOK tells people at once that the card may go.
func (r *run) readOK() {
	if !r.told {
		r.told = true
		r.a.UI(*r.ui(contactless.MsgCardReadOK, contactless.CardRead))
	}
}

func (r *run) decline(why string) (state, error) {
	r.explain("%s", why)
	r.finish()
	o := contactless.Outcome{Status: contactless.Declined, UIOutcome: r.ui(contactless.MsgDeclined, contactless.CardRead)}
	return r.end(r.record(o))
}

// conclude approves offline or asks the issuer.
func conclude(_ context.Context, r *run) (state, error) {
	r.finish()
	o := contactless.Outcome{CVM: r.cvm, Exempt: r.exempt, Receipt: r.cvm == contactless.Signature}
	switch {
	case r.online:
		o.Status, o.UIOutcome = contactless.OnlineRequest, r.ui(contactless.MsgAuthorising, contactless.NotReady)
	default:
		o.Status, o.UIOutcome = contactless.Approved, r.ui(contactless.MsgApproved, contactless.CardRead)
		if r.cvm == contactless.Signature {
			o.UIOutcome.Message = contactless.MsgApprovedSign
		}
		if b, ok := r.balance(); ok && r.k.cfg.Cash.On {
			o.UIOutcome.Amount, o.UIOutcome.Balance = &money.Amount{Minor: b, Currency: r.a.Transaction.Amount.Currency}, true
		}
	}
	return r.end(r.record(o))
}

// finish puts the objects in place that depend on the outcome: the method of verification, and what the card has decided where it did
// not say so in 9F27.
func (r *run) finish() {
	r.term.cvm = cvmResults(r.cvm)
	r.icc.Add(tagCID, []byte{r.ac.cid()})
}

// record adds the data of the transaction.
func (r *run) record(o contactless.Outcome) contactless.Outcome {
	all := &objects{r.term.store, r.icc}
	o.Objects = all
	b := make([]byte, 0, 320)
	put := func(tags []tlv.Tag) {
		for _, t := range tags {
			if v, ok := all.Get(t); ok {
				b = tlv.Append(b, t, v)
			}
		}
	}
	put(field55[:])
	put(besideField55[:])
	o.DataRecord = b
	if v, ok := r.icc.Get(tagOfflineAmount); ok {
		o.Discretionary = tlv.Append(nil, tagOfflineAmount, v)
	}
	return o
}

// Field55 cuts the data record of an outcome down to the objects of ISO 8583 field 55, in UnionPay's order. What is no data record gives
// what can be read of it.
func Field55(record []byte) []byte {
	out := make([]byte, 0, len(record))
	d := tlv.NewDecoder(record)
	for o, more := d.Next(); more; o, more = d.Next() {
		for _, t := range field55 {
			if o.Tag == t {
				out = append(out, record[o.Offset:o.End]...)
			}
		}
	}
	return out
}
