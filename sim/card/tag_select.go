package card

import (
	"bytes"
	"slices"
	"strings"

	"posd/emv/tlv"
)

// ppseName is that of the proximity payment system environment (Book B, 3.3.2.2).
const ppseName = "2PAY.SYS.DDF01"

// selectFile is SELECT by name: the PPSE, an application by its name or the beginning of it, or by its name with what 9F29 appends.
func (g *Tag) selectFile(cmd command) []byte {
	if cmd.p1 != 0x04 || cmd.p2 != 0x00 && cmd.p2 != 0x02 {
		return swP1P2
	}
	if string(cmd.data) == ppseName {
		g.c.cur = nil
		return g.ppse()
	}
	if len(cmd.data) < 5 || len(cmd.data) > 16 {
		return swNoFile
	}
	start := 0
	if cmd.p2 == 0x02 {
		if g.c.cur == nil {
			return swConditions
		}
		start = slices.Index(g.apps, g.c.cur.application) + 1
	}
	for _, a := range g.apps[start:] {
		long := slices.Concat(a.aid, unhex(a.a.Tap.Extended))
		if !bytes.HasPrefix(a.aid, cmd.data) && !bytes.Equal(long, cmd.data) {
			continue
		}
		if sw := a.status("select"); sw != nil {
			return sw
		}
		g.c.dir = nil
		g.c.cur = &transaction{application: a, blocked: a.counters.blocked}
		if k := g.kept[a]; k != nil {
			g.c.cur.arqc, g.c.cur.first = k.ac, arqc
		}
		if a.counters.blocked {
			return append(slices.Clone(a.fci), swInvalidated...)
		}
		return ok(slices.Clone(a.fci))
	}
	return swNoFile
}

// ppse answers the SELECT of the PPSE: Book B, table 3-2 and 3-3.
func (g *Tag) ppse() []byte {
	switch {
	case g.conf.PPSEStatus != "":
		return unhex(g.conf.PPSEStatus)
	case g.conf.NoPPSE:
		return swNoFile
	}
	var entries []byte
	if g.conf.Nested && len(g.apps) > 0 {
		// An entry inside something of the issuer's own is no entry (Book B, 3.3.2.5, which reads direct children of BF0C only).
		a := g.apps[len(g.apps)-1]
		entries = put(entries, 0xBF50, put(nil, 0x61, slices.Concat(put(nil, 0x4F, a.aid...), put(nil, 0x87, 0x01))...)...)
	}
	for _, a := range g.apps {
		if t := a.a.Tap; !t.Hidden && !g.conf.EmptyPPSE {
			entries = put(entries, 0x61, directoryEntry(a)...)
		}
	}
	out := put(nil, 0x6F, slices.Concat(put(nil, 0x84, []byte(ppseName)...), put(nil, 0xA5, put(nil, 0xBF0C, entries...)...))...)
	if g.conf.BrokenPPSE {
		out = out[:len(out)-3]
	}
	return ok(out)
}

// directoryEntry is what stands in the 61 of an application (Book B, table 3-3).
func directoryEntry(a *application) (e []byte) {
	t := a.a.Tap
	switch t.EntryAID {
	case "":
		e = put(e, 0x4F, a.aid...)
	case "-":
	default:
		e = put(e, 0x4F, unhex(t.EntryAID)...)
	}
	e = put(e, 0x50, []byte(a.a.Label)...)
	if a.a.Priority != 0 {
		e = put(e, 0x87, byte(a.a.Priority))
	}
	if t.KernelID != "" {
		e = put(e, 0x9F2A, unhex(t.KernelID)...)
	}
	if t.Extended != "" {
		e = put(e, 0x9F29, unhex(t.Extended)...)
	}
	return e
}

// tapFCI is the answer to SELECT of an application in the field.
func tapFCI(a Application, aid []byte) []byte {
	t := a.Tap
	keep := func(tag tlv.Tag) bool {
		return !slices.ContainsFunc(t.FCIOmit, func(s string) bool { return strings.EqualFold(s, tagHex(tag)) })
	}
	var name, prop []byte
	if keep(0x84) {
		name = put(nil, 0x84, aid...)
	}
	add := func(tag tlv.Tag, v ...byte) {
		if keep(tag) {
			prop = put(prop, tag, v...)
		}
	}
	add(0x50, []byte(a.Label)...)
	if a.Priority != 0 {
		add(0x87, byte(a.Priority))
	}
	if a.PDOL != "" {
		add(0x9F38, unhex(a.PDOL)...)
	}
	add(0x5F2D, []byte("zhen")...)
	if a.Preferred != "" {
		add(0x9F11, 0x01)
		add(0x9F12, []byte(a.Preferred)...)
	}
	var own []byte
	own = put(own, 0x9F4D, logFile, logSize)
	if t.ACI != "" {
		own = put(own, 0x9F5D, unhex(t.ACI)...)
	}
	own = append(own, unhex(t.FCIObjects)...)
	add(0xBF0C, own...)
	return put(nil, 0x6F, append(name, put(nil, 0xA5, prop...)...)...)
}
