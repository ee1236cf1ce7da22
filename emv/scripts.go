package emv

import (
	"context"

	"posd/emv/tlv"
)

// Results of an issuer script, high nibble of the first of its five bytes (Book 4, A5).
const (
	scriptNotPerformed = 0x00
	scriptFailed       = 0x10
	scriptSucceeded    = 0x20
)

// Bounds on scripts. A terminal must take 128 bytes of them in one answer (Book 4, 6.3.9).
const (
	minScriptLimit     = 128
	maxScriptLimit     = 4096
	defaultScriptLimit = 1024
)

// hostScript is one template 71 or 72.
type hostScript struct {
	body []byte
	long bool // it goes beyond what the terminal takes (Book 4, 12.2.4, script length error)
}

// runScripts sends the commands of issuer scripts to the card (Book 3, 10.10 and Annex E; Book 4, 6.3.9 and 12.2.4). Each script adds
// five bytes to the results: what became of it, the number of the command that failed (15 for any behind it), and its identifier. A
// script that fails sets the TVR bit and does not keep the next one from being run.
func (s *Session) runScripts(ctx context.Context, scripts []hostScript, failed bit) error {
	for _, script := range scripts {
		tsiScript.set(s.tsi[:])
		result, id, err := s.runScript(ctx, script)
		if result&0xF0 != scriptSucceeded {
			failed.set(s.tvr[:])
		}
		s.scriptResults = append(append(s.scriptResults, result), id[:]...)
		s.term.Set(tagScriptResults, s.scriptResults)
		s.term.Set(tagScriptResultsEMV, s.scriptResults)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) runScript(ctx context.Context, script hostScript) (result byte, id [4]byte, err error) {
	// The coding is read as a whole first: a template that is broken somewhere is not performed in part (Annex E, scenario 3).
	d := tlv.NewDecoder(script.body)
	commands, broken := 0, script.long
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		switch o.Tag {
		case tagScriptID:
			if len(o.Value) != 4 {
				broken = true
				continue
			}
			id = [4]byte(o.Value) // reported for a script that is not performed, too
		case tagScriptCommand:
			commands++
			if len(o.Value) < 4 || len(o.Value) > maxCommandData+commandOverhead {
				broken = true
			}
		}
	}
	if d.Err() != nil || commands == 0 || broken {
		return scriptNotPerformed, id, nil
	}
	d = tlv.NewDecoder(script.body)
	n := byte(0)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		if o.Tag != tagScriptCommand {
			continue
		}
		if n < 0x0F {
			n++
		}
		_, sw, err := s.exchange(ctx, StepCompletion, o.Value)
		if err != nil {
			return scriptFailed | n, id, err
		}
		// 10.10: 90, 62 and 63 let the script go on.
		if sw1 := sw >> 8; sw1 != 0x90 && sw1 != 0x62 && sw1 != 0x63 {
			return scriptFailed | n, id, nil
		}
	}
	return scriptSucceeded, id, nil
}
