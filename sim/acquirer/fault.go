package acquirer

import (
	"fmt"
	"slices"
)

// Names of faults.
const (
	Down           = "down"            // connections are refused, open ones are ended
	TLSRefused     = "tls-refused"     // the terminal's certificate is refused
	CloseBefore    = "close-before"    // the connection ends when the request has come, which is not processed
	ReplyLost      = "reply-lost"      // processed, not answered
	ReplyLate      = "reply-late"      // processed, answered after Options.LateBy
	HalfReply      = "half-reply"      // processed, half of the answer, then the connection ends
	SlowBytes      = "slow-bytes"      // processed, a pause of Options.SlowBy before each byte of the answer
	WrongMAC       = "wrong-mac"       // processed, one bit of the answer's MAC is wrong
	WrongSTAN      = "wrong-stan"      // processed, the answer names another STAN; its MAC is right
	WrongAmount    = "wrong-amount"    // processed, the answer names another amount; its MAC is right
	ForeignReply   = "foreign-reply"   // before the answer comes one for another terminal; its MAC is right
	DuplicateReply = "duplicate-reply" // the answer comes twice
	Garbage        = "garbage"         // processed, the answer is a frame of nonsense
	BadLength      = "bad-length"      // processed, the answer is a length of zero
	Decline05      = "decline-05"      // refused with 05, no money held
	Refer01        = "refer-01"        // refused with 01: the issuer wants to be called
	Unresolved68   = "unresolved-68"   // processed, but the answer says 68: the host does not know
	Script71       = "script-71"       // the issuer sends a script for before the second cryptogram, whose command does no harm
	Script72       = "script-72"       // the same for behind it
)

var faultNames = []string{
	Down, TLSRefused, CloseBefore, ReplyLost, ReplyLate, HalfReply, SlowBytes, WrongMAC, WrongSTAN, WrongAmount, ForeignReply,
	DuplicateReply, Garbage, BadLength, Decline05, Refer01, Unresolved68, Script71,
	Script72,
}

// Fault is a way in which the host misbehaves.
type Fault struct {
	Name  string
	MTI   string // only requests of this type; "" is every sale and reversal. Down and TLSRefused are about connections
	Times int    // how often; 0 is until it is taken away
}

// Faults returns the names of all faults.
func (h *Host) Faults() []string { return slices.Clone(faultNames) }

// SetFault switches a fault on until it is switched off. An unknown name is an error.
func (h *Host) SetFault(name string, on bool) error {
	if on {
		return h.Inject(Fault{Name: name})
	}
	if !slices.Contains(faultNames, name) {
		return fmt.Errorf("acquirer host: no fault %q", name)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = slices.DeleteFunc(h.faults, func(f Fault) bool { return f.Name == name })
	if name == Down && h.started && h.listener == nil {
		return h.listen()
	}
	return nil
}

// FaultOnce switches a fault on for the next sale or reversal (or the next connection, for TLSRefused).
func (h *Host) FaultOnce(name string) error { return h.Inject(Fault{Name: name, Times: 1}) }

// Inject adds a fault. One with the same name is replaced. Down cannot be counted.
func (h *Host) Inject(f Fault) error {
	if !slices.Contains(faultNames, f.Name) {
		return fmt.Errorf("acquirer host: no fault %q", f.Name)
	}
	if f.Times < 0 || f.Name == Down && f.Times != 0 {
		return fmt.Errorf("acquirer host: fault %q cannot happen %d times", f.Name, f.Times)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = slices.DeleteFunc(h.faults, func(old Fault) bool { return old.Name == f.Name })
	h.faults = append(h.faults, f)
	if f.Name == Down {
		h.hangUp()
	}
	return nil
}

// ActiveFaults returns the faults that are switched on.
func (h *Host) ActiveFaults() []Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.faults)
}

// active tells whether a fault is switched on. h.mu is held.
func (h *Host) active(name string) bool {
	return slices.ContainsFunc(h.faults, func(f Fault) bool { return f.Name == name })
}

// hit tells whether a fault applies to a request now, and counts it.
func (h *Host) hit(name, mti string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hitLocked(name, mti)
}

func (h *Host) hitLocked(name, mti string) bool {
	i := slices.IndexFunc(h.faults, func(f Fault) bool { return f.Name == name })
	if i < 0 {
		return false
	}
	f := &h.faults[i]
	switch {
	case name == TLSRefused:
	case f.MTI != "" && f.MTI != mti, f.MTI == "" && mti != mtiSale && mti != mtiReversal:
		return false
	}
	if f.Times == 1 {
		h.faults = slices.Delete(h.faults, i, i+1)
	} else if f.Times > 1 {
		f.Times--
	}
	return true
}
