package kernel2

import (
	"posd/emv/contactless"
	"posd/emv/tlv"
)

// idle is S1 with the ACT signal: the FCI is read, the transaction's data are set up, GET PROCESSING OPTIONS is made ready.
func (t *tap) idle() (state, error) {
	db := t.db
	// KS.2, S1.9.
	db[tagMobileSupport] = []byte{0x01}
	t.hold = tenths(db.decimal(tagMessageHold))
	t.tvr, t.caps, t.ids = make([]byte, 5), []byte{db.byteOf(tagInputCap), 0x00, db.byteOf(tagSecurityCap)}, make([]byte, 1)
	db[tagTVR], db[tagCapabilities], db[tagIDSStatus] = t.tvr, t.caps, t.ids
	db[tagCVMResults] = make([]byte, 3)
	db[tagDSStatus], db[tagPrePut], db[tagPostPut] = []byte{0}, []byte{0}, []byte{0}
	db[tagUN] = t.a.UN[:]
	t.acType = acTC
	if !t.k.o.MagStripe {
		db[tagKernelConfig] = []byte{db.byteOf(tagKernelConfig) | 0x80}
	}

	// S1.7, S1.8. A card that is selected without a usable FCI is left for the next application.
	prop, err := db.storeFCI(t.a.FCI)
	switch {
	case err != nil:
		return t.endNext(l2Parsing, 0)
	case !db.notEmpty(tagDFName), !prop:
		return t.endNext(l2Missing, 0)
	}
	t.languages = languages(db[tagLanguage])
	if aciFieldOff.in(db[tagACI]) {
		if t.fieldOff = tenths(db.number(tagHoldTime)); t.fieldOff == 0 {
			t.fieldOff = contactless.FieldOffNow
		}
	}
	if !t.startExchange() {
		return t.endTerminalData()
	}
	pdol, err := tlv.ParseDOL(db[tagPDOL])
	if err != nil {
		return t.endNext(l2Parsing, 0)
	}

	// S1.12: data of the transaction that the PDOL asks for and the terminal has yet to give.
	missing := t.needDOL(pdol)
	t.moveRead(false) // S1.15
	t.startStorage()
	// S1.21.
	if missing {
		t.dek()
		return state2, nil
	}
	return t.makeGPO(pdol)
}

// endTerminalData is for lists of the terminal's that cannot be read (S1.10, S1.16): no card is to blame.
func (t *tap) endTerminalData() (state, error) {
	return t.finish(contactless.Outcome{Status: contactless.EndApplication}, indication{l2: l2TerminalData, msg: msgNA})
}

// startExchange takes the lists of data exchange from the reader's data (S1.10, S1.16).
func (t *tap) startExchange() bool {
	x, ok := &t.ex, true
	for _, tag := range []tlv.Tag{tagTagsToRead, tagWriteBefore, tagWriteAfter} {
		if t.db.empty(tag) {
			x.need(tag)
		}
	}
	ok = x.readTags(t.db[tagTagsToRead])
	var ok2, ok3 bool
	x.before, ok2 = objects(t.db[tagWriteBefore])
	x.after, ok3 = objects(t.db[tagWriteAfter])
	return ok && ok2 && ok3
}

// needDOL adds the terminal's data that a list asks for and that are present and empty to Data Needed, and reports whether there are any
// (S1.12, S4.29, S4.33, S7.15).
func (t *tap) needDOL(dol tlv.DOL) bool {
	missing := false
	for _, e := range dol {
		if t.db.empty(e.Tag) && dictionary[e.Tag].from&fromTerminal != 0 {
			t.ex.need(e.Tag)
			missing = true
		}
	}
	return missing
}

// pdolData is S2: the terminal is waited for.
func (t *tap) pdolData() (state, error) {
	pdol, _ := tlv.ParseDOL(t.db[tagPDOL]) // S1 has read it before
	l3, err := t.waitFor(func() bool {
		for _, e := range pdol {
			if t.db.empty(e.Tag) && dictionary[e.Tag].from&fromTerminal != 0 {
				return false
			}
		}
		return true
	})
	if err != nil {
		return done, err
	}
	if l3 != 0 {
		return t.endTerminal(l3)
	}
	return t.makeGPO(pdol)
}

// makeGPO is S1.13 and S2.9: the data of GET PROCESSING OPTIONS. DF8111 is the whole field with its tag 83: see pdolRelatedData.
func (t *tap) makeGPO(pdol tlv.DOL) (state, error) {
	v, ok := fillDOL(pdol, false, t.db.Get)
	field := pdolRelatedData(v)
	if !ok || len(field) > maxData {
		return t.endNext(l2Parsing, 0)
	}
	t.db[tagPDOLData] = field
	return state3, nil
}

// languages reads 5F2D: up to four codes of two letters (ISO 639). What is no letter ends the list.
func languages(v []byte) []string {
	var out []string
	for ; len(v) >= 2 && len(out) < 4; v = v[2:] {
		for _, c := range v[:2] {
			if c|0x20 < 'a' || c|0x20 > 'z' {
				return out
			}
		}
		out = append(out, string([]byte{v[0] | 0x20, v[1] | 0x20}))
	}
	return out
}
