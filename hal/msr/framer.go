package msr

import "posd/internal/track"

// framer finds the characters of one swipe in what the line brings. It holds at most one character more than a swipe can have, so that one
// that is too long is seen to be so; the rest of it is dropped.
//
//	stream = { noise | swipe ( CR | LF | pause ) }
//	swipe  = ( "%" | ";" | "+" ) *( 20-7E )
//
// Noise is everything before a start sentinel. Within a swipe a byte that is no character stays, and makes it unreadable: half a swipe must
// not be taken for a whole one.
type framer struct {
	buf [track.MaxSwipe + 1]byte
	n   int
}

// begun tells that a swipe is under way.
func (f *framer) begun() bool { return f.n > 0 }

// push takes a byte and tells whether it ends a swipe.
func (f *framer) push(b byte) (done bool) {
	switch {
	case f.n == 0 && b != '%' && b != ';' && b != '+':
		return false
	case b == '\r', b == '\n':
		return true
	case f.n < len(f.buf):
		f.buf[f.n] = b
		f.n++
	}
	return false
}

func (f *framer) swipe() string { return string(f.buf[:f.n]) }

func (f *framer) wipe() {
	clear(f.buf[:])
	f.n = 0
}
