package kernel7

import (
	"context"
	"testing"
	"time"
)

// player replays the answers of a card and measures what the terminal needs between them.
type player struct {
	answers [][]byte
	next    int
	left    time.Time
	longest time.Duration
}

func (p *player) Transceive(context.Context, []byte) ([]byte, error) {
	if !p.left.IsZero() {
		p.longest = max(p.longest, time.Since(p.left))
	}
	a := p.answers[p.next]
	p.next++
	p.left = time.Now()
	return a, nil
}

// BenchmarkTap is a tap of each kind, with a card that takes no time. "between" is the longest time of the terminal between two exchanges
// of a tap, on average: what the cardholder holds his card for; the signature is verified afterwards.
func BenchmarkTap(b *testing.B) {
	for _, k := range []struct {
		name   string
		cfg    Config
		change []func(*card)
	}{
		{"online", Config{}, nil},
		{"online, phone", Config{}, []func(*card){ctq("0080")}},
		{"online, no PIN by QPS", qps, []func(*card){ctq("8000")}},
		{"offline, fDDA 1152", Config{}, []func(*card){tc, func(c *card) { c.icc = "icc1152" }}},
		{"purse", cash, []func(*card){purse}},
	} {
		b.Run(k.name, func(b *testing.B) {
			raw := record(b, k.cfg, k.change...)
			var answers [][]byte
			for len(raw) > 0 {
				n := int(raw[0])
				answers = append(answers, raw[1:1+n])
				raw = raw[1+n:]
			}
			c, bn := newCard(), newBench(k.cfg)
			cards(k.change...)(c)
			bn.k.cfg.Explain = nil
			a := bn.a
			a.ADF, a.FCI = unhex(c.aid), c.fci()
			var sum time.Duration
			taps := 0
			b.ReportAllocs()
			for b.Loop() {
				bn.shown = bn.shown[:0]
				p := &player{answers: answers}
				out, err := bn.k.Activate(b.Context(), p, &a)
				if err != nil || out.Status != approved && out.Status != online {
					b.Fatal(out.Status, err)
				}
				sum += p.longest
				taps++
			}
			b.ReportMetric(float64(sum.Microseconds())/float64(taps), "µs-between")
			b.ReportMetric(float64(len(answers)), "apdus")
		})
	}
}
