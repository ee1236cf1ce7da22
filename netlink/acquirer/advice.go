package acquirer

import (
	"context"
	"fmt"
	"time"

	"posd/emv/tlv"
	"posd/internal/money"
)

// AdviceKind is a sort of message by which the host is told what has already happened. Which ones an acquirer has, and what is in them, its
// profile says.
type AdviceKind string

// Kinds of advice.
const (
	AdviceScript  AdviceKind = "script"       // what became of the issuer's scripts (0620)
	AdviceOffline AdviceKind = "offline-sale" // upload of a sale that card and terminal approved without the host
	AdviceVoice   AdviceKind = "voice-sale"   // a sale that the issuer approved on the telephone
	AdviceDecline AdviceKind = "decline"      // a decline of which the card wants the issuer to hear (Book 3, 6.5.5: CID bit 4)
)

var adviceKinds = [...]AdviceKind{AdviceScript, AdviceOffline, AdviceVoice, AdviceDecline}

// AdviceCodes are the form of an advice. Fields 41, 42 and 64 are in every one.
type AdviceCodes struct {
	MTI        string
	Fields     []int  // besides those three; one without a value is left out where the table of fields allows it
	Processing string // field 3, six digits
	Condition  string // field 25, two digits
	Type       string // field 60.1, two digits
	Network    string // field 60.3, three digits
	Tail       string // digits of field 60 after 60.5
	AuthMode   string // field 61.4; "" ends field 61 behind the date
	Operator   string // field 63
	OwnSTAN    bool   // field 11 is a trace number of its own; else that of the transaction
	Tries      int    // unanswered attempts before it is given up; 0 is never
	Done       map[string]bool
	ICC        []tlv.Tag // field 55
}

// OfflineLimits bound what card and terminal may approve without the host while uploads wait. The zero value allows nothing.
type OfflineLimits struct {
	Count int   // sales
	Total int64 // minor units
}

// Advice is what an advice is made of. Its wire form depends on the fields here and the profile alone, so that a repeat is the same message.
type Advice struct {
	Kind   AdviceKind
	STAN   uint32 // field 11
	Batch  uint32 // of the transaction
	Amount money.Amount
	Entry  Entry
	HadPIN bool
	PAN    string
	Expiry string
	PSN    string
	Time   time.Time // of the transaction, by the terminal's clock: fields 12 and 13
	ICC    []byte

	Original    uint32 // trace number of the transaction, field 61.2
	Date        string // MMDD of the transaction as the host said it, field 61.3; "" takes Time
	Institution string // field 32
	RRN         string
	Auth        string
}

// Format keeps card data out of anything that prints an Advice by mistake.
func (a Advice) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s advice %06d of STAN %06d", string(a.Kind), a.STAN, a.Original)
}

// buildAdvice fills the request with the fields that the profile names.
func (c *Client) buildAdvice(a *Advice) error {
	codes, ok := c.profile.Advices[a.Kind]
	if !ok {
		return &RequestError{"advice", "of this kind is not in the profile"}
	}
	entry, ok := c.profile.Entries[a.Entry]
	s := c.start(codes.MTI)
	switch {
	case !ok:
		s.refuse("entry", "is not in the profile")
	case a.STAN < 1 || a.STAN > 999999 || a.Original < 1 || a.Original > 999999:
		s.refuse("STAN", "is outside 1..999999")
	case a.Batch > 999999:
		s.refuse("batch", "is outside 0..999999")
	case a.Amount.Minor <= 0 || a.Amount.Minor > 999999999999:
		s.refuse("amount", "is outside 1..999999999999")
	case a.Amount.Currency != c.profile.Currency:
		s.refuse("currency", "is not the acquirer's")
	}
	date := a.Date
	if len(date) != 4 {
		date = a.Time.Format("0102")
	}
	for _, n := range codes.Fields {
		switch n {
		case 2:
			s.text(n, a.PAN)
		case 3:
			s.text(n, codes.Processing)
		case 4:
			s.number(n, uint64(max(a.Amount.Minor, 0)))
		case 11:
			s.number(n, uint64(a.STAN))
		case 12:
			s.text(n, a.Time.Format("150405"))
		case 13:
			s.text(n, a.Time.Format("0102"))
		case 14:
			s.optional(n, a.Expiry)
		case 22:
			s.text(n, entry.mode(a.HadPIN))
		case 23:
			s.optional(n, wirePSN(a.PSN))
		case 25:
			s.text(n, codes.Condition)
		case 32:
			s.optional(n, a.Institution)
		case 37:
			s.optional(n, a.RRN)
		case 38:
			s.optional(n, a.Auth)
		case 49:
			s.text(n, fmt.Sprintf("%03d", uint16(a.Amount.Currency)))
		case 55:
			if len(a.ICC) > 0 {
				s.bytes(n, a.ICC)
			}
		case 60:
			s.text(n, fmt.Sprintf("%s%06d%s%s%s%s", codes.Type, a.Batch, codes.Network, entry.Capability, entry.Condition, codes.Tail))
		case 61:
			s.text(n, fmt.Sprintf("%06d%06d%s%s", a.Batch, a.Original, date, codes.AuthMode))
		case 63:
			s.text(n, fmt.Sprintf("%-3s", codes.Operator))
		}
	}
	return s.err
}

// Advise sends an advice. Action is Approve when it is closed: the profile lists the codes that close it, "seen before" among them. Retry
// and SignOn, and a *Failure, leave it owed; with Decline and Capture the host refuses it for good. The request is the same bytes for the
// same Advice as long as the MAC key is the same.
func (c *Client) Advise(ctx context.Context, a Advice) (Reply, error) {
	if err := c.Connect(ctx); err != nil {
		return Reply{}, notSent(err)
	}
	if err := c.buildAdvice(&a); err != nil {
		c.wipe()
		return Reply{}, &Failure{Err: err}
	}
	if err := c.exchange(ctx, c.profile.Timeouts.Reversal, exchangeRules{macked: true, coded: true}); err != nil {
		return Reply{}, err
	}
	reply, err := c.reply()
	switch {
	case err != nil:
	case c.profile.Advices[a.Kind].Done[reply.Code]:
		reply.Action = Approve
	case reply.Action == Approve, reply.Action == Refer:
		reply.Action = Retry // a code that has a meaning for sales only says nothing about an advice
	}
	return reply, err
}
