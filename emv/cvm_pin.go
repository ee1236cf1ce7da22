package emv

import (
	"context"

	"posd/emv/tlv"
)

// Status bytes of VERIFY (Book 3, 6.5.12.5 and 10.5.1). 63Cx is a wrong PIN with x tries left.
const (
	swPINBlocked  = 0x6983
	swPINInvalid  = 0x6984 // invalidated, or the enciphered block could not be recovered
	swPINWrong    = 0x63C0
	maskPINTries  = 0x000F
	maxPINEntries = 16 // a card counts from 15 at most: whoever is asked more often has a card that does not count
)

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
	if outcome == PINEntered {
		s.onlinePIN = true
		return true, nil
	}
	s.pinNotEntered(outcome)
	return false, nil
}

// offlinePINVerified has the card verify a PIN, again and again while it was wrong and tries are left (Book 3, 10.5.1 and figure 11;
// Book 4, 6.3.4.1). False is a method that was not successful, with the reason in the TVR. An error is the cardholder's cancel key,
// a lost card, or an answer to VERIFY that no book knows (8.1).
func (s *Session) offlinePINVerified(ctx context.Context, enciphered bool) (bool, error) {
	if s.pinBypassed {
		tvrPINNotEntered.set(s.tvr[:])
		return false, nil
	}
	tries, err := s.pinTries(ctx)
	if err != nil {
		return false, err
	}
	if tries == 0 {
		tvrPINTryLimit.set(s.tvr[:])
		return false, nil
	}
	r := OfflinePINRequest{Amount: s.req.Amount, Tries: tries}
	if enciphered {
		key, ok := s.pinKey()
		if !ok {
			return false, nil // Book 2, 7.1: the method has failed
		}
		r.Cipher = &PINCipher{Modulus: key.Modulus(), Exponent: key.Exponent()}
	}
	for range maxPINEntries {
		if enciphered {
			challenge, err := s.getChallenge(ctx)
			if err != nil || challenge == nil {
				return false, err
			}
			r.Cipher.Challenge = challenge
		}
		a, err := s.holder.OfflinePIN(ctx, r)
		if err != nil {
			return false, &Error{Step: StepCVM, Err: err}
		}
		if a.Outcome != PINEntered {
			s.pinNotEntered(a.Outcome)
			return false, nil
		}
		switch {
		case a.SW == swOK:
			return true, nil
		case a.SW == swPINWrong, a.SW == swPINBlocked, a.SW == swPINInvalid:
			s.pinUsedUp = a.SW == swPINWrong
			tvrPINTryLimit.set(s.tvr[:])
			return false, nil
		case a.SW&^maskPINTries == swPINWrong:
			r.Tries, r.Again = int(a.SW&maskPINTries), true
		default:
			return false, &Error{Step: StepCVM, Reason: "VERIFY", SW: a.SW, Err: ErrBadCard}
		}
	}
	return false, badCard(StepCVM, "no end of PIN tries")
}

// pinNotEntered takes down why there is no PIN. One bypassed is bypassed for the rest of the transaction (Book 4, 6.3.4.3).
func (s *Session) pinNotEntered(outcome PINOutcome) {
	if outcome == PINBypassed {
		s.pinBypassed = true
		tvrPINNotEntered.set(s.tvr[:])
		return
	}
	tvrPINPadFailed.set(s.tvr[:])
}

// pinTries asks the card for its PIN Try Counter (Book 4, 6.3.4.1): -1 when it does not say. A card that has answered VERIFY with
// 63C0 has said it already.
func (s *Session) pinTries(ctx context.Context) (int, error) {
	if s.pinUsedUp {
		return 0, nil
	}
	r, sw, err := s.exchange(ctx, StepCVM, s.command(0x80, 0xCA, 0x9F, 0x17, nil, true))
	if err != nil || sw != swOK {
		return -1, err
	}
	o, err := tlv.One(r)
	if err != nil || o.Tag != tagPINTries || len(o.Value) != 1 {
		return -1, nil
	}
	s.icc.Set(tagPINTries, o.Value)
	return int(o.Value[0]), nil
}

// getChallenge is GET CHALLENGE (Book 3, 6.5.6): eight bytes, or nil when the card gives anything else (Book 2, 7.2 step 2).
func (s *Session) getChallenge(ctx context.Context) ([]byte, error) {
	r, sw, err := s.exchange(ctx, StepCVM, s.command(0x00, 0x84, 0x00, 0x00, nil, true))
	if err != nil || sw != swOK || len(r) != 8 {
		return nil, err
	}
	return r, nil
}
