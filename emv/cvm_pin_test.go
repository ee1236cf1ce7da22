package emv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// pinHolder is a cardholder with a list of what happens at the PIN pad; it notes what it was asked.
type pinHolder struct {
	person
	answers []OfflinePINAnswer
	err     error
	asks    []string
	ciphers []*PINCipher
}

func (p *pinHolder) OfflinePIN(_ context.Context, r OfflinePINRequest) (OfflinePINAnswer, error) {
	ask := fmt.Sprint(r.Tries)
	if r.Again {
		ask += "a"
	}
	if r.Cipher != nil {
		ask += "e"
		c := *r.Cipher
		p.ciphers = append(p.ciphers, &c)
	}
	p.asks = append(p.asks, ask)
	if len(p.answers) == 0 {
		return OfflinePINAnswer{}, p.err
	}
	a := p.answers[0]
	p.answers = p.answers[1:]
	return a, nil
}

func entered(sw uint16) OfflinePINAnswer { return OfflinePINAnswer{Outcome: PINEntered, SW: sw} }

var (
	bypassed  = OfflinePINAnswer{Outcome: PINBypassed, SW: 0x9000} // the status of a PIN that nobody entered must not count
	padFailed = OfflinePINAnswer{Outcome: PINPadFailed, SW: 0x9000}
)

// loaded is a session that has read the records of c and goes on with card.
func loaded(t testing.TB, c *chip, card Card, p Cardholder, caps byte) *Session {
	t.Helper()
	cfg := testConfig()
	if caps != 0 {
		cfg.Terminal.Capabilities[1] = caps
	}
	s, err := New(cfg).newSession(card, testRequest(), p)
	if err != nil {
		t.Fatal(err)
	}
	s.reset(&s.k.cfg.Applications[0])
	s.rid = testRID[:]
	if !c.built {
		c.build()
	}
	s.aip = [2]byte(unhex(c.aip))
	s.icc.Set(tagAIP, unhex(c.aip))
	for i := 0; i < len(c.afl); i += 4 {
		for n := c.afl[i+1]; n <= c.afl[i+2]; n++ {
			if err := s.takeRecord(c.afl[i]>>3, obj(tagRecord, c.records[[2]byte{c.afl[i] >> 3, n}]), n < c.afl[i+1]+c.afl[i+3]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.checkRecords(); err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	getTries     = "80CA9F1700"
	getChallenge = "0084000000"
	challenge    = "1122334455667788"
)

func TestOfflinePINClauses(t *testing.T) {
	const (
		none     = "0000000000000000"
		all      = 0xF8 // 9F33 byte 2: both offline PINs, online PIN, signature, no CVM
		plain    = 0xA8 // plaintext PIN, signature, no CVM
		cipher   = 0x38 // enciphered PIN, signature, no CVM
		noSign   = 0xD8 // all but signature
		failed   = 0x80
		limit    = 0x20
		noPad    = 0x10
		noEntry  = 0x08
		online   = 0x04
		signed   = true
		unsigned = false
	)
	tries := func(n string) [2]string { return [2]string{getTries, "9F1701" + n + "9000"} }
	chal := [2]string{getChallenge, challenge + "9000"}
	type pairs = [][2]string
	type answers = []OfflinePINAnswer
	chip := newChip()
	chip.build()
	for _, c := range []struct {
		name    string
		caps    byte
		list    string
		card    pairs
		holder  answers
		asks    string // tries left, a for again, e for enciphered
		results string
		tvr3    byte
		sign    bool
		err     error
	}{
		{"Book 3, 10.5.1: plaintext PIN, right", all, "0100", pairs{tries("03")}, answers{entered(0x9000)}, "3", "010002", 0, unsigned, nil},
		{"Book 3, 10.5.1: enciphered PIN, right", all, "0400", pairs{tries("03"), chal}, answers{entered(0x9000)}, "3e", "040002", 0, unsigned, nil},
		{"Book 3, 10.5: a method that succeeds ends the list", all, "4100 4400 0200", pairs{tries("03")}, answers{entered(0x9000)}, "3", "410002", 0, unsigned, nil},
		{"Book 3, 10.5: condition 03 with plaintext PIN", plain, "4103 1F00", pairs{tries("03")}, answers{entered(0x9000)}, "3", "410302", 0, unsigned, nil},
		{"Book 3, 10.5: condition 03 with enciphered PIN", cipher, "4403 1F00", pairs{tries("03"), chal}, answers{entered(0x9000)}, "3e", "440302", 0, unsigned, nil},

		{"Book 3, 10.5.4: plaintext PIN and signature", all, "0300", pairs{tries("03")}, answers{entered(0x9000)}, "3", "030000", 0, signed, nil},
		{"Book 3, 10.5.4: enciphered PIN and signature", all, "0500", pairs{tries("03"), chal}, answers{entered(0x9000)}, "3e", "050000", 0, signed, nil},
		{"Book 3, 10.5.4: the PIN of a combination fails, end", all, "0300 1F00", pairs{tries("01")}, answers{entered(0x63C0)}, "1", "030001", limit | failed, unsigned, nil},
		{"Book 3, 10.5.4: the PIN of a combination fails, next", all, "4300 1F00", pairs{tries("01")}, answers{entered(0x63C0)}, "1", "1F0002", limit, unsigned, nil},
		{"Book 3, 10.5.4: the enciphered PIN of a combination bypassed, next signature", all, "4500 1E00", pairs{tries("03"), chal}, answers{bypassed}, "3e", "1E0000", noEntry, signed, nil},
		{"Book 4, 6.3.4: a combination needs both: no signature", noSign, "4300 1F00", nil, nil, "", "1F0002", 0, unsigned, nil},
		{"Book 4, 6.3.4: a combination needs both: condition 03 without signature", noSign, "4303 4503 1F00", nil, nil, "", "1F0002", 0, unsigned, nil},
		{"Book 4, 6.3.4: a combination needs both: no enciphered PIN", plain, "4500 1F00", nil, nil, "", "1F0002", 0, unsigned, nil},

		{"Book 3, 10.5: neither offline PIN supported", 0x68, "4100 1F00", nil, nil, "", "1F0002", noPad, unsigned, nil},
		{"Book 3, 10.5: the other offline PIN supported: there is a PIN pad", plain, "4400 1F00", nil, nil, "", "1F0002", 0, unsigned, nil},
		{"Book 3, 10.5: the other offline PIN supported, end", cipher, "0100 1F00", nil, nil, "", "3F0001", failed, unsigned, nil},
		{"Book 3, 10.5: the other offline PIN, condition 03", cipher, "4103 0403", pairs{tries("02"), chal}, answers{entered(0x9000)}, "2e", "040302", 0, unsigned, nil},

		{"Book 4, 6.3.4.1: counter not retrievable, 6A88", all, "0100", pairs{{getTries, "6A88"}}, answers{entered(0x9000)}, "-1", "010002", 0, unsigned, nil},
		{"Book 4, 6.3.4.1: GET DATA not supported, 6D00", all, "0100", pairs{{getTries, "6D00"}}, answers{entered(0x9000)}, "-1", "010002", 0, unsigned, nil},
		{"Book 3, 6.3.5: GET DATA with any other error, 6400", all, "0100", pairs{{getTries, "6400"}}, answers{entered(0x9000)}, "-1", "010002", 0, unsigned, nil},
		{"Book 3, 6.5.7: counter without tag and length", all, "0100", pairs{{getTries, "03 9000"}}, answers{entered(0x9000)}, "-1", "010002", 0, unsigned, nil},
		{"Book 3, 6.5.7: another object", all, "0100", pairs{{getTries, "9F360103 9000"}}, answers{entered(0x9000)}, "-1", "010002", 0, unsigned, nil},
		{"Book 3, 6.5.7: counter of two bytes", all, "0100", pairs{{getTries, "9F17020000 9000"}}, answers{entered(0x9000)}, "-1", "010002", 0, unsigned, nil},
		{"Book 3, 6.5.7: no data", all, "0100", pairs{{getTries, "9000"}}, answers{entered(0x9000)}, "-1", "010002", 0, unsigned, nil},
		{"Book 4, 6.3.4.1: counter 0, nobody is asked, end", all, "0100", pairs{tries("00")}, nil, "", "010001", limit | failed, unsigned, nil},
		{"Book 4, 6.3.4.1: counter 0, next", all, "4100 1E00", pairs{tries("00")}, nil, "", "1E0000", limit, signed, nil},
		{"Book 4, 6.3.4.1: counter 0, enciphered, no challenge is taken", all, "4400 1E00", pairs{tries("00")}, nil, "", "1E0000", limit, signed, nil},
		{"Book 4, 6.3.4.2: the PIN try limit does not forbid the online PIN", all, "4100 0200", pairs{tries("00")}, nil, "", "020000", limit | online, unsigned, nil},
		{"Book 4, 6.3.4.1: the last try", all, "0100", pairs{tries("01")}, answers{entered(0x9000)}, "1", "010002", 0, unsigned, nil},

		{"Book 3, 10.5.1: wrong, then right", all, "0100", pairs{tries("03")}, answers{entered(0x63C2), entered(0x9000)}, "3 2a", "010002", 0, unsigned, nil},
		{"Book 3, 10.5.1: wrong until no try is left", all, "0100", pairs{tries("03")}, answers{entered(0x63C2), entered(0x63C1), entered(0x63C0)}, "3 2a 1a", "010001", limit | failed, unsigned, nil},
		{"Book 3, 10.5.1: no try is left, next", all, "4100 1E00", pairs{tries("01")}, answers{entered(0x63C0)}, "1", "1E0000", limit, signed, nil},
		{"Book 3, 10.5.1: wrong, the counter was not known", all, "0100", pairs{{getTries, "6A88"}}, answers{entered(0x63C1), entered(0x9000)}, "-1 1a", "010002", 0, unsigned, nil},
		{"Book 2, 7.2: each try takes a challenge of its own", all, "0400", pairs{tries("03"), chal, {getChallenge, "A1A2A3A4A5A6A7A8 9000"}}, answers{entered(0x63C2), entered(0x9000)}, "3e 2ae", "040002", 0, unsigned, nil},
		{"Book 3, 10.5.1: blocked at the first VERIFY, 6983", all, "0100", pairs{{getTries, "6A88"}}, answers{entered(0x6983)}, "-1", "010001", limit | failed, unsigned, nil},
		{"Book 3, 10.5.1: blocked at the first VERIFY, 6984, next", all, "4100 1F00", pairs{{getTries, "6A88"}}, answers{entered(0x6984)}, "-1", "1F0002", limit, unsigned, nil},
		{"Book 3, 10.5.1: blocked at the second VERIFY", all, "0100", pairs{tries("03")}, answers{entered(0x63C2), entered(0x6983)}, "3 2a", "010001", limit | failed, unsigned, nil},
		{"Book 2, 7.2: the card could not recover the block, 6984, then the PIN in the clear", all, "4400 0100", pairs{{getTries, "6A88"}, chal, {getTries, "6A88"}}, answers{entered(0x6984), entered(0x9000)}, "-1e -1", "010002", limit, unsigned, nil},
		{"Book 3, 6.5.12.5: after 63C0 no other rule asks for a PIN that the card will not take", all, "4100 4400 1F00", pairs{{getTries, "6A88"}}, answers{entered(0x63C0)}, "-1", "1F0002", limit, unsigned, nil},
		{"Book 3, 8.1: any other status of VERIFY ends the transaction, 6A80", all, "4100 1F00", pairs{tries("03")}, answers{entered(0x6A80)}, "3", "", 0, unsigned, ErrBadCard},
		{"Book 3, 10.5.1: 9001 is not 9000", all, "4100 1F00", pairs{tries("03")}, answers{entered(0x9001)}, "3", "", 0, unsigned, ErrBadCard},
		{"Book 3, 8.1: 6300 without a counter ends the transaction", all, "4100 1F00", pairs{tries("03")}, answers{entered(0x6300)}, "3", "", 0, unsigned, ErrBadCard},
		{"Book 3, 8.1: 6985 ends the transaction", all, "4100 1F00", pairs{tries("03")}, answers{entered(0x6985)}, "3", "", 0, unsigned, ErrBadCard},
		{"Book 3, 8.1: 6283 is no answer to VERIFY", all, "4100 1F00", pairs{tries("03")}, answers{entered(0x6283)}, "3", "", 0, unsigned, ErrBadCard},
		{"Book 3, 8.1: a status of no bytes", all, "4100 1F00", pairs{tries("03")}, answers{entered(0)}, "3", "", 0, unsigned, ErrBadCard},

		{"Book 3, 10.5.1: bypassed, end", all, "0100 1F00", pairs{tries("03")}, answers{bypassed}, "3", "010001", noEntry | failed, unsigned, nil},
		{"Book 3, 10.5.1: bypassed, next", all, "4100 1E00", pairs{tries("03")}, answers{bypassed}, "3", "1E0000", noEntry, signed, nil},
		{"Book 4, 6.3.4.3: bypassed is bypassed for every other PIN", all, "4100 4400 4200 4300 1E00", pairs{tries("03")}, answers{bypassed}, "3", "1E0000", noEntry, signed, nil},
		{"Book 4, 6.3.4.3: bypassed after a wrong PIN sets no try limit", all, "4100 1E00", pairs{tries("02")}, answers{entered(0x63C1), bypassed}, "2 1a", "1E0000", noEntry, signed, nil},
		{"Book 4, 6.3.4.5: bypassed, and no later rule is performed", all, "4100 1F01 2000", pairs{tries("03")}, answers{bypassed}, "3", "410001", noEntry | 0x40 | failed, unsigned, nil},
		{"Book 3, 10.5.1: PIN pad broken, end", all, "0100", pairs{tries("03")}, answers{padFailed}, "3", "010001", noPad | failed, unsigned, nil},
		{"Book 3, 10.5.1: PIN pad broken, next", all, "4400 1E00", pairs{tries("03"), chal}, answers{padFailed}, "3e", "1E0000", noPad, signed, nil},
		{"Book 3, 10.5.1: PIN pad breaks after a wrong PIN", all, "4100 1E00", pairs{tries("03")}, answers{entered(0x63C2), padFailed}, "3 2a", "1E0000", noPad, signed, nil},

		{"Book 2, 7.2: GET CHALLENGE of seven bytes", all, "4400 1E00", pairs{tries("03"), {getChallenge, "11223344556677 9000"}}, nil, "", "1E0000", 0, signed, nil},
		{"Book 2, 7.2: GET CHALLENGE of nine bytes", all, "0400 1E00", pairs{tries("03"), {getChallenge, "112233445566778899 9000"}}, nil, "", "040001", failed, unsigned, nil},
		{"Book 2, 7.2: GET CHALLENGE without data", all, "4400 1E00", pairs{tries("03"), {getChallenge, "9000"}}, nil, "", "1E0000", 0, signed, nil},
		{"Book 2, 7.2: GET CHALLENGE not supported", all, "4400 1E00", pairs{tries("03"), {getChallenge, "6D00"}}, nil, "", "1E0000", 0, signed, nil},
		{"Book 2, 7.2: GET CHALLENGE with data and a warning", all, "4400 1E00", pairs{tries("03"), {getChallenge, challenge + "6283"}}, nil, "", "1E0000", 0, signed, nil},
		{"Book 2, 7.2: the second GET CHALLENGE fails", all, "4400 1E00", pairs{tries("03"), chal, {getChallenge, "6985"}}, answers{entered(0x63C2)}, "3e", "1E0000", 0, signed, nil},
		{"an answer of one byte to GET DATA", all, "4100 1F00", pairs{{getTries, "90"}}, nil, "", "", 0, unsigned, ErrBadCard},
		{"an answer of one byte to GET CHALLENGE", all, "4400 1F00", pairs{tries("03"), {getChallenge, "90"}}, nil, "", "", 0, unsigned, ErrBadCard},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := script(t, c.card...)
			p := &pinHolder{answers: c.holder, err: errors.New("asked once too often")}
			s := loaded(t, chip, card, p, c.caps)
			s.icc.Set(tagCVMList, unhex(none+c.list))
			err := s.verifyCardholder(t.Context())
			card.done()
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if got := strings.Join(p.asks, " "); got != c.asks || len(p.answers) != 0 {
				t.Errorf("asked %q, want %q; %d answers left", got, c.asks, len(p.answers))
			}
			if err != nil {
				var e *Error
				if !errors.As(err, &e) || e.Step != StepCVM {
					t.Errorf("%v", err)
				}
				return
			}
			if s.cvm != [3]byte(unhex(c.results)) || s.tvr[2] != c.tvr3 || s.signature != c.sign || !tsiCVM.in(s.tsi[:]) {
				t.Errorf("results %X, TVR byte 3 %02X, signature %v; want %s, %02X, %v", s.cvm, s.tvr[2], s.signature, c.results, c.tvr3, c.sign)
			}
			if tvrDataMissing.in(s.tvr[:]) {
				t.Error("TVR: data missing")
			}
		})
	}
}

// A card that always counts one try more must not keep a cardholder at the pad for ever.
func TestPINTriesThatNeverEnd(t *testing.T) {
	p := &pinHolder{}
	for range maxPINEntries {
		p.answers = append(p.answers, entered(0x63C3))
	}
	s := loaded(t, newChip(), script(t, [2]string{getTries, "9F1701039000"}), p, 0xF8)
	s.icc.Set(tagCVMList, unhex("0000000000000000 0100"))
	if err := s.verifyCardholder(t.Context()); !errors.Is(err, ErrBadCard) || len(p.asks) != maxPINEntries {
		t.Errorf("%v after %d entries", err, len(p.asks))
	}
}

func TestOfflinePINEndsTheTransaction(t *testing.T) {
	gone := errors.New("reader: card removed")
	for _, c := range []struct {
		name string
		err  error
	}{
		{"cancel key", fmt.Errorf("%w: pad", ErrCancelled)},
		{"card gone during VERIFY", fmt.Errorf("%w: %w", ErrCardLost, gone)},
		{"context", context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &pinHolder{err: c.err}
			s := loaded(t, newChip(), script(t, [2]string{getTries, "6A88"}), p, 0xF8)
			s.icc.Set(tagCVMList, unhex("0000000000000000 4100 1F00"))
			err := s.verifyCardholder(t.Context())
			var e *Error
			if !errors.Is(err, c.err) || !errors.As(err, &e) || e.Step != StepCVM || s.cvm[2] == cvmSuccessful {
				t.Errorf("%v, results %X", err, s.cvm)
			}
		})
	}
	for n := range 2 { // the card goes away at GET DATA, at GET CHALLENGE
		left := n
		card := transceiver(func() ([]byte, error) {
			if left--; left < 0 {
				return nil, gone
			}
			return unhex("6A88"), nil
		})
		s := loaded(t, newChip(), card, &pinHolder{}, 0xF8)
		s.icc.Set(tagCVMList, unhex("0000000000000000 4400 1F00"))
		if err := s.verifyCardholder(t.Context()); !errors.Is(err, ErrCardLost) || !errors.Is(err, gone) {
			t.Errorf("card lost at command %d: %v", n, err)
		}
	}
}

// transceiver is a card that does not look at the command.
type transceiver func() ([]byte, error)

func (f transceiver) Transceive(context.Context, []byte) ([]byte, error) { return f() }

// FuzzOfflinePIN walks arbitrary CVM Lists with a card and a PIN pad that answer what they like: it must end, and nobody is verified
// by a PIN unless the card has said 9000 to one that was entered.
func FuzzOfflinePIN(f *testing.F) {
	f.Add(unhex("41004400 1F00"), unhex("9F1701039000"), unhex(challenge+"9000"), unhex("0063C2 009000"), byte(0xF8))
	f.Add(unhex("4300 4500 1E00"), unhex("6A88"), unhex("6D00"), unhex("016983 0063C0 026300"), byte(0xB8))
	f.Add(unhex("0100"), unhex("9F1701009000"), []byte(nil), unhex("009000"), byte(0xF8))
	c := newChip()
	c.build()
	f.Fuzz(func(t *testing.T, rules, tries, chal, pad []byte, caps byte) {
		card := cardFunc(func(capdu []byte) []byte {
			if capdu[1] == 0xCA {
				return tries
			}
			return chal
		})
		p := &fuzzPad{script: pad}
		s := loaded(t, c, card, p, caps)
		s.icc.Set(tagCVMList, append(make([]byte, 8), rules...))
		err := s.verifyCardholder(t.Context())
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Step != StepCVM) {
			t.Fatal(err)
		}
		if p.asks > maxPINEntries*(len(rules)/2+1) {
			t.Fatalf("asked %d times", p.asks)
		}
		switch s.cvm[0] & 0x3F {
		case cvmPlainPIN, cvmEncipheredPIN:
			if (s.cvm[2] == cvmSuccessful) != (err == nil && p.last == entered(0x9000)) {
				t.Fatalf("results %X, the pad's last word %v, %v", s.cvm, p.last, err)
			}
		case cvmPlainPINSign, cvmEncipheredPINSign:
			if s.signature != (err == nil && p.last == entered(0x9000)) || s.cvm[2] == cvmSuccessful {
				t.Fatalf("results %X, signature %v, the pad's last word %v, %v", s.cvm, s.signature, p.last, err)
			}
		}
	})
}

// fuzzPad takes its answers from a tape: one byte of outcome, two of status.
type fuzzPad struct {
	person
	script []byte
	asks   int
	last   OfflinePINAnswer
}

func (p *fuzzPad) OfflinePIN(context.Context, OfflinePINRequest) (OfflinePINAnswer, error) {
	p.asks++
	p.last = OfflinePINAnswer{Outcome: PINPadFailed}
	if len(p.script) >= 3 {
		p.last = OfflinePINAnswer{Outcome: PINOutcome(p.script[0]), SW: uint16(p.script[1])<<8 | uint16(p.script[2])}
		p.script = p.script[3:]
	}
	return p.last, nil
}
