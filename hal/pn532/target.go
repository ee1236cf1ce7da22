package pn532

import "fmt"

// Modulations of InListPassiveTarget (UM0701-02 7.3.5).
const (
	typeA = 0x00 // ISO/IEC 14443 type A, 106 kbit/s
	typeB = 0x03 // ISO/IEC 14443 type B, 106 kbit/s
)

// target is a card that InListPassiveTarget has found and activated. Its slices are parts of the answer.
type target struct {
	number byte
	typ    byte   // typeA or typeB
	sak    byte   // type A
	uid    []byte // type A: NFCID1
	ats    []byte // type A with ISO/IEC 14443-4, its length byte first
	atqb   []byte // type B: 50, PUPI, application data, protocol info
	attrib []byte // type B: the answer to ATTRIB
}

// isoDEP tells whether the card talks ISO/IEC 14443-4: type A by bit 6 of SAK (ISO/IEC 14443-3, 6.5.3) and an ATS; type B by bit 1 of the
// second byte of its protocol info (7.9.4).
func (t *target) isoDEP() bool {
	if t.typ == typeB {
		return t.atqb[10]&1 != 0
	}
	return t.sak&0x20 != 0 && len(t.ats) > 0
}

// ping is the R(NAK) block that asks the card whether it is there (ISO/IEC 14443-4, 7.5.4.2). The chip gives cards of type B the
// identifier 1 and those of type A none: what libnfc found out.
func (t *target) ping() []byte {
	if t.typ == typeB {
		return []byte{0xBA, 0x01}
	}
	return []byte{0xB2}
}

// TargetError is an answer to InListPassiveTarget that cannot be used.
type TargetError struct {
	Field  string // "NbTg", "Tg", "SENS_RES", "SEL_RES", "NFCID1", "ATS", "ATQB", "ATTRIB_RES" or "end"
	Offset int    // in the data behind the answer's code
}

func (e *TargetError) Error() string {
	return fmt.Sprintf("pn532: bad %s at offset %d of a target list", e.Field, e.Offset)
}

// maxTargets is how many cards the chip looks for.
const maxTargets = 2

// parseTargets takes the answer to InListPassiveTarget apart. n is the number of cards; the details of each are in the list. Errors are
// *TargetError.
func parseTargets(typ byte, b []byte) (list [maxTargets]target, n int, err error) {
	at := 0
	take := func(field string, size int) []byte {
		if err != nil {
			return nil
		}
		if size < 0 || len(b)-at < size {
			err = &TargetError{field, at}
			return nil
		}
		part := b[at : at+size]
		at += size
		return part
	}
	number := func(field string) int {
		if p := take(field, 1); p != nil {
			return int(p[0])
		}
		return 0
	}
	if n = number("NbTg"); n > maxTargets {
		return list, 0, &TargetError{"NbTg", 0}
	}
	for i := range n {
		t := &list[i]
		t.typ = typ
		if t.number = byte(number("Tg")); err == nil && int(t.number) != i+1 {
			err = &TargetError{"Tg", at - 1}
		}
		if typ == typeB {
			if t.atqb = take("ATQB", 12); err == nil && t.atqb[0] != 0x50 {
				err = &TargetError{"ATQB", at - 12}
			}
			t.attrib = take("ATTRIB_RES", number("ATTRIB_RES"))
			continue
		}
		take("SENS_RES", 2)
		t.sak = byte(number("SEL_RES"))
		size := number("NFCID1")
		if err == nil && size != 4 && size != 7 && size != 10 {
			err = &TargetError{"NFCID1", at - 1}
		}
		t.uid = take("NFCID1", size)
		// A card without ISO/IEC 14443-4 has no ATS, and the chip leaves out its length too.
		if err == nil && t.sak&0x20 != 0 && at < len(b) {
			if size = int(b[at]); size < 1 {
				err = &TargetError{"ATS", at}
			}
			t.ats = take("ATS", size)
		}
	}
	if err == nil && at != len(b) {
		err = &TargetError{"end", at}
	}
	if err != nil {
		return [maxTargets]target{}, 0, err
	}
	return list, n, nil
}
