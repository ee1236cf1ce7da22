package escpos

import "fmt"

// realTime looks for DLE EOT n in what arrives: it is answered at once, whatever waits in the buffer, and stays in the buffer,
// where it is skipped. As in a real printer it is also seen inside the data of other commands.
func (p *Printer) realTime(c byte) {
	p.dle = append(p.dle, c)
	if len(p.dle) > 3 {
		p.dle = p.dle[1:]
	}
	if len(p.dle) == 3 && p.dle[0] == 0x10 && p.dle[1] == 0x04 && c >= 1 && c <= 4 {
		p.dle = nil
		s := p.realTimeStatus(c)
		if p.faults[NoEOT] {
			p.trace(">", fmt.Sprintf("DLE EOT %d (not answered)", c))
			return
		}
		p.reply(fmt.Sprintf("DLE EOT %d", c), s)
	}
}

// realTimeStatus is the answer to DLE EOT n: bits 1 and 4 are always set, bits 0 and 7 never.
func (p *Printer) realTimeStatus(n byte) byte {
	s := byte(0x12)
	set := func(on bool, bits byte) {
		if on {
			s |= bits
		}
	}
	switch n {
	case 1:
		set(p.stopped(), 0x08) // offline
	case 2:
		set(p.faults[CoverOpen], 0x04)
		set(p.noPaper(), 0x20)
		set(p.faults[Overheat], 0x40)
	case 3:
		set(p.faults[Overheat], 0x40) // recovers by itself
	case 4:
		set(p.low(), 0x0c)
		set(p.noPaper(), 0x60)
	}
	return s
}

func (p *Printer) low() bool { return p.faults[PaperLow] || p.noPaper() }

// paperStatus is the answer to GS r 1 and the third byte of ASB.
func (p *Printer) paperStatus() byte {
	var s byte
	if p.low() {
		s |= 0x03
	}
	if p.noPaper() {
		s |= 0x0c
	}
	return s
}

// asb is the status that GS a switches on, sent at each change.
func (p *Printer) asb() []byte {
	b := []byte{0x10, 0, p.paperStatus(), 0x0f}
	if p.stopped() {
		b[0] |= 0x08
	}
	if p.faults[CoverOpen] {
		b[0] |= 0x20
	}
	if p.faults[Overheat] {
		b[1] |= 0x40
	}
	return b
}

func (p *Printer) statusChanged() {
	if p.m.asb != 0 {
		p.reply("ASB", p.asb()...)
	}
	p.touch()
}

// reply sends bytes to the terminal, or nonsense when that fault is on.
func (p *Printer) reply(to string, b ...byte) {
	if p.replies == nil || p.faults[Dead] {
		return
	}
	if p.faults[GarbageStatus] {
		for i := range b {
			p.noise = p.noise*1664525 + 1013904223
			b[i] = byte(p.noise>>24) | 0x80
		}
		b = append(b, 0xff)
	}
	select {
	case p.replies <- b:
		p.trace("<", fmt.Sprintf("%s: % X", to, b))
	default:
		p.trace("<", to+": the terminal does not read, answer lost")
	}
}
