package txn

import (
	"context"
	"errors"

	"posd/keypad"
)

// SignOnByHand signs on because the operator asked for it, and shows how it went.
func (t *Terminal) SignOnByHand(ctx context.Context) error {
	if t.Acquirer == nil || t.Keys == nil {
		return t.show(ctx, bad("L03", keypad.SignOnFailed, keypad.CallHelp, errors.New("no acquirer configured")))
	}
	if err := t.SignOn(ctx); err != nil {
		return t.show(ctx, signOnProblem(err))
	}
	t.Console.Hold(ctx, keypad.Screen{Name: "signed-on", Mood: keypad.Good, Title: keypad.T(keypad.SignOnDone), Hints: okHint()}, t.Config.ResultHold)
	return nil
}

// EchoByHand asks the acquirer for a sign of life (0820/301), and shows how it went.
func (t *Terminal) EchoByHand(ctx context.Context) error {
	if t.Acquirer == nil {
		return t.show(ctx, bad("L01", keypad.HostDown, keypad.CallHelp, errors.New("no acquirer configured")))
	}
	t.Console.Show(busy("connect", keypad.BusyConnect, nil))
	wait, cancel := context.WithTimeout(ctx, t.Config.HostWait)
	defer cancel()
	if err := t.Acquirer.Echo(wait); err != nil {
		t.setLink(keypad.LinkDown)
		return t.show(ctx, linkProblem(err))
	}
	t.setLink(keypad.LinkUp)
	t.Console.Hold(ctx, keypad.Screen{Name: "echo", Mood: keypad.Good, Title: keypad.T(keypad.EchoDone), Hints: okHint()}, t.Config.ResultHold)
	return nil
}
