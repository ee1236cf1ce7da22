package scanner

import (
	"strings"
	"testing"
)

func FuzzFramer(f *testing.F) {
	f.Add([]byte("284567890123456789\r"), "\r", 20)
	f.Add([]byte("]Q1abc\r\n\xff\x00\x02\x010000#X\x15;\x03tail"), "\r\n", 4)
	f.Add([]byte("\x02\x02\x03\r\x02\x01"), "", 1)
	f.Fuzz(func(t *testing.T, stream []byte, suffix string, most int) {
		if len(suffix) > 8 || suffix == "" {
			suffix = "\r"
		}
		most = min(max(most, 1), 300)
		fr := framer{suffix: suffix, max: most}
		check := func(code string, ok bool) {
			if !ok {
				return
			}
			if code == "" || len(code) > most {
				t.Fatalf("code of %d bytes, limit %d", len(code), most)
			}
			if i := strings.IndexFunc(code, func(r rune) bool { return r < 0x20 || r > 0x7e }); i >= 0 {
				t.Fatalf("byte %#x in a code", code[i])
			}
		}
		for _, b := range stream {
			check(fr.push(b))
			if len(fr.code) > most+len(suffix) {
				t.Fatalf("%d bytes held, limit %d", len(fr.code), most)
			}
		}
		check(fr.pause())
		if fr.begun() {
			t.Fatal("something is left after the pause")
		}
	})
}
