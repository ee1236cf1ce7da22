package world

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"posd/sim"
)

func TestHubForgetsTheOldest(t *testing.T) {
	h := NewHub(4)
	if ev, dropped, next := h.Since(1, 0); len(ev) != 0 || dropped != 0 || next != 1 {
		t.Fatalf("empty hub: %v, dropped %d, next %d", ev, dropped, next)
	}
	for i := range 10 {
		h.Add(sim.Event{Summary: fmt.Sprint(i + 1)})
	}
	for _, c := range []struct {
		from    uint64
		limit   int
		want    string
		dropped uint64
		next    uint64
	}{
		{1, 0, "7 8 9 10 ", 6, 11},
		{0, 0, "7 8 9 10 ", 6, 11},
		{7, 2, "7 8 ", 0, 9},
		{9, 0, "9 10 ", 0, 11},
		{11, 0, "", 0, 11},
		{99, 0, "", 0, 11},
	} {
		ev, dropped, next := h.Since(c.from, c.limit)
		got := ""
		for _, e := range ev {
			got += e.Summary + " "
			if fmt.Sprint(e.Seq) != e.Summary {
				t.Errorf("event %s has number %d", e.Summary, e.Seq)
			}
		}
		if got != c.want || dropped != c.dropped || next != c.next {
			t.Errorf("Since(%d, %d) = %q, %d, %d; want %q, %d, %d", c.from, c.limit, got, dropped, next, c.want, c.dropped, c.next)
		}
	}
}

// A reader that never reads costs the devices nothing, and one that reads slowly sees each event once or is told how many it missed.
func TestHubUnderLoad(t *testing.T) {
	h := NewHub(256)
	const devices, each = 8, 2000
	_ = h.Changed() // somebody who waits and never looks
	stop := make(chan struct{})
	seen := make(chan uint64)
	go func() {
		var total, last uint64
		next := uint64(1)
		for {
			select {
			case <-stop:
				ev, dropped, _ := h.Since(next, 0)
				seen <- total + uint64(len(ev)) + dropped
				return
			default:
			}
			ev, dropped, n := h.Since(next, 16)
			for _, e := range ev {
				if e.Seq <= last {
					t.Errorf("event %d after %d", e.Seq, last)
				}
				last = e.Seq
			}
			total += uint64(len(ev)) + dropped
			next = n
		}
	}()
	var wg sync.WaitGroup
	for d := range devices {
		wg.Go(func() {
			for i := range each {
				h.Add(sim.Event{Source: "reader", Summary: fmt.Sprint(d, i)})
			}
		})
	}
	wg.Wait()
	close(stop)
	if got := <-seen; got != devices*each {
		t.Errorf("the reader accounts for %d events of %d", got, devices*each)
	}
}

func TestArmedTriggerRunsBeforeTheDeviceGoesOn(t *testing.T) {
	h := NewHub(16)
	var fired []uint64
	h.Arm(Pattern{Source: "printer", Text: "line", Nth: 3}, func(e sim.Event) { fired = append(fired, e.Seq) })
	for i := range 5 {
		h.Add(sim.Event{Source: "reader", Summary: "line"})
		h.Add(sim.Event{Source: "printer", Summary: fmt.Sprint("LINE ", i)})
		if want := i >= 2; (len(fired) == 1) != want {
			t.Fatalf("after line %d: fired %v", i+1, fired)
		}
	}
	if fired[0] != 6 || len(h.Armed()) != 0 {
		t.Errorf("fired at %v, still armed %v", fired, h.Armed())
	}
	h.Arm(Pattern{Source: "printer", Text: "*"}, func(sim.Event) { t.Error("a disarmed trigger fired") })
	h.Disarm()
	h.Add(sim.Event{Source: "printer"})
}

func TestChangedWakes(t *testing.T) {
	h := NewHub(4)
	c := h.Changed()
	select {
	case <-c:
		t.Fatal("woken by nothing")
	default:
	}
	h.Add(sim.Event{})
	select {
	case <-c:
	case <-time.After(5 * time.Second):
		t.Fatal("not woken")
	}
}
