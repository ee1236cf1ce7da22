package emv

import "posd/emv/tlv"

// Requests and answers of GENERATE AC: bits 8 and 7 of its P1 and of the Cryptogram Information Data 9F27 (Book 3, tables 12 and
// 15). Their order is that of Book 3, 10.7: a card may lower what the terminal asks for, never raise it.
const (
	acAAC  = 0x00
	acTC   = 0x40
	acARQC = 0x80
	acMask = 0xC0
	acCDA  = 0x10 // P1: with a signature (Book 2, 6.6.1)
)

// Cryptogram Information Data, the low nibble (Book 3, table 15).
const (
	cidAdvice = 0x08
	cidReason = 0x07
)

// Authorisation Response Codes that the terminal makes (Book 4, A6, table 35).
const (
	arcOfflineApproved = "Y1"
	arcOfflineDeclined = "Z1"
	arcUnableApproved  = "Y3"
	arcUnableDeclined  = "Z3"
)

// analyse is terminal action analysis (Book 3, 10.7; Book 4, 6.3.6): which cryptogram the terminal asks for first. Issuer and terminal
// action codes are both reasons; an issuer code that is absent is all zeros for denial and all ones otherwise. An offline-only terminal
// skips the online codes (option 2 of the book) and goes by the default codes at once.
func (s *Session) analyse() byte {
	if s.matches(tagIACDenial, 0x00, s.app.TACDenial) {
		return acAAC
	}
	switch {
	case s.k.onlineOnly():
		return acARQC
	case s.k.offlineOnly():
		if s.matches(tagIACDefault, 0xFF, s.app.TACDefault) {
			return acAAC
		}
	case s.req.ForceOnline:
		// The attendant's wish also stands in the TVR; whether an action code names the bit or not, it is a wish to go online.
		return acARQC
	case s.matches(tagIACOnline, 0xFF, s.app.TACOnline):
		return acARQC
	}
	return acTC
}

// analyseUnable is the analysis when the issuer could not be reached (10.7; Book 4, 12.2.1). An online-only terminal may skip the
// default codes: then it declines, unless its parameters want them.
func (s *Session) analyseUnable() byte {
	if s.k.onlineOnly() && !s.k.cfg.Terminal.OnlineOnlyDefault {
		return acAAC
	}
	if s.matches(tagIACDefault, 0xFF, s.app.TACDefault) {
		return acAAC
	}
	return acTC
}

// matches tells whether a bit of the TVR is also set in the issuer's or the terminal's action code.
func (s *Session) matches(issuer tlv.Tag, absent byte, tac [5]byte) bool {
	iac, ok := s.icc.Get(issuer)
	for i, tvr := range s.tvr {
		mask := tac[i] | absent
		if ok {
			mask = tac[i] | iac[i]
		}
		if tvr&mask != 0 {
			return true
		}
	}
	return false
}
