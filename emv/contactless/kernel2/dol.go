package kernel2

import "posd/emv/tlv"

// maxData is what a command can carry (Lc).
const maxData = 255

// fillDOL makes the data for a data object list (Book C-2, 4.1.4; Book 3, 5.4). Formats are those of this kernel's dictionary, where several
// tags mean other things than elsewhere. ok is false when the list asks for more than a command can carry.
//
// With last, a final object that is shorter than the list wants is not padded: that is DSDOL.
func fillDOL(dol tlv.DOL, last bool, get func(tlv.Tag) ([]byte, bool)) (out []byte, ok bool) {
	if dol.Len() > maxData {
		return nil, false
	}
	out = make([]byte, 0, dol.Len())
	for i, e := range dol {
		v, _ := get(e.Tag)
		if e.Tag.Constructed() {
			v = nil
		}
		fill := e.Len - len(v)
		switch n, cn := format(e.Tag); {
		case len(v) == 0:
			out = pad(out, 0x00, e.Len)
		case fill <= 0 && n:
			out = append(out, v[-fill:]...)
		case fill <= 0:
			out = append(out, v[:e.Len]...)
		case last && i == len(dol)-1:
			out = append(out, v...)
		case n:
			out = append(pad(out, 0x00, fill), v...)
		case cn:
			out = pad(append(out, v...), 0xFF, fill)
		default:
			out = pad(append(out, v...), 0x00, fill)
		}
	}
	return out, true
}

// format tells whether an object is numeric or compressed numeric.
func format(t tlv.Tag) (n, cn bool) {
	switch t {
	case tagPAN, tagTrack2DD, tagDDTrack2:
		return false, true
	case tagDSID, tagBalance, tagBalanceBefore, tagBalanceAfter, tagUNNumeric, tagFloorLimit, tagLimitNoDevice, tagLimitDevice, tagCVMLimit, tagMessageHold:
		return true, false
	}
	switch tlv.FormatOf(t) {
	case tlv.FormatN:
		return t < 0x9F50 || t > 0x9FFF, false // from 9F50 on the shared table speaks of other kernels
	case tlv.FormatCN:
		return false, true
	}
	return false, false
}

func pad(b []byte, c byte, n int) []byte {
	for range n {
		b = append(b, c)
	}
	return b
}
