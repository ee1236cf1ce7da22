package pinpad

import (
	"context"
	"errors"
	"fmt"

	"posd/vault"
)

// Causes of failure. Dev's methods return them wrapped together with vault.ErrPad (what the cardholder did: together with
// vault.ErrPINCancelled or vault.ErrPINTimeout).
var (
	ErrEndedByPad  = errors.New("pinpad: the pad ended the request")
	ErrThrottled   = errors.New("pinpad: the pad refuses: too many PIN entries in a short time; wait a minute")
	ErrNoMasterKey = errors.New("pinpad: no master key in the selected slot: the pad must be injected")
	ErrNoAnswer    = errors.New("pinpad: no answer: check power and cable of the PIN pad, and the line speed")
	ErrLine        = errors.New("pinpad: the line garbles what is sent: check cable and line speed")
	ErrProtocol    = errors.New("pinpad: an answer that does not belong to the request")
	ErrUncertain   = errors.New("pinpad: not certain whether the pad took the PIN request; it was cancelled")
	ErrEcho        = errors.New("pinpad: the pad echoed another key: nothing was loaded")
	ErrRequest     = errors.New("pinpad: the request cannot be sent")
)

// CodeError is an error code that the pad answered.
type CodeError struct {
	Packet string // "71", "Z67", "02", "08", "Z2"
	Code   byte   // printable ASCII
	Text   string
}

func (e *CodeError) Error() string {
	return fmt.Sprintf("pinpad: the pad refuses (%s, code %c): %s", e.Packet, e.Code, e.Text)
}

// AnswerError tells what is wrong with the form of an answer. It never quotes the answer.
type AnswerError struct {
	Packet string
	Field  string
	Offset int // in characters of id and data
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("pinpad: bad answer %s: %s at character %d", e.Packet, e.Field, e.Offset)
}

func (e *AnswerError) Unwrap() error { return ErrProtocol }

// Error texts of answer 71 for master/session keys.
var (
	codes71VF = map[byte]string{
		'1': "no master key in the selected slot",
		'2': "card number or PIN key not accepted",
		'3': "PIN too long",
		'4': "PIN too short or not digits",
		'5': "the pad is set to DUKPT",
		'6': "the master key may not be used for this",
		'7': "the PIN key may not be used for this",
	}
	codes71UIC = map[byte]string{
		'0': "card number missing",
		'1': "PIN key longer than the master key, or not fit for its use",
		'2': "card number shorter than 8 digits",
		'3': "card number longer than 19 digits",
		'4': "card number is not digits",
		'5': "PIN key has a bad format",
		'6': "bad time-out value",
		'7': "too many PIN entries within the hour",
		'8': "bad amount, PIN length or prompt",
		'9': "no master key in the selected slot",
		'A': "the selected key is not for PINs",
		'B': "flash memory failure",
		'C': "memory failure",
		'E': "bad field length",
		'G': "key file failure",
	}
	codesZ67 = map[byte]string{
		'2': "packet out of sequence",
		'3': "bad key slot",
		'4': "bad second key slot",
		'5': "bad length",
		'6': "bad flag",
		'7': "bad data",
		'8': "MAC key not accepted",
		'9': "the master key may not be used for MACs, or is shorter than the MAC key",
		'A': "the MAC key may not be used for this",
	}
	codes02 = map[byte]string{
		'2': "the same key is in another slot",
		'3': "internal failure",
		'4': "internal failure",
		'7': "the key block cannot be opened",
		'A': "bad key block format",
		'B': "longer than the key that protects it",
		'C': "key block MAC wrong",
		'D': "no key-loading key",
		'E': "the slot is not for this use",
		'F': "too many loads",
	}
)

func codeError(packet string, code byte, table map[byte]string) error {
	text := table[code]
	if text == "" {
		text = "unknown code"
	}
	return &CodeError{packet, code, text}
}

// outward makes the error that a caller sees: contexts and what the cardholder did as they are, the rest with vault.ErrPad.
func outward(err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, vault.ErrPINCancelled), errors.Is(err, vault.ErrPINTimeout):
		return err
	}
	return fmt.Errorf("%w: %w", vault.ErrPad, err)
}
