package txn

import (
	"testing"
	"testing/synctest"

	"posd/internal/money"
	"posd/journal"
	"posd/keypad"
)

// An approval without the host whose storing failed may have been written all the same: nobody may take it for a no, and when the storage works
// again it is either gone or a sale with its upload and its slips.
func TestOfflineApprovalNotStored(t *testing.T) {
	for _, how := range []journal.Failure{journal.Fails, journal.Doubts} {
		for _, second := range []bool{false, true} { // the TC comes with the first cryptogram, or with the second
			synctest.Test(t, func(t *testing.T) {
				w, term, p := quietDay(t, func(w *world) {
					if w.kind, w.first = 0x22, "tc"; second {
						w.first = ""
					}
				})
				if second {
					p.connect = func() error { return errNotOut }
				}
				w.screens = nil
				w.j.Fail = func(old journal.Record) journal.Failure {
					if old.No == 0 {
						return how
					}
					return journal.Works
				}
				if err := term.SaleByCard(t.Context(), money.Yuan(500)); err == nil {
					t.Error("no error")
				}
				doubt := false
				for _, s := range w.screens {
					if s.Mood == keypad.Good || s.Mood == keypad.Bad {
						t.Errorf("failure %d: screen %q has mood %v", how, s.Name, s.Mood)
					}
					doubt = doubt || s.Name == "unknown" && s.Mood == keypad.Doubt && s.Amount != nil && s.Amount.Minor == 500
				}
				if !doubt || len(w.paper) != 0 {
					t.Errorf("failure %d: unknown shown %v, %d slips", how, doubt, len(w.paper))
				}
				w.j.Fail, p.connect = nil, nil
				w.reopen()
				if err := term.Settle(t.Context(), 0); err != nil {
					t.Error(err)
				}
				slips := map[journal.Failure]int{journal.Fails: 0, journal.Doubts: 2}[how]
				if len(w.paper) != slips {
					t.Errorf("failure %d: %d slips afterwards, want %d", how, len(w.paper), slips)
				}
			})
		}
	}
}
