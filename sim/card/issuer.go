package card

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"posd/emv/tlv"
)

// Errors of an Issuer.
var (
	ErrCryptogram = errors.New("card: issuer: the cryptogram is wrong")
	ErrMissing    = errors.New("card: issuer: data are missing")
)

// Issuer is the other side of the simulated cards: it has the keys of all of them. The zero value is ready for use; it has no state.
type Issuer struct{}

// request is what an issuer reads out of field 55.
type request struct {
	data tlv.Store
	ac   [8]byte
	atc  uint16
	v    *version
	key  key16 // session key
}

func (Issuer) read(pan, psn string, icc []byte) (*request, error) {
	if len(pan) < 6 || len(pan) > 19 || !digits(pan) || len(psn) > 2 || !digits(psn) {
		return nil, fmt.Errorf("%w: account number or sequence number", ErrMissing)
	}
	r := &request{}
	d := tlv.NewDecoder(icc)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		r.data.Set(o.Tag, o.Value)
	}
	if err := d.Err(); err != nil {
		return nil, fmt.Errorf("card: issuer: field 55: %w", err)
	}
	for _, t := range append([]tlv.Tag{0x9F26, 0x9F10}, tagsOf()...) {
		if v, ok := r.data.Get(t); !ok || len(v) == 0 {
			return nil, fmt.Errorf("%w: %v in field 55", ErrMissing, t)
		}
	}
	v, _ := r.data.Get(0x9F36)
	ac, _ := r.data.Get(0x9F26)
	if len(v) != 2 || len(ac) != 8 {
		return nil, fmt.Errorf("%w: 9F36 or 9F26 has a wrong length", ErrMissing)
	}
	r.ac, r.atc = [8]byte(ac), uint16(v[0])<<8|uint16(v[1])
	iad, _ := r.data.Get(0x9F10)
	if r.v = versionOf(iad); r.v == nil {
		return nil, fmt.Errorf("%w: 9F10 is of no cryptogram version that this issuer uses", ErrCryptogram)
	}
	r.key = r.v.session(cardKeyOf(masterKey(pan[:6], "AC"), pan, psn), r.atc)
	return r, nil
}

func tagsOf() []tlv.Tag {
	out := make([]tlv.Tag, 0, len(macTags))
	for _, t := range macTags {
		out = append(out, tlv.Tag(t.tag))
	}
	return out
}

// Verify checks the application cryptogram (9F26) in field 55, of whatever type it is.
func (i Issuer) Verify(pan, psn string, icc []byte) error {
	r, err := i.read(pan, psn, icc)
	if err != nil {
		return err
	}
	return r.verify()
}

func (r *request) verify() error {
	tvr, _ := r.data.Get(0x95)
	tries := [][]byte{tvr}
	if len(tvr) == 5 && tvr[0]&0x01 != 0 {
		// XDA selected: whether it failed shows in the results after the cryptogram was made (Book 4, 6.3.2.2).
		before := slices.Clone(tvr)
		before[3] &^= 0x01 // XDA signature verification failed
		before[4] &^= 0x02 // ECC key recovery failed
		tries = append(tries, before)
	}
	for _, tvr := range tries {
		want := r.v.cryptogram(r.key, func(tag uint32) []byte {
			if tag == 0x95 {
				return tvr
			}
			v, _ := r.data.Get(tlv.Tag(tag))
			return v
		})
		if bytes.Equal(want[:], r.ac[:]) {
			return nil
		}
	}
	return ErrCryptogram
}

// Authorise checks the ARQC in field 55 of a request and returns the issuer authentication data (the value of tag 91: ARPC and ARC,
// or ARPC and card status update) that tell the card the decision arc, two characters. psn is two digits, or "" when the request had none.
func (i Issuer) Authorise(pan, psn string, icc []byte, arc string) ([]byte, error) {
	if len(arc) != 2 {
		return nil, fmt.Errorf("%w: ARC of %d characters", ErrMissing, len(arc))
	}
	r, err := i.read(pan, psn, icc)
	if err != nil {
		return nil, err
	}
	if err := r.verify(); err != nil {
		return nil, err
	}
	return r.v.answer(r.key, r.ac, arc), nil
}

// ScriptCommand is a command of an issuer script, without its MAC.
type ScriptCommand struct {
	Header [4]byte // CLA INS P1 P2
	Data   []byte
	pin    string // a new PIN, to be enciphered
	wrong  bool   // gets a wrong MAC
}

// Commands for a script.
var (
	BlockApplication   = ScriptCommand{Header: [4]byte{0x84, 0x1E, 0, 0}}
	UnblockApplication = ScriptCommand{Header: [4]byte{0x84, 0x18, 0, 0}}
	BlockCard          = ScriptCommand{Header: [4]byte{0x84, 0x16, 0, 0}}
	UnblockPIN         = ScriptCommand{Header: [4]byte{0x84, 0x24, 0, 0}}
)

// ChangePIN is the command that brings the card a new PIN, 4 to 12 digits, and sets its try counter back.
func ChangePIN(pin string) ScriptCommand {
	return ScriptCommand{Header: [4]byte{0x84, 0x24, 0, 2}, pin: pin}
}

// SetOfflineCount is the command that sets how many transactions in a row the card approves without the issuer (9F23).
func SetOfflineCount(n byte) ScriptCommand {
	return ScriptCommand{Header: [4]byte{0x04, 0xDA, 0x9F, 0x23}, Data: []byte{n}}
}

// UpdateRecord is the command that replaces a record, its template 70 included.
func UpdateRecord(sfi, number byte, content []byte) ScriptCommand {
	return ScriptCommand{Header: [4]byte{0x04, 0xDC, number, sfi<<3 | 4}, Data: content}
}

// Script builds an issuer script for the card that sent field 55: the template 71 (before the second GENERATE AC) or 72 (behind it)
// with the script identifier 9F18 and the commands 86.
func (i Issuer) Script(template byte, pan, psn string, icc []byte, commands ...ScriptCommand) ([]byte, error) {
	if template != 0x71 && template != 0x72 {
		return nil, fmt.Errorf("%w: script template %02X", ErrMissing, template)
	}
	r, err := i.read(pan, psn, icc)
	if err != nil {
		return nil, err
	}
	key := session(cardKeyOf(masterKey(pan[:6], "MAC"), pan, psn), r.ac)
	body := put(nil, 0x9F18, 0, 0, 0, template)
	for _, c := range commands {
		data := c.Data
		if c.pin != "" {
			if !digits(c.pin) || len(c.pin) < 4 || len(c.pin) > 12 {
				return nil, fmt.Errorf("%w: a PIN of %d characters", ErrMissing, len(c.pin))
			}
			data = sealPIN(session(cardKeyOf(masterKey(pan[:6], "ENC"), pan, psn), r.ac), c.pin)
		}
		header := append(c.Header[:4:4], byte(len(data)+4))
		m := scriptMAC(key, header, r.atc, r.ac, data)
		if c.wrong {
			m[0] ^= 0x01
		}
		body = put(body, 0x86, slices.Concat(header, data, m)...)
	}
	if len(body) > 128 { // Book 3, 10.10
		return nil, fmt.Errorf("%w: script of %d bytes", ErrMissing, len(body))
	}
	return put(nil, tlv.Tag(template), body...), nil
}
