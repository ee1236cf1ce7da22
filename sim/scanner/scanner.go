// Package scanner is a barcode scanner as its serial line shows it: it understands the trigger commands of Honeywell's and
// Newland's engines, or reads continuously, and sends what is held before it with a suffix.
//
// The codes it sends are payment codes: its trace shows the first two digits and the length.
package scanner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"posd/sim"
)

// Options of a Scanner; the zero value is a Honeywell engine as it leaves the factory.
type Options struct {
	Trigger string        // "honeywell", "newland" or "none"; honeywell when empty
	Suffix  string        // CR when empty
	AIM     string        // symbology identifier sent before a code, "]Q1" for QR; none when empty
	Baud    int           // pace of what it sends; 9600 when zero
	Hold    time.Duration // how long a presented code stays before the window; 8 s when zero
	Window  time.Duration // how long one trigger reads; 30 s when zero
	Trace   sim.Tracer
}

// Scanner is the device.
type Scanner struct {
	o    Options
	kick chan struct{} // something changed that may let a code be sent

	mu     sync.Mutex
	lit    time.Time // reading until then; zero is not triggered
	code   string
	until  time.Time // the code is before the window until then
	faults map[string]bool
}

// faultNames: dead neither hears nor sends; garbage flips bits of what is sent; no-suffix leaves the suffix out; mute reads and
// never sends.
var faultNames = []string{"dead", "garbage", "no-suffix", "mute"}

// New makes a scanner with nothing before its window.
func New(o Options) *Scanner {
	if o.Trigger == "" {
		o.Trigger = "honeywell"
	}
	if o.Suffix == "" {
		o.Suffix = "\r"
	}
	if o.Baud <= 0 {
		o.Baud = 9600
	}
	if o.Hold <= 0 {
		o.Hold = 8 * time.Second
	}
	if o.Window <= 0 {
		o.Window = 30 * time.Second
	}
	return &Scanner{o: o, kick: make(chan struct{}, 1), faults: map[string]bool{}}
}

// Present holds a code before the window, in place of the one before. It is read as soon as the scanner is triggered, once.
func (s *Scanner) Present(code string) {
	s.mu.Lock()
	s.code, s.until = code, time.Now().Add(s.o.Hold)
	s.mu.Unlock()
	s.o.Trace.Emit("scanner", "", "a code is held before the scanner")
	s.wake()
}

// Withdraw takes the code away.
func (s *Scanner) Withdraw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code = ""
}

// Lit tells whether the scanner is reading.
func (s *Scanner) Lit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reading()
}

// Faults lists the fault switches.
func (s *Scanner) Faults() []string { return slices.Clone(faultNames) }

// SetFault turns a fault on or off.
func (s *Scanner) SetFault(name string, on bool) error {
	if !slices.Contains(faultNames, name) {
		return fmt.Errorf("sim/scanner: no fault %q", name)
	}
	s.mu.Lock()
	s.faults[name] = on
	s.mu.Unlock()
	s.wake()
	return nil
}

func (s *Scanner) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// reading, with mu held.
func (s *Scanner) reading() bool { return s.o.Trigger == "none" || time.Now().Before(s.lit) }

// Serve is the scanner on a line until ctx ends (nil) or the line fails. Where the line has SetReadDeadline it is used to end a
// pending Read. The scanner starts dark.
func (s *Scanner) Serve(ctx context.Context, line io.ReadWriter) error {
	s.mu.Lock()
	s.lit = time.Time{}
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if d, ok := line.(interface{ SetReadDeadline(time.Time) error }); ok {
		if err := d.SetReadDeadline(time.Time{}); err != nil {
			return fmt.Errorf("sim/scanner: %w", err)
		}
		defer context.AfterFunc(ctx, func() { _ = d.SetReadDeadline(time.Unix(1, 0)) })() // a line that is gone needs no waking
	}
	sent := make(chan error, 1)
	go func() {
		err := s.sendLoop(ctx, line)
		cancel() // wakes the reader
		sent <- err
	}()
	err := s.listen(ctx, line)
	cancel()
	if serr := <-sent; err == nil || errors.Is(err, context.Canceled) {
		err = serr
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// commands and what they do.
var commands = map[string][]struct {
	bytes string
	on    bool
	reply string
}{
	"honeywell": {{"\x16T\r", true, ""}, {"\x16U\r", false, ""}},
	"newland": {
		{"\x7e\x010000#SCNTRG1;\x03", true, "\x02\x010000#SCNTRG1\x06;\x03"},
		{"\x7e\x010000#SCNTRG0;\x03", false, "\x02\x010000#SCNTRG0\x06;\x03"},
	},
	"none": nil,
}

// listen takes commands from the line.
func (s *Scanner) listen(ctx context.Context, line io.ReadWriter) error {
	const longest = 64 // no command is longer; older bytes are forgotten
	var got []byte
	b := make([]byte, 64)
	for {
		n, err := line.Read(b)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("sim/scanner: %w", err)
		}
		s.mu.Lock()
		dead := s.faults["dead"]
		s.mu.Unlock()
		if dead {
			got = nil
			continue
		}
		got = append(got, b[:n]...)
		for again := true; again; {
			again = false
			for _, c := range commands[s.o.Trigger] {
				i := bytes.Index(got, []byte(c.bytes))
				if i < 0 {
					continue
				}
				got, again = got[i+len(c.bytes):], true
				if err := s.command(line, c.on, c.reply); err != nil {
					return err
				}
				break
			}
		}
		if len(got) > longest {
			got = got[len(got)-longest:]
		}
	}
}

func (s *Scanner) command(line io.Writer, on bool, reply string) error {
	s.mu.Lock()
	was := s.reading()
	s.lit = time.Time{}
	if on {
		s.lit = time.Now().Add(s.o.Window)
	}
	s.mu.Unlock()
	if on || was {
		s.o.Trace.Emit("scanner", ">", map[bool]string{true: "trigger on", false: "trigger off"}[on])
	}
	if reply != "" {
		if _, err := io.WriteString(line, reply); err != nil {
			return fmt.Errorf("sim/scanner: %w", err)
		}
	}
	s.wake()
	return nil
}

// sendLoop sends the code that is before the window whenever the scanner reads.
func (s *Scanner) sendLoop(ctx context.Context, line io.Writer) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.kick:
		}
		out, code := s.take()
		if out == nil {
			continue
		}
		s.o.Trace.Emit("scanner", "<", fmt.Sprintf("code %.2s... of %d characters", code, len(code)))
		if err := s.pace(ctx, line, out); err != nil {
			return err
		}
	}
}

// take returns the bytes to send, and ends the reading: one trigger, one code.
func (s *Scanner) take() ([]byte, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.code == "" || !time.Now().Before(s.until) || !s.reading() || s.faults["dead"] || s.faults["mute"] {
		return nil, ""
	}
	code := s.code
	s.code, s.lit = "", time.Time{}
	out := []byte(s.o.AIM + code)
	if s.faults["garbage"] {
		for i := range out {
			out[i] ^= byte(0x80 | i*29)
		}
	}
	if !s.faults["no-suffix"] {
		out = append(out, s.o.Suffix...)
	}
	return out, code
}

// pace writes as fast as the line's speed allows, ten bits a character.
func (s *Scanner) pace(ctx context.Context, line io.Writer, out []byte) error {
	const chunk = 16
	for len(out) > 0 {
		n := min(chunk, len(out))
		t := time.NewTimer(time.Duration(n) * 10 * time.Second / time.Duration(s.o.Baud))
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
		if _, err := line.Write(out[:n]); err != nil {
			return fmt.Errorf("sim/scanner: %w", err)
		}
		out = out[n:]
	}
	return nil
}
