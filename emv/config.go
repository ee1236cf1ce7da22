package emv

import (
	"bytes"
	"errors"
	"fmt"

	"posd/emv/tlv"
)

// Config is what a Kernel knows beside the card and the transaction: all of it is data of the acquirer, the payment systems and
// the board. It may be shared by several kernels and must not be changed once a Kernel has it.
type Config struct {
	Terminal     Terminal
	Applications []Application
	CAKeys       []CAKey
	Revoked      []Revoked
}

// Terminal is the terminal's own data (Book 4, Annex A). Fields that are empty are absent: a data object list that asks for them
// gets zeros.
type Terminal struct {
	Country      uint16  // 9F1A, ISO 3166 numeric: 156
	Type         byte    // 9F35, two digits: 0x22 is attended, offline with online capability, run by a merchant
	Capabilities [3]byte // 9F33
	Additional   [5]byte // 9F40
	IFDSerial    string  // 9F1E, 8 letters and digits
	TerminalID   string  // 9F1C, 8 letters and digits; ISO 8583 field 41
	MerchantID   string  // 9F16, 15 characters; field 42
	MerchantName string  // 9F4E
	Category     string  // 9F15, four digits
	AcquirerID   string  // 9F01, up to eleven digits
	CDAMode      CDAMode // when signatures are asked for; 0 is CDAMode1
}

// Application is one application the terminal accepts, with the payment system's parameters for it.
type Application struct {
	AID              []byte  // 5 to 16 bytes
	Name             string  // for people; the card's own label is shown to the cardholder
	Partial          bool    // longer names on the card that begin with AID are accepted too (Book 1, 12.3.1)
	Version          [2]byte // 9F09
	TACDenial        [5]byte
	TACOnline        [5]byte
	TACDefault       [5]byte
	FloorLimit       int64  // 9F1B, minor units
	Threshold        int64  // for biased random selection, minor units
	TargetPercent    int    // 0 to 99
	MaxTargetPercent int    // TargetPercent to 99
	DDOL             []byte // default DDOL, used when the card has no 9F49; nil when there is none
	TDOL             []byte // default TDOL, used when the card has no 97; nil when there is none
}

// ErrConfig is wrapped by every error about parameters.
var ErrConfig = errors.New("emv: bad parameters")

// Check tells what is wrong with the parameters: lengths, ranges, applications or keys that occur twice.
func (c *Config) Check() error {
	t := &c.Terminal
	for _, f := range []struct {
		name  string
		value string
		max   int
		exact bool
	}{
		{"terminal.ifd_serial", t.IFDSerial, 8, true},
		{"terminal.terminal_id", t.TerminalID, 8, true},
		{"terminal.merchant_id", t.MerchantID, 15, true},
		{"terminal.category", t.Category, 4, true},
		{"terminal.acquirer_id", t.AcquirerID, 11, false},
		{"terminal.merchant_name", t.MerchantName, 128, false},
	} {
		if f.value != "" && (len(f.value) > f.max || f.exact && len(f.value) != f.max) {
			return fmt.Errorf("%w: %s has %d characters, not %d", ErrConfig, f.name, len(f.value), f.max)
		}
	}
	for _, f := range []struct{ name, value string }{{"terminal.category", t.Category}, {"terminal.acquirer_id", t.AcquirerID}} {
		for _, r := range f.value {
			if r < '0' || r > '9' {
				return fmt.Errorf("%w: %s has something else than digits", ErrConfig, f.name)
			}
		}
	}
	if t.Country > 999 {
		return fmt.Errorf("%w: terminal.country %d is not an ISO 3166 number", ErrConfig, t.Country)
	}
	if d, op := t.Type&0xF, t.Type>>4; d < 1 || d > 6 || op < 1 || op > 3 {
		return fmt.Errorf("%w: terminal.type %02X is not a terminal type (Book 4, A1)", ErrConfig, t.Type)
	}
	if t.CDAMode > CDAMode4 {
		return fmt.Errorf("%w: terminal.cda_mode %d is not 1 to 4 (Book 2, D4)", ErrConfig, t.CDAMode)
	}
	if len(c.Applications) > maxApplications {
		return fmt.Errorf("%w: %d applications, at most %d", ErrConfig, len(c.Applications), maxApplications)
	}
	for i := range c.Applications {
		a := &c.Applications[i]
		if why := a.check(); why != "" {
			return fmt.Errorf("%w: application %X: %s", ErrConfig, a.AID, why)
		}
		for _, b := range c.Applications[:i] {
			if bytes.Equal(a.AID, b.AID) {
				return fmt.Errorf("%w: application %X occurs twice", ErrConfig, a.AID)
			}
		}
	}
	return c.checkCAKeys()
}

func (a *Application) check() string {
	switch {
	case len(a.AID) < 5 || len(a.AID) > 16:
		return fmt.Sprintf("an AID has 5 to 16 bytes, not %d", len(a.AID))
	case a.FloorLimit < 0 || a.FloorLimit > 0xFFFFFFFF:
		return "floor_limit does not fit the four bytes of 9F1B"
	case a.Threshold < 0 || a.Threshold > a.FloorLimit:
		return "threshold is not between 0 and floor_limit (Book 3, 10.6.2)"
	case a.TargetPercent < 0 || a.TargetPercent > 99:
		return "target_percent is not between 0 and 99"
	case a.MaxTargetPercent < a.TargetPercent || a.MaxTargetPercent > 99:
		return "max_target_percent is not between target_percent and 99"
	}
	ddol, err := tlv.ParseDOL(a.DDOL)
	if err != nil {
		return "ddol: " + err.Error()
	}
	if a.DDOL != nil && !ddol.Has(tagUN) {
		return "ddol does not ask for the unpredictable number 9F37 (Book 2, 6.5.1)"
	}
	if _, err := tlv.ParseDOL(a.TDOL); err != nil {
		return "tdol: " + err.Error()
	}
	return ""
}
