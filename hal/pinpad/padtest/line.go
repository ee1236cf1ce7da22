// Package padtest is a serial line in memory for tests of the PIN pad driver and of the simulated pad: hal.Port at one end,
// io.ReadWriter at the other, with faults in between. It works inside testing/synctest: no goroutine of its own, deadlines by
// timers. It has no line speed.
package padtest

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"posd/hal"
)

// Line is the cable. The hooks, when set, see what one Write sends and return what arrives; nil is nothing. Set them before use.
type Line struct {
	ToPad  func(b []byte) []byte
	ToHost func(b []byte) []byte

	down, up  *queue // to the pad, to the host
	unplugged bool
	mu        sync.Mutex
	opened    int
}

// New makes a line with nothing on it.
func New() *Line { return &Line{down: newQueue(), up: newQueue()} }

// Open is a hal.Opener. While the line is unplugged it fails with hal.ErrUnplugged.
func (l *Line) Open() (hal.Port, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unplugged {
		return nil, hal.ErrUnplugged
	}
	l.opened++
	l.up.reopen()
	return &port{l: l, up: l.up}, nil
}

// Opened is how often Open gave a port.
func (l *Line) Opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened
}

// Unplug pulls the cable at the host's end: open ports are dead from now on. Plug lets a new one be opened.
func (l *Line) Unplug() {
	l.mu.Lock()
	l.unplugged = true
	old := l.up
	l.up = newQueue()
	l.mu.Unlock()
	old.close(hal.ErrUnplugged)
}

// Plug undoes Unplug.
func (l *Line) Plug() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unplugged = false
}

// Device is the pad's end.
func (l *Line) Device() *Device { return &Device{l} }

// Device is the pad's end of a Line; it has SetReadDeadline.
type Device struct{ l *Line }

func (d *Device) Read(p []byte) (int, error) { return d.l.down.read(p) }

func (d *Device) Write(p []byte) (int, error) {
	b := append([]byte(nil), p...)
	if d.l.ToHost != nil {
		b = d.l.ToHost(b)
	}
	d.l.mu.Lock()
	up := d.l.up
	d.l.mu.Unlock()
	up.write(b)
	return len(p), nil
}

// SetReadDeadline ends a Read at t with os.ErrDeadlineExceeded.
func (d *Device) SetReadDeadline(t time.Time) error { d.l.down.deadline(t); return nil }

// Close ends the reading at the pad's end with io.EOF.
func (d *Device) Close() error { d.l.down.close(io.EOF); return nil }

type port struct {
	l  *Line
	up *queue
}

func (p *port) Read(b []byte) (int, error) { return p.up.read(b) }

func (p *port) Write(b []byte) (int, error) {
	if err := p.up.err(); err != nil {
		return 0, err
	}
	c := append([]byte(nil), b...)
	if p.l.ToPad != nil {
		c = p.l.ToPad(c)
	}
	p.l.down.write(c)
	return len(b), nil
}

func (p *port) Close() error                       { p.up.close(os.ErrClosed); return nil }
func (p *port) SetReadDeadline(t time.Time) error  { p.up.deadline(t); return nil }
func (p *port) SetWriteDeadline(t time.Time) error { return p.up.err() }
func (p *port) Drain(context.Context) error        { return p.up.err() }
func (p *port) SetBaud(int) error                  { return nil }
func (p *port) String() string                     { return "memory" }

func (p *port) Flush() error {
	p.up.mu.Lock()
	defer p.up.mu.Unlock()
	p.up.buf = nil
	return p.up.end
}

type queue struct {
	mu    sync.Mutex
	buf   []byte
	end   error
	until time.Time
	wake  chan struct{} // closed and replaced at every change
}

func newQueue() *queue { return &queue{wake: make(chan struct{})} }

func (q *queue) change() {
	close(q.wake)
	q.wake = make(chan struct{})
}

func (q *queue) write(b []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end == nil {
		q.buf = append(q.buf, b...)
		q.change()
	}
}

func (q *queue) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end == nil {
		q.end = err
		q.change()
	}
}

func (q *queue) reopen() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.end, q.until = nil, time.Time{}
}

func (q *queue) err() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.end
}

func (q *queue) deadline(t time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.until = t
	q.change()
}

func (q *queue) read(p []byte) (int, error) {
	for {
		q.mu.Lock()
		wake, until := q.wake, q.until
		switch {
		case q.end != nil:
			defer q.mu.Unlock()
			return 0, q.end
		case !until.IsZero() && !time.Now().Before(until):
			q.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case len(q.buf) > 0:
			n := copy(p, q.buf)
			q.buf = q.buf[n:]
			q.mu.Unlock()
			return n, nil
		}
		q.mu.Unlock()
		if until.IsZero() {
			<-wake
			continue
		}
		t := time.NewTimer(time.Until(until))
		select {
		case <-wake:
		case <-t.C:
		}
		t.Stop()
	}
}
