package emv

import (
	"bytes"
	"context"
	"slices"

	"posd/emv/tlv"
)

// Bounds on what a card can make the terminal do during selection. Real cards stay far below.
const (
	maxApplications = 64  // in the terminal's list
	maxCandidates   = 32  // applications in common
	maxSelects      = 160 // SELECT commands while the candidate list is built
	maxDirectory    = 64  // records of the payment system directory
)

var pseName = []byte("1PAY.SYS.DDF01")

// candidate is a Candidate with what the terminal has to remember of it.
type candidate struct {
	Candidate
	app *Application
}

// selection is the state of application selection: it outlives a single choice, since an application that turns out to be
// unusable is taken from the list and another one is chosen (Book 1, 12.4; Book 3, 10.1).
type selection struct {
	list    []candidate
	asked   bool  // the cardholder has chosen or confirmed before
	blocked bool  // an application in common was blocked
	refusal error // the sentinel for the last application that was taken from the list
	sw      uint16
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

// readPSE reads the payment system environment (Book 1, 12.3.2). Anything unexpected leaves the list empty, which sends the
// terminal to its list of AIDs; only a blocked card ends the session.
func (s *Session) readPSE(ctx context.Context, sel *selection) error {
	fci, sw, err := s.selectFile(ctx, pseName, false)
	switch {
	case err != nil:
		return err
	case sw == swNotSupported:
		return &Error{Step: StepSelection, SW: sw, Err: ErrCardBlocked}
	case sw != swOK:
		return nil // 6A82: there is no PSE; 6283: it is blocked
	}
	o, err := tlv.One(fci)
	if err != nil || o.Tag != tagFCI {
		return nil
	}
	sfi, _ := tlv.Find(o.Value, tagFCIProp, tagSFI)
	if len(sfi) != 1 || sfi[0] < 1 || sfi[0] > 10 {
		return nil
	}
	codeTable, _ := tlv.Find(o.Value, tagFCIProp, tagCodeTable)
	for n := 1; ; n++ {
		record, sw, err := s.readRecord(ctx, StepSelection, sfi[0], byte(n))
		if err != nil {
			return err
		}
		if sw == swNoSuchRecord {
			return nil
		}
		if sw != swOK || n == maxDirectory || !s.readDirectory(record, codeTable, sel) {
			sel.list = sel.list[:0] // the directory cannot be relied upon
			return nil
		}
	}
}

// readDirectory takes the entries of one directory record (Book 1, 12.2.3) that the terminal has an application for. It returns
// false when the record is malformed.
func (s *Session) readDirectory(record, codeTable []byte, sel *selection) bool {
	o, err := tlv.One(record)
	if err != nil || o.Tag != tagRecord {
		return false
	}
	d := tlv.NewDecoder(o.Value)
	for {
		entry, ok := d.Next()
		if !ok {
			return d.Err() == nil
		}
		if entry.Tag != tagAppTemplate {
			continue
		}
		var name, label, preferred, priority []byte
		in := tlv.NewDecoder(entry.Value)
		for {
			o, ok := in.Next()
			if !ok {
				break
			}
			switch o.Tag {
			case tagADFName:
				name = o.Value
			case tagLabel:
				label = o.Value
			case tagPreferredName:
				preferred = o.Value
			case tagPriority:
				priority = o.Value
			}
		}
		if in.Err() != nil {
			return false
		}
		if app := s.k.match(name); app != nil {
			sel.add(s.newCandidate(app, name, label, preferred, codeTable, priority))
		}
	}
}

// tryAIDs asks the card for each application of the terminal (Book 1, 12.3.3; step numbers are those of the book).
func (s *Session) tryAIDs(ctx context.Context, sel *selection) error {
	selects := 0
	for i := range s.k.cfg.Applications {
		app := &s.k.cfg.Applications[i]
		for next := false; ; next = true {
			if selects++; selects > maxSelects {
				return badCard(StepSelection, "no end of applications")
			}
			fci, sw, err := s.selectFile(ctx, app.AID, next)
			if err != nil {
				return err
			}
			if sw == swNotSupported && !next {
				return &Error{Step: StepSelection, SW: sw, Err: ErrCardBlocked} // step 2
			}
			if sw != swOK && sw>>8 != 0x62 && sw>>8 != 0x63 {
				break // step 5: not on this card, or no further occurrence
			}
			f, ok := parseFCI(fci)
			if !ok && sw != swOK {
				// A blocked application may give no FCI at all: what cannot be named cannot be told from a longer name either.
				sel.blocked = sel.blocked || sw == swInvalidated
				break
			}
			if !ok || !bytes.HasPrefix(f.name, app.AID) {
				break // malformed: not a candidate, and asking for the next one leads nowhere
			}
			exact := len(f.name) == len(app.AID)
			switch {
			case !exact && !app.Partial: // step 6
			case sw == swOK:
				sel.add(s.newCandidate(app, f.name, f.label, f.preferred, f.codeTable, f.priority))
			case sw == swInvalidated:
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

// selectApplication chooses one of the candidates and selects it on the card (Book 1, 12.4). The list shrinks with each failure,
// so this ends.
func (s *Session) selectApplication(ctx context.Context, sel *selection) error {
	for len(sel.list) > 0 {
		i := 0
		if len(sel.list) > 1 || sel.asked || priorityConfirmation.in([]byte{sel.list[0].Priority}) {
			offer := make([]Candidate, len(sel.list))
			for j := range sel.list {
				offer[j] = sel.list[j].Candidate
			}
			var err error
			if i, err = s.holder.Choose(ctx, offer); err != nil {
				return &Error{Step: StepSelection, Err: err}
			}
			if i < 0 || i >= len(sel.list) {
				return &Error{Step: StepSelection, Reason: "choice out of range", Err: ErrCancelled}
			}
			sel.asked = true
		}
		c := sel.list[i]
		fci, sw, err := s.selectFile(ctx, c.AID, false)
		if err != nil {
			return err
		}
		f, ok := parseFCI(fci)
		if sw == swOK && ok && bytes.HasPrefix(f.name, c.AID) && (len(f.name) == len(c.AID) || c.app.Partial) {
			s.adopt(c, f)
			sel.list = slices.Delete(sel.list, i, i+1)
			return nil
		}
		switch sw {
		case swOK:
			sel.refuse(ErrBadCard, 0)
		case swInvalidated:
			sel.refuse(ErrAppBlocked, sw)
		case swNotSupported:
			sel.refuse(ErrCardBlocked, sw)
		default:
			sel.refuse(ErrNotAccepted, sw)
		}
		sel.list = slices.Delete(sel.list, i, i+1)
	}
	switch {
	case sel.refusal != nil:
		return &Error{Step: StepSelection, Reason: "no application is left", SW: sel.sw, Err: sel.refusal}
	case sel.blocked:
		return &Error{Step: StepSelection, SW: swInvalidated, Err: ErrAppBlocked}
	}
	return &Error{Step: StepSelection, Err: ErrNotAccepted}
}

func (sel *selection) refuse(sentinel error, sw uint16) { sel.refusal, sel.sw = sentinel, sw }

// fci is what the terminal takes from the answer to SELECT of an application (Book 1, table 45).
type fci struct {
	name, label, preferred, codeTable, priority []byte
	prop                                        []byte // the contents of A5
}

// parseFCI reads the FCI of an ADF. 84 and A5 are mandatory; false when they are missing or the coding is broken.
func parseFCI(b []byte) (f fci, ok bool) {
	o, err := tlv.One(b)
	if err != nil || o.Tag != tagFCI {
		return f, false
	}
	var hasProp bool
	d := tlv.NewDecoder(o.Value)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		switch o.Tag {
		case tagDFName:
			f.name = o.Value
		case tagFCIProp:
			f.prop, hasProp = o.Value, true
		}
	}
	if d.Err() != nil || !hasProp || len(f.name) < 5 || len(f.name) > 16 {
		return f, false
	}
	d = tlv.NewDecoder(f.prop)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		switch o.Tag {
		case tagLabel:
			f.label = o.Value
		case tagPreferredName:
			f.preferred = o.Value
		case tagCodeTable:
			f.codeTable = o.Value
		case tagPriority:
			f.priority = o.Value
		}
	}
	return f, d.Err() == nil
}

// adopt makes a selected application the one of the session and takes its data objects.
func (s *Session) adopt(c candidate, f fci) {
	s.reset(c.app)
	s.label = s.newCandidate(c.app, f.name, f.label, f.preferred, f.codeTable, f.priority).Label
	if len(f.label) == 0 && len(f.preferred) == 0 {
		s.label = c.Label // the directory had a name for it
	}
	s.rid = f.name[:5]
	s.icc.Add(tagDFName, f.name)
	d := tlv.NewDecoder(f.prop)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if !o.Tag.Constructed() && !ofTerminal(o.Tag) {
			s.icc.Add(o.Tag, o.Value)
		}
	}
}

// newCandidate makes a candidate with the name to show (Book 1, 12.4): the preferred name where the terminal has its code table,
// else the label, else the AID in hex.
func (s *Session) newCandidate(app *Application, name, label, preferred, codeTable, priority []byte) candidate {
	c := candidate{Candidate: Candidate{AID: name}, app: app}
	if len(priority) == 1 {
		c.Priority = priority[0]
	}
	if len(codeTable) == 1 && codeTable[0] == 1 && addCapCodeTable1.in(s.k.cfg.Terminal.Additional[:]) {
		c.Label = printable(preferred, true)
	}
	if c.Label == "" {
		c.Label = printable(label, false)
	}
	if c.Label == "" {
		c.Label = hexString(name)
	}
	return c
}

// printable turns up to 16 characters of ISO 8859-1 into UTF-8. Control characters, and without latin1 also those above 7E, are
// left out: what a card says goes to a display and a printer that obey escape sequences.
func printable(b []byte, latin1 bool) string {
	out := make([]rune, 0, 16)
	for _, c := range b {
		if (c >= 0x20 && c <= 0x7E || latin1 && c >= 0xA0) && len(out) < cap(out) {
			out = append(out, rune(c))
		}
	}
	return string(bytes.TrimSpace([]byte(string(out))))
}

func hexString(b []byte) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&0xF])
	}
	return string(out)
}
