package pn532

import (
	"context"
	"slices"
	"time"
)

// Commands of the chip, UM0701-02 chapter 7.
const (
	cmdDiagnose      = 0x00
	cmdFirmware      = 0x02
	cmdStatus        = 0x04
	cmdReadRegister  = 0x06
	cmdWriteRegister = 0x08
	cmdReadGPIO      = 0x0C
	cmdWriteGPIO     = 0x0E
	cmdBaud          = 0x10
	cmdParameters    = 0x12
	cmdSAM           = 0x14
	cmdPowerDown     = 0x16
	cmdRF            = 0x32
	cmdExchange      = 0x40
	cmdThru          = 0x42
	cmdDeselect      = 0x44
	cmdList          = 0x4A
	cmdPSL           = 0x4E
	cmdATR           = 0x50
	cmdRelease       = 0x52
	cmdSelect        = 0x54
	cmdJump          = 0x56
	cmdAutoPoll      = 0x60
	cmdInitAsTarget  = 0x8C
)

// speeds of SetSerialBaudRate by code.
var speeds = [...]int{9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600, 1288000}

// do carries out a command and returns its answer, code first; nil is the error frame. When ctx ends the answer does not matter.
func (c *Chip) do(ctx context.Context, cmd []byte) []byte {
	code, p := cmd[0], cmd[1:]
	if !c.normal && code != cmdSAM && code != cmdFirmware {
		return nil // low battery mode
	}
	a, ok := c.carryOut(ctx, code, p)
	if !ok {
		return nil
	}
	return append([]byte{code + 1}, a...)
}

func (c *Chip) carryOut(ctx context.Context, code byte, p []byte) (a []byte, ok bool) {
	switch code {
	case cmdDiagnose:
		return c.diagnose(p)
	case cmdFirmware:
		return []byte{0x32, 0x01, 0x06, 0x07}, len(p) == 0
	case cmdStatus:
		return c.status(), len(p) == 0
	case cmdReadRegister:
		for r := range slices.Chunk(p, 2) {
			if len(r) < 2 {
				return nil, false
			}
			a = append(a, c.regs[uint16(r[0])<<8|uint16(r[1])])
		}
		return a, len(p) > 0
	case cmdWriteRegister:
		for r := range slices.Chunk(p, 3) {
			if len(r) < 3 {
				return nil, false
			}
			c.regs[uint16(r[0])<<8|uint16(r[1])] = r[2]
		}
		return nil, len(p) > 0
	case cmdReadGPIO:
		return []byte{0x3F, 0x07, 0x01}, len(p) == 0
	case cmdWriteGPIO:
		return nil, len(p) == 2
	case cmdBaud:
		if len(p) != 1 || int(p[0]) >= len(speeds) {
			return nil, false
		}
		c.next = speeds[p[0]]
		return nil, true
	case cmdParameters:
		if len(p) != 1 {
			return nil, false
		}
		c.rats = p[0]&0x10 != 0
		return nil, true
	case cmdSAM:
		if len(p) < 1 || len(p) > 3 || p[0] < 1 || p[0] > 4 {
			return nil, false
		}
		c.normal = true
		return nil, true
	case cmdPowerDown:
		if len(p) < 1 || len(p) > 2 {
			return nil, false
		}
		c.fieldOff()
		c.asleep = true
		return []byte{statusOK}, true
	case cmdRF:
		return c.configure(p)
	case cmdExchange:
		return c.dataExchange(ctx, p)
	case cmdThru:
		return c.thru(ctx, p), true
	case cmdDeselect, cmdRelease:
		return c.release(p, code == cmdRelease)
	case cmdSelect:
		return c.selectTarget(p)
	case cmdPSL, cmdATR, cmdJump:
		_ = pause(ctx, c.wait(mute))
		return []byte{statusTimeout}, true
	case cmdList:
		return c.list(ctx, p)
	case cmdAutoPoll:
		return c.autoPoll(ctx, p)
	case cmdInitAsTarget: // waits for a reader's field, which there is not
		<-ctx.Done()
		return nil, false
	}
	return nil, false
}

// diagnose: 00 echo, 01 ROM, 02 RAM, 04 polling, 06 attention request, 07 antenna.
func (c *Chip) diagnose(p []byte) ([]byte, bool) {
	if len(p) == 0 {
		return nil, false
	}
	switch p[0] {
	case 0x00:
		return p, true
	case 0x01, 0x02, 0x04, 0x07:
		return []byte{statusOK}, true
	case 0x06:
		if t := c.numbered(1); t != nil && c.present(t) {
			return []byte{statusOK}, true
		}
		return []byte{statusTimeout}, true
	}
	return nil, false
}

func (c *Chip) status() []byte {
	a := []byte{statusOK, 0, 0}
	if c.Field() {
		a[1] = 1
	}
	for i, t := range c.active {
		if t != nil {
			a[2]++
			a = append(a, byte(i+1), 0x00, 0x00, 0x00)
		}
	}
	return append(a, 0x80)
}

// configure is RFConfiguration. Lengths of the items are those of UM0701-02 7.3.1.
func (c *Chip) configure(p []byte) ([]byte, bool) {
	sizes := map[byte]int{0x01: 1, 0x02: 3, 0x04: 1, 0x05: 3, 0x0A: 11, 0x0B: 8, 0x0C: 3, 0x0D: 9}
	if len(p) == 0 || sizes[p[0]] == 0 || len(p) != 1+sizes[p[0]] {
		return nil, false
	}
	switch p[0] {
	case 0x01:
		if p[1]&1 == 0 {
			c.fieldOff()
		} else {
			c.fieldOn()
		}
	case 0x05:
		c.retries = p[3]
	}
	return nil, true
}

// dataExchange is InDataExchange with the chaining between host and chip: bit 7 of the number, and of the status.
func (c *Chip) dataExchange(ctx context.Context, p []byte) ([]byte, bool) {
	if len(p) == 0 {
		return nil, false
	}
	t := c.numbered(p[0] & 0x3F)
	if t == nil {
		c.held, c.rest = nil, nil
		return []byte{statusContext}, true
	}
	data := p[1:]
	switch {
	case p[0]&0x40 != 0:
		c.rest = nil
		if len(c.held)+len(data) > 1<<16 {
			c.held = nil
			return []byte{statusParam}, true
		}
		c.held = append(c.held, data...)
		return []byte{statusOK}, true
	case len(data) == 0 && len(c.rest) > 0:
		return c.part(c.rest), true
	}
	capdu := append(c.held, data...)
	c.held, c.rest = nil, nil
	status, out := c.exchange(ctx, t, capdu)
	if status != statusOK {
		return []byte{status}, true
	}
	return c.part(out), true
}

// part is the next part of a response.
func (c *Chip) part(out []byte) []byte {
	if len(out) <= maxPart {
		c.rest = nil
		return append([]byte{statusOK}, out...)
	}
	c.rest = out[maxPart:]
	return append([]byte{statusOK | 0x40}, out[:maxPart]...)
}

// thru is InCommunicateThru: blocks of the host's own. Only R(NAK), with which a host asks whether the card is there, S(DESELECT) and
// whole I-blocks mean something to these cards.
func (c *Chip) thru(ctx context.Context, p []byte) []byte {
	t := c.numbered(1)
	none := func() []byte {
		_ = pause(ctx, c.wait(mute))
		return []byte{statusTimeout}
	}
	if t == nil || !c.present(t) || len(p) == 0 {
		return none()
	}
	pcb, head := p[0], []byte{}
	// Cards of type B were given an identifier, which must be in a block then; those of type A were not.
	if t.B != (pcb&0x08 != 0) {
		return none()
	}
	if t.B {
		if len(p) < 2 || p[1]&0x0F != 1 {
			return none()
		}
		head, p = p[1:2], p[1:]
	}
	block := func(pcb byte, inf ...byte) []byte {
		if len(head) > 0 {
			pcb |= 0x08
		}
		return append(append([]byte{statusOK, pcb}, head...), inf...)
	}
	switch pcb &^ 0x09 {
	case 0xB2: // R(NAK): rules 11 and 12 of ISO/IEC 14443-4, 7.5.4.3
		if pcb&1 == t.block && t.last != nil {
			return block(0x02|t.block, t.last...)
		}
		return block(0xA2 | t.block)
	case 0xC2: // S(DESELECT)
		c.halt(t)
		return block(0xC2)
	case 0x02:
		status, out := c.exchange(ctx, t, p[1:])
		if status != statusOK {
			return []byte{status}
		}
		return block(0x02|t.block, out...)
	}
	return none()
}

func (c *Chip) halt(t *placed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.state == active {
		t.state = halted
	}
}

// release is InDeselect and InRelease; number 0 means all cards.
func (c *Chip) release(p []byte, forget bool) ([]byte, bool) {
	if len(p) != 1 {
		return nil, false
	}
	for i, t := range c.active {
		if t == nil || p[0] != 0 && int(p[0]) != i+1 {
			continue
		}
		c.halt(t)
		if forget {
			c.active[i] = nil
		}
	}
	return []byte{statusOK}, true
}

// selectTarget is InSelect: a card that was deselected is woken up.
func (c *Chip) selectTarget(p []byte) ([]byte, bool) {
	if len(p) != 1 {
		return nil, false
	}
	t := c.numbered(p[0])
	if t == nil {
		return []byte{statusContext}, true
	}
	c.mu.Lock()
	there := c.field && !t.gone
	c.mu.Unlock()
	if !there {
		return []byte{statusTimeout}, true
	}
	c.activate(int(p[0])-1, t)
	return []byte{statusOK}, true
}

// list is InListPassiveTarget.
func (c *Chip) list(ctx context.Context, p []byte) ([]byte, bool) {
	if len(p) < 2 || p[0] < 1 || p[0] > 2 || p[1] > 4 || p[1] == 3 && len(p) < 3 {
		return nil, false
	}
	var found []*placed
	switch p[1] {
	case 0x00:
		found = c.search(ctx, false, int(p[0]))
	case 0x03:
		found = c.search(ctx, true, int(p[0]))
	default: // FeliCa, Jewel: there are none
		c.fieldOn()
		for try := 0; try <= int(c.retries); try++ {
			if c.retries == 0xFF {
				try = 0
			}
			if pause(ctx, max(c.pace.Poll, time.Millisecond)) != nil {
				break
			}
		}
	}
	a := []byte{byte(len(found))}
	for i, t := range found {
		a = append(a, c.data(i+1, t)...)
	}
	return a, true
}

// autoPoll is InAutoPoll: all types in turn, PollNr times, each for 150 ms times the period; FF is for ever.
func (c *Chip) autoPoll(ctx context.Context, p []byte) ([]byte, bool) {
	if len(p) < 3 || p[0] == 0 || p[1] < 1 || p[1] > 15 {
		return nil, false
	}
	for n := 0; p[0] == 0xFF || n < int(p[0]); n++ {
		for _, typ := range p[2:] {
			slot := time.NewTimer(time.Duration(p[1]) * 150 * time.Millisecond)
			found, want := c.pollOne(ctx, typ, slot.C)
			slot.Stop()
			if ctx.Err() != nil {
				return nil, false
			}
			if want {
				a := []byte{1, typ, 0}
				d := c.data(1, found)
				a[2] = byte(len(d))
				return append(a, d...), true
			}
		}
	}
	return []byte{0}, true
}

// pollOne looks for a card of a type of InAutoPoll until the slot is over.
func (c *Chip) pollOne(ctx context.Context, typ byte, over <-chan time.Time) (*placed, bool) {
	var b bool
	var fits func(p *placed) bool
	switch typ {
	case 0x00: // generic passive 106 kbit/s
		fits = func(*placed) bool { return true }
	case 0x10: // MIFARE
		fits = func(p *placed) bool { return p.SAK&0x20 == 0 }
	case 0x20: // ISO/IEC 14443-4 type A
		fits = func(p *placed) bool { return p.SAK&0x20 != 0 }
	case 0x03, 0x23: // type B
		b, fits = true, func(*placed) bool { return true }
	default:
		fits = func(*placed) bool { return false }
	}
	c.fieldOn()
	for {
		found, changed := c.answering(b)
		for _, p := range found {
			if fits(p) && pause(ctx, c.pace.Activate) == nil {
				c.activate(0, p)
				return p, true
			}
		}
		select {
		case <-changed:
		case <-over:
			return nil, false
		case <-ctx.Done():
			return nil, false
		}
	}
}
