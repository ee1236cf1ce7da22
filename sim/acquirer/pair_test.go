package acquirer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"posd/emv/tlv"
	"posd/internal/money"
	"posd/netlink"
	client "posd/netlink/acquirer"
	"posd/sim"
	"posd/vault"
)

const (
	testTID = "12345678"
	testMID = "898110153110001"
	richPAN = "6222021234567890128"
	poorPAN = "6222020000000000010"
	oldPAN  = "6222020000000000028"
	badPAN  = "6222020000000000036"

	// Digits that occur nowhere else, so that a search of the outputs can tell.
	testPIN    = "739158"
	testExpiry = "4710"
)

var testTMK = []byte("\xCA\x5D\x92\x59\x8D\xCA\x48\xCE\x8A\x4C\x76\x36\x1A\x92\x69\xE9")

func testAccounts() []Account {
	return []Account{
		{PAN: richPAN, PSN: "01", Expiry: testExpiry, PIN: testPIN, Balance: 1_000_000},
		{PAN: poorPAN, Expiry: testExpiry, PIN: testPIN, Balance: 100},
		{PAN: oldPAN, Expiry: "0001", PIN: testPIN, Balance: 1_000_000},
		{PAN: badPAN, Expiry: testExpiry, PIN: testPIN, Balance: 1_000_000, Code: "41"},
	}
}

// softPad is a PIN pad in memory with the master key and the working keys of the last sign-on.
type softPad struct{ keys vault.WorkingKeys }

func (p *softPad) clear(c vault.Cryptogram) []byte {
	key, err := vault.DecryptECB(testTMK, c.Enc)
	if err != nil {
		panic(err)
	}
	return key
}

func (p *softPad) MAC(_ context.Context, data []byte) ([8]byte, error) {
	if p.keys.MAC.Enc == nil {
		return [8]byte{}, nil // a wrong MAC: the host must say so
	}
	return vault.PadMAC(p.clear(p.keys.MAC), data)
}

func (p *softPad) pinBlock(t testing.TB, pin, pan string) []byte {
	t.Helper()
	block, err := vault.EncodePIN0(pin, pan)
	if err != nil {
		t.Fatal(err)
	}
	out, err := vault.EncryptECB(p.clear(p.keys.PIN), block[:])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// pair is a client and a host, with everything that both have written down.
type pair struct {
	t      testing.TB
	host   *Host
	client *client.Client
	link   *netlink.Link
	pad    *softPad
	stan   uint32

	mu    sync.Mutex
	trace []sim.Event
	log   strings.Builder
}

func (p *pair) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *pair) options() Options {
	return Options{
		TMK: testTMK, TID: testTID, MID: testMID, Accounts: testAccounts(), Trace: func(e sim.Event) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.trace = append(p.trace, e)
		},
	}
}

// newPair makes a client and a host. With tcp they speak TLS over the loopback interface, otherwise a pipe in memory.
func newPair(t testing.TB, tcp bool, change func(*Options)) *pair {
	t.Helper()
	p := &pair{t: t, pad: &softPad{}}
	opt := p.options()
	if change != nil {
		change(&opt)
	}
	p.host = New(opt)
	cfg := netlink.Config{Log: zerolog.New(p), ConnectTimeout: 5 * time.Second}
	if tcp {
		address, err := p.host.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.host.Close() })
		cert, key := p.host.ClientCert()
		cfg.Addresses = []string{address}
		if cfg.TLS, err = netlink.TLSConfig(p.host.CA(), cert, key, ""); err != nil {
			t.Fatal(err)
		}
	} else {
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		cfg.Addresses = []string{"host:1"}
		cfg.Dial = func(context.Context, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			wg.Go(func() {
				p.host.Serve(ctx, theirs)
				theirs.Close()
			})
			return ours, nil
		}
		t.Cleanup(func() { cancel(); wg.Wait() })
	}
	var err error
	if p.link, err = netlink.New(cfg); err != nil {
		t.Fatal(err)
	}
	profile, err := client.LoadProfile("../../etc/acquirers/unionpay.toml")
	if err != nil {
		t.Fatal(err)
	}
	id := client.Identity{TID: testTID, MID: testMID, Operator: "01", Serial: "000000000001"}
	if p.client, err = client.New(profile, id, p.pad, p.link, zerolog.New(p)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.client.Close() })
	return p
}

func (p *pair) next() uint32 { p.stan++; return p.stan }

func (p *pair) signOn() client.SignOnReply {
	p.t.Helper()
	r, err := p.client.SignOn(context.Background(), p.next())
	if err != nil {
		p.t.Fatal(err)
	}
	p.pad.keys = r.Keys
	return r
}

func icc(minor int64) []byte {
	amount, _ := tlv.AppendNumber(nil, minor, 6)
	b := tlv.Append(nil, 0x9F26, []byte("ARQC1234"))
	b = tlv.Append(b, 0x9F27, []byte{0x80})
	b = tlv.Append(b, 0x95, []byte{0, 0, 0, 0x80, 0})
	b = tlv.Append(b, 0x9F02, amount)
	return tlv.Append(b, 0x5F2A, []byte{0x01, 0x56})
}

func (p *pair) sale(pan, pin string, minor int64) client.Sale {
	s := client.Sale{
		STAN: p.next(), Batch: 1, Amount: money.Yuan(minor), Entry: client.EntryChip, PAN: pan, Expiry: testExpiry, PSN: "01",
		Track2: pan + "D" + testExpiry + "2010000000000", ICC: icc(minor), Time: time.Now(),
	}
	if pan != richPAN {
		s.PSN = ""
	}
	if pin != "" {
		s.PINBlock = p.pad.pinBlock(p.t, pin, pan)
	}
	return s
}

func reversalOf(s client.Sale, reason string) client.Reversal {
	return client.Reversal{
		STAN: s.STAN, Batch: s.Batch, Amount: s.Amount, Entry: s.Entry, HadPIN: s.PINBlock != nil, PAN: s.PAN, Expiry: s.Expiry, PSN: s.PSN,
		Reason: reason, ICC: tlv.Append(nil, 0x95, []byte{0, 0, 0, 0x80, 0}), Time: s.Time,
	}
}

func TestSaleOverTLS(t *testing.T) {
	p := newPair(t, true, func(o *Options) { o.Issuer = issuer{} })
	r := p.signOn()
	if r.Action != client.Approve || r.Batch != 1 || r.Code != "00" || len(r.Keys.PIN.Enc) != 16 || len(r.Keys.MAC.Enc) != 8 {
		t.Fatalf("sign-on %q %v, batch %d", r.Code, r.Action, r.Batch)
	}
	for name, c := range map[string]vault.Cryptogram{"PIK": r.Keys.PIN, "MAK": r.Keys.MAC} {
		kcv, err := vault.KCV(p.pad.clear(c), 4)
		if err != nil || string(kcv) != string(c.KCV) {
			t.Errorf("%s: check value %x is not that of the key (%v)", name, c.KCV, err)
		}
	}
	if err := p.client.Echo(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.host.SetRequested(3)
	s := p.sale(richPAN, testPIN, 12345)
	reply, err := p.client.Sale(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if reply.Action != client.Approve || reply.Code != "00" || len(reply.RRN) != 12 || len(reply.Auth) != 6 || reply.Scheme != "CUP" ||
		reply.Issuer != issuerName || reply.Acquirer != institution || reply.Requested != 3 || len(reply.HostTime) != 6 || len(reply.HostDate) != 4 ||
		reply.Text["en"] != "Approved" || reply.Text["zh"] != "交易成功" {
		t.Errorf("%+v", reply)
	}
	if want := "\x91\x0AARPC123400"; string(reply.ICC) != want {
		t.Errorf("field 55 %q, want %q", reply.ICC, want)
	}
	key := Key{testTID, 1, s.STAN}
	if held := p.host.Held(); len(held) != 1 || held[key] != 12345 {
		t.Errorf("held %v", held)
	}
	if b, _ := p.host.Balance(richPAN); b != 1_000_000-12345 {
		t.Errorf("balance %d", b)
	}
	last := p.host.Ledger()[len(p.host.Ledger())-1]
	if last.MTI != "0200" || last.STAN != s.STAN || last.Minor != 12345 || last.Code != "00" || last.Outcome != "approved" || last.Auth != reply.Auth {
		t.Errorf("%+v", last)
	}
	rev, err := p.client.Reverse(t.Context(), reversalOf(s, client.ReasonOther))
	if err != nil || rev.Action != client.Approve || rev.Code != "00" || p.host.TotalHeld() != 0 {
		t.Errorf("reversal %+v, %v, held %d", rev, err, p.host.TotalHeld())
	}
	p.noSecrets()
}

// issuer answers every cryptogram but one, with an ARPC that names the decision.
type issuer struct{}

func (issuer) Authorise(_, _ string, icc []byte, arc string) ([]byte, error) {
	if ac, ok := tlv.Find(icc, 0x9F26); !ok || string(ac) != "ARQC1234" {
		return nil, errors.New("ARQC differs")
	}
	return []byte("ARPC1234" + arc), nil
}

// noSecrets looks through everything that was logged and traced.
func (p *pair) noSecrets() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.log.String()
	for _, e := range p.trace {
		all += e.Summary + "\n"
		for _, f := range e.Detail {
			all += f.Name + "=" + f.Value + "\n"
		}
	}
	if !strings.Contains(all, "F39 应答码") || !strings.Contains(all, "answered") {
		p.t.Errorf("the trace or the log is empty:\n%s", all)
	}
	secrets := []string{testExpiry, testPIN}
	for _, a := range testAccounts() {
		secrets = append(secrets, a.PAN)
	}
	for _, c := range []vault.Cryptogram{p.pad.keys.PIN, p.pad.keys.MAC} {
		secrets = append(secrets, fmt.Sprintf("%X", c.Enc), fmt.Sprintf("%X", p.pad.clear(c)), string(c.Enc))
	}
	for i, secret := range secrets {
		if strings.Contains(all, secret) {
			p.t.Errorf("secret %d (%d bytes) is in the log or the trace", i, len(secret))
		}
	}
}

// What the host says to requests that it can read, and what the client makes of it.
func TestDecisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, false, func(o *Options) { o.Issuer = issuer{} })
		p.signOn()
		for _, c := range []struct {
			what   string
			sale   func() client.Sale
			code   string
			action client.Action
		}{
			{"approved with PIN", func() client.Sale { return p.sale(richPAN, testPIN, 100) }, "00", client.Approve},
			{"approved without PIN", func() client.Sale { return p.sale(richPAN, "", 100) }, "00", client.Approve},
			{"by magnetic stripe", func() client.Sale {
				s := p.sale(richPAN, testPIN, 100)
				s.Entry, s.Track2 = client.EntryMagstripe, richPAN+"D"+testExpiry+"1010000000000"
				return s
			}, "00", client.Approve},
			{"by magnetic stripe that speaks of a chip", func() client.Sale {
				s := p.sale(richPAN, testPIN, 100)
				s.Entry = client.EntryMagstripe
				return s
			}, "45", client.Decline},
			{"by magnetic stripe of another year", func() client.Sale {
				s := p.sale(richPAN, testPIN, 100)
				s.Entry, s.Track2 = client.EntryMagstripe, richPAN+"D47111010000000000"
				return s
			}, "54", client.Decline},
			{"fallback", func() client.Sale {
				s := p.sale(richPAN, testPIN, 100)
				s.Entry = client.EntryFallback
				return s
			}, "00", client.Approve},
			{"typed number", func() client.Sale {
				s := p.sale(richPAN, "", 100)
				s.Entry = client.EntryManual
				return s
			}, "00", client.Approve},
			{"unknown card", func() client.Sale { return p.sale("6222029999999999", testPIN, 100) }, "14", client.Decline},
			{"balance too low by one", func() client.Sale { return p.sale(poorPAN, testPIN, 101) }, "51", client.Decline},
			{"balance just enough", func() client.Sale { return p.sale(poorPAN, testPIN, 100) }, "00", client.Approve},
			{"balance gone", func() client.Sale { return p.sale(poorPAN, testPIN, 1) }, "51", client.Decline},
			{"expired", func() client.Sale {
				s := p.sale(oldPAN, testPIN, 100)
				s.Expiry = "0001"
				return s
			}, "00", client.Approve}, // the bubble's clock stands in January 2000: the last month
			{"expiry date of another card", func() client.Sale {
				s := p.sale(richPAN, testPIN, 100)
				s.Expiry = "4711"
				return s
			}, "54", client.Decline},
			{"stolen", func() client.Sale { return p.sale(badPAN, testPIN, 100) }, "41", client.Capture},
			{"card signed another amount", func() client.Sale {
				s := p.sale(richPAN, testPIN, 100)
				s.ICC = icc(99)
				return s
			}, "64", client.Decline},
			{"field 55 cut short", func() client.Sale {
				s := p.sale(richPAN, testPIN, 100)
				s.ICC = s.ICC[:len(s.ICC)-1]
				return s
			}, "30", client.Decline},
			{"wrong cryptogram", func() client.Sale {
				s := p.sale(richPAN, testPIN, 100)
				s.ICC[3] ^= 1
				return s
			}, "59", client.Decline},
			{"chip without field 55", func() client.Sale {
				s := p.sale(richPAN, testPIN, 100)
				s.ICC = nil
				return s
			}, "30", client.Decline},
			{"PIN block of another card", func() client.Sale {
				s := p.sale(richPAN, "", 100)
				s.PINBlock = p.pad.pinBlock(t, testPIN, "6222029999999999")
				return s
			}, "99", client.SignOn},
			{"wrong PIN", func() client.Sale { return p.sale(richPAN, "739157", 100) }, "55", client.Decline},
			{"then the right one", func() client.Sale { return p.sale(richPAN, testPIN, 100) }, "00", client.Approve},
			{"wrong PIN 1", func() client.Sale { return p.sale(richPAN, "000000", 100) }, "55", client.Decline},
			{"wrong PIN 2", func() client.Sale { return p.sale(richPAN, "0000", 100) }, "55", client.Decline},
			{"wrong PIN 3", func() client.Sale { return p.sale(richPAN, "12345", 100) }, "55", client.Decline},
			{"too late for the right one", func() client.Sale { return p.sale(richPAN, testPIN, 100) }, "75", client.Decline},
			{"STAN used before", func() client.Sale {
				s := p.sale(richPAN, "", 100)
				s.STAN = p.stan - 1
				return s
			}, "94", client.Retry},
		} {
			before := p.host.TotalHeld()
			s := c.sale()
			reply, err := p.client.Sale(t.Context(), s)
			if err != nil {
				t.Errorf("%s: %v", c.what, err)
				continue
			}
			if reply.Code != c.code || reply.Action != c.action || reply.Text["zh"] == "" || reply.Text["en"] == "" {
				t.Errorf("%s: %s %v, want %s %v (%s)", c.what, reply.Code, reply.Action, c.code, c.action, p.host.Ledger()[len(p.host.Ledger())-1].Outcome)
			}
			took := p.host.TotalHeld() - before
			if want := s.Amount.Minor; (c.action == client.Approve && took != want) || (c.action != client.Approve && took != 0) {
				t.Errorf("%s: the host holds %d more", c.what, took)
			}
		}
		p.noSecrets()
	})
}

func TestExpiry(t *testing.T) {
	for _, c := range []struct {
		expiry string
		now    string
		want   bool
	}{
		{"3012", "2030-12-31T23:59:59Z", false},
		{"3012", "2031-01-01T00:00:00Z", true},
		{"2402", "2024-02-29T12:00:00Z", false},
		{"2402", "2024-03-01T00:00:00Z", true},
		{"", "2024-01-01T00:00:00Z", true},
		{"3013", "2024-01-01T00:00:00Z", true},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := expired(c.expiry, now); got != c.want {
			t.Errorf("%q at %s: expired is %v", c.expiry, c.now, got)
		}
	}
}
