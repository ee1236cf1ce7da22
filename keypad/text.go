package keypad

import (
	"fmt"

	"posd/internal/money"
)

// In puts t into words of a language. A message that is not in the table is shown as its name: ugly, but the operator can read it
// out on the telephone, and a test finds it.
func (t Text) In(l Lang) string {
	if t.Msg == "" {
		return words(t.Words, l)
	}
	e, ok := messages[t.Msg]
	if !ok {
		return "[" + string(t.Msg) + "]"
	}
	f := e.zh
	if l == EN {
		f = e.en
	}
	if len(t.Args) == 0 {
		return f
	}
	args := make([]any, len(t.Args))
	for i, a := range t.Args {
		switch a := a.(type) {
		case Text:
			args[i] = a.In(l)
		case money.Amount:
			args[i] = a.String()
		default:
			args[i] = a
		}
	}
	return fmt.Sprintf(f, args...)
}

// words takes the asked language, else English, else Chinese, else anything that is there, always the same.
func words(w map[Lang]string, l Lang) string {
	for _, try := range []Lang{l, EN, ZH} {
		if s, ok := w[try]; ok {
			return s
		}
	}
	best := Lang("")
	for k := range w {
		if best == "" || k < best {
			best = k
		}
	}
	return w[best]
}

// Raw makes a Text of words that are the same in all languages: a name, a number, what a host said.
func Raw(s string) Text { return Text{Words: map[Lang]string{ZH: s, EN: s}} }
