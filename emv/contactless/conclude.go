package contactless

import (
	"context"

	"posd/emv"
)

// conclude is outcome processing (Book B, 3.5.1) and what the reader does with a final outcome (Book A, 8.1): it obeys the outcome's parameters
// and says where to go on.
func (s *session) conclude(ctx context.Context) place {
	o := &s.outcome
	s.uiRestart = o.UIRestart
	s.restart = o.Start != StartNone || o.Status == TryAgain
	next := s.follow(o)
	if next != atEnd && next != atSelection {
		if s.restarts++; s.restarts > s.ep.cfg.Restarts {
			s.exhausted = true
			s.outcome = endApplication()
			o, next = &s.outcome, atEnd
		}
	}
	s.say(o, next)
	if next == atEnd {
		s.finish(ctx, o)
		return atEnd
	}
	if o.FieldOff != 0 {
		// An antenna that cannot be switched off shows itself when it is to poll.
		_ = s.field.Off(ctx, max(o.FieldOff, 0))
	}
	if o.Status == SelectNext || next == atSelection {
		s.drop()
		s.start = StartC
	}
	return next
}

// follow is where an outcome leads (Book B, 3.5.1.3 to 3.5.1.5; Book A, 8.1.1.9).
func (s *session) follow(o *Outcome) place {
	switch {
	case s.host != nil && (o.Status == SelectNext || o.Start == StartA || o.Start == StartC):
		return atEnd // the issuer's answer is for this application alone, and the transaction is the one he knows
	case o.Status == TryAgain:
		s.start = StartB
		return atActivation
	case o.Status == SelectNext:
		return atSelection
	case o.Status != EndApplication:
		return atEnd
	}
	switch o.Start {
	case StartA:
		return atPreprocessing
	case StartB:
		s.start = StartB
		return atActivation
	case StartC:
		return atSelection
	case StartD:
		s.start = StartD
		return atKernel
	}
	return atEnd
}

// say tells people what the outcome says. What was decided waits until it is on the disk; that the card may go does not.
func (s *session) say(o *Outcome, next place) {
	final := next == atEnd
	decision := o.Status == Approved || o.Status == Declined || o.Status == OnlineRequest
	if final && decision && !s.read && !s.waits(o) {
		s.tell(UIRequest{Message: MsgCardReadOK, Status: CardRead})
	}
	switch u := o.UIOutcome; {
	case u == nil:
	case final && (o.Status == Approved || o.Status == Declined):
		s.show = u
	default:
		s.tell(*u)
	}
}

// waits tells whether the card is to stay in the field for the issuer's answer (present and hold).
func (s *session) waits(o *Outcome) bool {
	return o.Status == OnlineRequest && o.Start == StartD && s.host == nil
}

// finish ends a final outcome's use of the field.
func (s *session) finish(ctx context.Context, o *Outcome) {
	if s.waits(o) {
		s.stays = true
		return
	}
	if o.RemovalTimeout > 0 && o.Start == StartNone && s.card != nil {
		c, cancel := context.WithTimeout(ctx, o.RemovalTimeout)
		_ = s.field.WaitRemoved(c)
		cancel()
	}
	if s.card != nil {
		s.off(ctx)
	}
}

// off switches the field off whatever has happened. An outcome does not depend on it.
func (s *session) off(ctx context.Context) {
	s.stays = false
	_ = s.field.Off(context.WithoutCancel(ctx), 0)
}

// resume takes the issuer's answer to the card where the outcome asks for it (Book A, 8.1; table 6-2, Online Response Data).
func (s *session) resume(ctx context.Context, a emv.HostAnswer) {
	s.decided, s.yes = true, a.Reached && a.Approved
	if at, ok := s.recall(&a); ok {
		s.host = &a
		s.restart, s.uiRestart, s.restarts, s.faults = true, s.first.UIRestart, 0, 0
		c, cancel := context.WithTimeout(ctx, s.ep.cfg.UpdateWait)
		defer cancel()
		s.read, s.show = false, nil
		if s.lost = s.run(c, at); s.lost == nil {
			second := s.outcome
			s.second = &second
		}
	}
	s.off(ctx)
}

// recall tells whether the card is to have the answer, and where the Entry Point begins again.
func (s *session) recall(a *emv.HostAnswer) (place, bool) {
	o := &s.first
	// The removal timeout is how long the card may be asked to wait. After it people are told to take it away (Book A, 8.1).
	if o.RemovalTimeout > 0 && s.ep.now().Sub(s.asked) > o.RemovalTimeout {
		s.tell(UIRequest{Message: MsgCardReadOK, Status: CardRead})
		if o.Start == StartD {
			return 0, false
		}
	}
	if o.OnlineResponse == ResponseEMVData && !hasEMVData(a) {
		return 0, false
	}
	switch o.Start {
	case StartB:
		s.start = StartB
		return atActivation, true
	case StartD:
		s.start = StartD
		return atKernel, s.stays
	}
	// A and C would make another transaction of it, which the issuer does not know.
	return 0, false
}

// status is the outcome of Resume. The issuer's no stands whatever the card says afterwards. His yes stands unless the card
// declines; a card that does not come back decides nothing.
func (s *session) status() Status {
	if s.yes && (s.second == nil || s.second.Status != Declined) {
		return Approved
	}
	return Declined
}
