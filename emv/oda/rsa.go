package oda

import "math/big"

// PublicKey is an RSA public key of the sizes of Book 2, Annex B2.1.
type PublicKey struct {
	n    *big.Int
	e    *big.Int
	size int // bytes of the modulus
}

// OK tells whether there is a key.
func (k PublicKey) OK() bool { return k.n != nil }

// Size is the length of the modulus in bytes.
func (k PublicKey) Size() int { return k.size }

// Modulus is the modulus, Size bytes.
func (k PublicKey) Modulus() []byte { return k.n.FillBytes(make([]byte, k.size)) }

// Exponent is the public exponent, one or three bytes.
func (k PublicKey) Exponent() []byte { return k.e.Bytes() }

const (
	maxKeyLen = 248 // 1984 bits: Book 2, Annex D1
	minKeyLen = 48  // shorter than any key ever issued; keeps certificate offsets positive
)

var (
	exp3     = big.NewInt(3)
	exp65537 = big.NewInt(65537)
)

func newPublicKey(modulus, exponent []byte) (PublicKey, bool) {
	if len(modulus) < minKeyLen || len(modulus) > maxKeyLen {
		return PublicKey{}, false
	}
	var e *big.Int
	switch {
	case len(exponent) == 1 && exponent[0] == 3:
		e = exp3
	case len(exponent) == 3 && exponent[0] == 1 && exponent[1] == 0 && exponent[2] == 1:
		e = exp65537
	default:
		return PublicKey{}, false
	}
	n := new(big.Int).SetBytes(modulus)
	if n.BitLen() <= 8*(len(modulus)-1) || n.Bit(0) == 0 {
		return PublicKey{}, false
	}
	return PublicKey{n: n, e: e, size: len(modulus)}, true
}

// Recover is the RSA recovery function of Book 2, Annex B2.1.3. It returns nil when the input is not of the key's length.
func (k PublicKey) Recover(in []byte) []byte {
	if k.n == nil || len(in) != k.size {
		return nil
	}
	x := new(big.Int).SetBytes(in)
	if x.Cmp(k.n) >= 0 {
		return nil
	}
	return x.Exp(x, k.e, k.n).FillBytes(make([]byte, k.size))
}
