package txn

import (
	"context"
	"errors"
	"fmt"

	"posd/emv"
	"posd/internal/money"
	"posd/keypad"
	"posd/vault"
)

// cardholder is what the kernel may ask of the person at the terminal.
type cardholder struct {
	t      *Terminal
	amount money.Amount
	block  *[8]byte
	lang   keypad.Lang // of the screen on which the cardholder chooses; "" is the operator's
}

// PreferLanguages takes the languages that the card names, best first (tag 5F2D; Book 4, 11.1): the first one that the terminal has is used
// for what the cardholder chooses from. At the PIN the cardholder looks at the PIN pad, and the display is the operator's.
func (h *cardholder) PreferLanguages(codes []string) {
	h.lang = ""
	for _, c := range codes {
		if l := keypad.Lang(c); l == keypad.ZH || l == keypad.EN {
			h.lang = l
			return
		}
	}
}

// Choose shows the applications of the card (Book 1, 12.4).
func (h *cardholder) Choose(ctx context.Context, cs []emv.Candidate) (int, error) {
	m := keypad.Menu{Name: "choose-application", Lang: h.lang, Title: keypad.T(keypad.CardApp), Amount: &h.amount}
	for _, c := range cs {
		m.Options = append(m.Options, keypad.Option{Text: keypad.Text{Words: map[keypad.Lang]string{keypad.ZH: c.Label, keypad.EN: c.Label}}})
	}
	i, err := h.t.Console.Choose(ctx, m)
	if errors.Is(err, keypad.ErrCancelled) || errors.Is(err, keypad.ErrTimeout) {
		return 0, fmt.Errorf("%w: %w", emv.ErrCancelled, err)
	}
	return i, err
}

// pinScreen is shown while somebody types a PIN: n stars.
func (h *cardholder) pinScreen(title keypad.Msg, mood keypad.Mood, n int) keypad.Screen {
	return keypad.Screen{
		Name: "pin", Mood: mood, Title: keypad.T(title), Amount: &h.amount, Stars: n, ShowStar: true,
		Body:  []keypad.Text{keypad.T(keypad.PINBody)},
		Hints: []keypad.Hint{{Key: keypad.KeyCancel, Text: keypad.T(keypad.HintCancel)}, {Key: keypad.KeyClear, Text: keypad.T(keypad.HintClear)}, {Key: keypad.KeyEnter, Text: keypad.T(keypad.HintOK)}},
	}
}

// OfflinePIN has the reader capture a PIN and give it to the card. The digits never reach this program.
func (h *cardholder) OfflinePIN(ctx context.Context, r emv.OfflinePINRequest) (emv.OfflinePINAnswer, error) {
	none := emv.OfflinePINAnswer{Outcome: emv.PINPadFailed}
	if h.t.CardPIN == nil {
		return none, nil // a terminal that cannot do it: the card's list goes on (Book 3, 10.5.1)
	}
	title, mood := keypad.PINTitle, keypad.Plain
	switch {
	case r.Tries == 1: // Book 4, 6.3.4.1
		title, mood = keypad.PINLast, keypad.Notice
	case r.Again:
		title, mood = keypad.PINAgain, keypad.Notice
	}
	h.t.Console.Show(h.pinScreen(title, mood, 0))
	ask := vault.CardPIN{Timeout: h.t.Config.PINWait, Progress: func(n int) { h.t.Console.Show(h.pinScreen(title, mood, n)) }}
	if c := r.Cipher; c != nil {
		ask.Cipher = &vault.CardPINCipher{Modulus: c.Modulus, Exponent: c.Exponent, Challenge: c.Challenge}
	}
	entry, stop := h.t.Console.Cancellable(ctx) // the operator's own key, should the keypad of the reader not answer
	defer stop()
	sw, err := h.t.CardPIN.VerifyPIN(entry, ask)
	switch {
	case errors.Is(context.Cause(entry), keypad.ErrCancelled):
		return none, fmt.Errorf("%w: %w", emv.ErrCancelled, keypad.ErrCancelled) // even when the card has had a PIN by then
	case errors.Is(err, vault.ErrPINBypassed):
		return emv.OfflinePINAnswer{Outcome: emv.PINBypassed}, nil
	case errors.Is(err, vault.ErrPINCancelled), errors.Is(err, vault.ErrPINTimeout):
		return none, fmt.Errorf("%w: %w", emv.ErrCancelled, err)
	case err != nil:
		return none, err // as with the PIN for the issuer: whoever breaks the keypad must not pay without a PIN
	}
	h.t.Console.Show(busy("reading", keypad.CardReading, &h.amount))
	return emv.OfflinePINAnswer{Outcome: emv.PINEntered, SW: sw}, nil
}

// OnlinePIN has the pad capture a PIN. The digits never reach this program; only their number does, for the stars.
func (h *cardholder) OnlinePIN(ctx context.Context, r emv.PINRequest) (emv.PINOutcome, error) {
	h.t.Console.Show(h.pinScreen(keypad.PINTitle, keypad.Plain, 0))
	entry, stop := h.t.Console.Cancellable(ctx) // the operator's own key, should the pad not answer
	defer stop()
	block, err := h.t.Keys.EnterPIN(entry, vault.PINEntry{
		PAN: r.PAN, Amount: r.Amount, Timeout: h.t.Config.PINWait,
		Progress: func(n int) { h.t.Console.Show(h.pinScreen(keypad.PINTitle, keypad.Plain, n)) },
	})
	switch {
	case errors.Is(context.Cause(entry), keypad.ErrCancelled):
		return 0, fmt.Errorf("%w: %w", emv.ErrCancelled, keypad.ErrCancelled) // even when the block came at the same moment
	case errors.Is(err, vault.ErrPINCancelled), errors.Is(err, vault.ErrPINTimeout):
		return 0, fmt.Errorf("%w: %w", emv.ErrCancelled, err)
	case err != nil:
		// A pad that fails in the middle ends the sale. The books would let the CVM list go on without it (Book 4, 6.3.4.5), but then
		// whoever pulls its cable pays without a PIN.
		return 0, err
	case block.Empty:
		return emv.PINBypassed, nil
	}
	h.block = &block.Block
	h.t.Console.Show(busy("reading", keypad.CardReading, &h.amount))
	return emv.PINEntered, nil
}
