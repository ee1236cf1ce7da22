package kernel7

import (
	"fmt"
	"time"
)

// Channel is FF805D: which of a card's ways of paying comes first.
type Channel uint8

// Channels. ByLimits is where nothing was downloaded: the limits of the combination decide.
const (
	ByLimits    Channel = iota
	OnlineFirst         // 0: every card is to ask its issuer
	CashFirst           // 1: the purse may pay
)

// Parameters are UnionPay's parameters for contactless transactions, as a host sends them in field 62 of the answer to network management
// 394. Names, lengths and defaults: four public terminals and one host agree. Zero times stand for the defaults.
type Parameters struct {
	Channel          Channel
	RetapTime        time.Duration // FF803A: how long the same card is waited for after it left too early; 10 s
	TornLifetime     time.Duration // FF803C: how long such a card is remembered; 60 s
	QPS              bool          // FF8054: no PIN for small amounts
	UseTableA        bool          // FF8055: only cards of table A (pilot stage)
	UseTableB        bool          // FF8056: credit cards, and debit cards of table B
	IgnoreCDCVM      bool          // FF8057 is 0: a phone that has verified its owner does not count
	NoPINLimit       int64         // FF8058, minor units; up to and with it no PIN
	NoSignatureLimit int64         // FF8059
	NoSignature      bool          // FF805A
}

const (
	defaultRetapTime    = 10 * time.Second
	defaultTornLifetime = 60 * time.Second
	defaultSmallAmount  = 30000 // 300.00
)

func (p *Parameters) retapTime() time.Duration {
	if p.RetapTime == 0 {
		return defaultRetapTime
	}
	return p.RetapTime
}

func (p *Parameters) tornLifetime() time.Duration {
	if p.TornLifetime == 0 {
		return max(defaultTornLifetime, p.retapTime())
	}
	return max(p.TornLifetime, p.retapTime())
}

// ParameterError says what is wrong with downloaded parameters, and where.
type ParameterError struct {
	Tag    string // "" when not even that could be read
	Offset int    // of the parameter's first byte
	Reason string
}

func (e *ParameterError) Error() string {
	s := fmt.Sprintf("kernel7: parameters: %s at offset %d", e.Reason, e.Offset)
	if e.Tag != "" {
		s += " in " + e.Tag
	}
	return s
}

const maxParameters = 1024

// ParseParameters reads downloaded parameters: one after the other a tag of six hexadecimal digits, a length of three decimal digits and a
// value of that many digits, all in ASCII. Tags that are not known are passed over. A parameter that is not there has its default: 300.00
// for the limits, off for the switches, on for FF8057.
func ParseParameters(b []byte) (Parameters, error) {
	p := Parameters{NoPINLimit: defaultSmallAmount, NoSignatureLimit: defaultSmallAmount}
	if len(b) > maxParameters {
		return Parameters{}, &ParameterError{Offset: maxParameters, Reason: "too many bytes"}
	}
	seen := map[string]bool{}
	for pos := 0; pos < len(b); {
		bad := func(tag, why string) (Parameters, error) { return Parameters{}, &ParameterError{tag, pos, why} }
		if len(b)-pos < 9 {
			return bad("", "cut off before the value")
		}
		tag := string(b[pos : pos+6])
		for _, c := range tag {
			if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
				return bad("", "the tag is not hexadecimal")
			}
		}
		n, ok := decimal(b[pos+6:pos+9], 3)
		if !ok {
			return bad(tag, "the length is not decimal")
		}
		if int(n) > len(b)-pos-9 {
			return bad(tag, fmt.Sprintf("a value of %d bytes, %d left", n, len(b)-pos-9))
		}
		if seen[tag] {
			return bad(tag, "comes twice")
		}
		seen[tag] = true
		if !p.set(tag, b[pos+9:pos+9+int(n)]) {
			return bad(tag, "not a value for it")
		}
		pos += 9 + int(n)
	}
	return p, nil
}

// set takes one parameter; false when the value cannot be one.
func (p *Parameters) set(tag string, v []byte) bool {
	flag := func(to *bool, on byte) bool {
		if len(v) != 1 || v[0] != '0' && v[0] != '1' {
			return false
		}
		*to = v[0] == on
		return true
	}
	seconds := func(to *time.Duration) bool {
		n, ok := decimal(v, 3)
		*to = time.Duration(n) * time.Second
		return ok && n > 0
	}
	limit := func(to *int64) (ok bool) {
		*to, ok = decimal(v, 12)
		return ok
	}
	switch tag {
	case "FF805D":
		cash := false
		if !flag(&cash, '1') {
			return false
		}
		p.Channel = OnlineFirst
		if cash {
			p.Channel = CashFirst
		}
		return true
	case "FF803A":
		return seconds(&p.RetapTime)
	case "FF803C":
		return seconds(&p.TornLifetime)
	case "FF8054":
		return flag(&p.QPS, '1')
	case "FF8055":
		return flag(&p.UseTableA, '1')
	case "FF8056":
		return flag(&p.UseTableB, '1')
	case "FF8057":
		return flag(&p.IgnoreCDCVM, '0')
	case "FF8058":
		return limit(&p.NoPINLimit)
	case "FF8059":
		return limit(&p.NoSignatureLimit)
	case "FF805A":
		return flag(&p.NoSignature, '1')
	}
	return true
}

// decimal reads one to max decimal digits.
func decimal(b []byte, max int) (v int64, ok bool) {
	if len(b) == 0 || len(b) > max {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, true
}
