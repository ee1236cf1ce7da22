package qrpay

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func published() Contract {
	return Contract{
		Currency: 156, MaxAmount: maxAmount, MinInstalment: 1, Payers: []Payer{PayerBuyer, PayerSeller},
		Periods: []Period{{3, 23000, 18000}, {6, 45000, 45000}, {12, 75000, 75000}},
	}
}

// The computed vectors for the published example rates: fee, principal each, fee each, principal remainder, fee remainder.
func TestPlanVectors(t *testing.T) {
	for _, v := range []struct {
		amount                                                 int64
		periods                                                int
		fee, principal, feeEach, each, principalLeft, feeSpare int64
	}{
		{100000, 3, 2300, 33333, 766, 34099, 1, 2},
		{100000, 6, 4500, 16666, 750, 17416, 4, 0},
		{100000, 12, 7500, 8333, 625, 8958, 4, 0},
		{10050, 3, 231, 3350, 77, 3427, 0, 0},
	} {
		plans, err := Plans(v.amount, published(), PayerBuyer)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range plans {
			if p.Periods != v.periods {
				continue
			}
			want := Plan{
				Periods: v.periods, Payer: PayerBuyer, RatePPM: p.RatePPM, Amount: v.amount, Fee: v.fee,
				First: v.each + v.principalLeft + v.feeSpare, Each: v.each, EachFee: v.feeEach, FirstFee: v.feeEach + v.feeSpare,
				BuyerTotal: v.amount + v.fee, SellerNet: v.amount,
			}
			if d := cmp.Diff(want, p); d != "" {
				t.Errorf("%d fen in %d: -want +got\n%s", v.amount, v.periods, d)
			}
		}
	}
}

func TestPlanOfSeller(t *testing.T) {
	plans, err := Plans(100000, published(), PayerSeller)
	if err != nil {
		t.Fatal(err)
	}
	want := Plan{
		Periods: 3, Payer: PayerSeller, RatePPM: 18000, Amount: 100000, Fee: 1800, First: 33334, Each: 33333,
		BuyerTotal: 100000, SellerNet: 98200,
	}
	if d := cmp.Diff(want, plans[0]); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestHalfEven(t *testing.T) {
	for _, v := range []struct{ amount, ppm, want int64 }{
		{10050, 23000, 231},   // 231.15
		{500, 45000, 22},      // 22.5 down to even
		{700, 45000, 32},      // 31.5 up to even
		{1500, 1000, 2},       // 1.5
		{2500, 1000, 2},       // 2.5
		{1, 500000, 0},        // 0.5
		{3, 500000, 2},        // 1.5
		{2500001, 1000, 2500}, // just above a half would be 2500.001
		{math.MaxInt64, million, math.MaxInt64},
	} {
		if got, err := halfEven(v.amount, v.ppm); err != nil || got != v.want {
			t.Errorf("halfEven(%d, %d) = %d, %v; want %d", v.amount, v.ppm, got, err, v.want)
		}
	}
}

func TestPlansRefuse(t *testing.T) {
	c := published()
	for _, a := range []int64{0, -1, math.MinInt64} {
		if _, err := Plans(a, c, PayerBuyer); !errors.Is(err, ErrPlanAmount) {
			t.Errorf("amount %d: %v", a, err)
		}
	}
	c.Payers = []Payer{PayerSeller}
	if _, err := Plans(100000, c, PayerBuyer); !errors.Is(err, ErrPayer) {
		t.Errorf("payer that is not offered: %v", err)
	}
	if _, err := Plans(100000, c, 0); !errors.Is(err, ErrPayer) {
		t.Errorf("no payer: %v", err)
	}
	c = published()
	c.MinInstalment = 10000
	for a, n := range map[int64]int{9999: 0, 10000: 3, maxAmount: 3, maxAmount + 1: 0} {
		if p, err := Plans(a, c, PayerBuyer); err != nil || len(p) != n {
			t.Errorf("amount %d: %d plans, %v; want %d", a, len(p), err, n)
		}
	}
	if p, _ := Plans(5, published(), PayerBuyer); len(p) != 1 || p[0].Periods != 3 {
		t.Errorf("5 fen cannot be split into 6 instalments: %+v", p)
	}
	c = published()
	c.MaxAmount = 0
	if _, err := Plans(math.MaxInt64, c, PayerBuyer); !errors.Is(err, ErrPlanAmount) {
		t.Errorf("overflow: %v", err)
	}
}

func TestPlansAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Contract{Payers: []Payer{PayerBuyer, PayerSeller}, Periods: []Period{{
			rapid.IntRange(2, maxPeriods).Draw(t, "n"), rapid.Int64Range(0, million/2-1).Draw(t, "buyer"), rapid.Int64Range(0, million/2-1).Draw(t, "seller"),
		}}}
		amount := rapid.OneOf(rapid.Int64Range(1, 10_000_000), rapid.Int64Range(1, math.MaxInt64)).Draw(t, "amount")
		payer := rapid.SampledFrom(c.Payers).Draw(t, "payer")
		plans, err := Plans(amount, c, payer)
		if err != nil {
			if amount < math.MaxInt64/2 {
				t.Fatalf("%d: %v", amount, err)
			}
			return
		}
		for _, p := range plans {
			sum := new(big.Int).Mul(big.NewInt(p.Each), big.NewInt(int64(p.Periods-1)))
			sum.Add(sum, big.NewInt(p.First))
			if sum.Cmp(big.NewInt(p.BuyerTotal)) != 0 {
				t.Fatalf("instalments add up to %s: %+v", sum, p)
			}
			if p.Fee < 0 || p.Each < 1 || p.First < p.Each || p.First-p.Each >= 2*int64(p.Periods) {
				t.Fatalf("lopsided: %+v", p)
			}
			if p.BuyerTotal-p.SellerNet != p.Fee || p.BuyerTotal < amount || p.SellerNet > amount {
				t.Fatalf("the fee is lost: %+v", p)
			}
			feeShares := p.FirstFee + p.EachFee*int64(p.Periods-1)
			if payer == PayerBuyer && feeShares != p.Fee || payer == PayerSeller && feeShares != 0 {
				t.Fatalf("fee shares: %+v", p)
			}
			// |fee*1e6 - amount*rate| <= 0.5e6
			off := new(big.Int).Sub(new(big.Int).Mul(big.NewInt(p.Fee), big.NewInt(million)), new(big.Int).Mul(big.NewInt(amount), big.NewInt(p.RatePPM)))
			if off.CmpAbs(big.NewInt(million/2)) > 0 {
				t.Fatalf("fee off by %s millionths: %+v", off, p)
			}
		}
	})
}
