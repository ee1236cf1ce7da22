package acquirer

import (
	"encoding/binary"
	"fmt"
	"io"

	"posd/emv/tlv"
	"posd/netlink/iso8583"
	"posd/vault"
)

// Institutions of fields 32 and 44.
const (
	institution = "01020000"
	issuerName  = "01030000"
)

// echoed are the fields that an answer repeats from its request.
var echoed = []int{2, 3, 4, 11, 14, 25, 41, 42, 49, 60}

// answer is an answer on its way.
type answer struct {
	msg  *iso8583.Message
	head []byte // TPDU and header
	mak  []byte // nil: no MAC
}

// answerTo builds the answer to a request. h.mu is held.
func (h *Host) answerTo(r *request, d decision) *answer {
	m := iso8583.NewMessage(spec)
	set := func(n int, v string) {
		if err := m.SetText(n, v); err != nil {
			panic(err) // the host's own values do not fit its own table
		}
	}
	mti := r.msg.MTI()
	if err := m.SetMTI(mti[:2] + string(mti[2]+1) + mti[3:]); err != nil {
		panic(err)
	}
	for _, n := range echoed {
		if v := r.msg.Get(n); v != nil {
			set(n, string(v))
		}
	}
	now := h.opt.Now()
	set(12, now.Format("150405"))
	set(13, now.Format("0102"))
	set(32, institution)
	set(39, d.code)
	if financial(mti) {
		set(15, now.Format("0102"))
		set(44, fmt.Sprintf("%-11s%-11s", issuerName, institution))
		set(63, "CUP")
	}
	if d.rrn != "" {
		set(37, d.rrn)
	}
	if d.auth != "" {
		set(38, d.auth)
	}
	var icc []byte
	if len(d.issuer) > 0 {
		icc = tlv.Append(nil, 0x91, d.issuer)
	}
	if icc = append(icc, d.scripts...); len(icc) > 0 {
		set(55, string(icc))
	}
	for n, v := range d.fields {
		set(n, v)
	}
	a := &answer{msg: m}
	// The answer goes back to where the request came from: destination and source change places.
	a.head = append(a.head, r.tpdu[0], r.tpdu[3], r.tpdu[4], r.tpdu[1], r.tpdu[2])
	a.head = append(a.head, r.header[:]...)
	a.head[tpduSize+2] = a.head[tpduSize+2]&0xF0 | h.requested
	if t := h.terminals[r.key.TID]; t != nil && !d.unsafe && financial(mti) {
		a.mak = t.mak
	}
	return a
}

// frame is the answer with its length, ready for the line.
func (a *answer) frame() []byte {
	if a.mak != nil {
		if err := a.msg.Set(64, make([]byte, macSize)); err != nil {
			panic(err)
		}
	}
	out := append(make([]byte, 2, 512), a.head...)
	from := len(out)
	out, err := a.msg.Append(out)
	if err != nil {
		panic(err)
	}
	if a.mak != nil {
		end := len(out) - macSize
		mac := macOf(a.mak, out[from:end])
		copy(out[end:], mac[:])
	}
	binary.BigEndian.PutUint16(out, uint16(len(out)-2))
	return out
}

// signOn makes new working keys. h.mu is held.
func (h *Host) signOn(r *request) decision {
	network := r.msg.Text(60)[8:11]
	size := 8
	if network == "003" {
		size = 16
	}
	pik, err := h.newKey(size)
	if err != nil {
		return refuse("96", "no keys: %v", err)
	}
	mak, err := h.newKey(8)
	if err != nil {
		return refuse("96", "no keys: %v", err)
	}
	t := h.terminals[r.key.TID]
	if t == nil {
		t = &terminal{batch: 1}
		h.terminals[r.key.TID] = t
	}
	t.pik, t.mak = pik, mak
	f62 := h.wrap(nil, pik, 0)
	pad := 0
	if network == "003" {
		pad = 8
	}
	f62 = h.wrap(f62, mak, pad)
	h.rrn++
	return decision{code: "00", outcome: "signed on", rrn: fmt.Sprintf("%012d", h.rrn), fields: map[int]string{
		60: fmt.Sprintf("00%06d%s", t.batch, network), 62: string(f62),
	}}
}

// newKey draws a random key with odd parity.
func (h *Host) newKey(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(h.opt.Rand, b); err != nil {
		return nil, err
	}
	return vault.OddParity(b), nil
}

// wrap appends a key under the master key, pad zeros and four bytes of check value.
func (h *Host) wrap(dst, key []byte, pad int) []byte {
	enc, err := vault.EncryptECB(h.opt.TMK, key)
	if err != nil {
		panic(err) // sizes are the host's own
	}
	kcv, err := vault.KCV(key, 4)
	if err != nil {
		panic(err)
	}
	dst = append(dst, enc...)
	dst = append(dst, make([]byte, pad)...)
	return append(dst, kcv...)
}
