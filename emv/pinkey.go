package emv

import "posd/emv/tlv"

// pinKey recovers the key under which a PIN is enciphered for the card (Book 2, 7.1): the card's own key for that purpose where it
// has one, else the key that it has for dynamic data authentication. ok is false when there is none or its certificates are not
// good: the method has then failed, and nothing else, so "ICC data missing" stays as it was (Book 3, 7.5).
func (s *Session) pinKey() (k publicKey, ok bool) {
	missing := tvrDataMissing.in(s.tvr[:])
	defer func() {
		if !missing {
			tvrDataMissing.clear(s.tvr[:])
		}
	}()
	for _, t := range []tlv.Tag{tagCAIndex, tagIssuerCert, tagIssuerExp} {
		if !s.icc.Has(t) {
			return publicKey{}, false
		}
	}
	switch {
	case s.icc.Has(tagPINCert) && s.icc.Has(tagPINExp):
		return s.recoverPINKey()
	case s.icc.Has(tagICCCert) && s.icc.Has(tagICCExp):
		if s.iccKey.n != nil || s.recoverICCKey() {
			return s.iccKey, s.iccKey.n != nil
		}
	}
	return publicKey{}, false
}

// recoverPINKey recovers the ICC PIN encipherment public key from certificate 9F2D: as the ICC public key (Book 2, 6.4), but the
// static data are not part of the hash (7.1).
func (s *Session) recoverPINKey() (publicKey, bool) {
	issuer, ok := s.recoverIssuerKey()
	if !ok {
		return publicKey{}, false
	}
	cert, _ := s.icc.Get(tagPINCert)
	rest, _ := s.icc.Get(tagPINRest)
	exp, _ := s.icc.Get(tagPINExp)
	r := issuer.recover(cert)
	const head, tail = 21, 21 // bytes before and behind the leftmost part of the key
	if !wellFormed(r, 0x04, head+tail, rest, exp) {
		return publicKey{}, false
	}
	pan, err := tlv.Compressed(r[2:12])
	if err != nil || pan != s.pan || !s.notExpired(r[12:14]) || r[17] != hashSHA1 || r[18] != algRSA {
		return publicKey{}, false
	}
	return joinKey(r[head:len(r)-tail], int(r[19]), rest, exp)
}
