package txn

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"posd/internal/money"
	"posd/journal"
	"posd/netlink/acquirer"
	"posd/vault"
)

// The limit of sales without the host: number, and total. When it is reached and the host cannot be asked, no card is asked for; when it
// can, the card is made to ask.
func TestOfflineLimit(t *testing.T) {
	for _, c := range []struct {
		name    string
		amounts []int64
		ok      int // so many are approved
	}{
		{"number", []int64{500, 700, 500}, 2},
		{"total", []int64{12345, 12345}, 1},
		{"more than the total alone", []int64{12345, 700, 500}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, term, p := quietDay(t, func(w *world) { w.kind, w.first = 0x22, "tc" })
				p.connect = func() error { return errNotOut }
				for i, a := range c.amounts {
					w.screens = nil
					err := term.SaleByCard(t.Context(), money.Yuan(a))
					var problem *Problem
					if i < c.ok && err != nil || i >= c.ok && (!errors.As(err, &problem) || problem.Code != "L05") {
						t.Fatalf("sale %d: %v", i, err)
					}
					if _, asked := w.screen("insert"); asked != (i < c.ok) {
						t.Errorf("sale %d: a card was asked for: %v", i, asked)
					}
				}
				p.connect = nil // the host is back, and busy: uploads wait, and the next sale is the host's to approve
				p.advise = func(acquirer.Advice) (acquirer.Reply, error) {
					return acquirer.Reply{Code: "96", Action: acquirer.Retry}, nil
				}
				p.seen = nil
				if err := term.SaleByCard(t.Context(), money.Yuan(12345)); err != nil {
					t.Fatal(err)
				}
				if r, _ := w.j.Last(nil); r.Card.Offline || !slices.Contains(p.seen, "sale 12345") {
					t.Errorf("beyond the limit without the host: %+v, %v", r.Card, p.seen)
				}
				p.advise = nil
				if err := term.Settle(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
				w.finally()
				for _, b := range w.broken {
					t.Error(b)
				}
			})
		})
	}
}

// Which errors mean "unable to go online" (Book 4, 12.2.1): the line's, when surely nothing was sent; never a device's or the host's no.
func TestUnreachable(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"refused", errNotOut, true},
		{"no line", fmt.Errorf("%w: %w", errNoLine, errors.New("no route")), true},
		{"reversal owed, no line", fmt.Errorf("%w: %w", ErrOwed, fmt.Errorf("%w: x", errNoLine)), true},
		{"may have left", errMute, false},
		{"reversal owed, unanswered", fmt.Errorf("%w: %w", ErrOwed, errMute), false},
		{"pad", &acquirer.Failure{Err: vault.ErrPad}, false},
		{"no keys", &acquirer.Failure{Err: vault.ErrNoKeys}, false},
		{"request", &acquirer.Failure{Err: &acquirer.RequestError{}}, false},
		{"sign-on refused", &refusedSignOn{}, false},
		{"shut down", fmt.Errorf("%w: %w", errNoLine, context.Canceled), false},
		{"storage", journal.ErrStorage, false},
	} {
		if got := unreachable(c.err); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// A card that approves without the issuer is believed only where nothing can have left, and only by a terminal that may do without.
func TestUnableToGoOnline(t *testing.T) {
	for _, c := range []struct {
		name string
		kind byte
		err  error
		want journal.State
	}{
		{"nothing left", 0x22, errNotOut, journal.Approved},
		{"nothing left, unattended", 0x25, errNotOut, journal.Approved},
		{"online only", 0x21, errNotOut, journal.Declined},
		{"may have left", 0x22, errMute, journal.Undone},
		{"answer not believed", 0x22, &acquirer.Failure{Sent: true, Reason: acquirer.ReasonBadMAC, Err: errors.New("MAC")}, journal.Undone},
		{"pad broken", 0x22, &acquirer.Failure{Err: vault.ErrPad}, journal.Declined},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, term, p := quietDay(t, func(w *world) { w.kind = c.kind })
				p.sale = func(acquirer.Sale) (acquirer.Reply, error) { return acquirer.Reply{}, c.err }
				_ = term.SaleByCard(t.Context(), money.Yuan(500))
				r := get(t, w, 1)
				if r.State != c.want || r.Card.Offline != (c.want == journal.Approved) || (len(w.paper) == 2) != (c.want == journal.Approved) {
					t.Errorf("%q, offline %v, %d slips", r.State, r.Card.Offline, len(w.paper))
				}
			})
		})
	}
}

// An online-only terminal believes no card that approves by itself (9F35 = 21).
func TestOnlineOnlyTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, term, _ := quietDay(t, func(w *world) { w.first = "tc" })
		var p *Problem
		if err := term.SaleByCard(t.Context(), money.Yuan(500)); !errors.As(err, &p) || p.Code != "R08" {
			t.Errorf("%v", err)
		}
		if _, err := w.j.Last(nil); !errors.Is(err, journal.ErrNotFound) || len(w.paper) != 0 {
			t.Errorf("it left a record: %v", err)
		}
	})
}

// An offline-only terminal (9F35 = 23) asks nobody, and sells nothing beyond its limit.
func TestOfflineOnlyTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, term, p := quietDay(t, func(w *world) { w.kind, w.first = 0x23, "tc" })
		p.advise = func(acquirer.Advice) (acquirer.Reply, error) {
			return acquirer.Reply{Code: "96", Action: acquirer.Retry}, nil
		}
		for range 2 {
			if err := term.SaleByCard(t.Context(), money.Yuan(500)); err != nil {
				t.Fatal(err)
			}
		}
		var problem *Problem
		if err := term.SaleByCard(t.Context(), money.Yuan(700)); !errors.As(err, &problem) || problem.Code != "L05" {
			t.Errorf("%v", err)
		}
		if slices.ContainsFunc(p.seen, func(s string) bool { return strings.HasPrefix(s, "sale") }) {
			t.Errorf("the host was asked: %v", p.seen)
		}
		if m, _ := w.j.Meta(); m.Totals.CardMinor != 1000 {
			t.Errorf("%+v", m.Totals)
		}
	})
}

// What a card has pending here, for the floor limit (Book 3, 10.6.1): its own sales that wait for upload, and those that cannot be read.
func TestPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, term, p := quietDay(t, func(w *world) { w.kind, w.first = 0x22, "tc" })
		p.advise = func(acquirer.Advice) (acquirer.Reply, error) {
			return acquirer.Reply{Code: "96", Action: acquirer.Retry}, nil
		}
		if got := term.Pending(testPAN); got != 0 {
			t.Errorf("%d pending at the beginning", got)
		}
		for _, a := range []int64{500, 700} {
			if err := term.SaleByCard(t.Context(), money.Yuan(a)); err != nil {
				t.Fatal(err)
			}
		}
		if got := term.Pending(testPAN); got != 1200 {
			t.Errorf("%d pending", got)
		}
		if got := term.Pending("6222020200112233441"); got != 0 {
			t.Errorf("%d pending for another card", got)
		}
		term.Keys = blind{w.keys}
		if got := term.Pending("6222020200112233441"); got != 1200 {
			t.Errorf("%d pending when nothing can be read", got)
		}
		term.Keys = w.keys
		p.advise = nil
		if err := term.Settle(t.Context(), 0); err != nil || term.Pending(testPAN) != 0 {
			t.Errorf("after the upload: %v, %d", err, term.Pending(testPAN))
		}
		term.Journal = deaf{w.j}
		if got := term.Pending(testPAN); got != math.MaxInt64 {
			t.Errorf("%d pending without a journal", got)
		}
	})
}

type blind struct{ *keys }

func (blind) Unseal(_, _ []byte) ([]byte, error) { return nil, vault.ErrSealed }

type deaf struct{ Journal }

func (deaf) Owed() ([]journal.Record, error) { return nil, journal.ErrStorage }
