package contactless

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"posd/emv"
	"posd/internal/hexfield"
)

// Tables of the parameter file.
const (
	tableEntryPoint  = "entry_point"
	tableCombination = "contactless"
	tableLimits      = "contactless.limits"
	tableDefault     = "default_kernel"
	maxParameters    = 1 << 20
)

// LoadParametersFile reads a parameter file: see LoadParameters.
func LoadParametersFile(path string, contact emv.Config) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", emv.ErrConfig, err)
	}
	defer f.Close()
	cfg, err := LoadParameters(f, contact)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
}

// LoadParameters reads combinations, default kernels and the Entry Point's own parameters from TOML; testdata/contactless.toml shows every key.
// Terminal, keys and revoked certificates are those of the contact parameters. A key that is not known and a value of the wrong form or out of
// range are errors that wrap emv.ErrConfig and name the line.
func LoadParameters(r io.Reader, contact emv.Config) (Config, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxParameters+1))
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", emv.ErrConfig, err)
	}
	if len(b) > maxParameters {
		return Config{}, fmt.Errorf("%w: more than %d bytes", emv.ErrConfig, maxParameters)
	}
	f, err := decode(b)
	if err != nil {
		return Config{}, err
	}
	wrong := func(e *emv.ParameterError) (Config, error) { return Config{}, locate(e, b) }
	if w := f.EntryPoint.UpdateWait; w < 0 || w > int(maxUpdateWait/time.Second) {
		return wrong(ofUpdateWait())
	}
	cfg := Config{
		Terminal:   contact.Terminal,
		CAKeys:     contact.CAKeys,
		Revoked:    contact.Revoked,
		Restarts:   f.EntryPoint.Restarts,
		UpdateWait: time.Duration(f.EntryPoint.UpdateWait) * time.Second,
	}
	switch f.EntryPoint.Choice {
	case "", "priority":
	case "cardholder":
		cfg.Choice = ChoiceCardholder
	default:
		return wrong(&emv.ParameterError{Table: tableEntryPoint, Key: "choice", Reason: "is neither priority nor cardholder"})
	}
	for _, e := range f.Default {
		cfg.Defaults = append(cfg.Defaults, DefaultKernel{RID: e.RID, Kernel: KernelID(e.Kernel)})
	}
	limits := 0 // of all combinations, for the line
	for i := range f.Contactless {
		e := &f.Contactless[i]
		c := e.combination()
		for j := range e.Limits {
			limits++
			l := &e.Limits[j]
			at := func(key, why string) (Config, error) {
				return wrong(&emv.ParameterError{Table: tableLimits, Index: limits, Name: fmt.Sprintf("%X", c.AID), Key: key, Reason: why})
			}
			if len(l.Types) == 0 {
				return at("types", "are missing")
			}
			for _, t := range l.Types {
				if _, ok := c.Limits[t]; ok {
					return at("types", fmt.Sprintf("%02X occurs twice", t))
				}
				v := l.limits()
				if key, why := v.check(t); why != "" {
					return at(key, why)
				}
				c.Limits[t] = v
			}
		}
		for t, v := range e.Data {
			tag, err := hex.DecodeString(t)
			if err != nil || len(tag) == 0 || len(tag) > 4 {
				return wrong(ofCombination(i, &c, "data", fmt.Sprintf("%.16q is not a tag", t)))
			}
			var n uint32
			for _, b := range tag {
				n = n<<8 | uint32(b)
			}
			if _, twice := c.Data[n]; twice {
				return wrong(ofCombination(i, &c, "data", fmt.Sprintf("%X occurs twice", n)))
			}
			c.Data[n] = v
		}
		cfg.Combinations = append(cfg.Combinations, c)
	}
	if e := cfg.check(); e != nil {
		return wrong(e)
	}
	return cfg, nil
}

// decode reads the file's text. The decoder panics at a table inside an array of tables that has no element yet, [[contactless.limits]] before any
// [[contactless]]: that is an error of the file like others.
func decode(b []byte) (f parameterFile, err error) {
	defer func() {
		if p := recover(); p != nil {
			f, err = parameterFile{}, fmt.Errorf("%w: a table stands before the one that it belongs to", emv.ErrConfig)
		}
	}()
	d := toml.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return parameterFile{}, describeTOML(err)
	}
	return f, nil
}

type parameterFile struct {
	EntryPoint struct {
		Choice     string `toml:"choice"`
		Restarts   int    `toml:"restarts"`
		UpdateWait int    `toml:"update_wait"`
	} `toml:"entry_point"`
	Default []struct {
		RID    hex5     `toml:"rid"`
		Kernel kernelID `toml:"kernel"`
	} `toml:"default_kernel"`
	Contactless []combinationEntry `toml:"contactless"`
}

type combinationEntry struct {
	AID          hexBytes            `toml:"aid"`
	Name         string              `toml:"name"`
	Kernel       kernelID            `toml:"kernel"`
	TTQ          *hex4               `toml:"ttq"`
	NeedTTQ      bool                `toml:"pdol_needs_ttq"`
	Extended     bool                `toml:"extended_selection"`
	Version      hex2                `toml:"version"`
	TACDenial    hex5                `toml:"tac_denial"`
	TACOnline    hex5                `toml:"tac_online"`
	TACDefault   hex5                `toml:"tac_default"`
	TerminalType hex1                `toml:"terminal_type"`
	Capabilities hex3                `toml:"capabilities"`
	Additional   hex5                `toml:"additional_capabilities"`
	Limits       []limitsEntry       `toml:"limits"`
	Data         map[string]hexBytes `toml:"data"`
}

type limitsEntry struct {
	Types         hexBytes `toml:"types"`
	Transaction   *int64   `toml:"transaction"`
	CVM           *int64   `toml:"cvm"`
	Floor         *int64   `toml:"floor"`
	TerminalFloor *int64   `toml:"terminal_floor"`
	StatusCheck   bool     `toml:"status_check"`
	ZeroAllowed   *bool    `toml:"zero_allowed"`
	ZeroOffline   bool     `toml:"zero_offline"`
}

func (e *combinationEntry) combination() Combination {
	c := Combination{
		AID:      e.AID,
		Name:     e.Name,
		Kernel:   KernelID(e.Kernel),
		Extended: e.Extended,
		NeedTTQ:  e.NeedTTQ,
		Limits:   map[byte]Limits{},
		Data:     map[uint32][]byte{},
		App: emv.Application{
			AID:          e.AID,
			Name:         e.Name,
			Partial:      true,
			Version:      e.Version,
			TACDenial:    e.TACDenial,
			TACOnline:    e.TACOnline,
			TACDefault:   e.TACDefault,
			TerminalType: e.TerminalType[0],
			Capabilities: e.Capabilities,
			Additional:   e.Additional,
		},
	}
	if e.TTQ != nil {
		ttq := [4]byte(*e.TTQ)
		c.TTQ = &ttq
	}
	return c
}

func (l *limitsEntry) limits() Limits {
	return Limits{
		Transaction: l.Transaction,
		CVM:         l.CVM,
		Floor:       l.Floor,
		TermFloor:   l.TerminalFloor,
		StatusCheck: l.StatusCheck,
		ZeroAllowed: l.ZeroAllowed,
		ZeroOffline: l.ZeroOffline,
	}
}

// describeTOML turns the decoder's errors into one line with the place.
func describeTOML(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := &strict.Errors[0]
		row, col := e.Position()
		return fmt.Errorf("%w: line %d, column %d: unknown key %s", emv.ErrConfig, row, col, strings.Join(e.Key(), "."))
	}
	var dec *toml.DecodeError
	if errors.As(err, &dec) {
		row, col := dec.Position()
		return fmt.Errorf("%w: line %d, column %d: %s: %s", emv.ErrConfig, row, col, strings.Join(dec.Key(), "."), dec.Error())
	}
	return fmt.Errorf("%w: %w", emv.ErrConfig, err)
}

// locate finds the line of a parameter in the text of the file: that of its key, else that of its table.
func locate(e *emv.ParameterError, text []byte) *emv.ParameterError {
	header := "[[" + e.Table + "]]"
	if e.Index == 0 {
		header = "[" + e.Table + "]"
	}
	seen, line := 0, 0
	for l := range strings.SplitSeq(string(text), "\n") {
		line++
		l = strings.TrimSpace(l)
		if head, _, _ := strings.Cut(l, "#"); strings.HasPrefix(l, "[") {
			head = strings.TrimSpace(head)
			if e.Line > 0 && !strings.HasPrefix(strings.Trim(head, "[]"), e.Table+".") {
				break // the next table; the tables of this one may stand between
			}
			if head == header {
				if seen++; seen == max(e.Index, 1) {
					e.Line = line
				}
			}
			continue
		}
		if key, _, ok := strings.Cut(l, "="); ok && e.Line > 0 && e.Key != "" && strings.TrimSpace(key) == e.Key {
			e.Line = line
			break
		}
	}
	return e
}

// kernelID is a kernel in hex: "07", or "810156" for a domestic one.
type kernelID KernelID

func (k *kernelID) UnmarshalText(text []byte) error {
	var b hexBytes
	if err := b.UnmarshalText(text); err != nil {
		return err
	}
	switch len(b) {
	case 1:
		*k = kernelID(b[0])
	case 3:
		*k = kernelID(b[0])<<16 | kernelID(b[1])<<8 | kernelID(b[2])
	default:
		return fmt.Errorf("%d bytes where 1 or 3 are wanted", len(b))
	}
	return nil
}

// Byte strings in hex.
type (
	hexBytes = hexfield.Bytes
	hex1     = hexfield.Bytes1
	hex2     = hexfield.Bytes2
	hex3     = hexfield.Bytes3
	hex4     = hexfield.Bytes4
	hex5     = hexfield.Bytes5
)
