package kernel3

import (
	"testing"

	"posd/emv"
)

func TestInitiateClauses(t *testing.T) {
	runClauses(t, []clause{
		{"5.2.2.2: 9000 goes on", func(*try) {}, onlineNoCVM},
		{"5.2.2.2: 6984 asks for the chip", func(y *try) { y.gpoSW = 0x6984 }, insertCard},
		{"5.2.2.2: 6985 goes to the next application", func(y *try) { y.gpoSW = 0x6985 }, selectNext},
		{"5.2.2.2: 6986 sends the cardholder to the phone", func(y *try) { y.gpoSW = 0x6986 }, seePhone},
		{"5.2.2.2: 6A80 ends the application", func(y *try) { y.gpoSW = 0x6A80 }, endApplication},
		{"5.2.2.2: 6283 is no success", func(y *try) { y.gpoSW = 0x6283 }, endApplication},
		{"5.2.2.2: 9001 is no success", func(y *try) { y.gpoSW = 0x9001 }, endApplication},
		{"5.2.2: format 1 has AIP and AFL, the rest must be in records", func(y *try) { y.format1 = true }, endApplication},
		{"5.2.2: format 1 with all data in records", func(y *try) {
			y.format1 = true
			y.rec2 = obj(tagRecord, obj(tagTrack2, testPAN+"D3012201000000000F"), obj(tagIAD, "06010A03A02000"), obj(tagAC, "AC01020304050607"),
				obj(tagATC, "0123"), obj(tagCID, "80"))
		}, onlineNoCVM},
		{"5.2.2: format 1 without AFL", gpo(sw(obj(tagFormat1, "2000"), swOK)), endApplication},
		{"5.2.2: format 1 with half an AFL entry", gpo(sw(obj(tagFormat1, "2000 0801"), swOK)), endApplication},
		{"5.2.2: another template", gpo(sw(obj(tagRecord, "82022000"), swOK)), endApplication},
		{"5.2.2: no data", gpo(sw(nil, swOK)), endApplication},
		{"5.2.2: an object behind the template", gpo(sw(append(obj(tagFormat2, "82022000"), 0x57, 0x00), swOK)), endApplication},
		{"5.2.2: a length beyond the answer", gpo(sw(unhex("7710820220"), swOK)), endApplication},
		{"5.2.2: an answer of one byte is the end of the protocol", gpo([]byte{0x90}), tryAgain},
		{"5.2.2: an answer longer than 258 bytes is the end of the protocol", gpo(make([]byte, 259)), tryAgain},
		{"5.2.1: no PDOL", func(y *try) { y.pdol = "" }, endApplication},
		{"5.2.1: a PDOL without 9F66", func(y *try) { y.pdol = "9F0206" }, endApplication},
		{"5.2.1: a PDOL cut off", func(y *try) { y.pdol = "9F66049F" }, endApplication},
		{"5.2.1: a PDOL that asks for more than a command holds", func(y *try) { y.pdol = "9F66049F02FF" }, endApplication},
		{"5.2.1: objects that are not known are zeros", func(y *try) { y.pdol = "9F6604DF0104" }, onlineNoCVM},
		{"5.2.1: transaction data in the FCI are not transaction data", func(y *try) {
			y.fciMore = unhex("9F6C0100 9F6E0201FF 820120 9F69020100 9F360101 940108 9F270100")
		}, onlineNoCVM},
		{"5.2.1: short qualifiers in the FCI are none", with(ctq(""), func(y *try) { y.fciMore = unhex("9F6C0100 9F6E0201FF") }), onlineNoCVM},
		{"5.2.1: transaction data in the FCI do not stand in for missing ones", with(drop(tagATC), func(y *try) { y.fciMore = unhex("9F36020123") }), endApplication},
		{"5.2.1: a PDOL of 128 bytes", func(y *try) { y.pdol = "9F6604DF017C" }, onlineNoCVM},
	})
}

func TestRecordClauses(t *testing.T) {
	// Every record that is asked for is there: what is refused is the AFL.
	afl := func(s string) func(*try) {
		return with(set(tagAFL, s), func(y *try) { y.answer[0xB2] = sw(obj(tagRecord), swOK) })
	}
	runClauses(t, []clause{
		{"5.3: no AFL, nothing is read", func(y *try) { y.afl = false }, onlineNoCVM},
		{"5.3: an empty AFL is none", afl(""), onlineNoCVM},
		{"5.3: an AFL of five bytes", afl("0801010000"), endApplication},
		{"5.3: SFI 0", afl("00010100"), endApplication},
		{"5.3: SFI 31", afl("F8010100"), endApplication},
		{"5.3: record 0", afl("08000100"), endApplication},
		{"5.3: last record before the first", afl("08020100"), endApplication},
		{"5.3: more signed records than records", afl("08010102"), endApplication},
		{"5.3: 64 records", afl("08014000"), onlineNoCVM},
		{"5.3: more than 64 records", afl("08014100"), endApplication},
		{"5.3: more than 64 records in two entries", afl("08014000 10010100"), endApplication},
		{"5.3: a record that is not there", set(tagAFL, "08010200"), endApplication},
		{"5.3: a record with a warning", func(y *try) { y.answer[0xB2] = sw(obj(tagRecord), 0x6281) }, endApplication},
		{"5.3: a record with status 9001", func(y *try) { y.answer[0xB2] = sw(obj(tagRecord), 0x9001) }, endApplication},
		{"5.3: a status other than 9000", func(y *try) { y.recSW = 0x6A83 }, endApplication},
		{"5.3: a record without template 70", func(y *try) { y.rec2 = obj(0x71, "5F200141") }, endApplication},
		{"5.3: a broken record", func(y *try) { y.rec2 = unhex("70055F2004") }, endApplication},
		{"5.3: something behind the template", func(y *try) { y.rec2 = append(obj(tagRecord), 0x57, 0x00) }, endApplication},
		{"5.3: zeros behind the template", func(y *try) { y.rec2 = append(obj(tagRecord), 0x00, 0x00) }, onlineNoCVM},
		{"5.3: a record of SFI 11 may have any coding", func(y *try) { y.rec2, y.rec2SFI = unhex("0102030405"), 11 }, onlineNoCVM},
		{"5.3: a signed record of SFI 11 counts whole", with(tc, func(y *try) { y.rec2, y.rec2SFI, y.rec2Signed = obj(tagRecord, "5F200141"), 11, 1 }), approvedNoCVM},
		{"5.3: a signed record of SFI 11 without template fails authentication", with(tc, func(y *try) { y.rec2, y.rec2SFI, y.rec2Signed = unhex("DF0100"), 11, 1 }), declined},
		{"5.4.2.2: an object twice in one answer", func(y *try) { y.more = obj(tagAIP, "2000") }, endApplication},
		{"5.4.2.2: an object of the first answer again in a record", func(y *try) { y.rec2 = obj(tagRecord, obj(tagATC, "0123")) }, endApplication},
		{"5.4.2.2: an object of a record again in another", func(y *try) { y.rec2 = obj(tagRecord, obj(tagPAN, testPAN)) }, endApplication},
		{"5.4.2.2: an object of the FCI again", func(y *try) { y.more = obj(tagPDOL, testPDOL) }, endApplication},
		{"5.4.2.2: unknown objects twice", func(y *try) { y.more = unhex("DF500101DF500102") }, endApplication},
		{"5.4.2.2: the terminal's own amount from a card is passed over", set(tagAmount, "000000000001"), onlineNoCVM},
		{"5.4.2.2: an object of the terminal twice is passed over twice", func(y *try) { y.more = unhex("9F0200 9F0200") }, onlineNoCVM},
		{"5.4.2.2: a template in the answer is passed over", func(y *try) { y.more = unhex("E1049F360201") }, onlineNoCVM},
	})
}

func TestMandatoryClauses(t *testing.T) {
	odaOnline := ttq("3700C000")
	runClauses(t, []clause{
		{"5.4.2.1: no AIP", drop(tagAIP), endApplication},
		{"5.4.2.1: no issuer application data", drop(tagIAD), endApplication},
		{"5.4.2.1: no cryptogram", drop(tagAC), endApplication},
		{"5.4.2.1: no ATC", drop(tagATC), endApplication},
		{"5.4.2.1: no track 2", drop(tagTrack2), endApplication},
		{"5.4.2.1: an empty cryptogram is none", set(tagAC, ""), endApplication},
		{"5.4.2.1: no PAN sequence number is no fault", drop(tagPSN), onlineNoCVM},
		{"5.4.2.1: no PAN is no fault", drop(tagPAN), onlineNoCVM},
		{"A.2: an ATC of three bytes", set(tagATC, "000123"), endApplication},
		{"A.2: a cryptogram of seven bytes", set(tagAC, "AC010203040506"), endApplication},
		{"A.2: card transaction qualifiers of one byte", ctq("00"), endApplication},
		{"A.2: card authentication related data of four bytes", set(tagCARD, "01112233"), endApplication},
		{"A.2: 5A names another account than 57", rec(tagPAN, "4761739001010127"), endApplication},
		{"A.2: 5A is longer than the account of 57", rec(tagPAN, testPAN+"1F"), endApplication},
		{"A.2: 5A with padding", rec(tagPAN, testPAN+"FFFF"), onlineNoCVM},
		{"A.2: 5A is no number", rec(tagPAN, "476173900101011A"), endApplication},
		{"A.2: 57 without separator", set(tagTrack2, testPAN+"301220100000"), endApplication},
		{"A.2: 57 with two separators", set(tagTrack2, testPAN+"D3012D010000000F"), endApplication},
		{"A.2: 57 with an account of seven digits", set(tagTrack2, "4761739D30122010"), endApplication},
		{"A.2: 57 with a letter", set(tagTrack2, testPAN+"D30122010000000A"), endApplication},
		{"5.4.2.1: ODA for online, all there", odaOnline, onlineNoCVM},
		{"5.4.2.1: ODA for online, no signature", with(odaOnline, drop(tagSDAD)), endApplication},
		{"5.4.2.1: ODA for online, no issuer certificate", with(odaOnline, drop(tagIssuerCert)), endApplication},
		{"5.4.2.1: ODA for online, no card certificate", with(odaOnline, drop(tagICCCert)), endApplication},
		{"5.4.2.1: ODA for online, no 9F69", with(odaOnline, drop(tagCARD)), endApplication},
		{"5.4.2.1: ODA for online, no PAN", with(odaOnline, drop(tagPAN)), endApplication},
		{"5.4.2.1: ODA for online, no CA key", with(odaOnline, set(tagCAIndex, "95")), endApplication},
		{"5.4.2.1: ODA for online, a key of another payment system", with(odaOnline, func(y *try) { y.a.CAKeys[0].RID[4] = 4 }), endApplication},
		{"5.4.2.1: ODA for online, the card has none", with(odaOnline, func(y *try) { y.aip, y.oda = "0000", "" }), onlineNoCVM},
		{"5.4.2.1: ODA for online by SDA", with(odaOnline, func(y *try) { y.aip, y.oda = "4000", "sda" }), onlineNoCVM},
		{"5.4.2.1: ODA for online by SDA, no 93", with(odaOnline, func(y *try) { y.aip, y.oda = "4000", "sda"; y.drop[tagSSAD] = true }), endApplication},
	})
}

func TestDispositionClauses(t *testing.T) {
	cid := func(n int) func(*try) { return func(y *try) { y.cid = n } }
	iad := func(s string) func(*try) { return func(y *try) { y.cid, y.iad = -1, s } }
	runClauses(t, []clause{
		{"5.4.3.2: AAC is a decline", cid(acAAC), declined},
		{"5.4.3.2: ARQC goes online", cid(acARQC), onlineNoCVM},
		{"5.4.3.2: TC is approved offline", cid(acTC), approvedNoCVM},
		{"5.4.3.2: the fourth value is a decline", cid(0xC0), declined},
		{"5.4.3.2: bits beside the type do not count", cid(acARQC | 0x08), onlineNoCVM},
		{"5.4.3.2: TC where the reader wants the issuer asked", with(tc, ttq("3680C000")), onlineNoCVM},
		{"5.4.3.2: AAC where the reader wants the issuer asked", with(cid(acAAC), ttq("3680C000")), declined},
		{"5.4.3.1: no CID, IAD says ARQC", iad("06010A03A02000"), onlineNoCVM},
		{"5.4.3.1: no CID, IAD says TC", iad("06010A03901000"), approvedNoCVM},
		{"5.4.3.1: no CID, IAD says AAC", iad("06010A03800000"), declined},
		{"5.4.3.1: no CID, IAD has the fourth value", iad("06010A03B00000"), declined},
		{"5.4.3.1: no CID, IAD with discretionary data", iad("06010A03A02000 0F000000000000000000000000000000"), onlineNoCVM},
		{"5.4.3.1: no CID, IAD of format 2", iad("1F220103A0000000000000000000000000000000000000000000000000000000"), declined},
		{"5.4.3.1: no CID, IAD too short for a type", iad("0301"), declined},
		{"5.4.3.1: no CID, IAD whose length is a lie", iad("06010A03A0"), declined},
		{"5.4.3.1: the CID goes before the IAD", with(cid(acTC), func(y *try) { y.iad = "06010A03800000" }), approvedNoCVM},
		{"5.8: an offline-only reader declines an ARQC", offlineOnly, declined},
		{"3.4.1.2: refund, AAC is not a decline", with(typ(typeRefund), cid(acAAC)), onlineNoCVM},
		{"3.4.1.2: refund, TC is not an approval", with(typ(typeRefund), tc), onlineNoCVM},
		{"3.4.1.2: refund, no cardholder verification", with(typ(typeRefund), cid(acAAC), ttq("3640C000")), onlineNoCVM},
		{"3.4.1.2: refund at an offline-only reader", with(typ(typeRefund), tc, offlineOnly), declined},
		{"Book B, 3.1.1: the amount for a status check goes online", with(tc, ttq("3680C000"), func(y *try) { y.a.Transaction.Amount.Minor = 100 }), onlineNoCVM},
		{"Book B, 3.1.1: an amount of zero goes online", with(tc, ttq("3680C000"), func(y *try) { y.a.Transaction.Amount.Minor = 0 }), onlineNoCVM},
	})
}

func TestRestrictionClauses(t *testing.T) {
	atm := with(tc, typ(typeCash), terminal(0x14), func(y *try) { y.cfg.ATMCheck = true })
	runClauses(t, []clause{
		{"5.5.1.1: the last day", with(tc, rec(tagExpiry, "260314")), approvedNoCVM},
		{"5.5.1.1: the day after", with(tc, rec(tagExpiry, "260313")), declined},
		{"5.5.1.1: expired, the card wants the issuer asked", with(tc, rec(tagExpiry, "260313"), ctq("0800")), onlineNoCVM},
		{"5.5.1.1: expired, the issuer cannot be asked", with(tc, rec(tagExpiry, "260313"), ctq("0800"), offlineOnly), declined},
		{"5.5.1.1: expired, no CTQ", with(tc, rec(tagExpiry, "260313"), ctq("")), declined},
		{"5.5.1.1: no expiry date is expired", with(tc, drop(tagExpiry)), declined},
		{"5.5.1.1: no expiry date, the card wants the issuer asked", with(tc, drop(tagExpiry), ctq("0800")), onlineNoCVM},
		{"5.5.1.1: no date of the calendar is expired", with(tc, rec(tagExpiry, "301331")), declined},
		{"5.5.1.1: digits A to F are expired", with(tc, rec(tagExpiry, "3012AA")), declined},
		{"5.5.1.1: a date of the last century", with(tc, rec(tagExpiry, "991231")), declined},
		{"5.5.1.1: with an ARQC the issuer looks at the date", rec(tagExpiry, "200101"), onlineNoCVM},
		{"5.5.1.2: on the exception file", with(tc, exceptionFile(true)), declined},
		{"5.5.1.2: not on the exception file", with(tc, exceptionFile(false)), approvedNoCVM},
		{"5.5.1.2: with an ARQC the issuer looks", exceptionFile(true), onlineNoCVM},
		{"5.5.1.3: cash at home is allowed", with(tc, cashCheck, typ(typeCash), rec(tagAUC, "8000")), approvedNoCVM},
		{"5.5.1.3: cash at home is not allowed", with(tc, cashCheck, typ(typeCash), rec(tagAUC, "7FFF")), declined},
		{"5.5.1.3: cash abroad is allowed", with(tc, cashCheck, typ(typeCash), rec(tagAUC, "4000"), rec(tagIssuerCountry, "0840")), approvedNoCVM},
		{"5.5.1.3: cash abroad is not allowed", with(tc, cashCheck, typ(typeCash), rec(tagAUC, "BFFF"), rec(tagIssuerCountry, "0840")), declined},
		{"5.5.1.3: not allowed, the card wants another interface", with(tc, cashCheck, typ(typeCash), rec(tagAUC, "0000"), ctq("0400")), insertOrSwipe},
		{"5.5.1.3: the bit for cashback does not count", with(tc, cashCheck, typ(typeCash), rec(tagAUC, "0000"), ctq("0200")), declined},
		{"5.5.1.3: no usage control", with(tc, cashCheck, typ(typeCash), drop(tagAUC)), declined},
		{"5.5.1.3: no issuer country", with(tc, cashCheck, typ(typeCash), drop(tagIssuerCountry)), declined},
		{"5.5.1.3: disbursement of cash", with(tc, cashCheck, typ(typeDisbursement), rec(tagAUC, "0000")), declined},
		{"5.5.1.3: a purchase is not cash", with(tc, cashCheck, rec(tagAUC, "0000")), approvedNoCVM},
		{"5.5.1.3: the check is off", with(tc, typ(typeCash), rec(tagAUC, "0000")), approvedNoCVM},
		{"5.5.1.3: for an ARQC too", with(cashCheck, typ(typeCash), rec(tagAUC, "0000")), declined},
		{"5.5.1.3: not after the card has declined", with(func(y *try) { y.cid = acAAC }, cashCheck, typ(typeCash), rec(tagAUC, "0000"), ctq("0400")), declined},
		{"5.5.1.4: cashback at home is allowed", with(tc, cashbackCheck, typ(typeCashback), other(100), rec(tagAUC, "0080")), approvedNoCVM},
		{"5.5.1.4: cashback at home is not allowed", with(tc, cashbackCheck, typ(typeCashback), other(100), rec(tagAUC, "FF7F")), declined},
		{"5.5.1.4: cashback abroad is allowed", with(tc, cashbackCheck, typ(typeCashback), rec(tagAUC, "0040"), rec(tagIssuerCountry, "0840")), approvedNoCVM},
		{"5.5.1.4: cashback abroad is not allowed", with(tc, cashbackCheck, typ(typeCashback), rec(tagAUC, "FFBF"), rec(tagIssuerCountry, "0840")), declined},
		{"5.5.1.4: a purchase with another amount is cashback", with(tc, cashbackCheck, other(100), rec(tagAUC, "FF00")), declined},
		{"5.5.1.4: not allowed, the card wants another interface", with(tc, cashbackCheck, other(100), rec(tagAUC, "FF00"), ctq("0200")), insertOrSwipe},
		{"5.5.1.4: the check is off", with(tc, other(100), rec(tagAUC, "0000")), approvedNoCVM},
		{"5.5.1.5: the card may be used at an ATM", with(atm, rec(tagAUC, "0200")), approvedNoCVM},
		{"5.5.1.5: not at a contactless one", with(atm, ctq("0100")), insertOrSwipe},
		{"5.5.1.5: not at ATMs", with(atm, rec(tagAUC, "FD00")), declined},
		{"5.5.1.5: a terminal with an attendant is none", with(atm, terminal(0x22), ctq("0100")), approvedNoCVM},
		{"5.5.1.5: online the issuer looks", with(atm, ctq("0100"), func(y *try) { y.cid = acARQC }), onlineNoCVM},
	})
}

func TestAuthenticationClauses(t *testing.T) {
	lie := func(y *try) { y.lie = 1 }
	forged := func(y *try) { y.forged = true }
	sda := func(y *try) { y.oda, y.aip = "sda", "4000" }
	allowSDA := func(y *try) { y.cfg.SDA = true }
	odaOnline := ttq("3700C000")
	runClauses(t, []clause{
		{"5.6: fDDA version 01", tc, approvedNoCVM},
		{"5.6: fDDA version 00 is a failure", with(tc, func(y *try) { y.version = 0 }), declined},
		{"5.6: fDDA version 02 is a failure", with(tc, func(y *try) { y.version = 2 }), declined},
		{"5.6: no 9F69 is a failure", with(tc, drop(tagCARD)), declined},
		{"5.6: no signature is a failure", with(tc, drop(tagSDAD)), declined},
		{"5.6: a wrong signature", with(tc, lie), declined},
		{"5.6: the signature does not cover this 9F69", with(tc, func(y *try) { y.rec2 = obj(tagRecord, obj(tagCARD, "01AABBCCDD0000")); y.drop[tagCARD] = true }), declined},
		{"5.6: forged static data", with(tc, forged), declined},
		{"5.6: no CA key", with(tc, func(y *try) { y.a.CAKeys = nil }), declined},
		{"5.6: a revoked issuer certificate", with(tc, func(y *try) {
			y.a.Revoked = []emv.Revoked{{RID: rid, Index: caIndex, Serial: [3]byte{0, 0, 1}}}
		}), declined},
		{"5.6: certificates that have expired", with(tc, func(y *try) { y.a.Transaction.Time = testTime.AddDate(5, 0, 0) }, rec(tagExpiry, "351231")), declined},
		{"5.6: no PAN to compare with the certificate", with(tc, drop(tagPAN)), declined},
		{"5.6: no issuer remainder that the key needs", with(tc, drop(0x92)), declined},
		{"5.6: a card without certificates", with(tc, func(y *try) { y.oda = "" }), declined},
		{"5.6.1.2: failed, the card wants the issuer asked", with(tc, lie, ctq("2000")), onlineNoCVM},
		{"5.6.1.2: failed, the issuer cannot be asked", with(tc, lie, ctq("2000"), offlineOnly), declined},
		{"5.6.1.2: failed, the card wants the chip", with(tc, lie, ctq("1000")), insertCard},
		{"5.6.1.2: failed, the reader has no contacts", with(tc, lie, ctq("1000"), ttq("2600C000")), declined},
		{"5.6.1.2: failed, online goes before the chip", with(tc, lie, ctq("3000")), onlineNoCVM},
		{"5.6.1.2: failed, offline only, then the chip", with(tc, lie, ctq("3000"), offlineOnly), insertCard},
		{"5.6.1.2: failed, no CTQ", with(tc, lie, ctq("")), declined},
		{"5.6: SDA where it is enough", with(tc, sda, allowSDA), approvedNoCVM},
		{"5.6: SDA where it is not enough", with(tc, sda), declined},
		{"5.6: SDA with forged data", with(tc, sda, allowSDA, forged), declined},
		{"5.6: with an ARQC nothing is verified", lie, onlineNoCVM},
		{"5.6: with a TC that goes online nothing is verified", with(tc, lie, ttq("3680C000")), onlineNoCVM},
		{"5.6: a refund is not authenticated", with(typ(typeRefund), lie, tc), onlineNoCVM},
		{"5.6.1.1: ODA for online, wrong signature", with(odaOnline, lie), declined},
		{"5.6.1.1: ODA for online, wrong signature, the card wants the issuer asked", with(odaOnline, lie, ctq("2000")), onlineNoCVM},
		{"5.6.1.1: ODA for online, wrong signature, the card wants the chip", with(odaOnline, lie, ctq("1000")), insertCard},
		{"5.6.1.1: ODA for online by SDA, forged", with(odaOnline, sda, forged), declined},
	})
}

func TestCVMClauses(t *testing.T) {
	const required = "3640C000"
	runClauses(t, []clause{
		{"5.7.1.1: no CTQ, none required", ctq(""), onlineNoCVM},
		{"5.7.1.1: no CTQ, signature", with(ctq(""), ttq(required)), onlineSignature},
		{"5.7.1.1: no CTQ, no signature, online PIN", with(ctq(""), ttq("3440C000")), onlinePIN},
		{"5.7.1.1: no CTQ, online PIN makes a TC go online", with(tc, ctq(""), ttq("3440C000")), onlinePIN},
		{"5.7.1.1: no CTQ, the reader has neither", with(ctq(""), ttq("3040C000")), declined},
		{"5.7.1.2: the card wants the online PIN", ctq("8000"), onlinePIN},
		{"5.7.1.2: the card wants the online PIN of a TC", with(tc, ctq("8000")), onlinePIN},
		{"5.7.1.2: the online PIN at an offline-only reader", with(tc, ctq("8000"), offlineOnly), declined},
		{"5.7.1.2: online PIN wanted and not there, then signature", with(ctq("C000"), ttq("3200C000")), onlineSignature},
		{"5.7.1.2: online PIN wanted and not there, nothing else", with(ctq("8000"), ttq("3200C000")), onlineNoCVM},
		{"5.7.1.2: online PIN goes before the phone's code", ctq("8080"), onlinePIN},
		{"5.7.1.2: verified on the phone, the copy fits", ctq("0080"), onlineCDCVM},
		{"5.7.1.2: verified on the phone, TC", with(tc, ctq("0080")), approvedCDCVM},
		{"5.7.1.2: verified on the phone, another copy", with(ctq("0080"), set(tagCARD, "01112233440000")), declined},
		{"5.7.1.2: verified on the phone, the copy's first byte differs", with(ctq("0080"), set(tagCARD, "01112233448080")), declined},
		{"5.7.1.2: verified on the phone, 9F69 without a copy", with(ctq("0080"), set(tagCARD, "0111223344")), declined},
		{"5.7.1.2: verified on the phone, no 9F69, ARQC", with(ctq("0080"), drop(tagCARD)), onlineCDCVM},
		{"5.7.1.2: verified on the phone, no 9F69, TC that goes online", with(tc, ctq("0080"), drop(tagCARD), ttq("3680C000")), declined},
		{"5.7.1.2: the phone's code goes before the signature", ctq("4080"), onlineCDCVM},
		{"5.7.1.2: the card wants a signature", ctq("4000"), onlineSignature},
		{"5.7.1.2: signature with a TC", with(tc, ctq("4000")), approvedSign},
		{"5.7.1.2: the card wants nothing", ctq("0000"), onlineNoCVM},
		{"5.7.1.3: required and the card wants nothing", ttq(required), declined},
		{"5.7.1.3: required and the card's method is not there", with(ctq("4000"), ttq("3440C000")), declined},
		{"5.7.1.3: required and the phone's code", with(ctq("0080"), ttq(required)), onlineCDCVM},
		{"5.7.1.3: required and the signature", with(ctq("4000"), ttq(required)), onlineSignature},
	})
}

func TestDynamicLimitClauses(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	no := false
	id := func(s string) func(*try) { return func(y *try) { y.fciMore = obj(tagProgramID, s) } }
	sets := func(s ...LimitSet) func(*try) { return func(y *try) { y.cfg.Limits = s } }
	one := func(change func(*LimitSet)) func(*try) {
		s := LimitSet{ProgramID: unhex("3101")}
		change(&s)
		return with(tc, id("3101"), sets(s))
	}
	low, high := LimitSet{ProgramID: unhex("31")}, LimitSet{ProgramID: unhex("3101")}
	low.Limits.Transaction, high.Limits.Transaction = n(1), n(99999)
	runClauses(t, []clause{
		{"5.1.2: no limit for the program", one(func(*LimitSet) {}), approvedNoCVM},
		{"5.1.2: at the transaction limit", one(func(s *LimitSet) { s.Limits.Transaction = n(12345) }), selectNext},
		{"5.1.2: below the transaction limit", one(func(s *LimitSet) { s.Limits.Transaction = n(12346) }), approvedNoCVM},
		{"5.1.2: at the floor limit", one(func(s *LimitSet) { s.Limits.Floor = n(12345) }), approvedNoCVM},
		{"5.1.2: above the floor limit", one(func(s *LimitSet) { s.Limits.Floor = n(12344) }), onlineNoCVM},
		{"5.1.2: above the terminal's floor limit", one(func(s *LimitSet) { s.Limits.TermFloor = n(12344) }), onlineNoCVM},
		{"5.1.2: the reader's floor limit goes before the terminal's", one(func(s *LimitSet) { s.Limits.Floor, s.Limits.TermFloor = n(99999), n(0) }), approvedNoCVM},
		{"5.1.2: at the CVM limit", with(one(func(s *LimitSet) { s.Limits.CVM = n(12345) }), ctq("")), approvedSign},
		{"5.1.2: below the CVM limit", with(one(func(s *LimitSet) { s.Limits.CVM = n(12346) }), ctq("")), approvedNoCVM},
		{"5.1.2: status check", with(one(func(s *LimitSet) { s.Limits.StatusCheck = true }), func(y *try) { y.a.Transaction.Amount.Minor = 100 }), onlineNoCVM},
		{"5.1.2: zero goes online", with(one(func(*LimitSet) {}), func(y *try) { y.a.Transaction.Amount.Minor = 0 }), onlineNoCVM},
		{"5.1.2: zero is not allowed", with(one(func(s *LimitSet) { s.Limits.ZeroAllowed = &no }), func(y *try) { y.a.Transaction.Amount.Minor = 0 }), selectNext},
		{"5.1.2: zero at an offline-only reader", with(one(func(*LimitSet) {}), offlineOnly, func(y *try) { y.a.Transaction.Amount.Minor = 0 }), selectNext},
		{"5.1.2: zero that is allowed offline", with(one(func(s *LimitSet) { s.Limits.ZeroOffline = true }), func(y *try) { y.a.Transaction.Amount.Minor = 0 }), approvedNoCVM},
		{"5.1.2: the set's limits stand in for the combination's", with(one(func(*LimitSet) {}), ttq("36C0C000")), approvedNoCVM},
		{"5.1.2: a card of another program", with(tc, id("32"), sets(low)), approvedNoCVM},
		{"5.1.2: a card without program", with(tc, sets(low)), approvedNoCVM},
		{"5.1.2: the longest beginning wins", with(tc, id("310199"), sets(low, high)), approvedNoCVM},
		{"5.1.2: the order of the sets does not count", with(tc, id("310199"), sets(high, low)), approvedNoCVM},
		{"5.1.2: a shorter identifier of the card", with(tc, id("31"), sets(high, low)), selectNext},
	})
}
