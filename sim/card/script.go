package card

import (
	"bytes"
	"slices"

	"posd/emv/tlv"
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
	switch cmd.ins {
	case 0xDA:
		return t.putData(cmd, data)
	case 0xDC:
		return t.updateRecord(cmd, data)
	case 0x24:
		return t.changePIN(cmd, data)
	}
	switch {
	case len(data) != 0:
		return swLength
	case cmd.p1 != 0 || cmd.p2 != 0:
		return swP1P2
	}
	switch cmd.ins {
	case 0x1E:
		t.application.blocked, t.blocked = true, true
	case 0x18:
		t.application.blocked = false
	case 0x16:
		c.blocked = true
	}
	return slices.Clone(swOK)
}

// putData is PUT DATA: the limits of offline transactions in a row, for the card itself. Those in the records (9F14, 9F23), which the
// terminal reads, are under the certificate of the card and stay as they are.
func (t *transaction) putData(cmd command, data []byte) []byte {
	var limit *int
	switch {
	case cmd.p1 == 0x9F && cmd.p2 == 0x23, cmd.p1 == 0x9F && cmd.p2 == 0x58:
		limit = &t.a.OfflineCount
	case cmd.p1 == 0x9F && cmd.p2 == 0x59:
		limit = &t.a.OfflineUpper
	default:
		return swNoData
	}
	if len(data) != 1 {
		return swLength
	}
	*limit = int(data[0])
	return swOK
}

// updateRecord is UPDATE RECORD for the files that are not under the card's certificate: the first one.
func (t *transaction) updateRecord(cmd command, data []byte) []byte {
	sfi := cmd.p2 >> 3
	switch {
	case cmd.p2&7 != 4:
		return swP1P2
	case sfi != 1:
		return swConditions
	case cmd.p1 == 0 || int(cmd.p1) > len(t.records[sfi]):
		return swNoRecord
	}
	if o, err := tlv.One(data); err != nil || o.Tag != 0x70 {
		return swBadData
	}
	t.records[sfi][cmd.p1-1] = slices.Clone(data)
	return swOK
}

// changePIN is PIN CHANGE/UNBLOCK (Book 3, 6.5.10): P2 00 sets the try counter back, 02 brings a new PIN too.
func (t *transaction) changePIN(cmd command, data []byte) []byte {
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0 && cmd.p2 != 2:
		return swP1P2
	case cmd.p2 == 0 && len(data) != 0:
		return swLength
	case cmd.p2 == 2:
		pin := unsealPIN(session(t.smc, t.arqc), data)
		if pin == "" {
			return swBadData
		}
		t.pin = pin
	}
	t.tries = t.a.PINTries
	return swOK
}
