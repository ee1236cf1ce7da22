package kernel2

import (
	"posd/emv/contactless"
	"posd/emv/tlv"
)

// generateAC1 is S9: GENERATE AC.
func (t *tap) generateAC1() (state, error) {
	data, sw, l1, err := t.sendAlways(t.command(0x80, 0xAE, t.db.byteOf(tagReference), 0x00, t.generate, true))
	switch {
	case err != nil:
		return done, err
	case l1 != 0 && t.tornActive(): // S9.5
		return t.tear(l1)
	case l1 != 0 && idsWrite.in(t.ids): // S9.6 to S9.8: whether the card has written is not known
		return t.finish(contactless.Outcome{
			Status: contactless.EndApplication, DataRecord: t.dataRecord(),
			UIOutcome: t.ui(contactless.MsgOtherCard, contactless.NotReady, t.hold),
		}, indication{l1: l1, msg: contactless.MsgOtherCard})
	case l1 != 0: // S9.9, S9.10
		return t.endAgain(l1)
	case sw != 0x9000: // S9.16, S9.17
		return t.invalidStatus(sw)
	}
	return t.cryptogram(data, true)
}

// recoverAC is S10: RECOVER AC for a transaction that was torn.
func (t *tap) recoverAC() (state, error) {
	r := t.tornTemp
	data, sw, l1, err := t.sendAlways(t.command(0x80, 0xD0, 0x00, 0x00, r.objects[tagDRDOLData], true))
	switch {
	case err != nil:
		return done, err
	case l1 != 0: // S10.5, S10.6: the record stays
		return t.endAgain(l1)
	case sw != 0x9000: // S10.7 to S10.9: nothing to recover
		if s, ended, err := t.prepareGenerateAC(); ended {
			return s, err
		}
		return state11, nil
	}
	t.k.torn.remove(r) // S10.10
	t.restore(r)       // S10.11
	return t.cryptogram(data, false)
}

// generateAC2 is S11: GENERATE AC behind a RECOVER AC that found nothing.
func (t *tap) generateAC2() (state, error) {
	t.secondGAC = true
	data, sw, l1, err := t.sendAlways(t.command(0x80, 0xAE, t.db.byteOf(tagReference), 0x00, t.generate, true))
	switch {
	case err != nil:
		return done, err
	case l1 != 0: // S11.11 to S11.17: a record of a transaction that may have written is not given up
		if !idsWrite.in(t.tornTemp.objects[tagIDSStatus]) {
			t.k.torn.remove(t.tornTemp)
		}
		return t.tear(l1)
	}
	t.k.torn.remove(t.tornTemp) // S11.5
	if sw != 0x9000 {           // S11.6, S11.7
		return t.invalidStatus(sw)
	}
	return t.cryptogram(data, true)
}

// cryptogram is S9.18 to S9.25, S10.12 to S10.19 and S11.8 to S11.22: the answer is read and its kind compared with what was asked for.
// RECOVER AC has no format 1.
func (t *tap) cryptogram(data []byte, format1 bool) (state, error) {
	o, err := tlv.One(data)
	ok := err == nil
	switch {
	case !ok:
	case o.Tag == tagFormat2:
		t.answer = o.Value
		ok = t.db.storeTemplate(o.Value, in77) == nil
	case o.Tag == tagFormat1 && format1:
		ok = t.storeFormat1(o.Value)
	default:
		ok = false
	}
	if !ok {
		return t.invalidAC(l2Parsing)
	}
	if !t.db.all(tagATC, tagCID) {
		return t.invalidAC(l2Missing)
	}
	switch cid := t.db.byteOf(tagCID) & acMask; {
	case cid == acAAC, cid == t.acType, cid == acARQC && t.acType == acTC:
	default:
		return t.invalidAC(l2CardData)
	}
	if t.wantsBalance(tagBalanceAfter) {
		return state17, nil
	}
	return state910, nil
}

// storeFormat1 is the answer without tags: CID, ATC, cryptogram, and the issuer's data when there are any.
func (t *tap) storeFormat1(v []byte) bool {
	if len(v) < 11 || len(v) > 43 {
		return false
	}
	for tag, part := range map[tlv.Tag][]byte{tagCID: v[:1], tagATC: v[1:3], tagAC: v[3:11]} {
		if t.db.storeCard(tag, part, in77) != nil {
			return false
		}
	}
	return len(v) == 11 || t.db.storeCard(tagIAD, v[11:], in77) == nil
}

// invalidAC is S910.50 to S910.53 and S11.90 to S11.95: the answer cannot be used. The data record goes along when the card may have written.
func (t *tap) invalidAC(l2 byte) (state, error) { return t.invalidResponse(indication{l2: l2}) }

// invalidStatus is invalidAC for a status of the card's.
func (t *tap) invalidStatus(sw uint16) (state, error) {
	return t.invalidResponse(indication{l2: l2Status, sw: sw})
}

func (t *tap) invalidResponse(e indication) (state, error) {
	e.msg = contactless.MsgOtherCard
	if t.secondGAC && idsWrite.in(t.tornTemp.objects[tagIDSStatus]) {
		t.db[tagTornRecord] = t.tornTemp.encode() // S11.91, S11.92
	}
	o := contactless.Outcome{Status: contactless.EndApplication, UIOutcome: t.ui(contactless.MsgOtherCard, contactless.NotReady, t.hold)}
	if idsWrite.in(t.ids) {
		o.DataRecord = t.dataRecord()
	}
	return t.finish(o, e)
}
