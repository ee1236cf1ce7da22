package qrpay

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const shipped = "../etc/wallets/alipay.toml"

func shippedFile(t testing.TB) string {
	b, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func shippedContract(t testing.TB) Contract {
	c, err := LoadContract(shipped)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestShippedContract(t *testing.T) {
	got := shippedContract(t)
	want := Contract{
		Wallet: "alipay", Currency: 156, Subject: "门店消费", MaxAmount: 5000000, Huabei: true,
		Payers: []Payer{PayerBuyer, PayerSeller}, MinInstalment: 10000,
		Periods:   []Period{{3, 23000, 18000}, {6, 45000, 45000}, {12, 75000, 75000}},
		QueryPace: 3 * time.Second, TotalWait: time.Minute, ShowWait: 90 * time.Second, OrderLife: 2 * time.Minute, CancelTries: 5,
		Codes: []CodeRange{
			{"alipay", "25", "30", []int{16, 17, 18, 19, 20, 21, 22, 23, 24}},
			{"wechat", "10", "15", []int{18}},
			{"unionpay", "62", "62", []int{19}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestContractRefuses(t *testing.T) {
	base := shippedFile(t)
	for _, c := range []struct{ from, to, field string }{
		{`wallet   = "alipay"`, `wallet = "paypal"`, "wallet"},
		{`currency = 156`, `currency = 1`, "currency"},
		{`currency = 156`, `currency = 70000`, "currency"},
		{`"门店消费"`, `"a=b"`, "subject"},
		{`"门店消费"`, `""`, "subject"},
		{`"门店消费"`, `"a\nb"`, "subject"},
		{`"门店消费"`, `"` + strings.Repeat("长", 257) + `"`, "subject"},
		{`max_amount = 5_000_000`, `max_amount = 0`, "max_amount"},
		{`max_amount = 5_000_000`, `max_amount = 10_000_000_001`, "max_amount"},
		{`max_amount = 5_000_000`, `max_amount = 99_999_999_999_999_999_999`, "value"},
		{`query_pace = "3s"`, `query_pace = "0s"`, "query_pace"},
		{`query_pace = "3s"`, `query_pace = 3`, "value"},
		{`total_wait = "60s"`, `total_wait = "2s"`, "total_wait"},
		{`total_wait = "60s"`, `total_wait = "1h"`, "total_wait"},
		{`show_wait  = "90s"`, `show_wait = "forever"`, "show_wait"},
		{`order_life = "2m"`, `order_life = "90500ms"`, "order_life"},
		{`order_life = "2m"`, `order_life = "1m"`, "order_life"},
		{`cancel_tries = 5`, `cancel_tries = 0`, "cancel_tries"},
		{`cancel_tries = 5`, ``, "cancel_tries"},
		{`["buyer", "seller"]`, `["bank"]`, "fee_payers"},
		{`["buyer", "seller"]`, `["buyer", "buyer"]`, "fee_payers"},
		{`["buyer", "seller"]`, `[]`, "period"},
		{`min_instalment_amount = 10_000`, `min_instalment_amount = 0`, "min_instalment_amount"},
		{`number     = 3`, `number = 1`, "period[0].number"},
		{`number     = 12`, `number = 6`, "period[2].number"},
		{`buyer_ppm  = 23_000`, `buyer_ppm = -1`, "period[0].buyer_ppm"},
		{`seller_ppm = 18_000`, `seller_ppm = 500_000`, "period[0].seller_ppm"},
		{`seller_ppm = 18_000`, `seller_ppm = 1.8`, "value"},
		{`wallet  = "unionpay"`, `wallet = "bank"`, "code[2].wallet"},
		{`from    = "62"`, `from = "6x"`, "code[2]"},
		{`from    = "62"`, `from = "63"`, "code[2]"},
		{`from    = "62"`, `from = ""`, "code[2]"},
		{`lengths = [19]`, `lengths = []`, "code[2].lengths"},
		{`lengths = [19]`, `lengths = [1]`, "code[2].lengths"},
		{`lengths = [19]`, `lengths = [65]`, "code[2].lengths"},
		{`to      = "15"`, `to = "25"`, "code[1]"},
		{`huabei = true`, `huabei_ = true`, "huabei_"},
		{`huabei = true`, "huabei = true\nhuabei = true", ""},
	} {
		s := strings.Replace(base, c.from, c.to, 1)
		if s == base {
			t.Fatalf("%q is not in the shipped file", c.from)
		}
		_, err := ParseContract([]byte(s))
		var bad *ContractError
		if !errors.As(err, &bad) || (c.field != "" && bad.Field != c.field) || (c.field == "value" && bad.Line == 0) {
			t.Errorf("%s -> %s: %v; want an error at %q", c.from, c.to, err, c.field)
		}
	}
	if _, err := ParseContract([]byte(base + "\nsurprise = 1\n")); err == nil || !strings.Contains(err.Error(), "line") {
		t.Errorf("an unknown key must be named with its line: %v", err)
	}
	if _, err := ParseContract(make([]byte, maxContractFile+1)); err == nil {
		t.Error("a huge file is accepted")
	}
	if _, err := LoadContract("no/such/file"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestRoute(t *testing.T) {
	c := shippedContract(t)
	for code, want := range map[string]string{
		"2512345678901234": "alipay", "281234567890123456": "alipay", "301234567890123456789012": "alipay",
		"101234567890123456": "wechat", "151234567890123456": "wechat",
		"6212345678901234567": "unionpay",
	} {
		if got, err := c.Route(code); err != nil || got != want {
			t.Errorf("%s -> %q, %v; want %q", code, got, err, want)
		}
	}
	for _, code := range []string{
		"281234567890123", "2812345678901234567890123", "161234567890123456", "241234567890123456", "311234567890123456",
		"621234567890123456", "10123456789012345", "6",
	} {
		w, err := c.Route(code)
		var bad *CodeError
		if !errors.As(err, &bad) || !bad.Unknown || w != "" {
			t.Errorf("%s -> %q, %v; want a named unknown code", code, w, err)
		}
	}
	for _, code := range []string{
		"", "28123456789012345 ", "２８1234567890123456", "https://qr.alipay.com/x", "28-1234567890123456", "fp0123456789", strings.Repeat("2", 65),
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		w, err := c.Route(code)
		var bad *CodeError
		if !errors.As(err, &bad) || bad.Unknown || w != "" || !errors.Is(err, ErrCode) {
			t.Errorf("%q -> %q, %v; want a malformed code", code, w, err)
		}
	}
	if _, err := c.Route("991234567890123456"); err == nil || strings.Contains(err.Error(), "9912") {
		t.Errorf("the error must not hold the code: %v", err)
	}
}

func FuzzParseContract(f *testing.F) {
	f.Add([]byte(shippedFile(f)))
	f.Add([]byte("wallet = 1"))
	f.Add([]byte("[[period]]\nnumber = 9223372036854775807"))
	f.Add([]byte("[[code]]\nlengths = [-9223372036854775808]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseContract(b)
		if err != nil {
			var bad *ContractError
			if !errors.As(err, &bad) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if c.QueryPace < time.Second || c.TotalWait < c.QueryPace || c.CancelTries < 1 || c.MaxAmount < 1 {
			t.Fatalf("accepted %+v", c)
		}
		for _, p := range c.Payers {
			if _, err := Plans(c.MaxAmount, c, p); err != nil {
				t.Fatalf("no plan in an accepted contract: %v", err)
			}
		}
	})
}

func FuzzRoute(f *testing.F) {
	c := shippedContract(f)
	for _, s := range []string{"281234567890123456", "fp", "", "６２", "62\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := c.Route(s)
		if (w == "") != (err != nil) {
			t.Fatalf("%q, %v", w, err)
		}
		if err == nil && (!allDigits(s) || len(s) < 16 || len(s) > 24) {
			t.Fatalf("%q belongs to %s", s, w)
		}
		if err != nil && len(s) > 8 && strings.Contains(err.Error(), s) {
			t.Fatal("the error holds the code")
		}
	})
}
