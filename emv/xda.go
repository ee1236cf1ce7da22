package emv

import (
	"bytes"
	"crypto/subtle"
	"time"

	"posd/emv/tlv"
)

// What EMV 4.4 adds for Extended Data Authentication (Book 3, C1 and C5, table 12; Book 4, A2).
var (
	aipXDA          = bit{1, 8}
	capXDA          = bit{3, 3}
	tvrXDASelected  = bit{1, 1}
	tvrXDAFailed    = bit{4, 1}
	tvrCAMissing    = bit{5, 3}
	tvrECCKeyFailed = bit{5, 2}
)

const acXDA = 0x08 // P1 of GENERATE AC: with an XDA signature

// xdaState is where extended data authentication stands.
type xdaState struct {
	key     *ecKey // of the ICC; nil when it could not be recovered
	failure *bit   // of the TVR, once it has failed; it may not be set there before the first GENERATE AC is sent
	onlyTC  bool   // the card has given a TC for a transaction that must go online: there is no second GENERATE AC
}

func (x *xdaState) failed() bool { return x.failure != nil }

// startXDA does what comes before terminal action analysis: the CA key is looked up, and its absence shows in the TVR. The keys of
// issuer and card are recovered too; that this failed must not show before the first GENERATE AC (Book 2, chapter 12; Book 3, 10.3;
// Book 4, 6.3.2.2).
func (s *Session) startXDA() {
	tvrXDASelected.set(s.tvr[:])
	s.have(tagCAIndex, tagIssuerCert, tagICCCert)
	index, _ := s.icc.Get(tagCAIndex)
	var ca *CAKey
	if len(index) == 1 {
		s.term.Set(tagCAIndexTerm, index)
		ca = s.k.cfg.caKey(s.rid, index[0])
	}
	if ca == nil || ca.ec == nil {
		s.xda.failure = &tvrCAMissing
		tvrCAMissing.set(s.tvr[:])
		return
	}
	issuer, ok := s.recoverECIssuerKey(ca)
	if ok {
		s.xda.key, ok = s.recoverECCardKey(issuer)
	}
	if !ok {
		s.xda.failure = &tvrECCKeyFailed
	}
}

// recoverECIssuerKey authenticates the issuer certificate 90 and takes the key from it (Book 2, 12.3, table 35). It is in the clear.
func (s *Session) recoverECIssuerKey(ca *CAKey) (*ecKey, bool) {
	cert, _ := s.icc.Get(tagIssuerCert)
	const head = 21
	if len(cert) < head || cert[0] != 0x12 || cert[1] != 0x00 { // steps 1 to 3
		return nil, false
	}
	if !prefixOfPAN(cert[2:7], s.panField) || !s.notExpiredUTC(cert[8:12], nil) { // steps 4 and 5
		return nil, false
	}
	if !bytes.Equal(cert[15:20], s.rid) || !bytes.Equal(cert[15:20], ca.RID[:]) || cert[20] != ca.Index { // step 6
		return nil, false
	}
	if s.k.cfg.revoked(s.rid, ca.Index, cert[12:15]) { // step 7
		return nil, false
	}
	u := ecSuiteOf(cert[7])                                            // step 8
	if u == nil || len(cert) != head+u.field+ca.ec.suite.signature() { // step 9
		return nil, false
	}
	signed := cert[:head+u.field]
	if !ca.ec.verify(cert[len(signed):], signed) { // steps 10 and 11
		return nil, false
	}
	return newECKey(u, signed[head:]) // step 12
}

// recoverECCardKey authenticates the ICC certificate 9F46 and the static data, and takes the key from it (Book 2, 12.4, table 36).
func (s *Session) recoverECCardKey(issuer *ecKey) (*ecKey, bool) {
	cert, _ := s.icc.Get(tagICCCert)
	const head = 17
	if len(cert) < head || cert[0] != 0x14 || cert[1] != 0x00 { // steps 1 to 3
		return nil, false
	}
	if !s.notExpiredUTC(cert[3:7], cert[7:9]) { // step 4
		return nil, false
	}
	u, h := ecSuiteOf(cert[2]), ecHashOf(cert[16])                                                             // steps 5 and 6
	if u == nil || h == nil || cert[15] != 0x00 || len(cert) != head+h.size+u.field+issuer.suite.signature() { // table 36, step 7
		return nil, false
	}
	static, ok := s.staticDataXDA()
	if !ok || subtle.ConstantTimeCompare(h.sum(static...), cert[head:head+h.size]) != 1 { // step 8
		return nil, false
	}
	signed := cert[:head+h.size+u.field]
	if !issuer.verify(cert[len(signed):], signed) { // steps 9 and 10
		return nil, false
	}
	return newECKey(u, signed[head+h.size:]) // step 11
}

// staticDataXDA is the Issuer Certified Card Data: the signed records, then tag, length and value of the AIP, of the AID and, when
// the card has one, of the PDOL (Book 3, 10.3). The AID is the DF Name of the card, which is what Book 1, 12.4, makes of 9F06. The tag
// list 9F4A has no say.
func (s *Session) staticDataXDA() ([][]byte, bool) {
	if s.signedBroken {
		return nil, false
	}
	aid, _ := s.icc.Get(tagDFName)
	more := tlv.Append(make([]byte, 0, 64), tagAIP, s.aip[:])
	more = tlv.Append(more, tagAID, aid)
	if pdol, ok := s.icc.Get(tagPDOL); ok {
		more = tlv.Append(more, tagPDOL, pdol)
	}
	return [][]byte{s.signed, more}, true
}

// verifyXDA checks the signed dynamic application data 9F4B of a GENERATE AC (Book 2, 12.5.3): format 15 and a signature over that
// byte, the data of the lists, and all objects of the answer as they came, 9F4B excepted (table 37).
func (s *Session) verifyXDA(sdad, template []byte, lists ...[]byte) bool {
	if len(sdad) == 0 || sdad[0] != 0x15 {
		return false
	}
	msg := append([][]byte{sdad[:1]}, lists...)
	d := tlv.NewDecoder(template)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if o.Tag != tagSDAD {
			msg = append(msg, template[o.Offset:o.End])
		}
	}
	return d.Err() == nil && s.xda.key.verify(sdad[1:], msg...)
}

// notExpiredUTC checks a certificate's YYYYMMDD in UTC: good through that day; with an HHMM beside it, only before that minute.
func (s *Session) notExpiredUTC(day, minute []byte) bool {
	d, err := tlv.Number(day)
	if err != nil {
		return false
	}
	y, m, dd := int(d/10000), time.Month(d/100%100), int(d%100)
	end := time.Date(y, m, dd, 0, 0, 0, 0, time.UTC)
	if end.Year() != y || end.Month() != m || end.Day() != dd {
		return false // no day of the calendar
	}
	now := s.req.Time.UTC()
	if minute == nil {
		return now.Before(end.AddDate(0, 0, 1))
	}
	hm, err := tlv.Number(minute)
	if err != nil || hm/100 > 23 || hm%100 > 59 {
		return false
	}
	return now.Before(end.Add(time.Duration(hm/100)*time.Hour + time.Duration(hm%100)*time.Minute))
}
