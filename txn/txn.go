package txn

import (
	"context"
	"io"
	"time"

	"github.com/rs/zerolog"

	"posd/emv"
	"posd/emv/tlv"
	"posd/internal/money"
	"posd/internal/track"
	"posd/journal"
	"posd/keypad"
	"posd/netlink/acquirer"
	"posd/printer"
	"posd/qrpay"
	"posd/vault"
)

// Reader is the contact card reader.
type Reader interface {
	WaitInserted(ctx context.Context) error
	WaitRemoved(ctx context.Context) error
	Present(ctx context.Context) (bool, error)
	PowerOn(ctx context.Context) (emv.Card, error)
	PowerOff(ctx context.Context) error
}

// Stripe is the magnetic stripe reader. Drop forgets what was swiped so far. Swipe waits; it is called from a goroutine of its own while
// Reader.WaitInserted waits. A swipe that cannot be read is a *track.Error.
type Stripe interface {
	Drop() error
	Swipe(ctx context.Context) (track.Card, error)
}

// Kernel runs the card's side of a transaction; *emv.Kernel is one through Contact.
type Kernel interface {
	Start(ctx context.Context, c emv.Card, r emv.Request, ch emv.Cardholder) (Session, error)
}

// Session is a started card transaction.
type Session interface {
	emv.Data
	Outcome() emv.Outcome
	Result() emv.Result
	Complete(ctx context.Context, a emv.HostAnswer) (emv.Outcome, error)
}

// Keys is the vault.
type Keys interface {
	Ready() bool
	Install(ctx context.Context, k vault.WorkingKeys) error
	EnterPIN(ctx context.Context, r vault.PINEntry) (vault.PINBlock, error)
	Seal(plain, context []byte) ([]byte, error)
	Unseal(sealed, context []byte) ([]byte, error)
}

// Acquirer is the bank's host.
type Acquirer interface {
	Connect(ctx context.Context) error
	Echo(ctx context.Context) error
	SignOn(ctx context.Context, stan uint32) (acquirer.SignOnReply, error)
	Sale(ctx context.Context, s acquirer.Sale) (acquirer.Reply, error)
	Reverse(ctx context.Context, r acquirer.Reversal) (acquirer.Reply, error)
	Advise(ctx context.Context, a acquirer.Advice) (acquirer.Reply, error)
}

// Wallet is a wallet gateway. A non-nil error is the technical cause, for the log; what counts is Result.Status.
type Wallet interface {
	Pay(ctx context.Context, o qrpay.Order) (qrpay.Result, error)
	Precreate(ctx context.Context, o qrpay.Order) (qrpay.Result, error)
	Query(ctx context.Context, number string, amount money.Amount) (qrpay.Result, error)
	Cancel(ctx context.Context, number string) (qrpay.Result, error)
	// Words says in Chinese and English what a code of the gateway means to a cashier; channel is the one the order was restricted to.
	Words(code, channel string) (zh, en string)
}

// Scanner reads one code.
type Scanner interface {
	Scan(ctx context.Context) (string, error)
}

// Console is the operator's keypad and display.
type Console interface {
	Show(s keypad.Screen)
	Choose(ctx context.Context, m keypad.Menu) (int, error)
	Confirm(ctx context.Context, s keypad.Screen) error
	Press(ctx context.Context, s keypad.Screen, accept ...keypad.Key) (keypad.Key, error)
	Text(ctx context.Context, p keypad.TextPrompt) (string, error)
	Hold(ctx context.Context, s keypad.Screen, d time.Duration)
	Cancellable(ctx context.Context) (context.Context, context.CancelFunc)
	SetStatus(s keypad.Status)
	Lang() keypad.Lang
}

// Printer puts a receipt on paper. It returns nil only when the whole receipt is known to be printed. begun tells whether any of it
// may be on paper already.
type Printer interface {
	Print(ctx context.Context, r printer.Receipt) (begun bool, err error)
}

// Journal is the durable memory; *journal.Store and *journal.Memory are ones.
type Journal interface {
	Begin(r journal.Record) (journal.Record, error)
	Move(no uint64, to journal.State, why string, change journal.Change) (journal.Record, error)
	Note(no uint64, change journal.Change) (journal.Record, error)
	TakeSTAN() (uint32, error)
	AdoptBatch(batch uint32) (bool, error)
	Owed() ([]journal.Record, error)
	Last(keep func(journal.Record) bool) (journal.Record, error)
	Meta() (journal.Meta, error)
	// Healthy tells whether a transaction can be begun: nil, or why not.
	Healthy() error
}

// Config is what the merchant's contract and the acquirer's profile say.
type Config struct {
	MID, TID   string
	MerchantZH string
	MerchantEN string
	Operator   string
	Currency   money.Currency
	MaxAmount  int64 // minor units a single sale may have

	SaleTags      []tlv.Tag // field 55 of a sale, in order
	ReversalTags  []tlv.Tag // field 55 of a reversal, in order
	ReversalTries int       // unanswered reversals before a person must look

	Advices      map[acquirer.AdviceKind]acquirer.AdviceCodes // the advices that the acquirer takes
	TerminalType byte                                         // 9F35
	Swipe        bool                                         // the acquirer takes swiped cards
	Stripe       acquirer.StripeRules                         // and what it wants of them
	Offline      acquirer.OfflineLimits                       // what may be approved without the host; zero is nothing
	Referral     acquirer.Referral                            // what happens when the issuer wants to be called

	Contract qrpay.Contract // the wallet contract: Huabei periods, rates, pace
	Store    string

	CardWait   time.Duration // for a card to be inserted
	PINWait    time.Duration
	ScanWait   time.Duration
	ResultHold time.Duration // a result stays on the display
	HostWait   time.Duration // for one exchange with the acquirer, connecting included
	TearWait   time.Duration // between merchant and customer copy
	AdviceWait time.Duration // after so long no further advice is begun before a sale
}

// Defaults fills the durations that are not set.
func (c Config) Defaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.CardWait, 60*time.Second)
	set(&c.PINWait, 60*time.Second)
	set(&c.ScanWait, 60*time.Second)
	set(&c.ResultHold, 4*time.Second)
	set(&c.HostWait, 60*time.Second)
	set(&c.TearWait, 8*time.Second)
	set(&c.AdviceWait, 10*time.Second)
	if c.ReversalTries == 0 {
		c.ReversalTries = 3
	}
	return c
}

// Terminal is everything that a flow uses. A device that the board does not have is nil, and its transactions say so.
type Terminal struct {
	Config   Config
	Console  Console
	Journal  Journal
	Printer  Printer
	Reader   Reader
	Stripe   Stripe // nil: cards cannot be swiped
	Kernel   Kernel
	Keys     Keys
	CardPIN  vault.CardPINPad // nil: no PIN can be given to the card
	Acquirer Acquirer
	Scanner  Scanner
	Wallets  map[string]Wallet
	Now      func() time.Time
	Rand     io.Reader
	Log      zerolog.Logger

	current      uint64    // the record that the last flow began: while it is "sent" its answer is waited for, not owed
	chipFailed   time.Time // when a chip could last not be read; zero: the last one could, or there was none
	signOnWanted bool      // the host asked for it, or an answer's MAC was wrong
	link         keypad.Link
	paperOut     bool
}

// Contact makes a Kernel of the EMV kernel.
type Contact struct{ *emv.Kernel }

// Start is emv.Kernel.Start.
func (k Contact) Start(ctx context.Context, c emv.Card, r emv.Request, ch emv.Cardholder) (Session, error) {
	s, err := k.Kernel.Start(ctx, c, r, ch)
	if s == nil {
		return nil, err // a typed nil in the interface would look like a session
	}
	return s, err
}

// Status refreshes the bar at the top of the display from what is known.
func (t *Terminal) Status() {
	owed := 0
	if rs, err := t.Journal.Owed(); err == nil {
		for _, r := range rs {
			if r.State == journal.Undoing || (r.State == journal.Sent && r.No != t.current) || r.OwedAdvice() {
				owed++
			}
		}
	}
	t.Console.SetStatus(keypad.Status{Link: t.link, Operator: t.Config.Operator, Owed: owed, Paper: t.paperOut})
}

func (t *Terminal) setLink(l keypad.Link) {
	t.link = l
	t.Status()
}
