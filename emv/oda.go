package emv

import (
	"context"
	"crypto/sha1"
	"crypto/subtle"

	"posd/emv/tlv"
)

// odaMethod is the kind of offline data authentication that card and terminal agree upon.
type odaMethod uint8

const (
	odaNone odaMethod = iota
	odaSDA
	odaDDA
	odaCDA
	odaXDA
)

// authenticate chooses the method of offline data authentication and performs it (Book 3, 10.3; Book 2, chapters 5, 6 and 12). A
// failure is a bit of the TVR, never an error: what it means is decided by terminal action analysis. With CDA and XDA only the keys
// are recovered here; the signature comes with the cryptogram.
func (s *Session) authenticate(ctx context.Context) error {
	caps := s.k.cfg.Terminal.Capabilities[:]
	switch {
	case aipXDA.in(s.aip[:]) && capXDA.in(caps):
		s.oda = odaXDA
		s.startXDA()
	case aipCDA.in(s.aip[:]) && capCDA.in(caps):
		s.oda = odaCDA
		if !s.recoverICCKey() {
			s.failCDA()
		}
	case aipDDA.in(s.aip[:]) && capDDA.in(caps):
		s.oda = odaDDA
		ok := s.recoverICCKey()
		if ok {
			var err error
			if ok, err = s.dda(ctx); err != nil {
				return err
			}
		}
		if !ok {
			tvrDDAFailed.set(s.tvr[:])
		}
		tsiODA.set(s.tsi[:])
	case aipSDA.in(s.aip[:]) && capSDA.in(caps):
		s.oda = odaSDA
		tvrSDASelected.set(s.tvr[:])
		if !s.sda() {
			tvrSDAFailed.set(s.tvr[:])
		}
		tsiODA.set(s.tsi[:])
	default:
		tvrODANotPerformed.set(s.tvr[:])
	}
	return nil
}

// failCDA records that combined authentication failed. From here on no signature is asked for (Book 2, 6.6).
func (s *Session) failCDA() {
	s.cdaFailed = true
	tvrCDAFailed.set(s.tvr[:])
	tsiODA.set(s.tsi[:])
}

// have tells whether the card has all the objects that a method needs; if not, TVR "ICC data missing" (Book 3, 7.2).
func (s *Session) have(tags ...tlv.Tag) bool {
	all := true
	for _, t := range tags {
		if !s.icc.Has(t) {
			all = false
		}
	}
	if !all {
		tvrDataMissing.set(s.tvr[:])
	}
	return all
}

// staticData is the input of the hash beside the certificate: the signed records, and the AIP when the tag list says so. The tag
// list may name the AIP alone (Book 2, 5.1.1; Book 3, 10.3).
func (s *Session) staticData() (data []byte, ok bool) {
	if s.signedBroken {
		return nil, false
	}
	list, has := s.icc.Get(tagSDATagList)
	if !has {
		return s.signed, true
	}
	if len(list) != 1 || list[0] != byte(tagAIP) {
		return nil, false
	}
	return append(s.signed[:len(s.signed):len(s.signed)], s.aip[:]...), true
}

// sda verifies the signed static application data 93 (Book 2, 5.4).
func (s *Session) sda() bool {
	if !s.have(tagCAIndex, tagIssuerCert, tagIssuerExp, tagSSAD) {
		return false
	}
	issuer, ok := s.recoverIssuerKey()
	if !ok {
		return false
	}
	static, ok := s.staticData()
	if !ok {
		return false
	}
	cert, _ := s.icc.Get(tagSSAD)
	r := issuer.recover(cert)
	if !wellFormed(r, 0x03, 26, static) || r[2] != hashSHA1 {
		return false
	}
	s.icc.Set(tagDAC, r[3:5])
	return true
}

// recoverIssuerKey recovers the issuer public key from certificate 90 with the certification authority's key (Book 2, 5.3).
// Caller has checked that the objects are there, 92 excepted: whether it is needed depends on the key lengths.
func (s *Session) recoverIssuerKey() (publicKey, bool) {
	index, _ := s.icc.Get(tagCAIndex)
	cert, _ := s.icc.Get(tagIssuerCert)
	rest, hasRest := s.icc.Get(tagIssuerRest)
	exp, _ := s.icc.Get(tagIssuerExp)
	if len(index) != 1 {
		return publicKey{}, false
	}
	s.term.Set(tagCAIndexTerm, index)
	ca := s.k.cfg.caKey(s.rid, index[0])
	if ca == nil || ca.key.n == nil {
		return publicKey{}, false
	}
	r := ca.key.recover(cert)
	const head, tail = 15, 21 // bytes before and behind the leftmost part of the key
	if !s.remainderThere(r, 0x02, 13, head+tail, hasRest) || !wellFormed(r, 0x02, head+tail, rest, exp) {
		return publicKey{}, false
	}
	// Step 8: the issuer identifier is the leftmost 3 to 8 digits of the PAN, padded with F.
	if !prefixOfPAN(r[2:6], s.panField) {
		return publicKey{}, false
	}
	if !s.notExpired(r[6:8]) || s.k.cfg.revoked(s.rid, index[0], r[8:11]) || r[11] != hashSHA1 || r[12] != algRSA {
		return publicKey{}, false
	}
	return joinKey(r[head:len(r)-tail], int(r[13]), rest, exp)
}

// recoverICCKey recovers the ICC public key from certificate 9F46 with the issuer's key (Book 2, 6.4).
func (s *Session) recoverICCKey() bool {
	if !s.have(tagCAIndex, tagIssuerCert, tagIssuerExp, tagICCCert, tagICCExp) {
		return false
	}
	issuer, ok := s.recoverIssuerKey()
	if !ok {
		return false
	}
	static, ok := s.staticData()
	if !ok {
		return false
	}
	cert, _ := s.icc.Get(tagICCCert)
	rest, hasRest := s.icc.Get(tagICCRest)
	exp, _ := s.icc.Get(tagICCExp)
	r := issuer.recover(cert)
	const head, tail = 21, 21
	if !s.remainderThere(r, 0x04, 19, head+tail, hasRest) || !wellFormed(r, 0x04, head+tail, rest, exp, static) {
		return false
	}
	// Step 8: the certificate is for this PAN.
	pan, err := tlv.Compressed(r[2:12])
	if err != nil || pan != s.pan {
		return false
	}
	if !s.notExpired(r[12:14]) || r[17] != hashSHA1 || r[18] != algRSA {
		return false
	}
	s.iccKey, ok = joinKey(r[head:len(r)-tail], int(r[19]), rest, exp)
	return ok
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
func (s *Session) remainderThere(r []byte, format byte, at, fixed int, has bool) bool {
	if len(r) < fixed || r[0] != 0x6A || r[1] != format || r[len(r)-1] != 0xBC {
		return false
	}
	if has || int(r[at]) <= len(r)-fixed {
		return true
	}
	tvrDataMissing.set(s.tvr[:])
	return false
}

// joinKey builds a public key from the part in its certificate and the remainder. size is the modulus length the certificate
// names. Where all of the key is in the certificate, the place is padded on the right and a remainder must be absent or empty.
func joinKey(part []byte, size int, rest, exp []byte) (publicKey, bool) {
	if size <= len(part) {
		if len(rest) != 0 {
			return publicKey{}, false
		}
		return newPublicKey(part[:size], exp)
	}
	if len(part)+len(rest) != size {
		return publicKey{}, false
	}
	return newPublicKey(append(part[:len(part):len(part)], rest...), exp)
}

// notExpired checks a certificate's MMYY: it is good through the last day of that month.
func (s *Session) notExpired(mmyy []byte) bool {
	v, err := tlv.Number(mmyy)
	if err != nil {
		return false
	}
	m, y := v/100, v%100
	if m < 1 || m > 12 {
		return false
	}
	if y < 50 {
		y += 100
	}
	return date((1900+y)*10000+m*100+31) >= s.today
}

// prefixOfPAN compares an issuer identifier, 3 to 8 digits padded with F on the right, with the PAN.
func prefixOfPAN(id, pan []byte) bool {
	digits := 0
	for i := range 2 * len(id) {
		a, b := nibble(id, i), byte(0x0F)
		if i < 2*len(pan) {
			b = nibble(pan, i)
		}
		if a == 0x0F {
			// Only padding may follow.
			for j := i; j < 2*len(id); j++ {
				if nibble(id, j) != 0x0F {
					return false
				}
			}
			break
		}
		if a != b {
			return false
		}
		digits++
	}
	return digits >= 3
}

func nibble(b []byte, i int) byte {
	if i%2 == 0 {
		return b[i/2] >> 4
	}
	return b[i/2] & 0x0F
}
