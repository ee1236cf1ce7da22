package kernel7

import (
	"bytes"
	"context"
	"strconv"
	"strings"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// UnionPay's rules for small amounts in China, 小额免密免签 (QPS): neither PIN nor signature up to a limit. They are the acquirer's
// parameters (parameters.go); the procedure is that of two public terminals, which agree but for what is said here.

// credit are the applications that count as credit cards: credit and quasi-credit.
var credit = [...]string{"\xA0\x00\x00\x03\x33\x01\x01\x02", "\xA0\x00\x00\x03\x33\x01\x01\x03"}

// homeCurrency is the renminbi: a card that has it is a card of this country.
var homeCurrency = []byte{0x01, 0x56}

// BIN is one row of a table: the first digits of account numbers of one length.
type BIN struct {
	Prefix string
	Length int // of the whole number; 0 is any
}

// BINTable is a list of rows, a few thousand at most.
type BINTable []BIN

// Has tells whether an account number is of one of the rows.
func (t BINTable) Has(pan string) bool {
	for _, b := range t {
		if b.Prefix != "" && strings.HasPrefix(pan, b.Prefix) && (b.Length == 0 || b.Length == len(pan)) {
			return true
		}
	}
	return false
}

// exempted spares the cardholder what the rules spare him, and lets the card go: no exchange follows.
func exempted(ctx context.Context, r *run) (state, error) {
	if r.cvm == contactless.OnlinePIN && r.online && r.small(r.k.cfg.QPS, r.k.cfg.NoPINLimit) {
		known, err := r.knowHome(ctx)
		if err != nil {
			return nil, err
		}
		r.exempt.PIN = known && r.spared()
	}
	r.exempt.Signature = r.k.cfg.NoSignature && r.small(true, r.k.cfg.NoSignatureLimit)
	if r.exempt.PIN || r.exempt.Signature && r.cvm == contactless.Signature {
		r.cvm = contactless.NoCVM
	}
	r.readOK()
	return conclude, nil
}

// small: purchases and pre-authorisations up to a limit.
func (r *run) small(on bool, limit int64) bool {
	return on && r.sale() && r.a.Transaction.Amount.Minor <= limit
}

// knowHome finds out whether the card is of this country: one that names no currency is, or one of whose two is the renminbi. They are asked
// for while the card is still there; known is false when it is not.
func (r *run) knowHome(ctx context.Context) (known bool, err error) {
	if r.k.cfg.HomeOnly {
		r.home = true
		return true, nil
	}
	named := false
	for _, t := range [...]tlv.Tag{tagCardCurrency, tagCardCurrency2} {
		v, ok := r.icc.Get(t)
		if !ok {
			if r.told {
				return false, nil // the card may be gone
			}
			v, ok, err = r.getData(ctx, t)
			switch {
			case err == errLost:
				r.explain("the card left before it had named its currencies")
				return false, nil
			case err != nil:
				return false, err
			case ok:
				r.icc.Set(t, v)
			}
		}
		named = named || ok && len(v) > 0
		r.home = r.home || bytes.Equal(v, homeCurrency)
	}
	r.home = r.home || !named
	return true, nil
}

// spared tells whether no PIN is asked for; the amount is within the limit. One of the two terminals leaves the limit out in the last stage;
// it is kept here.
func (r *run) spared() bool {
	c := &r.k.cfg
	isCredit := false
	for _, aid := range credit {
		isCredit = isCredit || strings.HasPrefix(string(r.a.ADF), aid)
	}
	switch {
	case !r.home && isCredit:
		return true
	case !r.home:
		return r.hasCTQ && !ctqOnlinePIN.in(r.ctq[:])
	case c.UseTableA:
		return c.TableA.Has(r.pan)
	case c.UseTableB:
		return isCredit || c.TableB.Has(r.pan)
	}
	return !c.Blocked.Has(r.pan)
}

// String says what a row is, for messages.
func (b BIN) String() string { return b.Prefix + "/" + strconv.Itoa(b.Length) }
