// Package pty opens pseudo terminals: a byte line that looks like a serial port to whoever opens its slave side (pty(7), ptmx(4)).
// Simulators own the master side and tests stand on both. It knows nothing of speeds or devices.
package pty

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Open makes a pseudo terminal. master is non-blocking and honours deadlines. The slave side, at slavePath, is already raw: nothing
// is echoed or translated before the client has configured it.
//
// keep is an open slave. As long as it is open, master.Read waits while no client has the line open; without it, it returns EIO as
// soon as the last client closes. To simulate pulling the plug, close master: the client then sees a hang-up.
func Open() (master *os.File, slavePath string, keep *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", nil, fmt.Errorf("pty: %w", err)
	}
	defer func() {
		if err != nil {
			_ = master.Close() // the first error counts
			master = nil
		}
	}()
	var n int
	err = control(master, "unlock", func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		var err error
		n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	if err != nil {
		return master, "", nil, err
	}
	slavePath = fmt.Sprintf("/dev/pts/%d", n)
	keep, err = os.OpenFile(slavePath, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return master, "", nil, fmt.Errorf("pty: %w", err)
	}
	if err = control(keep, "raw mode", makeRaw); err != nil {
		_ = keep.Close() // the first error counts
		return master, "", nil, err
	}
	return master, slavePath, keep, nil
}

// makeRaw is cfmakeraw(3).
func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// control runs an ioctl without taking the file out of the runtime's poller, as Fd would.
func control(f *os.File, what string, do func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("pty: %s: %w", what, err)
	}
	var inner error
	if err := c.Control(func(fd uintptr) { inner = do(int(fd)) }); err != nil {
		return fmt.Errorf("pty: %s: %w", what, err)
	}
	if inner != nil {
		return fmt.Errorf("pty: %s: %w", what, inner)
	}
	return nil
}
