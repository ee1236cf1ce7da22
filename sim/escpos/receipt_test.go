package escpos

import (
	"bytes"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"posd/internal/money"
	"posd/printer"
)

func cardReceipt() printer.Receipt {
	return printer.Receipt{
		Copy: printer.MerchantCopy, Lang: "zh", Outcome: printer.Approved, Duplicate: true, Merchant: "蜀香园火锅店",
		MID: "898510154110001", TID: "10000001", Operator: "01", Acquirer: "银联商务", Type: "sale", Batch: 1, STAN: 12,
		Time: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), Amount: money.Yuan(123456),
		Card: &printer.CardPart{
			MaskedPAN: "622200******1234", PSN: "001", Entry: "chip", Issuer: "工商银行", Auth: "123456", RRN: "123456789012",
			AID: "A000000333010101", Label: "UnionPay Debit", Cryptogram: "1122334455667788", TVR: "0080048000", TSI: "E800", ATC: "0012",
			Signature: true,
		},
	}
}

// What the printer draws must read as the text that the layout promises, line by line, in every profile.
func TestPaperReadsAsLaidOut(t *testing.T) {
	for _, enc := range []printer.Encoding{printer.GB18030, printer.GBK, printer.GB2312, printer.UTF8} {
		for _, lang := range []string{"zh", "en"} {
			for _, r := range []printer.Receipt{cardReceipt(), walletReceipt()} {
				for width, paper := range map[int]printer.Paper{58: printer.Paper58, 80: printer.Paper80} {
					r.Lang = lang
					doc, err := printer.Layout(r, paper)
					if err != nil {
						t.Fatal(err)
					}
					profile := printer.Generic
					profile.Encoding = enc
					o := Options{Width: width}
					if enc == printer.UTF8 {
						o.Encoding = "utf-8"
					}
					b := newBench(o).print(string(bytesOf(t, r, paper, profile)))
					_, all := b.Paper()
					if len(all) != 1 || !all[0].Cut || len(b.odd()) > 0 {
						t.Fatalf("%s %s %d: %d pieces, events %q", enc, lang, width, len(all), b.odd())
					}
					words := strings.NewReplacer("[QR]", "", "[QR ", "", "]", "", "- - - 8< - - -", "")
					want, got := strings.Fields(words.Replace(doc.Text())), strings.Fields(words.Replace(all[0].Text))
					if strings.Join(want, " ") != strings.Join(got, " ") {
						t.Errorf("%s %s %d: laid out\n%s\nprinted\n%s", enc, lang, width, doc.Text(), all[0].Text)
					}
				}
			}
		}
	}
}

// A telephone must read the code on the paper, whoever draws it.
func TestQRIsReadable(t *testing.T) {
	for _, native := range []bool{true, false} {
		for width, paper := range map[int]printer.Paper{58: printer.Paper58, 80: printer.Paper80} {
			for _, order := range []string{"1000000120260102150405000013", "A_b", strings.Repeat("Wx_0123456789abc", 4)} {
				r := walletReceipt()
				r.Wallet.Order = order
				profile := printer.Generic
				profile.NativeQR = native
				b := newBench(Options{Width: width}).print(string(bytesOf(t, r, paper, profile)))
				if odd := b.odd(); len(odd) > 0 {
					t.Fatal(odd)
				}
				file, err := b.PNG()
				if err != nil {
					t.Fatal(err)
				}
				if got := decodeQR(t, file); got != order {
					t.Errorf("native %v, %d mm: the code says %q, want %q", native, width, got, order)
				}
			}
		}
	}
}

func decodeQR(t *testing.T, file []byte) string {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	bm, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	res, err := qrcode.NewQRCodeReader().Decode(bm, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		t.Errorf("the code cannot be read: %v", err)
		return ""
	}
	return res.GetText()
}

// A clone without GS ( k prints its parameters: what the raster profile is for.
func TestCloneWithoutQR(t *testing.T) {
	b := newBench(Options{})
	if err := b.SetFault(NoNativeQR, true); err != nil {
		t.Fatal(err)
	}
	b.print(string(bytesOf(t, walletReceipt(), printer.Paper58, printer.Generic)))
	if !strings.Contains(b.Text(), "1P0") || len(b.odd()) == 0 {
		t.Errorf("events %q\n%s", b.odd(), b.Text())
	}
	b = newBench(Options{})
	if err := b.SetFault(NoNativeQR, true); err != nil {
		t.Fatal(err)
	}
	profile := printer.Generic
	profile.NativeQR = false
	b.print(string(bytesOf(t, walletReceipt(), printer.Paper58, profile)))
	if strings.Contains(b.Text(), "1P0") || len(b.odd()) > 0 {
		t.Errorf("events %q\n%s", b.odd(), b.Text())
	}
}

// Nothing that comes from outside may become a command: the printer must see only commands it knows, all of them drawn, and the
// amount must stand on the paper.
func FuzzHostileReceipt(f *testing.F) {
	f.Add("\x1b@\x1dV\x00shop", "138\x10\x04\x01", "\x1c.\x1d(k", "花呗\x00", true)
	f.Add(strings.Repeat("宽", 500), "\u202e\u200be\u0301", "order\nnumber", "a\xff\xfeb", false)
	f.Add("¥€㐀𠀀\U0001F600", "", strings.Repeat("9", 200), "PCREDIT", true)
	f.Fuzz(func(t *testing.T, merchant, buyer, order, other string, native bool) {
		r := walletReceipt()
		r.Merchant, r.Wallet.Buyer, r.Wallet.Order = merchant, buyer, order
		r.MID, r.TID, r.Operator, r.Acquirer, r.Type, r.Wallet.Name, r.Wallet.TradeNo = other, other, other, other, other, other, other
		r.Wallet.Funds[0].Channel = other
		if len(other)%2 == 0 {
			r.Card, r.Wallet = cardReceipt().Card, nil
			r.Card.Issuer, r.Card.Label, r.Card.Auth, r.Card.AID, r.Card.MaskedPAN, r.Card.Entry = merchant, buyer, order, other, other, other
		}
		profile := printer.Generic
		profile.Encoding = []printer.Encoding{printer.GB18030, printer.GBK, printer.GB2312, printer.ASCII}[len(merchant)%4]
		profile.NativeQR = native
		b := newBench(Options{}).print(string(bytesOf(t, r, printer.Paper58, profile)))
		if odd := b.odd(); len(odd) > 0 {
			t.Fatalf("%s: %q", profile.Encoding, odd)
		}
		if _, all := b.Paper(); len(all) != 1 || !strings.Contains(all[0].Text, "RMB 1,000.00") {
			t.Fatalf("%s: %d pieces:\n%s", profile.Encoding, len(all), b.Text())
		}
	})
}
