package card

import (
	"testing"
	"unicode/utf8"
)

// TestProfiles holds the folder to what people want of it.
func TestProfiles(t *testing.T) {
	all := builtin()
	if len(all) < 40 {
		t.Errorf("%d profiles", len(all))
	}
	everyday, used := 0, map[string]bool{}
	groups := map[string]bool{}
	for _, p := range all {
		if p.Everyday {
			everyday++
		}
		groups[p.Group] = true
		for name := range p.ExpectAt {
			used[name] = true
		}
		switch {
		case p.Title == "" || p.TitleZH == "" || p.Story == "" || p.Group == "":
			t.Errorf("%s: title, title_zh, story and group are wanted", p.Name)
		case utf8.RuneCountInString(p.Title) > 21 || utf8.RuneCountInString(p.TitleZH) > 16:
			t.Errorf("%s: the title is too long for a card", p.Name)
		case p.Expect.Start == "":
			t.Errorf("%s: what does the terminal that ships conclude?", p.Name)
		case (p.Expect.Start == "online" || p.Expect.Start == "approved" || p.Expect.Start == "declined") && (p.Expect.Final == "" || p.Expect.TVR == ""):
			t.Errorf("%s: final and tvr are wanted", p.Name)
		}
	}
	if everyday < 12 || everyday > 16 {
		t.Errorf("%d profiles for newcomers", everyday)
	}
	for _, g := range Groups {
		if !groups[g] {
			t.Errorf("no profile in group %s", g)
		}
	}
	for _, x := range Terminals[1:] {
		if !used[x.Name] {
			t.Errorf("no profile speaks of terminal %s", x.Name)
		}
	}
}
