package oda

import (
	"bytes"
	"math/big"
	"testing"
)

// B2.1, table 43 and 6.1: sizes, the leftmost bit and the exponents of a key.
func TestRSAKeySizes(t *testing.T) {
	modulus := func(n int) []byte {
		b := bytes.Repeat([]byte{0xA5}, n)
		return b
	}
	for _, c := range []struct {
		name   string
		n, exp []byte
		ok     bool
	}{
		{"47 bytes", modulus(47), []byte{3}, false},
		{"48 bytes", modulus(48), []byte{3}, true},
		{"96 bytes, exponent 65537", modulus(96), []byte{1, 0, 1}, true},
		{"247 bytes", modulus(247), []byte{3}, true},
		{"248 bytes", modulus(248), []byte{1, 0, 1}, true},
		{"249 bytes", modulus(249), []byte{3}, false},
		{"no bytes", nil, []byte{3}, false},
		{"an even modulus", append(modulus(63), 0x02), []byte{3}, false},
		{"a leading zero byte", append([]byte{0}, modulus(63)...), []byte{3}, false},
		{"no exponent", modulus(64), nil, false},
		{"exponent 3 in three bytes", modulus(64), []byte{0, 0, 3}, false},
		{"exponent 65539", modulus(64), []byte{1, 0, 3}, false},
	} {
		if _, ok := newPublicKey(c.n, c.exp); ok != c.ok {
			t.Errorf("%s: %v", c.name, ok)
		}
	}
	k, _ := newPublicKey(modulus(64), []byte{3})
	for name, in := range map[string][]byte{
		"B2.1.3: the modulus itself": modulus(64),
		"A2.1.3: a byte short":       make([]byte, 63),
		"A2.1.3: a byte long":        make([]byte, 65),
	} {
		if k.Recover(in) != nil {
			t.Errorf("%s: recovered", name)
		}
	}
	less := new(big.Int).Sub(k.n, big.NewInt(1)).FillBytes(make([]byte, 64))
	if got := k.Recover(less); !bytes.Equal(got, less) { // (-1)^3 is -1
		t.Errorf("n-1 recovers to %X", got)
	}
}
