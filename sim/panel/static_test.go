package panel

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func sources(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(static, "static", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(static, path)
		out[strings.TrimPrefix(path, "static/")] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func all(text, re string) []string {
	var out []string
	for _, m := range regexp.MustCompile(re).FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// The page has no compiler: what its modules refer to must be there.
func TestPageFitsTogether(t *testing.T) {
	files := sources(t)
	html := files["index.html"]
	ids := all(html, ` id="([^"]+)"`)
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			t.Errorf("id %s twice", id)
		}
	}
	words := all(files["i18n.js"], `(?m)^  (\w+): \['`)
	if len(words) < 30 {
		t.Fatalf("only %d words found", len(words))
	}
	for _, w := range all(html, `data-i18n="([^"]+)"`) {
		if !slices.Contains(words, w) {
			t.Errorf("index.html: no words for %q", w)
		}
	}
	for name, text := range files {
		if !strings.HasSuffix(name, ".js") {
			continue
		}
		for _, id := range all(text, `\$\('([^']+)'\)`) {
			if !slices.Contains(ids, id) {
				t.Errorf("%s: no element %q", name, id)
			}
		}
		for _, w := range all(text, `\bt\('([^']+)'\)`) {
			if !slices.Contains(words, w) {
				t.Errorf("%s: no words for %q", name, w)
			}
		}
		for _, m := range all(text, `from '\./([^']+)'`) {
			if _, ok := files[m]; !ok {
				t.Errorf("%s: no module %q", name, m)
			}
		}
	}
	buttons := all(html, `(<button[^>]*>)`)
	for _, b := range buttons {
		if !strings.Contains(b, "data-testid=") {
			t.Errorf("no test id: %s", b)
		}
	}
}

func TestNothingFromOutside(t *testing.T) {
	for name, text := range sources(t) {
		for _, u := range all(text, `((?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s"')]*)`) {
			if !strings.HasPrefix(u, "http://www.w3.org/") {
				t.Errorf("%s refers to %s", name, u)
			}
		}
	}
}
