package ccid

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

var atrT1 = []byte{0x3B, 0xE0, 0x00, 0x00, 0x81, 0x31, 0x20, 0x45, 0x35} // IFSC 32

// b1 is a block in hex without NAD, LEN and LRC: "PCB INF".
func b1(t testing.TB, s string) []byte {
	b := dehex(t, s)
	return appendBlock(b[0], b[1:])
}

// blocks answers blocks in order: "PCB INF -> PCB INF". An answer of "mute" is none, "!" before it makes its LRC wrong. The exchange
// of S(IFS) that follows every reset is answered by itself.
func blocks(t *testing.T, text string) func(b []byte) []byte {
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
	first := true
	return func(b []byte) []byte {
		if first && bytes.Equal(b, appendBlock(sIFS, []byte{ifsd})) {
			first = false
			return b1(t, "E1FE")
		}
		if len(lines) == 0 {
			t.Errorf("unexpected % X", b)
			return nil
		}
		command, answer, _ := strings.Cut(lines[0], "->")
		lines = lines[1:]
		if want := b1(t, command); !bytes.Equal(b, want) {
			t.Errorf("sent % X, want % X", b, want)
		}
		answer = strings.TrimSpace(answer)
		if answer == "mute" {
			return nil
		}
		bad := strings.HasPrefix(answer, "!")
		out := b1(t, strings.TrimPrefix(answer, "!"))
		if bad {
			out[len(out)-1] ^= 1
		}
		return out
	}
}

func TestT1(t *testing.T) {
	get := "0084000008"
	long := "00A4040028" + strings.Repeat("5A", 40) // 45 bytes: two blocks of at most 32
	head, rest := long[:64], long[64:]
	longer := "00A404003C" + strings.Repeat("5A", 60) // 65 bytes
	for _, c := range []struct {
		name, apdu, script, want string
		err                      error
	}{
		{name: "one block each way", apdu: get, script: "00" + get + " -> 00 AABB9000", want: "AABB9000"},
		{name: "chain out", apdu: long, script: "20" + head + " -> 90 \n 40" + rest + " -> 00 9000", want: "9000"},
		{name: "chain in", apdu: get, script: "00" + get + " -> 20 AABB \n 90 -> 60 CCDD \n 80 -> 00 9000", want: "AABBCCDD9000"},
		{name: "more time", apdu: get, script: "00" + get + " -> C3 05 \n E3 05 -> C3 01 \n E3 01 -> 00 9000", want: "9000"},
		{name: "a smaller buffer in the middle of a chain", apdu: longer, script: "20" + longer[:64] + " -> C1 10 \n E1 10 -> 90 \n 60" + longer[64:96] + " -> 80 \n 20" + longer[96:128] + " -> 90 \n 40 5A -> 00 9000", want: "9000"},
		{name: "wrong LRC", apdu: get, script: "00" + get + " -> !00 AA9000 \n 81 -> 00 AA9000", want: "AA9000"},
		{name: "no answer", apdu: get, script: "00" + get + " -> mute \n 82 -> 00 9000", want: "9000"},
		{name: "card did not get it", apdu: get, script: "00" + get + " -> 81 \n 00" + get + " -> 00 9000", want: "9000"},
		{name: "card did not get the second of a chain", apdu: long, script: "20" + head + " -> 90 \n 40" + rest + " -> 91 \n 40" + rest + " -> 00 9000", want: "9000"},
		{name: "our acknowledgement lost", apdu: get, script: "00" + get + " -> 20 AA \n 90 -> mute \n 90 -> 40 9000", want: "AA9000"},
		{name: "the same block again", apdu: get, script: "00" + get + " -> 20 AA \n 90 -> 20 AA \n 90 -> 40 9000", want: "AA9000"},

		{name: "never an answer", apdu: get, script: "00" + get + " -> mute \n 82 -> mute \n 82 -> mute", err: ErrMute},
		{name: "always a wrong LRC", apdu: get, script: "00" + get + " -> !00 \n 81 -> !00 \n 81 -> !00", err: ErrProtocol},
		{name: "R-block storm", apdu: get, script: "00" + get + " -> 80 \n 00" + get + " -> 80 \n 00" + get + " -> 80", err: ErrProtocol},
		{name: "acknowledged but not chained", apdu: get, script: "00" + get + " -> 90 \n 82 -> 90 \n 82 -> 90", err: ErrProtocol},
		{name: "S(ABORT)", apdu: get, script: "00" + get + " -> C2", err: ErrProtocol},
		{name: "S(RESYNCH) from the card", apdu: get, script: "00" + get + " -> C0 \n 82 -> C0 \n 82 -> C0", err: ErrProtocol},
		{name: "IFS 00", apdu: get, script: "00" + get + " -> C1 00 \n 82 -> C1 FF \n 82 -> C1", err: ErrProtocol},
		{name: "time 00", apdu: get, script: "00" + get + " -> C3 00 \n 82 -> C3 00 \n 82 -> C3 00", err: ErrProtocol},
		{name: "time for ever", apdu: get, script: "00" + get + " -> C3 01" + strings.Repeat("\nE3 01 -> C3 01", maxWTX), err: ErrProtocol},
		// Book 1, 9.2.5: what is invalid, and what is done about it.
		{name: "9.2.5: I-block with a wrong N(S)", apdu: get, script: "00" + get + " -> 40 9000 \n 82 -> 00 9000", want: "9000"},
		{name: "9.2.5: I-block with RFU bits", apdu: get, script: "00" + get + " -> 01 9000 \n 82 -> 00 9000", want: "9000"},
		{name: "9.2.5: R-block with data", apdu: get, script: "00" + get + " -> 81 00 \n 82 -> 00 9000", want: "9000"},
		{name: "9.2.5: R-block with RFU bits", apdu: get, script: "00" + get + " -> A0 \n 82 -> 00 9000", want: "9000"},
		{name: "9.2.5: R-block of an unknown error", apdu: get, script: "00" + get + " -> 83 \n 82 -> 00 9000", want: "9000"},
		{name: "9.2.5: S(WTX response) that nobody asked for", apdu: get, script: "00" + get + " -> E3 01 \n 82 -> 00 9000", want: "9000"},
		{name: "9.2.5: S(IFS response) in the middle", apdu: get, script: "00" + get + " -> E1 FE \n 82 -> 00 9000", want: "9000"},
		{name: "9.2.5: S(WTX) of two bytes", apdu: get, script: "00" + get + " -> C3 0101 \n 82 -> 00 9000", want: "9000"},
		{name: "9.2.5: I-block before our chain is through", apdu: long, script: "20" + head + " -> 00 9000 \n 82 -> 90 \n 40" + rest + " -> 00 9000", want: "9000"},
		{name: "9.2.5: an R-block that gets no good answer is sent again as it was", apdu: get, script: "00" + get + " -> mute \n 82 -> !00 9000 \n 82 -> 00 9000", want: "9000"},
		{name: "9.2.5: silence after S(WTX response)", apdu: get, script: "00" + get + " -> C3 02 \n E3 02 -> mute \n 82 -> 00 9000", want: "9000"},
		{name: "9.2.5: silence after S(IFS response)", apdu: get, script: "00" + get + " -> C1 40 \n E1 40 -> mute \n 82 -> 00 9000", want: "9000"},
		{name: "9.2.5: two bad ones, then a chain: each block has three tries", apdu: get, script: "00" + get + " -> mute \n 82 -> mute \n 82 -> 20 AA \n 90 -> mute \n 90 -> mute \n 90 -> 40 9000", want: "AA9000"},
		{name: "9.2.5: three tries for a block of ours", apdu: long, script: "20" + head + " -> 80 \n 20" + head + " -> 81 \n 20" + head + " -> 80", err: ErrProtocol},
		{name: "9.2.5: three tries for an acknowledgement", apdu: get, script: "00" + get + " -> 20 AA \n 90 -> mute \n 90 -> !40 9000 \n 90 -> mute", err: ErrMute},
		{name: "9.2.5: S(ABORT) inside a chain", apdu: long, script: "20" + head + " -> C2", err: ErrProtocol},
		{name: "9.2.5: S(RESYNCH response) that nobody asked for", apdu: get, script: "00" + get + " -> E0 \n 82 -> E0 \n 82 -> E0", err: ErrProtocol},
		{name: "9.2.4: I-block with no data in a chain", apdu: get, script: "00" + get + " -> 20 \n 90 -> 40 9000", want: "9000"},
		{name: "9.2.4: S(IFS) 10 and FE are good", apdu: get, script: "00" + get + " -> C1 10 \n E1 10 -> C1 FE \n E1 FE -> 00 9000", want: "9000"},
		{name: "9.2.4: S(IFS) 0F", apdu: get, script: "00" + get + " -> C1 0F \n 82 -> 00 9000", want: "9000"},
		{name: "9.2.4: S(IFS) FF", apdu: get, script: "00" + get + " -> C1 FF \n 82 -> 00 9000", want: "9000"},
		{name: "255 times more time, then an answer", apdu: get, script: "00" + get + " -> C3 01" + strings.Repeat("\nE3 01 -> C3 01", maxWTX-1) + "\nE3 01 -> 00 9000", want: "9000"},
		{name: "258 bytes in two blocks", apdu: get, script: "00" + get + " -> 20" + strings.Repeat("AA", 254) + "\n 90 -> 40 BBBB9000", want: strings.Repeat("AA", 254) + "BBBB9000"},
		{name: "empty response", apdu: get, script: "00" + get + " -> 00", err: ErrProtocol},
		{name: "endless response", apdu: get, script: "00" + get + " -> 20" + strings.Repeat("AA", 254) + "\n 90 -> 60 0102030405", err: ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			tpdu := blocks(t, c.script)
			synctest.Test(t, func(t *testing.T) {
				r, _ := newFake(t, nil, card(dehex(t, "3BE00000813120 45 35"), tpdu))
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

// TestWaitingTime multiplies the reader's waiting time for the next block only (bBWI).
func TestWaitingTime(t *testing.T) {
	tpdu := blocks(t, "00 0084000000 -> C3 05 \n E3 05 -> !00 9000 \n 81 -> 00 9000")
	bubble(t, "", func(t *testing.T) {
		r, f := newFake(t, nil, card(atrT1, tpdu))
		chip, err := r.PowerOn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := chip.Transceive(t.Context(), dehex(t, "0084000000")); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for _, m := range f.heard {
			if m.typ == pcXfrBlock {
				got = append(got, m.b[0])
			}
		}
		if want := []byte{0, 0, 5, 0}; !bytes.Equal(got, want) {
			t.Errorf("bBWI % X, want % X", got, want)
		}
	})
}

// TestIFS has a card that answers S(IFS request) badly, or not at all.
func TestIFS(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []string
		err     error
	}{
		{"at the third try", []string{"", "00E101FE1F", "00E101FE1E"}, nil},
		{"another size", []string{"00E1012000", "00E10120C0", "00E10120C0"}, ErrProtocol},
		{"never", []string{"", "", ""}, ErrMute},
		{"resynchronised", []string{"00810081", "00820082", "00820082", "00E000E0", "00E101FE1E"}, nil},
		{"resynchronised at the third try", []string{"00810081", "00820082", "00820082", "", "00820082", "00E000E0", "00E101FE1E"}, nil},
		{"does not know S(RESYNCH)", []string{"00810081", "00820082", "00820082", "00820082", "00820082", "00820082"}, ErrProtocol},
		{"resynchronised, and still wrong", []string{"00810081", "00820082", "00820082", "00E000E0", "00820082", "00820082", "00820082"}, ErrProtocol},
	} {
		bubble(t, c.name, func(t *testing.T) {
			n := 0
			r, _ := newFake(t, nil, card(atrT1, func([]byte) []byte {
				n++
				if n > len(c.answers) || c.answers[n-1] == "" {
					return nil
				}
				return dehex(t, c.answers[n-1])
			}))
			if _, err := r.PowerOn(t.Context()); !errors.Is(err, c.err) {
				t.Errorf("%v, want %v", err, c.err)
			}
		})
	}
}

func FuzzT1(f *testing.F) {
	f.Add([]byte{5, 0, 0, 2, 0x90, 0x00, 5, 0, 0x40, 1, 0x90})
	f.Add([]byte{4, 0, 0x81, 0, 0x81, 5, 0, 0xC3, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			first := true
			r, _ := newFake(t, nil, card(atrT1, func([]byte) []byte {
				if first {
					first = false
					return b1(t, "E1FE")
				}
				if len(b) == 0 {
					return nil
				}
				size := min(int(b[0]), len(b)-1)
				out := append([]byte{}, b[1:1+size]...)
				b = b[1+size:]
				if len(out) > 2 { // a right LEN and LRC get the fuzzer further
					out[0], out[2] = 0, byte(len(out)-3)
					out = append(out, xor(out))
				}
				return out[:min(len(out), maxData)]
			}))
			chip, err := r.PowerOn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			out, err := chip.Transceive(t.Context(), []byte{0x00, 0x84, 0x00, 0x00, 0x00})
			if err == nil && (len(out) < 2 || len(out) > 258) || err != nil && !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrMute) {
				t.Fatalf("%d bytes, %v", len(out), err)
			}
		})
	})
}

// TestBlock: the prologue and epilogue of a block, Book 1, 9.2.1 to 9.2.3.
func TestBlock(t *testing.T) {
	good := append([]byte{0, 0x40, 254}, make([]byte, 254)...)
	long := append([]byte{0, 0x40, 255}, make([]byte, 255)...)
	for _, c := range []struct {
		name string
		b    []byte
		why  string
	}{
		{"I-block", []byte{0, 0, 2, 0x90, 0, 0x92}, ""},
		{"R-block", []byte{0, 0x80, 0, 0x80}, ""},
		{"254 bytes", append(good, xor(good)), ""},
		{"LEN FF", append(long, xor(long)), "LEN is FF"},
		{"empty", nil, "too short"},
		{"three bytes", []byte{0, 0, 0}, "too short"},
		{"LEN too big", []byte{0, 0, 3, 0x90, 0, 0x93}, "LEN does not fit"},
		{"LEN too small", []byte{0, 0, 1, 0x90, 0, 0x91}, "LEN does not fit"},
		{"LRC wrong by a bit", []byte{0, 0, 2, 0x90, 0, 0x93}, "wrong LRC"},
		{"NAD", []byte{0x12, 0, 2, 0x90, 0, 0x80}, "NAD is not 00"},
	} {
		_, err := parseBlock(c.b)
		if got := (*blockError)(nil); c.why == "" && err != nil || c.why != "" && (!errors.As(err, &got) || got.why != c.why) {
			t.Errorf("%s: %v, want %q", c.name, err, c.why)
		}
	}
}

func FuzzBlock(f *testing.F) {
	f.Add([]byte{0, 0, 2, 0x90, 0, 0x92})
	f.Add([]byte{0, 0xC1, 1, 0xFE, 0x3E})
	f.Add([]byte{0, 0x81, 0, 0x81})
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parseBlock(b)
		if err != nil {
			return
		}
		if again := appendBlock(k.pcb, k.inf); !bytes.Equal(again, b) {
			t.Fatalf("% X -> % X", b, again)
		}
	})
}
