package journal

import (
	"errors"
	"fmt"
	"maps"
	"sort"
	"time"
)

// Memory is a journal without a file: the same rules on a map. Tests of flows use it to cut the power before and after each durable
// step; the store's own tests hold the two against each other.
type Memory struct {
	// Cut is called with false before and with true after each step becomes durable. It may panic to play a power cut: what was
	// durable stays. nil does nothing.
	Cut func(durable bool)
	Now func() time.Time
	// Fail is asked before each step, with the record as it was before (a zero one where none is changed), how the storage fails at it.
	// After a failure every step fails until Reopen. nil never fails.
	Fail func(old Record) Failure

	meta    Meta
	records map[uint64]Record
	commits int64
	broken  bool
	before  *Memory // what a power cut leaves of a step that failed late
}

// Failure is a way in which storage fails at a durable step.
type Failure uint8

// The ways to fail. Either way the step returns ErrStorage.
const (
	Works  Failure = iota
	Fails          // nothing is written, as on a full disk
	Doubts         // written, but not known to be durable, as after a failed sync: it is read, and lost when the power goes before the next step
)

// NewMemory returns an empty journal.
func NewMemory() *Memory {
	return &Memory{Now: time.Now, meta: NewMeta(), records: map[uint64]Record{}}
}

func (m *Memory) commit(old Record, f func(*Meta) (Record, error)) (Record, error) {
	if err := m.Healthy(); err != nil {
		return Record{}, err
	}
	meta := m.meta
	r, err := f(&meta)
	if err != nil {
		return Record{}, err
	}
	how := Works
	if m.Fail != nil {
		how = m.Fail(old)
	}
	if m.broken = how != Works; m.broken {
		if how == Doubts {
			m.before = &Memory{meta: m.meta, records: maps.Clone(m.records)}
			m.write(meta, r)
		}
		return Record{}, m.Healthy()
	}
	if m.Cut != nil {
		m.Cut(false)
	}
	m.write(meta, r)
	m.before = nil
	m.commits++
	if m.Cut != nil {
		m.Cut(true)
	}
	return r, nil
}

func (m *Memory) write(meta Meta, r Record) {
	m.meta = meta
	if r.No != 0 {
		m.records[r.No] = r.clone()
	}
}

// Reopen opens the journal again after its storage failed.
func (m *Memory) Reopen() { m.broken = false }

// PowerLost takes away what was written and never known to be durable, and opens the journal again.
func (m *Memory) PowerLost() {
	if m.before != nil {
		m.meta, m.records, m.before = m.before.meta, m.before.records, nil
	}
	m.Reopen()
}

// Durable is a record as a power cut would leave it: what is shown and printed may rest on nothing else.
func (m *Memory) Durable(no uint64) Record {
	if m.before != nil {
		m = m.before
	}
	return m.records[no].clone()
}

// Probe is Store.Probe.
func (m *Memory) Probe() error {
	_, err := m.commit(Record{}, func(*Meta) (Record, error) { return Record{}, nil })
	return err
}

// Begin is Store.Begin.
func (m *Memory) Begin(r Record) (Record, error) {
	return m.commit(Record{}, func(meta *Meta) (Record, error) { return begin(meta, r.clone()) })
}

// Move is Store.Move.
func (m *Memory) Move(no uint64, to State, why string, change Change) (Record, error) {
	old, err := m.Get(no)
	if err != nil {
		return Record{}, err
	}
	return m.commit(old, func(meta *Meta) (Record, error) { return move(meta, old, to, why, m.Now(), change) })
}

// Note is Store.Note.
func (m *Memory) Note(no uint64, change Change) (Record, error) {
	old, err := m.Get(no)
	if err != nil {
		return Record{}, err
	}
	return m.commit(old, func(meta *Meta) (Record, error) { return alter(meta, old, change) })
}

// TakeSTAN is Store.TakeSTAN.
func (m *Memory) TakeSTAN() (uint32, error) {
	var n uint32
	_, err := m.commit(Record{}, func(meta *Meta) (Record, error) { n = meta.TakeSTAN(); return Record{}, nil })
	return n, err
}

// AdoptBatch is Store.AdoptBatch.
func (m *Memory) AdoptBatch(batch uint32) (bool, error) {
	if batch < 1 || batch > MaxBatch {
		return false, ErrRecord
	}
	if last, err := m.Last(nil); err == nil && last.Batch == m.meta.Batch && batch != m.meta.Batch {
		return false, nil
	}
	_, err := m.commit(Record{}, func(meta *Meta) (Record, error) { meta.Batch = batch; return Record{}, nil })
	return err == nil, err
}

// Owed is Store.Owed.
func (m *Memory) Owed() ([]Record, error) {
	var out []Record
	for _, r := range m.all() {
		if len(Debts(r)) > 0 {
			out = append(out, r)
		}
	}
	return out, nil
}

// Get is Store.Get.
func (m *Memory) Get(no uint64) (Record, error) {
	r, ok := m.records[no]
	if !ok {
		return Record{}, ErrNotFound
	}
	return r.clone(), nil
}

// Last is Store.Last.
func (m *Memory) Last(keep func(Record) bool) (Record, error) {
	all := m.all()
	for i := len(all) - 1; i >= 0; i-- {
		if keep == nil || keep(all[i]) {
			return all[i], nil
		}
	}
	return Record{}, ErrNotFound
}

// Each is Store.Each.
func (m *Memory) Each(f func(Record) error) error {
	var err error
	for _, r := range m.all() {
		err = errors.Join(err, f(r))
	}
	return err
}

// Meta is Store.Meta.
func (m *Memory) Meta() (Meta, error) { return m.meta, nil }

// Healthy is Store.Healthy.
func (m *Memory) Healthy() error {
	if m.broken {
		return fmt.Errorf("%w: the simulated storage does not write", ErrStorage)
	}
	return nil
}

// Commits is Store.Commits.
func (m *Memory) Commits() int64 { return m.commits }

func (m *Memory) all() []Record {
	out := make([]Record, 0, len(m.records))
	for _, r := range m.records {
		out = append(out, r.clone())
	}
	sort.Slice(out, func(i, j int) bool { return out[i].No < out[j].No })
	return out
}
