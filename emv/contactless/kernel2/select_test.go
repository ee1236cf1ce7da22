package kernel2

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

func TestSelection(t *testing.T) {
	fci := func(s string) func(*bed) {
		return func(b *bed) { b.card.before["GPO"] = func() { b.t.Error("GPO was sent") }; b.rawFCI = unhex(s) }
	}
	run(t, []testCase{
		{"S1.7: languages of the card go into messages", nil, online, func(b *bed) {
			b.eq("languages", strings.Join(b.out.UIOutcome.Languages, ","), "de,en")
		}},
		{"S1.7: FCI that is no template 6F: parsing error, next application", fci("7003840100"), "NEXT C 0004000000FF", nil},
		{"S1.7: FCI cut off: parsing error", fci("6F0A840741"), "NEXT C 0004000000FF", nil},
		{"S1.7: FCI with something behind it: parsing error", fci("6F0D 8407A0000000041010 A5025000 9F3800"), "NEXT C 0004000000FF", nil},
		{"S1.7: FCI with an object twice: parsing error", fci("6F11 8407A0000000041010 A506 500141 500142"), "NEXT C 0004000000FF", nil},
		{"S1.7: FCI with an object of the wrong template: parsing error", fci("6F0E 8407A0000000041010 A503 820100"), "NEXT C 0004000000FF", nil},
		{"S1.8: FCI without DF name: card data missing", fci("6F05 A503 500141"), "NEXT C 0001000000FF", nil},
		{"S1.8: FCI without A5: card data missing", fci("6F09 8407A0000000041010"), "NEXT C 0001000000FF", nil},
		{"S1.7: empty FCI: parsing error", fci(""), "NEXT C 0004000000FF", nil},
		{"S1.7: early errors carry the error indication alone", fci("6F09 8407A0000000041010"), "NEXT C 0001000000FF", func(b *bed) {
			b.eq("discretionary data", tlvs(b.out.Discretionary), "DF8115")
		}},
		{"S1.7: PDOL that is no list: parsing error", func(b *bed) { b.card.pdol = "9F" }, "NEXT C 0004000000FF", nil},
		{"S1.13: PDOL that asks for more than a command carries", func(b *bed) { b.card.pdol = "9F02FF9F03FF" }, "NEXT C 0004000000FF", nil},
		{"S1.13: no PDOL: command data 8300", func(b *bed) { b.card.pdol = "" }, online, func(b *bed) {
			b.eq("GPO", hexOf(b.card.cmds["GPO"]), "80A8000002830000")
		}},
		{"S1.13: PDOL data in order, unknown objects zero", func(b *bed) { b.card.pdol = "9F02065F2A02DF9902029F1A02" }, online, func(b *bed) {
			b.eq("GPO", hexOf(b.card.cmds["GPO"]), "80A800000E830C000000002500097800000276"+"00")
		}},
		{"S1.13: numeric data longer than asked lose their left", func(b *bed) { b.card.pdol = "9F0202" }, online, func(b *bed) {
			b.eq("GPO", hexOf(b.card.cmds["GPO"]), "80A8000004830225"+"0000")
		}},
		{"S1.13: numeric data shorter than asked get zeros on the left", func(b *bed) { b.card.pdol = "5F2A03" }, online, func(b *bed) {
			b.eq("GPO", hexOf(b.card.cmds["GPO"]), "80A8000005830300097800")
		}},
		{"S1.13: binary data shorter than asked get zeros on the right", func(b *bed) { b.card.pdol = "9F3306" }, online, func(b *bed) {
			b.eq("GPO", hexOf(b.card.cmds["GPO"]), "80A8000008830660000800000000")
		}},
		{"4.1.4: compressed numeric data get F on the right", func(b *bed) {
			b.card.aip = "1880"
			b.card.set[tagCDOL1] = unhex("5A0A" + "9F1E08" + "9F1C08" + "9F1502" + "9F0106")
			b.act.Terminal.Category, b.act.Terminal.AcquirerID = "5411", "12345678901"
		}, online, func(b *bed) {
			b.eq("GAC", hexOf(b.card.cmds["GAC"]), "80AE800022"+testPAN+"FFFF"+hexOf([]byte("POSD000100000001"))+"5411"+"012345678901"+"00")
		}},
		{"4.1.4: a constructed object of a list is zeros", func(b *bed) { b.card.pdol = "BF0C02" }, online, func(b *bed) {
			b.eq("GPO", hexOf(b.card.cmds["GPO"]), "80A80000048302000000")
		}},
		{"4.1.4: numbers of other kernels are binary here", func(b *bed) { b.card.pdol = "9F6D03" }, online, func(b *bed) {
			b.eq("GPO", hexOf(b.card.cmds["GPO"]), "80A80000058303000100"+"00")
		}},
		{"S1.8: a card with field off detection is given its time", func(b *bed) { b.card.fci[tagACI] = unhex("000400") }, online, func(b *bed) {
			b.eq("field off", b.out.FieldOff.String(), "1.3s")
		}},
		{"S1.8: a hold time of zero is a field off of no length", func(b *bed) {
			b.card.fci[tagACI] = unhex("000400")
			b.set(tagHoldTime, "00")
		}, online, func(b *bed) {
			if b.out.FieldOff != contactless.FieldOffNow {
				b.t.Error(b.out.FieldOff)
			}
		}},
		{"S1.8: without it no field off is asked for", func(b *bed) { b.card.fci[tagACI] = unhex("000000") }, online, func(b *bed) {
			b.eq("field off", b.out.FieldOff.String(), "0s")
		}},
		{"S1.7: ACI of two bytes is no ACI: parsing error", func(b *bed) { b.card.fci[tagACI] = unhex("0000") }, "NEXT C 0004000000FF", nil},
	})
}

func TestGPO(t *testing.T) {
	gpo := func(s string) func(*bed) { return func(b *bed) { b.card.answer["GPO"] = unhex(s) } }
	run(t, []testCase{
		{"S3.4: time-out at GPO: try again", func(b *bed) { b.card.fail["GPO"] = []error{timeout{}} }, "AGAIN B 0100000000FF", nil},
		{"S3.4: transmission error at GPO: try again", func(b *bed) { b.card.fail["GPO"] = []error{errBroken} }, "AGAIN B 0200000000FF", nil},
		{"S3.5: no field off request with try again", func(b *bed) {
			b.card.fci[tagACI] = unhex("000400")
			b.card.fail["GPO"] = []error{errBroken}
		}, "AGAIN B 0200000000FF", func(b *bed) { b.eq("field off", b.out.FieldOff.String(), "0s") }},
		{"S3.9: status other than 9000: next application, with the status", func(b *bed) { b.card.sw["GPO"] = 0x6985 }, "NEXT C 0003006985FF", nil},
		{"S3.9: no field off request with select next", func(b *bed) {
			b.card.fci[tagACI] = unhex("000400")
			b.card.sw["GPO"] = 0x6985
		}, "NEXT C 0003006985FF", func(b *bed) { b.eq("field off", b.out.FieldOff.String(), "0s") }},
		{"S3.10: format 1", func(b *bed) {
			b.card.before["GPO"] = func() { b.card.pdolData = b.card.cmds["GPO"][7 : len(b.card.cmds["GPO"])-1] }
			b.card.answer["GPO"] = unhex("800A 1980 10010101 18010300")
		}, online, nil},
		{"S3.10: format 1 too short: parsing error", gpo("8005 1980100101"), otherCard + "00040000001C", nil},
		{"S3.10: format 1 of odd length: parsing error", gpo("8007 19801001010118"), otherCard + "00040000001C", nil},
		{"S3.10: neither 77 nor 80: parsing error", gpo("700A 8202 1980 9404 10010101"), otherCard + "00040000001C", nil},
		{"S3.10: nothing at all: parsing error", gpo(""), otherCard + "00040000001C", nil},
		{"S3.10: something behind the template: parsing error", gpo("770A 82021980 940410010101 9F3600"), otherCard + "00040000001C", nil},
		{"S3.10: AIP of three bytes: parsing error", gpo("770B 8203198000 940410010101"), otherCard + "00040000001C", nil},
		{"S3.10: AFL of five bytes: parsing error", gpo("770B 82021980 94051001010118"), otherCard + "00040000001C", nil},
		{"S3.10: reader's data from the card: parsing error", gpo("770F 82021980 940410010101 9F1A020000"), otherCard + "00040000001C", nil},
		{"4.5: private tags that the reader owns are passed over", func(b *bed) { b.card.gpo77 = unhex("DF8126060000000000FF") }, online, nil},
		{"4.5: unknown objects are passed over", func(b *bed) { b.card.gpo77 = unhex("9F7B020102 DF9901020102") }, online, nil},
		{"S3.13: no AFL: card data missing", gpo("7704 82021980"), otherCard + "00010000001C", nil},
		{"S3.13: no AIP: card data missing", gpo("7706 940410010101"), otherCard + "00010000001C", nil},
		{"S3.18: no EMV mode on the card and no mag-stripe mode in the reader", func(b *bed) { b.card.aip = "1900" }, otherCard + "00070000001C", nil},
		{"S3.15: EMV mode is switched off and mag-stripe mode too", func(b *bed) { b.set(tagKernelConfig, "40") }, otherCard + "00070000001C", nil},
		{"Options: mag-stripe mode is off although DF811B allows it", func(b *bed) {
			b.card.aip = "1900"
			b.set(tagKernelConfig, "00")
		}, otherCard + "00070000001C", nil},
		{"S3R1.6: AFL entry with SFI 31: card data error", gpo("770A 82021980 9404F8010101"), otherCard + "00060000001C", nil},
		{"S3R1.6: AFL entry with SFI 0: card data error", gpo("770A 82021980 940400010101"), otherCard + "00060000001C", nil},
		{"S3R1.6: AFL entry with record 0: card data error", gpo("770A 82021980 940410000101"), otherCard + "00060000001C", nil},
		{"S3R1.6: AFL entry that ends before it begins: card data error", gpo("770A 82021980 940410020100"), otherCard + "00060000001C", nil},
		{"S3R1.6: more signed records than records: card data error", gpo("770A 82021980 940410010102"), otherCard + "00060000001C", nil},
		{"own bound: more than 128 records: card data error", gpo("770A 82021980 94041001FF00"), otherCard + "00060000001C", nil},
		{"S3.32: the record of mag-stripe mode is passed over in EMV mode", func(b *bed) {
			b.opt.MagStripe = true
			magCard(b.card)
			b.card.optAFL = true
		}, online, func(b *bed) { b.eq("first record", b.card.log[1], "RR 2.1") }},
		{"S3.30: a reader without mag-stripe mode reads it", func(b *bed) {
			magCard(b.card)
			b.card.optAFL = true
		}, online, func(b *bed) { b.eq("first record", b.card.log[1], "RR 1.1") }},
		{"S3R1.5: an AFL of the mag-stripe record alone: card data error", func(b *bed) {
			b.opt.MagStripe = true
			b.card.answer["GPO"] = unhex("770A 82021980 940408010100")
		}, otherCard + "00060000001C", nil},
		{"S3.6: STOP: END APPLICATION, stop", func(b *bed) { b.card.before["GPO"] = func() { b.k.Stop() } }, "END 0000020000FF", nil},
		{"S3.65: no relay resistance on the card: not performed", nil, online, func(b *bed) { b.eq("TVR", b.tvr(), "0000008001") }},
		{"S3.60: relay resistance on the card alone: not performed", func(b *bed) { b.card.aip = "1981" }, online, func(b *bed) { b.eq("TVR", b.tvr(), "0000008001") }},
		{"S3R1.20: no CDA on the card: not performed, no signature asked for", func(b *bed) { b.card.aip = "1880" }, online, func(b *bed) {
			b.eq("TVR", b.tvr(), "8000008001")
			b.eq("P1", hexOf(b.card.cmds["GAC"][2:3]), "80")
		}},
		{"S3R1.20: no CDA in the terminal: not performed", func(b *bed) { b.set(tagSecurityCap, "40") }, online, func(b *bed) { b.eq("TVR", b.tvr(), "8000008001") }},
	})
}

func TestConfiguration(t *testing.T) {
	bad := func(tag tlv.Tag, v string) func(*bed) { return func(b *bed) { b.set(tag, v) } }
	run(t, []testCase{
		{"defaults: transaction limit 0 lets nothing through", func(b *bed) { delete(b.data, uint32(tagLimitNoDevice)) }, "NEXT C 0005000000FF", nil},
		{"defaults: CVM capability 00", func(b *bed) {
			delete(b.data, uint32(tagNoCVMCap))
			b.card.set[tagIACOnline] = unhex("FFFFFFFFFF")
		}, online, func(b *bed) { b.eq("9F33", b.field(tagCapabilities), "600008") }},
		{"configuration with a wrong length is refused", bad(tagCVMLimit, "0000"), "error: emv: bad parameters: kernel 2: DF8126 has 2 bytes", nil},
		{"configuration with no number is refused", bad(tagCVMLimit, "00000000000A"), "error: emv: bad parameters: kernel 2: DF8126 is no decimal number", nil},
		{"configuration that is empty is refused", bad(tagKernelConfig, ""), "error: emv: bad parameters: kernel 2: DF811B is empty", nil},
		{"configuration of what the kernel makes is refused", bad(tagTVR, "0000000000"), "error: emv: bad parameters: kernel 2: 95 is not for the reader to set", nil},
		{"configuration of what the card gives is refused", bad(tagAIP, "0000"), "error: emv: bad parameters: kernel 2: 82 is not for the reader to set", nil},
		{"configuration under no tag is refused", bad(0x9F, "00"), "error: emv: bad parameters: kernel 2: 9F is no tag", nil},
		{"phone messages without whole rows are refused", bad(tagPhoneTable, "000001000001200000"), "error: emv: bad parameters: kernel 2: DF8131 has no whole rows", nil},
		{"no source of randomness is refused", func(b *bed) { b.act.Transaction.Rand = nil }, "error: emv: bad parameters: kernel 2: no source of randomness", nil},
		{"a negative amount is refused", func(b *bed) { b.amount = -1 }, "error: emv: bad parameters: kernel 2: 9F02 cannot be written", nil},
		{"an IFD serial number of three bytes is refused", func(b *bed) { b.act.Terminal.IFDSerial = "abc" }, "error: emv: bad parameters: kernel 2: 9F1E has 3 bytes", nil},
		{"a category of letters is refused", func(b *bed) { b.act.Terminal.Category = "54x1" }, "error: emv: bad parameters: kernel 2: 9F15 is no decimal number", nil},
		{"a category of five digits is refused", func(b *bed) { b.act.Terminal.Category = "54111" }, "error: emv: bad parameters: kernel 2: 9F15 is too long", nil},
		{"defaults: phone messages", func(b *bed) { b.card.extra[tagPCII] = unhex("000001") }, "END B nocvm re=20/2 dr 0000000000FF", nil},
		{"the version of the application counts where the data have none", func(b *bed) { b.app.Version = [2]byte{0, 9} }, online, func(b *bed) { b.eq("9F09", b.field(tagVersion), "0009") }},
		{"9F03 is there when there is another amount", func(b *bed) { b.act.Transaction.Other = 500 }, online, func(b *bed) { b.eq("9F03", b.field(tagOther), "000000000500") }},
		{"9F03 is there when the reader's data name it", func(b *bed) { b.set(tagOther, "000000000000") }, online, func(b *bed) { b.eq("9F03", b.field(tagOther), "000000000000") }},
		{"no display is refused", func(b *bed) { b.act.UI = nil }, "error: emv: bad parameters: kernel 2: activation without combination, display or clock", nil},
		{"action codes of the application count where the data have none", func(b *bed) {
			for _, tag := range []tlv.Tag{tagTACDefault, tagTACDenial, tagTACOnline} {
				delete(b.data, uint32(tag))
			}
			b.app.TACDenial = [5]byte{0, 0, 0, 0x80, 0}
		}, "OTHER nocvm ui=1D/0/13 dr 0000000000FF", nil},
	})
}

func TestContextEnds(t *testing.T) {
	b := newBed(t)
	ctx, cancel := contextWithCancel(t)
	b.ctx = ctx
	b.card.before["RR 3.1"] = cancel
	b.want("error: context canceled")
}

// While the card makes its cryptogram the transaction cannot be given up: it would be torn.
func TestContextEndsWithTheCryptogram(t *testing.T) {
	b := newBed(t)
	ctx, cancel := contextWithCancel(t)
	b.ctx = ctx
	b.card.before["GAC"] = cancel
	b.want(online)
}

func TestStopDoesNotTear(t *testing.T) {
	b := newBed(t)
	b.card.before["GAC"] = func() { b.k.Stop() }
	b.want(online)
}

// A clock that the kernel must not use for anything but measuring.
func TestClockStandsStill(t *testing.T) {
	b := newBed(t)
	b.act.Now = func() time.Time { return time.Time{} }
	b.want(online)
}

func TestKernelID(t *testing.T) {
	var k contactless.Kernel = New(Options{})
	if k.ID() != 2 {
		t.Error(k.ID())
	}
}

// The delay of mag-stripe mode is real when nobody replaces it, and a cancelled transaction does not sit it out.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		mag()(b)
		b.opt.Wait = nil
		b.card.sw["CCC"] = 0x6985
		start := time.Now()
		b.want(otherCard + "00030069851C")
		if d := time.Since(start); d != 300*time.Millisecond {
			t.Errorf("waited %v", d)
		}
		ctx, cancel := contextWithCancel(t)
		b.ctx = ctx
		b.card.before["CCC"] = cancel
		start = time.Now()
		b.want(otherCard + "00030069851C")
		if d := time.Since(start); d != 0 {
			t.Errorf("waited %v", d)
		}
	})
}

// No source of randomness, no relay resistance: the reader's fault, not the card's.
func TestRandomnessFails(t *testing.T) {
	b := newBed(t)
	b.card.aip = "1981"
	b.set(tagKernelConfig, "10")
	b.act.Transaction.Rand = strings.NewReader("")
	b.want("error: EOF")
	b = newBed(t)
	mag()(b)
	b.act.Transaction.Rand = strings.NewReader("")
	b.want("error: EOF")
}
