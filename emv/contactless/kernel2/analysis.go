package kernel2

import "posd/emv/tlv"

// analyse is the procedure Terminal Action Analysis (Book C-2, 7.8; TAA.1 to TAA.18). An issuer action code that the card does not give is all
// zeros for denial and all ones otherwise; the terminal's codes count then only for denial, the rest being included.
func (t *tap) analyse() byte {
	if t.matches(tagIACDenial, tagTACDenial, false) {
		return acAAC // TAA.1 to TAA.5
	}
	switch t.db.byteOf(tagTerminalType) {
	case 0x11, 0x21, 0x14, 0x24, 0x34: // TAA.4.1: online only
		return acARQC
	case 0x13, 0x23, 0x16, 0x26, 0x36: // TAA.6: offline only
		if t.matches(tagIACDefault, tagTACDefault, true) {
			return acAAC // TAA.13 to TAA.18
		}
		return acTC
	}
	if t.matches(tagIACOnline, tagTACOnline, true) {
		return acARQC // TAA.7 to TAA.12
	}
	return acTC
}

// matches tells whether a bit of the TVR is set in one of two action codes.
func (t *tap) matches(issuer, terminal tlv.Tag, absent bool) bool {
	iac, tac := t.db[issuer], t.db[terminal]
	for i, b := range t.tvr {
		mask := tac[i]
		switch {
		case len(iac) > 0:
			mask |= iac[i]
		case absent:
			mask = 0xFF
		}
		if b&mask != 0 {
			return true
		}
	}
	return false
}
