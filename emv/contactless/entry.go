package contactless

import (
	"context"
	"errors"
	"fmt"
	"time"

	"posd/emv"
)

// Errors of Run and Resume. An error means that there is no outcome: nothing was approved.
var (
	// ErrRequest: the transaction cannot be put to a card.
	ErrRequest = errors.New("contactless: impossible transaction")
	// ErrField: the antenna does not work.
	ErrField = errors.New("contactless: antenna")
	// ErrKernel: a kernel broke its contract.
	ErrKernel = errors.New("contactless: kernel")
	// ErrNotOnline: Resume was called for a result that does not wait for the issuer, or for the second time.
	ErrNotOnline = errors.New("contactless: the result does not wait for an issuer")
)

// UI is what people see and hear. Show returns at once; that a message is to stay for a while is its own affair.
type UI interface {
	Show(UIRequest)
}

// Chooser is a UI that can ask the cardholder which of the card's applications to use. It returns the index; emv.ErrCancelled, wrapped or not,
// ends the transaction.
type Chooser interface {
	Choose(ctx context.Context, candidates []emv.Candidate) (int, error)
}

// EntryPoint runs contactless transactions with one set of parameters and kernels. It keeps nothing from one transaction to the next;
// kernels may (torn transactions). One goroutine at a time may use it.
type EntryPoint struct {
	cfg     Config
	kernels map[KernelID]Kernel
	err     error // the parameters cannot be used
	now     func() time.Time
}

// Option changes an EntryPoint after New.
type Option func(*EntryPoint)

// WithClock gives the Entry Point another monotonic clock.
func WithClock(now func() time.Time) Option { return func(e *EntryPoint) { e.now = now } }

// New returns an EntryPoint. Parameters that do not pass Config.Check, two kernels of one number, or a combination whose kernel is not there
// make every Run fail with that error.
func New(cfg Config, kernels ...Kernel) *EntryPoint {
	if cfg.Defaults == nil {
		cfg.Defaults = DefaultKernels()
	}
	if cfg.Restarts == 0 {
		cfg.Restarts = defaultRestarts
	}
	if cfg.UpdateWait == 0 {
		cfg.UpdateWait = defaultUpdateWait
	}
	e := &EntryPoint{cfg: cfg, kernels: make(map[KernelID]Kernel, len(kernels)), now: time.Now, err: cfg.Check()}
	for _, k := range kernels {
		if e.kernels[k.ID()] != nil && e.err == nil {
			e.err = fmt.Errorf("%w: two of %v", ErrKernel, k.ID())
		}
		e.kernels[k.ID()] = k
	}
	for i := range cfg.Combinations {
		if c := &cfg.Combinations[i]; e.kernels[c.Kernel] == nil && e.err == nil {
			e.err = ofCombination(i, c, "kernel", fmt.Sprintf("%v is not in this terminal", c.Kernel))
		}
	}
	return e
}

// With applies options.
func (e *EntryPoint) With(opts ...Option) *EntryPoint {
	for _, o := range opts {
		o(e)
	}
	return e
}

// Offers tells whether a transaction of a type could be tried at all: some combination supports it.
func (e *EntryPoint) Offers(typ byte) bool {
	return e.err == nil && len(forType(e.cfg.Combinations, typ)) > 0
}

// Run is one transaction: from pre-processing to the final outcome (Book B, chapter 3; Book A, 8). It waits for a card until ctx ends. When it
// returns the card's last exchange is over and the field is off, but where an online request is to start again at D: there the card is to
// stay, and the field is on until Resume. "Card read OK" has been shown for an outcome that has the card's data.
//
// A message that something was approved or declined is not shown: it is in Result.Show, for when the outcome is on the disk.
func (e *EntryPoint) Run(ctx context.Context, field Field, tx Transaction, ui UI) (Result, error) {
	if e.err != nil {
		return Result{}, e.err
	}
	if err := tx.check(); err != nil {
		return Result{}, err
	}
	if field == nil || ui == nil {
		return Result{}, fmt.Errorf("%w: no antenna or nobody to tell", ErrRequest)
	}
	s := &session{ep: e, field: field, ui: ui, tx: tx, chosen: -1}
	s.readers = forType(e.cfg.Combinations, tx.Type)
	at := atPreprocessing
	if tx.Autorun {
		for i := range s.readers {
			s.readers[i].reset()
		}
		at = atActivation
	}
	if err := s.run(ctx, at); err != nil {
		s.off(ctx)
		return Result{}, err
	}
	return s.result()
}

// check tells whether the transaction can be put to a card.
func (t *Transaction) check() error {
	fail := func(why string) error { return fmt.Errorf("%w: %s", ErrRequest, why) }
	switch {
	case t.Amount.Minor < 0 || t.Amount.Minor > maxAmount:
		return fail("the amount does not fit twelve digits")
	case t.Other < 0 || t.Other > t.Amount.Minor:
		return fail("the other amount is negative, or more than the amount")
	case t.Amount.Currency > 999:
		return fail("the currency is not an ISO 4217 number")
	case t.Type>>4 > 9 || t.Type&0x0F > 9:
		return fail("the transaction type is not two digits")
	case t.Time.Year() < 1950 || t.Time.Year() > 2049:
		return fail("the date does not fit two digits of year")
	case t.Counter == 0 || t.Counter > 99_999_999:
		return fail("the sequence counter is not 1 to 99999999")
	case t.Rand == nil:
		return fail("no source of random numbers")
	}
	return nil
}
