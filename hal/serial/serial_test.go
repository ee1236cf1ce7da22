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
	warm, l := openPort(t, Config{Baud: 9600}) // the runtime opens its poller with the first file
	if err := errors.Join(warm.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
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

// settings reads the line's on the master side, which shares them. byNumber is false where speeds without a name do not exist: in
// qemu's user emulation.
func settings(t *testing.T, l line) (tio *unix.Termios, byNumber bool) {
	t.Helper()
	c, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	cerr := c.Control(func(fd uintptr) {
		if tio, err = unix.IoctlGetTermios(int(fd), unix.TCGETS2); err == nil {
			byNumber = true
			return
		}
		tio, err = unix.IoctlGetTermios(int(fd), unix.TCGETS)
	})
	if cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return tio, byNumber
}

func TestSettings(t *testing.T) {
	isSpeed := func(t *testing.T, l line, baud int) {
		t.Helper()
		tio, byNumber := settings(t, l)
		if byNumber && int(tio.Ospeed) != baud || !byNumber && tio.Cflag&unix.CBAUD != bauds[baud] {
			t.Errorf("speed %d (code %#x), want %d", tio.Ospeed, tio.Cflag&unix.CBAUD, baud)
		}
	}
	for _, baud := range []int{1200, 9600, 115200, 921600, 250000, 12345} {
		l, path := newLine(t)
		t.Cleanup(func() { _ = l.Close() })
		_, byNumber := settings(t, l)
		port, err := Open(Config{Path: path, Baud: baud, TwoStop: true, RTSCTS: true})
		_, named := bauds[baud]
		if !named && !byNumber {
			if !errors.Is(err, ErrBaud) {
				t.Errorf("%d bit/s: %v", baud, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = port.Close() })
		if !byNumber && baud > 115200 {
			continue // the emulation does not pass these on
		}
		isSpeed(t, l, baud)
		tio, _ := settings(t, l)
		if tio.Cflag&unix.CSTOPB == 0 || tio.Cflag&unix.CRTSCTS == 0 || tio.Cflag&unix.CLOCAL == 0 {
			t.Errorf("cflag %#x lacks a setting", tio.Cflag)
		}
		if tio.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 || tio.Oflag&unix.OPOST != 0 || tio.Iflag&(unix.IXON|unix.ICRNL) != 0 {
			t.Errorf("line is not raw: %#x %#x %#x", tio.Iflag, tio.Oflag, tio.Lflag)
		}
		if byNumber {
			if err := port.SetBaud(250000); err != nil {
				t.Error(err)
			}
			isSpeed(t, l, 250000)
		}
		if err := port.SetBaud(57600); err != nil {
			t.Error(err)
		}
		isSpeed(t, l, 57600)
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
