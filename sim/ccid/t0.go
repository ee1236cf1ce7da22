package ccid

// t0State is the card's side of T=0 between two TPDUs.
type t0State struct {
	ready []byte // data for GET RESPONSE
	sw    [2]byte
	held  []byte // header of a command answered 6Cxx, whose answer is ready
}

// tpdu carries out one T=0 command TPDU (header and P3, then data) with a card that knows APDUs. The second result is a bError for
// a TPDU that a reader cannot send.
//
// A command with data that has an answer with data gets 61xx, or its warning (62xx, 63xx), and the data wait for GET RESPONSE. A
// command that asks for another length than there is gets 6Cxx, once, and the answer waits for the same command with that length.
func (t *t0State) tpdu(b []byte, exec func(apdu []byte) []byte) ([]byte, byte) {
	if len(b) == 4 {
		b = append(b[:4:4], 0)
	}
	if len(b) < 5 || len(b) > 5 && len(b) != 5+int(b[4]) {
		return nil, errProcedure
	}
	ready, sw, held := t.ready, t.sw, t.held
	*t = t0State{}
	if len(b) > 5 {
		out := exec(append(append([]byte(nil), b...), 0)) // a card at APDU level wants Le where there may be an answer
		if len(out) < 2 {
			return nil, errMute
		}
		body := out[:len(out)-2]
		end := [2]byte(out[len(out)-2:])
		if len(body) == 0 {
			return end[:], 0
		}
		t.ready, t.sw = append([]byte(nil), body...), end
		if end[0] != 0x90 { // a warning is told first; GET RESPONSE then ends well
			t.sw = [2]byte{0x90, 0}
			return end[:], 0
		}
		return []byte{0x61, byte(min(len(body), 256))}, 0
	}
	if b[1] == 0xC0 && b[2] == 0 && b[3] == 0 && ready != nil && held == nil {
		return t.take(b, ready, sw, nil)
	}
	if held != nil && string(held) == string(b[:4]) {
		return t.take(b, ready, sw, held)
	}
	out := exec(b)
	if len(out) < 2 {
		return nil, errMute
	}
	body := append([]byte(nil), out[:len(out)-2]...)
	end := [2]byte(out[len(out)-2:])
	if len(body) == 0 {
		return end[:], 0
	}
	return t.take(b, body, end, append([]byte(nil), b[:4]...))
}

// take answers a command that asks for b[4] bytes out of data.
func (t *t0State) take(b, data []byte, sw [2]byte, held []byte) ([]byte, byte) {
	le := int(b[4])
	if le == 0 {
		le = 256
	}
	switch {
	case le == len(data):
		return append(data, sw[:]...), 0
	case le < len(data) && held == nil: // GET RESPONSE in pieces
		t.ready, t.sw = data[le:], sw
		return append(data[:le:le], 0x61, byte(min(len(data)-le, 256))), 0
	}
	t.ready, t.sw, t.held = data, sw, held
	return []byte{0x6C, byte(min(len(data), 256))}, 0
}
