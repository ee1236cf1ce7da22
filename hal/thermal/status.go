package thermal

import (
	"context"
	"fmt"
	"time"
)

// Bits of the answers to DLE EOT n and GS r 1.
const (
	eot1Offline  = 0x08
	eot2Cover    = 0x04
	eot2PaperEnd = 0x20
	eot2Error    = 0x40
	eot3Cutter   = 0x08
	eot3Fatal    = 0x20
	eot3Auto     = 0x40 // recovers by itself: the head is too hot
	eot4Low      = 0x0c
	eot4End      = 0x60
	grPaperEnd   = 0x0c
	grPaperLow   = 0x03
)

// Status is what a printer says of itself.
type Status struct {
	Online    bool
	PaperLow  bool
	PaperOut  bool
	CoverOpen bool
	Overheat  bool
	Cutter    bool    // the cutter is jammed
	Fatal     bool    // an error that only service can clear
	Known     [5]bool // which of DLE EOT 1 to 4 were answered, and GS r at 0
	Raw       [5]byte // the answers
}

// Err is the error of a printer in this state, nil when it can print.
func (s Status) Err() error {
	switch {
	case s.CoverOpen:
		return ErrCoverOpen
	case s.PaperOut:
		return ErrPaperOut
	case s.Overheat:
		return ErrOverheat
	case s.Cutter, s.Fatal:
		return ErrFault
	case s.Known[1] && !s.Online:
		return fmt.Errorf("%w: offline", ErrOffline)
	}
	return nil
}

// Status asks the printer for its state. The error wraps ErrOffline when nothing was answered. With Query None nothing is asked
// and nothing is known.
func (d *Dev) Status(ctx context.Context) (Status, error) {
	if err := d.begin(ctx); err != nil {
		return Status{}, err
	}
	defer d.end()
	defer d.watch(ctx)()
	if d.o.Query == None {
		return Status{Online: true}, nil
	}
	return d.status(ctx)
}

// status asks DLE EOT 1 to 4 and, where nothing is answered, GS r. It must not be called while data is on the way.
func (d *Dev) status(ctx context.Context) (Status, error) {
	s, known, err := d.poll(ctx)
	if err != nil || known {
		return s, err
	}
	if d.o.Query == RealTime {
		return s, ErrOffline
	}
	// Perhaps a model without DLE EOT: it must answer GS r then.
	if err := d.sync(ctx, true); err != nil {
		return s, err
	}
	d.noEOT = true
	s.Online, s.Known[0], s.Raw[0] = true, true, d.paper
	s.PaperLow, s.PaperOut = d.paper&grPaperLow != 0, d.paper&grPaperEnd != 0
	return s, nil
}

// poll asks DLE EOT 1 to 4. Some models answer only some of them; known is false when none was answered.
func (d *Dev) poll(ctx context.Context) (s Status, known bool, err error) {
	for n := byte(1); n <= 4 && !d.noEOT; n++ {
		if n == 3 && !known { // what answers neither 1 nor 2 will not answer the rest
			break
		}
		b, ok, err := d.realTime(ctx, n)
		if err != nil {
			return s, false, err
		}
		if !ok {
			continue
		}
		known = true
		s.Known[n], s.Raw[n] = true, b
		switch n {
		case 1:
			s.Online = b&eot1Offline == 0
		case 2:
			s.CoverOpen = b&eot2Cover != 0
			s.PaperOut = s.PaperOut || b&eot2PaperEnd != 0
		case 3:
			s.Cutter, s.Fatal, s.Overheat = b&eot3Cutter != 0, b&eot3Fatal != 0, b&eot3Auto != 0
		case 4:
			s.PaperLow = b&eot4Low != 0
			s.PaperOut = s.PaperOut || b&eot4End == eot4End
		}
	}
	if known && !s.Known[1] {
		s.Online = true
	}
	return s, known, nil
}

// ready makes sure that a printer can print before it gets a byte, and that no old answer is on the way.
func (d *Dev) ready(ctx context.Context) error {
	if err := d.cooled(ctx); err != nil {
		return err
	}
	if d.o.Query == InOrder && (!d.inSync || d.owed > 0) {
		if err := d.sync(ctx, false); err != nil {
			return err
		}
	}
	d.noise = 0
	return nil
}

// cooled asks for the state and waits while a hot head is all that is wrong.
func (d *Dev) cooled(ctx context.Context) error {
	until := time.Now().Add(d.o.CoolDown)
	for {
		s, err := d.status(ctx)
		if err != nil {
			return err
		}
		if !s.onlyHot() || time.Now().After(until) {
			return s.Err()
		}
		if err := d.idle(ctx, d.o.Answer); err != nil {
			return err
		}
	}
}

// progress waits until an answer to GS r came. While none comes it asks why.
func (d *Dev) progress(ctx context.Context) error {
	before := d.owed
	start := time.Now()
	silent, hot := 0, time.Duration(0)
	for {
		round := time.Now()
		if err := d.hear(ctx, d.o.Answer, func() bool { return d.owed < before }); err != nil {
			return err
		}
		if d.owed < before {
			return nil
		}
		s, known, err := d.poll(ctx)
		switch {
		case d.owed < before:
			return nil
		case err != nil:
			return err
		case known && s.onlyHot():
			if hot += time.Since(round); hot > d.o.CoolDown {
				return ErrOverheat
			}
			start = time.Now()
		case known && s.Err() != nil:
			return s.Err()
		case !known && !d.noEOT:
			if silent++; silent == maxSilent {
				return ErrOffline
			}
		}
		if time.Since(start) > d.o.Stall {
			return fmt.Errorf("%w: no progress for %v", ErrOffline, d.o.Stall)
		}
	}
}

// maxSilent is how many rounds of DLE EOT may stay without any answer.
const maxSilent = 3

// onlyHot tells whether waiting is all that is needed.
func (s Status) onlyHot() bool {
	return s.Overheat && !s.CoverOpen && !s.PaperOut && !s.Cutter && !s.Fatal
}
