package contactless

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"posd/emv"
)

func FuzzPPSE(f *testing.F) {
	for _, b := range [][]byte{
		nil, ppseOf(), ppseOf(entry61(visa, priority(1)), entry61(master, kernel9F2A("0200000000000000"))),
		unhex("6F30840E325041592E5359532E4444463031A51EBF0C1B61194F08A000000333010101500A50424F43204445424954870101"),
		ppseOf(entry61("A0000000")), ppseOf(obj(0x73, entry61(visa))), bytes.Repeat([]byte{0x6F}, 300), unhex("6F82FFFF"), bytes.Repeat([]byte{0x61, 0x80}, 60),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, fci []byte) {
		entries := parsePPSE(fci)
		last := -1
		for _, e := range entries {
			if len(e.adf) < 5 || len(e.adf) > 16 || e.priority > 15 || e.order <= last || e.order >= maxEntries {
				t.Fatalf("%+v", e)
			}
			last = e.order
		}
		readers := []reader{
			{Combination: &Combination{AID: unhex(visaRID), Kernel: 3, Extended: true}},
			{Combination: &Combination{AID: unhex(visa), Kernel: 2}},
		}
		list := candidates(readers, entries, DefaultKernels())
		for len(list) > 0 {
			b := best(list)
			if n := list[b].selectName(nil); len(n) < 5 || len(n) > 16 || !bytes.HasPrefix(n, list[b].reader.AID) {
				t.Fatalf("%X", n)
			}
			list = append(list[:b], list[b+1:]...)
		}
	})
}

func FuzzKernelIdentifier(f *testing.F) {
	for _, s := range []string{"", "00", "03", "0200000000000000", "43", "81", "810978", "800978", "C11111", "FFFFFFFFFFFFFFFFFF"} {
		b, _ := hex.DecodeString(s)
		f.Add(b, unhex(visa))
	}
	f.Fuzz(func(t *testing.T, id, aid []byte) {
		k, ok := requestedKernel(id, aid, DefaultKernels())
		switch {
		case !ok && k != 0:
			t.Fatalf("passed over, and asked for %v", k)
		case ok && k != 0 && !k.valid():
			t.Fatalf("%X asks for %v, which no combination can have", id, k)
		case ok && len(id) > 8:
			t.Fatalf("%d bytes", len(id))
		}
	})
}

func FuzzParameterSet(f *testing.F) {
	for _, s := range []string{"F0F0F0F000F0FF00", "4010F0F0D0F00D00", "30F0F020B0F0FF00", "1F2FFF0F07FFFF00", ""} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, p, err := ParseParameterSet(b)
		if err != nil {
			var e *CodingError
			if !errors.As(err, &e) || e.Offset > len(b) || o.Status != 0 {
				t.Fatal(err)
			}
			return
		}
		if p.UIOutcome {
			o.UIOutcome = &UIRequest{}
		}
		if p.UIRestart {
			o.UIRestart = &UIRequest{}
		}
		if p.DataRecord {
			o.DataRecord = []byte{1}
		}
		if p.Discretionary {
			o.Discretionary = []byte{1}
		}
		got := o.ParameterSet()
		want := append([]byte(nil), b...)
		for i := range 6 {
			want[i] &= 0xF0
		}
		want[4] = b[4] & 0xF8
		if !bytes.Equal(got[:], want) {
			t.Fatalf("%X was read as %X", b, got)
		}
	})
}

func FuzzUIRequest(f *testing.F) {
	for _, s := range []string{
		"15020000000000000000000000000000000000000000", "200000001 37A68656E00000000100000000123450156", "1EFF0000000000000000000000200000000100000840", "",
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := ParseUIRequest(b)
		if err != nil {
			var e *CodingError
			if !errors.As(err, &e) || e.Offset > len(b) {
				t.Fatal(err)
			}
			return
		}
		again := u.Encode()
		v, err := ParseUIRequest(again[:])
		if err != nil || !reflect.DeepEqual(u, v) {
			t.Fatalf("%X, then %X: %v", b, again, err)
		}
	})
}

// tape is a field whose cards answer what the tape says: each answer behind its length. Where it ends nothing comes any more.
type tape struct {
	t    *testing.T
	b    []byte
	left int
	ui   int
}

var errOver = errors.New("tape is over")

func (c *tape) Transceive(context.Context, []byte) ([]byte, error) {
	if c.left--; c.left < 0 || len(c.b) < 2 {
		return nil, errOver
	}
	n := min(int(c.b[0])<<8|int(c.b[1]), len(c.b)-2)
	r := c.b[2 : 2+n]
	c.b = c.b[2+n:]
	return r, nil
}

func (c *tape) Activate(ctx context.Context) (Card, error) {
	if c.left--; c.left < 0 {
		return nil, errOver
	}
	return c, ctx.Err()
}

func (c *tape) Off(context.Context, time.Duration) error             { return nil }
func (c *tape) WaitRemoved(context.Context) error                    { return nil }
func (c *tape) Show(UIRequest)                                       { c.ui++ }
func (c *tape) ID() KernelID                                         { return 3 }
func (c *tape) answer(b []byte) []byte                               { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }
func (c *tape) Choose(context.Context, []emv.Candidate) (int, error) { return 0, nil }

// storm is a kernel whose outcomes are bytes: status and start, in turn.
type storm struct {
	does []byte
	n    int
}

func (*storm) ID() KernelID { return 3 }

func (k *storm) Activate(ctx context.Context, card Card, a *Activation) (Outcome, error) {
	k.n++
	if len(k.does) == 0 {
		return Outcome{Status: Declined}, nil
	}
	b := k.does[0]
	k.does = k.does[1:]
	a.UI(UIRequest{Message: Message(b), Status: UIStatus(b % 6)})
	o := Outcome{
		Status: Status(b & 7), Start: Start(b >> 3 % 5), OnlineResponse: OnlineResponse(b >> 5 % 3), FieldOff: time.Duration(b) - 1,
		UIOutcome: &UIRequest{Message: Message(b >> 3)}, RemovalTimeout: time.Duration(b & 1),
	}
	if b&0x80 == 0 {
		o.DataRecord = record
	}
	return o, nil
}

// FuzzEntryPoint runs whole transactions, and their resumption, against cards that answer what they like and kernels that want what they like: it
// must end in bounded steps, and nothing is approved that the kernel has not approved, or the host and not the card declined.
func FuzzEntryPoint(f *testing.F) {
	c := new(tape)
	good := append(c.answer(append(ppseOf(entry61(visa, priority(1)), entry61(visa+"01")), 0x90, 0)), c.answer(append(fciOf(visa), 0x90, 0))...)
	for _, k := range []string{"", "01", "02", "03", "0B", "13", "23", "33", "43", "63", "07", "0707070707070707", "1414141414141414", "24242424242424", "2C2C2C2C2C", "0505", "8101", "6313", "6301", "63636363"} {
		b, _ := hex.DecodeString(k)
		f.Add(bytes.Repeat(good, 9), b, byte(3), unhex("91081122334455667788"))
		f.Add(good, b, byte(2), []byte(nil))
	}
	f.Add([]byte(nil), []byte(nil), byte(0), []byte{0x72})
	f.Fuzz(func(t *testing.T, answers, outcomes []byte, how byte, icc []byte) {
		card := &tape{t: t, b: answers, left: 2000}
		kernel := &storm{does: outcomes}
		cfg := Config{Terminal: testTerminal(), Combinations: []Combination{{AID: unhex(visa), Kernel: 3, Limits: oneType(Limits{}), Extended: how&8 != 0}}, Choice: Choice(how >> 4 & 1)}
		tx := newDesk(t).tx
		tx.Autorun = how&4 != 0
		r, err := New(cfg, kernel).Run(t.Context(), card, tx, card)
		if card.left < 0 && !errors.Is(err, errOver) {
			t.Fatal("more than 2000 exchanges")
		}
		if kernel.n > 2*defaultRestarts+maxCandidates {
			t.Fatalf("%d activations", kernel.n)
		}
		if err != nil {
			if r.Status != 0 || r.s != nil {
				t.Fatalf("%v with %v", r.Status, err)
			}
			return
		}
		money := r.Status == Approved || r.Status == OnlineRequest
		if money && (r.Card.PAN == "" || len(r.Card.Cryptogram) != 8) || r.Status == SelectNext || r.Status == TryAgain || r.Status == 0 {
			t.Fatalf("%v: %+v", r.Status, r.Outcome.Status)
		}
		if r.Status == Approved && r.Outcome.Status != Approved {
			t.Fatal("approved without the kernel")
		}
		answer := emv.HostAnswer{Reached: how&1 != 0, Approved: how&2 != 0, ICC: icc}
		end, err := r.Resume(t.Context(), answer)
		if (err == nil) != (r.Status == OnlineRequest) {
			t.Fatalf("%v resumed: %v", r.Status, err)
		}
		if err != nil {
			return
		}
		yes := answer.Reached && answer.Approved
		cardNo := end.Update != nil && end.Update.Status == Declined
		if end.Status != map[bool]Status{true: Approved, false: Declined}[yes && !cardNo] || end.Card.ApprovalLost != (yes && cardNo) || end.Card.PAN != r.Card.PAN {
			t.Fatalf("%v after %+v", end.Status, answer.Approved)
		}
	})
}

func FuzzParameters(f *testing.F) {
	f.Add(head + limits)
	f.Add("[entry_point]\nrestarts = 3\n[[default_kernel]]\nrid = \"A000000003\"\nkernel = \"810978\"\n")
	f.Add("[[contactless.limits]]")
	f.Add(head + limits + "floor = -1\n[contactless.data]\nDF8117 = \"00\"\n")
	f.Fuzz(func(t *testing.T, s string) {
		cfg, err := LoadParameters(strings.NewReader(s), emv.Config{})
		if err != nil {
			if !errors.Is(err, emv.ErrConfig) {
				t.Fatal(err)
			}
			return
		}
		if err := cfg.Check(); err != nil {
			t.Fatalf("loaded, and refused: %v", err)
		}
	})
}
