package emv

import (
	"context"
	"fmt"
	"io"

	"posd/emv/oda"
	"posd/emv/tlv"
)

// Kernel runs contact transactions with one set of parameters. It keeps nothing from one transaction to the next and may be used
// by one goroutine at a time for each Session.
type Kernel struct {
	cfg        Config
	err        error // the parameters cannot be used
	maxRecords int
	pending    func(pan string) int64
	exception  func(Exception) bool
	noChoice   bool
}

// Option changes a Kernel at New.
type Option func(*Kernel)

// WithRecordLimit bounds the records that a card may have read in one transaction, 128 otherwise.
func WithRecordLimit(n int) Option { return func(k *Kernel) { k.maxRecords = n } }

// WithPending gives the kernel the terminal's transaction log for the floor limit check (Book 3, 10.6.1): what a card has had
// approved and is not yet with the acquirer, in minor units of the terminal's currency.
func WithPending(f func(pan string) int64) Option { return func(k *Kernel) { k.pending = f } }

// WithoutChoice is for a terminal that can neither offer applications nor have one confirmed (Book 1, 12.4, step 5): the kernel takes
// the one with the highest priority that needs no confirmation. Cardholder.Choose is never called.
func WithoutChoice() Option { return func(k *Kernel) { k.noChoice = true } }

// New returns a Kernel. Parameters that do not pass Config.Check make every Start fail with that error.
func New(cfg Config, opts ...Option) *Kernel {
	k := &Kernel{cfg: cfg, err: cfg.Check(), maxRecords: maxRecords, noChoice: cfg.Terminal.NoSelection}
	for _, o := range opts {
		o(k)
	}
	return k
}

// Session is one transaction with one card. It is made by Kernel.Start and implements Data. It is used by one goroutine.
type Session struct {
	k      *Kernel
	card   Card
	holder Cardholder
	req    Request
	today  date

	app   *Application
	label string
	rid   []byte

	languages []string // what the cardholder was last told of 5F2D

	icc  tlv.Store // what the card gave
	term tlv.Store // what the terminal knows; it hides objects of the card

	tvr [5]byte // aliased by 95 in term, as are the next two by 9B and 9F34
	tsi [2]byte
	cvm [3]byte
	aip [2]byte

	panField          []byte
	pan, psn, track2  string
	expiry, effective date
	cdol1, cdol2      tlv.DOL
	tdol              tlv.DOL
	pdolData          []byte
	cdol1Data         []byte

	signed       []byte // input of offline data authentication
	signedBroken bool
	oda          odaMethod
	cdaFailed    bool
	xda          xdaState
	hostReached  bool // the issuer has answered; it matters to CDA
	iccKey       oda.PublicKey

	onlinePIN, pinBypassed bool
	pinUsedUp              bool // the card has answered VERIFY with 63C0
	signature              bool
	scriptResults          []byte
	outcome                Outcome
	plain                  *Kernel // without what the application changes of the terminal
	ending                 ending
	cmd                    [maxCommandData + commandOverhead]byte
}

var _ Data = (*Session)(nil)

// Start runs a transaction from application selection to the first GENERATE AC (Book 3, 8.2) and returns the session with its
// outcome: Approved or Declined offline, or Online. An error, an *Error unless the parameters or the request were unusable, means
// that there is no outcome: the transaction is over and nothing was approved.
func (k *Kernel) Start(ctx context.Context, card Card, req Request, holder Cardholder) (*Session, error) {
	s, err := k.newSession(card, req, holder)
	if err != nil {
		return nil, err
	}
	sel, err := s.buildCandidates(ctx)
	if err != nil {
		return nil, err
	}
	for {
		if err := s.selectApplication(ctx, sel); err != nil {
			return nil, err
		}
		again, err := s.initiate(ctx)
		if err != nil {
			return nil, err
		}
		if !again {
			break
		}
		sel.refuse(ErrConditionsFail, swConditions)
	}
	if err := s.readRecords(ctx); err != nil {
		return nil, err
	}
	if done, err := s.shortFlow(ctx); done || err != nil {
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	if err := s.authenticate(ctx); err != nil {
		return nil, err
	}
	s.restrict()
	s.limitPINs()
	if err := s.verifyCardholder(ctx); err != nil {
		return nil, err
	}
	if err := s.manageRisk(ctx); err != nil {
		return nil, err
	}
	if err := s.firstAC(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// newSession checks the request and puts the terminal's data objects in place.
func (k *Kernel) newSession(card Card, req Request, holder Cardholder) (*Session, error) {
	if k.err != nil {
		return nil, k.err
	}
	s := &Session{k: k, card: card, holder: holder, req: req}
	fail := func(why string) (*Session, error) { return nil, fmt.Errorf("%w: %s", ErrRequest, why) }
	if card == nil || holder == nil || req.Rand == nil {
		return fail("no card, cardholder or source of random numbers")
	}
	if req.Other < 0 || req.Other > req.Amount.Minor {
		return fail("the other amount is negative, or more than the amount")
	}
	if req.Type>>4 > 9 || req.Type&0x0F > 9 {
		return fail("the transaction type is not two digits")
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	t := req.Time
	if y := t.Year(); y < 1950 || y > 2049 {
		return fail("the date does not fit two digits of year") // Book 4, 6.7.3
	}
	s.today = date(t.Year()*10000 + int(t.Month())*100 + t.Day())

	b := make([]byte, 0, 64) // one allocation for the short objects: their slices stay valid as long as it does not grow
	number := func(tag tlv.Tag, v int64, n int) bool {
		start := len(b)
		var ok bool
		b, ok = tlv.AppendNumber(b, v, n)
		s.term.Set(tag, b[start:len(b):len(b)])
		return ok
	}
	if !number(tagAmount, req.Amount.Minor, 6) || !number(tagOther, req.Other, 6) {
		return fail("the amount does not fit twelve digits")
	}
	if !number(tagCurrency, int64(req.Amount.Currency), 2) {
		return fail("the currency is not an ISO 4217 number")
	}
	number(tagExponent, int64(req.Amount.Currency.Exponent()), 1)
	number(tagDate, int64(t.Year()%100)*10000+int64(t.Month())*100+int64(t.Day()), 3)
	number(tagTime, int64(t.Hour())*10000+int64(t.Minute())*100+int64(t.Second()), 3)
	if !number(tagCounter, int64(req.Counter), 4) {
		return fail("the sequence counter has more than eight digits")
	}
	number(tagCountry, int64(k.cfg.Terminal.Country), 2)
	s.term.Set(tagType, []byte{req.Type})
	if req.Amount.Minor <= 0xFFFFFFFF {
		s.term.Set(tagAmountBinary, binary4(req.Amount.Minor))
		s.term.Set(tagOtherBinary, binary4(req.Other))
	}
	un := make([]byte, 4)
	if _, err := io.ReadFull(req.Rand, un); err != nil {
		return nil, fmt.Errorf("%w: no unpredictable number: %w", ErrRequest, err)
	}
	s.term.Set(tagUN, un)

	c := &k.cfg.Terminal
	s.term.Set(tagCapabilities, c.Capabilities[:])
	s.term.Set(tagAdditional, c.Additional[:])
	s.term.Set(tagTerminalType, []byte{c.Type})
	s.term.Set(tagEntryMode, []byte{0x05}) // integrated circuit card, contacts
	for _, o := range []struct {
		tag   tlv.Tag
		value string
	}{
		{tagIFDSerial, c.IFDSerial},
		{tagTerminalID, c.TerminalID},
		{tagMerchantID, c.MerchantID},
		{tagMerchantName, c.MerchantName},
	} {
		if o.value != "" {
			s.term.Set(o.tag, []byte(o.value))
		}
	}
	if c.Category != "" {
		s.term.Set(tagCategory, packDigits(c.Category, 2))
	}
	if c.AcquirerID != "" {
		s.term.Set(tagAcquirerID, packDigits(c.AcquirerID, 6))
	}
	s.term.Set(tagTVR, s.tvr[:])
	s.term.Set(tagTSI, s.tsi[:])
	s.term.Set(tagCVMResults, s.cvm[:])
	return s, nil
}

// reset forgets what another application of the card has left, and sets the terminal's objects that depend on the application.
func (s *Session) reset(app *Application) {
	s.icc.Reset()
	s.app = app
	s.useApplication(app)
	s.term.Set(tagAID, app.AID)
	s.term.Set(tagVersion, app.Version[:])
	s.term.Set(tagFloorLimit, binary4(app.FloorLimit))
}

// ofTerminal tells which objects only the terminal or the issuer's answer may give, whatever a card puts into its records. An
// object that the terminal does not have is then absent.
func ofTerminal(t tlv.Tag) bool {
	switch t {
	case tagAmountBinary, tagAmount, tagOther, tagOtherBinary, tagScriptCommand, 0x89, tagARC, tagIssuerAuth, tagTVR, tagTCHash,
		tagDate, tagTSI, tagType, 0x99, tagCurrency, tagExponent, 0x5F57, tagAcquirerID, tagAID, tagVersion, tagCategory, tagMerchantID,
		tagScriptID, tagCountry, tagFloorLimit, tagTerminalID, 0x9F1D, tagIFDSerial, tagTime, tagCAIndexTerm, 0x9F30, tagCapabilities,
		tagCVMResults, tagTerminalType, tagUN, tagEntryMode, 0x9F3A, 0x9F3C, 0x9F3D, tagAdditional, tagCounter, tagMerchantName, 0x9F5B,
		tagScriptResults:
		return true
	}
	return false
}

func binary4(v int64) []byte { return []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)} }

// packDigits packs decimal digits, checked before, right-justified into n bytes.
func packDigits(digits string, n int) []byte {
	out := make([]byte, n)
	for i := range len(digits) {
		d := digits[len(digits)-1-i] - '0'
		out[n-1-i/2] |= d << (4 * (i % 2))
	}
	return out
}

// Outcome is the outcome so far: that of Start, then that of Complete.
func (s *Session) Outcome() Outcome { return s.outcome }

// Get returns a data object of the transaction: the terminal's, else the card's. The slice must not be changed.
func (s *Session) Get(tag tlv.Tag) ([]byte, bool) {
	if v, ok := s.term.Get(tag); ok {
		return v, true
	}
	return s.icc.Get(tag)
}

// ICC encodes the named data objects in the given order, as field 55 wants them. Those that do not exist are left out.
func (s *Session) ICC(tags []tlv.Tag) []byte {
	out := make([]byte, 0, 256)
	for _, t := range tags {
		if v, ok := s.Get(t); ok {
			out = tlv.Append(out, t, v)
		}
	}
	return out
}

// Result is a copy of what the acquirer, the receipt and the journal want to know.
func (s *Session) Result() Result {
	get := func(t tlv.Tag) []byte {
		v, _ := s.icc.Get(t)
		return append([]byte(nil), v...)
	}
	r := Result{
		AID:            get(tagDFName),
		Label:          s.label,
		PAN:            s.pan,
		PSN:            s.psn,
		Track2:         s.track2,
		Cryptogram:     get(tagAC),
		TVR:            s.tvr,
		TSI:            s.tsi,
		CVMResults:     s.cvm,
		OnlinePIN:      s.onlinePIN,
		Signature:      s.signature,
		ScriptResults:  append([]byte(nil), s.scriptResults...),
		IssuerAuthFail: tvrIssuerAuthFailed.in(s.tvr[:]),
	}
	s.ending.report(&r, s.outcome)
	r.Expiry = s.yymm()
	if cid := get(tagCID); len(cid) == 1 {
		r.CID = cid[0]
	}
	if atc := get(tagATC); len(atc) == 2 {
		r.ATC = uint16(atc[0])<<8 | uint16(atc[1])
	}
	return r
}
