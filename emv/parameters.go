package emv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"posd/internal/hexfield"
)

// maxParameters bounds a parameter file.
const maxParameters = 1 << 20

// LoadParametersFile reads a parameter file: see LoadParameters.
func LoadParametersFile(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	defer f.Close()
	cfg, err := LoadParameters(f)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
}

// decodeTOML is Decode without its panics: the library has one for a table of an array that has not begun ([[application.x]]).
func decodeTOML(d *toml.Decoder, v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: not TOML: %v", ErrConfig, r)
		}
	}()
	return d.Decode(v)
}

// LoadParameters reads terminal, applications, certification authority keys and revoked certificates from TOML; etc/emv.toml shows
// every key. A key that is not known, a value of the wrong form or out of range, a terminal that contradicts itself (Config.Conforms)
// and a public key whose checksum is wrong are errors that wrap ErrConfig and name the line.
func LoadParameters(r io.Reader) (Config, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxParameters+1))
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if len(b) > maxParameters {
		return Config{}, fmt.Errorf("%w: more than %d bytes", ErrConfig, maxParameters)
	}
	var f parameterFile
	d := toml.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := decodeTOML(d, &f); err != nil {
		return Config{}, describeTOML(err)
	}
	wrong := func(e *ParameterError) (Config, error) { return Config{}, e.locate(b) }
	if f.Terminal.Country < 0 || f.Terminal.Country > 999 {
		return wrong(ofTerminalTable("country", fmt.Sprintf("%d is not an ISO 3166 number", f.Terminal.Country)))
	}
	risk, ok := riskPolicies[f.Terminal.Risk]
	if !ok {
		return wrong(ofTerminalTable("risk_management", "is not always, by_aip or never"))
	}
	cfg := Config{Terminal: Terminal{
		Country:      uint16(f.Terminal.Country),
		Type:         f.Terminal.Type[0],
		Capabilities: f.Terminal.Capabilities,
		Additional:   f.Terminal.Additional,
		IFDSerial:    f.Terminal.IFDSerial,
		TerminalID:   f.Terminal.TerminalID,
		MerchantID:   f.Terminal.MerchantID,
		MerchantName: f.Terminal.MerchantName,
		Category:     f.Terminal.Category,
		AcquirerID:   f.Terminal.AcquirerID,

		Risk:              risk,
		OnlineOnlyDefault: f.Terminal.OnlineOnlyDefault,
		NoSelection:       f.Terminal.Selection != nil && !*f.Terminal.Selection,
		CDAMode:           f.Terminal.CDAMode,
		ScriptLimit:       f.Terminal.ScriptLimit,
	}}
	for _, a := range f.Application {
		cfg.Applications = append(cfg.Applications, Application{
			AID:              a.AID,
			Name:             a.Name,
			Partial:          a.Partial,
			Version:          a.Version,
			TACDenial:        a.TACDenial,
			TACOnline:        a.TACOnline,
			TACDefault:       a.TACDefault,
			FloorLimit:       a.FloorLimit,
			Threshold:        a.Threshold,
			TargetPercent:    a.TargetPercent,
			MaxTargetPercent: a.MaxTargetPercent,
			DDOL:             a.DDOL,
			TDOL:             a.TDOL,
			Types:            a.Types,
			NoPINBypass:      a.PINBypass != nil && !*a.PINBypass,
			NoOnlinePIN:      a.OnlinePIN != nil && !*a.OnlinePIN,
			TerminalType:     a.TerminalType[0],
			Capabilities:     a.Capabilities,
			Additional:       a.Additional,
		})
	}
	for i := range f.CAKey {
		key, err := f.CAKey[i].key()
		if err != nil {
			why := strings.TrimPrefix(err.Error(), ErrConfig.Error()+": ")
			return wrong(&ParameterError{Table: "ca_key", Index: i + 1, Reason: why})
		}
		cfg.CAKeys = append(cfg.CAKeys, key)
	}
	for _, r := range f.Revoked {
		cfg.Revoked = append(cfg.Revoked, Revoked{RID: r.RID, Index: r.Index[0], Serial: r.Serial})
	}
	if e := cfg.check(); e != nil {
		return wrong(e)
	}
	if e := cfg.conforms(); e != nil {
		return wrong(e)
	}
	return cfg, nil
}

var riskPolicies = map[string]RiskPolicy{"": RiskAlways, "always": RiskAlways, "by_aip": RiskByAIP, "never": RiskNever}

// describeTOML turns the decoder's errors into one line with the place.
func describeTOML(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := &strict.Errors[0]
		row, col := e.Position()
		return fmt.Errorf("%w: line %d, column %d: unknown key %s", ErrConfig, row, col, strings.Join(e.Key(), "."))
	}
	var dec *toml.DecodeError
	if errors.As(err, &dec) {
		row, col := dec.Position()
		return fmt.Errorf("%w: line %d, column %d: %s: %s", ErrConfig, row, col, strings.Join(dec.Key(), "."), dec.Error())
	}
	return fmt.Errorf("%w: %w", ErrConfig, err)
}

type parameterFile struct {
	Terminal struct {
		Country      int    `toml:"country"`
		Type         hex1   `toml:"type"`
		Capabilities hex3   `toml:"capabilities"`
		Additional   hex5   `toml:"additional_capabilities"`
		IFDSerial    string `toml:"ifd_serial"`
		TerminalID   string `toml:"terminal_id"`
		MerchantID   string `toml:"merchant_id"`
		MerchantName string `toml:"merchant_name"`
		Category     string `toml:"category"`
		AcquirerID   string `toml:"acquirer_id"`

		Risk              string  `toml:"risk_management"`
		OnlineOnlyDefault bool    `toml:"online_only_default_codes"`
		Selection         *bool   `toml:"cardholder_selection"`
		CDAMode           CDAMode `toml:"cda_mode"`
		ScriptLimit       int     `toml:"script_limit"`
	} `toml:"terminal"`
	Application []struct {
		AID              hexBytes `toml:"aid"`
		Name             string   `toml:"name"`
		Partial          bool     `toml:"partial"`
		Version          hex2     `toml:"version"`
		TACDenial        hex5     `toml:"tac_denial"`
		TACOnline        hex5     `toml:"tac_online"`
		TACDefault       hex5     `toml:"tac_default"`
		FloorLimit       int64    `toml:"floor_limit"`
		Threshold        int64    `toml:"threshold"`
		TargetPercent    int      `toml:"target_percent"`
		MaxTargetPercent int      `toml:"max_target_percent"`
		DDOL             hexBytes `toml:"ddol"`
		TDOL             hexBytes `toml:"tdol"`
		Types            hexBytes `toml:"transaction_types"`
		PINBypass        *bool    `toml:"pin_bypass"`
		OnlinePIN        *bool    `toml:"online_pin"`
		TerminalType     hex1     `toml:"terminal_type"`
		Capabilities     hex3     `toml:"capabilities"`
		Additional       hex5     `toml:"additional_capabilities"`
	} `toml:"application"`
	CAKey   []caKeyEntry `toml:"ca_key"`
	Revoked []struct {
		RID    hex5 `toml:"rid"`
		Index  hex1 `toml:"index"`
		Serial hex3 `toml:"serial"`
	} `toml:"revoked"`
}

// Byte strings in hex.
type (
	hexBytes = hexfield.Bytes
	hex1     = hexfield.Bytes1
	hex2     = hexfield.Bytes2
	hex3     = hexfield.Bytes3
	hex5     = hexfield.Bytes5
	hex20    = hexfield.Bytes20
)
