package kernel2

import "posd/emv/tlv"

// Tags that begin with FF (FF8101 to FF8106) are proper ones here, while package tlv takes FF between objects for padding, as cards once had it.
// What comes from the terminal, and the record of a torn transaction, are read by this decoder. Cards have no such objects to give.

// terminalObject reads the first object of b and returns what is behind it; ok is false at the end and at bytes that are no object.
func terminalObject(b []byte) (o tlv.Object, rest []byte, ok bool) {
	for len(b) > 0 && b[0] == 0x00 {
		b = b[1:]
	}
	if len(b) == 0 {
		return o, nil, false
	}
	in := b
	if b[0] == 0xFF {
		in = append([]byte{0xDF}, b[1:]...) // the same length, and a tag that package tlv reads
	}
	d := tlv.NewDecoder(in)
	if o, ok = d.Next(); !ok || o.Offset != 0 {
		return o, nil, false
	}
	if b[0] == 0xFF {
		o.Tag |= 0x20 << (8 * (o.Tag.Len() - 1))
	}
	return o, b[o.End:], true
}

// TornRecord finds the record of a torn transaction, FF8101, in the discretionary data of an outcome and returns its objects: a transaction that
// the kernel has given up to make room, or because another took its place. It holds the PAN.
func TornRecord(discretionary []byte) ([]byte, bool) {
	for {
		o, rest, ok := terminalObject(discretionary)
		if !ok {
			return nil, false
		}
		if o.Tag == tagTornRecord {
			return o.Value, true
		}
		discretionary = rest
	}
}

// validTag tells whether a number is a tag of the reader's.
func validTag(t tlv.Tag) bool { return t.Valid() || t>>8 == 0xFF81 && t&0x80 == 0 }
