package kernel2

import (
	"posd/emv/contactless"
	"posd/emv/tlv"
)

// putBefore is S12: PUT DATA for one of the objects that the terminal wants written before the cryptogram. The first one that the card refuses is
// the last.
func (t *tap) putBefore() (state, error) {
	x := &t.ex
	o := x.before[0]
	x.before = x.before[1:]
	_, sw, l1, err := t.send(t.putData(o))
	switch {
	case err != nil:
		return done, err
	case l1 != 0: // S12.5, S12.6
		return t.endAgain(l1)
	case t.stopped(): // S12.7
		return t.endTerminal(l3Stop)
	case sw != 0x9000:
		return stateAC, nil
	case len(x.before) > 0:
		return state12, nil
	}
	t.db[tagPrePut] = []byte{0x80} // S12.12
	return stateAC, nil
}

// putAfter is S15: PUT DATA behind the cryptogram. A card that leaves now changes nothing about the outcome.
func (t *tap) putAfter() (state, error) {
	x := &t.ex
	o := x.after[0]
	x.after = x.after[1:]
	_, sw, l1, err := t.sendAlways(t.putData(o))
	if err != nil {
		l1 = l1TimeOut // ctx is over: there is an outcome already, and the cryptogram is made
	}
	switch {
	case l1 != 0 || sw != 0x9000: // S15.1, S15.5
	case len(x.after) > 0:
		return state15, nil
	default:
		t.db[tagPostPut] = []byte{0x80} // S15.9
	}
	if t.secondTap != nil {
		read := *t.secondTap
		read.Status = contactless.CardRead
		t.a.UI(read) // S15.10
	} else {
		t.cardRead() // S15.12
	}
	return t.tell()
}

// putData makes PUT DATA (Book C-2, 5.6): the tag in P1 and P2, no Le.
func (t *tap) putData(o tlv.Object) []byte {
	return t.command(0x80, 0xDA, byte(o.Tag>>8), byte(o.Tag), o.Value, false)
}
