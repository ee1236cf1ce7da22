package kernel2

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// tornBed is a card and a reader that recover.
func tornBed(b *bed) {
	b.set(tagTornMax, "02")
	b.card.set[tagDRDOL] = unhex(testDRDOL)
	b.card.torn = true
}

// lost makes the card go with its cryptogram.
func lost(b *bed) {
	b.card.fail["GAC"] = []error{timeout{}}
	b.want(again + "010000000021")
}

// tear is a case's preparation: a transaction is torn, what follows is the next tap.
func tear(more ...func(b *bed)) func(*bed) {
	return func(b *bed) {
		tornBed(b)
		lost(b)
		b.act.UN = [4]byte{0x55, 0x66, 0x77, 0x88}
		for _, m := range more {
			m(b)
		}
	}
}

func TestTorn(t *testing.T) {
	commands := func(want string) func(*bed) {
		return func(b *bed) { b.eq("commands behind the records", strings.Join(b.card.log[5:], ","), want) }
	}
	kept := func(n int) func(*bed) {
		return func(b *bed) {
			if b.k.Torn() != n {
				b.t.Errorf("%d torn records, want %d", b.k.Torn(), n)
			}
		}
	}
	both := func(f ...func(*bed)) func(*bed) {
		return func(b *bed) {
			for _, g := range f {
				g(b)
			}
		}
	}
	run(t, []testCase{
		{"S9.11: a record is kept, the card is to come again", func(b *bed) {
			tornBed(b)
			b.card.fail["GAC"] = []error{timeout{}}
		}, again + "010000000021", kept(1)},
		{"S9.5: no DRDOL: nothing is kept", func(b *bed) {
			tornBed(b)
			delete(b.card.set, tagDRDOL)
			b.card.fail["GAC"] = []error{timeout{}}
		}, again + "010000000021", kept(0)},
		{"S9.5: the reader keeps none: nothing is kept", func(b *bed) {
			tornBed(b)
			b.set(tagTornMax, "00")
			b.card.fail["GAC"] = []error{timeout{}}
		}, again + "010000000021", kept(0)},
		{"S9.11: DRDOL that is no list: parsing error", func(b *bed) {
			tornBed(b)
			b.card.set[tagDRDOL] = unhex("9F")
			b.card.fail["GAC"] = []error{timeout{}}
		}, otherCard + "00040000001C", kept(0)},
		{"S9.16: a status is no tear", func(b *bed) {
			tornBed(b)
			b.card.sw["GAC"] = 0x6F00
		}, otherCard + "0003006F001C", kept(0)},
		{"S10: the cryptogram is recovered with the values of the torn transaction", tear(), online, both(commands("RECOVER"), kept(0), func(b *bed) {
			b.eq("RECOVER AC", hexOf(b.card.cmds["RECOVER"]), "80D000000D"+"000000002500"+"11223344"+"260314"+"00")
			b.eq("9F37", b.field(tagUN), "11223344")
			b.eq("9F26", b.field(tagAC), "A1A2A3A4A5A6A7A8")
		})},
		{"S10.11: the TVR is that of the torn transaction", tear(func(b *bed) { b.set(tagFloorLimit, "000000050000") }), online, func(b *bed) {
			b.eq("TVR", b.tvr(), "0000008001")
		}},
		{
			"S10.12: a recovered answer in format 1: parsing error", tear(func(b *bed) { b.card.answer["RECOVER"] = unhex("800B 80 0123 A1A2A3A4A5A6A7A8") }),
			otherCard + "00040000001C", kept(0),
		},
		{
			"S10.16: a recovered answer without ATC: card data missing", tear(func(b *bed) { b.card.answer["RECOVER"] = unhex("7704 9F270180") }),
			otherCard + "00010000001C", nil,
		},
		{"S10.18: a recovered answer of more than was asked for: card data error", tear(func(b *bed) {
			b.card.answer["RECOVER"] = unhex("7709 9F270140 9F36020123")
		}), otherCard + "00060000001C", nil},
		{
			"S910.7: a recovered answer that was changed: CAM failed", tear(func(b *bed) { b.card.saved[bytes.Index(b.card.saved, unhex("0110A0"))+4] ^= 1 }),
			otherCard + "00020000001C", nil,
		},
		{"S10.7: nothing to recover: GENERATE AC, the record goes", tear(func(b *bed) { b.card.sw["RECOVER"] = 0x6985 }), online, both(commands("RECOVER,GAC"), kept(0), func(b *bed) {
			b.eq("9F37", b.field(tagUN), "55667788")
		})},
		{"S10.5: the card goes at RECOVER AC: the record stays", tear(func(b *bed) { b.card.fail["RECOVER"] = []error{timeout{}} }), again + "010000000021", kept(1)},
		{"S10.5: and can be recovered after that", tear(func(b *bed) {
			b.card.fail["RECOVER"] = []error{timeout{}}
			b.activate()
		}), online, kept(0)},
		{
			"S11.7: status other than 9000: the record goes", tear(func(b *bed) { b.card.sw["RECOVER"], b.card.sw["GAC"] = 0x6985, 0x6F00 }),
			otherCard + "0003006F001C", kept(0),
		},
		{
			"S11.10: answer that cannot be read: parsing error", tear(func(b *bed) { b.card.sw["RECOVER"] = 0x6985; b.card.answer["GAC"] = unhex("7003") }),
			otherCard + "00040000001C", kept(0),
		},
		{"S11.21: more than was asked for: card data error", tear(func(b *bed) { b.card.sw["RECOVER"] = 0x6985; b.card.cid = acTC }), otherCard + "00060000001C", nil},
		{"S11.12: torn again: the new record takes the old one's place", tear(func(b *bed) {
			b.card.sw["RECOVER"] = 0x6985
			b.card.fail["GAC"] = []error{timeout{}}
		}), again + "010000000021", kept(1)},
		{"S456.44: another card is not recovered", tear(func(b *bed) {
			b.card.set[tagPAN], b.card.set[tagTrack2Eq] = unhex("5413330000000013"), unhex("5413330000000013D3012201000000000F")
			b.card.aip = "1880"
		}), online, both(commands("GAC"), kept(1))},
		{"S456.44: another sequence number is another card", tear(func(b *bed) { b.card.set[tagPSN] = unhex("02") }), online, both(commands("GAC"), kept(1))},
		{"rules: another amount is not recovered", tear(func(b *bed) { b.amount = 2600 }), online, both(commands("GAC"), kept(1), func(b *bed) {
			b.eq("9F02", b.field(tagAmount), "000000002600")
		})},
		{"rules: another type is not recovered", tear(func(b *bed) { b.act.Transaction.Type = typeCash }), online, commands("GAC")},
		{"Options: RecoverAny goes by the card alone, as the book", tear(func(b *bed) {
			b.k.o.RecoverAny = true
			b.amount = 2600
		}), online, both(commands("RECOVER"), func(b *bed) { b.eq("9F02", b.field(tagAmount), "000000002500") })},
		{"S10.11: the values of relay resistance come from the record", func(b *bed) {
			b.card.aip = "1981"
			b.set(tagKernelConfig, "10")
			b.card.relay = []time.Duration{6 * time.Millisecond, 7 * time.Millisecond}
			tear()(b)
		}, online, func(b *bed) { b.eq("TVR", b.tvr(), "0000008002") }},
	})
}

func TestTornEviction(t *testing.T) {
	b := newBed(t)
	tornBed(b)
	b.set(tagTornMax, "01")
	lost(b)
	if _, ok := TornRecord(b.out.Discretionary); ok {
		t.Error("FF8101 without a need")
	}
	b.amount = 2600
	lost(b)
	old, _ := TornRecord(b.out.Discretionary)
	b.eq("evicted amount", find(old, tagAmount), "000000002500")
	b.eq("objects of a torn record in their order", tlvs(old),
		"9F02 5A 5F34 DF8107 9F34 DF8113 DF8128 9F1E DF8111 DF8114 9F33 9F1A 9F35 95 5F2A 9A 9F21 9C 9F37")
	b.eq("DF8111", find(old, tagPDOLData), "830C"+"000000002500"+"11223344"+"0978")
}

func TestClean(t *testing.T) {
	b := newBed(t)
	tornBed(b)
	lost(b)
	b.clock.now = b.clock.now.Add(300 * time.Second)
	if out := b.k.Clean(b.clock.now); len(out) != 0 || b.k.Torn() != 1 {
		t.Fatalf("at DF811C: %d cleaned", len(out))
	}
	out := b.k.Clean(b.clock.now.Add(time.Millisecond))
	if len(out) != 1 || b.k.Torn() != 0 {
		t.Fatalf("behind DF811C: %d cleaned, %d left", len(out), b.k.Torn())
	}
	if find(out[0], tagAmount) != "000000002500" {
		t.Errorf("%X", out[0])
	}
}

func TestBalance(t *testing.T) {
	balance := func(more ...func(b *bed)) func(*bed) {
		return func(b *bed) {
			b.card.fci[tagACI] = unhex("000200")
			b.card.balance = unhex("000000012345")
			b.set(tagBalanceBefore, "").set(tagBalanceAfter, "")
			for _, m := range more {
				m(b)
			}
		}
	}
	seen := func(before, after string) func(*bed) {
		return func(b *bed) {
			b.eq("DF8104", b.disc(tagBalanceBefore), before)
			b.eq("DF8105", b.disc(tagBalanceAfter), after)
		}
	}
	run(t, []testCase{
		{"BR1.2: before and after", balance(), online, seen("000000012345", "000000012345")},
		{"BR1.1: the card does not let it be read", balance(func(b *bed) { b.card.fci[tagACI] = unhex("000000") }), online, func(b *bed) {
			seen("-", "-")(b)
			if strings.Contains(strings.Join(b.card.log, ","), "GET") {
				b.t.Error(b.card.log)
			}
		}},
		{"BR1.2: nobody wants it before", balance(func(b *bed) { delete(b.data, uint32(tagBalanceBefore)) }), online, seen("-", "000000012345")},
		{"BR2.2: nobody wants it after", balance(func(b *bed) { delete(b.data, uint32(tagBalanceAfter)) }), online, seen("000000012345", "-")},
		{"S16.8: status other than 9000: no balance", balance(func(b *bed) { b.card.sw["GET 9F50"] = 0x6A88 }), online, seen("-", "-")},
		{"S16.9: five bytes are no balance", balance(func(b *bed) { b.card.answer["GET 9F50"] = unhex("9F50050000012345") }), online, seen("-", "-")},
		{"S16.9: another object is no balance", balance(func(b *bed) { b.card.answer["GET 9F50"] = unhex("9F5106000000012345") }), online, seen("-", "-")},
		{"S16.2: the card goes before: present again", balance(func(b *bed) { b.card.fail["GET 9F50"] = []error{timeout{}} }), again + "010000000021", nil},
		{"S16.7: STOP", balance(func(b *bed) { b.card.before["GET 9F50"] = func() { b.k.Stop() } }), "END 0000020000FF", nil},
		{"S17.2: the card goes after: the outcome stands", balance(func(b *bed) { b.card.fail["GET 9F50"] = []error{nil, timeout{}} }), online, seen("000000012345", "-")},
		{"S910.75: the balance is shown with an approval", balance(func(b *bed) { b.amount = 1000 }), "APPROVED nocvm ui=03/0/13 dr 0000000000FF", func(b *bed) {
			a := b.out.UIOutcome.Amount
			if a == nil || a.Minor != 12345 || a.Currency != 978 || !b.out.UIOutcome.Balance {
				b.t.Errorf("shown: %v", a)
			}
		}},
		{"S910.75: and not with an online request", balance(), online, func(b *bed) {
			if b.out.UIOutcome.Amount != nil {
				b.t.Error(b.out.UIOutcome.Amount)
			}
		}},
	})
}

func TestPutData(t *testing.T) {
	before := func(more ...func(b *bed)) func(*bed) {
		return func(b *bed) {
			b.set(tagWriteBefore, "9F7502AABB 9F7601CC")
			for _, m := range more {
				m(b)
			}
		}
	}
	after := func(more ...func(b *bed)) func(*bed) {
		return func(b *bed) {
			b.set(tagWriteAfter, "9F7702DDEE 9F7801FF")
			for _, m := range more {
				m(b)
			}
		}
	}
	seen := func(pre, post string) func(*bed) {
		return func(b *bed) { b.eq("DF810F", b.disc(tagPrePut), pre); b.eq("DF810E", b.disc(tagPostPut), post) }
	}
	run(t, []testCase{
		{"S12: objects are written before the cryptogram", before(), online, func(b *bed) {
			b.eq("commands", strings.Join(b.card.log[5:], ","), "PUT 9F75,PUT 9F76,GAC")
			b.eq("PUT DATA", hexOf(b.card.cmds["PUT 9F75"]), "80DA9F7502AABB")
			seen("80", "00")(b)
		}},
		{"S12.8: the first refusal is the last", before(func(b *bed) { b.card.sw["PUT 9F75"] = 0x6985 }), online, func(b *bed) {
			b.eq("commands", strings.Join(b.card.log[5:], ","), "PUT 9F75,GAC")
			seen("00", "00")(b)
		}},
		{"S12.5: the card goes: present again", before(func(b *bed) { b.card.fail["PUT 9F76"] = []error{timeout{}} }), again + "010000000021", nil},
		{"S12.7: STOP", before(func(b *bed) { b.card.before["PUT 9F75"] = func() { b.k.Stop() } }), "END 0000020000FF", nil},
		{"S12.13: then a torn transaction is recovered", before(tear()), online, func(b *bed) {
			b.eq("commands", strings.Join(b.card.log[5:], ","), "PUT 9F75,PUT 9F76,RECOVER")
		}},
		{"S15: objects are written behind the cryptogram", after(), online, func(b *bed) {
			b.eq("commands", strings.Join(b.card.log[5:], ","), "GAC,PUT 9F77,PUT 9F78")
			seen("00", "80")(b)
			if len(b.ui) != 1 {
				b.t.Errorf("the card may go too early: %v", b.ui)
			}
		}},
		{"S15.5: a refusal changes nothing", after(func(b *bed) { b.card.sw["PUT 9F77"] = 0x6985 }), online, seen("00", "00")},
		{"S15.1: nor does a card that goes", after(func(b *bed) { b.card.fail["PUT 9F77"] = []error{timeout{}} }), online, seen("00", "00")},
		{"S15.10: second tap", after(func(b *bed) { b.card.extra[tagPCII] = unhex("000100") }), "END B nocvm re=20/2 dr 0000000000FF", func(b *bed) {
			if len(b.ui) != 1 || b.ui[0].Message != 0x20 || b.ui[0].Status != 4 {
				b.t.Errorf("shown: %v", b.ui)
			}
		}},
		{"S1.16: a list that cannot be read: terminal data error", func(b *bed) { b.set(tagWriteBefore, "9F7505AA") }, "END 000F000000FF", nil},
		{"S1.16: a tag that PUT DATA cannot name: terminal data error", func(b *bed) { b.set(tagWriteAfter, "DF810401AA") }, "END 000F000000FF", nil},
		{"S1.10: tags to read that are none: terminal data error", func(b *bed) { b.set(tagTagsToRead, "9F") }, "END 000F000000FF", nil},
	})
}
