package alipay

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipes is a listener in memory. Its connections are buffered, as those of a network are: on net.Pipe two TLS ends that say
// good-bye at the same time wait for one another.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	a, b := newStream(), newStream()
	select {
	case p.conns <- &pipeConn{in: a, out: b}:
		return &pipeConn{in: b, out: a}, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: pipeHost, Net: "pipe"} }

// stream is one direction of a connection.
type stream struct {
	mu       sync.Mutex
	change   *sync.Cond
	buf      []byte
	ended    bool // by the writer: what is in buf can still be read
	closed   bool // by the reader
	deadline time.Time
	timer    *time.Timer
}

func newStream() *stream {
	s := &stream{}
	s.change = sync.NewCond(&s.mu)
	return s
}

type pipeConn struct{ in, out *stream }

func (c *pipeConn) Read(b []byte) (int, error) {
	s := c.in
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.closed:
			return 0, net.ErrClosed
		case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(s.buf) > 0:
			n := copy(b, s.buf)
			s.buf = s.buf[n:]
			return n, nil
		case s.ended:
			return 0, io.EOF
		}
		s.change.Wait()
	}
}

func (c *pipeConn) Write(b []byte) (int, error) {
	s := c.out
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.closed {
		return 0, io.ErrClosedPipe
	}
	s.buf = append(s.buf, b...)
	s.change.Broadcast()
	return len(b), nil
}

func (c *pipeConn) Close() error {
	c.in.mu.Lock()
	c.in.closed = true
	if c.in.timer != nil {
		c.in.timer.Stop()
	}
	c.in.change.Broadcast()
	c.in.mu.Unlock()
	c.out.mu.Lock()
	c.out.ended = true
	c.out.change.Broadcast()
	c.out.mu.Unlock()
	return nil
}

func (c *pipeConn) SetReadDeadline(t time.Time) error {
	s := c.in
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.deadline = t
	if !t.IsZero() {
		s.timer = time.AfterFunc(time.Until(t), func() {
			s.mu.Lock()
			s.change.Broadcast()
			s.mu.Unlock()
		})
	}
	s.change.Broadcast()
	return nil
}

func (c *pipeConn) SetWriteDeadline(time.Time) error { return nil } // a write never waits
func (c *pipeConn) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *pipeConn) LocalAddr() net.Addr              { return &net.UnixAddr{Name: pipeHost, Net: "pipe"} }

func (c *pipeConn) RemoteAddr() net.Addr { return &net.UnixAddr{Name: pipeHost, Net: "pipe"} }
