package emv

import (
	"testing"
	"time"
)

func TestProcessingRestrictions(t *testing.T) {
	const (
		versions = 0x80
		expired  = 0x40
		early    = 0x20
		service  = 0x10
	)
	at := func(y int, m time.Month, d int) func(*chip, *Config, *Request) {
		return func(_ *chip, _ *Config, r *Request) { r.Time = time.Date(y, m, d, 23, 59, 59, 0, time.UTC) }
	}
	auc := func(v, country string, typ byte, other int64) func(*chip, *Config, *Request) {
		return func(c *chip, _ *Config, r *Request) {
			c.set[tagAUC] = unhex(v)
			c.set[tagIssuerCountry] = unhex(country)
			if country == "" {
				delete(c.set, tagIssuerCountry)
				c.drop[tagIssuerCountry] = true
			}
			r.Type, r.Other = typ, other
		}
	}
	for _, c := range []struct {
		name   string
		change func(*chip, *Config, *Request)
		tvr2   byte
	}{
		{"nothing to object to", func(*chip, *Config, *Request) {}, 0},
		{"10.4.1 versions differ", func(c *chip, _ *Config, _ *Request) { c.set[tagCardVersion] = unhex("0030") }, versions},
		{"10.4.1 card without version", func(c *chip, _ *Config, _ *Request) { c.drop[tagCardVersion] = true }, 0},
		{"10.4.3 last day of validity", at(2030, 12, 31), 0},
		{"10.4.3 the day after", at(2031, 1, 1), expired},
		{"10.4.3 first day of validity", func(c *chip, _ *Config, _ *Request) { c.set[tagEffective] = unhex("260314") }, 0},
		{"10.4.3 the day before", func(c *chip, _ *Config, _ *Request) { c.set[tagEffective] = unhex("260315") }, early},
		{"10.4.3 effective in the last century", func(c *chip, _ *Config, _ *Request) { c.set[tagEffective] = unhex("991231") }, 0},
		{"10.4.3 expired in the last century", func(c *chip, _ *Config, _ *Request) { c.set[tagExpiry] = unhex("991231") }, expired},
		{"10.4.2 no usage control", func(c *chip, _ *Config, _ *Request) { c.drop[tagAUC] = true }, 0},
		{"10.4.2 not at terminals other than ATMs", auc("FE00", "0156", 0x00, 0), service},
		{"10.4.2 an ATM", func(c *chip, cfg *Config, r *Request) {
			auc("FE00", "0156", 0x01, 0)(c, cfg, r)
			cfg.Terminal.Type, cfg.Terminal.Additional[0] = 0x14, 0x80
		}, 0},
		{"10.4.2 not at ATMs", func(c *chip, cfg *Config, r *Request) {
			auc("FD00", "0156", 0x01, 0)(c, cfg, r)
			cfg.Terminal.Type, cfg.Terminal.Additional[0] = 0x14, 0x80
		}, service},
		{"10.4.2 goods at home", auc("2100", "0156", 0x00, 0), 0},
		{"10.4.2 services at home will do", auc("0900", "0156", 0x00, 0), 0},
		{"10.4.2 neither at home", auc("D700", "0156", 0x00, 0), service},
		{"10.4.2 goods abroad", auc("1100", "0840", 0x00, 0), 0},
		{"10.4.2 services abroad will do", auc("0500", "0840", 0x00, 0), 0},
		{"10.4.2 neither abroad", auc("EB00", "0840", 0x00, 0), service},
		{"10.4.2 cash at home", auc("8100", "0156", 0x01, 0), 0},
		{"10.4.2 no cash at home", auc("7F00", "0156", 0x01, 0), service},
		{"10.4.2 cash abroad", auc("4100", "0840", 0x01, 0), 0},
		{"10.4.2 no cash abroad", auc("BF00", "0840", 0x01, 0), service},
		{"10.4.2 cashback at home", auc("2180", "0156", 0x09, 100), 0},
		{"10.4.2 no cashback at home", auc("FF40", "0156", 0x09, 100), service},
		{"10.4.2 cashback abroad", auc("1140", "0840", 0x09, 100), 0},
		{"10.4.2 no cashback abroad", auc("FF80", "0840", 0x09, 100), service},
		{"10.4.2 cashback by amount", auc("FF40", "0156", 0x00, 100), service},
		{"10.4.2 without a country of issue only the place counts", auc("0100", "", 0x00, 0), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, cfg, r := newChip(), testConfig(), testRequest()
			ch.ca = ""
			ch.aip = "1C00"
			c.change(ch, &cfg, &r)
			// A denial code would end the transaction as it should; here the bits are looked at.
			s, err := New(cfg).Start(t.Context(), ch, r, &person{})
			if err != nil {
				t.Fatal(err)
			}
			if s.tvr[1] != c.tvr2 {
				t.Errorf("TVR byte 2 %02X, want %02X", s.tvr[1], c.tvr2)
			}
			if c.tvr2&service != 0 && s.Outcome() != Declined {
				t.Errorf("outcome %d although the denial codes name the service", s.Outcome())
			}
		})
	}
}
