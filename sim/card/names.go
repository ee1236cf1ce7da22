package card

import "sync"

// names are those of the built-in profiles, by the interfaces of their cards.
type names struct{ contact, tap []string }

var named = sync.OnceValue(func() (n names) {
	for _, p := range builtin() {
		if p.Contactless == nil || !p.Contactless.Only {
			n.contact = append(n.contact, p.Name)
		}
		if p.Contactless != nil {
			n.tap = append(n.tap, p.Name)
		}
	}
	return n
})

// Taps lists the names of the built-in profiles of cards and phones with an antenna, sorted.
func Taps() []string { return named().tap }
