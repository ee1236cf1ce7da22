package vpcd

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"posd/sim"
)

// Options of a Slot.
type Options struct {
	// In is called when a card is there, Out when it is gone. They are called in turns, for one card after the other; a new card waits
	// until Out returns. Either may be nil.
	In, Out func(*Card)

	Answer time.Duration // how long a card may take over a command; 0 is 10 s
	Reset  time.Duration // ... over saying its ATR; 0 is 2 s
	Rest   time.Duration // ... from the first byte of a message to its last; 0 is 2 s
	Trace  sim.Tracer    // gets who came, who was sent away and why; the APDUs are the reader's to show
}

// Slot is a place for one card that comes over TCP.
type Slot struct {
	o    Options
	l    net.Listener
	work sync.WaitGroup

	mu     sync.Mutex
	held   net.Conn // of the card that is connected
	closed bool
}

// Listen opens a slot at an address HOST:PORT, or HOST for the default port.
func Listen(addr string, o Options) (*Slot, error) {
	for _, d := range []struct {
		v    *time.Duration
		want time.Duration
	}{{&o.Answer, 10 * time.Second}, {&o.Reset, 2 * time.Second}, {&o.Rest, 2 * time.Second}} {
		if *d.v <= 0 {
			*d.v = d.want
		}
	}
	l, err := net.Listen("tcp", Address(addr))
	if err != nil {
		return nil, fmt.Errorf("vpcd: %w", err)
	}
	return serve(l, o), nil
}

func serve(l net.Listener, o Options) *Slot {
	s := &Slot{o: o, l: l}
	s.work.Go(s.accept)
	return s
}

// Addr is where cards connect to.
func (s *Slot) Addr() string { return s.l.Addr().String() }

// Close sends the card away, if there is one, and closes the slot. Out has returned when Close does.
func (s *Slot) Close() error {
	s.mu.Lock()
	s.closed = true
	if s.held != nil {
		_ = s.held.Close() // hold sees it and ends
	}
	s.mu.Unlock()
	err := s.l.Close()
	s.work.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil // closed before
	}
	return err
}

func (s *Slot) accept() {
	for {
		conn, err := s.l.Accept()
		s.mu.Lock()
		switch {
		case s.closed:
			if err == nil {
				_ = conn.Close()
			}
			s.mu.Unlock()
			return
		case err != nil: // out of descriptors, or a client that left before it was let in
			s.mu.Unlock()
			s.say("cannot let a card in: " + err.Error())
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(100 * time.Millisecond)
			continue
		case s.held != nil:
			s.mu.Unlock()
			_ = conn.Close()
			s.say("a second card is refused: " + conn.RemoteAddr().String())
			continue
		}
		s.held = conn
		s.work.Go(func() { s.hold(conn) })
		s.mu.Unlock()
	}
}

// hold keeps a card from its ATR until it is gone.
func (s *Slot) hold(conn net.Conn) {
	defer func() {
		s.mu.Lock()
		s.held = nil
		s.mu.Unlock()
	}()
	c := newCard(conn, s.o)
	defer c.drop(net.ErrClosed)
	var ended sync.WaitGroup
	defer ended.Wait()
	ended.Go(func() { _ = c.listen() }) // the reason is kept
	atr := c.ATR()
	if len(atr) == 0 {
		if c.reason() == nil {
			c.drop(errors.New("it says no ATR"))
		}
		s.say(fmt.Sprintf("%s is no card: %s", c, leaves(c.reason())))
		return
	}
	s.say(fmt.Sprintf("a card from %s, ATR % X", c, atr))
	if s.o.In != nil {
		s.o.In(c)
	}
	<-c.gone
	s.say(fmt.Sprintf("the card from %s is gone: %s", c, leaves(c.reason())))
	if s.o.Out != nil {
		s.o.Out(c)
	}
}

func (s *Slot) say(what string) { s.o.Trace.Emit("world", "", "vpcd: "+what) }
