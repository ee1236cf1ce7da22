package qrpay

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"posd/internal/money"
)

// Limits of a contract, from the wallets' published interfaces.
const (
	maxContractFile = 64 << 10
	maxAmount       = 10_000_000_000 // Alipay: total_amount at most 100000000.00 yuan
	maxSubject      = 256            // Alipay: subject, characters
	maxPeriods      = 60
)

// Contract is what the merchant agreed with a wallet. All of it is data: two merchants have two contracts.
type Contract struct {
	Wallet        string         // "alipay"
	Currency      money.Currency //
	Subject       string         // what the buyer reads on the phone
	MaxAmount     int64          // minor units, one order
	Huabei        bool           // Huabei paid in full is offered as a choice of its own
	Payers        []Payer        // who may bear the fee, in the order in which it is offered; empty: no instalments
	MinInstalment int64          // minor units, the least amount that is sold in instalments
	Periods       []Period       // ascending
	QueryPace     time.Duration  // between two queries
	TotalWait     time.Duration  // waiting for the buyer of a scanned code, until the order is cancelled
	ShowWait      time.Duration  // the same for a code that the terminal shows
	OrderLife     time.Duration  // after which the gateway closes an unpaid order by itself; whole minutes
	CancelTries   int            // cancels before the rest is left for later
	Codes         []CodeRange    // which wallet a scanned code belongs to
}

// Period is a number of instalments with the fee rates of the contract, in millionths (2.3 % is 23000).
type Period struct {
	Number    int
	BuyerPPM  int64 // when the buyer bears the fee
	SellerPPM int64 // when the seller does
}

// Offers tells whether instalments with this payer are part of the contract.
func (c Contract) Offers(p Payer) bool { return slices.Contains(c.Payers, p) }

// ContractError is a contract file that may not be used. Line and Column are 0 for what only the whole shows.
type ContractError struct {
	Field        string
	Line, Column int
	Why          string
}

func (e *ContractError) Error() string {
	at := ""
	if e.Line > 0 {
		at = fmt.Sprintf(" (line %d, column %d)", e.Line, e.Column)
	}
	return fmt.Sprintf("qrpay: contract: %s%s: %s", e.Field, at, e.Why)
}

type contractFile struct {
	Wallet        string   `toml:"wallet"`
	Currency      int64    `toml:"currency"`
	Subject       string   `toml:"subject"`
	MaxAmount     int64    `toml:"max_amount"`
	Huabei        bool     `toml:"huabei"`
	FeePayers     []string `toml:"fee_payers"`
	MinInstalment int64    `toml:"min_instalment_amount"`
	QueryPace     string   `toml:"query_pace"`
	TotalWait     string   `toml:"total_wait"`
	ShowWait      string   `toml:"show_wait"`
	OrderLife     string   `toml:"order_life"`
	CancelTries   int64    `toml:"cancel_tries"`
	Period        []struct {
		Number    int64 `toml:"number"`
		BuyerPPM  int64 `toml:"buyer_ppm"`
		SellerPPM int64 `toml:"seller_ppm"`
	} `toml:"period"`
	Code []struct {
		Wallet  string  `toml:"wallet"`
		From    string  `toml:"from"`
		To      string  `toml:"to"`
		Lengths []int64 `toml:"lengths"`
	} `toml:"code"`
}

// LoadContract reads a contract file.
func LoadContract(path string) (Contract, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Contract{}, fmt.Errorf("qrpay: contract: %w", err)
	}
	c, err := ParseContract(b)
	if err != nil {
		return Contract{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// ParseContract reads a contract in TOML. An unknown key, a missing or impossible value and payment code ranges that overlap are
// errors of type *ContractError.
func ParseContract(b []byte) (Contract, error) {
	if len(b) > maxContractFile {
		return Contract{}, &ContractError{Field: "file", Why: fmt.Sprintf("longer than %d bytes", maxContractFile)}
	}
	var f contractFile
	dec := toml.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return Contract{}, tomlError(err)
	}
	r := reader{}
	c := Contract{
		Wallet: f.Wallet, Currency: money.Currency(min(max(f.Currency, 0), 999)), Subject: f.Subject, MaxAmount: f.MaxAmount,
		Huabei: f.Huabei, MinInstalment: f.MinInstalment,
	}
	r.check(slices.Contains(wallets, c.Wallet), "wallet", "must be one of "+strings.Join(wallets, ", "))
	r.check(c.Currency.Known(), "currency", "must be a known ISO 4217 number, 156 for renminbi")
	r.check(goodSubject(c.Subject), "subject", "must be 1 to 256 characters without control characters and / = &")
	r.check(c.MaxAmount >= 1 && c.MaxAmount <= maxAmount, "max_amount", fmt.Sprintf("must be 1 to %d minor units", int64(maxAmount)))
	c.QueryPace = r.duration("query_pace", f.QueryPace, time.Second, 30*time.Second)
	c.TotalWait = r.duration("total_wait", f.TotalWait, c.QueryPace, 10*time.Minute)
	c.ShowWait = r.duration("show_wait", f.ShowWait, c.QueryPace, 10*time.Minute)
	c.OrderLife = r.duration("order_life", f.OrderLife, time.Minute, 24*time.Hour)
	r.check(c.OrderLife%time.Minute == 0, "order_life", "must be whole minutes")
	r.check(c.OrderLife >= max(c.TotalWait, c.ShowWait), "order_life", "must not be shorter than the waits: the gateway would close orders that the terminal still waits for")
	r.check(f.CancelTries >= 1 && f.CancelTries <= 20, "cancel_tries", "must be 1 to 20")
	c.CancelTries = int(min(max(f.CancelTries, 0), 20))
	r.instalments(&c, f)
	r.codes(&c, f)
	if r.err != nil {
		return Contract{}, r.err
	}
	return c, nil
}

var wallets = []string{"alipay", "wechat", "unionpay"}

// reader keeps the first thing that is wrong.
type reader struct{ err error }

func (r *reader) check(ok bool, field, why string) {
	if !ok && r.err == nil {
		r.err = &ContractError{Field: field, Why: why}
	}
}

func (r *reader) duration(field, s string, least, most time.Duration) time.Duration {
	d, err := time.ParseDuration(s)
	r.check(err == nil && d >= least && d <= most, field, fmt.Sprintf("must be a time from %s to %s, like \"5s\"", least, most))
	return d
}

func (r *reader) instalments(c *Contract, f contractFile) {
	for _, s := range f.FeePayers {
		p := map[string]Payer{"buyer": PayerBuyer, "seller": PayerSeller}[s]
		r.check(p != 0, "fee_payers", `must be "buyer", "seller" or both`)
		r.check(!slices.Contains(c.Payers, p), "fee_payers", "names a side twice")
		c.Payers = append(c.Payers, p)
	}
	r.check((len(c.Payers) > 0) == (len(f.Period) > 0), "period", "instalments need both fee_payers and at least one [[period]]")
	r.check(len(f.Period) == 0 || (c.MinInstalment >= 1 && c.MinInstalment <= c.MaxAmount), "min_instalment_amount", "must be 1 to max_amount")
	for i, p := range f.Period {
		field := fmt.Sprintf("period[%d]", i)
		r.check(p.Number >= 2 && p.Number <= maxPeriods, field+".number", fmt.Sprintf("must be 2 to %d", maxPeriods))
		r.check(p.BuyerPPM >= 0 && p.BuyerPPM < million/2, field+".buyer_ppm", "must be millionths, 23000 for 2.3 %")
		r.check(p.SellerPPM >= 0 && p.SellerPPM < million/2, field+".seller_ppm", "must be millionths, 18000 for 1.8 %")
		r.check(i == 0 || p.Number > f.Period[i-1].Number, field+".number", "periods must ascend")
		c.Periods = append(c.Periods, Period{int(min(max(p.Number, 0), maxPeriods)), p.BuyerPPM, p.SellerPPM})
	}
}

func (r *reader) codes(c *Contract, f contractFile) {
	for i, x := range f.Code {
		field := fmt.Sprintf("code[%d]", i)
		k := CodeRange{Wallet: x.Wallet, From: x.From, To: x.To}
		r.check(slices.Contains(wallets, k.Wallet), field+".wallet", "must be one of "+strings.Join(wallets, ", "))
		r.check(allDigits(k.From) && allDigits(k.To) && len(k.From) == len(k.To) && k.From <= k.To, field, "from and to must be equally many digits, from not after to")
		r.check(len(x.Lengths) > 0, field+".lengths", "must name at least one length")
		for _, n := range x.Lengths {
			r.check(n >= int64(len(k.From)) && n <= MaxCode, field+".lengths", fmt.Sprintf("must be %d to %d digits", len(k.From), MaxCode))
			k.Lengths = append(k.Lengths, int(min(max(n, 0), MaxCode)))
		}
		if r.err != nil {
			return
		}
		for j, o := range c.Codes {
			r.check(!k.overlaps(o), field, fmt.Sprintf("overlaps code[%d]", j))
		}
		c.Codes = append(c.Codes, k)
	}
}

func goodSubject(s string) bool {
	if !utf8.ValidString(s) || strings.TrimSpace(s) == "" || utf8.RuneCountInString(s) > maxSubject {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune("/=&", r) })
}

func tomlError(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := &strict.Errors[0]
		line, col := e.Position()
		return &ContractError{strings.Join(e.Key(), "."), line, col, "unknown key"}
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, col := bad.Position()
		field := strings.Join(bad.Key(), ".")
		if field == "" {
			field = "value" // the decoder does not always know the key
		}
		return &ContractError{field, line, col, bad.Error()}
	}
	return &ContractError{Field: "file", Why: err.Error()}
}
