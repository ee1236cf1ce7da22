package txn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"posd/journal"
	"posd/keypad"
	"posd/netlink/acquirer"
)

// Advices: what the host must hear about a sale whose outcome is known. They are stored in the same durable step as that outcome, or before
// anything of it is shown, and sent from the idle screen and before the next sale, after every reversal, oldest first. An advice that is not
// answered keeps nobody from selling: a sale waits for one unanswered advice at most, and begins no further one after Config.AdviceWait.

// scriptNotice is the notice that is owed when issuer scripts were sent to the card, whatever became of them (field 55 with DF31).
func (t *Terminal) scriptNotice(s Session) []journal.Advice {
	codes, ok := t.Config.Advices[acquirer.AdviceScript]
	if !ok || len(s.Result().ScriptResults) == 0 {
		return nil
	}
	return []journal.Advice{{Kind: string(acquirer.AdviceScript), Own: codes.OwnSTAN, ICC: s.ICC(codes.ICC), State: journal.AdviceOwed}}
}

// payAdvices sends the advices that are owed. It returns ErrOwed when one was not answered, after which it begins no other: the line is bad.
func (t *Terminal) payAdvices(ctx context.Context, count bool) error {
	rs, err := t.Journal.Owed()
	if err != nil {
		return err
	}
	began := time.Now()
	for _, r := range rs {
		if journal.Owes(r, journal.Reverse) || !journal.Owes(r, journal.Advise) {
			continue // a reversal first; its notice then
		}
		for i, a := range r.Advices {
			if a.State != journal.AdviceOwed {
				continue
			}
			if count && time.Since(began) >= t.Config.AdviceWait {
				return nil // the cardholder waits; the others have time
			}
			if err := t.advise(ctx, r, i, count); err != nil {
				return err
			}
		}
	}
	return nil
}

// advise sends the i-th advice of a record and books its answer.
func (t *Terminal) advise(ctx context.Context, r journal.Record, i int, count bool) error {
	a := r.Advices[i]
	if t.Acquirer == nil || t.Keys == nil {
		return fmt.Errorf("%w: no acquirer to send the advice of record %d to", ErrOwed, r.No)
	}
	end := func(state journal.AdviceState, code string, tried int) error {
		_, err := t.Journal.Note(r.No, func(r *journal.Record) {
			a := &r.Advices[i]
			a.State, a.Code = state, code
			a.Tries += tried
		})
		return err
	}
	s, err := t.unseal(r.Card.Sealed)
	if err != nil {
		t.Log.Error().Err(err).Uint64("no", r.No).Msg("advice cannot be built")
		return end(journal.AdviceGivenUp, "", 0) // a person must look at it
	}
	if err := t.lineReady(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrOwed, err)
	}
	stan := a.STAN
	if !a.Own {
		stan = r.STAN
	}
	m := acquirer.Advice{
		Kind: acquirer.AdviceKind(a.Kind), STAN: stan, Original: r.STAN, Batch: r.Batch, Amount: r.Amount, Entry: acquirer.Entry(r.Card.Entry),
		HadPIN: r.Card.HadPIN, PAN: s.PAN, Expiry: s.Expiry, PSN: s.PSN, Time: r.Time, ICC: a.ICC,
		Institution: r.Card.Institution, RRN: r.Card.RRN, Auth: r.Card.Auth,
	}
	if len(r.Card.HostTime) >= 4 {
		m.Date = r.Card.HostTime[:4]
	}
	sendCtx, cancel := context.WithTimeout(ctx, t.Config.HostWait)
	reply, err := t.Acquirer.Advise(sendCtx, m)
	cancel()
	log := t.Log.With().Uint64("no", r.No).Str("advice", a.Kind).Uint32("stan", stan).Str("code", reply.Code).Logger()
	var f *acquirer.Failure
	answered := err == nil
	switch {
	case answered && reply.Action == acquirer.Approve:
		t.setLink(keypad.LinkUp)
		log.Info().Msg("advice taken")
		return end(journal.AdviceDone, reply.Code, 0)
	case answered && (reply.Action == acquirer.Decline || reply.Action == acquirer.Capture):
		t.setLink(keypad.LinkUp)
		log.Error().Msg("advice refused")
		return end(journal.AdviceRefused, reply.Code, 1)
	case answered:
		err = fmt.Errorf("host answered the advice with %s", reply.Code)
		t.signOnWanted = t.signOnWanted || reply.Action == acquirer.SignOn
	case errors.As(err, &f) && (f.Reason == acquirer.ReasonBadMAC || f.SignOn):
		t.signOnWanted = true
	}
	if unbuildable(err) { // it would keep the others waiting for ever
		log.Error().Err(err).Msg("advice cannot be built")
		return end(journal.AdviceGivenUp, "", 0)
	}
	log.Warn().Err(err).Int("tries", a.Tries).Msg("advice not taken")
	owed := fmt.Errorf("%w: %w", ErrOwed, err)
	if !answered && (!count || errors.As(err, &f) && !f.Sent) {
		return owed // no try: from the idle screen the terminal is patient, and nothing left is nothing tried
	}
	state := journal.AdviceOwed
	if tries := t.Config.Advices[m.Kind].Tries; tries > 0 && a.Tries+1 >= tries {
		state = journal.AdviceGivenUp
	}
	if err := end(state, "", 1); err != nil {
		return err
	}
	if state == journal.AdviceGivenUp || answered {
		return nil // the line is good, or this one is not tried again: on with the next
	}
	return owed
}

// tellAdvices shows the operator the advices of a record that were refused or given up, and notes that they were shown.
func (t *Terminal) tellAdvices(ctx context.Context, r journal.Record) error {
	failed := func(a journal.Advice) bool {
		return (a.State == journal.AdviceRefused || a.State == journal.AdviceGivenUp) && !a.Told
	}
	for i, a := range r.Advices {
		if !failed(a) {
			continue
		}
		amount := r.Amount
		s := keypad.Screen{
			Name: "advice-failed", Mood: keypad.Doubt, Title: keypad.T(keypad.AdviceScript), Amount: &amount, Code: "U04", Hints: okHint(),
			Rows: []keypad.Row{{Label: keypad.T(keypad.TraceNo), Value: keypad.Raw(trace(r))}},
			Body: []keypad.Text{keypad.T(keypad.AdviceScriptBody)},
		}
		if kind := acquirer.AdviceKind(a.Kind); kind == acquirer.AdviceOffline || kind == acquirer.AdviceVoice {
			s.Title, s.Code = keypad.T(keypad.AdviceSale), "U05"
			s.Body = []keypad.Text{keypad.T(keypad.AdviceSaleBody), keypad.T(keypad.CallHelp)}
		}
		if a.Code != "" {
			s.Code += "-" + a.Code
		}
		t.Console.Hold(ctx, s, 4*t.Config.ResultHold)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		if r, err = t.Journal.Note(r.No, func(r *journal.Record) { r.Advices[i].Told = true }); err != nil {
			return err
		}
	}
	return nil
}

// waitingUploads are the sales that card and terminal approved and the host has not heard of.
func (t *Terminal) waitingUploads() ([]journal.Record, error) {
	rs, err := t.Journal.Owed()
	return slices.DeleteFunc(rs, func(r journal.Record) bool {
		return !slices.ContainsFunc(r.Advices, func(a journal.Advice) bool {
			return a.State == journal.AdviceOwed && acquirer.AdviceKind(a.Kind) == acquirer.AdviceOffline
		})
	}), err
}
