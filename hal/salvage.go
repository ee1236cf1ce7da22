package hal

import (
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"
)

// Salvage reads what can be read of a board file that LoadBoard refuses: its display, so that the operator can be told. nil when not even
// that is there, as in a file that is not TOML.
func Salvage(path string) *Board {
	raw, err := os.ReadFile(path)
	if err != nil || len(raw) > maxBoardFile {
		return nil
	}
	var b Board
	if err := toml.Unmarshal(raw, &b); err != nil || b.Display == nil || b.Display.Path == "" {
		return nil
	}
	if !filepath.IsAbs(b.Display.Path) {
		b.Display.Path = filepath.Join(filepath.Dir(path), b.Display.Path)
	}
	return &Board{Name: b.Name, Display: b.Display}
}
