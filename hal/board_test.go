package hal_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"posd/hal"
)

// minimal is the least that a board file needs.
const minimal = `name = "b"
[keypad]
driver = "evdev"
path = "keys"
[keypad.map]
KEY_0 = "0"
2 = "1"
KEY_2 = "2"
KEY_3 = "3"
KEY_4 = "4"
KEY_5 = "5"
KEY_6 = "6"
KEY_7 = "7"
KEY_8 = "8"
KEY_9 = "9"
KEY_ENTER = "enter"
KEY_BACKSPACE = "clear"
KEY_ESC = "cancel"
[display]
driver = "fb"
path = "/dev/fb0"
`

func TestShippedBoards(t *testing.T) {
	files, err := filepath.Glob("../etc/boards/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal("no board files: ", err)
	}
	for _, f := range files {
		if _, err := hal.LoadBoard(f); err != nil {
			t.Error(err)
		}
	}
}

func TestLoadBoard(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "board.toml")
	raw := minimal + "[printer]\ndriver=\"escpos\"\nport=\"printer\"\ndots=576\n[scanner]\ndriver=\"serial\"\nport=\"/dev/ttyS1\"\ntrigger=\"none\"\n"
	if err := os.WriteFile(path, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := hal.LoadBoard(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.Reader != nil || b.PINPad != nil {
		t.Error("devices that the file does not have")
	}
	want := &hal.Printer{Driver: "escpos", Port: filepath.Join(dir, "printer"), Baud: 115200, Dots: 576, Columns: 48, Encoding: "gb18030", QR: "native"}
	if d := cmp.Diff(want, b.Printer); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(&hal.Scanner{Driver: "serial", Port: "/dev/ttyS1", Baud: 9600, Trigger: "none", Suffix: "\r"}, b.Scanner); d != "" {
		t.Error(d)
	}
	if b.Keypad.Path != filepath.Join(dir, "keys") {
		t.Error("relative path:", b.Keypad.Path)
	}
	for code, r := range map[uint16]rune{11: '0', 2: '1', 10: '9', 28: '\r', 14: '\b', 1: 0x1b} {
		if b.Keypad.Codes[code] != r {
			t.Errorf("code %d is %q, want %q", code, b.Keypad.Codes[code], r)
		}
	}
	if _, err := hal.LoadBoard(filepath.Join(dir, "other.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestBoardErrors(t *testing.T) {
	for _, c := range []struct {
		name, file string
		want       []string // parts of the message, one a problem, in order
	}{
		{"unknown keys, all of them, with line and column", minimal + "brightness = 3\n[scanner]\ndriver=\"serial\"\nport=\"s\"\ntrigger=\"none\"\n  sufix=\"x\"\n", []string{
			"b.toml:22:1: display.brightness: unknown key", "b.toml:27:3: scanner.sufix: unknown key",
		}},
		{"unknown section", minimal + "[modem]\nport=\"x\"\n", []string{"b.toml:22:2: modem: unknown key"}},
		{"syntax", "name = \n", []string{"b.toml:1:"}},
		{"type", strings.Replace(minimal, `"b"`, "7", 1), []string{"b.toml:1:8: cannot decode TOML integer"}},
		{"unknown key and wrong value together", strings.Replace(minimal, `"evdev"`, `"usb"`, 1) + "x = 1\n", []string{
			"b.toml:22:1: display.x: unknown key", `keypad.driver: "usb" is not one of evdev`,
		}},
		{"empty", "", []string{"name: is missing", "keypad: is missing", "display: is missing"}},
		{"every value", minimal + `
[reader]
driver = "usb"
port = "keys"
baud = 5
profile = "x"
[pinpad]
driver = "vf-packets"
baud = 9000000
dialect = "z"
master_slot = 10
[scanner]
driver = "serial"
port = "s"
suffix = "12345"
[printer]
driver = "escpos"
port = "s"
dots = 400
encoding = "utf-8"
qr = "yes"
`, []string{
			`reader.driver: "usb"`, "reader.baud: 5", `reader.profile: "x"`, "pinpad.baud: 9000000", `pinpad.dialect: "z"`, "pinpad.master_slot: 10",
			`scanner.trigger: ""`, "scanner.suffix: has 5", "printer.dots: 400", "printer.encoding", "printer.qr", "pinpad.port: is missing",
			"printer.port: s is used by scanner.port already", "keypad.path: keys is used by reader.port already",
		}},
		{"keys", strings.NewReplacer(`KEY_9 = "9"`, `KEY_NINE = "9"`, `KEY_ENTER = "enter"`, `KEY_ENTER = "return"`, `KEY_3 = "3"`, `3 = "3"`).Replace(minimal), []string{
			"keypad.map.KEY_2: is the same key as 3", "keypad.map.KEY_ENTER: \"return\"", "keypad.map.KEY_NINE: is no evdev key",
			`nothing is mapped to "2"`, `nothing is mapped to "9"`, `nothing is mapped to "enter"`,
		}},
		{"columns", minimal + "[printer]\ndriver=\"escpos\"\nport=\"p\"\ndots=384\ncolumns=48\n", []string{"printer.columns: 48 is not within 16 to 42"}},
		{"geometry", minimal + "width = 480\nbpp = 24\n", []string{"display.height: 0", "display.bpp: 24"}},
		{"stride", minimal + "width = 480\nheight=320\nbpp = 16\nstride=900\n", []string{"display.stride: 900"}},
		{"event size", strings.Replace(minimal, "path = \"keys\"", "path = \"keys\"\nevent_size = 20", 1), []string{"keypad.event_size: 20"}},
		{"far too large", minimal + "#" + strings.Repeat("x", 1<<20), []string{"are no board file"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := hal.ParseBoard("b.toml", []byte(c.file))
			var e *hal.BoardError
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			lines := strings.Split(err.Error(), "\n")
			if c.name == "syntax" {
				lines = lines[:1]
			}
			if len(lines) != len(c.want) {
				t.Fatalf("%d problems, want %d:\n%v", len(lines), len(c.want), err)
			}
			for i := range lines {
				if !strings.HasPrefix(lines[i], "b.toml:") || !strings.Contains(lines[i], c.want[i]) {
					t.Errorf("%s\nhas not: %s", lines[i], c.want[i])
				}
			}
		})
	}
}

func FuzzBoard(f *testing.F) {
	shipped, err := os.ReadFile("../etc/boards/imx6ul.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shipped)
	f.Add([]byte(minimal))
	f.Add([]byte("name = \"\x00\"\n[keypad.map]\n999999 = 3\n"))
	f.Add([]byte("[[reader]]\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := hal.ParseBoard("f", raw)
		if (b == nil) == (err == nil) {
			t.Fatalf("board %v, error %v", b, err)
		}
		if err != nil {
			var e *hal.BoardError
			if !errors.As(err, &e) || len(e.Problems) == 0 {
				t.Fatalf("error without problems: %v", err)
			}
			return
		}
		// What is accepted can be used.
		if b.Display.Path == "" || b.Keypad.Path == "" || len(b.Keypad.Codes) < 13 {
			t.Fatalf("unusable board accepted: %+v", b)
		}
		if p := b.Printer; p != nil && (p.Columns < 16 || p.Columns > p.Dots/9) {
			t.Fatalf("printer %+v", p)
		}
	})
}
