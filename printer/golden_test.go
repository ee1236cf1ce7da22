package printer

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"posd/internal/money"
)

var update = flag.Bool("update", false, "write testdata anew; read the difference before you commit it")

func at() time.Time { return time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC) }

func common(t string) Receipt {
	return Receipt{
		Copy: MerchantCopy, Lang: "zh", Outcome: Approved, Merchant: "蜀香园火锅店（春熙路店）", MID: "898510154110001", TID: "10000001",
		Operator: "01", Type: t, Batch: 1, STAN: 12, Time: at(), Amount: money.Yuan(123456),
	}
}

func cardSale() Receipt {
	r := common("sale")
	r.Acquirer = "银联商务"
	r.Card = &CardPart{
		MaskedPAN: "622200******1234", PSN: "001", Entry: "chip", Issuer: "工商银行", Auth: "123456", RRN: "123456789012",
		AID: "A000000333010101", Label: "UnionPay Debit", Cryptogram: "1122334455667788", TVR: "0080048000", TSI: "E800", ATC: "0012",
		PIN: true, Signature: true,
	}
	return r
}

// Six instalments of 1000 yuan at 4.5 %: the fee of 45.00 leaves 0 over, the principal 4 fen, which the first instalment carries.
func huabei() Receipt {
	r := common("wallet-sale")
	r.Amount = money.Yuan(100000)
	r.Wallet = &WalletPart{
		Name: "alipay", Order: "1000000120260102150405000013", TradeNo: "2026010222001400001234567890", Buyer: "138****0000",
		Funds: []FundLine{{"PCREDIT", 100000}},
		Plan:  &PlanPart{Periods: 6, Fee: 4500, First: 17420, Each: 17416, BuyerTotal: 104500, SellerNet: 100000},
	}
	return r
}

// slips are the receipts that stand in testdata, each in both languages and on both papers.
func slips() map[string]Receipt {
	with := func(r Receipt, f func(*Receipt)) Receipt { f(&r); return r }
	return map[string]Receipt{
		"card-merchant": cardSale(),
		"card-customer": with(cardSale(), func(r *Receipt) { r.Copy, r.Card.Signature = CustomerCopy, false }),
		"card-declined": with(cardSale(), func(r *Receipt) {
			r.Copy, r.Outcome, r.Reason, r.Card.Auth = CustomerCopy, Declined, "余额不足 (51)", ""
		}),
		"card-duplicate-tap": with(cardSale(), func(r *Receipt) {
			r.Duplicate, r.Card.PIN, r.Card.Signature, r.Card.Entry = true, false, false, "contactless"
		}),
		"card-reversed":   with(cardSale(), func(r *Receipt) { r.Copy, r.Outcome, r.Reason = CancelledInfo, Reversed, "主机无应答" }),
		"huabei-merchant": huabei(),
		"huabei-customer": with(huabei(), func(r *Receipt) { r.Copy = CustomerCopy }),
		"huabei-seller-pays": with(huabei(), func(r *Receipt) {
			*r.Wallet.Plan = PlanPart{Periods: 3, SellerPays: true, Fee: 1800, First: 33334, Each: 33333, BuyerTotal: 100000, SellerNet: 98200}
		}),
		"wallet-mixed-funds": with(huabei(), func(r *Receipt) {
			r.Wallet.Plan, r.Wallet.Funds = nil, []FundLine{{"PCREDIT", 50000}, {"ALIPAYACCOUNT", 40000}, {"COUPON", 9000}, {"NEWCHANNEL", 1000}}
		}),
	}
}

func TestGolden(t *testing.T) {
	for name, r := range slips() {
		for _, lang := range []string{"zh", "en"} {
			for _, paper := range []Paper{Paper58, Paper80} {
				r.Lang = lang
				doc, err := Layout(r, paper)
				if err != nil {
					t.Fatal(err)
				}
				raw, err := doc.ESCPOS(Generic)
				if err != nil {
					t.Fatal(err)
				}
				file := fmt.Sprintf("%s.%s.%d", name, lang, paper.Columns)
				golden(t, file+".txt", doc.Text())
				golden(t, file+".escpos", quoted(raw))
			}
		}
	}
}

// quoted shows a byte stream as one Go string a line.
func quoted(b []byte) string {
	var out strings.Builder
	for line := range strings.SplitAfterSeq(string(b), "\n") {
		if line != "" {
			out.WriteString(strconv.QuoteToASCII(line) + "\n")
		}
	}
	return out.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}
