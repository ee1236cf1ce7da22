package card_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"posd/hal"
	driver "posd/hal/ccid"
	"posd/sim"
	reader "posd/sim/ccid"
)

// port is a hal.Port over one end of a net.Pipe.
type port struct{ net.Conn }

func gone(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return hal.ErrUnplugged
}

func (p port) Read(b []byte) (int, error)         { n, err := p.Conn.Read(b); return n, gone(err) }
func (p port) Write(b []byte) (int, error)        { n, err := p.Conn.Write(b); return n, gone(err) }
func (p port) SetReadDeadline(t time.Time) error  { return gone(p.Conn.SetReadDeadline(t)) }
func (p port) SetWriteDeadline(t time.Time) error { return gone(p.Conn.SetWriteDeadline(t)) }

func (p port) Flush() error                { return nil }
func (p port) Drain(context.Context) error { return nil }
func (p port) SetBaud(int) error           { return nil }
func (p port) String() string              { return "pipe" }

// slot is a simulated reader with its driver, for use inside a synctest bubble, where the real pace costs nothing.
func slot(t *testing.T, profile string, trace sim.Tracer) (*reader.Reader, *driver.Reader) {
	t.Helper()
	dev := reader.New(reader.Options{Profile: reader.Profile(profile), Trace: trace})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	close(done)
	var lines []io.Closer
	drv := driver.New(func() (hal.Port, error) {
		<-done // the line before this one has been let go of
		a, b := net.Pipe()
		lines = append(lines, a, b)
		done = make(chan struct{})
		go func(done chan struct{}) {
			defer close(done)
			_ = dev.Serve(ctx, b)
		}(done)
		return port{a}, nil
	}, &driver.Opts{Profile: driver.Profile(profile)})
	t.Cleanup(func() {
		cancel()
		_ = drv.Close()
		for _, l := range lines {
			_ = l.Close()
		}
		<-done
	})
	return dev, drv
}
