package kernel2

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"posd/emv"
	"posd/emv/contactless"
	"posd/emv/tlv"
	"posd/internal/money"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// testKey is an RSA key pair of emv/testdata/rsa-test-keys.json.
type testKey struct {
	n, d, p, q, dp, dq, qinv *big.Int
	modulus, exp             []byte
}

var keys = sync.OnceValue(func() map[string]*testKey {
	b, err := os.ReadFile("../../testdata/rsa-test-keys.json")
	if err != nil {
		panic(err)
	}
	var raw map[string]struct{ N, E, D, P, Q string }
	if err := json.Unmarshal(b, &raw); err != nil {
		panic(err)
	}
	out := map[string]*testKey{}
	for name, r := range raw {
		num := func(s string) *big.Int { v, _ := new(big.Int).SetString(s, 16); return v }
		k := &testKey{n: num(r.N), d: num(r.D), p: num(r.P), q: num(r.Q), modulus: unhex(r.N), exp: unhex(r.E)}
		one := big.NewInt(1)
		k.dp = new(big.Int).Mod(k.d, new(big.Int).Sub(k.p, one))
		k.dq = new(big.Int).Mod(k.d, new(big.Int).Sub(k.q, one))
		k.qinv = new(big.Int).ModInverse(k.q, k.p)
		out[name] = k
	}
	return out
})

// signatures remembers what was signed: the same cards are made again and again.
var signatures sync.Map

// sign applies the private key, by the Chinese remainder theorem.
func (k *testKey) sign(plain []byte) []byte {
	if s, ok := signatures.Load(string(plain)); ok {
		return bytes.Clone(s.([]byte))
	}
	m := new(big.Int).SetBytes(plain)
	a := new(big.Int).Exp(m, k.dp, k.p)
	b := new(big.Int).Exp(m, k.dq, k.q)
	h := new(big.Int).Sub(a, b)
	h.Mul(h, k.qinv).Mod(h, k.p)
	s := h.Mul(h, k.q).Add(h, b).FillBytes(make([]byte, len(k.modulus)))
	signatures.Store(string(plain), s)
	return bytes.Clone(s)
}

// seal fills a block of the key's length (6A, head, body, BB, hash over that and more, BC) and signs it.
func (k *testKey) seal(head, body []byte, more ...[]byte) []byte {
	n := len(k.modulus)
	p := append(append([]byte{0x6A}, head...), body...)
	for len(p) < n-21 {
		p = append(p, 0xBB)
	}
	p = p[:n-21]
	h := sha1.New()
	h.Write(p[1:])
	for _, m := range more {
		h.Write(m)
	}
	return k.sign(append(h.Sum(p), 0xBC))
}

// certificate seals a public key under k; room is what the format leaves for it.
func (k *testKey) certificate(head []byte, key *testKey, room int, more ...[]byte) (cert, rest []byte) {
	part := key.modulus
	if len(part) > room {
		part, rest = key.modulus[:room], key.modulus[room:]
	}
	return k.seal(head, part, append([][]byte{rest, key.exp}, more...)...), rest
}

var testRID = [5]byte{0xA0, 0x00, 0x00, 0x00, 0x04}

var caKey = sync.OnceValue(func() emv.CAKey {
	key := keys()["ca1984"]
	h := sha1.New()
	h.Write(testRID[:])
	h.Write([]byte{0x05})
	h.Write(key.modulus)
	h.Write(key.exp)
	k, err := emv.NewCAKey(testRID, 0x05, key.modulus, key.exp, h.Sum(nil))
	if err != nil {
		panic(err)
	}
	return k
})

// ramp is a source of bytes that can be predicted.
type ramp byte

func (r *ramp) Read(p []byte) (int, error) {
	for i := range p {
		*r += 7
		p[i] = byte(*r) & 0x7F
	}
	return len(p), nil
}

// bed is a kernel with a card, a clock and a display.
type bed struct {
	t      testing.TB
	opt    Options
	k      *Kernel
	card   *chip
	data   map[uint32][]byte
	act    contactless.Activation
	clock  *clock
	ui     []contactless.UIRequest
	waits  []time.Duration
	out    contactless.Outcome
	amount int64
	app    emv.Application
	rawFCI []byte
	ctx    context.Context
}

// newBed has a terminal for 500.00 without and 900.00 with verification on the device; the cardholder is verified above 100.00.
func newBed(t testing.TB) *bed {
	b := &bed{t: t, card: newChip(t), clock: &clock{now: time.Unix(1000, 0)}, amount: 2500, ctx: t.Context()}
	b.card.clock = b.clock
	b.data = map[uint32][]byte{}
	b.set(tagInputCap, "60").set(tagCVMCap, "60").set(tagNoCVMCap, "08").set(tagSecurityCap, "08")
	b.set(tagLimitNoDevice, "000000050000").set(tagLimitDevice, "000000090000").set(tagCVMLimit, "000000010000").set(tagFloorLimit, "000000002000")
	b.set(tagTACDefault, "F45084800C").set(tagTACDenial, "0000000000").set(tagTACOnline, "F45084800C")
	b.opt.Wait = func(_ context.Context, d time.Duration) { b.waits = append(b.waits, d) }
	b.act = contactless.Activation{
		Start: contactless.StartA, ADF: unhex("A0000000041010"), SW: 0x9000, UN: [4]byte{0x11, 0x22, 0x33, 0x44},
		Terminal: emv.Terminal{Country: 276, Type: 0x22, Additional: [5]byte{0x60, 0x00, 0xF0, 0xB0, 0x01}, IFDSerial: "POSD0001", TerminalID: "00000001"},
		CAKeys:   []emv.CAKey{caKey()},
		Transaction: contactless.Transaction{
			Amount: money.Amount{Currency: 978}, Time: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC), Counter: 7, Rand: new(ramp),
		},
		Now: func() time.Time { return b.clock.now },
		UI:  func(u contactless.UIRequest) { b.ui = append(b.ui, u) },
	}
	return b
}

func (b *bed) set(tag tlv.Tag, v string) *bed { b.data[uint32(tag)] = unhex(v); return b }

// activate runs the kernel once and tells the outcome in short.
func (b *bed) activate() string {
	b.t.Helper()
	if b.k == nil {
		b.k = New(b.opt)
	}
	b.card.log, b.ui = nil, nil
	b.card.built = nil
	b.act.Combination = &contactless.Combination{AID: unhex("A000000004"), Kernel: ID, Data: b.data, App: b.app}
	b.act.FCI = b.card.fciBytes()
	if b.rawFCI != nil {
		b.act.FCI = b.rawFCI
	}
	b.act.Transaction.Amount.Minor = b.amount
	out, err := b.k.Activate(b.ctx, b.card, &b.act)
	if err != nil {
		return "error: " + err.Error()
	}
	b.out = out
	return brief(out)
}

var statusNames = map[contactless.Status]string{
	contactless.Approved: "APPROVED", contactless.Declined: "DECLINED", contactless.OnlineRequest: "ONLINE", contactless.EndApplication: "END",
	contactless.SelectNext: "NEXT", contactless.TryAnotherInterface: "OTHER", contactless.TryAgain: "AGAIN",
}

// brief writes an outcome in one line: status, start, CVM, receipt, message/status/hold on outcome and on restart, DF8115, what records there are.
func brief(o contactless.Outcome) string {
	s := statusNames[o.Status]
	if o.Start != contactless.StartNone {
		s += " " + string("0ABCD"[o.Start])
	}
	if o.CVM != contactless.CVMNone {
		s += " " + []string{"", "nocvm", "sign", "pin", "code"}[o.CVM]
	}
	if o.Receipt {
		s += " receipt"
	}
	if u := o.UIOutcome; u != nil {
		s += fmt.Sprintf(" ui=%02X/%d/%d", byte(u.Message), u.Status, u.Hold/(100*time.Millisecond))
	}
	if u := o.UIRestart; u != nil {
		s += fmt.Sprintf(" re=%02X/%d", byte(u.Message), u.Status)
	}
	if o.DataRecord != nil {
		s += " dr"
	}
	ei, _ := tlv.Find(o.Discretionary, tagError)
	return s + fmt.Sprintf(" %X", ei)
}

// tvr is the TVR of the last outcome's data record.
func (b *bed) tvr() string { return b.field(tagTVR) }

// field is an object of the data record in hex, "-" when it is not there.
func (b *bed) field(t tlv.Tag) string { return find(b.out.DataRecord, t) }

// disc is an object of the discretionary data.
func (b *bed) disc(t tlv.Tag) string { return find(b.out.Discretionary, t) }

func find(in []byte, t tlv.Tag) string {
	v, ok := tlv.Find(in, t)
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%X", v)
}

// timeout and broken are errors of the antenna.
type timeout struct{}

func (timeout) Error() string { return "no answer" }
func (timeout) Timeout() bool { return true }

var errBroken = errors.New("broken frame")

// eq compares, and tells what differs.
func (b *bed) eq(what, got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("%s: %s, want %s (commands %v)", what, got, want, b.card.log)
	}
}

func (b *bed) want(want string) *bed {
	b.t.Helper()
	b.eq("outcome", b.activate(), want)
	return b
}

func contextWithCancel(t testing.TB) (context.Context, func()) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

func hexOf(b []byte) string { return fmt.Sprintf("%X", b) }

// tlvs lists the tags of a run of objects.
func tlvs(b []byte) string {
	var out []string
	d := tlv.NewDecoder(b)
	for {
		o, ok := d.Next()
		if !ok {
			return strings.Join(out, " ")
		}
		out = append(out, o.Tag.String())
	}
}

// magCard makes the card one of mag-stripe mode.
func magCard(c *chip) {
	c.mag = map[tlv.Tag][]byte{
		tagTrack2: unhex(testPAN + "D30122010000000000000F"), tagPCVC3T2: unhex("000E"), tagPUNATCT2: unhex("07F0"), tagNATCT2: {0x03},
	}
	c.ccc = map[tlv.Tag][]byte{tagCVC3T2: unhex("0123")}
}
