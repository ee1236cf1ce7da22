package emv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"

	"posd/emv/tlv"
	"posd/internal/money"
)

// dice gives the bytes for the unpredictable number, then those that make random selection throw n, 1 to 99.
func dice(n int) io.Reader {
	b := make([]byte, 8)
	binary.BigEndian.PutUint32(b[4:], uint32(99*1000+n-1))
	return &fixedBytes{b}
}

type fixedBytes struct{ b []byte }

func (f *fixedBytes) Read(p []byte) (int, error) {
	if len(f.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.b)
	f.b = f.b[n:]
	return n, nil
}

func TestFloorLimitAndRandomSelection(t *testing.T) {
	const (
		floor  = 0x80
		random = 0x10
	)
	limits := func(floor, threshold int64, target, max int) func(*Application) {
		return func(a *Application) {
			a.FloorLimit, a.Threshold, a.TargetPercent, a.MaxTargetPercent = floor, threshold, target, max
		}
	}
	for _, c := range []struct {
		name   string
		app    func(*Application)
		amount int64
		throw  int
		tvr4   byte
	}{
		{"10.6.1 limit zero: every amount", limits(0, 0, 0, 0), 0, 1, floor},
		{"10.6.1 below the limit", limits(10000, 0, 0, 0), 9999, 1, 0},
		{"10.6.1 at the limit", limits(10000, 0, 0, 0), 10000, 1, floor},
		{"10.6.1 above the limit", limits(10000, 0, 99, 99), 10001, 1, floor},
		{"10.6.2 below the threshold, target hit", limits(10000, 5000, 20, 80), 4999, 20, random},
		{"10.6.2 below the threshold, target missed", limits(10000, 5000, 20, 80), 4999, 21, 0},
		{"10.6.2 below the threshold, target 0", limits(10000, 5000, 0, 80), 4999, 1, 0},
		{"10.6.2 at the threshold: still the target", limits(10000, 5000, 20, 80), 5000, 20, random},
		{"10.6.2 at the threshold, missed", limits(10000, 5000, 20, 80), 5000, 21, 0},
		{"10.6.2 half way up: 50", limits(10000, 5000, 20, 80), 7500, 50, random},
		{"10.6.2 half way up: 51", limits(10000, 5000, 20, 80), 7500, 51, 0},
		{"10.6.2 just below the limit: 79", limits(10000, 5000, 20, 80), 9999, 79, random},
		{"10.6.2 just below the limit: 80", limits(10000, 5000, 20, 80), 9999, 80, 0},
		{"10.6.2 all of them", limits(10000, 0, 99, 99), 1, 99, random},
		{"10.6.2 amounts of nine digits", limits(4294967295, 0, 0, 99), 4294967294, 98, random},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, cfg, r := newChip(), testConfig(), testRequest()
			ch.ca, ch.aip = "", "0800"
			c.app(&cfg.Applications[0])
			r.Amount, r.Rand = money.Yuan(c.amount), dice(c.throw)
			s, err := New(cfg).Start(t.Context(), ch, r, &person{})
			if err != nil {
				t.Fatal(err)
			}
			if s.tvr[3] != c.tvr4 || !tsiRisk.in(s.tsi[:]) {
				t.Errorf("TVR byte 4 %02X, TSI %X; want %02X", s.tvr[3], s.tsi, c.tvr4)
			}
		})
	}
}

// Book 3, 10.6; Book 4, 6.4: whether it is performed is the terminal's affair. The exception file is searched all the same.
func TestWhenRiskManagementIsPerformed(t *testing.T) {
	for _, c := range []struct {
		name      string
		policy    RiskPolicy
		aip       string
		performed bool
	}{
		{"Book 3 (4.4), 10.6: always, AIP bit 0", RiskAlways, "0000", true},
		{"Book 3 (4.4), 10.6: always, AIP bit 1", RiskAlways, "0800", true},
		{"Book 3 (4.3), 10.6: by AIP, bit 0", RiskByAIP, "0000", false},
		{"Book 3 (4.3), 10.6: by AIP, bit 1", RiskByAIP, "0800", true},
		{"Book 4, 6.4: never, AIP bit 1", RiskNever, "0800", false},
	} {
		for _, listed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, listed %v", c.name, listed), func(t *testing.T) {
				ch, cfg := newChip(), testConfig()
				ch.ca, ch.aip = "", c.aip
				cfg.Terminal.Risk = c.policy
				var asked []Exception
				k := New(cfg, WithExceptionFile(func(e Exception) bool { asked = append(asked, e); return listed }))
				s, err := k.Start(t.Context(), ch, testRequest(), &person{})
				if err != nil {
					t.Fatal(err)
				}
				if tvrFloorLimit.in(s.tvr[:]) != c.performed || tsiRisk.in(s.tsi[:]) != c.performed || tvrException.in(s.tvr[:]) != listed {
					t.Errorf("TVR %X, TSI %X", s.tvr, s.tsi)
				}
				if len(asked) != 1 || asked[0].PAN != testPAN || asked[0].PSN != "01" || asked[0].Expiry != "3012" || hexString(asked[0].AID) != "A000000333010101" {
					t.Errorf("asked for %+v", asked)
				}
			})
		}
	}
}

// Book 4, 6.3.5: what the bit of the exception file does is a matter of the action codes.
func TestCardOnTheExceptionFileIsDenied(t *testing.T) {
	ch, cfg := newChip(), testConfig()
	cfg.Applications[0].TACDenial = [5]byte{0x10}
	k := New(cfg, WithExceptionFile(func(Exception) bool { return true }))
	s, err := k.Start(t.Context(), ch, testRequest(), &person{})
	if err != nil || s.Outcome() != Declined || ch.gac[0].p1 != acAAC {
		t.Errorf("outcome %v, %v", s, err)
	}
}

// Book 3, 10.6.2: the number thrown is 1 to 99, whatever the source gives.
func TestRangeOfTheRandomNumber(t *testing.T) {
	for _, c := range []struct {
		raw      uint32
		target   int
		selected bool
	}{{0, 1, true}, {98, 98, false}, {98, 99, true}, {99, 1, true}, {197, 98, false}, {math.MaxUint32, math.MaxUint32%99 + 1, true}, {math.MaxUint32, math.MaxUint32 % 99, false}} {
		s := ready(t, script(t))
		app := Application{FloorLimit: 1000, Threshold: 1000, TargetPercent: c.target, MaxTargetPercent: 99}
		s.app = &app
		s.req.Rand = &fixedBytes{binary.BigEndian.AppendUint32(nil, c.raw)}
		if got, err := s.randomlySelected(1); err != nil || got != c.selected {
			t.Errorf("%d against %d%%: %v, %v", c.raw, c.target, got, err)
		}
	}
}

func TestNoRandomNumberForSelection(t *testing.T) {
	ch, cfg, r := newChip(), testConfig(), testRequest()
	ch.ca, ch.aip = "", "0800"
	cfg.Applications[0].FloorLimit = 100000
	r.Rand = &fixedBytes{[]byte{1, 2, 3, 4, 5}}
	if _, err := New(cfg).Start(t.Context(), ch, r, &person{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
}

// 10.6.1: transactions of the same card that wait in the terminal count.
func TestPendingCountsAgainstTheFloorLimit(t *testing.T) {
	for _, c := range []struct {
		pending int64
		exceeds bool
	}{{0, false}, {7654, false}, {7655, true}, {-5, false}, {math.MaxInt64, false}} {
		ch, cfg := newChip(), testConfig()
		ch.ca, ch.aip = "", "0800"
		cfg.Applications[0].FloorLimit = 20000
		var asked string
		k := New(cfg, WithPending(func(pan string) int64 { asked = pan; return c.pending }))
		s, err := k.Start(t.Context(), ch, testRequest(), &person{})
		if err != nil || asked != testPAN {
			t.Fatal(err)
		}
		if c.pending == math.MaxInt64 {
			c.exceeds = true
		}
		if tvrFloorLimit.in(s.tvr[:]) != c.exceeds {
			t.Errorf("pending %d: TVR %X", c.pending, s.tvr)
		}
	}
}

func TestVelocityClauses(t *testing.T) {
	const (
		lower = 0x40
		upper = 0x20
	)
	for _, c := range []struct {
		name      string
		lower     string
		upper     string
		atc, last string // "" when the card does not give it
		tvr4      byte
		newCard   bool
	}{
		{"10.6.3 below both limits", "03", "05", "000A", "0007", 0, false},
		{"10.6.3 above the lower limit", "03", "05", "000A", "0006", lower, false},
		{"10.6.3 at the upper limit", "03", "05", "000A", "0005", lower, false},
		{"10.6.3 above both", "03", "05", "000A", "0004", lower | upper, false},
		{"10.6.3 above an upper limit that is below the lower one", "0A", "05", "0008", "0001", 0, false},
		{"10.6.3 above both, the upper one below the lower", "0A", "05", "000C", "0001", lower | upper, false},
		{"10.6.3 new card", "03", "05", "0001", "0000", 0, true},
		{"10.6.3 new card above the limits", "03", "05", "0009", "0000", lower | upper, true},
		{"10.6.3 counter not above the last online one", "03", "05", "0005", "0005", lower | upper, false},
		{"10.6.3 counter below the last online one", "03", "05", "0004", "0005", lower | upper, false},
		{"10.6.3 no ATC", "03", "05", "", "0005", lower | upper, false},
		{"10.6.3 no last online ATC", "03", "05", "0005", "", lower | upper, false},
		{"10.6.3 no ATC, new card", "03", "05", "", "0000", lower | upper, true},
		{"10.6.3 counters of one byte", "03", "05", "05", "0005", lower | upper, false},
		{"10.6.3 without the lower limit", "", "05", "0009", "0000", 0, false},
		{"10.6.3 without the upper limit", "03", "", "0009", "0000", 0, false},
		{"10.6.3 limits of zero", "00", "00", "0002", "0001", lower | upper, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, cfg := newChip(), testConfig()
			ch.ca, ch.aip = "", "0800"
			cfg.Applications[0].FloorLimit = 100000
			for tag, v := range map[tlv.Tag]string{tagLCOL: c.lower, tagUCOL: c.upper} {
				if v != "" {
					ch.set[tag] = unhex(v)
				}
			}
			for tag, v := range map[tlv.Tag]string{tagATC: c.atc, tagLastOnlineATC: c.last} {
				if v != "" {
					ch.getData[tag] = unhex(v)
				}
			}
			s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
			if err != nil {
				t.Fatal(err)
			}
			if s.tvr[3] != c.tvr4 || tvrNewCard.in(s.tvr[:]) != c.newCard {
				t.Errorf("TVR %X; want byte 4 %02X, new card %v", s.tvr, c.tvr4, c.newCard)
			}
			// 7.5, table 35: counters that are needed and do not come.
			if missing := c.lower != "" && c.upper != "" && (len(c.atc) != 4 || len(c.last) != 4); tvrDataMissing.in(s.tvr[:]) != missing {
				t.Errorf("TVR %X; ICC data missing should be %v", s.tvr, missing)
			}
		})
	}
}
