package emv

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// The smallest sensible capabilities of each kind of terminal.
func conforming(typ byte) Terminal {
	t := Terminal{Country: 156, Type: typ, Capabilities: [3]byte(unhex("E068C8")), Additional: [5]byte(unhex("6000F0B001"))}
	d := typ & 0x0F
	if d > 3 { // nobody to sign for, no display and printer of an attendant
		t.Capabilities[1], t.Additional[3] = 0x48, 0x50
	}
	if d == 3 || d == 6 { // no online PIN
		t.Capabilities[1] &^= 0x40
	}
	return t
}

// trusting has action codes that name every failure of authentication.
func trusting() Config {
	cfg := testConfig()
	for i := range cfg.Applications {
		a := &cfg.Applications[i]
		for _, b := range []bit{tvrODANotPerformed, tvrSDAFailed, tvrDDAFailed, tvrCDAFailed, tvrXDAFailed, tvrECCKeyFailed, tvrCAMissing} {
			b.set(a.TACOnline[:])
			b.set(a.TACDefault[:])
		}
	}
	return cfg
}

// Book 3, 10.7: what the action codes of a terminal that can approve offline must name, or a card that anybody can make is approved.
func TestActionCodesNameFailedAuthentication(t *testing.T) {
	without := func(b bit, online, dflt bool) Config {
		cfg := trusting()
		cfg.Terminal = conforming(0x22)
		cfg.Terminal.Capabilities[2] = 0xCC
		if a := &cfg.Applications[0]; true {
			if online {
				b.clear(a.TACOnline[:])
			}
			if dflt {
				b.clear(a.TACDefault[:])
			}
		}
		return cfg
	}
	for _, b := range []bit{tvrODANotPerformed, tvrSDAFailed, tvrDDAFailed, tvrCDAFailed, tvrXDAFailed, tvrECCKeyFailed, tvrCAMissing} {
		for _, c := range []struct {
			name         string
			online, dflt bool
			change       func(*Config)
			key          string // "" when that is well
		}{
			{"online", true, false, nil, "tac_online"},
			{"default", false, true, nil, "tac_default"},
			{"named for denial instead", true, true, func(c *Config) { b.set(c.Applications[0].TACDenial[:]) }, ""},
			{"online-only terminal", true, true, func(c *Config) { c.Terminal = conforming(0x21) }, ""},
			{"offline-only terminal, online", true, false, func(c *Config) {
				c.Terminal = conforming(0x23)
			}, ""},
			{"offline-only for this application, default", false, true, func(c *Config) {
				c.Applications[0].TerminalType, c.Applications[0].Capabilities = 0x23, [3]byte{0xE0, 0xA8, 0xCC}
			}, "tac_default"},
		} {
			cfg := without(b, c.online, c.dflt)
			if c.change != nil {
				c.change(&cfg)
			}
			err := cfg.Conforms()
			var pe *ParameterError
			if errors.As(err, &pe) != (c.key != "") || pe != nil && pe.Key != c.key {
				t.Errorf("byte %d bit %d, %s: %v", b.octet, b.bit, c.name, err)
			}
		}
	}
	// A method that the terminal does not perform cannot fail.
	cfg := without(tvrCDAFailed, true, true)
	cfg.Terminal.Capabilities[2] = 0xC0
	if err := cfg.Conforms(); err != nil {
		t.Error(err)
	}
}

// Book 4, A1 (table 24): the fifteen types, and no other byte.
func TestTerminalTypes(t *testing.T) {
	for typ := range 256 {
		cfg := trusting()
		cfg.Terminal = conforming(byte(typ))
		want := slices.Contains(terminalTypes, byte(typ))
		if err := cfg.Check(); (err == nil) != want {
			t.Errorf("%02X: %v", typ, err)
		}
		if want {
			if err := cfg.Conforms(); err != nil {
				t.Errorf("%02X: %v", typ, err)
			}
		}
	}
}

// Book 4: a terminal that contradicts itself.
func TestConformance(t *testing.T) {
	caps := func(b string) func(*Terminal) { return func(t *Terminal) { t.Capabilities = [3]byte(unhex(b)) } }
	adds := func(b string) func(*Terminal) { return func(t *Terminal) { t.Additional = [5]byte(unhex(b)) } }
	for _, c := range []struct {
		name   string
		typ    byte
		change func(*Terminal)
		why    string // "" when it conforms
	}{
		{"Book 4, A2: no contacts", 0x22, caps("C068C8"), "capabilities: do not name the reader"},
		{"Book 4, A2: contacts only", 0x22, caps("2068C8"), ""},
		{"Book 4, A2: signature unattended", 0x25, caps("E068C8"), "signature"},
		{"Book 4, A2: signature with nothing to sign on", 0x22, adds("6000F03001"), "sign on"},
		{"Book 4, A2: no signature, nothing to sign on", 0x22, func(t *Terminal) { caps("E048C8")(t); adds("6000F03001")(t) }, ""},
		{"online PIN offline only, attended", 0x23, caps("E048C8"), "online PIN"},
		{"online PIN offline only, unattended", 0x26, caps("E048C8"), "online PIN"},
		{"plain offline PIN", 0x23, caps("E0A8C8"), ""},
		{"both offline PINs", 0x22, caps("E0F8C8"), ""},
		{"Book 4, 6.4: offline capable without SDA", 0x22, caps("E06848"), "SDA or DDA"},
		{"Book 4, 6.4: offline capable without DDA", 0x22, caps("E06880"), "SDA or DDA"},
		{"Book 4, 6.4: offline only without any", 0x23, caps("E02800"), "SDA or DDA"},
		{"Book 4, 6.4: online only without any", 0x21, caps("E06800"), ""},
		{"Book 4, 6.4: online only without any, unattended", 0x14, caps("E04800"), ""},
		{"Book 2, 6.6: CDA without DDA", 0x21, caps("E06888"), "CDA without DDA"},
		{"Book 2, 7.1: enciphered PIN without DDA", 0x21, caps("E07080"), "enciphered PIN"},
		{"Book 4, A3: manual entry without digits", 0x21, func(t *Terminal) { caps("E028C8")(t); adds("600070B001")(t) }, "numeric keys for manual"},
		{"Book 4, 7.1.2: PIN without digits", 0x21, func(t *Terminal) { caps("6068C8")(t); adds("600070B001")(t) }, "for a PIN"},
		{"Book 4, 7.1.2: PIN without command keys", 0x21, adds("600080B001"), "for a PIN"},
		{"Book 4, 7.1.2: no PIN, no keys", 0x21, func(t *Terminal) { caps("6028C8")(t); adds("600000B001")(t) }, ""},
		{"Book 4, A3: cashback without purchase", 0x22, adds("9000F0B001"), "cashback"},
		{"Book 4, A3: cashback with services", 0x22, adds("3000F0B001"), ""},
		{"Book 4, 7.2: attendant without display", 0x22, adds("6000F09001"), "display for the attendant"},
		{"Book 4, A3: attendant's printer unattended", 0x25, adds("6000F0D001"), "not there"},
		{"Book 4, A3: attendant's display unattended", 0x35, adds("6000F07001"), "not there"},
		{"Book 4, 7.2: unattended without display", 0x25, adds("6000F00001"), "could choose"},
		{"Book 4, 7.2: unattended without display or selection", 0x25, func(t *Terminal) { adds("6000F00001")(t); t.NoSelection = true }, ""},
		{"Book 3, 10.6: no risk management, offline capable", 0x22, func(t *Terminal) { t.Risk = RiskNever }, "risk_management"},
		{"Book 3, 10.6: no risk management, offline only", 0x16, func(t *Terminal) { t.Risk = RiskNever }, "risk_management"},
		{"Book 4, 6.4: no risk management, online only", 0x24, func(t *Terminal) { t.Risk = RiskNever }, ""},
		{"Book 4, 6.4: no risk management, cardholder's terminal", 0x36, func(t *Terminal) { t.Risk = RiskNever }, ""},
		{"Book 3, 10.7: default codes of an online-only terminal", 0x21, func(t *Terminal) { t.OnlineOnlyDefault = true }, ""},
		{"Book 3, 10.7: the same where it means nothing", 0x22, func(t *Terminal) { t.OnlineOnlyDefault = true }, "online_only_default_codes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := trusting()
			cfg.Terminal = conforming(c.typ)
			if err := cfg.Conforms(); err != nil {
				t.Fatal(err)
			}
			c.change(&cfg.Terminal)
			err := cfg.Conforms()
			if c.why == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var pe *ParameterError
			if !errors.Is(err, ErrConfig) || !errors.As(err, &pe) || pe.Table != "terminal" || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%v, want %q", err, c.why)
			}
			// The same, where the payment system wants the terminal to be so for one application.
			if key := pe.Key; key == "capabilities" || key == "additional_capabilities" {
				odd := cfg.Terminal
				cfg.Terminal = conforming(c.typ)
				cfg.Applications[0].Capabilities, cfg.Applications[0].Additional = odd.Capabilities, odd.Additional
				if err := cfg.Conforms(); !errors.As(err, &pe) || pe.Table != "application" || pe.Index != 1 || !strings.Contains(err.Error(), strings.TrimPrefix(c.why, "capabilities: ")) {
					t.Errorf("for an application: %v", err)
				}
			}
		})
	}
}

// Book 4, A3: an application cannot be for a transaction type that the terminal does not offer.
func TestTransactionTypesAgainstCapabilities(t *testing.T) {
	for _, c := range []struct {
		name string
		add  string
		typ  byte
		ok   bool
	}{
		{"goods", "4000F0B001", TypeGoods, true},
		{"services", "2000F0B001", TypeGoods, true},
		{"neither", "8000F0B001", TypeGoods, false},
		{"pre-authorisation", "8000F0B001", TypePreauth, false},
		{"cash", "8000F0B001", TypeCash, true},
		{"no cash", "6000F0B001", TypeCash, false},
		{"cashback", "7000F0B001", TypeCashback, true},
		{"no cashback", "6000F0B001", TypeCashback, false},
		{"inquiry", "6800F0B001", TypeBalance, true},
		{"no inquiry", "6000F0B001", TypeBalance, false},
		{"refunds need no bit", "0000F0B001", TypeRefund, true},
	} {
		t.Run("Book 4, A3: "+c.name, func(t *testing.T) {
			cfg := trusting()
			cfg.Terminal.Additional = [5]byte(unhex(c.add))
			cfg.Applications[0].Types = []byte{c.typ}
			err := cfg.Conforms()
			if c.ok != (err == nil) || err != nil && !strings.Contains(err.Error(), "application A000000333010101.transaction_types") {
				t.Errorf("%v", err)
			}
		})
	}
}

const everyKey = `[terminal]
country = 156
type = "21"
capabilities = "E068C8"
additional_capabilities = "7800F0B001"
risk_management = "by_aip"
online_only_default_codes = true
cardholder_selection = false
script_limit = 256

[[application]]
aid = "A000000333010101"
transaction_types = "00 03 31"
pin_bypass = false
online_pin = false
terminal_type = "22"
capabilities = "E020C0"
additional_capabilities = "6800F0B001"

# [[application]] in a comment is none
[[application]] # the second
aid = "A0000000031010"
floor_limit = 5
pin_bypass = true
online_pin = true
`

func TestEveryKeyOfTheParameters(t *testing.T) {
	// Default codes are for online-only terminals, and the application wants another one.
	if _, err := LoadParameters(strings.NewReader(everyKey)); err == nil || !strings.Contains(err.Error(), "application A000000333010101.online_only_default_codes") {
		t.Fatal(err)
	}
	cfg, err := LoadParameters(strings.NewReader(strings.Replace(everyKey, "terminal_type = \"22\"", "terminal_type = \"11\"", 1)))
	if err != nil {
		t.Fatal(err)
	}
	m, a, b := cfg.Terminal, cfg.Applications[0], cfg.Applications[1]
	if m.Risk != RiskByAIP || !m.OnlineOnlyDefault || !m.NoSelection || m.ScriptLimit != 256 || m.scriptLimit() != 256 {
		t.Errorf("%+v", m)
	}
	if hexString(a.Types) != "000331" || !a.NoPINBypass || !a.NoOnlinePIN || a.TerminalType != 0x11 || a.Capabilities != [3]byte{0xE0, 0x20, 0xC0} || a.Additional != [5]byte{0x68, 0x00, 0xF0, 0xB0, 0x01} {
		t.Errorf("%+v", a)
	}
	if b.Types != nil || b.NoPINBypass || b.NoOnlinePIN || b.TerminalType != 0 || b.terminal(m) != m {
		t.Errorf("%+v", b)
	}
	// What is not said.
	cfg, err = LoadParameters(strings.NewReader(minimal + oneApp))
	if m := cfg.Terminal; err != nil || m.Risk != RiskAlways || m.OnlineOnlyDefault || m.NoSelection || m.scriptLimit() != defaultScriptLimit {
		t.Errorf("%+v, %v", m, err)
	}
}

// Whatever is wrong, the error says where.
func TestLinesOfParameterErrors(t *testing.T) {
	good := strings.Replace(everyKey, "terminal_type = \"22\"", "terminal_type = \"11\"", 1)
	key := "\n[[ca_key]]\nrid = \"A000000003\"\nindex = \"01\"\nexponent = \"03\"\nmodulus = \"00\"\nsha1 = \"0000000000000000000000000000000000000000\"\n"
	for _, c := range []struct{ name, text, want string }{
		{"country", strings.Replace(good, "156", "1000", 1), "line 2: terminal.country"},
		{"type", strings.Replace(good, "\"21\"", "\"31\"", 1), "line 3: terminal.type"},
		{"capabilities", strings.Replace(good, "E068C8", "C068C8", 1), "line 4: terminal.capabilities"},
		{"additional capabilities", strings.Replace(good, "7800F0B001", "780000B001", 1), "line 5: terminal.additional_capabilities"},
		{"risk management", strings.Replace(good, "by_aip", "sometimes", 1), "line 6: terminal.risk_management"},
		{"script limit", strings.Replace(good, "256", "127", 1), "line 9: terminal.script_limit"},
		{"script limit too large", strings.Replace(good, "256", "4097", 1), "line 9: terminal.script_limit"},
		{"a key that is not there: its table", strings.Replace(strings.Replace(good, "type = \"21\"", "type = \"22\"", 1), "online_only_default_codes = true\n", "risk_management2 = 1\n", 1), "line 7, column 1: unknown key"},
		{"transaction type", strings.Replace(good, "00 03 31", "00 3A", 1), "line 13: application A000000333010101.transaction_types: 3A"},
		{"transaction type twice", strings.Replace(good, "00 03 31", "00 00", 1), "line 13: application A000000333010101.transaction_types: 00 occurs twice"},
		{"transaction type not offered", strings.Replace(good, "00 03 31", "00 01", 1), "line 13: application A000000333010101.transaction_types: 01"},
		{"terminal type of an application", strings.Replace(good, "\"11\"", "\"31\"", 1), "line 16: application A000000333010101.terminal_type"},
		{"capabilities of an application", strings.Replace(good, "E020C0", "C020C0", 1), "line 17: application A000000333010101.capabilities"},
		{"the second application", strings.Replace(good, "floor_limit = 5", "floor_limit = -5", 1), "line 23: application A0000000031010.floor_limit"},
		{"the second application's AID", strings.Replace(good, "A0000000031010", "A000000333010101", 1), "line 22: application A000000333010101.aid: occurs twice"},
		{"no key: the table's line", strings.Replace(good, "type = \"21\"\n", "", 1), "line 1: terminal.type"},
		{"a public key", good + key, "line 27: ca_key 1: CA key A000000003"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := LoadParameters(strings.NewReader(c.text))
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if _, err := LoadParameters(strings.NewReader(good)); err != nil {
		t.Error(err)
	}
}

// FuzzParameters: any text ends in parameters that pass the checks, or in an error.
func FuzzParameters(f *testing.F) {
	f.Add([]byte(everyKey))
	f.Add([]byte(minimal + oneApp))
	f.Add([]byte("[terminal]\ntype = \"00\"\n[[application]]\n[[application]]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg, err := LoadParameters(strings.NewReader(string(b)))
		if err == nil && (cfg.Check() != nil || cfg.Conforms() != nil) || err != nil && !errors.Is(err, ErrConfig) {
			t.Fatal(err)
		}
	})
}
