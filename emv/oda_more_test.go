package emv

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"strings"
	"testing"

	"posd/emv/tlv"
)

// chipWith is a chip with an AIP and changes.
func chipWith(aip string, changes ...func(*chip)) *chip {
	c := newChip()
	c.aip = aip
	for _, f := range changes {
		f(c)
	}
	return c
}

func setObject(tag tlv.Tag, v []byte) func(*chip) { return func(c *chip) { c.set[tag] = v } }

func useKeys(ca, issuer, icc string) func(*chip) {
	return func(c *chip) { c.ca, c.issuer, c.icc = ca, issuer, icc }
}

// change alters an object of the card, wherever in its records it stands, after all certificates were made.
func change(tag tlv.Tag, f func([]byte) []byte) func(*chip) {
	return func(c *chip) {
		c.build()
		for _, r := range c.records {
			if v, ok := tlv.Find(r, tag); ok {
				c.set[tag] = f(bytes.Clone(v))
				c.built = false
				return
			}
		}
		panic("the card has no " + tag.String())
	}
}

func longer(b []byte) []byte  { return append(b, 0x00) }
func shorter(b []byte) []byte { return b[:len(b)-1] }

// More clauses of Book 2, chapters 5 and 6, and Book 3, 7.5 and 10.3: one card each, that has one thing wrong.
func TestODAMoreClauses(t *testing.T) {
	odd := func(c *chip) { c.sdaList = false }
	for _, c := range []struct {
		name string
		chip *chip
		tvr1 byte
	}{
		// Lengths one off, for every key of the chain.
		{"5.3 step 1: issuer certificate of n-1 bytes", chipWith(aipForSDA, change(tagIssuerCert, shorter)), odaSDAFailed},
		{"5.3 step 1: issuer certificate of n+1 bytes", chipWith(aipForSDA, useKeys("ca1152", "issuer1024", ""), change(tagIssuerCert, longer)), odaSDAFailed},
		{"5.4 step 1: 93 of n-1 bytes", chipWith(aipForSDA, change(tagSSAD, shorter)), odaSDAFailed},
		{"5.4 step 1: 93 of n+1 bytes", chipWith(aipForSDA, useKeys("ca1152", "issuer1024", ""), change(tagSSAD, longer)), odaSDAFailed},
		{"6.3 step 1: issuer certificate of n-1 bytes, DDA", chipWith(aipForDDA, change(tagIssuerCert, shorter)), odaDDAFailed},
		{"6.3 step 1: issuer certificate of n+1 bytes, CDA", chipWith(aipForCDA, useKeys("ca1152", "issuer1024", "icc768"), change(tagIssuerCert, longer)), odaCDAFailed},
		{"6.4 step 1: ICC certificate of n-1 bytes", chipWith(aipForDDA, change(tagICCCert, shorter)), odaDDAFailed},
		{"6.4 step 1: ICC certificate of n+1 bytes", chipWith(aipForDDA, useKeys("ca1152", "issuer1024", "icc768"), change(tagICCCert, longer)), odaDDAFailed},
		{"6.4 step 1: empty ICC certificate", chipWith(aipForCDA, setObject(tagICCCert, nil)), odaCDAFailed},

		// Remainders (6.3 step 12, 6.4 step 11, 7.5).
		{"6.3: issuer remainder a byte short", chipWith(aipForDDA, change(tagIssuerRest, shorter)), odaDDAFailed},
		{"6.3: issuer remainder a byte long", chipWith(aipForDDA, change(tagIssuerRest, longer)), odaDDAFailed},
		{"6.3: empty issuer remainder where one is needed", chipWith(aipForDDA, setObject(tagIssuerRest, nil)), odaDDAFailed},
		{"6.3: empty issuer remainder where none is needed", chipWith(aipForDDA, useKeys("ca1984", "issuer1024", "icc768"), func(c *chip) { c.unsigned = obj(tagIssuerRest) }), odaFine},
		{"6.4: ICC remainder a byte short", chipWith(aipForDDA, useKeys("ca1984", "issuer1984", "icc1984"), change(tagICCRest, shorter)), odaDDAFailed},
		{"6.4: ICC remainder a byte long", chipWith(aipForDDA, useKeys("ca1984", "issuer1984", "icc1984"), change(tagICCRest, longer)), odaDDAFailed},
		{"6.4: ICC remainder of another key", chipWith(aipForDDA, useKeys("ca1984", "issuer1984", "icc1984"), change(tagICCRest, func(b []byte) []byte { b[3] ^= 1; return b })), odaDDAFailed},
		{"7.5: CDA without ICC remainder", chipWith(aipForCDA, useKeys("ca1984", "issuer1984", "icc1984"), func(c *chip) { c.drop[tagICCRest] = true }), odaCDAFailed | odaDataMissing},
		{"7.5: CDA without issuer remainder", chipWith(aipForCDA, func(c *chip) { c.drop[tagIssuerRest] = true }), odaCDAFailed | odaDataMissing},
		{"7.5: DDA without CA index", chipWith(aipForDDA, func(c *chip) { c.drop[tagCAIndex] = true }), odaDDAFailed | odaDataMissing},
		{"7.5: CDA without issuer certificate", chipWith(aipForCDA, func(c *chip) { c.drop[tagIssuerCert] = true }), odaCDAFailed | odaDataMissing},
		{"7.5: CDA without issuer exponent", chipWith(aipForCDA, func(c *chip) { c.drop[tagIssuerExp] = true }), odaCDAFailed | odaDataMissing},
		{"7.5: CDA without ICC exponent", chipWith(aipForCDA, func(c *chip) { c.drop[tagICCExp] = true }), odaCDAFailed | odaDataMissing},
		{"7.5: a remainder is no missing data when none is needed", chipWith(aipForDDA, useKeys("ca1984", "issuer1024", "icc768")), odaFine},

		// Exponents: 3 and 65537, nothing else (6.1).
		{"6.1: ICC exponent 1", chipWith(aipForDDA, setObject(tagICCExp, unhex("01"))), odaDDAFailed},
		{"6.1: ICC exponent 2", chipWith(aipForDDA, setObject(tagICCExp, unhex("02"))), odaDDAFailed},
		{"6.1: ICC exponent 65536", chipWith(aipForDDA, setObject(tagICCExp, unhex("010000"))), odaDDAFailed},
		{"6.1: ICC exponent of four bytes", chipWith(aipForDDA, setObject(tagICCExp, unhex("00010001"))), odaDDAFailed},
		{"6.1: empty ICC exponent", chipWith(aipForDDA, setObject(tagICCExp, nil)), odaDDAFailed},
		{"6.1: issuer exponent 17", chipWith(aipForDDA, setObject(tagIssuerExp, unhex("11"))), odaDDAFailed},

		// CA key, issuer certificate under DDA and CDA.
		{"6.2: CA key not known, DDA", chipWith(aipForDDA, setObject(tagCAIndex, []byte{0x77})), odaDDAFailed},
		{"6.2: CA key not known, CDA", chipWith(aipForCDA, setObject(tagCAIndex, []byte{0x77})), odaCDAFailed},
		{"6.2: another CA key of the same RID", chipWith(aipForDDA, setObject(tagCAIndex, []byte{caIndex("ca1152")})), odaDDAFailed},
		{"6.3 step 8: eight digits of the PAN", chipWith(aipForDDA, func(c *chip) { c.issuerHead = to(1, unhex(testPAN)[:4]...) }), odaFine},
		{"6.3 step 8: the eighth digit differs", chipWith(aipForDDA, func(c *chip) { c.issuerHead = to(1, 0x62, 0, 0, 0x01) }), odaDDAFailed},
		{"6.3 step 8: nothing but padding", chipWith(aipForDDA, func(c *chip) { c.issuerHead = to(1, 0xFF, 0xFF, 0xFF, 0xFF) }), odaDDAFailed},
		{"6.3 step 9: December 1949 is 2049 as a certificate counts", chipWith(aipForDDA, func(c *chip) { c.issuerHead = to(5, 0x12, 0x49) }), odaFine},
		{"6.3 step 9: December 1950 is past", chipWith(aipForDDA, func(c *chip) { c.issuerHead = to(5, 0x12, 0x50) }), odaDDAFailed},
		{"6.3 step 9: month 00", chipWith(aipForDDA, func(c *chip) { c.issuerHead = to(5, 0x00, 0x30) }), odaDDAFailed},
		{"6.3 step 11: key algorithm 00", chipWith(aipForCDA, func(c *chip) { c.issuerHead = to(11, 0x00) }), odaCDAFailed},
		{"6.3 table 13: hash algorithm 02", chipWith(aipForCDA, func(c *chip) { c.issuerHead = to(10, 0x02) }), odaCDAFailed},
		{"6.3: an ICC certificate in place of the issuer's", chipWith(aipForDDA, func(c *chip) { c.issuerHead = to(0, 0x04) }), odaDDAFailed},
		{"6.4: an issuer certificate in place of the ICC's", chipWith(aipForCDA, func(c *chip) { c.iccHead = to(0, 0x02) }), odaCDAFailed},
		{"6.4 step 8: PAN with a letter in it", chipWith(aipForDDA, func(c *chip) { c.iccHead = to(8, 0xA5) }), odaDDAFailed},
		{"6.4 step 9: month 13", chipWith(aipForDDA, func(c *chip) { c.iccHead = to(11, 0x13, 0x30) }), odaDDAFailed},
		{"6.4: ICC key length zero", chipWith(aipForDDA, func(c *chip) { c.iccHead = to(18, 0) }), odaDDAFailed},

		// Static data (5.4 step 5, 6.4 step 5, 10.3).
		{"5.4 step 5: tag list names the AIP twice", chipWith(aipForSDA, setObject(tagSDATagList, unhex("8282"))), odaSDAFailed},
		{"6.4 step 5: tag list with the AIP and the AFL", chipWith(aipForDDA, setObject(tagSDATagList, unhex("8294"))), odaDDAFailed},
		{"6.4 step 5: no tag list, AIP not hashed", chipWith(aipForDDA, odd), odaFine},
		{"10.3: without a tag list a changed AIP goes unseen", chipWith(aipForCDA, odd, func(c *chip) { c.build(); c.aip = "7900" }), odaFine},
		{"5.4: signed record changed", chipWith(aipForSDA, func(c *chip) {
			c.build()
			r := c.records[[2]byte{2, 1}]
			r[bytes.Index(r, unhex("301231"))] = 0x31
		}), odaSDAFailed},
		{"5.4 table 7: hash algorithm of the signature", chipWith(aipForSDA, func(c *chip) { c.wreck["ssad"] = func(b []byte) { b[2] = 2; rehash(b, c) } }), odaSDAFailed},

		// DDOL (6.5.1).
		{"6.5.1: DDOL names 9F37 with two bytes only", chipWith(aipForDDA, setObject(tagDDOL, unhex("9F3702"))), odaFine},
		{"6.5.1: empty DDOL on the card", chipWith(aipForDDA, setObject(tagDDOL, nil)), odaDDAFailed},
		{"8.1: INTERNAL AUTHENTICATE ends with a warning", chipWith(aipForDDA, func(c *chip) { c.answers["88"] = unhex("6283") }), odaDDAFailed},
		{"8.1: INTERNAL AUTHENTICATE ends with 63C2", chipWith(aipForDDA, func(c *chip) { c.answers["88"] = unhex("63C2") }), odaDDAFailed},
		{"6.5.2 step 1: empty signature, format 1", chipWith(aipForDDA, func(c *chip) { c.answers["88"] = unhex("80009000") }), odaDDAFailed},
		{"6.5.2 step 1: empty signature, format 2", chipWith(aipForDDA, func(c *chip) { c.answers["88"] = unhex("77039F4B009000") }), odaDDAFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := start(t, c.chip)
			if err != nil {
				t.Fatal(err)
			}
			if s.tvr[0] != c.tvr1 || !tsiODA.in(s.tsi[:]) {
				t.Errorf("TVR byte 1 %02X, want %02X; TSI %X", s.tvr[0], c.tvr1, s.tsi)
			}
		})
	}
}

// rehash makes the hash of a static signature right again after its fields were changed.
func rehash(b []byte, c *chip) {
	static := append([]byte(nil), c.records[[2]byte{2, 1}]...)
	if c.sdaList {
		static = append(static, unhex(c.aip)...)
	}
	n := len(b)
	copy(b[n-21:], sha1Of(b[1:n-21], static))
}

// Book 3, 6.5.9.4, 6.5.9.5 and 8.1: what ends the transaction instead of failing DDA.
func TestInternalAuthenticateEndsTheTransaction(t *testing.T) {
	for name, answer := range map[string]string{
		"8.1: conditions not satisfied":               "6985",
		"8.1: instruction not supported":              "6D00",
		"8.1: 6300 is no 63Cx":                        "6300",
		"6.5.9.4: nothing":                            "9000",
		"6.5.9.4: another template":                   "70009000",
		"6.5.9.4: format 2 without 9F4B":              "77009000",
		"6.5.9.4: format 2 with something else":       "77069F4C031234569000",
		"7.5: format 2 that does not parse":           "77039F4B059000",
		"7.5: 9F4B twice":                             "77089F4B01019F4B01029000",
		"7.5: bytes behind a template that is longer": "8005019000",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := start(t, chipWith(aipForDDA, func(c *chip) { c.answers["88"] = unhex(answer) }))
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, ErrBadCard) || e.Step != StepODA {
				t.Fatalf("error %v", err)
			}
			if len(answer) == 4 && answer != "9000" && e.SW == 0 {
				t.Errorf("error without the status bytes: %v", err)
			}
		})
	}
}

// 10.3: a signed record of SFI 11 to 30 that is not template 70 makes every method fail, and counts as performed.
func TestSignedRecordWithoutTemplate(t *testing.T) {
	for _, c := range []struct {
		aip  string
		tvr1 byte
	}{{aipForSDA, odaSDAFailed}, {aipForDDA, odaDDAFailed}, {aipForCDA, odaCDAFailed}} {
		ch := chipWith(c.aip)
		ch.build()
		ch.afl = append(ch.afl, unhex("58010101")...)
		card := cardFunc(func(capdu []byte) []byte {
			if capdu[1] == 0xB2 && capdu[3]>>3 == 11 {
				return unhex("53021234 9000")
			}
			r, _ := ch.Transceive(t.Context(), capdu)
			return r
		})
		s, err := start(t, card)
		if err != nil || s.tvr[0] != c.tvr1 || !tsiODA.in(s.tsi[:]) {
			t.Errorf("AIP %s: %v", c.aip, err)
		}
	}
}

// 5.1.2, 6.1.2: the revocation list is asked by RID, CA key index and serial, in all methods.
func TestRevocationList(t *testing.T) {
	mine := Revoked{RID: testRID, Index: 0x61, Serial: [3]byte{0, 0, 1}}
	other := func(f func(*Revoked)) Revoked { r := mine; f(&r); return r }
	for _, c := range []struct {
		name string
		aip  string
		list []Revoked
		tvr1 byte
	}{
		{"5.3 step 10: SDA", aipForSDA, []Revoked{mine}, odaSDAFailed},
		{"6.3 step 10: DDA", aipForDDA, []Revoked{mine}, odaDDAFailed},
		{"6.3 step 10: CDA", aipForCDA, []Revoked{mine}, odaCDAFailed},
		{"5.1.2: the last of many", aipForCDA, append(make([]Revoked, 100), mine), odaCDAFailed},
		{"5.1.2: another serial", aipForDDA, []Revoked{other(func(r *Revoked) { r.Serial[0] = 1 })}, odaFine},
		{"5.1.2: another CA key", aipForDDA, []Revoked{other(func(r *Revoked) { r.Index = 0x62 })}, odaFine},
		{"5.1.2: another RID", aipForDDA, []Revoked{other(func(r *Revoked) { r.RID[4] = 0x34 })}, odaFine},
		{"5.1.2: an empty list", aipForDDA, nil, odaFine},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Revoked = c.list
			s, err := New(cfg).Start(t.Context(), chipWith(c.aip), testRequest(), &person{})
			if err != nil || s.tvr[0] != c.tvr1 {
				t.Errorf("TVR %X, %v", s.tvr, err)
			}
		})
	}
}

// Book 2, D1 and table 43: chains at the largest sizes a record can hold, and every pair of exponents.
func TestKeyChains(t *testing.T) {
	for _, c := range [][3]string{
		{"ca1984", "issuer1976", "icc1640"}, // the largest that a CDA answer of 256 bytes has room for: table 50
		{"ca1984", "issuer1984", "icc1408"},
		{"ca1152", "issuer1152", "icc1152"},
		{"ca1984", "issuer1024", "icc768"},
		{"ca1152", "issuer1024", "icc768"},
	} {
		for _, aip := range []string{aipForSDA, aipForDDA, aipForCDA} {
			s := mustStart(t, chipWith(aip, useKeys(c[0], c[1], c[2])))
			if s.tvr[0]&^odaFineSDA != 0 || s.Outcome() != Online {
				t.Errorf("%s, AIP %s: TVR %X, outcome %d", strings.Join(c[:], " "), aip, s.tvr, s.Outcome())
			}
		}
	}
	for _, icc := range []string{"icc1976", "icc1984"} {
		issuer := strings.Replace(icc, "icc", "issuer", 1)
		if s := mustStart(t, chipWith(aipForDDA, useKeys("ca1984", issuer, icc))); s.tvr[0] != odaFine {
			t.Errorf("%s: TVR %X", icc, s.tvr)
		}
	}
}

func sha1Of(parts ...[]byte) []byte {
	h := sha1.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
