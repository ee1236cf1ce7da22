package ccid

import (
	"errors"
	"fmt"
)

// Values of bError, CCID table 6.2-2, that decide something. 81 is of the range that table leaves to vendors.
const (
	codeAborted   = 0xFF
	codeMute      = 0xFE
	codeTimeout   = 0xF0
	codeCancelled = 0xEF
	codeBusy      = 0xE0
	codeNoPIN     = 0x81 // extension of this package: Enter was pressed without a digit
)

// Errors of the reader and the card. They are wrapped together with their cause. hal.ErrUnplugged and context errors come through
// as they are, possibly wrapped.
var (
	// ErrCardRemoved: the card is not there, or is another one than the one that was powered.
	ErrCardRemoved = errors.New("ccid: card removed")
	// ErrMute: the card does not answer.
	ErrMute = errors.New("ccid: card does not answer")
	// ErrBadATR: the card's answer to reset breaks EMV Book 1, section 8, after a warm reset too. The cause is an *ATRError or a
	// *SlotError.
	ErrBadATR = errors.New("ccid: answer to reset not accepted")
	// ErrReader: the reader refused a command, does not answer, or what it says makes no sense.
	ErrReader = errors.New("ccid: reader failed")
	// ErrProtocol: card and reader work, but the card broke T=0 or T=1, or the line lost an answer that must not be asked for twice.
	ErrProtocol = errors.New("ccid: card protocol broken")
	// ErrClosed: the Reader was closed.
	ErrClosed = errors.New("ccid: reader closed")
)

// SlotError is a command that the reader answered with "failed" (CCID 6.2.6).
type SlotError struct {
	Command byte // message type
	Status  byte // bStatus
	Code    byte // bError
}

// slotErrors names the values of bError, CCID table 6.2-2.
var slotErrors = map[byte]string{
	0xFF: "command aborted", 0xFE: "card mute", 0xFD: "parity error", 0xFC: "overrun", 0xFB: "hardware error",
	0xF8: "bad TS", 0xF7: "bad TCK", 0xF6: "protocol not supported", 0xF5: "class not supported",
	0xF4: "procedure byte conflict", 0xF3: "deactivated protocol", 0xF2: "busy with automatic sequence",
	0xF0: "PIN timeout", 0xEF: "PIN cancelled", 0xE0: "slot busy", 0x00: "command not supported", 0x05: "no such slot",
	codeNoPIN: "Enter without a PIN",
}

func (e *SlotError) Error() string {
	name, ok := slotErrors[e.Code]
	if !ok {
		name = fmt.Sprintf("bad value at offset %d", e.Code)
	}
	return fmt.Sprintf("ccid: command %02X failed: %s (bStatus %02X, bError %02X)", e.Command, name, e.Status, e.Code)
}

// Values of bmICCStatus, bits 0 and 1 of bStatus.
const (
	iccActive   = 0
	iccInactive = 1
	iccAbsent   = 2
)

// fail turns a SlotError into the error that a caller can act on.
func (e *SlotError) fail() error {
	switch {
	case e.Status&3 == iccAbsent:
		return fmt.Errorf("%w: %w", ErrCardRemoved, e)
	case (e.Command == pcXfrBlock || e.Command == pcSecure) && e.Status&3 == iccInactive:
		// The card had power when the command was sent: it went out and in again.
		return fmt.Errorf("%w: %w", ErrCardRemoved, e)
	case e.Code == codeMute:
		return fmt.Errorf("%w: %w", ErrMute, e)
	case e.Code == 0xFD || e.Code == 0xFC || e.Code == 0xF4:
		return fmt.Errorf("%w: %w", ErrProtocol, e)
	}
	return fmt.Errorf("%w: %w", ErrReader, e)
}
