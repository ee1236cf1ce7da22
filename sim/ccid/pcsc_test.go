package ccid_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posd/sim/card"
	"posd/sim/ccid"
)

// pty is a pseudo terminal in raw mode. The slave is kept open too, or the master would report EIO between two users of it.
type pty struct {
	master, slave *os.File
	path          string
}

func (p *pty) close() {
	p.slave.Close()
	p.master.Close()
}

func openPTY(t *testing.T) *pty {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &pty{master: os.NewFile(uintptr(fd), "ptmx")}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	p.path = fmt.Sprintf("/dev/pts/%d", n)
	if p.slave, err = os.OpenFile(p.path, os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	raw := unix.Termios{Cflag: unix.CS8 | unix.CREAD | unix.CLOCAL}
	raw.Cc[unix.VMIN] = 1
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		t.Fatal(err)
	}
	return p
}

// tool finds a program that the test cannot do without.
func tool(t *testing.T, name, debian string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: apt-get install --no-install-recommends %s", name, debian)
	}
	return p
}

const libccid = "/usr/lib/pcsc/drivers/serial/libccidtwin.so"

// pcscd runs the PC/SC daemon with libccid on a pty and a shell script of clients beside it, in a mount namespace of its own
// because the daemon's socket has a fixed path. It returns the clients' output and the daemon's log.
func pcscd(t *testing.T, device string, profile ccid.Profile, script string) (out, log string) {
	t.Helper()
	return pcscdIn(t, "", device, profile, script)
}

// pcscdIn is pcscd with a directory of the caller's, where the daemon's socket appears as run/pcscd.comm.
func pcscdIn(t *testing.T, dir, device string, profile ccid.Profile, script string) (out, log string) {
	t.Helper()
	tool(t, "pcscd", "pcscd")
	tool(t, "opensc-tool", "opensc")
	tool(t, "unshare", "util-linux")
	if _, err := os.Stat(libccid); err != nil {
		t.Fatalf("%s is missing: apt-get install --no-install-recommends libccid", libccid)
	}
	if dir == "" {
		dir = t.TempDir()
	}
	conf := fmt.Sprintf("FRIENDLYNAME \"simulated\"\nDEVICENAME %s:%s\nLIBPATH %s\nCHANNELID 1\n", device, profile, libccid)
	for _, d := range []string{"rc.d", "run"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "rc.d", "reader"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	run := `set -e
mount -t tmpfs none /run
mkdir /run/pcscd
mount --bind ` + dir + `/run /run/pcscd
LIBCCID_ifdLogLevel=0x000F pcscd --foreground --debug --apdu -c ` + dir + `/rc.d >` + dir + `/log 2>&1 &
daemon=$!
trap 'kill $daemon; wait $daemon || true' EXIT
i=0
until grep -q "Using the pcscd polling thread\|Attempting startup of" ` + dir + `/log && [ -S /run/pcscd/pcscd.comm ]; do
  i=$((i+1)); [ $i -lt 100 ] || exit 9
  sleep 0.05
done
` + script
	ctx, cancel := context.WithTimeout(t.Context(), 14*time.Second)
	defer cancel()
	args := []string{"-m", "sh", "-c", run}
	if os.Getuid() != 0 {
		args = append([]string{"-r"}, args...)
	}
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	b, err := cmd.CombinedOutput()
	l, _ := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatalf("%v\n%s\n--- pcscd\n%s", err, b, tail(string(l), 60))
	}
	return string(b), string(l)
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// serve runs the reader on a pty until the test ends.
func serve(t *testing.T, o ccid.Options) (*ccid.Reader, string) {
	t.Helper()
	p := openPTY(t)
	r := ccid.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx, p.master) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return r, p.path
}

// TestPCSC has libccid, the reference driver of these readers, power simulated cards and talk to them.
func TestPCSC(t *testing.T) {
	for _, c := range []struct {
		profile ccid.Profile
		card    string
		atr     string
	}{
		{ccid.GemCorePOSPro, "unionpay-debit", "3b:65:00:00:70:6f:73:64:30"},
		{ccid.GemPCTwin, "unionpay-debit", "3b:65:00:00:70:6f:73:64:30"},
		{ccid.GemCorePOSPro, "visa-debit", "3b:e5:00:00:81:31:fe:45:70:6f:73:64:31:"},
		{ccid.GemPCTwin, "visa-debit", "3b:e5:00:00:81:31:fe:45:70:6f:73:64:31:"},
	} {
		t.Run(string(c.profile)+"/"+c.card, func(t *testing.T) {
			t.Parallel()
			fast := ccid.Pace{}
			r, path := serve(t, ccid.Options{Profile: c.profile, Pace: &fast})
			chip, err := card.Load(c.card)
			if err != nil {
				t.Fatal(err)
			}
			r.Insert(0, chip)
			dump := os.Getenv("CCID_TRANSCRIPT") // a directory to record the frames into
			linger := ""
			if dump != "" {
				linger = "sleep 7" // the daemon takes the power from a card that nobody uses
			}
			out, log := pcscd(t, path, c.profile, `
opensc-tool -r 0 --atr
opensc-tool -r 0 -s 00A404000E315041592E5359532E444446303100 -s 00B2010C00 -s 00B2020C00
opensc-tool -r 0 -s 00A4040005A00000033300 -s 00A4040005A00000000300 || true
`+linger)
			if dump != "" {
				name := filepath.Join(dump, string(c.profile)+"-"+c.card+".txt")
				if err := os.WriteFile(name, transcript(log), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for _, want := range []string{c.atr, "SW1=0x90, SW2=0x00", "SW1=0x6A, SW2=0x83", "1PAY.SYS.DDF", "SW1=0x6A, SW2=0x82"} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			for _, bad := range []string{"Wrong LRC", "Can't read card status", "Duplicate", "Wrong value for frame size", "NAK requested", "Timeout!"} {
				if strings.Contains(log, bad) {
					t.Errorf("libccid says %q:\n%s", bad, tail(log, 30))
				}
			}
		})
	}
}

var frameLine = regexp.MustCompile(`(->|<-) (?:lun: )?[0-9A-F]+,? ((?:[0-9A-F]{2} ?)+)`)

// transcript keeps the frames of a pcscd log, one a line, with what came in several reads joined.
func transcript(log string) []byte {
	var out bytes.Buffer
	var dir string
	for _, m := range frameLine.FindAllStringSubmatch(log, -1) {
		hex := strings.ReplaceAll(m[2], " ", "")
		if m[1] == dir && dir == "<-" {
			out.WriteString(hex)
			continue
		}
		if dir != "" {
			out.WriteByte('\n')
		}
		dir = m[1]
		out.WriteString(map[string]string{"->": "> ", "<-": "< "}[dir] + hex)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// TestPCSCMovement takes a card in and out while libccid watches. The clients' script and the test take turns over a named pipe.
func TestPCSCMovement(t *testing.T) {
	for _, profile := range []ccid.Profile{ccid.GemCorePOSPro, ccid.GemPCTwin} {
		t.Run(string(profile), func(t *testing.T) {
			t.Parallel()
			r, path := serve(t, ccid.Options{Profile: profile, Pace: &ccid.Pace{}})
			chip, err := card.Load("unionpay-debit")
			if err != nil {
				t.Fatal(err)
			}
			turn := filepath.Join(t.TempDir(), "turn")
			if err := unix.Mkfifo(turn, 0o600); err != nil {
				t.Fatal(err)
			}
			fifo, err := os.OpenFile(turn, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				b := make([]byte, 1)
				for {
					if _, err := fifo.Read(b); err != nil {
						return
					}
					switch b[0] {
					case 'i':
						r.Insert(0, chip)
					case 'r':
						r.Remove(0)
					}
				}
			}()
			t.Cleanup(func() {
				fifo.Close()
				<-done
			})
			out, _ := pcscd(t, path, profile, `
state() { opensc-tool -l | awk '$1 == "0" { print $2 }'; }
wait_for() { i=0; until [ "$(state)" = "$1" ]; do i=$((i+1)); [ $i -lt 60 ] || { echo "never $1"; exit 8; }; sleep 0.05; done; echo "card: $1"; }
wait_for No
printf i >`+turn+`
wait_for Yes
opensc-tool -r 0 --atr
printf r >`+turn+`
wait_for No
printf i >`+turn+`
wait_for Yes
opensc-tool -r 0 -s 00A404000E315041592E5359532E444446303100
`)
			if !strings.Contains(out, "card: No\ncard: Yes\n3b:65:") || !strings.Contains(out, "SW1=0x90, SW2=0x00") {
				t.Errorf("clients:\n%s", out)
			}
		})
	}
}
