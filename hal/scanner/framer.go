package scanner

import "strings"

// framer cuts codes out of what the scanner sends. It holds at most max bytes of a code.
//
//	stream = { reply | control | code suffix }
//	reply  = 02 01 ... 03          (Newland's answer to a command)
//	code   = 1*max( 20-7E )
//
// Control bytes between codes are padding (LF after CR, ACK). A code with any other byte inside is noise and is dropped whole: half
// a code must not be taken for a whole one.
type framer struct {
	suffix string
	max    int

	code    []byte
	bad     bool // drop everything up to the end of this code
	reply   int  // 0 outside of a reply, else its length so far
	last    byte // of a reply, the byte before
	refused bool // a reply was a refusal
}

// Bytes of Newland's replies: header 02 01, then the command echoed, then one of the results, then ";" 03.
const (
	stx = 0x02
	etx = 0x03
	enq = 0x05 // command not known
	nak = 0x15 // value not supported

	maxReply = 64
)

// begun tells that a code is under way.
func (f *framer) begun() bool { return len(f.code) > 0 || f.bad || f.reply > 0 }

// push takes a byte and returns a code that it completes.
func (f *framer) push(b byte) (string, bool) {
	if f.reply > 0 {
		f.inReply(b)
		return "", false
	}
	if len(f.code) == 0 && !f.bad {
		if b == stx {
			f.reply = 1
			return "", false
		}
		if b < 0x20 {
			return "", false
		}
	}
	f.code = append(f.code, b)
	if strings.HasSuffix(string(f.tail()), f.suffix) {
		return f.finish(len(f.code) - len(f.suffix))
	}
	if len(f.code) > f.max+len(f.suffix) {
		f.bad = true
	}
	if f.bad { // only as much as may be the beginning of the suffix is kept
		f.code = append(f.code[:0], f.tail()...)
	}
	return "", false
}

// tail is as much of the end of the code as the suffix is long.
func (f *framer) tail() []byte { return f.code[max(len(f.code)-len(f.suffix), 0):] }

// pause ends a code for which no suffix came.
func (f *framer) pause() (string, bool) {
	f.reply = 0
	return f.finish(len(f.code))
}

func (f *framer) finish(n int) (string, bool) {
	code := string(f.code[:n])
	bad := f.bad || n > f.max
	f.code, f.bad = f.code[:0], false
	for i := range len(code) {
		if code[i] < 0x20 || code[i] > 0x7e {
			bad = true
		}
	}
	code = strings.TrimSpace(stripAIM(code))
	return code, code != "" && !bad
}

func (f *framer) inReply(b byte) {
	f.reply++
	switch {
	case f.reply == 2 && b != 0x01, f.reply > maxReply:
		f.reply, f.bad = 0, true // not a reply: noise
	case b == etx:
		f.reply = 0
	case b == ';' && (f.last == nak || f.last == enq):
		f.refused = true
	}
	f.last = b
}

// stripAIM takes off a symbology identifier: "]", a letter, a modifier (ISO/IEC 15424).
func stripAIM(s string) string {
	if len(s) > 3 && s[0] == ']' && letter(s[1]) && (letter(s[2]) || s[2] >= '0' && s[2] <= '9') {
		return s[3:]
	}
	return s
}

func letter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
