package emv

import (
	"context"
	"slices"

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
	body := tlv.Append(make([]byte, 0, len(s.pdolData)+3), tagCommand, s.pdolData)
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
		if err := s.take(StepInitiate, o.Value, inRecord, inGPO); err != nil {
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

// take keeps the data objects of a template that the card has sent, so far as they are recognised and belong there: from gives the
// places whose objects may come (Book 3, 7.5). One that comes a second time breaks the specification (10.2); what is not kept may.
func (s *Session) take(step string, template []byte, from ...place) error {
	d := tlv.NewDecoder(template)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if len(o.Value) == 0 {
			continue // 5.2: as if it were not there
		}
		if slices.Contains(from, placeOf(o.Tag)) && !s.icc.Add(o.Tag, o.Value) {
			return badCard(step, "%s comes twice", o.Tag)
		}
	}
	if err := d.Err(); err != nil {
		return badData(step, "template", err)
	}
	return nil
}

// place is where a card's data object comes from (Book 3, Annex A2, column "template").
type place uint8

const (
	elsewhere place = iota // other commands, the terminal, the issuer; a template; a tag that is not known
	inRecord               // 70, and 77 in answer to GET PROCESSING OPTIONS
	inGPO                  // 77 alone
	inFCI                  // A5
)

// placeOf tells where an object has to stand to be used. Whatever a card puts elsewhere is as good as unknown: it cannot replace what
// only a command brings, nor speak for the terminal.
func placeOf(t tlv.Tag) place {
	switch t {
	case tagLabel, tagPriority, tagLanguage, tagCodeTable, tagPreferredName, tagPDOL:
		return inFCI
	case tagAIP, tagAFL:
		return inGPO
	case tagADFName, tagDFName, tagDDFName, tagSFI, 0x42, 0x5F50, 0x5F53, 0x5F54, 0x5F55, 0x5F56, 0x9F0A, 0x9F0C, 0x9F4D, // directory, FCI
		tagLastOnlineATC, tagPINTries, 0x9F4F, // GET DATA
		tagIAD, tagAC, tagCID, tagATC, tagSDAD, // answers to cryptogram commands
		tagDAC, tagICCDynamic, // recovered from signatures
		tagFormat1, tagCommand:
		return elsewhere
	}
	if t.Constructed() || ofTerminal(t) || tlv.Name(t) == "" {
		return elsewhere
	}
	return inRecord
}
