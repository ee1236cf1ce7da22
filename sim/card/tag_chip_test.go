package card_test

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"posd/emv/tlv"
	"posd/sim/card"
)

func profileText(name string) ([]byte, error) { return os.ReadFile("profiles/" + name + ".toml") }

// ac sends GENERATE AC with what CDOL1 asks for.
func (s *scripted) ac(p1 byte, sw string) {
	s.t.Helper()
	s.cdol = s.values(s.objects[0x8C])
	header := fmt.Sprintf("80AE%02X00", p1)
	out := s.send(apdu(header, s.cdol), sw)
	if sw == "9000" {
		s.keep(out)
		s.signedObjects(out)
	}
}

// signedObjects keeps the objects of an answer but 9F4B, as they came, for the hash of CDA.
func (s *scripted) signedObjects(out []byte) {
	s.static = nil
	inner, _ := tlv.Find(out, 0x77)
	d := tlv.NewDecoder(inner)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if o.Tag != 0x9F4B {
			s.static = append(s.static, inner[o.Offset:o.End]...)
		}
	}
}

// cda checks the signature of GENERATE AC (Book 2, 6.6.2) and brings out cryptogram and relay resistance.
func (s *scripted) cda(signed []byte) (relay []byte, why string) {
	s.t.Helper()
	objects := s.static
	s.static = signed
	dynamic, why := s.signed(s.data[0x9F37])
	s.static = objects
	if why != "" {
		return nil, why
	}
	n := 1 + int(dynamic[0])
	hash := sha1.Sum(slices.Concat(s.options, s.cdol, objects))
	if !bytes.Equal(dynamic[n+9:n+29], hash[:]) {
		return nil, "transaction data hash"
	}
	if dynamic[n] != s.objects[0x9F27][0] {
		return nil, "CID"
	}
	s.objects[0x9F26] = dynamic[n+1 : n+9]
	return dynamic[n+29:], ""
}

// TestChip is the EMV mode of kernel 2: records, one GENERATE AC with CDA over PDOL and CDOL1.
func TestChip(t *testing.T) {
	for _, x := range []struct {
		name, why string
		p1, cid   byte
	}{
		{"tap-mastercard", "", 0x90, 0x80},
		{"tap-mastercard", "", 0x50, 0x40},
		{"mastercard-credit", "", 0x90, 0x80},
		{"tap-mastercard-copied", "hash of signature", 0x90, 0x80},
		{"tap-mastercard-no-cda", "length of signature", 0x90, 0x80},
		{"tap-mastercard-declines", "length of signature", 0x90, 0x00},
		{"phone-mastercard", "", 0x90, 0x80},
	} {
		s := tapped(t, x.name)
		s.open()
		s.gpo("9000")
		if s.objects[0x82][1]&0x80 == 0 {
			t.Errorf("%s: AIP % X: no EMV mode", x.name, s.objects[0x82])
		}
		s.records()
		signed := s.static
		s.ac(x.p1, "9000")
		if got := s.objects[0x9F27][0]; got != x.cid {
			t.Errorf("%s: CID %02X, want %02X", x.name, got, x.cid)
		}
		if _, why := s.cda(signed); why != x.why {
			t.Errorf("%s: %q, want %q", x.name, why, x.why)
			continue
		}
		if x.name != "tap-mastercard-copied" {
			if err := s.recognised(); err != nil {
				t.Errorf("%s: %v", x.name, err)
			}
		}
		s.send(apdu("80AE8000", s.cdol), "6985") // there is one only
	}
}

// TestRelay is EXCHANGE RELAY RESISTANCE DATA, and its block in the signature: entropies and times.
func TestRelay(t *testing.T) {
	for _, x := range []struct {
		name  string
		right bool
	}{{"tap-mastercard-relay", true}, {"tap-mastercard-relay-forged", false}} {
		s := tapped(t, x.name)
		s.open()
		s.gpo("9000")
		if s.objects[0x82][1]&0x01 == 0 {
			t.Fatal("the card does not offer it")
		}
		s.send(apdu("80EA0000", []byte{1, 2, 3}), "6700")
		s.send(apdu("80EA0000", []byte{1, 2, 3, 4}), "9000")
		out := s.send(apdu("80EA0000", []byte{9, 8, 7, 6}), "9000") // the last one counts
		v, ok := tlv.Find(out, 0x80)
		if !ok || len(v) != 10 || v[5] != 1 {
			t.Fatalf("% X", out)
		}
		s.records()
		signed := s.static
		s.ac(0x90, "9000")
		block, why := s.cda(signed)
		if why != "" {
			t.Fatal(why)
		}
		block = block[:14]
		if got := bytes.Equal(block, slices.Concat([]byte{9, 8, 7, 6}, v)); got != x.right {
			t.Errorf("%s: % X under the signature, % X before", x.name, block, v)
		}
	}
	s := tapped(t, "tap-mastercard")
	s.open()
	s.gpo("9000")
	s.send(apdu("80EA0000", []byte{1, 2, 3, 4}), "6985")
}

// TestRecover is RECOVER AC: the lost answer once more, for the reader that has the values of DRDOL.
func TestRecover(t *testing.T) {
	s := tapped(t, "tap-mastercard-torn")
	s.open()
	s.gpo("9000")
	s.records()
	s.ac(0x90, "") // exchange 10 is lost
	s.send(apdu("00A40400", []byte("2PAY.SYS.DDF01")), "")
	cdol, options := s.cdol, s.options
	s.g.Reset()

	s.open()
	s.gpo("9000")
	if atc := s.c.Cryptograms(); len(atc) != 1 {
		t.Fatalf("%d cryptograms", len(atc))
	}
	s.records()
	signed := s.static
	if drdol := s.objects[0x9F51]; fmt.Sprintf("%X", drdol) != "9F3704" {
		t.Fatalf("DRDOL % X", drdol)
	}
	s.send(apdu("80D00000", []byte{1, 2, 3, 4}), "6985")
	out := s.send(apdu("80D00000", s.data[0x9F37]), "9000")
	s.keep(out)
	s.signedObjects(out)
	s.cdol, s.options = cdol, options
	if _, why := s.cda(signed); why != "" {
		t.Fatal(why)
	}
	if err := s.recognised(); err != nil {
		t.Error(err)
	}
	if s.objects[0x9F36][1] != 1 {
		t.Errorf("counter % X: the cryptogram is that of the first tap", s.objects[0x9F36])
	}
	s.send(apdu("80AE9000", cdol), "6985")
	if n := len(s.c.Cryptograms()); n != 1 {
		t.Errorf("%d cryptograms", n)
	}
}

// TestOnDevice: DF4B of a phone; the reader counts on the device when 9F34 says so.
func TestOnDevice(t *testing.T) {
	s := tapped(t, "phone-mastercard-asks")
	try := func(results []byte, cid byte, df4b string) {
		t.Helper()
		s.data[0x9F34] = results
		s.open()
		s.gpo("9000")
		if s.objects[0x82][0]&0x02 == 0 {
			t.Fatal("AIP says nothing of the device")
		}
		s.records()
		s.ac(0x90, "9000")
		if s.objects[0x9F27][0] != cid || fmt.Sprintf("%X", s.objects[0xDF4B]) != df4b {
			t.Errorf("CID % X, DF4B % X; want %02X, %s", s.objects[0x9F27], s.objects[0xDF4B], cid, df4b)
		}
		s.g.Reset()
	}
	try([]byte{0x3F, 0x00, 0x02}, 0x80, "000000")
	try([]byte{0x01, 0x00, 0x02}, 0x00, "000100")
	try([]byte{0x01, 0x00, 0x02}, 0x80, "001000")
}

// TestStripe is COMPUTE CRYPTOGRAPHIC CHECKSUM, and the track 2 that a reader makes of it for the issuer (C-2, mag-stripe mode).
func TestStripe(t *testing.T) {
	s := tapped(t, "tap-mastercard-stripe")
	s.open()
	s.gpo("9000")
	if s.objects[0x82][1]&0x80 != 0 || fmt.Sprintf("%X", s.objects[0x94]) != "08010100" {
		t.Fatalf("AIP % X, AFL % X", s.objects[0x82], s.objects[0x94])
	}
	s.records()
	un := []byte{0x00, 0x00, 0x04, 0x71}
	s.keep(s.send(apdu("802A8E80", un), "9000"))
	if len(s.objects[0x9F60]) != 2 || len(s.objects[0x9F61]) != 2 {
		t.Fatal("no CVC3")
	}
	// DD from the right: nUN, the digits of the number, of the counter, of CVC3.
	code := fmt.Sprintf("%05d", int(s.objects[0x9F61][0])<<8|int(s.objects[0x9F61][1]))[2:]
	track := fmt.Sprintf("%X", s.objects[0x9F6B])
	track = strings.TrimRight(track, "F")
	track = track[:len(track)-11] + code + "0001" + "471" + "3"
	device, err := card.Issuer{}.VerifyStripe(track, s.c.PSN())
	if err != nil || device {
		t.Errorf("%v, %v", device, err)
	}
	if device, err = (card.Issuer{}).VerifyStripe(track[:len(track)-1]+"8", s.c.PSN()); err != nil || !device {
		t.Errorf("%v, %v", device, err)
	}
	for _, wrong := range []string{track[:len(track)-2] + "23", track[:len(track)-1] + "5", track[:20], ""} {
		if _, err := (card.Issuer{}).VerifyStripe(wrong, s.c.PSN()); err == nil {
			t.Error("a wrong track is recognised")
		}
	}
	s.send(apdu("802A8E80", un), "6985")
}

// TestStorage is GET DATA of the balance, and the storage that any reader may write.
func TestStorage(t *testing.T) {
	s := tapped(t, "tap-mastercard-balance")
	s.open()
	if aci, ok := tlv.Find(s.fci, 0x6F, 0xA5, 0xBF0C, 0x9F5D); !ok || len(aci) != 3 {
		t.Errorf("ACI % X", aci)
	}
	s.gpo("9000")
	if out := s.send(unhexTest("80CA9F5000"), "9000"); fmt.Sprintf("%X", out) != "9F5006000000004321" {
		t.Errorf("balance % X", out)
	}
	s.send(unhexTest("80CA9F7000"), "6A88")
	s.send(apdu("80DA9F70", []byte("bus")), "9000")
	if out := s.send(unhexTest("80CA9F7000"), "9000"); fmt.Sprintf("%X", out) != "9F7003627573" {
		t.Errorf("% X", out)
	}
	s.send(apdu("80DA9F50", []byte{1}), "6A88")
}

// TestField is how cards come and go: faults of exchanges, PPSE, both kinds of antenna.
func TestField(t *testing.T) {
	s := tapped(t, "tap-unionpay-leaves")
	s.open()
	s.send(apdu("80A80000", []byte{0x83, 0}), "") // exchange 3 is not heard
	s.send(apdu("00A40400", []byte("2PAY.SYS.DDF01")), "")
	s.g.Reset()
	s.open()
	s.gpo("9000")
	if n := len(s.c.Cryptograms()); n != 1 {
		t.Errorf("%d cryptograms", n)
	}
	s = tapped(t, "tap-unionpay-torn")
	s.open()
	s.gpo("")
	s.g.Reset()
	s.open()
	s.gpo("9000")
	if n := len(s.c.Cryptograms()); n != 2 {
		t.Errorf("%d cryptograms", n)
	}
	s = tapped(t, "tap-unionpay-slow")
	if s.g.Delay().Milliseconds() != 150 {
		t.Errorf("%v", s.g.Delay())
	}

	for _, x := range []struct {
		name         string
		b            bool
		uid, entries int
	}{
		{"tap-unionpay", false, 4, 1},
		{"tap-unionpay-type-b", true, 4, 1},
		{"phone-visa", false, 7, 1},
		{"tap-cobadged", false, 4, 2},
		{"tap-empty-ppse", false, 4, 0},
		{"tap-nested", false, 4, 2},
	} {
		s := tapped(t, x.name)
		if s.g.TypeB() != x.b || len(s.g.UID()) != x.uid {
			t.Errorf("%s: type B %v, UID of %d bytes", x.name, s.g.TypeB(), len(s.g.UID()))
		}
		if len(s.entries()) != x.entries {
			t.Errorf("%s: %d entries", x.name, len(s.entries()))
		}
		if a := s.g.ATS(); int(a[0]) != len(a) {
			t.Errorf("ATS % X", a)
		}
		if a := s.g.ATQB(); x.b && (len(a) != 12 || a[0] != 0x50 || a[10]&1 == 0) {
			t.Errorf("ATQB % X", a)
		}
	}
	s = tapped(t, "tap-no-ppse")
	s.send(apdu("00A40400", []byte("2PAY.SYS.DDF01")), "6A82")
	s = tapped(t, "tap-broken-ppse")
	if out := s.send(apdu("00A40400", []byte("2PAY.SYS.DDF01")), "9000"); tlv.Walk(out, func([]tlv.Tag, tlv.Object) (bool, error) { return true, nil }) == nil {
		t.Errorf("% X can be read", out)
	}
	// Extended selection: the name alone, and the name with what 9F29 says.
	s = tapped(t, "tap-extended")
	e := s.entries()
	if ext, ok := tlv.Find(e[0], 0x9F29); !ok || fmt.Sprintf("%X", ext) != "5501" {
		t.Errorf("9F29 % X", ext)
	}
	s.send(unhexTest("00A404000AA000000333010101550100"), "9000")
	s.send(unhexTest("00A404000AA000000333010101550200"), "6A82")
	if (&card.Card{}).Tag() != nil {
		t.Error("a card without antenna has one")
	}
}

// FuzzTag sends anything to the contactless side.
func FuzzTag(f *testing.F) {
	for _, seed := range []string{
		"00A404000E325041592E5359532E444446303100", "80A80000028300", "80AE900000", "80EA00000401020304", "802A8E800401020304", "80D00000",
		"00B2011400", "80CA9F5000", "00820000080102030405060708", "841E000004010203", "00", "",
	} {
		f.Add(dehex(f, seed))
	}
	var cards []*card.Card // made once: signing certificates takes its time
	for _, name := range []string{"tap-unionpay-purse", "tap-visa-update", "tap-mastercard-relay", "tap-mastercard-stripe", "tap-mastercard-torn"} {
		c, err := card.Load(name)
		if err != nil {
			f.Fatal(err)
		}
		cards = append(cards, c)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range cards {
			s := tap(t, c)
			s.g.Reset()
			s.entries()
			s.g.Transceive(unhexTest("00A4040005A00000000300")) // one of them is Visa's
			s.g.Transceive(unhexTest("00A4040005A00000000400"))
			s.g.Transceive(unhexTest("00A4040005A00000033300"))
			for range 2 {
				if out := s.g.Transceive(b); len(out) == 1 || len(out) > 258 {
					t.Errorf("%s: an answer of %d bytes", c.Profile().Name, len(out))
				}
			}
		}
	})
}
