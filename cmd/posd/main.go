// Command posd is the payment terminal's firmware: one daemon that drives the devices of a board, sells, and keeps the journal.
//
//	posd run -board board.toml -config posd.toml       be a terminal until SIGTERM
//	posd config check -board ... -config ...           read every configuration file and say what is wrong
//	posd doctor -board ... -config ...                 ask each device and host for a sign of life
//	posd journal -data DIR                             print the journal, one JSON record a line
//	posd version
//
// It holds no simulator, no test key and no demonstration host. Nothing else in the tree imports hal: the drivers are chosen here, by the
// board file, and handed to txn through the small interfaces it declares.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"posd/hal"
	"posd/journal"
	"posd/vault"
)

// version is set by the linker.
var version = "development"

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1 // it did not work; the reason is on stderr
	exitUsage   = 2 // the command line cannot be understood
	exitConfig  = 3 // a configuration file is wrong: restarting does not help
	exitJournal = 4 // the journal cannot be used: nothing may be sold
)

func main() { os.Exit(command(os.Args[1:], os.Stdout, os.Stderr)) }

const usage = `usage: posd COMMAND [flags]

  run           be a terminal until SIGTERM
  config check  read every configuration file and say what is wrong
  doctor        ask each device and host for a sign of life
  journal       print the journal, one JSON record a line
  version       print the version

posd COMMAND -h shows a command's flags.
`

func command(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	name, rest := args[0], args[1:]
	if name == "config" {
		if len(rest) == 0 || rest[0] != "check" {
			fmt.Fprintln(stderr, "usage: posd config check -board FILE -config FILE")
			return exitUsage
		}
		name, rest = "config check", rest[1:]
	}
	fs := flag.NewFlagSet("posd "+name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	board := fs.String("board", "/etc/posd/board.toml", "the board file: which devices there are and where")
	conf := fs.String("config", "/etc/posd/posd.toml", "merchant, hosts and files")
	data := fs.String("data", "/var/lib/posd", "directory of the journal (journal only)")
	if err := fs.Parse(rest); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		return exitUsage
	}
	if name != "journal-check" && fs.NArg() > 0 {
		fmt.Fprintf(stderr, "posd %s: unexpected argument %q\n", name, fs.Arg(0))
		return exitUsage
	}
	switch name {
	case "run":
		return run(*board, *conf, stderr)
	case "config check":
		return configCheck(*board, *conf, stdout, stderr)
	case "doctor":
		return doctor(*board, *conf, stdout, stderr)
	case "journal":
		return printJournal(*data, stdout, stderr)
	case "journal-check": // run by posd itself, in a process of its own: a damaged page may crash it
		if fs.NArg() != 1 {
			fmt.Fprintln(stderr, "usage: posd journal-check FILE")
			return exitUsage
		}
		if err := journal.CheckPages(fs.Arg(0)); err != nil {
			fmt.Fprintln(stderr, err)
			return exitJournal
		}
		return exitOK
	case "version":
		fmt.Fprintf(stdout, "posd %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return exitOK
	case "help", "-h", "--help":
		fmt.Fprint(stdout, usage)
		return exitOK
	}
	fmt.Fprintf(stderr, "posd: unknown command %q\n%s", name, usage)
	return exitUsage
}

func run(boardPath, configPath string, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// One posd on a board, whatever its configuration says: a second one must not touch the devices of the first.
	unlock, err := lockBoard(boardPath)
	if err != nil {
		fmt.Fprintln(stderr, err)
		if errors.Is(err, journal.ErrInUse) {
			return exitJournal
		}
		return exitConfig
	}
	defer unlock()
	set, err := load(boardPath, configPath)
	if err != nil {
		fmt.Fprintln(stderr, err)
		if set.board == nil {
			set.board = hal.Salvage(boardPath)
		}
		refuseConfig(ctx, set, zerolog.New(stderr).With().Timestamp().Logger(), err)
		return exitConfig
	}
	level, _ := zerolog.ParseLevel(set.conf.LogLevel) // checked by load
	log := zerolog.New(stderr).Level(level).With().Timestamp().Logger()
	log.Info().Str("version", version).Str("board", set.board.Name).Str("tid", set.conf.Terminal.TID).Msg("posd starts")

	m, err := build(ctx, set, log)
	if err != nil {
		log.Error().Err(err).Msg("posd cannot start")
		fmt.Fprintln(stderr, err)
		if errors.Is(err, journal.ErrDamaged) || errors.Is(err, journal.ErrVersion) || errors.Is(err, journal.ErrStorage) || errors.Is(err, journal.ErrInUse) || isPathError(err) {
			return exitJournal
		}
		return exitConfig
	}
	defer m.close()
	err = m.serve(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Error().Err(err).Msg("posd stops")
		return exitFailed
	}
	log.Info().Msg("posd stops")
	return exitOK
}

// lockBoard takes the board for this process. The lock goes with the process, however it ends.
func lockBoard(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("hal: board file: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another posd runs on this board: %s is %w", path, journal.ErrInUse)
		}
		return nil, fmt.Errorf("hal: board file: %w", err)
	}
	return func() { _ = f.Close() }, nil
}

// openJournal opens the journal of a data directory after another process has examined it.
func openJournal(dir string) (*journal.Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "journal.db")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		// The journal is made before the keys. Keys without a journal mean that it was lost, and with it what is owed and the numbers used.
		if _, err := os.Stat(filepath.Join(dir, vault.FileName)); err == nil {
			return nil, fmt.Errorf("%w: %s is gone but this terminal has been in use: restore it", journal.ErrDamaged, path)
		}
	}
	return journal.Open(path, journal.Options{Check: func(path string) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, self, "journal-check", path).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %.300s", err, out)
		}
		return nil
	}})
}

func printJournal(dir string, stdout, stderr io.Writer) int {
	path := filepath.Join(dir, "journal.db")
	if _, err := os.Stat(path); err != nil { // Open would make a new one
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	enc := json.NewEncoder(stdout)
	err := journal.ReadFile(path, func(r journal.Record) error {
		if r.Card != nil {
			r.Card.Sealed = nil // of use to this terminal only
		}
		return enc.Encode(r)
	})
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitJournal
	}
	return exitOK
}
