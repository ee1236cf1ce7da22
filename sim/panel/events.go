package panel

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"posd/sim"
	"posd/sim/world"
)

// Pace of the event stream: no client is told more often than frame, and a silent stream still says that it lives.
const (
	frame     = 40 * time.Millisecond
	heartbeat = 15 * time.Second
	stall     = 10 * time.Second // a client that takes nothing for so long is cut off
	perPush   = 256              // events of the trace in one go
	backlog   = 200              // events that a new client gets
)

// events is the live stream (server-sent events) with four kinds of messages:
//
//	state  world.State
//	lcd    {"version": n, "png": base64}
//	paper  world.PaperState
//	trace  {"events": [...], "dropped": n}
//
// Each client has only its own place in the trace and the versions it has seen: when it is slow it skips pictures and, in the end,
// events (dropped tells how many). It never holds anything up.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	var lcd uint64
	paper := world.PaperState{Version: -1}
	var state []byte
	next := s.world.Hub().Next()
	next -= min(next-1, backlog)
	send := func(name string, v any) error {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := c.SetWriteDeadline(time.Now().Add(stall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, b)
		return err
	}
	push := func() error {
		st := s.world.State()
		st.Next = 0 // it moves with every event, which is no news
		if b, err := json.Marshal(st); err != nil {
			return err
		} else if string(b) != string(state) {
			state = b
			if err := send("state", json.RawMessage(b)); err != nil {
				return err
			}
		}
		png, v, err := s.world.LCD()
		if err != nil {
			return err
		}
		if v != lcd {
			lcd = v
			if err := send("lcd", map[string]any{"version": v, "png": png}); err != nil {
				return err
			}
		}
		if p := s.world.Paper(); p != paper {
			paper = p
			if err := send("paper", p); err != nil {
				return err
			}
		}
		for {
			events, dropped, n := s.world.Hub().Since(next, perPush)
			if len(events) == 0 && dropped == 0 {
				break
			}
			next = n
			if events == nil {
				events = []sim.Event{}
			}
			if err := send("trace", map[string]any{"events": events, "dropped": dropped}); err != nil {
				return err
			}
		}
		return c.Flush()
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		trace, changed := s.world.Hub().Changed(), s.world.Changed()
		if push() != nil {
			return
		}
		select {
		case <-trace:
		case <-changed:
		case <-beat.C:
			// The deadline of the last message is long past.
			if err := c.SetWriteDeadline(time.Now().Add(stall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return
			}
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
		select {
		case <-time.After(frame):
		case <-r.Context().Done():
			return
		}
	}
}
