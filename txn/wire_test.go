package txn_test

import (
	"flag"
	"testing"
	"time"

	"posd/qrpay"
	simacquirer "posd/sim/acquirer"
	simalipay "posd/sim/alipay"
)

var cardStory = story{name: "card", card: plainCard}

// wireAll asks for every run that the tests below know, minutes of them; otherwise they keep to half a minute.
var wireAll = flag.Bool("wire.all", false, "play every run of the enumeration at the wires")

// stride is how many bytes a step is: each one, or under -short every 13th.
func stride() int {
	if testing.Short() {
		return 13
	}
	return 1
}

// some is how much of a list is played under -short, otherwise, and under -wire.all.
func some(short, usual, all int) int {
	switch {
	case *wireAll:
		return all
	case testing.Short():
		return short
	}
	return usual
}

// TestWireBytes cuts the line to the acquirer, and the power, after each byte that goes to it or comes from it in a card sale.
func TestWireBytes(t *testing.T) {
	wireTest(t, 1500, func(c *tally) {
		c.each(plan{story: cardStory, kinds: toHost | fromHost, step: stride()})
		if *wireAll {
			c.pairs(plan{story: cardStory, kinds: toHost | fromHost | durable | dialling, step: 7}, func(first, second kind) bool { return true })
		}
	})
}

// TestWireBytesOfRecovery does the same to the reversal, when the answer to the sale was lost.
func TestWireBytesOfRecovery(t *testing.T) {
	wireTest(t, 800, func(c *tally) {
		c.each(plan{
			story: cardStory, kinds: toHost | fromHost, mti: "0400", step: stride(),
			host: []simacquirer.Fault{{Name: simacquirer.ReplyLost, MTI: "0200", Times: 1}},
		})
	})
}

// TestWireRecoveryInterrupted cuts the power at each durable write, and then again at each byte and write of what follows.
func TestWireRecoveryInterrupted(t *testing.T) {
	wireTest(t, 500, func(c *tally) {
		all := toHost | fromHost | durable
		// The first fault is a power cut at a write, the second anything on the way of the reversal.
		step := 3 * stride()
		if *wireAll {
			step = 1
		}
		c.pairs(plan{story: cardStory, kinds: all, mti: "0400", step: step}, func(first, _ kind) bool { return first == durable || *wireAll })
	})
}

// TestWireCard plays every fault at every command to the card, alone and with a power cut at each durable write, for a card that signs,
// one that asks for an application, and one that says no at the end.
func TestWireCard(t *testing.T) {
	wireTest(t, 500, func(c *tally) {
		for _, profile := range []string{goodPAN, "refuses-second-ac", "two-applications", "unionpay-credit", "insufficient", "wrong-pin", "expired"}[:some(2, 7, 7)] {
			c.each(plan{story: story{name: profile, card: profile}, kinds: apdu | pinPad | keys})
		}
		if !testing.Short() {
			c.pairs(plan{story: cardStory, kinds: apdu | durable, again: true}, func(_, second kind) bool { return second == durable || *wireAll })
		}
	})
}

// TestWireDevices plays pairs of faults of connection, PIN pad, keys, paper and power.
func TestWireDevices(t *testing.T) {
	wireTest(t, 500, func(c *tally) {
		base := plan{story: cardStory, kinds: dialling | pinPad | keys | onPaper | durable, again: true}
		if testing.Short() {
			c.each(base)
			return
		}
		c.pairs(base, func(kind, kind) bool { return true })
	})
}

// hostPlans are every fault of the acquirer's host at every message, once and for as long as it is not healed.
func hostPlans() []plan {
	var out []plan
	for _, name := range simacquirer.New(simacquirer.Options{}).Faults() {
		for _, mti := range []string{"0200", "0400", "0800", "0820"} {
			for _, times := range []int{1, 0} {
				p := plan{story: cardStory, kinds: durable, host: []simacquirer.Fault{{Name: name, MTI: mti, Times: times}}}
				switch name {
				case simacquirer.Down:
					if p.host[0].Times = 0; mti != "0200" || times == 1 {
						continue
					}
				case simacquirer.TLSRefused:
					if p.tls = true; mti != "0200" {
						continue
					}
				case simacquirer.Decline05:
					if mti != "0200" {
						continue
					}
				}
				if mti == "0400" { // something must have made a reversal necessary
					first := simacquirer.Fault{Name: simacquirer.ReplyLost, MTI: "0200", Times: 1}
					if name == simacquirer.ReplyLost {
						first.Name = simacquirer.HalfReply
					}
					p.host = append(p.host, first)
				}
				out = append(out, p)
			}
		}
	}
	return out
}

// TestWireHost plays every fault of the host at every message, alone and with a power cut at each durable write.
func TestWireHost(t *testing.T) {
	wireTest(t, 1000, func(c *tally) {
		for i, p := range hostPlans() {
			if testing.Short() && i%3 != 0 {
				c.run(p)
				continue
			}
			c.each(p)
		}
	})
}

// TestWireTLS cuts the line under TLS at the edges of every piece of it.
func TestWireTLS(t *testing.T) {
	wireTest(t, 100, func(c *tally) {
		c.each(plan{story: cardStory, kinds: toHost | fromHost | durable, tls: true, step: stride() / 4})
	})
}

// The wallet sales under test.
var (
	scanAtOnce = story{name: "scan", method: qrpay.ScanBuyer, phone: "huabei-good"}
	scanSlow   = story{name: "scan, buyer waits", method: qrpay.ScanBuyer, phone: "waiting"}
	scanNever  = story{name: "scan, buyer never pays", method: qrpay.ScanBuyer, phone: "never"}
	scanLate   = story{name: "scan, buyer pays while it is cancelled", method: qrpay.ScanBuyer, phone: "late"}
	scanPoor   = story{name: "scan, in 12 instalments without credit", method: qrpay.ScanBuyer, phone: "huabei-poor", huabei: true}
	scanHuabei = story{name: "scan, in 12 instalments", method: qrpay.ScanBuyer, phone: "huabei-good", huabei: true}
	showAtOnce = story{name: "show", method: qrpay.ShowCode, phone: "huabei-good"}
	showSlow   = story{name: "show, buyer waits", method: qrpay.ShowCode, phone: "waiting"}
	showNever  = story{name: "show, buyer never pays", method: qrpay.ShowCode, phone: "never"}
	showLate   = story{name: "show, buyer pays while it is cancelled", method: qrpay.ShowCode, phone: "late"}
)

// TestWireWallet plays every way a buyer behaves with a power cut, a cancel key and a lack of paper at each step, and pairs of power cuts.
func TestWireWallet(t *testing.T) {
	wireTest(t, 80, func(c *tally) {
		for _, x := range []story{scanLate, showSlow, scanSlow, scanNever, scanPoor, scanHuabei, showAtOnce, showNever, showLate}[:some(2, 9, 9)] {
			c.each(plan{story: x, kinds: durable | keys})
		}
		if testing.Short() {
			return
		}
		c.each(plan{story: scanAtOnce, kinds: durable | keys | onPaper})
		for _, x := range []story{scanLate, showSlow}[:some(0, 0, 2)] {
			c.pairs(plan{story: x, kinds: durable}, func(kind, kind) bool { return true })
		}
	})
}

// TestWireWalletLine cuts the line to the gateway, and the power, before, in and after each TLS record in both directions.
func TestWireWalletLine(t *testing.T) {
	wireTest(t, 80, func(c *tally) {
		for _, x := range []struct {
			story  story
			conn   int // pay or precreate is 0, the first query 1
			places []int
		}{
			{scanAtOnce, 0, []int{0, 2, 1, 3}[:some(1, 2, 4)]},
			{scanNever, 1, []int{0, 2}[:some(0, 0, 2)]}, // query
			{scanNever, 3, []int{0, 2}[:some(0, 0, 2)]}, // cancel
			{showSlow, 0, []int{0, 2}[:some(0, 0, 2)]},  // precreate
		} {
			if len(x.places) == 0 {
				continue
			}
			base := plan{story: x.story}
			w := c.run(base)
			if len(w.walletLines) <= x.conn {
				c.t.Fatalf("%s: only %d connections", x.story.name, len(w.walletLines))
			}
			l := w.walletLines[x.conn]
			for _, up := range []bool{true, false} {
				n := l.down.count
				if up {
					n = l.up.count
				}
				for r := range n {
					for _, place := range x.places {
						for _, what := range []int{lineReset, lineSilent, linePower, lineLate, lineTaken} {
							if testing.Short() && (r+what)%2 != 0 || what >= lineLate && (!up || place != 0) {
								continue
							}
							p := base
							p.cut = &walletCut{conn: x.conn, up: up, record: r, place: place, what: what}
							if w := c.run(p); !w.walletHit.Load() && place < 2 {
								c.missed++
							}
						}
					}
				}
			}
		}
		if c.missed > c.runs/10 {
			c.t.Errorf("%d of %d cuts did not happen", c.missed, c.runs)
		}
	})
}

// TestWireGateway plays every fault of the gateway, alone at every request, and with a power cut at each durable write.
func TestWireGateway(t *testing.T) {
	wireTest(t, 150, func(c *tally) {
		for i, name := range simalipay.New(simalipay.Options{Keys: c.s.keys, Phones: []simalipay.Phone{}}).Faults() {
			for _, x := range []struct {
				story story
				scope string
				every int // so-manyth fault gets power cuts as well; 0 is none
			}{
				{scanAtOnce, "", 4},
				{scanAtOnce, ":all", 0},
				{scanLate, ":cancel", 8},
				{scanSlow, ":query", 0},
				{showSlow, "", 8},
				{showSlow, ":all", 0},
				{showNever, ":cancel", 0},
			}[:some(1, 5, 7)] {
				p := plan{story: x.story, wallet: []string{name + x.scope}}
				if name == "down" {
					p.wallet[0] = name
				}
				if cuts := x.every > 0 && i%x.every == 1 && !testing.Short(); cuts || *wireAll {
					p.kinds = durable
				}
				c.each(p)
			}
		}
	})
}

// Clocks that go wrong. n counts how often the clock was asked.
var clocks = map[string]func(n int, t time.Time) time.Time{
	"1970": func(_ int, t time.Time) time.Time {
		return time.Unix(0, 0).UTC().Add(t.Sub(t.Truncate(24 * time.Hour)))
	},
	"stands still":      func(int, time.Time) time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) },
	"a day to and fro":  func(n int, t time.Time) time.Time { return t.AddDate(0, 0, 1-2*(n%2)) },
	"a day back":        func(n int, t time.Time) time.Time { return t.AddDate(0, 0, -n) },
	"1970 every second": func(n int, t time.Time) time.Time { return [2]time.Time{time.Unix(0, 0).UTC(), t}[n%2] },
	"2038":              func(n int, t time.Time) time.Time { return time.Date(2038, 1, 19, 3, 14, 7+n, 0, time.UTC) },
}

// TestWireClock plays power cuts and faults of the host under clocks that go wrong: invariant 23.
func TestWireClock(t *testing.T) {
	wireTest(t, 200, func(c *tally) {
		for name, clock := range clocks {
			if testing.Short() && name != "1970" && name != "stands still" {
				continue
			}
			c.each(plan{story: cardStory, kinds: durable, clock: clock})
			c.run(plan{story: story{name: "expired", card: "expired"}, clock: clock})
			for i, p := range hostPlans() {
				if i%4 == 0 {
					p.clock = clock
					c.run(p)
				}
			}
			for _, x := range []story{scanAtOnce, showLate} {
				c.run(plan{story: x, clock: clock})
			}
		}
	})
}

// TestWireTraceNumbers lets the trace numbers go from 999999 to 1 in the middle: invariant 5.
func TestWireTraceNumbers(t *testing.T) {
	wireTest(t, 4, func(c *tally) {
		for i, name := range []string{simacquirer.ReplyLost, simacquirer.WrongSTAN, simacquirer.DuplicateReply, simacquirer.WrongMAC} {
			c.run(plan{story: cardStory, first: 999996 + uint32(i%3), host: []simacquirer.Fault{{Name: name, MTI: "0200"}}})
		}
	})
}

// Without a fault each story sells three times, and a first print does not say DUPLICATE.
func TestWireUndisturbed(t *testing.T) {
	wireTest(t, 0, func(c *tally) {
		for _, x := range []story{cardStory, {name: "dda", card: goodPAN}, scanAtOnce, showSlow, scanHuabei} {
			w := c.run(plan{story: x, kinds: ^kind(0)})
			if m, _ := w.j.Meta(); m.Totals.CardMinor+m.Totals.WalletMinor != firstSale+lastSale || len(w.paper) != 4 {
				t.Errorf("%s: totals %+v, %d slips", x.name, m.Totals, len(w.paper))
			}
			for _, s := range w.paper {
				if s.r.Duplicate {
					t.Errorf("%s: a first print says DUPLICATE", x.name)
				}
			}
			if w.n < 10 {
				t.Errorf("%s: only %d points", x.name, w.n)
			}
		}
	})
}
