// Package netlink is the line between the terminal and a host: dialling a primary and a backup address, TLS with a client
// certificate and a pinned CA, and messages framed by a length of two bytes (UnionPay direct connect; RFC 8446 and RFC 5246 for TLS).
//
// A Link has at most one connection. Any error on it closes it, and the next Connect dials again. A Link never
// sends anything a second time and never connects by itself while sending: what to do about a request
// without an answer is decided by the caller, who learns from Send whether a byte may have left.
//
// It will not look into messages, match answers to requests or keep a queue.
package netlink

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"

	"github.com/rs/zerolog"
)

// Defaults of Config.
const (
	DefaultConnectTimeout = 15 * time.Second
	DefaultMaxFrame       = 4096
)

// holdDown is how long an address that failed is tried after the others.
const holdDown = time.Minute

// alivePeek is how long an open connection is listened to before it is used again, to learn that the host has closed it.
const alivePeek = time.Millisecond

// Config says how a Link reaches its host.
type Config struct {
	Addresses      []string      // host:port, primary first, then backups
	TLS            *tls.Config   // nil is a plain connection, for a line that is protected otherwise
	ConnectTimeout time.Duration // for one address, TLS handshake included; 0 is DefaultConnectTimeout
	IdleClose      time.Duration // a connection not used for so long is not used again; 0 keeps it
	MaxFrame       int           // largest message in bytes, either way; 0 is DefaultMaxFrame
	// Dial opens a byte line; nil is TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	Log  zerolog.Logger
}

// Link is a line to a host. It is for one goroutine.
type Link struct {
	cfg     Config
	failed  map[string]time.Time // when an address failed last
	address string               // of the open connection
	conn    net.Conn             // nil when there is none; TLS over wire, or wire itself
	wire    *counted
	in      *bufio.Reader
	buf     []byte    // the message received last
	out     []byte    // the frame being sent
	used    time.Time // when the connection last carried something
	heard   bool      // a message has come in over this connection
}

// New returns a Link that is not connected. It refuses a configuration without addresses or with impossible bounds.
func New(cfg Config) (*Link, error) {
	if len(cfg.Addresses) == 0 {
		return nil, errors.New("netlink: no address")
	}
	for _, a := range cfg.Addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return nil, &Error{Op: "configure", Address: a, Cause: Unreachable, Err: err}
		}
	}
	if cfg.MaxFrame == 0 {
		cfg.MaxFrame = DefaultMaxFrame
	}
	if cfg.MaxFrame < 1 || cfg.MaxFrame > LargestFrame {
		return nil, &FrameError{Length: cfg.MaxFrame, Limit: LargestFrame}
	}
	if cfg.ConnectTimeout <= 0 {
		cfg.ConnectTimeout = DefaultConnectTimeout
	}
	if cfg.Dial == nil {
		cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	return &Link{cfg: cfg, failed: map[string]time.Time{}, buf: make([]byte, cfg.MaxFrame)}, nil
}

// Connect makes sure that there is a connection. An open one that the host has closed meanwhile, or that was idle for too long, is
// replaced; fresh tells that a new one was made. The addresses are tried in order, those that failed within the last minute after the
// others. The error is the one of the last address tried, of type *Error.
func (l *Link) Connect(ctx context.Context) (fresh bool, err error) {
	if l.conn != nil && l.alive() {
		return false, nil
	}
	l.drop()
	for _, address := range l.order() {
		if err = l.dial(ctx, address); err == nil {
			return true, nil
		}
		l.cfg.Log.Warn().Str("address", address).Err(err).Msg("cannot connect")
		if ctx.Err() != nil {
			return false, err // the caller gave up: the address is not to blame
		}
		l.failed[address] = time.Now()
	}
	return false, err
}

// order lists the addresses, those that failed lately last.
func (l *Link) order() []string {
	good, bad := make([]string, 0, len(l.cfg.Addresses)), []string(nil)
	for _, a := range l.cfg.Addresses {
		if at, ok := l.failed[a]; ok && time.Since(at) < holdDown {
			bad = append(bad, a)
		} else {
			good = append(good, a)
		}
	}
	return append(good, bad...)
}

func (l *Link) dial(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.ConnectTimeout)
	defer cancel()
	raw, err := l.cfg.Dial(ctx, address)
	if err != nil {
		return l.fail("connect", address, Unreachable, err)
	}
	wire := &counted{Conn: raw}
	conn, version := net.Conn(wire), "none"
	if l.cfg.TLS != nil {
		cfg := l.cfg.TLS
		if cfg.ServerName == "" {
			cfg = cfg.Clone()
			cfg.ServerName, _, _ = net.SplitHostPort(address)
		}
		secure := tls.Client(wire, cfg)
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			return l.fail("TLS handshake", address, TLSRefused, err)
		}
		conn, version = secure, tls.VersionName(secure.ConnectionState().Version)
	}
	l.conn, l.wire, l.address, l.in = conn, wire, address, bufio.NewReader(conn)
	l.used, l.heard = time.Now(), false
	l.cfg.Log.Info().Str("address", address).Str("tls", version).Msg("connected")
	return nil
}

// alive tells whether the open connection may be used again. It listens for a moment: a host that closed the connection while it was
// idle is noticed here, before a request is put on it, and not after. Bytes that nobody waits for stay for Receive.
func (l *Link) alive() bool {
	if l.cfg.IdleClose > 0 && time.Since(l.used) > l.cfg.IdleClose {
		return false
	}
	if err := l.conn.SetReadDeadline(time.Now().Add(alivePeek)); err != nil {
		return false
	}
	_, err := l.in.Peek(1)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	return l.conn.SetReadDeadline(time.Time{}) == nil
}

// Send puts one message on the open connection. sent is false only when no byte of it can have left the terminal: not one was
// taken by the connection below TLS. After an error the connection is closed.
func (l *Link) Send(ctx context.Context, message []byte) (sent bool, err error) {
	if l.conn == nil {
		return false, &Error{Op: "send", Cause: Closed, Err: net.ErrClosed}
	}
	if ctx.Err() != nil {
		return false, l.abandon("send", ctx.Err(), ctx)
	}
	// A message has card data in it: it does not stay behind in the buffer.
	defer func() { clear(l.out); l.out = l.out[:0] }()
	if l.out, err = AppendFrame(l.out[:0], message, l.cfg.MaxFrame); err != nil {
		return false, err
	}
	release := l.guard(ctx)
	before := l.wire.written
	_, err = l.conn.Write(l.out)
	release()
	sent = l.wire.written != before
	if err != nil {
		return sent, l.abandon("send", err, ctx)
	}
	l.used = time.Now()
	return true, nil
}

// Receive waits for one message until ctx ends. The message is valid until the next Receive. After an error the connection is
// closed: what would come later is not the answer to anything that is asked later.
func (l *Link) Receive(ctx context.Context) ([]byte, error) {
	if l.conn == nil {
		return nil, &Error{Op: "receive", Cause: Closed, Err: net.ErrClosed}
	}
	release := l.guard(ctx)
	message, err := ReadFrame(l.in, l.buf)
	release()
	if err != nil {
		return nil, l.abandon("receive", err, ctx)
	}
	l.used, l.heard = time.Now(), true
	return message, nil
}

// Connected tells whether there is a connection, as far as is known.
func (l *Link) Connected() bool { return l.conn != nil }

// Close closes the connection, if there is one. The Link can be connected again.
func (l *Link) Close() error {
	l.drop()
	return nil
}

// guard makes the end of ctx end what waits on the connection. release must be called before the connection is used again.
func (l *Link) guard(ctx context.Context) (release func()) {
	conn, done := l.conn, make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(time.Unix(1, 0)) // long past
		close(done)
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// abandon closes the connection after an error and returns the error as an *Error. What has not left yet does not leave any more: a
// closed TCP connection goes on retransmitting for minutes, and a request that was given up would reach the host after its reversal.
func (l *Link) abandon(op string, err error, ctx context.Context) error {
	address, heard := l.address, l.heard
	if tcp, ok := l.wire.Conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // fails only on a connection that is gone already
	}
	l.drop()
	cause := Closed
	var frame *FrameError
	switch {
	case ctx.Err() != nil:
		cause, err = Silent, ctx.Err()
	case errors.As(err, &frame):
		cause = BadFrame
	case isTLS(err):
		cause = TLSRefused
	}
	if !heard {
		// It took the connection and never said a word: an address like that is no better than one that does not answer.
		l.failed[address] = time.Now()
	}
	return &Error{Op: op, Address: address, Cause: cause, Err: err}
}

// drop closes the connection without ceremony: a goodbye could block, and the host learns it from the closed line as well.
func (l *Link) drop() {
	if l.conn == nil {
		return
	}
	l.wire.Close()
	l.conn, l.wire, l.in, l.address = nil, nil, nil, ""
	clear(l.buf)
}

// counted counts the bytes that the connection below TLS has taken.
type counted struct {
	net.Conn
	written int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written += int64(n)
	return n, err
}
