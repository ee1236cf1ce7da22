package ccid

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFill puts PINs into commands as bmFormatString, bmPINBlockString and bmPINLengthFormat say (PC/SC part 10, 2.5).
func TestFill(t *testing.T) {
	const apdu = "00200080 08 20FFFFFFFFFFFFFF"
	for _, c := range []struct {
		name   string
		format format
		apdu   string
		pin    string
		want   string // command, or "offset N"
	}{
		{"EMV, Book 3, 6.5.12: 4 digits", format{0x89, 0x47, 0x04}, apdu, "1234", "00200080 08 241234FFFFFFFFFF"},
		{"EMV: 5 digits", format{0x89, 0x47, 0x04}, apdu, "12345", "00200080 08 2512345FFFFFFFFF"},
		{"EMV: 12 digits", format{0x89, 0x47, 0x04}, apdu, "123456789012", "00200080 08 2C123456789012FF"},
		{"the same in bits", format{0x41, 0x47, 0x04}, apdu, "1234", "00200080 08 241234FFFFFFFFFF"},
		{"ASCII, as scardcontrol of libccid wants it", format{0x82, 0x08, 0x00}, "00200000 08 3030303030303030", "1234", "00200000 08 3132333430303030"},
		{"ASCII, right justified", format{0x86, 0x08, 0x00}, "00200000 08 3030303030303030", "1234", "00200000 08 3030303031323334"},
		{"binary", format{0x80, 0x04, 0x00}, "00200000 04 FFFFFFFF", "1234", "00200000 04 01020304"},
		{"BCD, right justified", format{0x85, 0x04, 0x00}, "00200000 04 00000000", "123", "00200000 04 00000123"},
		{"length in a byte behind", format{0x81, 0x84, 0x14}, "00200000 05 FFFFFFFF00", "123456", "00200000 05 123456FF06"},
		{"more digits than the block", format{0x81, 0x02, 0x00}, "00200000 04 FFFFFFFF", "12345", "offset 13"},
		{"block behind the command", format{0x89, 0x47, 0x04}, "00200080 04 20FFFFFF", "1234", "offset 13"},
		{"length behind the command", format{0x81, 0x44, 0x14}, "00200080 04 20FFFFFF", "1234", "offset 14"},
		{"position of 3 bits", format{0x19, 0x44, 0x04}, apdu, "1234", "offset 12"},
		{"length of 3 bits", format{0x89, 0x37, 0x04}, apdu, "1234", "00200080 08 201234FFFFFFFFFF"},
		{"length of 6 bits", format{0x89, 0x67, 0x04}, apdu, "1234", "offset 14"},
		{"digits of no known kind", format{0x8B, 0x47, 0x04}, apdu, "1234", "offset 12"},
		{"Lc does not fit", format{0x89, 0x47, 0x04}, "00200080 09 20FFFFFFFFFFFFFF", "1234", "offset 25"},
		{"no data", format{0x89, 0x47, 0x04}, "00200080", "1234", "offset 25"},
	} {
		in := unhex(t, c.apdu)
		got, err := c.format.fill(in, []byte(c.pin))
		var f fieldError
		if errors.As(err, &f) {
			if want := "bad value at " + c.want; err.Error() != want {
				t.Errorf("%s: %v, want %s", c.name, err, want)
			}
			continue
		}
		if strings.HasPrefix(c.want, "offset") || !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s: % X, %v; want %s", c.name, got, err, c.want)
		}
		if !bytes.Equal(in, unhex(t, c.apdu)) {
			t.Errorf("%s: the template was changed", c.name)
		}
	}
}

func FuzzFill(f *testing.F) {
	f.Add(byte(0x89), byte(0x47), byte(0x04), unhex(f, "002000800820FFFFFFFFFFFFFF"), 4)
	f.Add(byte(0x82), byte(0x08), byte(0x00), unhex(f, "00200000083030303030303030"), 8)
	f.Add(byte(0xFF), byte(0xFF), byte(0xFF), unhex(f, "0020000001FF"), 16)
	f.Fuzz(func(t *testing.T, a, b, c byte, apdu []byte, n int) {
		digits := bytes.Repeat([]byte{'7'}, max(0, min(n, 16)))
		out, err := format{a, b, c}.fill(apdu, digits)
		if err == nil && (len(out) != len(apdu) || !bytes.Equal(out[:5], apdu[:5])) {
			t.Fatalf("% X -> % X", apdu, out)
		}
	})
}
