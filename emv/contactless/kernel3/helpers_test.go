package kernel3

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

// obj encodes a data object whose value is given in hex, or as bytes.
func obj(tag tlv.Tag, values ...any) []byte {
	var v []byte
	for _, x := range values {
		switch x := x.(type) {
		case string:
			v = append(v, unhex(x)...)
		case []byte:
			v = append(v, x...)
		}
	}
	return tlv.Append(nil, tag, v)
}

func sw(data []byte, status uint16) []byte {
	return append(bytes.Clone(data), byte(status>>8), byte(status))
}

// testKey is an RSA key pair of the contact kernel's test data.
type testKey struct {
	d, n         *big.Int
	modulus, exp []byte
}

var keys = sync.OnceValue(func() map[string]*testKey {
	b, err := os.ReadFile("../../testdata/rsa-test-keys.json")
	if err != nil {
		panic(err)
	}
	var raw map[string]struct{ N, E, D string }
	if err := json.Unmarshal(b, &raw); err != nil {
		panic(err)
	}
	out := map[string]*testKey{}
	for name, r := range raw {
		num := func(s string) *big.Int { v, _ := new(big.Int).SetString(s, 16); return v }
		out[name] = &testKey{num(r.D), num(r.N), unhex(r.N), unhex(r.E)}
	}
	return out
})

var (
	rid     = [5]byte{0xA0, 0x00, 0x00, 0x00, 0x03}
	aid     = unhex("A0000000031010")
	caIndex = byte(0x94)
)

// caKey is the terminal's key of the test payment system.
var caKey = sync.OnceValue(func() emv.CAKey {
	k := keys()["ca1152"]
	sum := sha1.Sum(append(append(append(rid[:], caIndex), k.modulus...), k.exp...))
	c, err := emv.NewCAKey(rid, caIndex, k.modulus, k.exp, sum[:])
	if err != nil {
		panic(err)
	}
	return c
})

// seal fills a block of the key's length: 6A, head, body padded with BB, hash over that and more, BC; then signs it.
func (k *testKey) seal(head, body []byte, more ...[]byte) []byte {
	n := len(k.modulus)
	p := append(append([]byte{0x6A}, head...), body...)
	p = append(p, bytes.Repeat([]byte{0xBB}, max(0, n-21-len(p)))...)[:n-21]
	h := sha1.New()
	h.Write(p[1:])
	for _, m := range more {
		h.Write(m)
	}
	block := append(h.Sum(p), 0xBC)
	// Most cards of these tests have the same certificates: signing is slow, above all on 32 bits.
	if sig, ok := sealed.Load(string(block)); ok {
		return bytes.Clone(sig.([]byte))
	}
	m := new(big.Int).SetBytes(block)
	sig := m.Exp(m, k.d, k.n).FillBytes(make([]byte, n))
	sealed.Store(string(block), sig)
	return bytes.Clone(sig)
}

var sealed sync.Map // signatures by block

func (k *testKey) certificate(head []byte, key *testKey, room int, more ...[]byte) (cert, rest []byte) {
	part := key.modulus
	if len(part) > room {
		part, rest = key.modulus[:room], key.modulus[room:]
	}
	return k.seal(head, part, append([][]byte{rest, key.exp}, more...)...), rest
}

const (
	testPAN  = "4761739001010119"
	testPDOL = "9F66049F02069F03069F1A0295055F2A029A039C019F3704"
)

// visa is a card that plays by the book, with knobs for what a test wants to be different.
type visa struct {
	pdol       string
	fciMore    []byte // objects in BF0C
	aip        string
	cid        int // byte of 9F27; -1 leaves it out
	iad        string
	ctq        string // "" leaves it out
	version    byte   // of fDDA
	oda        string // "fdda", "sda" or ""
	afl        bool   // there are records
	format1    bool
	gpoSW      uint16
	recSW      uint16
	set        map[tlv.Tag][]byte // objects replaced or added in the answer to GET PROCESSING OPTIONS
	drop       map[tlv.Tag]bool
	record     map[tlv.Tag][]byte // objects replaced or added in the first, signed record
	more       []byte             // behind the objects of that answer
	rec2       []byte             // another record, whole
	rec2SFI    byte
	rec2Signed byte            // 1 when the AFL says that it is signed
	lie        byte            // flips bits of the signature
	forged     bool            // the static data are not those that were signed
	answer     map[byte][]byte // whole answers by INS
	dieAt      int             // the exchange that fails, from 1; 0 for none
	status     map[byte]uint16 // by INS, for issuer scripts
	log        [][]byte
	files      map[[2]byte][]byte
	pdolGot    []byte
	un         []byte
}

func newVisa() *visa {
	return &visa{
		pdol: testPDOL, aip: "2000", cid: acARQC, iad: "06010A03A02000", ctq: "0000", version: 0x01, oda: "fdda", afl: true,
		gpoSW: swOK, recSW: swOK, rec2SFI: 3, set: map[tlv.Tag][]byte{}, drop: map[tlv.Tag]bool{}, record: map[tlv.Tag][]byte{},
		answer: map[byte][]byte{}, status: map[byte]uint16{},
	}
}

func (v *visa) fci() []byte {
	prop := append(obj(0x50, "56495341"), obj(tagLanguage, "7A68656E")...)
	if v.pdol != "" {
		prop = append(prop, obj(tagPDOL, v.pdol)...)
	}
	if v.fciMore != nil {
		prop = append(prop, obj(tagIssuerDiscret, v.fciMore)...)
	}
	return obj(tagFCI, obj(tagDFName, aid), obj(tagFCIProp, prop))
}

var errGone = errors.New("the card is gone")

func (v *visa) Transceive(ctx context.Context, c []byte) ([]byte, error) {
	v.log = append(v.log, bytes.Clone(c))
	if len(v.log) == v.dieAt {
		return nil, errGone
	}
	if a, ok := v.answer[c[1]]; ok {
		return a, nil
	}
	switch c[1] {
	case 0xA8:
		if v.gpoSW != swOK {
			return sw(nil, v.gpoSW), nil
		}
		return sw(v.options(c), swOK), nil
	case 0xB2:
		if v.recSW != swOK {
			return sw(nil, v.recSW), nil
		}
		r, ok := v.files[[2]byte{c[3] >> 3, c[2]}]
		if !ok {
			return sw(nil, 0x6A83), nil
		}
		return sw(r, swOK), nil
	}
	if s, ok := v.status[c[1]]; ok {
		return sw(nil, s), nil
	}
	return sw(nil, 0x9000), nil
}

// options is the answer to GET PROCESSING OPTIONS; it also lays out the records.
func (v *visa) options(c []byte) []byte {
	data := c[7 : len(c)-1]
	v.pdolGot = bytes.Clone(data)
	var un, amount, currency []byte
	if v.pdol == testPDOL && len(data) == 33 {
		amount, currency, un = data[4:10], data[23:25], data[29:33]
	} else {
		un, amount, currency = make([]byte, 4), make([]byte, 6), make([]byte, 2)
	}
	v.un = un
	put := func(to []byte, in map[tlv.Tag][]byte, tag tlv.Tag, value []byte) []byte {
		if x, ok := in[tag]; ok {
			value = x
		}
		if v.drop[tag] {
			return to
		}
		return tlv.Append(to, tag, value)
	}
	related := append([]byte{v.version}, unhex("11223344")...)
	if v.ctq != "" {
		related = append(related, unhex(v.ctq)...)
	} else {
		related = append(related, 0, 0)
	}
	if x, ok := v.set[tagCARD]; ok {
		related = x
	}
	first := put(nil, v.record, tagPAN, unhex(testPAN))
	first = put(first, v.record, tagExpiry, unhex("301231"))
	first = put(first, v.record, tagIssuerCountry, unhex("0156"))
	first = put(first, v.record, tagAUC, unhex("FFC0"))
	first = put(first, v.record, 0x9F4A, []byte{0x82})
	static := append(bytes.Clone(first), unhex(v.aip)...)
	if v.forged {
		static = append(static, 1)
	}
	if v.rec2Signed == 1 {
		static = append(append(bytes.Clone(first), v.rec2...), unhex(v.aip)...)
	}
	v.files = map[[2]byte][]byte{{1, 1}: obj(tagRecord, first)}
	afl := unhex("08010101")
	if v.oda != "" {
		ca, issuer, icc := keys()["ca1152"], keys()["issuer1024"], keys()["icc768"]
		head := append(unhex("02 476173FF 1230 000001 01 01"), byte(len(issuer.modulus)), byte(len(issuer.exp)))
		cert, rest := ca.certificate(head, issuer, len(ca.modulus)-36)
		r := put(nil, v.set, tagIssuerCert, cert)
		r = put(r, v.set, tagCAIndex, []byte{caIndex})
		r = put(r, v.set, tagIssuerExp, issuer.exp)
		v.files[[2]byte{2, 1}] = obj(tagRecord, put(r, v.set, 0x92, rest))
		if v.oda == "sda" {
			v.files[[2]byte{2, 2}] = obj(tagRecord, put(nil, v.set, tagSSAD, issuer.seal(unhex("03 01 DAC1"), nil, static)))
		} else {
			head = append(append([]byte{0x04}, unhex(testPAN+"FFFF 1230 000002 01 01")...), byte(len(icc.modulus)), byte(len(icc.exp)))
			cert, rest = issuer.certificate(head, icc, len(issuer.modulus)-42, static)
			v.files[[2]byte{2, 2}] = obj(tagRecord, put(nil, v.set, tagICCCert, cert))
			r = put(put(nil, v.set, tagICCExp, icc.exp), v.set, 0x9F48, rest)
			sig := icc.seal(unhex("05 01 03 02 0123"), nil, un, amount, currency, related)
			sig[10] ^= v.lie
			r = put(r, v.set, tagCARD, related)
			v.files[[2]byte{2, 3}] = obj(tagRecord, put(r, v.set, tagSDAD, sig))
		}
		afl = append(afl, 0x10, 0x01, byte(len(v.files)-1), 0x00)
	}
	if v.rec2 != nil {
		v.files[[2]byte{v.rec2SFI, 1}] = v.rec2
		afl = append(afl, v.rec2SFI<<3, 1, 1, v.rec2Signed)
	}
	if x, ok := v.set[tagAFL]; ok {
		afl = x
	}
	if v.format1 {
		return obj(tagFormat1, v.aip, afl)
	}
	out := put(nil, v.set, tagAIP, unhex(v.aip))
	if v.afl {
		out = put(out, nil, tagAFL, afl)
	}
	out = put(out, v.set, tagTrack2, unhex(testPAN+"D3012201000000000F"))
	out = put(out, v.set, tagPSN, []byte{0x01})
	out = put(out, v.set, tagIAD, unhex(v.iad))
	out = put(out, v.set, tagAC, unhex("AC01020304050607"))
	out = put(out, v.set, tagATC, unhex("0123"))
	if v.cid >= 0 {
		out = put(out, nil, tagCID, []byte{byte(v.cid)})
	}
	if v.ctq != "" {
		out = put(out, nil, tagCTQ, unhex(v.ctq))
	}
	for _, t := range []tlv.Tag{tagBalance, tagFormFactor, tagCustomer, tagPAR, tagAmount, 0x9F19, tagCTQ} {
		if x, ok := v.set[t]; ok {
			out = tlv.Append(out, t, x)
		}
	}
	return obj(tagFormat2, append(out, v.more...))
}

// try is one tap: a card, the kernel's options and the activation.
type try struct {
	*visa
	cfg Config
	a   *contactless.Activation
	ui  []contactless.UIRequest
	at  []int // exchanges before each message
}

var testTime = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)

func newTry(change ...func(*try)) *try {
	y := &try{visa: newVisa()}
	combination := &contactless.Combination{AID: aid, Kernel: 3, App: emv.Application{AID: aid}}
	y.a = &contactless.Activation{
		Start: contactless.StartB, Combination: combination,
		Indicators:  contactless.Indicators{TTQ: [4]byte{0x36, 0x00, 0xC0, 0x00}, HasTTQ: true},
		Transaction: contactless.Transaction{Amount: money.Yuan(12345), Time: testTime, Counter: 7},
		UN:          [4]byte{0xDE, 0xAD, 0xBE, 0xEF}, ADF: aid, SW: swOK,
		Terminal: emv.Terminal{Country: 156, Type: 0x22, Capabilities: [3]byte{0xE0, 0x68, 0xC8}, Category: "5411", AcquirerID: "12345678", MerchantName: "SHOP"},
		CAKeys:   []emv.CAKey{caKey()}, Now: time.Now,
		UI: func(u contactless.UIRequest) { y.ui, y.at = append(y.ui, u), append(y.at, len(y.log)) },
	}
	for _, f := range change {
		f(y)
	}
	y.a.FCI = y.fci()
	return y
}

func (y *try) run(t testing.TB) contactless.Outcome {
	t.Helper()
	o, err := New(y.cfg).Activate(t.Context(), y, y.a)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// brief is an outcome's main line: status, start, CVM and message.
func brief(o contactless.Outcome) string {
	msg := "-"
	if o.UIOutcome != nil {
		msg = fmt.Sprintf("%02X", byte(o.UIOutcome.Message))
	}
	return fmt.Sprintf("%d %d %d %s", o.Status, o.Start, o.CVM, msg)
}

// The outcomes that most cases end in.
const (
	endApplication  = "4 0 0 1C"
	selectNext      = "5 3 0 -"
	insertCard      = "6 0 0 1D"
	insertOrSwipe   = "6 0 0 18"
	tryAgain        = "7 2 0 -"
	seePhone        = "7 2 0 20"
	declined        = "2 0 1 07"
	onlineNoCVM     = "3 0 1 1B"
	onlineSignature = "3 0 2 1B"
	onlinePIN       = "3 0 3 1B"
	onlineCDCVM     = "3 0 4 1B"
	approvedNoCVM   = "1 0 1 03"
	approvedSign    = "1 0 2 1A"
	approvedCDCVM   = "1 0 4 03"
)

type clause struct {
	name   string
	change func(*try)
	want   string
}

func runClauses(t *testing.T, clauses []clause) {
	t.Helper()
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			if got := brief(newTry(c.change).run(t)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func tc(y *try)          { y.cid = acTC }
func offlineOnly(y *try) { y.a.Indicators.TTQ[0] |= ttqOfflineOnly }

// with joins changes.
func with(f ...func(*try)) func(*try) {
	return func(y *try) {
		for _, g := range f {
			g(y)
		}
	}
}

func ctq(s string) func(*try)            { return func(y *try) { y.ctq = s } }
func ttq(s string) func(*try)            { return func(y *try) { y.a.Indicators.TTQ = [4]byte(unhex(s)) } }
func set(t tlv.Tag, s string) func(*try) { return func(y *try) { y.set[t] = unhex(s) } }
func drop(t tlv.Tag) func(*try)          { return func(y *try) { y.drop[t] = true } }
func rec(t tlv.Tag, s string) func(*try) { return func(y *try) { y.record[t] = unhex(s) } }
func typ(b byte) func(*try)              { return func(y *try) { y.a.Transaction.Type = b } }
func gpo(b []byte) func(*try)            { return func(y *try) { y.answer[0xA8] = b } }
func other(minor int64) func(*try)       { return func(y *try) { y.a.Transaction.Other = minor } }
func cashCheck(y *try)                   { y.cfg.CashCheck = true }
func cashbackCheck(y *try)               { y.cfg.CashbackCheck = true }
func terminal(kind byte) func(*try)      { return func(y *try) { y.a.Terminal.Type = kind } }
func exceptionFile(hit bool) func(*try) {
	return func(y *try) { y.a.Exception = func(e emv.Exception) bool { return hit && e.PAN == testPAN } }
}
