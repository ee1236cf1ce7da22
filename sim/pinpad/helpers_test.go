package pinpad

import (
	"encoding/hex"
	"fmt"
	"testing"

	"posd/vault"
)

// pinUnder is PIN 1234 of card 4012345678909 under a key.
func pinUnder(t *testing.T, key string) string {
	t.Helper()
	k, err := hex.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := vault.EncodePIN0("1234", "4012345678909")
	if err != nil {
		t.Fatal(err)
	}
	e, err := vault.EncryptECB(k, b[:])
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%X", e)
}

// macUnder is the MAC of one zero byte.
func macUnder(t *testing.T, key string) string {
	t.Helper()
	k, err := hex.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	m, err := vault.MAC3(k, []byte{0}, vault.Padding1)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%X", m)
}

// Whatever comes over the line, the pad lives, keeps its keys, and works afterwards.
func FuzzWire(f *testing.F) {
	f.Add([]byte("\x0f040\x0e:\x06"), uint8(0))
	f.Add([]byte("\x02"+z60+"\x03S"), uint8(0))
	f.Add([]byte("\x02Z66400B\x1c8FE10196464FD3591A4D672DCA6CB335\x1c\x1cAMT$1.99REF00042\x03O"), uint8(1))
	for _, body := range []string{
		"Z4230", "Z500306", "Z2\x1d101\x1a", "Z62.40123456\x1c4F17866366ACA0F60412YENTER PIN", "70.40123456\x1c4F17866366ACA0F612.34", "Z63.\x1c",
		"021" + TestTMK, "081", "04", "Z661", "72",
	} {
		f.Add([]byte(body), uint8(1))
		f.Add([]byte(frame(body)), uint8(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, dialect uint8) {
		p := New(Options{Dialect: Dialect(dialect % 2), Pace: &Pace{}})
		p.locked(func() {
			p.receive(b)
			if len(b) > 2 { // the same as the content of a frame that is right
				p.frame(b[0]%2 == 0, b[1:], true)
			}
		})
		for _, k := range "12\b34567890123\r\x1b" {
			p.Press(k)
		}
		p.Display()
		if p.entry != nil && p.entry.kind == entryPIN {
			t.Fatal("the cancel key does not end a PIN entry")
		}
		p.locked(func() {
			p.pending, p.out, p.entry, p.rx = nil, nil, nil, receiver{}
			p.receive([]byte(frame("04" + string(rune(p.o.Slot)))))
			if p.pending == nil || string(p.pending.frame[1:4]) != "04F" {
				t.Fatal("the pad does not work any more")
			}
		})
	})
}
