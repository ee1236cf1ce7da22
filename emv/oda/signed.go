package oda

import (
	"crypto/sha1"
	"crypto/subtle"

	"posd/emv/tlv"
)

// OpenSigned verifies signed dynamic application data 9F4B over the terminal's data and returns the ICC dynamic data (Book 2, 6.5.2, steps
// 1 to 7). terminal is one or more runs of bytes that are hashed one after the other.
func (k PublicKey) OpenSigned(sig []byte, terminal ...[]byte) (dynamic []byte, err error) {
	r := k.Recover(sig)
	dynamic, ok := dynamicData(r)
	if !ok || !wellFormed(r, 0x05, 25, terminal...) {
		return nil, ErrFailed
	}
	return dynamic, nil
}

// dynamicData is the ICC dynamic data of a recovered block whose frame is right: header, format, trailer, a hash algorithm that is
// known and a length that the block can hold (Book 2, tables 17 and 22). The hash is not checked here.
func dynamicData(r []byte) ([]byte, bool) {
	const fixed = 25
	if len(r) < fixed || r[0] != 0x6A || r[len(r)-1] != 0xBC || r[1] != 0x05 || r[2] != hashSHA1 || int(r[3]) > len(r)-fixed {
		return nil, false
	}
	end := 4 + int(r[3])
	return r[4:end:end], true
}

// DynamicNumber is the ICC dynamic number, two to eight bytes behind their length (Book 2, table 15).
func DynamicNumber(dynamic []byte) ([]byte, bool) {
	if len(dynamic) < 1 {
		return nil, false
	}
	n := int(dynamic[0])
	if n < 2 || n > 8 || len(dynamic) < 1+n {
		return nil, false
	}
	return dynamic[1 : 1+n], true
}

// CDA is what a combined signature holds (Book 2, table 19).
type CDA struct {
	CID    byte
	AC     []byte // 9F26
	Number []byte // ICC dynamic number, 9F4C
	More   []byte // behind the transaction data hash code: payment systems put their own there
}

// OpenCDA opens the signature that came with a cryptogram, step by step as in Book 2, 6.6.2. cid is the CID that came in the clear, un the
// terminal's unpredictable number, template the contents of the answer's template 77, lists what is hashed before it: the data of the
// PDOL, of CDOL1 and, at the second GENERATE AC, of CDOL2.
//
// The CID of the result is the one inside the signature as soon as that has been retrieved, even where the signature is wrong
// (Book 4, 6.3.2.1).
func (k PublicKey) OpenCDA(sig []byte, cid byte, un, template []byte, lists ...[]byte) (CDA, error) {
	c := CDA{CID: cid}
	r := k.Recover(sig)
	dynamic, ok := dynamicData(r) // steps 1 to 5
	if !ok {
		return c, ErrFailed
	}
	number, ok := DynamicNumber(dynamic)
	if !ok {
		return c, ErrFailed
	}
	rest := dynamic[1+len(number):] // table 19: CID, cryptogram, transaction data hash code
	if len(rest) < 1+8+sha1.Size {
		return c, ErrFailed
	}
	c.CID = rest[0]
	if c.CID != cid { // step 6
		return c, ErrFailed
	}
	if !wellFormed(r, 0x05, 25, un) { // steps 7 to 9
		return c, ErrFailed
	}
	h := sha1.New()
	for _, l := range lists {
		h.Write(l)
	}
	d := tlv.NewDecoder(template)
	for o, more := d.Next(); more; o, more = d.Next() {
		if o.Tag != tagSDAD {
			h.Write(template[o.Offset:o.End]) // tag, length and value as sent
		}
	}
	var sum [sha1.Size]byte
	if d.Err() != nil || subtle.ConstantTimeCompare(h.Sum(sum[:0]), rest[9:9+sha1.Size]) != 1 { // steps 10 to 12
		return c, ErrFailed
	}
	c.AC, c.Number, c.More = rest[1:9], number, rest[9+sha1.Size:]
	return c, nil
}
