package kernel7

import (
	"context"
	"testing"
	"time"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// hostile is a card that answers with what it is given: a length byte, then so many bytes, again and again. A length of 255 is silence.
type hostile struct {
	tape []byte
	n    int
}

func (h *hostile) Transceive(context.Context, []byte) ([]byte, error) {
	h.n++
	if len(h.tape) == 0 || h.tape[0] == 0xFF {
		if len(h.tape) > 0 {
			h.tape = h.tape[1:]
		}
		return nil, errGone
	}
	n := min(int(h.tape[0]), len(h.tape)-1)
	out := h.tape[1 : 1+n]
	h.tape = h.tape[1+n:]
	return out, nil
}

func tape(answers ...[]byte) (out []byte) {
	for _, a := range answers {
		out = append(append(out, byte(len(a))), a...)
	}
	return out
}

// recorder keeps what a card answers.
type recorder struct {
	card *card
	tape []byte
}

func (r *recorder) Transceive(ctx context.Context, b []byte) ([]byte, error) {
	a, err := r.card.Transceive(ctx, b)
	if err == nil {
		r.tape = append(r.tape, tape(a)...)
	}
	return a, err
}

func record(t testing.TB, cfg Config, change ...func(*card)) []byte {
	c, b := newCard(), newBench(cfg)
	cards(change...)(c)
	r := &recorder{card: c}
	a := b.a
	a.ADF, a.FCI = unhex(c.aid), c.fci()
	if _, err := b.k.Activate(t.Context(), r, &a); err != nil {
		t.Fatal(err)
	}
	return r.tape
}

// FuzzKernel: whatever a card says, the kernel ends after a bounded number of exchanges, and approves nothing that is not signed for this
// payment. Two taps: the second meets what the first has left behind.
func FuzzKernel(f *testing.F) {
	fci := newCard().fci()
	f.Add(fci, record(f, Config{}), false)
	f.Add(fci, record(f, Config{}, tc), false)
	f.Add(fci, record(f, cash, purse), true)
	f.Add(fci, record(f, qps, ctq("8000")), false)
	torn := record(f, cash, purse)
	f.Add(fci, append(torn[:len(torn)/2], 0xFF), true)
	f.Add(unhex("6F00"), tape(unhex("9000")), false)
	f.Add(fci, tape(unhex("8006 7C00 08010100 9000")), false)
	f.Add(fci, tape(unhex("7781 9000")), true)
	f.Fuzz(func(t *testing.T, fci, answers []byte, withCash bool) {
		cfg := Config{Parameters: qps.Parameters}
		if withCash {
			cfg.Cash = cash.Cash
		}
		b := newBench(cfg)
		b.a.UN = [4]byte{0xFA, 0xCE, 0xB0, 0x0C} // no tape has a signature over it
		h := &hostile{tape: answers}
		for range 2 {
			h.n = 0
			a := b.a
			a.ADF, a.FCI = unhex(testAID), fci
			out, err := b.k.Activate(t.Context(), h, &a)
			if err != nil {
				t.Fatal(err)
			}
			if h.n > 2*maxRecords+8 {
				t.Fatalf("%d exchanges", h.n)
			}
			if out.Status < contactless.Approved || out.Status > contactless.TryAgain {
				t.Fatalf("status %d", out.Status)
			}
			if out.Status == contactless.Approved {
				t.Fatal("approved without a signature over this payment")
			}
			d := tlv.NewDecoder(out.DataRecord)
			for _, more := d.Next(); more; _, more = d.Next() {
			}
			if d.Err() != nil {
				t.Fatal("data record: ", d.Err())
			}
			Field55(out.DataRecord)
			b.now = b.now.Add(time.Second)
		}
	})
}

func FuzzParameters(f *testing.F) {
	f.Add([]byte("FF805D0010FF803A003010FF8058012000000030000"))
	f.Add([]byte("FF8054"))
	f.Add([]byte("FF80580130000000000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseParameters(b)
		if err != nil && p != (Parameters{}) {
			t.Error("parameters beside an error")
		}
		if err == nil && (p.NoPINLimit < 0 || p.NoSignatureLimit < 0 || p.retapTime() <= 0 || p.tornLifetime() < p.retapTime()) {
			t.Errorf("%+v", p)
		}
	})
}

func FuzzField55(f *testing.F) {
	f.Add(unhex("9F2608112233445566778857045A5A5A5A"))
	f.Add(unhex("9F26"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if out := Field55(b); len(out) > len(b) {
			t.Error("longer than what it was cut from")
		}
	})
}
