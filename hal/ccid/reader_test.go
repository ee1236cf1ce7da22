package ccid

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal"
)

func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// TestLine breaks the line in every way it can break, at a command that may be sent again.
func TestLine(t *testing.T) {
	status := func(m message) []byte { return answer(m, iccInactive, 0) }
	for _, c := range []struct {
		name  string
		say   func(try int, m message) []byte
		err   error
		heard int
	}{
		{"good", func(_ int, m message) []byte { return status(m) }, nil, 1},
		{"echo first", func(_ int, m message) []byte { return append(m.appendFrame(nil), status(m)...) }, nil, 1},
		{"movement between echo and answer", func(_ int, m message) []byte {
			return slices.Concat(m.appendFrame(nil), []byte{0x50, 0x03}, status(m))
		}, nil, 1},
		{"NAK once", func(try int, m message) []byte {
			if try == 0 {
				return []byte{0x03, 0x15, 0x16}
			}
			return status(m)
		}, nil, 2},
		{"NAK for ever", func(int, message) []byte { return []byte{0x03, 0x15, 0x16} }, ErrReader, 3},
		{"bad LRC once", func(try int, m message) []byte {
			b := status(m)
			if try == 0 {
				b[len(b)-1] ^= 1
			}
			return b
		}, nil, 2},
		{"bad LRC for ever", func(_ int, m message) []byte { b := status(m); b[len(b)-1] ^= 1; return b }, ErrReader, 3},
		{"silent once", func(try int, m message) []byte {
			if try == 0 {
				return nil
			}
			return status(m)
		}, nil, 2},
		{"silent", func(int, message) []byte { return nil }, ErrReader, 3},
		{"garbage before", func(_ int, m message) []byte {
			return slices.Concat([]byte{0x00, 0x03, 0x06, 0x7F, 0x03, 0x15, 0x00, 0x50, 0x41}, status(m))
		}, nil, 1},
		{"false start that swallows the answer", func(_ int, m message) []byte {
			return slices.Concat([]byte{0x03, 0x06, 0x80, 0xFF, 0, 0, 0}, status(m))
		}, nil, 1},
		{"false start with a bad LRC", func(_ int, m message) []byte {
			return slices.Concat([]byte{0x03, 0x06, 0x83, 0x01, 0, 0, 0}, status(m))
		}, nil, 1},
		{"impossible length", func(_ int, m message) []byte {
			return slices.Concat([]byte{0x03, 0x06, 0x80, 0x00, 0x01, 0x01, 0}, status(m))
		}, nil, 1},
		{"stale answer first", func(_ int, m message) []byte {
			old := m
			old.seq--
			return append(answer(old, iccAbsent, 0), status(m)...)
		}, nil, 1},
		{"other slot first", func(_ int, m message) []byte {
			other := m
			other.slot = 3
			return append(answer(other, iccAbsent, 0), status(m)...)
		}, nil, 1},
		{"time extension", func(_ int, m message) []byte {
			return slices.Concat(answer(m, 0x80|iccAbsent, 1), []byte{0x82}, status(m))
		}, nil, 1},
		{"wrong type", func(_ int, m message) []byte {
			m.typ = pcXfrBlock
			return answer(m, 0, 0)
		}, ErrReader, 1},
		{"refused", func(_ int, m message) []byte { return answer(m, 0x41, 0xFB) }, ErrReader, 1},
		{"unplugged", func(int, message) []byte { return unplug }, hal.ErrUnplugged, 1},
	} {
		bubble(t, c.name, func(t *testing.T) {
			try := 0
			r, f := newFake(t, nil, func(m message) []byte { try++; return c.say(try-1, m) })
			start := time.Now()
			there, err := r.Present(t.Context())
			if !errors.Is(err, c.err) || there != (c.err == nil) {
				t.Fatalf("%v, %v; want %v", there, err, c.err)
			}
			if d := time.Since(start); c.heard == 1 && d != 0 && !strings.Contains(c.name, "swallows") {
				t.Errorf("waited %v for nothing", d)
			}
			synctest.Wait()
			if len(f.heard) != c.heard {
				t.Errorf("%d commands, want %d", len(f.heard), c.heard)
			}
		})
	}
}

// TestStorm has a reader ask for time for ever: the limit ends it.
func TestStorm(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		a, b := net.Pipe()
		var running sync.WaitGroup
		running.Go(func() {
			_, _ = io.Copy(io.Discard, b)
		})
		running.Go(func() {
			for {
				time.Sleep(time.Second)
				if _, err := b.Write([]byte{0x90}); err != nil {
					return
				}
			}
		})
		r := New(func() (hal.Port, error) { return testPort{a}, nil }, nil)
		start := time.Now()
		if _, err := r.Present(t.Context()); !errors.Is(err, ErrReader) {
			t.Errorf("%v, want ErrReader", err)
		}
		if d := time.Since(start); d != DefaultOpts.Limit {
			t.Errorf("took %v", d)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		running.Wait()
	})
}

// TestUnplugged loses the line and finds it again.
func TestUnplugged(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		dead := false
		good := card(goodATR, func([]byte) []byte { return []byte{0x90, 0x00} })
		r, f := newFake(t, nil, func(m message) []byte {
			if dead {
				return unplug
			}
			return good(m)
		})
		c, err := r.PowerOn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		dead = true
		if _, err := c.Transceive(t.Context(), []byte{0, 0xA4, 4, 0}); !errors.Is(err, hal.ErrUnplugged) {
			t.Fatalf("%v, want ErrUnplugged", err)
		}
		dead = false
		if _, err := c.Transceive(t.Context(), []byte{0, 0xA4, 4, 0}); !errors.Is(err, ErrCardRemoved) {
			t.Fatalf("old card after the reader came back: %v, want ErrCardRemoved", err)
		}
		if there, err := r.Present(t.Context()); err != nil || !there {
			t.Fatalf("%v, %v", there, err)
		}
		if f.opened != 2 {
			t.Errorf("opened %d times", f.opened)
		}
	})
}

// TestOpen has the line not there at first.
func TestOpen(t *testing.T) {
	want := errors.New("no such device")
	r := New(func() (hal.Port, error) { return nil, want }, nil)
	if _, err := r.Present(t.Context()); !errors.Is(err, want) {
		t.Errorf("%v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Present(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
	bad := New(func() (hal.Port, error) { return nil, want }, &Opts{Profile: GemPCTwin, Slot: 1})
	if _, err := bad.Present(t.Context()); !errors.Is(err, ErrReader) {
		t.Errorf("slot 1 of a reader with one: %v", err)
	}
}

// TestContext ends waits by their context: at a silent reader, and at an empty slot.
func TestContext(t *testing.T) {
	bubble(t, "silent", func(t *testing.T) {
		r, _ := newFake(t, nil, func(message) []byte { return nil })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := r.Present(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("took %v", d)
		}
	})
	bubble(t, "late answer", func(t *testing.T) {
		var late []byte
		r, _ := newFake(t, nil, func(m message) []byte {
			if late == nil {
				late = answer(m, iccAbsent, 0)
				return nil
			}
			return append(late, answer(m, iccInactive, 0)...)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Present(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v", err)
		}
		if there, err := r.Present(t.Context()); err != nil || !there {
			t.Errorf("%v, %v: the late answer was taken for this one", there, err)
		}
	})
	bubble(t, "insertion", func(t *testing.T) {
		var icc atomic.Int32
		icc.Store(iccAbsent)
		r, _ := newFake(t, nil, func(m message) []byte { return answer(m, byte(icc.Load()), 0) })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := r.WaitInserted(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		in := time.AfterFunc(3*time.Second, func() { icc.Store(iccInactive) })
		defer in.Stop()
		start := time.Now()
		if err := r.WaitInserted(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d < 3*time.Second || d > 3*time.Second+DefaultOpts.Poll {
			t.Errorf("took %v", d)
		}
		out := time.AfterFunc(2*time.Second, func() { icc.Store(iccAbsent) })
		defer out.Stop()
		if err := r.WaitRemoved(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestPowerOn gives the driver answers to reset and counts the resets.
func TestPowerOn(t *testing.T) {
	warmOnly := []byte{0x3B, 0x20, 0x07} // TB1 is not 00: good after a warm reset only
	for _, c := range []struct {
		name string
		say  func(reset int, m message) []byte
		err  error
		want []byte // commands
	}{
		{"good", func(_ int, m message) []byte { return answer(m, 0, 0, goodATR...) }, nil, []byte{pcPowerOff, pcPowerOn, pcSetParams}},
		{"warm", func(_ int, m message) []byte { return answer(m, 0, 0, warmOnly...) }, nil, []byte{pcPowerOff, pcPowerOn, pcPowerOn, pcSetParams}},
		{"reader refuses the first", func(n int, m message) []byte {
			if n == 1 {
				return answer(m, 0x40, 0xF8)
			}
			return answer(m, 0, 0, goodATR...)
		}, nil, []byte{pcPowerOff, pcPowerOn, pcPowerOn, pcSetParams}},
		{"bad twice", func(_ int, m message) []byte { return answer(m, 0, 0, 0x3B) }, ErrBadATR, []byte{pcPowerOff, pcPowerOn, pcPowerOn, pcPowerOff}},
		{"mute", func(_ int, m message) []byte { return answer(m, 0x41, 0xFE) }, ErrMute, []byte{pcPowerOff, pcPowerOn, pcPowerOff}},
		{"empty slot", func(_ int, m message) []byte { return answer(m, 0x42, 0xFE) }, ErrCardRemoved, []byte{pcPowerOff, pcPowerOn}},
		{"empty answer", func(_ int, m message) []byte { return answer(m, 0, 0) }, ErrBadATR, []byte{pcPowerOff, pcPowerOn, pcPowerOn, pcPowerOff}},
		{"reader broken", func(_ int, m message) []byte { return answer(m, 0x41, 0xFB) }, ErrReader, []byte{pcPowerOff, pcPowerOn, pcPowerOff}},
	} {
		bubble(t, c.name, func(t *testing.T) {
			resets := 0
			r, f := newFake(t, nil, func(m message) []byte {
				if m.typ != pcPowerOn {
					return answer(m, 0, 0, m.data...)
				}
				resets++
				return c.say(resets, m)
			})
			chip, err := r.PowerOn(t.Context())
			if !errors.Is(err, c.err) || (chip == nil) != (err != nil) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			synctest.Wait()
			var got []byte
			for _, m := range f.heard {
				got = append(got, m.typ)
			}
			if !bytes.Equal(got, c.want) {
				t.Errorf("commands % X, want % X", got, c.want)
			}
		})
	}
}

// TestCardErrors has a card fail in the middle of its work.
func TestCardErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		say  func(m message) []byte
		err  error
	}{
		{"mute", func(m message) []byte { return answer(m, 0x40, 0xFE) }, ErrMute},
		{"removed", func(m message) []byte { return answer(m, 0x42, 0xFE) }, ErrCardRemoved},
		{"taken out and put back", func(m message) []byte { return answer(m, 0x41, 0xFE) }, ErrCardRemoved},
		{"parity", func(m message) []byte { return answer(m, 0x40, 0xFD) }, ErrProtocol},
		{"hardware", func(m message) []byte { return answer(m, 0x40, 0xFB) }, ErrReader},
		{"answer lost", func(m message) []byte { b := answer(m, 0, 0, 0x90, 0x00); b[5] ^= 1; return b }, ErrProtocol},
		{"silence", func(message) []byte { return nil }, ErrProtocol},
		{"NAK among garbage", func(message) []byte { return []byte{0x41, 0x03, 0x15, 0x16} }, ErrProtocol},
		{"NAK inside a broken answer", func(m message) []byte {
			b := answer(m, 0, 0, 0x03, 0x15, 0x16, 0x90, 0x00)
			b[len(b)-1] ^= 1
			return b
		}, ErrProtocol},
	} {
		bubble(t, c.name, func(t *testing.T) {
			good := card(goodATR, nil)
			blocks := 0
			r, _ := newFake(t, nil, func(m message) []byte {
				if m.typ == pcXfrBlock {
					blocks++
					return c.say(m)
				}
				return good(m)
			})
			chip, err := r.PowerOn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = chip.Transceive(t.Context(), []byte{0x80, 0xAE, 0x80, 0x00, 0x01, 0x00, 0x00})
			if !errors.Is(err, c.err) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			synctest.Wait()
			if blocks != 1 {
				t.Errorf("GENERATE AC was sent %d times", blocks)
			}
			if _, err := chip.Transceive(t.Context(), []byte{0, 0x84, 0, 0, 0}); !errors.Is(err, ErrCardRemoved) {
				t.Errorf("after the error: %v, want ErrCardRemoved", err)
			}
		})
	}
}

// TestNAKedBlock sends a block again that the reader did not understand: the card has not seen it.
func TestNAKedBlock(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		ran, naks := 0, 0
		good := card(goodATR, func([]byte) []byte { ran++; return []byte{0x90, 0x00} })
		r, _ := newFake(t, nil, func(m message) []byte {
			if m.typ == pcXfrBlock && naks < 2 {
				naks++
				return []byte{0x03, 0x15, 0x16}
			}
			return good(m)
		})
		chip, err := r.PowerOn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if out, err := chip.Transceive(t.Context(), []byte{0x80, 0xAE, 0x80, 0x00, 0x01, 0x00, 0x00}); err != nil || !bytes.Equal(out, []byte{0x90, 0x00}) {
			t.Errorf("% X, %v", out, err)
		}
		if ran != 1 || naks != 2 {
			t.Errorf("card ran it %d times, %d NAKs", ran, naks)
		}
	})
}

// TestTwin has the driver switch card movement notification on, once for each opening.
func TestTwin(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		r, f := newFake(t, &Opts{Profile: GemPCTwin}, func(m message) []byte {
			return slices.Concat(m.appendFrame(nil), []byte{0x50, 0x02}, answer(m, iccAbsent, 0, 'v', '1'))
		})
		for range 2 {
			if there, err := r.Present(t.Context()); err != nil || there {
				t.Fatalf("%v, %v", there, err)
			}
		}
		if name, err := r.Firmware(t.Context()); err != nil || name != "v1" {
			t.Errorf("firmware %q, %v", name, err)
		}
		synctest.Wait()
		var got []byte
		for _, m := range f.heard {
			got = append(got, m.typ)
		}
		if want := []byte{pcEscape, pcStatus, pcStatus, pcEscape}; !bytes.Equal(got, want) {
			t.Errorf("commands % X, want % X", got, want)
		}
	})
}
