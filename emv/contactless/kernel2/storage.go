package kernel2

import (
	"fmt"
	"strings"

	"posd/emv/tlv"
)

// startStorage is S1.17 to S1.20: integrated data storage is on when the reader has it (DSVN Term and an operator's identifier) and the card
// says that it has it, by version 1 or 2 in 9F5D and an identifier DS ID.
func (t *tap) startStorage() {
	db := t.db
	if !db.notEmpty(tagDSVN) || !db.present(tagOperatorID) {
		return
	}
	for _, tag := range []tlv.Tag{tagDSID, tagACI} {
		t.ex.send = tlv.Append(t.ex.send, tag, db[tag])
	}
	if t.storageVersion() != 0 && db.notEmpty(tagDSID) {
		idsRead.set(t.ids)
	}
}

// storageVersion is 1 or 2 by 9F5D byte 1, low nibble; 0 when the card has no data storage.
func (t *tap) storageVersion() int {
	if v := t.db.byteOf(tagACI) & 0x0F; v == 1 || v == 2 {
		return int(v)
	}
	return 0
}

// checkStorage is S3R1.10 to S3R1.13: the terminal gets what the card's answer to GET PROCESSING OPTIONS says of the slot; without it there
// is no reading.
func (t *tap) checkStorage() {
	db := t.db
	for _, tag := range []tlv.Tag{tagSlotAvailable, tagDSSummary1, tagDSUN, tagSlotManagement, tagODSCard} {
		if db.notEmpty(tag) || tag == tagODSCard && db.present(tag) {
			t.ex.send = tlv.Append(t.ex.send, tag, db[tag])
		}
	}
	t.ex.send = tlv.Append(t.ex.send, tagUN, db[tagUN])
	free := db.all(tagSlotAvailable, tagDSSummary1, tagDSUN) && !db.present(tagODSCard)
	used := db.notEmpty(tagDSSummary1) && db.present(tagODSCard)
	if !free && !used {
		t.ids[0] &^= 0x80
	}
}

// storageOfThisPAN is S456.19: DS ID is PAN and sequence number as digits, filled on the left to at least 16.
func storageOfThisPAN(id, pan, psn []byte) bool {
	want := panDigits(pan)
	if len(psn) > 0 {
		want += fmt.Sprintf("%02X", psn[0])
	} else {
		want += "00"
	}
	if n := max(16, len(want)+len(want)%2); len(want) < n {
		want = strings.Repeat("0", n-len(want)) + want
	}
	return fmt.Sprintf("%X", id) == want
}

// prepareWrite is GAC.40 to GAC.44: the digest of the terminal's input, when the card wants it, and the write status.
func (t *tap) prepareWrite() (l2 byte) {
	db := t.db
	dol, err := tlv.ParseDOL(db[tagDSDOL])
	if err != nil {
		return l2Parsing
	}
	if dol.Has(tagDSDigest) && db.present(tagDSInputTerm) {
		oid, input := db[tagOperatorID], db[tagDSInputTerm]
		if slotPermanent.in(db[tagSlotManagement]) && odsVolatile.in(db[tagODSInfo]) {
			oid = make([]byte, 8)
		}
		if len(oid) != 8 || len(input) != 8 {
			return l2IDSData
		}
		if t.storageVersion() == 1 {
			db[tagDSDigest] = owhf2(db[tagDSID], oid, input)
		} else {
			db[tagDSDigest] = owhf2AES(db[tagDSID], oid, input)
		}
	}
	idsWrite.set(t.ids)
	return 0
}

// checkSummaries is S910.8 to S910.19 and S11.47 to S11.61: the card's summaries of its slot tell whether what was read was right and what was
// written arrived. fail and l2 say how it ends: 0 goes on.
func (t *tap) checkSummaries() (fail func(byte) (state, error), l2 byte) {
	db := t.db
	if t.secondGAC && idsWrite.in(t.tornTemp.objects[tagIDSStatus]) && string(db[tagDSSummary1]) != string(t.tornTemp.objects[tagDSSummary1]) {
		return t.invalidAC, l2IDSRead // S11.47 to S11.49: something was written before the card left
	}
	if !db.notEmpty(tagDSSummary2) {
		return t.invalidAC, l2Missing // S910.9
	}
	if string(db[tagDSSummary1]) != string(db[tagDSSummary2]) {
		return t.invalidAC, l2IDSRead // S910.11
	}
	dsReadOK.set(db[tagDSStatus]) // S910.12
	if !idsWrite.in(t.ids) {
		return nil, 0
	}
	switch {
	case !db.notEmpty(tagDSSummary3):
		return t.invalidAC, l2Missing // S910.15
	case string(db[tagDSSummary2]) != string(db[tagDSSummary3]):
		dsWriteOK.set(db[tagDSStatus]) // S910.17
	case odsStopIfNoWrite.in(db[tagODSReader]):
		// S910.18, S910.19: nothing was written, and the terminal cannot go on without.
		return func(l2 byte) (state, error) { return t.endOther(l2, 0) }, l2IDSWrite
	}
	return nil, 0
}
