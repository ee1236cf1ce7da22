package keypad

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"posd/internal/money"
)

// maxAmount is the largest amount that can be typed whatever the prompt allows: DE 4 and tag 9F02 hold twelve digits.
const maxAmount = 999_999_999_999

// Amount asks for an amount and returns it in minor units, more than zero. Digits shift in from the right; '*' is two zeros.
// A digit that would lead beyond p.Max is refused with a message on the screen, and then Enter too, until the operator corrects
// the amount with Clear: what is shown is not what was typed. Enter with zero is refused.
// Errors: ErrCancelled, ErrTimeout, ErrNoKeys, the context's cause.
func (c *Console) Amount(ctx context.Context, p AmountPrompt) (int64, error) {
	// After a digit on the idle screen the keys that followed it belong to this amount: they are not stale.
	defer c.begin(p.First == KeyNone)()
	limit := p.Max
	if limit <= 0 || limit > maxAmount {
		limit = maxAmount
	}
	name := p.Name
	if name == "" {
		name = "amount"
	}
	v := view{Screen: Screen{Name: name, Title: p.Title, Hints: []Hint{
		{KeyEnter, T(HintOK)}, {KeyClear, T(HintClear)}, {KeyCancel, T(HintCancel)},
	}}}
	var minor int64
	beyond := false // more was typed than is shown: Enter must not take what is left of it
	show := func(note Text, draw func(view)) {
		v.Amount, v.Alert = &money.Amount{Minor: minor, Currency: p.Currency}, note
		draw(v)
	}
	push := func(k Key) Text {
		next := minor
		switch k {
		case '*':
			next *= 100
		default:
			next = next*10 + int64(k-'0')
		}
		if next > limit {
			beyond = true
			return T(AmountMax, money.Amount{Minor: limit, Currency: p.Currency})
		}
		minor = next
		return Text{}
	}
	var note Text
	if isDigit(p.First) {
		note = push(p.First)
	}
	show(note, c.present)
	for {
		k, err := c.next(ctx, c.prompt)
		if err != nil {
			return 0, err
		}
		note = Text{}
		switch {
		case beyond && k != KeyClear && k != KeyCancel:
			note = T(AmountMax, money.Amount{Minor: limit, Currency: p.Currency})
		case isDigit(k), k == '*':
			note = push(k)
		case k == KeyClear && beyond:
			beyond = false // takes back the digit that was refused
		case k == KeyClear:
			minor /= 10
		case k == KeyCancel:
			return 0, ErrCancelled
		case k == KeyEnter && minor > 0:
			return minor, nil
		case k == KeyEnter:
			note = T(AmountZero)
		default:
			continue
		}
		show(note, c.update)
	}
}

func isDigit(k Key) bool { return k >= '0' && k <= '9' }

// Confirm shows s and waits: nil for Enter, ErrCancelled for Cancel, ErrTimeout when nobody presses either in time.
func (c *Console) Confirm(ctx context.Context, s Screen) error {
	if len(s.Hints) == 0 {
		s.Hints = []Hint{{KeyEnter, T(HintOK)}, {KeyCancel, T(HintCancel)}}
	}
	_, err := c.Press(ctx, s, KeyEnter)
	return err
}

// Press shows s and waits for one of the accepted keys; others do nothing. Cancel is ErrCancelled unless it is accepted.
// The time limit is s.Until where that is set.
func (c *Console) Press(ctx context.Context, s Screen, accept ...Key) (Key, error) {
	defer c.begin(true)()
	c.present(view{Screen: s})
	limit := c.prompt
	if !s.Until.IsZero() {
		limit = max(s.Until.Sub(c.now()), time.Nanosecond)
	}
	// Keys that do nothing do not prolong the wait: a jammed key must not hold a prompt open for ever.
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrTimeout)
	defer cancel()
	for {
		k, err := c.next(ctx, 0)
		switch {
		case err != nil:
			return KeyNone, err
		case slices.Contains(accept, k):
			return k, nil
		case k == KeyCancel:
			return KeyNone, ErrCancelled
		}
	}
}

// Hold shows a result until any key is pressed, d is over or ctx ends.
func (c *Console) Hold(ctx context.Context, s Screen, d time.Duration) {
	defer c.begin(true)()
	c.present(view{Screen: s})
	if d <= 0 {
		return
	}
	_, _ = c.next(ctx, d) // whichever of the three it was: the result was shown
}

// Idle shows s and waits for any key. The clock in the status bar is redrawn at each full minute.
func (c *Console) Idle(ctx context.Context, s Screen) (Key, error) {
	defer c.begin(true)()
	c.present(view{Screen: s})
	for {
		now := c.now()
		k, err := c.next(ctx, time.Minute-time.Duration(now.Second())*time.Second-time.Duration(now.Nanosecond()))
		// The context's own cause may be ErrTimeout too.
		if err == nil || ctx.Err() != nil || !errors.Is(err, ErrTimeout) {
			return k, err
		}
		c.mu.Lock()
		c.redraw()
		c.mu.Unlock()
	}
}

// TextPrompt asks for digits: an operator number, a trace number, a password of the terminal. Never for a PIN.
type TextPrompt struct {
	Name  string
	Title Text
	Body  []Text
	Min   int  // fewer are refused at Enter; 1 when zero
	Max   int  // more are refused; 20 when zero
	Mask  bool // shown as stars
	// Digits refuses '*' and '#', which are taken otherwise.
	Digits bool
	Wait   time.Duration // how long no key may come; 0 is as long as with other prompts
}

// Text asks for what p describes and returns it.
// Errors: ErrCancelled, ErrTimeout, ErrNoKeys, the context's cause.
func (c *Console) Text(ctx context.Context, p TextPrompt) (string, error) {
	defer c.begin(true)()
	if p.Max <= 0 {
		p.Max = 20
	}
	p.Min = min(max(p.Min, 1), p.Max)
	wait := c.prompt
	if p.Wait > 0 {
		wait = p.Wait
	}
	v := view{Screen: Screen{Name: p.Name, Title: p.Title, Body: p.Body, Hints: []Hint{
		{KeyEnter, T(HintOK)}, {KeyClear, T(HintClear)}, {KeyCancel, T(HintCancel)},
	}}, typing: true}
	var typed []byte
	draw := func(note Text, draw func(view)) {
		v.Entry, v.Alert = string(typed), note
		if p.Mask {
			v.Entry = strings.Repeat("•", utf8.RuneCount(typed))
		}
		draw(v)
	}
	draw(Text{}, c.present)
	for {
		k, err := c.next(ctx, wait)
		if err != nil {
			return "", err
		}
		var note Text
		switch {
		case isDigit(k), !p.Digits && (k == '*' || k == '#'):
			if len(typed) == p.Max {
				note = T(TextLong, p.Max)
			} else {
				typed = append(typed, byte(k))
			}
		case k == KeyClear && len(typed) > 0:
			typed = typed[:len(typed)-1]
		case k == KeyCancel:
			return "", ErrCancelled
		case k == KeyEnter && len(typed) >= p.Min:
			return string(typed), nil
		case k == KeyEnter:
			note = T(TextShort, p.Min)
		default:
			continue
		}
		draw(note, c.update)
	}
}

// pageSize is how many options a page of a menu has: six fit on both displays with type that can be read standing.
const pageSize = 6

// Choose asks for one of several options and returns its index: by its number on the page, or with Up, Down and Enter. Up and Down
// walk on to the next page and around. Errors: ErrCancelled, ErrTimeout, ErrNoKeys, the context's cause.
func (c *Console) Choose(ctx context.Context, m Menu) (int, error) {
	defer c.begin(true)()
	v := view{Screen: Screen{Name: m.Name, Lang: m.Lang, Title: m.Title, Amount: m.Amount, Body: m.Body}, options: m.Options, menu: true}
	v.Hints = []Hint{{KeyUp, Text{}}, {KeyDown, T(HintMove)}, {KeyEnter, T(HintOK)}, {KeyCancel, T(HintCancel)}}
	c.present(v)
	n := len(m.Options)
	for {
		k, err := c.next(ctx, c.prompt)
		if err != nil {
			return 0, err
		}
		switch {
		case k == KeyCancel:
			return 0, ErrCancelled
		case n == 0:
			continue
		case k == KeyEnter:
			return v.selected, nil
		case k == KeyDown:
			v.selected = (v.selected + 1) % n
		case k == KeyUp:
			v.selected = (v.selected + n - 1) % n
		case k >= '1' && k < '1'+pageSize:
			i := v.selected/pageSize*pageSize + int(k-'1')
			if i >= n {
				continue
			}
			return i, nil
		default:
			continue
		}
		c.update(v)
	}
}

// view is a Screen with what only the prompts need.
type view struct {
	Screen
	Alert    Text // why the last key was refused
	typing   bool // Entry is being typed: drawn even when empty
	menu     bool
	options  []Option
	selected int
}
