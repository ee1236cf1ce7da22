package txn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"posd/internal/money"
	"posd/journal"
	"posd/keypad"
	"posd/qrpay"
)

// WalletWay is how the merchant wants to be paid by a wallet.
type WalletWay struct {
	Method qrpay.Method
	Huabei bool // only Huabei, whole or in instalments; otherwise the buyer chooses the source on the phone
}

// SaleByWallet sells amount to a wallet: plan, code, order, the buyer's confirmation, outcome, paper.
func (t *Terminal) SaleByWallet(ctx context.Context, amount money.Amount, way WalletWay) error {
	if p := t.checkAmount(amount); p != nil {
		return t.show(ctx, p)
	}
	if err := t.Journal.Healthy(); err != nil {
		return t.show(ctx, storeProblem(err))
	}
	name := t.Config.Contract.Wallet
	w, ok := t.Wallets[name]
	if !ok {
		return t.show(ctx, bad("W01", keypad.MethodNone, keypad.CallHelp, fmt.Errorf("wallet %q is not configured", name)))
	}
	if way.Method == qrpay.ScanBuyer && t.Scanner == nil {
		return t.show(ctx, bad("S01", keypad.ScannerGone, keypad.CallHelp, errors.New("no scanner configured")))
	}
	if limit := t.Config.Contract.MaxAmount; limit > 0 && amount.Minor > limit {
		p := bad("A01", keypad.AmountBad, keypad.AmountMax, fmt.Errorf("amount %d beyond the contract's %d", amount.Minor, limit))
		p.Advice = keypad.T(keypad.AmountMax, money.Amount{Minor: limit, Currency: amount.Currency})
		return t.show(ctx, p)
	}
	t.Console.Show(busy("connect", keypad.BusyConnect, &amount))
	if err := t.payDebts(ctx, journal.WalletSale, counted); err != nil {
		return t.show(ctx, t.owedProblem(err))
	}

	o := qrpay.Order{
		Method: way.Method, Amount: amount, Subject: t.Config.Contract.Subject,
		Operator: t.Config.Operator, Terminal: t.Config.TID, Store: t.Config.Store,
	}
	if way.Huabei {
		if err := t.choosePlan(ctx, &o); err != nil {
			return t.ended(ctx, err, walletProblem)
		}
	}
	if way.Method == qrpay.ScanBuyer {
		code, err := t.scanCode(ctx, amount, name)
		if err != nil {
			return t.ended(ctx, err, walletProblem)
		}
		o.AuthCode = code
	}
	return t.sellToWallet(ctx, w, name, o)
}

// ended maps the end of a prompt to what the flow returns.
func (t *Terminal) ended(ctx context.Context, err error, as func(error) *Problem) error {
	if stopped(ctx, err) || errors.Is(err, keypad.ErrTimeout) {
		return ErrStopped
	}
	var p *Problem
	if errors.As(err, &p) {
		return t.show(ctx, p)
	}
	return t.show(ctx, as(err))
}

// choosePlan offers Huabei in full and in the instalments of the contract, and shows every figure before anything is sent.
func (t *Terminal) choosePlan(ctx context.Context, o *qrpay.Order) error {
	c := t.Config.Contract
	type choice struct {
		payer qrpay.Payer
		plans []qrpay.Plan
	}
	menu := keypad.Menu{Name: "huabei", Title: keypad.T(keypad.MethodHuabei), Amount: &o.Amount}
	var choices []choice
	if c.Huabei {
		menu.Options = append(menu.Options, keypad.Option{Text: keypad.T(keypad.PlanWhole)})
		choices = append(choices, choice{})
	}
	for _, payer := range c.Payers {
		plans, err := qrpay.Plans(o.Amount.Minor, c, payer)
		if err != nil || len(plans) == 0 {
			continue
		}
		label := keypad.PayerBuyer
		if payer == qrpay.PayerSeller {
			label = keypad.PayerSeller
		}
		menu.Options = append(menu.Options, keypad.Option{Text: keypad.T(keypad.MethodHuabei), Detail: keypad.T(label)})
		choices = append(choices, choice{payer, plans})
	}
	if len(choices) == 0 {
		return bad("W02", keypad.PlanNone, keypad.CardOther, errors.New("no Huabei plan for this amount"))
	}
	for {
		i := 0
		if len(choices) > 1 {
			var err error
			if i, err = t.Console.Choose(ctx, menu); err != nil {
				return err
			}
		}
		if choices[i].plans == nil {
			o.Channel = qrpay.ChannelHuabei
			return nil
		}
		p, err := t.choosePeriods(ctx, o.Amount, choices[i].plans)
		if errors.Is(err, keypad.ErrCancelled) && len(choices) > 1 {
			continue // back to the menu before
		}
		if err != nil {
			return err
		}
		o.Channel, o.Plan = qrpay.ChannelHuabeiInstalments, &p
		return nil
	}
}

func (t *Terminal) choosePeriods(ctx context.Context, amount money.Amount, plans []qrpay.Plan) (qrpay.Plan, error) {
	menu := keypad.Menu{Name: "plan", Title: keypad.T(keypad.PlanTitle), Amount: &amount}
	for _, p := range plans {
		menu.Options = append(menu.Options, keypad.Option{
			Text:   keypad.T(keypad.PlanPeriods, p.Periods),
			Detail: keypad.T(keypad.PlanEach, money.Amount{Minor: p.Each, Currency: amount.Currency}),
		})
	}
	for {
		i, err := t.Console.Choose(ctx, menu)
		if err != nil {
			return qrpay.Plan{}, err
		}
		err = t.Console.Confirm(ctx, planScreen(amount, plans[i]))
		if errors.Is(err, keypad.ErrCancelled) {
			continue
		}
		return plans[i], err
	}
}

// planScreen shows a plan to merchant and customer: who pays what, to the fen.
func planScreen(amount money.Amount, p qrpay.Plan) keypad.Screen {
	m := func(minor int64) keypad.Text { return moneyText(minor, amount.Currency) }
	fee := keypad.PlanRowFeeBuyer
	if p.Payer == qrpay.PayerSeller {
		fee = keypad.PlanRowFeeSeller
	}
	return keypad.Screen{
		Name: "plan-confirm", Title: keypad.T(keypad.PlanConfirm), Amount: &amount,
		Rows: []keypad.Row{
			{Label: keypad.T(keypad.PlanRowPeriods), Value: keypad.T(keypad.PlanPeriods, p.Periods)},
			{Label: keypad.T(keypad.PlanRowFirst), Value: m(p.First), Strong: true},
			{Label: keypad.T(keypad.PlanRowEach), Value: m(p.Each), Strong: true},
			{Label: keypad.T(fee), Value: m(p.Fee)},
			{Label: keypad.T(keypad.PlanRowTotal), Value: m(p.BuyerTotal)},
			{Label: keypad.T(keypad.PlanRowNet), Value: m(p.SellerNet)},
		},
		Hints: []keypad.Hint{{Key: keypad.KeyCancel, Text: keypad.T(keypad.HintBack)}, {Key: keypad.KeyEnter, Text: keypad.T(keypad.HintOK)}},
	}
}

// scanCode reads the buyer's payment code and sees that it belongs to the wallet; another wallet's code is named, not guessed.
func (t *Terminal) scanCode(ctx context.Context, amount money.Amount, wallet string) (string, error) {
	wait, stop := t.Console.Cancellable(ctx)
	defer stop()
	wait, cancel := context.WithTimeout(wait, t.Config.ScanWait)
	defer cancel()
	t.Console.Show(keypad.Screen{
		Name: "scan", Title: keypad.T(keypad.ScanTitle), Amount: &amount, Body: []keypad.Text{keypad.T(keypad.ScanBody)}, Hints: cancelHint(),
	})
	code, err := t.Scanner.Scan(wait)
	if cause := context.Cause(wait); cause != nil {
		return "", cause // a cancel key counts even when the code came at the same moment
	}
	if err != nil {
		return "", bad("S01", keypad.ScannerGone, keypad.DeviceCheck, err)
	}
	owner, err := t.Config.Contract.Route(code)
	if err != nil {
		return "", bad("S02", keypad.ScanBad, keypad.TryAgain, err)
	}
	if owner != wallet {
		return "", bad("S03", keypad.ScanWallet, keypad.CardOther, fmt.Errorf("code of wallet %q", owner))
	}
	return code, nil
}

// sellToWallet runs one order from its durable beginning to its end.
func (t *Terminal) sellToWallet(ctx context.Context, w Wallet, name string, o qrpay.Order) error {
	meta, err := t.Journal.Meta()
	if err != nil {
		return t.show(ctx, storeProblem(err))
	}
	if o.Number, err = t.orderNumber(meta.NextNo); err != nil {
		return t.show(ctx, storeProblem(err))
	}
	wr := &journal.Wallet{Name: name, Order: o.Number, Method: uint8(o.Method), Channel: o.Channel}
	if o.Plan != nil {
		if wr.Plan, err = json.Marshal(o.Plan); err != nil {
			return t.show(ctx, storeProblem(err))
		}
	}
	rec, err := t.Journal.Begin(journal.Record{Kind: journal.WalletSale, Amount: o.Amount, Operator: t.Config.Operator, Time: t.Now(), Wallet: wr})
	if err != nil {
		return t.show(ctx, storeProblem(err))
	}

	t.current = rec.No
	t.Console.Show(busy("paying", keypad.BusyWallet, &o.Amount))
	began := time.Now() // monotonic
	pursuit := t.Config.Contract.Pursue(o)
	var res qrpay.Result
	if o.Method == qrpay.ShowCode {
		res, err = w.Precreate(ctx, o)
	} else {
		res, err = w.Pay(ctx, o)
	}
	o.AuthCode = "" // single-use and secret: not needed again
	t.logWallet(rec, "pay", res, err)
	if err != nil && qrpay.NotSent(err) {
		if _, jerr := t.move(rec, journal.Declined, "not-sent", nil); jerr != nil {
			return t.unsure(ctx, rec, jerr)
		}
		return errors.Join(t.show(ctx, bad("W03", keypad.WalletDown, keypad.HostDownBody, err)), t.seen(ctx, rec))
	}
	qr := res.QR
	for {
		a := pursuit.After(res, time.Since(began))
		switch a.Do {
		case qrpay.Done:
			return t.walletEnded(ctx, rec, a.Status, res)
		case qrpay.Owed:
			t.Status()
			return t.tell(ctx, rec.No)
		case qrpay.Cancel:
			if rec.State != journal.Undoing {
				if rec, err = t.move(rec, journal.Undoing, "no-yes-in-time", nil); err != nil {
					return t.unsure(ctx, rec, err)
				}
			}
			t.Console.Show(keypad.Screen{
				Name: "cancelling", Mood: keypad.Doubt, Title: keypad.T(keypad.BusyCancel), Amount: &o.Amount,
				Body: []keypad.Text{keypad.T(keypad.UnknownBody)},
			})
			if err := sleep(ctx, a.Wait); err != nil {
				return err
			}
			res, err = w.Cancel(ctx, o.Number)
			t.logWallet(rec, "cancel", res, err)
		case qrpay.Query:
			if a.Wait > 0 {
				if t.waitForBuyer(ctx, o, qr, a.Wait, began) {
					pursuit.Stop()
				}
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			res, err = w.Query(ctx, o.Number, o.Amount)
			t.logWallet(rec, "query", res, err)
		}
	}
}

// waitForBuyer shows where the order stands until the next query is due; stop is true when the cashier gave up.
func (t *Terminal) waitForBuyer(ctx context.Context, o qrpay.Order, qr string, d time.Duration, began time.Time) (stop bool) {
	wait, release := t.Console.Cancellable(ctx)
	defer release()
	s := keypad.Screen{
		Name: "buyer-wait", Mood: keypad.Busy, Title: keypad.T(keypad.BuyerWait), Amount: &o.Amount,
		Body: []keypad.Text{keypad.T(keypad.BuyerWaitBody)}, Hints: cancelHint(),
	}
	total := t.Config.Contract.TotalWait
	if qr != "" {
		s.Name, s.Mood, s.Title, s.QR = "show-code", keypad.Plain, keypad.T(keypad.ShowTitle), qr
		s.Body = []keypad.Text{keypad.T(keypad.ShowBody)}
		total = t.Config.Contract.ShowWait
	}
	if left := total - time.Since(began); left > 0 {
		s.Until = t.Now().Add(left)
	}
	t.Console.Show(s)
	_ = sleep(wait, d)
	return errors.Is(context.Cause(wait), keypad.ErrCancelled)
}

// walletEnded books and shows how an order ended.
func (t *Terminal) walletEnded(ctx context.Context, rec journal.Record, s qrpay.Status, res qrpay.Result) error {
	amount := rec.Amount
	switch {
	case s == qrpay.Paid:
		rec, err := t.move(rec, journal.Approved, "", func(r *journal.Record) { paid(r, res) })
		if err != nil {
			return t.unsure(ctx, rec, err)
		}
		t.Console.Show(keypad.Screen{Name: "approved", Mood: keypad.Good, Title: keypad.T(keypad.Approved), Amount: &amount, Body: []keypad.Text{keypad.T(keypad.BusyPrint)}})
		return t.printCopies(ctx, rec, false)
	case rec.State == journal.Undoing: // the cancel is confirmed
		if _, err := t.move(rec, journal.Undone, "cancelled", func(r *journal.Record) { r.Wallet.Code = code(res) }); err != nil {
			return t.unsure(ctx, rec, err)
		}
		return t.tell(ctx, rec.No)
	}
	if _, err := t.move(rec, journal.Declined, "gateway-"+code(res), func(r *journal.Record) {
		r.Wallet.Code = code(res)
	}); err != nil {
		return t.unsure(ctx, rec, err)
	}
	t.Console.Hold(ctx, keypad.Screen{
		Name: "declined", Mood: keypad.Bad, Title: keypad.T(keypad.Declined), Amount: &amount, Code: code(res),
		Body:  []keypad.Text{walletWords(t.Wallets[rec.Wallet.Name], res, rec.Wallet.Channel), keypad.T(keypad.NoMoney)},
		Hints: okHint(),
	}, 3*t.Config.ResultHold)
	return t.seen(ctx, rec)
}

// walletWords says why a gateway refused, in words for the cashier.
func walletWords(w Wallet, r qrpay.Result, channel string) keypad.Text {
	zh, en := w.Words(code(r), channel)
	return keypad.Text{Words: map[keypad.Lang]string{keypad.ZH: zh, keypad.EN: en}}
}

func walletProblem(err error) *Problem {
	if errors.Is(err, context.DeadlineExceeded) {
		return bad("S04", keypad.TimedOut, keypad.TryAgain, err)
	}
	return bad("W01", keypad.WalletDown, keypad.TryAgain, err)
}

// orderNumber makes a number that is never used again: terminal, running record number, time, and random digits, because a restored
// journal could count the same record twice. Letters and digits only, at most 64.
func (t *Terminal) orderNumber(no uint64) (string, error) {
	var r [4]byte
	if _, err := t.Rand.Read(r[:]); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%s%08d%s", alnum(t.Config.TID), t.Now().Format("20060102150405"), no, hexUpper(r[:])), nil
}

func alnum(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			out = append(out, c)
		}
	}
	return string(out)
}

// paid copies what the journal keeps of a payment.
func paid(r *journal.Record, res qrpay.Result) {
	w := r.Wallet
	w.TradeNo, w.Buyer, w.Code, w.Periods = res.TradeNo, res.Buyer, code(res), res.Periods
	w.Funds = nil
	for _, f := range res.Funds {
		w.Funds = append(w.Funds, journal.Fund{Channel: f.Channel, Minor: f.Minor})
	}
}

func code(r qrpay.Result) string {
	if r.SubCode != "" {
		return r.SubCode
	}
	return r.Code
}

func (t *Terminal) logWallet(r journal.Record, what string, res qrpay.Result, err error) {
	e := t.Log.Info()
	if err != nil {
		e = t.Log.Warn().Err(err)
	}
	e.Uint64("no", r.No).Str("order", r.Wallet.Order).Uint8("status", uint8(res.Status)).Str("gateway_code", code(res)).Str("request", what).Msg("wallet")
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
