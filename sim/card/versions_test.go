package card

import (
	"bytes"
	"testing"
)

// TestVersions compares with an implementation of the same documents in another language, which also gives the values of
// TestCryptograms.
func TestVersions(t *testing.T) {
	values := map[uint32]string{
		0x9F02: "000000012800", 0x9F03: "000000000000", 0x9F1A: "0156", 0x95: "0000048000", 0x5F2A: "0156", 0x9A: "250601", 0x9C: "00",
		0x9F37: "756E7072", 0x82: "7C00", 0x9F36: "001C",
	}
	card := cardKeyOf(vectorMaster, "4111118472619350", "45")
	for _, c := range []struct{ name, iad, ac, answer string }{
		{"10", "06010A03A01002", "FFEEE63FCDE08635", "1FBD03BCDC70B488" + "3030"},
		{"18", "06011203A01002", "E53C6699B0DF972E", "824FDAF7" + "00800000"},
		{"01", "07010103A0100201", "F6E653F5D866C7A8", "70C85F36C00E06EE" + "3030"},
	} {
		v := versionNamed(c.name)
		iad := v.iad([3]byte{0xA0, 0x10, 0x02})
		if !bytes.Equal(iad, unhex(c.iad)) || versionOf(iad) != v {
			t.Errorf("version %s: 9F10 %X", c.name, iad)
		}
		values[0x9F10] = c.iad
		k := v.session(card, 0x001C)
		ac := v.cryptogram(k, func(tag uint32) []byte { return unhex(values[tag]) })
		if !bytes.Equal(ac[:], unhex(c.ac)) {
			t.Errorf("version %s: cryptogram %X", c.name, ac)
		}
		if a := v.answer(k, ac, "00"); !bytes.Equal(a, unhex(c.answer)) {
			t.Errorf("version %s: answer %X", c.name, a)
		}
	}
	if k := pbocSession(card, 0x001C); !bytes.Equal(k[:], unhex("F1F18F29FED613E61CD3299D7F4CF1AE")) {
		t.Errorf("PBOC session key %X", k)
	}
	for _, iad := range []string{"", "07", "07011203A01002", "06011003A01002", "08011203A01002010000"} {
		if versionOf(unhex(iad)) != nil {
			t.Errorf("9F10 %s is of no version", iad)
		}
	}
	if csu := statusUpdate("51"); csu[1] != 0 {
		t.Errorf("card status update of a decline: %X", csu)
	}
}

func TestNewPIN(t *testing.T) {
	k := session(cardKeyOf(vectorMaster, "4111118472619350", "45"), [8]byte(unhex("A1B2C3D4E5F60718")))
	sealed := sealPIN(k, "2580")
	if !bytes.Equal(sealed, unhex("635BCBCFEBCBBFD728A754444CF42219")) {
		t.Errorf("enciphered %X", sealed)
	}
	for _, pin := range []string{"1234", "12345", "123456789012"} {
		if got := unsealPIN(k, sealPIN(k, pin)); got != pin {
			t.Errorf("%d digits come back as %d", len(pin), len(got))
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 0x10
		if got := unsealPIN(k, bad); got == "2580" || i < 8 && got != "" {
			t.Errorf("byte %d changed: it is still a PIN", i)
		}
	}
	if unsealPIN(k, sealed[:8]) != "" || unsealPIN(k, nil) != "" {
		t.Error("half a PIN")
	}
}
