package contactless

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"posd/emv"
	"posd/emv/tlv"
)

// withObjects is a kernel's store.
func withObjects(pairs ...any) *tlv.Store {
	s := new(tlv.Store)
	for i := 0; i < len(pairs); i += 2 {
		s.Set(tlv.Tag(pairs[i].(int)), unhex(pairs[i+1].(string)))
	}
	return s
}

func TestResume(t *testing.T) {
	yes := emv.HostAnswer{Reached: true, ARC: "00", Approved: true}
	auth, script := unhex("91081122334455667788"), unhex("7207860584240000 00")
	with := func(a emv.HostAnswer, icc []byte) emv.HostAnswer { a.ICC = icc; return a }
	no := emv.HostAnswer{Reached: true, ARC: "05"}
	update := func(s Start, r OnlineResponse) Outcome {
		o := online()
		o.Start, o.OnlineResponse, o.UIRestart = s, r, &UIRequest{Message: MsgPresentAgain, Status: ReadyToRead}
		return o
	}
	const again = "show 21/2"
	for _, c := range []struct {
		name   string
		first  Outcome
		answer emv.HostAnswer
		second any // Outcome, func or nil
		cards  []any
		prep   func(*desk)
		late   time.Duration
		want   Status
		lost   bool // ApprovalLost
		err    bool // UpdateErr
		log    []string
	}{
		{name: "no start: the issuer's yes is the outcome", first: online(), answer: with(yes, auth), want: Approved, log: []string{"off"}},
		{name: "no start: the issuer's no is the outcome", first: online(), answer: no, want: Declined, log: []string{"off"}},
		{name: "no start: no issuer is a no", first: online(), answer: emv.HostAnswer{Approved: true}, want: Declined, log: []string{"off"}},
		{name: "EMV data: none in the answer, the card is not asked for", first: update(StartB, ResponseEMVData), answer: yes, want: Approved, log: []string{"off"}},
		{name: "EMV data: other objects are none", first: update(StartB, ResponseEMVData), answer: with(yes, unhex("8A023030")), want: Approved, log: []string{"off"}},
		{name: "EMV data: without an issuer there is none", first: update(StartB, ResponseEMVData), answer: emv.HostAnswer{ICC: auth}, want: Declined, log: []string{"off"}},
		{
			name: "EMV data: 91, Start B asks for the card and goes straight to the application", first: update(StartB, ResponseEMVData), answer: with(yes, auth),
			second: approved(), cards: []any{visaCard()}, want: Approved, log: []string{again, "card", selVisa, "kernel 3 Start B", readOK, "off", "off"},
		},
		{
			name: "EMV data: 71 and 72 too", first: update(StartB, ResponseEMVData), answer: with(yes, script),
			second: approved(), cards: []any{visaCard()}, want: Approved, log: []string{again, "card", selVisa, "kernel 3 Start B", readOK, "off", "off"},
		},
		{
			name: "EMV data with the issuer's no: the card gets its scripts", first: update(StartB, ResponseEMVData), answer: with(no, script),
			second: approved(), cards: []any{visaCard()}, want: Declined, log: []string{again, "card", selVisa, "kernel 3 Start B", readOK, "off", "off"},
		},
		{
			name: "the card declines what the issuer has approved", first: update(StartB, ResponseEMVData), answer: with(yes, auth),
			second: Outcome{Status: Declined}, cards: []any{visaCard()}, want: Declined, lost: true, log: []string{again, "card", selVisa, "kernel 3 Start B", readOK, "off", "off"},
		},
		{
			name: "the kernel ends the application: the issuer's yes stands", first: update(StartB, ResponseEMVData), answer: with(yes, auth),
			second: Outcome{Status: EndApplication}, cards: []any{visaCard()}, want: Approved, log: []string{again, "card", selVisa, "kernel 3 Start B", "off", "off"},
		},
		{
			name: "the kernel wants to go online again: nothing is asked twice", first: update(StartB, ResponseEMVData), answer: with(yes, auth),
			second: online(), cards: []any{visaCard()}, want: Approved, log: []string{again, "card", selVisa, "kernel 3 Start B", readOK, "show 1B/3", "off", "off"},
		},
		{
			name: "3.3.3.5: the application cannot be selected: END APPLICATION, no other one", first: update(StartB, ResponseEMVData), answer: with(yes, auth),
			cards: []any{cardOf([][]byte{entry61(unionPay)}, unionPay)}, want: Approved, log: []string{again, "card", selVisa, "show 1C/2", "off", "off"},
		},
		{
			name: "SELECT NEXT with an issuer's answer leads nowhere", first: update(StartB, ResponseEMVData), answer: with(yes, auth),
			second: Outcome{Status: SelectNext, Start: StartC}, cards: []any{bothCards()}, want: Approved, log: []string{again, "card", selVisa, "kernel 3 Start B", "off", "off"},
		},
		{
			name: "Start A with an issuer's answer leads nowhere", first: update(StartB, ResponseEMVData), answer: with(yes, auth),
			second: Outcome{Status: EndApplication, Start: StartA}, cards: []any{visaCard()}, want: Approved, log: []string{again, "card", selVisa, "kernel 3 Start B", "off", "off"},
		},
		{
			name: "TRY AGAIN with an issuer's answer: the same application again", first: update(StartB, ResponseEMVData), answer: with(yes, auth),
			second: Outcome{Status: TryAgain}, cards: []any{visaCard()}, want: Approved, err: true, log: []string{again, "card", selVisa, "kernel 3 Start B", present, "off"},
		},
		{
			name: "3.3.3.7: the card goes in SELECT, it is asked for again", first: update(StartB, ResponseEMVData), answer: with(yes, auth), second: approved(),
			prep: func(d *desk) { c := visaCard(); c.goes, c.n = 1, 1; d.field = append(d.field, c, visaCard()) },
			want: Approved, log: []string{again, "card", "gone", "off", again, "card", selVisa, "kernel 3 Start B", readOK, "off", "off"},
		},
		{
			name: "the card does not come back: the issuer's yes stands", first: update(StartB, ResponseEMVData), answer: with(yes, auth),
			want: Approved, err: true, log: []string{again, "off"},
		},
		{
			name: "the card does not come back: the issuer's no stands", first: update(StartB, ResponseEMVData), answer: with(no, script),
			want: Declined, err: true, log: []string{again, "off"},
		},
		{
			name: "the antenna breaks: the issuer's yes stands", first: update(StartB, ResponseEMVData), answer: with(yes, auth),
			cards: []any{errors.New("no antenna")}, want: Approved, err: true, log: []string{again, "off"},
		},
		{
			name: "the kernel breaks: the issuer's yes stands", first: update(StartB, ResponseEMVData), answer: with(yes, auth),
			second: errorOf(errors.New("broken")), cards: []any{visaCard()}, want: Approved, err: true, log: []string{again, "card", selVisa, "kernel 3 Start B", "off"},
		},
		{
			name: "any: Start B without EMV data reads the PPSE again", first: update(StartB, ResponseAny), answer: yes,
			second: approved(), cards: []any{visaCard()}, want: Approved, log: []string{again, "card", "PPSE", selVisa, "kernel 3 Start B", readOK, "off", "off"},
		},
		{
			name: "any: without an issuer too", first: update(StartB, ResponseAny), answer: emv.HostAnswer{},
			second: approved(), cards: []any{visaCard()}, want: Declined, log: []string{again, "card", "PPSE", selVisa, "kernel 3 Start B", readOK, "off", "off"},
		},
		{
			name: "Start D: the kernel goes on with the card that has stayed", first: update(StartD, ResponseAny), answer: with(yes, auth),
			second: approved(), want: Approved, log: []string{"kernel 3 Start D", readOK, "off", "off"},
		},
		{
			name: "Start D within the removal timeout", first: func() Outcome { o := update(StartD, ResponseAny); o.RemovalTimeout = 2 * time.Second; return o }(),
			answer: with(yes, auth), second: approved(), late: 2 * time.Second, want: Approved, log: []string{"kernel 3 Start D", readOK, "off", "off"},
		},
		{
			name: "Start D after the removal timeout: the card is to go", first: func() Outcome { o := update(StartD, ResponseAny); o.RemovalTimeout = 2 * time.Second; return o }(),
			answer: with(yes, auth), second: approved(), late: 2*time.Second + 1, want: Approved, log: []string{readOK, "off"},
		},
		{name: "Start A after an online request leads nowhere", first: update(StartA, ResponseAny), answer: with(yes, auth), want: Approved, log: []string{"off"}},
		{name: "Start C after an online request leads nowhere", first: update(StartC, ResponseAny), answer: with(yes, auth), want: Approved, log: []string{"off"}},
	} {
		t.Run("Book A, 6.2: "+c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				d.field = append([]any{visaCard()}, c.cards...)
				d.kernels[3].does = []func(*Activation) (Outcome, error){says(c.first)}
				switch s := c.second.(type) {
				case Outcome:
					d.kernels[3].does = append(d.kernels[3].does, says(s))
				case func(*Activation) (Outcome, error):
					d.kernels[3].does = append(d.kernels[3].does, s)
				}
				if c.prep != nil {
					c.prep(d)
				}
				r, err := d.run()
				if err != nil || r.Status != OnlineRequest {
					t.Fatal(r.Status, err)
				}
				d.log = nil
				d.now = d.now.Add(c.late)
				end, err := r.Resume(t.Context(), c.answer)
				if err != nil || end.Status != c.want || end.Card.ApprovalLost != c.lost || (end.UpdateErr != nil) != c.err {
					t.Errorf("%v, %v, approval lost: %v, %v", end.Status, err, end.Card.ApprovalLost, end.UpdateErr)
				}
				d.expect(c.log...)
				if end.Show == nil || end.Show.Message.approves() != (c.want == Approved) {
					t.Errorf("%v with message %v", end.Status, end.Show)
				}
				if end.Card.UnableOnline == c.answer.Reached || end.Card.PAN != r.Card.PAN || end.Outcome.Status != OnlineRequest {
					t.Errorf("%+v", end.Outcome)
				}
				if k := d.kernels[3]; k.n > 1 && (k.seen[1].Host == nil || k.seen[1].Host.ARC != c.answer.ARC || k.seen[1].UN == k.seen[0].UN) {
					t.Error("the kernel has not got the answer, or its unpredictable number is an old one")
				}
				for _, again := range []Result{r, end} {
					if _, err := again.Resume(t.Context(), c.answer); !errors.Is(err, ErrNotOnline) {
						t.Errorf("resumed twice: %v", err)
					}
				}
			})
		})
	}
}

func TestResumeWhatIsNotOnline(t *testing.T) {
	if _, err := (Result{}).Resume(t.Context(), emv.HostAnswer{}); !errors.Is(err, ErrNotOnline) {
		t.Error(err)
	}
	d := newDesk(t)
	d.field = []any{visaCard()}
	r, err := d.run()
	if err != nil {
		t.Fatal(err)
	}
	if r, err = r.Resume(t.Context(), emv.HostAnswer{Reached: true, Approved: true}); !errors.Is(err, ErrNotOnline) || r.Status != Approved {
		t.Error(r.Status, err)
	}
}

// A card that is waited for is waited for as long as the configuration says, and no longer than the caller does.
func TestUpdateWait(t *testing.T) {
	for _, c := range []struct {
		name      string
		wait, ctx time.Duration
		want      time.Duration
	}{
		{"15 seconds by default", 0, time.Hour, defaultUpdateWait},
		{"as configured", 4 * time.Second, time.Hour, 4 * time.Second},
		{"the caller is in a hurry", 0, time.Second, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				d.cfg.UpdateWait = c.wait
				d.field = []any{visaCard()}
				o := online()
				o.Start, o.OnlineResponse = StartB, ResponseAny
				d.kernels[3].does[0] = says(o)
				r, err := d.run()
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), c.ctx)
				defer cancel()
				end, err := r.Resume(ctx, emv.HostAnswer{Reached: true, Approved: true})
				if took := time.Since(begin); err != nil || end.Status != Approved || took != c.want || !errors.Is(end.UpdateErr, context.DeadlineExceeded) {
					t.Errorf("%v, %v after %v", end.Status, err, took)
				}
			})
		})
	}
}

// What the issuer has authorised must stay what it was, whoever comes back.
func TestUpdateAddsScriptResultsOnly(t *testing.T) {
	d := newDesk(t)
	d.field = []any{visaCard(), visaCard()}
	o := online()
	o.Start, o.OnlineResponse = StartB, ResponseEMVData
	second := approved()
	second.DataRecord = obj(0x57, "4761739001010119D30122010000000000")
	second.Objects = withObjects(0x5A, "4761739001010119", 0x9F26, "FFFFFFFFFFFFFFFF", 0x9F36, "9999", 0xDF31, "2000000001", 0x9F6E, "01")
	d.kernels[3].does = []func(*Activation) (Outcome, error){says(o), says(second)}
	r, err := d.run()
	if err != nil {
		t.Fatal(err)
	}
	before := r.ICC([]tlv.Tag{0x5A, 0x57, 0x9F26, 0x9F36, 0x9F37, 0x9F6E})
	end, err := r.Resume(t.Context(), emv.HostAnswer{Reached: true, Approved: true, ICC: unhex("9108 1122334455667788")})
	if err != nil || end.Update == nil {
		t.Fatal(err)
	}
	if got := end.ICC([]tlv.Tag{0x5A, 0x57, 0x9F26, 0x9F36, 0x9F37, 0x9F6E}); string(got) != string(before) {
		t.Errorf("%X, before %X", got, before)
	}
	if v, ok := end.Get(0xDF31); !ok || string(end.Card.ScriptResults) != string(v) || len(v) != 5 {
		t.Errorf("script results %X", end.Card.ScriptResults)
	}
}
