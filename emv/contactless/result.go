package contactless

import (
	"bytes"
	"context"
	"fmt"

	"posd/emv"
	"posd/emv/tlv"
)

// Data objects of a card that a result is made of (Book 3, Annex A; 9F6B: Book C-2).
const (
	tagTrack2     tlv.Tag = 0x57
	tagPAN        tlv.Tag = 0x5A
	tagTVR        tlv.Tag = 0x95
	tagTSI        tlv.Tag = 0x9B
	tagExpiry     tlv.Tag = 0x5F24
	tagPSN        tlv.Tag = 0x5F34
	tagAC         tlv.Tag = 0x9F26
	tagCID        tlv.Tag = 0x9F27
	tagCVMResults tlv.Tag = 0x9F34
	tagATC        tlv.Tag = 0x9F36
	tagEntryMode  tlv.Tag = 0x9F39
	tagTrack2Mag  tlv.Tag = 0x9F6B
	tagCVC3       tlv.Tag = 0x9F61
	tagScripts    tlv.Tag = 0x9F5B
	tagScriptsUPI tlv.Tag = 0xDF31
)

// Result is the end of Run, or of Resume. It implements emv.Data. It holds secrets (PAN, track 2): it is never logged.
type Result struct {
	// Status is what the flow acts on. After Run it is the kernel's or the Entry Point's final outcome: Approved, Declined, OnlineRequest,
	// EndApplication or TryAnotherInterface. After Resume it is Approved or Declined.
	Status Status
	// Outcome has the parameters of the final outcome of Run: the CVM above all. With OnlinePIN the flow has a PIN entered before it goes online.
	Outcome Outcome
	// Update is the outcome of the card's second appearance, nil when there was none; UpdateErr says why there was none where the outcome had
	// asked for it: a card that does not come back is context.DeadlineExceeded.
	Update    *Outcome
	UpdateErr error
	// Show is the message that belongs to Approved or Declined. It has not been shown: first the outcome goes to the disk.
	Show *UIRequest
	// Exhausted: the card or the kernel wanted to start again too often, or the card's answers did not come.
	Exhausted bool

	Combination *Combination // nil when no application was selected
	Kernel      KernelID
	AID         []byte // as selected: the ADF name, with the extended selection where there was one
	Label       string
	MagStripe   bool // the card was read in mag-stripe mode: there is no cryptogram, track 2 has the CVC3
	// Card is what a contact transaction has too. OnlinePIN in it is false: the flow knows whether one was entered. The TSI is zero where the
	// kernel has none.
	Card emv.Result

	s    *session
	term *tlv.Store
	rec  tlv.Store
}

var _ emv.Data = Result{}

// result makes the Result of where the session stands.
func (s *session) result() (Result, error) {
	r := Result{Status: s.outcome.Status, Outcome: s.outcome, Exhausted: s.exhausted, s: s}
	if s.current != nil {
		c := s.current.reader
		r.Combination, r.Kernel = c.Combination, c.Kernel
		r.AID = append([]byte(nil), s.name...)
		r.term = terminalObjects(&s.tx, c.Combination, &c.ind, s.un, r.AID, &s.ep.cfg.Terminal)
		s.addFCI(r.term)
		r.Label = s.label(r)
	}
	if err := r.takeRecord(r.Outcome.DataRecord, 0); err != nil {
		return Result{}, fmt.Errorf("%w: data record: %w", ErrKernel, err)
	}
	if err := r.describe(); err != nil {
		return Result{}, err
	}
	if r.Status == OnlineRequest {
		s.online, s.first, s.asked = true, s.outcome, s.ep.now()
	}
	r.show(s.show)
	return r, nil
}

// show sets the message that belongs to the status: the kernel's, or one of the Entry Point's where the kernel has none that fits.
func (r *Result) show(u *UIRequest) {
	switch {
	case r.Status != Approved && r.Status != Declined:
		r.Show = nil
		return
	case u != nil && u.Message.approves() == (r.Status == Approved):
		r.Show = u
		return
	}
	m := MsgDeclined
	if r.Status == Approved {
		if m = MsgApproved; r.Outcome.CVM == Signature {
			m = MsgApprovedSign
		}
	}
	r.Show = &UIRequest{Message: m, Status: StatusNone}
}

// addFCI adds what the answer to SELECT has that a receipt and field 55 want.
func (s *session) addFCI(to *tlv.Store) {
	prop, _ := tlv.Find(s.fci, tagFCI, tagFCIProp)
	for _, t := range []tlv.Tag{tagLabel, tagPreferredName, tagCodeTable, tagPriority} {
		if v, ok := tlv.Find(prop, t); ok {
			to.Set(t, v)
		}
	}
	if v, ok := tlv.Find(s.fci, tagFCI, tagDFName); ok {
		to.Set(tagDFName, v)
	} else {
		to.Set(tagDFName, append([]byte(nil), s.name...))
	}
}

func (s *session) label(r Result) string {
	label, _ := r.term.Get(tagLabel)
	preferred, _ := r.term.Get(tagPreferredName)
	table, _ := r.term.Get(tagCodeTable)
	return labelOf(label, preferred, table, r.Combination, s.ep.cfg.Terminal)
}

// templateFF is the template FF8105 that kernel 2 calls its data record. Its first byte is padding to the coding of the contact books, so that
// the decoder cannot see it.
var templateFF = []byte{0xFF, 0x81, 0x05}

// takeRecord reads the kernel's data record: objects, or templates with objects in them.
func (r *Result) takeRecord(b []byte, depth int) error {
	if rest, ok := bytes.CutPrefix(b, templateFF); ok && depth == 0 {
		o, err := tlv.One(append([]byte{0x70}, rest...))
		if err != nil {
			return err
		}
		b = o.Value
	}
	d := tlv.NewDecoder(b)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		r.rec.Add(o.Tag, o.Value)
		if o.Tag.Constructed() && depth < 2 {
			if err := r.takeRecord(o.Value, depth+1); err != nil {
				return err
			}
		}
	}
	return d.Err()
}

// Get returns a data object of the transaction: the kernel's, then its record's, then the terminal's. The card's second appearance adds script
// results and nothing else: what the issuer has authorised stays as it was. The slice must not be changed.
func (r Result) Get(tag tlv.Tag) ([]byte, bool) {
	if o := r.Outcome.Objects; o != nil {
		if v, ok := o.Get(tag); ok {
			return v, true
		}
	}
	if v, ok := r.rec.Get(tag); ok {
		return v, true
	}
	if r.term != nil {
		if v, ok := r.term.Get(tag); ok {
			return v, true
		}
	}
	if u := r.Update; u != nil && u.Objects != nil && (tag == tagScripts || tag == tagScriptsUPI) {
		return u.Objects.Get(tag)
	}
	return nil, false
}

// ICC encodes the named data objects in the given order, as field 55 wants them. Those that do not exist, and objects too long for any message,
// are left out.
func (r Result) ICC(tags []tlv.Tag) []byte {
	out := make([]byte, 0, 256)
	for _, t := range tags {
		if v, ok := r.Get(t); ok && len(v) <= 0xFF {
			out = tlv.Append(out, t, v)
		}
	}
	return out
}

// Decision is the outcome in the words of a contact transaction; false for one that has none: nothing was decided.
func (r Result) Decision() (emv.Outcome, bool) {
	switch r.Status {
	case Approved:
		return emv.Approved, true
	case Declined:
		return emv.Declined, true
	case OnlineRequest:
		return emv.Online, true
	}
	return 0, false
}

// Resume takes the issuer's answer, or that there was none, after an online request. Where the outcome asks for the card again (issuer update,
// Start B or D) people are asked for it, and it is waited for as long as the configuration says. The result is Approved or Declined: the
// issuer's no stands, his yes stands unless the card then declines. A card that does not come back is no error.
// After an online request the flow calls it in any case, with an answer that was not reached where nothing was sent: it ends the use of the
// field. It can be called once; before, or without an online request, the error is ErrNotOnline.
func (r Result) Resume(ctx context.Context, a emv.HostAnswer) (Result, error) {
	s := r.s
	if s == nil || !s.online || s.decided {
		return r, ErrNotOnline
	}
	s.resume(ctx, a)
	// All that the issuer has authorised stays as it was.
	r.Status, r.Update, r.UpdateErr, r.Exhausted = s.status(), s.second, s.lost, s.exhausted
	r.show(s.show)
	r.Card.ScriptResults = nil
	r.takeScripts()
	r.Card.UnableOnline = !a.Reached
	r.Card.ApprovalLost = s.yes && r.Status != Approved
	return r, nil
}

// describe fills Card from the data objects.
func (r *Result) describe() error {
	c := &r.Card
	c.AID, c.Label = r.AID, r.Label
	if v, ok := r.Get(tagDFName); ok && r.Combination != nil {
		c.AID = append([]byte(nil), v...)
	}
	var err error
	if c.Track2, err = r.track2(); err != nil {
		return err
	}
	if v, ok := r.Get(tagPAN); ok {
		if c.PAN, err = tlv.Compressed(v); err != nil {
			return fmt.Errorf("%w: PAN: %w", ErrKernel, err)
		}
	}
	pan, expiry := splitTrack2(c.Track2)
	switch {
	case c.PAN == "":
		c.PAN = pan
	case pan != "" && pan != c.PAN:
		return fmt.Errorf("%w: two card numbers", ErrKernel)
	}
	c.Expiry = expiry
	if v, ok := r.Get(tagExpiry); ok && len(v) == 3 {
		if d, err := tlv.Digits(v); err == nil {
			c.Expiry = d[:4]
		}
	}
	if v, ok := r.Get(tagPSN); ok && len(v) == 1 {
		if d, err := tlv.Digits(v); err == nil {
			c.PSN = d
		}
	}
	if v, ok := r.Get(tagAC); ok {
		c.Cryptogram = append([]byte(nil), v...)
	}
	if v, ok := r.Get(tagCID); ok && len(v) == 1 {
		c.CID = v[0]
	}
	if v, ok := r.Get(tagATC); ok && len(v) == 2 {
		c.ATC = uint16(v[0])<<8 | uint16(v[1])
	}
	copyExact(c.TVR[:], r, tagTVR)
	copyExact(c.TSI[:], r, tagTSI)
	copyExact(c.CVMResults[:], r, tagCVMResults)
	c.Signature = r.Outcome.CVM == Signature
	r.takeScripts()
	if v, ok := r.Get(tagEntryMode); ok && len(v) == 1 && v[0] == entryMagStripe {
		r.MagStripe = true
	}
	if _, ok := r.Get(tagCVC3); ok && len(c.Cryptogram) == 0 {
		r.MagStripe = true
	}
	return r.complete()
}

func (r *Result) takeScripts() {
	for _, t := range []tlv.Tag{tagScriptsUPI, tagScripts} {
		if v, ok := r.Get(t); ok && len(r.Card.ScriptResults) == 0 {
			r.Card.ScriptResults = append([]byte(nil), v...)
		}
	}
}

// complete tells whether a result that money hangs on has what the acquirer needs.
func (r *Result) complete() error {
	c := &r.Card
	switch {
	case r.Status != Approved && r.Status != OnlineRequest:
	case c.PAN == "":
		return fmt.Errorf("%w: %v without a card number", ErrKernel, r.Status)
	case len(c.Cryptogram) != 8 && (r.Outcome.Status == Approved || !r.MagStripe):
		return fmt.Errorf("%w: %v without a cryptogram", ErrKernel, r.Status)
	}
	return nil
}

func copyExact(to []byte, r *Result, t tlv.Tag) {
	if v, ok := r.Get(t); ok && len(v) == len(to) {
		copy(to, v)
	}
}

// track2 reads 57, or 9F6B of mag-stripe mode: digits with D between number and expiry, padded with F.
func (r *Result) track2() (string, error) {
	v, ok := r.Get(tagTrack2)
	if !ok || len(v) == 0 {
		if v, ok = r.Get(tagTrack2Mag); !ok {
			return "", nil
		}
	}
	out := make([]byte, 0, 2*len(v))
	separators, ended := 0, false
	for i := range 2 * len(v) {
		d := v[i/2] >> 4
		if i%2 == 1 {
			d = v[i/2] & 0x0F
		}
		switch {
		case d == 0xF:
			ended = true
		case ended, d > 9 && d != 0xD:
			return "", fmt.Errorf("%w: track 2 is not digits at offset %d", ErrKernel, i/2)
		case d == 0xD:
			separators++
			out = append(out, 'D')
		default:
			out = append(out, '0'+d)
		}
	}
	if separators > 1 {
		return "", fmt.Errorf("%w: track 2 has %d separators", ErrKernel, separators)
	}
	return string(out), nil
}

// splitTrack2 returns number and expiry YYMM.
func splitTrack2(t string) (pan, expiry string) {
	for i := range len(t) {
		if t[i] == 'D' {
			if len(t) >= i+5 {
				expiry = t[i+1 : i+5]
			}
			return t[:i], expiry
		}
	}
	return "", ""
}
