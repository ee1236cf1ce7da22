package kernel7

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
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

const (
	testPAN  = "6200000000000005"
	otherPAN = "6200000000000104"
	testAID  = "A000000333010101" // debit
	testPDOL = "9F66049F02069F03069F1A0295055F2A029A039C019F3704"
)

// key is an RSA key pair of emv/testdata/rsa-test-keys.json.
type key struct {
	n, d         *big.Int
	modulus, exp []byte
}

var keys = sync.OnceValue(func() map[string]*key {
	b, err := os.ReadFile("../../testdata/rsa-test-keys.json")
	if err != nil {
		panic(err)
	}
	var raw map[string]struct{ N, E, D string }
	if err := json.Unmarshal(b, &raw); err != nil {
		panic(err)
	}
	out := map[string]*key{}
	for name, r := range raw {
		num := func(s string) *big.Int { v, _ := new(big.Int).SetString(s, 16); return v }
		out[name] = &key{n: num(r.N), d: num(r.D), modulus: unhex(r.N), exp: unhex(r.E)}
	}
	return out
})

// seal fills a block of the key's length, 6A head body BB.. hash BC with more behind the block in the hash, and signs it.
func (k *key) seal(head, body []byte, more ...[]byte) []byte {
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
	p = append(h.Sum(p), 0xBC)
	return new(big.Int).Exp(new(big.Int).SetBytes(p), k.d, k.n).FillBytes(make([]byte, n))
}

// certificate seals a public key: head is what stands before the key in its format, room what is left for it.
func (k *key) certificate(head []byte, of *key, room int, more ...[]byte) (cert, rest []byte) {
	part := of.modulus
	if len(part) > room {
		part, rest = part[:room], part[room:]
	}
	return k.seal(head, part, append([][]byte{rest, of.exp}, more...)...), rest
}

var testCA = sync.OnceValue(func() emv.CAKey {
	k := keys()["ca1152"]
	rid := [5]byte(unhex("A000000333"))
	h := sha1.New()
	h.Write(rid[:])
	h.Write([]byte{0x62})
	h.Write(k.modulus)
	h.Write(k.exp)
	c, err := emv.NewCAKey(rid, 0x62, k.modulus, k.exp, h.Sum(nil))
	if err != nil {
		panic(err)
	}
	return c
})

// object is a data object of the card.
type object struct {
	tag   tlv.Tag
	value []byte
}

// card is a UnionPay card with real keys that plays by the rules, with knobs for what a test wants to be different.
type card struct {
	aid, pan, pdol string
	prop           []byte // more of template A5
	cid            string // CVR byte in 9F10: 90 TC, A0 ARQC, 80 AAC
	gpo            map[tlv.Tag][]byte
	drop           map[tlv.Tag]bool // left out everywhere
	records        map[[2]byte][]object
	afl            string
	getData        map[tlv.Tag][]byte
	version        byte
	auth           []byte                            // 9F69, made of version, card's number and CTQ when nil
	spoil          func(sig []byte)                  // changes the signed dynamic data
	expiry         string                            // YYMMDD
	purse          bool                              // an electronic cash payment; the last record debits
	balance        int64                             // of the purse
	loseAt         int                               // exchange whose answer is lost, counted from 1
	mute           bool                              // at loseAt the command is lost too: the card never sees it
	answer         map[string]func() []byte          // whole answers by INS in hex
	dup            tlv.Tag                           // comes twice in the answer to GET PROCESSING OPTIONS
	icc            string                            // key
	sign           func(map[tlv.Tag][]byte) [][]byte // what is signed beside the card's own block

	buf       []byte
	sigInLast bool // 9F4B stands in the last record
	lastSig   []byte

	log     []string
	pdolIn  map[tlv.Tag][]byte
	amount  int64
	due     bool // a payment was begun and not yet debited
	debited int  // how often
}

func newCard() *card {
	return &card{
		aid: testAID, pan: testPAN, pdol: testPDOL, cid: "A0", gpo: map[tlv.Tag][]byte{}, drop: map[tlv.Tag]bool{}, getData: map[tlv.Tag][]byte{},
		records: map[[2]byte][]object{}, version: 1, expiry: "301231", answer: map[string]func() []byte{}, afl: "08010300 10010101 18010100", icc: "icc768",
	}
}

func (c *card) fci() []byte {
	a5 := tlv.Append(nil, tagLabel, []byte("UNIONPAY"))
	if c.pdol != "" {
		a5 = tlv.Append(a5, tagPDOL, unhex(c.pdol))
	}
	a5 = append(a5, c.prop...)
	return tlv.Append(nil, tagFCI, append(tlv.Append(nil, tagDFName, unhex(c.aid)), tlv.Append(nil, tagFCIProp, a5)...))
}

// static is the data of the signed record.
func (c *card) static() []byte {
	b := tlv.Append(nil, tagPAN, unhex(c.pan))
	b = tlv.Append(b, 0x5F34, []byte{1})
	if c.expiry != "" {
		b = tlv.Append(b, tagExpiry, unhex(c.expiry))
	}
	return tlv.Append(b, 0x9F4A, []byte{0x82})
}

type certificates struct {
	issuer, issuerRest, icc, iccRest []byte
}

var certCache sync.Map

func (c *card) certs() certificates {
	id := c.pan + c.expiry + c.icc
	if v, ok := certCache.Load(id); ok {
		return v.(certificates)
	}
	k := keys()
	var s certificates
	ca, issuer, icc := k["ca1152"], k["issuer1152"], k[c.icc]
	head := append(unhex("02 62000000 1230 000001 01 01"), byte(len(issuer.modulus)), byte(len(issuer.exp)))
	s.issuer, s.issuerRest = ca.certificate(head, issuer, len(ca.modulus)-36)
	head = append(unhex("04"+c.pan+"FFFF 1230 000002 01 01"), byte(len(icc.modulus)), byte(len(icc.exp)))
	s.icc, s.iccRest = issuer.certificate(head, icc, len(issuer.modulus)-42, append(c.static(), 0x3C, 0x00))
	certCache.Store(id, s)
	return s
}

func (c *card) record(sfi, n byte) ([]object, bool) {
	if r, ok := c.records[[2]byte{sfi, n}]; ok {
		return r, true
	}
	s, k := c.certs(), keys()
	switch [2]byte{sfi, n} {
	case [2]byte{1, 1}:
		r := []object{{tagCAIndex, []byte{0x62}}, {0x9F32, k["issuer1152"].exp}, {0x92, s.issuerRest}, {0x9F47, k[c.icc].exp}}
		if s.iccRest != nil {
			r = append(r, object{0x9F48, s.iccRest})
		}
		return r, true
	case [2]byte{1, 2}:
		return []object{{0x90, s.issuer}}, true
	case [2]byte{1, 3}:
		return []object{{0x9F46, s.icc}}, true
	case [2]byte{3, 1}:
		if c.sigInLast {
			return []object{{tagSDAD, c.lastSig}}, true
		}
		if c.purse {
			return []object{{tagCashCode, []byte("ECC001")}}, true
		}
		return []object{{0x5F28, unhex("0156")}}, true
	}
	return nil, false
}

func with(data []byte, sw uint16) []byte { return append(bytes.Clone(data), byte(sw>>8), byte(sw)) }

func (c *card) put(b []byte, t tlv.Tag, v []byte) []byte {
	if c.drop[t] || v == nil {
		return b
	}
	return tlv.Append(b, t, v)
}

var errGone = errors.New("card gone")

func (c *card) Transceive(_ context.Context, capdu []byte) ([]byte, error) {
	c.log = append(c.log, hex.EncodeToString(capdu[:4]))
	lose := c.loseAt == len(c.log)
	if lose && c.mute {
		return nil, errGone
	}
	b := c.process(capdu)
	if lose {
		return nil, errGone
	}
	c.buf = append(c.buf[:0], b...) // a transport may use its buffer again
	return c.buf, nil
}

func (c *card) process(capdu []byte) []byte {
	if a, ok := c.answer[hex.EncodeToString(capdu[1:2])]; ok {
		return a()
	}
	switch capdu[1] {
	case 0xA8:
		return c.options(capdu[5 : 5+int(capdu[4])])
	case 0xB2:
		sfi, n := capdu[3]>>3, capdu[2]
		afl := unhex(c.afl)
		last := len(afl) >= 4 && sfi == afl[len(afl)-4]>>3 && n == afl[len(afl)-2]
		var b []byte
		if sfi == 2 && n == 1 && c.records[[2]byte{2, 1}] == nil {
			b = c.static()
		} else {
			r, ok := c.record(sfi, n)
			if !ok {
				return with(nil, 0x6A83)
			}
			for _, o := range r {
				b = c.put(b, o.tag, o.value)
			}
		}
		if last && c.due && c.purse {
			c.balance -= c.amount
			c.debited++
		}
		if last {
			c.due = false
		}
		return with(tlv.Append(nil, tagRecord, b), 0x9000)
	case 0xCA:
		t := tlv.Tag(capdu[2])<<8 | tlv.Tag(capdu[3])
		if t == tagCashBalance && c.purse && c.getData[t] == nil {
			v, _ := tlv.AppendNumber(nil, c.balance, 6)
			return with(tlv.Append(nil, t, v), 0x9000)
		}
		if v, ok := c.getData[t]; ok {
			return with(tlv.Append(nil, t, v), 0x9000)
		}
		return with(nil, 0x6A88)
	}
	return with(nil, 0x6D00)
}

func (c *card) options(data []byte) []byte {
	o, err := tlv.One(data)
	if err != nil || o.Tag != tagCommand {
		return with(nil, 0x6A80)
	}
	c.pdolIn = map[tlv.Tag][]byte{}
	dol, _ := tlv.ParseDOL(unhex(c.pdol))
	rest := o.Value
	for _, e := range dol {
		c.pdolIn[e.Tag], rest = rest[:e.Len], rest[e.Len:]
	}
	c.amount, _ = tlv.Number(c.pdolIn[tagAmount])
	c.due = true
	ctq, hasCTQ := c.gpo[tagCTQ]
	auth := c.auth
	if auth == nil {
		copied := ctq
		if !hasCTQ {
			copied = []byte{0, 0}
		}
		auth = append(append([]byte{c.version}, unhex("C0FFEE42")...), append(copied, 0)...)
	}
	tc := c.cid == "90"
	objs := []object{
		{tagAIP, unhex("3C00")},
		{tagATC, unhex("0042")},
		{tagTrack2, unhex(c.pan + "D3012201000000000F")},
		{tagIAD, unhex("07010103" + c.cid + "000001")},
		{tagAC, unhex("1122334455667788")},
		{tagCTQ, ctq},
	}
	if tc {
		objs = append(objs, object{tagAFL, unhex(c.afl)}, object{tagCardAuth, auth})
		dyn := unhex("02 0042")
		signed := [][]byte{c.pdolIn[tagUN], c.pdolIn[tagAmount], c.pdolIn[tagCurrency], auth}
		if c.sign != nil {
			c.pdolIn[tagCardAuth] = auth
			signed = c.sign(c.pdolIn)
		}
		sig := keys()[c.icc].seal(append([]byte{0x05, 0x01, byte(len(dyn))}, dyn...), nil, signed...)
		if c.spoil != nil {
			c.spoil(sig)
		}
		c.lastSig = sig
		if !c.sigInLast {
			objs = append(objs, object{tagSDAD, sig})
		}
	}
	var b []byte
	seen := map[tlv.Tag]bool{}
	for _, o := range objs {
		if v, ok := c.gpo[o.tag]; ok {
			o.value = v
		}
		seen[o.tag] = true
		b = c.put(b, o.tag, o.value)
		if o.tag == c.dup {
			b = c.put(b, o.tag, o.value)
		}
	}
	for t, v := range c.gpo {
		if !seen[t] {
			b = c.put(b, t, v)
		}
	}
	return with(tlv.Append(nil, tagFormat2, b), 0x9000)
}

// bench is a reader with a clock that tests move.
type bench struct {
	k       *Kernel
	a       contactless.Activation
	now     time.Time
	shown   []contactless.UIRequest
	reasons []string
}

func newBench(cfg Config) *bench {
	b := &bench{now: time.Unix(1000, 0)}
	cfg.Explain = func(s string) { b.reasons = append(b.reasons, s) }
	b.k = New(cfg)
	b.a = contactless.Activation{
		Combination: &contactless.Combination{AID: unhex(testAID), Kernel: 7, App: emv.Application{AID: unhex(testAID), Version: [2]byte{0, 0x30}}},
		Indicators:  contactless.Indicators{HasTTQ: true, TTQ: [4]byte{0x36, 0x00, 0x40, 0x80}},
		Transaction: contactless.Transaction{Amount: money.Yuan(12345), Time: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC), Counter: 42},
		UN:          [4]byte{1, 2, 3, 4},
		Terminal: emv.Terminal{
			Country: 156, Type: 0x22, Capabilities: [3]byte{0xE0, 0x68, 0xC8}, Additional: [5]byte{0x60, 0, 0xF0, 0xB0, 1},
			IFDSerial: "POSD0001", TerminalID: "00000001", MerchantID: "123456789012345", MerchantName: "SHOP", Category: "5411", AcquirerID: "12345678",
		},
		CAKeys: []emv.CAKey{testCA()},
		UI:     func(u contactless.UIRequest) { b.shown = append(b.shown, u) },
		Now:    func() time.Time { return b.now },
	}
	return b
}

func (b *bench) ttq(f bit, on bool) {
	if on {
		f.set(b.a.Indicators.TTQ[:])
	} else {
		f.clear(b.a.Indicators.TTQ[:])
	}
}

// tap presents a card.
func (b *bench) tap(t testing.TB, c *card) contactless.Outcome {
	t.Helper()
	c.log, c.due = nil, false // SELECT forgets a payment that was begun
	a := b.a
	a.ADF, a.FCI, a.SW = unhex(c.aid), c.fci(), 0x9000
	out, err := b.k.Activate(t.Context(), c, &a)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (b *bench) explained(why string) bool {
	for _, r := range b.reasons {
		if strings.Contains(r, why) {
			return true
		}
	}
	return false
}
