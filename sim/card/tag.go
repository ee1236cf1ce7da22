package card

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"posd/emv/tlv"
)

// Tag is the contactless side of a card or phone: what stands behind its antenna once a reader has activated it (ISO/IEC 14443-4). It
// shares counters and keys with the contact side. Its methods may be called from several goroutines.
type Tag struct {
	c    *Card
	conf Contactless
	apps []*application // those that are there in the field

	// Kept from one tap to the next.
	taps  int  // that have been begun, 0 before the first
	shown bool // the cardholder has shown himself to the phone
	asked bool // the phone has asked for that in this tap
	torn  map[*application]*tornAC
	kept  map[*application]*keptARQC
	store map[tlv.Tag][]byte // PUT DATA: 9F70 to 9F79
	purse map[*application]int64

	// Of this tap.
	on       bool
	exchange int
	away     bool // the card has left the field
	relay    relay
	late     *lateRecord
	debit    *debit
}

// newTag makes the contactless side of a card; nil when it has none.
func newTag(c *Card) *Tag {
	if c.profile.Contactless == nil {
		return nil
	}
	g := &Tag{
		c: c, conf: *c.profile.Contactless, torn: map[*application]*tornAC{}, kept: map[*application]*keptARQC{},
		store: map[tlv.Tag][]byte{}, purse: map[*application]int64{},
	}
	g.shown = g.conf.CDCVM == "done"
	for i, contact := range c.apps {
		if a := &c.profile.Applications[i]; a.Tap != nil {
			field := &application{counters: contact.counters, a: a.inField(), version: contact.version}
			g.apps = append(g.apps, field)
			g.purse[field] = a.Tap.Purse
		}
	}
	return g
}

// Tag returns the contactless side of the card; nil when it has none.
func (c *Card) Tag() *Tag { return c.tag }

// Card returns the card that the tag belongs to.
func (g *Tag) Card() *Card { return g.c }

// TypeB tells whether the card is of type B; otherwise it is of type A.
func (g *Tag) TypeB() bool { return g.conf.Type == "B" }

// UID is the identifier of type A, four or seven bytes, or the PUPI of type B, four. It follows from the account number, but does not tell it.
func (g *Tag) UID() []byte {
	h := sha256.Sum256([]byte("posd simulated antenna " + g.c.PAN()))
	if g.conf.Long && !g.TypeB() {
		return append([]byte{0x04}, h[:6]...)
	}
	id := slices.Clone(h[:4])
	if !g.TypeB() {
		id[0] = 0x08 // a random identifier (ISO/IEC 14443-3, 6.5.4): no cascade tag, no manufacturer
	}
	return id
}

// ATQA answers REQA and WUPA (ISO/IEC 14443-3, 6.5.2), most significant byte first as readers' chips show it.
func (g *Tag) ATQA() [2]byte {
	if g.conf.Long {
		return [2]byte{0x00, 0x44}
	}
	return [2]byte{0x00, 0x04}
}

// SAK ends the anticollision: ISO/IEC 14443-4 is supported.
func (g *Tag) SAK() byte { return 0x20 }

// ATS answers RATS (ISO/IEC 14443-4, 5.2): frames of 256 bytes, FWI 8 (77 ms), CID supported, no historical characters but "posd".
func (g *Tag) ATS() []byte { return []byte{0x09, 0x78, 0x00, 0x80, 0x02, 'p', 'o', 's', 'd'} }

// ATQB answers REQB and WUPB (ISO/IEC 14443-3, 7.9): PUPI, application data, frames of 256 bytes, ISO/IEC 14443-4, FWI 8.
func (g *Tag) ATQB() []byte {
	return slices.Concat([]byte{0x50}, g.UID(), []byte{0, 0, 0, 0}, []byte{0x00, 0x81, 0x81})
}

// Delay is how long the card thinks before each answer.
func (g *Tag) Delay() time.Duration {
	return time.Duration(g.conf.Slow) * time.Millisecond
}

// Taps counts the taps so far in which there was at least one command.
func (g *Tag) Taps() int {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	return g.taps
}

// Reset tells the card that the field is gone, or that it has been taken out of it: the tap is over. Between two taps the cardholder does
// what the phone has asked for.
func (g *Tag) Reset() {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	g.off()
}

func (g *Tag) off() {
	g.on, g.away, g.exchange = false, false, 0
	g.c.cur, g.c.dir = nil, nil
	if g.asked && g.conf.CDCVM == "ask" {
		g.shown = true
	}
	g.asked = false
}

// Unlock is the cardholder showing himself to the phone, whatever the profile says.
func (g *Tag) Unlock() {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	g.shown = true
}

// Transceive carries out a command APDU in short form and returns data and SW1 SW2; nil means that no answer comes: the card has left the
// field, and hears nothing until its Reset.
func (g *Tag) Transceive(apdu []byte) []byte {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	if !g.on {
		g.off()
		g.on = true
		g.taps++
	}
	if g.away {
		return nil
	}
	g.exchange++
	faulty := g.taps <= g.conf.Stays
	if faulty && g.exchange == g.conf.Gone {
		g.away = true
		return nil
	}
	out := g.carryOut(apdu)
	if out == nil || faulty && g.exchange == g.conf.Torn {
		g.away = true
		return nil
	}
	return slices.Clone(out)
}

func (g *Tag) carryOut(apdu []byte) []byte {
	if len(apdu) < 4 {
		return swLength
	}
	cmd := command{cla: apdu[0], ins: apdu[1], p1: apdu[2], p2: apdu[3]}
	if rest := apdu[4:]; len(rest) > 1 {
		lc := int(rest[0])
		if lc == 0 || len(rest) != 1+lc && len(rest) != 2+lc {
			return swLength
		}
		cmd.data = rest[1 : 1+lc]
	}
	if g.c.blocked {
		return swFunction
	}
	g.personalise()
	return g.dispatch(cmd)
}

func (g *Tag) dispatch(cmd command) []byte {
	type handler struct {
		cla byte
		do  func(command) []byte
	}
	h, ok := map[byte]handler{
		0xA4: {0x00, g.selectFile},
		0xB2: {0x00, g.readRecord},
		0xA8: {0x80, g.getProcessingOptions},
		0xAE: {0x80, g.generateAC},
		0xD0: {0x80, g.recoverAC},
		0xEA: {0x80, g.exchangeRelay},
		0x2A: {0x80, g.checksum},
		0xCA: {0x80, g.getData},
		0xDA: {0x80, g.putData},
		0x84: {0x00, g.c.getChallenge},
		0x82: {0x00, g.externalAuthenticate},
		0x1E: {0x84, g.script},
		0x18: {0x84, g.script},
		0x16: {0x84, g.script},
		0x24: {0x84, g.script},
		0xDC: {0x04, g.script},
	}[cmd.ins]
	if cmd.ins == 0xDA && cmd.cla == 0x04 {
		h = handler{0x04, g.script}
	}
	switch {
	case !ok:
		return swINS
	case cmd.cla&0x03 != 0 && cmd.cla&0x7F < 0x10:
		return swNoChannel
	case cmd.cla != h.cla:
		return swCLA
	}
	return h.do(cmd)
}

// Purse is the electronic cash that is left on the first application that has some, minor units.
func (g *Tag) Purse() int64 {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	for _, a := range g.apps {
		if a.a.Tap.Purse > 0 {
			return g.purse[a]
		}
	}
	return 0
}

// personalise signs the certificates of a tag that is used for the first time.
func (g *Tag) personalise() {
	for _, a := range g.apps {
		if a.personal == nil {
			a.personal = personaliseTap(a.a, g.c.profile)
		}
	}
}

// String names the card for traces: scheme names and the end of the account number.
func (g *Tag) String() string {
	pan := g.c.PAN()
	return fmt.Sprintf("%s, ...%s", g.c.profile.Title, pan[len(pan)-4:])
}
