package printer

import (
	"errors"
	"time"

	"posd/internal/money"
)

// Copy says for whom a receipt is.
type Copy uint8

// Copies.
const (
	MerchantCopy  Copy = iota + 1 // 商户存根
	CustomerCopy                  // 持卡人存根
	CancelledInfo                 // a slip that tells how an unknown transaction ended
)

// Outcome is what a receipt says of the money. There is no receipt for a thing that is not known.
type Outcome uint8

// Outcomes.
const (
	Approved Outcome = iota + 1
	Declined
	Reversed // the terminal took it back: no money moved in the end
)

// Receipt is one slip of paper. Amounts are integers of minor units; the PAN is masked before it comes here and Layout masks again.
type Receipt struct {
	Copy      Copy
	Lang      string // "zh" or "en"
	Duplicate bool   // 重打印 DUPLICATE
	Outcome   Outcome

	Merchant string // name
	MID, TID string
	Operator string
	Acquirer string
	Type     string // message key of the transaction type: "sale", "wallet-sale", "void", ...
	Batch    uint32
	STAN     uint32 // trace number / voucher number
	Time     time.Time
	Amount   money.Amount
	Reason   string // why declined or reversed, in the receipt's language

	Card   *CardPart
	Wallet *WalletPart
}

// CardPart is what a card slip shows.
type CardPart struct {
	MaskedPAN  string // first 6, last 4
	PSN        string
	Entry      string // "chip", "contactless", ...
	Scheme     string
	Issuer     string
	Auth       string
	RRN        string
	AID        string // hex
	Label      string
	Cryptogram string // hex; TC on an approved slip
	TVR, TSI   string // hex
	ATC        string // hex
	PIN        bool   // verified by PIN: no signature needed
	Signature  bool   // a line to sign on the merchant copy
}

// WalletPart is what a wallet slip shows.
type WalletPart struct {
	Name    string // "alipay"
	Order   string // our order number; also printed as a QR code for a later refund
	TradeNo string
	Buyer   string
	Funds   []FundLine
	Plan    *PlanPart
}

// FundLine is one source of the money, as really used.
type FundLine struct {
	Channel string
	Minor   int64
}

// PlanPart is an instalment plan, all in minor units.
type PlanPart struct {
	Periods    int
	SellerPays bool
	Fee        int64
	First      int64
	Each       int64
	BuyerTotal int64
	SellerNet  int64 // merchant copy only
}

// What a printer cannot do, told apart so that the operator gets the right advice. Drivers' errors are mapped to these.
var (
	ErrPaperOut  = errors.New("printer: out of paper")
	ErrCoverOpen = errors.New("printer: cover open")
	ErrOverheat  = errors.New("printer: head too hot")
	ErrOffline   = errors.New("printer: does not answer")
)
