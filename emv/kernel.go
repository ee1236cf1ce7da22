package emv

import (
	"context"
	"errors"
	"io"
	"time"

	"posd/emv/tlv"
	"posd/internal/money"
)

// Card is one powered card. Transceive sends a command APDU and returns the whole response APDU, the last two bytes being SW1 SW2.
// The transport below has already dealt with T=0 procedure bytes, 61xx and 6Cxx. An error means that the card can no longer be
// talked to (removed, mute, protocol broken): the transaction is over.
type Card interface {
	Transceive(ctx context.Context, capdu []byte) ([]byte, error)
}

// Cardholder is what the kernel must ask of the person in front of the terminal.
type Cardholder interface {
	// Choose asks for one of several applications (Book 1, 12.4) and returns its index. ErrCancelled ends the transaction.
	Choose(ctx context.Context, candidates []Candidate) (int, error)
	// OnlinePIN has the PIN pad capture a PIN and keep the enciphered block; the kernel never sees it. err is for things that end
	// the transaction (ErrCancelled, context); a pad that is missing, broken or bypassed is an outcome.
	OnlinePIN(ctx context.Context, r PINRequest) (PINOutcome, error)
	// OfflinePIN has the PIN pad or the reader capture a PIN and give it to the card with VERIFY (Book 3, 6.5.12 and 10.5.1); the
	// kernel never sees it. The status bytes are the card's. err is as for OnlinePIN, and ErrCardLost where the card went away.
	OfflinePIN(ctx context.Context, r OfflinePINRequest) (OfflinePINAnswer, error)
}

// OfflinePINRequest asks for a PIN that the card itself compares.
type OfflinePINRequest struct {
	Amount money.Amount
	Tries  int        // tries that are left, this one included; -1 when the card does not say
	Again  bool       // the PIN before this one was wrong
	Cipher *PINCipher // nil: the PIN goes to the card in the clear (VERIFY with P2 80), else enciphered (P2 88)
}

// PINCipher is what the PIN pad needs to encipher a PIN for the card (Book 2, 7.2). The random padding is the pad's own.
type PINCipher struct {
	Modulus, Exponent []byte // the ICC PIN encipherment key, or the ICC's own
	Challenge         []byte // of GET CHALLENGE, eight bytes
}

// OfflinePINAnswer is what came of it. SW has a meaning for PINEntered only.
type OfflinePINAnswer struct {
	Outcome PINOutcome
	SW      uint16 // of VERIFY: 9000, 63Cx, 6983, 6984 or whatever the card says
}

// PINRequest tells the PIN pad whose PIN is wanted.
type PINRequest struct {
	PAN    string // digits, no padding
	Amount money.Amount
}

// PINOutcome is what came of a PIN entry (Book 3, 10.5.1 and 10.5.2; Book 4, 6.3.4.3).
type PINOutcome uint8

// Outcomes of a PIN entry.
const (
	PINEntered   PINOutcome = iota // the pad holds the enciphered block, or the card has had the PIN
	PINBypassed                    // the cardholder pressed Enter without digits
	PINPadFailed                   // pad missing or not working
)

// Outcome is what the terminal and the card have decided together; it is not an error.
type Outcome uint8

// Outcomes of Kernel.Start and Session.Complete.
const (
	Declined Outcome = iota + 1 // AAC
	Approved                    // TC
	Online                      // ARQC: ask the issuer, then call Complete
	CardRead                    // a short flow is through: the card's data are there, nothing was decided
)

// Flow is how much of a transaction takes place. The short flows are for transactions that need the card's data only (a refund, the
// completion of a pre-authorisation): the books leave them to the payment systems, so the acquirer's profile says which it is.
type Flow uint8

// Flows.
const (
	FullFlow      Flow = iota // Book 3, figure 7, as far as the card and the action codes let it go
	ReadFlow                  // ends when the records are read; no cryptogram
	ReadAbortFlow             // reads, checks the processing restrictions, and ends the card's transaction with an AAC
)

// Request is the transaction that the merchant asks for.
type Request struct {
	Amount      money.Amount // 9F02, 5F2A; includes Other; 0 for an inquiry
	Other       int64        // 9F03, cashback in minor units; for TypeGoods and TypeCashback only
	Type        byte         // 9C: first two digits of the ISO 8583 processing code, such as TypeGoods
	Flow        Flow
	ForceOnline bool      // the attendant wants the issuer to be asked (Book 4, 6.5.3); attended terminals that can go online only
	Time        time.Time // 9A, 9F21; the terminal's local time
	Counter     uint32    // 9F41, transaction sequence counter, 1 to 99999999 (Book 4, 6.5.5)
	Rand        io.Reader // unpredictable number and random selection
}

// HostAnswer is what came back from the acquirer for the second GENERATE AC.
type HostAnswer struct {
	// Reached is false when there is no authentic answer (no link, time-out, bad MAC): "unable to go online", Book 4, 12.2.1 and
	// 12.2.3.
	Reached bool
	// ARC is tag 8A, two ASCII characters (ISO 8583 field 39). The card gets it as it came.
	ARC string
	// Approved tells what the ARC means under the acquirer's profile. With Referral it is what the attendant has entered after the
	// telephone call, or without one (Book 4, 6.5.2.2).
	Approved bool
	// Referral tells that the issuer wants to be called (ARC 01 or 02). A terminal without an attendant declines.
	Referral bool
	// ICC is field 55 of the answer: 91 (issuer authentication data), 71 and 72 (scripts). May be empty.
	ICC []byte
}

// Errors that end a transaction. They are wrapped in *Error, which says at which step.
var (
	ErrCancelled      = errors.New("emv: cancelled by the cardholder")
	ErrNotAccepted    = errors.New("emv: no application in common with the card")
	ErrCardBlocked    = errors.New("emv: card blocked")
	ErrAppBlocked     = errors.New("emv: application blocked")
	ErrBadCard        = errors.New("emv: the card's data break the specification")
	ErrCardLost       = errors.New("emv: card removed or mute")
	ErrConditionsFail = errors.New("emv: conditions of use not satisfied")
)

// Result is the card's side of a transaction as the acquirer, the receipt and the journal want it. It holds secrets (PAN, track 2):
// it is never logged.
type Result struct {
	AID            []byte // 4F / 84
	Label          string // 50, or 9F12 where its code table can be shown
	PAN            string // 5A, digits
	PSN            string // 5F34, two digits, "" when absent
	Expiry         string // YYMM of 5F24
	Track2         string // 57 as digits with 'D' as separator, padding F removed
	Cryptogram     []byte // 9F26 of the last GENERATE AC
	CID            byte   // 9F27 of the last GENERATE AC
	ATC            uint16 // 9F36
	TVR            [5]byte
	TSI            [2]byte
	CVMResults     [3]byte // 9F34
	OnlinePIN      bool    // an enciphered PIN was captured
	Signature      bool    // a signature line is wanted on the merchant copy
	ScriptResults  []byte  // DF31, 9F5B: five bytes a script, empty when there was none (Book 4, A5)
	IssuerAuthFail bool    // the card did not accept the issuer's cryptogram
	Reason         Reason  // of an AAC
	Advice         bool    // the card wants the issuer to hear of this declined transaction (Book 4, 6.3.7)
	UnableOnline   bool    // the issuer should have been asked and could not be (Book 4, 12.2.1)
	// ApprovalLost: the host, or the attendant after a referral, said yes and there is no approval by the card: it declined, broke
	// the rules or is gone. Whether that is reversed is the caller's affair (Book 4, 6.3.8).
	ApprovalLost bool
}

// Reason is what a card says about its AAC, bits 3 to 1 of the Cryptogram Information Data (Book 3, 6.5.5). Other values are reserved.
type Reason uint8

// Reasons of an AAC.
const (
	NoReason          Reason = iota
	ServiceNotAllowed        // the card must not be used here: the message is "not accepted" rather than "declined" (Book 3, 10.8.1)
	PINTryLimit
	IssuerAuthFailed
)

// Data returns the data objects of the transaction, the card's and the terminal's, for the DOLs and for field 55.
// ICC builds field 55: the named data objects in the given order, those that do not exist left out.
type Data interface {
	Get(tag tlv.Tag) ([]byte, bool)
	ICC(tags []tlv.Tag) []byte
}
