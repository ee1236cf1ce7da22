package card

import (
	"fmt"
	"slices"
	"strings"
)

// Reader is a contactless reader that profiles expect something of. Limits are in minor units; nil is not tested (Book A, 5.1).
type Reader struct {
	Name         string
	About        string
	Kind         byte    // 9C
	Amount       int64   // 9F02
	Country      uint16  // 9F1A
	Currency     uint16  // 5F2A
	Type         byte    // 9F35
	Capabilities [3]byte // 9F33
	Transaction  *int64  // contactless transaction limit
	CVM          *int64  // CVM required limit
	Floor        *int64  // contactless floor limit
	StatusCheck  bool
	Extended     bool    // extended selection (9F29)
	Kernels      []int   // that it has
	TTQ3         [4]byte // 9F66 of kernel 3
	TTQ7         [4]byte // and of kernel 7
	OnDevice     bool    // kernel 2: verification on the cardholder's device; TTQ byte 3 says it for the others
	Relay        bool    // kernel 2: relay resistance
	Torn         int     // kernel 2: torn transactions that are kept, 0 for none
	Stripe       bool    // kernel 2: mag-stripe mode
	Unreachable  bool    // no answer from the issuer
	Exception    bool    // every card is on the exception file
	Small        int64   // kernel 7: up to this amount no PIN (小额免密); 0 is off
	Purse        int64   // kernel 7: electronic cash, below this amount (9F7B); 0 is off
}

func amountOf(n int64) *int64 { return &n }

// shop is the reader that others are changed from.
func shop() Reader {
	return Reader{
		Name: "shop", About: "attended, asks the issuer for every amount; PIN and signature from 1000.01, nothing from 50000.00", Amount: usualAmount,
		Country: usualCountry, Currency: usualCountry, Type: 0x21, Capabilities: [3]byte{0xE0, 0x68, 0x08},
		Transaction: amountOf(5000000), CVM: amountOf(100001), Floor: amountOf(0), Kernels: []int{2, 3, 7},
		TTQ3: [4]byte{0x36, 0x00, 0xC0, 0x00}, TTQ7: [4]byte{0x36, 0x00, 0x40, 0x80}, OnDevice: true,
	}
}

// Readers lists them. The first one is the reader that ships.
var Readers = func() []Reader {
	make := func(name, about string, change func(r *Reader)) Reader {
		r := shop()
		r.Name, r.About = name, about
		change(&r)
		return r
	}
	offline := func(r *Reader) { r.Type, r.Floor = 0x22, amountOf(50000) }
	return []Reader{
		shop(),
		make("large", "as shop, an amount that the cardholder must be verified for", func(r *Reader) { r.Amount = 150000 }),
		make("over", "as shop without kernel 2, an amount over the contactless limit", func(r *Reader) { r.Amount, r.Kernels = 6000000, []int{3, 7} }),
		make("over-too", "as shop, an amount over the contactless limit; that of kernel 2 is its own", func(r *Reader) { r.Amount = 6000000 }),
		make("at-limit", "as shop, an amount that is the contactless limit", func(r *Reader) { r.Amount = 5000000 }),
		make("offline", "attended, offline with online capability, floor limit 500.00", offline),
		make("offline-large", "as offline, over the floor limit", func(r *Reader) { offline(r); r.Amount = 80000 }),
		make("offline-only", "attended, offline only", func(r *Reader) {
			offline(r)
			r.Type, r.TTQ3[0], r.TTQ7[0], r.Capabilities[1] = 0x23, 0x3A, 0x3A, 0x28
			r.Unreachable = true
		}),
		make("no-pin", "as large, without a PIN pad", func(r *Reader) {
			r.Amount, r.TTQ3[0], r.TTQ7[0], r.Capabilities[1] = 150000, 0x32, 0x32, 0x28
		}),
		make("unattended", "as large, nobody there: neither PIN nor signature", func(r *Reader) {
			r.Amount, r.Type, r.TTQ3[0], r.TTQ7[0], r.Capabilities[1] = 150000, 0x24, 0x30, 0x30, 0x08
		}),
		make("no-contact", "as offline, without a contact reader", func(r *Reader) {
			offline(r)
			r.TTQ3[0], r.TTQ7[0], r.Capabilities[0] = 0x26, 0x26, 0x00
		}),
		make("exception", "as offline, the card is on the exception file", func(r *Reader) { offline(r); r.Exception = true }),
		make("abroad", "as offline, in Hong Kong", func(r *Reader) { offline(r); r.Country, r.Currency = 344, 344 }),
		make("refund", "as shop, a refund", func(r *Reader) { r.Kind = 0x20 }),
		make("status", "as offline, one unit asks for the state of the account", func(r *Reader) { offline(r); r.Amount, r.StatusCheck = 100, true }),
		make("no-unionpay", "as shop, without kernel 7", func(r *Reader) { r.Kernels = []int{2, 3} }),
		make("extended", "as shop, with extended selection", func(r *Reader) { r.Extended = true }),
		make("relay", "as shop, with relay resistance", func(r *Reader) { r.Relay = true }),
		make("torn", "as shop, recovers torn transactions", func(r *Reader) { r.Torn = 2 }),
		make("stripe", "as shop, with mag-stripe mode", func(r *Reader) { r.Stripe = true }),
		make("small", "as shop, no PIN for small amounts up to 1000.00", func(r *Reader) { r.Small = 100000 }),
		make("purse", "as offline, takes electronic cash below 1000.00", func(r *Reader) { offline(r); r.Purse = 100000 }),
		make("unreachable", "as shop, the issuer cannot be reached", func(r *Reader) { r.Unreachable = true }),
	}
}()

// ReaderNamed finds a reader.
func ReaderNamed(name string) (Reader, bool) {
	i := slices.IndexFunc(Readers, func(r Reader) bool { return r.Name == name })
	if i < 0 {
		return Reader{}, false
	}
	return Readers[i], true
}

// ExpectTap is what a right reader concludes. Outcome is always given; of the others, what is empty is not looked at.
type ExpectTap struct {
	// Outcome is the last one, before anybody asks the issuer: approved, declined, online, end-application, try-another-interface.
	Outcome string `toml:"outcome"`
	CVM     string `toml:"cvm"`     // none, signature, online-pin or confirmation-code
	Message int    `toml:"message"` // identifier of the message with the outcome (Book A, table 9-3)
	Kernel  int    `toml:"kernel"`
	AID     string `toml:"aid"`     // of the application that was used, hex
	Taps    int    `toml:"taps"`    // how often the card is presented until then
	Between int    `toml:"between"` // identifier of a message that is shown on the way
	Code    string `toml:"code"`    // the issuer's response code, when asked
	Final   string `toml:"final"`   // approved or declined
	TVR     string `toml:"tvr"`     // 95, hex; kernel 2
	Balance *int64 `toml:"balance"` // that the reader has learned, minor units
	Purse   *int64 `toml:"purse"`   // electronic cash that is left on the card, minor units
	Update  string `toml:"update"`  // with the issuer's answer, the card comes back: done or failed
	Stripe  bool   `toml:"stripe"`  // mag-stripe mode
}

// tapOutcomes are the values of ExpectTap.Outcome.
var tapOutcomes = []string{"approved", "declined", "online", "end-application", "try-another-interface"}

func (x ExpectTap) complete(at string) error {
	bad := func(field, why string, args ...any) error {
		return &ProfileError{at + "." + field, fmt.Sprintf(why, args...)}
	}
	switch {
	case !slices.Contains(tapOutcomes, x.Outcome):
		return bad("outcome", "is none of %s", strings.Join(tapOutcomes, ", "))
	case !slices.Contains([]string{"", "none", "signature", "online-pin", "confirmation-code"}, x.CVM):
		return bad("cvm", "is no method that there is")
	case !slices.Contains([]string{"", "approved", "declined"}, x.Final):
		return bad("final", "is neither approved nor declined")
	case !slices.Contains([]string{"", "done", "failed"}, x.Update):
		return bad("update", "is neither done nor failed")
	case x.Message < 0 || x.Message > 255 || x.Between < 0 || x.Between > 255:
		return bad("message", "is no identifier")
	case x.Taps < 0 || x.Taps > 9:
		return bad("taps", "is not 1 to 9")
	}
	return nil
}
