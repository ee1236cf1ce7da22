package contactless

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
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
