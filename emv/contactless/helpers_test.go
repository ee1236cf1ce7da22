package contactless

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"posd/emv"
	"posd/emv/tlv"
	"posd/internal/money"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// obj encodes a data object whose value is hex, or objects.
func obj(tag tlv.Tag, values ...any) []byte {
	var v []byte
	for _, x := range values {
		switch x := x.(type) {
		case string:
			v = append(v, unhex(x)...)
		case []byte:
			v = append(v, x...)
		}
	}
	return tlv.Append(nil, tag, v)
}

const (
	visa     = "A0000000031010"
	visaRID  = "A000000003"
	master   = "A0000000041010"
	unionPay = "A000000333010101"
)

// entry61 is a directory entry; more are further objects in it.
func entry61(aid string, more ...[]byte) []byte {
	in := []any{obj(tagADFName, aid)}
	for _, m := range more {
		in = append(in, m)
	}
	return obj(tagEntry, in...)
}

func priority(p byte) []byte { return obj(tagPriority, []byte{p}) }
func kernel9F2A(v string) []byte {
	return obj(tagKernelID, v)
}

// ppseOf is the FCI of a PPSE with these objects in BF0C.
func ppseOf(entries ...[]byte) []byte {
	in := make([]any, 0, len(entries))
	for _, e := range entries {
		in = append(in, e)
	}
	return obj(tagFCI, obj(tagDFName, []byte(ppseName)), obj(tagFCIProp, obj(tagDiscretionary, in...)))
}

// fciOf is the FCI of an application.
func fciOf(name string, prop ...any) []byte {
	return obj(tagFCI, obj(tagDFName, name), obj(tagFCIProp, prop...))
}

var errGone = errors.New("card is gone")

// chip is a card: it knows the PPSE and applications by name. Answers are FCI and status.
type chip struct {
	d     *desk
	label string
	ppse  []byte
	sw    uint16 // of the PPSE
	files map[string][]byte
	sws   map[string]uint16
	goes  int // after so many commands it is gone; 0 never
	n     int
	raw   []byte // answer to everything, when not nil
}

func (c *chip) Transceive(_ context.Context, capdu []byte) ([]byte, error) {
	c.n++
	if c.goes > 0 && c.n > c.goes {
		c.d.note("gone%s", c.label)
		return nil, errGone
	}
	name := string(capdu[5 : 5+int(capdu[4])])
	if string(capdu[:4]) != "\x00\xA4\x04\x00" || len(capdu) != 6+len(name) {
		c.d.t.Errorf("command %X", capdu)
	}
	if c.raw != nil {
		return c.raw, nil
	}
	fci, sw := c.ppse, c.sw
	if name == ppseName {
		c.d.note("PPSE%s", c.label)
	} else {
		c.d.note("select%s %X", c.label, name)
		var ok bool
		if fci, ok = c.files[fmt.Sprintf("%X", name)]; !ok {
			return []byte{0x6A, 0x82}, nil
		}
		sw = c.sws[fmt.Sprintf("%X", name)]
	}
	if sw == 0 {
		sw = swOK
	}
	return append(append([]byte(nil), fci...), byte(sw>>8), byte(sw)), nil
}

// stub is a kernel that does as told: the last behaviour stays.
type stub struct {
	d    *desk
	id   KernelID
	does []func(*Activation) (Outcome, error)
	n    int
	seen []Activation
}

func (k *stub) ID() KernelID { return k.id }

func (k *stub) Activate(_ context.Context, card Card, a *Activation) (Outcome, error) {
	k.d.note("%v %v", k.id, a.Start)
	if card == nil {
		k.d.t.Error("no card")
	}
	k.seen = append(k.seen, *a)
	f := k.does[min(k.n, len(k.does)-1)]
	k.n++
	return f(a)
}

// desk is a terminal with its antenna, people and kernels, all of which write one list of what happened.
type desk struct {
	t       testing.TB
	cfg     Config
	log     []string
	field   []any // what Activate gives, in turn: *chip or error; then it blocks
	n       int
	kernels map[KernelID]*stub
	shown   []UIRequest
	choose  func([]emv.Candidate) (int, error)
	offered [][]emv.Candidate
	offErr  error
	now     time.Time
	tx      Transaction
	extra   []Kernel
}

func (d *desk) note(format string, args ...any) { d.log = append(d.log, fmt.Sprintf(format, args...)) }

func (d *desk) Activate(ctx context.Context) (Card, error) {
	if d.n == len(d.field) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	d.n++
	switch x := d.field[d.n-1].(type) {
	case *chip:
		x.d = d
		d.note("card%s", x.label)
		return x, nil
	case error:
		if errors.Is(x, context.DeadlineExceeded) { // quiet: nothing in the field
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, x
	}
	return nil, nil
}

func (d *desk) Off(_ context.Context, t time.Duration) error {
	if t > 0 {
		d.note("off %v", t)
	} else {
		d.note("off")
	}
	return d.offErr
}

func (d *desk) WaitRemoved(ctx context.Context) error {
	_, bounded := ctx.Deadline()
	d.note("removed %v", bounded)
	return nil
}

func (d *desk) Show(u UIRequest) {
	d.shown = append(d.shown, u)
	d.note("show %02X/%d", byte(u.Message), u.Status)
}

// asking is a desk whose people can be asked.
type asking struct{ *desk }

func (a asking) Choose(_ context.Context, c []emv.Candidate) (int, error) {
	a.offered = append(a.offered, c)
	a.note("choose %d", len(c))
	return a.choose(c)
}

// record is a data record that money can hang on.
var record = slices.Concat(obj(0x57, "6222021234567890128D30122010000000000F"), obj(tagPSN, "01"), obj(tagAC, "0102030405060708"), obj(tagCID, "80"),
	obj(tagATC, "0102"), obj(tagTVR, "0000008000"), obj(tagCVMResults, "1F0302"))

func says(o Outcome) func(*Activation) (Outcome, error) {
	return func(*Activation) (Outcome, error) { return o, nil }
}

func approved() Outcome {
	return Outcome{Status: Approved, CVM: NoCVM, DataRecord: record, UIOutcome: &UIRequest{Message: MsgApproved, Status: CardRead}}
}

func online() Outcome {
	return Outcome{Status: OnlineRequest, CVM: NoCVM, DataRecord: record, UIOutcome: &UIRequest{Message: MsgAuthorising, Status: Processing}}
}

func testTerminal() emv.Terminal {
	return emv.Terminal{
		Country: 156, Type: 0x22, Capabilities: [3]byte{0xE0, 0x68, 0xC8}, Additional: [5]byte{0x60, 0x00, 0xF0, 0xB0, 0x01},
		IFDSerial: "12345678", TerminalID: "TERM0001", MerchantID: "MERCHANT0000001", MerchantName: "SHOP", Category: "5411", AcquirerID: "48020000",
	}
}

func limit(v int64) *int64 { return &v }

// oneType are limits for purchases alone.
func oneType(l Limits) map[byte]Limits { return map[byte]Limits{0x00: l} }

// newDesk is a terminal with kernels 2, 3 and 7 and an application for each, without limits.
func newDesk(t testing.TB) *desk {
	d := &desk{t: t, kernels: map[KernelID]*stub{}, now: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)}
	d.cfg = Config{Terminal: testTerminal(), Combinations: []Combination{
		{AID: unhex(visa), Name: "Visa", Kernel: 3, TTQ: &[4]byte{0x36, 0xC0, 0x40, 0x00}, Limits: oneType(Limits{})},
		{AID: unhex(master), Name: "Mastercard", Kernel: 2, Limits: oneType(Limits{})},
		{AID: unhex(unionPay), Name: "UnionPay", Kernel: 7, TTQ: &[4]byte{0x36, 0x00, 0x40, 0x80}, Limits: oneType(Limits{})},
	}}
	d.tx = Transaction{Amount: money.Yuan(12345), Time: d.now, Counter: 42, Rand: new(ramp)}
	for _, id := range []KernelID{2, 3, 7} {
		d.kernels[id] = &stub{d: d, id: id, does: []func(*Activation) (Outcome, error){says(approved())}}
	}
	return d
}

// ramp is a source of bytes 01 02 03 ...
type ramp byte

func (r *ramp) Read(p []byte) (int, error) {
	for i := range p {
		*r++
		p[i] = byte(*r)
	}
	return len(p), nil
}

// visaCard has one application.
func visaCard() *chip {
	return &chip{
		ppse:  ppseOf(entry61(visa, obj(tagLabel, []byte("VISA CREDIT")), priority(1))),
		files: map[string][]byte{visa: fciOf(visa, obj(tagLabel, []byte("VISA CREDIT")), obj(tagPDOL, "9F66049F02069F37045F2A02"))},
		sws:   map[string]uint16{},
	}
}

// cardOf is a card with these directory entries, and an application for each name.
func cardOf(entries [][]byte, aids ...string) *chip {
	c := &chip{ppse: ppseOf(entries...), files: map[string][]byte{}, sws: map[string]uint16{}}
	for _, a := range aids {
		c.files[a] = fciOf(a, obj(tagPDOL, "9F66049F3704"))
	}
	return c
}

func (d *desk) entryPoint() *EntryPoint {
	ks := slices.Clone(d.extra)
	for _, id := range []KernelID{2, 3, 7} {
		if d.kernels[id] != nil {
			ks = append(ks, d.kernels[id])
		}
	}
	return New(d.cfg, ks...).With(WithClock(func() time.Time { return d.now }))
}

func (d *desk) run() (Result, error) {
	var ui UI = d
	if d.choose != nil {
		ui = asking{d}
	}
	return d.entryPoint().Run(d.t.Context(), d, d.tx, ui)
}

// expect compares what happened, in order.
func (d *desk) expect(want ...string) {
	d.t.Helper()
	if got := strings.Join(d.log, "; "); got != strings.Join(want, "; ") {
		d.t.Errorf("what happened:\n  %s\nwant:\n  %s", got, strings.Join(want, "; "))
	}
	d.log = nil
}
