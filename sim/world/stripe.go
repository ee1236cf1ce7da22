package world

import (
	"context"
	"slices"

	"posd/sim/acquirer"
	"posd/sim/card"
	"posd/sim/msr"
)

// Swipe pulls a card of the catalog through the stripe reader: a card without a chip, or the stripe of one with. The stripe carries the card's
// first application.
func (w *World) Swipe(name string) error {
	c, err := stripeOf(name)
	if err != nil {
		return err
	}
	w.note("card swiped: " + name)
	w.hw.stripe.Swipe(c)
	return nil
}

func doSwipe(_ context.Context, w *World, args []string) (any, error) {
	name, err := one(args)
	if err != nil {
		return nil, err
	}
	return nil, w.Swipe(name)
}

func stripeOf(name string) (msr.Card, error) {
	all := msr.Profiles()
	if i := slices.IndexFunc(all, func(p msr.Profile) bool { return p.Name == name }); i >= 0 {
		return all[i].Card, nil
	}
	if !slices.Contains(card.Profiles(), name) {
		names := cardNames()
		for _, p := range all {
			names = append(names, p.Name)
		}
		return msr.Card{}, unknown("card", name, names)
	}
	c, err := card.Load(name)
	if err != nil {
		return msr.Card{}, err
	}
	p := c.Profile()
	a := p.Applications[0]
	return msr.Card{Holder: p.Holder, PAN: a.PAN, Expiry: a.Expiry, Service: a.Service, Third: true}, nil
}

// stripeAccounts are what the acquirer knows of the cards without a chip.
func stripeAccounts() []acquirer.Account {
	var out []acquirer.Account
	for _, p := range msr.Profiles() {
		out = append(out, acquirer.Account{PAN: p.PAN, Expiry: p.Expiry, PIN: p.PIN, Balance: p.Balance, Code: p.Code})
	}
	return out
}
