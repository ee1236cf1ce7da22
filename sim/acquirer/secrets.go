package acquirer

import (
	"encoding/hex"
	"strings"
)

// Secrets returns what must never be seen outside of the PIN pad and this host, by name: keys in hexadecimal, card numbers. Tests look
// for them in everything that posd writes.
func (h *Host) Secrets() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]string{"terminal master key": upperHex(h.opt.TMK)}
	for tid, t := range h.terminals {
		if t.pik != nil {
			out["PIN key of "+tid] = upperHex(t.pik)
			out["MAC key of "+tid] = upperHex(t.mak)
		}
	}
	for _, a := range h.opt.Accounts {
		out["card number "+a.PAN[:6]+"..."+a.PAN[len(a.PAN)-4:]] = a.PAN
	}
	return out
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
