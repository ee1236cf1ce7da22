package serial

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// From the kernel's asm-generic/ioctls.h and linux/serial.h; the same on all architectures Linux terminals use.
const (
	tiocsergetlsr = 0x5459
	tiocserTEMT   = 0x01 // transmitter physically empty
)

// bauds are the speeds with a name in termios, the same set as tarm/serial's.
var bauds = map[int]uint32{
	50: unix.B50, 75: unix.B75, 110: unix.B110, 134: unix.B134, 150: unix.B150, 200: unix.B200, 300: unix.B300, 600: unix.B600,
	1200: unix.B1200, 1800: unix.B1800, 2400: unix.B2400, 4800: unix.B4800, 9600: unix.B9600, 19200: unix.B19200, 38400: unix.B38400,
	57600: unix.B57600, 115200: unix.B115200, 230400: unix.B230400, 460800: unix.B460800, 500000: unix.B500000, 576000: unix.B576000,
	921600: unix.B921600, 1000000: unix.B1000000, 1152000: unix.B1152000, 1500000: unix.B1500000, 2000000: unix.B2000000,
	2500000: unix.B2500000, 3000000: unix.B3000000, 3500000: unix.B3500000, 4000000: unix.B4000000,
}

// claim makes the line ours. The lock ends with this process however it ends. Exclusive mode does not: it stays until nobody has the
// line open, which on a pseudo terminal may be never, so it is left out there.
func (p *port) claim() error {
	return p.control(func(fd int) error {
		if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
			if err == syscall.EWOULDBLOCK {
				return ErrBusy
			}
			return fmt.Errorf("lock: %w", err)
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		// Majors 136 to 143 are Unix98 pty slaves (Documentation/admin-guide/devices.txt).
		if m := unix.Major(uint64(st.Rdev)); m >= 136 && m <= 143 {
			p.pty = true
			return nil
		}
		return unix.IoctlSetInt(fd, unix.TIOCEXCL, 0)
	})
}

func (p *port) flowControl() error {
	return p.control(func(fd int) error {
		t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		t.Cflag |= unix.CRTSCTS
		return unix.IoctlSetTermios(fd, unix.TCSETS, t)
	})
}

// SetBaud changes the speed at once. A speed that has no name in termios is asked for as a number and read back: more than 3 % off
// is ErrBaud, because characters would be lost.
func (p *port) SetBaud(baud int) error {
	if baud < 50 || baud > 4_000_000 {
		return fmt.Errorf("serial: %s: %d bit/s: %w", p.path, baud, ErrBaud)
	}
	err := p.control(func(fd int) error {
		if code, ok := bauds[baud]; ok {
			t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
			if err != nil {
				return err
			}
			t.Cflag = t.Cflag&^(unix.CBAUD|unix.CIBAUD) | code
			return unix.IoctlSetTermios(fd, unix.TCSETS, t)
		}
		t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
		if err == unix.ENOSYS {
			return fmt.Errorf("%d bit/s: %w: speeds without a name cannot be set here", baud, ErrBaud)
		}
		if err != nil {
			return err
		}
		t.Cflag = t.Cflag&^(unix.CBAUD|unix.CIBAUD) | unix.BOTHER
		t.Ispeed, t.Ospeed = uint32(baud), uint32(baud)
		if err := unix.IoctlSetTermios(fd, unix.TCSETS2, t); err != nil {
			return err
		}
		if t, err = unix.IoctlGetTermios(fd, unix.TCGETS2); err != nil {
			return err
		}
		if off := int64(t.Ospeed) - int64(baud); max(off, -off)*100 > 3*int64(baud) {
			return fmt.Errorf("%d bit/s became %d: %w", baud, t.Ospeed, ErrBaud)
		}
		return nil
	})
	if err != nil {
		return p.named("speed", err)
	}
	p.baud.Store(int64(baud))
	return nil
}
