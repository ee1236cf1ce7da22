// Package keypad is the operator's console: keys in, screens out, menus, prompts and two languages.
//
// A Console owns the display below and including the status bar. It draws a Screen (what to say, not how it looks) and runs the
// prompts that a flow needs: an amount, a choice, a confirmation, a short text, a wait that the Cancel key can end. One goroutine
// calls it, the one that owns the transaction; only SetStatus may come from another.
//
// The layout is made for 480x320 and 320x240 and follows four rules: the amount is the largest thing; the keys that do something
// now are named at the bottom; approved, declined and unknown differ in shape, layout and words, not only in colour; nothing is
// smaller than the bitmap font's own 12 pixels.
//
// What it will not do: it never sees the digits of a PIN (the PIN pad reports how many there are), never logs what was typed or
// shown, and knows no device: keys arrive on a channel and pixels leave through the Display interface.
package keypad
