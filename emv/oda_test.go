package emv

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"posd/emv/oda"
	"posd/emv/tlv"
)

// AIPs for the three methods; all have cardholder verification, risk management and issuer authentication too.
const (
	aipForSDA = "5C00"
	aipForDDA = "7C00"
	aipForCDA = "7D00"
)

// TVR byte 1 for the outcomes of Book 3, 10.3.
const (
	odaFine        = 0x00
	odaFineSDA     = 0x02
	odaNotDone     = 0x80
	odaSDAFailed   = 0x42
	odaDDAFailed   = 0x08
	odaCDAFailed   = 0x04
	odaDataMissing = 0x20
)

func flip(i int) func([]byte) {
	return func(b []byte) {
		if i < 0 {
			i += len(b)
		}
		b[i] ^= 0x01
	}
}

func to(i int, v ...byte) func([]byte) {
	return func(b []byte) { copy(b[i:], v) }
}

func TestODAClauses(t *testing.T) {
	with := func(aip string, changes ...func(*chip)) *chip {
		c := newChip()
		c.aip = aip
		for _, f := range changes {
			f(c)
		}
		return c
	}
	drop := func(tag tlv.Tag) func(*chip) { return func(c *chip) { c.drop[tag] = true } }
	set := func(tag tlv.Tag, v string) func(*chip) { return func(c *chip) { c.set[tag] = unhex(v) } }
	wreck := func(what string, f func([]byte)) func(*chip) { return func(c *chip) { c.wreck[what] = f } }
	issuer := func(f func([]byte)) func(*chip) { return func(c *chip) { c.issuerHead = f } }
	icc := func(f func([]byte)) func(*chip) { return func(c *chip) { c.iccHead = f } }
	names := func(ca, issuer, icc string) func(*chip) {
		return func(c *chip) { c.ca, c.issuer, c.icc = ca, issuer, icc }
	}
	noList := func(c *chip) { c.sdaList = false }
	format2 := func(c *chip) { c.format2 = true }
	for _, c := range []struct {
		name string
		chip *chip
		tvr1 byte
		done bool // TSI: offline data authentication was performed
	}{
		// Which method (Book 3, 10.3).
		{"10.3 card without ODA", with("1C00"), odaNotDone, false},
		{"10.3 SDA", with(aipForSDA), odaFineSDA, true},
		{"10.3 DDA is preferred to SDA", with(aipForDDA), odaFine, true},
		{"10.3 CDA is preferred to DDA", with(aipForCDA), odaFine, true},
		{"10.3 CDA alone", with("1D00"), odaFine, true},

		// Keys of all sizes.
		{"SDA with keys of 1984 bits", with(aipForSDA), odaFineSDA, true},
		{"SDA with 1152 and 1024 bits, exponents 65537", with(aipForSDA, names("ca1152", "issuer1024", "")), odaFineSDA, true},
		{"DDA with three keys of 1984 bits", with(aipForDDA, names("ca1984", "issuer1984", "icc1984")), odaFine, true},
		{"DDA with 1152, 1024 and 768 bits", with(aipForDDA, names("ca1152", "issuer1024", "icc768")), odaFine, true},
		{"DDA, issuer key wholly in its certificate", with(aipForDDA, names("ca1984", "issuer1024", "icc768")), odaFine, true},
		{"DDA, answer in format 2", with(aipForDDA, format2), odaFine, true},
		{"CDA with 768 bits", with(aipForCDA, names("ca1152", "issuer1024", "icc768")), odaFine, true},

		// Static data (Book 2, 5.1.1; Book 3, 10.3).
		{"5.1.1 without a tag list", with(aipForSDA, noList), odaFineSDA, true},
		{"5.1.1 tag list with more than the AIP", with(aipForSDA, set(tagSDATagList, "8284")), odaSDAFailed, true},
		{"5.1.1 tag list without the AIP", with(aipForDDA, set(tagSDATagList, "84")), odaDDAFailed, true},
		{"5.1.1 empty tag list", with(aipForCDA, set(tagSDATagList, "")), odaCDAFailed, true},

		// Missing objects (Book 3, 7.2).
		{"7.2 SDA without CA index", with(aipForSDA, drop(tagCAIndex)), odaSDAFailed | odaDataMissing, true},
		{"7.2 SDA without issuer certificate", with(aipForSDA, drop(tagIssuerCert)), odaSDAFailed | odaDataMissing, true},
		{"7.2 SDA without issuer exponent", with(aipForSDA, drop(tagIssuerExp)), odaSDAFailed | odaDataMissing, true},
		{"7.2 SDA without remainder", with(aipForSDA, drop(tagIssuerRest)), odaSDAFailed | odaDataMissing, true},
		{"7.2 DDA without ICC remainder", with(aipForDDA, names("ca1984", "issuer1984", "icc1984"), drop(tagICCRest)), odaDDAFailed | odaDataMissing, true},
		{"7.2 SDA without signature", with(aipForSDA, drop(tagSSAD)), odaSDAFailed | odaDataMissing, true},
		{"7.2 DDA without ICC certificate", with(aipForDDA, drop(tagICCCert)), odaDDAFailed | odaDataMissing, true},
		{"7.2 DDA without ICC exponent", with(aipForDDA, drop(tagICCExp)), odaDDAFailed | odaDataMissing, true},
		{"7.2 CDA without ICC certificate", with(aipForCDA, drop(tagICCCert)), odaCDAFailed | odaDataMissing, true},
		{"7.2 DDA needs no static signature", with(aipForDDA, drop(tagSSAD)), odaFine, true},

		// Issuer certificate (Book 2, 5.3 and 6.3).
		{"5.3 CA key not known", with(aipForSDA, set(tagCAIndex, "77")), odaSDAFailed, true},
		{"5.3 step 1 certificate a byte short", with(aipForSDA, set(tagIssuerCert, strings.Repeat("55", 247))), odaSDAFailed, true},
		{"5.3 step 1 certificate a byte long", with(aipForSDA, names("ca1152", "issuer1024", ""), set(tagIssuerCert, strings.Repeat("55", 145))), odaSDAFailed, true},
		{"5.3 step 1 empty certificate", with(aipForSDA, set(tagIssuerCert, "")), odaSDAFailed, true},
		{"5.3 certificate not below the modulus", with(aipForSDA, set(tagIssuerCert, strings.Repeat("FF", 248))), odaSDAFailed, true},
		{"5.3 step 2 trailer", with(aipForSDA, wreck("issuer", flip(-1))), odaSDAFailed, true},
		{"5.3 step 3 header", with(aipForSDA, wreck("issuer", flip(0))), odaSDAFailed, true},
		{"5.3 step 4 certificate format", with(aipForSDA, issuer(to(0, 0x03))), odaSDAFailed, true},
		{"5.3 step 7 hash", with(aipForSDA, wreck("issuer", flip(-2))), odaSDAFailed, true},
		{"5.3 step 7 key in the certificate", with(aipForSDA, wreck("issuer", flip(40))), odaSDAFailed, true},
		{"5.3 step 8 issuer of another PAN", with(aipForSDA, issuer(to(1, 0x62, 0x10))), odaSDAFailed, true},
		{"5.3 step 8 issuer of three digits", with(aipForSDA, issuer(to(1, 0x62, 0x0F, 0xFF, 0xFF))), odaFineSDA, true},
		{"5.3 step 8 issuer of two digits", with(aipForSDA, issuer(to(1, 0x62, 0xFF, 0xFF, 0xFF))), odaSDAFailed, true},
		{"5.3 step 8 padding in the middle", with(aipForSDA, issuer(to(1, 0x62, 0x0F, 0x00, 0xFF))), odaSDAFailed, true},
		{"5.3 step 9 expired last month", with(aipForSDA, issuer(to(5, 0x02, 0x26))), odaSDAFailed, true},
		{"5.3 step 9 expires this month", with(aipForSDA, issuer(to(5, 0x03, 0x26))), odaFineSDA, true},
		{"5.3 step 9 month 13", with(aipForSDA, issuer(to(5, 0x13, 0x30))), odaSDAFailed, true},
		{"5.3 step 9 not a date", with(aipForSDA, issuer(to(5, 0xAA, 0x30))), odaSDAFailed, true},
		{"5.3 hash algorithm", with(aipForSDA, issuer(to(10, 0x02))), odaSDAFailed, true},
		{"5.3 step 11 key algorithm", with(aipForSDA, issuer(to(11, 0x02))), odaSDAFailed, true},
		{"5.3 step 12 key length says more", with(aipForSDA, issuer(to(12, 249))), odaSDAFailed, true},
		{"5.3 step 12 key length says less", with(aipForSDA, issuer(to(12, 128))), odaSDAFailed, true},
		{"5.3 step 12 key length zero", with(aipForSDA, issuer(to(12, 0)), drop(tagIssuerRest)), odaSDAFailed, true},
		{"5.3 remainder of another length", with(aipForSDA, set(tagIssuerRest, "00")), odaSDAFailed, true},
		{"5.3 exponent 1", with(aipForSDA, set(tagIssuerExp, "01")), odaSDAFailed, true},
		{"5.3 exponent 0", with(aipForSDA, set(tagIssuerExp, "00")), odaSDAFailed, true},
		{"5.3 exponent 65537 where 3 was signed", with(aipForSDA, set(tagIssuerExp, "010001")), odaSDAFailed, true},

		// Static signature (Book 2, 5.4).
		{"5.4 step 1 length", with(aipForSDA, set(tagSSAD, "0102")), odaSDAFailed, true},
		{"5.4 step 2 trailer", with(aipForSDA, wreck("ssad", flip(-1))), odaSDAFailed, true},
		{"5.4 step 3 header", with(aipForSDA, wreck("ssad", flip(0))), odaSDAFailed, true},
		{"5.4 step 4 format", with(aipForSDA, wreck("ssad", flip(1))), odaSDAFailed, true},
		{"5.4 step 7 hash", with(aipForSDA, wreck("ssad", flip(-5))), odaSDAFailed, true},

		// ICC certificate (Book 2, 6.4).
		{"6.4 step 1 length", with(aipForDDA, set(tagICCCert, strings.Repeat("55", 247))), odaDDAFailed, true},
		{"6.4 step 2 trailer", with(aipForDDA, wreck("icc", flip(-1))), odaDDAFailed, true},
		{"6.4 step 3 header", with(aipForDDA, wreck("icc", flip(0))), odaDDAFailed, true},
		{"6.4 step 4 format", with(aipForDDA, icc(to(0, 0x02))), odaDDAFailed, true},
		{"6.4 step 7 hash", with(aipForDDA, wreck("icc", flip(-2))), odaDDAFailed, true},
		{"6.4 step 8 another PAN", with(aipForDDA, icc(to(8, 0x13))), odaDDAFailed, true},
		{"6.4 step 8 a longer PAN", with(aipForDDA, icc(to(9, 0x1F))), odaDDAFailed, true},
		{"6.4 step 9 expired", with(aipForDDA, icc(to(11, 0x02, 0x26))), odaDDAFailed, true},
		{"6.4 step 9 last month of validity", with(aipForDDA, icc(to(11, 0x03, 0x26))), odaFine, true},
		{"6.4 hash algorithm", with(aipForDDA, icc(to(16, 0x02))), odaDDAFailed, true},
		{"6.4 step 10 key algorithm", with(aipForDDA, icc(to(17, 0x00))), odaDDAFailed, true},
		{"6.4 key length says more", with(aipForDDA, icc(to(18, 0xFF))), odaDDAFailed | odaDataMissing, true},
		{"6.4 remainder where none belongs", with(aipForDDA, func(c *chip) { c.unsigned = obj(tagICCRest, "00") }), odaDDAFailed, true},
		{"6.4 signed records were changed", with(aipForDDA, func(c *chip) {
			c.build()
			r := c.records[[2]byte{2, 1}]
			r[bytes.Index(r, unhex("301231"))] = 0x31 // a later expiry
		}), odaDDAFailed, true},
		{"6.4 AIP was changed", with(aipForDDA, func(c *chip) { c.build(); c.aip = "7800" }), odaDDAFailed, true},

		// Dynamic signature (Book 2, 6.5).
		{"6.5.1 card's DDOL without 9F37", with(aipForDDA, set(tagDDOL, "9A03")), odaDDAFailed, true},
		{"6.5.1 card's DDOL cut off", with(aipForDDA, set(tagDDOL, "9F37")), odaDDAFailed, true},
		{"6.5.1 card's DDOL asks for too much", with(aipForDDA, set(tagDDOL, "9F37049AFF")), odaDDAFailed, true},
		{"6.5.1 no DDOL: the terminal's default", with(aipForDDA, drop(tagDDOL)), odaFine, true},
		{"6.5.1 DDOL with more in it", with(aipForDDA, set(tagDDOL, "9F3704 9F0206 9A03")), odaFine, true},
		{"6.5 a short signature", with(aipForDDA, func(c *chip) { c.answers["88"] = unhex("80021234 9000") }), odaDDAFailed, true},
		{"6.5.2 step 2 trailer", with(aipForDDA, wreck("sdad", flip(-1))), odaDDAFailed, true},
		{"6.5.2 step 3 header", with(aipForDDA, wreck("sdad", flip(0))), odaDDAFailed, true},
		{"6.5.2 step 4 format", with(aipForDDA, wreck("sdad", flip(1))), odaDDAFailed, true},
		{"6.5.2 step 7 hash", with(aipForDDA, wreck("sdad", flip(-4))), odaDDAFailed, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := start(t, c.chip)
			if err != nil {
				t.Fatal(err)
			}
			if s.tvr[0] != c.tvr1 {
				t.Errorf("TVR byte 1 %02X, want %02X", s.tvr[0], c.tvr1)
			}
			if tsiODA.in(s.tsi[:]) != c.done {
				t.Errorf("TSI %X, want performed %v", s.tsi, c.done)
			}
		})
	}
}

func TestTerminalWithoutAMethod(t *testing.T) {
	for _, c := range []struct {
		name string
		caps byte
		aip  string
		want odaMethod
	}{
		{"all", 0xC8, aipForCDA, odaCDA},
		{"no CDA", 0xC0, aipForCDA, odaDDA},
		{"SDA only", 0x80, aipForCDA, odaSDA},
		{"none", 0x00, aipForCDA, odaNone},
		{"DDA only, card with SDA only", 0x40, aipForSDA, odaNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Terminal.Capabilities[2] = c.caps
			ch := newChip()
			ch.aip = c.aip
			s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
			if err != nil || s.oda != c.want || tvrODANotPerformed.in(s.tvr[:]) != (c.want == odaNone) {
				t.Errorf("method %d, TVR %X, %v", s.oda, s.tvr, err)
			}
		})
	}
	cfg := testConfig()
	cfg.Applications[0].DDOL = nil
	ch := newChip()
	ch.aip = aipForDDA
	ch.drop[tagDDOL] = true
	s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
	if err != nil || s.tvr[0] != odaDDAFailed {
		t.Errorf("no DDOL on either side: %X, %v", s.tvr, err)
	}
}

func TestRevokedIssuerCertificate(t *testing.T) {
	cfg := testConfig()
	cfg.Revoked = []Revoked{{RID: testRID, Index: 0x61, Serial: [3]byte{0, 0, 1}}}
	ch := newChip()
	ch.aip = aipForSDA
	s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
	if err != nil || s.tvr[0] != odaSDAFailed {
		t.Errorf("TVR %X, %v", s.tvr, err)
	}
	cfg.Revoked[0].Serial[2] = 2
	if s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{}); err != nil || s.tvr[0] != odaFineSDA {
		t.Errorf("another serial: TVR %X, %v", s.tvr, err)
	}
}

func TestODALeavesItsData(t *testing.T) {
	ch := newChip()
	ch.aip = aipForSDA
	s := mustStart(t, ch)
	if v, _ := s.Get(tagDAC); !bytes.Equal(v, unhex("DAC1")) {
		t.Errorf("9F45 = %X", v)
	}
	ch = newChip()
	ch.aip = aipForDDA
	s = mustStart(t, ch)
	if v, _ := s.Get(tagICCDynamic); !bytes.Equal(v, unhex("1122334455667788")) {
		t.Errorf("9F4C = %X", v)
	}
}

// The published Visa test key 94 and a certificate, a static signature and an ICC certificate made under it.
func TestODAVisaVectors(t *testing.T) {
	var f struct{ Data map[string]string }
	b, err := os.ReadFile("testdata/oda-visa-test94.json")
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.CAKeys = nil
	for _, k := range capk(t) {
		if k.RID == "A000000003" {
			key, err := NewCAKey([5]byte(unhex(k.RID)), unhex(k.Index)[0], unhex(k.Modulus), unhex(k.Exponent), unhex(k.SHA1))
			if err != nil {
				t.Fatal(err)
			}
			cfg.CAKeys = append(cfg.CAKeys, key)
		}
	}
	try := func(cert, index, exp, pan string, year int) (oda.PublicKey, bool) {
		s := session(t, cfg, script(t), &person{})
		s.rid = unhex("A000000003")
		s.req.Time = time.Date(year, 12, 31, 12, 0, 0, 0, time.UTC)
		s.panField = unhex(pan)
		s.icc.Set(tagCAIndex, unhex(index))
		s.icc.Set(tagIssuerCert, unhex(f.Data[cert]))
		s.icc.Set(tagIssuerRest, nil)
		s.icc.Set(tagIssuerExp, unhex(exp))
		k, err := s.odaCard().IssuerKey()
		return k, err == nil
	}
	const pan = "4761739001010119"
	issuer, ok := try("valid_issuer_cert", "94", "03", pan, 2031)
	if !ok || issuer.Size() != 176 {
		t.Fatal("the valid issuer certificate is refused")
	}
	for _, c := range []struct {
		name, cert, index, exp, pan string
		year                        int
	}{
		{"last byte wrong", "invalid_issuer_cert", "94", "03", pan, 2031},
		{"another CA key", "valid_issuer_cert", "09", "03", pan, 2031},
		{"a CA key that is not there", "valid_issuer_cert", "FE", "03", pan, 2031},
		{"another exponent", "valid_issuer_cert", "94", "010001", pan, 2031},
		{"another issuer", "valid_issuer_cert", "94", "03", "4761729001010119", 2031},
		{"expired", "valid_issuer_cert", "94", "03", pan, 2032},
	} {
		if _, ok := try(c.cert, c.index, c.exp, c.pan, c.year); ok {
			t.Errorf("%s: accepted", c.name)
		}
	}
	// The static data of the other two are not part of the vectors: what can be told is that the right ones open and the wrong
	// ones do not.
	opens := func(name string, format byte) bool {
		r := issuer.Recover(unhex(f.Data[name]))
		return r != nil && r[0] == 0x6A && r[1] == format && r[len(r)-1] == 0xBC
	}
	for name, want := range map[string]bool{"valid_enc_ssad": true, "invalid_enc_ssad": false} {
		if opens(name, 0x03) != want {
			t.Errorf("%s opens: %v", name, !want)
		}
	}
	for name, want := range map[string]bool{"valid_icc_cert": true, "invalid_icc_cert": false} {
		if opens(name, 0x04) != want {
			t.Errorf("%s opens: %v", name, !want)
		}
	}
	if r := issuer.Recover(unhex(f.Data["valid_icc_cert"])); !bytes.Equal(r[2:12], unhex(pan+"FFFF")) {
		t.Error("the ICC certificate is for another PAN")
	}
}

func TestCDAClauses(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*chip)
		tvr1    byte
		outcome Outcome
		p1      []byte // of the GENERATE AC commands
	}{
		{"6.6.1 signature with ARQC", func(*chip) {}, odaFine, Online, []byte{0x90}},
		{"6.6.1 card lowers to AAC: nothing to verify", func(c *chip) { c.first = acAAC }, odaFine, Declined, []byte{0x90}},
		{"6.6.2 key could not be recovered: no signature asked for", func(c *chip) { c.drop[tagICCCert] = true }, odaCDAFailed | odaDataMissing, Online, []byte{0x80}},
		{"6.6.2 ARQC with a wrong signature: AAC at once", func(c *chip) { c.cdaWreck = flip(-1) }, odaCDAFailed, Declined, []byte{0x90, 0x00}},
		{"6.6.2 step 3 header", func(c *chip) { c.cdaWreck = flip(0) }, odaCDAFailed, Declined, []byte{0x90, 0x00}},
		{"6.6.2 step 4 format", func(c *chip) { c.cdaWreck = flip(1) }, odaCDAFailed, Declined, []byte{0x90, 0x00}},
		{"6.6.2 step 6 the CID in the clear is another", func(c *chip) { c.first, c.cidLie = acARQC, 0x08 }, odaCDAFailed, Declined, []byte{0x90, 0x00}},
		{"6.6.2 answer without a signature", func(c *chip) { c.answers["AE"] = nil }, odaCDAFailed, Declined, []byte{0x90, 0x00}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch := newChip()
			c.change(ch)
			var card Card = ch
			if _, ok := ch.answers["AE"]; ok {
				delete(ch.answers, "AE")
				// Format 1 whatever was asked for.
				card = cardFunc(func(capdu []byte) []byte {
					if capdu[1] == 0xAE {
						capdu = bytes.Clone(capdu)
						ch.gac = append(ch.gac, gacSeen{capdu[2], nil})
						capdu[2] &= acMask
						r, _ := ch.Transceive(t.Context(), capdu)
						ch.gac = ch.gac[:len(ch.gac)-1]
						return r
					}
					r, _ := ch.Transceive(t.Context(), capdu)
					return r
				})
			}
			s, err := start(t, card)
			if err != nil {
				t.Fatal(err)
			}
			if s.tvr[0] != c.tvr1 || s.Outcome() != c.outcome {
				t.Errorf("TVR byte 1 %02X, outcome %d; want %02X, %d", s.tvr[0], s.Outcome(), c.tvr1, c.outcome)
			}
			var p1 []byte
			for _, g := range ch.gac {
				p1 = append(p1, g.p1)
			}
			if !bytes.Equal(p1, c.p1) {
				t.Errorf("GENERATE AC with P1 %X, want %X", p1, c.p1)
			}
		})
	}
}

// 6.6.2, steps 8 to 11: every byte that the transaction data hash covers.
func TestCDACoversTheTransaction(t *testing.T) {
	for _, c := range []struct {
		name string
		lie  func(*chip)
	}{
		{"PDOL data", func(c *chip) { c.pdolData = append(c.pdolData, 1) }},
		{"CDOL1 data", func(c *chip) { c.cdol1Data = []byte{1} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch := newChip()
			s := mustStart(t, ch)
			c.lie(ch)
			out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true})
			if err != nil || out != Declined || !tvrCDAFailed.in(s.tvr[:]) {
				t.Errorf("outcome %d, TVR %X, %v", out, s.tvr, err)
			}
		})
	}
	ch := newChip()
	ch.prop += "9F38039F3704"
	s := mustStart(t, ch)
	if len(ch.pdolData) != 4 || s.Outcome() != Online || s.tvr[0] != odaFine {
		t.Errorf("with a PDOL: %d bytes, outcome %d, TVR %X", len(ch.pdolData), s.Outcome(), s.tvr)
	}
	// A card in between that changes the amount it is shown.
	ch = newChip()
	relay := cardFunc(func(capdu []byte) []byte {
		capdu = bytes.Clone(capdu)
		if capdu[1] == 0xAE {
			capdu[10] ^= 0x01
		}
		r, _ := ch.Transceive(t.Context(), capdu)
		return r
	})
	if s := mustStart(t, relay); s.Outcome() != Declined || !tvrCDAFailed.in(s.tvr[:]) {
		t.Errorf("changed amount: outcome %d, TVR %X", s.Outcome(), s.tvr)
	}
}

type capkEntry struct{ RID, Index, Modulus, Exponent, SHA1, Note string }

func capk(t testing.TB) []capkEntry {
	t.Helper()
	b, err := os.ReadFile("testdata/capk.json")
	var out []capkEntry
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil || len(out) < 40 {
		t.Fatal(len(out), err)
	}
	return out
}

func TestCAKeys(t *testing.T) {
	for _, k := range capk(t) {
		key, err := NewCAKey([5]byte(unhex(k.RID)), unhex(k.Index)[0], unhex(k.Modulus), unhex(k.Exponent), unhex(k.SHA1))
		if err != nil || key.Bits() != len(k.Modulus)*4 {
			t.Errorf("%s %s: %d bits, %v", k.RID, k.Index, key.Bits(), err)
		}
		for what, f := range map[string]func(*capkEntry){
			"RID":      func(k *capkEntry) { k.RID = "A000000009" },
			"index":    func(k *capkEntry) { k.Index = "77" },
			"modulus":  func(k *capkEntry) { k.Modulus = k.Modulus[:len(k.Modulus)-2] + "01" },
			"exponent": func(k *capkEntry) { k.Exponent = "05" },
			"checksum": func(k *capkEntry) { k.SHA1 = strings.Repeat("00", 20) },
		} {
			w := k
			f(&w)
			if w == k {
				continue
			}
			if _, err := NewCAKey([5]byte(unhex(w.RID)), unhex(w.Index)[0], unhex(w.Modulus), unhex(w.Exponent), unhex(w.SHA1)); !errors.Is(err, ErrConfig) {
				t.Errorf("%s %s with another %s: %v", k.RID, k.Index, what, err)
			}
		}
	}
	if (CAKey{}).Bits() != 0 {
		t.Error("the zero key has bits")
	}
}
