package acquirer

import (
	"bytes"
	"fmt"

	"posd/vault"
)

// SignOnReply is the answer to a sign-on. Unless Action is Approve it has no keys and no batch. The keys are not checked here:
// the PIN pad that holds the master key checks their check values before they replace older ones.
type SignOnReply struct {
	Code      string // field 39
	Action    Action
	Text      map[string]string // by language
	Batch     uint32            // field 60.2, the batch number to use
	Keys      vault.WorkingKeys
	HostTime  string // field 12, hhmmss, "" when absent
	HostDate  string // field 13, MMDD, "" when absent
	Requested byte   // processing request digit of the header
}

// keyLayout is how field 62 of the answer holds the keys, in bytes.
type keyLayout struct {
	pin int // PIN key
	mac int // MAC key
	pad int // zeros between MAC key and its check value
}

const kcvSize = 4

// keyLayouts are the layouts by field 60.3 of the request.
var keyLayouts = map[string]keyLayout{
	"001": {pin: 8, mac: 8},          // PIK 8, KCV 4, MAK 8, KCV 4
	"003": {pin: 16, mac: 8, pad: 8}, // PIK 16, KCV 4, MAK 8, eight zeros, KCV 4
}

// KeyError is a field 62 that does not hold the keys that were asked for.
type KeyError struct {
	Offset int // bytes from the start of the field
	Why    string
}

func (e *KeyError) Error() string {
	return fmt.Sprintf("acquirer: field 62 at byte %d: %s", e.Offset, e.Why)
}

// ParseKeys reads field 62 of a sign-on answer in the layout of the given field 60.3. The result shares no memory with b.
func ParseKeys(network string, b []byte) (vault.WorkingKeys, error) {
	layout, ok := keyLayouts[network]
	if !ok {
		return vault.WorkingKeys{}, &KeyError{0, "the layout is not known"}
	}
	if want := layout.pin + kcvSize + layout.mac + layout.pad + kcvSize; len(b) != want {
		return vault.WorkingKeys{}, &KeyError{len(b), fmt.Sprintf("has not the %d bytes of its layout", want)}
	}
	at := 0
	take := func(n int) []byte {
		at += n
		return bytes.Clone(b[at-n : at])
	}
	var keys vault.WorkingKeys
	keys.PIN.Enc, keys.PIN.KCV = take(layout.pin), take(kcvSize)
	keys.MAC.Enc = take(layout.mac)
	for i, c := range take(layout.pad) {
		if c != 0 {
			return vault.WorkingKeys{}, &KeyError{at - layout.pad + i, "the MAC key is longer than its layout says"}
		}
	}
	keys.MAC.KCV = take(kcvSize)
	return keys, nil
}
