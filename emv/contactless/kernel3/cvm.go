package kernel3

import (
	"bytes"

	"posd/emv/contactless"
)

// verify chooses how the cardholder is verified (Book C-3, 5.7). The card's qualifiers win over the reader's limit: a card may ask for a
// verification below it.
func (t *tap) verify() contactless.CVM {
	if t.decline || t.refund() {
		return contactless.NoCVM
	}
	required := t.ttq[1]&ttqCVMRequired != 0
	q, have := t.ctq()
	switch {
	case !have && required: // 5.7.1.1
		switch {
		case t.ttq[0]&ttqSignature != 0:
			return contactless.Signature
		case t.ttq[0]&ttqOnlinePIN != 0:
			t.online = true
			return contactless.OnlinePIN
		}
	case !have:
	case q[0]&ctqOnlinePIN != 0 && t.ttq[0]&ttqOnlinePIN != 0: // 5.7.1.2
		t.online = true
		return contactless.OnlinePIN
	case q[1]&ctqCDCVM != 0:
		// The qualifiers are not part of the cryptogram. The card signs a copy of them; without that the issuer must see to it.
		if related := t.of(tagCARD); related != nil && (len(related) < 7 || !bytes.Equal(related[5:7], q[:])) || related == nil && t.cid != acARQC {
			t.decline = true
			return contactless.NoCVM
		}
		return contactless.ConfirmationCode
	case q[0]&ctqSignature != 0 && t.ttq[0]&ttqSignature != 0:
		return contactless.Signature
	}
	if required { // 5.7.1.3
		t.decline = true
	}
	return contactless.NoCVM
}
