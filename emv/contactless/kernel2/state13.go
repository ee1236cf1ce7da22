package kernel2

import (
	"time"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// ccc1 is S13: COMPUTE CRYPTOGRAPHIC CHECKSUM without verification on the device.
func (t *tap) ccc1() (state, error) {
	if s, ended, err := t.checksum(); ended {
		return s, err
	}
	db := t.db
	if !db.notEmpty(tagATC) {
		return t.invalidCCC(l2Missing, 0) // S13.14.1, S13.14.4
	}
	if !db.notEmpty(tagCVC3T2) { // S13.14.2
		if !db.notEmpty(tagPCII) {
			return t.invalidCCC(l2Missing, 0) // S13.14.3
		}
		return t.refusedCCC() // S13.41 to S13.45
	}
	digit := t.nUN // S13.14.7
	if pciiDeviceCVM.in(db[tagPCII]) {
		digit = (t.nUN + 5) % 10 // S13.14.5, S13.14.6, S13.14.8
	}
	if db.notEmpty(tagTrack1) && !db.notEmpty(tagCVC3T1) {
		return t.invalidCCC(l2Missing, 0) // S13.15, S13.16
	}
	t.k.failedMS = 0 // S13.17
	if !t.fillTracks(digit) {
		return t.invalidCCC(l2CardData, 0)
	}
	// S13.24 to S13.26.
	if t.amount() > db.decimal(tagCVMLimit) {
		return t.magOnline(magCVM(db.byteOf(tagMagCVMCap)), true)
	}
	cvm := magCVM(db.byteOf(tagMagNoCVMCap))
	return t.magOnline(cvm, cvm == contactless.Signature)
}

// ccc2 is S14: the same with a device that can verify its holder.
func (t *tap) ccc2() (state, error) {
	if s, ended, err := t.checksum(); ended {
		return s, err
	}
	db := t.db
	if !db.all(tagATC, tagPCII) {
		return t.invalidCCC(l2Missing, 0) // S14.14
	}
	if !db.notEmpty(tagCVC3T2) {
		return t.refusedCCC() // S14.15, S14.19.1 to S14.22
	}
	if db.notEmpty(tagTrack1) && !db.notEmpty(tagCVC3T1) {
		return t.invalidCCC(l2Missing, 0) // S14.16
	}
	verified := pciiDeviceCVM.in(db[tagPCII])
	wanted := t.amount() > db.decimal(tagCVMLimit)
	digit := t.nUN // S14.25
	switch {
	case verified:
		digit = (t.nUN + 5) % 10 // S14.20, S14.24
	case wanted:
		return t.invalidCCC(l2CardData, 0) // S14.21, S14.21.1
	}
	t.k.failedMS = 0 // S14.25.1
	if !t.fillTracks(digit) {
		return t.invalidCCC(l2CardData, 0)
	}
	if verified {
		return t.magOnline(contactless.ConfirmationCode, wanted) // S14.32, S14.34
	}
	return t.magOnline(contactless.NoCVM, false) // S14.33
}

// checksum sends the command and reads its answer (S13.1 to S13.13, S14.1 to S14.13). ended means that there is an outcome.
func (t *tap) checksum() (s state, ended bool, err error) {
	c, ok := t.cccCommand()
	if !ok {
		s, err = t.endOther(l2Parsing, 0)
		return s, true, err
	}
	data, sw, l1, err := t.sendAlways(c)
	switch {
	case err != nil:
		return done, true, err
	case l1 != 0: // S13.2 to S13.5
		t.failureDelay()
		s, err = t.endAgain(l1)
		return s, true, err
	case sw != 0x9000: // S13.9, S13.10
		s, err = t.invalidCCC(l2Status, sw)
		return s, true, err
	}
	o, err := tlv.One(data)
	if err != nil || o.Tag != tagFormat2 || t.db.storeTemplate(o.Value, in77) != nil {
		s, err = t.invalidCCC(l2Parsing, 0) // S13.11 to S13.13
		return s, true, err
	}
	t.cardRead() // S13.12.1
	return done, false, nil
}

// failureDelay is S13.30, S13.31: a terminal that is used to guess checksums gets slower, 300 ms doubled with each failure up to five.
func (t *tap) failureDelay() {
	t.k.o.Wait(t.ctx, 300*time.Millisecond<<t.k.failedMS)
	t.k.failedMS = min(t.k.failedMS+1, 5)
}

// invalidCCC is S13.30 to S13.32, S14.40 to S14.42.
func (t *tap) invalidCCC(l2 byte, sw uint16) (state, error) {
	t.failureDelay()
	return t.endOther(l2, sw)
}

// refusedCCC is S13.41 to S13.45 and S14.19.1 to S14.22: the device gave no checksum and says why in DF4B.
func (t *tap) refusedCCC() (state, error) {
	row, again := t.secondTapNeeded()
	if !again {
		t.failureDelay()
		return t.finish(contactless.Outcome{
			Status: contactless.Declined, DataRecord: t.dataRecord(),
			UIOutcome: t.ui(contactless.MsgDeclined, contactless.NotReady, t.hold),
		}, noError)
	}
	t.a.UI(*t.ui(row.message, row.status, t.hold))
	t.failureDelay()
	return t.finish(contactless.Outcome{
		Status: contactless.EndApplication, Start: contactless.StartB, DataRecord: t.dataRecord(),
		UIRestart: t.ui(row.message, contactless.ReadyToRead, 0),
	}, noError)
}

// magOnline is the outcome of mag-stripe mode. Its sources show nothing with it (two of them; Book A's table of outcomes would have
// "authorising"), the terminal does when it goes online.
func (t *tap) magOnline(cvm contactless.CVM, receipt bool) (state, error) {
	return t.finish(contactless.Outcome{Status: contactless.OnlineRequest, CVM: cvm, Receipt: receipt, DataRecord: t.dataRecord()}, noError)
}

// magCVM reads a mag-stripe CVM capability (DF811E, DF812C): the value of the outcome's CVM in its high nibble.
func magCVM(capability byte) contactless.CVM {
	switch capability >> 4 {
	case 0:
		return contactless.NoCVM
	case 1:
		return contactless.Signature
	case 2:
		return contactless.OnlinePIN
	}
	return contactless.CVMNone
}
