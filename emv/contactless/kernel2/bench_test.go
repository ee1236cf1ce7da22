package kernel2

import (
	"bytes"
	"context"
	"testing"

	"posd/emv/contactless"
)

// replay answers as a card has answered before.
type replay struct {
	answers [][]byte
	next    int
}

func (r *replay) Transceive(context.Context, []byte) ([]byte, error) {
	r.next++
	return r.answers[r.next-1], nil
}

type recorder struct {
	card contactless.Card
	r    *replay
}

func (r recorder) Transceive(ctx context.Context, c []byte) ([]byte, error) {
	a, err := r.card.Transceive(ctx, c)
	r.r.answers = append(r.r.answers, bytes.Clone(a))
	return a, err
}

// BenchmarkTap is the kernel's own work for one presentation of a card.
func BenchmarkTap(b *testing.B) {
	for name, with := range map[string]func(*bed){
		"CDA":       func(*bed) {},
		"unsigned":  func(b *bed) { b.card.aip = "1880" },
		"magstripe": mag(),
	} {
		b.Run(name, func(b *testing.B) {
			bd := newBed(b)
			with(bd)
			bd.k = New(bd.opt)
			bd.act.UI = func(contactless.UIRequest) {}
			bd.act.Combination = &contactless.Combination{AID: unhex("A000000004"), Kernel: ID, Data: bd.data}
			bd.act.FCI = bd.card.fciBytes()
			bd.act.Transaction.Amount.Minor = bd.amount
			r := &replay{}
			if _, err := bd.k.Activate(b.Context(), recorder{bd.card, r}, &bd.act); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				r.next = 0
				out, err := bd.k.Activate(b.Context(), r, &bd.act)
				if err != nil || out.Status != contactless.OnlineRequest {
					b.Fatal(brief(out), err)
				}
			}
		})
	}
}
