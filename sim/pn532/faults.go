package pn532

import (
	"fmt"
	"slices"
)

// Faults of the line, the chip, and the card before it.
const (
	FaultDead     = "reader-dead"       // the chip hears nothing and says nothing
	FaultNoACK    = "no-ack"            // the next command is not heard; switches itself off
	FaultACKLost  = "ack-lost"          // the next command is carried out, but its acknowledgement is lost; switches itself off
	FaultNAK      = "nak"               // the next command is answered NACK and not carried out; switches itself off
	FaultRefuse   = "error-frame"       // the next command is answered with an error frame; switches itself off
	FaultChecksum = "bad-checksum"      // every answer has a wrong checksum
	FaultSumOnce  = "bad-checksum-once" // the next answer has a wrong checksum; switches itself off
	FaultHalf     = "half-frame"        // the next answer ends in the middle; switches itself off
	FaultGarbage  = "garbage"           // noise before and behind each answer
	FaultMute     = "card-mute"         // cards do not answer commands
	FaultRF       = "rf-error"          // the card's answer to the next command is damaged; switches itself off
	FaultBroken   = "card-protocol"     // the card breaks ISO/IEC 14443-4 at the next command; switches itself off
	FaultSlow     = "slow-card"         // waiting time extensions before each answer of a card
	FaultBadATS   = "bad-ats"           // the length byte of the ATS is wrong
	FaultTear     = "tear-next"         // the card is taken away before the next command; switches itself off
	FaultTearAC   = "tear-answering"    // the card is taken away when it has carried out the next command; switches itself off
)

var faults = []string{
	FaultDead, FaultNoACK, FaultACKLost, FaultNAK, FaultRefuse, FaultChecksum, FaultSumOnce, FaultHalf, FaultGarbage, FaultMute, FaultRF,
	FaultBroken, FaultSlow, FaultBadATS, FaultTear, FaultTearAC,
}

// Faults lists the fault switches.
func (c *Chip) Faults() []string { return slices.Clone(faults) }

// SetFault switches a fault on or off.
func (c *Chip) SetFault(name string, on bool) error {
	if !slices.Contains(faults, name) {
		return fmt.Errorf("pn532: no fault named %.40q", name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch name {
	case FaultTear, FaultTearAC:
		c.tear, c.after = 0, name == FaultTearAC
		if on {
			c.tear = 1
		}
	default:
		c.faults[name] = on
	}
	return nil
}

// TearAt has all cards taken away at the n-th APDU from now on, n being 1 for the next; 0 takes the order back. With after the card carries
// the command out and only its answer is lost.
func (c *Chip) TearAt(n int, after bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tear, c.after = max(n, 0), after
}

func (c *Chip) fault(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults[name]
}

// once tells whether a fault is on and switches it off.
func (c *Chip) once(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	on := c.faults[name]
	c.faults[name] = false
	return on
}
