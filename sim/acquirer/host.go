// Package acquirer is an acquirer host of the UnionPay direct-connect family, for one merchant's terminals: mutual TLS, sign-on with random
// working keys under the terminal master key, echo, sale with PIN and cryptogram checks against its own accounts, and reversal. It keeps a
// ledger of every message that it has seen and of the money that it holds, by which a run of the terminal is judged, and it can misbehave
// in every way that a host or a line does (Faults).
//
// It follows the same tables as the terminal's side (QCUP 009 style) but shares no code with it beyond the codec, the framing, the TLV
// reader and the cipher primitives: what a terminal must send, how a MAC is checked and what an answer holds are written here anew.
//
// It does not settle, hold batches, or talk to other hosts. Its ledger is in memory: it outlives the terminal, not the program.
package acquirer

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"posd/netlink/iso8583"
	"posd/sim"
)

// Defaults of Options.
const (
	DefaultLateBy = 90 * time.Second
	DefaultSlowBy = time.Second
)

// Account is a card that the host knows.
type Account struct {
	PAN     string
	PSN     string   // two digits, "" any
	Expiry  string   // YYMM
	PIN     string   // "" when the account has none: any PIN block is refused with 55
	Balance int64    // minor units
	Code    string   // when not empty, every request is refused with this code
	Before  []string // commands of the script 71 that goes with every answer, by the names of Options.Scripts
	After   []string // of the script 72
}

// Issuer checks cryptograms and answers them, as the card's bank does.
type Issuer interface {
	// Authorise checks the ARQC in icc (field 55) and returns the value of tag 91 for the decision arc (field 39). An error is a
	// cryptogram that is wrong.
	Authorise(pan, psn string, icc []byte, arc string) (tag91 []byte, err error)
}

// Options are what a Host is made of.
type Options struct {
	Listen   string    // address to listen on; "" is 127.0.0.1:0
	TMK      []byte    // terminal master key, 16 bytes: the working keys travel under it
	TID, MID string    // the only terminal that is known; both empty: any
	Accounts []Account // copied
	Issuer   Issuer    // nil: cryptograms are not checked and not answered
	// Scripts builds an issuer script for the card that sent icc (field 55): template 71 or 72 with the named commands. nil: no scripts.
	Scripts func(template byte, pan, psn string, icc []byte, commands []string) ([]byte, error)
	Trace   sim.Tracer       // decoded messages, secrets masked
	Now     func() time.Time // the host's clock, for fields 12 and 13 and for expiry; nil is time.Now
	Rand    io.Reader        // working keys; nil is crypto/rand
	LateBy  time.Duration    // how late "reply-late" answers; 0 is DefaultLateBy
	SlowBy  time.Duration    // pause before each byte under "slow-bytes"; 0 is DefaultSlowBy
}

// Host is the acquirer. Its methods may be called from any goroutine.
type Host struct {
	opt Options

	mu        sync.Mutex
	accounts  map[string]*account
	terminals map[string]*terminal
	sales     map[Key]*sale
	notices   map[Key]notice
	ledger    []Entry
	rrn       uint32
	requested byte
	faults    []Fault

	pki      *pki
	address  string // fixed by the first Start
	started  bool
	listener net.Listener
	conns    map[net.Conn]bool
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

type account struct {
	Account
	wrong int // PIN tries that failed since the last right one
}

// terminal is what the host keeps of a terminal.
type terminal struct {
	pik, mak []byte // nil before the first sign-on
	batch    uint32
}

// New returns a host that is not started. Serve works without Start.
func New(opt Options) *Host {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Rand == nil {
		opt.Rand = rand.Reader
	}
	if opt.LateBy <= 0 {
		opt.LateBy = DefaultLateBy
	}
	if opt.SlowBy <= 0 {
		opt.SlowBy = DefaultSlowBy
	}
	if opt.Listen == "" {
		opt.Listen = "127.0.0.1:0"
	}
	h := &Host{
		opt: opt, accounts: map[string]*account{}, terminals: map[string]*terminal{}, sales: map[Key]*sale{}, notices: map[Key]notice{},
		conns: map[net.Conn]bool{}, address: opt.Listen,
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	for _, a := range opt.Accounts {
		h.accounts[a.PAN] = &account{Account: a}
	}
	return h
}

// Start makes certificates, unless it has them from an earlier Start, listens with mutual TLS and returns the address. It may be
// called again after Close; the address stays the same.
func (h *Host) Start() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.opt.TMK) != 16 {
		return "", errors.New("acquirer host: the terminal master key must have 16 bytes")
	}
	if h.started {
		return "", errors.New("acquirer host: already started")
	}
	if err := h.makePKI(); err != nil {
		return "", err
	}
	if h.ctx.Err() != nil {
		h.ctx, h.cancel = context.WithCancel(context.Background())
	}
	if err := h.listen(); err != nil {
		return "", err
	}
	h.started = true
	if h.active(Down) {
		h.hangUp()
	}
	return h.address, nil
}

// listen opens the listener and starts accepting. h.mu is held.
func (h *Host) listen() error {
	l, err := net.Listen("tcp", h.address)
	if err != nil {
		return fmt.Errorf("acquirer host: %w", err)
	}
	h.listener, h.address = l, l.Addr().String()
	ctx := h.ctx
	h.wg.Add(1)
	go func() {
		defer h.wg.Done()
		for {
			raw, err := l.Accept()
			if err != nil {
				return // closed
			}
			h.wg.Add(1)
			go func() {
				defer h.wg.Done()
				h.secure(ctx, raw)
			}()
		}
	}()
	return nil
}

// secure does the TLS handshake and serves the connection.
func (h *Host) secure(ctx context.Context, raw net.Conn) {
	defer raw.Close()
	if !h.track(raw, true) {
		return
	}
	defer h.track(raw, false)
	conn := tls.Server(raw, h.tlsConfig())
	shaking, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := conn.HandshakeContext(shaking); err != nil {
		h.opt.Trace.Emit("acquirer", "", "TLS handshake refused", sim.Field{Name: "cause", Value: err.Error()})
		return
	}
	h.opt.Trace.Emit("acquirer", "", "terminal connected", sim.Field{Name: "TLS", Value: tls.VersionName(conn.ConnectionState().Version)})
	if err := h.Serve(ctx, conn); err != nil && ctx.Err() == nil {
		h.opt.Trace.Emit("acquirer", "", "connection ended", sim.Field{Name: "cause", Value: err.Error()})
	}
}

// track remembers a connection so that Close and "down" can end it.
func (h *Host) track(c net.Conn, on bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !on {
		delete(h.conns, c)
		return true
	}
	if h.listener == nil {
		return false
	}
	h.conns[c] = true
	return true
}

// hangUp stops listening and ends all connections. h.mu is held.
func (h *Host) hangUp() {
	if h.listener != nil {
		h.listener.Close()
		h.listener = nil
	}
	for c := range h.conns {
		c.Close()
	}
	clear(h.conns)
}

// Close stops listening, ends all connections and waits for them. Keys, accounts and ledger stay.
func (h *Host) Close() error {
	h.mu.Lock()
	h.hangUp()
	h.started = false
	h.cancel()
	h.mu.Unlock()
	h.wg.Wait()
	return nil
}

// SetRequested sets the processing request digit of the answers' headers: 0 nothing, 3 sign on again, and so on.
func (h *Host) SetRequested(digit byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requested = digit % 10
}

// SetBalance sets the balance of an account in minor units; false when the host does not know the card.
func (h *Host) SetBalance(pan string, minor int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, ok := h.accounts[pan]
	if ok {
		a.Balance = minor
	}
	return ok
}

// Balance returns the balance of an account in minor units; false when the host does not know the card.
func (h *Host) Balance(pan string) (int64, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, ok := h.accounts[pan]
	if !ok {
		return 0, false
	}
	return a.Balance, true
}

// spec is the host's field table.
var spec = iso8583.UnionPay
