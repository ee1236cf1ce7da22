package escpos

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal"
	"posd/hal/thermal"
	"posd/internal/money"
	"posd/printer"
	"posd/sim"
)

// pipePort is a hal.Port on one end of a net.Pipe.
type pipePort struct{ net.Conn }

func gone(n int, err error) (int, error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		return n, hal.ErrUnplugged
	}
	return n, err
}

func (p pipePort) Read(b []byte) (int, error)  { return gone(p.Conn.Read(b)) }
func (p pipePort) Write(b []byte) (int, error) { return gone(p.Conn.Write(b)) }
func (p pipePort) Flush() error                { return nil }
func (p pipePort) Drain(context.Context) error { return nil }
func (p pipePort) SetBaud(int) error           { return nil }
func (p pipePort) String() string              { return "pipe" }

// rig is the printer on a line that can be unplugged and plugged in again, with the real driver at the other end.
type rig struct {
	*Printer
	dev    *thermal.Dev
	ctx    context.Context
	wg     sync.WaitGroup
	mu     sync.Mutex
	line   net.Conn
	events []string
}

// onRig runs f in a synctest bubble with a rig that is switched off at its end.
func onRig(t *testing.T, o Options, opts *thermal.Opts, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		r := &rig{ctx: ctx}
		o.Trace = func(e sim.Event) {
			r.mu.Lock()
			r.events = append(r.events, e.Summary)
			r.mu.Unlock()
		}
		r.Printer = New(o)
		r.dev = thermal.New(r.open, opts)
		defer func() {
			if err := r.dev.Halt(); err != nil {
				t.Errorf("Halt: %v", err)
			}
			stop()
			r.unplug()
			r.wg.Wait()
		}()
		f(t, r)
	})
}

func (r *rig) open() (hal.Port, error) {
	a, b := net.Pipe()
	r.mu.Lock()
	r.line = b
	r.mu.Unlock()
	r.wg.Go(func() { _ = r.Serve(r.ctx, b) })
	return pipePort{a}, nil
}

func (r *rig) unplug() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.line != nil {
		_ = r.line.Close()
	}
}

func (r *rig) seen(part string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.events, func(s string) bool { return strings.Contains(s, part) })
}

func (r *rig) set(t *testing.T, fault string, on bool) {
	t.Helper()
	if err := r.SetFault(fault, on); err != nil {
		t.Fatal(err)
	}
}

// real is a printer with the pace, the buffer and the line of a real one.
var real = Options{Width: 58, Speed: DefaultSpeed, Baud: 115200}

// lastWords end every slip of walletReceipt.
const lastWords = "退款请扫描此码"

func walletReceipt() printer.Receipt {
	return printer.Receipt{
		Copy: printer.MerchantCopy, Lang: "zh", Outcome: printer.Approved, Merchant: "蜀香园火锅店（春熙路店）",
		MID: "898510154110001", TID: "10000001", Operator: "01", Type: "wallet-sale", Batch: 1, STAN: 13,
		Time: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), Amount: money.Yuan(100000),
		Wallet: &printer.WalletPart{
			Name: "alipay", Order: "1000000120260102150405000013", TradeNo: "2026010222001400001234567890", Buyer: "138****0000",
			Funds: []printer.FundLine{{Channel: "PCREDIT", Minor: 90000}, {Channel: "COUPON", Minor: 10000}},
			Plan:  &printer.PlanPart{Periods: 6, Fee: 4500, First: 17420, Each: 17416, BuyerTotal: 104500, SellerNet: 100000},
		},
	}
}

func bytesOf(t *testing.T, r printer.Receipt, paper printer.Paper, p printer.Profile) []byte {
	t.Helper()
	d, err := printer.Layout(r, paper)
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.ESCPOS(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func walletBytes(t *testing.T) []byte {
	return bytesOf(t, walletReceipt(), printer.Paper58, printer.Generic)
}

// stopped checks that Print stopped for a reason, and says how far it was.
func stopped(t *testing.T, err, want error) *thermal.Stopped {
	t.Helper()
	var s *thermal.Stopped
	if !errors.As(err, &s) || !errors.Is(err, want) {
		t.Fatalf("Print: %v, want a Stopped for %v", err, want)
	}
	if s.Confirmed > s.Sent || s.Sent > s.Total {
		t.Errorf("Print stopped with nonsense: %+v", s)
	}
	return s
}

func TestPrintedIsOnPaper(t *testing.T) {
	for _, o := range []Options{{Width: 58}, real} {
		onRig(t, o, nil, func(t *testing.T, r *rig) {
			data := walletBytes(t)
			for n := 1; n <= 3; n++ {
				if err := r.dev.Print(t.Context(), data); err != nil {
					t.Fatal(err)
				}
				_, paper := r.Paper()
				if len(paper) < n || !paper[n-1].Cut || !strings.Contains(paper[n-1].Text, lastWords) {
					t.Fatalf("after Print %d returned, the paper is\n%s", n, r.Text())
				}
			}
			if r.seen("lost") || r.seen("unknown") {
				t.Errorf("events: %v", r.events)
			}
		})
	}
}

// A long picture on a fast line: the driver must not run the buffer over.
func TestNoOverrun(t *testing.T) {
	onRig(t, real, nil, func(t *testing.T, r *rig) {
		p := printer.Generic
		p.NativeQR = false
		data := bytesOf(t, walletReceipt(), printer.Paper58, p)
		data = slices.Concat(data, data, data)
		start := time.Now()
		if err := r.dev.Print(t.Context(), data); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 3*time.Second || took > 20*time.Second {
			t.Errorf("three slips of 17 cm took %v at 80 mm/s", took)
		}
		if r.seen("lost") {
			t.Errorf("events: %v", r.events)
		}
	})
}

func TestFaultsBeforePrinting(t *testing.T) {
	for _, c := range []struct {
		fault string
		want  error
	}{
		{PaperOut, thermal.ErrPaperOut},
		{CoverOpen, thermal.ErrCoverOpen},
		{Overheat, thermal.ErrOverheat},
		{Dead, thermal.ErrOffline},
		{Stuck, thermal.ErrOffline},
		{GarbageStatus, thermal.ErrOffline},
	} {
		onRig(t, real, nil, func(t *testing.T, r *rig) {
			r.set(t, c.fault, true)
			s := stopped(t, r.dev.Print(t.Context(), walletBytes(t)), c.want)
			if s.Sent != 0 || r.Text() != "" {
				t.Errorf("%s: %d bytes were sent, the paper is\n%s", c.fault, s.Sent, r.Text())
			}
			r.set(t, c.fault, false)
			if err := r.dev.Print(t.Context(), walletBytes(t)); err != nil {
				t.Fatalf("after %s: %v", c.fault, err)
			}
			if n := strings.Count(r.Text(), lastWords); n != 1 {
				t.Errorf("%s: %d slips:\n%s", c.fault, n, r.Text())
			}
		})
	}
}

// A fault at any moment of a slip: Print says so and never claims what is not on the paper; afterwards it prints again, whole.
func TestFaultsWhilePrinting(t *testing.T) {
	for _, c := range []struct {
		fault string
		want  error
	}{
		{PaperOut, thermal.ErrPaperOut},
		{CoverOpen, thermal.ErrCoverOpen},
		{Overheat, thermal.ErrOverheat},
		{Dead, thermal.ErrOffline},
		{Stuck, thermal.ErrOffline},
	} {
		stops := 0
		for at := 50 * time.Millisecond; at < 1800*time.Millisecond; at += 110 * time.Millisecond {
			onRig(t, real, nil, func(t *testing.T, r *rig) {
				r.wg.Go(func() {
					time.Sleep(at)
					_ = r.SetFault(c.fault, true)
				})
				err := r.dev.Print(t.Context(), walletBytes(t))
				if err == nil && !strings.Contains(r.Text(), lastWords) {
					t.Fatalf("%s at %v: Print claims what is not on the paper:\n%s", c.fault, at, r.Text())
				}
				if err != nil {
					stops++
					stopped(t, err, c.want)
				}
				time.Sleep(time.Minute)
				r.set(t, c.fault, false)
				if err := r.dev.Print(t.Context(), walletBytes(t)); err != nil {
					t.Fatalf("after %s at %v: %v", c.fault, at, err)
				}
				var whole bool
				_, paper := r.Paper()
				for _, p := range paper[max(len(paper)-2, 0):] {
					whole = whole || p.Cut && strings.Contains(p.Text, "扫码支付凭证") && strings.Contains(p.Text, lastWords)
				}
				if !whole {
					t.Errorf("%s at %v: the second slip is not whole:\n%s", c.fault, at, r.Text())
				}
			})
		}
		if stops < 5 {
			t.Errorf("%s stopped only %d slips; it is no test", c.fault, stops)
		}
	}
}

func TestPaperEndsAtEachLine(t *testing.T) {
	data := walletBytes(t)
	printed := false
	for lines := 1; lines < 60 && !printed; lines++ {
		onRig(t, Options{}, nil, func(t *testing.T, r *rig) {
			r.EndPaperAfter(lines)
			err := r.dev.Print(t.Context(), data)
			_, paper := r.Paper()
			printed = err == nil
			switch whole := len(paper) > 0 && paper[0].Cut; {
			case err == nil && !whole:
				t.Errorf("paper for %d lines: Print claims more than\n%s", lines, r.Text())
			case err != nil && !errors.Is(err, thermal.ErrPaperOut):
				t.Errorf("paper for %d lines: %v", lines, err)
			}
			if err == nil && lines < 25 {
				t.Errorf("the slip has %d lines only", lines)
			}
		})
	}
	if !printed {
		t.Error("60 lines were not enough")
	}
}

func TestOverheatIsWaitedFor(t *testing.T) {
	onRig(t, real, nil, func(t *testing.T, r *rig) {
		r.wg.Go(func() {
			time.Sleep(500 * time.Millisecond)
			_ = r.SetFault(Overheat, true)
			time.Sleep(6 * time.Second)
			_ = r.SetFault(Overheat, false)
		})
		start := time.Now()
		if err := r.dev.Print(t.Context(), walletBytes(t)); err != nil {
			t.Fatal(err)
		}
		if time.Since(start) < 6*time.Second {
			t.Error("the head was not too hot; it is no test")
		}
	})
}

func TestStatus(t *testing.T) {
	onRig(t, Options{}, nil, func(t *testing.T, r *rig) {
		get := func() thermal.Status {
			t.Helper()
			s, err := r.dev.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if s := get(); !s.Online || s.PaperLow || s.PaperOut || s.Err() != nil || s.Raw != [5]byte{0, 0x12, 0x12, 0x12, 0x12} {
			t.Errorf("healthy: %+v", s)
		}
		r.set(t, PaperLow, true)
		if s := get(); !s.PaperLow || s.PaperOut || s.Err() != nil || s.Raw[4] != 0x1e {
			t.Errorf("paper low: %+v", s)
		}
		if err := r.dev.Print(t.Context(), []byte("low paper prints\n")); err != nil {
			t.Error(err)
		}
		r.set(t, PaperOut, true)
		if s := get(); !s.PaperOut || s.Online || !errors.Is(s.Err(), thermal.ErrPaperOut) || s.Raw[4] != 0x7e {
			t.Errorf("paper out: %+v", s)
		}
		r.set(t, CoverOpen, true)
		if s := get(); !s.CoverOpen || !errors.Is(s.Err(), thermal.ErrCoverOpen) {
			t.Errorf("cover open: %+v", s)
		}
	})
}

func TestModelWithoutRealTimeStatus(t *testing.T) {
	onRig(t, real, nil, func(t *testing.T, r *rig) {
		r.set(t, NoEOT, true)
		if err := r.dev.Print(t.Context(), walletBytes(t)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(r.Text(), lastWords) {
			t.Errorf("the paper is\n%s", r.Text())
		}
		r.EndPaperAfter(5)
		stopped(t, r.dev.Print(t.Context(), walletBytes(t)), thermal.ErrOffline)
	})
}

func TestModelWithoutAnswersInOrder(t *testing.T) {
	onRig(t, real, &thermal.Opts{Query: thermal.RealTime}, func(t *testing.T, r *rig) {
		r.set(t, NoGSr, true)
		if err := r.dev.Print(t.Context(), walletBytes(t)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(r.Text(), lastWords) {
			t.Errorf("the paper is\n%s", r.Text())
		}
		r.EndPaperAfter(5)
		stopped(t, r.dev.Print(t.Context(), walletBytes(t)), thermal.ErrPaperOut)
	})
}

func TestModelThatAnswersNothing(t *testing.T) {
	onRig(t, real, &thermal.Opts{Query: thermal.None}, func(t *testing.T, r *rig) {
		r.set(t, NoGSr, true)
		r.set(t, NoEOT, true)
		if err := r.dev.Print(t.Context(), walletBytes(t)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(r.Text(), lastWords) || r.seen("lost") {
			t.Errorf("the paper is\n%s", r.Text())
		}
	})
}

func TestUnsolicitedStatusIsTolerated(t *testing.T) {
	onRig(t, real, nil, func(t *testing.T, r *rig) {
		r.set(t, Unsolicited, true)
		if err := r.dev.Print(t.Context(), walletBytes(t)); err != nil {
			t.Fatal(err)
		}
		if !r.seen("unsolicited") {
			t.Fatal("there was no unsolicited status; it is no test")
		}
	})
}

// Answers that turn to nonsense in the middle must not confirm anything.
func TestGarbageWhilePrinting(t *testing.T) {
	onRig(t, real, nil, func(t *testing.T, r *rig) {
		r.wg.Go(func() {
			time.Sleep(400 * time.Millisecond)
			_ = r.SetFault(GarbageStatus, true)
		})
		stopped(t, r.dev.Print(t.Context(), walletBytes(t)), thermal.ErrOffline)
	})
}

func TestUnpluggedAndBack(t *testing.T) {
	onRig(t, real, nil, func(t *testing.T, r *rig) {
		r.wg.Go(func() {
			time.Sleep(600 * time.Millisecond)
			r.unplug()
		})
		err := r.dev.Print(t.Context(), walletBytes(t))
		stopped(t, err, thermal.ErrOffline)
		if !errors.Is(err, hal.ErrUnplugged) {
			t.Errorf("%v does not tell that it was unplugged", err)
		}
		if err := r.dev.Print(t.Context(), walletBytes(t)); err != nil {
			t.Fatalf("plugged in again: %v", err)
		}
	})
}

func TestCancelledWhilePrinting(t *testing.T) {
	onRig(t, real, nil, func(t *testing.T, r *rig) {
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		stopped(t, r.dev.Print(ctx, walletBytes(t)), context.DeadlineExceeded)
		if err := r.dev.Print(t.Context(), walletBytes(t)); err != nil {
			t.Fatalf("the next: %v", err)
		}
		if !strings.HasSuffix(strings.TrimSpace(r.Text()), lastWords) {
			t.Errorf("the last slip is not whole:\n%s", r.Text())
		}
	})
}

// A picture was cut off by the death of the process before: its rest must not swallow the next slip.
func TestAfterHalfAPicture(t *testing.T) {
	onRig(t, real, nil, func(t *testing.T, r *rig) {
		port, err := r.open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := port.Write([]byte("\x1b@half a picture follows\n\x1dv0\x00\x30\x00\x18\x00some dots")); err != nil {
			t.Fatal(err)
		}
		r.dev = thermal.New(func() (hal.Port, error) { return port, nil }, nil)
		if err := r.dev.Print(t.Context(), walletBytes(t)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(r.Text(), "扫码支付凭证") || !strings.Contains(r.Text(), lastWords) {
			t.Errorf("the slip is not whole:\n%s", r.Text())
		}
	})
}

// The process before left questions behind data in the printer: their answers must not confirm the next slip.
func TestOldAnswersConfirmNothing(t *testing.T) {
	for _, stale := range []int{1, 3, 5} {
		onRig(t, real, nil, func(t *testing.T, r *rig) {
			port, err := r.open()
			if err != nil {
				t.Fatal(err)
			}
			for range stale {
				if _, err := port.Write([]byte(strings.Repeat("an old line\n", 20) + "\x1dr\x01")); err != nil {
					t.Fatal(err)
				}
			}
			r.dev = thermal.New(func() (hal.Port, error) { return port, nil }, nil)
			if err := r.dev.Print(t.Context(), walletBytes(t)); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(r.Text(), lastWords) {
				t.Errorf("%d old answers: Print claims what is not on the paper:\n%s", stale, r.Text())
			}
		})
	}
}
