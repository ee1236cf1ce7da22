package card

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Profile says what a card holds and how it behaves.
type Profile struct {
	Name     string `toml:"-"`        // of the file, without .toml
	Title    string `toml:"title"`    // for people
	TitleZH  string `toml:"title_zh"` // the same in Chinese
	Story    string `toml:"story"`    // one line: what is special about it
	Group    string `toml:"group"`    // one of Groups
	Everyday bool   `toml:"everyday"` // among those that a newcomer wants to see first
	Protocol int    `toml:"protocol"` // 0 for T=0, 1 for T=1
	Holder   string `toml:"holder"`   // 5F20
	PIN      string `toml:"pin"`      // what the card compares with, and what the cardholder types unless Types says otherwise

	// Types is what the cardholder types, one PIN after the other; an empty one is the Enter key alone. The last one is repeated.
	Types []string `toml:"types"`

	CardBlocked bool `toml:"card_blocked"`
	NoPSE       bool `toml:"no_pse"`
	PSEBlocked  bool `toml:"pse_blocked"` // 6283 to the SELECT of the directory
	PSEBroken   bool `toml:"pse_broken"`  // the directory holds a record that is no TLV
	PerRecord   int  `toml:"per_record"`  // entries in a record of the directory, 1 otherwise

	Host         Host              `toml:"host"`
	Expect       Expect            `toml:"expect"`    // of the terminal that ships, Terminals[0]
	ExpectAt     map[string]Expect `toml:"expect_at"` // of others, by Terminal.Name
	Applications []Application     `toml:"application"`

	Contactless *Contactless         `toml:"contactless"` // its antenna; nil for a card that has none
	ExpectTap   map[string]ExpectTap `toml:"expect_tap"`  // of contactless readers, by Reader.Name
}

// Groups are the kinds of profile, in the order in which people want to see them.
var Groups = []string{"everyday", "decline", "pin", "offline", "selection", "authentication", "restrictions", "issuer", "faults", "contactless"}

// Host is the cardholder's account as the issuer has it, and what the issuer sends back.
type Host struct {
	PIN     string   `toml:"pin"`     // the PIN that the issuer knows; "" is the cardholder's
	Balance int64    `toml:"balance"` // minor units that may be spent
	Code    string   `toml:"code"`    // response code (field 39) to every sale; "" lets balance and PIN decide
	ARPC    string   `toml:"arpc"`    // "" right, wrong, or none: no tag 91
	Before  []string `toml:"before"`  // script 71: commands by name, of ScriptNames
	After   []string `toml:"after"`   // script 72
}

// ProfileError says which field of a profile is wrong.
type ProfileError struct {
	Field string // as in the file: application[0].pan
	Why   string
}

func (e *ProfileError) Error() string { return fmt.Sprintf("card: profile: %s %s", e.Field, e.Why) }

//go:embed profiles/*.toml
var profileFiles embed.FS

// Profiles lists the names of the built-in profiles of cards that can be inserted, sorted. See Taps for the others.
func Profiles() []string { return named().contact }

// profileNames lists the names of all built-in profiles, sorted.
func profileNames() []string {
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
		return nil, fmt.Errorf("card: no profile named %.40q; there are %s", name, strings.Join(profileNames(), ", "))
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
	for _, name := range profileNames() {
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
	bad := func(field, format string, args ...any) error {
		return &ProfileError{field, fmt.Sprintf(format, args...)}
	}
	pin := func(s string) bool { return digits(s) && (len(s) == 0 || len(s) >= 4 && len(s) <= 12) }
	switch {
	case p.Protocol != 0 && p.Protocol != 1:
		return bad("protocol", "is neither 0 nor 1")
	case p.Group != "" && !slices.Contains(Groups, p.Group):
		return bad("group", "is none of %s", strings.Join(Groups, ", "))
	case len(p.Applications) == 0 || len(p.Applications) > 8:
		return bad("application", "must be there 1 to 8 times")
	case len(p.Holder) > 26:
		return bad("holder", "is longer than 26 characters")
	case !pin(p.PIN):
		return bad("pin", "must have 4 to 12 digits")
	case slices.ContainsFunc(p.Types, func(s string) bool { return !pin(s) }):
		return bad("types", "must have 4 to 12 digits each, or none")
	case !digits(p.Host.PIN) || len(p.Host.PIN) > 12:
		return bad("host.pin", "must have 4 to 12 digits")
	case !slices.Contains([]string{"", "wrong", "none"}, p.Host.ARPC):
		return bad("host.arpc", "is neither wrong nor none")
	case p.PerRecord < 0 || p.PerRecord > 4:
		return bad("per_record", "is not 1 to 4")
	}
	for _, name := range slices.Concat(p.Host.Before, p.Host.After) {
		if _, ok := scriptCommands[name]; !ok {
			return bad("host.before", "or after names %.40q, which is none of %s", name, strings.Join(ScriptNames(), ", "))
		}
	}
	if err := p.Expect.complete("expect"); err != nil {
		return err
	}
	for name, x := range p.ExpectAt {
		at := "expect_at." + name
		if _, ok := TerminalNamed(name); !ok || name == Terminals[0].Name {
			return bad(at, "names no terminal that there is")
		}
		if err := x.complete(at); err != nil {
			return err
		}
	}
	if p.Holder == "" {
		p.Holder = "CARDHOLDER/TEST"
	}
	if p.Host.PIN == "" {
		p.Host.PIN = p.PIN
	}
	if len(p.Types) == 0 {
		p.Types = []string{p.PIN}
	}
	p.PerRecord = max(p.PerRecord, 1)
	if err := p.completeTaps(); err != nil {
		return err
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
