// Package printer turns a receipt into paper: Receipt -> Layout -> Doc -> ESC/POS bytes, or text for a shell.
//
// It is pure: no clock, no device, no state. What it says of the money is exactly what it is given; there is no receipt for a
// transaction whose outcome is not known, and Layout refuses one. Card numbers are masked again here (first 6, last 4) whatever
// the caller did, and words that came from outside (merchant, issuer, buyer, host reasons) are reduced to printable characters,
// so that no control byte but our own commands reaches the printer.
//
// The commands sent are the small subset of ESC/POS that clones share (ESC @, ESC a, ESC E, ESC d, GS !, FS !, FS &, FS ., GS ( k,
// GS v 0, GS V); see escpos.go. The package does not drive the printer and does not know whether anything was printed: that is
// the driver's answer.
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
//
// Card and Wallet are never both set; an Approved receipt has one of them.
type Receipt struct {
	Copy      Copy
	Lang      string // "zh" or "en"; anything else is printed in Chinese
	Duplicate bool   // 重打印 DUPLICATE
	Outcome   Outcome

	Merchant string // name
	MID, TID string
	Operator string
	Acquirer string
	Type     string // key of the transaction type, see TypeName: "sale", "wallet-sale", "void", ...
	Batch    uint32
	STAN     uint32    // trace number / voucher number
	Time     time.Time // printed in its own location
	Amount   money.Amount
	Reason   string // why declined or reversed, in the receipt's language

	Card   *CardPart
	Wallet *WalletPart
}

// CardPart is what a card slip shows.
type CardPart struct {
	MaskedPAN  string // first 6, last 4
	PSN        string
	Entry      string // key of the entry mode, see EntryName: "chip", "contactless", ...
	Scheme     string
	Issuer     string
	Auth       string
	RRN        string
	AID        string // hex
	Label      string
	Cryptogram string // hex; TC on an approved slip
	// CryptogramKind names Cryptogram: "TC", "ARQC" or "AAC". Empty is TC on an approved slip and ARQC otherwise.
	CryptogramKind string
	TVR, TSI       string // hex
	ATC            string // hex
	PIN            bool   // verified by PIN: no signature needed
	Signature      bool   // a line to sign on the merchant copy
}

// WalletPart is what a wallet slip shows.
type WalletPart struct {
	Name    string // key of the wallet, see WalletName: "alipay"
	Order   string // our order number; also printed as a QR code for a later refund
	TradeNo string
	Buyer   string
	Funds   []FundLine
	Plan    *PlanPart
}

// FundLine is one source of the money, as really used.
type FundLine struct {
	Channel string // the gateway's code, see FundName: "PCREDIT"
	Minor   int64
}

// PlanPart is the instalment plan that the buyer really entered, all in minor units.
// BuyerTotal is First + Each*(Periods-1), or Layout refuses the receipt: a slip must add up.
type PlanPart struct {
	Periods    int
	SellerPays bool
	Fee        int64
	First      int64
	Each       int64
	BuyerTotal int64
	SellerNet  int64 // merchant copy only
}

// LayoutError says which field of a Receipt makes it impossible to print.
type LayoutError struct {
	Field string
	Why   string
}

func (e *LayoutError) Error() string { return "printer: " + e.Field + " " + e.Why }

// What a printer cannot do, told apart so that the operator gets the right advice. Drivers' errors are mapped to these.
var (
	ErrPaperOut  = errors.New("printer: out of paper")
	ErrCoverOpen = errors.New("printer: cover open")
	ErrOverheat  = errors.New("printer: head too hot")
	ErrOffline   = errors.New("printer: does not answer")
)
