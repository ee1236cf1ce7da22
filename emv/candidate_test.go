package emv

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// polyglot is a cardholder that can be addressed in several languages.
type polyglot struct {
	person
	told []string
}

func (p *polyglot) PreferLanguages(codes []string) { p.told = append(p.told, strings.Join(codes, "+")) }

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
		{"11.1: the PSE's languages, one application without any", [][2]string{
			ddfOf(hex.EncodeToString(pseName), 1, l("zhen")), recordOf(1, 1, adfEntry(testAID, "1")), noRecord(1, 2), {selUP, fciOf(testAID, "")},
		}, "zh+en"},
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
