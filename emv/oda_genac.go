package emv

import (
	"context"
)

// CDAMode is how a terminal uses combined authentication with online transactions (Book 2, D4, table 51). With an offline approval,
// and with one after "unable to go online", the signature is always asked for. Mode 1 is what the specification recommends.
type CDAMode uint8

// CDA modes. The zero CDAMode is mode 1.
const (
	CDAMode1 CDAMode = iota + 1 // signature with ARQC, and with the TC after an online approval
	CDAMode2                    // with ARQC only
	CDAMode3                    // with neither
	CDAMode4                    // with the TC only
)

func (m CDAMode) onARQC() bool        { return m <= CDAMode2 }
func (m CDAMode) afterApproval() bool { return m <= CDAMode1 || m == CDAMode4 }

// signatureFor says which signature a GENERATE AC asks for, bits 5 and 4 of its P1, and sets what the TVR must say before the command
// is built. XDA asks every time (Book 2, 12.5.1). CDA never asks with AAC, nor once it has failed (6.6).
func (s *Session) signatureFor(request byte, second bool) byte {
	switch s.oda {
	case odaXDA:
		return acXDA
	case odaCDA:
	default:
		return 0
	}
	if second {
		tvrODANotPerformed.clear(s.tvr[:])
	}
	if s.cdaFailed {
		return 0
	}
	switch {
	case request == acTC && (!second || !s.hostReached || s.k.cfg.Terminal.CDAMode.afterApproval()):
		return acCDA
	case request == acARQC && s.k.cfg.Terminal.CDAMode.onARQC():
		return acCDA
	}
	if !second {
		tvrODANotPerformed.set(s.tvr[:]) // 6.6 for ARQC; its figure 3 for AAC
	}
	return 0
}

// checkSignature verifies the signature of an answer to GENERATE AC that was asked for with p1, and returns the cryptogram and the CID
// that count. bad means that authentication has failed, which the TVR then says. A missing cryptogram is nil.
func (s *Session) checkSignature(a *acAnswer, p1 byte, data []byte, second bool) (ac []byte, cid byte, bad bool) {
	switch p1 & (acCDA | acXDA) {
	case acCDA:
		return s.checkCDA(a, data, second)
	case acXDA:
		if a.ac == nil {
			return nil, a.cid, false // mandatory beside the signature: table 39
		}
		return a.ac, a.cid, s.checkXDA(a, data, second)
	}
	return a.ac, a.cid, false
}

// checkCDA verifies a combined signature (Book 2, 6.6.2). An AAC has none. An answer with neither signature nor cryptogram is left to
// the caller, as its mandatory part is missing (Book 3, 6.5.5.4).
func (s *Session) checkCDA(a *acAnswer, data []byte, second bool) (ac []byte, cid byte, bad bool) {
	if !second {
		tsiODA.set(s.tsi[:]) // Book 3, 10.3: at once after the first GENERATE AC
	}
	if a.cid&acMask == acAAC || (a.sdad == nil && a.ac == nil) {
		return a.ac, a.cid, false
	}
	tsiODA.set(s.tsi[:])
	lists := [][]byte{s.pdolData, data}
	if second {
		lists = [][]byte{s.pdolData, s.cdol1Data, data}
	}
	ac, cid, ok := s.openCDA(a, lists...)
	if !ok {
		s.failCDA()
		return a.ac, cid, true
	}
	s.icc.Set(tagSDAD, a.sdad)
	return ac, cid, false
}

// openCDA opens the signature that came with a cryptogram (Book 2, 6.6.2). lists is the data of the PDOL, of CDOL1 and, at the second
// GENERATE AC, of CDOL2. cid is the one inside the signature as soon as that has been retrieved, even where the signature is wrong: it
// then decides what the card has answered (Book 4, 6.3.2.1).
func (s *Session) openCDA(a *acAnswer, lists ...[]byte) (ac []byte, cid byte, ok bool) {
	un, _ := s.Get(tagUN)
	c, err := s.iccKey.OpenCDA(a.sdad, a.cid, un, a.template, lists...)
	if err != nil {
		return nil, c.CID, false
	}
	s.icc.Set(tagICCDynamic, c.Number)
	return c.AC, c.CID, true
}

// checkXDA verifies an XDA signature, unless the card has declined or XDA has failed before (Book 2, 12.5.1). With the first
// GENERATE AC it completes XDA: a failure to recover the keys may now show in the TVR (Book 4, 6.3.2.2.2).
func (s *Session) checkXDA(a *acAnswer, data []byte, second bool) (bad bool) {
	declined := a.cid&acMask == acAAC
	if !second {
		tsiODA.set(s.tsi[:])
		if s.xda.failed() {
			s.xda.failure.set(s.tvr[:])
			return !declined
		}
	}
	if declined || s.xda.failed() {
		return false
	}
	// Table 37: each signature covers the data of its own command; those of the PDOL are with the first.
	lists := [][]byte{s.pdolData, data}
	if second {
		lists = [][]byte{data}
	}
	if !s.xda.key.VerifyXDA(a.sdad, a.template, lists...) {
		s.xda.failure = &tvrXDAFailed
		tvrXDAFailed.set(s.tvr[:])
		return true
	}
	s.icc.Set(tagSDAD, a.sdad)
	return false
}

// badFirstAC is what follows when authentication failed with the first GENERATE AC and the card has not declined.
//
// CDA (Book 4, 6.3.2.1): the issuer is not asked. XDA (6.3.2.2.4): the action codes for denial have a second say; where they have
// none the issuer is asked, even with a TC.
func (s *Session) badFirstAC(ctx context.Context, cid byte) error {
	kind := cid & acMask
	if s.oda == odaXDA && !s.k.offlineOnly() && !s.matches(tagIACDenial, 0x00, s.app.TACDenial) {
		s.outcome = Online
		s.xda.onlyTC = kind == acTC
		s.term.Delete(tagARC)
		return nil
	}
	s.outcome = Declined
	s.setARC(arcOfflineDeclined)
	if kind != acARQC {
		return nil
	}
	_, _, err := s.generateAC(ctx, StepAction, acAAC, s.cdol2, true)
	return err
}

// beforeSecondAC notes whether the issuer was reached and does what must be done before the analysis for the second GENERATE AC
// (Book 2, 6.6).
func (s *Session) beforeSecondAC(reached bool) {
	s.hostReached = reached
	if s.oda == odaCDA {
		tvrODANotPerformed.clear(s.tvr[:])
	}
}

// requestUnable is the request of the second GENERATE AC when the issuer could not be reached. After a failure of XDA that is a no
// (Book 4, 6.3.2.2.4).
func (s *Session) requestUnable() byte {
	if s.xda.failed() {
		return acAAC
	}
	return s.analyseUnable()
}

// completeTC ends a transaction that went online with a TC, because XDA had failed: the card is not asked again, the issuer's answer
// alone decides (Book 4, 6.3.2.2.4). Issuer authentication and scripts 71 belong before a second GENERATE AC, which there is not;
// scripts 72 are carried out.
func (s *Session) completeTC(ctx context.Context, answer HostAnswer) (Outcome, error) {
	if !answer.Reached {
		s.ending.unable = true
		s.setARC(arcUnableDeclined)
		return s.outcome, nil
	}
	scripts, ok := parseHostICC(answer.ICC, s.k.cfg.Terminal.scriptLimit())
	if len(answer.ARC) == 2 {
		s.setARC(answer.ARC)
		if answer.Approved && ok && (!answer.Referral || s.k.attended()) {
			s.outcome = Approved
		}
	}
	_ = s.runScripts(ctx, scripts.after, tvrScriptAfter) // as in Complete: the outcome stands
	return s.outcome, nil
}
