package kernel2

import "posd/emv/tlv"

// prepareGenerateAC is the procedure Prepare Generate AC Command (Book C-2, 7.6; GAC.1 to GAC.48): the reference control parameter DF8114,
// the data of CDOL1, and those of the DSDOL when data storage writes. ended means that it ended the application instead.
func (t *tap) prepareGenerateAC() (s state, ended bool, err error) {
	p1, l2 := t.referenceControl()
	if l2 == 0 {
		l2 = t.generateData()
	}
	if l2 != 0 {
		s, err = t.endOther(l2, 0)
		return s, true, err
	}
	t.db[tagReference] = []byte{p1}
	return state9, false, nil
}

// referenceControl is GAC.1 to GAC.27. l2 is not 0 when data storage cannot go on.
func (t *tap) referenceControl() (p1, l2 byte) {
	db, failed := t.db, tvrCDAFailed.in(t.tvr)
	if idsRead.in(t.ids) && !failed { // GAC.1, GAC.2
		if !db.notEmpty(tagODSInfo) || !db.notEmpty(tagDSDOL) { // GAC.3, GAC.4
			return t.acType | acCDA, 0 // GAC.27
		}
		if !db.all(tagDSACType, tagODSReader) { // GAC.5
			return 0, l2IDSData // GAC.6
		}
		want, info := db.byteOf(tagDSACType)&acMask, db[tagODSReader]
		switch {
		case want == acAAC, want == t.acType, want == acARQC && t.acType == acTC: // GAC.7
			t.acType = want // GAC.8
		case t.acType == acAAC && odsUsableForAAC.in(info), t.acType == acARQC && odsUsableForARQC.in(info): // GAC.9
		case odsStopIfNoTerm.in(info): // GAC.10
			return 0, l2IDSNoMatch // GAC.11
		default:
			return t.acType | acCDA, 0 // GAC.27
		}
		if l2 := t.prepareWrite(); l2 != 0 {
			return 0, l2
		}
		return t.acType | acCDA, 0 // GAC.45
	}
	if !t.cda || failed { // GAC.20, GAC.21
		if t.refuseWithoutCDA() {
			t.acType = acAAC // GAC.22, GAC.23
		}
		return t.acType, 0
	}
	if t.acType == acAAC && !aciCDAOverAAC.in(db[tagACI]) { // GAC.24, GAC.25
		return acAAC, 0
	}
	return t.acType | acCDA, 0 // GAC.26
}

// generateData makes the data of GENERATE AC (GAC.28, GAC.29; GAC.46 to GAC.48).
func (t *tap) generateData() (l2 byte) {
	data, ok := fillDOL(t.cdol1, false, t.db.Get)
	if !ok {
		return l2CardData
	}
	t.db[tagCDOL1Data] = data
	t.generate = data
	if !idsWrite.in(t.ids) {
		return 0
	}
	dol, err := tlv.ParseDOL(t.db[tagDSDOL])
	if err != nil {
		return l2Parsing
	}
	more, ok := fillDOL(dol, true, t.db.Get)
	if !ok || len(data)+len(more) > maxData {
		return l2CardData
	}
	t.generate = append(data[:len(data):len(data)], more...)
	return 0
}
