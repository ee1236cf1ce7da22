package emv

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// transcript loads an exchange of testdata/card-transcripts.json as the kernel sees it: the GET RESPONSE commands of T=0 belong to
// the transport, so what they bring is joined to the answer that they follow.
func transcript(t testing.TB, name string) [][2]string {
	t.Helper()
	b, err := os.ReadFile("testdata/card-transcripts.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Exchanges map[string][][2]string }
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	pairs, ok := f.Exchanges[name]
	if !ok {
		t.Fatalf("no transcript %s", name)
	}
	var out [][2]string
	for _, p := range pairs {
		if strings.HasPrefix(p[0], "00C0") {
			last := &out[len(out)-1]
			last[1] = p[1][:len(p[1])-4] + last[1][len(last[1])-4:]
			continue
		}
		out = append(out, p)
	}
	return out
}

// fiveApplications is the terminal of the transcripts.
func fiveApplications() Config {
	cfg := testConfig()
	cfg.Applications = nil
	for _, a := range []struct {
		aid     string
		partial bool
	}{{"A0000000031010", true}, {"A0000000032010", false}, {"A0000000032020", false}, {"A0000000041010", true}, {"A0000000043060", true}} {
		cfg.Applications = append(cfg.Applications, Application{AID: unhex(a.aid), Partial: a.partial, DDOL: unhex("9F3704")})
	}
	return cfg
}

func session(t testing.TB, cfg Config, c Card, p *person) *Session {
	t.Helper()
	s, err := New(cfg).newSession(c, testRequest(), p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func names(sel *selection) string {
	var out []string
	for _, c := range sel.list {
		out = append(out, fmt.Sprintf("%X %s", c.AID, c.Label))
	}
	return strings.Join(out, "; ")
}

func TestCandidateListTranscripts(t *testing.T) {
	for _, c := range []struct {
		name, want string
		err        error
	}{
		{"pse_card_blocked", "", ErrCardBlocked},
		{"nothing_found", "", nil},
		{"pse_blocked", "", nil},
		{"pse_app_not_supported", "", nil},
		{"pse_app_supported", "A0000000031010 VISA CREDIT", nil},
		{"aid_multi_exact_match_app_supported", "A0000000032020 V PAY; A0000000032010 V PAY", nil},
		{"sorted_app_priority", "A000000003101001 APP 1; A000000003101002 APP 2; A000000003101003 APP 3; A000000003101004 APP 4; A000000003101005 APP 5; A000000003101006 APP 6; A0000000041010 APP 7", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := script(t, transcript(t, "build_candidate_list/"+c.name)...)
			s := session(t, fiveApplications(), card, &person{})
			sel, err := s.buildCandidates(t.Context())
			card.done()
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err == nil && names(sel) != c.want {
				t.Errorf("%s\nwant %s", names(sel), c.want)
			}
		})
	}
}

// The transcript's card answers badly to one SELECT after the other; each bad application leaves the list and the next is taken.
func TestSelectApplicationTranscript(t *testing.T) {
	one := func(name string) [2]string { return transcript(t, "select_application/"+name)[0] }
	card := script(t, append(transcript(t, "select_application/pse"),
		one("select_app1"), [2]string{"00A4040008A00000000310100200", "6A82"}, one("select_app3"), one("repeat_select_app_success"))...)
	p := &person{}
	s := session(t, fiveApplications(), card, p)
	sel, err := s.buildCandidates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.selectApplication(t.Context(), sel); err != nil {
		t.Fatal(err)
	}
	card.done()
	if v, _ := s.Get(tagDFName); hex.EncodeToString(v) != "a000000003101004" || s.label != "V PAY" {
		t.Errorf("selected %X %s", v, s.label)
	}
	if n := len(p.offered); n != 4 || len(p.offered[0]) != 7 || len(p.offered[3]) != 4 {
		t.Errorf("the list was offered %d times", n)
	}
	// What is left after the application has refused the transaction: 5 has no 84, 6 names another application, the last is blocked.
	card.pairs = append(card.pairs, one("select_app5"), one("select_app6"), [2]string{"00A4040007A000000004101000", "6283"})
	err = s.selectApplication(t.Context(), sel)
	card.done()
	if !errors.Is(err, ErrAppBlocked) {
		t.Errorf("error %v", err)
	}
}

const (
	selPSE = "00A404000E315041592E5359532E444446303100"
	selUP  = "00A4040008A00000033301010100"
	selUP2 = "00A4040208A00000033301010100"
)

func fciOf(aid, prop string) string {
	return hex.EncodeToString(sw(obj(tagFCI, obj(tagDFName, aid), obj(tagFCIProp, prop)), 0x9000))
}

func TestCandidateListClauses(t *testing.T) {
	up := "A000000333010101"
	pse := [2]string{selPSE, fciOf(hex.EncodeToString(pseName), "880101 9F110101")}
	rec := func(n byte, content ...any) [2]string {
		return [2]string{fmt.Sprintf("00B2%02X0C00", n), hex.EncodeToString(sw(obj(tagRecord, content...), 0x9000))}
	}
	end := func(n byte) [2]string { return [2]string{fmt.Sprintf("00B2%02X0C00", n), "6A83"} }
	good := [2]string{selUP, fciOf(up, "500450415931870101")}
	entry := obj(tagAppTemplate, "4F08"+up+"500450415931 870101")
	for _, c := range []struct {
		name  string
		pairs [][2]string
		want  string
		err   error
	}{
		{"12.3.2 PSE with the application", [][2]string{pse, rec(1, entry), end(2)}, up + " PAY1", nil},
		{"12.3.2 no PSE", [][2]string{{selPSE, "6A82"}, good}, up + " PAY1", nil},
		{"12.3.2 any other status leads to the list of AIDs", [][2]string{{selPSE, "6D00"}, good}, up + " PAY1", nil},
		{"12.3.2 card blocked", [][2]string{{selPSE, "6A81"}}, "", ErrCardBlocked},
		{"12.3.2 PSE blocked", [][2]string{{selPSE, "6283"}, good}, up + " PAY1", nil},
		{"12.3.2 PSE without SFI", [][2]string{{selPSE, fciOf("315041592E", "5F2D027A68")}, good}, up + " PAY1", nil},
		{"12.3.2 PSE with SFI 11", [][2]string{{selPSE, fciOf("315041592E", "88010B")}, good}, up + " PAY1", nil},
		{"12.3.2 PSE that is no FCI", [][2]string{{selPSE, "7000 9000"}, good}, up + " PAY1", nil},
		{"12.3.2 PSE cut off", [][2]string{{selPSE, "6F20 84 9000"}, good}, up + " PAY1", nil},
		{"12.3.2 a bad status within the directory throws it away", [][2]string{pse, rec(1, entry), {"00B2020C00", "6F00"}, good}, up + " PAY1", nil},
		{"12.3.2 a record that is not template 70 throws it away", [][2]string{pse, rec(1, entry), {"00B2020C00", "61009000"}, good}, up + " PAY1", nil},
		{"12.3.2 a broken entry throws it away", [][2]string{pse, rec(1, "61034F0847"), good}, up + " PAY1", nil},
		{"12.3.2 an entry without a name is passed over", [][2]string{pse, rec(1, "6103870101", entry), end(2)}, up + " PAY1", nil},
		{"12.3.2 a name of 17 bytes is passed over", [][2]string{pse, rec(1, obj(tagAppTemplate, obj(tagADFName, up+up+"00")), entry), end(2)}, up + " PAY1", nil},
		{"12.3.2 an empty directory", [][2]string{pse, end(1), good}, up + " PAY1", nil},
		{"12.3.2 entries that are not for this terminal", [][2]string{pse, rec(1, obj(tagAppTemplate, "4F07A0000000031010")), end(2), good}, up + " PAY1", nil},
		{"12.3.2 the same entry twice counts once", [][2]string{pse, rec(1, entry, entry), end(2)}, up + " PAY1", nil},
		{"12.4 preferred name in the code table of the PSE", [][2]string{pse, rec(1, obj(tagAppTemplate, "4F08"+up+"500450415931 9F1204 C4E94231")), end(2)}, up + " ÄéB1", nil},
		{"12.4 control characters never reach the display", [][2]string{pse, rec(1, obj(tagAppTemplate, "4F08"+up+"5006 1B40 5041 0A59")), end(2)}, up + " @PAY", nil},
		{"12.4 no name at all: the AID", [][2]string{pse, rec(1, obj(tagAppTemplate, "4F08"+up)), end(2)}, up + " " + up, nil},
		{"12.3.3 step 2 card blocked", [][2]string{{selPSE, "6A82"}, {selUP, "6A81"}}, "", ErrCardBlocked},
		{"12.3.3 step 3 partial name, then no more", [][2]string{{selPSE, "6A82"}, {selUP, fciOf(up+"01", "5001 41")}, {selUP2, "6A82"}}, up + "01 A", nil},
		{"12.3.3 step 7 next occurrences", [][2]string{{selPSE, "6A82"}, {selUP, fciOf(up+"01", "500141")}, {selUP2, fciOf(up+"02", "500142 870101")}, {selUP2, "6A82"}}, up + "02 B; " + up + "01 A", nil},
		{"12.3.3 step 7 ends at an exact match", [][2]string{{selPSE, "6A82"}, {selUP, fciOf(up+"01", "500141")}, {selUP2, fciOf(up, "500142")}}, up + "01 A; " + up + " B", nil},
		{"12.3.3 step 4 a blocked application is no candidate", [][2]string{{selPSE, "6A82"}, {selUP, strings.TrimSuffix(fciOf(up, "500141"), "9000") + "6283"}}, "", nil},
		{"12.3.3 a blocked one, then another occurrence", [][2]string{{selPSE, "6A82"}, {selUP, strings.TrimSuffix(fciOf(up+"01", "500141"), "9000") + "6283"}, {selUP2, fciOf(up+"02", "500142")}, {selUP2, "6A82"}}, up + "02 B", nil},
		{"12.3.3 an FCI without 84", [][2]string{{selPSE, "6A82"}, {selUP, "6F05A503500141 9000"}}, "", nil},
		{"12.3.3 an FCI without A5", [][2]string{{selPSE, "6A82"}, {selUP, "6F0A8408A000000333010101 9000"}}, "", nil},
		{"12.3.3 an FCI of another application", [][2]string{{selPSE, "6A82"}, {selUP, fciOf("A0000000031010", "500141")}}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := script(t, c.pairs...)
			s := session(t, testConfig(), card, &person{})
			sel, err := s.buildCandidates(t.Context())
			card.done()
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err == nil && !strings.EqualFold(names(sel), c.want) {
				t.Errorf("%q, want %q", names(sel), c.want)
			}
		})
	}
}

func TestExactOnlyApplicationIsNotFoundByPartOfItsName(t *testing.T) {
	cfg := testConfig()
	cfg.Applications[0].Partial = false
	card := script(t, [2]string{selPSE, "6A82"}, [2]string{selUP, fciOf("A00000033301010101", "500141")}) // 12.3.3, step 6: to step 5
	sel, err := session(t, cfg, card, &person{}).buildCandidates(t.Context())
	card.done()
	if err != nil || len(sel.list) != 0 {
		t.Errorf("%s, %v", names(sel), err)
	}
}

// Book 1, 12.3.3: step 2 is for the first AID alone; step 5 leads to step 3, where 6A81 is a status as any other.
func TestFunctionNotSupportedForALaterAID(t *testing.T) {
	cfg := testConfig()
	visa := cfg.Applications[0]
	visa.AID = unhex("A0000000031010")
	cfg.Applications = append(cfg.Applications, visa)
	card := script(t, [2]string{selPSE, "6A82"}, [2]string{selUP, fciOf("A000000333010101", "500141")}, [2]string{"00A4040007A000000003101000", "6A81"})
	sel, err := session(t, cfg, card, &person{}).buildCandidates(t.Context())
	card.done()
	if err != nil || names(sel) != "A000000333010101 A" {
		t.Errorf("%s, %v", names(sel), err)
	}
}

func TestTheLongestAIDDescribesAnApplication(t *testing.T) {
	cfg := testConfig()
	general := cfg.Applications[0]
	general.AID = unhex("A000000333")
	cfg.Applications = append([]Application{general}, cfg.Applications...)
	k := New(cfg)
	for name, want := range map[string]int{"A000000333010101": 8, "A00000033301010199": 8, "A000000333010102": 5} {
		if a := k.match(unhex(name)); a == nil || len(a.AID) != want {
			t.Errorf("%s matches %v", name, a)
		}
	}
	for _, name := range []string{"", "A0000003", "A000000003", strings.Repeat("A000000333", 4)} {
		if a := k.match(unhex(name)); a != nil {
			t.Errorf("%s matches %X", name, a.AID)
		}
	}
	// By the list of AIDs both entries lead to the same application: it is offered once.
	card := script(t, [2]string{selPSE, "6A82"},
		[2]string{"00A4040005A00000033300", fciOf("A000000333010101", "500141")},
		[2]string{"00A4040205A00000033300", "6A82"},
		[2]string{selUP, fciOf("A000000333010101", "500141")})
	sel, err := session(t, cfg, card, &person{}).buildCandidates(t.Context())
	card.done()
	if err != nil || len(sel.list) != 1 || len(sel.list[0].app.AID) != 8 {
		t.Errorf("%s, %v", names(sel), err)
	}
}

func TestChoosingClauses(t *testing.T) {
	up := "A000000333010101"
	noPSE := [2]string{selPSE, "6A82"}
	one := func(priority string) [2]string { return [2]string{selUP, fciOf(up, "500141"+priority)} }
	cancel := func([]Candidate) (int, error) { return 0, ErrCancelled }
	for _, c := range []struct {
		name    string
		pairs   [][2]string
		choice  func([]Candidate) (int, error)
		offered int
		err     error
	}{
		{"12.4 step 2 one application without confirmation", [][2]string{noPSE, one("870101"), one("870101")}, cancel, 0, nil},
		{"12.4 step 2 one application, confirmed", [][2]string{noPSE, one("870181"), one("870181")}, nil, 1, nil},
		{"12.4 step 2 one application, not confirmed", [][2]string{noPSE, one("870181")}, cancel, 1, ErrCancelled},
		{"12.4 step 1 none", [][2]string{noPSE, {selUP, "6A82"}}, nil, 0, ErrNotAccepted},
		{"only a blocked one", [][2]string{noPSE, {selUP, strings.TrimSuffix(fciOf(up, "500141"), "9000") + "6283"}}, nil, 0, ErrAppBlocked},
		{"blocked without an FCI", [][2]string{noPSE, {selUP, "6283"}}, nil, 0, ErrAppBlocked},
		{"blocked at the final SELECT", [][2]string{noPSE, one(""), {selUP, "6283"}}, nil, 0, ErrAppBlocked},
		{"gone at the final SELECT", [][2]string{noPSE, one(""), {selUP, "6A82"}}, nil, 0, ErrNotAccepted},
		{"card blocked at the final SELECT", [][2]string{noPSE, one(""), {selUP, "6A81"}}, nil, 0, ErrCardBlocked},
		{"another FCI at the final SELECT", [][2]string{noPSE, one(""), {selUP, fciOf("A0000000031010", "500141")}}, nil, 0, ErrBadCard},
		{"choice out of range", [][2]string{noPSE, one("870181")}, func(c []Candidate) (int, error) { return len(c), nil }, 1, ErrCancelled},
		{"negative choice", [][2]string{noPSE, one("870181")}, func([]Candidate) (int, error) { return -1, nil }, 1, ErrCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := script(t, c.pairs...)
			p := &person{choice: c.choice}
			s := session(t, testConfig(), card, p)
			sel, err := s.buildCandidates(t.Context())
			if err == nil {
				err = s.selectApplication(t.Context(), sel)
			}
			card.done()
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if len(p.offered) != c.offered {
				t.Errorf("offered %d times, want %d", len(p.offered), c.offered)
			}
		})
	}
}

// 12.4: after an application that the cardholder chose has failed, none is taken without asking again.
func TestNothingIsChosenBehindTheCardholdersBack(t *testing.T) {
	up := "A000000333010101"
	card := script(t, [2]string{selPSE, "6A82"},
		[2]string{selUP, fciOf(up+"01", "500141")}, [2]string{selUP2, fciOf(up+"02", "500142")}, [2]string{selUP2, "6A82"},
		[2]string{"00A4040009" + up + "0200", "6283"},
		[2]string{"00A4040009" + up + "0100", fciOf(up+"01", "500141")})
	p := &person{choice: func(c []Candidate) (int, error) { return len(c) - 1, nil }}
	s := session(t, testConfig(), card, p)
	sel, err := s.buildCandidates(t.Context())
	if err == nil {
		err = s.selectApplication(t.Context(), sel)
	}
	card.done()
	if err != nil || len(p.offered) != 2 || len(p.offered[1]) != 1 {
		t.Errorf("%v, offered %d times", err, len(p.offered))
	}
}

// A card that answers every SELECT with one more application must not keep the terminal busy for ever.
func TestEndlessSelectionIsEnded(t *testing.T) {
	n := 0
	c := cardFunc(func(capdu []byte) []byte {
		if capdu[5] == '1' {
			return unhex("6A82")
		}
		n++
		return unhex(fciOf(fmt.Sprintf("A000000333010101%04X", n), "500141"))
	})
	_, err := start(t, c)
	if !errors.Is(err, ErrBadCard) || n > maxSelects+1 {
		t.Errorf("%v after %d SELECTs", err, n)
	}
	n = 0
	endless := cardFunc(func(capdu []byte) []byte {
		switch {
		case capdu[1] == 0xB2:
			n++
			return sw(obj(tagRecord), 0x9000)
		case capdu[5] == '1':
			return unhex(fciOf(hex.EncodeToString(pseName), "880101"))
		}
		return unhex("6A82")
	})
	if _, err := start(t, endless); !errors.Is(err, ErrNotAccepted) || n > maxDirectory {
		t.Errorf("%v after %d directory records", err, n)
	}
}
