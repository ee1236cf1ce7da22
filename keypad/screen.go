package keypad

import (
	"time"

	"posd/internal/money"
)

// Lang is a language of screens and receipts.
type Lang string

// Languages that every message has.
const (
	ZH Lang = "zh"
	EN Lang = "en"
)

// Key is a key of the operator's keypad: '0' to '9', '*', '#' or one of the named ones.
type Key rune

// Named keys. F1 to F4 stand beside the display.
const (
	KeyNone   Key = 0
	KeyEnter  Key = '\r'
	KeyClear  Key = '\b' // correct the last digit
	KeyCancel Key = 0x1b
	KeyMenu   Key = 'M'
	KeyUp     Key = 'U'
	KeyDown   Key = 'D'
	KeyF1     Key = 'a'
	KeyF2     Key = 'b'
	KeyF3     Key = 'c'
	KeyF4     Key = 'd'
)

// Msg names an entry of the message table.
type Msg string

// Text is something to show: a message with arguments for its verbs, or words that came from outside in several languages.
type Text struct {
	Msg   Msg
	Args  []any           // strings, integers, money.Amount, or Text
	Words map[Lang]string // used when Msg is ""
}

// T makes a Text from the message table.
func T(m Msg, args ...any) Text { return Text{Msg: m, Args: args} }

// Mood is what a screen must not be confused with another about; it decides colour, sign and tone.
type Mood uint8

// Moods. Good, Bad and Doubt differ in colour, in sign and in words.
const (
	Plain  Mood = iota // a prompt or a menu
	Busy               // something is under way
	Good               // approved
	Bad                // declined, refused, not done: no money moved
	Doubt              // unknown: money may have moved; the terminal will find out
	Notice             // something the operator must do (paper, card out)
)

// Row is a line with a label at the left and a value at the right; Strong rows are set larger.
type Row struct {
	Label  Text
	Value  Text
	Strong bool
}

// Hint names a key that does something now.
type Hint struct {
	Key  Key
	Text Text
}

// Screen is all that the display shows below the status bar. Name is stable: logs and stories use it.
type Screen struct {
	Name     string
	Lang     Lang // "" is the console's; another one where the cardholder is to read it
	Mood     Mood
	Icon     Icon
	Title    Text
	Amount   *money.Amount // the largest thing on the display
	Entry    string        // digits being typed, shown large when Amount is nil
	Body     []Text
	Rows     []Row
	QR       string    // drawn as a QR code when not empty
	Stars    int       // PIN digits so far, drawn as stars when ShowStar
	ShowStar bool      //
	Until    time.Time // counted down when not zero
	Code     string    // error code, small, for the telephone call with the help desk
	Hints    []Hint
}

// Option is a line of a menu: reached by its number key or with Up, Down and Enter.
type Option struct {
	Text   Text
	Detail Text // small, at the right
}

// Menu is a choice of one of several options.
type Menu struct {
	Name    string
	Lang    Lang // as in Screen
	Title   Text
	Amount  *money.Amount
	Options []Option
	Body    []Text
}

// AmountPrompt asks for an amount.
type AmountPrompt struct {
	Name     string
	Title    Text
	Currency money.Currency
	Max      int64 // minor units; typing beyond it is refused with a message
	First    Key   // a digit already typed on the idle screen
}

// Status is the bar at the top: link, time and operator.
type Status struct {
	Link     Link
	Operator string
	Owed     int  // items owed to a host
	Paper    bool // paper is out or low
	Training bool
	NoKeypad bool // the operator's keys are not there
}

// Link is the state of the way to the acquirer.
type Link uint8

// Link states.
const (
	LinkUnknown Link = iota
	LinkUp
	LinkDown
	LinkBusy
)

// Icon is a pictogram beside a prompt.
type Icon uint8

// Icons. A screen without one gets that of its title's message, where there is one.
const (
	IconNone Icon = iota
	IconCard
	IconCardOut
	IconScan
	IconPhone
	IconPIN
	IconPaper
)
