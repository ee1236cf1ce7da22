package pn532_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal/serial/porttest"
	"posd/sim"
	"posd/sim/pn532"
)

// host is the host's end of a line with a chip on it that was woken up.
type host struct {
	t    *testing.T
	line *porttest.Port
}

// wired runs a test with a host, in time of its own.
func wired(t *testing.T, o pn532.Options, f func(t *testing.T, h host, c *pn532.Chip)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := pn532.New(o)
		p, e := porttest.Pipe(8192)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = c.Serve(ctx, e) // it ends with ctx
		}()
		h := host{t, p}
		h.write("5555000000000000")
		h.is("1401", "15")
		f(t, h, c)
		cancel()
		<-done
	})
}

func (h host) write(s string) {
	h.t.Helper()
	if _, err := h.line.Write(dehex(h.t, s)); err != nil {
		h.t.Fatal(err)
	}
}

// send sends the frame of a command.
func (h host) send(cmd string) {
	h.t.Helper()
	b := dehex(h.t, cmd)
	var sum byte = 0xD4
	for _, c := range b {
		sum += c
	}
	h.write(fmt.Sprintf("0000FF%02X%02X D4%X%02X00", len(b)+1, byte(-len(b)-1), b, -sum))
}

// heard reads everything that comes within d.
func (h host) heard(d time.Duration) []byte {
	h.t.Helper()
	if err := h.line.SetReadDeadline(time.Now().Add(d)); err != nil {
		h.t.Fatal(err)
	}
	b, _ := io.ReadAll(h.line) // the deadline ends it
	return b
}

const ackHex = "0000FF00FF00"

// is sends a command and sees what is answered; "error" is the error frame, "" no answer at all.
func (h host) is(cmd, want string) {
	h.t.Helper()
	h.send(cmd)
	got := fmt.Sprintf("%X", h.heard(5*time.Second))
	full := ackHex
	switch want {
	case "":
	case "error":
		full += "0000FF01FF7F8100"
	default:
		b := dehex(h.t, want)
		var sum byte = 0xD5
		for _, c := range b {
			sum += c
		}
		full += fmt.Sprintf("0000FF%02X%02XD5%X%02X00", len(b)+1, byte(-len(b)-1), b, -sum)
	}
	if got != full {
		h.t.Errorf("%s: %s, want %s", cmd, got, full)
	}
}

func TestCommands(t *testing.T) {
	wired(t, pn532.Options{Pace: &pn532.Pace{}}, func(_ *testing.T, h host, _ *pn532.Chip) {
		for _, c := range [][2]string{
			{"02", "0332010607"},
			{"0200", "error"},
			{"00006C69626E6663", "01006C69626E6663"},
			{"0001", "0100"},
			{"0002", "0100"},
			{"0006", "0101"},
			{"00", "error"},
			{"0063", "error"},
			{"04", "0500000080"},
			{"0663026303", "070000"},
			{"08630280", "09"},
			{"06 6302", "0780"},
			{"06", "error"},
			{"0663", "error"},
			{"0863", "error"},
			{"0C", "0D3F0701"},
			{"0E8080", "0F"},
			{"0E", "error"},
			{"1004", "11"},
			{"1009", "error"},
			{"1214", "13"},
			{"12", "error"},
			{"14", "error"},
			{"1405", "error"},
			{"14011401", "15"},
			{"320101", "33"},
			{"04", "0500010080"},
			{"320100", "33"},
			{"3201", "error"},
			{"320A595911", "error"},
			{"32020B0B0A", "33"},
			{"320400", "33"},
			{"3205FF0101", "33"},
			{"3206", "error"},
			{"4A0100", "4B00"},
			{"4A0200", "4B00"},
			{"4A010300", "4B00"},
			{"4A0103", "error"},
			{"4A0101 00FFFF0000", "4B00"},
			{"4A0104", "4B00"},
			{"4A0300", "error"},
			{"4A0000", "error"},
			{"4A0105", "error"},
			{"40", "error"},
			{"400100A40400", "4127"},
			{"42B2", "4301"},
			{"42", "4301"},
			{"4401", "4500"},
			{"44", "error"},
			{"5200", "5300"},
			{"5401", "5527"},
			{"4E010000", "4F01"},
			{"560000", "5701"},
			{"600101", "error"},
			{"60010120", "6100"},
			{"99", "error"},
			{"F2", "error"},
		} {
			h.is(c[0], c[1])
		}
	})
}

// TestAsleep: before SAMConfiguration, and after PowerDown, the chip does next to nothing.
func TestAsleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pn532.New(pn532.Options{Pace: &pn532.Pace{}})
		p, e := porttest.Pipe(4096)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = c.Serve(ctx, e) // it ends with ctx
		}()
		h := host{t, p}
		h.send("02")
		if b := h.heard(time.Second); len(b) > 0 {
			t.Errorf("a sleeping chip said % X", b)
		}
		h.write("555500000000")
		h.is("02", "0332010607")
		h.is("4A0100", "error")
		h.is("1401", "15")
		h.is("3205FF0100", "33")
		h.is("4A0100", "4B00")
		h.is("16F0", "1700")
		h.send("02")
		if b := h.heard(time.Second); len(b) > 0 {
			t.Errorf("a sleeping chip said % X", b)
		}
		h.write("55")
		h.is("02", "0332010607")
		cancel()
		<-done
	})
}

func TestFrames(t *testing.T) {
	wired(t, pn532.Options{Pace: &pn532.Pace{}}, func(t *testing.T, h host, _ *pn532.Chip) {
		const version = "0000FF06FAD50332010607E800"
		for _, c := range []struct{ name, in, want string }{
			{"extended, though short", "0000FFFFFF0002FED4022A00", ackHex + version},
			{"NACK: the answer again", "0000FFFF0000", version},
			{"NACK twice", "0000FFFF0000 0000FFFF0000", version + version},
			{"ACK with nothing under way", ackHex, ""},
			{"wrong LCS", "0000FF02FDD4022A00", ""},
			{"wrong DCS", "0000FF02FED4022B00", ""},
			{"wrong TFI", "0000FF02FED5022900", ""},
			{"nothing in it", "0000FF01FFD42C00", ""},
			{"too long", "0000FFFFFF010AF5", ""},
			{"noise, then a command", "FF13370055 0000FF02FED4022A00", ackHex + version},
			{"wrong DCS, then a command", "0000FF02FED4022B00 0000FF02FED4022A00", ackHex + version},
		} {
			h.write(c.in)
			if got := fmt.Sprintf("%X", h.heard(time.Second)); got != c.want {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
		}
		// A frame whose rest does not come is forgotten.
		h.write("0000FF09F7D400")
		h.heard(time.Second)
		h.is("02", "0332010607")
	})
}

// TestAbort: an ACK, and another command, end one that is under way.
func TestAbort(t *testing.T) {
	wired(t, pn532.Options{Pace: &pn532.Pace{}}, func(_ *testing.T, h host, c *pn532.Chip) {
		for _, cmd := range []string{"4A0100", "4A010300", "4A010100FFFF0000", "60FF0220", "8C00"} { // the first ones look for ever
			h.is(cmd, "")
			h.write(ackHex)
			h.is("02", "0332010607")
			h.is(cmd, "")
			h.is("02", "0332010607")
		}
		// A card that comes ends the search.
		h.is("4A0100", "")
		c.Tap(pn532.Target{})
		if got := fmt.Sprintf("%X", h.heard(time.Second)); !strings.HasPrefix(got, "0000FF11EFD54B01010004200408A1B2C30578807002") {
			t.Error(got)
		}
	})
}

// TestAutoPoll takes its time: period times 150 ms for each type.
func TestAutoPoll(t *testing.T) {
	wired(t, pn532.Options{Pace: &pn532.Pace{}}, func(t *testing.T, h host, c *pn532.Chip) {
		h.send("600302201003")
		if b := h.heard(2600 * time.Millisecond); len(b) != 6 {
			t.Errorf("after 2.6 s: % X", b)
		}
		if b := h.heard(200 * time.Millisecond); !bytes.HasPrefix(b, []byte{0, 0, 0xFF, 3, 0xFD, 0xD5, 0x61, 0}) {
			t.Errorf("after 2.7 s: % X", b)
		}
		c.Tap(pn532.Target{B: true})
		h.is("60 14 02 20 10 03", "61 01 03 0F 01 50 01020304 00000000 0081C1 01 01")
	})
}

// TestPresence: R(NAK) is answered by R(ACK), or with the last block again, as the block numbers say.
func TestPresence(t *testing.T) {
	wired(t, pn532.Options{Pace: &pn532.Pace{}}, func(_ *testing.T, h host, c *pn532.Chip) {
		id := c.Tap(pn532.Target{Card: &chip{}})
		h.is("4A0100", "4B01 01 0004 20 04 08A1B2C3 0578807002")
		h.is("42B2", "4300A3")
		h.is("42B3", "4300A3") // nothing to say again
		h.is("0006", "0100")
		h.is("4001 00000000", "4100 000000009000")
		h.is("42B2", "430002 000000009000")
		h.is("42B3", "4300A2")
		h.is("4001 00000000", "4100 000000009000")
		h.is("42B2", "4300A3")
		h.is("42BA01", "4301") // it was given no identifier
		h.is("42C2", "4300C2")
		h.is("42B2", "4301")
		h.is("4A0100", "") // deselected: it waits for an idle one
		h.is("5401", "5527")
		h.write(ackHex)
		c.Take(id)
		c.Tap(pn532.Target{Card: &chip{}, B: true})
		h.is("4A010300", "4B01 01 50 01020304 00000000 0081C1 01 01")
		h.is("42BA01", "4300AB01")
		h.is("42B2", "4301") // without the identifier that it was given
		h.is("4401", "4500")
		h.is("42BA01", "4301")
		h.is("5401", "5500")
		h.is("42BA01", "4300AB01")
		c.TakeAll()
		h.is("42BA01", "4301")
		h.is("5401", "5501")
	})
}

// TestPace: the chip takes the time that a real one takes.
func TestPace(t *testing.T) {
	wired(t, pn532.Options{}, func(t *testing.T, h host, c *pn532.Chip) {
		c.Tap(pn532.Target{Card: &chip{}})
		for _, x := range []struct {
			cmd         string
			least, most time.Duration
		}{
			{"02", 2 * time.Millisecond, 5 * time.Millisecond},
			{"4A0100", 15 * time.Millisecond, 25 * time.Millisecond},
			{"4001 00A404000E325041592E5359532E444446303100", 15 * time.Millisecond, 30 * time.Millisecond},
		} {
			start := time.Now()
			h.send(x.cmd)
			if err := h.line.SetReadDeadline(start.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			head := make([]byte, 6+5) // acknowledgement, and the answer up to its length
			_, err := io.ReadFull(h.line, head)
			if err == nil {
				_, err = io.ReadFull(h.line, make([]byte, int(head[9])+2))
			}
			if err != nil {
				t.Fatalf("%s: % X, %v", x.cmd, head, err)
			}
			if took := time.Since(start); took < x.least || took > x.most {
				t.Errorf("%s took %v", x.cmd, took)
			}
		}
	})
}

// TestTrace: what the panel shows, and what it must not.
func TestTrace(t *testing.T) {
	const pan = "6217004815162342019"
	var all strings.Builder
	trace := func(e sim.Event) {
		all.WriteString(e.Source + " " + e.Dir + " " + e.Summary + "\n")
		for _, f := range e.Detail {
			all.WriteString("  " + f.Name + ": " + f.Value + "\n")
		}
	}
	wired(t, pn532.Options{Pace: &pn532.Pace{}, Trace: trace}, func(_ *testing.T, h host, c *pn532.Chip) {
		c.Tap(pn532.Target{Card: &chip{say: func([]byte) []byte {
			return dehex(t, "7030 570F"+pan+"D3012201123 5A0A"+pan+"F 9F1F0430313233 5F2009 5A48414E472053414E 9000")
		}}})
		h.send("4A0100")
		h.heard(time.Second)
		h.send("4001 00B2010C00")
		h.heard(time.Second)
		h.send("4001 0020008008241234FFFFFFFFFF")
		h.heard(time.Second)
		h.is("320100", "33")
		c.TakeAll()
	})
	text := all.String()
	for _, secret := range []string{pan, pan[6:15], "3012201123", "1234FFFF", "30313233"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the trace", secret)
		}
	}
	for _, want := range []string{
		"nfc  card of type A tapped", "nfc  field on", "nfc  card of type A activated", "nfc > READ RECORD SFI 1 record 1", "nfc < 9000 ok",
		"5A Application Primary Account Number (PAN): 621700*********2019", "nfc > VERIFY", "PIN block, masked", "nfc  field off", "nfc  card taken away",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the trace", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestFaultNames(t *testing.T) {
	c := pn532.New(pn532.Options{})
	for _, f := range c.Faults() {
		if err := c.SetFault(f, true); err != nil {
			t.Error(err)
		}
	}
	if err := c.SetFault("no such", true); err == nil {
		t.Error("a fault that there is not was switched on")
	}
	if c.Take(7) {
		t.Error("a card that was not there was taken away")
	}
}
