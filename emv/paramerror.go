package emv

import (
	"fmt"
	"strconv"
	"strings"

	"posd/emv/tlv"
)

// ParameterError says which parameter is wrong and why. It wraps ErrConfig. Its text holds no key material.
type ParameterError struct {
	Table  string  // "terminal", "application", "ca_key", "revoked": the table in the parameter file
	Index  int     // of the application, key or certificate, from 1; 0 for the terminal
	Name   string  // the AID, or RID and index
	Key    string  // in the parameter file; "" when it is the table as a whole
	Line   int     // in the parameter file; 0 when it did not come from one
	Tag    tlv.Tag // in an acquirer's download; 0 when it did not come from one
	Offset int     // of that object in the download
	Reason string
}

func (e *ParameterError) Error() string {
	var b strings.Builder
	b.WriteString(ErrConfig.Error() + ": ")
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Tag != 0 {
		fmt.Fprintf(&b, "%s at offset %d: ", e.Tag, e.Offset)
	}
	b.WriteString(e.Table)
	switch {
	case e.Name != "":
		b.WriteString(" " + e.Name)
	case e.Index > 0:
		b.WriteString(" " + strconv.Itoa(e.Index))
	}
	if e.Key != "" {
		b.WriteString("." + e.Key)
	}
	return b.String() + ": " + e.Reason
}

func (e *ParameterError) Unwrap() error { return ErrConfig }

func ofTerminalTable(key, why string) *ParameterError {
	return &ParameterError{Table: "terminal", Key: key, Reason: why}
}

// locate finds the line of the parameter in the text of a parameter file: that of its key, else that of its table. Tables that are not
// written with a header of their own are not found.
func (e *ParameterError) locate(text []byte) *ParameterError {
	header := "[" + e.Table + "]"
	if e.Index > 0 {
		header = "[" + header + "]"
	}
	seen, line := 0, 0
	for l := range strings.SplitSeq(string(text), "\n") {
		line++
		l = strings.TrimSpace(l)
		if head, _, _ := strings.Cut(l, "#"); strings.HasPrefix(l, "[") {
			if e.Line > 0 {
				break // the next table
			}
			if strings.TrimSpace(head) == header {
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
