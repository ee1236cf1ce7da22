package vault

import (
	"context"
	"errors"
	"time"

	"posd/internal/money"
)

// Cryptogram is a key enciphered under the terminal master key, with its check value. It is no secret by itself, but is not logged.
type Cryptogram struct {
	Enc []byte // 8, 16 or 24 bytes, TDES-ECB under the TMK
	KCV []byte // first 4 bytes of the encryption of eight zero bytes
}

// WorkingKeys are the keys that an acquirer hands out at sign-on (UnionPay direct connect, field 62).
type WorkingKeys struct {
	PIN Cryptogram // PIK
	MAC Cryptogram // MAK; single DES: 8 bytes
}

// Pad is a PIN pad that holds the terminal master key. Clear PINs and clear keys never leave it.
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

// PINBlock is an enciphered PIN. Empty is true when the cardholder pressed Enter without digits.
type PINBlock struct {
	Block [8]byte // ISO 9564 format 0 under the PIN key
	Empty bool
}

// Errors of key handling and PIN entry.
var (
	ErrKCV          = errors.New("vault: key check value does not match")
	ErrNoKeys       = errors.New("vault: no working keys: sign on first")
	ErrPINCancelled = errors.New("vault: PIN entry cancelled by the cardholder")
	ErrPINTimeout   = errors.New("vault: PIN entry timed out")
	ErrPad          = errors.New("vault: PIN pad does not work")
	ErrSealed       = errors.New("vault: sealed data cannot be opened")
)
