package world

import (
	"errors"
	"strings"
	"testing"
	"time"

	"posd/sim"
)

func TestParsePattern(t *testing.T) {
	for _, c := range []struct {
		args    string
		want    string
		timeout time.Duration
	}{
		{"screen=idle", "screen=idle", 0},
		{"acquirer=0200 dir=> nth=2", "acquirer=0200 dir=> nth=2", 0},
		{"nth=1 timeout=1m30s printer=*", "printer=*", 90 * time.Second},
	} {
		p, d, err := ParsePattern(strings.Fields(c.args))
		if err != nil || p.String() != c.want || d != c.timeout {
			t.Errorf("%s: %v, %v, %v", c.args, p, d, err)
		}
		back, _, err := ParsePattern(strings.Fields(p.String()))
		if err != nil || back != p {
			t.Errorf("%s: read back as %v, %v", c.args, back, err)
		}
	}
	for args, want := range map[string]string{
		"":                         "no source",
		"idle":                     "not of the form",
		"nobody=x":                 "choose one of: screen, reader",
		"screen=":                  "wants a text",
		"reader=a pinpad=b":        "two sources",
		"reader=a dir=up":          "dir is",
		"reader=a nth=0":           "nth is",
		"reader=a nth=x":           "nth is",
		"reader=a timeout=11m":     "timeout is",
		"reader=a timeout=-1s":     "timeout is",
		"reader=a timeout=forever": "timeout is",
	} {
		if _, _, err := ParsePattern(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", args, err, want)
		}
	}
	var name *NameError
	if _, _, err := ParsePattern([]string{"nobody=x"}); !errors.As(err, &name) || len(name.Choose) != len(Sources)+1 {
		t.Errorf("an unknown source does not list the known ones")
	}
}

func TestPatternMatch(t *testing.T) {
	sale := sim.Event{Source: "acquirer", Dir: ">", Summary: "0200 sale STAN 000123", Detail: []sim.Field{{Name: "F4 amount", Value: "12.00"}}}
	screen := sim.Event{Source: "posd", Summary: "screen", Detail: []sim.Field{{Name: "screen", Value: "idle"}}}
	for _, c := range []struct {
		p    Pattern
		e    sim.Event
		want bool
	}{
		{Pattern{Source: "acquirer", Text: "SALE"}, sale, true},
		{Pattern{Source: "acquirer", Text: "f4 amount: 12"}, sale, true},
		{Pattern{Source: "acquirer", Text: "*"}, sale, true},
		{Pattern{Source: "acquirer", Text: "0400"}, sale, false},
		{Pattern{Source: "acquirer", Text: "sale", Dir: "<"}, sale, false},
		{Pattern{Source: "alipay", Text: "sale"}, sale, false},
		{Pattern{Source: "screen", Text: "idle"}, screen, true},
		{Pattern{Source: "screen", Text: "id"}, screen, false},
		{Pattern{Source: "screen", Text: "idle"}, sale, false},
	} {
		if got := c.p.Match(c.e); got != c.want {
			t.Errorf("%v on %q: %v", c.p, c.e.Summary, got)
		}
	}
}

func FuzzParsePattern(f *testing.F) {
	for _, s := range []string{"screen=idle", "acquirer=0200 dir=> nth=2", "printer=* timeout=10s", "=", "a=b=c", "nth=99999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, _, err := ParsePattern(strings.Fields(s))
		if err != nil {
			return
		}
		if back, _, err := ParsePattern(strings.Fields(p.String())); err != nil || back != p {
			t.Errorf("%q: %v reads back as %v, %v", s, p, back, err)
		}
	})
}
