package acquirer

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"posd/internal/money"
	"posd/netlink/iso8583"
)

func testAdvice(k AdviceKind) Advice {
	return Advice{
		Kind: k, STAN: 43, Original: 42, Batch: 1, Amount: money.Yuan(12345), Entry: EntryChip, HadPIN: true, PAN: "6222021234567890128", Expiry: "3012",
		PSN: "01", Time: time.Date(2026, 1, 3, 10, 30, 0, 0, time.UTC), Date: "0102", Institution: "01020000", RRN: "000000000099", Auth: "123456",
		ICC: []byte("\x95\x05\x00\x00\x00\x80\x00\xDF\x31\x05\x20\x00\x00\x00\x01"),
	}
}

// Fields, as the tables of the family have them: 0620 is 2 3 4 11 22 23 32C 37 38C 41 42 49 55 60 61 64; an upload is a sale with 60.1 = 36,
// without track and PIN; a sale by telephone is a 0220 with 60.1 = 30 and 61.4 = 01.
func TestAdvicesOnTheWire(t *testing.T) {
	for _, c := range []struct {
		kind          AdviceKind
		mti, fields   string
		f11, f60, f61 string
	}{
		{AdviceScript, "0620", "2 3 4 11 22 23 32 37 38 41 42 49 55 60 61 64", "000043", "0000000195150", "0000010000420102"},
		{AdviceOffline, "0200", "2 3 4 11 14 22 23 25 41 42 49 55 60 64", "000043", "36000001000500", ""},
		{AdviceVoice, "0220", "2 3 4 11 14 22 25 38 41 42 49 60 61 63 64", "000043", "30000001000500", "000001000042010201"},
	} {
		s := &script{}
		client := newClient(t, s)
		for range 2 {
			var f *Failure
			if _, err := client.Advise(t.Context(), testAdvice(c.kind)); !errors.As(err, &f) || !f.Sent || f.Reason != ReasonNoReply {
				t.Fatalf("%s: %v", c.kind, err)
			}
		}
		if len(s.sent) != 2 || !bytes.Equal(s.sent[0], s.sent[1]) {
			t.Fatalf("%s: a repeat is not the same message", c.kind)
		}
		m := iso8583.NewMessage(iso8583.UnionPay)
		if err := m.Parse(s.sent[0][11:]); err != nil {
			t.Fatal(err)
		}
		if m.MTI() != c.mti || numbers(m) != c.fields || m.Text(11) != c.f11 || m.Text(60) != c.f60 || m.Text(61) != c.f61 || m.Text(22) != "051" ||
			m.Text(4) != "000000012345" || m.Has(23) && m.Text(23) != "001" {
			t.Errorf("%s: %s, fields %s, 11 %s, 60 %s, 61 %s, 22 %s", c.kind, m.MTI(), numbers(m), m.Text(11), m.Text(60), m.Text(61), m.Text(22))
		}
		if buffer := string(client.frame[:cap(client.frame)]); strings.Trim(buffer, "\x00") != "" || client.req.Has(11) {
			t.Errorf("%s: the request stays in memory", c.kind)
		}
	}
}

// Without a date of the host's, field 61.3 is the terminal's; what is not there is left out.
func TestAdviceWithoutHostData(t *testing.T) {
	s := &script{}
	a := testAdvice(AdviceScript)
	a.Date, a.Institution, a.RRN, a.Auth, a.PSN, a.ICC, a.HadPIN = "", "", "", "", "", nil, false
	if _, err := newClient(t, s).Advise(t.Context(), a); err == nil || len(s.sent) != 1 {
		t.Fatal(err)
	}
	m := iso8583.NewMessage(iso8583.UnionPay)
	if err := m.Parse(s.sent[0][11:]); err != nil {
		t.Fatal(err)
	}
	if numbers(m) != "2 3 4 11 22 41 42 49 60 61 64" || m.Text(61) != "0000010000420103" || m.Text(22) != "052" {
		t.Errorf("%s, 61 %s, 22 %s", numbers(m), m.Text(61), m.Text(22))
	}
}

// What an answer means to an advice: done by the profile's codes; refused; else owed. One without a right MAC means nothing.
func TestAdviceAnswers(t *testing.T) {
	reply := func(code string, key []byte) []byte {
		return answer(t, "0630", key, map[int]string{11: "000043", 39: code, 60: "", 38: ""})
	}
	for _, c := range []struct {
		code string
		want Action
	}{
		{"00", Approve},
		{"25", Approve},
		{"12", Approve},
		{"94", Approve},
		{"96", Retry},
		{"A0", SignOn},
		{"97", Decline},
		{"34", Capture},
		{"11", Retry},
		{"01", Retry},
		{"Z9", Decline},
	} {
		s := &script{answers: [][]byte{reply(c.code, makBytes)}}
		got, err := newClient(t, s).Advise(t.Context(), testAdvice(AdviceScript))
		if err != nil || got.Action != c.want || got.Code != c.code {
			t.Errorf("%s: %+v, %v", c.code, got, err)
		}
	}
	for what, frame := range map[string][]byte{
		"MAC wrong":      reply("00", []byte("\x01\x23\x45\x67\x89\xAB\xCD\xEF")),
		"of a sale":      answer(t, "0210", makBytes, map[int]string{11: "000043", 39: "00"}),
		"other amount":   answer(t, "0630", makBytes, map[int]string{11: "000043", 4: "000000012346"}),
		"other STAN":     answer(t, "0630", makBytes, map[int]string{11: "000042"}),
		"host is unsure": reply("68", makBytes),
	} {
		var f *Failure
		if _, err := newClient(t, &script{answers: [][]byte{frame}}).Advise(t.Context(), testAdvice(AdviceScript)); !errors.As(err, &f) || !f.Sent {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAdvicesRefused(t *testing.T) {
	for what, change := range map[string]func(a *Advice){
		"unknown kind":     func(a *Advice) { a.Kind = AdviceDecline },
		"unknown entry":    func(a *Advice) { a.Entry = "x" },
		"STAN 0":           func(a *Advice) { a.STAN = 0 },
		"original 1000000": func(a *Advice) { a.Original = 1000000 },
		"amount 0":         func(a *Advice) { a.Amount.Minor = 0 },
		"other currency":   func(a *Advice) { a.Amount.Currency = money.USD },
		"batch too long":   func(a *Advice) { a.Batch = 1000000 },
		"PAN with letters": func(a *Advice) { a.PAN = "622202123456789012X" },
		"field 55 long":    func(a *Advice) { a.ICC = make([]byte, 256) },
	} {
		s := &script{}
		a := testAdvice(AdviceScript)
		change(&a)
		_, err := newClient(t, s).Advise(t.Context(), a)
		var f *Failure
		if !errors.As(err, &f) || f.Sent || len(s.sent) != 0 {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && strings.Contains(err.Error(), "622202") {
			t.Errorf("%s: the error shows the card number", what)
		}
	}
}

func TestAdviceProfileRefuses(t *testing.T) {
	for _, c := range []struct{ old, with, want string }{
		{"[advice.script]", "[advice.scripts]", "advice.scripts is not a kind"},
		{"mti = \"0620\"", "mti = \"0400\"", "advice.script.mti must be"},
		{"fields = [2, 3, 4, 11, 22", "fields = [2, 4, 11, 22", "advice.script.fields must have 3"},
		{"fields = [2, 3, 4, 11, 22", "fields = [2, 3, 4, 11, 35", "advice.script.fields has 35"},
		{"fields = [2, 3, 4, 11, 22", "fields = [2, 3, 4, 11, 11", "advice.script.fields has 11 twice"},
		{"network = \"951\"", "network = \"95\"", "advice.script.network must have 3"},
		{"tries = 0 ", "tries = 100 ", "advice.offline-sale.tries must be"},
		{"done = [\"00\", \"12\", \"25\", \"94\"]", "done = []", "advice.script.done is missing"},
		{"done = [\"00\", \"12\", \"25\", \"94\"]", "done = [\"0\"]", "advice.script.done has"},
		{"auth_mode = \"01\"", "auth_mode = \"001\"", "advice.voice-sale.auth_mode must have at most 2"},
		{"operator = \"CUP\"", "operator = \"CUPS\"", "advice.voice-sale.operator must have"},
		{"operator = \"CUP\"", "icc = [\"95\"]", "advice.voice-sale.icc is given"},
		{"count = 20 ", "count = 1000 ", "offline.count must be"},
		{"count = 20 ", "count = 0 ", "must both be zero"},
		{"total = 200000 ", "total = -1 ", "offline.total must be"},
		{"[advice.offline-sale] ", "[advice.decline] ", "offline.count needs"},
		{"action = \"decline\"           # the sale", "action = \"maybe\" # the sale", "referral.action must be"},
		{"action = \"decline\"           # the sale", "action = \"ask\" # the sale", ""},
		{"action = \"decline\"           # the sale is declined, and the display says whom to call. \"ask\": the cashier calls and types the issuer's code\nwait = \"180s\"", "action = \"ask\"\nwait = \"0s\"", "referral.wait must be"},
	} {
		p, err := ParseProfile(changed(t, c.old, c.with))
		if c.want == "" {
			if err != nil || !p.Referral.Ask || p.Referral.Wait != 3*time.Minute {
				t.Errorf("%q: %v", c.with, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.with, err, c.want)
		}
	}
	text := strings.Replace(string(changed(t, "action = \"decline\"           # the sale", "action = \"ask\" # the sale")), "[advice.voice-sale]", "[advice.decline]", 1)
	if _, err := ParseProfile([]byte(text)); err == nil || !strings.Contains(err.Error(), "needs advice.voice-sale") {
		t.Errorf("ask without an advice: %v", err)
	}
}
