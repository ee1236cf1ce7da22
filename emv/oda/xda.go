package oda

import (
	"bytes"
	"crypto/subtle"
	"time"

	"posd/emv/tlv"
)

// ECCKey authenticates the certificates of issuer and card and the static data, and returns the card's ECC key (Book 2, 12.3 and 12.4).
// A card without 8F, or with one for which there is no ECC key, is ErrNoCAKey; all else is ErrFailed.
func (c Card) ECCKey() (*ECKey, error) {
	var ca *CAKey
	if index := c.get(tagCAIndex); len(index) == 1 {
		ca = c.caKey(index[0])
	}
	if ca == nil || ca.ec == nil {
		return nil, ErrNoCAKey
	}
	issuer, ok := c.eccIssuerKey(ca)
	if !ok {
		return nil, ErrFailed
	}
	k, ok := c.eccCardKey(issuer)
	if !ok {
		return nil, ErrFailed
	}
	return k, nil
}

// eccIssuerKey authenticates the issuer certificate 90 and takes the key from it (Book 2, 12.3, table 35). It is in the clear.
func (c *Card) eccIssuerKey(ca *CAKey) (*ECKey, bool) {
	cert, _ := c.Get(tagIssuerCert)
	const head = 21
	if len(cert) < head || cert[0] != 0x12 || cert[1] != 0x00 { // steps 1 to 3
		return nil, false
	}
	if !prefixOfPAN(cert[2:7], c.PAN) || !c.notExpiredUTC(cert[8:12], nil) { // steps 4 and 5
		return nil, false
	}
	if !bytes.Equal(cert[15:20], c.RID) || !bytes.Equal(cert[15:20], ca.RID[:]) || cert[20] != ca.Index { // step 6
		return nil, false
	}
	if c.revoked(ca.Index, cert[12:15]) { // step 7
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

// eccCardKey authenticates the ICC certificate 9F46 and the static data, and takes the key from it (Book 2, 12.4, table 36).
func (c *Card) eccCardKey(issuer *ECKey) (*ECKey, bool) {
	cert, _ := c.Get(tagICCCert)
	const head = 17
	if len(cert) < head || cert[0] != 0x14 || cert[1] != 0x00 { // steps 1 to 3
		return nil, false
	}
	if !c.notExpiredUTC(cert[3:7], cert[7:9]) { // step 4
		return nil, false
	}
	u, h := ecSuiteOf(cert[2]), ecHashOf(cert[16])                                                             // steps 5 and 6
	if u == nil || h == nil || cert[15] != 0x00 || len(cert) != head+h.size+u.field+issuer.suite.signature() { // table 36, step 7
		return nil, false
	}
	static, ok := c.certifiedData()
	if !ok || subtle.ConstantTimeCompare(h.sum(static...), cert[head:head+h.size]) != 1 { // step 8
		return nil, false
	}
	signed := cert[:head+h.size+u.field]
	if !issuer.verify(cert[len(signed):], signed) { // steps 9 and 10
		return nil, false
	}
	return newECKey(u, signed[head+h.size:]) // step 11
}

// certifiedData is the Issuer Certified Card Data: the signed records, then tag, length and value of the AIP, of the AID and, when
// the card has one, of the PDOL (Book 3, 10.3). The AID is the DF Name of the card, which is what Book 1, 12.4, makes of 9F06. The tag
// list 9F4A has no say.
func (c *Card) certifiedData() ([][]byte, bool) {
	if c.Broken {
		return nil, false
	}
	aid, _ := c.Get(tagDFName)
	more := tlv.Append(make([]byte, 0, 64), tagAIP, c.get(tagAIP))
	more = tlv.Append(more, tagAID, aid)
	if pdol, ok := c.Get(tagPDOL); ok {
		more = tlv.Append(more, tagPDOL, pdol)
	}
	return [][]byte{c.Static, more}, true
}

// VerifyXDA checks the signed dynamic application data 9F4B of a GENERATE AC (Book 2, 12.5.3): format 15 and a signature over that
// byte, the data of the lists, and all objects of the answer as they came, 9F4B excepted (table 37).
func (k *ECKey) VerifyXDA(sdad, template []byte, lists ...[]byte) bool {
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
	return d.Err() == nil && k.verify(sdad[1:], msg...)
}

// notExpiredUTC checks a certificate's YYYYMMDD in UTC: good through that day; with an HHMM beside it, only before that minute.
func (c *Card) notExpiredUTC(day, minute []byte) bool {
	d, err := tlv.Number(day)
	if err != nil {
		return false
	}
	y, m, dd := int(d/10000), time.Month(d/100%100), int(d%100)
	end := time.Date(y, m, dd, 0, 0, 0, 0, time.UTC)
	if end.Year() != y || end.Month() != m || end.Day() != dd {
		return false // no day of the calendar
	}
	now := c.Today.UTC()
	if minute == nil {
		return now.Before(end.AddDate(0, 0, 1))
	}
	hm, err := tlv.Number(minute)
	if err != nil || hm/100 > 23 || hm%100 > 59 {
		return false
	}
	return now.Before(end.Add(time.Duration(hm/100)*time.Hour + time.Duration(hm%100)*time.Minute))
}
