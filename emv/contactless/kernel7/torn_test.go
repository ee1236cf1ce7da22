package kernel7

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// retapped is a purse payment whose card left at an exchange of its first tap, and is tapped again and again with the same sale until there is
// an outcome.
func retapped(t *testing.T, b *bench, c *card, loseAt int, mute bool) (out contactless.Outcome, taps int) {
	t.Helper()
	c.loseAt, c.mute = loseAt, mute
	for taps = 1; ; taps++ {
		out = b.tap(t, c)
		c.loseAt = 0
		if out.Status != retry || taps == 5 {
			return out, taps
		}
		b.now = b.now.Add(2 * time.Second)
	}
}

// The card leaves at every exchange, before it has had the command or after it; whatever happens, it pays once if the sale is approved,
// and it is never debited twice nor debited and sent online.
func TestTornAtEveryExchange(t *testing.T) {
	for _, on := range []bool{true, false} {
		for _, mute := range []bool{true, false} {
			for lose := 1; lose <= 8; lose++ {
				t.Run(fmt.Sprintf("cash %t, command lost %t, exchange %d", on, mute, lose), func(t *testing.T) {
					cfg := Config{}
					if on {
						cfg = cash
					}
					c, b := newCard(), newBench(cfg)
					purse(c)
					out, taps := retapped(t, b, c, lose, mute)
					last := 6 // a8 b2 b2 b2 b2 b2
					if on {
						last = 7
					}
					if c.debited > 1 {
						t.Fatalf("debited %d times", c.debited)
					}
					if c.balance != 50000-int64(c.debited)*12345 {
						t.Fatalf("balance %d after %d", c.balance, c.debited)
					}
					switch {
					case lose > last:
						if out.Status != approved || taps != 1 || c.debited != 1 {
							t.Errorf("status %d after %d taps", out.Status, taps)
						}
					case lose == last && !on:
						// Without the balance before nobody can tell.
						if out.Status != over || taps != 2 || b.k.Torn() != 1 {
							t.Errorf("status %d after %d taps, %d torn; %q", out.Status, taps, b.k.Torn(), b.reasons)
						}
					default:
						if out.Status != approved || taps != 2 || c.debited != 1 || b.k.Torn() != 0 {
							t.Errorf("status %d after %d taps, debited %d, %d torn; %q", out.Status, taps, c.debited, b.k.Torn(), b.reasons)
						}
					}
				})
			}
		}
	}
}

// torn is a sale whose card left in the last record, after it was debited.
func tornSale(t *testing.T, cfg Config) (*bench, *card) {
	t.Helper()
	c, b := newCard(), newBench(cfg)
	purse(c)
	c.loseAt = 7
	out := b.tap(t, c)
	if out.Status != retry || out.Start != contactless.StartB || out.UIRestart.Message != contactless.MsgPresentAgain || c.debited != 1 || b.k.Torn() != 1 {
		t.Fatalf("status %d, debited %d, torn %d, %q", out.Status, c.debited, b.k.Torn(), b.reasons)
	}
	c.loseAt = 0
	b.now = b.now.Add(3 * time.Second)
	return b, c
}

func TestTornAndPaid(t *testing.T) {
	b, c := tornSale(t, cash)
	first := c.pdolIn
	b.a.UN = [4]byte{9, 9, 9, 9} // the Entry Point draws a new one
	out := b.tap(t, c)
	if out.Status != approved || c.debited != 1 {
		t.Fatalf("status %d, debited %d: %q", out.Status, c.debited, b.reasons)
	}
	for _, l := range c.log {
		if l[2:4] == "a8" {
			t.Error("GET PROCESSING OPTIONS for a payment that was made")
		}
	}
	// The record is that of the first tap, whose cryptogram the issuer will see.
	for tag, want := range map[tlv.Tag]string{tagUN: fmt.Sprintf("%X", first[tagUN]), tagAC: "1122334455667788", tagCashCode: "454343303031", tagCID: "40"} {
		if v, ok := tlv.Find(out.DataRecord, tag); !ok || fmt.Sprintf("%X", v) != want {
			t.Errorf("%s %X, want %s", tag, v, want)
		}
	}
	if u := out.UIOutcome; !u.Balance || u.Amount == nil || u.Amount.Minor != 50000-12345 {
		t.Errorf("balance shown %+v", u.Amount)
	}
}

func TestTornCases(t *testing.T) {
	cases := []struct {
		name string
		cfg  Config
		then func(*bench, *card) *card // the card of the second tap
		want contactless.Status
		torn int
		why  string
	}{
		{"another card within the time: the same is asked for", cash, func(b *bench, c *card) *card { o := newCard(); purse(o); o.pan = otherPAN; return o }, retry, 1, "not the card"},
		{"another card when the time is over: the sale ends", cash, func(b *bench, c *card) *card {
			b.now = b.now.Add(20 * time.Second)
			o := newCard()
			purse(o)
			o.pan = otherPAN
			return o
		}, over, 1, "not the card"},
		{"another application: the same card is asked for", cash, func(b *bench, c *card) *card { o := newCard(); o.aid = "A000000333010102"; return o }, retry, 1, "not the card"},
		{"FF803A is a parameter", Config{Cash: cash.Cash, Parameters: Parameters{RetapTime: 2 * time.Second}}, func(b *bench, c *card) *card { o := newCard(); purse(o); o.pan = otherPAN; return o }, over, 1, "not the card"},
		{"the same card when the time is over: it has paid", cash, func(b *bench, c *card) *card { b.now = b.now.Add(30 * time.Second); return c }, approved, 0, "has paid"},
		{"a balance that cannot be had: no approval, no second payment", cash, func(b *bench, c *card) *card { c.answer["ca"] = func() []byte { return with(nil, 0x6985) }; return c }, over, 1, "not known"},
		{"a balance changed by something else", cash, func(b *bench, c *card) *card { c.balance -= 1; return c }, over, 1, "another amount"},
		{"records that cannot be read again", cash, func(b *bench, c *card) *card { c.answer["b2"] = func() []byte { return with(nil, 0x6985) }; return c }, over, 1, "6985"},
		{"a signature that does not fit the records", cash, func(b *bench, c *card) *card { c.drop[0x9F46] = true; return c }, declined, 0, "fDDA"},
		{"a second tear: once more", cash, func(b *bench, c *card) *card { c.loseAt = 3; return c }, retry, 1, "left"},
		{"the same card in another sale: it has to be cleared up first", cash, func(b *bench, c *card) *card { b.a.Transaction.Counter++; return c }, over, 1, "another sale"},
		{"the same card in another sale, going online", cash, func(b *bench, c *card) *card { b.a.Transaction.Counter++; c.cid = "A0"; return c }, over, 1, "another sale"},
		{"another card in another sale", cash, func(b *bench, c *card) *card { b.a.Transaction.Counter++; o := newCard(); o.pan = otherPAN; return o }, online, 1, ""},
		{"FF803C: after that the card is forgotten", cash, func(b *bench, c *card) *card { b.a.Transaction.Counter++; b.now = b.now.Add(time.Minute); return c }, approved, 0, ""},
		{"FF803C is a parameter", Config{Cash: cash.Cash, Parameters: Parameters{TornLifetime: 11 * time.Second}}, func(b *bench, c *card) *card {
			b.a.Transaction.Counter++
			b.now = b.now.Add(10 * time.Second)
			return c
		}, approved, 0, ""},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			b, c := tornSale(t, k.cfg)
			second := k.then(b, c)
			before := c.debited + second.debited
			out := b.tap(t, second)
			if out.Status != k.want || b.k.Torn() != k.torn || k.why != "" && !b.explained(k.why) {
				t.Errorf("status %d, %d torn, %q; want %d, %d, %q", out.Status, b.k.Torn(), b.reasons, k.want, k.torn, k.why)
			}
			if out.Status == over && c.debited+second.debited != before && second != c {
				t.Error("a card was debited for a sale that ended")
			}
		})
	}
}

// A same card that had not been debited pays now, once.
func TestTornAndNotPaid(t *testing.T) {
	c, b := newCard(), newBench(cash)
	purse(c)
	c.loseAt, c.mute = 7, true
	if out := b.tap(t, c); out.Status != retry || c.debited != 0 {
		t.Fatalf("status %d, debited %d", out.Status, c.debited)
	}
	c.loseAt = 0
	out := b.tap(t, c)
	if out.Status != approved || c.debited != 1 || b.k.Torn() != 0 || !b.explained("has not paid") {
		t.Fatalf("status %d, debited %d, torn %d, %q", out.Status, c.debited, b.k.Torn(), b.reasons)
	}
}

// An ARQC has moved no money: the card leaves, comes again, and nothing is remembered.
func TestTornOnline(t *testing.T) {
	c, b := newCard(), newBench(Config{})
	c.loseAt = 1
	if out := b.tap(t, c); out.Status != retry || out.Start != contactless.StartB || b.k.Torn() != 0 {
		t.Fatalf("status %d", out.Status)
	}
	c.loseAt = 0
	if out := b.tap(t, c); out.Status != online {
		t.Fatalf("status %d", out.Status)
	}
}

// Many torn cards: the list stays short, the oldest goes.
func TestTornListIsBounded(t *testing.T) {
	b := newBench(cash)
	for i := range 20 {
		c := newCard()
		purse(c)
		c.pan = fmt.Sprintf("62000000000%05d", i)
		c.loseAt = 7
		b.a.Transaction.Counter++
		if out := b.tap(t, c); out.Status != retry {
			t.Fatalf("status %d: %q", out.Status, b.reasons)
		}
	}
	if b.k.Torn() != maxTorn {
		t.Errorf("%d torn", b.k.Torn())
	}
}

func TestContextEnds(t *testing.T) {
	c, b := newCard(), newBench(Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := b.a
	a.ADF, a.FCI = unhex(c.aid), c.fci()
	if _, err := b.k.Activate(ctx, c, &a); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(c.log) != 0 {
		t.Error("a command was sent")
	}
}
