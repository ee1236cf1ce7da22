package money

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestWritten(t *testing.T) {
	for _, c := range []struct {
		a             Amount
		major, people string
	}{
		{Yuan(0), "0.00", "¥0.00"},
		{Yuan(1), "0.01", "¥0.01"},
		{Yuan(123456), "1234.56", "¥1,234.56"},
		{Yuan(100000000), "1000000.00", "¥1,000,000.00"},
		{Yuan(-5), "-0.05", "-¥0.05"},
		{Amount{1200, JPY}, "1200", "JP¥1,200"},
		{Amount{150, 978}, "1.50", "978 1.50"},
		{Yuan(math.MinInt64), "-92233720368547758.08", "-¥92,233,720,368,547,758.08"},
	} {
		if got := c.a.Major(); got != c.major {
			t.Errorf("Major(%+v) = %q, want %q", c.a, got, c.major)
		}
		if got := c.a.String(); got != c.people {
			t.Errorf("String(%+v) = %q, want %q", c.a, got, c.people)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", ".", "1.", ".5", "1e3", "0.001", "1.5", "+1.00", " 1.00", "1.00 ", "--1.00", "１.00", "92233720368547758.08", "0x10.00", "1,000.00"} {
		if a, err := Parse(s, CNY); !errors.Is(err, ErrAmount) {
			t.Errorf("Parse(%q) = %+v, %v; want ErrAmount", s, a, err)
		}
	}
	if _, err := Parse("12.0", JPY); !errors.Is(err, ErrAmount) {
		t.Errorf("yen with a fraction: %v", err)
	}
}

func TestParseUndoesMajor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Amount{rapid.Int64Range(-math.MaxInt64, math.MaxInt64).Draw(t, "minor"), rapid.SampledFrom([]Currency{CNY, JPY, HKD}).Draw(t, "currency")}
		b, err := Parse(a.Major(), a.Currency)
		if err != nil || a != b {
			t.Fatalf("Parse(%q) = %+v, %v; want %+v", a.Major(), b, err, a)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("12.34")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s, CNY)
		if err != nil {
			return
		}
		if b, err := Parse(a.Major(), CNY); err != nil || a != b {
			t.Fatalf("%q -> %+v -> %q -> %+v, %v", s, a, a.Major(), b, err)
		}
	})
}
