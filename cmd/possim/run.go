package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"posd/sim/panel"
	"posd/sim/vpcd"
	"posd/sim/world"
)

// terminalFlags are the flags that run and demo share.
func terminalFlags(fs *flag.FlagSet) *world.Options {
	o := &world.Options{Panel: world.Panel{Width: 480, Height: 320}, Timeouts: map[string]int{}}
	fs.StringVar(&o.Posd, "posd", "", "the posd `binary` (default: the one beside possim, else the one in PATH)")
	fs.StringVar(&o.Lang, "lang", "zh", "language in which the terminal starts: zh or en")
	fs.StringVar(&o.Dir, "dir", "", "run `directory`, kept (default: a temporary one)")
	fs.StringVar(&o.VPCD, "vpcd", "", "`address` at which another program can be the card, over the protocol of vsmartcard's vpcd (port "+vpcd.DefaultPort+
		"); it is in the reader when it connects and the reader is empty, otherwise after \"do insert vpcd\"")
	fs.BoolVar(&o.Fast, "fast", false, "devices answer without the delays of real ones")
	fs.Func("lcd", "`size` of the display: 480x320 or 320x240, with :rgb565 behind it for 16 bits a pixel (default 480x320)", func(s string) (err error) {
		o.Panel, err = world.ParsePanel(s)
		return err
	})
	fs.Func("timeouts", "posd's time limits in `seconds`, such as result=1,card=30 (card, pin, scan, result, host, tear)", func(s string) error {
		for kv := range strings.SplitSeq(s, ",") {
			k, v, _ := strings.Cut(kv, "=")
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 {
				return fmt.Errorf("%q: want NAME=SECONDS", kv)
			}
			o.Timeouts[k] = n
		}
		return nil
	})
	return o
}

// findPosd is the binary to start when none is named.
func findPosd(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "posd")
		if fi, err := os.Stat(beside); err == nil && !fi.IsDir() {
			return beside, nil
		}
	}
	for _, d := range filepath.SplitList(os.Getenv("PATH")) {
		p := filepath.Join(cmp.Or(d, "."), "posd")
		if fi, err := os.Stat(p); err == nil && !fi.IsDir() && fi.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("no posd beside possim nor in PATH: name it with -posd")
}

func run(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("possim run", flag.ContinueOnError)
	fs.SetOutput(stderr)
	o := terminalFlags(fs)
	addr := fs.String("addr", "127.0.0.1:0", "loopback `address` of the front panel")
	verbose := fs.Bool("v", false, "write the trace to stderr")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if fs.NArg() > 0 || (o.Lang != "zh" && o.Lang != "en") {
		fmt.Fprintln(stderr, "possim run takes flags only; -lang is zh or en")
		return exitUsage
	}
	// The signals are caught before there is anything that would have to be cleaned up.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := serve(ctx, *o, *addr, *verbose, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "possim:", err)
		return exitFailed
	}
	return exitOK
}

func serve(ctx context.Context, o world.Options, addr string, verbose bool, stdout, stderr io.Writer) (err error) {
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
	if verbose {
		follow, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); writeTrace(follow, w, stderr) }()
		defer func() { cancel(); <-done }()
	}
	s, err := panel.Listen(w, addr)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := w.PowerOn(); err != nil {
		return err
	}
	forget, err := announce(instance{URL: s.URL(), PID: os.Getpid(), Dir: w.Dir()})
	if err != nil {
		return err
	}
	defer forget()
	fmt.Fprintln(stdout, s.URL())
	if at := w.VPCD(); at != "" {
		fmt.Fprintln(stderr, "possim: another program can be the card at", at)
	}
	<-ctx.Done()
	fmt.Fprintln(stderr, "possim: ends:", context.Cause(ctx))
	return nil
}

func writeTrace(ctx context.Context, w *world.World, out io.Writer) {
	next := uint64(1)
	for {
		changed := w.Hub().Changed()
		events, _, n := w.Hub().Since(next, 0)
		next = n
		for _, e := range events {
			fmt.Fprintf(out, "%s %-8s %1s %s\n", e.Time.Format("15:04:05.000"), e.Source, e.Dir, e.Summary)
			for _, f := range e.Detail {
				fmt.Fprintf(out, "%30s %s: %s\n", "", f.Name, f.Value)
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
