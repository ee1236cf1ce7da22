package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

// Options are the ways to open a store.
type Options struct {
	// Check examines the file before it is mapped into this process, normally in a child process. nil leaves it out.
	Check func(path string) error
	// Now stamps the trail; nil is time.Now.
	Now func() time.Time
	// MaxSize bounds the file in bytes; 0 is 256 MiB.
	MaxSize int
}

// Store is the journal on disk. One goroutine writes; the methods may be called from several.
type Store struct {
	db      *bolt.DB
	now     func() time.Time
	broken  atomic.Pointer[error]
	commits atomic.Int64
}

var (
	bucketRecords = []byte("records")
	bucketOwed    = []byte("owed")
	bucketMeta    = []byte("meta")
	keyMeta       = []byte("meta")
	keyFormat     = []byte("format")
	format        = []byte("posd journal 1")
)

// Open opens or creates the journal. A file that is locked by another process, damaged, of a foreign program or of a newer version is
// refused and left untouched.
func Open(path string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxSize == 0 {
		o.MaxSize = 256 << 20
	}
	fresh := false
	switch fi, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		fresh = true
	case err != nil:
		return nil, fmt.Errorf("journal: %w", err)
	case fi.Size() == 0:
		// bbolt would take an empty file for a new one; but a journal that was there and is empty has lost its records.
		return nil, fmt.Errorf("%w: %s is empty", ErrDamaged, path)
	case o.Check != nil:
		if err := free(path); err != nil {
			return nil, err // not damaged: the examiner would not get at it either
		}
		if err := o.Check(path); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	if fresh {
		if err := create(path, o.MaxSize); err != nil {
			return nil, fmt.Errorf("journal: create %s: %w", path, err)
		}
	}
	db, err := openBolt(path, o.MaxSize)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, now: o.Now}
	if err := s.verify(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// free tells whether no other process holds the file's lock (bbolt locks with flock).
func free(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if cerr := f.Close(); err == nil { // closing gives the lock back
		err = cerr
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%w: %s", ErrInUse, path)
	}
	return err
}

// create makes a new journal under another name and renames it when it is whole, so that a power cut in between cannot leave a half-made
// file that looks like a damaged journal.
func create(path string, maxSize int) error {
	target := path + ".new"
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := openBolt(target, maxSize)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, b := range [][]byte{bucketRecords, bucketOwed, bucketMeta} {
			if _, err := tx.CreateBucket(b); err != nil {
				return err
			}
		}
		if err := tx.Bucket(bucketMeta).Put(keyFormat, format); err != nil {
			return err
		}
		return putMeta(tx, NewMeta())
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Rename(target, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func openBolt(path string, maxSize int) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:        time.Second,
		NoFreelistSync: true, // rebuilt at opening; saves a page at every commit
		FreelistType:   bolt.FreelistMapType,
		MaxSize:        maxSize,
	})
	if err != nil {
		if errors.Is(err, bolterrors.ErrTimeout) {
			return nil, fmt.Errorf("%w: %s", ErrInUse, path)
		}
		if errors.Is(err, bolterrors.ErrInvalid) || errors.Is(err, bolterrors.ErrChecksum) || errors.Is(err, bolterrors.ErrVersionMismatch) {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return nil, fmt.Errorf("journal: open: %w", err)
	}
	return db, nil
}

// verify reads what a start must be sure of: the format, the meta record, and every record that owes something.
func (s *Store) verify() error {
	return s.db.View(func(tx *bolt.Tx) error {
		meta, records, owed := tx.Bucket(bucketMeta), tx.Bucket(bucketRecords), tx.Bucket(bucketOwed)
		if meta == nil || records == nil || owed == nil || !bytes.Equal(meta.Get(keyFormat), format) {
			return fmt.Errorf("%w: not a posd journal", ErrDamaged)
		}
		m, err := getMeta(tx)
		if err != nil {
			return err
		}
		if k, _ := records.Cursor().Last(); k != nil && (len(k) != 8 || binary.BigEndian.Uint64(k) >= m.NextNo) {
			return fmt.Errorf("%w: record number %x is beyond the counter", ErrDamaged, k)
		}
		return owed.ForEach(func(k, _ []byte) error {
			_, err := getRecord(tx, k)
			return err
		})
	})
}

// CheckPages reads every page of a journal file and sees that they make a sound tree: what a start must know before the file is mapped.
// It is meant to run in a process of its own, because a damaged page may make bbolt crash.
func CheckPages(path string) error { return check(path, false) }

// CheckFile is CheckPages, and reads every record: totals and the list of what is owed must agree with them.
func CheckFile(path string) error { return check(path, true) }

func check(path string, records bool) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return fmt.Errorf("journal: check: %w", err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		if !records {
			return nil
		}
		meta, records, owed := tx.Bucket(bucketMeta), tx.Bucket(bucketRecords), tx.Bucket(bucketOwed)
		if meta == nil || records == nil || owed == nil || !bytes.Equal(meta.Get(keyFormat), format) {
			return errors.New("not a posd journal")
		}
		m, err := getMeta(tx)
		if err != nil {
			return err
		}
		var t Totals
		debts := 0
		err = records.ForEach(func(k, _ []byte) error {
			r, err := getRecord(tx, k)
			if err != nil {
				return err
			}
			if r.Batch == m.Batch && r.State == Approved {
				t.add(r)
			}
			if len(Debts(r)) > 0 {
				debts++
				if owed.Get(k) == nil {
					return fmt.Errorf("record %d is missing from the owed list", r.No)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if n := owed.Stats().KeyN; n != debts {
			return fmt.Errorf("owed list has %d entries, records owe %d", n, debts)
		}
		if t != m.Totals {
			return fmt.Errorf("totals %+v do not agree with the records %+v", m.Totals, t)
		}
		return nil
	})
	return errors.Join(err, db.Close())
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// Healthy tells whether the store takes writes: nil, or an error that wraps ErrStorage once a write has failed. The cure is to open the file
// again when the storage is good.
func (s *Store) Healthy() error {
	if p := s.broken.Load(); p != nil {
		return fmt.Errorf("%w: %w", ErrStorage, *p)
	}
	return nil
}

// Probe makes a durable write that changes nothing, to learn whether the storage takes one.
func (s *Store) Probe() error {
	return s.update(func(tx *bolt.Tx, m *Meta) error { return putMeta(tx, *m) })
}

// Commits is the number of durable writes since Open, for the bench.
func (s *Store) Commits() int64 { return s.commits.Load() }

// Begin stores a new record in state Sent and returns it with its numbers. When it returns nil error, the record is durable.
func (s *Store) Begin(r Record) (Record, error) {
	var out Record
	err := s.update(func(tx *bolt.Tx, m *Meta) error {
		var err error
		if out, err = begin(m, r); err != nil {
			return err
		}
		return putRecord(tx, out)
	})
	return out, err
}

// Move changes the state of a record, durably, together with totals and the owed list. why is a short cause for the trail.
func (s *Store) Move(no uint64, to State, why string, change Change) (Record, error) {
	return s.change(no, func(m *Meta, old Record) (Record, error) { return move(m, old, to, why, s.now(), change) })
}

// Note changes a record without changing its state, durably.
func (s *Store) Note(no uint64, change Change) (Record, error) {
	return s.change(no, func(m *Meta, old Record) (Record, error) { return alter(m, old, change) })
}

func (s *Store) change(no uint64, f func(*Meta, Record) (Record, error)) (Record, error) {
	var out Record
	err := s.update(func(tx *bolt.Tx, m *Meta) error {
		old, err := getRecord(tx, key(no))
		if err != nil {
			return err
		}
		if out, err = f(m, old); err != nil {
			return err
		}
		return putRecord(tx, out)
	})
	return out, err
}

// TakeSTAN durably hands out a trace number for a message that has no record (sign-on).
func (s *Store) TakeSTAN() (uint32, error) {
	var n uint32
	err := s.update(func(_ *bolt.Tx, m *Meta) error { n = m.TakeSTAN(); return nil })
	return n, err
}

// AdoptBatch takes over the batch number that the acquirer named at sign-on. It is taken only while the open batch is empty, so that
// a batch never changes its number under the transactions in it; adopted tells whether it was.
func (s *Store) AdoptBatch(batch uint32) (adopted bool, err error) {
	if batch < 1 || batch > MaxBatch {
		return false, fmt.Errorf("%w: batch %d", ErrRecord, batch)
	}
	err = s.update(func(tx *bolt.Tx, m *Meta) error {
		if m.Batch == batch {
			adopted = true
			return nil
		}
		if k, v := tx.Bucket(bucketRecords).Cursor().Last(); k != nil {
			var last struct{ Batch uint32 }
			if err := json.Unmarshal(v, &last); err != nil {
				return fmt.Errorf("%w: record %x: %w", ErrDamaged, k, err)
			}
			if last.Batch == m.Batch {
				return nil
			}
		}
		m.Batch, adopted = batch, true
		return nil
	})
	return adopted, err
}

// Owed returns the records that owe something, oldest first.
func (s *Store) Owed() ([]Record, error) {
	var out []Record
	err := s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketOwed).ForEach(func(k, _ []byte) error {
			r, err := getRecord(tx, k)
			out = append(out, r)
			return err
		})
	})
	return out, err
}

// Get returns a record.
func (s *Store) Get(no uint64) (Record, error) {
	var r Record
	err := s.db.View(func(tx *bolt.Tx) (err error) { r, err = getRecord(tx, key(no)); return err })
	return r, err
}

// Last returns the newest record that keep accepts; ErrNotFound when there is none.
func (s *Store) Last(keep func(Record) bool) (Record, error) {
	var out Record
	err := s.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketRecords).Cursor()
		for k, _ := c.Last(); k != nil; k, _ = c.Prev() {
			r, err := getRecord(tx, k)
			if err != nil {
				return err
			}
			if keep == nil || keep(r) {
				out = r
				return nil
			}
		}
		return ErrNotFound
	})
	return out, err
}

// Each calls f for every record, oldest first, until f returns an error.
func (s *Store) Each(f func(Record) error) error {
	return s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketRecords).ForEach(func(k, _ []byte) error {
			r, err := getRecord(tx, k)
			if err != nil {
				return err
			}
			return f(r)
		})
	})
}

// Meta returns the numbers and totals.
func (s *Store) Meta() (Meta, error) {
	var m Meta
	err := s.db.View(func(tx *bolt.Tx) (err error) { m, err = getMeta(tx); return err })
	return m, err
}

func (s *Store) update(f func(*bolt.Tx, *Meta) error) error {
	if err := s.Healthy(); err != nil {
		return err
	}
	var refused error // f's own error: nothing was written, the store is sound
	err := s.db.Update(func(tx *bolt.Tx) error {
		m, err := getMeta(tx)
		if err != nil {
			refused = err
			return err
		}
		before := m
		if err := f(tx, &m); err != nil {
			refused = err
			return err
		}
		if m != before {
			return putMeta(tx, m)
		}
		return nil
	})
	if err == nil {
		s.commits.Add(1)
		return nil
	}
	if refused != nil {
		return refused
	}
	s.broken.Store(&err)
	return fmt.Errorf("%w: %w", ErrStorage, err)
}

func key(no uint64) []byte { return binary.BigEndian.AppendUint64(nil, no) }

func getRecord(tx *bolt.Tx, k []byte) (Record, error) {
	v := tx.Bucket(bucketRecords).Get(k)
	if v == nil {
		return Record{}, ErrNotFound
	}
	var r Record
	if err := json.Unmarshal(v, &r); err != nil {
		return Record{}, fmt.Errorf("%w: record %x: %w", ErrDamaged, k, err)
	}
	if r.Version > version {
		return Record{}, fmt.Errorf("%w: record %d has version %d", ErrVersion, r.No, r.Version)
	}
	if !bytes.Equal(key(r.No), k) {
		return Record{}, fmt.Errorf("%w: record %x says it is %d", ErrDamaged, k, r.No)
	}
	return r, nil
}

func putRecord(tx *bolt.Tx, r Record) error {
	v, err := json.Marshal(r)
	if err != nil {
		return err
	}
	k := key(r.No)
	records := tx.Bucket(bucketRecords)
	records.FillPercent = 0.95 // keys only grow: full pages, nothing is inserted between
	if err := records.Put(k, v); err != nil {
		return err
	}
	owed := tx.Bucket(bucketOwed)
	if len(Debts(r)) > 0 {
		return owed.Put(k, []byte{1})
	}
	return owed.Delete(k)
}

func getMeta(tx *bolt.Tx) (Meta, error) {
	var m Meta
	b := tx.Bucket(bucketMeta)
	if b == nil {
		return m, fmt.Errorf("%w: no meta bucket", ErrDamaged)
	}
	if err := json.Unmarshal(b.Get(keyMeta), &m); err != nil {
		return m, fmt.Errorf("%w: meta: %w", ErrDamaged, err)
	}
	return m, nil
}

func putMeta(tx *bolt.Tx, m Meta) error {
	v, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(keyMeta, v)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadFile calls f for every record of a journal file, oldest first, without changing it. A running posd holds the file's lock; then the
// records are read from a copy of what is durable at this moment.
func ReadFile(path string, f func(Record) error) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: 100 * time.Millisecond})
	if errors.Is(err, bolterrors.ErrTimeout) {
		copied, cerr := os.CreateTemp("", "posd-journal-*.db")
		if cerr != nil {
			return fmt.Errorf("journal: %w", cerr)
		}
		defer os.Remove(copied.Name())
		whole, cerr := quietRead(path)
		if cerr == nil {
			_, cerr = copied.Write(whole)
		}
		if cerr = errors.Join(cerr, copied.Close()); cerr != nil {
			return fmt.Errorf("journal: %w", cerr)
		}
		db, err = bolt.Open(copied.Name(), 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	s := &Store{db: db, now: time.Now}
	err = s.verify()
	if err == nil {
		err = s.Each(f)
	}
	return errors.Join(err, db.Close())
}

// quietRead reads a file that somebody may be writing: it reads until two readings agree, so that no half-written commit is seen.
func quietRead(path string) ([]byte, error) {
	var last []byte
	for range 20 {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if last != nil && bytes.Equal(b, last) {
			return b, nil
		}
		last = b
	}
	return nil, fmt.Errorf("journal: %s is being written all the time", path)
}
