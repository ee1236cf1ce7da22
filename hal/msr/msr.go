// Package msr drives a magnetic stripe reader on a serial line that sends the characters of a swipe by itself:
//
//	%track 1?;track 2?+track 3? CR
//
// There is no standard for these lines; this is what the common TTL and RS-232 swipe readers send as they leave the factory. A track that the
// reader could not read is missing, empty or ";E?". CR, LF, both, or a pause end a swipe. Some readers send the check character (LRC) of each
// track, which the board file says: it cannot be told from what follows.
//
// What the characters mean is package track's. The driver keeps nothing: what was read is wiped, and is in no error and no log. It knows no
// reader that enciphers, and no raw bits.
package msr

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"posd/hal"
	"posd/internal/track"
)

// Opts of a Reader.
type Opts struct {
	LRC bool          // each end sentinel is followed by its check character
	Gap time.Duration // a pause that ends a swipe without suffix; 150 ms when zero
}

// DefaultOpts suit most readers.
var DefaultOpts = Opts{Gap: 150 * time.Millisecond}

// Error says what the driver was doing when the reader could not be used. Err is hal.ErrUnplugged or the line's error.
type Error struct {
	Op  string // "open", "read"
	Err error
}

func (e *Error) Error() string { return "msr: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reader is a stripe reader. One goroutine uses it.
type Reader struct {
	open hal.Opener
	opts Opts
	port hal.Port
}

// New returns a driver; the line is opened at the first Drop or Swipe. A nil o means DefaultOpts.
func New(open hal.Opener, o *Opts) *Reader {
	if o == nil {
		o = &DefaultOpts
	}
	r := &Reader{open: open, opts: *o}
	if r.opts.Gap <= 0 {
		r.opts.Gap = DefaultOpts.Gap
	}
	return r
}

// Drop forgets what was swiped so far: cards from before the question, and what follows a swipe in the same breath (a card that is swiped to
// and fro). It opens the line where that is due. The error is an *Error.
func (r *Reader) Drop() error {
	if r.port != nil {
		if r.port.Flush() == nil {
			return nil
		}
		r.giveUp() // it may have been unplugged and be back
	}
	return r.ready()
}

func (r *Reader) ready() error {
	if r.port != nil {
		return nil
	}
	p, err := r.open()
	if err != nil {
		return &Error{"open", err}
	}
	r.port = p
	return nil
}

// giveUp has the next use start with a fresh line, whatever the trouble of this one was.
func (r *Reader) giveUp() {
	_ = r.port.Close()
	r.port = nil
}

// Swipe waits for one swipe; what was swiped since Drop counts. A swipe that cannot be read is a *track.Error. When ctx ends it returns
// context.Cause(ctx); other errors are *Error.
func (r *Reader) Swipe(ctx context.Context) (track.Card, error) {
	if ctx.Err() != nil {
		return track.Card{}, context.Cause(ctx)
	}
	if err := r.ready(); err != nil {
		return track.Card{}, err
	}
	var f framer
	defer f.wipe()
	err := r.read(ctx, &f)
	switch {
	case err != nil && ctx.Err() != nil:
		return track.Card{}, context.Cause(ctx)
	case err != nil:
		r.giveUp()
		return track.Card{}, &Error{"read", err}
	}
	return track.Parse(f.swipe(), r.opts.LRC)
}

// read fills f with one swipe.
func (r *Reader) read(ctx context.Context, f *framer) error {
	// The end of ctx moves the deadline into the past. The lock sees to it that the loop does not move it back.
	var mu sync.Mutex
	limit := func(t time.Time) error {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() != nil {
			t = time.Unix(1, 0)
		}
		return r.port.SetReadDeadline(t)
	}
	stop := context.AfterFunc(ctx, func() { _ = limit(time.Time{}) }) // a line that fails here fails in Read too
	defer stop()
	var buf [64]byte
	defer clear(buf[:])
	for {
		// Until a swipe has begun there is no limit but ctx.
		var t time.Time
		if f.begun() {
			t = time.Now().Add(r.opts.Gap)
		}
		if err := limit(t); err != nil {
			return err
		}
		n, err := r.port.Read(buf[:])
		for _, b := range buf[:n] {
			if f.push(b) {
				return nil
			}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if f.begun() {
				return nil // a pause ends it
			}
		default:
			return err
		}
	}
}

// Close ends the use of the line.
func (r *Reader) Close() error {
	if r.port == nil {
		return nil
	}
	err := r.port.Close()
	r.port = nil
	return err
}

// String names the reader and its line.
func (r *Reader) String() string {
	if r.port == nil {
		return "msr"
	}
	return fmt.Sprintf("msr(%s)", r.port)
}
