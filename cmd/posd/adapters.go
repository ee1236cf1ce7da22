package main

import (
	"context"
	"errors"
	"fmt"

	"posd/emv"
	"posd/hal"
	"posd/hal/ccid"
	"posd/hal/msr"
	"posd/hal/thermal"
	"posd/internal/track"
	"posd/printer"
	"posd/qrpay/alipay"
	"posd/txn"
	"posd/vault"
)

// The adapters translate between a driver, which knows a device, and txn, which knows what it needs: above all their errors.

// reader makes a txn.Reader of the CCID driver.
type reader struct{ dev *ccid.Reader }

func (r reader) WaitInserted(ctx context.Context) error { return cardError(r.dev.WaitInserted(ctx)) }
func (r reader) WaitRemoved(ctx context.Context) error  { return cardError(r.dev.WaitRemoved(ctx)) }
func (r reader) PowerOff(ctx context.Context) error     { return cardError(r.dev.PowerOff(ctx)) }

func (r reader) Present(ctx context.Context) (bool, error) {
	in, err := r.dev.Present(ctx)
	return in, cardError(err)
}

func (r reader) PowerOn(ctx context.Context) (emv.Card, error) {
	c, err := r.dev.PowerOn(ctx)
	if err != nil {
		return nil, cardError(err)
	}
	return card{c}, nil
}

type card struct{ dev *ccid.Card }

func (c card) Transceive(ctx context.Context, capdu []byte) ([]byte, error) {
	out, err := c.dev.Transceive(ctx, capdu)
	return out, cardError(err)
}

// cardPIN makes a vault.CardPINPad for the flows of a reader with a keypad.
type cardPIN struct{ dev *ccid.Reader }

func (p cardPIN) VerifyPIN(ctx context.Context, r vault.CardPIN) (uint16, error) {
	sw, err := p.dev.VerifyPIN(ctx, r)
	return sw, cardError(err)
}

// offlinePIN takes out of the terminal's capabilities (9F33, Book 4, A2) the PIN methods for which the board has no keypad, so that
// one file of EMV parameters serves all boards.
func offlinePIN(caps [3]byte, b *hal.Board) [3]byte {
	const plain, enciphered = 0x80, 0x10 // of byte 2
	have := byte(0)
	if b != nil && b.Reader != nil {
		switch ccid.PINEntry(b.Reader.PINEntry) {
		case ccid.PINPlain:
			have = plain
		case ccid.PINEnciphered:
			have = plain | enciphered
		}
	}
	caps[1] &= have | ^byte(plain|enciphered)
	return caps
}

// cardError says whose fault it is: the card's (gone, mute, not speaking by the rules), the caller's (time is up), or else the reader's.
func cardError(err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, ccid.ErrProtocol), errors.Is(err, ccid.ErrBadATR),
		errors.Is(err, vault.ErrPINCancelled), errors.Is(err, vault.ErrPINTimeout), errors.Is(err, vault.ErrPINBypassed):
		return err
	case errors.Is(err, ccid.ErrCardRemoved), errors.Is(err, ccid.ErrMute):
		return fmt.Errorf("%w: %w", emv.ErrCardLost, err)
	}
	return fmt.Errorf("%w: %w", txn.ErrReader, err)
}

// stripe makes a txn.Stripe of the driver of the stripe reader.
type stripe struct{ dev *msr.Reader }

func (s stripe) Swipe(ctx context.Context) (track.Card, error) {
	c, err := s.dev.Swipe(ctx)
	return c, stripeError(err)
}

func (s stripe) Drop() error { return stripeError(s.dev.Drop()) }

// stripeError tells a reader that does not work from a swipe that cannot be read.
func stripeError(err error) error {
	var dead *msr.Error
	if errors.As(err, &dead) {
		return fmt.Errorf("%w: %w", txn.ErrStripe, err)
	}
	return err
}

// paper makes a txn.Printer of the layout and the ESC/POS driver.
type paper struct {
	dev     *thermal.Dev
	paper   printer.Paper
	profile printer.Profile
}

func (p paper) Print(ctx context.Context, r printer.Receipt) (begun bool, err error) {
	doc, err := printer.Layout(r, p.paper)
	if err != nil {
		return false, err
	}
	data, err := doc.ESCPOS(p.profile)
	if err != nil {
		return false, err
	}
	err = p.dev.Print(ctx, data)
	if err == nil {
		return true, nil
	}
	var stopped *thermal.Stopped
	begun = errors.As(err, &stopped) && stopped.Sent > 0
	for _, m := range []struct{ driver, people error }{
		{thermal.ErrPaperOut, printer.ErrPaperOut},
		{thermal.ErrCoverOpen, printer.ErrCoverOpen},
		{thermal.ErrOverheat, printer.ErrOverheat},
	} {
		if errors.Is(err, m.driver) {
			return begun, fmt.Errorf("%w: %w", m.people, err)
		}
	}
	return begun, fmt.Errorf("%w: %w", printer.ErrOffline, err)
}

// alipayWallet adds the words for the cashier to the gateway.
type alipayWallet struct{ *alipay.Gateway }

func (alipayWallet) Words(code, channel string) (zh, en string) { return alipay.TextFor(code, channel) }
