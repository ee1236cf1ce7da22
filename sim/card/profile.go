package card

import (
	"bytes"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"posd/emv/tlv"
)

// Profile says what a card holds and how it behaves.
type Profile struct {
	Name         string        `toml:"-"`        // of the file, without .toml
	Title        string        `toml:"title"`    // for people
	TitleZH      string        `toml:"title_zh"` // the same in Chinese
	Protocol     int           `toml:"protocol"` // 0 for T=0, 1 for T=1
	Holder       string        `toml:"holder"`   // 5F20
	PIN          string        `toml:"pin"`      // what the cardholder types
	CardBlocked  bool          `toml:"card_blocked"`
	NoPSE        bool          `toml:"no_pse"`
	Host         Host          `toml:"host"`
	Expect       Expect        `toml:"expect"`
	Applications []Application `toml:"application"`
}

// Host is the cardholder's account as the issuer has it.
type Host struct {
	PIN     string `toml:"pin"`     // the PIN that the issuer knows; "" is the cardholder's
	Balance int64  `toml:"balance"` // minor units that may be spent
	Code    string `toml:"code"`    // response code (field 39) to every sale; "" lets balance and PIN decide
}

// Expect is how a purchase of a moderate amount ends at a terminal that is online.
type Expect struct {
	Start string `toml:"start"` // after the first GENERATE AC: online, approved, declined; or blocked
	Code  string `toml:"code"`  // the issuer's response code, when asked
	Final string `toml:"final"` // approved or declined
	CVM   string `toml:"cvm"`   // online-pin, offline-pin, signature or none, when the terminal can do it
}

// Application is one application of a card.
type Application struct {
	AID       string `toml:"aid"`
	Label     string `toml:"label"`
	Preferred string `toml:"preferred"` // 9F12
	Priority  int    `toml:"priority"`  // 1 to 15
	Confirm   bool   `toml:"confirm"`   // the cardholder must confirm
	Blocked   bool   `toml:"blocked"`

	PAN       string `toml:"pan"`
	PSN       string `toml:"psn"`       // two digits
	Effective string `toml:"effective"` // 5F25, YYMM
	Expiry    string `toml:"expiry"`    // 5F24, YYMM
	Service   string `toml:"service"`   // service code of track 2
	Country   string `toml:"country"`   // 5F28, four digits
	Currency  string `toml:"currency"`  // 9F42, four digits

	ODA        string `toml:"oda"`         // none, sda, dda or cda
	CVM        string `toml:"cvm"`         // 8E, hex
	AUC        string `toml:"auc"`         // 9F07, hex
	Version    string `toml:"version"`     // 9F08, hex; "" for none
	IACDefault string `toml:"iac_default"` // 9F0D, hex
	IACDenial  string `toml:"iac_denial"`  // 9F0E
	IACOnline  string `toml:"iac_online"`  // 9F0F
	PDOL       string `toml:"pdol"`        // 9F38, hex; "" for none
	CDOL1      string `toml:"cdol1"`       // 8C, hex; "" for the usual one
	CDOL2      string `toml:"cdol2"`       // 8D, hex; "" for the usual one
	Format     int    `toml:"format"`      // of GPO and GENERATE AC answers: 1 (tag 80) or 2 (tag 77)
	IssuerAuth string `toml:"issuer_auth"` // external (EXTERNAL AUTHENTICATE), cdol2 or none

	PINTries     int   `toml:"pin_tries"`
	OfflineLimit int64 `toml:"offline_limit"` // a TC is given without asking the issuer up to this amount, minor units
	OfflineCount int   `toml:"offline_count"` // and so often in a row
	RefuseSecond bool  `toml:"refuse_second"` // AAC to every second GENERATE AC
	ATC          int   `toml:"atc"`           // before the first transaction
}

// ProfileError says which field of a profile is wrong.
type ProfileError struct {
	Field string // as in the file: application[0].pan
	Why   string
}

func (e *ProfileError) Error() string { return fmt.Sprintf("card: profile: %s %s", e.Field, e.Why) }

//go:embed profiles/*.toml
var profileFiles embed.FS

// Profiles lists the names of the built-in profiles, sorted.
func Profiles() []string {
	entries, err := profileFiles.ReadDir("profiles")
	if err != nil {
		panic("card: profiles are embedded: " + err.Error())
	}
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".toml"))
	}
	slices.Sort(out)
	return out
}

// Load makes a card of a built-in profile.
func Load(name string) (*Card, error) {
	b, err := profileFiles.ReadFile("profiles/" + name + ".toml")
	if err != nil {
		return nil, fmt.Errorf("card: no profile named %.40q; there are %s", name, strings.Join(Profiles(), ", "))
	}
	c, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c.profile.Name = name
	return c, nil
}

// builtin reads the built-in profiles without making cards of them.
func builtin() []Profile {
	var out []Profile
	for _, name := range Profiles() {
		b, err := profileFiles.ReadFile("profiles/" + name + ".toml")
		var p Profile
		if err == nil {
			p, err = parse(b)
		}
		if err == nil {
			err = p.complete()
		}
		if err != nil {
			panic("card: built-in profile: " + err.Error())
		}
		p.Name = name
		out = append(out, p)
	}
	return out
}

// Parse makes a card of a profile in TOML. Unknown keys are errors. Errors are *ProfileError, or say line and column.
func Parse(text []byte) (*Card, error) {
	p, err := parse(text)
	if err != nil {
		return nil, err
	}
	return New(p)
}

func parse(text []byte) (p Profile, err error) {
	d := toml.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		if s := (*toml.StrictMissingError)(nil); errors.As(err, &s) && len(s.Errors) > 0 {
			row, col := s.Errors[0].Position()
			return p, fmt.Errorf("card: profile: line %d, column %d: unknown key %s", row, col, strings.Join(s.Errors[0].Key(), "."))
		}
		if s := (*toml.DecodeError)(nil); errors.As(err, &s) {
			row, col := s.Position()
			return p, fmt.Errorf("card: profile: line %d, column %d: %w", row, col, err)
		}
		return p, fmt.Errorf("card: profile: %w", err)
	}
	return p, nil
}

// Usual data object lists.
const (
	usualCDOL1 = "9F02069F03069F1A0295055F2A029A039C019F37049F2103"
	usualCDOL2 = "8A029F02069F03069F1A0295055F2A029A039C019F3704"
	cdol2ARPC  = "910A8A029F02069F03069F1A0295055F2A029A039C019F3704"
)

// complete checks an application and fills in what was left out.
func (a *Application) complete(at string) error {
	bad := func(field, format string, args ...any) error {
		return &ProfileError{at + "." + field, fmt.Sprintf(format, args...)}
	}
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&a.PSN, "01")
	def(&a.Effective, "2001")
	def(&a.Service, "201")
	def(&a.Country, "0156")
	def(&a.Currency, "0156")
	def(&a.ODA, "none")
	def(&a.AUC, "FF00")
	def(&a.IACDefault, "0000000000")
	def(&a.IACDenial, "0000000000")
	def(&a.IACOnline, "0000000000")
	def(&a.IssuerAuth, "external")
	def(&a.CDOL1, usualCDOL1)
	if a.IssuerAuth == "cdol2" {
		def(&a.CDOL2, cdol2ARPC)
	}
	def(&a.CDOL2, usualCDOL2)
	if a.Format == 0 {
		a.Format = 2
	}
	if a.PINTries == 0 {
		a.PINTries = 3
	}

	for _, f := range []struct {
		name, value string
		min, max    int
	}{
		{"pan", a.PAN, 13, 19},
		{"psn", a.PSN, 2, 2},
		{"effective", a.Effective, 4, 4},
		{"expiry", a.Expiry, 4, 4},
		{"service", a.Service, 3, 3},
		{"country", a.Country, 4, 4},
		{"currency", a.Currency, 4, 4},
	} {
		if !digits(f.value) || len(f.value) < f.min || len(f.value) > f.max {
			return bad(f.name, "must have %d to %d digits", f.min, f.max)
		}
	}
	if !luhn(a.PAN) {
		return bad("pan", "has a wrong check digit")
	}
	for _, f := range []struct {
		name, value string
		min, max    int
	}{
		{"aid", a.AID, 5, 16},
		{"cvm", a.CVM, 8, 60},
		{"auc", a.AUC, 2, 2},
		{"version", a.Version, 0, 2},
		{"iac_default", a.IACDefault, 5, 5},
		{"iac_denial", a.IACDenial, 5, 5},
		{"iac_online", a.IACOnline, 5, 5},
		{"pdol", a.PDOL, 0, 60},
		{"cdol1", a.CDOL1, 4, 60},
		{"cdol2", a.CDOL2, 4, 60},
	} {
		b, err := hex.DecodeString(f.value)
		if err != nil || len(b) < f.min || len(b) > f.max {
			return bad(f.name, "must be %d to %d bytes in hex", f.min, f.max)
		}
		if strings.HasPrefix(f.name, "cdol") || f.name == "pdol" {
			l, err := tlv.ParseDOL(b)
			if err != nil {
				return bad(f.name, "is no data object list: %v", err)
			}
			if l.Len() > 250 {
				return bad(f.name, "asks for %d bytes", l.Len())
			}
		}
	}
	if schemeOf(unhex(a.AID)) == nil {
		return bad("aid", "is of no payment system that there are test keys for")
	}
	switch {
	case a.Label == "" || len(a.Label) > 16 || len(a.Preferred) > 16:
		return bad("label", "must have 1 to 16 characters")
	case !slices.Contains([]string{"none", "sda", "dda", "cda"}, a.ODA):
		return bad("oda", "is none of none, sda, dda, cda")
	case !slices.Contains([]string{"external", "cdol2", "none"}, a.IssuerAuth):
		return bad("issuer_auth", "is none of external, cdol2, none")
	case a.Format != 1 && a.Format != 2:
		return bad("format", "is neither 1 nor 2")
	case a.Priority < 0 || a.Priority > 15:
		return bad("priority", "is not 0 to 15")
	case a.PINTries < 0 || a.PINTries > 15:
		return bad("pin_tries", "is not 0 to 15")
	case a.OfflineLimit < 0 || a.OfflineCount < 0 || a.OfflineCount > 255:
		return bad("offline_limit", "or offline_count is out of range")
	case a.ATC < 0 || a.ATC > 0xFFF0:
		return bad("atc", "is out of range")
	}
	return nil
}

func digits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// luhn checks the check digit of an account number, ISO/IEC 7812-1 annex B.
func luhn(pan string) bool {
	sum := 0
	for i := range len(pan) {
		d := int(pan[len(pan)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// complete checks a profile and fills in what was left out.
func (p *Profile) complete() error {
	bad := func(field, why string) error { return &ProfileError{field, why} }
	switch {
	case p.Protocol != 0 && p.Protocol != 1:
		return bad("protocol", "is neither 0 nor 1")
	case len(p.Applications) == 0 || len(p.Applications) > 8:
		return bad("application", "must be there 1 to 8 times")
	case len(p.Holder) > 26:
		return bad("holder", "is longer than 26 characters")
	case !digits(p.PIN) || len(p.PIN) != 0 && (len(p.PIN) < 4 || len(p.PIN) > 12):
		return bad("pin", "must have 4 to 12 digits")
	case !digits(p.Host.PIN) || len(p.Host.PIN) > 12:
		return bad("host.pin", "must have 4 to 12 digits")
	case !slices.Contains([]string{"", "online", "approved", "declined", "blocked"}, p.Expect.Start):
		return bad("expect.start", "is none of online, approved, declined, blocked")
	case !slices.Contains([]string{"", "approved", "declined"}, p.Expect.Final):
		return bad("expect.final", "is neither approved nor declined")
	}
	if p.Holder == "" {
		p.Holder = "CARDHOLDER/TEST"
	}
	if p.Host.PIN == "" {
		p.Host.PIN = p.PIN
	}
	p.Applications = slices.Clone(p.Applications)
	for i := range p.Applications {
		if err := p.Applications[i].complete(fmt.Sprintf("application[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

// Account is what an issuer knows of a card.
type Account struct {
	Profile string // name of the card's profile
	PAN     string
	PSN     string
	Expiry  string // YYMM
	Host
}

// Accounts lists the accounts behind the built-in profiles, one for each application.
func Accounts() []Account {
	var out []Account
	for _, p := range builtin() {
		for _, a := range p.Applications {
			out = append(out, Account{p.Name, a.PAN, a.PSN, a.Expiry, p.Host})
		}
	}
	return out
}
