package emv

import (
	"bytes"
	"context"
	"slices"

	"posd/emv/tlv"
)

// selectApplication chooses one of the candidates and selects it on the card (Book 1, 12.4). The list shrinks with each failure,
// so this ends.
func (s *Session) selectApplication(ctx context.Context, sel *selection) error {
	for len(sel.list) > 0 {
		i, err := s.choose(ctx, sel)
		if err != nil {
			return err
		}
		c := sel.list[i]
		fci, sw, err := s.selectFile(ctx, c.AID, false)
		if err != nil {
			return err
		}
		f, ok := parseFCI(fci)
		if sw == swOK && ok && bytes.Equal(f.name, c.AID) {
			s.adopt(c, f)
			sel.list = slices.Delete(sel.list, i, i+1)
			return nil
		}
		switch sw {
		case swOK:
			sel.refuse(ErrBadCard, 0)
		case swInvalidated:
			sel.refuse(ErrAppBlocked, sw)
		case swNotSupported:
			sel.refuse(ErrCardBlocked, sw)
		default:
			sel.refuse(ErrNotAccepted, sw)
		}
		sel.list = slices.Delete(sel.list, i, i+1)
	}
	switch {
	case sel.refusal != nil:
		return &Error{Step: StepSelection, Reason: "no application is left", SW: sel.sw, Err: sel.refusal}
	case sel.blocked:
		return &Error{Step: StepSelection, SW: swInvalidated, Err: ErrAppBlocked}
	}
	return &Error{Step: StepSelection, Err: ErrNotAccepted}
}

// choose picks one of the candidates (12.4, steps 2 to 5): the cardholder does, or the terminal where there is nothing to choose, or
// nobody to ask. Once the cardholder has chosen, nothing is taken behind their back.
func (s *Session) choose(ctx context.Context, sel *selection) (int, error) {
	spoken := s.preferLanguage(sel.language)
	needsConfirmation := func(c candidate) bool { return priorityConfirmation.in([]byte{c.Priority}) }
	if s.k.noChoice {
		i := slices.IndexFunc(sel.list, func(c candidate) bool { return !needsConfirmation(c) })
		if i < 0 {
			return 0, &Error{Step: StepSelection, Reason: "the cardholder would have to confirm", Err: ErrNotAccepted}
		}
		return i, nil
	}
	if len(sel.list) == 1 && !sel.asked && !needsConfirmation(sel.list[0]) {
		return 0, nil
	}
	offer := make([]Candidate, len(sel.list))
	for j := range sel.list {
		offer[j] = sel.list[j].Candidate
		spoken = spoken || s.preferLanguage(sel.list[j].language)
	}
	i, err := s.holder.Choose(ctx, offer)
	if err != nil {
		return 0, &Error{Step: StepSelection, Err: err}
	}
	if i < 0 || i >= len(sel.list) {
		return 0, &Error{Step: StepSelection, Reason: "choice out of range", Err: ErrCancelled}
	}
	sel.asked = true
	return i, nil
}

func (sel *selection) refuse(sentinel error, sw uint16) { sel.refusal, sel.sw = sentinel, sw }

// fci is what the terminal takes from the answer to SELECT of an application (Book 1, 11.3.4).
type fci struct {
	name, label, preferred, codeTable, priority, language []byte
	prop                                                  []byte // the contents of A5
}

// parseFCI reads the FCI of an ADF. 84 and A5 are mandatory; false when they are missing, when the coding is broken, or when an
// object that decides something comes twice. Names and languages decide nothing: the first one counts (12.2.4).
func parseFCI(b []byte) (f fci, ok bool) {
	o, err := tlv.One(b)
	if err != nil || o.Tag != tagFCI {
		return f, false
	}
	twice := false
	once := func(to *[]byte, v []byte) {
		twice = twice || *to != nil
		*to = v
	}
	first := func(to *[]byte, v []byte) {
		if *to == nil {
			*to = v
		}
	}
	d := tlv.NewDecoder(o.Value)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		switch o.Tag {
		case tagDFName:
			once(&f.name, o.Value)
		case tagFCIProp:
			once(&f.prop, o.Value)
		}
	}
	if d.Err() != nil || f.prop == nil || len(f.name) < 5 || len(f.name) > 16 {
		return f, false
	}
	var pdol []byte
	d = tlv.NewDecoder(f.prop)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		switch o.Tag {
		case tagLabel:
			first(&f.label, o.Value)
		case tagPreferredName:
			first(&f.preferred, o.Value)
		case tagCodeTable:
			first(&f.codeTable, o.Value)
		case tagLanguage:
			first(&f.language, o.Value)
		case tagPriority:
			once(&f.priority, o.Value)
		case tagPDOL:
			once(&pdol, o.Value)
		}
	}
	return f, d.Err() == nil && !twice
}

// adopt makes a selected application the one of the session and takes its data objects. From here on 9F06 is the name on the card
// (12.4).
func (s *Session) adopt(c candidate, f fci) {
	s.reset(c.app)
	s.term.Set(tagAID, f.name)
	s.label = s.newCandidate(c.app, f.name, f.label, f.preferred, f.codeTable, f.priority).Label
	if len(f.label) == 0 && len(f.preferred) == 0 {
		s.label = c.Label // the directory had a name for it
	}
	s.preferLanguage(f.language)
	s.rid = f.name[:5]
	s.icc.Add(tagDFName, f.name)
	d := tlv.NewDecoder(f.prop)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if placeOf(o.Tag) == inFCI && len(o.Value) > 0 { // Book 3, 5.2
			s.icc.Add(o.Tag, o.Value)
		}
	}
}
