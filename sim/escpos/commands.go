package escpos

import "fmt"

// maxCommand bounds the bytes of one command that are kept; a longer one (the two-byte dimensions of GS v 0 allow 4 GB) is
// skipped to its end and recorded.
const maxCommand = 1 << 20

// command is one entry of the table: how long it is, and what it does. size gets the bytes so far, with the prefix, and answers
// the whole length, or 0 while more bytes are needed to tell. A command without do is understood and has nothing to draw.
type command struct {
	name string
	size func(b []byte) int
	do   func(m *machine, b []byte)
}

func exactly(n int) func([]byte) int { return func([]byte) int { return n } }

// at reads a 16-bit little-endian length at offset i and scales it; need is the header's size.
func at(need, i, scale int) func([]byte) int {
	return func(b []byte) int {
		if len(b) < need {
			return 0
		}
		return need + (int(b[i])|int(b[i+1])<<8)*scale
	}
}

// skipped marks a command that is parsed and not drawn.
func skipped(m *machine, b []byte) { m.note("not drawn: "+m.name(b), b) }

// commands by their first two bytes. Lengths are of Epson's reference; those marked "clone" are common additions.
var commands map[[2]byte]command

func init() { // not a literal: the functions refer to the table
	const (
		dle = 0x10
		esc = 0x1b
		fs  = 0x1c
		gs  = 0x1d
	)
	t := map[[2]byte]command{
		{dle, 0x04}: {"DLE EOT", func(b []byte) int { // answered on arrival
			if len(b) < 3 {
				return 0
			}
			if b[2] == 7 || b[2] == 8 {
				return 4
			}
			return 3
		}, nil},
		{dle, 0x05}: {"DLE ENQ", exactly(3), nil},
		{dle, 0x14}: {"DLE DC4", func(b []byte) int {
			switch {
			case len(b) < 3:
				return 0
			case b[2] == 8:
				return 10
			case b[2] == 7:
				return 4
			}
			return 5
		}, nil},

		{esc, '@'}:  {"ESC @", exactly(2), (*machine).doInit},
		{esc, '!'}:  {"ESC !", exactly(3), (*machine).doMode},
		{esc, ' '}:  {"ESC SP", exactly(3), func(m *machine, b []byte) { m.st.gap = int(b[2]) }},
		{esc, '$'}:  {"ESC $", exactly(4), func(m *machine, b []byte) { m.moveTo(le(b[2:])) }},
		{esc, '\\'}: {"ESC \\", exactly(4), func(m *machine, b []byte) { m.moveTo(m.x + int(int16(le(b[2:])))) }},
		{esc, '%'}:  {"ESC %", exactly(3), nil},
		{esc, '*'}: {"ESC *", func(b []byte) int {
			if len(b) < 5 {
				return 0
			}
			rows := 1
			if b[2] >= 32 {
				rows = 3
			}
			return 5 + le(b[3:])*rows
		}, (*machine).doBitImage},
		{esc, '-'}: {"ESC -", exactly(3), func(m *machine, b []byte) { m.st.under = int(b[2]) & 3 }},
		{esc, '2'}: {"ESC 2", exactly(2), func(m *machine, _ []byte) { m.st.spacing = defaultSpacing }},
		{esc, '3'}: {"ESC 3", exactly(3), func(m *machine, b []byte) { m.st.spacing = int(b[2]) }},
		{esc, '='}: {"ESC =", exactly(3), nil},
		{esc, '?'}: {"ESC ?", exactly(3), skipped},
		{esc, '7'}: {"ESC 7", exactly(5), nil}, // clone: heating dots, time and interval
		{esc, '9'}: {"ESC 9", exactly(3), nil}, // clone: character encoding
		{esc, 'B'}: {"ESC B", exactly(4), nil}, // clone: beep
		{esc, 'D'}: {"ESC D", tabsSize, (*machine).doTabs},
		{esc, 'E'}: {"ESC E", exactly(3), func(m *machine, b []byte) { m.st.bold = b[2]&1 != 0 }},
		{esc, 'G'}: {"ESC G", exactly(3), func(m *machine, b []byte) { m.st.bold = b[2]&1 != 0 }},
		{esc, 'J'}: {"ESC J", exactly(3), func(m *machine, b []byte) { m.flush(int(b[2])) }},
		{esc, 'L'}: {"ESC L", exactly(2), skipped},
		{esc, 'M'}: {"ESC M", exactly(3), func(m *machine, b []byte) { m.st.fontB = b[2]&1 != 0 }},
		{esc, 'R'}: {"ESC R", exactly(3), nil}, // international characters: Chinese printers keep ASCII
		{esc, 'S'}: {"ESC S", exactly(2), nil},
		{esc, 'T'}: {"ESC T", exactly(3), skipped},
		{esc, 'V'}: {"ESC V", exactly(3), func(m *machine, b []byte) {
			if b[2]&1 != 0 {
				skipped(m, b)
			}
		}},
		{esc, 'W'}: {"ESC W", exactly(10), skipped},
		{esc, 'a'}: {"ESC a", exactly(3), func(m *machine, b []byte) { m.doAlign(b[2]) }},
		{esc, 'c'}: {"ESC c", exactly(4), nil},
		{esc, 'd'}: {"ESC d", exactly(3), func(m *machine, b []byte) { m.flush(int(b[2]) * m.st.spacing) }},
		{esc, 'i'}: {"ESC i", exactly(2), func(m *machine, _ []byte) { m.cut() }},
		{esc, 'm'}: {"ESC m", exactly(2), func(m *machine, _ []byte) { m.cut() }},
		{esc, 'p'}: {"ESC p", exactly(5), func(m *machine, b []byte) { m.p.trace(">", fmt.Sprintf("drawer pulse, pin %d", b[2]&1)) }},
		{esc, 'r'}: {"ESC r", exactly(3), nil},
		{esc, 't'}: {"ESC t", exactly(3), (*machine).doPage},
		{esc, '{'}: {"ESC {", exactly(3), func(m *machine, b []byte) { m.st.upside = b[2]&1 != 0 }},

		{fs, '!'}: {"FS !", exactly(3), (*machine).doHanziMode},
		{fs, '&'}: {"FS &", exactly(2), func(m *machine, _ []byte) { m.st.hanzi = true }},
		{fs, '.'}: {"FS .", exactly(2), func(m *machine, _ []byte) { m.st.hanzi = false }},
		{fs, '-'}: {"FS -", exactly(3), func(m *machine, b []byte) { m.st.hanziUnder = int(b[2]) & 3 }},
		{fs, 'C'}: {"FS C", exactly(3), nil}, // code system of Japanese models
		{fs, 'S'}: {"FS S", exactly(4), func(m *machine, b []byte) { m.st.hanziLeft, m.st.hanziRight = int(b[2]), int(b[3]) }},
		{fs, 'W'}: {"FS W", exactly(3), func(m *machine, b []byte) {
			n := 1 + int(b[2]&1)
			m.st.hanziW, m.st.hanziH = n, n
		}},
		{fs, '2'}: {"FS 2", exactly(4 + 72), skipped},
		{fs, 'p'}: {"FS p", exactly(4), skipped},

		{gs, '!'}: {"GS !", exactly(3), (*machine).doSize},
		{gs, '$'}: {"GS $", exactly(4), skipped},
		{gs, '*'}: {"GS *", func(b []byte) int {
			if len(b) < 4 {
				return 0
			}
			return 4 + int(b[2])*int(b[3])*8
		}, skipped},
		{gs, '/'}: {"GS /", exactly(3), skipped},
		{gs, ':'}: {"GS :", exactly(2), skipped},
		{gs, 'B'}: {"GS B", exactly(3), func(m *machine, b []byte) { m.st.invert = b[2]&1 != 0 }},
		{gs, 'H'}: {"GS H", exactly(3), func(m *machine, b []byte) { m.st.hri = int(b[2]) & 3 }},
		{gs, 'I'}: {"GS I", exactly(3), (*machine).doIdentify},
		{gs, 'L'}: {"GS L", exactly(4), func(m *machine, b []byte) { m.st.margin = min(le(b[2:]), m.dots-24) }},
		{gs, 'P'}: {"GS P", exactly(4), nil}, // motion units: like most clones, always dots
		{gs, 'T'}: {"GS T", exactly(3), nil},
		{gs, 'V'}: {"GS V", func(b []byte) int {
			switch {
			case len(b) < 3:
				return 0
			case b[2] >= 65:
				return 4
			}
			return 3
		}, (*machine).doCut},
		{gs, 'W'}:  {"GS W", exactly(4), func(m *machine, b []byte) { m.st.area = le(b[2:]) }},
		{gs, '\\'}: {"GS \\", exactly(4), skipped},
		{gs, 'a'}: {"GS a", exactly(3), func(m *machine, b []byte) {
			if m.asb = b[2]; m.asb != 0 {
				m.p.reply("ASB", m.p.asb()...)
			}
		}},
		{gs, 'b'}: {"GS b", exactly(3), nil},
		{gs, 'f'}: {"GS f", exactly(3), nil},
		{gs, 'h'}: {"GS h", exactly(3), func(m *machine, b []byte) { m.st.barHeight = max(int(b[2]), 1) }},
		{gs, 'k'}: {"GS k", barcodeSize, (*machine).doBarcode},
		{gs, 'r'}: {"GS r", exactly(3), (*machine).doStatus},
		{gs, 'v'}: {"GS v 0", func(b []byte) int {
			if len(b) < 8 {
				return 0
			}
			return 8 + int(min(int64(le(b[4:]))*int64(le(b[6:])), 1<<30)) // 32-bit int
		}, (*machine).doRaster},
		{gs, 'w'}: {"GS w", exactly(3), func(m *machine, b []byte) { m.st.barWidth = min(max(int(b[2]), 1), 6) }},
		{gs, 'z'}: {"GS z", exactly(5), nil},
		{gs, '('}: {"GS (", at(5, 3, 1), (*machine).doGroup},
		{gs, '8'}: {"GS 8 L", func(b []byte) int {
			if len(b) < 7 {
				return 0
			}
			n := uint64(b[3]) | uint64(b[4])<<8 | uint64(b[5])<<16 | uint64(b[6])<<24
			return 7 + int(min(n, 1<<30)) // 32-bit int
		}, func(m *machine, b []byte) { m.graphics(b[7:], b) }},
	}
	t[[2]byte{esc, '('}] = command{"ESC (", at(5, 3, 1), skipped}
	t[[2]byte{fs, '('}] = command{"FS (", at(5, 3, 1), func(m *machine, b []byte) {
		if b[2] != 'A' { // A chooses a hanzi font: there is one
			skipped(m, b)
		}
	}}
	commands = t
}

// le reads 16 bits, low byte first.
func le(b []byte) int { return int(b[0]) | int(b[1])<<8 }

// tabsSize: ESC D n1 ... nk NUL, at most 32 stops, ended by NUL or by a stop that is not beyond the one before.
func tabsSize(b []byte) int {
	for i := 2; i < len(b); i++ {
		if b[i] == 0 {
			return i + 1
		}
		if i > 2 && b[i] <= b[i-1] || i == 2+32 {
			return i
		}
	}
	return 0
}

// barcodeSize: GS k m d1 ... dk NUL (m to 6) or GS k m n d1 ... dn (m from 65).
func barcodeSize(b []byte) int {
	switch {
	case len(b) < 4:
		return 0
	case b[2] >= 65:
		return 4 + int(b[3])
	}
	for i := 3; i < len(b); i++ {
		if b[i] == 0 || i == 3+255 {
			return i + 1
		}
	}
	return 0
}

// name writes the first bytes of a command for the trace.
func (m *machine) name(b []byte) string {
	if len(b) >= 2 {
		if c, ok := commands[[2]byte{b[0], b[1]}]; ok {
			if b[0] == 0x1d && b[1] == '(' && len(b) > 2 {
				return fmt.Sprintf("GS ( %q", b[2])
			}
			return c.name
		}
	}
	return fmt.Sprintf("% X", b[:min(len(b), 8)])
}
