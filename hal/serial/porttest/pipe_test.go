package porttest

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal"
)

func TestPipeContract(t *testing.T) {
	Contract(t, func(*testing.T) (hal.Port, Peer) { return Pipe(4096) })
}

// TestPipeSynctest: the fake must be usable where time is virtual.
func TestPipeSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, peer := Pipe(16)
		go func() {
			time.Sleep(time.Hour)
			_, _ = peer.Write([]byte{1}) // the reader below sees what comes
		}()
		if n, err := p.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Fatal(err)
		}
	})
}
