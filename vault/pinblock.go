package vault

import (
	"crypto/aes"
	"crypto/subtle"
	"errors"
	"io"
)

// ErrPINBlock is the one error of every failed decoding: telling why would help to guess a PIN (ISO 9564-1 §9.4).
var ErrPINBlock = errors.New("vault: not a PIN block")

// Errors of encoding.
var (
	ErrPIN = errors.New("vault: a PIN has 4 to 12 digits")
	ErrPAN = errors.New("vault: a card number has 8 to 19 digits")
)

// PIN lengths of ISO 9564-1.
const (
	MinPIN = 4
	MaxPIN = 12
)

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func checkPIN(pin string) error {
	if len(pin) < MinPIN || len(pin) > MaxPIN || !digits(pin) {
		return ErrPIN
	}
	return nil
}

func checkPAN(pan string) error {
	if len(pan) < 8 || len(pan) > 19 || !digits(pan) {
		return ErrPAN
	}
	return nil
}

func setNibble(b []byte, i int, v byte) { b[i/2] |= v << (4 * (1 - i%2)) }

func nibble(b []byte, i int) byte { return b[i/2] >> (4 * (1 - i%2)) & 15 }

// pinField writes the format, the length, the PIN and fill(i) for each nibble i left of the first eight bytes.
func pinField(dst []byte, format byte, pin string, fill func(i int) byte) {
	setNibble(dst, 0, format)
	setNibble(dst, 1, byte(len(pin)))
	for i := 2; i < 16; i++ {
		if i-2 < len(pin) {
			setNibble(dst, i, pin[i-2]-'0')
		} else {
			setNibble(dst, i, fill(i))
		}
	}
}

// panField is four zero nibbles and the twelve rightmost digits of the PAN without its check digit (ISO 9564-1 §9.3.2.3).
func panField(pan string) (out [8]byte) {
	pan = pan[:len(pan)-1]
	for i := 15; i >= 4 && len(pan) > 0; i-- {
		setNibble(out[:], i, pan[len(pan)-1]-'0')
		pan = pan[:len(pan)-1]
	}
	return out
}

// EncodePIN0 builds a clear PIN block of ISO 9564 format 0: PIN field filled with F, XOR the PAN field. pan has 8 to 19 digits
// with its check digit.
func EncodePIN0(pin, pan string) (out [8]byte, err error) {
	if err = errors.Join(checkPIN(pin), checkPAN(pan)); err != nil {
		return out, err
	}
	pinField(out[:], 0, pin, func(int) byte { return 15 })
	p := panField(pan)
	subtle.XORBytes(out[:], out[:], p[:])
	return out, nil
}

// EncodePIN1 builds a clear PIN block of format 1, for use only where there is no PAN. random fills what the PIN leaves.
func EncodePIN1(pin string, random io.Reader) (out [8]byte, err error) {
	if err = checkPIN(pin); err != nil {
		return out, err
	}
	var r [8]byte
	if _, err = io.ReadFull(random, r[:]); err != nil {
		return out, err
	}
	pinField(out[:], 1, pin, func(i int) byte { return nibble(r[:], i) })
	return out, nil
}

// EncodePIN3 builds a clear PIN block of format 3: as format 0, filled with random nibbles A to F.
func EncodePIN3(pin, pan string, random io.Reader) (out [8]byte, err error) {
	if err = errors.Join(checkPIN(pin), checkPAN(pan)); err != nil {
		return out, err
	}
	var fill [16]byte
	for i := range fill {
		for { // a byte modulo 6 would favour A to D: throw away 252 to 255
			var b [1]byte
			if _, err = io.ReadFull(random, b[:]); err != nil {
				return out, err
			}
			if b[0] < 252 {
				fill[i] = 10 + b[0]%6
				break
			}
		}
	}
	pinField(out[:], 3, pin, func(i int) byte { return fill[i] })
	p := panField(pan)
	subtle.XORBytes(out[:], out[:], p[:])
	return out, nil
}

// DecodePIN gets the PIN out of a clear block of format 0, 1 or 3; pan is not used for format 1. Every failure is ErrPINBlock.
func DecodePIN(block [8]byte, pan string) (pin string, err error) {
	format := block[0] >> 4
	if format != 1 {
		if checkPAN(pan) != nil {
			return "", ErrPINBlock
		}
		p := panField(pan)
		subtle.XORBytes(block[:], block[:], p[:])
	}
	var ok func(n byte) bool
	switch format {
	case 0:
		ok = func(n byte) bool { return n == 15 }
	case 1:
		ok = func(byte) bool { return true }
	case 3:
		ok = func(n byte) bool { return n >= 10 }
	default:
		return "", ErrPINBlock
	}
	return decodePINField(block[:], ok)
}

func decodePINField(b []byte, fill func(n byte) bool) (string, error) {
	n := int(nibble(b, 1))
	if n < MinPIN || n > MaxPIN {
		return "", ErrPINBlock
	}
	pin := make([]byte, 0, MaxPIN)
	for i := 2; i < 16; i++ {
		v := nibble(b, i)
		if i-2 >= n {
			if !fill(v) {
				return "", ErrPINBlock
			}
			continue
		}
		if v > 9 {
			return "", ErrPINBlock
		}
		pin = append(pin, '0'+v)
	}
	return string(pin), nil
}

// panField4 is the PAN field of format 4 (ISO 9564-1 §9.4.2.3): M, the PAN (left-padded to 12 digits), zeros.
func panField4(pan string) (out [16]byte) {
	for len(pan) < 12 {
		pan = "0" + pan
	}
	setNibble(out[:], 0, byte(len(pan)-12))
	for i := range len(pan) {
		setNibble(out[:], 1+i, pan[i]-'0')
	}
	return out
}

// EncryptPIN4 builds and enciphers a PIN block of format 4 under an AES key.
func EncryptPIN4(key []byte, pin, pan string, random io.Reader) (out [16]byte, err error) {
	if err = errors.Join(checkPIN(pin), checkPAN(pan)); err != nil {
		return out, err
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return out, err
	}
	pinField(out[:], 4, pin, func(int) byte { return 10 })
	if _, err = io.ReadFull(random, out[8:]); err != nil {
		return [16]byte{}, err
	}
	p := panField4(pan)
	b.Encrypt(out[:], out[:])
	subtle.XORBytes(out[:], out[:], p[:])
	b.Encrypt(out[:], out[:])
	return out, nil
}

// DecryptPIN4 undoes EncryptPIN4. A bad block is ErrPINBlock; a bad key length is an error of crypto/aes.
func DecryptPIN4(key []byte, block [16]byte, pan string) (pin string, err error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	if checkPAN(pan) != nil {
		return "", ErrPINBlock
	}
	p := panField4(pan)
	b.Decrypt(block[:], block[:])
	subtle.XORBytes(block[:], block[:], p[:])
	b.Decrypt(block[:], block[:])
	if block[0]>>4 != 4 {
		return "", ErrPINBlock
	}
	return decodePINField(block[:8], func(n byte) bool { return n == 10 })
}
