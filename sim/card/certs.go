package card

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"
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
	out := make([]CAKey, 0, len(schemes))
	for _, s := range schemes {
		k := CAKey{RID: unhex(s.rid), Index: caIndex, Modulus: s.ca.modulus(), Exponent: s.ca.exponent()}
		h := sha1.Sum(slices.Concat(k.RID, []byte{k.Index}, k.Modulus, k.Exponent))
		k.Hash = h[:]
		out = append(out, k)
	}
	return out
}

func schemeOf(aid []byte) *scheme {
	if len(aid) < 5 {
		return nil
	}
	rid := hex.EncodeToString(aid[:5])
	for _, s := range schemes {
		if unhexEqual(s.rid, rid) {
			return s
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

func unhexEqual(a, b string) bool { return slices.Equal(unhex(a), unhex(b)) }

// certificate signs head (the fields from the format byte to the exponent length), the leftmost part of a public key, and a hash
// that also covers the rest of the key, its exponent and extra (Book 2, tables 6 and 14). It returns the certificate and the
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

// certExpiry is the expiry of issuer and card certificates, MMYY. Certificates outlive the cards of all profiles.
var certExpiry = []byte{0x12, 0x49}

// issuerCertificate is tag 90, with 92 for what does not fit.
func (s *scheme) issuerCertificate(pan string) (cert, remainder []byte) {
	head := slices.Concat(
		[]byte{0x02}, bcd(pan[:6], 4, 0xF), certExpiry, []byte{0x00, 0x00, 0x01, 0x01, 0x01},
		[]byte{byte(s.issuer.size), byte(len(s.issuer.exponent()))})
	return certificate(s.ca, s.issuer, head, nil)
}

// cardCertificate is tag 9F46, with 9F48 for what does not fit. static is the static data to be authenticated.
func (s *scheme) cardCertificate(pan string, static []byte) (cert, remainder []byte) {
	head := slices.Concat(
		[]byte{0x04}, bcd(pan, 10, 0xF), certExpiry, []byte{0x00, 0x00, 0x02, 0x01, 0x01},
		[]byte{byte(cardKey.size), byte(len(cardKey.exponent()))})
	return certificate(s.issuer, cardKey, head, static)
}

// dataAuthenticationCode is tag 9F45 inside the signed static data.
var dataAuthenticationCode = []byte{0xDA, 0xC1}

// staticSignature is tag 93.
func (s *scheme) staticSignature(static []byte) []byte {
	return signedData(s.issuer, slices.Concat([]byte{0x03, 0x01}, dataAuthenticationCode), static)
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
