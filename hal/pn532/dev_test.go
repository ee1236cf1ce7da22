package pn532

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// script is a bus whose chip says what a test wants: say gets every frame that is sent and returns what comes back.
type script struct {
	say    func(frame []byte) []byte
	queue  []byte
	sent   [][]byte
	opened bool
	opens  int
}

func (s *script) String() string { return "script" }

func (s *script) open() (bool, error) {
	if s.opened {
		return false, nil
	}
	s.opened = true
	s.opens++
	return true, nil
}

func (s *script) send(frame []byte) error {
	s.sent = append(s.sent, bytes.Clone(frame))
	s.queue = append(s.queue, s.say(frame)...)
	return nil
}

func (s *script) receive(ctx context.Context, dec *decoder, _ int, until time.Time) error {
	if len(s.queue) == 0 {
		if err := nap(ctx, time.Until(until)); err != nil {
			return err
		}
		return errLate
	}
	n := copy(dec.room(), s.queue)
	dec.wrote(n)
	s.queue = s.queue[n:]
	return nil
}

func (s *script) flush() error { s.queue = nil; return nil }
func (s *script) close() error { s.opened = false; return nil }

// good is a chip with a card of type A that echoes commands.
func good(frame []byte) []byte {
	if bytes.Equal(frame, ackFrame) || bytes.Equal(frame, nackFrame) || bytes.Equal(frame, wakeUp) {
		return nil
	}
	head := 6
	if frame[3] == 0xFF && frame[4] == 0xFF {
		head = 9
	}
	cmd := frame[head : len(frame)-2]
	a := []byte{cmd[0] + 1}
	switch cmd[0] {
	case cmdFirmware:
		a = append(a, 0x32, 1, 6, 7)
	case cmdRelease:
		a = append(a, 0)
	case cmdList:
		if cmd[2] == typeB {
			a = append(a, 0)
		} else {
			a = append(a, 1, 1, 0x00, 0x04, 0x20, 4, 8, 1, 2, 3, 1)
		}
	case cmdExchange:
		a = append(append(a, 0), cmd[2:]...)
	case cmdThru:
		a = append(a, 0, 0xA3)
	}
	return append(bytes.Clone(ackFrame), chipFrame(a...)...)
}

var apdu = []byte{0x80, 0xAE, 0x80, 0x00, 0x00}

func isExchange(frame []byte) bool {
	return len(frame) > 6 && frame[5] == tfiHost && frame[6] == cmdExchange
}

// TestExchangeOnTheWire: what may go wrong in an exchange, and how often the chip is told to do it. A card's command is sent again only
// when nothing at all was heard for so long that the chip cannot have got it.
func TestExchangeOnTheWire(t *testing.T) {
	ok := chipFrame(append([]byte{0x41, 0x00}, apdu...)...)
	spoilt := bytes.Clone(ok)
	spoilt[8] ^= 1
	stale := chipFrame(0x4B, 0x00)
	for _, c := range []struct {
		name   string
		first  []byte // to the first frame
		second []byte // to the command when it is sent again
		nacked []byte // to a NACK
		sends  int
		nacks  int
		want   error
	}{
		{"as it should be", append(bytes.Clone(ackFrame), ok...), nil, nil, 1, 0, nil},
		{"nothing, then as it should be", nil, append(bytes.Clone(ackFrame), ok...), nil, 2, 0, nil},
		{"NACK, then as it should be", nackFrame, append(bytes.Clone(ackFrame), ok...), nil, 2, 0, nil},
		{"the answer alone", ok, nil, nil, 1, 0, nil},
		{"ACK damaged", append([]byte{0x00, 0x00, 0xFF, 0x01, 0xFE, 0x00}, ok...), nil, nil, 1, 0, nil},
		{"ACK damaged, answer lost", []byte{0x00, 0x00, 0xFF, 0x01, 0xFE, 0x00}, nil, ok, 1, 1, nil},
		{"ACK cut, answer lost", []byte{0x00, 0x00, 0xFF, 0x00}, nil, ok, 1, 1, nil},
		{"answer damaged", append(bytes.Clone(ackFrame), spoilt...), nil, ok, 1, 1, nil},
		{"answer cut", append(bytes.Clone(ackFrame), ok[:8]...), nil, ok, 1, 1, nil},
		{"answer damaged for ever", append(bytes.Clone(ackFrame), spoilt...), nil, spoilt, 1, 3, ErrReader},
		{"noise before the answer", append(append(bytes.Clone(ackFrame), 0x55, 0x00, 0xFF, 0x13), ok...), nil, nil, 1, 0, nil},
		{"an answer to something else before it", append(append(bytes.Clone(ackFrame), stale...), ok...), nil, nil, 1, 0, nil},
		{"error frame", append(bytes.Clone(ackFrame), 0x00, 0x00, 0xFF, 0x01, 0xFF, 0x7F, 0x81, 0x00), nil, nil, 1, 0, ErrReader},
		{"never anything", nil, nil, nil, 3, 0, ErrReader},
		{"ACK, then nothing", ackFrame, nil, nil, 1, 0, ErrTimeout}, // the chip is well afterwards: it was the card
		{"status without data", append(bytes.Clone(ackFrame), chipFrame(0x41, 0x00)...), nil, nil, 1, 0, ErrProtocol},
		{"no status", append(bytes.Clone(ackFrame), chipFrame(0x41)...), nil, nil, 1, 0, ErrReader},
		{"status 01", append(bytes.Clone(ackFrame), chipFrame(0x41, 0x01)...), nil, nil, 1, 0, ErrTimeout},
		{"status 02", append(bytes.Clone(ackFrame), chipFrame(0x41, 0x02)...), nil, nil, 1, 0, ErrTransmission},
		{"status 0B", append(bytes.Clone(ackFrame), chipFrame(0x41, 0x0B)...), nil, nil, 1, 0, ErrProtocol},
		{"status 0D", append(bytes.Clone(ackFrame), chipFrame(0x41, 0x0D)...), nil, nil, 1, 0, ErrReader},
		{"status 10", append(bytes.Clone(ackFrame), chipFrame(0x41, 0x10)...), nil, nil, 1, 0, ErrReader},
		{"status 20", append(bytes.Clone(ackFrame), chipFrame(0x41, 0x20, 0x90, 0x00)...), nil, nil, 1, 0, ErrReader},
		{"status 27", append(bytes.Clone(ackFrame), chipFrame(0x41, 0x27)...), nil, nil, 1, 0, ErrGone},
		{"status 2B", append(bytes.Clone(ackFrame), chipFrame(0x41, 0x2B)...), nil, nil, 1, 0, ErrGone},
		{"status that the manual does not know", append(bytes.Clone(ackFrame), chipFrame(0x41, 0x3F)...), nil, nil, 1, 0, ErrReader},
		{"node address", append(bytes.Clone(ackFrame), chipFrame(0x41, 0x80, 0x90, 0x00)...), nil, nil, 1, 0, ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sends, nacks := 0, 0
				var last time.Time
				s := &script{}
				s.say = func(frame []byte) []byte {
					switch {
					case bytes.Equal(frame, nackFrame):
						nacks++
						return c.nacked
					case !isExchange(frame):
						return good(frame)
					}
					if sends++; sends == 1 {
						last = time.Now()
						return c.first
					}
					if d := time.Since(last); d < ackUnrepeatable && !bytes.Equal(c.first, nackFrame) {
						t.Errorf("sent again after %v: the chip may still say that it has got it", d)
					}
					last = time.Now()
					return c.second
				}
				d := newDev(s, nil)
				k, err := d.Activate(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				out, err := k.Transceive(t.Context(), apdu)
				if !errors.Is(err, c.want) || c.want == nil && !bytes.Equal(out, apdu) {
					t.Errorf("% X, %v, want %v", out, err, c.want)
				}
				if sends != c.sends || nacks != c.nacks {
					t.Errorf("sent %d times and %d NACKs, want %d and %d", sends, nacks, c.sends, c.nacks)
				}
				// The next customer.
				s.say, s.queue = good, nil
				if k, err = d.Activate(t.Context()); err != nil {
					t.Fatal(err)
				}
				if out, err := k.Transceive(t.Context(), apdu); err != nil || !bytes.Equal(out, apdu) {
					t.Errorf("next: % X, %v", out, err)
				}
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestLateAnswer: an answer that comes when the command was given up is not taken for the next one's, though its code be the same.
func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{say: good}
		d := newDev(s, nil)
		k, err := d.Activate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.say = func(frame []byte) []byte {
			if isExchange(frame) {
				return ackFrame
			}
			return good(frame)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := k.Transceive(ctx, apdu); err != context.DeadlineExceeded {
			t.Error(err)
		}
		if last := s.sent[len(s.sent)-1]; !bytes.Equal(last, ackFrame) {
			t.Errorf("the exchange was not aborted: % X", last)
		}
		s.say = good
		s.queue = append(chipFrame(0x41, 0x00, 0x90, 0x00), chipFrame(0x4B, 0x02)...) // what the chip had on its way
		if k, err = d.Activate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if out, err := k.Transceive(t.Context(), apdu); err != nil || !bytes.Equal(out, apdu) {
			t.Errorf("% X, %v", out, err)
		}
	})
}

// TestDoubleAnswer: a command that was sent again, or an answer that was asked for again, may be answered twice; the second time is not
// the answer to the next command.
func TestDoubleAnswer(t *testing.T) {
	for _, again := range []string{"command", "answer"} {
		t.Run(again, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				heard := 0
				s := &script{}
				s.say = func(frame []byte) []byte {
					if isExchange(frame) || bytes.Equal(frame, nackFrame) {
						heard++
					}
					switch {
					case isExchange(frame) && heard == 1 && again == "command":
						return nil
					case isExchange(frame) && heard == 1:
						return append(bytes.Clone(ackFrame), 0x00, 0x00, 0xFF, 0x03, 0xFC)
					case bytes.Equal(frame, nackFrame):
						one := chipFrame(append([]byte{0x41, 0x00}, apdu...)...)
						return append(one, one...)
					case isExchange(frame) && heard == 2:
						return append(good(frame), good(frame)...)
					}
					return good(frame)
				}
				d := newDev(s, nil)
				k, err := d.Activate(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for i := range byte(3) {
					want := append(bytes.Clone(apdu), i)
					if i == 0 {
						want = apdu
					}
					if out, err := k.Transceive(t.Context(), want); err != nil || !bytes.Equal(out, want) {
						t.Errorf("exchange %d: % X, %v", i, out, err)
					}
				}
			})
		})
	}
}

// TestACKTime: the chip has its 15 ms to acknowledge.
func TestACKTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		s := &script{say: func(frame []byte) []byte {
			if !bytes.Equal(frame, ackFrame) {
				at = append(at, time.Now())
			}
			return nil
		}}
		if _, err := newDev(s, nil).Firmware(t.Context()); !errors.Is(err, ErrReader) {
			t.Error(err)
		}
		if len(at) != 1+DefaultOpts.Retries {
			t.Fatalf("sent %d times", len(at))
		}
		for i := 1; i < len(at); i++ {
			if d := at[i].Sub(at[i-1]); d < 15*time.Millisecond || d > 50*time.Millisecond {
				t.Errorf("sent again after %v", d)
			}
		}
		if s.opened {
			t.Error("the line of a dead chip is still open")
		}
	})
}

func TestOtherChip(t *testing.T) {
	s := &script{say: func(frame []byte) []byte {
		if len(frame) > 6 && frame[6] == cmdFirmware {
			return append(bytes.Clone(ackFrame), chipFrame(0x03, 0x33, 2, 7, 7)...)
		}
		return good(frame)
	}}
	if _, err := newDev(s, &Opts{ACK: time.Millisecond}).Activate(t.Context()); !errors.Is(err, ErrReader) {
		t.Error(err)
	}
}

// quick is a bus whose answer to everything is there at once.
type quick struct{ script }

func (q *quick) send(frame []byte) error {
	if !isExchange(frame) {
		return q.script.send(frame)
	}
	return nil
}

func (q *quick) receive(ctx context.Context, dec *decoder, most int, until time.Time) error {
	if len(q.queue) > 0 {
		return q.script.receive(ctx, dec, most, until)
	}
	n := copy(dec.room(), quickAnswer)
	dec.wrote(n)
	return nil
}

var quickAnswer = append(bytes.Clone(ackFrame), chipFrame(0x41, 0x00, 0x6F, 0x00, 0x90, 0x00)...)

// TestNoGarbage: an exchange allocates its answer and nothing else.
func TestNoGarbage(t *testing.T) {
	q := &quick{script{say: good}}
	d := newDev(q, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k, err := d.Activate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(100, func() {
		if _, err := k.Transceive(ctx, apdu); err != nil {
			t.Fatal(err)
		}
	})
	if n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkExchange(b *testing.B) {
	q := &quick{script{say: good}}
	d := newDev(q, nil)
	k, err := d.Activate(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Transceive(b.Context(), apdu); err != nil {
			b.Fatal(err)
		}
	}
}
