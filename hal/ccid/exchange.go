package ccid

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"posd/hal"
)

// idempotent tells whether a command may be sent again when its answer was lost: it then asks for nothing that it did not ask for
// the first time. XfrBlock is not: the card has already done what it says. Nor is a PIN entry.
func idempotent(m message) bool { return m.typ != pcXfrBlock && m.typ != pcSecure && !m.pin() }

// command sends m and returns its answer. It fills in slot and sequence number. A command that the reader did not understand (NAK)
// is sent again; one whose answer was lost only when it is idempotent. The answer's status is checked: "failed" is a *SlotError,
// wrapped as SlotError.fail says.
func (r *Reader) command(ctx context.Context, m message) (message, error) {
	return r.commandWait(ctx, m, patience{answer: r.o.Answer, limit: r.o.Limit})
}

// patience is how long the answer to a command may take, and who wants to hear of time extensions.
type patience struct {
	answer time.Duration // from the command, or a time extension, to the answer
	limit  time.Duration // for the command with all its time extensions and resends
	extend func(message) // told each time extension that is a CCID message; may be nil
}

func (r *Reader) commandWait(ctx context.Context, m message, p patience) (message, error) {
	m.slot = r.o.Slot
	limit := time.Now().Add(p.limit)
	var cause error
	for try := 0; try <= r.o.Retries && time.Now().Before(limit); try++ {
		if err := r.ready(ctx); err != nil {
			return message{}, err
		}
		r.seq++
		m.seq = r.seq
		a, err := r.once(ctx, m, p, limit)
		switch {
		case err == nil && a.b[0]>>6 == 1:
			e := &SlotError{Command: m.typ, Status: a.b[0], Code: a.b[1]}
			if e.Code != codeBusy {
				return message{}, e.fail()
			}
			// A PIN entry that was given up, and that the reader would not abort, ends by its own time-out: the slot is free then.
			if err := pause(ctx, r.o.Poll); err != nil {
				return message{}, err
			}
			cause, try = e, try-1
		case err == nil:
			return a, nil
		case errors.Is(err, errNAK), errors.Is(err, errLost) && idempotent(m):
			cause = err
		case errors.Is(err, errLost):
			return message{}, fmt.Errorf("%w: the answer to a block was lost: %w", ErrProtocol, err)
		default:
			return message{}, err
		}
	}
	return message{}, fmt.Errorf("%w: command %02X: %w", ErrReader, m.typ, cause)
}

// Reasons to send a command again.
var (
	errNAK  = errors.New("ccid: NAK")
	errLost = errors.New("ccid: no valid answer in time")
)

// once sends m one time and waits for its answer. The wait ends at the context's end, at limit, or when p.answer has passed since
// the last sign of life (the command, a time extension).
func (r *Reader) once(ctx context.Context, m message, p patience, limit time.Time) (message, error) {
	if err := ctx.Err(); err != nil {
		return message{}, err
	}
	if r.dirty { // a wait was given up: whatever is still on the line belongs to it
		r.dec = decoder{}
		if err := r.port.Flush(); err != nil {
			return message{}, r.broken(err)
		}
	}
	r.dirty, r.dec.garbage = true, false
	defer interrupt(ctx, r.port)()

	deadline := earlier(time.Now().Add(p.answer), limit)
	if err := r.port.SetWriteDeadline(deadline); err != nil {
		return message{}, r.broken(err)
	}
	if _, err := r.port.Write(m.appendFrame(nil)); err != nil {
		return message{}, r.waitError(ctx, err)
	}
	var buf [maxFrame]byte
	for {
		a, alive, err := r.scan(m, p.extend)
		switch {
		case err == nil:
			r.dirty = false
			return a, nil
		case !errors.Is(err, errMore):
			return message{}, err
		case alive:
			deadline = earlier(time.Now().Add(p.answer), limit)
		}
		if err := r.port.SetReadDeadline(deadline); err != nil {
			return message{}, r.broken(err)
		}
		if err := ctx.Err(); err != nil { // it may have ended before the deadline was set
			return message{}, err
		}
		n, err := r.port.Read(buf[:])
		r.dec.push(buf[:n])
		if err == nil {
			continue
		}
		if err = r.waitError(ctx, err); !errors.Is(err, errLost) {
			return message{}, err
		}
		// Garbage that looked like the head of a frame may hide the answer.
		for r.dec.skip() {
			if a, _, err := r.scan(m, p.extend); err == nil {
				r.dirty = false
				return a, nil
			}
		}
		return message{}, err
	}
}

var errMore = errors.New("ccid: more bytes needed")

// scan looks through what was received for the answer to m. alive tells that the reader asked for more time.
func (r *Reader) scan(m message, extend func(message)) (a message, alive bool, err error) {
	var bad, refused error
	for {
		it, ok := r.dec.next()
		if !ok {
			break
		}
		switch it.kind {
		case itemNAK:
			// Three bytes in the middle of rubbish may as well be what is left of an answer: then the command was carried out.
			if refused = errNAK; r.dec.garbage || bad != nil {
				refused = fmt.Errorf("%w: NAK among garbage", errLost)
			}
		case itemBad:
			bad = it.err
		case itemTime:
			alive = true
		case itemMessage:
			switch a := it.msg; {
			case isEcho(a.typ), a.seq != m.seq, a.slot != m.slot: // echo, or an answer that nobody waits for any more
			case a.typ != answerType(m.typ):
				return message{}, false, fmt.Errorf("%w: answer %02X to command %02X", ErrReader, a.typ, m.typ)
			case a.b[0]>>6 == 2:
				if alive = true; extend != nil {
					extend(a)
				}
			default:
				return a, alive, nil
			}
		}
	}
	switch {
	case bad != nil:
		return message{}, alive, fmt.Errorf("%w: %w", errLost, bad)
	case refused != nil:
		return message{}, alive, refused
	}
	return message{}, alive, errMore
}

// answerType is the type of the answer to a command, CCID table 6.2-1.
func answerType(command byte) byte {
	switch command {
	case pcPowerOn, pcXfrBlock, pcSecure:
		return rdrDataBlock
	case pcSetParams:
		return rdrParameters
	case pcEscape:
		return rdrEscape
	}
	return rdrSlotStatus
}

// interrupt has the port give up what it waits for when ctx ends, until the function returned is called. That function leaves nothing
// behind that could touch the deadlines of the next command.
func interrupt(ctx context.Context, p hal.Port) (stop func()) {
	done := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		past := time.Unix(1, 0)
		// Errors mean that the port is gone, which ends the wait too.
		_ = p.SetReadDeadline(past)
		_ = p.SetWriteDeadline(past)
	})
	return func() {
		if !cancel() {
			<-done
		}
	}
}

// waitError sorts out what ended a Read or Write.
func (r *Reader) waitError(ctx context.Context, err error) error {
	if cerr := ctx.Err(); cerr != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return cerr
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errLost
	}
	return r.broken(err)
}

// broken lets go of a port that returned err; the next command opens a new one.
func (r *Reader) broken(err error) error {
	if r.port != nil {
		_ = r.port.Close() // it has failed already; err is the one to tell
		r.port = nil
	}
	r.dec, r.dirty = decoder{}, false
	r.powered++ // the card that was powered is not to be talked to any more
	if errors.Is(err, io.EOF) && !errors.Is(err, hal.ErrUnplugged) {
		err = hal.ErrUnplugged
	}
	return fmt.Errorf("ccid: line: %w", err)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
