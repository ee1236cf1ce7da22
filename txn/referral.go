package txn

import (
	"context"
	"errors"

	"posd/emv"
	"posd/journal"
	"posd/keypad"
	"posd/netlink/acquirer"
)

// Issuer-initiated voice referral (Book 4, 6.5.2.2 and 12.2): the issuer's answer is neither yes nor no, it wants to be called. UnionPay's
// practice is a decline whose words send the cardholder to the bank. Where the acquirer's profile says "ask", the cashier calls the number on
// the card while the card stays in the reader, and types the code that the issuer gives; the card has the last word, and the host is owed an
// advice of the sale. Until the outcome is durable the record says "sent": a power cut in the middle of the call makes a reversal of it.

// saleReferred ends a sale whose issuer wants to be called.
func (t *Terminal) saleReferred(ctx context.Context, rec journal.Record, s Session, reply acquirer.Reply) error {
	_, advised := t.Config.Advices[acquirer.AdviceVoice]
	if !t.Config.Referral.Ask || !advised || !t.Config.attended() {
		_, err := t.saleDeclined(ctx, rec, s, reply)
		return err
	}
	call, cancel := context.WithTimeout(ctx, t.Config.Referral.Wait)
	code, err := t.Console.Text(call, keypad.TextPrompt{
		Name: "referral", Title: keypad.T(keypad.CallIssuer), Body: []keypad.Text{keypad.T(keypad.CallIssuerBody), keypad.T(keypad.CallIssuerCode)},
		Min: voiceCode, Max: voiceCode, Digits: true,
		Wait: t.Config.Referral.Wait,
	})
	cancel()
	if err != nil {
		t.Log.Info().Err(err).Uint64("no", rec.No).Msg("no code of the issuer")
		_, err := t.saleDeclined(ctx, rec, s, reply)
		return err
	}
	amount := rec.Amount
	t.Console.Show(busy("authorising", keypad.CardReading, &amount))
	out, err := s.Complete(ctx, emv.HostAnswer{Reached: true, ARC: reply.Code, Approved: true, Referral: true, ICC: reply.ICC})
	if err != nil || out != emv.Approved {
		// The host holds nothing: it has declined. What the issuer said on the telephone only a telephone takes back.
		if err == nil {
			err = errors.New("card refused the second cryptogram")
		}
		return t.voiceRefused(ctx, rec, s, reply, err)
	}
	codes, res := t.Config.Advices[acquirer.AdviceVoice], s.Result()
	rec, err = t.move(rec, journal.Approved, "voice", func(r *journal.Record) {
		answered(r, reply)
		r.Card.Voice, r.Card.Auth = true, code
		certified(r.Card, res)
		r.Advices = append(r.Advices, journal.Advice{
			Kind: string(acquirer.AdviceVoice), Own: codes.OwnSTAN, ICC: s.ICC(codes.ICC), State: journal.AdviceOwed,
		})
		r.Advices = append(r.Advices, t.scriptNotice(s)...)
	})
	if err != nil {
		return t.unsure(ctx, rec, err)
	}
	t.Log.Info().Uint64("no", rec.No).Uint32("stan", rec.STAN).Msg("approved by the issuer on the telephone: advice owed")
	t.Console.Show(keypad.Screen{Name: "approved", Mood: keypad.Good, Title: keypad.T(keypad.Approved), Amount: &amount, Body: []keypad.Text{keypad.T(keypad.BusyPrint)}})
	return t.printCopies(ctx, rec, false)
}

// voiceRefused books and shows that the card refused what the issuer had allowed on the telephone.
func (t *Terminal) voiceRefused(ctx context.Context, rec journal.Record, s Session, reply acquirer.Reply, cause error) error {
	t.Log.Warn().Err(cause).Uint64("no", rec.No).Msg("issuer approved on the telephone, card did not")
	rec, err := t.move(rec, journal.Declined, "card-refused", func(r *journal.Record) {
		answered(r, reply)
		r.Advices = append(r.Advices, t.scriptNotice(s)...)
	})
	if err != nil {
		return t.unsure(ctx, rec, err)
	}
	amount := rec.Amount
	t.Console.Hold(ctx, keypad.Screen{
		Name: "declined", Mood: keypad.Bad, Title: keypad.T(keypad.Declined), Amount: &amount, Code: reply.Code,
		Body: []keypad.Text{keypad.T(keypad.WhyCardDeclined), keypad.T(keypad.CallIssuerBack)}, Hints: okHint(),
	}, 3*t.Config.ResultHold)
	return t.seen(ctx, rec)
}

// voiceCode is the length of an issuer's code (field 38).
const voiceCode = 6

// attended tells whether there is somebody who can call (9F35, Book 4, A1).
func (c *Config) attended() bool { return c.TerminalType&0x0F >= 1 && c.TerminalType&0x0F <= 3 }
