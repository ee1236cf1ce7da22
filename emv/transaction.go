package emv

import (
	"context"
	"errors"
	"fmt"
)

// Transaction types, tag 9C: the first two digits of the ISO 8583 processing code. Any other two digits may be used too; to the card's
// usage control they are neither cash nor a purchase.
const (
	TypeGoods    = 0x00 // goods and services
	TypeCash     = 0x01
	TypePreauth  = 0x03 // pre-authorisation, as UnionPay codes it; a purchase to the card
	TypeCashback = 0x09 // purchase with cashback; Request.Other is the cashback
	TypeRefund   = 0x20
	TypeBalance  = 0x31 // balance inquiry
)

const (
	typeGoods    = TypeGoods
	typeCash     = TypeCash
	typeCashback = TypeCashback
)

// purchase tells whether the transaction type indicates a purchase of goods or services (Book 3, table 36).
func (s *Session) purchase() bool {
	return s.req.Type == TypeGoods || s.req.Type == TypePreauth || s.req.Type == TypeCashback
}

// cashback tells whether the transaction has a cashback amount.
func (s *Session) cashback() bool { return s.req.Type == typeCashback || s.req.Other > 0 }

// prepare checks what of the request depends on the terminal, and narrows the session down to the applications that may be used for it.
func (s *Session) prepare() error {
	r := &s.req
	fail := func(why string) error { return fmt.Errorf("%w: %s", ErrRequest, why) }
	switch {
	case r.Flow > ReadAbortFlow:
		return fail("no such flow")
	case r.Other > 0 && r.Type != TypeGoods && r.Type != TypeCashback:
		return fail("an amount of cashback goes with a purchase only") // Book 4, 6.5.1
	case r.Other == 0 && r.Type == TypeCashback:
		return fail("a purchase with cashback has no amount of cashback")
	case r.Counter == 0:
		return fail("the sequence counter is zero") // Book 4, 6.5.5
	case r.ForceOnline && (!s.k.attended() || s.k.offlineOnly()):
		return fail("nobody can force this terminal online") // Book 4, 6.5.3
	}
	if r.ForceOnline {
		tvrForcedOnline.set(s.tvr[:])
	}
	s.k = s.k.forType(r.Type)
	return nil
}

// shortFlow ends a short flow once the records are read; done is false in a full one. Offline data authentication and cardholder
// verification have no use when nothing is to be approved: the TVR says that the first was not performed.
func (s *Session) shortFlow(ctx context.Context) (done bool, err error) {
	if s.req.Flow == FullFlow {
		return false, nil
	}
	s.cvm = [3]byte{cvmNoneTried, 0, 0}
	tvrODANotPerformed.set(s.tvr[:])
	s.restrict()
	if s.req.Flow == ReadAbortFlow {
		s.setARC(arcOfflineDeclined)
		if _, _, err := s.generateAC(ctx, StepAction, acAAC, s.cdol1, false); err != nil {
			return true, err
		}
	}
	s.outcome = CardRead
	return true, nil
}

// forType returns a Kernel without the applications that must not be used for a transaction type; k itself when there are none.
func (k *Kernel) forType(typ byte) *Kernel {
	n := 0
	for i := range k.cfg.Applications {
		if k.cfg.Applications[i].allows(typ) {
			n++
		}
	}
	if n == len(k.cfg.Applications) {
		return k
	}
	narrow := *k
	narrow.cfg.Applications = make([]Application, 0, n)
	for _, a := range k.cfg.Applications {
		if a.allows(typ) {
			narrow.cfg.Applications = append(narrow.cfg.Applications, a)
		}
	}
	return &narrow
}

// forApplication returns a Kernel whose terminal is what the application wants it to be; k itself when it wants nothing.
func (k *Kernel) forApplication(a *Application) *Kernel {
	t := a.terminal(k.cfg.Terminal)
	if t == k.cfg.Terminal {
		return k
	}
	other := *k
	other.cfg.Terminal = t
	return &other
}

// useApplication makes the terminal what the selected application wants it to be. It starts from what the terminal is without one: a
// card may lead to several applications, one after the other.
func (s *Session) useApplication(a *Application) {
	if s.plain == nil {
		s.plain = s.k
	}
	s.k = s.plain.forApplication(a)
	t := &s.k.cfg.Terminal
	s.term.Set(tagCapabilities, t.Capabilities[:])
	s.term.Set(tagAdditional, t.Additional[:])
	s.term.Set(tagTerminalType, []byte{t.Type})
}

// limitPINs sees to it that an empty PIN is a way past the PIN only where it may be (Book 4, 6.3.4.3): where somebody stands by, and
// where the payment system has nothing against it.
func (s *Session) limitPINs() {
	if !s.k.attended() || s.app.NoPINBypass {
		s.holder = noBypass{s.holder}
	}
}

// noBypass is a cardholder who is asked again when he has pressed Enter without digits.
type noBypass struct{ Cardholder }

// maxEmptyPINs is how often in a row a cardholder may press Enter without digits where that is no way past the PIN.
const maxEmptyPINs = 3

var errNoBypass = errors.New("PIN entry cannot be bypassed here")

// OnlinePIN is Cardholder.OnlinePIN without the outcome PINBypassed.
func (h noBypass) OnlinePIN(ctx context.Context, r PINRequest) (PINOutcome, error) {
	for range maxEmptyPINs {
		out, err := h.Cardholder.OnlinePIN(ctx, r)
		if err != nil || out != PINBypassed {
			return out, err
		}
	}
	return 0, fmt.Errorf("%w: %w", ErrCancelled, errNoBypass)
}

// OfflinePIN is Cardholder.OfflinePIN without the outcome PINBypassed.
func (h noBypass) OfflinePIN(ctx context.Context, r OfflinePINRequest) (OfflinePINAnswer, error) {
	for range maxEmptyPINs {
		a, err := h.Cardholder.OfflinePIN(ctx, r)
		if err != nil || a.Outcome != PINBypassed {
			return a, err
		}
	}
	return OfflinePINAnswer{}, fmt.Errorf("%w: %w", ErrCancelled, errNoBypass)
}
