package msr_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal"
	"posd/hal/msr"
	"posd/hal/serial"
	"posd/hal/serial/porttest"
	"posd/internal/pty"
	"posd/internal/track"
	simulator "posd/sim"
	sim "posd/sim/msr"
)

const (
	pan   = "6200000000000005"
	two   = ";" + pan + "=30112200000?"
	swipe = "%B" + pan + "^WU/MEI^30112200000?" + two
	other = ";4761739001010010=30112200000?"
)

// bench is a driver on one end of a pipe; the test is the device.
func bench(o *msr.Opts) (*msr.Reader, *porttest.End) {
	p, peer := porttest.Pipe(4096)
	return msr.New(func() (hal.Port, error) { return p, nil }, o), peer
}

type result struct {
	card track.Card
	err  error
}

func read(ctx context.Context, r *msr.Reader) chan result {
	out := make(chan result, 1)
	go func() {
		c, err := r.Swipe(ctx)
		out <- result{c, err}
	}()
	return out
}

func send(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

func TestFraming(t *testing.T) {
	for _, c := range []struct {
		name string
		opts msr.Opts
		sent []string // with a second between the parts
		want string   // field of the *track.Error, or "" for the card
	}{
		{"CR", msr.Opts{}, []string{swipe + "\r"}, ""},
		{"CR LF", msr.Opts{}, []string{swipe + "\r\n"}, ""},
		{"LF", msr.Opts{}, []string{swipe + "\n"}, ""},
		{"LF of the last swipe", msr.Opts{}, []string{"\n" + swipe + "\r"}, ""},
		{"no suffix, a pause", msr.Opts{}, []string{swipe}, ""},
		{"track 2 alone", msr.Opts{}, []string{two + "\r"}, ""},
		{"noise before", msr.Opts{}, []string{"\x00\xff\x80xyz\r\r" + swipe + "\r"}, ""},
		{"noise, a second before", msr.Opts{}, []string{"\x00\xff\x80xyz", swipe + "\r"}, ""},
		{"swiped to and fro", msr.Opts{}, []string{swipe + "\r" + other + "\r"}, ""},
		{"noise inside", msr.Opts{}, []string{strings.Replace(two, "=", "\x00=", 1) + "\r"}, "character"},
		{"half a swipe", msr.Opts{}, []string{swipe[:50] + "\r"}, "end sentinel"},
		{"half a swipe, a pause, the rest", msr.Opts{}, []string{two[:20], two[20:] + "\r"}, "end sentinel"},
		{"track 2 not read", msr.Opts{}, []string{"%E?;E?+E?\r"}, "track"},
		{"two swipes without anything between", msr.Opts{}, []string{two + two + two + "\r"}, "start sentinel"},
		{"far too long", msr.Opts{}, []string{strings.Repeat(";", 3000) + "\r"}, "swipe"},
		{"never ends", msr.Opts{}, []string{strings.Repeat("%", 3000)}, "swipe"},
		{"check characters", msr.Opts{LRC: true}, []string{two + string(track.LRC(2, two)) + "\r"}, ""},
		{"a wrong check character", msr.Opts{LRC: true}, []string{two + string(track.LRC(2, two)^1) + "\r"}, "LRC"},
		{"none", msr.Opts{LRC: true}, []string{two + "\r"}, "LRC"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, peer := bench(&c.opts)
				got := read(t.Context(), r)
				synctest.Wait() // the driver reads now
				for i, part := range c.sent {
					if i > 0 {
						time.Sleep(time.Second)
					}
					send(t, peer, part)
				}
				g := <-got
				var bad *track.Error
				switch {
				case c.want == "" && (g.err != nil || g.card.PAN != pan):
					t.Errorf("%v", g.err)
				case c.want != "" && (!errors.As(g.err, &bad) || bad.Field != c.want):
					t.Errorf("%v, want trouble with %s", g.err, c.want)
				}
			})
		})
	}
}

// What was swiped before the question does not count, what is swiped from then on does, also before anybody reads.
func TestDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, peer := bench(nil)
		if err := r.Drop(); err != nil {
			t.Fatal(err)
		}
		send(t, peer, other+"\r")
		if err := r.Drop(); err != nil {
			t.Fatal(err)
		}
		send(t, peer, two+"\r")
		if c, err := r.Swipe(t.Context()); err != nil || c.PAN != pan {
			t.Errorf("%v", err)
		}
	})
}

func TestEndOfWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, peer := bench(nil)
		cause := errors.New("the operator")
		for _, begun := range []string{"", two[:10]} {
			ctx, cancel := context.WithCancelCause(t.Context())
			got := read(ctx, r)
			synctest.Wait()
			send(t, peer, begun)
			synctest.Wait()
			cancel(cause)
			if g := <-got; !errors.Is(g.err, cause) {
				t.Errorf("%v", g.err)
			}
		}
		if err := r.Drop(); err != nil {
			t.Fatal(err)
		}
		got := read(t.Context(), r)
		send(t, peer, two+"\r")
		if g := <-got; g.err != nil || g.card.PAN != pan {
			t.Errorf("after a wait that ended: %v", g.err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestUnplugged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var peer *porttest.End
		opened, refuse := 0, error(nil)
		r := msr.New(func() (hal.Port, error) {
			if refuse != nil {
				return nil, refuse
			}
			opened++
			var p *porttest.Port
			p, peer = porttest.Pipe(4096)
			return p, nil
		}, nil)
		got := read(t.Context(), r)
		synctest.Wait()
		send(t, peer, two[:12])
		_ = peer.Close()
		var dead *msr.Error
		if g := <-got; !errors.As(g.err, &dead) || !errors.Is(g.err, hal.ErrUnplugged) || g.card != (track.Card{}) {
			t.Fatalf("unplugged in the middle of a swipe: %v", g.err)
		}
		refuse = errors.New("no such file")
		if err := r.Drop(); !errors.As(err, &dead) || dead.Op != "open" {
			t.Errorf("still unplugged: %v", err)
		}
		if _, err := r.Swipe(t.Context()); !errors.Is(err, refuse) {
			t.Errorf("still unplugged: %v", err)
		}
		refuse = nil
		if err := r.Drop(); err != nil || opened != 2 {
			t.Errorf("back: %v, opened %d times", err, opened)
		}
		got = read(t.Context(), r)
		synctest.Wait()
		send(t, peer, two+"\r")
		if g := <-got; g.err != nil {
			t.Errorf("back: %v", g.err)
		}
	})
}

// The driver and the simulated reader over a pseudo terminal: every fault of the reader, and the next swipe works.
func TestOverPTY(t *testing.T) {
	master, slave, keep, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	defer master.Close()
	sent := make(chan struct{}, 1)
	dev := sim.New(sim.Options{Baud: 1 << 20, LRC: true, Trace: func(e simulator.Event) {
		if e.Dir == "<" || e.Summary == "ready" {
			sent <- struct{}{}
		}
	}})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { _ = dev.Serve(ctx, master) }()
	<-sent // a card that is swiped without power is not read
	r := msr.New(serial.Opener(serial.Config{Path: slave, Baud: 9600}), &msr.Opts{LRC: true, Gap: 50 * time.Millisecond})
	defer r.Close()
	limit, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	card := sim.Profiles()[0].Card
	try := func() (track.Card, error) {
		if err := r.Drop(); err != nil {
			t.Fatal(err)
		}
		dev.Swipe(card)
		c, err := r.Swipe(limit)
		select { // what follows in the same breath is on the line, too
		case <-sent:
		case <-limit.Done():
			t.Fatal("nothing was sent")
		}
		return c, err
	}
	for _, f := range dev.Faults() {
		if f == "dead" {
			continue
		}
		if err := dev.SetFault(f, true); err != nil {
			t.Fatal(err)
		}
		c, err := try()
		var bad *track.Error
		switch {
		case f == "double", f == "no-suffix":
			if err != nil || c.PAN != card.PAN || c.Name != card.Holder || c.Track3 == "" {
				t.Errorf("%s: %v", f, err)
			}
		case !errors.As(err, &bad):
			t.Errorf("%s: %v", f, err)
		}
		_ = dev.SetFault(f, false)
		if c, err := try(); err != nil || c.PAN != card.PAN {
			t.Errorf("after %s: %v", f, err)
		}
	}
	if dev.SetFault("coffee", true) == nil {
		t.Error("a fault that is none")
	}
}

// Every test card's tracks say the same of it to the parser, with LRC and without.
func TestProfiles(t *testing.T) {
	for _, p := range sim.Profiles() {
		one, two, three := p.Tracks()
		raw := "%" + one + "?;" + two + "?"
		if three != "" {
			raw += "+" + three + "?"
			t3, err := track.Parse3(three)
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
			} else if u, err := track.ParseUse(t3.Use); err != nil || u.Country != "156" || u.Expiry != p.Expiry {
				t.Errorf("%s: track 3: %v", p.Name, err)
			}
		}
		c, err := track.Parse(raw, false)
		if err != nil || c.PAN != p.PAN || c.Expiry != p.Expiry || string(c.Service) != p.Service || c.Name != p.Holder || (c.Track3 != "") != p.Third {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(swipe + "\r"))
	f.Add([]byte("\x00" + two + two + "\n\n%"))
	f.Add(bytes.Repeat([]byte("%"), 600))
	f.Fuzz(func(t *testing.T, stream []byte) {
		synctest.Test(t, func(t *testing.T) {
			p, peer := porttest.Pipe(len(stream) + 1)
			r := msr.New(func() (hal.Port, error) { return p, nil }, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			send(t, peer, string(stream))
			c, err := r.Swipe(ctx)
			var bad *track.Error
			if err == nil && !track.Luhn(c.PAN) || err != nil && !errors.As(err, &bad) && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%v", err)
			}
			_ = r.Close()
		})
	})
}
