package printer

import (
	"fmt"
	"testing"
	"time"

	"posd/internal/money"
)

func TestX(t *testing.T) {
	for _, lang := range []string{"zh", "en"} {
		d, err := Layout(Receipt{
			Copy: MerchantCopy, Lang: lang, Outcome: Approved, Merchant: "蜀香园火锅店（春熙路店）", MID: "898510154110001", TID: "10000001", Operator: "01", Acquirer: "银联商务", Type: "sale", Batch: 1, STAN: 12, Time: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), Amount: money.Yuan(123456),
			Card: &CardPart{MaskedPAN: "622200123456781234", PSN: "001", Entry: "chip", Issuer: "工商银行", Auth: "123456", RRN: "123456789012", AID: "A000000333010101", Label: "UnionPay Debit", Cryptogram: "1122334455667788", TVR: "0080048000", TSI: "E800", ATC: "0012", PIN: true, Signature: true},
		}, Paper58)
		fmt.Println(d.Text(), err)
		d, err = Layout(Receipt{
			Copy: MerchantCopy, Lang: lang, Outcome: Approved, Merchant: "蜀香园火锅店（春熙路店）", MID: "898510154110001", TID: "10000001", Operator: "01", Type: "wallet-sale", Batch: 1, STAN: 13, Time: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), Amount: money.Yuan(100000),
			Wallet: &WalletPart{Name: "alipay", Order: "1000000120260102150405000013", TradeNo: "2026010222001400001234567890", Buyer: "138****0000", Funds: []FundLine{{"PCREDIT", 90000}, {"COUPON", 10000}}, Plan: &PlanPart{Periods: 6, Fee: 4500, First: 17420, Each: 17416, BuyerTotal: 104500, SellerNet: 100000}},
		}, Paper58)
		fmt.Println(d.Text(), err)
	}
}
