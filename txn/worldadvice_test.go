package txn

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"posd/journal"
	"posd/netlink/acquirer"
)

// Advise takes notices and uploads. The same one twice is told from two, and counted once.
func (h *host) Advise(_ context.Context, m acquirer.Advice) (acquirer.Reply, error) {
	r, ok := h.w.record(m.Original)
	if !ok || r.State == journal.Sent || r.State == journal.Undoing || m.PAN != testPAN || m.Amount != r.Amount || m.Batch != r.Batch {
		h.w.violated("%s advice about trace %d, of which the record is %+v", m.Kind, m.Original, r)
	}
	if m.Kind == acquirer.AdviceVoice && (r.State != journal.Approved || !r.Card.Voice || m.Auth != "778899") {
		h.w.violated("voice advice of record %d, which is %q", r.No, r.State)
	}
	if m.Kind == acquirer.AdviceOffline { // invariant 13
		switch {
		case r.State != journal.Approved || !r.Card.Offline || m.STAN != r.STAN:
			h.w.violated("upload %d of record %d, which is %q, offline %v", m.STAN, r.No, r.State, r.Card.Offline)
		case h.cards[m.STAN]:
			h.w.violated("upload of trace %d, which the host has seen as a sale", m.STAN)
		}
	} else if h.cards[m.STAN] || m.STAN == m.Original {
		h.w.violated("notice has the trace number of a sale: %d", m.STAN)
	}
	lost := &acquirer.Failure{Sent: true, Reason: acquirer.ReasonNoReply, Err: errors.New("no answer")}
	process := func() acquirer.Reply {
		seen := h.notices
		if m.Kind != acquirer.AdviceScript {
			seen = h.uploads
		}
		h.log = append(h.log, fmt.Sprintf("%s %06d", m.Kind, m.STAN))
		if old, ok := seen[m.STAN]; ok {
			if !reflect.DeepEqual(old, m) {
				h.w.violated("advice %d is repeated with another content", m.STAN)
			}
			return acquirer.Reply{Code: "94", Action: acquirer.Approve} // seen before: closes it as well
		}
		for _, old := range seen {
			if old.Original == m.Original {
				h.w.violated("second %s advice about trace %d", m.Kind, m.Original)
			}
		}
		seen[m.STAN] = m
		if m.Kind != acquirer.AdviceScript {
			h.held[m.STAN] += m.Amount.Minor
		}
		return acquirer.Reply{Code: "00", Action: acquirer.Approve}
	}
	switch h.w.choose("advice", 8, 7) {
	case 1:
		return acquirer.Reply{}, &acquirer.Failure{Err: errors.New("connection refused")}
	case 2:
		return acquirer.Reply{}, lost
	case 3:
		process()
		return acquirer.Reply{}, lost
	case 4:
		return acquirer.Reply{Code: "96", Action: acquirer.Retry}, nil
	case 5:
		process()
		panic(powerCut{})
	case 6:
		if _, ok := h.uploads[m.STAN]; !ok {
			h.refused[m.STAN] = true
			return acquirer.Reply{Code: "14", Action: acquirer.Decline}, nil
		}
	}
	return process(), nil
}

// checkAdvices holds a record's advices against what the host has seen: invariants 13 and 16.
func (w *world) checkAdvices(r journal.Record) {
	script := false
	for _, a := range r.Advices {
		script = script || a.Kind == string(acquirer.AdviceScript)
		stan, seen := a.STAN, w.host.notices
		switch acquirer.AdviceKind(a.Kind) {
		case acquirer.AdviceOffline:
			stan, seen = r.STAN, w.host.uploads
		case acquirer.AdviceVoice:
			seen = w.host.uploads
		}
		m, ok := seen[stan]
		switch {
		case a.State == journal.AdviceDone && (!ok || m.Original != r.STAN):
			w.violated("%s advice of record %d is done, the host knows nothing of it", a.Kind, r.No)
		case a.State == journal.AdviceRefused && (!w.host.refused[stan] || !a.Told):
			w.violated("%s advice of record %d is refused; by the host %v, told %v", a.Kind, r.No, w.host.refused[stan], a.Told)
		case a.State == journal.AdviceOwed, a.State == journal.AdviceGivenUp: // the second needs more faults than a run has
			w.violated("%s advice of record %d is %s", a.Kind, r.No, a.State)
		}
	}
	if r.State == journal.Approved && w.scripts && !r.Card.Offline && !script {
		w.violated("record %d was approved with scripts and owes no notice", r.No)
	}
	if r.State == journal.Declined && w.scripts && w.cuts == 1 && strings.HasPrefix(r.Trail[len(r.Trail)-1].Why, "host-") && !script {
		w.violated("record %d was declined with scripts and owes no notice", r.No)
	}
	if r.State == journal.Approved && w.refers && (len(r.Advices) != 1 || !r.Card.Voice || r.Card.Auth != "778899") {
		w.violated("record %d was approved on the telephone and is %+v", r.No, r.Card)
	}
	if r.State == journal.Approved && r.Card != nil && r.Card.Offline && len(r.Advices) != 1 {
		w.violated("record %d was approved offline and has %d uploads", r.No, len(r.Advices))
	}
}
