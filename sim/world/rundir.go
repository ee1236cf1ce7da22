package world

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"posd/etc"
	"posd/sim/card"
)

// TimeoutNames are the time limits that Options.Timeouts may set, in seconds: those of posd's [timeouts], and "wallet", the time that
// a wallet order may take as the contract has it.
var TimeoutNames = []string{"card", "pin", "scan", "result", "host", "tear", "wallet"}

// writeDir writes what posd reads: the board, its configuration, the parameters of the hosts, keys and certificates. Files that ship
// are taken as they ship; what is added are the simulator's own addresses, keys and test certificates.
func (w *World) writeDir() error {
	for _, k := range slices.Sorted(maps.Keys(w.opt.Timeouts)) {
		if !slices.Contains(TimeoutNames, k) {
			return unknown("time limit", k, TimeoutNames)
		}
		if v := w.opt.Timeouts[k]; v < 1 || v > 600 {
			return fmt.Errorf("time limit %s: %d seconds; want 1 to 600", k, v)
		}
	}
	parameters, err := w.parameters()
	if err != nil {
		return err
	}
	acquirer, err := etc.Files.ReadFile("acquirers/unionpay.toml")
	if err != nil {
		return err
	}
	contract, err := w.contract()
	if err != nil {
		return err
	}
	board, err := w.board()
	if err != nil {
		return err
	}
	conf, err := w.config()
	if err != nil {
		return err
	}
	cert, key := w.hw.host.ClientCert()
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"board.toml", board},
		{"posd.toml", conf},
		{"emv.toml", parameters},
		{"acquirer.toml", acquirer},
		{"acquirer-ca.pem", w.hw.host.CA()},
		{"terminal.pem", cert},
		{"terminal.key", key},
		{"alipay.toml", contract},
		{"alipay-ca.pem", w.hw.gateway.CA()},
		{"alipay-app.key", w.hw.gateway.AppPrivateKeyPEM()},
		{"alipay.pub", w.hw.gateway.PublicKeyPEM()},
	} {
		if err := os.WriteFile(w.path(f.name), f.data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// table is a TOML table; go-toml writes its keys in order.
type table = map[string]any

func (w *World) config() ([]byte, error) {
	limits := table{}
	for k, v := range w.opt.Timeouts {
		if k != "wallet" {
			limits[k] = v
		}
	}
	return toml.Marshal(table{
		"language":  w.opt.Lang,
		"data":      "data",
		"log_level": "debug",
		"terminal": table{
			"tid": terminalID, "mid": merchantID, "merchant_zh": "街角咖啡", "merchant_en": "Corner Cafe", "mcc": "5812",
			"country": 156, "currency": 156, "serial": "POSSIM01", "max_amount": 5_000_000, "operator": "01",
		},
		"acquirer": table{
			"profile": "acquirer.toml", "addresses": []string{w.hw.hostAddr}, "server_name": "localhost",
			"ca": "acquirer-ca.pem", "cert": "terminal.pem", "key": "terminal.key",
		},
		"emv": table{"parameters": "emv.toml"},
		"wallets": table{"alipay": table{
			"gateway": w.hw.gatewayURL, "app_id": w.hw.gateway.AppID(), "private_key": "alipay-app.key", "public_key": "alipay.pub",
			"ca": "alipay-ca.pem", "contract": "alipay.toml",
		}},
		"timeouts": limits,
	})
}

// capabilities are what the parameters that ship claim (9F33), and what they are replaced by: the virtual terminal's reader takes PINs
// that the card compares, and it has cards with extended data authentication. posd takes away again what the board cannot do.
const (
	shippedCapabilities = `capabilities = "E068C8"`
	capabilities        = `capabilities = "E0F8CC"`
)

// parameters are the EMV parameters that ship, with the certification authority keys of the test cards behind them.
func (w *World) parameters() ([]byte, error) {
	b, err := etc.Files.ReadFile("emv.toml")
	if err != nil {
		return nil, err
	}
	if bytes.Count(b, []byte(shippedCapabilities)) != 1 {
		return nil, errors.New("the parameters that ship do not have the capabilities that are to be replaced")
	}
	b = bytes.Replace(b, []byte(shippedCapabilities), []byte(capabilities), 1)
	var keys []table
	for _, k := range card.CAKeys() {
		keys = append(keys, table{
			"rid": hexUpper(k.RID), "index": fmt.Sprintf("%02X", k.Index), "exponent": hexUpper(k.Exponent),
			"modulus": hexUpper(k.Modulus), "sha1": hexUpper(k.Hash), "note": "test key of the virtual terminal's cards",
		})
	}
	for _, k := range card.ECCAKeys() {
		keys = append(keys, table{
			"rid": hexUpper(k.RID), "index": fmt.Sprintf("%02X", k.Index), "suite": fmt.Sprintf("%02X", k.Suite),
			"point": hexUpper(k.Point), "checksum": hexUpper(k.Sum), "note": "test key of the virtual terminal's cards",
		})
	}
	var revoked []table
	for _, r := range card.CertificateRevocations() {
		revoked = append(revoked, table{"rid": hexUpper(r.RID), "index": fmt.Sprintf("%02X", r.Index), "serial": hexUpper(r.Serial[:])})
	}
	more, err := toml.Marshal(table{"ca_key": keys, "revoked": revoked})
	if err != nil {
		return nil, err
	}
	return slices.Concat(b, []byte("\n# Test keys of the virtual terminal.\n\n"), more), nil
}

// contract is the wallet contract that ships, with shorter waits where Options ask for them.
func (w *World) contract() ([]byte, error) {
	b, err := etc.Files.ReadFile("wallets/alipay.toml")
	if err != nil {
		return nil, err
	}
	n := w.opt.Timeouts["wallet"]
	if n == 0 {
		return b, nil
	}
	set := map[string]time.Duration{"total_wait": time.Duration(n) * time.Second, "show_wait": time.Duration(n) * time.Second, "query_pace": time.Second}
	var out []byte
	for l := range bytes.Lines(b) {
		key := strings.TrimSpace(strings.SplitN(string(l), "=", 2)[0])
		if d, ok := set[key]; ok {
			l = fmt.Appendf(nil, "%s = %q\n", key, d)
			delete(set, key)
		}
		out = append(out, l...)
	}
	if len(set) > 0 {
		return nil, errors.New("the wallet contract that ships has no total_wait, show_wait or query_pace to change")
	}
	return out, nil
}

func hexUpper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
