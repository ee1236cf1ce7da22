package card

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bank is the issuer of all built-in profiles with its habits: it answers a card as the profile's Host says, wrong or not at all where
// that is the story. It has no state; its methods may be called from several goroutines.
type Bank struct {
	Issuer
	hosts map[string]Host // by PAN
}

// NewBank returns the bank of the built-in profiles.
func NewBank() *Bank {
	b := &Bank{hosts: map[string]Host{}}
	for _, a := range Accounts() {
		b.hosts[a.PAN] = a.Host
	}
	return b
}

// Authorise is Issuer.Authorise; it returns nil where the issuer says nothing to the card.
func (b *Bank) Authorise(pan, psn string, icc []byte, arc string) ([]byte, error) {
	auth, err := b.Issuer.Authorise(pan, psn, icc, arc)
	if err != nil {
		return nil, err
	}
	switch b.hosts[pan].ARPC {
	case "none":
		return nil, nil
	case "wrong":
		auth[0] ^= 0x01
	}
	return auth, nil
}

// Script is Issuer.Script with the commands by name, of ScriptNames.
func (b *Bank) Script(template byte, pan, psn string, icc []byte, names []string) ([]byte, error) {
	var commands []ScriptCommand
	for _, n := range names {
		c, ok := scriptCommands[n]
		if !ok {
			return nil, fmt.Errorf("%w: no script command %.40q; there are %s", ErrMissing, n, strings.Join(ScriptNames(), ", "))
		}
		commands = append(commands, c)
	}
	return b.Issuer.Script(template, pan, psn, icc, commands...)
}

// Answer builds the issuer's part of field 55 of an answer: 91 and the scripts of the account.
func (b *Bank) Answer(pan, psn string, icc []byte, arc string) ([]byte, error) {
	auth, err := b.Authorise(pan, psn, icc, arc)
	if err != nil {
		return nil, err
	}
	var out []byte
	if auth != nil {
		out = put(out, 0x91, auth...)
	}
	h := b.hosts[pan]
	for _, s := range []struct {
		template byte
		names    []string
	}{{0x71, h.Before}, {0x72, h.After}} {
		if len(s.names) == 0 {
			continue
		}
		t, err := b.Script(s.template, pan, psn, icc, s.names)
		if err != nil {
			return nil, err
		}
		out = append(out, t...)
	}
	return out, nil
}

// scriptCommands are the commands that a profile's issuer can send, by name. The new PIN is 2580.
var scriptCommands = map[string]ScriptCommand{
	"block-application":   BlockApplication,
	"unblock-application": UnblockApplication,
	"block-card":          BlockCard,
	"unblock-pin":         UnblockPIN,
	"change-pin":          ChangePIN("2580"),
	"offline-count-3":     SetOfflineCount(3),
	"new-name":            UpdateRecord(1, 1, record(put(nil, 0x5F20, []byte("NEW/NAME")...))),
	"unknown-data":        {Header: [4]byte{0x04, 0xDA, 0x9F, 0x7F}, Data: []byte{0}},
	"wrong-mac":           {Header: BlockApplication.Header, wrong: true},
}

// ScriptNames lists the names of script commands that a profile may use.
func ScriptNames() []string { return slices.Sorted(maps.Keys(scriptCommands)) }
