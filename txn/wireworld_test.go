package txn_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"posd/emv"
	"posd/internal/money"
	"posd/journal"
	"posd/netlink"
	"posd/netlink/acquirer"
	"posd/printer"
	"posd/qrpay"
	"posd/qrpay/alipay"
	simacquirer "posd/sim/acquirer"
	simalipay "posd/sim/alipay"
	"posd/sim/card"
	"posd/txn"
	"posd/vault"
)

const (
	wireTID = "10000001"
	wireMID = "898110153110001"
	goodPAN = "unionpay-debit" // profile of the card of every sale but the one under test
)

var wireTMK, _ = hex.DecodeString("0123456789ABCDEFFEDCBA9876543210")

// kind is a sort of point at which something can go wrong.
type kind uint

const (
	toHost   kind = 1 << iota // a byte to the acquirer: lineReset ...
	fromHost                  // a byte from it
	dialling                  // a connection to it: 1 refused, 2 nobody answers, 3 power
	durable                   // before and after each durable write: 1 power
	apdu                      // a command to the card: apduLost ...
	pinPad                    // a request to the PIN pad: 1 it does not work; a PIN entry also 2 cancelled, 3 timed out, 4 no PIN
	onPaper                   // a slip: 1 power before, 2 in the middle, 3 after it; 4 paper out in the middle
	keys                      // 1 the cancel key
)

// What can happen at an APDU.
const (
	apduLost      = 1 // the card is gone before it has the command
	apduTorn      = 2 // the card has carried it out, the answer is lost
	apduError     = 3 // 6F00, not carried out
	apduPower     = 4 // power, before the command
	apduPowerDone = 5 // power, after it was carried out
	apduOptions   = 5
)

type powerCut struct{}

// fault is a decision to take another option than 0 at the at-th point of the run.
type fault struct{ at, option int }

// point is a place where a run could have gone another way.
type point struct {
	kind    kind
	name    string
	options int
}

// plan is a run: a story, what the hosts do, what the clock does, and what goes wrong at which point.
type plan struct {
	story  story
	kinds  kind   // only points of these kinds are counted
	mti    string // bytes of this message and its answer only; "" is all
	step   int    // only every so-manyth byte; 0 is each
	faults []fault
	host   []simacquirer.Fault // until healed
	wallet []string            // faults of the gateway, until healed
	cut    *walletCut          // on the line to the gateway
	clock  func(n int, t time.Time) time.Time
	again  bool   // a sale that ended before anything was sent is tried once more
	first  uint32 // trace number at the beginning; 0 is 1
	tls    bool   // to the acquirer

	offline bool // a terminal of type 22 that card and floor limit let approve without the host
}

func (p plan) String() string {
	s := fmt.Sprintf("%s, faults %v, host %v, gateway %v", p.story.name, p.faults, p.host, p.wallet)
	if p.cut != nil {
		s += fmt.Sprintf(", line to the gateway %+v", *p.cut)
	}
	return s
}

// story is the sale under test.
type story struct {
	name   string
	card   string // profile; "" is a wallet sale
	method qrpay.Method
	phone  string
	huabei bool
}

// world is what outlives the terminal, and the checks. The flow runs in one goroutine, and everything here but dead, walletHit and the
// lines is used by that goroutine alone.
type world struct {
	plan   plan
	n      int
	bytes  int
	taken  int     // faults of the plan that have happened
	points []point // offered after the last fault of the plan
	quiet  bool    // no points any more
	dead   atomic.Bool
	cuts   int
	story  []string // what happened

	j       *journal.Memory
	keysDir string
	host    *simacquirer.Host
	gateway *simalipay.Gateway
	url     string
	dialTo  func(ctx context.Context, network, addr string) (net.Conn, error)
	card    *card.Card // in the reader or in the buyer's hand
	cards   []*card.Card
	inside  bool // the card is in the reader
	ctx     context.Context
	stop    context.CancelFunc

	s       *shared
	started time.Time
	asked   int // for the time
	phone   string
	codes   []string // payment codes shown
	shown   map[string]bool

	frames      []frame
	signOns     int
	lines       []*wire
	walletLines []*walletLine
	walletHit   atomic.Bool
	paper       []slip
	screens     int
	log         bytes.Buffer
	cardFaults  int // at the card, from the first cryptogram on
	broken      []string
}

type slip struct {
	r   printer.Receipt
	cut bool
}

func newWireWorld(p plan, s *shared) *world {
	w := &world{plan: p, s: s, j: journal.NewMemory(), started: time.Now(), shown: map[string]bool{}, phone: p.story.phone}
	w.ctx, w.stop = context.WithCancel(context.Background())
	for range p.first {
		_, _ = w.j.TakeSTAN()
	}
	w.j.Now = w.now
	w.j.Cut = func(bool) { w.durably("journal") }
	w.keysDir = s.dir()
	w.host = simacquirer.New(simacquirer.Options{
		TMK: wireTMK, TID: wireTID, MID: wireMID, Accounts: s.accounts, Issuer: card.Issuer{}, Scripts: unblockPIN, Rand: rand.New(rand.NewSource(2)),
		Now: func() time.Time { return trueTime(w.started) },
	})
	if p.story.card == "" {
		w.gateway = simalipay.New(simalipay.Options{Keys: s.keys})
		w.gateway.AddPhone(simalipay.Phone{Name: "waiting", Login: "139****0004", Balance: 2_000_000, Habit: simalipay.Waits, Delay: 4 * time.Second})
		w.url, w.dialTo = w.gateway.Pipe()
	}
	for _, f := range p.host {
		if err := w.host.Inject(f); err != nil {
			panic(err)
		}
	}
	for _, f := range p.wallet {
		if err := w.gateway.SetFault(f, true); err != nil {
			panic(err)
		}
	}
	return w
}

// unblockPIN is the script of the issuer: a command that does no harm.
func unblockPIN(template byte, pan, psn string, icc []byte, _ []string) ([]byte, error) {
	return card.Issuer{}.Script(template, pan, psn, icc, card.UnblockPIN)
}

// end stops the hosts of a run.
func (w *world) end() {
	w.dead.Store(true)
	w.stop()
	for _, l := range w.lines {
		hostEnd{l}.Close()
		terminalEnd{l}.Close()
	}
	for _, l := range w.walletLines {
		l.Conn.Close()
		l.once.Do(func() { close(l.silence) })
	}
	if w.gateway != nil {
		_ = w.gateway.Close()
	}
	synctest.Wait()
}

// trueTime is the time of day in the world: the virtual time, moved to where the test cards are valid.
func trueTime(started time.Time) time.Time {
	return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).Add(time.Since(started))
}

// now is the terminal's clock.
func (w *world) now() time.Time {
	t := trueTime(w.started)
	if w.plan.clock != nil {
		w.asked++
		return w.plan.clock(w.asked, t)
	}
	return t
}

// at offers a point and returns the option taken.
func (w *world) at(k kind, name string, options int) int {
	if w.quiet || w.plan.kinds&k == 0 || w.dead.Load() {
		return 0
	}
	if k == toHost || k == fromHost {
		if w.plan.mti != "" && (len(w.frames) == 0 || w.frames[len(w.frames)-1].mti != w.plan.mti) {
			return 0
		}
		if w.bytes++; w.plan.step > 1 && w.bytes%w.plan.step != 1 {
			return 0
		}
	}
	i := w.n
	w.n++
	for _, f := range w.plan.faults {
		if f.at == i {
			w.story = append(w.story, fmt.Sprintf("%s (point %d): option %d", name, i, f.option))
			w.taken++
			return f.option
		}
	}
	if n := len(w.plan.faults); n == 0 || i > w.plan.faults[n-1].at {
		w.points = append(w.points, point{k, name, options})
	}
	return 0
}

// cut takes the power away.
func (w *world) cut() {
	w.dead.Store(true)
	panic(powerCut{})
}

// durably is called before and after a write.
func (w *world) durably(name string) {
	if w.dead.Load() {
		panic(powerCut{}) // a terminal without power writes nothing
	}
	if w.at(durable, name, 1) == 1 {
		w.cut()
	}
}

func (w *world) violated(format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// heal takes every fault of the hosts away.
func (w *world) heal() {
	for _, f := range w.plan.host {
		_ = w.host.SetFault(f.Name, false)
	}
	for _, f := range w.plan.wallet {
		_ = w.gateway.SetFault(f, false)
	}
}

// shared is what all runs of a test have in common because it is expensive and never changes.
type shared struct {
	parent   string
	n        int
	emv      emv.Config
	profile  *acquirer.Profile
	contract qrpay.Contract
	keys     *simalipay.Keys
	accounts []simacquirer.Account
	secure   *security
}

func (s *shared) dir() string {
	s.n++
	d := fmt.Sprintf("%s/%d", s.parent, s.n)
	if err := os.Mkdir(d, 0o700); err != nil {
		panic(err)
	}
	return d
}

// terminal is the terminal after it was switched on, made as posd makes it.
func (w *world) terminal(s *shared) *txn.Terminal {
	w.dead.Store(false)
	w.inside = false
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	log := zerolog.New(&w.log)
	store, err := vault.Open(w.keysDir, (*pad)(w), vault.Options{})
	must(err)
	cfg := netlink.Config{Addresses: []string{"acquirer.test:1"}, IdleClose: 2 * time.Minute, Dial: w.dial, Log: log}
	if w.plan.tls {
		cfg.TLS = s.secure.client
	}
	link, err := netlink.New(cfg)
	must(err)
	client, err := acquirer.New(s.profile, acquirer.Identity{TID: wireTID, MID: wireMID, Operator: "01", Serial: "000000000001"}, store, link, log)
	must(err)
	purses := map[string]txn.Wallet{}
	if w.gateway != nil {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(w.gateway.CA())
		purse, err := alipay.New(alipay.Config{
			Gateway: w.url, Dial: w.dialWallet, AppID: w.gateway.AppID(), PrivateKeyPEM: w.gateway.AppPrivateKeyPEM(),
			AlipayPublicKeyPEM: w.gateway.PublicKeyPEM(), RootCAs: pool, OrderLife: s.contract.OrderLife,
		})
		must(err)
		purses["alipay"] = mortal{purse, w}
	}
	kernel := s.emv
	if w.plan.offline {
		kernel = s.freeEMV()
	}
	var t *txn.Terminal
	t = &txn.Terminal{
		Config: txn.Config{
			MID: wireMID, TID: wireTID, MerchantZH: "测试商户", MerchantEN: "Test Shop", Operator: "01", Currency: money.CNY, MaxAmount: 5000000,
			SaleTags: s.profile.ICC.Sale, ReversalTags: s.profile.ICC.Reversal, ReversalTries: s.profile.Reversal.Tries, Contract: s.contract,
			Advices: s.profile.Advices, Offline: acquirer.OfflineLimits{Count: 2, Total: 15000}, TerminalType: kernel.Terminal.Type,
		}.Defaults(),
		Console: (*console)(w), Journal: w.j, Printer: (*paper)(w), Reader: (*reader)(w),
		Kernel: txn.Contact{Kernel: emv.New(kernel, emv.WithPending(func(pan string) int64 { return t.Pending(pan) }))},
		Keys:   safe{store, w}, Acquirer: client, Scanner: (*scanner)(w), Wallets: purses,
		Now: w.now, Rand: rand.New(rand.NewSource(1)), Log: log,
	}
	return t
}

// freeEMV are parameters that leave small sales to the card: a terminal of type 22, a floor limit, no action codes.
func (s *shared) freeEMV() emv.Config {
	c := s.emv
	c.Terminal.Type = 0x22
	c.Applications = slices.Clone(c.Applications)
	for i := range c.Applications {
		a := &c.Applications[i]
		a.TACDenial, a.TACOnline, a.TACDefault, a.FloorLimit = [5]byte{}, [5]byte{0, 0, 0, 0x80}, [5]byte{}, 20000
	}
	return c
}

// dial opens a line to the acquirer.
func (w *world) dial(ctx context.Context, _ string) (net.Conn, error) {
	if w.dead.Load() {
		return nil, net.ErrClosed
	}
	switch w.at(dialling, "connection", 3) {
	case 1:
		return nil, errors.New("connection refused")
	case 2:
		<-ctx.Done()
		return nil, ctx.Err()
	case 3:
		w.cut()
	}
	for _, f := range w.host.ActiveFaults() {
		if f.Name == simacquirer.Down {
			return nil, errors.New("connection refused")
		}
	}
	l := newWire(w)
	l.coarse = w.plan.tls
	w.lines = append(w.lines, l)
	far := net.Conn(hostEnd{l})
	if w.plan.tls {
		far = w.s.secure.host(far, w.host)
	}
	go func() {
		_ = w.host.Serve(w.ctx, far)
		far.Close()
	}()
	return terminalEnd{l}, nil
}

// dialWallet opens a line to the gateway. It is called from a goroutine of net/http, one at a time.
func (w *world) dialWallet(ctx context.Context, network, addr string) (net.Conn, error) {
	if w.dead.Load() {
		return nil, net.ErrClosed
	}
	c, err := w.dialTo(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l := &walletLine{Conn: c, w: w, silence: make(chan struct{})}
	if k := w.plan.cut; k != nil && k.conn == len(w.walletLines) {
		l.cut = k
	}
	w.walletLines = append(w.walletLines, l)
	return l, nil
}
