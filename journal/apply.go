package journal

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Limits of the numbers that hosts know.
const (
	MaxSTAN  = 999999
	MaxBatch = 999999
	version  = 2 // 1 had no advices
)

// Errors of the journal.
var (
	// ErrNotFound is returned for a record number that does not exist.
	ErrNotFound = errors.New("journal: no such record")
	// ErrDamaged is returned by Open for a file that is not a sound journal. The file is left as it is.
	ErrDamaged = errors.New("journal: file is damaged")
	// ErrInUse is returned by Open when another process has the file open.
	ErrInUse = errors.New("journal: in use by another process")
	// ErrVersion is returned for a record written by a newer posd: refused rather than guessed at.
	ErrVersion = errors.New("journal: written by a newer version")
	// ErrStorage is returned once a write or sync has failed. The store then takes no new transaction until it is opened again,
	// because pages may be lost that were reported as written (fsync errors are not repeatable).
	ErrStorage = errors.New("journal: storage failed")
	// ErrRecord is returned for a record that may not be stored as it is.
	ErrRecord = errors.New("journal: bad record")
)

// Meta is what the store keeps beside the records. It changes in the same durable step as the record that causes the change.
type Meta struct {
	NextNo   uint64 `json:"next_no"`
	NextSTAN uint32 `json:"next_stan"`
	Batch    uint32 `json:"batch"`
	Totals   Totals `json:"totals"`
}

// Totals are the approved transactions of the open batch.
type Totals struct {
	CardCount   int   `json:"card_count"`
	CardMinor   int64 `json:"card_minor"`
	WalletCount int   `json:"wallet_count"`
	WalletMinor int64 `json:"wallet_minor"`
}

// NewMeta is the state of a journal without records.
func NewMeta() Meta { return Meta{NextNo: 1, NextSTAN: 1, Batch: 1} }

// TakeSTAN hands out a system trace audit number, 1 to MaxSTAN, and moves on.
func (m *Meta) TakeSTAN() uint32 {
	s := m.NextSTAN
	if s < 1 || s > MaxSTAN {
		s = 1
	}
	m.NextSTAN = s%MaxSTAN + 1
	return s
}

// begin fills in what the journal decides about a new record. Pure but for m.
func begin(m *Meta, r Record) (Record, error) {
	if r.Amount.Minor <= 0 {
		return Record{}, fmt.Errorf("%w: amount %d", ErrRecord, r.Amount.Minor)
	}
	if (r.Card == nil) == (r.Wallet == nil) || (r.Kind == CardSale) != (r.Card != nil) {
		return Record{}, fmt.Errorf("%w: kind %q does not fit its parts", ErrRecord, r.Kind)
	}
	if r.State == "" {
		r.State = Sent
	}
	if !Allowed("", r.State) || (r.State != Sent && (r.Card == nil || !r.Card.Offline)) {
		return Record{}, fmt.Errorf("%w: it may not begin as %q", ErrRecord, r.State)
	}
	if err := checkAdvices(Record{}, r); err != nil {
		return Record{}, err
	}
	r.Version = version
	r.No = m.NextNo
	m.NextNo++
	r.STAN = m.TakeSTAN()
	r.Batch = m.Batch
	r.Trail = []Step{{State: r.State, At: r.Time}}
	numberAdvices(m, &r)
	if r.State == Approved {
		m.Totals.add(r)
	}
	forget(&r)
	return r, nil
}

// Change is what a move alters in a record besides its state. It must not touch what identifies the transaction.
type Change func(*Record)

// move applies a change of state. Pure but for m.
func move(m *Meta, old Record, to State, why string, at time.Time, change Change) (Record, error) {
	if !Allowed(old.State, to) {
		return Record{}, &MoveError{old.No, old.State, to}
	}
	r, err := alter(m, old, change)
	if err != nil {
		return Record{}, err
	}
	r.State = to
	if to != old.State {
		r.Trail = append(append([]Step(nil), old.Trail...), Step{to, at, why})
	}
	if to == Approved {
		m.Totals.add(r)
	}
	forget(&r)
	return r, nil
}

// forget takes the card number away when no host is owed a message that needs it.
func forget(r *Record) {
	if r.Card != nil && r.State != Sent && r.State != Undoing && !r.OwedAdvice() {
		r.Card.Sealed = nil
	}
}

// alter applies a change that leaves the state as it is (a copy printed, the operator told, an advice answered). Pure but for m.
func alter(m *Meta, old Record, change Change) (Record, error) {
	r := old.clone()
	if change != nil {
		change(&r)
	}
	if r.No != old.No || r.Version != old.Version || r.Kind != old.Kind || r.STAN != old.STAN || r.Batch != old.Batch || r.Amount != old.Amount || r.State != old.State ||
		(r.Wallet != nil && r.Wallet.Order != old.Wallet.Order) {
		return Record{}, fmt.Errorf("%w: a change may not alter what identifies record %d", ErrRecord, old.No)
	}
	if err := checkAdvices(old, r); err != nil {
		return Record{}, err
	}
	numberAdvices(m, &r)
	forget(&r)
	return r, nil
}

func (r Record) clone() Record {
	if r.Card != nil {
		c := *r.Card
		r.Card = &c
	}
	if r.Wallet != nil {
		w := *r.Wallet
		r.Wallet = &w
	}
	r.Trail = append([]Step(nil), r.Trail...)
	r.Advices = slices.Clone(r.Advices)
	return r
}

func (t *Totals) add(r Record) {
	switch r.Kind {
	case CardSale:
		t.CardCount++
		t.CardMinor += r.Amount.Minor
	case WalletSale:
		t.WalletCount++
		t.WalletMinor += r.Amount.Minor
	}
}

// Fold computes the totals of a batch from its records. The stored totals must always equal it.
func Fold(records []Record, batch uint32) Totals {
	var t Totals
	for _, r := range records {
		if r.Batch == batch && r.State == Approved {
			t.add(r)
		}
	}
	return t
}
