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
	"posd/hal/display"
	"posd/hal/input"
	"posd/hal/pinpad"
	"posd/hal/serial"
	"posd/hal/thermal"
	"posd/internal/money"
	"posd/journal"
	"posd/netlink"
	"posd/qrpay"
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
	report("display", func(context.Context) (string, error) {
		b := s.board.Display
		dev, err := display.New(display.Opts{Path: b.Path, Width: b.Width, Height: b.Height, BPP: b.BPP, Stride: b.Stride})
		if err != nil {
			return "", err
		}
		size := dev.Bounds().Size()
		return fmt.Sprintf("%s, %dx%d", b.Path, size.X, size.Y), dev.Halt()
	})
	report("keypad", func(context.Context) (string, error) {
		b := s.board.Keypad
		return b.Path, input.New(input.Opts{Path: b.Path, Map: b.Codes, Grab: b.Grab, EventSize: b.EventSize}).Open()
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
	if b := s.board.Scanner; b != nil {
		report("scanner", opens(b.Port, b.Baud, "a scanner says nothing until it reads a code"))
	}
	if b := s.board.Stripe; b != nil {
		report("stripe", opens(b.Port, b.Baud, "a stripe reader says nothing until a card is swiped"))
	}
	if b := s.board.Printer; b != nil && !b.Status {
		report("printer", opens(b.Port, b.Baud, "the board file says that it cannot be asked"))
	} else if b != nil {
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
	if s.conf.Wallets.Alipay != nil {
		report("alipay", func(ctx context.Context) (string, error) {
			g, err := s.gateway()
			if err != nil {
				return "", err
			}
			// An order that does not exist: the answer shows that the gateway is reached, and that both keys are right.
			r, err := g.Query(ctx, fmt.Sprintf("doctor%s%d", s.conf.Terminal.TID, time.Now().Unix()), money.Amount{Minor: 1, Currency: money.Currency(s.conf.Terminal.Currency)})
			if err != nil && r.Status != qrpay.NotFound {
				return "", err
			}
			return s.conf.Wallets.Alipay.Gateway, nil
		})
	}
	if failed {
		return exitFailed
	}
	return exitOK
}

// opens is all that can be asked of a device that does not answer: whether its line is there.
func opens(port string, baud int, why string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		line, err := serial.Opener(serial.Config{Path: port, Baud: baud})()
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s opens (%s)", port, why), line.Close()
	}
}
