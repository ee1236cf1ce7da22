package ccid

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

// script answers TPDUs in order: "command -> answer" in hex, one exchange a line. A command that is not the next one fails the test.
func script(t *testing.T, text string) func(b []byte) []byte {
	var lines []string
	for _, l := range strings.Split(text, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	t.Cleanup(func() {
		if len(lines) > 0 {
			t.Errorf("never sent: %q", lines)
		}
	})
	return func(b []byte) []byte {
		if len(lines) == 0 {
			t.Errorf("unexpected % X", b)
			return nil
		}
		command, answer, _ := strings.Cut(lines[0], "->")
		lines = lines[1:]
		if want := dehex(t, command); !bytes.Equal(b, want) {
			t.Errorf("sent % X, want % X", b, want)
		}
		return dehex(t, answer)
	}
}

const (
	pse    = "00A404000E315041592E5359532E4444463031" // SELECT 1PAY.SYS.DDF01, data included
	fci    = "6F24840E315041592E5359532E4444463031A5128801015F2D08656E6573667264659F110101"
	entry1 = "701A61184F07A0000000031010"
	entry2 = "500A56495341204445424954870101"
)

// TestT0 holds the terminal transport layer to EMV Book 1, annex A, and to the ways a card can break it.
func TestT0(t *testing.T) {
	for _, c := range []struct {
		name, apdu, script, want string
		err                      error
	}{
		{name: "case 1", apdu: "12345678", script: "1234567800 -> 9000", want: "9000"},
		{name: "case 1, error", apdu: "12345678", script: "1234567800 -> 6A81", want: "6A81"},
		{name: "case 2, A3", apdu: "00B2010C00", script: "00B2010C00 -> 6C1C \n 00B2010C1C -> " + entry1 + entry2 + "9000", want: entry1 + entry2 + "9000"},
		{name: "case 2, right length at once", apdu: "0084000008", script: "0084000008 -> 01020304050607089000", want: "01020304050607089000"},
		{name: "case 2, error at once", apdu: "00B2010C00", script: "00B2010C00 -> 6A81", want: "6A81"},
		{name: "case 2, error late", apdu: "00B2010C00", script: "00B2010C00 -> 6C1C \n 00B2010C1C -> 6581", want: "6581"},
		{name: "case 2, A5: 6C then 61", apdu: "00B2010C00", script: "00B2010C00 -> 6C1C \n 00B2010C1C -> 611C \n 00C000001C -> " + entry1 + "610F \n 00C000000F -> " + entry2 + "9000", want: entry1 + entry2 + "9000"},
		{name: "case 3", apdu: "0082000004DEADBEEF", script: "0082000004DEADBEEF -> 9000", want: "9000"},
		{name: "case 3, warning is not asked about", apdu: "0020008008241234FFFFFFFFFF", script: "0020008008241234FFFFFFFFFF -> 63C2", want: "63C2"},
		{name: "case 4, A4", apdu: pse + "00", script: pse + " -> 6126 \n 00C0000026 -> " + fci + "9000", want: fci + "9000"},
		{name: "case 4, no data", apdu: pse + "00", script: pse + " -> 9000", want: "9000"},
		{name: "case 4, error", apdu: pse + "00", script: pse + " -> 6A82", want: "6A82"},
		{name: "case 4, error late", apdu: pse + "00", script: pse + " -> 6126 \n 00C0000026 -> 6581", want: "6581"},
		{name: "case 4, A6: 61 twice", apdu: pse + "00", script: pse + " -> 6126 \n 00C0000026 -> " + fci[:30] + "6117 \n 00C0000017 -> " + fci[30:] + "9000", want: fci + "9000"},
		{name: "case 4, GET RESPONSE with another length", apdu: pse + "00", script: pse + " -> 6100 \n 00C0000000 -> 6C26 \n 00C0000026 -> " + fci + "9000", want: fci + "9000"},
		{name: "case 4, A7: 62 then 6C", apdu: pse + "00", script: pse + " -> 6283 \n 00C0000000 -> 6C26 \n 00C0000026 -> " + fci + "9000", want: fci + "6283"},
		{name: "case 4, A7: 61 then 62", apdu: pse + "00", script: pse + " -> 6126 \n 00C0000026 -> " + fci + "6286", want: fci + "6286"},
		{name: "case 4, 62 and nothing behind it", apdu: pse + "00", script: pse + " -> 6283 \n 00C0000000 -> 6985", want: "6283"},
		{name: "256 bytes", apdu: "00B2010C00", script: "00B2010C00 -> " + strings.Repeat("AB", 256) + "9000", want: strings.Repeat("AB", 256) + "9000"},

		{name: "case 2, warning with data", apdu: "00B2010C00", script: "00B2010C00 -> 6C1C \n 00B2010C1C -> " + entry1 + entry2 + "6282", want: entry1 + entry2 + "6282"},
		{name: "case 4, 63 and data behind it", apdu: pse + "00", script: pse + " -> 6300 \n 00C0000000 -> 6C26 \n 00C0000026 -> " + fci + "9000", want: fci + "6300"},
		{name: "case 4, 9001 and data behind it", apdu: pse + "00", script: pse + " -> 9001 \n 00C0000000 -> " + fci + "9000", want: fci + "9001"},
		{name: "case 4, 6985 is no warning", apdu: pse + "00", script: pse + " -> 6985", want: "6985"},
		{name: "61 to a command without data, 9.3.1.1.4", apdu: "0082000004DEADBEEF", script: "0082000004DEADBEEF -> 6102 \n 00C0000002 -> AABB9000", want: "AABB9000"},
		{name: "6C00: 256 bytes", apdu: "00B2010C00", script: "00B2010C00 -> 6C00 \n 00B2010C00 -> " + strings.Repeat("AB", 256) + "9000", want: strings.Repeat("AB", 256) + "9000"},
		{name: "6C with data", apdu: "00B2010C00", script: "00B2010C00 -> AA6C10", err: ErrProtocol},
		{name: "6C to GET RESPONSE twice", apdu: pse + "00", script: pse + " -> 6110 \n 00C0000010 -> 6C08 \n 00C0000008 -> 6C04", err: ErrProtocol},
		{name: "61 for ever", apdu: pse + "00", script: pse + " -> 6101" + strings.Repeat("\n00C0000001 -> AA6101", 7), err: ErrProtocol},
		{name: "61 without data for ever", apdu: pse + "00", script: pse + " -> 6101" + strings.Repeat("\n00C0000001 -> 6101", 7), err: ErrProtocol},
		{name: "6C for ever", apdu: "00B2010C00", script: "00B2010C00 -> 6C01 \n 00B2010C01 -> 6C02", err: ErrProtocol},
		{name: "6C to a command with data", apdu: "0082000004DEADBEEF", script: "0082000004DEADBEEF -> 6C10", err: ErrProtocol},
		{name: "data in both directions", apdu: "0082000004DEADBEEF", script: "0082000004DEADBEEF -> AA9000", err: ErrProtocol},
		{name: "empty answer", apdu: "0084000008", script: "0084000008 -> ", err: ErrProtocol},
		{name: "one byte", apdu: "0084000008", script: "0084000008 -> 90", err: ErrProtocol},
		{name: "a status that is none", apdu: "0084000008", script: "0084000008 -> 1234", err: ErrProtocol},
		{name: "NULL as a status", apdu: "0084000008", script: "0084000008 -> 6000", err: ErrProtocol},
		{name: "too much in pieces", apdu: "00B2010C00", script: "00B2010C00 -> " + strings.Repeat("AB", 200) + "6190 \n 00C0000090 -> " + strings.Repeat("AB", 0x90) + "9000", err: ErrProtocol},
		{name: "259 bytes", apdu: "00B2010C00", script: "00B2010C00 -> " + strings.Repeat("AB", 257) + "9000", err: ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			tpdu := script(t, c.script) // its own check runs when the bubble has ended
			synctest.Test(t, func(t *testing.T) {
				r, _ := newFake(t, nil, card(goodATR, tpdu))
				chip, err := r.PowerOn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got, err := chip.Transceive(t.Context(), dehex(t, c.apdu))
				if !errors.Is(err, c.err) {
					t.Fatalf("%v, want %v", err, c.err)
				}
				if !bytes.Equal(got, dehex(t, c.want)) {
					t.Errorf("% X, want %s", got, c.want)
				}
			})
		})
	}
}

func TestCommandAPDU(t *testing.T) {
	for _, c := range []struct{ apdu, field string }{
		{"", "header"},
		{"00A404", "header"},
		{"00A4040000FF", "Lc"},
		{"00A4040002FF", "length"},
		{"00A4040001FF00FF", "length"},
		{"00A40400", ""},
		{"00A4040000", ""},
		{"00A4040001FF", ""},
		{"00A4040001FF00", ""},
	} {
		_, err := parseCommand(dehex(t, c.apdu))
		var e *APDUError
		if c.field == "" && err != nil || c.field != "" && (!errors.As(err, &e) || e.Field != c.field) {
			t.Errorf("%s: %v, want %q", c.apdu, err, c.field)
		}
	}
}

// FuzzT0 lets a card say anything: the driver comes to an end, with an answer of a sensible size or a typed error.
func FuzzT0(f *testing.F) {
	f.Add([]byte{2, 0x61, 0x10, 3, 0xAA, 0x90, 0x00}, true)
	f.Add([]byte{2, 0x6C, 0x10, 2, 0x6C, 0x11}, false)
	f.Add([]byte{2, 0x62, 0x83, 2, 0x6C, 0x01, 3, 0xAA, 0x90, 0x00}, true)
	f.Fuzz(func(t *testing.T, b []byte, data bool) {
		apdu := []byte{0x00, 0xB2, 0x01, 0x0C, 0x00}
		if data {
			apdu = []byte{0x00, 0xA4, 0x04, 0x00, 0x01, 0xAA, 0x00}
		}
		synctest.Test(t, func(t *testing.T) {
			n := 0
			r, _ := newFake(t, nil, card(goodATR, func([]byte) []byte {
				n++
				if len(b) == 0 {
					return []byte{0x90, 0x00}
				}
				size := min(int(b[0]), len(b)-1)
				out := append([]byte{}, b[1:1+size]...)
				b = b[1+size:]
				return out[:min(len(out), maxData)]
			}))
			chip, err := r.PowerOn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			out, err := chip.Transceive(t.Context(), apdu)
			if n > maxRounds {
				t.Fatalf("%d exchanges", n)
			}
			if err == nil && (len(out) < 2 || len(out) > 258) || err != nil && !errors.Is(err, ErrProtocol) {
				t.Fatalf("%d bytes, %v", len(out), err)
			}
		})
	})
}
