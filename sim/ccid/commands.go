package ccid

import (
	"context"
	"errors"
	"fmt"
)

// Values of bmICCStatus and bmCommandStatus in bStatus, CCID 6.2.6.
const (
	iccActive   = 0
	iccInactive = 1
	iccAbsent   = 2
	failed      = 0x40
)

// Values of bError, CCID table 6.2-2.
const (
	errMute         = 0xFE
	errProcedure    = 0xF4
	errSlot         = 0x05
	errLength       = 0x01
	errNotSupported = 0x00
	errProtocolNum  = 0x07
	errHardware     = 0xFB
	errTimeout      = 0xF0
	errCancelled    = 0xEF
	errBusy         = 0xE0
	errNoPIN        = 0x81 // of the extension: Enter without a digit
)

// do carries out a command. extend sends a time extension.
func (r *Reader) do(ctx context.Context, c *command, extend func(t1 bool) error) (answer, error) {
	a := answer{slot: c.slot, seq: c.seq, typ: answerType(c.typ)}
	if int(c.slot) >= len(r.slots) {
		a.b = [3]byte{failed | iccAbsent, errSlot}
		return a, nil
	}
	n := int(c.slot)
	switch c.typ {
	case 0x62: // IccPowerOn
		return r.powerOn(ctx, a, n)
	case 0x63: // IccPowerOff
		r.mu.Lock()
		was := r.slots[n]
		r.slots[n].powered, r.slots[n].t1, r.slots[n].t0 = false, nil, t0State{}
		r.mu.Unlock()
		unpower(was)
		if was.powered {
			r.o.Trace.Emit("reader", ">", "power off")
		}
		a.b[0] = r.icc(n)
	case 0x65: // GetSlotStatus
		a.b[0] = r.icc(n)
	case 0x6F: // XfrBlock
		return r.xfr(ctx, a, n, c.data, extend)
	case 0x61: // SetParameters
		return r.setParameters(a, n, c), nil
	case 0x6C: // GetParameters
		a.b[0] = r.icc(n)
		if a.b[0] != iccActive {
			a.b[0] |= failed
			a.b[1] = errMute
			return a, nil
		}
		a.data = []byte{0x11, 0, 0, 10, 0}
	case 0x6B: // Escape
		a.b[0] = r.icc(n)
		switch gem := r.o.Profile != PosdPINPad; {
		case len(c.data) == 1 && c.data[0] == 0x02:
			a.data = []byte(r.o.Firmware)
		case len(c.data) == 3 && c.data[0] == 0x01 && c.data[1] == 0x01: // card movements: told between echo and answer
			r.tell = c.data[2] == 0x01
		case len(c.data) == 2 && c.data[0] == 0x1F && c.data[1] == 0x02 && gem: // do T=0 and T=1 yourself
			r.mu.Lock()
			r.now = LevelAPDU
			r.mu.Unlock()
		case len(c.data) > 1 && c.data[0] == 0xB2 && c.data[1] == 0xA0 && r.o.Profile == GemPCPinPad: // words for its display
		default:
			a.b = [3]byte{failed | r.icc(n), errNotSupported}
		}
	case 0x72: // Abort
		return r.abort(a), nil
	default:
		a.b = [3]byte{failed | r.icc(n), errNotSupported}
	}
	return a, nil
}

func answerType(command byte) byte {
	switch command {
	case 0x62, 0x6F, 0x69:
		return 0x80
	case 0x61, 0x6C, 0x6D:
		return 0x82
	case 0x6B:
		return 0x83
	}
	return 0x81
}

// icc is bmICCStatus of a slot.
func (r *Reader) icc(n int) byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch s := &r.slots[n]; {
	case s.card == nil:
		return iccAbsent
	case s.powered:
		return iccActive
	}
	return iccInactive
}

func (r *Reader) powerOn(ctx context.Context, a answer, n int) (answer, error) {
	r.mu.Lock()
	s := r.slots[n]
	r.mu.Unlock()
	if s.card == nil {
		a.b = [3]byte{failed | iccAbsent, errMute}
		return a, nil
	}
	if err := pause(ctx, r.pace.Reset); err != nil {
		return a, err
	}
	s.card.Reset()
	r.seen[n].Reset()
	atr := r.spoilATR(append([]byte(nil), s.card.ATR()...))
	r.mu.Lock()
	same := r.slots[n].inserts == s.inserts && r.slots[n].card != nil
	if same {
		r.slots[n].powered = len(atr) > 0
		r.slots[n].t0 = t0State{}
		r.slots[n].t1 = nil
		if offersT1(atr) {
			r.slots[n].t1 = newT1(atr)
		}
	}
	r.mu.Unlock()
	a.b[0] = r.icc(n)
	if !same || len(atr) == 0 {
		a.b = [3]byte{failed | r.icc(n), errMute}
		r.o.Trace.Emit("reader", "<", "no answer to reset")
		return a, nil
	}
	what := "cold reset"
	if s.powered {
		what = "warm reset"
	}
	r.o.Trace.Emit("reader", "<", fmt.Sprintf("%s: ATR % X", what, atr))
	a.data = atr
	return a, nil
}

func (r *Reader) setParameters(a answer, n int, c *command) answer {
	a.b[0] = r.icc(n)
	switch {
	case a.b[0] != iccActive:
		a.b[0] |= failed
		a.b[1] = errMute
	case c.b[0] > 1:
		a.b[0] |= failed
		a.b[1] = errProtocolNum
	case len(c.data) != 5+2*int(c.b[0]): // five bytes for T=0, seven for T=1
		a.b[0] |= failed
		a.b[1] = errLength
	default:
		a.b[2] = c.b[0]
		a.data = append([]byte(nil), c.data...)
	}
	return a
}

// xfr hands a TPDU (T=0), a block (T=1) or a PPS request to the card.
func (r *Reader) xfr(ctx context.Context, a answer, n int, data []byte, extend func(t1 bool) error) (answer, error) {
	r.mu.Lock()
	s := r.slots[n]
	r.mu.Unlock()
	switch {
	case s.card == nil || !s.powered:
		a.b = [3]byte{failed | r.icc(n), errMute}
		return a, nil
	case len(data) == 0:
		a.b = [3]byte{failed | iccActive, errLength}
		return a, nil
	}
	return r.exchange(ctx, a, n, s, data, false, extend)
}

// exchange has the card of s answer a TPDU, a block or, at APDU level or when whole is true, an APDU.
func (r *Reader) exchange(ctx context.Context, a answer, n int, s slot, data []byte, whole bool, extend func(t1 bool) error) (answer, error) {
	switch {
	case r.fault(FaultMute):
		a.b = [3]byte{failed | iccActive, errMute}
		return a, nil
	case n == 0 && r.once(FaultSwap):
		r.Insert(n, s.card)
		a.b = [3]byte{failed | iccInactive, errMute}
		return a, nil
	}
	var apduErr error
	exec := func(apdu []byte) []byte {
		var out []byte
		out, apduErr = r.apdu(ctx, n, s, apdu, extend)
		return out
	}
	var out []byte
	code := byte(0)
	switch {
	case whole || r.level() == LevelAPDU:
		if out = exec(data); len(out) < 2 {
			code = errMute
		}
	case data[0] == 0xFF: // PPS request: agreed to as it is
		out = append([]byte(nil), data...)
	default:
		out, code = r.talk(&s, data, exec)
	}
	r.mu.Lock()
	if r.slots[n].inserts == s.inserts && r.slots[n].card != nil {
		r.slots[n].t0 = s.t0
	}
	r.mu.Unlock()
	switch {
	case apduErr != nil:
		return a, apduErr
	case r.icc(n) != iccActive || r.changed(n, s):
		a.b = [3]byte{failed | r.icc(n), errMute}
	case code != 0:
		a.b = [3]byte{failed | iccActive, code}
	default:
		a.data = out
	}
	return a, nil
}

// talk has the card answer in its own protocol.
func (r *Reader) talk(s *slot, data []byte, exec func(apdu []byte) []byte) (out []byte, code byte) {
	if out, ok := r.unruly(s.t1 != nil, data); ok {
		return out, 0
	}
	if s.t1 == nil {
		return s.t0.tpdu(data, exec)
	}
	if out = s.t1.block(data, exec); out == nil {
		return nil, errMute
	}
	if r.fault(FaultT1LRC) || r.once(FaultT1LRCOnce) {
		out = append([]byte(nil), out...)
		out[len(out)-1] ^= 0x5A
	}
	return out, 0
}

func (r *Reader) changed(n int, s slot) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.slots[n].inserts != s.inserts || r.slots[n].card == nil
}

// apdu has the card carry out one APDU, in the card's time. It returns nil when the card was torn out meanwhile. An error ends Serve.
func (r *Reader) apdu(ctx context.Context, n int, s slot, apdu []byte, extend func(t1 bool) error) ([]byte, error) {
	if r.o.Trace != nil {
		summary, detail := r.seen[n].Command(apdu)
		r.o.Trace.Emit("reader", ">", summary, detail...)
	}
	r.mu.Lock()
	r.used++
	tear := false
	if n == 0 && r.tear > 0 {
		r.tear--
		tear = r.tear == 0
	}
	after := r.after
	slow := r.faults[FaultSlow]
	r.mu.Unlock()
	if tear && !after {
		r.Remove(n)
		return nil, nil
	}
	for range 2 {
		if !slow {
			break
		}
		if err := extend(s.t1 != nil); err != nil {
			return nil, err
		}
		if err := pause(ctx, 10*r.pace.APDU); err != nil {
			return nil, err
		}
	}
	// Half of the time passes before the card has carried out the command, half of it after: a card can be taken out in either.
	if err := r.work(ctx); err != nil {
		return nil, err
	}
	if r.changed(n, s) {
		return nil, nil
	}
	out, err := transceive(ctx, s.card, apdu, func() error {
		if r.changed(n, s) {
			return errTaken
		}
		return extend(s.t1 != nil)
	})
	switch {
	case errors.Is(err, errTaken):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if tear {
		r.Remove(n)
		return nil, nil
	}
	if err := r.work(ctx); err != nil {
		return nil, err
	}
	if r.changed(n, s) {
		return nil, nil
	}
	if r.o.Trace != nil && len(out) >= 2 {
		summary, detail := r.seen[n].Response(apdu, out)
		r.o.Trace.Emit("reader", "<", summary, detail...)
	}
	return out, nil
}

func (r *Reader) work(ctx context.Context) error { return pause(ctx, r.pace.APDU/2) }
