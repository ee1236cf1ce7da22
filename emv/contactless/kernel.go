package contactless

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"posd/emv"
	"posd/internal/money"
)

// Card is one card in the field, activated (ISO/IEC 14443-4). Transceive is as emv.Card's; an error means that the card is gone, mute or broke
// the protocol ("L1 error" of the kernel books).
type Card = emv.Card

// Field is the antenna.
type Field interface {
	// Activate polls for cards of type A and B (Book D; Book B, 3.2) until exactly one is there, activates it and returns it. While several
	// are in the field it reports ErrCollision at once; the caller says so to people and calls again.
	Activate(ctx context.Context) (Card, error)
	// Off switches the field off, for at least d when d is not 0 (field off request, Book A, 6.2).
	Off(ctx context.Context, d time.Duration) error
	// WaitRemoved waits until no card answers any more (Book D, removal procedure), then switches the field off.
	WaitRemoved(ctx context.Context) error
}

// ErrCollision means that there is more than one card in the field.
var ErrCollision = errors.New("contactless: more than one card in the field")

// KernelID identifies a kernel: 1 to 8 for those of the EMV books, a domestic one has its three bytes of 9F2A as a number (Book B, 3.3.2.5).
type KernelID uint32

// String is "kernel 7" or, for a domestic one, "kernel 810156".
func (k KernelID) String() string {
	if k < 0x100 {
		return fmt.Sprintf("kernel %d", uint32(k))
	}
	return fmt.Sprintf("kernel %06X", uint32(k))
}

// Transaction is what the merchant asks for.
type Transaction struct {
	Amount  money.Amount // 9F02, 5F2A; includes Other
	Other   int64        // 9F03, minor units
	Type    byte         // 9C
	Time    time.Time    // 9A, 9F21; the terminal's local time
	Counter uint32       // 9F41
	Rand    io.Reader    // unpredictable numbers: one is drawn for each activation of a kernel
}

// Limits are those of one combination and transaction type (Book A, 5.1). A nil limit is not tested: it is not zero.
type Limits struct {
	Transaction *int64 // reader contactless transaction limit: at or above it the combination is not allowed
	CVM         *int64 // reader CVM required limit: at or above it the cardholder is to be verified
	Floor       *int64 // reader contactless floor limit: above it the issuer is asked
	TermFloor   *int64 // 9F1B, when Floor is nil
	// StatusCheck: an amount of one unit of the currency asks the issuer for the state of the account.
	StatusCheck bool
	// ZeroAllowed says whether an amount of zero may be tried; nil is as true.
	ZeroAllowed *bool
	// ZeroOffline (v2.12, Zero Amount for Offline Allowed): an amount of zero is an amount like any other, it needs no issuer.
	ZeroOffline bool
}

// Combination is an application together with the kernel that runs it (Book A, 5.1), and the reader's data for them.
type Combination struct {
	AID      []byte // 5 to 16 bytes; the card's name is this or begins with it
	Name     string // for people, where the card has no label
	Kernel   KernelID
	Extended bool              // the extended selection of 9F29 is supported
	TTQ      *[4]byte          // 9F66, static part; nil when the kernel has none
	NeedTTQ  bool              // an application whose PDOL does not ask for 9F66 is passed over (Book B, 3.3.3.6: Visa with kernel 3)
	Limits   map[byte]Limits   // by transaction type 9C; a type that is missing is not supported
	Data     map[uint32][]byte // reader data objects of the kernel's own, by tag: TACs, DF81xx, 9F33 ...
	App      emv.Application   // version, TACs, floor limit, DOLs: as for contact
}

// Indicators are the results of pre-processing for one combination (Book A, table 5-2; Book B, 3.1.1).
type Indicators struct {
	StatusCheck   bool
	NotAllowed    bool
	ZeroAmount    bool
	CVMExceeded   bool // reader CVM required limit
	FloorExceeded bool
	TTQ           [4]byte // a copy for this transaction, with byte 2 as pre-processing has set it
	HasTTQ        bool
}

// Activation is what the Entry Point hands to a kernel (Book B, 3.4).
type Activation struct {
	Start       Start
	Combination *Combination
	Indicators  Indicators
	Limits      Limits // for the transaction's type
	Transaction Transaction
	UN          [4]byte // 9F37, fresh at each activation
	ADF         []byte  // DF name of the selected application
	FCI         []byte  // the answer to its SELECT, without status bytes
	SW          uint16  // status bytes of that answer
	Terminal    emv.Terminal
	CAKeys      []emv.CAKey
	Revoked     []emv.Revoked
	// Exception tells whether a card is on the terminal's exception file; nil when there is none.
	Exception func(emv.Exception) bool
	// Host is the issuer's answer when the kernel is started again with it (Start B or D after an online request), else nil.
	Host *emv.HostAnswer
	// UI shows a message at once, while the kernel goes on (Book A, 7; the "card read OK" of the kernels). Never nil.
	UI func(UIRequest)
	// Now is a monotonic clock for the times between exchanges.
	Now func() time.Time
}

// Kernel runs one transaction with a card that has been selected. It returns its final outcome; an error is for what is not an outcome at all:
// ctx ended, or the reader's own data cannot be used. A card that goes away is an outcome (TRY AGAIN, END APPLICATION with start B ...), which
// the kernel's book names.
type Kernel interface {
	ID() KernelID
	Activate(ctx context.Context, card Card, a *Activation) (Outcome, error)
}
