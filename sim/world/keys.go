package world

import (
	"slices"
	"strings"
)

// A Key is a key of the terminal's keypad.
type Key struct {
	Name  string // as the actions call it
	Code  uint16 // Linux input-event-codes.h
	Linux string // its name there, as the board file's map uses it
	Rune  rune   // what the terminal takes it for: keypad.Key
}

// Keys is the keypad, in the order in which its names are listed.
var Keys = []Key{
	{"0", 11, "KEY_0", '0'},
	{"1", 2, "KEY_1", '1'},
	{"2", 3, "KEY_2", '2'},
	{"3", 4, "KEY_3", '3'},
	{"4", 5, "KEY_4", '4'},
	{"5", 6, "KEY_5", '5'},
	{"6", 7, "KEY_6", '6'},
	{"7", 8, "KEY_7", '7'},
	{"8", 9, "KEY_8", '8'},
	{"9", 10, "KEY_9", '9'},
	{"star", 55, "KEY_KPASTERISK", '*'},
	{"hash", 523, "KEY_NUMERIC_POUND", '#'},
	{"enter", 28, "KEY_ENTER", '\r'},
	{"clear", 14, "KEY_BACKSPACE", '\b'},
	{"cancel", 1, "KEY_ESC", 0x1b},
	{"menu", 139, "KEY_MENU", 'M'},
	{"up", 103, "KEY_UP", 'U'},
	{"down", 108, "KEY_DOWN", 'D'},
	{"f1", 59, "KEY_F1", 'a'},
	{"f2", 60, "KEY_F2", 'b'},
	{"f3", 61, "KEY_F3", 'c'},
	{"f4", 62, "KEY_F4", 'd'},
}

var keyAliases = map[string]string{
	"*": "star", "#": "hash", "ok": "enter", "return": "enter", "backspace": "clear", "esc": "cancel", "escape": "cancel",
}

// FindKey finds a key by name, in any letter case.
func FindKey(name string) (Key, error) {
	n := strings.ToLower(name)
	if a, ok := keyAliases[n]; ok {
		n = a
	}
	if i := slices.IndexFunc(Keys, func(k Key) bool { return k.Name == n }); i >= 0 {
		return Keys[i], nil
	}
	var names []string
	for _, k := range Keys {
		names = append(names, k.Name)
	}
	return Key{}, unknown("key", name, names)
}
