package acquirer

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"posd/internal/money"
	"posd/netlink/iso8583"
	"posd/vault"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// script is a line that answers as it is told and keeps what was sent.
type script struct {
	sent    [][]byte
	answers [][]byte
	refuse  error // of Connect
	unsent  error // of Send, nothing left
	broken  error // of Send, something may have left
	fresh   bool
	closed  int
}

func (s *script) Connect(context.Context) (bool, error) { return s.fresh, s.refuse }

func (s *script) Send(_ context.Context, b []byte) (bool, error) {
	switch {
	case s.unsent != nil:
		return false, s.unsent
	case s.broken != nil:
		return true, s.broken
	}
	s.sent = append(s.sent, bytes.Clone(b))
	return true, nil
}

func (s *script) Receive(context.Context) ([]byte, error) {
	if len(s.answers) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	b := s.answers[0]
	s.answers = s.answers[1:]
	return b, nil
}

func (s *script) Close() error { s.closed++; return nil }

// mak is the MAC key of the family's public example.
type mak struct{ broken error }

var makBytes = []byte("\x5B\xB5\xC7\x2C\xD0\x0B\x73\x38")

func (k mak) MAC(_ context.Context, data []byte) ([8]byte, error) {
	if k.broken != nil {
		return [8]byte{}, k.broken
	}
	return vault.MAC1(makBytes, data, vault.Padding1)
}

var testID = Identity{TID: "12345678", MID: "898110153110001", Operator: "01", Serial: "000000000001"}

func testProfile(t testing.TB) *Profile {
	t.Helper()
	p, err := LoadProfile("../../etc/acquirers/unionpay.toml")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newClient(t testing.TB, s *script) *Client {
	t.Helper()
	c, err := New(testProfile(t), testID, mak{}, s, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testSale() Sale {
	return Sale{
		STAN: 42, Batch: 1, Amount: money.Yuan(12345), Entry: EntryChip, PAN: "6222021234567890128", Expiry: "3012", PSN: "01",
		Track2: "6222021234567890128D3012201000000000", PINBlock: []byte("\x01\x23\x45\x67\x89\xAB\xCD\xEF"),
		ICC: []byte("\x9F\x26\x08AAAAAAAA\x9F\x27\x01\x80\x95\x05\x00\x00\x00\x80\x00"),
	}
}

func testReversal() Reversal {
	return Reversal{
		STAN: 42, Batch: 1, Amount: money.Yuan(12345), Entry: EntryChip, HadPIN: true, PAN: "6222021234567890128", Expiry: "3012", PSN: "01",
		Reason: ReasonNoReply, ICC: []byte("\x95\x05\x00\x00\x00\x80\x00"), RRN: "000000000099",
	}
}

const envelope = "6000060000 603100311003"

// Whole messages, written by hand from the tables; the MACs are from OpenSSL.
const (
	saleHex = envelope + "0200 702406C020C09A11 19 62220212345678901280 000000 000000012345 000042 3012 0510 0001 00 12" +
		"36 6222021234567890128D3012201000000000 3132333435363738 383938313130313533313130303031 313536 0123456789ABCDEF 2600000000000000" +
		"0022 9F26084141414141414141 9F270180 95050000008000 0014 22000001000500 3041384341333244"
	reversalHex = envelope + "0400 7024068002C08211 19 62220212345678901280 000000 000000012345 000042 3012 0510 0001 00 3938" +
		"3132333435363738 383938313130313533313130303031 313536 0007 95050000008000 0014 22000001000500 3333433746364144"
	signOnHex = envelope + "0800 0020000000C00016 000007 3132333435363738 383938313130313533313130303031 0011 000000000030" +
		"0029 53657175656E6365204E6F 3136 33313034 303030303030303030303031 0003 303120"
	echoHex = envelope + "0820 0000000000C00010 3132333435363738 383938313130313533313130303031 0011 000000003010"

	answerHex = "6000000006 603103311003 0210 303800000EC08011 000000 000000012345 000042 103000 0102" +
		"303030303030303030303939 313233343536 3030 3132333435363738 383938313130313533313130303031 313536 0014 22000001000500 3734313230393236"
)

func TestRequestsOnTheWire(t *testing.T) {
	for _, c := range []struct {
		what string
		do   func(c *Client) error
		want string
	}{
		{"sale", func(c *Client) error { _, err := c.Sale(t.Context(), testSale()); return err }, saleHex},
		{"reversal", func(c *Client) error { _, err := c.Reverse(t.Context(), testReversal()); return err }, reversalHex},
		{"sign-on", func(c *Client) error { _, err := c.SignOn(t.Context(), 7); return err }, signOnHex},
		{"echo", func(c *Client) error { return c.Echo(t.Context()) }, echoHex},
	} {
		s := &script{}
		client := newClient(t, s)
		var f *Failure
		if err := c.do(client); !errors.As(err, &f) || !f.Sent || f.Reason != ReasonNoReply || s.closed == 0 {
			t.Errorf("%s: %v", c.what, err)
		}
		if len(s.sent) != 1 || !bytes.Equal(s.sent[0], unhex(t, c.want)) {
			t.Errorf("%s:\ngot  %X\nwant %X", c.what, s.sent, unhex(t, c.want))
		}
		if buffer := string(client.frame[:cap(client.frame)]); strings.Trim(buffer, "\x00") != "" || client.req.Has(11) {
			t.Errorf("%s: the request stays in memory", c.what)
		}
	}
}

// Field sets by entry mode, as the profile that ships says.
func TestEntryModes(t *testing.T) {
	for _, c := range []struct {
		entry Entry
		pin   bool
		want  string // field numbers
		f22   string
		f60   string
	}{
		{EntryChip, true, "2 3 4 11 14 22 23 25 26 35 41 42 49 52 53 55 60 64", "051", "22000001000500"},
		{EntryChip, false, "2 3 4 11 14 22 23 25 35 41 42 49 55 60 64", "052", "22000001000500"},
		{EntryContactless, false, "2 3 4 11 14 22 23 25 35 41 42 49 55 60 64", "072", "22000001000600"},
		{EntryMagstripe, true, "3 4 11 22 25 26 35 41 42 49 52 53 60 64", "021", "22000001000500"},
		{EntryFallback, true, "3 4 11 22 25 26 35 41 42 49 52 53 60 64", "021", "22000001000520"},
		{EntryManual, false, "2 3 4 11 14 22 25 41 42 49 60 64", "012", "22000001000500"},
	} {
		s := &script{}
		sale := testSale()
		sale.Entry = c.entry
		if !c.pin {
			sale.PINBlock = nil
		}
		if _, err := newClient(t, s).Sale(t.Context(), sale); err == nil || len(s.sent) != 1 {
			t.Fatal(err)
		}
		m := iso8583.NewMessage(iso8583.UnionPay)
		if err := m.Parse(s.sent[0][11:]); err != nil {
			t.Fatal(err)
		}
		if got := numbers(m); got != c.want || m.Text(22) != c.f22 || m.Text(60) != c.f60 {
			t.Errorf("%s: fields %s, 22 %s, 60 %s", c.entry, got, m.Text(22), m.Text(60))
		}
	}
}

func numbers(m *iso8583.Message) string {
	var b strings.Builder
	for _, n := range m.Present(nil) {
		b.WriteString(" " + itoa(n))
	}
	return strings.TrimSpace(b.String())
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// What the profile may add to a reversal.
func TestReversalDialects(t *testing.T) {
	s := &script{}
	c := newClient(t, s)
	r := &c.profile.Reversal
	r.PINCapture, r.Security, r.RRN, r.Original = true, true, true, true
	rev := testReversal()
	rev.Auth = "123456"
	if _, err := c.Reverse(t.Context(), rev); err == nil || len(s.sent) != 1 {
		t.Fatal(err)
	}
	m := iso8583.NewMessage(iso8583.UnionPay)
	if err := m.Parse(s.sent[0][11:]); err != nil {
		t.Fatal(err)
	}
	if got := numbers(m); got != "2 3 4 11 14 22 23 25 26 37 38 39 41 42 49 53 55 60 61 64" {
		t.Error(got)
	}
	if m.Text(37) != rev.RRN || m.Text(38) != "123456" || m.Text(61) != "000001000042" || m.Text(39) != "98" {
		t.Errorf("37 %s 38 %s 39 %s 61 %s", m.Text(37), m.Text(38), m.Text(39), m.Text(61))
	}
}

func TestRequestsRefused(t *testing.T) {
	for what, change := range map[string]func(s *Sale){
		"STAN 0":           func(s *Sale) { s.STAN = 0 },
		"STAN 1000000":     func(s *Sale) { s.STAN = 1000000 },
		"batch 1000000":    func(s *Sale) { s.Batch = 1000000 },
		"amount 0":         func(s *Sale) { s.Amount.Minor = 0 },
		"amount below 0":   func(s *Sale) { s.Amount.Minor = -1 },
		"amount too large": func(s *Sale) { s.Amount.Minor = 1e12 },
		"other currency":   func(s *Sale) { s.Amount.Currency = money.USD },
		"unknown entry":    func(s *Sale) { s.Entry = "x" },
		"PAN too long":     func(s *Sale) { s.PAN = "62220212345678901280" },
		"PAN with letters": func(s *Sale) { s.PAN = "622202123456789012X" },
		"expiry too short": func(s *Sale) { s.Expiry = "301" },
		"PSN too long":     func(s *Sale) { s.PSN = "0001" },
		"track 2 with '='": func(s *Sale) { s.Track2 = "6222021234567890128=3012201" },
		"PIN block short":  func(s *Sale) { s.PINBlock = s.PINBlock[:7] },
		"field 55 long":    func(s *Sale) { s.ICC = make([]byte, 256) },
		"no card":          func(s *Sale) { s.Entry, s.Track2 = EntryMagstripe, "" },
	} {
		s := &script{}
		sale := testSale()
		change(&sale)
		_, err := newClient(t, s).Sale(t.Context(), sale)
		var f *Failure
		if !errors.As(err, &f) || f.Sent || f.Reason != "" || len(s.sent) != 0 {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && strings.Contains(err.Error(), "622202") {
			t.Errorf("%s: the error shows the card number", what)
		}
	}
	for what, id := range map[string]Identity{
		"short TID": {TID: "1", MID: testID.MID}, "short MID": {TID: testID.TID, MID: "1"}, "operator": {TID: testID.TID, MID: testID.MID, Operator: "0001"},
		"control character": {TID: "1234567\n", MID: testID.MID}, "serial": {TID: testID.TID, MID: testID.MID, Serial: strings.Repeat("1", 51)},
	} {
		if _, err := New(testProfile(t), id, mak{}, &script{}, zerolog.Nop()); err == nil {
			t.Error(what)
		}
	}
}

func TestAnswer(t *testing.T) {
	s := &script{answers: [][]byte{unhex(t, answerHex)}}
	got, err := newClient(t, s).Sale(t.Context(), testSale())
	if err != nil {
		t.Fatal(err)
	}
	want := Reply{
		Code: "00", Action: Approve, Text: map[string]string{"zh": "交易成功", "en": "Approved"}, RRN: "000000000099", Auth: "123456",
		HostTime: "103000", HostDate: "0102", Requested: 3,
	}
	if diff := cmp.Diff(want, got); diff != "" || s.closed != 0 {
		t.Error(diff)
	}
}

// answer builds an answer to testSale with fields changed ("" removes one) and a right MAC, unless the key is nil.
func answer(t testing.TB, mti string, key []byte, change map[int]string) []byte {
	t.Helper()
	m := iso8583.NewMessage(iso8583.UnionPay)
	whole := unhex(t, answerHex)
	if err := m.Parse(whole[11:]); err != nil {
		t.Fatal(err)
	}
	if err := m.SetMTI(mti); err != nil {
		t.Fatal(err)
	}
	for n, v := range change {
		if m.Unset(n); v != "" {
			if err := m.SetText(n, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := m.Append(bytes.Clone(whole[:11]))
	if err != nil {
		t.Fatal(err)
	}
	if key != nil && m.Has(64) {
		fold := vault.FoldECB(out[11 : len(out)-8])
		mac, err := vault.MAC1(key, fold[:], vault.Padding1)
		if err != nil {
			t.Fatal(err)
		}
		field := vault.HexMAC(mac)
		copy(out[len(out)-8:], field[:])
	}
	return out
}

// An answer is believed or it is unknown; what is not for us does not count.
func TestAnswersJudged(t *testing.T) {
	good := unhex(t, answerHex)
	lastBit := bytes.Clone(good)
	lastBit[len(lastBit)-1] ^= 1
	is := func(mti string, change map[int]string) []byte { return answer(t, mti, makBytes, change) }
	for _, c := range []struct {
		what    string
		answers [][]byte
		reason  string // "" is a Reply
		signOn  bool
	}{
		{"right", [][]byte{good}, "", false},
		{"rebuilt", [][]byte{is("0210", nil)}, "", false},
		{"another STAN, then right", [][]byte{is("0210", map[int]string{11: "000041"}), good}, "", false},
		{"another terminal, then right", [][]byte{is("0210", map[int]string{41: "12345679"}), good}, "", false},
		{"another merchant, then right", [][]byte{is("0210", map[int]string{42: "898110153110002"}), good}, "", false},
		{"answer to a reversal, then right", [][]byte{is("0410", nil), good}, "", false},
		{"a request, then right", [][]byte{is("0200", nil), good}, "", false},
		{"an echo without STAN, then right", [][]byte{is("0830", map[int]string{11: ""}), good}, "", false},
		{"another STAN only", [][]byte{is("0210", map[int]string{11: "000041"})}, ReasonNoReply, false},
		{"no STAN", [][]byte{is("0210", map[int]string{11: ""})}, ReasonNoReply, false},
		{"no terminal", [][]byte{is("0210", map[int]string{41: ""})}, ReasonNoReply, false},
		{"no merchant", [][]byte{is("0210", map[int]string{42: ""})}, ReasonNoReply, false},
		{"MAC wrong by a bit", [][]byte{lastBit, good}, ReasonBadMAC, false},
		{"MAC under another key", [][]byte{answer(t, "0210", []byte("12345678"), nil), good}, ReasonBadMAC, false},
		{"no MAC", [][]byte{is("0210", map[int]string{64: ""}), good}, ReasonBadMAC, false},
		{"no MAC, keys wrong", [][]byte{is("0210", map[int]string{64: "", 39: "A0"}), good}, ReasonBadMAC, true},
		{"no MAC, sign on first", [][]byte{is("0210", map[int]string{64: "", 39: "77"}), good}, ReasonBadMAC, true},
		{"no MAC, declined", [][]byte{is("0210", map[int]string{64: "", 39: "05"}), good}, ReasonBadMAC, false},
		{"another amount", [][]byte{is("0210", map[int]string{4: "000000012344"}), good}, ReasonBadData, false},
		{"no amount", [][]byte{is("0210", map[int]string{4: ""}), good}, ReasonBadData, false},
		{"another processing code", [][]byte{is("0210", map[int]string{3: "200000"}), good}, ReasonBadData, false},
		{"no processing code", [][]byte{is("0210", map[int]string{3: ""}), good}, ReasonBadData, false},
		{"no response code", [][]byte{is("0210", map[int]string{39: ""}), good}, ReasonBadData, false},
		{"partial approval of less", [][]byte{is("0210", map[int]string{39: "10", 4: "000000000001"}), good}, ReasonBadData, false},
		{"host does not know", [][]byte{is("0210", map[int]string{39: "68"}), good}, ReasonNoReply, false},
		{"nothing", nil, ReasonNoReply, false},
		{"empty", [][]byte{{}}, ReasonBadData, false},
		{"TPDU only", [][]byte{good[:5]}, ReasonBadData, false},
		{"half a header", [][]byte{good[:9]}, ReasonBadData, false},
		{"header only", [][]byte{good[:11]}, ReasonBadData, false},
		{"cut short", [][]byte{good[:len(good)-1]}, ReasonBadData, false},
		{"one byte more", [][]byte{append(bytes.Clone(good), 0)}, ReasonBadData, false},
		{"no TPDU", [][]byte{append([]byte{0x61}, good[1:]...)}, ReasonBadData, false},
		{"letters in the header", [][]byte{append([]byte("\x60\x00\x00\x00\x06\x60\x31\x0A"), good[8:]...)}, ReasonBadData, false},
		{"field 55 with TLV cut short is the card's matter", [][]byte{is("0210", map[int]string{55: "\x91"})}, "", false},
	} {
		s := &script{answers: c.answers}
		reply, err := newClient(t, s).Sale(t.Context(), testSale())
		var f *Failure
		switch {
		case c.reason == "" && (err != nil || reply.Code != "00" || reply.Action != Approve):
			t.Errorf("%s: %+v, %v", c.what, reply, err)
		case c.reason != "" && (!errors.As(err, &f) || !f.Sent || f.Reason != c.reason || f.SignOn != c.signOn):
			t.Errorf("%s: %+v, %v; want reason %s", c.what, reply, err, c.reason)
		case c.reason != "" && s.closed == 0:
			t.Errorf("%s: the line stays open", c.what)
		case c.reason == "" && s.closed != 0:
			t.Errorf("%s: the line was closed", c.what)
		}
	}
}

func TestForeignForEver(t *testing.T) {
	s := &script{}
	for range 2 * mostForeign {
		s.answers = append(s.answers, answer(t, "0210", makBytes, map[int]string{11: "000041"}))
	}
	var f *Failure
	if _, err := newClient(t, s).Sale(t.Context(), testSale()); !errors.As(err, &f) || f.Reason != ReasonNoReply || len(s.answers) != mostForeign {
		t.Errorf("%v, %d answers left", err, len(s.answers))
	}
}

func TestNotSent(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		what string
		line script
		keys mak
		sent bool
	}{
		{"no connection", script{refuse: boom}, mak{}, false},
		{"nothing left", script{unsent: boom}, mak{}, false},
		{"something left", script{broken: boom}, mak{}, true},
		{"no MAC", script{}, mak{broken: boom}, false},
		{"no echo over a new connection", script{fresh: true}, mak{}, false},
	} {
		client, err := New(testProfile(t), testID, c.keys, &c.line, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		var f *Failure
		_, err = client.Sale(t.Context(), testSale())
		if !errors.As(err, &f) || f.Sent != c.sent || (f.Reason == "") == c.sent || c.line.closed == 0 != (c.what == "no connection" || c.what == "no MAC") {
			t.Errorf("%s: %#v", c.what, err)
		}
		if !c.sent && c.what != "no echo over a new connection" && !errors.Is(err, boom) {
			t.Errorf("%s: the cause is lost: %v", c.what, err)
		}
	}
}

func TestKeysCannotCheck(t *testing.T) {
	s := &script{answers: [][]byte{unhex(t, answerHex)}}
	c := newClient(t, s)
	c.keys = &onceMAK{}
	var f *Failure
	if _, err := c.Sale(t.Context(), testSale()); !errors.As(err, &f) || !f.Sent || f.Reason != ReasonBadData {
		t.Errorf("%v", err)
	}
}

// onceMAK makes one MAC and then breaks.
type onceMAK struct{ used bool }

func (k *onceMAK) MAC(ctx context.Context, data []byte) ([8]byte, error) {
	if k.used {
		return [8]byte{}, errors.New("pad unplugged")
	}
	k.used = true
	return mak{}.MAC(ctx, data)
}

func TestSignOn(t *testing.T) {
	f62 := unhex(t, "6701EAD6A9AD51E51AA406E2C27FCFA9 8D0A74B8 B651F9E9BACE9AE1 0000000000000000 AB7153CA")
	reply := func(change map[int]string) []byte {
		f := map[int]string{3: "", 4: "", 37: "", 38: "", 49: "", 64: "", 11: "000007", 60: "00000123003", 62: string(f62)}
		for n, v := range change {
			f[n] = v
		}
		return answer(t, "0810", nil, f)
	}
	s := &script{answers: [][]byte{reply(nil)}}
	got, err := newClient(t, s).SignOn(t.Context(), 7)
	want := SignOnReply{
		Code: "00", Action: Approve, Text: map[string]string{"zh": "交易成功", "en": "Approved"}, Batch: 123, HostTime: "103000", HostDate: "0102", Requested: 3,
		Keys: vault.WorkingKeys{
			PIN: vault.Cryptogram{Enc: f62[:16], KCV: f62[16:20]}, MAC: vault.Cryptogram{Enc: f62[20:28], KCV: f62[36:]},
		},
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for what, change := range map[string]map[int]string{
		"no keys": {62: ""}, "keys too short": {62: string(f62[:39])}, "keys too long": {62: string(f62) + "\x00"}, "single-length keys": {62: string(f62[:24])},
		"MAC key of 16 bytes": {62: string(f62[:28]) + "12345678" + string(f62[36:])}, "no batch": {60: ""}, "batch 0": {60: "00000000003"}, "batch cut": {60: "0000012"},
		"no code": {39: ""},
	} {
		s := &script{answers: [][]byte{reply(change)}}
		var f *Failure
		if got, err := newClient(t, s).SignOn(t.Context(), 7); !errors.As(err, &f) || f.Reason != ReasonBadData || s.closed == 0 || got.Keys.MAC.Enc != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	s = &script{answers: [][]byte{reply(map[int]string{39: "97", 62: "", 60: ""})}}
	if got, err := newClient(t, s).SignOn(t.Context(), 7); err != nil || got.Action != Decline || got.Code != "97" || got.Keys.PIN.Enc != nil || got.Batch != 0 {
		t.Errorf("refused: %q, %v", got.Code, err)
	}
	if _, err := newClient(t, &script{}).SignOn(t.Context(), 0); err == nil {
		t.Error("STAN 0")
	}
}

func TestSingleLengthKeys(t *testing.T) {
	b := []byte("PIKPIKPI1111MAKMAKMA2222")
	got, err := ParseKeys("001", b)
	if err != nil || string(got.PIN.Enc) != "PIKPIKPI" || string(got.PIN.KCV) != "1111" || string(got.MAC.Enc) != "MAKMAKMA" || string(got.MAC.KCV) != "2222" {
		t.Errorf("%v", err)
	}
	if _, err := ParseKeys("004", make([]byte, 60)); err == nil {
		t.Error("an unknown layout")
	}
}

func TestReversalClosed(t *testing.T) {
	for code, want := range map[string]Action{"00": Approve, "12": Approve, "25": Approve, "96": Retry, "A0": SignOn, "11": Decline, "55": Decline, "ZZ": Decline} {
		s := &script{answers: [][]byte{answer(t, "0410", makBytes, map[int]string{39: code})}}
		got, err := newClient(t, s).Reverse(t.Context(), testReversal())
		if err != nil || got.Action != want || got.Code != code {
			t.Errorf("%s: %v, %v", code, got.Action, err)
		}
	}
}

// Whatever comes, it is a believed answer to this request or it is not an answer.
func FuzzAnswer(f *testing.F) {
	f.Add(unhex(f, answerHex))
	f.Add(answer(f, "0210", makBytes, map[int]string{39: "51", 44: "01030000   01020000   ", 63: "CUP", 55: "\x91\x08ABCDEFGH", 15: "0102"}))
	f.Add(answer(f, "0210", makBytes, map[int]string{4: "000000012344"}))
	f.Add(answer(f, "0210", makBytes, map[int]string{11: "000041"}))
	f.Add(answer(f, "0210", nil, map[int]string{64: ""}))
	f.Add([]byte{0x60})
	f.Add([]byte{})
	s := &script{}
	c := newClient(f, s)
	m := iso8583.NewMessage(iso8583.UnionPay)
	f.Fuzz(func(t *testing.T, b []byte) {
		s.answers, s.sent = [][]byte{b}, s.sent[:0]
		reply, err := c.Sale(t.Context(), testSale())
		if err != nil {
			var failure *Failure
			if !errors.As(err, &failure) || !failure.Sent || failure.Reason == "" || reply.Code != "" {
				t.Fatalf("%#v, %+v", err, reply)
			}
			return
		}
		if err := m.Parse(b[11:]); err != nil {
			t.Fatalf("believed and cannot be read: %v", err)
		}
		if m.MTI() != "0210" || m.Text(3) != "000000" || m.Text(4) != "000000012345" || m.Text(11) != "000042" || m.Text(41) != testID.TID ||
			m.Text(42) != testID.MID || m.Text(39) != reply.Code {
			t.Fatal("an answer to something else was believed")
		}
		if !bytes.Equal(answer2(t, b), b) {
			t.Fatal("an answer without its MAC was believed")
		}
	})
}

// answer2 is b with its last eight bytes replaced by the right MAC.
func answer2(t testing.TB, b []byte) []byte {
	t.Helper()
	out := bytes.Clone(b)
	fold := vault.FoldECB(out[11 : len(out)-8])
	mac, err := vault.MAC1(makBytes, fold[:], vault.Padding1)
	if err != nil {
		t.Fatal(err)
	}
	field := vault.HexMAC(mac)
	copy(out[len(out)-8:], field[:])
	return out
}

func FuzzParseKeys(f *testing.F) {
	f.Add("003", make([]byte, 40))
	f.Add("001", make([]byte, 24))
	f.Add("003", []byte{})
	f.Fuzz(func(t *testing.T, network string, b []byte) {
		k, err := ParseKeys(network, b)
		if err == nil && len(k.PIN.Enc)+len(k.PIN.KCV)+len(k.MAC.Enc)+len(k.MAC.KCV) > len(b) {
			t.Fatal("more key than field")
		}
	})
}

// Printing a request by mistake prints no card data.
func TestPrinted(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		for _, got := range []string{fmt.Sprintf(verb, testSale()), fmt.Sprintf(verb, testReversal()), fmt.Sprintf(verb, &Sale{PAN: "6222021234567890128"})} {
			if strings.Contains(got, "622202") || strings.Contains(got, "3012") || !strings.Contains(got, "STAN") {
				t.Errorf("%s: %q", verb, got)
			}
		}
	}
}
