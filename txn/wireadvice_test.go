package txn_test

import (
	"testing"

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
