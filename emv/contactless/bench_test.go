package contactless

import (
	"context"
	"testing"
	"time"
)

// quick is a card, antenna, kernel and display that take no time and allocate nothing.
type quick struct {
	ppse, fci []byte
	between   time.Duration // of the Entry Point, from an answer to the next command or to the kernel
	last      time.Time
	n         int
	out       Outcome
	timed     bool
}

func (q *quick) Transceive(_ context.Context, capdu []byte) ([]byte, error) {
	q.mark()
	r := q.fci
	if len(capdu) == 20 {
		r = q.ppse
	}
	if q.timed {
		q.last = time.Now()
	}
	return r, nil
}

func (q *quick) mark() {
	if q.timed && !q.last.IsZero() {
		q.between += time.Since(q.last)
		q.n++
	}
}

func (q *quick) Activate(context.Context) (Card, error)   { q.last = time.Time{}; return q, nil }
func (q *quick) Off(context.Context, time.Duration) error { return nil }
func (q *quick) WaitRemoved(context.Context) error        { return nil }
func (q *quick) Show(UIRequest)                           {}

type quickKernel struct{ *quick }

func (quickKernel) ID() KernelID { return 3 }

func (k quickKernel) Activate(context.Context, Card, *Activation) (Outcome, error) {
	k.mark()
	return k.out, nil
}

func bench(b *testing.B, timed bool) *quick {
	d := newDesk(b)
	card := visaCard()
	q := &quick{ppse: append(card.ppse, 0x90, 0), fci: append(card.files[visa], 0x90, 0), out: approved(), timed: timed}
	d.cfg.Combinations = d.cfg.Combinations[:1]
	e := New(d.cfg, quickKernel{q})
	b.ReportAllocs()
	for b.Loop() {
		if r, err := e.Run(b.Context(), q, d.tx, q); err != nil || r.Status != Approved {
			b.Fatal(err)
		}
	}
	return q
}

// BenchmarkTap is all of the Entry Point's own time in one tap, the result included.
func BenchmarkTap(b *testing.B) { bench(b, false) }

// BenchmarkBetweenExchanges is its time from an answer of the card to the next command, or to the kernel.
func BenchmarkBetweenExchanges(b *testing.B) {
	q := bench(b, true)
	b.ReportMetric(float64(q.between.Nanoseconds())/float64(q.n), "ns/exchange")
}

func BenchmarkPPSE(b *testing.B) {
	fci := ppseOf(entry61(visa, priority(1)), entry61(unionPay, priority(2)), entry61(master, priority(3)))
	b.ReportAllocs()
	for b.Loop() {
		if len(parsePPSE(fci)) != 3 {
			b.Fatal("entries")
		}
	}
}
