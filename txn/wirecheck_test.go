package txn_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"posd/emv/tlv"
	"posd/internal/money"
	"posd/journal"
	"posd/keypad"
	"posd/netlink/iso8583"
	"posd/printer"
	"posd/qrpay"
	simacquirer "posd/sim/acquirer"
	simalipay "posd/sim/alipay"
	"posd/sim/card"
)

// The sales of a run: the one under test, the next, and the last. The amounts tell them apart everywhere.
const (
	firstSale  = 12345
	nextSale   = 500
	lastSale   = 700
	wireTPDU   = 5
	wireHeader = 6
)

// frame is a message as it began to leave the terminal.
type frame struct {
	mti    string
	stan   string
	batch  string
	raw    []byte
	signOn int // sign-ons before it
}

// leaves looks at every message to the acquirer before its first byte is on the line: invariants 1 to 6.
func (w *world) leaves(b []byte) {
	f := frame{raw: bytes.Clone(b), signOn: w.signOns}
	m := iso8583.NewMessage(iso8583.UnionPay)
	if len(b) < 2+wireTPDU+wireHeader || int(b[0])<<8+int(b[1]) != len(b)-2 {
		w.violated("a frame whose length is wrong leaves")
		return
	}
	if err := m.Parse(f.raw[2+wireTPDU+wireHeader:]); err != nil {
		w.violated("a message that cannot be read leaves: %v", err)
		return
	}
	f.mti, f.stan = m.MTI(), m.Text(11)
	if f60 := m.Text(60); len(f60) >= 8 {
		f.batch = f60[2:8]
	}
	w.holds(f, m)
	w.frames = append(w.frames, f)
	if f.mti == "0800" {
		w.signOns++
	}
}

func (w *world) holds(f frame, m *iso8583.Message) {
	if f.mti == "0820" {
		return
	}
	if f.mti == "0620" || f.mti == "0200" && strings.HasPrefix(m.Text(60), "36") {
		w.adviceLeaves(f, m)
		return
	}
	if f.mti != "0400" {
		for _, old := range w.frames {
			if old.mti != "0400" && old.stan == f.stan && old.mti != "0820" { // invariant 5
				w.violated("%s uses trace number %s, which a %s has used", f.mti, f.stan, old.mti)
			}
		}
	}
	if f.mti == "0800" {
		return
	}
	r, err := w.j.Last(func(r journal.Record) bool {
		return r.Card != nil && fmt.Sprintf("%06d", r.STAN) == f.stan && fmt.Sprintf("%06d", r.Batch) == f.batch
	})
	if err != nil || fmt.Sprintf("%012d", r.Amount.Minor) != m.Text(4) { // invariants 1, 6
		w.violated("a %s with trace %s and amount %s leaves, the journal has %+v", f.mti, f.stan, m.Text(4), r)
		return
	}
	switch f.mti {
	case "0200":
		if r.State != journal.Sent || len(r.Trail) != 1 {
			w.violated("a 0200 leaves for record %d, which is %q", r.No, r.State)
		}
		if v, ok := find(m.Get(55), 0x9F02); !ok || v != r.Amount.Minor { // invariant 6
			w.violated("the card signed %d, the journal has %v", v, r.Amount)
		}
		if !slices.ContainsFunc(w.card.Profile().Applications, func(a card.Application) bool { return a.PAN == m.Text(2) }) {
			w.violated("a 0200 for another card leaves")
		}
		w.noneOwed(journal.CardSale, r.No)
	case "0400":
		if r.State != journal.Undoing { // invariant 4
			w.violated("a 0400 leaves for record %d, which is %q", r.No, r.State)
		}
		i := slices.IndexFunc(w.frames, func(o frame) bool { return o.mti == "0200" && o.stan == f.stan && o.batch == f.batch })
		if i < 0 && w.reachedHost() {
			w.violated("a 0400 for trace %s, whose 0200 never left", f.stan)
		} else if i >= 0 { // invariant 3
			o := iso8583.NewMessage(iso8583.UnionPay)
			if err := o.Parse(bytes.Clone(w.frames[i].raw[2+wireTPDU+wireHeader:])); err != nil {
				w.violated("%v", err)
			}
			for _, n := range []int{2, 3, 4, 11, 14, 22, 23, 25, 41, 42, 49, 60} {
				if !bytes.Equal(o.Get(n), m.Get(n)) {
					w.violated("field %d of a reversal differs from the original's", n)
				}
			}
		}
		if len(r.Advices) > 0 != bytes.Contains(m.Get(55), []byte{0xDF, 0x31}) {
			w.violated("a reversal of a sale with %d notices has field 55 %X", len(r.Advices), m.Get(55))
		}
		for _, n := range []int{35, 52} {
			if m.Has(n) { // invariant 18: nothing of it may have been kept
				w.violated("a reversal has field %d", n)
			}
		}
		if i := slices.IndexFunc(w.frames, func(o frame) bool { return o.mti == "0400" && o.stan == f.stan && o.batch == f.batch }); i >= 0 {
			a, b := w.frames[i].raw, f.raw
			if w.frames[i].signOn != f.signOn { // another MAC key
				a, b = a[:len(a)-8], b[:max(0, len(b)-8)]
			}
			if !bytes.Equal(a, b) { // invariant 3
				w.violated("the reversal of trace %s is repeated with other bytes", f.stan)
			}
		}
	default:
		w.violated("a %s leaves", f.mti)
	}
}

// reachedHost is false when the power went between the durable intent and the first byte: such a record is reversed all the same.
func (w *world) reachedHost() bool { return w.cuts == 0 }

func find(b []byte, t tlv.Tag) (int64, bool) {
	d := tlv.NewDecoder(b)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if o.Tag == t {
			v, err := tlv.Number(o.Value)
			return v, err == nil
		}
	}
	return 0, false
}

// noneOwed is invariant 2: nothing older is owed to the same host when a new financial request leaves.
func (w *world) noneOwed(k journal.Kind, but uint64) {
	rs, _ := w.j.Owed()
	for _, r := range rs {
		if d := journal.Debts(r); r.No != but && r.Kind == k && len(d) > 0 && d[0].Duty.OwesHost() {
			w.violated("a new request leaves while record %d owes %s", r.No, d[0].Duty)
		}
	}
}

// orderLeaves is invariant 15 before the request leaves.
func (w *world) orderLeaves(o qrpay.Order) {
	r, err := w.j.Last(func(r journal.Record) bool { return r.Wallet != nil && r.Wallet.Order == o.Number })
	if err != nil || r.State != journal.Sent || r.Amount != o.Amount || len(r.Trail) != 1 {
		w.violated("order %s of %v leaves, the journal has %+v", o.Number, o.Amount, r)
	}
	for _, t := range w.gateway.Ledger() {
		if t.Number == o.Number {
			w.violated("order number %s is used twice", o.Number)
		}
	}
	w.noneOwed(journal.WalletSale, r.No)
}

func (w *world) cancelLeaves(number string) {
	r, err := w.j.Last(func(r journal.Record) bool { return r.Wallet != nil && r.Wallet.Order == number })
	if err != nil || r.State != journal.Undoing {
		w.violated("a cancel leaves for order %s, which is %q", number, r.State)
	}
}

func (w *world) trades() []simalipay.Trade {
	if w.gateway == nil {
		return nil
	}
	return w.gateway.Ledger()
}

// heldFor is the money that host and gateway hold for sales of an amount.
func (w *world) heldFor(minor int64) (sum int64) {
	for _, v := range w.host.Held() {
		if v == minor {
			sum += v
		}
	}
	for _, t := range w.trades() {
		if t.Amount == minor {
			sum += t.Held()
		}
	}
	return sum
}

// checkScreen holds what is shown against the journal and against the hosts' books: outcome before show, and nothing but the truth.
func (w *world) checkScreen(s keypad.Screen) {
	w.screens++
	if w.dead.Load() || s.Amount == nil {
		return
	}
	if m := s.Amount.Minor; m != firstSale && m != nextSale && m != lastSale || s.Amount.Currency != money.CNY { // invariant 6
		w.violated("screen %q shows %v", s.Name, s.Amount)
	}
	r, err := w.j.Last(func(r journal.Record) bool { return r.Amount == *s.Amount })
	switch s.Mood {
	case keypad.Good:
		if err != nil || r.State != journal.Approved || w.heldFor(s.Amount.Minor) != s.Amount.Minor && !r.Card.Offline {
			w.violated("screen %q says approved, the journal %q, held are %d", s.Name, r.State, w.heldFor(s.Amount.Minor))
		}
	case keypad.Bad:
		for _, t := range s.Body {
			if t.Msg == keypad.NoMoney && (w.heldFor(s.Amount.Minor) != 0 || err == nil && r.State != journal.Declined && r.State != journal.Undone) {
				w.violated("screen %q says that no money moved, the journal %q, held are %d", s.Name, r.State, w.heldFor(s.Amount.Minor))
			}
		}
	}
}

// checkSlip is invariants 6, 7 and 17 at the moment of printing.
func (w *world) checkSlip(r printer.Receipt) {
	rec, err := w.j.Last(func(j journal.Record) bool { return j.STAN == r.STAN && j.Batch == r.Batch })
	if err != nil || r.Amount != rec.Amount || r.Outcome != printer.Approved || rec.State != journal.Approved {
		w.violated("paper says %v %v, the journal %v %q", r.Outcome, r.Amount, rec.Amount, rec.State)
	}
	for _, s := range w.paper {
		if s.r.STAN != r.STAN || s.r.Batch != r.Batch || s.r.Copy != r.Copy {
			continue
		}
		if !r.Duplicate {
			w.violated("copy %d of trace %d is printed again without saying DUPLICATE", r.Copy, r.STAN)
		}
		old := s.r
		old.Duplicate = r.Duplicate
		if !reflect.DeepEqual(old, r) {
			w.violated("copy %d of trace %d is printed again with other words", r.Copy, r.STAN)
		}
	}
}

// disbelieved is invariant 10 for the gateway: while every answer is one that must not be believed, an order has no outcome but "not sent".
func (w *world) disbelieved() {
	never := []string{
		"reply-lost", "reply-late", "bad-signature", "unsigned", "error-unsigned", "html-200", "wrong-amount", "wrong-order", "system-error",
		"slow-body", "redirect", "huge-body", "duplicate-keys",
	}
	for _, f := range w.plan.wallet {
		name, all := strings.CutSuffix(f, ":all")
		if !all || !slices.Contains(never, name) {
			continue
		}
		_ = w.j.Each(func(r journal.Record) error {
			if r.State == journal.Approved || r.State == journal.Declined || r.State == journal.Undone && name != "wrong-amount" {
				w.violated("order %s is %q by answers with %s", r.Wallet.Order, r.State, name)
			}
			return nil
		})
	}
}

// finally checks what must hold when everything has been settled.
func (w *world) finally() {
	var all []journal.Record
	_ = w.j.Each(func(r journal.Record) error { all = append(all, r); return nil })
	held, purse := w.host.Held(), map[string]int64{}
	for _, t := range w.trades() {
		purse[t.Number] = t.Held()
	}
	tcs := w.certificates()
	seen := map[string]bool{}
	for _, r := range all {
		switch r.State {
		case journal.Sent, journal.Undoing:
			w.violated("record %d is still %q", r.No, r.State)
		case journal.GivenUp: // takes more unanswered reversals than a run has faults
			w.violated("record %d was given up", r.No)
		}
		want := int64(0)
		if r.State == journal.Approved {
			want = r.Amount.Minor
		}
		key := fmt.Sprintf("%d %d", r.Batch, r.STAN)
		if seen[key] { // invariant 5
			w.violated("two records have trace %s", key)
		}
		seen[key] = true
		if r.Card != nil { // invariants 8, 16
			got := int64(0)
			for k, v := range held {
				if k.STAN == r.STAN && k.Batch == r.Batch {
					got = v
					delete(held, k)
				}
			}
			if got != want {
				w.violated("acquirer holds %d for trace %d, the journal says %d (%s)", got, r.STAN, want, r.State)
			}
			if r.Card.Sealed != nil {
				w.violated("record %d keeps the sealed card number although nothing is owed", r.No)
			}
			mark := fmt.Sprintf("%s %d", r.Card.ATC, r.Amount.Minor)
			if r.State == journal.Approved && tcs[mark] != 1 { // invariant 7
				w.violated("record %d is approved, the card gave %d certificates for it", r.No, tcs[mark])
			}
			delete(tcs, mark)
			if r.State != journal.Approved && r.State != journal.Undone && r.State != journal.Declined {
				w.violated("record %d ended %q", r.No, r.State)
			}
		} else {
			if purse[r.Wallet.Order] != want {
				w.violated("gateway holds %d for order %s, the journal says %d (%s)", purse[r.Wallet.Order], r.Wallet.Order, want, r.State)
			}
			delete(purse, r.Wallet.Order)
		}
		w.papers(r)
	}
	for k, v := range held {
		w.violated("acquirer holds %d for %+v, of which the journal knows nothing", v, k)
	}
	for k, v := range purse {
		if v != 0 {
			w.violated("gateway holds %d for order %s, of which the journal knows nothing", v, k)
		}
	}
	for mark, n := range tcs {
		if w.plan.offline && w.taken > 0 {
			continue // power or card went between the card's approval and the record: nothing was sold
		}
		w.violated("the card gave %d certificates (ATC, amount %s) of which the journal knows nothing", n, mark)
	}
	if w.plan.story.card == "expired" && w.heldFor(firstSale) != 0 { // invariant 23
		w.violated("an expired card has paid")
	}
	m, _ := w.j.Meta()
	if f := journal.Fold(all, m.Batch); f != m.Totals { // invariant 11
		w.violated("totals %+v, records %+v", m.Totals, f)
	}
	if int(m.NextNo)-1 != len(all) { // invariant 12
		w.violated("%d records of %d are left", len(all), m.NextNo-1)
	}
	w.ledgerOfHost(all)
	w.secrets(all)
}

// certificates counts what the cards certified at the end of a transaction, by ATC and amount, and sees that they were asked about
// nothing but the sales.
func (w *world) certificates() map[string]int {
	out := map[string]int{}
	for _, c := range w.cards {
		for _, g := range c.Cryptograms() {
			if g.Amount != firstSale && g.Amount != nextSale && g.Amount != lastSale || g.Currency != "0156" { // invariant 6
				w.violated("the card was given %d %s", g.Amount, g.Currency)
			}
			if g.Kind == "TC" {
				out[fmt.Sprintf("%04X %d", g.ATC, g.Amount)]++
				if !g.Second && !w.plan.offline {
					w.violated("the card approved %d by itself", g.Amount)
				}
			}
		}
	}
	return out
}

// papers is invariant 7: paper says approved exactly for approved records, each copy whole once or marked.
func (w *world) papers(r journal.Record) {
	for _, c := range []printer.Copy{printer.MerchantCopy, printer.CustomerCopy} {
		whole := slices.ContainsFunc(w.paper, func(s slip) bool {
			return s.r.STAN == r.STAN && s.r.Batch == r.Batch && s.r.Copy == c && !s.cut
		})
		if whole != (r.State == journal.Approved) {
			w.violated("copy %d of record %d (%s) on paper: %v", c, r.No, r.State, whole)
		}
	}
}

// harmless are the faults of the host after which there is an answer to believe.
var harmless = []string{simacquirer.ForeignReply, simacquirer.DuplicateReply, simacquirer.Decline05}

// ledgerOfHost looks from the host's side: what it saw was meant, no number came twice, and what it could not read was never sent whole.
func (w *world) ledgerOfHost(all []journal.Record) {
	stans, reversals := map[string]bool{}, map[uint32][]byte{}
	answers := map[uint32]string{} // what was wrong with the last answer to a reversal
	advices := map[string]string{} // and to an upload or notice
	key := 0
	for _, e := range w.host.Ledger() {
		name := fmt.Sprintf("%s %d %d", e.MTI, e.Batch, e.STAN)
		i := slices.IndexFunc(all, func(r journal.Record) bool { return r.STAN == e.STAN && r.Batch == e.Batch })
		upload := e.MTI == "0200" && i >= 0 && all[i].Card.Offline
		if upload || e.MTI == "0620" {
			advices[name] = e.Fault
		}
		if e.MTI == "0200" && !upload && i >= 0 && all[i].State == journal.Approved && e.Fault != "" && !slices.Contains(harmless, e.Fault) { // invariants 9, 10
			w.violated("record %d is approved by an answer with %s", all[i].No, e.Fault)
		}
		switch e.MTI {
		case "":
			w.violated("the host cannot read a message: %s", e.Outcome)
		case "0800":
			key++
			if stans[name] {
				w.violated("host: %s came twice", name)
			}
			stans[name] = true
		case "0620":
		case "0200":
			if stans[name] && !upload { // invariant 5, and the link sends nothing twice
				w.violated("host: %s came twice", name)
			}
			stans[name] = true
		case "0400":
			raw := append([]byte{byte(key)}, e.Raw...)
			if old := reversals[e.STAN]; old != nil && !bytes.Equal(old[1:len(old)-8], raw[1:len(raw)-8]) {
				w.violated("host: the reversal of trace %d came with other bytes", e.STAN)
			} else if old != nil && old[0] == raw[0] && !bytes.Equal(old, raw) {
				w.violated("host: the reversal of trace %d came with another MAC under the same key", e.STAN)
			}
			reversals[e.STAN] = raw
			answers[e.STAN] = e.Fault
			if i < 0 || all[i].State == journal.Approved {
				w.violated("host: a reversal of trace %d, which is approved or unknown", e.STAN) // invariant 4
			}
		}
		if e.Code == "30" || e.Code == "64" || e.Code == "59" || e.Code == "99" || e.Code == "40" {
			w.violated("host refuses a %s with %s: %s", e.MTI, e.Code, e.Outcome)
		}
	}
	w.closedBy(advices)
	for stan, f := range answers {
		if f != "" && !slices.Contains(harmless, f) { // invariant 10
			w.violated("the reversal of trace %d is closed by an answer with %s", stan, f)
		}
	}
}

// secrets is invariant 18, over everything that the terminal keeps, prints or logs.
func (w *world) secrets(all []journal.Record) {
	kept, _ := json.Marshal(all)
	var slips bytes.Buffer
	for _, s := range w.paper {
		b, _ := json.Marshal(s.r)
		slips.Write(b)
	}
	secret := map[string]string{}
	for _, c := range w.cards {
		for _, a := range c.Profile().Applications {
			secret["card number "+a.PAN] = a.PAN
			secret["middle of card number "+a.PAN] = a.PAN[6 : len(a.PAN)-4]
			secret["track 2 of "+a.PAN] = "D" + a.Expiry + a.Service
		}
		secret["PIN"] = `"` + c.Profile().PIN + `"`
	}
	for i, code := range w.codes {
		secret[fmt.Sprintf("payment code %d", i)] = code
	}
	for _, f := range w.frames {
		if f.mti != "0200" {
			continue
		}
		m := iso8583.NewMessage(iso8583.UnionPay)
		if m.Parse(bytes.Clone(f.raw[2+wireTPDU+wireHeader:])) == nil && m.Has(52) {
			secret["PIN block "+f.stan] = fmt.Sprintf("%X", m.Get(52))
		}
	}
	for name, v := range w.host.Secrets() {
		if !strings.HasPrefix(name, "card number") {
			secret[name] = v
		}
	}
	for name, v := range secret {
		for where, text := range map[string][]byte{"the journal": kept, "paper": slips.Bytes(), "the log": w.log.Bytes()} {
			if len(v) > 4 && bytes.Contains(text, []byte(v)) {
				w.violated("%s is in %s", name, where)
			}
		}
	}
}
