package pinpad

import (
	"context"
	"errors"
	"os"
	"time"

	"posd/hal"
)

// Waiting times and counts. The pad's own 5 s before it repeats an answer is documented, the others are ours.
const (
	ackWait    = 2 * time.Second        // for ACK or NAK of a frame
	answerWait = 6 * time.Second        // for an answer: long enough for a lost one to be repeated
	closeWait  = 2 * time.Second        // for the EOT that ends an admin exchange
	gapWait    = 300 * time.Millisecond // silence inside a frame after which it is lost
	quiet      = 200 * time.Millisecond // silence that ends a drain
	drainMax   = 3 * time.Second
	writeWait  = 3 * time.Second
	tries      = 3
)

// errTimeout is silence until a deadline.
var errTimeout = errors.New("pinpad: silence")

// link is the line during one call.
type link struct {
	port   hal.Port
	ps     parser
	buf    [128]byte
	r, n   int
	acked  bool // something of this call was answered
	unsure bool // the next call must begin with 72
}

// wipe forgets what was received: there may have been a key or a PIN block.
func (l *link) wipe() {
	clear(l.buf[:])
	clear(l.ps.buf[:])
}

// next waits for an event. Silence until deadline is errTimeout; the end of ctx is its error.
func (l *link) next(ctx context.Context, deadline time.Time) (event, error) {
	for {
		for l.r < l.n {
			b := l.buf[l.r]
			l.r++
			if ev, ok := l.ps.push(b); ok {
				return ev, nil
			}
		}
		until := deadline
		if l.ps.partial() {
			if gap := time.Now().Add(gapWait); gap.Before(until) {
				until = gap
			}
		}
		n, err := l.read(ctx, until)
		l.r, l.n = 0, n
		if n > 0 {
			continue
		}
		switch {
		case err == nil: // a Port does not do that, but it must not spin
			return event{}, hal.ErrUnplugged
		case ctx.Err() != nil:
			return event{}, ctx.Err()
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return event{}, err
		case l.ps.partial() && until != deadline:
			l.ps.reset()
			return event{kind: evBad}, nil
		default:
			l.ps.reset()
			return event{}, errTimeout
		}
	}
}

// read is Port.Read that ends with ctx.
func (l *link) read(ctx context.Context, until time.Time) (int, error) {
	if err := l.port.SetReadDeadline(until); err != nil {
		return 0, err
	}
	ran := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ran)
		_ = l.port.SetReadDeadline(time.Unix(1, 0))
	})
	n, err := l.port.Read(l.buf[:])
	if !stop() {
		<-ran // or it would hit the next read
	}
	return n, err
}

func (l *link) write(b ...byte) error {
	if err := l.port.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	_, err := l.port.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrNoAnswer
	}
	return err
}

// send sends a frame until it is ACKed. With once it is not repeated unless the pad said NAK, and doubt is ErrUncertain.
func (l *link) send(ctx context.Context, admin bool, body []byte, once bool) error {
	f := appendFrame(make([]byte, 0, len(body)+3), admin, body)
	defer clear(f)
	silent, naks, stale, ends := 0, 0, 0, 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.write(f...); err != nil {
			return err
		}
		deadline := time.Now().Add(ackWait)
	wait:
		for {
			ev, err := l.next(ctx, deadline)
			if errors.Is(err, errTimeout) {
				if once {
					return ErrUncertain
				}
				if silent++; silent == tries {
					return ErrNoAnswer
				}
				break wait
			}
			if err != nil {
				return err
			}
			switch ev.kind {
			case evACK:
				l.acked = true
				return nil
			case evNAK:
				l.acked = true
				if naks++; naks == tries {
					_ = l.write(eot)
					return ErrLine
				}
				break wait
			case evEOT:
				l.acked = true
				if ends++; once || ends == 2 {
					return ErrEndedByPad
				}
				break wait // it may have ended something older
			case evFrame: // an answer to an older request, or the ACK was lost: refuse it, so that it commits nothing
				l.acked = true
				if err := l.write(eot); err != nil {
					return err
				}
				if once {
					return ErrUncertain
				}
				if stale++; stale == tries {
					return ErrProtocol
				}
				silent, deadline = 0, time.Now().Add(ackWait)
			}
		}
	}
}

// answer waits for a frame that the caller then ACKs, or refuses with EOT. Damaged ones are asked for again.
func (l *link) answer(ctx context.Context, deadline time.Time, admin bool, id string, digit func(evClear bool)) ([]byte, error) {
	naks := 0
	for {
		ev, err := l.next(ctx, deadline)
		if errors.Is(err, errTimeout) && naks > 0 {
			return nil, ErrLine
		}
		if err != nil {
			return nil, err
		}
		switch ev.kind {
		case evFrame:
			if ev.admin != admin || len(ev.body) < len(id) || string(ev.body[:len(id)]) != id {
				_ = l.write(eot)
				return nil, ErrProtocol
			}
			return ev.body, nil
		case evBad:
			if naks++; naks == tries {
				_ = l.write(eot)
				return nil, ErrLine
			}
			if err := l.write(nak); err != nil {
				return nil, err
			}
		case evEOT:
			if naks > 0 {
				return nil, ErrLine
			}
			return nil, ErrEndedByPad
		case evDigit, evClear:
			if digit != nil {
				digit(ev.kind == evClear)
			}
		}
	}
}

// ended waits for the EOT that ends an admin exchange; it may be missing.
func (l *link) ended(ctx context.Context) error {
	deadline := time.Now().Add(closeWait)
	for {
		ev, err := l.next(ctx, deadline)
		if errors.Is(err, errTimeout) {
			return nil
		}
		if err != nil {
			return err
		}
		switch ev.kind {
		case evEOT:
			return nil
		case evFrame: // our ACK was lost
			if err := l.write(ack); err != nil {
				return err
			}
		case evBad:
			if err := l.write(nak); err != nil {
				return err
			}
		}
	}
}

// exchange sends a request that may be repeated, takes its answer and ACKs it; with an empty id there is none.
func (l *link) exchange(ctx context.Context, admin bool, body []byte, id string) ([]byte, error) {
	if err := l.send(ctx, admin, body, false); err != nil {
		return nil, err
	}
	if id == "" {
		return nil, nil
	}
	a, err := l.answer(ctx, time.Now().Add(answerWait), admin, id, nil)
	if errors.Is(err, errTimeout) {
		return nil, ErrNoAnswer
	}
	if err != nil {
		return nil, err
	}
	a = append([]byte(nil), a...)
	return a, l.write(ack)
}

// abort brings the pad back to idle with 72, whatever it does, and drains the line. Answers that cross it are refused.
func (l *link) abort() {
	l.unsure = true
	ctx := context.Background() // the caller's may be the reason
	if l.write(appendFrame(nil, false, []byte("72"))...) != nil {
		return
	}
	for deadline := time.Now().Add(ackWait); ; {
		ev, err := l.next(ctx, deadline)
		if err != nil {
			return
		}
		switch ev.kind {
		case evFrame:
			if l.write(eot) != nil {
				return
			}
			continue
		case evACK, evEOT:
			l.unsure = !l.drain()
			return
		}
	}
}

// skip throws away what has arrived since the last call. Port.Flush would not do: it also throws away what is not sent yet, and
// the last thing that was sent is an ACK.
func (l *link) skip() error {
	for range 2 * maxBody {
		ev, err := l.next(context.Background(), time.Now().Add(time.Millisecond))
		if errors.Is(err, errTimeout) {
			return nil
		}
		if err == nil && ev.kind == evFrame {
			err = l.write(eot)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// drain reads until the line is silent, and refuses answers that still come. It returns false when the line does not go silent.
func (l *link) drain() bool {
	ctx := context.Background()
	for end := time.Now().Add(drainMax); time.Now().Before(end); {
		ev, err := l.next(ctx, time.Now().Add(quiet))
		if errors.Is(err, errTimeout) {
			return true
		}
		if err != nil {
			return false
		}
		if ev.kind == evFrame && l.write(eot) != nil {
			return false
		}
	}
	return false
}
