package emv

import (
	"context"
	"crypto/sha1"
	"crypto/subtle"

	"posd/emv/tlv"
)

// dda has the card sign a challenge and verifies the signature (Book 2, 6.5). It returns false where authentication failed and an
// error only where the transaction cannot go on.
func (s *Session) dda(ctx context.Context) (bool, error) {
	list := s.app.DDOL
	if v, ok := s.icc.Get(tagDDOL); ok {
		list = v
	}
	// 6.5.1: without a DDOL on either side, or without 9F37 in it, authentication has failed.
	ddol, err := tlv.ParseDOL(list)
	if err != nil || !ddol.Has(tagUN) {
		return false, nil
	}
	data, err := ddol.Append(make([]byte, 0, 32), maxCommandData, s.Get)
	if err != nil {
		return false, nil
	}
	r, sw, err := s.exchange(ctx, StepODA, s.command(0x00, 0x88, 0x00, 0x00, data, true))
	if err != nil {
		return false, err
	}
	if sw != swOK {
		return false, nil
	}
	o, err := tlv.One(r)
	if err != nil {
		return false, nil
	}
	var sig []byte
	switch o.Tag {
	case tagFormat1:
		sig = o.Value
	case tagFormat2:
		sig, _ = tlv.Find(o.Value, tagSDAD)
	default:
		return false, nil
	}
	dynamic, ok := s.openSDAD(sig, data)
	if !ok {
		return false, nil
	}
	number, ok := dynamicNumber(dynamic)
	if !ok {
		return false, nil
	}
	s.icc.Set(tagSDAD, sig)
	s.icc.Set(tagICCDynamic, number)
	return true, nil
}

// openSDAD verifies signed dynamic application data 9F4B over the terminal's data and returns the ICC dynamic data (6.5.2, steps
// 1 to 7; 6.6.2, steps 1 to 5 and 7).
func (s *Session) openSDAD(sig, terminal []byte) ([]byte, bool) {
	r := s.iccKey.recover(sig)
	if !wellFormed(r, 0x05, 25, terminal) || r[2] != hashSHA1 {
		return nil, false
	}
	n := int(r[3])
	if n > len(r)-25 {
		return nil, false
	}
	return r[4 : 4+n : 4+n], true
}

// dynamicNumber is the ICC dynamic number, two to eight bytes behind their length (Book 2, table 15).
func dynamicNumber(dynamic []byte) ([]byte, bool) {
	if len(dynamic) < 1 {
		return nil, false
	}
	n := int(dynamic[0])
	if n < 2 || n > 8 || len(dynamic) < 1+n {
		return nil, false
	}
	return dynamic[1 : 1+n], true
}

// openCDA verifies the signature that came with a cryptogram (Book 2, 6.6.2) and returns the application cryptogram from it. list
// is the data of the PDOL, of CDOL1 and, at the second GENERATE AC, of CDOL2; template is the value of the answer's template 77.
func (s *Session) openCDA(sig []byte, cid byte, template []byte, lists ...[]byte) (ac []byte, ok bool) {
	un, _ := s.Get(tagUN)
	dynamic, ok := s.openSDAD(sig, un)
	if !ok {
		return nil, false
	}
	number, ok := dynamicNumber(dynamic)
	if !ok {
		return nil, false
	}
	// Table 19: dynamic number with its length, CID, cryptogram, transaction data hash code.
	rest := dynamic[1+len(number):]
	if len(rest) < 1+8+sha1.Size || rest[0] != cid {
		return nil, false // step 6: the CID in the clear must be the signed one
	}
	h := sha1.New()
	for _, l := range lists {
		h.Write(l)
	}
	d := tlv.NewDecoder(template)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if o.Tag != tagSDAD {
			h.Write(template[o.Offset:o.End]) // tag, length and value as sent (steps 8 to 10)
		}
	}
	var sum [sha1.Size]byte
	if d.Err() != nil || subtle.ConstantTimeCompare(h.Sum(sum[:0]), rest[9:9+sha1.Size]) != 1 {
		return nil, false
	}
	s.icc.Set(tagICCDynamic, number)
	return rest[1:9], true
}
