package hal

import (
	"context"
	"errors"
	"io"
	"time"
)

// Port is an open byte line to a device.
//
// Read returns as soon as there is at least one byte. A passed deadline is os.ErrDeadlineExceeded; a device that is gone is
// ErrUnplugged; after Close every call returns os.ErrClosed. Close unblocks a pending Read or Write.
type Port interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	// Flush throws away what was received and not read, and what was written and not sent.
	Flush() error
	// Drain waits until everything written has left, or ctx ends.
	Drain(ctx context.Context) error
	// SetBaud changes the line speed in bit/s.
	SetBaud(baud int) error
	String() string
}

// Opener opens the line to a device. Drivers call it at the first use and again after ErrUnplugged, so a device that comes back
// works without a restart.
type Opener func() (Port, error)

// ErrUnplugged is returned by a Port whose device went away.
var ErrUnplugged = errors.New("hal: device unplugged")
