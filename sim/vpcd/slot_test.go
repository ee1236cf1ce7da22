package vpcd

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"posd/sim"
)

// pipes is a listener whose connections are pipes in memory, so that time is the bubble's.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial() net.Conn {
	a, b := net.Pipe()
	p.conns <- b
	return a
}

// place is a slot in memory, what it said, and the cards that are in it.
type place struct {
	*Slot
	line *pipes
	mu   sync.Mutex
	said []string
	in   *Card
	came int
}

func newPlace(t *testing.T) *place {
	p := &place{line: newPipes()}
	p.Slot = serve(p.line, Options{
		Answer: 10 * time.Second, Reset: 2 * time.Second, Rest: time.Second,
		In:  func(c *Card) { p.mu.Lock(); p.in = c; p.came++; p.mu.Unlock() },
		Out: func(*Card) { p.mu.Lock(); p.in = nil; p.mu.Unlock() },
		Trace: func(e sim.Event) {
			p.mu.Lock()
			p.said = append(p.said, e.Summary)
			p.mu.Unlock()
		},
	})
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *place) card() *Card {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.in
}

func (p *place) heard(what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(strings.Join(p.said, "\n"), what)
}

// chip is a card that notes what it is told and answers from a table.
type chip struct {
	mu     sync.Mutex
	resets int
	say    map[string]string
	asked  []string
}

func (c *chip) ATR() []byte { return []byte{0x3B, 0x60, 0x00, 0x00} }

func (c *chip) Reset() {
	c.mu.Lock()
	c.resets++
	c.mu.Unlock()
}

func (c *chip) Transceive(apdu []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, hex.EncodeToString(apdu))
	return unhex(c.say[hex.EncodeToString(apdu)])
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// Both sides of this package talk to each other: controls, ATR, APDUs, and the end of either.
func TestBothSides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		long := strings.Repeat("5A", 256)
		c := &chip{say: map[string]string{"00a4040000": "6A82", "00b2010c00": long + "9000"}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- Serve(ctx, p.line.dial(), c) }()
		card := p.card()
		if card == nil {
			t.Fatalf("no card: %v", p.said)
		}
		card.PowerOff() // it has none: nothing is sent
		card.Reset()
		card.Reset()
		card.PowerOff()
		if got := card.ATR(); !bytes.Equal(got, c.ATR()) {
			t.Errorf("ATR %X", got)
		}
		if got := card.Transceive(unhex("00A4040000")); hex.EncodeToString(got) != "6a82" {
			t.Errorf("answer %X", got)
		}
		if got := card.Transceive(unhex("00B2010C00")); len(got) != 258 {
			t.Errorf("%d bytes", len(got))
		}
		if got := card.Transceive([]byte{2}); hex.EncodeToString(got) != "6700" { // would be a reset
			t.Errorf("answer %X", got)
		}
		if c.resets != 3 || len(c.asked) != 2 {
			t.Errorf("%d resets, asked %q", c.resets, c.asked)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if p.card() != nil || !p.heard("is gone: it hung up") {
			t.Errorf("the card is still there: %v", p.said)
		}
		if card.ATR() != nil || card.Transceive(unhex("00A4040000")) != nil {
			t.Error("a card that is gone answers")
		}
		card.Reset() // must not hang either

		// The next one, and now the reader goes.
		go func() { done <- Serve(t.Context(), p.line.dial(), c) }()
		if p.card() == nil {
			t.Fatal("no second card")
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil || p.card() != nil {
			t.Errorf("after the end: %v", err)
		}
	})
}

// The reader's bytes are those of vpcd.
func TestControls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		peer := p.line.dial()
		expect := func(want string) {
			t.Helper()
			b := make([]byte, len(unhex(want)))
			if _, err := io.ReadFull(peer, b); err != nil || !bytes.Equal(b, unhex(want)) {
				t.Fatalf("%X, %v; want %s", b, err, want)
			}
		}
		say := func(s string) {
			t.Helper()
			if _, err := peer.Write(unhex(s)); err != nil {
				t.Fatal(err)
			}
		}
		expect("0001 04")
		say("0004 3B600000")
		card := p.card()
		for _, c := range []struct {
			do   func()
			want string
		}{
			{card.Reset, "0001 01"},
			{card.Reset, "0001 02"},
			{card.PowerOff, "0001 00"},
			{card.Reset, "0001 01"},
		} {
			go c.do()
			expect(c.want)
			synctest.Wait()
		}
		go card.Transceive(unhex("00A4 0400 00"))
		expect("0005 00A4040000")
		say("0002 9000")
		peer.Close()
	})
}

// A second card is refused, and the first one does not notice.
func TestSecondIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		c := &chip{say: map[string]string{"00a4040000": "9000"}}
		go func() { _ = Serve(t.Context(), p.line.dial(), c) }()
		card := p.card()
		second := p.line.dial()
		if b, err := io.ReadAll(second); err != nil || len(b) != 0 {
			t.Errorf("the second one got %X, %v", b, err)
		}
		synctest.Wait()
		if !p.heard("a second card is refused") || p.came != 1 {
			t.Errorf("%v", p.said)
		}
		if got := card.Transceive(unhex("00A4040000")); len(got) != 2 {
			t.Errorf("the first one says %X", got)
		}
		_ = p.Close()
	})
}

// Whoever is no card, or stops being one, is out within the time that there is for it, and the next card is let in.
func TestHostilePeer(t *testing.T) {
	for _, c := range []struct {
		name    string
		first   string // answer to the first question, for the ATR; "" is silence
		second  string // answer to a command; "-" is no command at all, only this
		card    bool   // it gets as far as being a card
		within  time.Duration
		because string
	}{
		{name: "silent from the start", within: 2 * time.Second, because: "no answer within 2s"},
		{name: "ATR of no bytes", first: "0000", because: "length at offset 0"},
		{name: "ATR of 34 bytes", first: "0022" + strings.Repeat("3B", 34), because: "an ATR of 34 bytes"},
		{name: "HTTP", first: hex.EncodeToString([]byte("GET / HTTP/1.1\r\n\r\n")), because: "18245 bytes, at most 258"},
		{name: "half a length", first: "00", within: time.Second, because: "length at offset 1: nothing more comes"},
		{name: "half an ATR", first: "0004 3B", within: time.Second, because: "nothing more comes after 1 of 4"},
		{name: "two ATRs", first: "0004 3B600000 0004 3B600000", because: "speaks unasked"},
		{name: "mute", first: "0004 3B600000", card: true, within: 10 * time.Second, because: "no answer within 10s"},
		{name: "empty answer", first: "0004 3B600000", second: "0000", card: true, because: "length at offset 0"},
		{name: "answer of one byte", first: "0004 3B600000", second: "0001 90", card: true, because: "a response APDU of 1 byte"},
		{name: "answer of 259 bytes", first: "0004 3B600000", second: "0103" + strings.Repeat("00", 259), card: true, because: "259 bytes"},
		{name: "half an answer", first: "0004 3B600000", second: "0004 0102", card: true, within: time.Second, because: "after 2 of 4 bytes"},
		{name: "two answers", first: "0004 3B600000", second: "0002 9000 0002 9000", card: true, because: "speaks unasked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t)
				peer := p.line.dial()
				answer := func(s string) {
					if _, err := io.ReadFull(peer, make([]byte, 2)); err == nil {
						_, _ = io.CopyN(io.Discard, peer, 1)
					}
					go func() { _, _ = peer.Write(unhex(s)) }()
					go func() { _, _ = io.Copy(io.Discard, peer) }()
				}
				answer(c.first)
				start := time.Now()
				card := p.card()
				if (card != nil) != c.card && c.name != "two ATRs" {
					t.Fatalf("a card: %v", card)
				}
				if c.card {
					answered := make(chan []byte, 1)
					go func() { answered <- card.Transceive(unhex("00A4040000")) }()
					synctest.Wait()
					if c.second != "" {
						go func() { _, _ = peer.Write(unhex(c.second)) }()
					}
					out := <-answered
					if strings.HasPrefix(c.name, "two") != (len(out) == 2) {
						t.Errorf("answer %X", out)
					}
				}
				synctest.Wait()
				time.Sleep(c.within - time.Since(start)) // in the bubble: it is there at that moment, not later
				if took := time.Since(start); took > c.within {
					t.Errorf("it took %v", took)
				}
				if p.card() != nil || !p.heard(c.because) {
					t.Errorf("want %q, heard %q", c.because, p.said)
				}
				was := p.came
				go func() { _ = Serve(t.Context(), p.line.dial(), &chip{}) }()
				if p.card() == nil || p.came != was+1 {
					t.Errorf("the next card is not let in: %q", p.said)
				}
				_ = peer.Close()
				_ = p.Close()
			})
		})
	}
}

// Who asks may stop waiting; the late answer is never taken for the next command's.
func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		peer := p.line.dial()
		take := func(n int) {
			t.Helper()
			if _, err := io.ReadFull(peer, make([]byte, n)); err != nil {
				t.Fatal(err)
			}
		}
		say := func(s string) {
			t.Helper()
			if _, err := peer.Write(unhex(s)); err != nil {
				t.Fatal(err)
			}
		}
		take(3)
		say("0004 3B600000")
		card := p.card()
		ctx, cancel := context.WithCancel(t.Context())
		out := make(chan []byte)
		go func() { out <- card.Exchange(ctx, unhex("00B2010C00")) }()
		take(7)
		synctest.Wait()
		cancel()
		if b := <-out; b != nil {
			t.Errorf("answer %X", b)
		}
		go func() { out <- card.Exchange(t.Context(), unhex("00B2020C00")) }()
		take(7)
		say("0003 01 9000")
		say("0003 02 9000")
		if b := <-out; hex.EncodeToString(b) != "029000" {
			t.Errorf("answer %X", b)
		}
		if b := card.Exchange(ctx, unhex("00B2030C00")); b != nil { // it has ended: nothing is sent
			t.Errorf("answer %X", b)
		}
		_ = peer.Close()
	})
}

// The card's side ends with an error that names the field when the reader is none.
func TestServeRefuses(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"control 3":    {"0001 03", "control at offset 2"},
		"no bytes":     {"0000", "length at offset 0"},
		"half a frame": {"0005 00A4", "nothing more comes after 2 of 5"},
	} {
		synctest.Test(t, func(t *testing.T) {
			reader, conn := net.Pipe()
			done := make(chan error, 1)
			go func() { done <- Serve(t.Context(), conn, &chip{}) }()
			if _, err := reader.Write(unhex(c.in)); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
			_ = reader.Close()
		})
	}
}

// Over TCP: an address that is taken is an error, and so is one where nobody listens.
func TestTCP(t *testing.T) {
	in := make(chan *Card, 1)
	s, err := Listen("127.0.0.1:0", Options{In: func(c *Card) { in <- c }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(s.Addr(), Options{}); err == nil {
		t.Error("two slots at one address")
	}
	conn, err := Dial(t.Context(), s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c := &chip{say: map[string]string{"00a4040000": "9000"}}
	done := make(chan error, 1)
	go func() { done <- Serve(t.Context(), conn, c) }()
	card := <-in
	card.Reset()
	if out := card.Transceive(unhex("00A4040000")); hex.EncodeToString(out) != "9000" {
		t.Errorf("answer %X", out)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil { // again: nothing to do
		t.Error(err)
	}
	if _, err := Dial(t.Context(), s.Addr()); err == nil {
		t.Error("connected to a closed slot")
	}
}
