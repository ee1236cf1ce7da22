package journal

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// Restore makes a journal file out of records, oldest first, as a backup holds them. The file must not exist: a journal is never
// overwritten. Counters continue behind the highest numbers, with a gap in the record numbers, because the lost terminal may
// have used more than the backup knows.
func Restore(path string, records iter.Seq[Record]) error {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("journal: restore: %s exists", path)
	}
	target := path + ".new"
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := create(target, 256<<20); err != nil {
		return err
	}
	db, err := openBolt(target, 256<<20)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		m := NewMeta()
		var last Record
		var open []Record
		for r := range records {
			switch {
			case r.Version < 1 || r.Version > version:
				return fmt.Errorf("%w: record %d has version %d", ErrVersion, r.No, r.Version)
			case r.No <= last.No || r.State == "" || allowed[r.State] == nil || (r.Card == nil) == (r.Wallet == nil):
				return fmt.Errorf("%w: record %d after %d", ErrRecord, r.No, last.No)
			}
			if r.Batch != last.Batch {
				open = open[:0]
			}
			if open, last = append(open, Record{Kind: r.Kind, Batch: r.Batch, State: r.State, Amount: r.Amount}), r; r.STAN > MaxSTAN || r.Batch > MaxBatch {
				return fmt.Errorf("%w: record %d has trace number %d, batch %d", ErrRecord, r.No, r.STAN, r.Batch)
			}
			if err := putRecord(tx, r); err != nil {
				return err
			}
		}
		if last.No > 0 {
			m = Meta{NextNo: last.No + restoreGap, NextSTAN: (last.STAN+restoreGap-1)%MaxSTAN + 1, Batch: last.Batch, Totals: Fold(open, last.Batch)}
		}
		return putMeta(tx, m)
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return errors.Join(fmt.Errorf("journal: restore: %w", err), os.Remove(target))
	}
	if err := os.Rename(target, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// restoreGap is how many numbers are left out after a restore.
const restoreGap = 1000
