package kernel3

import (
	"context"
	"testing"

	"posd/emv"
	"posd/emv/contactless"
)

// tape is a card that answers what is on it: a length of two bytes, then the answer.
type tape struct {
	b    []byte
	sent int
}

func (p *tape) Transceive(context.Context, []byte) ([]byte, error) {
	p.sent++
	if len(p.b) < 2 {
		return nil, errGone
	}
	n := min(int(p.b[0])<<8|int(p.b[1]), len(p.b)-2)
	r := p.b[2 : 2+n]
	p.b = p.b[2+n:]
	return r, nil
}

// record plays a try and keeps the card's answers.
func record(y *try) []byte {
	var out []byte
	card := cardFunc(func(c []byte) ([]byte, error) {
		r, err := y.Transceive(context.Background(), c)
		out = append(append(out, byte(len(r)>>8), byte(len(r))), r...)
		return r, err
	})
	if _, err := New(y.cfg).Activate(context.Background(), card, y.a); err != nil {
		panic(err)
	}
	return out
}

// FuzzTap has a card answer what it likes. The kernel must end after a bounded number of commands, and approves nothing without a signature
// over this transaction.
func FuzzTap(f *testing.F) {
	for _, c := range []func(*try){
		func(*try) {}, tc, func(y *try) { y.cid = acAAC }, with(tc, ctq("0080")), with(tc, func(y *try) { y.lie = 1 }), func(y *try) { y.afl = false },
		func(y *try) { y.gpoSW = 0x6986 }, func(y *try) { y.format1 = true }, with(tc, func(y *try) { y.oda, y.aip, y.cfg.SDA = "sda", "4000", true }),
		func(y *try) { y.cid, y.ctq = -1, "" },
	} {
		y := newTry(c)
		f.Add(y.a.FCI, record(y), byte(0))
		f.Add(y.a.FCI, record(newTry(c)), byte(typeCash))
	}
	y := newTry(tc)
	y.fciMore = unhex("9F6C0100 9F6E0201FF 820120 9F69020100 9F360101 8F00 940108")
	f.Add(y.fci(), record(y), byte(0))
	f.Fuzz(func(t *testing.T, fci, answers []byte, kind byte) {
		y := newTry(typ(kind>>4%10<<4|kind&0x0F%10), cashCheck, cashbackCheck, func(y *try) { y.cfg.Balance = true })
		y.a.FCI = fci
		card := &tape{b: answers}
		o, err := New(y.cfg).Activate(t.Context(), card, y.a)
		if err != nil {
			t.Fatal(err)
		}
		if card.sent > 1+maxRecords {
			t.Fatalf("%d commands", card.sent)
		}
		switch o.Status {
		case contactless.Approved:
			if v, ok := o.Objects.Get(tagICCDynamic); !ok || len(v) < 2 || len(o.DataRecord) == 0 {
				t.Fatal("approved without a signature")
			}
		case contactless.OnlineRequest:
			if len(o.DataRecord) == 0 || len(y.ui) != 1 {
				t.Fatal("online without a data record")
			}
		case contactless.Declined, contactless.EndApplication, contactless.SelectNext, contactless.TryAgain, contactless.TryAnotherInterface:
			if o.DataRecord != nil {
				t.Fatal("a data record with a no")
			}
		default:
			t.Fatalf("status %d", o.Status)
		}
	})
}

// FuzzUpdate has an issuer send what it likes to a card that answers what it likes. The transaction is never touched by it, and the commands
// are bounded by the scripts.
func FuzzUpdate(f *testing.F) {
	for _, s := range []string{arpc, arpc + script71 + script72, script71, "7140", "71058603841E00"} {
		f.Add(unhex(s), []byte{0, 2, 0x90, 0, 0, 2, 0x69, 0x85})
	}
	f.Fuzz(func(t *testing.T, icc, answers []byte) {
		y := newTry()
		y.a.Host = &emv.HostAnswer{Reached: true, ICC: icc}
		card := &tape{b: answers}
		o, err := New(y.cfg).Activate(t.Context(), card, y.a)
		if err != nil || brief(o) != "4 0 0 -" || card.sent > 1+maxScripts/6 {
			t.Fatalf("%s after %d commands, %v", brief(o), card.sent, err)
		}
	})
}
