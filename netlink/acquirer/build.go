package acquirer

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"posd/netlink/iso8583"
	"posd/vault"
)

// Message types (ISO 8583:1987, 3.1). An answer's type is the request's plus ten.
const (
	mtiSale     = "0200"
	mtiReversal = "0400"
	mtiSignOn   = "0800"
	mtiManage   = "0820"
)

// Field 60.3 of messages that are not about keys.
const (
	networkNone = "000"
	networkEcho = "301"
)

// macSize is the size of field 64, which is the last field of a message.
const macSize = 8

// RequestError is a request that cannot be put into a message. It names no values.
type RequestError struct {
	Field string // "amount", "STAN", ...
	Why   string
}

func (e *RequestError) Error() string { return fmt.Sprintf("acquirer: %s %s", e.Field, e.Why) }

// setter fills a message and keeps the first error, so that the building below reads as the tables of fields do.
type setter struct {
	m   *iso8583.Message
	err error
}

func (s *setter) text(n int, v string) {
	if s.err == nil {
		s.err = s.m.SetText(n, v)
	}
}

// optional sets a field that is left out when it is empty.
func (s *setter) optional(n int, v string) {
	if v != "" {
		s.text(n, v)
	}
}

func (s *setter) bytes(n int, v []byte) {
	if s.err == nil {
		s.err = s.m.Set(n, v)
	}
}

func (s *setter) number(n int, v uint64) {
	if s.err == nil {
		s.err = s.m.SetNumber(n, v)
	}
}

func (s *setter) refuse(field, why string) {
	if s.err == nil {
		s.err = &RequestError{field, why}
	}
}

// start empties the message and sets what every request of this terminal has.
func (c *Client) start(mti string) *setter {
	c.req.Reset()
	s := &setter{m: c.req}
	s.err = c.req.SetMTI(mti)
	s.text(41, c.id.TID)
	s.text(42, c.id.MID)
	return s
}

// money sets fields 3, 4, 11 and 49, and checks what a financial request shares with its reversal.
func (c *Client) money(s *setter, stan, batch uint32, minor int64, currency uint16) {
	switch {
	case stan < 1 || stan > 999999:
		s.refuse("STAN", "is outside 1..999999")
	case batch > 999999:
		s.refuse("batch", "is outside 0..999999")
	case minor <= 0 || minor > 999999999999:
		s.refuse("amount", "is outside 1..999999999999")
	case currency != uint16(c.profile.Currency):
		s.refuse("currency", "is not the acquirer's")
	}
	s.text(3, c.profile.Sale.Processing)
	s.number(4, uint64(max(minor, 0)))
	s.number(11, uint64(stan))
	s.text(49, fmt.Sprintf("%03d", currency))
}

// card sets the fields that depend on how the card was read: 2, 14, 22, 23 and the financial form of 60.
func (c *Client) card(s *setter, entry Entry, pin bool, pan, expiry, psn string, batch uint32) EntryCodes {
	codes, ok := c.profile.Entries[entry]
	if !ok {
		s.refuse("entry", "is not in the profile")
	}
	if codes.PAN {
		s.text(2, pan)
	}
	if codes.Expiry {
		s.optional(14, expiry)
	}
	s.text(22, codes.mode(pin))
	if codes.ICC {
		s.optional(23, wirePSN(psn))
	}
	s.text(25, c.profile.Sale.Condition)
	s.text(60, fmt.Sprintf("%s%06d%s%s%s%s", c.profile.Sale.Type, batch, networkNone, codes.Capability, codes.Condition, c.profile.Sale.Tail))
	return codes
}

// mode is field 22: the way of reading, and whether there was a PIN for the issuer.
func (e EntryCodes) mode(pin bool) string {
	if pin {
		return e.Mode + "1"
	}
	return e.Mode + "2"
}

// wirePSN is a card sequence number in the three digits of field 23, "" when there is none.
func wirePSN(psn string) string {
	if psn == "" {
		return ""
	}
	return strings.Repeat("0", max(0, 3-len(psn))) + psn
}

// buildSale fills the request with 0200: 2C 3 4 11 14C 22 23C 25 26C 35C 36C 41 42 49 52C 53C 55C 60 64.
func (c *Client) buildSale(sale *Sale) error {
	s := c.start(mtiSale)
	c.money(s, sale.STAN, sale.Batch, sale.Amount.Minor, uint16(sale.Amount.Currency))
	pin := sale.PINBlock != nil
	codes := c.card(s, sale.Entry, pin, sale.PAN, sale.Expiry, sale.PSN, sale.Batch)
	if codes.Track2 {
		s.optional(35, sale.Track2)
	}
	if codes.Track3 {
		s.optional(36, sale.Track3)
	}
	if !codes.PAN && !s.m.Has(35) {
		s.refuse("card", "has neither a number nor track 2 that the entry mode sends")
	}
	if codes.ICC && len(sale.ICC) > 0 {
		s.bytes(55, sale.ICC)
	}
	if pin {
		s.text(26, c.profile.Sale.PINCapture)
		s.bytes(52, sale.PINBlock)
		s.text(53, c.profile.Sale.Security)
	} else {
		s.optional(53, c.profile.Sale.SecurityNoPIN)
	}
	return s.err
}

// buildReversal fills the request with 0400: 2C 3 4 11 14C 22 23C 25 38C 39 41 42 49 55C 60 61C 64. Nothing in it comes from
// anywhere but the Reversal, the identity and the profile.
func (c *Client) buildReversal(rev *Reversal) error {
	s := c.start(mtiReversal)
	rules := &c.profile.Reversal
	c.money(s, rev.STAN, rev.Batch, rev.Amount.Minor, uint16(rev.Amount.Currency))
	codes := c.card(s, rev.Entry, rev.HadPIN, rev.PAN, rev.Expiry, rev.PSN, rev.Batch)
	if rules.PINCapture && rev.HadPIN {
		s.text(26, c.profile.Sale.PINCapture)
	}
	if rules.RRN {
		s.optional(37, rev.RRN)
	}
	s.optional(38, rev.Auth)
	s.text(39, rev.Reason)
	if rules.Security && rev.HadPIN {
		s.text(53, c.profile.Sale.Security)
	}
	if codes.ICC && len(rev.ICC) > 0 {
		s.bytes(55, rev.ICC)
	}
	if rules.Original {
		s.text(61, fmt.Sprintf("%06d%06d", rev.Batch, rev.STAN))
	}
	return s.err
}

// buildSignOn fills the request with 0800: 11 41 42 60 62C 63. The batch number is the host's to give: 60.2 is zero.
func (c *Client) buildSignOn(stan uint32) error {
	s := c.start(mtiSignOn)
	if stan < 1 || stan > 999999 {
		s.refuse("STAN", "is outside 1..999999")
	}
	s.number(11, uint64(stan))
	s.text(60, "00000000"+c.profile.SignOn.Network)
	if cert := c.profile.SignOn.Certification; cert != "" && c.id.Serial != "" {
		s.text(62, fmt.Sprintf("Sequence No%02d%s%s", len(cert)+len(c.id.Serial), cert, c.id.Serial))
	}
	s.text(63, fmt.Sprintf("%-3s", c.id.Operator))
	return s.err
}

// buildEcho fills the request with 0820: 41 42 60.
func (c *Client) buildEcho() error {
	s := c.start(mtiManage)
	s.text(60, "00000000"+networkEcho)
	return s.err
}

// seal writes the request as a frame's content into c.frame, with field 64 when it is wanted.
func (c *Client) seal(ctx context.Context, macked bool) error {
	c.frame = c.profile.appendEnvelope(c.frame[:0])
	from := len(c.frame)
	if macked {
		var room [macSize]byte // takes the place of the MAC, so that the bitmap under the MAC has bit 64
		if err := c.req.Set(64, room[:]); err != nil {
			return err
		}
	}
	var err error
	if c.frame, err = c.req.Append(c.frame); err != nil || !macked {
		return err
	}
	end := len(c.frame) - macSize
	mac, err := c.mac(ctx, c.frame[from:end])
	if err != nil {
		return err
	}
	copy(c.frame[end:], mac[:])
	return nil
}

// mac makes field 64 over the bytes from the MTI to the field before it (UnionPay "ECB" algorithm).
func (c *Client) mac(ctx context.Context, mab []byte) ([macSize]byte, error) {
	fold := vault.FoldECB(mab)
	mac, err := c.keys.MAC(ctx, fold[:])
	if err != nil {
		return [macSize]byte{}, fmt.Errorf("acquirer: MAC: %w", err)
	}
	return vault.HexMAC(mac), nil
}

// wipe overwrites the request: it holds card data and a PIN block.
func (c *Client) wipe() {
	c.req.Reset()
	clear(c.frame)
	c.frame = c.frame[:0]
}

// trimmed is a text field without the blanks around it.
func trimmed(b []byte) string { return string(bytes.TrimSpace(b)) }
