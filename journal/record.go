package journal

import (
	"encoding/json"
	"time"

	"posd/internal/money"
)

// Kind is the sort of transaction.
type Kind string

// Kinds.
const (
	CardSale   Kind = "card-sale"
	WalletSale Kind = "wallet-sale"
)

// State is where a transaction stands, durably. Moves lists the allowed changes.
type State string

// States. See moves.go for who may follow whom.
const (
	Sent     State = "sent"     // intent: from here on the host or gateway may have it
	Approved State = "approved" // final yes
	Declined State = "declined" // final no: no money moved
	Undoing  State = "undoing"  // outcome not known or not wanted: a reversal (card) or cancel (wallet) is owed until answered
	Undone   State = "undone"   // the host confirmed: no money is held
	GivenUp  State = "given-up" // the host never answered the reversal within the profile's limit: for a person to settle
)

// Step is a line of a record's history.
type Step struct {
	State State     `json:"state"`
	At    time.Time `json:"at"`
	Why   string    `json:"why,omitempty"` // a short machine-readable cause, for the technician
}

// Card is what a card transaction keeps. No clear PAN beyond first 6 and last 4, no track, no PIN block.
type Card struct {
	MaskedPAN  string `json:"masked_pan"`
	Sealed     []byte `json:"sealed,omitempty"` // PAN, expiry and sequence number under a vault key; removed when nothing needs it
	Entry      string `json:"entry"`
	HadPIN     bool   `json:"had_pin,omitempty"`  // enciphered, to the issuer
	CardPIN    bool   `json:"card_pin,omitempty"` // compared by the card, and right
	AID        string `json:"aid,omitempty"`
	Label      string `json:"label,omitempty"`
	Cryptogram string `json:"cryptogram,omitempty"`
	TVR        string `json:"tvr,omitempty"`
	TSI        string `json:"tsi,omitempty"`
	ATC        string `json:"atc,omitempty"`
	Signature  bool   `json:"signature,omitempty"`
	ReverseICC []byte `json:"reverse_icc,omitempty"` // field 55 of a reversal; public data objects only

	Code     string `json:"code,omitempty"` // field 39
	RRN      string `json:"rrn,omitempty"`
	Auth     string `json:"auth,omitempty"`
	Scheme   string `json:"scheme,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	HostTime string `json:"host_time,omitempty"` // MMDDhhmmss
	Reason   string `json:"reason,omitempty"`    // conflict code of the reversal
	Tries    int    `json:"tries,omitempty"`     // reversals attempted without an answer

	Institution  string `json:"institution,omitempty"`   // field 32 of the answer
	Offline      bool   `json:"offline,omitempty"`       // card and terminal decided without the host
	Voice        bool   `json:"voice,omitempty"`         // approved by the issuer on the telephone; Auth is the code that was typed
	AdviceWanted bool   `json:"advice_wanted,omitempty"` // the card asked for an advice of its decline (bit 4 of 9F27)
}

// Wallet is what a wallet transaction keeps. The buyer's payment code is never kept.
type Wallet struct {
	Name    string          `json:"name"`  // "alipay"
	Order   string          `json:"order"` // our order number, unique for ever
	Method  uint8           `json:"method"`
	Channel string          `json:"channel,omitempty"`
	Plan    json.RawMessage `json:"plan,omitempty"` // the qrpay.Plan the cashier confirmed
	TradeNo string          `json:"trade_no,omitempty"`
	Periods int             `json:"periods,omitempty"` // instalments as the gateway says they were really used; 0 when it does not say
	Buyer   string          `json:"buyer,omitempty"`   // as masked by the gateway
	Funds   []Fund          `json:"funds,omitempty"`
	Code    string          `json:"code,omitempty"`
	Tries   int             `json:"tries,omitempty"`
}

// Fund is a part of the money by its source.
type Fund struct {
	Channel string `json:"channel"`
	Minor   int64  `json:"minor"`
}

// Record is one transaction. Amount, STAN, Batch and the order number never change after Begin.
type Record struct {
	Version  int          `json:"v"`
	No       uint64       `json:"no"` // running number of this terminal, never used twice
	Kind     Kind         `json:"kind"`
	State    State        `json:"state"`
	STAN     uint32       `json:"stan"`  // system trace audit number, 1..999999
	Batch    uint32       `json:"batch"` // 1..999999
	Amount   money.Amount `json:"amount"`
	Operator string       `json:"operator"`
	Time     time.Time    `json:"time"`
	Card     *Card        `json:"card,omitempty"`
	Wallet   *Wallet      `json:"wallet,omitempty"`
	Printed  Prints       `json:"printed"`
	Told     bool         `json:"told,omitempty"` // the operator has seen how it ended
	Advices  []Advice     `json:"advices,omitempty"`
	Trail    []Step       `json:"trail"`
}

// Prints tells which copies are on paper.
type Prints struct {
	Merchant bool `json:"merchant,omitempty"`
	Customer bool `json:"customer,omitempty"`
}
