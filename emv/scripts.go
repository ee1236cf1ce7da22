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

// runScripts sends the commands of issuer scripts to the card (Book 3, 10.10; Book 4, 12.2.4). Each script adds five bytes to
// the results: what became of it, the number of the command that failed (15 for any behind it), and its identifier. A script
// that fails sets the TVR bit and does not keep the next one from being run.
func (s *Session) runScripts(ctx context.Context, scripts [][]byte, failed bit) error {
	for _, script := range scripts {
		tsiScript.set(s.tsi[:])
		result, id, err := s.runScript(ctx, script)
		if result&0xF0 != scriptSucceeded {
			failed.set(s.tvr[:])
		}
		s.scriptResults = append(append(s.scriptResults, result), id[:]...)
		s.term.Set(tagScriptResults, s.scriptResults)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) runScript(ctx context.Context, script []byte) (result byte, id [4]byte, err error) {
	// The coding is read as a whole first: a template that is broken somewhere is not performed in part.
	d := tlv.NewDecoder(script)
	commands := 0
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		switch o.Tag {
		case tagScriptID:
			if len(o.Value) != 4 {
				return scriptNotPerformed, id, nil
			}
			id = [4]byte(o.Value)
		case tagScriptCommand:
			commands++
			if len(o.Value) < 4 || len(o.Value) > maxCommandData+commandOverhead {
				return scriptNotPerformed, id, nil
			}
		}
	}
	if d.Err() != nil || commands == 0 {
		return scriptNotPerformed, id, nil
	}
	d = tlv.NewDecoder(script)
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
