package contactless

import "fmt"

// messages are short forms of the texts; the console has its own, in the languages it speaks. The certified wording of Book A, table 9-3, was
// not at hand: a certification must settle it.
var messages = map[Message]string{
	MsgApproved:      "approved",
	MsgDeclined:      "not authorised",
	MsgEnterPIN:      "enter your PIN",
	MsgError:         "processing error",
	MsgRemoveCard:    "remove card",
	MsgWelcome:       "welcome",
	MsgPresentCard:   "present card",
	MsgProcessing:    "processing",
	MsgCardReadOK:    "card read OK, remove card",
	MsgInsertOrSwipe: "insert or swipe card",
	MsgOneCardOnly:   "present one card only",
	MsgApprovedSign:  "approved, please sign",
	MsgAuthorising:   "authorising, please wait",
	MsgOtherCard:     "insert, swipe or try another card",
	MsgInsert:        "insert card",
	MsgNone:          "no message",
	MsgSeePhone:      "see phone for instructions",
	MsgPresentAgain:  "present card again",
}

// Known tells whether the message is one of Book A's that this package names. A console shows nothing for another.
func (m Message) Known() bool { return messages[m] != "" }

// String is a short English form, for logs and tests.
func (m Message) String() string {
	if s, ok := messages[m]; ok {
		return s
	}
	return fmt.Sprintf("message %02X", byte(m))
}

// approves tells whether the message says that the merchant has the money.
func (m Message) approves() bool { return m == MsgApproved || m == MsgApprovedSign }

func name[T ~uint8](v T, what string, names ...string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("%s %d", what, uint8(v))
}

// String is the name of Book A, 6.2.
func (s Status) String() string {
	return name(s, "status", "no outcome", "Approved", "Declined", "Online Request", "End Application", "Select Next",
		"Try Another Interface", "Try Again")
}

// String is "Start B", or "no start".
func (s Start) String() string {
	return name(s, "start", "no start", "Start A", "Start B", "Start C", "Start D")
}

// String is the name of Book A, 6.2.
func (c CVM) String() string {
	return name(c, "CVM", "not applicable", "No CVM", "Signature", "Online PIN", "Confirmation Code Verified")
}

// String is the name of Book A, 9.2.
func (s UIStatus) String() string {
	if s == StatusNone {
		return "no status"
	}
	return name(s, "status", "Not Ready", "Idle", "Ready to Read", "Processing", "Card Read Successfully", "Processing Error")
}

// Tone is what the reader sounds when a status begins.
type Tone uint8

// Tones.
const (
	NoTone      Tone = iota
	SuccessTone      // one tone, about 1500 Hz for half a second
	AlertTone        // two, about 750 Hz for 0.2 s each
)

// Signal says which of the reader's four lights are on while a status lasts, bit 0 the first, and what it sounds when it begins (Book A, 9.2,
// option 1: four lights in a row). From general knowledge of readers in use: a certification must settle it.
func (s UIStatus) Signal() (lights uint8, tone Tone) {
	switch s {
	case Idle, ReadyToRead, Processing:
		return 0b0001, NoTone
	case CardRead:
		return 0b1111, SuccessTone
	case ProcessingError:
		return 0, AlertTone
	}
	return 0, NoTone
}
