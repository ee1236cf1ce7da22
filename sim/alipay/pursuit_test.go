package alipay

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"posd/internal/money"
	"posd/qrpay"
	terminal "posd/qrpay/alipay"
)

// pipeShop is a gateway and a client on a line in memory, for virtual time.
func pipeShop(t *testing.T, o Options) (*Gateway, *terminal.Gateway) {
	t.Helper()
	o.Keys = testKeys()
	g := New(o)
	url, dial := g.Pipe()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(g.CA())
	client, err := terminal.New(terminal.Config{
		Gateway: url, Dial: dial, AppID: g.AppID(), PrivateKeyPEM: g.AppPrivateKeyPEM(), AlipayPublicKeyPEM: g.PublicKeyPEM(),
		RootCAs: pool, Timeout: 10 * time.Second, OrderLife: 5 * time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, client
}

// An answer that takes too long ends exactly at the time-out, whether it has not begun or does not end.
func TestSlowAnswers(t *testing.T) {
	for _, f := range []string{"reply-late", "slow-body"} {
		synctest.Test(t, func(t *testing.T) {
			g, client := pipeShop(t, Options{})
			defer g.Close()
			if err := g.SetFault(f, true); err != nil {
				t.Fatal(err)
			}
			code, err := g.NewCode("huabei-good")
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			o := qrpay.Order{Number: "P1", Method: qrpay.ScanBuyer, Amount: money.Yuan(1), Subject: "a", AuthCode: code}
			r, err := client.Pay(context.Background(), o)
			if r.Status != qrpay.Unknown || !errors.Is(err, context.DeadlineExceeded) || terminal.NotSent(err) || time.Since(start) != 10*time.Second {
				t.Errorf("%s: %+v, %v after %s", f, r, err, time.Since(start))
			}
			if l := g.Ledger(); len(l) != 1 || l[0].Held() != 1 {
				t.Errorf("%s: %+v", f, l)
			}
			// A caller that gives up sooner is heeded.
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			start = time.Now()
			if _, err := client.Pay(ctx, o); err == nil || time.Since(start) != time.Second {
				t.Errorf("%s: %v after %s", f, err, time.Since(start))
			}
		})
	}
}

// sell is the loop that a terminal runs around a Pursuit, on virtual time.
func sell(t *testing.T, client *terminal.Gateway, c qrpay.Contract, o qrpay.Order, shown func(qr string)) (end qrpay.Action, took time.Duration) {
	t.Helper()
	start := time.Now()
	p := c.Pursue(o)
	var r qrpay.Result
	var err error
	if o.Method == qrpay.ShowCode {
		if r, err = client.Precreate(context.Background(), o); r.QR != "" {
			shown(r.QR)
		}
	} else {
		r, err = client.Pay(context.Background(), o)
	}
	if terminal.NotSent(err) {
		return qrpay.Action{}, time.Since(start)
	}
	for {
		a := p.After(r, time.Since(start))
		time.Sleep(a.Wait)
		switch a.Do {
		case qrpay.Query:
			r, _ = client.Query(context.Background(), o.Number, o.Amount)
		case qrpay.Cancel:
			r, _ = client.Cancel(context.Background(), o.Number)
		default:
			return a, time.Since(start)
		}
	}
}

// Whatever the phone and the gateway do, the terminal sells exactly what the gateway holds money for, and what is left owed is
// settled once the gateway answers again.
func TestPursuitOverTheWire(t *testing.T) {
	c := qrpay.Contract{QueryPace: 6 * time.Second, TotalWait: 30 * time.Second, ShowWait: 30 * time.Second, CancelTries: 3}
	type run struct {
		phone  string
		faults []string
		want   qrpay.Status // Unknown: owed
	}
	const paid, refused, closed, owed = qrpay.Paid, qrpay.Refused, qrpay.Closed, qrpay.Unknown
	runs := []run{
		{"huabei-good", nil, paid},
		{"huabei-poor", nil, refused},
		{"waiting", nil, paid},
		{"never", nil, closed},
		{"late", nil, closed},
		{"refusing", nil, closed},
		{"huabei-good", []string{"query-down", "reply-lost"}, owed}, // cancelled, but nothing confirms it
		{"huabei-good", []string{"query-down", "reply-lost", "cancel-down"}, owed},
		{"huabei-good", []string{"reply-lost:all"}, owed},
		{"huabei-good", []string{"html-200:all"}, owed},
		{"waiting", []string{"reply-lost"}, paid},
		{"waiting", []string{"cancel-retry"}, paid},
		{"never", []string{"html-200"}, closed},
		{"never", []string{"cancel-retry"}, closed},
		{"never", []string{"cancel-retry-always"}, owed},
		{"never", []string{"cancel-lost"}, owed},
		{"late", []string{"cancel-retry"}, closed},
		{"huabei-good", []string{"request-lost"}, closed},
		{"huabei-good", []string{"unknown-status", "reply-late"}, owed},
		{"huabei-good", []string{"wrong-amount:all"}, owed},
		{"huabei-good", []string{"system-error:all"}, owed},
		{"huabei-good", []string{"reply-late", "reply-late:query"}, owed},
		{"huabei-good", []string{"bad-signature:all"}, owed},
	}
	for _, f := range []string{"reply-lost", "reply-late", "bad-signature", "unsigned", "error-unsigned", "html-200", "wrong-amount", "wrong-order", "system-error", "slow-body", "huge-body", "duplicate-keys"} {
		runs = append(runs, run{"huabei-good", []string{f}, paid})
	}
	for i, x := range runs {
		for _, method := range []qrpay.Method{qrpay.ScanBuyer, qrpay.ShowCode} {
			if method == qrpay.ShowCode && len(x.faults) > 0 && i%3 > 0 {
				continue // enough of them to see that the method makes no difference
			}
			t.Run(fmt.Sprint(x.phone, x.faults, method), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g, client := pipeShop(t, Options{Late: 2 * time.Minute})
					defer g.Close()
					for _, f := range x.faults {
						if err := g.SetFault(f, true); err != nil {
							t.Fatal(err)
						}
					}
					o := qrpay.Order{Number: "P1", Method: method, Amount: money.Yuan(88800), Subject: "门店消费"}
					var err error
					if o.AuthCode, err = g.NewCode(x.phone); err != nil {
						t.Fatal(err)
					}
					scanned := false
					end, took := sell(t, client, c, o, func(qr string) { scanned = g.ScanQR(x.phone, qr) == nil })
					held := int64(0)
					for _, l := range g.Ledger() {
						held += l.Held()
					}
					if end.Do == qrpay.Done && (end.Status == paid) != (held == 88800) {
						t.Fatalf("ended %+v with %d held", end, held)
					}
					if method == qrpay.ScanBuyer || (scanned && len(x.faults) == 0) {
						if end.Status != x.want || (end.Do == qrpay.Owed) != (x.want == owed) {
							t.Fatalf("ended %+v after %s, want %d", end, took, x.want)
						}
					}
					if took > 4*time.Minute {
						t.Errorf("took %s", took)
					}
					if end.Do != qrpay.Owed {
						return
					}
					for _, f := range x.faults {
						if err := g.SetFault(f, false); err != nil {
							t.Fatal(err)
						}
					}
					p, a := c.Resume(o.Number, o.Amount, true)
					for a.Do == qrpay.Query || a.Do == qrpay.Cancel {
						time.Sleep(a.Wait)
						var r qrpay.Result
						if a.Do == qrpay.Query {
							r, _ = client.Query(context.Background(), o.Number, o.Amount)
						} else {
							r, _ = client.Cancel(context.Background(), o.Number)
						}
						a = p.After(r, time.Hour)
					}
					for _, l := range g.Ledger() {
						if l.Held() != 0 {
							t.Errorf("money is still held: %+v", l)
						}
					}
					if a.Do != qrpay.Done || a.Status != closed {
						t.Errorf("not settled: %+v", a)
					}
				})
			})
		}
	}
}
