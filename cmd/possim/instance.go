package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// instance tells possim do where the running terminal is.
type instance struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
	Dir string `json:"dir"`
}

// instanceFile is the name of the file that says so, in the run directory and in stateDir.
const instanceFile = "possim.json"

// stateDir is a directory that only this user can read: the address has the token in it.
func stateDir() (string, error) {
	if d := os.Getenv("XDG_RUNTIME_DIR"); d != "" {
		return d, nil
	}
	d := filepath.Join(os.TempDir(), "possim-of-"+strconv.Itoa(os.Getuid()))
	if err := os.Mkdir(d, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	fi, err := os.Lstat(d)
	if err != nil {
		return "", err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); !ok || !fi.IsDir() || int(st.Uid) != os.Getuid() || fi.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s is not a directory of yours alone", d)
	}
	return d, nil
}

// announce writes the instance down; forget takes it back unless a later instance has taken its place.
func announce(i instance) (forget func(), err error) {
	dir, err := stateDir()
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(i)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, d := range []string{i.Dir, dir} {
		path := filepath.Join(d, instanceFile)
		// Rename, so that nobody reads half a file.
		tmp := path + "." + strconv.Itoa(i.PID)
		if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
			return nil, err
		}
		if err := os.Rename(tmp, path); err != nil {
			return nil, err
		}
		files = append(files, path)
	}
	return func() {
		for _, f := range files {
			if have, err := readInstance(f); err == nil && have.PID == i.PID {
				_ = os.Remove(f) // the directory may be gone already
			}
		}
	}, nil
}

func readInstance(path string) (instance, error) {
	var i instance
	b, err := os.ReadFile(path)
	if err != nil {
		return i, err
	}
	if err := json.Unmarshal(b, &i); err != nil {
		return i, fmt.Errorf("%s: %w", path, err)
	}
	return i, nil
}

// findInstance is the terminal to act on: by run directory, by POSSIM_URL, or the one that was started last.
func findInstance(dir string) (string, error) {
	if dir == "" {
		if u := os.Getenv("POSSIM_URL"); u != "" {
			return u, nil
		}
		d, err := stateDir()
		if err != nil {
			return "", err
		}
		dir = d
	}
	i, err := readInstance(filepath.Join(dir, instanceFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", errors.New("no virtual terminal is running: start one with possim run, or name it with -dir or POSSIM_URL")
	}
	return i.URL, err
}
