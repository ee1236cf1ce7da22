package emv

import (
	"testing"
)

// benchmark replays a tape that was recorded once: it measures the terminal, not the card.
func benchmark(b *testing.B, change func(*chip)) {
	c := newChip()
	change(c)
	rec := &recorder{card: c}
	k := New(testConfig())
	host := HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: unhex("910A 11223344556677883030")}
	run := func(card Card) *Session {
		s, err := k.Start(b.Context(), card, testRequest(), &person{})
		if err != nil {
			b.Fatal(err)
		}
		if out, err := s.Complete(b.Context(), host); out != Approved || err != nil {
			b.Fatal(out, err)
		}
		return s
	}
	if s := run(rec); s.tvr[0] != 0 {
		b.Fatalf("TVR %X", s.tvr)
	}
	b.ReportMetric(float64(len(c.log)), "apdus")
	b.ReportAllocs()
	for b.Loop() {
		run(&tape{rec.tape, 1000})
	}
}

// BenchmarkDDA is a full online transaction with DDA, three keys of 1984 bits.
func BenchmarkDDA(b *testing.B) {
	benchmark(b, func(c *chip) { c.aip, c.icc = aipForDDA, "icc1984" })
}

// BenchmarkCDA is a full online transaction with CDA and two signatures.
func BenchmarkCDA(b *testing.B) { benchmark(b, func(*chip) {}) }

// BenchmarkNoODA shows what is left without RSA.
func BenchmarkNoODA(b *testing.B) {
	c := newChip()
	c.ca, c.aip = "", "1C00"
	rec := &recorder{card: c}
	k := New(testConfig())
	if _, err := k.Start(b.Context(), rec, testRequest(), &person{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Start(b.Context(), &tape{rec.tape, 1000}, testRequest(), &person{}); err != nil {
			b.Fatal(err)
		}
	}
}
