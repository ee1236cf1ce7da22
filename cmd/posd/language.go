package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"posd/keypad"
)

// languageFile, in the data directory, has the language that was chosen at the terminal: it stands above the one of posd.toml, which is the
// language of a terminal at which nobody has chosen yet.
const languageFile = "language"

// chosenLanguage is the language in which the terminal starts. A file that is not there, cannot be read or says anything but a language that
// the terminal has means the configured one: no terminal stays dark for it.
func chosenLanguage(dir, configured string) keypad.Lang {
	l := keypad.Lang(configured)
	if dir == "" {
		return l // a configuration that was not understood
	}
	f, err := os.Open(filepath.Join(dir, languageFile))
	if err != nil {
		return l
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 16))
	if s := keypad.Lang(strings.TrimSpace(string(b))); err == nil && (s == keypad.ZH || s == keypad.EN) {
		return s
	}
	return l
}

// keepLanguage notes the chosen language durably. A power cut leaves the old file or the new one, never a part.
func keepLanguage(dir string, l keypad.Lang) error {
	path := filepath.Join(dir, languageFile)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(string(l) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
