package card_test

import (
	"bytes"
	"testing"
	"testing/synctest"

	"posd/emv/tlv"
	driver "posd/hal/ccid"
	"posd/sim/card"
)

// exchange sends a command and wants 9000.
func exchange(t *testing.T, c *driver.Card, apdu ...byte) []byte {
	t.Helper()
	out, err := c.Transceive(t.Context(), apdu)
	if err != nil {
		t.Fatalf("%X: %v", apdu[:4], err)
	}
	if !bytes.HasSuffix(out, []byte{0x90, 0x00}) {
		t.Fatalf("%X: %X", apdu[:4], out)
	}
	return out[:len(out)-2]
}

// TestFlow walks through a transaction by hand, over the driver, the line, the reader and the card.
func TestFlow(t *testing.T) {
	for _, profile := range []string{"GemCorePOSPro", "GemPCTwin"} {
		for _, name := range []string{"unionpay-debit", "unionpay-credit", "visa-debit"} {
			t.Run(profile+"/"+name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { flow(t, profile, name) }) })
		}
	}
}

func flow(t *testing.T, profile, name string) {
	dev, drv := slot(t, profile, nil)
	if there, err := drv.Present(t.Context()); err != nil || there {
		t.Fatalf("empty slot: %v, %v", there, err)
	}
	c, err := card.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	dev.Insert(0, c)
	if err := drv.WaitInserted(t.Context()); err != nil {
		t.Fatal(err)
	}
	chip, err := drv.PowerOn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := chip.Protocol(), c.Profile().Protocol; got != want {
		t.Fatalf("T=%d, want T=%d", got, want)
	}

	fci := exchange(t, chip, append([]byte{0x00, 0xA4, 0x04, 0x00, 14}, "1PAY.SYS.DDF01\x00"...)...)
	if sfi, ok := tlv.Find(fci, 0x6F, 0xA5, 0x88); !ok || !bytes.Equal(sfi, []byte{1}) {
		t.Fatalf("PSE: % X", fci)
	}
	dir := exchange(t, chip, 0x00, 0xB2, 0x01, 0x0C, 0x00)
	aid, ok := tlv.Find(dir, 0x70, 0x61, 0x4F)
	if !ok {
		t.Fatalf("directory: % X", dir)
	}
	if out, err := chip.Transceive(t.Context(), []byte{0x00, 0xB2, 0x02, 0x0C, 0x00}); err != nil || !bytes.Equal(out, []byte{0x6A, 0x83}) {
		t.Fatalf("behind the directory: % X, %v", out, err)
	}

	fci = exchange(t, chip, append(append([]byte{0x00, 0xA4, 0x04, 0x00, byte(len(aid))}, aid...), 0)...)
	pdol, _ := tlv.Find(fci, 0x6F, 0xA5, 0x9F38)
	list, err := tlv.ParseDOL(pdol)
	if err != nil {
		t.Fatal(err)
	}
	options := append([]byte{0x83, byte(list.Len())}, make([]byte, list.Len())...)
	gpo := exchange(t, chip, append(append([]byte{0x80, 0xA8, 0, 0, byte(len(options))}, options...), 0)...)
	afl, ok := tlv.Find(gpo, 0x77, 0x94)
	if !ok {
		format1, found := tlv.Find(gpo, 0x80)
		if !found {
			t.Fatalf("GPO: % X", gpo)
		}
		afl = format1[2:]
	}
	objects := map[tlv.Tag][]byte{}
	for ; len(afl) >= 4; afl = afl[4:] {
		for n := afl[1]; n <= afl[2]; n++ {
			rec := exchange(t, chip, 0x00, 0xB2, n, afl[0]|4, 0x00)
			if err := tlv.Walk(rec, func(_ []tlv.Tag, o tlv.Object) (bool, error) { objects[o.Tag] = o.Value; return true, nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tag := range []tlv.Tag{0x5A, 0x57, 0x5F24, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x9F32, 0x9F46, 0x9F47} {
		if len(objects[tag]) == 0 {
			t.Errorf("no %v in the records", tag)
		}
	}
	cdol, err := tlv.ParseDOL(objects[0x8C])
	if err != nil {
		t.Fatal(err)
	}
	terminal := map[tlv.Tag][]byte{
		0x9F02: {0, 0, 0, 0, 0x12, 0x34}, 0x9F1A: {1, 0x56}, 0x5F2A: {1, 0x56}, 0x9A: {0x25, 0x06, 0x01}, 0x9F37: {1, 2, 3, 4},
		0x9F03: make([]byte, 6), 0x95: make([]byte, 5), 0x9C: {0},
	}
	data, err := cdol.Append(nil, 255, func(tag tlv.Tag) ([]byte, bool) { v, ok := terminal[tag]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	ac := exchange(t, chip, append(append([]byte{0x80, 0xAE, 0x80, 0, byte(len(data))}, data...), 0)...)
	if kind := c.Cryptograms(); len(kind) != 1 || kind[0].Kind != "ARQC" || kind[0].Amount != 1234 {
		t.Fatalf("card's record: %+v", kind)
	}
	// What a host would see.
	if format1, ok := tlv.Find(ac, 0x80); ok {
		ac = tlv.Append(nil, 0x77, bytes.Join([][]byte{
			tlv.Append(nil, 0x9F27, format1[:1]), tlv.Append(nil, 0x9F36, format1[1:3]), tlv.Append(nil, 0x9F26, format1[3:11]), tlv.Append(nil, 0x9F10, format1[11:]),
		}, nil))
	}
	inner, _ := tlv.Find(ac, 0x77)
	icc := append([]byte(nil), inner...)
	for tag, v := range terminal {
		icc = tlv.Append(icc, tag, v)
	}
	aip := []byte{gpo[2], gpo[3]}
	if v, ok := tlv.Find(gpo, 0x77, 0x82); ok {
		aip = v
	}
	icc = tlv.Append(icc, 0x82, aip)
	auth, err := card.Issuer{}.Authorise(c.PAN(), c.PSN(), icc, "00")
	if err != nil {
		t.Fatal(err)
	}
	if c.Profile().Applications[0].IssuerAuth == "external" {
		exchange(t, chip, append([]byte{0x00, 0x82, 0, 0, byte(len(auth))}, auth...)...)
	}
	if err := drv.PowerOff(t.Context()); err != nil {
		t.Fatal(err)
	}
	if dev.Powered(0) {
		t.Error("the card still has power")
	}
	dev.Remove(0)
	if err := drv.WaitRemoved(t.Context()); err != nil {
		t.Fatal(err)
	}
}
