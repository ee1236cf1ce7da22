package journal

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func scriptAdvice() Advice {
	return Advice{Kind: "script", Own: true, ICC: []byte{0xDF, 0x31, 1, 0}, State: AdviceOwed}
}

// The advice is durable, numbered and owed in the same step as the outcome; the card number stays as long as it is owed, and no longer.
func TestAdviceWithTheOutcome(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.db")
	s := open(t, path)
	r, err := s.Begin(card(100))
	if err != nil {
		t.Fatal(err)
	}
	before := s.Commits()
	r, err = s.Move(r.No, Approved, "", func(r *Record) { r.Advices = append(r.Advices, scriptAdvice()) })
	if err != nil || s.Commits() != before+1 {
		t.Fatalf("%v, %d commits", err, s.Commits()-before)
	}
	if r.Advices[0].STAN != 2 || r.Card.Sealed == nil || !Owes(r, Advise) || !Owes(r, Receipt) || Owes(r, Tell) {
		t.Fatalf("%+v %+v", r, r.Card)
	}
	if m, _ := s.Meta(); m.NextSTAN != 3 {
		t.Errorf("next trace number %d", m.NextSTAN)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if owed, _ := s.Owed(); len(owed) != 1 || owed[0].Advices[0].STAN != 2 {
		t.Fatalf("after reopening: %+v", owed)
	}
	if r, err = s.Note(1, func(r *Record) { r.Printed = Prints{true, true} }); err != nil || r.Card.Sealed == nil {
		t.Fatalf("%v %+v", err, r.Card)
	}
	r, err = s.Note(1, func(r *Record) { r.Advices[0].State = AdviceDone })
	if err != nil || r.Card.Sealed != nil || len(Debts(r)) != 0 {
		t.Fatalf("%v %+v %v", err, r.Card, Debts(r))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := CheckFile(path); err != nil {
		t.Error(err)
	}
}

// A reversal that is answered leaves the notice owed, with the card number that it needs.
func TestAdviceOutlivesTheReversal(t *testing.T) {
	m := NewMemory()
	r, _ := m.Begin(card(100))
	r, err := m.Move(r.No, Undoing, "card-refused", func(r *Record) { r.Advices = append(r.Advices, scriptAdvice()) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Debt{{1, Reverse}, {1, Advise}}, Debts(r)); diff != "" {
		t.Error(diff)
	}
	r, err = m.Move(r.No, Undone, "host-00", nil)
	if err != nil || r.Card.Sealed == nil {
		t.Fatalf("%v %+v", err, r.Card)
	}
	if diff := cmp.Diff([]Debt{{1, Advise}, {1, Tell}}, Debts(r)); diff != "" {
		t.Error(diff)
	}
}

// An advice that failed is owed to the operator, once.
func TestFailedAdviceIsTold(t *testing.T) {
	for _, state := range []AdviceState{AdviceRefused, AdviceGivenUp} {
		r := Record{No: 1, Kind: CardSale, State: Approved, Printed: Prints{true, true}, Card: &Card{}, Advices: []Advice{{Kind: "script", State: state}}}
		if diff := cmp.Diff([]Debt{{1, Tell}}, Debts(r)); diff != "" {
			t.Errorf("%s: %s", state, diff)
		}
		if r.Advices[0].Told = true; len(Debts(r)) != 0 {
			t.Errorf("%s, told: %v", state, Debts(r))
		}
	}
}

// A sale without the host begins with its outcome, counts in the totals, and owes upload and paper.
func TestBeginOffline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.db")
	s := open(t, path)
	in := card(700)
	in.State, in.Card.Offline, in.Advices = Approved, true, []Advice{{Kind: "offline-sale", State: AdviceOwed}}
	r, err := s.Begin(in)
	if err != nil || r.State != Approved || r.STAN != 1 || r.Advices[0].STAN != 0 || r.Card.Sealed == nil || len(r.Trail) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if m, _ := s.Meta(); m.Totals != (Totals{CardCount: 1, CardMinor: 700}) || m.NextSTAN != 2 {
		t.Errorf("%+v", m)
	}
	if diff := cmp.Diff([]Debt{{1, Advise}, {1, Receipt}}, Debts(r)); diff != "" {
		t.Error(diff)
	}
	in.State, in.Advices, in.Told = Declined, nil, true
	if r, err = s.Begin(in); err != nil || r.Card.Sealed != nil || len(Debts(r)) != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	online := card(700)
	online.State = Approved
	w := wallet(700, "T1")
	w.State = Approved
	undoing := card(700)
	undoing.State, undoing.Card.Offline = Undoing, true
	numbered := card(700)
	numbered.Advices = []Advice{{Kind: "script", Own: true, STAN: 9, State: AdviceOwed}}
	for name, bad := range map[string]Record{"approved by nobody": online, "a wallet": w, "undoing": undoing, "an advice with a number": numbered} {
		if _, err := s.Begin(bad); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := CheckFile(path); err != nil {
		t.Error(err)
	}
}

// No change may lose, rename or renumber an advice, or move one that has ended.
func TestAdvicesCannotChange(t *testing.T) {
	m := NewMemory()
	r, _ := m.Begin(card(100))
	r, err := m.Move(r.No, Approved, "", func(r *Record) {
		done := scriptAdvice()
		r.Advices = append(r.Advices, scriptAdvice(), done)
	})
	if err != nil {
		t.Fatal(err)
	}
	if r, err = m.Note(r.No, func(r *Record) { r.Advices[1].State = AdviceDone }); err != nil {
		t.Fatal(err)
	}
	if r.Advices[0].STAN == r.Advices[1].STAN {
		t.Error("two advices have one number")
	}
	for name, change := range map[string]Change{
		"lost":           func(r *Record) { r.Advices = r.Advices[:1] },
		"renamed":        func(r *Record) { r.Advices[0].Kind = "offline-sale" },
		"renumbered":     func(r *Record) { r.Advices[0].STAN++ },
		"other content":  func(r *Record) { r.Advices[0].ICC = []byte{1} },
		"owed again":     func(r *Record) { r.Advices[1].State = AdviceOwed },
		"given up later": func(r *Record) { r.Advices[1].State = AdviceGivenUp },
		"no such state":  func(r *Record) { r.Advices[0].State = "lost" },
		"new and done":   func(r *Record) { r.Advices = append(r.Advices, Advice{Kind: "script", State: AdviceDone}) },
	} {
		if _, err := m.Note(r.No, change); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, _ := m.Get(r.No); cmp.Diff(r, got) != "" {
		t.Errorf("record changed: %s", cmp.Diff(r, got))
	}
	w, _ := m.Begin(wallet(100, "T1"))
	if _, err := m.Note(w.No, func(r *Record) { r.Advices = append(r.Advices, scriptAdvice()) }); !errors.Is(err, ErrRecord) {
		t.Errorf("a wallet sale with an advice: %v", err)
	}
}
