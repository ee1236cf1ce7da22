package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"posd/sim/card"
	"posd/sim/vpcd"
)

const cardUsage = `usage: possim card PROFILE [-vpcd ADDR]

Is a virtual card in a reader that another program is, over the protocol of vsmartcard's vpcd: another possim run -vpcd, or pcscd with
Debian's vsmartcard-vpcd. PROFILE is one of the names below, or the path of a profile file. It ends when the reader hangs up.

`

// beCard is the card's side of vpcd.
func beCard(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("possim card", flag.ContinueOnError)
	fs.SetOutput(stderr)
	addr := fs.String("vpcd", "127.0.0.1", "`address` of the reader; its port is "+vpcd.DefaultPort+" unless given")
	fs.Usage = func() {
		fmt.Fprint(stderr, cardUsage)
		fs.PrintDefaults()
		fmt.Fprintln(stderr, "\ncards:", strings.Join(card.Profiles(), ", "))
	}
	// The profile may come before the flags, as people type it.
	var names []string
	for rest := args; ; {
		if code, ok := parse(fs, rest); !ok {
			return code
		}
		if fs.NArg() == 0 {
			break
		}
		names = append(names, fs.Arg(0))
		rest = fs.Args()[1:]
	}
	if len(names) != 1 {
		fs.Usage()
		return exitUsage
	}
	c, err := loadCard(names[0])
	if err != nil {
		fmt.Fprintln(stderr, "possim:", err)
		return exitFailed
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	conn, err := vpcd.Dial(ctx, *addr)
	if err != nil {
		fmt.Fprintln(stderr, "possim:", err)
		return exitFailed
	}
	fmt.Fprintf(stdout, "%s is at the reader %s\n", names[0], conn.RemoteAddr())
	if err := vpcd.Serve(ctx, conn, c); err != nil {
		fmt.Fprintln(stderr, "possim:", err)
		return exitFailed
	}
	if ctx.Err() == nil {
		fmt.Fprintln(stderr, "possim: the reader hung up")
	}
	return exitOK
}

// loadCard makes a card from the name of a profile or the path of a file.
func loadCard(name string) (*card.Card, error) {
	if slices.Contains(card.Profiles(), name) {
		return card.Load(name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("no card and no profile file named %.40q; cards: %s", name, strings.Join(card.Profiles(), ", "))
	}
	return card.Parse(text)
}
