// Package thermal drives a receipt printer that speaks ESC/POS on a serial line.
//
// # What "printed" means here
//
// Print returns nil only after the printer itself said that it reached the end of the data. The data goes out in chunks that end
// at a command or a line; behind each chunk goes GS r 1, which the printer answers when it comes to it in its receive buffer, so
// the answers tell how far it is. That also paces: no more than Opts.InFlight bytes wait in the printer, so its buffer cannot run
// over, at any speed of head and line. When an answer does not come, DLE EOT (answered at once, whatever is in the buffer) tells
// why: paper, cover, heat. What stopped Print is a *Stopped with the bytes that were confirmed.
//
// Printers that do not answer GS r in order have Opts.Query: RealTime believes an idle, healthy printer after the time that the
// paper needs, and None believes the clock alone. Both are weaker; the board file says so for the model.
//
// After an interruption the printer may still hold data and owe answers. They are counted, and the next Print first sends more
// queries than answers can be owed, so that an old answer is never taken for a new one.
//
// # Reference
//
// Epson ESC/POS Application Programming Guide: DLE EOT, GS r, GS a. Answers are told apart by their fixed bits: real-time status
// 0xx1xx10, first byte of an automatic status 0xx1xx00, GS r and the bytes after 0xx0xxxx.
//
// The package does not make receipts and does not know what it prints.
package thermal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"posd/hal"
)

// Query is how the driver finds out how far the printer is.
type Query uint8

// Ways to find out.
const (
	InOrder  Query = iota // GS r 1, answered in order, and DLE EOT
	RealTime              // DLE EOT only
	None                  // the printer answers nothing
)

// Opts are the properties of a printer model. The zero value of a field is its default.
type Opts struct {
	Query    Query
	InFlight int           // bytes that may wait in the printer: less than its buffer; 2048
	Chunk    int           // bytes after which a query goes out; 512
	Answer   time.Duration // in which DLE EOT is answered; 400 ms
	Stall    time.Duration // without progress, for no reason that the printer tells, before Print gives up; 8 s
	CoolDown time.Duration // that a head which is too hot may take; 20 s
	Write    time.Duration // that one chunk may take to leave; 5 s
	Speed    int           // mm/s of paper, for RealTime and None; 50
}

// DefaultOpts is a common printer with a buffer of 4 KiB.
var DefaultOpts = Opts{
	InFlight: 2048, Chunk: 512, Answer: 400 * time.Millisecond, Stall: 8 * time.Second, CoolDown: 20 * time.Second,
	Write: 5 * time.Second, Speed: 50,
}

func (o Opts) withDefaults() Opts {
	d := DefaultOpts
	pick := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	wait := func(v *time.Duration, def time.Duration) {
		if *v <= 0 {
			*v = def
		}
	}
	pick(&o.InFlight, d.InFlight)
	pick(&o.Chunk, d.Chunk)
	pick(&o.Speed, d.Speed)
	wait(&o.Answer, d.Answer)
	wait(&o.Stall, d.Stall)
	wait(&o.CoolDown, d.CoolDown)
	wait(&o.Write, d.Write)
	return o
}

// What stops a printer. Low paper is a state (Status.PaperLow), not an error.
var (
	ErrPaperOut  = errors.New("thermal: out of paper")
	ErrCoverOpen = errors.New("thermal: cover open")
	ErrOverheat  = errors.New("thermal: head too hot")
	ErrFault     = errors.New("thermal: printer reports an error that only service can clear")
	ErrOffline   = errors.New("thermal: printer does not answer")
	// ErrGarbled is an ErrOffline: the printer answers, but not in ESC/POS.
	ErrGarbled = fmt.Errorf("%w in ESC/POS", ErrOffline)
)

// Stopped is the error of a Print that could not be confirmed to its end.
type Stopped struct {
	Total     int   // bytes to print
	Sent      int   // bytes that left the terminal
	Confirmed int   // bytes that the printer has said to be behind it; always at the end of a command or line
	Err       error // why: wraps one of the errors of this package, or the context's
}

func (s *Stopped) Error() string {
	return fmt.Sprintf("%v (%d of %d bytes confirmed, %d sent)", s.Err, s.Confirmed, s.Total, s.Sent)
}

// Unwrap returns why.
func (s *Stopped) Unwrap() error { return s.Err }

// Dev is a printer. Its methods may be called from several goroutines; they take turns.
type Dev struct {
	open hal.Opener
	o    Opts
	turn chan struct{}

	port    hal.Port
	name    string
	buf     []byte    // received, not looked at
	autoN   int       // bytes of an automatic status still to come
	autoAt  time.Time // when its last byte came
	owed    int       // answers to GS r that may still come
	inSync  bool      // owed is exact
	paper   byte      // the last answer to GS r
	noise   int       // bytes since the job began that are no answer, or an answer to nothing
	noEOT   bool      // DLE EOT was not answered while GS r was
	late    bool      // an answer to DLE EOT did not come in time and may still
	answers int       // answers to GS r since the port was opened
}

// New makes a driver. The line is opened at the first use, and again after it was unplugged. A nil o is DefaultOpts.
func New(open hal.Opener, o *Opts) *Dev {
	if o == nil {
		o = &Opts{}
	}
	return &Dev{open: open, o: o.withDefaults(), turn: make(chan struct{}, 1), name: "thermal"}
}

// String names the printer's line.
func (d *Dev) String() string { return d.name }

// Halt closes the line; the next use opens it again.
func (d *Dev) Halt() error {
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	return d.drop()
}

func (d *Dev) begin(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	d.noise = 0
	if d.port != nil {
		return nil
	}
	p, err := d.open()
	if err != nil {
		<-d.turn
		return fmt.Errorf("%w: %w", ErrOffline, err)
	}
	d.port, d.name = p, "thermal("+p.String()+")"
	d.buf, d.autoN, d.answers, d.noEOT, d.late = nil, 0, 0, false, false
	d.owed, d.inSync = d.maxOwed(), false // an earlier process may have left questions in the printer
	if err := p.Flush(); err != nil {
		err = d.broken(err)
		<-d.turn
		return err
	}
	return nil
}

// endQueries is how often the end of the data is asked for.
const endQueries = 3

// maxOwed is how many queries can wait in the printer at once.
func (d *Dev) maxOwed() int { return d.o.InFlight/d.o.Chunk + 1 + endQueries }

func (d *Dev) end() { <-d.turn }

func (d *Dev) drop() error {
	if d.port == nil {
		return nil
	}
	err := d.port.Close()
	d.port = nil
	return err
}

// broken turns an error of the port into one of ours. A line that is gone is opened again by the next use.
func (d *Dev) broken(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	_ = d.drop()
	return fmt.Errorf("%w: %w", ErrOffline, err)
}

// Print prints data, a stream of ESC/POS commands, and waits until the printer has confirmed the last of it. An error is a
// *Stopped, or the context's before anything was done, or a *SplitError when data holds a command whose end the driver cannot
// tell. Nothing was sent when Sent is 0.
func (d *Dev) Print(ctx context.Context, data []byte) error {
	chunks, err := split(data, d.o.Chunk)
	if err != nil {
		return err
	}
	if err := d.begin(ctx); err != nil {
		return &Stopped{Total: len(data), Err: err}
	}
	defer d.end()
	job := &Stopped{Total: len(data)}
	defer d.watch(ctx)()
	if job.Err = d.print(ctx, chunks, job); job.Err == nil {
		return nil
	}
	if err := context.Cause(ctx); err != nil && errors.Is(job.Err, os.ErrDeadlineExceeded) {
		job.Err = err
	}
	return job
}

func (d *Dev) print(ctx context.Context, chunks []chunk, job *Stopped) error {
	if d.o.Query != None {
		if err := d.ready(ctx); err != nil {
			return err
		}
	}
	inFlight, unanswered := 0, []int(nil) // sizes of the chunks that wait in the printer
	confirm := func(before int) {
		for ; d.owed < before && len(unanswered) > 0; before-- {
			inFlight -= unanswered[0]
			job.Confirmed += unanswered[0]
			unanswered = unanswered[1:]
		}
	}
	for _, c := range chunks {
		for inFlight > 0 && inFlight+len(c.data) > d.o.InFlight {
			before := d.owed
			if err := d.progress(ctx); err != nil {
				return err
			}
			confirm(before)
		}
		n, err := d.write(ctx, c.data)
		job.Sent += n
		if err != nil {
			return err
		}
		if d.o.Query != InOrder {
			if err := d.pass(ctx, c); err != nil {
				return err
			}
			job.Confirmed += len(c.data)
			continue
		}
		if err := d.ask(ctx); err != nil {
			return err
		}
		inFlight += len(c.data)
		unanswered = append(unanswered, len(c.data))
	}
	// The end is asked for three times: up to two disturbed bytes that look like answers cannot stand for it then.
	for i := 1; i < endQueries && d.o.Query == InOrder; i++ {
		if err := d.ask(ctx); err != nil {
			return err
		}
	}
	for d.owed > 0 && d.o.Query == InOrder {
		before := d.owed
		if err := d.progress(ctx); err != nil {
			return err
		}
		confirm(before)
	}
	return d.final(ctx)
}

// final is the last look: nothing that was answered may be in doubt.
func (d *Dev) final(ctx context.Context) error {
	switch d.o.Query {
	case None:
		return d.port.Drain(ctx)
	case RealTime:
		s, err := d.status(ctx)
		if err != nil {
			return err
		}
		return s.Err()
	}
	if err := d.quiet(ctx); err != nil {
		return err
	}
	if d.paper&grPaperEnd != 0 {
		return ErrPaperOut
	}
	if d.noise > 0 { // something else talks on the line: the answers counted may not all be answers
		return d.cleanAnswers(ctx)
	}
	return nil
}

// pass waits while the paper of one chunk moves, and looks at the printer where it can be looked at.
func (d *Dev) pass(ctx context.Context, c chunk) error {
	t := time.NewTimer(time.Duration(c.rows) * time.Second / time.Duration(d.o.Speed*8))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if d.o.Query == None {
		return nil
	}
	return d.cooled(ctx)
}
