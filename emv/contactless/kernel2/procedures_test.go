package kernel2

import (
	"testing"
	"time"

	"posd/emv/tlv"
)

func TestRestrictions(t *testing.T) {
	// The card does not sign, so that every date can be chosen; an issuer code that names nothing keeps the outcome online.
	with := func(tag tlv.Tag, v string, more ...func(b *bed)) func(*bed) {
		return func(b *bed) {
			b.card.aip = "1880"
			b.card.set[tag] = unhex(v)
			for _, m := range more {
				m(b)
			}
		}
	}
	tvr := func(v string) func(*bed) { return func(b *bed) { b.eq("TVR", b.tvr(), v) } }
	abroad := func(b *bed) { b.act.Terminal.Country = 156 }
	typ := func(n byte) func(*bed) { return func(b *bed) { b.act.Transaction.Type = n } }
	atm := func(b *bed) { b.act.Terminal.Type, b.act.Terminal.Additional[0] = 0x14, 0x80 }
	other := func(b *bed) { b.act.Transaction.Other = 500 }
	run(t, []testCase{
		{"PRE.1: no version of the card: no matter", with(0x5F30, "0201"), online, tvr("8000008001")},
		{"PRE.2: the same version", with(tagCardVersion, "0002"), online, tvr("8000008001")},
		{"PRE.3: another version", with(tagCardVersion, "0003"), online, tvr("8080008001")},
		{"PRE.5: effective today", with(tagEffective, "260314"), online, tvr("8000008001")},
		{"PRE.6: effective tomorrow", with(tagEffective, "260315"), online, tvr("8020008001")},
		{"PRE.5: effective in the last century", with(tagEffective, "991231"), online, tvr("8000008001")},
		{"PRE.7: expires today", with(tagExpiry, "260314"), online, tvr("8000008001")},
		{"PRE.8: expired yesterday", with(tagExpiry, "260313"), online, tvr("8040008001")},
		{"PRE.9: no usage control: no matter", func(b *bed) { b.card.aip = "1880"; b.card.drop[tagAUC] = true }, online, tvr("8000008001")},
		{"PRE.11: not at other terminals than ATMs", with(tagAUC, "FE80"), online, tvr("8010008001")},
		{"PRE.12: not at ATMs", with(tagAUC, "FD80", atm), online, tvr("8010008001")},
		{"PRE.10: an unattended terminal of a bank that gives no cash is no ATM", with(tagAUC, "FD80", func(b *bed) { b.act.Terminal.Type = 0x14 }), online, tvr("8000008001")},
		{"PRE.14: no issuer country: the place alone counts", func(b *bed) {
			b.card.aip = "1880"
			b.card.set[tagAUC] = unhex("0100")
			b.card.drop[tagIssuerCountry] = true
		}, online, tvr("8000008001")},
		{"PRE.17: no cash at home", with(tagAUC, "7F80", typ(typeCash)), online, tvr("8010008001")},
		{"PRE.18: no cash abroad", with(tagAUC, "BF80", typ(typeDisbursement), abroad), online, tvr("8010008001")},
		{"PRE.18: cash abroad", with(tagAUC, "7F80", typ(typeCash), abroad), online, tvr("8000008001")},
		{"PRE.22: neither goods nor services at home", with(tagAUC, "D780"), online, tvr("8010008001")},
		{"PRE.22: services at home will do", with(tagAUC, "DF80"), online, tvr("8000008001")},
		{"PRE.23: neither goods nor services abroad", with(tagAUC, "EB80", abroad), online, tvr("8010008001")},
		{"PRE.20: a refund is neither", with(tagAUC, "C380", typ(0x20)), online, tvr("8000008001")},
		{"PRE.27: no cashback at home", with(tagAUC, "FF40", typ(typeCashback)), online, tvr("8010008001")},
		{"PRE.28: no cashback abroad", with(tagAUC, "FF80", typ(typeCashback), abroad), online, tvr("8010008001")},
		{"PRE.25: another amount is cashback", with(tagAUC, "FF00", other), online, tvr("8010008001")},
		{"PRE.25: another amount with cashback allowed", with(tagAUC, "FF80", other), online, tvr("8000008001")},
	})
}

func TestCVM(t *testing.T) {
	list := func(v string, more ...func(b *bed)) func(*bed) {
		return func(b *bed) {
			b.amount = 20000
			b.set(tagCVMCap, "68")
			b.card.set[tagCVMList] = unhex("00004E20 00007530" + v) // X 200.00, Y 300.00
			for _, m := range more {
				m(b)
			}
		}
	}
	res := func(cvm, tvr string) func(*bed) {
		return func(b *bed) { b.eq("9F34", b.field(tagCVMResults), cvm); b.eq("TVR", b.tvr(), tvr) }
	}
	out := func(cvm string) string { return "ONLINE " + cvm + " receipt ui=1B/0/0 dr 0000000000FF" }
	typ := func(n byte) func(*bed) { return func(b *bed) { b.act.Transaction.Type = n } }
	amount := func(n int64) func(*bed) { return func(b *bed) { b.amount = n } }
	device := func(n int64) func(*bed) {
		return func(b *bed) { b.card.aip = "1B80"; b.set(tagKernelConfig, "20"); b.amount = n }
	}
	run(t, []testCase{
		{"CVM.3: on the device, not above the limit", device(10000), online, res("3F0002", "0000008001")},
		{"CVM.4: on the device, above the limit", device(10001), out("code"), res("010002", "0000008001")},
		{"CVM.1: the reader has no verification on the device", func(b *bed) { b.card.aip = "1B80"; b.amount = 20000 }, out("pin"), res("420300", "0000048001")},
		{"CVM.6: the card has no cardholder verification", func(b *bed) { b.card.aip = "0980" }, online, res("3F0000", "0000008001")},
		{"CVM.8: no list", func(b *bed) { b.card.drop[tagCVMList] = true }, online, res("3F0000", "2000008001")},
		{"4.5: an empty list: parsing error", func(b *bed) { b.card.set[tagCVMList] = nil }, otherCard + "00040000001C", nil},
		{"4.5: a list without rules: parsing error", func(b *bed) { b.card.set[tagCVMList] = unhex("0000000000000000") }, otherCard + "00040000001C", nil},
		{"Book 3, 10.5: a list of odd length: card data error", func(b *bed) { b.card.set[tagCVMList] = unhex("0000000000000000 1F0300") }, otherCard + "00060000001C", nil},
		{"CVM.18: PIN to the issuer", list("0200"), out("pin"), res("020000", "0000048001")},
		{"CVM.18: signature", list("1E00"), out("sign"), res("1E0000", "0000008001")},
		{"CVM.18: none", list("1F00"), out("nocvm"), res("1F0002", "0000008001")},
		{"CVM.18: a signature wants a receipt below the limit too", list("1E00", amount(5000), func(b *bed) { b.set(tagNoCVMCap, "20") }), out("sign"), res("1E0000", "0000008001")},
		{"CVM.17: a method the terminal does not have, next rule", list("5E001F00", func(b *bed) { b.set(tagCVMCap, "08") }), out("nocvm"), res("1F0002", "0000008001")},
		{"CVM.25: a method the terminal does not have, no next rule", list("1E001F00", func(b *bed) { b.set(tagCVMCap, "08") }), out("nocvm"), res("3F0001", "0000808001")},
		{"CVM.25: the last rule says next", list("5E00", func(b *bed) { b.set(tagCVMCap, "08") }), out("nocvm"), res("3F0001", "0000808001")},
		{"CVM.24: fail", list("0000 1F00"), out("nocvm"), res("000001", "0000808001")},
		{"CVM.24: fail with next", list("4000 1F00"), out("nocvm"), res("1F0002", "0000008001")},
		{"CVM.24: fail with next as the last rule", list("4000"), out("nocvm"), res("400001", "0000808001")},
		{"CVM.16: a method that is not known", list("0600 1F00"), out("nocvm"), res("3F0001", "0000C08001")},
		{"CVM.16: a method that is not known, next rule", list("4600 1F00"), out("nocvm"), res("1F0002", "0000408001")},
		{"CVM.17: a PIN that the card compares is not possible", list("4100 4300 4400 4500 1F00", func(b *bed) { b.set(tagCVMCap, "F8") }), out("nocvm"), res("1F0002", "0000008001")},
		{"CVM.10: a condition that is not known", list("020A 1F00"), out("nocvm"), res("1F0002", "0000008001")},
		{"CVM.14: no condition holds", list("020A"), out("nocvm"), res("3F0001", "0000808001")},
		{"CVM.12: unattended cash", list("0201 1F00", typ(typeCash)), out("nocvm"), res("1F0002", "0000008001")},
		{"CVM.12: unattended cash at an ATM", list("0201 1F00", typ(typeCash), func(b *bed) { b.act.Terminal.Type = 0x14 }), out("pin"), res("020100", "0000048001")},
		{"CVM.12: manual cash", list("0204 1F00", typ(typeDisbursement)), out("pin"), res("020400", "0000048001")},
		{"CVM.12: neither cash nor cashback: purchase", list("0202 1F00"), out("pin"), res("020200", "0000048001")},
		{"CVM.12: neither cash nor cashback: cash", list("0202 1F00", typ(typeCash)), out("nocvm"), res("1F0002", "0000008001")},
		{"CVM.12: cashback", list("0205 1F00", typ(typeCashback)), out("pin"), res("020500", "0000048001")},
		{"CVM.12: cashback: purchase", list("0205 1F00"), out("nocvm"), res("1F0002", "0000008001")},
		{"CVM.12: if the terminal has it", list("0203 1F03"), out("pin"), res("020300", "0000048001")},
		{"CVM.12: if the terminal has it: not", list("0203 1F03", func(b *bed) { b.set(tagCVMCap, "08") }), out("nocvm"), res("1F0302", "0000008001")},
		{"CVM.12: under X", list("0206 1F00", amount(19999)), out("pin"), res("020600", "0000048001")},
		{"CVM.12: X itself is not under X", list("0206 1F00"), out("nocvm"), res("1F0002", "0000008001")},
		{"CVM.12: over X", list("0207 1F00", amount(20001)), out("pin"), res("020700", "0000048001")},
		{"CVM.12: X itself is not over X", list("0207 1F00"), out("nocvm"), res("1F0002", "0000008001")},
		{"CVM.12: under Y", list("0208 1F00", amount(29999)), out("pin"), res("020800", "0000048001")},
		{"CVM.12: over Y", list("0209 1F00", amount(30001)), out("pin"), res("020900", "0000048001")},
		{"CVM.11: another currency", list("0207 1F00", amount(20001), func(b *bed) { b.card.set[tagAppCurrency] = unhex("0840") }), out("nocvm"), res("1F0002", "0000008001")},
		{"CVM.11: no currency of the card", list("0207 1F00", amount(20001), func(b *bed) { b.card.drop[tagAppCurrency] = true }), out("nocvm"), res("1F0002", "0000008001")},
	})
}

func TestActionAnalysis(t *testing.T) {
	approved, insert := "APPROVED nocvm ui=03/0/13 dr 0000000000FF", "OTHER nocvm ui=1D/0/13 dr 0000000000FF"
	kind := func(n byte) func(*bed) { return func(b *bed) { b.act.Terminal.Type = n } }
	low := func(more ...func(b *bed)) func(*bed) {
		return func(b *bed) {
			b.amount = 1000
			for _, m := range more {
				m(b)
			}
		}
	}
	drop := func(tag tlv.Tag) func(*bed) { return func(b *bed) { b.card.drop[tag] = true } }
	data := func(tag tlv.Tag, v string) func(*bed) { return func(b *bed) { b.set(tag, v) } }
	iac := func(tag tlv.Tag, v string) func(*bed) { return func(b *bed) { b.card.set[tag] = unhex(v) } }
	high := func(more ...func(b *bed)) func(*bed) { return low(append(more, func(b *bed) { b.amount = 2500 })...) }
	run(t, []testCase{
		{"TAA.3: the issuer denies", high(iac(tagIACDenial, "0000008000")), insert, nil},
		{"TAA.3: the terminal denies", high(data(tagTACDenial, "0000008000")), insert, nil},
		{"TAA.2: no code of the issuer: the terminal's alone", high(drop(tagIACDenial), data(tagTACDenial, "0000008000")), insert, nil},
		{"TAA.2: no code of the issuer is no denial", high(drop(tagIACDenial)), online, nil},
		{"TAA.4.1: an online-only terminal goes online always", low(kind(0x21)), online, nil},
		{"TAA.4.1: type 11", low(kind(0x11)), online, nil},
		{"TAA.4.1: type 14", low(kind(0x14)), online, nil},
		{"TAA.4.1: type 24", low(kind(0x24)), online, nil},
		{"TAA.4.1: type 34", low(kind(0x34)), online, nil},
		{"TAA.3: an online-only terminal denies too", high(kind(0x21), data(tagTACDenial, "0000008000")), insert, nil},
		{"TAA.12: nothing speaks against it: TC", low(), approved, nil},
		{"TAA.11: the issuer's online code", high(data(tagTACOnline, "0000000000")), online, nil},
		{"TAA.11: the terminal's online code", high(iac(tagIACOnline, "0000000000")), online, nil},
		{"TAA.12: neither", high(iac(tagIACOnline, "0000000000"), data(tagTACOnline, "0000000000")), approved, nil},
		{"TAA.8: no online code of the issuer: any bit of the TVR", low(drop(tagIACOnline), data(tagTACOnline, "0000000000")), online, nil},
		{"TAA.18: an offline-only terminal: TC", low(kind(0x23)), approved, nil},
		{"TAA.18: the online codes do not count there", high(kind(0x23), data(tagTACDefault, "0000000000")), approved, nil},
		{"TAA.17: the terminal's default code", high(kind(0x23)), insert, nil},
		{"TAA.17: the issuer's default code", high(kind(0x13), data(tagTACDefault, "0000000000"), iac(tagIACDefault, "0000008000")), insert, nil},
		{"TAA.14: no default code of the issuer: any bit of the TVR", low(kind(0x26), drop(tagIACDefault)), insert, nil},
		{"TAA.6: type 36", high(kind(0x36)), insert, nil},
		{"TAA.6: type 16", high(kind(0x16)), insert, nil},
		{"defaults: action codes 840000000C deny a card without authentication", func(b *bed) {
			for _, tag := range []tlv.Tag{tagTACDefault, tagTACDenial, tagTACOnline} {
				delete(b.data, uint32(tag))
			}
			b.card.aip = "1880"
		}, insert, nil},
	})
}

func TestOnDevice(t *testing.T) {
	device := func(n int64, more ...func(b *bed)) func(*bed) {
		return func(b *bed) {
			b.card.aip, b.amount = "1B80", n
			b.set(tagKernelConfig, "20")
			for _, m := range more {
				m(b)
			}
		}
	}
	code := "ONLINE code receipt ui=1B/0/0 dr 0000000000FF"
	run(t, []testCase{
		{"S3.34: the limit with verification on the device", device(90000), code, nil},
		{"S3.34: above it", device(90001), "NEXT C 0005000000FF", nil},
		{"S3.33: without DF811B bit 6 the other limit", device(50001, func(b *bed) { b.set(tagKernelConfig, "00") }), "NEXT C 0005000000FF", nil},
		{"GAC.22: no authentication wanted: declined", device(20000, func(b *bed) { b.card.aip = "1A80" }), "OTHER code receipt ui=1D/0/13 dr 0000000000FF", func(b *bed) {
			b.eq("P1", hexOf(b.card.cmds["GAC"][2:3]), "00")
		}},
		{"GAC.22: authentication failed: declined", device(20000, func(b *bed) { b.act.CAKeys = nil }), "OTHER code receipt ui=1D/0/13 dr 0000000000FF", func(b *bed) {
			b.eq("P1", hexOf(b.card.cmds["GAC"][2:3]), "00")
		}},
		{"GAC.22: the card answers more: card data error", device(20000, func(b *bed) { b.act.CAKeys = nil; b.card.cid = acARQC }), otherCard + "00060000001C", nil},
		{"KS.2: mobile support indicator 01 in the PDOL", device(20000, func(b *bed) { b.card.pdol = "9F7E01" }), code, func(b *bed) {
			b.eq("GPO", hexOf(b.card.cmds["GPO"]), "80A80000038301"+"0100")
		}},
	})
}

func TestRelayResistance(t *testing.T) {
	// Expected transmission: 1.8 ms there, 2.4 ms back; the card says 1 to 5 ms for itself, grace 2 ms and 5 ms.
	relay := func(ms ...float64) func(*bed) {
		return func(b *bed) {
			b.card.aip = "1981"
			b.set(tagKernelConfig, "10")
			for _, m := range ms {
				b.card.relay = append(b.card.relay, time.Duration(m*float64(time.Millisecond)))
			}
		}
	}
	and := func(f func(*bed), more func(b *bed)) func(*bed) { return func(b *bed) { f(b); more(b) } }
	seen := func(tvr, n string) func(*bed) {
		return func(b *bed) {
			b.eq("TVR", b.tvr(), tvr)
			v, _ := b.out.Objects.Get(tagRRPCounter)
			b.eq("counter", hexOf(v), n)
		}
	}
	run(t, []testCase{
		{"SR1.32: in time: performed", relay(6), online, seen("0000008002", "00")},
		{"SR1.18: measured time without transmission", relay(6), online, func(b *bed) {
			v, _ := b.out.Objects.Get(tagMeasured)
			b.eq("DF8306", hexOf(v), "0012") // 6.0 - 1.8 - 2.4 ms
		}},
		{"SR1.18: never below zero", and(relay(1), func(b *bed) { b.card.minTime = 0 }), online, func(b *bed) {
			v, _ := b.out.Objects.Get(tagMeasured)
			b.eq("DF8306", hexOf(v), "0000")
		}},
		{"SR1.18: the shorter of the two estimates for the answer", and(relay(6), func(b *bed) { b.card.estTime = 12 }), online, func(b *bed) {
			v, _ := b.out.Objects.Get(tagMeasured)
			b.eq("DF8306", hexOf(v), "001E") // 6.0 - 1.8 - 1.2 ms
		}},
		{"SR1.19: sooner than the card can: card data error", and(relay(6), func(b *bed) { b.card.minTime = 40 }), otherCard + "00060000001C", nil},
		{"SR1.19: the grace is kept", and(relay(6.2), func(b *bed) { b.card.minTime = 40 }), online, seen("0000008002", "00")},
		{"SR1.22: the upper limit with its grace", relay(14.2), online, seen("0000008002", "00")},
		{"SR1.23: too slow once: again with a new number", relay(14.3, 6), online, func(b *bed) {
			seen("0000008002", "01")(b)
			v, _ := b.out.Objects.Get(tagTerminalEntropy)
			if b.field(tagUN) != hexOf(v) || b.field(tagUN) == "11223344" {
				b.t.Errorf("9F37 %s, entropy %X", b.field(tagUN), v)
			}
		}},
		{"SR1.23: too slow twice", relay(99, 99, 6), online, seen("0000008002", "02")},
		{"SR1.29: too slow three times: time limits exceeded", relay(14.3, 14.3, 14.3), online, seen("0000008006", "02")},
		{"SR1.29: and it stays at three", relay(20, 20, 20, 1), online, func(b *bed) {
			b.eq("commands", b.card.log[1]+b.card.log[2]+b.card.log[3]+b.card.log[4], "RRPRRPRRPRR 2.1")
		}},
		{"SR1.30: much above the card's minimum: threshold exceeded", and(relay(40), func(b *bed) { b.card.maxTime = 1000 }), online, seen("000000800A", "00")},
		{"SR1.30: the accuracy itself", and(relay(35.2), func(b *bed) { b.card.maxTime = 1000 }), online, seen("0000008002", "00")},
		{"SR1.30: the card estimates nothing: threshold exceeded", and(relay(6), func(b *bed) { b.card.estTime = 0 }), online, seen("000000800A", "00")},
		{"SR1.30: the terminal expects nothing: threshold exceeded", and(relay(6), func(b *bed) { b.set(tagExpectedR, "0000") }), online, seen("000000800A", "00")},
		{"SR1.30: estimates half apart", and(relay(6), func(b *bed) { b.card.estTime = 12 }), online, seen("0000008002", "00")},
		{"SR1.30: estimates more than half apart", and(relay(6), func(b *bed) { b.card.estTime = 11 }), online, seen("000000800A", "00")},
		{"SR1.30: estimates more than half apart the other way", and(relay(6), func(b *bed) { b.card.estTime = 49 }), online, seen("000000800A", "00")},
		{"SR1.4: the card goes: present again", and(relay(6), func(b *bed) { b.card.fail["RRP"] = []error{timeout{}} }), again + "010000000021", nil},
		{"SR1.6: STOP", and(relay(6), func(b *bed) { b.card.before["RRP"] = func() { b.k.Stop() } }), "END 0000020000FF", nil},
		{"SR1.12: status other than 9000", and(relay(6), func(b *bed) { b.card.sw["RRP"] = 0x6700 }), otherCard + "00030067001C", nil},
		{"SR1.17: nine bytes: parsing error", and(relay(6), func(b *bed) { b.card.answer["RRP"] = unhex("8009 D1D2D3D4 000A 0032 00") }), otherCard + "00040000001C", nil},
		{"SR1.17: another template: parsing error", and(relay(6), func(b *bed) { b.card.answer["RRP"] = unhex("770A D1D2D3D4 000A 0032 0018") }), otherCard + "00040000001C", nil},
		{"S910.4.1: other values in the signature: CAM failed", and(relay(6), func(b *bed) { b.card.lieRelay = true }), otherCard + "00020000001C", nil},
		{"S910.4.1: no values in the signature: CAM failed", and(relay(6), func(b *bed) { b.card.before["GAC"] = func() { b.card.relayData = nil } }), otherCard + "00020000001C", nil},
		{"S910.39: no signature: counter, entropy and time in track 2", and(relay(6), func(b *bed) { b.card.aip = "1881" }), online, func(b *bed) {
			// Index 5, counter 0, D3D4 = 54228, D2 = 210, 1 ms; PAN of 16 digits.
			b.eq("57", b.field(tagTrack2Eq), testPAN+"D3012201"+"5054228210001"+"F")
		}},
		{"S910.39: a long PAN leaves three digits less", and(relay(6), func(b *bed) {
			b.card.aip = "1881"
			b.card.set[tagPAN] = unhex("5413330000000000013F")
			b.card.set[tagTrack2Eq] = unhex("5413330000000000013D3012201000")
		}), online, func(b *bed) { b.eq("57", b.field(tagTrack2Eq), "5413330000000000013D3012201"+"5054228001"+"F") }},
		{"S910.39: more than 999 ms", and(relay(1500), func(b *bed) {
			b.card.aip = "1881"
			b.card.maxTime = 0xFF00
		}), online, func(b *bed) { b.eq("57", b.field(tagTrack2Eq)[24:37], "5054228210999") }},
	})
}
