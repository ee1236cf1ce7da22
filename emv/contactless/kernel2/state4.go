package kernel2

import "posd/emv/tlv"

// maxStatic is the size of Static Data To Be Authenticated (Book C-2, 4.4: 2048 bytes; two sources).
const maxStatic = 2048

// readRecord is S4: one READ RECORD of EMV mode.
func (t *tap) readRecord() (state, error) {
	r := t.records[0]
	t.records = t.records[1:]
	data, sw, l1, err := t.send(t.command(0x00, 0xB2, r.number, r.sfi<<3|0x04, nil, true))
	switch {
	case err != nil:
		return done, err
	case l1 != 0: // S4.4 to S4.6
		return t.endAgain(l1)
	case t.stopped(): // S4.7, S4.8
		return t.endTerminal(l3Stop)
	case sw != 0x9000: // S4.9, S4.10
		return t.endOther(l2Status, sw)
	}
	t.det(0) // S4.2
	if r.sfi <= 10 {
		// S4.24 to S4.27: the payment system's files.
		o, err := tlv.One(data)
		if err != nil || o.Tag != tagRecord || t.db.storeTemplate(o.Value, in70) != nil || !t.needRecord(o.Value) {
			return t.endOther(l2Parsing, 0)
		}
		if r.signed {
			t.addStatic(o.Value)
		}
	} else if r.signed {
		// S4.34, S4.35: other files are not looked at but for their template.
		if len(data) == 0 || data[0] != byte(tagRecord) {
			t.failCDA()
		} else {
			t.addStatic(data)
		}
	}
	s := t.nextRead()
	if s != state6 {
		t.moveRead(false) // S456.2
		t.dekIfDue(false) // S456.3, S456.4
	}
	return s, nil
}

// needRecord is S4.28 to S4.33: CDOL1 and DSDOL in a record may ask for data that the terminal has yet to give. It reports false when one of
// them cannot be read.
func (t *tap) needRecord(rec []byte) bool {
	if v, ok := tlv.Find(rec, tagCDOL1); ok {
		dol, err := tlv.ParseDOL(v)
		if err != nil {
			return false
		}
		t.needDOL(dol)
	}
	if v, ok := tlv.Find(rec, tagDSDOL); ok && idsRead.in(t.ids) && t.db.notEmpty(tagSlotManagement) && !slotLocked.in(t.db[tagSlotManagement]) {
		dol, err := tlv.ParseDOL(v)
		if err != nil {
			return false
		}
		t.needDOL(dol)
	}
	return true
}

// addStatic appends to the static data; more than they can hold fails the authentication (S4.35).
func (t *tap) addStatic(b []byte) {
	switch {
	case !t.cda:
	case len(t.static)+len(b) > maxStatic:
		t.failCDA()
	default:
		t.static = append(t.static, b...)
	}
}

// failCDA records that combined authentication failed; it counts only where it is wanted.
func (t *tap) failCDA() {
	if t.cda {
		tvrCDAFailed.set(t.tvr)
	}
}

// getData is S5: GET DATA for an object that the terminal has asked for.
func (t *tap) getData() (state, error) {
	x := &t.ex
	tag := x.readYet[0]
	x.readYet = x.readYet[1:]
	data, sw, l1, err := t.send(t.command(0x80, 0xCA, byte(tag>>8), byte(tag), nil, true))
	switch {
	case err != nil:
		return done, err
	case l1 != 0: // S5.5, S5.6
		return t.endAgain(l1)
	case t.stopped(): // S5.8, S5.9
		return t.endTerminal(l3Stop)
	}
	t.det(0) // S5.2
	// S5.19 to S5.24: an object that the card does not give is sent to the terminal empty.
	var v []byte
	if sw == 0x9000 {
		if o, err := tlv.One(data); err == nil && o.Tag == tag && t.db.storeCard(tag, o.Value, inGetData) == nil {
			v = o.Value
		}
	}
	x.send = tlv.Append(x.send, tag, v)
	s := t.nextRead()
	if s != state6 {
		t.moveRead(false)
		t.dekIfDue(false)
	}
	return s, nil
}

// firstWrite is S456.5 to S456.11 and S6: the terminal may hold the transaction back with the proceed to first write flag.
func (t *tap) firstWrite() (state, error) {
	goOn, s, err := t.holdBack()
	if !goOn {
		return s, err
	}
	return state456, nil
}

// holdBack waits for the proceed to first write flag while it is present and empty, or zero. Data that the terminal asks to be read meanwhile
// are read first.
func (t *tap) holdBack() (goOn bool, s state, err error) {
	for {
		held := t.db.empty(tagFirstWrite) || t.db.notEmpty(tagFirstWrite) && t.db.byteOf(tagFirstWrite) == 0
		if !held {
			return true, done, nil
		}
		if t.db.empty(tagFirstWrite) {
			t.ex.need(tagFirstWrite)
		}
		t.moveRead(false)
		t.dekIfDue(true)
		toRead := func() bool {
			for _, tag := range t.ex.readYet {
				if tag == tagBalance || tag >= tagEnvelopeFirst && tag <= tagEnvelopeLast {
					return t.mode == modeEMV
				}
			}
			return false
		}
		before := len(t.ex.readYet)
		l3, err := t.waitFor(func() bool {
			return t.db.byteOf(tagFirstWrite) != 0 || toRead() || len(t.ex.readYet) != before
		})
		if err != nil {
			return false, done, err
		}
		if l3 != 0 {
			s, err := t.endTerminal(l3)
			return false, s, err
		}
		if toRead() {
			return false, t.nextRead(), nil
		}
	}
}
