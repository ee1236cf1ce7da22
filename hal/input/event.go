package input

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"
)

// Event is a struct input_event of linux/input.h, without its padding.
type Event struct {
	Time  time.Time
	Type  uint16 // EV_SYN, EV_KEY, ...
	Code  uint16
	Value int32 // EV_KEY: 0 released, 1 pressed, 2 held
}

// Types and values of events, linux/input-event-codes.h.
const (
	EvSyn = 0x00
	EvKey = 0x01

	Released = 0
	Pressed  = 1
	Held     = 2

	synReport  = 0
	synDropped = 3 // the kernel's buffer overflowed: what was before and after does not fit together
)

// Sizes of a struct input_event: its time is two longs of the kernel's user space, also where time_t has 64 bits on 32-bit systems.
const (
	Size32 = 16
	Size64 = 24
)

// nativeSize is the size on the machine that this program was built for.
const nativeSize = 8 + 2*strconv.IntSize/8

// EventError says which field of which event in the stream was impossible.
type EventError struct {
	Offset int64 // of the event in the stream, bytes
	Field  string
	Value  int64
}

func (e *EventError) Error() string {
	return fmt.Sprintf("input: event at byte %d: impossible %s %d", e.Offset, e.Field, e.Value)
}

// Append encodes e as an event of the given size (Size32 or Size64), little endian.
func (e Event) Append(b []byte, size int) []byte {
	sec, usec := e.Time.Unix(), int64(e.Time.Nanosecond()/1000)
	if size == Size64 {
		b = binary.LittleEndian.AppendUint64(b, uint64(sec))
		b = binary.LittleEndian.AppendUint64(b, uint64(usec))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(sec))
		b = binary.LittleEndian.AppendUint32(b, uint32(usec))
	}
	b = binary.LittleEndian.AppendUint16(b, e.Type)
	b = binary.LittleEndian.AppendUint16(b, e.Code)
	return binary.LittleEndian.AppendUint32(b, uint32(e.Value))
}

// parse decodes one event of len(b) bytes, which is Size32 or Size64. off is where it stands in the stream. Beyond what the kernel
// can send it refuses: a stream that is out of step must be noticed, not typed into an amount.
func parse(b []byte, off int64) (Event, error) {
	var sec, usec int64
	n := len(b)
	if n == Size64 {
		sec, usec = int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))
	} else {
		sec, usec = int64(binary.LittleEndian.Uint32(b)), int64(int32(binary.LittleEndian.Uint32(b[4:])))
	}
	e := Event{Type: binary.LittleEndian.Uint16(b[n-8:]), Code: binary.LittleEndian.Uint16(b[n-6:]), Value: int32(binary.LittleEndian.Uint32(b[n-4:]))}
	switch {
	case usec < 0 || usec > 999_999:
		return Event{}, &EventError{off, "microseconds", usec}
	case sec < 0 || sec > 1<<40:
		return Event{}, &EventError{off, "seconds", sec}
	case e.Type > 0x1f: // EV_MAX
		return Event{}, &EventError{off, "type", int64(e.Type)}
	case e.Type == EvKey && e.Code > 767: // KEY_MAX
		return Event{}, &EventError{off, "key code", int64(e.Code)}
	case e.Type == EvKey && (e.Value < 0 || e.Value > 2):
		return Event{}, &EventError{off, "key value", int64(e.Value)}
	}
	e.Time = time.Unix(sec, usec*1000)
	return e, nil
}

// Stroke encodes a key pressed at t and released hold later, each followed by the report that the kernel sends.
func Stroke(b []byte, code uint16, t time.Time, hold time.Duration, size int) []byte {
	b = Event{t, EvKey, code, Pressed}.Append(b, size)
	b = Event{t, EvSyn, synReport, 0}.Append(b, size)
	b = Event{t.Add(hold), EvKey, code, Released}.Append(b, size)
	return Event{t.Add(hold), EvSyn, synReport, 0}.Append(b, size)
}

// debounce turns events into strokes: the moment a key goes down, once, however long it is held. A key that comes down again
// sooner than the window after it went up has bounced. Times are those of the events, which are the kernel's.
type debounce struct {
	window  time.Duration
	down    map[uint16]bool
	up      map[uint16]time.Time
	dropped bool // until the next report, after the kernel lost events
}

func (d *debounce) stroke(e Event) bool {
	if e.Type == EvSyn {
		switch e.Code {
		case synDropped:
			d.dropped = true
			clear(d.down)
		case synReport:
			d.dropped = false
		}
		return false
	}
	if e.Type != EvKey || d.dropped {
		return false
	}
	switch e.Value {
	case Pressed:
		if d.down[e.Code] {
			return false
		}
		d.down[e.Code] = true
		since := e.Time.Sub(d.up[e.Code])
		return d.window <= 0 || since < 0 || since >= d.window
	case Released:
		if d.down[e.Code] {
			delete(d.down, e.Code)
			d.up[e.Code] = e.Time
		}
	}
	return false
}
