package kernel7

import (
	"posd/emv/contactless"
	"posd/emv/tlv"
)

// The rules of this file are those that Book C-7 v2.11 must confirm. "JR/T" is JR/T 0025.12-2013, whose text was not at hand either: what
// stands here is what terminals in the field make of it, with the clause that they name.

// optionsStatus is what follows from the status bytes of GET PROCESSING OPTIONS. 6984, 6985 and 6986 are kernel 3's (C-3, 5.2); a UnionPay
// terminal's list of errors has the same three beside all the others. JR/T, 6.5.3, knows one answer to everything but 9000: another
// interface, which message 1C tells the cardholder too.
func optionsStatus(sw uint16) contactless.Status {
	switch sw {
	case 0x6984:
		return contactless.TryAnotherInterface
	case 0x6985:
		return contactless.SelectNext
	case 0x6986: // the phone wants something of its owner first
		return contactless.TryAgain
	}
	return contactless.EndApplication
}

// mandatory are the objects without which an answer to GET PROCESSING OPTIONS cannot be used: two public sources, a terminal and a test
// tool for UnionPay cards, agree. Track 2 data may be in the records when the card approves.
func mandatory(c cryptogram) []tlv.Tag {
	if c == cryptogramTC {
		return []tlv.Tag{tagAIP, tagAFL, tagATC, tagIAD, tagAC}
	}
	return []tlv.Tag{tagAIP, tagTrack2, tagATC, tagIAD, tagAC}
}

// cryptogram is what the card has decided.
type cryptogram uint8

const (
	cryptogramAAC cryptogram = iota
	cryptogramTC
	cryptogramARQC
	cryptogramNone // the card does not say
)

// cid is the cryptogram as 9F27 has it, for field 55 of a card that does not give it.
func (c cryptogram) cid() byte { return [...]byte{0x00, 0x40, 0x80, 0x00}[c] }

// decision reads the card's decision. JR/T goes by UnionPay's issuer application data alone: 07, derivation key index, cryptogram version,
// 03, three bytes of card verification results, the first of which has it in bits 6 and 5 (three public sources; 11 is taken as a refusal
// by the one that cites the clause). Kernel 3 goes by 9F27 when there is one. Where the two disagree the more cautious holds (own choice).
func decision(cid, iad []byte) cryptogram {
	byIAD, byCID := cryptogramNone, cryptogramNone
	if len(iad) >= 5 && iad[0] >= 6 && iad[3] == 3 {
		switch iad[4] & 0x30 {
		case 0x10:
			byIAD = cryptogramTC
		case 0x20:
			byIAD = cryptogramARQC
		default:
			byIAD = cryptogramAAC
		}
	}
	if len(cid) == 1 {
		switch cid[0] & 0xC0 {
		case 0x40:
			byCID = cryptogramTC
		case 0x80:
			byCID = cryptogramARQC
		default:
			byCID = cryptogramAAC
		}
	}
	switch {
	case byIAD == cryptogramNone:
		return byCID
	case byCID == cryptogramNone || byCID == byIAD:
		return byIAD
	case byIAD == cryptogramAAC || byCID == cryptogramAAC:
		return cryptogramAAC
	}
	return cryptogramARQC
}

// signedTerminalData is what the card has signed beside its own block, in this order, for version 01 of fDDA: JR/T, Annex B, in a kernel that
// cites it; another terminal looks for the same four in the same order. Version 00, which had the unpredictable number alone, is a failure in
// C-7 v2.11.
var signedTerminalData = [...]tlv.Tag{tagUN, tagAmount, tagCurrency, tagCardAuth}

const (
	fddaVersion = 0x01
	// minCardAuth is how long 9F69 must be for the copy of the qualifiers in bytes 6 and 7. UnionPay's has 8 to 16 bytes.
	minCardAuth = 7
	maxCardAuth = 16
)

// cvmResults is 9F34 for field 55. No source: the codes are those of Book 3, C3; the third byte says "unknown" where the issuer or the
// receipt decides, "successful" where nothing is left to do. With the owner's own device nothing was done at the terminal.
func cvmResults(c contactless.CVM) [3]byte {
	switch c {
	case contactless.OnlinePIN:
		return [3]byte{0x02, 0x00, 0x00}
	case contactless.Signature:
		return [3]byte{0x1E, 0x00, 0x00}
	}
	return [3]byte{0x1F, 0x00, 0x02}
}

// field55 are the objects of ISO 8583 field 55 in UnionPay's order (POS specification, field 55 of an authorisation; two profiles and a
// recorded message), 9F63 and 9F74 behind them.
var field55 = [...]tlv.Tag{
	tagAC, tagCID, tagIAD, tagUN, tagATC, tagTVR, tagDate, tagType, tagAmount, tagCurrency, tagAIP, tagCountry, tagOther, tagCapabilities,
	tagCVMResults, tagTerminalType, tagIFDSerial, tagDFName, tagVersion, tagCounter, tagProduct, tagCashCode,
}

// besideField55 are objects for other fields of the message and for the receipt; they follow in the data record.
var besideField55 = [...]tlv.Tag{
	tagTrack2, tagPAN, tagExpiry, tagPSN, tagEntryMode, tagTTQ, tagCTQ, 0x5F20, tagLabel, tagPreferredName, tagCodeTable, 0x9F19, 0x9F24, tagOfflineAmount,
}
