package kernel2

import (
	"bytes"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// gpo is S3: GET PROCESSING OPTIONS, and the choice of mode.
func (t *tap) gpo() (state, error) {
	data, sw, l1, err := t.send(t.command(0x80, 0xA8, 0x00, 0x00, t.db[tagPDOLData], true))
	switch {
	case err != nil:
		return done, err
	case l1 != 0: // S3.4, S3.5
		return t.finish(contactless.Outcome{Status: contactless.TryAgain, Start: contactless.StartB}, indication{l1: l1, msg: msgNA})
	case t.stopped(): // S3.6
		return t.endTerminal(l3Stop)
	case sw != 0x9000: // S3.8, S3.9
		return t.endNext(l2Status, sw)
	}
	t.det(0) // S3.2
	if !t.storeGPO(data) {
		return t.endOther(l2Parsing, 0) // S3.12
	}
	if !t.db.all(tagAIP, tagAFL) {
		return t.endOther(l2Missing, 0) // S3.13, S3.14
	}
	cfg, aip := t.db[tagKernelConfig], t.db[tagAIP]
	t.onDevice = aipOnDevice.in(aip) && cfgOnDevice.in(cfg)
	switch {
	case !cfgNoEMV.in(cfg) && aipEMVMode.in(aip): // S3.15, S3.16
		return t.emvMode()
	case cfgNoMagStripe.in(cfg): // S3.17, S3.18
		return t.endOther(l2NoMagStripe, 0)
	}
	return t.magMode()
}

// storeGPO is S3.10: format 2, or format 1 when the FCI has not given AIP and AFL already.
func (t *tap) storeGPO(data []byte) bool {
	o, err := tlv.One(data)
	if err != nil {
		return false
	}
	switch o.Tag {
	case tagFormat2:
		return t.db.storeTemplate(o.Value, in77) == nil && (!t.db.notEmpty(tagAFL) || len(t.db[tagAFL])%4 == 0)
	case tagFormat1:
		v := o.Value
		if len(v) < 6 || (len(v)-2)%4 != 0 || t.db.notEmpty(tagAIP) || t.db.notEmpty(tagAFL) {
			return false
		}
		return t.db.storeCard(tagAIP, v[:2], in77) == nil && t.db.storeCard(tagAFL, v[2:], in77) == nil
	}
	return false
}

// optimised is the AFL entry of a card that does both modes: record 1 of SFI 1 is that of mag-stripe mode.
var optimised = []byte{0x08, 0x01, 0x01, 0x00}

// emvMode is S3.30 to S3.35 and S3.60: the AFL of EMV mode, then the relay resistance protocol or not.
func (t *tap) emvMode() (state, error) {
	t.mode = modeEMV
	afl := t.db[tagAFL]
	if bytes.HasPrefix(afl, optimised) && !cfgNoMagStripe.in(t.db[tagKernelConfig]) {
		afl = afl[len(optimised):]
	}
	var ok bool
	if t.records, ok = parseAFL(afl); !ok {
		return t.endOther(l2CardData, 0) // S3R1.5, S3R1.6
	}
	if aipRRP.in(t.db[tagAIP]) && cfgRRP.in(t.db[tagKernelConfig]) {
		return t.startRelay()
	}
	t.tvr[4] = t.tvr[4]&^rrpMask | rrpNotPerformed // S3.65
	return state3R1, nil
}

// magMode is S3.70 to S3.78: mag-stripe mode reads the one record of an optimised card.
func (t *tap) magMode() (state, error) {
	t.mode = modeMag
	afl := t.db[tagAFL]
	if bytes.HasPrefix(afl, optimised) {
		afl = optimised
	}
	var ok bool
	if t.records, ok = parseAFL(afl); !ok {
		return t.endOther(l2CardData, 0)
	}
	t.moveRead(false)
	t.dekIfDue(true)
	return state7, nil
}

// transactionLimit is S3.33 to S3.35 and S3.73 to S3.75.
func (t *tap) transactionLimit() int64 {
	if t.onDevice {
		return t.db.decimal(tagLimitDevice)
	}
	return t.db.decimal(tagLimitNoDevice)
}

// record is one record to read.
type record struct {
	sfi, number byte
	signed      bool // takes part in offline data authentication
}

// maxRecords is an own bound: cards have fewer than 20.
const maxRecords = 128

// parseAFL reads an AFL (Book 3, 10.2).
func parseAFL(afl []byte) ([]record, bool) {
	if len(afl) == 0 || len(afl)%4 != 0 {
		return nil, false
	}
	var out []record
	for ; len(afl) > 0; afl = afl[4:] {
		sfi, first, last, signed := afl[0]>>3, int(afl[1]), int(afl[2]), int(afl[3])
		if sfi == 0 || sfi == 31 || first == 0 || last < first || signed > last-first+1 || len(out)+last-first+1 > maxRecords {
			return nil, false
		}
		for n := first; n <= last; n++ {
			out = append(out, record{sfi, byte(n), n-first < signed})
		}
	}
	return out, true
}

// afterGPO is S3R1: what comes first, data storage's part of data exchange, and whether the card is to be authenticated.
func (t *tap) afterGPO() (state, error) {
	if idsRead.in(t.ids) {
		t.checkStorage() // S3R1.10 to S3R1.13
	}
	t.moveRead(false)
	t.dekIfDue(true) // S3R1.15, S3R1.16
	// S3R1.17 to S3R1.20.
	if aipCDA.in(t.db[tagAIP]) && capCDA.in(t.caps) || idsRead.in(t.ids) {
		t.cda = true
	} else {
		tvrODANotPerformed.set(t.tvr)
	}
	return t.nextRead(), nil
}

// nextRead is S4.15 to S4.23, S5.4 to S5.15 and S3R1.1 to S3R1.9: data that the terminal has asked for go before records.
func (t *tap) nextRead() state {
	if tag, ok := t.ex.nextGetData(); ok {
		t.ex.readYet = append([]tlv.Tag{tag}, t.ex.readYet...)
		return state5
	}
	if len(t.records) > 0 {
		return state4
	}
	return state6
}
