package track

import "strings"

// MaxSwipe is the most that one swipe can be, in characters: three tracks with sentinels and LRC.
const MaxSwipe = 79 + 40 + 107

// sentinels of a track.
const (
	start1 = '%'
	start2 = ';'
	start3 = '+'
	end    = '?'
)

// Parse reads one swipe: "%...?;...?+...?" without what the reader sends behind it. Tracks may be missing, and one that the reader could
// not read (";E?", ";?") counts as missing; but there is no Card without a good track 2, since nothing can be sent to a bank without it.
// Tracks that contradict one another are an error. lrc tells that each end sentinel is followed by its check character, which is verified.
// The error is an *Error: of track 2 where that is what is wrong.
func Parse(raw string, lrc bool) (Card, error) {
	one, two, three, err := split(raw, lrc)
	if err != nil {
		return Card{}, err
	}
	t2, err := Parse2(two)
	if err != nil {
		return Card{}, err
	}
	c := Card{
		PAN: t2.PAN, Expiry: t2.Expiry, Service: t2.Service, Discretion: t2.Discretion,
		Track2: strings.ReplaceAll(two, "=", "D"),
	}
	if one != "" {
		t1, err := Parse1(one)
		switch {
		case err != nil: // what counts is on track 2
		case t1.PAN != t2.PAN:
			return Card{}, &Error{1, "PAN", 2, "is not that of track 2"}
		case t1.Expiry != t2.Expiry || t1.Service != t2.Service:
			return Card{}, &Error{1, "expiry and service code", len(t1.PAN), "are not those of track 2"}
		default:
			c.Name, c.Track1 = t1.Name, one
		}
	}
	if three != "" {
		if t3, err := Parse3(three); err == nil && t3.PAN == t2.PAN {
			c.Track3 = strings.ReplaceAll(three, "=", "D")
		}
	}
	return c, nil
}

// split takes a swipe apart. A track that was not read is "".
func split(raw string, lrc bool) (one, two, three string, err error) {
	if len(raw) > MaxSwipe {
		return "", "", "", &Error{0, "swipe", MaxSwipe, "is longer than three tracks"}
	}
	last := 0
	for at := 0; at < len(raw); {
		n := 0
		switch c := raw[at]; {
		case c == start1:
			n = 1
		case c == start2 && last < 2:
			n = 2
		case c == start3, c == start2:
			n = 3
		}
		if n <= last {
			return "", "", "", &Error{0, "start sentinel", at, "is not that of a track that may be here"}
		}
		i := strings.IndexByte(raw[at:], end)
		if i < 0 {
			return "", "", "", &Error{n, "end sentinel", len(raw) - at, "is missing"}
		}
		body := raw[at+1 : at+i]
		next := at + i + 1
		if failed := body == "" || body == "E"; failed {
			body = "" // the reader's way to say that it could not read the track
		} else if lrc {
			if next >= len(raw) {
				return "", "", "", &Error{n, "LRC", i + 1, "is missing"}
			}
			if raw[next] != LRC(n, raw[at:next]) {
				return "", "", "", &Error{n, "LRC", i + 1, "is wrong"}
			}
			next++
		}
		switch n {
		case 1:
			one = body
		case 2:
			two = body
		case 3:
			three = body
		}
		last, at = n, next
	}
	if two == "" {
		return "", "", "", &Error{2, "track", 0, "was not read"}
	}
	return one, two, three, nil
}

// LRC is the check character of a track from its start sentinel to its end sentinel, in the track's own alphabet: each bit makes that bit of
// all characters even, parity apart (ISO/IEC 7811-2, 10.2). Track 1 has 6 bits from blank on, the others 4 from "0" on. The
// "+" of a reader has the same four bits as the ";" that is on the stripe.
func LRC(track int, s string) byte {
	base, mask := byte('0'), byte(0x0F)
	if track == 1 {
		base, mask = ' ', 0x3F
	}
	var x byte
	for i := range len(s) {
		x ^= (s[i] - base) & mask
	}
	return base + x
}
