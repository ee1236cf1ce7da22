package acquirer

import (
	"bytes"
	"fmt"

	"posd/netlink/iso8583"
)

// ownership tells whose an answer is.
type ownership uint8

const (
	foreign ownership = iota // answers something else: skip it and go on waiting
	ours                     // answers the open request, whatever it says
)

// owner compares the fields that say whose an answer is: type, STAN, terminal and merchant. A field that the request has and the
// answer lacks is a difference.
func owner(request, answer *iso8583.Message) ownership {
	if answer.MTI() != answerType(request.MTI()) {
		return foreign
	}
	for _, n := range [...]int{11, 41, 42} {
		if request.Has(n) && !(answer.Has(n) && bytes.Equal(request.Get(n), answer.Get(n))) {
			return foreign
		}
	}
	return ours
}

// answerType is the type of the answer to a request: 0200 -> 0210.
func answerType(mti string) string {
	if len(mti) != 4 {
		return ""
	}
	return mti[:2] + string(mti[2]+1) + mti[3:]
}

// MismatchError is an answer to the open request that cannot be believed.
type MismatchError struct {
	Field int // the field that is missing or differs
	Why   string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("acquirer: answer: field %d %s", e.Field, e.Why)
}

// agrees compares the fields that a believable answer repeats, and wants a response code. It comes after the MAC: before it nothing
// in the answer is worth comparing.
func agrees(request, answer *iso8583.Message, coded bool) error {
	for _, n := range [...]int{3, 4} {
		switch {
		case !request.Has(n):
		case !answer.Has(n):
			return &MismatchError{n, "is missing"}
		case !bytes.Equal(request.Get(n), answer.Get(n)):
			return &MismatchError{n, "differs from the request"}
		}
	}
	if coded && !answer.Has(39) {
		return &MismatchError{39, "is missing"}
	}
	return nil
}
