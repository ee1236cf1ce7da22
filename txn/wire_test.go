package txn_test

import (
	"context"
	"flag"
	"math/rand"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"posd/emv"
	"posd/internal/money"
	"posd/netlink/acquirer"
	"posd/qrpay"
	simacquirer "posd/sim/acquirer"
	simalipay "posd/sim/alipay"
	"posd/sim/card"
	"posd/txn"
)

// loadShared returns what all runs have in common, with a directory for the key files of this test.
func loadShared(t *testing.T) *shared {
	t.Helper()
	s, err := common()
	if err != nil {
		t.Fatal(err)
	}
	// The key file is synced at every write: where there is a file system in memory, that costs nothing.
	if s.parent, err = os.MkdirTemp("/dev/shm", "posd"); err != nil {
		s.parent = t.TempDir()
	} else {
		t.Cleanup(func() { os.RemoveAll(s.parent) })
	}
	return &s
}

var common = sync.OnceValues(func() (s shared, err error) {
	if s.emv, err = emv.LoadParametersFile("../etc/emv.toml"); err != nil {
		return s, err
	}
	s.emv.Terminal.TerminalID, s.emv.Terminal.MerchantID, s.emv.Terminal.IFDSerial, s.emv.Terminal.Category = wireTID, wireMID, "00000001", "5411"
	s.emv.Terminal.MerchantName = "Test Shop"
	for _, k := range card.CAKeys() {
		key, err := emv.NewCAKey([5]byte(k.RID), k.Index, k.Modulus, k.Exponent, k.Hash)
		if err != nil {
			return s, err
		}
		s.emv.CAKeys = append(s.emv.CAKeys, key)
	}
	if s.profile, err = acquirer.LoadProfile("../etc/acquirers/unionpay.toml"); err != nil {
		return s, err
	}
	if s.contract, err = qrpay.LoadContract("../etc/wallets/alipay.toml"); err != nil {
		return s, err
	}
	// A buyer who waits is asked about twice: every request costs two RSA signatures and a TLS handshake.
	s.contract.QueryPace, s.contract.TotalWait, s.contract.ShowWait, s.contract.CancelTries = 3*time.Second, 5*time.Second, 5*time.Second, 2
	if s.keys, err = simalipay.NewKeys(); err != nil {
		return s, err
	}
	for _, a := range card.Accounts() {
		c, err := card.Load(a.Profile)
		if err != nil {
			return s, err
		}
		code := a.Code
		if code == "00" || code == "51" || code == "54" || code == "55" { // the host finds these out by itself
			code = ""
		}
		pin := c.Profile().PIN
		if a.Code == "55" {
			pin = "000000"
		}
		s.accounts = append(s.accounts, simacquirer.Account{PAN: a.PAN, PSN: a.PSN, Expiry: a.Expiry, PIN: pin, Balance: a.Balance, Code: code})
	}
	s.secure, err = newSecurity()
	return s, err
})

// play runs a plan: the sale under test, the next sale at once, the hosts get well, settling until nothing is owed, and a last sale that
// must work. The terminal is switched on again after each power cut. Then every invariant is checked.
func (s *shared) play(p plan) *world {
	w := newWireWorld(p, s)
	defer w.end()
	ctx := context.Background()
	var t *txn.Terminal
	step := func(f func()) {
		for w.powered(f) {
			f = func() {
				t = w.terminal(s)
				_ = t.Settle(ctx, 0)
			}
		}
	}
	if p.story.card != "" {
		w.take(p.story.card)
	}
	step(func() { t = w.terminal(s); _ = t.Settle(ctx, 0) })
	step(func() { _ = p.story.sell(ctx, t) })
	if _, err := w.j.Last(nil); err != nil && p.again {
		step(func() { _ = p.story.sell(ctx, t) })
	}
	if p.story.card != "" {
		if p.story.card != plainCard {
			w.take(plainCard)
		}
	} else {
		w.phone = "huabei-good"
	}
	w.quiet = true
	if owed, _ := w.j.Owed(); len(owed) > 0 || p.host != nil || p.clock != nil {
		step(func() { _ = p.story.again(ctx, t, nextSale) })
	}
	w.disbelieved()
	w.heal()
	for i := 0; ; i++ {
		owed, _ := w.j.Owed()
		if len(owed) == 0 {
			break
		}
		if i == 6 { // invariant 20: with hosts that answer, the list empties
			w.violated("still owed after %d settlements: %+v", i, owed)
			break
		}
		step(func() { _ = t.Settle(ctx, 0) })
	}
	time.Sleep(2 * time.Minute) // whatever is late arrives now
	before, _ := w.j.Meta()
	var err error
	step(func() { err = p.story.again(ctx, t, lastSale) })
	if after, _ := w.j.Meta(); err != nil || after.Totals == before.Totals {
		w.violated("the last sale did not work: %v", err)
	}
	w.finally()
	return w
}

// plainCard is a card without a key of its own, which takes a tenth of the time of one that signs. It is the card wherever the faults
// have nothing to do with the card. Its number is that of the usual debit card, so that the host knows it.
const (
	plainCard    = "plain"
	plainProfile = `
title = "plain"
title_zh = "无签名"
holder = "ZHANG SAN"
pin = "123456"
[host]
balance = 1000000
[expect]
start = "online"
code = "00"
final = "approved"
[[application]]
aid = "A000000333010101"
label = "UNIONPAY DEBIT"
priority = 1
pan = "6217004815162342019"
expiry = "3012"
service = "220"
oda = "none"
cvm = "000000000000000002031F00"
auc = "FF00"
iac_default = "D86004A800"
iac_denial = "0010000000"
iac_online = "D86804F800"
`
)

// take puts another card into the buyer's hand.
func (w *world) take(profile string) {
	c, err := card.Load(profile)
	if profile == plainCard {
		c, err = card.Parse([]byte(plainProfile))
	}
	if err != nil {
		panic(err)
	}
	c.SetRand(rand.New(rand.NewSource(3)))
	w.card, w.cards = c, append(w.cards, c)
}

// powered runs f until it ends or the power is cut.
func (w *world) powered(f func()) (cut bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(powerCut); !ok {
				panic(r)
			}
			cut = true
			w.cuts++
			w.dead.Store(true)
			w.story = append(w.story, "power cut")
			for _, l := range w.lines {
				terminalEnd{l}.Close()
			}
			synctest.Wait()
		}
	}()
	f()
	return false
}

func (s story) sell(ctx context.Context, t *txn.Terminal) error {
	if s.card != "" {
		return t.SaleByCard(ctx, money.Yuan(firstSale))
	}
	return t.SaleByWallet(ctx, money.Yuan(firstSale), txn.WalletWay{Method: s.method, Huabei: s.huabei})
}

func (s story) again(ctx context.Context, t *txn.Terminal, minor int64) error {
	if s.card != "" {
		return t.SaleByCard(ctx, money.Yuan(minor))
	}
	return t.SaleByWallet(ctx, money.Yuan(minor), txn.WalletWay{Method: qrpay.ScanBuyer})
}

// tally counts runs and reports those that broke an invariant.
type tally struct {
	t      *testing.T
	s      *shared
	name   string
	runs   int
	failed int
	missed int
}

func (c *tally) run(p plan) *world {
	w := c.s.play(p)
	c.runs++
	if n := len(p.faults); w.taken != n && !p.tls { // a run must be repeatable
		w.violated("%d of %d faults happened", w.taken, n)
	}
	if len(w.broken) > 0 {
		if c.failed++; c.failed <= 3 {
			c.t.Errorf("%s: %v\n  what happened: %s\n  broken: %s", c.name, p, strings.Join(w.story, "; "), strings.Join(w.broken, "\n          "))
		}
	}
	return w
}

// each plays base, and then once more for every option of every point that it offers. It hands each run to next.
func (c *tally) each(base plan, next func(plan, *world)) {
	w := c.run(base)
	from := w.n - len(w.points) // the points before are those up to the last fault
	points := w.points
	for i, p := range points {
		for o := 1; o <= p.options; o++ {
			one := base
			one.faults = append(append([]fault(nil), base.faults...), fault{from + i, o})
			if next != nil {
				next(one, nil)
			} else {
				c.run(one)
			}
		}
	}
}

// pairs plays base, every single fault of it, and every second fault after each that keep accepts.
func (c *tally) pairs(base plan, keep func(first, second kind) bool) {
	w := c.run(base)
	from := w.n - len(w.points)
	for i, p := range w.points {
		for o := 1; o <= p.options; o++ {
			one := base
			one.faults = append(append([]fault(nil), base.faults...), fault{from + i, o})
			w1 := c.run(one)
			from1 := w1.n - len(w1.points)
			for i1, p1 := range w1.points {
				if !keep(p.kind, p1.kind) {
					continue
				}
				for o1 := 1; o1 <= p1.options; o1++ {
					two := one
					two.faults = append(append([]fault(nil), one.faults...), fault{from1 + i1, o1})
					c.run(two)
				}
			}
		}
	}
}

// wireTest runs an enumeration in a bubble of virtual time.
func wireTest(t *testing.T, least int, f func(c *tally)) {
	s := loadShared(t)
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // many short lives
	synctest.Test(t, func(t *testing.T) {
		c := &tally{t: t, s: s, name: t.Name()}
		f(c)
		t.Logf("%d runs, %d broke an invariant", c.runs, c.failed)
		if testing.Short() {
			least /= 20
		}
		if c.runs < least {
			t.Errorf("only %d runs: the enumeration does not reach the flow", c.runs)
		}
	})
}

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
		c.each(plan{story: cardStory, kinds: toHost | fromHost, step: stride()}, nil)
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
		}, nil)
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
			c.each(plan{story: story{name: profile, card: profile}, kinds: apdu | pinPad | keys}, nil)
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
			c.each(base, nil)
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
			c.each(p, nil)
		}
	})
}

// TestWireTLS cuts the line under TLS at the edges of every piece of it.
func TestWireTLS(t *testing.T) {
	wireTest(t, 100, func(c *tally) {
		c.each(plan{story: cardStory, kinds: toHost | fromHost | durable, tls: true, step: stride() / 4}, nil)
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
			c.each(plan{story: x, kinds: durable | keys}, nil)
		}
		if testing.Short() {
			return
		}
		c.each(plan{story: scanAtOnce, kinds: durable | keys | onPaper}, nil)
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
				c.each(p, nil)
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
			c.each(plan{story: cardStory, kinds: durable, clock: clock}, nil)
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
