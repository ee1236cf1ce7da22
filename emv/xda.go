package emv

import (
	"errors"

	"posd/emv/oda"
)

// What EMV 4.4 adds for Extended Data Authentication (Book 3, C1 and C5, table 12; Book 4, A2).
var (
	aipXDA          = bit{1, 8}
	capXDA          = bit{3, 3}
	tvrXDASelected  = bit{1, 1}
	tvrXDAFailed    = bit{4, 1}
	tvrCAMissing    = bit{5, 3}
	tvrECCKeyFailed = bit{5, 2}
)

const acXDA = 0x08 // P1 of GENERATE AC: with an XDA signature

// xdaState is where extended data authentication stands.
type xdaState struct {
	key     *oda.ECKey // of the ICC; nil when it could not be recovered
	failure *bit       // of the TVR, once it has failed; it may not be set there before the first GENERATE AC is sent
	onlyTC  bool       // the card has given a TC for a transaction that must go online: there is no second GENERATE AC
}

func (x *xdaState) failed() bool { return x.failure != nil }

// startXDA does what comes before terminal action analysis: the CA key is looked up, and its absence shows in the TVR. The keys of
// issuer and card are recovered too; that this failed must not show before the first GENERATE AC (Book 2, chapter 12; Book 3, 10.3;
// Book 4, 6.3.2.2).
func (s *Session) startXDA() {
	tvrXDASelected.set(s.tvr[:])
	s.have(tagCAIndex, tagIssuerCert, tagICCCert)
	s.noteCAIndex()
	var err error
	s.xda.key, err = s.odaCard().ECCKey()
	switch {
	case errors.Is(err, oda.ErrNoCAKey):
		s.xda.failure = &tvrCAMissing
		tvrCAMissing.set(s.tvr[:])
	case err != nil:
		s.xda.failure = &tvrECCKeyFailed
	}
}
