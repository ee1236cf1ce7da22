package pinpad

import (
	"context"
	"errors"
	"fmt"
	"time"

	"posd/vault"
)

// maxTimeout is the longest PIN entry: what a UIC pad can be told.
const maxTimeout = 270 * time.Second

// EnterPIN is vault.Pad's: it looks whether there is a master key (04), selects it (08), shows a prompt and asks for the PIN.
//
// When ctx ends or the time is up the entry is cancelled with 72. An EOT from the pad is vault.ErrPINTimeout when the time is up,
// otherwise vault.ErrPINCancelled; before the ACK of the request it means that the pad refuses it.
func (d *Dev) EnterPIN(ctx context.Context, pik []byte, r vault.PINEntry) (pb vault.PINBlock, err error) {
	if err := errors.Join(checkSessionKey(pik), checkPAN(r.PAN)); err != nil {
		return pb, outward(err)
	}
	if r.Timeout <= 0 {
		r.Timeout = defaultTimeout
	}
	r.Timeout = min(r.Timeout, maxTimeout)
	packet, amount := d.o.Packet, ""
	if packet == P70 {
		if amount = r.Amount.Major(); len(amount) < 4 || len(amount) > 8 || r.Amount.Minor < 0 {
			packet = Z60 // 70 has no room for this amount
		}
	}
	err = d.run(ctx, func(l *link) error {
		pb, err = d.enterPIN(ctx, l, packet, amount, pik, r)
		return err
	})
	return pb, err
}

func (d *Dev) enterPIN(ctx context.Context, l *link, packet Packet, amount string, pik []byte, r vault.PINEntry) (vault.PINBlock, error) {
	var none vault.PINBlock
	there, err := l.loaded(ctx, d.o.Slot)
	if err != nil {
		return none, err
	}
	if !there {
		return none, ErrNoMasterKey
	}
	if err := d.selectSlot(ctx, l, d.o.Slot); err != nil {
		return none, err
	}
	switch {
	case packet == P70, packet == Z62: // the pad prompts
	case d.o.Dialect == UIC:
		err = l.showTrusted(ctx, d.o.PromptID)
	default:
		err = l.show(ctx, d.o.Prompt(r))
	}
	if err != nil {
		return none, err
	}
	req := d.o.pinRequest(packet, pik, r, amount)
	defer clear(req)
	if err := l.send(ctx, false, req, true); err != nil {
		if errors.Is(err, ErrEndedByPad) && d.o.Dialect == VF && packet != Z62 {
			// Key, prompt and arguments are right: what is left is the limit on PIN entries, which has no code of its own.
			return none, fmt.Errorf("%w (%w)", ErrThrottled, ErrEndedByPad)
		}
		return none, err
	}
	start := time.Now()
	digits := 0
	tell := func(cleared bool) {
		if digits++; cleared {
			digits = 0
		}
		if r.Progress != nil && digits <= vault.MaxPIN {
			r.Progress(digits)
		}
	}
	a, err := l.answer(ctx, start.Add(r.Timeout), false, "71", tell)
	switch {
	case errors.Is(err, errTimeout):
		return none, vault.ErrPINTimeout
	case errors.Is(err, ErrEndedByPad) && time.Since(start) >= r.Timeout:
		return none, fmt.Errorf("%w (%w)", vault.ErrPINTimeout, err)
	case errors.Is(err, ErrEndedByPad):
		return none, fmt.Errorf("%w (%w)", vault.ErrPINCancelled, err)
	case err != nil:
		return none, err
	}
	pb, err := d.o.parsePIN(a)
	clear(a)
	if werr := l.write(ack); err == nil && werr != nil {
		// The block is here and whole; only the pad does not know. The next call clears that up.
		l.unsure = true
	}
	return pb, err
}
