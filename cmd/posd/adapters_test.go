package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"posd/emv"
	"posd/hal"
	"posd/hal/ccid"
	"posd/txn"
	"posd/vault"
)

// TestCardError: what the flows are told of a failure at the reader.
func TestCardError(t *testing.T) {
	for _, c := range []struct {
		name     string
		err      error
		is, isNo error
	}{
		{"card gone", ccid.ErrCardRemoved, emv.ErrCardLost, txn.ErrReader},
		{"card mute", fmt.Errorf("x: %w", ccid.ErrMute), emv.ErrCardLost, txn.ErrReader},
		{"card breaks its protocol", ccid.ErrProtocol, ccid.ErrProtocol, txn.ErrReader},
		{"reader", ccid.ErrReader, txn.ErrReader, emv.ErrCardLost},
		{"line", hal.ErrUnplugged, txn.ErrReader, emv.ErrCardLost},
		{"time", context.DeadlineExceeded, context.DeadlineExceeded, txn.ErrReader},
		{"PIN cancelled", vault.ErrPINCancelled, vault.ErrPINCancelled, txn.ErrReader},
		{"PIN timed out", vault.ErrPINTimeout, vault.ErrPINTimeout, txn.ErrReader},
		{"PIN bypassed", vault.ErrPINBypassed, vault.ErrPINBypassed, txn.ErrReader},
		{"keypad", fmt.Errorf("%w: %w", vault.ErrPad, ccid.ErrReader), vault.ErrPad, emv.ErrCardLost},
	} {
		if err := cardError(c.err); !errors.Is(err, c.is) || errors.Is(err, c.isNo) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if cardError(nil) != nil {
		t.Error("an error out of nothing")
	}
}

// TestOfflinePIN: the board has the last word on the PIN methods of 9F33.
func TestOfflinePIN(t *testing.T) {
	all := [3]byte{0xE0, 0xF8, 0xC8}
	for _, c := range []struct {
		name  string
		board *hal.Board
		want  byte
	}{
		{"no board", nil, 0x68},
		{"no reader", &hal.Board{}, 0x68},
		{"no keypad", &hal.Board{Reader: &hal.Reader{PINEntry: "none"}}, 0x68},
		{"plain", &hal.Board{Reader: &hal.Reader{PINEntry: "plain"}}, 0xE8},
		{"enciphered", &hal.Board{Reader: &hal.Reader{PINEntry: "enciphered"}}, 0xF8},
	} {
		if got := offlinePIN(all, c.board); got != [3]byte{0xE0, c.want, 0xC8} {
			t.Errorf("%s: %X", c.name, got)
		}
	}
	if got := offlinePIN([3]byte{0xE0, 0x68, 0xC8}, &hal.Board{Reader: &hal.Reader{PINEntry: "enciphered"}}); got[1] != 0x68 {
		t.Errorf("a method that the parameters do not have: %X", got)
	}
}
