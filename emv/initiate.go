package emv

import (
	"context"

	"posd/emv/tlv"
)

// maxTemplate is how much data fits behind tag and length of command template 83.
const maxTemplate = maxCommandData - 3

// initiate sends GET PROCESSING OPTIONS and takes AIP and AFL (Book 3, 10.1). again is true when the card refuses this
// application for this transaction (6985): the next candidate is tried.
func (s *Session) initiate(ctx context.Context) (again bool, err error) {
	var pdol tlv.DOL
	if b, ok := s.icc.Get(tagPDOL); ok {
		if pdol, err = tlv.ParseDOL(b); err != nil {
			return false, badData(StepInitiate, "PDOL", err)
		}
	}
	s.pdolData, err = pdol.Append(s.pdolData[:0], maxTemplate, s.Get)
	if err != nil {
		return false, badData(StepInitiate, "PDOL", err)
	}
	body := tlv.Append(make([]byte, 0, len(s.pdolData)+3), 0x83, s.pdolData)
	r, sw, err := s.exchange(ctx, StepInitiate, s.command(0x80, 0xA8, 0x00, 0x00, body, true))
	if err != nil {
		return false, err
	}
	switch sw {
	case swOK:
	case swConditions:
		return true, nil
	default:
		return false, &Error{Step: StepInitiate, SW: sw, Err: ErrBadCard}
	}
	o, err := tlv.One(r)
	if err != nil {
		return false, badData(StepInitiate, "answer", err)
	}
	switch o.Tag {
	case tagFormat1: // AIP and AFL without tags
		if len(o.Value) < 6 {
			return false, badCard(StepInitiate, "format 1 of %d bytes", len(o.Value))
		}
		s.icc.Set(tagAIP, o.Value[:2])
		s.icc.Set(tagAFL, o.Value[2:])
	case tagFormat2:
		if err := s.take(StepInitiate, o.Value); err != nil {
			return false, err
		}
	default:
		return false, badCard(StepInitiate, "answer in template %s", o.Tag)
	}
	aip, _ := s.icc.Get(tagAIP)
	if len(aip) != 2 {
		return false, badCard(StepInitiate, "AIP of %d bytes", len(aip))
	}
	s.aip = [2]byte(aip)
	if !s.icc.Has(tagAFL) {
		return false, badCard(StepInitiate, "no AFL")
	}
	return false, nil
}

// take keeps the primitive data objects of a template that the card has sent. An object that comes a second time breaks the
// specification (Book 3, 10.2). Constructed objects are proprietary here and are passed over; an object whose source is the
// terminal is not the card's to give.
func (s *Session) take(step string, template []byte) error {
	d := tlv.NewDecoder(template)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if o.Tag.Constructed() || ofTerminal(o.Tag) {
			continue
		}
		if s.icc.Len() >= maxObjects {
			return badCard(step, "more than %d data objects", maxObjects)
		}
		if !s.icc.Add(o.Tag, o.Value) && !ofFCI(o.Tag) {
			return badCard(step, "%s comes twice", o.Tag)
		}
	}
	if err := d.Err(); err != nil {
		return badData(step, "template", err)
	}
	return nil
}

// ofFCI tells which objects came with SELECT: some cards repeat them in a record, and the first one counts.
func ofFCI(t tlv.Tag) bool {
	switch t {
	case tagDFName, tagLabel, tagPriority, tagPDOL, tagPreferredName, tagCodeTable, 0x5F2D, 0x9F4D:
		return true
	}
	return false
}
