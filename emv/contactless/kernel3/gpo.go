package kernel3

import (
	"context"
	"time"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// takeFCI keeps the objects of the answer to SELECT: 84, those of A5 and those of BF0C in it. It returns false for one without the two that are
// mandatory, 84 and 9F38 (Book C-3, 5.4.2.1).
func (t *tap) takeFCI() bool {
	fci, ok := tlv.Find(t.a.FCI, tagFCI)
	if !ok {
		return false
	}
	for _, path := range [][]tlv.Tag{{}, {tagFCIProp}, {tagFCIProp, tagIssuerDiscret}} {
		level := fci
		if len(path) > 0 {
			if level, ok = tlv.Find(fci, path...); !ok {
				continue
			}
		}
		d := tlv.NewDecoder(level)
		for o, more := d.Next(); more; o, more = d.Next() {
			// What belongs to a transaction has no place here: it counts only where it comes with the cryptogram.
			if _, ofTransaction := fixed[o.Tag]; !ofTransaction && !o.Tag.Constructed() && !ofTerminal(o.Tag) {
				t.icc.Add(o.Tag, o.Value)
			}
		}
		if d.Err() != nil {
			return false
		}
	}
	if l := t.of(tagLanguage); len(l)%2 == 0 && len(l) <= 8 {
		for i := 0; i < len(l); i += 2 {
			if letter(l[i]) && letter(l[i+1]) {
				t.languages = append(t.languages, string(l[i:i+2]))
			}
		}
	}
	return t.of(tagDFName) != nil && t.of(tagPDOL) != nil
}

// letter tells whether c may be part of a language's code (ISO 639-1).
func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// processingOptions sends GET PROCESSING OPTIONS with the data of the PDOL and takes the answer (5.2).
func (t *tap) processingOptions(ctx context.Context) (*contactless.Outcome, error) {
	end := func() (*contactless.Outcome, error) { o := t.endApplication(); return &o, nil }
	dol, err := tlv.ParseDOL(t.of(tagPDOL))
	if err != nil || !dol.Has(tagTTQ) {
		return end() // 5.4.2.1; the Entry Point does not let it come here (Book B, 3.3.3.6)
	}
	n := dol.Len()
	c := append(t.buf[:0], 0x80, 0xA8, 0x00, 0x00, 0, byte(tagCommand))
	c = tlv.AppendLength(c, n)
	head := len(c) - 5
	if c, err = dol.Append(c, maxCommand-head, t.get); err != nil {
		return end()
	}
	c[4] = byte(len(c) - 5)
	c = append(c, 0x00)
	r, sw, lost, err := t.exchange(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case lost:
		o := t.tryAgain()
		return &o, nil
	}
	switch sw { // 5.2.2.2
	case swOK:
	case swOtherContact:
		o := t.tryContact()
		return &o, nil
	case swSelectNext:
		o := t.selectNext()
		return &o, nil
	case swSeePhone:
		o := t.seePhone()
		return &o, nil
	default:
		return end()
	}
	if !t.takeOptions(r) {
		return end()
	}
	return nil, nil
}

// takeOptions takes the answer to GET PROCESSING OPTIONS: format 1, AIP and AFL, or format 2 (5.2.2; Book 3, 6.5.8.4).
func (t *tap) takeOptions(r []byte) bool {
	o, err := tlv.One(r)
	if err != nil {
		return false
	}
	switch o.Tag {
	case tagFormat1:
		if len(o.Value) < 6 || len(o.Value)%4 != 2 {
			return false
		}
		return t.icc.Add(tagAIP, o.Value[:2]) && t.icc.Add(tagAFL, o.Value[2:])
	case tagFormat2:
		return t.take(o.Value)
	}
	return false
}

// take keeps the primitive objects of an answer. It returns false when one comes twice (5.4.2.2), is of a length that it cannot have, or the
// coding is broken. Objects of the terminal are passed over: a card has no say in them.
func (t *tap) take(b []byte) bool {
	d := tlv.NewDecoder(b)
	for o, more := d.Next(); more; o, more = d.Next() {
		if o.Tag.Constructed() || ofTerminal(o.Tag) {
			continue
		}
		if l, ok := fixed[o.Tag]; ok && len(o.Value) != 0 && (len(o.Value) < l[0] || len(o.Value) > l[1]) {
			return false
		}
		if t.icc.Len() == maxObjects || !t.icc.Add(o.Tag, o.Value) {
			return false
		}
	}
	return d.Err() == nil
}

// Hold time and field off of "see phone" (5.2.2.2): the cardholder reads the screen, the card sees the field go.
const seePhoneHold = 1300 * time.Millisecond
