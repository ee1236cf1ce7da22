package qrpay

// Payer says who bears the fee of an instalment plan.
type Payer uint8

// Payers. The wire value of hb_fq_seller_percent is "0" for PayerBuyer and "100" for PayerSeller.
const (
	PayerBuyer  Payer = iota + 1 // 用户承担
	PayerSeller                  // 商家贴息
)

// Plan is an instalment offer worked out to the fen, all in minor units of the order's currency.
//
// First and Each include the buyer's share of the fee; First carries the remainders of principal and fee.
type Plan struct {
	Periods    int   `json:"periods"`     // hb_fq_num
	Payer      Payer `json:"payer"`       //
	RatePPM    int64 `json:"rate_ppm"`    // fee rate in millionths: 4.5 % is 45000
	Amount     int64 `json:"amount"`      // what is sold
	Fee        int64 `json:"fee"`         // whole fee, whoever bears it
	First      int64 `json:"first"`       // first instalment
	Each       int64 `json:"each"`        // each of the Periods-1 that follow
	EachFee    int64 `json:"each_fee"`    // fee inside Each, 0 when the seller bears it
	FirstFee   int64 `json:"first_fee"`   // fee inside First
	BuyerTotal int64 `json:"buyer_total"` // First + Each*(Periods-1)
	SellerNet  int64 `json:"seller_net"`  // what is settled to the merchant before the ordinary service fee
}
