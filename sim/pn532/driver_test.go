package pn532_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"posd/hal"
	driver "posd/hal/pn532"
	"posd/sim/pn532"
)

var (
	cardA   = pn532.Target{}
	cardB   = pn532.Target{B: true}
	classic = pn532.Target{SAK: 0x08, UID: []byte{1, 2, 3, 4}}
)

func TestActivation(t *testing.T) {
	for _, c := range []struct {
		name   string
		target pn532.Target
		typ    byte
	}{
		{"type A, 4 byte UID", cardA, 'A'},
		{"type A, 7 byte UID", pn532.Target{UID: []byte{4, 1, 2, 3, 4, 5, 6}, ATQA: [2]byte{0x00, 0x44}}, 'A'},
		{"type A, 10 byte UID", pn532.Target{UID: []byte{4, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, 'A'},
		{"type A, ATS of its length alone", pn532.Target{ATS: []byte{1}}, 'A'},
		{"type A, long ATS", pn532.Target{ATS: append([]byte{20, 0x78, 0x80, 0x70, 0x02}, make([]byte, 15)...)}, 'A'},
		{"type A with MIFARE and ISO 14443-4", pn532.Target{SAK: 0x28}, 'A'},
		{"type B", cardB, 'B'},
	} {
		t.Run(c.name, func(t *testing.T) {
			on(t, nil, func(t *testing.T, r rig) {
				card := &chip{}
				c.target.Card = card
				r.Tap(c.target)
				k, err := r.dev.Activate(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if k.Type() != c.typ {
					t.Errorf("type %c", k.Type())
				}
				out, err := k.Transceive(t.Context(), ppse)
				if err != nil || !bytes.HasSuffix(out, []byte{0x90, 0x00}) {
					t.Errorf("% X, %v", out, err)
				}
			})
		})
	}
}

func TestCollision(t *testing.T) {
	for _, c := range []struct {
		name string
		two  []pn532.Target
	}{
		{"two of type A", []pn532.Target{cardA, cardA}},
		{"two of type B", []pn532.Target{cardB, cardB}},
		{"one of each type", []pn532.Target{cardA, cardB}},
		{"three", []pn532.Target{cardA, cardA, cardB}},
		{"a payment card and another", []pn532.Target{classic, cardA}},
	} {
		t.Run(c.name, func(t *testing.T) {
			on(t, nil, func(t *testing.T, r rig) {
				for _, k := range c.two {
					r.Tap(k)
				}
				for range 2 { // it is said again as long as it is so
					if _, err := r.dev.Activate(t.Context()); err != driver.ErrCollision {
						t.Errorf("%v", err)
					}
					if r.Field() {
						t.Error("the field is on")
					}
				}
				r.TakeAll()
				r.sale(t, c.two[len(c.two)-1])
			})
		})
	}
}

// TestPassedOver: cards that cannot pay are not activated, and do not keep the next one out.
func TestPassedOver(t *testing.T) {
	for _, c := range []struct {
		name   string
		target pn532.Target
		fault  string
	}{
		{"no ISO 14443-4, type A", classic, ""},
		{"no ISO 14443-4, type B", pn532.Target{B: true, ATQB: dehex(t, "50 01020304 00000000 0080C1")}, ""},
		{"UID of five bytes", pn532.Target{UID: []byte{1, 2, 3, 4, 5}}, ""},
		{"ATS longer than the answer", cardA, pn532.FaultBadATS},
		{"ATQB that is none", pn532.Target{B: true, ATQB: dehex(t, "51 01020304 00000000 0081C1")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			on(t, nil, func(t *testing.T, r rig) {
				if c.fault != "" {
					_ = r.SetFault(c.fault, true)
				}
				id := r.Tap(c.target)
				time.AfterFunc(3*time.Second, func() {
					r.Take(id)
					if c.fault != "" {
						_ = r.SetFault(c.fault, false)
					}
				})
				start := time.Now()
				r.sale2(t, 4*time.Second, cardA)
				if took := time.Since(start); took < 4*time.Second || took > 5*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// sale2 is a sale whose customer comes later.
func (r rig) sale2(t *testing.T, after time.Duration, target pn532.Target) {
	t.Helper()
	card := &chip{}
	target.Card = card
	time.AfterFunc(after, func() { r.Tap(target) })
	k, err := r.dev.Activate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Transceive(t.Context(), ppse); err != nil || len(card.got()) != 1 {
		t.Errorf("%v, %d commands", err, len(card.got()))
	}
}

func TestNobodyComes(t *testing.T) {
	on(t, nil, func(t *testing.T, r rig) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := r.dev.Activate(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if took := time.Since(start); took > 61*time.Second {
			t.Errorf("took %v", took)
		}
		if r.Field() {
			t.Error("the field is on")
		}
		r.sale(t, cardA)
	})
}

func TestLongAPDUs(t *testing.T) {
	on(t, nil, func(t *testing.T, r rig) {
		card := &chip{}
		r.Tap(pn532.Target{Card: card})
		k, err := r.dev.Activate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{4, 5, 253, 254, 255, 261, 262, 263, 523, 524, 525, 1000, 4096} {
			for _, m := range []int{0, 1, 250, 251, 252, 256, 260, 261, 262, 522, 523, 3000} {
				in, want := bytes.Repeat([]byte{byte(n)}, n), append(bytes.Repeat([]byte{byte(m)}, m), 0x90, 0x00)
				card.say = func(apdu []byte) []byte {
					if !bytes.Equal(apdu, in) {
						t.Errorf("%d bytes arrived as %d", len(in), len(apdu))
					}
					return want
				}
				out, err := k.Transceive(t.Context(), in)
				if err != nil || !bytes.Equal(out, want) {
					t.Fatalf("%d bytes to the card, %d back: %d, %v", n, m, len(out), err)
				}
			}
		}
	})
	on(t, nil, func(t *testing.T, r rig) {
		for _, n := range []int{0, 3, 70000} {
			r.Tap(pn532.Target{Card: &chip{}})
			k, err := r.dev.Activate(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := k.Transceive(t.Context(), make([]byte, n)); err == nil {
				t.Errorf("a command of %d bytes was sent", n)
			}
			r.TakeAll()
		}
	})
}

// TestLineFaults: what goes wrong once between driver and chip is not noticed, and the card does nothing twice.
func TestLineFaults(t *testing.T) {
	for _, fault := range []string{
		pn532.FaultNoACK, pn532.FaultACKLost, pn532.FaultNAK, pn532.FaultSumOnce, pn532.FaultHalf, pn532.FaultGarbage,
	} {
		t.Run(fault, func(t *testing.T) {
			on(t, nil, func(t *testing.T, r rig) {
				if fault == pn532.FaultGarbage {
					_ = r.SetFault(fault, true)
				}
				card := &chip{}
				r.Tap(pn532.Target{Card: card})
				_ = r.SetFault(fault, true) // in the setting up
				k, err := r.dev.Activate(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for i := range 4 {
					_ = r.SetFault(fault, true)
					apdu := []byte{0x00, 0xB2, byte(i), 0x0C, 0x00}
					out, err := k.Transceive(t.Context(), apdu)
					if err != nil || !bytes.Equal(out, append(apdu, 0x90, 0x00)) {
						t.Fatalf("exchange %d: % X, %v", i, out, err)
					}
				}
				if n := len(card.got()); n != 4 {
					t.Errorf("the card heard %d commands of 4", n)
				}
				r.TakeAll()
				_ = r.SetFault(fault, false)
				r.sale(t, cardB)
			})
		})
	}
}

// TestBroken: what cannot be mended is a typed error in bounded time, and the next customer is served when it is over.
func TestBroken(t *testing.T) {
	long := driver.DefaultOpts.Exchange + 5*time.Second
	for _, c := range []struct {
		fault string
		want  error
		most  time.Duration
	}{
		{pn532.FaultDead, driver.ErrReader, time.Second},
		{pn532.FaultRefuse, driver.ErrReader, time.Second},
		{pn532.FaultChecksum, driver.ErrReader, 2 * time.Second},
		{pn532.FaultMute, driver.ErrTimeout, time.Second},
		{pn532.FaultRF, driver.ErrTransmission, time.Second},
		{pn532.FaultBroken, driver.ErrProtocol, time.Second},
		{pn532.FaultTear, driver.ErrTimeout, time.Second},
		{pn532.FaultTearAC, driver.ErrTimeout, time.Second},
		{"endless waiting time extensions", driver.ErrTimeout, long},
		{"response of one byte", driver.ErrProtocol, time.Second},
		{"no response", driver.ErrTimeout, time.Second},
		{"cut", nil, time.Second},
		{"cut while the card thinks", nil, 4 * time.Second}, // a chip that is not polled is missed when its answer is
	} {
		t.Run(c.fault, func(t *testing.T) {
			on(t, nil, func(t *testing.T, r rig) {
				card := &chip{}
				target := pn532.Target{Card: card}
				switch c.fault {
				case "endless waiting time extensions":
					target.Slow = time.Hour
				case "response of one byte":
					card.say = func([]byte) []byte { return []byte{0x90} }
				case "no response":
					card.say = func([]byte) []byte { return nil }
				case "cut while the card thinks":
					target.Slow = 3 * time.Second
				}
				r.Tap(target)
				k, err := r.dev.Activate(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				switch c.fault {
				case "cut":
					r.cut()
				case "cut while the card thinks":
					time.AfterFunc(time.Second, r.cut)
				default:
					_ = r.SetFault(c.fault, true) // fails for those that are the card's own
				}
				start := time.Now()
				out, err := k.Transceive(t.Context(), ppse)
				switch {
				case err == nil:
					t.Errorf("% X", out)
				case c.want != nil && !errors.Is(err, c.want):
					t.Errorf("%v, want %v", err, c.want)
				case c.want == nil && !errors.Is(err, hal.ErrUnplugged) && !errors.Is(err, lineCut{}):
					t.Errorf("%v is not the line's error", err)
				}
				if took := time.Since(start); took > c.most {
					t.Errorf("took %v", took)
				}
				if _, err := k.Transceive(t.Context(), ppse); !errors.Is(err, driver.ErrGone) {
					t.Errorf("after it: %v", err)
				}
				if c.want == nil || c.fault == pn532.FaultDead {
					if _, err := r.dev.Activate(t.Context()); err == nil {
						t.Error("activated over a line that is cut")
					}
				}
				r.TakeAll()
				_ = r.SetFault(c.fault, false)
				r.mend()
				r.sale(t, cardA)
				r.sale(t, cardB)
			})
		})
	}
}

// TestTear takes the card away at every exchange, before and after it has carried the command out.
func TestTear(t *testing.T) {
	const exchanges = 5
	for n := 1; n <= exchanges+1; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("at %d, after %v", n, after), func(t *testing.T) {
				on(t, nil, func(t *testing.T, r rig) {
					card := &chip{}
					r.Tap(pn532.Target{Card: card})
					k, err := r.dev.Activate(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					r.TearAt(n, after)
					done := 0
					for err == nil && done < exchanges {
						if _, err = k.Transceive(t.Context(), ppse); err == nil {
							done++
						}
					}
					if n > exchanges {
						r.TearAt(0, false)
					} else if !errors.Is(err, driver.ErrTimeout) {
						t.Errorf("%v", err)
					}
					heard := min(n-1, exchanges)
					if done != heard {
						t.Errorf("%d exchanges went well, want %d", done, heard)
					}
					if after && n <= exchanges {
						heard++
					}
					if len(card.got()) != heard {
						t.Errorf("the card heard %d commands, want %d", len(card.got()), heard)
					}
					r.TakeAll()
					r.sale(t, cardA)
				})
			})
		}
	}
}

// TestDeadline: the context ends an exchange at once, and the chip is free for the next customer.
func TestDeadline(t *testing.T) {
	on(t, nil, func(t *testing.T, r rig) {
		r.Tap(pn532.Target{Card: &chip{}, Slow: 8 * time.Second})
		k, err := r.dev.Activate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := k.Transceive(ctx, ppse); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if took := time.Since(start); took > 300*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if _, err := k.Transceive(t.Context(), ppse); !errors.Is(err, driver.ErrGone) {
			t.Error(err)
		}
		r.TakeAll()
		r.sale(t, cardA)
	})
}

// TestSlowCard: waiting time extensions are the chip's; the driver waits.
func TestSlowCard(t *testing.T) {
	on(t, nil, func(t *testing.T, r rig) {
		r.sale(t, pn532.Target{Slow: 9 * time.Second})
		_ = r.SetFault(pn532.FaultSlow, true)
		r.sale(t, cardB)
	})
}

func TestFieldOff(t *testing.T) {
	on(t, nil, func(t *testing.T, r rig) {
		card := &chip{}
		r.Tap(pn532.Target{Card: card})
		k, err := r.dev.Activate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := r.dev.Off(t.Context(), 1300*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); r.Field() || took > 100*time.Millisecond {
			t.Errorf("field %v after %v", r.Field(), took)
		}
		if _, err := k.Transceive(t.Context(), ppse); !errors.Is(err, driver.ErrGone) {
			t.Error(err)
		}
		if _, err := r.dev.Activate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 1300*time.Millisecond || took > 1500*time.Millisecond {
			t.Errorf("the field was on again after %v", took)
		}
		if card.resets == 0 {
			t.Error("the card was not reset")
		}
	})
}

// TestActivateAgain: each activation begins with a reset of the field: a card that was active or deselected is found again, and the one
// that was handed out before is gone.
func TestActivateAgain(t *testing.T) {
	for _, target := range []pn532.Target{cardA, cardB} {
		on(t, nil, func(t *testing.T, r rig) {
			card := &chip{}
			target.Card = card
			r.Tap(target)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			first, err := r.dev.Activate(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := first.Transceive(ctx, ppse); err != nil {
				t.Fatal(err)
			}
			resets := card.resets
			second, err := r.dev.Activate(ctx)
			if err != nil || card.resets == resets {
				t.Fatalf("%v, %d resets", err, card.resets-resets)
			}
			if _, err := first.Transceive(ctx, ppse); !errors.Is(err, driver.ErrGone) {
				t.Error(err)
			}
			if _, err := second.Transceive(ctx, ppse); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWaitRemoved(t *testing.T) {
	for _, c := range []struct {
		name   string
		target pn532.Target
		asked  bool // without a reset of the field
		before func(t *testing.T, r rig, k *driver.Card)
	}{
		{"after activation, type A", cardA, true, func(*testing.T, rig, *driver.Card) {}},
		{"after activation, type B", cardB, true, func(*testing.T, rig, *driver.Card) {}},
		{"after one exchange", cardA, true, func(t *testing.T, _ rig, k *driver.Card) { _, _ = k.Transceive(t.Context(), ppse) }},
		{"after two", cardA, true, func(t *testing.T, _ rig, k *driver.Card) {
			_, _ = k.Transceive(t.Context(), ppse)
			_, _ = k.Transceive(t.Context(), ppse)
		}},
		{"after the field was off", cardB, false, func(t *testing.T, r rig, _ *driver.Card) { _ = r.dev.Off(t.Context(), 0) }},
		{"after a transmission error", cardA, false, func(t *testing.T, r rig, k *driver.Card) {
			_ = r.SetFault(pn532.FaultRF, true)
			_, _ = k.Transceive(t.Context(), ppse)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			on(t, nil, func(t *testing.T, r rig) {
				card := &chip{}
				c.target.Card = card
				id := r.Tap(c.target)
				k, err := r.dev.Activate(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				c.before(t, r, k)
				start := time.Now()
				resets := card.resets
				time.AfterFunc(4900*time.Millisecond, func() {
					card.mu.Lock()
					defer card.mu.Unlock()
					if asked := card.resets == resets; asked != c.asked {
						t.Errorf("asked whether it is there: %v; %d resets", asked, card.resets-resets)
					}
				})
				time.AfterFunc(5*time.Second, func() { r.Take(id) })
				if err := r.dev.WaitRemoved(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took < 5*time.Second || took > 6*time.Second || r.Field() {
					t.Errorf("took %v, field %v", took, r.Field())
				}
				r.sale(t, cardA)
			})
		})
	}
	t.Run("it stays", func(t *testing.T) {
		on(t, nil, func(t *testing.T, r rig) {
			r.Tap(pn532.Target{Card: &chip{}})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := r.dev.WaitRemoved(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	})
}

func TestFirmware(t *testing.T) {
	on(t, nil, func(t *testing.T, r rig) {
		f, err := r.dev.Firmware(t.Context())
		if err != nil || f != (driver.Firmware{IC: 0x32, Version: 1, Revision: 6, Support: 7}) {
			t.Errorf("%v, %v", f, err)
		}
		if err := r.dev.Close(); err != nil {
			t.Error(err)
		}
		if _, err := r.dev.Activate(t.Context()); err != driver.ErrClosed {
			t.Error(err)
		}
		if err := r.dev.Close(); err != driver.ErrClosed {
			t.Error(err)
		}
	})
}
