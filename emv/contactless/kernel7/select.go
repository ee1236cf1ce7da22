package kernel7

import (
	"context"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// maxOptions is how much PDOL data fits behind tag and length of command template 83 in one command.
const maxOptions = 255 - 3

// selected reads the answer to SELECT. Without a PDOL that asks for 9F66 the card cannot be on this kernel's path: C-7 wants the PDOL, JR/T,
// 6.5.1, sends such a card to another interface. The next candidate is tried; when there is none, the Entry Point's message says the same.
func selected(_ context.Context, r *run) (state, error) {
	if r.a.Host != nil {
		// The issuer's answer is not brought back to the card, and this kernel never asks for it: a second payment must not begin here.
		r.explain("started with an issuer's answer")
		return r.end(contactless.Outcome{Status: contactless.EndApplication, UIOutcome: r.ui(contactless.MsgNone, contactless.NotReady)})
	}
	prop, ok := tlv.Find(r.a.FCI, tagFCI, tagFCIProp)
	if !ok {
		return r.next("the answer to SELECT has no template A5")
	}
	d := tlv.NewDecoder(prop)
	for o, more := d.Next(); more; o, more = d.Next() {
		switch o.Tag {
		case tagPDOL, tagLabel, tagPreferredName, tagCodeTable, tagLanguage:
			if !r.icc.Add(o.Tag, o.Value) {
				return r.next("%s comes twice in the answer to SELECT", o.Tag)
			}
		}
	}
	if d.Err() != nil {
		return r.next("template A5 cannot be read")
	}
	r.icc.Set(tagDFName, r.a.ADF)
	for l := r.get(tagLanguage); len(l) >= 2 && len(r.languages) < 4; l = l[2:] {
		r.languages = append(r.languages, string(l[:2]))
	}
	var err error
	if r.pdol, err = tlv.ParseDOL(r.get(tagPDOL)); err != nil || !r.pdol.Has(tagTTQ) {
		return r.next("no PDOL that asks for %s", tagTTQ)
	}
	if r.pdol.Len() > maxOptions {
		return r.next("the PDOL asks for %d bytes", r.pdol.Len())
	}
	if t := r.k.tornHere(r); t != nil {
		return recall(t), nil
	}
	return cashBefore, nil
}

// next leaves this application for the next candidate.
func (r *run) next(why string, args ...any) (state, error) {
	r.explain(why, args...)
	return r.end(contactless.Outcome{Status: contactless.SelectNext, Start: contactless.StartC})
}
