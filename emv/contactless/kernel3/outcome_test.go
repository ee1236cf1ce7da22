package kernel3

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"posd/emv"
	"posd/emv/contactless"
	"posd/emv/tlv"
	"posd/internal/money"
)

// 5.2.1, 5.3: the commands, byte by byte.
func TestCommands(t *testing.T) {
	y := newTry()
	y.run(t)
	want := []string{
		"80A80000238321 3600C000 000000012345 000000000000 0156 0000000000 0156 260314 00 DEADBEEF 00",
		"00B2010C00", "00B2011400", "00B2021400", "00B2031400",
	}
	if len(y.log) != len(want) {
		t.Fatalf("%d commands, not %d", len(y.log), len(want))
	}
	for i, w := range want {
		if !bytes.Equal(y.log[i], unhex(w)) {
			t.Errorf("command %d: %X, want %s", i+1, y.log[i], w)
		}
	}
}

// 5.2.1: what a PDOL may ask the terminal for.
func TestPDOLObjects(t *testing.T) {
	y := newTry(func(y *try) {
		y.pdol = "9F6604 9F3303 9F3501 9F4005 9F1502 9F0106 9F4E04 9F0607 9F2103 9F4104 9F3901 5F3601 9F1B04 9F0902 5002"
		y.a.Combination.Data = map[uint32][]byte{0x9F33: unhex("E00800"), 0x9F1B: unhex("00000064"), 0x57: unhex("47")}
		y.a.Combination.App.Version = [2]byte{0x00, 0x8C}
	})
	o := y.run(t)
	if v, _ := o.Objects.Get(tagTrack2); len(v) != 17 {
		t.Error("the reader's data hide an object of the card")
	}
	want := "3600C000 E00800 22 0000000000 5411 000012345678 53484F50 A0000000031010 150926 00000007 07 02 00000064 008C 5649"
	if !bytes.Equal(y.pdolGot, unhex(want)) {
		t.Errorf("%X, want %s", y.pdolGot, want)
	}
}

// 5.4.1: "card read OK" comes when the last record has been read, and after it the card hears nothing more, whatever is still to be done.
func TestCardReadOK(t *testing.T) {
	for name, c := range map[string]func(*try){
		"online": func(*try) {}, "offline with fDDA": tc, "declined": func(y *try) { y.cid = acAAC }, "no records": func(y *try) { y.afl = false },
		"data missing": drop(tagATC),
	} {
		y := newTry(c)
		y.run(t)
		if len(y.ui) != 1 || y.ui[0].Message != contactless.MsgCardReadOK || y.ui[0].Status != contactless.CardRead || y.at[0] != len(y.log) {
			t.Errorf("5.4.1, %s: %+v at %v of %d", name, y.ui, y.at, len(y.log))
		}
		if l := y.ui[0].Languages; !reflect.DeepEqual(l, []string{"zh", "en"}) {
			t.Errorf("languages %q", l)
		}
	}
	for name, c := range map[string]func(*try){
		"another interface": func(y *try) { y.gpoSW = 0x6984 }, "a record is missing": func(y *try) { y.recSW = 0x6A83 }, "gone": func(y *try) { y.dieAt = 2 },
	} {
		if y := newTry(c); len(y.ui) != 0 || brief(y.run(t)) == "" || len(y.ui) != 0 {
			t.Errorf("5.4.1, %s: %+v", name, y.ui)
		}
	}
}

// 4.1.1.2: a card that goes away at any exchange is asked for again, and nothing was decided.
func TestEarlyRemoval(t *testing.T) {
	whole := newTry(tc)
	whole.run(t)
	for n := 1; n <= len(whole.log); n++ {
		y := newTry(tc, func(y *try) { y.dieAt = n })
		o := y.run(t)
		if brief(o) != tryAgain || o.UIRestart == nil || o.UIRestart.Message != contactless.MsgPresentAgain ||
			o.UIRestart.Status != contactless.ReadyToRead || o.DataRecord != nil || len(y.ui) != 0 || len(y.log) != n {
			t.Errorf("4.1.1.2, exchange %d of %d: %s, restart %+v", n, len(whole.log), brief(o), o.UIRestart)
		}
	}
}

// A context that ends is no outcome.
func TestContextEnds(t *testing.T) {
	for n := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		y := newTry()
		card := cardFunc(func(c []byte) ([]byte, error) {
			if len(y.log) == n {
				cancel()
			}
			if err := ctx.Err(); err != nil && len(y.log) >= n {
				y.log = append(y.log, c)
				return nil, err
			}
			return y.visa.Transceive(ctx, c)
		})
		o, err := New(Config{}).Activate(ctx, card, y.a)
		if !errors.Is(err, context.Canceled) || o.Status != 0 {
			t.Errorf("at exchange %d: %v, outcome %s", n+1, err, brief(o))
		}
		cancel()
	}
}

type cardFunc func([]byte) ([]byte, error)

func (f cardFunc) Transceive(_ context.Context, c []byte) ([]byte, error) { return f(c) }

// 5.2.2.2: the parameters of "see phone".
func TestSeePhone(t *testing.T) {
	o := newTry(func(y *try) { y.gpoSW = 0x6986 }).run(t)
	if o.FieldOff != 1300*time.Millisecond || o.UIOutcome.Hold != 1300*time.Millisecond || o.UIOutcome.Status != contactless.ProcessingError ||
		o.UIRestart.Message != contactless.MsgPresentCard || o.UIRestart.Status != contactless.ReadyToRead {
		t.Errorf("%+v %+v %+v", o, o.UIOutcome, o.UIRestart)
	}
}

// 5.2.2.2 and 5.6.1.2: the chip is preferred where it is the chip that is asked for.
func TestAlternateInterface(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*try)
		want   contactless.Interface
	}{
		"5.2.2.2: 6984":             {func(y *try) { y.gpoSW = 0x6984 }, contactless.Contact},
		"5.6.1.2: CTQ byte 1 bit 5": {with(tc, func(y *try) { y.lie = 1 }, ctq("1000")), contactless.Contact},
		"5.5.1.3: CTQ byte 1 bit 3": {with(tc, cashCheck, typ(typeCash), rec(tagAUC, "0000"), ctq("0400")), contactless.InterfaceNone},
		"5.9.1.1: approved":         {tc, contactless.InterfaceNone},
	} {
		if o := newTry(c.change).run(t); o.Alternate != c.want {
			t.Errorf("%s: %d", name, o.Alternate)
		}
	}
}

// 5.8.1.2: issuer update is offered where both sides have it.
func TestIssuerUpdateOffered(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*try)
		want   bool
	}{
		"5.8.1.2: both have it":               {ctq("0040"), true},
		"5.8.1.2: the card does not":          {ctq("0000"), false},
		"5.8.1.2: no CTQ":                     {ctq(""), false},
		"5.8.1.2: the reader does not":        {with(ctq("0040"), ttq("36004000")), false},
		"5.8.1.2: not with an approval":       {with(tc, ctq("0040")), false},
		"5.8.1.2: not with a decline":         {with(func(y *try) { y.cid = acAAC }, ctq("0040")), false},
		"5.8.1.2: with a TC that goes online": {with(tc, ctq("0040"), ttq("3680C000")), true},
	} {
		o := newTry(c.change).run(t)
		got := o.Start == contactless.StartB && o.OnlineResponse == contactless.ResponseEMVData && o.FieldOff == contactless.FieldOffNow &&
			o.UIRestart != nil && o.UIRestart.Message == contactless.MsgPresentAgain
		none := o.Start == contactless.StartNone && o.OnlineResponse == contactless.ResponseNone && o.FieldOff == 0 && o.UIRestart == nil
		if got != c.want || none == c.want {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// B.1.1: the data record of an outcome that goes on, and none with a decline.
func TestDataRecord(t *testing.T) {
	const want = "9F0206000000012345 9F2608AC01020304050607 82022000 9F36020123 5F340101 9F100706010A03A02000 9F390107 9F1A020156" +
		"9F3303E068C8 5711" + testPAN + "D3012201000000000F 5F2A020156 9A03260314 9C0100 9F3704DEADBEEF 95050000000000"
	for name, c := range map[string]struct {
		change func(*try)
		want   string
	}{
		"B.1.1: online":   {func(*try) {}, want},
		"B.1.1: approved": {tc, want},
		"B.1.1: cashback has the other amount": {
			with(typ(typeCashback), other(2000)),
			strings.Replace(strings.Replace(want, "9F2608", "9F0306000000002000 9F2608", 1), "9C0100", "9C0109", 1),
		},
		"B.1.1: customer data, form factor and account reference": {
			with(set(tagCustomer, "0102"), set(tagFormFactor, "2040F0AB"), set(tagPAR, strings.Repeat("41", 29))),
			strings.Replace(want, "9F1007", "9F7C020102 9F1007", 1) + "9F6E042040F0A0 9F241D" + strings.Repeat("41", 29),
		},
		"5.9.1.2: declined": {func(y *try) { y.cid = acAAC }, ""},
	} {
		if o := newTry(c.change).run(t); !bytes.Equal(o.DataRecord, unhex(c.want)) {
			t.Errorf("%s: %X", name, o.DataRecord)
		}
	}
}

// 4.3.1.1: the available offline spending amount.
func TestBalance(t *testing.T) {
	show := func(y *try) { y.cfg.Balance = true }
	amount := set(tagBalance, "000000004711")
	for name, c := range map[string]struct {
		change func(*try)
		want   bool
	}{
		"4.3.1.1: approved":      {with(tc, show, amount), true},
		"4.3.1.1: online":        {with(show, amount), true},
		"4.3.1.1: declined":      {with(func(y *try) { y.cid = acAAC }, show, amount), true},
		"4.3.1.1: not wanted":    {with(tc, amount), false},
		"4.3.1.1: not there":     {with(tc, show), false},
		"4.3.1.1: not a number":  {with(tc, show, set(tagBalance, "00000000471A")), false},
		"4.3.1.1: another state": {with(show, amount, func(y *try) { y.gpoSW = 0x6985 }), false},
	} {
		o := newTry(c.change).run(t)
		if c.want {
			u := o.UIOutcome
			if u.Amount == nil || *u.Amount != money.Yuan(4711) || !u.Balance || !bytes.Equal(o.Discretionary, unhex("9F5D06000000004711")) {
				t.Errorf("%s: %+v %X", name, u, o.Discretionary)
			}
		} else if o.Discretionary != nil || o.UIOutcome != nil && (o.UIOutcome.Amount != nil || o.UIOutcome.Balance) {
			t.Errorf("%s: %+v %X", name, o.UIOutcome, o.Discretionary)
		}
	}
}

// The data objects of an outcome: the terminal's hide the card's, and the type of the cryptogram is there even where the card left it out.
func TestObjects(t *testing.T) {
	y := newTry(tc, set(tagAmount, "000000000001"), func(y *try) { y.more = unhex("9F34031F0302") }, func(y *try) { y.cid, y.iad = -1, "06010A03901000" })
	o := y.run(t)
	for tag, want := range map[tlv.Tag]string{
		tagAmount: "000000012345", tagCID: "40", tagTTQ: "3600C000", tagPAN: testPAN, tagICCDynamic: "0123", tagTVR: "0000000000", 0x50: "56495341",
	} {
		if v, ok := o.Objects.Get(tag); !ok || !bytes.Equal(v, unhex(want)) {
			t.Errorf("%s: %X, want %s", tag, v, want)
		}
	}
	if _, ok := o.Objects.Get(0x9F34); ok {
		t.Error("a card gave an object of the terminal")
	}
	if _, ok := o.Objects.Get(0xDF7F); ok {
		t.Error("an object that is nowhere was found")
	}
	if v, ok := newTry(tc, func(y *try) { y.oda, y.aip, y.cfg.SDA = "sda", "4000", true }).run(t).Objects.Get(tagDAC); !ok || !bytes.Equal(v, unhex("DAC1")) {
		t.Errorf("9F45: %X", v)
	}
	// They stay what they are when the kernel runs again.
	k := New(Config{})
	first, _ := k.Activate(t.Context(), newTry(), newTry().a)
	before, _ := first.Objects.Get(tagAmount)
	keep := bytes.Clone(before)
	second := newTry(func(y *try) { y.a.Transaction.Amount = money.Yuan(1) })
	if _, err := k.Activate(t.Context(), second, second.a); err != nil {
		t.Fatal(err)
	}
	if after, _ := first.Objects.Get(tagAmount); !bytes.Equal(after, keep) {
		t.Errorf("%X became %X", keep, after)
	}
}

// 5.5.1.2: what the exception file is asked.
func TestExceptionFile(t *testing.T) {
	var got emv.Exception
	newTry(tc, func(y *try) { y.a.Exception = func(e emv.Exception) bool { got = e; return false } }).run(t)
	if want := (emv.Exception{AID: aid, PAN: testPAN, PSN: "01", Expiry: "3012"}); !reflect.DeepEqual(got, want) {
		t.Error("the exception file was asked for something else")
	}
}

// Reader data that the kernel cannot work with are an error, before anything is sent.
func TestBadReaderData(t *testing.T) {
	for name, change := range map[string]func(*try){
		"no TTQ":                          func(y *try) { y.a.Indicators.HasTTQ = false },
		"no EMV mode":                     ttq("1600C000"),
		"magnetic stripe mode":            ttq("B600C000"),
		"no combination":                  func(y *try) { y.a.Combination = nil },
		"no user interface":               func(y *try) { y.a.UI = nil },
		"an amount of thirteen digits":    func(y *try) { y.a.Transaction.Amount.Minor = 1_000_000_000_000 },
		"a negative amount":               func(y *try) { y.a.Transaction.Amount.Minor = -1 },
		"more cashback than the amount":   other(12346),
		"a negative cashback":             other(-1),
		"a transaction type of no digits": typ(0x1A),
		"a counter of nine digits":        func(y *try) { y.a.Transaction.Counter = 100_000_000 },
		"a currency of five digits":       func(y *try) { y.a.Transaction.Amount.Currency = 10000 },
		"a country of five digits":        func(y *try) { y.a.Terminal.Country = 10000 },
	} {
		y := newTry(change)
		if o, err := New(y.cfg).Activate(t.Context(), y, y.a); !errors.Is(err, ErrConfig) || o.Status != 0 || len(y.log) != 0 {
			t.Errorf("%s: %v, %d commands", name, err, len(y.log))
		}
	}
	if New(Config{}).ID() != 3 {
		t.Error("not kernel 3")
	}
}
