package kernel3

import (
	"bytes"
	"context"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// readRecords reads the records that the AFL names (Book C-3, 5.3). A card without AFL has said everything with its first answer.
func (t *tap) readRecords(ctx context.Context) (*contactless.Outcome, error) {
	end := func() (*contactless.Outcome, error) { o := t.endApplication(); return &o, nil }
	afl := t.of(tagAFL)
	if afl == nil {
		return nil, nil
	}
	if !validAFL(afl) {
		return end()
	}
	for i := 0; i < len(afl); i += 4 {
		sfi := afl[i] >> 3
		for n := int(afl[i+1]); n <= int(afl[i+2]); n++ {
			r, sw, lost, err := t.exchange(ctx, append(t.buf[:0], 0x00, 0xB2, byte(n), sfi<<3|0x04, 0x00))
			switch {
			case err != nil:
				return nil, err
			case lost:
				o := t.tryAgain()
				return &o, nil
			case sw != swOK || !t.takeRecord(sfi, r, n < int(afl[i+1])+int(afl[i+3])):
				return end()
			}
		}
	}
	return nil, nil
}

// validAFL checks the file locator as Book 3, 10.2 wants it, and bounds the records.
func validAFL(afl []byte) bool {
	if len(afl)%4 != 0 {
		return false
	}
	total := 0
	for i := 0; i < len(afl); i += 4 {
		sfi, first, last, signed := afl[i]>>3, int(afl[i+1]), int(afl[i+2]), int(afl[i+3])
		if sfi == 0 || sfi == 31 || first == 0 || last < first || signed > last-first+1 {
			return false
		}
		if total += last - first + 1; total > maxRecords {
			return false
		}
	}
	return true
}

// takeRecord keeps a record's objects and, when it is signed, its bytes for data authentication: for SFI 1 to 10 the value of template 70, above
// the whole record (Book 3, 10.3).
func (t *tap) takeRecord(sfi byte, r []byte, signed bool) bool {
	o, err := tlv.One(r)
	template := err == nil && o.Tag == tagRecord && zeros(r[:o.Offset]) && zeros(r[o.End:])
	switch {
	case sfi <= 10 && !template:
		return false
	case sfi <= 10 && signed:
		t.signed = append(append(append(t.signed, r[:o.Offset]...), o.Value...), r[o.End:]...)
	case signed:
		t.signed = append(t.signed, r...)
		t.signedBroken = t.signedBroken || !template
	}
	return !template || t.take(o.Value)
}

func zeros(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
