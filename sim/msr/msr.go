// Package msr is a magnetic stripe reader as its serial line shows it: it sends the tracks of a card that is swiped, in ASCII with
// sentinels and CR behind, and hears nothing. Its cards know their three tracks as ISO/IEC 7813 and 4909 lay them out.
//
// What it sends are card numbers: its trace shows the first six and the last four digits.
package msr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"posd/sim"
)

// Options of a Reader; the zero value is a reader as it leaves the factory.
type Options struct {
	Baud  int  // pace of what it sends; 9600 when zero
	LRC   bool // sends the check character behind each track
	Trace sim.Tracer
}

// Reader is the device.
type Reader struct {
	o    Options
	kick chan struct{}

	mu      sync.Mutex
	waiting []string // swipes that are to be sent
	faults  map[string]bool
}

// faultNames: dead sends nothing; garbage sends noise before each swipe and flips bits in it; half loses the second half of a swipe;
// no-track-2 cannot read that track; double reads a card that is swiped to and fro; no-suffix leaves CR out; wrong-digit misreads one digit
// of the card number.
var faultNames = []string{"dead", "garbage", "half", "no-track-2", "double", "no-suffix", "wrong-digit"}

// New makes a reader.
func New(o Options) *Reader {
	if o.Baud <= 0 {
		o.Baud = 9600
	}
	return &Reader{o: o, kick: make(chan struct{}, 1), faults: map[string]bool{}}
}

// Swipe pulls a card through the reader. A reader without power sees nothing of it.
func (r *Reader) Swipe(c Card) {
	r.mu.Lock()
	out := r.reads(c)
	if out != "" {
		r.waiting = append(r.waiting, out)
	}
	r.mu.Unlock()
	r.o.Trace.Emit("stripe", "", "card swiped", sim.Field{Name: "pan", Value: c.masked()})
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// reads is what the reader makes of a card. The caller holds mu.
func (r *Reader) reads(c Card) string {
	if r.faults["dead"] {
		return ""
	}
	one, two, three := c.Tracks()
	if r.faults["wrong-digit"] && len(two) > 8 {
		two = two[:7] + string('0'+(two[7]-'0'+1)%10) + two[8:]
	}
	if r.faults["no-track-2"] {
		two = "E"
	}
	var b strings.Builder
	for _, t := range []struct {
		start, data string
		base        byte
	}{{"%", one, ' '}, {";", two, '0'}, {"+", three, '0'}} {
		if t.data == "" {
			continue
		}
		b.WriteString(t.start + t.data + "?")
		if r.o.LRC && t.data != "E" {
			b.WriteByte(check(t.start, t.data, t.base))
		}
	}
	out := b.String()
	if r.faults["half"] {
		out = out[:len(out)/2]
	}
	if r.faults["garbage"] {
		noisy := []byte("\x00\xff~x" + out)
		for i := 9; i < len(noisy); i += 7 {
			noisy[i] ^= 0x15
		}
		out = string(noisy)
	}
	if !r.faults["no-suffix"] {
		out += "\r"
	}
	if r.faults["double"] {
		out += out
	}
	return out
}

// check is the LRC of a track on the stripe: even parity over all characters, sentinels too. Track 3 begins with the sentinel of track 2 there.
func check(start, data string, base byte) byte {
	x := byte(';' - '0')
	if start == "%" {
		x = '%' - ' '
	}
	x ^= '?' - base
	for i := range len(data) {
		x ^= data[i] - base
	}
	return x + base
}

// Faults lists the fault switches.
func (r *Reader) Faults() []string { return slices.Clone(faultNames) }

// SetFault turns a fault on or off.
func (r *Reader) SetFault(name string, on bool) error {
	if !slices.Contains(faultNames, name) {
		return fmt.Errorf("sim/msr: no fault %q", name)
	}
	r.mu.Lock()
	r.faults[name] = on
	r.mu.Unlock()
	return nil
}

// Serve is the reader on a line until ctx ends (nil) or the line fails. What was swiped without power is lost.
func (r *Reader) Serve(ctx context.Context, line io.ReadWriter) error {
	r.mu.Lock()
	r.waiting = nil
	r.mu.Unlock()
	r.o.Trace.Emit("stripe", "", "ready")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.kick:
		}
		for {
			r.mu.Lock()
			if len(r.waiting) == 0 {
				r.mu.Unlock()
				break
			}
			out := r.waiting[0]
			r.waiting = r.waiting[1:]
			r.mu.Unlock()
			if err := r.pace(ctx, line, []byte(out)); errors.Is(err, context.Canceled) {
				return nil
			} else if err != nil {
				return err
			}
			r.o.Trace.Emit("stripe", "<", fmt.Sprintf("swipe of %d characters", len(out)))
		}
	}
}

// pace writes as fast as the line's speed allows, ten bits a character.
func (r *Reader) pace(ctx context.Context, line io.Writer, out []byte) error {
	const chunk = 16
	for len(out) > 0 {
		n := min(chunk, len(out))
		t := time.NewTimer(time.Duration(n) * 10 * time.Second / time.Duration(r.o.Baud))
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
		if _, err := line.Write(out[:n]); err != nil {
			return fmt.Errorf("sim/msr: %w", err)
		}
		out = out[n:]
	}
	return nil
}
