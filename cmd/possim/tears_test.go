package main

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"posd/emv/contactless"
	"posd/hal"
	"posd/sim/card"
	simpn532 "posd/sim/pn532"
)

// TestTears takes cards away at each exchange of a tap, before the card hears the command and after it has carried it out (once, and twice in a
// row), and presents them again. In the end the reader has concluded what it does without a tear, the card has paid at most once, and
// what the issuer is shown is right.
func TestTears(t *testing.T) {
	bank, base := card.NewBank(), contactlessBase(t)
	for _, x := range []struct {
		profile, reader string
		exchanges       int // of a tap that is not disturbed
		cryptograms     int // that the card may make at most; 0 is one a tap
		unknown         int // an exchange of which nobody knows whether the card has paid in it: the sale ends, nothing is approved
	}{
		{"tap-unionpay", "shop", 3, 0, 0},
		{"tap-unionpay", "offline", 9, 0, 9},
		{"tap-unionpay-purse", "purse", 12, 0, 0},
		{"phone-unionpay", "large", 3, 0, 0},
		{"tap-visa", "shop", 3, 0, 0},
		{"tap-visa", "offline", 9, 0, 0},
		{"tap-mastercard", "offline", 10, 0, 0},
		{"tap-mastercard-torn", "torn", 10, 1, 0},
		{"tap-mastercard-stripe", "stripe", 5, 0, 0},
	} {
		tears := func(t *testing.T) {
			c, err := card.Load(x.profile)
			if err != nil {
				t.Fatal(err)
			}
			reader, ok := card.ReaderNamed(x.reader)
			want, there := c.Profile().ExpectTap[x.reader]
			if !ok || !there {
				t.Fatal("there is no such reader, or nothing is expected of it")
			}
			for n := 0; n <= x.exchanges; n++ {
				for _, after := range []bool{false, true} {
					for stays := 1; stays <= 2 && (after || stays == 1); stays++ {
						p := c.Profile()
						field := *p.Contactless
						field.Gone, field.Torn, field.Stays = 0, 0, stays
						want := want
						want.Taps, want.Between = 0, 0
						switch {
						case n == 0:
							want.Taps = 1
						case after:
							field.Torn = n
						default:
							field.Gone = n
						}
						if n == x.unknown && n > 0 {
							want = card.ExpectTap{Outcome: "end-application", Message: int(contactless.MsgOtherCard)}
						}
						p.Contactless = &field
						r := newPresented(t, p, reader, want, base, bank, pipeLine)
						r.run()
						if n == 0 && r.front.Exchanges() != x.exchanges {
							t.Errorf("%s: %d exchanges, %d were to be disturbed", r.place(), r.front.Exchanges(), x.exchanges)
						}
						if n == x.exchanges && x.cryptograms > 0 && len(r.chip.Cryptograms()) > x.cryptograms {
							t.Errorf("%s: %d cryptograms", r.place(), len(r.chip.Cryptograms()))
						}
						r.judge()
						if t.Failed() {
							t.Fatalf("exchange %d, carried out %v, %d taps", n, after, stays)
						}
						r.close()
					}
				}
			}
		}
		t.Run(x.profile+"/"+x.reader, func(t *testing.T) { t.Parallel(); synctest.Test(t, tears) })
	}
}

// pipeLine is a line without a pseudo terminal: it can be used where time is not real.
func pipeLine(_ *testing.T, front *simpn532.Chip) line {
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	var ends []net.Conn
	open := func() (hal.Port, error) {
		a, b := net.Pipe()
		ends = append(ends, a, b)
		serving.Go(func() { _ = front.Serve(ctx, b) })
		return port{a}, nil
	}
	return line{open, sync.OnceFunc(func() {
		cancel()
		for _, e := range ends {
			_ = e.Close()
		}
		serving.Wait()
	})}
}

// port is a hal.Port over one end of a net.Pipe.
type port struct{ net.Conn }

func unplugged(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return hal.ErrUnplugged
}

func (p port) Read(b []byte) (int, error) { n, err := p.Conn.Read(b); return n, unplugged(err) }

func (p port) Write(b []byte) (int, error)        { n, err := p.Conn.Write(b); return n, unplugged(err) }
func (p port) SetReadDeadline(t time.Time) error  { return unplugged(p.Conn.SetReadDeadline(t)) }
func (p port) SetWriteDeadline(t time.Time) error { return unplugged(p.Conn.SetWriteDeadline(t)) }

func (p port) Flush() error                { return nil }
func (p port) Drain(context.Context) error { return nil }
func (p port) SetBaud(int) error           { return nil }
func (p port) String() string              { return "pipe" }
