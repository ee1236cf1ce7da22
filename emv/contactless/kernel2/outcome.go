package kernel2

import (
	"time"

	"posd/emv/contactless"
	"posd/emv/tlv"
	"posd/internal/money"
)

// Values of the error indication DF8115 (Book C-2, A.1).
const (
	l1TimeOut      = 0x01
	l1Transmission = 0x02
	l1Protocol     = 0x03

	l2Missing      = 0x01 // card data missing
	l2CAM          = 0x02 // combined authentication failed
	l2Status       = 0x03 // status bytes
	l2Parsing      = 0x04
	l2MaxLimit     = 0x05
	l2CardData     = 0x06 // card data error
	l2NoMagStripe  = 0x07
	l2IDSRead      = 0x0B
	l2IDSWrite     = 0x0C
	l2IDSData      = 0x0D
	l2IDSNoMatch   = 0x0E
	l2TerminalData = 0x0F

	l3TimeOut  = 0x01
	l3Stop     = 0x02
	l3NoAmount = 0x03
)

// msgNA is a message identifier that is not applicable.
const msgNA contactless.Message = 0xFF

// indication is an error indication DF8115.
type indication struct {
	l1, l2, l3 byte
	sw         uint16
	msg        contactless.Message
}

func (e indication) encode() []byte {
	return []byte{e.l1, e.l2, e.l3, byte(e.sw >> 8), byte(e.sw), byte(e.msg)}
}

var noError = indication{msg: msgNA}

// finish sets what every outcome has: discretionary data, the field off request, and ends the machine.
func (t *tap) finish(o contactless.Outcome, e indication) (state, error) {
	t.db[tagError] = e.encode()
	o.Discretionary = t.discretionary()
	if o.DataRecord != nil {
		o.Objects = t.db
	}
	if o.Status != contactless.SelectNext && o.Status != contactless.TryAgain {
		o.FieldOff = t.fieldOff // S1.8; S3.5 and S3.9.1 set it to not applicable
	}
	t.out = o
	return done, nil
}

// endOther is END APPLICATION with "insert, swipe or try another card": the card's fault.
func (t *tap) endOther(l2 byte, sw uint16) (state, error) {
	return t.finish(contactless.Outcome{Status: contactless.EndApplication, UIOutcome: t.ui(contactless.MsgOtherCard, contactless.NotReady, t.hold)},
		indication{l2: l2, sw: sw, msg: contactless.MsgOtherCard})
}

// endAgain is END APPLICATION with start B: the card could not be talked to and is to be presented again.
func (t *tap) endAgain(l1 byte) (state, error) {
	return t.finish(contactless.Outcome{
		Status: contactless.EndApplication, Start: contactless.StartB,
		UIRestart: t.ui(contactless.MsgPresentAgain, contactless.ReadyToRead, 0),
	}, indication{l1: l1, msg: contactless.MsgPresentAgain})
}

// endNext is SELECT NEXT with start C.
func (t *tap) endNext(l2 byte, sw uint16) (state, error) {
	return t.finish(contactless.Outcome{Status: contactless.SelectNext, Start: contactless.StartC}, indication{l2: l2, sw: sw, msg: msgNA})
}

// endTerminal is END APPLICATION without a message: the terminal stopped, kept silent or gave no amount.
func (t *tap) endTerminal(l3 byte) (state, error) {
	return t.finish(contactless.Outcome{Status: contactless.EndApplication}, indication{l3: l3, msg: msgNA})
}

// ui makes a user interface request in the card's languages (S1.7).
func (t *tap) ui(m contactless.Message, s contactless.UIStatus, hold time.Duration) *contactless.UIRequest {
	return &contactless.UIRequest{Message: m, Status: s, Hold: hold, Languages: t.languages}
}

// cardRead says that the card may go (MSG of S9.27, S13.12.1, S15.12).
func (t *tap) cardRead() { t.a.UI(*t.ui(contactless.MsgNone, contactless.CardRead, 0)) }

// dataRecordEMV are the objects of FF8105 in EMV mode (Book C-2, table 4.7), dataRecordMag those of mag-stripe mode (table 4.8),
// discretionaryEMV and discretionaryMag those of FF8106 (tables 4.9 and 4.10). Two implementations, in the same order; a third puts 9B, 99
// and 9F39 among them, which are not in the dictionary. 9F24 in the mag-stripe record and 9F6E in the EMV record are in C alone (see rules.go).
var (
	dataRecordEMV = []tlv.Tag{
		tagAmount, tagOther, tagAC, tagExpiry, tagAIP, tagLabel, tagPAN, tagPSN, tagPreferredName, tagATC, tagAUC, tagVersion, tagCID, tagCVMResults,
		tagDFName, tagIFDSerial, tagIAD, tagCodeTable, tagPAR, tagCapabilities, tagCountry, tagTerminalType, tagTVR, tagThirdParty, tagTrack2Eq,
		tagCategoryCode, tagCurrency, tagDate, tagType, tagUN,
	}
	dataRecordMag    = []tlv.Tag{tagLabel, tagPreferredName, tagDFName, tagCodeTable, tagMagVersion, tagPAR, tagTrack1, tagTrack2}
	discretionaryEMV = []tlv.Tag{
		tagACI, tagAppCurrency, tagBalanceBefore, tagBalanceAfter, tagDSSummary3, tagDSStatus, tagError, tagPostPut, tagPrePut, tagThirdParty, tagTornRecord,
	}
	discretionaryMag = []tlv.Tag{tagACI, tagDDTrack1, tagDDTrack2, tagError, tagThirdParty}
)

// list joins the objects that have a value.
func (t *tap) list(tags []tlv.Tag) []byte {
	var out []byte
	for _, tag := range tags {
		if v := t.db[tag]; len(v) > 0 {
			out = tlv.Append(out, tag, v)
		}
	}
	return out
}

// dataRecord is the value of FF8105.
func (t *tap) dataRecord() []byte {
	if t.mode == modeMag {
		return t.list(dataRecordMag)
	}
	return t.list(dataRecordEMV)
}

// discretionary is the value of FF8106. Before the mode is known it is the error indication alone.
func (t *tap) discretionary() []byte {
	switch t.mode {
	case modeEMV:
		return t.list(discretionaryEMV)
	case modeMag:
		return t.list(discretionaryMag)
	}
	return t.list([]tlv.Tag{tagError})
}

// ParameterSet writes an outcome as Outcome Parameter Set DF8129 (Book C-2, A.1; Book A, 6.2). Values stand in the high nibbles; the low
// ones, which are reserved, are 0.
func ParameterSet(o contactless.Outcome) [8]byte {
	s := [8]byte{0xF0, 0xF0, 0xF0, 0xF0, 0x00, 0xF0, 0xFF, 0x00}
	if o.Status != 0 {
		s[0] = byte(o.Status) << 4
	}
	if o.Start != contactless.StartNone {
		s[1] = byte(o.Start-contactless.StartA) << 4
	}
	if o.CVM != contactless.CVMNone {
		s[3] = byte(o.CVM-contactless.NoCVM) << 4
	}
	for i, on := range []bool{o.UIOutcome != nil, o.UIRestart != nil, o.DataRecord != nil, o.Discretionary != nil, o.Receipt} {
		if on {
			s[4] |= 0x80 >> i
		}
	}
	switch {
	case o.FieldOff == contactless.FieldOffNow:
		s[6] = 0
	case o.FieldOff != 0:
		s[6] = byte(min(o.FieldOff/(100*time.Millisecond), 0xFE))
	}
	s[7] = byte(min(o.RemovalTimeout/(100*time.Millisecond), 0xFF))
	return s
}

// RequestData writes a user interface request as DF8116, 22 bytes (Book C-2, A.1).
func RequestData(u contactless.UIRequest) [22]byte {
	var b [22]byte
	b[0], b[1] = byte(u.Message), byte(u.Status)
	if hold, ok := tlv.AppendNumber(nil, int64(u.Hold/(100*time.Millisecond)), 3); ok {
		copy(b[2:], hold)
	}
	at := 5
	for _, l := range u.Languages {
		at += copy(b[at:13], l)
	}
	if u.Amount != nil {
		b[13] = 0x10
		if u.Balance {
			b[13] = 0x20
		}
		if v, ok := tlv.AppendNumber(nil, u.Amount.Minor, 6); ok {
			copy(b[14:], v)
		}
		if c, ok := tlv.AppendNumber(nil, int64(u.Amount.Currency), 2); ok {
			copy(b[20:], c)
		}
	}
	return b
}

// balanceOf is the balance that was read after the cryptogram, with the card's currency; nil when there is none.
func (t *tap) balanceOf() *money.Amount {
	if !t.db.notEmpty(tagBalanceAfter) {
		return nil
	}
	return &money.Amount{Minor: t.db.decimal(tagBalanceAfter), Currency: money.Currency(t.db.decimal(tagAppCurrency))}
}
