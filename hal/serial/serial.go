// Package serial is hal.Port over a serial line of Linux.
//
// tarm/serial opens and configures the line (raw, VMIN 1) and its file is kept open, but never read or written: its Close blocks
// under a pending Read, its time-out and a pulled plug look alike, and a stalled Write never returns. All I/O goes through a second,
// non-blocking file on the same path, which the Go runtime polls: deadlines are exact, Close unblocks, a hang-up is told apart.
// Settings belong to the line, so those made on one file hold for the other (termios(3), tty_ioctl(4)).
//
// It does no framing, no retries and no reopening: drivers own those. Modem lines are not part of hal.Port; RTS/CTS flow control is
// a setting.
package serial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	tarm "github.com/tarm/serial"
	"golang.org/x/sys/unix"

	"posd/hal"
)

// ErrBusy is wrapped by Open when another program has the line.
var ErrBusy = errors.New("serial: line is in use by another program")

// ErrBaud is wrapped when the line cannot run at the asked speed.
var ErrBaud = errors.New("serial: speed not supported")

// Parity of a character.
type Parity byte

// Parities.
const (
	None Parity = iota
	Odd
	Even
)

// Config describes a line. Only Path and Baud are needed: 8 data bits, no parity, one stop bit.
type Config struct {
	Path     string
	Baud     int // bit/s; one that termios has no name for is set as a number (BOTHER)
	DataBits int // 7 or 8; 8 when zero
	Parity   Parity
	TwoStop  bool // two stop bits
	RTSCTS   bool // hardware flow control
}

// Opener returns a hal.Opener of the line.
func Opener(c Config) hal.Opener { return func() (hal.Port, error) { return Open(c) } }

// Open opens and configures the line and takes it exclusively. Errors wrap the cause (os.ErrNotExist, os.ErrPermission, ErrBusy,
// ErrBaud, syscall.ENOTTY where the path is not a serial line) and name the path.
func Open(c Config) (hal.Port, error) {
	p, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("serial: %s: %w", c.Path, err)
	}
	return p, nil
}

func open(c Config) (_ *port, err error) {
	if c.Baud < 50 || c.Baud > 4_000_000 {
		return nil, fmt.Errorf("%d bit/s: %w", c.Baud, ErrBaud)
	}
	tc := tarm.Config{Name: c.Path, Baud: c.Baud, Size: byte(c.DataBits), StopBits: tarm.Stop1}
	if c.TwoStop {
		tc.StopBits = tarm.Stop2
	}
	switch c.Parity {
	case None:
		tc.Parity = tarm.ParityNone
	case Odd:
		tc.Parity = tarm.ParityOdd
	case Even:
		tc.Parity = tarm.ParityEven
	default:
		return nil, fmt.Errorf("parity %d: %w", c.Parity, tarm.ErrBadParity)
	}
	_, named := bauds[c.Baud]
	if !named {
		tc.Baud = 9600 // tarm refuses the rest; the real speed is set below
	}
	p := &port{path: c.Path, closed: make(chan struct{})}
	if p.line, err = tarm.OpenPort(&tc); err != nil {
		if errors.Is(err, syscall.EBUSY) {
			err = ErrBusy
		}
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = p.line.Close() // the first error counts
			if p.f != nil {
				_ = p.f.Close()
			}
		}
	}()
	if p.f, err = os.OpenFile(c.Path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0); err != nil {
		return nil, err
	}
	if err = p.f.SetDeadline(time.Time{}); err != nil { // not pollable: a plain file can be configured by no tty call anyway
		return nil, err
	}
	if err = p.claim(); err != nil {
		return nil, err
	}
	if c.RTSCTS {
		if err = p.flowControl(); err != nil {
			return nil, err
		}
	}
	p.baud.Store(int64(c.Baud))
	if !named {
		if err = p.SetBaud(c.Baud); err != nil {
			return nil, err
		}
	}
	return p, nil
}

type port struct {
	path string
	line *tarm.Port // configured the line; never read or written
	f    *os.File   // all I/O
	pty  bool       // no exclusive mode was set

	baud   atomic.Int64
	gone   atomic.Bool
	once   sync.Once
	closed chan struct{}
}

// goneWait is how long a Read or Write on a line that is known to be gone takes before it says so again, so that a loop which
// overlooks ErrUnplugged does not burn the processor.
const goneWait = 100 * time.Millisecond

func (p *port) Read(b []byte) (int, error)  { return p.do(b, p.f.Read) }
func (p *port) Write(b []byte) (int, error) { return p.do(b, p.f.Write) }

func (p *port) do(b []byte, op func([]byte) (int, error)) (int, error) {
	if p.gone.Load() {
		t := time.NewTimer(goneWait)
		defer t.Stop()
		select {
		case <-p.closed:
			return 0, os.ErrClosed
		case <-t.C:
			return 0, p.unplugged()
		}
	}
	n, err := op(b)
	if err == nil {
		return n, nil
	}
	return n, p.mapError(err)
}

// mapError tells the three apart: passed deadline, closed here, gone there. A read of zero bytes (io.EOF) is a hang-up, never the
// end of anything.
func (p *port) mapError(err error) error {
	select {
	case <-p.closed: // ioctls and deadlines say it in other words than Read
		return os.ErrClosed
	default:
	}
	switch {
	case errors.Is(err, os.ErrClosed):
		return os.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case errors.Is(err, io.EOF), errors.Is(err, syscall.EIO), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		p.gone.Store(true)
		return p.unplugged()
	}
	return err
}

func (p *port) unplugged() error { return fmt.Errorf("serial: %s: %w", p.path, hal.ErrUnplugged) }

// Close may be called twice; the second call returns os.ErrClosed.
func (p *port) Close() error {
	err := os.ErrClosed
	p.once.Do(func() {
		close(p.closed)
		if !p.pty {
			// The flag lives as long as anybody has the line open. An error means that the line is gone, and the flag with it.
			_ = p.control(func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCNXCL, 0) })
		}
		err = errors.Join(p.f.Close(), p.line.Close())
	})
	return err
}

func (p *port) SetReadDeadline(t time.Time) error  { return p.deadline(p.f.SetReadDeadline(t)) }
func (p *port) SetWriteDeadline(t time.Time) error { return p.deadline(p.f.SetWriteDeadline(t)) }

func (p *port) deadline(err error) error {
	if err != nil {
		return p.mapError(err)
	}
	return nil
}

// Flush drops both directions of the kernel's buffers.
func (p *port) Flush() error {
	return p.named("flush", p.control(func(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH) }))
}

// Drain watches the output queue instead of calling tcdrain, which cannot be interrupted while the peer holds the line. Where the
// driver can tell, it also waits for the transmitter's own buffer.
func (p *port) Drain(ctx context.Context) error {
	for {
		var queued, lsr int
		err := p.control(func(fd int) error {
			var err error
			if queued, err = unix.IoctlGetInt(fd, unix.TIOCOUTQ); err != nil {
				return err
			}
			if lsr, err = unix.IoctlGetInt(fd, tiocsergetlsr); err != nil {
				lsr = tiocserTEMT // not a UART, or one that cannot tell
			}
			return nil
		})
		if err != nil {
			return p.named("drain", err)
		}
		if queued == 0 && lsr&tiocserTEMT != 0 {
			return nil
		}
		// Ten bits a character; look again when most of it should have left.
		wait := time.Duration(queued) * 10 * time.Second / time.Duration(max(p.baud.Load(), 1))
		t := time.NewTimer(min(max(wait, time.Millisecond), 20*time.Millisecond))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-p.closed:
			t.Stop()
			return os.ErrClosed
		}
	}
}

func (p *port) String() string { return fmt.Sprintf("serial:%s@%d", p.path, p.baud.Load()) }

// named says what failed, unless err is one of those that every call may return.
func (p *port) named(what string, err error) error {
	if err == nil || err == os.ErrClosed || errors.Is(err, hal.ErrUnplugged) {
		return err
	}
	return fmt.Errorf("serial: %s: %s: %w", p.path, what, err)
}

// control runs ioctls on the polled file without taking it out of the poller, as Fd would.
func (p *port) control(do func(fd int) error) error {
	c, err := p.f.SyscallConn()
	if err != nil {
		return p.mapError(err)
	}
	var inner error
	if err := c.Control(func(fd uintptr) { inner = do(int(fd)) }); err != nil {
		return p.mapError(err)
	}
	if inner != nil {
		return p.mapError(inner)
	}
	return nil
}
