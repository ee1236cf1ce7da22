package kernel2

import (
	"bytes"
	"context"
	"testing"

	"posd/emv/contactless"
	"posd/emv/tlv"
)

// hostile is a card that a fuzzer plays: for each command two bytes say what to do with the honest card's answer, and with which byte of it; then
// come answers of the fuzzer's own.
type hostile struct {
	chip  *chip
	b     []byte
	count int
}

func (h *hostile) next() byte {
	if len(h.b) == 0 {
		return 0
	}
	c := h.b[0]
	h.b = h.b[1:]
	return c
}

func (h *hostile) Transceive(ctx context.Context, c []byte) ([]byte, error) {
	h.count++
	honest, err := h.chip.Transceive(ctx, c)
	if err != nil {
		return nil, err
	}
	honest = bytes.Clone(honest)
	switch what := h.next(); what % 8 {
	case 1: // one bit or byte is another
		i := int(h.next())<<8 | int(h.next())
		honest[i%len(honest)] ^= h.next()
	case 2: // cut off
		honest = append(honest[:int(h.next())%len(honest)], 0x90, 0x00)
	case 3: // an answer of its own
		n := min(int(h.next()), len(h.b))
		honest = append(bytes.Clone(h.b[:n]), 0x90, 0x00)
		h.b = h.b[n:]
	case 4:
		return nil, timeout{}
	case 5: // a status
		honest = []byte{h.next(), h.next()}
	case 6: // something is put in between
		i := int(h.next()) % len(honest)
		n := min(int(h.next())%16, len(h.b))
		honest = append(honest[:i:i], append(bytes.Clone(h.b[:n]), honest[i:]...)...)
		h.b = h.b[n:]
	case 7:
		honest = bytes.Repeat(honest, 1+int(h.next())%3)
	}
	return honest, nil
}

// FuzzHostileCard: whatever the card does there is an outcome, in a bounded number of commands, about the amount that the merchant asked for; and
// where the TVR says that authentication took place, the cryptogram is the one that the honest card has signed.
func FuzzHostileCard(f *testing.F) {
	for _, setup := range []byte{0, 1, 2, 3, 4, 5, 6, 7} {
		f.Add(setup, []byte{})
		f.Add(setup, []byte{0, 0, 0, 0, 0, 1, 0, 5, 0xFF})
		f.Add(setup, []byte{1, 0, 9, 1, 0, 0, 2, 7})
		f.Add(setup, []byte{3, 12, 0x77, 0x0A, 0x82, 2, 0x18, 0x80, 0x94, 4, 0x10, 1, 0xFF, 0})
		f.Add(setup, []byte{0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 5, 0x69, 0x85})
		f.Add(setup, []byte{0, 6, 2, 3, 0x5A, 1, 0xFF})
	}
	f.Fuzz(func(t *testing.T, setup byte, data []byte) {
		b := newBed(t)
		if setup&1 != 0 {
			b.card.aip = "1B81"
			b.set(tagKernelConfig, "30")
		}
		if setup&2 != 0 {
			tornBed(b)
			b.set(tagBalanceBefore, "").set(tagBalanceAfter, "").set(tagWriteBefore, "9F750100").set(tagWriteAfter, "9F760100").set(tagTagsToRead, "9F77")
			b.card.fci[tagACI] = unhex("000700")
		}
		if setup&4 != 0 {
			b.opt.MagStripe = true
			b.card.aip = "0000"
			magCard(b.card)
			track1(b)
		}
		b.k = New(b.opt)
		b.act.Combination = &contactless.Combination{AID: unhex("A000000004"), Kernel: ID, Data: b.data}
		b.act.FCI = b.card.fciBytes()
		b.act.Transaction.Amount.Minor = b.amount
		h := &hostile{chip: b.card, b: data}
		for range 2 { // the second tap meets what the first one has torn
			b.card.built = nil
			h.count = 0
			out, err := b.k.Activate(t.Context(), h, &b.act)
			if err != nil {
				t.Fatal(err)
			}
			if out.Status == 0 || h.count > maxRecords+20 {
				t.Fatalf("outcome %v after %d commands", out.Status, h.count)
			}
			if v, ok := tlv.Find(out.DataRecord, tagAmount); ok && hexOf(v) != "000000002500" {
				t.Fatalf("outcome about %X", v)
			}
			if ei, ok := tlv.Find(out.Discretionary, tagError); !ok || len(ei) != 6 {
				t.Fatalf("DF8115 %X", ei)
			}
			if out.Status != contactless.OnlineRequest && out.Status != contactless.Approved || setup&4 != 0 {
				continue
			}
			tvr, _ := tlv.Find(out.DataRecord, tagTVR)
			ac, _ := tlv.Find(out.DataRecord, tagAC)
			if len(tvr) != 5 || len(ac) != 8 {
				t.Fatalf("TVR %X, cryptogram of %d bytes", tvr, len(ac))
			}
			if tvr[0]&0x84 == 0 && hexOf(ac) != "A1A2A3A4A5A6A7A8" {
				t.Fatalf("a cryptogram that the card has not signed: %X", ac)
			}
		}
	})
}

func FuzzTracks(f *testing.F) {
	f.Add([]byte("B5413330000000005^TEST/CARD^30122010000000000000000"), int64(0x0E), int64(0x7F0), 3)
	f.Add(unhex(testPAN+"D30122010000000000000F"), int64(0x0E), int64(0x7F0), 3)
	f.Fuzz(func(t *testing.T, v []byte, pcvc3, punatc int64, nATC int) {
		for _, parse := range []func([]byte) (track, bool){parseTrack1, parseTrack2} {
			k, ok := parse(v)
			if !ok {
				continue
			}
			n := len(k.dd)
			if k.fill(pcvc3, 0x1234, punatc, "00000123", 3, "00291", nATC, 3) && len(k.dd) != n {
				t.Fatal("the track has another length")
			}
		}
	})
}

func FuzzDynamic(f *testing.F) {
	f.Add(append(unhex("08C1C2C3C4C5C6C7C880"), make([]byte, 28+16+14)...), true, true)
	f.Add(append(unhex("02C1C280"), make([]byte, 28)...), false, false)
	f.Fuzz(func(t *testing.T, b []byte, ids, relay bool) {
		d, ok := parseDynamic(b, ids, 1, relay)
		if ok && (len(d.ac) != 8 || len(d.hash) != 20 || relay && len(d.relay) != 14 || len(d.number) < 2) {
			t.Fatalf("%+v", d)
		}
	})
}

func FuzzTerminalObjects(f *testing.F) {
	f.Add(unhex("FF8102049F7501AA DF811202 9F75"))
	f.Add(unhex("00FF8101020000"))
	f.Add(unhex("FF"))
	f.Fuzz(func(t *testing.T, b []byte) {
		TornRecord(b)
		var x exchange
		x.readTags(b)
		if len(x.readYet) > maxTags {
			t.Fatal("too many tags")
		}
		if out, _ := objects(b); len(out) > maxObjects {
			t.Fatal("too many objects")
		}
		for rest, n := b, 0; ; n++ {
			o, more, ok := terminalObject(rest)
			if !ok {
				break
			}
			if len(more) >= len(rest) || len(o.Value) > len(rest) {
				t.Fatal("no progress")
			}
			rest = more
		}
	})
}

func FuzzFCI(f *testing.F) {
	f.Add(newChip(f).fciBytes())
	f.Add(unhex("6F09 8407A0000000041010"))
	f.Fuzz(func(t *testing.T, b []byte) {
		db := database{}
		if prop, err := db.storeFCI(b); err == nil && prop && len(db[tagDFName]) > 16 {
			t.Fatalf("DF name of %d bytes", len(db[tagDFName]))
		}
	})
}
