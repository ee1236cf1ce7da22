package vault

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func same(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if !strings.EqualFold(hex.EncodeToString(got), want) {
		t.Errorf("%s = %X, want %s", what, got, want)
	}
}

const textbook = "0123456789ABCDEFFEDCBA9876543210" // the test key of every DES manual

func TestMasterSession(t *testing.T) {
	mk := unhex(t, textbook)
	sk, err := DecryptECB(mk, unhex(t, "4F17866366ACA0F653E180FE366C0C73"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "session key", sk, "1032547698BADCFE2345678998ABBACD")
	enc, err := EncryptECB(mk, sk)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "enciphered session key", enc, "4F17866366ACA0F653E180FE366C0C73")
	block, err := EncodePIN0("1234", "4012345678909")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "PIN block", block[:], "041274EDCBA9876F")
	epb, err := EncryptECB(sk, block[:])
	if err != nil {
		t.Fatal(err)
	}
	same(t, "enciphered PIN block", epb, "FB54E34996C8BFF2")
	mac, err := MAC3(unhex(t, "5E4C3D2A1A08F8E60123456789ABCDEF"), []byte("AMT$1.99REF00042"), Padding1)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "MAC", mac[:], "08B3A350FE33832A")
}

// Vector B of the UnionPay direct connection: field 62 of a sign-on answer in its 40-byte form.
func TestUnionPayWorkingKeys(t *testing.T) {
	tmk := unhex(t, "CA5D92598DCA48CE8A4C76361A9269E9")
	for _, c := range []struct{ name, enc, kcv, clear string }{
		{"PIK", "6701EAD6A9AD51E51AA406E2C27FCFA9", "8D0A74B8", "807A23AD32B36D457AE91FDF927570EA"},
		{"MAK", "B651F9E9BACE9AE1", "AB7153CA", "5BB5C72CD00B7338"},
	} {
		key, err := DecryptECB(tmk, unhex(t, c.enc))
		if err != nil {
			t.Fatal(err)
		}
		same(t, c.name, key, c.clear)
		kcv, err := KCV(key, 4)
		if err != nil {
			t.Fatal(err)
		}
		same(t, c.name+" KCV", kcv, c.kcv)
		mac, err := PadMAC(key, make([]byte, 8)) // what Install relies on
		if err != nil {
			t.Fatal(err)
		}
		same(t, c.name+" MAC over zeros", mac[:4], c.kcv)
	}
}

func TestKCV(t *testing.T) {
	for _, c := range []struct{ key, kcv string }{
		{textbook, "08D7B4"},
		{"1032547698BADCFE2345678998ABBACD", "611BF6"},
		{"F039121BEC83D26B169BDCD5B22AAF8F", "CB9DEA"},
		{"3F419E1CB7079442AA37474C2EFBF8B8", "57C409"},
		{"6AC292FAA1315B4D858AB3A3D7D5933A", "AF8C07"},
	} {
		got, err := KCV(unhex(t, c.key), 3)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "KCV", got, c.kcv)
	}
	got, err := KCVAES(unhex(t, "3F419E1CB7079442AA37474C2EFBF8B8"), 5)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "AES KCV", got, "08793E25AB")
	if _, err := KCV(make([]byte, 7), 3); !errors.Is(err, ErrKeyLength) {
		t.Errorf("7-byte key: %v", err)
	}
	for _, n := range []int{-1, 0, 9} {
		if _, err := KCV(make([]byte, 8), n); err == nil {
			t.Errorf("KCV of %d bytes accepted", n)
		}
	}
	if _, err := KCVAES(make([]byte, 16), 17); err == nil {
		t.Error("AES KCV of 17 bytes accepted")
	}
}

func TestMACs(t *testing.T) {
	const text = "Now is the time for all "
	m, err := MAC1(unhex(t, "0123456789ABCDEF"), []byte(text), Padding1)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "algorithm 1", m[:], "70A30640CC76DD8B")
	m, err = MAC3(unhex(t, textbook), []byte(text), Padding1)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "algorithm 3", m[:], "A1C72E74EA3FA9B6")
	// Padding 1 fills with zeros, padding 2 adds 80 to whole blocks as well.
	p1, _ := MAC3(unhex(t, textbook), []byte("Now is the time"), Padding1)
	z, _ := MAC3(unhex(t, textbook), []byte("Now is the time\x00"), Padding1)
	if p1 != z {
		t.Error("padding 1 is not zeros")
	}
	p2, _ := MAC3(unhex(t, textbook), []byte(text), Padding2)
	z, _ = MAC3(unhex(t, textbook), []byte(text+"\x80\x00\x00\x00\x00\x00\x00\x00"), Padding1)
	if p2 != z {
		t.Error("padding 2 does not add a block to a full message")
	}
	if _, err := MAC3(make([]byte, 8), nil, Padding1); !errors.Is(err, ErrKeyLength) {
		t.Errorf("algorithm 3 with 8 bytes: %v", err)
	}
}

func TestCMAC(t *testing.T) {
	b, err := NewTDES(unhex(t, "8AA83BF8CBDA10620BC1BF19FBB6CD58BC313D4A371CA8B5"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "TDES CMAC", CMAC(b, unhex(t, "6BC1BEE22E409F96")), "8E8F293136283797")
	same(t, "TDES CMAC of nothing", CMAC(b, nil), "B7A688E122FFAF95")
	a, err := aes.NewCipher(unhex(t, "2B7E151628AED2A6ABF7158809CF4F3C"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "AES CMAC", CMAC(a, unhex(t, "6BC1BEE22E409F96E93D7E117393172A")), "070A16B46B4D4144F79BDD9DD04A287C")
	// RFC 4493 example 3: 40 bytes, so that the last block is padded and there are blocks before it.
	same(t, "AES CMAC of 40 bytes",
		CMAC(a, unhex(t, "6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E5130C81C46A35CE411")),
		"DFA66747DE9AE63030CA32611497C827")
}

func TestFoldECB(t *testing.T) {
	for _, c := range []struct{ mab, want string }{
		{"", "0000000000000000"},
		{"0102030405060708", "0102030405060708"},
		{"0102030405060708FF", "FE02030405060708"},
		{"AABBCCDDEEFF0011 1122334455667788 01", "BA99FF99BB997799"},
	} {
		got := FoldECB(unhex(t, c.mab))
		if string(got[:]) != c.want {
			t.Errorf("FoldECB(%s) = %s, want %s", c.mab, got, c.want)
		}
	}
	// Steps 4 to 6 of the UnionPay MAC, one by one, against algorithm 1 over the fold.
	mak := unhex(t, "5BB5C72CD00B7338")
	fold := FoldECB([]byte("a message of more than two blocks"))
	des, err := NewTDES(mak)
	if err != nil {
		t.Fatal(err)
	}
	step := make([]byte, 8)
	des.Encrypt(step, fold[:8])
	for i := range step {
		step[i] ^= fold[8+i]
	}
	des.Encrypt(step, step)
	mac, err := MAC1(mak, fold[:], Padding1)
	if err != nil {
		t.Fatal(err)
	}
	if !EqualMAC(mac[:], step) {
		t.Errorf("algorithm 1 over the fold = %X, by steps %X", mac, step)
	}
	if f64 := HexMAC(mac); string(f64[:]) != strings.ToUpper(hex.EncodeToString(step))[:8] {
		t.Errorf("HexMAC = %s", f64)
	}
}

func TestParity(t *testing.T) {
	same(t, "odd parity", OddParity(unhex(t, "00FF0123456789AA")), "01FE0123456789AB")
	if HasOddParity(unhex(t, "00")) || !HasOddParity(unhex(t, textbook)) {
		t.Error("HasOddParity is wrong")
	}
	a, _ := KCV(unhex(t, textbook), 8)
	b, _ := KCV(unhex(t, "0022446688AACCEEFFDDBB9977553311"), 8) // every parity bit turned
	if !bytes.Equal(a, b) {
		t.Error("parity bits change the key")
	}
}

func TestPINBlocks(t *testing.T) {
	b, err := EncodePIN0("123456", "6222020200112233440")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "format 0", b[:], "06123656EEDDCCBB")
	b, err = EncodePIN1("1234", bytes.NewReader(unhex(t, "0000000123456789")))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "format 1", b[:], "1412340123456789")
	// Fill A B C D E F A B C D: the bytes 0 to 5 choose A to F; the first six nibbles are format, length and PIN.
	b, err = EncodePIN3("1234", "4012345678909", bytes.NewReader([]byte{0, 0, 0, 0, 0, 0, 255, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3}))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "format 3", b[:], "341274B9F9B9D35D")
	key := unhex(t, "AF8CB133A78F8DC2D1359F18527593FB")
	e, err := EncryptPIN4(key, "1234", "4111111111111111", bytes.NewReader(unhex(t, "2F69ADDE2E9E7ACE")))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "format 4", e[:], "A912150391AB65A67E52883D81CE2D15")
	if pin, err := DecryptPIN4(key, e, "4111111111111111"); err != nil || pin != "1234" {
		t.Errorf("DecryptPIN4: %v", err)
	}
	if _, err := DecryptPIN4(key, e, "4111111111111112"); !errors.Is(err, ErrPINBlock) {
		t.Errorf("format 4 with another PAN: %v", err)
	}
	for pan, want := range map[string]string{
		"6222020200112233440": "76222020200112233440000000000000",
		"123456789":           "00001234567890000000000000000000",
		"4012345678909":       "14012345678909000000000000000000",
	} {
		f := panField4(pan)
		same(t, "PAN field of format 4", f[:], want)
	}
}

func TestPINBlockRefusals(t *testing.T) {
	for _, c := range []struct {
		pin, pan string
		want     error
	}{
		{"123", "4012345678909", ErrPIN},
		{"1234567890123", "4012345678909", ErrPIN},
		{"12a4", "4012345678909", ErrPIN},
		{"1234", "1234567", ErrPAN},
		{"1234", "40123456789091234567", ErrPAN},
		{"1234", "40123456x8909", ErrPAN},
		{"1234", "", ErrPAN},
	} {
		if _, err := EncodePIN0(c.pin, c.pan); !errors.Is(err, c.want) {
			t.Errorf("EncodePIN0: %v, want %v", err, c.want)
		}
	}
	pan := "4012345678909"
	field := panField(pan)
	for name, h := range map[string]string{
		"format 2":        "241234FFFFFFFFFF",
		"length 3":        "03123FFFFFFFFFFF",
		"length 13":       "0D12345678901234",
		"digit A":         "0412A4FFFFFFFFFF",
		"fill not F":      "041234FFFFFFFFF0",
		"format 3 fill 9": "341234AAAAAAAAA9",
	} {
		var b [8]byte
		for i, v := range unhex(t, h) {
			b[i] = v ^ field[i]
		}
		if _, err := DecodePIN(b, pan); err != ErrPINBlock { // exactly this one, nothing wrapped
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := EncodePIN1("1234", bytes.NewReader(nil)); err == nil {
		t.Error("format 1 without randomness accepted")
	}
}

func FuzzDecodePIN(f *testing.F) {
	f.Add([]byte{0x04, 0x12, 0x74, 0xED, 0xCB, 0xA9, 0x87, 0x6F}, "4012345678909")
	f.Add([]byte{0x14, 0x12, 0x34, 0x01, 0x23, 0x45, 0x67, 0x89}, "")
	f.Add([]byte{0x34, 0x12, 0x74, 0xB9, 0xF9, 0xB9, 0xD3, 0x5D}, "4012345678909")
	f.Fuzz(func(t *testing.T, raw []byte, pan string) {
		var b [8]byte
		copy(b[:], raw)
		pin, err := DecodePIN(b, pan)
		if err != nil {
			if pin != "" {
				t.Fatal("digits with an error")
			}
			return
		}
		if checkPIN(pin) != nil {
			t.Fatal("decoded something that is no PIN")
		}
		if b[0]>>4 == 0 {
			again, err := EncodePIN0(pin, pan)
			if err != nil || again != b {
				t.Fatal("format 0 does not come back")
			}
		}
	})
}
