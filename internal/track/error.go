package track

import "fmt"

// Error says what is wrong with a stripe, and where; never what was there.
type Error struct {
	Track  int    // 1, 2 or 3; 0 for the swipe as a whole
	Field  string // "PAN", "expiry", ...
	Offset int    // of the field in the track, the start sentinel being 0; in the swipe where Track is 0
	Why    string
}

func (e *Error) Error() string {
	if e.Track == 0 {
		return fmt.Sprintf("track: %s at %d %s", e.Field, e.Offset, e.Why)
	}
	return fmt.Sprintf("track: track %d: %s at %d %s", e.Track, e.Field, e.Offset, e.Why)
}
