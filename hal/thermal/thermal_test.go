package thermal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal"
)

// peer is a printer of a few lines: it takes bytes, keeps what is to print, and answers as its fields say. The full simulator
// judges the driver in its own package; here each rule of the driver has its own small opponent.
type peer struct {
	conn    net.Conn
	printed []byte
	eot     [5]byte         // answers to DLE EOT 1 to 4, 0 is none
	gsr     func(n int) any // answer to the n-th GS r: a byte, a string of bytes, or nil
	asked   int
	deaf    func(n int) bool // stops reading after n bytes
	heard   int
}

func newPeer() *peer {
	return &peer{eot: [5]byte{0, 0x12, 0x12, 0x12, 0x12}, gsr: func(int) any { return byte(0) }}
}

func (p *peer) serve() {
	out := make(chan []byte, 1024)
	go func() {
		for b := range out {
			if _, err := p.conn.Write(b); err != nil {
				return
			}
		}
	}()
	defer close(out)
	var b [1]byte
	var last []byte
	for {
		if p.deaf != nil && p.deaf(p.heard) {
			return
		}
		if _, err := p.conn.Read(b[:]); err != nil {
			return
		}
		p.heard++
		last = append(last, b[0])
		switch {
		case bytes.HasSuffix(last, []byte("\x1dr\x01")):
			p.printed = append(p.printed, last[:len(last)-3]...)
			last = nil
			p.asked++
			switch a := p.gsr(p.asked).(type) {
			case byte:
				out <- []byte{a}
			case string:
				out <- []byte(a)
			}
		case len(last) >= 3 && last[len(last)-3] == 0x10 && last[len(last)-2] == 0x04:
			p.printed = append(p.printed, last[:len(last)-3]...)
			last = nil
			if a := p.eot[b[0]&7%5]; a != 0 {
				out <- []byte{a}
			}
		}
	}
}

type port struct {
	net.Conn
	flushed int
}

func gone(n int, err error) (int, error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		return n, hal.ErrUnplugged
	}
	return n, err
}

func (p *port) Read(b []byte) (int, error)  { return gone(p.Conn.Read(b)) }
func (p *port) Write(b []byte) (int, error) { return gone(p.Conn.Write(b)) }
func (p *port) Flush() error                { p.flushed++; return nil }
func (p *port) Drain(context.Context) error { return nil }
func (p *port) SetBaud(int) error           { return nil }
func (p *port) String() string              { return "/dev/ttyS9" }

// against runs f with the driver on a line to p, in virtual time.
func against(t *testing.T, p *peer, o *Opts, f func(t *testing.T, d *Dev)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := New(func() (hal.Port, error) {
			a, b := net.Pipe()
			p.conn = b
			go p.serve()
			return &port{Conn: a}, nil
		}, o)
		f(t, d)
		if err := d.Halt(); err != nil {
			t.Error(err)
		}
		if p.conn != nil {
			_ = p.conn.Close()
		}
	})
}

// slip is a job of several chunks.
var slip = []byte("\x1b@" + strings.Repeat("one line of a slip\n", 200) + "the end\n")

func reason(t *testing.T, err, want error) *Stopped {
	t.Helper()
	var s *Stopped
	if !errors.As(err, &s) || !errors.Is(err, want) {
		t.Fatalf("Print: %v, want a Stopped for %v", err, want)
	}
	return s
}

func TestPrint(t *testing.T) {
	p := newPeer()
	against(t, p, nil, func(t *testing.T, d *Dev) {
		for range 2 {
			p.printed = nil
			if err := d.Print(t.Context(), slip); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(p.printed, slip) {
				t.Errorf("printed %d bytes of %d", len(p.printed), len(slip))
			}
		}
		if d.String() != "thermal(/dev/ttyS9)" {
			t.Error(d.String())
		}
	})
}

func TestDataThatCannotBeSent(t *testing.T) {
	p := newPeer()
	against(t, p, nil, func(t *testing.T, d *Dev) {
		var e *SplitError
		if err := d.Print(t.Context(), []byte("text\x1bZ")); !errors.As(err, &e) || e.Offset != 4 {
			t.Errorf("%v", err)
		}
		if p.heard != 0 {
			t.Error("something was sent")
		}
	})
}

// The last answer is what makes a slip printed: without it, none is.
func TestNotPrintedWithoutTheLastAnswer(t *testing.T) {
	p := newPeer()
	total := 0
	against(t, p, nil, func(t *testing.T, d *Dev) {
		if err := d.Print(t.Context(), slip); err != nil {
			t.Fatal(err)
		}
		total = p.asked - endQueries + 1
	})
	for _, c := range []struct {
		why  string
		eot  [5]byte
		want error
	}{
		{"paper", [5]byte{0, 0x1a, 0x32, 0x12, 0x72}, ErrPaperOut},
		{"cover", [5]byte{0, 0x1a, 0x16, 0x12, 0x12}, ErrCoverOpen},
		{"cutter", [5]byte{0, 0x1a, 0x52, 0x1a, 0x12}, ErrFault},
		{"nothing it tells", [5]byte{0, 0x12, 0x12, 0x12, 0x12}, ErrOffline},
		{"gone", [5]byte{}, ErrOffline},
	} {
		p := newPeer()
		p.gsr = func(n int) any {
			if n < total {
				return byte(0)
			}
			p.eot = c.eot
			return nil
		}
		against(t, p, nil, func(t *testing.T, d *Dev) {
			s := reason(t, d.Print(t.Context(), slip), c.want)
			if s.Sent != len(slip) || s.Confirmed == 0 || s.Confirmed >= len(slip) {
				t.Errorf("%s: %+v", c.why, s)
			}
			if s.Total != len(slip) || !strings.Contains(s.Error(), fmt.Sprintf("%d of %d", s.Confirmed, s.Total)) {
				t.Errorf("%s: %v", c.why, s)
			}
		})
	}
}

// The last answer itself may say that the paper ended.
func TestPaperEndInTheLastAnswer(t *testing.T) {
	p := newPeer()
	p.gsr = func(int) any {
		if bytes.Contains(p.printed, []byte("the end")) {
			return byte(0x0f)
		}
		return byte(0x03)
	}
	against(t, p, nil, func(t *testing.T, d *Dev) { reason(t, d.Print(t.Context(), slip), ErrPaperOut) })
}

// A write that blocks for ever ends; the next use of the line works.
func TestBlockedWrite(t *testing.T) {
	p := newPeer()
	p.deaf = func(n int) bool { return n > 1000 }
	against(t, p, nil, func(t *testing.T, d *Dev) {
		start := time.Now()
		s := reason(t, d.Print(t.Context(), slip), ErrOffline)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it took %v", took)
		}
		if s.Confirmed >= s.Total || s.Sent == 0 || s.Sent >= s.Total {
			t.Errorf("%+v", s)
		}
		synctest.Wait()
		p.deaf = nil
		go p.serve()
		p.printed = nil
		if err := d.Print(t.Context(), slip); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(p.printed, slip) {
			t.Errorf("the second slip is not whole")
		}
	})
}

func TestCancel(t *testing.T) {
	p := newPeer()
	p.gsr = func(n int) any {
		if n < 10 {
			return byte(0)
		}
		return nil
	}
	against(t, p, nil, func(t *testing.T, d *Dev) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		reason(t, d.Print(ctx, slip), context.DeadlineExceeded)
		if took := time.Since(start); took != time.Second {
			t.Errorf("it ended after %v", took)
		}
		synctest.Wait()
		p.gsr = func(int) any { return byte(0) }
		if err := d.Print(t.Context(), slip); err != nil {
			t.Errorf("the next: %v", err)
		}
	})
}

func TestAnswersBetweenOtherBytes(t *testing.T) {
	for name, answer := range map[string]any{
		"XON and XOFF":             "\x13\x11\x00",
		"automatic status before":  "\x10\x00\x00\x0f\x00",
		"automatic status after":   "\x00\x10\x00\x00\x0f",
		"real-time status unasked": "\x12\x00",
	} {
		p := newPeer()
		p.gsr = func(int) any { return answer }
		against(t, p, nil, func(t *testing.T, d *Dev) {
			if err := d.Print(t.Context(), slip); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// More answers than questions, or bytes that are none: nothing is believed until the line is clean.
func TestGarbage(t *testing.T) {
	for name, answer := range map[string]any{
		"two answers for one": "\x00\x00",
		"noise":               "\x80\xff\x00",
		"noise without end":   strings.Repeat("\xff", 64),
	} {
		p := newPeer()
		p.gsr = func(n int) any {
			if n < 10 {
				return byte(0)
			}
			return answer
		}
		against(t, p, nil, func(t *testing.T, d *Dev) {
			if err := d.Print(t.Context(), slip); !errors.Is(err, ErrOffline) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	p := newPeer()
	p.gsr = func(n int) any {
		if n == 10 {
			return "\xff\x00" // one disturbed byte
		}
		return byte(0)
	}
	against(t, p, nil, func(t *testing.T, d *Dev) {
		if err := d.Print(t.Context(), slip); err != nil {
			t.Errorf("a printer that was disturbed once: %v", err)
		}
	})
}

func TestLineThatCannotBeOpened(t *testing.T) {
	missing := errors.New("no such device")
	fail := true
	p := newPeer()
	d := New(func() (hal.Port, error) {
		if fail {
			return nil, missing
		}
		a, b := net.Pipe()
		p.conn = b
		go p.serve()
		return &port{Conn: a}, nil
	}, nil)
	if err := d.Print(t.Context(), slip); !errors.Is(err, ErrOffline) || !errors.Is(err, missing) {
		t.Error(err)
	}
	if _, err := d.Status(t.Context()); !errors.Is(err, ErrOffline) {
		t.Error(err)
	}
	fail = false
	if err := d.Print(t.Context(), slip); err != nil {
		t.Error(err)
	}
	if err := d.Halt(); err != nil {
		t.Error(err)
	}
}

// A measured clone: 1A, 32 and 72 with the cover open, nothing to the fourth question.
func TestStatusOfAClone(t *testing.T) {
	p := newPeer()
	p.eot = [5]byte{0, 0x1a, 0x32, 0x72, 0}
	against(t, p, nil, func(t *testing.T, d *Dev) {
		s, err := d.Status(t.Context())
		if err != nil || s.Online || !s.PaperOut || s.Known != [5]bool{false, true, true, true, false} || s.Err() == nil {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestKindOf(t *testing.T) {
	for b, want := range map[byte]kind{
		0x12: isReal, 0x1a: isReal, 0x16: isReal, 0x7e: isReal, 0x72: isReal, 0x11: isFlow, 0x13: isFlow, 0x10: isAuto, 0x38: isAuto,
		0x00: isStatus, 0x03: isStatus, 0x0f: isStatus, 0x6f: isStatus, 0x80: isNoise, 0xff: isNoise, 0x92: isNoise, 0x15: isNoise,
	} {
		if got := kindOf(b); got != want {
			t.Errorf("kindOf(%02X) = %d, want %d", b, got, want)
		}
	}
}

// Whatever a line sends, the driver ends, and takes no more time than its limits add up to.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("\x00\x12\x12\x12\x12"))
	f.Add([]byte("\x10\x00\x00\x00\xff\x13\x11"))
	f.Add([]byte("\x1a\x32\x72\x0f"))
	f.Fuzz(func(t *testing.T, answers []byte) {
		if len(answers) > 256 {
			return
		}
		p := newPeer()
		next := 0
		take := func() byte {
			if len(answers) == 0 {
				return 0
			}
			next++
			return answers[next%len(answers)]
		}
		p.gsr = func(int) any {
			for i := range p.eot {
				p.eot[i] = take()
			}
			return string(answers[:min(len(answers), 1+int(take()%4))])
		}
		against(t, p, nil, func(t *testing.T, d *Dev) {
			start := time.Now()
			err := d.Print(t.Context(), slip)
			if took := time.Since(start); took > 5*time.Minute {
				t.Fatalf("it took %v: %v", took, err)
			}
			if err == nil && !bytes.HasSuffix(p.printed, []byte("the end\n")) {
				t.Fatal("Print claims what did not arrive")
			}
		})
	})
}
