package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"posd/emv"
	"posd/emv/contactless"
	"posd/emv/contactless/kernel2"
	"posd/emv/contactless/kernel3"
	"posd/emv/contactless/kernel7"
	"posd/emv/tlv"
	"posd/hal"
	"posd/hal/pn532"
	"posd/hal/serial"
	"posd/internal/money"
	"posd/sim"
	"posd/sim/card"

	simpn532 "posd/sim/pn532"
)

// TestTaps holds every test card with an antenna before every reader that its profile speaks of: Entry Point, kernels, driver and serial port of
// posd at one end of a pseudo terminal, chip, antenna and card at the other, and the issuer behind it. What the reader concludes must be what
// the profile says.
func TestTaps(t *testing.T) {
	bank, base := card.NewBank(), contactlessBase(t)
	for _, name := range card.Taps() {
		c, err := card.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for at, want := range c.Profile().ExpectTap {
			t.Run(name+"/"+at, func(t *testing.T) {
				t.Parallel()
				reader, ok := card.ReaderNamed(at)
				if !ok {
					t.Fatal("there is no such reader")
				}
				p := newPresented(t, c.Profile(), reader, want, base, bank, ptyLine)
				p.run()
				p.judge()
			})
		}
	}
}

// contactlessBase is the terminal that ships, with the test keys.
func contactlessBase(t *testing.T) emv.Config {
	t.Helper()
	base, err := emv.LoadParametersFile("../../etc/emv.toml")
	if err != nil {
		t.Fatal(err)
	}
	base.CAKeys = nil
	for _, k := range card.CAKeys() {
		key, err := emv.NewCAKey([5]byte(k.RID), k.Index, k.Modulus, k.Exponent, k.Hash)
		if err != nil {
			t.Fatal(err)
		}
		base.CAKeys = append(base.CAKeys, key)
	}
	for _, r := range card.CertificateRevocations() {
		base.Revoked = append(base.Revoked, emv.Revoked{RID: [5]byte(r.RID), Index: r.Index, Serial: r.Serial})
	}
	return base
}

// presented is one card before one reader.
type presented struct {
	t      *testing.T
	reader card.Reader
	want   card.ExpectTap
	bank   *card.Bank
	chip   *card.Card
	front  *simpn532.Chip
	entry  *contactless.EntryPoint
	dev    *pn532.Dev
	close  func()
	second int // the other card in the field, 0 when there is none

	mu    sync.Mutex
	trace strings.Builder
	shown []contactless.UIRequest

	res     contactless.Result
	err     error
	code    string
	decided contactless.Status
}

func newPresented(t *testing.T, profile card.Profile, reader card.Reader, want card.ExpectTap, base emv.Config, bank *card.Bank, lay func(*testing.T, *simpn532.Chip) line) *presented {
	t.Helper()
	p := &presented{t: t, reader: reader, want: want, bank: bank}
	cfg := contactless.Config{Terminal: base.Terminal, CAKeys: base.CAKeys, Revoked: base.Revoked, Combinations: combinations(reader)}
	cfg.Terminal.Type, cfg.Terminal.Capabilities, cfg.Terminal.Country = reader.Type, reader.Capabilities, reader.Country
	if reader.Exception {
		cfg.Exception = func(emv.Exception) bool { return true }
	}
	p.entry = contactless.New(cfg, kernel2.New(kernel2.Options{MagStripe: reader.Stripe}), kernel3.New(kernel3.Config{Balance: true}), kernel7.New(quickPass(reader)))

	p.front = simpn532.New(simpn532.Options{Pace: &simpn532.Pace{}, Trace: p.traced})
	l := lay(t, p.front)
	p.dev = pn532.NewHSU(l.open, &pn532.Opts{Poll: time.Millisecond, ACK: time.Second})
	p.close = sync.OnceFunc(func() {
		if err := p.dev.Close(); err != nil {
			t.Error(err)
		}
		l.close()
	})
	t.Cleanup(p.close)
	chip, err := card.New(profile)
	if err != nil {
		t.Fatal(err)
	}
	p.chip = chip
	p.present(chip)
	if other := profile.Contactless.With; other != "" {
		chip, err := card.Load(other)
		if err != nil {
			t.Fatal(err)
		}
		p.present(chip)
	}
	return p
}

// line is a way from the driver to the chip.
type line struct {
	open  hal.Opener
	close func()
}

// ptyLine is a pseudo terminal with the chip at its end.
func ptyLine(t *testing.T, front *simpn532.Chip) line {
	t.Helper()
	master, path := openPTY(t)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = front.Serve(context.Background(), master)
	}()
	return line{serial.Opener(serial.Config{Path: path, Baud: pn532.HSUSpeed}), func() {
		_ = master.Close()
		<-served
	}}
}

// quickPass are kernel 7's rules for small amounts and purses at a reader.
func quickPass(r card.Reader) kernel7.Config {
	return kernel7.Config{
		Parameters: kernel7.Parameters{QPS: r.Small > 0, NoPINLimit: r.Small}, Cash: kernel7.Cash{On: r.Purse > 0, Limit: r.Purse},
	}
}

// present holds a card before the antenna.
func (p *presented) present(c *card.Card) {
	g := c.Tag()
	p.second = p.front.Tap(simpn532.Target{Card: g, B: g.TypeB(), ATQA: g.ATQA(), UID: g.UID(), SAK: g.SAK(), ATS: g.ATS(), ATQB: g.ATQB(), Slow: g.Delay()})
}

// combinations are the applications that a reader of card.Readers takes.
func combinations(r card.Reader) (out []contactless.Combination) {
	amount := func(v *int64) []byte {
		b, _ := tlv.AppendNumber(nil, *v, 6)
		return b
	}
	for _, x := range []struct {
		aid    string
		kernel int
	}{
		{"A000000333010101", 7},
		{"A000000333010102", 7},
		{"A000000333010103", 7},
		{"A0000000031010", 3},
		{"A0000000032010", 3},
		{"A0000000041010", 2},
		{"A0000000043060", 2},
	} {
		if !slices.Contains(r.Kernels, x.kernel) {
			continue
		}
		var aid []byte
		if _, err := fmt.Sscanf(x.aid, "%X", &aid); err != nil {
			panic("taps: a constant is not hex")
		}
		c := contactless.Combination{
			AID: aid, Kernel: contactless.KernelID(x.kernel), Extended: r.Extended, NeedTTQ: x.kernel == 3,
			App: emv.Application{AID: aid, Version: [2]byte{0x00, 0x02}},
		}
		limits := contactless.Limits{Transaction: r.Transaction, CVM: r.CVM, Floor: r.Floor, StatusCheck: r.StatusCheck}
		switch x.kernel {
		case 3:
			c.TTQ = &r.TTQ3
		case 7:
			c.TTQ = &r.TTQ7
		case 2: // its limits are its own (Book C-2)
			limits = contactless.Limits{}
			c.App.TACOnline, c.App.TACDefault = [5]byte{0xFC, 0x50, 0x9C, 0x88, 0x00}, [5]byte{0xFC, 0x50, 0x9C, 0x88, 0x00}
			configuration := byte(0x80)
			if r.Stripe {
				configuration = 0
			}
			if r.OnDevice {
				configuration |= 0x20
			}
			if r.Relay {
				configuration |= 0x10
			}
			c.Data = map[uint32][]byte{
				0xDF8117: {r.Capabilities[0]}, 0xDF8118: {r.Capabilities[1]}, 0xDF8119: {0x08}, 0xDF811F: {r.Capabilities[2]}, 0xDF811B: {configuration},
				0xDF8123: amount(r.Floor), 0xDF8124: amount(r.Transaction), 0xDF8125: amount(r.Transaction), 0xDF8126: amount(r.CVM),
				0xDF811D: {byte(r.Torn)}, 0xDF8104: {}, 0xDF8105: {}, 0x9F03: make([]byte, 6),
			}
		}
		c.Limits = map[byte]contactless.Limits{r.Kind: limits}
		out = append(out, c)
	}
	return out
}

// Activate, Off and WaitRemoved are the antenna, with the driver's errors translated as cmd/posd does.
func (p *presented) Activate(ctx context.Context) (contactless.Card, error) {
	c, err := p.dev.Activate(ctx)
	switch {
	case errors.Is(err, pn532.ErrCollision):
		return nil, fmt.Errorf("%w: %w", contactless.ErrCollision, err)
	case err != nil:
		return nil, err
	}
	return c, nil
}

func (p *presented) Off(ctx context.Context, d time.Duration) error { return p.dev.Off(ctx, d) }
func (p *presented) WaitRemoved(ctx context.Context) error          { return p.dev.WaitRemoved(ctx) }

// Show is what people see; asked to present one card only, they take the other away.
func (p *presented) Show(u contactless.UIRequest) {
	p.mu.Lock()
	p.shown = append(p.shown, u)
	fmt.Fprintf(&p.trace, "  message %02X %v, status %v\n", byte(u.Message), u.Message, u.Status)
	p.mu.Unlock()
	if u.Message == contactless.MsgOneCardOnly && p.front.Cards() > 1 {
		p.front.Take(p.second)
	}
}

// field55 are the data that go to the issuer.
var field55 = []tlv.Tag{0x9F26, 0x9F27, 0x9F10, 0x9F37, 0x9F36, 0x95, 0x9A, 0x9C, 0x9F02, 0x5F2A, 0x82, 0x9F1A, 0x9F03, 0x9F33, 0x9F34, 0x9F35}

// run is the transaction, from "present card" to the issuer's answer and what the card makes of it.
func (p *presented) run() {
	t, r := p.t, p.reader
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p.res, p.err = p.entry.Run(ctx, p, contactless.Transaction{
		Amount: money.Amount{Minor: r.Amount, Currency: money.Currency(r.Currency)}, Type: r.Kind, Time: time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC),
		Counter: 1, Rand: strings.NewReader(strings.Repeat("unpredictable", 40)),
	}, p)
	p.decided = p.res.Status
	if p.err != nil || p.res.Status != contactless.OnlineRequest {
		return
	}
	answer := emv.HostAnswer{}
	if !r.Unreachable {
		host := p.chip.Profile().Host
		p.code = "00"
		switch {
		case host.Code != "":
			p.code = host.Code
		case host.Balance < r.Amount:
			p.code = "51"
		}
		answer = emv.HostAnswer{Reached: true, ARC: p.code, Approved: p.code == "00"}
		c := p.res.Card
		if p.res.MagStripe {
			if _, err := (card.Issuer{}).VerifyStripe(c.Track2, p.psn()); err != nil {
				t.Errorf("%s: the issuer does not recognise the track: %v", p.place(), err)
			}
		} else if icc, err := p.bank.Answer(c.PAN, c.PSN, p.res.ICC(field55), p.code); err != nil {
			t.Errorf("%s: the issuer is not able to read the request: %v", p.place(), err)
		} else {
			answer.ICC = icc
		}
	}
	p.res, p.err = p.res.Resume(ctx, answer)
}

// psn is the sequence number of the application that was used.
func (p *presented) psn() string {
	for _, a := range p.chip.Profile().Applications {
		if strings.EqualFold(a.AID, fmt.Sprintf("%X", p.res.AID)) {
			return a.PSN
		}
	}
	return p.chip.PSN()
}

func (p *presented) traced(e sim.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(&p.trace, "%s %s\n", e.Dir, e.Summary)
	for _, f := range e.Detail {
		fmt.Fprintf(&p.trace, "    %s = %s\n", f.Name, f.Value)
	}
}

var tapStatus = map[contactless.Status]string{
	contactless.Approved: "approved", contactless.Declined: "declined", contactless.OnlineRequest: "online",
	contactless.EndApplication: "end-application", contactless.TryAnotherInterface: "try-another-interface",
}

var tapCVM = map[contactless.CVM]string{
	contactless.NoCVM: "none", contactless.Signature: "signature", contactless.OnlinePIN: "online-pin", contactless.ConfirmationCode: "confirmation-code",
}

func (p *presented) place() string {
	return fmt.Sprintf("profile %s, reader %s (%s)", p.chip.Profile().Name, p.reader.Name, p.reader.About)
}

// judge compares with the expectation and fails for every field that differs.
func (p *presented) judge() {
	t := p.t
	differ := p.differences()
	for _, d := range differ {
		t.Errorf("%s: %s", p.place(), d)
	}
	p.mu.Lock()
	trace := p.trace.String()
	p.mu.Unlock()
	if len(differ) > 0 || os.Getenv("TAPS_TRACE") != "" {
		t.Log("\n" + trace)
	}
	for _, a := range p.chip.Profile().Applications {
		if strings.Contains(trace, a.PAN) || strings.Contains(trace, a.PAN[6:len(a.PAN)-4]) {
			t.Errorf("%s: an account number is in the trace", p.place())
		}
	}
}

func (p *presented) differences() (out []string) {
	x, r := p.want, p.res
	check := func(field string, got, want any) {
		if got != want {
			out = append(out, fmt.Sprintf("%s is %v, the profile says %v", field, got, want))
		}
	}
	if p.err != nil {
		return []string{p.err.Error()}
	}
	check("outcome", tapStatus[p.decided], x.Outcome)
	if x.CVM != "" {
		check("cvm", tapCVM[r.Outcome.CVM], x.CVM)
	}
	if x.Message != 0 {
		got := contactless.Message(0)
		if r.Outcome.UIOutcome != nil {
			got = r.Outcome.UIOutcome.Message
		}
		check("message", fmt.Sprintf("%02X", byte(got)), fmt.Sprintf("%02X", x.Message))
	}
	if x.Between != 0 && !slices.ContainsFunc(p.shown, func(u contactless.UIRequest) bool { return int(u.Message) == x.Between }) {
		out = append(out, fmt.Sprintf("message %02X was not shown", x.Between))
	}
	if x.Kernel != 0 {
		check("kernel", int(r.Kernel), x.Kernel)
	}
	if x.AID != "" {
		check("aid", fmt.Sprintf("%X", r.AID), strings.ToUpper(x.AID))
	}
	if x.Code != "" {
		check("code", p.code, x.Code)
	}
	if x.Final != "" {
		check("final", tapStatus[r.Status], x.Final)
	}
	if x.TVR != "" {
		check("tvr", fmt.Sprintf("%X", r.Card.TVR), strings.ToUpper(x.TVR))
	}
	check("stripe", r.MagStripe, x.Stripe)
	taps := max(x.Taps, 1)
	if x.Update != "" {
		taps++
		got := "failed"
		if r.Update != nil && r.UpdateErr == nil {
			got = "done"
		}
		check("update", got, x.Update)
	}
	if x.Taps != 0 || x.Update != "" {
		check("taps", p.chip.Tag().Taps(), taps)
	}
	if x.Purse != nil {
		check("purse", p.chip.Tag().Purse(), *x.Purse)
	}
	if x.Balance != nil {
		got := int64(-1)
		for _, tag := range []tlv.Tag{0xDF8105, 0xDF8104, 0x9F5D} {
			if v, ok := r.Get(tag); ok && len(v) == 6 {
				if n, err := tlv.Number(v); err == nil {
					got = n
				}
			}
		}
		check("balance", got, *x.Balance)
	}
	return append(out, p.books()...)
}

// books compares what the reader says with what the card has said: nothing is approved that the card has not approved, and the issuer
// recognises every cryptogram that money hangs on.
func (p *presented) books() (out []string) {
	r := p.res
	money := p.decided == contactless.Approved || p.decided == contactless.OnlineRequest
	if !money {
		return nil
	}
	log := p.chip.Cryptograms()
	if len(log) == 0 {
		return []string{"the card has decided nothing"}
	}
	last := log[len(log)-1]
	switch {
	case p.decided == contactless.Approved && last.Kind != "TC":
		out = append(out, "approved, and the card's last word was "+last.Kind)
	case r.MagStripe:
		return out
	case last.Amount != p.reader.Amount:
		out = append(out, fmt.Sprintf("the card has signed the amount %d", last.Amount))
	}
	if r.Card.ATC != last.ATC {
		out = append(out, fmt.Sprintf("the counter is %d, the card's %d", r.Card.ATC, last.ATC))
	}
	if err := (card.Issuer{}).Verify(r.Card.PAN, r.Card.PSN, r.ICC(field55)); err != nil {
		out = append(out, "the issuer does not recognise the cryptogram: "+err.Error())
	}
	if p.front.Field() {
		out = append(out, "the field is still on")
	}
	return out
}
