package printer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// missing stands for a character that cannot be printed. It is in GB 2312, so every Chinese printer has it.
const missing = '□'

// maxOutside bounds the bytes of one outside text that are looked at.
const maxOutside = 4096

// Width is the number of columns a text takes: ASCII one, everything else two, as in the ROM of a Chinese printer, where every
// character outside ASCII is as wide as a hanzi.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	if r < 0x80 {
		return 1
	}
	return 2
}

// Clean reduces a text from outside to what may be printed, at most max columns of it: control, format and combining characters
// go, runs of white space become one blank, Latin letters lose their accents (é -> e), the yen sign becomes the full-width one
// that GB 2312 has, and what a Chinese printer cannot show becomes □. A text that was cut ends in "…".
func Clean(s string, max int) string {
	if len(s) > maxOutside {
		s = s[:maxOutside]
	}
	var out []rune
	cols, blank := 0, false
	for _, r := range norm.NFC.String(s) {
		r = printable(r)
		switch {
		case r == 0:
			continue
		case r == ' ':
			blank = len(out) > 0
			continue
		}
		if blank {
			out, cols, blank = append(out, ' '), cols+1, false
		}
		out, cols = append(out, r), cols+runeWidth(r)
		if cols > max {
			return cut(out, cols, max)
		}
	}
	return string(out)
}

// cut shortens runes that take cols columns to max columns with "…" at the end.
func cut(out []rune, cols, max int) string {
	const dots = '…'
	for len(out) > 0 && cols+runeWidth(dots) > max {
		cols -= runeWidth(out[len(out)-1])
		out = out[:len(out)-1]
	}
	if max < runeWidth(dots) {
		return string(out)
	}
	return string(append(out, dots))
}

// printable maps a character to what is printed for it; 0 is nothing.
func printable(r rune) rune {
	switch {
	case r == utf8.RuneError:
		return missing
	case r > ' ' && r < 0x7f:
		return r
	case r == '¥':
		return '￥'
	case unicode.IsSpace(r), unicode.IsControl(r), unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp):
		return ' '
	case unicode.In(r, unicode.Cf, unicode.M):
		return 0
	case unicode.In(r, unicode.Co, unicode.Cs), r > 0xffff:
		return missing
	case unicode.Is(unicode.Latin, r) && r < 0xff00: // not the full-width ones
		if base, _ := utf8.DecodeRuneInString(norm.NFKD.String(string(r))); base < 0x7f && base > ' ' {
			return base
		}
		return missing
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth, width.EastAsianAmbiguous:
		return r
	}
	return missing
}

// MaskPAN keeps the first 6 and the last 4 of a card number and puts * for each digit between, whatever was masked before.
// Numbers of up to 10 digits keep the last 4 at most. Characters other than digits and masks are dropped; a separator
// of track 2 ends the number.
func MaskPAN(s string) string {
	var d []byte
	for i := 0; i < len(s) && len(d) < 32; i++ {
		switch c := s[i]; {
		case c == '=' || c == 'D' || c == 'd':
			i = len(s)
		case c >= '0' && c <= '9':
			d = append(d, c)
		case c == '*' || c == 'X' || c == 'x' || c == '.':
			d = append(d, '*')
		}
	}
	first, last := 6, len(d)-4
	if len(d) <= 10 {
		first = 0
	}
	for i := first; i < last; i++ {
		d[i] = '*'
	}
	if len(d) <= 4 {
		return strings.Repeat("*", len(d))
	}
	return string(d)
}

// wrap breaks a cleaned text into lines of at most cols columns, at a blank where there is one in the last half of the line.
func wrap(s string, cols int) []string {
	var lines []string
	rest := []rune(s)
	for len(rest) > 0 {
		n, w, space := 0, 0, -1
		for n < len(rest) && w+runeWidth(rest[n]) <= cols {
			if rest[n] == ' ' {
				space = n
			}
			w += runeWidth(rest[n])
			n++
		}
		switch {
		case n == 0: // one column and a wide glyph: cannot be, but must end
			n = 1
		case n == len(rest) || rest[n] == ' ' || rest[n] >= 0x80 && rest[n-1] >= 0x80:
		case space > n/2:
			n = space
		}
		lines = append(lines, strings.TrimSpace(string(rest[:n])))
		rest = rest[n:]
		for len(rest) > 0 && rest[0] == ' ' {
			rest = rest[1:]
		}
	}
	return lines
}
