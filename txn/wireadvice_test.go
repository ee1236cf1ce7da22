package txn_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"posd/journal"
	"posd/netlink/iso8583"
	simacquirer "posd/sim/acquirer"
)

var (
	freeStory   = story{name: "approved by the card", card: freeCard}
	unableStory = story{name: "issuer cannot be asked", card: unableCard}
	scripted    = []simacquirer.Fault{{Name: simacquirer.Script71, MTI: "0200"}, {Name: simacquirer.Script72, MTI: "0200"}}
)

// TestWireScripts plays a sale whose answer holds scripts 71 and 72: every fault at every command to the card, among them the card pulled out
// at each exchange of completion, each power cut, and each cut of the line in the notice.
func TestWireScripts(t *testing.T) {
	wireTest(t, 150, func(c *tally) {
		w := c.run(plan{story: cardStory, host: scripted})
		if len(w.host.Notices()) != 2 {
			t.Errorf("the host has %d notices of two sales", len(w.host.Notices()))
		}
		for _, name := range []string{goodPAN, "insufficient", "refuses-second-ac"}[:some(1, 3, 3)] {
			c.each(plan{story: story{name: name, card: name}, kinds: apdu, host: scripted})
		}
		c.each(plan{story: cardStory, kinds: durable | dialling | onPaper, host: scripted})
		c.each(plan{story: cardStory, kinds: toHost | fromHost, mti: "0620", step: 7 * stride(), host: scripted})
	})
}

// TestWireOffline plays sales that card and terminal approve without the host, with every fault of line, power, paper and card, and the upload
// with every fault of the host.
func TestWireOffline(t *testing.T) {
	wireTest(t, 300, func(c *tally) {
		w := c.run(plan{story: freeStory, offline: true})
		if n := len(w.frames); n == 0 || w.host.TotalHeld() != firstSale+nextSale+lastSale {
			t.Errorf("%d messages, the host holds %d", n, w.host.TotalHeld())
		}
		for _, s := range []story{freeStory, unableStory} {
			c.each(plan{story: s, kinds: apdu | durable | dialling | onPaper, offline: true, again: true})
			c.each(plan{story: s, kinds: toHost | fromHost, mti: "0200", step: 11 * stride(), offline: true})
			for _, name := range simacquirer.New(simacquirer.Options{}).Faults() {
				if name == simacquirer.TLSRefused || name == simacquirer.Decline05 && s == freeStory {
					continue // no TLS here; and an upload that is refused for good leaves books that differ, which the other enumeration plays
				}
				p := plan{story: s, offline: true, host: []simacquirer.Fault{{Name: name, MTI: "0200", Times: 1}}}
				if name == simacquirer.Down {
					p.host[0].Times = 0
				}
				if s == unableStory && !testing.Short() {
					p.kinds = durable
				}
				c.each(p)
			}
		}
	})
}

// adviceLeaves holds a script notice or an upload against the journal and against those that left before: invariants 5, 6 and 13.
func (w *world) adviceLeaves(f frame, m *iso8583.Message) {
	about, kind := f.stan, "offline-sale"
	if f.mti == "0620" {
		about, kind = m.Text(61)[6:12], "script"
	}
	r, err := w.j.Last(func(r journal.Record) bool { return r.Card != nil && fmt.Sprintf("%06d", r.STAN) == about })
	i := slices.IndexFunc(r.Advices, func(a journal.Advice) bool { return a.Kind == kind && a.State == journal.AdviceOwed })
	switch {
	case err != nil || i < 0 || fmt.Sprintf("%012d", r.Amount.Minor) != m.Text(4) || fmt.Sprintf("%06d", r.Batch) != f.batch:
		w.violated("a %s about trace %s leaves, the journal has %+v", f.mti, about, r)
		return
	case r.State == journal.Sent || r.State == journal.Undoing, kind == "offline-sale" && (r.State != journal.Approved || !r.Card.Offline):
		w.violated("a %s leaves for record %d, which is %q", f.mti, r.No, r.State)
	case m.Has(35) || m.Has(52):
		w.violated("a %s has track data or a PIN", f.mti)
	}
	for _, old := range w.frames {
		if old.stan != f.stan || old.mti == "0820" {
			continue
		}
		if kind == "offline-sale" && !slices.ContainsFunc(w.host.Ledger(), func(e simacquirer.Entry) bool { return e.MTI == "0200" && e.STAN == r.STAN }) {
			continue // the request for this sale that surely never left the terminal
		}
		a, b := old.raw, f.raw
		if old.signOn != f.signOn { // another MAC key
			a, b = a[:max(0, len(a)-8)], b[:len(b)-8]
		}
		if !bytes.Equal(a, b) {
			w.violated("a %s has the trace number %s of a %s before, or is repeated with other bytes", f.mti, f.stan, old.mti)
		}
	}
}

// closedBy is invariant 10 for uploads and notices: what closed them was an answer to believe.
func (w *world) closedBy(advices map[string]string) {
	for name, f := range advices {
		if f != "" && !slices.Contains(harmless, f) {
			w.violated("the advice %s is closed by an answer with %s", name, f)
		}
	}
}
