package card_test

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"posd/emv/tlv"
	"posd/sim/card"
)

// scripted is a reader of these tests: it sends what the books have it send, in their order, and checks signatures by itself.
type scripted struct {
	t    *testing.T
	c    *card.Card
	g    *card.Tag
	data map[tlv.Tag][]byte // the reader's own objects

	fci     []byte
	options []byte
	objects map[tlv.Tag][]byte
	static  []byte // signed records
	cdol    []byte // values of CDOL1
}

func tapped(t *testing.T, name string) *scripted {
	t.Helper()
	c, err := card.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return tap(t, c)
}

func tap(t *testing.T, c *card.Card) *scripted {
	t.Helper()
	if c.Tag() == nil {
		t.Fatal("the card has no antenna")
	}
	return &scripted{t: t, c: c, g: c.Tag(), data: map[tlv.Tag][]byte{
		0x9F66: {0x36, 0x80, 0xC0, 0x80}, 0x9F02: {0, 0, 0, 0, 0x12, 0x80}, 0x9F03: make([]byte, 6), 0x9F1A: {0x01, 0x56}, 0x95: make([]byte, 5),
		0x5F2A: {0x01, 0x56}, 0x9A: {0x25, 0x06, 0x01}, 0x9C: {0}, 0x9F37: {0xCA, 0xFE, 0x00, 0x07}, 0x9F35: {0x22}, 0x9F34: {0x3F, 0, 0x02},
	}}
}

// send exchanges an APDU; sw "" is no answer at all.
func (s *scripted) send(apdu []byte, sw string) []byte {
	s.t.Helper()
	out := s.g.Transceive(apdu)
	if sw == "" {
		if out != nil {
			s.t.Fatalf("%X: an answer of %d bytes, want none", apdu[:4], len(out))
		}
		return nil
	}
	if out == nil {
		s.t.Fatalf("%X: no answer", apdu[:4])
	}
	if got := fmt.Sprintf("%X", out[len(out)-2:]); got != sw {
		s.t.Fatalf("%X: %s, want %s", apdu[:4], got, sw)
	}
	return out[:len(out)-2]
}

func apdu(header string, data []byte) []byte {
	return slices.Concat(unhexTest(header), []byte{byte(len(data))}, data, []byte{0})
}

func unhexTest(s string) []byte {
	var out []byte
	for i := 0; i+1 < len(s); i += 2 {
		var b byte
		_, _ = fmt.Sscanf(s[i:i+2], "%02X", &b)
		out = append(out, b)
	}
	return out
}

// entries are the 61 of the PPSE.
func (s *scripted) entries() (list [][]byte) {
	s.t.Helper()
	out := s.send(apdu("00A40400", []byte("2PAY.SYS.DDF01")), "9000")
	bf0c, found := tlv.Find(out, 0x6F, 0xA5, 0xBF0C)
	if !found {
		s.t.Fatalf("PPSE % X", out)
	}
	d := tlv.NewDecoder(bf0c)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if o.Tag == 0x61 {
			list = append(list, o.Value)
		}
	}
	return list
}

// open selects PPSE and the application of its first entry.
func (s *scripted) open() {
	s.t.Helper()
	s.objects, s.static, s.cdol = map[tlv.Tag][]byte{}, nil, nil
	e := s.entries()
	aid, _ := tlv.Find(e[0], 0x4F)
	s.fci = s.send(apdu("00A40400", aid), "9000")
}

// gpo sends GET PROCESSING OPTIONS with what PDOL asks for and keeps the objects of the answer.
func (s *scripted) gpo(sw string) {
	s.t.Helper()
	pdol, _ := tlv.Find(s.fci, 0x6F, 0xA5, 0x9F38)
	s.options = s.values(pdol)
	out := s.send(apdu("80A80000", tlv.Append(nil, 0x83, s.options)), sw)
	if sw != "9000" {
		return
	}
	if len(out) > 256 {
		s.t.Errorf("an answer of %d bytes", len(out))
	}
	s.keep(out)
}

func (s *scripted) keep(out []byte) {
	s.t.Helper()
	if err := tlv.Walk(out, func(_ []tlv.Tag, o tlv.Object) (bool, error) {
		if !o.Tag.Constructed() {
			s.objects[o.Tag] = o.Value
		}
		return true, nil
	}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scripted) values(dol []byte) []byte {
	s.t.Helper()
	list, err := tlv.ParseDOL(dol)
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := list.Append(nil, 255, func(tag tlv.Tag) ([]byte, bool) { v, ok := s.data[tag]; return v, ok })
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// records reads what the AFL names.
func (s *scripted) records() {
	s.t.Helper()
	for afl := s.objects[0x94]; len(afl) >= 4; afl = afl[4:] {
		for n := afl[1]; n <= afl[2]; n++ {
			out := s.send([]byte{0x00, 0xB2, n, afl[0] | 4, 0}, "9000")
			s.keep(out)
			if n-afl[1] < afl[3] {
				o, err := tlv.One(out)
				if err != nil {
					s.t.Fatal(err)
				}
				s.static = append(s.static, o.Value...)
			}
		}
	}
}

// iccKey opens the certificates (Book 2, 6.3 and 6.4) down to the card's key; what is wrong comes back as text.
func (s *scripted) iccKey() (n, e *big.Int, why string) {
	s.t.Helper()
	pan := s.objects[0x5A]
	aid, _ := tlv.Find(s.fci, 0x6F, 0x84)
	i := slices.IndexFunc(card.CAKeys(), func(k card.CAKey) bool {
		return bytes.Equal(k.RID, aid[:5]) && len(s.objects[0x8F]) == 1 && k.Index == s.objects[0x8F][0]
	})
	if i < 0 {
		return nil, nil, "no CA key"
	}
	ca := card.CAKeys()[i]
	open := func(n, e *big.Int, b []byte, head int, rest, exp, extra []byte) (*big.Int, string) {
		if len(b) != (n.BitLen()+7)/8 {
			return nil, "length of certificate"
		}
		x := new(big.Int).Exp(new(big.Int).SetBytes(b), e, n).FillBytes(make([]byte, len(b)))
		end := len(x) - 21
		h := sha1.Sum(slices.Concat(x[1:end], rest, exp, extra))
		if x[0] != 0x6A || x[len(x)-1] != 0xBC || !bytes.Equal(h[:], x[end:len(x)-1]) {
			return nil, "hash of certificate"
		}
		size := int(x[head-2])
		return new(big.Int).SetBytes(slices.Concat(x[head:end], rest)[:size]), ""
	}
	issuer, why := open(new(big.Int).SetBytes(ca.Modulus), new(big.Int).SetBytes(ca.Exponent), s.objects[0x90], 15, s.objects[0x92], s.objects[0x9F32], nil)
	if why != "" {
		return nil, nil, "issuer: " + why
	}
	static := s.static
	if len(s.objects[0x9F4A]) > 0 {
		static = append(slices.Clone(static), s.objects[0x82]...)
	}
	icc, why := open(issuer, new(big.Int).SetBytes(s.objects[0x9F32]), s.objects[0x9F46], 21, s.objects[0x9F48], s.objects[0x9F47], static)
	if why != "" {
		return nil, nil, "card: " + why
	}
	if len(pan) == 0 {
		return nil, nil, "no account number"
	}
	return icc, new(big.Int).SetBytes(s.objects[0x9F47]), ""
}

// signed opens the signature over extra and returns the dynamic data; nil when it is wrong.
func (s *scripted) signed(extra []byte) ([]byte, string) {
	s.t.Helper()
	n, e, why := s.iccKey()
	if why != "" {
		return nil, why
	}
	sig := s.objects[0x9F4B]
	if len(sig) != (n.BitLen()+7)/8 {
		return nil, "length of signature"
	}
	x := new(big.Int).Exp(new(big.Int).SetBytes(sig), e, n).FillBytes(make([]byte, len(sig)))
	end := len(x) - 21
	h := sha1.Sum(slices.Concat(x[1:end], extra))
	if x[0] != 0x6A || x[1] != 0x05 || x[2] != 0x01 || x[len(x)-1] != 0xBC || !bytes.Equal(h[:], x[end:len(x)-1]) {
		return nil, "hash of signature"
	}
	return x[4 : 4+int(x[3])], ""
}

// fdda checks the signature of kernels 3 and 7 (C-3 and C-7; spec of version 01).
func (s *scripted) fdda() string {
	s.t.Helper()
	dynamic, why := s.signed(slices.Concat(s.data[0x9F37], s.data[0x9F02], s.data[0x5F2A], s.objects[0x9F69]))
	if why != "" {
		return why
	}
	if !bytes.Equal(dynamic, append([]byte{2}, s.objects[0x9F36]...)) {
		return "dynamic number"
	}
	if r := s.objects[0x9F69]; len(r) < 7 || r[0] != 1 || !bytes.Equal(r[5:7], s.objects[0x9F6C]) {
		return "9F69"
	}
	return ""
}

// icc is field 55.
func (s *scripted) icc() []byte {
	var out []byte
	for _, tag := range []tlv.Tag{0x9F26, 0x9F27, 0x9F10, 0x9F36, 0x82} {
		out = tlv.Append(out, tag, s.objects[tag])
	}
	for _, tag := range []tlv.Tag{0x9F37, 0x95, 0x9A, 0x9C, 0x9F02, 0x5F2A, 0x9F1A, 0x9F03} {
		out = tlv.Append(out, tag, s.data[tag])
	}
	return out
}

// recognised has the issuer look at the cryptogram.
func (s *scripted) recognised() error {
	a := s.c.Profile().Applications[0]
	return card.Issuer{}.Verify(a.PAN, a.PSN, s.icc())
}

// TestQuickOffline is the offline path of kernels 3 and 7: TC, records, fDDA of version 01.
func TestQuickOffline(t *testing.T) {
	for _, x := range []struct{ name, why string }{
		{"tap-unionpay", ""},
		{"tap-unionpay-long-key", ""},
		{"tap-visa", ""},
		{"tap-visa-cvn-10", ""},
		{"tap-unionpay-fdda-00", "hash of signature"},
		{"tap-unionpay-no-related", "9F69"},
		{"tap-unionpay-copied", "hash of signature"},
		{"tap-unionpay-changed", "card: hash of certificate"},
		{"tap-unionpay-unknown-ca", "no CA key"},
		{"phone-visa-copy", "9F69"},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := tapped(t, x.name)
			s.data[0x9F66] = []byte{0x36, 0x00, 0xC0, 0x80}
			s.open()
			s.gpo("9000")
			if got := s.objects[0x9F27]; !bytes.Equal(got, []byte{0x40}) {
				t.Fatalf("CID % X, want a TC", got)
			}
			if len(s.objects[0x94]) == 0 {
				t.Fatal("no file locator")
			}
			s.records()
			if got := s.fdda(); got != x.why {
				t.Errorf("fDDA: %q, want %q", got, x.why)
			}
			if err := s.recognised(); err != nil {
				t.Error(err)
			}
			for _, tag := range []tlv.Tag{0x5A, 0x5F24, 0x57} {
				if len(s.objects[tag]) == 0 {
					t.Errorf("no %v", tag)
				}
			}
		})
	}
}

// TestQuickOnline is the online path: one exchange, and an ARQC that the issuer recognises.
func TestQuickOnline(t *testing.T) {
	for _, name := range []string{"tap-unionpay", "tap-visa", "tap-visa-online", "tap-visa-update", "tap-unionpay-type-b", "unionpay-debit", "visa-debit"} {
		t.Run(name, func(t *testing.T) {
			s := tapped(t, name)
			s.open()
			s.gpo("9000")
			if got := s.objects[0x9F27]; !bytes.Equal(got, []byte{0x80}) || s.objects[0x9F10][4]&0x30 != 0x20 {
				t.Fatalf("CID % X, 9F10 % X: want an ARQC", got, s.objects[0x9F10])
			}
			if s.objects[0x9F4B] != nil || s.objects[0x94] != nil {
				t.Error("there is something to be read behind an ARQC")
			}
			if err := s.recognised(); err != nil {
				t.Error(err)
			}
			s.data[0x9F02] = []byte{0, 0, 0, 0, 0x12, 0x81}
			if s.recognised() == nil {
				t.Error("the issuer recognises another amount")
			}
		})
	}
}

// TestQualifiers is 9F6C by what the reader can do and wants: TTQ bytes 1 and 2.
func TestQualifiers(t *testing.T) {
	for _, x := range []struct {
		name, ttq, ctq, cid string
	}{
		{"tap-unionpay", "36000080", "0000", "40"},           // nothing is wanted
		{"tap-unionpay", "36400080", "8000", "80"},           // online PIN comes first, and the issuer must see it
		{"tap-unionpay", "32400080", "4000", "40"},           // signature
		{"tap-unionpay", "30400080", "0000", "00"},           // nothing that the card knows
		{"tap-unionpay", "3E400080", "4000", "40"},           // offline only: no PIN to an issuer
		{"tap-unionpay", "36C00080", "8000", "80"},           // online anyway
		{"tap-unionpay", "3A800080", "0000", "00"},           // offline only, and the issuer is wanted
		{"tap-unionpay-pin", "36000080", "8000", "80"},       // the card wants it for every amount
		{"tap-unionpay-signature", "36400080", "4000", "40"}, // the card's only method
		{"phone-unionpay", "36400080", "0080", "80"},         // the holder was there before
		{"phone-unionpay", "36000080", "0080", "80"},         // and it is told though nobody asked
		{"phone-unionpay-asks", "36000080", "0000", "80"},    // small amount: nobody asks
		{"tap-visa-asks-online", "36000000", "2000", "40"},   // bits of the issuer's choice
		{"tap-visa-update", "36800080", "0040", "80"},        // issuer update
		{"phone-visa", "36C04000", "0080", "80"},             // TTQ 3b7: the reader takes it
		{"phone-visa", "36C00000", "0080", "00"},             // the reader does not
		{"tap-unionpay-no-ctq", "36C00080", "", "80"},        // says nothing
		{"tap-unionpay-declines", "36000080", "0000", "00"},  // AAC
		{"tap-visa-online", "3A800000", "0000", "00"},        // ARQC to an offline-only reader is AAC
	} {
		s := tapped(t, x.name)
		s.data[0x9F66] = dehex(t, x.ttq)
		s.open()
		s.gpo("9000")
		if got := fmt.Sprintf("%X", s.objects[0x9F6C]); got != x.ctq {
			t.Errorf("%s, TTQ %s: CTQ %s, want %s", x.name, x.ttq, got, x.ctq)
		}
		if got := fmt.Sprintf("%X", s.objects[0x9F27]); got != x.cid {
			t.Errorf("%s, TTQ %s: CID %s, want %s", x.name, x.ttq, got, x.cid)
		}
	}
}

// TestSeePhone: 6986 at the first tap, done at the second; the counter has not moved for a tap without a cryptogram.
func TestSeePhone(t *testing.T) {
	for _, name := range []string{"phone-unionpay-asks", "phone-visa-asks"} {
		s := tapped(t, name)
		s.data[0x9F66] = []byte{0x36, 0xC0, 0xC0, 0x80}
		s.open()
		s.gpo("6986")
		s.g.Reset()
		s.open()
		s.gpo("9000")
		if ctq := s.objects[0x9F6C]; ctq[1]&0x80 == 0 {
			t.Errorf("%s: CTQ % X", name, ctq)
		}
		if atc := s.objects[0x9F36]; !bytes.Equal(atc, []byte{0, 1}) {
			t.Errorf("%s: ATC % X", name, atc)
		}
		if s.g.Taps() != 2 {
			t.Errorf("%d taps", s.g.Taps())
		}
	}
	// Nobody shows himself: never.
	c, err := card.Parse(bytes.Replace(mustProfile(t, "phone-unionpay-asks"), []byte(`cdcvm = "ask"`), []byte(`cdcvm = "never"`), 1))
	if err != nil {
		t.Fatal(err)
	}
	s := tap(t, c)
	s.data[0x9F66] = []byte{0x36, 0xC0, 0x40, 0x80}
	for range 3 {
		s.open()
		s.gpo("6986")
		s.g.Reset()
	}
	s.g.Unlock()
	s.open()
	s.gpo("9000")
}

// TestIssuerUpdate is the second tap of kernel 3: EXTERNAL AUTHENTICATE and scripts behind SELECT, for the ARQC of the first.
func TestIssuerUpdate(t *testing.T) {
	s := tapped(t, "tap-visa-update")
	bank := card.NewBank()
	s.open()
	s.gpo("9000")
	answer, err := bank.Answer(s.c.PAN(), s.c.PSN(), s.icc(), "00")
	if err != nil {
		t.Fatal(err)
	}
	auth, _ := tlv.Find(answer, 0x91)
	command, _ := tlv.Find(answer, 0x72, 0x86)
	s.g.Reset()
	s.open()
	s.send(slices.Concat(unhexTest("00820000"), []byte{byte(len(auth))}, auth), "9000")
	s.send(command, "9000")
	s.send(slices.Concat(unhexTest("00820000"), []byte{byte(len(auth))}, auth), "6985")
	// A new transaction ends it.
	s.g.Reset()
	s.open()
	s.gpo("9000")
	s.g.Reset()
	s.open()
	s.send(command, "6988") // it was made for the ARQC before
	// Who has had no ARQC has no answer.
	s = tapped(t, "tap-visa-update")
	s.open()
	s.send(slices.Concat(unhexTest("00820000"), []byte{byte(len(auth))}, auth), "6985")
	s.send(command, "6985")
	// Nor has a card whose reader does not do it (TTQ 3b8).
	s = tapped(t, "tap-visa-update")
	s.data[0x9F66] = []byte{0x36, 0x80, 0x40, 0x00}
	s.open()
	s.gpo("9000")
	s.g.Reset()
	s.open()
	s.send(slices.Concat(unhexTest("00820000"), []byte{byte(len(auth))}, auth), "6985")
	// A wrong one is refused.
	s = tapped(t, "tap-visa-update")
	s.open()
	s.gpo("9000")
	s.g.Reset()
	s.open()
	auth = slices.Clone(auth)
	auth[0] ^= 1
	s.send(slices.Concat(unhexTest("00820000"), []byte{byte(len(auth))}, auth), "6300")
}

// TestOfflineCounter: the card counts what it approves alone, over taps, and then wants the issuer.
func TestOfflineCounter(t *testing.T) {
	s := tapped(t, "tap-unionpay")
	s.data[0x9F66] = []byte{0x36, 0x00, 0x00, 0x80}
	for i := 1; i <= 7; i++ {
		s.open()
		s.gpo("9000")
		want := byte(0x40)
		if i > 5 {
			want = 0x80
		}
		if s.objects[0x9F27][0] != want || s.objects[0x9F36][1] != byte(i) {
			t.Errorf("tap %d: CID % X, ATC % X", i, s.objects[0x9F27], s.objects[0x9F36])
		}
		s.g.Reset()
	}
	if log := s.c.Cryptograms(); len(log) != 7 || log[0].Kind != "TC" || log[6].Kind != "ARQC" || log[0].Asked != "GPO" || log[0].Amount != 1280 {
		t.Errorf("%+v", log)
	}
}

// TestBothInterfaces: chip and antenna of one card share the counter.
func TestBothInterfaces(t *testing.T) {
	s := tapped(t, "unionpay-debit")
	s.open()
	s.gpo("9000")
	s.g.Reset()
	s.c.Transceive(dehex(t, "00A4040008A00000033301010100"))
	out := s.c.Transceive(dehex(t, "80A80000028300"))
	if !bytes.HasSuffix(out, []byte{0x90, 0x00}) {
		t.Fatalf("% X", out)
	}
	out = s.c.Transceive(dehex(t, "80CA9F3600"))
	if v, _ := tlv.Find(out[:len(out)-2], 0x9F36); !bytes.Equal(v, []byte{0, 2}) {
		t.Errorf("counter % X", v)
	}
}

func mustProfile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := profileText(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
