package txn

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"posd/journal"
	"posd/keypad"
	"posd/printer"
	"posd/qrpay"
)

// printCopies prints the copies of an approved transaction that are not on paper, the merchant's first. Each is noted durably when
// the printer has confirmed its end. Without paper the operator may put some in, or leave it: the receipt stays owed.
func (t *Terminal) printCopies(ctx context.Context, r journal.Record, duplicate bool) error {
	for _, c := range []printer.Copy{printer.MerchantCopy, printer.CustomerCopy} {
		if printed(r, c) {
			continue
		}
		if c == printer.CustomerCopy && !duplicate {
			t.askTear(ctx, r)
		}
		if err := t.printCopy(ctx, r, c, duplicate); err != nil {
			return err
		}
		var err error
		r, err = t.Journal.Note(r.No, func(r *journal.Record) {
			if c == printer.MerchantCopy {
				r.Printed.Merchant = true
			} else {
				r.Printed.Customer = true
			}
			r.Told = true
		})
		if err != nil {
			p := storeProblem(err)
			p.Mood = keypad.Notice // the sale is approved and on paper: what failed is the note of it, and the copy may come twice
			return t.show(ctx, p)
		}
	}
	return nil
}

func printed(r journal.Record, c printer.Copy) bool {
	if c == printer.MerchantCopy {
		return r.Printed.Merchant
	}
	return r.Printed.Customer
}

// printCopy prints one copy, asking for paper as often as it takes.
func (t *Terminal) printCopy(ctx context.Context, r journal.Record, c printer.Copy, duplicate bool) error {
	if t.Printer == nil {
		return errNoPrinter
	}
	for {
		begun, err := t.Printer.Print(ctx, t.receipt(r, c, duplicate))
		if err == nil {
			t.setPaper(true)
			return nil
		}
		t.Log.Warn().Err(err).Uint64("no", r.No).Bool("begun", begun).Msg("receipt not printed")
		t.setPaper(!errors.Is(err, printer.ErrPaperOut))
		if ctx.Err() != nil {
			return err
		}
		duplicate = duplicate || begun
		if perr := t.Console.Confirm(ctx, t.printerScreen(r, err)); perr != nil {
			return err // the receipt stays owed and is offered again from the idle screen
		}
		amount := r.Amount
		t.Console.Show(busy("printing", keypad.BusyPrint, &amount))
	}
}

var errNoPrinter = errors.New("txn: no printer configured")

func (t *Terminal) printerScreen(r journal.Record, err error) keypad.Screen {
	amount := r.Amount
	s := keypad.Screen{
		Name: "printer", Mood: keypad.Notice, Amount: &amount,
		Body:  []keypad.Text{keypad.T(keypad.PaperSafe)},
		Hints: []keypad.Hint{{Key: keypad.KeyCancel, Text: keypad.T(keypad.HintSkip)}, {Key: keypad.KeyEnter, Text: keypad.T(keypad.HintRetry)}},
	}
	advice := keypad.DeviceCheck
	switch {
	case errors.Is(err, printer.ErrPaperOut):
		s.Title, s.Code, advice = keypad.T(keypad.PaperOut), "T01", keypad.PaperOutBody
	case errors.Is(err, printer.ErrCoverOpen):
		s.Title, s.Code, advice = keypad.T(keypad.PaperCover), "T02", keypad.PaperCoverBody
	case errors.Is(err, printer.ErrOverheat):
		s.Title, s.Code, advice = keypad.T(keypad.PaperHot), "T03", keypad.PaperHotBody
	default:
		s.Title, s.Code = keypad.T(keypad.PaperOffline), "T04"
	}
	s.Body = append([]keypad.Text{keypad.T(advice)}, s.Body...)
	return s
}

func (t *Terminal) askTear(ctx context.Context, r journal.Record) {
	amount := r.Amount
	t.Console.Hold(ctx, keypad.Screen{
		Name: "tear", Mood: keypad.Good, Title: keypad.T(keypad.Approved), Amount: &amount, Body: []keypad.Text{keypad.T(keypad.PaperTear)},
		Hints: []keypad.Hint{{Key: keypad.KeyEnter, Text: keypad.T(keypad.HintPrint)}},
	}, t.Config.TearWait)
}

// ReprintLast prints the newest approved transaction again, both copies marked DUPLICATE.
func (t *Terminal) ReprintLast(ctx context.Context) error {
	r, err := t.Journal.Last(func(r journal.Record) bool { return r.State == journal.Approved })
	if errors.Is(err, journal.ErrNotFound) {
		p := bad("T05", keypad.ReprintNone, keypad.TryAgain, err)
		p.Mood = keypad.Notice
		return t.show(ctx, p)
	}
	if err != nil {
		return t.show(ctx, storeProblem(err))
	}
	owed := journal.Owes(r, journal.Receipt)
	if err := t.Journal.Healthy(); owed && err != nil {
		return t.show(ctx, storeProblem(err)) // nobody knows whether this approval is durable
	}
	amount := r.Amount
	t.Console.Show(busy("printing", keypad.BusyPrint, &amount))
	if owed {
		return t.printCopies(ctx, r, true)
	}
	for _, c := range []printer.Copy{printer.MerchantCopy, printer.CustomerCopy} {
		if err := t.printCopy(ctx, r, c, true); err != nil {
			return err
		}
	}
	return nil
}

func (t *Terminal) setPaper(ok bool) {
	t.paperOut = !ok
	t.Status()
}

// receipt builds a slip from the record and the merchant's data alone, so that a reprint says the same as the first print.
func (t *Terminal) receipt(r journal.Record, c printer.Copy, duplicate bool) printer.Receipt {
	lang := t.Console.Lang()
	out := printer.Receipt{
		Copy: c, Lang: string(lang), Duplicate: duplicate, Outcome: printer.Approved,
		Merchant: t.Config.MerchantZH, MID: t.Config.MID, TID: t.Config.TID, Operator: r.Operator,
		Batch: r.Batch, STAN: r.STAN, Time: r.Time, Amount: r.Amount,
	}
	if lang == keypad.EN && t.Config.MerchantEN != "" {
		out.Merchant = t.Config.MerchantEN
	}
	if k := r.Card; k != nil {
		out.Type = "sale"
		if k.Offline {
			out.Type = "chip-offline-sale"
		}
		if k.Voice {
			out.Type = "offline-sale"
		}
		out.Card = &printer.CardPart{
			MaskedPAN: k.MaskedPAN, Entry: k.Entry, Scheme: k.Scheme, Issuer: k.Issuer, Auth: k.Auth, RRN: k.RRN, AID: k.AID, Label: k.Label,
			Cryptogram: k.Cryptogram, TVR: k.TVR, TSI: k.TSI, ATC: k.ATC, PIN: k.HadPIN || k.CardPIN, Signature: k.Signature,
		}
	}
	if w := r.Wallet; w != nil {
		out.Type = "wallet-sale"
		part := &printer.WalletPart{Name: w.Name, Order: w.Order, TradeNo: w.TradeNo, Buyer: w.Buyer}
		for _, f := range w.Funds {
			part.Funds = append(part.Funds, printer.FundLine{Channel: f.Channel, Minor: f.Minor})
		}
		var p qrpay.Plan
		if len(w.Plan) > 0 && json.Unmarshal(w.Plan, &p) == nil && usedPlan(w, p) {
			part.Plan = &printer.PlanPart{
				Periods: p.Periods, SellerPays: p.Payer == qrpay.PayerSeller, Fee: p.Fee, First: p.First, Each: p.Each,
				BuyerTotal: p.BuyerTotal, SellerNet: p.SellerNet,
			}
		}
		out.Wallet = part
	}
	return out
}

// usedPlan tells whether the buyer paid in the instalments that the cashier confirmed, as far as the gateway says: a slip must not promise
// a plan that was not used.
func usedPlan(w *journal.Wallet, p qrpay.Plan) bool {
	if w.Periods != 0 {
		return w.Periods == p.Periods
	}
	for _, f := range w.Funds {
		if strings.HasPrefix(strings.ToLower(f.Channel), qrpay.ChannelHuabei) { // PCREDIT, pcreditpayInstallment
			return true
		}
	}
	return len(w.Funds) == 0 // not told: the order was restricted to this plan
}
