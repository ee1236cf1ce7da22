package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"errors"
	"math/bits"
)

// Errors of the algorithms. They tell shapes, never values.
var (
	ErrKeyLength  = errors.New("vault: a TDES key has 8, 16 or 24 bytes")
	ErrDataLength = errors.New("vault: data is not a whole number of cipher blocks")
)

// NewTDES makes a block cipher from a key of 8 (single DES), 16 (K1 K2 K1) or 24 bytes. Parity bits are ignored.
func NewTDES(key []byte) (cipher.Block, error) {
	switch len(key) {
	case 8:
		return des.NewCipher(key) // single DES: the MAC key of the UnionPay direct connection is one
	case 16:
		var k [24]byte
		defer clear(k[:])
		copy(k[:], key)
		copy(k[16:], key[:8])
		return des.NewTripleDESCipher(k[:])
	case 24:
		return des.NewTripleDESCipher(key)
	}
	return nil, ErrKeyLength
}

// EncryptECB enciphers data, a multiple of 8 bytes, block by block under a DES or TDES key. Only keys and PIN blocks go this way.
func EncryptECB(key, data []byte) ([]byte, error) { return ecb(key, data, cipher.Block.Encrypt) }

// DecryptECB undoes EncryptECB.
func DecryptECB(key, data []byte) ([]byte, error) { return ecb(key, data, cipher.Block.Decrypt) }

func ecb(key, data []byte, f func(b cipher.Block, dst, src []byte)) ([]byte, error) {
	b, err := NewTDES(key)
	if err != nil {
		return nil, err
	}
	if len(data)%8 != 0 {
		return nil, ErrDataLength
	}
	out := make([]byte, len(data))
	for i := 0; i < len(data); i += 8 {
		f(b, out[i:i+8], data[i:i+8])
	}
	return out, nil
}

// KCV is the check value of a DES or TDES key: the first n (1 to 8, usually 3 or 4) bytes of eight zero bytes enciphered.
func KCV(key []byte, n int) ([]byte, error) {
	if n < 1 || n > 8 {
		return nil, ErrDataLength
	}
	c, err := EncryptECB(key, make([]byte, 8))
	if err != nil {
		return nil, err
	}
	return c[:n], nil
}

// KCVAES is the check value of an AES key: the first n (1 to 16, usually 5) bytes of the CMAC of sixteen zero bytes.
func KCVAES(key []byte, n int) ([]byte, error) {
	if n < 1 || n > 16 {
		return nil, ErrDataLength
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return CMAC(b, make([]byte, 16))[:n], nil
}

// OddParity returns a copy of a DES key with the lowest bit of each byte set so that the byte has an odd number of ones.
func OddParity(key []byte) []byte {
	out := make([]byte, len(key))
	for i, b := range key {
		b &^= 1
		if bits.OnesCount8(b)%2 == 0 {
			b |= 1
		}
		out[i] = b
	}
	return out
}

// HasOddParity tells whether every byte of a DES key has odd parity.
func HasOddParity(key []byte) bool {
	for _, b := range key {
		if bits.OnesCount8(b)%2 == 0 {
			return false
		}
	}
	return true
}
