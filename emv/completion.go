package emv

import (
	"context"

	"posd/emv/tlv"
)

// firstAC asks for the first cryptogram and turns the card's answer into an outcome (Book 3, 10.7 and 10.8; Book 4, 6.3.7).
func (s *Session) firstAC(ctx context.Context) error {
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
	default:
		s.outcome = Declined
		s.setARC(arcOfflineDeclined)
	}
	return nil
}

// Complete takes the issuer's answer to the card: issuer authentication, scripts 71, the second GENERATE AC, scripts 72 (Book 3,
// 10.9 to 10.11; Book 4, 12.2). Any outcome that comes with an error is Declined: without a TC from the card nothing is approved.
// It can be called once, after an outcome of Online; else it returns ErrNotOnline.
func (s *Session) Complete(ctx context.Context, answer HostAnswer) (Outcome, error) {
	if s.outcome != Online {
		return s.outcome, ErrNotOnline
	}
	s.outcome = Declined
	if s.xda.onlyTC {
		return s.completeTC(ctx, answer)
	}
	s.beforeSecondAC(answer.Reached)
	request := byte(acAAC)
	var scripts hostICC
	if answer.Reached {
		var ok bool
		scripts, ok = parseHostICC(answer.ICC)
		if len(answer.ARC) == 2 {
			s.setARC(answer.ARC)
		}
		// An answer that cannot be read is not a yes: the card is asked to decline, and the host hears of it by a reversal.
		if answer.Approved && ok && len(answer.ARC) == 2 {
			request = acTC
		}
		if err := s.authenticateIssuer(ctx, scripts.auth); err != nil {
			return Declined, err
		}
		if err := s.runScripts(ctx, scripts.before, tvrScriptBefore); err != nil {
			return Declined, err
		}
	} else {
		if request = s.requestUnable(); request == acTC {
			s.setARC(arcUnableApproved)
		} else {
			s.setARC(arcUnableDeclined)
		}
	}
	cid, bad, err := s.generateAC(ctx, StepCompletion, request, s.cdol2, true)
	if err != nil {
		return Declined, err
	}
	if cid&acMask == acTC && !bad {
		s.outcome = Approved
	} else if !answer.Reached {
		s.setARC(arcUnableDeclined)
	}
	// The card has decided. A card that is pulled out now leaves a script that was not carried out, which the results say; the
	// outcome stands.
	_ = s.runScripts(ctx, scripts.after, tvrScriptAfter)
	return s.outcome, nil
}

// authenticateIssuer gives the issuer authentication data to the card (Book 3, 10.9): by EXTERNAL AUTHENTICATE where the AIP says
// so, else as a data object that CDOL2 may name.
func (s *Session) authenticateIssuer(ctx context.Context, auth []byte) error {
	if len(auth) == 0 {
		return nil
	}
	if !aipIssuerAuth.in(s.aip[:]) {
		s.term.Set(tagIssuerAuth, auth)
		return nil
	}
	tsiIssuerAuth.set(s.tsi[:])
	if len(auth) < 8 || len(auth) > 16 { // Annex A: 8 to 16 bytes; the card would have to refuse anything else
		tvrIssuerAuthFailed.set(s.tvr[:])
		return nil
	}
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
	auth          []byte   // 91
	before, after [][]byte // values of 71 and 72, in the order sent
}

// parseHostICC reads field 55 of the answer. Objects that the kernel has no use for are passed over. ok is false when the coding is
// broken; what was read before that is returned all the same, as the scripts of a declined transaction still concern the card.
func parseHostICC(b []byte) (h hostICC, ok bool) {
	d := tlv.NewDecoder(b)
	for o, more := d.Next(); more; o, more = d.Next() {
		switch o.Tag {
		case tagIssuerAuth:
			if h.auth != nil {
				return h, false
			}
			h.auth = o.Value
		case tagScript1:
			h.before = append(h.before, o.Value)
		case tagScript2:
			h.after = append(h.after, o.Value)
		}
	}
	return h, d.Err() == nil
}

func (s *Session) setARC(arc string) { s.term.Set(tagARC, []byte(arc)) }
