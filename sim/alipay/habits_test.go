package alipay

import (
	"errors"
	"strings"
	"testing"
	"time"

	"posd/qrpay"
)

func TestHabits(t *testing.T) {
	s := newShop(t)
	status := func(o qrpay.Order) qrpay.Status {
		t.Helper()
		r, err := s.client.Query(ctx, o.Number, o.Amount)
		if err != nil {
			t.Fatal(err)
		}
		return r.Status
	}
	begin := func(phone string) qrpay.Order {
		t.Helper()
		o := s.order(qrpay.ScanBuyer, phone, 8800)
		r, err := s.client.Pay(ctx, o)
		if err != nil || r.Status != qrpay.Waiting || r.Code != "10003" {
			t.Fatalf("%s: %+v, %v", phone, r, err)
		}
		return o
	}
	o := begin("waiting")
	s.pass(7 * time.Second)
	if st := status(o); st != qrpay.Waiting {
		t.Errorf("after 7 s: %d", st)
	}
	s.pass(time.Second)
	if st := status(o); st != qrpay.Paid {
		t.Errorf("after 8 s: %d", st)
	}

	o = begin("waiting")
	for _, p := range s.Phones() {
		if p.Name == "waiting" && (p.Asked != o.Number || p.AskedMinor != 8800) {
			t.Errorf("the phone is not asked: %+v", p)
		}
	}
	if err := s.Confirm("waiting"); err != nil {
		t.Error(err)
	}
	if st := status(o); st != qrpay.Paid {
		t.Errorf("confirmed: %d", st)
	}
	if err := s.Confirm("waiting"); !errors.Is(err, ErrNothing) {
		t.Errorf("nothing to confirm: %v", err)
	}

	o = begin("waiting")
	if err := s.Refuse("waiting"); err != nil {
		t.Error(err)
	}
	if st := status(o); st != qrpay.Closed {
		t.Errorf("refused by hand: %d", st)
	}

	if o = begin("refusing"); status(o) != qrpay.Closed {
		t.Error("the refusing phone did not refuse")
	}

	o = begin("never")
	if err := s.Confirm("never"); !errors.Is(err, ErrNothing) {
		t.Errorf("never confirms: %v", err)
	}
	s.pass(119 * time.Second)
	if st := status(o); st != qrpay.Waiting {
		t.Errorf("never: %d", st)
	}
	s.pass(time.Second)
	if st := status(o); st != qrpay.Closed {
		t.Errorf("never, after the life of the order: %d", st)
	}
	if _, err := s.NewCode("nobody"); !errors.Is(err, ErrPhone) {
		t.Errorf("%v", err)
	}
	held := s.held()

	// The late one: the cancel says closed, the ledger says paid, the query shows it, the second cancel gives it back.
	o = begin("late")
	r, err := s.client.Cancel(ctx, o.Number)
	if err != nil || r.Status != qrpay.Closed || r.Refunded {
		t.Fatalf("%+v, %v", r, err)
	}
	if st := status(o); st != qrpay.Paid || s.held() != held+8800 {
		t.Fatalf("paid too late: %d, held %d", st, s.held())
	}
	if r, err = s.client.Cancel(ctx, o.Number); err != nil || !r.Refunded || s.held() != held {
		t.Fatalf("%+v, %v", r, err)
	}
	if st := status(o); st != qrpay.Closed {
		t.Errorf("%d", st)
	}
}

func TestShownCode(t *testing.T) {
	s := newShop(t)
	show := func() (qrpay.Order, string) {
		t.Helper()
		o := instalments(s.order(qrpay.ShowCode, "", 12345), 6, qrpay.PayerSeller)
		r, err := s.client.Precreate(ctx, o)
		if err != nil || r.Status != qrpay.Waiting || !strings.HasPrefix(r.QR, "https://qr.alipay.com/") {
			t.Fatalf("%+v, %v", r, err)
		}
		return o, r.QR
	}
	query := func(o qrpay.Order, want qrpay.Status) {
		t.Helper()
		if r, err := s.client.Query(ctx, o.Number, o.Amount); err != nil || r.Status != want {
			t.Errorf("%+v, %v; want %d", r, err, want)
		}
	}
	o, qr := show()
	query(o, qrpay.NotFound)
	if err := s.ScanQR("waiting", qr); err != nil {
		t.Fatal(err)
	}
	query(o, qrpay.Waiting)
	if err := s.ScanQR("huabei-good", qr); !errors.Is(err, ErrQR) {
		t.Errorf("scanned by two phones: %v", err)
	}
	s.pass(8 * time.Second)
	query(o, qrpay.Paid)
	if l := s.Ledger()[0]; !l.SellerPays || l.Fee != 556 || l.BuyerTotal != 12345 || l.SellerNet != 12345-556 {
		t.Errorf("%+v", l)
	}

	o, qr = show()
	if err := s.ScanQR("no-huabei", qr); !errors.Is(err, ErrQR) {
		t.Errorf("no Huabei: %v", err)
	}
	query(o, qrpay.NotFound)
	if r, err := s.client.Cancel(ctx, o.Number); err != nil || r.Status != qrpay.Closed {
		t.Errorf("%+v, %v", r, err)
	}
	if err := s.ScanQR("huabei-good", qr); !errors.Is(err, ErrQR) {
		t.Errorf("scanned after the cancel: %v", err)
	}

	_, qr = show()
	s.pass(2 * time.Minute)
	if err := s.ScanQR("huabei-good", qr); !errors.Is(err, ErrQR) {
		t.Errorf("scanned after the code's life: %v", err)
	}
	if err := s.ScanQR("huabei-good", "https://elsewhere.example/"); !errors.Is(err, ErrQR) {
		t.Errorf("foreign code: %v", err)
	}
}
