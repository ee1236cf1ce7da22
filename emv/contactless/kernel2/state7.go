package kernel2

import (
	"encoding/binary"
	"io"
	"math/bits"

	"posd/emv/tlv"
)

// readMagRecord is S7: one READ RECORD of mag-stripe mode; behind the last one the data are checked (S7.20 to S7.24).
func (t *tap) readMagRecord() (state, error) {
	r := t.records[0]
	t.records = t.records[1:]
	data, sw, l1, err := t.send(t.command(0x00, 0xB2, r.number, r.sfi<<3|0x04, nil, true))
	switch {
	case err != nil:
		return done, err
	case l1 != 0: // S7.3 to S7.5
		return t.endAgain(l1)
	case t.stopped(): // S7.6, S7.7
		return t.endTerminal(l3Stop)
	case sw != 0x9000: // S7.9, S7.10
		return t.endOther(l2Status, sw)
	}
	t.det(0) // S7.2
	o, err := tlv.One(data)
	if r.sfi > 10 || err != nil || o.Tag != tagRecord || t.db.storeTemplate(o.Value, in70) != nil {
		return t.endOther(l2Parsing, 0) // S7.11 to S7.13
	}
	if v, ok := tlv.Find(o.Value, tagUDOL); ok {
		dol, err := tlv.ParseDOL(v)
		if err != nil {
			return t.endOther(l2Parsing, 0)
		}
		t.needDOL(dol) // S7.14, S7.15
	}
	if len(t.records) > 0 {
		return state7, nil
	}
	switch l2 := t.checkMagData(); l2 {
	case 0:
		return state8, nil
	default:
		return t.endOther(l2, 0)
	}
}

// checkMagData is S7.20 to S7.24: what track 2 needs is there, the number of digits of the unpredictable number is possible, and track 1, when
// there is one, wants the same. It keeps copies of the discretionary data as the card gave them.
func (t *tap) checkMagData() (l2 byte) {
	db := t.db
	if !db.all(tagTrack2, tagPUNATCT2, tagPCVC3T2, tagNATCT2) {
		return l2Missing
	}
	t2, ok := parseTrack2(db[tagTrack2])
	if !ok {
		return l2CardData
	}
	t.nUN = bits.OnesCount64(uint64(db.number(tagPUNATCT2))) - int(db.byteOf(tagNATCT2))
	if t.nUN < 0 || t.nUN > 8 {
		return l2CardData
	}
	if !fitsTrack(len(t2.dd), db.number(tagPUNATCT2), db.number(tagPCVC3T2)) {
		return l2CardData
	}
	db[tagDDTrack2] = packDigits(string(t2.dd), 'F')
	if !db.notEmpty(tagTrack1) {
		return 0
	}
	if !db.all(tagPUNATCT1, tagPCVC3T1, tagNATCT1) ||
		bits.OnesCount64(uint64(db.number(tagPUNATCT1)))-int(db.byteOf(tagNATCT1)) != t.nUN {
		return l2CardData
	}
	t1, ok := parseTrack1(db[tagTrack1])
	if !ok || !fitsTrack(len(t1.dd), db.number(tagPUNATCT1), db.number(tagPCVC3T1)) {
		return l2CardData
	}
	db[tagDDTrack1] = t1.dd
	return 0
}

// fitsTrack tells whether the bitmaps point at digits that are there: bit 1 is the last one.
func fitsTrack(digits int, bitmaps ...int64) bool {
	for _, b := range bitmaps {
		if digits == 0 || bits.Len64(uint64(b)) > digits {
			return false
		}
	}
	return true
}

// magFirstWrite is S8 and S78.1 to S78.7.
func (t *tap) magFirstWrite() (state, error) {
	goOn, s, err := t.holdBack()
	if !goOn {
		return s, err
	}
	return state78, nil
}

// prepareCCC is S78.8 to S78.22: limits, the unpredictable number, what the device shall do.
func (t *tap) prepareCCC() (state, error) {
	db := t.db
	if !db.notEmpty(tagAmount) {
		return t.endTerminal(l3NoAmount) // S78.8, S78.9
	}
	if t.amount() > t.transactionLimit() {
		return t.endNext(l2MaxLimit, 0) // S78.10, S78.11
	}
	t.moveRead(true) // S78.12
	t.ex.needed = nil
	if len(t.ex.send) > 0 {
		t.dek() // S78.13, S78.14
	}
	if err := t.drawNumeric(); err != nil {
		return done, err
	}
	if !t.onDevice { // S78.16
		return state13, nil
	}
	if t.amount() > db.decimal(tagCVMLimit) { // S78.19, S78.20
		mobile := []byte{db.byteOf(tagMobileSupport)}
		mobileCVM.set(mobile)
		db[tagMobileSupport] = mobile
	}
	return state14, nil
}

// drawNumeric is S78.15: eight digits in 9F6A, the first 8-nUN of them zero.
func (t *tap) drawNumeric() error {
	const most = 4_200_000_000 // multiples of 10^8 below 2^32: no digit is likelier than another
	var b [4]byte
	n := uint64(most)
	for n >= most {
		if _, err := io.ReadFull(t.a.Transaction.Rand, b[:]); err != nil {
			return err
		}
		n = uint64(binary.BigEndian.Uint32(b[:]))
	}
	mod := uint64(1)
	for range t.nUN {
		mod *= 10
	}
	t.db[tagUNNumeric], _ = tlv.AppendNumber(nil, int64(n%mod), 4)
	t.un8, _ = tlv.Digits(t.db[tagUNNumeric])
	return nil
}

// cccCommand makes COMPUTE CRYPTOGRAPHIC CHECKSUM (S78.17, S78.18, S78.21, S78.22; Book C-2, 5.2).
func (t *tap) cccCommand() ([]byte, bool) {
	list := t.db[tagUDOL]
	if len(list) == 0 {
		list = t.db[tagDefaultUDOL]
	}
	udol, err := tlv.ParseDOL(list)
	if err != nil {
		return nil, false
	}
	data, ok := fillDOL(udol, false, t.db.Get)
	return t.command(0x80, 0x2A, 0x8E, 0x80, data, true), ok
}
