package pinpad

import (
	"time"
)

// Control bytes.
const (
	stx = 0x02
	etx = 0x03
	eot = 0x04
	ack = 0x06
	so  = 0x0e
	si  = 0x0f
	nak = 0x15
	sub = 0x1a
	fs  = 0x1c
	gs  = 0x1d
	rs  = 0x1e
)

// Link times and counts. 5 s and two repeats are documented; the gap is our choice.
const (
	resendWait = 5 * time.Second
	resends    = 2
	maxNAK     = 3
	maxGap     = 500 * time.Millisecond
	maxFrame   = 300
)

// receiver puts frames together.
type receiver struct {
	frame []byte // start byte and what followed; nil outside a frame
	end   bool   // the terminator is there, the LRC is next
	last  time.Time
}

// receive takes what arrived.
func (p *Pad) receive(b []byte) {
	if p.faults[FaultDead] {
		p.rx = receiver{}
		return
	}
	r := &p.rx
	now := time.Now()
	if len(r.frame) > 0 && now.Sub(r.last) > maxGap {
		*r = receiver{}
	}
	r.last = now
	for _, c := range b {
		switch {
		case r.end:
			f := r.frame
			r.frame, r.end = nil, false
			lrc := byte(0)
			for _, x := range f[1:] {
				lrc ^= x
			}
			p.frame(f[0] == si, f[1:len(f)-1], lrc == c)
			clear(f)
		case c == si || c == stx:
			r.frame = append(make([]byte, 0, maxFrame+2), c)
		case len(r.frame) > 0:
			r.frame = append(r.frame, c)
			r.end = r.frame[0] == si && c == so || r.frame[0] == stx && c == etx
			if len(r.frame) > maxFrame+2 {
				r.frame = nil
			}
		default:
			p.linkByte(c)
		}
	}
}

// pending is an answer that waits for its ACK.
type pending struct {
	frame  []byte
	name   string
	commit func() // at the ACK; may be nil
	admin  bool   // an EOT follows the ACK
	resend time.Time
	sent   int
	naks   int
}

func (p *Pad) linkByte(c byte) {
	q := p.pending
	if q == nil {
		return
	}
	switch c {
	case ack:
		p.pending = nil
		if q.commit != nil {
			q.commit()
		}
		if q.admin {
			p.send(0, eot)
		}
	case nak:
		if q.naks++; q.naks == maxNAK {
			p.giveUp("third NAK")
			return
		}
		p.sendPending()
	case eot:
		p.pending = nil
		p.trace(">", "EOT: answer "+q.name+" refused")
	}
}

func (p *Pad) giveUp(why string) {
	p.trace("<", "EOT: "+p.pending.name+" given up: "+why)
	p.pending = nil
	p.send(0, eot)
}

// repeat is called when a pending answer was neither ACKed nor refused for 5 s.
func (p *Pad) repeat() {
	if p.pending.sent > resends {
		p.giveUp("no ACK")
		return
	}
	p.trace("<", p.pending.name+" again")
	p.sendPending()
}

func (p *Pad) sendPending() {
	q := p.pending
	q.sent++
	q.resend = time.Now().Add(resendWait)
	f := append([]byte(nil), q.frame...)
	if p.faults[FaultLRC] {
		f[len(f)-1] ^= 0x40
	}
	p.send(p.answerPause(), f...)
}

func (p *Pad) answerPause() time.Duration {
	if p.faults[FaultSlow] {
		return p.pace.Answer + 1500*time.Millisecond
	}
	return p.pace.Answer
}

// send queues bytes.
func (p *Pad) send(pause time.Duration, b ...byte) {
	if p.faults[FaultDead] {
		return
	}
	if p.faults[FaultGarbage] {
		b = append([]byte("~\xf5U\x00"), b...)
	}
	p.out = append(p.out, chunk{pause, b})
}

// answer sends a frame that the host must ACK. commit runs then.
func (p *Pad) answer(admin bool, body string, name string, commit func()) {
	if p.faults[FaultMute] {
		p.trace("", "the answer is lost (fault)")
		return
	}
	start, end := byte(stx), byte(etx)
	if admin {
		start, end = si, so
	}
	lrc := end
	for i := range len(body) {
		lrc ^= body[i]
	}
	p.pending = &pending{frame: append(append([]byte{start}, body...), end, lrc), name: name, admin: admin, commit: commit}
	p.trace("<", name)
	p.sendPending()
}

// frame handles a whole frame.
func (p *Pad) frame(admin bool, body []byte, good bool) {
	switch {
	case p.pending != nil: // until its answer is settled the pad hears ACK, NAK and EOT only
		return
	case p.entry != nil:
		if good && !admin && string(body) == "72" {
			p.trace(">", "72 cancel")
			p.endEntry("cancelled by the terminal")
			p.send(0, eot)
		}
		return
	case !good:
		p.trace("<", "NAK: wrong LRC")
		p.send(0, nak)
		return
	case p.faults[FaultEOT]:
		p.send(0, eot)
		return
	}
	for _, k := range packets {
		if k.admin == admin && len(body) >= len(k.id) && string(body[:len(k.id)]) == k.id {
			if p.tampered && k.id != "06" && k.id != "11" {
				p.send(0, eot)
				return
			}
			if k.id != "Z66" {
				p.mac = nil
			}
			if k.refuse != nil && k.refuse(p) {
				p.trace("<", "EOT: "+k.id+" refused in this state")
				p.send(0, eot)
				return
			}
			p.ackFrame()
			k.do(p, string(body[len(k.id):]))
			return
		}
	}
	p.trace(">", "unknown packet")
	p.ackFrame() // and silence
}

func (p *Pad) ackFrame() {
	if !p.faults[FaultNoACK] {
		p.send(0, ack)
	}
}
