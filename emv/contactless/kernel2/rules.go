package kernel2

import (
	"bytes"
	"fmt"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// This file holds the rules that are not beyond doubt: the sources differ, or there is only one. Sources: A is an implementation of 2018 that
// names the book's steps, B one of 2019, C one that has been through the test suite of the payment system (its comments name the cases),
// D a list of the data elements of version 2.11. A certification has to settle each.

// defaultTAC: B and C. A's sample configuration has other values, and 2.11 may.
var defaultTAC = []byte{0x84, 0x00, 0x00, 0x00, 0x0C}

// defaultTornLifetime is 300 seconds in A and B; C has 1 second.
var defaultTornLifetime = []byte{0x01, 0x2C}

// defaultPhoneTable: A, B and C have the rows for 000100 to 000800; the first row is in B and C only. The order among them does not matter,
// they show the same.
var defaultPhoneTable = []byte{
	0x00, 0x00, 0x01, 0x00, 0x00, 0x01, byte(contactless.MsgSeePhone), byte(contactless.NotReady),
	0x00, 0x08, 0x00, 0x00, 0x08, 0x00, byte(contactless.MsgSeePhone), byte(contactless.NotReady),
	0x00, 0x04, 0x00, 0x00, 0x04, 0x00, byte(contactless.MsgSeePhone), byte(contactless.NotReady),
	0x00, 0x01, 0x00, 0x00, 0x01, 0x00, byte(contactless.MsgSeePhone), byte(contactless.NotReady),
	0x00, 0x02, 0x00, 0x00, 0x02, 0x00, byte(contactless.MsgSeePhone), byte(contactless.NotReady),
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, byte(contactless.MsgDeclined), byte(contactless.NotReady),
}

// pdolRelatedData is DF8111: C stores the whole data field of GET PROCESSING OPTIONS, with 83 and its length, and names a test of torn
// records that wants it so. A stores the values. The transaction data hash is over the values in both.
func pdolRelatedData(values []byte) []byte {
	return tlv.Append(nil, tagCommand, values)
}

// pdolValues takes the values out of DF8111 again.
func pdolValues(field []byte) []byte {
	o, err := tlv.One(field)
	if err != nil {
		return nil
	}
	return o.Value
}

// hashedData is what the transaction data hash covers beside the answer: the values of PDOL and CDOL1. A and C leave the data of the DSDOL out
// although they were sent in the same command; that is read as what the book says, which calls CDOL1 Related Data what CDOL1 asks for.
func hashedData(db database) [][]byte {
	return [][]byte{pdolValues(db[tagPDOLData]), db[tagCDOL1Data]}
}

// refuseWithoutCDA is GAC.22: on a card with verification on the device a transaction without combined authentication is declined, since
// nobody could prove the verification. A, B and C. In 2.11 a bit of 9F1D (byte 3, bit 6 in D: "CDCVM without CDA supported") seems to relax
// this; it is not looked at.
func (t *tap) refuseWithoutCDA() bool { return t.onDevice }

// declinedOutcome is S910.74 for an AAC. B and C agree; A has the sense of the contact bit the other way round. A phone, known by third party
// data 9F6E with a device type other than the card's 3030, cannot be inserted; nor can anything where there is no contact reader.
func (t *tap) declinedOutcome() contactless.Status {
	switch t.db.byteOf(tagType) {
	case typeGoods, typeCashback, typeCash, typeDisbursement:
	default:
		return contactless.EndApplication // a refund, a balance inquiry: the cryptogram was all that was wanted
	}
	if !capContacts.in(t.caps) {
		return contactless.Declined
	}
	// 9F6E: country 2, unique identifier 2, device type 2 when bit 16 of the identifier is 0.
	if v := t.db[tagThirdParty]; len(v) >= 6 && v[2]&0x80 == 0 && !bytes.Equal(v[4:6], []byte("00")) {
		return contactless.Declined
	}
	return contactless.TryAnotherInterface
}

// panMismatch: a PAN 5A that is not the one of 57 is a parsing error. A and the rules for readers; C does not look. A card that contradicts
// itself cannot be booked, so the stricter way is kept.
func panMismatch(pan, track2 []byte) bool {
	if len(track2) == 0 {
		return false
	}
	digits := fmt.Sprintf("%X", track2)
	for i := range len(digits) {
		if digits[i] == 'D' {
			return digits[:i] != panDigits(pan)
		}
	}
	return true
}

// panDigits is a PAN without its padding.
func panDigits(pan []byte) string {
	s := fmt.Sprintf("%X", pan)
	for len(s) > 0 && s[len(s)-1] == 'F' {
		s = s[:len(s)-1]
	}
	return s
}

// relayTrack2 is S910.39: what the issuer is told about the relay resistance protocol in the discretionary data of 57 when there is no
// signature. Structure from A, B and C; the entropy digits are those of B and C (the last two bytes, then the second), A takes the first.
// A PAN of up to 16 digits leaves 13 digits, a longer one 10: B and C go by its digits, A by the length of 5A, which is the same.
func (t *tap) relayTrack2() {
	track := fmt.Sprintf("%X", t.db[tagTrack2Eq])
	sep := bytes.IndexByte([]byte(track), 'D')
	if sep < 0 || len(track) < sep+8 {
		return
	}
	entropy := t.db[tagDeviceEntropy]
	if len(entropy) != 4 {
		return
	}
	index := t.db.byteOf(tagCAIndex)
	if index > 9 {
		index = 0
	}
	dd := fmt.Sprintf("%d%d%05d", index, t.db.byteOf(tagRRPCounter), int(entropy[2])<<8|int(entropy[3]))
	if sep <= 16 {
		dd += fmt.Sprintf("%03d", entropy[1])
	}
	dd += fmt.Sprintf("%03d", min(t.db.number(tagMeasured)/10, 999)) // milliseconds
	t.db[tagTrack2Eq] = packDigits(track[:sep+8]+dd, 'F')
}

// packDigits packs hexadecimal digits, an odd number of them filled up.
func packDigits(s string, fill byte) []byte {
	if len(s)%2 != 0 {
		s += string(fill)
	}
	b := make([]byte, len(s)/2)
	for i := range b {
		b[i] = unhexDigit(s[2*i])<<4 | unhexDigit(s[2*i+1])
	}
	return b
}

func unhexDigit(c byte) byte {
	if c >= 'A' {
		return c - 'A' + 10
	}
	return c - '0'
}

// sameTransaction tells whether a torn record is about what the merchant asks for now. The book (S456.44) asks for PAN and sequence number
// alone: a card that was torn from a sale of 10.00 would answer the next sale, of 50.00, with the cryptogram for 10.00, and the outcome
// would carry that amount. So a record of another amount, currency or type is left where it is, unless Options.RecoverAny is set.
func sameTransaction(r *tornRecord, db database) bool {
	for _, t := range []tlv.Tag{tagAmount, tagOther, tagCurrency, tagType} {
		if !bytes.Equal(r.objects[t], db[t]) {
			return false
		}
	}
	return true
}
