package world

import (
	"maps"
	"slices"

	"posd/sim/card"
)

// scriptCommands are the commands of issuer scripts by name.
var scriptCommands = map[string]card.ScriptCommand{
	"block-application": card.BlockApplication, "unblock-application": card.UnblockApplication, "block-card": card.BlockCard,
	"unblock-pin": card.UnblockPIN, "offline-count-3": card.SetOfflineCount(3),
}

// issuerScript builds a script as the issuer of the test cards makes it.
func issuerScript(template byte, pan, psn string, icc []byte, names []string) ([]byte, error) {
	commands := make([]card.ScriptCommand, 0, len(names))
	for _, n := range names {
		c, ok := scriptCommands[n]
		if !ok {
			return nil, unknown("script command", n, slices.Sorted(maps.Keys(scriptCommands)))
		}
		commands = append(commands, c)
	}
	return card.Issuer{}.Script(template, pan, psn, icc, commands...)
}
