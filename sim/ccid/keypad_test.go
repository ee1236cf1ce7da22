package ccid_test

import (
	"bytes"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/sim"
	"posd/sim/ccid"
)

var secureData = "00 1E 89 47 04 0C04 02 01 0904 00 000000 0020008008 20FFFFFFFFFFFFFF"

// TestSecureFields: what a reader with a keypad refuses, and with which offset (CCID 6.1.11, table 6.2-2).
func TestSecureFields(t *testing.T) {
	r := ccid.New(ccid.Options{Profile: ccid.GemPCPinPad, Pace: &ccid.Pace{}})
	r.Insert(0, &chip{atr: t0ATR, say: func([]byte) []byte { t.Error("the card was asked"); return nil }})
	h := connect(t, r)
	do := func(typ byte, data ...byte) (byte, byte) {
		t.Helper()
		f := h.frame(typ, 0, [3]byte{}, data...)
		h.write(f)
		h.read(len(f)) // echo
		a := h.answer()
		return a[7], a[8]
	}
	if s, c := do(0x69, dehex(t, secureData)...); s != 0x41 || c != 0xFE {
		t.Errorf("without power: %02X %02X", s, c)
	}
	do(0x62)
	for _, c := range []struct {
		name  string
		at    int // of the data
		value byte
		code  byte
	}{
		{"bPINOperation: modification", 0, 1, 10},
		{"bmFormatString", 2, 0x8B, 12},
		{"bmPINBlockString", 3, 0x4F, 13},
		{"bmPINLengthFormat", 4, 0x1F, 14},
		{"wPINMaxExtraDigit: least above most", 6, 13, 15},
		{"wPINMaxExtraDigit: 17 digits", 5, 17, 15},
		{"bEntryValidationCondition: a GemPCPinPad knows Enter only", 7, 1, 17},
		{"bNumberMessage: nor does it go without words", 8, 0, 18},
		{"Lc", 19, 9, 25},
	} {
		d := dehex(t, secureData)
		d[c.at] = c.value
		if s, code := do(0x69, d...); s != 0x40 || code != c.code || r.Entering() {
			t.Errorf("%s: %02X %02X, want 40 %02X", c.name, s, code, c.code)
		}
	}
	if s, code := do(0x69, dehex(t, secureData)[:19]...); s != 0x40 || code != 1 {
		t.Errorf("short: %02X %02X", s, code)
	}
	if s, code := do(0x6B, append(dehex(t, "F0 01 1E 4C 03 0102030405060708"), modulus()...)...); s != 0x40 || code != 0 {
		t.Errorf("the extension, on a GemPCPinPad: %02X %02X", s, code)
	}
	if err := r.SetFault(ccid.FaultKeypad, true); err != nil {
		t.Fatal(err)
	}
	if s, code := do(0x69, dehex(t, secureData)...); s != 0x40 || code != 0xFB {
		t.Errorf("keypad broken: %02X %02X", s, code)
	}
	if r.Press('1') || r.Press(ccid.KeyEnter) {
		t.Error("a key was taken while nothing is entered")
	}
}

// A key of 512 bits of the tests' own: p and q are primes, found with math/big.
func testKey() (n, d *big.Int) {
	p, _ := new(big.Int).SetString("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF43", 16)
	q, _ := new(big.Int).SetString("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F", 16)
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	return new(big.Int).Mul(p, q), new(big.Int).ModInverse(big.NewInt(1<<16+1), phi)
}

func modulus() []byte {
	n, _ := testKey()
	return n.Bytes()
}

// TestEncipher deciphers what the extension gives to the card: Book 2, 7.2.
func TestEncipher(t *testing.T) {
	n, d := testKey()
	if n.BitLen() != 512 || d == nil {
		t.Fatal("the test's key is no key")
	}
	var blocks [][]byte
	var trace strings.Builder
	asked := make(chan struct{}, 10)
	r := ccid.New(ccid.Options{Profile: ccid.PosdPINPad, Pace: &ccid.Pace{}, Trace: func(e sim.Event) {
		if strings.HasPrefix(e.Summary, "waiting for the cardholder") {
			asked <- struct{}{}
		}
		trace.WriteString(e.Summary)
		for _, f := range e.Detail {
			trace.WriteString(" " + f.Value)
		}
		trace.WriteByte('\n')
	}})
	r.Insert(0, &chip{atr: t0ATR, say: func(apdu []byte) []byte {
		if !bytes.HasPrefix(apdu, []byte{0x00, 0x20, 0x00, 0x88, 64}) || len(apdu) != 69 {
			t.Errorf("% X", apdu)
			return []byte{0x67, 0x00}
		}
		m := new(big.Int).Exp(new(big.Int).SetBytes(apdu[5:]), d, n)
		blocks = append(blocks, m.FillBytes(make([]byte, 64)))
		return []byte{0x90, 0x00}
	}})
	h := connect(t, r)
	h.do(0x62, 0)
	ask := dehex(t, "F0 01 1E 4C 10 0102030405060708")
	enter := func(keys string) []byte {
		t.Helper()
		h.write(h.frame(0x6B, 0, [3]byte{}, append(slices.Clone(ask), n.Bytes()...)...))
		typed := 0
		<-asked
		for _, k := range keys {
			r.Press(k)
			if k >= '0' && k <= '9' {
				typed++
				if a := h.answer(); a[0] != 0x83 || a[7] != 0x80 || !bytes.Equal(a[10:], []byte{byte(typed)}) {
					t.Fatalf("digit %d: % X", typed, a)
				}
			}
		}
		return h.answer()
	}
	for range 2 {
		if a := enter("48213\r"); a[0] != 0x83 || a[7] != 0 || !bytes.Equal(a[10:], []byte{0x90, 0x00}) {
			t.Fatalf("% X", a)
		}
	}
	for _, b := range blocks {
		if want := dehex(t, "7F 2548213FFFFFFFFF 0102030405060708"); !bytes.Equal(b[:17], want) {
			t.Errorf("block % X, want % X and padding", b[:17], want)
		}
	}
	if len(blocks) != 2 || bytes.Equal(blocks[0][17:], blocks[1][17:]) {
		t.Error("the padding is not random")
	}
	if a := enter("\r"); a[7] != 0x40 || a[8] != 0x81 {
		t.Errorf("Enter without a digit: % X", a)
	}
	if a := enter("1\x1b"); a[7] != 0x40 || a[8] != 0xEF {
		t.Errorf("cancelled: % X", a)
	}
	for _, secret := range []string{"48213", "2548213F"} {
		if strings.Contains(trace.String(), secret) {
			t.Errorf("%s is in the trace", secret)
		}
	}
	for _, c := range []struct {
		name  string
		at    int // of the data
		value byte
		code  byte
	}{
		{"least of digits 3", 3, 0x3C, 13},
		{"most of digits 13", 3, 0x4D, 13},
		{"least above most", 3, 0x54, 13},
		{"exponent", 4, 0x05, 14},
		{"top bit of the modulus", 13, 0x7F, 23},
		{"even modulus", 76, 0x00, 23},
	} {
		data := append(slices.Clone(ask), n.Bytes()...)
		data[c.at] = c.value
		if s, code, _ := h.do(0x6B, 0, data...); s != 0x40 || code != c.code {
			t.Errorf("%s: %02X %02X, want 40 %02X", c.name, s, code, c.code)
		}
	}
	if s, code, _ := h.do(0x6B, 0, append(slices.Clone(ask), n.Bytes()[:63]...)...); s != 0x40 || code != 1 {
		t.Errorf("63 bytes: %02X %02X", s, code)
	}
}

// TestEntry: the life of an entry in the time of a real one: extensions, time-out, Abort, other commands, removal.
func TestEntry(t *testing.T) {
	for _, profile := range []ccid.Profile{ccid.PosdPINPad, ccid.GemPCPinPad} {
		t.Run(string(profile), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ran := 0
				c := &chip{atr: t0ATR, say: func([]byte) []byte { ran++; return []byte{0x63, 0xC1} }}
				r := ccid.New(ccid.Options{Profile: profile, Pace: &ccid.Pace{}})
				h := connect(t, r)
				send := func(typ byte, data ...byte) {
					t.Helper()
					f := h.frame(typ, 0, [3]byte{}, data...)
					h.write(f)
					if profile == ccid.GemPCPinPad {
						h.read(len(f))
					}
				}
				power := func() {
					t.Helper()
					r.Insert(0, c)
					send(0x62)
					h.answer()
				}
				begin := func() time.Time {
					t.Helper()
					send(0x69, dehex(t, secureData)...) // 30 s
					synctest.Wait()
					if !r.Entering() {
						t.Fatal("no entry")
					}
					return time.Now()
				}
				extension := func() {
					t.Helper()
					if profile == ccid.GemPCPinPad { // T=0 at TPDU level
						if b := h.read(1); b[0] < 0x80 {
							t.Errorf("% X", b)
						}
						return
					}
					if a := h.answer(); a[0] != 0x80 || a[7]&0xC0 != 0x80 {
						t.Errorf("% X", a)
					}
				}
				end := func(status, code byte, data ...byte) {
					t.Helper()
					if a := h.answer(); a[0] != 0x80 || a[7] != status || a[8] != code || !bytes.Equal(a[10:], data) {
						t.Errorf("% X, want status %02X, error %02X", a, status, code)
					}
					if r.Entering() {
						t.Error("still entering")
					}
				}
				power()

				start := begin()
				for range 5 {
					extension()
				}
				end(0x40, 0xF0)
				if d := time.Since(start); d != 30*time.Second {
					t.Errorf("timed out after %v", d)
				}

				begin()
				send(0x65)
				if a := h.answer(); a[7] != 0x40 || a[8] != 0xE0 {
					t.Errorf("status meanwhile: % X", a)
				}
				send(0x69, dehex(t, secureData)...)
				if a := h.answer(); a[7] != 0x40 || a[8] != 0xE0 {
					t.Errorf("a second entry: % X", a)
				}
				send(0x72)
				if a := h.answer(); a[0] != 0x81 || a[7] != 0 || r.Entering() {
					t.Errorf("abort: % X", a)
				}

				if err := r.SetFault(ccid.FaultNoAbort, true); err != nil {
					t.Fatal(err)
				}
				begin()
				send(0x72)
				if a := h.answer(); a[0] != 0x81 || a[7] != 0x40 || a[8] != 0 || !r.Entering() {
					t.Errorf("no abort: % X", a)
				}
				r.Press(ccid.KeyCancel)
				end(0x40, 0xEF)

				begin()
				r.Press(ccid.KeyEnter)
				end(0, 0, 0x64, 0x03)

				begin()
				r.Remove(0)
				end(0x42, 0xFE)
				power()

				begin()
				r.Remove(0)
				r.Insert(0, c)
				end(0x41, 0xFE)
				power()

				if ran != 0 {
					t.Error("the card was asked")
				}
				begin()
				for _, k := range "12345678901234567" { // more digits than a PIN has
					r.Press(k)
					synctest.Wait()
				}
				r.Press('A') // is no key
				r.Press(ccid.KeyEnter)
				told := []byte{}
				a := h.answer()
				for ; a[7]&0xC0 == 0x80; a = h.answer() {
					told = append(told, a[10:]...)
				}
				if a[7] != 0 || !bytes.Equal(a[10:], []byte{0x63, 0xC1}) || r.Entering() {
					t.Errorf("% X", a)
				}
				if n := len(told); profile == ccid.PosdPINPad && (n == 0 || told[n-1] > 12) || profile != ccid.PosdPINPad && n > 0 {
					t.Errorf("told % X", told)
				}
				if ran != 1 {
					t.Errorf("the card was asked %d times", ran)
				}
				// Three digits are not enough: Enter is not taken.
				begin()
				for _, k := range "123\r" {
					r.Press(k)
				}
				synctest.Wait()
				if profile == ccid.PosdPINPad {
					extension()
				}
				if !r.Entering() || ran != 1 {
					t.Error("three digits were taken for a PIN")
				}
			})
		})
	}
}
