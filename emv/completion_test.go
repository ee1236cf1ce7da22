package emv

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

// issuerScript is a template with an identifier and commands.
func issuerScript(tag uint32, id string, commands ...string) []byte {
	var v []byte
	if id != "" {
		v = append(v, obj(tagScriptID, id)...)
	}
	for _, c := range commands {
		v = append(v, obj(tagScriptCommand, c)...)
	}
	if tag == 0x71 {
		return obj(tagScript1, v)
	}
	return obj(tagScript2, v)
}

func TestCompletion(t *testing.T) {
	const (
		auth  = "91 0A 11223344556677880000"
		block = "8424000004 01020304"  // INS 24
		set   = "04DA9F580101"         // INS DA
		read  = "84E20000 04 05060708" // INS E2
	)
	ok := HostAnswer{Reached: true, ARC: "00", Approved: true}
	refused := HostAnswer{Reached: true, ARC: "51"}
	with := func(a HostAnswer, icc ...[]byte) HostAnswer {
		a.ICC = bytes.Join(icc, nil)
		return a
	}
	noAuth := func(c *chip) { c.aip = "7900" }
	scripts := func(sw uint16) func(*chip) {
		return func(c *chip) { c.scriptSW[0x24], c.scriptSW[0xDA], c.scriptSW[0xE2] = 0x9000, sw, 0x9000 }
	}
	for _, c := range []struct {
		name    string
		change  func(*chip)
		answer  HostAnswer
		outcome Outcome
		p1      byte
		arc     string
		tvr5    byte
		tsi     byte
		results string
		log     string // commands behind the first GENERATE AC
	}{
		{"approved, no data", nil, ok, Approved, 0x50, "00", 0, 0xE8, "", "80ae5000"},
		{"approved, card declines", func(c *chip) { c.second = acAAC }, ok, Declined, 0x50, "00", 0, 0xE8, "", "80ae5000"},
		{"refused", nil, refused, Declined, 0x00, "51", 0, 0xE8, "", "80ae0000"},
		{"10.9 EXTERNAL AUTHENTICATE", nil, with(ok, unhex(auth)), Approved, 0x50, "00", 0, 0xF8, "", "00820000 80ae5000"},
		{"10.9 card does not accept the issuer", func(c *chip) { c.extAuth = 0x6300; c.second = acAAC }, with(ok, unhex(auth)), Declined, 0x50, "00", 0x40, 0xF8, "", "00820000 80ae5000"},
		{"10.9 card approves all the same", func(c *chip) { c.extAuth = 0x6300 }, with(ok, unhex(auth)), Approved, 0x50, "00", 0x40, 0xF8, "", "00820000 80ae5000"},
		{"10.9 refused with data", nil, with(refused, unhex(auth)), Declined, 0x00, "51", 0, 0xF8, "", "00820000 80ae0000"},
		{"10.9 not in the AIP: in CDOL2", noAuth, with(ok, unhex(auth)), Approved, 0x50, "00", 0, 0xE8, "", "80ae5000"},
		{"10.9 seven bytes are not issuer authentication data", nil, with(ok, unhex("9107 11223344556677")), Approved, 0x50, "00", 0x40, 0xE8, "", "80ae5000"},
		{"10.9 seventeen bytes neither", nil, with(ok, obj(tagIssuerAuth, make([]byte, 17))), Approved, 0x50, "00", 0x40, 0xE8, "", "80ae5000"},
		{"10.9 eight bytes are", nil, with(ok, unhex("9108 1122334455667788")), Approved, 0x50, "00", 0, 0xF8, "", "00820000 80ae5000"},
		{"empty authentication data count as none", nil, with(ok, unhex("9100")), Approved, 0x50, "00", 0, 0xE8, "", "80ae5000"},
		{"other objects are passed over, padding too", nil, with(ok, unhex("9F36020001 0000 8A023030 FF")), Approved, 0x50, "00", 0, 0xE8, "", "80ae5000"},

		{"broken data: the card is asked to decline", nil, with(ok, unhex("9F3602")), Declined, 0x00, "00", 0, 0xE8, "", "80ae0000"},
		{"two authentication data", nil, with(ok, unhex(auth), unhex(auth)), Declined, 0x00, "00", 0, 0xF8, "", "00820000 80ae0000"},
		{"a response code of one character", nil, HostAnswer{Reached: true, ARC: "0", Approved: true}, Declined, 0x00, "", 0, 0xE8, "", "80ae0000"},

		{"10.10 script before", scripts(0x9000), with(ok, issuerScript(0x71, "00000001", block)), Approved, 0x50, "00", 0, 0xEC, "2000000001", "84240000 80ae5000"},
		{"10.10 script after", scripts(0x9000), with(ok, issuerScript(0x72, "00000002", block, set)), Approved, 0x50, "00", 0, 0xEC, "2000000002", "80ae5000 84240000 04da9f58"},
		{"10.10 both, after authentication", scripts(0x9000), with(ok, issuerScript(0x72, "00000002", set), issuerScript(0x71, "00000001", block), unhex(auth)), Approved, 0x50, "00", 0, 0xFC, "2000000001 2000000002", "00820000 84240000 80ae5000 04da9f58"},
		{"10.10 script with a refused transaction", scripts(0x9000), with(refused, issuerScript(0x72, "00000003", block)), Declined, 0x00, "51", 0, 0xEC, "2000000003", "80ae0000 84240000"},
		{"10.10 warnings let it go on", scripts(0x6282), with(ok, issuerScript(0x71, "", set, block)), Approved, 0x50, "00", 0, 0xEC, "2000000000", "04da9f58 84240000 80ae5000"},
		{"10.10 63 lets it go on", scripts(0x63C1), with(ok, issuerScript(0x71, "", set, block)), Approved, 0x50, "00", 0, 0xEC, "2000000000", "04da9f58 84240000 80ae5000"},
		{"10.10 failure before ends that script", scripts(0x6985), with(ok, issuerScript(0x71, "0A0B0C0D", block, set, read)), Approved, 0x50, "00", 0x20, 0xEC, "120A0B0C0D", "84240000 04da9f58 80ae5000"},
		{"10.10 failure after ends that script", scripts(0x6985), with(ok, issuerScript(0x72, "0A0B0C0D", set, block)), Approved, 0x50, "00", 0x10, 0xEC, "110A0B0C0D", "80ae5000 04da9f58"},
		{"10.10 the next script runs all the same", scripts(0x6985), with(ok, issuerScript(0x72, "00000001", set), issuerScript(0x72, "00000002", block)), Approved, 0x50, "00", 0x10, 0xEC, "1100000001 2000000002", "80ae5000 04da9f58 84240000"},
		{"10.10 a script without commands", nil, with(ok, issuerScript(0x71, "00000001")), Approved, 0x50, "00", 0x20, 0xEC, "0000000001", "80ae5000"},
		{"10.10 a command of three bytes", scripts(0x9000), with(ok, issuerScript(0x71, "00000001", block, "842400")), Approved, 0x50, "00", 0x20, 0xEC, "0000000001", "80ae5000"},
		{"10.10 a broken script", scripts(0x9000), with(ok, obj(tagScript1, issuerScript(0x71, "", block)[2:], "86")), Approved, 0x50, "00", 0x20, 0xEC, "0000000000", "80ae5000"},
		{"10.10 an identifier of three bytes", scripts(0x9000), with(ok, issuerScript(0x71, "010203", block)), Approved, 0x50, "00", 0x20, 0xEC, "0000000000", "80ae5000"},
		{"10.10 the twentieth command fails", func(c *chip) { c.scriptSW[0x24], c.scriptSW[0xDA] = 0x9000, 0x6A80 }, with(ok, issuerScript(0x72, "00000009", append(strings.Split(strings.Repeat(block+",", 19), ",")[:19], set)...)), Approved, 0x50, "00", 0x10, 0xEC, "1F00000009", "80ae5000" + strings.Repeat(" 84240000", 19) + " 04da9f58"},

		{"10.7 unable to go online, default codes decline", func(c *chip) { c.set[tagIACDefault] = unhex("0000008000") }, HostAnswer{}, Declined, 0x00, "Z3", 0, 0xE8, "", "80ae0000"},
		{"10.7 unable to go online, approved", func(c *chip) { c.set[tagIACDefault] = unhex("0000000000") }, HostAnswer{}, Approved, 0x50, "Y3", 0, 0xE8, "", "80ae5000"},
		{"10.7 unable to go online, card declines", func(c *chip) { c.set[tagIACDefault] = unhex("0000000000"); c.second = acAAC }, HostAnswer{}, Declined, 0x50, "Z3", 0, 0xE8, "", "80ae5000"},
		{"an answer that is not authentic is no answer", func(c *chip) { c.set[tagIACDefault] = unhex("0000008000") }, HostAnswer{ARC: "00", Approved: true, ICC: unhex(auth)}, Declined, 0x00, "Z3", 0, 0xE8, "", "80ae0000"},

		{"Book 2, 6.6.2: TC with a wrong signature", func(c *chip) {
			n := 0
			c.cdaWreck = func(b []byte) {
				if n++; n == 2 {
					b[0] ^= 1
				}
			}
		}, ok, Declined, 0x50, "00", 0, 0xE8, "", "80ae5000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, cfg := newChip(), testConfig()
			if c.change != nil {
				c.change(ch)
			}
			cfg.Applications[0].TACDefault = [5]byte{} // the card's own codes decide
			s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
			if err != nil || s.Outcome() != Online {
				t.Fatal(err)
			}
			before := len(ch.log)
			out, err := s.Complete(t.Context(), c.answer)
			if err != nil {
				t.Fatal(err)
			}
			arc, _ := s.Get(tagARC)
			if out != c.outcome || s.Outcome() != out || ch.gac[1].p1 != c.p1 || string(arc) != c.arc {
				t.Errorf("outcome %d, P1 %02X, ARC %q; want %d, %02X, %q", out, ch.gac[1].p1, arc, c.outcome, c.p1, c.arc)
			}
			r := s.Result()
			if r.TVR[4] != c.tvr5 || r.TSI[0] != c.tsi {
				t.Errorf("TVR byte 5 %02X, TSI %02X; want %02X, %02X", r.TVR[4], r.TSI[0], c.tvr5, c.tsi)
			}
			if !bytes.Equal(r.ScriptResults, unhex(c.results)) {
				t.Errorf("script results %X, want %s", r.ScriptResults, c.results)
			}
			if v, ok := s.Get(tagScriptResults); ok != (c.results != "") || !bytes.Equal(v, unhex(c.results)) {
				t.Errorf("DF31 = %X", v)
			}
			if r.IssuerAuthFail != (c.tvr5&0x40 != 0) {
				t.Errorf("issuer authentication failed: %v", r.IssuerAuthFail)
			}
			if got := strings.Join(ch.log[before:], " "); got != c.log {
				t.Errorf("commands %s, want %s", got, c.log)
			}
		})
	}
}

// The second GENERATE AC carries what CDOL2 asks for: here the response code and the issuer's cryptogram.
func TestCDOL2Data(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer HostAnswer
		want   string
	}{
		{"approved", HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: unhex("9108 1122334455667788")}, "3030 1122334455667788"},
		{"longer data lose their right", HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: unhex("910A 11223344556677883030")}, "3030 1122334455667788"},
		{"no data", HostAnswer{Reached: true, ARC: "05"}, "3035 0000000000000000"},
		{"unable to go online", HostAnswer{}, "5A33 0000000000000000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch := newChip()
			ch.aip = "7900"
			s := mustStart(t, ch)
			if _, err := s.Complete(t.Context(), c.answer); err != nil {
				t.Fatal(err)
			}
			if got := ch.gac[1].data[:10]; !bytes.Equal(got, unhex(c.want)) {
				t.Errorf("%X, want %s", got, c.want)
			}
		})
	}
}

func TestBadAnswersToTheSecondGenerateAC(t *testing.T) {
	for _, c := range []struct {
		name     string
		approved bool
		change   func(*chip)
		err      error
	}{
		{"conditions not satisfied", true, func(c *chip) { c.answers["AE"] = unhex("6985") }, ErrConditionsFail},
		{"refused", false, func(c *chip) { c.answers["AE"] = unhex("6F00") }, ErrBadCard},
		{"an answer of one byte", true, func(c *chip) { c.answers["AE"] = unhex("90") }, ErrBadCard},
		{"external authenticate with one byte", true, func(c *chip) { c.answers["82"] = unhex("90") }, ErrBadCard},
		{"a script answered with one byte", true, func(c *chip) { c.answers["24"] = unhex("90") }, ErrBadCard},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch := newChip()
			s := mustStart(t, ch)
			c.change(ch)
			icc := append(unhex("9108 1122334455667788"), issuerScript(0x71, "", "84240000")...)
			out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: c.approved, ICC: icc})
			if out != Declined || !errors.Is(err, c.err) || s.Outcome() != Declined {
				t.Errorf("outcome %d, error %v", out, err)
			}
		})
	}
}

// Book 3, 9.3: an answer to the second GENERATE AC that was not asked for counts as an AAC. It is an outcome, and the scripts behind it run.
func TestSecondCryptogramOfTheWrongKind(t *testing.T) {
	for _, c := range []struct {
		name     string
		approved bool
		cid      byte
	}{
		{"another ARQC", true, acARQC},
		{"reserved", true, acMask},
		{"TC to a request for AAC", false, acTC},
		{"ARQC to a request for AAC", false, acARQC},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch := newChip()
			ch.scriptSW[0x24] = 0x9000
			s := mustStart(t, ch)
			ch.second = c.cid
			out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: c.approved, ICC: issuerScript(0x72, "01020304", "84240000")})
			r := s.Result()
			if out != Declined || err != nil || r.CID&acMask != acAAC || r.ApprovalLost != c.approved {
				t.Errorf("outcome %d, error %v, CID %02X, approval lost %v", out, err, r.CID, r.ApprovalLost)
			}
			if hexString(r.ScriptResults) != "2001020304" {
				t.Errorf("script results %X", r.ScriptResults)
			}
		})
	}
}

// The card has given its TC: what happens to a script behind it is no reason to take the approval back.
func TestCardPulledOutBehindTheTC(t *testing.T) {
	ch := newChip()
	ch.scriptSW[0x24] = 0x9000
	s := mustStart(t, ch)
	ch.fail["DA"] = errors.New("reader: card removed")
	icc := append(issuerScript(0x72, "00000001", "84240000", "04DA9F580101"), issuerScript(0x72, "00000002", "84240000")...)
	out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: icc})
	r := s.Result()
	if out != Approved || err != nil || !bytes.Equal(r.ScriptResults, unhex("1200000001")) || !tvrScriptAfter.in(r.TVR[:]) {
		t.Errorf("outcome %d, %v, results %X, TVR %X", out, err, r.ScriptResults, r.TVR)
	}
}

func TestContextEndsACompletion(t *testing.T) {
	ch := newChip()
	s := mustStart(t, ch)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out, err := s.Complete(ctx, HostAnswer{Reached: true, ARC: "00", Approved: true})
	if out != Declined || !errors.Is(err, context.Canceled) || len(ch.gac) != 1 {
		t.Errorf("outcome %d, %v", out, err)
	}
}
