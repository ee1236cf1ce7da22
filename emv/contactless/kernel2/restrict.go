package kernel2

import "bytes"

// restrict is the procedure Processing Restrictions (Book C-2, 7.7; PRE.1 to PRE.29). It sets bits of the TVR and ends nothing.
func (t *tap) restrict() {
	db := t.db
	if v := db[tagCardVersion]; len(v) > 0 && !bytes.Equal(v, db[tagVersion]) {
		tvrVersionsDiffer.set(t.tvr) // PRE.1 to PRE.3
	}
	today := day(db[tagDate])
	if v := db[tagEffective]; len(v) > 0 && today < day(v) {
		tvrNotYetEffective.set(t.tvr) // PRE.4 to PRE.6
	}
	if today > day(db[tagExpiry]) {
		tvrExpired.set(t.tvr) // PRE.7, PRE.8
	}
	if auc := db[tagAUC]; len(auc) > 0 && !t.usageAllowed(auc) {
		tvrServiceNotOK.set(t.tvr) // PRE.9 to PRE.29
	}
}

// day makes dates YYMMDD comparable: years 50 to 99 are of the last century (Book 4, 6.7.3).
func day(v []byte) int {
	if len(v) != 3 {
		return 0
	}
	n := int(v[0])<<16 | int(v[1])<<8 | int(v[2])
	if v[0] < 0x50 {
		n += 1 << 24
	}
	return n
}

// usageAllowed is PRE.10 to PRE.28. Unlike Book 3, the country is asked for every type, and cashback is the type 09 or another amount.
func (t *tap) usageAllowed(auc []byte) bool {
	db := t.db
	atm := false
	switch db.byteOf(tagTerminalType) {
	case 0x14, 0x15, 0x16:
		atm = addCash.in(db[tagAdditional])
	}
	place := aucOtherThanATM
	if atm {
		place = aucATM
	}
	if !place.in(auc) {
		return false
	}
	issuer := db[tagIssuerCountry]
	if len(issuer) == 0 {
		return true // PRE.14
	}
	home := bytes.Equal(issuer, db[tagCountry])
	allowed := func(domestic, foreign bit) bool {
		if home {
			return domestic.in(auc)
		}
		return foreign.in(auc)
	}
	switch db.byteOf(tagType) {
	case typeCash, typeDisbursement: // PRE.15 to PRE.19
		if !allowed(aucDomesticCash, aucForeignCash) {
			return false
		}
	case typeGoods, typeCashback: // PRE.20 to PRE.24
		if !allowed(aucDomesticGoods, aucForeignGoods) && !allowed(aucDomesticServices, aucForeignServices) {
			return false
		}
	}
	if t.cashback() || db.decimal(tagOther) != 0 { // PRE.25 to PRE.29
		return allowed(aucDomesticCashback, aucForeignCashback)
	}
	return true
}
