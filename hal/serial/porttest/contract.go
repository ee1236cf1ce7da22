package porttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"posd/hal"
)

// Contract runs what hal.Port promises against ports that open makes, each with the device's end of its line. It opens a new one
// for each promise and closes both.
func Contract(t *testing.T, open func(t *testing.T) (hal.Port, Peer)) {
	t.Helper()
	run := func(name string, f func(t *testing.T, p hal.Port, peer Peer)) {
		t.Run(name, func(t *testing.T) {
			p, peer := open(t)
			defer func() {
				_ = p.Close() // most of the tests have closed one or both
				_ = peer.Close()
			}()
			f(t, p, peer)
		})
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	run("all byte values pass unchanged both ways", func(t *testing.T, p hal.Port, peer Peer) {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		for _, way := range [][2]io.ReadWriter{{p, peer}, {peer, p}} {
			_, err := way[0].Write(all)
			must(t, err)
			got := make([]byte, len(all))
			_, err = io.ReadFull(way[1], got)
			must(t, err)
			if !bytes.Equal(got, all) {
				t.Errorf("got % x", got)
			}
		}
	})

	run("a read returns with what there is", func(t *testing.T, p hal.Port, peer Peer) {
		_, err := peer.Write([]byte{1, 2, 3})
		must(t, err)
		must(t, p.SetReadDeadline(time.Now().Add(5*time.Second)))
		b := make([]byte, 100)
		total := 0
		for total < 3 {
			n, err := p.Read(b[total:])
			must(t, err)
			if n == 0 {
				t.Fatal("a read of nothing without an error")
			}
			total += n
		}
	})

	run("read deadline", func(t *testing.T, p hal.Port, peer Peer) {
		const d = 20 * time.Millisecond
		for range 2 { // it must be usable again
			start := time.Now()
			must(t, p.SetReadDeadline(start.Add(d)))
			n, err := p.Read(make([]byte, 1))
			took := time.Since(start)
			if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, hal.ErrUnplugged) {
				t.Fatalf("Read = %d, %v", n, err)
			}
			// The upper bound is loose: the machine may be busy. tarm's own time-out would be 100 ms at the least.
			if took < d || took > d+70*time.Millisecond {
				t.Errorf("deadline of %v took %v", d, took)
			}
		}
		must(t, p.SetReadDeadline(time.Time{}))
		_, err := peer.Write([]byte{7})
		must(t, err)
		b := make([]byte, 1)
		if n, err := p.Read(b); n != 1 || err != nil || b[0] != 7 {
			t.Errorf("after the deadline was taken away: %d, %v, % x", n, err, b)
		}
	})

	run("a passed deadline is seen at once", func(t *testing.T, p hal.Port, _ Peer) {
		must(t, p.SetReadDeadline(time.Now().Add(-time.Second)))
		if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v", err)
		}
	})

	run("a deadline set by another goroutine ends a pending read", func(t *testing.T, p hal.Port, _ Peer) {
		got := make(chan error)
		go func() {
			_, err := p.Read(make([]byte, 1))
			got <- err
		}()
		must(t, p.SetReadDeadline(time.Now()))
		if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v", err)
		}
	})

	run("close unblocks a pending read", func(t *testing.T, p hal.Port, _ Peer) {
		got := make(chan error)
		go func() {
			_, err := p.Read(make([]byte, 1))
			got <- err
		}()
		must(t, p.Close())
		if err := <-got; !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read: %v", err)
		}
		_, rerr := p.Read(make([]byte, 1))
		_, werr := p.Write([]byte{1})
		for name, err := range map[string]error{
			"Read": rerr, "Write": werr, "Close": p.Close(), "Flush": p.Flush(), "Drain": p.Drain(context.Background()),
			"SetBaud": p.SetBaud(9600), "SetReadDeadline": p.SetReadDeadline(time.Time{}),
		} {
			if !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s after Close: %v, want os.ErrClosed", name, err)
			}
		}
	})

	run("a stalled write returns at its deadline with what went out", func(t *testing.T, p hal.Port, peer Peer) {
		big := bytes.Repeat([]byte{0x55}, 1<<20)
		must(t, p.SetWriteDeadline(time.Now().Add(30*time.Millisecond)))
		n, err := p.Write(big)
		if !errors.Is(err, os.ErrDeadlineExceeded) || n <= 0 || n >= len(big) {
			t.Fatalf("Write of %d = %d, %v", len(big), n, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if err := p.Drain(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain: %v", err)
		}
		must(t, p.SetWriteDeadline(time.Time{}))
		// Exactly n bytes must arrive.
		got := 0
		b := make([]byte, 1<<16)
		for got < n {
			must(t, peer.SetReadDeadline(time.Now().Add(5*time.Second)))
			m, err := peer.Read(b)
			must(t, err)
			got += m
		}
		if got != n {
			t.Errorf("peer read %d of %d bytes", got, n)
		}
	})

	run("close unblocks a stalled write", func(t *testing.T, p hal.Port, _ Peer) {
		got := make(chan error)
		go func() {
			_, err := p.Write(bytes.Repeat([]byte{0x55}, 1<<20))
			got <- err
		}()
		must(t, p.Close())
		if err := <-got; !errors.Is(err, os.ErrClosed) {
			t.Errorf("Write: %v", err)
		}
	})

	run("unplug is not a time-out, and does not spin", func(t *testing.T, p hal.Port, peer Peer) {
		got := make(chan error)
		go func() {
			_, err := p.Read(make([]byte, 1))
			got <- err
		}()
		must(t, peer.Close())
		if err := <-got; !errors.Is(err, hal.ErrUnplugged) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) {
			t.Fatalf("Read: %v", err)
		}
		if _, err := p.Write([]byte{1}); !errors.Is(err, hal.ErrUnplugged) {
			t.Errorf("Write: %v", err)
		}
	})

	run("flush drops what was received", func(t *testing.T, p hal.Port, peer Peer) {
		_, err := peer.Write([]byte("stale"))
		must(t, err)
		b := make([]byte, 1)
		_, err = p.Read(b) // it has arrived
		must(t, err)
		must(t, p.Flush())
		must(t, p.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		if n, err := p.Read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after Flush: %d bytes %q, %v", n, b[:n], err)
		}
	})

	run("drain returns when all is sent", func(t *testing.T, p hal.Port, peer Peer) {
		_, err := p.Write([]byte("abc"))
		must(t, err)
		b := make([]byte, 3)
		_, err = io.ReadFull(peer, b)
		must(t, err)
		must(t, p.Drain(context.Background()))
	})

	run("speed can be changed", func(t *testing.T, p hal.Port, _ Peer) {
		must(t, p.SetBaud(19200))
		if err := p.SetBaud(0); err == nil {
			t.Error("0 bit/s was accepted")
		}
		if p.String() == "" {
			t.Error("a port has no name")
		}
	})
}
