package emv

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

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

// obj encodes a data object whose value is given in hex, or as the concatenation of encoded objects.
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
	return append(append([]byte(nil), data...), byte(status>>8), byte(status))
}

// scripted is a card that knows one conversation by heart and fails the test at anything else.
type scripted struct {
	t     testing.TB
	pairs [][2]string
	next  int
}

func (c *scripted) Transceive(_ context.Context, capdu []byte) ([]byte, error) {
	c.t.Helper()
	got := strings.ToUpper(hex.EncodeToString(capdu))
	if c.next == len(c.pairs) {
		c.t.Errorf("command %s behind the end of the script", got)
		return nil, errors.New("script is over")
	}
	p := c.pairs[c.next]
	c.next++
	if want := strings.Join(strings.Fields(p[0]), ""); got != want {
		c.t.Errorf("command %d: %s, want %s", c.next, got, want)
		return nil, errors.New("not in the script")
	}
	return unhex(p[1]), nil
}

func (c *scripted) done() {
	c.t.Helper()
	if c.next != len(c.pairs) {
		c.t.Errorf("%d of %d commands were sent", c.next, len(c.pairs))
	}
}

// script makes a scripted card from pairs of command and answer.
func script(t testing.TB, pairs ...[2]string) *scripted { return &scripted{t: t, pairs: pairs} }

// person is a cardholder who does as told.
type person struct {
	choice  func([]Candidate) (int, error)
	pin     PINOutcome
	pinErr  error
	offered [][]Candidate
	asked   []PINRequest
}

func (p *person) Choose(_ context.Context, c []Candidate) (int, error) {
	p.offered = append(p.offered, c)
	if p.choice == nil {
		return 0, nil
	}
	return p.choice(c)
}

func (p *person) OfflinePIN(context.Context, OfflinePINRequest) (OfflinePINAnswer, error) {
	return OfflinePINAnswer{Outcome: PINPadFailed}, nil
}

func (p *person) OnlinePIN(_ context.Context, r PINRequest) (PINOutcome, error) {
	p.asked = append(p.asked, r)
	return p.pin, p.pinErr
}

// ramp is a source of bytes 01 02 03 ...: tests need numbers that can be predicted.
type ramp byte

func (r *ramp) Read(p []byte) (int, error) {
	for i := range p {
		*r++
		p[i] = byte(*r)
	}
	return len(p), nil
}

func testRequest() Request {
	return Request{Amount: money.Yuan(12345), Time: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC), Counter: 42, Rand: new(ramp)}
}

const testPAN = "6200000000000005"

func testConfig() Config {
	return Config{
		Terminal: Terminal{
			Country: 156, Type: 0x22, Capabilities: [3]byte{0xE0, 0x68, 0xC8}, Additional: [5]byte{0x60, 0x00, 0xF0, 0xB0, 0x01},
			IFDSerial: "POSD0001", TerminalID: "00000001", MerchantID: "123456789012345", MerchantName: "SHOP", Category: "5411", AcquirerID: "12345678",
		},
		Applications: []Application{{
			AID: unhex("A000000333010101"), Name: "UnionPay Debit", Partial: true, Version: [2]byte{0x00, 0x20},
			TACDenial: [5]byte(unhex("0010000000")), TACOnline: [5]byte(unhex("D84004F800")), TACDefault: [5]byte(unhex("D84000A800")),
			DDOL: unhex("9F3704"), TDOL: unhex("9F0206"),
		}},
		CAKeys: []CAKey{keys().ca("ca1984"), keys().ca("ca1152")},
	}
}

// testKey is an RSA key pair of testdata/rsa-test-keys.json.
type testKey struct {
	n, d, p, q, dp, dq, qinv *big.Int
	modulus, exp             []byte
}

type testKeys map[string]*testKey

var keys = sync.OnceValue(func() testKeys {
	b, err := os.ReadFile("testdata/rsa-test-keys.json")
	if err != nil {
		panic(err)
	}
	var raw map[string]struct{ N, E, D, P, Q string }
	if err := json.Unmarshal(b, &raw); err != nil {
		panic(err)
	}
	out := testKeys{}
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

var testRID = [5]byte{0xA0, 0x00, 0x00, 0x03, 0x33}

// caIndex is the index under which a test key stands in testConfig.
func caIndex(name string) byte {
	if name == "ca1984" {
		return 0x61
	}
	return 0x62
}

func (k testKeys) ca(name string) CAKey {
	key := k[name]
	h := sha1.New()
	h.Write(testRID[:])
	h.Write([]byte{caIndex(name)})
	h.Write(key.modulus)
	h.Write(key.exp)
	c, err := NewCAKey(testRID, caIndex(name), key.modulus, key.exp, h.Sum(nil))
	if err != nil {
		panic(err)
	}
	return c
}

// sign applies the private key, by the Chinese remainder theorem.
func (k *testKey) sign(plain []byte) []byte {
	if len(plain) != len(k.modulus) {
		panic(fmt.Sprintf("block of %d bytes for a key of %d", len(plain), len(k.modulus)))
	}
	m := new(big.Int).SetBytes(plain)
	a := new(big.Int).Exp(m, k.dp, k.p)
	b := new(big.Int).Exp(m, k.dq, k.q)
	h := new(big.Int).Sub(a, b)
	h.Mul(h, k.qinv).Mod(h, k.p)
	return h.Mul(h, k.q).Add(h, b).FillBytes(make([]byte, len(k.modulus)))
}

// seal fills a block of the key's length: 6A, head, body padded with BB, hash over that and more, BC; then signs it. wreck may
// change the block before it is signed.
func (k *testKey) seal(head, body []byte, wreck func([]byte), more ...[]byte) []byte {
	n := len(k.modulus)
	p := append([]byte{0x6A}, head...)
	p = append(p, body...)
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
	if wreck != nil {
		wreck(p)
	}
	return k.sign(p)
}

// certificate seals a public key under k: head names what stands before the key, room is what the format leaves for it.
func (k *testKey) certificate(head []byte, key *testKey, room int, wreck func([]byte), more ...[]byte) (cert, rest []byte) {
	part := key.modulus
	if len(part) > room {
		part, rest = key.modulus[:room], key.modulus[room:]
	}
	return k.seal(head, part, wreck, append([][]byte{rest, key.exp}, more...)...), rest
}

// chip is a card with one application that plays by the book, with knobs for what a test wants to be different.
type chip struct {
	aid        string
	prop       string // contents of A5 in hex
	aip        string
	format2    bool
	ca         string // names of keys; "" for a card without offline data authentication
	issuer     string
	icc        string
	issuerHead func([]byte) // changes the issuer certificate's fields before hashing
	iccHead    func([]byte) // likewise the ICC certificate's
	wreck      map[string]func([]byte)
	unsigned   []byte             // objects in a record that is not signed
	signedRec  []byte             // objects in the signed record
	drop       map[tlv.Tag]bool   // objects left out of the records
	set        map[tlv.Tag][]byte // objects replaced or added in the records
	first      byte               // CID of the first GENERATE AC; asked for by P1 when 0xFF
	second     byte
	sdaList    bool
	getData    map[tlv.Tag][]byte
	extAuth    uint16
	scriptSW   map[byte]uint16   // by INS
	fail       map[string]error  // transport error at the INS in hex
	answers    map[string][]byte // whole answers by INS in hex, instead of the model's
	atc        uint16
	cdaWreck   func([]byte)
	cidLie     byte // xored into the CID sent in the clear
	gac        []gacSeen
	log        []string
	pdolData   []byte
	cdol1Data  []byte
	built      bool
	records    map[[2]byte][]byte
	afl        []byte
}

type gacSeen struct {
	p1   byte
	data []byte
}

const (
	testCDOL1 = "9F02069F03069F1A0295055F2A029A039C019F3704"
	testCDOL2 = "8A0291089F02069F03069F1A0295055F2A029A039C019F3704"
)

func newChip() *chip {
	return &chip{
		aid: "A000000333010101", prop: "500A" + hex.EncodeToString([]byte("UNION CARD")) + "870101", aip: "7D00",
		ca: "ca1984", issuer: "issuer1984", icc: "icc1408",
		first: 0xFF, second: 0xFF, extAuth: 0x9000, atc: 0x0123, sdaList: true,
		drop: map[tlv.Tag]bool{}, set: map[tlv.Tag][]byte{}, wreck: map[string]func([]byte){},
		getData: map[tlv.Tag][]byte{}, scriptSW: map[byte]uint16{}, fail: map[string]error{}, answers: map[string][]byte{},
	}
}

// build lays out the records: 1 and 2 of SFI 1 not signed, 1 of SFI 2 signed, 1 and 2 of SFI 3 certificates.
func (c *chip) build() {
	c.built = true
	put := func(to []byte, tag tlv.Tag, value []byte) []byte {
		if v, ok := c.set[tag]; ok {
			value = v
		}
		if c.drop[tag] {
			return to
		}
		return tlv.Append(to, tag, value)
	}
	base := put(nil, tagTrack2, unhex(testPAN+"D3012201000000000F"))
	base = put(base, 0x5F20, []byte("TEST/CARD"))
	signed := put(nil, tagPAN, unhex(testPAN))
	signed = put(signed, tagPSN, []byte{0x01})
	signed = put(signed, tagExpiry, unhex("301231"))
	signed = put(signed, tagAUC, unhex("FF00"))
	signed = put(signed, tagIssuerCountry, unhex("0156"))
	signed = put(signed, tagCVMList, unhex("00000000000000004203 1E031F03"))
	signed = put(signed, tagIACDefault, unhex("D86004A800"))
	signed = put(signed, tagIACDenial, unhex("0010880000"))
	signed = put(signed, tagIACOnline, unhex("D86804F800"))
	if c.sdaList {
		signed = put(signed, tagSDATagList, []byte{0x82})
	}
	lists := put(nil, tagCDOL1, unhex(testCDOL1))
	lists = put(lists, tagCDOL2, unhex(testCDOL2))
	lists = put(lists, tagAppCurrency, unhex("0156"))
	lists = put(lists, tagCardVersion, unhex("0020"))
	for _, t := range []tlv.Tag{tagLCOL, tagUCOL, tagEffective, tagTDOL, 0x9F1F} {
		if v, ok := c.set[t]; ok {
			lists = tlv.Append(lists, t, v)
		}
	}
	lists = append(lists, c.unsigned...)
	signed = append(signed, c.signedRec...)
	c.records = map[[2]byte][]byte{{1, 1}: base, {1, 2}: lists, {2, 1}: signed}
	c.afl = unhex("08010200 10010101")
	if c.ca == "" {
		return
	}
	static := append([]byte(nil), signed...)
	if c.sdaList {
		static = append(static, unhex(c.aip)...)
	}
	ca, issuer := keys()[c.ca], keys()[c.issuer]
	head := append([]byte{0x02}, unhex("62000000 1230 000001 01 01")...)
	head = append(head, byte(len(issuer.modulus)), byte(len(issuer.exp)))
	if c.issuerHead != nil {
		c.issuerHead(head)
	}
	cert, rest := ca.certificate(head, issuer, len(ca.modulus)-36, c.wreck["issuer"])
	r1 := put(nil, tagIssuerCert, cert) // a key of 1984 bits leaves no room for more in its record
	r2 := put(nil, tagIssuerExp, issuer.exp)
	r2 = put(r2, tagCAIndex, []byte{caIndex(c.ca)})
	if rest != nil {
		r2 = put(r2, tagIssuerRest, rest)
	}
	dac := issuer.seal(unhex("03 01 DAC1"), nil, c.wreck["ssad"], static)
	c.records[[2]byte{3, 1}], c.records[[2]byte{3, 2}] = r1, r2
	c.records[[2]byte{3, 3}] = put(nil, tagSSAD, dac)
	c.afl = append(c.afl, unhex("18010300")...)
	if c.icc == "" {
		return
	}
	icc := keys()[c.icc]
	head = append([]byte{0x04}, unhex(testPAN+"FFFF 1230 000002 01 01")...)
	head = append(head, byte(len(icc.modulus)), byte(len(icc.exp)))
	if c.iccHead != nil {
		c.iccHead(head)
	}
	cert, rest = issuer.certificate(head, icc, len(issuer.modulus)-42, c.wreck["icc"], static)
	r4 := put(nil, tagICCCert, cert)
	r5 := put(nil, tagICCExp, icc.exp)
	if rest != nil {
		r5 = put(r5, tagICCRest, rest)
	}
	r5 = put(r5, tagDDOL, unhex("9F3704"))
	c.records[[2]byte{3, 4}], c.records[[2]byte{3, 5}] = r4, r5
	c.afl[len(c.afl)-2] = 5
}

func (c *chip) Transceive(_ context.Context, capdu []byte) ([]byte, error) {
	if !c.built {
		c.build()
	}
	ins := fmt.Sprintf("%02X", capdu[1])
	c.log = append(c.log, hex.EncodeToString(capdu[:4]))
	if err := c.fail[ins]; err != nil {
		return nil, err
	}
	if a, ok := c.answers[ins]; ok {
		return a, nil
	}
	data := capdu[4:]
	if len(data) > 0 {
		if n := int(data[0]); len(data) >= 1+n {
			data = data[1 : 1+n]
		}
	}
	switch capdu[1] {
	case 0xA4:
		if bytes.Equal(data, unhex(c.aid)) && capdu[3] == 0 {
			return sw(obj(tagFCI, obj(tagDFName, c.aid), obj(tagFCIProp, c.prop)), 0x9000), nil
		}
		return sw(nil, 0x6A82), nil
	case 0xA8:
		t, err := tlv.One(data)
		if err != nil || t.Tag != 0x83 {
			return sw(nil, 0x6A80), nil
		}
		c.pdolData = bytes.Clone(t.Value)
		if c.format2 {
			return sw(obj(tagFormat2, obj(tagAIP, c.aip), obj(tagAFL, c.afl)), 0x9000), nil
		}
		return sw(obj(tagFormat1, c.aip, c.afl), 0x9000), nil
	case 0xB2:
		r, ok := c.records[[2]byte{capdu[3] >> 3, capdu[2]}]
		if !ok {
			return sw(nil, 0x6A83), nil
		}
		return sw(obj(tagRecord, r), 0x9000), nil
	case 0xCA:
		t := tlv.Tag(capdu[2])<<8 | tlv.Tag(capdu[3])
		if v, ok := c.getData[t]; ok {
			return sw(obj(t, v), 0x9000), nil
		}
		return sw(nil, 0x6A88), nil
	case 0x88:
		dyn := unhex("08 1122334455667788")
		sig := keys()[c.icc].seal(append([]byte{0x05, 0x01, byte(len(dyn))}, dyn...), nil, c.wreck["sdad"], data)
		if c.format2 {
			return sw(obj(tagFormat2, obj(tagSDAD, sig)), 0x9000), nil
		}
		return sw(obj(tagFormat1, sig), 0x9000), nil
	case 0xAE:
		return c.generate(capdu[2], bytes.Clone(data)), nil
	case 0x82:
		return sw(nil, c.extAuth), nil
	}
	if status, ok := c.scriptSW[capdu[1]]; ok {
		return sw(nil, status), nil
	}
	return sw(nil, 0x6D00), nil
}

func (c *chip) generate(p1 byte, data []byte) []byte {
	c.gac = append(c.gac, gacSeen{p1, data})
	cid, second := c.first, len(c.gac) > 1
	if second {
		cid = c.second
	}
	if cid == 0xFF {
		cid = p1 & 0xC0
	}
	ac := []byte{0xAC, 1, 2, 3, 4, 5, 6, byte(len(c.gac))}
	iad := unhex("07010103A0A002010A010000000000")
	atc := []byte{byte(c.atc >> 8), byte(c.atc)}
	clear := cid ^ c.cidLie
	if p1&0x10 != 0 && cid&0xC0 != acAAC {
		body := append(obj(tagCID, []byte{clear}), obj(tagATC, atc)...)
		tail := obj(tagIAD, iad)
		h := sha1.New()
		h.Write(c.pdolData)
		if second {
			h.Write(c.cdol1Data)
		}
		h.Write(data)
		h.Write(body)
		h.Write(tail)
		dyn := append(unhex("08 AABBCCDDEEFF0011"), cid)
		dyn = h.Sum(append(dyn, ac...))
		un := data[len(data)-4:] // both CDOLs end in 9F37
		sig := keys()[c.icc].seal(append([]byte{0x05, 0x01, byte(len(dyn))}, dyn...), nil, c.cdaWreck, un)
		c.cdol1Data = data
		return sw(obj(tagFormat2, body, obj(tagSDAD, sig), tail), 0x9000)
	}
	c.cdol1Data = data
	if c.format2 {
		return sw(obj(tagFormat2, obj(tagCID, []byte{clear}), obj(tagATC, atc), obj(tagAC, ac), obj(tagIAD, iad)), 0x9000)
	}
	return sw(obj(tagFormat1, []byte{clear}, atc, ac, iad), 0x9000)
}

// start runs a transaction with the chip and the test configuration.
func start(t testing.TB, c Card) (*Session, error) {
	t.Helper()
	return New(testConfig()).Start(t.Context(), c, testRequest(), &person{})
}

func mustStart(t testing.TB, c Card) *Session {
	t.Helper()
	s, err := start(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var _ io.Reader = (*ramp)(nil)

// cardFunc is a card that is one function.
type cardFunc func(capdu []byte) []byte

func (f cardFunc) Transceive(_ context.Context, capdu []byte) ([]byte, error) { return f(capdu), nil }
