package emv

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"posd/emv/tlv"
)

// Data objects of an acquirer's downloads: the lists that UnionPay's hosts send in field 62 of the answers to 0800 with the network
// management codes 370 (public keys) and 380 (applications). The numbers are those of its terminals everywhere.
const (
	dlSelection    tlv.Tag = 0xDF01 // application selection indicator: 00 part of the name, 01 the whole name
	dlModulus      tlv.Tag = 0xDF02
	dlChecksum     tlv.Tag = 0xDF03
	dlExponent     tlv.Tag = 0xDF04
	dlExpiry       tlv.Tag = 0xDF05 // YYYYMMDD, eight characters or four bytes of digits
	dlHash         tlv.Tag = 0xDF06 // 01: SHA-1
	dlAlgorithm    tlv.Tag = 0xDF07 // 01: RSA
	dlTACDefault   tlv.Tag = 0xDF11
	dlTACOnline    tlv.Tag = 0xDF12
	dlTACDenial    tlv.Tag = 0xDF13
	dlDDOL         tlv.Tag = 0xDF14
	dlThreshold    tlv.Tag = 0xDF15
	dlMaxTarget    tlv.Tag = 0xDF16
	dlTarget       tlv.Tag = 0xDF17
	dlOnlinePIN    tlv.Tag = 0xDF18
	dlCLFloor      tlv.Tag = 0xDF19
	dlCLLimit      tlv.Tag = 0xDF20
	dlCLCVMLimit   tlv.Tag = 0xDF21
	dlECashLimit   tlv.Tag = 0x9F7B
	maxDownload            = 1024 // bytes of one block; field 62 of a message is shorter
	maxDownloaded          = 64   // objects of one block
	checksumBytes          = 20
	dlAlgorithmRSA         = 0x01
	dlHashSHA1             = 0x01
	dlExactMatch           = 0x01
	digitsOfAmount         = 6
)

// AIDParameters is one application of a download. The limits for contactless and electronic cash are minor units, -1 where the
// download had none: they are not this kernel's.
type AIDParameters struct {
	Application
	ECashLimit          int64 // 9F7B
	ContactlessFloor    int64 // DF19
	ContactlessLimit    int64 // DF20
	ContactlessCVMLimit int64 // DF21
}

// CAKeyParameters is one public key of a download.
type CAKeyParameters struct {
	CAKey
	Expiry time.Time // the last day (UTC midnight); zero when the download had none
}

// ParseAIDParameters reads the data objects of one application in an acquirer's download. Mandatory are 9F06 (the AID), 9F08 or 9F09 (the
// version), the three action codes and 9F1B (the floor limit); percentages and threshold are zero when they are absent. Objects that are
// not known are passed over. Errors are *ParameterError with tag and offset and wrap ErrConfig.
func ParseAIDParameters(block []byte) (AIDParameters, error) {
	p := AIDParameters{ECashLimit: -1, ContactlessFloor: -1, ContactlessLimit: -1, ContactlessCVMLimit: -1}
	p.Partial = true // UnionPay's terminals match part of the name unless they are told otherwise
	r, err := readDownload("application", block)
	if err != nil {
		return AIDParameters{}, err
	}
	a := &p.Application
	a.AID = r.bytes(tagAID, true, 5, 16)
	version := tagVersion
	if !r.has(version) {
		version = tagCardVersion // UnionPay's hosts send the terminal's version under the card's tag
	}
	copy(a.Version[:], r.bytes(version, true, 2, 2))
	copy(a.TACDefault[:], r.bytes(dlTACDefault, true, 5, 5))
	copy(a.TACOnline[:], r.bytes(dlTACOnline, true, 5, 5))
	copy(a.TACDenial[:], r.bytes(dlTACDenial, true, 5, 5))
	a.FloorLimit = r.binary(tagFloorLimit, true)
	// A threshold that is not below the floor limit means that there is no bias (Book 3, 10.6.2).
	a.Threshold = min(r.binary(dlThreshold, false), a.FloorLimit)
	a.TargetPercent = int(r.number(dlTarget, 1, 0))
	a.MaxTargetPercent = max(int(r.number(dlMaxTarget, 1, 0)), a.TargetPercent)
	if v := r.bytes(dlDDOL, false, 0, tlv.MaxDOL); len(v) > 0 {
		a.DDOL = v
	}
	if v := r.bytes(dlSelection, false, 1, 1); v != nil {
		if v[0] > dlExactMatch {
			r.fail(dlSelection, "is neither 00 nor 01")
		}
		a.Partial = v[0] != dlExactMatch
	}
	if v := r.bytes(dlOnlinePIN, false, 1, 1); v != nil {
		a.NoOnlinePIN = v[0]&0x01 == 0
	}
	p.ECashLimit = r.number(dlECashLimit, digitsOfAmount, -1)
	p.ContactlessFloor = r.number(dlCLFloor, digitsOfAmount, -1)
	p.ContactlessLimit = r.number(dlCLLimit, digitsOfAmount, -1)
	p.ContactlessCVMLimit = r.number(dlCLCVMLimit, digitsOfAmount, -1)
	if r.err == nil {
		if key, why := a.check(); why != "" {
			r.err = &ParameterError{Table: "application", Name: hexString(a.AID), Key: key, Reason: why}
		}
	}
	if r.err != nil {
		return AIDParameters{}, r.err
	}
	return p, nil
}

// ParseCAKey reads the data objects of one certification authority public key in an acquirer's download. Mandatory are 9F06 (here the
// RID), 9F22 (index), DF02 (modulus), DF04 (exponent) and DF03 (SHA-1 over RID, index, modulus and exponent, which must fit). Keys for
// other algorithms than RSA and SHA-1 are refused. Errors are *ParameterError with tag and offset and wrap ErrConfig.
func ParseCAKey(block []byte) (CAKeyParameters, error) {
	r, err := readDownload("ca_key", block)
	if err != nil {
		return CAKeyParameters{}, err
	}
	rid := r.bytes(tagAID, true, 5, 5)
	index := r.bytes(tagCAIndexTerm, true, 1, 1)
	for _, a := range []struct {
		tag  tlv.Tag
		want byte
	}{{dlHash, dlHashSHA1}, {dlAlgorithm, dlAlgorithmRSA}} {
		if v := r.bytes(a.tag, false, 1, 1); v != nil && v[0] != a.want {
			r.fail(a.tag, fmt.Sprintf("%02X is not supported", v[0]))
		}
	}
	modulus := r.bytes(dlModulus, true, 1, 256)
	exponent := r.bytes(dlExponent, true, 1, 3)
	sum := r.bytes(dlChecksum, true, checksumBytes, checksumBytes)
	p := CAKeyParameters{Expiry: r.date(dlExpiry)}
	if r.err != nil {
		return CAKeyParameters{}, r.err
	}
	p.CAKey, err = NewCAKey([5]byte(rid), index[0], modulus, exponent, sum)
	if err != nil {
		return CAKeyParameters{}, err
	}
	return p, nil
}

// WithApplication returns a copy of the parameters in which a downloaded application has taken the place of the one with the same AID,
// or stands behind all others. What a download does not speak of (name, TDOL, transaction types, what the terminal is to it) stays. The
// receiver, which Kernels may use, is not changed.
func (c Config) WithApplication(p AIDParameters) Config {
	a := p.Application
	c.Applications = slices.Clone(c.Applications)
	for i := range c.Applications {
		old := &c.Applications[i]
		if !bytes.Equal(old.AID, a.AID) {
			continue
		}
		a.Name, a.TDOL, a.Types, a.NoPINBypass = old.Name, old.TDOL, old.Types, old.NoPINBypass
		a.TerminalType, a.Capabilities, a.Additional = old.TerminalType, old.Capabilities, old.Additional
		if a.DDOL == nil {
			a.DDOL = old.DDOL
		}
		c.Applications[i] = a
		return c
	}
	c.Applications = append(c.Applications, a)
	return c
}

// WithCAKey returns a copy of the parameters in which a downloaded key has taken the place of the one with the same RID and index, or
// stands behind all others.
func (c Config) WithCAKey(p CAKeyParameters) Config {
	c.CAKeys = slices.Clone(c.CAKeys)
	for i, k := range c.CAKeys {
		if k.RID == p.RID && k.Index == p.Index {
			c.CAKeys[i] = p.CAKey
			return c
		}
	}
	c.CAKeys = append(c.CAKeys, p.CAKey)
	return c
}

// download is the objects of one block. The first thing that is wrong with one of them is kept in err; what is read after that has no
// meaning.
type download struct {
	table   string
	objects []tlv.Object
	err     error
}

func readDownload(table string, block []byte) (*download, error) {
	r := &download{table: table}
	if len(block) > maxDownload {
		return nil, &ParameterError{Table: table, Reason: fmt.Sprintf("a block of %d bytes, at most %d", len(block), maxDownload)}
	}
	d := tlv.NewDecoder(block)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if r.has(o.Tag) {
			return nil, &ParameterError{Table: table, Tag: o.Tag, Offset: o.Offset, Reason: "comes twice"}
		}
		if len(r.objects) == maxDownloaded {
			return nil, &ParameterError{Table: table, Tag: o.Tag, Offset: o.Offset, Reason: fmt.Sprintf("more than %d data objects", maxDownloaded)}
		}
		r.objects = append(r.objects, o)
	}
	if err := d.Err(); err != nil {
		return nil, &ParameterError{Table: table, Reason: err.Error()}
	}
	return r, nil
}

func (r *download) find(t tlv.Tag) *tlv.Object {
	for i := range r.objects {
		if r.objects[i].Tag == t {
			return &r.objects[i]
		}
	}
	return nil
}

func (r *download) has(t tlv.Tag) bool { return r.find(t) != nil }

func (r *download) fail(t tlv.Tag, why string) {
	if r.err != nil {
		return
	}
	e := &ParameterError{Table: r.table, Tag: t, Reason: why}
	if o := r.find(t); o != nil {
		e.Offset = o.Offset
	}
	r.err = e
}

// bytes returns a copy of an object of least to most bytes; nil when it is absent or wrong.
func (r *download) bytes(t tlv.Tag, mandatory bool, least, most int) []byte {
	o := r.find(t)
	switch {
	case o == nil && mandatory:
		r.fail(t, "is missing")
	case o == nil:
	case len(o.Value) < least || len(o.Value) > most:
		r.fail(t, fmt.Sprintf("has %d bytes, not %d to %d", len(o.Value), least, most))
	default:
		return append(make([]byte, 0, len(o.Value)), o.Value...)
	}
	return nil
}

// binary returns an amount of four bytes, 0 when it is absent.
func (r *download) binary(t tlv.Tag, mandatory bool) int64 {
	var v int64
	for _, c := range r.bytes(t, mandatory, 4, 4) {
		v = v<<8 | int64(c)
	}
	return v
}

// number returns decimal digits in n bytes, absent when there are none.
func (r *download) number(t tlv.Tag, n int, absent int64) int64 {
	b := r.bytes(t, false, n, n)
	if b == nil {
		return absent
	}
	v, err := tlv.Number(b)
	if err != nil {
		r.fail(t, "is not decimal digits")
	}
	return v
}

// date returns a day, the zero time when it is absent.
func (r *download) date(t tlv.Tag) time.Time {
	b := r.bytes(t, false, 4, 8)
	if b == nil {
		return time.Time{}
	}
	text := string(b)
	if len(b) == 4 {
		text = fmt.Sprintf("%X", b)
	}
	day, err := time.Parse("20060102", text)
	if err != nil {
		r.fail(t, "is not a date YYYYMMDD")
	}
	return day
}
