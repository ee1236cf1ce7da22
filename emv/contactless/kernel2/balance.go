package kernel2

import "posd/emv/tlv"

// wantsBalance is BR1.1, BR1.2 and BR2.1, BR2.2 (Book C-2, 7.1 and 7.3): the card lets its balance be read, and the terminal has a place for it:
// DF8104 or DF8105, present and usually empty.
func (t *tap) wantsBalance(place tlv.Tag) bool {
	return aciBalance.in(t.db[tagACI]) && t.db.present(place)
}

// balanceBefore is S16: GET DATA 9F50 before the cryptogram. An answer that is not the balance is passed over.
func (t *tap) balanceBefore() (state, error) {
	data, sw, l1, err := t.send(t.command(0x80, 0xCA, 0x9F, 0x50, nil, true))
	switch {
	case err != nil:
		return done, err
	case l1 != 0: // S16.2, S16.3
		return t.endAgain(l1)
	case t.stopped(): // S16.7
		return t.endTerminal(l3Stop)
	}
	t.storeBalance(tagBalanceBefore, data, sw)
	return t.decide()
}

// balanceAfter is S17: the cryptogram is made, so a card that leaves now is no matter.
func (t *tap) balanceAfter() (state, error) {
	data, sw, l1, err := t.sendAlways(t.command(0x80, 0xCA, 0x9F, 0x50, nil, true))
	if err == nil && l1 == 0 {
		t.storeBalance(tagBalanceAfter, data, sw)
	}
	return state910, nil
}

// storeBalance is S16.8 and S16.9: exactly 9F50 with six bytes.
func (t *tap) storeBalance(place tlv.Tag, data []byte, sw uint16) {
	if sw != 0x9000 || len(data) != 9 {
		return
	}
	if o, err := tlv.One(data); err == nil && o.Tag == tagBalance && len(o.Value) == 6 {
		t.db[place] = o.Value
	}
}
