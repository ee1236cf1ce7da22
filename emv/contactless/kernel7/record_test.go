package kernel7

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"posd/emv"
	"posd/emv/contactless"
	"posd/emv/tlv"
)

// The whole of field 55 for a sale, in UnionPay's order.
func TestField55(t *testing.T) {
	c, b := newCard(), newBench(Config{})
	c.gpo[tagCTQ] = unhex("8000")
	c.gpo[tagProduct] = unhex("38313731393939390080304000000000")
	out := b.tap(t, c)
	want := `9F26081122334455667788 9F270180 9F100807010103A0000001 9F370401020304 9F36020042 95050000000000 9A03260314 9C0100
		9F0206000000012345 5F2A020156 82023C00 9F1A020156 9F0306000000000000 9F3303E068C8 9F3403020000 9F350122
		9F1E08504F534430303031 8408A000000333010101 9F09020030 9F410400000042 9F631038313731393939390080304000000000`
	if got := strings.ToUpper(hex.EncodeToString(Field55(out.DataRecord))); got != strings.Join(strings.Fields(want), "") {
		t.Errorf("field 55\n%s, want\n%s", got, strings.Join(strings.Fields(want), ""))
	}
	if v, ok := tlv.Find(out.DataRecord, tagTrack2); !ok || !bytes.HasPrefix(v, unhex(testPAN)) {
		t.Error("track 2 is not beside field 55")
	}
	if v, ok := out.Objects.Get(tagCountry); !ok || !bytes.Equal(v, unhex("0156")) {
		t.Errorf("9F1A %X", v)
	}
	if _, ok := out.Objects.Get(0x9F99); ok {
		t.Error("an object that is not there")
	}
}

// The cryptogram is over what was sent: TVR zeros and the qualifiers as the kernel sends them.
func TestPDOLData(t *testing.T) {
	c, b := newCard(), newBench(Config{Parameters: Parameters{Channel: OnlineFirst}})
	c.pdol = testPDOL + "9F7A01DF6001DF69019F2103 9F4E149F3501 9911"
	c.pdol = strings.ReplaceAll(c.pdol, " ", "")
	b.ttq(ttqFDDA01, false)
	b.a.Combination.Data = map[uint32][]byte{uint32(tagAmount): unhex("999999999999"), 0x9F7C: unhex("01")}
	out := b.tap(t, c)
	if out.Status != online {
		t.Fatal(out.Status, b.reasons)
	}
	for tag, want := range map[tlv.Tag]string{
		tagTTQ: "36804080", tagAmount: "000000012345", tagTVR: "0000000000", tagCurrency: "0156", tagDate: "260314", tagUN: "01020304",
		tagCashSupport: "00", tagExtended: "00", tagSM: "00", tagTime: "150926", tagMerchantName: "53484F5000000000000000000000000000000000",
	} {
		if got := strings.ToUpper(hex.EncodeToString(c.pdolIn[tag])); got != want {
			t.Errorf("%s %s, want %s", tag, got, want)
		}
	}
}

// The recorded answer of an issued card (published as a walk through a qPBOC payment; the number is the publisher's own test card).
func TestRecordedAnswer(t *testing.T) {
	c, b := newCard(), newBench(Config{})
	c.answer["a8"] = func() []byte {
		return unhex("774F82027C009410080303001005080118010200180404009F3602000357136231200100000000217D30122206960000000F9F100807010103900000019F26082D3956FFD0DEF08A5F3401009F6C0200009000")
	}
	c.answer["b2"] = func() []byte { return with(nil, 0x6A83) }
	b.ttq(ttqOnlineRequired, true)
	out := b.tap(t, c)
	if out.Status != online || out.CVM != noCVM || !b.explained("although") {
		t.Fatalf("status %d, CVM %d: %q", out.Status, out.CVM, b.reasons)
	}
	if v, _ := tlv.Find(out.DataRecord, tagCID); !bytes.Equal(v, []byte{0x40}) {
		t.Errorf("9F27 %X: the card has given a TC", v)
	}
}

func TestLanguages(t *testing.T) {
	c, b := newCard(), newBench(Config{})
	c.prop = tlv.Append(nil, tagLanguage, []byte("zhenfr"))
	out := b.tap(t, c)
	if got := strings.Join(out.UIOutcome.Languages, ","); got != "zh,en,fr" {
		t.Error(got)
	}
}

func TestReaderData(t *testing.T) {
	for _, k := range []struct {
		name string
		set  func(*bench)
	}{
		{"no 9F66", func(b *bench) { b.a.Indicators.HasTTQ = false }},
		{"9F66 without this kernel's path", func(b *bench) { b.ttq(ttqFast, false) }},
		{"an amount of thirteen digits", func(b *bench) { b.a.Transaction.Amount.Minor = 1e12 }},
		{"a negative amount", func(b *bench) { b.a.Transaction.Amount.Minor = -1 }},
		{"a year that two digits cannot hold", func(b *bench) { b.a.Transaction.Time = b.a.Transaction.Time.AddDate(30, 0, 0) }},
		{"a transaction type that is no number", func(b *bench) { b.a.Transaction.Type = 0xA0 }},
		{"a counter of nine digits", func(b *bench) { b.a.Transaction.Counter = 100000000 }},
		{"a category that is no number", func(b *bench) { b.a.Terminal.Category = "54XX" }},
		{"no combination", func(b *bench) { b.a.Combination = nil }},
	} {
		t.Run(k.name, func(t *testing.T) {
			c, b := newCard(), newBench(Config{})
			k.set(b)
			a := b.a
			a.ADF, a.FCI = unhex(c.aid), c.fci()
			if _, err := b.k.Activate(t.Context(), c, &a); !errors.Is(err, ErrReader) {
				t.Error(err)
			}
			if len(c.log) != 0 {
				t.Error("the card was spoken to")
			}
		})
	}
}

// What an application wants the terminal to be.
func TestApplicationOfTerminal(t *testing.T) {
	c, b := newCard(), newBench(Config{})
	b.a.Combination.App.TerminalType = 0x25
	b.a.Combination.App.Capabilities = [3]byte{0x00, 0x48, 0x08}
	b.a.Combination.App.NoOnlinePIN = true
	out := b.tap(t, c)
	for tag, want := range map[tlv.Tag]string{tagTerminalType: "25", tagCapabilities: "000808", tagTTQ: "32004080"} {
		if v, _ := out.Objects.Get(tag); strings.ToUpper(hex.EncodeToString(v)) != want {
			t.Errorf("%s %X, want %s", tag, v, want)
		}
	}
}

func TestCVMResults(t *testing.T) {
	for cvm, want := range map[contactless.CVM]string{pin: "020000", sig: "1E0000", noCVM: "1F0002", phone: "1F0002"} {
		if r := cvmResults(cvm); strings.ToUpper(hex.EncodeToString(r[:])) != want {
			t.Errorf("CVM %d: %X, want %s", cvm, r, want)
		}
	}
}

func TestID(t *testing.T) {
	if id := New(Config{}).ID(); id != 7 {
		t.Error(id)
	}
}

// A revoked serial number of another index or payment system does not count.
func TestRevokedElsewhere(t *testing.T) {
	c, b := newCard(), newBench(Config{})
	tc(c)
	b.a.Revoked = []emv.Revoked{{RID: [5]byte(unhex("A000000003")), Index: 0x62, Serial: [3]byte{0, 0, 1}}}
	if out := b.tap(t, c); out.Status != approved {
		t.Error(out.Status, b.reasons)
	}
}

// The balance on the display is the one after the payment, or none.
func TestBalanceShown(t *testing.T) {
	for _, k := range []struct {
		name string
		card func(*card)
		want int64 // -1 is none
	}{
		{"asked for after the payment", nil, 50000 - 12345},
		{"the card left before it had told", func(c *card) { c.loseAt = 8 }, -1},
		{"the card tells it in its answer", gpo(tagOfflineAmount, "000000000777"), 777},
	} {
		t.Run(k.name, func(t *testing.T) {
			c, b := newCard(), newBench(cash)
			purse(c)
			if k.card != nil {
				k.card(c)
			}
			out := b.tap(t, c)
			got := int64(-1)
			if out.UIOutcome.Amount != nil {
				got = out.UIOutcome.Amount.Minor
			}
			if out.Status != approved || got != k.want || out.UIOutcome.Balance != (k.want >= 0) {
				t.Errorf("status %d, balance %d, want %d", out.Status, got, k.want)
			}
		})
	}
}

// 9F7A tells the card whether its purse may pay, and the balance before is asked for when it may.
func TestCashAnnounced(t *testing.T) {
	for _, k := range []struct {
		name  string
		cash  Cash
		set   func(*bench)
		want  string // 9F7A
		first string // INS of the first command
	}{
		{"on, below the limit", cash.Cash, nil, "01", "ca"},
		{"on, at the limit", cash.Cash, amount(100000), "00", "a8"},
		{"off, whatever the limit", Cash{Limit: 100000}, nil, "00", "a8"},
		{"on, not for cash withdrawals", cash.Cash, func(b *bench) { b.a.Transaction.Type = emv.TypeCash }, "00", "a8"},
		{"on, not with cashback", cash.Cash, func(b *bench) { b.a.Transaction.Other = 100 }, "00", "a8"},
		{"on, the issuer is to be asked", cash.Cash, mustAsk, "00", "a8"},
	} {
		t.Run(k.name, func(t *testing.T) {
			c, b := newCard(), newBench(Config{Cash: k.cash})
			purse(c)
			if k.set != nil {
				k.set(b)
			}
			b.tap(t, c)
			if got := hex.EncodeToString(c.pdolIn[tagCashSupport]); got != k.want || c.log[0][2:4] != k.first {
				t.Errorf("9F7A %s, first command %s; want %s, %s", got, c.log[0][2:4], k.want, k.first)
			}
		})
	}
}

// 9F27 goes to the issuer as the card gave it, and is made of the decision where it did not.
func TestCIDInRecord(t *testing.T) {
	for _, k := range []struct{ own, want string }{{"", "80"}, {"80", "80"}, {"40", "40"}} {
		c, b := newCard(), newBench(Config{})
		if k.own != "" {
			c.gpo[tagCID] = unhex(k.own)
		}
		out := b.tap(t, c)
		if v, _ := tlv.Find(out.DataRecord, tagCID); out.Status != online || hex.EncodeToString(v) != k.want {
			t.Errorf("card %q: status %d, 9F27 %X", k.own, out.Status, v)
		}
	}
}
