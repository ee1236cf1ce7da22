package contactless

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"posd/emv"
	"posd/emv/tlv"
)

// place is where the Entry Point stands: the sections of Book B, chapter 3, that a start leads to.
type place uint8

const (
	atPreprocessing place = iota // 3.1, Start A
	atActivation                 // 3.2, Start B
	atPPSE                       // 3.3.2, steps 1 and 2
	atSelection                  // 3.3.2 step 3 and 3.3.3, Start C
	atKernel                     // 3.4, Start D
	atOutcome                    // 3.5 and Book A, 8.1
	atEnd
)

// Bounds that the books do not have. A card or kernel that starts again and again ends with END APPLICATION.
const (
	defaultRestarts   = 5                // starts again that kernels ask for
	maxFaults         = 32               // communication errors before a kernel runs
	collisionQuiet    = time.Second      // without a collision for so long, it is over
	defaultUpdateWait = 15 * time.Second // for the card to come back after an online request
)

// session is one transaction.
type session struct {
	ep    *EntryPoint
	field Field
	ui    UI
	tx    Transaction

	readers   []reader
	list      []candidate
	chosen    int // of list: the candidate that is selected or was; -1
	wanted    []byte
	current   *candidate // stays when the list changes
	card      Card
	name      []byte // as SELECT asked for it
	fci       []byte
	sw        uint16
	un        [4]byte
	start     Start
	restart   bool       // Book A, 8.1.1.9
	uiRestart *UIRequest // of the last outcome
	restarts  int
	faults    int
	exhausted bool
	read      bool // people were told that the card may go
	host      *emv.HostAnswer
	outcome   Outcome
	show      *UIRequest
	cmd       [5 + maxADFName + 1]byte

	online  bool // Run has returned an online request
	asked   time.Time
	first   Outcome // that online request
	second  *Outcome
	stays   bool  // the field is on: the card waits for the answer
	lost    error // why the answer did not get to the card
	decided bool  // Resume was called
	yes     bool  // the host's word
}

// run goes from one section to the next until there is a final outcome.
func (s *session) run(ctx context.Context, at place) error {
	for at != atEnd {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		switch at {
		case atPreprocessing:
			at = s.prepare()
		case atActivation:
			at, err = s.activate(ctx)
		case atPPSE:
			at, err = s.readPPSE(ctx)
		case atSelection:
			at, err = s.selectNext(ctx)
		case atKernel:
			at, err = s.runKernel(ctx)
		case atOutcome:
			at = s.conclude(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// prepare is Book B, 3.1.1.
func (s *session) prepare() place {
	s.start = StartA
	unit := oneUnit(s.tx.Amount.Currency.Exponent())
	allowed := false
	for i := range s.readers {
		s.readers[i].prepare(s.tx.Amount.Minor, unit)
		allowed = allowed || !s.readers[i].ind.NotAllowed
	}
	if allowed {
		return atActivation
	}
	// 3.1.1.13
	s.outcome = Outcome{
		Status:    TryAnotherInterface,
		UIOutcome: &UIRequest{Message: MsgInsertOrSwipe, Status: ProcessingError},
	}
	return atOutcome
}

// activate is protocol activation (Book B, 3.2.1).
func (s *session) activate(ctx context.Context) (place, error) {
	if s.start != StartA {
		s.start = StartB
	}
	if s.restart && s.uiRestart != nil {
		s.tell(*s.uiRestart) // 3.2.1.2
	} else {
		s.ui.Show(UIRequest{Message: MsgPresentCard, Status: ReadyToRead})
	}
	card, err := s.poll(ctx)
	if err != nil {
		return 0, err
	}
	s.card, s.read = card, false
	// 3.3.2.1: the issuer's data go to the application that was selected before, and to no other.
	if s.host != nil && hasEMVData(s.host) {
		return atSelection, nil
	}
	s.list, s.chosen = nil, -1
	return atPPSE, nil
}

// poll waits for exactly one card (Book B, 3.2.1.3 to 3.2.1.5).
func (s *session) poll(ctx context.Context) (Card, error) {
	collided := false
	for {
		card, err := s.activateField(ctx, collided)
		switch {
		case err == nil && card != nil:
			return card, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil:
			return nil, fmt.Errorf("%w: no card, and no error", ErrField)
		case errors.Is(err, ErrCollision):
			if !collided {
				s.ui.Show(UIRequest{Message: MsgOneCardOnly, Status: ProcessingError})
			}
			collided = true
		case collided && errors.Is(err, context.DeadlineExceeded):
			s.ui.Show(UIRequest{Message: MsgOneCardOnly, Status: ReadyToRead})
			collided = false
		default:
			return nil, fmt.Errorf("%w: %w", ErrField, err)
		}
	}
}

// activateField polls; after a collision only for as long as it takes to see that it is over.
func (s *session) activateField(ctx context.Context, collided bool) (Card, error) {
	if collided {
		c, cancel := context.WithTimeout(ctx, collisionQuiet)
		defer cancel()
		ctx = c
	}
	return s.field.Activate(ctx)
}

// readPPSE is steps 1 and 2 of combination selection (Book B, 3.3.2.2 to 3.3.2.5).
func (s *session) readPPSE(ctx context.Context) (place, error) {
	fci, sw, err := s.selectFile(ctx, []byte(ppseName))
	if err != nil {
		return s.fault(ctx)
	}
	if sw == swOK {
		s.list = candidates(s.readers, parsePPSE(fci), s.ep.cfg.Defaults)
	}
	return atSelection, nil
}

// selectNext is step 3 of combination selection and final combination selection (Book B, 3.3.2.6 to 3.3.3.6).
func (s *session) selectNext(ctx context.Context) (place, error) {
	updating := s.host != nil && hasEMVData(s.host)
	if !updating {
		if len(s.list) == 0 {
			s.outcome = endApplication() // 3.3.2.7
			return atOutcome, nil
		}
		if err := s.choose(ctx); err != nil {
			return 0, err
		}
		c := s.list[s.chosen]
		s.current = &c
	}
	s.name = s.current.selectName(s.name[:0])
	fci, sw, err := s.selectFile(ctx, s.name)
	if err != nil {
		return s.fault(ctx)
	}
	if sw != swOK || !usableFCI(fci, s.current.reader.Combination) {
		if updating { // 3.3.3.5: the answer is for no other application
			s.outcome = endApplication()
			return atOutcome, nil
		}
		s.drop()
		s.start = StartC
		return atSelection, nil
	}
	s.fci, s.sw = fci, sw
	return atKernel, nil
}

// choose picks the candidate: by priority, or the cardholder does where the configuration asks for it and the card has more than one scheme.
func (s *session) choose(ctx context.Context) error {
	if s.wanted != nil {
		for i := range s.list {
			if string(s.list[i].adf) == string(s.wanted) {
				s.chosen = i
				return nil
			}
		}
		s.wanted = nil // another card, or what was wanted cannot be had
	}
	s.chosen = best(s.list)
	chooser, ok := s.ui.(Chooser)
	if !ok || s.ep.cfg.Choice != ChoiceCardholder || !s.manySchemes() {
		return nil
	}
	offer, index := s.offer()
	n, err := chooser.Choose(ctx, offer)
	if err != nil {
		return err
	}
	if n < 0 || n >= len(offer) {
		return fmt.Errorf("%w: choice %d of %d", ErrRequest, n, len(offer))
	}
	s.chosen = index[n]
	// The card may have left the field meanwhile. Selecting it fails then, and it is asked for again; the choice stands.
	s.wanted = append([]byte(nil), s.list[s.chosen].adf...)
	return nil
}

// manySchemes tells whether candidates are of more than one payment system.
func (s *session) manySchemes() bool {
	for i := range s.list {
		if string(s.list[i].adf[:minADFName]) != string(s.list[0].adf[:minADFName]) {
			return true
		}
	}
	return false
}

// offer lists the card's applications for the cardholder, each name once, in the order in which they would be taken.
func (s *session) offer() ([]emv.Candidate, []int) {
	rest := append([]candidate(nil), s.list...)
	at := make([]int, len(rest))
	for i := range at {
		at[i] = i
	}
	var out []emv.Candidate
	var index []int
	seen := map[string]bool{}
	for len(rest) > 0 {
		b := best(rest)
		if c := rest[b]; !seen[string(c.adf)] {
			seen[string(c.adf)] = true
			out = append(out, emv.Candidate{AID: c.adf, Label: labelOf(c.label, nil, nil, c.reader.Combination, s.ep.cfg.Terminal), Priority: c.priority})
			index = append(index, at[b])
		}
		rest, at = append(rest[:b], rest[b+1:]...), append(at[:b], at[b+1:]...)
	}
	return out, index
}

// drop takes the selected candidate from the list.
func (s *session) drop() {
	if s.chosen >= 0 && s.chosen < len(s.list) {
		s.list = append(s.list[:s.chosen:s.chosen], s.list[s.chosen+1:]...)
	}
	s.chosen = -1
	s.wanted = nil
}

// runKernel is kernel activation (Book B, 3.4.1). Start D comes here with the card that is still in the field.
func (s *session) runKernel(ctx context.Context) (place, error) {
	if _, err := io.ReadFull(s.tx.Rand, s.un[:]); err != nil {
		return 0, fmt.Errorf("%w: no unpredictable number: %w", ErrRequest, err)
	}
	c := s.current
	a := &Activation{
		Start:       s.start,
		Combination: c.reader.Combination,
		Indicators:  c.reader.ind,
		Limits:      c.reader.limits,
		Transaction: s.tx,
		UN:          s.un,
		ADF:         s.name,
		FCI:         s.fci,
		SW:          s.sw,
		Terminal:    s.ep.cfg.Terminal,
		CAKeys:      s.ep.cfg.CAKeys,
		Revoked:     s.ep.cfg.Revoked,
		Exception:   s.ep.cfg.Exception,
		Host:        s.host,
		UI:          s.tell,
		Now:         s.ep.now,
	}
	o, err := s.ep.kernels[c.reader.Kernel].Activate(ctx, s.card, a)
	if err != nil {
		return 0, fmt.Errorf("%v: %w", c.reader.Kernel, err)
	}
	if o.Status < Approved || o.Status > TryAgain || o.Start > StartD {
		return 0, fmt.Errorf("%w: %v has no outcome", ErrKernel, c.reader.Kernel)
	}
	s.outcome = o
	return atOutcome, nil
}

// tell shows a kernel's message at once, unless it would be too early for it.
func (s *session) tell(u UIRequest) {
	if u.Message.approves() {
		return
	}
	s.read = s.read || u.Status == CardRead
	s.ui.Show(u)
}

// fault is a communication error before a kernel runs: back to Start B (Book B, 3.3.3.7).
func (s *session) fault(ctx context.Context) (place, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if s.faults++; s.faults > maxFaults {
		s.exhausted = true
		s.outcome = endApplication()
		return atOutcome, nil
	}
	if err := s.field.Off(ctx, 0); err != nil {
		return 0, s.antenna(ctx, err)
	}
	s.start = StartB
	return atActivation, nil
}

func (s *session) antenna(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrField, err)
}

// endApplication is the Entry Point's own (Book B, 3.3.2.7 and 3.3.3.5).
func endApplication() Outcome {
	return Outcome{Status: EndApplication, UIOutcome: &UIRequest{Message: MsgOtherCard, Status: ReadyToRead}}
}

const (
	swOK        = 0x9000
	maxResponse = 256 + 2
)

// selectFile sends SELECT by name (Book 1, 11.3). The data are a copy. Every failure to get an answer is one of communication.
func (s *session) selectFile(ctx context.Context, file []byte) (data []byte, sw uint16, err error) {
	c := append(s.cmd[:0], 0x00, 0xA4, 0x04, 0x00, byte(len(file)))
	c = append(append(c, file...), 0x00)
	r, err := s.card.Transceive(ctx, c)
	if err != nil {
		return nil, 0, err
	}
	if len(r) < 2 || len(r) > maxResponse {
		return nil, 0, fmt.Errorf("answer of %d bytes", len(r))
	}
	n := len(r) - 2
	return append(make([]byte, 0, n), r[:n]...), uint16(r[n])<<8 | uint16(r[n+1]), nil
}

// hasEMVData tells whether the host's answer has anything for the card: issuer authentication data 91 or scripts 71, 72.
func hasEMVData(a *emv.HostAnswer) bool {
	if !a.Reached {
		return false
	}
	d := tlv.NewDecoder(a.ICC)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if o.Tag == 0x91 || o.Tag == 0x71 || o.Tag == 0x72 {
			return true
		}
	}
	return false
}
