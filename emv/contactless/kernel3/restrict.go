package kernel3

import (
	"bytes"

	"posd/emv"
	"posd/emv/contactless"
	"posd/emv/tlv"
)

// restrict does the processing restrictions (Book C-3, 5.5). An outcome sends the cardholder to another interface.
func (t *tap) restrict() *contactless.Outcome {
	if t.decline {
		return nil
	}
	q, _ := t.ctq() // without one all bits are 0
	if t.cid == acTC {
		if t.expired() { // 5.5.1.1
			if q[0]&ctqOnlineIfExpired != 0 && t.ttq[0]&ttqOfflineOnly == 0 {
				t.online = true
			} else {
				t.decline = true
			}
		}
		if t.onExceptionFile() { // 5.5.1.2
			t.decline = true
		}
		if t.decline {
			return nil
		}
	}
	// 5.5.1.3 and 5.5.1.4
	auc, issuer := t.of(tagAUC), t.of(tagIssuerCountry)
	allows := func(octet int, domestic, foreign byte) bool {
		if auc == nil || issuer == nil {
			return false
		}
		country, _ := t.term.Get(tagCountry)
		if bytes.Equal(issuer, country) {
			return auc[octet]&domestic != 0
		}
		return auc[octet]&foreign != 0
	}
	for _, c := range []struct {
		applies, allowed bool
		change           byte
	}{
		{t.cfg.CashCheck && t.cash(), allows(0, aucDomesticCash, aucForeignCash), ctqSwitchCash},
		{t.cfg.CashbackCheck && t.cashback(), allows(1, aucDomesticCashback, aucForeignCashback), ctqSwitchCashback},
	} {
		if !c.applies || c.allowed {
			continue
		}
		if q[0]&c.change != 0 {
			o := t.tryOther()
			return &o
		}
		t.decline = true
		return nil
	}
	return t.atATM(q)
}

// atATM is 5.5.1.5: unattended terminals of a bank that give cash (types 14 to 16), offline.
func (t *tap) atATM(q [2]byte) *contactless.Outcome {
	if typ := t.a.Terminal.Type; !t.cfg.ATMCheck || !t.cash() || typ < 0x14 || typ > 0x16 || t.online {
		return nil
	}
	if q[0]&ctqNotAtATM != 0 {
		o := t.tryOther()
		return &o
	}
	if auc := t.of(tagAUC); auc == nil || auc[0]&aucATM == 0 {
		t.decline = true
	}
	return nil
}

// expired tells whether the card's last day, 5F24, is over. A card that does not say, or says no date, has expired.
func (t *tap) expired() bool {
	v, err := tlv.Number(t.of(tagExpiry))
	if err != nil || v == 0 {
		return true
	}
	y, m, d := int(v/10000), int(v/100%100), int(v%100)
	if m < 1 || m > 12 || d < 1 || d > 31 {
		return true
	}
	y += 1900
	if y < 1950 { // Book 4, 6.7.3
		y += 100
	}
	now := t.a.Transaction.Time
	return now.Year()*10000+int(now.Month())*100+now.Day() > y*10000+m*100+d
}

// onExceptionFile asks the terminal's exception file, where there is one.
func (t *tap) onExceptionFile() bool {
	if t.a.Exception == nil {
		return false
	}
	account, _ := accountOf(t.of(tagTrack2))
	e := emv.Exception{AID: t.a.Combination.AID, PAN: account}
	if psn, err := tlv.Digits(t.of(tagPSN)); err == nil {
		e.PSN = psn
	}
	if expiry, err := tlv.Digits(t.of(tagExpiry)); err == nil && len(expiry) == 6 {
		e.Expiry = expiry[:4]
	}
	return t.a.Exception(e)
}
