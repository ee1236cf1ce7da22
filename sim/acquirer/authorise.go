package acquirer

import (
	"fmt"
	"strings"
	"time"

	"posd/emv/tlv"
	"posd/sim"
	"posd/vault"
)

// maxWrongPINs is how many wrong PINs in a row block an account.
const maxWrongPINs = 3

// decision is what the host makes of a request.
type decision struct {
	code    string // field 39
	outcome string // for the ledger
	auth    string // field 38
	rrn     string // field 37
	issuer  []byte // value of tag 91
	scripts []byte // 71 and 72
	fields  map[int]string
	unsafe  bool // the terminal's keys are not there or not agreed: the answer has no MAC
}

func refuse(code, why string, args ...any) decision {
	return decision{code: code, outcome: "refused: " + fmt.Sprintf(why, args...)}
}

// decide processes a request. h.mu is held.
func (h *Host) decide(r *request) decision {
	if d, ok := h.admit(r); !ok {
		return d
	}
	switch r.msg.MTI() {
	case mtiSignOn:
		return h.signOn(r)
	case mtiManage:
		return decision{code: "00", outcome: "echo"}
	case mtiReversal:
		return h.reverse(r)
	case mtiNotice:
		return h.note(r)
	case mtiVoice:
		return h.voice(r)
	}
	if r.upload() {
		return h.upload(r)
	}
	return h.sell(r)
}

// admit checks what every request must satisfy: a known terminal, the right fields, a MAC where there is money.
func (h *Host) admit(r *request) (decision, bool) {
	if h.opt.TID != "" && (r.key.TID != h.opt.TID || r.msg.Text(42) != h.opt.MID) {
		return decision{code: "97", outcome: "refused: terminal unknown", unsafe: true}, false
	}
	t := h.terminals[r.key.TID]
	money := financial(r.msg.MTI())
	if money {
		if t == nil || t.mak == nil {
			return decision{code: "77", outcome: "refused: not signed on", unsafe: true}, false
		}
		if !r.macGood(t.mak) {
			return refuse("A0", "MAC wrong"), false
		}
	}
	if why := r.checkFields(); why != "" {
		return refuse("30", "%s", why), false
	}
	if money {
		return decision{}, true
	}
	network := r.msg.Text(60)[8:11]
	if r.msg.IsMTI(mtiSignOn) && network != "001" && network != "003" || r.msg.IsMTI(mtiManage) && network != "301" {
		return refuse("40", "field 60.3 of %s is not served", network), false
	}
	return decision{}, true
}

// sell decides on a 0200.
func (h *Host) sell(r *request) decision {
	if old, ok := h.sales[r.key]; ok {
		if old.reversed && old.pan == "" {
			return refuse("94", "its reversal came first")
		}
		return refuse("94", "STAN used before")
	}
	// From here on the STAN is used up, whatever is decided.
	s := &sale{pan: r.pan, minor: r.minor}
	h.sales[r.key] = s
	if r.msg.Text(3) != "000000" {
		return refuse("40", "processing code not served")
	}
	a, ok := h.accounts[r.pan]
	if !ok {
		return refuse("14", "card unknown")
	}
	d := h.judge(r, a)
	if h.hitLocked(Decline05, mtiSale) {
		d = refuse("05", "on request of the fault switch")
	}
	if h.hitLocked(Refer01, mtiSale) {
		d = refuse("01", "on request of the fault switch")
	}
	s.referred = d.code == "01" || d.code == "02"
	h.rrn++
	d.rrn = fmt.Sprintf("%012d", h.rrn)
	if icc := r.msg.Get(55); icc != nil && h.opt.Issuer != nil {
		answer, err := h.opt.Issuer.Authorise(a.PAN, psnOf(r), icc, d.code)
		if err != nil {
			rrn := d.rrn
			d = refuse("59", "cryptogram: %v", err)
			d.rrn = rrn
		} else {
			d.issuer = answer
			if d.scripts, err = h.scripts(r, a); err != nil {
				h.opt.Trace.Emit("acquirer", "", "no script", sim.Field{Name: "cause", Value: err.Error()})
			}
			s.scripted = d.scripts != nil
		}
	}
	if d.code == "00" {
		a.Balance -= r.minor
		s.held = r.minor
		d.auth = fmt.Sprintf("%06d", (h.rrn*7919)%1000000)
		d.outcome = "approved"
	}
	return d
}

// psnOf is the card sequence number of field 23 in two digits, "" when absent.
func psnOf(r *request) string {
	if f23 := r.msg.Text(23); len(f23) == 3 {
		return f23[1:]
	}
	return ""
}

// judge is the issuer's opinion, money not moved.
func (h *Host) judge(r *request, a *account) decision {
	m := r.msg
	switch {
	case a.Code != "":
		return refuse(a.Code, "the account is set to refuse")
	case m.Has(14) && m.Text(14) != a.Expiry:
		return refuse("54", "expiry date differs from the account's")
	case expired(a.Expiry, h.opt.Now()):
		return refuse("54", "card expired")
	case stripe(r) && trackOf(r).expiry != a.Expiry:
		return refuse("54", "expiry date of the stripe differs from the account's")
	case stripe(r) && trackOf(r).chip && r.msg.Text(60)[12] != '2':
		return refuse("45", "chip card swiped")
	case a.PSN != "" && m.Has(23) && psnOf(r) != a.PSN:
		return refuse("14", "card sequence number unknown")
	}
	if why := amountInCard(r); why != "" {
		return refuse("64", "%s", why)
	}
	if m.Has(52) {
		if d, ok := h.verifyPIN(r, a); !ok {
			return d
		}
	}
	if a.Balance < r.minor {
		return refuse("51", "balance too low")
	}
	return decision{code: "00"}
}

// stripe tells whether the card was swiped (field 22).
func stripe(r *request) bool { return strings.HasPrefix(r.msg.Text(22), "02") }

// trackOf is what an issuer looks at on track 2: the expiry date, and whether the service code speaks of a chip.
func trackOf(r *request) (t struct {
	expiry string
	chip   bool
},
) {
	_, rest, _ := strings.Cut(r.msg.Text(35), "D")
	if len(rest) >= 7 {
		t.expiry, t.chip = rest[:4], rest[4] == '2' || rest[4] == '6'
	}
	return t
}

// expired tells whether the last day of the month YYMM is over.
func expired(expiry string, now time.Time) bool {
	end, err := time.ParseInLocation("0601", expiry, now.Location())
	return err != nil || !now.Before(end.AddDate(0, 1, 0))
}

// amountInCard compares amount and currency that the card has signed with those of the message. checkFields has seen that field 55
// is TLV.
func amountInCard(r *request) string {
	d := tlv.NewDecoder(r.msg.Get(55))
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		switch o.Tag {
		case 0x9F02:
			if v, err := tlv.Number(o.Value); err != nil || v != r.minor {
				return "tag 9F02 differs from field 4"
			}
		case 0x5F2A:
			if v, err := tlv.Number(o.Value); err != nil || v != 156 {
				return "tag 5F2A differs from field 49"
			}
		}
	}
	return ""
}

// verifyPIN deciphers the PIN block and compares. ok is false with the refusal.
func (h *Host) verifyPIN(r *request, a *account) (decision, bool) {
	if a.wrong >= maxWrongPINs {
		return refuse("75", "PIN tries exceeded"), false
	}
	clear8, err := vault.DecryptECB(h.terminals[r.key.TID].pik, r.msg.Get(52))
	if err != nil {
		return refuse("99", "PIN block"), false
	}
	pin, err := vault.DecodePIN([8]byte(clear8), a.PAN)
	if err != nil || clear8[0]>>4 != 0 {
		return refuse("99", "PIN block is not of format 0"), false
	}
	if a.PIN == "" || pin != a.PIN {
		a.wrong++
		return refuse("55", "wrong PIN"), false
	}
	a.wrong = 0
	return decision{}, true
}

// reverse decides on a 0400.
func (h *Host) reverse(r *request) decision {
	s, ok := h.sales[r.key]
	if !ok {
		// The sale may still be on its way: it must find its reversal here.
		h.sales[r.key] = &sale{minor: r.minor, reversed: true}
		return refuse("25", "no such transaction")
	}
	switch {
	case s.pan == "" && s.reversed:
		return refuse("25", "no such transaction")
	case s.minor != r.minor:
		return refuse("64", "amount differs from the original's")
	case r.pan != "" && r.pan != s.pan:
		return refuse("25", "card differs from the original's")
	case s.reversed:
		return decision{code: "00", outcome: "reversed before"}
	}
	s.reversed = true
	d := decision{code: "00", outcome: "nothing to reverse"}
	if s.held != 0 {
		if a := h.accounts[s.pan]; a != nil {
			a.Balance += s.held
		}
		s.held = 0
		d.outcome = "reversed"
	}
	return d
}
