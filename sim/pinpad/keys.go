package pinpad

import (
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	"posd/sim"
	"posd/vault"
)

// slotKey is a master key with its purpose: K0 unwraps session keys, P0 enciphers PINs itself, M3 is a MAC key itself, M1 half of
// one.
type slotKey struct {
	key   []byte
	usage string
}

// mayHold keeps keys that are not published away from a simulator.
func (p *Pad) mayHold(key []byte) bool {
	if p.o.AnyKey {
		return true
	}
	for _, k := range []string{TestTMK, UnionPayTestTMK, testSingleDES} {
		if b, _ := hex.DecodeString(k); subtle.ConstantTimeCompare(b, key) == 1 {
			return true
		}
	}
	return false
}

// Inject puts the pad into the injection state, as two people do by logging in on its keypad: every key is wiped, and 02 is
// accepted until EndInjection.
func (p *Pad) Inject() {
	p.locked(func() {
		clear(p.slots)
		p.injecting = true
		p.trace("", "injection begins: all keys wiped")
	})
}

// EndInjection leaves the injection state.
func (p *Pad) EndInjection() {
	p.locked(func() {
		p.injecting = false
		p.trace("", "injection ends")
	})
}

// load is 02: slot, key in hexadecimal, optionally FS usage(2) mode(1). The key is stored when the host has ACKed the echo. What is
// wrong has a code in the UIC dialect and is EOT in the other, which has no codes.
func (p *Pad) load(data string) {
	slot, key, usage, code := p.parseLoad(data)
	if code != 0 {
		p.trace(">", "02 load key", sim.Field{Name: "refused with code", Value: string(rune(code))})
		if p.o.Dialect == UIC {
			p.answer(true, "02?"+string(rune(code)), "02 refused", nil)
		} else {
			p.send(p.answerPause(), eot)
		}
		return
	}
	kcv, _ := vault.KCV(key, 3)
	p.trace(">", "02 load key", sim.Field{Name: "slot", Value: string(rune(slot))}, sim.Field{Name: "use", Value: usage},
		sim.Field{Name: "check value", Value: fmt.Sprintf("%X", kcv)})
	p.answer(true, "02"+data, "02 echo", func() {
		p.slots[slot] = slotKey{key: key, usage: usage}
		p.trace("", "key stored in slot "+string(rune(slot)))
	})
}

func (p *Pad) parseLoad(data string) (slot byte, key []byte, usage string, code byte) {
	text, opts, has := strings.Cut(data, string(rune(fs)))
	if len(text) < 1 {
		return 0, nil, "", 'A'
	}
	slot = text[0]
	key, ok := fromHex(text[1:])
	if !ok {
		return 0, nil, "", 'A'
	}
	usage, mode := "K0", byte('D')
	if has {
		if len(opts) != 3 {
			return 0, nil, "", 'A'
		}
		usage, mode = opts[:2], opts[2]
	}
	uses := ""
	switch {
	case slot >= '0' && slot <= '9':
		uses = "K0D P0E"
	case slot >= 'B' && slot <= 'E':
		uses = "K0D M1G M1V M3G M3V"
	case slot == 'F':
		uses = "K0D"
	case slot == 'G':
		uses = "K0D D0E"
	}
	switch {
	case !strings.Contains(uses, usage+string(rune(mode))):
		return 0, nil, "", 'E'
	case !p.mayHold(key):
		return 0, nil, "", 'E'
	case len(key) == 8 && usage != "M1" && !p.o.SingleDES, len(key) == 8 && usage == "P0":
		return 0, nil, "", 'B'
	}
	for s, k := range p.slots {
		if s != slot && bytes.Equal(k.key, key) {
			return 0, nil, "", '2'
		}
	}
	return slot, key, usage, 0
}

// fromHex takes upper-case hexadecimal of a DES or TDES key.
func fromHex(s string) ([]byte, bool) {
	if len(s) != 16 && len(s) != 32 && len(s) != 48 || strings.ContainsAny(s, "abcdef") {
		return nil, false
	}
	b, err := hex.DecodeString(s)
	return b, err == nil
}

func zeros(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// Reasons why a session key cannot be had.
type keyProblem uint8

const (
	keyOK        keyProblem = iota
	keyMissing              // nothing in the slot
	keyPurpose              // the slot is for something else
	keyFormat               // not hexadecimal of 8 or 16 bytes
	keyTooLong              // longer than its master key
	keySingleDES            // 8 bytes where that is not admitted
	keySlot                 // no such slot
)

// pinKey unwraps the PIN key of a request under the active slot. Both halves equal are single DES too.
func (p *Pad) pinKey(text string) ([]byte, keyProblem) {
	s := p.slots[p.active]
	enc, ok := fromHex(text)
	switch {
	case s.key == nil:
		return nil, keyMissing
	case !ok || len(enc) > 16:
		return nil, keyFormat
	case s.usage == "P0":
		if !zeros(enc) {
			return nil, keyPurpose
		}
		return bytes.Clone(s.key), keyOK
	case s.usage != "K0":
		return nil, keyPurpose
	case len(enc) > len(s.key):
		return nil, keyTooLong
	case !p.o.SingleDES && (len(enc) == 8 || bytes.Equal(enc[:8], enc[8:])):
		return nil, keySingleDES
	}
	k, err := vault.DecryptECB(s.key, enc)
	if err != nil {
		return nil, keyFormat
	}
	return k, keyOK
}

// macKey gives the key of a Z66. UIC pads keep MAC keys in slots B to E; VF pads unwrap under any of their master keys too.
func (p *Pad) macKey(slot byte, text, second string) ([]byte, keyProblem) {
	if slot < 'B' || slot > 'E' {
		if p.o.Dialect == UIC || slot < '0' || slot > '9' {
			return nil, keySlot
		}
	}
	s := p.slots[slot]
	enc, ok := fromHex(text)
	switch {
	case s.key == nil:
		return nil, keyMissing
	case !ok || len(enc) > 16:
		return nil, keyFormat
	}
	switch s.usage {
	case "K0":
		if len(enc) > len(s.key) {
			return nil, keyTooLong
		}
		k, err := vault.DecryptECB(s.key, enc)
		if err != nil {
			return nil, keyFormat
		}
		return k, keyOK
	case "M3":
		if !zeros(enc) {
			return nil, keyPurpose
		}
		return bytes.Clone(s.key), keyOK
	case "M1":
		if len(second) != 1 || p.slots[second[0]].usage != "M1" || second[0] == slot {
			return nil, keyPurpose
		}
		return append(bytes.Clone(s.key[:8]), p.slots[second[0]].key[:8]...), keyOK
	}
	return nil, keyPurpose
}
