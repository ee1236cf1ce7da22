package kernel2

import (
	"fmt"

	"posd/emv/tlv"
)

// database is the kernel's TLV database (Book C-2, 4.1). An object that is there with length zero is "present and empty": the terminal will
// give it later, or the kernel is to fill it.
type database map[tlv.Tag][]byte

// Get implements contactless.Objects.
func (db database) Get(t tlv.Tag) ([]byte, bool) { v, ok := db[t]; return v, ok }

func (db database) present(t tlv.Tag) bool  { _, ok := db[t]; return ok }
func (db database) notEmpty(t tlv.Tag) bool { return len(db[t]) > 0 }
func (db database) empty(t tlv.Tag) bool    { v, ok := db[t]; return ok && len(v) == 0 }

// all tells whether each of the objects has a value.
func (db database) all(tags ...tlv.Tag) bool {
	for _, t := range tags {
		if !db.notEmpty(t) {
			return false
		}
	}
	return true
}

// number reads a binary object of up to seven bytes; 0 when it is absent.
func (db database) number(t tlv.Tag) int64 {
	var n int64
	for _, c := range db[t] {
		n = n<<8 | int64(c)
	}
	return n
}

// decimal reads a numeric object (format n); 0 when it is absent or no number.
func (db database) decimal(t tlv.Tag) int64 {
	n, err := tlv.Number(db[t])
	if err != nil {
		return 0
	}
	return n
}

// byteOf is the first byte of an object, 0 when it has none.
func (db database) byteOf(t tlv.Tag) byte {
	if v := db[t]; len(v) > 0 {
		return v[0]
	}
	return 0
}

// storeCard stores one object of the card that stood in the given template (Book C-2, 4.5, parse and store card response).
func (db database) storeCard(t tlv.Tag, v []byte, where template) error {
	d, known := dictionary[t]
	old, present := db[t]
	switch {
	case known && private(t) && d.from&fromCard == 0:
		return nil // the reader's own; the card cannot mean it
	case known && d.from&fromCard == 0:
		return fmt.Errorf("kernel2: %v comes from the card", t)
	case known && d.in&where == 0:
		return fmt.Errorf("kernel2: %v stands in the wrong template", t)
	case present && len(old) > 0:
		return fmt.Errorf("kernel2: %v comes twice", t)
	case known && !d.fits(t, len(v)):
		return fmt.Errorf("kernel2: %v has %d bytes", t, len(v))
	case !known && !present:
		return nil
	}
	db[t] = v
	return nil
}

// storeTemplate stores the objects of a template. A constructed object that is not expected there is like an unknown one.
func (db database) storeTemplate(b []byte, where template) error {
	d := tlv.NewDecoder(b)
	for {
		o, ok := d.Next()
		if !ok {
			return d.Err()
		}
		if o.Tag.Constructed() && !private(o.Tag) {
			continue
		}
		if err := db.storeCard(o.Tag, o.Value, where); err != nil {
			return err
		}
	}
}

// storeFCI stores the answer to SELECT: 6F with 84 and A5, and BF0C in it. It reports whether A5 was there.
func (db database) storeFCI(fci []byte) (prop bool, err error) {
	o, err := tlv.One(fci)
	if err != nil {
		return false, err
	}
	if o.Tag != tagFCI {
		return false, fmt.Errorf("kernel2: %v instead of 6F", o.Tag)
	}
	if err := db.storeTemplate(o.Value, in6F); err != nil {
		return false, err
	}
	a5, prop, err := only(o.Value, tagFCIProp)
	if err != nil || !prop {
		return prop, err
	}
	if err := db.storeTemplate(a5, inA5); err != nil {
		return true, err
	}
	disc, ok, err := only(a5, tagFCIDisc)
	if err == nil && ok {
		err = db.storeTemplate(disc, inBF0C)
	}
	return true, err
}

// only finds the one template with a tag; two of them are an error.
func only(b []byte, t tlv.Tag) (v []byte, found bool, err error) {
	d := tlv.NewDecoder(b)
	for {
		o, ok := d.Next()
		if !ok {
			return v, found, d.Err()
		}
		if o.Tag != t {
			continue
		}
		if found {
			return nil, true, fmt.Errorf("kernel2: %v comes twice", t)
		}
		v, found = o.Value, true
	}
}

// storeTerminal stores what the merchant's application sends while the card is there (DET; Book C-2, 4.6 "update with DET data"). What it may
// not set, or what has another length, is passed over. It reports whether the object was stored.
func (db database) storeTerminal(t tlv.Tag, v []byte) bool {
	d, known := dictionary[t]
	if !known && !db.present(t) || known && (d.from&fromTerminal == 0 || len(v) > 0 && !d.fits(t, len(v))) {
		return false
	}
	db[t] = v
	return true
}
