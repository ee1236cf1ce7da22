package card_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"posd/emv/tlv"
	"posd/sim/card"
)

// terminal talks APDUs to a card and remembers what an issuer would be told.
type terminal struct {
	t    *testing.T
	c    *card.Card
	icc  []byte
	aip  []byte
	last []byte
}

const baseProfile = `title = "test"
pin = "123456"
[[application]]
aid = "A000000333010101"
label = "TEST"
pan = "6217004815162342019"
expiry = "3012"
cvm = "00000000000000001F00"
oda = "cda"
`

func newTerminal(t *testing.T, extra string) *terminal {
	t.Helper()
	c, err := card.Parse([]byte(baseProfile + extra))
	if err != nil {
		t.Fatal(err)
	}
	c.SetRand(strings.NewReader(strings.Repeat("random", 1000)))
	return &terminal{t: t, c: c}
}

// send sends a command in hex and wants a status.
func (d *terminal) send(apdu, sw string) []byte {
	d.t.Helper()
	out := d.c.Transceive(dehex(d.t, apdu))
	if len(out) < 2 || fmt.Sprintf("%X", out[len(out)-2:]) != sw {
		d.t.Fatalf("%s: % X, want %s", apdu, out, sw)
	}
	return out[:len(out)-2]
}

func (d *terminal) start() {
	d.t.Helper()
	d.c.Reset()
	d.send("00A4040008A00000033301010100", "9000")
	out := d.send("80A80000028300", "9000")
	aip, ok := tlv.Find(out, 0x77, 0x82)
	if !ok {
		aip = out[2:4]
	}
	d.aip = aip
}

// Values of the usual CDOL1 and of CDOL2 behind ARC.
func values(amount string) string {
	return amount + "000000000000" + "0156" + "0000000000" + "0156" + "250601" + "00" + "01020304"
}

// first sends the first GENERATE AC and returns the type of the cryptogram.
func (d *terminal) first(p1, amount string) string {
	d.t.Helper()
	return d.ac(d.send("80AE"+p1+"0020"+values(amount)+"101112"+"00", "9000"), amount)
}

func (d *terminal) second(p1, arc string) string {
	d.t.Helper()
	return d.ac(d.send("80AE"+p1+"001F"+hex.EncodeToString([]byte(arc))+values("000000001000")+"00", "9000"), "000000001000")
}

func (d *terminal) ac(out []byte, amount string) string {
	d.t.Helper()
	var cid byte
	body, ok := tlv.Find(out, 0x77)
	if ok {
		v, _ := tlv.Find(body, 0x9F27)
		cid = v[0]
	} else {
		v, ok := tlv.Find(out, 0x80)
		if !ok || len(v) < 11 {
			d.t.Fatalf("GENERATE AC: % X", out)
		}
		cid = v[0]
		body = slices.Concat(tlv.Append(nil, 0x9F27, v[:1]), tlv.Append(nil, 0x9F36, v[1:3]), tlv.Append(nil, 0x9F26, v[3:11]), tlv.Append(nil, 0x9F10, v[11:]))
	}
	d.last = body
	d.icc = slices.Concat(body, dehex(d.t, "9F0206"+amount+"9F0306000000000000 9F1A020156 95050000000000 5F2A020156 9A03250601 9C0100 9F370401020304"), tlv.Append(nil, 0x82, d.aip))
	return [4]string{"AAC", "TC", "ARQC", "?"}[cid>>6]
}

func (d *terminal) authenticate(arc, sw string) {
	d.t.Helper()
	auth, err := card.Issuer{}.Authorise(d.c.PAN(), d.c.PSN(), d.icc, arc)
	if err != nil {
		d.t.Fatal(err)
	}
	d.send(fmt.Sprintf("008200000A%X", auth), sw)
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// TestOrder sends commands when they may not be sent.
func TestOrder(t *testing.T) {
	d := newTerminal(t, "")
	gac := "80AE800020" + values("000000001000") + "10111200"
	for _, apdu := range []string{"80A80000028300", gac, "0088000004010203 0400", "80CA9F3600", "0020008008241234FFFFFFFFFF", "008400000000"[:10]} {
		d.send(apdu, "6985") // nothing selected
	}
	d.send("00B2010C00", "6A82")
	d.send("00A4040008A00000033301010100", "9000")
	d.send(gac, "6985")
	d.send("00880000040102030400", "6985")
	d.send("0020008008241234FFFFFFFFFF", "6985")
	d.send("80A80000028300", "9000")
	d.send("80A80000028300", "6985")
	d.send("008200000A"+strings.Repeat("00", 10), "6985")
	d.send(gac, "9000")
	d.send("00880000040102030400", "6985")
	d.send("008200000A"+strings.Repeat("00", 10), "6300")
	d.send("008200000A"+strings.Repeat("00", 10), "6985") // once only
	d.send("80AE40001F3030"+values("000000001000")+"00", "9000")
	d.send("80AE40001F3030"+values("000000001000")+"00", "6985")
	d.send("80A80000028300", "6985")

	d.start()
	for apdu, sw := range map[string]string{
		"00A40400": "6A82", "00A40000": "6A86", "00A4040403010203": "6A86", "00B2000C00": "6A83", "00B2090C00": "6A83", "00B2010D00": "6A86",
		"00B2017C00": "6A82", "80AE80000101": "6700", "80AEC00000": "6A86", "80AE810000": "6A86", "80B0000000": "6D00", "00AE800000": "6E00",
		"80A4040000": "6E00", "01A4040000": "6881", "00A4": "6700", "00A4040008A0": "6700", "80CA9F2600": "6A88", "0020000008241234FFFFFFFFFF": "6A86",
		"002000800412345678": "6700", "0020008008341234FFFFFFFFFF": "6A80", "00200080082F1234FFFFFFFFFF": "6A80", "0088000003010203": "6700",
		"84240000040000000000": "6985", "00A4040200": "6A82", "0084000100": "6A86",
	} {
		d.send(apdu, sw)
	}
}

func TestSelect(t *testing.T) {
	c, err := card.Load("two-applications")
	if err != nil {
		t.Fatal(err)
	}
	d := &terminal{t: t, c: c}
	d.send("00A404000E315041592E5359532E444446303100", "9000")
	for _, rec := range []string{"01", "02"} {
		if out := d.send("00B2"+rec+"0C00", "9000"); !bytes.HasPrefix(out, []byte{0x70}) {
			t.Errorf("% X", out)
		}
	}
	d.send("00B2030C00", "6A83")
	one := d.send("00A4040007A000000333010100", "9000") // partial
	two := d.send("00A4040207A000000333010100", "9000")
	if bytes.Equal(one, two) {
		t.Error("the next application is the same")
	}
	d.send("00A4040207A000000333010100", "6A82")
	d.send("00A4040008A00000033301010300", "6A82")

	d = newTerminal(t, "blocked = true\n")
	out := d.send("00A4040008A00000033301010100", "6283")
	if _, ok := tlv.Find(out, 0x6F, 0x84); !ok {
		t.Errorf("FCI of a blocked application: % X", out)
	}
	d.send("80A80000028300", "9000")
	want(t, "blocked application", d.first("80", "000000001000"), "AAC")

	if c, err = card.Parse([]byte(strings.Replace(baseProfile, "pin =", "no_pse = true\ncard_blocked = false\npin =", 1))); err != nil {
		t.Fatal(err)
	}
	(&terminal{t: t, c: c}).send("00A404000E315041592E5359532E444446303100", "6A82")
	if c, err = card.Parse([]byte(strings.Replace(baseProfile, "pin =", "card_blocked = true\npin =", 1))); err != nil {
		t.Fatal(err)
	}
	(&terminal{t: t, c: c}).send("00A404000E315041592E5359532E444446303100", "6A81")
}

// TestDecisions is the card's risk management: what it makes of what it is asked for.
func TestDecisions(t *testing.T) {
	offline := "offline_limit = 20000\noffline_count = 2\n"
	t.Run("online", func(t *testing.T) {
		d := newTerminal(t, "")
		d.start()
		want(t, "TC asked, no offline limit", d.first("40", "000000001000"), "ARQC")
		d.authenticate("00", "9000")
		want(t, "approved", d.second("40", "00"), "TC")
		if err := (card.Issuer{}).Verify(d.c.PAN(), d.c.PSN(), d.icc); err != nil {
			t.Error(err)
		}
		if v, _ := tlv.Find(d.send("80CA9F1300", "9000"), 0x9F13); !bytes.Equal(v, []byte{0, 1}) {
			t.Errorf("last online ATC % X", v)
		}
		d.start()
		want(t, "ARQC asked", d.first("80", "000000001000"), "ARQC")
		d.authenticate("51", "9000")
		want(t, "declined", d.second("00", "51"), "AAC")
		d.start()
		want(t, "AAC asked", d.first("00", "000000001000"), "AAC")
	})
	t.Run("issuer not proven", func(t *testing.T) {
		d := newTerminal(t, "")
		d.start()
		d.first("80", "000000001000")
		want(t, "approval without ARPC", d.second("40", "00"), "AAC")
		d.start()
		d.first("80", "000000001000")
		d.send("008200000A"+strings.Repeat("00", 8)+"3030", "6300")
		want(t, "approval with a wrong ARPC", d.second("40", "00"), "AAC")
		d.start()
		d.first("80", "000000001000")
		d.authenticate("00", "9000")
		d2 := newTerminal(t, "issuer_auth = \"none\"\n")
		d2.start()
		d2.first("80", "000000001000")
		want(t, "card without issuer authentication", d2.second("40", "00"), "TC")
	})
	t.Run("issuer not reached", func(t *testing.T) {
		d := newTerminal(t, "")
		d.start()
		d.first("80", "000000001000")
		want(t, "Y3", d.second("40", "Y3"), "TC")
		d.start()
		d.first("80", "000000001000")
		want(t, "Z3", d.second("00", "Z3"), "AAC")
	})
	t.Run("refuses at the end", func(t *testing.T) {
		d := newTerminal(t, "refuse_second = true\n")
		d.start()
		d.first("80", "000000001000")
		d.authenticate("00", "9000")
		want(t, "approved", d.second("40", "00"), "AAC")
	})
	t.Run("unfinished business", func(t *testing.T) {
		d := newTerminal(t, offline)
		d.start()
		want(t, "asked for", d.first("80", "000000000001"), "ARQC")
		d.start() // nobody told the card what the issuer said
		want(t, "last online transaction not completed", d.first("40", "000000000001"), "ARQC")
		want(t, "approval without ARPC", d.second("40", "00"), "AAC")
		d.start()
		want(t, "issuer authentication failed last time", d.first("40", "000000000001"), "ARQC")
		d.authenticate("00", "9000")
		d.second("40", "00")
		d.start()
		want(t, "all settled", d.first("40", "000000000001"), "TC")
	})
	t.Run("offline", func(t *testing.T) {
		d := newTerminal(t, offline)
		d.start()
		want(t, "over the limit", d.first("40", "000000020001"), "ARQC")
		d.authenticate("00", "9000")
		d.second("40", "00")
		for i, kind := range []string{"TC", "TC", "ARQC"} {
			d.start()
			want(t, fmt.Sprintf("%d in a row", i+1), d.first("40", "000000020000"), kind)
		}
		d.start() // the ARQC was never answered
		want(t, "last online transaction not completed", d.first("40", "000000000001"), "ARQC")
		d.authenticate("00", "9000")
		d.second("40", "00")
		d.start()
		want(t, "after the issuer", d.first("40", "000000000001"), "TC")
		d.start()
		foreign := strings.Replace(values("000000000001"), "01560000000000"+"0156", "01560000000000"+"0840", 1)
		want(t, "foreign currency", d.ac(d.send("80AE400020"+foreign+"10111200", "9000"), "000000000001"), "ARQC")
		log := d.c.Cryptograms()
		if last := log[len(log)-1]; last.Currency != "0840" || last.ATC != 7 || last.Amount != 1 || last.Second {
			t.Errorf("%+v", last)
		}
		// Five TCs are in the log, newest first.
		if out := d.send("00B2015C00", "9000"); !bytes.HasPrefix(out, dehex(t, "250601 101112 000000000001")) {
			t.Errorf("log % X", out)
		}
		d.send("00B2045C00", "9000")
		d.send("00B2065C00", "6A83")
		if f := d.send("80CA9F4F00", "9000"); !bytes.HasPrefix(f, []byte{0x9F, 0x4F}) {
			t.Errorf("log format % X", f)
		}
	})
}

func TestPIN(t *testing.T) {
	d := newTerminal(t, "")
	d.start()
	tries := func() byte { return d.send("80CA9F1700", "9000")[3] }
	const right, wrong = "002000800826123456FFFFFFFF", "002000800826123457FFFFFFFF"
	d.send(wrong, "63C2")
	d.send("00200080082512345FFFFFFFFF", "63C1")
	if tries() != 1 {
		t.Error("tries left")
	}
	d.send(right, "9000")
	if tries() != 3 {
		t.Error("tries after the right PIN")
	}
	for _, sw := range []string{"63C2", "63C1", "63C0", "6983", "6983"} {
		d.send(wrong, sw)
	}
	d.start()
	d.send(right, "6983")

	// The issuer sets the counter back.
	d.first("80", "000000001000")
	d.authenticate("00", "9000")
	script, err := card.Issuer{}.Script(0x72, d.c.PAN(), d.c.PSN(), d.icc, card.UnblockPIN)
	if err != nil {
		t.Fatal(err)
	}
	d.second("40", "00")
	d.run(script, "9000")
	d.start()
	d.send(right, "9000")
}

// run sends the commands of a script.
func (d *terminal) run(script []byte, sw string) {
	d.t.Helper()
	n := 0
	err := tlv.Walk(script, func(_ []tlv.Tag, o tlv.Object) (bool, error) {
		if o.Tag == 0x86 {
			n++
			d.send(hex.EncodeToString(o.Value), sw)
		}
		return true, nil
	})
	if err != nil || n == 0 {
		d.t.Fatalf("script % X: %v", script, err)
	}
}

func TestScripts(t *testing.T) {
	online := func(d *terminal) {
		d.t.Helper()
		d.start()
		d.first("80", "000000001000")
		d.authenticate("00", "9000")
	}
	build := func(d *terminal, c ...card.ScriptCommand) []byte {
		d.t.Helper()
		s, err := card.Issuer{}.Script(0x71, d.c.PAN(), d.c.PSN(), d.icc, c...)
		if err != nil {
			d.t.Fatal(err)
		}
		return s
	}
	d := newTerminal(t, "")
	online(d)
	block := build(d, card.BlockApplication)
	bad := slices.Clone(block)
	bad[len(bad)-1] ^= 1
	d.run(bad, "6988")
	d.run(block, "9000")
	want(t, "blocked in the middle", d.second("40", "00"), "AAC")
	if v, _ := tlv.Find(d.last, 0x9F10); v[6] != 0x28 { // two scripts, one of them failed
		t.Errorf("card verification results % X", v)
	}
	d.run(block, "9000")
	d.c.Reset()
	d.send("00A4040008A00000033301010100", "6283")
	d.send("80A80000028300", "9000")
	want(t, "blocked", d.first("80", "000000001000"), "AAC")
	d.run(block, "6985") // the issuer was not asked

	d = newTerminal(t, "")
	online(d)
	d.run(build(d, card.BlockApplication, card.UnblockApplication, card.SetOfflineCount(7)), "9000")
	d.second("40", "00")
	old := build(d, card.BlockApplication)
	online(d)
	d.run(old, "6988") // of another transaction
	d.run(build(d, card.ScriptCommand{Header: [4]byte{0x84, 0x24, 0, 1}}), "6A86")
	d.run(build(d, card.ScriptCommand{Header: [4]byte{0x04, 0xDA, 0x9F, 0x36}, Data: []byte{1}}), "6A88")
	d.run(build(d, card.ScriptCommand{Header: [4]byte{0x84, 0x1E, 0, 0}, Data: []byte{1}}), "6700")
	d.send("841E00000100", "6700")
	d.run(build(d, card.BlockCard), "9000")
	d.send("80CA9F3600", "6A81")

	if _, err := (card.Issuer{}).Script(0x70, d.c.PAN(), d.c.PSN(), d.icc); !errors.Is(err, card.ErrMissing) {
		t.Errorf("template 70: %v", err)
	}
	if _, err := (card.Issuer{}).Script(0x71, d.c.PAN(), d.c.PSN(), d.icc, slices.Repeat([]card.ScriptCommand{card.UnblockPIN}, 20)...); !errors.Is(err, card.ErrMissing) {
		t.Errorf("long script: %v", err)
	}
}

// TestIssuer changes every part of what an issuer is told.
func TestIssuer(t *testing.T) {
	d := newTerminal(t, "")
	d.start()
	d.first("80", "000000001000")
	i := card.Issuer{}
	good, err := i.Authorise(d.c.PAN(), d.c.PSN(), d.icc, "00")
	if err != nil || len(good) != 10 || string(good[8:]) != "00" {
		t.Fatalf("% X, %v", good, err)
	}
	dec := tlv.NewDecoder(d.icc)
	for o, ok := dec.Next(); ok; o, ok = dec.Next() {
		if o.Tag == 0x9F27 {
			continue // says which cryptogram it is, and is not covered
		}
		b := slices.Clone(d.icc)
		b[o.End-1] ^= 1
		if _, err := i.Authorise(d.c.PAN(), d.c.PSN(), b, "00"); !errors.Is(err, card.ErrCryptogram) {
			t.Errorf("%v changed: %v", o.Tag, err)
		}
		b = append(slices.Clone(d.icc[:o.Offset]), d.icc[o.End:]...)
		if _, err := i.Authorise(d.c.PAN(), d.c.PSN(), b, "00"); !errors.Is(err, card.ErrMissing) {
			t.Errorf("%v left out: %v", o.Tag, err)
		}
	}
	if _, err := i.Authorise(d.c.PAN(), "02", d.icc, "00"); !errors.Is(err, card.ErrCryptogram) {
		t.Errorf("other PSN: %v", err)
	}
	for _, c := range []struct{ pan, psn, arc string }{{"62", "01", "00"}, {"62170048x5162342019", "01", "00"}, {d.c.PAN(), "0x", "00"}, {d.c.PAN(), "01", "0"}} {
		if _, err := i.Authorise(c.pan, c.psn, d.icc, c.arc); !errors.Is(err, card.ErrMissing) {
			t.Errorf("%v", err)
		}
	}
	if _, err := i.Authorise(d.c.PAN(), "01", d.icc[:len(d.icc)-1], "00"); !errors.Is(err, tlv.ErrSyntax) {
		t.Errorf("cut off: %v", err)
	}
}

// TestATC lets the counter come to its end.
func TestATC(t *testing.T) {
	d := newTerminal(t, "atc = 65520\n")
	for range 15 {
		d.start()
	}
	d.c.Reset()
	d.send("00A4040008A00000033301010100", "9000")
	d.send("80A80000028300", "6985")
}

func FuzzCard(f *testing.F) {
	for _, s := range []string{
		"14 00A404000E315041592E5359532E444446303100 05 00B2010C00",
		"0E 00A4040008A00000033301010100 07 80A80000028300 05 00B2010C00 26 80AE900020" + values("000000001000") + "10111200 0A 00880000040102030400",
		"0E 00A4040008A00000033301010100 07 80A80000028300 26 80AE800020" + values("000000001000") + "10111200 09 841E000004AABBCCDD 0F 008200000A000000000000000030 30 25 80AE40001F3030" + values("000000001000") + "00",
		"0E 00A4040008A00000033301010100 07 80A80000028300 0D 002000800826123456FFFFFFFF 05 80CA9F1700",
		"0E 00A4040008A00000033301010100 07 80A80000028300 05 0084000000 85 0020008880" + strings.Repeat("01", 128),
		"0E 00A4040008A00000033301010100 07 80A80000028300 26 80AE800020" + values("000000001000") + "10111200 0F 04DC010C0A70045F200141AABBCCDD 19 8424000214" + strings.Repeat("02", 20),
	} {
		f.Add(dehex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := card.Parse([]byte(baseProfile))
		if err != nil {
			t.Fatal(err)
		}
		for len(b) > 0 {
			n := min(int(b[0]), len(b)-1)
			out := c.Transceive(b[1 : 1+n])
			if len(out) < 2 || len(out) > 258 || out[len(out)-2]>>4 != 6 && out[len(out)-2]>>4 != 9 {
				t.Fatalf("% X -> % X", b[1:1+n], out)
			}
			b = b[1+n:]
		}
	})
}
