package contactless

import (
	"errors"
	"fmt"
	"time"

	"posd/emv/tlv"
	"posd/internal/money"
)

// Lengths of the two objects that carry an outcome as data (Book C-2, A.1; Book A, 6.2 and 7).
const (
	parameterSetLen = 8
	uiRequestLen    = 22
)

// ErrCoding is wrapped by the errors of ParseParameterSet and ParseUIRequest.
var ErrCoding = errors.New("contactless: bad coding")

// CodingError says which byte of an outcome's coding is wrong.
type CodingError struct {
	Tag    tlv.Tag
	Field  string
	Offset int // from 0
	Reason string
}

func (e *CodingError) Error() string {
	return fmt.Sprintf("%v: %s of %s at offset %d %s", ErrCoding, e.Field, e.Tag, e.Offset, e.Reason)
}

func (e *CodingError) Unwrap() error { return ErrCoding }

const (
	tagParameterSet tlv.Tag = 0xDF8129
	tagUIRequest    tlv.Tag = 0xDF8116
)

// Bits of byte 5 of the Outcome Parameter Set.
const (
	setUIOutcome     = 0x80
	setUIRestart     = 0x40
	setDataRecord    = 0x20
	setDiscretionary = 0x10
	setReceipt       = 0x08
)

// The values of an Outcome Parameter Set stand in bits 8 to 5; the low nibbles are reserved and zero. Not applicable is 1111. That the
// unused nibbles are 0 rather than F is not from the book: a certification must settle it.
const (
	notApplicable    = 0xF0
	noFieldOff       = 0xFF
	maxFieldOff      = 0xFE
	parameterSetUnit = 100 * time.Millisecond
)

// ParameterSet codes the outcome as the Outcome Parameter Set DF8129. Times are rounded up to 100 ms and end at what a byte can hold.
func (o *Outcome) ParameterSet() [parameterSetLen]byte {
	p := [parameterSetLen]byte{notApplicable, notApplicable, notApplicable, notApplicable, 0x00, notApplicable, noFieldOff, 0x00}
	if o.Status >= Approved && o.Status <= TryAgain {
		p[0] = byte(o.Status) << 4
	}
	if o.Start >= StartA && o.Start <= StartD {
		p[1] = byte(o.Start-StartA) << 4
	}
	// Values from one source: the books give kernel 2 nothing but "not applicable" here.
	if o.OnlineResponse == ResponseEMVData || o.OnlineResponse == ResponseAny {
		p[2] = byte(o.OnlineResponse) << 4
	}
	if o.CVM >= NoCVM && o.CVM <= ConfirmationCode {
		p[3] = byte(o.CVM-NoCVM) << 4
	}
	for _, f := range []struct {
		on  bool
		bit byte
	}{
		{o.UIOutcome != nil, setUIOutcome},
		{o.UIRestart != nil, setUIRestart},
		{len(o.DataRecord) > 0, setDataRecord},
		{len(o.Discretionary) > 0, setDiscretionary},
		{o.Receipt, setReceipt},
	} {
		if f.on {
			p[4] |= f.bit
		}
	}
	if o.Alternate == Contact || o.Alternate == Stripe {
		p[5] = byte(o.Alternate) << 4
	}
	switch {
	case o.FieldOff < 0:
		p[6] = 0
	case o.FieldOff > 0:
		p[6] = byte(tenths(o.FieldOff, maxFieldOff))
	}
	p[7] = byte(tenths(max(o.RemovalTimeout, 0), 0xFF))
	return p
}

// tenths is d in units of 100 ms, rounded up, at most limit.
func tenths(d time.Duration, limit int64) int64 {
	n := int64(d / parameterSetUnit)
	if d%parameterSetUnit != 0 {
		n++
	}
	return min(n, limit)
}

// ParseParameterSet reads an Outcome Parameter Set DF8129. User interface requests and records are objects of their own: what the set says of
// them is in present. Values that the book does not have are a *CodingError; the reserved low nibbles are not looked at.
func ParseParameterSet(b []byte) (o Outcome, present Present, err error) {
	fail := func(field string, offset int, reason string) (Outcome, Present, error) {
		return Outcome{}, Present{}, &CodingError{Tag: tagParameterSet, Field: field, Offset: offset, Reason: reason}
	}
	if len(b) != parameterSetLen {
		return fail("length", 0, fmt.Sprintf("is %d, not %d", len(b), parameterSetLen))
	}
	n := [6]byte{b[0] >> 4, b[1] >> 4, b[2] >> 4, b[3] >> 4, 0, b[5] >> 4}
	const na = notApplicable >> 4
	switch {
	case n[0] != na && (n[0] < byte(Approved) || n[0] > byte(TryAgain)):
		return fail("status", 0, "is reserved")
	case n[1] != na && n[1] > byte(StartD-StartA):
		return fail("start", 1, "is reserved")
	case n[2] != na && n[2] != byte(ResponseEMVData) && n[2] != byte(ResponseAny):
		return fail("online response data", 2, "is reserved")
	case n[3] != na && n[3] > byte(ConfirmationCode-NoCVM):
		return fail("CVM", 3, "is reserved")
	case n[5] != na && n[5] != byte(Contact) && n[5] != byte(Stripe):
		return fail("alternate interface preference", 5, "is reserved")
	}
	if n[0] != na {
		o.Status = Status(n[0])
	}
	if n[1] != na {
		o.Start = StartA + Start(n[1])
	}
	if n[2] != na {
		o.OnlineResponse = OnlineResponse(n[2])
	}
	if n[3] != na {
		o.CVM = NoCVM + CVM(n[3])
	}
	if n[5] != na {
		o.Alternate = Interface(n[5])
	}
	o.Receipt = b[4]&setReceipt != 0
	switch b[6] {
	case noFieldOff:
	case 0:
		o.FieldOff = FieldOffNow
	default:
		o.FieldOff = time.Duration(b[6]) * parameterSetUnit
	}
	o.RemovalTimeout = time.Duration(b[7]) * parameterSetUnit
	return o, Present{
		UIOutcome:     b[4]&setUIOutcome != 0,
		UIRestart:     b[4]&setUIRestart != 0,
		DataRecord:    b[4]&setDataRecord != 0,
		Discretionary: b[4]&setDiscretionary != 0,
	}, nil
}

// Present says which objects come with an Outcome Parameter Set.
type Present struct {
	UIOutcome, UIRestart, DataRecord, Discretionary bool
}

// Value qualifiers of a user interface request, bits 8 to 5.
const (
	qualifierAmount  = 0x10
	qualifierBalance = 0x20
)

// Places in User Interface Request Data.
const (
	uiHold      = 2
	uiLanguages = 5
	uiQualifier = 13
	uiValue     = 14
	uiCurrency  = 20
	maxHold     = 999999 // six digits of 100 ms
	maxAmount   = 999_999_999_999
)

// Encode codes the request as User Interface Request Data DF8116. A value that does not fit twelve digits is left out.
func (u *UIRequest) Encode() [uiRequestLen]byte {
	var b [uiRequestLen]byte
	b[0], b[1] = byte(u.Message), byte(u.Status)
	tlv.AppendNumber(b[uiHold:uiHold], tenths(max(u.Hold, 0), maxHold), 3)
	at := uiLanguages
	for _, l := range u.Languages {
		if len(l) == 2 && at < uiQualifier {
			at += copy(b[at:uiQualifier], l)
		}
	}
	if u.Amount == nil || u.Amount.Currency > 999 || u.Amount.Minor < 0 || u.Amount.Minor > maxAmount {
		return b
	}
	tlv.AppendNumber(b[uiValue:uiValue], u.Amount.Minor, 6)
	b[uiQualifier] = qualifierAmount
	if u.Balance {
		b[uiQualifier] = qualifierBalance
	}
	tlv.AppendNumber(b[uiCurrency:uiCurrency], int64(u.Amount.Currency), 2)
	return b
}

// ParseUIRequest reads User Interface Request Data DF8116. Errors are *CodingError.
func ParseUIRequest(b []byte) (UIRequest, error) {
	fail := func(field string, offset int, reason string) (UIRequest, error) {
		return UIRequest{}, &CodingError{Tag: tagUIRequest, Field: field, Offset: offset, Reason: reason}
	}
	if len(b) != uiRequestLen {
		return fail("length", 0, fmt.Sprintf("is %d, not %d", len(b), uiRequestLen))
	}
	u := UIRequest{Message: Message(b[0]), Status: UIStatus(b[1])}
	if u.Status > ProcessingError && u.Status != StatusNone {
		return fail("status", 1, "is reserved")
	}
	hold, err := tlv.Number(b[uiHold:uiLanguages])
	if err != nil {
		return fail("hold time", uiHold, "is not digits")
	}
	u.Hold = time.Duration(hold) * parameterSetUnit
	for i := uiLanguages; i < uiQualifier && b[i] != 0; i += 2 {
		if !letter(b[i]) || !letter(b[i+1]) {
			return fail("language preference", i, "is not letters")
		}
		u.Languages = append(u.Languages, string([]byte{b[i] | 0x20, b[i+1] | 0x20}))
	}
	switch b[uiQualifier] & 0xF0 {
	case 0:
		return u, nil
	case qualifierAmount:
	case qualifierBalance:
		u.Balance = true
	default:
		return fail("value qualifier", uiQualifier, "is reserved")
	}
	v, err := tlv.Number(b[uiValue:uiCurrency])
	if err != nil {
		return fail("value", uiValue, "is not digits")
	}
	c, err := tlv.Number(b[uiCurrency:])
	if err != nil || c > 999 {
		return fail("currency", uiCurrency, "is not three digits")
	}
	u.Amount = &money.Amount{Minor: v, Currency: money.Currency(c)}
	return u, nil
}

func letter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
