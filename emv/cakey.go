package emv

import "posd/emv/oda"

// CAKey is a certification authority public key, RSA or ECC.
type CAKey = oda.CAKey

// Revoked names an issuer public key certificate that must not be trusted (Book 2, 6.3 step 10, 10.2).
type Revoked = oda.Revoked

// NewCAKey is oda.NewCAKey.
func NewCAKey(rid [5]byte, index byte, modulus, exponent, sum []byte) (CAKey, error) {
	return oda.NewCAKey(rid, index, modulus, exponent, sum)
}

// NewECCAKey is oda.NewECCAKey.
func NewECCAKey(rid [5]byte, index, suite byte, point, sum []byte) (CAKey, error) {
	return oda.NewECCAKey(rid, index, suite, point, sum)
}

// ParseCACertificate is oda.ParseCACertificate.
func ParseCACertificate(cert []byte) (CAKey, error) { return oda.ParseCACertificate(cert) }

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
			return oda.BadCAKey(e.RID, e.Index[0], "the algorithm suite is not one byte")
		}
		return NewECCAKey(e.RID, e.Index[0], e.Suite[0], e.Point, e.Sum)
	case e.Certificate != nil && !rsa && !point:
		k, err := ParseCACertificate(e.Certificate)
		if err == nil && (k.RID != e.RID || k.Index != e.Index[0]) {
			return oda.BadCAKey(e.RID, e.Index[0], "the certificate is for another RID or index")
		}
		return k, err
	}
	return oda.BadCAKey(e.RID, e.Index[0], "wants modulus, exponent and sha1, or suite, point and checksum, or certificate")
}
