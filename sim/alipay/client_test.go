package alipay

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"posd/internal/money"
	"posd/qrpay"
	terminal "posd/qrpay/alipay"
	"posd/sim"
)

// testKeys are made once: two RSA keys take a good part of a second on a slow machine.
var testKeys = sync.OnceValue(func() *Keys {
	k, err := NewKeys()
	if err != nil {
		panic(err)
	}
	return k
})

// shop is a gateway with a clock of its own and a terminal's client in front of it.
type shop struct {
	*Gateway
	t      *testing.T
	now    atomic.Int64 // nanoseconds since start
	start  time.Time
	client *terminal.Gateway
	url    string
	mu     sync.Mutex
	events []sim.Event
	number int
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, start: time.Now()}
	s.Gateway = New(Options{
		Keys: testKeys(), Clock: func() time.Time { return s.start.Add(time.Duration(s.now.Load())) },
		Trace: func(e sim.Event) { s.mu.Lock(); defer s.mu.Unlock(); s.events = append(s.events, e) },
	})
	url, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	s.url = url
	t.Cleanup(func() { _ = s.Close() })
	s.client = s.connect(nil)
	return s
}

func (s *shop) connect(change func(*terminal.Config)) *terminal.Gateway {
	s.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CA())
	c := terminal.Config{
		Gateway: s.url, AppID: s.AppID(), PrivateKeyPEM: s.AppPrivateKeyPEM(), AlipayPublicKeyPEM: s.PublicKeyPEM(), RootCAs: pool,
		Timeout:           30 * time.Second, // a loaded machine is slow, which is not a fault
		ServiceProviderID: "2088000000000001", OrderLife: 2 * time.Minute,
	}
	if change != nil {
		change(&c)
	}
	g, err := terminal.New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return g
}

func (s *shop) pass(d time.Duration) { s.now.Add(int64(d)) }

func (s *shop) order(m qrpay.Method, phone string, fen int64) qrpay.Order {
	s.t.Helper()
	s.number++
	o := qrpay.Order{Number: fmt.Sprintf("T%04d", s.number), Method: m, Amount: money.Yuan(fen), Subject: "门店消费", Operator: "01", Terminal: "10000001"}
	if m == qrpay.ScanBuyer {
		code, err := s.NewCode(phone)
		if err != nil {
			s.t.Fatal(err)
		}
		o.AuthCode = code
	}
	return o
}

func (s *shop) fault(names ...string) {
	s.t.Helper()
	for _, n := range names {
		if err := s.SetFault(n, true); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *shop) clear(names ...string) {
	for _, n := range names {
		if err := s.SetFault(n, false); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *shop) held() (sum int64) {
	for _, t := range s.Ledger() {
		sum += t.Held()
	}
	return sum
}

var ctx = context.Background()

func instalments(o qrpay.Order, n int, payer qrpay.Payer) qrpay.Order {
	c := qrpay.Contract{Payers: []qrpay.Payer{payer}, Periods: []qrpay.Period{{Number: n, BuyerPPM: PublishedRates()[n].BuyerPPM, SellerPPM: PublishedRates()[n].SellerPPM}}}
	plans, err := qrpay.Plans(o.Amount.Minor, c, payer)
	if err != nil || len(plans) != 1 {
		panic(fmt.Sprint(plans, err))
	}
	o.Plan, o.Channel = &plans[0], qrpay.ChannelHuabeiInstalments
	return o
}

// The terminal's plan and the gateway's ledger must be the same integers, whoever pays the fee.
func TestHuabeiInstalments(t *testing.T) {
	s := newShop(t)
	for _, payer := range []qrpay.Payer{qrpay.PayerBuyer, qrpay.PayerSeller} {
		for _, n := range []int{3, 6, 12} {
			for _, fen := range []int64{10000, 10050, 12345, 100001} {
				o := instalments(s.order(qrpay.ScanBuyer, "huabei-good", fen), n, payer)
				r, err := s.client.Pay(ctx, o)
				if err != nil || r.Status != qrpay.Paid {
					t.Fatalf("%d fen in %d: %+v, %v", fen, n, r, err)
				}
				ledger := s.Ledger()
				l := ledger[len(ledger)-1]
				if l.Periods != n || l.Fee != o.Plan.Fee || l.BuyerTotal != o.Plan.BuyerTotal || l.SellerNet != o.Plan.SellerNet || l.SellerPays != (payer == qrpay.PayerSeller) || l.Amount != fen {
					t.Errorf("plan %+v\nledger %+v", *o.Plan, l)
				}
				if r.Number != o.Number || r.Amount != o.Amount || r.Periods != n || len(r.Funds) != 1 || r.Funds[0] != (qrpay.Fund{Channel: "PCREDIT", Minor: fen}) ||
					r.Buyer != "139****0001" || r.TradeNo != l.TradeNo || r.PaidAt.Unix() != l.Paid.Unix() || r.Code != "10000" {
					t.Errorf("result %+v", r)
				}
				q, err := s.client.Query(ctx, o.Number, o.Amount)
				if err != nil || q.Status != qrpay.Paid || q.TradeNo != r.TradeNo || q.Periods != n || !q.PaidAt.Equal(r.PaidAt) {
					t.Errorf("query %+v, %v", q, err)
				}
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	s := newShop(t)
	again := s.order(qrpay.ScanBuyer, "no-huabei", 1)
	used := s.order(qrpay.ScanBuyer, "no-huabei", 1)
	if r, err := s.client.Pay(ctx, used); r.Status != qrpay.Paid {
		t.Fatal(r, err)
	}
	again.AuthCode = used.AuthCode
	if r, err := s.client.Pay(ctx, again); err != nil || r.Status != qrpay.Refused || r.SubCode != "ACQ.PAYMENT_AUTH_CODE_INVALID" {
		t.Errorf("code used a moment ago: %+v, %v", r, err)
	}
	stale := s.order(qrpay.ScanBuyer, "huabei-good", 1)
	s.pass(codeLife + time.Second)
	otherAmount := used
	otherAmount.Amount = money.Yuan(2)
	for _, c := range []struct {
		name string
		o    qrpay.Order
		sub  string
	}{
		{"no Huabei", instalments(s.order(qrpay.ScanBuyer, "no-huabei", 20000), 6, qrpay.PayerBuyer), "ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE"},
		{"not enough Huabei credit", instalments(s.order(qrpay.ScanBuyer, "huabei-poor", 20000), 6, qrpay.PayerBuyer), "ACQ.BUYER_BALANCE_NOT_ENOUGH"},
		{"not enough of anything", s.order(qrpay.ScanBuyer, "huabei-poor", 20000), "ACQ.BUYER_BALANCE_NOT_ENOUGH"},
		{"a period that the contract does not have", func() qrpay.Order {
			o := instalments(s.order(qrpay.ScanBuyer, "huabei-good", 20000), 6, qrpay.PayerBuyer)
			o.Plan.Periods = 24
			return o
		}(), "ACQ.INVALID_PARAMETER"},
		{"code too old", stale, "ACQ.PAYMENT_AUTH_CODE_INVALID"},
		{"same number, other amount", otherAmount, "ACQ.CONTEXT_INCONSISTENT"},
	} {
		r, err := s.client.Pay(ctx, c.o)
		if err != nil || r.Status != qrpay.Refused || r.SubCode != c.sub || r.Code != "40004" {
			t.Errorf("%s: %+v, %v; want %s", c.name, r, err, c.sub)
		}
		if zh, en := terminal.TextFor(r.SubCode, c.o.Channel); zh == "" || en == "" || strings.Contains(en, "did not accept") {
			t.Errorf("%s: no words for %s", c.name, r.SubCode)
		}
	}
	if s.held() != 1 {
		t.Errorf("held %d", s.held())
	}
	// The same request once more is not a second payment, and not a yes either: the query says what became of it.
	r, err := s.client.Pay(ctx, used)
	var code *terminal.CodeError
	if r.Status != qrpay.Unknown || !errors.As(err, &code) || code.SubCode != "ACQ.TRADE_HAS_SUCCESS" || s.held() != 1 {
		t.Errorf("repeat: %+v, %v", r, err)
	}
}

func TestSettingsAreToldApart(t *testing.T) {
	s := newShop(t)
	other, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	strange := New(Options{Keys: other})
	for _, c := range []struct {
		name   string
		change func(*terminal.Config)
		check  func(r qrpay.Result, err error) bool
	}{
		{"application unknown", func(c *terminal.Config) { c.AppID = "1" }, func(r qrpay.Result, err error) bool {
			return r.Status == qrpay.Refused && r.SubCode == "isv.invalid-app-id"
		}},
		{"wrong application key", func(c *terminal.Config) { c.PrivateKeyPEM = strange.AppPrivateKeyPEM() }, func(r qrpay.Result, err error) bool {
			return r.Status == qrpay.Refused && r.SubCode == "isv.invalid-signature"
		}},
		{"wrong gateway key", func(c *terminal.Config) { c.AlipayPublicKeyPEM = strange.PublicKeyPEM() }, func(r qrpay.Result, err error) bool {
			return r.Status == qrpay.Unknown && errors.Is(err, terminal.ErrSignature) && !terminal.NotSent(err)
		}},
		{"wrong authority", func(c *terminal.Config) {
			c.RootCAs = x509.NewCertPool()
			c.RootCAs.AppendCertsFromPEM(strange.CA())
		}, func(r qrpay.Result, err error) bool { return r.Status == qrpay.Unknown && terminal.NotSent(err) }},
		{"wrong name", func(c *terminal.Config) { c.ServerName = "openapi.example" }, func(r qrpay.Result, err error) bool {
			return r.Status == qrpay.Unknown && terminal.NotSent(err)
		}},
		{"another address", func(c *terminal.Config) { c.Gateway = strings.Replace(c.Gateway, "gateway.do", "other", 1) }, func(r qrpay.Result, err error) bool {
			return r.Status == qrpay.Unknown && err != nil && !terminal.NotSent(err)
		}},
	} {
		o := s.order(qrpay.ScanBuyer, "no-huabei", 100)
		r, err := s.connect(c.change).Pay(ctx, o)
		if !c.check(r, err) {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
	}
	s.pass(11 * time.Minute)
	if r, err := s.client.Pay(ctx, s.order(qrpay.ScanBuyer, "no-huabei", 100)); r.SubCode != "isv.invalid-timestamp" {
		t.Errorf("clock wrong: %+v, %v", r, err)
	}
}

func TestDown(t *testing.T) {
	s := newShop(t)
	s.fault("down")
	o := s.order(qrpay.ScanBuyer, "no-huabei", 100)
	if r, err := s.client.Pay(ctx, o); r.Status != qrpay.Unknown || !terminal.NotSent(err) {
		t.Errorf("down: %+v, %v", r, err)
	}
	s.clear("down")
	if r, err := s.client.Pay(ctx, o); r.Status != qrpay.Paid {
		t.Errorf("up again: %+v, %v", r, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.Query(ctx, o.Number, o.Amount); !terminal.NotSent(err) {
		t.Errorf("closed port: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.client.Query(gone, o.Number, o.Amount); !terminal.NotSent(err) {
		t.Errorf("cancelled before anything was sent: %v", err)
	}
}

// Each fault of an answer to pay: what the client says, whether money moved all the same, and what the query then says.
func TestFaultsOfPay(t *testing.T) {
	for _, c := range []struct {
		fault string
		moved bool
		is    func(error) bool
	}{
		{"reply-lost", true, nil},
		{"request-lost", false, nil},
		{"bad-signature", true, func(err error) bool { return errors.Is(err, terminal.ErrSignature) }},
		{"unsigned", true, func(err error) bool { return errors.Is(err, terminal.ErrSignature) }},
		{"error-unsigned", true, answerError("error_response")},
		{"html-200", true, answerError("")},
		{"wrong-amount", true, mismatch("amount")},
		{"wrong-order", true, mismatch("order")},
		{"system-error", true, func(err error) bool { var e *terminal.CodeError; return errors.As(err, &e) && e.Code == "20000" }},
		{"redirect", true, nil},
		{"huge-body", true, answerError("")},
		{"duplicate-keys", true, answerError("code")},
	} {
		t.Run(c.fault, func(t *testing.T) {
			s := newShop(t)
			s.fault(c.fault)
			o := s.order(qrpay.ScanBuyer, "huabei-good", 4321)
			r, err := s.client.Pay(ctx, o)
			if r.Status != qrpay.Unknown || err == nil || terminal.NotSent(err) || (c.is != nil && !c.is(err)) {
				t.Fatalf("%+v, %v", r, err)
			}
			if strings.Contains(err.Error(), o.AuthCode) {
				t.Error("the error holds the payment code")
			}
			if (s.held() == 4321) != c.moved {
				t.Fatalf("held %d", s.held())
			}
			q, err := s.client.Query(ctx, o.Number, o.Amount)
			want := qrpay.NotFound
			if c.moved {
				want = qrpay.Paid
			}
			if err != nil || q.Status != want {
				t.Fatalf("query: %+v, %v", q, err)
			}
			x, err := s.client.Cancel(ctx, o.Number)
			if err != nil || x.Status != qrpay.Closed || x.Refunded != c.moved || s.held() != 0 {
				t.Fatalf("cancel: %+v, %v, held %d", x, err, s.held())
			}
		})
	}
}

func answerError(field string) func(error) bool {
	return func(err error) bool { var e *terminal.AnswerError; return errors.As(err, &e) && e.Field == field }
}

func mismatch(field string) func(error) bool {
	return func(err error) bool { var e *qrpay.MismatchError; return errors.As(err, &e) && e.Field == field }
}

// The same lies told about queries and cancels are not believed either.
func TestFaultsOfQueryAndCancel(t *testing.T) {
	s := newShop(t)
	o := s.order(qrpay.ScanBuyer, "huabei-good", 4321)
	if r, err := s.client.Pay(ctx, o); r.Status != qrpay.Paid {
		t.Fatal(r, err)
	}
	for _, f := range []string{
		"reply-lost:query", "bad-signature:query", "unsigned:query", "error-unsigned:query", "html-200:query", "wrong-amount:query", "wrong-order:query",
		"system-error:query", "redirect:query", "huge-body:query", "duplicate-keys:query", "unknown-status", "query-down",
	} {
		s.fault(f)
		if r, err := s.client.Query(ctx, o.Number, o.Amount); r.Status != qrpay.Unknown || err == nil || terminal.NotSent(err) {
			t.Errorf("%s: %+v, %v", f, r, err)
		}
		s.clear(f)
	}
	for _, f := range []string{"bad-signature:cancel", "wrong-order:cancel", "html-200:cancel", "system-error:cancel", "duplicate-keys:cancel", "cancel-down", "cancel-lost"} {
		s.fault(f)
		if r, err := s.client.Cancel(ctx, o.Number); r.Status != qrpay.Unknown || err == nil || r.Retry {
			t.Errorf("%s: %+v, %v", f, r, err)
		}
		s.clear(f)
	}
	if s.held() != 0 {
		t.Errorf("held %d after cancels whose answers were lost", s.held())
	}
	if r, err := s.client.Query(ctx, o.Number, o.Amount); err != nil || r.Status != qrpay.Closed {
		t.Errorf("after a cancel that refunded: %+v, %v", r, err)
	}
	if err := s.SetFault("nonsense", true); err == nil {
		t.Error("a fault that does not exist")
	}
	if err := s.SetFault("html-200:nonsense", true); err == nil {
		t.Error("a scope that does not exist")
	}
	for _, f := range s.Faults() {
		if s.SetFault(f, true) != nil || s.SetFault(f, false) != nil {
			t.Errorf("fault %s cannot be switched", f)
		}
	}
}

func TestCancelRetry(t *testing.T) {
	s := newShop(t)
	o := s.order(qrpay.ScanBuyer, "huabei-good", 4321)
	if r, err := s.client.Pay(ctx, o); r.Status != qrpay.Paid {
		t.Fatal(r, err)
	}
	s.fault("cancel-retry")
	if r, err := s.client.Cancel(ctx, o.Number); err != nil || r.Status != qrpay.Unknown || !r.Retry || s.held() == 0 {
		t.Errorf("first: %+v, %v", r, err)
	}
	if r, err := s.client.Cancel(ctx, o.Number); err != nil || r.Status != qrpay.Closed || r.Retry || !r.Refunded || s.held() != 0 {
		t.Errorf("second: %+v, %v", r, err)
	}
	// A cancel of an order that never came says Closed too: that is why a query must follow.
	if r, err := s.client.Cancel(ctx, "NEVER1"); err != nil || r.Status != qrpay.Closed {
		t.Errorf("unknown order: %+v, %v", r, err)
	}
	if r, err := s.client.Query(ctx, "NEVER1", o.Amount); err != nil || r.Status != qrpay.NotFound {
		t.Errorf("unknown order: %+v, %v", r, err)
	}
}

func TestTraceHoldsNoSecret(t *testing.T) {
	s := newShop(t)
	o := instalments(s.order(qrpay.ScanBuyer, "huabei-good", 20000), 3, qrpay.PayerBuyer)
	if r, err := s.client.Pay(ctx, o); r.Status != qrpay.Paid {
		t.Fatal(r, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := fmt.Sprintf("%+v", s.events)
	if strings.Contains(all, o.AuthCode) || strings.Contains(all, o.AuthCode[2:10]) {
		t.Error("the trace holds the payment code")
	}
	for _, want := range []string{"alipay.trade.pay 200.00", "28****************", "hb_fq_num", "PCREDIT", "huabei-good pays 200.00"} {
		if !strings.Contains(all, want) {
			t.Errorf("the trace does not show %q:\n%s", want, all)
		}
	}
	if strings.Contains(all, "PRIVATE") || strings.Contains(all, "sign:") {
		t.Error("the trace holds a key or a signature")
	}
}
