package acquirer

import (
	"fmt"
	"slices"

	"posd/emv/tlv"
)

// Verifier is an Issuer that can check a cryptogram of any type without answering it: the transaction certificate of an upload.
type Verifier interface {
	Verify(pan, psn string, icc []byte) error
}

// Notice is what a script notice (0620) has told the host.
type Notice struct {
	Original Key    // the sale whose answer held the scripts
	Results  []byte // DF31: five bytes a script
}

// notice is a script notice in the host's books.
type notice struct {
	Notice
	minor int64
}

// Notices returns the script notices, by their own key.
func (h *Host) Notices() map[Key]Notice {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[Key]Notice{}
	for k, n := range h.notices {
		n.Results = slices.Clone(n.Results)
		out[k] = n.Notice
	}
	return out
}

// original reads field 61: batch and trace number of the transaction that a notice is about.
func (r *request) original() (Key, bool) {
	f61 := r.msg.Text(61)
	if len(f61) < 16 {
		return Key{}, false
	}
	return Key{TID: r.key.TID, Batch: uint32(number(f61[:6])), STAN: uint32(number(f61[6:12]))}, true
}

// tagged returns a data object of field 55, nil when it is not there. checkFields has seen that field 55 is TLV.
func (r *request) tagged(want tlv.Tag) []byte {
	d := tlv.NewDecoder(r.msg.Get(55))
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if o.Tag == want {
			return o.Value
		}
	}
	return nil
}

// note decides on a 0620.
func (h *Host) note(r *request) decision {
	original, ok := r.original()
	if !ok {
		return refuse("30", "field 61 does not name a transaction")
	}
	if old, ok := h.notices[r.key]; ok {
		if old.Original != original || old.minor != r.minor {
			return refuse("30", "STAN used before, by another notice")
		}
		return decision{code: "94", outcome: "noticed before"}
	}
	if _, ok := h.sales[r.key]; ok {
		return refuse("30", "STAN used before, by a sale")
	}
	s, ok := h.sales[original]
	if !ok || s.minor != r.minor || s.pan != r.pan {
		return refuse("25", "no such transaction")
	}
	results := r.tagged(0xDF31)
	if len(results) == 0 || len(results)%5 != 0 {
		return refuse("30", "no results in DF31")
	}
	if !s.scripted {
		return refuse("25", "no script was sent with that answer")
	}
	h.notices[r.key] = notice{Notice{original, slices.Clone(results)}, r.minor}
	return decision{code: "00", outcome: "noticed"}
}

// upload decides on a sale that the card has approved already (0200, 60.1 = 36).
func (h *Host) upload(r *request) decision {
	if old, ok := h.sales[r.key]; ok {
		if !old.uploaded || old.minor != r.minor || old.pan != r.pan {
			return refuse("30", "STAN used before, by another transaction")
		}
		return decision{code: "94", outcome: "uploaded before", rrn: old.rrn}
	}
	a, ok := h.accounts[r.pan]
	switch {
	case !ok:
		return refuse("14", "card unknown")
	case a.Code != "":
		return refuse(a.Code, "the account is set to refuse")
	}
	if h.hitLocked(Decline05, mtiSale) {
		return refuse("05", "on request of the fault switch")
	}
	if why := amountInCard(r); why != "" {
		return refuse("64", "%s", why)
	}
	if cid := r.tagged(0x9F27); len(cid) != 1 || cid[0]&0xC0 != 0x40 {
		return refuse("59", "the card did not approve")
	}
	if arc := string(r.tagged(0x8A)); arc != "Y1" && arc != "Y3" {
		return refuse("59", "8A is not that of an offline approval")
	}
	if v, ok := h.opt.Issuer.(Verifier); ok {
		if err := v.Verify(a.PAN, psnOf(r), r.msg.Get(55)); err != nil {
			return refuse("59", "certificate: %v", err)
		}
	}
	h.rrn++
	s := &sale{pan: r.pan, minor: r.minor, held: r.minor, uploaded: true, rrn: fmt.Sprintf("%012d", h.rrn)}
	h.sales[r.key] = s
	a.Balance -= r.minor // the goods are gone: the account pays, if it must below zero
	return decision{code: "00", outcome: "uploaded", rrn: s.rrn}
}

// voice decides on a 0220: a sale that the issuer has approved on the telephone, after it had answered that it wants to be called.
func (h *Host) voice(r *request) decision {
	original, ok := r.original()
	if !ok {
		return refuse("30", "field 61 does not name a transaction")
	}
	if old, ok := h.sales[r.key]; ok {
		if old.original != original || old.minor != r.minor || old.pan != r.pan {
			return refuse("30", "STAN used before, by another transaction")
		}
		return decision{code: "94", outcome: "advised before", rrn: old.rrn}
	}
	s, ok := h.sales[original]
	a := h.accounts[r.pan]
	switch {
	case !ok || a == nil || s.pan != r.pan || s.minor != r.minor || !s.referred || s.reversed:
		return refuse("25", "no such referral")
	case s.advised:
		return refuse("30", "advised before under another STAN")
	}
	s.advised = true
	h.rrn++
	n := &sale{pan: r.pan, minor: r.minor, held: r.minor, original: original, rrn: fmt.Sprintf("%012d", h.rrn)}
	h.sales[r.key] = n
	a.Balance -= r.minor
	return decision{code: "00", outcome: "advised", rrn: n.rrn}
}

// scripts are the issuer's commands for the card: those of the account, and those that a fault switch wants. h.mu is held.
func (h *Host) scripts(r *request, a *account) ([]byte, error) {
	if h.opt.Scripts == nil {
		return nil, nil
	}
	var out []byte
	for _, s := range []struct {
		template byte
		names    []string
		fault    string
	}{{0x71, a.Before, Script71}, {0x72, a.After, Script72}} {
		names := s.names
		if len(names) == 0 && h.hitLocked(s.fault, mtiSale) {
			names = []string{harmless}
		}
		if len(names) == 0 {
			continue
		}
		b, err := h.opt.Scripts(s.template, a.PAN, psnOf(r), r.msg.Get(55), names)
		if err != nil {
			return out, err
		}
		out = append(out, b...)
	}
	return out, nil
}

// harmless is the script command that the fault switches send.
const harmless = "unblock-pin"
