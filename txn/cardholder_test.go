package txn

import "testing"

// TestPINByCard: what a slip may say of a PIN that the card has compared (EMV Book 4, A4; Book 3, C3).
func TestPINByCard(t *testing.T) {
	for _, c := range []struct {
		name    string
		results [3]byte
		want    bool
	}{
		{"plaintext, right", [3]byte{0x01, 0x03, 0x02}, true},
		{"plaintext, right, next if unsuccessful", [3]byte{0x41, 0x03, 0x02}, true},
		{"plaintext, wrong", [3]byte{0x41, 0x03, 0x01}, false},
		{"enciphered, right", [3]byte{0x04, 0x00, 0x02}, true},
		{"enciphered, wrong", [3]byte{0x04, 0x00, 0x01}, false},
		{"plaintext and signature", [3]byte{0x03, 0x00, 0x00}, true},
		{"enciphered and signature, PIN wrong", [3]byte{0x05, 0x00, 0x01}, false},
		{"to the issuer", [3]byte{0x02, 0x00, 0x00}, false},
		{"signature", [3]byte{0x1E, 0x00, 0x00}, false},
		{"no method", [3]byte{0x1F, 0x00, 0x02}, false},
		{"nothing performed", [3]byte{0x3F, 0x00, 0x00}, false},
	} {
		if got := pinByCard(c.results); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
