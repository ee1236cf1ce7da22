package pinpad_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	driver "posd/hal/pinpad"
	"posd/hal/pinpad/padtest"
	"posd/internal/money"
	"posd/sim"
	"posd/sim/pinpad"
	"posd/vault"
)

const (
	pan   = "4012345678909"
	encSK = "4F17866366ACA0F653E180FE366C0C73" // of 1032547698BADCFE2345678998ABBACD under the test TMK
	block = "FB54E34996C8BFF2"                 // of PIN 1234 under it
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bench is a driver and a simulated pad on a line. It lives in a synctest bubble.
type bench struct {
	*testing.T
	line *padtest.Line
	pad  *pinpad.Pad
	dev  *driver.Dev
	stop context.CancelFunc

	mu     sync.Mutex
	events []sim.Event
}

func newBench(t *testing.T, so pinpad.Options, do driver.Opts) *bench {
	b := &bench{T: t, line: padtest.New()}
	so.Trace = func(e sim.Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, e)
	}
	b.pad = pinpad.New(so)
	b.dev = driver.New(b.line.Open, &do)
	b.serve()
	return b
}

func (b *bench) serve() {
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.pad.Serve(ctx, b.line.Device())
	}()
	b.stop = func() { cancel(); <-done }
}

func (b *bench) close() {
	b.stop()
	_ = b.dev.Close()
	for _, e := range b.events {
		s := fmt.Sprint(e.Summary, e.Detail)
		for _, bad := range []string{pan, encSK, block, "1234 ", "0123456789ABCDEF"} {
			if strings.Contains(s, bad) {
				b.Errorf("the trace shows a secret: %s", e.Summary)
			}
		}
	}
}

func (b *bench) traced(summary string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if strings.Contains(e.Summary, summary) {
			n++
		}
	}
	return n
}

type result struct {
	pb  vault.PINBlock
	err error
}

func (b *bench) entry() vault.PINEntry {
	return vault.PINEntry{PAN: pan, Amount: money.Yuan(1234), Timeout: 60 * time.Second}
}

// enter starts a PIN entry and returns when the pad waits for keys, or the request has ended.
func (b *bench) enter(ctx context.Context, r vault.PINEntry) <-chan result {
	b.Helper()
	ch := make(chan result, 1)
	go func() {
		pb, err := b.dev.EnterPIN(ctx, unhex(b, encSK), r)
		ch <- result{pb, err}
	}()
	for range 300 {
		if b.pad.Entering() || len(ch) > 0 {
			synctest.Wait()
			return ch
		}
		time.Sleep(time.Second / 10)
		synctest.Wait()
	}
	return ch
}

func (b *bench) press(keys string) {
	b.Helper()
	for _, k := range keys {
		b.pad.Press(k)
		synctest.Wait()
	}
}

func (b *bench) wantBlock(r result) {
	b.Helper()
	if r.err != nil {
		b.Fatalf("PIN entry: %v", r.err)
	}
	if r.pb.Empty || !bytes.Equal(r.pb.Block[:], unhex(b, block)) {
		b.Error("another PIN block than the published one")
	}
}

// works checks that the pad is usable: a PIN and a MAC.
func (b *bench) works() {
	b.Helper()
	ch := b.enter(b.Context(), b.entry())
	b.press("1234\r")
	b.wantBlock(<-ch)
	b.macs()
}

func (b *bench) macs() {
	b.Helper()
	data := bytes.Repeat([]byte("AMT$1.99REF00042"), 20)
	got, err := b.dev.MAC(b.Context(), unhex(b, "8FE10196464FD3591A4D672DCA6CB335"), data)
	want, _ := vault.MAC3(unhex(b, "5E4C3D2A1A08F8E60123456789ABCDEF"), data, vault.Padding1)
	if err != nil || got != want {
		b.Errorf("MAC = %X, want %X (%v)", got, want, err)
	}
}

// in runs a test in a bubble with both ends.
func in(t *testing.T, name string, so pinpad.Options, do driver.Opts, f func(b *bench)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, so, do)
			defer b.close()
			f(b)
		})
	})
}

var uicPad, uicDev = pinpad.Options{Dialect: pinpad.UIC}, driver.Opts{Dialect: driver.UIC}

// The published example of master/session keys, through every PIN request.
func TestPublishedPIN(t *testing.T) {
	for _, c := range []struct {
		name    string
		pad     pinpad.Options
		dev     driver.Opts
		display string
	}{
		{"Z60", pinpad.Options{}, driver.Opts{Packet: driver.Z60}, "CNY 12.34 ENTER PIN"},
		{"Z63", pinpad.Options{}, driver.Opts{}, "CNY 12.34 ENTER PIN"},
		{"Z62", pinpad.Options{}, driver.Opts{Packet: driver.Z62}, "ENTER PIN|THEN PRESS ENTER"},
		{"70", pinpad.Options{}, driver.Opts{Packet: driver.P70}, "AMOUNT 12.34|ENTER PIN"},
		{"70 in Chinese", pinpad.Options{Chinese: true}, driver.Opts{Packet: driver.P70}, "金额 12.34|请输入密码"},
		{"Z62 UIC", uicPad, uicDev, "ENTER PIN|THEN PRESS ENTER"},
		{"Z60 UIC", uicPad, driver.Opts{Dialect: driver.UIC, Packet: driver.Z60}, "ENTER PIN"},
		{"slot 7", pinpad.Options{Slot: '7'}, driver.Opts{Slot: '7'}, "CNY 12.34 ENTER PIN"},
	} {
		in(t, c.name, c.pad, c.dev, func(b *bench) {
			ch := b.enter(b.Context(), b.entry())
			b.press("12")
			if got := strings.Join(b.pad.Display(), "|"); got != c.display+"|**" {
				b.Errorf("display %q", got)
			}
			b.press("34\r")
			b.wantBlock(<-ch)
			if b.pad.Entering() {
				b.Error("still entering")
			}
			b.macs()
		})
	}
	in(t, "70 has no room", pinpad.Options{}, driver.Opts{Packet: driver.P70}, func(b *bench) {
		r := b.entry()
		r.Amount = money.Yuan(123456789)
		ch := b.enter(b.Context(), r)
		b.press("1234\r")
		b.wantBlock(<-ch)
	})
}

func TestKeysWhileEntering(t *testing.T) {
	in(t, "", pinpad.Options{Progress: true}, driver.Opts{Progress: true}, func(b *bench) {
		var told []int
		r := b.entry()
		r.Progress = func(n int) { told = append(told, n) }
		ch := b.enter(b.Context(), r)
		b.press("123\r") // too short: ignored
		b.press("\b1234567890123\b1234M\r")
		b.wantBlock(<-ch)
		want := "[1 2 3 0 1 2 3 4 5 6 7 8 9 10 11 12 0 1 2 3 4]"
		if got := fmt.Sprint(told); got != want {
			b.Errorf("progress %s, want %s", got, want)
		}
		if b.traced("beep: too few") != 1 || b.traced("beep: too many") != 1 {
			b.Error("no beeps")
		}
	})
	in(t, "no PIN", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		ch := b.enter(b.Context(), b.entry())
		b.press("\r")
		if r := <-ch; r.err != nil || !r.pb.Empty {
			b.Errorf("Enter without digits: %v", r.err)
		}
		b.works()
	})
	in(t, "no PIN not accepted", pinpad.Options{}, driver.Opts{NoBypass: true}, func(b *bench) {
		ch := b.enter(b.Context(), b.entry())
		b.press("\r1234\r")
		b.wantBlock(<-ch)
	})
}

func TestPINEnds(t *testing.T) {
	in(t, "cancel key", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		ch := b.enter(b.Context(), b.entry())
		b.press("12\x1b")
		if r := <-ch; !errors.Is(r.err, vault.ErrPINCancelled) || errors.Is(r.err, vault.ErrPad) {
			b.Errorf("%v", r.err)
		}
		b.works()
	})
	in(t, "time is up", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		start := time.Now()
		ch := b.enter(b.Context(), b.entry())
		b.press("12")
		if r := <-ch; !errors.Is(r.err, vault.ErrPINTimeout) {
			b.Errorf("%v", r.err)
		}
		if d := time.Since(start); d < 60*time.Second || d > 62*time.Second {
			b.Errorf("after %v", d)
		}
		if b.pad.Entering() {
			b.Error("the pad still waits")
		}
		b.works()
	})
	in(t, "time is up in the pad", uicPad, uicDev, func(b *bench) {
		r := b.entry()
		r.Timeout = 30 * time.Second // the pad's t is 1: both clocks end together
		ch := b.enter(b.Context(), r)
		if r := <-ch; !errors.Is(r.err, vault.ErrPINTimeout) {
			b.Errorf("%v", r.err)
		}
		b.works()
	})
	in(t, "cancelled by the caller", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		ctx, cancel := context.WithCancel(b.Context())
		ch := b.enter(ctx, b.entry())
		b.press("123")
		start := time.Now()
		cancel()
		if r := <-ch; !errors.Is(r.err, context.Canceled) || errors.Is(r.err, vault.ErrPad) {
			b.Errorf("%v", r.err)
		}
		if b.pad.Entering() || b.traced("72 cancel") != 2 /* the first call begins with one */ {
			b.Error("72 did not end the entry")
		}
		if d := time.Since(start); d > time.Second {
			b.Errorf("took %v", d)
		}
		b.works()
	})
	in(t, "cancel crosses the answer", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		ctx, cancel := context.WithCancel(b.Context())
		ch := b.enter(ctx, b.entry())
		b.press("1234")
		b.pad.Press('\r') // the answer is on its way, at line speed
		cancel()
		if r := <-ch; !errors.Is(r.err, context.Canceled) {
			b.Errorf("%v", r.err)
		}
		b.works()
	})
	in(t, "context ended before", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		ctx, cancel := context.WithCancel(b.Context())
		cancel()
		if _, err := b.dev.EnterPIN(ctx, unhex(b, encSK), b.entry()); !errors.Is(err, context.Canceled) {
			b.Errorf("%v", err)
		}
		if b.line.Opened() != 0 {
			b.Error("the line was opened")
		}
	})
}

func TestRefusals(t *testing.T) {
	wantErr := func(b *bench, err error, want error, text string) {
		b.Helper()
		if !errors.Is(err, vault.ErrPad) || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
			b.Errorf("%v", err)
		}
	}
	in(t, "no master key", pinpad.Options{TMK: "none"}, driver.Opts{}, func(b *bench) {
		r := <-b.enter(b.Context(), b.entry())
		wantErr(b, r.err, driver.ErrNoMasterKey, "injected")
		_, err := b.dev.MAC(b.Context(), unhex(b, encSK), nil)
		wantErr(b, err, nil, "bad key slot")
	})
	in(t, "key that is not published", pinpad.Options{TMK: "11111111111111112222222222222222"}, driver.Opts{}, func(b *bench) {
		r := <-b.enter(b.Context(), b.entry())
		wantErr(b, r.err, driver.ErrNoMasterKey, "")
	})
	in(t, "single DES PIN key", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		_, err := b.dev.EnterPIN(b.Context(), unhex(b, encSK)[:8], b.entry())
		wantErr(b, err, nil, "PIN key may not be used")
	})
	in(t, "equal halves are single DES", uicPad, uicDev, func(b *bench) {
		_, err := b.dev.EnterPIN(b.Context(), unhex(b, encSK[:16]+encSK[:16]), b.entry())
		wantErr(b, err, nil, "longer than the master key, or not fit")
	})
	in(t, "limit on PIN entries", pinpad.Options{RateLimit: &pinpad.VFRateLimit}, driver.Opts{}, func(b *bench) {
		for range 2 {
			ch := b.enter(b.Context(), b.entry())
			b.press("1234\r")
			b.wantBlock(<-ch)
		}
		r := <-b.enter(b.Context(), b.entry())
		wantErr(b, r.err, driver.ErrThrottled, "too many PIN entries")
		time.Sleep(30 * time.Second)
		b.works()
	})
	in(t, "limit UIC", pinpad.Options{Dialect: pinpad.UIC, RateLimit: &pinpad.RateLimit{Every: time.Hour, Max: 1}}, uicDev, func(b *bench) {
		r := <-b.enter(b.Context(), b.entry())
		wantErr(b, r.err, driver.ErrThrottled, "")
	})
	in(t, "prompts not in the table", pinpad.Options{}, driver.Opts{Packet: driver.Z62, TablePrompts: [3]string{"GIVE ME YOUR PIN"}}, func(b *bench) {
		r := <-b.enter(b.Context(), b.entry())
		if !errors.Is(r.err, driver.ErrEndedByPad) || b.pad.Entering() {
			b.Errorf("%v", r.err)
		}
	})
	in(t, "prompt id not in the table", uicPad, driver.Opts{Dialect: driver.UIC, Packet: driver.Z60, PromptID: "101"}, func(b *bench) {
		r := <-b.enter(b.Context(), b.entry())
		wantErr(b, r.err, nil, "no such prompt")
	})
	in(t, "tampered", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		_ = b.pad.SetFault(pinpad.FaultTampered, true)
		r := <-b.enter(b.Context(), b.entry())
		wantErr(b, r.err, driver.ErrEndedByPad, "")
		if s, err := b.dev.Serial(b.Context()); err != nil || s == "" {
			b.Errorf("serial number: %v", err)
		}
		if got := b.pad.Display()[0]; got != "OUT OF ORDER" {
			b.Errorf("display %q", got)
		}
		_ = b.pad.SetFault(pinpad.FaultTampered, false)
		b.works()
	})
	in(t, "bad arguments are not sent", pinpad.Options{}, driver.Opts{}, func(b *bench) {
		for _, r := range []vault.PINEntry{{PAN: "1234567"}, {PAN: "12345678901234567890"}, {PAN: "4012345\x1c78909"}, {}} {
			_, err := b.dev.EnterPIN(b.Context(), unhex(b, encSK), r)
			wantErr(b, err, driver.ErrRequest, "card number")
		}
		_, err := b.dev.EnterPIN(b.Context(), make([]byte, 24), b.entry())
		wantErr(b, err, driver.ErrRequest, "24 bytes")
		_, err = b.dev.MAC(b.Context(), nil, nil)
		wantErr(b, err, driver.ErrRequest, "0 bytes")
		_, err = b.dev.MAC(b.Context(), unhex(b, encSK), make([]byte, 11201))
		wantErr(b, err, driver.ErrRequest, "too long")
		_, err = b.dev.Loaded(b.Context(), 'H')
		wantErr(b, err, driver.ErrRequest, "slot")
		wantErr(b, b.dev.Select(b.Context(), 'B'), driver.ErrRequest, "slot")
		wantErr(b, b.dev.LoadMasterKey(b.Context(), '0', make([]byte, 16)), driver.ErrRequest, "16 bytes")
		wantErr(b, b.dev.Show(b.Context(), "\x1c\n"), driver.ErrRequest, "nothing")
		if b.line.Opened() > 1 {
			b.Error("opened more than once")
		}
	})
}

// The UnionPay MAC through a pad that holds the TMK of the published field 62 equals the one from the clear MAK.
func TestUnionPayMACInPad(t *testing.T) {
	for _, d := range []struct {
		pad pinpad.Dialect
		dev driver.Dialect
	}{{pinpad.VF, driver.VF}, {pinpad.UIC, driver.UIC}} {
		in(t, fmt.Sprint("dialect ", d.pad), pinpad.Options{TMK: pinpad.UnionPayTestTMK, Dialect: d.pad}, driver.Opts{Dialect: d.dev}, func(b *bench) {
			keys, err := vault.Open(b.TempDir(), b.dev, vault.Options{})
			if err != nil {
				b.Fatal(err)
			}
			w := vault.WorkingKeys{
				PIN: vault.Cryptogram{Enc: unhex(b, "6701EAD6A9AD51E51AA406E2C27FCFA9"), KCV: unhex(b, "8D0A74B8")},
				MAC: vault.Cryptogram{Enc: unhex(b, "B651F9E9BACE9AE1"), KCV: unhex(b, "AB7153CA")},
			}
			bad := w
			bad.MAC.KCV = unhex(b, "AB7153CB")
			if err := keys.Install(b.Context(), bad); !errors.Is(err, vault.ErrKCV) || keys.Ready() {
				b.Errorf("wrong check value: %v", err)
			}
			if err := keys.Install(b.Context(), w); err != nil {
				b.Fatal(err)
			}
			mak := unhex(b, "5BB5C72CD00B7338")
			// An 0200 from its type to field 63, in the form of the direct connection; the length is no multiple of eight.
			mab := unhex(b, "0200703C048020C0983119622202020011223344000000000000001234000042301205100000"+
				"37622202020011223344D30122011234567890003132333435363738303030303030303030303030303031313536"+
				"FB54E34996C8BFF22600000000000000000822000001000500")
			fold := vault.FoldECB(mab)
			got, err := keys.MAC(b.Context(), fold[:])
			if err != nil {
				b.Fatal(err)
			}
			want, err := vault.MAC1(mak, fold[:], vault.Padding1)
			if err != nil || got != want {
				b.Errorf("MAC in the pad %X, from the clear key %X (%v)", got, want, err)
			}
			ch := make(chan result, 1)
			go func() {
				pb, err := keys.EnterPIN(b.Context(), b.entry())
				ch <- result{pb, err}
			}()
			for !b.pad.Entering() {
				time.Sleep(time.Second / 10)
			}
			b.press("123456\r")
			r := <-ch
			if r.err != nil {
				b.Fatal(r.err)
			}
			plain, err := vault.DecryptECB(unhex(b, "807A23AD32B36D457AE91FDF927570EA"), r.pb.Block[:])
			if err != nil {
				b.Fatal(err)
			}
			if pin, err := vault.DecodePIN([8]byte(plain), pan); err != nil || pin != "123456" {
				b.Error("the host cannot decode the PIN block")
			}
		})
	}
}
