package card

import "slices"

// The card comes back with the issuer's answer: after SELECT, and without GET PROCESSING OPTIONS, it takes EXTERNAL AUTHENTICATE and issuer
// scripts for the ARQC of the tap before (C-3, issuer update processing).

// externalAuthenticate is EXTERNAL AUTHENTICATE with the issuer authentication data, once.
func (g *Tag) externalAuthenticate(cmd command) []byte {
	t := g.c.cur
	if t == nil || !g.updating(t) {
		return swConditions
	}
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0:
		return swP1P2
	case t.auth != authNone:
		return swConditions
	case len(cmd.data) < 8 || len(cmd.data) > 16:
		return swLength
	case t.status("external") != nil:
		return t.status("external")
	}
	t.stage = finished
	if !t.authenticate(cmd.data) {
		t.failed = true
		return swAuthFailed
	}
	t.failed = false
	if !t.refused {
		t.online, t.offline, t.total = t.atc, 0, 0
	}
	return swOK
}

func (g *Tag) updating(t *transaction) bool {
	return g.kept[t.application] != nil && (t.stage == selected || t.stage == finished)
}

// script carries out an issuer script command.
func (g *Tag) script(cmd command) []byte {
	t := g.c.cur
	if t == nil || !g.updating(t) {
		return swConditions
	}
	t.stage = finished
	return slices.Clone(g.c.script(cmd))
}
