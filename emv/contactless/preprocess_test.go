package contactless

import (
	"fmt"
	"testing"

	"posd/internal/money"
)

func yes(v bool) *bool { return &v }

func TestPreprocessing(t *testing.T) {
	online, offline := [4]byte{0x36, 0x00, 0x40, 0x80}, [4]byte{0x3E, 0x00, 0x40, 0x80}
	for _, c := range []struct {
		name   string
		limits Limits
		ttq    *[4]byte
		amount int64
		unit   int64
		want   Indicators // without the TTQ
		byte2  byte       // of the TTQ
	}{
		{name: "3.1.1.1: nothing configured, nothing indicated", amount: 5},
		{name: "3.1.1.2: the TTQ is copied", ttq: &online, amount: 5},
		{name: "3.1.1.2: byte 2 bits 8 and 7 are reset", ttq: &[4]byte{0x36, 0xC0, 0x40, 0x80}, amount: 5},
		{name: "3.1.1.2: the other bits of byte 2 stay", ttq: &[4]byte{0x36, 0xFF, 0x40, 0x80}, amount: 5, byte2: 0x3F},
		{name: "3.1.1.3: status check at one unit", limits: Limits{StatusCheck: true}, ttq: &online, amount: 100, want: Indicators{StatusCheck: true}, byte2: 0x80},
		{name: "3.1.1.3: status check above one unit", limits: Limits{StatusCheck: true}, ttq: &online, amount: 101},
		{name: "3.1.1.3: status check below one unit", limits: Limits{StatusCheck: true}, ttq: &online, amount: 99},
		{name: "3.1.1.3: one unit without the flag", ttq: &online, amount: 100},
		{name: "3.1.1.3: one unit of a currency without decimals", limits: Limits{StatusCheck: true}, ttq: &online, amount: 1, unit: 1, want: Indicators{StatusCheck: true}, byte2: 0x80},
		{name: "3.1.1.4: zero, flag absent", ttq: &online, want: Indicators{ZeroAmount: true}, byte2: 0x80},
		{name: "3.1.1.4: zero, flag 1", limits: Limits{ZeroAllowed: yes(true)}, ttq: &online, want: Indicators{ZeroAmount: true}, byte2: 0x80},
		{name: "3.1.1.4: zero, flag 0", limits: Limits{ZeroAllowed: yes(false)}, ttq: &online, want: Indicators{NotAllowed: true}},
		{name: "3.1.1.4: not zero, flag 0", limits: Limits{ZeroAllowed: yes(false)}, ttq: &online, amount: 2},
		{name: "3.1.1.4, v2.12: zero allowed for offline", limits: Limits{ZeroOffline: true}, ttq: &online},
		{name: "3.1.1.4, v2.12: zero allowed for offline on an offline-only reader", limits: Limits{ZeroOffline: true}, ttq: &offline},
		{name: "3.1.1.4, v2.12: zero allowed for offline goes before zero not allowed", limits: Limits{ZeroOffline: true, ZeroAllowed: yes(false)}, ttq: &online},
		{name: "3.1.1.5: transaction limit, under it", limits: Limits{Transaction: limit(200)}, amount: 199},
		{name: "3.1.1.5: transaction limit, at it", limits: Limits{Transaction: limit(200)}, amount: 200, want: Indicators{NotAllowed: true}},
		{name: "3.1.1.5: transaction limit, above it", limits: Limits{Transaction: limit(200)}, amount: 300, want: Indicators{NotAllowed: true}},
		{name: "3.1.1.5: transaction limit of zero allows nothing", limits: Limits{Transaction: limit(0)}, want: Indicators{NotAllowed: true, ZeroAmount: true}},
		{name: "3.1.1.5: no transaction limit", amount: 999999999999},
		{name: "3.1.1.6: floor limit, under it", limits: Limits{Floor: limit(20)}, ttq: &online, amount: 19},
		{name: "3.1.1.6: floor limit, at it", limits: Limits{Floor: limit(20)}, ttq: &online, amount: 20},
		{name: "3.1.1.6: floor limit, above it", limits: Limits{Floor: limit(20)}, ttq: &online, amount: 21, want: Indicators{FloorExceeded: true}, byte2: 0x80},
		{name: "3.1.1.6: floor limit of zero", limits: Limits{Floor: limit(0)}, ttq: &online, amount: 1, want: Indicators{FloorExceeded: true}, byte2: 0x80},
		{name: "3.1.1.7: terminal floor limit, at it", limits: Limits{TermFloor: limit(25)}, ttq: &online, amount: 25},
		{name: "3.1.1.7: terminal floor limit, above it", limits: Limits{TermFloor: limit(25)}, ttq: &online, amount: 26, want: Indicators{FloorExceeded: true}, byte2: 0x80},
		{name: "3.1.1.7: the reader's floor limit goes before the terminal's", limits: Limits{Floor: limit(100), TermFloor: limit(25)}, ttq: &online, amount: 26},
		{name: "3.1.1.7: neither floor limit", ttq: &online, amount: 999999999999},
		{name: "3.1.1.8: CVM limit, under it", limits: Limits{CVM: limit(15)}, ttq: &online, amount: 14},
		{name: "3.1.1.8: CVM limit, at it", limits: Limits{CVM: limit(15)}, ttq: &online, amount: 15, want: Indicators{CVMExceeded: true}, byte2: 0x40},
		{name: "3.1.1.8: CVM limit, above it", limits: Limits{CVM: limit(15)}, ttq: &online, amount: 16, want: Indicators{CVMExceeded: true}, byte2: 0x40},
		{name: "3.1.1.8: no CVM limit", ttq: &online, amount: 999999999999},
		{name: "3.1.1.9: above the floor without a TTQ", limits: Limits{Floor: limit(20)}, amount: 21, want: Indicators{FloorExceeded: true}},
		{name: "3.1.1.10: status check without a TTQ", limits: Limits{StatusCheck: true}, amount: 100, want: Indicators{StatusCheck: true}},
		{name: "3.1.1.11: zero on an offline-only reader", ttq: &offline, want: Indicators{ZeroAmount: true, NotAllowed: true}},
		{name: "3.1.1.11: not zero on an offline-only reader", ttq: &offline, amount: 2},
		{name: "3.1.1.11: zero without a TTQ", want: Indicators{ZeroAmount: true}},
		{name: "3.1.1.12: CVM limit without a TTQ", limits: Limits{CVM: limit(15)}, amount: 15, want: Indicators{CVMExceeded: true}},
		{name: "3.1.1.9 and 12: floor and CVM together", limits: Limits{Floor: limit(1), CVM: limit(2)}, ttq: &online, amount: 3, want: Indicators{FloorExceeded: true, CVMExceeded: true}, byte2: 0xC0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.unit == 0 {
				c.unit = 100
			}
			r := reader{Combination: &Combination{TTQ: c.ttq}, limits: c.limits}
			r.ind = Indicators{StatusCheck: true, NotAllowed: true, ZeroAmount: true, CVMExceeded: true, FloorExceeded: true, TTQ: [4]byte{9, 9, 9, 9}}
			r.prepare(c.amount, c.unit)
			if c.ttq != nil {
				c.want.HasTTQ, c.want.TTQ = true, *c.ttq
				c.want.TTQ[1] = c.byte2
			}
			if r.ind != c.want {
				t.Errorf("%+v, want %+v", r.ind, c.want)
			}
		})
	}
}

func TestUnitOfCurrency(t *testing.T) {
	for _, c := range []struct {
		currency money.Currency
		want     int64
	}{{money.CNY, 100}, {money.JPY, 1}, {999, 100}} {
		if got := oneUnit(c.currency.Exponent()); got != c.want {
			t.Errorf("%v: %d", c.currency, got)
		}
	}
}

// What becomes of the indicators in a whole transaction.
func TestPreprocessingDecides(t *testing.T) {
	allLimits := func(d *desk, l Limits) {
		for i := range d.cfg.Combinations {
			d.cfg.Combinations[i].Limits = oneType(l)
		}
	}
	both := func() *chip {
		return cardOf([][]byte{entry61(visa, priority(1)), entry61(unionPay, priority(2))}, visa, unionPay)
	}
	for _, c := range []struct {
		name   string
		prep   func(*desk)
		status Status
		want   []string
	}{
		{
			"3.1.1.13: no combination is allowed: TRY ANOTHER INTERFACE, 18, and the field stays dark",
			func(d *desk) { allLimits(d, Limits{Transaction: limit(12345)}) },
			TryAnotherInterface,
			[]string{"show 18/5"},
		},
		{
			"3.1.1.13: no combination for the transaction type",
			func(d *desk) { d.tx.Type = 0x20 },
			TryAnotherInterface,
			[]string{"show 18/5"},
		},
		{
			"3.1.1.13: zero nowhere allowed",
			func(d *desk) { d.tx.Amount.Minor = 0; allLimits(d, Limits{ZeroAllowed: yes(false)}) },
			TryAnotherInterface,
			[]string{"show 18/5"},
		},
		{
			"3.1.1.13 and 3.3.2.5: one combination is not allowed, the card's other one is taken",
			func(d *desk) { d.cfg.Combinations[0].Limits = oneType(Limits{Transaction: limit(100)}) },
			Approved,
			[]string{"show 15/2", "card", "PPSE", "select " + unionPay, "kernel 7 Start A", "show 17/4", "off"},
		},
		{
			"3.1: limits are those of the transaction type",
			func(d *desk) {
				d.tx.Type = 0x20
				d.cfg.Combinations[0].Limits = map[byte]Limits{0x00: {}, 0x20: {Transaction: limit(1)}}
				d.cfg.Combinations[2].Limits = map[byte]Limits{0x00: {Transaction: limit(1)}, 0x20: {}}
			},
			Approved,
			[]string{"show 15/2", "card", "PPSE", "select " + unionPay, "kernel 7 Start A", "show 17/4", "off"},
		},
		{
			"Book A, 8.1.1.6: Autorun begins at Start B, no limit is tested",
			func(d *desk) { d.tx.Autorun = true; allLimits(d, Limits{Transaction: limit(1)}) },
			Approved,
			[]string{"show 15/2", "card", "PPSE", "select " + visa, "kernel 3 Start B", "show 17/4", "off"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.field = []any{both()}
			c.prep(d)
			r, err := d.run()
			if err != nil || r.Status != c.status {
				t.Errorf("%v, %v", r.Status, err)
			}
			d.expect(c.want...)
		})
	}
}

func TestKernelSeesTheIndicators(t *testing.T) {
	for _, c := range []struct {
		name    string
		autorun bool
		want    Indicators
	}{
		{"3.4.1.2: of pre-processing", false, Indicators{FloorExceeded: true, CVMExceeded: true, HasTTQ: true, TTQ: [4]byte{0x36, 0xC0, 0x40, 0x00}}},
		{"3.2.1.1: of a first Start B, all zero but the TTQ", true, Indicators{HasTTQ: true, TTQ: [4]byte{0x36, 0x00, 0x40, 0x00}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.tx.Autorun = c.autorun
			d.cfg.Combinations[0].Limits = oneType(Limits{Floor: limit(0), CVM: limit(0), Transaction: limit(999999)})
			d.field = []any{visaCard()}
			if _, err := d.run(); err != nil {
				t.Fatal(err)
			}
			a := d.kernels[3].seen[0]
			if a.Indicators != c.want {
				t.Errorf("%+v", a.Indicators)
			}
			if fmt.Sprint(*a.Limits.Transaction) != "999999" || *d.cfg.Combinations[0].TTQ != [4]byte{0x36, 0xC0, 0x40, 0x00} {
				t.Error("limits are not handed over, or the configuration was changed")
			}
		})
	}
}
