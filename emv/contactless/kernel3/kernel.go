package kernel3

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"posd/emv/contactless"
	"posd/emv/tlv"
	"posd/internal/money"
)

// Config is what the acquirer or the merchant may choose (Book C-3, 3.1, "implementation and acquirer-merchant options").
type Config struct {
	CashCheck     bool       // 5.5.1.3: does the card allow cash here
	CashbackCheck bool       // 5.5.1.4: does it allow cashback here
	ATMCheck      bool       // 5.5.1.5: may it be used at a contactless ATM
	SDA           bool       // 5.6: static data authentication is enough for an approval offline
	Balance       bool       // 4.3.1.1: show the available offline spending amount 9F5D
	Limits        []LimitSet // 5.1.2: dynamic reader limits
}

// Kernel is Kernel 3. It may be used by one transaction after another.
type Kernel struct{ cfg Config }

// New returns a Kernel.
func New(cfg Config) *Kernel { return &Kernel{cfg: cfg} }

// ID is 3.
func (*Kernel) ID() contactless.KernelID { return 3 }

// ErrConfig is wrapped by the errors about reader data that the kernel cannot work with.
var ErrConfig = errors.New("kernel 3: bad reader data")

var _ contactless.Kernel = (*Kernel)(nil)

// bounds on what a card may send.
const (
	maxRecords  = 64  // records read in one transaction; cards have fewer than ten
	maxObjects  = 256 // data objects
	maxResponse = 256 + 2
	maxCommand  = 255 // data of a command
)

// tap is one activation.
type tap struct {
	cfg  *Config
	a    *contactless.Activation
	card contactless.Card
	ttq  [4]byte

	term tlv.Store // the terminal's objects; they hide the card's
	icc  tlv.Store // the card's

	signed       []byte // records for static data authentication
	signedBroken bool
	cid          byte // cryptogram type, bits 8 and 7 of 9F27
	decline      bool // Decline Required by Reader Indicator
	online       bool // Online Required by Reader Indicator
	languages    []string
	buf          [4 + 1 + maxCommand + 1]byte
}

// Activate runs the kernel with a card that has been selected (Book C-3, chapter 5), or carries the issuer's answer to it (chapter 6).
func (k *Kernel) Activate(ctx context.Context, card contactless.Card, a *contactless.Activation) (contactless.Outcome, error) {
	t := &tap{cfg: &k.cfg, a: a, card: card}
	if err := t.prepare(); err != nil {
		return contactless.Outcome{}, err
	}
	if a.Host != nil {
		return t.update(ctx)
	}
	out, err := t.run(ctx)
	if err != nil {
		return contactless.Outcome{}, err
	}
	return out, nil
}

// run is a new transaction. A step that ends it returns an outcome.
func (t *tap) run(ctx context.Context) (contactless.Outcome, error) {
	if !t.takeFCI() {
		return t.endApplication(), nil
	}
	if out := t.dynamicLimits(); out != nil {
		return *out, nil
	}
	if out, err := t.processingOptions(ctx); out != nil || err != nil {
		return deref(out), err
	}
	if out, err := t.readRecords(ctx); out != nil || err != nil {
		return deref(out), err
	}
	t.a.UI(t.ui(contactless.MsgCardReadOK, contactless.CardRead)) // 5.4.1: the card may leave
	if !t.complete() {
		return t.endApplication(), nil
	}
	t.disposition()
	for _, step := range []func() *contactless.Outcome{t.restrict, t.authenticate} {
		if out := step(); out != nil {
			return *out, nil
		}
	}
	cvm := t.verify()
	if t.online && t.ttq[0]&ttqOfflineOnly != 0 {
		t.decline = true
	}
	switch {
	case t.decline:
		return t.declined(), nil
	case t.online:
		return t.onlineRequest(cvm), nil
	}
	return t.approved(cvm), nil
}

func deref(o *contactless.Outcome) contactless.Outcome {
	if o == nil {
		return contactless.Outcome{}
	}
	return *o
}

// prepare puts the terminal's data objects in place. Of the combination's own data it takes those whose source is the terminal; they go before what
// the terminal says of itself (9F33, 9F35, 9F40 ...), not before the transaction.
func (t *tap) prepare() error {
	a := t.a
	bad := func(why string) error { return fmt.Errorf("%w: %s", ErrConfig, why) }
	switch {
	case t.card == nil || a == nil || a.Combination == nil || a.UI == nil:
		return bad("no card, combination or user interface")
	case !a.Indicators.HasTTQ:
		return bad("no TTQ")
	case a.Indicators.TTQ[0]&ttqEMV == 0 || a.Indicators.TTQ[0]&ttqMSD != 0:
		return bad("the TTQ must have EMV mode and no magnetic stripe mode")
	}
	t.ttq = a.Indicators.TTQ
	tr, c := &a.Transaction, &a.Terminal
	for tag, v := range a.Combination.Data {
		if tag := tlv.Tag(tag); ofTerminal(tag) && tag != tagTTQ {
			t.term.Set(tag, v)
		}
	}
	b := make([]byte, 0, 64) // does not grow: the objects are slices of it
	ok := true
	number := func(tag tlv.Tag, v int64, n int) {
		start := len(b)
		var fits bool
		b, fits = tlv.AppendNumber(b, v, n)
		ok = ok && fits
		t.term.Set(tag, b[start:len(b):len(b)])
	}
	at := tr.Time
	number(tagAmount, tr.Amount.Minor, 6)
	number(tagOther, tr.Other, 6)
	number(tagCurrency, int64(tr.Amount.Currency), 2)
	number(tagExponent, int64(tr.Amount.Currency.Exponent()), 1)
	number(tagDate, int64(at.Year()%100)*10000+int64(at.Month())*100+int64(at.Day()), 3)
	number(tagTime, int64(at.Hour())*10000+int64(at.Minute())*100+int64(at.Second()), 3)
	number(tagCountry, int64(c.Country), 2)
	number(tagCounter, int64(tr.Counter), 4)
	if !ok || tr.Other > tr.Amount.Minor || tr.Type>>4 > 9 || tr.Type&0x0F > 9 {
		return bad("an amount, the currency, the country or the type does not fit its data object")
	}
	t.term.Set(tagType, []byte{tr.Type})
	t.term.Set(tagUN, a.UN[:])
	t.term.Set(tagTTQ, t.ttq[:])
	t.term.Set(tagAID, a.ADF)
	t.term.Set(tagTVR, make([]byte, 5)) // annex A.2: zeros, Kernel 3 has no TVR
	t.term.Set(tagEntryMode, []byte{0x07})
	t.term.Set(tagVersion, a.Combination.App.Version[:])
	t.term.Add(tagCapabilities, c.Capabilities[:])
	t.term.Add(tagAdditional, c.Additional[:])
	t.term.Add(tagTerminalType, []byte{c.Type})
	for _, o := range []struct {
		tag    tlv.Tag
		digits string
		n      int
	}{{tagCategory, c.Category, 2}, {tagAcquirerID, c.AcquirerID, 6}} {
		if v, err := strconv.ParseInt(o.digits, 10, 64); err == nil {
			if p, ok := tlv.AppendNumber(nil, v, o.n); ok {
				t.term.Add(o.tag, p)
			}
		}
	}
	for _, o := range []struct {
		tag   tlv.Tag
		value string
	}{{tagIFDSerial, c.IFDSerial}, {tagTerminalID, c.TerminalID}, {tagMerchantID, c.MerchantID}, {tagMerchantName, c.MerchantName}} {
		if o.value != "" {
			t.term.Add(o.tag, []byte(o.value))
		}
	}
	return nil
}

// get is a data object for the PDOL.
func (t *tap) get(tag tlv.Tag) ([]byte, bool) {
	if v, ok := t.term.Get(tag); ok {
		return v, true
	}
	if ofTerminal(tag) {
		return nil, false
	}
	return t.icc.Get(tag)
}

// of is a data object of the card, nil when it is not there or empty.
func (t *tap) of(tag tlv.Tag) []byte {
	v, _ := t.icc.Get(tag)
	if len(v) == 0 {
		return nil
	}
	return v
}

// ctq is the card's 9F6C; have tells whether there is one.
func (t *tap) ctq() (q [2]byte, have bool) {
	v := t.of(tagCTQ)
	if v == nil {
		return q, false
	}
	return [2]byte(v), true
}

func (t *tap) refund() bool { return t.a.Transaction.Type == typeRefund }
func (t *tap) cashback() bool {
	return t.a.Transaction.Type == typeCashback || t.a.Transaction.Other > 0
}

func (t *tap) cash() bool {
	return t.a.Transaction.Type == typeCash || t.a.Transaction.Type == typeDisbursement
}

// exchange sends a command. lost is true when the card is gone; err is for a context that has ended.
func (t *tap) exchange(ctx context.Context, command []byte) (data []byte, sw uint16, lost bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, false, err
	}
	r, err := t.card.Transceive(ctx, command)
	if err != nil {
		if ended := ctx.Err(); ended != nil {
			return nil, 0, false, ended
		}
		return nil, 0, true, nil
	}
	if len(r) < 2 || len(r) > maxResponse {
		return nil, 0, true, nil // no answer of ISO/IEC 7816-4: the protocol is broken
	}
	n := len(r) - 2
	return append(make([]byte, 0, n), r[:n]...), uint16(r[n])<<8 | uint16(r[n+1]), false, nil
}

// balance is 9F5D as an amount, nil when it is not there, not to be shown or not a number.
func (t *tap) balance() *money.Amount {
	v := t.of(tagBalance)
	if v == nil || !t.cfg.Balance {
		return nil
	}
	n, err := tlv.Number(v)
	if err != nil {
		return nil
	}
	return &money.Amount{Minor: n, Currency: t.a.Transaction.Amount.Currency}
}
