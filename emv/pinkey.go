package emv

import (
	"posd/emv/oda"
	"posd/emv/tlv"
)

// pinKey recovers the key under which a PIN is enciphered for the card (Book 2, 7.1): the card's own key for that purpose where it
// has one, else the key that it has for dynamic data authentication. ok is false when there is none or its certificates are not
// good: the method has then failed, and nothing else, so "ICC data missing" stays as it was (Book 3, 7.5).
func (s *Session) pinKey() (k oda.PublicKey, ok bool) {
	missing := tvrDataMissing.in(s.tvr[:])
	defer func() {
		if !missing {
			tvrDataMissing.clear(s.tvr[:])
		}
	}()
	for _, t := range []tlv.Tag{tagCAIndex, tagIssuerCert, tagIssuerExp} {
		if !s.icc.Has(t) {
			return oda.PublicKey{}, false
		}
	}
	switch {
	case s.icc.Has(tagPINCert) && s.icc.Has(tagPINExp):
		s.noteCAIndex()
		k, err := s.odaCard().PINKey()
		return k, err == nil
	case s.icc.Has(tagICCCert) && s.icc.Has(tagICCExp):
		if s.iccKey.OK() || s.recoverICCKey() {
			return s.iccKey, true
		}
	}
	return oda.PublicKey{}, false
}
