package kernel7

import (
	"context"

	"posd/emv/tlv"
)

// purse tells whether the money is gone from the card already: it was an electronic cash payment (9F74) and the last record was given out.
// Such a payment stays offline: going online, or to another interface, would take the money a second time (own choice; the card's
// qualifiers know no such case).
func (r *run) purse() bool { return r.whole && r.icc.Has(tagCashCode) }

// restrict is what kernel 3 has as processing restrictions, on the offline path: the expiry date and the exception file. JR/T and terminals
// for qPBOC look at neither usage control nor effective date here.
func restrict(_ context.Context, r *run) (state, error) {
	r.readOK()
	if r.pan == "" {
		return r.badCard("neither %s nor %s", tagPAN, tagTrack2)
	}
	switch {
	case r.expiry == 0 || r.expiry < r.today(): // a card without a date counts as expired
		return expired, nil
	case r.listed():
		return listed, nil
	}
	return authenticate, nil
}

func expired(_ context.Context, r *run) (state, error) {
	return r.askIssuer(ctqExpiredOnline, "the application has expired, or has no date")
}

func listed(_ context.Context, r *run) (state, error) {
	return r.decline("the card is on the exception file")
}

// unauthenticated is what follows from a failed authentication.
func unauthenticated(_ context.Context, r *run) (state, error) {
	if !ctqODAOnline.in(r.ctq[:]) && ctqODAOther.in(r.ctq[:]) && ttqContact.in(r.ttq[:]) && !r.purse() {
		return r.otherInterface()
	}
	return r.askIssuer(ctqODAOnline, "authentication has failed")
}

// askIssuer goes online where the card's qualifiers want that and it can be done, else it declines.
func (r *run) askIssuer(wish bit, why string) (state, error) {
	switch {
	case !wish.in(r.ctq[:]) || !r.onlineCapable():
		return r.decline(why)
	case r.purse():
		return r.decline(why + "; a purse that was debited does not go online")
	case !r.icc.Has(tagTrack2):
		return r.badCard("%s; no %s to go online with", why, tlv.Tag(tagTrack2))
	}
	r.explain("%s", why)
	r.online = true
	return verify, nil
}
