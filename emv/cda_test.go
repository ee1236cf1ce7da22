package emv

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"posd/emv/tlv"
)

// relay stands between terminal and card and may change what the card says.
func relay(t *testing.T, c Card, f func(capdu, answer []byte) []byte) Card {
	return cardFunc(func(capdu []byte) []byte {
		r, err := c.Transceive(t.Context(), capdu)
		if err != nil {
			t.Error(err)
		}
		return f(capdu, r)
	})
}

// cid2 is the offset of the CID in an answer to GENERATE AC of the test card in format 2 with a signature.
func cidAt(answer []byte) int { return bytes.Index(answer, []byte{0x9F, 0x27, 0x01}) + 3 }

// quietChip has no reason of its own to send a transaction online.
func quietChip(c *chip) {
	c.set[tagIACOnline], c.set[tagIACDefault] = make([]byte, 5), make([]byte, 5)
}

// Book 2, 6.6 and D4: which signatures a terminal of each mode asks for, and what the TVR in the commands says.
func TestCDAModes(t *testing.T) {
	approve, refuse, unable := HostAnswer{Reached: true, ARC: "00", Approved: true}, HostAnswer{Reached: true, ARC: "05"}, HostAnswer{}
	for _, c := range []struct {
		name   string
		mode   CDAMode
		quiet  bool // the terminal asks for a TC
		first  byte // CID; 0xFF is as asked
		host   HostAnswer
		last   Outcome
		p1     []byte
		notODA []bool // "not performed" in the TVR that each command carries
		tsi    bool
	}{
		{"D4: mode 1 online approval", CDAMode1, false, 0xFF, approve, Approved, []byte{0x90, 0x50}, []bool{false, false}, true},
		{"D4: mode 2 online approval", CDAMode2, false, 0xFF, approve, Approved, []byte{0x90, 0x40}, []bool{false, false}, true},
		{"D4: mode 3 online approval", CDAMode3, false, 0xFF, approve, Approved, []byte{0x80, 0x40}, []bool{true, false}, false},
		{"D4: mode 4 online approval", CDAMode4, false, 0xFF, approve, Approved, []byte{0x80, 0x50}, []bool{true, false}, true},
		{"D4: no mode is mode 1", 0, false, 0xFF, approve, Approved, []byte{0x90, 0x50}, []bool{false, false}, true},
		{"6.6: mode 1 online refusal, AAC without signature", CDAMode1, false, 0xFF, refuse, Declined, []byte{0x90, 0x00}, []bool{false, false}, true},
		{"6.6: mode 3 online refusal", CDAMode3, false, 0xFF, refuse, Declined, []byte{0x80, 0x00}, []bool{true, false}, false},
		{"6.6: mode 1 offline approval", CDAMode1, true, 0xFF, approve, Approved, []byte{0x50}, []bool{false}, true},
		{"6.6: mode 2 offline approval is signed", CDAMode2, true, 0xFF, approve, Approved, []byte{0x50}, []bool{false}, true},
		{"6.6: mode 3 offline approval is signed", CDAMode3, true, 0xFF, approve, Approved, []byte{0x50}, []bool{false}, true},
		{"6.6: mode 4 offline approval is signed", CDAMode4, true, 0xFF, approve, Approved, []byte{0x50}, []bool{false}, true},
		{"6.6: mode 3, TC asked, card goes online with a signature", CDAMode3, true, acARQC, approve, Approved, []byte{0x50, 0x40}, []bool{false, false}, true},
		{"6.6: mode 1 unable to go online", CDAMode1, true, acARQC, unable, Approved, []byte{0x50, 0x50}, []bool{false, false}, true},
		{"6.6: mode 2 unable to go online is signed", CDAMode2, true, acARQC, unable, Approved, []byte{0x50, 0x50}, []bool{false, false}, true},
		{"6.6: mode 3 unable to go online is signed", CDAMode3, true, acARQC, unable, Approved, []byte{0x50, 0x50}, []bool{false, false}, true},
		{"10.3: signature asked, card declines: TSI says performed", CDAMode1, false, acAAC, approve, Declined, []byte{0x90}, []bool{false}, true},
		{"6.6: mode 3, card declines: nothing was performed", CDAMode3, false, acAAC, approve, Declined, []byte{0x80}, []bool{true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Terminal.CDAMode = c.mode
			ch := newChip()
			if c.quiet {
				quietTerminal(&cfg)
				quietChip(ch)
			}
			ch.first = c.first
			s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
			if err != nil {
				t.Fatal(err)
			}
			out := s.Outcome()
			if out == Online {
				if out, err = s.Complete(t.Context(), c.host); err != nil {
					t.Fatal(err)
				}
			}
			var p1 []byte
			for i, g := range ch.gac {
				p1 = append(p1, g.p1)
				at := 14
				if i == 1 {
					at = 24
				}
				if i < len(c.notODA) && g.data[at]&0x80 != 0 != c.notODA[i] {
					t.Errorf("GENERATE AC %d carries TVR %X", i+1, g.data[at:at+5])
				}
			}
			if out != c.last || !bytes.Equal(p1, c.p1) || tvrCDAFailed.in(s.tvr[:]) || tsiODA.in(s.tsi[:]) != c.tsi {
				t.Errorf("outcome %d, P1 %X, TVR %X, TSI %X; want %d, %X, TSI bit %v", out, p1, s.tvr, s.tsi, c.last, c.p1, c.tsi)
			}
		})
	}
}

// 6.6: a transaction that the terminal declines has no signature, and the TVR says so in the command.
func TestCDADeclinedByTheTerminal(t *testing.T) {
	cfg := testConfig()
	cfg.Applications[0].TACDenial[3] = 0x80 // above the floor limit
	ch := newChip()
	s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
	if err != nil || s.Outcome() != Declined || len(ch.gac) != 1 || ch.gac[0].p1 != acAAC || ch.gac[0].data[14] != odaNotDone || tsiODA.in(s.tsi[:]) {
		t.Errorf("TVR %X, TSI %X, %v", s.tvr, s.tsi, err)
	}
	// Once authentication has failed the bit stays away: it was performed.
	ch = chipWith(aipForCDA, func(c *chip) { c.set[tagCAIndex] = []byte{0x77} })
	s, err = New(cfg).Start(t.Context(), ch, testRequest(), &person{})
	if err != nil || ch.gac[0].data[14] != odaCDAFailed || !tsiODA.in(s.tsi[:]) {
		t.Errorf("after a failure: TVR %X, TSI %X, %v", s.tvr, s.tsi, err)
	}
}

// Book 2, 6.6.2 and Book 4, 6.3.2.1, with the first GENERATE AC.
func TestCDAFirstFailures(t *testing.T) {
	type cards = func(*testing.T, *chip) Card
	direct := func(_ *testing.T, c *chip) Card { return c }
	lie := func(cid byte) cards { // another CID in the clear than the signed one
		return func(t *testing.T, c *chip) Card {
			n := 0
			return relay(t, c, func(capdu, a []byte) []byte {
				if capdu[1] == 0xAE {
					if n++; n == 1 {
						a[cidAt(a)] = cid
					}
				}
				return a
			})
		}
	}
	for _, c := range []struct {
		name  string
		quiet bool
		first byte
		chip  func(*chip)
		card  cards
		p1    []byte
		cid   byte
	}{
		{"6.3.2.1: TC with a bad signature: decline, no second", true, 0xFF, func(c *chip) { c.cdaWreck = flip(-2) }, direct, []byte{0x50}, acTC},
		{"6.3.2.1: ARQC with a bad signature: AAC at once", true, acARQC, func(c *chip) { c.cdaWreck = flip(-2) }, direct, []byte{0x50, 0x00}, acAAC},
		{"6.3.2.1: TC signed, ARQC in the clear: it is a TC", true, 0xFF, nil, lie(acARQC), []byte{0x50}, acTC},
		{"6.3.2.1: ARQC signed, TC in the clear: it is an ARQC", true, acARQC, nil, lie(acTC), []byte{0x50, 0x00}, acAAC},
		{"6.3.2.1: the signed CID counts although the hash is wrong", true, acARQC, func(c *chip) { c.cdaWreck = flip(-2) }, lie(acTC), []byte{0x50, 0x00}, acAAC},
		{"6.3.2.1: with a broken frame the CID in the clear counts", true, acARQC, func(c *chip) { c.cdaWreck = flip(0) }, lie(acTC), []byte{0x50}, acTC},
		{"6.6.2 step 6: the advice bit differs", false, acARQC, nil, lie(acARQC | 0x08), []byte{0x90, 0x00}, acAAC},
		{"6.6.2 table 22: hash algorithm", false, 0xFF, func(c *chip) { c.cdaWreck = to(2, 0x02) }, direct, []byte{0x90, 0x00}, acAAC},
		{"6.6.2 table 22: length of the dynamic data", false, 0xFF, func(c *chip) { c.cdaWreck = to(3, 0xFF) }, direct, []byte{0x90, 0x00}, acAAC},
		{"6.6.2 table 19: dynamic data too short", false, 0xFF, func(c *chip) { c.cdaWreck = to(3, 30) }, direct, []byte{0x90, 0x00}, acAAC},
		{"6.6.2 table 19: dynamic number of one byte", false, 0xFF, func(c *chip) { c.cdaWreck = to(4, 1) }, direct, []byte{0x90, 0x00}, acAAC},
		{"6.6.2 table 19: dynamic number of nine bytes", false, 0xFF, func(c *chip) { c.cdaWreck = to(4, 9) }, direct, []byte{0x90, 0x00}, acAAC},
		{"6.6.2 step 9: the signed cryptogram was changed", false, 0xFF, func(c *chip) { c.cdaWreck = flip(15) }, direct, []byte{0x90, 0x00}, acAAC},
		{"6.6.2 step 12: ATC changed in the clear", false, 0xFF, nil, func(t *testing.T, c *chip) Card {
			return relay(t, c, func(capdu, a []byte) []byte {
				if capdu[1] == 0xAE && capdu[2] == 0x90 {
					a[bytes.Index(a, []byte{0x9F, 0x36, 0x02})+4] ^= 1
				}
				return a
			})
		}, []byte{0x90, 0x00}, acAAC},
		{"6.6.2 step 12: objects in another order", false, 0xFF, nil, func(t *testing.T, c *chip) Card {
			return relay(t, c, func(capdu, a []byte) []byte {
				if capdu[1] == 0xAE && capdu[2] == 0x90 {
					at := bytes.Index(a, []byte{0x9F, 0x27, 0x01})
					b := append([]byte(nil), a[:at]...)
					b = append(b, a[at+4:at+9]...)
					b = append(b, a[at:at+4]...)
					return append(b, a[at+9:]...)
				}
				return a
			})
		}, []byte{0x90, 0x00}, acAAC},
		{"6.6.2 step 1: a byte of the signature is missing", false, 0xFF, nil, func(t *testing.T, c *chip) Card {
			return relay(t, c, func(capdu, a []byte) []byte {
				if capdu[1] == 0xAE && capdu[2] == 0x90 {
					return resign(a, shorter)
				}
				return a
			})
		}, []byte{0x90, 0x00}, acAAC},
		{"6.6.2 step 1: a byte of the signature too many", false, 0xFF, nil, func(t *testing.T, c *chip) Card {
			return relay(t, c, func(capdu, a []byte) []byte {
				if capdu[1] == 0xAE && capdu[2] == 0x90 {
					return resign(a, longer)
				}
				return a
			})
		}, []byte{0x90, 0x00}, acAAC},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			ch := newChip()
			ch.first = c.first
			if c.quiet {
				quietTerminal(&cfg)
				quietChip(ch)
			}
			if c.chip != nil {
				c.chip(ch)
			}
			s, err := New(cfg).Start(t.Context(), c.card(t, ch), testRequest(), &person{})
			if err != nil {
				t.Fatal(err)
			}
			var p1 []byte
			for _, g := range ch.gac {
				p1 = append(p1, g.p1)
			}
			if s.Outcome() != Declined || !tvrCDAFailed.in(s.tvr[:]) || !tsiODA.in(s.tsi[:]) || !bytes.Equal(p1, c.p1) {
				t.Errorf("outcome %d, TVR %X, TSI %X, P1 %X", s.Outcome(), s.tvr, s.tsi, p1)
			}
			if got := s.Result().CID; got&acMask != c.cid {
				t.Errorf("CID %02X", got)
			}
			if len(c.p1) == 2 { // the failure shows in the TVR of the second command
				if tvr := ch.gac[1].data[24]; tvr&odaCDAFailed == 0 {
					t.Errorf("second GENERATE AC carries TVR byte 1 %02X", tvr)
				}
			}
			if arc, _ := s.Get(tagARC); string(arc) != arcOfflineDeclined {
				t.Errorf("ARC %q", arc)
			}
		})
	}
}

// resign rewrites 9F4B in an answer of format 2.
func resign(a []byte, f func([]byte) []byte) []byte {
	o, err := tlv.One(a[:len(a)-2])
	if err != nil {
		panic(err)
	}
	var out []byte
	d := tlv.NewDecoder(o.Value)
	for x, ok := d.Next(); ok; x, ok = d.Next() {
		v := bytes.Clone(x.Value)
		if x.Tag == tagSDAD {
			v = f(v)
		}
		out = tlv.Append(out, x.Tag, v)
	}
	return sw(obj(tagFormat2, out), 0x9000)
}

// Book 2, 6.6.2 and Book 4, 6.3.2.1, with the second GENERATE AC: whatever is wrong, the transaction is declined.
func TestCDASecondFailures(t *testing.T) {
	for _, c := range []struct {
		name   string
		chip   func(*chip)
		answer func([]byte) []byte
		failed bool
		out    Outcome
	}{
		{"6.6.2: signature good", nil, nil, false, Approved},
		{"6.6.2: AAC instead, without signature", func(c *chip) { c.second = acAAC }, nil, false, Declined},
		{"6.6.2: AAC instead, format 2", func(c *chip) { c.second = acAAC; c.format2 = true }, nil, false, Declined},
		{"6.3.2.1: hash", func(c *chip) { c.cdaWreck = flip(-2) }, nil, true, Declined},
		{"6.3.2.1: header", func(c *chip) { c.cdaWreck = flip(0) }, nil, true, Declined},
		{"6.3.2.1: trailer", func(c *chip) { c.cdaWreck = flip(-1) }, nil, true, Declined},
		{"6.3.2.1: format", func(c *chip) { c.cdaWreck = flip(1) }, nil, true, Declined},
		{"6.3.2.1: signature a byte short", nil, func(a []byte) []byte { return resign(a, shorter) }, true, Declined},
		{"6.3.2.1: AAC signed, TC in the clear", func(c *chip) { c.second = acTC; c.cdaWreck = to(4+9, acAAC) }, nil, true, Declined},
		{"6.3.2.1: CDOL1 data not in the hash", func(c *chip) { c.cdol1Data = nil }, nil, true, Declined},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch := newChip()
			s := mustStart(t, relay(t, ch, func(capdu, a []byte) []byte {
				if capdu[1] == 0xAE && len(ch.gac) == 2 && c.answer != nil {
					return c.answer(a)
				}
				return a
			}))
			if c.chip != nil {
				c.chip(ch)
			}
			out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true})
			if err != nil || out != c.out || tvrCDAFailed.in(s.tvr[:]) != c.failed {
				t.Errorf("outcome %d, TVR %X, %v", out, s.tvr, err)
			}
			if ch.gac[1].p1 != 0x50 {
				t.Errorf("P1 %02X", ch.gac[1].p1)
			}
		})
	}
}

// Book 3, 6.5.5.4: neither signature nor cryptogram.
func TestCDAWithoutAnything(t *testing.T) {
	ch := newChip()
	ch.answers["AE"] = sw(obj(tagFormat2, obj(tagCID, "80"), obj(tagATC, "0001")), 0x9000)
	if _, err := start(t, ch); !errors.Is(err, ErrBadCard) || strings.Count(strings.Join(ch.log, " "), "80ae") != 1 {
		t.Errorf("error %v, commands %v", err, ch.log)
	}
}

// 6.6.2, last paragraph: what a good signature leaves behind.
func TestCDALeavesItsData(t *testing.T) {
	ch := newChip()
	s := mustStart(t, ch)
	if v, _ := s.Get(tagICCDynamic); !bytes.Equal(v, unhex("AABBCCDDEEFF0011")) {
		t.Errorf("9F4C = %X", v)
	}
	if v, _ := s.Get(tagAC); !bytes.Equal(v, unhex("AC01020304050601")) {
		t.Errorf("9F26 = %X", v)
	}
}

func TestCDAModeParameter(t *testing.T) {
	for _, c := range []struct {
		text string
		want CDAMode
		err  string
	}{
		{"", 0, ""},
		{"cda_mode = 1\n", CDAMode1, ""},
		{"cda_mode = 3\n", CDAMode3, ""},
		{"cda_mode = 5\n", 0, "terminal.cda_mode"},
		{"cda_mode = -1\n", 0, "bad parameters"},
		{"cda_mode = \"1\"\n", 0, "line 6"},
	} {
		cfg, err := LoadParameters(strings.NewReader(minimal + c.text))
		if c.err != "" {
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v", c.text, err)
			}
		} else if err != nil || cfg.Terminal.CDAMode != c.want {
			t.Errorf("%q: mode %d, %v", c.text, cfg.Terminal.CDAMode, err)
		}
	}
}
