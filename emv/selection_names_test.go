package emv

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"posd/emv/tlv"
)

// polyglot is a cardholder that can be addressed in several languages.
type polyglot struct {
	person
	told []string
}

func (p *polyglot) PreferLanguages(codes []string) { p.told = append(p.told, strings.Join(codes, "+")) }

const testAID = "A000000333010101"

func selectOf(name string) string {
	return fmt.Sprintf("00A40400%02X%s00", len(unhex(name)), strings.ToUpper(name))
}

// blockedFCI is an FCI that comes with 6283.
func blockedFCI(aid, prop string) string {
	return strings.TrimSuffix(fciOf(aid, prop), "9000") + "6283"
}

func ddfOf(name string, sfi byte, more string) [2]string {
	return [2]string{selectOf(name), fciOf(name, fmt.Sprintf("8801%02X", sfi)+more)}
}

func recordOf(sfi, n byte, content ...any) [2]string {
	return [2]string{fmt.Sprintf("00B2%02X%02X00", n, sfi<<3|4), hex.EncodeToString(sw(obj(tagRecord, content...), 0x9000))}
}

func noRecord(sfi, n byte) [2]string {
	return [2]string{fmt.Sprintf("00B2%02X%02X00", n, sfi<<3|4), "6A83"}
}

func adfEntry(aid, label string) []byte {
	return obj(tagAppTemplate, obj(tagADFName, aid), obj(tagLabel, hex.EncodeToString([]byte(label))))
}

func ddfEntry(name string) []byte { return obj(tagAppTemplate, obj(tagDDFName, name)) }

func TestDirectoriesBelowThePSE(t *testing.T) {
	pse := hex.EncodeToString(pseName)
	const a, b = "D1560000010101", "D1560000010102"
	up := func(n int) string { return fmt.Sprintf("%s%02X", testAID, n) }
	for _, c := range []struct {
		name  string
		pairs [][2]string
		want  string
		err   error
	}{
		{"Annex C3: a DDF with an application", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry(a)), noRecord(1, 2),
			ddfOf(a, 2, ""), recordOf(2, 1, adfEntry(testAID, "ONE")), noRecord(2, 2),
		}, testAID + " ONE", nil},
		{"Annex C3: the order is that of the entries, through the DDF in the middle", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, adfEntry(up(1), "ONE"), ddfEntry(a)), recordOf(1, 2, adfEntry(up(3), "THREE")), noRecord(1, 3),
			ddfOf(a, 3, ""), recordOf(3, 1, adfEntry(up(2), "TWO")), noRecord(3, 2),
		}, up(1) + " ONE; " + up(2) + " TWO; " + up(3) + " THREE", nil},
		{"Annex C3: a third level", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry(a)), noRecord(1, 2),
			ddfOf(a, 1, ""), recordOf(1, 1, ddfEntry(b)), noRecord(1, 2),
			ddfOf(b, 1, ""), recordOf(1, 1, adfEntry(testAID, "DEEP")), noRecord(1, 2),
		}, testAID + " DEEP", nil},
		{"a DDF that names itself is entered once", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry(a)), noRecord(1, 2),
			ddfOf(a, 1, ""), recordOf(1, 1, ddfEntry(a), adfEntry(testAID, "ONE")), noRecord(1, 2),
		}, testAID + " ONE", nil},
		{"a DDF that names the PSE does not go round", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry(pse), ddfEntry(a), ddfEntry(a)), noRecord(1, 2),
			ddfOf(a, 1, ""), recordOf(1, 1, ddfEntry(pse), adfEntry(testAID, "ONE")), noRecord(1, 2),
		}, testAID + " ONE", nil},
		{"Annex C4: the code table of the DDF counts for its entries", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry(a)), noRecord(1, 2),
			ddfOf(a, 1, "9F110101"), recordOf(1, 1, obj(tagAppTemplate, obj(tagADFName, testAID), obj(tagPreferredName, "C4"))), noRecord(1, 2),
		}, testAID + " Ä", nil},
		{"a DDF that is not there leaves the rest", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry(a), adfEntry(testAID, "ONE")), noRecord(1, 2),
			{selectOf(a), "6A82"},
		}, testAID + " ONE", nil},
		{"a DDF that is blocked leaves the rest", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry(a), adfEntry(testAID, "ONE")), noRecord(1, 2),
			{selectOf(a), blockedFCI(a, "880101")},
		}, testAID + " ONE", nil},
		{"a DDF without a directory leaves the rest", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry(a), adfEntry(testAID, "ONE")), noRecord(1, 2),
			{selectOf(a), fciOf(a, "")},
		}, testAID + " ONE", nil},
		{"a broken directory below leaves the rest", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry(a), adfEntry(testAID, "ONE")), noRecord(1, 2),
			ddfOf(a, 2, ""),
			{"00B2011400", "6F00"},
		}, testAID + " ONE", nil},
		{"a DDF name of four bytes is passed over", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry("D1560000"), adfEntry(testAID, "ONE")), noRecord(1, 2),
		}, testAID + " ONE", nil},
		{"a DDF name of seventeen bytes is passed over", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry(strings.Repeat("D1", 17)), adfEntry(testAID, "ONE")), noRecord(1, 2),
		}, testAID + " ONE", nil},
		{"11.3.5: 6A81 at a DDF is a blocked card", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry(a)), noRecord(1, 2), {selectOf(a), "6A81"},
		}, "", ErrCardBlocked},
		{"12.3.2: nothing in any directory leads to the list of AIDs", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, ddfEntry(a)), noRecord(1, 2),
			ddfOf(a, 1, ""), noRecord(1, 1),
			{selUP, fciOf(testAID, "500141")},
		}, testAID + " A", nil},
		{"12.3.2: a PSE without 84 leads to the list of AIDs", [][2]string{
			{selPSE, "6F05A503880101 9000"}, {selUP, fciOf(testAID, "500141")},
		}, testAID + " A", nil},
		{"12.3.2: a PSE with SFI 0 leads to the list of AIDs", [][2]string{
			ddfOf(pse, 0, ""), {selUP, fciOf(testAID, "500141")},
		}, testAID + " A", nil},
		{"12.3.2: a PSE broken inside A5 leads to the list of AIDs", [][2]string{
			ddfOf(pse, 1, "9F11"), {selUP, fciOf(testAID, "500141")},
		}, testAID + " A", nil},
		{"12.3.2: READ RECORD with a warning throws the directory away", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, adfEntry(testAID, "ONE")), {"00B2020C00", "70006283"}, {selUP, fciOf(testAID, "500141")},
		}, testAID + " A", nil},
		{"Book 3, Annex B1: zeros between entries", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, "0000", adfEntry(testAID, "ONE"), "00"), noRecord(1, 2),
		}, testAID + " ONE", nil},
		{"12.2.3: other objects in a record are passed over", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, "DF010141", adfEntry(testAID, "ONE"), "7300"), noRecord(1, 2),
		}, testAID + " ONE", nil},
		{"12.5: registered proprietary data are passed over", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, obj(tagAppTemplate, obj(tagADFName, testAID), "500141 7308 9F0A05 0001020102")), noRecord(1, 2),
		}, testAID + " A", nil},
		{"12.3.3 step 2: 6A81 for the second AID occurrence is no blocked card", [][2]string{
			{selPSE, "6A82"}, {selUP, fciOf(up(1), "500141")}, {selUP2, "6A81"},
		}, up(1) + " A", nil},
		{"12.3.3 step 3: 6200 is not 6283", [][2]string{
			{selPSE, "6A82"}, {selUP, strings.TrimSuffix(fciOf(testAID, "500141"), "9000") + "6200"},
		}, "", nil},
		{"12.3.3 step 7: 6300 ends the occurrences", [][2]string{
			{selPSE, "6A82"}, {selUP, fciOf(up(1), "500141")}, {selUP2, strings.TrimSuffix(fciOf(up(2), "500142"), "9000") + "6300"},
		}, up(1) + " A", nil},
		{"12.3.3 step 7: a blocked occurrence, then another one", [][2]string{
			{selPSE, "6A82"}, {selUP, fciOf(up(1), "500141")}, {selUP2, blockedFCI(up(2), "500142")}, {selUP2, fciOf(up(3), "500143")}, {selUP2, "6A82"},
		}, up(1) + " A; " + up(3) + " C", nil},
		{"12.3.3 step 7: a card that does not know select-next is asked once", [][2]string{
			{selPSE, "6A82"}, {selUP, fciOf(up(1), "500141")}, {selUP2, fciOf(up(1), "500141")},
		}, up(1) + " A", nil},
		{"12.3.3 step 7: two occurrences in turn end too", [][2]string{
			{selPSE, "6A82"}, {selUP, fciOf(up(1), "500141")}, {selUP2, fciOf(up(2), "500142")}, {selUP2, fciOf(up(1), "500141")},
		}, up(1) + " A; " + up(2) + " B", nil},
		{"12.3.3 step 3: two PDOLs are a format error", [][2]string{
			{selPSE, "6A82"}, {selUP, fciOf(testAID, "500141 9F38039F1A02 9F38039F1A02")},
		}, "", nil},
		{"12.3.3 step 3: two names are a format error", [][2]string{
			{selPSE, "6A82"}, {selUP, hex.EncodeToString(sw(obj(tagFCI, obj(tagDFName, testAID), obj(tagDFName, testAID), obj(tagFCIProp, "500141")), 0x9000))},
		}, "", nil},
		{"12.3.3 step 3: a name of four bytes", [][2]string{
			{selPSE, "6A82"}, {selUP, fciOf("A0000003", "500141")},
		}, "", nil},
		{"12.2.4: a label twice is no error", [][2]string{
			{selPSE, "6A82"}, {selUP, fciOf(testAID, "500141 500142")},
		}, testAID + " A", nil},
		{"12.2.4: an ADF without a label", [][2]string{
			{selPSE, "6A82"}, {selUP, fciOf(testAID, "870101")},
		}, testAID + " " + testAID, nil},
		{"an FCI in a length of two bytes", [][2]string{
			{selPSE, "6A82"}, {selUP, "6F8111 8408" + testAID + " A505 5003 414243 9000"},
		}, testAID + " ABC", nil},
		{"6F nested ninety deep is no FCI", [][2]string{
			{selPSE, "6A82"}, {selUP, nested(tagFCI, 90) + "9000"},
		}, "", nil},
	} {
		t.Run("Book 1, "+c.name, func(t *testing.T) {
			card := script(t, c.pairs...)
			s := session(t, testConfig(), card, &person{})
			sel, err := s.buildCandidates(t.Context())
			card.done()
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err == nil && !strings.EqualFold(names(sel), c.want) {
				t.Errorf("%q, want %q", names(sel), c.want)
			}
		})
	}
}

// nested is a template within itself.
func nested(tag tlv.Tag, depth int) string {
	var b []byte
	for range depth {
		b = tlv.Append(nil, tag, b)
	}
	return hex.EncodeToString(b)
}

// A tree of directories without end is left at some point, and the applications are found by their AIDs.
func TestDirectoriesWithoutEnd(t *testing.T) {
	n, depth, records := 0, 0, 0
	card := cardFunc(func(capdu []byte) []byte {
		switch {
		case capdu[1] == 0xB2 && capdu[2] == 1:
			records++
			n++
			var e []byte
			for i := range 6 {
				e = append(e, ddfEntry(fmt.Sprintf("D15600%04X%02X", n, i))...)
			}
			return sw(obj(tagRecord, e), 0x9000)
		case capdu[1] == 0xB2:
			return unhex("6A83")
		case capdu[5] == 0xD1 || capdu[5] == '1':
			depth++
			return unhex(fciOf(hex.EncodeToString(capdu[5:len(capdu)-1]), "880101"))
		}
		return unhex("6A82")
	})
	if _, err := start(t, card); !errors.Is(err, ErrNotAccepted) || depth > maxDDFs+1 || records > maxDirectory {
		t.Errorf("%v after %d directories, %d records", err, depth, records)
	}
	for range 2 {
		s := session(t, testConfig(), card, &person{})
		w := directoryWalk{s: s, sel: &selection{}}
		if err := w.enter(t.Context(), unhex("D156000101"), maxDDFDepth+1); err != nil || len(w.seen) != 0 {
			t.Errorf("too deep: %v, %d entered", err, len(w.seen))
		}
	}
}

func TestFinalSelectionClauses(t *testing.T) {
	noPSE := [2]string{selPSE, "6A82"}
	one, two, three := testAID+"01", testAID+"02", testAID+"03"
	list := func(p1, p2, p3 string) [][2]string {
		return [][2]string{noPSE, {selUP, fciOf(one, "500131 8701"+p1)}, {selUP2, fciOf(two, "500132 8701"+p2)}, {selUP2, fciOf(three, "500133 8701"+p3)}, {selUP2, "6A82"}}
	}
	single := func(priority string) [][2]string {
		return [][2]string{noPSE, {selUP, fciOf(testAID, "500141"+priority)}}
	}
	final := func(aid string) [2]string { return [2]string{selectOf(aid), fciOf(aid, "5003 41424"+aid[len(aid)-1:])} }
	for _, c := range []struct {
		name     string
		pairs    [][2]string
		noChoice bool
		choices  []int
		offered  string // the labels offered, one list after the other
		want     string // the AID
		err      error
	}{
		{"12.4 step 3: several are offered", append(list("02", "01", "03"), final(one)), false, []int{1}, "213", one, nil},
		{"12.4 step 4: the same priority in the order of the card", append(list("02", "02", "01"), final(three)), false, []int{0}, "312", three, nil},
		{"12.4 step 4: without priority behind those with one", append(list("00", "0F", "00"), final(one)), false, []int{1}, "213", one, nil},
		{"12.2.3: the reserved bits of the priority are not looked at", append(list("72", "71", "73"), final(two)), false, []int{0}, "213", two, nil},
		{"12.4 step 5: no choice: the highest priority", append(list("02", "01", "03"), final(two)), true, nil, "", two, nil},
		{"12.4 step 5: no choice: those that want confirmation are left out", append(list("02", "81", "03"), final(one)), true, nil, "", one, nil},
		{"12.4 step 5: no choice: all want confirmation", list("82", "81", "83"), true, nil, "", "", ErrNotAccepted},
		{"12.4 step 2: no choice: the only one wants confirmation", single("870181"), true, nil, "", "", ErrNotAccepted},
		{"12.4 step 2: no choice: the only one", append(single("870101"), final(testAID)), true, nil, "", testAID, nil},
		{"Book 4, 11.3: no choice: the next one when SELECT fails", append(list("02", "01", "03"), [2]string{selectOf(two), "6985"}, final(one)), true, nil, "", one, nil},
		{"Book 4, 11.3: no choice: the next one is blocked too", append(list("02", "01", "83"), [2]string{selectOf(two), "6A82"}, [2]string{selectOf(one), "6283"}), true, nil, "", "", ErrNotAccepted},
		{"Book 4, 11.3: the list again without the one that failed", append(list("01", "02", "03"), [2]string{selectOf(two), "6283"}, final(three)), false, []int{1, 1}, "12313", three, nil},
		{"12.4: the last one is confirmed when another was chosen", append(list("01", "02", "03"), [2]string{selectOf(one), "6283"}, [2]string{selectOf(two), "6283"}, final(three)), false, []int{0, 0, 0}, "123233", three, nil},
		{"12.4: the name must be the one asked for: longer", append(single(""), [2]string{selUP, fciOf(testAID+"01", "500141")}), false, nil, "", "", ErrBadCard},
		{"12.4: the name must be the one asked for: shorter", append(list("01", "02", "03")[:2], [2]string{selUP2, "6A82"}, [2]string{selectOf(one), fciOf(testAID, "500141")}), false, nil, "", "", ErrBadCard},
		{"12.4: no A5 at the final SELECT", append(single(""), [2]string{selUP, "6F0A8408A000000333010101 9000"}), false, nil, "", "", ErrBadCard},
		{"12.4: two PDOLs at the final SELECT", append(single(""), [2]string{selUP, fciOf(testAID, "9F3800 9F3800")}), false, nil, "", "", ErrBadCard},
		{"12.4: 6A81 at the final SELECT", append(single(""), [2]string{selUP, "6A81"}), false, nil, "", "", ErrCardBlocked},
		{"12.2.4: format errors of names do not matter", append(single(""), [2]string{selUP, fciOf(testAID, "5000 9F1200 9F110199 5F2D0141")}), false, nil, "", testAID, nil},
	} {
		t.Run("Book 1, "+c.name, func(t *testing.T) {
			card := script(t, c.pairs...)
			choices := c.choices
			p := &person{choice: func([]Candidate) (int, error) {
				if len(choices) == 0 {
					return 0, errors.New("asked once too often")
				}
				i := choices[0]
				choices = choices[1:]
				return i, nil
			}}
			s := session(t, testConfig(), card, p)
			if c.noChoice {
				WithoutChoice()(s.k)
			}
			sel, err := s.buildCandidates(t.Context())
			if err == nil {
				err = s.selectApplication(t.Context(), sel)
			}
			card.done()
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			offered := ""
			for _, o := range p.offered {
				for _, x := range o {
					offered += x.Label
				}
			}
			if offered != c.offered || len(choices) != 0 {
				t.Errorf("offered %q, want %q", offered, c.offered)
			}
			if err == nil {
				name, _ := s.Get(tagDFName)
				terminal, _ := s.Get(tagAID)
				if got := strings.ToUpper(hex.EncodeToString(name)); got != c.want || !slices.Equal(name, terminal) {
					t.Errorf("84 is %s, 9F06 %X, want %s", got, terminal, c.want)
				}
			}
		})
	}
}

// Book 3, 10.1: 6985 takes the application from the list; a terminal without choice goes on, one with choice asks again, even for
// the last one.
func TestConditionsOfUseLeadBackToTheList(t *testing.T) {
	one, two := testAID+"01", testAID+"02"
	build := [][2]string{
		{selPSE, "6A82"},
		{selUP, fciOf(one, "500131 870101")},
		{selUP2, fciOf(two, "500132 870102")},
		{selUP2, "6A82"},
	}
	gpo := "80A8000002830000"
	for _, noChoice := range []bool{false, true} {
		card := script(t, append(slices.Clone(build),
			[2]string{selectOf(one), fciOf(one, "500131")}, [2]string{gpo, "6985"},
			[2]string{selectOf(two), fciOf(two, "500132")}, [2]string{gpo, "6985"})...)
		p := &person{}
		k := New(testConfig())
		if noChoice {
			k = New(testConfig(), WithoutChoice())
		}
		_, err := k.Start(t.Context(), card, testRequest(), p)
		card.done()
		var e *Error
		if !errors.Is(err, ErrConditionsFail) || !errors.As(err, &e) || e.SW != 0x6985 {
			t.Errorf("%v", err)
		}
		if want := 2; noChoice != (len(p.offered) == 0) || !noChoice && len(p.offered) != want {
			t.Errorf("no choice %v: offered %d times", noChoice, len(p.offered))
		}
	}
}

func TestLanguageClauses(t *testing.T) {
	noPSE := [2]string{selPSE, "6A82"}
	one, two := testAID+"01", testAID+"02"
	l := func(codes string) string {
		return fmt.Sprintf("5F2D%02X", len(codes)) + hex.EncodeToString([]byte(codes))
	}
	pse := func(codes string) [][2]string {
		return [][2]string{ddfOf(hex.EncodeToString(pseName), 1, l(codes)), recordOf(1, 1, adfEntry(one, "1"), adfEntry(two, "2")), noRecord(1, 2)}
	}
	list := func(l1, l2 string) [][2]string {
		return [][2]string{noPSE, {selUP, fciOf(one, "500131 "+l1)}, {selUP2, fciOf(two, "500132 870101"+l2)}, {selUP2, "6A82"}}
	}
	for _, c := range []struct {
		name  string
		pairs [][2]string
		told  string
	}{
		{"11.1: the PSE's languages before the list is shown", append(pse("zhen"), [2]string{selectOf(one), fciOf(one, "")}), "zh+en"},
		{"11.1: the application's languages count in the end", append(pse("zhen"), [2]string{selectOf(one), fciOf(one, l("defr"))}), "zh+en de+fr"},
		{"11.1: the same languages are told once", append(pse("zhen"), [2]string{selectOf(one), fciOf(one, l("zhen"))}), "zh+en"},
		{"11.1: without a PSE the first candidate's languages", append(list(l("fr"), l("es")), [2]string{selectOf(two), fciOf(two, l("es"))}), "es"},
		{"11.1: the first candidate has none, the second has", append(list(l("fr"), ""), [2]string{selectOf(two), fciOf(two, "")}), "fr"},
		{"11.1: one application, its languages", [][2]string{noPSE, {selUP, fciOf(testAID, l("itdefren"))}, {selUP, fciOf(testAID, l("itdefren"))}}, "it+de+fr+en"},
		{"Book 1, Annex B: upper case is accepted", [][2]string{noPSE, {selUP, fciOf(testAID, "")}, {selUP, fciOf(testAID, l("ZHeN"))}}, "zh+en"},
		{"11.1: no preference", [][2]string{noPSE, {selUP, fciOf(testAID, "")}, {selUP, fciOf(testAID, "")}}, ""},
		{"Book 1, 12.2.4: an odd length is as if absent", [][2]string{noPSE, {selUP, fciOf(testAID, "")}, {selUP, fciOf(testAID, l("zhe"))}}, ""},
		{"Book 1, 12.2.4: five languages are as if absent", [][2]string{noPSE, {selUP, fciOf(testAID, "")}, {selUP, fciOf(testAID, l("zhendefres"))}}, ""},
		{"Book 1, 12.2.4: no letters are as if absent", [][2]string{noPSE, {selUP, fciOf(testAID, "")}, {selUP, fciOf(testAID, l("z1"))}}, ""},
		{"Book 1, 12.2.4: control characters are as if absent", [][2]string{noPSE, {selUP, fciOf(testAID, "")}, {selUP, fciOf(testAID, "5F2D02 1B40")}}, ""},
		{"Book 1, 12.2.4: empty is as if absent", [][2]string{noPSE, {selUP, fciOf(testAID, "")}, {selUP, fciOf(testAID, "5F2D00")}}, ""},
		{"Book 1, 12.2.4: a PSE's bad preference leaves the candidates'", append([][2]string{ddfOf(hex.EncodeToString(pseName), 1, l("z")), noRecord(1, 1)},
			append(list(l("fr"), "")[1:], [2]string{selectOf(two), fciOf(two, "")})...), "fr"},
	} {
		t.Run("Book 4, "+c.name, func(t *testing.T) {
			card := script(t, c.pairs...)
			p := &polyglot{}
			p.choice = func([]Candidate) (int, error) {
				if len(p.told) == 0 && strings.Contains(c.name, "before the list") {
					t.Error("the list came first")
				}
				return 0, nil
			}
			s, err := New(testConfig()).newSession(card, testRequest(), p)
			if err != nil {
				t.Fatal(err)
			}
			sel, err := s.buildCandidates(t.Context())
			if err == nil {
				err = s.selectApplication(t.Context(), sel)
			}
			card.done()
			if err != nil || strings.Join(p.told, " ") != c.told {
				t.Errorf("told %q, want %q; %v", p.told, c.told, err)
			}
		})
	}
}

func TestNameClauses(t *testing.T) {
	for _, c := range []struct {
		name             string
		additional       string // bytes 4 and 5 of 9F40
		table, preferred string
		label            string
		want             string
	}{
		{"part 1", "0001", "01", "C4E9", "4C", "Äé"},
		{"part 2", "0002", "02", "A1B1", "4C", "Ąą"},
		{"part 3", "0004", "03", "A1B1", "4C", "Ħħ"},
		{"part 4", "0008", "04", "A2", "4C", "ĸ"},
		{"part 5", "0010", "05", "BAD0E0E2D0", "4C", "Карта"},
		{"part 6", "0020", "06", "C8D7C7C2C9", "4C", "بطاآة"},
		{"part 7", "0040", "07", "CAE1F1F4E1", "4C", "Καρτα"},
		{"part 8", "0080", "08", "E0E1", "4C", "אב"},
		{"part 9", "0100", "09", "D0FD", "4C", "Ğı"},
		{"part 10", "0200", "10", "A1", "4C", "Ą"},
		{"a table that the terminal does not have", "0001", "05", "BAD0", "4C", "L"},
		{"table 10 in binary is no table", "03FF", "0A", "A1", "4C", "L"},
		{"table 11", "03FF", "11", "A1", "4C", "L"},
		{"table 0", "03FF", "00", "A1", "4C", "L"},
		{"table FF", "03FF", "FF", "A1", "4C", "L"},
		{"a table in two bytes", "03FF", "0001", "A1", "4C", "L"},
		{"no table", "03FF", "", "41", "4C", "L"},
		{"no preferred name", "03FF", "01", "", "4C", "L"},
		{"a preferred name of blanks", "03FF", "01", "20A020", "4C", "L"},
		{"control characters of both halves are left out", "0001", "01", "411B40 7F8542 00", "4C", "A@B"},
		{"a place of the table that is empty is left out", "0020", "06", "A1C8", "4C", "ب"},
		{"seventeen characters", "0001", "01", strings.Repeat("41", 17), "4C", strings.Repeat("A", 16)},
		{"the label has the common characters only", "03FF", "", "", "41C4E942", "AB"},
		{"a label of other characters", "03FF", "", "", "C4E9", testAID},
	} {
		t.Run("Book 1, 12.4: "+c.name, func(t *testing.T) {
			cfg := testConfig()
			copy(cfg.Terminal.Additional[3:], unhex(c.additional))
			s := session(t, cfg, script(t), &person{})
			some := func(s string) []byte {
				if s == "" {
					return nil
				}
				return unhex(s)
			}
			got := s.newCandidate(&cfg.Applications[0], unhex(testAID), some(c.label), some(c.preferred), some(c.table), nil)
			if got.Label != c.want {
				t.Errorf("%q, want %q", got.Label, c.want)
			}
		})
	}
}

// FuzzSelection gives the kernel arbitrary answers while it looks for applications: it must end, with names that can be shown.
func FuzzSelection(f *testing.F) {
	pse := hex.EncodeToString(pseName)
	f.Add(unhex(ddfOf(pse, 1, "9F110101")[1]), unhex(recordOf(1, 1, adfEntry(testAID, "ONE"), ddfEntry("D156000001"))[1]), unhex(fciOf(testAID, "500141 9F1201C4 9F110101 5F2D047A68656E 870181")))
	f.Add(unhex("6A82"), unhex("6A83"), unhex(fciOf(testAID+"01", "500141")))
	f.Add(unhex("6A82"), unhex("6A83"), unhex(blockedFCI(testAID, "500141")))
	f.Add(unhex("9000"), unhex("70009000"), unhex("6F009000"))
	f.Fuzz(func(t *testing.T, ddf, record, fci []byte) {
		n := 0
		card := cardFunc(func(capdu []byte) []byte {
			n++
			switch {
			case capdu[1] == 0xB2 && capdu[2] > 2:
				return unhex("6A83")
			case capdu[1] == 0xB2:
				return record
			case capdu[5] == 0xA0:
				return fci
			}
			return ddf
		})
		p := &polyglot{}
		s, err := New(testConfig()).newSession(card, testRequest(), p)
		if err != nil {
			t.Fatal(err)
		}
		sel, err := s.buildCandidates(t.Context())
		if err == nil {
			err = s.selectApplication(t.Context(), sel)
		}
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatal(err)
		}
		if n > 2*maxSelects+maxDirectory+maxDDFs {
			t.Fatalf("%d commands", n)
		}
		for _, o := range p.offered {
			for _, c := range o {
				for _, r := range c.Label {
					if r < 0x20 || r >= 0x7F && r < 0xA0 || c.Label == "" {
						t.Fatalf("label %q", c.Label)
					}
				}
			}
		}
		for _, codes := range p.told {
			for _, l := range strings.Split(codes, "+") {
				if len(l) != 2 {
					t.Fatalf("languages %q", codes)
				}
			}
		}
	})
}
