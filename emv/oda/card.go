package oda

import (
	"errors"
	"time"

	"posd/emv/tlv"
)

// Errors of the functions about a card. They say which kind of no it was; what follows from it is for the kernel to know.
var (
	ErrMissing = errors.New("oda: a data object of the card is missing")            // TVR "ICC data missing" (Book 3, 7.2)
	ErrNoCAKey = errors.New("oda: the certification authority's key is not here")   // no key for RID and 8F, or one of the other kind
	ErrFailed  = errors.New("oda: a certificate or signature of the card is wrong") // everything else
)

// Card is what authentication needs to know of a card and of the terminal. Nothing in it is changed.
type Card struct {
	RID []byte // the first five bytes of the DF name
	PAN []byte // field 5A as it came: digits padded with F
	// Get gives the card's data objects, the AIP 82 among them.
	Get func(tlv.Tag) ([]byte, bool)
	// Static is the records that the AFL marks as signed, joined: without tag and length of template 70 for SFI 1 to 10, whole for SFI
	// 11 to 30 (Book 3, 10.3). The AIP is not part of it.
	Static []byte
	// Broken tells that one of these records could not be read as it must be: authentication takes place and fails.
	Broken  bool
	Today   time.Time // RSA certificates are compared with its month, ECC ones with its UTC minute
	CAKeys  []CAKey
	Revoked []Revoked
}

// Data objects of offline data authentication (Book 3, Annex A).
const (
	tagPAN        tlv.Tag = 0x5A
	tagAIP        tlv.Tag = 0x82
	tagDFName     tlv.Tag = 0x84
	tagCAIndex    tlv.Tag = 0x8F
	tagIssuerCert tlv.Tag = 0x90
	tagIssuerRest tlv.Tag = 0x92
	tagSSAD       tlv.Tag = 0x93
	tagAID        tlv.Tag = 0x9F06
	tagPINCert    tlv.Tag = 0x9F2D
	tagPINExp     tlv.Tag = 0x9F2E
	tagPINRest    tlv.Tag = 0x9F2F
	tagIssuerExp  tlv.Tag = 0x9F32
	tagPDOL       tlv.Tag = 0x9F38
	tagICCCert    tlv.Tag = 0x9F46
	tagICCExp     tlv.Tag = 0x9F47
	tagICCRest    tlv.Tag = 0x9F48
	tagTagList    tlv.Tag = 0x9F4A
	tagSDAD       tlv.Tag = 0x9F4B
)

// have tells whether the card has all the objects that a method needs.
func (c *Card) have(tags ...tlv.Tag) bool {
	for _, t := range tags {
		if _, ok := c.Get(t); !ok {
			return false
		}
	}
	return true
}

// get is the value of an object that may be missing.
func (c *Card) get(t tlv.Tag) []byte {
	v, _ := c.Get(t)
	return v
}

// StaticData is the input of the hash beside the certificate: the signed records, and the AIP when the tag list says so. The tag
// list may name the AIP alone (Book 2, 5.1.1; Book 3, 10.3). Anything else in it is ErrFailed.
func (c Card) StaticData() ([]byte, error) {
	if c.Broken {
		return nil, ErrFailed
	}
	list, has := c.Get(tagTagList)
	if !has {
		return c.Static, nil
	}
	if len(list) != 1 || list[0] != byte(tagAIP) {
		return nil, ErrFailed
	}
	return append(c.Static[:len(c.Static):len(c.Static)], c.get(tagAIP)...), nil
}

// notExpired checks a certificate's MMYY: it is good through the last day of that month.
func (c *Card) notExpired(mmyy []byte) bool {
	v, err := tlv.Number(mmyy)
	if err != nil {
		return false
	}
	m, y := int(v/100), int(v%100)
	if m < 1 || m > 12 {
		return false
	}
	if y < 50 {
		y += 100
	}
	return (1900+y)*12+m >= c.Today.Year()*12+int(c.Today.Month())
}

// prefixOfPAN compares an issuer identifier, 3 to 8 digits padded with F on the right, with the PAN.
func prefixOfPAN(id, pan []byte) bool {
	digits := 0
	for i := range 2 * len(id) {
		a, b := nibble(id, i), byte(0x0F)
		if i < 2*len(pan) {
			b = nibble(pan, i)
		}
		if a == 0x0F {
			// Only padding may follow.
			for j := i; j < 2*len(id); j++ {
				if nibble(id, j) != 0x0F {
					return false
				}
			}
			break
		}
		if a != b {
			return false
		}
		digits++
	}
	return digits >= 3
}

func nibble(b []byte, i int) byte {
	if i%2 == 0 {
		return b[i/2] >> 4
	}
	return b[i/2] & 0x0F
}
