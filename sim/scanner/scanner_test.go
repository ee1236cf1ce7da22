package scanner

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal/serial/porttest"
	"posd/sim"
)

const code = "284567890123456789"

// serve runs a device in a bubble; the returned port is the terminal's side.
func serve(t *testing.T, o Options) (*Scanner, *porttest.Port) {
	t.Helper()
	s := New(o)
	p, end := porttest.Pipe(1 << 16)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, end) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, p
}

// hear returns all that comes until nothing came for a second.
func hear(t *testing.T, p *porttest.Port) string {
	t.Helper()
	var got []byte
	b := make([]byte, 64)
	for {
		_ = p.SetReadDeadline(time.Now().Add(time.Second)) // fails only on a closed pipe, as Read then does
		n, err := p.Read(b)
		got = append(got, b[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return string(got)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func tell(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

func TestTriggered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := serve(t, Options{Hold: time.Minute, AIM: "]Q1"})
		s.Present(code)
		if got := hear(t, p); got != "" {
			t.Errorf("not triggered, but sent %q", got)
		}
		tell(t, p, "\x16T\r")
		if got := hear(t, p); got != "]Q1"+code+"\r" {
			t.Errorf("sent %q", got)
		}
		if s.Lit() {
			t.Error("still reading after a code")
		}
		tell(t, p, "\x16T\r")
		if got := hear(t, p); got != "" {
			t.Errorf("sent twice: %q", got)
		}
		tell(t, p, "\x16") // a command in two pieces, behind noise
		tell(t, p, "U\rnoise\x16")
		tell(t, p, "T\r\x16U\r")
		synctest.Wait()
		if s.Lit() {
			t.Error("reading after the trigger was taken back")
		}
		s.Present(code)
		if got := hear(t, p); got != "" {
			t.Errorf("sent %q after the trigger was taken back", got)
		}
		s.Withdraw()
		tell(t, p, "\x16T\r")
		if got := hear(t, p); got != "" {
			t.Errorf("sent %q after the phone was taken away", got)
		}
	})
}

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := serve(t, Options{Hold: 2 * time.Second, Window: 5 * time.Second})
		s.Present(code)
		time.Sleep(3 * time.Second)
		tell(t, p, "\x16T\r")
		if got := hear(t, p); got != "" {
			t.Errorf("the phone is gone, but %q", got)
		}
		time.Sleep(6 * time.Second)
		s.Present(code)
		if got := hear(t, p); got != "" {
			t.Errorf("the window is over, but %q", got)
		}
	})
}

func TestPresentationMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := serve(t, Options{Trigger: "none", Suffix: "\r\n", Baud: 1200})
		start := time.Now()
		s.Present(code)
		if got := hear(t, p); got != code+"\r\n" {
			t.Errorf("sent %q", got)
		}
		// 20 characters of 10 bits at 1200 bit/s take 167 ms; hear waits a second more.
		if took := time.Since(start) - time.Second; took < 150*time.Millisecond || took > 200*time.Millisecond {
			t.Errorf("20 characters at 1200 bit/s took %v", took)
		}
	})
}

func TestNewlandAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := serve(t, Options{Trigger: "newland"})
		tell(t, p, "\x7e\x010000#SCNTRG1;\x03")
		if got := hear(t, p); got != "\x02\x010000#SCNTRG1\x06;\x03" {
			t.Errorf("answered %q", got)
		}
	})
}

func TestFaults(t *testing.T) {
	want := map[string]func(string) bool{
		"dead":      func(s string) bool { return s == "" },
		"mute":      func(s string) bool { return s == "" },
		"no-suffix": func(s string) bool { return s == code },
		"garbage":   func(s string) bool { return len(s) == len(code)+1 && !strings.Contains(s, code[:4]) },
	}
	names := New(Options{}).Faults()
	if len(names) != len(want) {
		t.Fatalf("faults %v", names)
	}
	for _, name := range names {
		synctest.Test(t, func(t *testing.T) {
			s, p := serve(t, Options{})
			if err := s.SetFault(name, true); err != nil {
				t.Fatal(err)
			}
			tell(t, p, "\x16T\r")
			synctest.Wait()
			s.Present(code)
			if got := hear(t, p); !want[name](got) {
				t.Errorf("%s: sent %q", name, got)
			}
			if err := s.SetFault(name, false); err != nil {
				t.Fatal(err)
			}
			s.Present(code)
			tell(t, p, "\x16T\r")
			if got := hear(t, p); got != code+"\r" {
				t.Errorf("after %s was taken away: %q", name, got)
			}
		})
	}
	if err := New(Options{}).SetFault("fire", true); err == nil {
		t.Error("an unknown fault was accepted")
	}
}

func TestServeAgainAndTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var trace []string
		s := New(Options{Trace: func(e sim.Event) {
			mu.Lock()
			defer mu.Unlock()
			trace = append(trace, e.Dir+e.Summary)
		}})
		for range 2 {
			p, end := porttest.Pipe(1000)
			done := make(chan error, 1)
			go func() { done <- s.Serve(t.Context(), end) }()
			tell(t, p, "\x16T\r")
			s.Present(code)
			if got := hear(t, p); got != code+"\r" {
				t.Errorf("sent %q", got)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-done; !errors.Is(err, io.EOF) {
				t.Errorf("Serve on a line that is gone: %v", err)
			}
		}
		all := strings.Join(trace, "\n")
		if strings.Contains(all, code[2:8]) || !strings.Contains(all, ">trigger on") || !strings.Contains(all, "<code 28... of 18 characters") {
			t.Errorf("trace:\n%s", all)
		}
	})
}
