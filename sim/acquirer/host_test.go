package acquirer

import (
	"bytes"
	"encoding/hex"
	"testing"
	"testing/synctest"

	"posd/netlink/iso8583"
)

// The working keys of the family's public example: field 62 of a sign-on, the master key it came under, and the keys inside.
func TestWrapVector(t *testing.T) {
	h := New(Options{TMK: testTMK})
	pik, _ := hex.DecodeString("807A23AD32B36D457AE91FDF927570EA")
	mak, _ := hex.DecodeString("5BB5C72CD00B7338")
	want, _ := hex.DecodeString("6701EAD6A9AD51E51AA406E2C27FCFA98D0A74B8B651F9E9BACE9AE10000000000000000AB7153CA")
	if got := h.wrap(h.wrap(nil, pik, 0), mak, 8); !bytes.Equal(got, want) {
		t.Errorf("field 62 %x, want %x", got, want)
	}
}

// request builds a frame's content by hand.
func frameOf(t testing.TB, mti string, mak []byte, fields map[int]string) []byte {
	t.Helper()
	m := iso8583.NewMessage(spec)
	if err := m.SetMTI(mti); err != nil {
		t.Fatal(err)
	}
	for n, v := range fields {
		if err := m.SetText(n, v); err != nil {
			t.Fatal(err)
		}
	}
	if mak != nil {
		if err := m.SetText(64, "00000000"); err != nil {
			t.Fatal(err)
		}
	}
	head := []byte{0x60, 0x00, 0x06, 0x00, 0x12, 0x60, 0x31, 0x00, 0x31, 0x10, 0x03}
	out, err := m.Append(bytes.Clone(head))
	if err != nil {
		t.Fatal(err)
	}
	if mak != nil {
		mac := macOf(mak, out[len(head):len(out)-8])
		copy(out[len(out)-8:], mac[:])
	}
	return out
}

func saleFields() map[int]string {
	return map[int]string{
		2: richPAN, 3: "000000", 4: "000000000100", 11: "000009", 14: testExpiry, 22: "052", 25: "00", 35: richPAN + "D" + testExpiry + "201",
		41: testTID, 42: testMID, 49: "156", 55: string(icc(100)), 60: "22000001000500",
	}
}

// What the host refuses before anybody's account is touched.
func TestRequestChecks(t *testing.T) {
	mak := []byte("\x5B\xB5\xC7\x2C\xD0\x0B\x73\x38")
	for _, c := range []struct {
		what   string
		change func(f map[int]string)
		code   string
	}{
		{"nothing wrong", func(map[int]string) {}, "00"},
		{"no processing code", func(f map[int]string) { delete(f, 3) }, "30"},
		{"another processing code", func(f map[int]string) { f[3] = "200000" }, "40"},
		{"no amount", func(f map[int]string) { delete(f, 4) }, "30"},
		{"amount zero", func(f map[int]string) { f[4] = "000000000000" }, "30"},
		{"STAN zero", func(f map[int]string) { f[11] = "000000" }, "30"},
		{"another currency", func(f map[int]string) { f[49] = "840" }, "30"},
		{"no batch", func(f map[int]string) { f[60] = "22" }, "30"},
		{"field 60 without 60.4", func(f map[int]string) { f[60] = "22000001000" }, "30"},
		{"field 60.1 of a refund", func(f map[int]string) { f[60] = "25000001000500" }, "30"},
		{"field that is not a sale's", func(f map[int]string) { f[63] = "01 " }, "30"},
		{"two cards", func(f map[int]string) { f[2] = poorPAN }, "30"},
		{"PIN block without being announced", func(f map[int]string) { f[52], f[26], f[53] = "12345678", "12", "2600000000000000" }, "30"},
		{"PIN announced without block", func(f map[int]string) { f[22] = "051" }, "30"},
		{"PIN block without field 26", func(f map[int]string) { f[22], f[52], f[53] = "051", "12345678", "2600000000000000" }, "30"},
		{"PIN block under single DES", func(f map[int]string) { f[22], f[26], f[52], f[53] = "051", "12", "12345678", "2000000000000000" }, "30"},
		{"field 26 for nothing", func(f map[int]string) { f[26] = "12" }, "30"},
		{"chip data in a magnetic stripe sale", func(f map[int]string) { f[22] = "022" }, "30"},
		{"no card at all", func(f map[int]string) { delete(f, 2); delete(f, 35) }, "30"},
		{"another terminal", func(f map[int]string) { f[41] = "87654321" }, "97"},
		{"another merchant", func(f map[int]string) { f[42] = "898110153110009" }, "97"},
	} {
		h := New(Options{TMK: testTMK, TID: testTID, MID: testMID, Accounts: testAccounts()})
		h.terminals[testTID] = &terminal{pik: testTMK, mak: mak, batch: 1}
		f := saleFields()
		c.change(f)
		r, err := readRequest(frameOf(t, "0200", mak, f))
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if d := h.decide(r); d.code != c.code {
			t.Errorf("%s: %s (%s), want %s", c.what, d.code, d.outcome, c.code)
		}
		if held := h.TotalHeld(); (c.code == "00") != (held == 100) {
			t.Errorf("%s: the host holds %d", c.what, held)
		}
	}
}

// One bit anywhere in a request breaks its MAC.
func TestEveryBitIsUnderTheMAC(t *testing.T) {
	mak := []byte("\x5B\xB5\xC7\x2C\xD0\x0B\x73\x38")
	whole := frameOf(t, "0200", mak, saleFields())
	for i := (tpduSize + headerSize) * 8; i < len(whole)*8; i++ {
		b := bytes.Clone(whole)
		b[i/8] ^= 1 << (i % 8)
		r, err := readRequest(b)
		if err != nil {
			continue
		}
		if r.macGood(mak) {
			t.Errorf("bit %d of byte %d may change", i%8, i/8)
		}
	}
	if r, err := readRequest(whole); err != nil || !r.macGood(mak) || r.macGood(testTMK[:8]) || r.macGood(nil) {
		t.Error("the whole request is not accepted under its key alone")
	}
}

func TestUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, false, nil)
		p.signOn()
		for _, b := range [][]byte{{1}, bytes.Repeat([]byte{0x60}, 11), bytes.Repeat([]byte{0xFF}, 300)} {
			if _, err := p.link.Send(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		p.signOn() // the line is as good as before
		unreadable := 0
		for _, e := range p.host.Ledger() {
			if e.MTI == "" {
				unreadable++
			}
		}
		if unreadable != 3 {
			t.Errorf("%d entries for what could not be read", unreadable)
		}
	})
}

func TestMaskPAN(t *testing.T) {
	for pan, want := range map[string]string{
		"6222021234567890128": "622202*********0128", "4761739001010119": "476173******0119", "": "", "123456789012": "************",
	} {
		if got := maskPAN(pan); got != want {
			t.Errorf("%q", got)
		}
	}
}

func FuzzRequest(f *testing.F) {
	mak := []byte("\x5B\xB5\xC7\x2C\xD0\x0B\x73\x38")
	f.Add(frameOf(f, "0200", mak, saleFields()))
	f.Add(frameOf(f, "0800", nil, map[int]string{11: "000001", 41: testTID, 42: testMID, 60: "00000000003", 63: "01 "}))
	f.Add(frameOf(f, "0820", nil, map[int]string{41: testTID, 42: testMID, 60: "00000000301"}))
	f.Add(frameOf(f, "0400", mak, map[int]string{
		3: "000000", 4: "000000000100", 11: "000009", 22: "052", 25: "00", 39: "98", 41: testTID, 42: testMID, 49: "156", 60: "22000001000500",
	}))
	f.Add([]byte{0x60})
	f.Add([]byte("\x60\x00\x06\x00\x00\x60\x31\x00\x31\x10\x03\x09\x90\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		h := New(Options{TMK: testTMK, Accounts: testAccounts()})
		h.terminals[testTID] = &terminal{pik: testTMK, mak: mak, batch: 1}
		r, err := readRequest(frame)
		if err != nil {
			return
		}
		d := h.decide(r)
		b := h.answerTo(r, d).frame()
		back := iso8583.NewMessage(spec)
		if err := back.Parse(b[2+tpduSize+headerSize:]); err != nil {
			t.Fatalf("the host cannot read its own answer: %v", err)
		}
		if int(b[0])<<8+int(b[1]) != len(b)-2 {
			t.Fatal("the length is not that of the answer")
		}
		if held := h.TotalHeld(); held != 0 && (d.code != "00" || held != r.minor || !r.macGood(mak)) {
			t.Fatalf("held %d after %s", held, d.code)
		}
	})
}
