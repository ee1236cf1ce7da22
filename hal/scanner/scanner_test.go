package scanner_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal"
	"posd/hal/scanner"
	"posd/hal/serial"
	"posd/hal/serial/porttest"
	"posd/internal/pty"
	sim "posd/sim/scanner"
)

const code = "284567890123456789" // an Alipay payment code's form

// bench is a driver on one end of a pipe; the test is the device.
func bench(o *scanner.Opts) (*scanner.Scanner, *porttest.End) {
	p, peer := porttest.Pipe(4096)
	return scanner.New(func() (hal.Port, error) { return p, nil }, o), peer
}

type result struct {
	code string
	err  error
}

func scan(ctx context.Context, s *scanner.Scanner) chan result {
	out := make(chan result, 1)
	go func() {
		c, err := s.Scan(ctx)
		out <- result{c, err}
	}()
	return out
}

func expect(t *testing.T, peer io.Reader, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(peer, b); err != nil || string(b) != want {
		t.Fatalf("device got %q, %v; want %q", b, err, want)
	}
}

func send(t *testing.T, peer io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(peer, s); err != nil {
		t.Fatal(err)
	}
}

// TestTriggers: the commands of the manuals, byte for byte, before and after the code.
func TestTriggers(t *testing.T) {
	for _, c := range []struct{ trigger, on, off string }{
		{"honeywell", "\x16\x54\x0d", "\x16\x55\x0d"},
		{"newland", "\x7e\x01\x30\x30\x30\x30#SCNTRG1;\x03", "\x7e\x01\x30\x30\x30\x30#SCNTRG0;\x03"},
	} {
		t.Run(c.trigger, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, peer := bench(&scanner.Opts{Trigger: scanner.Trigger(c.trigger)})
				for range 2 {
					got := scan(t.Context(), s)
					expect(t, peer, c.on)
					send(t, peer, code+"\r")
					if r := <-got; r.code != code || r.err != nil {
						t.Fatalf("got %+v", r)
					}
					expect(t, peer, c.off)
				}
			})
		})
	}
}

func TestFraming(t *testing.T) {
	for _, c := range []struct {
		name string
		opts scanner.Opts
		sent []string // with a second between the parts
		want string
	}{
		{"suffix", scanner.Opts{}, []string{code + "\r"}, code},
		{"CR LF", scanner.Opts{Suffix: "\r\n"}, []string{code + "\r\n"}, code},
		{"LF of the last code", scanner.Opts{}, []string{"\n" + code + "\r"}, code},
		{"no suffix, a pause", scanner.Opts{}, []string{code}, code},
		{"AIM prefix", scanner.Opts{}, []string{"]Q1" + code + "\r"}, code},
		{"AIM prefix of Code 128", scanner.Opts{}, []string{"]C0" + code + "\r"}, code},
		{"no AIM prefix", scanner.Opts{}, []string{"]]1" + code + "\r"}, "]]1" + code},
		{"empty codes", scanner.Opts{}, []string{"\r\r\r" + code + "\r"}, code},
		{"noise, then a code", scanner.Opts{}, []string{"\xff\xfe\x80ab\r" + code + "\r"}, code},
		{"noise that ends in a pause", scanner.Opts{}, []string{"\xff\x00", code + "\r"}, code},
		{"control byte inside", scanner.Opts{}, []string{"2845\x0067\r" + code + "\r"}, code},
		{"too long", scanner.Opts{MaxLen: 20}, []string{strings.Repeat("9", 21) + "\r" + code + "\r"}, code},
		{"far too long", scanner.Opts{MaxLen: 20}, []string{strings.Repeat("9", 3000), code + "\r"}, code},
		{"as long as allowed", scanner.Opts{MaxLen: 18}, []string{code + "\r"}, code},
		{"Newland's answer before the code", scanner.Opts{Trigger: scanner.Newland}, []string{"\x02\x010000#SCNTRG1\x06;\x03" + code + "\r"}, code},
		{"blanks around", scanner.Opts{}, []string{"  " + code + " \r"}, code},
		{"inside text", scanner.Opts{}, []string{"https://qr.example/a b?c=1\r"}, "https://qr.example/a b?c=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, peer := bench(&c.opts)
				got := scan(t.Context(), s)
				synctest.Wait() // the driver reads now
				for _, part := range c.sent {
					send(t, peer, part)
					time.Sleep(time.Second)
				}
				select {
				case r := <-got:
					if r.code != c.want || r.err != nil {
						t.Errorf("got %q, %v; want %q", r.code, r.err, c.want)
					}
				default:
					t.Error("no code")
				}
				_ = s.Close() // ends a Scan that still waits
			})
		})
	}
}

// TestStale: what was scanned before the prompt must not pay this sale.
func TestStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, peer := bench(&scanner.Opts{Trigger: scanner.NoTrigger})
		send(t, peer, "111111111111111111\r")
		got := scan(t.Context(), s)
		synctest.Wait()
		send(t, peer, code+"\r")
		if r := <-got; r.code != code {
			t.Errorf("got %+v", r)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, peer := bench(nil)
		why := errors.New("cancel key")
		ctx, cancel := context.WithCancelCause(t.Context())
		got := scan(ctx, s)
		expect(t, peer, "\x16T\r")
		send(t, peer, "2845") // half a code
		synctest.Wait()
		cancel(why)
		if r := <-got; !errors.Is(r.err, why) || r.code != "" {
			t.Fatalf("got %+v", r)
		}
		expect(t, peer, "\x16U\r")
		// And it still works.
		got = scan(t.Context(), s)
		expect(t, peer, "\x16T\r")
		send(t, peer, code+"\r")
		if r := <-got; r.code != code {
			t.Errorf("got %+v", r)
		}
	})
}

func TestErrors(t *testing.T) {
	missing := errors.New("no such line")
	var e *scanner.Error
	s := scanner.New(func() (hal.Port, error) { return nil, missing }, nil)
	if _, err := s.Scan(t.Context()); !errors.Is(err, missing) || !errors.As(err, &e) || e.Op != "open" {
		t.Errorf("missing line: %v", err)
	}

	t.Run("refused", func(t *testing.T) {
		s, peer := bench(&scanner.Opts{Trigger: scanner.Newland})
		got := scan(t.Context(), s)
		expect(t, peer, "\x7e\x010000#SCNTRG1;\x03")
		send(t, peer, "\x02\x010000#SCNTRG1\x15;\x03")
		if r := <-got; !errors.Is(r.err, scanner.ErrRefused) {
			t.Errorf("got %+v", r)
		}
	})

	t.Run("unplugged, then there again", func(t *testing.T) {
		var peers []*porttest.End
		s := scanner.New(func() (hal.Port, error) {
			p, peer := porttest.Pipe(100)
			peers = append(peers, peer)
			return p, nil
		}, nil)
		synctest.Test(t, func(t *testing.T) {
			got := scan(t.Context(), s)
			synctest.Wait()
			_ = peers[0].Close() // the plug
			if r := <-got; !errors.Is(r.err, hal.ErrUnplugged) || !errors.As(r.err, &e) {
				t.Fatalf("got %+v", r)
			}
			got = scan(t.Context(), s)
			synctest.Wait()
			send(t, peers[1], code+"\r")
			if r := <-got; r.code != code {
				t.Errorf("got %+v", r)
			}
		})
	})

	t.Run("no code in an error", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, peer := bench(&scanner.Opts{Trigger: scanner.NoTrigger})
			got := scan(t.Context(), s)
			synctest.Wait()
			send(t, peer, code[:10])
			_ = peer.Close()
			if r := <-got; r.err == nil || strings.Contains(r.err.Error(), code[:6]) {
				t.Errorf("got %+v", r)
			}
		})
	})
}

// TestDevice runs the driver against the simulated device over a real pseudo terminal.
func TestDevice(t *testing.T) {
	for _, dialect := range []string{"honeywell", "newland"} {
		t.Run(dialect, func(t *testing.T) {
			master, path, keep, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer keep.Close()
			defer master.Close()
			dev := sim.New(sim.Options{Trigger: dialect, AIM: "]Q1", Baud: 115200})
			served := make(chan error)
			ctx, stop := context.WithCancel(t.Context())
			go func() { served <- dev.Serve(ctx, master) }()
			s := scanner.New(serial.Opener(serial.Config{Path: path, Baud: 9600}), &scanner.Opts{Trigger: scanner.Trigger(dialect)})
			defer s.Close()
			dev.Present(code) // held before the window already
			if c, err := s.Scan(t.Context()); c != code || err != nil {
				t.Errorf("got %q, %v", c, err)
			}
			if err := dev.SetFault("dead", true); err != nil {
				t.Fatal(err)
			}
			dev.Present(code)
			short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			if c, err := s.Scan(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("dead scanner: %q, %v", c, err)
			}
			stop()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}
