package pinpad

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal/pinpad/padtest"
	"posd/internal/money"
	"posd/vault"
)

// play runs f against a pad that follows a transcript: "> bytes" it must receive, "< bytes" it sends, "wait 2s" it does nothing.
// Bytes are text with \x escapes.
func play(t *testing.T, o *Opts, transcript []string, f func(d *Dev)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		line := padtest.New()
		dev := line.Device()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i, step := range transcript {
				verb, arg, _ := strings.Cut(step, " ")
				switch verb {
				case "<":
					_, _ = dev.Write([]byte(arg))
				case "wait":
					d, err := time.ParseDuration(arg)
					if err != nil {
						panic(err)
					}
					time.Sleep(d)
				case ">":
					got := make([]byte, 0, len(arg))
					_ = dev.SetReadDeadline(time.Now().Add(time.Minute))
					for len(got) < len(arg) {
						b := make([]byte, len(arg)-len(got))
						n, err := dev.Read(b)
						if err != nil {
							t.Errorf("step %d: got %q, want %q: %v", i, got, arg, err)
							return
						}
						got = append(got, b[:n]...)
					}
					if string(got) != arg {
						t.Errorf("step %d: got %q, want %q", i, got, arg)
					}
				}
			}
			_ = dev.SetReadDeadline(time.Now().Add(time.Minute))
			b := make([]byte, 64)
			if n, err := dev.Read(b); err == nil {
				t.Errorf("after the transcript: %q", b[:n])
			}
		}()
		d := New(line.Open, o)
		f(d)
		<-done
	})
}

// first is how the first call after opening begins.
var first = []string{"> \x0272\x03\x06", "< \x06"}

func TestTranscripts(t *testing.T) {
	ctx := context.Background()
	des := unhexT(t, "0123456789ABCDEF")
	load := "\x0f0200123456789ABCDEF\x0e\x3a"
	ask := []string{"> \x0f040\x0e:", "< \x06\x0f04F\x0eL", "> \x06", "< \x04", "> \x0f080\x0e6", "< \x06\x04"}
	pik := unhexT(t, "4F17866366ACA0F653E180FE366C0C73")
	req := "> \x02Z60.4012345678909\x1c4F17866366ACA0F653E180FE366C0C73\x03S"
	pinWant := func(want error, also error) func(d *Dev) {
		return func(d *Dev) {
			pb, err := d.EnterPIN(ctx, pik, vault.PINEntry{PAN: "4012345678909", Timeout: 30 * time.Second})
			if want == nil && (err != nil || pb.Block != [8]byte(unhexT(t, "FB54E34996C8BFF2"))) || want != nil && !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			if also != nil && !errors.Is(err, also) {
				t.Errorf("%v, want %v", err, also)
			}
			if want != nil && pb != (vault.PINBlock{}) {
				t.Error("a block together with an error")
			}
		}
	}
	prompt := []string{"> " + string(appendFrame(nil, false, []byte("Z2\x1aENTER PIN"))), "< \x06"}
	pin := append(append([]string(nil), ask...), prompt...)
	after := []string{"> \x0272\x03\x06", "< \x06"}
	for _, c := range []struct {
		name  string
		o     *Opts
		steps [][]string
		f     func(d *Dev)
	}{
		{"load, stored", nil, [][]string{first, {"> " + load, "< \x06" + load, "> \x06", "< \x04"}}, func(d *Dev) {
			if err := d.LoadMasterKey(ctx, '0', des); err != nil {
				t.Error(err)
			}
		}},
		{"load, echo of another key", nil, [][]string{first, {"> " + load, "< \x06\x0f0200123456789ABCDEE\x0e\x39", "> \x04"}}, func(d *Dev) {
			if err := d.LoadMasterKey(ctx, '0', des); !errors.Is(err, ErrEcho) || strings.Contains(err.Error(), "0123") {
				t.Error(err)
			}
		}},
		{"PIN", &Opts{Packet: Z60}, [][]string{first, pin, {req, "< \x06", "wait 5s", "< \x0271.00401FB54E34996C8BFF2\x03d", "> \x06"}}, pinWant(nil, nil)},
		{"no master key", &Opts{Packet: Z60}, [][]string{first, pin, {req, "< \x06\x02711\x034", "> \x06"}}, pinWant(ErrNoMasterKey, vault.ErrPad)},
		{"slot empty", &Opts{Packet: Z60}, [][]string{first, {"> \x0f040\x0e:", "< \x06\x0f040\x0e:", "> \x06", "< \x04"}}, pinWant(ErrNoMasterKey, vault.ErrPad)},
		{"no EOT after 04", nil, [][]string{first, {"> \x0f040\x0e:", "< \x06\x0f04F\x0eL", "> \x06"}}, func(d *Dev) {
			if there, err := d.Loaded(ctx, '0'); err != nil || !there {
				t.Error(there, err)
			}
		}},
		{"cardholder cancels", &Opts{Packet: Z60}, [][]string{first, pin, {req, "< \x06", "wait 20s", "< \x04"}, after}, pinWant(vault.ErrPINCancelled, ErrEndedByPad)},
		{"pad times out", &Opts{Packet: Z60}, [][]string{first, pin, {req, "< \x06", "wait 30s"}, {"> \x0272\x03\x06", "< \x04"}}, pinWant(vault.ErrPINTimeout, nil)},
		{"never repeated", &Opts{Packet: Z60}, [][]string{first, pin, {req, "wait 2s"}, after}, pinWant(ErrUncertain, vault.ErrPad)},
		{"answer of another request", &Opts{Packet: Z60}, [][]string{first, pin, {req, "< \x0271.00401FB54E34996C8BFF2\x03d", "> \x04"}, after}, pinWant(ErrUncertain, vault.ErrPad)},
		{"answer damaged three times", &Opts{Packet: Z60}, [][]string{first, pin, {
			req, "< \x06\x0271.00401FB54E34996C8BFF2\x03e", "> \x15", "< \x0271.00401FB54E34996C8BFF2\x03e", "> \x15", "< \x0271.00401FB54E34996C8BFF2\x03e", "> \x04",
		}, after}, pinWant(ErrLine, vault.ErrPad)},
		{"pad gives up after NAK", &Opts{Packet: Z60}, [][]string{first, pin, {req, "< \x06\x0271.00401FB54E34996C8BFF2\x03e", "> \x15", "< \x04"}, after}, pinWant(ErrLine, vault.ErrPad)},
		{"three NAKs", nil, [][]string{first, {"> \x0f11\x0e\x0e", "< \x15", "> \x0f11\x0e\x0e", "< \x15", "> \x0f11\x0e\x0e", "< \x15", "> \x04"}, after}, func(d *Dev) {
			if err := d.Ping(ctx); !errors.Is(err, ErrLine) || !errors.Is(err, vault.ErrPad) {
				t.Error(err)
			}
		}},
		{"silence", nil, [][]string{{"> \x0272\x03\x06", "> \x0f11\x0e\x0e", "> \x0f11\x0e\x0e", "> \x0f11\x0e\x0e"}}, func(d *Dev) {
			if err := d.Ping(ctx); !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "cable") {
				t.Error(err)
			}
		}},
		{"MAC refused", &Opts{MACSlot: 'B'}, [][]string{first, {"> " + string(appendFrame(nil, false, []byte("Z66600B\x1c4F17866366ACA0F653E180FE366C0C73\x1c\x1c4100000000000000"))), "< \x06\x02Z679\x03a", "> \x06"}}, func(d *Dev) {
			var code *CodeError
			if _, err := d.MAC(ctx, pik, []byte("A")); !errors.As(err, &code) || code.Code != '9' || code.Packet != "Z67" {
				t.Error(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var steps []string
			for _, s := range c.steps {
				steps = append(steps, s...)
			}
			play(t, c.o, steps, c.f)
		})
	}
}

func TestAmountOnThePad(t *testing.T) {
	o := New(nil, nil).o
	for _, c := range []struct {
		a    money.Amount
		want string
	}{
		{money.Yuan(1234), "CNY 12.34 ENTER PIN"},
		{money.Amount{Minor: 1234, Currency: money.JPY}, "JPY 1234 ENTER PIN"},
		{money.Amount{}, "ENTER PIN"},
	} {
		if got := o.Prompt(vault.PINEntry{Amount: c.a}); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := printable("密码\x1c\x03 PIN " + strings.Repeat("x", 100)); len(got) != 64 || !strings.HasPrefix(got, " PIN x") {
		t.Errorf("%q", got)
	}
	if s := fmt.Sprint(New(nil, nil)); s != "pinpad" {
		t.Error(s)
	}
}
