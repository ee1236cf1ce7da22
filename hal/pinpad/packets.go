package pinpad

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"posd/vault"
)

// Dialect is a family of pads.
type Dialect uint8

// Dialects.
const (
	VF  Dialect = iota // VeriFone
	UIC                // PP791
)

// Packet is a PIN entry request.
type Packet uint8

// PIN entry requests. Null PIN (Enter without digits) is possible with Z62 and Z63 alone.
const (
	Auto Packet = iota // Z63 for VF, Z62 for UIC
	Z60                // prompt shown before, PIN of 4 to 12 digits
	Z62                // prompts of the pad's fixed table
	Z63                // as Z60 with lengths and null PIN; VF only
	P70                // amount and prompt by the pad itself
)

func appendHex(dst, b []byte) []byte {
	i := len(dst)
	dst = hex.AppendEncode(dst, b)
	copy(dst[i:], bytes.ToUpper(dst[i:]))
	return dst
}

func checkSessionKey(k []byte) error {
	if len(k) != 8 && len(k) != 16 {
		return fmt.Errorf("%w: a session key of %d bytes (8 or 16 are possible)", ErrRequest, len(k))
	}
	return nil
}

func checkPAN(pan string) error {
	if len(pan) < 8 || len(pan) > 19 || strings.Trim(pan, "0123456789") != "" {
		return fmt.Errorf("%w: a card number must have 8 to 19 digits", ErrRequest)
	}
	return nil
}

// pinRequest builds Z60, Z62, Z63 or 70 with arguments that were checked.
func (o *Opts) pinRequest(p Packet, pik []byte, r vault.PINEntry, amount string) []byte {
	id := map[Packet]string{Z60: "Z60", Z62: "Z62", Z63: "Z63", P70: "70"}[p]
	b := append(make([]byte, 0, 160), id...)
	b = append(append(b, '.'), r.PAN...)
	b = appendHex(append(b, fs), pik)
	lens := fmt.Sprintf("%02d%02d%c", o.MinPIN, o.MaxPIN, map[bool]byte{false: 'Y', true: 'N'}[o.NoBypass])
	switch p {
	case P70:
		b = append(b, amount...)
	case Z62:
		b = append(append(b, lens...), strings.Join(o.TablePrompts[:], string(rune(fs)))...)
	case Z63:
		b = append(append(b, lens...), '*')
	}
	if o.Dialect == UIC { // the pad's own time-out, in steps of 30 s
		t := min(max((r.Timeout+30*time.Second-1)/(30*time.Second), 1), 9)
		b = strconv.AppendInt(append(b, fs), int64(t), 10)
	}
	return b
}

// parsePIN reads answer 71: a PIN block, a null PIN, or an error code.
func (o *Opts) parsePIN(body []byte) (vault.PINBlock, error) {
	bad := func(field string, off int) (vault.PINBlock, error) {
		return vault.PINBlock{}, &AnswerError{"71", field, off}
	}
	if !bytes.HasPrefix(body, []byte("71")) {
		return bad("packet", 0)
	}
	if len(body) == 3 {
		switch c := body[2]; {
		case o.Dialect == VF && c == '1', o.Dialect == UIC && c == '9':
			return vault.PINBlock{}, ErrNoMasterKey
		case o.Dialect == UIC && c == '7':
			return vault.PINBlock{}, ErrThrottled
		case o.Dialect == UIC:
			return vault.PINBlock{}, codeError("71", c, codes71UIC)
		default:
			return vault.PINBlock{}, codeError("71", c, codes71VF)
		}
	}
	// 71 . 0 length(2) 01 block(16)
	if len(body) != 8 && len(body) != 24 {
		return bad("length", len(body))
	}
	if body[2] != '.' || body[3] != '0' {
		return bad("marker", 2)
	}
	n, err := strconv.ParseUint(string(body[4:6]), 10, 8)
	if err != nil || n != 0 && (n < vault.MinPIN || n > vault.MaxPIN) {
		return bad("PIN length", 4)
	}
	if string(body[6:8]) != "01" {
		return bad("block format", 6)
	}
	if n == 0 { // with or without 16 characters that mean nothing
		return vault.PINBlock{Empty: true}, nil
	}
	var out vault.PINBlock
	if err := unhex(out.Block[:], body[8:]); err != nil {
		return bad("block", 8)
	}
	return out, nil
}

// unhex decodes upper-case hexadecimal of exactly len(dst) bytes.
func unhex(dst, src []byte) error {
	if len(src) != 2*len(dst) || bytes.ContainsAny(src, "abcdef") {
		return hex.ErrLength
	}
	_, err := hex.Decode(dst, src)
	return err
}

// macChunk is the data of one Z66 in bytes: 224 characters of hexadecimal, a multiple of eight bytes.
const macChunk = 112

// macPackets bounds a MAC: sequence numbers have two digits.
const macPackets = 100

// Flags of Z66.
const (
	macLastText   = '4'
	macMoreText   = '5'
	macLastBinary = '6'
	macMoreBinary = '7'
)

// macRequest builds a Z66. data is hexadecimal with the binary flags, plain text with the others.
func macRequest(flag byte, seq int, slot byte, mak, data []byte) []byte {
	b := append(make([]byte, 0, maxBody), "Z66"...)
	b = append(b, flag, '0'+byte(seq/10), '0'+byte(seq%10), slot, fs)
	b = appendHex(b, mak)
	b = append(b, fs, fs) // no second slot
	return append(b, data...)
}

// parseMAC reads answer Z67. more means that the pad wants the next packet.
func parseMAC(body []byte) (mac [8]byte, more bool, err error) {
	if !bytes.HasPrefix(body, []byte("Z67")) {
		return mac, false, &AnswerError{"Z67", "packet", 0}
	}
	if len(body) < 4 {
		return mac, false, &AnswerError{"Z67", "code", len(body)}
	}
	if c := body[3]; c != '0' {
		if len(body) != 4 {
			return mac, false, &AnswerError{"Z67", "length", len(body)}
		}
		if c == '1' {
			return mac, true, nil
		}
		return mac, false, codeError("Z67", c, codesZ67)
	}
	if err := unhex(mac[:], body[4:]); err != nil {
		return mac, false, &AnswerError{"Z67", "MAC", 4}
	}
	return mac, false, nil
}

// printable keeps what a pad's display can show: ASCII, at most 64 characters.
func printable(s string) string {
	out := make([]byte, 0, 64)
	for i := 0; i < len(s) && len(out) < cap(out); i++ {
		if s[i] >= ' ' && s[i] < 0x7f {
			out = append(out, s[i])
		}
	}
	return string(out)
}
