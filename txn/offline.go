package txn

import (
	"context"
	"errors"
	"fmt"
	"math"

	"posd/emv"
	"posd/internal/money"
	"posd/journal"
	"posd/keypad"
	"posd/netlink"
	"posd/netlink/acquirer"
	"posd/netlink/iso8583"
	"posd/vault"
)

// Sales that card and terminal approve without the host (Book 3, 10.7 and 10.8; Book 4, 12.2.1): an approval at the first GENERATE AC, or
// one at the second when the issuer could not be asked. Such a sale is durable, with its upload owed, before it is shown. It counts against
// a limit of number and amount until the host has the upload.

// errNoLine marks that the host cannot be reached, before anything was sent to it.
var errNoLine = errors.New("txn: the host cannot be reached")

// kind of terminal, second digit of 9F35 (Book 4, A1).
func (c *Config) neverAsks() bool { return c.TerminalType&0x0F == 3 || c.TerminalType&0x0F == 6 }

// mayForce tells whether the attendant can have the issuer asked (Book 4, 6.5.3): an attended terminal that can do both.
func (c *Config) mayForce() bool { return c.TerminalType&0x0F == 2 }

// mayApprove tells whether this terminal may approve anything without the host.
func (c *Config) mayApprove() bool {
	switch c.TerminalType & 0x0F {
	case 2, 3, 5, 6:
		_, ok := c.Advices[acquirer.AdviceOffline]
		return ok && c.Offline.Count > 0
	}
	return false
}

// room tells whether amount may be approved without the host beside what waits for its upload already.
func (t *Terminal) room(amount money.Amount) (bool, error) {
	if !t.Config.mayApprove() {
		return false, nil
	}
	rs, err := t.waitingUploads()
	if err != nil {
		return false, err
	}
	left := t.Config.Offline.Total
	for _, r := range rs {
		left -= r.Amount.Minor
	}
	return len(rs) < t.Config.Offline.Count && amount.Minor <= left, nil
}

// Pending is what the card has had approved here that the host has not heard of, in minor units: the terminal's log for the floor limit
// (Book 3, 10.6.1; emv.WithPending). What cannot be read counts as the card's own, which sends the transaction online.
func (t *Terminal) Pending(pan string) int64 {
	rs, err := t.waitingUploads()
	if err != nil {
		return math.MaxInt64
	}
	var sum int64
	for _, r := range rs {
		if s, err := t.unseal(r.Card.Sealed); err != nil || s.PAN == pan {
			sum += r.Amount.Minor
		}
	}
	return sum
}

// unreachable tells whether an error means that the issuer cannot be asked: surely nothing was sent, and it is the line that is at fault. A
// PIN pad or a request that cannot be made is not the line, and a host that refuses this terminal's certificate does not want it to sell.
func unreachable(err error) bool {
	var f *acquirer.Failure
	var l *netlink.Error
	switch {
	case errors.Is(err, vault.ErrPad), errors.Is(err, vault.ErrNoKeys), unbuildable(err), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &l) && l.Cause == netlink.TLSRefused:
		return false
	case errors.Is(err, errNoLine):
		return true
	}
	return errors.As(err, &f) && !f.Sent
}

// unbuildable tells whether an error means that a request cannot be put into a message at all.
func unbuildable(err error) bool {
	var f *acquirer.Failure
	var request *acquirer.RequestError
	var field *iso8583.Error
	return errors.As(err, &f) && !f.Sent && (errors.As(err, &request) || errors.As(err, &field))
}

// mayGoOn decides, before a card is asked for, whether a sale may begin although the host cannot be asked (p is why) or must be.
// alone: the host will not be asked. stop is why the sale cannot begin.
func (t *Terminal) mayGoOn(p *Problem, amount money.Amount) (alone bool, stop *Problem) {
	switch {
	case p == nil && !t.Config.neverAsks():
		return false, nil
	case p != nil && !(t.Config.mayApprove() && unreachable(p.Err)):
		return false, p
	}
	ok, err := t.room(amount)
	switch {
	case err != nil:
		return false, storeProblem(err)
	case ok:
		return true, nil
	}
	err = errors.New("no room for another sale without the host")
	if p != nil {
		err = fmt.Errorf("%w: %w", err, p.Err)
	}
	return false, bad("L05", keypad.OfflineFull, keypad.HostDownBody, err)
}

// alone ends a card transaction whose issuer cannot be asked (Book 4, 12.2.1). cause is why.
func (t *Terminal) alone(ctx context.Context, s Session, h *cardholder, cause error) error {
	out, err := s.Complete(ctx, emv.HostAnswer{Reached: false})
	if err != nil {
		t.Log.Info().Err(err).Msg("second cryptogram without the host")
	}
	if err != nil || out != emv.Approved {
		return t.show(ctx, linkProblem(cause))
	}
	return t.approveOffline(ctx, s, h)
}

// approveOffline books, shows and prints a sale that the card has just approved and for which nothing was sent, if there is room for it.
func (t *Terminal) approveOffline(ctx context.Context, s Session, h *cardholder) error {
	ok, err := t.room(h.amount)
	if err != nil {
		return t.show(ctx, storeProblem(err))
	}
	if !ok {
		return t.show(ctx, bad("R08", keypad.WhyCardDeclined, keypad.CardOther, errors.New("card approved, but this sale needs the host")))
	}
	r, err := t.cardRecord(s, h)
	if err != nil {
		return t.show(ctx, bad("V01", keypad.JournalFull, keypad.CallHelp, err))
	}
	r.State = journal.Approved
	t.markOffline(&r, s)
	rec, err := t.Journal.Begin(r)
	if err != nil {
		// It may have been written all the same: then it is an approval when the storage works again, with its upload and its slips.
		if rec.No == 0 {
			rec = r
		}
		return t.unsure(ctx, rec, err)
	}
	return t.offlineApproved(ctx, rec)
}

// markOffline makes a record one of a sale without the host, with its upload owed.
func (t *Terminal) markOffline(r *journal.Record, s Session) {
	codes := t.Config.Advices[acquirer.AdviceOffline]
	res := s.Result()
	r.Card.Offline = true
	certified(r.Card, res)
	r.Advices = append(r.Advices, journal.Advice{
		Kind: string(acquirer.AdviceOffline), Own: codes.OwnSTAN, ICC: s.ICC(codes.ICC), State: journal.AdviceOwed,
	})
}

func (t *Terminal) offlineApproved(ctx context.Context, rec journal.Record) error {
	t.Log.Info().Uint64("no", rec.No).Uint32("stan", rec.STAN).Msg("approved without the host: upload owed")
	t.Status()
	amount := rec.Amount
	t.Console.Show(keypad.Screen{
		Name: "approved", Mood: keypad.Good, Title: keypad.T(keypad.Approved), Amount: &amount,
		Body: []keypad.Text{keypad.T(keypad.OfflineApproved), keypad.T(keypad.BusyPrint)},
	})
	return t.printCopies(ctx, rec, false)
}

// declinedOffline shows that card and terminal declined. When the card wants the issuer to hear of it (Book 3, 6.5.5), the journal keeps
// that, and the advice is owed where the acquirer has a message for it.
func (t *Terminal) declinedOffline(ctx context.Context, s Session, h *cardholder) error {
	p := bad("R09", keypad.WhyCardDeclined, keypad.CardOther, errors.New("card and terminal declined offline"))
	if !s.Result().Advice {
		return t.show(ctx, p)
	}
	r, err := t.cardRecord(s, h)
	if err != nil {
		return t.show(ctx, bad("V01", keypad.JournalFull, keypad.CallHelp, err))
	}
	r.State, r.Card.Offline, r.Told = journal.Declined, true, true
	r.Card.AdviceWanted = true
	r.Advices = t.declineAdvice(s)
	if _, err := t.Journal.Begin(r); err != nil {
		return t.show(ctx, storeProblem(err))
	}
	return t.show(ctx, p)
}

// declineAdvice is what is owed when the card wants the issuer to hear of a decline.
func (t *Terminal) declineAdvice(s Session) []journal.Advice {
	codes, ok := t.Config.Advices[acquirer.AdviceDecline]
	if !ok || !s.Result().Advice {
		return nil
	}
	return []journal.Advice{{Kind: string(acquirer.AdviceDecline), Own: codes.OwnSTAN, ICC: s.ICC(codes.ICC), State: journal.AdviceOwed}}
}
