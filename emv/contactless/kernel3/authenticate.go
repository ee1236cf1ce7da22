package kernel3

import (
	"posd/emv/contactless"
	"posd/emv/oda"
	"posd/emv/tlv"
)

// fddaVersion is the only version of fDDA that is accepted: 00, which signed the unpredictable number alone, is a failure (Book C-3, 5.6.2).
const fddaVersion = 0x01

// authenticate does offline data authentication where an approval offline is about to be given, or where reader and card have it for online
// transactions (Book C-3, 5.6). The card is gone by now.
func (t *tap) authenticate() *contactless.Outcome {
	if t.decline || t.refund() || t.online && !t.odaOnline() {
		return nil
	}
	if t.fdda() {
		return nil
	}
	q, _ := t.ctq()
	switch { // 5.6.1.2
	case q[0]&ctqOnlineIfODA != 0 && t.ttq[0]&ttqOfflineOnly == 0:
		t.online = true
	case q[0]&ctqSwitchIfODA != 0 && t.ttq[0]&ttqContact != 0:
		o := t.tryContact()
		return &o
	default:
		t.decline = true
	}
	return nil
}

// fdda verifies the card's signature, or the static one where that is enough. A card that has both is judged by the dynamic one.
func (t *tap) fdda() bool {
	c := oda.Card{
		RID: t.a.ADF[:min(5, len(t.a.ADF))], PAN: t.of(tagPAN), Get: t.icc.Get, Static: t.signed, Broken: t.signedBroken,
		Today: t.a.Transaction.Time, CAKeys: t.a.CAKeys, Revoked: t.a.Revoked,
	}
	sig := t.of(tagSDAD)
	if sig == nil {
		if t.of(tagSSAD) == nil || !t.cfg.SDA && !t.online {
			return false
		}
		dac, err := c.SDA()
		if err != nil {
			return false
		}
		t.icc.Set(tagDAC, dac)
		return true
	}
	related := t.of(tagCARD)
	if related == nil || related[0] != fddaVersion {
		return false
	}
	key, err := c.ICCKey()
	if err != nil {
		return false
	}
	var signed [3][]byte
	for i, tag := range [...]tlv.Tag{tagUN, tagAmount, tagCurrency} { // annex C: the order is the book's
		signed[i], _ = t.term.Get(tag)
	}
	dynamic, err := key.OpenSigned(sig, signed[0], signed[1], signed[2], related)
	if err != nil {
		return false
	}
	number, ok := oda.DynamicNumber(dynamic)
	if ok {
		t.icc.Set(tagICCDynamic, number)
	}
	return ok
}
