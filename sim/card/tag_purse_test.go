package card_test

import (
	"fmt"
	"testing"
)

// TestPurse is electronic cash in the field: the purse pays where the reader takes it (9F7A), when the last record is read and not before.
func TestPurse(t *testing.T) {
	balance := func(s *scripted, want string) {
		t.Helper()
		if out := s.send(unhexTest("80CA9F7900"), "9000"); fmt.Sprintf("%X", out) != "9F7906"+want {
			t.Errorf("balance % X, want %s", out, want)
		}
	}
	pay := func(s *scripted, cid byte) {
		t.Helper()
		s.open()
		s.gpo("9000")
		if got := s.objects[0x9F27][0]; got != cid {
			t.Fatalf("CID %02X, want %02X", got, cid)
		}
	}
	s := tapped(t, "tap-unionpay-purse")
	s.data[0x9F66] = []byte{0x36, 0x00, 0x00, 0x80}
	s.data[0x9F7A] = []byte{0}
	pay(s, 0x80) // the reader does not take it
	s.g.Reset()
	s.data[0x9F7A] = []byte{1}
	pay(s, 0x40)
	balance(s, "000000050000")
	s.g.Reset() // away before the last record
	pay(s, 0x40)
	s.records()
	balance(s, "000000048720")
	if why := s.fdda(); why != "" {
		t.Error(why)
	}
	if string(s.objects[0x9F74]) != "ECC001" {
		t.Errorf("9F74 % X", s.objects[0x9F74])
	}
	s.send([]byte{0x00, 0xB2, 0x01, 0x24, 0x00}, "9000") // once more is no second payment
	balance(s, "000000048720")
	s.g.Reset()
	s.open()
	s.send([]byte{0x00, 0xB2, 0x01, 0x24, 0x00}, "9000") // nor is reading it without a transaction
	balance(s, "000000048720")
	s.g.Reset()
	s.data[0x9F02] = []byte{0, 0, 0, 0x04, 0x87, 0x21}
	pay(s, 0x80) // more than there is
	s.g.Reset()
	s.data[0x9F02] = []byte{0, 0, 0, 0x04, 0x87, 0x20}
	pay(s, 0x40)
	s.records()
	if left := s.g.Purse(); left != 0 {
		t.Errorf("%d left", left)
	}
	s.g.Reset()
	s.data[0x5F2A] = []byte{0x03, 0x44}
	s.data[0x9F02] = make([]byte, 6)
	pay(s, 0x80) // another currency
}
