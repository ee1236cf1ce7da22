package qrpay

import (
	"errors"
	"fmt"

	"posd/internal/money"
)

// ErrNotSent is wrapped by a gateway's error when it is certain that nothing of the request left the terminal: name not resolved,
// no connection, TLS refused, request not acceptable. No cancel is owed for it.
var ErrNotSent = errors.New("qrpay: nothing was sent")

// NotSent tells whether err says for certain that nothing left the terminal.
func NotSent(err error) bool { return errors.Is(err, ErrNotSent) }

// MismatchError is an answer that speaks of something else than what was asked. It is read neither as a yes nor as a no.
type MismatchError struct {
	Field string // "order", "amount" or "currency"
	Got   string
	Want  string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("qrpay: answer is for another %s: %.64q, asked for %.64q", e.Field, e.Got, e.Want)
}

// For returns r as it may be believed for the order asked about. Paid stands only when order number, amount and currency are
// exactly those asked for; any other answer that names another order is not believed either. What is not believed becomes Unknown,
// with a *MismatchError for the log.
func (r Result) For(number string, amount money.Amount) (Result, error) {
	doubt := func(field, got, want string) (Result, error) {
		r.Status = Unknown
		return r, &MismatchError{field, got, want}
	}
	named := r.Number != ""
	switch {
	case r.Status == Unknown:
		return r, nil
	case named && r.Number != number, r.Status == Paid && !named:
		return doubt("order", r.Number, number)
	case r.Status != Paid && r.Amount == (money.Amount{}):
		return r, nil // refusals and cancels do not carry an amount
	case r.Amount.Currency != amount.Currency:
		return doubt("currency", r.Amount.Currency.String(), amount.Currency.String())
	case r.Amount.Minor != amount.Minor || amount.Minor <= 0:
		return doubt("amount", r.Amount.Major(), amount.Major())
	}
	return r, nil
}
