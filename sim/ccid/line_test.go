package ccid_test

import (
	"context"
	"embed"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"

	"posd/sim/ccid"
)

func dehex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// host is the host's end of a line with a reader on it.
type host struct {
	t    testing.TB
	line net.Conn
	seq  byte
}

// connect runs the reader on a line in memory.
func connect(t testing.TB, r *ccid.Reader) *host {
	t.Helper()
	a, b := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Serve(ctx, b)
	}()
	t.Cleanup(func() {
		cancel()
		a.Close()
		b.Close()
		<-done
	})
	return &host{t: t, line: a}
}

func (h *host) write(b []byte) {
	h.t.Helper()
	if _, err := h.line.Write(b); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) read(n int) []byte {
	h.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(h.line, b); err != nil {
		h.t.Fatal(err)
	}
	return b
}

// frame builds a command.
func (h *host) frame(typ, slot byte, b [3]byte, data ...byte) []byte {
	h.seq++
	f := append([]byte{0x03, 0x06, typ, byte(len(data)), byte(len(data) >> 8), 0, 0, slot, h.seq, b[0], b[1], b[2]}, data...)
	var lrc byte
	for _, c := range f {
		lrc ^= c
	}
	return append(f, lrc)
}

// answer reads a frame and returns it without SYNC, ACK and LRC: ten bytes of header, data.
func (h *host) answer() []byte {
	h.t.Helper()
	head := h.read(12)
	if head[0] != 0x03 || head[1] != 0x06 {
		h.t.Fatalf("no frame: % X", head)
	}
	rest := h.read(int(head[3]) + int(head[4])<<8 + 1)
	var lrc byte
	for _, c := range append(head, rest...) {
		lrc ^= c
	}
	if lrc != 0 {
		h.t.Fatalf("wrong LRC: % X % X", head, rest)
	}
	return append(head[2:12:12], rest[:len(rest)-1]...)
}

// do sends a command and returns bStatus, bError and the data of the answer.
func (h *host) do(typ, slot byte, data ...byte) (status, code byte, out []byte) {
	h.t.Helper()
	h.write(h.frame(typ, slot, [3]byte{}, data...))
	a := h.answer()
	if a[5] != slot || a[6] != h.seq {
		h.t.Fatalf("command %02X slot %d seq %d: answer % X", typ, slot, h.seq, a)
	}
	return a[7], a[8], a[10:]
}

// chip is a card that answers as a test says.
type chip struct {
	atr    []byte
	resets int
	say    func(apdu []byte) []byte
}

func (c *chip) ATR() []byte                   { return c.atr }
func (c *chip) Reset()                        { c.resets++ }
func (c *chip) Transceive(apdu []byte) []byte { return c.say(apdu) }

var t0ATR = []byte{0x3B, 0x60, 0x00, 0x00}

//go:embed testdata/*.txt
var transcripts embed.FS
