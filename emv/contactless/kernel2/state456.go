package kernel2

import (
	"posd/emv/oda"
	"posd/emv/tlv"
)

// prepareAC is S456.12 to S456.33: limits, mandatory data, the keys' data, what the terminal can do about the cardholder.
func (t *tap) prepareAC() (state, error) {
	db := t.db
	if !db.notEmpty(tagAmount) {
		return t.endTerminal(l3NoAmount) // S456.12, S456.13
	}
	if t.amount() > t.transactionLimit() {
		return t.endNext(l2MaxLimit, 0) // S456.14, S456.15
	}
	if !db.all(tagExpiry, tagPAN, tagCDOL1) {
		return t.endOther(l2Missing, 0) // S456.16, S456.17
	}
	if panMismatch(db[tagPAN], db[tagTrack2Eq]) {
		return t.endOther(l2Parsing, 0)
	}
	var err error
	if t.cdol1, err = tlv.ParseDOL(db[tagCDOL1]); err != nil {
		return t.endOther(l2Parsing, 0)
	}
	if idsRead.in(t.ids) && !storageOfThisPAN(db[tagDSID], db[tagPAN], db[tagPSN]) {
		return t.endOther(l2CardData, 0) // S456.18 to S456.20
	}
	t.moveRead(true) // S456.21
	t.ex.needed = nil
	if len(t.ex.send) > 0 {
		t.dek() // S456.22, S456.23
	}
	if t.cda && !t.checkCDAData() {
		return t.endOther(l2CardData, 0) // S456.26, S456.27
	}
	// S456.30 to S456.33.
	if t.amount() > db.decimal(tagCVMLimit) {
		t.receipt = true
		t.caps[1] = db.byteOf(tagCVMCap)
	} else {
		t.caps[1] = db.byteOf(tagNoCVMCap)
	}
	if t.wantsBalance(tagBalanceBefore) { // S456.34
		return state16, nil
	}
	return t.decide()
}

// checkCDAData is S456.24 to S456.28: what the certificates need. It reports false when 9F4A is not the AIP alone, which ends the
// application: that is no mere failure of authentication.
func (t *tap) checkCDAData() bool {
	db := t.db
	switch {
	case !db.all(tagCAIndex, tagIssuerCert, tagIssuerExp, tagICCCert, tagICCExp, tagTagList):
		tvrDataMissing.set(t.tvr)
		tvrCDAFailed.set(t.tvr)
	case !t.hasCAKey():
		tvrCDAFailed.set(t.tvr)
	}
	if list := db[tagTagList]; len(list) != 1 || list[0] != byte(tagAIP) {
		return false
	}
	if len(t.static)+len(db[tagAIP]) > maxStatic {
		tvrCDAFailed.set(t.tvr)
	}
	return true
}

// hasCAKey tells whether the terminal has the certification authority's key that the card names.
func (t *tap) hasCAKey() bool {
	rid := t.odaCard().RID
	for i := range t.a.CAKeys {
		k := &t.a.CAKeys[i]
		if k.Index == t.db.byteOf(tagCAIndex) && string(k.RID[:]) == string(rid) {
			return true
		}
	}
	return false
}

// odaCard is the card as package oda wants it.
func (t *tap) odaCard() oda.Card {
	return oda.Card{
		RID: t.db[tagDFName][:5], PAN: t.db[tagPAN], Get: t.db.Get, Static: t.static, Today: t.a.Transaction.Time,
		CAKeys: t.a.CAKeys, Revoked: t.a.Revoked,
	}
}

// decide is S456.35 to S456.42: restrictions, cardholder verification, floor limit, terminal action analysis.
func (t *tap) decide() (state, error) {
	t.restrict()
	if !t.selectCVM() {
		return t.endOther(l2CardData, 0)
	}
	if t.amount() > t.db.decimal(tagFloorLimit) {
		tvrFloorLimit.set(t.tvr) // S456.37, S456.38
	}
	t.acType = t.analyse() // S456.39
	if len(t.ex.before) > 0 {
		return state12, nil // S456.50
	}
	return stateAC, nil
}

// chooseAC is S456.43 to S456.49 and S12.13 to S12.19: a transaction of this card that was torn is recovered, otherwise a cryptogram is asked
// for.
func (t *tap) chooseAC() (state, error) {
	if t.tornActive() {
		if r := t.k.torn.find(t.db, t.k.o.RecoverAny); r != nil {
			t.tornTemp = r
			return state10, nil
		}
	}
	if s, ended, err := t.prepareGenerateAC(); ended {
		return s, err
	}
	return state9, nil
}
