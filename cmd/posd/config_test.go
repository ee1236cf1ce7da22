package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func example(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../etc/posd.toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExampleIsGood(t *testing.T) {
	c, err := loadConfig("../../etc/posd.toml")
	if err != nil {
		t.Fatal(err)
	}
	if c.Terminal.TID != "00000001" || c.Acquirer.Profile != filepath.Join("../../etc", "acquirers/unionpay.toml") || c.Data != "/var/lib/posd" {
		t.Errorf("%+v", c)
	}
	z, err := c.zone()
	if err != nil {
		t.Fatal(err)
	}
	if got := time.Date(2026, 11, 23, 16, 30, 0, 0, time.UTC).In(z).Format("2006-01-02 15:04"); got != "2026-11-24 00:30" {
		t.Errorf("in the terminal's zone it is %s", got)
	}
}

// Each mistake is refused with the key's path, and all mistakes at once.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown key", `language  = "zh"`, "langauge = \"zh\"", `unknown key "langauge"`},
		{"unknown key names its line", "[emv]", "[emv]\nfloor = 1", `posd.toml:30:1: unknown key "emv.floor"`},
		{"not TOML", "[emv]", "[emv", "posd.toml:"},
		{"language", `"zh"`, `"fr"`, "language: must be"},
		{"no data", `data      = "/var/lib/posd"`, "", "data: is missing"},
		{"log level", `"info"`, `"loud"`, "log_level: must be"},
		{"tid", `"00000001"`, `"1"`, "terminal.tid: must have 8"},
		{"mid", `"898110053110001"`, `"8"`, "terminal.mid: must have 15"},
		{"currency", "currency    = 156", "currency    = 999", "terminal.currency"},
		{"country", "country     = 156", "country     = 0", "terminal.country"},
		{"limit 0", "5000000 ", "0 ", "terminal.max_amount"},
		{"limit negative", "5000000 ", "-1 ", "terminal.max_amount"},
		{"limit beyond field 4", "5000000 ", "1000000000000 ", "terminal.max_amount"},
		{"limit overflow", "5000000 ", "99999999999999999999 ", "posd.toml:"},
		{"serial", `"POSD0001"`, `"POSD00012"`, "terminal.serial"},
		{"offset", `"+08:00"`, `"Shanghai"`, "terminal.utc_offset"},
		{"no addresses", `addresses   = ["acquirer.example:8583", "backup.example:8583"]`, "", "acquirer.addresses: is missing"},
		{"address without port", `"backup.example:8583"`, `"backup.example"`, `"backup.example" is not host:port`},
		{"address with a port that is none", `"backup.example:8583"`, `"backup.example:85830"`, "is not host:port"},
		{"key without certificate", `cert        = "tls/terminal.pem"`, "", "acquirer.cert"},
		{"no wallet contract", `contract    = "wallets/alipay.toml"`, "", "wallets.alipay.contract"},
		{"time-out", "card   = 60", "card   = 6000", "timeouts.card"},
	} {
		text := example(t)
		if !strings.Contains(text, c.old) {
			t.Fatalf("%s: the example has no %q", c.name, c.old)
		}
		path := write(t, "posd.toml", strings.Replace(text, c.old, c.new, 1))
		if _, err := loadConfig(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
	both := strings.NewReplacer(`"00000001"`, `"1"`, `"898110053110001"`, `"8"`).Replace(example(t))
	_, err := loadConfig(write(t, "posd.toml", both))
	if err == nil || !strings.Contains(err.Error(), "terminal.tid") || !strings.Contains(err.Error(), "terminal.mid") {
		t.Errorf("two mistakes: %v", err)
	}
}

func TestCommandLine(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, c := range []struct {
		args []string
		code int
		out  string // on either stream
	}{
		{nil, exitUsage, "usage"},
		{[]string{"fly"}, exitUsage, "unknown command"},
		{[]string{"config"}, exitUsage, "config check"},
		{[]string{"run", "now"}, exitUsage, "unexpected argument"},
		{[]string{"run", "-x"}, exitUsage, "flag provided but not defined"},
		{[]string{"version"}, exitOK, "posd "},
		{[]string{"help"}, exitOK, "doctor"},
		{[]string{"config", "check", "-board", missing, "-config", missing}, exitConfig, "missing"},
		{[]string{"run", "-board", missing, "-config", missing}, exitConfig, "missing"},
		{[]string{"journal", "-data", missing}, exitFailed, "missing"},
		{[]string{"journal-check", missing}, exitJournal, "missing"},
		{[]string{"journal-check"}, exitUsage, "usage"},
	} {
		var out bytes.Buffer
		if code := command(c.args, &out, &out); code != c.code || !strings.Contains(out.String(), c.out) {
			t.Errorf("posd %v: exit code %d, %q; want %d, %q", c.args, code, out.String(), c.code, c.out)
		}
	}
}

// A board file and a configuration that are both wrong are both told about.
func TestBothFilesAreRead(t *testing.T) {
	board := write(t, "board.toml", "name = \"x\"\ncolour = 1\n")
	conf := write(t, "posd.toml", "colour = 2\n")
	var out bytes.Buffer
	if code := command([]string{"config", "check", "-board", board, "-config", conf}, &out, &out); code != exitConfig {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{`board.toml:2:1: colour: unknown key`, `posd.toml:1:1: unknown key "colour"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
}
