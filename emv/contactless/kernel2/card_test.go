package kernel2

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"strings"
	"testing"
	"time"

	"posd/emv/tlv"
)

const (
	testPAN   = "5413330000000005"
	testPDOL  = "9F02069F37045F2A02"
	testCDOL1 = "9F02069F03069F1A0295055F2A029A039C019F3704"
	testDRDOL = "9F02069F37049A03"
)

// chip is a Mastercard-like card that plays by the book, with knobs for what a test wants to be different.
type chip struct {
	t      testing.TB
	aip    string
	pdol   string
	fci    map[tlv.Tag][]byte // more objects of BF0C
	a5     map[tlv.Tag][]byte // more objects of A5
	set    map[tlv.Tag][]byte // objects of the records replaced or added
	drop   map[tlv.Tag]bool
	gpo77  []byte // more objects of the answer to GPO
	mag    map[tlv.Tag][]byte
	optAFL bool // the AFL begins with the mag-stripe record
	sfi11  []byte
	extra  map[tlv.Tag][]byte // more objects of the answer with the cryptogram

	cid      byte // answer: 0xFF as asked for
	noCDA    bool // never signs
	lieHash  bool
	lieCID   bool
	lieRelay bool
	format1  bool
	version  int // of data storage
	summary2 []byte
	summary3 []byte
	only2    bool // no DS summary 3 in the signature

	torn    bool // remembers the last cryptogram for RECOVER AC
	relay   []time.Duration
	minTime uint16
	maxTime uint16
	estTime uint16
	balance []byte
	ccc     map[tlv.Tag][]byte

	fail   map[string][]error // transport errors, by command name, one a time
	sw     map[string]uint16  // status instead of an answer
	answer map[string][]byte  // whole data instead of the model's
	before map[string]func()  // called when the command arrives
	log    []string           // names of the commands
	cmds   map[string][]byte  // last command APDU, by name
	clock  *clock

	pdolData, saved []byte
	relayData       []byte
	built           map[[2]byte][]byte
	afl             []byte
}

type clock struct{ now time.Time }

func newChip(t testing.TB) *chip {
	c := &chip{
		t: t, aip: "1980", pdol: testPDOL, cid: 0xFF, version: 1,
		fci: map[tlv.Tag][]byte{}, a5: map[tlv.Tag][]byte{}, set: map[tlv.Tag][]byte{}, drop: map[tlv.Tag]bool{}, mag: map[tlv.Tag][]byte{},
		extra: map[tlv.Tag][]byte{}, fail: map[string][]error{}, sw: map[string]uint16{}, answer: map[string][]byte{}, before: map[string]func(){},
		cmds: map[string][]byte{}, ccc: map[tlv.Tag][]byte{},
		minTime: 10, maxTime: 50, estTime: 0x18,
		summary2: unhex("1111111111111111"), summary3: unhex("2222222222222222"),
	}
	return c
}

// fciBytes is the answer to SELECT.
func (c *chip) fciBytes() []byte {
	a5 := tlv.Append(nil, tagLabel, []byte("MASTERCARD"))
	a5 = tlv.Append(a5, tagPriority, []byte{1})
	if c.pdol != "" {
		a5 = tlv.Append(a5, tagPDOL, unhex(c.pdol))
	}
	a5 = tlv.Append(a5, tagLanguage, []byte("deen"))
	for t, v := range c.a5 {
		a5 = tlv.Append(a5, t, v)
	}
	var disc []byte
	for t, v := range c.fci {
		disc = tlv.Append(disc, t, v)
	}
	if disc != nil {
		a5 = tlv.Append(a5, tagFCIDisc, disc)
	}
	return tlv.Append(nil, tagFCI, append(tlv.Append(nil, tagDFName, unhex("A0000000041010")), tlv.Append(nil, tagFCIProp, a5)...))
}

// build lays out the records: 1 of SFI 2 signed data, 1 to 3 of SFI 3 certificates, 1 of SFI 1 mag-stripe.
func (c *chip) build() {
	put := func(to []byte, tag tlv.Tag, value []byte) []byte {
		if v, ok := c.set[tag]; ok {
			value = v
		}
		if c.drop[tag] {
			return to
		}
		return tlv.Append(to, tag, value)
	}
	signed := put(nil, tagTrack2Eq, unhex(testPAN+"D3012201000000000F"))
	signed = put(signed, tagPAN, unhex(testPAN))
	signed = put(signed, tagPSN, []byte{0x01})
	signed = put(signed, tagExpiry, unhex("301231"))
	signed = put(signed, tagAUC, unhex("FF80"))
	signed = put(signed, tagIssuerCountry, unhex("0276"))
	signed = put(signed, tagCVMList, unhex("0000000000000000 42031E031F03"))
	signed = put(signed, tagIACDefault, unhex("0000000000"))
	signed = put(signed, tagIACDenial, unhex("0000000000"))
	signed = put(signed, tagIACOnline, unhex("0000008000"))
	signed = put(signed, tagCDOL1, unhex(testCDOL1))
	signed = put(signed, tagTagList, []byte{0x82})
	signed = put(signed, tagAppCurrency, unhex("0978"))
	known := map[tlv.Tag]bool{
		tagTrack2Eq: true, tagPAN: true, tagPSN: true, tagExpiry: true, tagAUC: true, tagIssuerCountry: true, tagCVMList: true, tagIACDefault: true,
		tagIACDenial: true, tagIACOnline: true, tagCDOL1: true, tagTagList: true, tagAppCurrency: true, tagCAIndex: true, tagIssuerCert: true,
		tagIssuerExp: true, tagIssuerRest: true, tagICCCert: true, tagICCExp: true, tagICCRest: true,
	}
	for t, v := range c.set {
		if !known[t] {
			signed = tlv.Append(signed, t, v)
		}
	}
	static := append(append([]byte{}, signed...), c.sfi11...)
	static = append(static, unhex(c.aip)...)

	ca, issuer, icc := keys()["ca1984"], keys()["issuer1984"], keys()["icc1408"]
	head := append([]byte{0x02}, unhex("541333FF 1230 000001 01 01")...)
	head = append(head, byte(len(issuer.modulus)), byte(len(issuer.exp)))
	cert, rest := ca.certificate(head, issuer, len(ca.modulus)-36)
	iHead := append([]byte{0x04}, unhex(testPAN+"FFFF 1230 000002 01 01")...)
	iHead = append(iHead, byte(len(icc.modulus)), byte(len(icc.exp)))
	iCert, iRest := issuer.certificate(iHead, icc, len(issuer.modulus)-42, static)
	r1 := put(put(nil, tagCAIndex, []byte{0x05}), tagIssuerExp, issuer.exp)
	if rest != nil {
		r1 = put(r1, tagIssuerRest, rest)
	}
	r1 = put(r1, tagICCExp, icc.exp)
	if iRest != nil {
		r1 = put(r1, tagICCRest, iRest)
	}
	c.built = map[[2]byte][]byte{
		{2, 1}: tlv.Append(nil, tagRecord, signed),
		{3, 1}: tlv.Append(nil, tagRecord, r1),
		{3, 2}: tlv.Append(nil, tagRecord, put(nil, tagIssuerCert, cert)),
		{3, 3}: tlv.Append(nil, tagRecord, put(nil, tagICCCert, iCert)),
	}
	c.afl = unhex("10010101 18010300")
	if c.sfi11 != nil {
		c.built[[2]byte{11, 1}] = c.sfi11
		c.afl = append(c.afl, unhex("58010101")...)
	}
	if len(c.mag) > 0 {
		var m []byte
		for _, t := range []tlv.Tag{tagTrack1, tagTrack2, tagPCVC3T1, tagPUNATCT1, tagNATCT1, tagPCVC3T2, tagPUNATCT2, tagNATCT2, tagUDOL, tagThirdParty} {
			if v, ok := c.mag[t]; ok {
				m = tlv.Append(m, t, v)
			}
		}
		c.built[[2]byte{1, 1}] = tlv.Append(nil, tagRecord, m)
		if c.optAFL {
			c.afl = append(unhex("08010100"), c.afl...)
		} else {
			c.afl = unhex("08010100")
		}
	}
}

func (c *chip) Transceive(ctx context.Context, capdu []byte) ([]byte, error) {
	if c.built == nil {
		c.build()
	}
	var data []byte
	if len(capdu) > 5 {
		data = capdu[5 : 5+int(capdu[4])]
	}
	name := map[byte]string{0xA8: "GPO", 0xB2: "RR", 0xEA: "RRP", 0xAE: "GAC", 0xD0: "RECOVER", 0xCA: "GET", 0xDA: "PUT", 0x2A: "CCC"}[capdu[1]]
	switch name {
	case "GET", "PUT":
		name += fmt.Sprintf(" %X", capdu[2:4])
	case "RR":
		name += fmt.Sprintf(" %d.%d", capdu[3]>>3, capdu[2])
	}
	c.log = append(c.log, name)
	c.cmds[name] = bytes.Clone(capdu)
	if f := c.before[name]; f != nil {
		f()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f := c.fail[name]; len(f) > 0 {
		c.fail[name] = f[1:]
		if f[0] != nil {
			if name == "GAC" && c.torn {
				c.generate(capdu[2], data)
			}
			return nil, f[0]
		}
	}
	if sw, ok := c.sw[name]; ok {
		return []byte{byte(sw >> 8), byte(sw)}, nil
	}
	if a, ok := c.answer[name]; ok {
		return append(bytes.Clone(a), 0x90, 0x00), nil
	}
	out := c.respond(name, capdu, data)
	if out == nil {
		return unhex("6A88"), nil
	}
	return append(out, 0x90, 0x00), nil
}

func (c *chip) respond(name string, capdu, data []byte) []byte {
	switch name {
	case "GPO":
		o, err := tlv.One(data)
		if err != nil || o.Tag != tagCommand {
			c.t.Errorf("GET PROCESSING OPTIONS with %X", data)
			return nil
		}
		c.pdolData = bytes.Clone(o.Value)
		v := append(tlv.Append(nil, tagAIP, unhex(c.aip)), tlv.Append(nil, tagAFL, c.afl)...)
		return tlv.Append(nil, tagFormat2, append(v, c.gpo77...))
	case "RRP":
		if len(c.relay) > 0 {
			c.clock.now = c.clock.now.Add(c.relay[0])
			c.relay = c.relay[1:]
		}
		v := append([]byte(nil), 0xD1, 0xD2, 0xD3, 0xD4, byte(c.minTime>>8), byte(c.minTime), byte(c.maxTime>>8), byte(c.maxTime), byte(c.estTime>>8), byte(c.estTime))
		c.relayData = append(bytes.Clone(data), v...)
		return tlv.Append(nil, tagFormat1, v)
	case "GAC":
		return c.generate(capdu[2], data)
	case "RECOVER":
		return c.saved
	case "GET 9F50":
		if c.balance == nil {
			return nil
		}
		return tlv.Append(nil, tagBalance, c.balance)
	case "CCC":
		v := tlv.Append(nil, tagATC, unhex("0123"))
		for _, t := range []tlv.Tag{tagCVC3T1, tagCVC3T2, tagPCII} {
			if x, ok := c.ccc[t]; ok {
				v = tlv.Append(v, t, x)
			}
		}
		return tlv.Append(nil, tagFormat2, v)
	}
	if strings.HasPrefix(name, "RR ") {
		return c.built[[2]byte{capdu[3] >> 3, capdu[2]}]
	}
	if strings.HasPrefix(name, "PUT") {
		return []byte{}
	}
	if strings.HasPrefix(name, "GET 9F7") {
		return tlv.Append(nil, tlv.Tag(capdu[2])<<8|tlv.Tag(capdu[3]), []byte("DATA"))
	}
	return nil
}

// generate answers GENERATE AC, signed when it was asked so.
func (c *chip) generate(p1 byte, data []byte) []byte {
	cid := c.cid
	if cid == 0xFF {
		cid = p1 & acMask
	}
	ac, atc, iad := unhex("A1A2A3A4A5A6A7A8"), unhex("0123"), unhex("0110A00003220000000000000000000000FF")
	if c.format1 {
		c.saved = tlv.Append(nil, tagFormat1, bytes.Join([][]byte{{cid}, atc, ac, iad}, nil))
		return c.saved
	}
	body := append(tlv.Append(nil, tagCID, []byte{cid}), tlv.Append(nil, tagATC, atc)...)
	for t, v := range c.extra {
		body = tlv.Append(body, t, v)
	}
	tail := tlv.Append(nil, tagIAD, iad)
	if p1&acCDA == 0 || c.noCDA {
		body = tlv.Append(body, tagAC, ac)
		c.saved = tlv.Append(nil, tagFormat2, append(body, tail...))
		return c.saved
	}
	cdol1 := data
	if n, _ := tlv.ParseDOL(unhex(testCDOL1)); len(data) > n.Len() {
		cdol1 = data[:n.Len()]
	}
	h := sha1.New()
	for _, b := range [][]byte{c.pdolData, cdol1, body, tail} {
		h.Write(b)
	}
	if c.lieHash {
		h.Write([]byte{0})
	}
	inner := cid
	if c.lieCID {
		inner ^= 0x40
	}
	dyn := append(unhex("08 C1C2C3C4C5C6C7C8"), inner)
	dyn = h.Sum(append(dyn, ac...))
	if len(c.gpo77) > 0 {
		dyn = append(dyn, c.summary2...)
		if !c.only2 {
			dyn = append(dyn, c.summary3...)
		}
	}
	if c.relayData != nil {
		r := bytes.Clone(c.relayData)
		if c.lieRelay {
			r[5] ^= 1
		}
		dyn = append(dyn, r...)
	}
	sig := keys()["icc1408"].seal(append([]byte{0x05, 0x01, byte(len(dyn))}, dyn...), nil, cdol1[len(cdol1)-4:])
	c.saved = tlv.Append(nil, tagFormat2, append(tlv.Append(body, tagSDAD, sig), tail...))
	return c.saved
}
