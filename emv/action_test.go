package emv

import (
	"errors"
	"testing"
)

func TestActionAnalysis(t *testing.T) {
	const zero, ones = "0000000000", "FFFFFFFFFF"
	type codes struct{ denial, online, dflt string } // "" when the card has none
	for _, c := range []struct {
		name     string
		tvr      string
		tac, iac codes
		terminal byte
		want     byte
		unable   byte
	}{
		{"nothing set, nothing asked", zero, codes{zero, zero, zero}, codes{zero, zero, zero}, 0x22, acTC, acTC},
		{"bits set, no code names them", "8000048000", codes{zero, zero, zero}, codes{zero, zero, zero}, 0x22, acTC, acTC},
		{"terminal's online code", "0000008000", codes{zero, "0000008000", zero}, codes{zero, zero, zero}, 0x22, acARQC, acTC},
		{"issuer's online code", "0000008000", codes{zero, zero, zero}, codes{zero, "0000008000", zero}, 0x22, acARQC, acTC},
		{"terminal's denial code", "0010000000", codes{"0010000000", ones, ones}, codes{zero, zero, zero}, 0x22, acAAC, acAAC},
		{"issuer's denial code", "0010000000", codes{zero, ones, ones}, codes{"0010000000", zero, zero}, 0x22, acAAC, acAAC},
		{"denial comes before online", "0010008000", codes{"0010000000", "0000008000", zero}, codes{zero, zero, zero}, 0x22, acAAC, acTC},
		{"another bit of the same byte", "0010000000", codes{"0020000000", "0008000000", "0001000000"}, codes{zero, zero, zero}, 0x22, acTC, acTC},
		{"the last bit of the TVR", "0000000001", codes{zero, "0000000001", "0000000001"}, codes{zero, zero, zero}, 0x22, acARQC, acAAC},
		{"terminal's default code", "0000000001", codes{zero, zero, "0000000001"}, codes{zero, zero, zero}, 0x22, acTC, acAAC},
		{"issuer's default code", "0000000001", codes{zero, zero, zero}, codes{zero, zero, "0000000001"}, 0x22, acTC, acAAC},

		{"10.7 denial code absent is zeros", ones, codes{zero, zero, zero}, codes{"", zero, zero}, 0x22, acTC, acTC},
		{"10.7 online code absent is ones", "0000000001", codes{zero, zero, zero}, codes{zero, "", zero}, 0x22, acARQC, acTC},
		{"10.7 online code absent, nothing set", zero, codes{zero, zero, zero}, codes{zero, "", zero}, 0x22, acTC, acTC},
		{"10.7 default code absent is ones", "0000000001", codes{zero, zero, zero}, codes{zero, zero, ""}, 0x22, acTC, acAAC},

		{"online-only terminal", zero, codes{zero, zero, zero}, codes{zero, zero, zero}, 0x21, acARQC, acAAC},
		{"online-only terminal, denial", "0010000000", codes{"0010000000", zero, zero}, codes{zero, zero, zero}, 0x21, acAAC, acAAC},
		{"unattended online-only terminal", zero, codes{zero, zero, zero}, codes{zero, zero, zero}, 0x24, acARQC, acAAC},
		{"offline-only terminal", "0000008000", codes{zero, "0000008000", zero}, codes{zero, zero, zero}, 0x23, acTC, acTC},
		{"offline-only terminal, default code", "0000008000", codes{zero, zero, "0000008000"}, codes{zero, zero, zero}, 0x26, acAAC, acAAC},
		{"offline-only terminal, denial code", "0000008000", codes{"0000008000", zero, zero}, codes{zero, zero, zero}, 0x26, acAAC, acTC},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := ready(t, script(t))
			s.k.cfg.Terminal.Type = c.terminal
			app := s.k.cfg.Applications[0]
			app.TACDenial, app.TACOnline, app.TACDefault = [5]byte(unhex(c.tac.denial)), [5]byte(unhex(c.tac.online)), [5]byte(unhex(c.tac.dflt))
			s.app = &app
			s.tvr = [5]byte(unhex(c.tvr))
			if c.iac.denial != "" {
				s.icc.Set(tagIACDenial, unhex(c.iac.denial))
			}
			if c.iac.online != "" {
				s.icc.Set(tagIACOnline, unhex(c.iac.online))
			}
			if c.iac.dflt != "" {
				s.icc.Set(tagIACDefault, unhex(c.iac.dflt))
			}
			if got := s.analyse(); got != c.want {
				t.Errorf("first %02X, want %02X", got, c.want)
			}
			if got := s.analyseUnable(); got != c.unable {
				t.Errorf("unable to go online %02X, want %02X", got, c.unable)
			}
		})
	}
}

// offline makes a terminal and a card that need no issuer for the test amount.
func offline(ch *chip, cfg *Config) {
	ch.aip = "7D00"
	ch.set[tagCVMList] = unhex("0000000000000000 1F00")
	cfg.Applications[0].FloorLimit = 100000
	ch.set[tagAUC] = unhex("FF00")
}

func TestFirstGenerateAC(t *testing.T) {
	good := func(cid byte) []byte {
		return sw(obj(tagFormat1, []byte{cid, 0, 1}, "0102030405060708"), 0x9000)
	}
	// long is a good answer of n bytes: an object of the card's own fills it.
	long := func(n int) []byte {
		body := "9F270180 9F36020001 9F26080102030405060708"
		return sw(obj(tagFormat2, body, obj(0xDF01, make([]byte, n-2-3-20-4))), 0x9000)
	}
	if len(long(258)) != 258 || len(long(259)) != 259 {
		t.Fatal(len(long(258)), len(long(259)))
	}
	for _, c := range []struct {
		name    string
		aip     string
		offline bool
		answer  []byte // instead of the chip's
		outcome Outcome
		p1      byte
		arc     string
		err     error
	}{
		{"TC asked and given", "7D00", true, nil, Approved, 0x50, "Y1", nil},
		{"TC asked and given, without CDA", "7C00", true, nil, Approved, 0x40, "Y1", nil},
		{"TC asked, ARQC given", "7C00", true, good(acARQC), Online, 0x40, "", nil},
		{"TC asked, AAC given", "7C00", true, good(acAAC), Declined, 0x40, "Z1", nil},
		{"ARQC asked and given", "7C00", false, good(acARQC), Online, 0x80, "", nil},
		{"ARQC asked, AAC given", "7C00", false, good(acAAC), Declined, 0x80, "Z1", nil},
		{"ARQC asked, TC given", "7C00", false, good(acTC), 0, 0x80, "", ErrBadCard},
		{"reserved CID", "7C00", false, good(0xC0), 0, 0x80, "", ErrBadCard},
		{"format 2", "7C00", false, unhex("7717 9F270180 9F36020001 9F26080102030405060708 9F1000 9000"), Online, 0x80, "", nil},
		{"format 2 without IAD", "7C00", false, unhex("7714 9F270180 9F36020001 9F26080102030405060708 9000"), Online, 0x80, "", nil},
		{"format 2 without CID", "7C00", false, unhex("7710 9F36020001 9F26080102030405060708 9000"), 0, 0x80, "", ErrBadCard},
		{"format 2 without ATC", "7C00", false, unhex("770F 9F270180 9F26080102030405060708 9000"), 0, 0x80, "", ErrBadCard},
		{"format 2 without cryptogram", "7C00", false, unhex("7709 9F270180 9F36020001 9000"), 0, 0x80, "", ErrBadCard},
		{"format 2 with two CIDs", "7C00", false, unhex("7718 9F270180 9F270140 9F36020001 9F26080102030405060708 9000"), 0, 0x80, "", ErrBadCard},
		{"format 2 with a cryptogram of seven bytes", "7C00", false, unhex("7713 9F270180 9F36020001 9F260701020304050607 9000"), 0, 0x80, "", ErrBadCard},
		{"format 2 with an IAD of 33 bytes", "7C00", false, sw(obj(tagFormat2, "9F270180 9F36020001 9F26080102030405060708", obj(tagIAD, make([]byte, 33))), 0x9000), 0, 0x80, "", ErrBadCard},
		{"format 2 cut off", "7C00", false, unhex("7714 9F270180 9F36020001 9000"), 0, 0x80, "", ErrBadCard},
		{"format 1 too short", "7C00", false, unhex("800A 80000101020304050607 9000"), 0, 0x80, "", ErrBadCard},
		{"format 1 too long", "7C00", false, sw(obj(tagFormat1, make([]byte, 44)), 0x9000), 0, 0x80, "", ErrBadCard},
		{"another template", "7C00", false, unhex("7000 9000"), 0, 0x80, "", ErrBadCard},
		{"no data", "7C00", false, unhex("9000"), 0, 0x80, "", ErrBadCard},
		{"conditions not satisfied", "7C00", false, unhex("6985"), 0, 0x80, "", ErrConditionsFail},
		{"any other status", "7C00", false, unhex("6F00"), 0, 0x80, "", ErrBadCard},
		{"an answer of one byte", "7C00", false, unhex("90"), 0, 0x80, "", ErrBadCard},
		{"an answer of 258 bytes", "7C00", false, long(258), Online, 0x80, "", nil},
		{"an answer of 259 bytes", "7C00", false, long(259), 0, 0x80, "", ErrBadCard},
		{"an empty answer", "7C00", false, []byte{}, 0, 0x80, "", ErrBadCard},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, cfg := newChip(), testConfig()
			if c.offline {
				offline(ch, &cfg)
			}
			ch.aip = c.aip
			var p1 byte
			card := cardFunc(func(capdu []byte) []byte {
				if capdu[1] == 0xAE {
					p1 = capdu[2]
					if c.answer != nil {
						return c.answer
					}
				}
				r, _ := ch.Transceive(t.Context(), capdu)
				return r
			})
			s, err := New(cfg).Start(t.Context(), card, testRequest(), &person{})
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || p1 != c.p1 {
				t.Fatalf("P1 %02X, error %v; want %02X, %v", p1, err, c.p1, c.err)
			}
			if err != nil {
				return
			}
			arc, _ := s.Get(tagARC)
			if s.Outcome() != c.outcome || string(arc) != c.arc || !tsiCardRisk.in(s.tsi[:]) {
				t.Errorf("outcome %d, ARC %q, TVR %X, TSI %X; want %d, %q", s.Outcome(), arc, s.tvr, s.tsi, c.outcome, c.arc)
			}
			if _, err := s.Complete(t.Context(), HostAnswer{}); c.outcome != Online && !errors.Is(err, ErrNotOnline) {
				t.Errorf("Complete after an offline outcome: %v", err)
			}
		})
	}
}

func TestDeniedByTheTerminal(t *testing.T) {
	ch := newChip()
	ch.set[tagAUC] = unhex("0000") // service not allowed; named by the denial codes
	s := mustStart(t, ch)
	arc, _ := s.Get(tagARC)
	if s.Outcome() != Declined || ch.gac[0].p1 != acAAC || string(arc) != "Z1" {
		t.Errorf("outcome %d, P1 %02X, ARC %q", s.Outcome(), ch.gac[0].p1, arc)
	}
	// A card that gives more than it is asked for.
	ch = newChip()
	ch.set[tagAUC] = unhex("0000")
	ch.first = acTC
	if _, err := start(t, ch); !errors.Is(err, ErrBadCard) {
		t.Errorf("TC to a request for AAC: %v", err)
	}
}

// Book 2, 6.6.2: an offline approval whose signature is wrong is no approval.
func TestOfflineApprovalWithAWrongSignature(t *testing.T) {
	ch, cfg := newChip(), testConfig()
	offline(ch, &cfg)
	ch.cdaWreck = flip(-1)
	s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
	if err != nil || s.Outcome() != Declined || !tvrCDAFailed.in(s.tvr[:]) || len(ch.gac) != 1 {
		t.Errorf("outcome %d, TVR %X, %d GENERATE AC, %v", s.Outcome(), s.tvr, len(ch.gac), err)
	}
}

// Book 3, 9.2.2.
func TestTCHash(t *testing.T) {
	const cdol = "9806 9F3704"
	for _, c := range []struct {
		name, tdol string
		noDefault  bool
		hash       string // of the data, first six bytes
		dflt       bool
	}{
		{"the card's TDOL", "9A03", false, "C9248DCD6B5B", false},
		{"the terminal's TDOL", "", false, "E454DBD90FF1", true},
		{"no TDOL at all: an empty one, and nothing to tell of", "", true, "DA39A3EE5E6B", false},
		{"5.2: an empty TDOL of the card is none", "-", false, "E454DBD90FF1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, cfg := newChip(), testConfig()
			ch.ca, ch.aip = "", "0800"
			ch.set[tagCDOL1] = unhex(cdol)
			switch c.tdol {
			case "":
			case "-":
				ch.set[tagTDOL] = nil
			default:
				ch.set[tagTDOL] = unhex(c.tdol)
			}
			if c.noDefault {
				cfg.Applications[0].TDOL = nil
			}
			s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
			if err != nil {
				t.Fatal(err)
			}
			if got := hexString(ch.gac[0].data[:6]); got != c.hash || tvrDefaultTDOL.in(s.tvr[:]) != c.dflt {
				t.Errorf("hash %s, TVR %X; want %s", got, s.tvr, c.hash)
			}
		})
	}
}
