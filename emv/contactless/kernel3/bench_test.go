package kernel3

import (
	"testing"

	"posd/emv/contactless"
)

// BenchmarkTap is the terminal's own time for one tap: the card's answers are there at once. What the signatures take comes behind the last
// exchange, when the card may have left.
func BenchmarkTap(b *testing.B) {
	for _, c := range []struct {
		name   string
		change func(*try)
	}{
		{"online without records", func(y *try) { y.afl = false }},
		{"online", func(*try) {}},
		{"offline with fDDA", tc},
	} {
		b.Run(c.name, func(b *testing.B) {
			y := newTry(c.change)
			answers := record(y)
			exchanges := len(y.log)
			y.a.UI = func(contactless.UIRequest) {}
			k := New(y.cfg)
			b.ReportAllocs()
			for b.Loop() {
				if o, err := k.Activate(b.Context(), &tape{b: answers}, y.a); err != nil || len(o.DataRecord) == 0 {
					b.Fatal(o.Status, err)
				}
			}
			b.ReportMetric(float64(exchanges), "exchanges")
		})
	}
}
