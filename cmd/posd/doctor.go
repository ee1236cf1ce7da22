package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"posd/hal/ccid"
	"posd/hal/pinpad"
	"posd/hal/serial"
	"posd/hal/thermal"
	"posd/journal"
	"posd/netlink"
)

func configCheck(boardPath, configPath string, stdout, stderr io.Writer) int {
	s, err := load(boardPath, configPath)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitConfig
	}
	fmt.Fprintf(stdout, "board %q and configuration are good: terminal %s, merchant %s\n", s.board.Name, s.conf.Terminal.TID, s.conf.Terminal.MID)
	return exitOK
}

// doctor asks each device and host for a sign of life, one line each. It moves no money and prints nothing. It is to run while posd
// does not, since both would talk to the same devices.
func doctor(boardPath, configPath string, stdout, stderr io.Writer) int {
	s, err := load(boardPath, configPath)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitConfig
	}
	failed := false
	report := func(what string, f func(ctx context.Context) (string, error)) {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		said, err := f(ctx)
		if err != nil {
			failed = true
			fmt.Fprintf(stdout, "%-10s FAILED  %v\n", what, err)
			return
		}
		fmt.Fprintf(stdout, "%-10s ok      %s\n", what, said)
	}
	report("journal", func(context.Context) (string, error) {
		path := filepath.Join(s.conf.Data, "journal.db")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return "none yet", nil
		}
		return path, journal.CheckFile(path)
	})
	if b := s.board.Reader; b != nil {
		report("reader", func(ctx context.Context) (string, error) {
			dev := ccid.New(serial.Opener(serial.Config{Path: b.Port, Baud: b.Baud, TwoStop: true}), &ccid.Opts{Profile: ccid.Profile(b.Profile)})
			defer dev.Close()
			return dev.Firmware(ctx)
		})
	}
	if b := s.board.PINPad; b != nil {
		report("pinpad", func(ctx context.Context) (string, error) {
			dev := pinpad.New(serial.Opener(serial.Config{Path: b.Port, Baud: b.Baud}), nil)
			defer dev.Close()
			return b.Port, dev.Ping(ctx)
		})
	}
	if b := s.board.Printer; b != nil && b.Status {
		report("printer", func(ctx context.Context) (string, error) {
			dev := thermal.New(serial.Opener(serial.Config{Path: b.Port, Baud: b.Baud}), nil)
			defer func() { _ = dev.Halt() }()
			st, err := dev.Status(ctx)
			if err == nil {
				err = st.Err()
			}
			return b.Port, err
		})
	}
	if s.profile != nil {
		report("acquirer", func(ctx context.Context) (string, error) {
			cfg, err := s.line()
			if err != nil {
				return "", err
			}
			cfg.Log = zerolog.Nop()
			link, err := netlink.New(cfg)
			if err != nil {
				return "", err
			}
			defer link.Close()
			_, err = link.Connect(ctx)
			return fmt.Sprint(cfg.Addresses), err
		})
	}
	if failed {
		return exitFailed
	}
	return exitOK
}
