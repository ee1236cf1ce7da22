package kernel2

import (
	"context"
	"fmt"
	"time"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// state is a state of the book's machine (Book C-2, chapter 6), or a step that several of them share.
type state uint8

// States. A state here sends the command whose answer the book's state waits for, and deals with it.
const (
	done     state = iota
	state1         // idle
	state2         // waiting for PDOL data
	state3         // waiting for GPO response
	stateR1        // waiting for exchange relay resistance data response
	state3R1       // S3R1: common processing of S3 and SR1
	state4         // waiting for EMV read record response
	state5         // waiting for get data response
	state6         // waiting for EMV mode first write flag
	state456       // S456: common processing of S4, S5 and S6
	state7         // waiting for mag-stripe read record response
	state8         // waiting for mag-stripe first write flag
	state78        // S78: common processing of S7 and S8
	state9         // waiting for generate AC response - 1
	state10        // waiting for recover AC response
	state11        // waiting for generate AC response - 2
	state12        // waiting for put data response before generate AC
	state13        // waiting for CCC response - 1
	state14        // waiting for CCC response - 2
	state15        // waiting for put data response after generate AC
	state16        // waiting for pre-gen AC balance
	state17        // waiting for post-gen AC balance
	stateAC        // S456.42 and S12.13: recover or generate
	state910       // S910: common processing of S9 and S10, and S11 from its step 25 on
)

func (t *tap) step(s state) (state, error) {
	switch s {
	case state1:
		return t.idle()
	case state2:
		return t.pdolData()
	case state3:
		return t.gpo()
	case stateR1:
		return t.relay()
	case state3R1:
		return t.afterGPO()
	case state4:
		return t.readRecord()
	case state5:
		return t.getData()
	case state6:
		return t.firstWrite()
	case state456:
		return t.prepareAC()
	case state7:
		return t.readMagRecord()
	case state8:
		return t.magFirstWrite()
	case state78:
		return t.prepareCCC()
	case state9:
		return t.generateAC1()
	case state10:
		return t.recoverAC()
	case state11:
		return t.generateAC2()
	case state12:
		return t.putBefore()
	case state13:
		return t.ccc1()
	case state14:
		return t.ccc2()
	case state15:
		return t.putAfter()
	case state16:
		return t.balanceBefore()
	case state17:
		return t.balanceAfter()
	case stateAC:
		return t.chooseAC()
	case state910:
		return t.afterAC()
	}
	return done, fmt.Errorf("kernel2: no state %d", s)
}

// tap is one activation of the kernel: one presentation of a card.
type tap struct {
	k    *Kernel
	ctx  context.Context
	card contactless.Card
	a    *contactless.Activation
	db   database
	cmd  []byte

	mode     mode
	tvr      []byte // 95, in the database
	caps     []byte // 9F33, in the database
	ids      []byte // DF8128, in the database
	onDevice bool   // card and reader do verification on the cardholder's device
	cda      bool   // ODA status: combined authentication is wanted
	static   []byte // static data to be authenticated
	records  []record

	ex exchange // data exchange

	acType    byte   // what the terminal asks for: acAAC, acTC or acARQC
	generate  []byte // data of GENERATE AC
	cdol1     tlv.DOL
	answer    []byte      // template of the answer with the cryptogram, for its hash
	tornTemp  *tornRecord // the record that RECOVER AC is about
	secondGAC bool        // the answer came in state 11
	rrpTime   int64       // measured time, units of 100 us
	nUN       int
	un8       string // the unpredictable number of mag-stripe mode, eight digits

	cvm       contactless.CVM
	receipt   bool
	hold      time.Duration // DF812D
	languages []string
	fieldOff  time.Duration
	secondTap *contactless.UIRequest
	out       contactless.Outcome
}

// mode says which discretionary data an outcome carries.
type mode uint8

const (
	modeNone mode = iota // not known yet: the error indication alone
	modeEMV
	modeMag
)

// command makes a command APDU in the tap's buffer; data may be nil.
func (t *tap) command(cla, ins, p1, p2 byte, data []byte, le bool) []byte {
	c := append(t.cmd[:0], cla, ins, p1, p2)
	if len(data) > 0 {
		c = append(append(c, byte(len(data))), data...)
	}
	if le {
		c = append(c, 0x00)
	}
	t.cmd = c
	return c
}

// send exchanges one command. l1 is not 0 when the card could not be talked to. The answer's bytes are the kernel's own. An error ends the
// activation: ctx is over.
func (t *tap) send(c []byte) (data []byte, sw uint16, l1 byte, err error) {
	return t.sendWith(t.ctx, c)
}

// sendAlways is send for commands after which the card has made a cryptogram: ctx does not cut it short, for that would tear the
// transaction. cryptogramTime bounds it where a driver does not.
func (t *tap) sendAlways(c []byte) (data []byte, sw uint16, l1 byte, err error) {
	if err := t.ctx.Err(); err != nil {
		return nil, 0, 0, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), cryptogramTime)
	defer cancel()
	return t.sendWith(ctx, c)
}

// cryptogramTime is far beyond the longest frame waiting time of ISO/IEC 14443-4 (about five seconds).
const cryptogramTime = 15 * time.Second

func (t *tap) sendWith(ctx context.Context, c []byte) (data []byte, sw uint16, l1 byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, 0, err
	}
	r, e := t.card.Transceive(ctx, c)
	if e != nil && t.ctx.Err() != nil && ctx == t.ctx {
		return nil, 0, 0, t.ctx.Err()
	}
	if e == nil && (len(r) < 2 || len(r) > 258) {
		e = errProtocol
	}
	if e != nil {
		return nil, 0, layer1(e), nil
	}
	n := len(r) - 2
	return append([]byte(nil), r[:n]...), uint16(r[n])<<8 | uint16(r[n+1]), 0, nil
}

// stopped tells whether STOP has come.
func (t *tap) stopped() bool { return t.k.stop.Load() }

// amount is 9F02 in minor units.
func (t *tap) amount() int64 { return t.db.decimal(tagAmount) }
