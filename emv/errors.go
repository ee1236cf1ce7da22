package emv

import (
	"errors"
	"fmt"
)

// Steps of a transaction, in the order of Book 3, chapter 10; Error.Step is one of them.
const (
	StepSelection    = "application selection"
	StepInitiate     = "initiate application processing"
	StepRecords      = "read application data"
	StepODA          = "offline data authentication"
	StepRestrictions = "processing restrictions"
	StepCVM          = "cardholder verification"
	StepRisk         = "terminal risk management"
	StepAction       = "card action analysis"
	StepCompletion   = "completion"
)

// Error ends a transaction: it says at which step and why. It wraps one of the sentinels, and beside it the cause where there is
// one: errors.Is finds ErrCardLost as well as the transport's own error. Its text holds tags, offsets and status words, never the
// value of a data object.
type Error struct {
	Step   string
	Reason string // more than the sentinel says; may be empty
	SW     uint16 // the card's status bytes where they are the reason, else 0
	Err    error
}

func (e *Error) Error() string {
	s := e.Step + ": " + e.Err.Error()
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	if e.SW != 0 {
		s += fmt.Sprintf(" (SW %04X)", e.SW)
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// ErrNotOnline is returned by Session.Complete when the session does not wait for the issuer.
var ErrNotOnline = errors.New("emv: the session does not wait for an issuer")

// ErrRequest is returned by Kernel.Start for a transaction that cannot be put to a card: a negative amount, no source of
// randomness, and the like.
var ErrRequest = errors.New("emv: impossible transaction")

// badCard is the error for data that break the specification.
func badCard(step, format string, args ...any) error {
	return &Error{Step: step, Reason: fmt.Sprintf(format, args...), Err: ErrBadCard}
}

// badData is badCard with a typed cause, as the parsers of emv/tlv return it.
func badData(step, what string, cause error) error {
	return &Error{Step: step, Reason: what, Err: fmt.Errorf("%w: %w", ErrBadCard, cause)}
}
