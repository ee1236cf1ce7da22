package keypad

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"posd/internal/money"
)

var verbs = regexp.MustCompile(`%[-+# 0]*[0-9]*(\.[0-9]+)?[a-zA-Z%]`)

// TestMessages: every message constant has an entry, every entry both languages, with the same verbs in the same order.
func TestMessages(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "messages.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[Msg]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		v, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		if other, twice := declared[Msg(v)]; twice {
			t.Errorf("%s and %s are both %q", spec.Names[0].Name, other, v)
		}
		declared[Msg(v)] = spec.Names[0].Name
		return true
	})
	if len(declared) < 100 {
		t.Fatalf("only %d constants found", len(declared))
	}
	for m, name := range declared {
		if _, ok := messages[m]; !ok {
			t.Errorf("%s has no entry", name)
		}
	}
	for m, e := range messages {
		if _, ok := declared[m]; !ok {
			t.Errorf("entry %q has no constant", m)
		}
		for lang, s := range map[string]string{"zh": e.zh, "en": e.en} {
			if strings.TrimSpace(s) == "" || strings.TrimSpace(s) != s {
				t.Errorf("%s: %s is %q", m, lang, s)
			}
		}
		if a, b := verbs.FindAllString(e.zh, -1), verbs.FindAllString(e.en, -1); !slices.Equal(a, b) {
			t.Errorf("%s: verbs %v and %v", m, a, b)
		}
		// The two messages that name the other language are the other way round on purpose.
		hanzi := func(s string) bool {
			return strings.IndexFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) }) >= 0
		}
		if swapped := m == MenuLang || m == HintLang; hanzi(e.zh) == swapped || hanzi(e.en) != swapped {
			t.Errorf("%s: %q and %q: in the wrong column?", m, e.zh, e.en)
		}
	}
}

// TestGlyphs: no message has a character that the fonts lack.
func TestGlyphs(t *testing.T) {
	f := newTypeface()
	lost := f.glyph('\U0010ffff', 24, medium)
	for m, e := range messages {
		for _, r := range e.zh + e.en {
			if r == ' ' || r == '□' {
				continue
			}
			g := f.glyph(r, 24, medium)
			if g.mask == nil || slices.Max(append(g.mask.Pix, 0)) == 0 || string(g.mask.Pix) == string(lost.mask.Pix) {
				t.Errorf("%s: no glyph for %q", m, r)
			}
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		text   Text
		zh, en string
	}{
		{T(Approved), "交易成功", "Approved"},
		{T(AmountMax, money.Yuan(5000000)), "单笔最高 ¥50,000.00", "At most ¥50,000.00"},
		{T(PlanPeriods, 6), "6 期", "6 months"},
		{T(WhyOther, T(WhyFunds)), "被拒绝 (余额不足)", "Declined (Insufficient funds)"},
		{Raw("898"), "898", "898"},
		{Text{}, "", ""},
		{Text{Words: map[Lang]string{EN: "only English"}}, "only English", "only English"},
		{Text{Words: map[Lang]string{ZH: "中"}}, "中", "中"},
		{Text{Words: map[Lang]string{"ja": "j", "de": "d"}}, "d", "d"},
		{T("no.such.message"), "[no.such.message]", "[no.such.message]"},
	} {
		if zh, en := c.text.In(ZH), c.text.In(EN); zh != c.zh || en != c.en {
			t.Errorf("got %q and %q, want %q and %q", zh, en, c.zh, c.en)
		}
	}
}
