package ccid

import (
	"fmt"
	"slices"
)

// Faults of the reader and of the card in it. Those that begin with t0 or t1 are a card's that does not keep to its protocol; they
// have a meaning at TPDU level, where the host hears the card itself.
const (
	FaultMute    = "card-mute"      // cards answer neither reset nor commands
	FaultGarbage = "garbage"        // noise before and behind each answer
	FaultBadLRC  = "bad-lrc"        // every answer has a wrong LRC
	FaultDead    = "reader-dead"    // the reader hears nothing and says nothing
	FaultSlow    = "slow-card"      // time extensions before each answer of the card
	FaultNAK     = "nak"            // the next command is answered NAK; switches itself off
	FaultLRCOnce = "bad-lrc-once"   // the next answer has a wrong LRC; switches itself off
	FaultTear    = "tear-next"      // the card is torn out before the next command; switches itself off
	FaultTearAC  = "tear-answering" // the card is torn out when it has carried out the next command; switches itself off
	FaultSwap    = "swap-next"      // the card is taken out and put in again before the next command; switches itself off
	FaultBadATR  = "bad-atr"        // the answer to reset has TS 00
	FaultBadTCK  = "bad-tck"        // the answer to reset has a wrong TCK
	FaultLongATR = "atr-33"         // the answer to reset has 33 bytes, the most there can be, and is nothing for EMV
	FaultKeypad  = "keypad-broken"  // a PIN entry is refused: hardware error
	FaultNoAbort = "no-abort"       // a PIN entry cannot be aborted by the terminal

	FaultT0Loop    = "t0-61-loop"  // T=0: 6110 to everything
	FaultT0Length  = "t0-6c-loop"  // T=0: 6C, with another length each time, to everything
	FaultT1LRC     = "t1-bad-lrc"  // T=1: every block has a wrong LRC
	FaultT1LRCOnce = "t1-lrc-once" // T=1: the next block has a wrong LRC; switches itself off
	FaultT1R       = "t1-r-storm"  // T=1: R-blocks without end
	FaultT1WTX     = "t1-wtx"      // T=1: asks for more time without end
	FaultT1IFS0    = "t1-ifs-0"    // T=1: asks for blocks of no size
	FaultT1IFSFF   = "t1-ifs-ff"   // T=1: asks for blocks of 255 bytes
	FaultT1Abort   = "t1-abort"    // T=1: S(ABORT request) to everything
)

var faults = []string{
	FaultMute, FaultGarbage, FaultBadLRC, FaultDead, FaultSlow, FaultNAK, FaultLRCOnce, FaultTear, FaultTearAC, FaultSwap, FaultBadATR,
	FaultBadTCK, FaultLongATR, FaultKeypad, FaultNoAbort,
	FaultT0Loop, FaultT0Length, FaultT1LRC, FaultT1LRCOnce, FaultT1R, FaultT1WTX, FaultT1IFS0, FaultT1IFSFF, FaultT1Abort,
}

// Faults lists the fault switches.
func (r *Reader) Faults() []string { return slices.Clone(faults) }

// SetFault switches a fault on or off.
func (r *Reader) SetFault(name string, on bool) error {
	if !slices.Contains(faults, name) {
		return fmt.Errorf("ccid: no fault named %.40q", name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch name {
	case FaultTear, FaultTearAC:
		r.tear, r.after = 0, name == FaultTearAC
		if on {
			r.tear = 1
		}
	default:
		r.faults[name] = on
	}
	return nil
}

func (r *Reader) fault(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faults[name]
}

// once tells whether a fault is on and switches it off.
func (r *Reader) once(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	on := r.faults[name]
	r.faults[name] = false
	return on
}

// TearAt has the card of slot 0 torn out at the n-th APDU from now on, n being 1 for the next; 0 takes the order back. With after the
// card carries the command out and only its answer is lost.
func (r *Reader) TearAt(n int, after bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tear, r.after = max(n, 0), after
}

// spoilATR applies the faults of an answer to reset.
func (r *Reader) spoilATR(atr []byte) []byte {
	switch {
	case len(atr) == 0 || r.fault(FaultMute):
		return nil
	case r.fault(FaultBadATR):
		atr[0] = 0x00
	case r.fault(FaultBadTCK) && offersT1(atr):
		atr[len(atr)-1] ^= 0x5A
	case r.fault(FaultBadTCK):
		atr = append(atr, xor(atr[1:])^0x5A)
	case r.fault(FaultLongATR): // four groups of interface characters for T=0, 15 historical ones
		atr = []byte{0x3B, 0xFF}
		for range 3 {
			atr = append(atr, 0x11, 0x00, 0x00, 0xF0)
		}
		atr = append(atr, 0x11, 0x00, 0x00, 0x00)
		atr = append(atr, "THIRTY-THREE===."[:33-len(atr)]...)
	}
	return atr
}

// unruly is the answer of a card that breaks its protocol; false when it does not.
func (r *Reader) unruly(t1 bool, data []byte) ([]byte, bool) {
	if !t1 {
		switch {
		case r.fault(FaultT0Loop):
			return []byte{0x61, 0x10}, true
		case r.fault(FaultT0Length):
			return []byte{0x6C, data[len(data)-1] + 1}, true
		}
		return nil, false
	}
	for _, f := range []struct {
		fault string
		pcb   byte
		inf   []byte
	}{
		{FaultT1R, 0x80, nil}, {FaultT1WTX, 0xC3, []byte{1}}, {FaultT1IFS0, 0xC1, []byte{0}}, {FaultT1IFSFF, 0xC1, []byte{0xFF}}, {FaultT1Abort, 0xC2, nil},
	} {
		if r.fault(f.fault) {
			return t1Block(f.pcb, f.inf), true
		}
	}
	return nil, false
}
