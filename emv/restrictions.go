package emv

import "bytes"

// restrict checks version, usage control and dates (Book 3, 10.4). It is always executed; all it does is set bits of the TVR.
func (s *Session) restrict() {
	// 10.4.1. A card without version number is taken to be compatible.
	if v, ok := s.icc.Get(tagCardVersion); ok && !bytes.Equal(v, s.app.Version[:]) {
		tvrVersionsDiffer.set(s.tvr[:])
	}
	if v, ok := s.icc.Get(tagAUC); ok && !s.usageAllowed(v) {
		tvrServiceNotOK.set(s.tvr[:])
	}
	// 10.4.3. Both days are days on which the card may be used; the century is that of Book 4, 6.7.3.
	if s.effective != 0 && s.effective > s.today {
		tvrNotYetEffective.set(s.tvr[:])
	}
	if s.expiry < s.today {
		tvrExpired.set(s.tvr[:])
	}
}

// usageAllowed is 10.4.2: the kind of terminal, then the kind of transaction at home or abroad (table 36). Types that are neither cash
// nor a purchase, such as refunds and inquiries, are not in the table: for them the place alone counts.
func (s *Session) usageAllowed(auc []byte) bool {
	place := aucOtherThanATM
	if s.k.atm() {
		place = aucATM
	}
	if !place.in(auc) {
		return false
	}
	issuer, ok := s.icc.Get(tagIssuerCountry)
	if !ok {
		return true
	}
	country, _ := s.term.Get(tagCountry)
	home := bytes.Equal(issuer, country)
	allowed := func(domestic, foreign bit) bool {
		if home {
			return domestic.in(auc)
		}
		return foreign.in(auc)
	}
	if s.req.Type == typeCash {
		return allowed(aucDomesticCash, aucForeignCash)
	}
	// Type 00 does not tell goods from services: either will do.
	if s.purchase() {
		if !allowed(aucDomesticGoods, aucForeignGoods) && !allowed(aucDomesticServices, aucForeignServices) {
			return false
		}
	}
	if s.cashback() {
		return allowed(aucDomesticCashback, aucForeignCashback)
	}
	return true
}

// atm tells whether the terminal is an ATM: an unattended terminal of a financial institution that dispenses cash (Book 4, A1).
func (k *Kernel) atm() bool {
	t := &k.cfg.Terminal
	return t.Type >= 0x14 && t.Type <= 0x16 && addCapCash.in(t.Additional[:])
}

// attended tells whether somebody of the merchant stands by (Book 4, A1).
func (k *Kernel) attended() bool { d := k.cfg.Terminal.Type & 0x0F; return d >= 1 && d <= 3 }

// onlineOnly and offlineOnly are the two ends of Book 4, A1; other terminals decide.
func (k *Kernel) onlineOnly() bool  { d := k.cfg.Terminal.Type & 0x0F; return d == 1 || d == 4 }
func (k *Kernel) offlineOnly() bool { d := k.cfg.Terminal.Type & 0x0F; return d == 3 || d == 6 }
