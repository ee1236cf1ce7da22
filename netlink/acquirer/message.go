package acquirer

import (
	"fmt"
	"time"

	"posd/internal/money"
)

// Entry is how the card data reached the terminal; the profile turns it into field 22.
type Entry string

// Entry modes.
const (
	EntryChip        Entry = "chip"
	EntryContactless Entry = "contactless"
	EntryMagstripe   Entry = "magstripe"
	EntryFallback    Entry = "fallback"
	EntryManual      Entry = "manual"
)

// Sale is a purchase as txn hands it over. It holds secrets and is never logged.
type Sale struct {
	STAN     uint32 // field 11, 1..999999
	Batch    uint32 // field 60.2, 1..999999
	Amount   money.Amount
	Entry    Entry
	PAN      string
	Expiry   string // YYMM
	PSN      string // two digits or ""
	Track2   string // digits with 'D'; "" when there is none
	Track3   string // likewise
	PINBlock []byte // 8 bytes, nil when no PIN was entered
	ICC      []byte // field 55
	Time     time.Time
}

// Format keeps card data out of anything that prints a Sale by mistake.
func (s Sale) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "sale with STAN %06d", s.STAN) }

// Reversal repeats what is needed of the original and says why. Its wire form depends on the fields here alone, so a repeat is
// the same message byte for byte.
type Reversal struct {
	STAN   uint32 // of the original
	Batch  uint32
	Amount money.Amount
	Entry  Entry
	HadPIN bool
	PAN    string
	Expiry string
	PSN    string
	Auth   string // field 38 when known
	RRN    string // field 37 when known
	Reason string // field 39: ReasonNoReply, ReasonBadMAC, ...
	ICC    []byte // field 55 of a reversal (95 9F1E 9F10 9F36 DF31)
	Time   time.Time
}

// Format keeps card data out of anything that prints a Reversal by mistake.
func (r Reversal) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "reversal of STAN %06d", r.STAN) }

// Reasons for a reversal, field 39 of the request (conflict reason codes of the UnionPay family).
const (
	ReasonNoReply = "98" // no answer received in time
	ReasonBadMAC  = "A0" // the answer's MAC is wrong
	ReasonBadData = "96" // the answer cannot be processed
	ReasonOther   = "06" // card refused after the host approved, and the like
)

// Action is what the profile's response-code table says a code means.
type Action uint8

// Actions.
const (
	Decline Action = iota // also for a code that the table does not know
	Approve
	Retry   // not done, may be tried again later
	SignOn  // not done, sign on first
	Capture // decline, and keep the card
	Refer   // the issuer wants to be called: no yes, whatever comes of the call
)

// Reply is an answer that was matched to its request (MTI, fields 3, 4, 11, 41, 42) and whose MAC is right.
type Reply struct {
	Code       string // field 39
	Action     Action
	Text       map[string]string // the table's text by language: "zh", "en"
	RRN        string            // field 37
	Auth       string            // field 38
	HostTime   string            // field 12, hhmmss
	HostDate   string            // field 13, MMDD
	SettleDate string            // field 15, MMDD
	Issuer     string            // field 44.1
	Acquirer   string            // field 44.2
	Institute  string            // field 32, the acquiring institution
	Scheme     string            // field 63.1
	ICC        []byte            // field 55
	Requested  byte              // processing request digit of the header, 0 none, 3 sign on again, ...
}

// Failure tells how far a request got when there is no Reply. Reason is the conflict code for the reversal.
//
// A request that may have left and has no believable answer is unknown, never a no.
type Failure struct {
	Sent   bool   // at least one byte may have left
	Reason string // ReasonNoReply, ReasonBadMAC or ReasonBadData; "" when Sent is false
	// SignOn is true when an answer that is not believed says that the keys are wrong: a hint that signing on before the reversal
	// will help. It decides nothing about the money.
	SignOn bool
	Err    error // *netlink.Error, *iso8583.Error, *EnvelopeError, *MismatchError or the error of the keys
}

func (f *Failure) Error() string {
	if !f.Sent {
		return fmt.Sprintf("acquirer: not sent: %v", f.Err)
	}
	return fmt.Sprintf("acquirer: no valid answer (%s): %v", f.Reason, f.Err)
}

func (f *Failure) Unwrap() error { return f.Err }
