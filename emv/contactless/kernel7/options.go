package kernel7

import (
	"context"
	"slices"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// options sends GET PROCESSING OPTIONS: the whole transaction for a card that wants its issuer to be asked.
func options(ctx context.Context, r *run) (state, error) {
	var buf [255]byte
	b := tlv.AppendLength(append(buf[:0], byte(tagCommand)), r.pdol.Len())
	b, err := r.pdol.Append(b, maxOptions, r.term.store.Get)
	if err != nil {
		return nil, err
	}
	data, sw, err := r.exchange(ctx, r.command(0x80, 0xA8, 0x00, 0x00, b))
	if err != nil {
		return r.lost(err)
	}
	if sw != swOK {
		r.explain("GET PROCESSING OPTIONS: status %04X", sw)
		switch optionsStatus(sw) {
		case contactless.TryAnotherInterface:
			return r.otherInterface()
		case contactless.SelectNext:
			return r.end(contactless.Outcome{Status: contactless.SelectNext, Start: contactless.StartC})
		case contactless.TryAgain:
			return r.seePhone()
		}
		return r.over()
	}
	o, err := tlv.One(data)
	if err != nil {
		return r.badCard("answer to GET PROCESSING OPTIONS cannot be read")
	}
	switch o.Tag {
	case tagFormat2:
	case tagFormat1:
		return r.standardPath("an answer in format 1")
	default:
		return r.badCard("answer in template %s", o.Tag)
	}
	if why, args := r.take(o.Value, inOptions, inEither); why != "" {
		return r.badCard(why, args...)
	}
	return decided, nil
}

// take keeps the objects of a template whose source is one of from. An object that comes again ends the transaction (PBOC 3.0, a change
// over 2.0).
func (r *run) take(template []byte, from ...source) (why string, args []any) {
	d := tlv.NewDecoder(template)
	for o, more := d.Next(); more; o, more = d.Next() {
		if s := sourceOf(o.Tag); s != elsewhere && slices.Contains(from, s) && !r.icc.Add(o.Tag, o.Value) {
			return "%s comes twice", []any{o.Tag}
		}
	}
	if d.Err() != nil {
		return "a template cannot be read", nil
	}
	return "", nil
}

// standardPath: the card has not taken the fast path (JR/T, 6.5.4: no cryptogram in the answer). It has to be inserted, where it can be.
func (r *run) standardPath(why string) (state, error) {
	r.explain("not the fast path: %s", why)
	if ttqContact.in(r.ttq[:]) {
		return r.otherInterface()
	}
	return r.over()
}

// lengths are those of the objects that are used, apart from those with checks of their own.
var lengths = [...]struct {
	tag      tlv.Tag
	min, max int
}{
	{tagAIP, 2, 2},
	{tagATC, 2, 2},
	{tagAC, 8, 8},
	{tagCID, 1, 1},
	{tagIAD, 1, 32},
	{tagCTQ, 2, 2},
	{tagOfflineAmount, 6, 6},
	{tagProduct, 1, 16},
}

// decided goes where the card's decision leads.
func decided(_ context.Context, r *run) (state, error) {
	if !r.icc.Has(tagAC) {
		return r.standardPath("no cryptogram")
	}
	for _, l := range lengths {
		if v, ok := r.icc.Get(l.tag); ok && (len(v) < l.min || len(v) > l.max) {
			return r.badCard("%s has %d bytes", l.tag, len(v))
		}
	}
	r.ac = decision(r.get(tagCID), r.get(tagIAD))
	if r.ac == cryptogramNone {
		return r.badCard("neither %s nor %s says what the card has decided", tagCID, tagIAD)
	}
	for _, t := range mandatory(r.ac) {
		if !r.icc.Has(t) {
			return r.badCard("%s is missing", t)
		}
	}
	if v, ok := r.icc.Get(tagCTQ); ok {
		r.ctq, r.hasCTQ = [2]byte(v), true
	}
	if why, args := r.account(); why != "" {
		return r.badCard(why, args...)
	}
	switch {
	case r.ac == cryptogramAAC:
		return r.decline("the card refuses")
	case r.ac == cryptogramARQC && !r.onlineCapable():
		return r.decline("the card wants its issuer, and the reader has none")
	case r.pan != "" && r.k.owes(r):
		return r.over()
	case r.ac == cryptogramARQC:
		r.online = true
		return verify, nil
	case ttqOnlineRequired.in(r.ttq[:]):
		// The card was told to ask its issuer and did not. No record is read: that would debit a purse (own choice, beside kernel 3's "as online").
		if !r.icc.Has(tagTrack2) {
			return r.badCard("approved offline although an online cryptogram was required, and no %s to go online with", tagTrack2)
		}
		r.explain("approved offline although an online cryptogram was required")
		r.online = true
		return verify, nil
	}
	return records, nil
}
