package input

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var testMap = map[uint16]rune{2: '1', 3: '2', 28: '\r'}

// TestLayout: an event as the kernel lays it out on either word size, by hand.
func TestLayout(t *testing.T) {
	at := time.Unix(0x01020304, 0x0a0b0*1000)
	e := Event{at, EvKey, 28, Pressed}
	b32 := []byte{4, 3, 2, 1, 0xb0, 0xa0, 0, 0, 1, 0, 28, 0, 1, 0, 0, 0}
	b64 := []byte{4, 3, 2, 1, 0, 0, 0, 0, 0xb0, 0xa0, 0, 0, 0, 0, 0, 0, 1, 0, 28, 0, 1, 0, 0, 0}
	for size, want := range map[int][]byte{Size32: b32, Size64: b64} {
		if got := e.Append(nil, size); !bytes.Equal(got, want) {
			t.Errorf("size %d: % x, want % x", size, got, want)
		}
		got, err := parse(want, 0)
		if err != nil || !got.Time.Equal(at) || got.Code != 28 || got.Value != 1 || got.Type != EvKey {
			t.Errorf("size %d: %+v, %v", size, got, err)
		}
	}
	if after2038, err := parse([]byte{0, 0, 0, 0x80, 0, 0, 0, 0, 1, 0, 2, 0, 1, 0, 0, 0}, 0); err != nil || after2038.Time.Unix() != 1<<31 {
		t.Errorf("2038 on a 32-bit machine: %v, %v", after2038.Time, err)
	}
}

// typed feeds events and returns the keys.
func typed(t *testing.T, o Opts, stream []byte) (string, error) {
	t.Helper()
	o.Map = testMap
	var got []rune
	o.Sink = func(k Key) { got = append(got, k.Rune) }
	err := New(o).decode(bytes.NewReader(stream))
	return string(got), err
}

func TestDecode(t *testing.T) {
	t0 := time.Unix(1_700_000_000, 0)
	ms := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Millisecond) }
	for _, c := range []struct {
		name   string
		bounce time.Duration
		events []Event
		want   string
	}{
		{"press and release", 0, []Event{{ms(0), EvKey, 2, 1}, {ms(50), EvKey, 2, 0}}, "1"},
		{"held", 0, []Event{{ms(0), EvKey, 2, 1}, {ms(250), EvKey, 2, 2}, {ms(283), EvKey, 2, 2}, {ms(300), EvKey, 2, 0}}, "1"},
		{"bounce", 0, []Event{{ms(0), EvKey, 2, 1}, {ms(5), EvKey, 2, 0}, {ms(8), EvKey, 2, 1}, {ms(90), EvKey, 2, 0}}, "1"},
		{"bounce on release", 0, []Event{{ms(0), EvKey, 2, 1}, {ms(80), EvKey, 2, 0}, {ms(84), EvKey, 2, 1}, {ms(90), EvKey, 2, 0}, {ms(200), EvKey, 2, 1}}, "11"},
		{"fast but another stroke", 0, []Event{{ms(0), EvKey, 2, 1}, {ms(30), EvKey, 2, 0}, {ms(61), EvKey, 2, 1}}, "11"},
		{"no debouncing", -1, []Event{{ms(0), EvKey, 2, 1}, {ms(5), EvKey, 2, 0}, {ms(8), EvKey, 2, 1}}, "11"},
		{"two keys at once", 0, []Event{{ms(0), EvKey, 2, 1}, {ms(3), EvKey, 3, 1}, {ms(40), EvKey, 2, 0}, {ms(41), EvKey, 3, 0}}, "12"},
		{"pressed twice without a release", 0, []Event{{ms(0), EvKey, 2, 1}, {ms(100), EvKey, 2, 1}}, "1"},
		{"release alone", 0, []Event{{ms(0), EvKey, 2, 0}}, ""},
		{"keys that are not mapped, other types", 0, []Event{{ms(0), EvKey, 99, 1}, {ms(1), 4, 4, 28}, {ms(2), EvKey, 28, 1}}, "\r"},
		{"clock set back", 0, []Event{{ms(1000), EvKey, 2, 1}, {ms(1010), EvKey, 2, 0}, {ms(0), EvKey, 2, 1}}, "11"},
		{"events lost by the kernel", 0, []Event{
			{ms(0), EvKey, 2, 1}, {ms(10), EvSyn, synDropped, 0}, {ms(11), EvKey, 3, 1}, {ms(12), EvSyn, synReport, 0}, {ms(100), EvKey, 2, 1},
		}, "11"},
	} {
		for _, size := range []int{Size32, Size64} {
			var b []byte
			for _, e := range c.events {
				b = e.Append(b, size)
			}
			got, err := typed(t, Opts{EventSize: size, Bounce: c.bounce}, b)
			if got != c.want {
				t.Errorf("%s, %d bytes: typed %q, want %q", c.name, size, got, c.want)
			}
			if err == nil {
				t.Errorf("%s: the end of the stream is no error", c.name)
			}
		}
	}
}

// TestOutOfStep: a stream read with the wrong event size must be refused, not typed.
func TestOutOfStep(t *testing.T) {
	var b32, b64 []byte
	for i := range 20 {
		at := time.Unix(1_700_000_000+int64(i), 123456000)
		b32, b64 = Stroke(b32, 2, at, 50*time.Millisecond, Size32), Stroke(b64, 2, at, 50*time.Millisecond, Size64)
	}
	for name, c := range map[string]struct {
		stream []byte
		size   int
	}{"16 read as 24": {b32, Size64}, "24 read as 16": {b64, Size32}, "shifted": {b64[5:], Size64}} {
		got, err := typed(t, Opts{EventSize: c.size}, c.stream)
		var e *EventError
		if got != "" || !errors.As(err, &e) || e.Field == "" {
			t.Errorf("%s: typed %q, %v", name, got, err)
		}
	}
}

// TestRun: a named pipe that is missing at first, then there, then replaced; more keys than the queue holds; the end.
func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	states := make(chan error, 10)
	k := New(Opts{Path: path, Map: testMap, Grab: true, Retry: 2 * time.Millisecond, Event: func(err error) { states <- err }})
	if err := k.Open(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	if err := <-states; !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("missing device: %v", err)
	}

	pipe := func() *os.File {
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-states; err != nil {
			t.Fatalf("the pipe is there: %v", err)
		}
		return f
	}
	f := pipe()
	defer f.Close()
	at := time.Unix(1_700_000_000, 0)
	if _, err := f.Write(Stroke(Stroke(nil, 2, at, time.Millisecond, nativeSize), 28, at.Add(time.Second), time.Millisecond, nativeSize)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []rune{'1', '\r'} {
		if got := <-k.Keys(); got.Rune != want || got.Time.Unix() < 1_700_000_000 {
			t.Errorf("got %+v, want %q", got, want)
		}
	}
	// Garbage puts the stream out of step: the device is opened afresh.
	if _, err := f.Write(bytes.Repeat([]byte{0xff}, nativeSize)); err != nil {
		t.Fatal(err)
	}
	var e *EventError
	if err := <-states; !errors.As(err, &e) {
		t.Errorf("garbage: %v", err)
	}
	if err := <-states; err != nil {
		t.Errorf("after garbage: %v", err)
	}
	// Twenty strokes with nobody taking them.
	var b []byte
	for i := range 20 {
		b = Stroke(b, 2, at.Add(time.Duration(i)*time.Second), time.Millisecond, nativeSize)
	}
	b = Event{at, EvKey, 2, 7}.Append(b, nativeSize) // impossible: tells the test that all was read
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := <-states; !errors.As(err, &e) || e.Field != "key value" {
		t.Errorf("end mark: %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	n := 0
	for range k.Keys() { // closed by Run
		n++
	}
	if n != Queue {
		t.Errorf("%d keys waited, want %d", n, Queue)
	}
	if err := New(Opts{Path: path, EventSize: 17}).Run(t.Context()); err == nil {
		t.Error("event size 17 was accepted")
	}
}

// TestPlainFile: a path that is no input device says so and is tried again.
func TestPlainFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := New(Opts{Path: path}).Open(); err == nil {
		t.Error("a plain file was opened as a keypad")
	}
}

// TestGrab: the device file is asked for exclusive use; /dev/null knows no such request, nor does qemu's user emulation.
func TestGrab(t *testing.T) {
	f, err := os.OpenFile("/dev/null", os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := grab(f); !errors.Is(err, unix.ENOTTY) && !errors.Is(err, unix.ENOSYS) {
		t.Errorf("grab of /dev/null: %v", err)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]uint16{"KEY_ENTER": 28, "key_esc": 1, "KEY_KPASTERISK": 55, "KEY_NUMERIC_POUND": 523, "28": 28, "0x1c": 28} {
		if got, ok := Code(name); !ok || got != want {
			t.Errorf("Code(%q) = %d, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "0", "768", "KEY_NONSENSE", "-1", "70000"} {
		if got, ok := Code(name); ok {
			t.Errorf("Code(%q) = %d", name, got)
		}
	}
	if r, ok := Rune("Star"); !ok || r != '*' {
		t.Error("star")
	}
}

func FuzzEvents(f *testing.F) {
	f.Add(Stroke(nil, 2, time.Unix(1_700_000_000, 0), time.Millisecond, Size64), true)
	f.Add(Stroke(nil, 28, time.Unix(1, 0), time.Millisecond, Size32), false)
	f.Add([]byte{0xff, 0xff, 0xff}, false)
	f.Fuzz(func(t *testing.T, stream []byte, long bool) {
		size := Size32
		if long {
			size = Size64
		}
		n := 0
		k := New(Opts{EventSize: size, Map: testMap, Sink: func(Key) { n++ }})
		if err := k.decode(bytes.NewReader(stream)); err == nil {
			t.Fatal("ended without an error")
		}
		if n > len(stream)/size {
			t.Fatalf("%d keys out of %d bytes", n, len(stream))
		}
		for r := stream; len(r) >= size; r = r[size:] {
			e, err := parse(r[:size], 0)
			if err != nil {
				continue
			}
			again, err := parse(e.Append(nil, size), 0)
			if err != nil || again != e {
				t.Fatalf("%+v became %+v, %v", e, again, err)
			}
		}
	})
}
