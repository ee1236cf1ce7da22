package pn532

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func dehex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCommandFrames: frames that other people's drivers send, from their published logs.
func TestCommandFrames(t *testing.T) {
	for _, c := range []struct{ name, cmd, frame string }{
		{"GetFirmwareVersion", "02", "0000FF02FED4022A00"},
		{"SAMConfiguration", "1401", "0000FF03FDD414011700"},
		{"SetParameters", "1214", "0000FF03FDD412140600"},
		{"InListPassiveTarget, type A", "4A0100", "0000FF04FCD44A0100E100"},
		{"InListPassiveTarget, type B", "4A010300", "0000FF05FBD44A010300DE00"},
		{"RFConfiguration, retries", "3205FF0101", "0000FF06FAD43205FF0101F400"},
		{"Diagnose, line", "00006C69626E6663", "0000FF09F7D400006C69626E6663BE00"},
		{"InDeselect", "4400", "0000FF03FDD44400E800"},
	} {
		if got := appendFrame(nil, dehex(t, c.cmd)); !bytes.Equal(got, dehex(t, c.frame)) {
			t.Errorf("%s: % X, want %s", c.name, got, c.frame)
		}
	}
}

// chipFrame builds an answer as the chip does.
func chipFrame(data ...byte) []byte {
	f := appendFrame(nil, data)
	at := 5
	if len(data)+1 > 0xFF {
		at = 8
	}
	f[at] = tfiChip
	f[len(f)-2]-- // D5 is one more than D4
	return f
}

// items reads b in parts of n bytes and tells what is found.
func items(b []byte, n int) (list []string) {
	var d decoder
	for len(b) > 0 {
		m := copy(d.room(), b[:min(n, len(b))])
		d.wrote(m)
		b = b[m:]
		for {
			it := d.next()
			if it.kind == nothing {
				break
			}
			switch it.kind {
			case bad:
				list = append(list, it.err.Field)
			case answer:
				list = append(list, fmt.Sprintf("%X", it.data))
			default:
				list = append(list, map[kind]string{ack: "ACK", nack: "NACK", refused: "error"}[it.kind])
			}
		}
	}
	return list
}

func TestDecoder(t *testing.T) {
	long := bytes.Repeat([]byte{0xA5}, 260)
	for _, c := range []struct {
		name string
		in   []byte
		want []string
	}{
		{"ACK", ackFrame, []string{"ACK"}},
		{"NACK", nackFrame, []string{"NACK"}},
		{"error frame", dehex(t, "0000FF01FF7F8100"), []string{"error"}},
		{"ACK and answer, from a real chip", dehex(t, "0000FF00FF000000FF03FDD54B00E000"), []string{"ACK", "4B00"}},
		{"version", dehex(t, "0000FF06FAD50332010607E800"), []string{"0332010607"}},
		{"no preamble", dehex(t, "00FF03FDD54B00E000"), []string{"4B00"}},
		{"long preamble", dehex(t, "00000000000000FF03FDD54B00E000"), []string{"4B00"}},
		{"no postamble between two", dehex(t, "0000FF00FF0000FF03FDD54B00E0"), []string{"ACK", "4B00"}},
		{"wake-up bytes come back", append(bytes.Clone(wakeUp), ackFrame...), []string{"ACK"}},
		{"noise", append([]byte{0x55, 0xFF, 0xFF, 0x13, 0x37, 0x00}, ackFrame...), []string{"ACK"}},
		{"extended", chipFrame(append([]byte{0x41, 0x00}, long...)...), []string{"4100" + strings.Repeat("A5", 260)}},
		{"extended, though short", dehex(t, "0000FFFFFF0003FDD54B00E000"), []string{"4B00"}},
		{"the longest normal one", chipFrame(long[:254]...), []string{strings.Repeat("A5", 254)}},
		{"LCS", dehex(t, "0000FF03FCD54B00E0000000FF00FF00"), []string{"LCS", "ACK"}},
		{"LCS of an extended one", dehex(t, "0000FFFFFF0003FED54B00E0000000FF00FF00"), []string{"LCS", "ACK"}},
		{"DCS", dehex(t, "0000FF03FDD54B00E1000000FF00FF00"), []string{"DCS", "ACK"}},
		{"nothing in it", dehex(t, "0000FFFFFF0000000000FF00FF00"), []string{"LEN", "ACK"}},
		{"too long", dehex(t, "0000FFFFFF010AF50000FF00FF00"), []string{"LEN", "ACK"}},
		{"TFI alone", dehex(t, "0000FF01FFD52B000000FF00FF00"), []string{"LEN", "ACK"}},
		{"echo of a command", dehex(t, "0000FF02FED4022A000000FF00FF00"), []string{"TFI", "ACK"}},
		{"error frame that is too long", dehex(t, "0000FF02FE7F0081000000FF00FF00"), []string{"TFI", "ACK"}},
		{"a frame in a bad one", dehex(t, "0000FF0AF6D5410000FF00FF00AABBCC"), []string{"DCS", "ACK"}},
	} {
		for _, n := range []int{1, 2, 7, 1000} {
			if got := items(c.in, n); strings.Join(got, " ") != strings.Join(c.want, " ") {
				t.Errorf("%s, %d bytes at a time: %q, want %q", c.name, n, got, c.want)
			}
		}
	}
}

// TestSkip: a head that promises more than comes does not hide what is behind it.
func TestSkip(t *testing.T) {
	var d decoder
	in := append(dehex(t, "0000FFFFFF0109F6D541"), ackFrame...)
	d.wrote(copy(d.room(), in))
	if it := d.next(); it.kind != nothing || !d.begun {
		t.Fatal(it)
	}
	if !d.skip() {
		t.Fatal("nothing to skip")
	}
	if it := d.next(); it.kind != ack {
		t.Error(it)
	}
	if d.skip() {
		t.Error("something to skip")
	}
}

// TestOnly: of a transfer that is longer than the frame the rest does not count, whatever is on the bus.
func TestOnly(t *testing.T) {
	for _, pad := range []byte{0x00, 0xFF, 0x01, 0x55} {
		for _, c := range []struct {
			in   []byte
			want string
		}{
			{ackFrame, "ACK"},
			{dehex(t, "0000FF03FDD54B00E000"), "4B00"},
			{dehex(t, "0000FF03FDD54B00E100"), "LCS"},
			{nil, "LCS"},
			{dehex(t, "0000FF0AF6D541"), "LCS"},
		} {
			b := append(bytes.Clone(c.in), bytes.Repeat([]byte{pad}, shortFrame-len(c.in))...)
			var d decoder
			d.only(b)
			var got []string
			for it := d.next(); it.kind != nothing; it = d.next() {
				switch it.kind {
				case ack:
					got = append(got, "ACK")
				case bad:
					got = append(got, it.err.Field)
				default:
					got = append(got, fmt.Sprintf("%X", it.data))
				}
			}
			if d.begun || strings.Join(got, " ") != c.want {
				t.Errorf("% X and %02X: %q, want %s", c.in, pad, got, c.want)
			}
		}
	}
}

func FuzzDecoder(f *testing.F) {
	for _, s := range []string{
		"0000FF00FF00", "0000FFFF0000", "0000FF01FF7F8100", "0000FF06FAD50332010607E800", "0000FFFFFF0003FDD54B00E000", "0000FFFFFF0109F6D541",
		"55000000FF03FCD54B00E000", "00FF00FF00FF00FF",
	} {
		f.Add(dehex(f, s), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		n = max(1, n&0xFF)
		if got, all := items(b, n), items(b, 1); len(b) <= maxFrame && strings.Join(got, " ") != strings.Join(all, " ") {
			t.Errorf("%d bytes at a time %q, one at a time %q", n, got, all)
		}
		// A good frame behind anything is found, at the latest when what came before is given up.
		var d decoder
		want := chipFrame(0x43, 0x00, 0xA3)
		in := append(bytes.Clone(b), want...)
		found := false
		for len(in) > 0 {
			m := copy(d.room(), in[:min(len(in), n)])
			d.wrote(m)
			in = in[m:]
			for again := true; again; {
				it := d.next()
				switch it.kind {
				case nothing:
					again = len(in) == 0 && d.skip()
				case answer:
					found = bytes.Equal(it.data, []byte{0x43, 0x00, 0xA3})
				}
			}
		}
		// What holds a TFI may be a frame that ends in the middle of the good one.
		if !found && len(b) <= maxFrame && !bytes.Contains(b, []byte{tfiChip}) {
			t.Errorf("the frame behind % X is lost", b)
		}
	})
}

func TestTargets(t *testing.T) {
	const a4, a7 = "0004 20 04 08A1B2C3 0578807002", "0044 20 07 04010203040506 01"
	const b1 = "50 01020304 00000000 0081C1 01 01"
	for _, c := range []struct {
		name  string
		typ   byte
		in    string
		n     int
		field string
		at    int
	}{
		{"nobody", typeA, "00", 0, "", 0},
		{"one", typeA, "01 01" + a4, 1, "", 0},
		{"two", typeA, "02 01" + a4 + "02" + a7, 2, "", 0},
		{"without ISO 14443-4, from a real chip", typeA, "01 01 0400 08 04 82ACB95D", 1, "", 0},
		{"both kinds", typeA, "02 01 0400 08 04 82ACB95D 02" + a4, 2, "", 0},
		{"RATS not done", typeA, "01 01 0004 20 04 08A1B2C3", 1, "", 0},
		{"type B", typeB, "01 01" + b1, 1, "", 0},
		{"type B without a higher layer answer", typeB, "01 01 50 01020304 00000000 0081C1 00", 1, "", 0},
		{"two of type B", typeB, "02 01" + b1 + "02" + b1, 2, "", 0},
		{"empty", typeA, "", 0, "NbTg", 0},
		{"three", typeA, "03", 0, "NbTg", 0},
		{"number", typeA, "01", 0, "Tg", 1},
		{"number 2 first", typeA, "01 02" + a4, 0, "Tg", 1},
		{"SENS_RES", typeA, "01 01 00", 0, "SENS_RES", 2},
		{"SEL_RES", typeA, "01 01 0004", 0, "SEL_RES", 4},
		{"length of NFCID1", typeA, "01 01 0004 20", 0, "NFCID1", 5},
		{"NFCID1 of five", typeA, "01 01 0004 20 05 0102030405 01", 0, "NFCID1", 5},
		{"NFCID1 cut", typeA, "01 01 0004 20 07 010203", 0, "NFCID1", 6},
		{"ATS of nothing", typeA, "01 01 0004 20 04 08A1B2C3 00", 0, "ATS", 10},
		{"ATS cut", typeA, "01 01 0004 20 04 08A1B2C3 06 78807002", 0, "ATS", 10},
		{"ATQB cut", typeB, "01 01 50 0102", 0, "ATQB", 2},
		{"ATQB is none", typeB, "01 01 51 01020304 00000000 0081C1 00", 0, "ATQB", 2},
		{"length of ATTRIB_RES", typeB, "01 01 50 01020304 00000000 0081C1", 0, "ATTRIB_RES", 14},
		{"ATTRIB_RES cut", typeB, "01 01 50 01020304 00000000 0081C1 02 01", 0, "ATTRIB_RES", 15},
		{"more behind it", typeA, "01 01" + a4 + "00", 0, "end", 15},
		{"more behind nobody", typeA, "00 00", 0, "end", 1},
	} {
		_, n, err := parseTargets(c.typ, dehex(t, c.in))
		var te *TargetError
		switch {
		case c.field == "" && (err != nil || n != c.n):
			t.Errorf("%s: %d, %v", c.name, n, err)
		case c.field != "" && (!errors.As(err, &te) || *te != TargetError{c.field, c.at} || n != 0):
			t.Errorf("%s: %v, want %s at %d", c.name, err, c.field, c.at)
		}
	}
}

func FuzzTargets(f *testing.F) {
	for _, s := range []string{"00", "0101000420040 8A1B2C30578807002", "010150010203040000000000 81C10101", "02010400080482ACB95D0200042004 08A1B2C301"} {
		f.Add(byte(typeA), dehex(f, s))
		f.Add(byte(typeB), dehex(f, s))
	}
	f.Fuzz(func(t *testing.T, typ byte, b []byte) {
		typ = typ & 1 * typeB
		list, n, err := parseTargets(typ, b)
		var te *TargetError
		if err != nil && (!errors.As(err, &te) || te.Offset > len(b)) {
			t.Errorf("% X: %v", b, err)
		}
		for i := range n {
			if k := &list[i]; k.isoDEP() && len(k.ping()) == 0 {
				t.Error("a card that cannot be asked whether it is there")
			}
		}
	})
}
