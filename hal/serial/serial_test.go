package serial

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posd/hal"
	"posd/hal/serial/porttest"
	"posd/internal/pty"
)

// line is the master side of a pseudo terminal; Close is the plug being pulled.
type line struct {
	*os.File
	keep *os.File
}

func (l line) Close() error { return errors.Join(l.File.Close(), l.keep.Close()) }

func newLine(t *testing.T) (line, string) {
	t.Helper()
	master, path, keep, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	return line{master, keep}, path
}

func openPort(t *testing.T, c Config) (*port, line) {
	t.Helper()
	l, path := newLine(t)
	c.Path = path
	p, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = p.Close(), l.Close() }) // may be closed already
	return p.(*port), l
}

func TestContract(t *testing.T) {
	before := openFiles(t)
	t.Run("port", func(t *testing.T) {
		porttest.Contract(t, func(t *testing.T) (hal.Port, porttest.Peer) {
			p, l := openPort(t, Config{Baud: 115200})
			return p, l
		})
	})
	if after := openFiles(t); after > before {
		t.Errorf("%d files open before, %d after: a descriptor leaks", before, after)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}

func TestFailedOpensLeakNothing(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, path := newLine(t)
	defer l.Close()
	first, err := Open(Config{Path: path, Baud: 9600})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	before := openFiles(t)
	for _, c := range []struct {
		name string
		Config
		want error
	}{
		{"missing device", Config{Path: "/dev/no-such-tty", Baud: 9600}, os.ErrNotExist},
		{"not a terminal", Config{Path: plain, Baud: 9600}, syscall.ENOTTY},
		{"speed zero", Config{Path: path}, ErrBaud},
		{"in use", Config{Path: path, Baud: 9600}, ErrBusy},
	} {
		_, err := Open(c.Config)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d files open before, %d after", before, after)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Opener(Config{Path: path, Baud: 9600})()
	if err != nil {
		t.Fatalf("line cannot be opened again after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSettings reads the settings back on the master side, which shares them.
func TestSettings(t *testing.T) {
	get := func(t *testing.T, l line) *unix.Termios {
		t.Helper()
		c, err := l.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var tio *unix.Termios
		if cerr := c.Control(func(fd uintptr) { tio, err = unix.IoctlGetTermios(int(fd), unix.TCGETS2) }); cerr != nil || err != nil {
			t.Fatal(cerr, err)
		}
		return tio
	}
	for _, baud := range []int{1200, 9600, 115200, 921600, 250000, 12345} {
		p, l := openPort(t, Config{Baud: baud, TwoStop: true, RTSCTS: true})
		tio := get(t, l)
		if int(tio.Ospeed) != baud {
			t.Errorf("speed %d, want %d", tio.Ospeed, baud)
		}
		if tio.Cflag&unix.CSTOPB == 0 || tio.Cflag&unix.CRTSCTS == 0 || tio.Cflag&unix.CLOCAL == 0 {
			t.Errorf("cflag %#x lacks a setting", tio.Cflag)
		}
		if tio.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 || tio.Oflag&unix.OPOST != 0 || tio.Iflag&(unix.IXON|unix.ICRNL) != 0 {
			t.Errorf("line is not raw: %#x %#x %#x", tio.Iflag, tio.Oflag, tio.Lflag)
		}
		if err := p.SetBaud(250000); err != nil {
			t.Error(err)
		}
		if got := get(t, l).Ospeed; got != 250000 {
			t.Errorf("after SetBaud: %d", got)
		}
		if err := p.SetBaud(57600); err != nil {
			t.Error(err)
		}
		if got := get(t, l).Ospeed; got != 57600 {
			t.Errorf("after SetBaud: %d", got)
		}
	}
}

// TestGoneDoesNotSpin: a loop that reads on after the plug was pulled is slowed down, and Close still ends it.
func TestGoneDoesNotSpin(t *testing.T) {
	p, l := openPort(t, Config{Baud: 9600})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := p.Read(b); !errors.Is(err, hal.ErrUnplugged) {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := p.Read(b); !errors.Is(err, hal.ErrUnplugged) {
		t.Fatal(err)
	}
	if took := time.Since(start); took < goneWait {
		t.Errorf("a second read on a line that is gone took only %v", took)
	}
	got := make(chan error)
	go func() {
		_, err := p.Read(b)
		got <- err
	}()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, os.ErrClosed) && !errors.Is(err, hal.ErrUnplugged) {
		t.Error(err)
	}
}
