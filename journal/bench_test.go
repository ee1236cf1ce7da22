package journal

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// written is the number of bytes this process has passed to write(2) and pwrite(2) so far.
func written(b *testing.B) int64 {
	b.Helper()
	f, err := os.Open("/proc/self/io")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var n int64
		if rest, ok := strings.CutPrefix(s.Text(), "wchar: "); ok {
			if _, err := fmt.Sscan(rest, &n); err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	b.Fatal("no wchar in /proc/self/io")
	return 0
}

// BenchmarkCardSale makes the durable steps of a card sale in a journal that holds 20,000 records already: intent, outcome, two copies.
func BenchmarkCardSale(b *testing.B) {
	s := filled(b, 20000)
	defer s.Close()
	before, commits := written(b), s.Commits()
	b.ResetTimer()
	for b.Loop() {
		r, err := s.Begin(card(12345))
		if err != nil {
			b.Fatal(err)
		}
		steps := []func() error{
			func() error {
				_, err := s.Move(r.No, Approved, "", func(r *Record) { r.Card.RRN = "123456789012" })
				return err
			},
			func() error { _, err := s.Note(r.No, func(r *Record) { r.Printed.Merchant = true }); return err },
			func() error {
				_, err := s.Note(r.No, func(r *Record) { r.Printed.Customer, r.Told = true, true })
				return err
			},
		}
		for _, f := range steps {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
	}
	n := float64(b.N)
	b.ReportMetric(float64(s.Commits()-commits)/n, "commits/sale")
	b.ReportMetric(float64(written(b)-before)/n/1024, "KiB-written/sale")
}

// BenchmarkStart opens a journal of 20,000 records and reads what is owed, and examines it as the start of posd does.
func BenchmarkStart(b *testing.B) {
	s := filled(b, 20000)
	path := s.db.Path()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for _, check := range []bool{true, false} {
		name := "open"
		if check {
			name = "examine"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if check {
					if err := CheckPages(path); err != nil {
						b.Fatal(err)
					}
					continue
				}
				s, err := Open(path, Options{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Owed(); err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// filled makes a journal with n settled records.
func filled(b *testing.B, n int) *Store {
	b.Helper()
	path := filepath.Join(b.TempDir(), "j.db")
	if err := Restore(path, settled(n)); err != nil {
		b.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	return s
}
