package kernel2

import (
	"context"
	"strings"
	"testing"
	"time"

	"posd/emv/tlv"
)

// talker is a merchant's application: it notes each DEK and answers from a list. An answer of "-" is nothing.
type talker struct {
	b     *bed
	deks  []string
	reply []string
	waits []time.Duration
	hook  func()
}

func (x *talker) DEK(needed []tlv.Tag, send []byte) {
	var n []string
	for _, t := range needed {
		n = append(n, t.String())
	}
	var got []string
	for {
		o, rest, ok := terminalObject(send)
		if !ok {
			break
		}
		got = append(got, o.Tag.String()+"="+hexOf(o.Value))
		send = rest
	}
	x.deks = append(x.deks, strings.Join(n, " ")+"/"+strings.Join(got, " "))
}

func (x *talker) DET(_ context.Context, wait time.Duration) []byte {
	if wait == 0 {
		return nil
	}
	x.waits = append(x.waits, wait)
	if x.hook != nil {
		x.hook()
	}
	if len(x.reply) == 0 {
		x.b.clock.now = x.b.clock.now.Add(wait)
		return nil
	}
	r := x.reply[0]
	x.reply = x.reply[1:]
	if r == "-" {
		return nil
	}
	return unhex(r)
}

// talk gives the bed a merchant's application.
func talk(b *bed, replies ...string) *talker {
	x := &talker{b: b, reply: replies}
	b.opt.Terminal = x
	return x
}

func TestDataExchange(t *testing.T) {
	var x *talker
	deks := func(want ...string) func(*bed) {
		return func(b *bed) { b.eq("DEK", strings.Join(x.deks, ";"), strings.Join(want, ";")) }
	}
	run(t, []testCase{
		{"S2: the amount comes by data exchange", func(b *bed) { x = talk(b, "9F0206000000000700"); b.set(tagAmount, "") }, "APPROVED nocvm ui=03/0/13 dr 0000000000FF", func(b *bed) {
			deks("9F02/")(b)
			b.eq("9F02", b.field(tagAmount), "000000000700")
		}},
		{"S2: not at once", func(b *bed) { x = talk(b, "9F5301AA", "9F0206000000000700"); b.set(tagAmount, "") }, "APPROVED nocvm ui=03/0/13 dr 0000000000FF", nil},
		{"S2.6: the terminal keeps silent: time-out", func(b *bed) { x = talk(b); b.set(tagAmount, "") }, "END 0000010000FF", func(b *bed) {
			if len(x.waits) != 1 || x.waits[0] != 500*time.Millisecond {
				b.t.Errorf("waited %v", x.waits)
			}
		}},
		{"S2.6: DF8127 says how long", func(b *bed) { x = talk(b); b.set(tagAmount, "").set(tagTimeOut, "0064") }, "END 0000010000FF", func(b *bed) {
			if x.waits[0] != 100*time.Millisecond {
				b.t.Errorf("waited %v", x.waits)
			}
		}},
		{"S2.6: useless answers do not make it longer", func(b *bed) {
			x = talk(b, "9F5301AA", "9F5301AA", "9F5301AA")
			x.hook = func() { b.clock.now = b.clock.now.Add(300 * time.Millisecond) }
			b.set(tagAmount, "")
		}, "END 0000010000FF", func(b *bed) {
			if len(x.waits) != 2 {
				b.t.Errorf("waited %v", x.waits)
			}
		}},
		{"S2.7: STOP", func(b *bed) { x = talk(b, "9F5301AA"); x.hook = func() { b.k.Stop() }; b.set(tagAmount, "") }, "END 0000020000FF", nil},
		{"S2: no terminal at the other end: time-out", func(b *bed) { b.set(tagAmount, "") }, "END 0000010000FF", nil},
		{"4.1.2: what the terminal may not set is passed over", func(b *bed) {
			x = talk(b, "9505FFFFFFFFFF DF8126060000000FFFFF 9F26081111111111111111 9F0206000000002500")
			b.set(tagAmount, "")
		}, online, func(b *bed) { b.eq("TVR", b.tvr(), "0000008001") }},
		{"4.1.2: a wrong length is passed over", func(b *bed) { x = talk(b, "9F02050000000700"); b.set(tagAmount, "") }, "END 0000010000FF", nil},
		{"4.1.2: bytes that are no object end the list", func(b *bed) { x = talk(b, "9F0206000000002500 9F"); b.set(tagAmount, "") }, online, nil},
		{"S1.12: an object with a value is not asked for", func(b *bed) { x = talk(b) }, online, deks()},
		{"S4.29: CDOL1 asks for what is empty", func(b *bed) {
			x = talk(b, "9F5301AA DF81100101")
			b.set(tagFirstWrite, "00")
			b.card.set[tagCDOL1] = unhex(testCDOL1[:len(testCDOL1)-6] + "9F5301" + "9F3704")
			b.card.aip = "1880"
			b.set(tagCategoryCode, "")
		}, online, func(b *bed) {
			deks("9F53/")(b)
			b.eq("9F53", hexOf(b.card.cmds["GAC"][5+25:5+26]), "AA")
		}},
		{"S456.23: what is only needed is not asked for any more", func(b *bed) {
			x = talk(b)
			b.card.set[tagCDOL1] = unhex(testCDOL1[:len(testCDOL1)-6] + "9F5301" + "9F3704")
			b.card.aip = "1880"
			b.set(tagCategoryCode, "").set(tagTagsToRead, "9F20")
		}, online, deks("/9F20=")},
		{"S3R1.16: tags to read that are there are sent", func(b *bed) { x = talk(b); b.set(tagTagsToRead, "50") }, online, deks("/50=4D415354455243415244")},
		{"S456.4: tags to read are sent when the last is there", func(b *bed) { x = talk(b); b.set(tagTagsToRead, "509F07") }, online, deks("/50=4D415354455243415244 9F07=FF80")},
		{"S456.21: tags that never came are sent empty", func(b *bed) { x = talk(b); b.set(tagTagsToRead, "9F20") }, online, deks("/9F20=")},
		{"S456.21: tags that are not known are not sent", func(b *bed) { x = talk(b); b.set(tagTagsToRead, "DF9901") }, online, deks()},
		{"S5: GET DATA for what the terminal wants, before the records", func(b *bed) { x = talk(b); b.set(tagTagsToRead, "9F75") }, online, func(b *bed) {
			b.eq("second command", b.card.log[1], "GET 9F75")
			deks("/9F75=44415441")(b)
		}},
		{"S5.19: the card does not give it: empty", func(b *bed) { x = talk(b); b.set(tagTagsToRead, "9F75"); b.card.sw["GET 9F75"] = 0x6A88 }, online, deks("/9F75=")},
		{"S5.21: another object: empty", func(b *bed) { x = talk(b); b.set(tagTagsToRead, "9F75"); b.card.answer["GET 9F75"] = unhex("9F760101") }, online, deks("/9F75=")},
		{"S5.21: an answer that cannot be read: empty", func(b *bed) { x = talk(b); b.set(tagTagsToRead, "9F75"); b.card.answer["GET 9F75"] = unhex("9F7505") }, online, deks("/9F75=")},
		{"S5.5: the card goes: present again", func(b *bed) { x = talk(b); b.set(tagTagsToRead, "9F75"); b.card.fail["GET 9F75"] = []error{errBroken} }, again + "020000000021", nil},
		{"S5.8: STOP", func(b *bed) {
			x = talk(b)
			b.set(tagTagsToRead, "9F75")
			b.card.before["GET 9F75"] = func() { b.k.Stop() }
		}, "END 0000020000FF", nil},
		{"S456.5: an empty first write flag holds the transaction back", func(b *bed) { x = talk(b, "DF81100101"); b.set(tagFirstWrite, "") }, online, deks("DF8110/")},
		{"S456.11: a zero flag too", func(b *bed) { x = talk(b, "DF81100101"); b.set(tagFirstWrite, "00") }, online, nil},
		{"S456.11: a flag of one does not", func(b *bed) { x = talk(b); b.set(tagFirstWrite, "01") }, online, func(b *bed) {
			if len(x.waits) != 0 {
				b.t.Errorf("waited %v", x.waits)
			}
		}},
		{"S6.3: time-out", func(b *bed) { x = talk(b); b.set(tagFirstWrite, "00") }, "END 0000010000FF", nil},
		{"S6.4: STOP", func(b *bed) { x = talk(b, "9F5301AA"); x.hook = func() { b.k.Stop() }; b.set(tagFirstWrite, "00") }, "END 0000020000FF", nil},
		{"S6: more tags to read meanwhile", func(b *bed) { x = talk(b, "DF811202 9F76", "DF81100101"); b.set(tagFirstWrite, "00") }, online, deks("/9F76=44415441")},
		{"S6: tags to write meanwhile", func(b *bed) { x = talk(b, "FF810204 9F7501AB DF81100101"); b.set(tagFirstWrite, "00") }, online, func(b *bed) {
			b.eq("PUT DATA", hexOf(b.card.cmds["PUT 9F75"]), "80DA9F7501AB")
		}},
		{"S6: tags to write behind the cryptogram", func(b *bed) { x = talk(b, "FF810304 9F7501AB DF81100101"); b.set(tagFirstWrite, "00") }, online, func(b *bed) {
			b.eq("last command", b.card.log[len(b.card.log)-1], "PUT 9F75")
		}},
		{"S1.10: an empty list of tags to read is asked for", func(b *bed) { x = talk(b); b.set(tagTagsToRead, "") }, online, deks("DF8112/")},
	})
}

func TestDataStorage(t *testing.T) {
	var x *talker
	store := func(more ...func(b *bed)) func(*bed) {
		return func(b *bed) {
			x = talk(b)
			b.set(tagDSVN, "0200").set(tagOperatorID, "A1A2A3A4A5A6A7A8")
			b.card.fci[tagACI], b.card.fci[tagDSID] = unhex("010000"), unhex("00541333000000000501")[1:]
			b.card.fci[tagDSID] = unhex("541333000000000501")
			b.card.gpo77 = unhex("9F5F0100 9F7D081111111111111111 9F7F0401020304 9F6F0180")
			for _, m := range more {
				m(b)
			}
		}
	}
	write := func(more ...func(b *bed)) func(*bed) {
		return store(append([]func(b *bed){func(b *bed) {
			b.card.set[tagDSDOL] = unhex("DF6108DF6308")
			b.set(tagODSInfo, "00").set(tagDSACType, "80").set(tagODSReader, "E0").set(tagODSTerm, "EEEEEEEE").set(tagDSInputTerm, "0102030405060708")
		}}, more...)...)
	}
	status := func(v string) func(*bed) { return func(b *bed) { b.eq("DF810B", b.disc(tagDSStatus), v) } }
	dek := func(i int, want string) func(*bed) {
		return func(b *bed) {
			if len(x.deks) <= i {
				b.t.Fatalf("DEK: %v", x.deks)
			}
			b.eq("DEK", x.deks[i], want)
		}
	}
	run(t, []testCase{
		{"S1.18, S3R1.11: the terminal hears of the card's storage", store(), online, dek(0,
			"/9F5E=541333000000000501 9F5D=010000 9F5F=00 9F7D=1111111111111111 9F7F=01020304 9F6F=80 9F37=11223344")},
		{"S910.12: read: the summaries agree", store(), online, status("80")},
		{"S1.19: no version of storage on the card", store(func(b *bed) { b.card.fci[tagACI] = unhex("000000"); b.card.gpo77 = nil }), online, status("00")},
		{"S1.19: no identifier on the card", store(func(b *bed) { delete(b.card.fci, tagDSID); b.card.gpo77 = nil }), online, status("00")},
		{"S1.17: no operator", store(func(b *bed) { delete(b.data, uint32(tagOperatorID)); b.card.gpo77 = nil }), online, status("00")},
		{"S3R1.13: the slot's data are not complete: no reading", store(func(b *bed) {
			b.card.before["GPO"] = func() { b.card.gpo77 = unhex("9F5F0100") }
			b.card.before["GAC"] = func() { b.card.gpo77 = nil }
		}), online, status("00")},
		{"S3R1.12: a used slot needs summary and data", store(func(b *bed) { b.card.gpo77 = unhex("9F7D081111111111111111 9F5402AABB") }), online, status("80")},
		{"S3R1.19: storage wants a signature whatever AIP says", store(func(b *bed) { b.card.aip = "1880" }), online, func(b *bed) {
			b.eq("P1", hexOf(b.card.cmds["GAC"][2:3]), "90")
		}},
		{"S456.20: the identifier is of another PAN: card data error", store(func(b *bed) { b.card.fci[tagDSID] = unhex("541333000000001301") }), otherCard + "00060000001C", nil},
		{"S456.19: no sequence number is 00", store(func(b *bed) { b.card.drop[tagPSN] = true; b.card.fci[tagDSID] = unhex("541333000000000500") }), online, status("80")},
		{"S910.9: no summary in the signature: card data missing", store(func(b *bed) { b.card.summary2, b.card.summary3 = nil, nil }), otherCard + "00010000001C", nil},
		{"S910.11: another summary: IDS read error", store(func(b *bed) { b.card.summary2 = unhex("3333333333333333") }), otherCard + "000B0000001C", nil},
		{"S910.33: no signature with an AAC: card data error", store(func(b *bed) { b.card.cid, b.card.noCDA = acAAC, true }), otherCard + "00060000001C", nil},
		{"GAC.27: nothing to write: a signature, no DSDOL data", store(), online, func(b *bed) {
			b.eq("Lc", hexOf(b.card.cmds["GAC"][4:5]), "1D")
		}},
		{"GAC.45, S910.17: written", write(), online, func(b *bed) {
			status("C0")(b)
			b.eq("Lc", hexOf(b.card.cmds["GAC"][4:5]), "29") // 29 bytes of CDOL1, digest 8, data 4: the last is not padded
			b.eq("DS ODS Term", hexOf(b.card.cmds["GAC"][5+37:5+41]), "EEEEEEEE")
		}},
		{"GAC.43: digest of version 1", write(), online, func(b *bed) {
			b.eq("digest", hexOf(b.card.cmds["GAC"][5+29:5+37]), hexOf(owhf2(unhex("541333000000000501"), unhex("A1A2A3A4A5A6A7A8"), unhex("0102030405060708"))))
		}},
		{"GAC.41: a volatile write to a permanent slot is without operator", write(func(b *bed) { b.set(tagODSInfo, "40") }), online, func(b *bed) {
			b.eq("digest", hexOf(b.card.cmds["GAC"][5+29:5+37]), hexOf(owhf2(unhex("541333000000000501"), make([]byte, 8), unhex("0102030405060708"))))
		}},
		{"GAC.44: digest of version 2, summaries of 16 bytes", write(func(b *bed) {
			b.card.fci[tagACI] = unhex("020000")
			b.card.gpo77 = unhex("9F5F0100 9F7D1011111111111111111111111111111111 9F7F0401020304 9F6F0180")
			b.card.summary2, b.card.summary3 = unhex("11111111111111111111111111111111"), unhex("22222222222222222222222222222222")
		}), online, func(b *bed) {
			status("C0")(b)
			b.eq("digest", hexOf(b.card.cmds["GAC"][5+29:5+37]), hexOf(owhf2AES(unhex("541333000000000501"), unhex("A1A2A3A4A5A6A7A8"), unhex("0102030405060708"))))
		}},
		{"GAC.6: DS AC type is missing: IDS data error", write(func(b *bed) { delete(b.data, uint32(tagDSACType)) }), otherCard + "000D0000001C", nil},
		{"GAC.8: DS AC type ARQC makes a TC an ARQC", write(func(b *bed) { b.amount = 1000 }), online, status("C0")},
		{"GAC.8: DS AC type AAC makes an ARQC an AAC", write(func(b *bed) { b.set(tagDSACType, "00") }), "OTHER nocvm ui=1D/0/13 dr 0000000000FF", status("C0")},
		{"GAC.9: DS AC type TC, usable for ARQC", write(func(b *bed) { b.set(tagDSACType, "40") }), online, status("C0")},
		{"GAC.9: usable for AAC", write(func(b *bed) { b.set(tagDSACType, "40").set(tagTACDenial, "0000008000") }), "OTHER nocvm ui=1D/0/13 dr 0000000000FF", status("C0")},
		{"GAC.11: not usable, stop: IDS no matching AC", write(func(b *bed) { b.set(tagDSACType, "40").set(tagODSReader, "84") }), otherCard + "000E0000001C", nil},
		{"GAC.27: not usable, go on without writing", write(func(b *bed) { b.set(tagDSACType, "40").set(tagODSReader, "80") }), online, status("80")},
		{"S910.15: no third summary: card data missing, with data record", write(func(b *bed) { b.card.only2 = true }), "END ui=1C/0/13 dr 00010000001C", nil},
		{"S910.18: nothing was written, no matter", write(func(b *bed) { b.card.summary3 = b.card.summary2 }), online, status("80")},
		{"S910.19: nothing was written, stop: IDS write error", write(func(b *bed) { b.card.summary3 = b.card.summary2; b.set(tagODSReader, "E2") }), otherCard + "000C0000001C", nil},
		{"S9.7: the card goes while it writes: data record", write(func(b *bed) { b.card.fail["GAC"] = []error{timeout{}} }), "END ui=1C/0/13 dr 01000000001C", nil},
		{"S910.52: an invalid answer while it writes: data record", write(func(b *bed) { b.card.sw["GAC"] = 0x6F00 }), "END ui=1C/0/13 dr 0003006F001C", nil},
		{"S4.33: DSDOL asks for what is empty", write(func(b *bed) {
			b.set(tagODSTerm, "").set(tagFirstWrite, "00")
			x.reply = []string{"DF6302ABCD DF81100101"}
		}), online, func(b *bed) {
			found := false
			for _, d := range x.deks {
				found = found || strings.HasPrefix(d, "DF63/")
			}
			if !found {
				b.t.Error(x.deks)
			}
		}},
		{"S4.32: not for a locked slot", write(func(b *bed) {
			b.set(tagODSTerm, "")
			b.card.gpo77 = unhex("9F5F0100 9F7D081111111111111111 9F7F0401020304 9F6F0110")
		}), online, func(b *bed) {
			for _, d := range x.deks {
				if strings.HasPrefix(d, "DF63/") {
					b.t.Error(x.deks)
				}
			}
		}},
		{"S11.49: written before it was torn: IDS read error, with the torn record", write(func(b *bed) {
			tornBed(b)
			lost(b)
			b.card.sw["RECOVER"] = 0x6985
			b.card.gpo77 = unhex("9F5F0100 9F7D082222222222222222 9F7F0401020304 9F6F0180")
			b.card.summary2, b.card.summary3 = unhex("2222222222222222"), unhex("4444444444444444")
		}), "END ui=1C/0/13 dr 000B0000001C", func(b *bed) {
			rec, ok := TornRecord(b.out.Discretionary)
			if !ok || find(rec, tagDSSummary1) != "1111111111111111" {
				b.t.Errorf("torn record %X", rec)
			}
		}},
		{"S11.12: torn again while it may have written: both records stay", write(func(b *bed) {
			tornBed(b)
			lost(b)
			b.card.sw["RECOVER"] = 0x6985
			b.card.fail["GAC"] = []error{timeout{}}
		}), again + "010000000021", func(b *bed) {
			if b.k.Torn() != 2 {
				b.t.Errorf("%d torn records", b.k.Torn())
			}
		}},
		{"S910.3.1: relay resistance and summaries in one signature", store(func(b *bed) {
			b.card.aip = "1981"
			b.set(tagKernelConfig, "10")
			b.card.relay = []time.Duration{6 * time.Millisecond}
		}), online, status("80")},
		{"S910.3.1: then both summaries must be there", store(func(b *bed) {
			b.card.aip = "1981"
			b.set(tagKernelConfig, "10")
			b.card.relay = []time.Duration{6 * time.Millisecond}
			b.card.only2 = true
		}), otherCard + "00020000001C", nil},
	})
}

// No vectors of the one-way functions are at hand; these pin the steps: the key halves from both ends of DS ID, the operator in the last bytes.
func TestOneWayFunctions(t *testing.T) {
	id, oid, in := unhex("541333000000000501"), unhex("A1A2A3A4A5A6A7A8"), unhex("0102030405060708")
	for name, f := range map[string]func(a, b, c []byte) []byte{"DES": owhf2, "AES": owhf2AES} {
		base := hexOf(f(id, oid, in))
		if len(base) != 16 {
			t.Fatalf("%s: %s", name, base)
		}
		for i := range 3 {
			args := [][]byte{append([]byte{}, id...), append([]byte{}, oid...), append([]byte{}, in...)}
			args[i][len(args[i])-1] ^= 0x10
			if hexOf(f(args[0], args[1], args[2])) == base {
				t.Errorf("%s does not depend on argument %d", name, i)
			}
		}
	}
	if dsPart(0x54) != 108 || dsPart(0x05) != 10 {
		t.Error(dsPart(0x54), dsPart(0x05))
	}
}
