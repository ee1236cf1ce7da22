package kernel7

import (
	"context"

	"posd/emv/oda"
)

// authenticate is fast dynamic data authentication, fDDA (C-7: version 01 and nothing else; JR/T, Annex B). It comes after the card may have
// gone, on the offline path alone.
func authenticate(_ context.Context, r *run) (state, error) {
	if why := r.fdda(); why != "" {
		r.explain("fDDA: %s", why)
		return unauthenticated, nil
	}
	return verify, nil
}

// fdda says why authentication has failed, "" when it has not.
func (r *run) fdda() (why string) {
	auth := r.get(tagCardAuth)
	switch {
	case !aipDDA.in(r.get(tagAIP)):
		return "the card does not do it"
	case !r.icc.Has(tagSDAD):
		return "no signature"
	case len(auth) < minCardAuth || len(auth) > maxCardAuth:
		return "no 9F69, or one of an impossible length"
	case auth[0] != fddaVersion:
		return "a version other than 01"
	}
	card := oda.Card{
		RID: r.rid(), PAN: r.panField(), Get: r.icc.Get, Static: r.signed, Broken: r.broken,
		Today: r.a.Transaction.Time, CAKeys: r.a.CAKeys, Revoked: r.a.Revoked,
	}
	key, err := card.ICCKey()
	if err != nil {
		return err.Error()
	}
	var data [len(signedTerminalData)][]byte
	for i, t := range signedTerminalData {
		v, ok := r.term.store.Get(t)
		if !ok {
			v = r.get(t)
		}
		data[i] = v
	}
	if _, err := key.OpenSigned(r.get(tagSDAD), data[:]...); err != nil {
		return err.Error()
	}
	return ""
}

// rid is the registered identifier of the application's name.
func (r *run) rid() []byte {
	if len(r.a.ADF) < 5 {
		return nil
	}
	return r.a.ADF[:5]
}
