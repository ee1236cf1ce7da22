package contactless

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"posd/emv/tlv"
)

func TestRequestedKernel(t *testing.T) {
	other := "B012345678"
	for _, c := range []struct {
		name, aid, id string
		want          KernelID
		skip          bool
	}{
		{"absent, Visa", visa, "", 3, false},
		{"absent, Mastercard", master, "", 2, false},
		{"absent, American Express", "A00000002501", "", 4, false},
		{"absent, JCB", "A0000000651010", "", 5, false},
		{"absent, Discover", "A0000001523010", "", 6, false},
		{"absent, Discover's other RID", "A0000003241010", "", 6, false},
		{"absent, UnionPay", unionPay, "", 7, false},
		{"absent, any other RID: any kernel", other, "", 0, false},
		{"00: byte 1", visa, "07", 7, false},
		{"00: byte 1 whatever the length", master, "0200000000000000", 2, false},
		{"00: byte 1 of two bytes", visa, "0305", 3, false},
		{"00: short identifier 0 is any kernel", visa, "00", 0, false},
		{"01: byte 1 with its two bits", visa, "43", 0x43, false},
		{"10: three bytes", visa, "810978", 0x810978, false},
		{"10: three bytes of more", visa, "8109780000", 0x810978, false},
		{"10: less than three bytes", visa, "8109", 0, true},
		{"10: one byte", visa, "81", 0, true},
		{"10: short identifier 0 is outside the book", visa, "800978", 0, true},
		{"11: three bytes", visa, "C11111", 0xC11111, false},
		{"11: less than three bytes", visa, "C111", 0, true},
		{"11: short identifier 0", visa, "C01111", 0, true},
		{"longer than the object can be", visa, "030000000000000000", 0, true},
	} {
		t.Run("3.3.2.5 C: "+c.name, func(t *testing.T) {
			k, ok := requestedKernel(unhex(c.id), unhex(c.aid), DefaultKernels())
			if k != c.want || ok == c.skip {
				t.Errorf("%v, %v", k, ok)
			}
		})
	}
	t.Run("3.3.2.5 C: the table is data", func(t *testing.T) {
		table := []DefaultKernel{{[5]byte(unhex(visaRID)), 1}}
		if k, _ := requestedKernel(nil, unhex(visa), table); k != 1 {
			t.Error(k)
		}
		if k, _ := requestedKernel(nil, unhex(master), table); k != 0 {
			t.Error(k)
		}
	})
}

func TestParsePPSE(t *testing.T) {
	one := entry61(visa, priority(1))
	disc := func(b ...any) []byte { return obj(tagFCI, obj(tagFCIProp, obj(tagDiscretionary, b...))) }
	for _, c := range []struct {
		name string
		fci  []byte
		want string
	}{
		{"a UnionPay card seen in the field", unhex("6F30840E325041592E5359532E4444463031A51EBF0C1B61194F08A000000333010101500A50424F43204445424954870101"), "A000000333010101/1/0"},
		{"two entries in order", ppseOf(one, entry61(master, priority(2))), visa + "/1/0 " + master + "/2/1"},
		{"no 84 in the FCI", disc(one), visa + "/1/0"},
		{"3.3.2.4: no BF0C", obj(tagFCI, obj(tagFCIProp, obj(tagLabel, "41"))), ""},
		{"3.3.2.4: no A5", obj(tagFCI, obj(tagDFName, visa)), ""},
		{"3.3.2.4: no 61", disc(obj(tagLabel, "41")), ""},
		{"3.3.2.4: an empty BF0C", disc(), ""},
		{"not an FCI", obj(0x70, obj(tagFCIProp, obj(tagDiscretionary, one))), ""},
		{"nothing at all", nil, ""},
		{"two FCIs", append(ppseOf(one), ppseOf(one)...), ""},
		{"broken coding behind an entry", disc(one, "61"), ""},
		{"length beyond the end", unhex("6F20A51EBF0C"), ""},
		{"61 inside another template of BF0C does not count", disc(obj(0x73, one), entry61(master)), master + "/0/1"},
		{"another template of BF0C is no entry, whatever is in it", disc(obj(0x73, obj(tagADFName, visa)), entry61(master)), master + "/0/1"},
		{"61 beside BF0C does not count", obj(tagFCI, obj(tagFCIProp, one, obj(tagDiscretionary, entry61(master)))), master + "/0/0"},
		{"61 inside a 61 does not count", disc(obj(tagEntry, obj(tagADFName, visa), one)), visa + "/0/0"},
		{"other objects between entries", disc(obj(tagLabel, "41"), one), visa + "/1/1"},
		{"3.3.2.5 A: no 4F, the next entry is read", disc(obj(tagEntry, priority(1)), one), visa + "/1/1"},
		{"3.3.2.5 A: 4F of four bytes", disc(entry61("A0000000"), one), visa + "/1/1"},
		{"3.3.2.5 A: 4F of five bytes", disc(entry61(visaRID)), visaRID + "/0/0"},
		{"3.3.2.5 A: 4F of sixteen bytes", disc(entry61(strings.Repeat("A1", 16))), strings.Repeat("A1", 16) + "/0/0"},
		{"3.3.2.5 A: 4F of seventeen bytes", disc(entry61(strings.Repeat("A1", 17))), ""},
		{"3.3.2.5 A: an empty 4F", disc(entry61("")), ""},
		{"a broken entry is passed over", disc(obj(tagEntry, obj(tagADFName, visa), "9F"), entry61(master)), master + "/0/1"},
		{"87: bits 8 to 5 are no priority", disc(entry61(visa, obj(tagPriority, "F2"))), visa + "/2/0"},
		{"87 of two bytes is none", disc(entry61(visa, obj(tagPriority, "0102"))), visa + "/0/0"},
		{"padding between entries", disc("0000", one, "00FF", entry61(master)), visa + "/1/0 " + master + "/0/1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, e := range parsePPSE(c.fci) {
				got = append(got, fmt.Sprintf("%X/%d/%d", e.adf, e.priority, e.order))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
}

func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		name    string
		readers string // AID:kernel
		entries []string
		want    string // ADF name:kernel
	}{
		{"3.3.2.5 B: the whole name", visa + ":3", []string{visa}, visa + ":3"},
		{"3.3.2.5 B: a name that begins with the AID", visa + ":3", []string{visa + "01"}, visa + "01:3"},
		{"3.3.2.5 B: a name that is shorter than the AID", visa + ":3", []string{visa[:12]}, ""},
		{"3.3.2.5 B: another name", visa + ":3", []string{master}, ""},
		{"3.3.2.5 B: an AID that is a RID", visaRID + ":3", []string{visa, "A0000000032010"}, visa + ":3 A0000000032010:3"},
		{"3.3.2.5: one entry for two AIDs", visa + ":3 " + visaRID + ":3", []string{visa}, visa + ":3 " + visa + ":3"},
		{"3.3.2.5 D: the kernel asked for", visa + ":3", []string{visa + "/03"}, visa + ":3"},
		{"3.3.2.5 D: another kernel asked for", visa + ":3", []string{visa + "/02"}, ""},
		{"3.3.2.5 D: one AID with two kernels", visa + ":3 " + visa + ":2", []string{visa + "/02"}, visa + ":2"},
		{"3.3.2.5 D: a kernel of zero is any", visa + ":3 " + visa + ":2", []string{visa + "/00"}, visa + ":3 " + visa + ":2"},
		{"3.3.2.5 D: no default for the RID is any", "B012345678:2 B012345678:3", []string{"B012345678"}, "B012345678:2 B012345678:3"},
		{"3.3.2.5 D: domestic", visa + ":8456568", []string{visa + "/810978"}, visa + ":8456568"},
		{"3.3.2.5 D: domestic, another one", visa + ":8456568", []string{visa + "/810979"}, ""},
		{"3.3.2.5 D: domestic with an international number", visa + ":3", []string{visa + "/810003"}, ""},
		{"3.3.2.5 C: an entry that is passed over leaves the others", visa + ":3 " + master + ":2", []string{visa + "/81", master}, master + ":2"},
		{"3.3.2.5: combinations in order, then entries", master + ":2 " + visa + ":3", []string{visa, master}, master + ":2 " + visa + ":3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var readers []reader
			for _, f := range strings.Fields(c.readers) {
				var k KernelID
				aid, id, _ := strings.Cut(f, ":")
				fmt.Sscan(id, &k)
				readers = append(readers, reader{Combination: &Combination{AID: unhex(aid), Kernel: k}})
			}
			var entries []directoryEntry
			for _, f := range c.entries {
				aid, id, _ := strings.Cut(f, "/")
				entries = append(entries, directoryEntry{adf: unhex(aid), kernelID: unhex(id)})
			}
			var got []string
			for _, x := range candidates(readers, entries, DefaultKernels()) {
				got = append(got, fmt.Sprintf("%X:%d", x.adf, x.reader.Kernel))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
	if n := len(candidates(make([]reader, 0), []directoryEntry{{adf: unhex(visa)}}, nil)); n != 0 {
		t.Error(n)
	}
	many := make([]reader, maxCombinations)
	entries := make([]directoryEntry, maxEntries)
	for i := range many {
		many[i].Combination = &Combination{AID: unhex(visaRID)}
	}
	for i := range entries {
		entries[i] = directoryEntry{adf: unhex(visa), kernelID: []byte{0}}
	}
	if n := len(candidates(many, entries, nil)); n != maxCandidates {
		t.Errorf("%d candidates", n)
	}
}

func TestPriority(t *testing.T) {
	for _, c := range []struct {
		name string
		list []candidate // priority and order
		want int
	}{
		{"3.3.3.1: one candidate", []candidate{{directoryEntry: directoryEntry{priority: 0}}}, 0},
		{"3.3.3.2: 1 goes before 2", []candidate{{directoryEntry: directoryEntry{priority: 2}}, {directoryEntry: directoryEntry{priority: 1, order: 1}}}, 1},
		{"3.3.3.2: 15 goes before none", []candidate{{directoryEntry: directoryEntry{priority: 0}}, {directoryEntry: directoryEntry{priority: 15, order: 1}}}, 1},
		{"3.3.3.2: equal ones by their place in the PPSE", []candidate{{directoryEntry: directoryEntry{priority: 1, order: 3}}, {directoryEntry: directoryEntry{priority: 1, order: 2}}}, 1},
		{"3.3.3.2: none is equal to none", []candidate{{directoryEntry: directoryEntry{order: 1}}, {directoryEntry: directoryEntry{order: 0}}}, 1},
		{"3.3.3.2: same place, by the configuration", []candidate{{directoryEntry: directoryEntry{order: 1}}, {directoryEntry: directoryEntry{order: 1}}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := best(c.list); got != c.want {
				t.Errorf("%d", got)
			}
		})
	}
}

func TestSelectName(t *testing.T) {
	for _, c := range []struct {
		name           string
		adf, extension string
		supported      bool
		want           string
	}{
		{"3.3.3.3: no extended selection", visa, "", true, visa},
		{"3.3.3.3: appended", visa, "0102", true, visa + "0102"},
		{"3.3.3.3: not supported", visa, "0102", false, visa},
		{"3.3.3.3: up to sixteen bytes", visa, "010203040506070809", true, visa + "010203040506070809"},
		{"3.3.3.3: too long for a name", visa, "01020304050607080910", true, visa},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := candidate{directoryEntry{adf: unhex(c.adf), extended: unhex(c.extension)}, &reader{Combination: &Combination{Extended: c.supported}}}
			if got := x.selectName(nil); !bytes.Equal(got, unhex(c.want)) {
				t.Errorf("%X", got)
			}
		})
	}
}

func TestUsableFCI(t *testing.T) {
	for _, c := range []struct {
		name string
		fci  []byte
		need bool
		want bool
	}{
		{"an FCI", fciOf(visa), false, true},
		{"of a longer name", fciOf(visa + "01"), false, true},
		{"of another application", fciOf(master), false, false},
		{"of a name that is cut short", fciOf(visa[:10]), false, false},
		{"without a DF name: the kernel's affair", obj(tagFCI, obj(tagFCIProp)), false, true},
		{"nothing", nil, false, false},
		{"another template", obj(0x77, obj(tagDFName, visa)), false, false},
		{"broken", unhex("6F0584"), false, false},
		{"3.3.3.6: PDOL with 9F66", fciOf(visa, obj(tagPDOL, "9F0206 9F6604")), true, true},
		{"3.3.3.6: PDOL without 9F66", fciOf(visa, obj(tagPDOL, "9F0206")), true, false},
		{"3.3.3.6: no PDOL", fciOf(visa), true, false},
		{"3.3.3.6: PDOL that is broken", fciOf(visa, obj(tagPDOL, "9F6604 9F")), true, false},
		{"3.3.3.6: 9F66 as a length is not asked for", fciOf(visa, obj(tagPDOL, "9F029F")), true, false},
		{"3.3.3.6: not demanded of other combinations", fciOf(visa, obj(tagPDOL, "9F0206")), false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := usableFCI(c.fci, &Combination{AID: unhex(visa), NeedTTQ: c.need}); got != c.want {
				t.Error(got)
			}
		})
	}
}

// What a real card sends must be read whole: no bound of the parser is below what fits into an answer.
func TestPPSEAsLongAsAnAnswer(t *testing.T) {
	var entries [][]byte
	for range 25 {
		entries = append(entries, entry61(visaRID))
	}
	fci := ppseOf(entries...)
	if len(fci) > 256 || len(parsePPSE(fci)) != 25 {
		t.Errorf("%d of 25 entries in %d bytes", len(parsePPSE(fci)), len(fci))
	}
	if _, err := tlv.One(fci); err != nil {
		t.Error(err)
	}
}
