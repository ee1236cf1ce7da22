package emv

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"posd/emv/tlv"
)

// xdaKeys is a test payment system for one suite: certification authority, issuer, card.
type xdaKeys struct{ ca, issuer, icc *ecSigner }

var xdaP256, xdaP521 = testChain(suiteP256), testChain(suiteP521)

func testChain(u *ecSuite) func() xdaKeys {
	return sync.OnceValue(func() xdaKeys {
		return xdaKeys{fixedECSigner(u, "certification authority"), fixedECSigner(u, "issuer"), fixedECSigner(u, "card")}
	})
}

const xdaIndex, xdaIndex521 = 0xE1, 0xE2

// xdaCAKeys are the terminal's keys for both chains.
var xdaCAKeys = sync.OnceValue(func() []CAKey {
	return []CAKey{ecCA(xdaP256().ca, xdaIndex), ecCA(xdaP521().ca, xdaIndex521)}
})

// ecCA is the terminal's key for a test certification authority.
func ecCA(s *ecSigner, index byte) CAKey {
	k, err := NewECCAKey(testRID, index, s.u.id, s.xy(), s.u.hash.sum(testRID[:], []byte{index, s.u.id}, s.xy()))
	if err != nil {
		panic(err)
	}
	return k
}

func xdaConfig() Config {
	cfg := testConfig()
	cfg.Terminal.Capabilities[2] |= 0x04
	cfg.CAKeys = append(cfg.CAKeys, xdaCAKeys()...)
	return cfg
}

// xdaChip is a card with XDA: the base chip without RSA, with EC certificates in SFI 3 and signed answers to GENERATE AC.
type xdaChip struct {
	*chip
	keys     xdaKeys
	index    byte
	iccdHash *ecHash
	issuer   func([]byte) // changes the signed part of the issuer certificate
	icc      func([]byte) // likewise of the ICC certificate
	iccdMore []byte       // behind the static data that the issuer hashed
	signed11 []byte       // a signed record of SFI 11, whole
	after    map[tlv.Tag]func([]byte) []byte
	dropCert map[tlv.Tag]bool
	signer   *ecSigner                   // of the dynamic data, instead of the card's key
	msg      func(parts [][]byte) []byte // what the card signs, instead of the concatenation
	answer   func(n int, objects []byte, sdad []byte) []byte
	p1       []byte
	commands [][]byte
	format1  bool
	xdaBuilt bool
}

const aipForXDA = "9C00"

func newXDAChip(changes ...func(*xdaChip)) *xdaChip {
	c := &xdaChip{
		chip: newChip(), keys: xdaP256(), index: xdaIndex, iccdHash: ecSHA256,
		after: map[tlv.Tag]func([]byte) []byte{}, dropCert: map[tlv.Tag]bool{},
	}
	c.ca, c.aip = "", aipForXDA
	for _, f := range changes {
		f(c)
	}
	return c
}

func (c *xdaChip) issuerCert() []byte {
	b := append([]byte{0x12, 0x00}, unhex("62000000FF")...)
	b = append(b, c.keys.issuer.u.id)
	b = append(b, unhex("20301231 000001")...)
	b = append(append(b, testRID[:]...), c.index)
	b = append(b, c.keys.issuer.x()...)
	if c.issuer != nil {
		c.issuer(b)
	}
	return append(b, c.keys.ca.sign(b, nil)...)
}

func (c *xdaChip) iccCert(static []byte) []byte {
	b := append([]byte{0x14, 0x00, c.keys.icc.u.id}, unhex("20301231 2359 000000000002 00")...)
	b = append(b, c.iccdHash.indicator)
	b = append(b, c.iccdHash.sum(static)...)
	b = append(b, c.keys.icc.x()...)
	if c.icc != nil {
		c.icc(b)
	}
	return append(b, c.keys.issuer.sign(b, nil)...)
}

func (c *xdaChip) layOut() {
	c.xdaBuilt = true
	c.build()
	static := bytes.Clone(c.records[[2]byte{2, 1}])
	static = append(static, c.signed11...)
	static = append(static, obj(tagAIP, c.aip)...)
	static = append(static, obj(tagAID, c.aid)...)
	if pdol, ok := tlv.Find(unhex(c.prop), tagPDOL); ok {
		static = append(static, obj(tagPDOL, pdol)...)
	}
	static = append(static, c.iccdMore...)
	for i, o := range []struct {
		tag   tlv.Tag
		value []byte
	}{{tagCAIndex, []byte{c.index}}, {tagIssuerCert, c.issuerCert()}, {tagICCCert, c.iccCert(static)}} {
		if f := c.after[o.tag]; f != nil {
			o.value = f(o.value)
		}
		var r []byte
		if !c.dropCert[o.tag] {
			r = obj(o.tag, o.value)
		}
		c.records[[2]byte{3, byte(i + 1)}] = r
	}
	c.afl = append(c.afl, unhex("18010300")...)
}

func (c *xdaChip) Transceive(ctx context.Context, capdu []byte) ([]byte, error) {
	if !c.xdaBuilt {
		c.layOut()
	}
	c.commands = append(c.commands, bytes.Clone(capdu))
	if capdu[1] != 0xAE {
		return c.chip.Transceive(ctx, capdu)
	}
	data := bytes.Clone(capdu[5 : 5+int(capdu[4])])
	c.p1 = append(c.p1, capdu[2])
	n := len(c.p1)
	cid := c.first
	if n > 1 {
		cid = c.second
	}
	if cid == 0xFF {
		cid = capdu[2] & acMask
	}
	ac := []byte{0xAC, 1, 2, 3, 4, 5, 6, byte(n)}
	atc := []byte{byte(c.atc >> 8), byte(c.atc)}
	if c.format1 {
		return sw(obj(tagFormat1, []byte{cid}, atc, ac, "07010103"), 0x9000), nil
	}
	objects := slices.Concat(obj(tagCID, []byte{cid}), obj(tagATC, atc), obj(tagAC, ac), obj(tagIAD, "07010103A0A002"), obj(0x9F7C, "0102"))
	parts := [][]byte{{0x15}, c.pdolData, data, objects}
	if n > 1 {
		parts = [][]byte{{0x15}, data, objects}
	}
	msg := slices.Concat(parts...)
	if c.msg != nil {
		msg = c.msg(parts)
	}
	signer := c.keys.icc
	if c.signer != nil {
		signer = c.signer
	}
	var sdad []byte
	if capdu[2]&0x18 == acXDA {
		sdad = append([]byte{0x15}, signer.sign(msg, nil)...)
	}
	if c.answer != nil {
		return c.answer(n, objects, sdad), nil
	}
	return sw(obj(tagFormat2, objects, obj(tagSDAD, sdad)), 0x9000), nil
}

// runXDA runs a transaction and, when it is to go online, has the issuer approve.
func runXDA(t *testing.T, cfg Config, c *xdaChip) (*Session, Outcome) {
	t.Helper()
	s, err := New(cfg).Start(t.Context(), c, testRequest(), &person{})
	if err != nil {
		t.Fatal(err)
	}
	first := s.Outcome()
	if first == Online {
		if _, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true}); err != nil {
			t.Fatal(err)
		}
	}
	return s, first
}

// TVR as XDA leaves it. The amount of the test is above the floor limit (byte 4) and the PIN goes online (byte 3).
var (
	xdaFine      = [5]byte{0x01, 0, 0x04, 0x80, 0x00}
	xdaBadSig    = [5]byte{0x01, 0, 0x04, 0x81, 0x00}
	xdaNoCA      = [5]byte{0x01, 0, 0x04, 0x80, 0x04}
	xdaBadKey    = [5]byte{0x01, 0, 0x04, 0x80, 0x02}
	xdaNoCAData  = [5]byte{0x21, 0, 0x04, 0x80, 0x04}
	xdaBadKeyDat = [5]byte{0x21, 0, 0x04, 0x80, 0x02}
)

func put(at int, v ...byte) func(*xdaChip) { return func(c *xdaChip) { c.issuer = to(at, v...) } }

func putICC(at int, v ...byte) func(*xdaChip) { return func(c *xdaChip) { c.icc = to(at, v...) } }

func spoil(tag tlv.Tag, f func([]byte) []byte) func(*xdaChip) {
	return func(c *xdaChip) { c.after[tag] = f }
}

// EMV 4.4 Book 2, chapter 12, and Book 3, 10.3: one card each, that has one thing wrong. A failure sends the transaction online
// where no action code denies it (Book 4, 6.3.2.2.4), so every card here ends with two GENERATE ACs.
func TestXDAClauses(t *testing.T) {
	for _, c := range []struct {
		name string
		chip *xdaChip
		tvr  [5]byte
	}{
		{"12.5: P-256", newXDAChip(), xdaFine},
		{"12.5: P-521, ICCD hashed with SHA-256", newXDAChip(func(c *xdaChip) { c.keys, c.index = xdaP521(), xdaIndex521 }), xdaFine},
		{"B2.4.1: CA of P-521, issuer and card of P-256", newXDAChip(func(c *xdaChip) {
			c.keys, c.index = xdaKeys{xdaP521().ca, xdaP256().issuer, xdaP256().icc}, xdaIndex521
		}), xdaFine},
		{"B2.4.1: card of P-521 under an issuer of P-256", newXDAChip(func(c *xdaChip) { c.keys.icc = xdaP521().icc }), xdaFine},
		{"B2.3: ICCD hashed with SHA-512", newXDAChip(func(c *xdaChip) { c.iccdHash = ecSHA512 }), xdaFine},
		{"10.3: with a PDOL", newXDAChip(func(c *xdaChip) { c.prop += "9F38069F33039F3704" }), xdaFine},
		{"10.3: the tag list has no say", newXDAChip(func(c *xdaChip) { c.set[tagSDATagList] = unhex("8284") }), xdaFine},
		{"10.3: XDA comes before CDA", newXDAChip(func(c *xdaChip) { c.aip = "FD00" }), xdaFine},

		// CA key (12.2).
		{"12.2: no CA key with this index", newXDAChip(func(c *xdaChip) { c.index = 0x77 }), xdaNoCA},
		{"12.2: an RSA key under this index", newXDAChip(func(c *xdaChip) { c.index = 0x61 }), xdaNoCA},
		{"12.2: no index", newXDAChip(func(c *xdaChip) { c.dropCert[tagCAIndex] = true }), xdaNoCAData},
		{"12.2: an index of another CA", newXDAChip(func(c *xdaChip) { c.index = xdaIndex521 }), xdaBadKey},

		// Issuer certificate (12.3).
		{"12.3: missing", newXDAChip(func(c *xdaChip) { c.dropCert[tagIssuerCert] = true }), xdaBadKeyDat},
		{"12.3 step 1: 20 bytes", newXDAChip(spoil(tagIssuerCert, func(b []byte) []byte { return b[:20] })), xdaBadKey},
		{"12.3 step 1: empty", newXDAChip(spoil(tagIssuerCert, func([]byte) []byte { return nil })), xdaBadKey},
		{"12.3 step 2: format 02", newXDAChip(put(0, 0x02)), xdaBadKey},
		{"12.3 step 2: format 14", newXDAChip(put(0, 0x14)), xdaBadKey},
		{"12.3 step 3: encoding 01", newXDAChip(put(1, 0x01)), xdaBadKey},
		{"12.3 step 4: another issuer", newXDAChip(put(2, 0x62, 0x01)), xdaBadKey},
		{"12.3 step 4: ten digits", newXDAChip(put(2, 0x62, 0, 0, 0, 0)), xdaFine},
		{"12.3 step 4: three digits", newXDAChip(put(2, 0x62, 0x0F, 0xFF, 0xFF, 0xFF)), xdaFine},
		{"12.3 step 4: two digits", newXDAChip(put(2, 0x62, 0xFF, 0xFF, 0xFF, 0xFF)), xdaBadKey},
		{"12.3 step 4: the tenth digit differs", newXDAChip(put(2, 0x62, 0, 0, 0, 0x01)), xdaBadKey},
		{"12.3 step 5: expired yesterday", newXDAChip(put(8, 0x20, 0x26, 0x03, 0x13)), xdaBadKey},
		{"12.3 step 5: expires today", newXDAChip(put(8, 0x20, 0x26, 0x03, 0x14)), xdaFine},
		{"12.3 step 5: no day of the calendar", newXDAChip(put(8, 0x20, 0x30, 0x02, 0x30)), xdaBadKey},
		{"12.3 step 5: not digits", newXDAChip(put(8, 0x20, 0x3A, 0x01, 0x01)), xdaBadKey},
		{"12.3 step 6: another RID", newXDAChip(put(15, 0xA0, 0, 0, 0, 0x03)), xdaBadKey},
		{"12.3 step 6: another CA index", newXDAChip(put(20, 0xE7)), xdaBadKey},
		{"12.3 step 8: suite 12 is only assigned", newXDAChip(put(7, 0x12)), xdaBadKey},
		{"12.3 step 8: suite 00 is for encipherment", newXDAChip(put(7, 0x00)), xdaBadKey},
		{"12.3 step 8: suite 80 is domestic", newXDAChip(put(7, 0x80)), xdaBadKey},
		{"12.3 step 8: suite 11 for a key of P-256", newXDAChip(put(7, 0x11)), xdaBadKey},
		{"12.3 step 9: a byte short", newXDAChip(spoil(tagIssuerCert, shorter)), xdaBadKey},
		{"12.3 step 9: a byte long", newXDAChip(spoil(tagIssuerCert, longer)), xdaBadKey},
		{"12.3 step 11: signed by another CA", newXDAChip(func(c *xdaChip) { c.keys.ca = xdaP256().icc }), xdaBadKey},
		{"12.3 step 11: key changed", newXDAChip(spoil(tagIssuerCert, func(b []byte) []byte { b[30] ^= 1; return b })), xdaBadKey},
		{"12.3 step 11: serial changed", newXDAChip(spoil(tagIssuerCert, func(b []byte) []byte { b[14] ^= 1; return b })), xdaBadKey},
		{"12.3 step 12: no point of the curve", newXDAChip(put(21, notOnCurve(suiteP256)...)), xdaBadKey},

		// ICC certificate (12.4).
		{"12.4: missing", newXDAChip(func(c *xdaChip) { c.dropCert[tagICCCert] = true }), xdaBadKeyDat},
		{"12.4 step 1: 16 bytes", newXDAChip(spoil(tagICCCert, func(b []byte) []byte { return b[:16] })), xdaBadKey},
		{"12.4 step 2: format 12", newXDAChip(putICC(0, 0x12)), xdaBadKey},
		{"12.4 step 2: format 04", newXDAChip(putICC(0, 0x04)), xdaBadKey},
		{"12.4 step 3: encoding 01", newXDAChip(putICC(1, 0x01)), xdaBadKey},
		{"12.4 step 4: expired this minute", newXDAChip(putICC(3, 0x20, 0x26, 0x03, 0x14, 0x15, 0x09)), xdaBadKey},
		{"12.4 step 4: expires the next minute", newXDAChip(putICC(3, 0x20, 0x26, 0x03, 0x14, 0x15, 0x10)), xdaFine},
		{"12.4 step 4: expired yesterday at 23:59", newXDAChip(putICC(3, 0x20, 0x26, 0x03, 0x13, 0x23, 0x59)), xdaBadKey},
		{"12.4 step 4: expires tomorrow at 00:00", newXDAChip(putICC(3, 0x20, 0x26, 0x03, 0x15, 0x00, 0x00)), xdaFine},
		{"12.4 step 4: no time of day", newXDAChip(putICC(7, 0x24, 0x00)), xdaBadKey},
		{"12.4 step 4: time not in digits", newXDAChip(putICC(7, 0x0A, 0x00)), xdaBadKey},
		{"12.4 step 5: suite 00 is for encipherment", newXDAChip(putICC(2, 0x00)), xdaBadKey},
		{"12.4 step 5: suite 13 is only assigned", newXDAChip(putICC(2, 0x13)), xdaBadKey},
		{"12.4 step 6: ICCD hash algorithm 01", newXDAChip(putICC(16, 0x01)), xdaBadKey},
		{"12.4 step 6: ICCD hash algorithm 04 is only assigned", newXDAChip(putICC(16, 0x04)), xdaBadKey},
		{"table 36: ICCD hash encoding 01", newXDAChip(putICC(15, 0x01)), xdaBadKey},
		{"12.4 step 7: a byte short", newXDAChip(spoil(tagICCCert, shorter)), xdaBadKey},
		{"12.4 step 7: a byte long", newXDAChip(spoil(tagICCCert, longer)), xdaBadKey},
		{"12.4 step 8: more was hashed than the card shows", newXDAChip(func(c *xdaChip) { c.iccdMore = []byte{0} }), xdaBadKey},
		{"12.4 step 8: ICCD hash of zeros", newXDAChip(putICC(17, make([]byte, 32)...)), xdaBadKey},
		{"12.4 step 8: a signed record was changed", newXDAChip(func(c *xdaChip) {
			c.layOut()
			r := c.records[[2]byte{2, 1}]
			r[bytes.Index(r, unhex("301231"))] = 0x31
		}), xdaBadKey},
		{"12.4 step 8: the AIP was changed", newXDAChip(func(c *xdaChip) { c.layOut(); c.aip = "9800" }), xdaBadKey},
		{"12.4 step 8: the PDOL was changed", newXDAChip(func(c *xdaChip) { c.layOut(); c.prop += "9F38039F1A02" }), xdaBadKey},
		{"12.4 step 10: signed by another issuer", newXDAChip(func(c *xdaChip) {
			issuer := *c.keys.issuer
			c.after[tagICCCert] = func(b []byte) []byte {
				signed := b[:len(b)-64]
				return append(bytes.Clone(signed), newECSigner(issuer.u).sign(signed, nil)...)
			}
		}), xdaBadKey},
		{"12.4 step 10: key changed", newXDAChip(spoil(tagICCCert, func(b []byte) []byte { b[60] ^= 1; return b })), xdaBadKey},
		{"12.4 step 11: no point of the curve", newXDAChip(putICC(49, notOnCurve(suiteP256)...)), xdaBadKey},

		// Signature (12.5).
		{"12.5.3: answer in format 1", newXDAChip(func(c *xdaChip) { c.format1 = true }), xdaBadSig},
		{"12.5.3: answer without 9F4B", newXDAChip(func(c *xdaChip) {
			c.answer = func(_ int, o, _ []byte) []byte { return sw(obj(tagFormat2, o), 0x9000) }
		}), xdaBadSig},
		{"12.5.3 step 1: empty 9F4B", newXDAChip(sdadOf(func([]byte) []byte { return nil })), xdaBadSig},
		{"12.5.3 step 1: a byte short", newXDAChip(sdadOf(shorter)), xdaBadSig},
		{"12.5.3 step 1: a byte long", newXDAChip(sdadOf(longer)), xdaBadSig},
		{"12.5.3 step 2: format 05", newXDAChip(sdadOf(func(b []byte) []byte { b[0] = 0x05; return b })), xdaBadSig},
		{"12.5.3 step 2: format 05, signed so", newXDAChip(sdadOf(func(b []byte) []byte { b[0] = 0x05; return b }), func(c *xdaChip) {
			c.msg = func(p [][]byte) []byte { return slices.Concat(append([][]byte{{0x05}}, p[1:]...)...) }
		}), xdaBadSig},
		{"12.5.3 step 3: r changed", newXDAChip(sdadOf(func(b []byte) []byte { b[1] ^= 1; return b })), xdaBadSig},
		{"12.5.3 step 3: s changed", newXDAChip(sdadOf(func(b []byte) []byte { b[64] ^= 1; return b })), xdaBadSig},
		{"12.5.3 step 3: another card's key", newXDAChip(func(c *xdaChip) { c.signer = xdaP256().issuer }), xdaBadSig},
		{"table 37: signed without the format byte", newXDAChip(func(c *xdaChip) {
			c.msg = func(p [][]byte) []byte { return slices.Concat(p[1:]...) }
		}), xdaBadSig},
		{"table 37: signed without the answer's objects", newXDAChip(func(c *xdaChip) {
			c.msg = func(p [][]byte) []byte { return slices.Concat(p[:len(p)-1]...) }
		}), xdaBadSig},
		{"table 37: signed without the CDOL1 data", newXDAChip(func(c *xdaChip) {
			c.msg = func(p [][]byte) []byte { return slices.Concat(p[0], p[1], p[len(p)-1]) }
		}), xdaBadSig},
		{"table 37: signed without the PDOL data", newXDAChip(func(c *xdaChip) {
			c.prop += "9F38039F3704"
			c.msg = func(p [][]byte) []byte { return slices.Concat(p[0], p[2], p[len(p)-1]) }
		}), xdaBadSig},
		{"table 37: an object changed after signing", newXDAChip(func(c *xdaChip) {
			c.answer = func(_ int, o, s []byte) []byte {
				o = bytes.Clone(o)
				o[len(o)-1] ^= 1
				return sw(obj(tagFormat2, o, obj(tagSDAD, s)), 0x9000)
			}
		}), xdaBadSig},
		{"table 37: 9F4B in front of the other objects", newXDAChip(func(c *xdaChip) {
			c.answer = func(_ int, o, s []byte) []byte { return sw(obj(tagFormat2, obj(tagSDAD, s), o), 0x9000) }
		}), xdaFine},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, first := runXDA(t, xdaConfig(), c.chip)
			if s.tvr != c.tvr || !tsiODA.in(s.tsi[:]) {
				t.Errorf("TVR %X, want %X; TSI %X", s.tvr, c.tvr, s.tsi)
			}
			if first != Online || s.Outcome() != Approved || !bytes.Equal(c.chip.p1, []byte{0x88, 0x48}) {
				t.Errorf("outcomes %d and %d, GENERATE AC with P1 %X", first, s.Outcome(), c.chip.p1)
			}
		})
	}
}

// sdadOf changes the signature of the first GENERATE AC.
func sdadOf(f func([]byte) []byte) func(*xdaChip) {
	return func(c *xdaChip) {
		c.answer = func(n int, o, s []byte) []byte {
			if n == 1 {
				s = f(s)
			}
			return sw(obj(tagFormat2, o, obj(tagSDAD, s)), 0x9000)
		}
	}
}

// sdad2Of changes the signature of the second GENERATE AC.
func sdad2Of(f func([]byte) []byte) func(*xdaChip) {
	return func(c *xdaChip) {
		c.answer = func(n int, o, s []byte) []byte {
			if n == 2 {
				s = f(s)
			}
			return sw(obj(tagFormat2, o, obj(tagSDAD, s)), 0x9000)
		}
	}
}

// quietTerminal and quietCard have no reason to send a transaction online.
func quietTerminal(cfg *Config) {
	a := &cfg.Applications[0]
	a.FloorLimit, a.TACOnline, a.TACDefault = 1<<30, [5]byte{}, [5]byte{}
}

func quietCard(c *xdaChip) {
	c.set[tagIACOnline], c.set[tagIACDefault] = make([]byte, 5), make([]byte, 5)
}

// Book 4, 6.3.2.2.4 and Book 2, 12.5.1: what follows a success or a failure of XDA.
func TestXDAFlow(t *testing.T) {
	flipped := func(b []byte) []byte { b[5] ^= 1; return b }
	badSig := sdadOf(flipped)
	approve := HostAnswer{Reached: true, ARC: "00", Approved: true}
	refuse := HostAnswer{Reached: true, ARC: "05"}
	askTC := quietTerminal
	quiet := quietCard
	denySig := func(cfg *Config) { cfg.Applications[0].TACDenial[3] |= 0x01 }
	denyKey := func(cfg *Config) { cfg.Applications[0].TACDenial[4] |= 0x02 }
	denyCA := func(cfg *Config) { cfg.Applications[0].TACDenial[4] |= 0x04 }
	offline := func(cfg *Config) { cfg.Terminal.Type = 0x23; askTC(cfg) }
	badKey := func(c *xdaChip) { c.keys.ca = xdaP256().icc }
	noCA := func(c *xdaChip) { c.index = 0x77 }
	returns := func(cid byte) func(*xdaChip) { return func(c *xdaChip) { c.first = cid } }
	type opts []func(*Config)
	type card []func(*xdaChip)
	for _, c := range []struct {
		name   string
		cfg    opts
		card   card
		host   HostAnswer
		first  Outcome
		last   Outcome
		p1     []byte
		tvr4   byte // the XDA bit of byte 4
		tvr5   byte
		arcEnd string
	}{
		{"12.5.1: ARQC, online approval, second signature", nil, nil, approve, Online, Approved, []byte{0x88, 0x48}, 0, 0, "00"},
		{"12.5.1: ARQC, online refusal: asked with AAC too", nil, nil, refuse, Online, Declined, []byte{0x88, 0x08}, 0, 0, "05"},
		{"12.5.1: TC offline", opts{askTC}, card{quiet}, approve, Approved, Approved, []byte{0x48}, 0, 0, "Y1"},
		{"12.5.1: card lowers to AAC, nothing is verified", nil, card{returns(acAAC), badSig}, approve, Declined, Declined, []byte{0x88}, 0, 0, "Z1"},
		{"12.5.1: AAC is asked for with a signature", opts{func(c *Config) { c.Applications[0].TACDenial[3] = 0x80 }}, nil, approve, Declined, Declined, []byte{0x08}, 0, 0, "Z1"},
		{"12.5.1: asked for although the CA key is missing", nil, card{noCA}, approve, Online, Approved, []byte{0x88, 0x48}, 0, 0x04, "00"},
		{"12.5.1: AAC with the CA key missing", nil, card{noCA, returns(acAAC)}, approve, Declined, Declined, []byte{0x88}, 0, 0x04, "Z1"},
		{"6.3.2.2.2: AAC with bad keys: the bit is set all the same", nil, card{badKey, returns(acAAC)}, approve, Declined, Declined, []byte{0x88}, 0, 0x02, "Z1"},
		{"12.5.3: second signature bad: decline", nil, card{sdad2Of(flipped)}, approve, Online, Declined, []byte{0x88, 0x48}, 0x01, 0, "00"},
		{"12.5.3: second signature missing: decline", nil, card{sdad2Of(func([]byte) []byte { return nil })}, approve, Online, Declined, []byte{0x88, 0x48}, 0x01, 0, "00"},
		{"12.5.1: second answer is AAC, nothing is verified", nil, card{func(c *xdaChip) { c.second = acAAC }, sdad2Of(flipped)}, approve, Online, Declined, []byte{0x88, 0x48}, 0, 0, "00"},
		{"6.3.2.2.4: unable to go online after success: TAA decides", opts{func(c *Config) { c.Applications[0].TACDefault = [5]byte{} }}, card{func(c *xdaChip) { c.set[tagIACDefault] = make([]byte, 5) }}, HostAnswer{}, Online, Approved, []byte{0x88, 0x48}, 0, 0, "Y3"},

		{"6.3.2.2.4: ARQC, bad signature: online, second not verified", nil, card{badSig}, approve, Online, Approved, []byte{0x88, 0x48}, 0x01, 0, "00"},
		{"6.3.2.2.4: both signatures bad: still the issuer's word", nil, card{func(c *xdaChip) { c.signer = xdaP256().ca }}, approve, Online, Approved, []byte{0x88, 0x48}, 0x01, 0, "00"},
		{"6.3.2.2.4: ARQC, bad signature, issuer refuses", nil, card{badSig}, refuse, Online, Declined, []byte{0x88, 0x08}, 0x01, 0, "05"},
		{"6.3.2.2.4: ARQC, bad signature, unable to go online: AAC without analysis", opts{func(c *Config) { c.Applications[0].TACDefault = [5]byte{} }}, card{badSig, func(c *xdaChip) { c.set[tagIACDefault] = make([]byte, 5) }}, HostAnswer{}, Online, Declined, []byte{0x88, 0x08}, 0x01, 0, "Z3"},
		{"6.3.2.2.4: ARQC, denied by the TAC: AAC at once", opts{denySig}, card{badSig}, approve, Declined, Declined, []byte{0x88, 0x08}, 0x01, 0, "Z1"},
		{"6.3.2.2.4: ARQC, denied by the IAC: AAC at once", nil, card{badSig, func(c *xdaChip) { c.set[tagIACDenial] = unhex("0000000100") }}, approve, Declined, Declined, []byte{0x88, 0x08}, 0x01, 0, "Z1"},
		{"6.3.2.2.4: without an IAC for denial it is zero", nil, card{badSig, func(c *xdaChip) { c.drop[tagIACDenial] = true }}, approve, Online, Approved, []byte{0x88, 0x48}, 0x01, 0, "00"},
		{"6.3.2.2.2: bad keys, denied by the TAC after the first GENERATE AC", opts{denyKey}, card{badKey}, approve, Declined, Declined, []byte{0x88, 0x08}, 0, 0x02, "Z1"},
		{"6.3.2.2.1: CA key missing, denied by the TAC before it", opts{denyCA}, card{noCA}, approve, Declined, Declined, []byte{0x08}, 0, 0x04, "Z1"},

		{"6.3.2.2.4: TC, bad signature: online, no second GENERATE AC", opts{askTC}, card{quiet, badSig}, approve, Online, Approved, []byte{0x48}, 0x01, 0, "00"},
		{"6.3.2.2.4: TC, bad signature, issuer refuses", opts{askTC}, card{quiet, badSig}, refuse, Online, Declined, []byte{0x48}, 0x01, 0, "05"},
		{"6.3.2.2.4: TC, bad signature, unable to go online", opts{askTC}, card{quiet, badSig}, HostAnswer{}, Online, Declined, []byte{0x48}, 0x01, 0, "Z3"},
		{"6.3.2.2.4: TC, bad keys: online, no second GENERATE AC", opts{askTC}, card{quiet, badKey}, approve, Online, Approved, []byte{0x48}, 0, 0x02, "00"},
		{"6.3.2.2.4: TC, denied: decline without a second", opts{askTC, denySig}, card{quiet, badSig}, approve, Declined, Declined, []byte{0x48}, 0x01, 0, "Z1"},
		{"6.3.2.2.4: offline-only terminal, TC: decline", opts{offline}, card{quiet, badSig}, approve, Declined, Declined, []byte{0x48}, 0x01, 0, "Z1"},
		{"6.3.2.2.4: offline-only terminal, ARQC: AAC at once", opts{offline}, card{quiet, badSig, returns(acARQC)}, approve, Declined, Declined, []byte{0x48, 0x08}, 0x01, 0, "Z1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := xdaConfig()
			for _, f := range c.cfg {
				f(&cfg)
			}
			ch := newXDAChip(c.card...)
			s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
			if err != nil {
				t.Fatal(err)
			}
			first := s.Outcome()
			last := first
			if first == Online {
				if last, err = s.Complete(t.Context(), c.host); err != nil {
					t.Fatal(err)
				}
			}
			if first != c.first || last != c.last || s.Outcome() != last || !bytes.Equal(ch.p1, c.p1) {
				t.Errorf("outcomes %d and %d, P1 %X; want %d and %d, %X", first, last, ch.p1, c.first, c.last, c.p1)
			}
			if s.tvr[3]&0x01 != c.tvr4 || s.tvr[4]&0x06 != c.tvr5 || s.tvr[0] != 0x01 {
				t.Errorf("TVR %X", s.tvr)
			}
			if arc, _ := s.Get(tagARC); string(arc) != c.arcEnd {
				t.Errorf("ARC %q, want %q", arc, c.arcEnd)
			}
			if _, err := s.Complete(t.Context(), approve); err == nil {
				t.Error("completed twice")
			}
		})
	}
}

// Book 4, 6.3.2.2.2: the TVR that goes into the first cryptogram does not know of bad keys yet; a missing CA key it does know.
func TestXDATimeOfTVRBits(t *testing.T) {
	for _, c := range []struct {
		name      string
		card      func(*xdaChip)
		one, five byte
		second    byte
	}{
		{"6.3.2.2.1: CA key missing", func(c *xdaChip) { c.index = 0x77 }, 0x01, 0x04, 0x04},
		{"6.3.2.2.2: ECC key recovery failed", func(c *xdaChip) { c.keys.ca = xdaP256().icc }, 0x01, 0x00, 0x02},
		{"6.3.2.2.3: signature", func(c *xdaChip) { c.signer = xdaP256().ca }, 0x01, 0x00, 0x00},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch := newXDAChip(c.card)
			runXDA(t, xdaConfig(), ch)
			var tvr [][]byte
			for _, cmd := range ch.commands {
				if cmd[1] == 0xAE {
					at := 5 + 14 // CDOL1: 9F02 9F03 9F1A, then 95
					if len(tvr) == 1 {
						at += 10 // CDOL2: 8A and 91 in front
					}
					tvr = append(tvr, cmd[at:at+5])
				}
			}
			if len(tvr) != 2 || tvr[0][0] != c.one || tvr[0][4] != c.five || tvr[1][4] != c.second {
				t.Errorf("TVR in the commands: %X", tvr)
			}
		})
	}
}

// 10.3: the method is chosen by what both sides can do.
func TestXDASelection(t *testing.T) {
	for _, c := range []struct {
		name string
		caps byte
		aip  string
		want odaMethod
	}{
		{"10.3: both can", 0xCC, "FD00", odaXDA},
		{"10.3: terminal has nothing but XDA", 0x04, "FD00", odaXDA},
		{"10.3: terminal without XDA, card with all", 0xC8, "FD00", odaCDA},
		{"10.3: card without XDA", 0xCC, "7D00", odaCDA},
		{"10.3: card with XDA alone, terminal without", 0xC8, aipForXDA, odaNone},
		{"10.3: terminal with XDA alone, card without", 0x04, "7D00", odaNone},
	} {
		cfg := xdaConfig()
		cfg.Terminal.Capabilities[2] = c.caps
		ch := newXDAChip(func(ch *xdaChip) { ch.aip = c.aip })
		s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
		if err != nil || s.oda != c.want || tvrXDASelected.in(s.tvr[:]) != (c.want == odaXDA) || tvrODANotPerformed.in(s.tvr[:]) != (c.want == odaNone) {
			t.Errorf("%s: method %d, TVR %X, %v", c.name, s.oda, s.tvr, err)
		}
		if c.want != odaXDA && (ch.p1[0]&acXDA != 0) {
			t.Errorf("%s: P1 %X", c.name, ch.p1)
		}
	}
}

func TestXDARevocation(t *testing.T) {
	for _, c := range []struct {
		name string
		list []Revoked
		tvr  [5]byte
	}{
		{"12.3 step 7: revoked", []Revoked{{RID: testRID, Index: xdaIndex, Serial: [3]byte{0, 0, 1}}}, xdaBadKey},
		{"12.3 step 7: another serial", []Revoked{{RID: testRID, Index: xdaIndex, Serial: [3]byte{0, 0, 2}}}, xdaFine},
		{"12.3 step 7: another index", []Revoked{{RID: testRID, Index: xdaIndex521, Serial: [3]byte{0, 0, 1}}}, xdaFine},
	} {
		cfg := xdaConfig()
		cfg.Revoked = c.list
		if s, _ := runXDA(t, cfg, newXDAChip()); s.tvr != c.tvr {
			t.Errorf("%s: TVR %X, want %X", c.name, s.tvr, c.tvr)
		}
	}
}

// 12.3 step 5, 12.4 step 4: certificates expire by UTC, whatever the terminal's clock shows.
func TestXDAExpiryIsUTC(t *testing.T) {
	shanghai := time.FixedZone("CST", 8*3600)
	for _, c := range []struct {
		name string
		now  time.Time
		tvr  [5]byte
	}{
		{"the day is over here, not in Greenwich", time.Date(2026, 3, 15, 7, 59, 0, 0, shanghai), xdaFine},
		{"the day is over in Greenwich too", time.Date(2026, 3, 15, 8, 0, 0, 0, shanghai), xdaBadKey},
	} {
		req := testRequest()
		req.Time = c.now
		ch := newXDAChip(put(8, 0x20, 0x26, 0x03, 0x14))
		s, err := New(xdaConfig()).Start(t.Context(), ch, req, &person{})
		if err != nil || s.tvr != c.tvr {
			t.Errorf("%s: TVR %X, %v", c.name, s.tvr, err)
		}
	}
}

// 10.3 and Book 1, 12.4: the AID in the static data is the card's whole DF Name, also when the terminal knows only its beginning.
func TestXDAPartialSelection(t *testing.T) {
	cfg := xdaConfig()
	cfg.Applications[0].AID = cfg.Applications[0].AID[:7]
	ch := newXDAChip()
	whole := unhex(ch.aid)
	card := cardFunc(func(capdu []byte) []byte {
		// The base chip answers to its full name only.
		if capdu[1] == 0xA4 && len(capdu) > 12 && bytes.Equal(capdu[5:12], whole[:7]) && capdu[3] == 0 {
			capdu = append(append([]byte{0, 0xA4, 4, 0, byte(len(whole))}, whole...), 0)
		}
		r, _ := ch.Transceive(t.Context(), capdu)
		return r
	})
	s, err := New(cfg).Start(t.Context(), card, testRequest(), &person{})
	if err != nil || s.tvr != xdaFine {
		t.Errorf("TVR %X, %v", s.tvr, err)
	}
}

// 10.3: a signed record of SFI 11 to 30 must be template 70, even where the issuer has hashed it as it is.
func TestXDASignedRecordOfHighSFI(t *testing.T) {
	for _, c := range []struct {
		record string
		tvr    [5]byte
	}{{"70041F500112", xdaFine}, {"53021234", xdaBadKey}} {
		ch := newXDAChip(func(x *xdaChip) { x.signed11 = unhex(c.record) })
		ch.layOut()
		ch.afl = append(ch.afl, unhex("58010101")...)
		card := cardFunc(func(capdu []byte) []byte {
			if capdu[1] == 0xB2 && capdu[3]>>3 == 11 {
				return sw(ch.signed11, 0x9000)
			}
			r, _ := ch.Transceive(t.Context(), capdu)
			return r
		})
		s, err := New(xdaConfig()).Start(t.Context(), card, testRequest(), &person{})
		if err != nil {
			t.Fatal(err)
		}
		if s.tvr != c.tvr || !tsiODA.in(s.tsi[:]) {
			t.Errorf("%s: TVR %X, TSI %X", c.record, s.tvr, s.tsi)
		}
	}
}

// Table 39, 6.5.5.4: the cryptogram stands beside the signature; without it the transaction ends.
func TestXDAWithoutCryptogram(t *testing.T) {
	for _, tag := range []tlv.Tag{tagAC, tagCID, tagATC} {
		ch := newXDAChip(func(c *xdaChip) {
			c.answer = func(_ int, o, s []byte) []byte {
				var out []byte
				d := tlv.NewDecoder(o)
				for x, ok := d.Next(); ok; x, ok = d.Next() {
					if x.Tag != tag {
						out = append(out, o[x.Offset:x.End]...)
					}
				}
				return sw(obj(tagFormat2, out, obj(tagSDAD, s)), 0x9000)
			}
		})
		if _, err := New(xdaConfig()).Start(t.Context(), ch, testRequest(), &person{}); !errors.Is(err, ErrBadCard) {
			t.Errorf("without %s: %v", tag, err)
		}
	}
}

// 6.3.2.2.4: after a TC that went online, scripts 72 are carried out, the card is not asked for anything else.
func TestXDAScriptsAfterTC(t *testing.T) {
	cfg := xdaConfig()
	quietTerminal(&cfg)
	ch := newXDAChip(quietCard, sdadOf(func([]byte) []byte { return nil }))
	ch.scriptSW[0x24], ch.scriptSW[0x1E] = 0x9000, 0x9000
	s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
	if err != nil || s.Outcome() != Online || s.Result().CID != acTC {
		t.Fatal("not online with a TC", err)
	}
	ch.commands = nil
	icc := slices.Concat(unhex("9108 1122334455667788"), issuerScript(0x71, "00000001", "841E000004 01020304"), issuerScript(0x72, "00000002", "8424000004 01020304"))
	out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: icc})
	if err != nil || out != Approved || len(ch.commands) != 1 || ch.commands[0][1] != 0x24 {
		t.Errorf("outcome %d, commands %X, %v", out, ch.commands, err)
	}
	// A yes that comes with something unreadable is no yes.
	ch = newXDAChip(quietCard, sdadOf(func([]byte) []byte { return nil }))
	s, err = New(cfg).Start(t.Context(), ch, testRequest(), &person{})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.Complete(t.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true, ICC: unhex("9110")}); out != Declined || err != nil {
		t.Errorf("outcome %d, %v", out, err)
	}
}

// FuzzXDA gives the parsers of certificates and signatures any bytes; what they accept they accept again, and the key is on its curve.
func FuzzXDA(f *testing.F) {
	ch := newXDAChip()
	ch.layOut()
	static := ch.records[[2]byte{2, 1}]
	f.Add(ch.issuerCert(), ch.iccCert(static), []byte{0x15}, static)
	f.Add([]byte{0x12, 0x00}, []byte{0x14, 0x00}, []byte(nil), []byte(nil))
	cfg := xdaConfig()
	k := New(cfg)
	good, err := k.Start(f.Context(), newXDAChip(), testRequest(), &person{})
	if err != nil || good.xda.key == nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, issuer, icc, sdad, static []byte) {
		s, err := k.newSession(ch, testRequest(), &person{})
		if err != nil {
			t.Fatal(err)
		}
		s.rid, s.panField, s.signed = testRID[:], unhex(testPAN), static
		s.icc.Set(tagCAIndex, []byte{xdaIndex})
		s.icc.Set(tagIssuerCert, issuer)
		s.icc.Set(tagICCCert, icc)
		s.startXDA()
		if (s.xda.key == nil) != s.xda.failed() {
			t.Fatalf("key %v, failure %v", s.xda.key, s.xda.failure)
		}
		if s.xda.key == nil {
			s.xda.key = good.xda.key
		}
		s.xda.key.VerifyXDA(sdad, static, icc)
		if k, err := ParseCACertificate(issuer); err == nil && k.Bits() == 0 {
			t.Fatal("a certificate without a key was accepted")
		}
	})
}

// FuzzXDATransaction runs whole transactions with XDA against a card that answers what it likes: the kernel must end, and nothing is
// approved offline without a signature that verifies.
func FuzzXDATransaction(f *testing.F) {
	for _, change := range []func(*xdaChip){
		func(*xdaChip) {}, quietCard, sdadOf(shorter),
		func(c *xdaChip) { c.index = 0x77 },
		func(c *xdaChip) { c.prop += "9F38069F33039F3704" },
	} {
		rec := &recorder{card: newXDAChip(change)}
		s, err := New(xdaConfig()).Start(f.Context(), rec, testRequest(), &person{})
		if err != nil {
			f.Fatal(err)
		}
		if s.Outcome() == Online {
			if _, err := s.Complete(f.Context(), HostAnswer{Reached: true, ARC: "00", Approved: true}); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(rec.tape, true)
		f.Add(rec.tape, false)
	}
	f.Fuzz(func(t *testing.T, answers []byte, reached bool) {
		cfg := xdaConfig()
		quietTerminal(&cfg)
		s, err := New(cfg).Start(t.Context(), &tape{answers, 2000}, testRequest(), &person{})
		if err != nil {
			return
		}
		if s.Outcome() == Approved && s.oda == odaXDA && (s.xda.failed() || !s.icc.Has(tagSDAD)) {
			t.Fatalf("approved offline, TVR %X", s.tvr)
		}
		if s.Outcome() != Online {
			return
		}
		out, _ := s.Complete(t.Context(), HostAnswer{Reached: reached, ARC: "00", Approved: true})
		if out == Approved && !reached && s.xda.failed() {
			t.Fatalf("approved without the issuer, TVR %X", s.tvr)
		}
	})
}
