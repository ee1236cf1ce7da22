package track

import (
	"fmt"
	"strings"
)

// Sizes of ISO/IEC 7813 and 4909, in characters, without sentinels and LRC.
const (
	max1 = 76
	max2 = 37
	max3 = 104

	minPAN           = 10 // ISO/IEC 7812-1: issuer 8, account 1, check digit 1
	maxPAN           = 19
	minName, maxName = 2, 26
)

// Card is what a stripe says. Its zero value is no card.
type Card struct {
	PAN        string
	Name       string // of the cardholder, as on track 1 without the blanks behind it; "" when track 1 was not read
	Expiry     string // YYMM; "" when the card has none
	Service    ServiceCode
	Track1     string // characters between the sentinels; "" when it was not read
	Track2     string // digits, with "D" for the separator as messages have it (field 35)
	Track3     string // likewise (field 36); "" when it was not read or names another account
	Discretion string // discretionary data of track 2
}

// Format keeps card data out of anything that prints a Card by mistake.
func (Card) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "stripe of a card") }

// One is track 1 (ISO/IEC 7813, structure B).
type One struct {
	PAN, Name, Expiry string
	Service           ServiceCode
	Discretion        string
}

// Two is track 2.
type Two struct {
	PAN, Expiry string
	Service     ServiceCode
	Discretion  string
}

// Three is the beginning of track 3, which all format codes share. See Use for the rest.
type Three struct {
	FormatCode string // two digits
	PAN        string
	Use        string // use and security data, "=" as separator
}

// Format keeps card data out of anything that prints a track by mistake.
func (One) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "track 1") }

// Format is that of One.
func (Two) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "track 2") }

// Format is that of One.
func (Three) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "track 3") }

// scan walks through the characters between the sentinels; the first error stays.
type scan struct {
	track int
	s     string
	at    int
	err   *Error
}

func (s *scan) fail(field string, at int, why string) {
	if s.err == nil {
		s.err = &Error{s.track, field, at + 1, why} // the start sentinel is at 0
	}
}

// charset sees that all characters are of the track's alphabet.
func (s *scan) charset(low, high byte, most int) {
	if len(s.s) > most {
		s.fail("length", most, "is beyond the end of the track")
	}
	for i := range len(s.s) {
		if s.s[i] < low || s.s[i] > high {
			s.fail("character", i, "is not of this track's alphabet")
			return
		}
	}
}

// upTo takes the characters before sep, and sep.
func (s *scan) upTo(sep, field string, least, most int) string {
	if s.err != nil {
		return ""
	}
	v, _, ok := strings.Cut(s.s[s.at:], sep)
	switch {
	case !ok:
		s.fail(field, s.at, "has no separator behind it")
	case len(v) < least || len(v) > most:
		s.fail(field, s.at, fmt.Sprintf("has not %d to %d characters", least, most))
	default:
		s.at += len(v) + len(sep)
		return v
	}
	return ""
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

func (s *scan) pan(sep string) string {
	at := s.at
	v := s.upTo(sep, "PAN", minPAN, maxPAN)
	switch {
	case s.err != nil:
	case !digits(v):
		s.fail("PAN", at, "has other characters than digits")
	case !Luhn(v):
		s.fail("PAN", at, "has a wrong check digit")
	}
	return v
}

// fixed takes n digits, or the separator that stands in the place of what a card does not have.
func (s *scan) fixed(sep, field string, n int) string {
	if s.err != nil {
		return ""
	}
	if strings.HasPrefix(s.s[s.at:], sep) {
		s.at += len(sep)
		return ""
	}
	v := s.s[s.at:min(s.at+n, len(s.s))]
	if len(v) < n || !digits(v) {
		s.fail(field, s.at, fmt.Sprintf("has not %d digits", n))
		return ""
	}
	s.at += n
	return v
}

// expiry is YYMM.
func (s *scan) expiry(sep string) string {
	at := s.at
	v := s.fixed(sep, "expiry", 4)
	if v != "" && (v[2:] < "01" || v[2:] > "12") {
		s.fail("expiry", at, "is no month")
	}
	return v
}

func (s *scan) done() error {
	if s.err != nil {
		return s.err
	}
	return nil
}

// Parse1 reads the characters of track 1 between the sentinels. The error is an *Error.
func Parse1(data string) (One, error) {
	s := &scan{track: 1, s: data}
	s.charset(' ', '_', max1)
	if s.err == nil && !strings.HasPrefix(data, "B") {
		s.fail("format code", 0, "is not B")
	}
	s.at = 1
	var t One
	t.PAN = s.pan("^")
	t.Name = strings.TrimRight(s.upTo("^", "name", minName, maxName), " ")
	t.Expiry = s.expiry("^")
	t.Service = ServiceCode(s.fixed("^", "service code", 3))
	if err := s.done(); err != nil {
		return One{}, err
	}
	t.Discretion = data[s.at:]
	return t, nil
}

// Parse2 reads the characters of track 2 between the sentinels. The error is an *Error.
func Parse2(data string) (Two, error) {
	s := &scan{track: 2, s: data}
	s.charset('0', '?', max2)
	var t Two
	t.PAN = s.pan("=")
	t.Expiry = s.expiry("=")
	t.Service = ServiceCode(s.fixed("=", "service code", 3))
	if s.err == nil && strings.Trim(data[s.at:], "0123456789=") != "" {
		s.fail("discretionary data", s.at, "has other characters than digits and separators")
	}
	if err := s.done(); err != nil {
		return Two{}, err
	}
	t.Discretion = data[s.at:]
	return t, nil
}

// Parse3 reads the characters of track 3 between the sentinels. The error is an *Error.
func Parse3(data string) (Three, error) {
	s := &scan{track: 3, s: data}
	s.charset('0', '?', max3)
	if s.err == nil && (len(data) < 2 || !digits(data[:2])) {
		s.fail("format code", 0, "is not two digits")
	}
	s.at = 2
	var t Three
	t.PAN = s.pan("=")
	if s.err == nil && strings.Trim(data[s.at:], "0123456789=") != "" {
		s.fail("use and security data", s.at, "has other characters than digits and separators")
	}
	if err := s.done(); err != nil {
		return Three{}, err
	}
	t.FormatCode, t.Use = data[:2], data[s.at:]
	return t, nil
}

// Luhn checks the check digit of an account number (ISO/IEC 7812-1, annex B).
func Luhn(pan string) bool {
	sum := 0
	for i := range len(pan) {
		d := int(pan[len(pan)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return len(pan) > 0 && sum%10 == 0
}
