package card

import (
	"bytes"
	"slices"
)

// script carries out an issuer script command with its MAC (Book 3, 6.5.1 to 6.5.3, 6.5.10; secure messaging format 2, Book 2, 9.2).
// Scripts are heard when the issuer was asked, before or behind the second GENERATE AC.
func (c *Card) script(cmd command) []byte {
	t := c.cur
	if t == nil || t.stage != asked && t.stage != finished || t.first != arqc {
		return swConditions
	}
	t.scripts++
	sw := c.scriptCommand(t, cmd)
	if !bytes.Equal(sw, swOK) {
		t.scriptBad = true
	}
	return sw
}

func (c *Card) scriptCommand(t *transaction, cmd command) []byte {
	if len(cmd.data) < 4 {
		return swLength
	}
	data, got := cmd.data[:len(cmd.data)-4], cmd.data[len(cmd.data)-4:]
	header := []byte{cmd.cla, cmd.ins, cmd.p1, cmd.p2, byte(len(cmd.data))}
	if want := scriptMAC(session(t.smi, t.arqc), header, t.atc, t.arqc, data); !bytes.Equal(got, want) {
		return swBadMAC
	}
	switch {
	case cmd.ins == 0xDA:
		if cmd.p1 != 0x9F || cmd.p2 != 0x23 {
			return swNoData
		}
		if len(data) != 1 {
			return swLength
		}
		t.a.OfflineCount = int(data[0])
		return swOK
	case len(data) != 0:
		return swLength
	case cmd.p1 != 0 || cmd.p2 != 0: // PIN CHANGE with a new PIN (P2 01, 02) among them
		return swP1P2
	}
	switch cmd.ins {
	case 0x1E:
		t.application.blocked, t.blocked = true, true
	case 0x18:
		t.application.blocked = false
	case 0x16:
		c.blocked = true
	case 0x24:
		t.tries = t.a.PINTries
	}
	return slices.Clone(swOK)
}
