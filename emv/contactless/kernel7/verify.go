package kernel7

import (
	"bytes"
	"context"

	"posd/emv/contactless"
)

// verify chooses the cardholder verification by the card's qualifiers (C-7, "resolved from the CTQ"; the order is kernel 3's, C-3 5.7; JR/T,
// 7.6 and 7.8, has PIN and signature and no phones).
func verify(ctx context.Context, r *run) (state, error) {
	cvm, why := r.chooseCVM()
	if why != "" {
		return r.decline(why)
	}
	r.cvm = cvm
	return exempted, nil
}

func (r *run) chooseCVM() (cvm contactless.CVM, why string) {
	pin, signature, required := ttqOnlinePIN.in(r.ttq[:]), ttqSignature.in(r.ttq[:]), ttqCVMRequired.in(r.ttq[:])
	switch {
	case !r.hasCTQ && !required:
		return contactless.NoCVM, ""
	case !r.hasCTQ && signature: // JR/T, 7.6
		return contactless.Signature, ""
	case !r.hasCTQ && pin && r.mayGoOnline():
		r.online = true
		return contactless.OnlinePIN, ""
	case !r.hasCTQ:
		return 0, "the cardholder must be verified, and cannot be"
	case ctqOnlinePIN.in(r.ctq[:]) && pin && r.mayGoOnline():
		r.online = true
		return contactless.OnlinePIN, ""
	case ctqVerifiedByPhone.in(r.ctq[:]) && !r.k.cfg.IgnoreCDCVM:
		return r.byPhone()
	case ctqVerifiedByPhone.in(r.ctq[:]) && pin && r.mayGoOnline(): // FF8057 is off: a phone is a card like any other
		r.online = true
		return contactless.OnlinePIN, ""
	case ctqSignature.in(r.ctq[:]) && signature:
		return contactless.Signature, ""
	case required:
		return 0, "the cardholder must be verified, and card and reader have no method for it"
	}
	return contactless.NoCVM, ""
}

// mayGoOnline: a PIN is for the issuer. A payment that is offline can be taken there unless a purse has paid already; JR/T, 7.8.2, has no
// PIN on the offline path at all.
func (r *run) mayGoOnline() bool {
	return r.online || r.onlineCapable() && !r.purse() && r.icc.Has(tagTrack2)
}

// byPhone believes the bit that anybody could set only with its signed copy in 9F69, or where the issuer sees the cryptogram.
func (r *run) byPhone() (contactless.CVM, string) {
	if auth, ok := r.icc.Get(tagCardAuth); ok {
		if len(auth) < minCardAuth || !bytes.Equal(auth[5:7], r.ctq[:]) {
			return 0, "the qualifiers and their signed copy differ"
		}
	} else if r.ac != cryptogramARQC {
		return 0, "the phone's word for its owner is not signed"
	}
	return contactless.ConfirmationCode, ""
}
