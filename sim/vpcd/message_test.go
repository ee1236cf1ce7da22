package vpcd

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Every message is a length of two bytes, most significant first, and the body.
func TestMessages(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    string
		limit int
		want  string // hex; or the error
	}{
		{"power off", "0001 00", 258, "00"},
		{"ATR asked", "0001 04", 258, "04"},
		{"the length's first byte is the upper", "0100" + strings.Repeat("AB", 256), 258, strings.Repeat("ab", 256)},
		{"what follows is the next one's", "0002 9000 0001 04", 258, "9000"},
		{"longest", "0004 3B600000", 4, "3b600000"},
		{"over-long", "0005 3B60000000", 4, "length at offset 0: 5 bytes"},
		{"over-long by far, without any body", "FFFF", 258, "length at offset 0: 65535 bytes"},
		{"empty", "0000", 258, "length at offset 0: a message of no bytes"},
		{"half a length", "00", 258, "length at offset 1: the connection ends"},
		{"no body", "0002", 258, "body at offset 2: the connection ends after 0 of 2 bytes"},
		{"half a body", "0004 3B60", 258, "body at offset 4: the connection ends after 2 of 4 bytes"},
		{"nothing", "", 258, "EOF"},
	} {
		in, err := hex.DecodeString(strings.ReplaceAll(c.in, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		for how, r := range map[string]io.Reader{"whole": bytes.NewReader(in), "byte by byte": iotest.OneByteReader(bytes.NewReader(in))} {
			begun := 0
			b, err := readMessage(r, c.limit, func() { begun++ })
			got := hex.EncodeToString(b)
			if err != nil {
				got = err.Error()
			}
			if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) {
				t.Errorf("%s, %s: %s; want %s", c.name, how, got, c.want)
			}
			var bad *Error
			if err != nil && c.in != "" && !errors.As(err, &bad) {
				t.Errorf("%s: %T", c.name, err)
			}
			if want := min(len(in), 1); begun != want {
				t.Errorf("%s: begun %d times", c.name, begun)
			}
		}
	}
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1": "127.0.0.1:35963", "127.0.0.1:1": "127.0.0.1:1", "localhost": "localhost:35963", "::1": "[::1]:35963", "[::1]:7": "[::1]:7", ":9": ":9",
	} {
		if got := Address(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// What is read is at most what the limit allows, and written again it is the same bytes.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{"", "\x00", "\x00\x00", "\x00\x01\x04", "\x00\x02\x90\x00\x00\x01\x04", "\xff\xff1234", "\x01\x02abc", "\x00\x04;`\x00\x00"} {
		f.Add([]byte(s), uint16(258))
	}
	f.Fuzz(func(t *testing.T, in []byte, limit uint16) {
		r := bytes.NewReader(in)
		var out []byte
		for range len(in) + 1 {
			b, err := readMessage(r, int(limit), func() {})
			if err != nil {
				var bad *Error
				if !errors.As(err, &bad) && err != io.EOF {
					t.Fatalf("%T: %v", err, err)
				}
				if bad != nil && (bad.Field == "" || bad.Offset < 0 || bad.Offset > 2+int(limit)) {
					t.Fatalf("%+v", bad)
				}
				break
			}
			if len(b) == 0 || len(b) > int(limit) {
				t.Fatalf("%d bytes, limit %d", len(b), limit)
			}
			out = append(out, message(b)...)
		}
		if !bytes.HasPrefix(in, out) {
			t.Fatalf("%x became %x", in, out)
		}
	})
}
