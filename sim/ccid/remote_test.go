package ccid_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"posd/sim/ccid"
)

// slowChip is a card in another program: it takes its time, and hears when its power ends.
type slowChip struct {
	chip
	takes time.Duration
	off   int
	left  int // commands given up
}

func (s *slowChip) Exchange(ctx context.Context, apdu []byte) []byte {
	select {
	case <-time.After(s.takes):
		return s.say(apdu)
	case <-ctx.Done():
		s.left++
		return nil
	}
}

func (s *slowChip) PowerOff() { s.off++ }

// While a remote card works the host is asked for time: S(WTX) with T=1, the procedure byte 60 with T=0; then its answer comes.
func TestRemoteIsGivenTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ccid.New(ccid.Options{Pace: &ccid.Pace{}})
		h := connect(t, r)
		c := &slowChip{chip: chip{atr: t0ATR, say: func([]byte) []byte { return []byte{0x90, 0x00} }}, takes: 3500 * time.Millisecond}
		r.Insert(0, c)
		h.do(0x62, 0)
		start := time.Now()
		h.write(h.frame(0x6F, 0, [3]byte{}, dehex(t, "00A4040000")...))
		for i := range 3 {
			if b := h.read(1); b[0] < 0x80 {
				t.Fatalf("extension %d: %X", i, b)
			}
		}
		if a := h.answer(); len(a) != 12 || a[10] != 0x90 {
			t.Errorf("answer %X", a)
		}
		if d := time.Since(start); d != c.takes {
			t.Errorf("it took %v", d)
		}
		h.do(0x63, 0)
		h.do(0x63, 0) // it has no power any more
		if c.off != 1 {
			t.Errorf("its power ended %d times", c.off)
		}
		h.do(0x62, 0)
		r.Remove(0)
		if c.off != 2 {
			t.Errorf("taken out: its power ended %d times", c.off)
		}
		r.Insert(0, c)
		h.do(0x62, 0)
		r.Insert(0, &chip{atr: t0ATR})
		if c.off != 3 {
			t.Errorf("replaced: its power ended %d times", c.off)
		}
	})
}

// A remote card that is taken out while it works is not waited for.
func TestRemoteTakenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ccid.New(ccid.Options{Pace: &ccid.Pace{}})
		h := connect(t, r)
		c := &slowChip{chip: chip{atr: t0ATR, say: func([]byte) []byte { return []byte{0x90, 0x00} }}, takes: time.Hour}
		r.Insert(0, c)
		h.do(0x62, 0)
		start := time.Now()
		h.write(h.frame(0x6F, 0, [3]byte{}, dehex(t, "00A4040000")...))
		h.read(1)
		r.Remove(0)
		h.answer()
		if d := time.Since(start); d > 3*time.Second || c.left != 1 {
			t.Errorf("waited %v; given up %d times", d, c.left)
		}
	})
}

// The reader's own power is the card's, also while it works.
func TestRemoteLosesPowerWithReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ccid.New(ccid.Options{Pace: &ccid.Pace{}})
		c := &slowChip{chip: chip{atr: t0ATR, say: func([]byte) []byte { return nil }}, takes: time.Hour}
		a, b := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Serve(ctx, b) }()
		h := &host{t: t, line: a}
		r.Insert(0, c)
		h.do(0x62, 0)
		h.write(h.frame(0x6F, 0, [3]byte{}, dehex(t, "00A4040000")...))
		synctest.Wait()
		cancel()
		<-done
		_ = a.Close()
		if r.Powered(0) || c.off != 1 || c.left != 1 {
			t.Errorf("powered %v, off %d, given up %d", r.Powered(0), c.off, c.left)
		}
	})
}
