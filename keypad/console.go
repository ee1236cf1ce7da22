package keypad

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Errors of the prompts. A prompt whose context ends returns context.Cause of it.
var (
	// ErrCancelled: the Cancel key was pressed.
	ErrCancelled = errors.New("keypad: cancelled")
	// ErrTimeout: nobody pressed a key in time.
	ErrTimeout = errors.New("keypad: timed out")
	// ErrNoKeys: the channel of keys was closed; no prompt can be answered any more.
	ErrNoKeys = errors.New("keypad: no keypad")
)

// Display is what the console draws on. Draw copies a part of src, as in image/draw with operator Src.
type Display interface {
	Bounds() image.Rectangle
	Draw(dst image.Rectangle, src image.Image, sp image.Point) error
}

// Options of a Console. The zero value of each field has a usable meaning.
type Options struct {
	Lang Lang             // ZH when empty
	Now  func() time.Time // the wall clock of status bar and countdowns; time.Now when nil
	Log  zerolog.Logger   // names of screens, never their contents
	// Prompt ends a prompt when no key came for so long: ErrTimeout. 60 s when zero.
	Prompt time.Duration
}

// DefaultPrompt is how long a prompt waits for a key unless Options say otherwise.
const DefaultPrompt = 60 * time.Second

// Console is the operator's keypad and display.
type Console struct {
	keys   <-chan Key
	now    func() time.Time
	log    zerolog.Logger
	prompt time.Duration

	watchers []*watcher // of Cancellable, outermost first; the owner's goroutine only

	mu     sync.Mutex // guards what follows: SetStatus and countdowns redraw too
	canvas *canvas
	disp   Display
	lang   Lang
	status Status
	shown  view
	gen    uint64 // of shown: a countdown stops when it is not its own any more
	broken bool   // the last Draw failed; logged once, not at each redraw
}

// New makes a console on a channel of keys and a display. It draws nothing until the first Show or prompt.
func New(keys <-chan Key, d Display, o Options) *Console {
	c := &Console{keys: keys, disp: d, now: o.Now, log: o.Log, prompt: o.Prompt, lang: o.Lang}
	if c.now == nil {
		c.now = time.Now
	}
	if c.prompt <= 0 {
		c.prompt = DefaultPrompt
	}
	if c.lang != EN {
		c.lang = ZH
	}
	c.canvas = newCanvas(d.Bounds().Size())
	return c
}

// Show draws s and returns at once. A screen with Until counts down by itself until another one is shown.
func (c *Console) Show(s Screen) { c.present(view{Screen: s}) }

// SetStatus replaces the status bar, but for NoKeypad, which is SetKeypad's. It may be called from any goroutine.
func (c *Console) SetStatus(s Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.NoKeypad = c.status.NoKeypad
	if s != c.status {
		c.status = s
		c.redraw()
	}
}

// SetKeypad tells whether the operator's keys are there: a display that looks ready while no key does anything is a riddle. It may be
// called from any goroutine.
func (c *Console) SetKeypad(there bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status.NoKeypad == there {
		c.status.NoKeypad = !there
		c.redraw()
	}
}

// SetLang changes the language of everything drawn from now on, the present screen included.
func (c *Console) SetLang(l Lang) {
	if l != EN {
		l = ZH
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l != c.lang {
		c.lang = l
		c.redraw()
	}
}

// Lang is the present language.
func (c *Console) Lang() Lang {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lang
}

// Say puts a Text into words of the present language.
func (c *Console) Say(t Text) string { return t.In(c.Lang()) }

// present draws a new screen, starts its countdown, and then logs it: who reads the log finds the screen on the display.
func (c *Console) present(v view) {
	lang := c.draw(v)
	e := c.log.Info().Str("screen", v.Name).Str("mood", v.Mood.String()).Str("lang", string(lang))
	if v.Code != "" {
		e = e.Str("code", v.Code)
	}
	e.Msg("screen")
}

func (c *Console) draw(v view) Lang {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	c.shown = v
	c.redraw()
	if !v.Until.IsZero() {
		c.countdown(c.gen, v.Until.Sub(c.now()))
	}
	return c.lang
}

// update redraws the present screen after a key: not logged, the countdown goes on.
func (c *Console) update(v view) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown = v
	c.redraw()
}

// countdown redraws each second until the screen is replaced or its time is over; the caller holds mu. The number of rounds is
// fixed at the start, so that a wall clock which is set back cannot keep it alive. Between rounds there is only a timer, no
// goroutine that a test or the end of the program would have to wait for.
func (c *Console) countdown(gen uint64, left time.Duration) {
	if left <= 0 {
		return
	}
	step := left % time.Second
	if step == 0 {
		step = time.Second
	}
	time.AfterFunc(step, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.gen == gen {
			c.redraw()
			c.countdown(gen, left-step)
		}
	})
}

// langOf is the language of a view: the console's, but for a screen that is meant for the cardholder.
func (c *Console) langOf(v view) Lang {
	if v.Lang == ZH || v.Lang == EN {
		return v.Lang
	}
	return c.lang
}

// redraw draws the present screen; the caller holds mu. A display that fails is logged once and tried again each time: the
// transaction must not depend on it.
func (c *Console) redraw() {
	if c.shown.Name == "" && c.gen == 0 {
		return // nothing was shown yet
	}
	c.canvas.render(c.shown, c.status, c.langOf(c.shown), c.now())
	b := c.disp.Bounds()
	if err := c.disp.Draw(b, c.canvas.img, image.Point{}); err != nil {
		if !c.broken {
			c.log.Error().Err(err).Msg("display")
		}
		c.broken = true
		return
	}
	c.broken = false
}

// next waits for a key. d is how long; 0 is for ever.
func (c *Console) next(ctx context.Context, d time.Duration) (Key, error) {
	if ctx.Err() != nil {
		return KeyNone, context.Cause(ctx)
	}
	var over <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		over = t.C
	}
	select {
	case k, ok := <-c.keys:
		if !ok {
			return KeyNone, ErrNoKeys
		}
		return k, nil
	case <-ctx.Done():
		return KeyNone, context.Cause(ctx)
	case <-over:
		return KeyNone, ErrTimeout
	}
}

// begin is the first thing every prompt does: it takes the keys from a running Cancellable and drops those from before the
// prompt. The function it returns gives them back.
func (c *Console) begin(fresh bool) (end func()) {
	for _, w := range c.watchers {
		w.stop()
	}
	if fresh {
		c.drop()
	}
	return func() {
		// Only the innermost wait reads the keys: its cancel tells the outer ones.
		if n := len(c.watchers); n > 0 {
			c.watchers[n-1].start(c.keys)
		}
	}
}

// drop throws stale keys away. A stale Cancel still means what it meant when it was pressed: it ends the waits that are open.
func (c *Console) drop() {
	for {
		select {
		case k, ok := <-c.keys:
			if !ok {
				return
			}
			if n := len(c.watchers); k == KeyCancel && n > 0 {
				c.watchers[n-1].cancel(ErrCancelled)
			}
		default:
			return
		}
	}
}

// watcher ends a context when the Cancel key is pressed.
type watcher struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	halt   chan struct{}
	done   chan struct{}
}

func (w *watcher) start(keys <-chan Key) {
	if w.halt != nil || w.ctx.Err() != nil {
		return
	}
	w.halt, w.done = make(chan struct{}), make(chan struct{})
	go w.run(keys, w.halt, w.done)
}

func (w *watcher) run(keys <-chan Key, halt, done chan struct{}) {
	defer close(done)
	for {
		select {
		case <-halt:
			return
		case <-w.ctx.Done():
			return
		case k, ok := <-keys:
			if !ok {
				return // without a keypad nothing can be cancelled; the device's own time limit ends the wait
			}
			if k == KeyCancel {
				w.cancel(ErrCancelled)
				return
			}
		}
	}
}

// stop waits until the goroutine no longer reads keys, so that none of the next prompt's keys is lost in it.
func (w *watcher) stop() {
	if w.halt == nil {
		return
	}
	close(w.halt)
	<-w.done
	w.halt, w.done = nil, nil
}

// Cancellable returns a context for waiting on a device: it ends with the cause ErrCancelled as soon as the Cancel key is pressed.
// Other keys are dropped meanwhile, as are those from before the call. Prompts may be used inside it; they take the keys for as
// long as they last. The function it returns must be called, by the same goroutine; after it no key goes astray.
func (c *Console) Cancellable(ctx context.Context) (context.Context, context.CancelFunc) {
	end := c.begin(true)
	cctx, cancel := context.WithCancelCause(ctx)
	w := &watcher{ctx: cctx, cancel: cancel}
	c.watchers = append(c.watchers, w)
	if n := len(c.watchers); n > 1 {
		outer := c.watchers[n-2]
		w.cancel = func(cause error) { cancel(cause); outer.cancel(cause) }
	}
	end()
	return cctx, func() {
		w.stop()
		for i, x := range c.watchers {
			if x == w {
				c.watchers = append(c.watchers[:i:i], c.watchers[i+1:]...)
				break
			}
		}
		cancel(context.Canceled)
		c.begin(false)()
	}
}

// String names a mood for the log.
func (m Mood) String() string {
	switch m {
	case Plain:
		return "plain"
	case Busy:
		return "busy"
	case Good:
		return "good"
	case Bad:
		return "bad"
	case Doubt:
		return "doubt"
	case Notice:
		return "notice"
	}
	return fmt.Sprintf("mood(%d)", uint8(m))
}
