package qrpay

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxCode is the longest string that is looked at as a payment code.
const MaxCode = 64

// ErrCode is wrapped by every *CodeError.
var ErrCode = errors.New("qrpay: not a payment code")

// CodeError says why a scanned string is not a payment code of a wallet in the contract. It holds no more of the code than its
// first two characters and its length: a payment code is money for a minute.
type CodeError struct {
	Begins  string // first two characters, "" when they are not letters or digits
	Length  int    // in bytes
	Unknown bool   // well formed, but no wallet of the contract has codes like it
}

func (e *CodeError) Error() string {
	if e.Unknown {
		return fmt.Sprintf("qrpay: no wallet in the contract has payment codes of %d digits beginning %s", e.Length, e.Begins)
	}
	return fmt.Sprintf("qrpay: not a payment code: %d bytes beginning %q", e.Length, e.Begins)
}

func (e *CodeError) Unwrap() error { return ErrCode }

// CodeRange is a row of the routing table: codes of these lengths whose first digits lie between From and To belong to Wallet.
type CodeRange struct {
	Wallet  string // "alipay", "wechat", "unionpay"
	From    string // first and last prefix, digits, equally long
	To      string
	Lengths []int // digits
}

// Route says which wallet a scanned payment code belongs to. A code of no row is an error, never a guess.
func (c Contract) Route(code string) (wallet string, err error) {
	bad := &CodeError{Length: len(code), Begins: begins(code)}
	if code == "" || len(code) > MaxCode || !allDigits(code) {
		return "", bad
	}
	for _, r := range c.Codes {
		if r.has(code) {
			return r.Wallet, nil
		}
	}
	bad.Unknown = true
	return "", bad
}

func (r CodeRange) has(code string) bool {
	if len(code) < len(r.From) || !slices.Contains(r.Lengths, len(code)) {
		return false
	}
	p := code[:len(r.From)]
	return r.From <= p && p <= r.To
}

// overlaps tells whether some code would belong to both rows.
func (r CodeRange) overlaps(o CodeRange) bool {
	for _, n := range r.Lengths {
		if slices.Contains(o.Lengths, n) && fill(r.From, "0", n) <= fill(o.To, "9", n) && fill(o.From, "0", n) <= fill(r.To, "9", n) {
			return true
		}
	}
	return false
}

func fill(prefix, with string, n int) string {
	return prefix + strings.Repeat(with, max(0, n-len(prefix)))
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func begins(s string) string {
	s = s[:min(2, len(s))]
	for i := 0; i < len(s); i++ {
		if b := s[i] | 0x20; (s[i] < '0' || s[i] > '9') && (b < 'a' || b > 'z') {
			return ""
		}
	}
	return s
}
