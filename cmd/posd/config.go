package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/rs/zerolog"

	"posd/internal/money"
	"posd/keypad"
)

// config is posd.toml: who the merchant is, which hosts there are, where files lie. What an acquirer, a wallet contract or a board is
// like stands in files of their own, named here. Relative paths are relative to the directory of posd.toml.
type config struct {
	Language string `toml:"language"`
	Data     string `toml:"data"`
	LogLevel string `toml:"log_level"`

	Terminal struct {
		TID        string `toml:"tid"`
		MID        string `toml:"mid"`
		MerchantZH string `toml:"merchant_zh"`
		MerchantEN string `toml:"merchant_en"`
		MCC        string `toml:"mcc"`
		Country    uint16 `toml:"country"`
		Currency   uint16 `toml:"currency"`
		Serial     string `toml:"serial"`
		MaxAmount  int64  `toml:"max_amount"`
		Operator   string `toml:"operator"`
		UTCOffset  string `toml:"utc_offset"` // "+08:00"; "" is the system's time zone
	} `toml:"terminal"`

	Acquirer struct {
		Profile    string   `toml:"profile"`
		Addresses  []string `toml:"addresses"`
		ServerName string   `toml:"server_name"`
		CA         string   `toml:"ca"`
		Cert       string   `toml:"cert"`
		Key        string   `toml:"key"`
	} `toml:"acquirer"`

	EMV struct {
		Parameters string `toml:"parameters"`
	} `toml:"emv"`

	Wallets struct {
		Alipay *walletConfig `toml:"alipay"`
	} `toml:"wallets"`

	Timeouts struct {
		Card   int `toml:"card"`
		PIN    int `toml:"pin"`
		Scan   int `toml:"scan"`
		Result int `toml:"result"`
		Host   int `toml:"host"`
		Tear   int `toml:"tear"`
	} `toml:"timeouts"`
}

type walletConfig struct {
	Gateway    string `toml:"gateway"`
	AppID      string `toml:"app_id"`
	PrivateKey string `toml:"private_key"`
	PublicKey  string `toml:"public_key"`
	CA         string `toml:"ca"`
	Contract   string `toml:"contract"`
	Timeout    int    `toml:"timeout"` // seconds for one request
	ServerName string `toml:"server_name"`
	Provider   string `toml:"service_provider_id"` // of an ISV, sys_service_provider_id
	AuthToken  string `toml:"app_auth_token"`      // of an ISV
}

// loadConfig reads and checks posd.toml. All that is wrong is said at once, each with the key's path.
func loadConfig(path string) (*config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c := &config{Language: "zh", LogLevel: "info"}
	dec := toml.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(c); err != nil {
		return nil, fmt.Errorf("config: %s", tomlError(path, err))
	}
	dir := filepath.Dir(path)
	abs := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	for _, p := range []*string{&c.Data, &c.Acquirer.Profile, &c.Acquirer.CA, &c.Acquirer.Cert, &c.Acquirer.Key, &c.EMV.Parameters} {
		abs(p)
	}
	if w := c.Wallets.Alipay; w != nil {
		for _, p := range []*string{&w.PrivateKey, &w.PublicKey, &w.CA, &w.Contract} {
			abs(p)
		}
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("config: %s: %w", path, err)
	}
	return c, nil
}

// tomlError says where a TOML file is wrong: file:line:column: key: why.
func tomlError(path string, err error) string {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var out []string
		for _, e := range strict.Errors {
			row, col := e.Position()
			out = append(out, fmt.Sprintf("%s:%d:%d: unknown key %q", path, row, col, strings.Join(e.Key(), ".")))
		}
		return strings.Join(out, "\n")
	}
	var d *toml.DecodeError
	if errors.As(err, &d) {
		row, col := d.Position()
		return fmt.Sprintf("%s:%d:%d: %s", path, row, col, d.Error())
	}
	return fmt.Sprintf("%s: %v", path, err)
}

func (c *config) check() error {
	var errs []error
	want := func(ok bool, key, why string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s", key, why))
		}
	}
	want(c.Language == string(keypad.ZH) || c.Language == string(keypad.EN), "language", `must be "zh" or "en"`)
	want(c.Data != "", "data", "is missing: the directory for journal and keys")
	_, err := zerolog.ParseLevel(c.LogLevel)
	want(err == nil, "log_level", "must be trace, debug, info, warn or error")
	t := c.Terminal
	want(len(t.TID) == 8, "terminal.tid", "must have 8 characters")
	want(len(t.MID) == 15, "terminal.mid", "must have 15 characters")
	want(t.MerchantZH != "", "terminal.merchant_zh", "is missing")
	want(money.Currency(t.Currency).Known(), "terminal.currency", "is not a currency this terminal can write (ISO 4217 numeric, for example 156)")
	want(t.Country > 0 && t.Country < 1000, "terminal.country", "must be an ISO 3166 numeric code, for example 156")
	want(t.MaxAmount > 0 && t.MaxAmount <= 999999999999, "terminal.max_amount", "must be 1 to 999999999999 minor units")
	want(len(t.Operator) == 2, "terminal.operator", "must have 2 digits")
	want(len(t.Serial) <= 8, "terminal.serial", "must have at most 8 characters (tag 9F1E)")
	_, err = c.zone()
	want(err == nil, "terminal.utc_offset", `must be of the form "+08:00"`)
	a := c.Acquirer
	if a.Profile != "" {
		want(len(a.Addresses) > 0, "acquirer.addresses", "is missing")
		for _, addr := range a.Addresses {
			host, port, err := net.SplitHostPort(addr)
			n, perr := strconv.Atoi(port)
			want(err == nil && host != "" && perr == nil && n > 0 && n < 65536, "acquirer.addresses", fmt.Sprintf("%q is not host:port", addr))
		}
		want(a.CA != "", "acquirer.ca", "is missing: the acquirer's CA certificate")
		want((a.Cert == "") == (a.Key == ""), "acquirer.cert", "and acquirer.key belong together")
		want(c.EMV.Parameters != "", "emv.parameters", "is missing")
	}
	want(a.Profile != "" || c.Wallets.Alipay != nil, "acquirer.profile", "or wallets.alipay must be there: nothing could be sold")
	if w := c.Wallets.Alipay; w != nil {
		want(w.Gateway != "", "wallets.alipay.gateway", "is missing")
		want(w.AppID != "", "wallets.alipay.app_id", "is missing")
		want(w.PrivateKey != "", "wallets.alipay.private_key", "is missing")
		want(w.PublicKey != "", "wallets.alipay.public_key", "is missing")
		want(w.Contract != "", "wallets.alipay.contract", "is missing")
	}
	for k, v := range map[string]int{"card": c.Timeouts.Card, "pin": c.Timeouts.PIN, "scan": c.Timeouts.Scan, "result": c.Timeouts.Result, "host": c.Timeouts.Host, "tear": c.Timeouts.Tear} {
		want(v >= 0 && v <= 600, "timeouts."+k, "must be 0 (default) to 600 seconds")
	}
	return errors.Join(errs...)
}

// zone is the time zone of the clock, the receipts and the dates given to cards. It is an offset and not a name, because a small system
// has no time zone files.
func (c *config) zone() (*time.Location, error) {
	s := c.Terminal.UTCOffset
	if s == "" {
		return time.Local, nil
	}
	at, err := time.Parse("-07:00", s)
	if err != nil {
		return nil, err
	}
	_, offset := at.Zone()
	return time.FixedZone(s, offset), nil
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
