// Package scanner drives a barcode scanner on a serial line: a trigger command out, the code and a suffix in.
//
// There is no standard for these lines. The trigger commands are those of Honeywell's engines (SYN T CR, SYN U CR: "Serial Trigger
// Commands" of the Xenon and N-series user guides) and of Newland's (unified protocol, "SCNTRG1"); a scanner in presentation or
// continuous mode needs none. A code ends with the suffix that the board file names, or with a pause. An AIM symbology identifier
// (ISO/IEC 15424) in front of it is taken off.
//
// It does not judge what a code is for. A payment code is a secret for as long as it is valid: it is returned, and appears in no
// error and no log.
package scanner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"posd/hal"
)

// Trigger is the dialect of the commands that start and end reading.
type Trigger string

// Dialects, as the board file names them.
const (
	Honeywell Trigger = "honeywell"
	Newland   Trigger = "newland"
	NoTrigger Trigger = "none" // the scanner reads whatever is held before it
)

// triggers are the commands to start and to end reading.
var triggers = map[Trigger]struct{ on, off string }{
	Honeywell: {"\x16T\r", "\x16U\r"},
	Newland:   {"\x7e\x010000#SCNTRG1;\x03", "\x7e\x010000#SCNTRG0;\x03"},
	NoTrigger: {},
}

// Opts of a Scanner.
type Opts struct {
	Trigger Trigger       // NoTrigger when empty
	Suffix  string        // what the scanner sends after a code; CR when empty
	Gap     time.Duration // a pause that ends a code without suffix; 100 ms when zero
	MaxLen  int           // a longer code is dropped; 256 bytes when zero
}

// DefaultOpts suit a Honeywell engine as it leaves the factory.
var DefaultOpts = Opts{Trigger: Honeywell, Suffix: "\r", Gap: 100 * time.Millisecond, MaxLen: 256}

// ErrRefused: the scanner answered the trigger command with a refusal; its mode or the board file's dialect is wrong.
var ErrRefused = errors.New("trigger command refused")

// Error says what the driver was doing when the scanner could not be used. Err is hal.ErrUnplugged, ErrRefused or the line's error.
type Error struct {
	Op  string // "open", "trigger", "read"
	Err error
}

func (e *Error) Error() string { return "scanner: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Scanner is a scanner. One goroutine uses it.
type Scanner struct {
	open hal.Opener
	opts Opts
	port hal.Port
}

// commandTime is how long the few bytes of a trigger command may take: on a healthy line at 1200 bit/s they need 0.15 s.
const commandTime = 500 * time.Millisecond

// New returns a driver; the line is opened at the first Scan. A nil o means DefaultOpts.
func New(open hal.Opener, o *Opts) *Scanner {
	if o == nil {
		o = &DefaultOpts
	}
	s := &Scanner{open: open, opts: *o}
	if s.opts.Trigger == "" {
		s.opts.Trigger = NoTrigger
	}
	if s.opts.Suffix == "" {
		s.opts.Suffix = DefaultOpts.Suffix
	}
	if s.opts.Gap <= 0 {
		s.opts.Gap = DefaultOpts.Gap
	}
	if s.opts.MaxLen <= 0 {
		s.opts.MaxLen = DefaultOpts.MaxLen
	}
	return s
}

// Scan starts the scanner, waits for one code, and stops it again. Codes that were read before are dropped, so are noise and codes
// beyond MaxLen. When ctx ends it returns context.Cause(ctx); other errors are *Error.
func (s *Scanner) Scan(ctx context.Context) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if s.port == nil {
		p, err := s.open()
		if err != nil {
			return "", &Error{"open", err}
		}
		s.port = p
	}
	code, err := s.scan(ctx)
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrRefused) {
		// Whatever the line's trouble was, the next Scan starts with a fresh one.
		_ = s.port.Close() // it is given up
		s.port = nil
	}
	return code, err
}

func (s *Scanner) scan(ctx context.Context) (string, error) {
	if err := s.port.Flush(); err != nil {
		return "", &Error{"trigger", err}
	}
	cmd := triggers[s.opts.Trigger]
	if err := s.send(cmd.on); err != nil {
		return "", &Error{"trigger", err}
	}
	code, err := s.read(ctx)
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrRefused) {
		// A scanner that cannot be stopped still gave its code; it stops by itself after some seconds.
		_ = s.send(cmd.off)
	}
	return code, err
}

func (s *Scanner) send(cmd string) error {
	if cmd == "" {
		return nil
	}
	if err := s.port.SetWriteDeadline(time.Now().Add(commandTime)); err != nil {
		return err
	}
	_, err := s.port.Write([]byte(cmd))
	return err
}

// read waits for one good code.
func (s *Scanner) read(ctx context.Context) (string, error) {
	// The end of ctx moves the deadline into the past. The lock sees to it that the loop does not move it back.
	var mu sync.Mutex
	limit := func(t time.Time) error {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() != nil {
			t = time.Unix(1, 0)
		}
		return s.port.SetReadDeadline(t)
	}
	stop := context.AfterFunc(ctx, func() { _ = limit(time.Time{}) }) // a line that fails here fails in Read too
	defer stop()
	f := framer{suffix: s.opts.Suffix, max: s.opts.MaxLen}
	buf := make([]byte, 256)
	for {
		// Until a code has begun there is no limit but ctx.
		var t time.Time
		if f.begun() {
			t = time.Now().Add(s.opts.Gap)
		}
		if err := limit(t); err != nil {
			return "", &Error{"read", err}
		}
		n, err := s.port.Read(buf)
		for _, b := range buf[:n] {
			if code, ok := f.push(b); ok {
				return code, nil
			}
			if f.refused {
				return "", &Error{"trigger", ErrRefused}
			}
		}
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if code, ok := f.pause(); ok {
				return code, nil
			}
		default:
			return "", &Error{"read", err}
		}
	}
}

// Close ends the use of the line.
func (s *Scanner) Close() error {
	if s.port == nil {
		return nil
	}
	err := s.port.Close()
	s.port = nil
	return err
}

// String names the scanner and its line.
func (s *Scanner) String() string {
	if s.port == nil {
		return fmt.Sprintf("scanner(%s)", s.opts.Trigger)
	}
	return fmt.Sprintf("scanner(%s, %s)", s.opts.Trigger, s.port)
}
