package alipay

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"posd/sim"
)

// Options of a gateway. The zero value is a gateway with the built-in phones and the published rates on a free port.
type Options struct {
	Trace  sim.Tracer
	Clock  func() time.Time // nil for the wall clock
	Addr   string           // "" for a free port of 127.0.0.1
	Rates  map[int]Rate     // nil for PublishedRates
	Phones []Phone          // nil for BuiltIn
	Keys   *Keys            // nil for fresh ones
	Late   time.Duration    // of the fault reply-late; 0 for 20 s
	Drip   time.Duration    // between two bytes of the fault slow-body; 0 for 1 s
}

const (
	path      = "/gateway.do"
	movedPath = "/moved.do"           // where the fault redirect leads
	pipeHost  = "wallet.virtual.test" // name of the gateway on an in-memory line
)

// Gateway is the virtual Alipay. Its methods may be called from any goroutine.
type Gateway struct {
	trace sim.Tracer
	clock func() time.Time
	addr  string
	rates map[int]Rate
	keys  *Keys
	late  time.Duration
	drip  time.Duration

	caPEM  []byte
	cert   tls.Certificate
	broken error // what New could not make

	mu      sync.Mutex
	phones  []*Phone
	codes   map[string]*code
	order   []*trade // in the order in which they came
	faulty  map[string]bool
	down    bool
	serial  int
	moved   []byte   // the answer that waits where the fault redirect leads
	notes   []string // for the trace, sent when the lock is open
	servers []*http.Server
}

// New makes a gateway with fresh keys and certificates. It serves nothing until Start or Pipe.
func New(o Options) *Gateway {
	g := &Gateway{
		trace: o.Trace, clock: o.Clock, addr: o.Addr, rates: o.Rates, keys: o.Keys, late: o.Late, drip: o.Drip,
		codes: map[string]*code{}, faulty: map[string]bool{},
	}
	if g.clock == nil {
		g.clock = time.Now
	}
	if g.addr == "" {
		g.addr = "127.0.0.1:0"
	}
	if g.rates == nil {
		g.rates = PublishedRates()
	}
	if g.late == 0 {
		g.late = 20 * time.Second
	}
	if g.drip == 0 {
		g.drip = time.Second
	}
	if g.keys == nil {
		g.keys, g.broken = NewKeys()
	}
	if g.broken == nil {
		g.caPEM, g.cert, g.broken = newCertificates("127.0.0.1", "localhost", pipeHost)
	}
	phones := o.Phones
	if phones == nil {
		phones = BuiltIn()
	}
	for _, p := range phones {
		g.AddPhone(p)
	}
	return g
}

// AppID is the number of the one application that the gateway knows.
func (g *Gateway) AppID() string { return "9021000100000001" }

// CA is the certificate of the test authority, PEM.
func (g *Gateway) CA() []byte { return g.caPEM }

// Start serves on Options.Addr and returns the URL for the terminal's configuration.
func (g *Gateway) Start() (url string, err error) {
	if g.broken != nil {
		return "", fmt.Errorf("sim/alipay: %w", g.broken)
	}
	l, err := net.Listen("tcp", g.addr)
	if err != nil {
		return "", fmt.Errorf("sim/alipay: %w", err)
	}
	g.serve(l)
	return "https://" + l.Addr().String() + path, nil
}

// Pipe serves on a line in memory, for tests that run on virtual time. The terminal's gateway takes both values as they are.
func (g *Gateway) Pipe() (url string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	l := newPipes()
	g.serve(l)
	return "https://" + pipeHost + path, func(ctx context.Context, _, _ string) (net.Conn, error) {
		g.mu.Lock()
		down := g.down || g.broken != nil
		g.mu.Unlock()
		if down {
			return nil, errors.New("sim/alipay: connection refused")
		}
		return l.dial(ctx)
	}
}

func (g *Gateway) serve(l net.Listener) {
	s := &http.Server{
		Handler:           http.HandlerFunc(g.handle),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{g.cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true},
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: 30 * time.Second,
	}
	g.mu.Lock()
	g.servers = append(g.servers, s)
	g.mu.Unlock()
	go func() { _ = s.ServeTLS(&gate{l, g}, "", "") }() // ends with Close
}

// Close stops serving and ends open connections. Ledger and phones stay; Start may be called again.
func (g *Gateway) Close() error {
	g.mu.Lock()
	servers := g.servers
	g.servers = nil
	g.mu.Unlock()
	var errs []error
	for _, s := range servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// gate closes connections at once while the gateway is down.
type gate struct {
	net.Listener
	g *Gateway
}

func (l *gate) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.g.mu.Lock()
		down := l.g.down
		l.g.mu.Unlock()
		if !down {
			return c, nil
		}
		_ = c.Close() // the fault is that nobody answers
	}
}

func randomWord(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = letters[b[i]%32]
	}
	return string(b)
}
