package kernel2

import (
	"fmt"
	"time"

	"posd/emv"
	"posd/emv/contactless"
	"posd/emv/tlv"
)

// defaults are the values of configuration objects that the reader's data leave out (Book C-2, A.1 and table 4.2 of its configuration
// chapter). Two implementations agree on them, but for the action codes and DF811C: see rules.go.
var defaults = map[tlv.Tag][]byte{
	tagAdditional:    {0, 0, 0, 0, 0},
	tagVersion:       {0x00, 0x02},
	tagInputCap:      {0x00},
	tagCVMCap:        {0x00},
	tagNoCVMCap:      {0x00},
	tagDefaultUDOL:   {0x9F, 0x6A, 0x04},
	tagHoldTime:      {0x0D},
	tagKernelConfig:  {0x00},
	tagKernelID:      {0x02},
	tagMagVersion:    {0x00, 0x01},
	tagMagCVMCap:     {0xF0},
	tagMagNoCVMCap:   {0xF0},
	tagTornLifetime:  defaultTornLifetime,
	tagTornMax:       {0x00},
	tagMessageHold:   {0x00, 0x00, 0x13},
	tagPhoneTable:    defaultPhoneTable,
	tagMinGrace:      {0x00, 0x14},
	tagMaxGrace:      {0x00, 0x32},
	tagFloorLimit:    {0, 0, 0, 0, 0, 0},
	tagLimitNoDevice: {0, 0, 0, 0, 0, 0},
	tagLimitDevice:   {0, 0, 0, 0, 0, 0},
	tagCVMLimit:      {0, 0, 0, 0, 0, 0},
	tagAccuracy:      {0x01, 0x2C},
	tagMismatch:      {0x32},
	tagSecurityCap:   {0x00},
	tagTACDefault:    defaultTAC,
	tagTACDenial:     defaultTAC,
	tagTACOnline:     defaultTAC,
	tagCountry:       {0x00, 0x00},
	tagExpectedC:     {0x00, 0x12},
	tagExpectedR:     {0x00, 0x18},
	tagTerminalType:  {0x00},
	tagTimeOut:       {0x01, 0xF4},
}

// kernelOnly are objects that only the kernel makes: configuration with one of them is refused.
var kernelOnly = map[tlv.Tag]bool{
	tagTVR: true, tagCVMResults: true, tagUN: true, tagUNNumeric: true, tagCapabilities: true, tagMobileSupport: true, tagDSDigest: true, tagDSSummary2: true,
	tagDSSummary3: true, tagDSStatus: true, tagPostPut: true, tagPrePut: true, tagPDOLData: true, tagCDOL1Data: true, tagDRDOLData: true,
	tagReference: true, tagError: true, tagUIRequest: true, tagOutcome: true, tagIDSStatus: true, tagTornRecord: true, tagDataRecord: true,
	tagDiscretionary: true, tagICCDynamic: true, tagTerminalEntropy: true, tagDeviceEntropy: true, tagMinTime: true, tagMaxTime: true, tagEstimated: true,
	tagMeasured: true, tagRRPCounter: true, tagAIP: true, tagAFL: true, tagPAN: true, tagTrack1: true, tagTrack2: true, tagTrack2Eq: true,
}

// newDatabase is KS.1 and the data of ACT: defaults under the combination's data, the transaction over both. Errors are about the reader's
// own data and wrap emv.ErrConfig.
func newDatabase(a *contactless.Activation) (database, error) {
	db := make(database, 160)
	for t, v := range defaults {
		db[t] = v
	}
	app := &a.Combination.App
	if app.Version != [2]byte{} {
		db[tagVersion] = app.Version[:]
	}
	if app.TACDefault != [5]byte{} || app.TACDenial != [5]byte{} || app.TACOnline != [5]byte{} {
		db[tagTACDefault], db[tagTACDenial], db[tagTACOnline] = app.TACDefault[:], app.TACDenial[:], app.TACOnline[:]
	}
	if err := db.terminal(&a.Terminal); err != nil {
		return nil, err
	}
	for n, v := range a.Combination.Data {
		t := tlv.Tag(n)
		d, known := dictionary[t]
		switch {
		case !validTag(t):
			return nil, badData(t, "is no tag")
		case kernelOnly[t] || known && d.from == fromCard:
			return nil, badData(t, "is not for the reader to set")
		case known && len(v) > 0 && !d.fits(t, len(v)):
			return nil, badData(t, fmt.Sprintf("has %d bytes", len(v)))
		case known && len(v) == 0 && defaults[t] != nil:
			return nil, badData(t, "is empty")
		}
		db[t] = v
	}
	if len(db[tagPhoneTable])%phoneRow != 0 {
		return nil, badData(tagPhoneTable, "has no whole rows")
	}
	for _, t := range []tlv.Tag{tagFloorLimit, tagLimitNoDevice, tagLimitDevice, tagCVMLimit, tagMessageHold} {
		if _, err := tlv.Number(db[t]); err != nil {
			return nil, badData(t, "is no decimal number")
		}
	}
	return db, db.transaction(&a.Transaction)
}

// terminal enters the terminal's own data (Book C-2, A.1, objects with source "K" that describe it).
func (db database) terminal(t *emv.Terminal) error {
	country, _ := tlv.AppendNumber(nil, int64(t.Country), 2)
	db[tagCountry] = country
	db[tagTerminalType] = []byte{t.Type}
	db[tagAdditional] = t.Additional[:]
	for tag, s := range map[tlv.Tag]string{tagIFDSerial: t.IFDSerial, tagTerminalID: t.TerminalID, tagMerchantID: t.MerchantID, tagMerchantName: t.MerchantName} {
		if s == "" {
			continue
		}
		if !dictionary[tag].fits(tag, len(s)) {
			return badData(tag, fmt.Sprintf("has %d bytes", len(s)))
		}
		db[tag] = []byte(s)
	}
	for tag, s := range map[tlv.Tag]string{tagCategory: t.Category, tagAcquirerID: t.AcquirerID} {
		if s == "" {
			continue
		}
		var n int64
		for _, c := range []byte(s) {
			if c < '0' || c > '9' || n > 1e17 {
				return badData(tag, "is no decimal number")
			}
			n = n*10 + int64(c-'0')
		}
		v, ok := tlv.AppendNumber(nil, n, dictionary[tag].max)
		if !ok {
			return badData(tag, "is too long")
		}
		db[tag] = v
	}
	return nil
}

// transaction enters what the merchant asks for (ACT). 9F03 is there only when there is another amount, or when the reader's data name it.
func (db database) transaction(tr *contactless.Transaction) error {
	put := func(t tlv.Tag, v int64, n int) error {
		b, ok := tlv.AppendNumber(nil, v, n)
		if !ok {
			return badData(t, "cannot be written")
		}
		db[t] = b
		return nil
	}
	if tr.Rand == nil {
		return fmt.Errorf("%w: kernel 2: no source of randomness", emv.ErrConfig)
	}
	// An amount that the reader's data hold as empty comes by data exchange (S1.12).
	if !db.empty(tagAmount) {
		if err := put(tagAmount, tr.Amount.Minor, 6); err != nil {
			return err
		}
	}
	if tr.Other != 0 || db.present(tagOther) && !db.empty(tagOther) {
		if err := put(tagOther, tr.Other, 6); err != nil {
			return err
		}
	}
	if err := put(tagCurrency, int64(tr.Amount.Currency), 2); err != nil {
		return err
	}
	db[tagExponent] = []byte{byte(tr.Amount.Currency.Exponent())}
	db[tagType] = []byte{tr.Type}
	db[tagDate] = bcd(tr.Time.Year()%100, int(tr.Time.Month()), tr.Time.Day())
	db[tagTime] = bcd(tr.Time.Hour(), tr.Time.Minute(), tr.Time.Second())
	return nil
}

// bcd writes numbers below 100, a byte each.
func bcd(n ...int) []byte {
	b := make([]byte, len(n))
	for i, v := range n {
		b[i] = byte(v/10<<4 | v%10)
	}
	return b
}

func badData(t tlv.Tag, why string) error {
	return fmt.Errorf("%w: kernel 2: %v %s", emv.ErrConfig, t, why)
}

// tenths is a hold time in the books' units of 100 ms.
func tenths(n int64) time.Duration { return time.Duration(n) * 100 * time.Millisecond }
