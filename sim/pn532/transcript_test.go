package pn532

import (
	"bytes"
	"context"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal"
	driver "posd/hal/pn532"
	"posd/hal/serial/porttest"
)

// Recorded from libnfc's tools on the simulated chip by libnfc_test.go with PN532_TRANSCRIPT set.
//
//go:embed testdata/*.txt
var transcripts embed.FS

// turn is a frame of libnfc's and all that the chip said to it: acknowledgement and answer.
type turn struct{ command, answer []byte }

// load reads recordings, one behind the other.
func load(t *testing.T, names ...string) (turns []turn) {
	t.Helper()
	for _, name := range names {
		turns = append(turns, loadOne(t, name)...)
	}
	return turns
}

func loadOne(t *testing.T, name string) (turns []turn) {
	t.Helper()
	b, err := transcripts.ReadFile(path.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		raw, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(line[1:]), " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case line[0] == '<':
			turns[len(turns)-1].answer = raw
		default:
			k, cmd, _ := parse(raw)
			if k != command {
				t.Fatalf("%s: % X is no command", name, raw)
			}
			turns = append(turns, turn{command: cmd})
		}
	}
	return turns
}

// player is a chip that says what was recorded. A command that libnfc gave with other parameters is answered by its code; a card's
// exchange must be the one recorded, byte for byte. What libnfc never said is in missed.
type player struct {
	turns  []turn
	missed []string
}

func (p *player) answer(cmd []byte) []byte {
	for _, t := range p.turns {
		if bytes.Equal(t.command, cmd) {
			return t.answer
		}
	}
	for _, t := range p.turns {
		same := t.command[0] == cmd[0]
		switch cmd[0] {
		case cmdExchange, cmdThru:
			same = false
		case cmdRF: // the item
			same = same && t.command[1] == cmd[1]
		case cmdList: // the modulation
			same = same && t.command[2] == cmd[2]
		}
		if same {
			return t.answer
		}
	}
	p.missed = append(p.missed, fmt.Sprintf("% X", cmd))
	return nil
}

func (p *player) serve(_ context.Context, line io.ReadWriter) error {
	var pending []byte
	buf := make([]byte, 512)
	for {
		n, err := line.Read(buf)
		if err != nil {
			return err
		}
		pending = append(pending, buf[:n]...)
		for len(pending) > 0 {
			k, cmd, n := parse(pending)
			if k == partial {
				break
			}
			if k == command {
				// Acknowledgement and answer were recorded as one; on SPI and I2C they are two transfers.
				if a := p.answer(cmd); a != nil {
					for _, f := range [][]byte{a[:6], a[6:]} {
						if _, err := line.Write(f); err != nil {
							return err
						}
					}
				}
			}
			pending = pending[n:]
		}
	}
}

// replay runs a test with posd's driver on a recording, on each transport.
func replay(t *testing.T, names []string, f func(t *testing.T, dev *driver.Dev)) {
	t.Helper()
	for _, transport := range []string{"HSU", "SPI", "I2C"} {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &player{turns: load(t, names...)}
				var dev *driver.Dev
				var end func() error
				if transport == "HSU" {
					port, e := porttest.Pipe(4096)
					done := make(chan struct{})
					go func() {
						defer close(done)
						_ = p.serve(context.Background(), e) // it ends with the line
					}()
					end = func() error { defer func() { <-done }(); return e.Close() }
					dev = driver.NewHSU(func() (hal.Port, error) { return port, nil }, nil)
				} else {
					w := newWire(p.serve)
					end = w.Close
					if dev = driver.NewSPI(SPI{w}, nil); transport == "I2C" {
						dev = driver.NewI2C(I2C{w}, nil)
					}
				}
				f(t, dev)
				if err := dev.Close(); err != nil {
					t.Error(err)
				}
				if err := end(); err != nil {
					t.Error(err)
				}
				if len(p.missed) > 0 {
					t.Errorf("libnfc never said %q", p.missed)
				}
			})
		})
	}
}

func TestTranscriptAPDUs(t *testing.T) {
	replay(t, []string{"list-type-A"}, func(t *testing.T, dev *driver.Dev) {
		k, err := dev.Activate(t.Context())
		if err != nil || k.Type() != 'A' {
			t.Fatal(k, err)
		}
		if f, err := dev.Firmware(t.Context()); err != nil || f.IC != 0x32 || f.Version != 1 || f.Revision != 6 {
			t.Error(f, err)
		}
	})
	var exchanges []turn
	for _, x := range load(t, "APDUs") {
		if x.command[0] == cmdExchange {
			exchanges = append(exchanges, x)
		}
	}
	if len(exchanges) < 5 {
		t.Fatalf("%d exchanges recorded", len(exchanges))
	}
	both := func(t *testing.T, dev *driver.Dev) {
		k, err := dev.Activate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range exchanges {
			out, err := k.Transceive(t.Context(), x.command[2:])
			// Behind acknowledgement, start, length and status stands the response; checksum and postamble end it.
			want := x.answer[6+8 : len(x.answer)-2]
			if len(x.answer) > 270 {
				want = x.answer[6+11 : len(x.answer)-2]
			}
			if err != nil || !bytes.Equal(out, want) {
				t.Errorf("% X: % X, %v, want % X", x.command, out, err, want)
			}
		}
		if err := dev.Off(t.Context(), time.Second); err != nil {
			t.Error(err)
		}
	}
	// libnfc's shell polls type A only; what the chip says of type B when there is none was recorded with nfc-list.
	replay(t, []string{"APDUs", "list-type-A"}, both)
}

func TestTranscriptNobody(t *testing.T) {
	replay(t, []string{"list-nobody"}, func(t *testing.T, dev *driver.Dev) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := dev.Activate(ctx); err != context.DeadlineExceeded {
			t.Error(err)
		}
	})
}

func TestTranscriptTypeB(t *testing.T) {
	replay(t, []string{"list-type-B"}, func(t *testing.T, dev *driver.Dev) {
		k, err := dev.Activate(t.Context())
		if err != nil || k.Type() != 'B' {
			t.Error(k, err)
		}
	})
}

// TestTranscriptFrames: every command of libnfc's was acknowledged and answered with its own code.
func TestTranscriptFrames(t *testing.T) {
	files, err := transcripts.ReadDir("testdata")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		for _, x := range load(t, strings.TrimSuffix(f.Name(), ".txt")) {
			if !bytes.HasPrefix(x.answer, ackFrame) {
				t.Errorf("%s: % X is not acknowledged", f.Name(), x.command)
			}
			if a := x.answer[6:]; len(a) < 9 || a[3] != 0xFF && a[6] != x.command[0]+1 {
				t.Errorf("%s: % X answered % X", f.Name(), x.command, a)
			}
		}
	}
}
