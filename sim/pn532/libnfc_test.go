package pn532_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posd/internal/pty"
	"posd/sim/card"
	"posd/sim/pn532"
)

// plug runs the chip on a pseudo terminal until the test ends and returns the path of its line.
func plug(t *testing.T, c *pn532.Chip) string {
	t.Helper()
	master, path, keep, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Serve(context.Background(), master) // it ends with the line
	}()
	t.Cleanup(func() {
		_ = master.Close()
		<-done
		_ = keep.Close()
	})
	return path
}

// listener calls heard with everything that was written so far.
type listener struct {
	all   strings.Builder
	heard func(all string)
}

func (l *listener) Write(b []byte) (int, error) {
	l.all.Write(b)
	if l.heard != nil {
		l.heard(l.all.String())
	}
	return len(b), nil
}

// libnfc runs one of libnfc's tools on a line, with its log of every frame. heard may be nil. A tool that is missing is a failure.
func libnfc(t *testing.T, line, input string, heard func(string), tool string, args ...string) (out, log string) {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		t.Fatalf("%s is missing: apt-get install --no-install-recommends libnfc-bin libnfc-examples libnfc-pn53x-examples", tool)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 14*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LIBNFC_DEFAULT_DEVICE=pn532_uart:"+line, "LIBNFC_AUTO_SCAN=false", "LIBNFC_LOG_LEVEL=3")
	cmd.Stdin = strings.NewReader(input)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	stdout, stderr := listener{heard: heard}, strings.Builder{}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v\n%s\n%s", tool, err, stdout.all.String(), stderr.String())
	}
	for _, bad := range []string{"mismatch", "Unable to", "Application level error", "buffer too small"} {
		for line := range strings.Lines(stderr.String()) {
			if strings.Contains(line, bad) && !strings.Contains(line, "/etc/nfc") && !strings.Contains(line, "USB") {
				t.Errorf("%s says %q", tool, line)
			}
		}
	}
	if dir := os.Getenv("PN532_TRANSCRIPT"); dir != "" { // a directory to record the frames into
		name := filepath.Join(dir, strings.NewReplacer("TestLibnfc/", "", ",", "", "_", "-").Replace(t.Name())+".txt")
		if err := os.WriteFile(name, transcript(stderr.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return stdout.all.String(), stderr.String()
}

var frameLine = regexp.MustCompile(`(TX|RX):\s+((?:[0-9a-f]{2} ?)+)`)

// transcript keeps the bytes of a libnfc log, one line for each turn. A command that is repeated with the same answer is kept once.
func transcript(log string) []byte {
	var out strings.Builder
	dir := ""
	for _, m := range frameLine.FindAllStringSubmatch(log, -1) {
		if m[1] != dir {
			if dir != "" {
				out.WriteByte('\n')
			}
			dir = m[1]
			out.WriteString(map[string]string{"TX": ">", "RX": "<"}[dir])
		}
		fmt.Fprintf(&out, " %s", strings.TrimSpace(m[2]))
	}
	lines := strings.Split(out.String(), "\n")
	for i := 2; i+1 < len(lines); {
		if lines[i] == lines[i-2] && lines[i+1] == lines[i-1] {
			lines = slices.Delete(lines, i, i+2)
		} else {
			i += 2
		}
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// directory is a contact card that also has the directory of contactless ones.
type directory struct {
	*card.Card
	fci []byte
}

func (d directory) Transceive(apdu []byte) []byte {
	switch {
	case bytes.Equal(apdu, ppse):
		return d.fci
	case bytes.Equal(apdu, []byte{0x00, 0xCA, 0x00, 0x00, 0x00}): // as long as a response can be
		return append(bytes.Repeat([]byte{0xA5}, 256), 0x90, 0x00)
	}
	return d.Card.Transceive(apdu)
}

// fciPPSE is the answer of a UnionPay debit card to SELECT PPSE, as published with the protocol traces of such cards.
const fciPPSE = "6F30840E325041592E5359532E4444463031A51EBF0C1B61194F08A000000333010101500A50424F432044454249548701019000"

func newDirectory(t *testing.T) directory {
	t.Helper()
	k, err := card.Load("unionpay-debit")
	if err != nil {
		t.Fatal(err)
	}
	return directory{k, dehex(t, fciPPSE)}
}

// TestLibnfc has libnfc, the reference driver of this chip, find simulated cards and talk to them.
func TestLibnfc(t *testing.T) {
	for _, c := range []struct {
		name, tool string
		args       []string
		input      string
		target     *pn532.Target
		want       []string
	}{
		{"list, type A", "nfc-list", []string{"-v"}, "", &pn532.Target{}, []string{
			"1 ISO14443A passive target(s) found", "08  a1  b2  c3", "SAK (SEL_RES): 20", "ATS: 78  80  70  02", "0 ISO14443B passive", "0 Felica (212", "0 ISO14443A-3 Jewel",
		}},
		{"list, seven bytes of UID", "nfc-list", nil, "", &pn532.Target{ATQA: [2]byte{0x00, 0x44}, UID: []byte{4, 1, 2, 3, 4, 5, 6}}, []string{
			"UID (NFCID1): 04  01  02  03  04  05  06", "ATQA (SENS_RES): 00  44",
		}},
		{"list, type B", "nfc-list", []string{"-v"}, "", &pn532.Target{B: true}, []string{
			"1 ISO14443B passive target(s) found", "PUPI: 01  02  03  04", "Protocol types supported: ISO/IEC 14443-4", "0 ISO14443A passive",
		}},
		{"list, nobody", "nfc-list", []string{"-v"}, "", nil, []string{"0 ISO14443A passive", "0 ISO14443B passive"}},
		{"scan", "nfc-scan-device", []string{"-v"}, "", nil, []string{"1 NFC device(s) found", "chip: PN532 v1.6", "ISO/IEC 14443A (424 kbps, 212 kbps, 106 kbps)", "ISO/IEC 14443-4B (106 kbps)"}},
		{"poll, type A", "nfc-poll", nil, "", &pn532.Target{}, []string{"08  a1  b2  c3", "ATS: 78  80  70  02", "Waiting for card removing", "done"}},
		{"poll, type B", "nfc-poll", nil, "", &pn532.Target{B: true}, []string{"PUPI: 01  02  03  04", "Waiting for card removing", "done"}},
		{"diagnose", "pn53x-diagnose", nil, "", nil, []string{"Communication line test: OK", "ROM test: OK", "RAM test: OK"}},
		{
			"APDUs", "pn53x-tamashell", nil,
			"02\n4a0100\n400100a404000e325041592e5359532e444446303100\n400100a4040008a00000033301010100\n" +
				"400180a8000002830000\n400100b2010c00\n400100ca000000\n42b2\n42b3\n4401\n5200\nq\n",
			&pn532.Target{},
			[]string{
				"Rx: 32  01  06  07", "Rx: 01  01  00  04  20  04  08  a1  b2  c3  05  78  80  70  02",
				"Rx: 00  6f  30  84  0e  32  50  41  59  2e  53  59  53  2e  44  44  46  30  31", "87  01  01  90  00",
				"Rx: 00  6f", "Rx: 00  77", "Rx: 00  70", "a5  a5  90  00", "Rx: 00  02  a5", "Rx: 00  a2",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sim := pn532.New(pn532.Options{Pace: &pn532.Pace{}})
			if c.target != nil {
				target := *c.target
				target.Card = newDirectory(t)
				sim.Tap(target)
			}
			out, _ := libnfc(t, plug(t, sim), c.input, func(all string) {
				if strings.Contains(all, "Waiting for card removing") { // it asks the card all the time whether it is there
					time.AfterFunc(200*time.Millisecond, sim.TakeAll)
				}
			}, c.tool, c.args...)
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}
