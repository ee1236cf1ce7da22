package kernel7

import (
	"bytes"
	"strings"
	"testing"

	"posd/emv"
	"posd/emv/contactless"
	"posd/emv/tlv"
)

// kase is one rule: a card and a reader that differ from the usual ones in one thing, and what must come of it.
type kase struct {
	name string
	card func(*card)
	set  func(*bench)
	cfg  Config

	want   contactless.Status
	start  contactless.Start
	cvm    contactless.CVM
	msg    contactless.Message // of the outcome; 0 is none
	exempt contactless.Exemption
	why    string // part of the explanation
	apdus  string // INS bytes; "" is not looked at
}

func tc(c *card)       { c.cid = "90" }
func aac(c *card)      { c.cid = "80" }
func offline(b *bench) { b.ttq(ttqOfflineOnly, true) }
func needCVM(b *bench) { b.ttq(ttqCVMRequired, true) }
func mustAsk(b *bench) { b.ttq(ttqOnlineRequired, true) }
func noPIN(b *bench)   { b.ttq(ttqOnlinePIN, false) }
func noSig(b *bench)   { b.ttq(ttqSignature, false) }
func contact(b *bench) { b.ttq(ttqContact, true) }
func noChip(b *bench)  { b.ttq(ttqContact, false) }
func amount(n int64) func(*bench) {
	return func(b *bench) { b.a.Transaction.Amount.Minor = n }
}

func all[T any](fs ...func(T)) func(T) {
	return func(x T) {
		for _, f := range fs {
			f(x)
		}
	}
}

func cards(fs ...func(*card)) func(*card)     { return all(fs...) }
func readers(fs ...func(*bench)) func(*bench) { return all(fs...) }

func ctq(h string) func(*card) { return func(c *card) { c.gpo[tagCTQ] = unhex(h) } }
func drop(t tlv.Tag) func(*card) {
	return func(c *card) { c.drop[t] = true }
}

func gpo(t tlv.Tag, h string) func(*card) {
	return func(c *card) { c.gpo[t] = unhex(h) }
}

func status(sw uint16) func(*card) {
	return func(c *card) { c.answer["a8"] = func() []byte { return with(nil, sw) } }
}

func answer(ins, h string) func(*card) {
	return func(c *card) { c.answer[ins] = func() []byte { return unhex(h) } }
}

func rec(sfi, n byte, o ...object) func(*card) {
	return func(c *card) { c.records[[2]byte{sfi, n}] = o }
}

// Short names for outcomes.
const (
	approved = contactless.Approved
	declined = contactless.Declined
	online   = contactless.OnlineRequest
	over     = contactless.EndApplication
	next     = contactless.SelectNext
	other    = contactless.TryAnotherInterface
	retry    = contactless.TryAgain

	pin     = contactless.OnlinePIN
	sig     = contactless.Signature
	noCVM   = contactless.NoCVM
	phone   = contactless.ConfirmationCode
	auth    = contactless.MsgAuthorising
	ok      = contactless.MsgApproved
	no      = contactless.MsgDeclined
	another = contactless.MsgOtherCard
)

var (
	qps      = Config{Parameters: Parameters{QPS: true, NoPINLimit: 30000}}
	qpsA     = Config{Parameters: Parameters{QPS: true, NoPINLimit: 30000, UseTableA: true}, TableA: BINTable{{"620000", 16}}}
	qpsB     = Config{Parameters: Parameters{QPS: true, NoPINLimit: 30000, UseTableB: true}, TableB: BINTable{{"620000", 16}}}
	noSlip   = Config{Parameters: Parameters{NoSignature: true, NoSignatureLimit: 30000}}
	cash     = Config{Cash: Cash{On: true, Limit: 100000}}
	sparePIN = contactless.Exemption{PIN: true}
	spareSig = contactless.Exemption{Signature: true}
)

func noTrack2(c *card) { c.gpo[tagTrack2] = nil }

// panLast puts the account number into the last record alone.
func panLast(c *card) {
	c.records[[2]byte{2, 1}] = []object{{tagExpiry, unhex(c.expiry)}}
	c.records[[2]byte{3, 1}] = []object{{tagPAN, unhex(c.pan)}}
}

// track2Later leaves track 2 out of the answer to GET PROCESSING OPTIONS and puts it into the last record.
func track2Later(c *card) {
	c.gpo[tagTrack2] = nil
	c.records[[2]byte{3, 1}] = []object{{tagTrack2, unhex(c.pan + "D30122010F")}}
}

func creditCard(c *card) { c.aid = "A000000333010102" }
func abroad(c *card)     { c.getData[tagCardCurrency] = unhex("0840") }
func purse(c *card)      { c.cid, c.purse, c.balance, c.pdol = "90", true, 50000, testPDOL+"9F7A01" }

func kases() []kase {
	return []kase{
		// Selection and PDOL.
		{name: "C-7: a PDOL is mandatory", card: func(c *card) { c.pdol = "" }, want: next, start: contactless.StartC, why: "no PDOL"},
		{name: "C-7: a PDOL without 9F66 is no PDOL for kernel 7", card: func(c *card) { c.pdol = "9F02069F3704" }, want: next, start: contactless.StartC, why: "no PDOL"},
		{name: "a PDOL that cannot be read leads to the next candidate", card: func(c *card) { c.pdol = "9F66" }, want: next, start: contactless.StartC, why: "no PDOL"},
		{name: "a PDOL for more than a command holds", card: func(c *card) { c.pdol = "9F66049F02FF" }, want: next, start: contactless.StartC, why: "asks for 259 bytes"},
		{name: "two PDOLs in one answer to SELECT", card: func(c *card) { c.prop = tlv.Append(nil, tagPDOL, unhex(testPDOL)) }, want: next, start: contactless.StartC, why: "comes twice"},
		{name: "a template A5 that is cut off", card: func(c *card) { c.prop = unhex("9F12FF") }, want: next, start: contactless.StartC, why: "cannot be read"},

		// GET PROCESSING OPTIONS: status bytes.
		{name: "GPO 6984: another interface, the chip is inserted", card: status(0x6984), want: other, msg: contactless.MsgInsert, why: "6984"},
		{name: "GPO 6984: another interface, a reader without contacts", card: status(0x6984), set: noChip, want: other, msg: contactless.MsgInsertOrSwipe},
		{name: "GPO 6985: the next candidate", card: status(0x6985), want: next, start: contactless.StartC, why: "6985"},
		{name: "GPO 6986: see phone, tap again", card: status(0x6986), want: retry, start: contactless.StartB, msg: contactless.MsgSeePhone, why: "6986"},
		{name: "GPO, any other status: the application ends", card: status(0x6A81), want: over, msg: another, why: "6A81"},
		{name: "GPO 6283 is not 9000", card: status(0x6283), want: over, msg: another},
		{name: "GPO 61xx: no GET RESPONSE on this interface", card: status(0x6110), want: over, msg: another},

		// GET PROCESSING OPTIONS: format and contents.
		{name: "JR/T 6.5.4: format 1 is the standard path: insert", card: answer("a8", "80 06 7C00 08010100 9000"), want: other, msg: contactless.MsgInsert, why: "format 1"},
		{name: "JR/T 6.5.4: format 1, a reader without contacts", card: answer("a8", "80 06 7C00 08010100 9000"), set: noChip, want: over, msg: another},
		{name: "JR/T 6.5.4: no cryptogram is the standard path", card: drop(tagAC), want: other, msg: contactless.MsgInsert, why: "no cryptogram"},
		{name: "an answer in another template", card: answer("a8", "70 02 8200 9000"), want: over, msg: another, why: "template 70"},
		{name: "an answer with bytes behind it", card: answer("a8", "77 02 8200 8200 9000"), want: over, msg: another, why: "cannot be read"},
		{name: "an empty answer", card: answer("a8", "9000"), want: over, msg: another},
		{name: "a template that is cut off inside", card: answer("a8", "77 03 82FF00 9000"), want: over, msg: another, why: "cannot be read"},
		{name: "PBOC 3.0: an object that comes twice ends the transaction", card: func(c *card) { c.dup = tagATC }, want: over, msg: another, why: "9F36 comes twice"},
		{name: "objects of the terminal are not taken from a card", card: gpo(tagAmount, "000000000001"), want: online, cvm: noCVM, msg: auth},

		// Mandatory data.
		{name: "ARQC without AIP", card: drop(tagAIP), want: over, msg: another, why: "82 is missing"},
		{name: "ARQC without ATC", card: drop(tagATC), want: over, msg: another, why: "9F36 is missing"},
		{name: "ARQC without track 2", card: drop(tagTrack2), want: over, msg: another, why: "57 is missing"},
		{name: "ARQC that does not need an AFL reads no record", want: online, cvm: noCVM, msg: auth, apdus: "a8"},
		{name: "ARQC with an AFL reads no record", card: gpo(tagAFL, "08010300"), want: online, cvm: noCVM, msg: auth, apdus: "a8"},
		{name: "TC without AFL", card: cards(tc, drop(tagAFL)), want: over, msg: another, why: "94 is missing"},
		{name: "TC takes track 2 from the records", card: cards(tc, ctq("8000"), track2Later), want: online, cvm: pin, msg: auth},
		{name: "TC without track 2 is offline, whatever it wishes", card: cards(tc, ctq("C000"), drop(tagTrack2)), want: approved, cvm: sig, msg: contactless.MsgApprovedSign},
		{name: "no 9F10 and no 9F27", card: drop(tagIAD), want: over, msg: another, why: "what the card has decided"},
		{name: "9F27 alone does not do: 9F10 is mandatory", card: cards(drop(tagIAD), gpo(tagCID, "80")), want: over, msg: another, why: "9F10 is missing"},
		{name: "AIP of three bytes", card: gpo(tagAIP, "3C0000"), want: over, msg: another, why: "82 has 3 bytes"},
		{name: "cryptogram of seven bytes", card: gpo(tagAC, "11223344556677"), want: over, msg: another, why: "9F26 has 7"},
		{name: "qualifiers of one byte", card: gpo(tagCTQ, "80"), want: over, msg: another, why: "9F6C has 1"},
		{name: "track 2 without separator", card: gpo(tagTrack2, "6200000000000005"), want: over, msg: another, why: "not track 2"},
		{name: "track 2 and PAN name different accounts", card: cards(tc, gpo(tagTrack2, otherPAN+"D30122010F")), want: over, msg: another, why: "different accounts"},
		{name: "a date that is none", card: cards(tc, func(c *card) { c.expiry = "301331" }), want: over, msg: another, why: "not a date"},

		// The card's decision.
		{name: "9F10 says ARQC: online", want: online, cvm: noCVM, msg: auth},
		{name: "9F10 says TC: approved", card: tc, want: approved, cvm: noCVM, msg: ok, apdus: "a8 b2 b2 b2 b2 b2"},
		{name: "9F10 says AAC: declined", card: aac, want: declined, msg: no, why: "refuses", apdus: "a8"},
		{name: "9F10 says 11, reserved: declined", card: func(c *card) { c.cid = "B0" }, want: declined, msg: no},
		{name: "9F10 of another issuer's form, 9F27 says ARQC", card: cards(gpo(tagIAD, "0FA501A0"), gpo(tagCID, "80")), want: online, cvm: noCVM, msg: auth},
		{name: "9F10 of another form and no 9F27", card: gpo(tagIAD, "0FA501A000"), want: over, msg: another},
		{name: "9F27 TC, 9F10 ARQC: the issuer is asked", card: gpo(tagCID, "40"), want: online, cvm: noCVM, msg: auth},
		{name: "9F27 ARQC, 9F10 TC: the issuer is asked", card: cards(tc, gpo(tagCID, "80")), want: online, cvm: noCVM, msg: auth, apdus: "a8"},
		{name: "9F27 AAC, 9F10 TC: declined", card: cards(tc, gpo(tagCID, "00")), want: declined, msg: no},
		{name: "9F27 TC, 9F10 AAC: declined", card: cards(aac, gpo(tagCID, "40")), want: declined, msg: no},
		{name: "ARQC at a reader without issuer", set: offline, want: declined, msg: no, why: "reader has none"},
		{name: "TC at a reader without issuer", card: tc, set: offline, want: approved, cvm: noCVM, msg: ok},
		{name: "TC although online was required: online, no record is read", card: tc, set: mustAsk, want: online, cvm: noCVM, msg: auth, apdus: "a8", why: "although"},
		{name: "TC although online was required, and nothing to go online with", card: cards(tc, drop(tagTrack2)), set: mustAsk, want: over, msg: another},
		{name: "FF805D 0: a reader that can asks every issuer", card: tc, cfg: Config{Parameters: Parameters{Channel: OnlineFirst}}, want: online, cvm: noCVM, msg: auth},
		{name: "FF805D 0: a reader that cannot does not", card: tc, set: offline, cfg: Config{Parameters: Parameters{Channel: OnlineFirst}}, want: approved, cvm: noCVM, msg: ok},
		{name: "FF805D 1: the card decides", card: tc, cfg: Config{Parameters: Parameters{Channel: CashFirst}}, want: approved, cvm: noCVM, msg: ok},

		{name: "started with an issuer's answer: nothing is sent to the card", set: func(b *bench) { b.a.Host = &emv.HostAnswer{} }, want: over, msg: contactless.MsgNone, why: "answer"},

		// Records.
		{name: "AFL of five bytes", card: cards(tc, gpo(tagAFL, "0801010000")), want: over, msg: another, why: "four bytes"},
		{name: "AFL with file 0", card: cards(tc, gpo(tagAFL, "00010100")), want: over, msg: another, why: "no SFI"},
		{name: "AFL with file 31", card: cards(tc, gpo(tagAFL, "F8010100")), want: over, msg: another, why: "no SFI"},
		{name: "AFL from record 0", card: cards(tc, gpo(tagAFL, "08000100")), want: over, msg: another, why: "impossible"},
		{name: "AFL backwards", card: cards(tc, gpo(tagAFL, "08020100")), want: over, msg: another, why: "impossible"},
		{name: "AFL with more signed records than records", card: cards(tc, gpo(tagAFL, "08010102")), want: over, msg: another, why: "impossible"},
		{name: "AFL with more records than a tap has time for", card: cards(tc, gpo(tagAFL, "08012100")), want: over, msg: another, why: "too many"},
		{name: "READ RECORD: a status that is not 9000", card: cards(tc, gpo(tagAFL, "08010400")), want: over, msg: another, why: "6A83"},
		{name: "a record in another template", card: cards(tc, answer("b2", "77 02 8F00 9000")), want: over, msg: another, why: "not one template"},
		{name: "a record with bytes beside the template", card: cards(tc, answer("b2", "70 03 8F0162 01 9000")), want: over, msg: another, why: "not one template"},
		{name: "a record with padding that is not zero beside the template", card: cards(tc, answer("b2", "70 03 8F0162 FF 9000")), want: over, msg: another, why: "not one template"},
		{name: "an object in the records that the answer had", card: cards(tc, rec(3, 1, object{tagTrack2, unhex(testPAN + "D30122010F")})), want: over, msg: another, why: "57 comes twice"},
		{name: "a record cannot replace the cryptogram", card: cards(tc, rec(3, 1, object{tagAC, unhex("FFFFFFFFFFFFFFFF")})), want: approved, cvm: noCVM, msg: ok},
		{name: "neither PAN nor track 2", card: cards(tc, drop(tagTrack2), rec(2, 1, object{tagExpiry, unhex("301231")})), want: over, msg: another, why: "neither"},

		// Restrictions.
		{name: "expired: declined", card: cards(tc, func(c *card) { c.expiry = "260313" }), want: declined, msg: no, why: "expired"},
		{name: "the last day counts", card: cards(tc, func(c *card) { c.expiry = "260314" }), want: approved, cvm: noCVM, msg: ok},
		{name: "no expiry date: expired", card: cards(tc, func(c *card) { c.expiry = "" }), want: declined, msg: no, why: "no date"},
		{name: "CTQ 1b4: expired goes online", card: cards(tc, ctq("0800"), func(c *card) { c.expiry = "260313" }), want: online, cvm: noCVM, msg: auth},
		{name: "CTQ 1b4 at a reader without issuer: declined", card: cards(tc, ctq("0800"), func(c *card) { c.expiry = "260313" }), set: offline, want: declined, msg: no},
		{name: "JR/T 7.7.20: an expired card's last record is not read", card: cards(tc, func(c *card) { c.expiry = "260313" }), want: declined, msg: no, apdus: "a8 b2 b2 b2 b2"},
		{name: "expiry is the issuer's affair with ARQC", card: gpo(tagExpiry, "200101"), want: online, cvm: noCVM, msg: auth},
		{name: "a card on the exception file: declined", card: tc, set: func(b *bench) { b.a.Exception = func(e emv.Exception) bool { return e.PAN == testPAN } }, want: declined, msg: no, why: "exception file", apdus: "a8 b2 b2 b2 b2"},
		{name: "a card on the exception file that names itself in the last record", card: cards(tc, noTrack2, panLast), set: func(b *bench) { b.a.Exception = func(e emv.Exception) bool { return e.PAN == testPAN } }, want: declined, msg: no, why: "exception file"},
		{name: "CTQ cannot save a card on the exception file", card: cards(tc, ctq("2800")), set: func(b *bench) { b.a.Exception = func(emv.Exception) bool { return true } }, want: declined, msg: no},
		{name: "another card on the exception file", card: tc, set: func(b *bench) { b.a.Exception = func(e emv.Exception) bool { return e.PAN == otherPAN } }, want: approved, cvm: noCVM, msg: ok},

		// fDDA.
		{name: "fDDA 01 over 9F37, 9F02, 5F2A, 9F69", card: tc, want: approved, cvm: noCVM, msg: ok},
		{name: "fDDA: the amount is in it", card: cards(tc, func(c *card) {
			c.sign = func(m map[tlv.Tag][]byte) [][]byte {
				return [][]byte{m[tagUN], unhex("000000000001"), m[tagCurrency], m[tagCardAuth]}
			}
		}), want: declined, msg: no, why: "fDDA"},
		{name: "fDDA: the currency is in it", card: cards(tc, func(c *card) {
			c.sign = func(m map[tlv.Tag][]byte) [][]byte {
				return [][]byte{m[tagUN], m[tagAmount], unhex("0840"), m[tagCardAuth]}
			}
		}), want: declined, msg: no, why: "fDDA"},
		{name: "fDDA: 9F69 is in it", card: cards(tc, func(c *card) {
			c.sign = func(m map[tlv.Tag][]byte) [][]byte { return [][]byte{m[tagUN], m[tagAmount], m[tagCurrency]} }
		}), want: declined, msg: no, why: "fDDA"},
		{name: "fDDA: the order is fixed", card: cards(tc, func(c *card) {
			c.sign = func(m map[tlv.Tag][]byte) [][]byte {
				return [][]byte{m[tagAmount], m[tagUN], m[tagCurrency], m[tagCardAuth]}
			}
		}), want: declined, msg: no, why: "fDDA"},
		{name: "fDDA: a replayed signature", card: cards(tc, func(c *card) {
			c.sign = func(m map[tlv.Tag][]byte) [][]byte {
				return [][]byte{unhex("0A0B0C0D"), m[tagAmount], m[tagCurrency], m[tagCardAuth]}
			}
		}), want: declined, msg: no, why: "fDDA"},
		{name: "C-7 v2.11: fDDA 00 fails", card: cards(tc, func(c *card) {
			c.version = 0
			c.sign = func(m map[tlv.Tag][]byte) [][]byte { return [][]byte{m[tagUN]} }
		}), want: declined, msg: no, why: "version"},
		{name: "fDDA: version 02 fails", card: cards(tc, func(c *card) { c.version = 2 }), want: declined, msg: no, why: "version"},
		{name: "fDDA: no 9F69", card: cards(tc, drop(tagCardAuth)), want: declined, msg: no, why: "9F69"},
		{name: "fDDA: 9F69 of six bytes", card: cards(tc, func(c *card) { c.auth = unhex("01C0FFEE4200") }), want: declined, msg: no, why: "9F69"},
		{name: "fDDA: no 9F4B", card: cards(tc, drop(tagSDAD)), want: declined, msg: no, why: "no signature"},
		{name: "fDDA: the AIP does not have it", card: cards(tc, gpo(tagAIP, "1C00")), want: declined, msg: no, why: "does not do it"},
		{name: "fDDA: a bit of the signature is wrong", card: cards(tc, func(c *card) { c.spoil = func(s []byte) { s[5] ^= 1 } }), want: declined, msg: no, why: "fDDA"},
		{name: "fDDA: a certificate is missing", card: cards(tc, drop(0x9F46)), want: declined, msg: no, why: "missing"},
		{name: "fDDA: the remainder of the issuer's key is missing", card: cards(tc, drop(0x92)), want: declined, msg: no, why: "fDDA"},
		{name: "fDDA: no CA key, and the last record is not read", card: tc, set: func(b *bench) { b.a.CAKeys = nil }, want: declined, msg: no, why: "certification authority", apdus: "a8 b2 b2 b2 b2"},
		{name: "fDDA: a revoked issuer certificate", card: tc, set: func(b *bench) {
			b.a.Revoked = []emv.Revoked{{RID: [5]byte(unhex("A000000333")), Index: 0x62, Serial: [3]byte{0, 0, 1}}}
		}, want: declined, msg: no, why: "fDDA"},
		{name: "fDDA: SDA in its place is not taken", card: cards(tc, drop(tagSDAD), rec(3, 1, object{0x5F28, unhex("0156")})), want: declined, msg: no},
		{name: "fDDA: a key of 1152 bits", card: cards(tc, func(c *card) { c.icc = "icc1152" }), want: approved, cvm: noCVM, msg: ok},
		{name: "fDDA: the signature in the last record", card: cards(tc, func(c *card) { c.sigInLast = true }), want: approved, cvm: noCVM, msg: ok},
		{name: "CTQ 1b6: failed authentication goes online", card: cards(tc, ctq("2000"), func(c *card) { c.version = 0 }), want: online, cvm: noCVM, msg: auth},
		{name: "CTQ 1b6 before 1b5", card: cards(tc, ctq("3000"), func(c *card) { c.version = 0 }), set: contact, want: online, cvm: noCVM, msg: auth},
		{name: "CTQ 1b5: failed authentication is to be inserted", card: cards(tc, ctq("1000"), func(c *card) { c.version = 0 }), set: contact, want: other, msg: contactless.MsgInsert},
		{name: "CTQ 1b5 at a reader without contacts: declined", card: cards(tc, ctq("1000"), func(c *card) { c.version = 0 }), set: noChip, want: declined, msg: no},
		{name: "CTQ 1b6 at a reader without issuer: declined", card: cards(tc, ctq("2000"), func(c *card) { c.version = 0 }), set: offline, want: declined, msg: no},
		{name: "no authentication with ARQC", card: cards(gpo(tagSDAD, "00"), drop(tagCardAuth)), want: online, cvm: noCVM, msg: auth},

		// Cardholder verification.
		{name: "CTQ 1b8: online PIN", card: ctq("8000"), want: online, cvm: pin, msg: auth},
		{name: "CTQ 1b8 at a reader without PIN, 1b7: signature", card: ctq("C000"), set: noPIN, want: online, cvm: sig, msg: auth},
		{name: "CTQ 1b8 and 1b7: the PIN", card: ctq("C000"), want: online, cvm: pin, msg: auth},
		{name: "CTQ 1b7: signature", card: ctq("4000"), want: online, cvm: sig, msg: auth},
		{name: "CTQ 1b7 at a reader without it: none", card: ctq("4000"), set: noSig, want: online, cvm: noCVM, msg: auth},
		{name: "CTQ 1b7 at a reader without it, required: declined", card: ctq("4000"), set: readers(noSig, needCVM), want: declined, msg: no, why: "no method"},
		{name: "CTQ without wishes, required: declined", card: ctq("0000"), set: needCVM, want: declined, msg: no, why: "no method"},
		{name: "no CTQ, not required: none", want: online, cvm: noCVM, msg: auth},
		{name: "JR/T 7.6: no CTQ, required: signature", set: needCVM, want: online, cvm: sig, msg: auth},
		{name: "no CTQ, required, no signature: online PIN", set: readers(needCVM, noSig), want: online, cvm: pin, msg: auth},
		{name: "no CTQ, required, nothing there: declined", set: readers(needCVM, noSig, noPIN), want: declined, msg: no, why: "cannot be"},
		{name: "CTQ 2b8: a phone has verified its owner", card: ctq("0080"), set: needCVM, want: online, cvm: phone, msg: auth},
		{name: "CTQ 2b8 with the signed copy", card: cards(ctq("0080"), gpo(tagCardAuth, "01 C0FFEE42 0080 00")), want: online, cvm: phone, msg: auth},
		{name: "CTQ 2b8, the copy differs: declined", card: cards(ctq("0080"), gpo(tagCardAuth, "01 C0FFEE42 0000 00")), want: declined, msg: no, why: "signed copy"},
		{name: "CTQ 2b8, a copy that is cut off: declined", card: cards(ctq("0080"), gpo(tagCardAuth, "01 C0FFEE42 00")), want: declined, msg: no, why: "signed copy"},
		{name: "CTQ 2b8 with TC: the copy is signed", card: cards(tc, ctq("0080")), want: approved, cvm: phone, msg: ok},
		{name: "CTQ 2b8 with TC and no signed copy: declined", card: cards(tc, ctq("0080"), drop(tagCardAuth)), set: mustAsk, want: declined, msg: no, why: "not signed"},
		{name: "CTQ 1b8 and 2b8: the PIN", card: ctq("8080"), want: online, cvm: pin, msg: auth},
		{name: "FF8057 off: a phone's owner enters his PIN", card: ctq("0080"), cfg: Config{Parameters: Parameters{IgnoreCDCVM: true}}, want: online, cvm: pin, msg: auth},
		{name: "FF8057 off, no PIN, signature wanted", card: ctq("4080"), set: noPIN, cfg: Config{Parameters: Parameters{IgnoreCDCVM: true}}, want: online, cvm: sig, msg: auth},
		{name: "TC with signature: approved, please sign", card: cards(tc, ctq("4000")), want: approved, cvm: sig, msg: contactless.MsgApprovedSign},
		{name: "TC with online PIN goes online", card: cards(tc, ctq("8000")), want: online, cvm: pin, msg: auth},
		{name: "TC with online PIN at a reader without issuer", card: cards(tc, ctq("C000")), set: offline, want: approved, cvm: sig, msg: contactless.MsgApprovedSign},
		{name: "an application without online PIN", card: ctq("8000"), set: func(b *bench) { b.a.Combination.App.NoOnlinePIN = true }, want: online, cvm: noCVM, msg: auth},

		// Small amounts.
		{name: "QPS off: the PIN", card: ctq("8000"), want: online, cvm: pin, msg: auth},
		{name: "QPS: home card, up to the limit", card: ctq("8000"), cfg: qps, want: online, cvm: noCVM, exempt: sparePIN, msg: auth, apdus: "a8 ca ca"},
		{name: "QPS: the limit itself", card: ctq("8000"), set: amount(30000), cfg: qps, want: online, cvm: noCVM, exempt: sparePIN, msg: auth},
		{name: "QPS: a fen above the limit", card: ctq("8000"), set: amount(30001), cfg: qps, want: online, cvm: pin, msg: auth, apdus: "a8"},
		{name: "QPS: pre-authorisation too", card: ctq("8000"), set: func(b *bench) { b.a.Transaction.Type = emv.TypePreauth }, cfg: qps, want: online, cvm: noCVM, exempt: sparePIN, msg: auth},
		{name: "QPS: not for cash", card: ctq("8000"), set: func(b *bench) { b.a.Transaction.Type = emv.TypeCash }, cfg: qps, want: online, cvm: pin, msg: auth},
		{name: "QPS: not for refunds", card: ctq("8000"), set: func(b *bench) { b.a.Transaction.Type = emv.TypeRefund }, cfg: qps, want: online, cvm: pin, msg: auth},
		{name: "QPS: a black-listed BIN", card: ctq("8000"), cfg: Config{Parameters: qps.Parameters, Blocked: BINTable{{"620000", 16}}}, want: online, cvm: pin, msg: auth},
		{name: "QPS: a black-listed BIN of another length", card: ctq("8000"), cfg: Config{Parameters: qps.Parameters, Blocked: BINTable{{"620000", 19}}}, want: online, cvm: noCVM, exempt: sparePIN, msg: auth},
		{name: "QPS: table A has the card", card: ctq("8000"), cfg: qpsA, want: online, cvm: noCVM, exempt: sparePIN, msg: auth},
		{name: "QPS: table A does not", card: cards(ctq("8000"), func(c *card) { c.pan = "6211110000000005" }), cfg: qpsA, want: online, cvm: pin, msg: auth},
		{name: "QPS: table A counts for credit cards too", card: cards(ctq("8000"), creditCard, func(c *card) { c.pan = "6211110000000005" }), cfg: qpsA, want: online, cvm: pin, msg: auth},
		{name: "QPS: table B does not have a debit card", card: cards(ctq("8000"), func(c *card) { c.pan = "6211110000000005" }), cfg: qpsB, want: online, cvm: pin, msg: auth},
		{name: "QPS: table B has the debit card", card: ctq("8000"), cfg: qpsB, want: online, cvm: noCVM, exempt: sparePIN, msg: auth},
		{name: "QPS: stage B, credit", card: cards(ctq("8000"), creditCard, func(c *card) { c.pan = "6211110000000005" }), cfg: qpsB, want: online, cvm: noCVM, exempt: sparePIN, msg: auth},
		{name: "QPS: a foreign debit card that asks for its PIN", card: cards(ctq("8000"), abroad), cfg: qps, want: online, cvm: pin, msg: auth},
		{name: "QPS: a foreign credit card", card: cards(ctq("8000"), abroad, creditCard), cfg: qps, want: online, cvm: noCVM, exempt: sparePIN, msg: auth},
		{name: "QPS: a second currency makes it a home card", card: cards(ctq("8000"), abroad, func(c *card) { c.getData[tagCardCurrency2] = unhex("0156") }), cfg: qps, want: online, cvm: noCVM, exempt: sparePIN, msg: auth},
		{name: "QPS: HomeOnly does not ask the card", card: cards(ctq("8000"), abroad), cfg: Config{Parameters: qps.Parameters, HomeOnly: true}, want: online, cvm: noCVM, exempt: sparePIN, msg: auth, apdus: "a8"},
		{name: "QPS: the card leaves before it has named its currency", card: cards(ctq("8000"), func(c *card) { c.loseAt = 2 }), cfg: qps, want: online, cvm: pin, msg: auth, why: "left before"},
		{name: "QPS: no PIN was due, none is spared", card: ctq("0000"), cfg: qps, want: online, cvm: noCVM, msg: auth, apdus: "a8"},
		{name: "QPS: a phone that does not count is spared like a card", card: ctq("0080"), cfg: Config{Parameters: Parameters{QPS: true, NoPINLimit: 30000, IgnoreCDCVM: true}}, want: online, cvm: noCVM, exempt: sparePIN, msg: auth},
		{name: "QPS: a card that was let go cannot be asked for its currency", card: cards(tc, ctq("8000")), cfg: qps, want: online, cvm: pin, msg: auth, apdus: "a8 b2 b2 b2 b2 b2"},
		{name: "QPS: a card that has named both currencies in its records", card: cards(tc, ctq("8000"), rec(3, 1, object{tagCardCurrency, unhex("0156")}, object{tagCardCurrency2, unhex("0840")})), cfg: qps, want: online, cvm: noCVM, exempt: sparePIN, msg: auth, apdus: "a8 b2 b2 b2 b2 b2"},
		{name: "no signature: spared", card: ctq("4000"), cfg: noSlip, want: online, cvm: noCVM, exempt: spareSig, msg: auth},
		{name: "no signature: a fen above the limit", card: ctq("4000"), set: amount(30001), cfg: noSlip, want: online, cvm: sig, msg: auth},
		{name: "no signature on the slip of a PIN payment either", card: ctq("8000"), cfg: noSlip, want: online, cvm: pin, exempt: spareSig, msg: auth},

		// Electronic cash.
		{name: "cash off: 9F7A is 0 and no balance is asked for", card: purse, want: approved, cvm: noCVM, msg: ok, apdus: "a8 b2 b2 b2 b2 b2"},
		{name: "cash on: the balance before and after", card: purse, cfg: cash, want: approved, cvm: noCVM, msg: ok, apdus: "ca a8 b2 b2 b2 b2 b2 ca"},
		{name: "cash on: 9F5D spares the second question", card: cards(purse, gpo(tagOfflineAmount, "000000037655")), cfg: cash, want: approved, cvm: noCVM, msg: ok, apdus: "ca a8 b2 b2 b2 b2 b2"},
		{name: "cash on, at the limit: not from the purse", card: purse, set: amount(100000), cfg: cash, want: approved, cvm: noCVM, msg: ok},
		{name: "cash on: 9F74 of five bytes", card: cards(purse, rec(3, 1, object{tagCashCode, []byte("ECC01")})), cfg: cash, want: over, msg: another, why: "9F74"},
		{name: "a purse that was debited does not go online", card: cards(purse, ctq("2000"), func(c *card) { c.spoil = func(s []byte) { s[5] ^= 1 } }), want: declined, msg: no, why: "purse"},
		{name: "a purse that was debited is not inserted", card: cards(purse, ctq("1000"), func(c *card) { c.spoil = func(s []byte) { s[5] ^= 1 } }), set: contact, want: declined, msg: no},
		{name: "a purse that was debited asks for no online PIN", card: cards(purse, ctq("8000")), want: approved, cvm: noCVM, msg: ok},
	}
}

func TestRules(t *testing.T) {
	ks := kases()
	if len(ks) < 80 {
		t.Fatalf("%d cases", len(ks))
	}
	seen := map[string]bool{}
	for _, k := range ks {
		if seen[k.name] {
			t.Errorf("%s: the name comes twice", k.name)
		}
		seen[k.name] = true
		t.Run(k.name, func(t *testing.T) {
			c, b := newCard(), newBench(k.cfg)
			if k.card != nil {
				k.card(c)
			}
			if k.set != nil {
				k.set(b)
			}
			out := b.tap(t, c)
			msg := contactless.Message(0)
			if out.UIOutcome != nil {
				msg = out.UIOutcome.Message
			}
			if out.Status != k.want || out.Start != k.start || out.CVM != k.cvm || msg != k.msg || out.Exempt != k.exempt {
				t.Errorf("status %d start %d CVM %d message %02X exempt %v, want %d %d %d %02X %v; %q",
					out.Status, out.Start, out.CVM, msg, out.Exempt, k.want, k.start, k.cvm, k.msg, k.exempt, b.reasons)
			}
			if k.why != "" && !b.explained(k.why) {
				t.Errorf("explained by %q, want %q", b.reasons, k.why)
			}
			for _, r := range b.reasons {
				if strings.Contains(r, c.pan) || strings.Contains(r, "%!") {
					t.Errorf("explanation %q", r)
				}
			}
			if k.apdus != "" {
				ins := make([]string, len(c.log))
				for i, l := range c.log {
					ins[i] = l[2:4]
				}
				if got := strings.Join(ins, " "); got != k.apdus {
					t.Errorf("commands %s, want %s", got, k.apdus)
				}
			}
			consistent(t, b, c, out)
		})
	}
}

// consistent are rules for every outcome.
func consistent(t *testing.T, b *bench, c *card, out contactless.Outcome) {
	t.Helper()
	reads := 0
	for _, u := range b.shown {
		if u.Message == contactless.MsgCardReadOK && u.Status == contactless.CardRead {
			reads++
		}
	}
	decidedNow := out.Status == approved || out.Status == online
	if decidedNow && reads != 1 || reads > 1 {
		t.Errorf("card read OK was shown %d times", reads)
	}
	if (out.Status == approved || out.Status == online || out.Status == declined) != (len(out.DataRecord) > 0) {
		t.Errorf("data record of %d bytes with status %d", len(out.DataRecord), out.Status)
	}
	if out.Status == retry != (out.UIRestart != nil) {
		t.Error("message for the restart")
	}
	if out.Status == online && b.a.Indicators.TTQ[0]&0x08 != 0 {
		t.Error("an offline-only reader goes online")
	}
	if out.Status == online && c.debited != 0 {
		t.Error("a purse was debited, and the issuer is asked too")
	}
	if out.Status == approved && c.cid != "90" {
		t.Error("approved without a TC")
	}
	if len(out.DataRecord) > 0 {
		if v, ok := tlv.Find(out.DataRecord, tagAmount); !ok || !bytes.Equal(v, c.pdolIn[tagAmount]) {
			t.Errorf("9F02 %X in the record, %X to the card", v, c.pdolIn[tagAmount])
		}
	}
}
