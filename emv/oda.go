package emv

import (
	"context"
	"errors"

	"posd/emv/oda"
	"posd/emv/tlv"
)

// odaMethod is the kind of offline data authentication that card and terminal agree upon.
type odaMethod uint8

const (
	odaNone odaMethod = iota
	odaSDA
	odaDDA
	odaCDA
	odaXDA
)

// authenticate chooses the method of offline data authentication and performs it (Book 3, 10.3; Book 2, chapters 5, 6 and 12). A
// failure is a bit of the TVR, never an error: what it means is decided by terminal action analysis. With CDA and XDA only the keys
// are recovered here; the signature comes with the cryptogram.
func (s *Session) authenticate(ctx context.Context) error {
	caps := s.k.cfg.Terminal.Capabilities[:]
	switch {
	case aipXDA.in(s.aip[:]) && capXDA.in(caps):
		s.oda = odaXDA
		s.startXDA()
	case aipCDA.in(s.aip[:]) && capCDA.in(caps):
		s.oda = odaCDA
		if !s.recoverICCKey() {
			s.failCDA()
		}
	case aipDDA.in(s.aip[:]) && capDDA.in(caps):
		s.oda = odaDDA
		ok := s.recoverICCKey()
		if ok {
			var err error
			if ok, err = s.dda(ctx); err != nil {
				return err
			}
		}
		if !ok {
			tvrDDAFailed.set(s.tvr[:])
		}
		tsiODA.set(s.tsi[:])
	case aipSDA.in(s.aip[:]) && capSDA.in(caps):
		s.oda = odaSDA
		tvrSDASelected.set(s.tvr[:])
		if !s.sda() {
			tvrSDAFailed.set(s.tvr[:])
		}
		tsiODA.set(s.tsi[:])
	default:
		tvrODANotPerformed.set(s.tvr[:])
	}
	return nil
}

// failCDA records that combined authentication failed. From here on no signature is asked for (Book 2, 6.6).
func (s *Session) failCDA() {
	s.cdaFailed = true
	tvrCDAFailed.set(s.tvr[:])
	tsiODA.set(s.tsi[:])
}

// have tells whether the card has all the objects that a method needs; if not, TVR "ICC data missing" (Book 3, 7.2).
func (s *Session) have(tags ...tlv.Tag) bool {
	for _, t := range tags {
		if !s.icc.Has(t) {
			tvrDataMissing.set(s.tvr[:])
			return false
		}
	}
	return true
}

// odaCard is what offline data authentication needs to know of the card and the terminal.
func (s *Session) odaCard() oda.Card {
	return oda.Card{
		RID: s.rid, PAN: s.panField, Static: s.signed, Broken: s.signedBroken, Today: s.req.Time,
		CAKeys: s.k.cfg.CAKeys, Revoked: s.k.cfg.Revoked,
		Get: func(t tlv.Tag) ([]byte, bool) {
			if t == tagAIP {
				return s.aip[:], true
			}
			return s.icc.Get(t)
		},
	}
}

// noteMissing sets TVR "ICC data missing" when that is what err is (Book 3, 7.2).
func (s *Session) noteMissing(err error) {
	if errors.Is(err, oda.ErrMissing) {
		tvrDataMissing.set(s.tvr[:])
	}
}

// noteCAIndex makes the terminal's 9F22 the index that the card names.
func (s *Session) noteCAIndex() {
	if index, _ := s.icc.Get(tagCAIndex); len(index) == 1 {
		s.term.Set(tagCAIndexTerm, index)
	}
}

// sda verifies the signed static application data 93 (Book 2, 5.4).
func (s *Session) sda() bool {
	if !s.have(tagCAIndex, tagIssuerCert, tagIssuerExp, tagSSAD) {
		return false
	}
	s.noteCAIndex()
	dac, err := s.odaCard().SDA()
	s.noteMissing(err)
	if err != nil {
		return false
	}
	s.icc.Set(tagDAC, dac)
	return true
}

// recoverICCKey recovers the ICC public key from certificate 9F46 with the issuer's key (Book 2, 6.4).
func (s *Session) recoverICCKey() bool {
	if !s.have(tagCAIndex, tagIssuerCert, tagIssuerExp, tagICCCert, tagICCExp) {
		return false
	}
	s.noteCAIndex()
	var err error
	s.iccKey, err = s.odaCard().ICCKey()
	s.noteMissing(err)
	return err == nil
}
