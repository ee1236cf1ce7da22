package emv

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

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
