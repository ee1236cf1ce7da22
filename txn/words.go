package txn

import (
	"encoding/hex"
	"fmt"
	"strings"

	"posd/internal/money"
	"posd/journal"
	"posd/keypad"
)

// mask keeps the first 6 and the last 4 digits of a card number.
func mask(pan string) string {
	if len(pan) < 10 {
		return "******"
	}
	b := []byte(pan)
	for i := 6; i < len(b)-4; i++ {
		b[i] = '*'
	}
	return string(b)
}

func hexUpper(b []byte) string {
	return strings.ToUpper(hex.EncodeToString(b))
}

func words(m map[string]string) keypad.Text {
	w := map[keypad.Lang]string{}
	for k, v := range m {
		w[keypad.Lang(k)] = v
	}
	return keypad.Text{Words: w}
}

func busy(name string, title keypad.Msg, amount *money.Amount) keypad.Screen {
	return keypad.Screen{Name: name, Mood: keypad.Busy, Title: keypad.T(title), Amount: amount}
}

func okHint() []keypad.Hint {
	return []keypad.Hint{{Key: keypad.KeyEnter, Text: keypad.T(keypad.HintOK)}}
}

func cancelHint() []keypad.Hint {
	return []keypad.Hint{{Key: keypad.KeyCancel, Text: keypad.T(keypad.HintCancel)}}
}

func trace(r journal.Record) string { return fmt.Sprintf("%06d", r.STAN) }

func moneyText(minor int64, c money.Currency) keypad.Text {
	return keypad.Raw(money.Amount{Minor: minor, Currency: c}.String())
}
