package ccid

// t1State is the card's side of T=1 (ISO/IEC 7816-3, 11). The reader only carries blocks.
type t1State struct {
	ns, nr byte // numbers of the next I-block to send and to receive
	ifsd   int  // the host's buffer
	ifsc   int  // ours, as the ATR says
	in     []byte
	out    []byte // what is left of the response
	last   []byte // last block sent
	lost   bool   // the card is gone: no answer
}

func newT1(atr []byte) *t1State {
	t := &t1State{ifsd: 32, ifsc: 32}
	if v := ifsc(atr); v != 0 {
		t.ifsc = int(v)
	}
	return t
}

// offersT1 tells whether the first protocol that an answer to reset offers is T=1.
func offersT1(atr []byte) bool {
	if len(atr) < 2 {
		return false
	}
	y, pos := atr[1]>>4, 2
	for i := range 3 {
		if y&(1<<i) != 0 {
			pos++
		}
	}
	return y&8 != 0 && pos < len(atr) && atr[pos]&0x0F == 1
}

// ifsc is TA3 of an answer to reset, 0 when absent.
func ifsc(atr []byte) byte {
	y, pos := atr[1]>>4, 2
	for group := 1; y != 0 && pos < len(atr); group++ {
		if group == 3 && y&1 != 0 {
			return atr[pos]
		}
		for i := range 3 {
			if y&(1<<i) != 0 {
				pos++
			}
		}
		if y&8 == 0 || pos >= len(atr) {
			break
		}
		y = atr[pos] >> 4
		pos++
	}
	return 0
}

func t1Block(pcb byte, inf []byte) []byte {
	b := append([]byte{0, pcb, byte(len(inf))}, inf...)
	return append(b, xor(b))
}

// block answers one block; nil means that the card says nothing.
func (t *t1State) block(b []byte, exec func(apdu []byte) []byte) []byte {
	out := t.next(b, exec)
	if t.lost {
		return nil
	}
	t.last = out
	return out
}

func (t *t1State) next(b []byte, exec func(apdu []byte) []byte) []byte {
	refuse := func(why byte) []byte { return t1Block(0x80|t.nr<<4|why, nil) }
	if len(b) < 4 || int(b[2]) != len(b)-4 {
		return refuse(2)
	}
	if xor(b) != 0 {
		return refuse(1)
	}
	pcb, inf := b[1], b[3:len(b)-1]
	switch {
	case pcb&0x80 == 0: // I
		if pcb>>6&1 != t.nr || len(inf) > t.ifsc || t.out != nil {
			return refuse(2)
		}
		t.nr ^= 1
		t.in = append(t.in, inf...)
		if pcb&0x20 != 0 && len(t.in) <= 5+256 {
			return refuse(0) // acknowledges: the next one please
		}
		apdu := t.in
		t.in = nil
		if t.out = exec(apdu); len(t.out) < 2 {
			t.lost = true
			return nil
		}
		return t.send()
	case pcb&0xC0 == 0x80: // R
		if t.out != nil && pcb>>4&1 == t.ns { // our chained block arrived
			return t.send()
		}
		if t.last != nil {
			return t.last
		}
		return refuse(2)
	case pcb == 0xC1 && len(inf) == 1: // S(IFS request)
		t.ifsd = int(inf[0])
		return t1Block(0xE1, inf)
	case pcb == 0xC0 && len(inf) == 0: // S(RESYNCH request)
		*t = t1State{ifsd: t.ifsd, ifsc: t.ifsc}
		return t1Block(0xE0, nil)
	case pcb == 0xC2 && len(inf) == 0: // S(ABORT request)
		t.in, t.out = nil, nil
		return t1Block(0xE2, nil)
	case pcb == 0xE3: // S(WTX response): the card has nothing more to say than what it was about to
		return t.last
	}
	return refuse(2)
}

// send is the next block of the response.
func (t *t1State) send() []byte {
	n := min(len(t.out), t.ifsd)
	pcb := t.ns << 6
	chunk := t.out[:n]
	t.out = t.out[n:]
	if len(t.out) > 0 {
		pcb |= 0x20
	} else {
		t.out = nil
	}
	t.ns ^= 1
	return t1Block(pcb, chunk)
}
