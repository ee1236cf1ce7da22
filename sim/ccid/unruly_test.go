package ccid_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal"
	driver "posd/hal/ccid"
	"posd/sim/ccid"
	"posd/vault"
)

// pipePort is a hal.Port over one end of a net.Pipe.
type pipePort struct{ net.Conn }

func (p pipePort) gone(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return hal.ErrUnplugged
}

func (p pipePort) Read(b []byte) (int, error)  { n, err := p.Conn.Read(b); return n, p.gone(err) }
func (p pipePort) Write(b []byte) (int, error) { n, err := p.Conn.Write(b); return n, p.gone(err) }
func (p pipePort) Flush() error                { return nil }
func (p pipePort) Drain(context.Context) error { return nil }
func (p pipePort) SetBaud(int) error           { return nil }
func (p pipePort) String() string              { return "pipe" }

// drive is posd's driver on a simulated reader, in memory and in a bubble's time.
func drive(t *testing.T, r *ccid.Reader, o driver.Opts) *driver.Reader {
	t.Helper()
	a, b := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Serve(ctx, b)
	}()
	d := driver.New(func() (hal.Port, error) { return pipePort{a}, nil }, &o)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		b.Close()
		<-done
	})
	return d
}

var t1ATR = []byte{0x3B, 0xE0, 0x00, 0x00, 0x81, 0x31, 0x20, 0x45, 0x35}

// talker is a card of a protocol that answers everything with 200 bytes, and a PIN with 63C2.
func talker(atr []byte) *chip {
	return &chip{atr: atr, say: func(apdu []byte) []byte {
		if apdu[1] == 0x20 {
			return []byte{0x63, 0xC2}
		}
		return append(bytes.Repeat([]byte{0xAB}, 200), 0x90, 0x00)
	}}
}

// TestUnrulyCard: each way a card can break its reset or its protocol ends in a typed error, within a bounded time; the card loses its
// power, and the next customer is served.
func TestUnrulyCard(t *testing.T) {
	t0, t1 := []byte{0x3B, 0x60, 0x00, 0x00}, t1ATR
	for _, c := range []struct {
		fault    string
		atr      []byte
		at       int // 0: at the reset; 1: between reset and the first command
		err      error
		survives bool
	}{
		{fault: ccid.FaultBadATR, atr: t0, err: driver.ErrBadATR},
		{fault: ccid.FaultBadTCK, atr: t0, err: driver.ErrBadATR},
		{fault: ccid.FaultBadTCK, atr: t1, err: driver.ErrBadATR},
		{fault: ccid.FaultLongATR, atr: t0, err: driver.ErrBadATR},
		{fault: ccid.FaultLongATR, atr: t1, err: driver.ErrBadATR},
		{fault: ccid.FaultMute, atr: t0, err: driver.ErrMute},
		{fault: ccid.FaultMute, atr: t0, at: 1, err: driver.ErrMute},
		{fault: ccid.FaultMute, atr: t1, at: 1, err: driver.ErrMute},
		{fault: ccid.FaultSwap, atr: t0, at: 1, err: driver.ErrCardRemoved},
		{fault: ccid.FaultSwap, atr: t1, at: 1, err: driver.ErrCardRemoved},
		{fault: ccid.FaultTear, atr: t0, at: 1, err: driver.ErrCardRemoved},
		{fault: ccid.FaultTearAC, atr: t1, at: 1, err: driver.ErrCardRemoved},
		{fault: ccid.FaultT0Loop, atr: t0, at: 1, err: driver.ErrProtocol},
		{fault: ccid.FaultT0Length, atr: t0, at: 1, err: driver.ErrProtocol},
		{fault: ccid.FaultT1LRCOnce, atr: t1, survives: true},
		{fault: ccid.FaultT1LRCOnce, atr: t1, at: 1, survives: true},
		{fault: ccid.FaultT1LRC, atr: t1, err: driver.ErrProtocol},
		{fault: ccid.FaultT1LRC, atr: t1, at: 1, err: driver.ErrProtocol},
		{fault: ccid.FaultT1R, atr: t1, err: driver.ErrProtocol},
		{fault: ccid.FaultT1R, atr: t1, at: 1, err: driver.ErrProtocol},
		{fault: ccid.FaultT1WTX, atr: t1, err: driver.ErrProtocol},
		{fault: ccid.FaultT1WTX, atr: t1, at: 1, err: driver.ErrProtocol},
		{fault: ccid.FaultT1IFS0, atr: t1, at: 1, err: driver.ErrProtocol},
		{fault: ccid.FaultT1IFSFF, atr: t1, at: 1, err: driver.ErrProtocol},
		{fault: ccid.FaultT1Abort, atr: t1, at: 1, err: driver.ErrProtocol},
	} {
		for _, pin := range []bool{false, true} {
			if pin && c.at == 0 {
				continue
			}
			what := map[bool]string{false: "command", true: "PIN"}[pin]
			t.Run(fmt.Sprintf("%s/T=%d/%s %d", c.fault, map[bool]int{true: 1}[len(c.atr) > 4], what, c.at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := ccid.New(ccid.Options{Profile: ccid.GemPCPinPad})
					d := drive(t, r, driver.Opts{Profile: driver.GemPCPinPad})
					r.Insert(0, talker(c.atr))
					set := func(on bool) {
						t.Helper()
						if err := r.SetFault(c.fault, on); err != nil {
							t.Fatal(err)
						}
					}
					if c.at == 0 {
						set(true)
					}
					start := time.Now()
					k, err := d.PowerOn(t.Context())
					if c.at == 1 {
						if err != nil {
							t.Fatal(err)
						}
						if !pin {
							set(true)
						}
					}
					if err == nil && !pin {
						_, err = k.Transceive(t.Context(), []byte{0x00, 0xB2, 0x01, 0x0C, 0x00})
					}
					if err == nil && pin {
						typing := time.AfterFunc(time.Second, func() {
							set(true)
							for _, key := range "1234\r" {
								r.Press(key)
							}
						})
						defer typing.Stop()
						_, err = d.VerifyPIN(t.Context(), vault.CardPIN{Timeout: 10 * time.Second})
					}
					if !errors.Is(err, c.err) {
						t.Fatalf("%v, want %v", err, c.err)
					}
					if took := time.Since(start); took > time.Minute {
						t.Errorf("took %v", took)
					}
					if !c.survives && err != nil && r.Powered(0) {
						t.Error("the card still has power")
					}
					set(false)
					r.Insert(0, talker(t0))
					if k, err = d.PowerOn(t.Context()); err == nil {
						_, err = k.Transceive(t.Context(), []byte{0x00, 0xB2, 0x01, 0x0C, 0x00})
					}
					if err != nil {
						t.Errorf("the next customer: %v", err)
					}
				})
			})
		}
	}
}

// TestEveryExchange takes the card out, silences it or swaps it at each of five exchanges, over T=0 and T=1, at both levels.
func TestEveryExchange(t *testing.T) {
	type happening func(r *ccid.Reader, n int)
	for name, c := range map[string]struct {
		do  happening
		err error
	}{
		"torn before the command": {func(r *ccid.Reader, n int) { r.TearAt(n, false) }, driver.ErrCardRemoved},
		"torn after the command":  {func(r *ccid.Reader, n int) { r.TearAt(n, true) }, driver.ErrCardRemoved},
		"mute":                    {nil, driver.ErrMute},
		"swapped":                 {nil, driver.ErrCardRemoved},
	} {
		for _, atr := range [][]byte{t0ATR, t1ATR} {
			for _, level := range []driver.Level{driver.TPDU, driver.ShortAPDU} {
				for n := 1; n <= 5; n++ {
					t.Run(fmt.Sprintf("%s/T=%d/%s/%d", name, map[bool]int{true: 1}[len(atr) > 4], level, n), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							r := ccid.New(ccid.Options{Profile: ccid.GemPCTwin})
							d := drive(t, r, driver.Opts{Profile: driver.GemPCTwin, Level: level})
							r.Insert(0, &chip{atr: atr, say: func([]byte) []byte { return []byte{0x90, 0x00} }})
							k, err := d.PowerOn(t.Context())
							if err != nil {
								t.Fatal(err)
							}
							if c.do != nil {
								c.do(r, n)
							}
							for i := 1; i <= 5; i++ {
								if i == n && name == "mute" {
									_ = r.SetFault(ccid.FaultMute, true)
								}
								if i == n && name == "swapped" {
									r.Remove(0)
									r.Insert(0, &chip{atr: atr, say: func([]byte) []byte { t.Error("the other card was talked to"); return nil }})
								}
								_, err = k.Transceive(t.Context(), []byte{0x00, 0xB2, byte(i), 0x0C, 0x00})
								if i < n && err != nil {
									t.Fatalf("exchange %d: %v", i, err)
								}
								if i >= n && (err == nil || i == n && !errors.Is(err, c.err)) {
									t.Fatalf("exchange %d: %v", i, err)
								}
							}
							_ = r.SetFault(ccid.FaultMute, false)
							r.Insert(0, &chip{atr: t0ATR, say: func([]byte) []byte { return []byte{0x90, 0x00} }})
							if k, err = d.PowerOn(t.Context()); err == nil {
								_, err = k.Transceive(t.Context(), []byte{0x00, 0xB2, 0x01, 0x0C, 0x00})
							}
							if err != nil {
								t.Errorf("the next customer: %v", err)
							}
						})
					})
				}
			}
		}
	}
}

// TestAPDULevel: a reader that is switched to APDU level, or works so, does GET RESPONSE and blocks itself.
func TestAPDULevel(t *testing.T) {
	for _, c := range []struct {
		profile ccid.Profile
		level   driver.Level
	}{{ccid.GemPCTwin, driver.ShortAPDU}, {ccid.GemCorePOSPro, driver.ShortAPDU}, {ccid.PosdPINPad, ""}} {
		for _, atr := range [][]byte{t0ATR, t1ATR} {
			synctest.Test(t, func(t *testing.T) {
				var got [][]byte
				r := ccid.New(ccid.Options{Profile: c.profile})
				d := drive(t, r, driver.Opts{Profile: driver.Profile(c.profile), Level: c.level})
				r.Insert(0, &chip{atr: atr, say: func(apdu []byte) []byte {
					got = append(got, bytes.Clone(apdu))
					return append(bytes.Repeat([]byte{0xCD}, 250), 0x62, 0x83)
				}})
				k, err := d.PowerOn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				command := append([]byte{0x00, 0xA4, 0x04, 0x00, 0x02, 0x31, 0x32}, 0x00)
				out, err := k.Transceive(t.Context(), command)
				if err != nil || len(out) != 252 || out[250] != 0x62 || len(got) != 1 || !bytes.Equal(got[0], command) {
					t.Errorf("%s: %d bytes, %v; the card got % X", c.profile, len(out), err, got)
				}
			})
		}
	}
}

// TestAborted ends a PIN entry by its context, on the reader itself.
func TestAborted(t *testing.T) {
	for _, noAbort := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := ccid.New(ccid.Options{Profile: ccid.PosdPINPad})
			d := drive(t, r, driver.Opts{Profile: driver.PosdPINPad})
			r.Insert(0, talker(t1ATR))
			if err := r.SetFault(ccid.FaultNoAbort, noAbort); err != nil {
				t.Fatal(err)
			}
			if _, err := d.PowerOn(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			if _, err := d.VerifyPIN(ctx, vault.CardPIN{Timeout: 20 * time.Second}); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			if r.Entering() != noAbort {
				t.Errorf("entering %v", r.Entering())
			}
			// Where the entry cannot be aborted the driver waits for the reader's own time-out.
			if _, err := d.PowerOn(t.Context()); err != nil {
				t.Errorf("the next customer: %v", err)
			}
		})
	}
}

// TestEncipheredPIN goes the whole way: driver, extension, a card that deciphers (Book 2, 7.2).
func TestEncipheredPIN(t *testing.T) {
	n, private := testKey()
	challenge := []byte{8, 7, 6, 5, 4, 3, 2, 1}
	for _, atr := range [][]byte{t0ATR, t1ATR} {
		synctest.Test(t, func(t *testing.T) {
			r := ccid.New(ccid.Options{Profile: ccid.PosdPINPad})
			d := drive(t, r, driver.Opts{Profile: driver.PosdPINPad})
			r.Insert(0, &chip{atr: atr, say: func(apdu []byte) []byte {
				if len(apdu) != 69 || !bytes.HasPrefix(apdu, []byte{0x00, 0x20, 0x00, 0x88, 64}) {
					return []byte{0x67, 0x00}
				}
				b := new(big.Int).Exp(new(big.Int).SetBytes(apdu[5:]), private, n).FillBytes(make([]byte, 64))
				if bytes.HasPrefix(b, dehex(t, "7F 241357FFFFFFFFFF 0807060504030201")) {
					return []byte{0x90, 0x00}
				}
				return []byte{0x63, 0xC1}
			}})
			if _, err := d.PowerOn(t.Context()); err != nil {
				t.Fatal(err)
			}
			for keys, want := range map[string]uint16{"1357\r": 0x9000, "1358\r": 0x63C1} {
				var stars []int
				typing := time.AfterFunc(time.Second, func() {
					for _, key := range keys {
						time.Sleep(200 * time.Millisecond) // of the bubble's time
						r.Press(key)
					}
				})
				sw, err := d.VerifyPIN(t.Context(), vault.CardPIN{
					Timeout:  10 * time.Second,
					Cipher:   &vault.CardPINCipher{Modulus: n.Bytes(), Exponent: []byte{1, 0, 1}, Challenge: challenge},
					Progress: func(n int) { stars = append(stars, n) },
				})
				typing.Stop()
				if sw != want || err != nil {
					t.Errorf("%04X, %v, want %04X", sw, err, want)
				}
				if !slices.Equal(stars, []int{1, 2, 3, 4}) {
					t.Errorf("stars %v", stars)
				}
			}
		})
	}
}
