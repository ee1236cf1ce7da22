package netlink

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func TestFrames(t *testing.T) {
	frame, err := AppendFrame([]byte("x"), []byte("hello"), 10)
	if err != nil || !bytes.Equal(frame, []byte("x\x00\x05hello")) {
		t.Fatalf("%x, %v", frame, err)
	}
	long := bytes.Repeat([]byte{'y'}, 300)
	if frame, err = AppendFrame(frame[1:], long, 300); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 300)
	for name, r := range map[string]io.Reader{
		"two in one read": bytes.NewReader(frame), "a byte at a time": iotest.OneByteReader(bytes.NewReader(frame)),
		"data with the end": iotest.DataErrReader(bytes.NewReader(frame)), "halves": iotest.HalfReader(bytes.NewReader(frame)),
	} {
		for _, want := range [][]byte{[]byte("hello"), long} {
			if got, err := ReadFrame(r, buf); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		if _, err := ReadFrame(r, buf); err != io.EOF {
			t.Errorf("%s: at the end: %v", name, err)
		}
	}
}

func TestBadFrames(t *testing.T) {
	buf := make([]byte, 16)
	for _, c := range []struct {
		in   string
		want error // nil is a *FrameError
	}{
		{"", io.EOF},
		{"\x00", io.ErrUnexpectedEOF},
		{"\x00\x05", io.ErrUnexpectedEOF},
		{"\x00\x05hell", io.ErrUnexpectedEOF},
		{"\x00\x00", nil},
		{"\x00\x11" + strings.Repeat("x", 17), nil},
		{"\xFF\xFFabc", nil},
	} {
		_, err := ReadFrame(strings.NewReader(c.in), buf)
		var frame *FrameError
		if c.want != nil && err != c.want || c.want == nil && !errors.As(err, &frame) {
			t.Errorf("%q: %v, want %v", c.in, err, c.want)
		}
	}
	if b, err := ReadFrame(strings.NewReader("\x00\x01x"), buf); err != nil || string(b) != "x" {
		t.Errorf("one byte: %q, %v", b, err)
	}
	for _, c := range []struct{ size, limit int }{{0, 10}, {11, 10}, {0x10000, 1 << 20}} {
		if _, err := AppendFrame(nil, make([]byte, c.size), c.limit); err == nil {
			t.Errorf("a frame of %d bytes with a limit of %d", c.size, c.limit)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	for _, s := range []string{"", "\x00", "\x00\x00", "\x00\x01x", "\xFF\xFF", "\x00\x02ab\x00\x01c", "\x00\x05abc"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		buf, whole, split := make([]byte, 64), bytes.NewReader(b), iotest.OneByteReader(bytes.NewReader(b))
		var again []byte
		for {
			one, err := ReadFrame(whole, buf)
			one = bytes.Clone(one)
			two, err2 := ReadFrame(split, buf)
			if !bytes.Equal(one, two) || (err == nil) != (err2 == nil) {
				t.Fatalf("how the bytes arrive changes what they mean: %q %v, %q %v", one, err, two, err2)
			}
			if err != nil {
				break
			}
			if again, err = AppendFrame(again, one, 64); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("%x was read as %x", b, again)
		}
	})
}

// far is the host's end of a pipe in memory: the test plays the host.
type far struct {
	mu    sync.Mutex
	conns []net.Conn
	down  map[string]bool
	tried []string
	wg    sync.WaitGroup // of what the host is still doing
}

func (f *far) dial(_ context.Context, address string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried = append(f.tried, address)
	if f.down[address] {
		return nil, errors.New("no route")
	}
	ours, theirs := net.Pipe()
	f.conns = append(f.conns, theirs)
	return ours, nil
}

func (f *far) last() net.Conn { return f.conns[len(f.conns)-1] }

func newLink(t *testing.T, f *far, change func(*Config)) *Link {
	t.Helper()
	cfg := Config{Addresses: []string{"a:1", "b:2"}, Dial: f.dial, MaxFrame: 64}
	if change != nil {
		change(&cfg)
	}
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		for _, c := range f.conns {
			c.Close()
		}
		f.wg.Wait()
	})
	return l
}

func connect(t *testing.T, l *Link, wantFresh bool) {
	t.Helper()
	fresh, err := l.Connect(t.Context())
	if err != nil || fresh != wantFresh {
		t.Fatalf("fresh %v, %v", fresh, err)
	}
}

func causeOf(err error) Cause {
	var e *Error
	if errors.As(err, &e) {
		return e.Cause
	}
	return 0
}

// write puts bytes on the line from the host's side, each piece after a pause.
func (f *far) write(pause time.Duration, pieces ...string) {
	c := f.last()
	f.wg.Go(func() {
		for _, p := range pieces {
			time.Sleep(pause)
			if _, err := c.Write([]byte(p)); err != nil {
				return
			}
		}
	})
}

func TestReceive(t *testing.T) {
	bytewise := strings.Split("\x00\x05hello", "")
	for _, c := range []struct {
		what   string
		pause  time.Duration
		pieces []string
		end    bool // the host hangs up afterwards
		want   []string
		cause  Cause // of the error after the messages
	}{
		{what: "two messages in one read, then silence", pieces: []string{"\x00\x01a\x00\x02bc"}, want: []string{"a", "bc"}, cause: Silent},
		{what: "one byte a second in time", pause: time.Second, pieces: bytewise, want: []string{"hello"}, cause: Silent},
		{what: "one byte a second, too slow", pause: 3 * time.Second, pieces: bytewise, cause: Silent},
		{what: "partial header then stall", pieces: []string{"\x00"}, cause: Silent},
		{what: "partial message then stall", pieces: []string{"\x00\x05he"}, cause: Silent},
		{what: "half a message then hung up", pieces: []string{"\x00\x05he"}, end: true, cause: Closed},
		{what: "hung up", end: true, cause: Closed},
		{what: "length 0", pieces: []string{"\x00\x00"}, cause: BadFrame},
		{what: "length beyond the bound", pieces: []string{"\x00\x41"}, cause: BadFrame},
		{what: "length FFFF", pieces: []string{"\xFF\xFF"}, cause: BadFrame},
		{what: "largest", pieces: []string{"\x00\x40" + strings.Repeat("x", 64)}, want: []string{strings.Repeat("x", 64)}, cause: Silent},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &far{}
				l := newLink(t, f, nil)
				connect(t, l, true)
				f.write(c.pause, c.pieces...)
				if c.end {
					f.wg.Go(func() { time.Sleep(time.Millisecond); f.last().Close() })
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				for _, want := range c.want {
					if got, err := l.Receive(ctx); err != nil || string(got) != want {
						t.Fatalf("%q, %v", got, err)
					}
				}
				_, err := l.Receive(ctx)
				if causeOf(err) != c.cause {
					t.Errorf("%v, want %v", err, c.cause)
				}
				if c.cause == Silent && (!errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second) {
					t.Errorf("%v after %v", err, time.Since(start))
				}
				if l.Connected() {
					t.Error("still connected after an error")
				}
				if _, err := l.Receive(t.Context()); causeOf(err) != Closed {
					t.Errorf("without connection: %v", err)
				}
			})
		})
	}
}

func TestReceiveCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(t, &far{}, nil)
		connect(t, l, true)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(3 * time.Second); cancel() }()
		if _, err := l.Receive(ctx); !errors.Is(err, context.Canceled) || causeOf(err) != Silent {
			t.Error(err)
		}
	})
}

// sent is false only when not one byte was taken.
func TestSentIsHonest(t *testing.T) {
	for _, c := range []struct {
		what string
		read int // bytes that the host takes
		want bool
	}{{"host takes nothing", 0, false}, {"host takes a byte", 1, true}, {"host takes all but a byte", 6, true}} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &far{}
				l := newLink(t, f, nil)
				connect(t, l, true)
				f.wg.Go(func() { io.ReadFull(f.last(), make([]byte, c.read)) })
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				sent, err := l.Send(ctx, []byte("hello"))
				if sent != c.want || causeOf(err) != Silent || l.Connected() {
					t.Errorf("sent %v, %v", sent, err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		f := &far{}
		l := newLink(t, f, nil)
		if sent, err := l.Send(t.Context(), []byte("x")); sent || causeOf(err) != Closed {
			t.Errorf("never connected: %v, %v", sent, err)
		}
		connect(t, l, true)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if sent, err := l.Send(ctx, []byte("x")); sent || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before: %v, %v", sent, err)
		}
		connect(t, l, true)
		if sent, err := l.Send(t.Context(), make([]byte, 65)); sent || err == nil {
			t.Errorf("too long: %v, %v", sent, err)
		}
		f.last().Close()
		if sent, err := l.Send(t.Context(), []byte("x")); sent || err == nil {
			t.Errorf("host has hung up: %v, %v", sent, err)
		}
		connect(t, l, true)
		go func() {
			b := make([]byte, 7)
			io.ReadFull(f.last(), b)
			f.last().Write(b)
		}()
		if sent, err := l.Send(t.Context(), []byte("hello")); !sent || err != nil {
			t.Fatalf("%v, %v", sent, err)
		}
		if got, err := l.Receive(t.Context()); err != nil || string(got) != "hello" {
			t.Fatalf("%q, %v", got, err)
		}
		if len(l.out) != 0 || strings.Contains(string(l.out[:cap(l.out)]), "hello") {
			t.Error("the message is still in the buffer")
		}
	})
}

func TestReuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{}
		l := newLink(t, f, func(c *Config) { c.IdleClose = time.Minute })
		connect(t, l, true)
		connect(t, l, false)
		// Something comes that nobody has asked for: it stays on the line, and the line stays good.
		f.write(0, "\x00\x04late")
		synctest.Wait()
		connect(t, l, false)
		if got, err := l.Receive(t.Context()); err != nil || string(got) != "late" {
			t.Fatalf("%q, %v", got, err)
		}
		f.last().Close() // while idle
		connect(t, l, true)
		time.Sleep(time.Minute - 2*alivePeek)
		connect(t, l, false)
		time.Sleep(time.Minute + 1)
		connect(t, l, true)
		if len(f.conns) != 3 {
			t.Errorf("%d connections", len(f.conns))
		}
		l.Close()
		connect(t, l, true)
	})
}

func TestPrimaryAndBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{down: map[string]bool{"a:1": true}}
		l := newLink(t, f, nil)
		step := func(what, want string) {
			t.Helper()
			f.tried = nil
			l.Close()
			_, err := l.Connect(t.Context())
			if got := strings.Join(f.tried, " "); got != want {
				t.Errorf("%s: tried %q, want %q (%v)", what, got, want, err)
			}
		}
		step("primary down", "a:1 b:2")
		step("primary held down", "b:2")
		f.down["a:1"] = false
		time.Sleep(holdDown + 1)
		step("primary back", "a:1")
		f.down["a:1"], f.down["b:2"] = true, true
		step("both down", "a:1 b:2")
		if _, err := l.Connect(t.Context()); causeOf(err) != Unreachable {
			t.Error(err)
		}
		clear(f.down)
		time.Sleep(holdDown + 1)
		// A host that takes the connection and never says a word counts as one that does not answer.
		connect(t, l, true)
		f.last().Close()
		if _, err := l.Receive(t.Context()); causeOf(err) != Closed {
			t.Error(err)
		}
		step("primary takes calls and says nothing", "b:2")
	})
}

func TestConfigRefused(t *testing.T) {
	for what, cfg := range map[string]Config{
		"no address": {}, "no port": {Addresses: []string{"host"}}, "frame too large": {Addresses: []string{"a:1"}, MaxFrame: 1 << 16},
		"frame negative": {Addresses: []string{"a:1"}, MaxFrame: -1},
	} {
		if _, err := New(cfg); err == nil {
			t.Error(what)
		}
	}
}

// lingering is a connection that knows what becomes of unsent bytes when it is closed.
type lingering struct {
	net.Conn
	linger int // seconds; -1 is the system's default, which goes on sending
}

func (c *lingering) SetLinger(sec int) error { c.linger = sec; return nil }

// A request that was given up must not leave later; a connection closed in good order may say good-bye.
func TestGivenUpIsNotSentLater(t *testing.T) {
	for _, giveUp := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			near, host := net.Pipe()
			defer host.Close()
			go io.Copy(io.Discard, host)
			conn := &lingering{near, -1}
			l, err := New(Config{Addresses: []string{"host:1"}, Dial: func(context.Context, string) (net.Conn, error) { return conn, nil }})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			if sent, err := l.Send(t.Context(), []byte("request")); !sent || err != nil {
				t.Fatal(sent, err)
			}
			want := -1
			if giveUp {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := l.Receive(ctx); err == nil {
					t.Fatal("an answer")
				}
				want = 0
			}
			l.Close()
			if conn.linger != want {
				t.Errorf("given up: %v, linger %d, want %d", giveUp, conn.linger, want)
			}
		})
	}
}
