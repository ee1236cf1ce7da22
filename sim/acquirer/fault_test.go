package acquirer

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/netlink"
	client "posd/netlink/acquirer"
)

// A fault that changes a field of the answer works on messages that have no such field too, and leaves nothing behind.
func TestFaultsOnOtherMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, false, nil)
		for _, mti := range []string{"0800", "0820"} {
			for _, name := range p.host.Faults() {
				if name == Down || name == TLSRefused {
					continue
				}
				if err := p.host.Inject(Fault{Name: name, MTI: mti, Times: 1}); err != nil {
					t.Fatal(err)
				}
				if mti == "0800" {
					_, _ = p.client.SignOn(t.Context(), p.next())
				} else {
					_ = p.client.Echo(t.Context())
				}
				if err := p.host.SetFault(name, false); err != nil {
					t.Fatal(err)
				}
			}
		}
		p.signOn()
		if r, err := p.client.Sale(t.Context(), p.sale(richPAN, testPIN, 12345)); err != nil || r.Code != "00" {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// Every fault that leaves the line itself in order, on a sale: what the client reports, and that the reversal that follows from it leaves
// the host without money that the terminal does not know about.
func TestFaultsOnSale(t *testing.T) {
	for _, c := range []struct {
		fault  string
		sent   bool   // a Failure that may have left; false is a Reply
		reason string // of the Failure
		code   string // of the Reply
		held   bool   // the host holds the money before the reversal
	}{
		{fault: CloseBefore, sent: true, reason: client.ReasonNoReply},
		{fault: ReplyLost, sent: true, reason: client.ReasonNoReply, held: true},
		{fault: ReplyLate, sent: true, reason: client.ReasonNoReply, held: true},
		{fault: HalfReply, sent: true, reason: client.ReasonNoReply, held: true},
		{fault: SlowBytes, sent: true, reason: client.ReasonNoReply, held: true},
		{fault: WrongMAC, sent: true, reason: client.ReasonBadMAC, held: true},
		{fault: WrongSTAN, sent: true, reason: client.ReasonNoReply, held: true},
		{fault: WrongAmount, sent: true, reason: client.ReasonBadData, held: true},
		{fault: Garbage, sent: true, reason: client.ReasonBadData, held: true},
		{fault: BadLength, sent: true, reason: client.ReasonBadData, held: true},
		{fault: Unresolved68, sent: true, reason: client.ReasonNoReply, held: true},
		{fault: ForeignReply, code: "00", held: true},
		{fault: DuplicateReply, code: "00", held: true},
		{fault: Decline05, code: "05"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, false, nil)
				p.signOn()
				if err := p.host.FaultOnce(c.fault); err != nil {
					t.Fatal(err)
				}
				s := p.sale(richPAN, testPIN, 12345)
				start := time.Now()
				reply, err := p.client.Sale(t.Context(), s)
				if took := time.Since(start); took > 61*time.Second {
					t.Errorf("took %v", took)
				}
				var f *client.Failure
				switch {
				case c.sent:
					if !errors.As(err, &f) || !f.Sent || f.Reason != c.reason {
						t.Fatalf("%v, want a failure with reason %s", err, c.reason)
					}
					if p.link.Connected() {
						t.Error("the connection is still open after a failure")
					}
				case err != nil || reply.Code != c.code:
					t.Fatalf("%+v, %v; want code %s", reply, err, c.code)
				}
				if held := p.host.TotalHeld() == 12345; held != c.held {
					t.Errorf("the host holds %d", p.host.TotalHeld())
				}
				if len(p.host.ActiveFaults()) != 0 {
					t.Error("the fault is still on")
				}
				if c.sent {
					rev, err := p.client.Reverse(t.Context(), reversalOf(s, f.Reason))
					if err != nil || rev.Action != client.Approve {
						t.Fatalf("reversal: %+v, %v", rev, err)
					}
					if p.host.TotalHeld() != 0 {
						t.Errorf("the host holds %d after the reversal", p.host.TotalHeld())
					}
				}
				// The terminal sells again at once, whatever is still on its way.
				if reply, err := p.client.Sale(t.Context(), p.sale(richPAN, testPIN, 1)); err != nil || reply.Code != "00" {
					t.Errorf("next sale: %+v, %v", reply, err)
				}
				p.noSecrets()
			})
		})
	}
}

// A slow line is not a dead one: an answer that comes byte by byte within the time is an answer.
func TestSlowButInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, false, func(o *Options) { o.SlowBy = 100 * time.Millisecond })
		p.signOn()
		if err := p.host.SetFault(SlowBytes, true); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if reply, err := p.client.Sale(t.Context(), p.sale(richPAN, testPIN, 100)); err != nil || reply.Code != "00" {
				t.Fatalf("%+v, %v", reply, err)
			}
		}
	})
}

// A reversal is the same bytes until it is answered, and a host that has undone the sale already says so.
func TestReversalRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, false, nil)
		p.signOn()
		if err := p.host.Inject(Fault{Name: ReplyLost, Times: 3}); err != nil {
			t.Fatal(err)
		}
		s := p.sale(richPAN, testPIN, 500)
		if _, err := p.client.Sale(t.Context(), s); err == nil {
			t.Fatal("answered")
		}
		rev := reversalOf(s, client.ReasonNoReply)
		for range 2 {
			var f *client.Failure
			if _, err := p.client.Reverse(t.Context(), rev); !errors.As(err, &f) || !f.Sent || f.Reason != client.ReasonNoReply {
				t.Fatal(err)
			}
			rev.Time = rev.Time.Add(time.Hour) // a stamp for the journal: no part of the message
		}
		reply, err := p.client.Reverse(t.Context(), rev)
		if err != nil || reply.Action != client.Approve {
			t.Fatalf("%+v, %v", reply, err)
		}
		var raw [][]byte
		var outcomes []string
		for _, e := range p.host.Ledger() {
			if e.MTI == "0400" {
				raw = append(raw, e.Raw)
				outcomes = append(outcomes, e.Outcome)
			}
		}
		if len(raw) != 3 || !bytes.Equal(raw[0], raw[1]) || !bytes.Equal(raw[1], raw[2]) {
			t.Errorf("%d reversals, not the same bytes", len(raw))
		}
		if got := strings.Join(outcomes, ", "); got != "reversed, reversed before, reversed before" {
			t.Error(got)
		}
		if p.host.TotalHeld() != 0 {
			t.Error("money is held")
		}
		if b, _ := p.host.Balance(richPAN); b != 1_000_000 {
			t.Errorf("balance %d", b)
		}
	})
}

func TestReversalOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, false, nil)
		p.signOn()
		good, declined := p.sale(richPAN, testPIN, 500), p.sale(poorPAN, testPIN, 500)
		for _, s := range []client.Sale{good, declined} {
			if _, err := p.client.Sale(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		unknown, otherAmount := reversalOf(good, "98"), reversalOf(good, "98")
		unknown.STAN = 777777
		otherAmount.Amount.Minor++
		for _, c := range []struct {
			what   string
			rev    client.Reversal
			code   string
			action client.Action
		}{
			{"unknown original", unknown, "25", client.Approve},
			{"unknown original again", unknown, "25", client.Approve},
			{"another amount", otherAmount, "64", client.Decline},
			{"declined original", reversalOf(declined, "98"), "00", client.Approve},
			{"approved original", reversalOf(good, "06"), "00", client.Approve},
		} {
			reply, err := p.client.Reverse(t.Context(), c.rev)
			if err != nil || reply.Code != c.code || reply.Action != c.action {
				t.Errorf("%s: %+v, %v", c.what, reply, err)
			}
		}
		// A sale that comes after its own reversal is refused.
		late := p.sale(richPAN, testPIN, 500)
		late.STAN = 777777
		if reply, err := p.client.Sale(t.Context(), late); err != nil || reply.Code != "94" || p.host.TotalHeld() != 0 {
			t.Errorf("%+v, %v, held %d", reply, err, p.host.TotalHeld())
		}
	})
}

// Keys that do not agree: the host says so, and the client does not take an answer without a good MAC for a refusal.
func TestSignOnNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, false, nil)
		s := p.sale(richPAN, "", 500)
		var f *client.Failure
		if _, err := p.client.Sale(t.Context(), s); !errors.As(err, &f) || !f.Sent || f.Reason != client.ReasonBadMAC || !f.SignOn {
			t.Fatalf("not signed on: %v", err)
		}
		p.signOn()
		old := p.pad.keys
		p.signOn()
		p.pad.keys = old
		s = p.sale(richPAN, "", 500)
		if _, err := p.client.Sale(t.Context(), s); !errors.As(err, &f) || f.Reason != client.ReasonBadMAC || !f.SignOn {
			t.Fatalf("old keys: %v", err)
		}
		p.signOn()
		if reply, err := p.client.Reverse(t.Context(), reversalOf(s, f.Reason)); err != nil || reply.Code != "25" || reply.Action != client.Approve {
			t.Fatalf("%+v, %v", reply, err)
		}
	})
}

func TestAnotherTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, false, func(o *Options) { o.MID = "898110153110002" })
		r, err := p.client.SignOn(t.Context(), 1)
		if err != nil || r.Code != "97" || r.Action != client.Decline || r.Keys.MAC.Enc != nil {
			t.Fatalf("%q %v, %v", r.Code, r.Action, err)
		}
	})
}

func TestFaultsOfTheLine(t *testing.T) {
	p := newPair(t, true, nil)
	p.signOn()
	cause := func(err error) netlink.Cause {
		var e *netlink.Error
		if !errors.As(err, &e) {
			t.Fatalf("%v", err)
		}
		return e.Cause
	}
	for _, c := range []struct {
		fault string
		cause netlink.Cause
	}{{Down, netlink.Unreachable}, {TLSRefused, netlink.TLSRefused}} {
		if err := p.host.SetFault(c.fault, true); err != nil {
			t.Fatal(err)
		}
		if c.fault == TLSRefused {
			p.client.Close() // it is about new connections
		}
		seen := len(p.host.Ledger())
		_, err := p.client.Sale(t.Context(), p.sale(richPAN, testPIN, 100))
		var f *client.Failure
		if !errors.As(err, &f) || f.Sent || f.Reason != "" || cause(err) != c.cause {
			t.Errorf("%s: %v", c.fault, err)
		}
		if len(p.host.Ledger()) != seen {
			t.Errorf("%s: the host has seen a request", c.fault)
		}
		if err := p.host.SetFault(c.fault, false); err != nil {
			t.Fatal(err)
		}
		if reply, err := p.client.Sale(t.Context(), p.sale(richPAN, testPIN, 100)); err != nil || reply.Code != "00" {
			t.Errorf("after %s: %+v, %v", c.fault, reply, err)
		}
	}
	if err := p.host.FaultOnce(ReplyLost + "x"); err == nil {
		t.Error("an unknown fault was accepted")
	}
	if err := p.host.SetFault("nonsense", false); err == nil {
		t.Error("an unknown fault was accepted")
	}
	if err := p.host.FaultOnce(Down); err == nil {
		t.Error("down cannot be counted")
	}
}

// The host keeps address, certificates, keys and ledger when it is closed and started again.
func TestRestart(t *testing.T) {
	p := newPair(t, true, nil)
	p.signOn()
	if err := p.host.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.client.Sale(t.Context(), p.sale(richPAN, testPIN, 100)); err == nil {
		t.Fatal("a closed host has answered")
	}
	if _, err := p.host.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.host.Start(); err == nil {
		t.Error("started twice")
	}
	if reply, err := p.client.Sale(t.Context(), p.sale(richPAN, testPIN, 100)); err != nil || reply.Code != "00" {
		t.Fatalf("%+v, %v", reply, err)
	}
}
