package printer

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"

	"posd/internal/money"
)

func text(t *testing.T, r Receipt) string {
	t.Helper()
	d, err := Layout(r, Paper58)
	if err != nil {
		t.Fatal(err)
	}
	return d.Text()
}

// What must not be on paper at all.
func TestLayoutRefuses(t *testing.T) {
	for _, c := range []struct {
		field string
		spoil func(*Receipt)
	}{
		{"Outcome", func(r *Receipt) { r.Outcome = 0 }},
		{"Outcome", func(r *Receipt) { r.Outcome = 9 }},
		{"Copy", func(r *Receipt) { r.Copy = 0 }},
		{"Amount", func(r *Receipt) { r.Amount.Minor = -1 }},
		{"Wallet", func(r *Receipt) { r.Card = &CardPart{} }},
		{"Card", func(r *Receipt) { r.Wallet = nil }},
		{"Wallet.Plan", func(r *Receipt) { r.Wallet.Plan.BuyerTotal++ }},
		{"Wallet.Plan", func(r *Receipt) { r.Wallet.Plan.First-- }},
		{"Wallet.Plan", func(r *Receipt) { r.Wallet.Plan.Fee = -1 }},
		{"Wallet.Plan", func(r *Receipt) { // sums to BuyerTotal in 64 bits, if one lets it
			*r.Wallet.Plan = PlanPart{Periods: 5, Each: math.MaxInt64/2 + 1, First: 10, BuyerTotal: 10}
		}},
		{"Wallet.Plan.Periods", func(r *Receipt) { r.Wallet.Plan.Periods = 0 }},
		{"Wallet.Funds", func(r *Receipt) { r.Wallet.Funds = make([]FundLine, 1000) }},
	} {
		r := huabei()
		c.spoil(&r)
		_, err := Layout(r, Paper58)
		var e *LayoutError
		if !errors.As(err, &e) || e.Field != c.field {
			t.Errorf("%s spoilt: %v", c.field, err)
		}
	}
	if _, err := Layout(huabei(), Paper{}); err == nil {
		t.Error("a slip was laid out on no paper")
	}
}

func TestOutcomeIsPlain(t *testing.T) {
	for outcome, word := range map[Outcome]string{Approved: "APPROVED", Declined: "DECLINED", Reversed: "REVERSED"} {
		for _, lang := range []string{"zh", "en"} {
			r := cardSale()
			r.Outcome, r.Lang = outcome, lang
			got := text(t, r)
			for _, w := range []string{"APPROVED", "DECLINED", "REVERSED"} {
				if strings.Contains(got, w) != (w == word) {
					t.Errorf("%s slip and the word %s:\n%s", word, w, got)
				}
			}
			if outcome != Approved && (strings.Contains(got, "签名") || strings.Contains(got, "signature")) {
				t.Errorf("a %s slip asks for a signature:\n%s", word, got)
			}
		}
	}
}

func TestSettlementIsForTheMerchantOnly(t *testing.T) {
	r := huabei()
	r.Wallet.Plan.SellerNet = 98765
	if !strings.Contains(text(t, r), "987.65") {
		t.Error("the merchant's copy does not tell what will be settled")
	}
	r.Copy = CustomerCopy
	if strings.Contains(text(t, r), "987.65") {
		t.Error("the customer's copy tells what will be settled")
	}
}

func TestDuplicateIsSaid(t *testing.T) {
	for _, lang := range []string{"zh", "en"} {
		r := huabei()
		r.Lang, r.Duplicate = lang, true
		first := text(t, r)
		r.Duplicate = false
		if strings.Count(first, "DUPLICATE") != 2 || strings.Contains(text(t, r), "DUPLICATE") {
			t.Errorf("%s: a reprint says\n%s", lang, first)
		}
	}
}

func TestAmounts(t *testing.T) {
	for _, c := range []struct {
		a    money.Amount
		want string
	}{
		{money.Yuan(0), "RMB 0.00"},
		{money.Yuan(1), "RMB 0.01"},
		{money.Yuan(123456), "RMB 1,234.56"},
		{money.Yuan(math.MaxInt64), "RMB 92,233,720,368,547,758.07"},
		{money.Amount{Minor: 1200, Currency: money.JPY}, "JPY 1,200"},
		{money.Amount{Minor: 1234, Currency: 978}, "978 12.34"},
	} {
		r := cardSale()
		r.Amount = c.a
		if got := text(t, r); !strings.Contains(got, c.want+"\n") {
			t.Errorf("%+v: no line ends in %q:\n%s", c.a, c.want, got)
		}
	}
}

func TestMaskPAN(t *testing.T) {
	for in, want := range map[string]string{
		"":                                      "",
		"622200******1234":                      "622200******1234",
		"6222001234561234":                      "622200******1234",
		"6222 0012 3456 1234":                   "622200******1234",
		"6222001234567891234":                   "622200*********1234",
		"62220012341":                           "622200*2341",
		"6222001234":                            "******1234",
		"12345":                                 "*2345",
		"1234":                                  "****",
		"6222001234561234=30122010000012345678": "622200******1234", // a track
		"6222001234561234D30122010000012345678": "622200******1234",
		strings.Repeat("1", 100):                "111111**********************1111",
	} {
		if got := MaskPAN(in); got != want {
			t.Errorf("MaskPAN(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMaskedAgainOnPaper(t *testing.T) {
	r := cardSale()
	r.Card.MaskedPAN = "6222001234561234"
	if got := text(t, r); strings.Contains(got, "123456123") || !strings.Contains(got, "622200******1234") {
		t.Errorf("the slip shows\n%s", got)
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct {
		in   string
		max  int
		want string
	}{
		{"plain", 10, "plain"},
		{"  two \t words\r\n", 20, "two words"},
		{"a\x1b@\x1dV\x00b\x10\x04\x01c\x7fd", 20, "a @ V b c d"},
		{"\x1c\x1d\x1e\x9b", 20, "□"},
		{"¥12", 10, "￥12"},
		{"Café Señor Łódź", 20, "Cafe Senor □odz"},
		{"e\u0301", 10, "e"},
		{"\u202ea\u200bb", 10, "ab"},
		{"火锅\xff", 10, "火锅□"},
		{"𠀀😀\ue000", 10, "□□□"},
		{"กข", 10, "□□"},
		{"Ａ１", 10, "Ａ１"},
		{"火锅火锅", 8, "火锅火锅"},
		{"火锅火锅", 7, "火锅…"},
		{"abcdef", 5, "abc…"},
		{"abc", 1, "a"},
		{strings.Repeat("\x00", 5000) + "x", 5, ""},
	} {
		got := Clean(c.in, c.max)
		if c.want == "a" {
			if Width(got) > c.max {
				t.Errorf("Clean(%q, %d) = %q", c.in, c.max, got)
			}
			continue
		}
		if got != c.want {
			t.Errorf("Clean(%q, %d) = %q, want %q", c.in, c.max, got, c.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		in   string
		cols int
		want []string
	}{
		{"", 10, nil},
		{"one two three", 8, []string{"one two", "three"}},
		{"abcdefghijkl", 5, []string{"abcde", "fghij", "kl"}},
		{"一二三四五", 5, []string{"一二", "三四", "五"}},
		{"ab 一二三", 6, []string{"ab 一", "二三"}},
		{"a verylongword", 6, []string{"a very", "longwo", "rd"}},
		{"一", 1, []string{"一"}},
	} {
		if got := wrap(c.in, c.cols); strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("wrap(%q, %d) = %q, want %q", c.in, c.cols, got, c.want)
		}
	}
}

// Every text exists in both languages, and the English one prints on any printer.
func TestWordsAreComplete(t *testing.T) {
	check := func(what string, p pair) {
		t.Helper()
		if p.zh == "" || p.en == "" {
			t.Errorf("%s: %+v", what, p)
		}
		if regexp.MustCompile(`[^ -~]`).MatchString(p.en) {
			t.Errorf("%s: %q is not ASCII", what, p.en)
		}
		if Clean(p.zh, 200) != strings.TrimSpace(p.zh) || Clean(p.en, 200) != strings.TrimSpace(p.en) {
			t.Errorf("%s: %+v does not print as it stands", what, p)
		}
	}
	for i, p := range words {
		check("word "+string(rune('0'+i)), p)
	}
	for _, table := range []map[string]pair{typeNames, entryNames, walletNames, fundNames} {
		for key, p := range table {
			check(key, p)
			if key != strings.ToLower(key) {
				t.Errorf("the key %q would never be found", key)
			}
		}
	}
}

func TestNames(t *testing.T) {
	// The channels of Alipay's list, as they are asked for and as they are answered.
	for _, code := range strings.Fields(`balance moneyFund bankPay debitCardExpress creditCardExpress creditCardCartoon creditCard cartoon pcredit
		pcreditpayInstallment credit_group coupon point promotion voucher mdiscount honeyPay mcard pcard
		PCREDIT ALIPAYACCOUNT COUPON POINT DISCOUNT PCARD MCARD MDISCOUNT MCOUPON FINANCEACCOUNT BANKCARD`) {
		for _, lang := range []string{"zh", "en"} {
			if name, ok := FundName(code, lang); !ok || name == "" {
				t.Errorf("no name for %s in %s", code, lang)
			}
		}
	}
	if name, ok := FundName("SOMETHING_NEW", "zh"); ok || name != "SOMETHING_NEW" {
		t.Errorf("an unknown channel is called %q", name)
	}
	for _, c := range []struct {
		f               func(string, string) (string, bool)
		key, lang, want string
	}{
		{FundName, "PCREDIT", "zh", "花呗"},
		{FundName, "pcreditpayInstallment", "zh", "花呗分期"},
		{TypeName, "sale", "zh", "消费"},
		{TypeName, "void", "en", "VOID"},
		{WalletName, "alipay", "zh", "支付宝"},
		{EntryName, "chip", "zh", "插卡 I"},
	} {
		if got, ok := c.f(c.key, c.lang); !ok || got != c.want {
			t.Errorf("%s in %s is %q, want %q", c.key, c.lang, got, c.want)
		}
	}
	// Alipay answers PCREDIT for instalments too: the slip must tell them apart.
	r := huabei()
	if !strings.Contains(text(t, r), "花呗分期") {
		t.Error("instalments are not named")
	}
	r.Wallet.Plan = nil
	if got := text(t, r); strings.Contains(got, "花呗分期") || !strings.Contains(got, "花呗") {
		t.Error("Huabei in one sum is not named so")
	}
}

func FuzzLayout(f *testing.F) {
	f.Add("蜀香园\x1b@", "6222001234561234", "\x1d(k", "余额不足\n", int64(100000), uint8(1), true)
	f.Add(strings.Repeat("宽", 500), "", "order_1", "\u202e\xff", int64(-1), uint8(2), false)
	f.Add("", strings.Repeat("9", 64), strings.Repeat("A", 64), "¥𠀀", int64(math.MaxInt64), uint8(3), true)
	clearPAN := regexp.MustCompile(`^\d{11,19}$`)
	f.Fuzz(func(t *testing.T, merchant, pan, order, reason string, minor int64, outcome uint8, card bool) {
		r := huabei()
		if card {
			r = cardSale()
			r.Card.MaskedPAN, r.Card.Issuer, r.Card.Auth, r.Card.Entry, r.Card.PSN = pan, merchant, order, reason, ""
		} else {
			r.Wallet.Order, r.Wallet.Buyer, r.Wallet.TradeNo, r.Wallet.Funds[0].Channel = order, reason, merchant, reason
		}
		r.Merchant, r.Reason, r.Amount.Minor, r.Outcome = merchant, reason, minor, Outcome(outcome)
		for _, paper := range []Paper{Paper58, Paper80} {
			d, err := Layout(r, paper)
			if err != nil {
				var e *LayoutError
				if !errors.As(err, &e) || e.Field == "" {
					t.Fatalf("%v", err)
				}
				return
			}
			for i, l := range d.Lines {
				if n := columns(l.Left) + columns(l.Right); n > paper.Columns {
					t.Fatalf("line %d takes %d columns: %+v", i, n, l)
				}
				for _, run := range append(l.Left, l.Right...) {
					if strings.ContainsFunc(run.Text, func(c rune) bool { return printable(c) != c && c != ' ' }) {
						t.Fatalf("line %d has what cannot be printed: %q", i, run.Text)
					}
				}
			}
			if !strings.Contains(d.Text(), amountText(r.Amount)) {
				t.Fatalf("the amount is not on the slip:\n%s", d.Text())
			}
			if card && clearPAN.MatchString(pan) && !strings.Contains(merchant+order+reason, pan) && strings.Contains(d.Text(), pan) {
				t.Fatal("the whole card number is on the slip")
			}
			for _, enc := range []Encoding{GB18030, GBK, GB2312, UTF8, ASCII} {
				if _, err := d.ESCPOS(Profile{Encoding: enc, NativeQR: card, Cutter: true, Feed: 4}); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
