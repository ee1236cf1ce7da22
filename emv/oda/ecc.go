package oda

import (
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"math/big"
)

// ecSuite is a signature algorithm suite (Book 2, B2.4.1, table 48).
type ecSuite struct {
	id    byte
	curve elliptic.Curve
	dh    ecdh.Curve
	hash  *ecHash
	field int // NFIELD, bytes of a coordinate
}

// ecHash is a hash algorithm for ECC (Book 2, B2.3, table 47).
type ecHash struct {
	indicator byte
	make      func() hash.Hash
	size      int // NHASH
}

var (
	ecSHA256 = &ecHash{0x02, sha256.New, sha256.Size}
	ecSHA512 = &ecHash{0x03, sha512.New, sha512.Size}

	suiteP256 = &ecSuite{0x10, elliptic.P256(), ecdh.P256(), ecSHA256, 32}
	suiteP521 = &ecSuite{0x11, elliptic.P521(), ecdh.P521(), ecSHA512, 66}
)

// ecSuiteOf returns the suite with an indicator, nil for one that this terminal does not know: the two with SHA-3 are assigned but
// not in use, those from 80 on are domestic.
func ecSuiteOf(id byte) *ecSuite {
	switch id {
	case suiteP256.id:
		return suiteP256
	case suiteP521.id:
		return suiteP521
	}
	return nil
}

// ecHashOf returns the hash algorithm with an indicator, nil for one that this terminal does not know.
func ecHashOf(indicator byte) *ecHash {
	switch indicator {
	case ecSHA256.indicator:
		return ecSHA256
	case ecSHA512.indicator:
		return ecSHA512
	}
	return nil
}

// sum hashes the concatenation of parts.
func (h *ecHash) sum(parts ...[]byte) []byte {
	f := h.make()
	for _, p := range parts {
		f.Write(p)
	}
	return f.Sum(make([]byte, 0, h.size))
}

// signature is NSIG, the length of a signature in bytes.
func (u *ecSuite) signature() int { return u.hash.size + u.field }

// ECKey is a public key: a point on the curve of its suite. Only certificates that verify make one.
type ECKey struct {
	suite *ecSuite
	x, y  *big.Int
	pub   *ecdh.PublicKey
}

// newECKey finds the point for an x-coordinate of NFIELD bytes, with the smaller of the two values for y (Book 2, B2.2.1(e),
// Point4x). An x-coordinate that is not below p, or of no point of the curve, is refused.
func newECKey(u *ecSuite, x []byte) (*ECKey, bool) {
	if len(x) != u.field {
		return nil, false
	}
	px, y := u.pointAt(x)
	if px == nil {
		return nil, false
	}
	return u.key(px, y)
}

// pointAt is the point with x, y being the smaller of the two; nil when there is none.
func (u *ecSuite) pointAt(x []byte) (px, y *big.Int) {
	px, y = elliptic.UnmarshalCompressed(u.curve, append([]byte{0x02}, x...))
	if px == nil {
		return nil, nil
	}
	if n := new(big.Int).Sub(u.curve.Params().P, y); n.Cmp(y) < 0 {
		y = n
	}
	return px, y
}

func (u *ecSuite) key(x, y *big.Int) (*ECKey, bool) {
	b := make([]byte, 1+2*u.field)
	b[0] = 0x04
	x.FillBytes(b[1 : 1+u.field])
	y.FillBytes(b[1+u.field:])
	pub, err := u.dh.NewPublicKey(b)
	if err != nil {
		return nil, false
	}
	return &ECKey{suite: u, x: x, y: y, pub: pub}, true
}

// verify checks an EC-SDSA signature over the concatenation of msg (Book 2, A2.2.3): the Schnorr scheme of ISO/IEC 14888-3 in the
// form where the hash covers the x-coordinate only.
func (k *ECKey) verify(sig []byte, msg ...[]byte) bool {
	u := k.suite
	if len(sig) != u.signature() {
		return false // step a
	}
	r, s := sig[:u.hash.size], sig[u.hash.size:]
	// NewPrivateKey takes 0 < s < n and nothing else (step e); its public key is sG.
	sG, err := u.dh.NewPrivateKey(s)
	if err != nil {
		return false
	}
	rn := new(big.Int).SetBytes(r)
	if rn.Mod(rn, u.curve.Params().N).Sign() == 0 {
		return false
	}
	qx, qy, ok := k.times(rn)
	if !ok {
		return false
	}
	b := sG.PublicKey().Bytes() // 04 x y
	sx, sy := new(big.Int).SetBytes(b[1:1+u.field]), new(big.Int).SetBytes(b[1+u.field:])
	x, ok := u.addX(sx, sy, qx, qy.Sub(u.curve.Params().P, qy)) // sG - r'P (step f)
	if !ok {
		return false
	}
	v := u.hash.sum(append([][]byte{x.FillBytes(make([]byte, u.field))}, msg...)...)
	return subtle.ConstantTimeCompare(v, r) == 1
}

// times is the point kP for 0 < k < n. The standard library multiplies a point but shows only the x-coordinate of the product: the
// sign of y is found by a second product, as x((k+1)P) must be x(kP + P).
func (k *ECKey) times(n *big.Int) (x, y *big.Int, ok bool) {
	u := k.suite
	p := u.curve.Params()
	xb, ok := k.timesX(n)
	if !ok {
		return nil, nil, false
	}
	x, y = u.pointAt(xb)
	if x == nil {
		return nil, nil, false
	}
	next := new(big.Int).Add(n, big.NewInt(1))
	if next.Cmp(p.N) == 0 {
		return x, new(big.Int).Sub(p.P, k.y), true // (n-1)P is -P
	}
	want, ok := k.timesX(next)
	if !ok {
		return nil, nil, false
	}
	sum, ok := u.addX(x, y, k.x, k.y)
	if !ok || sum.Cmp(new(big.Int).SetBytes(want)) != 0 {
		y = new(big.Int).Sub(p.P, y)
	}
	return x, y, true
}

// timesX is the x-coordinate of nP in NFIELD bytes, for 0 < n < the order of the curve.
func (k *ECKey) timesX(n *big.Int) ([]byte, bool) {
	d, err := k.suite.dh.NewPrivateKey(n.FillBytes(make([]byte, k.suite.field)))
	if err != nil {
		return nil, false
	}
	x, err := d.ECDH(k.pub)
	return x, err == nil
}

// addX is the x-coordinate of the sum of two points; false when the sum is the point at infinity (Book 2, B2.2.1(c)).
func (u *ecSuite) addX(x1, y1, x2, y2 *big.Int) (*big.Int, bool) {
	p := u.curve.Params().P
	num, den := new(big.Int), new(big.Int)
	if x1.Cmp(x2) != 0 {
		num.Sub(y2, y1)
		den.Sub(x2, x1)
	} else {
		if y1.Cmp(y2) != 0 {
			return nil, false
		}
		num.Mul(x1, x1).Mul(num, big.NewInt(3)).Sub(num, big.NewInt(3))
		den.Lsh(y1, 1)
	}
	if den.ModInverse(den.Mod(den, p), p) == nil {
		return nil, false
	}
	l := num.Mul(num, den)
	x := new(big.Int).Mul(l, l)
	x.Sub(x, x1).Sub(x, x2)
	return x.Mod(x, p), true
}
