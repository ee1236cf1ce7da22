// Package money holds amounts: an integer of minor units (fen) with an ISO 4217 currency.
//
// There is no floating point anywhere on the money path. A string form exists for people (Text) and for hosts that want
// "12.34" (Major); both are derived from the integer and parse back to it.
package money

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Currency is an ISO 4217 numeric code, for example 156.
type Currency uint16

// Currencies the terminal knows how to write.
const (
	CNY Currency = 156
	HKD Currency = 344
	USD Currency = 840
	JPY Currency = 392
)

type currencyInfo struct {
	alpha    string
	symbol   string
	exponent int
}

// ISO 4217 list one: alphabetic code and number of minor-unit digits.
var currencies = map[Currency]currencyInfo{
	CNY: {"CNY", "¥", 2},
	HKD: {"HKD", "HK$", 2},
	USD: {"USD", "$", 2},
	JPY: {"JPY", "JP¥", 0},
}

// ErrAmount is wrapped by every error about a malformed or impossible amount.
var ErrAmount = errors.New("money: bad amount")

// Known tells whether the terminal can write amounts in c.
func (c Currency) Known() bool { _, ok := currencies[c]; return ok }

// Exponent is the number of digits of the minor unit; 2 for an unknown currency.
func (c Currency) Exponent() int {
	if i, ok := currencies[c]; ok {
		return i.exponent
	}
	return 2
}

// Symbol is the sign written before an amount, or the alphabetic or numeric code where there is none.
func (c Currency) Symbol() string {
	if i, ok := currencies[c]; ok {
		return i.symbol
	}
	return fmt.Sprintf("%03d ", uint16(c))
}

// String is the alphabetic code, or the numeric one of a currency that is not known.
func (c Currency) String() string {
	if i, ok := currencies[c]; ok {
		return i.alpha
	}
	return fmt.Sprintf("%03d", uint16(c))
}

// Amount is a sum of money in minor units of its currency.
type Amount struct {
	Minor    int64    `json:"minor"`
	Currency Currency `json:"currency"`
}

// Yuan returns an amount of renminbi given in fen.
func Yuan(fen int64) Amount { return Amount{fen, CNY} }

// Major writes the amount in major units without symbol or grouping: "1234.56". This is the form of wallet gateways.
func (a Amount) Major() string {
	exp := a.Currency.Exponent()
	neg, digits := "", a.Minor
	u := uint64(digits)
	if digits < 0 {
		neg, u = "-", uint64(-(digits+1))+1 // math.MinInt64 has no positive counterpart
	}
	s := fmt.Sprintf("%0*d", exp+1, u)
	if exp == 0 {
		return neg + s
	}
	return neg + s[:len(s)-exp] + "." + s[len(s)-exp:]
}

// String writes the amount for a person: "¥1,234.56".
func (a Amount) String() string {
	m := a.Major()
	neg := strings.HasPrefix(m, "-")
	m = strings.TrimPrefix(m, "-")
	whole, frac, has := strings.Cut(m, ".")
	var b strings.Builder
	if neg {
		b.WriteByte('-')
	}
	b.WriteString(a.Currency.Symbol())
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	if has {
		b.WriteByte('.')
		b.WriteString(frac)
	}
	return b.String()
}

// Parse reads the form that Major writes: an optional minus sign, one or more digits, and either no fraction or exactly as many
// fraction digits as the currency has. "1.", ".5", "1e3", "+1", "1.234" and blanks are errors that wrap ErrAmount.
func Parse(s string, c Currency) (Amount, error) {
	fail := func(why string) (Amount, error) { return Amount{}, fmt.Errorf("%w: %.32q %s", ErrAmount, s, why) }
	rest, neg := strings.CutPrefix(s, "-")
	whole, frac, has := strings.Cut(rest, ".")
	exp := c.Exponent()
	switch {
	case whole == "":
		return fail("has no whole digits")
	case has && len(frac) != exp, has && exp == 0:
		return fail(fmt.Sprintf("must have %d fraction digits", exp))
	case !has:
		frac = strings.Repeat("0", exp)
	}
	var v int64
	for _, r := range whole + frac {
		if r < '0' || r > '9' {
			return fail("is not a number")
		}
		if v > (math.MaxInt64-int64(r-'0'))/10 {
			return fail("is too large")
		}
		v = v*10 + int64(r-'0')
	}
	if neg {
		v = -v
	}
	return Amount{v, c}, nil
}
