package hal

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"posd/hal/input"
)

// checker collects what is wrong with values.
type checker struct{ problems []Problem }

func (c *checker) bad(field, format string, a ...any) {
	c.problems = append(c.problems, Problem{Field: field, What: fmt.Sprintf(format, a...)})
}

// oneOf checks a word; fallback is taken when it is left out, "" means that it must be there.
func (c *checker) oneOf(field string, v *string, fallback string, allowed ...string) {
	if *v == "" {
		*v = fallback
	}
	if !slices.Contains(allowed, *v) {
		c.bad(field, "%q is not one of %s", *v, strings.Join(allowed, ", "))
	}
}

// rangeOf checks a number; zero, or left out, is the fallback.
func (c *checker) rangeOf(field string, v *int, fallback, low, high int) {
	if *v == 0 {
		*v = fallback
	}
	if *v < low || *v > high {
		c.bad(field, "%d is not within %d to %d", *v, low, high)
	}
}

// Speeds of a serial line that any device of a terminal may have.
const (
	lowBaud  = 300
	highBaud = 4_000_000
)

// check fills in what was left out and tells what is wrong, in the order of the sections.
func (b *Board) check() []Problem {
	c := &checker{}
	if strings.TrimSpace(b.Name) == "" {
		c.bad("name", "is missing: what the board is called")
	}
	if r := b.Reader; r != nil {
		c.oneOf("reader.driver", &r.Driver, "", "ccid-serial")
		c.rangeOf("reader.baud", &r.Baud, 115200, lowBaud, highBaud)
		c.reader(r)
	}
	if n := b.NFC; n != nil {
		c.oneOf("nfc.driver", &n.Driver, "", "pn532-hsu", "pn532-spi", "pn532-i2c")
		c.nfc(n)
	}
	if p := b.PINPad; p != nil {
		c.oneOf("pinpad.driver", &p.Driver, "", "vf-packets")
		c.rangeOf("pinpad.baud", &p.Baud, 9600, lowBaud, highBaud)
		c.oneOf("pinpad.dialect", &p.Dialect, "vf", "vf", "uic")
		c.rangeOf("pinpad.master_slot", &p.MasterSlot, 0, 0, 9)
	}
	if s := b.Scanner; s != nil {
		c.oneOf("scanner.driver", &s.Driver, "", "serial")
		c.rangeOf("scanner.baud", &s.Baud, 9600, lowBaud, highBaud)
		c.oneOf("scanner.trigger", &s.Trigger, "", "honeywell", "newland", "none")
		s.Suffix = cmp.Or(s.Suffix, "\r")
		if len(s.Suffix) > 4 {
			c.bad("scanner.suffix", "has %d characters; at most 4", len(s.Suffix))
		}
	}
	if s := b.Stripe; s != nil {
		c.oneOf("stripe.driver", &s.Driver, "", "ascii-serial")
		c.rangeOf("stripe.baud", &s.Baud, 9600, lowBaud, highBaud)
	}
	if p := b.Printer; p != nil {
		c.oneOf("printer.driver", &p.Driver, "", "escpos")
		c.rangeOf("printer.baud", &p.Baud, 115200, lowBaud, highBaud)
		if p.Dots != 384 && p.Dots != 576 {
			c.bad("printer.dots", "%d is not 384 (58 mm paper) or 576 (80 mm paper)", p.Dots)
		} else {
			// The smallest built-in font of receipt printers is 9 dots wide.
			c.rangeOf("printer.columns", &p.Columns, p.Dots/12, 16, p.Dots/9)
		}
		c.oneOf("printer.encoding", &p.Encoding, "gb18030", "gb18030", "gbk")
		c.oneOf("printer.qr", &p.QR, "native", "native", "raster")
	}
	if k := b.Keypad; k == nil {
		c.bad("keypad", "is missing: without a keypad nobody can use the terminal")
	} else {
		c.oneOf("keypad.driver", &k.Driver, "", "evdev")
		if k.EventSize != 0 && k.EventSize != input.Size32 && k.EventSize != input.Size64 {
			c.bad("keypad.event_size", "%d is not 0, %d or %d", k.EventSize, input.Size32, input.Size64)
		}
		c.keys(k)
	}
	if d := b.Display; d == nil {
		c.bad("display", "is missing: without a display nobody can use the terminal")
	} else {
		c.oneOf("display.driver", &d.Driver, "", "fb")
		c.geometry(d)
	}
	c.paths(b)
	return c.problems
}

// readers are the profiles of hal/ccid: their level, and what their keypad can do, in the order of pinEntries.
var readers = map[string]struct{ level, pin string }{
	"GemCorePOSPro": {"tpdu", "none"},
	"GemPCTwin":     {"tpdu", "none"},
	"GemPCPinPad":   {"tpdu", "plain"},
	"PosdPINPad":    {"apdu", "enciphered"},
}

var pinEntries = []string{"none", "plain", "enciphered"}

func (c *checker) reader(r *Reader) {
	c.oneOf("reader.profile", &r.Profile, "GemCorePOSPro", "GemCorePOSPro", "GemPCTwin", "GemPCPinPad", "PosdPINPad")
	can, ok := readers[r.Profile]
	if !ok {
		return // said already; the rest depends on it
	}
	c.oneOf("reader.level", &r.Level, can.level, "tpdu", "apdu")
	if can.level == "apdu" && r.Level == "tpdu" {
		c.bad("reader.level", "a %s works at %q only", r.Profile, can.level)
	}
	c.oneOf("reader.pin_entry", &r.PINEntry, can.pin, pinEntries...)
	if slices.Index(pinEntries, r.PINEntry) > slices.Index(pinEntries, can.pin) {
		c.bad("reader.pin_entry", "a %s cannot do %q: %q is its most", r.Profile, r.PINEntry, can.pin)
	}
}

// nfcSpeeds are the speeds of a serial line that hal/pn532 can switch the chip to.
var nfcSpeeds = []int{115200, 230400, 460800, 921600}

// nfc sees that what is given belongs to the chip's line. The highest clocks are those of the PN532's data sheet.
func (c *checker) nfc(n *NFC) {
	if n.Driver == "pn532-hsu" {
		n.Baud = cmp.Or(n.Baud, nfcSpeeds[0])
		if !slices.Contains(nfcSpeeds, n.Baud) {
			c.bad("nfc.baud", "%d is not one of 115200, 230400, 460800, 921600", n.Baud)
		}
		if n.Clock != 0 {
			c.bad("nfc.clock", "is for SPI and I2C; a serial line has baud")
		}
		if n.IRQ != "" {
			c.bad("nfc.irq", "is for SPI and I2C; a serial line tells by itself")
		}
		return
	}
	if n.Baud != 0 {
		c.bad("nfc.baud", "is for a serial line; SPI and I2C have clock")
	}
	switch n.Driver {
	case "pn532-spi":
		c.rangeOf("nfc.clock", &n.Clock, 1_000_000, 10_000, 5_000_000)
	case "pn532-i2c":
		c.rangeOf("nfc.clock", &n.Clock, 400_000, 10_000, 400_000)
	}
}

// keys looks the map up and sees that no sale is impossible for want of a key.
func (c *checker) keys(k *Keypad) {
	k.Codes = make(map[uint16]rune, len(k.Map))
	from := map[uint16]string{}
	have := map[rune]bool{}
	for _, name := range slices.Sorted(maps.Keys(k.Map)) {
		field := "keypad.map." + name
		code, ok := input.Code(name)
		if !ok {
			c.bad(field, "is no evdev key: its name (KEY_ENTER) or its code (28) is wanted")
			continue
		}
		r, ok := input.Rune(k.Map[name])
		if !ok {
			c.bad(field, "%q is no key of the terminal: 0 to 9, star, hash, enter, clear, cancel, menu, up, down, f1 to f4", k.Map[name])
			continue
		}
		if other, twice := from[code]; twice {
			c.bad(field, "is the same key as %s", other)
			continue
		}
		from[code], k.Codes[code], have[r] = name, r, true
	}
	for _, need := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "enter", "clear", "cancel"} {
		if r, _ := input.Rune(need); !have[r] {
			c.bad("keypad.map", "nothing is mapped to %q", need)
		}
	}
}

// geometry must be complete or absent. The limits are those of hal/display.
func (c *checker) geometry(d *Display) {
	if d.Width == 0 && d.Height == 0 && d.BPP == 0 && d.Stride == 0 {
		return
	}
	c.rangeOf("display.width", &d.Width, 0, 160, 4096)
	c.rangeOf("display.height", &d.Height, 0, 120, 4096)
	if d.BPP != 16 && d.BPP != 32 {
		c.bad("display.bpp", "%d is not 16 (RGB565) or 32", d.BPP)
		return
	}
	if least := d.Width * d.BPP / 8; d.Stride != 0 && (d.Stride < least || d.Stride > 1<<16) {
		c.bad("display.stride", "%d is not within %d (width x bpp / 8) to %d", d.Stride, least, 1<<16)
	}
}

// paths must be there, and each must belong to one device: two drivers on one line would eat each other's answers.
func (c *checker) paths(b *Board) {
	used := map[string]string{}
	for _, p := range b.paths() {
		switch v := *p.path; {
		case v == "":
			c.bad(p.field, "is missing")
		case strings.ContainsRune(v, 0):
			c.bad(p.field, "is no path")
		case used[v] != "":
			c.bad(p.field, "%s is used by %s already", v, used[v])
		default:
			used[v] = p.field
		}
	}
}
