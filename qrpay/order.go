package qrpay

import (
	"time"

	"posd/internal/money"
)

// Channel codes of Alipay that this package names; any other code may appear in Result.Funds.
const (
	ChannelHuabei            = "pcredit"               // 花呗, paid in full
	ChannelHuabeiInstalments = "pcreditpayInstallment" // 花呗分期
)

// Method says how the order reaches the buyer.
type Method uint8

// Methods of paying.
const (
	ScanBuyer Method = iota + 1 // 付款码: the merchant scans the buyer's code (alipay.trade.pay)
	ShowCode                    // 收款码: the buyer scans a code on the terminal (alipay.trade.precreate)
)

// Order is one attempt to be paid. Number is durable before the first request leaves and is never used for a second attempt.
type Order struct {
	Number   string // out_trade_no, at most 64 of [A-Za-z0-9_]
	Method   Method
	Amount   money.Amount
	AuthCode string // the buyer's payment code for ScanBuyer; single-use secret: never journalled or logged
	Subject  string // what the buyer reads on the phone
	Channel  string // "" lets the buyer choose; ChannelHuabei or ChannelHuabeiInstalments restrict to it
	Plan     *Plan  // set for instalments
	Operator string
	Terminal string // our terminal number
	Store    string
}

// Status is what is known of an order.
type Status uint8

// Statuses. Only Paid is a yes; Refused and Closed are a no; the rest is not known yet.
const (
	Unknown  Status = iota // no answer, or one that cannot be believed
	Waiting                // the order exists, the buyer has not confirmed
	Paid                   // money moved, amount and order number checked
	Refused                // business refusal; no money moved and none will
	Closed                 // the order is closed: cancelled, timed out or refunded in full
	NotFound               // the gateway does not know the order (after an unknown request: may still arrive)
)

// Fund is a part of the money by where it came from (fund_bill_list).
type Fund struct {
	Channel string `json:"channel"` // as the gateway spells it, e.g. PCREDIT
	Minor   int64  `json:"minor"`
}

// Result is what a gateway said about an order, checked and reduced to what the terminal acts on.
type Result struct {
	Status   Status
	Number   string // order number as echoed
	TradeNo  string // the gateway's number
	Amount   money.Amount
	BuyerPay int64  // minor units the buyer pays, 0 when not told
	Receipt  int64  // minor units that reach the merchant before fees, 0 when not told
	Buyer    string // masked login, as the gateway masks it
	Funds    []Fund
	Periods  int       // hb_fq_num really used, 0 when not told
	PaidAt   time.Time // gmt_payment; zero when not told
	QR       string    // code to show, for Precreate
	Refunded bool      // Cancel moved money back
	Retry    bool      // Cancel asks to be repeated (retry_flag=Y)
	Code     string    // gateway's code / sub_code, for the technician and for the text shown
	SubCode  string
	Message  string // the gateway's own words, for the log
}
