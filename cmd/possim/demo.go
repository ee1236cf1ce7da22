package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"posd/sim/world"
)

// A scene is a sale as somebody at the counter plays it: one action of possim do a line.
type scene struct {
	title world.Words
	steps []string
}

// heading is the title in the language of the terminal.
func (s scene) heading(lang string) string {
	if lang == "en" {
		return s.title.EN
	}
	return s.title.ZH
}

// scenes are what demo plays. Amounts, card and phone are chosen so that everything that can be asked is asked.
var scenes = []scene{
	{world.Words{ZH: "芯片卡消费 128.50 元, 密码由银行验证", EN: "A chip card, 128.50 yuan, PIN checked by the bank"}, []string{
		"wait screen=idle timeout=30s",
		"amount 128.50",
		"wait screen=amount",
		"press enter",
		"wait screen=method",
		"press 1",
		"wait screen=insert timeout=20s",
		"insert unionpay-debit",
		"wait pinpad=waiting timeout=30s",
		"type 123456",
		"press enter",
		"wait screen=tear timeout=60s",
		"press enter",
		"wait screen=take-card timeout=30s",
		"remove",
		"wait screen=idle timeout=30s",
		"tear",
	}},
	{world.Words{ZH: "支付宝花呗分 6 期 1200.00 元, 手续费由买家承担", EN: "Alipay, 1200.00 yuan by Huabei in 6 instalments, the buyer pays the fee"}, []string{
		"wait screen=idle timeout=30s",
		"amount 1200.00",
		"wait screen=amount",
		"press enter",
		"wait screen=method",
		"press 2",
		"wait screen=huabei timeout=10s",
		"press 2",
		"wait screen=plan",
		"press 2",
		"wait screen=plan-confirm",
		"press enter",
		"wait scanner=trigger timeout=20s",
		"scan huabei-good",
		"wait screen=tear timeout=60s",
		"press enter",
		"wait screen=idle timeout=60s",
		"tear",
	}},
}

func demo(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("possim demo", flag.ContinueOnError)
	fs.SetOutput(stderr)
	o := terminalFlags(fs)
	verbose := fs.Bool("v", false, "write what is done to stderr")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() > 0 {
		fmt.Fprintln(stderr, "possim demo takes flags only")
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if _, ok := o.Timeouts["result"]; !ok {
		o.Timeouts["result"] = 1 // nobody reads the display
	}
	if err := perform(ctx, *o, *verbose, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "possim:", err)
		return exitFailed
	}
	return exitOK
}

func perform(ctx context.Context, o world.Options, verbose bool, stdout, stderr io.Writer) (err error) {
	if o.Posd, err = findPosd(o.Posd); err != nil {
		return err
	}
	w, err := world.New(o)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := w.Close(); err == nil {
			err = cerr
		}
	}()
	if err := w.PowerOn(); err != nil {
		return err
	}
	for _, s := range scenes {
		fmt.Fprintf(stdout, "== %s\n\n", s.heading(o.Lang))
		for _, step := range s.steps {
			if verbose {
				fmt.Fprintln(stderr, "possim do", step)
			}
			f := strings.Fields(step)
			res, err := w.Do(ctx, f[0], f[1:])
			if err != nil {
				return fmt.Errorf("%s: %w\n%s", step, err, lastWords(w))
			}
			if text, ok := res.(string); ok && text != "" {
				fmt.Fprintln(stdout, strings.TrimRight(text, "\n")+"\n")
			}
		}
	}
	return ctx.Err()
}

// lastWords are the last events of the trace, for a scene that did not go as it should.
func lastWords(w *world.World) string {
	var b strings.Builder
	for _, e := range w.Trace(1, 15, "") {
		fmt.Fprintf(&b, "  %s %-8s %1s %s\n", e.Time.Format(time.TimeOnly+".000"), e.Source, e.Dir, e.Summary)
	}
	return b.String()
}
