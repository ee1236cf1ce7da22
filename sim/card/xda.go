package card

import (
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"math/big"
	"slices"
)

// Extended data authentication, EMV 4.4, Book 2, chapter 12: keys on an elliptic curve, certificates in the clear, and EC-SDSA
// signatures over the answers to GENERATE AC.

// suite is a signature algorithm suite (Book 2, B2.4).
type suite struct {
	id    byte
	curve ecdh.Curve
	order *big.Int
	prime *big.Int
	hash  func() hash.Hash
	field int // bytes of a coordinate
}

var (
	suiteP256 = &suite{0x10, ecdh.P256(), elliptic.P256().Params().N, elliptic.P256().Params().P, sha256.New, 32}
	suiteP521 = &suite{0x11, ecdh.P521(), elliptic.P521().Params().N, elliptic.P521().Params().P, sha512.New, 66}
)

// ecKey is a key pair whose y is the smaller of the two that fit its x (Book 2, B2.2.1).
type ecKey struct {
	*suite
	d     *big.Int
	point []byte // x and y
}

func (k *ecKey) x() []byte { return k.point[:k.field] }

// ecKeyOf makes the key pair of a name: keys of simulated cards are no secret.
func ecKeyOf(u *suite, name string) *ecKey {
	d := u.scalar([]byte("posd simulated EC key " + name))
	k := &ecKey{suite: u, d: d, point: u.times(d)}
	y := new(big.Int).SetBytes(k.point[u.field:])
	if new(big.Int).Lsh(y, 1).Cmp(u.prime) > 0 {
		k.d = new(big.Int).Sub(u.order, d)
		k.point = u.times(k.d)
	}
	return k
}

// scalar is a number from 1 to the order less 1, from a hash that is much longer.
func (u *suite) scalar(parts ...[]byte) *big.Int {
	all := slices.Concat(parts...)
	a := sha512.Sum512(append([]byte{1}, all...))
	b := sha512.Sum512(append([]byte{2}, all...))
	n := new(big.Int).SetBytes(slices.Concat(a[:], b[:]))
	one := big.NewInt(1)
	n.Mod(n, new(big.Int).Sub(u.order, one))
	return n.Add(n, one)
}

// times is x and y of n times the base point.
func (u *suite) times(n *big.Int) []byte {
	p, err := u.curve.NewPrivateKey(n.FillBytes(make([]byte, u.field)))
	if err != nil {
		panic("card: a scalar is below the order")
	}
	return p.PublicKey().Bytes()[1:]
}

func (u *suite) sum(parts ...[]byte) []byte {
	h := u.hash()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// sign is EC-SDSA (Book 2, A2.2). The number that must not be used twice comes from key and message.
func (k *ecKey) sign(msg []byte) []byte {
	n := k.scalar([]byte("EC-SDSA"), k.d.Bytes(), msg)
	r := k.sum(k.times(n)[:k.field], msg)
	s := new(big.Int).SetBytes(r)
	s.Mul(s.Mod(s, k.order), k.d).Add(s, n).Mod(s, k.order)
	return append(r, s.FillBytes(make([]byte, k.field))...)
}

// ecChain is the EC counterpart of chain.
type ecChain struct {
	rid             string
	index           byte
	ca, issuer, icc *ecKey
}

// ecChains are the chains that a profile with XDA can name.
var ecChains = map[string]struct {
	index byte
	suite *suite
}{"p256": {0xE4, suiteP256}, "p521": {0xE5, suiteP521}}

func ecChainOf(aid []byte, name string) *ecChain {
	s, c := schemeOf(aid), ecChains[name]
	if s == nil || c.suite == nil {
		return nil
	}
	return &ecChain{
		rid: s.rid, index: c.index,
		ca: ecKeyOf(c.suite, s.rid+" CA "+name), issuer: ecKeyOf(c.suite, s.rid+" issuer "+name), icc: ecKeyOf(c.suite, "card "+name),
	}
}

// ECCAKey is the EC public key of a certification authority, as a terminal wants it.
type ECCAKey struct {
	RID   []byte // 5 bytes
	Index byte   // 8F
	Suite byte   // 10 or 11 (Book 2, B2.4)
	Point []byte // x and y
	Sum   []byte // hash of the suite over RID, index, suite and point
}

// ECCAKeys lists the EC keys of certification authorities under which the issuers of all profiles are certified.
func ECCAKeys() []ECCAKey {
	var out []ECCAKey
	for _, s := range schemes {
		for _, name := range []string{"p256", "p521"} {
			c := ecChainOf(unhex(s.rid), name)
			k := ECCAKey{RID: unhex(s.rid), Index: c.index, Suite: c.ca.id, Point: c.ca.point}
			k.Sum = c.ca.sum(k.RID, []byte{k.Index, k.Suite}, k.Point)
			out = append(out, k)
		}
	}
	return out
}

// issuerCertificate is tag 90 (Book 2, table 35).
func (c *ecChain) issuerCertificate(pan, fault string) []byte {
	expiry, serial := "20491231", issuerSerial
	switch fault {
	case faultIssuerExpired:
		expiry = "20221231"
	case faultRevoked:
		serial = revokedSerial
	case faultIssuerID:
		pan = "999999"
	}
	b := slices.Concat([]byte{0x12, 0x00}, bcd(pan[:6], 5, 0xF), []byte{c.issuer.id}, unhex(expiry), serial[:], unhex(c.rid), []byte{c.index}, c.issuer.x())
	return append(b, c.ca.sign(b)...)
}

// cardCertificate is tag 9F46 (Book 2, table 36). Its hash of the static data is SHA-256 on both curves: a longer one would not fit a
// record.
func (c *ecChain) cardCertificate(static []byte, fault string) []byte {
	expiry := "204912312359"
	if fault == faultICCExpired {
		expiry = "202212312359"
	}
	h := sha256.Sum256(static)
	b := slices.Concat([]byte{0x14, 0x00, c.icc.id}, unhex(expiry), []byte{0, 0, 0, 0, 0, 2}, []byte{0x00, 0x02}, h[:], c.icc.x())
	return append(b, c.issuer.sign(b)...)
}

// static are the data under the card certificate: the signed records, AIP, AID and PDOL (Book 3, 10.3).
func (c *ecChain) static(a *Application, records []byte, aip [2]byte) []byte {
	out := put(slices.Clone(records), 0x82, aip[:]...)
	out = put(out, 0x9F06, unhex(a.AID)...)
	if a.PDOL != "" {
		out = put(out, 0x9F38, unhex(a.PDOL)...)
	}
	if a.Fault == faultStatic {
		out = append(out, 0x00)
	}
	return out
}

func (c *ecChain) records(a *Application, static []byte) [][]byte {
	one, two, three := file{a: a}, file{a: a}, file{a: a}
	index := c.index
	if a.Fault == faultUnknownCA {
		index = 0xEE
	}
	one.put(0x8F, index)
	two.put(0x90, c.issuerCertificate(a.PAN, a.Fault)...)
	out := [][]byte{one.out, two.out}
	if a.Fault != faultNoCert {
		three.put(0x9F46, c.cardCertificate(static, a.Fault)...)
		out = append(out, three.out)
	}
	return out
}

// extended is the signature of XDA, tag 9F4B: over the data of the lists and the objects of the answer (Book 2, 12.5).
func (t *transaction) extended(second bool, list, objects []byte) []byte {
	msg := []byte{0x15}
	if !second {
		msg = append(msg, t.options...)
	}
	sig := t.ec.icc.sign(slices.Concat(msg, list, objects))
	if t.a.Fault == faultSignature || t.a.Fault == faultSecond && second {
		sig[len(sig)-1] ^= 0x01
	}
	return append([]byte{0x15}, sig...)
}
