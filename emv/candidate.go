package emv

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/encoding/charmap"
)

// Candidate is an application that card and terminal have in common (Book 1, 12.3).
type Candidate struct {
	AID      []byte
	Label    string // name to show: 9F12 in a code table the terminal has, else 50, else the AID in hex
	Priority byte   // 87: low nibble 1 (first) to 15, 0 none; bit 8 asks for the cardholder's confirmation
}

// Polyglot is a Cardholder that can be addressed in more than one language (Book 4, 11.1). PreferLanguages tells which ones the card
// names: one to four ISO 639 codes of two lower-case letters, the best first. It comes before Choose and before the application is
// used, possibly twice, the later one counting; never for a card that names none. What fits best is for the terminal to find.
type Polyglot interface {
	PreferLanguages(codes []string)
}

// preferLanguage hands the Language Preference 5F2D on and reports whether there was one. One that cannot be understood is as if it
// were absent (Book 1, 12.2.4).
func (s *Session) preferLanguage(v []byte) bool {
	codes := languages(v)
	if len(codes) == 0 {
		return false
	}
	if p, ok := s.holder.(Polyglot); ok && !slices.Equal(codes, s.languages) {
		p.PreferLanguages(codes)
	}
	s.languages = codes
	return true
}

// languages reads 5F2D: one to four codes of two letters, upper or lower case (Book 1, Annex B).
func languages(v []byte) []string {
	if len(v) == 0 || len(v)%2 != 0 || len(v) > 8 {
		return nil
	}
	out := make([]string, 0, 4)
	for i := 0; i < len(v); i += 2 {
		a, b := v[i]|0x20, v[i+1]|0x20
		if a < 'a' || a > 'z' || b < 'a' || b > 'z' {
			return nil
		}
		out = append(out, string([]byte{a, b}))
	}
	return out
}

// newCandidate makes a candidate with the name to show (Book 1, 12.4): the preferred name where the terminal has its code table,
// else the label, else the AID in hex.
func (s *Session) newCandidate(app *Application, name, label, preferred, codeTable, priority []byte) candidate {
	c := candidate{Candidate: Candidate{AID: name}, app: app}
	if len(priority) == 1 {
		c.Priority = priority[0]
	}
	if table := s.codeTable(codeTable); table != nil {
		c.Label = printable(preferred, table)
	}
	if c.Label == "" {
		c.Label = printable(label, nil)
	}
	if c.Label == "" {
		c.Label = hexString(name)
	}
	return c
}

// codeTables are the parts of ISO 8859 that an Issuer Code Table Index 9F11 can name (Book 3, C4) and the bits of the Additional
// Terminal Capabilities that say whether this terminal has them (Book 4, A3).
var codeTables = [...]struct {
	table *charmap.Charmap
	cap   bit
}{
	1:  {charmap.ISO8859_1, bit{5, 1}},
	2:  {charmap.ISO8859_2, bit{5, 2}},
	3:  {charmap.ISO8859_3, bit{5, 3}},
	4:  {charmap.ISO8859_4, bit{5, 4}},
	5:  {charmap.ISO8859_5, bit{5, 5}},
	6:  {charmap.ISO8859_6, bit{5, 6}},
	7:  {charmap.ISO8859_7, bit{5, 7}},
	8:  {charmap.ISO8859_8, bit{5, 8}},
	9:  {charmap.ISO8859_9, bit{4, 1}},
	10: {charmap.ISO8859_10, bit{4, 2}},
}

// codeTable is the table that an Issuer Code Table Index names; nil when it names none, or one that the terminal does not have.
func (s *Session) codeTable(index []byte) *charmap.Charmap {
	if len(index) != 1 || index[0] == 0 {
		return nil
	}
	n := int(index[0]>>4)*10 + int(index[0]&0x0F) // format n: table 10 is coded 10
	if index[0]&0x0F > 9 || n >= len(codeTables) || !codeTables[n].cap.in(s.k.cfg.Terminal.Additional[:]) {
		return nil
	}
	return codeTables[n].table
}

// printable turns up to 16 characters into UTF-8: those that all parts of ISO 8859 share, and with a table those above A0 too.
// Everything else is left out: what a card says goes to a display and a printer that obey escape sequences.
func printable(b []byte, table *charmap.Charmap) string {
	out := make([]rune, 0, 16)
	for _, c := range b {
		r := rune(c)
		if c > 0x7E {
			if r = unicode.ReplacementChar; c >= 0xA0 && table != nil {
				r = table.DecodeByte(c)
			}
		}
		if r >= 0x20 && r != unicode.ReplacementChar && len(out) < cap(out) {
			out = append(out, r)
		}
	}
	return strings.TrimSpace(string(out))
}

func hexString(b []byte) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&0xF])
	}
	return string(out)
}
