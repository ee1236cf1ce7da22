package acquirer

import "slices"

// adviceFile is an advice as a profile has it.
type adviceFile struct {
	MTI        string   `toml:"mti"`
	Fields     []int    `toml:"fields"`
	Processing string   `toml:"processing"`
	Condition  string   `toml:"condition"`
	Type       string   `toml:"type"`
	Network    string   `toml:"network"`
	Tail       string   `toml:"tail"`
	AuthMode   string   `toml:"auth_mode"`
	Operator   string   `toml:"operator"`
	OwnSTAN    bool     `toml:"own_stan"`
	Tries      int      `toml:"tries"`
	Done       []string `toml:"done"`
	ICC        []string `toml:"icc"`
}

// Types of message that an advice can be.
var adviceTypes = []string{"0120", "0200", "0220", "0320", "0620"}

// Fields that an advice can have, and those that it must have so that its answer can be told from others (see agrees and owner).
var (
	adviceFields = []int{2, 3, 4, 11, 12, 13, 14, 22, 23, 25, 32, 37, 38, 49, 55, 60, 61, 63}
	adviceMust   = []int{3, 4, 11, 60}
)

// advices reads the advices, and the limits and referral that depend on them.
func (f *profileFile) advices(r *reading, p *Profile) {
	p.Advices = map[AdviceKind]AdviceCodes{}
	for name, in := range f.Advice {
		key := "advice." + name + "."
		if !slices.Contains(adviceKinds[:], AdviceKind(name)) {
			r.fail("advice."+name, "is not a kind of advice: script, offline-sale, voice-sale, decline")
		}
		codes := AdviceCodes{
			MTI: in.MTI, Fields: in.Fields, Tries: in.Tries, Done: map[string]bool{}, Operator: in.Operator, OwnSTAN: in.OwnSTAN,
			Processing: r.digits(key+"processing", in.Processing, 6), Condition: r.digits(key+"condition", in.Condition, 2),
			Type: r.digits(key+"type", in.Type, 2), Network: r.digits(key+"network", in.Network, 3), Tail: r.digits(key+"tail", in.Tail, -4),
			AuthMode: r.digits(key+"auth_mode", in.AuthMode, -2),
		}
		if !slices.Contains(adviceTypes, in.MTI) {
			r.fail(key+"mti", "must be one of %v", adviceTypes)
		}
		for i, n := range in.Fields {
			if !slices.Contains(adviceFields, n) {
				r.fail(key+"fields", "has %d; an advice can have %v, and has 41, 42 and 64 anyway", n, adviceFields)
			}
			if slices.Contains(in.Fields[:i], n) {
				r.fail(key+"fields", "has %d twice", n)
			}
		}
		for _, n := range adviceMust {
			if !slices.Contains(in.Fields, n) {
				r.fail(key+"fields", "must have %d", n)
			}
		}
		if in.Tries < 0 || in.Tries > 99 {
			r.fail(key+"tries", "must be 0 (never given up) to 99")
		}
		if len(in.Operator) > 3 {
			r.fail(key+"operator", "must have at most 3 characters")
		}
		for _, code := range in.Done {
			if len(code) != 2 {
				r.fail(key+"done", "has %q, which is not a code of two characters", code)
			}
			codes.Done[code] = true
		}
		if len(codes.Done) == 0 {
			r.fail(key+"done", "is missing")
		}
		if slices.Contains(in.Fields, 55) {
			codes.ICC = tags(r, key+"icc", in.ICC)
		} else if len(in.ICC) > 0 {
			r.fail(key+"icc", "is given, but fields has no 55")
		}
		p.Advices[AdviceKind(name)] = codes
	}
	f.offline(r, p)
	f.referral(r, p)
}

func (f *profileFile) offline(r *reading, p *Profile) {
	o := OfflineLimits{Count: f.Offline.Count, Total: f.Offline.Total}
	switch {
	case o.Count < 0 || o.Count > 999:
		r.fail("offline.count", "must be 0 (nothing is approved offline) to 999")
	case o.Total < 0 || o.Total > 999999999999:
		r.fail("offline.total", "must be 0 to 999999999999 minor units")
	case (o.Count == 0) != (o.Total == 0):
		r.fail("offline.count", "and offline.total must both be zero or both be more")
	}
	if _, ok := p.Advices[AdviceOffline]; !ok && o.Count > 0 {
		r.fail("offline.count", "needs advice.offline-sale: what is approved offline must be uploaded")
	}
	p.Offline = o
}

func (f *profileFile) referral(r *reading, p *Profile) {
	switch f.Referral.Action {
	case "", "decline":
		return
	case "ask":
		p.Referral.Ask = true
	default:
		r.fail("referral.action", "must be \"decline\" or \"ask\"")
	}
	p.Referral.Wait = r.duration("referral.wait", f.Referral.Wait)
	if _, ok := p.Advices[AdviceVoice]; !ok {
		r.fail("referral.action", "\"ask\" needs advice.voice-sale: the host must hear of the sale")
	}
}
