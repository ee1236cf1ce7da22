package kernel2

import (
	"crypto/aes"
	"crypto/des"
)

// owhf2 is the one-way function of data storage version 1 (Book C-2, 8.2): DES under keys made from DS ID and the operator's identifier.
// Two implementations agree. id has at least 8 bytes, oid and input have 8.
func owhf2(id, oid, input []byte) []byte {
	var key [24]byte
	for i := range 6 {
		key[i] = dsPart(id[i])
		key[8+i] = dsPart(id[len(id)-6+i])
	}
	copy(key[6:8], oid[4:6])
	copy(key[14:16], oid[6:8])
	copy(key[16:], key[:8])
	c, err := des.NewTripleDESCipher(key[:])
	if err != nil {
		panic(err) // 24 bytes are a key
	}
	out := xor(oid, input)
	c.Encrypt(out, out)
	return xor(out, input)
}

// dsPart reads a byte as two decimal digits and doubles it.
func dsPart(b byte) byte { return (b>>4*10 + b&0x0F) * 2 }

// owhf2AES is the function of version 2 (Book C-2, 8.3): AES over input and identifier. One implementation; another one has the same steps but
// cannot run.
func owhf2AES(id, oid, input []byte) []byte {
	key := make([]byte, 16)
	copy(key[11-len(id):], id)
	copy(key[11:], oid[4:8])
	key[15] = 0x3F
	c, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	m := append(append(make([]byte, 0, 16), input...), oid...)
	out := make([]byte, 16)
	c.Encrypt(out, m)
	return xor(out[:8], m[:8])
}

func xor(a, b []byte) []byte {
	out := make([]byte, len(a))
	for i := range a {
		out[i] = a[i] ^ b[i]
	}
	return out
}
