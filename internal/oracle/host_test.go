package oracle

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"testing"
	"time"

	moov "github.com/moov-io/iso8583"

	"posd/netlink"
	host "posd/sim/acquirer"
	"posd/vault"
)

// A terminal made of other people's parts (the oracle's codec, the standard library's TLS) signs on at the virtual acquirer, says
// hello and buys something.
func TestHostUnderstandsOthers(t *testing.T) {
	tmk := []byte("0123456789abcdef")
	const pan = "6222021234567890128"
	h := host.New(host.Options{TMK: tmk, Accounts: []host.Account{{PAN: pan, Expiry: "4912", Balance: 500}}})
	address, err := h.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	cert, key := h.ClientCert()
	cfg, err := netlink.TLSConfig(h.CA(), cert, key, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", address, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	ask := func(mti string, mak []byte, fields map[int]string) *moov.Message {
		t.Helper()
		if mak != nil {
			fields[64] = "00000000"
		}
		body, err := text{mti, fields}.theirs()
		if err != nil {
			t.Fatal(err)
		}
		if mak != nil {
			fold := vault.FoldECB(body[:len(body)-8])
			mac, err := vault.MAC1(mak, fold[:], vault.Padding1)
			if err != nil {
				t.Fatal(err)
			}
			f64 := vault.HexMAC(mac)
			copy(body[len(body)-8:], f64[:])
		}
		head := []byte{0x60, 0x00, 0x06, 0x12, 0x34, 0x60, 0x31, 0x00, 0x31, 0x10, 0x03}
		frame := binary.BigEndian.AppendUint16(nil, uint16(len(head)+len(body)))
		if _, err := conn.Write(append(append(frame, head...), body...)); err != nil {
			t.Fatal(err)
		}
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, answer); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(answer[:5], []byte{0x60, 0x12, 0x34, 0x00, 0x06}) {
			t.Errorf("TPDU %x: destination and source are not swapped", answer[:5])
		}
		m := moov.NewMessage(spec)
		if err := m.Unpack(answer[11:]); err != nil {
			t.Fatalf("%s: the oracle cannot read the answer: %v", mti, err)
		}
		return m
	}
	field := func(m *moov.Message, n int) string {
		b, err := m.GetBytes(n)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const tid, mid = "12345678", "898110153110001"
	on := ask("0800", nil, map[int]string{11: "000001", 41: tid, 42: mid, 60: "00000000003", 63: "01 "})
	f62 := field(on, 62)
	if field(on, 39) != "00" || len(f62) != 40 {
		t.Fatalf("sign-on: code %s, %d bytes of keys", field(on, 39), len(f62))
	}
	mak, err := vault.DecryptECB(tmk, []byte(f62[20:28]))
	if err != nil {
		t.Fatal(err)
	}
	if code := field(ask("0820", nil, map[int]string{41: tid, 42: mid, 60: "00000000301"}), 39); code != "00" {
		t.Errorf("echo: %s", code)
	}
	buy := func(stan, amount string) string {
		return field(ask("0200", mak, map[int]string{
			2: pan, 3: "000000", 4: amount, 11: stan, 14: "4912", 22: "012", 25: "00", 41: tid, 42: mid, 49: "156", 60: "22000001000500",
		}), 39)
	}
	if code := buy("000002", "000000000500"); code != "00" {
		t.Errorf("sale: %s", code)
	}
	if code := buy("000003", "000000000001"); code != "51" {
		t.Errorf("sale beyond the balance: %s", code)
	}
	if h.TotalHeld() != 500 {
		t.Errorf("held %d", h.TotalHeld())
	}
}
