package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"posd/internal/money"
)

// Cryptogram is a key enciphered under the terminal master key, with its check value. It is no secret by itself, but is not logged.
type Cryptogram struct {
	Enc []byte // 8, 16 or 24 bytes, TDES-ECB under the TMK
	KCV []byte // first 4 bytes of the encryption of eight zero bytes
}

func (c Cryptogram) clone() Cryptogram {
	return Cryptogram{Enc: slices.Clone(c.Enc), KCV: slices.Clone(c.KCV)}
}

// Format hides the bytes from every verb, so that a careless log line tells nothing.
func (c Cryptogram) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "key cryptogram (%d bytes)", len(c.Enc))
}

// WorkingKeys are the keys that an acquirer hands out at sign-on (UnionPay direct connect, field 62).
type WorkingKeys struct {
	PIN Cryptogram // PIK
	MAC Cryptogram // MAK; single DES: 8 bytes
}

// Pad is a PIN pad that holds the terminal master key. Clear PINs and clear keys never leave it.
//
// Errors: ErrPINCancelled and ErrPINTimeout for what the cardholder did, ErrPad for everything that is wrong with the pad, its
// keys or the line (the wrapped error says what), and the error of ctx when that ended.
type Pad interface {
	// EnterPIN captures a PIN and enciphers it under the PIN key pik, itself enciphered under the pad's master key.
	EnterPIN(ctx context.Context, pik []byte, r PINEntry) (PINBlock, error)
	// MAC computes ISO 9797-1 algorithm 3 with zero padding over data under mak, itself enciphered under the pad's master key.
	// An 8-byte mak makes it algorithm 1 with single DES.
	MAC(ctx context.Context, mak, data []byte) ([8]byte, error)
}

// PINEntry is a request to capture a PIN.
type PINEntry struct {
	PAN      string // digits
	Amount   money.Amount
	Timeout  time.Duration
	Progress func(digits int) // told the number of digits so far; only for display
}

// Format hides the card number from every verb.
func (PINEntry) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "PIN entry") }

// PINBlock is an enciphered PIN. Empty is true when the cardholder pressed Enter without digits.
type PINBlock struct {
	Block [8]byte // ISO 9564 format 0 under the PIN key
	Empty bool
}

// Format hides the block from every verb.
func (PINBlock) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "PIN block") }

// Format hides the keys from every verb.
func (*Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "vault keys") }

// CardPINPad captures a PIN and hands it to the chip card in the reader with VERIFY (EMV Book 3, 6.5.12): a reader with a keypad of
// its own, or a PIN pad that reaches the card. Clear PINs never leave it.
//
// sw is the card's answer. Errors: ErrPINCancelled and ErrPINTimeout, ErrPINBypassed where Enter was pressed without enough digits,
// ErrPad for a pad that cannot do it or does not work, the reader's own errors where the card is gone, and the error of ctx.
type CardPINPad interface {
	VerifyPIN(ctx context.Context, r CardPIN) (sw uint16, err error)
}

// CardPIN is a request to capture a PIN that the card compares.
type CardPIN struct {
	Cipher   *CardPINCipher // nil: in the clear
	Timeout  time.Duration
	Progress func(digits int) // told the number of digits so far, where the reader tells; only for display
}

// CardPINCipher enciphers a PIN for the card (EMV Book 2, 7.2): block 7F, PIN block, challenge, random padding of the pad's own.
type CardPINCipher struct {
	Modulus, Exponent []byte
	Challenge         []byte // eight bytes
}

// Errors of key handling and PIN entry.
var (
	ErrKCV          = errors.New("vault: key check value does not match")
	ErrNoKeys       = errors.New("vault: no working keys: sign on first")
	ErrPINCancelled = errors.New("vault: PIN entry cancelled by the cardholder")
	ErrPINTimeout   = errors.New("vault: PIN entry timed out")
	ErrPINBypassed  = errors.New("vault: Enter pressed without a PIN")
	ErrPad          = errors.New("vault: PIN pad does not work")
	ErrSealed       = errors.New("vault: sealed data cannot be opened")
)
