package kernel7

import (
	"context"
	"errors"
	"fmt"
	"time"

	"posd/emv"
	"posd/emv/contactless"
	"posd/emv/tlv"
)

// Config is what a Kernel knows beside what the Entry Point hands it with each activation. The zero Config is a kernel without China's
// rules: cards and limits of the combination decide.
type Config struct {
	Parameters // downloaded by the acquirer's host

	// BIN tables of the exemption from the PIN (exempt.go). A and B count while the parameters say so, Blocked afterwards.
	TableA, TableB, Blocked BINTable
	// HomeOnly takes every card for one of this country: the card's currencies are not asked for, which saves two exchanges.
	HomeOnly bool

	// Cash switches electronic cash on (cash.go).
	Cash Cash

	// Explain is told in a few words why an outcome is not the card's own decision: tags and status bytes, never a value. May be nil.
	Explain func(reason string)
}

// Kernel is kernel 7. It remembers cards that were torn from the field, in memory only.
type Kernel struct {
	cfg  Config
	torn []torn
}

var _ contactless.Kernel = (*Kernel)(nil)

// New returns a Kernel.
func New(cfg Config) *Kernel { return &Kernel{cfg: cfg} }

// ID is 7.
func (k *Kernel) ID() contactless.KernelID { return 7 }

// ErrReader is wrapped by every error about the reader's own data: the kernel cannot run with them.
var ErrReader = errors.New("kernel7: bad reader data")

// errLost means that the card is gone, mute or broke the protocol.
var errLost = errors.New("kernel7: card lost")

// state is one state of the kernel: it does its part and names the next, nil when the outcome is there.
type state func(context.Context, *run) (state, error)

// run is one activation.
type run struct {
	k    *Kernel
	a    *contactless.Activation
	card contactless.Card

	term terminalData
	icc  tlv.Store // what the card gave in answer to SELECT, GET PROCESSING OPTIONS, READ RECORD and GET DATA

	ttq       [4]byte
	languages []string
	pdol      tlv.DOL

	ac     cryptogram
	ctq    [2]byte
	hasCTQ bool

	signed []byte // records that take part in authentication
	broken bool   // one of them cannot be read as it must be
	whole  bool   // the last record was read: a purse is debited

	pan, psn string // digits
	expiry   int    // yyyymmdd, 0 is none

	told   bool            // that the card may go
	online bool            // the issuer is to be asked
	home   bool            // the card is of this country, as far as the exemption goes
	cvm    contactless.CVM // chosen so far
	exempt contactless.Exemption

	out contactless.Outcome
	cmd [5 + 255 + 1]byte
}

// Activate runs the kernel with a card whose application was just selected.
func (k *Kernel) Activate(ctx context.Context, card contactless.Card, a *contactless.Activation) (contactless.Outcome, error) {
	r, err := k.newRun(card, a)
	if err != nil {
		return contactless.Outcome{}, err
	}
	for s := state(selected); s != nil; {
		if s, err = s(ctx, r); err != nil {
			return contactless.Outcome{}, err
		}
	}
	return r.out, nil
}

func (k *Kernel) newRun(card contactless.Card, a *contactless.Activation) (*run, error) {
	fail := func(why string) (*run, error) { return nil, fmt.Errorf("%w: %s", ErrReader, why) }
	switch {
	case card == nil || a == nil || a.Combination == nil || a.UI == nil || a.Now == nil:
		return fail("the activation is incomplete")
	case !a.Indicators.HasTTQ || !ttqFast.in(a.Indicators.TTQ[:]):
		return fail("9F66 is missing, or does not name this kernel's path (byte 1 bit 6)")
	}
	r := &run{k: k, a: a, card: card, ttq: a.Indicators.TTQ}
	ttqFDDA01.set(r.ttq[:]) // a property of this kernel, not of the configuration
	if a.Combination.App.NoOnlinePIN {
		ttqOnlinePIN.clear(r.ttq[:])
	}
	if k.cfg.Channel == OnlineFirst && r.onlineCapable() {
		ttqOnlineRequired.set(r.ttq[:])
	}
	if why := r.term.fill(r); why != "" {
		return fail(why)
	}
	k.forget(a.Now())
	return r, nil
}

// onlineCapable tells whether the reader can ask an issuer.
func (r *run) onlineCapable() bool { return !ttqOfflineOnly.in(r.ttq[:]) }

// sale is a kind of transaction for which the rules of small amounts and electronic cash are made.
func (r *run) sale() bool {
	return r.a.Transaction.Type == emv.TypeGoods || r.a.Transaction.Type == emv.TypePreauth
}

// today is the transaction's date as one number, yyyymmdd.
func (r *run) today() int {
	y, m, d := r.a.Transaction.Time.Date()
	return y*10000 + int(m)*100 + d
}

// exchange sends a command and splits the answer into data, a copy, and status bytes. The error is errLost or the context's own.
func (r *run) exchange(ctx context.Context, capdu []byte) (data []byte, sw uint16, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	b, err := r.card.Transceive(ctx, capdu)
	if cerr := ctx.Err(); err != nil && cerr != nil {
		return nil, 0, cerr
	}
	if err != nil || len(b) < 2 || len(b) > 256+2 {
		return nil, 0, errLost
	}
	n := len(b) - 2
	return append([]byte(nil), b[:n]...), uint16(b[n])<<8 | uint16(b[n+1]), nil
}

// command builds a command with data and Le 00 in the run's buffer.
func (r *run) command(cla, ins, p1, p2 byte, data []byte) []byte {
	c := append(r.cmd[:0], cla, ins, p1, p2)
	if len(data) > 0 {
		c = append(append(c, byte(len(data))), data...)
	}
	return append(c, 0x00)
}

// getData asks for a data object. ok is false when the card does not have it, or what it sends is something else.
func (r *run) getData(ctx context.Context, t tlv.Tag) (v []byte, ok bool, err error) {
	b, sw, err := r.exchange(ctx, r.command(0x80, 0xCA, byte(t>>8), byte(t), nil))
	if err != nil || sw != swOK {
		return nil, false, err
	}
	o, perr := tlv.One(b)
	if perr != nil || o.Tag != t {
		return nil, false, nil
	}
	return o.Value, true, nil
}

const swOK = 0x9000

// get is the value of an object of the card that may be missing.
func (r *run) get(t tlv.Tag) []byte {
	v, _ := r.icc.Get(t)
	return v
}

func (r *run) explain(format string, args ...any) {
	if r.k.cfg.Explain != nil {
		r.k.cfg.Explain(fmt.Sprintf(format, args...))
	}
}

// since is how long ago a moment of the monotonic clock was.
func (r *run) since(t time.Time) time.Duration { return r.a.Now().Sub(t) }
