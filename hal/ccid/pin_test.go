package ccid

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal"
	"posd/vault"
)

// secureWant is PC_to_RDR_Secure for EMV's VERIFY from bPINOperation on (CCID 6.1.11), %T being bTimeOut and %P bTeoPrologue.
const secureWant = "00 %T 89 47 04 0C04 02 01 0904 00 %P 0020008008 20FFFFFFFFFFFFFF"

func want(t testing.TB, timeout, prologue string) []byte {
	return dehex(t, strings.NewReplacer("%T", timeout, "%P", prologue).Replace(secureWant))
}

// keypad is a fake reader with a card in it; enter answers Secure and the extension's Escape. abort may be nil.
func keypad(atr []byte, tpdu, enter, abort func(m message) []byte) func(m message) []byte {
	good := card(atr, func(b []byte) []byte { return tpdu(message{data: b}) })
	return func(m message) []byte {
		switch {
		case m.typ == pcSecure, m.pin():
			return enter(m)
		case m.typ == pcAbort && abort != nil:
			return abort(m)
		}
		return good(m)
	}
}

var key1024 = append(append([]byte{0xC1}, bytes.Repeat([]byte{0x5A}, 126)...), 0x01)

func cipher() *vault.CardPINCipher {
	return &vault.CardPINCipher{Modulus: key1024, Exponent: []byte{3}, Challenge: []byte{1, 2, 3, 4, 5, 6, 7, 8}}
}

// TestVerifyPIN: every end of a PIN entry at a T=0 card.
func TestVerifyPIN(t *testing.T) {
	data := func(hex string) func(m message) []byte {
		return func(m message) []byte { return answer(m, 0, 0, dehex(t, hex)...) }
	}
	failed := func(status, code byte) func(m message) []byte {
		return func(m message) []byte { return answer(m, status, code) }
	}
	for _, c := range []struct {
		name  string
		enter func(m message) []byte
		sw    uint16
		err   error
		lives bool // the card can still be talked to
	}{
		{"right", data("9000"), 0x9000, nil, true},
		{"wrong, two tries left", data("63C2"), 0x63C2, nil, true},
		{"wrong, the last one", data("63C0"), 0x63C0, nil, true},
		{"blocked", data("6983"), 0x6983, nil, true},
		{"CCID 6.2.6: cancelled", failed(0x40, 0xEF), 0, vault.ErrPINCancelled, true},
		{"CCID 6.2.6: timed out", failed(0x40, 0xF0), 0, vault.ErrPINTimeout, true},
		{"PC/SC 10: timed out", data("6400"), 0, vault.ErrPINTimeout, true},
		{"PC/SC 10: cancelled", data("6401"), 0, vault.ErrPINCancelled, true},
		{"PC/SC 10: too short", data("6403"), 0, vault.ErrPINBypassed, true},
		{"not supported", failed(0x40, 0x00), 0, vault.ErrPad, false},
		{"a field refused", failed(0x40, 15), 0, vault.ErrPad, false},
		{"keypad broken", failed(0x40, 0xFB), 0, vault.ErrPad, false},
		{"card removed", failed(0x42, 0xFE), 0, ErrCardRemoved, false},
		{"card removed and put back", failed(0x41, 0xFE), 0, ErrCardRemoved, false},
		{"card mute", failed(0x40, 0xFE), 0, ErrMute, false},
		{"parity", failed(0x40, 0xFD), 0, ErrProtocol, false},
		{"no status", data("90"), 0, ErrProtocol, false},
		{"data behind VERIFY", data("AA9000"), 0, ErrProtocol, false},
		{"61 to VERIFY", data("6101"), 0, ErrProtocol, false},
		{"6C to VERIFY", data("6C08"), 0, ErrProtocol, false},
		{"a status that is none", data("1234"), 0, ErrProtocol, false},
		{"answer with a bad LRC", func(m message) []byte { b := answer(m, 0, 0, 0x90, 0x00); b[len(b)-1] ^= 1; return b }, 0, vault.ErrPad, false},
		{"line lost", func(message) []byte { return unplug }, 0, hal.ErrUnplugged, false},
		{"time extensions, then right", func(m message) []byte {
			return slices.Concat(answer(m, 0x80, 1), []byte{0x80}, answer(m, 0x80, 1, 2), answer(m, 0, 0, 0x90, 0x00))
		}, 0x9000, nil, true},
		{"NAK once", func() func(m message) []byte {
			n := 0
			return func(m message) []byte {
				if n++; n == 1 {
					return []byte{0x03, 0x15, 0x16}
				}
				return answer(m, 0, 0, 0x90, 0x00)
			}
		}(), 0x9000, nil, true},
	} {
		bubble(t, c.name, func(t *testing.T) {
			r, f := newFake(t, &Opts{Profile: GemPCPinPad}, keypad(goodATR, func(message) []byte { return []byte{0x90, 0x00} }, c.enter, nil))
			chip, err := r.PowerOn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			sw, err := r.VerifyPIN(t.Context(), vault.CardPIN{Timeout: 30 * time.Second})
			if sw != c.sw || !errors.Is(err, c.err) {
				t.Errorf("%04X, %v; want %04X, %v", sw, err, c.sw, c.err)
			}
			if errors.Is(err, vault.ErrPad) && errors.Is(err, ErrCardRemoved) {
				t.Errorf("%v says two things", err)
			}
			_, err = chip.Transceive(t.Context(), []byte{0x80, 0xCA, 0x9F, 0x17, 0})
			if (err == nil) != c.lives || err != nil && !errors.Is(err, ErrCardRemoved) {
				t.Errorf("the card after it: %v", err)
			}
			if c.err == hal.ErrUnplugged {
				return
			}
			if _, err := r.PowerOn(t.Context()); err != nil {
				t.Errorf("the next customer: %v", err)
			}
			synctest.Wait()
			for _, m := range f.heard {
				if m.typ == pcSecure && !bytes.Equal(m.data, want(t, "1E", "000000")) {
					t.Errorf("Secure % X", m.data)
				}
			}
		})
	}
}

// TestSecureFrame: what pcscd logged of libccid 1.5.2, when it was asked for such a PIN at a T=0 card and, twice, at a T=1 card.
func TestSecureFrame(t *testing.T) {
	for _, c := range []struct {
		seq      byte
		prologue [3]byte
		libccid  string
	}{
		{0x12, [3]byte{}, "0306691C00000000120000 00001E8947040C0402010904000000000020008008 20FFFFFFFFFFFFFF C7"},
		{0x12, [3]byte{0, 0x00, 0x0D}, "0306691C00000000120000 00001E8947040C04020109040000000D0020008008 20FFFFFFFFFFFFFF CA"},
		{0x13, [3]byte{0, 0x40, 0x0D}, "0306691C00000000130000 00001E8947040C04020109040000400D0020008008 20FFFFFFFFFFFFFF 8B"},
	} {
		m := message{typ: pcSecure, seq: c.seq, data: securePlain(30, c.prologue)}
		if got, want := m.appendFrame(nil), dehex(t, c.libccid); !bytes.Equal(got, want) {
			t.Errorf("% X, libccid % X", got, want)
		}
	}
}

// TestEntryTime: bTimeOut is in whole seconds, one byte, and never zero, which would be the reader's own time.
func TestEntryTime(t *testing.T) {
	for _, c := range []struct {
		ask  time.Duration
		want byte
	}{{0, 60}, {-1, 60}, {time.Millisecond, 1}, {time.Second, 1}, {1001 * time.Millisecond, 2}, {254 * time.Second, 254}, {time.Hour, 255}} {
		bubble(t, c.ask.String(), func(t *testing.T) {
			r, f := newFake(t, &Opts{Profile: GemPCPinPad}, keypad(goodATR, nil, func(m message) []byte { return answer(m, 0, 0, 0x90, 0) }, nil))
			if _, err := r.PowerOn(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := r.VerifyPIN(t.Context(), vault.CardPIN{Timeout: c.ask}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := f.heard[len(f.heard)-1].data[1]; got != c.want {
				t.Errorf("%d s, want %d", got, c.want)
			}
		})
	}
}

// TestVerifyPINT1: the reader puts the driver's prologue before the command; what follows is the driver's again (Book 1, 9.2).
func TestVerifyPINT1(t *testing.T) {
	for _, c := range []struct {
		name, enter string // answer to Secure: a block "PCB INF", "raw HEX" or "mute"
		script      string // what follows
		sw          uint16
		err         error
	}{
		{"right", "00 9000", "40 80CA9F1700 -> 40 9000", 0x9000, nil},
		{"wrong", "00 63C1", "40 80CA9F1700 -> 40 9000", 0x63C1, nil},
		{"more time, as the Swiss health card wants", "C3 09", "E3 09 -> 00 9000 \n 40 80CA9F1700 -> 40 9000", 0x9000, nil},
		{"wrong LRC", "! 00 9000", "81 -> 00 9000 \n 40 80CA9F1700 -> 40 9000", 0x9000, nil},
		{"mute, then it says it again", "mute", "82 -> 00 9000 \n 40 80CA9F1700 -> 40 9000", 0x9000, nil},
		{"answer in a chain", "20 90", "90 -> 40 00 \n 40 80CA9F1700 -> 00 9000", 0x9000, nil},
		{"the reader's cancel", "raw 6401", "00 80CA9F1700 -> 00 9000", 0, vault.ErrPINCancelled},
		{"the reader's time-out", "raw 6400", "00 80CA9F1700 -> 00 9000", 0, vault.ErrPINTimeout},
		{"too short", "raw 6403", "00 80CA9F1700 -> 00 9000", 0, vault.ErrPINBypassed},
		{"a card's 6401 is a card's", "00 6A88", "40 80CA9F1700 -> 40 9000", 0x6A88, nil},
		{"some other status of the reader", "raw 9000", "", 0, vault.ErrPad},
		{"card did not get it: nobody has the PIN any more", "81", "", 0, ErrProtocol},
		{"always a wrong LRC", "! 00 9000", "81 -> !00 \n 81 -> !00", 0, ErrProtocol},
		{"abort", "C2", "", 0, ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			tpdu := blocks(t, c.script)
			synctest.Test(t, func(t *testing.T) {
				r, f := newFake(t, &Opts{Profile: GemPCPinPad}, keypad(atrT1, func(m message) []byte { return tpdu(m.data) }, func(m message) []byte {
					say := c.enter
					if say == "mute" {
						return answer(m, 0x40, 0xFE)
					}
					if raw, ok := strings.CutPrefix(say, "raw "); ok {
						return answer(m, 0, 0, dehex(t, raw)...)
					}
					bad := strings.HasPrefix(say, "!")
					b := b1(t, strings.TrimPrefix(say, "!"))
					if bad {
						b[len(b)-1] ^= 1
					}
					return answer(m, 0, 0, b...)
				}, nil))
				chip, err := r.PowerOn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				sw, err := r.VerifyPIN(t.Context(), vault.CardPIN{Timeout: time.Second})
				if sw != c.sw || !errors.Is(err, c.err) {
					t.Errorf("%04X, %v; want %04X, %v", sw, err, c.sw, c.err)
				}
				if _, err = chip.Transceive(t.Context(), dehex(t, "80CA9F1700")); (err == nil) != strings.Contains(c.script, "80CA") {
					t.Errorf("the card after it: %v", err)
				}
				synctest.Wait()
				for _, m := range f.heard {
					if m.typ == pcSecure && !bytes.Equal(m.data, want(t, "01", "00000D")) {
						t.Errorf("Secure % X", m.data)
					}
				}
			})
		})
	}
}

// TestVerifyEnciphered: the bytes of the extension, its answers, and what is not even asked for.
func TestVerifyEnciphered(t *testing.T) {
	for _, c := range []struct {
		name string
		say  func(m message) []byte
		sw   uint16
		err  error
	}{
		{"right", func(m message) []byte { return answer(m, 0, 0, 0x90, 0x00) }, 0x9000, nil},
		{"wrong", func(m message) []byte { return answer(m, 0, 0, 0x63, 0xC2) }, 0x63C2, nil},
		{"cancelled", func(m message) []byte { return answer(m, 0x40, 0xEF) }, 0, vault.ErrPINCancelled},
		{"timed out", func(m message) []byte { return answer(m, 0x40, 0xF0) }, 0, vault.ErrPINTimeout},
		{"bypassed", func(m message) []byte { return answer(m, 0x40, 0x81) }, 0, vault.ErrPINBypassed},
		{"a firmware without it", func(m message) []byte { return answer(m, 0x40, 0x00) }, 0, vault.ErrPad},
		{"empty answer", func(m message) []byte { return answer(m, 0, 0) }, 0, ErrProtocol},
		{"card gone", func(m message) []byte { return answer(m, 0x42, 0xFE) }, 0, ErrCardRemoved},
		{"answer lost", func(m message) []byte { b := answer(m, 0, 0, 0x90, 0); b[5] ^= 1; return b }, 0, vault.ErrPad},
	} {
		bubble(t, c.name, func(t *testing.T) {
			r, f := newFake(t, &Opts{Profile: PosdPINPad}, keypad(goodATR, nil, c.say, nil))
			if _, err := r.PowerOn(t.Context()); err != nil {
				t.Fatal(err)
			}
			sw, err := r.VerifyPIN(t.Context(), vault.CardPIN{Timeout: 30 * time.Second, Cipher: cipher()})
			if sw != c.sw || !errors.Is(err, c.err) {
				t.Errorf("%04X, %v; want %04X, %v", sw, err, c.sw, c.err)
			}
			synctest.Wait()
			asked := 0
			for _, m := range f.heard {
				if m.pin() {
					asked++
					if want := append(dehex(t, "F0 01 1E 4C 03 0102030405060708"), key1024...); !bytes.Equal(m.data, want) {
						t.Errorf("Escape % X", m.data)
					}
				}
			}
			if asked != 1 {
				t.Errorf("asked %d times: a PIN must not be asked for twice", asked)
			}
		})
	}
	for _, c := range []struct {
		name   string
		change func(c *vault.CardPINCipher)
		ok     bool
	}{
		{"2^16+1", func(c *vault.CardPINCipher) { c.Exponent = []byte{1, 0, 1} }, true},
		{"248 bytes, the most", func(c *vault.CardPINCipher) {
			c.Modulus = slices.Concat(key1024[:127], bytes.Repeat([]byte{0x01}, 121))
		}, true},
		{"249 bytes", func(c *vault.CardPINCipher) {
			c.Modulus = slices.Concat(key1024[:127], bytes.Repeat([]byte{0x01}, 122))
		}, false},
		{"64 bytes", func(c *vault.CardPINCipher) { c.Modulus = slices.Concat(key1024[:63], []byte{1}) }, true},
		{"63 bytes", func(c *vault.CardPINCipher) { c.Modulus = slices.Concat(key1024[:62], []byte{1}) }, false},
		{"no modulus", func(c *vault.CardPINCipher) { c.Modulus = nil }, false},
		{"top bit 0", func(c *vault.CardPINCipher) { c.Modulus = append([]byte{0x7F}, key1024[1:]...) }, false},
		{"even", func(c *vault.CardPINCipher) { c.Modulus = append(bytes.Clone(key1024[:127]), 2) }, false},
		{"exponent 0", func(c *vault.CardPINCipher) { c.Exponent = []byte{0} }, false},
		{"exponent 5", func(c *vault.CardPINCipher) { c.Exponent = []byte{5} }, false},
		{"no exponent", func(c *vault.CardPINCipher) { c.Exponent = nil }, false},
		{"challenge of 7 bytes", func(c *vault.CardPINCipher) { c.Challenge = make([]byte, 7) }, false},
		{"no challenge", func(c *vault.CardPINCipher) { c.Challenge = nil }, false},
	} {
		q := cipher()
		c.change(q)
		data, err := encipher(30, q)
		if c.ok != (err == nil) || err != nil && !errors.Is(err, vault.ErrPad) {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(data) > maxData {
			t.Errorf("%s: %d bytes do not fit", c.name, len(data))
		}
	}
}

// TestVerifyPINRefused: what the reader cannot do is refused before anything is sent.
func TestVerifyPINRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Opts
		q    vault.CardPIN
		off  bool // the card has no power
		err  error
	}{
		{"no keypad", Opts{Profile: GemCorePOSPro}, vault.CardPIN{}, false, vault.ErrPad},
		{"no keypad either", Opts{Profile: GemPCTwin}, vault.CardPIN{}, false, vault.ErrPad},
		{"plain only", Opts{Profile: GemPCPinPad}, vault.CardPIN{Cipher: cipher()}, false, vault.ErrPad},
		{"the board says plain", Opts{Profile: PosdPINPad, PIN: PINPlain}, vault.CardPIN{Cipher: cipher()}, false, vault.ErrPad},
		{"the board says none", Opts{Profile: PosdPINPad, PIN: PINNone}, vault.CardPIN{}, false, vault.ErrPad},
		{"no card", Opts{Profile: GemPCPinPad}, vault.CardPIN{}, true, ErrCardRemoved},
	} {
		bubble(t, c.name, func(t *testing.T) {
			r, f := newFake(t, &c.o, keypad(goodATR, nil, func(m message) []byte { return answer(m, 0, 0, 0x90, 0) }, nil))
			if _, err := r.PowerOn(t.Context()); err != nil {
				t.Fatal(err)
			}
			if c.off {
				if err := r.PowerOff(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if sw, err := r.VerifyPIN(t.Context(), c.q); !errors.Is(err, c.err) || sw != 0 {
				t.Errorf("%04X, %v", sw, err)
			}
			synctest.Wait()
			for _, m := range f.heard {
				if m.typ == pcSecure || m.pin() {
					t.Errorf("sent %02X", m.typ)
				}
			}
		})
	}
	r, _ := newFake(t, &Opts{Profile: GemPCPinPad}, nil)
	if _, err := r.VerifyPIN(t.Context(), vault.CardPIN{}); !errors.Is(err, ErrCardRemoved) {
		t.Errorf("never powered: %v", err)
	}
}

// TestAbort ends an entry by its context: CCID 6.1.13, and readers that do not know it.
func TestAbort(t *testing.T) {
	for _, c := range []struct {
		name  string
		abort func(m message) []byte
		most  time.Duration // from the end of the context to the return
	}{
		{"known", func(m message) []byte { return answer(m, 0, 0) }, 0},
		{"known, the entry's own answer first", func(m message) []byte {
			entry := m
			entry.typ = pcSecure
			entry.seq--
			return append(answer(entry, 0x40, 0xFF), answer(m, 0, 0)...)
		}, 0},
		{"not known", func(m message) []byte { return answer(m, 0x40, 0x00) }, 0},
		{"not even answered", func(message) []byte { return nil }, DefaultOpts.Answer},
	} {
		bubble(t, c.name, func(t *testing.T) {
			r, f := newFake(t, &Opts{Profile: GemPCPinPad}, keypad(goodATR, nil, func(message) []byte { return nil }, c.abort))
			chip, err := r.PowerOn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
			defer cancel()
			start := time.Now()
			if _, err := r.VerifyPIN(ctx, vault.CardPIN{Timeout: time.Minute}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
			if d := time.Since(start) - 7*time.Second; d < 0 || d > c.most {
				t.Errorf("took %v more", d)
			}
			synctest.Wait()
			if got := f.heard[len(f.heard)-1]; got.typ != pcAbort || len(got.data) != 0 {
				t.Errorf("last command %02X", got.typ)
			}
			if _, err := chip.Transceive(t.Context(), []byte{0, 0x84, 0, 0, 0}); !errors.Is(err, ErrCardRemoved) {
				t.Errorf("the card may have had the PIN, and was talked to: %v", err)
			}
		})
	}
	bubble(t, "a reader that says nothing when time is up", func(t *testing.T) {
		aborted := 0
		r, _ := newFake(t, &Opts{Profile: GemPCPinPad}, keypad(goodATR, nil, func(message) []byte { return nil }, func(m message) []byte {
			aborted++
			return answer(m, 0, 0)
		}))
		if _, err := r.PowerOn(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := r.VerifyPIN(t.Context(), vault.CardPIN{Timeout: 20 * time.Second}); !errors.Is(err, vault.ErrPad) || aborted != 1 {
			t.Errorf("%v, aborted %d times", err, aborted)
		}
		if d := time.Since(start); d < 20*time.Second || d > 30*time.Second {
			t.Errorf("took %v", d)
		}
	})
	bubble(t, "busy until its own time is over", func(t *testing.T) {
		var free atomic.Bool
		status := keypad(goodATR, nil, func(message) []byte { return nil }, func(m message) []byte { return answer(m, 0x40, 0x00) })
		entered := false
		r, _ := newFake(t, &Opts{Profile: GemPCPinPad}, func(m message) []byte {
			if entered && !free.Load() && m.typ != pcAbort {
				return answer(m, 0x40, codeBusy)
			}
			entered = entered || m.typ == pcSecure
			return status(m)
		})
		if _, err := r.PowerOn(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.VerifyPIN(ctx, vault.CardPIN{Timeout: 20 * time.Second}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		later := time.AfterFunc(19*time.Second, func() { free.Store(true) })
		defer later.Stop()
		if _, err := r.PowerOn(t.Context()); err != nil {
			t.Errorf("the next customer: %v", err)
		}
	})
	bubble(t, "busy for ever", func(t *testing.T) {
		r, _ := newFake(t, nil, func(m message) []byte { return answer(m, 0x41, codeBusy) })
		start := time.Now()
		if _, err := r.Present(t.Context()); !errors.Is(err, ErrReader) {
			t.Errorf("%v", err)
		}
		if d := time.Since(start); d < DefaultOpts.Limit || d > DefaultOpts.Limit+time.Second {
			t.Errorf("took %v", d)
		}
	})
}

// TestProgress: the number of digits comes in time extensions of one byte; anything else in them is not believed.
func TestProgress(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		r, _ := newFake(t, &Opts{Profile: PosdPINPad}, keypad(goodATR, nil, func(m message) []byte {
			var out []byte
			for _, d := range [][]byte{{1}, {2}, {}, {13}, {3, 3}, {0}, {1}} {
				out = append(out, answer(m, 0x80, 1, d...)...)
			}
			return append(out, answer(m, 0, 0, 0x90, 0x00)...)
		}, nil))
		if _, err := r.PowerOn(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []int
		if _, err := r.VerifyPIN(t.Context(), vault.CardPIN{Progress: func(n int) { got = append(got, n) }}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, []int{1, 2, 0, 1}) {
			t.Errorf("%v", got)
		}
	})
}
