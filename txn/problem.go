package txn

import (
	"context"
	"errors"
	"fmt"

	"posd/emv"
	"posd/journal"
	"posd/keypad"
	"posd/netlink"
	"posd/netlink/acquirer"
	"posd/vault"
)

// Problem is something that ends a flow and that the operator must understand: what happened, what to do, and a code for the help
// desk. The cause is for the log.
type Problem struct {
	Code   string // "R03"; see docs/cashier.md for the list
	Mood   keypad.Mood
	Title  keypad.Text
	Advice keypad.Text
	Err    error
}

func (p *Problem) Error() string { return fmt.Sprintf("%s: %v", p.Code, p.Err) }
func (p *Problem) Unwrap() error { return p.Err }

// ErrStopped tells the idle loop that the operator ended the flow before anything happened.
var ErrStopped = errors.New("txn: stopped by the operator")

// ErrOwed is returned when a new transaction must wait for an old one to be settled.
var ErrOwed = errors.New("txn: an earlier transaction is not settled yet")

func bad(code, title, advice keypad.Msg, err error) *Problem {
	return &Problem{Code: string(code), Mood: keypad.Bad, Title: keypad.T(title), Advice: keypad.T(advice), Err: err}
}

// show puts a problem on the display and in the log, and returns what the flow returns.
func (t *Terminal) show(ctx context.Context, p *Problem) error {
	t.Log.Warn().Err(p.Err).Str("code", p.Code).Msg("flow ended")
	t.Console.Hold(ctx, keypad.Screen{
		Name: "problem", Mood: p.Mood, Title: p.Title, Body: []keypad.Text{p.Advice}, Code: p.Code,
		Hints: []keypad.Hint{{Key: keypad.KeyEnter, Text: keypad.T(keypad.HintOK)}},
	}, 4*t.Config.ResultHold)
	return p
}

// stopped tells whether the operator or the cardholder ended a prompt with the cancel key.
func stopped(ctx context.Context, err error) bool {
	return errors.Is(err, keypad.ErrCancelled) || errors.Is(err, emv.ErrCancelled) || errors.Is(err, vault.ErrPINCancelled) ||
		(err != nil && errors.Is(context.Cause(ctx), keypad.ErrCancelled))
}

// cardProblem turns what went wrong between terminal and card, before anything was sent, into words.
func cardProblem(err error) *Problem {
	switch {
	case errors.Is(err, vault.ErrPINTimeout):
		return bad("P02", keypad.TimedOut, keypad.TryAgain, err)
	case errors.Is(err, vault.ErrPad):
		return bad("P01", keypad.PINPadGone, keypad.DeviceCheck, err)
	case errors.Is(err, vault.ErrNoKeys):
		return bad("L03", keypad.NotSignedOn, keypad.TryAgain, err)
	case errors.Is(err, emv.ErrCancelled):
		return bad("C00", keypad.Cancelled, keypad.NoMoney, err)
	case errors.Is(err, emv.ErrCardBlocked), errors.Is(err, emv.ErrAppBlocked):
		return bad("R05", keypad.CardBlocked, keypad.CardOther, err)
	case errors.Is(err, emv.ErrNotAccepted):
		return bad("R04", keypad.CardNotAccepted, keypad.CardOther, err)
	case errors.Is(err, emv.ErrConditionsFail):
		return bad("R06", keypad.WhyCardDeclined, keypad.CardOther, err)
	case errors.Is(err, emv.ErrCardLost):
		return bad("R02", keypad.CardLost, keypad.CardAgain, err)
	case errors.Is(err, ErrReader):
		return bad("R01", keypad.CardReaderGone, keypad.DeviceCheck, err)
	case errors.Is(err, context.DeadlineExceeded):
		return bad("R07", keypad.TimedOut, keypad.TryAgain, err)
	default:
		return bad("R03", keypad.CardBad, keypad.CardAgain, err)
	}
}

// ErrReader marks an error of the card reader itself, not of the card. The wiring wraps the driver's errors in it.
var ErrReader = errors.New("txn: card reader does not work")

// ErrScanner marks an error of the scanner.
var ErrScanner = errors.New("txn: scanner does not work")

// linkProblem turns a failure to reach the acquirer, with no money moved, into words.
func linkProblem(err error) *Problem {
	var f *acquirer.Failure
	var l *netlink.Error
	switch {
	case errors.Is(err, vault.ErrPad):
		return bad("P01", keypad.PINPadGone, keypad.DeviceCheck, err)
	case errors.Is(err, vault.ErrNoKeys):
		return bad("L03", keypad.NotSignedOn, keypad.TryAgain, err)
	case errors.As(err, &l) && l.Cause == netlink.TLSRefused:
		return bad("L02", keypad.HostDistrust, keypad.CallHelp, err)
	case errors.As(err, &f) && f.Sent:
		return bad("L04", keypad.HostAnswerBad, keypad.HostDownBody, err)
	}
	return bad("L01", keypad.HostDown, keypad.HostDownBody, err)
}

// move is Journal.Move for a flow: where it fails, the record that is returned is the one from before, which is what the journal has.
func (t *Terminal) move(r journal.Record, to journal.State, why string, change journal.Change) (journal.Record, error) {
	moved, err := t.Journal.Move(r.No, to, why, change)
	if err != nil {
		return r, err
	}
	return moved, nil
}

// unsure ends a flow whose outcome could not be stored. Something may have been paid: the record says "sent" or "undoing", so that it is
// settled when the storage works again, and until then nobody may take it for a yes or for a no.
func (t *Terminal) unsure(ctx context.Context, r journal.Record, err error) error {
	p := storeProblem(err)
	p.Mood = keypad.Doubt
	t.current = 0 // its answer is not waited for any more: the status bar counts it
	t.Status()
	t.Log.Error().Err(err).Str("code", p.Code).Uint64("no", r.No).Uint32("stan", r.STAN).Msg("outcome could not be stored: unknown")
	amount := r.Amount
	s := keypad.Screen{
		Name: "unknown", Mood: keypad.Doubt, Title: keypad.T(keypad.Unknown), Amount: &amount, Code: p.Code,
		Body: []keypad.Text{keypad.T(keypad.UnknownBody), p.Title}, Hints: okHint(),
	}
	if r.No != 0 {
		s.Rows = []keypad.Row{reference(r)}
	}
	t.Console.Hold(ctx, s, 4*t.Config.ResultHold)
	return p
}

// reference is what a help desk finds a transaction by: the trace number, or the end of the order number, which tells orders apart.
func reference(r journal.Record) keypad.Row {
	if r.Wallet == nil {
		return keypad.Row{Label: keypad.T(keypad.TraceNo), Value: keypad.Raw(trace(r))}
	}
	order := r.Wallet.Order
	if n := len(order) - orderTail; n > 0 {
		order = "…" + order[n:]
	}
	return keypad.Row{Label: keypad.T(keypad.OrderNo), Value: keypad.Raw(order)}
}

// orderTail is how much of an order number is shown: the record number and the random part (orderNumber).
const orderTail = 16

// storeProblem is the journal refusing: nothing may be sold until somebody looked.
func storeProblem(err error) *Problem {
	if errors.Is(err, journal.ErrStorage) {
		return bad("J01", keypad.JournalFull, keypad.CallHelp, err)
	}
	return bad("J02", keypad.JournalFull, keypad.CallHelp, err)
}
