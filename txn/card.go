package txn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"posd/emv"
	"posd/internal/money"
	"posd/journal"
	"posd/keypad"
	"posd/netlink/acquirer"
	"posd/vault"
)

// secrets is what a reversal needs of the card and what is kept only sealed.
type secrets struct {
	PAN    string `json:"pan"`
	Expiry string `json:"expiry"`
	PSN    string `json:"psn"`
}

// sealContext binds sealed card data to its purpose, so that they cannot be opened as something else.
var sealContext = []byte("posd card data")

// SaleByCard sells amount to a card: insert or swipe, PIN, online, second cryptogram, outcome, paper.
func (t *Terminal) SaleByCard(ctx context.Context, amount money.Amount) error {
	if p := t.checkAmount(amount); p != nil {
		return t.show(ctx, p)
	}
	if err := t.Journal.Healthy(); err != nil {
		return t.show(ctx, storeProblem(err)) // before anybody inserts a card in vain
	}
	if t.Reader == nil || t.Kernel == nil || t.Acquirer == nil || t.Keys == nil {
		return t.show(ctx, bad("R01", keypad.CardReaderGone, keypad.CallHelp, errors.New("no card reader, PIN pad or acquirer configured")))
	}
	alone, stop := t.mayGoOn(t.prepareCard(ctx), amount)
	if stop != nil {
		return t.show(ctx, stop)
	}
	for first := true; ; first = false {
		swiped, err := t.waitCard(ctx, amount, t.maySwipe(alone), !first)
		switch {
		case err != nil && stopped(ctx, err):
			return ErrStopped
		case err != nil:
			return t.show(ctx, cardProblem(err))
		case swiped != nil:
			return t.sellToSwiped(ctx, amount, swiped)
		}
		// A chip that cannot be read is replaced by the stripe at most once: a card that is left in the reader must not go round and round.
		if err = t.sellToInserted(ctx, amount, alone, first); !errors.Is(err, errChipFailed) {
			return err
		}
	}
}

// sellToInserted sells to the card in the reader, and has it taken out. swiping lets the stripe take the place of a chip that cannot be read.
func (t *Terminal) sellToInserted(ctx context.Context, amount money.Amount, alone, swiping bool) error {
	defer t.releaseCard(ctx)
	for {
		again, err := t.sellToCard(ctx, amount, alone, swiping && t.maySwipe(alone))
		if !again {
			return err
		}
		var stop *Problem
		// A wrong PIN: the transaction is over at the host, so a new one begins with the same card, which is reset (Book 4, 6.3.4).
		if alone, stop = t.mayGoOn(t.prepareCard(ctx), amount); stop != nil {
			return t.show(ctx, stop)
		}
	}
}

// prepareCard does what must be done before a card is asked for: pay what is owed to the acquirer, sign on where it is needed, and see
// that the host can be reached, so that nobody types a PIN in vain.
func (t *Terminal) prepareCard(ctx context.Context) *Problem {
	t.Console.Show(busy("connect", keypad.BusyConnect, nil))
	if err := t.payDebts(ctx, journal.CardSale, counted); err != nil {
		return t.owedProblem(err)
	}
	if err := t.payAdvices(ctx, counted); err != nil {
		if !errors.Is(err, ErrOwed) {
			return storeProblem(err)
		}
		t.Log.Info().Err(err).Msg("advices wait") // whether the host can be reached shows below
	}
	if err := t.connect(ctx); err != nil {
		return linkProblem(err)
	}
	if !t.Keys.Ready() || t.signOnWanted {
		if err := t.SignOn(ctx); err != nil {
			return signOnProblem(err)
		}
		if err := t.connect(ctx); err != nil {
			return linkProblem(err)
		}
	}
	return nil
}

// sellToCard runs one transaction with the card in the reader; alone when the host will not be asked. again is true when the host said that the PIN was wrong.
// swiping lets the stripe take the place of a chip that cannot be read.
func (t *Terminal) sellToCard(ctx context.Context, amount money.Amount, alone, swiping bool) (again bool, err error) {
	t.Console.Show(busy("reading", keypad.CardReading, &amount))
	card, err := t.Reader.PowerOn(ctx)
	if err != nil {
		if in, perr := t.Reader.Present(ctx); errors.Is(err, emv.ErrCardLost) && perr == nil && in {
			err = fmt.Errorf("%w: %v", errSilent, err) // it was not taken out: its chip says nothing
		}
		return false, t.chipUnread(ctx, err, swiping)
	}
	meta, err := t.Journal.Meta()
	if err != nil {
		return false, t.show(ctx, storeProblem(err))
	}
	holder := &cardholder{t: t, amount: amount}
	room, err := t.room(amount)
	if err != nil {
		return false, t.show(ctx, storeProblem(err))
	}
	s, err := t.Kernel.Start(ctx, card, emv.Request{
		Amount: amount, Type: 0x00, Time: t.Now(), Counter: uint32((meta.NextNo-1)%99999999 + 1), Rand: t.Rand,
		ForceOnline: !room && t.Config.mayForce(),
	}, holder)
	if err != nil {
		return false, t.chipUnread(ctx, err, swiping)
	}
	t.chipFailed = time.Time{}
	switch s.Outcome() {
	case emv.Online:
	case emv.Approved:
		// An online-only terminal (9F35 = 21) has no room for it: a card that approves by itself is not believed.
		return false, t.approveOffline(ctx, s, holder)
	default:
		return false, t.declinedOffline(ctx, s, holder)
	}
	if alone {
		return false, t.alone(ctx, s, holder, errNoLine)
	}
	return t.sellOnline(ctx, s, holder, room)
}

// errSilent marks a card that is in the reader and does not answer to a reset.
var errSilent = errors.New("txn: card does not answer")

// sellOnline asks the host, and ends the sale as it says. room tells that card and terminal may go on without it.
func (t *Terminal) sellOnline(ctx context.Context, s Session, holder *cardholder, room bool) (again bool, err error) {
	amount := holder.amount
	if err := t.connect(ctx); err != nil { // the PIN may have taken longer than the line was held
		if room && unreachable(err) {
			return false, t.alone(ctx, s, holder, err)
		}
		return false, t.show(ctx, linkProblem(err))
	}
	intent, err := t.cardRecord(s, holder)
	if err != nil {
		return false, t.show(ctx, bad("V01", keypad.JournalFull, keypad.CallHelp, err))
	}
	// Intent before effect: durable before the first byte leaves.
	rec, err := t.Journal.Begin(intent)
	if err != nil {
		return false, t.show(ctx, storeProblem(err))
	}
	t.current = rec.No
	t.Console.Show(busy("authorising", keypad.BusyHost, &amount))
	t.setLink(keypad.LinkBusy)
	reply, err := t.exchangeSale(ctx, rec, s, holder)
	if err != nil {
		return false, t.saleWithoutAnswer(ctx, rec, s, err)
	}
	t.setLink(keypad.LinkUp)
	if reply.Requested == '3' || reply.Action == acquirer.SignOn {
		t.signOnWanted = true
	}
	if reply.Action == acquirer.Refer {
		return false, t.saleReferred(ctx, rec, s, reply)
	}
	if reply.Action != acquirer.Approve {
		return t.saleDeclined(ctx, rec, s, reply)
	}
	return false, t.saleApproved(ctx, rec, s, reply)
}

// cardRecord is what the journal keeps of a card's transaction. It holds no clear card number.
func (t *Terminal) cardRecord(s Session, h *cardholder) (journal.Record, error) {
	res, entry := s.Result(), entryOf(s)
	sealed, err := t.seal(secrets{res.PAN, res.Expiry, res.PSN})
	if err != nil {
		return journal.Record{}, err
	}
	c := &journal.Card{
		MaskedPAN: mask(res.PAN), Sealed: sealed, Entry: string(entry), HadPIN: h.block != nil, CardPIN: pinByCard(res.CVMResults),
		Signature: res.Signature || cvmFailed(res.TVR),
	}
	if entry == acquirer.EntryChip {
		c.AID, c.Label, c.ATC, c.ReverseICC = hexUpper(res.AID), res.Label, fmt.Sprintf("%04X", res.ATC), s.ICC(t.Config.ReversalTags)
	}
	certified(c, res)
	return journal.Record{Kind: journal.CardSale, Amount: h.amount, Operator: t.Config.Operator, Time: t.Now(), Card: c}, nil
}

// certified takes over what a chip has signed, and under which circumstances. A stripe signs nothing.
func certified(c *journal.Card, res emv.Result) {
	if len(res.Cryptogram) > 0 {
		c.Cryptogram, c.TVR, c.TSI = hexUpper(res.Cryptogram), hexUpper(res.TVR[:]), hexUpper(res.TSI[:])
	}
}

// cvmFailed tells whether the cardholder was not verified although the card wanted it (TVR byte 3, bit 8): then a signature is asked for,
// and the slip does not say that none was needed.
func cvmFailed(tvr [5]byte) bool { return tvr[2]&0x80 != 0 }

// pinByCard tells whether the card has compared a PIN and found it right (CVM Results, Book 4, A4; methods of Book 3, C3). With a
// signature behind it (03 and 05) the result is "unknown" until somebody has looked at that.
func pinByCard(results [3]byte) bool {
	switch results[0] & 0x3F {
	case 0x01, 0x04:
		return results[2] == 0x02
	case 0x03, 0x05:
		return results[2] != 0x01
	}
	return false
}

func (t *Terminal) exchangeSale(ctx context.Context, rec journal.Record, s Session, h *cardholder) (acquirer.Reply, error) {
	res := s.Result()
	m := acquirer.Sale{
		STAN: rec.STAN, Batch: rec.Batch, Amount: rec.Amount, Entry: acquirer.Entry(rec.Card.Entry), Time: rec.Time,
		PAN: res.PAN, Expiry: res.Expiry, PSN: res.PSN, Track2: res.Track2, Track3: track3Of(s), ICC: s.ICC(t.Config.SaleTags),
	}
	if h.block != nil {
		m.PINBlock = h.block[:]
	}
	ctx, cancel := context.WithTimeout(ctx, t.Config.HostWait)
	defer cancel()
	return t.Acquirer.Sale(ctx, m)
}

// saleApproved finishes a sale that the host approved: the card has the last word (Book 4, 6.3.8 and Book 3, 10.11).
func (t *Terminal) saleApproved(ctx context.Context, rec journal.Record, s Session, reply acquirer.Reply) error {
	out, err := s.Complete(ctx, emv.HostAnswer{Reached: true, ARC: reply.Code, Approved: true, ICC: reply.ICC})
	if err != nil || out != emv.Approved {
		// Host approval and no TC: the money must go back, whatever the reason.
		if err == nil {
			err = errors.New("card refused the second cryptogram")
		}
		rec, jerr := t.move(rec, journal.Undoing, "card-refused", func(r *journal.Record) {
			answered(r, reply)
			r.Card.Reason = acquirer.ReasonOther
			r.Card.ReverseICC = s.ICC(t.Config.ReversalTags) // with DF31
			r.Advices = append(r.Advices, t.scriptNotice(s)...)
		})
		if jerr != nil {
			return t.unsure(ctx, rec, jerr)
		}
		t.Log.Warn().Err(err).Uint64("no", rec.No).Msg("host approved, card did not")
		return t.takeBack(ctx, rec)
	}
	res := s.Result()
	rec, err = t.move(rec, journal.Approved, "", func(r *journal.Record) {
		answered(r, reply)
		certified(r.Card, res)
		r.Advices = append(r.Advices, t.scriptNotice(s)...)
	})
	if err != nil {
		return t.unsure(ctx, rec, err) // the record stays "sent": reversed when the journal works again
	}
	amount := rec.Amount
	t.Console.Show(keypad.Screen{Name: "approved", Mood: keypad.Good, Title: keypad.T(keypad.Approved), Amount: &amount, Body: []keypad.Text{keypad.T(keypad.BusyPrint)}})
	return t.printCopies(ctx, rec, false)
}

// saleDeclined ends a sale that the host declined. again asks for another PIN.
func (t *Terminal) saleDeclined(ctx context.Context, rec journal.Record, s Session, reply acquirer.Reply) (again bool, err error) {
	// The card first: what it answers can no longer make a yes of it, and what its scripts came to is owed in the same durable step as
	// the outcome. A power cut before that makes a reversal, which the host closes as one of nothing.
	if _, err := s.Complete(ctx, emv.HostAnswer{Reached: true, ARC: reply.Code, Referral: reply.Action == acquirer.Refer, ICC: reply.ICC}); err != nil {
		t.Log.Info().Err(err).Uint64("no", rec.No).Msg("second cryptogram after a decline")
	}
	owed := append(t.scriptNotice(s), t.declineAdvice(s)...) // an issuer may block a card with its no
	rec, err = t.move(rec, journal.Declined, "host-"+reply.Code, func(r *journal.Record) {
		answered(r, reply)
		r.Card.AdviceWanted = s.Result().Advice
		r.Advices = append(r.Advices, owed...)
	})
	if err != nil {
		return false, t.unsure(ctx, rec, err)
	}
	if reply.Code == wrongPIN && rec.Card.HadPIN {
		again = t.askPINAgain(ctx, rec.Amount)
		return again, t.seen(ctx, rec)
	}
	amount := rec.Amount
	screen := keypad.Screen{
		Name: "declined", Mood: keypad.Bad, Title: keypad.T(keypad.Declined), Amount: &amount, Code: reply.Code,
		Body:  []keypad.Text{words(reply.Text), keypad.T(keypad.NoMoney)},
		Hints: okHint(),
	}
	if reply.Action == acquirer.Refer {
		screen.Body = append(screen.Body, keypad.T(keypad.CallIssuerBody))
	}
	t.Console.Hold(ctx, screen, 3*t.Config.ResultHold)
	return false, t.seen(ctx, rec)
}

// seen notes that an outcome was on the display, unless the terminal was switched off under it: then it is told when it is on again.
func (t *Terminal) seen(ctx context.Context, rec journal.Record) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := t.told(rec.No); err != nil {
		t.Log.Error().Err(err).Uint64("no", rec.No).Msg("cannot be noted as told") // it will be told once more: no harm
	}
	return nil
}

// wrongPIN is the response code after which the cardholder may try again (ISO 8583:1987, 39 = 55).
const wrongPIN = "55"

func (t *Terminal) askPINAgain(ctx context.Context, amount money.Amount) bool {
	return nil == t.Console.Confirm(ctx, keypad.Screen{
		Name: "wrong-pin", Mood: keypad.Bad, Title: keypad.T(keypad.WhyPIN), Amount: &amount, Code: wrongPIN,
		Body:  []keypad.Text{keypad.T(keypad.TryAgain)},
		Hints: []keypad.Hint{{Key: keypad.KeyCancel, Text: keypad.T(keypad.HintCancel)}, {Key: keypad.KeyEnter, Text: keypad.T(keypad.HintRetry)}},
	})
}

// saleWithoutAnswer deals with a request that has no believable answer.
func (t *Terminal) saleWithoutAnswer(ctx context.Context, rec journal.Record, s Session, cause error) error {
	if !errors.Is(cause, vault.ErrPad) && !errors.Is(cause, vault.ErrNoKeys) { // those say nothing about the line
		t.setLink(keypad.LinkDown)
	}
	var f *acquirer.Failure
	if errors.As(cause, &f) && !f.Sent {
		return t.saleNotSent(ctx, rec, s, cause)
	}
	reason := acquirer.ReasonNoReply
	if f != nil && f.Reason != "" {
		reason = f.Reason
	}
	rec, err := t.move(rec, journal.Undoing, "no-answer", func(r *journal.Record) { r.Card.Reason = reason })
	if err != nil {
		return t.unsure(ctx, rec, err)
	}
	if reason == acquirer.ReasonBadMAC || (f != nil && f.SignOn) {
		t.signOnWanted = true // the keys may differ: fresh ones before anything else
	}
	t.Log.Warn().Err(cause).Uint64("no", rec.No).Uint32("stan", rec.STAN).Str("reason", reason).Msg("no believable answer: reversal owed")
	t.unableToGoOnline(ctx, rec, s)
	return t.takeBack(ctx, rec)
}

// saleNotSent deals with a request of which surely nothing left. The card may still approve, where the terminal may do without the host:
// until that is durable the record says "sent", and a power cut makes a reversal of it, which the host closes as one of nothing. In every
// other case it is a plain no.
func (t *Terminal) saleNotSent(ctx context.Context, rec journal.Record, s Session, cause error) error {
	room := false
	if ctx.Err() == nil && unreachable(cause) {
		var err error
		if room, err = t.room(rec.Amount); err != nil {
			return t.unsure(ctx, rec, err)
		}
	}
	if room {
		out, err := s.Complete(ctx, emv.HostAnswer{Reached: false})
		if err == nil && out == emv.Approved {
			rec, err := t.move(rec, journal.Approved, "offline", func(r *journal.Record) { t.markOffline(r, s) })
			if err != nil {
				return t.unsure(ctx, rec, err)
			}
			return t.offlineApproved(ctx, rec)
		}
		t.Log.Info().Err(err).Uint64("no", rec.No).Msg("card does not approve without the host")
	}
	rec, err := t.move(rec, journal.Declined, "not-sent", nil)
	if err != nil {
		return t.unsure(ctx, rec, err)
	}
	if !room {
		t.unableToGoOnline(ctx, rec, s)
	}
	return errors.Join(t.show(ctx, linkProblem(cause)), t.seen(ctx, rec))
}

// unableToGoOnline lets the card end its transaction (Book 3, 10.7: TAC/IAC-default). Whatever it says, this is no yes: the request may have
// left, or the terminal may not do without the host.
func (t *Terminal) unableToGoOnline(ctx context.Context, rec journal.Record, s Session) {
	if _, err := s.Complete(ctx, emv.HostAnswer{Reached: false}); err != nil {
		t.Log.Info().Err(err).Uint64("no", rec.No).Msg("second cryptogram without an answer")
	}
}

// takeBack tells the operator that the outcome is unknown, tries the reversal at once, and tells how it ended.
func (t *Terminal) takeBack(ctx context.Context, rec journal.Record) error {
	amount := rec.Amount
	t.Console.Show(keypad.Screen{
		Name: "unknown", Mood: keypad.Doubt, Title: keypad.T(keypad.Unknown), Amount: &amount,
		Body: []keypad.Text{keypad.T(keypad.BusyCancel), keypad.T(keypad.UnknownCard)},
	})
	if err := t.payDebts(ctx, rec.Kind, counted); err != nil && !errors.Is(err, ErrOwed) {
		return t.unsure(ctx, rec, err)
	}
	return t.tell(ctx, rec.No)
}

// answered copies what the journal keeps of a host's answer.
func answered(r *journal.Record, a acquirer.Reply) {
	c := r.Card
	c.Code, c.RRN, c.Auth, c.Scheme, c.Issuer = a.Code, a.RRN, a.Auth, a.Scheme, a.Issuer
	c.HostTime = a.HostDate + a.HostTime
	c.Institution = a.Institute
}

// releaseCard switches the card off and asks for it to be taken, since a card left in the reader is a card lost.
func (t *Terminal) releaseCard(ctx context.Context) {
	if err := t.Reader.PowerOff(ctx); err != nil {
		t.Log.Info().Err(err).Msg("card power off")
	}
	in, err := t.Reader.Present(ctx)
	if err != nil || !in {
		return
	}
	t.Console.Show(keypad.Screen{Name: "take-card", Mood: keypad.Notice, Title: keypad.T(keypad.CardRemove)})
	wait, cancel := context.WithTimeout(ctx, t.Config.CardWait)
	defer cancel()
	if err := t.Reader.WaitRemoved(wait); err != nil {
		t.Log.Info().Err(err).Msg("card was not taken")
	}
}

func (t *Terminal) checkAmount(a money.Amount) *Problem {
	if a.Minor <= 0 || a.Currency != t.Config.Currency || (t.Config.MaxAmount > 0 && a.Minor > t.Config.MaxAmount) {
		p := bad("A01", keypad.AmountBad, keypad.AmountMax, fmt.Errorf("amount %d %s outside 1..%d", a.Minor, a.Currency, t.Config.MaxAmount))
		p.Advice = keypad.T(keypad.AmountMax, money.Amount{Minor: t.Config.MaxAmount, Currency: t.Config.Currency})
		return p
	}
	return nil
}

func (t *Terminal) seal(s secrets) ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	return t.Keys.Seal(b, sealContext)
}

func (t *Terminal) unseal(b []byte) (secrets, error) {
	var s secrets
	plain, err := t.Keys.Unseal(b, sealContext)
	if err != nil {
		return s, err
	}
	defer clear(plain)
	return s, json.Unmarshal(plain, &s)
}
