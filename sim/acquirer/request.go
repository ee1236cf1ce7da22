package acquirer

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"posd/emv/tlv"
	"posd/netlink/iso8583"
	"posd/vault"
)

// Message types.
const (
	mtiSale     = "0200"
	mtiReversal = "0400"
	mtiNotice   = "0620"
	mtiVoice    = "0220"
	mtiSignOn   = "0800"
	mtiManage   = "0820"
)

// financial tells whether a request is about money or a card, so that it has a MAC.
func financial(mti string) bool {
	return mti == mtiSale || mti == mtiReversal || mti == mtiNotice || mti == mtiVoice
}

// Values of field 60.1.
const (
	typeSale   = "22"
	typeUpload = "36" // approved by the card, without the host
	typeVoice  = "30" // approved by the issuer on the telephone
	typeManage = "00"
)

const (
	tpduSize   = 5
	headerSize = 6
	macSize    = 8
)

// request is a message of a terminal, taken apart.
type request struct {
	frame  []byte
	tpdu   [tpduSize]byte
	header [headerSize]byte
	body   []byte // from the MTI on
	msg    *iso8583.Message
	key    Key
	minor  int64
	pan    string // of field 2, or of track 2
}

var errShort = errors.New("frame shorter than TPDU and header")

// readRequest takes a frame's content apart.
func readRequest(frame []byte) (*request, error) {
	r := &request{frame: bytes.Clone(frame), msg: iso8583.NewMessage(spec)}
	if len(frame) < tpduSize+headerSize {
		return r, errShort
	}
	copy(r.tpdu[:], frame)
	copy(r.header[:], frame[tpduSize:])
	if r.tpdu[0] != 0x60 {
		return r, errors.New("TPDU does not begin with 60")
	}
	r.body = r.frame[tpduSize+headerSize:]
	if err := r.msg.Parse(r.body); err != nil {
		return r, err
	}
	if _, ok := fieldSets[r.msg.MTI()]; !ok {
		return r, errors.New("message type " + r.msg.MTI() + " is not served")
	}
	r.key.TID = r.msg.Text(41)
	r.key.STAN = uint32(number(r.msg.Text(11)))
	if f60 := r.msg.Text(60); len(f60) >= 8 {
		r.key.Batch = uint32(number(f60[2:8]))
	}
	r.minor = number(r.msg.Text(4))
	r.pan = r.msg.Text(2)
	if track, _, ok := strings.Cut(r.msg.Text(35), "D"); ok && r.pan == "" {
		r.pan = track
	}
	return r, nil
}

// number reads digits of a field; the codec has already seen that they are digits and at most twelve.
func number(digits string) int64 {
	v, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// fieldSet is what a request must have and what it may have besides.
type fieldSet struct{ must, may []int }

// fieldSets are the tables of request fields.
var fieldSets = map[string]fieldSet{
	mtiSale:     {must: []int{3, 4, 11, 22, 25, 41, 42, 49, 60, 64}, may: []int{2, 14, 23, 26, 35, 36, 52, 53, 55, 59}},
	mtiReversal: {must: []int{3, 4, 11, 22, 25, 39, 41, 42, 49, 60, 64}, may: []int{2, 14, 23, 26, 38, 52, 53, 55, 61}},
	mtiNotice:   {must: []int{2, 3, 4, 11, 22, 41, 42, 49, 55, 60, 61, 64}, may: []int{23, 25, 32, 37, 38}},
	mtiVoice:    {must: []int{2, 3, 4, 11, 22, 25, 38, 41, 42, 49, 60, 61, 63, 64}, may: []int{14, 48}},
	mtiSignOn:   {must: []int{11, 41, 42, 60, 63}, may: []int{62}},
	mtiManage:   {must: []int{41, 42, 60}, may: []int{11}},
}

// checkFields tells what is wrong with the fields of a request; "" when nothing is.
func (r *request) checkFields() string {
	set := fieldSets[r.msg.MTI()]
	allowed := map[int]bool{}
	for _, n := range set.must {
		allowed[n] = true
		if !r.msg.Has(n) {
			return fmt.Sprintf("field %d is missing", n)
		}
	}
	for _, n := range set.may {
		allowed[n] = true
	}
	for _, n := range r.msg.Present(nil) {
		if !allowed[n] {
			return fmt.Sprintf("field %d does not belong into a %s", n, r.msg.MTI())
		}
	}
	if len(r.msg.Get(60)) < 11 {
		return "field 60 is too short"
	}
	switch r.msg.MTI() {
	case mtiSale, mtiReversal, mtiNotice, mtiVoice:
		return r.checkFinancial()
	}
	return ""
}

// checkFinancial checks how the fields of a sale or reversal go together.
func (r *request) checkFinancial() string {
	m := r.msg
	mode := m.Text(22)
	chip := mode[:2] == "05" || mode[:2] == "07"
	switch {
	case r.key.STAN == 0:
		return "field 11 is zero"
	case r.minor == 0:
		return "field 4 is zero"
	case m.Text(49) != "156":
		return "field 49 is not 156"
	case m.IsMTI(mtiNotice) && (m.Text(60)[:2] != typeManage || m.Text(60)[8:11] != "951"):
		return "field 60 is not that of a script notice"
	case m.IsMTI(mtiVoice) && (m.Text(60)[:2] != typeVoice || len(m.Text(61)) != 18 || m.Text(61)[16:] != "01"):
		return "fields 60 and 61 are not those of a sale approved on the telephone"
	case m.IsMTI(mtiReversal) && m.Text(60)[:2] != typeSale, m.IsMTI(mtiSale) && m.Text(60)[:2] != typeSale && !r.upload():
		return "field 60.1 is not that of a sale"
	case r.upload() && (m.Has(26) || m.Has(35) || m.Has(36) || m.Has(52) || m.Has(53)):
		return "track data or PIN in an upload"
	case len(m.Get(60)) < 13:
		return "field 60 has no 60.4 and 60.5"
	case chip && !m.Has(55) && m.IsMTI(mtiSale):
		return "field 55 is missing from a chip transaction"
	case !chip && m.Has(55):
		return "field 55 is in a transaction without chip"
	case !isTLV(m.Get(55)):
		return "field 55 is not TLV"
	case m.IsMTI(mtiReversal):
		return ""
	case r.pan == "":
		return "there is no card number"
	case m.IsMTI(mtiNotice), m.IsMTI(mtiVoice), r.upload():
		return "" // field 22 repeats whether there was a PIN, which is not kept
	case m.Has(2) && m.Has(35) && !strings.HasPrefix(m.Text(35), m.Text(2)+"D"):
		return "fields 2 and 35 name different cards"
	case m.Has(52) != (mode[2] == '1'):
		return "field 22 and field 52 contradict one another"
	case m.Has(52) && (!m.Has(26) || !strings.HasPrefix(m.Text(53), "26")):
		return "field 52 needs field 26 and a field 53 of 26..."
	case m.Has(26) && !m.Has(52):
		return "field 26 without field 52"
	}
	return ""
}

// upload tells whether this is the upload of a sale that the card has approved.
func (r *request) upload() bool {
	return r.msg.IsMTI(mtiSale) && len(r.msg.Get(60)) >= 2 && r.msg.Text(60)[:2] == typeUpload
}

func isTLV(b []byte) bool {
	d := tlv.NewDecoder(b)
	for _, ok := d.Next(); ok; _, ok = d.Next() {
	}
	return d.Err() == nil
}

// macOf computes field 64 over the bytes from the MTI to the field before it: XOR of all blocks, as sixteen hexadecimal
// characters, DES CBC over their two blocks, first eight hexadecimal characters of the result.
func macOf(mak, mab []byte) [macSize]byte {
	var x [8]byte
	for i, c := range mab {
		x[i%8] ^= c
	}
	t, err := vault.EncryptECB(mak, []byte(fmt.Sprintf("%X", x[:4])))
	if err != nil {
		panic(err) // the key has eight bytes: the host made it
	}
	last := []byte(fmt.Sprintf("%X", x[4:]))
	subtle.XORBytes(last, last, t)
	if t, err = vault.EncryptECB(mak, last); err != nil {
		panic(err)
	}
	return [macSize]byte([]byte(fmt.Sprintf("%X", t[:4])))
}

// macGood tells whether field 64 is the MAC of the request.
func (r *request) macGood(mak []byte) bool {
	if mak == nil || !r.msg.Has(64) {
		return false
	}
	want := macOf(mak, r.body[:len(r.body)-macSize])
	return subtle.ConstantTimeCompare(want[:], r.msg.Get(64)) == 1
}
