package card

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/sha256"
	"math/bits"
	"slices"
)

// key16 is a double length triple DES key.
type key16 [16]byte

func (k key16) block() cipher.Block {
	b, err := des.NewTripleDESCipher(slices.Concat(k[:], k[:8]))
	if err != nil {
		panic("card: 24 bytes are a triple DES key")
	}
	return b
}

func (k key16) encrypt(in [8]byte) (out [8]byte) {
	k.block().Encrypt(out[:], in[:])
	return out
}

// masterKey derives an issuer's master key from its identification number. purpose is "AC", "MAC" or "ENC". Keys of a simulated issuer
// are no secret.
func masterKey(iin, purpose string) (k key16) {
	h := sha256.Sum256([]byte("posd simulated issuer " + iin + " " + purpose))
	copy(k[:], h[:16])
	return k.odd()
}

// odd sets the parity of each byte.
func (k key16) odd() key16 {
	for i, c := range k {
		k[i] = c&0xFE | byte(1-bits.OnesCount8(c&0xFE)&1)
	}
	return k
}

// cardKeyOf derives a card's master key, Book 2, A1.4.1, option A. psn is two digits or "".
func cardKeyOf(issuer key16, pan, psn string) (k key16) {
	if psn == "" {
		psn = "00"
	}
	y := pan + psn
	for len(y) < 16 {
		y = "0" + y
	}
	y = y[len(y)-16:]
	left := [8]byte(bcd(y, 8, 0))
	right := left
	for i := range right {
		right[i] ^= 0xFF
	}
	l, r := issuer.encrypt(left), issuer.encrypt(right)
	copy(k[:8], l[:])
	copy(k[8:], r[:])
	return k.odd()
}

// session derives a session key from a card's master key, Book 2, A1.3.1.
func session(card key16, diversification [8]byte) (k key16) {
	f1, f2 := diversification, diversification
	f1[2], f2[2] = 0xF0, 0x0F
	l, r := card.encrypt(f1), card.encrypt(f2)
	copy(k[:8], l[:])
	copy(k[8:], r[:])
	return k.odd()
}

func atcDiversification(atc uint16) [8]byte { return [8]byte{byte(atc >> 8), byte(atc)} }

// mac is ISO 9797-1 algorithm 3 with padding method 2, Book 2, A1.2.1.
func mac(k key16, data []byte) (out [8]byte) {
	return macBlocks(k, pad0(append(slices.Clone(data), 0x80)))
}

// pad0 fills up with zeros to whole blocks.
func pad0(data []byte) []byte {
	data = slices.Clone(data)
	for len(data)%8 != 0 {
		data = append(data, 0)
	}
	return data
}

// macBlocks is ISO 9797-1 algorithm 3 over whole blocks.
func macBlocks(k key16, data []byte) (out [8]byte) {
	left, err := des.NewCipher(k[:8])
	if err != nil {
		panic("card: 8 bytes are a DES key")
	}
	right, err := des.NewCipher(k[8:])
	if err != nil {
		panic("card: 8 bytes are a DES key")
	}
	for ; len(data) > 0; data = data[8:] {
		for i := range 8 {
			out[i] ^= data[i]
		}
		left.Encrypt(out[:], out[:])
	}
	right.Decrypt(out[:], out[:])
	left.Encrypt(out[:], out[:])
	return out
}

// sizedTag is a data object with its length in a cryptogram.
type sizedTag struct {
	tag  uint32
	size int
}

// macTags are the data of an application cryptogram, Book 2, table 26, in its order.
var macTags = []sizedTag{
	{0x9F02, 6}, {0x9F03, 6}, {0x9F1A, 2}, {0x95, 5}, {0x5F2A, 2}, {0x9A, 3}, {0x9C, 1}, {0x9F37, 4}, {0x82, 2}, {0x9F36, 2},
}

// arpc answers an ARQC, Book 2, 8.2.1 (method 1).
func arpc(k key16, arqc [8]byte, arc string) [8]byte {
	x := arqc
	for i := range min(2, len(arc)) {
		x[i] ^= arc[i]
	}
	return k.encrypt(x)
}

// scriptMAC is the MAC of an issuer script command, format 2 (Book 2, 9.2.1): header, ATC, first cryptogram, data; four bytes.
func scriptMAC(k key16, header []byte, atc uint16, ac [8]byte, data []byte) []byte {
	m := mac(k, slices.Concat(header, []byte{byte(atc >> 8), byte(atc)}, ac[:], data))
	return m[:4]
}
