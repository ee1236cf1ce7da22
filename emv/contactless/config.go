package contactless

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"posd/emv"
	"posd/emv/tlv"
)

// Choice says who picks the application of a card that has several (co-badged and dual-currency cards).
type Choice uint8

// Choices.
const (
	ChoicePriority   Choice = iota // the card's priorities (Book B, 3.3.3.2)
	ChoiceCardholder               // the cardholder, where the applications are of more than one payment system and the UI is a Chooser
)

// Config is what an EntryPoint knows beside the card and the transaction. It must not be changed once an EntryPoint has it.
type Config struct {
	Terminal     emv.Terminal
	CAKeys       []emv.CAKey
	Revoked      []emv.Revoked
	Combinations []Combination
	Defaults     []DefaultKernel // nil: DefaultKernels()
	Choice       Choice
	Restarts     int           // how often kernels may ask to start again in one transaction, 1 to 20; 0 is 5
	UpdateWait   time.Duration // how long Resume waits for the card, 1 s to 60 s; 0 is 15 s
	// Exception tells whether a card is on the terminal's exception file; nil when there is none.
	Exception func(emv.Exception) bool
}

// Bounds of a configuration.
const (
	maxCombinations = 64
	maxRestarts     = 20
	minUpdateWait   = time.Second
	maxUpdateWait   = time.Minute
)

// Check tells what is wrong with the parameters. The error is an *emv.ParameterError.
func (c *Config) Check() error {
	if e := c.check(); e != nil {
		return e
	}
	return nil
}

func (c *Config) check() *emv.ParameterError {
	entry := func(key, why string) *emv.ParameterError {
		return &emv.ParameterError{Table: tableEntryPoint, Key: key, Reason: why}
	}
	switch {
	case c.Choice > ChoiceCardholder:
		return entry("choice", "is neither priority nor cardholder")
	case c.Restarts < 0 || c.Restarts > maxRestarts:
		return entry("restarts", fmt.Sprintf("is not between 1 and %d", maxRestarts))
	case c.UpdateWait != 0 && (c.UpdateWait < minUpdateWait || c.UpdateWait > maxUpdateWait):
		return ofUpdateWait()
	case len(c.Combinations) > maxCombinations:
		return &emv.ParameterError{Table: tableCombination, Index: maxCombinations + 1, Reason: fmt.Sprintf("%d combinations, at most %d", len(c.Combinations), maxCombinations)}
	}
	for i, d := range c.Defaults {
		at := func(key, why string) *emv.ParameterError {
			return &emv.ParameterError{Table: tableDefault, Index: i + 1, Name: fmt.Sprintf("%X", d.RID), Key: key, Reason: why}
		}
		if !d.Kernel.valid() {
			return at("kernel", "is not the number of a kernel")
		}
		if slices.ContainsFunc(c.Defaults[:i], func(o DefaultKernel) bool { return o.RID == d.RID }) {
			return at("rid", "occurs twice")
		}
	}
	for i := range c.Combinations {
		k := &c.Combinations[i]
		if key, why := k.check(); why != "" {
			return ofCombination(i, k, key, why)
		}
		for j := range c.Combinations[:i] {
			if o := &c.Combinations[j]; o.Kernel == k.Kernel && bytes.Equal(o.AID, k.AID) {
				return ofCombination(i, k, "aid", "occurs twice with this kernel")
			}
		}
	}
	return nil
}

func ofUpdateWait() *emv.ParameterError {
	return &emv.ParameterError{Table: tableEntryPoint, Key: "update_wait", Reason: fmt.Sprintf("is not between %v and %v", minUpdateWait, maxUpdateWait)}
}

func ofCombination(i int, c *Combination, key, why string) *emv.ParameterError {
	return &emv.ParameterError{Table: tableCombination, Index: i + 1, Name: fmt.Sprintf("%X", c.AID), Key: key, Reason: why}
}

// valid tells whether k is a number that a card can ask for: one byte of an international kernel, or three of a domestic one whose short
// identifier is not zero (Book B, 3.3.2.5).
func (k KernelID) valid() bool {
	return k > 0 && k < 0x80 || k >= 0x800000 && k <= 0xFFFFFF && k>>16&0x3F != 0
}

// check returns the key in the parameter file and what is wrong with its value; "" when nothing is.
func (c *Combination) check() (key, why string) {
	switch {
	case len(c.AID) < minADFName || len(c.AID) > maxADFName:
		return "aid", fmt.Sprintf("an AID has 5 to 16 bytes, not %d", len(c.AID))
	case !c.Kernel.valid():
		return "kernel", "is not the number of a kernel"
	case c.NeedTTQ && c.TTQ == nil:
		return "ttq", "is missing, and the card's PDOL is to ask for it"
	case len(c.Limits) == 0:
		return "limits", "are missing: no transaction type is supported"
	case strings.ContainsFunc(c.Name, func(r rune) bool { return r < 0x20 || r == 0x7F }):
		return "name", "has control characters"
	}
	types := make([]byte, 0, len(c.Limits))
	for t := range c.Limits {
		types = append(types, t)
	}
	slices.Sort(types) // so that the error is the same each time
	for _, t := range types {
		if key, why := c.Limits[t].check(t); why != "" {
			return key, why
		}
	}
	tags := make([]uint32, 0, len(c.Data))
	for t := range c.Data {
		tags = append(tags, t)
	}
	slices.Sort(tags)
	for _, t := range tags {
		switch v := c.Data[t]; {
		case !tlv.Tag(t).Valid() || tlv.Tag(t).Constructed():
			return "data", fmt.Sprintf("%X is not the tag of a data element", t)
		case len(v) > tlv.MaxDOL:
			return "data", fmt.Sprintf("%X has %d bytes", t, len(v))
		case tlv.Tag(t) == tagTTQ:
			return "data", "9F66 is set by ttq, which pre-processing knows"
		}
	}
	return "", ""
}

func (l Limits) check(typ byte) (key, why string) {
	if typ>>4 > 9 || typ&0x0F > 9 {
		return "types", fmt.Sprintf("%02X is not two digits", typ)
	}
	for _, f := range []struct {
		key string
		v   *int64
	}{{"transaction", l.Transaction}, {"cvm", l.CVM}, {"floor", l.Floor}, {"terminal_floor", l.TermFloor}} {
		if f.v != nil && (*f.v < 0 || *f.v > maxAmount) {
			return f.key, fmt.Sprintf("%d does not fit twelve digits", *f.v)
		}
	}
	return "", ""
}

// Download puts the contactless limits of an acquirer's download (DF19, DF20, DF21 of UnionPay's hosts) and its action codes and version in
// place of those that stand in the combinations of that AID, for every transaction type that they support. It reports how many combinations
// there were: none means that the acquirer has an application that this terminal does not take by contactless. Limits that the download does
// not have stay. The receiver's combinations are replaced, not changed: an EntryPoint that has them goes on with the old ones.
func (c *Config) Download(p emv.AIDParameters) int {
	out := slices.Clone(c.Combinations)
	n := 0
	for i := range out {
		k := &out[i]
		if !bytes.Equal(k.AID, p.AID) {
			continue
		}
		n++
		limits := make(map[byte]Limits, len(k.Limits))
		for t, l := range k.Limits {
			replace(&l.Floor, p.ContactlessFloor)
			replace(&l.Transaction, p.ContactlessLimit)
			replace(&l.CVM, p.ContactlessCVMLimit)
			limits[t] = l
		}
		k.Limits = limits
		name, terminal := k.App.Name, k.App
		k.App = p.Application
		k.App.Name = name
		k.App.TerminalType, k.App.Capabilities, k.App.Additional = terminal.TerminalType, terminal.Capabilities, terminal.Additional
	}
	c.Combinations = out
	return n
}

// replace sets a limit; a negative one is absent from the download.
func replace(l **int64, v int64) {
	if v >= 0 {
		*l = &v
	}
}
