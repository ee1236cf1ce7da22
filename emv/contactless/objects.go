package contactless

import (
	"strings"
	"unicode"

	"golang.org/x/text/encoding/charmap"

	"posd/emv"
	"posd/emv/tlv"
)

// POS entry modes, tag 9F39 (ISO 8583 field 22, first two digits).
const (
	entryContactless = 0x07
	entryMagStripe   = 0x91
)

// Objects returns the terminal's own data objects for the transaction, as the data object lists of every kernel may ask for them: amounts, date,
// time, type, counter, unpredictable number, the terminal of the combination's application, 9F66 where there is one, and over all of them
// what the combination's Data say. It is a fresh store: the kernel adds its own.
func (a *Activation) Objects() *tlv.Store {
	return terminalObjects(&a.Transaction, a.Combination, &a.Indicators, a.UN, a.ADF, &a.Terminal)
}

func terminalObjects(tx *Transaction, c *Combination, ind *Indicators, un [4]byte, name []byte, t *emv.Terminal) *tlv.Store {
	s := new(tlv.Store)
	b := make([]byte, 0, 128) // one allocation: the slices stay valid as long as it does not grow
	number := func(tag tlv.Tag, v int64, n int) {
		start := len(b)
		var ok bool
		if b, ok = tlv.AppendNumber(b, v, n); ok {
			s.Set(tag, b[start:len(b):len(b)])
		}
	}
	octets := func(tag tlv.Tag, v ...byte) {
		start := len(b)
		b = append(b, v...)
		s.Set(tag, b[start:len(b):len(b)])
	}
	text := func(tag tlv.Tag, v string) {
		if v != "" {
			s.Set(tag, []byte(v))
		}
	}
	d := tx.Time
	number(0x9F02, tx.Amount.Minor, 6)
	number(0x9F03, tx.Other, 6)
	number(0x5F2A, int64(tx.Amount.Currency), 2)
	number(0x5F36, int64(tx.Amount.Currency.Exponent()), 1)
	number(0x9A, int64(d.Year()%100)*10000+int64(d.Month())*100+int64(d.Day()), 3)
	number(0x9F21, int64(d.Hour())*10000+int64(d.Minute())*100+int64(d.Second()), 3)
	number(0x9F41, int64(tx.Counter), 4)
	number(0x9F1A, int64(t.Country), 2)
	octets(0x9C, tx.Type)
	octets(0x9F37, un[:]...)
	octets(0x95, 0, 0, 0, 0, 0)
	octets(0x9F39, entryContactless)
	typ, caps, add := t.Type, t.Capabilities, t.Additional
	if c.App.TerminalType != 0 {
		typ = c.App.TerminalType
	}
	if c.App.Capabilities != [3]byte{} {
		caps = c.App.Capabilities
	}
	if c.App.Additional != [5]byte{} {
		add = c.App.Additional
	}
	octets(0x9F35, typ)
	octets(0x9F33, caps[:]...)
	octets(0x9F40, add[:]...)
	octets(0x9F09, c.App.Version[:]...)
	octets(0x9F06, name...)
	text(0x9F1E, t.IFDSerial)
	text(0x9F1C, t.TerminalID)
	text(0x9F16, t.MerchantID)
	text(0x9F4E, t.MerchantName)
	if t.Category != "" {
		s.Set(0x9F15, packDigits(t.Category, 2))
	}
	if t.AcquirerID != "" {
		s.Set(0x9F01, packDigits(t.AcquirerID, 6))
	}
	if ind.HasTTQ {
		octets(tagTTQ, ind.TTQ[:]...)
	}
	for tag, v := range c.Data {
		s.Set(tlv.Tag(tag), v)
	}
	return s
}

// packDigits packs decimal digits, right-justified, into n bytes. emv.Config.Check has seen that they are digits.
func packDigits(digits string, n int) []byte {
	out := make([]byte, n)
	for i := range min(len(digits), 2*n) {
		d := digits[len(digits)-1-i] - '0'
		out[n-1-i/2] |= d & 0x0F << (4 * (i % 2))
	}
	return out
}

// codeTables are the parts of ISO 8859 that an Issuer Code Table Index 9F11 can name (Book 3, C4), with byte and bit of the Additional Terminal
// Capabilities that say whether the terminal has them (Book 4, A3).
var codeTables = [...]struct {
	table *charmap.Charmap
	octet int
	bit   byte
}{
	1:  {charmap.ISO8859_1, 4, 0x01},
	2:  {charmap.ISO8859_2, 4, 0x02},
	3:  {charmap.ISO8859_3, 4, 0x04},
	4:  {charmap.ISO8859_4, 4, 0x08},
	5:  {charmap.ISO8859_5, 4, 0x10},
	6:  {charmap.ISO8859_6, 4, 0x20},
	7:  {charmap.ISO8859_7, 4, 0x40},
	8:  {charmap.ISO8859_8, 4, 0x80},
	9:  {charmap.ISO8859_9, 3, 0x01},
	10: {charmap.ISO8859_10, 3, 0x02},
}

// labelOf is the name to show (Book 1, 12.4): the preferred name where the terminal has its code table, else the label, else what the
// configuration calls the combination.
func labelOf(label, preferred, codeTable []byte, c *Combination, t emv.Terminal) string {
	if len(codeTable) == 1 && codeTable[0]&0x0F <= 9 {
		n := int(codeTable[0]>>4)*10 + int(codeTable[0]&0x0F)
		if n > 0 && n < len(codeTables) && t.Additional[codeTables[n].octet]&codeTables[n].bit != 0 {
			if s := printable(preferred, codeTables[n].table); s != "" {
				return s
			}
		}
	}
	if s := printable(label, nil); s != "" {
		return s
	}
	return c.Name
}

// printable turns up to 16 characters into UTF-8. What is no character is left out: it goes to a display and a printer that obey escape sequences.
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
