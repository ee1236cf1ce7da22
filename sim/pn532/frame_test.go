package pn532

import (
	"bytes"
	"testing"
)

// FuzzParse: the chip gets on with whatever a host sends.
func FuzzParse(f *testing.F) {
	for _, s := range [][]byte{
		ackFrame, nackFrame,
		{0x00, 0x00, 0xFF, 0x02, 0xFE, 0xD4, 0x02, 0x2A, 0x00},
		{0x00, 0xFF, 0xFF, 0xFF, 0x00, 0x02, 0xFE, 0xD4, 0x02, 0x2A, 0x00},
		{0x55, 0x55, 0x00, 0x00, 0x00, 0xFF, 0x03, 0xFC, 0xD4},
		{0x00, 0xFF, 0xFF, 0xFF, 0x01, 0x0A, 0xF5},
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for rest := b; len(rest) > 0; {
			k, cmd, n := parse(rest)
			if n < 0 || n > len(rest) || k != partial && n == 0 || k == command && (len(cmd) == 0 || len(cmd) >= maxData) {
				t.Fatalf("% X: kind %d, %d bytes used, command of %d", rest, k, n, len(cmd))
			}
			if k == partial {
				break
			}
			rest = rest[n:]
		}
		if len(b) == 0 || len(b) > 200 {
			return
		}
		// What is built is found.
		fr := frame(b)
		fr[5] = 0xD4
		fr[len(fr)-2]++
		if k, cmd, _ := parse(fr); k != command || !bytes.Equal(cmd, b) {
			t.Fatalf("% X: kind %d, % X", fr, k, cmd)
		}
	})
}

// FuzzCommands: no command leaves the chip without a word, or brings it down.
func FuzzCommands(f *testing.F) {
	for _, s := range [][]byte{{0x02}, {0x4A, 1, 0}, {0x4A, 2, 3, 0}, {0x40, 1, 0, 0xA4}, {0x42, 0xB2}, {0x60, 1, 1, 0x20}, {0x32, 5, 0xFF, 1, 1}, {0x06, 0x63}, {0x44, 1}} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || len(b) >= maxData || b[0] == cmdInitAsTarget || b[0] == cmdAutoPoll || b[0] == cmdRF && len(b) > 3 && b[3] == 0xFF {
			return // no frame holds it, or it may wait for ever
		}
		c := New(Options{Pace: &Pace{}})
		c.Tap(Target{})
		for _, cmd := range [][]byte{{cmdSAM, 1}, {cmdRF, 5, 0xFF, 1, 0}, {cmdList, 1, 0}, b, b} {
			if a := c.do(t.Context(), cmd); a != nil && a[0] != cmd[0]+1 || len(a) > maxData-1 {
				t.Fatalf("% X: % X", cmd, a)
			}
		}
	})
}
