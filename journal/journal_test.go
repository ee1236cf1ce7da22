package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"posd/internal/money"
)

var day = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func card(fen int64) Record {
	return Record{Kind: CardSale, Amount: money.Yuan(fen), Time: day, Operator: "01", Card: &Card{MaskedPAN: "622202******3440", Sealed: []byte("sealed"), Entry: "chip"}}
}

func wallet(fen int64, order string) Record {
	return Record{Kind: WalletSale, Amount: money.Yuan(fen), Time: day, Operator: "01", Wallet: &Wallet{Name: "alipay", Order: order}}
}

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{Now: func() time.Time { return day }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Every pair of states, so that a move added by mistake is seen.
func TestTableOfMoves(t *testing.T) {
	yes := map[[2]State]bool{
		{"", Sent}: true, {"", Approved}: true, {"", Declined}: true, {Sent, Approved}: true, {Sent, Declined}: true, {Sent, Undoing}: true,
		{Undoing, Undoing}: true, {Undoing, Undone}: true, {Undoing, GivenUp}: true,
	}
	for _, from := range append(States(), "") {
		for _, to := range append(States(), "") {
			if got := Allowed(from, to); got != yes[[2]State{from, to}] {
				t.Errorf("Allowed(%q, %q) = %v", from, to, got)
			}
		}
	}
}

func TestDebts(t *testing.T) {
	for _, c := range []struct {
		name string
		r    Record
		want Duty
	}{
		{"card interrupted after sent", Record{Kind: CardSale, State: Sent}, Reverse},
		{"wallet interrupted after sent", Record{Kind: WalletSale, State: Sent}, Query},
		{"card outcome lost", Record{Kind: CardSale, State: Undoing}, Reverse},
		{"wallet outcome lost", Record{Kind: WalletSale, State: Undoing}, Cancel},
		{"approved, nothing printed", Record{Kind: CardSale, State: Approved}, Receipt},
		{"approved, merchant copy printed", Record{Kind: CardSale, State: Approved, Printed: Prints{Merchant: true}}, Receipt},
		{"approved, both printed", Record{Kind: CardSale, State: Approved, Printed: Prints{true, true}}, ""},
		{"declined, not told", Record{Kind: CardSale, State: Declined}, Tell},
		{"undone, not told", Record{Kind: WalletSale, State: Undone}, Tell},
		{"given up, not told", Record{Kind: CardSale, State: GivenUp}, Tell},
		{"declined, told", Record{Kind: CardSale, State: Declined, Told: true}, ""},
		{"undone, told", Record{Kind: CardSale, State: Undone, Told: true}, ""},
	} {
		var got Duty
		if d := Debts(c.r); len(d) > 0 {
			got = d[0].Duty
		}
		if got != c.want {
			t.Errorf("%s: owes %q, want %q", c.name, got, c.want)
		}
	}
	rs := []Record{{No: 3, State: Sent, Kind: CardSale}, {No: 1, State: Undoing, Kind: WalletSale}, {No: 2, State: Declined, Told: true}}
	if diff := cmp.Diff([]Debt{{1, Cancel}, {3, Reverse}}, Owed(rs)); diff != "" {
		t.Error(diff)
	}
}

func TestLifeOfACardSale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.db")
	s := open(t, path)
	r, err := s.Begin(card(12345))
	if err != nil || r.No != 1 || r.STAN != 1 || r.Batch != 1 || r.State != Sent {
		t.Fatalf("Begin: %+v, %v", r, err)
	}
	if owed, _ := s.Owed(); len(owed) != 1 {
		t.Fatalf("a sent record must be owed: %v", owed)
	}
	r, err = s.Move(r.No, Approved, "", func(r *Record) { r.Card.RRN = "000000000001" })
	if err != nil || r.Card.RRN == "" || r.Card.Sealed != nil {
		t.Fatalf("Move: %+v, %v", r, err)
	}
	if m, _ := s.Meta(); m.Totals != (Totals{CardCount: 1, CardMinor: 12345}) {
		t.Fatalf("totals %+v", m.Totals)
	}
	var me *MoveError
	if _, err := s.Move(r.No, Undoing, "", nil); !errors.As(err, &me) {
		t.Fatalf("approved must not be undone: %v", err)
	}
	if _, err := s.Note(r.No, func(r *Record) { r.Printed = Prints{true, true} }); err != nil {
		t.Fatal(err)
	}
	if owed, _ := s.Owed(); len(owed) != 0 {
		t.Fatalf("owed %v", owed)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := CheckFile(path); err != nil {
		t.Fatal(err)
	}
	again := open(t, path)
	if got, _ := again.Get(1); got.State != Approved || !got.Printed.Customer {
		t.Fatalf("after reopening: %+v", got)
	}
}

func TestIdentityCannotChange(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "j.db"))
	r, _ := s.Begin(wallet(100, "T1"))
	for name, change := range map[string]Change{
		"amount": func(r *Record) { r.Amount.Minor++ },
		"stan":   func(r *Record) { r.STAN++ },
		"order":  func(r *Record) { r.Wallet.Order = "T2" },
		"state":  func(r *Record) { r.State = Approved },
		"no":     func(r *Record) { r.No = 9 },
	} {
		if _, err := s.Note(r.No, change); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Move(r.No, Undoing, "", change); !errors.Is(err, ErrRecord) {
			t.Errorf("%s in a move: %v", name, err)
		}
	}
	if got, _ := s.Get(r.No); cmp.Diff(r, got) != "" {
		t.Errorf("record changed: %s", cmp.Diff(r, got))
	}
	for _, bad := range []Record{card(0), card(-1), {Kind: CardSale, Amount: money.Yuan(1)}, {Kind: WalletSale, Amount: money.Yuan(1), Card: &Card{}}} {
		if _, err := s.Begin(bad); !errors.Is(err, ErrRecord) {
			t.Errorf("Begin(%+v): %v", bad, err)
		}
	}
}

func TestNumbersWrapAndBatchAdoption(t *testing.T) {
	m := Meta{NextSTAN: MaxSTAN}
	if a, b := m.TakeSTAN(), m.TakeSTAN(); a != MaxSTAN || b != 1 {
		t.Errorf("STAN %d then %d", a, b)
	}
	s := open(t, filepath.Join(t.TempDir(), "j.db"))
	if ok, err := s.AdoptBatch(7); !ok || err != nil {
		t.Fatalf("empty journal: %v %v", ok, err)
	}
	if _, err := s.Begin(card(1)); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.AdoptBatch(8); ok || err != nil {
		t.Fatalf("a batch with a transaction must keep its number: %v %v", ok, err)
	}
	if ok, _ := s.AdoptBatch(7); !ok {
		t.Error("the same number is always adopted")
	}
	if _, err := s.AdoptBatch(0); !errors.Is(err, ErrRecord) {
		t.Errorf("batch 0: %v", err)
	}
}

// The store and the plain model do the same for any series of operations, across reopenings, and the file always checks.
func TestStoreEqualsModel(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, "j"+time.Duration(n).String()+".db")
		now := func() time.Time { return day }
		s, err := Open(path, Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { s.Close(); os.Remove(path) }()
		m := NewMemory()
		m.Now = now
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			no := rapid.Uint64Range(1, 4).Draw(t, "no")
			var a, b Record
			var e1, e2 error
			switch rapid.IntRange(0, 5).Draw(t, "op") {
			case 0:
				r := card(rapid.Int64Range(0, 500).Draw(t, "fen"))
				a, e1 = s.Begin(r)
				b, e2 = m.Begin(r)
			case 1:
				r := wallet(rapid.Int64Range(1, 500).Draw(t, "fen"), "T")
				a, e1 = s.Begin(r)
				b, e2 = m.Begin(r)
			case 2, 3:
				to := rapid.SampledFrom(States()).Draw(t, "to")
				a, e1 = s.Move(no, to, "why", nil)
				b, e2 = m.Move(no, to, "why", nil)
			case 4:
				f := func(r *Record) { r.Printed.Merchant, r.Told = true, true }
				a, e1 = s.Note(no, f)
				b, e2 = m.Note(no, f)
			case 5:
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if err := CheckFile(path); err != nil {
					t.Fatal(err)
				}
				if s, err = Open(path, Options{Now: now}); err != nil {
					t.Fatal(err)
				}
			}
			if (e1 == nil) != (e2 == nil) {
				t.Fatalf("store %v, model %v", e1, e2)
			}
			if diff := cmp.Diff(b, a); diff != "" {
				t.Fatal(diff)
			}
		}
		m1, _ := s.Meta()
		m2, _ := m.Meta()
		o1, _ := s.Owed()
		o2, _ := m.Owed()
		if diff := cmp.Diff(m2, m1) + cmp.Diff(o2, o1); diff != "" {
			t.Fatal(diff)
		}
		if f := Fold(m.all(), m1.Batch); f != m1.Totals {
			t.Fatalf("fold %+v, totals %+v", f, m1.Totals)
		}
	})
}

func TestRefusesWhatIsNotAJournal(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, p := range map[string]string{
		"empty":   write("empty", nil),
		"text":    write("text", []byte(strings.Repeat("not a database\n", 1000))),
		"zeroed":  write("zeroed", make([]byte, 65536)),
		"too few": write("short", make([]byte, 100)),
	} {
		before, _ := os.ReadFile(p)
		s, err := Open(p, Options{})
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
		}
		if after, _ := os.ReadFile(p); string(after) != string(before) {
			t.Errorf("%s: file was changed", name)
		}
	}
	good := filepath.Join(dir, "good.db")
	s := open(t, good)
	if _, err := Open(good, Options{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("two openers: %v", err)
	}
	s.Close()
	refusing := errors.New("the checker crashed")
	if _, err := Open(good, Options{Check: func(string) error { return refusing }}); !errors.Is(err, ErrDamaged) || !errors.Is(err, refusing) {
		t.Errorf("check refused, Open said %v", err)
	}
}

func TestRefusesNewerRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.db")
	s := open(t, path)
	r, _ := s.Begin(card(1))
	r.Version = 99
	v, _ := json.Marshal(r)
	if err := s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketRecords).Put(key(r.No), v) }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(path, Options{}); !errors.Is(err, ErrVersion) {
		t.Errorf("Open: %v", err)
	}
}

// Any single damaged page ends in an error or in a file that still reads the same; the examination runs in a child because bbolt may
// crash on it.
func TestDamagedPages(t *testing.T) {
	if p := os.Getenv("JOURNAL_CHECK_CHILD"); p != "" {
		if err := CheckFile(p); err != nil {
			os.Stdout.WriteString("refused: " + err.Error())
			os.Exit(3)
		}
		os.Exit(0)
	}
	path := filepath.Join(t.TempDir(), "j.db")
	s := open(t, path)
	for i := range 60 {
		r, err := s.Begin(card(int64(i + 1)))
		if err != nil {
			t.Fatal(err)
		}
		if i%3 != 0 {
			if _, err := s.Move(r.No, Approved, "", nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := dump(t, s)
	s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	refused := 0
	for off := 0; off < len(whole); off += page {
		b := append([]byte(nil), whole...)
		clear(b[off : off+page])
		bad := filepath.Join(t.TempDir(), "bad.db")
		if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestDamagedPages$")
		cmd.Env = append(os.Environ(), "JOURNAL_CHECK_CHILD="+bad)
		if err := cmd.Run(); err != nil {
			refused++
			continue
		}
		s, err := Open(bad, Options{})
		if err != nil {
			t.Fatalf("page %d: checked, but %v", off/page, err)
		}
		if got := dump(t, s); got != want {
			t.Errorf("page %d: checked, but other records came out", off/page)
		}
		s.Close()
	}
	if refused == 0 {
		t.Error("no damaged page was noticed")
	}
}

// settled is n records of which nothing is owed, cards and wallets in turn.
func settled(n int) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for i := range n {
			r := card(int64(i + 1))
			r.Card.Sealed, r.Card.Label, r.Card.AID, r.Card.Cryptogram, r.Card.TVR = nil, "UNIONPAY DEBIT", "A000000333010101", "0102030405060708", "0000000000"
			if i%2 == 1 {
				r = wallet(int64(i+1), fmt.Sprintf("1000000120261123%08d", i))
			}
			r.Version, r.No, r.STAN, r.Batch, r.State = version, uint64(i+1), uint32(i%MaxSTAN+1), 1, Approved
			r.Printed, r.Told, r.Trail = Prints{true, true}, true, []Step{{State: Sent, At: day}, {State: Approved, At: day}}
			if !yield(r) {
				return
			}
		}
	}
}

func TestRestore(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "j.db")
	if err := Restore(path, settled(50)); err != nil {
		t.Fatal(err)
	}
	if err := CheckFile(path); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	m, _ := s.Meta()
	if m.NextNo != 50+restoreGap || m.NextSTAN != 50+restoreGap || m.Totals.CardCount != 25 || m.Totals.WalletCount != 25 {
		t.Errorf("meta %+v", m)
	}
	if err := Restore(path, settled(1)); err == nil {
		t.Error("an existing journal was overwritten")
	}
	twice := func(yield func(Record) bool) {
		for range 2 {
			for r := range settled(1) {
				if !yield(r) {
					return
				}
			}
		}
	}
	if err := Restore(filepath.Join(dir, "k.db"), twice); !errors.Is(err, ErrRecord) {
		t.Errorf("the same number twice: %v", err)
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*.new")); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

func dump(t testing.TB, s *Store) string {
	t.Helper()
	var b strings.Builder
	if err := s.Each(func(r Record) error { return json.NewEncoder(&b).Encode(r) }); err != nil {
		return "error: " + err.Error()
	}
	return b.String()
}

func FuzzRecord(f *testing.F) {
	v, _ := json.Marshal(card(1))
	f.Add(v)
	f.Add([]byte(`{"no":1,"card":{},"wallet":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		if json.Unmarshal(b, &r) != nil {
			return
		}
		Debts(r) // must not panic whatever the record says
		for _, to := range States() {
			m := NewMeta()
			n, err := move(&m, r, to, "", day, nil)
			if err == nil && !Allowed(r.State, n.State) {
				t.Fatalf("moved from %q to %q", r.State, n.State)
			}
		}
	})
}
