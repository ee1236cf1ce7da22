package emv

import (
	"bytes"
	"context"
	"slices"
)

// Bounds on what a card can make the terminal do during selection. Real cards stay far below.
const (
	maxApplications = 64  // in the terminal's list
	maxCandidates   = 32  // applications in common
	maxSelects      = 160 // SELECT commands while the candidate list is built
	maxDirectory    = 64  // records of the payment system directory and the directories below it
	maxDDFs         = 16  // directories below it
	maxDDFDepth     = 4   // one below the other
)

var pseName = []byte("1PAY.SYS.DDF01")

// candidate is a Candidate with what the terminal has to remember of it.
type candidate struct {
	Candidate
	app      *Application
	language []byte // 5F2D of the FCI
}

// selection is the state of application selection: it outlives a single choice, since an application that turns out to be
// unusable is taken from the list and another one is chosen (Book 1, 12.4; Book 3, 10.1).
type selection struct {
	list     []candidate
	language []byte // 5F2D of the payment system environment
	asked    bool   // the cardholder has chosen or confirmed before
	blocked  bool   // an application in common was blocked
	refusal  error  // the sentinel for the last application that was taken from the list
	sw       uint16
}

// buildCandidates builds the list of applications that card and terminal have in common: from the payment system directory
// where there is one, else by trying each AID of the terminal (Book 1, 12.3).
func (s *Session) buildCandidates(ctx context.Context) (*selection, error) {
	sel := &selection{}
	if err := s.readPSE(ctx, sel); err != nil {
		return nil, err
	}
	if len(sel.list) == 0 {
		// 12.3.2, step 5: no directory, or nothing in it that the terminal has.
		if err := s.tryAIDs(ctx, sel); err != nil {
			return nil, err
		}
	}
	// 12.4, step 4: highest priority first, then in the order met on the card; priority 0 means none was given.
	slices.SortStableFunc(sel.list, func(a, b candidate) int { return rank(a.Priority) - rank(b.Priority) })
	return sel, nil
}

func rank(priority byte) int {
	if p := int(priority & 0x0F); p != 0 {
		return p
	}
	return 16
}

// tryAIDs asks the card for each application of the terminal (Book 1, 12.3.3; step numbers are those of the book).
func (s *Session) tryAIDs(ctx context.Context, sel *selection) error {
	selects := 0
	for i := range s.k.cfg.Applications {
		app := &s.k.cfg.Applications[i]
		var met [][]byte
		for next := false; ; next = true {
			if selects++; selects > maxSelects {
				return badCard(StepSelection, "no end of applications")
			}
			fci, sw, err := s.selectFile(ctx, app.AID, next)
			if err != nil {
				return err
			}
			if sw == swNotSupported && i == 0 && !next {
				return &Error{Step: StepSelection, SW: sw, Err: ErrCardBlocked} // step 2 is for the first AID; step 5 leads to step 3
			}
			if sw != swOK && sw != swInvalidated {
				break // step 3: not on this card, no further occurrence, or nothing that the book knows
			}
			f, ok := parseFCI(fci)
			if !ok {
				// Step 3: not a candidate. A blocked application may give no FCI at all.
				sel.blocked = sel.blocked || sw == swInvalidated
				break
			}
			if !bytes.HasPrefix(f.name, app.AID) || slices.ContainsFunc(met, func(n []byte) bool { return bytes.Equal(n, f.name) }) {
				break // not what was asked for, or a card that does not know "next": asking again leads nowhere
			}
			met = append(met, f.name)
			exact := len(f.name) == len(app.AID)
			if !exact && !app.Partial {
				break // step 6
			}
			if sw == swOK {
				c := s.newCandidate(app, f.name, f.label, f.preferred, f.codeTable, f.priority)
				c.language = f.language
				sel.add(c)
			} else {
				sel.blocked = true
			}
			if exact {
				break // step 4; only a longer name has next occurrences (step 7)
			}
		}
	}
	return nil
}

// add puts a candidate on the list. Two entries of the terminal's list may lead to the same application on the card: the one
// with the longer AID describes it better.
func (sel *selection) add(c candidate) {
	for i := range sel.list {
		if bytes.Equal(sel.list[i].AID, c.AID) {
			if len(c.app.AID) > len(sel.list[i].app.AID) {
				sel.list[i].app = c.app
			}
			return
		}
	}
	if len(sel.list) < maxCandidates {
		sel.list = append(sel.list, c)
	}
}

// match returns the application of the terminal that fits a name on the card best: the longest AID that equals it, or begins it
// where partial selection is allowed. nil when there is none.
func (k *Kernel) match(name []byte) *Application {
	if len(name) < 5 || len(name) > 16 {
		return nil
	}
	var best *Application
	for i := range k.cfg.Applications {
		a := &k.cfg.Applications[i]
		if bytes.HasPrefix(name, a.AID) && (a.Partial || len(a.AID) == len(name)) && (best == nil || len(a.AID) > len(best.AID)) {
			best = a
		}
	}
	return best
}
