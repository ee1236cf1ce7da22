package kernel3

import (
	"bytes"
	"strings"
	"testing"

	"posd/emv"
	"posd/emv/contactless"
)

const (
	arpc     = "9108 1122334455667788"
	script71 = "7112 9F180400000001 8609841E000004AABBCCDD"
	script72 = "720B 8609842400000411223344"
)

// second is a second tap with the issuer's answer.
func second(icc string, change ...func(*try)) *try {
	return newTry(append([]func(*try){func(y *try) {
		y.a.Host = &emv.HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: unhex(icc)}
	}}, change...)...)
}

// Chapter 6: what the card hears on the second tap, and what comes of it.
func TestIssuerUpdateClauses(t *testing.T) {
	const auth = "0082000008 1122334455667788"
	const c71, c72 = "841E000004AABBCCDD", "842400000411223344"
	for _, c := range []struct {
		name    string
		icc     string
		change  func(*try)
		sent    []string
		results string
		ui      int
	}{
		{"6.2.1.1: issuer authentication data", arpc, func(*try) {}, []string{auth}, "", 1},
		{"6.2.1.1: the card's answer does not count", arpc + script72, func(y *try) { y.status[0x82] = 0x6300 }, []string{auth, c72}, "2000000000", 1},
		{"6.2.1.1: an error of the card neither", arpc + script72, func(y *try) { y.status[0x82] = 0x6985 }, []string{auth, c72}, "2000000000", 1},
		{"6.2.1.2: scripts without authentication data", script71, func(*try) {}, []string{c71}, "2000000001", 1},
		{"6.2.1.2: scripts in the order of the message", script72 + script71, func(*try) {}, []string{c72, c71}, "2000000000 2000000001", 1},
		{"6.2.1.2: both kinds with authentication data", arpc + script71 + script72, func(*try) {}, []string{auth, c71, c72}, "2000000001 2000000000", 1},
		{"6.2.1.2: authentication data behind the scripts goes first", script72 + arpc, func(*try) {}, []string{auth, c72}, "2000000000", 1},
		{"6.2.1.2: a warning goes on", script71, func(y *try) { y.status[0x1E] = 0x6281 }, []string{c71}, "2000000001", 1},
		{"6.2.1.2: a command that fails ends its script", "7116 8609841E000004AABBCCDD 8609842400000411223344", func(y *try) { y.status[0x1E] = 0x6985 }, []string{c71}, "1100000000", 1},
		{"6.2.1.2: the second command fails", "7116 8609841E000004AABBCCDD 8609842400000411223344", func(y *try) { y.status[0x24] = 0x6A80 }, []string{c71, c72}, "1200000000", 1},
		{"6.2.1.2: the next script is still performed", script71 + script72, func(y *try) { y.status[0x1E] = 0x6985 }, []string{c71, c72}, "1100000001 2000000000", 1},
		{"Book 3, annex E: a script with a broken coding is not performed", "7107 8609841E000004", func(*try) {}, nil, "0000000000", 1},
		{"Book 3, annex E: a script without command is not performed", "7107 9F180400000009", func(*try) {}, nil, "0000000009", 1},
		{"Book 3, annex E: a command of three bytes is none", "7105 8603841E00", func(*try) {}, nil, "0000000000", 1},
		{"Book 3, annex E: an identifier of three bytes", "710D 9F1803000001 8605841E000000", func(*try) {}, nil, "0000000000", 1},
		{"6.1: no data for the card", "8A023030", func(*try) {}, nil, "", 0},
		{"6.1: an empty answer", "", func(*try) {}, nil, "", 0},
		{"6.1: the issuer was not reached", arpc, func(y *try) { y.a.Host.Reached = false }, nil, "", 0},
		{"6.1: the reader has no issuer update", arpc, ttq("36004000"), nil, "", 0},
		{"6.1: an answer that cannot be read", arpc + "7140", func(*try) {}, nil, "", 0},
		{"6.1: authentication data of seven bytes", "9107 11223344556677", func(*try) {}, nil, "", 0},
		{"6.1: authentication data of seventeen bytes", "9111" + strings.Repeat("11", 17), func(*try) {}, nil, "", 0},
		{"6.1: authentication data twice", arpc + arpc, func(*try) {}, nil, "", 0},
		{"Book 4, 6.3.9: more scripts than a terminal takes", strings.Repeat("7281C0"+"86040000000000"+strings.Repeat("00", 185), 6), func(*try) {}, nil, "", 0},
		{"6.2: the card goes at EXTERNAL AUTHENTICATE", arpc + script71, func(y *try) { y.dieAt = 1 }, []string{auth}, "0000000001", 0},
		{"6.2: the card goes at the first command", arpc + script71 + script72, func(y *try) { y.dieAt = 2 }, []string{auth, c71}, "1100000001 0000000000", 0},
		{"6.2: the card goes at the last command", arpc + script71 + script72, func(y *try) { y.dieAt = 3 }, []string{auth, c71, c72}, "2000000001 1100000000", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := second(c.icc, c.change)
			o := y.run(t)
			if brief(o) != "4 0 0 -" || o.DataRecord != nil || len(y.ui) != c.ui {
				t.Errorf("outcome %s, %d messages", brief(o), len(y.ui))
			}
			if len(y.log) != len(c.sent) {
				t.Fatalf("%d commands, not %d: %X", len(y.log), len(c.sent), y.log)
			}
			for i, s := range c.sent {
				if !bytes.Equal(y.log[i], unhex(s)) {
					t.Errorf("command %d: %X, want %s", i+1, y.log[i], s)
				}
			}
			var want []byte
			if c.results != "" {
				want = obj(tagScriptResults, c.results)
				if v, ok := o.Objects.Get(tagScriptResults); !ok || !bytes.Equal(v, unhex(c.results)) {
					t.Errorf("results %X", v)
				}
			}
			if !bytes.Equal(o.Discretionary, want) {
				t.Errorf("discretionary data %X, want %X", o.Discretionary, want)
			}
		})
	}
}

// 6.2: commands behind the fifteenth are reported as the fifteenth (Book 4, A5).
func TestScriptOfManyCommands(t *testing.T) {
	y := second("727E"+strings.Repeat("8605841E000000", 18), func(y *try) {})
	y.dieAt = 17
	if o := y.run(t); !bytes.Equal(o.Discretionary, unhex("9F5B051F00000000")) || len(y.log) != 17 {
		t.Errorf("%X after %d commands", o.Discretionary, len(y.log))
	}
}

// Invariant: the second tap asks the card for no cryptogram and reads no record.
func TestIssuerUpdateAsksForNothing(t *testing.T) {
	y := second(arpc + script71)
	if o := y.run(t); o.Status != contactless.EndApplication {
		t.Error(brief(o))
	}
	for _, c := range y.log {
		if c[1] == 0xA8 || c[1] == 0xAE || c[1] == 0xB2 {
			t.Errorf("command %02X", c[1])
		}
	}
}
