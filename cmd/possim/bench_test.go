package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"posd/internal/money"
	"posd/journal"
	"posd/sim/world"
)

// processUsage is what a process and its ended children have used: CPU time from /proc/PID/stat, memory from /proc/PID/status.
func processUsage(b *testing.B, pid int) (cpu time.Duration, peakKiB int64) {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest) // from field 3 on; utime stime cutime cstime are fields 14 to 17, in ticks of 10 ms (proc(5))
	for _, s := range f[11:15] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		cpu += time.Duration(n) * 10 * time.Millisecond
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			if _, err := fmt.Sscan(v, &peakKiB); err != nil {
				b.Fatal(err)
			}
		}
	}
	return cpu, peakKiB
}

func benchWorld(b *testing.B, records int) *world.World {
	b.Helper()
	w, err := world.New(world.Options{Posd: posdBinary, Fast: true, Timeouts: map[string]int{"result": 1, "tear": 1}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.Close(); err != nil {
			b.Error(err)
		}
	})
	if records > 0 {
		data := filepath.Join(w.Dir(), "data")
		if err := os.MkdirAll(data, 0o700); err != nil {
			b.Fatal(err)
		}
		err := journal.Restore(filepath.Join(data, "journal.db"), func(yield func(journal.Record) bool) {
			for i := range records {
				if !yield(journal.Record{
					Version: 1, No: uint64(i + 1), Kind: journal.CardSale, State: journal.Approved, STAN: uint32(i + 1), Batch: 1, Amount: money.Yuan(int64(i + 1)),
					Operator: "01", Card: &journal.Card{MaskedPAN: "622202******3440", Entry: "chip", Label: "UNIONPAY DEBIT", Cryptogram: "0102030405060708"},
					Printed: journal.Prints{Merchant: true, Customer: true}, Told: true, Trail: []journal.Step{{State: journal.Sent}, {State: journal.Approved}},
				}) {
					return
				}
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return w
}

func play(b *testing.B, w *world.World, steps ...string) {
	b.Helper()
	for _, s := range steps {
		f := strings.Fields(s)
		if _, err := w.Do(context.Background(), f[0], f[1:]); err != nil {
			b.Fatalf("%s: %v\n%s", s, err, lastWords(w))
		}
	}
}

// BenchmarkStart switches a terminal on whose journal holds 20,000 records, until the idle screen. The budget is 0.5 s of CPU.
func BenchmarkStart(b *testing.B) {
	w := benchWorld(b, 20000)
	var cpu time.Duration
	var peak int64
	for b.Loop() {
		if err := w.PowerOn(); err != nil {
			b.Fatal(err)
		}
		play(b, w, "wait screen=idle timeout=60s")
		c, p := processUsage(b, w.PID())
		cpu, peak = cpu+c, max(peak, p)
		play(b, w, "power cut")
	}
	b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/start")
	b.ReportMetric(float64(peak)/1024, "MiB-peak")
}

// BenchmarkChipSale sells to a chip card with DDA and PIN, both copies printed, on devices without the delays of real ones.
func BenchmarkChipSale(b *testing.B) {
	w := benchWorld(b, 0)
	if err := w.PowerOn(); err != nil {
		b.Fatal(err)
	}
	play(b, w, "wait screen=idle timeout=60s")
	before, _ := processUsage(b, w.PID())
	for b.Loop() {
		play(b, w, "amount 1.00", "press enter", "wait screen=method", "press 1", "wait screen=insert timeout=20s", "insert unionpay-debit",
			"wait pinpad=waiting timeout=20s", "type 123456", "press enter", "wait screen=tear timeout=60s", "press enter",
			"wait screen=take-card timeout=20s", "remove", "wait screen=idle timeout=20s", "tear")
	}
	cpu, peak := processUsage(b, w.PID())
	b.ReportMetric(float64((cpu-before).Milliseconds())/float64(b.N), "cpu-ms/sale")
	b.ReportMetric(float64(peak)/1024, "MiB-peak")
}
