package kernel2

import (
	"bytes"
	"time"

	"posd/emv/tlv"
)

// tornTags are the objects of a torn record FF8101, in this order (Book C-2, table 4.3; two sources).
var tornTags = []tlv.Tag{
	tagAmount, tagOther, tagPAN, tagPSN, tagBalanceBefore, tagCDOL1Data, tagCVMResults, tagDRDOLData, tagDSSummary1, tagIDSStatus, tagIFDSerial,
	tagPDOLData, tagReference, tagCapabilities, tagCountry, tagTerminalType, tagTVR, tagCategoryCode, tagCurrency, tagDate, tagTime, tagType, tagUN,
	tagTerminalEntropy, tagDeviceEntropy, tagMinTime, tagMaxTime, tagEstimated, tagMeasured, tagRRPCounter,
}

// tornRecord is a transaction whose cryptogram was asked for and never came.
type tornRecord struct {
	objects database
	born    time.Time
	life    time.Duration // DF811C
}

// encode is the value of FF8101.
func (r *tornRecord) encode() []byte {
	var out []byte
	for _, t := range tornTags {
		if v := r.objects[t]; len(v) > 0 {
			out = tlv.Append(out, t, v)
		}
	}
	return out
}

// sameCard is the match of S456.44: PAN and, where the record has one, sequence number.
func (r *tornRecord) sameCard(db database) bool {
	return bytes.Equal(r.objects[tagPAN], db[tagPAN]) && bytes.Equal(r.objects[tagPSN], db[tagPSN])
}

// tornLog is the torn transaction log (Book C-2, 4.8): in memory, oldest first, at most DF811D records.
type tornLog struct {
	records []*tornRecord
}

// find returns the newest record of the card, nil when there is none.
func (l *tornLog) find(db database, anyAmount bool) *tornRecord {
	for i := len(l.records) - 1; i >= 0; i-- {
		if r := l.records[i]; r.sameCard(db) && (anyAmount || sameTransaction(r, db)) {
			return r
		}
	}
	return nil
}

func (l *tornLog) remove(r *tornRecord) {
	for i, have := range l.records {
		if have == r {
			l.records = append(l.records[:i:i], l.records[i+1:]...)
			return
		}
	}
}

// add stores a record and returns the oldest one when it had to go.
func (l *tornLog) add(r *tornRecord, limit int) (evicted *tornRecord) {
	for len(l.records) >= limit {
		evicted = l.records[0]
		l.records = l.records[1:]
	}
	l.records = append(l.records, r)
	return evicted
}

// clean removes the records that have outlived DF811C.
func (l *tornLog) clean(now time.Time) (out []*tornRecord) {
	var left []*tornRecord
	for _, r := range l.records {
		if now.Sub(r.born) > r.life {
			out = append(out, r)
		} else {
			left = append(left, r)
		}
	}
	l.records = left
	return out
}

// tornActive tells whether transactions of this card can be recovered: it gives a DRDOL and the reader keeps records (S456.43, S9.5).
func (t *tap) tornActive() bool {
	return t.db.notEmpty(tagDRDOL) && t.db.byteOf(tagTornMax) != 0
}

// tear is S9.11 to S9.15 and S11.13 to S11.17: the card left with the cryptogram. What is needed to ask for it again is kept, and the card is to
// be presented again.
func (t *tap) tear(l1 byte) (state, error) {
	dol, err := tlv.ParseDOL(t.db[tagDRDOL])
	if err != nil {
		return t.endOther(l2Parsing, 0)
	}
	data, ok := fillDOL(dol, false, t.db.Get)
	if !ok {
		return t.endOther(l2Parsing, 0)
	}
	t.db[tagDRDOLData] = data
	r := &tornRecord{objects: database{}, born: t.a.Now(), life: time.Duration(t.db.number(tagTornLifetime)) * time.Second}
	for _, tag := range tornTags {
		if v := t.db[tag]; len(v) > 0 {
			r.objects[tag] = bytes.Clone(v)
		}
	}
	if old := t.k.torn.add(r, int(t.db.byteOf(tagTornMax))); old != nil {
		t.db[tagTornRecord] = old.encode()
	}
	return t.endAgain(l1)
}

// restore is S10.11: what the torn transaction was made of takes the place of this one's.
func (t *tap) restore(r *tornRecord) {
	for tag, v := range r.objects {
		t.db[tag] = bytes.Clone(v)
	}
	t.tvr, t.caps = t.db[tagTVR], t.db[tagCapabilities]
	if v := t.db[tagIDSStatus]; len(v) == 1 {
		t.ids = v
	}
	t.acType = t.db.byteOf(tagReference) & acMask
}
