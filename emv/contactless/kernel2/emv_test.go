package kernel2

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"posd/emv"
	"posd/emv/contactless"
	"posd/emv/tlv"
)

// Walk: PDOL, GPO, records, GENERATE AC with CDA, ONLINE REQUEST.
func TestOnlineWithCDA(t *testing.T) {
	b := newBed(t)
	b.want("ONLINE nocvm ui=1B/0/0 dr 0000000000FF")
	b.eq("commands", strings.Join(b.card.log, ","), "GPO,RR 2.1,RR 3.1,RR 3.2,RR 3.3,GAC")
	b.eq("9F26", b.field(tagAC), "A1A2A3A4A5A6A7A8")
	b.eq("TVR", b.tvr(), "0000008001")
	b.eq("P1", string("0123456789ABCDEF"[b.card.cmds["GAC"][2]>>4]), "9")
}

func TestRecords(t *testing.T) {
	set := func(tag tlv.Tag, v string) func(*bed) { return func(b *bed) { b.card.set[tag] = unhex(v) } }
	drop := func(tag tlv.Tag) func(*bed) { return func(b *bed) { b.card.drop[tag] = true } }
	rec := func(v string) func(*bed) { return func(b *bed) { b.card.answer["RR 2.1"] = unhex(v) } }
	run(t, []testCase{
		{"S4.4: time-out at READ RECORD: present again", func(b *bed) { b.card.fail["RR 3.1"] = []error{timeout{}} }, again + "010000000021", nil},
		{"S4.4: transmission error at READ RECORD: present again", func(b *bed) { b.card.fail["RR 2.1"] = []error{errBroken} }, again + "020000000021", nil},
		{"S4.7: STOP: END APPLICATION, stop", func(b *bed) { b.card.before["RR 2.1"] = func() { b.k.Stop() } }, "END 0000020000FF", nil},
		{"S4.10: status other than 9000", func(b *bed) { b.card.sw["RR 2.1"] = 0x6A83 }, otherCard + "0003006A831C", nil},
		{"S4.10: errors in EMV mode carry its discretionary data", func(b *bed) { b.card.sw["RR 2.1"] = 0x6A83 }, otherCard + "0003006A831C", func(b *bed) {
			b.eq("discretionary data", tlvs(b.out.Discretionary), "DF810B DF8115 DF810E DF810F")
		}},
		{"S4.24: a record that is no template 70: parsing error", rec("7703 5F3401"), otherCard + "00040000001C", nil},
		{"S4.25: a record that cannot be read: parsing error", rec("7003 5F3402"), otherCard + "00040000001C", nil},
		{"S4.25: two templates: parsing error", rec("7004 5F340101 7000"), otherCard + "00040000001C", nil},
		{"S4.25: nothing: parsing error", rec(""), otherCard + "00040000001C", nil},
		{"4.5: an object twice: parsing error", rec("7008 5F340101 5F340101"), otherCard + "00040000001C", nil},
		{"4.5: an object of another template: parsing error", rec("7005 9F360201 23"), otherCard + "00040000001C", nil},
		{"4.5: the reader's own object: parsing error", rec("7006 9F3303E0F8C8"), otherCard + "00040000001C", nil},
		{"4.5: the TVR from the card: parsing error", rec("7007 95050000000000"), otherCard + "00040000001C", nil},
		{"4.5: an amount from the card: parsing error", rec("7009 9F0206000000000001"), otherCard + "00040000001C", nil},
		{"4.5: a wrong length: parsing error", set(tagExpiry, "3012"), otherCard + "00040000001C", nil},
		{"4.5: an exponent of two bytes: parsing error", set(tagIssuerExp, "0103"), otherCard + "00040000001C", nil},
		{"S4.28: CDOL1 that is no list: parsing error", set(tagCDOL1, "9F02"), otherCard + "00040000001C", nil},
		{"S456.16: no CDOL1: card data missing", drop(tagCDOL1), otherCard + "00010000001C", nil},
		{"S456.16: empty CDOL1: card data missing", set(tagCDOL1, ""), otherCard + "00010000001C", nil},
		{"S456.16: no PAN: card data missing", drop(tagPAN), otherCard + "00010000001C", nil},
		{"S456.16: no expiry date: card data missing", drop(tagExpiry), otherCard + "00010000001C", nil},
		{"rules: PAN of 57 is another: parsing error", set(tagTrack2Eq, "5413330000000013D3012201000000000F"), otherCard + "00040000001C", nil},
		{"rules: no 57 is no contradiction", drop(tagTrack2Eq), online, nil},
		{"rules: 57 without separator: parsing error", set(tagTrack2Eq, "5413330000000005"), otherCard + "00040000001C", nil},
		{"rules: an odd PAN with padding is the same", func(b *bed) {
			b.card.aip = "1880"
			b.card.set[tagPAN] = unhex("541333000000013F")
			b.card.set[tagTrack2Eq] = unhex("541333000000013D30122010000F")
		}, online, nil},
		{"GAC: CDOL1 that asks for more than a command carries: card data error", set(tagCDOL1, "9F02FF9F0306"), otherCard + "00060000001C", nil},
		{"S4.34: a signed record of SFI 11 is hashed whole", func(b *bed) { b.card.sfi11 = unhex("7003DF0100") }, online, nil},
		{"S4.35: a signed record of SFI 11 that is no template fails CDA", func(b *bed) { b.card.sfi11 = unhex("DF0100") }, online, func(b *bed) {
			b.eq("TVR", b.tvr(), "0400008001")
			b.eq("P1", hexOf(b.card.cmds["GAC"][2:3]), "80")
		}},
		{"4.4: more static data than 2048 bytes fail CDA", func(b *bed) {
			b.card.sfi11 = append(unhex("7081F0"), make([]byte, 240)...)
			b.card.before["GPO"] = func() { b.card.afl = append(unhex("10010101 18010300"), bytes.Repeat(unhex("58010101"), 9)...) }
		}, online, func(b *bed) { b.eq("TVR", b.tvr(), "0400008001") }},
	})
}

func TestLimits(t *testing.T) {
	amount := func(n int64) func(*bed) { return func(b *bed) { b.amount = n } }
	pin := "ONLINE pin receipt ui=1B/0/0 dr 0000000000FF"
	run(t, []testCase{
		{"S456.14: the transaction limit itself is let through", amount(50000), pin, nil},
		{"S456.14: above the transaction limit: next application", amount(50001), "NEXT C 0005000000FF", nil},
		{"S456.12: no amount: END APPLICATION, amount not present", func(b *bed) {
			b.set(tagAmount, "")
			b.card.pdol = "9F3704"
		}, "END 0000030000FF", nil},
		{"S456.30: the CVM limit itself needs no verification", amount(10000), online, func(b *bed) { b.eq("9F33", b.field(tagCapabilities), "600808") }},
		{"S456.30: above the CVM limit: receipt, the other capabilities", amount(10001), pin, func(b *bed) { b.eq("9F33", b.field(tagCapabilities), "606008") }},
		{"S456.37: the floor limit itself", amount(2000), "APPROVED nocvm ui=03/0/13 dr 0000000000FF", func(b *bed) { b.eq("TVR", b.tvr(), "0000000001") }},
		{"S456.37: above the floor limit", amount(2001), online, func(b *bed) { b.eq("TVR", b.tvr(), "0000008001") }},
		{"an amount of zero", amount(0), "APPROVED nocvm ui=03/0/13 dr 0000000000FF", nil},
		{"the largest amount that can be written is above every limit", amount(999999999999), "NEXT C 0005000000FF", nil},
	})
}

func TestCDA(t *testing.T) {
	drop := func(tag tlv.Tag) func(*bed) { return func(b *bed) { b.card.drop[tag] = true } }
	failed := func(tvr, p1 string) func(*bed) {
		return func(b *bed) { b.eq("TVR", b.tvr(), tvr); b.eq("P1", hexOf(b.card.cmds["GAC"][2:3]), p1) }
	}
	run(t, []testCase{
		{"S456.25: no certificate of the issuer: data missing, CDA failed", drop(tagIssuerCert), online, failed("2400008001", "80")},
		{"S456.25: no exponent of the issuer", drop(tagIssuerExp), online, failed("2400008001", "80")},
		{"S456.25: no certificate of the card", drop(tagICCCert), online, failed("2400008001", "80")},
		{"S456.25: no exponent of the card", drop(tagICCExp), online, failed("2400008001", "80")},
		{"S456.25: no index of the CA key", drop(tagCAIndex), online, failed("2400008001", "80")},
		{"S456.25: no such CA key: CDA failed alone", func(b *bed) { b.act.CAKeys = nil }, online, failed("0400008001", "80")},
		{"S456.27: no tag list: card data error", drop(tagTagList), otherCard + "00060000001C", nil},
		{"S456.27: a tag list of more than the AIP: card data error", func(b *bed) { b.card.set[tagTagList] = unhex("8294") }, otherCard + "00060000001C", nil},
		{"S456.27: a tag list of another object: card data error", func(b *bed) { b.card.set[tagTagList] = unhex("94") }, otherCard + "00060000001C", nil},
		{"S456.27: without CDA the tag list is no matter", func(b *bed) { b.card.aip = "1880"; b.card.drop[tagTagList] = true }, online, nil},
		{"S910.7: hash of the transaction data is wrong: CAM failed, no online", func(b *bed) { b.card.lieHash = true }, otherCard + "00020000001C", nil},
		{"S910.7.1: the TVR of the failure is in the objects of the torn or written transaction", func(b *bed) {
			b.card.lieHash = true
			b.card.gpo77 = unhex("9F5F0100 9F7D081111111111111111 9F7F0401020304 9F6F0180")
			b.card.fci[tagACI], b.card.fci[tagDSID] = unhex("010000"), unhex("541333000000000501")
			b.card.set[tagDSDOL] = unhex("DF6304")
			b.set(tagDSVN, "0200").set(tagOperatorID, "A1A2A3A4A5A6A7A8").set(tagODSInfo, "00").set(tagDSACType, "80").set(tagODSReader, "E0").set(tagODSTerm, "EEEEEEEE")
		}, "END ui=1C/0/13 dr 00020000001C", func(b *bed) { b.eq("TVR", b.tvr(), "0400008001") }},
		{"S910.7: CID inside is another: CAM failed", func(b *bed) { b.card.lieCID = true }, otherCard + "00020000001C", nil},
		{"S910.7: signature that cannot be opened: CAM failed", func(b *bed) {
			b.card.answer["GAC"] = unhex("7714 9F270180 9F36020123 9F4B08 0102030405060708")
		}, otherCard + "00020000001C", nil},
		{"S910.7: certificate of another issuer key: CAM failed", func(b *bed) {
			b.card.set[tagIssuerCert] = make([]byte, 248)
		}, otherCard + "00020000001C", nil},
		{"S910.7: revoked certificate: CAM failed", func(b *bed) {
			b.act.Revoked = []emv.Revoked{{RID: testRID, Index: 5, Serial: [3]byte{0, 0, 1}}}
		}, otherCard + "00020000001C", nil},
		{"S910.7: certificate that has expired: CAM failed", func(b *bed) {
			b.act.Transaction.Time = time.Date(2031, 1, 2, 0, 0, 0, 0, time.UTC)
			b.card.set[tagExpiry] = unhex("401231")
		}, otherCard + "00020000001C", nil},
		{"S910.7: static data that were changed: CAM failed", func(b *bed) {
			b.card.before["RR 2.1"] = func() {
				rec := bytes.Clone(b.card.built[[2]byte{2, 1}])
				i := bytes.Index(rec, unhex("5F2403301231"))
				rec[i+5] = 0x30
				b.card.answer["RR 2.1"] = rec
			}
		}, otherCard + "00020000001C", nil},
		{"S910.7: an AIP that was changed: CAM failed", func(b *bed) {
			b.card.before["GPO"] = func() { b.card.pdolData = b.card.cmds["GPO"][7 : len(b.card.cmds["GPO"])-1] }
			b.card.answer["GPO"] = unhex("770E 82021990 9408 10010101 18010300")
		}, otherCard + "00020000001C", nil},
		{"S910.37: no signature though one was asked for: card data error", func(b *bed) { b.card.noCDA = true }, otherCard + "00060000001C", nil},
		{"S910.37: format 1 though a signature was asked for: card data error", func(b *bed) { b.card.format1 = true }, otherCard + "00060000001C", nil},
		{
			"S910.32: an AAC needs no signature when another kind was asked for", func(b *bed) { b.card.cid = acAAC; b.card.noCDA = true },
			"OTHER nocvm ui=1D/0/13 dr 0000000000FF", nil,
		},
		{"S910.36: an AAC with a signature that was asked for", func(b *bed) {
			b.card.fci[tagACI] = unhex("000100")
			b.set(tagTACDenial, "0000008000")
		}, "OTHER nocvm ui=1D/0/13 dr 0000000000FF", func(b *bed) { b.eq("P1", hexOf(b.card.cmds["GAC"][2:3]), "10") }},
		{"S910.37: an AAC without the signature that was asked for: card data error", func(b *bed) {
			b.card.fci[tagACI] = unhex("000100")
			b.set(tagTACDenial, "0000008000")
			b.card.noCDA = true
		}, otherCard + "00060000001C", nil},
		{
			"GAC.25: no signature over an AAC when the card does not say so", func(b *bed) { b.set(tagTACDenial, "0000008000") },
			"OTHER nocvm ui=1D/0/13 dr 0000000000FF", func(b *bed) { b.eq("P1", hexOf(b.card.cmds["GAC"][2:3]), "00") },
		},
		{"S9.28: a signature that nobody asked for is verified", func(b *bed) {
			b.set(tagSecurityCap, "00")
			b.card.answer["GAC"] = unhex("7714 9F270180 9F36020123 9F4B08 0102030405060708")
		}, otherCard + "00020000001C", nil},
		{"S910.4: other objects of the answer are hashed where they stand", func(b *bed) { b.card.extra[0xDF9901] = unhex("0102") }, online, nil},
	})
}

func TestGenerateAC(t *testing.T) {
	gac := func(s string) func(*bed) {
		return func(b *bed) { b.card.aip = "1880"; b.card.answer["GAC"] = unhex(s) }
	}
	run(t, []testCase{
		{"S9.9: the card goes, nothing to recover: present again", func(b *bed) { b.card.fail["GAC"] = []error{timeout{}} }, again + "010000000021", nil},
		{"S9.9: protocol error", func(b *bed) { b.card.fail["GAC"] = []error{errProtocol} }, again + "030000000021", nil},
		{"S9.17: status other than 9000", func(b *bed) { b.card.sw["GAC"] = 0x6985 }, otherCard + "00030069851C", nil},
		{"S9.18: format 1", func(b *bed) { b.card.aip = "1880"; b.card.format1 = true }, online, func(b *bed) {
			b.eq("9F10", b.field(tagIAD), "0110A00003220000000000000000000000FF")
		}},
		{"S9.18: format 1 without issuer data", gac("800B 80 0123 A1A2A3A4A5A6A7A8"), online, func(b *bed) { b.eq("9F10", b.field(tagIAD), "-") }},
		{"S9.18: format 1 too short: parsing error", gac("800A 80 0123 A1A2A3A4A5A6A7"), otherCard + "00040000001C", nil},
		{"S9.18: format 1 too long: parsing error", gac("802C" + strings.Repeat("80", 44)), otherCard + "00040000001C", nil},
		{"S9.20: another template: parsing error", gac("7004 9F270180"), otherCard + "00040000001C", nil},
		{"S9.20: an object that a record has given already: parsing error", gac("7719 9F270180 9F36020123 9F2608A1A2A3A4A5A6A7A8 9F420209 78"), otherCard + "00040000001C", nil},
		{"S9.20: CID of two bytes: parsing error", gac("7715 9F27028000 9F36020123 9F2608A1A2A3A4A5A6A7A8"), otherCard + "00040000001C", nil},
		{"S9.22: no CID: card data missing", gac("7710 9F36020123 9F2608A1A2A3A4A5A6A7A8"), otherCard + "00010000001C", nil},
		{"S9.22: no ATC: card data missing", gac("770F 9F270180 9F2608A1A2A3A4A5A6A7A8"), otherCard + "00010000001C", nil},
		{"S910.31: no cryptogram: card data missing", gac("7709 9F270180 9F36020123"), otherCard + "00010000001C", nil},
		{"S9.24: TC where ARQC was asked for: card data error", func(b *bed) { b.card.cid = acTC }, otherCard + "00060000001C", nil},
		{"S9.24: CID C0: card data error", func(b *bed) { b.card.cid = 0xC0 }, otherCard + "00060000001C", nil},
		{"S9.23: ARQC where TC was asked for", func(b *bed) { b.amount = 1000; b.card.cid = acARQC }, online, nil},
		{"S9.24: TC where AAC was asked for: card data error", func(b *bed) { b.set(tagTACDenial, "0000008000"); b.card.cid = acTC }, otherCard + "00060000001C", nil},
		{"S9.24: ARQC where AAC was asked for: card data error", func(b *bed) { b.set(tagTACDenial, "0000008000"); b.card.cid = acARQC }, otherCard + "00060000001C", nil},
		{"S9.27: the card may go before the signature is looked at", nil, online, func(b *bed) {
			if len(b.ui) != 1 || b.ui[0].Message != contactless.MsgNone || b.ui[0].Status != contactless.CardRead {
				b.t.Errorf("shown: %v", b.ui)
			}
		}},
		{"an answer longer than a response APDU: protocol error", func(b *bed) { b.card.answer["GAC"] = make([]byte, 300) }, again + "030000000021", nil},
	})
}

func TestResults(t *testing.T) {
	aac := func(more func(b *bed)) func(*bed) {
		return func(b *bed) {
			b.card.cid, b.card.noCDA = acAAC, true
			if more != nil {
				more(b)
			}
		}
	}
	typ := func(n byte) func(*bed) { return func(b *bed) { b.act.Transaction.Type = n } }
	declined := "DECLINED nocvm ui=07/0/13 dr 0000000000FF"
	insert := "OTHER nocvm ui=1D/0/13 dr 0000000000FF"
	nothing := "END nocvm ui=1E/0/0 dr 0000000000FF"
	run(t, []testCase{
		{"S910.74: TC: approved", func(b *bed) { b.amount = 1000 }, "APPROVED nocvm ui=03/0/13 dr 0000000000FF", nil},
		{"S910.75: TC with a signature to be given", func(b *bed) {
			b.set(tagCVMCap, "20")
			b.set(tagFloorLimit, "000000050000")
			b.amount = 20000
		}, "APPROVED sign receipt ui=1A/0/13 dr 0000000000FF", nil},
		{"S910.74: AAC, purchase: another interface", aac(nil), insert, nil},
		{"S910.74: AAC, cash", aac(typ(typeCash)), insert, nil},
		{"S910.74: AAC, cash disbursement", aac(typ(typeDisbursement)), insert, nil},
		{"S910.74: AAC, cashback", aac(typ(typeCashback)), insert, nil},
		{"S910.74: AAC, refund: END APPLICATION without words", aac(typ(0x20)), nothing, nil},
		{"S910.74: AAC without contact reader: declined", aac(func(b *bed) { b.set(tagInputCap, "40") }), declined, nil},
		{"S910.74: AAC of a phone: declined", aac(func(b *bed) { b.card.fci[tagThirdParty] = unhex("0276 0000 3031") }), declined, nil},
		{"S910.74: AAC of a card that says so: another interface", aac(func(b *bed) { b.card.fci[tagThirdParty] = unhex("0276 0000 3030") }), insert, nil},
		{"S910.74: 9F6E without device type: another interface", aac(func(b *bed) { b.card.fci[tagThirdParty] = unhex("0276 8000 3031") }), insert, nil},
		{"S910.70: objects of the data record in their order", nil, online, func(b *bed) {
			b.eq("data record", tlvs(b.out.DataRecord),
				"9F02 9F26 5F24 82 50 5A 5F34 9F36 9F07 9F09 9F27 9F34 84 9F1E 9F10 9F33 9F1A 9F35 95 57 5F2A 9A 9C 9F37")
		}},
		{"S910.80: objects of the discretionary data in their order", func(b *bed) { b.card.fci[tagACI] = unhex("000000") }, online, func(b *bed) {
			b.eq("discretionary data", tlvs(b.out.Discretionary), "9F5D 9F42 DF810B DF8115 DF810E DF810F")
		}},
		{"Objects: all objects of the transaction come with the outcome", nil, online, func(b *bed) {
			v, ok := b.out.Objects.Get(tagICCDynamic)
			if !ok || hexOf(v) != "C1C2C3C4C5C6C7C8" {
				b.t.Errorf("9F4C: %X", v)
			}
		}},
		{
			"S910.71: second tap: END APPLICATION, start B", func(b *bed) { b.card.extra[tagPCII] = unhex("000100") },
			"END B nocvm re=20/2 dr 0000000000FF", func(b *bed) {
				if len(b.ui) != 2 || b.ui[1].Message != contactless.MsgSeePhone || b.ui[1].Status != contactless.NotReady || b.ui[1].Hold != 1300*time.Millisecond {
					b.t.Errorf("shown: %v", b.ui)
				}
			},
		},
		{"S910.71: bits of DF4B that mean no second tap", func(b *bed) { b.card.extra[tagPCII] = unhex("FF10F0") }, online, nil},
		{"S910.73: the phone message table's first fitting row", func(b *bed) {
			b.set(tagPhoneTable, "000004 000004 0902 00000F 000004 2000 000000 000000 0700")
			b.card.extra[tagPCII] = unhex("000004")
		}, "END B nocvm re=09/2 dr 0000000000FF", nil},
		{"S910.73: the row that fits everything", func(b *bed) { b.card.extra[tagPCII] = unhex("000008") }, "END B nocvm re=07/2 dr 0000000000FF", nil},
		{"S910.73: no row fits", func(b *bed) {
			b.set(tagPhoneTable, "000001 000001 2000")
			b.card.extra[tagPCII] = unhex("000008")
		}, "END B nocvm re=FF/2 dr 0000000000FF", nil},
	})
}
