package pn532

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Card is a card at the level of APDUs. The chip calls it from one goroutine at a time.
type Card interface {
	// Reset is called whenever the field takes the card's power away.
	Reset()
	// Transceive carries out a command APDU and returns data and SW1 SW2; nothing when it does not answer.
	Transceive(apdu []byte) []byte
}

// Target is a card before the antenna: what it says at activation. Zero values make a card of type A as many are.
type Target struct {
	Card Card
	B    bool // type B

	// Type A.
	ATQA [2]byte // as SENS_RES of InListPassiveTarget; zero is 00 04
	UID  []byte  // 4, 7 or 10 bytes; empty is 08 A1 B2 C3, 08 being a random one
	SAK  byte    // zero is 20, ISO/IEC 14443-4
	ATS  []byte  // with its length byte; empty is 05 78 80 70 02

	// Type B.
	ATQB []byte // 12 bytes: 50, PUPI, application data, protocol info; empty is a card with ISO/IEC 14443-4

	// Slow is the waiting time that the card asks for before each of its answers, beyond the chip's Pace.
	Slow time.Duration
}

func (t *Target) complete() {
	if t.ATQA == [2]byte{} {
		t.ATQA = [2]byte{0x00, 0x04}
	}
	if len(t.UID) == 0 {
		t.UID = []byte{0x08, 0xA1, 0xB2, 0xC3}
	}
	if t.SAK == 0 {
		t.SAK = 0x20
	}
	if len(t.ATS) == 0 {
		t.ATS = []byte{0x05, 0x78, 0x80, 0x70, 0x02}
	}
	if len(t.ATQB) == 0 {
		t.ATQB = []byte{0x50, 0x01, 0x02, 0x03, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x81, 0xC1}
	}
}

// state of a card in the field.
type state uint8

const (
	idle   state = iota // has power and answers a request
	active              // in the protocol of ISO/IEC 14443-4, or selected
	halted              // deselected
)

// placed is a Target in the field.
type placed struct {
	Target
	id    int
	state state
	gone  bool
	block byte   // the card's block number; 1 after activation (ISO/IEC 14443-4, 7.5.3)
	last  []byte // the last block of its last answer
}

// Tap holds a card before the antenna until Take. It returns a number for Take.
func (c *Chip) Tap(t Target) int {
	t.complete()
	c.mu.Lock()
	c.nextID++
	p := &placed{Target: t, id: c.nextID}
	c.targets = append(c.targets, p)
	c.rouse()
	c.mu.Unlock()
	c.o.Trace.Emit("nfc", "", fmt.Sprintf("card of type %s tapped", p.letter()))
	return p.id
}

func (p *placed) letter() string {
	if p.B {
		return "B"
	}
	return "A"
}

// Take takes a card away. It returns false when it is not there.
func (c *Chip) Take(id int) bool {
	c.mu.Lock()
	at := slices.IndexFunc(c.targets, func(p *placed) bool { return p.id == id })
	var p *placed
	if at >= 0 {
		p = c.targets[at]
		p.gone = true
		c.targets = slices.Delete(c.targets, at, at+1)
		c.rouse()
	}
	c.mu.Unlock()
	if p == nil {
		return false
	}
	p.unpower()
	c.o.Trace.Emit("nfc", "", "card taken away")
	return true
}

// TakeAll takes all cards away.
func (c *Chip) TakeAll() {
	for _, id := range c.ids() {
		c.Take(id)
	}
}

func (c *Chip) ids() (ids []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.targets {
		ids = append(ids, p.id)
	}
	return ids
}

// Cards is how many cards are before the antenna.
func (c *Chip) Cards() int { return len(c.ids()) }

// Field tells whether the field is on.
func (c *Chip) Field() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.field
}

// Exchanges counts the commands that cards were given to carry out.
func (c *Chip) Exchanges() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// rouse tells who waits for a card. The caller holds c.mu.
func (c *Chip) rouse() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (p *placed) unpower() {
	if p.Card != nil {
		p.Card.Reset()
	}
}

// fieldOff takes the power from all cards.
func (c *Chip) fieldOff() {
	c.mu.Lock()
	was := c.field
	c.field = false
	all := slices.Clone(c.targets)
	for _, p := range all {
		p.state = idle
	}
	c.mu.Unlock()
	c.active, c.held, c.rest = [2]*placed{}, nil, nil
	if !was {
		return
	}
	for _, p := range all {
		p.unpower()
	}
	c.o.Trace.Emit("nfc", "", "field off")
}

func (c *Chip) fieldOn() {
	c.mu.Lock()
	was := c.field
	c.field = true
	c.mu.Unlock()
	if !was {
		c.o.Trace.Emit("nfc", "", "field on")
	}
}

// answering lists the cards that answer a request of a type, and what to wait for when there are none.
func (c *Chip) answering(b bool) (found []*placed, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.targets {
		if p.B == b && p.state == idle {
			found = append(found, p)
		}
	}
	return found, c.changed
}

// search looks for at most most cards of a type, as often as the retries say, and activates them.
func (c *Chip) search(ctx context.Context, b bool, most int) []*placed {
	c.fieldOn()
	c.active, c.held, c.rest = [2]*placed{}, nil, nil
	c.mu.Lock()
	for _, p := range c.targets {
		if p.state == active { // the request of the new search ends it
			p.state = halted
		}
	}
	c.mu.Unlock()
	for try := 0; ; try++ {
		if pause(ctx, c.pace.Poll) != nil {
			return nil
		}
		found, changed := c.answering(b)
		if len(found) > 0 {
			found = found[:min(len(found), most)]
			if pause(ctx, c.pace.Activate*time.Duration(len(found))) != nil {
				return nil
			}
			for i, p := range found {
				c.activate(i, p)
			}
			return found
		}
		if c.retries == 0xFF {
			select {
			case <-changed:
			case <-ctx.Done():
				return nil
			}
			continue
		}
		if try >= int(c.retries) {
			return nil
		}
	}
}

func (c *Chip) activate(i int, p *placed) {
	c.mu.Lock()
	p.state, p.block, p.last = active, 1, nil
	c.mu.Unlock()
	c.active[i] = p
	c.seen.Reset()
	c.o.Trace.Emit("nfc", "", fmt.Sprintf("card of type %s activated", p.letter()))
}

// data is what InListPassiveTarget says of a card (UM0701-02 7.3.5).
func (c *Chip) data(number int, p *placed) []byte {
	if p.B {
		return append(append([]byte{byte(number)}, p.ATQB...), 1, 0x01) // ATTRIB_RES: one byte, no higher layer answer, CID 1
	}
	d := append([]byte{byte(number), p.ATQA[0], p.ATQA[1], p.SAK, byte(len(p.UID))}, p.UID...)
	if p.SAK&0x20 == 0 || !c.rats {
		return d
	}
	at := len(d)
	d = append(d, p.ATS...)
	if c.fault(FaultBadATS) {
		d[at] += 0x20
	}
	return d
}

// numbered is the active card of a number; nil when there is none.
func (c *Chip) numbered(n byte) *placed {
	if n < 1 || int(n) > len(c.active) {
		return nil
	}
	return c.active[n-1]
}

// present tells whether a card is still there.
func (c *Chip) present(p *placed) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.field && !p.gone && p.state == active
}

// Error codes of a status byte, UM0701-02 7.1.
const (
	statusOK       = 0x00
	statusTimeout  = 0x01
	statusCRC      = 0x02
	statusProtocol = 0x0B
	statusParam    = 0x10
	statusContext  = 0x27
)

// mute is what a card takes that does not answer: frame waiting time with retries.
const mute = 80 * time.Millisecond

// maxBlock is the longest information field of a card's block, which are of 256 bytes at the most.
const maxBlock = 253

// slowness is what FaultSlow adds to each exchange.
const slowness = 700 * time.Millisecond

// exchange has a card carry out an APDU, in the card's time.
func (c *Chip) exchange(ctx context.Context, p *placed, apdu []byte) (status byte, out []byte) {
	c.mu.Lock()
	tear := false
	if c.tear > 0 {
		c.tear--
		tear = c.tear == 0
	}
	after := c.after
	c.mu.Unlock()
	if tear && !after {
		c.TakeAll()
	}
	if !c.present(p) || c.fault(FaultMute) {
		c.o.Trace.Emit("nfc", "", "card does not answer")
		_ = pause(ctx, c.wait(mute))
		return statusTimeout, nil
	}
	if c.o.Trace != nil {
		summary, detail := c.seen.Command(apdu)
		c.o.Trace.Emit("nfc", ">", summary, detail...)
	}
	c.mu.Lock()
	c.used++
	c.mu.Unlock()
	if p.Card != nil {
		out = p.Card.Transceive(apdu)
	}
	d := c.pace.APDU + c.pace.RFByte*time.Duration(len(apdu)+len(out)) + p.Slow
	if c.fault(FaultSlow) {
		d += slowness
	}
	if pause(ctx, d) != nil {
		return statusTimeout, nil
	}
	if tear {
		c.TakeAll()
	}
	switch {
	case !c.present(p), len(out) == 0:
		c.o.Trace.Emit("nfc", "", "card does not answer")
		_ = pause(ctx, c.wait(mute))
		return statusTimeout, nil
	case c.once(FaultRF):
		return statusCRC, nil
	case c.once(FaultBroken):
		return statusProtocol, nil
	}
	if c.o.Trace != nil {
		summary, detail := c.seen.Response(apdu, out)
		c.o.Trace.Emit("nfc", "<", summary, detail...)
	}
	p.block ^= 1 // as if it had been one block
	p.last = out[max(0, len(out)-maxBlock):]
	return statusOK, out
}

// wait is d for a chip that is paced at all.
func (c *Chip) wait(d time.Duration) time.Duration {
	if c.pace == (Pace{}) {
		return 0
	}
	return d
}
