package emv

import (
	"bytes"
	"fmt"

	"posd/emv/tlv"
)

// Check tells what is wrong with the parameters: lengths, ranges, applications or keys that occur twice. What it finds makes a Kernel
// unusable. The error is a *ParameterError.
func (c *Config) Check() error {
	if e := c.check(); e != nil {
		return e
	}
	return nil
}

// Conforms tells what Book 4 would not have a terminal be, for the terminal itself and for what it is to each application: a terminal
// type whose capabilities contradict it. LoadParameters refuses such parameters. The error is a *ParameterError.
func (c *Config) Conforms() error {
	if e := c.conforms(); e != nil {
		return e
	}
	return nil
}

func (c *Config) check() *ParameterError {
	t := &c.Terminal
	for _, f := range []struct {
		key, value string
		max        int
		exact      bool
	}{
		{"ifd_serial", t.IFDSerial, 8, true},
		{"terminal_id", t.TerminalID, 8, true},
		{"merchant_id", t.MerchantID, 15, true},
		{"category", t.Category, 4, true},
		{"acquirer_id", t.AcquirerID, 11, false},
		{"merchant_name", t.MerchantName, 128, false},
	} {
		if f.value != "" && (len(f.value) > f.max || f.exact && len(f.value) != f.max) {
			return ofTerminalTable(f.key, fmt.Sprintf("has %d characters, not %d", len(f.value), f.max))
		}
	}
	for _, f := range []struct{ key, value string }{{"category", t.Category}, {"acquirer_id", t.AcquirerID}} {
		for _, r := range f.value {
			if r < '0' || r > '9' {
				return ofTerminalTable(f.key, "has something else than digits")
			}
		}
	}
	switch {
	case t.Country > 999:
		return ofTerminalTable("country", fmt.Sprintf("%d is not an ISO 3166 number", t.Country))
	case !terminalType(t.Type):
		return ofTerminalTable("type", fmt.Sprintf("%02X is not a terminal type (Book 4, A1)", t.Type))
	case t.Risk > RiskNever:
		return ofTerminalTable("risk_management", "is not always, by_aip or never")
	case t.CDAMode > CDAMode4:
		return ofTerminalTable("cda_mode", fmt.Sprintf("%d is not 1 to 4 (Book 2, D4)", t.CDAMode))
	case t.ScriptLimit != 0 && (t.ScriptLimit < minScriptLimit || t.ScriptLimit > maxScriptLimit):
		return ofTerminalTable("script_limit", fmt.Sprintf("is not between %d and %d (Book 4, 6.3.9)", minScriptLimit, maxScriptLimit))
	case len(c.Applications) > maxApplications:
		return &ParameterError{Table: "application", Index: maxApplications + 1, Reason: fmt.Sprintf("%d applications, at most %d", len(c.Applications), maxApplications)}
	}
	for i := range c.Applications {
		a := &c.Applications[i]
		if key, why := a.check(); why != "" {
			return &ParameterError{Table: "application", Index: i + 1, Name: hexString(a.AID), Key: key, Reason: why}
		}
		for _, b := range c.Applications[:i] {
			if bytes.Equal(a.AID, b.AID) {
				return &ParameterError{Table: "application", Index: i + 1, Name: hexString(a.AID), Key: "aid", Reason: "occurs twice"}
			}
		}
	}
	// Each index of a RID occurs once, whatever its algorithm (Book 2, 11.2.2).
	for i, k := range c.CAKeys {
		name := fmt.Sprintf("%X index %02X", k.RID, k.Index)
		if k.Bits() == 0 {
			return &ParameterError{Table: "ca_key", Index: i + 1, Name: name, Reason: "was not made by NewCAKey"}
		}
		for _, o := range c.CAKeys[:i] {
			if o.RID == k.RID && o.Index == k.Index {
				return &ParameterError{Table: "ca_key", Index: i + 1, Name: name, Reason: "occurs twice"}
			}
		}
	}
	return nil
}

// check returns the key in the parameter file and what is wrong with its value; "" when nothing is.
func (a *Application) check() (key, why string) {
	switch {
	case len(a.AID) < 5 || len(a.AID) > 16:
		return "aid", fmt.Sprintf("an AID has 5 to 16 bytes, not %d", len(a.AID))
	case a.FloorLimit < 0 || a.FloorLimit > 0xFFFFFFFF:
		return "floor_limit", "does not fit the four bytes of 9F1B"
	case a.Threshold < 0 || a.Threshold > a.FloorLimit:
		return "threshold", "is not between 0 and floor_limit (Book 3, 10.6.2)"
	case a.TargetPercent < 0 || a.TargetPercent > 99:
		return "target_percent", "is not between 0 and 99 (Book 3, 10.6.2)"
	case a.MaxTargetPercent < a.TargetPercent || a.MaxTargetPercent > 99:
		return "max_target_percent", "is not between target_percent and 99 (Book 3, 10.6.2)"
	case a.TerminalType != 0 && !terminalType(a.TerminalType):
		return "terminal_type", fmt.Sprintf("%02X is not a terminal type (Book 4, A1)", a.TerminalType)
	}
	for i, t := range a.Types {
		if t>>4 > 9 || t&0x0F > 9 {
			return "transaction_types", fmt.Sprintf("%02X is not two digits", t)
		}
		if bytes.IndexByte(a.Types[:i], t) >= 0 {
			return "transaction_types", fmt.Sprintf("%02X occurs twice", t)
		}
	}
	ddol, err := tlv.ParseDOL(a.DDOL)
	if err != nil {
		return "ddol", err.Error()
	}
	if a.DDOL != nil && !ddol.Has(tagUN) {
		return "ddol", "does not ask for the unpredictable number 9F37 (Book 2, 6.5.1)"
	}
	if _, err := tlv.ParseDOL(a.TDOL); err != nil {
		return "tdol", err.Error()
	}
	return "", ""
}

// terminalType is table 24 of Book 4, A1: 11 to 16, 21 to 26, 34 to 36. There is no attended terminal that the cardholder controls.
func terminalType(t byte) bool {
	d := t & 0x0F
	switch t >> 4 {
	case 1, 2:
		return d >= 1 && d <= 6
	case 3:
		return d >= 4 && d <= 6
	}
	return false
}

// Bits of the capabilities that only the consistency of a terminal depends on (Book 4, A2 and A3).
var (
	capContacts         = bit{1, 6}
	capManual           = bit{1, 8}
	addCapGoods         = bit{1, 7}
	addCapServices      = bit{1, 6}
	addCapCashback      = bit{1, 5}
	addCapInquiry       = bit{1, 4}
	addCapNumericKeys   = bit{3, 8}
	addCapCommandKeys   = bit{3, 6}
	addCapPrintAttended = bit{4, 8}
	addCapShowAttended  = bit{4, 6}
	addCapShowHolder    = bit{4, 5}
)

func (c *Config) conforms() *ParameterError {
	if key, why := c.Terminal.conforms(); why != "" {
		return ofTerminalTable(key, why)
	}
	for i := range c.Applications {
		a := &c.Applications[i]
		at := func(key, why string) *ParameterError {
			return &ParameterError{Table: "application", Index: i + 1, Name: hexString(a.AID), Key: key, Reason: why}
		}
		t := a.terminal(c.Terminal)
		if key, why := t.conforms(); why != "" {
			if key == "type" {
				key = "terminal_type"
			}
			return at(key, why)
		}
		if key, why := a.trusts(&t); why != "" {
			return at(key, why)
		}
		for _, typ := range a.Types {
			if why := t.offers(typ); why != "" {
				return at("transaction_types", why)
			}
		}
	}
	return nil
}

// trusts tells which action code of a terminal that may approve offline does not name the failure of an authentication that it performs:
// a card that anybody can make would be approved (Book 3, 10.7, on what the TACs should name at least).
func (a *Application) trusts(t *Terminal) (key, why string) {
	d, caps := t.Type&0x0F, t.Capabilities[:]
	if d == 1 || d == 4 {
		return "", "" // the issuer looks at each
	}
	for _, f := range []struct {
		can  bool
		bit  bit
		name string
	}{
		{true, tvrODANotPerformed, "authentication was not performed"},
		{capSDA.in(caps), tvrSDAFailed, "SDA failed"},
		{capDDA.in(caps), tvrDDAFailed, "DDA failed"},
		{capCDA.in(caps), tvrCDAFailed, "CDA failed"},
		{capXDA.in(caps), tvrXDAFailed, "XDA signature failed"},
		{capXDA.in(caps), tvrECCKeyFailed, "ECC key recovery failed"},
		{capXDA.in(caps), tvrCAMissing, "CA ECC key missing"},
	} {
		for _, c := range []struct {
			key  string
			code [5]byte
		}{{"tac_online", a.TACOnline}, {"tac_default", a.TACDefault}} {
			offlineOnly := d == 3 || d == 6
			if f.can && !f.bit.in(c.code[:]) && !(offlineOnly && c.key == "tac_online") && !f.bit.in(a.TACDenial[:]) {
				return c.key, fmt.Sprintf("lacks %q (byte %d, bit %d), and the terminal can approve offline (Book 3, 10.7)", f.name, f.bit.octet, f.bit.bit)
			}
		}
	}
	return "", ""
}

// offers tells why a terminal cannot have a transaction type, "" when it can. Types that have no bit in the additional capabilities,
// such as refunds, are offered by every terminal.
func (t *Terminal) offers(typ byte) string {
	add := t.Additional[:]
	ok := true
	switch typ {
	case TypeGoods, TypePreauth:
		ok = addCapGoods.in(add) || addCapServices.in(add)
	case TypeCash:
		ok = addCapCash.in(add)
	case TypeCashback:
		ok = addCapCashback.in(add)
	case TypeBalance:
		ok = addCapInquiry.in(add)
	}
	if !ok {
		return fmt.Sprintf("%02X is not among the terminal's additional capabilities (Book 4, A3)", typ)
	}
	return ""
}

// conforms returns the key of the parameter that contradicts another, and why.
func (t *Terminal) conforms() (key, why string) {
	d := t.Type & 0x0F
	attended, online, offline := d <= 3, d == 1 || d == 4, d == 3 || d == 6
	caps, add := t.Capabilities[:], t.Additional[:]
	pin := capPlainPIN.in(caps) || capEncipheredPIN.in(caps) || capOnlinePIN.in(caps)
	switch {
	case !capContacts.in(caps):
		return "capabilities", "do not name the reader for contacts (Book 4, A2)"
	case capSignature.in(caps) && !attended:
		return "capabilities", "name signature, and nobody is there to look at it (Book 4, A2)"
	case capSignature.in(caps) && !addCapPrintAttended.in(add):
		return "additional_capabilities", "have nothing for the attendant to sign on (Book 4, A2)"
	case capOnlinePIN.in(caps) && offline:
		return "capabilities", "name online PIN, and the terminal is offline only"
	case capEncipheredPIN.in(caps) && !capPlainPIN.in(caps) && !capDDA.in(caps):
		return "capabilities", "name enciphered PIN without the DDA that recovers its key (Book 2, 7.1)"
	case !online && !(capSDA.in(caps) && capDDA.in(caps)):
		return "capabilities", "lack SDA or DDA, and the terminal can approve offline (Book 4, 6.4)"
	case capCDA.in(caps) && !capDDA.in(caps):
		return "capabilities", "name CDA without DDA (Book 2, 6.6)"
	case capManual.in(caps) && !addCapNumericKeys.in(add):
		return "additional_capabilities", "have no numeric keys for manual key entry (Book 4, A3)"
	case pin && !(addCapNumericKeys.in(add) && addCapCommandKeys.in(add)):
		return "additional_capabilities", "have no numeric and command keys for a PIN (Book 4, 7.1.2)"
	case addCapCashback.in(add) && !addCapGoods.in(add) && !addCapServices.in(add):
		return "additional_capabilities", "have cashback without a purchase"
	case attended && !addCapShowAttended.in(add):
		return "additional_capabilities", "have no display for the attendant (Book 4, 7.2)"
	case !attended && (addCapPrintAttended.in(add) || addCapShowAttended.in(add)):
		return "additional_capabilities", "have printer or display for an attendant who is not there (Book 4, A3)"
	case !attended && !t.NoSelection && !addCapShowHolder.in(add):
		return "additional_capabilities", "have no display on which a cardholder could choose (Book 4, 7.2)"
	case t.Risk == RiskNever && !online && t.Type>>4 != 3:
		return "risk_management", "is never performed by a terminal that can approve offline (Book 3, 10.6)"
	case t.OnlineOnlyDefault && !online:
		return "online_only_default_codes", "is for online-only terminals (Book 3, 10.7)"
	}
	return "", ""
}
