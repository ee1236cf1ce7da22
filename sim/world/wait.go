package world

import (
	"context"
	"errors"
	"fmt"
	"time"

	"posd/sim"
)

// ErrWait is wrapped by the error of a Wait that did not see its event in time.
var ErrWait = errors.New("did not happen in time")

// DefaultWait is how long Wait waits when not told.
const DefaultWait = 10 * time.Second

// mark makes everything before now the past: Wait does not look there.
func (w *World) mark() {
	next := w.hub.Next()
	w.smu.Lock()
	w.cursor = next
	w.smu.Unlock()
}

// Wait waits for the p.Nth event that p matches, and returns it. It sees events since the last action that changed something
// began, or since the event that the last Wait found: so a script that acts and waits by turns misses nothing, however
// fast posd is. A screen that is shown now counts as well.
func (w *World) Wait(ctx context.Context, p Pattern, timeout time.Duration) (sim.Event, error) {
	if p.Source == "screen" && p.Nth <= 1 && w.Screen() == p.Text {
		return sim.Event{Time: time.Now(), Source: "posd", Summary: "screen " + p.Text}, nil
	}
	w.smu.Lock()
	from := w.cursor
	w.smu.Unlock()
	e, err := w.waitFrom(ctx, from, p, timeout)
	if err == nil {
		w.smu.Lock()
		w.cursor = max(w.cursor, e.Seq+1)
		w.smu.Unlock()
	}
	return e, err
}

// waitFrom waits for the p.Nth event from number from on that p matches.
func (w *World) waitFrom(ctx context.Context, from uint64, p Pattern, timeout time.Duration) (sim.Event, error) {
	if timeout <= 0 {
		timeout = DefaultWait
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	left := max(p.Nth, 1)
	for {
		changed := w.hub.Changed()
		events, _, next := w.hub.Since(from, 0)
		for _, e := range events {
			if !p.Match(e) {
				continue
			}
			if left--; left == 0 {
				return e, nil
			}
		}
		from = next
		select {
		case <-changed:
		case <-ctx.Done():
			return sim.Event{}, fmt.Errorf("%s %w: %v; the screen is %q", p, ErrWait, timeout, w.Screen())
		}
	}
}

// Screen is the name of the screen that posd says it shows: "off" without power, "" before the first.
func (w *World) Screen() string {
	w.smu.Lock()
	defer w.smu.Unlock()
	return w.screen
}
