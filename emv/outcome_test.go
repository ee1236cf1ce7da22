package emv

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"posd/emv/tlv"
)

// terminalTypes is table 24 of Book 4, A1.
var terminalTypes = []byte{0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x34, 0x35, 0x36}

// Book 3, 10.7 and Book 4, 6.3.6 on every type of terminal: what is asked for first, and when the issuer cannot be reached.
func TestActionAnalysisOfEveryTerminalType(t *testing.T) {
	type asks struct{ first, unable byte }
	for _, kind := range []struct {
		name    string
		types   []byte
		dflt    bool // an online-only terminal goes by the default codes
		nothing asks // no code names what the TVR has
		denial  asks // the code of that name does
		online  asks
		deflt   asks
	}{
		{"online only", []byte{0x11, 0x14, 0x21, 0x24, 0x34}, false, asks{acARQC, acAAC}, asks{acAAC, acAAC}, asks{acARQC, acAAC}, asks{acARQC, acAAC}},
		{"online only with default codes", []byte{0x11, 0x14, 0x21, 0x24, 0x34}, true, asks{acARQC, acTC}, asks{acAAC, acTC}, asks{acARQC, acTC}, asks{acARQC, acAAC}},
		{"offline with online capability", []byte{0x12, 0x15, 0x22, 0x25, 0x35}, false, asks{acTC, acTC}, asks{acAAC, acTC}, asks{acARQC, acTC}, asks{acTC, acAAC}},
		{"offline only", []byte{0x13, 0x16, 0x23, 0x26, 0x36}, false, asks{acTC, acTC}, asks{acAAC, acTC}, asks{acTC, acTC}, asks{acAAC, acAAC}},
	} {
		for _, typ := range kind.types {
			for _, c := range []struct {
				code string
				want asks
			}{{"none", kind.nothing}, {"denial", kind.denial}, {"online", kind.online}, {"default", kind.deflt}} {
				for _, whose := range []string{"TAC", "IAC"} {
					t.Run(fmt.Sprintf("Book 3, 10.7: %02X %s, %s-%s", typ, kind.name, whose, c.code), func(t *testing.T) {
						s := ready(t, script(t))
						s.k.cfg.Terminal.Type, s.k.cfg.Terminal.OnlineOnlyDefault = typ, kind.dflt
						app := Application{AID: s.app.AID}
						s.app = &app
						for _, x := range []struct {
							name string
							tag  tlv.Tag
							tac  *[5]byte
						}{{"denial", tagIACDenial, &app.TACDenial}, {"online", tagIACOnline, &app.TACOnline}, {"default", tagIACDefault, &app.TACDefault}} {
							iac := [5]byte{}
							if x.name == c.code {
								if whose == "TAC" {
									x.tac[2] = 0x80
								} else {
									iac[2] = 0x80
								}
							}
							s.icc.Set(x.tag, iac[:])
						}
						tvrCVMFailed.set(s.tvr[:])
						if got := (asks{s.analyse(), s.analyseUnable()}); got != c.want {
							t.Errorf("asks for %02X, want %02X", got, c.want)
						}
					})
				}
			}
		}
	}
}

// Every bit of the TVR counts, in each pair of codes.
func TestEveryBitOfTheTVRCounts(t *testing.T) {
	for n := range 40 {
		at := bit{uint8(n/8 + 1), uint8(8 - n%8)}
		for _, c := range []struct {
			name          string
			set           func(*Application)
			first, unable byte
		}{
			{"denial", func(a *Application) { at.set(a.TACDenial[:]) }, acAAC, acTC},
			{"online", func(a *Application) { at.set(a.TACOnline[:]) }, acARQC, acTC},
			{"default", func(a *Application) { at.set(a.TACDefault[:]) }, acTC, acAAC},
		} {
			s := ready(t, script(t))
			app := Application{}
			c.set(&app)
			s.app = &app
			for _, tag := range []tlv.Tag{tagIACDenial, tagIACOnline, tagIACDefault} {
				s.icc.Set(tag, make([]byte, 5))
			}
			at.set(s.tvr[:])
			if s.analyse() != c.first || s.analyseUnable() != c.unable {
				t.Errorf("byte %d bit %d, %s", at.octet, at.bit, c.name)
			}
			// Its neighbours do not.
			s.tvr = [5]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
			s.tvr[at.octet-1] &^= 1 << (at.bit - 1)
			if s.analyse() != acTC || s.analyseUnable() != acTC {
				t.Errorf("other bits than byte %d bit %d count, %s", at.octet, at.bit, c.name)
			}
		}
	}
}

// Book 3, 10.7: an offline-only terminal whose card asks for the issuer goes by the default codes at once.
func TestOfflineOnlyTerminalAndARQC(t *testing.T) {
	for _, c := range []struct {
		name    string
		iac     string
		second  byte
		outcome Outcome
		p1      byte
		arc     string
	}{
		{"Book 3, 10.7: default codes are silent, the card approves", "0000000000", 0xFF, Approved, acTC, "Y3"},
		{"Book 3, 10.7: default codes are silent, the card declines", "0000000000", acAAC, Declined, acTC, "Z3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, cfg := newChip(), testConfig()
			offline(ch, &cfg)
			ch.ca, ch.aip = "", "1800"
			ch.first, ch.second = acARQC, c.second
			ch.set[tagIACDefault] = unhex(c.iac)
			cfg.Terminal.Type, cfg.Applications[0].TACDefault = 0x23, [5]byte{}
			s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
			if err != nil || len(ch.gac) != 2 {
				t.Fatalf("%d GENERATE AC, %v", len(ch.gac), err)
			}
			arc, _ := s.Get(tagARC)
			if s.Outcome() != c.outcome || ch.gac[1].p1 != c.p1 || string(arc) != c.arc || !s.Result().UnableOnline {
				t.Errorf("outcome %d, P1 %02X, ARC %s", s.Outcome(), ch.gac[1].p1, arc)
			}
		})
	}
	ch, cfg := newChip(), testConfig()
	offline(ch, &cfg)
	ch.ca, ch.aip, ch.first = "", "1800", acARQC
	cfg.Terminal.Type, cfg.Applications[0].TACDefault = 0x23, [5]byte{}
	ch.set[tagIACDefault] = make([]byte, 5)
	n := 0
	card := cardFunc(func(capdu []byte) []byte {
		if capdu[1] == 0xAE {
			if n++; n == 2 {
				return unhex("6F00")
			}
		}
		r, _ := ch.Transceive(t.Context(), capdu)
		return r
	})
	if s, err := New(cfg).Start(t.Context(), card, testRequest(), &person{}); s != nil || !errors.Is(err, ErrBadCard) {
		t.Errorf("the card fails at the second: %v", err)
	}
}

// Book 3, 10.8; Book 4, 6.3.7: what a card says beside its cryptogram.
func TestCardActionAnalysis(t *testing.T) {
	for _, c := range []struct {
		name    string
		first   byte
		second  byte
		outcome Outcome
		reason  Reason
		advice  bool
	}{
		{"Book 3, 10.8: AAC, no information", 0x00, 0, Declined, NoReason, false},
		{"Book 3, 10.8.1: AAC, service not allowed", 0x01, 0, Declined, ServiceNotAllowed, false},
		{"Book 3, 6.5.5: AAC, PIN try limit", 0x02, 0, Declined, PINTryLimit, false},
		{"Book 3, 6.5.5: AAC, issuer authentication failed", 0x03, 0, Declined, IssuerAuthFailed, false},
		{"Book 3, 6.5.5: AAC, reserved reason", 0x05, 0, Declined, Reason(5), false},
		{"Book 3, 10.8.2: AAC with advice", 0x08, 0, Declined, NoReason, true},
		{"Book 3, 10.8.2: AAC, PIN try limit, with advice", 0x0A, 0, Declined, PINTryLimit, true},
		{"Book 4, 6.3.7: ARQC with advice, then approved: captured, no advice", 0x88, 0x40, Approved, NoReason, false},
		{"Book 4, 6.3.7: ARQC with advice, then declined", 0x88, 0x00, Declined, NoReason, true},
		{"Book 4, 6.3.7: advice asked for at the end, declined", 0x80, 0x08, Declined, NoReason, true},
		{"Book 4, 6.3.7: advice asked for at the end, approved", 0x80, 0x48, Approved, NoReason, false},
		{"Book 3, 10.8.1: declined at the end, service not allowed", 0x80, 0x01, Declined, ServiceNotAllowed, false},
		{"Book 3, 6.5.5: the reason bits of a TC are none", 0x80, 0x42, Approved, NoReason, false},
		{"Book 3, 6.5.5: the payment system's bits change nothing", 0xB0, 0x70, Approved, NoReason, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch := newChip()
			ch.ca, ch.aip = "", "1C00"
			ch.first, ch.second = c.first, c.second
			s := mustStart(t, ch)
			if s.Outcome() == Online {
				if r := s.Result(); r.Advice || r.ApprovalLost || r.UnableOnline {
					t.Errorf("before the end: %+v", r)
				}
				if _, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true}); err != nil {
					t.Fatal(err)
				}
			}
			r := s.Result()
			if s.Outcome() != c.outcome || r.Reason != c.reason || r.Advice != c.advice {
				t.Errorf("outcome %d, reason %d, advice %v", s.Outcome(), r.Reason, r.Advice)
			}
		})
	}
}

// Book 4, 6.3.8, 6.5.2.2, 12.2.1: what the caller learns of the end beside the outcome.
func TestWhatTheCallerLearns(t *testing.T) {
	yes := HostAnswer{Reached: true, ARC: "00", Approved: true}
	for _, c := range []struct {
		name    string
		change  func(*chip)
		answer  HostAnswer
		outcome Outcome
		p1      byte
		arc     string
		lost    bool
		unable  bool
	}{
		{"Book 4, 6.3.8: both say yes", nil, yes, Approved, acTC, "00", false, false},
		{"Book 4, 6.3.8: the card declines what the host approved", func(c *chip) { c.second = acAAC }, yes, Declined, acTC, "00", true, false},
		{"Book 4, 6.3.8: the host declines", nil, HostAnswer{Reached: true, ARC: "51"}, Declined, acAAC, "51", false, false},
		{"Book 4, 6.3.8: capture card is a no", nil, HostAnswer{Reached: true, ARC: "04"}, Declined, acAAC, "04", false, false},
		{"Book 4, 12.2.3: an approval that cannot be read is lost", nil, HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: unhex("91")}, Declined, acAAC, "00", true, false},
		{"Book 4, 12.2.3: an approval without a code is lost", nil, HostAnswer{Reached: true, Approved: true}, Declined, acAAC, "", true, false},
		{"Book 4, 12.2.1: not reached, declined", nil, HostAnswer{}, Declined, acAAC, "Z3", false, true},
		{"Book 4, 12.2.1: not reached, approved offline", func(c *chip) { c.set[tagIACDefault] = make([]byte, 5) }, HostAnswer{}, Approved, acTC, "Y3", false, true},
		{"Book 4, 12.2.1: not reached, the card declines", func(c *chip) { c.set[tagIACDefault] = make([]byte, 5); c.second = acAAC }, HostAnswer{}, Declined, acTC, "Z3", false, true},
		{"Book 4, 6.5.2.2: referral, the attendant says yes", nil, HostAnswer{Reached: true, ARC: "01", Approved: true, Referral: true}, Approved, acTC, "01", false, false},
		{"Book 4, 6.5.2.2: referral, the attendant says no", nil, HostAnswer{Reached: true, ARC: "02", Referral: true}, Declined, acAAC, "02", false, false},
		{"Book 4, 6.5.2.2: referral, the card declines", func(c *chip) { c.second = acAAC }, HostAnswer{Reached: true, ARC: "02", Approved: true, Referral: true}, Declined, acTC, "02", true, false},
		{"Book 4, 6.5.2.2: referral with issuer authentication", func(c *chip) { c.aip = "1C00" }, HostAnswer{Reached: true, ARC: "01", Approved: true, Referral: true, ICC: unhex("9108 1122334455667788")}, Approved, acTC, "01", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, cfg := newChip(), testConfig()
			ch.ca, ch.aip = "", "1800"
			cfg.Applications[0].TACDefault = [5]byte{}
			ch.first = acARQC
			if c.change != nil {
				c.change(ch)
			}
			s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.Complete(t.Context(), c.answer)
			if err != nil {
				t.Fatal(err)
			}
			r := s.Result()
			arc, _ := s.Get(tagARC)
			if out != c.outcome || ch.gac[1].p1 != c.p1 || string(arc) != c.arc || r.ApprovalLost != c.lost || r.UnableOnline != c.unable {
				t.Errorf("outcome %d, P1 %02X, ARC %q, %+v", out, ch.gac[1].p1, arc, r)
			}
			told := c.arc
			if c.unable && c.p1 == acTC {
				told = "Y3" // what the terminal decided; the card decided otherwise
			}
			if !bytes.HasPrefix(ch.gac[1].data, []byte(told)) {
				t.Errorf("CDOL2 data begin with %X", ch.gac[1].data[:2])
			}
		})
	}
}

// Nobody can call for an unattended terminal (Book 4, 6.5.2).
func TestReferralAtAnUnattendedTerminal(t *testing.T) {
	ch, cfg := newChip(), testConfig()
	cfg.Terminal.Type = 0x25
	s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "01", Approved: true, Referral: true})
	if out != Declined || err != nil || ch.gac[1].p1 != acAAC {
		t.Errorf("outcome %d, P1 %02X, %v", out, ch.gac[1].p1, err)
	}
}

// A card that goes away between the host's yes and its own takes the approval with it.
func TestApprovalLostWithTheCard(t *testing.T) {
	for _, ins := range []string{"82", "24", "AE"} {
		t.Run("removed at "+ins, func(t *testing.T) {
			ch := newChip()
			ch.scriptSW[0x24] = 0x9000
			s := mustStart(t, ch)
			ch.fail[ins] = errors.New("reader: card removed")
			icc := append(unhex("9108 1122334455667788"), issuerScript(0x71, "", "84240000")...)
			out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: icc})
			if r := s.Result(); out != Declined || !errors.Is(err, ErrCardLost) || !r.ApprovalLost || r.UnableOnline {
				t.Errorf("outcome %d, %v", out, err)
			}
		})
	}
}

// Book 3, 10.9 and Annex A: issuer authentication data of every length, by both ways.
func TestIssuerAuthenticationData(t *testing.T) {
	for n := range 18 {
		for _, external := range []bool{true, false} {
			t.Run(fmt.Sprintf("Book 3, 10.9: %d bytes, EXTERNAL AUTHENTICATE %v", n, external), func(t *testing.T) {
				ch := newChip()
				ch.ca, ch.aip = "", "1800"
				if external {
					ch.aip = "1C00"
				}
				s := mustStart(t, ch)
				auth := bytes.Repeat([]byte{0x5A}, n)
				before := len(ch.log)
				if out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: obj(tagIssuerAuth, auth)}); out != Approved || err != nil {
					t.Fatal(out, err)
				}
				right := n >= 8 && n <= 16
				sent := strings.HasPrefix(ch.log[before], "0082")
				if want := external && right; sent != want || tsiIssuerAuth.in(s.tsi[:]) != want {
					t.Errorf("sent %v, TSI %X", sent, s.tsi)
				}
				if want := external && n > 0 && !right; tvrIssuerAuthFailed.in(s.tvr[:]) != want {
					t.Errorf("TVR %X", s.tvr)
				}
				// CDOL2 gets what there is, cut or filled to eight bytes; nothing of what was judged wrong.
				want := make([]byte, 8)
				if n > 0 && (right || !external) {
					copy(want, auth)
				}
				if got := ch.gac[1].data[2:10]; !bytes.Equal(got, want) {
					t.Errorf("91 in CDOL2: %X", got)
				}
			})
		}
	}
}

// Book 3, Annex F: whatever the card answers to EXTERNAL AUTHENTICATE, the transaction goes on.
func TestAnswersToExternalAuthenticate(t *testing.T) {
	for _, sw := range []uint16{0x9000, 0x6300, 0x6985, 0x6700, 0x6D00, 0x6A80, 0x6283, 0x63C0, 0x9001} {
		t.Run(fmt.Sprintf("Book 3, Annex F: %04X", sw), func(t *testing.T) {
			ch := newChip()
			ch.ca, ch.aip, ch.extAuth = "", "1C00", sw
			s := mustStart(t, ch)
			out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: unhex("9108 1122334455667788")})
			if out != Approved || err != nil || s.Result().IssuerAuthFail != (sw != 0x9000) || !tsiIssuerAuth.in(s.tsi[:]) {
				t.Errorf("outcome %d, %v, TVR %X, TSI %X", out, err, s.tvr, s.tsi)
			}
			if got := ch.gac[1].data; sw != 0x9000 && !bytesHave(got, s.tvr[:]) {
				t.Error("the card does not hear of it in CDOL2")
			}
		})
	}
}

// Book 3, Annex E and Book 4, 6.3.9, 12.2.4, A5: scripts one by one.
func TestScriptScenarios(t *testing.T) {
	const fine, bad = "8424000000", "04DA000000"
	for _, tag := range []uint32{0x71, 0x72} {
		before := tag == 0x71
		for _, c := range []struct {
			name    string
			scripts [][]byte
			results string
			failed  bool
			sent    int
		}{
			{"Annex E, scenario 1: all commands succeed", [][]byte{issuerScript(tag, "00000001", fine, fine)}, "2000000001", false, 2},
			{"Annex E, scenario 2: the second command fails", [][]byte{issuerScript(tag, "00000001", fine, bad, fine)}, "1200000001", true, 2},
			{"Annex E, scenario 3: it does not parse", [][]byte{obj(0x70+1, "8603842400 9F1804")}, "0000000000", true, 0},
			{"Annex E, scenario 4: no script", nil, "", false, 0},
			{"Annex E, E2: one fails, the next is processed", [][]byte{issuerScript(tag, "00000001", bad), issuerScript(tag, "00000002", fine)}, "1100000001 2000000002", true, 2},
			{"Book 4, 12.2.4: the identifier of what is not performed", [][]byte{issuerScript(tag, "0A0B0C0D", "8424")}, "000A0B0C0D", true, 0},
			{"Book 4, 12.2.4: the identifier behind what is wrong", [][]byte{obj(tlv.Tag(tag), obj(tagScriptCommand, "8424"), obj(tagScriptID, "0A0B0C0D"))}, "000A0B0C0D", true, 0},
			{"Book 4, 12.2.4: an identifier of three bytes, then one of four", [][]byte{obj(tlv.Tag(tag), obj(tagScriptID, "010203"), obj(tagScriptCommand, fine), obj(tagScriptID, "0A0B0C0D"))}, "000A0B0C0D", true, 0},
			{"Book 4, 12.2.4: an empty script", [][]byte{obj(tlv.Tag(tag))}, "0000000000", true, 0},
			{"Book 4, A5: the fifteenth command fails", [][]byte{issuerScript(tag, "00000001", append(strings.Split(strings.Repeat(fine+",", 14), ",")[:14], bad)...)}, "1F00000001", true, 15},
			{"Book 4, A5: the fourteenth command fails", [][]byte{issuerScript(tag, "00000001", append(strings.Split(strings.Repeat(fine+",", 13), ",")[:13], bad)...)}, "1E00000001", true, 14},
			{"Book 4, A5: three scripts", [][]byte{issuerScript(tag, "00000001", fine), issuerScript(tag, "00000002", fine), issuerScript(tag, "", fine)}, "2000000001 2000000002 2000000000", false, 3},
			{"Book 3, 10.10: a command that the terminal does not know", [][]byte{issuerScript(tag, "", "84EE0102 03 AABBCC 00")}, "1100000000", true, 1},
			{"Book 3, 10.10: other objects in the script are passed over", [][]byte{obj(tlv.Tag(tag), obj(0xDF01, "01"), obj(tagScriptCommand, fine))}, "2000000000", false, 1},
			{"Book 3, 10.10: a command of 261 bytes", [][]byte{issuerScript(tag, "", "84240000 FF"+strings.Repeat("00", 256))}, "2000000000", false, 1},
			{"Book 3, 10.10: a command of 262 bytes", [][]byte{issuerScript(tag, "", "84240000 FF"+strings.Repeat("00", 257))}, "0000000000", true, 0},
			{"Book 4, 6.3.9: 128 bytes", [][]byte{issuerScript(tag, "", "84240000 79"+strings.Repeat("00", 119))}, "2000000000", false, 1},
		} {
			t.Run(fmt.Sprintf("%02X, %s", tag, c.name), func(t *testing.T) {
				ch := newChip()
				ch.ca, ch.aip = "", "1800"
				ch.scriptSW[0x24], ch.scriptSW[0xDA] = 0x9000, 0x6985
				s := mustStart(t, ch)
				n := len(ch.log)
				scripts := bytes.Join(c.scripts, nil)
				if len(scripts) > 0 && strings.Contains(c.name, "scenario 3") {
					scripts[0] = byte(tag)
				}
				out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: scripts})
				if out != Approved || err != nil {
					t.Fatal(out, err)
				}
				log := ch.log[n:]
				gac := 0
				for i, l := range log {
					if strings.HasPrefix(l, "80ae") {
						gac = i
					}
				}
				if before && gac != c.sent || !before && len(log)-gac-1 != c.sent {
					t.Errorf("commands %v", log)
				}
				r := s.Result()
				if !bytes.Equal(r.ScriptResults, unhex(c.results)) || tsiScript.in(r.TSI[:]) != (c.results != "") ||
					tvrScriptBefore.in(r.TVR[:]) != (c.failed && before) || tvrScriptAfter.in(r.TVR[:]) != (c.failed && !before) {
					t.Errorf("results %X, TVR %X, TSI %X", r.ScriptResults, r.TVR, r.TSI)
				}
				for _, tag := range []tlv.Tag{tagScriptResults, tagScriptResultsEMV} {
					if v, ok := s.Get(tag); ok != (c.results != "") || !bytes.Equal(v, unhex(c.results)) {
						t.Errorf("%X = %X", uint32(tag), v)
					}
				}
			})
		}
	}
}

// Book 4, 12.2.4, script length error: what goes beyond the terminal's limit is not performed, what stands before it is.
func TestScriptLengthLimit(t *testing.T) {
	long := func(tag uint32, id string, n int) []byte {
		return issuerScript(tag, id, "84240000"+fmt.Sprintf("%02X", n)+strings.Repeat("00", n))
	}
	for _, c := range []struct {
		name    string
		limit   int
		scripts [][]byte
		results string
	}{
		{"at the limit", 128, [][]byte{long(0x72, "00000001", 112)}, "2000000001"},
		{"one byte beyond", 128, [][]byte{long(0x72, "00000001", 113)}, "0000000001"},
		{"together beyond", 128, [][]byte{long(0x72, "00000001", 50), long(0x72, "00000002", 50), long(0x72, "00000003", 10)}, "2000000001 0000000002 0000000003"},
		{"before and after count together", 128, [][]byte{long(0x71, "00000001", 50), long(0x72, "00000002", 50)}, "2000000001 0000000002"},
		{"a larger limit", 200, [][]byte{long(0x72, "00000001", 50), long(0x72, "00000002", 50)}, "2000000001 2000000002"},
		{
			"the usual limit", 0,
			[][]byte{long(0x72, "00000001", 200), long(0x72, "00000002", 200), long(0x72, "00000003", 200), long(0x72, "00000004", 200), long(0x72, "00000005", 200)},
			"2000000001 2000000002 2000000003 2000000004 0000000005",
		},
	} {
		t.Run("Book 4, 12.2.4: "+c.name, func(t *testing.T) {
			ch, cfg := newChip(), testConfig()
			ch.ca, ch.aip = "", "1800"
			ch.scriptSW[0x24] = 0x9000
			cfg.Terminal.ScriptLimit = c.limit
			s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
			if err != nil {
				t.Fatal(err)
			}
			if c.name == "at the limit" && len(c.scripts[0]) != 128 {
				t.Fatal(len(c.scripts[0]))
			}
			if _, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: bytes.Join(c.scripts, nil)}); err != nil {
				t.Fatal(err)
			}
			if r := s.Result(); !bytes.Equal(r.ScriptResults, unhex(c.results)) {
				t.Errorf("results %X", r.ScriptResults)
			}
		})
	}
}
