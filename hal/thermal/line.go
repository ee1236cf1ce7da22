package thermal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	maxNoise = 2048 // bytes of nonsense in one job before the printer is given up
	syncWait = 1500 * time.Millisecond
	settle   = 60 * time.Millisecond // a line is quiet: answers to commands that stand together come closer than this
	autoGap  = 50 * time.Millisecond // between bytes of one automatic status
	padding  = 2048                  // NUL bytes that end any picture of ours that was interrupted
)

// kind is what a received byte is, by its fixed bits.
type kind uint8

const (
	isNoise  kind = iota // nothing that a printer sends
	isFlow               // XON, XOFF
	isReal               // answer to DLE EOT
	isAuto               // first byte of an automatic status (GS a), three follow
	isStatus             // answer to GS r, or a later byte of an automatic status
)

func kindOf(b byte) kind {
	switch {
	case b == 0x11, b == 0x13:
		return isFlow
	case b&0x93 == 0x12:
		return isReal
	case b&0x93 == 0x10:
		return isAuto
	case b&0x90 == 0x00:
		return isStatus
	}
	return isNoise
}

// watch lets the end of ctx interrupt a pending Read or Write, until the function that it returns is called.
func (d *Dev) watch(ctx context.Context) (release func()) {
	p, done := d.port, make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = p.SetReadDeadline(time.Unix(1, 0))
		_ = p.SetWriteDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-done // or it would interrupt whoever comes next
		}
	}
}

// write sends b within Opts.Write. What did not leave is thrown away, and the printer's state is in doubt from then on.
func (d *Dev) write(ctx context.Context, b []byte) (int, error) {
	if err := d.port.SetWriteDeadline(time.Now().Add(d.o.Write)); err != nil {
		return 0, d.broken(err)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := d.port.Write(b)
	if err == nil {
		return n, nil
	}
	d.inSync, d.owed = false, d.maxOwed()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		if err := d.port.Flush(); err != nil {
			return n, d.broken(err)
		}
		return n, fmt.Errorf("%w: the line takes no bytes", ErrOffline)
	}
	return n, d.broken(err)
}

// ask sends the question that is answered in order.
func (d *Dev) ask(ctx context.Context) error {
	if _, err := d.write(ctx, []byte{0x1d, 'r', 1}); err != nil {
		return err
	}
	d.owed++
	return nil
}

// hear takes what the printer sends until done says so or max has passed; passing is no error.
func (d *Dev) hear(ctx context.Context, max time.Duration, done func() bool) error {
	_, _, err := d.listen(ctx, max, func(k kind, _ byte) bool { return k != isReal && done() })
	return err
}

// idle waits for d while taking what comes.
func (d *Dev) idle(ctx context.Context, max time.Duration) error {
	return d.hear(ctx, max, func() bool { return false })
}

// listen is where every received byte passes: answers to GS r are counted, noise is counted, want sees each byte and ends it.
func (d *Dev) listen(ctx context.Context, max time.Duration, want func(kind, byte) bool) (byte, bool, error) {
	until := time.Now().Add(max)
	for {
		for len(d.buf) > 0 {
			b := d.buf[0]
			d.buf = d.buf[1:]
			k := d.take(b)
			if d.noise > maxNoise {
				return 0, false, ErrGarbled
			}
			if want(k, b) {
				return b, true, nil
			}
		}
		if err := d.port.SetReadDeadline(until); err != nil {
			return 0, false, d.broken(err)
		}
		if err := ctx.Err(); err != nil {
			return 0, false, err
		}
		var in [64]byte
		n, err := d.port.Read(in[:])
		d.buf = append(d.buf, in[:n]...)
		switch {
		case n > 0:
		case err == nil: // a port that returns nothing and no error must not spin
			return 0, false, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return 0, false, ctx.Err()
		default:
			return 0, false, d.broken(err)
		}
	}
}

// take sorts a byte.
func (d *Dev) take(b byte) kind {
	k := kindOf(b)
	if d.autoN > 0 {
		if k == isStatus && time.Since(d.autoAt) < autoGap {
			d.autoN--
			d.autoAt = time.Now()
			return isAuto
		}
		d.autoN = 0
	}
	switch k {
	case isAuto:
		d.autoN, d.autoAt = 3, time.Now()
	case isStatus:
		d.paper = b
		d.answers++
		if d.owed > 0 {
			d.owed--
		} else {
			d.noise++
		}
	case isNoise:
		d.noise++
	}
	return k
}

// realTime asks DLE EOT n; ok is false when no answer came.
func (d *Dev) realTime(ctx context.Context, n byte) (b byte, ok bool, err error) {
	if d.late { // an answer to the question before must not be taken for this one's
		if err := d.quiet(ctx); err != nil {
			return 0, false, err
		}
		d.late = false
	}
	if _, err := d.write(ctx, []byte{0x10, 0x04, n}); err != nil {
		return 0, false, err
	}
	b, ok, err = d.listen(ctx, d.o.Answer, func(k kind, _ byte) bool { return k == isReal })
	d.late = !ok
	return b, ok, err
}

// sync makes sure that no answer to an earlier GS r can come any more. It sends one question more than answers can be owed:
// answers come in order, so when as many came as were sent, the last of them is one of the new ones, and the rest, which stand
// together in the printer, follow at once. quick is for a printer that may not be there at all.
func (d *Dev) sync(ctx context.Context, quick bool) error {
	for try := range 2 {
		ask := d.owed + 1
		for range ask {
			if err := d.ask(ctx); err != nil {
				return err
			}
		}
		got := d.answers + ask
		wait := d.o.Stall
		switch {
		case quick:
			wait = 2 * d.o.Answer
		case try == 0 && !d.inSync: // an idle printer answers at once, one with old data within a chunk
			wait = syncWait
		}
		last := d.answers
		for d.answers < got {
			if err := d.hear(ctx, wait, func() bool { return d.answers > last }); err != nil {
				return err
			}
			if d.answers == last {
				break
			}
			last = d.answers
		}
		if d.answers >= got {
			if err := d.quiet(ctx); err != nil {
				return err
			}
			d.owed, d.inSync = 0, true
			return nil
		}
		if try == 0 {
			// The printer may be inside a picture that was interrupted: NUL bytes end it and print as nothing after it.
			if _, err := d.write(ctx, make([]byte, padding)); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("%w: GS r", ErrOffline)
}

// quiet takes what comes until nothing comes.
func (d *Dev) quiet(ctx context.Context) error {
	for range maxNoise {
		_, heard, err := d.listen(ctx, settle, func(kind, byte) bool { return true })
		if err != nil {
			return err
		}
		if !heard {
			return nil
		}
	}
	return ErrGarbled
}

// cleanAnswers asks again on a quiet line: exactly as many answers must come, and nothing else.
func (d *Dev) cleanAnswers(ctx context.Context) error {
	if err := d.quiet(ctx); err != nil {
		return err
	}
	d.noise = 0
	got := d.answers + endQueries
	for range endQueries {
		if err := d.ask(ctx); err != nil {
			return err
		}
	}
	if err := d.hear(ctx, d.o.Stall, func() bool { return d.answers >= got }); err != nil {
		return err
	}
	if err := d.quiet(ctx); err != nil {
		return err
	}
	if d.answers != got || d.noise > 0 {
		d.inSync, d.owed = false, d.maxOwed()
		return ErrGarbled
	}
	if d.paper&grPaperEnd != 0 {
		return ErrPaperOut
	}
	return nil
}
