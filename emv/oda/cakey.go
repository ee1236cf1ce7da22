package oda

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
)

// ErrConfig is wrapped by every error about a certification authority's key.
var ErrConfig = errors.New("emv: bad parameters")

// CAKey is a certification authority public key, RSA or ECC. Only the functions here make one that is used, so its checksum or its
// self-signature was right.
type CAKey struct {
	RID   [5]byte
	Index byte
	key   PublicKey // RSA
	ec    *ECKey    // ECC
}

// NewCAKey checks and keeps an RSA certification authority public key. modulus is at most 248 bytes; exponent is 3 or 65537, one or
// three bytes; sum is SHA-1 over RID, index, modulus and exponent (Book 2, 11.2.2).
func NewCAKey(rid [5]byte, index byte, modulus, exponent, sum []byte) (CAKey, error) {
	h := sha1.New()
	h.Write(rid[:])
	h.Write([]byte{index})
	h.Write(modulus)
	h.Write(exponent)
	if !bytes.Equal(h.Sum(nil), sum) {
		return BadCAKey(rid, index, "the checksum does not fit the key")
	}
	if len(modulus) < minKeyLen || modulus[0]&0x80 == 0 || modulus[len(modulus)-1]&1 == 0 {
		return BadCAKey(rid, index, "the modulus is too short, or no RSA modulus")
	}
	k, ok := newPublicKey(modulus, exponent)
	if !ok {
		return BadCAKey(rid, index, "the modulus is longer than 248 bytes, or the exponent is neither 3 nor 65537")
	}
	return CAKey{RID: rid, Index: index, key: k}, nil
}

// NewECCAKey checks and keeps an ECC certification authority public key. suite is 10 (P-256 with SHA-256) or 11 (P-521 with
// SHA-512); point is both coordinates, 64 or 132 bytes; sum is the suite's hash over RID, index, suite and point (Book 2, 11.2.2,
// table 31, which leaves the choice of the hash to the terminal).
func NewECCAKey(rid [5]byte, index, suite byte, point, sum []byte) (CAKey, error) {
	u := ecSuiteOf(suite)
	if u == nil {
		return BadCAKey(rid, index, "the algorithm suite is neither 10 nor 11")
	}
	if !bytes.Equal(u.hash.sum(rid[:], []byte{index, suite}, point), sum) {
		return BadCAKey(rid, index, "the checksum does not fit the key")
	}
	if len(point) != 2*u.field {
		return BadCAKey(rid, index, fmt.Sprintf("a point has %d bytes, not %d", 2*u.field, len(point)))
	}
	k, ok := newECKey(u, point[:u.field])
	if !ok || !bytes.Equal(k.y.FillBytes(make([]byte, u.field)), point[u.field:]) {
		// B2.2.4: of the two values for y, certificates stand for the smaller one.
		return BadCAKey(rid, index, "no point of the curve, or y is not the smaller of two")
	}
	return CAKey{RID: rid, Index: index, ec: k}, nil
}

// ParseCACertificate reads the self-signed form in which payment systems give out ECC keys: format 20, encoding 00, RID, index, suite,
// x-coordinate, and the key's own signature over these (Book 2, 11.2.1, table 29).
func ParseCACertificate(cert []byte) (CAKey, error) {
	const head = 9
	if len(cert) < head || cert[0] != 0x20 || cert[1] != 0x00 {
		return CAKey{}, fmt.Errorf("%w: CA certificate: not of format 20, encoding 00", ErrConfig)
	}
	rid, index := [5]byte(cert[2:7]), cert[7]
	u := ecSuiteOf(cert[8])
	if u == nil {
		return BadCAKey(rid, index, "the algorithm suite is neither 10 nor 11")
	}
	if want := head + u.field + u.signature(); len(cert) != want {
		return BadCAKey(rid, index, fmt.Sprintf("a certificate has %d bytes, not %d", want, len(cert)))
	}
	k, ok := newECKey(u, cert[head:head+u.field])
	if !ok {
		return BadCAKey(rid, index, "no point of the curve")
	}
	if !k.verify(cert[head+u.field:], cert[:head+u.field]) {
		return BadCAKey(rid, index, "the signature does not fit the key")
	}
	return CAKey{RID: rid, Index: index, ec: k}, nil
}

// BadCAKey is the error for a key that is not used.
func BadCAKey(rid [5]byte, index byte, why string) (CAKey, error) {
	return CAKey{}, fmt.Errorf("%w: CA key %X index %02X: %s", ErrConfig, rid, index, why)
}

// Bits is the length of an RSA key's modulus, or of a coordinate of an ECC key.
func (k CAKey) Bits() int {
	switch {
	case k.key.n != nil:
		return k.key.n.BitLen()
	case k.ec != nil:
		return k.ec.suite.curve.Params().BitSize
	}
	return 0
}

// Revoked names an issuer public key certificate that must not be trusted (Book 2, 6.3 step 10, 10.2).
type Revoked struct {
	RID    [5]byte
	Index  byte
	Serial [3]byte
}

// caKey returns the key for a RID and an index, RSA or ECC, nil when the terminal does not have it.
func (c *Card) caKey(index byte) *CAKey {
	for i := range c.CAKeys {
		k := &c.CAKeys[i]
		if k.Index == index && bytes.Equal(k.RID[:], c.RID) {
			return k
		}
	}
	return nil
}

func (c *Card) revoked(index byte, serial []byte) bool {
	for _, r := range c.Revoked {
		if r.Index == index && bytes.Equal(r.RID[:], c.RID) && bytes.Equal(r.Serial[:], serial) {
			return true
		}
	}
	return false
}
