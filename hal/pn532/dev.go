package pn532

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Opts configures a Dev. Zero values mean those of DefaultOpts.
type Opts struct {
	// ACK is how long the chip may take to acknowledge a frame that it has got completely; then the frame is sent again. The chip keeps
	// to 15 ms (UM0701-02 6.2); the rest is for lines behind USB and busy machines.
	ACK      time.Duration
	Answer   time.Duration // for a command that has nothing to do with a card
	Exchange time.Duration // for one exchange with a card, with all its waiting time extensions
	Poll     time.Duration // between two looks for a card, and at one that is to be taken away
	Retries  int           // how often a frame is sent again; negative means never
	Baud     int           // of the serial line, bit/s: 115200, 230400, 460800 or 921600
	// IRQ tells whether the chip's P70_IRQ is low: the chip has something to say. It saves the polling of SPI and I2C; nil polls.
	IRQ func() bool
}

// DefaultOpts is what the zero value of each field of Opts means.
var DefaultOpts = Opts{
	ACK: 25 * time.Millisecond, Answer: 500 * time.Millisecond, Exchange: 10 * time.Second, Poll: 30 * time.Millisecond, Retries: 2,
	Baud: HSUSpeed,
}

// gap is how long the line may pause within a frame.
const gap = 100 * time.Millisecond

// ackUnrepeatable is Opts.ACK for a command that must not be carried out twice: by then a chip that has got the frame has said so.
const ackUnrepeatable = 100 * time.Millisecond

// bus is a way to the chip. Its methods are called by one goroutine at a time.
type bus interface {
	// open makes the bus usable, if it is not, and wakes the chip. fresh tells that the chip is to be set up.
	open() (fresh bool, err error)
	// send sends a frame.
	send(frame []byte) error
	// receive waits for something from the chip, at most until then, and gives it to the decoder. most is how many bytes the longest frame
	// has that may come. errLate: nothing came. A context's error is returned as it is.
	receive(ctx context.Context, dec *decoder, most int, until time.Time) error
	// flush throws away what has come.
	flush() error
	close() error
	String() string
}

var errLate = errors.New("pn532: nothing came in time")

// Dev is a PN532. Its methods may be called from several goroutines; they take turns.
type Dev struct {
	o    Opts
	bus  bus
	turn chan struct{} // holds one token: who has it may use all that follows

	dec    decoder
	cmd    []byte // command under way
	frame  []byte
	live   bool // the chip is set up
	dirty  bool // the line may hold an answer that nobody waits for
	closed bool

	active uint64 // counts activations and field resets: a Card of another count is gone
	card   *Card  // the last one that Activate returned
	field  bool
	quiet  time.Time // the field stays off until then
}

func newDev(b bus, o *Opts) *Dev {
	d := &Dev{o: DefaultOpts, bus: b, turn: make(chan struct{}, 1), cmd: make([]byte, 0, maxData), frame: make([]byte, 0, maxFrame)}
	if o != nil {
		set(&d.o.ACK, o.ACK)
		set(&d.o.Answer, o.Answer)
		set(&d.o.Exchange, o.Exchange)
		set(&d.o.Poll, o.Poll)
		set(&d.o.Retries, o.Retries)
		set(&d.o.Baud, o.Baud)
		d.o.Retries = max(d.o.Retries, 0)
		d.o.IRQ = o.IRQ
	}
	d.turn <- struct{}{}
	return d
}

func set[T comparable](dst *T, v T) {
	var zero T
	if v != zero {
		*dst = v
	}
}

func (d *Dev) String() string { return "PN532 on " + d.bus.String() }

// take waits for the caller's turn. The returned function ends it.
func (d *Dev) take(ctx context.Context) error {
	select {
	case <-d.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Dev) give() { d.turn <- struct{}{} }

// Close switches the field off and lets go of the line. Every later call returns ErrClosed.
func (d *Dev) Close() error {
	<-d.turn
	defer d.give()
	if d.closed {
		return ErrClosed
	}
	if d.live && d.field {
		ctx, cancel := context.WithTimeout(context.Background(), d.o.Answer)
		_ = d.off(ctx, 0) // the line goes away anyway
		cancel()
	}
	d.closed, d.live = true, false
	d.active++
	return d.bus.close()
}

// Firmware is what the chip says of itself.
type Firmware struct {
	IC, Version, Revision, Support byte
}

// Firmware asks for the chip's version.
func (d *Dev) Firmware(ctx context.Context) (Firmware, error) {
	if err := d.take(ctx); err != nil {
		return Firmware{}, err
	}
	defer d.give()
	if err := d.ready(ctx); err != nil {
		return Firmware{}, err
	}
	return d.firmware(ctx)
}

func (d *Dev) firmware(ctx context.Context) (Firmware, error) {
	a, err := d.do(ctx, cmdFirmware)
	if err != nil {
		return Firmware{}, err
	}
	if len(a) != 4 {
		return Firmware{}, d.nonsense(cmdFirmware, a)
	}
	return Firmware{a[0], a[1], a[2], a[3]}, nil
}

// nonsense is an answer that the manual does not know.
func (d *Dev) nonsense(code byte, a []byte) error {
	d.drop()
	return fmt.Errorf("%w: %d bytes in the answer to command %02X", ErrReader, len(a), code)
}

// ready opens the line when it is not open and sets the chip up when it is not.
func (d *Dev) ready(ctx context.Context) error {
	err := d.begin(ctx)
	if h, ok := d.bus.(*hsu); ok && errors.Is(err, errUnheard) && ctx.Err() == nil && h.other() {
		err = d.begin(ctx)
	}
	return err
}

func (d *Dev) begin(ctx context.Context) error {
	if d.closed {
		return ErrClosed
	}
	fresh, err := d.bus.open()
	if err != nil {
		return fmt.Errorf("pn532: open: %w", err)
	}
	if d.live && !fresh {
		return nil
	}
	d.active++
	d.live, d.dirty, d.field = false, true, false
	if err := d.setUp(ctx); err != nil {
		if ctx.Err() == nil {
			_ = d.bus.close() // err says more
		}
		return err
	}
	d.live = true
	return nil
}

// do sends a command of the chip's own and returns the answer's data, which are valid until the next command.
func (d *Dev) do(ctx context.Context, code byte, params ...byte) ([]byte, error) {
	d.cmd = append(append(d.cmd[:0], code), params...)
	return d.run(ctx, patience{ack: d.o.ACK, answer: d.o.Answer, most: shortFrame})
}

// shortFrame holds the answers of all commands that do not pass a card's data on.
const shortFrame = 40

// patience is what the answer to a command may be like.
type patience struct {
	ack, answer time.Duration
	once        bool // the command must not be carried out twice
	most        int  // longest frame
}

// run sends d.cmd and waits for its answer. What ends it otherwise leaves the chip to be set up anew, except for the context's end and
// the chip's refusal.
func (d *Dev) run(ctx context.Context, p patience) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	code := d.cmd[0]
	if d.dirty {
		if err := d.resync(ctx, p.most); err != nil {
			return nil, d.lost(err)
		}
	}
	d.frame = appendFrame(d.frame[:0], d.cmd)
	d.dirty = true
	for try := 0; ; try++ {
		if err := d.bus.send(d.frame); err != nil {
			return nil, d.lost(err)
		}
		a, again, err := d.await(ctx, code, p)
		switch {
		case err == nil:
			// After a resend a second answer may be on its way.
			d.dirty = again || try > 0
			return a, nil
		case errors.Is(err, errUnheard) && try < d.o.Retries:
		case errors.Is(err, errUnheard), errors.Is(err, errMute), errors.Is(err, errSpoilt):
			_ = d.bus.send(ackFrame) // the chip drops the command, if it has it
			d.drop()
			return nil, fmt.Errorf("%w: command %02X: %w", ErrReader, code, err)
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			_ = d.bus.send(ackFrame)
			return nil, err
		case errors.Is(err, errRefused):
			d.dirty = false
			return nil, fmt.Errorf("%w: command %02X: %w", ErrReader, code, err)
		default:
			return nil, d.lost(err)
		}
	}
}

// lost lets go of a line that returned err; the next command opens it anew. ctx errors leave it.
func (d *Dev) lost(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	d.drop()
	return fmt.Errorf("pn532: line: %w", err)
}

// drop gives up a line, or a chip, that has failed: the next command opens the line and sets the chip up.
func (d *Dev) drop() {
	_ = d.bus.close() // what was wrong is known already
	d.live, d.field = false, false
	d.active++
	d.dec.reset()
}

var (
	errUnheard = errors.New("pn532: not acknowledged")
	errMute    = errors.New("pn532: no answer")
	errSpoilt  = errors.New("pn532: no answer that can be used")
	errRefused = errors.New("pn532: syntax error, says the chip")
)

// await waits for the answer to the command that was sent. again tells that the chip may say it once more.
func (d *Dev) await(ctx context.Context, code byte, p patience) (a []byte, again bool, err error) {
	var (
		deadline = time.Now().Add(p.ack)
		taken    = false // the chip has, or may have, taken the command
		noise    error   // what came that could not be used
		spoilt   = false // it may have been the answer
		nacks    = 0
	)
	for {
		switch it := d.dec.next(); it.kind {
		case nothing:
			until := deadline
			if d.dec.begun || spoilt {
				until = earlier(deadline, time.Now().Add(gap))
			}
			err := d.bus.receive(ctx, &d.dec, p.most, until)
			switch {
			case err == nil:
			case !errors.Is(err, errLate):
				return nil, false, err
			case d.dec.skip(): // the rest of a frame did not come
				noise, spoilt = errLate, true
			case !taken && p.once && noise != nil: // there was an answer of some kind: the command may have been carried out
				taken, deadline = true, time.Now().Add(p.answer)
			case !taken:
				return nil, false, errUnheard
			case !spoilt:
				return nil, false, errMute
			case nacks > d.o.Retries:
				return nil, false, fmt.Errorf("%w: %w", errSpoilt, noise)
			default:
				nacks++
				spoilt = false
				if err := d.bus.send(nackFrame); err != nil { // the chip sends its answer again
					return nil, false, err
				}
			}
		case bad:
			noise, spoilt = it.err, true
		case ack:
			taken, spoilt, deadline = true, false, time.Now().Add(p.answer)
		case nack:
			return nil, false, errUnheard
		case refused:
			return nil, false, errRefused
		case answer:
			// Another code is the answer to a command that was given up.
			if it.data[0] == code+1 {
				return it.data[1:], nacks > 0, nil
			}
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// settle is how long a chip that was told to drop its command may still talk.
const settle = 10 * time.Millisecond

// resync has the chip drop what it does, and throws away what it has said.
func (d *Dev) resync(ctx context.Context, most int) error {
	if err := d.bus.send(ackFrame); err != nil {
		return err
	}
	for range 20 {
		d.dec.reset()
		err := d.bus.receive(ctx, &d.dec, most, time.Now().Add(settle))
		if errors.Is(err, errLate) {
			break
		}
		if err != nil {
			return err
		}
	}
	d.dec.reset()
	d.dirty = false
	return d.bus.flush()
}

// nap waits for d, or for the end of ctx.
func nap(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
