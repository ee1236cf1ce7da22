package acquirer

import (
	"bytes"
	"maps"
	"slices"
	"time"
)

// Key names a transaction: it is never used twice (STAN by terminal and batch).
type Key struct {
	TID   string
	Batch uint32
	STAN  uint32
}

// Entry is one request that the host has seen, in the order of arrival.
type Entry struct {
	Seq     int       `json:"seq"`
	Time    time.Time `json:"time"`
	MTI     string    `json:"mti"` // "" when the request could not be read
	TID     string    `json:"tid"`
	Batch   uint32    `json:"batch"`
	STAN    uint32    `json:"stan"`
	Minor   int64     `json:"minor"`           // field 4
	PAN     string    `json:"pan"`             // first 6 and last 4
	Entry   string    `json:"entry,omitempty"` // field 22, and 60.5 behind a slash: "021/2" is a fallback with a PIN
	Code    string    `json:"code"`            // field 39 that the host decided on, "" when it did not answer at all
	Auth    string    `json:"auth,omitempty"`
	RRN     string    `json:"rrn,omitempty"`
	Outcome string    `json:"outcome"`         // in words
	Fault   string    `json:"fault,omitempty"` // what was done to the answer
	Raw     []byte    `json:"-"`               // the frame's content as it came, byte for byte; holds secrets
}

// sale is a transaction in the host's books.
type sale struct {
	pan      string
	minor    int64
	held     int64 // minor units that the host holds for the merchant
	reversed bool
	scripted bool   // the answer held scripts
	uploaded bool   // the card had approved it already
	rrn      string // of an upload
	referred bool   // the answer was that the issuer wants to be called
	advised  bool   // and on the telephone it said yes
	original Key    // of a sale approved on the telephone
}

// Ledger returns every request seen so far. Raw holds secrets: it is for comparing, not for showing.
func (h *Host) Ledger() []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := slices.Clone(h.ledger)
	for i := range out {
		out[i].Raw = bytes.Clone(out[i].Raw)
	}
	return out
}

// Held returns the money held for the merchant in minor units, by transaction, without those for which nothing is held.
func (h *Host) Held() map[Key]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[Key]int64{}
	for k, s := range h.sales {
		if s.held != 0 {
			out[k] = s.held
		}
	}
	return out
}

// TotalHeld is the sum of Held.
func (h *Host) TotalHeld() (minor int64) {
	for v := range maps.Values(h.Held()) {
		minor += v
	}
	return minor
}

// enter writes a line of the ledger and returns its index. h.mu is held.
func (h *Host) enter(e Entry) int {
	e.Seq, e.Time = len(h.ledger)+1, h.opt.Now()
	h.ledger = append(h.ledger, e)
	return e.Seq - 1
}

// maskPAN keeps the first six and the last four digits.
func maskPAN(pan string) string {
	if len(pan) < 13 { // a number that short would be nearly whole
		return string(bytes.Repeat([]byte{'*'}, len(pan)))
	}
	return pan[:6] + string(bytes.Repeat([]byte{'*'}, len(pan)-10)) + pan[len(pan)-4:]
}
