package oda

import (
	"crypto/sha1"
	"crypto/subtle"

	"posd/emv/tlv"
)

// SDA verifies the signed static application data 93 and returns the data authentication code, 9F45 (Book 2, 5.4).
func (c Card) SDA() (dac []byte, err error) {
	if !c.have(tagCAIndex, tagIssuerCert, tagIssuerExp, tagSSAD) {
		return nil, ErrMissing
	}
	issuer, err := c.IssuerKey()
	if err != nil {
		return nil, err
	}
	static, err := c.StaticData()
	if err != nil {
		return nil, err
	}
	r := issuer.Recover(c.get(tagSSAD))
	if !wellFormed(r, 0x03, 26, static) || r[2] != hashSHA1 {
		return nil, ErrFailed
	}
	return r[3:5], nil
}

// IssuerKey recovers the issuer public key from certificate 90 with the certification authority's key (Book 2, 5.3). Whether the
// remainder 92 is needed depends on the key lengths.
func (c Card) IssuerKey() (PublicKey, error) {
	if !c.have(tagCAIndex, tagIssuerCert, tagIssuerExp) {
		return PublicKey{}, ErrMissing
	}
	index, exp := c.get(tagCAIndex), c.get(tagIssuerExp)
	rest, hasRest := c.Get(tagIssuerRest)
	if len(index) != 1 {
		return PublicKey{}, ErrFailed
	}
	ca := c.caKey(index[0])
	if ca == nil || ca.key.n == nil {
		return PublicKey{}, ErrNoCAKey
	}
	r := ca.key.Recover(c.get(tagIssuerCert))
	const head, tail = 15, 21 // bytes before and behind the leftmost part of the key
	if err := remainderThere(r, 0x02, 13, head+tail, hasRest); err != nil {
		return PublicKey{}, err
	}
	if !wellFormed(r, 0x02, head+tail, rest, exp) {
		return PublicKey{}, ErrFailed
	}
	// Step 8: the issuer identifier is the leftmost 3 to 8 digits of the PAN, padded with F.
	if !prefixOfPAN(r[2:6], c.PAN) {
		return PublicKey{}, ErrFailed
	}
	if !c.notExpired(r[6:8]) || c.revoked(index[0], r[8:11]) || r[11] != hashSHA1 || r[12] != algRSA {
		return PublicKey{}, ErrFailed
	}
	return joinKey(r[head:len(r)-tail], int(r[13]), rest, exp)
}

// ICCKey recovers the ICC public key from certificate 9F46 with the issuer's key (Book 2, 6.4).
func (c Card) ICCKey() (PublicKey, error) {
	if !c.have(tagCAIndex, tagIssuerCert, tagIssuerExp, tagICCCert, tagICCExp) {
		return PublicKey{}, ErrMissing
	}
	issuer, err := c.IssuerKey()
	if err != nil {
		return PublicKey{}, err
	}
	static, err := c.StaticData()
	if err != nil {
		return PublicKey{}, err
	}
	rest, hasRest := c.Get(tagICCRest)
	exp := c.get(tagICCExp)
	r := issuer.Recover(c.get(tagICCCert))
	const head, tail = 21, 21
	if err := remainderThere(r, 0x04, 19, head+tail, hasRest); err != nil {
		return PublicKey{}, err
	}
	if !wellFormed(r, 0x04, head+tail, rest, exp, static) || !c.certified(r) {
		return PublicKey{}, ErrFailed
	}
	return joinKey(r[head:len(r)-tail], int(r[19]), rest, exp)
}

// PINKey recovers the ICC PIN encipherment public key from certificate 9F2D: as the ICC public key (Book 2, 6.4), but the
// static data are not part of the hash (7.1).
func (c Card) PINKey() (PublicKey, error) {
	issuer, err := c.IssuerKey()
	if err != nil {
		return PublicKey{}, err
	}
	rest, exp := c.get(tagPINRest), c.get(tagPINExp)
	r := issuer.Recover(c.get(tagPINCert))
	const head, tail = 21, 21
	if !wellFormed(r, 0x04, head+tail, rest, exp) || !c.certified(r) {
		return PublicKey{}, ErrFailed
	}
	return joinKey(r[head:len(r)-tail], int(r[19]), rest, exp)
}

// certified checks the fields of a card's certificate: it is for this PAN (6.4, step 8), is in force and names algorithms that are
// known.
func (c *Card) certified(r []byte) bool {
	pan, err := tlv.Compressed(r[2:12])
	if err != nil {
		return false
	}
	own, err := tlv.Compressed(c.PAN)
	return err == nil && pan == own && c.notExpired(r[12:14]) && r[17] == hashSHA1 && r[18] == algRSA
}

const (
	hashSHA1 = 0x01 // Book 2, B3.1
	algRSA   = 0x01 // Book 2, B2.1
)

// wellFormed checks what all recovered blocks share: header 6A, format, trailer BC, and that SHA-1 over all between the header and
// the hash, followed by more, gives the hash (Book 2, 5.3 steps 2 to 7, 5.4, 6.4, 6.5.2). min is the shortest block that holds
// the fields of the format.
func wellFormed(r []byte, format byte, min int, more ...[]byte) bool {
	n := len(r)
	if n < min || r[0] != 0x6A || r[n-1] != 0xBC || r[1] != format {
		return false
	}
	h := sha1.New()
	h.Write(r[1 : n-21])
	for _, m := range more {
		h.Write(m)
	}
	var sum [sha1.Size]byte
	return subtle.ConstantTimeCompare(h.Sum(sum[:0]), r[n-21:n-1]) == 1
}

// remainderThere checks that the card has the remainder that a recovered certificate calls for: at is where the certificate names
// the length of its key, fixed how many bytes do not belong to the key. A remainder that is missing is missing data (Book 3, 7.2).
func remainderThere(r []byte, format byte, at, fixed int, has bool) error {
	if len(r) < fixed || r[0] != 0x6A || r[1] != format || r[len(r)-1] != 0xBC {
		return ErrFailed
	}
	if has || int(r[at]) <= len(r)-fixed {
		return nil
	}
	return ErrMissing
}

// joinKey builds a public key from the part in its certificate and the remainder. size is the modulus length the certificate
// names. Where all of the key is in the certificate, the place is padded on the right and a remainder must be absent or empty.
func joinKey(part []byte, size int, rest, exp []byte) (PublicKey, error) {
	if size <= len(part) {
		if len(rest) != 0 {
			return PublicKey{}, ErrFailed
		}
		return keyOf(part[:size], exp)
	}
	if len(part)+len(rest) != size {
		return PublicKey{}, ErrFailed
	}
	return keyOf(append(part[:len(part):len(part)], rest...), exp)
}

func keyOf(modulus, exp []byte) (PublicKey, error) {
	k, ok := newPublicKey(modulus, exp)
	if !ok {
		return PublicKey{}, ErrFailed
	}
	return k, nil
}
