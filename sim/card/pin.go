package card

import (
	"bytes"
	"crypto/cipher"
	"math/big"
	"slices"
)

// getChallenge is GET CHALLENGE, Book 3, 6.5.6.
func (c *Card) getChallenge(cmd command) []byte {
	t := c.cur
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0:
		return swP1P2
	case t == nil:
		return swConditions
	case t.status("challenge") != nil:
		return t.status("challenge")
	}
	t.challenge = c.random(8)
	return ok(slices.Clone(t.challenge))
}

// verify is VERIFY, Book 3, 6.5.12: P2 80 with a PIN in the clear, P2 88 with one enciphered under the card's public key.
func (c *Card) verify(cmd command) []byte {
	t := c.cur
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0x80 && cmd.p2 != 0x88:
		return swP1P2
	case t == nil || t.stage != initiated:
		return swConditions
	case t.status("verify") != nil:
		return t.status("verify")
	case t.tries == 0:
		return swPINBlocked
	}
	block := cmd.data
	if cmd.p2 == 0x88 {
		key := t.pinKey()
		switch {
		case key == nil:
			return swConditions
		case len(block) != key.size:
			return swLength
		}
		if block = key.openPIN(cmd.data, t.challenge); block == nil {
			// Nothing that was made for this challenge and this key: the verification has failed (Book 2, 7.2).
			return t.wrongPIN()
		}
	}
	if len(block) != 8 {
		return swLength
	}
	n := int(block[0] & 0x0F)
	if block[0]>>4 != 2 || n < 4 || n > 12 {
		return swBadData
	}
	if n == len(t.pin) && bytes.Equal(block[1:], bcd(t.pin, 7, 0xF)) {
		t.tries, t.pinDone, t.pinFailed = t.a.PINTries, true, false
		return swOK
	}
	return t.wrongPIN()
}

func (t *transaction) wrongPIN() []byte {
	t.tries--
	t.pinDone, t.pinFailed = true, true
	return []byte{0x63, 0xC0 | byte(t.tries)}
}

// pinKey is the key under which a PIN comes enciphered: one for that purpose where there is one, else that of dynamic data
// authentication (Book 2, 7.1).
func (t *transaction) pinKey() *rsaKey {
	switch {
	case t.keys == nil || t.a.ODA == "none":
		return nil
	case t.a.PINKey:
		return t.keys.pin
	case t.a.ODA == "sda":
		return nil
	}
	return t.keys.icc
}

// openPIN deciphers the data of VERIFY: 7F, the PIN block, the challenge, random padding (Book 2, table 25). It returns the PIN
// block, nil when the rest is wrong.
func (k *rsaKey) openPIN(data, challenge []byte) []byte {
	x := new(big.Int).SetBytes(data)
	if x.Cmp(k.n) >= 0 || challenge == nil {
		return nil
	}
	b := k.apply(x)
	if b[0] != 0x7F || !bytes.Equal(b[9:17], challenge) {
		return nil
	}
	return b[1:9]
}

// A new PIN comes by script as a block of format 2 behind its length, padded with 80 00 ..., enciphered with triple DES in CBC under a
// session key of the master key for secrets (Book 2, 9.3 and A1.1). What is inside is the issuer's affair (Book 3, 6.5.10): this is
// how the simulated issuer has it.

func sealPIN(k key16, pin string) []byte {
	b := slices.Concat([]byte{0x08, 0x20 | byte(len(pin))}, bcd(pin, 7, 0xF), []byte{0x80, 0, 0, 0, 0, 0, 0})
	cipher.NewCBCEncrypter(k.block(), make([]byte, 8)).CryptBlocks(b, b)
	return b
}

// unsealPIN returns "" when what comes out is no PIN.
func unsealPIN(k key16, data []byte) string {
	if len(data) != 16 {
		return ""
	}
	b := make([]byte, 16)
	cipher.NewCBCDecrypter(k.block(), make([]byte, 8)).CryptBlocks(b, data)
	n := int(b[1] & 0x0F)
	if b[0] != 0x08 || b[1]>>4 != 2 || n < 4 || n > 12 || !bytes.Equal(b[9:], []byte{0x80, 0, 0, 0, 0, 0, 0}) {
		return ""
	}
	var pin []byte
	for i := range n {
		d := b[2+i/2] >> 4
		if i%2 == 1 {
			d = b[2+i/2] & 0x0F
		}
		if d > 9 {
			return ""
		}
		pin = append(pin, '0'+d)
	}
	return string(pin)
}
