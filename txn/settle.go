package txn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"posd/journal"
	"posd/keypad"
	"posd/netlink/acquirer"
	"posd/qrpay"
	"posd/vault"
)

// Settle pays whatever the journal says is owed, each sort oldest first: reversals, advices, wallet queries and cancels, receipts, and telling the operator.
// It runs at start and from the idle screen. What cannot be paid now stays owed; ErrOwed says that something did.
//
// Cutting the power anywhere in Settle and running it again ends in the same place: each step either is durable or is repeated.
//
// hosts bounds what is done towards the hosts altogether, so that the operator is not kept waiting; 0 takes as long as it takes. Paper and
// words are not bounded by it.
func (t *Terminal) Settle(ctx context.Context, hosts time.Duration) error {
	defer t.Status()
	toHosts, cancel := ctx, func() {}
	if hosts > 0 {
		toHosts, cancel = context.WithTimeout(ctx, hosts)
	}
	err := t.payDebts(toHosts, journal.CardSale, patient)
	if err == nil {
		err = t.payAdvices(toHosts, patient)
	}
	err = errors.Join(err, t.payDebts(toHosts, journal.WalletSale, patient))
	cancel()
	rs, jerr := t.Journal.Owed()
	if jerr != nil {
		return errors.Join(err, jerr)
	}
	for _, r := range rs {
		for _, d := range journal.Debts(r) {
			if d.Duty == journal.Receipt {
				// An approval that is read but not known to be durable may be gone at the next start: no paper may rest on it. And a
				// copy that cannot be noted would be printed over and over.
				if jerr := t.Journal.Healthy(); jerr != nil {
					err = errors.Join(err, jerr)
					continue
				}
				// Nobody can know how much of the interrupted copy is on paper: what is printed now says that it is a duplicate.
				err = errors.Join(err, t.printCopies(ctx, r, true))
			}
		}
	}
	return errors.Join(err, t.TellOwed(ctx))
}

// TellOwed shows the operator how transactions ended that did not end on their own screen. It needs no host.
func (t *Terminal) TellOwed(ctx context.Context) error {
	rs, err := t.Journal.Owed()
	for _, r := range rs {
		for _, d := range journal.Debts(r) {
			if d.Duty == journal.Tell {
				err = errors.Join(err, t.tell(ctx, r.No))
			}
		}
	}
	return err
}

// Whether an unanswered reversal counts towards the profile's limit. From the idle screen the terminal is patient: it tries as long as it
// takes. Before a sale each try counts, so that a host that never answers cannot keep the merchant from selling for ever.
const (
	patient = false
	counted = true
)

// payDebts pays what is owed to the host of one kind of transaction, oldest first. It stops at the first debt that cannot be paid now
// and returns ErrOwed: the next financial request of that kind must not overtake it.
func (t *Terminal) payDebts(ctx context.Context, kind journal.Kind, count bool) error {
	rs, err := t.Journal.Owed()
	if err != nil {
		return err
	}
	for _, r := range rs {
		if r.Kind != kind {
			continue
		}
		for _, d := range journal.Debts(r) {
			switch d.Duty {
			case journal.Reverse:
				err = t.reverse(ctx, r, count)
			case journal.Query, journal.Cancel:
				err = t.resumeWallet(ctx, r)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// reverse sends the reversal of a card transaction (0400) and books its answer.
func (t *Terminal) reverse(ctx context.Context, r journal.Record, count bool) error {
	if t.Acquirer == nil || t.Keys == nil {
		return fmt.Errorf("%w: no acquirer to send the reversal of record %d to", ErrOwed, r.No)
	}
	if r.State == journal.Sent {
		// Interrupted before its outcome was durable. From here on a late yes changes nothing.
		var err error
		if r, err = t.Journal.Move(r.No, journal.Undoing, "interrupted", func(r *journal.Record) { r.Card.Reason = acquirer.ReasonNoReply }); err != nil {
			return err
		}
	}
	s, err := t.unseal(r.Card.Sealed)
	if err != nil {
		// The card number cannot be had any more: the reversal cannot be built, and a person must look at it.
		t.Log.Error().Err(err).Uint64("no", r.No).Msg("reversal cannot be built")
		_, err := t.Journal.Move(r.No, journal.GivenUp, "sealed-data-lost", nil)
		return err
	}
	if err := t.lineReady(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrOwed, err)
	}
	m := acquirer.Reversal{
		STAN: r.STAN, Batch: r.Batch, Amount: r.Amount, Entry: acquirer.Entry(r.Card.Entry), HadPIN: r.Card.HadPIN,
		PAN: s.PAN, Expiry: s.Expiry, PSN: s.PSN, Auth: r.Card.Auth, RRN: r.Card.RRN, Reason: r.Card.Reason, ICC: r.Card.ReverseICC, Time: r.Time,
	}
	sendCtx, cancel := context.WithTimeout(ctx, t.Config.HostWait)
	reply, err := t.Acquirer.Reverse(sendCtx, m)
	cancel()
	var f *acquirer.Failure
	switch {
	case err == nil && reply.Action == acquirer.Approve:
		t.setLink(keypad.LinkUp)
		_, err := t.Journal.Move(r.No, journal.Undone, "host-"+reply.Code, nil)
		t.Log.Info().Uint64("no", r.No).Uint32("stan", r.STAN).Str("code", reply.Code).Msg("reversed")
		return err
	case err == nil:
		err = fmt.Errorf("host answered the reversal with %s", reply.Code)
		if reply.Action == acquirer.SignOn {
			t.signOnWanted = true
		}
	case errors.As(err, &f) && (f.Reason == acquirer.ReasonBadMAC || f.SignOn):
		t.signOnWanted = true
	}
	t.Log.Warn().Err(err).Uint64("no", r.No).Uint32("stan", r.STAN).Int("tries", r.Card.Tries+1).Msg("reversal not answered")
	if unbuildable(err) { // it would keep every other sale waiting for ever
		_, jerr := t.Journal.Move(r.No, journal.GivenUp, "cannot-be-built", nil)
		return jerr
	}
	if errors.As(err, &f) && !f.Sent {
		return fmt.Errorf("%w: %w", ErrOwed, err) // no try: nothing left
	}
	if !count {
		return fmt.Errorf("%w: %w", ErrOwed, err)
	}
	to, why := journal.Undoing, "unanswered"
	if r.Card.Tries+1 >= t.Config.ReversalTries {
		to, why = journal.GivenUp, "tries-used-up"
	}
	if _, jerr := t.Journal.Move(r.No, to, why, func(r *journal.Record) { r.Card.Tries++ }); jerr != nil {
		return jerr
	}
	if to == journal.GivenUp {
		return nil // a person looks at it; the terminal may sell again
	}
	return fmt.Errorf("%w: %w", ErrOwed, err)
}

// lineReady connects, and signs on where that is due: what a message of a debt needs.
func (t *Terminal) lineReady(ctx context.Context) error {
	if err := t.connect(ctx); err != nil {
		return err
	}
	if t.Keys.Ready() && !t.signOnWanted {
		return nil
	}
	if err := t.SignOn(ctx); err != nil {
		return err
	}
	return t.connect(ctx)
}

// resumeWallet finds out how an interrupted order ended, or goes on cancelling one. A paid order whose cancel was never sent is a sale;
// anything else is cancelled until the gateway says, asked separately, that it holds no money.
func (t *Terminal) resumeWallet(ctx context.Context, r journal.Record) error {
	w, ok := t.Wallets[r.Wallet.Name]
	if !ok {
		return fmt.Errorf("%w: wallet %q of record %d is not configured", ErrOwed, r.Wallet.Name, r.No)
	}
	p, a := t.Config.Contract.Resume(r.Wallet.Order, r.Amount, r.State == journal.Undoing)
	began := time.Now()
	for first := true; ; first = false {
		var res qrpay.Result
		var err error
		switch a.Do {
		case qrpay.Query:
			if res, err = w.Query(ctx, r.Wallet.Order, r.Amount); first && res.Status == qrpay.Unknown {
				// The gateway cannot be reached: ask again later, before anything is decided. The state stays as it is.
				return fmt.Errorf("%w: wallet order of record %d: %w", ErrOwed, r.No, errors.Join(err, errUnanswered))
			}
			t.logWallet(r, "query", res, err)
		case qrpay.Cancel:
			if r.State != journal.Undoing {
				if r, err = t.Journal.Move(r.No, journal.Undoing, "interrupted", nil); err != nil {
					return err
				}
			}
			if err := sleep(ctx, a.Wait); err != nil {
				return err
			}
			res, err = w.Cancel(ctx, r.Wallet.Order)
			t.logWallet(r, "cancel", res, err)
			if qrpay.NotSent(err) {
				return fmt.Errorf("%w: cancel of record %d: %w", ErrOwed, r.No, err)
			}
		case qrpay.Owed:
			if _, err := t.Journal.Move(r.No, journal.Undoing, "cancel-unanswered", func(r *journal.Record) { r.Wallet.Tries++ }); err != nil {
				return err
			}
			return fmt.Errorf("%w: cancel of record %d: %w", ErrOwed, r.No, errUnanswered)
		}
		if a = p.After(res, time.Since(began)); a.Do != qrpay.Done {
			continue
		}
		to, why := journal.Declined, "found-closed"
		switch {
		case a.Status == qrpay.Paid:
			to, why = journal.Approved, "found-paid"
		case r.State == journal.Undoing:
			to, why = journal.Undone, "cancelled"
		}
		_, err = t.Journal.Move(r.No, to, why, func(r *journal.Record) {
			if to == journal.Approved {
				paid(r, res)
				return
			}
			r.Wallet.Code = code(res)
		})
		return err
	}
}

var errUnanswered = errors.New("no believable answer")

// tell shows the operator how a transaction ended that did not end on its own screen, and notes that it was shown.
func (t *Terminal) tell(ctx context.Context, no uint64) error {
	r, err := t.Journal.Last(func(r journal.Record) bool { return r.No == no })
	if err != nil {
		return err
	}
	if err := t.tellAdvices(ctx, r); err != nil {
		return err
	}
	if r.Told {
		return nil
	}
	amount := r.Amount
	s := keypad.Screen{Amount: &amount, Hints: okHint(), Rows: []keypad.Row{reference(r)}}
	t.Status() // what is settled is no longer counted as owed
	switch r.State {
	case journal.Undoing, journal.Sent:
		s.Name, s.Mood, s.Title, s.Code = "unknown", keypad.Doubt, keypad.T(keypad.Unknown), "U01"
		s.Body = []keypad.Text{keypad.T(keypad.UnknownNext), keypad.T(keypad.UnknownCard)}
	case journal.GivenUp:
		s.Name, s.Mood, s.Title, s.Code = "given-up", keypad.Doubt, keypad.T(keypad.Unknown), "U02"
		s.Body = []keypad.Text{keypad.T(keypad.CallHelp)}
	case journal.Undone:
		s.Name, s.Mood, s.Title = "undone", keypad.Bad, keypad.T(keypad.Reversed)
		s.Body = []keypad.Text{keypad.T(keypad.NoMoney), keypad.T(keypad.ReversedBody)}
	case journal.Declined:
		s.Name, s.Mood, s.Title = "declined", keypad.Bad, keypad.T(keypad.Declined)
		s.Body = []keypad.Text{keypad.T(keypad.NoMoney)}
	case journal.Approved:
		return nil // its receipt tells
	}
	t.Console.Hold(ctx, s, 4*t.Config.ResultHold)
	if ctx.Err() != nil {
		return ctx.Err() // switched off before anybody could read it
	}
	if !journal.Owes(r, journal.Tell) {
		return nil // still owed to the host: told again when it is settled
	}
	return t.told(no)
}

// told notes that the operator has seen how a transaction ended.
func (t *Terminal) told(no uint64) error {
	_, err := t.Journal.Note(no, func(r *journal.Record) { r.Told = true })
	return err
}

func (t *Terminal) owedProblem(err error) *Problem {
	if errors.Is(err, vault.ErrPad) {
		return bad("P01", keypad.PINPadGone, keypad.DeviceCheck, err) // no message can be made without it, that of the debt neither
	}
	if errors.Is(err, ErrOwed) {
		p := bad("U03", keypad.OwedFirst, keypad.OwedFirstBody, err)
		p.Mood = keypad.Notice // a refusal: this sale has not begun
		return p
	}
	return storeProblem(err)
}
