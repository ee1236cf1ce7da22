package kernel3

import (
	"posd/emv/contactless"
	"posd/emv/tlv"
)

func (t *tap) ui(m contactless.Message, s contactless.UIStatus) contactless.UIRequest {
	return contactless.UIRequest{Message: m, Status: s, Languages: t.languages}
}

func (t *tap) uiOutcome(m contactless.Message, s contactless.UIStatus) *contactless.UIRequest {
	u := t.ui(m, s)
	return &u
}

// endApplication is the outcome for a card whose data cannot be used.
func (t *tap) endApplication() contactless.Outcome {
	return contactless.Outcome{Status: contactless.EndApplication, UIOutcome: t.uiOutcome(contactless.MsgOtherCard, contactless.ProcessingError)}
}

// tryAgain is the outcome for a card that went away before it was read (4.1.1.2).
func (t *tap) tryAgain() contactless.Outcome {
	return contactless.Outcome{
		Status: contactless.TryAgain, Start: contactless.StartB, UIRestart: t.uiOutcome(contactless.MsgPresentAgain, contactless.ReadyToRead),
	}
}

// seePhone is the outcome for a phone that waits for its owner (5.2.2.2, SW 6986).
func (t *tap) seePhone() contactless.Outcome {
	o := contactless.Outcome{
		Status: contactless.TryAgain, Start: contactless.StartB, FieldOff: seePhoneHold,
		UIOutcome: t.uiOutcome(contactless.MsgSeePhone, contactless.ProcessingError),
		UIRestart: t.uiOutcome(contactless.MsgPresentCard, contactless.ReadyToRead),
	}
	o.UIOutcome.Hold = seePhoneHold
	return o
}

// selectNext sends the Entry Point to the next application (5.2.2.2, SW 6985; 5.1.2).
func (t *tap) selectNext() contactless.Outcome {
	return contactless.Outcome{Status: contactless.SelectNext, Start: contactless.StartC}
}

// tryContact asks for the chip (5.2.2.2, SW 6984; 5.6.1.2).
func (t *tap) tryContact() contactless.Outcome {
	return contactless.Outcome{
		Status: contactless.TryAnotherInterface, Alternate: contactless.Contact,
		UIOutcome: t.uiOutcome(contactless.MsgInsert, contactless.ProcessingError),
	}
}

// tryOther asks for chip or stripe (5.5.1.3 to 5.5.1.5).
func (t *tap) tryOther() contactless.Outcome {
	return contactless.Outcome{
		Status: contactless.TryAnotherInterface, UIOutcome: t.uiOutcome(contactless.MsgInsertOrSwipe, contactless.ProcessingError),
	}
}

// final is what the three outcomes of a card that was read have in common: the balance (4.3.1.1) and the data objects.
func (t *tap) final(s contactless.Status, cvm contactless.CVM, m contactless.Message, status contactless.UIStatus) contactless.Outcome {
	t.clearFormFactor()
	o := contactless.Outcome{Status: s, CVM: cvm, UIOutcome: t.uiOutcome(m, status), Objects: t.objects()}
	if b := t.balance(); b != nil {
		o.UIOutcome.Amount, o.UIOutcome.Balance = b, true
		o.Discretionary = tlv.Append(nil, tagBalance, t.of(tagBalance))
	}
	return o
}

// onlineRequest is 5.8.
func (t *tap) onlineRequest(cvm contactless.CVM) contactless.Outcome {
	o := t.final(contactless.OnlineRequest, cvm, contactless.MsgAuthorising, contactless.NotReady)
	o.DataRecord = t.record()
	if q, _ := t.ctq(); t.ttq[2]&ttqIssuerUpdate != 0 && q[1]&ctqIssuerUpdate != 0 { // 5.8.1.2
		o.Start, o.OnlineResponse = contactless.StartB, contactless.ResponseEMVData
		o.UIRestart = t.uiOutcome(contactless.MsgPresentAgain, contactless.ReadyToRead)
		o.FieldOff = contactless.FieldOffNow
	}
	return o
}

// approved is 5.9.1.1.
func (t *tap) approved(cvm contactless.CVM) contactless.Outcome {
	m := contactless.MsgApproved
	if cvm == contactless.Signature {
		m = contactless.MsgApprovedSign
	}
	o := t.final(contactless.Approved, cvm, m, contactless.CardRead)
	o.DataRecord = t.record()
	return o
}

// declined is 5.9.1.2: there is no data record.
func (t *tap) declined() contactless.Outcome {
	return t.final(contactless.Declined, contactless.NoCVM, contactless.MsgDeclined, contactless.CardRead)
}

// record is the data record (annex B.1.1), objects that are not there left out.
func (t *tap) record() []byte {
	tags := [...]tlv.Tag{
		tagAmount, tagOther, tagAC, tagAIP, tagATC, tagPSN, tagCustomer, tagIAD, tagEntryMode, tagCountry, tagCapabilities, tagTrack2,
		tagCurrency, tagDate, tagType, tagUN, tagTVR, tagFormFactor, tagPAR,
	}
	out := make([]byte, 0, 192)
	for _, tag := range tags {
		if tag == tagOther && !t.cashback() {
			continue
		}
		if v, ok := t.get(tag); ok && len(v) > 0 {
			out = tlv.Append(out, tag, v)
		}
	}
	return out
}

// clearFormFactor is 4.1.1.1: the low nibble of byte 4 of the form factor indicator is the reader's, and 0 for EMV mode.
func (t *tap) clearFormFactor() {
	if v := t.of(tagFormFactor); v != nil {
		v[3] &= 0xF0
	}
}

// objects are all data objects of the transaction; the terminal's hide the card's.
func (t *tap) objects() contactless.Objects {
	t.term.Set(tagTTQ, append([]byte(nil), t.ttq[:]...))
	return &objects{t.term, t.icc}
}

type objects struct{ term, icc tlv.Store }

// Get returns a data object of the transaction.
func (o *objects) Get(tag tlv.Tag) ([]byte, bool) {
	if v, ok := o.term.Get(tag); ok {
		return v, true
	}
	return o.icc.Get(tag)
}
