package txn

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"testing"
	"testing/synctest"
	"time"

	"posd/emv"
	"posd/internal/money"
	"posd/journal"
	"posd/keypad"
	"posd/vault"
)

// oddPad is a PIN pad and a reader with a keypad that do as a test wants.
type oddPad struct {
	Keys
	do func(context.Context) error
}

func (p oddPad) EnterPIN(ctx context.Context, _ vault.PINEntry) (vault.PINBlock, error) {
	return vault.PINBlock{Block: [8]byte{9}}, p.do(ctx)
}

func (p oddPad) VerifyPIN(ctx context.Context, _ vault.CardPIN) (uint16, error) {
	return 0x9000, p.do(ctx)
}

// The operator's own cancel key ends a PIN entry, also when the pad is dead; a PIN that came at the same moment is not used.
func TestOperatorCancelsPIN(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(context.Context, func()) error
	}{
		{"dead pad", func(ctx context.Context, press func()) error {
			press()
			select {
			case <-ctx.Done():
				return fmt.Errorf("%w: %w", vault.ErrPad, ctx.Err())
			case <-time.After(time.Hour):
				return vault.ErrPINTimeout
			}
		}},
		{"at the same moment", func(_ context.Context, press func()) error { press(); return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, term, p := quietDay(t, nil)
				console := watch(w, term)
				pad := oddPad{term.Keys, func(ctx context.Context) error {
					return c.do(ctx, func() {
						if console.press != nil {
							console.press(keypad.ErrCancelled)
						}
					})
				}}
				term.Keys, term.CardPIN = pad, pad
				p.seen = nil
				began := time.Now()
				if code := problemCode(t, term.SaleByCard(t.Context(), money.Yuan(12345))); code != "C00" {
					t.Errorf("online: %s", code)
				}
				if _, err := w.j.Last(nil); !errors.Is(err, journal.ErrNotFound) || len(p.seen) != 0 { // invariant 24
					t.Errorf("online: the host saw %v", p.seen)
				}
				h := &cardholder{t: term, amount: money.Yuan(12345)}
				if _, err := h.OnlinePIN(t.Context(), emv.PINRequest{PAN: testPAN}); !errors.Is(err, emv.ErrCancelled) || h.block != nil {
					t.Errorf("online: %v, block %v", err, h.block != nil)
				}
				if a, err := h.OfflinePIN(t.Context(), emv.OfflinePINRequest{}); !errors.Is(err, emv.ErrCancelled) || a.Outcome == emv.PINEntered || a.SW == 0x9000 {
					t.Errorf("offline: %+v, %v", a, err)
				}
				if d := time.Since(began); d > time.Second {
					t.Errorf("it took %v", d)
				}
			})
		})
	}
}

// Book 4, 11.1: what the cardholder chooses from is in the first language of the card that the terminal has; everything else, the display
// during PIN entry included, is the operator's.
func TestCardholdersLanguage(t *testing.T) {
	for _, c := range []struct {
		codes []string
		want  keypad.Lang
	}{
		{[]string{"en"}, keypad.EN},
		{[]string{"en", "zh"}, keypad.EN},
		{[]string{"fr", "xx", "en"}, keypad.EN},
		{[]string{"zh", "en"}, keypad.ZH},
		{[]string{"fr", "de"}, ""},
		{[]string{""}, ""},
		{nil, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, term, _ := quietDay(t, nil)
			console := watch(w, term)
			term.Kernel = fickle{Kernel: term.Kernel, before: func(ch emv.Cardholder) {
				ch.(emv.Polyglot).PreferLanguages([]string{"en"}) // of an application that was looked at before
				ch.(emv.Polyglot).PreferLanguages(c.codes)
				if i, err := ch.Choose(t.Context(), []emv.Candidate{{Label: "DEBIT"}, {Label: "CREDIT"}}); i != 0 || err != nil {
					t.Errorf("%d, %v", i, err)
				}
			}}
			if err := term.SaleByCard(t.Context(), money.Yuan(12345)); err != nil {
				t.Fatal(err)
			}
			if len(console.menus) != 1 || console.menus[0].Lang != c.want {
				t.Errorf("%v: menu %+v", c.codes, console.menus)
			}
			for _, s := range w.screens {
				if s.Lang != "" {
					t.Errorf("%v: screen %q is in %q", c.codes, s.Name, s.Lang)
				}
			}
			if w.paper[0].r.Lang != "zh" {
				t.Errorf("paper in %q", w.paper[0].r.Lang)
			}
		})
	}
}

// picture is a display that keeps what it shows.
type picture struct{ *image.RGBA }

func (p picture) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	draw.Draw(p.RGBA, r, src, sp, draw.Src)
	return nil
}

// On the display: the choice for a card that prefers English is that of an English terminal, the next screen is in Chinese again.
func TestCardholdersLanguageOnTheDisplay(t *testing.T) {
	show := func(lang keypad.Lang, prefers []string, then bool) string {
		p := picture{image.NewRGBA(image.Rect(0, 0, 480, 320))}
		term := newWorld(nil).terminal()
		keys := make(chan keypad.Key)
		close(keys) // the menu is drawn, and nobody chooses
		term.Console = keypad.New(keys, p, keypad.Options{Lang: lang, Now: stamp})
		h := &cardholder{t: term, amount: money.Yuan(12345)}
		h.PreferLanguages([]string{"fr"})
		h.PreferLanguages(prefers)
		if _, err := h.Choose(t.Context(), []emv.Candidate{{Label: "DEBIT"}, {Label: "CREDIT"}}); err == nil {
			t.Error("chosen without keys")
		}
		if then {
			term.Console.Show(busy("reading", keypad.CardReading, &h.amount))
		}
		return string(p.Pix)
	}
	english := []string{"en"}
	if show(keypad.ZH, english, false) != show(keypad.EN, nil, false) || show(keypad.ZH, nil, false) == show(keypad.EN, nil, false) {
		t.Error("the choice is not in the cardholder's language")
	}
	if show(keypad.EN, []string{"zh"}, false) != show(keypad.ZH, nil, false) {
		t.Error("the choice is not in Chinese on an English terminal")
	}
	if show(keypad.ZH, english, true) != show(keypad.ZH, nil, true) || show(keypad.ZH, nil, true) == show(keypad.EN, nil, true) {
		t.Error("the next screen is not in the operator's language")
	}
}
