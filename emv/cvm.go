package emv

import (
	"bytes"
	"context"
	"encoding/binary"
)

// Cardholder verification methods, bits 6 to 1 of the first byte of a rule (Book 3, C3).
const (
	cvmFail               = 0x00
	cvmPlainPIN           = 0x01
	cvmOnlinePIN          = 0x02
	cvmPlainPINSign       = 0x03
	cvmEncipheredPIN      = 0x04
	cvmEncipheredPINSign  = 0x05
	cvmSignature          = 0x1E
	cvmNone               = 0x1F
	cvmNextIfUnsuccessful = 0x40 // bit 7
	cvmNoneTried          = 0x3F // CVM Results: no method was performed
)

// Third byte of the CVM Results (Book 4, A4).
const (
	cvmUnknown    = 0x00
	cvmFailed     = 0x01
	cvmSuccessful = 0x02
)

// verifyCardholder walks the CVM List (Book 3, 10.5; Book 4, 6.3.4). The outcome is in TVR, TSI and CVM Results; an error is the
// cardholder's cancel key, or a list that breaks the specification.
func (s *Session) verifyCardholder(ctx context.Context) error {
	s.cvm = [3]byte{cvmNoneTried, 0, 0}
	if !aipCVM.in(s.aip[:]) {
		return nil
	}
	list, ok := s.icc.Get(tagCVMList)
	if ok && (len(list) < 8 || len(list)%2 != 0 || len(list) > 252) {
		return badCard(StepCVM, "CVM List of %d bytes", len(list)) // 10.5
	}
	if len(list) <= 8 {
		tvrDataMissing.set(s.tvr[:]) // 7.5, table 35; 10.5: a list without rules is no list
		return nil
	}
	tsiCVM.set(s.tsi[:])
	x, y := binary.BigEndian.Uint32(list), binary.BigEndian.Uint32(list[4:])
	for i := 8; i < len(list); i += 2 {
		code, condition := list[i], list[i+1]
		if !s.conditionHolds(code&0x3F, condition, int64(x), int64(y)) {
			continue
		}
		done, err := s.performCVM(ctx, code, condition)
		if err != nil {
			return err
		}
		if done {
			return nil
		}
		if code&cvmNextIfUnsuccessful == 0 || code&0x3F == cvmFail {
			break
		}
	}
	tvrCVMFailed.set(s.tvr[:])
	if s.cvm[0] == cvmNoneTried {
		// Book 4, table 2: no condition was satisfied, or no method could be performed.
		s.cvm[2] = cvmFailed
	}
	return nil
}

// conditionHolds evaluates a CVM condition code (Book 3, C3). A condition that needs data which are absent, or that is
// not known, does not hold: the rule is passed over.
func (s *Session) conditionHolds(method, condition byte, x, y int64) bool {
	cash := s.req.Type == typeCash
	switch condition {
	case 0x00:
		return true
	case 0x01:
		return cash && !s.k.attended()
	case 0x02:
		return !cash && !s.cashback()
	case 0x03:
		return s.supports(method)
	case 0x04:
		return cash && s.k.attended()
	case 0x05:
		return s.cashback()
	case 0x06, 0x07, 0x08, 0x09:
		app, ok := s.icc.Get(tagAppCurrency)
		currency, _ := s.term.Get(tagCurrency)
		if !ok || !bytes.Equal(app, currency) {
			return false
		}
		switch condition {
		case 0x06:
			return s.req.Amount.Minor < x
		case 0x07:
			return s.req.Amount.Minor > x
		case 0x08:
			return s.req.Amount.Minor < y
		}
		return s.req.Amount.Minor > y
	}
	return false
}

// supports tells whether the terminal can perform a method, by its Terminal Capabilities 9F33. Of a combination it must be able to
// perform both (Book 4, 6.3.4).
func (s *Session) supports(method byte) bool {
	caps := s.k.cfg.Terminal.Capabilities[:]
	switch method {
	case cvmFail:
		return true
	case cvmPlainPIN:
		return capPlainPIN.in(caps)
	case cvmOnlinePIN:
		return capOnlinePIN.in(caps)
	case cvmPlainPINSign:
		return capPlainPIN.in(caps) && capSignature.in(caps)
	case cvmEncipheredPIN:
		return capEncipheredPIN.in(caps)
	case cvmEncipheredPINSign:
		return capEncipheredPIN.in(caps) && capSignature.in(caps)
	case cvmSignature:
		return capSignature.in(caps)
	case cvmNone:
		return capNoCVM.in(caps)
	}
	return false
}

// cannotPerform sets what the TVR says of a method that this terminal does not recognise or does not support (10.5, figure 9). A
// terminal that supports one form of offline PIN has a PIN pad, even if the card wants the other form.
func (s *Session) cannotPerform(method byte) {
	caps := s.k.cfg.Terminal.Capabilities[:]
	switch method {
	case cvmOnlinePIN:
		tvrPINPadFailed.set(s.tvr[:])
	case cvmPlainPIN, cvmPlainPINSign, cvmEncipheredPIN, cvmEncipheredPINSign:
		if !capPlainPIN.in(caps) && !capEncipheredPIN.in(caps) {
			tvrPINPadFailed.set(s.tvr[:])
		}
	case cvmSignature, cvmNone:
	default:
		tvrCVMUnknown.set(s.tvr[:])
	}
}

// performCVM tries one method whose condition holds and reports whether it ended the processing successfully. CVM Results are those
// of the last method that was performed (Book 4, 6.3.4.5): one that cannot be leaves there what an earlier one has put.
func (s *Session) performCVM(ctx context.Context, code, condition byte) (done bool, err error) {
	method := code & 0x3F
	if !s.supports(method) {
		s.cannotPerform(method)
		return false, nil
	}
	result := byte(cvmFailed)
	switch method {
	case cvmPlainPIN, cvmEncipheredPIN:
		if done, err = s.offlinePINVerified(ctx, method == cvmEncipheredPIN); done {
			result = cvmSuccessful
		}
	case cvmPlainPINSign, cvmEncipheredPINSign:
		// 10.5.4: both must succeed; as with the signature alone, the merchant will see.
		if done, err = s.offlinePINVerified(ctx, method == cvmEncipheredPINSign); done {
			s.signature = true
			result = cvmUnknown
		}
	case cvmOnlinePIN:
		if done, err = s.onlinePINEntered(ctx); done {
			tvrOnlinePIN.set(s.tvr[:])
			result = cvmUnknown // the issuer will know
		}
	case cvmSignature:
		done, s.signature, result = true, true, cvmUnknown
	case cvmNone:
		done, result = true, cvmSuccessful
	}
	if err != nil {
		return false, err
	}
	s.cvm = [3]byte{code, condition, result}
	return done, nil
}
