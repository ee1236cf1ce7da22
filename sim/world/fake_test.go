package world

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// fakePosd in the environment makes the test binary play posd: just enough of it to see the world from the inside.
const fakePosd = "WORLD_TEST_POSD"

func TestMain(m *testing.M) {
	if how := os.Getenv(fakePosd); how != "" {
		os.Exit(playPosd(how, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// playPosd: "run" shows the screen "idle", draws a red pixel, and then for each key: logs it, and on Enter prints three lines. With
// how = "crash" it ends at once.
func playPosd(how string, args []string) int {
	say := func(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }
	fail := func(err error) int {
		say(`{"level":"error","message":%q}`, err.Error())
		return 1
	}
	if len(args) == 3 && args[0] == "journal" {
		fmt.Println(`{"no":1,"state":"approved"}`)
		return 0
	}
	if len(args) != 5 || args[0] != "run" {
		say("bad arguments %q", args)
		return 2
	}
	if how == "crash" {
		say("panic: out of luck")
		return 7
	}
	b, err := os.ReadFile(args[2])
	if err != nil {
		return fail(err)
	}
	var board struct {
		Keypad  struct{ Path string }
		Display struct{ Path string }
		Printer struct{ Port string }
	}
	if err := toml.Unmarshal(b, &board); err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(filepath.Join(filepath.Dir(args[4]), "data"), 0o700); err != nil {
		return fail(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(args[4]), "data", "journal.db"), []byte("x"), 0o600); err != nil {
		return fail(err)
	}
	fb, err := os.OpenFile(board.Display.Path, os.O_RDWR, 0)
	if err != nil {
		return fail(err)
	}
	if _, err := fb.WriteAt([]byte{0, 0, 255, 0}, 0); err != nil {
		return fail(err)
	}
	keys, err := os.Open(board.Keypad.Path)
	if err != nil {
		return fail(err)
	}
	say(`{"level":"info","time":"2026-01-01T00:00:00Z","screen":"idle","mood":"plain","message":"screen"}`)
	event := make([]byte, 24)
	for {
		if _, err := keys.Read(event); err != nil {
			return fail(err)
		}
		if binary.LittleEndian.Uint16(event[16:]) != 1 || binary.LittleEndian.Uint32(event[20:]) != 1 {
			continue
		}
		code := binary.LittleEndian.Uint16(event[18:])
		say(`{"level":"info","code":%d,"message":"key"}`, code)
		if code != 28 {
			continue
		}
		p, err := os.OpenFile(board.Printer.Port, os.O_RDWR, 0)
		if err != nil {
			return fail(err)
		}
		for i := range 3 {
			if _, err := fmt.Fprintf(p, "line %d\n", i+1); err != nil {
				return fail(err)
			}
			time.Sleep(2 * time.Millisecond)
		}
		say(`{"level":"info","screen":"printed","message":"screen"}`)
		_ = p.Close()
	}
}
