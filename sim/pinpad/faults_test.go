package pinpad_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal"
	driver "posd/hal/pinpad"
	"posd/hal/pinpad/padtest"
	"posd/sim/pinpad"
	"posd/vault"
)

// nth lets a hook act on the n-th write (from 1) that starts with prefix.
func nth(n int, prefix string, f func(b []byte) []byte) func([]byte) []byte {
	var mu sync.Mutex
	return func(b []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(string(b), prefix) {
			if n--; n == 0 {
				return f(b)
			}
		}
		return b
	}
}

func lost([]byte) []byte { return nil }

func flip(i int) func([]byte) []byte {
	return func(b []byte) []byte {
		if i < 0 {
			i += len(b)
		}
		b[i] ^= 0x41
		return b
	}
}

// One thing goes wrong on the line once; what may be repeated is repeated, and a PIN is asked for once.
func TestLineErrors(t *testing.T) {
	const toPad, toHost = true, false
	for _, c := range []struct {
		name string
		down bool
		n    int
		pre  string
		f    func([]byte) []byte
		// outcome of the PIN entry: nil is the right block
		want error
	}{
		{"request 04 damaged", toPad, 1, "\x0f04", flip(2), nil},
		{"request 04 lost", toPad, 1, "\x0f04", lost, nil},
		{"start byte of 04 lost", toPad, 1, "\x0f04", func(b []byte) []byte { return b[1:] }, nil},
		{"LRC of 04 lost", toPad, 1, "\x0f04", func(b []byte) []byte { return b[:len(b)-1] }, nil},
		{"ACK of 04 lost", toHost, 1, "\x06", lost, nil},
		{"ACK of 04 turned", toHost, 1, "\x06", flip(0), nil},
		{"answer 04 damaged", toHost, 1, "\x0f04", flip(-1), nil},
		{"answer 04 cut off", toHost, 1, "\x0f04", func(b []byte) []byte { return b[:3] }, nil},
		{"answer 04 lost", toHost, 1, "\x0f04", lost, nil},
		{"ACK of answer 04 lost", toPad, 1, "\x06", lost, nil},
		{"EOT after 04 lost", toHost, 1, "\x04", lost, nil},
		{"prompt damaged", toPad, 1, "\x02Z2", flip(4), nil},
		{"ACK of the prompt lost", toHost, 3, "\x06", lost, nil},
		{"PIN request damaged", toPad, 1, "\x02Z63", flip(20), nil},
		{"PIN request lost", toPad, 1, "\x02Z63", lost, driver.ErrUncertain},
		{"ACK of the PIN request lost", toHost, 4, "\x06", lost, driver.ErrUncertain},
		{"ACK of the PIN request turned into NAK", toHost, 4, "\x06", func([]byte) []byte { return []byte{0x15} }, driver.ErrUncertain},
		{"ACK of the PIN request turned into EOT", toHost, 4, "\x06", func([]byte) []byte { return []byte{0x04} }, driver.ErrThrottled},
		{"PIN answer damaged", toHost, 1, "\x0271", flip(12), nil},
		{"PIN answer cut off", toHost, 1, "\x0271", func(b []byte) []byte { return b[:9] }, nil},
		{"PIN answer lost", toHost, 1, "\x0271", lost, nil},
		{"start byte of the PIN answer lost", toHost, 1, "\x0271", func(b []byte) []byte { return b[1:] }, nil},
		{"noise in front of the PIN answer", toHost, 1, "\x0271", func(b []byte) []byte { return append([]byte("\x02\x0fZ"), b...) }, nil},
		{"ACK of the PIN answer lost", toPad, 2, "\x06", lost, nil},
		{"another frame instead of the answer", toHost, 1, "\x0271", func([]byte) []byte { return []byte("\x02Z20\x03\x5b") }, driver.ErrProtocol},
	} {
		in(t, c.name, pinpad.Options{Progress: true}, driver.Opts{Progress: true}, func(b *bench) {
			if err := b.dev.Ping(b.Context()); err != nil { // the first call begins with 72
				b.Fatal(err)
			}
			hook := nth(c.n, c.pre, c.f)
			if c.down == toPad {
				b.line.ToPad = hook
			} else {
				b.line.ToHost = hook
			}
			ch := make(chan result, 1)
			go func() {
				pb, err := b.dev.EnterPIN(b.Context(), unhex(b, encSK), b.entry())
				ch <- result{pb, err}
			}()
			var r result
			typed := 0
			for got := false; !got; {
				select {
				case r = <-ch:
					got = true
				case <-time.After(100 * time.Millisecond):
					if b.pad.Entering() && (c.want == nil || c.want == driver.ErrProtocol) && typed == 0 {
						typed++
						b.press("1234\r")
					}
				}
			}
			if c.want == nil {
				b.wantBlock(r)
			} else if !errors.Is(r.err, c.want) || !errors.Is(r.err, vault.ErrPad) {
				b.Errorf("%v, want %v", r.err, c.want)
			}
			if b.pad.Entering() {
				b.Error("the pad was left waiting for a PIN")
			}
			b.line.ToPad, b.line.ToHost = nil, nil
			b.works()
		})
	}
}

// The same for a MAC of several packets; nothing is lost but time.
func TestLineErrorsInMAC(t *testing.T) {
	for name, hook := range map[string]struct {
		down bool
		f    func([]byte) []byte
	}{
		"second request lost":          {true, nth(2, "\x02Z66", lost)},
		"second request damaged":       {true, nth(2, "\x02Z66", flip(30))},
		"second ACK lost":              {false, nth(2, "\x06", lost)},
		"second answer lost":           {false, nth(2, "\x02Z67", lost)},
		"second answer damaged":        {false, nth(2, "\x02Z67", flip(3))},
		"ACK of the first answer lost": {true, nth(1, "\x06", lost)},
		"ACK of the last answer lost":  {true, nth(3, "\x06", lost)},
	} {
		in(t, name, pinpad.Options{}, driver.Opts{}, func(b *bench) {
			if err := b.dev.Ping(b.Context()); err != nil {
				b.Fatal(err)
			}
			if hook.down {
				b.line.ToPad = hook.f
			} else {
				b.line.ToHost = hook.f
			}
			b.macs() // 320 bytes: three packets
			b.macs()
			b.works()
		})
	}
	// An answer that nobody took must not become the next MAC.
	in(t, "old MAC", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		b.line.ToPad = nth(1, "\x06", lost)
		mak := unhex(b, "8FE10196464FD3591A4D672DCA6CB335")
		first, err := b.dev.MAC(b.Context(), mak, []byte("first"))
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(4900 * time.Millisecond) // the pad repeats the first answer while the second request is under way
		second, err := b.dev.MAC(b.Context(), mak, []byte("second"))
		want, _ := vault.MAC3(unhex(b, "5E4C3D2A1A08F8E60123456789ABCDEF"), []byte("second"), vault.Padding1)
		if err != nil || second == first || second != want {
			b.Errorf("MAC %X, want %X (%v)", second, want, err)
		}
	})
}

// What lies in the line from before a call is not an answer to it.
func TestLeftovers(t *testing.T) {
	in(t, "", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		b.works()
		for _, left := range []string{"\x06", "\x06\x02Z6700000000000000000\x03h", "\x06\x0f040\x0e:", "\x15\x15\x15", "\x04", "\x02Z67", "\x0f\x02", "\x02Z6\x03\x00"} {
			if _, err := b.line.Device().Write([]byte(left)); err != nil {
				b.Fatal(err)
			}
			b.macs()
			if _, err := b.line.Device().Write([]byte(left)); err != nil {
				b.Fatal(err)
			}
			if there, err := b.dev.Loaded(b.Context(), '0'); err != nil || !there {
				b.Errorf("%q: %v %v", left, there, err)
			}
		}
	})
}

func TestDeviceFaults(t *testing.T) {
	for _, c := range []struct {
		fault string
		want  error
		most  time.Duration
	}{
		{pinpad.FaultDead, driver.ErrNoAnswer, 9 * time.Second},
		{pinpad.FaultLRC, driver.ErrLine, 10 * time.Second},
		{pinpad.FaultNoACK, driver.ErrProtocol, 10 * time.Second},
		{pinpad.FaultEOT, driver.ErrEndedByPad, time.Second},
		{pinpad.FaultMute, driver.ErrNoAnswer, 10 * time.Second},
		{pinpad.FaultThrottled, driver.ErrThrottled, 5 * time.Second},
		{pinpad.FaultNoKey, driver.ErrNoMasterKey, 5 * time.Second},
		{pinpad.FaultGarbage, nil, 0},
		{pinpad.FaultSlow, nil, 0},
	} {
		in(t, c.fault, pinpad.Options{}, driver.Opts{}, func(b *bench) {
			if err := b.pad.SetFault(c.fault, true); err != nil {
				b.Fatal(err)
			}
			if c.want == nil {
				b.works()
				return
			}
			start := time.Now()
			_, err := b.dev.EnterPIN(b.Context(), unhex(b, encSK), b.entry())
			if !errors.Is(err, vault.ErrPad) || !errors.Is(err, c.want) {
				b.Errorf("%v, want %v", err, c.want)
			}
			if d := time.Since(start); d > c.most {
				b.Errorf("took %v", d)
			}
			if b.pad.Entering() {
				b.Error("the pad asks for a PIN")
			}
			_ = b.pad.SetFault(c.fault, false)
			b.works()
		})
	}
	in(t, "dead in a PIN entry", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		ch := b.enter(b.Context(), b.entry())
		b.press("12")
		_ = b.pad.SetFault(pinpad.FaultDead, true)
		if b.pad.Press('3') || b.pad.Display() != nil {
			b.Error("a dead pad takes keys")
		}
		if r := <-ch; !errors.Is(r.err, vault.ErrPINTimeout) {
			b.Errorf("%v", r.err)
		}
		_ = b.pad.SetFault(pinpad.FaultDead, false)
		b.works()
	})
	in(t, "switched off and on in a PIN entry", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		ch := b.enter(b.Context(), b.entry())
		b.press("12")
		b.stop()
		b.serve()
		synctest.Wait()
		if b.pad.Entering() {
			b.Error("the entry survived the power cut")
		}
		if r := <-ch; !errors.Is(r.err, vault.ErrPINTimeout) {
			b.Errorf("%v", r.err)
		}
		b.works()
	})
	in(t, "names", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		if err := b.pad.SetFault("nonsense", true); err == nil || !strings.Contains(err.Error(), "garbage") {
			b.Errorf("%v", err)
		}
	})
}

func TestUnplugged(t *testing.T) {
	in(t, "while idle", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		b.works()
		b.line.Unplug()
		if err := b.dev.Ping(b.Context()); !errors.Is(err, vault.ErrPad) || !errors.Is(err, hal.ErrUnplugged) {
			b.Errorf("%v", err)
		}
		b.line.Plug()
		b.works()
		b.line.Unplug()
		b.line.Plug() // out and in again between two calls: nobody notices
		b.works()
	})
	in(t, "in a PIN entry", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		ch := b.enter(b.Context(), b.entry())
		b.press("12")
		b.line.Unplug()
		if r := <-ch; !errors.Is(r.err, hal.ErrUnplugged) || !errors.Is(r.err, vault.ErrPad) {
			b.Errorf("%v", r.err)
		}
		b.line.Plug()
		if !b.pad.Entering() {
			b.Error("the pad has its own power: it should still ask")
		}
		if err := b.dev.Ping(b.Context()); err != nil || b.pad.Entering() {
			b.Errorf("the pad still asks (%v)", err)
		}
		b.works()
	})
	in(t, "a new driver finds a pad that asks", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		ch := b.enter(b.Context(), b.entry())
		b.line.Unplug() // as when the program is killed
		<-ch
		b.line.Plug()
		b.dev = driver.New(b.line.Open, nil)
		if err := b.dev.Ping(b.Context()); err != nil || b.pad.Entering() {
			b.Errorf("the pad still asks (%v)", err)
		}
		b.works()
	})
	in(t, "closed", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		ch := b.enter(b.Context(), b.entry())
		_ = b.dev.Close()
		if r := <-ch; !errors.Is(r.err, vault.ErrPad) {
			b.Errorf("%v", r.err)
		}
		if err := b.dev.Ping(b.Context()); !errors.Is(err, vault.ErrPad) {
			b.Errorf("%v", err)
		}
	})
	t.Run("no such line", func(t *testing.T) {
		d := driver.New(func() (hal.Port, error) { return nil, errors.New("no such file") }, nil)
		if err := d.Ping(t.Context()); !errors.Is(err, vault.ErrPad) || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("%v", err)
		}
	})
}

// Calls from many goroutines never mix on the line.
func TestOneAtATime(t *testing.T) {
	in(t, "", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				data := bytes.Repeat([]byte{byte(i)}, 300)
				got, err := b.dev.MAC(b.Context(), unhex(b, "8FE10196464FD3591A4D672DCA6CB335"), data)
				want, _ := vault.MAC3(unhex(b, "5E4C3D2A1A08F8E60123456789ABCDEF"), data, vault.Padding1)
				if err != nil || got != want {
					b.Errorf("%d: %v", i, err)
				}
			})
		}
		wg.Wait()
	})
	in(t, "waiting ends with the context", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		ch := b.enter(b.Context(), b.entry())
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		if err := b.dev.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("%v", err)
		}
		b.press("1234\r")
		b.wantBlock(<-ch)
	})
}

func TestAdmin(t *testing.T) {
	for _, c := range []struct {
		name string
		pad  pinpad.Options
		dev  driver.Opts
		sn   string
	}{{"VF", pinpad.Options{}, driver.Opts{LongLoad: true}, "0012601150010042"}, {"UIC", uicPad, uicDev, "260115000042"}} {
		in(t, c.name, c.pad, c.dev, func(b *bench) {
			ctx := b.Context()
			check := func(err error) {
				b.Helper()
				if err != nil {
					b.Error(err)
				}
			}
			check(b.dev.Ping(ctx))
			sn, err := b.dev.Serial(ctx)
			if err != nil || sn != c.sn {
				b.Errorf("serial number %q, %v", sn, err)
			}
			for slot, want := range map[byte]bool{'0': true, '5': false, 'G': false} {
				if got, err := b.dev.Loaded(ctx, slot); err != nil || got != want {
					b.Errorf("slot %c: %v %v", slot, got, err)
				}
			}
			check(b.dev.Select(ctx, '7')) // empty, and accepted
			check(b.dev.Show(ctx, "GOOD MORNING TO EVERY BODY HERE"))
			synctest.Wait()
			if got := strings.Join(b.pad.Display(), "|"); got != "GOOD MORNING TO|EVERY BODY HERE" {
				b.Errorf("display %q", got)
			}
			check(b.dev.Idle(ctx))
			synctest.Wait()
			if got := strings.Join(b.pad.Display(), "|"); got != "WELCOME" {
				b.Errorf("display %q", got)
			}
			if s := b.dev.String(); s != "pinpad(memory)" {
				b.Error(s)
			}
		})
		in(t, c.name+" injection", c.pad, c.dev, func(b *bench) {
			ctx := b.Context()
			key := unhex(b, pinpad.UnionPayTestTMK)
			if err := b.dev.LoadMasterKey(ctx, '1', key); !errors.Is(err, driver.ErrEndedByPad) {
				b.Errorf("loaded outside injection: %v", err)
			}
			b.pad.Inject()
			if there, err := b.dev.Loaded(ctx, '0'); err != nil || there {
				b.Error("injection leaves old keys")
			}
			if err := b.dev.LoadMasterKey(ctx, '1', key); err != nil {
				b.Fatal(err)
			}
			if err := b.dev.LoadMasterKey(ctx, '2', key); err == nil {
				b.Error("the same key in two slots")
			}
			if err := b.dev.LoadMasterKey(ctx, '2', bytes.Repeat([]byte{1}, 16)); err == nil {
				b.Error("a key that is not published")
			}
			// A damaged echo: the pad must keep nothing.
			b.line.ToHost = nth(1, "\x0f02", func(f []byte) []byte { f[5] ^= 1; f[6] ^= 1; return f })
			if err := b.dev.LoadMasterKey(ctx, '3', unhex(b, pinpad.TestTMK)); !errors.Is(err, driver.ErrEcho) {
				b.Errorf("%v", err)
			}
			if there, err := b.dev.Loaded(ctx, '3'); err != nil || there {
				b.Errorf("stored after a wrong echo (%v)", err)
			}
			// A lost ACK of the load: the driver asks again, and the key is there in the end.
			b.line.ToHost = nth(1, "\x06", lost)
			if err := b.dev.LoadMasterKey(ctx, '3', unhex(b, pinpad.TestTMK)); err != nil {
				b.Errorf("%v", err)
			}
			b.pad.EndInjection()
			for _, slot := range []byte("13") {
				if there, err := b.dev.Loaded(ctx, slot); err != nil || !there {
					b.Errorf("slot %c is empty (%v)", slot, err)
				}
			}
			if err := b.dev.LoadMasterKey(ctx, '4', key); !errors.Is(err, driver.ErrEndedByPad) {
				b.Errorf("loaded after injection: %v", err)
			}
		})
	}
	in(t, "single DES", pinpad.Options{SingleDES: true}, driver.Opts{}, func(b *bench) {
		b.pad.Inject()
		if err := b.dev.LoadMasterKey(b.Context(), '0', unhex(b, "0123456789ABCDEF")); err != nil {
			b.Fatal(err)
		}
		_, err := b.dev.EnterPIN(b.Context(), unhex(b, encSK), b.entry())
		if err == nil || !strings.Contains(err.Error(), "PIN key may not") {
			b.Errorf("a session key longer than its master key: %v", err)
		}
		_, err = b.dev.MAC(b.Context(), unhex(b, encSK), nil)
		if err == nil || !strings.Contains(err.Error(), "shorter than the MAC key") {
			b.Errorf("a session key longer than its master key: %v", err)
		}
	})
	in(t, "single DES not admitted", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		b.pad.Inject()
		if err := b.dev.LoadMasterKey(b.Context(), '0', unhex(b, "0123456789ABCDEF")); err == nil {
			b.Error("loaded")
		}
	})
}

var _ hal.Opener = padtest.New().Open
