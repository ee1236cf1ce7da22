package input

import (
	"strconv"
	"strings"
)

// codes are the evdev key codes that keypads use, with their names of linux/input-event-codes.h.
var codes = map[string]uint16{
	"KEY_0": 11, "KEY_1": 2, "KEY_2": 3, "KEY_3": 4, "KEY_4": 5, "KEY_5": 6, "KEY_6": 7, "KEY_7": 8, "KEY_8": 9, "KEY_9": 10,
	"KEY_KP0": 82, "KEY_KP1": 79, "KEY_KP2": 80, "KEY_KP3": 81, "KEY_KP4": 75, "KEY_KP5": 76, "KEY_KP6": 77, "KEY_KP7": 71,
	"KEY_KP8": 72, "KEY_KP9": 73, "KEY_NUMERIC_0": 512, "KEY_NUMERIC_1": 513, "KEY_NUMERIC_2": 514, "KEY_NUMERIC_3": 515,
	"KEY_NUMERIC_4": 516, "KEY_NUMERIC_5": 517, "KEY_NUMERIC_6": 518, "KEY_NUMERIC_7": 519, "KEY_NUMERIC_8": 520,
	"KEY_NUMERIC_9": 521, "KEY_NUMERIC_STAR": 522, "KEY_NUMERIC_POUND": 523, "KEY_KPASTERISK": 55, "KEY_KPDOT": 83,
	"KEY_KPPLUS": 78, "KEY_KPMINUS": 74, "KEY_KPSLASH": 98, "KEY_DOT": 52, "KEY_ENTER": 28, "KEY_KPENTER": 96, "KEY_OK": 352,
	"KEY_SELECT": 353, "KEY_BACKSPACE": 14, "KEY_DELETE": 111, "KEY_CLEAR": 355, "KEY_BACK": 158, "KEY_ESC": 1, "KEY_CANCEL": 223,
	"KEY_STOP": 128, "KEY_EXIT": 174, "KEY_MENU": 139, "KEY_HOME": 102, "KEY_HOMEPAGE": 172, "KEY_SETUP": 141, "KEY_UP": 103,
	"KEY_DOWN": 108, "KEY_LEFT": 105, "KEY_RIGHT": 106, "KEY_PAGEUP": 104, "KEY_PAGEDOWN": 109, "KEY_TAB": 15, "KEY_SPACE": 57,
	"KEY_POWER": 116, "KEY_INFO": 358, "KEY_PRINT": 210, "KEY_LEFTSHIFT": 42, "KEY_RIGHTSHIFT": 54, "KEY_F1": 59, "KEY_F2": 60,
	"KEY_F3": 61, "KEY_F4": 62, "KEY_F5": 63, "KEY_F6": 64, "KEY_F7": 65, "KEY_F8": 66, "KEY_F9": 67, "KEY_F10": 68,
	"KEY_F11": 87, "KEY_F12": 88, "KEY_A": 30, "KEY_B": 48, "KEY_C": 46, "KEY_D": 32, "KEY_E": 18, "KEY_F": 33, "KEY_G": 34,
	"KEY_H": 35, "KEY_I": 23, "KEY_J": 36, "KEY_K": 37, "KEY_L": 38, "KEY_M": 50, "KEY_N": 49, "KEY_O": 24, "KEY_P": 25,
	"KEY_Q": 16, "KEY_R": 19, "KEY_S": 31, "KEY_T": 20, "KEY_U": 22, "KEY_V": 47, "KEY_W": 17, "KEY_X": 45, "KEY_Y": 21,
	"KEY_Z": 44, "KEY_PROG1": 148, "KEY_PROG2": 149, "KEY_PROG3": 202, "KEY_PROG4": 203,
}

// Code finds the code of an evdev key by its name ("KEY_ENTER") or its number ("28", "0x1c"). KEY_MAX is 767.
func Code(name string) (uint16, bool) {
	if c, ok := codes[strings.ToUpper(name)]; ok {
		return c, true
	}
	n, err := strconv.ParseUint(name, 0, 16)
	return uint16(n), err == nil && n > 0 && n <= 767
}

// names are the keys of the terminal as a board file calls them, and the runes of the operator's console.
var names = map[string]rune{
	"0": '0', "1": '1', "2": '2', "3": '3', "4": '4', "5": '5', "6": '6', "7": '7', "8": '8', "9": '9',
	"*": '*', "star": '*', "#": '#', "hash": '#',
	"enter": '\r', "clear": '\b', "cancel": 0x1b, "menu": 'M', "up": 'U', "down": 'D',
	"f1": 'a', "f2": 'b', "f3": 'c', "f4": 'd',
}

// Rune finds the rune of a terminal key by its name: "0" to "9", "*" or "star", "#" or "hash", "enter", "clear", "cancel", "menu",
// "up", "down", "f1" to "f4".
func Rune(name string) (rune, bool) {
	r, ok := names[strings.ToLower(name)]
	return r, ok
}
