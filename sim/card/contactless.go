package card

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"posd/emv/tlv"
)

// Contactless is what a profile says of the card's antenna and of what the reader finds behind it before any application: the PPSE (EMV
// Contactless Book B, 3.3).
type Contactless struct {
	Only bool   `toml:"only"` // there is no contact interface: a phone, a ring
	Type string `toml:"type"` // A or B, A otherwise (ISO/IEC 14443-3)
	Long bool   `toml:"long"` // type A: a UID of seven bytes
	With string `toml:"with"` // the name of a profile that is in the field together with this one

	// Phone: nothing that needs the cardholder works before the cardholder has shown himself to the phone. CDCVM says how that goes: done
	// (before the first tap), ask (after the first tap) or never. A card has "".
	CDCVM string `toml:"cdcvm"`

	NoPPSE     bool   `toml:"no_ppse"`     // 6A82 to its SELECT
	EmptyPPSE  bool   `toml:"empty_ppse"`  // there is no entry in it
	BrokenPPSE bool   `toml:"broken_ppse"` // the answer ends in the middle of an object
	PPSEStatus string `toml:"ppse_status"` // SW1 SW2 that its SELECT always gives
	Nested     bool   `toml:"nested"`      // PPSE: an entry inside a proprietary template stands before the others; no reader may use it

	// What goes wrong on the way, at an exchange (SELECT of the PPSE is 1) of the first tap.
	Gone  int `toml:"gone"`  // the card leaves the field before it hears the command
	Torn  int `toml:"torn"`  // the card leaves the field when it has carried out the command: the answer is lost
	Stays int `toml:"stays"` // both are there in so many taps, 1 otherwise
	Slow  int `toml:"slow"`  // ms that the card thinks before each answer, always
}

// Tap is what a profile says of an application in the field. What is empty is as it is by contact, unless it says otherwise. The answers of
// kernels 3 and 7 follow the flow called qVSDC by Visa and qPBOC (QuickPass) by UnionPay; those of kernel 2 are M/Chip's.
type Tap struct {
	Kernel int `toml:"kernel"` // of the flow: 2, 3 or 7; that of the payment system otherwise

	// The entry in the PPSE (Book B, table 3-2).
	KernelID   string   `toml:"kernel_id"`   // 9F2A, hex; "" for none
	Extended   string   `toml:"extended"`    // 9F29, hex: the reader appends it to the name; "" for none
	Priority   *int     `toml:"priority"`    // 87; 0 leaves it out
	Label      string   `toml:"label"`       // 50
	Hidden     bool     `toml:"hidden"`      // not in the PPSE
	EntryAID   string   `toml:"entry_aid"`   // 4F, where it is not the name of the application; "-" leaves it out
	FCIOmit    []string `toml:"fci_omit"`    // tags that are not in the FCI of the application: 84, 9F38 ...
	FCIObjects string   `toml:"fci_objects"` // objects that are added to BF0C, hex

	PDOL  string `toml:"pdol"`  // 9F38, hex; "-" for none
	CDOL1 string `toml:"cdol1"` // 8C, hex (kernel 2)
	CVM   string `toml:"cvm"`   // 8E, hex (kernel 2); "-" for none
	AIP   string `toml:"aip"`   // 82, hex
	AFL   string `toml:"afl"`   // 94, hex
	ODA   string `toml:"oda"`   // none, sda, dda, cda
	Keys  string `toml:"keys"`  // chain of keys
	Fault string `toml:"fault"` // of Faults or TapFaults

	Objects map[string]string `toml:"objects"` // by tag in hex: replaces an object of records or answers, or is added to the records
	Omit    []string          `toml:"omit"`    // tags in hex
	Status  map[string]string `toml:"status"`  // by command: SW1 SW2 that it always gives

	FirstAnswer  string `toml:"first_answer"`  // aac, arqc, tc
	OfflineLimit int64  `toml:"offline_limit"` // minor units
	OfflineCount int    `toml:"offline_count"`

	// Kernels 3 and 7.
	Methods  []string `toml:"methods"`   // what the card does about a CVM that is required, in its order: online-pin, signature, cdcvm, none
	CVMLimit int64    `toml:"cvm_limit"` // above this amount the card wants one itself; 0 is never
	CTQ      string   `toml:"ctq"`       // bits that are set in 9F6C whatever happens, hex
	Version  string   `toml:"version"`   // of fDDA: 01, 00, or "-" for no 9F69
	Spending int64    `toml:"spending"`  // 9F5D, available offline spending amount; 0 for none
	Product  string   `toml:"product"`   // 9F63, hex (kernel 7)
	Records  bool     `toml:"records"`   // there are records to be read behind an ARQC too
	NoCID    bool     `toml:"no_cid"`    // the type of cryptogram is in 9F10 only
	Format   int      `toml:"format"`    // of the answer to GET PROCESSING OPTIONS: 1 or 2 (tag 77)
	Update   bool     `toml:"update"`    // issuer update processing: the card may come back with the issuer's answer
	Purse    int64    `toml:"purse"`     // kernel 7: electronic cash that is left, minor units; 0 for a card without. PDOL asks for 9F7A then

	Data map[string]string `toml:"data"` // what GET DATA gives, by tag in hex

	// Kernel 2.
	ACI     string `toml:"aci"`     // 9F5D, application capabilities information
	Stripe  string `toml:"stripe"`  // mag-stripe mode: also or only
	Relay   []int  `toml:"relay"`   // relay resistance: min, max, estimated time, 100 us each
	DRDOL   string `toml:"drdol"`   // 9F51, hex: a torn transaction is recovered
	Balance *int64 `toml:"balance"` // 9F50
	NoCDA   bool   `toml:"no_cda"`  // the card never signs, whatever it has promised
}

// Faults of answers in the field, beside Faults.
const (
	tapCopy      = "ctq-copy"    // 9F69 has another 9F6C than the answer
	tapFormat    = "format"      // the answer to GET PROCESSING OPTIONS is cut off
	tapDuplicate = "duplicate"   // 57 is there twice
	tapOtherPAN  = "other-pan"   // 5A is another account number than that in 57
	tapMute      = "mute"        // no answer to GET PROCESSING OPTIONS
	tapBig       = "big-record"  // a record announces more than a reader can take
	tapCVC       = "cvc"         // CVC3 is wrong
	tapAC        = "cryptogram"  // the application cryptogram is wrong
	tapRelay     = "relay-times" // the times of relay resistance under the signature are others than those in the answer
	tapEntropy   = "entropy"     // the entropy under the signature is another than the reader's
)

// TapFaults lists what can be wrong with an application in the field only.
var TapFaults = []string{tapCopy, tapFormat, tapDuplicate, tapOtherPAN, tapMute, tapBig, tapCVC, tapAC, tapRelay, tapEntropy}

// tapMethods are what a card of kernels 3 and 7 can do about the cardholder.
var tapMethods = []string{"online-pin", "signature", "cdcvm", "none"}

// Usual lists of cards in the field.
const (
	quickPDOL = "9F66049F02069F03069F1A0295055F2A029A039C019F3704"
	chipPDOL  = "9F1A029F3501"
	chipCDOL1 = "9F02069F03069F1A0295055F2A029A039C019F37049F35019F3403"
)

// longestTapKey is the longest card key in the field, in bytes: signature and the other objects of an answer make 256 bytes at most.
const longestTapKey = 224

// kernelOf are the payment systems' kernels (Book B, table 3-6).
var kernelOf = map[string]int{"UnionPay": 7, "Visa": 3, "Mastercard": 2}

// completeTaps checks the contactless part of a profile.
func (p *Profile) completeTaps() error {
	bad := func(field, format string, args ...any) error {
		return &ProfileError{field, fmt.Sprintf(format, args...)}
	}
	has := slices.ContainsFunc(p.Applications, func(a Application) bool { return a.Tap != nil })
	c := p.Contactless
	if c == nil {
		switch {
		case has:
			return bad("contactless", "is missing, and an application is there in the field")
		case len(p.ExpectTap) > 0:
			return bad("expect_tap", "speaks of a card that has no antenna")
		}
		return nil
	}
	cc := *c
	p.Contactless = &cc
	c = &cc
	if c.Type == "" {
		c.Type = "A"
	}
	if c.Stays == 0 {
		c.Stays = 1
	}
	status, err := hex.DecodeString(c.PPSEStatus)
	switch {
	case c.Type != "A" && c.Type != "B":
		return bad("contactless.type", "is neither A nor B")
	case !slices.Contains([]string{"", "done", "ask", "never"}, c.CDCVM):
		return bad("contactless.cdcvm", "is none of done, ask, never")
	case err != nil || len(status) != 0 && len(status) != 2:
		return bad("contactless.ppse_status", "must be two bytes in hex")
	case c.Gone < 0 || c.Gone > 99 || c.Torn < 0 || c.Torn > 99 || c.Stays < 0 || c.Stays > 99:
		return bad("contactless.gone", "torn or stays is out of range")
	case c.Slow < 0 || c.Slow > 60000:
		return bad("contactless.slow", "is not 0 to 60000")
	}
	for name, x := range p.ExpectTap {
		at := "expect_tap." + name
		if _, ok := ReaderNamed(name); !ok {
			return bad(at, "names no contactless reader that there is")
		}
		if err := x.complete(at); err != nil {
			return err
		}
	}
	return nil
}

// completeTap checks the contactless part of an application.
func (a *Application) completeTap(at string) error {
	if a.Tap == nil {
		return nil
	}
	t := *a.Tap
	a.Tap = &t
	at += ".tap"
	bad := func(field, format string, args ...any) error {
		return &ProfileError{at + "." + field, fmt.Sprintf(format, args...)}
	}
	if t.Kernel == 0 {
		if s := schemeOf(unhex(a.AID)); s != nil {
			t.Kernel = kernelOf[s.name]
		}
	}
	for _, f := range []struct {
		name, value string
		min, max    int
	}{
		{"kernel_id", t.KernelID, 0, 16},
		{"extended", t.Extended, 0, 11},
		{"entry_aid", dash(t.EntryAID), 0, 17},
		{"fci_objects", t.FCIObjects, 0, 60},
		{"ctq", t.CTQ, 0, 2},
		{"version", dash(t.Version), 0, 1},
		{"product", t.Product, 0, 32},
		{"aci", t.ACI, 0, 3},
		{"drdol", t.DRDOL, 0, 60},
	} {
		if b, err := hex.DecodeString(f.value); err != nil || len(b) < f.min || len(b) > f.max {
			return bad(f.name, "must be %d to %d bytes in hex", f.min, f.max)
		}
	}
	if l, err := tlv.ParseDOL(unhex(t.DRDOL)); err != nil || l.Len() > 250 {
		return bad("drdol", "is no data object list")
	}
	if len(unhex(a.AID))+len(unhex(t.Extended)) > 16 {
		return bad("extended", "makes the name longer than 16 bytes")
	}
	if slices.ContainsFunc(t.Relay, func(n int) bool { return n < 0 || n > 0xFFFF }) || len(t.Relay) != 0 && len(t.Relay) != 3 {
		return bad("relay", "must be three times of 100 us")
	}
	for _, m := range t.Methods {
		if !slices.Contains(tapMethods, m) {
			return bad("methods", "names %.20q, which is none of %s", m, strings.Join(tapMethods, ", "))
		}
	}
	for tag, v := range t.Data {
		if b, err := hex.DecodeString(tag); err != nil || len(b) != 2 {
			return bad("data", "names %.10q, which is no tag of two bytes", tag)
		}
		if b, err := hex.DecodeString(v); err != nil || len(b) > 120 {
			return bad("data", "%s must be at most 120 bytes in hex", tag)
		}
	}
	for _, name := range t.FCIOmit {
		if _, err := hex.DecodeString(name); err != nil {
			return bad("fci_omit", "names %.10q, which is no tag", name)
		}
	}
	switch {
	case t.Kernel != 2 && t.Kernel != 3 && t.Kernel != 7:
		return bad("kernel", "is none of 2, 3, 7")
	case t.Fault != "" && !slices.Contains(TapFaults, t.Fault) && !slices.Contains(Faults, t.Fault):
		return bad("fault", "is none of %s, %s", strings.Join(TapFaults, ", "), strings.Join(Faults, ", "))
	case t.Priority != nil && (*t.Priority < 0 || *t.Priority > 15):
		return bad("priority", "is not 0 to 15")
	case len(t.Label) > 16:
		return bad("label", "must have 1 to 16 characters")
	case t.CVMLimit < 0 || t.Spending < 0:
		return bad("cvm_limit", "or spending is negative")
	case t.Purse < 0 || t.Purse > 999999999999 || t.Purse != 0 && t.Kernel != 7:
		return bad("purse", "is no amount, or not for this kernel")
	case t.ODA == "xda" || a.ODA == "xda" && t.ODA == "":
		return bad("oda", "xda is for contact only")
	case !slices.Contains([]string{"", "also", "only"}, t.Stripe):
		return bad("stripe", "is neither also nor only")
	case t.Balance != nil && (*t.Balance < 0 || *t.Balance > 999999999999):
		return bad("balance", "is no amount")
	case a.CVN == "18" && t.Update && t.Kernel != 3:
		return bad("update", "is for kernel 3")
	}
	b := a.inField()
	b.Tap = nil
	if err := b.complete(at); err != nil {
		return err
	}
	if c := chainOf(unhex(b.AID), b.Keys); b.ODA != "none" && c != nil && c.icc.size > longestTapKey {
		return bad("keys", "has a card key whose signature does not fit into an answer with all that goes with it")
	}
	return nil
}

// dash reads a value that "-" leaves out.
func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// inField is the application as it is in the field: what the tap says in the place of what is there by contact.
func (a *Application) inField() Application {
	b, t := *a, a.Tap
	for _, f := range []struct {
		to   *string
		from string
	}{{&b.AIP, t.AIP}, {&b.AFL, t.AFL}, {&b.ODA, t.ODA}, {&b.Keys, t.Keys}, {&b.FirstAnswer, t.FirstAnswer}, {&b.Label, t.Label}} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	b.AIP, b.AFL = t.AIP, t.AFL
	if b.Fault = t.Fault; slices.Contains(TapFaults, t.Fault) {
		b.Fault = ""
	}
	b.Objects, b.Omit, b.Status = t.Objects, t.Omit, t.Status
	if t.OfflineLimit != 0 {
		b.OfflineLimit, b.OfflineCount = t.OfflineLimit, t.OfflineCount
	}
	if t.Priority != nil {
		b.Priority = *t.Priority
	}
	b.Confirm = false
	b.PDOL, b.CDOL1 = t.PDOL, t.CDOL1
	switch t.Kernel {
	case 2:
		if b.PDOL == "" {
			b.PDOL = chipPDOL
		}
		if b.CDOL1 == "" {
			b.CDOL1 = chipCDOL1
		}
		if t.CVM != "" {
			b.CVM = dash(t.CVM)
		}
	default:
		if b.PDOL == "" {
			b.PDOL = quickPDOL
			if t.Purse > 0 {
				b.PDOL += "9F7A01"
			}
		}
		b.CDOL1, b.CVM = usualCDOL1, ""
	}
	b.PDOL = dash(b.PDOL)
	return b
}
