package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"posd/internal/money"
	"posd/journal"
	"posd/keypad"
	"posd/qrpay"
	"posd/txn"
)

// How often the idle screen looks after what is owed: at first soon, then less and less, because the operator cannot type meanwhile.
const (
	idleRound    = 30 * time.Second
	idleRoundMax = 10 * time.Minute
	// bootPatience bounds what is done for hosts before the idle screen shows for the first time.
	bootPatience = 20 * time.Second
)

// serve is the life of the terminal: what is owed first, then one key after the other. The event queue exists here only; a flow that is
// started runs to its end before the next key is looked at.
func (m *machine) serve(ctx context.Context) error {
	m.console.Show(keypad.Screen{Name: "starting", Mood: keypad.Busy, Title: keypad.T(keypad.IdleStarting)})
	round := idleRound
	_ = m.lookAfter(ctx, bootPatience)
	boot, cancel := context.WithTimeout(ctx, bootPatience)
	if m.term.Acquirer != nil && !m.term.Keys.Ready() {
		if err := m.term.SignOn(boot); err != nil { // not needed to start: the next sale signs on again and says what is wrong
			m.log.Warn().Err(err).Msg("sign-on at start")
		}
	}
	cancel()
	for ctx.Err() == nil {
		again, err := m.reopen()
		if err != nil {
			m.refuse(ctx, err)
			return fmt.Errorf("%w: %w", journal.ErrStorage, err) // whoever starts posd starts it again
		}
		if again { // what could not be stored is settled at once, not at the next round
			_ = m.lookAfter(ctx, bootPatience)
		}
		if err := m.term.TellOwed(ctx); err != nil { // settled in passing, before another sale
			m.log.Warn().Err(err).Msg("telling the operator")
		}
		m.term.Status()
		wait, cancel := context.WithTimeout(ctx, round)
		key, err := m.console.Idle(wait, m.idleScreen())
		cancel()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			if !errors.Is(err, context.DeadlineExceeded) {
				m.log.Error().Err(err).Msg("idle screen")
				return err
			}
			if m.lookAfter(ctx, 0) {
				round = idleRound
			} else {
				round = min(2*round, idleRoundMax)
			}
		default:
			if _, err := m.reopen(); err == nil { // there may be room since the screen was drawn; if not even that, the next round says so and ends
				m.onKey(ctx, key)
			}
			round = idleRound
		}
	}
	return ctx.Err()
}

// lookAfter pays what is owed, if anything is, and tells whether nothing is left. hosts is as for txn.Settle.
func (m *machine) lookAfter(ctx context.Context, hosts time.Duration) (clear bool) {
	owed, err := m.term.Journal.Owed()
	if err != nil {
		m.log.Error().Err(err).Msg("journal")
		return false
	}
	if len(owed) == 0 {
		return true
	}
	m.console.Show(keypad.Screen{Name: "settling", Mood: keypad.Busy, Title: keypad.T(keypad.BusySettle)})
	err = m.term.Settle(ctx, hosts)
	if err != nil {
		m.log.Warn().Err(err).Int("owed", len(owed)).Msg("not everything could be settled")
	}
	return err == nil
}

func (m *machine) idleScreen() keypad.Screen {
	s := keypad.Screen{
		Name: "idle", Title: keypad.Text{Words: map[keypad.Lang]string{keypad.ZH: m.term.Config.MerchantZH, keypad.EN: or(m.term.Config.MerchantEN, m.term.Config.MerchantZH)}},
		Body: []keypad.Text{keypad.T(keypad.IdleTitle)},
		Hints: []keypad.Hint{
			{Key: keypad.KeyF1, Text: keypad.T(keypad.HintLang)},
			{Key: keypad.KeyF2, Text: keypad.T(keypad.HintReprint)},
			{Key: keypad.KeyMenu, Text: keypad.T(keypad.HintMenu)},
		},
	}
	return s
}

func (m *machine) onKey(ctx context.Context, key keypad.Key) {
	switch {
	case key >= '0' && key <= '9', key == keypad.KeyEnter:
		if key == keypad.KeyEnter {
			key = keypad.KeyNone
		}
		m.sell(ctx, key)
	case key == keypad.KeyF1:
		m.switchLanguage()
	case key == keypad.KeyF2:
		m.ended(m.term.ReprintLast(ctx))
	case key == keypad.KeyMenu:
		m.menu(ctx)
	}
}

// sell asks for the amount and the way to pay, and runs the sale.
func (m *machine) sell(ctx context.Context, first keypad.Key) {
	minor, err := m.console.Amount(ctx, keypad.AmountPrompt{
		Name: "amount", Title: keypad.T(keypad.AmountTitle), Currency: m.term.Config.Currency, Max: m.term.Config.MaxAmount, First: first,
	})
	if err != nil {
		return
	}
	amount := money.Amount{Minor: minor, Currency: m.term.Config.Currency}
	type way struct {
		text keypad.Msg
		run  func() error
	}
	var ways []way
	if m.term.Acquirer != nil && m.term.Reader != nil {
		ways = append(ways, way{keypad.MethodCard, func() error { return m.term.SaleByCard(ctx, amount) }})
	}
	wallet := func(text keypad.Msg, w txn.WalletWay) {
		ways = append(ways, way{text, func() error { return m.term.SaleByWallet(ctx, amount, w) }})
	}
	if len(m.term.Wallets) > 0 {
		huabei := m.term.Config.Contract.Huabei || len(m.term.Config.Contract.Payers) > 0
		if m.term.Scanner != nil {
			if huabei {
				wallet(keypad.MethodHuabeiScan, txn.WalletWay{Method: qrpay.ScanBuyer, Huabei: true})
			}
			wallet(keypad.MethodScan, txn.WalletWay{Method: qrpay.ScanBuyer})
		}
		if huabei {
			wallet(keypad.MethodHuabeiShow, txn.WalletWay{Method: qrpay.ShowCode, Huabei: true})
		}
		wallet(keypad.MethodShow, txn.WalletWay{Method: qrpay.ShowCode})
	}
	menu := keypad.Menu{Name: "method", Title: keypad.T(keypad.MethodTitle), Amount: &amount}
	for _, w := range ways {
		menu.Options = append(menu.Options, keypad.Option{Text: keypad.T(w.text)})
	}
	i, err := m.console.Choose(ctx, menu)
	if err != nil {
		return
	}
	m.ended(ways[i].run())
}

// ended logs how a flow ended. What the operator must know was on the display already.
func (m *machine) ended(err error) {
	var p *txn.Problem
	switch {
	case err == nil, errors.Is(err, txn.ErrStopped), errors.As(err, &p):
	default:
		m.log.Warn().Err(err).Msg("flow")
	}
}

// switchLanguage changes the language, now and for the next start.
func (m *machine) switchLanguage() {
	l := keypad.ZH
	if m.console.Lang() == keypad.ZH {
		l = keypad.EN
	}
	m.console.SetLang(l)
	if err := keepLanguage(m.set.conf.Data, l); err != nil {
		m.log.Warn().Err(err).Msg("chosen language cannot be kept for the next start")
	}
}

func (m *machine) menu(ctx context.Context) {
	options := []struct {
		text keypad.Msg
		run  func()
	}{
		{keypad.MenuReprint, func() { m.ended(m.term.ReprintLast(ctx)) }},
		{keypad.MenuLang, m.switchLanguage},
		{keypad.MenuSignOn, func() { m.ended(m.term.SignOnByHand(ctx)) }},
		{keypad.MenuEcho, func() { m.ended(m.term.EchoByHand(ctx)) }},
		{keypad.MenuSettle, func() { _ = m.lookAfter(ctx, 0) }},
		{keypad.MenuInfo, func() { m.info(ctx) }},
	}
	menu := keypad.Menu{Name: "menu", Title: keypad.T(keypad.MenuTitle)}
	for _, o := range options {
		menu.Options = append(menu.Options, keypad.Option{Text: keypad.T(o.text)})
	}
	i, err := m.console.Choose(ctx, menu)
	if err != nil {
		return
	}
	options[i].run()
}

// info shows what the help desk asks for on the telephone.
func (m *machine) info(ctx context.Context) {
	c := m.term.Config
	rows := []keypad.Row{
		{Label: keypad.T(keypad.InfoMerchant), Value: keypad.Raw(c.MID)},
		{Label: keypad.T(keypad.InfoTerminal), Value: keypad.Raw(c.TID)},
		{Label: keypad.T(keypad.InfoVersion), Value: keypad.Raw(version)},
	}
	_ = m.console.Confirm(ctx, keypad.Screen{
		Name: "info", Title: keypad.T(keypad.MenuInfo), Rows: rows,
		Hints: []keypad.Hint{{Key: keypad.KeyEnter, Text: keypad.T(keypad.HintOK)}},
	})
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
