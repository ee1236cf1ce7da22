package ccid

import "fmt"

// ATR is an answer to reset that EMV Book 1, section 8.3, lets a terminal accept, with defaults filled in.
type ATR struct {
	Inverse    bool // TS is 3F
	T          int  // protocol, 0 or 1
	FiDi       byte // TA1 in specific mode, else 11
	Guard      byte // TC1, extra guard time
	WI         byte // TC2, T=0
	IFSC       byte // TA3, T=1
	BWI, CWI   byte // TB3, T=1
	Historical []byte
}

// ATRError says which character of an answer to reset is not acceptable.
type ATRError struct {
	Field  string // TS, T0, TB1, ... TCK, or length
	Offset int
	Why    string
}

func (e *ATRError) Error() string {
	return fmt.Sprintf("ccid: ATR: %s at offset %d: %s", e.Field, e.Offset, e.Why)
}

// interfaceBytes are the TAi TBi TCi TDi that an answer to reset holds.
type interfaceBytes struct {
	has [4]bool
	v   [4]byte
	at  [4]int
}

// ParseATR reads an answer to reset and checks it as EMV Book 1, section 8.3.3, has a terminal do. warm tells that it answered a
// warm reset: then TB1 may be anything (8.3.3.2). Errors are *ATRError.
func ParseATR(b []byte, warm bool) (*ATR, error) {
	bad := func(field string, at int, format string, args ...any) (*ATR, error) {
		return nil, &ATRError{field, at, fmt.Sprintf(format, args...)}
	}
	if len(b) < 2 || len(b) > 33 {
		return bad("length", len(b), "%d bytes, want 2 to 33", len(b))
	}
	a := &ATR{FiDi: 0x11, WI: 10, IFSC: 32, BWI: 4, CWI: 5}
	switch b[0] {
	case 0x3B:
	case 0x3F:
		a.Inverse = true
	default:
		return bad("TS", 0, "%02X is neither 3B nor 3F", b[0])
	}

	var groups [4]interfaceBytes // EMV uses three; a fourth is refused below
	y, pos, n := b[1]>>4, 2, 0
	onlyT0 := true
	for y != 0 {
		if n == len(groups) {
			return bad("TD4", pos-1, "more interface characters follow")
		}
		g := &groups[n]
		for i := range 4 {
			if y&(1<<i) == 0 {
				continue
			}
			if pos >= len(b) {
				return bad(fmt.Sprintf("T%c%d", 'A'+i, n+1), pos, "missing")
			}
			g.has[i], g.v[i], g.at[i] = true, b[pos], pos
			pos++
		}
		y = 0
		if g.has[3] {
			y = g.v[3] >> 4
			if g.v[3]&0x0F != 0 {
				onlyT0 = false
			}
		}
		n++
	}
	hist := int(b[1] & 0x0F)
	if pos+hist > len(b) {
		return bad("T0", 1, "%d historical characters announced, %d left", hist, len(b)-pos)
	}
	a.Historical = append([]byte(nil), b[pos:pos+hist]...)
	pos += hist
	switch rest := len(b) - pos; {
	case rest == 0 && onlyT0:
	case rest == 0:
		return bad("TCK", pos, "missing")
	case rest > 1:
		return bad("length", pos+1, "%d bytes too many", rest-1)
	case xor(b[1:]) != 0:
		return bad("TCK", pos, "wrong")
	}
	if err := a.check(&groups, warm); err != nil {
		return nil, err
	}
	return a, nil
}

// check applies the rules for each interface character, Book 1, 8.3.3.1 to 8.3.3.11.
func (a *ATR) check(groups *[4]interfaceBytes, warm bool) error {
	const (
		ta = iota
		tb
		tc
		td
	)
	bad := func(field string, at int, format string, args ...any) error {
		return &ATRError{field, at, fmt.Sprintf(format, args...)}
	}
	g1, g2, g3 := groups[0], groups[1], groups[2]

	if !warm && (!g1.has[tb] || g1.v[tb] != 0) {
		return bad("TB1", g1.at[tb], "absent or not 00 after a cold reset")
	}
	if g1.has[tc] {
		a.Guard = g1.v[tc]
	}
	if g1.has[td] {
		a.T = int(g1.v[td] & 0x0F)
		if a.T > 1 {
			return bad("TD1", g1.at[td], "T=%d is offered first", a.T)
		}
	}
	if g2.has[ta] { // specific mode: TA1 counts; otherwise D=1, F=372 whatever it says
		if g2.v[ta]&0x10 != 0 {
			return bad("TA2", g2.at[ta], "parameters of its own choice")
		}
		if int(g2.v[ta]&0x0F) != a.T {
			return bad("TA2", g2.at[ta], "another protocol than TD1")
		}
		if g1.has[ta] {
			if v := g1.v[ta]; v < 0x11 || v > 0x13 {
				return bad("TA1", g1.at[ta], "%02X in specific mode, want 11 to 13", v)
			}
			a.FiDi = g1.v[ta]
		}
	}
	if g2.has[tb] {
		return bad("TB2", g2.at[tb], "present")
	}
	if g2.has[tc] {
		if g2.v[tc] == 0 {
			return bad("TC2", g2.at[tc], "waiting integer 0")
		}
		a.WI = g2.v[tc]
	}
	if a.T == 0 {
		if n := g2.v[td] & 0x0F; g2.has[td] && n != 0x1 && n != 0xE { // 8.3.3.8
			return bad("TD2", g2.at[td], "T=%d is offered behind T=0", n)
		}
		return nil
	}
	if !g2.has[td] || g2.v[td]&0x0F != 1 {
		return bad("TD2", g2.at[td], "no characters for T=1")
	}
	if g3.has[ta] {
		if v := g3.v[ta]; v < 0x10 || v == 0xFF {
			return bad("TA3", g3.at[ta], "IFSC %02X, want 10 to FE", v)
		}
		a.IFSC = g3.v[ta]
	}
	if !g3.has[tb] {
		return bad("TB3", g2.at[td], "absent")
	}
	a.BWI, a.CWI = g3.v[tb]>>4, g3.v[tb]&0x0F
	if a.BWI > 4 || a.CWI > 5 {
		return bad("TB3", g3.at[tb], "BWI %d, CWI %d, want at most 4 and 5", a.BWI, a.CWI)
	}
	if extra := uint(a.Guard); a.Guard != 0xFF && 1<<a.CWI <= extra+1 {
		return bad("TB3", g3.at[tb], "CWI %d does not fit an extra guard time of %d", a.CWI, a.Guard)
	}
	if g3.has[tc] && g3.v[tc] != 0 {
		return bad("TC3", g3.at[tc], "%02X, want 00 (LRC)", g3.v[tc])
	}
	return nil
}

// parameters builds the data of PC_to_RDR_SetParameters (CCID 6.1.7) and its protocol number.
func (a *ATR) parameters() (protocol byte, data []byte) {
	var convention byte
	if a.Inverse {
		convention = 2
	}
	if a.T == 0 {
		return 0, []byte{a.FiDi, convention, a.Guard, a.WI, 0}
	}
	return 1, []byte{a.FiDi, 0x10 | convention, a.Guard, a.BWI<<4 | a.CWI, 0, a.IFSC, 0}
}
