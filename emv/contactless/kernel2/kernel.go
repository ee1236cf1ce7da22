package kernel2

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"posd/emv"
	"posd/emv/contactless"
)

// ID is the kernel's identifier.
const ID contactless.KernelID = 2

// Options are what a program, rather than a combination of applications, decides.
type Options struct {
	// MagStripe lets the kernel run mag-stripe mode where DF811B allows it. Without it bit 8 of DF811B counts as set.
	MagStripe bool
	// Terminal is the other end of data exchange; nil when there is none.
	Terminal Terminal
	// RecoverAny lets a torn transaction be recovered whatever its amount was: see sameTransaction.
	RecoverAny bool
	// Wait waits before a failed mag-stripe checksum is told (Book C-2, S13.30); nil waits by the clock. It returns early when ctx ends.
	Wait func(ctx context.Context, d time.Duration)
}

// Kernel is kernel 2. It remembers torn transactions and failed mag-stripe checksums from one activation to the next, so a terminal has one
// value of it. One goroutine activates it; Stop may be called from any.
type Kernel struct {
	o        Options
	torn     tornLog
	failedMS uint // consecutive failures of mag-stripe mode, at most 5
	stop     atomic.Bool
}

// New makes a kernel.
func New(o Options) *Kernel {
	if o.Wait == nil {
		o.Wait = wait
	}
	return &Kernel{o: o}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// ID implements contactless.Kernel.
func (k *Kernel) ID() contactless.KernelID { return ID }

// Stop is the STOP signal: the transaction under way ends with END APPLICATION and "stop" in DF8115, unless the card is already
// making its cryptogram (Book C-2, S9 to S11, S13 and S14 ignore it). It has no effect on a later activation.
func (k *Kernel) Stop() { k.stop.Store(true) }

// Clean is the CLEAN signal: it forgets torn transactions that are older than their DF811C and returns the objects of each, the value of
// FF8101, for the terminal (Book C-2, S1.5). now is the clock of Activation.Now. The objects hold the PAN.
func (k *Kernel) Clean(now time.Time) [][]byte {
	var out [][]byte
	for _, r := range k.torn.clean(now) {
		out = append(out, r.encode())
	}
	return out
}

// Torn is how many torn transactions are remembered.
func (k *Kernel) Torn() int { return len(k.torn.records) }

// Activate implements contactless.Kernel. The error is ctx's own, or one about the reader's data that wraps emv.ErrConfig.
//
// While the card makes its cryptogram ctx is not looked at: a transaction that is not finished then is torn.
func (k *Kernel) Activate(ctx context.Context, card contactless.Card, a *contactless.Activation) (contactless.Outcome, error) {
	k.stop.Store(false)
	if a.Combination == nil || a.UI == nil || a.Now == nil {
		return contactless.Outcome{}, fmt.Errorf("%w: kernel 2: activation without combination, display or clock", emv.ErrConfig)
	}
	db, err := newDatabase(a)
	if err != nil {
		return contactless.Outcome{}, err
	}
	t := &tap{k: k, ctx: ctx, card: card, a: a, db: db}
	for s := state1; s != done; {
		next, err := t.step(s)
		if err != nil {
			return contactless.Outcome{}, err
		}
		s = next
	}
	return t.out, nil
}

// layer1 is the value of the "L1 error" of DF8115 for an error of Transceive. An error that says it is a time-out is one; an answer that is
// no response APDU is a protocol error; the rest are transmission errors.
func layer1(err error) byte {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errProtocol):
		return l1Protocol
	case errors.As(err, &timeout) && timeout.Timeout():
		return l1TimeOut
	}
	return l1Transmission
}

var errProtocol = errors.New("kernel2: not a response APDU")
