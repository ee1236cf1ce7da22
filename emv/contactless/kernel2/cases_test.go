package kernel2

import "testing"

// testCase is one clause: what is different from a plain purchase of 25.00 with a card that signs, and the outcome it leads to. then may look
// further.
type testCase struct {
	name string
	with func(b *bed)
	want string
	then func(b *bed)
}

func run(t *testing.T, cases []testCase) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.name] {
			t.Errorf("two cases are called %q", c.name)
		}
		seen[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			if c.with != nil {
				c.with(b)
			}
			b.want(c.want)
			if c.then != nil {
				c.then(b)
			}
		})
	}
}

// online is the outcome of the plain purchase.
const online = "ONLINE nocvm ui=1B/0/0 dr 0000000000FF"

// Outcomes of cards that cannot be used.
const (
	otherCard = "END ui=1C/0/13 "
	again     = "END B re=21/2 "
)
