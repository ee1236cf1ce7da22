package card

import (
	"encoding/hex"
	"fmt"
	"slices"
)

// Terminal is a terminal that profiles expect something of: the parameters that posd ships, changed by what stands here.
type Terminal struct {
	Name         string
	About        string
	Type         byte    // 9F35
	Capabilities [3]byte // 9F33
	Country      uint16  // 9F1A
	Currency     uint16  // 5F2A
	Kind         byte    // 9C
	Amount       int64   // 9F02, minor units
	Other        int64   // 9F03
	Floor        int64   // floor limit of every application, minor units
	Unreachable  bool    // no answer from the issuer
	PadBroken    bool    // there is a PIN pad, and it does not work
	Bypass       bool    // the cardholder presses Enter at every prompt for a PIN
}

// Terminals lists them. The first one is the terminal that ships.
var Terminals = []Terminal{
	{Name: "shipped", About: "attended, online only, no offline PIN", Type: 0x21, Capabilities: [3]byte{0xE0, 0x68, 0xC8}},
	{Name: "attended", About: "attended, offline with online capability, floor limit 500.00", Type: 0x22, Floor: 50000},
	{Name: "offline-only", About: "attended, offline only", Type: 0x23, Capabilities: [3]byte{0xE0, 0xB8, 0xC8}, Floor: 50000, Unreachable: true},
	{Name: "unattended", About: "unattended, offline with online capability, no signature", Type: 0x25, Capabilities: [3]byte{0x60, 0xD8, 0xC8}, Floor: 50000},
	{Name: "no-offline-pin", About: "as attended, without offline PIN", Type: 0x22, Capabilities: [3]byte{0xE0, 0x68, 0xC8}, Floor: 50000},
	{Name: "no-authentication", About: "as attended, without offline data authentication", Type: 0x22, Capabilities: [3]byte{0xE0, 0xF8, 0x00}, Floor: 50000},
	{Name: "extended", About: "as attended, with extended data authentication", Type: 0x22, Capabilities: [3]byte{0xE0, 0xF8, 0xCC}, Floor: 50000},
	{Name: "pad-broken", About: "as attended, the PIN pad does not work", Type: 0x22, Floor: 50000, PadBroken: true},
	{Name: "bypass", About: "as attended, the cardholder presses Enter instead of a PIN", Type: 0x22, Floor: 50000, Bypass: true},
	{Name: "large", About: "as attended, the amount is over the floor limit", Type: 0x22, Floor: 50000, Amount: 80000},
	{Name: "small", About: "as attended, a small amount", Type: 0x22, Floor: 50000, Amount: 1500},
	{Name: "unreachable", About: "as attended, the issuer cannot be reached", Type: 0x22, Floor: 50000, Unreachable: true},
	{Name: "large-unreachable", About: "as large, the issuer cannot be reached", Type: 0x22, Floor: 50000, Amount: 80000, Unreachable: true},
	{Name: "shipped-unreachable", About: "as shipped, the issuer cannot be reached", Type: 0x21, Capabilities: [3]byte{0xE0, 0x68, 0xC8}, Unreachable: true},
	{Name: "abroad", About: "as attended, in Hong Kong", Type: 0x22, Floor: 50000, Country: 344, Currency: 344},
	{Name: "cash", About: "as attended, cash over the counter", Type: 0x22, Floor: 50000, Kind: 0x01},
	{Name: "cashback", About: "as attended, goods with cash back", Type: 0x22, Floor: 50000, Kind: 0x09, Other: 2800},
}

// Usual values of a Terminal.
const (
	usualCountry = 156
	usualAmount  = 12800
)

func init() {
	for i := range Terminals {
		t := &Terminals[i]
		if t.Capabilities == [3]byte{} {
			t.Capabilities = [3]byte{0xE0, 0xF8, 0xC8}
		}
		if t.Country == 0 {
			t.Country, t.Currency = usualCountry, usualCountry
		}
		if t.Amount == 0 {
			t.Amount = usualAmount
		}
	}
}

// TerminalNamed finds a terminal.
func TerminalNamed(name string) (Terminal, bool) {
	i := slices.IndexFunc(Terminals, func(t Terminal) bool { return t.Name == name })
	if i < 0 {
		return Terminal{}, false
	}
	return Terminals[i], true
}

// Expect is what a right terminal concludes. Start is always given; of the others, what is empty is not looked at.
type Expect struct {
	// Start is what becomes of the transaction up to the first GENERATE AC: online, approved or declined; or no transaction:
	// blocked (the application), card-blocked, not-accepted, conditions or bad-card. At a terminal that is offline only it is the end.
	Start string `toml:"start"`
	Code  string `toml:"code"`  // the issuer's response code, when asked
	Final string `toml:"final"` // approved or declined
	// CVM is how the cardholder was verified: online-pin, offline-pin, offline-pin+signature, signature, none, or failed.
	CVM string `toml:"cvm"`

	Name     string   `toml:"name"`     // of the application that was used, as shown to people
	Offered  []string `toml:"offered"`  // names in the list shown to the cardholder, in their order
	Choose   int      `toml:"choose"`   // which of them the cardholder takes, from 0
	TVR      string   `toml:"tvr"`      // 95 at the end, hex
	TSI      string   `toml:"tsi"`      // 9B at the end, hex
	Results  string   `toml:"results"`  // 9F34, hex
	Scripts  string   `toml:"scripts"`  // script results, five bytes a script, hex
	Asked    []string `toml:"asked"`    // types asked for with GENERATE AC, with "+CDA" or "+XDA" where a signature was wanted
	Prompts  int      `toml:"prompts"`  // how often a PIN was asked for; looked at where CVM is
	Reversal bool     `toml:"reversal"` // the issuer has approved and must be told that nothing came of it
	Blocked  string   `toml:"blocked"`  // what the issuer's script has blocked: application or card
}

// starts are the values of Expect.Start.
var starts = []string{"online", "approved", "declined", "blocked", "card-blocked", "not-accepted", "conditions", "bad-card"}

func (x Expect) complete(at string) error {
	bad := func(field, why string, args ...any) error {
		return &ProfileError{at + "." + field, fmt.Sprintf(why, args...)}
	}
	switch {
	case x.Start != "" && !slices.Contains(starts, x.Start):
		return bad("start", "is none of %q", starts)
	case !slices.Contains([]string{"", "approved", "declined"}, x.Final):
		return bad("final", "is neither approved nor declined")
	case !slices.Contains([]string{"", "online-pin", "offline-pin", "offline-pin+signature", "signature", "none", "failed"}, x.CVM):
		return bad("cvm", "is no method that there is")
	case !slices.Contains([]string{"", "application", "card"}, x.Blocked):
		return bad("blocked", "is neither application nor card")
	}
	for _, f := range []struct {
		name, value string
		size        int
	}{{"tvr", x.TVR, 5}, {"tsi", x.TSI, 2}, {"results", x.Results, 3}} {
		if b, err := hex.DecodeString(f.value); err != nil || f.value != "" && len(b) != f.size {
			return bad(f.name, "must be %d bytes in hex", f.size)
		}
	}
	if b, err := hex.DecodeString(x.Scripts); err != nil || len(b)%5 != 0 {
		return bad("scripts", "must be five bytes a script in hex")
	}
	return nil
}
