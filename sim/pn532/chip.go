package pn532

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"posd/sim"
	"posd/sim/apdu"
)

// Pace is how slow the chip, its line and the cards are.
type Pace struct {
	Byte     time.Duration // time of one byte on the line
	ACK      time.Duration // from the end of a frame to its acknowledgement
	Poll     time.Duration // one look for cards of one type that finds none
	Activate time.Duration // anticollision, selection, RATS or ATTRIB of one card
	RFByte   time.Duration // time of one byte between chip and card
	APDU     time.Duration // what a card takes to carry out a command
}

// RealPace is 115200 bit/s with 10 bits a byte, 106 kbit/s with nine, and a quick card.
var RealPace = Pace{
	Byte: 86800 * time.Nanosecond, ACK: time.Millisecond, Poll: 5 * time.Millisecond, Activate: 12 * time.Millisecond,
	RFByte: 85 * time.Microsecond, APDU: 15 * time.Millisecond,
}

// Options of a Chip.
type Options struct {
	Pace  *Pace // nil is RealPace
	Trace sim.Tracer
}

// Chip is the simulated chip with its antenna. The methods for the world may be called from any goroutine at any time; Serve runs the
// line.
type Chip struct {
	o    Options
	pace Pace

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when a card comes or goes
	targets []*placed
	nextID  int
	field   bool
	faults  map[string]bool
	tear    int  // exchanges until the cards are taken away; 0 never
	after   bool // taken away after the card has carried out the command
	used    int  // exchanges so far
	speed   int  // of the serial line

	// Used by Serve and the command under way, one at a time.
	asleep  bool // the line's next bytes are lost until it wakes
	normal  bool // SAMConfiguration has ended the low battery mode
	retries byte // MxRtyPassiveActivation
	rats    bool
	regs    map[uint16]byte
	active  [2]*placed // targets by number, less one
	held    []byte     // command parts that the host has chained
	rest    []byte     // what is left of a response
	last    []byte     // last answer, for a NACK
	next    int        // speed after the next ACK
	seen    apdu.Session
}

// New makes a chip with nothing before it.
func New(o Options) *Chip {
	c := &Chip{o: o, pace: RealPace, faults: map[string]bool{}, changed: make(chan struct{})}
	if o.Pace != nil {
		c.pace = *o.Pace
	}
	c.powerUp()
	return c
}

// powerUp is the chip after its reset (UM0701-02, default values of RFConfiguration and SetParameters).
func (c *Chip) powerUp() {
	c.asleep, c.normal, c.retries, c.rats = true, false, 0xFF, true
	c.regs = map[uint16]byte{}
	c.last = nil
	c.setSpeed(115200)
	c.fieldOff()
}

func (c *Chip) setSpeed(baud int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.speed = baud
}

// Speed is the speed of the chip's serial line, bit/s. The line itself passes bytes whatever it is.
func (c *Chip) Speed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.speed
}

// stale is how long the chip waits for the rest of a frame.
const stale = 100 * time.Millisecond

// job is a command under way.
type job struct {
	stop   context.CancelFunc
	answer chan []byte // its answer; nil is the error frame
}

// Serve is the chip on a line, until ctx ends or the line is gone; then it returns the reason. Cards stay where they are but lose their
// power: the chip was switched off. A line that has SetReadDeadline lets Serve end at once when ctx does.
func (c *Chip) Serve(ctx context.Context, line io.ReadWriter) error {
	c.powerUp()
	ctx, in, stop := sim.Listen(ctx, line)
	defer stop()
	var (
		pending []byte
		now     *job
	)
	abort := func() {
		if now != nil {
			now.stop()
			<-now.answer
			now = nil
		}
	}
	defer c.fieldOff()
	defer abort()
	for {
		var answer chan []byte
		if now != nil {
			answer = now.answer
		}
		var old <-chan time.Time
		var timer *time.Timer
		if len(pending) > 0 {
			timer = time.NewTimer(stale)
			old = timer.C
		}
		var err error
		select {
		case b := <-in:
			pending = append(pending, c.hear(b)...)
		case <-old:
			pending = nil
		case a := <-answer:
			now.stop()
			now = nil
			err = c.say(ctx, line, a)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			return err
		}
		for len(pending) > 0 {
			k, cmd, n := parse(pending)
			cmd = slices.Clone(cmd)
			pending = pending[n:]
			if k == partial {
				break
			}
			if c.fault(FaultDead) {
				continue
			}
			switch k {
			case ack:
				abort()
				if c.next != 0 {
					c.setSpeed(c.next)
					c.next = 0
				}
			case nack:
				if now == nil && c.last != nil {
					err = c.transmit(ctx, line)
				}
			case command:
				abort()
				c.next = 0
				now, err = c.begin(ctx, line, cmd)
			}
			if err != nil {
				return err
			}
		}
	}
}

// hear drops what a sleeping chip does not hear: everything up to a byte 55.
func (c *Chip) hear(b []byte) []byte {
	if c.asleep {
		at := slices.Index(b, 0x55)
		if at < 0 {
			return nil
		}
		b, c.asleep = b[at+1:], false
	}
	return b
}

// begin acknowledges a command and has it carried out.
func (c *Chip) begin(ctx context.Context, line io.Writer, cmd []byte) (*job, error) {
	switch {
	case c.once(FaultNoACK):
		return nil, nil
	case c.once(FaultNAK):
		return nil, c.write(ctx, line, nackFrame)
	}
	if err := pause(ctx, c.pace.ACK); err != nil {
		return nil, err
	}
	if !c.once(FaultACKLost) {
		if err := c.write(ctx, line, ackFrame); err != nil {
			return nil, err
		}
	}
	ctx, stop := context.WithCancel(ctx)
	j := &job{stop: stop, answer: make(chan []byte, 1)}
	if c.once(FaultRefuse) {
		j.answer <- nil
		return j, nil
	}
	go func() { j.answer <- c.do(ctx, cmd) }()
	return j, nil
}

// say sends an answer; nil is the error frame.
func (c *Chip) say(ctx context.Context, line io.Writer, a []byte) error {
	f := errorFrame
	if a != nil {
		f = frame(a)
	}
	c.last = f
	return c.transmit(ctx, line)
}

// transmit sends the last answer, once more after a NACK.
func (c *Chip) transmit(ctx context.Context, line io.Writer) error {
	f := slices.Clone(c.last)
	if c.fault(FaultChecksum) || c.once(FaultSumOnce) {
		f[len(f)-2] ^= 0x5A
	}
	if c.once(FaultHalf) {
		f = f[:len(f)/2]
	}
	if c.fault(FaultGarbage) {
		f = slices.Concat([]byte{0x55, 0x00, 0xFF, 0x13}, f, []byte{0x41, 0x00})
	}
	return c.write(ctx, line, f)
}

// write sends b as fast as the line is.
func (c *Chip) write(ctx context.Context, line io.Writer, b []byte) error {
	if err := pause(ctx, c.pace.Byte*time.Duration(len(b))); err != nil {
		return err
	}
	_, err := line.Write(b)
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
