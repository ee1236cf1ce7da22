package hexfield

import (
	"bytes"
	"testing"
)

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		text string
		want []byte // nil where it is refused
	}{
		{"", []byte{}},
		{"0aFF", []byte{0x0A, 0xFF}},
		{" 0a\n\tF F\r", []byte{0x0A, 0xFF}},
		{"0", nil},
		{"0G", nil},
	} {
		var b Bytes
		if err := b.UnmarshalText([]byte(c.text)); (err == nil) != (c.want != nil) || err == nil && !bytes.Equal(b, c.want) {
			t.Errorf("%q: %X, %v", c.text, []byte(b), err)
		}
	}
}

func TestFixedLengths(t *testing.T) {
	for n, to := range map[int]interface{ UnmarshalText([]byte) error }{
		1: new(Bytes1), 2: new(Bytes2), 3: new(Bytes3), 4: new(Bytes4), 5: new(Bytes5), 20: new(Bytes20),
	} {
		for l := range 22 {
			if err := to.UnmarshalText(bytes.Repeat([]byte("5A"), l)); (err == nil) != (l == n) {
				t.Errorf("%d bytes into %d: %v", l, n, err)
			}
		}
	}
}
