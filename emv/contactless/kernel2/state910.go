package kernel2

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// afterAC is S9.26 to S9.28, S910 and S11.23 to S11.79: the card may go, its signature is verified.
func (t *tap) afterAC() (state, error) {
	if len(t.ex.after) == 0 {
		t.cardRead() // S9.27
	}
	if t.db.notEmpty(tagSDAD) {
		return t.signedAC()
	}
	return t.unsignedAC()
}

// signedAC is S910.1 to S910.19: combined authentication. A failure ends the application; the issuer is not asked.
func (t *tap) signedAC() (state, error) {
	if !t.verifySignature() {
		tvrCDAFailed.set(t.tvr) // S910.7, S910.7.1
		return t.invalidAC(l2CAM)
	}
	if idsRead.in(t.ids) {
		if fail, l2 := t.checkSummaries(); fail != nil {
			return fail(l2)
		}
	}
	return t.validAC()
}

// verifySignature is S910.1 to S910.4.1: the ICC's key, the signature over the unpredictable number, and what is in it: ICC dynamic number,
// CID, cryptogram, hash of the transaction data, and behind them the summaries of data storage and the values of the relay resistance protocol.
func (t *tap) verifySignature() bool {
	db := t.db
	if !db.all(tagCAIndex, tagIssuerCert, tagIssuerExp, tagICCCert, tagICCExp) {
		return false
	}
	key, err := t.odaCard().ICCKey()
	if err != nil {
		return false
	}
	dynamic, err := key.OpenSigned(db[tagSDAD], db[tagUN])
	if err != nil {
		return false
	}
	d, ok := parseDynamic(dynamic, idsRead.in(t.ids), t.storageVersion(), t.tvr[4]&rrpMask == rrpPerformed)
	if !ok || d.cid != db.byteOf(tagCID) || subtle.ConstantTimeCompare(d.hash, t.transactionHash()) == 0 {
		return false
	}
	if d.relay != nil {
		have := bytes.Join([][]byte{db[tagTerminalEntropy], db[tagDeviceEntropy], db[tagMinTime], db[tagMaxTime], db[tagEstimated]}, nil)
		if !bytes.Equal(d.relay, have) {
			return false
		}
	}
	db[tagICCDynamic], db[tagAC] = d.number, d.ac
	if d.summary2 != nil {
		db[tagDSSummary2] = d.summary2
	}
	if d.summary3 != nil {
		db[tagDSSummary3] = d.summary3
	}
	return true
}

// dynamic is the ICC dynamic data of a signature with a cryptogram (Book C-2, table 6.x of S910; Book 2, table 19).
type dynamic struct {
	number             []byte // ICC dynamic number
	cid                byte
	ac, hash           []byte
	summary2, summary3 []byte
	relay              []byte // 14 bytes: entropies, minimum, maximum and estimated time
}

// parseDynamic reads it. Summaries have 8 bytes in version 1 of data storage, 16 in version 2; with the relay resistance protocol both must
// be there, otherwise they may be missing from the end.
func parseDynamic(b []byte, ids bool, version int, relay bool) (d dynamic, ok bool) {
	if len(b) < 1 || b[0] < 2 || b[0] > 8 || len(b) < 1+int(b[0])+1+8+20 {
		return d, false
	}
	n := 1 + int(b[0])
	d.number, d.cid, d.ac, d.hash = b[1:n:n], b[n], b[n+1:n+9:n+9], b[n+9:n+29:n+29]
	rest := b[n+29:]
	if ids {
		size := 8
		if version == 2 {
			size = 16
		}
		if len(rest) >= size {
			d.summary2, rest = rest[:size:size], rest[size:]
		}
		if len(rest) >= size {
			d.summary3, rest = rest[:size:size], rest[size:]
		}
		if relay && d.summary3 == nil {
			return d, false
		}
	}
	if relay {
		if len(rest) < 14 {
			return d, false
		}
		d.relay = rest[:14]
	}
	return d, true
}

// transactionHash is the transaction data hash (Book 2, 6.6.2, steps 10 and 11): PDOL, CDOL1, and the objects of the answer in their order,
// as they came, without the signature.
func (t *tap) transactionHash() []byte {
	h := sha1.New()
	for _, b := range hashedData(t.db) {
		h.Write(b)
	}
	d := tlv.NewDecoder(t.answer)
	for {
		o, ok := d.Next()
		if !ok {
			return h.Sum(nil)
		}
		if o.Tag != tagSDAD {
			h.Write(t.answer[o.Offset:o.End])
		}
	}
}

// unsignedAC is S910.30 to S910.39: no signature came. Where one was asked for, only an AAC may do without; data storage needs one always.
func (t *tap) unsignedAC() (state, error) {
	db := t.db
	if !db.notEmpty(tagAC) {
		return t.invalidAC(l2Missing) // S910.30, S910.31
	}
	p1 := db.byteOf(tagReference)
	if db.byteOf(tagCID)&acMask == acAAC {
		if idsRead.in(t.ids) || p1&acMask == acAAC && p1&acCDA != 0 {
			return t.invalidAC(l2CardData) // S910.33, S910.35 to S910.37
		}
		return t.validAC()
	}
	if p1&acCDA != 0 {
		return t.invalidAC(l2CardData) // S910.34, S910.37
	}
	if t.tvr[4]&rrpMask == rrpPerformed && db.notEmpty(tagTrack2Eq) {
		t.relayTrack2() // S910.38, S910.39
	}
	return t.validAC()
}

// validAC is S910.70 to S910.81 and S11.110 to S11.121: the outcome.
func (t *tap) validAC() (state, error) {
	o := contactless.Outcome{CVM: t.cvm, Receipt: t.receipt, DataRecord: t.dataRecord()}
	if row, ok := t.secondTapNeeded(); ok {
		// S910.72, S910.73: the cardholder has to do something on the device, then presents it again.
		o.Status, o.Start = contactless.EndApplication, contactless.StartB
		t.secondTap = t.ui(row.message, row.status, t.hold)
	} else {
		t.result(&o)
	}
	t.out = o
	if len(t.ex.after) > 0 {
		return state15, nil // S910.76 to S910.78
	}
	if t.secondTap != nil {
		t.a.UI(*t.secondTap) // S910.79
	}
	return t.tell()
}

// tell ends with the outcome that validAC has made (S910.80, S910.81; S15.11, S15.13).
func (t *tap) tell() (state, error) {
	o := t.out
	if t.secondTap != nil {
		again := *t.secondTap
		again.Status, again.Hold = contactless.ReadyToRead, 0
		o.UIRestart = &again
	}
	return t.finish(o, noError)
}

// result is S910.74 and S910.75: status and message by what the card has decided.
func (t *tap) result(o *contactless.Outcome) {
	switch t.db.byteOf(tagCID) & acMask {
	case acTC:
		o.Status = contactless.Approved
		m := contactless.MsgApproved
		if t.cvm == contactless.Signature {
			m = contactless.MsgApprovedSign
		}
		o.UIOutcome = t.ui(m, contactless.NotReady, t.hold)
		if a := t.balanceOf(); a != nil {
			o.UIOutcome.Amount, o.UIOutcome.Balance = a, true
		}
	case acARQC:
		o.Status = contactless.OnlineRequest
		o.UIOutcome = t.ui(contactless.MsgAuthorising, contactless.NotReady, 0)
	default:
		o.Status = t.declinedOutcome()
		switch o.Status {
		case contactless.Declined:
			o.UIOutcome = t.ui(contactless.MsgDeclined, contactless.NotReady, t.hold)
		case contactless.TryAnotherInterface:
			o.UIOutcome = t.ui(contactless.MsgInsert, contactless.NotReady, t.hold)
		default:
			o.UIOutcome = t.ui(contactless.MsgNone, contactless.NotReady, 0)
		}
	}
}

// phoneRow is the length of a row of the phone message table DF8131: mask, value, message, status.
const phoneRow = 8

type phoneMessage struct {
	message contactless.Message
	status  contactless.UIStatus
}

// secondTapNeeded looks DF4B up (S910.71, S13.41, S14.19.1): bits 0003 0F of its last two bytes mean that the device has to be presented again.
// The message is the first row of the phone message table whose value is the masked DF4B.
func (t *tap) secondTapNeeded() (phoneMessage, bool) {
	p := t.db[tagPCII]
	if len(p) != 3 || p[1]&0x03 == 0 && p[2]&0x0F == 0 {
		return phoneMessage{}, false
	}
	for rows := t.db[tagPhoneTable]; len(rows) >= phoneRow; rows = rows[phoneRow:] {
		hit := true
		for i := range 3 {
			hit = hit && p[i]&rows[i] == rows[3+i]
		}
		if hit {
			return phoneMessage{contactless.Message(rows[6]), contactless.UIStatus(rows[7])}, true
		}
	}
	return phoneMessage{msgNA, contactless.StatusNone}, true
}
