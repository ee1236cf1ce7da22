package emv

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"posd/emv/tlv"
)

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
		{"12.3.2: 6A81 at a DDF says nothing of the card", [][2]string{
			ddfOf(pse, 1, ""), recordOf(1, 1, adfEntry(testAID, "ONE"), ddfEntry(a)), noRecord(1, 2), {selectOf(a), "6A81"},
		}, testAID + " ONE", nil},
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
