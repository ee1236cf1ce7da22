package pn532

import (
	"errors"
	"fmt"
)

// Errors of the chip and the card, wrapped together with their cause. hal.ErrUnplugged and context errors come through as they are,
// possibly wrapped. The first four mean the card; ErrTimeout, ErrTransmission and ErrProtocol are the three kinds that EMV's
// contactless books tell apart.
var (
	// ErrTimeout: the card did not answer in its time.
	ErrTimeout = errors.New("pn532: card does not answer")
	// ErrTransmission: what came from the card was damaged.
	ErrTransmission = errors.New("pn532: transmission error")
	// ErrProtocol: the card broke ISO/IEC 14443-4.
	ErrProtocol = errors.New("pn532: card protocol broken")
	// ErrGone: the card was released, deselected itself, failed before, or the field was switched off since it was activated.
	ErrGone = errors.New("pn532: card is not active any more")
	// ErrCollision: there is more than one card in the field.
	ErrCollision = errors.New("pn532: more than one card in the field")
	// ErrReader: the chip does not answer, refused a command, or what it says makes no sense.
	ErrReader = errors.New("pn532: reader failed")
	// ErrClosed: the Dev was closed.
	ErrClosed = errors.New("pn532: closed")
)

// StatusError is a command that the chip answered with an error (UM0701-02 section 7.1).
type StatusError struct {
	Command byte
	Status  byte // bits 0 to 5
}

// statuses names the error codes and sorts them, UM0701-02 table 15.
var statuses = map[byte]struct {
	name string
	is   error
}{
	0x01: {"time-out", ErrTimeout},
	0x02: {"CRC error", ErrTransmission},
	0x03: {"parity error", ErrTransmission},
	0x04: {"wrong bit count in anticollision", ErrTransmission},
	0x05: {"framing error", ErrTransmission},
	0x06: {"bit collision", ErrTransmission},
	0x07: {"buffer too small", ErrReader},
	0x09: {"RF buffer overflow", ErrProtocol},
	0x0A: {"RF field not switched on in time", ErrReader},
	0x0B: {"RF protocol error", ErrProtocol},
	0x0D: {"overheated", ErrReader},
	0x0E: {"internal buffer overflow", ErrReader},
	0x10: {"invalid parameter", ErrReader},
	0x12: {"unknown DEP command", ErrProtocol},
	0x13: {"data format does not match", ErrProtocol},
	0x14: {"authentication error", ErrProtocol},
	0x23: {"wrong UID check byte", ErrTransmission},
	0x25: {"invalid device state", ErrProtocol},
	0x26: {"not allowed in this configuration", ErrReader},
	0x27: {"not acceptable in this context", ErrGone},
	0x29: {"released", ErrGone},
	0x2A: {"another card", ErrGone},
	0x2B: {"card disappeared", ErrGone},
	0x2C: {"NFCID3 mismatch", ErrProtocol},
	0x2D: {"over-current", ErrReader},
	0x2E: {"NAD missing", ErrProtocol},
}

func (e *StatusError) Error() string {
	name := statuses[e.Status].name
	if name == "" {
		name = "unknown error"
	}
	return fmt.Sprintf("pn532: command %02X: %s (%02X)", e.Command, name, e.Status)
}

// Unwrap tells which of this package's errors it is.
func (e *StatusError) Unwrap() error {
	if is := statuses[e.Status].is; is != nil {
		return is
	}
	return ErrReader
}
