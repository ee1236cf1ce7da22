package hal

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSalvage(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"unknown key":      {"colour = 1\n[display]\ndriver = \"fb\"\npath = \"fb0\"\n[reader]\ndriver = \"nonsense\"\n", true},
		"no display":       {"name = \"x\"\n", false},
		"no path":          {"[display]\ndriver = \"fb\"\n", false},
		"not TOML":         {"[display\n", false},
		"of another shape": {"display = 3\n", false},
	} {
		path := filepath.Join(t.TempDir(), "board.toml")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadBoard(path); err == nil {
			t.Fatalf("%s: a good board file", name)
		}
		b := Salvage(path)
		if (b != nil) != c.want {
			t.Errorf("%s: %+v", name, b)
		}
		if b != nil && b.Display.Path != filepath.Join(filepath.Dir(path), "fb0") {
			t.Errorf("%s: display at %s", name, b.Display.Path)
		}
	}
	if Salvage(filepath.Join(t.TempDir(), "missing")) != nil {
		t.Error("something was salvaged out of nothing")
	}
}
