package acquirer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"posd/emv/tlv"
	"posd/internal/money"
	"posd/netlink/iso8583"
)

// LoadProfile reads a profile. A key that is not known, a value of the wrong type and a value that cannot be are errors that begin
// with the path and, where the file has one, the line and column.
func LoadProfile(path string) (*Profile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("acquirer: profile: %w", err)
	}
	p, err := ParseProfile(text)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return p, nil
}

// profileFile is the file as it is written.
type profileFile struct {
	Name      string `toml:"name"`
	TPDU      string `toml:"tpdu"`
	Header    string `toml:"header"`
	PreHeader string `toml:"pre_header_hex"`
	MAC       string `toml:"mac"`
	Currency  uint16 `toml:"currency"`
	Probe     bool   `toml:"probe"`
	Timeouts  struct {
		Answer   string `toml:"answer"`
		Reversal string `toml:"reversal"`
		Manage   string `toml:"manage"`
	} `toml:"timeouts"`
	SignOn struct {
		Network       string `toml:"network"`
		Certification string `toml:"certification"`
	} `toml:"sign_on"`
	Sale struct {
		Processing    string `toml:"processing"`
		Condition     string `toml:"condition"`
		Type          string `toml:"type"`
		Tail          string `toml:"tail"`
		PINCapture    string `toml:"pin_capture"`
		Security      string `toml:"security"`
		SecurityNoPIN string `toml:"security_no_pin"`
	} `toml:"sale"`
	Entry map[string]struct {
		Mode       string `toml:"mode"`
		Capability string `toml:"capability"`
		Condition  string `toml:"condition"`
		PAN        bool   `toml:"pan"`
		Expiry     bool   `toml:"expiry"`
		Track2     bool   `toml:"track2"`
		Track3     bool   `toml:"track3"`
		ICC        bool   `toml:"icc"`
	} `toml:"entry"`
	Reversal struct {
		Tries      int      `toml:"tries"`
		Done       []string `toml:"done"`
		PINCapture bool     `toml:"pin_capture"`
		Security   bool     `toml:"security"`
		RRN        bool     `toml:"rrn"`
		Original   bool     `toml:"original"`
	} `toml:"reversal"`
	Referral struct {
		Action string `toml:"action"`
		Wait   string `toml:"wait"`
	} `toml:"referral"`
	Stripe struct {
		PIN      string `toml:"pin"`
		Fallback string `toml:"fallback"`
	} `toml:"stripe"`
	Offline struct {
		Count int   `toml:"count"`
		Total int64 `toml:"total"`
	} `toml:"offline"`
	Advice map[string]adviceFile `toml:"advice"`
	ICC    struct {
		Sale     []string `toml:"sale"`
		Reversal []string `toml:"reversal"`
	} `toml:"icc"`
	Fields map[string]struct {
		Name   string `toml:"name"`
		Zh     string `toml:"zh"`
		Class  string `toml:"class"`
		Length string `toml:"length"`
		Max    int    `toml:"max"`
		Right  bool   `toml:"right"`
	} `toml:"fields"`
	Responses map[string]responseFile `toml:"responses"`
	Unknown   responseFile            `toml:"unknown_response"`
}

type responseFile struct {
	Action string `toml:"action"`
	Zh     string `toml:"zh"`
	En     string `toml:"en"`
}

// ParseProfile reads the text of a profile. Errors begin with "line:column: " where there is a place to point at.
func ParseProfile(text []byte) (*Profile, error) {
	var f profileFile
	d := toml.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, place(err)
	}
	return f.profile()
}

// place puts line and column before an error of the TOML reader.
func place(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := strict.Errors[0]
		line, column := e.Position()
		return fmt.Errorf("%d:%d: unknown key %q", line, column, strings.Join(e.Key(), "."))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, column := bad.Position()
		return fmt.Errorf("%d:%d: %s", line, column, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	return fmt.Errorf(" %w", err)
}

// reading collects the first thing wrong in a profile, so that the reading below can be straight.
type reading struct{ err error }

func (r *reading) fail(key, why string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(" %s %s", key, fmt.Sprintf(why, args...))
	}
}

// digits checks a decimal value of n digits; n < 0 is any number up to -n, none included.
func (r *reading) digits(key, s string, n int) string {
	if n >= 0 && len(s) != n {
		r.fail(key, "must have %d digits", n)
	} else if len(s) > max(n, -n) {
		r.fail(key, "must have at most %d digits", -n)
	}
	if strings.Trim(s, "0123456789") != "" {
		r.fail(key, "must be digits")
	}
	return s
}

// bytes decodes a value of n bytes in hexadecimal; n < 0 is any number up to -n.
func (r *reading) bytes(key, s string, n int) []byte {
	b, err := hex.DecodeString(s)
	switch {
	case err != nil:
		r.fail(key, "must be hexadecimal")
	case n >= 0 && len(b) != n:
		r.fail(key, "must be %d bytes", n)
	case len(b) > max(n, -n):
		r.fail(key, "must be at most %d bytes", -n)
	}
	return b
}

// bcd is bytes that are decimal digits.
func (r *reading) bcd(key, s string, n int) []byte { return r.bytes(key, r.digits(key, s, 2*n), n) }

func (r *reading) duration(key, s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second || d > 10*time.Minute {
		r.fail(key, "must be a time from 1s to 10m, such as \"60s\"")
	}
	return d
}

func (f *profileFile) profile() (*Profile, error) {
	var r reading
	p := &Profile{
		Name: f.Name, PreHeader: r.bytes("pre_header_hex", f.PreHeader, -64), MAC: MACKind(f.MAC),
		Currency: money.Currency(f.Currency), Probe: f.Probe,
		Timeouts: Timeouts{
			Answer: r.duration("timeouts.answer", f.Timeouts.Answer), Reversal: r.duration("timeouts.reversal", f.Timeouts.Reversal),
			Manage: r.duration("timeouts.manage", f.Timeouts.Manage),
		},
		SignOn: SignOnCodes{Network: f.SignOn.Network, Certification: f.SignOn.Certification},
		Sale: SaleCodes{
			Processing: r.digits("sale.processing", f.Sale.Processing, 6), Condition: r.digits("sale.condition", f.Sale.Condition, 2),
			Type: r.digits("sale.type", f.Sale.Type, 2), Tail: r.digits("sale.tail", f.Sale.Tail, -4),
			PINCapture: r.digits("sale.pin_capture", f.Sale.PINCapture, 2), Security: r.digits("sale.security", f.Sale.Security, 16),
			SecurityNoPIN: f.Sale.SecurityNoPIN,
		},
		Reversal: ReversalCodes{
			Tries: f.Reversal.Tries, Done: map[string]bool{}, PINCapture: f.Reversal.PINCapture, Security: f.Reversal.Security,
			RRN: f.Reversal.RRN, Original: f.Reversal.Original,
		},
	}
	copy(p.TPDU[:], r.bcd("tpdu", f.TPDU, tpduSize))
	copy(p.Header[:], r.bcd("header", f.Header, headerSize))
	if p.Name == "" {
		r.fail("name", "is missing")
	}
	switch f.MAC {
	case string(MACCupECB):
	case "x9.9", "x9.19", "cmac":
		r.fail("mac", "%q is not supported by this version; supported is \"cup-ecb\"", f.MAC)
	default:
		r.fail("mac", "must be \"cup-ecb\"")
	}
	if f.Currency == 0 || f.Currency > 999 {
		r.fail("currency", "must be a numeric ISO 4217 code, such as 156")
	}
	if _, ok := keyLayouts[f.SignOn.Network]; !ok {
		r.fail("sign_on.network", "must be \"001\" or \"003\"")
	}
	if f.SignOn.Certification != "" {
		r.digits("sign_on.certification", f.SignOn.Certification, 4)
	}
	if f.Sale.SecurityNoPIN != "" {
		r.digits("sale.security_no_pin", f.Sale.SecurityNoPIN, 16)
	}
	if f.Reversal.Tries < 1 || f.Reversal.Tries > 99 {
		r.fail("reversal.tries", "must be 1 to 99")
	}
	f.entries(&r, p)
	f.advices(&r, p)
	f.responses(&r, p)
	f.spec(&r, p)
	p.ICC = ICCTags{Sale: tags(&r, "icc.sale", f.ICC.Sale), Reversal: tags(&r, "icc.reversal", f.ICC.Reversal)}
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

func (f *profileFile) entries(r *reading, p *Profile) {
	p.Entries = map[Entry]EntryCodes{}
	for name, e := range f.Entry {
		switch Entry(name) {
		case EntryChip, EntryContactless, EntryMagstripe, EntryFallback, EntryManual:
		default:
			r.fail("entry."+name, "is not a way of reading a card")
		}
		key := "entry." + name + "."
		p.Entries[Entry(name)] = EntryCodes{
			Mode: r.digits(key+"mode", e.Mode, 2), Capability: r.digits(key+"capability", e.Capability, 1),
			Condition: r.digits(key+"condition", e.Condition, 1), PAN: e.PAN, Expiry: e.Expiry, Track2: e.Track2, Track3: e.Track3, ICC: e.ICC,
		}
	}
	f.stripe(r, p)
	if len(p.Entries) == 0 {
		r.fail("entry", "is missing")
	}
}

func (f *profileFile) stripe(r *reading, p *Profile) {
	switch f.Stripe.PIN {
	case "", "service-code":
	case "always":
		p.Stripe.PINAlways = true
	default:
		r.fail("stripe.pin", "must be \"always\" or \"service-code\"")
	}
	for _, e := range []Entry{EntryMagstripe, EntryFallback} {
		if codes, ok := p.Entries[e]; ok && !codes.Track2 {
			r.fail("entry."+string(e)+".track2", "must be true: the issuer knows a stripe by it")
		}
	}
	if f.Stripe.Fallback == "" {
		return
	}
	p.Stripe.Fallback = r.duration("stripe.fallback", f.Stripe.Fallback)
	if _, ok := p.Entries[EntryFallback]; !ok {
		r.fail("stripe.fallback", "needs entry.fallback: the issuer must see that the chip could not be read")
	}
	if _, ok := p.Entries[EntryMagstripe]; !ok {
		r.fail("stripe.fallback", "needs entry.magstripe")
	}
}

func (f *profileFile) responses(r *reading, p *Profile) {
	actions := map[string]Action{"decline": Decline, "approve": Approve, "retry": Retry, "sign-on": SignOn, "capture": Capture, "refer": Refer}
	read := func(key string, in responseFile) Response {
		action, ok := actions[in.Action]
		out := Response{Action: action, Text: map[string]string{"zh": in.Zh, "en": in.En}, Unresolved: in.Action == "unresolved"}
		if !ok && !out.Unresolved {
			r.fail(key, "must have an action: approve, decline, retry, sign-on, capture, refer or unresolved")
		}
		if in.Zh == "" || in.En == "" {
			r.fail(key, "must have texts \"zh\" and \"en\"")
		}
		return out
	}
	p.Responses = map[string]Response{}
	for code, in := range f.Responses {
		if len(code) != 2 {
			r.fail("responses."+code, "must be a code of two characters")
		}
		p.Responses[code] = read("responses."+code, in)
	}
	p.Unknown = read("unknown_response", f.Unknown)
	if p.Unknown.Action == Approve || p.Unknown.Unresolved {
		r.fail("unknown_response", "must decline")
	}
	for key, text := range p.Unknown.Text {
		if strings.Count(text, "%s") != 1 {
			r.fail("unknown_response."+key, "must have one %%s where the code is shown")
		}
	}
	approves := false
	for _, resp := range p.Responses {
		approves = approves || resp.Action == Approve
	}
	if !approves {
		r.fail("responses", "has no code that approves")
	}
	for _, code := range f.Reversal.Done {
		p.Reversal.Done[code] = true
	}
	if len(p.Reversal.Done) == 0 {
		r.fail("reversal.done", "is missing")
	}
}

// withCode puts a response code where a text has "%s".
func withCode(text, code string) string { return strings.Replace(text, "%s", code, 1) }

func (f *profileFile) spec(r *reading, p *Profile) {
	classes := map[string]iso8583.Class{"n": iso8583.N, "z": iso8583.Z, "an": iso8583.AN, "ans": iso8583.ANS, "b": iso8583.B}
	forms := map[string]iso8583.Form{"fixed": iso8583.Fixed, "LL": iso8583.LL, "LLL": iso8583.LLL}
	rows := map[int]iso8583.Field{}
	for key, in := range f.Fields {
		n, err := strconv.Atoi(key)
		if err != nil {
			r.fail("fields."+key, "must be a field number")
		}
		form, ok := forms[in.Length]
		if !ok {
			r.fail("fields."+key+".length", "must be fixed, LL or LLL")
		}
		rows[n] = iso8583.Field{Name: in.Name, Zh: in.Zh, Class: classes[in.Class], Form: form, Max: in.Max, Right: in.Right}
	}
	spec, err := iso8583.UnionPay.With(rows)
	if err != nil {
		r.fail("fields:", "%v", err)
	}
	p.Spec = spec
}

func tags(r *reading, key string, list []string) []tlv.Tag {
	out := make([]tlv.Tag, 0, len(list))
	for _, s := range list {
		v, err := strconv.ParseUint(s, 16, 32)
		if err != nil || v == 0 || len(s)%2 != 0 {
			r.fail(key, "has %q, which is not a tag in hexadecimal", s)
		}
		out = append(out, tlv.Tag(v))
	}
	if len(out) == 0 {
		r.fail(key, "is missing")
	}
	return out
}
