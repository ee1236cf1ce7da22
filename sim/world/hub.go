package world

import (
	"sync"

	"posd/sim"
)

// A Hub keeps the last events of the trace and hands them to any number of readers.
//
// Readers pull: each keeps the number of the event it wants next and asks for what came since. So a slow reader costs nothing and
// never holds up a device; it only finds that a number of events is gone. Add is therefore cheap, with one exception on
// purpose: a trigger armed with Arm runs inside Add, before the device that reported the event goes on.
type Hub struct {
	mu       sync.Mutex
	ring     []sim.Event
	next     uint64 // number of the next event; the first is 1
	bell     bell
	triggers []*trigger
}

type trigger struct {
	pattern Pattern
	left    int // matches still to pass by, this one included
	fire    func(sim.Event)
}

// NewHub makes a hub that remembers size events.
func NewHub(size int) *Hub {
	if size < 1 {
		size = 1
	}
	return &Hub{ring: make([]sim.Event, size), next: 1}
}

// Add numbers an event and stores it. It has the shape of a sim.Tracer.
func (h *Hub) Add(e sim.Event) {
	h.mu.Lock()
	e.Seq = h.next
	h.ring[h.next%uint64(len(h.ring))] = e
	h.next++
	var due []*trigger
	for i := 0; i < len(h.triggers); {
		t := h.triggers[i]
		if t.pattern.Match(e) {
			t.left--
		}
		if t.left > 0 {
			i++
			continue
		}
		due = append(due, t)
		h.triggers = append(h.triggers[:i], h.triggers[i+1:]...)
	}
	h.mu.Unlock()
	for _, t := range due {
		t.fire(e)
	}
	h.bell.ring()
}

// Arm runs fire once, at the p.Nth event from now on that p matches, within Add: the reporting device waits for it.
func (h *Hub) Arm(p Pattern, fire func(sim.Event)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.triggers = append(h.triggers, &trigger{pattern: p, left: max(p.Nth, 1), fire: fire})
}

// Disarm takes all armed triggers back.
func (h *Hub) Disarm() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.triggers = nil
}

// Armed lists the patterns that wait for their event.
func (h *Hub) Armed() []Pattern {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Pattern, 0, len(h.triggers))
	for _, t := range h.triggers {
		out = append(out, t.pattern)
	}
	return out
}

// Next is the number that the next event will get.
func (h *Hub) Next() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next
}

// Since returns up to limit events from number from on, oldest first, how many of the wanted ones are already forgotten, and the
// number to ask for next time. A limit of 0 means all.
func (h *Hub) Since(from uint64, limit int) (events []sim.Event, dropped, next uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	oldest := uint64(1)
	if n := uint64(len(h.ring)); h.next > n {
		oldest = h.next - n
	}
	from = max(from, 1)
	if from < oldest {
		dropped = oldest - from
		from = oldest
	}
	if from >= h.next {
		return nil, dropped, h.next
	}
	n := h.next - from
	if limit > 0 && n > uint64(limit) {
		n = uint64(limit)
	}
	events = make([]sim.Event, 0, n)
	for s := from; s < from+n; s++ {
		events = append(events, h.ring[s%uint64(len(h.ring))])
	}
	return events, dropped, from + n
}

// Changed is closed at the next event.
func (h *Hub) Changed() <-chan struct{} { return h.bell.wait() }

// bell wakes everyone who waits, and is free when nobody does.
type bell struct {
	mu sync.Mutex
	ch chan struct{}
}

func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
