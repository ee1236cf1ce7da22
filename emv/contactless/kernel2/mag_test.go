package kernel2

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// mag makes the bed one of mag-stripe mode. PCVC3 has bits 2 to 4, PUNATC 5 to 11, of which the ATC takes three: nUN is 4.
func mag(more ...func(b *bed)) func(*bed) {
	return func(b *bed) {
		b.opt.MagStripe = true
		b.set(tagMagCVMCap, "20").set(tagMagNoCVMCap, "00")
		magCard(b.card)
		b.card.aip = "0000"
		for _, m := range more {
			m(b)
		}
	}
}

const magOK = "ONLINE nocvm dr 0000000000FF"

func track1(b *bed) {
	b.card.mag[tagTrack1] = []byte("B5413330000000005^TEST/CARD^30122010000000000000000")
	b.card.mag[tagPCVC3T1], b.card.mag[tagPUNATCT1], b.card.mag[tagNATCT1] = unhex("00000000000E"), unhex("0000000007F0"), []byte{3}
	b.card.ccc[tagCVC3T1] = unhex("0456")
}

func magDevice(b *bed) {
	b.card.aip = "0200"
	b.set(tagKernelConfig, "20")
}

func TestMagStripe(t *testing.T) {
	drop := func(tag tlv.Tag) func(*bed) { return mag(func(b *bed) { delete(b.card.mag, tag) }) }
	set := func(tag tlv.Tag, v string) func(*bed) { return mag(func(b *bed) { b.card.mag[tag] = unhex(v) }) }
	waits := func(want ...int) func(*bed) {
		return func(b *bed) {
			var got []int
			for _, w := range b.waits {
				got = append(got, int(w/time.Millisecond))
			}
			if len(got) != len(want) || len(got) > 0 && got[len(got)-1] != want[len(want)-1] {
				b.t.Errorf("waited %v ms, want %v", got, want)
			}
		}
	}
	run(t, []testCase{
		{"S3.17: mag-stripe mode when the card has no EMV mode", mag(), magOK, func(b *bed) {
			b.eq("commands", strings.Join(b.card.log, ","), "GPO,RR 1.1,CCC")
		}},
		{"S3.15: mag-stripe mode when the reader has no EMV mode", mag(func(b *bed) { b.card.aip = "1980"; b.set(tagKernelConfig, "40") }), magOK, nil},
		{"S3.18: DF811B says no mag-stripe mode", mag(func(b *bed) { b.set(tagKernelConfig, "80") }), otherCard + "00070000001C", nil},
		{"S3.72: the mag-stripe record alone is read", mag(func(b *bed) { b.card.optAFL = true }), magOK, func(b *bed) {
			b.eq("commands", strings.Join(b.card.log, ","), "GPO,RR 1.1,CCC")
		}},
		{"S13.18: checksum, number and ATC in track 2", mag(), magOK, func(b *bed) {
			// DD has 13 digits. CVC3 0123h = 00291 at bits 4 to 2, ATC 0123h = 291 at bits 11 to 9, four digits of 9F6A at 8 to 5, nUN at 1.
			v, _ := b.out.Objects.Get(tagUNNumeric)
			un := hexOf(v)
			b.eq("leading digits of 9F6A", un[:4], "0000")
			b.eq("9F6B", b.field(tagTrack2), testPAN+"D3012201"+"00"+"291"+un[4:]+"291"+"4"+"F")
			b.eq("CCC", hexOf(b.card.cmds["CCC"]), "802A8E8004"+un+"00")
		}},
		{"S13.21: the same in track 1", mag(track1), magOK, func(b *bed) {
			v, _ := b.out.Objects.Get(tagUNNumeric)
			got := string(unhex(b.field(tagTrack1)))
			b.eq("56", got[:35], "B5413330000000005^TEST/CARD^3012201")
			b.eq("discretionary data of 56", got[35:], "00000"+"291"+hexOf(v)[4:]+"110"+"4") // 0456h = 1110
		}},
		{"S7.23: DF812A and DF812B keep what the card gave", mag(track1), magOK, func(b *bed) {
			b.eq("DF812B", b.disc(tagDDTrack2), "0000000000000F")
			b.eq("DF812A", b.disc(tagDDTrack1), hexOf([]byte("0000000000000000")))
		}},
		{"records: objects of mag-stripe mode in their order", mag(track1, func(b *bed) { b.card.fci[tagACI] = unhex("000000") }), magOK, func(b *bed) {
			b.eq("data record", tlvs(b.out.DataRecord), "50 84 9F6D 56 9F6B")
			b.eq("discretionary data", tlvs(b.out.Discretionary), "9F5D DF812A DF812B DF8115")
		}},
		{"S7.20: no track 2: card data missing", drop(tagTrack2), otherCard + "00010000001C", nil},
		{"S7.20: no PCVC3: card data missing", drop(tagPCVC3T2), otherCard + "00010000001C", nil},
		{"S7.20: no PUNATC: card data missing", drop(tagPUNATCT2), otherCard + "00010000001C", nil},
		{"S7.20: no NATC: card data missing", drop(tagNATCT2), otherCard + "00010000001C", nil},
		{"S7.22: fewer places than digits of the ATC: card data error", set(tagNATCT2, "08"), otherCard + "00060000001C", nil},
		{"S7.22: more than eight digits: card data error", set(tagPUNATCT2, "1FFF"), otherCard + "00060000001C", nil},
		{"S7.22: eight digits", mag(func(b *bed) { b.card.mag[tagPUNATCT2], b.card.mag[tagNATCT2] = unhex("0FF0"), []byte{0} }), magOK, nil},
		{"S7.22: no digits", mag(func(b *bed) { b.card.mag[tagPUNATCT2], b.card.mag[tagNATCT2] = unhex("0070"), []byte{3} }), magOK, func(b *bed) {
			b.eq("9F6B", b.field(tagTrack2), testPAN+"D3012201"+"000000"+"291"+"291"+"0"+"F")
		}},
		{"own bound: a bitmap beyond the digits: card data error", set(tagPCVC3T2, "8000"), otherCard + "00060000001C", nil},
		{"S7.23: track 2 without separator: card data error", set(tagTrack2, testPAN), otherCard + "00060000001C", nil},
		{"S7.23: track 2 without discretionary data: card data error", set(tagTrack2, testPAN+"D3012201"), otherCard + "00060000001C", nil},
		{"S7.23: track 2 with letters: card data error", set(tagTrack2, testPAN+"D30122010000C000000F"), otherCard + "00060000001C", nil},
		{"S7.24: track 1 without its bitmaps: card data error", mag(track1, func(b *bed) { delete(b.card.mag, tagPUNATCT1) }), otherCard + "00060000001C", nil},
		{"S7.24: track 1 wants another number of digits: card data error", mag(track1, func(b *bed) { b.card.mag[tagNATCT1] = []byte{2} }), otherCard + "00060000001C", nil},
		{"S7.23: track 1 of another format: card data error", mag(track1, func(b *bed) { b.card.mag[tagTrack1][0] = 'A' }), otherCard + "00060000001C", nil},
		{"S7.3: the card goes: present again", mag(func(b *bed) { b.card.fail["RR 1.1"] = []error{timeout{}} }), again + "010000000021", nil},
		{"S7.6: STOP", mag(func(b *bed) { b.card.before["RR 1.1"] = func() { b.k.Stop() } }), "END 0000020000FF", nil},
		{"S7.10: status other than 9000", mag(func(b *bed) { b.card.sw["RR 1.1"] = 0x6A83 }), otherCard + "0003006A831C", nil},
		{"S7.13: no template 70: parsing error", mag(func(b *bed) { b.card.answer["RR 1.1"] = unhex("770100") }), otherCard + "00040000001C", nil},
		{"S7.14: UDOL that is no list: parsing error", mag(func(b *bed) { b.card.mag[tagUDOL] = unhex("9F6A") }), otherCard + "00040000001C", nil},
		{"S78.9: no amount", mag(func(b *bed) { b.set(tagAmount, ""); b.card.pdol = "9F3704" }), "END 0000030000FF", nil},
		{"S78.11: above the transaction limit: next application", mag(func(b *bed) { b.amount = 50001 }), "NEXT C 0005000000FF", nil},
		{"S78.14: tags to read are sent", mag(func(b *bed) { talk(b); b.set(tagTagsToRead, "9F20") }), magOK, func(b *bed) {
			b.eq("DEK", strings.Join(b.opt.Terminal.(*talker).deks, ";"), "/9F20=")
		}},
		{"S8: the first write flag holds back", mag(func(b *bed) { talk(b, "DF81100101"); b.set(tagFirstWrite, "00") }), magOK, nil},
		{"S8.3: time-out", mag(func(b *bed) { talk(b); b.set(tagFirstWrite, "00") }), "END 0000010000FF", nil},
		{"S78.17: the card's UDOL", mag(func(b *bed) { b.card.mag[tagUDOL] = unhex("9F6A049F02069F7E01") }), magOK, func(b *bed) {
			b.eq("CCC", hexOf(b.card.cmds["CCC"])[18:], "000000002500"+"01"+"00")
		}},
		{"S78.17: a UDOL that asks for too much: parsing error", mag(func(b *bed) { b.card.mag[tagUDOL] = unhex("9F6AFF9F02FF") }), otherCard + "00040000001C", nil},
		{"S13.2: the card goes: delay, present again", mag(func(b *bed) { b.card.fail["CCC"] = []error{timeout{}} }), again + "010000000021", waits(300)},
		{"S13.10: status other than 9000: delay", mag(func(b *bed) { b.card.sw["CCC"] = 0x6985 }), otherCard + "00030069851C", waits(300)},
		{"S13.13: another template: delay", mag(func(b *bed) { b.card.answer["CCC"] = unhex("80020123") }), otherCard + "00040000001C", waits(300)},
		{"S13.14.4: no ATC", mag(func(b *bed) { b.card.answer["CCC"] = unhex("7705 9F61020123") }), otherCard + "00010000001C", waits(300)},
		{"S13.14.3: no checksum and no reason", mag(func(b *bed) { b.card.ccc = nil }), otherCard + "00010000001C", waits(300)},
		{"S13.16: no checksum for track 1", mag(track1, func(b *bed) { delete(b.card.ccc, tagCVC3T1) }), otherCard + "00010000001C", waits(300)},
		{"S13.43: no checksum, refused: declined", mag(func(b *bed) { b.card.ccc = map[tlv.Tag][]byte{tagPCII: unhex("000000")} }), "DECLINED ui=07/0/13 dr 0000000000FF", waits(300)},
		{"S13.45: no checksum, second tap", mag(func(b *bed) { b.card.ccc = map[tlv.Tag][]byte{tagPCII: unhex("000200")} }), "END B re=20/2 dr 0000000000FF", func(b *bed) {
			waits(300)(b)
			if len(b.ui) != 2 || b.ui[1].Message != contactless.MsgSeePhone {
				b.t.Errorf("shown: %v", b.ui)
			}
		}},
		{"S13.14.8: the device has verified its holder: nUN and 5", mag(func(b *bed) { b.card.ccc[tagPCII] = unhex("001000") }), magOK, func(b *bed) {
			if v := b.field(tagTrack2); v[len(v)-2:] != "9F" {
				b.t.Error("last digit", v[len(v)-2:])
			}
		}},
		{"S13.26: above the CVM limit: DF811E, receipt", mag(func(b *bed) { b.amount = 20000 }), "ONLINE pin receipt dr 0000000000FF", nil},
		{"S13.25: DF812C with a signature: receipt", mag(func(b *bed) { b.set(tagMagNoCVMCap, "10") }), "ONLINE sign receipt dr 0000000000FF", nil},
		{"S13.25: DF812C not applicable", mag(func(b *bed) { b.set(tagMagNoCVMCap, "F0") }), "ONLINE dr 0000000000FF", nil},
		{"S78.20: above the limit the device is asked to verify", mag(magDevice, func(b *bed) {
			b.amount = 20000
			b.card.mag[tagUDOL] = unhex("9F6A049F7E01")
			b.card.ccc[tagPCII] = unhex("001000")
		}), "ONLINE code receipt dr 0000000000FF", func(b *bed) { b.eq("9F7E", hexOf(b.card.cmds["CCC"])[18:20], "03") }},
		{"S78.19: below the limit it is not", mag(magDevice, func(b *bed) {
			b.card.mag[tagUDOL] = unhex("9F6A049F7E01")
			b.card.ccc[tagPCII] = unhex("000000")
		}), magOK, func(b *bed) { b.eq("9F7E", hexOf(b.card.cmds["CCC"])[18:20], "01") }},
		{"S14.34: it verified all the same: code", mag(magDevice, func(b *bed) { b.card.ccc[tagPCII] = unhex("001000") }), "ONLINE code dr 0000000000FF", nil},
		{"S14.21.1: it did not verify though it should: card data error", mag(magDevice, func(b *bed) {
			b.amount = 20000
			b.card.ccc[tagPCII] = unhex("000000")
		}), otherCard + "00060000001C", waits(300)},
		{"S14.14: no DF4B: card data missing", mag(magDevice), otherCard + "00010000001C", waits(300)},
		{"S14.19.3: no checksum: declined", mag(magDevice, func(b *bed) { b.card.ccc = map[tlv.Tag][]byte{tagPCII: unhex("000000")} }), "DECLINED ui=07/0/13 dr 0000000000FF", waits(300)},
		{"S14.19.1: bits of DF4B that mean no second tap", mag(magDevice, func(b *bed) { b.card.ccc = map[tlv.Tag][]byte{tagPCII: unhex("000800")} }), "DECLINED ui=07/0/13 dr 0000000000FF", nil},
		{"S14.22: no checksum, second tap", mag(magDevice, func(b *bed) { b.card.ccc = map[tlv.Tag][]byte{tagPCII: unhex("000100")} }), "END B re=20/2 dr 0000000000FF", nil},
		{"S14.16: no checksum for track 1", mag(magDevice, track1, func(b *bed) {
			b.card.ccc = map[tlv.Tag][]byte{tagCVC3T2: unhex("0123"), tagPCII: unhex("001000")}
		}), otherCard + "00010000001C", waits(300)},
	})
}

func TestFailureDelay(t *testing.T) {
	b := newBed(t)
	mag()(b)
	b.card.sw["CCC"] = 0x6985
	for _, ms := range []int{300, 600, 1200, 2400, 4800, 9600, 9600} {
		b.activate()
		if got := int(b.waits[len(b.waits)-1] / time.Millisecond); got != ms {
			t.Errorf("waited %d ms, want %d", got, ms)
		}
	}
	delete(b.card.sw, "CCC")
	b.want(magOK)
	b.card.sw["CCC"] = 0x6985
	b.activate()
	if got := b.waits[len(b.waits)-1]; got != 300*time.Millisecond {
		t.Errorf("after a success: waited %v", got)
	}
}

// A reference for place and fill: strings and big numbers instead of bits.
func TestFillTrack(t *testing.T) {
	for pcvc3 := range int64(1 << 8) {
		for punatc := range int64(1 << 8) {
			ones := strings.Count(big.NewInt(punatc).Text(2), "1")
			for nATC := range ones + 1 {
				k := track{dd: []byte("99999999")}
				nUN := ones - nATC
				if !k.fill(pcvc3, 12345, punatc, "00004321", nUN, "67890", nATC, 5) {
					t.Fatalf("%X %X %d: refused", pcvc3, punatc, nATC)
				}
				want := []byte("99999999")
				digits := "00012345"
				for i, j := 0, 0; i < 8; i++ {
					if pcvc3>>i&1 == 1 {
						want[7-i] = digits[7-j]
						j++
					}
				}
				for i, j := 0, 0; i < 8; i++ {
					if punatc>>i&1 == 0 {
						continue
					}
					if j < nUN {
						want[7-i] = "00004321"[7-j]
					} else {
						want[7-i] = "00067890"[7-(j-nUN)]
					}
					j++
				}
				want[7] = '5'
				if string(k.dd) != string(want) {
					t.Fatalf("PCVC3 %08b PUNATC %08b nATC %d: %s, want %s", pcvc3, punatc, nATC, k.dd, want)
				}
			}
		}
	}
}
