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

	"golang.org/x/sys/unix"

	"posd/emv"
	"posd/emv/tlv"
	"posd/hal/ccid"
	"posd/hal/serial"
	"posd/internal/money"
	"posd/sim"
	"posd/sim/card"
	simccid "posd/sim/ccid"
	"posd/vault"
)

// TestProfiles puts every test card into every terminal that its profile speaks of: kernel, driver and serial port of posd at one end
// of a pseudo terminal, reader and card at the other, and the issuer behind it. What the terminal concludes must be what the profile
// says.
func TestProfiles(t *testing.T) {
	bank = card.NewBank()
	base, err := emv.LoadParametersFile("../../etc/emv.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range card.CAKeys() {
		key, err := emv.NewCAKey([5]byte(k.RID), k.Index, k.Modulus, k.Exponent, k.Hash)
		if err != nil {
			t.Fatal(err)
		}
		base.CAKeys = append(base.CAKeys, key)
	}
	for _, k := range card.ECCAKeys() {
		key, err := emv.NewECCAKey([5]byte(k.RID), k.Index, k.Suite, k.Point, k.Sum)
		if err != nil {
			t.Fatal(err)
		}
		base.CAKeys = append(base.CAKeys, key)
	}
	for _, r := range card.CertificateRevocations() {
		base.Revoked = append(base.Revoked, emv.Revoked{RID: [5]byte(r.RID), Index: r.Index, Serial: r.Serial})
	}
	for _, name := range card.Profiles() {
		c, err := card.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		expect := map[string]card.Expect{card.Terminals[0].Name: c.Profile().Expect}
		for at, x := range c.Profile().ExpectAt {
			expect[at] = x
		}
		for at, want := range expect {
			t.Run(name+"/"+at, func(t *testing.T) {
				t.Parallel()
				terminal, ok := card.TerminalNamed(at)
				if !ok {
					t.Fatal("there is no such terminal")
				}
				r := newPurchase(t, name, terminal, want, base)
				r.run()
				r.judge()
			})
		}
	}
}

// bank is the issuer of all cards.
var bank *card.Bank

// purchase is one card in one terminal.
type purchase struct {
	t        *testing.T
	terminal card.Terminal
	want     card.Expect
	cfg      emv.Config
	chip     *card.Card
	reader   *simccid.Reader
	drv      *ccid.Reader
	slot     *ccid.Card

	mu    sync.Mutex
	trace strings.Builder

	// What has happened.
	offered  []string
	online   int // prompts for a PIN to the issuer
	offline  int // and for one to the card
	typed    int // PINs typed so far
	lastPIN  string
	session  *emv.Session
	err      error
	first    emv.Outcome
	final    emv.Outcome
	code     string
	finalErr error
}

func newPurchase(t *testing.T, name string, terminal card.Terminal, want card.Expect, base emv.Config) *purchase {
	t.Helper()
	r := &purchase{t: t, terminal: terminal, want: want, cfg: base}
	r.cfg.Applications = slices.Clone(base.Applications)
	for i := range r.cfg.Applications {
		r.cfg.Applications[i].FloorLimit = terminal.Floor
	}
	r.cfg.Terminal.Type, r.cfg.Terminal.Capabilities, r.cfg.Terminal.Country = terminal.Type, terminal.Capabilities, terminal.Country

	var err error
	if r.chip, err = card.Load(name); err != nil {
		t.Fatal(err)
	}
	master, path := openPTY(t)
	// A terminal that promises offline PIN has a reader with a keypad, which talks APDUs; the other one leaves T=0 to the driver.
	kind := simccid.GemCorePOSPro
	if terminal.Capabilities[1]&0x90 != 0 {
		kind = simccid.PosdPINPad
	}
	r.reader = simccid.New(simccid.Options{Profile: kind, Pace: &simccid.Pace{}, Trace: r.traced})
	r.reader.Insert(0, r.chip)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = r.reader.Serve(context.Background(), master)
	}()
	drv := ccid.New(serial.Opener(serial.Config{Path: path, Baud: 115200, TwoStop: true}), &ccid.Opts{Profile: ccid.Profile(kind)})
	r.drv = drv
	t.Cleanup(func() {
		if err := drv.Close(); err != nil {
			t.Error(err)
		}
		_ = master.Close()
		<-served
	})
	if err := drv.WaitInserted(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.slot, err = drv.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// openPTY returns the master of a pseudo terminal in raw mode and the path of its slave, which stays open until the test ends.
func openPTY(t *testing.T) (master *os.File, path string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	path = fmt.Sprintf("/dev/pts/%d", n)
	slave, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	raw := unix.Termios{Cflag: unix.CS8 | unix.CREAD | unix.CLOCAL}
	raw.Cc[unix.VMIN] = 1
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		t.Fatal(err)
	}
	return master, path
}

// lost translates the driver's errors as cmd/posd does.
type lost struct{ *ccid.Card }

func (c lost) Transceive(ctx context.Context, capdu []byte) ([]byte, error) {
	out, err := c.Card.Transceive(ctx, capdu)
	if errors.Is(err, ccid.ErrCardRemoved) || errors.Is(err, ccid.ErrMute) {
		err = fmt.Errorf("%w: %w", emv.ErrCardLost, err)
	}
	return out, err
}

// request55 are the data that go to the issuer.
var request55 = []tlv.Tag{
	0x9F26, 0x9F27, 0x9F10, 0x9F37, 0x9F36, 0x95, 0x9A, 0x9C, 0x9F02, 0x5F2A, 0x82, 0x9F1A, 0x9F03, 0x9F33, 0x9F34, 0x9F35,
}

// run is the transaction, from the inserted card to the last cryptogram.
func (r *purchase) run() {
	t := r.t
	r.session, r.err = emv.New(r.cfg).Start(t.Context(), lost{r.slot}, emv.Request{
		Amount: money.Amount{Minor: r.terminal.Amount, Currency: money.Currency(r.terminal.Currency)}, Other: r.terminal.Other, Type: r.terminal.Kind,
		Time: time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC), Counter: 1, Rand: strings.NewReader(strings.Repeat("unpredictable", 40)),
	}, r)
	if r.err != nil {
		return
	}
	r.first = r.session.Outcome()
	r.final = r.first
	if r.first != emv.Online {
		return
	}
	answer := emv.HostAnswer{}
	if !r.terminal.Unreachable {
		res, host := r.session.Result(), r.chip.Profile().Host
		r.code = r.judgement(host)
		icc, err := bank.Answer(res.PAN, res.PSN, r.session.ICC(request55), r.code)
		if err != nil {
			t.Fatalf("%s: issuer is not able to read the request: %v", r.place(), err)
		}
		answer = emv.HostAnswer{Reached: true, ARC: r.code, Approved: r.code == "00", ICC: icc}
	}
	r.final, r.finalErr = r.session.Complete(t.Context(), answer)
	if d := r.terminal.Type & 0x0F; d == 3 || d == 6 {
		r.first = r.final // nobody was to be asked: the end is the beginning
	}
}

// judgement is what the issuer thinks of the account.
func (r *purchase) judgement(h card.Host) string {
	switch {
	case h.Code != "":
		return h.Code
	case r.online > 0 && r.session.Result().OnlinePIN && r.lastPIN != h.PIN:
		return "55"
	case h.Balance < r.terminal.Amount:
		return "51"
	}
	return "00"
}

// Choose takes the application that the profile speaks of.
func (r *purchase) Choose(_ context.Context, list []emv.Candidate) (int, error) {
	if r.offered == nil {
		for _, c := range list {
			r.offered = append(r.offered, c.Label)
		}
		return r.want.Choose, nil
	}
	return 0, nil // the list came back without the first choice
}

// pin is what the cardholder types at the next prompt.
func (r *purchase) pin() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	types := r.chip.Profile().Types
	r.lastPIN = types[min(r.typed, len(types)-1)]
	if r.terminal.Bypass {
		r.lastPIN = ""
	}
	r.typed++
	return r.lastPIN
}

func (r *purchase) OnlinePIN(context.Context, emv.PINRequest) (emv.PINOutcome, error) {
	if r.terminal.PadBroken {
		return emv.PINPadFailed, nil
	}
	r.online++
	if r.pin() == "" {
		return emv.PINBypassed, nil
	}
	return emv.PINEntered, nil
}

// OfflinePIN has the reader take a PIN for the card; traced types it.
func (r *purchase) OfflinePIN(ctx context.Context, q emv.OfflinePINRequest) (emv.OfflinePINAnswer, error) {
	if r.terminal.PadBroken {
		return emv.OfflinePINAnswer{Outcome: emv.PINPadFailed}, nil
	}
	r.offline++
	r.pin()
	ask := vault.CardPIN{Timeout: time.Minute}
	if c := q.Cipher; c != nil {
		ask.Cipher = &vault.CardPINCipher{Modulus: c.Modulus, Exponent: c.Exponent, Challenge: c.Challenge}
	}
	sw, err := r.drv.VerifyPIN(ctx, ask)
	if errors.Is(err, vault.ErrPINBypassed) {
		return emv.OfflinePINAnswer{Outcome: emv.PINBypassed}, nil
	}
	return emv.OfflinePINAnswer{Outcome: emv.PINEntered, SW: sw}, err
}

// traced keeps what the reader tells, and is the cardholder's finger on its keypad.
func (r *purchase) traced(e sim.Event) {
	r.mu.Lock()
	fmt.Fprintf(&r.trace, "%s %s\n", e.Dir, e.Summary)
	for _, f := range e.Detail {
		fmt.Fprintf(&r.trace, "    %s = %s\n", f.Name, f.Value)
	}
	keys := r.lastPIN + string(simccid.KeyEnter)
	r.mu.Unlock()
	if r.reader.Entering() {
		for _, k := range keys {
			r.reader.Press(k)
		}
	}
}

// starts are the ends without a transaction.
var starts = map[string]error{
	"blocked": emv.ErrAppBlocked, "card-blocked": emv.ErrCardBlocked, "not-accepted": emv.ErrNotAccepted, "conditions": emv.ErrConditionsFail,
	"bad-card": emv.ErrBadCard,
}

var outcomes = map[emv.Outcome]string{emv.Online: "online", emv.Approved: "approved", emv.Declined: "declined"}

func (r *purchase) place() string {
	return fmt.Sprintf("profile %s, terminal %s (%s)", r.chip.Profile().Name, r.terminal.Name, r.terminal.About)
}

// judge compares with the expectation and fails for every field that differs.
func (r *purchase) judge() {
	t := r.t
	place := r.place()
	differ := r.differences()
	for _, d := range differ {
		t.Errorf("%s: %s", place, d)
	}
	r.mu.Lock()
	trace := r.trace.String()
	r.mu.Unlock()
	if len(differ) > 0 {
		t.Log("\n" + trace)
	}
	for _, a := range r.chip.Profile().Applications {
		if strings.Contains(trace, a.PAN) || strings.Contains(trace, a.PAN[6:len(a.PAN)-4]) {
			t.Errorf("%s: an account number is in the trace", place)
		}
	}
	for _, pin := range append(r.chip.Profile().Types, r.chip.Profile().PIN) {
		if pin != "" && strings.Contains(trace, fmt.Sprintf("2%X%sF", len(pin), pin)) {
			t.Errorf("%s: a PIN is in the trace", place)
		}
	}
}

func (r *purchase) differences() (out []string) {
	x := r.want
	check := func(field, got, want string) {
		if want != "" && !strings.EqualFold(got, want) {
			out = append(out, fmt.Sprintf("%s is %q, the profile says %q", field, got, want))
		}
	}
	if x.Start == "" {
		return []string{"start is not given"}
	}
	if x.Offered != nil && !slices.Equal(r.offered, x.Offered) {
		out = append(out, fmt.Sprintf("offered is %q, the profile says %q", r.offered, x.Offered))
	}
	var asked []string
	for _, c := range r.chip.Cryptograms() {
		asked = append(asked, c.Asked)
	}
	if x.Asked != nil && !slices.Equal(asked, x.Asked) {
		out = append(out, fmt.Sprintf("asked is %q, the profile says %q", asked, x.Asked))
	}
	if r.err != nil {
		got := r.err.Error()
		for name, err := range starts {
			if errors.Is(r.err, err) {
				got = name
			}
		}
		check("start", got, x.Start)
		if got != x.Start {
			out = append(out, r.err.Error())
		}
		return out
	}
	check("start", outcomes[r.first], x.Start)
	check("code", r.code, x.Code)
	if r.finalErr != nil && x.Final != "declined" {
		out = append(out, "completion: "+r.finalErr.Error())
	}
	check("final", outcomes[r.final], x.Final)
	res := r.session.Result()
	if x.CVM != "" {
		check("cvm", r.verifiedBy(res), x.CVM)
		if got := r.online + r.offline; got != x.Prompts && (x.Prompts != 0 || got > 1) {
			out = append(out, fmt.Sprintf("prompts is %d, the profile says %d", got, x.Prompts))
		}
	}
	check("name", res.Label, x.Name)
	check("tvr", fmt.Sprintf("%X", res.TVR), x.TVR)
	check("tsi", fmt.Sprintf("%X", res.TSI), x.TSI)
	check("results", fmt.Sprintf("%X", res.CVMResults), x.Results)
	if got := fmt.Sprintf("%X", res.ScriptResults); !strings.EqualFold(got, x.Scripts) {
		out = append(out, fmt.Sprintf("scripts is %q, the profile says %q", got, x.Scripts))
	}
	if got := r.code == "00" && r.final != emv.Approved; got != x.Reversal {
		out = append(out, fmt.Sprintf("reversal is %v, the profile says %v", got, x.Reversal))
	}
	// What the terminal says must be what the card has last said, and the issuer must be able to check it: unless the cryptogram was
	// under a signature that is wrong, or the verification results are no longer those that the card has signed.
	log := r.chip.Cryptograms()
	last := log[len(log)-1]
	if r.final == emv.Approved && last.Kind != "TC" {
		out = append(out, "approved, and the card's last word was "+last.Kind)
	}
	if last.Amount != r.terminal.Amount {
		out = append(out, fmt.Sprintf("the card has signed the amount %d", last.Amount))
	}
	stale := res.TVR[0]&0x04 != 0 || res.TVR[4]&0x10 != 0
	if err := (card.Issuer{}).Verify(res.PAN, res.PSN, r.session.ICC(request55)); err != nil && r.finalErr == nil && !stale {
		out = append(out, "the issuer does not recognise the last cryptogram: "+err.Error())
	}
	out = append(out, r.afterwards()...)
	return out
}

// verifiedBy names what the terminal has done about the cardholder.
func (r *purchase) verifiedBy(res emv.Result) string {
	method, result := res.CVMResults[0]&0x3F, res.CVMResults[2]
	if result == 0x01 {
		return "failed"
	}
	pin := method == 0x01 || method == 0x03 || method == 0x04 || method == 0x05
	switch {
	case method == 0x02 && res.OnlinePIN && !res.Signature:
		return "online-pin"
	case pin && res.Signature:
		return "offline-pin+signature"
	case pin:
		return "offline-pin"
	case method == 0x1E && res.Signature:
		return "signature"
	case !res.Signature && !res.OnlinePIN:
		return "none"
	}
	return fmt.Sprintf("%X with PIN %v and signature %v", res.CVMResults, res.OnlinePIN, res.Signature)
}

// afterwards asks the card itself what the issuer's scripts have done.
func (r *purchase) afterwards() (out []string) {
	got := ""
	r.chip.Reset()
	sw := r.chip.Transceive(slices.Concat([]byte{0x00, 0xA4, 0x04, 0x00, byte(len(r.session.Result().AID))}, r.session.Result().AID))
	switch s := fmt.Sprintf("%X", sw[len(sw)-2:]); s {
	case "6A81":
		got = "card"
	case "6283":
		got = "application"
	}
	if got != r.want.Blocked {
		out = append(out, fmt.Sprintf("blocked is %q, the profile says %q", got, r.want.Blocked))
	}
	return out
}
