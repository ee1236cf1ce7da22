package world

import (
	"fmt"
	"strings"
)

// A NameError says that a name is not known and lists the ones that are.
type NameError struct {
	What   string   // "card", "key", "fault", ...
	Name   string   // as given
	Choose []string // the good ones
}

// Error names the bad one and lists the good ones.
func (e *NameError) Error() string {
	if len(e.Choose) == 0 {
		return fmt.Sprintf("no %s named %.40q; there is none at all", e.What, e.Name)
	}
	return fmt.Sprintf("no %s named %.40q; choose one of: %s", e.What, e.Name, strings.Join(e.Choose, ", "))
}

func unknown(what, name string, choose []string) error {
	return &NameError{What: what, Name: name, Choose: choose}
}

// A UsageError says how an action is called.
type UsageError struct{ Action, Usage string }

// Error shows the usage.
func (e *UsageError) Error() string { return "usage: " + strings.TrimSpace(e.Action+" "+e.Usage) }
