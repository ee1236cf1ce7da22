package emv

import (
	"context"

	"posd/emv/oda"
	"posd/emv/tlv"
)

// dda has the card sign a challenge and verifies the signature (Book 2, 6.5). It returns false where authentication failed and an
// error only where the transaction cannot go on.
func (s *Session) dda(ctx context.Context) (bool, error) {
	list := s.app.DDOL
	if v, ok := s.icc.Get(tagDDOL); ok {
		list = v
	}
	// 6.5.1: without a DDOL on either side, or without 9F37 in it, authentication has failed.
	ddol, err := tlv.ParseDOL(list)
	if err != nil || !ddol.Has(tagUN) {
		return false, nil
	}
	data, err := ddol.Append(make([]byte, 0, 32), maxCommandData, s.Get)
	if err != nil {
		return false, nil
	}
	r, sw, err := s.exchange(ctx, StepODA, s.command(0x00, 0x88, 0x00, 0x00, data, true))
	if err != nil {
		return false, err
	}
	switch {
	case sw == swOK:
	case sw == 0x6283 || sw&0xFFF0 == 0x63C0:
		return false, nil // Book 3, 8.1: warnings do not end a transaction, but there is no signature either
	default:
		return false, &Error{Step: StepODA, SW: sw, Err: ErrBadCard}
	}
	sig, err := parseInternalAuthenticate(r)
	if err != nil {
		return false, err
	}
	dynamic, err := s.iccKey.OpenSigned(sig, data)
	if err != nil {
		return false, nil
	}
	number, ok := oda.DynamicNumber(dynamic)
	if !ok {
		return false, nil
	}
	s.icc.Set(tagSDAD, sig)
	s.icc.Set(tagICCDynamic, number)
	return true, nil
}

// parseInternalAuthenticate takes the signature from an answer in format 1 or 2. An answer that cannot be read, or a format 2 without
// a signature, ends the transaction (Book 3, 6.5.9.4 and 7.5).
func parseInternalAuthenticate(r []byte) ([]byte, error) {
	const what = "answer to INTERNAL AUTHENTICATE"
	o, err := tlv.One(r)
	if err != nil {
		return nil, badData(StepODA, what, err)
	}
	switch o.Tag {
	case tagFormat1:
		return o.Value, nil
	case tagFormat2:
	default:
		return nil, badCard(StepODA, "answer in template %s", o.Tag)
	}
	var sig []byte
	seen := false
	d := tlv.NewDecoder(o.Value)
	for o, more := d.Next(); more; o, more = d.Next() {
		if o.Tag != tagSDAD {
			continue
		}
		if seen {
			return nil, badCard(StepODA, "%s comes twice", o.Tag)
		}
		sig, seen = o.Value, true
	}
	switch {
	case d.Err() != nil:
		return nil, badData(StepODA, what, d.Err())
	case !seen:
		return nil, badCard(StepODA, "%s is missing", tagSDAD)
	}
	return sig, nil
}
