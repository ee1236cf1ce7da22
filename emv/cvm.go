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
	if !ok {
		tvrDataMissing.set(s.tvr[:]) // 7.2
		return nil
	}
	if len(list) < 8 || len(list)%2 != 0 || len(list) > 252 {
		return badCard(StepCVM, "CVM List of %d bytes", len(list))
	}
	if len(list) == 8 {
		return nil // 10.5: a list without rules is no list
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

// conditionHolds evaluates a CVM condition code (Book 3, C3, table 40). A condition that needs data which are absent, or that is
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

// supports tells whether the terminal can perform a method, by its Terminal Capabilities 9F33. The methods with offline PIN are
// not among them.
func (s *Session) supports(method byte) bool {
	caps := s.k.cfg.Terminal.Capabilities[:]
	switch method {
	case cvmFail:
		return true
	case cvmOnlinePIN:
		return capOnlinePIN.in(caps)
	case cvmSignature:
		return capSignature.in(caps)
	case cvmNone:
		return capNoCVM.in(caps)
	}
	return false
}

// performCVM tries one method whose condition holds and reports whether it ended the processing successfully.
func (s *Session) performCVM(ctx context.Context, code, condition byte) (done bool, err error) {
	method := code & 0x3F
	switch method {
	case cvmFail:
		s.cvm = [3]byte{code, condition, cvmFailed}
		return false, nil
	case cvmOnlinePIN:
		if !s.supports(method) {
			tvrPINPadFailed.set(s.tvr[:]) // 10.5.2
			break
		}
		ok, err := s.onlinePINEntered(ctx)
		if err != nil {
			return false, err
		}
		if ok {
			tvrOnlinePIN.set(s.tvr[:])
			s.cvm = [3]byte{code, condition, cvmUnknown} // the issuer will know
			return true, nil
		}
		s.cvm = [3]byte{code, condition, cvmFailed}
		return false, nil
	case cvmPlainPIN, cvmPlainPINSign, cvmEncipheredPIN, cvmEncipheredPINSign:
		// 10.5.1: this kernel hands no PIN to the card, and Config.Check holds the capabilities to that.
		tvrPINPadFailed.set(s.tvr[:])
	case cvmSignature:
		if s.supports(method) {
			s.signature = true
			s.cvm = [3]byte{code, condition, cvmUnknown} // the merchant will see
			return true, nil
		}
	case cvmNone:
		if s.supports(method) {
			s.cvm = [3]byte{code, condition, cvmSuccessful}
			return true, nil
		}
	default:
		tvrCVMUnknown.set(s.tvr[:])
	}
	// Not performed: the results keep what an earlier rule has left there.
	return false, nil
}

// onlinePINEntered has the PIN pad capture a PIN for the issuer (Book 3, 10.5.2). A cardholder who has bypassed PIN entry is not
// asked again (Book 4, 6.3.4.3).
func (s *Session) onlinePINEntered(ctx context.Context) (bool, error) {
	if s.pinBypassed {
		tvrPINNotEntered.set(s.tvr[:])
		return false, nil
	}
	outcome, err := s.holder.OnlinePIN(ctx, PINRequest{PAN: s.pan, Amount: s.req.Amount})
	if err != nil {
		return false, &Error{Step: StepCVM, Err: err}
	}
	switch outcome {
	case PINEntered:
		s.onlinePIN = true
		return true, nil
	case PINBypassed:
		s.pinBypassed = true
		tvrPINNotEntered.set(s.tvr[:])
	default:
		tvrPINPadFailed.set(s.tvr[:])
	}
	return false, nil
}
