package emv

import (
	"context"

	"posd/emv/tlv"
)

// firstAC asks for the first cryptogram and turns the card's answer into an outcome (Book 3, 10.7 and 10.8; Book 4, 6.3.7).
func (s *Session) firstAC(ctx context.Context) error {
	s.chooseTDOL(s.cdol1)
	request := s.analyse()
	switch request {
	case acAAC:
		s.setARC(arcOfflineDeclined)
	case acTC:
		s.setARC(arcOfflineApproved)
	}
	cid, bad, err := s.generateAC(ctx, StepAction, request, s.cdol1, false)
	if err != nil {
		return err
	}
	kind := cid & acMask
	switch {
	case bad:
		return s.badFirstAC(ctx, cid)
	case kind == acTC:
		s.outcome = Approved
	case kind == acARQC:
		s.outcome = Online
		s.term.Delete(tagARC) // a code of the terminal's own would be wrong now
		if s.k.offlineOnly() {
			// 10.7: the card wants what this terminal cannot do: the default codes decide at once.
			return s.completeUnable(ctx)
		}
	default:
		s.outcome = Declined
		s.setARC(arcOfflineDeclined)
	}
	return nil
}

// Complete takes the issuer's answer to the card: issuer authentication, scripts 71, the second GENERATE AC, scripts 72 (Book 3,
// 10.9 to 10.11; Book 4, 6.3.8, 6.3.9 and 12.2). Any outcome that comes with an error is Declined: without a TC from the card nothing
// is approved. It can be called once, after an outcome of Online; else it returns ErrNotOnline.
func (s *Session) Complete(ctx context.Context, answer HostAnswer) (Outcome, error) {
	if s.outcome != Online {
		return s.outcome, ErrNotOnline
	}
	s.outcome = Declined
	s.ending.hostApproved = answer.Reached && answer.Approved
	if s.xda.onlyTC {
		return s.completeTC(ctx, answer)
	}
	if !answer.Reached {
		err := s.completeUnable(ctx)
		return s.outcome, err
	}
	s.beforeSecondAC(true)
	request := byte(acAAC)
	icc, ok := parseHostICC(answer.ICC, s.k.cfg.Terminal.scriptLimit())
	if len(answer.ARC) == 2 {
		s.setARC(answer.ARC) // as it came, referrals too: Book 4, 6.5.2.2 and A6
	}
	// An answer that cannot be read is not a yes: the card is asked to decline, and the host hears of it by a reversal. (Book 4, 12.2.3,
	// would let the default codes decide and have the host's approval reversed all the same.)
	if answer.Approved && ok && len(answer.ARC) == 2 && (!answer.Referral || s.k.attended()) {
		request = acTC
	}
	if err := s.authenticateIssuer(ctx, icc.auth); err != nil {
		return Declined, err
	}
	if err := s.runScripts(ctx, icc.before, tvrScriptBefore); err != nil {
		return Declined, err
	}
	cid, bad, err := s.generateAC(ctx, StepCompletion, request, s.cdol2, true)
	if err != nil {
		return Declined, err
	}
	if cid&acMask == acTC && !bad {
		s.outcome = Approved
	}
	// The card has decided. A card that is pulled out now leaves a script that was not carried out, which the results say; the
	// outcome stands.
	_ = s.runScripts(ctx, icc.after, tvrScriptAfter)
	return s.outcome, nil
}

// completeUnable ends a transaction whose issuer cannot be asked (Book 3, 10.7; Book 4, 12.2.1): the default codes decide what the card
// is asked for, and the card has the last word.
func (s *Session) completeUnable(ctx context.Context) error {
	s.outcome = Declined
	s.ending.unable = true
	s.beforeSecondAC(false)
	request := s.requestUnable()
	if request == acTC {
		s.setARC(arcUnableApproved)
	} else {
		s.setARC(arcUnableDeclined)
	}
	cid, bad, err := s.generateAC(ctx, StepCompletion, request, s.cdol2, true)
	if err != nil {
		return err
	}
	if cid&acMask == acTC && !bad {
		s.outcome = Approved
	} else {
		s.setARC(arcUnableDeclined)
	}
	return nil
}

// ending is what the last steps leave for the Result.
type ending struct {
	cid          byte // of the last GENERATE AC
	advice       bool // some cryptogram came with the request for an advice
	unable       bool
	hostApproved bool
}

// note keeps what the Cryptogram Information Data say beside the kind of cryptogram (Book 3, 10.8).
func (e *ending) note(cid byte) {
	e.cid = cid
	e.advice = e.advice || cid&cidAdvice != 0
}

func (e *ending) report(r *Result, outcome Outcome) {
	if e.cid&acMask == acAAC {
		r.Reason = Reason(e.cid & cidReason)
	}
	// Book 4, 6.3.7: a transaction that is captured needs no advice beside it.
	r.Advice = e.advice && outcome == Declined
	r.UnableOnline = e.unable
	r.ApprovalLost = e.hostApproved && outcome != Approved
}

// authenticateIssuer gives the issuer authentication data to the card (Book 3, 10.9): by EXTERNAL AUTHENTICATE where the AIP says
// so, at most once, else as a data object that CDOL2 may name. Without data nothing happens (Book 4, 12.2.2). What the card answers does
// not end the transaction: any status but 9000 is a failure that the card knows of and weighs itself (Annex F).
func (s *Session) authenticateIssuer(ctx context.Context, auth []byte) error {
	if len(auth) == 0 {
		return nil
	}
	if !aipIssuerAuth.in(s.aip[:]) {
		s.term.Set(tagIssuerAuth, auth)
		return nil
	}
	if len(auth) < 8 || len(auth) > 16 {
		// Annex A: 8 to 16 bytes; the card would have to refuse anything else. The TSI bit is for a command that was sent.
		tvrIssuerAuthFailed.set(s.tvr[:])
		return nil
	}
	tsiIssuerAuth.set(s.tsi[:])
	s.term.Set(tagIssuerAuth, auth)
	_, sw, err := s.exchange(ctx, StepCompletion, s.command(0x00, 0x82, 0x00, 0x00, auth, false))
	if err != nil {
		return err
	}
	if sw != swOK {
		tvrIssuerAuthFailed.set(s.tvr[:])
	}
	return nil
}

// hostICC is what the issuer has sent for the card, field 55 of the answer.
type hostICC struct {
	auth          []byte       // 91
	before, after []hostScript // 71 and 72, in the order sent
}

// parseHostICC reads field 55 of the answer. Objects that the kernel has no use for are passed over. ok is false when the coding is
// broken; what was read before that is returned all the same, as the scripts of a declined transaction still concern the card.
// limit is how many bytes of scripts the terminal takes, their tags and lengths included.
func parseHostICC(b []byte, limit int) (h hostICC, ok bool) {
	d := tlv.NewDecoder(b)
	total := 0
	for o, more := d.Next(); more; o, more = d.Next() {
		if len(o.Value) == 0 && o.Tag == tagIssuerAuth {
			continue // 5.2: it is not there
		}
		switch o.Tag {
		case tagIssuerAuth:
			if h.auth != nil {
				return h, false
			}
			h.auth = o.Value
		case tagScript1:
			total += o.End - o.Offset
			h.before = append(h.before, hostScript{o.Value, total > limit})
		case tagScript2:
			total += o.End - o.Offset
			h.after = append(h.after, hostScript{o.Value, total > limit})
		}
	}
	return h, d.Err() == nil
}

func (s *Session) setARC(arc string) { s.term.Set(tagARC, []byte(arc)) }
