package kernel2

import (
	"bytes"
	"encoding/binary"

	"posd/emv/contactless"
)

// Cardholder verification methods and results (Book 3, C3; Book 4, A4).
const (
	cvmFail       = 0x00
	cvmOnlinePIN  = 0x02
	cvmSignature  = 0x1E
	cvmNone       = 0x1F
	cvmNext       = 0x40 // another rule follows when this one is not successful
	cvmNoneTried  = 0x3F
	cvmUnknown    = 0x00
	cvmFailed     = 0x01
	cvmSuccessful = 0x02
)

// selectCVM is the procedure CVM Selection (Book C-2, 7.5; CVM.1 to CVM.25). It reports false when the CVM List breaks the specification.
func (t *tap) selectCVM() bool {
	set := func(c contactless.CVM, results ...byte) { t.cvm, t.db[tagCVMResults] = c, results }
	if t.onDevice { // CVM.1 to CVM.4
		if t.amount() > t.db.decimal(tagCVMLimit) {
			set(contactless.ConfirmationCode, 0x01, 0x00, cvmSuccessful)
		} else {
			set(contactless.NoCVM, cvmNoneTried, 0x00, cvmSuccessful)
		}
		return true
	}
	if !aipCVM.in(t.db[tagAIP]) { // CVM.5, CVM.6
		set(contactless.NoCVM, cvmNoneTried, 0x00, cvmUnknown)
		return true
	}
	list := t.db[tagCVMList]
	if len(list) == 0 { // CVM.7, CVM.8
		tvrDataMissing.set(t.tvr)
		set(contactless.NoCVM, cvmNoneTried, 0x00, cvmUnknown)
		return true
	}
	if len(list) < 10 || len(list)%2 != 0 {
		return false
	}
	x, y := int64(binary.BigEndian.Uint32(list)), int64(binary.BigEndian.Uint32(list[4:]))
	for rules := list[8:]; len(rules) > 0; rules = rules[2:] {
		code, condition := rules[0], rules[1]
		if !t.conditionHolds(code&0x3F, condition, x, y) { // CVM.10 to CVM.13
			continue
		}
		switch method := code & 0x3F; {
		case !recognised(method): // CVM.15, CVM.16
			tvrCVMUnknown.set(t.tvr)
		case method != cvmFail && t.supports(method): // CVM.17, CVM.18
			t.perform(method, code, condition)
			return true
		}
		if code&cvmNext != 0 && len(rules) > 2 { // CVM.19 to CVM.21
			continue
		}
		// CVM.22 to CVM.25.
		tvrCVMFailed.set(t.tvr)
		if code&0x3F == cvmFail {
			set(contactless.NoCVM, code, condition, cvmFailed)
		} else {
			set(contactless.NoCVM, cvmNoneTried, 0x00, cvmFailed)
		}
		return true
	}
	tvrCVMFailed.set(t.tvr) // CVM.14
	set(contactless.NoCVM, cvmNoneTried, 0x00, cvmFailed)
	return true
}

// perform is CVM.18: nothing is asked of the cardholder while the card is in the field.
func (t *tap) perform(method, code, condition byte) {
	result := byte(cvmUnknown)
	switch method {
	case cvmOnlinePIN:
		t.cvm = contactless.OnlinePIN
		tvrOnlinePIN.set(t.tvr)
	case cvmSignature:
		t.cvm = contactless.Signature
		t.receipt = true
	case cvmNone:
		t.cvm = contactless.NoCVM
		result = cvmSuccessful
	}
	t.db[tagCVMResults] = []byte{code, condition, result}
}

func recognised(method byte) bool {
	return method <= 0x05 || method == cvmSignature || method == cvmNone
}

// supports tells whether the terminal can perform a method, by the 9F33 of this transaction. A PIN that the card compares is never possible
// with a card in the field, whatever 9F33 says.
func (t *tap) supports(method byte) bool {
	switch method {
	case cvmFail:
		return true
	case cvmOnlinePIN:
		return capOnlinePIN.in(t.caps)
	case cvmSignature:
		return capSignature.in(t.caps)
	case cvmNone:
		return capNoCVM.in(t.caps)
	}
	return false
}

// conditionHolds is CVM.10 to CVM.12 (Book 3, C3). A condition that is not known, or whose data are missing, does not hold.
func (t *tap) conditionHolds(method, condition byte, x, y int64) bool {
	typ := t.db.byteOf(tagType)
	cash := typ == typeCash || typ == typeDisbursement
	attended := t.db.byteOf(tagTerminalType)&0x0F <= 3
	switch condition {
	case 0x00:
		return true
	case 0x01:
		return cash && !attended
	case 0x02:
		return !cash && !t.cashback()
	case 0x03:
		return t.supports(method)
	case 0x04:
		return cash && attended
	case 0x05:
		return t.cashback()
	case 0x06, 0x07, 0x08, 0x09:
		if cur := t.db[tagAppCurrency]; len(cur) == 0 || !bytes.Equal(cur, t.db[tagCurrency]) {
			return false
		}
		limit := x
		if condition >= 0x08 {
			limit = y
		}
		if condition%2 == 0 {
			return t.amount() < limit
		}
		return t.amount() > limit
	}
	return false
}

// cashback tells whether part of the amount is handed over in cash.
func (t *tap) cashback() bool {
	return t.db.byteOf(tagType) == typeCashback || t.db.byteOf(tagType) == typeGoods && t.db.decimal(tagOther) != 0
}
