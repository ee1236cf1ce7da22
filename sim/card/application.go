package card

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"posd/emv/tlv"
)

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

	DDF    string `toml:"ddf"`    // the name of the directory that lists it, hex; "" for the PSE itself
	Hidden bool   `toml:"hidden"` // in no directory

	ODA        string `toml:"oda"`         // none, sda, dda, cda or xda
	Keys       string `toml:"keys"`        // its chain of keys: 1024, 1152, 1408, 1984, whole, "" for the usual one; p256, p521 with xda
	Fault      string `toml:"fault"`       // what is wrong with it: see Faults
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

	CVN string `toml:"cvn"` // cryptogram version: "" (PBOC's layout), 01 (PBOC), 10, 17 or 18 (Visa)

	PINTries     int    `toml:"pin_tries"`     // that the issuer allows, 3 otherwise
	PINLeft      *int   `toml:"pin_left"`      // tries that are left now; all of them otherwise
	PINKey       bool   `toml:"pin_key"`       // has a PIN encipherment key of its own (9F2D), beside that of DDA
	OfflineLimit int64  `toml:"offline_limit"` // a TC is given without asking the issuer up to this amount, minor units
	OfflineCount int    `toml:"offline_count"` // and so often in a row
	OfflineUpper int    `toml:"offline_upper"` // so often in a row where the issuer cannot be reached; 0 is no limit
	OfflineTotal int64  `toml:"offline_total"` // and up to this sum of amounts; 0 is no limit
	RefuseSecond bool   `toml:"refuse_second"` // AAC to every second GENERATE AC
	FirstAnswer  string `toml:"first_answer"`  // aac or arqc: the card's own wish at the first GENERATE AC; tc: without regard to what was asked
	Advice       bool   `toml:"advice"`        // asks for an advice message with its AAC (CID bit 4)
	ATC          int    `toml:"atc"`           // before the first transaction
	LastOnline   int    `toml:"last_online"`   // 9F13, ATC of the last transaction that the issuer answered

	// What the records hold beside, or instead of, what follows from the rest.
	AIP     string            `toml:"aip"`     // 82, hex
	AFL     string            `toml:"afl"`     // 94, hex
	Objects map[string]string `toml:"objects"` // by tag in hex: replaces an object, or is added
	Omit    []string          `toml:"omit"`    // tags in hex
	Status  map[string]string `toml:"status"`  // by command (select, gpo, read, generate, second ...): SW1 SW2 that it always gives

	Tap *Tap `toml:"tap"` // the application in the field; nil when it is there by contact only
}

// Faults of an application's personalisation and signatures.
const (
	faultIssuerExpired = "issuer-expired"   // certificate 90
	faultICCExpired    = "icc-expired"      // certificate 9F46
	faultRevoked       = "revoked"          // the serial number of certificate 90 is among CertificateRevocations
	faultIssuerID      = "issuer-id"        // certificate 90 is for other account numbers
	faultPAN           = "pan"              // certificate 9F46 is for another account number
	faultUnknownCA     = "unknown-ca"       // 8F names a key that no terminal has
	faultStatic        = "static"           // a record differs from what was signed
	faultSignature     = "signature"        // of DDA, or of CDA with the first cryptogram
	faultSecond        = "second-signature" // of CDA with the second cryptogram
	faultNoCert        = "no-certificate"   // 9F46 (93 for SDA) is not there
	faultRepeat        = "repeat"           // 5A is in two records
	faultTLV           = "tlv"              // a record ends in the middle of an object
	faultTemplate      = "template"         // a record that is to be authenticated has no template 70
	faultPadding       = "padding"          // 00 and FF between the objects of records: allowed
	faultLong          = "long-lengths"     // lengths in more bytes than needed: allowed
	faultProprietary   = "proprietary"      // objects that no terminal knows, and a file that is not TLV: allowed
)

// Faults lists what can be wrong, or odd, with an application.
var Faults = []string{
	faultIssuerExpired, faultICCExpired, faultRevoked, faultIssuerID, faultPAN, faultUnknownCA, faultStatic, faultSignature, faultSecond,
	faultNoCert, faultRepeat, faultTLV, faultTemplate, faultPadding, faultLong, faultProprietary,
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
		{"cvm", a.CVM, 0, 60},
		{"auc", a.AUC, 2, 2},
		{"aip", a.AIP, 0, 2},
		{"afl", a.AFL, 0, 252},
		{"ddf", a.DDF, 0, 16},
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
	if schemeOf(unhex(a.AID)) == nil && a.ODA != "none" {
		return bad("aid", "is of no payment system that there are test keys for")
	}
	for tag, v := range a.Objects {
		if t, err := hex.DecodeString(tag); err != nil || len(t) < 1 || len(t) > 2 {
			return bad("objects", "names %.10q, which is no tag", tag)
		}
		if b, err := hex.DecodeString(v); err != nil || len(b) > 120 {
			return bad("objects", "%s must be at most 120 bytes in hex", tag)
		}
	}
	for name, sw := range a.Status {
		if !slices.Contains(statusNames, name) {
			return bad("status", "names %.20q, which is none of %s", name, strings.Join(statusNames, ", "))
		}
		if b, err := hex.DecodeString(sw); err != nil || len(b) != 2 {
			return bad("status", "%s must be two bytes in hex", name)
		}
	}
	if err := a.completeTap(at); err != nil {
		return err
	}
	switch {
	case len(a.AIP) != 0 && len(a.AIP) != 4:
		return bad("aip", "must be two bytes in hex")
	case a.Label == "" || len(a.Label) > 16 || len(a.Preferred) > 16:
		return bad("label", "must have 1 to 16 characters")
	case !slices.Contains([]string{"none", "sda", "dda", "cda", "xda"}, a.ODA):
		return bad("oda", "is none of none, sda, dda, cda, xda")
	case a.ODA == "xda" && ecChains[a.Keys].suite == nil:
		return bad("keys", "is neither p256 nor p521")
	case !slices.Contains([]string{"external", "cdol2", "none"}, a.IssuerAuth):
		return bad("issuer_auth", "is none of external, cdol2, none")
	case a.ODA != "xda" && a.Keys != "" && chains[a.Keys].index == 0:
		return bad("keys", "is none of %s", strings.Join(chainNames(), ", "))
	case a.Fault != "" && !slices.Contains(Faults, a.Fault):
		return bad("fault", "is none of %s", strings.Join(Faults, ", "))
	case !slices.Contains([]string{"", "01", "10", "17", "18"}, a.CVN):
		return bad("cvn", "is none of 01, 10, 17, 18")
	case !slices.Contains([]string{"", "aac", "arqc", "tc"}, a.FirstAnswer):
		return bad("first_answer", "is none of aac, arqc, tc")
	case a.PINLeft != nil && (*a.PINLeft < 0 || *a.PINLeft > 15):
		return bad("pin_left", "is not 0 to 15")
	case a.LastOnline < 0 || a.LastOnline > 0xFFFF:
		return bad("last_online", "is out of range")
	case a.OfflineUpper < 0 || a.OfflineUpper > 255 || a.OfflineTotal < 0:
		return bad("offline_upper", "or offline_total is out of range")
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
