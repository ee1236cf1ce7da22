package emv

import "testing"

// minimumAPDUs is how many commands the specification needs for a transaction that goes online and is approved, counted from what the
// card asks for: building the list from the terminal's AIDs (Book 1, 12.3.3) and final selection (12.4), GET PROCESSING OPTIONS, every
// record of the AFL (Book 3, 10.2), INTERNAL AUTHENTICATE with DDA (Book 2, 6.5), the counters with both offline limits (Book 3,
// 10.6.3), GENERATE AC, EXTERNAL AUTHENTICATE where the AIP has it (10.9), GENERATE AC.
func minimumAPDUs(s *Session) int {
	n := len(s.k.cfg.Applications) + 1 + 1
	afl, _ := s.icc.Get(tagAFL)
	for i := 0; i+3 < len(afl); i += 4 {
		n += int(afl[i+2]) - int(afl[i+1]) + 1
	}
	if s.oda == odaDDA {
		n++
	}
	if s.icc.Has(tagLCOL) && s.icc.Has(tagUCOL) {
		n += 2
	}
	if aipIssuerAuth.in(s.aip[:]) {
		n++
	}
	return n + 2
}

// benchmark replays a tape that was recorded once: it measures the terminal, not the card. sent is how many
// commands the card has had.
func benchmark(b *testing.B, cfg Config, card Card, sent *int) {
	rec := &recorder{card: card}
	k := New(cfg)
	host := HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: unhex("910A 11223344556677883030")}
	run := func(card Card) *Session {
		s, err := k.Start(b.Context(), card, testRequest(), &person{})
		if err != nil {
			b.Fatal(err)
		}
		if out, err := s.Complete(b.Context(), host); out != Approved || err != nil {
			b.Fatal(out, err)
		}
		return s
	}
	s := run(rec)
	if want := map[odaMethod]byte{odaNone: odaNotDone, odaXDA: 0x01}[s.oda]; s.tvr[0] != want || s.tvr[4] != 0 {
		b.Fatalf("TVR %X", s.tvr)
	}
	apdus, least := *sent, minimumAPDUs(s)
	b.ReportAllocs()
	for b.Loop() {
		run(&tape{rec.tape, 1000})
	}
	b.ReportMetric(float64(apdus), "apdus")
	b.ReportMetric(float64(least), "apdus-needed")
}

// counted counts what is sent to a card.
func counted(b *testing.B, c Card) (Card, *int) {
	n := new(int)
	return cardFunc(func(capdu []byte) []byte {
		*n++
		r, err := c.Transceive(b.Context(), capdu)
		if err != nil {
			b.Fatal(err)
		}
		return r
	}), n
}

// BenchmarkTransaction is a full online transaction: selection to second GENERATE AC. The three moduli of 1152 bits are of that length
// each; with a CA key of 1984 bits the issuer's and the card's are the longest that records and answers have room for: 247 bytes, 205
// for a card with CDA (Book 2, table 43 and D1).
func BenchmarkTransaction(b *testing.B) {
	for _, c := range []struct{ name, aip, ca, issuer, icc string }{
		{"none", "1C00", "", "", ""},
		{"DDA/1152", aipForDDA, "ca1152", "issuer1152", "icc1152"},
		{"DDA/1984", aipForDDA, "ca1984", "issuer1976", "icc1976"},
		{"CDA/1152", aipForCDA, "ca1152", "issuer1152", "icc1152"},
		{"CDA/1984", aipForCDA, "ca1984", "issuer1976", "icc1640"},
	} {
		b.Run(c.name, func(b *testing.B) {
			ch := chipWith(c.aip, useKeys(c.ca, c.issuer, c.icc))
			card, n := counted(b, ch)
			benchmark(b, testConfig(), card, n)
		})
	}
	for _, c := range []struct {
		name string
		keys xdaKeys
		ca   byte
	}{{"XDA/P-256", xdaP256(), xdaIndex}, {"XDA/P-521", xdaP521(), xdaIndex521}} {
		b.Run(c.name, func(b *testing.B) {
			card, n := counted(b, newXDAChip(func(x *xdaChip) { x.keys, x.index = c.keys, c.ca }))
			benchmark(b, xdaConfig(), card, n)
		})
	}
}
