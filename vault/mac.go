package vault

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// Padding is how a message is filled up to whole blocks before a MAC (ISO/IEC 9797-1 §6.3).
type Padding uint8

// Paddings.
const (
	Padding1 Padding = 1 // zero bytes as needed; an empty message becomes one block
	Padding2 Padding = 2 // 80, then zero bytes as needed; always added
)

func pad8(data []byte, p Padding) []byte {
	n := len(data)
	if p == Padding2 {
		n++
	}
	n = (n + 7) / 8 * 8
	if n == 0 {
		n = 8
	}
	out := make([]byte, n)
	copy(out, data)
	if p == Padding2 {
		out[len(data)] = 0x80
	}
	return out
}

func cbc(b cipher.Block, data []byte) (t [8]byte) {
	for i := 0; i < len(data); i += 8 {
		subtle.XORBytes(t[:], t[:], data[i:i+8])
		b.Encrypt(t[:], t[:])
	}
	return t
}

// MAC1 is ISO/IEC 9797-1 MAC algorithm 1 (CBC-MAC, no output transformation) with DES for an 8-byte key, TDES for a longer one.
func MAC1(key, data []byte, p Padding) ([8]byte, error) {
	b, err := NewTDES(key)
	if err != nil {
		return [8]byte{}, err
	}
	return cbc(b, pad8(data, p)), nil
}

// MAC3 is ISO/IEC 9797-1 MAC algorithm 3 (the retail MAC of ANSI X9.19): CBC with the left half of a 16-byte key, then
// decipher with the right and encipher with the left half.
func MAC3(key, data []byte, p Padding) ([8]byte, error) {
	if len(key) != 16 {
		return [8]byte{}, ErrKeyLength
	}
	l, err := des.NewCipher(key[:8])
	if err != nil {
		return [8]byte{}, err
	}
	r, err := des.NewCipher(key[8:])
	if err != nil {
		return [8]byte{}, err
	}
	t := cbc(l, pad8(data, p))
	r.Decrypt(t[:], t[:])
	l.Encrypt(t[:], t[:])
	return t, nil
}

// PadMAC is what a master/session pad computes for a MAC request (see Pad): algorithm 1 with an 8-byte key, algorithm 3 with a
// 16-byte key, zero padding in both. Hosts and simulated pads use it.
func PadMAC(key, data []byte) ([8]byte, error) {
	if len(key) == 8 {
		return MAC1(key, data, Padding1)
	}
	return MAC3(key, data, Padding1)
}

// CMAC is NIST SP 800-38B over a cipher with blocks of 8 (TDES) or 16 (AES) bytes; the whole block is returned.
func CMAC(b cipher.Block, data []byte) []byte {
	bs := b.BlockSize()
	k := make([]byte, bs) // becomes K1, then perhaps K2
	b.Encrypt(k, k)
	double(k)
	n := (len(data) + bs - 1) / bs
	if n == 0 {
		n = 1
	}
	last := make([]byte, bs)
	rest := data[(n-1)*bs:]
	copy(last, rest)
	if len(rest) < bs {
		last[len(rest)] = 0x80
		double(k)
	}
	subtle.XORBytes(last, last, k)
	t := make([]byte, bs)
	for i := range n - 1 {
		subtle.XORBytes(t, t, data[i*bs:(i+1)*bs])
		b.Encrypt(t, t)
	}
	subtle.XORBytes(t, t, last)
	b.Encrypt(t, t)
	return t
}

// double multiplies by x in GF(2^64) or GF(2^128); the constants are R_64 and R_128 of SP 800-38B §5.3.
func double(k []byte) {
	r := byte(0x87)
	if len(k) == 8 {
		r = 0x1b
	}
	carry := byte(0)
	for i := len(k) - 1; i >= 0; i-- {
		k[i], carry = k[i]<<1|carry, k[i]>>7
	}
	k[len(k)-1] ^= r * carry
}

// FoldECB is the first half of the UnionPay MAC ("ECB"): mab, zero-padded to a multiple of eight, its blocks XORed into one,
// which is written as 16 upper-case hexadecimal ASCII characters. The MAC is HexMAC of algorithm 1 with the MAC key over them,
// that is: of Keys.MAC, or MAC1 where the key is known.
func FoldECB(mab []byte) [16]byte {
	var x [8]byte
	for i, b := range mab {
		x[i%8] ^= b
	}
	var out [16]byte
	copy(out[:], strings.ToUpper(hex.EncodeToString(x[:])))
	return out
}

// HexMAC is the content of field 64 in the UnionPay direct connection: the first eight characters of the MAC in upper-case
// hexadecimal.
func HexMAC(mac [8]byte) [8]byte {
	var out [8]byte
	copy(out[:], strings.ToUpper(hex.EncodeToString(mac[:4])))
	return out
}

// EqualMAC compares two MACs without telling by its time where they differ. Different lengths are different.
func EqualMAC(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
