package txn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"posd/emv"
	"posd/emv/tlv"
	"posd/internal/money"
	"posd/internal/track"
	"posd/keypad"
	"posd/netlink/acquirer"
)

// Sales by magnetic stripe. The stripe cannot decide anything and proves nothing, so that the issuer is asked every time; a card that has a
// chip is swiped only where the chip could not be read just before, and then the issuer is told (fields 22 and 60.5). From the request on such
// a sale is one like every other: it is a Session whose card agrees with the host.
//
// What was on the tracks is kept in memory until the sale ends, for the cardholder who types a wrong PIN; nothing stores it.

// ErrStripe marks an error of the stripe reader itself. The wiring wraps the driver's errors in it.
var ErrStripe = errors.New("txn: stripe reader does not work")

// Causes that end the wait for a card.
var (
	errSwiped   = errors.New("txn: a card was swiped")
	errInserted = errors.New("txn: a card was inserted")
)

// errChipFailed is returned instead of a problem when the stripe may be used because the chip could not be read.
var errChipFailed = errors.New("txn: the chip cannot be read")

// maySwipe tells whether a swiped card can be sold to now; alone when the host will not be asked.
func (t *Terminal) maySwipe(alone bool) bool { return t.Stripe != nil && t.Config.Swipe && !alone }

// mayFallBack tells whether a chip card may be swiped: its chip, or that of the card before it, could not be read so recently that it is
// believed to be the same card.
func (t *Terminal) mayFallBack() bool {
	return !t.chipFailed.IsZero() && time.Since(t.chipFailed) < t.Config.Stripe.Fallback
}

// waitCard asks for a card until one is inserted (nil), or swiped in a way that can be sold to. The chip comes first: a card that was inserted
// and swiped at once is one that was inserted. instead says that the chip of this sale's card could not be read: the next customer is not
// to be told of the last one's card.
func (t *Terminal) waitCard(ctx context.Context, amount money.Amount, swipe, instead bool) (*track.Card, error) {
	wait, stop := t.Console.Cancellable(ctx)
	defer stop()
	wait, cancel := context.WithTimeout(wait, t.Config.CardWait)
	defer cancel()
	s := keypad.Screen{Name: "insert", Title: keypad.T(keypad.CardInsert), Amount: &amount, Hints: cancelHint()}
	notice := func(name string, title, body keypad.Msg) {
		s.Name, s.Mood, s.Title, s.Body = name, keypad.Notice, keypad.T(title), []keypad.Text{keypad.T(body)}
	}
	switch {
	case swipe && instead && t.mayFallBack():
		notice("swipe", keypad.SwipeInstead, keypad.SwipeBody)
	case swipe:
		s.Title = keypad.T(keypad.CardInsertOrSwipe)
	}
	gone := func(err error) {
		t.Log.Warn().Err(err).Str("code", "R13").Msg("stripe reader")
		swipe = false // the chip reader may work all the same
		notice("insert", keypad.CardInsert, keypad.StripeGone)
	}
	for {
		if swipe {
			if err := t.Stripe.Drop(); err != nil { // before the question: what is swiped when it is read must count
				gone(err)
			}
		}
		t.Console.Show(s)
		card, err := t.insertOrSwipe(wait, swipe)
		if cause := context.Cause(wait); cause != nil {
			return nil, cause // a cancel key counts even when the card came at the same moment
		}
		var unread *track.Error
		switch {
		case errors.As(err, &unread):
			t.Log.Info().Err(err).Msg("swipe cannot be read")
			notice("swipe-again", keypad.SwipeAgain, keypad.SwipeBody)
		case errors.Is(err, ErrStripe):
			gone(err)
		case err != nil:
			return nil, err
		case card == nil:
			return nil, nil
		case card.Service.Chip() && !t.mayFallBack():
			t.Log.Info().Msg("chip card swiped")
			notice("use-chip", keypad.UseChip, keypad.CardInsertBody)
		default:
			return card, nil
		}
	}
}

// insertOrSwipe waits for both readers at once. A nil card was inserted.
func (t *Terminal) insertOrSwipe(ctx context.Context, swipe bool) (*track.Card, error) {
	if !swipe {
		return nil, t.Reader.WaitInserted(ctx)
	}
	both, over := context.WithCancelCause(ctx)
	var card track.Card
	var serr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		card, serr = t.Stripe.Swipe(both)
		over(errSwiped)
	}()
	defer func() { over(errInserted); <-done }()
	err := t.Reader.WaitInserted(both)
	over(errInserted)
	<-done
	switch {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil || !errors.Is(context.Cause(both), errSwiped):
		return nil, err
	case serr != nil:
		return nil, serr
	}
	return &card, nil
}

// chipUnread deals with a card that the chip reader has and that did not come to a decision. Where the chip could not be read the stripe may
// take its place: errChipFailed says so, unless that has been tried in this sale.
func (t *Terminal) chipUnread(ctx context.Context, err error, swiping bool) error {
	p := cardProblem(err)
	if p.Code != unreadable || t.Config.Stripe.Fallback == 0 || t.Stripe == nil || ctx.Err() != nil {
		return t.show(ctx, p)
	}
	t.chipFailed = time.Now()
	if !swiping {
		return t.show(ctx, p)
	}
	t.Log.Warn().Err(err).Msg("chip cannot be read: the stripe may be used")
	return fmt.Errorf("%w: %w", errChipFailed, err)
}

// unreadable is the code of a chip that the reader has and cannot read (cardProblem).
const unreadable = "R03"

// sellToSwiped sells to a card that was swiped, and asks again after a wrong PIN.
func (t *Terminal) sellToSwiped(ctx context.Context, amount money.Amount, card *track.Card) error {
	s := &stripe{card: card, entry: acquirer.EntryMagstripe}
	if card.Service.Chip() {
		s.entry = acquirer.EntryFallback
	}
	t.chipFailed = time.Time{} // one failure, one swipe
	if p := t.checkStripe(card); p != nil {
		return t.show(ctx, p)
	}
	for {
		again, err := t.sellToStripe(ctx, amount, s)
		if !again {
			return err
		}
		// A wrong PIN: that transaction is over at the host, and a new one begins.
		if p := t.prepareCard(ctx); p != nil {
			return t.show(ctx, p)
		}
	}
}

// checkStripe sees what the terminal can see of a card by itself (ISO/IEC 7813: expiry date, service code).
func (t *Terminal) checkStripe(card *track.Card) *Problem {
	switch s := card.Service.Services(); {
	case card.Expiry != "" && card.Expiry < t.Now().Format("0601"): // good until the end of its month
		return bad("R10", keypad.WhyExpired, keypad.CardOther, errors.New("expired, says the stripe"))
	case s == track.CashMachine, s == track.CashOnly:
		return bad("R04", keypad.CardNotAccepted, keypad.CardOther, errors.New("for cash only, says the service code"))
	}
	return nil
}

func (t *Terminal) sellToStripe(ctx context.Context, amount money.Amount, s *stripe) (again bool, err error) {
	holder := &cardholder{t: t, amount: amount}
	rule := s.card.Service.PIN()
	if rule == track.PINNotAsked && t.Config.Stripe.PINAlways {
		rule = track.PINIfPossible
	}
	if rule != track.PINNotAsked {
		out, err := holder.OnlinePIN(ctx, emv.PINRequest{PAN: s.card.PAN, Amount: amount})
		if err != nil {
			return false, t.show(ctx, cardProblem(err))
		}
		if out != emv.PINEntered && rule == track.PINRequired {
			return false, t.show(ctx, bad("P03", keypad.PINNeeded, keypad.TryAgain, errors.New("the service code wants a PIN")))
		}
	}
	s.signature = holder.block == nil
	return t.sellOnline(ctx, s, holder, false)
}

// stripe is a Session without a card that could decide: it agrees with the host, and without it declines.
type stripe struct {
	card      *track.Card
	entry     acquirer.Entry
	signature bool
}

// Get is that of emv.Data: a stripe has no data objects.
func (*stripe) Get(tlv.Tag) ([]byte, bool) { return nil, false }

// ICC is field 55, which a swiped card does not have.
func (*stripe) ICC([]tlv.Tag) []byte { return nil }

// Outcome is that the issuer decides.
func (*stripe) Outcome() emv.Outcome { return emv.Online }

// Result is what the stripe says.
func (s *stripe) Result() emv.Result {
	return emv.Result{PAN: s.card.PAN, Expiry: s.card.Expiry, Track2: s.card.Track2, Signature: s.signature}
}

// Complete has nobody to ask.
func (s *stripe) Complete(_ context.Context, a emv.HostAnswer) (emv.Outcome, error) {
	if a.Reached && a.Approved {
		return emv.Approved, nil
	}
	return emv.Declined, nil
}

// entryOf is how the card of a session reached the terminal.
func entryOf(s Session) acquirer.Entry {
	if m, ok := s.(*stripe); ok {
		return m.entry
	}
	return acquirer.EntryChip
}

// track3Of is field 36, where the acquirer wants it.
func track3Of(s Session) string {
	if m, ok := s.(*stripe); ok {
		return m.card.Track3
	}
	return ""
}
