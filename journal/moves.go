package journal

import "fmt"

// allowed is the life of a transaction. Nothing else may happen to a record's state.
//
//	          +-> approved <-+
//	sent -----+-> declined <-+- decided by card and terminal without the host
//	          +-> undoing --+-> undone
//	                ^   |   +-> given-up
//	                +---+ (another try, counted)
//
// There is no way from undoing back to approved: an answer that arrives once a reversal is owed changes nothing. There is no way
// out of approved: taking an approved sale back is a transaction of its own (void, refund).
var allowed = map[State][]State{
	"":       {Sent, Approved, Declined},
	Sent:     {Approved, Declined, Undoing},
	Undoing:  {Undoing, Undone, GivenUp},
	Approved: {},
	Declined: {},
	Undone:   {},
	GivenUp:  {},
}

// Allowed tells whether a record in state from may move to state to.
func Allowed(from, to State) bool {
	for _, s := range allowed[from] {
		if s == to {
			return true
		}
	}
	return false
}

// States lists every state that a stored record may have.
func States() []State {
	return []State{Sent, Approved, Declined, Undoing, Undone, GivenUp}
}

// MoveError is a move that the table does not allow: a bug in the caller, refused so that it cannot become a wrong record.
type MoveError struct {
	No       uint64
	From, To State
}

func (e *MoveError) Error() string {
	return fmt.Sprintf("journal: record %d may not move from %q to %q", e.No, e.From, e.To)
}
