package acquirer

import (
	"time"

	"posd/emv/tlv"
	"posd/internal/money"
	"posd/netlink/iso8583"
)

// Profile is everything about an acquirer that is not the terminal's own: addresses of the protocol, codes, time-outs, texts. It comes
// from a file (LoadProfile) and does not change afterwards.
type Profile struct {
	Name      string
	TPDU      [tpduSize]byte
	Header    [headerSize]byte
	PreHeader []byte // bytes between TPDU and header that some acquirers want
	MAC       MACKind
	Spec      *iso8583.Spec  // field table, with the dialect's rows
	Currency  money.Currency // field 49; a sale in another currency is refused
	Probe     bool           // an echo goes over a new connection before anything else

	Timeouts  Timeouts
	SignOn    SignOnCodes
	Sale      SaleCodes
	Entries   map[Entry]EntryCodes
	Reversal  ReversalCodes
	Advices   map[AdviceKind]AdviceCodes // those that the acquirer has
	Offline   OfflineLimits
	Referral  Referral
	Stripe    StripeRules
	ICC       ICCTags
	Responses map[string]Response // by field 39
	Unknown   Response            // for a code that is not in Responses; "%s" in a text becomes the code
}

// MACKind is how field 64 is made.
type MACKind string

// MACCupECB folds the message by XOR and enciphers the fold's hexadecimal text ("ECB" in UnionPay's papers).
const MACCupECB MACKind = "cup-ecb"

// Timeouts are how long an answer may take, counted from the moment the request has left.
type Timeouts struct {
	Answer   time.Duration // sale
	Reversal time.Duration
	Manage   time.Duration // sign-on, echo
}

// SignOnCodes are the values of the sign-on request.
type SignOnCodes struct {
	Network       string // field 60.3: "001" single-length keys, "003" double-length PIN key
	Certification string // four digits before the terminal's serial number in field 62; "" leaves field 62 out
}

// SaleCodes are the values of a sale request.
type SaleCodes struct {
	Processing    string // field 3, six digits
	Condition     string // field 25, two digits
	Type          string // field 60.1, two digits
	Tail          string // digits of field 60 after 60.5
	PINCapture    string // field 26 when there is a PIN block
	Security      string // field 53 when there is a PIN block
	SecurityNoPIN string // field 53 when there is none; "" leaves the field out
}

// EntryCodes are what a way of reading the card puts into a message.
type EntryCodes struct {
	Mode       string // field 22, digits 1 and 2; the third tells whether there is a PIN
	Capability string // field 60.4: what the terminal can read
	Condition  string // field 60.5: 2 is fallback from a chip that could not be read
	PAN        bool   // field 2 is sent
	Expiry     bool   // field 14 is sent
	Track2     bool   // field 35 is sent
	Track3     bool   // field 36 is sent, where the card has it
	ICC        bool   // fields 23 and 55 are sent
}

// ReversalCodes are the rules and values of a reversal.
type ReversalCodes struct {
	Tries      int             // how often the terminal tries before it leaves the matter to a person
	Done       map[string]bool // field 39 of answers that end the reversal
	PINCapture bool            // field 26 is repeated
	Security   bool            // field 53 is repeated
	RRN        bool            // field 37 is sent when known
	Original   bool            // field 61 with batch and STAN of the original is sent
}

// StripeRules are what the acquirer wants of cards that are swiped. Whether there may be any, Entries says.
type StripeRules struct {
	PINAlways bool          // every cardholder is asked for a PIN; else those whose card's service code asks for it
	Fallback  time.Duration // how long after a chip could not be read a chip card may be swiped; 0 is never
}

// Referral is what the merchant may do when the issuer wants to be called.
type Referral struct {
	Ask  bool          // the cashier calls and types the issuer's code; else the sale is declined, and the words say whom to call
	Wait time.Duration // for the code
}

// ICCTags are the data objects of field 55, in the order in which they are sent.
type ICCTags struct {
	Sale     []tlv.Tag
	Reversal []tlv.Tag
}

// Response is what a response code means.
type Response struct {
	Action Action
	Text   map[string]string // by language: "zh", "en"
	// Unresolved marks a code by which the host says that it does not know how the transaction ended: it is no answer, a
	// reversal is due.
	Unresolved bool
}

// Response looks a code up. An unknown code declines, and its texts show the code.
func (p *Profile) Response(code string) Response {
	if r, ok := p.Responses[code]; ok {
		return r
	}
	r := Response{Action: p.Unknown.Action, Text: map[string]string{}}
	for language, text := range p.Unknown.Text {
		r.Text[language] = withCode(text, code)
	}
	return r
}
