package world

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"posd/sim"
)

// Sources are the names that events of the trace come under.
var Sources = []string{"reader", "pinpad", "scanner", "stripe", "printer", "keypad", "display", "acquirer", "alipay", "posd", "world"}

// Pattern picks events of the trace.
type Pattern struct {
	Source string // one of Sources, or "screen" for posd's own report of the screen it shows
	Text   string // the summary, or one detail as "name: value", contains it; letter case does not count; "*" is any. A screen's name is matched whole
	Dir    string // ">" or "<"; "" for both
	Nth    int    // the how-manieth match counts; 1 is the first
}

// Match tells whether e is one of the events that p picks. It does not count.
func (p Pattern) Match(e sim.Event) bool {
	if p.Source == "screen" {
		return e.Source == "posd" && p.Text != "" && screenOf(e) == p.Text
	}
	if e.Source != p.Source || (p.Dir != "" && e.Dir != p.Dir) {
		return false
	}
	if p.Text == "*" {
		return true
	}
	text := strings.ToLower(p.Text)
	if strings.Contains(strings.ToLower(e.Summary), text) {
		return true
	}
	return slices.ContainsFunc(e.Detail, func(f sim.Field) bool {
		return strings.Contains(strings.ToLower(f.Name+": "+f.Value), text)
	})
}

// String is the pattern as ParsePattern reads it.
func (p Pattern) String() string {
	s := p.Source + "=" + p.Text
	if p.Dir != "" {
		s += " dir=" + p.Dir
	}
	if p.Nth > 1 {
		s += " nth=" + strconv.Itoa(p.Nth)
	}
	return s
}

// maxWait bounds how long a wait may be asked to last.
const maxWait = 10 * time.Minute

// ParsePattern reads "source=text", optionally with "dir=>" or "dir=<", "nth=N" and, where a timeout makes sense,
// "timeout=10s" (which comes back separately; 0 when absent).
func ParsePattern(args []string) (p Pattern, timeout time.Duration, err error) {
	p.Nth = 1
	for _, a := range args {
		k, v, ok := strings.Cut(a, "=")
		if !ok {
			return p, 0, fmt.Errorf("%.40q is not of the form name=value; want SOURCE=TEXT [dir=>|<] [nth=N] [timeout=10s]", a)
		}
		switch k {
		case "dir":
			if v != ">" && v != "<" {
				return p, 0, fmt.Errorf("dir is %.10q; want > (from posd) or < (to posd)", v)
			}
			p.Dir = v
		case "nth":
			if p.Nth, err = strconv.Atoi(v); err != nil || p.Nth < 1 || p.Nth > 100000 {
				return p, 0, fmt.Errorf("nth is %.20q; want a number from 1", v)
			}
		case "timeout":
			if timeout, err = time.ParseDuration(v); err != nil || timeout <= 0 || timeout > maxWait {
				return p, 0, fmt.Errorf("timeout is %.20q; want a duration up to %v, such as 10s", v, maxWait)
			}
		default:
			if k != "screen" && !slices.Contains(Sources, k) {
				return p, 0, unknown("source", k, append([]string{"screen"}, Sources...))
			}
			if p.Source != "" {
				return p, 0, fmt.Errorf("two sources, %s and %s: want one", p.Source, k)
			}
			if v == "" {
				return p, 0, fmt.Errorf("%s= wants a text to look for", k)
			}
			p.Source, p.Text = k, v
		}
	}
	if p.Source == "" {
		return p, 0, fmt.Errorf("no source: want SOURCE=TEXT with SOURCE one of screen, %s", strings.Join(Sources, ", "))
	}
	return p, timeout, nil
}

// screenOf is the name of the screen that a line of posd's log says it shows, or "".
func screenOf(e sim.Event) string { return fieldOf(e, "screen") }

func fieldOf(e sim.Event, name string) string {
	for _, f := range e.Detail {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}
