// Package hexfield has byte strings that stand as hex in the parameter files (TOML): of any length, or of a fixed one that refuses every other.
// Blanks and line ends are passed over, so that a long key can be broken into lines. It reads text only, and knows no meaning of the bytes.
package hexfield

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// Byte strings. The number is the length in bytes; Bytes has any.
type (
	Bytes   []byte
	Bytes1  [1]byte
	Bytes2  [2]byte
	Bytes3  [3]byte
	Bytes4  [4]byte
	Bytes5  [5]byte
	Bytes20 [20]byte
)

// UnmarshalText reads hex. The error is that of encoding/hex.
func (h *Bytes) UnmarshalText(text []byte) error {
	text = bytes.Map(func(r rune) rune {
		if r == ' ' || r == '\n' || r == '\t' || r == '\r' {
			return -1
		}
		return r
	}, text)
	b := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(b, text); err != nil {
		return err
	}
	*h = b
	return nil
}

func fixed(to, text []byte) error {
	var b Bytes
	if err := b.UnmarshalText(text); err != nil {
		return err
	}
	if len(b) != len(to) {
		return fmt.Errorf("%d bytes where %d are wanted", len(b), len(to))
	}
	copy(to, b)
	return nil
}

// UnmarshalText reads one byte in hex.
func (h *Bytes1) UnmarshalText(text []byte) error { return fixed(h[:], text) }

// UnmarshalText reads two bytes in hex.
func (h *Bytes2) UnmarshalText(text []byte) error { return fixed(h[:], text) }

// UnmarshalText reads three bytes in hex.
func (h *Bytes3) UnmarshalText(text []byte) error { return fixed(h[:], text) }

// UnmarshalText reads four bytes in hex.
func (h *Bytes4) UnmarshalText(text []byte) error { return fixed(h[:], text) }

// UnmarshalText reads five bytes in hex.
func (h *Bytes5) UnmarshalText(text []byte) error { return fixed(h[:], text) }

// UnmarshalText reads twenty bytes in hex.
func (h *Bytes20) UnmarshalText(text []byte) error { return fixed(h[:], text) }
