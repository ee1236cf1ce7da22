package pn532

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Commands, UM0701-02 chapter 7.
const (
	cmdFirmware   = 0x02
	cmdBaud       = 0x10
	cmdParameters = 0x12
	cmdSAM        = 0x14
	cmdRF         = 0x32
	cmdExchange   = 0x40
	cmdThru       = 0x42
	cmdList       = 0x4A
	cmdRelease    = 0x52
)

// Items of RFConfiguration (UM0701-02 7.3.1).
const (
	rfField   = 0x01
	rfRetries = 0x05
)

// Times of EMV Contactless Book D, for which the values are said to be 5.1 ms (minimum) in each case: the field off for a reset, and the
// field on before the first command. To be confirmed against the book.
const (
	resetTime = 6 * time.Millisecond
	guardTime = 6 * time.Millisecond
)

// gone is how many polls in a row must find nothing until a card counts as taken away.
const gone = 3

// icPN532 is the chip's own number in its version.
const icPN532 = 0x32

// setUp wakes the chip up for good and gives it its parameters.
func (d *Dev) setUp(ctx context.Context) error {
	// Normal mode, no time-out, P70_IRQ in use. After power-on the chip is in "low battery" mode, which only this command ends (AN10609).
	if err := d.plain(ctx, cmdSAM, 0x01, 0x00, 0x01); err != nil {
		return err
	}
	f, err := d.firmware(ctx)
	if err != nil {
		return err
	}
	if f.IC != icPN532 {
		d.drop()
		return fmt.Errorf("%w: chip %02X is no PN532", ErrReader, f.IC)
	}
	if h, ok := d.bus.(*hsu); ok {
		if err := h.speedUp(ctx, d); err != nil {
			return err
		}
	}
	// RATS by the chip; no NAD and no DID.
	if err := d.plain(ctx, cmdParameters, 0x14); err != nil {
		return err
	}
	// One retry for a card that does not answer: the default is to wait for ever, and the other type is to be polled as well.
	if err := d.plain(ctx, cmdRF, rfRetries, 0xFF, 0x01, 0x01); err != nil {
		return err
	}
	return d.off(ctx, 0)
}

// plain is a command whose answer has no data.
func (d *Dev) plain(ctx context.Context, code byte, params ...byte) error {
	a, err := d.do(ctx, code, params...)
	if err == nil && len(a) != 0 {
		err = d.nonsense(code, a)
	}
	return err
}

func (d *Dev) off(ctx context.Context, t time.Duration) error {
	d.active++
	if err := d.plain(ctx, cmdRF, rfField, 0x00); err != nil {
		return err
	}
	d.field = false
	d.quiet = time.Now().Add(max(t, resetTime))
	return nil
}

func (d *Dev) on(ctx context.Context) error {
	if d.field {
		return nil
	}
	if err := nap(ctx, time.Until(d.quiet)); err != nil {
		return err
	}
	// Bit 1, the check for other fields before switching on, is of the peer to peer mode.
	if err := d.plain(ctx, cmdRF, rfField, 0x01); err != nil {
		return err
	}
	d.field = true
	return nap(ctx, guardTime)
}

// reset takes the cards' power away for a moment.
func (d *Dev) reset(ctx context.Context) error {
	if d.field {
		if err := d.off(ctx, 0); err != nil {
			return err
		}
	}
	return d.on(ctx)
}

// Off switches the field off at once. It stays off for at least t, and no shorter than a card needs to notice; an Activate in that time
// waits for its end.
func (d *Dev) Off(ctx context.Context, t time.Duration) error {
	if err := d.take(ctx); err != nil {
		return err
	}
	defer d.give()
	if err := d.ready(ctx); err != nil {
		return err
	}
	return d.off(ctx, t)
}

// list polls for cards of a type and activates them.
func (d *Dev) list(ctx context.Context, typ byte) (found [maxTargets]target, n int, err error) {
	d.cmd = append(d.cmd[:0], cmdList, maxTargets, typ)
	if typ == typeB {
		d.cmd = append(d.cmd, 0x00) // AFI: applications of all families
	}
	a, err := d.run(ctx, patience{ack: d.o.ACK, answer: listing, most: maxFrame})
	if err != nil {
		return found, 0, err
	}
	return parseTargets(typ, a)
}

// listing is more than two activations of slow cards take.
const listing = 2 * time.Second

// release has the chip deselect the cards and forget them. Whether they heard it does not matter.
func (d *Dev) release(ctx context.Context) error {
	a, err := d.do(ctx, cmdRelease, 0x00)
	if err == nil && len(a) != 1 {
		err = d.nonsense(cmdRelease, a)
	}
	return err
}

// look polls once for both types and leaves one card active: t is set when there is exactly one and it talks ISO/IEC 14443-4. Type B
// comes first: a card of type A, which nearly all are, then needs no second activation.
func (d *Dev) look(ctx context.Context) (t *target, n int, err error) {
	var te *TargetError
	b, nb, err := d.list(ctx, typeB)
	if errors.As(err, &te) { // what the card said makes no sense: it is there, but cannot be used
		nb, err = 1, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if nb > 0 {
		if err := d.release(ctx); err != nil {
			return nil, 0, err
		}
	}
	a, na, err := d.list(ctx, typeA)
	if errors.As(err, &te) {
		na, err = 1, nil
	}
	switch {
	case err != nil:
		return nil, 0, err
	case na+nb != 1:
		return nil, na + nb, nil
	case nb == 1:
		// The card was deselected and answers only after a reset.
		if err := d.reset(ctx); err != nil {
			return nil, 0, err
		}
		if b, nb, err = d.list(ctx, typeB); err != nil && !errors.As(err, &te) {
			return nil, 0, err
		}
		if err == nil && nb == 1 && b[0].isoDEP() {
			return &b[0], 1, nil
		}
	case a[0].number != 0 && a[0].isoDEP():
		return &a[0], 1, nil
	}
	return nil, 1, nil
}

// Activate resets the field and polls for cards of type A and B until exactly one is there that talks ISO/IEC 14443-4, and returns it.
// Several cards are ErrCollision at once; the caller says so to people and calls again. Cards of other kinds are passed over. ctx bounds
// the wait; when it ends the field is switched off.
func (d *Dev) Activate(ctx context.Context) (*Card, error) {
	if err := d.take(ctx); err != nil {
		return nil, err
	}
	defer d.give()
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	c, err := d.activate(ctx)
	if err != nil && d.live && d.field {
		short, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.o.Answer)
		defer cancel()
		if e := d.off(short, 0); e != nil && ctx.Err() == nil {
			err = errors.Join(err, e)
		}
	}
	return c, err
}

func (d *Dev) activate(ctx context.Context) (*Card, error) {
	d.active++
	if err := d.reset(ctx); err != nil {
		return nil, err
	}
	for {
		t, n, err := d.look(ctx)
		switch {
		case err != nil:
			return nil, err
		case n > 1:
			return nil, ErrCollision
		case t != nil:
			d.active++
			d.card = &Card{d: d, active: d.active, number: t.number, typeB: t.typ == typeB, ping: t.ping()}
			return d.card, nil
		}
		if err := nap(ctx, d.o.Poll); err != nil {
			return nil, err
		}
		if n > 0 {
			if err := d.reset(ctx); err != nil {
				return nil, err
			}
		}
	}
}

// WaitRemoved waits until no card answers any more, then switches the field off. A card that is active is asked whether it is there; when
// it does not answer, and when none is active, the field is reset and polled until nothing is found three times in a row.
func (d *Dev) WaitRemoved(ctx context.Context) error {
	if err := d.take(ctx); err != nil {
		return err
	}
	defer d.give()
	if err := d.ready(ctx); err != nil {
		return err
	}
	for d.card != nil && d.card.active == d.active {
		there, err := d.card.present(ctx)
		if err != nil {
			return err
		}
		if !there {
			break
		}
		if err := nap(ctx, d.o.Poll); err != nil {
			return err
		}
	}
	d.active++
	for misses := 0; misses < gone; {
		if err := d.reset(ctx); err != nil {
			return err
		}
		_, n, err := d.look(ctx)
		if err != nil {
			return err
		}
		if misses++; n > 0 {
			misses = 0
			if err := nap(ctx, d.o.Poll); err != nil {
				return err
			}
		}
	}
	return d.off(ctx, 0)
}
