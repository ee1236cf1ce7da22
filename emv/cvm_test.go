package emv

import (
	"errors"
	"strings"
	"testing"

	"posd/internal/money"
)

func TestCVMClauses(t *testing.T) {
	const none = "0000000000000000" // amounts X and Y
	const (
		failed     = 0x80
		unknown    = 0x40
		padFailed  = 0x10
		notEntered = 0x08
		online     = 0x04
	)
	type tweak struct {
		typ      byte
		other    int64
		amount   int64
		caps     byte // byte 2 of 9F33; 0x68 when 0
		terminal byte // 9F35
		pin      PINOutcome
		currency string // 9F42; "-" for none
	}
	const xy = "000003E8 00002710" // X 1000, Y 10000
	for _, c := range []struct {
		name    string
		list    string // "-" for none
		tweak   tweak
		results string
		tvr3    byte
		asked   int
	}{
		{"online PIN", none + "0200", tweak{}, "020000", online, 1},
		{"online PIN, then others are not looked at", none + "4200 5E00 1F00", tweak{}, "420000", online, 1},
		{"signature", none + "1E00", tweak{}, "1E0000", 0, 0},
		{"no CVM", none + "1F00", tweak{}, "1F0002", 0, 0},
		{"fail CVM", none + "0000", tweak{}, "000001", failed, 0},
		{"fail CVM ends the list though bit 7 is set", none + "4000 1F00", tweak{}, "400001", failed, 0},

		{"10.5 list absent", "-", tweak{}, "3F0000", 0, 0},
		{"10.5 a list without rules is no list", none, tweak{}, "3F0000", 0, 0},
		{"10.5 no condition holds", none + "1F01 1F05", tweak{}, "3F0001", failed, 0},
		{"10.5 condition not known is passed over", none + "1F0A 1F80 1E00", tweak{}, "1E0000", 0, 0},
		{"10.5 method not known, next", none + "6000 1F00", tweak{}, "1F0002", unknown, 0},
		{"10.5 method not known, end", none + "2000 1F00", tweak{}, "3F0001", unknown | failed, 0},
		{"10.5 method not known, nothing behind", none + "6000", tweak{}, "3F0001", unknown | failed, 0},
		{"10.5 reserved for the issuer", none + "3000", tweak{}, "3F0001", unknown | failed, 0},

		{"10.5.1 plaintext PIN is not supported, next", none + "4100 1F00", tweak{}, "1F0002", padFailed, 0},
		{"10.5.1 plaintext PIN is not supported, end", none + "0100 1F00", tweak{}, "3F0001", padFailed | failed, 0},
		{"10.5.1 enciphered PIN is not supported, next", none + "4400 1E00", tweak{}, "1E0000", padFailed, 0},
		{"10.5.1 plaintext PIN and signature, end", none + "0300", tweak{}, "3F0001", padFailed | failed, 0},
		{"10.5.1 enciphered PIN and signature, end", none + "0500", tweak{}, "3F0001", padFailed | failed, 0},
		{"condition 03 passes over what is not supported", none + "4103 4403 4303 4503 0203", tweak{}, "020300", online, 1},
		{"condition 03 passes over what is not known", none + "2003 1F03", tweak{}, "1F0302", 0, 0},

		{"10.5.2 online PIN not supported, next", none + "4200 1F00", tweak{caps: 0x28}, "1F0002", padFailed, 0},
		{"10.5.2 online PIN not supported, end", none + "0200", tweak{caps: 0x28}, "3F0001", padFailed | failed, 0},
		{"condition 03 with online PIN not supported", none + "4203 1E03", tweak{caps: 0x28}, "1E0300", 0, 0},
		{"signature not supported, next", none + "5E00 1F00", tweak{caps: 0x48}, "1F0002", 0, 0},
		{"signature not supported, end", none + "1E00 1F00", tweak{caps: 0x48}, "3F0001", failed, 0},
		{"no CVM not supported", none + "1F00", tweak{caps: 0x60}, "3F0001", failed, 0},

		{"10.5.2 bypassed, next", none + "4200 1F00", tweak{pin: PINBypassed}, "1F0002", notEntered, 1},
		{"10.5.2 bypassed, end", none + "0200 1F00", tweak{pin: PINBypassed}, "020001", notEntered | failed, 1},
		{"Book 4, 6.3.4.3 bypassed is not asked again", none + "4200 4200 4203 5E00", tweak{pin: PINBypassed}, "5E0000", notEntered, 1},
		{"10.5.2 pad broken, next", none + "4200 1E00", tweak{pin: PINPadFailed}, "1E0000", padFailed, 1},
		{"10.5.2 pad broken, end", none + "0200", tweak{pin: PINPadFailed}, "020001", padFailed | failed, 1},
		{"bypassed, then a method that is not known", none + "4200 2000", tweak{pin: PINBypassed}, "420001", notEntered | unknown | failed, 1},

		{"condition 00 always", none + "1F00", tweak{typ: 0x01}, "1F0002", 0, 0},
		{"condition 01 unattended cash", none + "1F01", tweak{typ: 0x01, terminal: 0x25}, "1F0102", 0, 0},
		{"condition 01 unattended goods", none + "1F01", tweak{terminal: 0x25}, "3F0001", failed, 0},
		{"condition 01 attended cash", none + "1F01", tweak{typ: 0x01}, "3F0001", failed, 0},
		{"condition 02 goods", none + "1F02", tweak{}, "1F0202", 0, 0},
		{"condition 02 cash", none + "1F02", tweak{typ: 0x01}, "3F0001", failed, 0},
		{"condition 02 cashback", none + "1F02", tweak{typ: 0x09, other: 1}, "3F0001", failed, 0},
		{"condition 02 cashback by amount", none + "1F02", tweak{other: 1}, "3F0001", failed, 0},
		{"condition 04 manual cash", none + "1F04", tweak{typ: 0x01}, "1F0402", 0, 0},
		{"condition 04 unattended cash", none + "1F04", tweak{typ: 0x01, terminal: 0x25}, "3F0001", failed, 0},
		{"condition 04 goods", none + "1F04", tweak{}, "3F0001", failed, 0},
		{"condition 05 cashback", none + "1F05", tweak{typ: 0x09, other: 1}, "1F0502", 0, 0},
		{"condition 05 goods", none + "1F05", tweak{}, "3F0001", failed, 0},
		{"condition 06 under X", xy + "1F06", tweak{amount: 999}, "1F0602", 0, 0},
		{"condition 06 at X", xy + "1F06", tweak{amount: 1000}, "3F0001", failed, 0},
		{"condition 07 over X", xy + "1F07", tweak{amount: 1001}, "1F0702", 0, 0},
		{"condition 07 at X", xy + "1F07", tweak{amount: 1000}, "3F0001", failed, 0},
		{"condition 08 under Y", xy + "1F08", tweak{amount: 9999}, "1F0802", 0, 0},
		{"condition 08 at Y", xy + "1F08", tweak{amount: 10000}, "3F0001", failed, 0},
		{"condition 09 over Y", xy + "1F09", tweak{amount: 10001}, "1F0902", 0, 0},
		{"condition 09 at Y", xy + "1F09", tweak{amount: 10000}, "3F0001", failed, 0},
		{"condition 06 with X beyond 31 bits", "FFFFFFFF00000000 1F06", tweak{amount: 4294967294}, "1F0602", 0, 0},
		{"condition 06 in another currency", xy + "1F06 1E00", tweak{amount: 1, currency: "0840"}, "1E0000", 0, 0},
		{"condition 09 without the card's currency", xy + "1F09 1E00", tweak{amount: 99999, currency: "-"}, "1E0000", 0, 0},
		{"a real list: PIN above the limit, else none", "000003E800000000 4207 1F06", tweak{amount: 1001}, "420700", online, 1},
		{"the same list below the limit", "000003E800000000 4207 1F06", tweak{amount: 500}, "1F0602", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, cfg, r := newChip(), testConfig(), testRequest()
			ch.ca, ch.aip = "", "1C00"
			ch.set[tagCVMList] = unhex(c.list[strings.IndexByte(c.list, '-')+1:])
			ch.drop[tagCVMList] = c.list == "-"
			if c.tweak.caps != 0 {
				cfg.Terminal.Capabilities[1] = c.tweak.caps
			}
			if c.tweak.terminal != 0 {
				cfg.Terminal.Type = c.tweak.terminal
			}
			if c.tweak.amount != 0 {
				r.Amount = money.Yuan(c.tweak.amount)
			}
			switch c.tweak.currency {
			case "":
			case "-":
				ch.drop[tagAppCurrency] = true
			default:
				ch.set[tagAppCurrency] = unhex(c.tweak.currency)
			}
			r.Type, r.Other = c.tweak.typ, c.tweak.other
			p := &person{pin: c.tweak.pin}
			s, err := New(cfg).Start(t.Context(), ch, r, p)
			if err != nil {
				t.Fatal(err)
			}
			res := s.Result()
			if res.CVMResults != [3]byte(unhex(c.results)) || s.tvr[2] != c.tvr3 {
				t.Errorf("results %X, TVR byte 3 %02X; want %s, %02X", res.CVMResults, s.tvr[2], c.results, c.tvr3)
			}
			if len(p.asked) != c.asked {
				t.Errorf("PIN asked %d times, want %d", len(p.asked), c.asked)
			}
			if res.OnlinePIN != (c.tvr3&online != 0) || res.Signature != (res.CVMResults[0]&0x3F == cvmSignature) {
				t.Errorf("online PIN %v, signature %v", res.OnlinePIN, res.Signature)
			}
			ran := c.results != "3F0000"
			if tsiCVM.in(s.tsi[:]) != ran {
				t.Errorf("TSI %X", s.tsi)
			}
			if tvrDataMissing.in(s.tvr[:]) == ran {
				t.Errorf("TVR %X: data missing", s.tvr)
			}
		})
	}
}

func TestCVMNotInAIP(t *testing.T) {
	ch := newChip()
	ch.ca, ch.aip = "", "0C00"
	p := &person{}
	s, err := New(testConfig()).Start(t.Context(), ch, testRequest(), p)
	if err != nil || s.Result().CVMResults != [3]byte{0x3F, 0, 0} || tsiCVM.in(s.tsi[:]) || s.tvr[2] != 0 || len(p.asked) != 0 {
		t.Errorf("%X %X %X, %v", s.cvm, s.tvr, s.tsi, err)
	}
}

func TestBrokenCVMLists(t *testing.T) {
	for _, list := range []string{"00", strings.Repeat("00", 7), strings.Repeat("00", 9), strings.Repeat("00", 11)} {
		ch := newChip()
		ch.set[tagCVMList] = unhex(list)
		if _, err := start(t, ch); !errors.Is(err, ErrBadCard) {
			t.Errorf("list of %d bytes: %v", len(list)/2, err)
		}
	}
}

func TestPINEntryCancelled(t *testing.T) {
	ch := newChip()
	_, err := New(testConfig()).Start(t.Context(), ch, testRequest(), &person{pinErr: ErrCancelled})
	var e *Error
	if !errors.Is(err, ErrCancelled) || !errors.As(err, &e) || e.Step != StepCVM || len(ch.gac) != 0 {
		t.Errorf("%v after %d GENERATE AC", err, len(ch.gac))
	}
}
