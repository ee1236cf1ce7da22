package oda

import (
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"testing"
	"time"

	"posd/emv/tlv"
)

// pair is an RSA key pair of the contact kernel's test data.
type pair struct {
	d, n         *big.Int
	modulus, exp []byte
}

func pairs(t testing.TB) map[string]*pair {
	t.Helper()
	b, err := os.ReadFile("../testdata/rsa-test-keys.json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]struct{ N, E, D string }
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	out := map[string]*pair{}
	for name, r := range raw {
		num := func(s string) *big.Int { v, _ := new(big.Int).SetString(s, 16); return v }
		out[name] = &pair{num(r.D), num(r.N), unhex(r.N), unhex(r.E)}
	}
	return out
}

// seal makes a signed block: 6A, head, body padded with BB, hash over that and more, BC.
func (k *pair) seal(head, body []byte, more ...[]byte) []byte {
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
	m := new(big.Int).SetBytes(append(h.Sum(p), 0xBC))
	return m.Exp(m, k.d, k.n).FillBytes(make([]byte, n))
}

// testCard is a card with all certificates of a test payment system, and what they sign.
func testCard(t testing.TB) (c Card, data map[tlv.Tag][]byte, icc *pair) {
	t.Helper()
	k := pairs(t)
	ca, issuer, icc := k["ca1152"], k["issuer1024"], k["icc768"]
	rid := [5]byte{0xA0, 0, 0, 0, 3}
	sum := sha1.Sum(append(append(append(rid[:], 7), ca.modulus...), ca.exp...))
	key, err := NewCAKey(rid, 7, ca.modulus, ca.exp, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	pan, static := unhex("4761739001010119"), unhex("5F24033012315F280201 56")
	data = map[tlv.Tag][]byte{tagAIP: unhex("2000"), tagCAIndex: {7}, tagIssuerExp: issuer.exp, tagICCExp: icc.exp, tagTagList: {0x82}}
	signed := append(bytes.Clone(static), data[tagAIP]...)
	room := len(ca.modulus) - 36
	data[tagIssuerRest] = issuer.modulus[room:]
	head := append(unhex("02 476173FF 1226 000001 01 01"), byte(len(issuer.modulus)), byte(len(issuer.exp)))
	data[tagIssuerCert] = ca.seal(head, issuer.modulus[:room], data[tagIssuerRest], issuer.exp)
	room = len(issuer.modulus) - 42
	data[tagICCRest] = icc.modulus[room:]
	head = append(unhex("04 4761739001010119FFFF 1226 000002 01 01"), byte(len(icc.modulus)), byte(len(icc.exp)))
	data[tagICCCert] = issuer.seal(head, icc.modulus[:room], data[tagICCRest], icc.exp, signed)
	data[tagSSAD] = issuer.seal(unhex("03 01 DAC1"), nil, signed)
	return Card{
		RID: rid[:], PAN: pan, Static: static, Today: time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC), CAKeys: []CAKey{key},
		Get: func(tag tlv.Tag) ([]byte, bool) { v, ok := data[tag]; return v, ok },
	}, data, icc
}

// Book 2, chapters 5 and 6: which kind of no follows from which fault. nil is a yes.
func TestCardErrors(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*Card, map[tlv.Tag][]byte)
		key, sda error
	}{
		{"5.3, 5.4, 6.4: all is there", func(*Card, map[tlv.Tag][]byte) {}, nil, nil},
		{"Book 3, 7.2: no 8F", func(_ *Card, d map[tlv.Tag][]byte) { delete(d, tagCAIndex) }, ErrMissing, ErrMissing},
		{"Book 3, 7.2: no 90", func(_ *Card, d map[tlv.Tag][]byte) { delete(d, tagIssuerCert) }, ErrMissing, ErrMissing},
		{"Book 3, 7.2: no 9F32", func(_ *Card, d map[tlv.Tag][]byte) { delete(d, tagIssuerExp) }, ErrMissing, ErrMissing},
		{"Book 3, 7.2: no 92 where the key needs it", func(_ *Card, d map[tlv.Tag][]byte) { delete(d, tagIssuerRest) }, ErrMissing, ErrMissing},
		{"Book 3, 7.2: no 9F46", func(_ *Card, d map[tlv.Tag][]byte) { delete(d, tagICCCert) }, ErrMissing, nil},
		{"Book 3, 7.2: no 9F48 where the key needs it", func(_ *Card, d map[tlv.Tag][]byte) { delete(d, tagICCRest) }, ErrMissing, nil},
		{"Book 3, 7.2: no 93", func(_ *Card, d map[tlv.Tag][]byte) { delete(d, tagSSAD) }, nil, ErrMissing},
		{"5.2: no key for the index", func(_ *Card, d map[tlv.Tag][]byte) { d[tagCAIndex] = []byte{8} }, ErrNoCAKey, ErrNoCAKey},
		{"5.2: no key for the RID", func(c *Card, _ map[tlv.Tag][]byte) { c.RID = unhex("A000000004") }, ErrNoCAKey, ErrNoCAKey},
		{"5.2: an index of two bytes", func(_ *Card, d map[tlv.Tag][]byte) { d[tagCAIndex] = []byte{7, 7} }, ErrFailed, ErrFailed},
		{"5.3 step 8: another issuer's PAN", func(c *Card, _ map[tlv.Tag][]byte) { c.PAN = unhex("4861739001010119") }, ErrFailed, ErrFailed},
		{"5.3 step 9: expired", func(c *Card, _ map[tlv.Tag][]byte) { c.Today = c.Today.AddDate(0, 0, 1) }, ErrFailed, ErrFailed},
		{"5.3 step 10: revoked", func(c *Card, _ map[tlv.Tag][]byte) {
			c.Revoked = []Revoked{{RID: [5]byte(c.RID), Index: 7, Serial: [3]byte{0, 0, 1}}}
		}, ErrFailed, ErrFailed},
		{"6.4 step 8: another card's PAN", func(c *Card, _ map[tlv.Tag][]byte) { c.PAN = unhex("4761739001010127") }, ErrFailed, nil},
		{"5.4, 6.4: forged static data", func(c *Card, _ map[tlv.Tag][]byte) { c.Static = unhex("00") }, ErrFailed, ErrFailed},
		{"Book 3, 10.3: another AIP", func(_ *Card, d map[tlv.Tag][]byte) { d[tagAIP] = unhex("6000") }, ErrFailed, ErrFailed},
		{"Book 3, 10.3: a tag list with more than the AIP", func(_ *Card, d map[tlv.Tag][]byte) { d[tagTagList] = unhex("825A") }, ErrFailed, ErrFailed},
		{"Book 3, 10.3: a signed record that cannot be read", func(c *Card, _ map[tlv.Tag][]byte) { c.Broken = true }, ErrFailed, ErrFailed},
	} {
		card, data, icc := testCard(t)
		c.change(&card, data)
		key, err := card.ICCKey()
		if !errors.Is(err, c.key) || key.OK() != (c.key == nil) || c.key == nil && !bytes.Equal(key.Modulus(), icc.modulus) {
			t.Errorf("%s: ICC key: %v", c.name, err)
		}
		dac, err := card.SDA()
		if !errors.Is(err, c.sda) || c.sda == nil && !bytes.Equal(dac, unhex("DAC1")) {
			t.Errorf("%s: SDA: %X, %v", c.name, dac, err)
		}
	}
}

// 6.5.2 and 6.6.2: a signature over the terminal's data in parts, and what behind the hash of a combined signature is the payment system's.
func TestSignatures(t *testing.T) {
	card, _, icc := testCard(t)
	key, err := card.ICCKey()
	if err != nil {
		t.Fatal(err)
	}
	sig := icc.seal(unhex("05 01 03 020123"), nil, unhex("01020304"))
	for name, parts := range map[string][][]byte{"whole": {unhex("01020304")}, "in parts": {unhex("01"), nil, unhex("020304")}} {
		if d, err := key.OpenSigned(sig, parts...); err != nil || !bytes.Equal(d, unhex("020123")) {
			t.Errorf("6.5.2, %s: %X, %v", name, d, err)
		}
	}
	if _, err := key.OpenSigned(sig, unhex("01020305")); !errors.Is(err, ErrFailed) {
		t.Errorf("6.5.2, other data: %v", err)
	}
	if _, err := (PublicKey{}).OpenSigned(sig, unhex("01020304")); !errors.Is(err, ErrFailed) {
		t.Errorf("without a key: %v", err)
	}
	template := unhex("9F270180 9F36020123")
	h := sha1.Sum(append(unhex("AABB"), template...))
	dyn := append(append(unhex("020123 80 AC01020304050607"), h[:]...), unhex("EEFF")...)
	sig = icc.seal(append([]byte{0x05, 0x01, byte(len(dyn))}, dyn...), nil, unhex("DEADBEEF"))
	c, err := key.OpenCDA(sig, 0x80, unhex("DEADBEEF"), template, unhex("AA"), unhex("BB"))
	if err != nil || c.CID != 0x80 || !bytes.Equal(c.AC, unhex("AC01020304050607")) || !bytes.Equal(c.Number, unhex("0123")) || !bytes.Equal(c.More, unhex("EEFF")) {
		t.Errorf("6.6.2: %+v, %v", c, err)
	}
	if c, err := key.OpenCDA(sig, 0x40, unhex("DEADBEEF"), template, unhex("AABB")); !errors.Is(err, ErrFailed) || c.CID != 0x80 {
		t.Errorf("6.6.2 step 6: %02X, %v", c.CID, err)
	}
	if _, err := key.OpenCDA(sig, 0x80, unhex("DEADBEEF"), template[:4], unhex("AABB")); !errors.Is(err, ErrFailed) {
		t.Errorf("6.6.2 step 12: %v", err)
	}
}

// FuzzCard gives a card any objects: no key comes out but the one that was certified.
func FuzzCard(f *testing.F) {
	card, data, icc := testCard(f)
	f.Add(uint32(tagIssuerCert), data[tagIssuerCert], false)
	f.Add(uint32(tagICCRest), []byte(nil), true)
	f.Add(uint32(tagTagList), unhex("82"), false)
	f.Fuzz(func(t *testing.T, tag uint32, value []byte, broken bool) {
		c := card
		c.Broken = broken
		c.Get = func(want tlv.Tag) ([]byte, bool) {
			if want == tlv.Tag(tag) {
				return value, true
			}
			v, ok := data[want]
			return v, ok
		}
		if k, err := c.ICCKey(); err == nil && (broken || !bytes.Equal(k.Modulus(), icc.modulus)) {
			t.Fatal("another key was certified")
		}
		_, _ = c.SDA()
		_, _ = c.ECCKey()
	})
}
