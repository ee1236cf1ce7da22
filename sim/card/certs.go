package card

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"
	"strings"
)

// CAKey is the public key of a certification authority, as a terminal wants it.
type CAKey struct {
	RID      []byte // 5 bytes
	Index    byte   // 8F
	Modulus  []byte
	Exponent []byte // 1 or 3 bytes
	Hash     []byte // SHA-1 over RID, index, modulus, exponent (Book 2, 11.2.2)
}

// CAKeys lists the certification authority keys under which the issuers of all profiles are certified.
func CAKeys() []CAKey {
	var out []CAKey
	for i := range schemes {
		s := &schemes[i]
		add := func(index byte, key *rsaKey) {
			k := CAKey{RID: unhex(s.rid), Index: index, Modulus: key.modulus(), Exponent: key.exponent()}
			if slices.ContainsFunc(out, func(o CAKey) bool { return o.Index == index && slices.Equal(o.RID, k.RID) }) {
				return
			}
			h := sha1.Sum(slices.Concat(k.RID, []byte{k.Index}, k.Modulus, k.Exponent))
			k.Hash = h[:]
			out = append(out, k)
		}
		add(caIndex, s.ca.ready())
		for _, name := range chainNames() {
			add(chains[name].index, chainKeys[chains[name].ca].ready())
		}
	}
	return out
}

func chainNames() []string {
	var out []string
	for name := range chains {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Revoked names an issuer certificate that a terminal must not trust (Book 2, 10.2).
type Revoked struct {
	RID    []byte
	Index  byte
	Serial [3]byte
}

// CertificateRevocations lists the issuer certificates that are revoked: those of the profiles whose fault that is.
func CertificateRevocations() []Revoked {
	var out []Revoked
	for _, s := range schemes {
		out = append(out, Revoked{RID: unhex(s.rid), Index: caIndex, Serial: revokedSerial})
	}
	return out
}

func schemeOf(aid []byte) *scheme {
	if len(aid) < 5 {
		return nil
	}
	rid := hex.EncodeToString(aid[:5])
	for i := range schemes {
		if strings.EqualFold(schemes[i].rid, rid) {
			return &schemes[i]
		}
	}
	return nil
}

// unhex decodes a constant.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("card: constant is not hex")
	}
	return b
}

// certificate signs head (the fields from the format byte to the exponent length), the leftmost part of a public key, and a hash
// that also covers the rest of the key, its exponent and extra (Book 2, tables 6, 14 and 23). It returns the certificate and the
// remainder of the key, nil when the certificate holds it all.
func certificate(signer, key *rsaKey, head, extra []byte) (cert, remainder []byte) {
	mod := key.modulus()
	room := signer.size - 1 - len(head) - sha1.Size - 1
	left := mod
	if len(mod) > room {
		left, remainder = mod[:room], mod[room:]
	}
	for len(left) < room {
		left = append(slices.Clone(left), 0xBB)
	}
	body := slices.Concat(head, left)
	return seal(signer, body, slices.Concat(remainder, key.exponent(), extra)), remainder
}

// seal signs 6A, body, the hash of body and extra, BC.
func seal(signer *rsaKey, body, extra []byte) []byte {
	h := sha1.Sum(slices.Concat(body, extra))
	return signer.sign(slices.Concat([]byte{0x6A}, body, h[:], []byte{0xBC}))
}

// signedData builds signed static (format 03) or dynamic (format 05) application data: head padded with BB (Book 2, 5.1, 6.5.1, 6.6.1).
func signedData(signer *rsaKey, head, extra []byte) []byte {
	body := slices.Clone(head)
	for len(body) < signer.size-2-sha1.Size {
		body = append(body, 0xBB)
	}
	return seal(signer, body, extra)
}

// certExpiry is the expiry of issuer and card certificates, MMYY: certificates outlive the cards of all profiles. pastExpiry is that
// of certificates whose fault it is to be expired.
var (
	certExpiry    = []byte{0x12, 0x49}
	pastExpiry    = []byte{0x12, 0x22}
	issuerSerial  = [3]byte{0x00, 0x00, 0x01}
	revokedSerial = [3]byte{0x00, 0x66, 0x66}
)

// issuerCertificate is tag 90, with 92 for what does not fit.
func (c *chain) issuerCertificate(pan, fault string) (cert, remainder []byte) {
	expiry, serial := certExpiry, issuerSerial
	switch fault {
	case faultIssuerExpired:
		expiry = pastExpiry
	case faultRevoked:
		serial = revokedSerial
	case faultIssuerID:
		pan = "999999"
	}
	head := slices.Concat(
		[]byte{0x02}, bcd(pan[:6], 4, 0xF), expiry, serial[:], []byte{0x01, 0x01},
		[]byte{byte(c.issuer.size), byte(len(c.issuer.exponent()))})
	return certificate(c.ca, c.issuer, head, nil)
}

// cardCertificate is tag 9F46, with 9F48 for what does not fit. static is the static data to be authenticated.
func (c *chain) cardCertificate(pan string, static []byte, fault string) (cert, remainder []byte) {
	expiry := certExpiry
	switch fault {
	case faultICCExpired:
		expiry = pastExpiry
	case faultPAN:
		pan = "6217000000000000000"
	}
	head := slices.Concat(
		[]byte{0x04}, bcd(pan, 10, 0xF), expiry, []byte{0x00, 0x00, 0x02, 0x01, 0x01},
		[]byte{byte(c.icc.size), byte(len(c.icc.exponent()))})
	return certificate(c.issuer, c.icc, head, static)
}

// pinCertificate is tag 9F2D, with 9F2F for what does not fit (Book 2, 7.1, table 23): no static data are under it.
func (c *chain) pinCertificate(pan string) (cert, remainder []byte) {
	head := slices.Concat(
		[]byte{0x04}, bcd(pan, 10, 0xF), certExpiry, []byte{0x00, 0x00, 0x03, 0x01, 0x01},
		[]byte{byte(c.pin.size), byte(len(c.pin.exponent()))})
	return certificate(c.issuer, c.pin, head, nil)
}

// dataAuthenticationCode is tag 9F45 inside the signed static data.
var dataAuthenticationCode = []byte{0xDA, 0xC1}

// staticSignature is tag 93.
func (c *chain) staticSignature(static []byte) []byte {
	return signedData(c.issuer, slices.Concat([]byte{0x03, 0x01}, dataAuthenticationCode), static)
}

// bcd writes digits left-justified into n bytes, padded with the nibble pad.
func bcd(digits string, n int, pad byte) []byte {
	b := make([]byte, n)
	for i := range 2 * n {
		d := pad
		if i < len(digits) {
			d = digits[i] - '0'
			if digits[i] == 'D' {
				d = 0xD
			}
		}
		b[i/2] = b[i/2]<<4 | d
	}
	return b
}
