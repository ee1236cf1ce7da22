package emv

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"math/big"
)

// CAKey is a certification authority public key. Only NewCAKey makes one that is used, so its checksum was right.
type CAKey struct {
	RID   [5]byte
	Index byte
	key   publicKey
}

// NewCAKey checks and keeps a certification authority public key. modulus is at most 248 bytes; exponent is 3 or 65537, one or
// three bytes; sum is SHA-1 over RID, index, modulus and exponent (Book 2, 11.2.2).
func NewCAKey(rid [5]byte, index byte, modulus, exponent, sum []byte) (CAKey, error) {
	fail := func(why string) (CAKey, error) {
		return CAKey{}, fmt.Errorf("%w: CA key %X index %02X: %s", ErrConfig, rid, index, why)
	}
	h := sha1.New()
	h.Write(rid[:])
	h.Write([]byte{index})
	h.Write(modulus)
	h.Write(exponent)
	if !bytes.Equal(h.Sum(nil), sum) {
		return fail("the checksum does not fit the key")
	}
	if len(modulus) < minKeyLen || modulus[0]&0x80 == 0 || modulus[len(modulus)-1]&1 == 0 {
		return fail("the modulus is too short, or no RSA modulus")
	}
	k, ok := newPublicKey(modulus, exponent)
	if !ok {
		return fail("the modulus is longer than 248 bytes, or the exponent is neither 3 nor 65537")
	}
	return CAKey{RID: rid, Index: index, key: k}, nil
}

// Bits is the length of the key's modulus.
func (k CAKey) Bits() int {
	if k.key.n == nil {
		return 0
	}
	return k.key.n.BitLen()
}

// Revoked names an issuer public key certificate that must not be trusted (Book 2, 6.3 step 10, 10.2).
type Revoked struct {
	RID    [5]byte
	Index  byte
	Serial [3]byte
}

// checkCAKeys tells whether all keys were made here and each index of a RID occurs once, whatever its algorithm (Book 2, 11.2.2).
func (c *Config) checkCAKeys() error {
	for i, k := range c.CAKeys {
		if k.key.n == nil {
			return fmt.Errorf("%w: CA key %d was not made by NewCAKey", ErrConfig, i+1)
		}
		for _, o := range c.CAKeys[:i] {
			if o.RID == k.RID && o.Index == k.Index {
				return fmt.Errorf("%w: CA key %X index %02X occurs twice", ErrConfig, k.RID, k.Index)
			}
		}
	}
	return nil
}

// caKey returns the key for a RID and an index, nil when the terminal does not have it.
func (c *Config) caKey(rid []byte, index byte) *CAKey {
	for i := range c.CAKeys {
		k := &c.CAKeys[i]
		if k.Index == index && bytes.Equal(k.RID[:], rid) && k.key.n != nil {
			return k
		}
	}
	return nil
}

func (c *Config) revoked(rid []byte, index byte, serial []byte) bool {
	for _, r := range c.Revoked {
		if r.Index == index && bytes.Equal(r.RID[:], rid) && bytes.Equal(r.Serial[:], serial) {
			return true
		}
	}
	return false
}

// publicKey is an RSA public key of the sizes of Book 2, Annex B2.1.
type publicKey struct {
	n    *big.Int
	e    *big.Int
	size int // bytes of the modulus
}

const (
	maxKeyLen = 248 // 1984 bits: Book 2, Annex D1
	minKeyLen = 48  // shorter than any key ever issued; keeps certificate offsets positive
)

var (
	exp3     = big.NewInt(3)
	exp65537 = big.NewInt(65537)
)

func newPublicKey(modulus, exponent []byte) (publicKey, bool) {
	if len(modulus) < minKeyLen || len(modulus) > maxKeyLen {
		return publicKey{}, false
	}
	var e *big.Int
	switch {
	case len(exponent) == 1 && exponent[0] == 3:
		e = exp3
	case len(exponent) == 3 && exponent[0] == 1 && exponent[1] == 0 && exponent[2] == 1:
		e = exp65537
	default:
		return publicKey{}, false
	}
	n := new(big.Int).SetBytes(modulus)
	if n.BitLen() <= 8*(len(modulus)-1) || n.Bit(0) == 0 {
		return publicKey{}, false
	}
	return publicKey{n: n, e: e, size: len(modulus)}, true
}

// recover is the RSA recovery function of Book 2, Annex B2.1.3. It returns nil when the input is not of the key's length.
func (k publicKey) recover(in []byte) []byte {
	if k.n == nil || len(in) != k.size {
		return nil
	}
	x := new(big.Int).SetBytes(in)
	if x.Cmp(k.n) >= 0 {
		return nil
	}
	return x.Exp(x, k.e, k.n).FillBytes(make([]byte, k.size))
}
