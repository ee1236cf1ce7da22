package world

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"posd/internal/money"
	"posd/sim"
)

// An Action is something that people and scripts can do.
type Action struct {
	Name  string `json:"name"`
	Usage string `json:"usage"` // its arguments
	About Words  `json:"about"`
	Looks bool   `json:"looks"` // it only looks: what came before it stays in view of the next wait
	run   func(ctx context.Context, w *World, args []string) (any, error)
}

// Words say the same in both languages.
type Words struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

var errUsage = errors.New("usage")

// Actions are all actions, in the order in which help shows them.
var Actions []Action

func init() { // in init, since "help" refers to the list
	Actions = []Action{
		{"insert", "CARD | vpcd", Words{"插卡, 或插入经 vpcd 连接的卡", "insert a card into the reader; vpcd is the one that another program is (see run -h)"}, false, doInsert},
		{"remove", "", Words{"拔卡", "take the card out of the reader"}, false, doRemove},
		{"tap", "CARD", Words{"挥卡(尚不支持)", "hold a card to the antenna (not supported yet)"}, false, doTap},
		{"swipe", "CARD", Words{"刷卡", "pull a card through the stripe reader"}, false, doSwipe},
		{"scan", "PHONE | text STRING", Words{"向扫码窗出示付款码", "show a phone's payment code, or any text, to the scanner"}, false, doScan},
		{"phone", "PHONE confirm | refuse | scan", Words{"在手机上确认、拒绝付款, 或扫屏幕上的码", "on a phone: confirm or refuse a payment, or scan the QR code on the display"}, false, doPhone},
		{"press", "KEY...", Words{"按键", "press keys"}, false, doPress},
		{"type", "DIGITS", Words{"输入数字", "press the key of each digit"}, false, doType},
		{"amount", "12.34", Words{"输入金额", "type an amount given in yuan"}, false, doAmount},
		{"fault", "NAME[:WHERE] on | off | once", Words{"设置故障", "switch a fault on or off, or on for one time (acquirer); WHERE narrows it to a message: acquirer.reply-lost:0400, alipay.html-200:query"}, false, doFault},
		{"faults", "", Words{"列出故障", "list the faults and how they stand"}, true, doFaults},
		{"power", "cut | on | off", Words{"断电 (cut)、通电 (on)、正常关机 (off)", "cut the power, switch on, or shut down in order"}, false, doPower},
		{"cut", "when SOURCE=TEXT [dir=>|<] [nth=N] | never", Words{"在某条记录出现时断电", "arm a power cut at the moment an event passes"}, false, doCut},
		{"tear", "", Words{"撕下小票", "tear the paper off; gives its text"}, false, doTear},
		{"language", "zh | en", Words{"通过菜单切换终端语言", "choose the terminal's language through its menu"}, false, doLanguage},
		{"wait", "SOURCE=TEXT [dir=>|<] [nth=N] [timeout=10s]", Words{"等待屏幕 (screen=idle) 或记录", "wait for a screen (screen=idle) or an event of the trace"}, true, doWait},
		{"state", "", Words{"当前状态", "how things stand"}, true, doState},
		{"catalog", "", Words{"卡、手机、按键、故障一览", "cards, phones, keys, faults"}, true, doCatalog},
		{"paper", "", Words{"打印纸上的文字", "text on the paper in the printer"}, true, doPaper},
		{"receipts", "", Words{"已撕下的小票", "texts of the receipts torn off, oldest first"}, true, doReceipts},
		{"ledger", "acquirer | alipay", Words{"主机账本", "what a host has in its books"}, true, doLedger},
		{"journal", "", Words{"终端流水", "the terminal's journal"}, true, doJournal},
		{"trace", "[from=N] [source=NAME] [limit=N]", Words{"记录", "events of the trace"}, true, doTrace},
		{"help", "", Words{"列出所有操作", "list all actions"}, true, doHelp},
	}
}

// Do carries out an action. A *NameError lists the good names, a *UsageError says how the action is called.
func (w *World) Do(ctx context.Context, name string, args []string) (any, error) {
	i := slices.IndexFunc(Actions, func(a Action) bool { return a.Name == name })
	if i < 0 {
		names := make([]string, 0, len(Actions))
		for _, a := range Actions {
			names = append(names, a.Name)
		}
		return nil, unknown("action", name, names)
	}
	a := Actions[i]
	if !a.Looks {
		w.mark()
	}
	res, err := a.run(ctx, w, args)
	if errors.Is(err, errUsage) {
		err = &UsageError{a.Name, a.Usage}
	}
	return res, err
}

func one(args []string) (string, error) {
	if len(args) != 1 {
		return "", errUsage
	}
	return args[0], nil
}

func none(args []string) error {
	if len(args) != 0 {
		return errUsage
	}
	return nil
}

// keyPause is the time between two keys: a person is slower, but a keypad that bounces is not.
const keyPause = 15 * time.Millisecond

// Press presses a key. While the PIN pad asks for a PIN the keypad is the pad's own, as in a terminal with a combined secure keypad;
// otherwise the key reaches posd as an input event.
func (w *World) Press(k Key) error {
	if !w.State().Power {
		return errors.New("the terminal has no power: nothing happens")
	}
	if w.hw.entering() {
		return w.hw.padKey(k)
	}
	if err := w.keys.press(k.Code); err != nil {
		return fmt.Errorf("nobody reads the keypad: %w", err)
	}
	w.tracer().Emit("keypad", "<", "key "+k.Name)
	if k.Name == "f1" && w.Screen() == "idle" { // the key that changes the language there
		w.set(func() { w.lang = map[string]string{"zh": "en", "en": "zh"}[w.lang] })
	}
	return nil
}

func (w *World) pressAll(ctx context.Context, keys []Key) error {
	for i, k := range keys {
		if i > 0 {
			select {
			case <-time.After(keyPause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := w.Press(k); err != nil {
			return err
		}
	}
	return nil
}

func doPress(ctx context.Context, w *World, args []string) (any, error) {
	if len(args) == 0 || len(args) > 64 {
		return nil, errUsage
	}
	var keys []Key
	for _, a := range args {
		k, err := FindKey(a)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return nil, w.pressAll(ctx, keys)
}

func doType(ctx context.Context, w *World, args []string) (any, error) {
	digits, err := one(args)
	if err != nil || digits == "" || len(digits) > 32 || strings.Trim(digits, "0123456789") != "" {
		return nil, errUsage
	}
	return doPress(ctx, w, strings.Split(digits, ""))
}

func doAmount(ctx context.Context, w *World, args []string) (any, error) {
	s, err := one(args)
	if err != nil {
		return nil, err
	}
	a, err := money.Parse(s, money.CNY)
	if err != nil {
		return nil, fmt.Errorf("%w; want yuan, such as 12 or 12.34", err)
	}
	if a.Minor <= 0 {
		return nil, errors.New("the amount must be more than zero")
	}
	return doType(ctx, w, []string{strconv.FormatInt(a.Minor, 10)})
}

func doInsert(_ context.Context, w *World, args []string) (any, error) {
	name, err := one(args)
	if err != nil {
		return nil, err
	}
	return nil, w.Insert(name)
}

func doRemove(_ context.Context, w *World, args []string) (any, error) {
	if err := none(args); err != nil {
		return nil, err
	}
	return nil, w.Remove()
}

func doTap(_ context.Context, _ *World, args []string) (any, error) {
	name, err := one(args)
	if err != nil {
		return nil, err
	}
	if _, err := findCard(name); err != nil {
		return nil, err
	}
	return nil, errors.New("contactless is not supported yet: insert the card")
}

func doScan(_ context.Context, w *World, args []string) (any, error) {
	switch {
	case len(args) == 2 && args[0] == "text":
		return nil, w.ShowCode(args[1])
	case len(args) == 1:
		return nil, w.ShowPhone(args[0])
	}
	return nil, errUsage
}

func doPhone(_ context.Context, w *World, args []string) (any, error) {
	if len(args) != 2 {
		return nil, errUsage
	}
	switch args[1] {
	case "confirm":
		return nil, w.hw.confirm(args[0], true)
	case "refuse":
		return nil, w.hw.confirm(args[0], false)
	case "scan":
		return nil, w.PhoneScans(args[0])
	}
	return nil, unknown("thing to do with a phone", args[1], []string{"confirm", "refuse", "scan"})
}

func doFault(_ context.Context, w *World, args []string) (any, error) {
	if len(args) != 2 {
		return nil, errUsage
	}
	return nil, w.SetFault(args[0], args[1])
}

func doFaults(_ context.Context, w *World, args []string) (any, error) {
	if err := none(args); err != nil {
		return nil, err
	}
	on := w.State().Faults
	out := map[string]bool{}
	for _, f := range w.hw.faults() {
		out[f.ID] = slices.Contains(on, f.ID)
	}
	return out, nil
}

func doPower(_ context.Context, w *World, args []string) (any, error) {
	how, err := one(args)
	if err != nil {
		return nil, err
	}
	switch how {
	case "cut":
		w.PowerCut()
	case "on":
		return nil, w.PowerOn()
	case "off":
		w.Off()
	default:
		return nil, unknown("power action", how, []string{"cut", "on", "off"})
	}
	return nil, nil
}

func doCut(_ context.Context, w *World, args []string) (any, error) {
	switch {
	case len(args) == 1 && args[0] == "never":
		w.hub.Disarm()
		w.changed.ring()
		return nil, nil
	case len(args) > 1 && args[0] == "when":
		p, timeout, err := ParsePattern(args[1:])
		if err != nil {
			return nil, err
		}
		if timeout != 0 {
			return nil, errors.New("a cut waits as long as it takes: timeout is not for it")
		}
		w.CutWhen(p)
		return nil, nil
	}
	return nil, errUsage
}

func doTear(_ context.Context, w *World, args []string) (any, error) {
	if err := none(args); err != nil {
		return nil, err
	}
	return w.Tear()
}

func doWait(ctx context.Context, w *World, args []string) (any, error) {
	if len(args) == 0 {
		return nil, errUsage
	}
	p, timeout, err := ParsePattern(args)
	if err != nil {
		return nil, err
	}
	return w.Wait(ctx, p, timeout)
}

func doState(_ context.Context, w *World, args []string) (any, error) {
	return w.State(), none(args)
}

func doCatalog(_ context.Context, w *World, args []string) (any, error) {
	return w.Catalog(), none(args)
}

func doPaper(_ context.Context, w *World, args []string) (any, error) {
	return w.hw.printer.Text(), none(args)
}

func doReceipts(_ context.Context, w *World, args []string) (any, error) {
	return w.Receipts(), none(args)
}

func doLedger(_ context.Context, w *World, args []string) (any, error) {
	name, err := one(args)
	if err != nil {
		return nil, err
	}
	return w.Ledger(name)
}

func doJournal(ctx context.Context, w *World, args []string) (any, error) {
	if err := none(args); err != nil {
		return nil, err
	}
	return w.Journal(ctx)
}

func doTrace(_ context.Context, w *World, args []string) (any, error) {
	from, limit, source := uint64(1), 0, ""
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		var err error
		switch k {
		case "from":
			from, err = strconv.ParseUint(v, 10, 64)
		case "limit":
			if limit, err = strconv.Atoi(v); err == nil && limit < 0 {
				err = errUsage
			}
		case "source":
			if source = v; !slices.Contains(Sources, v) {
				return nil, unknown("source", v, Sources)
			}
		default:
			err = errUsage
		}
		if err != nil {
			return nil, errUsage
		}
	}
	return w.Trace(from, limit, source), nil
}

func doHelp(_ context.Context, _ *World, args []string) (any, error) {
	return Actions, none(args)
}

// Trace returns the events from number from on that come from source ("" is any): the last limit of them, or all when limit is 0.
func (w *World) Trace(from uint64, limit int, source string) []sim.Event {
	events, _, _ := w.hub.Since(from, 0)
	if source != "" {
		events = slices.DeleteFunc(events, func(e sim.Event) bool { return e.Source != source })
	}
	if limit > 0 && len(events) > limit {
		events = events[len(events)-limit:]
	}
	return slices.Clip(append([]sim.Event{}, events...))
}
