package emv

import (
	"strings"
	"testing"
)

// Whole conversations behind the selection of an application, command by command, as Books 3 and 4 want them. The card has no offline
// data authentication. CDOL1 is amount, TVR and unpredictable number; CDOL2 is response code, issuer authentication data, TVR, TSI.
func TestConversations(t *testing.T) {
	const (
		amount  = "000000012345"
		un      = "01020304"
		rest    = " 0001 0102030405060708 9000" // ATC and cryptogram behind the CID
		auth    = "9108 A1A2A3A4A5A6A7A8"
		nothing = "0000000000000000"
	)
	gac1 := func(p1, tvr string) string { return "80AE" + p1 + "00 0F" + amount + tvr + un + "00" }
	gac2 := func(p1, arc, auth, tvr, tsi string) string {
		return "80AE" + p1 + "00 11" + arc + auth + tvr + tsi + "00"
	}
	yes := func(icc ...string) HostAnswer {
		return HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: unhex(strings.Join(icc, ""))}
	}
	silent := "9F0E05 0000000000 9F0F05 0000000000 9F0D05 0000000000" // action codes that name nothing
	offlineTill := func(cfg *Config, _ *Request) { cfg.Applications[0].FloorLimit = 100000 }
	for _, c := range []struct {
		name    string
		aip     string
		extra   string // objects of the record, beside the mandatory ones
		change  func(*Config, *Request)
		answer  HostAnswer
		pairs   [][2]string // behind READ RECORD
		first   Outcome
		final   Outcome
		tvr     string
		tsi     string
		results string
	}{
		{
			"Book 3, 10.9 to 10.11: authentication, script before, TC, script after", "0C00", "", nil,
			yes(auth, "7210 9F180400000002 8607 84DA0000020102", "7110 9F180400000001 8607 84240000020304"),
			[][2]string{
				{gac1("80", "8000008000"), "800B 80" + rest},
				{"00820000 08 A1A2A3A4A5A6A7A8", "9000"},
				{"84240000020304", "9000"},
				{gac2("40", "3030", "A1A2A3A4A5A6A7A8", "8000008000", "3C00"), "800B 40" + rest},
				{"84DA0000020102", "9000"},
			},
			Online, Approved, "8000008000", "3C00", "2000000001 2000000002",
		},
		{
			"Book 3, 10.9: issuer authentication fails, the card is told and declines", "0C00", "", nil, yes(auth),
			[][2]string{
				{gac1("80", "8000008000"), "7714 9F270180 9F36020001 9F26080102030405060708 9000"},
				{"00820000 08 A1A2A3A4A5A6A7A8", "6300"},
				{gac2("40", "3030", "A1A2A3A4A5A6A7A8", "8000008040", "3800"), "7714 9F270103 9F36020001 9F26080102030405060708 9000"},
			},
			Online, Declined, "8000008040", "3800", "",
		},
		{
			"Book 4, 12.2.2: an answer without authentication data", "0C00", "", nil, yes(),
			[][2]string{
				{gac1("80", "8000008000"), "800B 80" + rest},
				{gac2("40", "3030", nothing, "8000008000", "2800"), "800B 40" + rest},
			},
			Online, Approved, "8000008000", "2800", "",
		},
		{
			"Book 3, 10.9: no issuer authentication in the AIP: the data go into CDOL2", "0800", "", nil, yes(auth),
			[][2]string{
				{gac1("80", "8000008000"), "800B 80" + rest},
				{gac2("40", "3030", "A1A2A3A4A5A6A7A8", "8000008000", "2800"), "800B 40" + rest},
			},
			Online, Approved, "8000008000", "2800", "",
		},
		{
			"Book 3, 10.10: a script before fails, the card hears of it in CDOL2", "0800", "", nil,
			yes("7117 9F180400000001 8607 84240000020304 8605 84DA000000"),
			[][2]string{
				{gac1("80", "8000008000"), "800B 80" + rest},
				{"84240000020304", "6985"},
				{gac2("40", "3030", nothing, "8000008020", "2C00"), "800B 40" + rest},
			},
			Online, Approved, "8000008020", "2C00", "1100000001",
		},
		{
			"Book 3, 10.10: a script after the AAC of a declined transaction", "0800", "", nil,
			HostAnswer{Reached: true, ARC: "05", ICC: unhex("7207 8605 84DA000000")},
			[][2]string{
				{gac1("80", "8000008000"), "800B 80" + rest},
				{gac2("00", "3035", nothing, "8000008000", "2800"), "800B 00" + rest},
				{"84DA000000", "6A80"},
			},
			Online, Declined, "8000008010", "2C00", "1100000000",
		},
		{
			"Book 4, 12.2.1: unable to go online, declined", "0800", "", nil,
			HostAnswer{},
			[][2]string{
				{gac1("80", "8000008000"), "800B 80" + rest},
				{gac2("00", "5A33", nothing, "8000008000", "2800"), "800B 00" + rest},
			},
			Online, Declined, "8000008000", "2800", "",
		},
		{
			"Book 4, 12.2.1: unable to go online, approved", "0800", silent,
			func(cfg *Config, _ *Request) { cfg.Applications[0].TACDefault = [5]byte{} },
			HostAnswer{},
			[][2]string{
				{gac1("80", "8000008000"), "800B 80" + rest},
				{gac2("40", "5933", nothing, "8000008000", "2800"), "800B 40" + rest},
			},
			Online, Approved, "8000008000", "2800", "",
		},
		{
			"Book 3, 10.7: approved offline", "0800", silent,
			func(cfg *Config, r *Request) { offlineTill(cfg, r); cfg.Applications[0].TACOnline = [5]byte{} },
			HostAnswer{},
			[][2]string{{gac1("40", "8000000000"), "800B 40" + rest}},
			Approved, Approved, "8000000000", "2800", "",
		},
		{
			"Book 3, 10.7: denied, an AAC is asked for", "0800", "5F2403 200101 9F0E05 0040000000", nil,
			HostAnswer{},
			[][2]string{{gac1("00", "8040008000"), "800B 00" + rest}},
			Declined, Declined, "8040008000", "2800", "",
		},
		{
			"Book 3, 10.6.3: both counters are read", "0800", silent + "9F1401 03 9F2301 05",
			func(cfg *Config, r *Request) { offlineTill(cfg, r); cfg.Applications[0].TACOnline = [5]byte{} },
			HostAnswer{},
			[][2]string{
				{"80CA9F36 00", "9F3602000A 9000"},
				{"80CA9F13 00", "9F13020006 9000"},
				{gac1("40", "8000004000"), "800B 40" + rest},
			},
			Approved, Approved, "8000004000", "2800", "",
		},
		{
			"Book 3, 10.6.3: a card that gives no counters", "0800", "9F1401 03 9F2301 05", offlineTill,
			HostAnswer{},
			[][2]string{
				{"80CA9F36 00", "6A88"},
				{"80CA9F13 00", "6A88"},
				{gac1("80", "A000006000"), "800B 00" + rest},
			},
			Declined, Declined, "A000006000", "2800", "",
		},
		{
			"Book 3, 10.6.3: one limit alone: no GET DATA", "0800", "9F2301 05", offlineTill,
			HostAnswer{},
			[][2]string{{gac1("80", "8000000000"), "800B 00" + rest}},
			Declined, Declined, "8000000000", "2800", "",
		},
		{
			"Book 3, 10.7: the offline-only terminal's card asks for the issuer", "0800", silent,
			func(cfg *Config, r *Request) {
				offlineTill(cfg, r)
				cfg.Terminal.Type, cfg.Applications[0].TACDefault = 0x23, [5]byte{}
			},
			HostAnswer{},
			[][2]string{
				{gac1("40", "8000000000"), "800B 80" + rest},
				{gac2("40", "5933", nothing, "8000000000", "2800"), "800B 40" + rest},
			},
			Approved, Approved, "8000000000", "2800", "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			record := "5A08" + testPAN + "8C08 9F0206 9505 9F3704 8D08 8A02 9108 9505 9B02" + c.extra
			if !strings.Contains(c.extra, "5F2403") {
				record += "5F2403 301231"
			}
			pairs := append([][2]string{
				{"80A80000 02 8300 00", "8006" + c.aip + "08010100 9000"},
				{"00B2010C 00", hexString(obj(tagRecord, record)) + "9000"},
			}, c.pairs...)
			cfg, r := testConfig(), testRequest()
			if c.change != nil {
				c.change(&cfg, &r)
			}
			r.Rand = dice(99) // never selected at random
			card := script(t, pairs...)
			s, err := New(cfg).newSession(card, r, &person{})
			if err != nil {
				t.Fatal(err)
			}
			s.term.Set(tagUN, unhex(un))
			s.reset(&s.k.cfg.Applications[0])
			s.rid = testRID[:]
			ctx := t.Context()
			steps := func() error {
				if _, err := s.initiate(ctx); err != nil {
					return err
				}
				if err := s.readRecords(ctx); err != nil {
					return err
				}
				if err := s.authenticate(ctx); err != nil {
					return err
				}
				s.restrict()
				if err := s.verifyCardholder(ctx); err != nil {
					return err
				}
				if err := s.manageRisk(ctx); err != nil {
					return err
				}
				return s.firstAC(ctx)
			}
			if err := steps(); err != nil {
				t.Fatal(err)
			}
			out := s.Outcome()
			if out != c.first {
				t.Errorf("first outcome %d, want %d", out, c.first)
			}
			if out == Online {
				if out, err = s.Complete(ctx, c.answer); err != nil {
					t.Fatal(err)
				}
			}
			card.done()
			res := s.Result()
			if out != c.final || hexString(res.TVR[:]) != c.tvr || hexString(res.TSI[:]) != c.tsi || hexString(res.ScriptResults) != strings.ReplaceAll(c.results, " ", "") {
				t.Errorf("outcome %d, TVR %X, TSI %X, results %X", out, res.TVR, res.TSI, res.ScriptResults)
			}
		})
	}
}
