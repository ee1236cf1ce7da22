package ccid

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"posd/hal"
)

// testPort is a hal.Port over one end of a net.Pipe.
type testPort struct{ net.Conn }

func gone(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return hal.ErrUnplugged
}

func (p testPort) Read(b []byte) (int, error) { n, err := p.Conn.Read(b); return n, gone(err) }

func (p testPort) Write(b []byte) (int, error)        { n, err := p.Conn.Write(b); return n, gone(err) }
func (p testPort) SetReadDeadline(t time.Time) error  { return gone(p.Conn.SetReadDeadline(t)) }
func (p testPort) SetWriteDeadline(t time.Time) error { return gone(p.Conn.SetWriteDeadline(t)) }

func (p testPort) Flush() error                { return nil }
func (p testPort) Drain(context.Context) error { return nil }
func (p testPort) SetBaud(int) error           { return nil }
func (p testPort) String() string              { return "pipe" }

// fake is a reader that answers as a test says. say gets every command and returns the bytes to send; nil is silence, and unplug
// takes the line away.
type fake struct {
	say    func(m message) []byte
	heard  []message
	opened int
	closed chan struct{}
}

var unplug = []byte("unplug")

// newFake returns a driver on a fake reader.
func newFake(t testing.TB, o *Opts, say func(m message) []byte) (*Reader, *fake) {
	t.Helper()
	f := &fake{say: say}
	r := New(func() (hal.Port, error) {
		a, b := net.Pipe()
		f.opened++
		f.closed = make(chan struct{})
		go f.serve(b, f.closed)
		return testPort{a}, nil
	}, o)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if f.closed != nil {
			<-f.closed
		}
	})
	return r, f
}

func (f *fake) serve(c net.Conn, closed chan struct{}) {
	defer close(closed)
	out := make(chan []byte, 100) // a line has room for an answer that nobody reads
	var writer sync.WaitGroup
	writer.Go(func() {
		defer c.Close()
		for b := range out {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	})
	defer writer.Wait()
	defer close(out)
	var d decoder
	buf := make([]byte, 1024)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		d.push(buf[:n])
		for {
			it, ok := d.next()
			if !ok {
				break
			}
			f.heard = append(f.heard, it.msg)
			b := f.say(it.msg)
			if string(b) == string(unplug) {
				return
			}
			if len(b) > 0 {
				out <- b
			}
		}
	}
}

// answer builds the answer to m with a status, an error code and data.
func answer(m message, status, code byte, data ...byte) []byte {
	return message{typ: answerType(m.typ), slot: m.slot, seq: m.seq, b: [3]byte{status, code}, data: data}.appendFrame(nil)
}

var goodATR = []byte{0x3B, 0x60, 0x00, 0x00}

// card is a fake reader with a card in it. tpdu answers XfrBlock; nil is a mute card.
func card(atr []byte, tpdu func(b []byte) []byte) func(m message) []byte {
	return func(m message) []byte {
		switch m.typ {
		case pcPowerOn:
			return answer(m, 0, 0, atr...)
		case pcSetParams:
			return answer(m, 0, 0, m.data...)
		case pcXfrBlock:
			if out := tpdu(m.data); out != nil {
				return answer(m, 0, 0, out...)
			}
			return answer(m, 0x40, 0xFE)
		}
		return answer(m, 0, 0)
	}
}

func dehex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
