package emv

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"posd/emv/tlv"
)

const maxRecords = 128 // default bound on records read in a transaction; cards have fewer than 20

// readRecords reads the records that the AFL names and collects what takes part in offline data authentication (Book 3, 10.2).
func (s *Session) readRecords(ctx context.Context) error {
	afl, _ := s.icc.Get(tagAFL)
	if len(afl) == 0 || len(afl)%4 != 0 || len(afl) > 252 {
		return badCard(StepRecords, "AFL of %d bytes", len(afl))
	}
	total := 0
	for i := 0; i < len(afl); i += 4 {
		sfi, first, last, signed := afl[i]>>3, afl[i+1], afl[i+2], int(afl[i+3])
		switch {
		case sfi == 0, sfi == 31: // the three bits below are reserved: they are not looked at (6.3.6)
			return badCard(StepRecords, "AFL entry %d: no SFI", i/4+1)
		case first == 0, last < first:
			return badCard(StepRecords, "AFL entry %d: records %d to %d", i/4+1, first, last)
		case signed > int(last-first)+1:
			return badCard(StepRecords, "AFL entry %d: %d of %d records signed", i/4+1, signed, int(last-first)+1)
		}
		if total += int(last-first) + 1; total > s.k.maxRecords {
			return badCard(StepRecords, "AFL names more than %d records", s.k.maxRecords)
		}
	}
	for i := 0; i < len(afl); i += 4 {
		sfi := afl[i] >> 3
		for n := int(afl[i+1]); n <= int(afl[i+2]); n++ {
			r, sw, err := s.readRecord(ctx, StepRecords, sfi, byte(n))
			if err != nil {
				return err
			}
			if sw != swOK {
				return &Error{Step: StepRecords, SW: sw, Err: ErrBadCard}
			}
			if err := s.takeRecord(sfi, r, n < int(afl[i+1])+int(afl[i+3])); err != nil {
				return err
			}
		}
	}
	return s.checkRecords()
}

// takeRecord keeps the data objects of one record and, when it is signed, its bytes for offline data authentication: the whole
// record, for SFI 1 to 10 without tag and length of template 70 (Book 3, 10.3).
func (s *Session) takeRecord(sfi byte, r []byte, signed bool) error {
	o, err := tlv.One(r)
	if err == nil && o.Tag != tagRecord {
		err = &tlv.Error{Path: []tlv.Tag{o.Tag}, Reason: "not template 70"}
	}
	if sfi <= 10 {
		// 7.1: a record of these files is one template 70. Zeros may stand beside it (Annex B1) and are data of the record.
		if err == nil && (!zeros(r[:o.Offset]) || !zeros(r[o.End:])) {
			err = &tlv.Error{Path: []tlv.Tag{tagRecord}, Offset: o.End, Reason: "bytes beside the template"}
		}
		if err != nil {
			return badData(StepRecords, "record", err)
		}
		if signed {
			s.signed = append(append(append(s.signed, r[:o.Offset]...), o.Value...), r[o.End:]...)
		}
		return s.take(StepRecords, o.Value, inRecord)
	}
	if signed {
		if err != nil {
			s.signedBroken = true // 10.3: authentication is performed and fails
		}
		s.signed = append(s.signed, r...)
	}
	if err != nil {
		return nil // the files of SFI 11 to 30 belong to payment systems and issuers and may have any coding
	}
	return s.take(StepRecords, o.Value, inRecord)
}

func zeros(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// checkRecords refuses a card without the mandatory objects (Book 3, 7.2) or with objects that the terminal needs and cannot read
// (7.5), and reads those whose values it will use.
func (s *Session) checkRecords() error {
	for _, t := range []tlv.Tag{tagExpiry, tagPAN, tagCDOL1, tagCDOL2} {
		if !s.icc.Has(t) {
			return badCard(StepRecords, "%s is missing", t)
		}
	}
	var err error
	bad := func(t tlv.Tag, err error) error { return badData(StepRecords, t.String(), err) }

	v, _ := s.icc.Get(tagPAN)
	s.panField = v
	if s.pan, err = tlv.Compressed(v); err != nil {
		return bad(tagPAN, err)
	}
	if len(v) > 10 || len(s.pan) < 8 || len(s.pan) > 19 {
		return badCard(StepRecords, "%s has %d digits", tagPAN, len(s.pan))
	}
	for _, d := range []struct {
		tag tlv.Tag
		to  *date
	}{{tagExpiry, &s.expiry}, {tagEffective, &s.effective}} {
		v, ok := s.icc.Get(d.tag)
		if !ok {
			continue
		}
		if *d.to, err = parseDate(v); err != nil {
			return bad(d.tag, err)
		}
	}
	if v, ok := s.icc.Get(tagTrack2); ok {
		if s.track2, err = parseTrack2(v); err != nil {
			return bad(tagTrack2, err)
		}
		if pan, _, _ := strings.Cut(s.track2, "D"); pan != s.pan {
			// Which of the two accounts would pay is anybody's guess.
			return badCard(StepRecords, "%s and %s name different accounts", tagPAN, tagTrack2)
		}
	}
	if v, ok := s.icc.Get(tagPSN); ok {
		if s.psn, err = tlv.Digits(v); err != nil || len(v) != 1 {
			return badCard(StepRecords, "%s is not two digits", tagPSN)
		}
	}
	for _, f := range []struct {
		tag tlv.Tag
		len int
	}{
		{tagAUC, 2},
		{tagIssuerCountry, 2},
		{tagAppCurrency, 2},
		{tagCardVersion, 2},
		{tagIACDefault, 5},
		{tagIACDenial, 5},
		{tagIACOnline, 5},
		{tagLCOL, 1},
		{tagUCOL, 1},
		{tagCAIndex, 1},
	} {
		if v, ok := s.icc.Get(f.tag); ok && len(v) != f.len {
			return badCard(StepRecords, "%s has %d bytes, not %d", f.tag, len(v), f.len)
		}
	}
	for _, d := range []struct {
		tag tlv.Tag
		to  *tlv.DOL
	}{{tagCDOL1, &s.cdol1}, {tagCDOL2, &s.cdol2}, {tagTDOL, &s.tdol}} {
		v, ok := s.icc.Get(d.tag)
		if !ok {
			continue
		}
		if *d.to, err = tlv.ParseDOL(v); err != nil {
			return bad(d.tag, err)
		}
	}
	return nil
}

var (
	errDate   = errors.New("not a date")
	errTrack2 = errors.New("not track 2 data")
)

// date is a calendar date as one number that can be compared, yyyymmdd; 0 is none.
type date int32

// parseDate reads three bytes YYMMDD. Years 00 to 49 are of this century, 50 to 99 of the last (Book 4, 6.7.3).
func parseDate(b []byte) (date, error) {
	v, err := tlv.Number(b)
	if err != nil {
		return 0, err
	}
	y, m, d := v/10000, v/100%100, v%100
	if len(b) != 3 || m < 1 || m > 12 || d < 1 || d > 31 {
		return 0, errDate
	}
	if y < 50 {
		y += 100
	}
	return date((1900+y)*10000 + m*100 + d), nil
}

// parseTrack2 reads tag 57: digits, one separator D, digits, at most one nibble F behind them.
func parseTrack2(b []byte) (string, error) {
	if len(b) > 19 {
		return "", errTrack2
	}
	out := make([]byte, 0, 2*len(b))
	separators := 0
	for i := range 2 * len(b) {
		n := b[i/2] >> 4
		if i%2 == 1 {
			n = b[i/2] & 0x0F
		}
		switch {
		case n <= 9:
			out = append(out, '0'+n)
		case n == 0xD:
			separators++
			out = append(out, 'D')
		case n == 0xF && i == 2*len(b)-1:
		default:
			return "", errTrack2
		}
	}
	if separators != 1 {
		return "", errTrack2
	}
	return string(out), nil
}
