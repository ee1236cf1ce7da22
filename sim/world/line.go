package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"posd/internal/pty"
	"posd/sim"
)

// device is what the simulated devices have in common.
type device interface {
	Serve(ctx context.Context, line io.ReadWriter) error
	Faults() []string
	SetFault(name string, on bool) error
}

// line is the cable between posd and a device: a pseudo terminal whose far end has a stable name in the run directory. Each time
// the device gets power or is plugged in it is a new pseudo terminal, so nothing that was under way survives.
type line struct {
	name  string
	dev   device
	link  string // the name that the board file gives
	trace sim.Tracer

	mu        sync.Mutex
	power     bool
	unplugged bool
	stop      context.CancelFunc
	done      chan struct{}
	master    *os.File
	keep      *os.File // a slave held open, so that the master waits while posd has the line closed
}

// set switches the device on or off and plugs it in or out; it serves when it has both.
func (l *line) set(power, unplugged bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.power, l.unplugged = power, unplugged
	switch want := power && !unplugged; {
	case want && l.stop == nil:
		return l.open()
	case !want && l.stop != nil:
		l.close()
	}
	return nil
}

func (l *line) pull(out bool) error {
	l.mu.Lock()
	power := l.power
	l.mu.Unlock()
	return l.set(power, out)
}

func (l *line) isUnplugged() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unplugged
}

func (l *line) open() error {
	master, slave, keep, err := pty.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	_ = os.Remove(l.link)
	if err := os.Symlink(slave, l.link); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", l.name, err), keep.Close(), master.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	l.master, l.keep, l.stop, l.done = master, keep, stop, make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		err := l.dev.Serve(ctx, master)
		if err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
			l.trace.Emit("world", "", l.name+" stopped", sim.Field{Name: "cause", Value: err.Error()})
		}
	}(l.done)
	return nil
}

// close takes the cable away: posd sees a hang-up. The name goes too, since the system may give the terminal to somebody else.
func (l *line) close() {
	l.stop()
	_ = os.Remove(l.link)
	_, _ = l.keep.Close(), l.master.Close()
	select {
	case <-l.done:
	case <-time.After(2 * time.Second):
		l.trace.Emit("world", "", l.name+" does not let go of its line")
	}
	l.stop, l.master, l.keep = nil, nil, nil
}
