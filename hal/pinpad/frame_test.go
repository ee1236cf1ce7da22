package pinpad

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"posd/internal/money"
	"posd/vault"
)

func unhexT(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Worked frames of the packet family.
func TestGoldenFrames(t *testing.T) {
	key := func(s string) []byte { return unhexT(t, s) }
	entry := vault.PINEntry{PAN: "4012345678909", Amount: money.Yuan(1234), Timeout: 100 * time.Second}
	encSK := key("4F17866366ACA0F653E180FE366C0C73")
	vf, uic := New(nil, nil).o, New(nil, &Opts{Dialect: UIC}).o
	for _, c := range []struct {
		name  string
		admin bool
		body  string
		want  string // hexadecimal, or text after "="
	}{
		{"load", true, "02" + "0" + "0123456789ABCDEF", "0F 30 32 30 30 31 32 33 34 35 36 37 38 39 41 42 43 44 45 46 0E 3A"},
		{"is slot 5 loaded", true, "045", "0F 30 34 35 0E 3F"},
		{"loaded", true, "04F", "0F 30 34 46 0E 4C"},
		{"select slot 7", true, "087", "0F 30 38 37 0E 31"},
		{"selected", true, "080", "0F 30 38 30 0E 36"},
		{"serial number", true, "06", "0F 30 36 0E 08"},
		{"connection test: the LRC is SO", true, "11", "0F 31 31 0E 0E"},
		{"speed", true, "1342", "0F 31 33 34 32 0E 0A"},
		{"trusted prompt", false, "Z2\x1e001\x1a", "02 5A 32 1E 30 30 31 1A 03 5E"},
		{"prompt shown", false, "Z20", "02 5A 32 30 03 5B"},
		{"free text", false, "Z2\x1aWELCOME", "02 5A 32 1A 57 45 4C 43 4F 4D 45 03 2B"},
		{"cancel: the LRC is ACK", false, "72", "02 37 32 03 06"},
		{"no master key", false, "711", "02 37 31 31 03 34"},
		{"next MAC packet", false, "Z671", "02 5A 36 37 31 03 69"},
		{"Z60", false, string(vf.pinRequest(Z60, encSK, entry, "")), "=\x02Z60.4012345678909\x1c4F17866366ACA0F653E180FE366C0C73\x03S"},
		{"Z63", false, string(vf.pinRequest(Z63, encSK, entry, "")), "=\x02Z63.4012345678909\x1c4F17866366ACA0F653E180FE366C0C730412Y*\x03$"},
		{"Z62 of UIC", false, string(uic.pinRequest(Z62, encSK[:8], entry, "")), "=\x02Z62.4012345678909\x1c4F17866366ACA0F60412YENTER PIN\x1cTHEN PRESS ENTER\x1cPROCESSING\x1c4\x03u"},
		{"70", false, string(vf.pinRequest(P70, encSK[:8], entry, "12.34")), "=\x0270.4012345678909\x1c4F17866366ACA0F612.34\x03\\"},
		{
			"Z66", false, string(macRequest(macLastText, 0, 'B', key("8FE10196464FD3591A4D672DCA6CB335"), []byte("AMT$1.99REF00042"))),
			"=\x02Z66400B\x1c8FE10196464FD3591A4D672DCA6CB335\x1c\x1cAMT$1.99REF00042\x03O",
		},
	} {
		want := []byte(strings.TrimPrefix(c.want, "="))
		if c.want[0] != '=' {
			want = unhexT(t, c.want)
		}
		got := appendFrame(nil, c.admin, []byte(c.body))
		if !bytes.Equal(got, want) {
			t.Errorf("%s: built\n%q, want\n%q", c.name, got, want)
		}
		var p parser
		var evs []event
		for _, b := range want {
			if ev, ok := p.push(b); ok {
				ev.body = bytes.Clone(ev.body)
				evs = append(evs, ev)
			}
		}
		if len(evs) != 1 || evs[0].kind != evFrame || evs[0].admin != c.admin || string(evs[0].body) != c.body {
			t.Errorf("%s: parsed %+v", c.name, evs)
		}
	}
}

func events(progress bool, b []byte) (out []string) {
	p := parser{progress: progress}
	names := []string{"", "ACK", "NAK", "EOT", "", "bad", "digit", "clear"}
	for _, b := range b {
		if ev, ok := p.push(b); ok {
			if ev.kind == evFrame {
				out = append(out, string(ev.body))
			} else {
				out = append(out, names[ev.kind])
			}
		}
	}
	if p.partial() {
		out = append(out, "...")
	}
	return out
}

func TestParser(t *testing.T) {
	ok := string(appendFrame(nil, false, []byte("Z671")))
	for _, c := range []struct {
		name     string
		progress bool
		in       string
		want     string
	}{
		{"link bytes", false, "\x06\x15\x04", "ACK NAK EOT"},
		{"noise around", false, "abc\xff\x00" + ok + "\x1a?" + ok, "Z671 Z671"},
		{"LRC is a link byte", false, "\x0272\x03\x06\x06", "72 ACK"},
		{"wrong LRC", false, ok[:len(ok)-1] + "\x00" + ok, "bad Z671"},
		{"start byte as noise", false, "\x02" + ok, "Z671"},
		{"cut off, then whole", false, ok[:3] + ok, "Z671"},
		{"wrong terminator", false, "\x0f04F\x03\x41\x0e\x4c", "bad"},
		{"eighth bit", false, "\x02Z\xb6\x03\xef", "bad"},
		{"control byte inside", false, "\x02Z\x06\x03\x5f", "bad"},
		{"unfinished", false, "\x02Z6", "..."},
		{"too long", false, "\x02" + strings.Repeat("A", maxBody+1), "bad"},
		{"longest", false, "\x02" + strings.Repeat("AA", maxBody/2) + "\x03\x03", strings.Repeat("A", maxBody)},
		{"progress off", false, "*\x08\x06", "ACK"},
		{"progress on", true, "*\x08\x06", "digit clear ACK"},
		{"progress byte in a frame", true, string(appendFrame(nil, false, []byte("Z*"))), "Z*"},
	} {
		if got := strings.Join(events(c.progress, []byte(c.in)), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAnswers(t *testing.T) {
	vf, uic := &New(nil, nil).o, &New(nil, &Opts{Dialect: UIC}).o
	pb, err := vf.parsePIN([]byte("71.00401FB54E34996C8BFF2"))
	if err != nil || pb.Empty || !bytes.Equal(pb.Block[:], unhexT(t, "FB54E34996C8BFF2")) {
		t.Errorf("PIN block: %v", err)
	}
	for _, null := range []string{"71.00001", "71.000010000000000000000"} {
		if pb, err := vf.parsePIN([]byte(null)); err != nil || !pb.Empty || pb.Block != [8]byte{} {
			t.Errorf("null PIN of %d characters: %v", len(null), err)
		}
	}
	for _, c := range []struct {
		o    *Opts
		in   string
		want error
		text string
	}{
		{vf, "711", ErrNoMasterKey, "injected"},
		{vf, "717", &CodeError{}, "PIN key"},
		{vf, "710", &CodeError{}, "unknown code"}, // never a null PIN
		{uic, "719", ErrNoMasterKey, "injected"},
		{uic, "717", ErrThrottled, "wait"},
		{uic, "710", &CodeError{}, "card number missing"},
		{vf, "", ErrProtocol, "packet"},
		{vf, "71", ErrProtocol, "length"},
		{vf, "72", ErrProtocol, "packet"},
		{vf, "71.00401FB54E34996C8BFF", ErrProtocol, "length"},
		{vf, "71.00401FB54E34996C8BFF22", ErrProtocol, "length"},
		{vf, "71.00401", ErrProtocol, "block at character 8"},
		{vf, "71.00301FB54E34996C8BFF2", ErrProtocol, "PIN length at character 4"},
		{vf, "71.01301FB54E34996C8BFF2", ErrProtocol, "PIN length"},
		{vf, "71.0+401FB54E34996C8BFF2", ErrProtocol, "PIN length"},
		{vf, "71.00402FB54E34996C8BFF2", ErrProtocol, "block format"},
		{vf, "71.10401FB54E34996C8BFF2", ErrProtocol, "marker"},
		{vf, "71.00401FB54E34996C8BFFx", ErrProtocol, "block at"},
		{vf, "71.00401fb54e34996c8bff2", ErrProtocol, "block at"},
	} {
		_, err := c.o.parsePIN([]byte(c.in))
		if !isOrAs(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%q: %v", c.in, err)
		}
	}
	mac, more, err := parseMAC([]byte("Z67008B3A350FE33832A"))
	if err != nil || more || !bytes.Equal(mac[:], unhexT(t, "08B3A350FE33832A")) {
		t.Errorf("MAC: %X %v %v", mac, more, err)
	}
	if _, more, err := parseMAC([]byte("Z671")); err != nil || !more {
		t.Errorf("next please: %v %v", more, err)
	}
	for in, text := range map[string]string{
		"Z679": "shorter than the MAC key", "Z67?": "unknown code", "Z67": "code at character 3", "Z68": "packet", "": "packet",
		"Z670": "MAC at", "Z67008B3A350FE33832": "MAC at", "Z672X": "length", "Z6711": "length", "Z670 8B3A350FE33832A": "MAC at",
	} {
		if _, _, err := parseMAC([]byte(in)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func isOrAs(err, want error) bool {
	if c := new(CodeError); errors.As(want, &c) {
		return errors.As(err, &c)
	}
	return errors.Is(err, want)
}

func FuzzParser(f *testing.F) {
	f.Add([]byte("\x02Z671\x03\x69\x06"))
	f.Add([]byte("\x0f04F\x0e\x4c\x04"))
	f.Add([]byte("\x02\x0f\x02\x03\x03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p parser
		n := 0
		for _, c := range b {
			ev, ok := p.push(c)
			if !ok {
				continue
			}
			n++
			if ev.kind == evFrame && !bytes.Contains(b, appendFrame(nil, ev.admin, ev.body)) {
				t.Fatalf("a frame that was not sent: %q", ev.body)
			}
		}
		if n > len(b) {
			t.Fatal("more events than bytes")
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte("71.00401FB54E34996C8BFF2"))
	f.Add([]byte("71.00001"))
	f.Add([]byte("711"))
	f.Add([]byte("Z67008B3A350FE33832A"))
	o := New(nil, nil).o
	f.Fuzz(func(t *testing.T, b []byte) {
		if pb, err := o.parsePIN(b); err == nil && !pb.Empty {
			n := string(b[4:6])
			if again := string(appendHex([]byte("71.0"+n+"01"), pb.Block[:])); again != string(b) {
				t.Fatalf("%q came back as %q", b, again)
			}
		}
		if mac, more, err := parseMAC(b); err == nil && !more && string(appendHex([]byte("Z670"), mac[:])) != string(b) {
			t.Fatalf("%q does not come back", b)
		}
	})
}
