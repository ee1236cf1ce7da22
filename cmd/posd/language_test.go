package main

import (
	"bytes"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"posd/keypad"
)

func TestChosenLanguage(t *testing.T) {
	for _, c := range []struct {
		name, file string
		configured string
		want       keypad.Lang
	}{
		{"chosen", "en\n", "zh", "en"},
		{"chosen, other way round", "zh\n", "en", "zh"},
		{"no line end", "en", "zh", "en"},
		{"nobody has chosen", "-", "en", "en"},
		{"empty", "", "en", "en"},
		{"unknown language", "fr\n", "en", "en"},
		{"half written", "e", "zh", "zh"},
		{"zeros", "\x00\x00\x00", "en", "en"},
		{"two", "en\nzh\n", "zh", "zh"},
		{"long", "en" + strings.Repeat("n", 1<<20), "zh", "zh"},
	} {
		dir := t.TempDir()
		if c.file != "-" {
			if err := os.WriteFile(filepath.Join(dir, languageFile), []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := chosenLanguage(dir, c.configured); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, languageFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := chosenLanguage(dir, "en"); got != "en" {
		t.Errorf("a directory in its place: %q", got)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile(languageFile, []byte("en\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := chosenLanguage("", "zh"); got != "zh" {
		t.Errorf("no data directory: %q", got)
	}
}

// blank is a display that nobody looks at.
type blank struct{}

func (blank) Bounds() image.Rectangle                              { return image.Rect(0, 0, 480, 320) }
func (blank) Draw(image.Rectangle, image.Image, image.Point) error { return nil }

// The language key changes what the next start finds, and works all the same where nothing can be written.
func TestSwitchLanguage(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	m := &machine{
		console: keypad.New(nil, blank{}, keypad.Options{Lang: keypad.ZH}), set: &settings{conf: &config{Data: dir}}, log: zerolog.New(&log),
	}
	for _, want := range []keypad.Lang{keypad.EN, keypad.ZH, keypad.EN} {
		m.switchLanguage()
		if got, kept := m.console.Lang(), chosenLanguage(dir, "xx"); got != want || kept != want {
			t.Errorf("the display is in %q, the next start will be in %q, want %q", got, kept, want)
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 1 || files[0].Name() != languageFile {
			t.Errorf("%v, %v", files, err)
		}
	}
	if log.Len() != 0 {
		t.Error(log.String())
	}
	if err := os.WriteFile(filepath.Join(dir, languageFile+".new"), []byte("what a power cut left"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.switchLanguage()
	if got := chosenLanguage(dir, "xx"); got != keypad.ZH {
		t.Errorf("after a power cut in between: %q", got)
	}
	// The new file cannot be written: the old one stays, and the terminal goes on.
	if err := os.Mkdir(filepath.Join(dir, languageFile+".new"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.switchLanguage()
	if got, kept := m.console.Lang(), chosenLanguage(dir, "xx"); got != keypad.EN || kept != keypad.ZH || log.Len() == 0 {
		t.Errorf("the display is in %q, kept is %q, log %q", got, kept, log.String())
	}
}
