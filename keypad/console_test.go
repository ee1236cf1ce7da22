package keypad

import (
	"bytes"
	"context"
	"errors"
	"image"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"posd/internal/money"
)

// lcd is a display that counts.
type lcd struct {
	mu    sync.Mutex
	draws int
	last  *image.RGBA
	err   error
}

func (*lcd) Bounds() image.Rectangle { return image.Rect(0, 0, 320, 240) }

func (d *lcd) Draw(dst image.Rectangle, src image.Image, sp image.Point) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.draws++
	c := *src.(*image.RGBA)
	c.Pix = bytes.Clone(c.Pix)
	d.last = &c
	return d.err
}

func (d *lcd) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.draws
}

type desk struct {
	*Console
	keys chan Key
	lcd  *lcd
	log  *bytes.Buffer
}

func newDesk(o Options) *desk {
	d := &desk{keys: make(chan Key, 8), lcd: &lcd{}, log: &bytes.Buffer{}}
	o.Log = zerolog.New(d.log)
	d.Console = New(d.keys, d.lcd, o)
	return d
}

// press types keys, each as soon as the console waits for it.
func (d *desk) press(keys string) {
	go func() {
		for _, k := range keys {
			synctest.Wait()
			d.keys <- Key(k)
		}
	}()
}

// during runs f in virtual time.
func during(t *testing.T, f func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newDesk(Options{})) })
}

func TestAmount(t *testing.T) {
	prompt := AmountPrompt{Title: T(AmountTitle), Currency: money.CNY, Max: 5000000}
	for _, c := range []struct {
		name, keys string
		first      Key
		max        int64
		want       int64
		err        error
	}{
		{"digits from the right", "1250\r", 0, 0, 1250, nil},
		{"first digit from the idle screen", "250\r", '1', 0, 1250, nil},
		{"double zero", "12*\r", 0, 0, 1200, nil},
		{"correct", "129\b50\r", 0, 0, 1250, nil},
		{"correct beyond the beginning", "\b\b\b5\r", 0, 0, 5, nil},
		{"leading zeros", "0007\r", 0, 0, 7, nil},
		{"enter with nothing is refused", "\r\r5\r", 0, 0, 5, nil},
		{"beyond the limit Enter takes nothing", "50000001\r\r", 0, 0, 0, ErrTimeout},
		{"beyond the limit, corrected", "50000001\r\b\r", 0, 0, 5000000, nil},
		{"beyond the limit no digit counts until Clear", "500000012\b\b\r", 0, 0, 500000, nil},
		{"beyond the limit by double zero", "50001*\b\r", 0, 0, 50001, nil},
		{"the limit itself", "5000000\r", 0, 0, 5000000, nil},
		{"first digit beyond the limit", "\b5\r", '9', 5, 5, nil},
		{"no limit: twelve digits", "9999999999999\b\r", 0, -1, 999999999999, nil},
		{"keys that mean nothing", "1MUDab#2\r", 0, 0, 12, nil},
		{"cancel", "12\x1b", 0, 0, 0, ErrCancelled},
		{"time", "12", 0, 0, 0, ErrTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			during(t, func(t *testing.T, d *desk) {
				p := prompt
				p.First = c.first
				if c.max != 0 {
					p.Max = c.max
				}
				d.press(c.keys)
				got, err := d.Amount(t.Context(), p)
				if got != c.want || !errors.Is(err, c.err) {
					t.Errorf("got %d, %v; want %d, %v", got, err, c.want, c.err)
				}
			})
		})
	}
}

// TestTypeAhead: digits typed right behind the first one on the idle screen belong to the amount; losing one would sell for less.
func TestTypeAhead(t *testing.T) {
	during(t, func(t *testing.T, d *desk) {
		go func() {
			synctest.Wait()
			for _, k := range "1250\r" {
				d.keys <- Key(k)
			}
		}()
		first, err := d.Idle(t.Context(), Screen{Name: "idle"})
		if err != nil || first != '1' {
			t.Fatal(first, err)
		}
		synctest.Wait() // everything is typed by now
		got, err := d.Amount(t.Context(), AmountPrompt{Currency: money.CNY, Max: 5000000, First: first})
		if got != 1250 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
	})
}

// TestRefusalIsShown: a refused key changes the picture; Clear takes the message away.
func TestRefusalIsShown(t *testing.T) {
	during(t, func(t *testing.T, d *desk) {
		var pics []string
		look := func(k Key) {
			d.keys <- k
			synctest.Wait()
			pics = append(pics, string(d.lcd.last.Pix))
		}
		go func() {
			synctest.Wait()
			look('5')
			look('1') // 51 is beyond 50
			look('\b')
			look('5')
			look('\x1b')
		}()
		_, err := d.Amount(t.Context(), AmountPrompt{Name: "amount", Currency: money.CNY, Max: 50})
		if !errors.Is(err, ErrCancelled) {
			t.Fatal(err)
		}
		if pics[1] == pics[0] {
			t.Error("a refused digit shows nothing")
		}
		if pics[2] != pics[0] {
			t.Error("the message stays, or the amount is another one")
		}
	})
}

func TestChoose(t *testing.T) {
	menu := func(n int) Menu {
		m := Menu{Name: "m", Title: T(MenuTitle)}
		for range n {
			m.Options = append(m.Options, Option{Text: T(MenuSale)})
		}
		return m
	}
	for _, c := range []struct {
		name, keys string
		n, want    int
		err        error
	}{
		{"number", "2", 4, 1, nil},
		{"enter takes the first", "\r", 4, 0, nil},
		{"down and enter", "DD\r", 4, 2, nil},
		{"up wraps around", "U\r", 4, 3, nil},
		{"down wraps around", "DDDD\r", 4, 0, nil},
		{"number that is not there", "5\r", 4, 0, nil},
		{"zero and seven are no options", "07\r", 9, 0, nil},
		{"second page", "DDDDDD2", 9, 7, nil},
		{"second page by up", "U1", 9, 6, nil},
		{"number beyond the second page", "U4\r", 9, 8, nil},
		{"cancel", "D\x1b", 4, 0, ErrCancelled},
		{"time", "D", 4, 0, ErrTimeout},
		{"nothing to choose", "1\rDU\x1b", 0, 0, ErrCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			during(t, func(t *testing.T, d *desk) {
				d.press(c.keys)
				got, err := d.Choose(t.Context(), menu(c.n))
				if got != c.want || !errors.Is(err, c.err) {
					t.Errorf("got %d, %v; want %d, %v", got, err, c.want, c.err)
				}
			})
		})
	}
}

func TestConfirmAndPress(t *testing.T) {
	s := Screen{Name: "s", Title: T(PlanConfirm)}
	for _, c := range []struct {
		name, keys string
		err        error
	}{
		{"enter", "\r", nil},
		{"other keys do nothing", "15M\bU\r", nil},
		{"cancel", "\x1b", ErrCancelled},
		{"time", "", ErrTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			during(t, func(t *testing.T, d *desk) {
				d.press(c.keys)
				if err := d.Confirm(t.Context(), s); !errors.Is(err, c.err) {
					t.Errorf("got %v, want %v", err, c.err)
				}
			})
		})
	}
	t.Run("a jammed key does not hold it open", func(t *testing.T) {
		during(t, func(t *testing.T, d *desk) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			go func() {
				for {
					select {
					case <-time.After(time.Second):
						d.keys <- '5' // read at once, or buffered
					case <-ctx.Done():
						return
					}
				}
			}()
			start := time.Now()
			if err := d.Confirm(t.Context(), s); !errors.Is(err, ErrTimeout) || time.Since(start) != DefaultPrompt {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		})
	})
	t.Run("until is the limit", func(t *testing.T) {
		during(t, func(t *testing.T, d *desk) {
			start := time.Now()
			k, err := d.Press(t.Context(), Screen{Name: "s", Until: start.Add(5 * time.Second)}, KeyF1, KeyCancel)
			if !errors.Is(err, ErrTimeout) || time.Since(start) != 5*time.Second {
				t.Errorf("%v, %v after %v", k, err, time.Since(start))
			}
			d.press("\r\x1b")
			if k, err = d.Press(t.Context(), s, KeyF1, KeyCancel); k != KeyCancel || err != nil {
				t.Errorf("an accepted Cancel: %v, %v", k, err)
			}
		})
	})
}

func TestTextPrompt(t *testing.T) {
	for _, c := range []struct {
		name, keys string
		p          TextPrompt
		want       string
		err        error
	}{
		{"digits", "0123\r", TextPrompt{}, "0123", nil},
		{"correct", "\b12\b3\r", TextPrompt{}, "13", nil},
		{"too long is refused", "12345\r", TextPrompt{Max: 4}, "1234", nil},
		{"too short is refused", "12\r34\r", TextPrompt{Min: 4, Mask: true}, "1234", nil},
		{"nothing is refused", "\r1\r", TextPrompt{}, "1", nil},
		{"digits only", "1*#2\r", TextPrompt{Digits: true}, "12", nil},
		{"star and hash", "*1#\r", TextPrompt{}, "*1#", nil},
		{"cancel", "1\x1b", TextPrompt{}, "", ErrCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			during(t, func(t *testing.T, d *desk) {
				c.p.Name = "text"
				d.press(c.keys)
				got, err := d.Text(t.Context(), c.p)
				if got != c.want || !errors.Is(err, c.err) {
					t.Errorf("got %q, %v; want %q, %v", got, err, c.want, c.err)
				}
			})
		})
	}
}

// TestTextWait: a prompt may wait longer than others do.
func TestTextWait(t *testing.T) {
	for _, wait := range []time.Duration{0, 3 * time.Minute} {
		during(t, func(t *testing.T, d *desk) {
			began := time.Now()
			if _, err := d.Text(t.Context(), TextPrompt{Name: "text", Wait: wait}); !errors.Is(err, ErrTimeout) {
				t.Fatal(err)
			}
			if took, want := time.Since(began), max(wait, DefaultPrompt); took != want {
				t.Errorf("waited %v, want %v", took, want)
			}
		})
	}
}

// TestStaleKeys: keys from before a prompt do not answer it.
func TestStaleKeys(t *testing.T) {
	prompts := map[string]func(ctx context.Context, c *Console) error{
		"confirm": func(ctx context.Context, c *Console) error { return c.Confirm(ctx, Screen{Name: "s"}) },
		"choose": func(ctx context.Context, c *Console) error {
			_, err := c.Choose(ctx, Menu{Name: "m", Options: []Option{{}, {}}})
			return err
		},
		"amount": func(ctx context.Context, c *Console) error {
			_, err := c.Amount(ctx, AmountPrompt{Currency: money.CNY})
			return err
		},
		"text": func(ctx context.Context, c *Console) error {
			_, err := c.Text(ctx, TextPrompt{Name: "t"})
			return err
		},
		"idle": func(ctx context.Context, c *Console) error {
			ctx, cancel := context.WithTimeoutCause(ctx, time.Hour, ErrTimeout)
			defer cancel()
			_, err := c.Idle(ctx, Screen{Name: "i"})
			return err
		},
	}
	for name, run := range prompts {
		t.Run(name, func(t *testing.T) {
			during(t, func(t *testing.T, d *desk) {
				for _, k := range "12\r\x1b1\r" {
					d.keys <- Key(k)
				}
				if err := run(t.Context(), d.Console); !errors.Is(err, ErrTimeout) {
					t.Errorf("answered by a stale key: %v", err)
				}
			})
		})
	}
}

func TestHold(t *testing.T) {
	during(t, func(t *testing.T, d *desk) {
		start := time.Now()
		d.Hold(t.Context(), Screen{Name: "r", Mood: Good}, 3*time.Second)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("held %v", took)
		}
		go func() {
			time.Sleep(time.Second)
			d.keys <- '7'
		}()
		start = time.Now()
		d.Hold(t.Context(), Screen{Name: "r", Mood: Good}, 3*time.Second)
		if took := time.Since(start); took != time.Second {
			t.Errorf("held %v, a key was pressed after 1 s", took)
		}
		d.Hold(t.Context(), Screen{Name: "r"}, 0)
	})
}

func TestContextEnds(t *testing.T) {
	during(t, func(t *testing.T, d *desk) {
		why := errors.New("terminal stops")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel(why)
		}()
		if err := d.Confirm(ctx, Screen{Name: "s"}); !errors.Is(err, why) {
			t.Error(err)
		}
		if _, err := d.Choose(ctx, Menu{Options: []Option{{}}}); !errors.Is(err, why) {
			t.Error(err)
		}
		if _, err := d.Idle(ctx, Screen{}); !errors.Is(err, why) {
			t.Error(err)
		}
	})
}

func TestKeypadGone(t *testing.T) {
	during(t, func(t *testing.T, d *desk) {
		close(d.keys)
		if err := d.Confirm(t.Context(), Screen{Name: "s"}); !errors.Is(err, ErrNoKeys) {
			t.Error(err)
		}
		ctx, stop := d.Cancellable(t.Context())
		synctest.Wait()
		if ctx.Err() != nil {
			t.Error("cancelled by a keypad that is gone")
		}
		stop()
	})
}

func TestCancellable(t *testing.T) {
	t.Run("cancel key", func(t *testing.T) {
		during(t, func(t *testing.T, d *desk) {
			ctx, stop := d.Cancellable(t.Context())
			defer stop()
			d.press("12\r\x1b")
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), ErrCancelled) {
				t.Error(context.Cause(ctx))
			}
		})
	})
	t.Run("a cancel from before is stale", func(t *testing.T) {
		during(t, func(t *testing.T, d *desk) {
			d.keys <- KeyCancel
			ctx, stop := d.Cancellable(t.Context())
			defer stop()
			synctest.Wait()
			if ctx.Err() != nil {
				t.Error(context.Cause(ctx))
			}
		})
	})
	t.Run("after it no key goes astray", func(t *testing.T) {
		during(t, func(t *testing.T, d *desk) {
			// A watcher that was left behind would block for ever, which the bubble reports when the test ends.
			for range 50 {
				ctx, stop := d.Cancellable(t.Context())
				stop()
				if !errors.Is(context.Cause(ctx), context.Canceled) {
					t.Fatal(context.Cause(ctx))
				}
				d.press("\r")
				if err := d.Confirm(t.Context(), Screen{Name: "s"}); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
	t.Run("a prompt inside takes the keys, and gives them back", func(t *testing.T) {
		during(t, func(t *testing.T, d *desk) {
			ctx, stop := d.Cancellable(t.Context())
			defer stop()
			d.press("2")
			if i, err := d.Choose(ctx, Menu{Name: "m", Options: []Option{{}, {}}}); i != 1 || err != nil {
				t.Errorf("%d, %v", i, err)
			}
			d.press("\x1b")
			if err := d.Confirm(ctx, Screen{Name: "s"}); !errors.Is(err, ErrCancelled) {
				t.Error(err)
			}
			if ctx.Err() != nil {
				t.Error("the key that answered a prompt ended the wait around it")
			}
			d.press("\x1b")
			<-ctx.Done()
		})
	})
	t.Run("a cancel just before a prompt inside is not lost", func(t *testing.T) {
		during(t, func(t *testing.T, d *desk) {
			ctx, stop := d.Cancellable(t.Context())
			defer stop()
			d.watchers[0].stop() // the moment between the keypress and the watcher's turn
			d.keys <- KeyCancel
			if err := d.Confirm(ctx, Screen{Name: "s"}); !errors.Is(err, ErrCancelled) {
				t.Error(err)
			}
		})
	})
	t.Run("nested", func(t *testing.T) {
		during(t, func(t *testing.T, d *desk) {
			outer, stopOuter := d.Cancellable(t.Context())
			inner, stopInner := d.Cancellable(outer)
			stopInner()
			if inner.Err() == nil || outer.Err() != nil {
				t.Fatal("ending the inner wait must leave the outer one alone")
			}
			inner, stopInner = d.Cancellable(outer)
			d.press("\x1b")
			<-inner.Done()
			<-outer.Done()
			stopInner()
			stopOuter()
			if !errors.Is(context.Cause(outer), ErrCancelled) {
				t.Error(context.Cause(outer))
			}
		})
	})
}

func TestCountdown(t *testing.T) {
	during(t, func(t *testing.T, d *desk) {
		d.Show(Screen{Name: "insert", Until: time.Now().Add(2500 * time.Millisecond)})
		n := d.lcd.count()
		time.Sleep(10 * time.Second)
		if got := d.lcd.count() - n; got != 3 {
			t.Errorf("%d redraws in 2.5 s, want 3", got)
		}
		d.Show(Screen{Name: "insert", Until: time.Now().Add(time.Minute)})
		time.Sleep(1500 * time.Millisecond)
		d.Show(Screen{Name: "other"})
		n = d.lcd.count()
		time.Sleep(10 * time.Second)
		if got := d.lcd.count(); got != n {
			t.Error("the countdown of a screen that is gone still draws")
		}
	})
}

func TestIdleClock(t *testing.T) {
	during(t, func(t *testing.T, d *desk) {
		time.Sleep(20 * time.Second) // in the middle of a minute
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		_, err := d.Idle(ctx, Screen{Name: "idle"})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if got := d.lcd.count(); got != 4 {
			t.Errorf("%d draws in three minutes, want 1 and 3", got)
		}
	})
}

func TestStatusAndLanguage(t *testing.T) {
	during(t, func(t *testing.T, d *desk) {
		d.SetStatus(Status{Link: LinkDown}) // before the first screen: nothing to draw
		if d.lcd.count() != 0 {
			t.Error("drawn before there was a screen")
		}
		d.Show(Screen{Name: "s", Title: T(Approved)})
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { d.SetStatus(Status{Owed: i + 1}) })
		}
		wg.Wait()
		d.SetStatus(Status{Link: LinkUp})
		n, before := d.lcd.count(), string(d.lcd.last.Pix)
		d.SetStatus(Status{Link: LinkUp})
		if d.lcd.count() != n {
			t.Error("the same status was drawn again")
		}
		d.SetKeypad(false)
		gone := string(d.lcd.last.Pix)
		if d.lcd.count() != n+1 || gone == before {
			t.Error("a keypad that is gone is not shown")
		}
		d.SetStatus(Status{Link: LinkUp})
		d.SetKeypad(false)
		if d.lcd.count() != n+1 {
			t.Error("a keypad that is still gone was drawn again, or forgotten")
		}
		d.SetKeypad(true)
		if string(d.lcd.last.Pix) != before {
			t.Error("a keypad that is back is not shown")
		}
		if d.Lang() != ZH || d.Say(T(Approved)) != "交易成功" {
			t.Error(d.Lang())
		}
		d.SetLang(EN)
		if d.Lang() != EN || d.Say(T(Approved)) != "Approved" || string(d.lcd.last.Pix) == before {
			t.Error("the screen keeps the old language")
		}
		d.SetLang("xx")
		if d.Lang() != ZH {
			t.Error(d.Lang())
		}
	})
}

// TestLog: names, moods and codes are logged; nothing that was typed or shown is.
func TestLog(t *testing.T) {
	during(t, func(t *testing.T, d *desk) {
		sum := money.Yuan(987654)
		d.Show(Screen{Name: "declined", Mood: Bad, Code: "51", Title: Raw("SECRET"), Entry: "SECRET", Amount: &sum, QR: "SECRET", Body: []Text{Raw("SECRET")}, Rows: []Row{{Raw("SECRET"), Raw("SECRET"), true}}})
		d.press("31415926\r")
		if _, err := d.Text(t.Context(), TextPrompt{Name: "password", Title: Raw("SECRET"), Mask: true}); err != nil {
			t.Fatal(err)
		}
		log := d.log.String()
		for _, bad := range []string{"SECRET", "3141", "9876", "9,876"} {
			if strings.Contains(log, bad) {
				t.Errorf("the log has %q:\n%s", bad, log)
			}
		}
		if !strings.Contains(log, `"screen":"declined","mood":"bad","lang":"zh","code":"51"`) || strings.Count(log, "\n") != 2 {
			t.Errorf("log:\n%s", log)
		}
	})
}

// TestLogAfterDraw: a screen is on the display before its name is in the log.
func TestLogAfterDraw(t *testing.T) {
	d := newDesk(Options{})
	drawn := -1
	c := New(d.keys, d.lcd, Options{Log: zerolog.New(writer(func([]byte) { drawn = d.lcd.count() }))})
	c.Show(Screen{Name: "show-code", QR: "x"})
	if drawn != 1 {
		t.Errorf("%d draws when the screen was logged", drawn)
	}
}

type writer func(b []byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

// TestDisplayFails: a display that is gone is said once; the prompts work on.
func TestDisplayFails(t *testing.T) {
	during(t, func(t *testing.T, d *desk) {
		d.lcd.err = errors.New("no display")
		d.press("15\r")
		if got, err := d.Amount(t.Context(), AmountPrompt{Currency: money.CNY}); got != 15 || err != nil {
			t.Error(got, err)
		}
		if n := strings.Count(d.log.String(), "no display"); n != 1 {
			t.Errorf("said %d times", n)
		}
	})
}
