package acquirer

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"posd/emv/tlv"
)

// bank is an issuer whose every cryptogram is right but "BADBADBA".
type bank struct{}

func (bank) Authorise(_, _ string, _ []byte, arc string) ([]byte, error) {
	return append([]byte("ARPCARPC"), arc...), nil
}

func (bank) Verify(_, _ string, icc []byte) error {
	if bytes.Contains(icc, []byte("BADBADBA")) {
		return errors.New("wrong")
	}
	return nil
}

// adviceHost is a host with a terminal that has signed on, and a way to hand it requests.
func adviceHost(t *testing.T) (*Host, func(mti string, f map[int]string) decision) {
	t.Helper()
	mak := []byte("\x5B\xB5\xC7\x2C\xD0\x0B\x73\x38")
	h := New(Options{
		TMK: testTMK, TID: testTID, MID: testMID, Accounts: testAccounts(), Issuer: bank{},
		Scripts: func(template byte, _, _ string, _ []byte, names []string) ([]byte, error) {
			return tlv.Append(nil, tlv.Tag(template), []byte(names[0])), nil
		},
	})
	h.terminals[testTID] = &terminal{pik: testTMK, mak: mak, batch: 1}
	return h, func(mti string, f map[int]string) decision {
		t.Helper()
		r, err := readRequest(frameOf(t, mti, mak, f))
		if err != nil {
			t.Fatal(err)
		}
		return h.decide(r)
	}
}

func cloned(f map[int]string, change map[int]string) map[int]string {
	out := map[int]string{}
	for _, m := range []map[int]string{f, change} {
		for n, v := range m {
			if out[n] = v; v == "" {
				delete(out, n)
			}
		}
	}
	return out
}

func noticeFields() map[int]string {
	return map[int]string{
		2: richPAN, 3: "000000", 4: "000000000100", 11: "000010", 22: "052", 37: "000000000001", 38: "007919", 41: testTID, 42: testMID, 49: "156",
		55: "\xDF\x31\x05\x20\x00\x00\x00\x01", 60: "0000000195150", 61: "0000010000091123",
	}
}

// A notice is taken once, for a sale whose answer held scripts, and a repeat of it is told from another.
func TestScriptNotice(t *testing.T) {
	h, ask := adviceHost(t)
	if d := ask("0200", saleFields()); d.code != "00" || d.scripts != nil {
		t.Fatalf("%+v", d)
	}
	if d := ask("0620", noticeFields()); d.code != "25" {
		t.Errorf("a notice about a sale without scripts: %+v", d)
	}
	h.accounts[richPAN].After = []string{"block-card"}
	sale := cloned(saleFields(), map[int]string{11: "000011"})
	if d := ask("0200", sale); !bytes.Equal(d.scripts, []byte("\x72\x0Ablock-card")) {
		t.Fatalf("%+v", d)
	}
	notice := cloned(noticeFields(), map[int]string{61: "0000010000111123"})
	for what, change := range map[string]map[int]string{
		"no results":               {55: "\x95\x05\x00\x00\x00\x00\x00"},
		"results of four bytes":    {55: "\xDF\x31\x04\x20\x00\x00\x00"},
		"no field 61":              {61: ""},
		"field 61 too short":       {61: "000001000011"},
		"the sale's own number":    {11: "000011"},
		"not a notice's field 60":  {60: "2200000100050"},
		"a PIN block":              {52: "12345678"},
		"another amount":           {4: "000000000101"},
		"another card":             {2: poorPAN},
		"a sale that is not known": {61: "0000010000121123"},
	} {
		if d := ask("0620", cloned(notice, change)); d.code != "30" && d.code != "25" {
			t.Errorf("%s: %+v", what, d)
		}
	}
	if len(h.Notices()) != 0 {
		t.Fatalf("%v", h.Notices())
	}
	for i, want := range []string{"00", "94", "94"} {
		if d := ask("0620", notice); d.code != want {
			t.Errorf("notice %d: %+v", i+1, d)
		}
	}
	if d := ask("0620", cloned(notice, map[int]string{61: "0000010000091123"})); d.code != "30" {
		t.Errorf("the same number about another sale: %+v", d)
	}
	n, ok := h.Notices()[Key{testTID, 1, 10}]
	if len(h.Notices()) != 1 || !ok || n.Original.STAN != 11 || !bytes.Equal(n.Results, []byte{0x20, 0, 0, 0, 1}) {
		t.Errorf("%+v", h.Notices())
	}
	if h.TotalHeld() != 200 {
		t.Errorf("held %d: a notice moves no money", h.TotalHeld())
	}
}

func uploadFields() map[int]string {
	f := cloned(saleFields(), map[int]string{35: "", 60: "36000001000500"})
	f[55] = string(tlv.Append(tlv.Append(tlv.Append(nil, 0x9F02, []byte{0, 0, 0, 0, 1, 0}), 0x9F27, []byte{0x40}), 0x8A, []byte("Y1")))
	return f
}

// An upload is counted once: the same trace number, batch and amount again is a duplicate, anything else under that number is refused.
func TestUpload(t *testing.T) {
	with := func(s string) string { return uploadFields()[55] + s }
	for what, change := range map[string]map[int]string{
		"track data":        {35: richPAN + "D" + testExpiry + "201"},
		"a PIN block":       {22: "051", 26: "12", 52: "12345678", 53: "2600000000000000"},
		"an ARQC":           {55: string(bytes.Replace([]byte(uploadFields()[55]), []byte{0x40}, []byte{0x80}, 1))},
		"another ARC":       {55: string(bytes.Replace([]byte(uploadFields()[55]), []byte("Y1"), []byte("00"), 1))},
		"wrong certificate": {55: with("\x9F\x26\x08BADBADBA")},
		"amount signed":     {4: "000000000101"},
		"unknown card":      {2: "6222020000000000099"},
		"blocked account":   {2: badPAN},
		"no field 55":       {55: ""},
	} {
		h, ask := adviceHost(t)
		if d := ask("0200", cloned(uploadFields(), change)); d.code == "00" || d.code == "94" || h.TotalHeld() != 0 {
			t.Errorf("%s: %+v, held %d", what, d, h.TotalHeld())
		}
	}
	h, ask := adviceHost(t)
	for i, want := range []string{"00", "94", "94"} {
		if d := ask("0200", uploadFields()); d.code != want {
			t.Errorf("upload %d: %+v", i+1, d)
		}
	}
	if b, _ := h.Balance(richPAN); h.TotalHeld() != 100 || b != 1_000_000-100 {
		t.Errorf("held %d, balance %d", h.TotalHeld(), b)
	}
	if d := ask("0200", saleFields()); d.code != "94" || h.TotalHeld() != 100 {
		t.Errorf("a sale under the upload's number: %+v", d)
	}
	other := cloned(uploadFields(), map[int]string{2: poorPAN})
	if d := ask("0200", other); d.code == "94" || d.code == "00" {
		t.Errorf("an upload of another card under that number: %+v", d)
	}
	h, ask = adviceHost(t)
	if d := ask("0200", saleFields()); d.code != "00" {
		t.Fatal(d)
	}
	if d := ask("0200", uploadFields()); d.code == "94" || d.code == "00" || h.TotalHeld() != 100 {
		t.Errorf("an upload under the number of a sale: %+v", d)
	}
}

// A sale on the telephone needs the referral that it follows, and counts once.
func TestVoice(t *testing.T) {
	h, ask := adviceHost(t)
	voice := map[int]string{
		2: richPAN, 3: "000000", 4: "000000000100", 11: "000020", 14: testExpiry, 22: "052", 25: "00", 38: "778899", 41: testTID, 42: testMID,
		49: "156", 60: "30000001000500", 61: "000001000009112301", 63: "CUP",
	}
	if d := ask("0220", voice); d.code != "25" {
		t.Errorf("without a referral: %+v", d)
	}
	if err := h.FaultOnce(Refer01); err != nil {
		t.Fatal(err)
	}
	if d := ask("0200", saleFields()); d.code != "01" || h.TotalHeld() != 0 {
		t.Fatalf("%+v", d)
	}
	for what, change := range map[string]map[int]string{
		"no code": {38: ""}, "not by telephone": {61: "000001000009112300"}, "another amount": {4: "000000000101"}, "another card": {2: poorPAN},
		"type of a sale": {60: "22000001000500"},
	} {
		if d := ask("0220", cloned(voice, change)); d.code != "30" && d.code != "25" {
			t.Errorf("%s: %+v", what, d)
		}
	}
	for i, want := range []string{"00", "94"} {
		if d := ask("0220", voice); d.code != want {
			t.Errorf("advice %d: %+v", i+1, d)
		}
	}
	if d := ask("0220", cloned(voice, map[int]string{11: "000021"})); d.code != "30" || h.TotalHeld() != 100 {
		t.Errorf("the same sale under another number: %+v, held %d", d, h.TotalHeld())
	}
}

// Every fault can be narrowed to a notice, and the switches for scripts make scripts.
func TestScriptSwitches(t *testing.T) {
	h, ask := adviceHost(t)
	for _, f := range []string{Script71, Script72} {
		if !slices.Contains(h.Faults(), f) {
			t.Fatalf("no fault %s", f)
		}
		if err := h.FaultOnce(f); err != nil {
			t.Fatal(err)
		}
	}
	if d := ask("0200", saleFields()); !bytes.Equal(d.scripts, []byte("\x71\x0Bunblock-pin\x72\x0Bunblock-pin")) {
		t.Errorf("%q", d.scripts)
	}
	if d := ask("0200", cloned(saleFields(), map[int]string{11: "000010"})); d.scripts != nil {
		t.Errorf("once is twice: %q", d.scripts)
	}
}
