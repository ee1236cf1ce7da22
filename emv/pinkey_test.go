package emv

import (
	"bytes"
	"context"
	"math/big"
	"testing"

	"posd/emv/tlv"
)

// withPINKey gives a chip a key for PIN encipherment, in records that are not signed.
func withPINKey(c *chip, name string, head func([]byte), wreck func([]byte), more ...[]byte) *chip {
	c.build()
	key, issuer := keys()[name], keys()[c.issuer]
	h := append([]byte{0x04}, unhex(testPAN+"FFFF 1230 000003 01 01")...)
	h = append(h, byte(len(key.modulus)), byte(len(key.exp)))
	if head != nil {
		head(h)
	}
	cert, rest := issuer.certificate(h, key, len(issuer.modulus)-42, wreck, more...)
	r2 := tlv.Append(nil, tagPINExp, key.exp)
	if rest != nil {
		r2 = tlv.Append(r2, tagPINRest, rest)
	}
	c.records[[2]byte{4, 1}], c.records[[2]byte{4, 2}] = tlv.Append(nil, tagPINCert, cert), r2
	c.afl = append(c.afl, unhex("20010200")...)
	return c
}

func TestPINKeyClauses(t *testing.T) {
	at := func(i int, v byte) func([]byte) { return func(b []byte) { b[i] = v } }
	plain := func(change func(*chip)) func() *chip {
		return func() *chip { c := newChip(); change(c); return c }
	}
	own := func(head, wreck func([]byte), more ...[]byte) func() *chip {
		return func() *chip { return withPINKey(newChip(), "icc768", head, wreck, more...) }
	}
	for _, c := range []struct {
		name string
		chip func() *chip
		key  string // "" when recovery fails
		oda  bool   // offline data authentication has been there before
	}{
		{"7.1 case 1: a key for the PIN", own(nil, nil), "icc768", true},
		{"7.1 case 1: without offline data authentication", own(nil, nil), "icc768", false},
		{"7.1 case 1: with a remainder", func() *chip {
			c := newChip()
			c.issuer, c.icc = "issuer1024", ""
			return withPINKey(c, "icc768", nil, nil)
		}, "icc768", true},
		{"7.1 case 1: remainder lost", func() *chip {
			c := newChip()
			c.issuer, c.icc = "issuer1024", ""
			withPINKey(c, "icc768", nil, nil)
			c.records[[2]byte{4, 2}] = tlv.Append(nil, tagPINExp, keys()["icc768"].exp)
			return c
		}, "", true},
		{"7.1: the static data are not part of the hash", own(nil, nil, []byte{0x5A}), "", true},
		{"6.4 step 2: the trailer is not BC", own(nil, func(b []byte) { b[len(b)-1] = 0xCC }), "", true},
		{"6.4 step 3: the header is not 6A", own(nil, at(0, 0x6B)), "", true},
		{"6.4 step 4: the format is not 04", own(at(0, 0x02), nil), "", true},
		{"6.4 step 7: the hash differs", own(nil, at(40, 0x00)), "", true},
		{"6.4 step 8: the certificate of another card", own(at(8, 0x06), nil), "", true},
		{"6.4 step 9: the certificate has expired", own(func(b []byte) { b[11], b[12] = 0x12, 0x25 }, nil), "", true},
		{"6.4 step 6: another hash algorithm", own(at(16, 0x02), nil), "", true},
		{"6.4 step 10: another public key algorithm", own(at(17, 0x02), nil), "", true},
		{"6.4: the certificate is a byte short", func() *chip {
			c := withPINKey(newChip(), "icc768", nil, nil)
			r := c.records[[2]byte{4, 1}]
			o, _ := tlv.One(r)
			c.records[[2]byte{4, 1}] = tlv.Append(nil, tagPINCert, o.Value[1:])
			return c
		}, "", true},
		{"7.1 case 2: a PIN certificate without exponent leaves the card's own key", func() *chip {
			c := withPINKey(newChip(), "icc768", nil, nil)
			c.records[[2]byte{4, 2}] = nil
			return c
		}, "icc1408", true},
		{"7.1 case 2: the card's own key after authentication", plain(func(*chip) {}), "icc1408", true},
		{"7.1 case 2: the card's own key, authentication not performed", plain(func(*chip) {}), "icc1408", false},
		{"7.1 case 2: the card's own key is not good", plain(func(c *chip) { c.wreck["icc"] = at(30, 0) }), "", true},
		{"7.1 case 3: no key", plain(func(c *chip) { c.icc = "" }), "", true},
		{"7.1 case 3: no issuer certificate", plain(func(c *chip) { c.drop[tagIssuerCert] = true }), "", false},
		{"7.1 case 3: no issuer exponent", plain(func(c *chip) { c.drop[tagIssuerExp] = true }), "", false},
		{"7.1 case 3: no CA key index", plain(func(c *chip) { c.drop[tagCAIndex] = true }), "", false},
		{"7.1 case 3: the CA key is not known", plain(func(c *chip) { c.set[tagCAIndex] = []byte{0x77} }), "", false},
		{"7.1: the issuer certificate is not good", func() *chip {
			c := newChip()
			c.wreck["issuer"] = at(30, 0)
			return withPINKey(c, "icc768", nil, nil)
		}, "", false},
		{"7.1: the issuer certificate has lost its remainder", func() *chip {
			c := newChip()
			c.ca, c.issuer, c.icc = "ca1152", "issuer1024", ""
			c.drop[tagIssuerRest] = true
			return withPINKey(c, "icc768", nil, nil)
		}, "", false},
	} {
		t.Run("Book 2, "+c.name, func(t *testing.T) {
			ch := c.chip()
			p := &pinHolder{answers: []OfflinePINAnswer{entered(0x9000)}}
			pairs := [][2]string{{getTries, "6A88"}}
			if c.key != "" {
				pairs = append(pairs, [2]string{getChallenge, challenge + "9000"})
			}
			card := script(t, pairs...)
			s := loaded(t, ch, card, p, 0xF8)
			if c.oda {
				if err := s.authenticate(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			s.icc.Set(tagCVMList, unhex("0000000000000000 0400"))
			before := s.tvr
			if err := s.verifyCardholder(t.Context()); err != nil {
				t.Fatal(err)
			}
			card.done()
			if c.key == "" {
				if len(p.asks) != 0 || s.cvm != [3]byte{4, 0, cvmFailed} || s.tvr != [5]byte{before[0], 0, 0x80} {
					t.Errorf("asked %v, results %X, TVR %X", p.asks, s.cvm, s.tvr)
				}
				return
			}
			want := keys()[c.key]
			if len(p.ciphers) != 1 || !bytes.Equal(p.ciphers[0].Modulus, want.modulus) || !bytes.Equal(p.ciphers[0].Exponent, want.exp) || !bytes.Equal(p.ciphers[0].Challenge, unhex(challenge)) {
				t.Error("the PIN pad did not get the key and the challenge")
			}
			if s.cvm != [3]byte{4, 0, cvmSuccessful} || s.tvr != before {
				t.Errorf("results %X, TVR %X", s.cvm, s.tvr)
			}
		})
	}
}

// Book 3, 7.5: what offline data authentication has found missing stays missing.
func TestPINKeyLeavesMissingDataMissing(t *testing.T) {
	s := loaded(t, newChip(), script(t), &pinHolder{}, 0xF8)
	tvrDataMissing.set(s.tvr[:])
	if _, ok := s.pinKey(); !ok || !tvrDataMissing.in(s.tvr[:]) {
		t.Errorf("key %v, TVR %X", ok, s.tvr)
	}
}

// pinPad enciphers as a PIN pad does and shows the block to the card: what both must agree upon (Book 2, 7.2, table 25).
type pinPad struct {
	pinHolder
	block []byte
	card  *testKey
	seen  []byte
}

func (p *pinPad) OfflinePIN(_ context.Context, r OfflinePINRequest) (OfflinePINAnswer, error) {
	n := new(big.Int).SetBytes(r.Cipher.Modulus)
	plain := append(append([]byte{0x7F}, p.block...), r.Cipher.Challenge...)
	plain = append(plain, bytes.Repeat([]byte{0x5A}, len(r.Cipher.Modulus)-17)...)
	enc := new(big.Int).Exp(new(big.Int).SetBytes(plain), new(big.Int).SetBytes(r.Cipher.Exponent), n).FillBytes(make([]byte, len(r.Cipher.Modulus)))
	p.seen = p.card.sign(enc)
	if !bytes.Equal(p.seen[:9], append([]byte{0x7F}, p.block...)) || !bytes.Equal(p.seen[9:17], unhex(challenge)) {
		return entered(0x6984), nil
	}
	return entered(0x9000), nil
}

// A whole transaction: the card deciphers with its private key what was enciphered under the key that the kernel has recovered.
func TestEncipheredPINTransaction(t *testing.T) {
	for _, name := range []string{"icc1408", "icc768"} {
		c := newChip()
		c.set[tagCVMList] = unhex("0000000000000000 0403")
		if name != "icc1408" {
			withPINKey(c, name, nil, nil)
		}
		c.getData[tagPINTries] = []byte{3}
		c.answers["84"] = unhex(challenge + "9000")
		cfg := testConfig()
		cfg.Terminal.Capabilities[1] = 0xF8
		p := &pinPad{block: unhex("2F FFFFFFFFFFFFFF"), card: keys()[name]}
		s, err := New(cfg).Start(t.Context(), c, testRequest(), p)
		if err != nil {
			t.Fatal(err)
		}
		if r := s.Result(); r.CVMResults != [3]byte{4, 3, 2} || r.TVR[2] != 0 || r.OnlinePIN || r.Signature {
			t.Errorf("%s: results %X, TVR %X", name, r.CVMResults, r.TVR)
		}
		if v, ok := s.Get(tagPINTries); !ok || !bytes.Equal(v, []byte{3}) {
			t.Errorf("9F17 = %X", v)
		}
	}
}

// FuzzPINKey has the issuer certify arbitrary fields and keys.
func FuzzPINKey(f *testing.F) {
	key := keys()["icc768"]
	head := append(unhex("04"+testPAN+"FFFF 1230 000003 01 01"), byte(len(key.modulus)), byte(len(key.exp)))
	f.Add(append(head[:18:18], 60, 1), bytes.Repeat([]byte{0xC1}, 60), []byte(nil), []byte{3})
	f.Add(head, key.modulus[:86], key.modulus[86:], key.exp)
	f.Add([]byte{4}, []byte{1}, []byte{1}, []byte{3})
	c := newChip()
	c.issuer, c.icc = "issuer1024", ""
	c.build()
	issuer := keys()[c.issuer]
	f.Fuzz(func(t *testing.T, head, part, rest, exp []byte) {
		head = append(head, make([]byte, 20)...)[:20]
		part = part[:min(len(part), len(issuer.modulus)-42)]
		s := loaded(t, c, script(t), &pinHolder{}, 0xF8)
		s.icc.Set(tagPINCert, issuer.seal(head, part, nil, rest, exp))
		s.icc.Set(tagPINExp, exp)
		if len(rest) > 0 {
			s.icc.Set(tagPINRest, rest)
		}
		k, ok := s.pinKey()
		if ok && (k.Size() != int(head[18]) || k.Size() < 48 || k.Size() > 248 || k.Modulus()[0] == 0 || !bytes.Equal(k.Exponent(), exp)) {
			t.Fatalf("key of %d bytes from head %X", k.Size(), head)
		}
	})
}
