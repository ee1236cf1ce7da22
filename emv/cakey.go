package emv

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"math/big"
)

// CAKey is a certification authority public key, RSA or ECC. Only the functions here make one that is used, so its checksum or its
// self-signature was right.
type CAKey struct {
	RID   [5]byte
	Index byte
	key   publicKey // RSA
	ec    *ecKey    // ECC
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
		return badCAKey(rid, index, "the checksum does not fit the key")
	}
	if len(modulus) < minKeyLen || modulus[0]&0x80 == 0 || modulus[len(modulus)-1]&1 == 0 {
		return badCAKey(rid, index, "the modulus is too short, or no RSA modulus")
	}
	k, ok := newPublicKey(modulus, exponent)
	if !ok {
		return badCAKey(rid, index, "the modulus is longer than 248 bytes, or the exponent is neither 3 nor 65537")
	}
	return CAKey{RID: rid, Index: index, key: k}, nil
}

// NewECCAKey checks and keeps an ECC certification authority public key. suite is 10 (P-256 with SHA-256) or 11 (P-521 with
// SHA-512); point is both coordinates, 64 or 132 bytes; sum is the suite's hash over RID, index, suite and point (Book 2, 11.2.2,
// table 31, which leaves the choice of the hash to the terminal).
func NewECCAKey(rid [5]byte, index, suite byte, point, sum []byte) (CAKey, error) {
	u := ecSuiteOf(suite)
	if u == nil {
		return badCAKey(rid, index, "the algorithm suite is neither 10 nor 11")
	}
	if !bytes.Equal(u.hash.sum(rid[:], []byte{index, suite}, point), sum) {
		return badCAKey(rid, index, "the checksum does not fit the key")
	}
	if len(point) != 2*u.field {
		return badCAKey(rid, index, fmt.Sprintf("a point has %d bytes, not %d", 2*u.field, len(point)))
	}
	k, ok := newECKey(u, point[:u.field])
	if !ok || !bytes.Equal(k.y.FillBytes(make([]byte, u.field)), point[u.field:]) {
		// B2.2.4: of the two values for y, certificates stand for the smaller one.
		return badCAKey(rid, index, "no point of the curve, or y is not the smaller of two")
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
		return badCAKey(rid, index, "the algorithm suite is neither 10 nor 11")
	}
	if want := head + u.field + u.signature(); len(cert) != want {
		return badCAKey(rid, index, fmt.Sprintf("a certificate has %d bytes, not %d", want, len(cert)))
	}
	k, ok := newECKey(u, cert[head:head+u.field])
	if !ok {
		return badCAKey(rid, index, "no point of the curve")
	}
	if !k.verify(cert[head+u.field:], cert[:head+u.field]) {
		return badCAKey(rid, index, "the signature does not fit the key")
	}
	return CAKey{RID: rid, Index: index, ec: k}, nil
}

func badCAKey(rid [5]byte, index byte, why string) (CAKey, error) {
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

// caKeyEntry is [[ca_key]] of the parameter file: an RSA key, an ECC point with its checksum, or a self-signed ECC certificate.
type caKeyEntry struct {
	RID         hex5     `toml:"rid"`
	Index       hex1     `toml:"index"`
	Modulus     hexBytes `toml:"modulus"`
	Exponent    hexBytes `toml:"exponent"`
	SHA1        hex20    `toml:"sha1"`
	Suite       hexBytes `toml:"suite"`
	Point       hexBytes `toml:"point"`
	Sum         hexBytes `toml:"checksum"`
	Certificate hexBytes `toml:"certificate"`
	Note        string   `toml:"note"`
}

func (e *caKeyEntry) key() (CAKey, error) {
	rsa := e.Modulus != nil || e.Exponent != nil || e.SHA1 != hex20{}
	point := e.Suite != nil || e.Point != nil || e.Sum != nil
	switch {
	case rsa && !point && e.Certificate == nil:
		return NewCAKey(e.RID, e.Index[0], e.Modulus, e.Exponent, e.SHA1[:])
	case point && !rsa && e.Certificate == nil:
		if len(e.Suite) != 1 {
			return badCAKey(e.RID, e.Index[0], "the algorithm suite is not one byte")
		}
		return NewECCAKey(e.RID, e.Index[0], e.Suite[0], e.Point, e.Sum)
	case e.Certificate != nil && !rsa && !point:
		k, err := ParseCACertificate(e.Certificate)
		if err == nil && (k.RID != e.RID || k.Index != e.Index[0]) {
			return badCAKey(e.RID, e.Index[0], "the certificate is for another RID or index")
		}
		return k, err
	}
	return badCAKey(e.RID, e.Index[0], "wants modulus, exponent and sha1, or suite, point and checksum, or certificate")
}

// Revoked names an issuer public key certificate that must not be trusted (Book 2, 6.3 step 10, 10.2).
type Revoked struct {
	RID    [5]byte
	Index  byte
	Serial [3]byte
}

// caKey returns the key for a RID and an index, RSA or ECC, nil when the terminal does not have it.
func (c *Config) caKey(rid []byte, index byte) *CAKey {
	for i := range c.CAKeys {
		k := &c.CAKeys[i]
		if k.Index == index && bytes.Equal(k.RID[:], rid) {
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
