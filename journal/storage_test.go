package journal

import (
	"errors"
	"path/filepath"
	"testing"
)

// Invariant 21: after one write that failed nothing more is written, however well it would go, until the file is opened again.
func TestStorageFailsOnceIsBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	s, err := Open(path, Options{MaxSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	good, err := s.Begin(card(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Healthy(); err != nil {
		t.Fatal(err)
	}
	big := card(200)
	big.Card.Sealed = make([]byte, 256<<10)
	if _, err := s.Begin(big); !errors.Is(err, ErrStorage) {
		t.Fatalf("a record that does not fit: %v", err)
	}
	was := s.Commits()
	for name, write := range map[string]func() error{
		"Healthy":    s.Healthy,
		"Probe":      s.Probe,
		"Begin":      func() error { _, err := s.Begin(card(300)); return err },
		"Move":       func() error { _, err := s.Move(good.No, Approved, "", nil); return err },
		"Note":       func() error { _, err := s.Note(good.No, func(r *Record) { r.Told = true }); return err },
		"TakeSTAN":   func() error { _, err := s.TakeSTAN(); return err },
		"AdoptBatch": func() error { _, err := s.AdoptBatch(7); return err },
	} {
		if err := write(); !errors.Is(err, ErrStorage) {
			t.Errorf("%s after a write that failed: %v", name, err)
		}
	}
	if s.Commits() != was {
		t.Errorf("%d commits after a write that failed", s.Commits()-was)
	}
	if owed, err := s.Owed(); err != nil || len(owed) != 1 || owed[0].No != good.No || owed[0].State != Sent {
		t.Errorf("what was durable before: %+v, %v", owed, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if _, err := s.Move(good.No, Undoing, "interrupted", nil); err != nil {
		t.Errorf("opened again: %v", err)
	}
	// What is refused because it is wrong is not a fault of the storage.
	if _, err := s.Begin(card(0)); !errors.Is(err, ErrRecord) || s.Healthy() != nil {
		t.Errorf("a bad record: %v, %v", err, s.Healthy())
	}
}

// The simulated storage fails as the real one: at once and for every step after it. What failed late is read until the power goes, or
// until the next step makes it durable.
func TestMemoryFails(t *testing.T) {
	for _, c := range []struct {
		name         string
		how          Failure
		read, cut    State // after reopening; after a power cut
		readAndProbe State // after reopening, a probe and a power cut
	}{
		{"nothing written", Fails, Sent, Sent, Sent},
		{"written, not synced", Doubts, Approved, Sent, Approved},
	} {
		for _, probe := range []bool{false, true} {
			m := NewMemory()
			r, err := m.Begin(card(100))
			if err != nil {
				t.Fatal(err)
			}
			how := c.how
			m.Fail = func(old Record) Failure {
				if old.No != r.No || old.State != Sent {
					t.Errorf("%s: asked about %+v", c.name, old)
				}
				return how
			}
			if _, err := m.Move(r.No, Approved, "", nil); !errors.Is(err, ErrStorage) {
				t.Fatalf("%s: %v", c.name, err)
			}
			m.Fail = nil
			if _, err := m.TakeSTAN(); !errors.Is(err, ErrStorage) || !errors.Is(m.Healthy(), ErrStorage) || !errors.Is(m.Probe(), ErrStorage) {
				t.Errorf("%s: the next step: %v", c.name, err)
			}
			m.Reopen()
			want := c.cut
			if probe {
				want = c.readAndProbe
				if err := m.Probe(); err != nil {
					t.Error(err)
				}
			}
			got, _ := m.Get(r.No)
			if durable := m.Durable(r.No); got.State != c.read || durable.State != want {
				t.Errorf("%s: %q is read, %q is durable", c.name, got.State, durable.State)
			}
			m.PowerLost()
			if got, _ := m.Get(r.No); got.State != want || m.Healthy() != nil {
				t.Errorf("%s: %q after a power cut, want %q", c.name, got.State, want)
			}
		}
	}
}
