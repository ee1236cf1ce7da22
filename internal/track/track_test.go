package track

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A card of the tests: the number is one that schemes publish for testing.
const (
	pan  = "6200000000000005"
	good = "%B" + pan + "^WU/MEI^3011120000000000?;" + pan + "=3011120000000000?+99" + pan + "=1561560000000000000030000000000000301111=0=?"
)

func TestLuhn(t *testing.T) {
	for pan, want := range map[string]bool{
		"6200000000000005": true, "6200000000000006": false, "4761739001010010": true, "79927398713": true, "79927398710": false, "0": true, "": false,
	} {
		if Luhn(pan) != want {
			t.Errorf("Luhn(%s) is not %v", pan, want)
		}
	}
}

func TestCard(t *testing.T) {
	c, err := Parse(good, false)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string][2]string{
		"PAN": {c.PAN, pan}, "name": {c.Name, "WU/MEI"}, "expiry": {c.Expiry, "3011"}, "service code": {string(c.Service), "120"},
		"discretionary data": {c.Discretion, "000000000"}, "track 2": {c.Track2, pan + "D3011120000000000"},
		"track 3": {c.Track3, "99" + pan + "D1561560000000000000030000000000000301111D0D"},
	} {
		if v[0] != v[1] {
			t.Errorf("%s is %q, want %q", name, v[0], v[1])
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{c, &c, One{PAN: pan}, Two{PAN: pan}, Three{PAN: pan}} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "62000") || strings.Contains(s, "3632") {
				t.Errorf("%s of a %T shows it", verb, v)
			}
		}
	}
}

func TestTracks(t *testing.T) {
	for _, c := range []struct {
		clause, one, two, three string
		want                    string // "PAN expiry service discretionary" of track 2, then the same of track 1
	}{
		{clause: "7813: track 2 of 37 characters", two: pan + "=30112201234567890123", want: "3011 220 1234567890123"},
		{clause: "7813: a separator in place of the expiry date", two: pan + "==2200000", want: " 220 0000"},
		{clause: "7813: a separator in place of the service code", two: pan + "=3011=0000", want: "3011  0000"},
		{clause: "7813: both", two: pan + "===00", want: "  00"},
		{clause: "7813: separators among the discretionary data", two: pan + "=30112200=0", want: "3011 220 0=0"},
		{clause: "7813: no discretionary data", two: pan + "=3011220", want: "3011 220 "},
		{clause: "7812: 19 digits", two: "6212260200000000121=3011220", want: "3011 220 "},
		{clause: "7813: track 1 with blanks behind the name", one: "B" + pan + "^WU/MEI                   ^3011220", two: pan + "=3011220", want: "3011 220 , WU/MEI"},
		{clause: "7813: a surname alone", one: "B" + pan + "^WU^3011220", two: pan + "=3011220", want: "3011 220 , WU"},
		{clause: "7813: initials and title", one: "B" + pan + "^WU/M X.DR^3011220", two: pan + "=3011220", want: "3011 220 , WU/M X.DR"},
		{clause: "a track 1 that is no track 1 does not matter", one: "nonsense", two: pan + "=3011220", want: "3011 220 "},
		{clause: "4909: track 3 names the account", two: pan + "=3011220", three: "01" + pan + "==", want: "3011 220 , 01" + pan + "DD"},
		{clause: "a track 3 of another account is not sent", two: pan + "=3011220", three: "014761739001010010==", want: "3011 220 "},
		{clause: "a track 3 that is no track 3 does not matter", two: pan + "=3011220", three: "x", want: "3011 220 "},
	} {
		raw := ";" + c.two + "?"
		if c.one != "" {
			raw = "%" + c.one + "?" + raw
		}
		for _, start := range []string{"+", ";"} {
			in := raw
			if c.three != "" {
				in += start + c.three + "?"
			}
			card, err := Parse(in, false)
			if err != nil {
				t.Errorf("%s: %v", c.clause, err)
				continue
			}
			got := card.Expiry + " " + string(card.Service) + " " + card.Discretion
			if card.Name != "" {
				got += ", " + card.Name
			}
			if card.Track3 != "" {
				got += ", " + card.Track3
			}
			if got != c.want {
				t.Errorf("%s: %q, want %q", c.clause, got, c.want)
			}
		}
	}
}

func TestBadSwipes(t *testing.T) {
	two := pan + "=3011220"
	for _, c := range []struct {
		name, raw string
		lrc       bool
		want      Error
	}{
		{"nothing", "", false, Error{2, "track", 0, ""}},
		{"track 1 alone", "%B" + pan + "^WU^3011220?", false, Error{2, "track", 0, ""}},
		{"track 2 could not be read", "%B" + pan + "^WU^3011220?;E?", false, Error{2, "track", 0, ""}},
		{"track 2 is empty", ";?", false, Error{2, "track", 0, ""}},
		{"no end sentinel", ";" + two, false, Error{2, "end sentinel", len(two) + 1, ""}},
		{"torn off in the middle", ";" + two[:9], false, Error{2, "end sentinel", 10, ""}},
		{"begins in the middle", two + "?", false, Error{0, "start sentinel", 0, ""}},
		{"something behind", ";" + two + "?x", false, Error{0, "start sentinel", len(two) + 2, ""}},
		{"tracks in the wrong order", ";" + two + "?%B" + pan + "^WU^3011220?", false, Error{0, "start sentinel", len(two) + 2, ""}},
		{"four tracks", ";" + two + "?;" + two + "?;" + two + "?", false, Error{0, "start sentinel", 2*len(two) + 4, ""}},
		{"too long", strings.Repeat("%", MaxSwipe+1), false, Error{0, "swipe", MaxSwipe, ""}},
		{"7813: track 2 of 38 characters", ";" + pan + "=301122012345678901234?", false, Error{2, "length", 38, ""}},
		{"7811-2: a letter on track 2", ";" + pan + "=3011220A?", false, Error{2, "character", 25, ""}},
		{"7811-2: a byte that is no character", ";" + pan[:4] + "\x80" + pan[5:] + "=3011220?", false, Error{2, "character", 5, ""}},
		{"7813: no separator", ";" + pan + "3011220?", false, Error{2, "PAN", 1, ""}},
		{"7812: 9 digits", ";620000009=3011220?", false, Error{2, "PAN", 1, ""}},
		{"7812: 20 digits", ";62000000000000000005=3011220?", false, Error{2, "PAN", 1, ""}},
		{"7812: check digit", ";6200000000000006=3011220?", false, Error{2, "PAN", 1, ""}},
		{"a PAN with a sentinel in it", ";620000000000:005=3011220?", false, Error{2, "PAN", 1, ""}},
		{"7813: month 13", ";" + pan + "=3013220?", false, Error{2, "expiry", 18, ""}},
		{"7813: month 00", ";" + pan + "=3000220?", false, Error{2, "expiry", 18, ""}},
		{"expiry of 3 digits", ";" + pan + "=301?", false, Error{2, "expiry", 18, ""}},
		{"service code of 2 digits", ";" + pan + "=301122?", false, Error{2, "service code", 22, ""}},
		{"discretionary data with <", ";" + pan + "=30112200<?", false, Error{2, "discretionary data", 25, ""}},
		{"tracks 1 and 2 of two cards", "%B4761739001010010^WU^3011220?;" + two + "?", false, Error{1, "PAN", 2, ""}},
		{"tracks 1 and 2 of two years", "%B" + pan + "^WU^3111220?;" + two + "?", false, Error{1, "expiry and service code", 16, ""}},
		{"tracks 1 and 2: chip or not", "%B" + pan + "^WU^3011120?;" + two + "?", false, Error{1, "expiry and service code", 16, ""}},
		{"no LRC", ";" + two + "?", true, Error{2, "LRC", len(two) + 2, ""}},
		{"wrong LRC", ";" + two + "?~", true, Error{2, "LRC", len(two) + 2, ""}},
	} {
		_, err := Parse(c.raw, c.lrc)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if e.Track != c.want.Track || e.Field != c.want.Field || e.Offset != c.want.Offset || e.Why == "" {
			t.Errorf("%s: %v; want %+v", c.name, e, c.want)
		}
		if strings.ContainsAny(strings.TrimPrefix(e.Error(), fmt.Sprintf("track: track %d", e.Track)), "4567") && e.Field == "PAN" {
			t.Errorf("%s: the error shows digits: %v", c.name, e)
		}
	}
}

func TestTrack1Alone(t *testing.T) {
	for _, c := range []struct {
		clause, data, field string
		offset              int
	}{
		{"7813: structure A", "A" + pan + "^WU^3011220", "format code", 1},
		{"7813: a name of one character", "B" + pan + "^W^3011220", "name", 19},
		{"7813: a name of 27", "B" + pan + "^" + strings.Repeat("W", 27) + "^3011220", "name", 19},
		{"7813: 77 characters", "B" + pan + "^WU^3011220" + strings.Repeat("0", 49), "length", 77},
		{"7811-2: lower case", "B" + pan + "^Wu^3011220", "character", 20},
		{"no separator behind the name", "B" + pan + "^WU", "name", 19},
		{"empty", "", "format code", 1},
	} {
		_, err := Parse1(c.data)
		var e *Error
		if !errors.As(err, &e) || e.Track != 1 || e.Field != c.field || e.Offset != c.offset {
			t.Errorf("%s: %v; want %s at %d", c.clause, err, c.field, c.offset)
		}
	}
	one, err := Parse1("B" + pan + "^WU/MEI^3011220DATA OF 1")
	if err != nil || one.PAN != pan || one.Name != "WU/MEI" || one.Expiry != "3011" || one.Service != "220" || one.Discretion != "DATA OF 1" {
		t.Errorf("%q %v", one.Discretion, err)
	}
}

// The check character of ISO/IEC 7811-2: the reader's alphabet begins at blank for track 1 and at "0" for the others.
func TestLRC(t *testing.T) {
	for _, c := range []struct {
		track int
		s     string
		want  byte
	}{
		{2, ";?", '4'},     // B ^ F
		{2, ";1=?", '8'},   // B ^ 1 ^ D ^ F
		{2, ";1234?", '0'}, // B ^ 1 ^ 2 ^ 3 ^ 4 ^ F
		{3, "+1234?", '0'}, // the reader's "+" stands for ";"
		{1, "%?", ':'},     // 05 ^ 1F = 1A
		{1, "%B?", 'X'},    // 05 ^ 22 ^ 1F = 38
	} {
		if got := LRC(c.track, c.s); got != c.want {
			t.Errorf("LRC of %s is %c, want %c", c.s, got, c.want)
		}
	}
	with := ""
	for i, s := range strings.SplitAfter(good, "?")[:3] {
		with += s + string(LRC(i+1, s))
	}
	c, err := Parse(with, true)
	if err != nil || c.PAN != pan || c.Name == "" || c.Track3 == "" {
		t.Fatalf("three tracks with check characters: %v", err)
	}
	for i := range with { // no single character can change without being seen, or the track is left out
		b := []byte(with)
		b[i] ^= 1
		if got, err := Parse(string(b), true); err == nil && (got.Track2 != c.Track2 || got.Track1 != "" && got.Track1 != c.Track1 || got.Track3 != "" && got.Track3 != c.Track3) {
			t.Errorf("a change at %d is not seen", i)
		}
	}
}

// ISO/IEC 7813, service code: what each digit means.
func TestServiceCode(t *testing.T) {
	for code, want := range map[ServiceCode]string{
		"101": "false 1 1 1 0", "120": "false 1 2 1 2", "201": "true 1 1 1 0", "221": "true 1 2 1 0", "220": "true 1 2 1 2",
		"502": "false 2 1 2 0", "601": "true 2 1 1 0", "623": "true 2 2 3 2", "744": "false 3 3 4 0", "945": "false 4 3 2 2",
		"106": "false 1 1 1 1", "107": "false 1 1 2 1", "103": "false 1 1 3 2", "104": "false 1 1 4 0",
		"": "false 0 0 0 0", "338": "false 0 0 0 0", "819": "false 0 0 0 0",
	} {
		got := fmt.Sprintf("%v %d %d %d %d", code.Chip(), code.Interchange(), code.Authorization(), code.Services(), code.PIN())
		if got != want {
			t.Errorf("service code %q: %s, want %s", code, got, want)
		}
	}
}

func TestUse(t *testing.T) {
	u, err := ParseUse("1561560123456789AB"[:14] + "002" + "3" + "987654" + "1" + "20" + "00" + "00" + "3011" + "7" + "==rest")
	if err == nil {
		t.Errorf("a cycle of letters: %+v", u)
	}
	u, err = ParseUse("156" + "156" + "2" + "0100" + "0050" + "6326" + "14" + "3" + "987654" + "1" + "20" + "30" + "40" + "3011" + "7" + "==0=")
	want := Use{"156", "156", "2", "0100", "0050", "6326", "14", "3", "987654", "1", "20", "30", "40", "3011", "7"}
	if err != nil || u != want {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err = ParseUse("==2" + "0100" + "0050" + "6326" + "14" + "3" + "987654" + "1" + "20" + "30" + "40" + "="); err == nil {
		t.Errorf("a track that ends before its sequence number: %+v", u)
	}
	if u, err = ParseUse("==2" + "0100" + "0050" + "6326" + "14" + "3" + "987654" + "1" + "20" + "30" + "40" + "=7"); err != nil || u.Country != "" || u.Expiry != "" || u.Sequence != "7" {
		t.Errorf("separators in place of what is not there: %+v, %v", u, err)
	}
}

func TestTrack3Alone(t *testing.T) {
	for _, c := range []struct{ data, field string }{
		{"", "format code"},
		{"0=", "format code"},
		{"01" + pan, "PAN"},
		{"01" + pan[:15] + "6=", "PAN"},
		{"01" + pan + "=<", "use and security data"},
		{"01" + pan + "=" + strings.Repeat("0", 86), "length"},
		{"01" + pan + "=a", "character"},
	} {
		_, err := Parse3(c.data)
		var e *Error
		if !errors.As(err, &e) || e.Track != 3 || e.Field != c.field {
			t.Errorf("%q: %v, want %s", c.field, err, c.field)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		good, ";" + pan + "=3011220?", "%E?;E?+E?", "%B" + pan + "^^?;" + pan + "=?", ";" + pan + "====?", "%%%;;;+++???", ";?;?", "+?", ";=?4",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, raw string, lrc bool) {
		c, err := Parse(raw, lrc)
		var e *Error
		switch {
		case err != nil && (!errors.As(err, &e) || e.Field == "" || e.Why == "" || e.Offset < 0):
			t.Fatalf("%v", err)
		case err != nil:
			if c != (Card{}) {
				t.Fatal("a card beside an error")
			}
			return
		case !Luhn(c.PAN) || len(c.Track2) > max2 || !strings.HasPrefix(c.Track2, c.PAN+"D") || len(c.Track1) > max1 || len(c.Track3) > max3:
			t.Fatal("no card")
		}
		again, err := Parse(";"+strings.ReplaceAll(c.Track2, "D", "=")+"?", false)
		if err != nil || again.PAN != c.PAN || again.Expiry != c.Expiry || again.Service != c.Service {
			t.Fatalf("track 2 is not read again as it was: %v", err)
		}
		_, _ = ParseUse(raw)
	})
}
