package acquirer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posd/emv/tlv"
	"posd/netlink/iso8583"
)

// The response codes of the UnionPay family and what they ask for.
func TestShippedResponses(t *testing.T) {
	p := testProfile(t)
	actions := map[Action]string{
		Approve: "00 10 11 A2 A4 A5 A6",
		Decline: "03 05 12 13 14 15 21 22 25 30 38 40 45 51 54 55 57 58 59 61 62 64 65 75 97 A1 A3",
		Capture: "04 34 41 43",
		Retry:   "90 91 92 94 96 98 A7",
		SignOn:  "77 99 A0",
		Refer:   "01",
	}
	n := 0
	for action, codes := range actions {
		for _, code := range strings.Fields(codes) {
			n++
			if r, ok := p.Responses[code]; !ok || r.Action != action || r.Unresolved || r.Text["zh"] == "" || r.Text["en"] == "" {
				t.Errorf("%s: %+v", code, r)
			}
		}
	}
	if r := p.Responses["68"]; !r.Unresolved || r.Action == Approve {
		t.Errorf("68: %+v", r)
	}
	if len(p.Responses) != n+1 {
		t.Errorf("%d codes, want %d", len(p.Responses), n+1)
	}
	r := p.Response("Z9")
	if r.Action != Decline || !strings.Contains(r.Text["zh"], "Z9") || !strings.Contains(r.Text["en"], "Z9") {
		t.Errorf("unknown code: %+v", r)
	}
	if r := p.Response("%s"); r.Text["en"] != "Declined, code %s" {
		t.Errorf("a code that looks like a verb: %+v", r)
	}
}

func TestShippedProfile(t *testing.T) {
	p := testProfile(t)
	want := []tlv.Tag{
		0x9F26, 0x9F27, 0x9F10, 0x9F37, 0x9F36, 0x95, 0x9A, 0x9C, 0x9F02, 0x5F2A, 0x82, 0x9F1A, 0x9F03, 0x9F33, 0x9F34, 0x9F35, 0x9F1E, 0x84, 0x9F09, 0x9F41,
	}
	if len(p.ICC.Sale) != len(want) || len(p.ICC.Reversal) != 5 || p.ICC.Reversal[4] != 0xDF31 {
		t.Fatalf("%v %v", p.ICC.Sale, p.ICC.Reversal)
	}
	for i := range want {
		if p.ICC.Sale[i] != want[i] {
			t.Errorf("tag %d is %v, want %v", i, p.ICC.Sale[i], want[i])
		}
	}
	if p.Timeouts.Answer != time.Minute || p.Reversal.Tries != 3 || !p.Probe || p.MAC != MACCupECB {
		t.Errorf("%+v", p)
	}
}

// changed is the shipped profile with one piece of text replaced.
func changed(t *testing.T, old, with string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../etc/acquirers/unionpay.toml")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(b), old) < 1 {
		t.Fatalf("the profile has no %q", old)
	}
	return []byte(strings.Replace(string(b), old, with, 1))
}

func TestProfileRefuses(t *testing.T) {
	for _, c := range []struct{ old, with, want string }{
		{"probe = true", "prob = true", `10:1: unknown key "prob"`},
		{"[sign_on]\n", "[sign_on]\ncolour = 1\n", "unknown key"},
		{"tpdu = \"6000060000\"", "tpdu = \"60000600\"", "tpdu must have 10 digits"},
		{"tpdu = \"6000060000\"", "tpdu = \"60000600AB\"", "tpdu must be digits"},
		{"tpdu = \"6000060000\"", "tpdu = 1", "5:"},
		{"header = \"603100311003\"", "header = \"\"", "header must have 12 digits"},
		{"pre_header_hex = \"\"", "pre_header_hex = \"0\"", "pre_header_hex must be hexadecimal"},
		{"\"cup-ecb\"", "\"x9.19\"", "mac \"x9.19\" is not supported"},
		{"\"cup-ecb\"", "\"none\"", "mac must be"},
		{"currency = 156", "currency = 0", "currency must be"},
		{"answer = \"60s\"", "answer = \"0s\"", "timeouts.answer must be"},
		{"answer = \"60s\"", "answer = \"60\"", "timeouts.answer must be"},
		{"network = \"003\"", "network = \"006\"", "sign_on.network must be"},
		{"certification = \"3104\"", "certification = \"31\"", "sign_on.certification must have 4"},
		{"processing = \"000000\"", "processing = \"0\"", "sale.processing must have 6"},
		{"[entry.chip]", "[entry.chops]", "entry.chops is not"},
		{"mode = \"05\"", "mode = \"5\"", "entry.chip.mode must have 2"},
		{"tries = 3", "tries = 0", "reversal.tries must be"},
		{"done = [\"00\", \"12\", \"25\"]", "done = []", "reversal.done is missing"},
		{"\"9F26\"", "\"9F2\"", ".icc has"},
		{"\"9F1E\", \"9F10\", \"9F36\", \"DF31\"]", "\"XX\"]", "icc.reversal has"},
		{"00 = { action = \"approve\"", "00 = { action = \"yes\"", "responses.00 must have an action"},
		{"00 = { action = \"approve\", zh = \"交易成功\", en = \"Approved\" }", "00 = { action = \"approve\", zh = \"x\" }", "responses.00 must have texts"},
		{"00 = { action", "000 = { action", "responses.000 must be a code"},
		{"[unknown_response]\naction = \"decline\"", "[unknown_response]\naction = \"approve\"", "unknown_response must decline"},
		{"应答码 %s", "应答码", "unknown_response.zh must have one %s"},
		{"name = \"UnionPay direct connect\"", "name = \"\"", "name is missing"},
		{"[icc]", "[fields.x]\nclass = \"n\"\nlength = \"fixed\"\nmax = 1\n[icc]", "fields.x must be a field number"},
		{"[icc]", "[fields.1]\nclass = \"n\"\nlength = \"fixed\"\nmax = 1\n[icc]", "fields: iso8583: field 1"},
		{"[icc]", "[fields.47]\nclass = \"n\"\nlength = \"L\"\nmax = 1\n[icc]", "fields.47.length"},
		{"[icc]", "[fields.47]\nclass = \"q\"\nlength = \"LL\"\nmax = 1\n[icc]", "field 47 has no class"},
		{"[icc]", "[icc", ":"},
	} {
		_, err := ParseProfile(changed(t, c.old, c.with))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.with, err, c.want)
		}
	}
	if _, err := ParseProfile(nil); err == nil {
		t.Error("an empty profile")
	}
	if _, err := LoadProfile(filepath.Join(t.TempDir(), "none.toml")); err == nil {
		t.Error("no file")
	}
	path := filepath.Join(t.TempDir(), "p.toml")
	if err := os.WriteFile(path, changed(t, "probe = true", "prob = true"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadProfile(path); err == nil || !strings.HasPrefix(err.Error(), path+":10:1: ") {
		t.Errorf("%v", err)
	}
}

func TestDialects(t *testing.T) {
	p, err := ParseProfile(changed(t, "[icc]", "[fields.47]\nname = \"Private\"\nclass = \"ans\"\nlength = \"LLL\"\nmax = 255\n[fields.23]\nclass = \"n\"\nlength = \"fixed\"\nmax = 3\n[icc]"))
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := p.Spec.Field(47); !ok || f.String() != "ans...255" || f.Name != "Private" {
		t.Errorf("%v", f)
	}
	if f, _ := p.Spec.Field(23); f.Right {
		t.Error("field 23 is still right-justified")
	}
	if f, _ := iso8583.UnionPay.Field(23); !f.Right {
		t.Error("the common table has changed")
	}
	p, err = ParseProfile(changed(t, "pre_header_hex = \"\"", "pre_header_hex = \"000102030405060708090A0B0C0D\""))
	if err != nil {
		t.Fatal(err)
	}
	frame := p.appendEnvelope(nil)
	if len(frame) != 25 {
		t.Fatalf("%X", frame)
	}
	if rest, requested, err := p.openEnvelope(append(frame, "rest"...)); err != nil || string(rest) != "rest" || requested != 0 {
		t.Errorf("%q %d %v", rest, requested, err)
	}
	for n := range frame {
		if _, _, err := p.openEnvelope(frame[:n]); err == nil {
			t.Errorf("%d bytes were enough", n)
		}
	}
}

func FuzzParseProfile(f *testing.F) {
	b, err := os.ReadFile("../../etc/acquirers/unionpay.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("tpdu = 1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProfile(b)
		if err == nil && (p.Spec == nil || p.Timeouts.Answer < time.Second || p.Response("??").Action == Approve) {
			t.Fatalf("%+v", p)
		}
	})
}
