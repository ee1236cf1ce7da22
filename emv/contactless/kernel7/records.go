package kernel7

import (
	"bytes"
	"context"

	"posd/emv"
	"posd/emv/tlv"
)

const maxRecords = 32 // that a card may have read in a tap; cards have fewer than ten

// place is one record: a file, a number, and whether it takes part in authentication.
type place struct {
	sfi, number byte
	signed      bool
}

// files reads an AFL (Book 3, 10.2).
func files(afl []byte) (list []place, why string) {
	if len(afl) == 0 || len(afl)%4 != 0 || len(afl) > 252 {
		return nil, "the AFL is not of entries of four bytes"
	}
	for i := 0; i < len(afl); i += 4 {
		sfi, first, last, signed := afl[i]>>3, int(afl[i+1]), int(afl[i+2]), int(afl[i+3])
		switch {
		case sfi == 0, sfi == 31:
			return nil, "an entry of the AFL has no SFI"
		case first == 0, last < first, signed > last-first+1:
			return nil, "an entry of the AFL names impossible records"
		case len(list)+last-first+1 > maxRecords:
			return nil, "the AFL names too many records"
		}
		for n := first; n <= last; n++ {
			list = append(list, place{sfi, byte(n), n < first+signed})
		}
	}
	return list, ""
}

// records reads what the AFL names. The card debits its purse when it gives out the last record: what would speak against an approval is
// looked at before that one is asked for (JR/T, 7.7.20, and UnionPay's rule that the expiry date stands in no last record).
func records(ctx context.Context, r *run) (state, error) {
	list, why := files(r.get(tagAFL))
	if why != "" {
		return r.badCard("%s", why)
	}
	for i, p := range list {
		last := i == len(list)-1
		if last {
			if s := r.early(); s != nil {
				r.readOK()
				return s, nil
			}
		}
		data, sw, err := r.exchange(ctx, r.command(0x00, 0xB2, p.number, p.sfi<<3|0x04, nil))
		switch {
		case err == errLost && last:
			r.k.tear(r)
			return r.again()
		case err != nil:
			return r.lost(err)
		case sw != swOK:
			return r.badCard("READ RECORD: status %04X", sw)
		}
		if why, args := r.takeRecord(p, data); why != "" {
			return r.badCard(why, args...)
		}
		if why, args := r.account(); why != "" {
			return r.badCard(why, args...)
		}
		if r.pan != "" && r.k.owes(r) {
			return r.over()
		}
	}
	r.whole = true
	return cashAfter, nil
}

// early stops before the last record where the outcome no longer depends on it.
func (r *run) early() state {
	switch {
	case r.expiry != 0 && r.expiry < r.today():
		return expired
	case r.listed():
		return listed
	case r.icc.Has(tagCAIndex) && !r.haveCAKey():
		r.explain("no key of the certification authority")
		return unauthenticated
	}
	return nil
}

// takeRecord keeps the objects of one record and, when it is signed, its bytes: the whole record, for SFI 1 to 10 without tag and length of
// template 70 (Book 3, 10.3).
func (r *run) takeRecord(p place, b []byte) (why string, args []any) {
	o, err := tlv.One(b)
	bad := err != nil || o.Tag != tagRecord
	if p.sfi <= 10 && (bad || !zeros(b[:o.Offset]) || !zeros(b[o.End:])) {
		return "record %d of file %d is not one template %s", []any{p.number, p.sfi, tagRecord}
	}
	if p.signed {
		switch {
		case p.sfi <= 10:
			r.signed = append(append(append(r.signed, b[:o.Offset]...), o.Value...), b[o.End:]...)
		default:
			r.broken = r.broken || bad
			r.signed = append(r.signed, b...)
		}
	}
	if bad {
		return "", nil // files 11 to 30 may have any coding
	}
	return r.take(o.Value, inEither)
}

func zeros(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// listed tells whether the card is on the terminal's exception file.
func (r *run) listed() bool {
	if r.a.Exception == nil || r.pan == "" {
		return false
	}
	e := emv.Exception{AID: r.a.Combination.AID, PAN: r.pan, PSN: r.psn}
	if r.expiry != 0 {
		e.Expiry = string([]byte{
			'0' + byte(r.expiry/100000%10), '0' + byte(r.expiry/10000%10), '0' + byte(r.expiry/1000%10), '0' + byte(r.expiry/100%10),
		})
	}
	return r.a.Exception(e)
}

func (r *run) haveCAKey() bool {
	v := r.get(tagCAIndex)
	for i := range r.a.CAKeys {
		if k := &r.a.CAKeys[i]; len(v) == 1 && k.Index == v[0] && bytes.HasPrefix(r.a.ADF, k.RID[:]) {
			return true
		}
	}
	return false
}
