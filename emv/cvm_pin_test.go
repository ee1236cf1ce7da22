package emv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"posd/emv/tlv"
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

// withPINKey gives a chip a key for PIN encipherment, in records that are not signed.
func withPINKey(c *chip, name string, head func([]byte), wreck func([]byte), more ...[]byte) *chip {
	c.build()
	key, issuer := keys()[name], keys()[c.issuer]
	h := append([]byte{0x04}, unhex(testPAN+"FFFF 1230 000003 01 01")...)
	h = append(h, byte(len(key.modulus)), byte(len(key.exp)))
	if head != nil {
		head(h)
	}
	cert, rest := issuer.certificate(h, key, len(issuer.modulus)-42, wreck, more...)
	r2 := tlv.Append(nil, tagPINExp, key.exp)
	if rest != nil {
		r2 = tlv.Append(r2, tagPINRest, rest)
	}
	c.records[[2]byte{4, 1}], c.records[[2]byte{4, 2}] = tlv.Append(nil, tagPINCert, cert), r2
	c.afl = append(c.afl, unhex("20010200")...)
	return c
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
			s := loaded(t, newChip(), card, p, c.caps)
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

func TestPINKeyClauses(t *testing.T) {
	at := func(i int, v byte) func([]byte) { return func(b []byte) { b[i] = v } }
	plain := func(change func(*chip)) func() *chip {
		return func() *chip { c := newChip(); change(c); return c }
	}
	own := func(head, wreck func([]byte), more ...[]byte) func() *chip {
		return func() *chip { return withPINKey(newChip(), "icc768", head, wreck, more...) }
	}
	for _, c := range []struct {
		name string
		chip func() *chip
		key  string // "" when recovery fails
		oda  bool   // offline data authentication has been there before
	}{
		{"7.1 case 1: a key for the PIN", own(nil, nil), "icc768", true},
		{"7.1 case 1: without offline data authentication", own(nil, nil), "icc768", false},
		{"7.1 case 1: with a remainder", func() *chip {
			c := newChip()
			c.issuer, c.icc = "issuer1024", ""
			return withPINKey(c, "icc768", nil, nil)
		}, "icc768", true},
		{"7.1 case 1: remainder lost", func() *chip {
			c := newChip()
			c.issuer, c.icc = "issuer1024", ""
			withPINKey(c, "icc768", nil, nil)
			c.records[[2]byte{4, 2}] = tlv.Append(nil, tagPINExp, keys()["icc768"].exp)
			return c
		}, "", true},
		{"7.1: the static data are not part of the hash", own(nil, nil, []byte{0x5A}), "", true},
		{"6.4 step 2: the trailer is not BC", own(nil, func(b []byte) { b[len(b)-1] = 0xCC }), "", true},
		{"6.4 step 3: the header is not 6A", own(nil, at(0, 0x6B)), "", true},
		{"6.4 step 4: the format is not 04", own(at(0, 0x02), nil), "", true},
		{"6.4 step 7: the hash differs", own(nil, at(40, 0x00)), "", true},
		{"6.4 step 8: the certificate of another card", own(at(8, 0x06), nil), "", true},
		{"6.4 step 9: the certificate has expired", own(func(b []byte) { b[11], b[12] = 0x12, 0x25 }, nil), "", true},
		{"6.4 step 6: another hash algorithm", own(at(16, 0x02), nil), "", true},
		{"6.4 step 10: another public key algorithm", own(at(17, 0x02), nil), "", true},
		{"6.4: the certificate is a byte short", func() *chip {
			c := withPINKey(newChip(), "icc768", nil, nil)
			r := c.records[[2]byte{4, 1}]
			o, _ := tlv.One(r)
			c.records[[2]byte{4, 1}] = tlv.Append(nil, tagPINCert, o.Value[1:])
			return c
		}, "", true},
		{"7.1 case 2: a PIN certificate without exponent leaves the card's own key", func() *chip {
			c := withPINKey(newChip(), "icc768", nil, nil)
			c.records[[2]byte{4, 2}] = nil
			return c
		}, "icc1408", true},
		{"7.1 case 2: the card's own key after authentication", plain(func(*chip) {}), "icc1408", true},
		{"7.1 case 2: the card's own key, authentication not performed", plain(func(*chip) {}), "icc1408", false},
		{"7.1 case 2: the card's own key is not good", plain(func(c *chip) { c.wreck["icc"] = at(30, 0) }), "", true},
		{"7.1 case 3: no key", plain(func(c *chip) { c.icc = "" }), "", true},
		{"7.1 case 3: no issuer certificate", plain(func(c *chip) { c.drop[tagIssuerCert] = true }), "", false},
		{"7.1 case 3: no issuer exponent", plain(func(c *chip) { c.drop[tagIssuerExp] = true }), "", false},
		{"7.1 case 3: no CA key index", plain(func(c *chip) { c.drop[tagCAIndex] = true }), "", false},
		{"7.1 case 3: the CA key is not known", plain(func(c *chip) { c.set[tagCAIndex] = []byte{0x77} }), "", false},
		{"7.1: the issuer certificate is not good", func() *chip {
			c := newChip()
			c.wreck["issuer"] = at(30, 0)
			return withPINKey(c, "icc768", nil, nil)
		}, "", false},
		{"7.1: the issuer certificate has lost its remainder", func() *chip {
			c := newChip()
			c.ca, c.issuer, c.icc = "ca1152", "issuer1024", ""
			c.drop[tagIssuerRest] = true
			return withPINKey(c, "icc768", nil, nil)
		}, "", false},
	} {
		t.Run("Book 2, "+c.name, func(t *testing.T) {
			ch := c.chip()
			p := &pinHolder{answers: []OfflinePINAnswer{entered(0x9000)}}
			pairs := [][2]string{{getTries, "6A88"}}
			if c.key != "" {
				pairs = append(pairs, [2]string{getChallenge, challenge + "9000"})
			}
			card := script(t, pairs...)
			s := loaded(t, ch, card, p, 0xF8)
			if c.oda {
				if err := s.authenticate(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			s.icc.Set(tagCVMList, unhex("0000000000000000 0400"))
			before := s.tvr
			if err := s.verifyCardholder(t.Context()); err != nil {
				t.Fatal(err)
			}
			card.done()
			if c.key == "" {
				if len(p.asks) != 0 || s.cvm != [3]byte{4, 0, cvmFailed} || s.tvr != [5]byte{before[0], 0, 0x80} {
					t.Errorf("asked %v, results %X, TVR %X", p.asks, s.cvm, s.tvr)
				}
				return
			}
			want := keys()[c.key]
			if len(p.ciphers) != 1 || !bytes.Equal(p.ciphers[0].Modulus, want.modulus) || !bytes.Equal(p.ciphers[0].Exponent, want.exp) || !bytes.Equal(p.ciphers[0].Challenge, unhex(challenge)) {
				t.Error("the PIN pad did not get the key and the challenge")
			}
			if s.cvm != [3]byte{4, 0, cvmSuccessful} || s.tvr != before {
				t.Errorf("results %X, TVR %X", s.cvm, s.tvr)
			}
		})
	}
}

// Book 3, 7.5: what offline data authentication has found missing stays missing.
func TestPINKeyLeavesMissingDataMissing(t *testing.T) {
	s := loaded(t, newChip(), script(t), &pinHolder{}, 0xF8)
	tvrDataMissing.set(s.tvr[:])
	if _, ok := s.pinKey(); !ok || !tvrDataMissing.in(s.tvr[:]) {
		t.Errorf("key %v, TVR %X", ok, s.tvr)
	}
}

// pinPad enciphers as a PIN pad does and shows the block to the card: what both must agree upon (Book 2, 7.2, table 25).
type pinPad struct {
	pinHolder
	block []byte
	card  *testKey
	seen  []byte
}

func (p *pinPad) OfflinePIN(_ context.Context, r OfflinePINRequest) (OfflinePINAnswer, error) {
	n := new(big.Int).SetBytes(r.Cipher.Modulus)
	plain := append(append([]byte{0x7F}, p.block...), r.Cipher.Challenge...)
	plain = append(plain, bytes.Repeat([]byte{0x5A}, len(r.Cipher.Modulus)-17)...)
	enc := new(big.Int).Exp(new(big.Int).SetBytes(plain), new(big.Int).SetBytes(r.Cipher.Exponent), n).FillBytes(make([]byte, len(r.Cipher.Modulus)))
	p.seen = p.card.sign(enc)
	if !bytes.Equal(p.seen[:9], append([]byte{0x7F}, p.block...)) || !bytes.Equal(p.seen[9:17], unhex(challenge)) {
		return entered(0x6984), nil
	}
	return entered(0x9000), nil
}

// A whole transaction: the card deciphers with its private key what was enciphered under the key that the kernel has recovered.
func TestEncipheredPINTransaction(t *testing.T) {
	for _, name := range []string{"icc1408", "icc768"} {
		c := newChip()
		c.set[tagCVMList] = unhex("0000000000000000 0403")
		if name != "icc1408" {
			withPINKey(c, name, nil, nil)
		}
		c.getData[tagPINTries] = []byte{3}
		c.answers["84"] = unhex(challenge + "9000")
		cfg := testConfig()
		cfg.Terminal.Capabilities[1] = 0xF8
		p := &pinPad{block: unhex("2F FFFFFFFFFFFFFF"), card: keys()[name]}
		s, err := New(cfg).Start(t.Context(), c, testRequest(), p)
		if err != nil {
			t.Fatal(err)
		}
		if r := s.Result(); r.CVMResults != [3]byte{4, 3, 2} || r.TVR[2] != 0 || r.OnlinePIN || r.Signature {
			t.Errorf("%s: results %X, TVR %X", name, r.CVMResults, r.TVR)
		}
		if v, ok := s.Get(tagPINTries); !ok || !bytes.Equal(v, []byte{3}) {
			t.Errorf("9F17 = %X", v)
		}
	}
}

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

// FuzzPINKey has the issuer certify arbitrary fields and keys.
func FuzzPINKey(f *testing.F) {
	key := keys()["icc768"]
	head := append(unhex("04"+testPAN+"FFFF 1230 000003 01 01"), byte(len(key.modulus)), byte(len(key.exp)))
	f.Add(append(head[:18:18], 60, 1), bytes.Repeat([]byte{0xC1}, 60), []byte(nil), []byte{3})
	f.Add(head, key.modulus[:86], key.modulus[86:], key.exp)
	f.Add([]byte{4}, []byte{1}, []byte{1}, []byte{3})
	c := newChip()
	c.issuer, c.icc = "issuer1024", ""
	c.build()
	issuer := keys()[c.issuer]
	f.Fuzz(func(t *testing.T, head, part, rest, exp []byte) {
		head = append(head, make([]byte, 20)...)[:20]
		part = part[:min(len(part), len(issuer.modulus)-42)]
		s := loaded(t, c, script(t), &pinHolder{}, 0xF8)
		s.icc.Set(tagPINCert, issuer.seal(head, part, nil, rest, exp))
		s.icc.Set(tagPINExp, exp)
		if len(rest) > 0 {
			s.icc.Set(tagPINRest, rest)
		}
		k, ok := s.pinKey()
		if ok && (k.size != int(head[18]) || k.size < minKeyLen || k.size > maxKeyLen || len(k.n.Bytes()) != k.size || !bytes.Equal(k.e.Bytes(), exp)) {
			t.Fatalf("key of %d bytes from head %X", k.size, head)
		}
	})
}
