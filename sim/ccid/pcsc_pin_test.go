package ccid_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posd/sim"
	"posd/sim/card"
	"posd/sim/ccid"
)

// pcsc is a client of pcscd, which speaks the protocol of its socket (pcsc-lite, winscard_msg.h, version 4): a header with the
// structure's size and the command, then the structure of 32-bit words in the machine's order, then data; the answer is the structure and data.
type pcsc struct {
	t    *testing.T
	c    net.Conn
	card uint32
}

// Commands of the protocol.
const (
	pcscEstablish = 0x01
	pcscConnect   = 0x04
	pcscTransmit  = 0x09
	pcscControl   = 0x0A
	pcscVersion   = 0x11
)

func (p *pcsc) call(command uint32, request []byte, words int, data ...byte) []byte {
	p.t.Helper()
	head := binary.NativeEndian.AppendUint32(nil, uint32(len(request)))
	head = binary.NativeEndian.AppendUint32(head, command)
	if _, err := p.c.Write(slices.Concat(head, request, data)); err != nil {
		p.t.Fatal(err)
	}
	return p.read(4 * words)
}

func (p *pcsc) read(n int) []byte {
	p.t.Helper()
	b := make([]byte, n)
	if err := p.c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.ReadFull(p.c, b); err != nil {
		p.t.Fatal(err)
	}
	return b
}

func words(v ...uint32) (b []byte) {
	for _, w := range v {
		b = binary.NativeEndian.AppendUint32(b, w)
	}
	return b
}

func word(b []byte, i int) uint32 { return binary.NativeEndian.Uint32(b[4*i:]) }

// dial connects to the daemon and to the card in its only reader.
func dial(t *testing.T, socket, reader string) *pcsc {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	p := &pcsc{t: t, c: c}
	if a := p.call(pcscVersion, words(4, 4, 0), 3); word(a, 2) != 0 {
		t.Fatalf("version: % X", a)
	}
	a := p.call(pcscEstablish, words(2, 0, 0), 3)
	if word(a, 2) != 0 {
		t.Fatalf("establish: % X", a)
	}
	name := make([]byte, 128)
	copy(name, reader)
	a = p.call(pcscConnect, slices.Concat(words(word(a, 1)), name, words(2, 3, 0, 0, 0)), 6+32)
	if rv := word(a, 37); rv != 0 {
		t.Fatalf("connect: %08X", rv)
	}
	p.card = word(a, 35)
	return p
}

// control is SCardControl.
func (p *pcsc) control(code uint32, data []byte) []byte {
	p.t.Helper()
	a := p.call(pcscControl, words(p.card, code, uint32(len(data)), 256, 0, 0), 6, data...)
	if rv := word(a, 5); rv != 0 {
		p.t.Fatalf("control %08X: %08X", code, rv)
	}
	return p.read(int(word(a, 4)))
}

// transmit is SCardTransmit.
func (p *pcsc) transmit(protocol uint32, apdu []byte) []byte {
	p.t.Helper()
	a := p.call(pcscTransmit, words(p.card, protocol, 8, uint32(len(apdu)), protocol, 8, 258, 0), 8, apdu...)
	if rv := word(a, 7); rv != 0 {
		p.t.Fatalf("transmit % X: %08X", apdu[:4], rv)
	}
	return p.read(int(word(a, 6)))
}

// verifyStructure is PIN_VERIFY_STRUCTURE (PC/SC part 10, 2.5.2) for EMV's PIN block of format 2.
func verifyStructure(seconds byte) []byte {
	apdu := []byte{0x00, 0x20, 0x00, 0x80, 0x08, 0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	b := []byte{seconds, 0, 0x89, 0x47, 0x04, 0x0C, 0x04, 0x02, 0x01, 0x09, 0x04, 0x00, 0, 0, 0}
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(apdu))), apdu...)
}

// TestPCSCPIN has libccid drive a PIN entry on a simulated GemPCPinPad (FEATURE_VERIFY_PIN_DIRECT), with a T=0 and a T=1 card.
func TestPCSCPIN(t *testing.T) {
	for _, c := range []struct {
		card, aid, pin string
		protocol       uint32
	}{
		{"unionpay-debit", "A000000333010101", "123456", 1}, {"visa-debit", "A0000000031010", "1234", 2},
	} {
		t.Run(c.card, func(t *testing.T) {
			t.Parallel()
			asked := make(chan struct{}, 10)
			r, path := serve(t, ccid.Options{Profile: ccid.GemPCPinPad, Pace: &ccid.Pace{}, Trace: func(e sim.Event) {
				if strings.HasPrefix(e.Summary, "waiting for the cardholder") {
					asked <- struct{}{}
				}
			}})
			chip, err := card.Load(c.card)
			if err != nil {
				t.Fatal(err)
			}
			r.Insert(0, chip)
			dir := t.TempDir()
			turns := map[string]*os.File{}
			for _, name := range []string{"up", "down"} {
				if err := unix.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
					t.Fatal(err)
				}
				f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				turns[name] = f
			}
			var log string
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, log = pcscdIn(t, dir, path, ccid.GemPCPinPad, `
i=0
until opensc-tool -l | awk '$1 == "0" { print $2 }' | grep -q Yes; do i=$((i+1)); [ $i -lt 60 ] || exit 8; sleep 0.05; done
echo >`+dir+`/up
read x <`+dir+`/down
`)
			}()
			finish := func() {
				if _, err := turns["down"].Write([]byte("\n")); err != nil {
					t.Error(err)
				}
				<-done
			}
			if err := turns["up"].SetReadDeadline(time.Now().Add(12 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := turns["up"].Read(make([]byte, 1)); err != nil {
				finish()
				t.Fatalf("pcscd: %v", err)
			}
			defer func() { // after the clean-ups of what comes below
				finish()
				if t.Failed() {
					t.Log(tail(log, 30))
				}
				for _, bad := range []string{"Wrong LRC", "Duplicate", "Wrong value for frame size", "NAK requested", "Timeout!"} {
					if strings.Contains(log, bad) {
						t.Errorf("libccid says %q:\n%s", bad, tail(log, 30))
					}
				}
			}()
			p := dial(t, filepath.Join(dir, "run", "pcscd.comm"), "simulated 00 00")
			verify := uint32(0)
			for f := p.control(0x42000000+3400, nil); len(f) >= 6; f = f[6:] { // CM_IOCTL_GET_FEATURE_REQUEST
				if f[0] == 0x06 { // FEATURE_VERIFY_PIN_DIRECT
					verify = binary.BigEndian.Uint32(f[2:])
				}
			}
			if verify == 0 {
				t.Fatal("libccid sees no keypad")
			}
			aid := dehex(t, c.aid)
			fci := p.transmit(c.protocol, slices.Concat([]byte{0x00, 0xA4, 0x04, 0x00, byte(len(aid))}, aid))
			if len(fci) == 2 && fci[0] == 0x61 { // T=0
				fci = p.transmit(c.protocol, []byte{0x00, 0xC0, 0x00, 0x00, fci[1]})
			}
			n := pdolLength(t, fci[:len(fci)-2])
			gpo := p.transmit(c.protocol, slices.Concat([]byte{0x80, 0xA8, 0x00, 0x00, byte(n + 2), 0x83, byte(n)}, make([]byte, n)))
			if len(gpo) < 2 || gpo[len(gpo)-2] != 0x61 && gpo[len(gpo)-2] != 0x90 {
				t.Fatalf("GET PROCESSING OPTIONS: % X", gpo)
			}
			for _, e := range []struct {
				name, keys, want string
				seconds          byte
			}{
				{"wrong", "0000\r", "63C2", 30},
				{"cancelled", "12\x1b", "6401", 30},
				{"time is up", "12", "6400", 1},
				{"right", "9\b" + c.pin + "\r", "9000", 30},
			} {
				go func() {
					<-asked
					for _, k := range e.keys {
						r.Press(k)
					}
				}()
				if got := p.control(verify, verifyStructure(e.seconds)); !bytes.Equal(got, dehex(t, e.want)) {
					t.Errorf("%s: % X, want %s", e.name, got, e.want)
				}
			}
		})
	}
}
