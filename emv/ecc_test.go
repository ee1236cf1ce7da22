package emv

import (
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"math/big"
)

// ecSuite is a suite as the card side of the tests knows it: it shares nothing with package oda, which is tested against it.
type ecSuite struct {
	id    byte
	curve elliptic.Curve
	dh    ecdh.Curve
	hash  *ecHash
	field int
}

type ecHash struct {
	indicator byte
	make      func() hash.Hash
	size      int
}

var (
	ecSHA256  = &ecHash{0x02, sha256.New, sha256.Size}
	ecSHA512  = &ecHash{0x03, sha512.New, sha512.Size}
	suiteP256 = &ecSuite{0x10, elliptic.P256(), ecdh.P256(), ecSHA256, 32}
	suiteP521 = &ecSuite{0x11, elliptic.P521(), ecdh.P521(), ecSHA512, 66}
)

func (h *ecHash) sum(parts ...[]byte) []byte {
	f := h.make()
	for _, p := range parts {
		f.Write(p)
	}
	return f.Sum(nil)
}

// ecSigner is a private key whose public key has the smaller y (Book 2, B2.2.4).
type ecSigner struct {
	u *ecSuite
	d *big.Int
}

func newECSigner(u *ecSuite) *ecSigner {
	k, err := u.dh.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return ecSignerOf(u, k.Bytes())
}

func ecSignerOf(u *ecSuite, d []byte) *ecSigner {
	p := u.curve.Params()
	s := &ecSigner{u, new(big.Int).SetBytes(d)}
	if _, y := s.point(s.d); y.Cmp(new(big.Int).Rsh(p.P, 1)) > 0 {
		s.d.Sub(p.N, s.d)
	}
	return s
}

func (s *ecSigner) point(k *big.Int) (x, y *big.Int) {
	priv, err := s.u.dh.NewPrivateKey(k.FillBytes(make([]byte, s.u.field)))
	if err != nil {
		panic(err)
	}
	return xy(s.u, priv.PublicKey())
}

func xy(u *ecSuite, p *ecdh.PublicKey) (x, y *big.Int) {
	b := p.Bytes()
	return new(big.Int).SetBytes(b[1 : 1+u.field]), new(big.Int).SetBytes(b[1+u.field:])
}

// x is the public key as certificates show it.
func (s *ecSigner) x() []byte {
	x, _ := s.point(s.d)
	return x.FillBytes(make([]byte, s.u.field))
}

func (s *ecSigner) xy() []byte {
	x, y := s.point(s.d)
	return append(x.FillBytes(make([]byte, s.u.field)), y.FillBytes(make([]byte, s.u.field))...)
}

// fixedECSigner is a key pair that is the same in every run: fuzzing needs signatures that do not change.
func fixedECSigner(u *ecSuite, name string) *ecSigner {
	d := new(big.Int).SetBytes(ecSHA512.sum([]byte(name)))
	return ecSignerOf(u, d.Mod(d, u.curve.Params().N).FillBytes(make([]byte, u.field)))
}

// sign is EC-SDSA (Book 2, A2.2.2) with a given k, or one derived from key and message when k is nil.
func (s *ecSigner) sign(msg []byte, k *big.Int) []byte {
	if k == nil {
		k = new(big.Int).SetBytes(ecSHA512.sum(s.d.Bytes(), msg))
		k.Mod(k, s.u.curve.Params().N)
	}
	n := s.u.curve.Params().N
	x, _ := s.point(k)
	r := s.u.hash.sum(x.FillBytes(make([]byte, s.u.field)), msg)
	v := new(big.Int).SetBytes(r)
	v.Mod(v, n).Mul(v, s.d).Add(v, k).Mod(v, n)
	return append(r, v.FillBytes(make([]byte, s.u.field))...)
}

// notOnCurve is the smallest x without a point.
func notOnCurve(u *ecSuite) []byte {
	for i := int64(1); ; i++ {
		x := big.NewInt(i).FillBytes(make([]byte, u.field))
		if px, _ := elliptic.UnmarshalCompressed(u.curve, append([]byte{0x02}, x...)); px == nil {
			return x
		}
	}
}
