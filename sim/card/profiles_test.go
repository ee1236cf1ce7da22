package card

import (
	"slices"
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
	taps, readers, numbers := 0, map[string]bool{}, map[string]bool{}
	groups := map[string]bool{}
	for _, p := range all {
		if p.Everyday {
			everyday++
		}
		groups[p.Group] = true
		if c := p.Contactless; c != nil {
			taps++
			if len(p.ExpectTap) == 0 {
				t.Errorf("%s: what does a contactless reader conclude?", p.Name)
			}
			for name := range p.ExpectTap {
				readers[name] = true
			}
			if c.With != "" && !slices.Contains(Taps(), c.With) {
				t.Errorf("%s: there is no card %s to be in the field with it", p.Name, c.With)
			}
		}
		for _, a := range p.Applications {
			if numbers[a.PAN] {
				t.Errorf("%s: another card has the same account number", p.Name)
			}
			numbers[a.PAN] = true
		}
		for name := range p.ExpectAt {
			used[name] = true
		}
		switch {
		case p.Title == "" || p.TitleZH == "" || p.Story == "" || p.Group == "":
			t.Errorf("%s: title, title_zh, story and group are wanted", p.Name)
		case utf8.RuneCountInString(p.Title) > 21 || utf8.RuneCountInString(p.TitleZH) > 16:
			t.Errorf("%s: the title is too long for a card", p.Name)
		case p.Contactless != nil && p.Contactless.Only:
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
	if taps < 25 {
		t.Errorf("%d contactless profiles", taps)
	}
	for _, x := range Readers {
		if !readers[x.Name] {
			t.Errorf("no profile speaks of reader %s", x.Name)
		}
	}
	for _, x := range Terminals[1:] {
		if !used[x.Name] {
			t.Errorf("no profile speaks of terminal %s", x.Name)
		}
	}
}
