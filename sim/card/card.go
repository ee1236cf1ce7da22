package card

import (
	"crypto/rand"
	"io"
	"slices"
	"sync"

	"posd/emv/tlv"
)

// Card is a simulated chip card. It keeps its counters as long as it lives, and the state of a transaction until the next Reset. Its
// methods may be called from several goroutines.
type Card struct {
	mu      sync.Mutex
	profile Profile
	rand    io.Reader
	blocked bool // the whole card, by script
	apps    []*application
	dir     []byte // name of the directory that is selected: PSE or DDF
	cur     *transaction
	log     []Cryptogram
	tag     *Tag // the contactless side, nil when there is none
}

// application is what an application keeps from one transaction to the next.
type application struct {
	*personal
	*counters
	a       Application
	version *version
}

// counters is what an application counts, over whichever of its interfaces it is used.
type counters struct {
	blocked bool
	atc     uint16
	online  uint16 // 9F13, ATC of the last transaction that the issuer answered
	tries   int    // 9F17
	pin     string
	offline int   // transactions approved without the issuer, in a row
	total   int64 // their amounts
	pending bool  // the last ARQC was never followed by a second GENERATE AC
	failed  bool  // issuer authentication failed last time
	history [][]byte
}

// stage is how far a transaction is.
type stage uint8

const (
	selected  stage = iota // SELECT
	initiated              // GET PROCESSING OPTIONS
	asked                  // first GENERATE AC gave an ARQC
	finished               // TC or AAC given
)

// Issuer authentication in a transaction.
const (
	authNone = iota
	authDone
	authFailed
)

// transaction is the state since SELECT.
type transaction struct {
	*application
	stage     stage
	blocked   bool   // the application is blocked: AAC only
	challenge []byte // of the GET CHALLENGE just before
	options   []byte
	list1     []byte // values of CDOL1
	data      tlv.Store
	arqc      [8]byte
	first     byte // type of the first cryptogram
	auth      int
	refused   bool // the issuer has declined, and the card status update says so
	pinDone   bool
	pinFailed bool
	dynamic   bool // DDA or CDA was done
	scripts   int
	scriptBad bool
}

// Cryptogram is an entry of the card's own record of what it decided, for checks after a run.
type Cryptogram struct {
	AID      []byte
	ATC      uint16
	Kind     string // "AAC", "TC" or "ARQC"
	Asked    string // what the terminal wanted: the same, with "+CDA" or "+XDA" where a signature was to come
	Second   bool   // of the second GENERATE AC
	Amount   int64  // 9F02
	Currency string // 5F2A, four digits
}

// New makes a card of a profile. Errors are *ProfileError.
func New(p Profile) (*Card, error) {
	if err := p.complete(); err != nil {
		return nil, err
	}
	c := &Card{profile: p, rand: rand.Reader, blocked: p.CardBlocked}
	for _, a := range c.profile.Applications {
		tries := a.PINTries
		if a.PINLeft != nil {
			tries = *a.PINLeft
		}
		c.apps = append(c.apps, &application{
			counters: &counters{blocked: a.Blocked, atc: uint16(a.ATC), online: uint16(a.LastOnline), tries: tries, pin: p.PIN},
			a:        a, version: versionNamed(a.CVN),
		})
	}
	c.tag = newTag(c)
	return c, nil
}

// personalise signs the certificates of a card that is used for the first time: many are only looked at.
func (c *Card) personalise() {
	for _, a := range c.apps {
		if a.personal == nil {
			a.personal = personalise(a.a, c.profile.Holder)
		}
	}
}

// SetRand replaces the card's source of randomness, for repeatable runs.
func (c *Card) SetRand(r io.Reader) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rand = r
}

// Profile returns the profile of the card.
func (c *Card) Profile() Profile { return c.profile }

// PAN returns the account number of the first application, digits.
func (c *Card) PAN() string { return c.profile.Applications[0].PAN }

// PSN returns the sequence number of the first application, two digits.
func (c *Card) PSN() string { return c.profile.Applications[0].PSN }

// Expiry returns the expiry of the first application, YYMM.
func (c *Card) Expiry() string { return c.profile.Applications[0].Expiry }

// Cryptograms lists what the card has decided so far, oldest first.
func (c *Card) Cryptograms() []Cryptogram {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}

// ATR is the answer to reset: T=0 or T=1 as EMV Book 1, 8.3.2, has it, with "posd" and the profile's protocol as historical characters.
func (c *Card) ATR() []byte {
	if c.profile.Protocol == 0 {
		return []byte{0x3B, 0x65, 0x00, 0x00, 'p', 'o', 's', 'd', '0'}
	}
	atr := []byte{0x3B, 0xE5, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45, 'p', 'o', 's', 'd', '1'}
	var tck byte
	for _, b := range atr[1:] {
		tck ^= b
	}
	return append(atr, tck)
}

// Reset ends the transaction that was going on.
func (c *Card) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cur, c.dir = nil, nil
}

// Status words, Book 3, 6.3.5.
var (
	swOK          = []byte{0x90, 0x00}
	swInvalidated = []byte{0x62, 0x83}
	swAuthFailed  = []byte{0x63, 0x00}
	swLength      = []byte{0x67, 0x00}
	swNoChannel   = []byte{0x68, 0x81}
	swPINBlocked  = []byte{0x69, 0x83}
	swConditions  = []byte{0x69, 0x85}
	swBadMAC      = []byte{0x69, 0x88}
	swBadData     = []byte{0x6A, 0x80}
	swFunction    = []byte{0x6A, 0x81}
	swNoFile      = []byte{0x6A, 0x82}
	swNoRecord    = []byte{0x6A, 0x83}
	swP1P2        = []byte{0x6A, 0x86}
	swNoData      = []byte{0x6A, 0x88}
	swINS         = []byte{0x6D, 0x00}
	swCLA         = []byte{0x6E, 0x00}
)

// command is a command APDU. Le is of no interest: the reader below deals with it.
type command struct {
	cla, ins, p1, p2 byte
	data             []byte
}

// Transceive carries out a command APDU in short form and returns data and SW1 SW2.
func (c *Card) Transceive(apdu []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
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
	if c.blocked {
		return swFunction
	}
	c.personalise()
	// The answer is a copy: what the card keeps must not change under it.
	return slices.Clone(c.dispatch(cmd))
}

func (c *Card) dispatch(cmd command) []byte {
	type handler struct {
		cla byte
		do  func(command) []byte
	}
	h, ok := map[byte]handler{
		0xA4: {0x00, c.selectFile},
		0xB2: {0x00, c.readRecord},
		0x84: {0x00, c.getChallenge},
		0x20: {0x00, c.verify},
		0x88: {0x00, c.internalAuthenticate},
		0x82: {0x00, c.externalAuthenticate},
		0xA8: {0x80, c.getProcessingOptions},
		0xAE: {0x80, c.generateAC},
		0xCA: {0x80, c.getData},
		0x1E: {0x84, c.script},
		0x18: {0x84, c.script},
		0x16: {0x84, c.script},
		0x24: {0x84, c.script},
		0xDA: {0x04, c.script},
		0xDC: {0x04, c.script},
	}[cmd.ins]
	switch {
	case !ok:
		return swINS
	case cmd.cla&0x03 != 0 && cmd.cla&0x7F < 0x10:
		return swNoChannel
	case cmd.cla != h.cla:
		return swCLA
	}
	out := h.do(cmd)
	if c.cur != nil && cmd.ins != 0x84 {
		c.cur.challenge = nil // a challenge is good for the next command only
	}
	return out
}

// ok appends 9000.
func ok(data []byte) []byte { return append(data, swOK...) }
