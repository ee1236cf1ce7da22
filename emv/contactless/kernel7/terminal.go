package kernel7

import (
	"strconv"

	"posd/emv/tlv"
)

// terminalData are the terminal's data objects for data object lists and for the data record.
type terminalData struct {
	store tlv.Store
	cvm   [3]byte // aliased by 9F34
	buf   [64]byte
}

// fill puts the objects in place; why says what cannot be put to a card. The reader's own objects come first: they cannot replace those
// of the transaction.
func (t *terminalData) fill(r *run) (why string) {
	tx, term, app := &r.a.Transaction, &r.a.Terminal, &r.a.Combination.App
	for tag, v := range r.a.Combination.Data {
		t.store.Set(tlv.Tag(tag), v)
	}
	b := t.buf[:0]
	number := func(tag tlv.Tag, v int64, n int) {
		start := len(b)
		var ok bool
		if b, ok = tlv.AppendNumber(b, v, n); !ok && why == "" {
			why = tag.String() + " does not fit " + strconv.Itoa(2*n) + " digits"
		}
		t.store.Set(tag, b[start:len(b):len(b)])
	}
	y := tx.Time.Year()
	if y < 1950 || y > 2049 {
		return "the date does not fit two digits of year" // Book 4, 6.7.3
	}
	number(tagAmount, tx.Amount.Minor, 6)
	number(tagOther, tx.Other, 6)
	number(tagCurrency, int64(tx.Amount.Currency), 2)
	number(tagExponent, int64(tx.Amount.Currency.Exponent()), 1)
	number(tagDate, int64(y%100)*10000+int64(tx.Time.Month())*100+int64(tx.Time.Day()), 3)
	number(tagTime, int64(tx.Time.Hour())*10000+int64(tx.Time.Minute())*100+int64(tx.Time.Second()), 3)
	number(tagCounter, int64(tx.Counter), 4)
	number(tagCountry, int64(term.Country), 2)
	if why != "" {
		return why
	}
	if tx.Type>>4 > 9 || tx.Type&0x0F > 9 {
		return "the transaction type is not two digits"
	}
	if m := tx.Amount.Minor; m <= 0xFFFFFFFF {
		t.store.Set(tagAmountBinary, []byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)})
	}
	t.store.Set(tagType, []byte{tx.Type})
	t.store.Set(tagUN, r.a.UN[:])
	t.store.Set(tagTTQ, r.ttq[:])
	t.store.Set(tagTVR, make([]byte, 5)) // zeros, in the PDOL and so in field 55: the cryptogram is over them
	t.store.Set(tagCVMResults, t.cvm[:])
	t.store.Set(tagEntryMode, []byte{0x07}) // contactless, chip data
	t.store.Set(tagExtended, []byte{0})
	t.store.Set(tagSM, []byte{0})
	r.k.cfg.Cash.announce(r)

	kind, caps, add := term.Type, term.Capabilities, term.Additional
	if app.TerminalType != 0 {
		kind = app.TerminalType
	}
	if app.Capabilities != [3]byte{} {
		caps = app.Capabilities
	}
	if app.Additional != [5]byte{} {
		add = app.Additional
	}
	if app.NoOnlinePIN {
		bit{2, 7}.clear(caps[:]) // Book 4, A2: enciphered PIN for online verification
	}
	t.store.Set(tagTerminalType, []byte{kind})
	t.store.Set(tagCapabilities, caps[:])
	t.store.Set(tagAdditional, add[:])
	t.store.Set(tagVersion, app.Version[:])
	t.store.Set(tagAID, r.a.Combination.AID)
	for _, o := range [...]struct {
		tag   tlv.Tag
		value string
		size  int // bytes of a number; 0 for text
	}{
		{tagIFDSerial, term.IFDSerial, 0},
		{tagTerminalID, term.TerminalID, 0},
		{tagMerchantID, term.MerchantID, 0},
		{tagMerchantName, term.MerchantName, 0},
		{tagCategory, term.Category, 2},
		{tagAcquirerID, term.AcquirerID, 6},
	} {
		switch {
		case o.value == "":
		case o.size == 0:
			t.store.Set(o.tag, []byte(o.value))
		default:
			n, err := strconv.ParseInt(o.value, 10, 64)
			d, ok := tlv.AppendNumber(nil, n, o.size)
			if err != nil || !ok {
				return o.tag.String() + " is not a number of its length"
			}
			t.store.Set(o.tag, d)
		}
	}
	return ""
}

// objects are the data objects of a finished transaction: the terminal's, else the card's.
type objects struct{ term, icc tlv.Store }

// Get implements contactless.Objects.
func (o *objects) Get(t tlv.Tag) ([]byte, bool) {
	if v, ok := o.term.Get(t); ok {
		return v, true
	}
	return o.icc.Get(t)
}
