// Package input reads a keypad from an evdev device of Linux, or from a pipe that carries the same events
// (linux/input.h, linux/input-event-codes.h, Documentation/input/input.rst).
//
// A device is grabbed, so that what is typed does not reach the text console. A key counts once, when it goes down; held and bouncing
// keys do not repeat. A device that goes away is opened again when it comes back.
//
// It is no secure PIN entry device: a PIN must never be typed on keys that this package reads. A product takes it in a PIN pad.
package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Key is a key of the terminal that went down.
type Key struct {
	Rune rune // see Rune for the names; the operator's console uses the same runes
	Time time.Time
}

// Opts of a Keypad.
type Opts struct {
	// Path is an evdev device (/dev/input/event0, or better a by-path name) or a named pipe.
	Path string
	// Map gives each evdev code its key. Others are ignored.
	Map map[uint16]rune
	// Grab keeps the events from everybody else. Ignored on a pipe.
	Grab bool
	// EventSize is Size32 or Size64 where the events are not those of this machine; 0 is this machine's.
	EventSize int
	// Bounce is how soon after it went up a key that comes down again is not a new stroke; 30 ms when zero, none when negative.
	Bounce time.Duration
	// Retry is how long to wait before a device that is gone is opened again; 1 s when zero.
	Retry time.Duration
	// Sink takes the keys in place of the channel of Keys, so that no second queue stands between keypad and console: keys that wait
	// in one could not be dropped when a prompt begins. It is called by Run's goroutine and must not block. nil is the channel.
	Sink func(Key)
	// Event is told when the keypad came and went; nil is allowed. It is called by Run's goroutine.
	Event func(err error)
}

// Queue is how many keys wait at most for whoever takes them. More are dropped, the newest first: a cashier who types ahead of a
// screen that does not answer must not find twenty keys in the next prompt.
const Queue = 8

// Keypad is a keypad.
type Keypad struct {
	o    Opts
	keys chan Key
}

// New returns a keypad that is read once Run is called.
func New(o Opts) *Keypad {
	if o.EventSize == 0 {
		o.EventSize = nativeSize
	}
	if o.Bounce == 0 {
		o.Bounce = 30 * time.Millisecond
	}
	if o.Retry <= 0 {
		o.Retry = time.Second
	}
	if o.Event == nil {
		o.Event = func(error) {}
	}
	k := &Keypad{o: o, keys: make(chan Key, Queue)}
	if k.o.Sink == nil {
		k.o.Sink = k.queue
	}
	return k
}

func (k *Keypad) queue(key Key) {
	select {
	case k.keys <- key:
	default:
	}
}

// Keys delivers the keys. It is closed when Run returns.
func (k *Keypad) Keys() <-chan Key { return k.keys }

// String names the device.
func (k *Keypad) String() string { return "input(" + k.o.Path + ")" }

// Open opens the device once and closes it again: whether it is there, can be read and can be grabbed.
func (k *Keypad) Open() error {
	f, err := k.open()
	if err != nil {
		return err
	}
	return f.Close()
}

// Run reads until ctx ends. The device may be missing when it starts and may come and go; each change is told to Opts.Event (nil:
// it is there). The error is for what no waiting can cure: an event size that does not exist.
func (k *Keypad) Run(ctx context.Context) error {
	defer close(k.keys)
	if k.o.EventSize != Size32 && k.o.EventSize != Size64 {
		return fmt.Errorf("input: %s: event size %d, want %d or %d", k.o.Path, k.o.EventSize, Size32, Size64)
	}
	var last string
	for ctx.Err() == nil {
		f, err := k.open()
		if err == nil {
			last = ""
			k.o.Event(nil)
			err = k.read(ctx, f)
			_ = f.Close() // only read from
		}
		if ctx.Err() != nil {
			break
		}
		if err != nil && err.Error() != last { // say it once, not each second
			last = err.Error()
			k.o.Event(err)
		}
		t := time.NewTimer(k.o.Retry)
		select {
		case <-ctx.Done():
			t.Stop()
		case <-t.C:
		}
	}
	return nil
}

// eviocgrab is EVIOCGRAB of linux/input.h: _IOW('E', 0x90, int).
const eviocgrab = 0x40044590

func (k *Keypad) open() (*os.File, error) {
	st, err := os.Stat(k.o.Path)
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	mode := os.O_RDONLY
	if st.Mode()&fs.ModeNamedPipe != 0 {
		mode = os.O_RDWR // so that the pipe does not end with its writer
	}
	f, err := os.OpenFile(k.o.Path, mode|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	if err := f.SetReadDeadline(time.Time{}); err != nil {
		_ = f.Close() // the first error counts
		return nil, fmt.Errorf("input: %s: not an input device: %w", k.o.Path, err)
	}
	if k.o.Grab && st.Mode()&fs.ModeCharDevice != 0 {
		if err := grab(f); err != nil {
			_ = f.Close() // the first error counts
			return nil, fmt.Errorf("input: %s: grab: %w", k.o.Path, err)
		}
	}
	return f, nil
}

func grab(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := c.Control(func(fd uintptr) { inner = unix.IoctlSetInt(int(fd), eviocgrab, 1) }); err != nil {
		return err
	}
	return inner
}

func (k *Keypad) read(ctx context.Context, f *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) }) // a file that is closed needs no waking
	defer stop()
	return k.decode(f)
}

// decode reads events until the stream ends or gets out of step.
func (k *Keypad) decode(r io.Reader) error {
	d := debounce{window: k.o.Bounce, down: map[uint16]bool{}, up: map[uint16]time.Time{}}
	b := make([]byte, k.o.EventSize)
	for off := int64(0); ; off += int64(len(b)) {
		if _, err := io.ReadFull(r, b); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return fmt.Errorf("input: %s: ended after %d bytes", k.o.Path, off)
			}
			return fmt.Errorf("input: %w", err)
		}
		e, err := parse(b, off)
		if err != nil {
			return err
		}
		if !d.stroke(e) {
			continue
		}
		if r, ok := k.o.Map[e.Code]; ok {
			k.o.Sink(Key{r, e.Time})
		}
	}
}
