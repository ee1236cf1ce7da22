package hal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Board is a board file: which devices a terminal has, where they are and what they are like. A section that is missing is a device
// that is not there; display and keypad must be.
type Board struct {
	Name    string   `toml:"name"`
	Reader  *Reader  `toml:"reader"`
	NFC     *NFC     `toml:"nfc"`
	PINPad  *PINPad  `toml:"pinpad"`
	Scanner *Scanner `toml:"scanner"`
	Stripe  *Stripe  `toml:"stripe"`
	Printer *Printer `toml:"printer"`
	Keypad  *Keypad  `toml:"keypad"`
	Display *Display `toml:"display"`
}

// Reader is the contact card reader.
type Reader struct {
	Driver  string `toml:"driver"`  // "ccid-serial"
	Port    string `toml:"port"`    // path of the serial line
	Baud    int    `toml:"baud"`    // bit/s; 115200 when left out
	Profile string `toml:"profile"` // "GemCorePOSPro" (when left out), "GemPCTwin", "GemPCPinPad" or "PosdPINPad"
	// Level is who does the card's protocol: "tpdu", the driver, or "apdu", the reader. When left out it is the profile's.
	Level string `toml:"level"`
	// PINEntry is what the reader's keypad is used for: "none", "plain" (the card gets PINs in the clear) or "enciphered" (in the clear,
	// and under the card's key). When left out it is all that the profile can.
	PINEntry string `toml:"pin_entry"`
}

// NFC is the contactless front end.
type NFC struct {
	Driver string `toml:"driver"` // "pn532-hsu", "pn532-spi" or "pn532-i2c"
	Port   string `toml:"port"`   // path of the serial line, of the SPI device (/dev/spidev0.0) or of the I2C bus (/dev/i2c-1)
	Baud   int    `toml:"baud"`   // of the serial line, bit/s; 115200 when left out, at which the chip starts in any case
	Clock  int    `toml:"clock"`  // of SPI or I2C, Hz; 1000000 and 400000 when left out
	IRQ    string `toml:"irq"`    // name of the GPIO that the chip's P70_IRQ is on; the chip is polled when left out. Not for a serial line
}

// PINPad is the secure PIN entry device.
type PINPad struct {
	Driver     string `toml:"driver"`      // "vf-packets"
	Port       string `toml:"port"`        // path of the serial line
	Baud       int    `toml:"baud"`        // bit/s; 9600 when left out
	Dialect    string `toml:"dialect"`     // "vf" (when left out) or "uic"
	Progress   bool   `toml:"progress"`    // the pad reports each digit
	MasterSlot int    `toml:"master_slot"` // where the terminal master key is, 0 to 9
}

// Scanner is the barcode scanner.
type Scanner struct {
	Driver  string `toml:"driver"`  // "serial"
	Port    string `toml:"port"`    // path of the serial line
	Baud    int    `toml:"baud"`    // bit/s; 9600 when left out
	Trigger string `toml:"trigger"` // "honeywell", "newland" or "none"
	Suffix  string `toml:"suffix"`  // what ends a code; CR when left out
}

// Stripe is the magnetic stripe reader.
type Stripe struct {
	Driver string `toml:"driver"` // "ascii-serial"
	Port   string `toml:"port"`   // path of the serial line
	Baud   int    `toml:"baud"`   // bit/s; 9600 when left out
	LRC    bool   `toml:"lrc"`    // each track is followed by its check character
}

// Printer is the receipt printer.
type Printer struct {
	Driver   string `toml:"driver"`   // "escpos"
	Port     string `toml:"port"`     // path of the serial line
	Baud     int    `toml:"baud"`     // bit/s; 115200 when left out
	Dots     int    `toml:"dots"`     // width of the paper: 384 or 576
	Columns  int    `toml:"columns"`  // of half-width characters; Dots/12 when left out
	Encoding string `toml:"encoding"` // of Chinese: "gb18030" (when left out) or "gbk"
	QR       string `toml:"qr"`       // "native" (GS ( k; when left out) or "raster"
	Status   bool   `toml:"status"`   // answers DLE EOT
	Cut      bool   `toml:"cut"`      // has a cutter
}

// Keypad is the operator's keypad.
type Keypad struct {
	Driver    string            `toml:"driver"`     // "evdev"
	Path      string            `toml:"path"`       // device or named pipe
	Grab      bool              `toml:"grab"`       // keep the keys from the text console
	EventSize int               `toml:"event_size"` // 0: this machine's; 16 or 24
	Map       map[string]string `toml:"map"`        // evdev name or code -> key of the terminal

	// Codes is Map with both sides looked up: evdev code -> rune of the key (hal/input.Rune).
	Codes map[uint16]rune `toml:"-"`
}

// Display is the operator's display.
type Display struct {
	Driver string `toml:"driver"` // "fb"
	Path   string `toml:"path"`   // framebuffer device or plain file
	// The geometry is asked of the device; only a plain file needs it. Pixels, bits a pixel, bytes a line (Width*BPP/8 when 0).
	Width  int `toml:"width"`
	Height int `toml:"height"`
	BPP    int `toml:"bpp"`
	Stride int `toml:"stride"`
}

// BoardError tells all that is wrong with a board file.
type BoardError struct {
	File     string
	Problems []Problem
}

// Problem is one thing that is wrong.
type Problem struct {
	Line, Column int    // from 1; 0 where the file has no such place
	Field        string // path of the key, "printer.dots"
	What         string
}

func (e *BoardError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		at := e.File
		if p.Line > 0 {
			at = fmt.Sprintf("%s:%d:%d", e.File, p.Line, p.Column)
		}
		if p.Field != "" {
			at += ": " + p.Field
		}
		lines[i] = at + ": " + p.What
	}
	return strings.Join(lines, "\n")
}

// maxBoardFile is far more than a board file needs.
const maxBoardFile = 1 << 20

// LoadBoard reads and checks a board file. Paths of devices that are not absolute are taken from the file's own directory. What is
// wrong with the contents is a *BoardError; other errors are those of reading a file.
func LoadBoard(path string) (*Board, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("hal: board file: %w", err)
	}
	b, err := ParseBoard(path, raw)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	for _, p := range b.paths() {
		if !filepath.IsAbs(*p.path) {
			*p.path = filepath.Join(dir, *p.path)
		}
	}
	return b, nil
}

// ParseBoard is LoadBoard for contents that were read already; name is the file's, for errors. Paths stay as they are.
func ParseBoard(name string, raw []byte) (*Board, error) {
	e := &BoardError{File: name}
	if len(raw) > maxBoardFile {
		e.Problems = []Problem{{What: fmt.Sprintf("%d bytes are no board file", len(raw))}}
		return nil, e
	}
	var b Board
	dec := toml.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		e.Problems = tomlProblems(err)
		var strict *toml.StrictMissingError
		if !errors.As(err, &strict) {
			return nil, e // what was decoded cannot be checked
		}
	}
	e.Problems = append(e.Problems, b.check()...)
	if len(e.Problems) > 0 {
		return nil, e
	}
	return &b, nil
}

// tomlProblems takes over what the TOML decoder found.
func tomlProblems(err error) []Problem {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var ps []Problem
		for i := range strict.Errors {
			row, col := strict.Errors[i].Position()
			ps = append(ps, Problem{row, col, strings.Join(strict.Errors[i].Key(), "."), "unknown key"})
		}
		return ps
	}
	var d *toml.DecodeError
	if errors.As(err, &d) {
		row, col := d.Position()
		return []Problem{{row, col, strings.Join(d.Key(), "."), strings.TrimPrefix(d.Error(), "toml: ")}}
	}
	return []Problem{{What: err.Error()}}
}

// devicePath is a path in the file and the key that gives it.
type devicePath struct {
	field string
	path  *string
}

func (b *Board) paths() []devicePath {
	var p []devicePath
	if b.Reader != nil {
		p = append(p, devicePath{"reader.port", &b.Reader.Port})
	}
	if b.NFC != nil {
		p = append(p, devicePath{"nfc.port", &b.NFC.Port})
	}
	if b.PINPad != nil {
		p = append(p, devicePath{"pinpad.port", &b.PINPad.Port})
	}
	if b.Scanner != nil {
		p = append(p, devicePath{"scanner.port", &b.Scanner.Port})
	}
	if b.Stripe != nil {
		p = append(p, devicePath{"stripe.port", &b.Stripe.Port})
	}
	if b.Printer != nil {
		p = append(p, devicePath{"printer.port", &b.Printer.Port})
	}
	if b.Keypad != nil {
		p = append(p, devicePath{"keypad.path", &b.Keypad.Path})
	}
	if b.Display != nil {
		p = append(p, devicePath{"display.path", &b.Display.Path})
	}
	return p
}
