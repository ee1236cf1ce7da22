package card_test

import (
	"encoding/hex"
	"strings"
	"testing"
)

// dehex decodes hex with blanks.
func dehex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
