package card_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"posd/emv/tlv"
	"posd/sim/card"
)

// load takes a built-in card into the terminal of these tests.
func load(t *testing.T, name string) *terminal {
	t.Helper()
	c, err := card.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return &terminal{t: t, c: c}
}

// online is a transaction up to the issuer's answer.
func (d *terminal) online() {
	d.t.Helper()
	d.start()
	want(d.t, "first", d.first("80", "000000001000"), "ARQC")
	d.authenticate("00", "9000")
}

func (d *terminal) script(c ...card.ScriptCommand) []byte {
	d.t.Helper()
	s, err := card.Issuer{}.Script(0x72, d.c.PAN(), d.c.PSN(), d.icc, c...)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// TestEncipheredPIN builds VERIFY with P2 88 as Book 2, 7.2, has it.
func TestEncipheredPIN(t *testing.T) {
	key := func(d *terminal, cert, exp, rest tlv.Tag) (n, e *big.Int) {
		d.t.Helper()
		objects := map[tlv.Tag][]byte{}
		for n := byte(1); ; n++ {
			out := d.c.Transceive([]byte{0x00, 0xB2, n, 3<<3 | 4, 0})
			if len(out) == 2 {
				break
			}
			if err := tlv.Walk(out[:len(out)-2], func(_ []tlv.Tag, o tlv.Object) (bool, error) { objects[o.Tag] = o.Value; return true, nil }); err != nil {
				d.t.Fatal(err)
			}
		}
		open := func(n, e *big.Int, b []byte) []byte {
			return new(big.Int).Exp(new(big.Int).SetBytes(b), e, n).FillBytes(make([]byte, len(b)))
		}
		i := slices.IndexFunc(card.CAKeys(), func(k card.CAKey) bool {
			return bytes.Equal(k.RID, dehex(t, "A000000333")) && bytes.Equal([]byte{k.Index}, objects[0x8F])
		})
		ca := card.CAKeys()[i]
		b := open(new(big.Int).SetBytes(ca.Modulus), new(big.Int).SetBytes(ca.Exponent), objects[0x90])
		issuer := new(big.Int).SetBytes(slices.Concat(b[15:len(b)-21], objects[0x92])[:b[13]])
		b = open(issuer, new(big.Int).SetBytes(objects[0x9F32]), objects[cert])
		size := int(b[19])
		return new(big.Int).SetBytes(slices.Concat(b[21 : len(b)-21][:min(size, len(b)-42)], objects[rest])), new(big.Int).SetBytes(objects[exp])
	}
	verify := func(d *terminal, n, e *big.Int, header byte, block string, challenge []byte, sw string) {
		d.t.Helper()
		size := (n.BitLen() + 7) / 8
		pad := make([]byte, size-17)
		rand.Read(pad)
		plain := slices.Concat([]byte{header}, dehex(d.t, block), challenge, pad)
		enc := new(big.Int).Exp(new(big.Int).SetBytes(plain), e, n).FillBytes(make([]byte, size))
		d.send(fmt.Sprintf("00200088%02X%X", len(enc), enc), sw)
	}
	const right = "26123456FFFFFFFF"
	for name, tags := range map[string][3]tlv.Tag{
		"the card's key": {0x9F46, 0x9F47, 0x9F48}, "a key for PINs": {0x9F2D, 0x9F2E, 0x9F2F},
	} {
		t.Run(name, func(t *testing.T) {
			d := newTerminal(t, map[bool]string{true: "pin_key = true\n"}[tags[0] == 0x9F2D])
			d.start()
			n, e := key(d, tags[0], tags[1], tags[2])
			challenge := func() []byte { return d.send("0084000000", "9000") }
			verify(d, n, e, 0x7F, right, challenge(), "9000")
			old := challenge()
			challenge()
			verify(d, n, e, 0x7F, right, old, "63C2") // not the last challenge
			c := challenge()
			d.send("80CA9F1700", "9000")
			verify(d, n, e, 0x7F, right, c, "63C1") // a command came between
			verify(d, n, e, 0x7F, right, challenge(), "9000")
			verify(d, n, e, 0x7E, right, challenge(), "63C2")
			verify(d, n, e, 0x7F, "26123457FFFFFFFF", challenge(), "63C1")
			verify(d, n, e, 0x7F, "36123456FFFFFFFF", challenge(), "6A80")
			d.send("00200088083612345FFFFFFFFF", "6700")
			c = challenge()
			d.send("00A4040008A00000033301010100", "9000")
			d.send("80A80000028300", "9000")
			verify(d, n, e, 0x7F, right, c, "63C0") // of another transaction
			verify(d, n, e, 0x7F, right, challenge(), "6983")
		})
	}
	d := load(t, "no-authentication")
	d.start()
	d.send("0084000000", "9000")
	d.send("00200088"+"80"+strings.Repeat("00", 128), "6985") // no key
}

// TestMoreScripts has the issuer change what is in the card.
func TestMoreScripts(t *testing.T) {
	d := newTerminal(t, "pin_left = 0\noffline_limit = 20000\noffline_count = 9\n")
	d.online()
	d.run(d.script(card.ChangePIN("2580")), "9000")
	d.run(d.script(card.SetOfflineCount(1)), "9000")
	d.run(d.script(card.ScriptCommand{Header: [4]byte{0x04, 0xDA, 0x9F, 0x59}, Data: []byte{1}}), "9000")
	d.run(d.script(card.ScriptCommand{Header: [4]byte{0x04, 0xDA, 0x9F, 0x59}, Data: []byte{1, 2}}), "6700")
	d.run(d.script(card.UpdateRecord(1, 1, dehex(t, "70055F2002414C"))), "9000")
	d.run(d.script(card.UpdateRecord(1, 2, dehex(t, "70055F2002414C"))), "6A83")
	d.run(d.script(card.UpdateRecord(1, 1, dehex(t, "71055F2002414C"))), "6A80")
	d.run(d.script(card.UpdateRecord(2, 1, dehex(t, "70055F2002414C"))), "6985") // under the card's certificate
	d.run(d.script(card.ScriptCommand{Header: [4]byte{0x04, 0xDC, 1, 1<<3 | 5}, Data: []byte{0x70, 0}}), "6A86")
	d.run(d.script(card.ScriptCommand{Header: [4]byte{0x84, 0x24, 0, 2}, Data: make([]byte, 16)}), "6A80") // not enciphered
	want(t, "approved", d.second("40", "00"), "TC")
	d.start()
	d.send("002000800826123456FFFFFFFF", "63C2")
	d.send("0020008008242580FFFFFFFFFF", "9000")
	if out := d.send("00B2010C00", "9000"); !bytes.Equal(out, dehex(t, "70055F2002414C")) {
		t.Errorf("record % X", out)
	}
	want(t, "once offline", d.first("40", "000000000001"), "TC")
	d.start()
	want(t, "not twice", d.first("40", "000000000001"), "ARQC")
	want(t, "nor where the issuer is not there", d.second("40", "Y3"), "AAC")
	if _, err := (card.Issuer{}).Script(0x72, d.c.PAN(), d.c.PSN(), d.icc, card.ChangePIN("12")); !errors.Is(err, card.ErrMissing) {
		t.Errorf("a PIN of two digits: %v", err)
	}
}

// TestOwnLimits is the card's own risk management beside amount and number.
func TestOwnLimits(t *testing.T) {
	d := newTerminal(t, "offline_limit = 20000\noffline_total = 1500\n")
	d.start()
	want(t, "10.00 of 15.00", d.first("40", "000000001000"), "TC")
	d.start()
	want(t, "20.00 of 15.00", d.first("40", "000000001000"), "ARQC")
	d.start()
	d.c.Reset()
	for answer, kinds := range map[string][3]string{"aac": {"AAC", "AAC", "AAC"}, "arqc": {"AAC", "ARQC", "ARQC"}, "tc": {"TC", "TC", "TC"}} {
		for i, p1 := range []string{"00", "40", "80"} {
			d := newTerminal(t, "offline_limit = 20000\nadvice = true\nfirst_answer = \""+answer+"\"\n")
			d.start()
			want(t, answer+" to "+p1, d.first(p1, "000000001000"), kinds[i])
			if cid, _ := tlv.Find(d.last, 0x9F27); kinds[i] == "AAC" && cid[0] != 0x08 || kinds[i] != "AAC" && cid[0]&0x0F != 0 {
				t.Errorf("%s to %s: CID %X", answer, p1, cid)
			}
		}
	}
	d = newTerminal(t, "advice = true\npin_left = 0\n")
	d.start()
	d.first("00", "000000001000")
	if cid, _ := tlv.Find(d.last, 0x9F27); cid[0] != 0x0A {
		t.Errorf("PIN tries exceeded: CID %X (Book 3, table 15)", cid)
	}
	d = newTerminal(t, "advice = true\n")
	d.start()
	d.first("80", "000000001000")
	d.send("008200000A"+strings.Repeat("00", 10), "6300")
	d.second("40", "00")
	if cid, _ := tlv.Find(d.last, 0x9F27); cid[0] != 0x0B {
		t.Errorf("issuer authentication failed: CID %X (Book 3, table 15)", cid)
	}
}

// TestDirectories reads the PSE and a directory below it by hand.
func TestDirectories(t *testing.T) {
	pse := "00A404000E" + hex.EncodeToString([]byte("1PAY.SYS.DDF01")) + "00"
	d := load(t, "directory-in-directory")
	d.send(pse, "9000")
	d.send("00B2010C00", "9000")
	if out := d.send("00B2020C00", "9000"); !bytes.Equal(out, dehex(t, "700D 610B 9D09 A0000003330101FF01")) {
		t.Errorf("entry of the DDF: % X", out)
	}
	d.send("00B2030C00", "6A83")
	fci := d.send("00A4040009A0000003330101FF0100", "9000")
	if sfi, ok := tlv.Find(fci, 0x6F, 0xA5, 0x88); !ok || !bytes.Equal(sfi, []byte{1}) {
		t.Errorf("FCI of the DDF: % X", fci)
	}
	if aid, ok := tlv.Find(d.send("00B2010C00", "9000"), 0x70, 0x61, 0x4F); !ok || !bytes.Equal(aid, dehex(t, "A000000333010102")) {
		t.Errorf("application in the DDF: %X", aid)
	}
	d.send("00B2020C00", "6A83")

	d = load(t, "priority-tie")
	d.send(pse, "9000")
	if n := bytes.Count(d.send("00B2010C00", "9000"), []byte{0x4F, 0x08}); n != 2 {
		t.Errorf("%d entries in the first record", n)
	}
	d.send("00B2020C00", "9000")
	d.send("00B2030C00", "6A83")
	load(t, "pse-blocked").send(pse, "6283")
	d = load(t, "pse-broken")
	d.send(pse, "9000")
	if _, err := tlv.One(d.send("00B2020C00", "9000")); err == nil {
		t.Error("the second record of the directory can be read")
	}
	d = load(t, "only-refuses")
	d.send("00A4040008A00000033301010100", "9000")
	d.send("80A80000028300", "6985")
	d = load(t, "new-card")
	d.start()
	if out := d.send("80CA9F1400", "9000"); !bytes.Equal(out, dehex(t, "9F140105")) {
		t.Errorf("lower limit % X", out)
	}
	d = load(t, "counters-hidden")
	d.start()
	d.send("80CA9F3600", "6A88")
}

// TestBank answers the cards of the profiles as these want it.
func TestBank(t *testing.T) {
	b := card.NewBank()
	for name, tags := range map[string][]tlv.Tag{
		"unionpay-debit": {0x91}, "no-answer-cryptogram": nil, "script-both": {0x91, 0x71, 0x72}, "script-before": {0x91, 0x71},
	} {
		d := load(t, name)
		d.start()
		d.first("80", "000000001000")
		out, err := b.Answer(d.c.PAN(), d.c.PSN(), d.icc, "00")
		if err != nil {
			t.Fatal(err)
		}
		var got []tlv.Tag
		dec := tlv.NewDecoder(out)
		for o, ok := dec.Next(); ok; o, ok = dec.Next() {
			got = append(got, o.Tag)
		}
		if !slices.Equal(got, tags) {
			t.Errorf("%s: %v, want %v", name, got, tags)
		}
	}
	d := load(t, "wrong-answer-cryptogram")
	d.start()
	d.first("80", "000000001000")
	auth, err := b.Authorise(d.c.PAN(), d.c.PSN(), d.icc, "00")
	if err != nil {
		t.Fatal(err)
	}
	d.send(fmt.Sprintf("00820000%02X%X", len(auth), auth), "6300")
	if _, err := b.Script(0x72, d.c.PAN(), d.c.PSN(), d.icc, []string{"nonsense"}); !errors.Is(err, card.ErrMissing) || !strings.Contains(err.Error(), "unblock-pin") {
		t.Errorf("%v", err)
	}
	// Card status update: the card declines when the issuer did, whatever the terminal asks for.
	d = load(t, "cvn-18")
	d.c.Reset()
	d.send("00A4040007A000000003101000", "9000")
	out := d.send("80A80000028300", "9000")
	d.aip, _ = tlv.Find(out, 0x77, 0x82)
	d.first("80", "000000001000")
	if auth, err = b.Authorise(d.c.PAN(), d.c.PSN(), d.icc, "51"); err != nil || len(auth) != 8 {
		t.Fatalf("% X, %v", auth, err)
	}
	d.send(fmt.Sprintf("0082000008%X", auth), "9000")
	want(t, "TC asked against the issuer's word", d.second("40", "00"), "AAC")
}

// TestXDARequest is GENERATE AC with a signature of the new kind: bits 5 and 4 of P1 exclude each other.
func TestXDARequest(t *testing.T) {
	d := newTerminal(t, "")
	d.start()
	d.send("80AE980020"+values("000000001000")+"10111200", "6A86")
	c, err := card.Parse([]byte(strings.Replace(baseProfile, `oda = "cda"`, "oda = \"xda\"\nkeys = \"p521\"", 1)))
	if err != nil {
		t.Fatal(err)
	}
	d = &terminal{t: t, c: c}
	d.start()
	for i, p1 := range []string{"88", "08"} { // an AAC is signed too
		list := values("000000001000") + "101112"
		if i == 1 {
			list = "3531" + values("000000001000")
		}
		out := d.send(fmt.Sprintf("80AE%s00%02X%s00", p1, len(list)/2, list), "9000")
		if sig, ok := tlv.Find(out, 0x77, 0x9F4B); !ok || len(sig) != 131 || sig[0] != 0x15 {
			t.Errorf("signature % X", sig)
		}
		if _, ok := tlv.Find(out, 0x77, 0x9F26); !ok {
			t.Error("the cryptogram is not in the clear")
		}
	}
	if log := c.Cryptograms(); log[0].Asked != "ARQC+XDA" || log[1].Asked != "AAC+XDA" || log[1].Kind != "AAC" {
		t.Errorf("%+v", log)
	}
}

// FuzzProfile reads profiles that somebody else has written.
func FuzzProfile(f *testing.F) {
	f.Add([]byte(baseProfile))
	f.Add([]byte(baseProfile + "objects = { \"9F14\" = \"05\" }\nomit = [\"8C\"]\nstatus = { gpo = \"6985\" }\nfault = \"padding\"\n"))
	f.Add([]byte(strings.Replace(baseProfile, `oda = "cda"`, "oda = \"xda\"\nkeys = \"p256\"\nddf = \"A0000003330101FF01\"", 1)))
	f.Add([]byte(strings.Replace(baseProfile, `oda = "cda"`, "oda = \"sda\"\ncvn = \"18\"\nafl = \"0801010010010200\"\naip = \"FFFF\"", 1)))
	for _, name := range []string{"tap-unionpay-purse", "tap-mastercard-stripe", "tap-visa-update"} {
		text, err := profileText(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := card.Parse(b)
		if err != nil {
			return
		}
		if g := c.Tag(); g != nil {
			for _, apdu := range []string{
				"00A404000E325041592E5359532E444446303100", "00A4040008A00000033301010200", "00A4040007A000000003101000", "00A4040007A000000004101000",
				"80A80000028300", "80A80000238321" + strings.Repeat("36", 33) + "00", "00B2011400", "802A8E80040000012300", "80AE900000",
			} {
				if out := g.Transceive(dehex(t, apdu)); len(out) == 1 || len(out) > 2048 {
					t.Errorf("%s: answer of %d bytes in the field", apdu, len(out))
				}
			}
		}
		for _, apdu := range []string{
			"00A404000E315041592E5359532E444446303100", "00B2010C00", "00A4040008A00000033301010100", "80A80000028300", "00B2011400",
			"80AE800020" + values("000000001000") + "10111200", "80AE980020" + values("000000001000") + "10111200",
			"80AE400020" + values("000000001000") + "10111200", "0084000000", "00880000040102030400",
		} {
			if out := c.Transceive(dehex(t, apdu)); len(out) < 2 || len(out) > 2048 {
				t.Errorf("%s: answer of %d bytes", apdu, len(out))
			}
		}
	})
}
