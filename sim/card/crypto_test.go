package card

import (
	"bytes"
	"crypto/sha1"
	"math/big"
	"strings"
	"testing"

	"posd/emv/tlv"
)

// The values below were computed with an independent implementation (pyemv) from the issuer master key of the EMV documents' examples.
var vectorMaster = key16(unhex("0123456789ABCDEFFEDCBA9876543210"))

func TestKeys(t *testing.T) {
	for _, c := range []struct{ pan, psn, want string }{
		{"6217004815162342019", "01", "756D4AB35757A17C166B4C38850E438F"},
		{"6259002748651396", "", "C757AEC10D98B902CDBC16A27F253261"},
		{"4111118472619350", "45", "62F1109D0BE076E39E404C37C27AB923"},
	} {
		if k := cardKeyOf(vectorMaster, c.pan, c.psn); !bytes.Equal(k[:], unhex(c.want)) {
			t.Errorf("card key of PSN %q: %X, want %s", c.psn, k, c.want)
		}
	}
	k := cardKeyOf(vectorMaster, "6217004815162342019", "01")
	if s := session(k, atcDiversification(0x001C)); !bytes.Equal(s[:], unhex("7C795BC79D4F45EA8A1F8686BA0D0D62")) {
		t.Errorf("session key of ATC 001C: %X", s)
	}
	if s := session(k, [8]byte(unhex("A1B2C3D4E5F60718"))); !bytes.Equal(s[:], unhex("613BDA58BF262002071F2ADA9238328F")) {
		t.Errorf("session key of a cryptogram: %X", s)
	}
}

func TestCryptograms(t *testing.T) {
	k := session(cardKeyOf(vectorMaster, "6217004815162342019", "01"), atcDiversification(0x001C))
	values := map[uint32]string{
		0x9F02: "000000012800", 0x9F03: "000000000000", 0x9F1A: "0156", 0x95: "0000048000", 0x5F2A: "0156", 0x9A: "250601", 0x9C: "00",
		0x9F37: "756E7072", 0x82: "7C00", 0x9F36: "001C", 0x9F10: "07011203A0100201",
	}
	ac := versionNamed("").cryptogram(k, func(tag uint32) []byte { return unhex(values[tag]) })
	if !bytes.Equal(ac[:], unhex("B9B5FF919337BC52")) {
		t.Errorf("cryptogram %X", ac)
	}
	if a := arpc(k, ac, "00"); !bytes.Equal(a[:], unhex("D4B7DB76CFB69CDA")) {
		t.Errorf("ARPC %X", a)
	}
	sm := session(cardKeyOf(vectorMaster, "6217004815162342019", "01"), [8]byte(unhex("A1B2C3D4E5F60718")))
	if m := scriptMAC(sm, unhex("841E000004"), 0x001C, ac, nil); !bytes.Equal(m, unhex("20233B63")) {
		t.Errorf("script MAC %X", m)
	}
}

// TestCertificates recovers what the keys have signed with the public keys, as Book 2, tables 6 and 14, lay it out.
func TestCertificates(t *testing.T) {
	open := func(k *rsaKey, sig []byte) []byte {
		t.Helper()
		b := new(big.Int).Exp(new(big.Int).SetBytes(sig), k.e, k.n).FillBytes(make([]byte, k.size))
		if b[0] != 0x6A || b[len(b)-1] != 0xBC {
			t.Fatalf("header and trailer % X % X", b[0], b[len(b)-1])
		}
		return b
	}
	hashed := func(b, extra []byte) bool {
		h := sha1.Sum(append(bytes.Clone(b[1:len(b)-21]), extra...))
		return bytes.Equal(h[:], b[len(b)-21:len(b)-1])
	}
	for i := range schemes {
		for _, name := range append(chainNames(), "") {
			s := chainOf(unhex(schemes[i].rid), name)
			label := schemes[i].name + " " + name
			cert, rest := s.issuerCertificate("6217004815162342019", "")
			b := open(s.ca, cert)
			if b[1] != 2 || !bytes.Equal(b[2:6], unhex("621700FF")) || int(b[13]) != s.issuer.size || !hashed(b, append(bytes.Clone(rest), s.issuer.exponent()...)) {
				t.Errorf("%s: issuer certificate", label)
			}
			if mod := append(bytes.Clone(b[15:len(b)-21]), rest...); !bytes.Equal(mod[:s.issuer.size], s.issuer.modulus()) {
				t.Errorf("%s: issuer modulus", label)
			}
			static := []byte("static data")
			cert, cardRest := s.cardCertificate("6217004815162342019", static, "")
			b = open(s.issuer, cert)
			if b[1] != 4 || !bytes.Equal(b[2:12], unhex("6217004815162342019F")) || !hashed(b, append(append(bytes.Clone(cardRest), s.icc.exponent()...), static...)) {
				t.Errorf("%s: card certificate", label)
			}
			if name == "whole" != (rest == nil && cardRest == nil) {
				t.Errorf("%s: remainders of %d and %d bytes", label, len(rest), len(cardRest))
			}
			cert, rest = s.pinCertificate("6217004815162342019")
			b = open(s.issuer, cert)
			if b[1] != 4 || int(b[19]) != s.pin.size || !hashed(b, append(bytes.Clone(rest), s.pin.exponent()...)) {
				t.Errorf("%s: PIN certificate", label)
			}
			b = open(s.issuer, s.staticSignature(static))
			if b[1] != 3 || !hashed(b, static) {
				t.Errorf("%s: static signature", label)
			}
		}
	}
	if n := len(CAKeys()); n != 12 {
		t.Errorf("%d CA keys", n)
	}
}

// TestRecords bounds what the profiles put into records and lists.
func TestRecords(t *testing.T) {
	for _, name := range Profiles() {
		c, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		c.personalise()
		for _, a := range c.apps {
			for sfi, file := range a.records {
				for i, r := range file {
					if len(r) > 254 {
						t.Errorf("%s: SFI %d record %d has %d bytes", name, sfi, i+1, len(r))
					}
					if a.a.Fault == faultTLV || a.a.Fault == faultTemplate || sfi > 10 {
						continue // not to be read, or no TLV at all
					}
					if _, err := tlv.One(r); err != nil {
						t.Errorf("%s: SFI %d record %d: %v", name, sfi, i+1, err)
					}
				}
			}
		}
	}
	seen := map[string]bool{}
	for _, a := range Accounts() {
		if seen[a.PAN] {
			t.Errorf("%s: its account number is another card's too", a.Profile)
		}
		seen[a.PAN] = true
	}
	if _, err := tlv.ParseDOL(logFormat); err != nil {
		t.Error(err)
	}
}

func TestLuhn(t *testing.T) {
	for pan, want := range map[string]bool{"4761739001010119": true, "4761739001010118": false, "6217004815162342019": true, "": true} {
		if luhn(pan) != want {
			t.Errorf("check digit of a number of %d digits: want %v", len(pan), want)
		}
	}
}

// TestBadProfiles wants the field in each error.
func TestBadProfiles(t *testing.T) {
	good := `title = "x"
[[application]]
aid = "A000000333010101"
label = "X"
pan = "6217004815162342019"
expiry = "3012"
cvm = "00000000000000001F00"
`
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`title = "x"`, `titel = "x"`, "line 1, column 1: unknown key titel"},
		{`title = "x"`, `title = `, "line 1"},
		{`title = "x"`, `protocol = 2`, "protocol"},
		{`title = "x"`, `pin = "12x4"`, "pin"},
		{"6217004815162342019", "6217004815162342018", "application[0].pan"},
		{"6217004815162342019", "62170048", "application[0].pan"},
		{`"3012"`, `"3012a"`, "application[0].expiry"},
		{"A000000333010101\"", "A000000999010101\"\noda = \"sda\"", "application[0].aid"},
		{"A000000333010101", "A0000003", "application[0].aid"},
		{`cvm = "00`, `cvm = "0`, "application[0].cvm"},
		{`label = "X"`, `label = ""`, "application[0].label"},
		{`label = "X"`, "label = \"X\"\noda = \"ada\"", "application[0].oda"},
		{`label = "X"`, "label = \"X\"\noda = \"xda\"", "application[0].keys"},
		{`label = "X"`, "label = \"X\"\nkeys = \"999\"", "application[0].keys"},
		{`label = "X"`, "label = \"X\"\nfault = \"bad\"", "application[0].fault"},
		{`label = "X"`, "label = \"X\"\ncvn = \"19\"", "application[0].cvn"},
		{`label = "X"`, "label = \"X\"\nfirst_answer = \"no\"", "application[0].first_answer"},
		{`label = "X"`, "label = \"X\"\nobjects = { \"9F\" = \"0\" }", "application[0].objects"},
		{`label = "X"`, "label = \"X\"\nstatus = { gpo = \"69\" }", "application[0].status"},
		{`label = "X"`, "label = \"X\"\nstatus = { go = \"6985\" }", "application[0].status"},
		{`label = "X"`, "label = \"X\"\npin_left = 16", "application[0].pin_left"},
		{`title = "x"`, "group = \"all\"", "group"},
		{`title = "x"`, "types = [\"12\"]", "types"},
		{`title = "x"`, "[host]\nafter = [\"burn\"]", "host.before"},
		{`title = "x"`, "[host]\narpc = \"no\"", "host.arpc"},
		{`title = "x"`, "[expect]\nstart = \"soon\"", "expect.start"},
		{`title = "x"`, "[expect]\ntvr = \"00\"", "expect.tvr"},
		{`title = "x"`, "[expect_at.nowhere]\nstart = \"online\"", "expect_at.nowhere"},
		{`title = "x"`, "[expect_at.attended]\nscripts = \"00\"", "expect_at.attended.scripts"},
		{`label = "X"`, "label = \"X\"\npdol = \"9F\"", "application[0].pdol"},
		{`label = "X"`, "label = \"X\"\ncdol1 = \"9F02FF9F03FF\"", "application[0].cdol1"},
		{`label = "X"`, "label = \"X\"\npriority = 16", "application[0].priority"},
		{`label = "X"`, "label = \"X\"\nformat = 3", "application[0].format"},
		{`label = "X"`, "label = \"X\"\natc = 65535", "application[0].atc"},
		{"[[application]]", "[[applications]]", "unknown key"},
	} {
		_, err := Parse([]byte(strings.Replace(good, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.new, err, c.want)
		}
	}
	if _, err := Load("no such card"); err == nil || !strings.Contains(err.Error(), "unionpay-debit") {
		t.Errorf("%v", err)
	}
	if _, err := Parse([]byte("title = 'x'")); err == nil {
		t.Error("a card without applications")
	}
}
