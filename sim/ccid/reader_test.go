package ccid_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/sim/card"
	"posd/sim/ccid"
)

// TestTranscripts replays what libccid sent to a reader; the reader must answer each command as it did then.
func TestTranscripts(t *testing.T) {
	entries, err := transcripts.ReadDir("testdata")
	if err != nil || len(entries) < 4 {
		t.Fatalf("%d transcripts, %v", len(entries), err)
	}
	for _, e := range entries {
		t.Run(e.Name(), func(t *testing.T) {
			text, err := transcripts.ReadFile("testdata/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			profile, name, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(e.Name(), "libccid-"), ".txt"), "-")
			if !ok {
				t.Fatal(e.Name())
			}
			c, err := card.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			r := ccid.New(ccid.Options{Profile: ccid.Profile(profile), Pace: &ccid.Pace{}})
			r.Insert(0, c)
			h := connect(t, r)
			n := 0
			for _, l := range strings.Split(strings.TrimSpace(string(text)), "\n") {
				if hex, ok := strings.CutPrefix(l, "> "); ok {
					h.write(dehex(t, hex))
					continue
				}
				want := dehex(t, strings.TrimPrefix(l, "< "))
				if got := h.read(len(want)); !bytes.Equal(got, want) {
					t.Fatalf("answer %d: % X, want % X", n, got, want)
				}
				n++
			}
			if n < 50 {
				t.Errorf("only %d answers", n)
			}
		})
	}
}

// TestCommands goes through the commands and their refusals.
func TestCommands(t *testing.T) {
	r := ccid.New(ccid.Options{Pace: &ccid.Pace{}, Firmware: "V9"})
	h := connect(t, r)
	check := func(what string, status, code byte, out []byte, wantStatus, wantCode byte, want string) {
		t.Helper()
		if status != wantStatus || code != wantCode || !bytes.Equal(out, []byte(want)) {
			t.Errorf("%s: status %02X, error %02X, % X", what, status, code, out)
		}
	}
	do := func(what string, wantStatus, wantCode byte, want string, typ, slot byte, data ...byte) {
		t.Helper()
		s, e, out := h.do(typ, slot, data...)
		check(what, s, e, out, wantStatus, wantCode, want)
	}
	do("status of an empty slot", 0x02, 0, "", 0x65, 0)
	do("power on an empty slot", 0x42, 0xFE, "", 0x62, 0)
	do("block to an empty slot", 0x42, 0xFE, "", 0x6F, 0, 0, 0xA4, 4, 0, 0)
	do("slot 5 of five", 0x42, 0x05, "", 0x65, 5)
	do("firmware", 0x02, 0, "V9", 0x6B, 0, 0x02)
	do("unknown escape", 0x42, 0, "", 0x6B, 0, 0x77)
	do("secure", 0x42, 0, "", 0x69, 0, 0, 0)
	do("unknown command", 0x42, 0, "", 0x73, 0)

	c := &chip{atr: t0ATR, say: func([]byte) []byte { return []byte{0x90, 0x00} }}
	r.Insert(0, c)
	r.Insert(3, c)
	do("status", 0x01, 0, "", 0x65, 0)
	do("status of slot 3", 0x01, 0, "", 0x65, 3)
	do("block without power", 0x41, 0xFE, "", 0x6F, 0, 0, 0xA4, 4, 0, 0)
	do("parameters without power", 0x41, 0xFE, "", 0x61, 0, 0x11, 0, 0, 10, 0)
	do("cold reset", 0x00, 0, string(t0ATR), 0x62, 0)
	do("warm reset", 0x00, 0, string(t0ATR), 0x62, 0)
	if c.resets != 2 || !r.Powered(0) || r.Powered(3) {
		t.Errorf("%d resets, power %v %v", c.resets, r.Powered(0), r.Powered(3))
	}
	do("parameters", 0x00, 0, "\x11\x00\x00\x0A\x00", 0x61, 0, 0x11, 0, 0, 10, 0)
	do("parameters of a wrong length", 0x40, 1, "", 0x61, 0, 0x11)
	do("get parameters", 0x00, 0, "\x11\x00\x00\x0A\x00", 0x6C, 0)
	do("PPS", 0x00, 0, "\xFF\x10\x11\xFE", 0x6F, 0, 0xFF, 0x10, 0x11, 0xFE)
	do("empty block", 0x40, 1, "", 0x6F, 0)
	do("short TPDU", 0x40, 0xF4, "", 0x6F, 0, 0, 0xA4)
	do("TPDU that lies about its length", 0x40, 0xF4, "", 0x6F, 0, 0, 0xA4, 4, 0, 9, 1, 2)
	do("block", 0x00, 0, "\x90\x00", 0x6F, 0, 0, 0xA4, 4, 0, 0)
	do("power off", 0x01, 0, "", 0x63, 0)
	if r.Powered(0) {
		t.Error("still powered")
	}
	if !r.Remove(0) || r.Remove(0) || r.Remove(99) || r.Inserted(0) || !r.Inserted(3) {
		t.Error("Remove does not say what it did")
	}
	do("status after removal", 0x02, 0, "", 0x65, 0)
}

// TestT0 is the card's side of T=0.
func TestT0(t *testing.T) {
	ran := 0
	answers := map[byte][]byte{
		0xA4: dehex(t, "6F0102 9000"), 0xB2: dehex(t, "70020304 9000"), 0xA8: dehex(t, "6A81"), 0x82: dehex(t, "9000"),
		0xA5: dehex(t, "6F0102 6283"), 0xCA: append(make([]byte, 256), 0x90, 0x00),
	}
	c := &chip{atr: t0ATR, say: func(apdu []byte) []byte { ran++; return answers[apdu[1]] }}
	r := ccid.New(ccid.Options{Pace: &ccid.Pace{}})
	r.Insert(0, c)
	h := connect(t, r)
	h.do(0x62, 0)
	for _, e := range []struct {
		tpdu, want string
		ran        int
	}{
		{"00A4040001AA", "6103", 1},
		{"00C0000003", "6F01029000", 1},
		{"00C0000003", "6D00", 2}, // nothing waits any more: the card is asked
		{"00A4040001AA", "6103", 3},
		{"00C0000000", "6C03", 3},
		{"00C0000002", "6F016101", 3},
		{"00C0000001", "029000", 3},
		{"00A5040001AA", "6283", 4},
		{"00C0000000", "6C03", 4},
		{"00C0000003", "6F01029000", 4},
		{"00B2010C00", "6C04", 5},
		{"00B2010C04", "700203049000", 5}, // not carried out twice
		{"00B2010C00", "6C04", 6},
		{"00B2020C04", "700203049000", 7}, // another record
		{"00B2010C02", "6C04", 8},
		{"00A80000", "6A81", 9},
		{"0082000002AABB", "9000", 10},
		{"80CA9F3600", strings.Repeat("00", 256) + "9000", 11},
	} {
		if e.tpdu == "00C0000003" && e.want == "6D00" {
			answers[0xC0] = dehex(t, "6D00")
		}
		s, code, out := h.do(0x6F, 0, dehex(t, e.tpdu)...)
		if s != 0 || code != 0 || !bytes.Equal(out, dehex(t, e.want)) || ran != e.ran {
			t.Errorf("%s: %02X %02X % X, ran %d; want %s, %d", e.tpdu, s, code, out, ran, e.want, e.ran)
		}
	}
}

// TestT1 is the card's side of T=1.
func TestT1(t *testing.T) {
	atr := dehex(t, "3BE500008131FE45706F736431D7")
	long := bytes.Repeat([]byte{0xAB}, 100)
	ran := 0
	c := &chip{atr: atr, say: func(apdu []byte) []byte { ran++; return append(slices.Clone(long), 0x90, 0x00) }}
	r := ccid.New(ccid.Options{Pace: &ccid.Pace{}})
	r.Insert(0, c)
	h := connect(t, r)
	h.do(0x62, 0)
	block := func(pcb byte, inf ...byte) []byte {
		b := append([]byte{0, pcb, byte(len(inf))}, inf...)
		var x byte
		for _, v := range b {
			x ^= v
		}
		return append(b, x)
	}
	bad := block(0x00, 1, 2, 3)
	bad[6] ^= 1
	for i, e := range []struct{ send, want []byte }{
		{block(0xC1, 64), block(0xE1, 64)}, // 64 bytes at a time, please
		{bad, block(0x81)},
		{[]byte{0, 0, 9, 9}, block(0x82)},
		{block(0x40, 1, 2, 3, 4), block(0x82)}, // N(S) is wrong
		{block(0x20, 0x00, 0x84), block(0x90)}, // chained
		{block(0x40, 0x00, 0x00, 0x00), block(0x20, long[:64]...)},
		{block(0x81), block(0x20, long[:64]...)}, // again
		{block(0x00, 0x00, 0x84), block(0x82)},   // not now
		{block(0x90), block(0x40, append(slices.Clone(long[64:]), 0x90, 0x00)...)},
		{block(0x92), block(0x40, append(slices.Clone(long[64:]), 0x90, 0x00)...)},
		{block(0x00, 0x00, 0x84, 0x00, 0x00, 0x00), block(0x20, long[:64]...)},
		{block(0xC0), block(0xE0)},
		{block(0xC2), block(0xE2)},
	} {
		if _, _, out := h.do(0x6F, 0, e.send...); !bytes.Equal(out, e.want) {
			t.Fatalf("step %d: % X -> % X, want % X", i, e.send, out, e.want)
		}
	}
	if ran != 2 {
		t.Errorf("the card ran %d commands, want 2", ran)
	}
}

// TestLine is about bytes that are no frames.
func TestLine(t *testing.T) {
	nak := []byte{0x03, 0x15, 0x16}
	r := ccid.New(ccid.Options{Pace: &ccid.Pace{}})
	h := connect(t, r)
	f := h.frame(0x65, 0, [3]byte{})
	bad := slices.Clone(f)
	bad[len(bad)-1] ^= 1
	h.write(bad)
	if got := h.read(3); !bytes.Equal(got, nak) {
		t.Fatalf("wrong LRC: % X", got)
	}
	h.write(append([]byte{0xFF, 0x00, 0x41}, f...))
	first := h.answer()
	h.write(nak)
	if again := h.answer(); !bytes.Equal(again, first) {
		t.Errorf("NAK: % X, want % X again", again, first)
	}
	h.write([]byte{0x03, 0x06, 0x65, 0xFF, 0xFF, 0, 0})
	if got := h.read(3); !bytes.Equal(got, nak) {
		t.Fatalf("length FFFF: % X", got)
	}
	for i := range f { // byte by byte
		h.write(f[i : i+1])
	}
	h.answer()
}

// TestHalfFrame leaves a frame unfinished: the reader forgets it.
func TestHalfFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := connect(t, ccid.New(ccid.Options{Pace: &ccid.Pace{}}))
		f := h.frame(0x65, 0, [3]byte{})
		h.write(f[:9])
		time.Sleep(time.Second)
		h.write(f)
		h.answer()
	})
}

// TestFaults switches each fault on and looks at the line.
func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ccid.New(ccid.Options{})
		h := connect(t, r)
		ran := 0
		c := &chip{atr: t0ATR, say: func([]byte) []byte { ran++; return []byte{0x90, 0x00} }}
		r.Insert(0, c)
		if err := r.SetFault("no such fault", true); err == nil {
			t.Error("unknown fault taken")
		}
		set := func(name string, on bool) {
			t.Helper()
			if !slices.Contains(r.Faults(), name) {
				t.Errorf("%s is not listed", name)
			}
			if err := r.SetFault(name, on); err != nil {
				t.Error(err)
			}
		}
		power := func() (byte, byte) { s, e, _ := h.do(0x62, 0); return s, e }
		selectAll := []byte{0, 0xA4, 4, 0, 0}

		set(ccid.FaultMute, true)
		if s, e := power(); s != 0x41 || e != 0xFE {
			t.Errorf("mute: %02X %02X", s, e)
		}
		set(ccid.FaultMute, false)
		set(ccid.FaultBadATR, true)
		if _, _, atr := h.do(0x62, 0); len(atr) == 0 || atr[0] != 0 {
			t.Errorf("bad ATR: % X", atr)
		}
		set(ccid.FaultBadATR, false)
		power()

		set(ccid.FaultMute, true)
		if s, e, _ := h.do(0x6F, 0, selectAll...); s != 0x40 || e != 0xFE || ran != 0 {
			t.Errorf("mute: %02X %02X", s, e)
		}
		set(ccid.FaultMute, false)

		set(ccid.FaultSlow, true)
		h.write(h.frame(0x6F, 0, [3]byte{}, selectAll...))
		start := time.Now()
		if got := h.read(2); got[0] < 0x80 || got[1] < 0x80 {
			t.Errorf("slow: % X", got)
		}
		h.answer()
		if time.Since(start) < 500*time.Millisecond {
			t.Errorf("slow took %v", time.Since(start))
		}
		set(ccid.FaultSlow, false)

		set(ccid.FaultNAK, true)
		h.write(h.frame(0x65, 0, [3]byte{}))
		if got := h.read(3); !bytes.Equal(got, []byte{0x03, 0x15, 0x16}) {
			t.Errorf("NAK: % X", got)
		}
		h.do(0x65, 0) // only once

		set(ccid.FaultGarbage, true)
		h.write(h.frame(0x65, 0, [3]byte{}))
		if got := h.read(5 + 13 + 2); bytes.HasPrefix(got, []byte{0x03, 0x06}) || !bytes.Contains(got, []byte{0x03, 0x06, 0x81}) {
			t.Errorf("garbage: % X", got)
		}
		set(ccid.FaultGarbage, false)

		for _, name := range []string{ccid.FaultBadLRC, ccid.FaultLRCOnce} {
			set(name, true)
			h.write(h.frame(0x65, 0, [3]byte{}))
			var x byte
			for _, b := range h.read(13) {
				x ^= b
			}
			if x == 0 {
				t.Errorf("%s: LRC is right", name)
			}
			set(name, false)
		}

		ran = 0
		set(ccid.FaultTear, true)
		if s, e, _ := h.do(0x6F, 0, selectAll...); s != 0x42 || e != 0xFE || ran != 0 || r.Inserted(0) {
			t.Errorf("torn before: %02X %02X, ran %d", s, e, ran)
		}
		for _, c := range []struct {
			after bool
			ran   int
		}{{false, 2}, {true, 3}} {
			ran = 0
			r.Insert(0, &chip{atr: t0ATR, say: func([]byte) []byte { ran++; return []byte{0x90, 0x00} }})
			power()
			r.TearAt(3, c.after)
			for i := range 3 {
				s, _, _ := h.do(0x6F, 0, selectAll...)
				if want := i == 2; (s == 0x42) != want {
					t.Errorf("exchange %d: status %02X", i+1, s)
				}
			}
			if ran != c.ran {
				t.Errorf("after=%v: ran %d, want %d", c.after, ran, c.ran)
			}
		}

		set(ccid.FaultDead, true)
		h.write(h.frame(0x65, 0, [3]byte{}))
		if err := h.line.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if n, err := h.line.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Error("a dead reader spoke")
		}
	})
}

// TestSwap takes the card out and puts another in while the first works.
func TestSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ccid.New(ccid.Options{})
		h := connect(t, r)
		first := &chip{atr: t0ATR, say: func([]byte) []byte { t.Error("the first card answered"); return nil }}
		second := &chip{atr: t0ATR, say: func([]byte) []byte { t.Error("the second card answered"); return nil }}
		r.Insert(0, first)
		h.do(0x62, 0)
		h.write(h.frame(0x6F, 0, [3]byte{}, 0, 0x84, 0, 0, 8))
		time.Sleep(10 * time.Millisecond)
		r.Remove(0)
		r.Insert(0, second)
		if a := h.answer(); a[7] != 0x41 {
			t.Errorf("status %02X, want 41", a[7])
		}
	})
}

// TestTwin echoes commands and tells of card movements between echo and answer, once it was asked to.
func TestTwin(t *testing.T) {
	r := ccid.New(ccid.Options{Profile: ccid.GemPCTwin, Pace: &ccid.Pace{}})
	h := connect(t, r)
	status := func() []byte {
		f := h.frame(0x65, 0, [3]byte{})
		h.write(f)
		if echo := h.read(len(f)); !bytes.Equal(echo, f) {
			t.Fatalf("echo % X", echo)
		}
		return f
	}
	status()
	h.answer()
	f := h.frame(0x6B, 0, [3]byte{}, 1, 1, 1)
	h.write(f)
	h.read(len(f))
	h.answer()
	r.Insert(0, &chip{atr: t0ATR})
	status()
	if got := h.read(2); !bytes.Equal(got, []byte{0x50, 0x03}) {
		t.Fatalf("insertion: % X", got)
	}
	h.answer()
	r.Remove(0)
	status()
	if got := h.read(2); !bytes.Equal(got, []byte{0x50, 0x02}) {
		t.Fatalf("removal: % X", got)
	}
	h.answer()
	status()
	h.answer()
}

// TestPace measures the real pace.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ccid.New(ccid.Options{})
		h := connect(t, r)
		r.Insert(0, &chip{atr: t0ATR, say: func([]byte) []byte { return []byte{0x90, 0x00} }})
		h.do(0x62, 0)
		start := time.Now()
		h.do(0x6F, 0, 0, 0x84, 0, 0, 0)
		want := ccid.RealPace.APDU + 15*ccid.RealPace.Byte
		if d := time.Since(start); d != want {
			t.Errorf("an APDU took %v, want %v", d, want)
		}
	})
}

// TestServe ends with its context and with its line, and can be called again.
func TestServe(t *testing.T) {
	r := ccid.New(ccid.Options{Pace: &ccid.Pace{}})
	r.Insert(0, &chip{atr: t0ATR})
	a, b := net.Pipe()
	defer a.Close()
	for range 2 {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- r.Serve(ctx, b) }()
		h := &host{t: t, line: a}
		if s, _, _ := h.do(0x65, 0); s != 0x01 {
			t.Fatalf("status %02X: the card kept its power over a restart", s)
		}
		h.do(0x62, 0)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
	done := make(chan error, 1)
	go func() { done <- r.Serve(context.Background(), b) }()
	a.Close()
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Errorf("line gone: %v", err)
	}
}
