package emv

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"posd/emv/tlv"
	"posd/internal/money"
)

func TestOnlineSaleWithCDA(t *testing.T) {
	c := newChip()
	p := &person{}
	s, err := New(testConfig()).Start(t.Context(), c, testRequest(), p)
	if err != nil {
		t.Fatal(err)
	}
	if s.Outcome() != Online {
		t.Fatalf("outcome %d, TVR %X", s.Outcome(), s.tvr)
	}
	if len(c.gac) != 1 || c.gac[0].p1 != acARQC|acCDA {
		t.Fatalf("GENERATE AC %+v", c.gac)
	}
	if want := unhex("000000012345 000000000000 0156 0000048000 0156 260314 00 01020304"); !bytes.Equal(c.gac[0].data, want) {
		t.Errorf("CDOL1 data %X, want %X", c.gac[0].data, want)
	}
	if len(p.asked) != 1 || p.asked[0].PAN != testPAN || p.asked[0].Amount != money.Yuan(12345) {
		t.Errorf("PIN requests: %d", len(p.asked))
	}
	out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: unhex("910A 01020304050607083030")})
	if err != nil || out != Approved {
		t.Fatalf("%d, %v", out, err)
	}
	r := s.Result()
	for _, x := range []struct {
		what      string
		got, want any
	}{
		{"AID", hex.EncodeToString(r.AID), "a000000333010101"},
		{"label", r.Label, "UNION CARD"},
		{"PAN", r.PAN, testPAN},
		{"PSN", r.PSN, "01"},
		{"expiry", r.Expiry, "3012"},
		{"track 2", r.Track2, testPAN + "D3012201000000000"},
		{"cryptogram", hex.EncodeToString(r.Cryptogram), "ac01020304050602"},
		{"CID", r.CID, byte(acTC)},
		{"ATC", r.ATC, uint16(0x0123)},
		{"TVR", r.TVR, [5]byte{0, 0, 4, 0x80, 0}},
		{"TSI", r.TSI, [2]byte{0xF8, 0}},
		{"CVM results", r.CVMResults, [3]byte{0x42, 0x03, 0x00}},
		{"online PIN", r.OnlinePIN, true},
		{"signature", r.Signature, false},
		{"issuer authentication", r.IssuerAuthFail, false},
		{"scripts", len(r.ScriptResults), 0},
	} {
		if x.got != x.want {
			t.Errorf("%s: %v, want %v", x.what, x.got, x.want)
		}
	}
	if _, err := s.Complete(t.Context(), HostAnswer{}); !errors.Is(err, ErrNotOnline) {
		t.Errorf("second Complete: %v", err)
	}
}

// The field 55 of a UnionPay sale, in the order that its hosts expect.
func TestFieldFiftyFive(t *testing.T) {
	s := mustStart(t, newChip())
	order := []tlv.Tag{
		0x9F26, 0x9F27, 0x9F10, 0x9F37, 0x9F36, 0x95, 0x9A, 0x9C, 0x9F02, 0x5F2A, 0x82, 0x9F1A, 0x9F03, 0x9F33, 0x9F34, 0x9F35,
		0x9F1E, 0x84, 0x9F09, 0x9F41,
	}
	want := "9F2608AC01020304050601 9F270180 9F100F07010103A0A002010A010000000000 9F370401020304 9F36020123 95050000048000 9A03260314 9C0100" +
		"9F0206000000012345 5F2A020156 82027D00 9F1A020156 9F0306000000000000 9F3303E068C8 9F3403420300 9F350122 9F1E08504F534430303031" +
		"8408A000000333010101 9F09020020 9F410400000042"
	if got := s.ICC(order); !bytes.Equal(got, unhex(want)) {
		t.Errorf("field 55\n%X, want\n%X", got, unhex(want))
	}
	if got := s.ICC([]tlv.Tag{0x9F63, 0xDF31, 0x9A}); !bytes.Equal(got, unhex("9A03260314")) {
		t.Errorf("absent objects: %X", got)
	}
}

func TestTerminalObjects(t *testing.T) {
	s := mustStart(t, newChip())
	for _, c := range []struct {
		tag  tlv.Tag
		want string
	}{
		{0x81, "00003039"},
		{0x9F04, "00000000"},
		{0x9F21, "150926"},
		{0x5F36, "02"},
		{0x9F15, "5411"},
		{0x9F01, "000012345678"},
		{0x9F16, hex.EncodeToString([]byte("123456789012345"))},
		{0x9F1C, hex.EncodeToString([]byte("00000001"))},
		{0x9F4E, hex.EncodeToString([]byte("SHOP"))},
		{0x9F06, "A000000333010101"},
		{0x9F1B, "00000000"},
		{0x9F39, "05"},
		{0x9F40, "6000F0B001"},
		{0x9B, "E800"},
		{0x9F22, "61"},
	} {
		if v, ok := s.Get(c.tag); !ok || !strings.EqualFold(hex.EncodeToString(v), c.want) {
			t.Errorf("%s %s = %X, want %s", c.tag, tlv.Name(c.tag), v, c.want)
		}
	}
}

// A card may not speak for the terminal, whatever it has in its records.
func TestCardCannotReplaceTerminalObjects(t *testing.T) {
	c := newChip()
	for _, o := range []string{"9F0206000000000001", "9F1A020840", "95050000000000", "9F330300FFFF", "8A023030", "9F1D0101", "DF310420000000"} {
		c.unsigned = append(c.unsigned, unhex(o)...)
	}
	c.unsigned = append(c.unsigned, obj(tagMerchantID, "313233343536373839303132333435")...)
	cfg := testConfig()
	cfg.Terminal.MerchantID = "" // absent is absent: the card cannot fill the gap
	s, err := New(cfg).Start(t.Context(), c, testRequest(), &person{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.gac[0].data[:6], unhex("000000012345")) {
		t.Errorf("amount in CDOL1: %X", c.gac[0].data[:6])
	}
	for _, tag := range []tlv.Tag{0x8A, 0x9F1D, 0xDF31, tagMerchantID} {
		if v, ok := s.Get(tag); ok {
			t.Errorf("%s = %X comes from the card", tag, v)
		}
	}
	if v, _ := s.Get(0x9F33); !bytes.Equal(v, unhex("E068C8")) {
		t.Errorf("9F33 = %X", v)
	}
}

func TestImpossibleRequests(t *testing.T) {
	for name, change := range map[string]func(*Request){
		"negative amount":        func(r *Request) { r.Amount.Minor = -1 },
		"thirteen digits":        func(r *Request) { r.Amount.Minor = 1_000_000_000_000 },
		"negative other":         func(r *Request) { r.Other = -1 },
		"other above the amount": func(r *Request) { r.Other = r.Amount.Minor + 1 },
		"currency":               func(r *Request) { r.Amount.Currency = 12345 },
		"type":                   func(r *Request) { r.Type = 0x0A },
		"counter":                func(r *Request) { r.Counter = 100_000_000 },
		"no randomness":          func(r *Request) { r.Rand = nil },
		"randomness ends":        func(r *Request) { r.Rand = strings.NewReader("abc") },
		"clock far off":          func(r *Request) { r.Time = r.Time.AddDate(100, 0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest()
			change(&r)
			c := newChip()
			if s, err := New(testConfig()).Start(t.Context(), c, r, &person{}); !errors.Is(err, ErrRequest) || s != nil {
				t.Errorf("%v", err)
			}
			if len(c.log) != 0 {
				t.Errorf("the card was asked %d times", len(c.log))
			}
		})
	}
	bad := testConfig()
	bad.Terminal.Type = 0x99
	if _, err := New(bad).Start(t.Context(), newChip(), testRequest(), &person{}); !errors.Is(err, ErrConfig) {
		t.Errorf("bad parameters: %v", err)
	}
}

// A card that goes away at any exchange ends the transaction with both errors to be found: ours and the transport's.
func TestCardLostAtEachExchange(t *testing.T) {
	gone := errors.New("reader: card removed")
	for n := 0; ; n++ {
		c := &dying{chip: newChip(), left: n, err: gone}
		s, err := start(t, c)
		if err == nil {
			if n < 12 {
				t.Fatalf("only %d exchanges", n)
			}
			for m := range 2 {
				c := &dying{chip: newChip(), left: n + m, err: gone}
				s = mustStart(t, c)
				out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: unhex("91081122334455667788")})
				if out != Declined || !errors.Is(err, gone) || !errors.Is(err, ErrCardLost) || s.Outcome() != Declined {
					t.Errorf("card lost at exchange %d of completion: %d, %v", m, out, err)
				}
			}
			return
		}
		var e *Error
		if s != nil || !errors.Is(err, gone) || !errors.Is(err, ErrCardLost) || !errors.As(err, &e) || e.Step == "" {
			t.Fatalf("exchange %d: %v", n, err)
		}
	}
}

// dying is a chip that is pulled out after some exchanges.
type dying struct {
	*chip
	left int
	err  error
}

func TestErrorTextsHoldNoCardData(t *testing.T) {
	for _, change := range []func(*chip){
		func(c *chip) { c.set[tagPAN] = unhex("62000000000000A5") },
		func(c *chip) { c.set[tagTrack2] = unhex("6200000000000006D30122") },
		func(c *chip) { c.set[tagTrack2] = unhex("6200000000000005F301FF") },
		func(c *chip) { c.unsigned = obj(tagPAN, testPAN) },
	} {
		c := newChip()
		change(c)
		_, err := start(t, c)
		if !errors.Is(err, ErrBadCard) {
			t.Errorf("error %v", err)
		} else if strings.Contains(err.Error(), "6200000") || strings.Contains(err.Error(), "000000") {
			t.Errorf("text shows data: %v", err)
		}
	}
}

func (d *dying) Transceive(ctx context.Context, capdu []byte) ([]byte, error) {
	if d.left == 0 {
		return nil, d.err
	}
	d.left--
	return d.chip.Transceive(ctx, capdu)
}

func TestContextEndsATransaction(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := newChip()
	_, err := New(testConfig()).Start(ctx, c, testRequest(), &person{})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrCardLost) || len(c.log) != 0 {
		t.Errorf("%v after %d commands", err, len(c.log))
	}
}
