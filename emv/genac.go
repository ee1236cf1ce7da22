package emv

import (
	"context"
	"crypto/sha1"

	"posd/emv/tlv"
)

// generateAC sends GENERATE AC and takes the answer: CID, ATC, cryptogram and issuer application data, in format 1 or 2 (Book 3,
// 6.5.5). When CDA or XDA is due the signature is asked for and verified. badSignature reports that it was asked for and is missing or
// wrong (the TVR says so already): the caller decides what that means. cid is the one that counts.
func (s *Session) generateAC(ctx context.Context, step string, request byte, dol tlv.DOL, second bool) (cid byte, badSignature bool, err error) {
	p1 := request | s.signatureFor(request, second)
	s.hashTC(dol)
	data, err := dol.Append(make([]byte, 0, 96), maxCommandData, s.Get)
	if err != nil {
		return 0, false, badData(step, "CDOL", err)
	}
	r, sw, err := s.exchange(ctx, step, s.command(0x80, 0xAE, p1, 0x00, data, true))
	if err != nil {
		return 0, false, err
	}
	if sw != swOK {
		e := &Error{Step: step, SW: sw, Err: ErrBadCard}
		if sw == swConditions {
			e.Err = ErrConditionsFail
		}
		return 0, false, e
	}
	a, err := parseAC(step, r)
	if err != nil {
		return 0, false, err
	}
	kind := a.cid & acMask
	wrong := kind == acMask || second && kind == acARQC || strength(kind) > strength(request)
	if wrong && !second {
		return 0, false, badCard(step, "the card answers %02X to a request for %02X", a.cid, request)
	}
	s.icc.Set(tagATC, a.atc)
	if a.iad != nil {
		s.icc.Set(tagIAD, a.iad)
	}
	tsiCardRisk.set(s.tsi[:]) // 10.8: the card has analysed
	var ac []byte
	var bad bool
	if wrong {
		ac, cid = a.ac, a.cid&^acMask // 9.3: all is over by now, and whatever the card has answered counts as an AAC
	} else if ac, cid, bad = s.checkSignature(&a, p1, data, second); ac == nil && !bad {
		return 0, false, badCard(step, "no cryptogram")
	}
	s.icc.Set(tagCID, []byte{cid})
	s.ending.note(cid)
	if ac != nil {
		s.icc.Set(tagAC, ac)
	}
	if !second {
		s.cdol1Data = data
	}
	return cid, bad, nil
}

// strength orders AAC, ARQC, TC.
func strength(kind byte) int {
	switch kind {
	case acTC:
		return 2
	case acARQC:
		return 1
	}
	return 0
}

// acAnswer is an answer to GENERATE AC. template is nil for format 1, which cannot carry a signature.
type acAnswer struct {
	cid                byte
	atc, ac, iad, sdad []byte
	template           []byte
}

func parseAC(step string, r []byte) (a acAnswer, err error) {
	o, err := tlv.One(r)
	if err != nil {
		return a, badData(step, "answer to GENERATE AC", err)
	}
	switch o.Tag {
	case tagFormat1:
		v := o.Value
		if len(v) < 11 || len(v) > 43 {
			return a, badCard(step, "format 1 of %d bytes", len(v))
		}
		a.cid, a.atc, a.ac = v[0], v[1:3], v[3:11]
		if len(v) > 11 {
			a.iad = v[11:]
		}
		return a, nil
	case tagFormat2:
	default:
		return a, badCard(step, "answer in template %s", o.Tag)
	}
	a.template = o.Value
	var seen tlv.Store
	hasCID := false
	d := tlv.NewDecoder(o.Value)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if o.Tag.Constructed() || len(o.Value) == 0 {
			continue // 5.2: without a value it is not there
		}
		if !seen.Add(o.Tag, nil) {
			return a, badCard(step, "%s comes twice", o.Tag)
		}
		want := len(o.Value)
		switch o.Tag {
		case tagCID:
			if want = 1; len(o.Value) == 1 {
				a.cid, hasCID = o.Value[0], true
			}
		case tagATC:
			want = 2
			a.atc = o.Value
		case tagAC:
			want = 8
			a.ac = o.Value
		case tagIAD:
			want = min(want, 32)
			a.iad = o.Value
		case tagSDAD:
			a.sdad = o.Value
		}
		if want != len(o.Value) {
			return a, badCard(step, "%s has %d bytes, not %d", o.Tag, len(o.Value), want)
		}
	}
	switch {
	case d.Err() != nil:
		return a, badData(step, "answer to GENERATE AC", d.Err())
	case !hasCID:
		return a, badCard(step, "%s is missing", tagCID)
	case a.atc == nil:
		return a, badCard(step, "%s is missing", tagATC)
	}
	return a, nil
}

// chooseTDOL notes in the TVR that the terminal's TDOL is used: when a list asks for the TC hash value 98, the card has no TDOL and the
// terminal has one (Book 3, 9.2.2). It goes before the action analysis, whose codes may name the bit.
func (s *Session) chooseTDOL(dol tlv.DOL) {
	if dol.Has(tagTCHash) && !s.icc.Has(tagTDOL) && s.app.TDOL != nil {
		tvrDefaultTDOL.set(s.tvr[:])
	}
}

// hashTC computes the TC hash value 98 where the list asks for it (Book 3, 9.2.2): by the card's TDOL, else by the terminal's, else by an
// empty one.
func (s *Session) hashTC(dol tlv.DOL) {
	if !dol.Has(tagTCHash) {
		return
	}
	s.chooseTDOL(dol)
	tdol := s.tdol
	if !s.icc.Has(tagTDOL) {
		tdol, _ = tlv.ParseDOL(s.app.TDOL) // checked with the parameters
	}
	// A TDOL feeds a hash, not a command: the only bound is that of the list itself.
	data, err := tdol.Append(nil, tlv.MaxDOL*255, s.Get)
	if err != nil {
		return
	}
	sum := sha1.Sum(data)
	s.term.Set(tagTCHash, sum[:])
}
