package txn_test

import (
	"context"
	"fmt"
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
	if owed, _ := w.j.Owed(); len(owed) > 0 { // its advice
		step(func() { _ = t.Settle(ctx, 0) })
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

// Cards of a terminal that may approve without the host: one that approves small amounts by itself, one that wants the issuer asked but
// does without when that cannot be. Both without a key, and without a PIN.
const (
	freeCard   = "approves by itself"
	unableCard = "does without the issuer"
)

func freeProfile(limit int) []byte {
	p := strings.NewReplacer(
		`cvm = "000000000000000002031F00"`, `cvm = "00000000000000001F00"`, `D86004A800`, `0000000000`, `0010000000`, `0000000000`, `D86804F800`, `0000000000`,
	).Replace(plainProfile)
	return fmt.Appendf([]byte(p), "offline_limit = %d\noffline_count = 9\n", limit)
}

// take puts another card into the buyer's hand.
func (w *world) take(profile string) {
	var c *card.Card
	var err error
	switch profile {
	case plainCard:
		c, err = card.Parse([]byte(plainProfile))
	case freeCard:
		c, err = card.Parse(freeProfile(20000))
	case unableCard:
		c, err = card.Parse(freeProfile(0))
	default:
		c, err = card.Load(profile)
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

// each plays base, and then once more for every option of every point that it offers.
func (c *tally) each(base plan) {
	w := c.run(base)
	from := w.n - len(w.points) // the points before are those up to the last fault
	points := w.points
	for i, p := range points {
		for o := 1; o <= p.options; o++ {
			one := base
			one.faults = append(append([]fault(nil), base.faults...), fault{from + i, o})
			c.run(one)
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
