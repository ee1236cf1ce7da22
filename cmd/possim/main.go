// Command possim is the virtual terminal: it owns the hardware and the world around one posd, which it starts unmodified.
//
//	possim run      start a terminal, print the address of its front panel, and stay
//	possim do       act on the running terminal, as the page does
//	possim demo     play a chip sale and a Huabei sale without a browser, and print both receipts
//	possim card     be one of the virtual cards in another program's reader
//
// # Foreign cards
//
// possim run -vpcd ADDR lets another program be the card, over the vpcd protocol of vsmartcard (sim/vpcd). A card that connects is in
// the reader at once when that is empty; else, and when it was taken out (possim do remove), possim do insert vpcd puts it in. It is
// gone when the program hangs up. possim card PROFILE -vpcd ADDR is the other side: one of our cards for such a reader, be it another
// possim or Debian's vsmartcard-vpcd below pcscd.
//
// It is for tests, demonstrations and development. It moves no money and holds no production key.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(command(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

const usage = `usage: possim COMMAND [flags]

  run    start a virtual terminal and print the address of its front panel
  do     act on the running terminal: possim do help lists what can be done
  demo   play a chip sale and a Huabei sale, print both receipts
  card   be a virtual card in another program's reader: possim card PROFILE -vpcd ADDR

possim COMMAND -h shows a command's flags.
`

func command(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	switch args[0] {
	case "run":
		return run(args[1:], stdout, stderr)
	case "do":
		return do(args[1:], stdout, stderr)
	case "demo":
		return demo(args[1:], stdout, stderr)
	case "card":
		return beCard(args[1:], stdout, stderr)
	case "help", "-h", "--help":
		fmt.Fprint(stdout, usage)
		return exitOK
	}
	fmt.Fprintf(stderr, "possim: unknown command %q\n%s", args[0], usage)
	return exitUsage
}

// parse parses flags; code is what to exit with when ok is false.
func parse(fs *flag.FlagSet, args []string) (code int, ok bool) {
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK, false
	case err != nil:
		return exitUsage, false
	}
	return 0, true
}
