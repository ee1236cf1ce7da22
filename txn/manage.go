package txn

import (
	"context"
	"errors"
	"fmt"

	"posd/journal"
	"posd/keypad"
	"posd/netlink/acquirer"
	"posd/vault"
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

// SignOn fetches working keys and batch number (message 0800).
func (t *Terminal) SignOn(ctx context.Context) error {
	t.Console.Show(busy("sign-on", keypad.SignOnBusy, nil))
	if err := t.connect(ctx); err != nil {
		return err
	}
	stan, err := t.Journal.TakeSTAN()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.Config.HostWait)
	defer cancel()
	reply, err := t.Acquirer.SignOn(ctx, stan)
	if err != nil {
		t.setLink(keypad.LinkDown)
		return err
	}
	if reply.Action != acquirer.Approve {
		return &refusedSignOn{reply}
	}
	if err := t.Keys.Install(ctx, reply.Keys); err != nil {
		return err
	}
	if reply.Batch != 0 {
		ok, err := t.Journal.AdoptBatch(reply.Batch)
		if err != nil {
			return err
		}
		if !ok {
			t.Log.Warn().Uint32("batch", reply.Batch).Msg("host names another batch while the open one has transactions: kept")
		}
	}
	t.signOnWanted = false
	t.setLink(keypad.LinkUp)
	t.Log.Info().Uint32("stan", stan).Msg("signed on")
	return nil
}

// refusedSignOn is the host's no to a sign-on.
type refusedSignOn struct{ reply acquirer.SignOnReply }

func (e *refusedSignOn) Error() string {
	return "txn: host refuses the sign-on with code " + e.reply.Code
}

func signOnProblem(err error) *Problem {
	var no *refusedSignOn
	if errors.As(err, &no) {
		p := bad("L03", keypad.SignOnFailed, keypad.CallHelp, err)
		p.Code, p.Advice = "L03-"+no.reply.Code, words(no.reply.Text)
		return p
	}
	switch {
	case errors.Is(err, vault.ErrKCV):
		return bad("V02", keypad.SignOnFailed, keypad.CallHelp, err)
	case errors.Is(err, vault.ErrPad):
		return bad("P01", keypad.PINPadGone, keypad.DeviceCheck, err)
	case errors.Is(err, journal.ErrStorage):
		return storeProblem(err)
	}
	var f *acquirer.Failure
	if errors.As(err, &f) {
		return linkProblem(err)
	}
	return bad("L03", keypad.SignOnFailed, keypad.CallHelp, err)
}

func (t *Terminal) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.Config.HostWait)
	defer cancel()
	err := t.Acquirer.Connect(ctx)
	if err != nil {
		t.setLink(keypad.LinkDown)
		return fmt.Errorf("%w: %w", errNoLine, err)
	}
	t.setLink(keypad.LinkUp)
	return nil
}
