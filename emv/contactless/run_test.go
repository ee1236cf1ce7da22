package contactless

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"posd/emv"
)

func TestRunFails(t *testing.T) {
	broken := errors.New("no antenna")
	for _, c := range []struct {
		name string
		prep func(*desk)
		want error
		log  []string
	}{
		{"a negative amount", func(d *desk) { d.tx.Amount.Minor = -1 }, ErrRequest, nil},
		{"an amount of thirteen digits", func(d *desk) { d.tx.Amount.Minor = 1e12 }, ErrRequest, nil},
		{"a cashback above the amount", func(d *desk) { d.tx.Other = 12346 }, ErrRequest, nil},
		{"a negative cashback", func(d *desk) { d.tx.Other = -1 }, ErrRequest, nil},
		{"a currency of four digits", func(d *desk) { d.tx.Amount.Currency = 1000 }, ErrRequest, nil},
		{"a type that is not digits", func(d *desk) { d.tx.Type = 0x0A }, ErrRequest, nil},
		{"a year of 1949", func(d *desk) { d.tx.Time = time.Date(1949, 1, 1, 0, 0, 0, 0, time.UTC) }, ErrRequest, nil},
		{"no sequence counter", func(d *desk) { d.tx.Counter = 0 }, ErrRequest, nil},
		{"no randomness", func(d *desk) { d.tx.Rand = nil }, ErrRequest, nil},
		{"randomness that ends", func(d *desk) { d.tx.Rand = bytes.NewReader([]byte{1, 2, 3}) }, ErrRequest, []string{present, "card", "PPSE", selVisa, "off"}},
		{"the antenna is broken", func(d *desk) { d.field = []any{broken} }, broken, []string{present, "off"}},
		{"the antenna gives no card and no error", func(d *desk) { d.field = []any{nil} }, ErrField, []string{present, "off"}},
		{"the antenna cannot be switched off", func(d *desk) { c := visaCard(); c.goes = 1; d.field = []any{c}; d.offErr = broken }, broken, []string{present, "card", "PPSE", "gone", "off", "off"}},
		{"the kernel gives an error", func(d *desk) { d.kernels[3].does[0] = errorOf(broken) }, broken, []string{present, "card", "PPSE", selVisa, "kernel 3 Start A", "off"}},
		{"the kernel has no outcome", func(d *desk) { d.kernels[3].does[0] = says(Outcome{}) }, ErrKernel, []string{present, "card", "PPSE", selVisa, "kernel 3 Start A", "off"}},
		{"the kernel has an outcome that is none", func(d *desk) { d.kernels[3].does[0] = says(Outcome{Status: 8}) }, ErrKernel, []string{present, "card", "PPSE", selVisa, "kernel 3 Start A", "off"}},
		{"the kernel has a start that is none", func(d *desk) { d.kernels[3].does[0] = says(Outcome{Status: Declined, Start: 5}) }, ErrKernel, []string{present, "card", "PPSE", selVisa, "kernel 3 Start A", "off"}},
		{"a combination without its kernel", func(d *desk) { delete(d.kernels, 3) }, emv.ErrConfig, nil},
		{"two kernels of one number", func(d *desk) { d.extra = []Kernel{d.kernels[3]} }, ErrKernel, nil},
		{"parameters that cannot be used", func(d *desk) { d.cfg.Combinations[0].AID = nil }, emv.ErrConfig, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.field = []any{visaCard()}
			c.prep(d)
			r, err := d.run()
			if !errors.Is(err, c.want) || r.Status != 0 || r.s != nil {
				t.Errorf("%v, %v; want %v", r.Status, err, c.want)
			}
			d.expect(c.log...)
		})
	}
	d := newDesk(t)
	if _, err := d.entryPoint().Run(t.Context(), nil, d.tx, d); !errors.Is(err, ErrRequest) {
		t.Error(err)
	}
	if _, err := d.entryPoint().Run(t.Context(), d, d.tx, nil); !errors.Is(err, ErrRequest) {
		t.Error(err)
	}
}

// Cancelling must end the wait for a card, and leave the field off.
func TestCancel(t *testing.T) {
	for _, c := range []struct {
		name  string
		field []any
		log   []string
	}{
		{"no card comes", nil, []string{present, "off"}},
		{"two cards stay", []any{ErrCollision, ErrCollision}, []string{present, "show 19/5", "show 19/2", "off"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				d.field = c.field
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				_, err := d.entryPoint().Run(ctx, d, d.tx, d)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				d.expect(c.log...)
			})
		})
	}
	t.Run("a card that goes because of it is no card to wait for", func(t *testing.T) {
		d := newDesk(t)
		ctx, cancel := context.WithCancel(t.Context())
		d.field = []any{visaCard(), visaCard()}
		d.kernels[3].does[0] = func(*Activation) (Outcome, error) { cancel(); return restart(TryAgain, StartB), nil }
		if _, err := d.entryPoint().Run(ctx, d, d.tx, d); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if d.n != 1 {
			t.Error("polled again")
		}
	})
}

// A card at the edge of the field must not keep the terminal for ever.
func TestFaultsAreBounded(t *testing.T) {
	d := newDesk(t)
	for range 100 {
		c := visaCard()
		c.goes, c.n = 1, 1
		d.field = append(d.field, c)
	}
	r, err := d.run()
	if err != nil || r.Status != EndApplication || !r.Exhausted || d.n != maxFaults+1 {
		t.Errorf("%v, %v after %d cards", r.Status, err, d.n)
	}
	if last := d.shown[len(d.shown)-1]; last.Message != MsgOtherCard {
		t.Error(last)
	}
}

func TestActivation(t *testing.T) {
	d := newDesk(t)
	d.cfg.CAKeys, d.cfg.Revoked = make([]emv.CAKey, 1), make([]emv.Revoked, 2)
	d.cfg.Exception = func(emv.Exception) bool { return true }
	d.field = []any{visaCard(), visaCard()}
	d.kernels[3].does = append([]func(*Activation) (Outcome, error){says(restart(TryAgain, StartB))}, d.kernels[3].does...)
	if _, err := d.run(); err != nil {
		t.Fatal(err)
	}
	a, b := d.kernels[3].seen[0], d.kernels[3].seen[1]
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"3.4.1.1: the combination", a.Combination.Kernel == 3 && bytes.Equal(a.Combination.AID, unhex(visa))},
		{"3.4.1.3: the FCI", bytes.Equal(a.FCI, visaCard().files[visa])},
		{"3.4.1.3: the status bytes", a.SW == 0x9000},
		{"3.4.1: the name", bytes.Equal(a.ADF, unhex(visa))},
		{"3.4.1: the transaction", a.Transaction.Amount.Minor == 12345 && a.Transaction.Counter == 42},
		{"3.4.1: a number of four bytes that cannot be foreseen", a.UN == [4]byte{1, 2, 3, 4}},
		{"3.4.1: another one at each activation", b.UN == [4]byte{5, 6, 7, 8}},
		{"keys, revoked certificates, exception file", len(a.CAKeys) == 1 && len(a.Revoked) == 2 && a.Exception(emv.Exception{})},
		{"the terminal", a.Terminal.Country == 156},
		{"no answer of an issuer", a.Host == nil && b.Host == nil},
		{"a clock", a.Now().Equal(d.now)},
		{"someone to tell", a.UI != nil},
	} {
		if !c.ok {
			t.Error(c.name)
		}
	}
}

func TestCardholderChoice(t *testing.T) {
	for _, c := range []struct {
		name  string
		prep  func(*desk)
		want  error
		wrong bool
		log   []string
	}{
		{
			"asked, and takes the second",
			func(d *desk) { d.field = []any{bothCards()} },
			nil, false,
			[]string{present, "card", "PPSE", "choose 2", selUnion, "kernel 7 Start A", readOK, "off"},
		},
		{
			"the card has left meanwhile: the choice stands",
			func(d *desk) {
				c := bothCards()
				c.goes = 1
				d.field = []any{c, bothCards()}
			},
			nil, false,
			[]string{present, "card", "PPSE", "choose 2", "gone", "off", present, "card", "PPSE", selUnion, "kernel 7 Start B", readOK, "off"},
		},
		{
			"another card comes: asked for it anew",
			func(d *desk) {
				c := bothCards()
				c.goes = 1
				d.field = []any{c, cardOf([][]byte{entry61(visa), entry61(master)}, visa, master)}
			},
			nil, false,
			[]string{present, "card", "PPSE", "choose 2", "gone", "off", present, "card", "PPSE", "choose 2", "select " + master, "kernel 2 Start B", readOK, "off"},
		},
		{
			"the chosen one fails in SELECT: the rest by priority",
			func(d *desk) {
				c := bothCards()
				delete(c.files, unionPay)
				d.field = []any{c}
			},
			nil, false,
			[]string{present, "card", "PPSE", "choose 2", selUnion, selVisa, "kernel 3 Start C", readOK, "off"},
		},
		{
			"one scheme is no choice",
			func(d *desk) {
				d.field = []any{cardOf([][]byte{entry61(visa+"01", priority(2)), entry61(visa+"02", priority(1))}, visa+"01", visa+"02")}
			},
			nil, false,
			[]string{present, "card", "PPSE", selVisa + "02", "kernel 3 Start A", readOK, "off"},
		},
		{
			"by priority, where the configuration says so",
			func(d *desk) { d.cfg.Choice = ChoicePriority; d.field = []any{bothCards()} },
			nil, false,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", readOK, "off"},
		},
		{
			"cancelled",
			func(d *desk) {
				d.field = []any{bothCards()}
				d.choose = func([]emv.Candidate) (int, error) { return 0, emv.ErrCancelled }
			},
			emv.ErrCancelled, false,
			[]string{present, "card", "PPSE", "choose 2", "off"},
		},
		{
			"a choice that was not offered",
			func(d *desk) {
				d.field = []any{bothCards()}
				d.choose = func([]emv.Candidate) (int, error) { return 2, nil }
			},
			ErrRequest, false,
			[]string{present, "card", "PPSE", "choose 2", "off"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.cfg.Choice = ChoiceCardholder
			d.choose = func(c []emv.Candidate) (int, error) { return 1, nil }
			c.prep(d)
			_, err := d.run()
			if !errors.Is(err, c.want) {
				t.Error(err)
			}
			d.expect(c.log...)
		})
	}
	t.Run("what is offered: best first, each name once, with its label", func(t *testing.T) {
		d := newDesk(t)
		d.cfg.Choice = ChoiceCardholder
		d.cfg.Combinations = append(d.cfg.Combinations, Combination{AID: unhex(visaRID), Kernel: 3, Limits: oneType(Limits{})})
		d.choose = func(c []emv.Candidate) (int, error) { return 0, nil }
		d.field = []any{cardOf([][]byte{entry61(visa, priority(3)), entry61(unionPay, priority(2), obj(tagLabel, []byte("UnionPay\x1BCredit")))}, visa, unionPay)}
		if _, err := d.run(); err != nil {
			t.Fatal(err)
		}
		var got string
		for _, c := range d.offered[0] {
			got += fmt.Sprintf("%X %q %d;", c.AID, c.Label, c.Priority)
		}
		if want := unionPay + ` "UnionPayCredit" 2;` + visa + ` "Visa" 3;`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}
