package netlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
)

// Cause is why a Link could not do what was asked, in the terms in which a person can do something about it.
type Cause uint8

// Causes.
const (
	Unreachable Cause = iota + 1 // nothing answers at the address: cable, SIM card, address, host down
	TLSRefused                   // one side does not trust the other: certificate, CA, name, clock
	Silent                       // no answer in time, or the caller gave up
	Closed                       // the host ended the connection
	BadFrame                     // what came is not this protocol
)

func (c Cause) String() string {
	switch c {
	case Unreachable:
		return "unreachable"
	case TLSRefused:
		return "TLS refused"
	case Silent:
		return "no answer in time"
	case Closed:
		return "connection closed"
	case BadFrame:
		return "bad frame"
	}
	return "unknown"
}

// Error is a failure of a Link.
type Error struct {
	Op      string // "configure", "connect", "TLS handshake", "send", "receive"
	Address string // host:port, "" when there was no connection
	Cause   Cause
	Err     error
}

func (e *Error) Error() string {
	if e.Address == "" {
		return fmt.Sprintf("netlink: %s: %v: %v", e.Op, e.Cause, e.Err)
	}
	return fmt.Sprintf("netlink: %s %s: %v: %v", e.Op, e.Address, e.Cause, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// fail classifies an error of Connect.
func (l *Link) fail(op, address string, cause Cause, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded) {
		cause = Silent
	}
	return &Error{Op: op, Address: address, Cause: cause, Err: err}
}

// isTLS tells whether an error after the handshake is an alert: under TLS 1.3 a host that refuses the terminal's certificate says so
// only then.
func isTLS(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}
