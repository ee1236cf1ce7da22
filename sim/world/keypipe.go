package world

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"posd/hal/input"
)

// keyPipe is the keypad: a named pipe that carries struct input_event as /dev/input/event0 would.
type keyPipe struct {
	size int // of an event where posd runs

	mu   sync.Mutex
	file *os.File
	last map[uint16]time.Time // when a key went down last
}

// What a quick finger does: a key is down for keyDown, and does not come down again before keyAgain is over. Less would be
// bouncing contacts, which a driver filters out.
const (
	keyDown  = 15 * time.Millisecond
	keyAgain = 75 * time.Millisecond
)

func newKeyPipe(path string, size int) (*keyPipe, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	// Open for both directions: it neither waits for posd nor ends when posd does.
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return &keyPipe{size: size, file: f, last: map[uint16]time.Time{}}, nil
}

// press writes a key going down and up again.
func (k *keyPipe) press(code uint16) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	time.Sleep(time.Until(k.last[code].Add(keyAgain)))
	now := time.Now()
	k.last[code] = now
	b := input.Stroke(nil, code, now, keyDown, k.size)
	_ = k.file.SetWriteDeadline(time.Now().Add(time.Second))
	_, err := k.file.Write(b)
	return err
}

// drain throws away what nobody has read.
func (k *keyPipe) drain() {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, err := k.file.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 4096)
	_ = c.Control(func(fd uintptr) {
		for {
			if n, err := unix.Read(int(fd), buf); n <= 0 || err != nil {
				return
			}
		}
	})
}

func (k *keyPipe) close() error { return k.file.Close() }

// eventSize is the size of an event for a program: an emulated 32-bit posd reads shorter ones. That of 64 bits when it cannot be told.
func eventSize(program string) int {
	f, err := elf.Open(program)
	if err != nil {
		return input.Size64
	}
	defer f.Close()
	if f.Class == elf.ELFCLASS32 {
		return input.Size32
	}
	return input.Size64
}
