package txn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"posd/emv"
	"posd/emv/tlv"
	"posd/internal/money"
	"posd/internal/track"
	"posd/journal"
	"posd/keypad"
	"posd/netlink/acquirer"
	"posd/printer"
	"posd/qrpay"
	"posd/vault"
)

// The world of a terminal as far as money is concerned: what the acquirer and the gateway hold, what is on paper, what was shown. It
// outlives the terminal: a power cut destroys the Terminal and its devices' states, never this.
//
// Everything that can go wrong is a choice point. A run is steered by a list of choices; 0 is "as it should be". The enumerator in
// faults_test.go walks through all runs with at most two choices that are not 0, so nothing is sampled.

const testPAN = "6222020200112233440"

type powerCut struct{}

type world struct {
	// Steering.
	path   []int // choices to take; beyond its end everything goes well
	made   []int // choices offered so far: number of options of each
	names  []string
	faults int  // choices that were not 0
	quiet  bool // nothing goes wrong any more

	// The parts that survive.
	j       *journal.Memory
	host    *host
	gateway *gateway
	paper   []slip
	screens []keypad.Screen // of this power-on
	keys    *keys

	broken []string // violated invariants
	story  []string // what happened, for the failure message

	left    uint64 // the record of the sale that is being made, once a request for it may have left
	unsured int    // screens that were shown when the storage failed with its outcome open; -1 it did not

	swiped     chan swiped // what the customer does at the stripe reader
	stripeDead bool        // the terminal has found the stripe reader not working in this sale

	tcs  int // transaction certificates that cards gave
	cuts int // of power, the first switching on included

	// What sort of day it is.
	refers  bool   // the issuer wants to be called each time
	scripts bool   // the issuer sends scripts with every answer
	kind    byte   // 9F35; 21 is online only
	swipes  bool   // the customer swipes
	first   string // what the card wants at the first GENERATE AC: "" is online, "tc" its own approval
}

type slip struct {
	r   printer.Receipt
	cut bool // the paper ended or the power went in the middle
}

func newWorld(path []int) *world {
	w := &world{path: path, j: journal.NewMemory()}
	w.kind = 0x21
	w.host = &host{
		w: w, held: map[uint32]int64{}, cards: map[uint32]bool{}, notices: map[uint32]acquirer.Advice{}, uploads: map[uint32]acquirer.Advice{},
		refused: map[uint32]bool{},
	}
	w.gateway = &gateway{w: w, orders: map[string]*order{}}
	w.keys = &keys{w: w}
	w.j.Now = stamp
	// The storage fails, or the power goes, before or after each durable write.
	w.j.Fail = func(old journal.Record) journal.Failure {
		switch w.choose("write", 4, 3) {
		case 1:
			w.storageFails(old)
			return journal.Fails
		case 2:
			w.storageFails(old)
			return journal.Doubts
		}
		return journal.Works
	}
	w.j.Cut = func(durable bool) {
		if durable {
			w.choose("power after the write", 2, 1)
		}
	}
	return w
}

func stamp() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// choose offers n options at a named point and returns the one taken; the option numbered cut (when > 0) is a power cut.
func (w *world) choose(name string, n, cut int) int {
	if w.quiet {
		return 0
	}
	i := len(w.made)
	w.made = append(w.made, n)
	w.names = append(w.names, name)
	c := 0
	if i < len(w.path) {
		c = w.path[i]
	}
	if c != 0 {
		w.faults++
		w.story = append(w.story, fmt.Sprintf("%s: option %d", name, c))
	}
	if c != 0 && c == cut {
		panic(powerCut{})
	}
	return c
}

func (w *world) violated(format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// storageFails is called when a durable write is about to fail.
func (w *world) storageFails(old journal.Record) {
	if old.No != 0 && old.No == w.left && (old.State == journal.Sent || old.State == journal.Undoing) {
		w.unsured = len(w.screens)
	}
}

// leaves is called when a financial request is about to leave: a terminal whose storage does not work makes none (invariant 21).
func (w *world) leaves(r journal.Record) {
	if w.left = r.No; w.j.Healthy() != nil {
		w.violated("a request for record %d leaves while the storage does not work", r.No)
	}
}

// during runs a sale, and sees how an outcome was shown that could not be stored: as unknown, and as nothing else.
func (w *world) during(sale func()) {
	w.left, w.unsured = 0, -1
	sale()
	if w.unsured < 0 {
		return
	}
	after := w.screens[w.unsured:]
	if !slices.ContainsFunc(after, func(s keypad.Screen) bool { return s.Mood == keypad.Doubt && s.Amount != nil && len(s.Rows) > 0 }) {
		w.violated("an outcome that could not be stored is not shown as unknown: %+v", after)
	}
	if i := slices.IndexFunc(after, func(s keypad.Screen) bool { return s.Mood == keypad.Good || s.Mood == keypad.Bad }); i >= 0 {
		w.violated("an outcome that could not be stored is shown as %q", after[i].Name)
	}
}

// reopen is what posd does before it shows its idle screen.
func (w *world) reopen() {
	if w.j.Healthy() != nil {
		w.j.Reopen()
		_ = w.j.Probe()
	}
}

func (w *world) record(stan uint32) (journal.Record, bool) {
	r, err := w.j.Last(func(r journal.Record) bool { return r.STAN == stan && r.Kind == journal.CardSale })
	return r, err == nil
}

func (w *world) orderRecord(number string) (journal.Record, bool) {
	r, err := w.j.Last(func(r journal.Record) bool { return r.Wallet != nil && r.Wallet.Order == number })
	return r, err == nil
}

// terminal builds a terminal as after switching it on.
func (w *world) terminal() *Terminal {
	w.screens = nil
	w.j.PowerLost()
	w.keys.ready = w.keys.stored
	w.swiped, w.stripeDead = make(chan swiped, 1), false
	t := &Terminal{
		Config: Config{
			MID: "898110153110001", TID: "10000001", MerchantZH: "测试商户", MerchantEN: "Test Shop", Operator: "01", Currency: money.CNY, MaxAmount: 5000000,
			SaleTags: []tlv.Tag{0x9F26}, ReversalTags: []tlv.Tag{0x95}, ReversalTries: 5,
			Advices: map[acquirer.AdviceKind]acquirer.AdviceCodes{
				acquirer.AdviceScript: {OwnSTAN: true, Tries: 5, ICC: []tlv.Tag{0xDF31}}, acquirer.AdviceOffline: {ICC: []tlv.Tag{0x8A}},
				acquirer.AdviceVoice: {OwnSTAN: true},
			},
			Referral: acquirer.Referral{Ask: w.refers, Wait: time.Minute},
			Offline:  acquirer.OfflineLimits{Count: 2, Total: 20000}, TerminalType: w.kind,
			Contract: qrpay.Contract{
				Wallet: "alipay", Currency: money.CNY, Subject: "test", MaxAmount: 10000000, Huabei: true, Payers: []qrpay.Payer{qrpay.PayerBuyer}, MinInstalment: 100,
				Periods:   []qrpay.Period{{Number: 3, BuyerPPM: 23000, SellerPPM: 18000}, {Number: 6, BuyerPPM: 45000, SellerPPM: 45000}, {Number: 12, BuyerPPM: 75000, SellerPPM: 75000}},
				QueryPace: 3 * time.Second, TotalWait: 12 * time.Second, ShowWait: 12 * time.Second, CancelTries: 2,
				Codes: []qrpay.CodeRange{{Wallet: "alipay", From: "25", To: "30", Lengths: []int{18}}},
			},
		}.Defaults(),
		Console: &console{w: w}, Journal: w.j, Printer: (*paperPrinter)(w), Reader: (*reader)(w), Kernel: (*kernel)(w), Keys: w.keys,
		Acquirer: w.host, Scanner: (*scanner)(w), Wallets: map[string]Wallet{"alipay": w.gateway},
		Now: stamp, Rand: rand.New(rand.NewSource(1)), Log: zerolog.Nop(),
	}
	if w.swipes {
		t.Stripe, t.Config.Swipe, t.Config.Stripe.Fallback = (*stripeReader)(w), true, time.Minute
	}
	return t
}

// --- the stripe reader: what happens there is decided where the flow's own goroutine waits for the chip reader ---

type swiped struct {
	card track.Card
	err  error
}

type stripeReader world

// Drop forgets what was swiped while nobody listened, as the driver does.
func (s *stripeReader) Drop() error {
	select {
	case <-s.swiped:
	default:
	}
	return nil
}

func (s *stripeReader) Swipe(ctx context.Context) (track.Card, error) {
	select {
	case x := <-s.swiped:
		return x.card, x.err
	case <-ctx.Done():
		return track.Card{}, context.Cause(ctx)
	}
}

// customerSwipes decides what happens at the stripe reader; inserted is true when the card went into the chip reader instead.
func (w *world) customerSwipes(ctx context.Context) (inserted bool) {
	if ctx.Err() != nil {
		return false // cancelled before anybody did anything
	}
	if w.stripeDead {
		return true
	}
	card := track.Card{PAN: testPAN, Expiry: "3012", Service: "120", Track2: testPAN + "D30121200000"}
	x := swiped{card: card}
	switch w.choose("swipe", 8, 7) {
	case 1:
		x = swiped{err: &track.Error{Track: 2, Field: "track", Why: "was not read"}}
	case 2:
		x, w.stripeDead = swiped{err: ErrStripe}, true
	case 3:
		x.card.Service = "220" // a chip card
	case 4:
		x.card.Expiry = "2601"
	case 5:
		return true
	case 6: // nobody does anything
		<-ctx.Done()
		return false
	}
	select {
	case w.swiped <- x:
		<-ctx.Done()
	case <-ctx.Done(): // nobody listens: this terminal takes no swipe now
	}
	return false
}

// --- the acquirer's host ---

type host struct {
	w     *world
	held  map[uint32]int64 // money held, by trace number
	cards map[uint32]bool  // requests seen
	log   []string
	on    bool

	notices map[uint32]acquirer.Advice // script notices by their own trace number
	uploads map[uint32]acquirer.Advice
	refused map[uint32]bool // uploads that the host does not take
}

func (h *host) Connect(context.Context) error {
	if h.w.choose("connect", 2, 0) == 1 {
		return &acquirer.Failure{Err: errors.New("no route")}
	}
	return nil
}

func (h *host) Echo(ctx context.Context) error { return h.Connect(ctx) }

func (h *host) SignOn(_ context.Context, stan uint32) (acquirer.SignOnReply, error) {
	switch h.w.choose("sign-on", 3, 2) {
	case 1:
		return acquirer.SignOnReply{}, &acquirer.Failure{Sent: true, Reason: acquirer.ReasonNoReply, Err: errors.New("time-out")}
	}
	h.on = true
	return acquirer.SignOnReply{Code: "00", Action: acquirer.Approve, Batch: 1}, nil
}

func (h *host) Sale(_ context.Context, s acquirer.Sale) (acquirer.Reply, error) {
	lost := func(reason string) error {
		return &acquirer.Failure{Sent: true, Reason: reason, Err: errors.New("no believable answer")}
	}
	process := func() {
		h.log = append(h.log, fmt.Sprintf("0200 %06d", s.STAN))
		r, ok := h.w.record(s.STAN)
		if !ok || r.State != journal.Sent || r.Amount != s.Amount { // invariant 1
			h.w.violated("host sees a sale of %v with no durable intent (record %+v)", s.Amount, r)
		}
		if h.cards[s.STAN] {
			h.w.violated("trace number %d used twice", s.STAN) // invariant 5
		}
		if chip := s.Entry == acquirer.EntryChip; chip != (len(s.ICC) > 0) || r.Card.Entry != string(s.Entry) || s.Track2 == "" {
			h.w.violated("a card that was read by %s is sent as by %s", r.Card.Entry, s.Entry)
		}
		h.w.noneOwed("host", journal.CardSale, r.No)
		if _, ok := h.notices[s.STAN]; ok {
			h.w.violated("trace number %d used by a notice and a sale", s.STAN)
		}
		h.cards[s.STAN] = true
		h.held[s.STAN] = s.Amount.Minor
	}
	var icc []byte
	if h.w.scripts {
		icc = []byte{0x72, 0}
	}
	if r, ok := h.w.record(s.STAN); ok {
		h.w.leaves(r)
	}
	no := func(code string) acquirer.Reply {
		h.cards[s.STAN] = true
		h.log = append(h.log, "0200 refused")
		return acquirer.Reply{ICC: icc, Code: code, Action: acquirer.Decline, Text: map[string]string{"zh": "余额不足", "en": "Insufficient funds"}}
	}
	switch h.w.choose("0200", 9, 8) {
	case 1:
		return acquirer.Reply{}, &acquirer.Failure{Err: errors.New("connection refused")}
	case 2: // the request is lost on the way
		return acquirer.Reply{}, lost(acquirer.ReasonNoReply)
	case 3: // the answer is lost
		process()
		return acquirer.Reply{}, lost(acquirer.ReasonNoReply)
	case 4:
		process()
		return acquirer.Reply{}, lost(acquirer.ReasonBadMAC)
	case 5:
		return no("51"), nil
	case 6:
		return no("55"), nil
	case 7: // the power goes after the host has it
		process()
		panic(powerCut{})
	}
	process()
	if h.w.refers {
		h.held[s.STAN] = 0
		return acquirer.Reply{Code: "01", Action: acquirer.Refer, ICC: icc}, nil
	}
	return acquirer.Reply{Code: "00", Action: acquirer.Approve, RRN: "123456789012", Auth: "654321", HostTime: "120001", HostDate: "1123", ICC: icc}, nil
}

func (h *host) Reverse(_ context.Context, m acquirer.Reversal) (acquirer.Reply, error) {
	r, ok := h.w.record(m.STAN)
	if !ok || r.State != journal.Undoing { // invariant 4
		h.w.violated("reversal of trace %d whose record is %q", m.STAN, r.State)
	}
	if m.PAN != testPAN || m.Amount != r.Amount { // invariant 3
		h.w.violated("reversal does not repeat the original: %v", m.Amount)
	}
	lost := &acquirer.Failure{Sent: true, Reason: acquirer.ReasonNoReply, Err: errors.New("no answer")}
	process := func() acquirer.Reply {
		h.log = append(h.log, fmt.Sprintf("0400 %06d", m.STAN))
		code := "00"
		if !h.cards[m.STAN] {
			code = "25"
		}
		h.held[m.STAN] = 0
		return acquirer.Reply{Code: code, Action: acquirer.Approve} // 25, "no original", closes it as well
	}
	switch h.w.choose("0400", 6, 5) {
	case 1:
		return acquirer.Reply{}, lost
	case 2:
		process()
		return acquirer.Reply{}, lost
	case 3:
		return acquirer.Reply{Code: "96", Action: acquirer.Retry}, nil
	case 4:
		process()
		panic(powerCut{})
	}
	return process(), nil
}

// noneOwed checks that nothing older is owed to the same host when a new request of that kind arrives there.
func (w *world) noneOwed(who string, kind journal.Kind, but uint64) {
	rs, _ := w.j.Owed()
	for _, r := range rs {
		if r.No == but || r.Kind != kind {
			continue
		}
		for _, d := range journal.Debts(r) {
			if d.Duty.OwesHost() { // invariant 2
				w.violated("%s gets a new request while record %d owes %s", who, r.No, d.Duty)
			}
		}
	}
}

// --- the wallet gateway ---

type order struct {
	amount int64
	paid   bool
	closed bool
	late   bool // pays at the worst moment: when the cancel has been asked for
	pays   int  // queries until the buyer pays; -1 never
}

type gateway struct {
	w      *world
	orders map[string]*order
	log    []string
}

func (g *gateway) saw(o qrpay.Order) *order {
	r, ok := g.w.orderRecord(o.Number)
	if !ok || r.State != journal.Sent || r.Amount != o.Amount { // invariant 15
		g.w.violated("gateway sees order %s with no durable intent", o.Number)
	}
	if g.orders[o.Number] != nil {
		g.w.violated("order number %s used twice", o.Number)
	}
	if o.Plan != nil && o.Plan.Amount != o.Amount.Minor { // invariant 6
		g.w.violated("plan for %d in an order of %d", o.Plan.Amount, o.Amount.Minor)
	}
	g.w.noneOwed("gateway", journal.WalletSale, r.No)
	n := &order{amount: o.Amount.Minor, pays: -1}
	g.orders[o.Number] = n
	g.log = append(g.log, "pay "+o.Number)
	return n
}

func (g *gateway) Pay(_ context.Context, o qrpay.Order) (qrpay.Result, error) {
	unknown := errors.New("no answer")
	if r, ok := g.w.orderRecord(o.Number); ok {
		g.w.leaves(r)
	}
	switch g.w.choose("pay", 11, 10) {
	case 1:
		return qrpay.Result{}, fmt.Errorf("dial: %w", qrpay.ErrNotSent)
	case 2:
		return qrpay.Result{}, unknown
	case 3:
		g.saw(o).paid = true
		return qrpay.Result{}, unknown
	case 4:
		g.saw(o).closed = true
		return qrpay.Result{Status: qrpay.Refused, Number: o.Number, SubCode: "ACQ.BUYER_BALANCE_NOT_ENOUGH"}, nil
	case 5: // the buyer confirms after a while
		g.saw(o).pays = 2
		return qrpay.Result{Status: qrpay.Waiting, Number: o.Number}, nil
	case 6: // the buyer never does
		g.saw(o)
		return qrpay.Result{Status: qrpay.Waiting, Number: o.Number}, nil
	case 7: // paid between the last query and the cancel
		g.saw(o).late = true
		return qrpay.Result{Status: qrpay.Waiting, Number: o.Number}, nil
	case 8:
		g.saw(o).paid = true
		panic(powerCut{})
	case 9: // another amount was taken than the one asked for
		n := g.saw(o)
		n.amount--
		n.paid = true
		return g.paid(o.Number, n), nil
	}
	n := g.saw(o)
	n.paid = true
	return g.paid(o.Number, n), nil
}

func (g *gateway) Precreate(_ context.Context, o qrpay.Order) (qrpay.Result, error) {
	if r, ok := g.w.orderRecord(o.Number); ok {
		g.w.leaves(r)
	}
	switch g.w.choose("precreate", 6, 5) {
	case 1:
		return qrpay.Result{}, fmt.Errorf("dial: %w", qrpay.ErrNotSent)
	case 2:
		return qrpay.Result{}, errors.New("no answer")
	case 3:
		g.saw(o)
		return qrpay.Result{}, errors.New("no answer")
	case 4:
		g.saw(o)
		return qrpay.Result{Status: qrpay.Waiting, Number: o.Number, QR: "https://qr.example/1"}, nil
	}
	g.saw(o).pays = 2
	return qrpay.Result{Status: qrpay.Waiting, Number: o.Number, QR: "https://qr.example/1"}, nil
}

func (g *gateway) paid(number string, o *order) qrpay.Result {
	return qrpay.Result{Status: qrpay.Paid, Number: number, Amount: money.Yuan(o.amount), TradeNo: "2026", Funds: []qrpay.Fund{{Channel: "PCREDIT", Minor: o.amount}}}
}

func (g *gateway) Query(_ context.Context, number string, _ money.Amount) (qrpay.Result, error) {
	o := g.orders[number]
	switch g.w.choose("query", 4, 3) {
	case 1:
		return qrpay.Result{}, errors.New("no answer")
	case 2: // an answer about another amount must not be believed
		if o != nil && o.paid {
			r := g.paid(number, o)
			r.Amount.Minor += 2
			return r, nil
		}
	}
	switch {
	case o == nil:
		return qrpay.Result{Status: qrpay.NotFound, Number: number}, nil
	case o.closed:
		return qrpay.Result{Status: qrpay.Closed, Number: number}, nil
	case o.pays == 0:
		o.paid = true
	case o.pays > 0:
		o.pays--
	}
	if o.paid {
		return g.paid(number, o), nil
	}
	return qrpay.Result{Status: qrpay.Waiting, Number: number}, nil
}

func (g *gateway) Cancel(_ context.Context, number string) (qrpay.Result, error) {
	if r, ok := g.w.orderRecord(number); !ok || r.State != journal.Undoing {
		g.w.violated("cancel of order %s whose record is %q", number, r.State)
	}
	process := func() qrpay.Result {
		r := qrpay.Result{Status: qrpay.Closed, Number: number}
		if o := g.orders[number]; o != nil {
			if o.late {
				o.late, o.paid = false, true
			}
			r.Refunded = o.paid
			o.paid, o.closed, o.pays = false, true, -1
		}
		return r
	}
	switch g.w.choose("cancel", 7, 6) {
	case 1:
		return qrpay.Result{}, errors.New("no answer")
	case 2:
		process()
		return qrpay.Result{}, errors.New("no answer")
	case 3:
		return qrpay.Result{Status: qrpay.Closed, Number: number, Retry: true}, nil
	case 4: // says yes and has done nothing; a buyer who was about to pay has paid
		if o := g.orders[number]; o != nil && o.late {
			o.late, o.paid = false, true
		}
		return qrpay.Result{Status: qrpay.Closed, Number: number}, nil
	case 5:
		process()
		panic(powerCut{})
	}
	return process(), nil
}

func (g *gateway) Words(code, _ string) (zh, en string) { return "失败 " + code, "Failed " + code }

// --- the devices ---

type reader world

func (r *reader) w() *world { return (*world)(r) }
func (r *reader) WaitInserted(ctx context.Context) error {
	if r.swipes && !r.w().customerSwipes(ctx) {
		return ctx.Err()
	}
	switch r.w().choose("insert", 4, 3) {
	case 1:
		return ErrReader
	case 2: // nobody inserts a card
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (r *reader) WaitRemoved(ctx context.Context) error {
	if r.w().choose("remove", 3, 2) == 1 {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}
func (r *reader) Present(context.Context) (bool, error) { return true, nil }
func (r *reader) PowerOn(context.Context) (emv.Card, error) {
	switch r.w().choose("power on", 4, 3) {
	case 1:
		return nil, ErrReader
	case 2:
		return nil, emv.ErrCardLost
	}
	return nil, nil
}
func (r *reader) PowerOff(context.Context) error { return nil }

type kernel world

type session struct {
	w       *world
	done    bool
	outcome emv.Outcome
	scripts []byte // DF31
}

func (k *kernel) Start(ctx context.Context, _ emv.Card, r emv.Request, ch emv.Cardholder) (Session, error) {
	w := (*world)(k)
	if r.Amount != money.Yuan(12345) && r.Amount != money.Yuan(500) && r.Amount != money.Yuan(700) {
		w.violated("card was given another amount: %v", r.Amount)
	}
	if r.ForceOnline && w.kind != 0x22 {
		w.violated("a terminal of type %02X is forced online", w.kind)
	}
	switch w.choose("start", 5, 4) {
	case 1:
		return nil, emv.ErrNotAccepted
	case 2:
		return nil, emv.ErrCardLost
	case 3:
		return &session{w: w, outcome: emv.Declined}, nil // declined offline
	}
	if w.first == "tc" && !r.ForceOnline {
		w.tcs++
		return &session{w: w, outcome: emv.Approved}, nil
	}
	out, err := ch.OnlinePIN(ctx, emv.PINRequest{PAN: testPAN, Amount: r.Amount})
	if err != nil {
		return nil, err
	}
	s := &session{w: w, outcome: emv.Declined}
	if out == emv.PINEntered || out == emv.PINPadFailed {
		s.outcome = emv.Online
	}
	return s, nil
}

func (s *session) Get(tlv.Tag) ([]byte, bool) { return nil, false }
func (s *session) ICC(tags []tlv.Tag) []byte {
	if len(tags) == 1 && tags[0] == 0xDF31 {
		return tlv.Append(nil, 0xDF31, s.scripts)
	}
	return []byte{0x95, 5, 0, 0, 0, 0, 0}
}
func (s *session) Outcome() emv.Outcome { return s.outcome }

func (s *session) Result() emv.Result {
	return emv.Result{AID: []byte{0xA0}, Label: "DEBIT", PAN: testPAN, PSN: "01", Expiry: "3012", Track2: testPAN + "D30122200000", Cryptogram: []byte{1}, OnlinePIN: true, ScriptResults: s.scripts}
}

func (s *session) Complete(_ context.Context, a emv.HostAnswer) (emv.Outcome, error) {
	if s.done {
		s.w.violated("second GENERATE AC twice")
	}
	s.done = true
	options := 4
	if len(a.ICC) > 0 {
		options = 6
		s.scripts = []byte{0x20, 0, 0, 0, 1}
	}
	switch s.w.choose("second cryptogram", options, 3) {
	case 1:
		return emv.Declined, nil
	case 2:
		return 0, emv.ErrCardLost
	case 4: // pulled out at a script before the second cryptogram
		s.scripts = []byte{0x11, 0, 0, 0, 1}
		return 0, emv.ErrCardLost
	case 5: // pulled out at a script behind it
		s.scripts = []byte{0x11, 0, 0, 0, 1}
	}
	if a.Approved && !a.Reached {
		s.w.violated("an approval by a host that was not reached")
	}
	if a.Approved || (!a.Reached && s.w.kind != 0x21) { // Y3, where the action codes let it
		s.w.tcs++
		return emv.Approved, nil
	}
	return emv.Declined, nil
}

type keys struct {
	w             *world
	ready, stored bool
}

func (k *keys) Ready() bool { return k.ready }
func (k *keys) Install(context.Context, vault.WorkingKeys) error {
	switch k.w.choose("install keys", 3, 2) {
	case 1:
		return vault.ErrKCV
	}
	k.ready, k.stored = true, true
	return nil
}

func (k *keys) EnterPIN(_ context.Context, r vault.PINEntry) (vault.PINBlock, error) {
	r.Progress(1)
	switch k.w.choose("PIN", 6, 5) {
	case 1:
		return vault.PINBlock{}, vault.ErrPINCancelled
	case 2:
		return vault.PINBlock{}, vault.ErrPINTimeout
	case 3:
		return vault.PINBlock{}, vault.ErrPad
	case 4:
		return vault.PINBlock{Empty: true}, nil
	}
	r.Progress(4)
	return vault.PINBlock{Block: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}, nil
}

func (k *keys) Seal(plain, _ []byte) ([]byte, error) {
	out := make([]byte, len(plain))
	for i, b := range plain {
		out[i] = b ^ 0x5A
	}
	return out, nil
}
func (k *keys) Unseal(s, c []byte) ([]byte, error) { return k.Seal(s, c) }

type scanner world

func (s *scanner) Scan(ctx context.Context) (string, error) {
	switch (*world)(s).choose("scan", 5, 4) {
	case 1:
		return "", ErrScanner
	case 2:
		<-ctx.Done()
		return "", ctx.Err()
	case 3:
		return "6901234567892", nil // the bar code of a bottle
	}
	return "280000000000000001", nil
}

type paperPrinter world

func (p *paperPrinter) Print(_ context.Context, r printer.Receipt) (bool, error) {
	w := (*world)(p)
	w.checkReceipt(r)
	switch w.choose("print", 6, 0) {
	case 1:
		return false, printer.ErrPaperOut
	case 2:
		w.paper = append(w.paper, slip{r, true})
		return true, printer.ErrPaperOut
	case 3:
		panic(powerCut{})
	case 4:
		w.paper = append(w.paper, slip{r, true})
		panic(powerCut{})
	case 5:
		w.paper = append(w.paper, slip{r, false})
		panic(powerCut{})
	}
	w.paper = append(w.paper, slip{r, false})
	return true, nil
}

// checkReceipt holds a slip against the journal at the moment it is printed: invariants 6, 7 and 17.
func (w *world) checkReceipt(r printer.Receipt) {
	rec, err := w.j.Last(func(j journal.Record) bool { return j.STAN == r.STAN })
	if err != nil || r.Amount != rec.Amount || (r.Outcome == printer.Approved) != (rec.State == journal.Approved) {
		w.violated("paper says %v %v, the journal %v %q", r.Outcome, r.Amount, rec.Amount, rec.State)
	}
	if d := w.j.Durable(rec.No); d.State != rec.State {
		w.violated("record %d is printed as %q, durable is %q", rec.No, rec.State, d.State)
	}
	if rec.Card != nil && (r.Type == "chip-offline-sale") != rec.Card.Offline {
		w.violated("paper says %s, the journal offline %v", r.Type, rec.Card.Offline)
	}
	for _, s := range w.paper {
		if s.r.STAN == r.STAN && s.r.Copy == r.Copy && !r.Duplicate {
			w.violated("copy %d of trace %d is printed again without saying DUPLICATE", r.Copy, r.STAN)
		}
	}
}

// --- the operator ---

type console struct {
	w *world
}

func (c *console) see(s keypad.Screen) {
	c.w.screens = append(c.w.screens, s)
	if s.Amount == nil {
		return
	}
	// Outcome before show: the last record decides what may be said now.
	last, err := c.w.j.Last(nil)
	switch s.Mood {
	case keypad.Good:
		if err != nil || last.State != journal.Approved || last.Amount != *s.Amount || c.w.j.Durable(last.No).State != journal.Approved {
			c.w.violated("screen %q says approved, the journal %q, durable is %q", s.Name, last.State, c.w.j.Durable(last.No).State)
		}
	case keypad.Bad:
		for _, t := range s.Body {
			if t.Msg == keypad.NoMoney {
				r, e := c.w.j.Last(func(r journal.Record) bool { return r.Amount == *s.Amount })
				if e == nil && r.State != journal.Declined && r.State != journal.Undone {
					c.w.violated("screen %q says no money moved, the journal %q", s.Name, r.State)
				}
			}
		}
	}
}

func (c *console) Show(s keypad.Screen) { c.see(s) }

func (c *console) Choose(_ context.Context, m keypad.Menu) (int, error) {
	switch c.w.choose("menu "+m.Name, 3, 0) {
	case 1:
		return 0, keypad.ErrCancelled
	case 2:
		return 0, keypad.ErrTimeout
	}
	return len(m.Options) - 1, nil // the last: instalments, and the longest plan
}

func (c *console) Confirm(_ context.Context, s keypad.Screen) error {
	c.see(s)
	switch c.w.choose("confirm "+s.Name, 3, 0) {
	case 1:
		return keypad.ErrCancelled
	case 2:
		return keypad.ErrTimeout
	}
	return nil
}

func (c *console) Press(_ context.Context, s keypad.Screen, accept ...keypad.Key) (keypad.Key, error) {
	c.see(s)
	return accept[0], nil
}

func (c *console) Text(_ context.Context, p keypad.TextPrompt) (string, error) {
	if p.Wait != time.Minute || !p.Digits {
		c.w.violated("a call to a bank takes longer than a prompt waits: %+v", p)
	}
	switch c.w.choose("text "+p.Name, 4, 3) {
	case 1:
		return "", keypad.ErrCancelled
	case 2:
		return "", context.DeadlineExceeded
	}
	return "778899", nil
}

func (c *console) Hold(_ context.Context, s keypad.Screen, _ time.Duration) {
	c.see(s)
	c.w.choose("power while "+s.Name+" is shown", 2, 1)
}

func (c *console) Cancellable(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if c.w.choose("cancel key", 2, 0) == 1 {
		cancel(keypad.ErrCancelled)
	}
	return ctx, func() { cancel(context.Canceled) }
}

func (c *console) SetStatus(keypad.Status) {}
func (c *console) Lang() keypad.Lang       { return keypad.ZH }

// --- what must hold when everything has been settled ---

func (w *world) finally() {
	held, wallets, chips := map[uint32]int64{}, map[string]int64{}, 0
	var all []journal.Record
	_ = w.j.Each(func(r journal.Record) error { all = append(all, r); return nil })
	for _, r := range all {
		switch {
		case r.State == journal.Sent, r.State == journal.Undoing:
			w.violated("record %d is still %q", r.No, r.State)
		case r.State == journal.Approved && r.Card != nil:
			held[r.STAN] = r.Amount.Minor
			if r.Card.Entry == string(acquirer.EntryChip) {
				chips++
			}
		case r.State == journal.Approved:
			wallets[r.Wallet.Order] = r.Amount.Minor
		}
		if r.State == journal.GivenUp { // needs more unanswered reversals than a run has faults
			w.violated("record %d was given up", r.No)
		}
		w.checkAdvices(r)
		stan := r.STAN
		for _, a := range r.Advices {
			if a.Kind == string(acquirer.AdviceVoice) { // the host has it under the advice's own number
				stan = a.STAN
			}
		}
		want := held[r.STAN]
		if w.host.refused[stan] && w.host.held[stan] == 0 {
			want = 0 // the acquirer does not pay: checkAdvices sees that the operator was told
		}
		if r.Card != nil && w.host.held[stan] != want { // invariants 8, 16
			w.violated("acquirer holds %d for trace %d, the journal says %d (%s)", w.host.held[stan], stan, want, r.State)
		}
		if r.Wallet != nil {
			var g int64
			if o := w.gateway.orders[r.Wallet.Order]; o != nil && o.paid {
				g = o.amount
			}
			if g != wallets[r.Wallet.Order] {
				w.violated("gateway holds %d for order %s, the journal says %d (%s)", g, r.Wallet.Order, wallets[r.Wallet.Order], r.State)
			}
		}
		if r.Card != nil && r.Card.Offline && r.Card.Entry != string(acquirer.EntryChip) {
			w.violated("record %d of a stripe was decided without the host", r.No)
		}
		if r.State == journal.Approved { // invariant 7
			for _, c := range []printer.Copy{printer.MerchantCopy, printer.CustomerCopy} {
				if !slices.ContainsFunc(w.paper, func(s slip) bool { return s.r.STAN == r.STAN && s.r.Copy == c && !s.cut }) {
					w.violated("copy %d of approved record %d is not on paper", c, r.No)
				}
			}
		}
		if b, _ := json.Marshal(r); strings.Contains(string(b), testPAN) || strings.Contains(string(b), "280000000000000001") { // invariant 18
			w.violated("record %d holds a secret", r.No)
		}
		if r.Card != nil && r.Card.Sealed != nil {
			w.violated("record %d keeps the sealed card number although nothing is owed", r.No)
		}
	}
	if chips > w.tcs { // invariant 7
		w.violated("%d chip sales are approved, cards certified %d", chips, w.tcs)
	}
	m, _ := w.j.Meta()
	if f := journal.Fold(all, m.Batch); f != m.Totals { // invariant 11
		w.violated("totals %+v, records %+v", m.Totals, f)
	}
}
