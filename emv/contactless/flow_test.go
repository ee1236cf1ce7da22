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

// Parts of what happens in every transaction.
const (
	present  = "show 15/2"
	readOK   = "show 17/4"
	selVisa  = "select " + visa
	selUnion = "select " + unionPay
)

func bothCards() *chip {
	return cardOf([][]byte{entry61(visa, priority(1)), entry61(unionPay, priority(2))}, visa, unionPay)
}

func errorOf(o error) func(*Activation) (Outcome, error) {
	return func(*Activation) (Outcome, error) { return Outcome{}, o }
}

func restart(status Status, start Start) Outcome { return Outcome{Status: status, Start: start} }

// flows are whole transactions up to the end of Run: what happened, in order, and the final outcome.
func TestFlow(t *testing.T) {
	again := &UIRequest{Message: MsgPresentAgain, Status: ReadyToRead}
	phone := &UIRequest{Message: MsgSeePhone, Status: ProcessingError}
	for _, c := range []struct {
		name   string
		prep   func(*desk)
		status Status
		want   []string
	}{
		{
			"Book B, 3.2.1.2: a new transaction asks for a card",
			func(d *desk) { d.field = []any{visaCard()} },
			Approved,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", readOK, "off"},
		},
		{
			"3.2.1.4: two cards, 19 with an error, once",
			func(d *desk) { d.field = []any{ErrCollision, ErrCollision, ErrCollision, visaCard()} },
			Approved,
			[]string{present, "show 19/5", "card", "PPSE", selVisa, "kernel 3 Start A", readOK, "off"},
		},
		{
			"3.2.1.5: no collision any more, 19 ready to read",
			func(d *desk) { d.field = []any{ErrCollision, context.DeadlineExceeded, visaCard()} },
			Approved,
			[]string{present, "show 19/5", "show 19/2", "card", "PPSE", selVisa, "kernel 3 Start A", readOK, "off"},
		},
		{
			"3.2.1.4: a second collision is told again",
			func(d *desk) { d.field = []any{ErrCollision, context.DeadlineExceeded, ErrCollision, visaCard()} },
			Approved,
			[]string{present, "show 19/5", "show 19/2", "show 19/5", "card", "PPSE", selVisa, "kernel 3 Start A", readOK, "off"},
		},
		{
			"3.3.2.3: no PPSE: END APPLICATION, 1C",
			func(d *desk) { c := visaCard(); c.sw = 0x6A82; d.field = []any{c} },
			EndApplication,
			[]string{present, "card", "PPSE", "show 1C/2", "off"},
		},
		{
			"3.3.2.3: a warning is not 9000, whatever comes with it",
			func(d *desk) { c := visaCard(); c.sw = 0x6283; d.field = []any{c} },
			EndApplication,
			[]string{present, "card", "PPSE", "show 1C/2", "off"},
		},
		{
			"3.3.2.4: an empty PPSE",
			func(d *desk) { d.field = []any{cardOf(nil)} },
			EndApplication,
			[]string{present, "card", "PPSE", "show 1C/2", "off"},
		},
		{
			"3.3.2.7: no application in common",
			func(d *desk) { d.field = []any{cardOf([][]byte{entry61("A00000002501")}, "A00000002501")} },
			EndApplication,
			[]string{present, "card", "PPSE", "show 1C/2", "off"},
		},
		{
			"3.3.2.7: a kernel that is not here",
			func(d *desk) { d.field = []any{cardOf([][]byte{entry61(visa, kernel9F2A("08"))}, visa)} },
			EndApplication,
			[]string{present, "card", "PPSE", "show 1C/2", "off"},
		},
		{
			"3.3.3.2: the higher priority is selected",
			func(d *desk) {
				d.field = []any{cardOf([][]byte{entry61(visa, priority(2)), entry61(unionPay, priority(1))}, visa, unionPay)}
			},
			Approved,
			[]string{present, "card", "PPSE", selUnion, "kernel 7 Start A", readOK, "off"},
		},
		{
			"3.3.3.3: extended selection is appended",
			func(d *desk) {
				d.cfg.Combinations[0].Extended = true
				d.field = []any{cardOf([][]byte{entry61(visa, obj(tagExtended, "AA55"))}, visa+"AA55")}
			},
			Approved,
			[]string{present, "card", "PPSE", selVisa + "AA55", "kernel 3 Start A", readOK, "off"},
		},
		{
			"3.3.3.5: SELECT fails, the next candidate",
			func(d *desk) { c := bothCards(); delete(c.files, visa); d.field = []any{c} },
			Approved,
			[]string{present, "card", "PPSE", selVisa, selUnion, "kernel 7 Start C", readOK, "off"},
		},
		{
			"3.3.3.5: a blocked application, the next candidate",
			func(d *desk) { c := bothCards(); c.sws[visa] = 0x6283; d.field = []any{c} },
			Approved,
			[]string{present, "card", "PPSE", selVisa, selUnion, "kernel 7 Start C", readOK, "off"},
		},
		{
			"3.3.3.5: SELECT fails for the last one",
			func(d *desk) { c := visaCard(); c.sws[visa] = 0x6A81; d.field = []any{c} },
			EndApplication,
			[]string{present, "card", "PPSE", selVisa, "show 1C/2", "off"},
		},
		{
			"3.3.3.5: an FCI that is none",
			func(d *desk) { c := bothCards(); c.files[visa] = unhex("6F05"); d.field = []any{c} },
			Approved,
			[]string{present, "card", "PPSE", selVisa, selUnion, "kernel 7 Start C", readOK, "off"},
		},
		{
			"3.3.3.6: Visa without 9F66 in the PDOL is passed over",
			func(d *desk) {
				d.cfg.Combinations[0].NeedTTQ = true
				c := bothCards()
				c.files[visa] = fciOf(visa, obj(tagPDOL, "9F3704"))
				d.field = []any{c}
			},
			Approved,
			[]string{present, "card", "PPSE", selVisa, selUnion, "kernel 7 Start C", readOK, "off"},
		},
		{
			"3.3.3.7: the card goes at the PPSE, it is asked for again",
			func(d *desk) { c := visaCard(); c.label, c.goes, c.n = "1", 1, 1; d.field = []any{c, visaCard()} },
			Approved,
			[]string{present, "card1", "gone1", "off", present, "card", "PPSE", selVisa, "kernel 3 Start B", readOK, "off"},
		},
		{
			"3.3.3.7: the card goes at SELECT, all begins with the PPSE again",
			func(d *desk) { c := visaCard(); c.goes = 1; d.field = []any{c, visaCard()} },
			Approved,
			[]string{present, "card", "PPSE", "gone", "off", present, "card", "PPSE", selVisa, "kernel 3 Start B", readOK, "off"},
		},
		{
			"3.3.3.7: a card that answers nothing is a broken connection",
			func(d *desk) { d.field = []any{&chip{raw: []byte{0x90}}, visaCard()} },
			Approved,
			[]string{present, "card", "off", present, "card", "PPSE", selVisa, "kernel 3 Start B", readOK, "off"},
		},
		{
			"3.3.3.7: a card that answers too much is one too",
			func(d *desk) { d.field = []any{&chip{raw: make([]byte, 259)}, visaCard()} },
			Approved,
			[]string{present, "card", "off", present, "card", "PPSE", selVisa, "kernel 3 Start B", readOK, "off"},
		},
		{
			"3.3.3.7: another card comes instead",
			func(d *desk) {
				c := visaCard()
				c.goes = 1
				d.field = []any{c, cardOf([][]byte{entry61(unionPay)}, unionPay)}
			},
			Approved,
			[]string{present, "card", "PPSE", "gone", "off", present, "card", "PPSE", selUnion, "kernel 7 Start B", readOK, "off"},
		},
		{
			"3.5.1.1: the message of a decline waits, the card may go",
			func(d *desk) {
				d.field = []any{visaCard()}
				d.kernels[3].does[0] = says(Outcome{Status: Declined, UIOutcome: &UIRequest{Message: MsgDeclined, Status: CardRead}})
			},
			Declined,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", readOK, "off"},
		},
		{
			"3.5.1.1: the message of an online request is shown, behind card read OK",
			func(d *desk) { d.field = []any{visaCard()}; d.kernels[3].does[0] = says(online()) },
			OnlineRequest,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", readOK, "show 1B/3", "off"},
		},
		{
			"3.5.1.1: card read OK is not said twice",
			func(d *desk) {
				d.field = []any{visaCard()}
				d.kernels[3].does[0] = func(a *Activation) (Outcome, error) {
					a.UI(UIRequest{Message: MsgCardReadOK, Status: CardRead})
					return online(), nil
				}
			},
			OnlineRequest,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", readOK, "show 1B/3", "off"},
		},
		{
			"3.5.1.1: card read OK of a tap before does not count for the next",
			func(d *desk) {
				d.field = []any{visaCard(), visaCard()}
				d.kernels[3].does = append([]func(*Activation) (Outcome, error){func(a *Activation) (Outcome, error) {
					a.UI(UIRequest{Message: MsgCardReadOK, Status: CardRead})
					return restart(TryAgain, StartB), nil
				}}, d.kernels[3].does...)
			},
			Approved,
			[]string{
				present, "card", "PPSE", selVisa, "kernel 3 Start A", readOK, present, "card", "PPSE", selVisa, "kernel 3 Start B", readOK, "off",
			},
		},
		{
			"3.5.1.1: TRY ANOTHER INTERFACE of a kernel",
			func(d *desk) {
				d.field = []any{visaCard()}
				d.kernels[3].does[0] = says(Outcome{Status: TryAnotherInterface, Alternate: Contact, UIOutcome: &UIRequest{Message: MsgInsert, Status: ProcessingError}})
			},
			TryAnotherInterface,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", "show 1D/5", "off"},
		},
		{
			"3.5.1.2: field off for as long as the kernel says, then again",
			func(d *desk) {
				d.field = []any{visaCard(), visaCard()}
				o := restart(TryAgain, StartB)
				o.FieldOff, o.UIOutcome, o.UIRestart = 1300*time.Millisecond, phone, again
				d.kernels[3].does = append([]func(*Activation) (Outcome, error){says(o)}, d.kernels[3].does...)
			},
			Approved,
			[]string{
				present, "card", "PPSE", selVisa, "kernel 3 Start A", "show 20/5", "off 1.3s", "show 21/2", "card", "PPSE", selVisa, "kernel 3 Start B", readOK, "off",
			},
		},
		{
			"3.5.1.2: field off without a length",
			func(d *desk) {
				d.field = []any{visaCard(), visaCard()}
				o := restart(TryAgain, StartB)
				o.FieldOff = FieldOffNow
				d.kernels[3].does = append([]func(*Activation) (Outcome, error){says(o)}, d.kernels[3].does...)
			},
			Approved,
			[]string{
				present, "card", "PPSE", selVisa, "kernel 3 Start A", "off", present, "card", "PPSE", selVisa, "kernel 3 Start B", readOK, "off",
			},
		},
		{
			"3.5.1.3: TRY AGAIN without a message asks for the card as at first",
			func(d *desk) {
				d.field = []any{visaCard(), visaCard()}
				d.kernels[3].does = append([]func(*Activation) (Outcome, error){says(Outcome{Status: TryAgain})}, d.kernels[3].does...)
			},
			Approved,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", present, "card", "PPSE", selVisa, "kernel 3 Start B", readOK, "off"},
		},
		{
			"3.5.1.3: TRY AGAIN has all combinations again",
			func(d *desk) {
				d.field = []any{bothCards(), bothCards()}
				d.kernels[3].does = append([]func(*Activation) (Outcome, error){says(restart(SelectNext, StartC))}, d.kernels[3].does...)
				d.kernels[7].does = []func(*Activation) (Outcome, error){says(restart(TryAgain, StartB))}
			},
			Approved,
			[]string{
				present, "card", "PPSE", selVisa, "kernel 3 Start A", selUnion, "kernel 7 Start C", present, "card", "PPSE", selVisa, "kernel 3 Start B", readOK, "off",
			},
		},
		{
			"3.5.1.4: SELECT NEXT",
			func(d *desk) { d.field = []any{bothCards()}; d.kernels[3].does[0] = says(restart(SelectNext, StartC)) },
			Approved,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", selUnion, "kernel 7 Start C", readOK, "off"},
		},
		{
			"3.5.1.4: SELECT NEXT at the last candidate",
			func(d *desk) { d.field = []any{visaCard()}; d.kernels[3].does[0] = says(restart(SelectNext, StartC)) },
			EndApplication,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", "show 1C/2", "off"},
		},
		{
			"3.5.1.4: SELECT NEXT, and the next one fails in SELECT",
			func(d *desk) {
				c := bothCards()
				delete(c.files, unionPay)
				d.field = []any{c}
				d.kernels[3].does[0] = says(restart(SelectNext, StartC))
			},
			EndApplication,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", selUnion, "show 1C/2", "off"},
		},
		{
			"Book A, 8.1: END APPLICATION without a start is the end",
			func(d *desk) {
				d.field = []any{visaCard()}
				d.kernels[3].does[0] = says(Outcome{Status: EndApplication, UIOutcome: &UIRequest{Message: MsgOtherCard, Status: ProcessingError}})
			},
			EndApplication,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", "show 1C/5", "off"},
		},
		{
			"Book A, 8.1.1.9: END APPLICATION with Start B (see phone, torn) waits for the next tap",
			func(d *desk) {
				d.field = []any{visaCard(), visaCard()}
				o := restart(EndApplication, StartB)
				o.UIOutcome, o.UIRestart, o.FieldOff = phone, again, 1300*time.Millisecond
				d.kernels[3].does = append([]func(*Activation) (Outcome, error){says(o)}, d.kernels[3].does...)
			},
			Approved,
			[]string{
				present, "card", "PPSE", selVisa, "kernel 3 Start A", "show 20/5", "off 1.3s", "show 21/2", "card", "PPSE", selVisa, "kernel 3 Start B", readOK, "off",
			},
		},
		{
			"Book A, 8.1.1.9: END APPLICATION with Start A is pre-processed again",
			func(d *desk) {
				d.field = []any{visaCard(), visaCard()}
				d.kernels[3].does = append([]func(*Activation) (Outcome, error){says(restart(EndApplication, StartA))}, d.kernels[3].does...)
			},
			Approved,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", present, "card", "PPSE", selVisa, "kernel 3 Start A", readOK, "off"},
		},
		{
			"Book A, 8.1.1.9: END APPLICATION with Start C goes on with the next candidate",
			func(d *desk) {
				d.field = []any{bothCards()}
				d.kernels[3].does[0] = says(restart(EndApplication, StartC))
			},
			Approved,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", selUnion, "kernel 7 Start C", readOK, "off"},
		},
		{
			"Book A, 8.1.1.9: END APPLICATION with Start D runs the kernel again, no SELECT",
			func(d *desk) {
				d.field = []any{visaCard()}
				d.kernels[3].does = append([]func(*Activation) (Outcome, error){says(restart(EndApplication, StartD))}, d.kernels[3].does...)
			},
			Approved,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", "kernel 3 Start D", readOK, "off"},
		},
		{
			"Book A, 6.2: a removal timeout waits for the card to go",
			func(d *desk) {
				d.field = []any{visaCard()}
				o := approved()
				o.RemovalTimeout = time.Second
				d.kernels[3].does[0] = says(o)
			},
			Approved,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", readOK, "removed true", "off"},
		},
		{
			"Book A, 6.2: present and hold, the card stays and the field is on",
			func(d *desk) {
				d.field = []any{visaCard()}
				o := online()
				o.Start, o.OnlineResponse, o.RemovalTimeout = StartD, ResponseAny, 10*time.Second
				d.kernels[3].does[0] = says(o)
			},
			OnlineRequest,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", "show 1B/3"},
		},
		{
			"Book A, 6.2: an online request with Start B lets the card go",
			func(d *desk) {
				d.field = []any{visaCard()}
				o := online()
				o.Start, o.OnlineResponse, o.UIRestart = StartB, ResponseEMVData, again
				d.kernels[3].does[0] = says(o)
			},
			OnlineRequest,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", readOK, "show 1B/3", "off"},
		},
		{
			"a kernel cannot say approved while it runs, nor when it asks for the issuer",
			func(d *desk) {
				d.field = []any{visaCard()}
				d.kernels[3].does[0] = func(a *Activation) (Outcome, error) {
					a.UI(UIRequest{Message: MsgApproved, Status: CardRead})
					a.UI(UIRequest{Message: MsgApprovedSign, Status: CardRead})
					o := online()
					o.UIOutcome = &UIRequest{Message: MsgApproved}
					return o, nil
				}
			},
			OnlineRequest,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", readOK, "off"},
		},
		{
			"restarts are bounded: a kernel that always wants to start again",
			func(d *desk) {
				d.cfg.Restarts = 2
				d.field = []any{visaCard(), visaCard(), visaCard(), visaCard()}
				d.kernels[3].does[0] = says(restart(TryAgain, StartB))
			},
			EndApplication,
			[]string{
				present, "card", "PPSE", selVisa, "kernel 3 Start A", present, "card", "PPSE", selVisa, "kernel 3 Start B",
				present, "card", "PPSE", selVisa, "kernel 3 Start B", "show 1C/2", "off",
			},
		},
		{
			"restarts are bounded: Start D for ever",
			func(d *desk) {
				d.cfg.Restarts = 3
				d.field = []any{visaCard()}
				d.kernels[3].does[0] = says(restart(EndApplication, StartD))
			},
			EndApplication,
			[]string{present, "card", "PPSE", selVisa, "kernel 3 Start A", "kernel 3 Start D", "kernel 3 Start D", "kernel 3 Start D", "show 1C/2", "off"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				c.prep(d)
				r, err := d.run()
				if err != nil || r.Status != c.status {
					t.Errorf("%v, %v", r.Status, err)
				}
				d.expect(c.want...)
				decided := r.Status == Approved || r.Status == Declined
				if (r.Show != nil) != decided {
					t.Errorf("%v with message %v", r.Status, r.Show)
				}
				_, ok := r.Decision()
				if ok != (decided || r.Status == OnlineRequest) {
					t.Errorf("%v is a decision: %v", r.Status, ok)
				}
			})
		})
	}
}

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
