package acquirer

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestStripeRules(t *testing.T) {
	raw, err := os.ReadFile("../../etc/acquirers/unionpay.toml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	p, err := ParseProfile(raw)
	if err != nil || !p.Stripe.PINAlways || p.Stripe.Fallback != time.Minute {
		t.Fatalf("as it ships: %+v, %v", p.Stripe, err)
	}
	if p.Entries[EntryMagstripe].Condition != "0" || p.Entries[EntryFallback].Condition != "2" || p.Entries[EntryMagstripe].Track3 {
		t.Errorf("as it ships: %+v", p.Entries)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"PIN rule", `pin = "always"`, `pin = "never"`, "stripe.pin"},
		{"fallback without its entry", "[entry.fallback]\nmode = \"02\"\ncapability = \"5\"\ncondition = \"2\"\ntrack2 = true\n", "", "needs entry.fallback"},
		{"fallback for ever", `fallback = "60s"`, `fallback = "60h"`, "stripe.fallback"},
		{"no track 2", "[entry.magstripe]\nmode = \"02\"\ncapability = \"5\"\ncondition = \"0\"\ntrack2 = true", "[entry.magstripe]\nmode = \"02\"\ncapability = \"5\"\ncondition = \"0\"", "entry.magstripe.track2"},
	} {
		if !strings.Contains(text, c.old) {
			t.Fatalf("%s: the profile that ships has no %q", c.name, c.old)
		}
		if _, err := ParseProfile([]byte(strings.Replace(text, c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if p, err := ParseProfile([]byte(strings.Replace(text, `fallback = "60s"`, "", 1))); err != nil || p.Stripe.Fallback != 0 {
		t.Errorf("no fallback: %v", err)
	}
}
