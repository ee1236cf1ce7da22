package emv

import (
	"bytes"
	"context"
	"slices"

	"posd/emv/tlv"
)

// readPSE reads the payment system environment (Book 1, 12.3.2). Anything unexpected leaves the list empty, which sends the
// terminal to its list of AIDs; only a blocked card ends the session.
func (s *Session) readPSE(ctx context.Context, sel *selection) error {
	w := directoryWalk{s: s, sel: sel}
	dir, err := w.open(ctx, pseName)
	if err != nil || dir == nil {
		return err
	}
	sel.language = dir.language
	ok, err := w.read(ctx, dir, 0)
	if err != nil {
		return err
	}
	if !ok {
		sel.list = sel.list[:0] // the directory cannot be relied upon
	}
	return nil
}

// directory is what the FCI of a DDF says of the directory in it (Book 1, 11.3.4 and 12.2.2).
type directory struct {
	sfi                 byte
	codeTable, language []byte
}

// directoryWalk goes through the payment system directory and the directories that its DDF entries lead to (Book 1, Annexes C3 and
// C4). A DDF is entered once, whoever names it how often, and all of them together have a bound.
type directoryWalk struct {
	s       *Session
	sel     *selection
	seen    [][]byte
	records int
}

// open selects a DDF. nil when it is not there, blocked, or its FCI cannot be used; an error when SELECT of the first one says that the card is blocked.
func (w *directoryWalk) open(ctx context.Context, name []byte) (*directory, error) {
	w.seen = append(w.seen, name)
	b, sw, err := w.s.selectFile(ctx, name, false)
	switch {
	case err != nil:
		return nil, err
	case sw == swNotSupported && len(w.seen) == 1:
		return nil, &Error{Step: StepSelection, SW: sw, Err: ErrCardBlocked} // 12.3.2, step 1: of the PSE itself
	case sw != swOK:
		return nil, nil // 6A82: not there; 6283: blocked
	}
	return parseDDF(b), nil
}

// parseDDF reads the FCI of the payment system environment or of another DDF; nil when it is malformed or has no directory.
func parseDDF(b []byte) *directory {
	o, err := tlv.One(b)
	if err != nil || o.Tag != tagFCI {
		return nil
	}
	if name, _ := tlv.Find(o.Value, tagDFName); len(name) == 0 {
		return nil
	}
	prop, ok := tlv.Find(o.Value, tagFCIProp)
	if !ok {
		return nil
	}
	dir := &directory{}
	d := tlv.NewDecoder(prop)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		switch {
		case o.Tag == tagSFI && len(o.Value) == 1:
			dir.sfi = o.Value[0]
		case o.Tag == tagCodeTable:
			dir.codeTable = o.Value
		case o.Tag == tagLanguage:
			dir.language = o.Value
		}
	}
	if d.Err() != nil || dir.sfi < 1 || dir.sfi > 10 {
		return nil
	}
	return dir
}

// read reads all records of a directory and then takes their entries in order: to follow a DDF entry means to select it, and the
// directory is out of reach then. ok is false when the directory breaks the specification.
func (w *directoryWalk) read(ctx context.Context, dir *directory, depth int) (ok bool, err error) {
	var entries [][]byte
	for n := 1; ; n++ {
		r, sw, err := w.s.readRecord(ctx, StepSelection, dir.sfi, byte(n))
		if err != nil {
			return false, err
		}
		if sw == swNoSuchRecord {
			break
		}
		if w.records++; sw != swOK || w.records >= maxDirectory {
			return false, nil
		}
		more, ok := directoryEntries(r)
		if !ok {
			return false, nil
		}
		entries = append(entries, more...)
	}
	for _, e := range entries {
		if err := w.enter(ctx, w.take(e, dir.codeTable), depth+1); err != nil {
			return false, err
		}
	}
	return true, nil
}

// directoryEntries splits a directory record (Book 1, 12.2.3) into its entries; false when it is malformed.
func directoryEntries(record []byte) (entries [][]byte, ok bool) {
	o, err := tlv.One(record)
	if err != nil || o.Tag != tagRecord {
		return nil, false
	}
	d := tlv.NewDecoder(o.Value)
	for e, ok := d.Next(); ok; e, ok = d.Next() {
		if e.Tag != tagAppTemplate {
			continue
		}
		in := tlv.NewDecoder(e.Value)
		for _, ok := in.Next(); ok; _, ok = in.Next() {
		}
		if in.Err() != nil {
			return nil, false
		}
		entries = append(entries, e.Value)
	}
	return entries, d.Err() == nil
}

// enter follows a DDF entry. What is wrong below it does not spoil the directory that it stands in.
func (w *directoryWalk) enter(ctx context.Context, ddf []byte, depth int) error {
	if len(ddf) < 5 || len(ddf) > 16 || depth > maxDDFDepth || len(w.seen) > maxDDFs ||
		slices.ContainsFunc(w.seen, func(n []byte) bool { return bytes.Equal(n, ddf) }) {
		return nil
	}
	dir, err := w.open(ctx, ddf)
	if err != nil || dir == nil {
		return err
	}
	_, err = w.read(ctx, dir, depth)
	return err
}

// take puts the application of a well-formed directory entry (Book 1, 12.2.3) on the list when the terminal has it too, or returns
// the name of the DDF where the entry leads to one (Annex C4).
func (w *directoryWalk) take(entry, codeTable []byte) (ddf []byte) {
	var name, label, preferred, priority []byte
	d := tlv.NewDecoder(entry)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if len(o.Value) == 0 {
			continue // Book 3, 5.2
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
		case tagDDFName:
			ddf = o.Value
		}
	}
	if name == nil {
		return ddf
	}
	if app := w.s.k.match(name); app != nil {
		w.sel.add(w.s.newCandidate(app, name, label, preferred, codeTable, priority))
	}
	return nil
}
